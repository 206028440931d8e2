"""Tables: each is made once, here, and written as text, HTML, LaTeX, CSV and JSON.

Imports the averages, statements and layout of output, neither figures nor the report.  Start at table; a module named after
a result holds the columns of its tables.
"""

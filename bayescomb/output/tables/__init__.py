"""Tables: each is made once, here, and written as text, HTML, LaTeX, CSV and JSON.

May import what ``output`` may, but neither figures nor the report.  Start with :mod:`bayescomb.output.tables.table`; a
table of a result has its columns in the module named after the result.
"""

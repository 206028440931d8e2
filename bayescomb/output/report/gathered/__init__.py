"""Numbers of a report, computed before anything is drawn or written.

Imports fit, sampling, studies, and analysis and tables of output; not the results of the report, which hold these numbers.
Start at ranking.
"""

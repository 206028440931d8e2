"""What a report shows of nuisances and assumption sets, computed before anything is drawn or written.

Imports fit and sampling, not the results of the report, which hold it.  Start at ranking.
"""

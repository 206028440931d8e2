"""The report: a folder with a page, its figures and its tables.

Imports output and its figures, not explorer or export.  Start at report.
"""

__all__: list[str] = []

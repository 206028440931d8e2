"""The assumption explorer: one page that repeats the fit in the browser; its scripts are in script/.

Imports output and its figures, not report or export.  Start at page.
"""

__all__: list[str] = []

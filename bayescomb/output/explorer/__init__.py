"""The assumption explorer: one page that fits again in the browser, its scripts in script/.

Imports output and its figures, not report or export.  Start at page.
"""

__all__: list[str] = []

"""Files that are complete or absent: made in working folders, locked, and renamed into place.

Imports the errors of base.  Start at writing.
"""

__all__: list[str] = []

"""Files that are complete or absent: where they are made, locks on them, and the writer that renames them.

Imports the errors of base.  Start at writing.
"""

__all__: list[str] = []

"""Results as a HEPData submission and as plain data that can be read back.

Imports output, not figures, report or explorer.  Start at export.
"""

__all__: list[str] = []

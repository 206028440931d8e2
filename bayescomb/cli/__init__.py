"""The command line.

Imports everything.  Start at main; the commands are in commands, a function each.
"""

__all__: list[str] = []

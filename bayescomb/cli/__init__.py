"""The command line.

May import every room.  Start at main; commands has one function for each command.
"""

__all__: list[str] = []

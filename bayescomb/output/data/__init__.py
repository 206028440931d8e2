"""Results as plain data: JSON of the commands, and the labelled arrays that every export is made of.

Imports the tables and the statements of output, and what was read as text.  Start at results.
"""

__all__: list[str] = []

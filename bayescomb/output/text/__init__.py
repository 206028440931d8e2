"""Results as text for a terminal, and the same in notebooks.

Imports the tables, the statements and the layout of output.  Start at fit.
"""

__all__: list[str] = []

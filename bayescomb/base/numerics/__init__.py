"""Linear algebra in one thread, matrices scaled to unit diagonal, and where a function crosses zero.

Imports the errors of base.  Start at matrices.
"""

__all__: list[str] = []

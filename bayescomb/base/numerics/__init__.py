"""Linear algebra in one thread, matrices scaled to unit diagonal, and where a function crosses zero.

Imports nothing else of bayescomb.  Start at matrices.
"""

__all__: list[str] = []

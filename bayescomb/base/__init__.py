"""Foundations of every room: errors, checks, numerics, rounding, progress, and files that are complete or absent.

Imports nothing else of bayescomb.  Start at errors, the list of what can go wrong.
"""

__all__: list[str] = []

"""What the theory does to an extracted mass: orders, predictions, scales, and rate and shape apart.

Imports fit and what is below it.  Start at study.
"""

__all__: list[str] = []

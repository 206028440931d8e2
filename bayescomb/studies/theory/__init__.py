"""Effect of the theory on an extracted mass: orders, predictions, scales, and rate and shape separately.

Imports fit and what is below it.  Start at study.
"""

__all__: list[str] = []

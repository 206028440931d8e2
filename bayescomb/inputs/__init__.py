"""The inputs: measurements, assumptions about their correlations, predictions, and the combination of them.

Imports base only.  Start at combination, then measurements.
"""

__all__: list[str] = []

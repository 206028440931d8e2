"""Theory predictions of the observables, factors on them, and how a mass is extracted with them.

Imports base only.  Start at predictions, then extractions.
"""

__all__: list[str] = []

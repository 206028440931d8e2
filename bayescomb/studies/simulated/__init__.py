"""How often the intervals hold the truth and whether ranks of truths are flat, in simulated data sets.

Imports sampling and what is below it.  Start at calibration; nothing is imported here, as PyMC takes seconds.
"""

__all__: list[str] = []

"""Coverage of intervals and ranks of true values in simulated data sets.

Imports sampling and what is below it.  Start at calibration; nothing is imported here, as importing PyMC takes seconds.
"""

__all__: list[str] = []

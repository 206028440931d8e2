"""Many fits or posteriors: calibration with toys, assumption sets, sensitivity to priors, shares of the variance.

Imports sampling and what is below it.  Start at simulated; nothing is imported here, as importing PyMC takes seconds.
"""

__all__: list[str] = []

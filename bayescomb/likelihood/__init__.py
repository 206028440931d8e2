"""What the inputs mean: the chi2 of a combination, the correlations that are possible, and simulated data.

Imports inputs and base, no format.  Start at linear_gaussian, the algebra of everything that follows.
"""

from bayescomb.likelihood.check import check
from bayescomb.likelihood.simulation import simulate

__all__ = ["check", "simulate"]

"""Predicted observables as functions of masses, scales and theory nuisances.

Imports inputs and the linear algebra of likelihood.  Start at predicted, then curves.
"""

from bayescomb.likelihood.theory.curves import SCALE_POINTS, Curves, interpolation_quality, prediction_curves
from bayescomb.likelihood.theory.predicted import Theory, scale_correlation, theory

__all__ = [
    "SCALE_POINTS",
    "Curves",
    "Theory",
    "interpolation_quality",
    "prediction_curves",
    "scale_correlation",
    "theory",
]

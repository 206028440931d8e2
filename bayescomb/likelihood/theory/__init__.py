"""Predicted observables as functions of masses, scales and theory nuisances.

Imports inputs and the linear algebra of likelihood.  Start at theory.
"""

from bayescomb.likelihood.theory.theory import (
    SCALE_POINTS,
    Curves,
    Theory,
    interpolation_quality,
    prediction_curves,
    scale_correlation,
    theory,
)

__all__ = [
    "SCALE_POINTS",
    "Curves",
    "Theory",
    "interpolation_quality",
    "prediction_curves",
    "scale_correlation",
    "theory",
]

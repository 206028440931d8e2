"""Feasible coefficients: those of a box at which a family of matrices is positive semidefinite.

Imports base only.  Start at feasibility; the geometry is in spectrahedron.
"""

from bayescomb.likelihood.feasibility.extreme_values import Extremes, extremes
from bayescomb.likelihood.feasibility.feasibility import (
    EIGENVALUE_TOLERANCE,
    AffineFamily,
    FeasibleRegion,
    face_basis,
    feasible_region,
    smallest_eigenvalue,
    wholly_feasible,
)

__all__ = [
    "EIGENVALUE_TOLERANCE",
    "AffineFamily",
    "Extremes",
    "FeasibleRegion",
    "extremes",
    "face_basis",
    "feasible_region",
    "smallest_eigenvalue",
    "wholly_feasible",
]

"""Which coefficients are possible: those of a box at which a family of matrices is positive semidefinite.

Imports base only.  Start at feasibility; spectrahedron has the geometry.
"""

from bayescomb.likelihood.feasibility.feasibility import (
    EIGENVALUE_TOLERANCE,
    AffineFamily,
    Extremes,
    FeasibleRegion,
    extremes,
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

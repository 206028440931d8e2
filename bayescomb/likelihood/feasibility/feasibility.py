"""The feasible set of the coefficients: where an affine family of symmetric matrices is positive semidefinite.

The family is a block of C(r) under the nuisance treatment and the total V(r) under the covariance treatment.  The set is
convex (a linear matrix inequality), the smallest eigenvalue is a concave function of r, and the ranges people quote often
leave the set.  Published blocks are often singular for every r (sources fully correlated inside an experiment), so the
set is looked at inside the face that its interior point spans.

An extreme of a coefficient has two sides: a feasible point that reaches it, and a bound that no feasible point passes, by
tr(Z M(r)) >= 0 for any positive semidefinite Z.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.choices import Feasible
from bayescomb.base.numerics import concave_maximum, crossing
from bayescomb.likelihood.feasibility.extreme_values import END_TOLERANCE, extremes
from bayescomb.likelihood.feasibility.spectrahedron import (
    AffineFamily,
    interior_point,
    positive_definite,
    smallest_eigenvalue,
)

__all__ = ["AffineFamily", "FeasibleRegion", "face_basis", "feasible_region", "smallest_eigenvalue", "wholly_feasible"]

# Smallest eigenvalue of a positive semidefinite matrix of unit scale: rounding of sums of a few dozen products.
EIGENVALUE_TOLERANCE: Final = 1e-9
# Width below which a region is a point: where an eigenvalue grows like the square of the distance, the tolerance above
# alone gives a width of 1e-4.
WIDTH_TOLERANCE: Final = 1e-3
# Number of points of the box that are tried to estimate its feasible share, in a quasi-random sequence.
SHARE_POINTS: Final = 4096
FEWEST_POINTS: Final = 256
# Cubes of rows, and entries of matrices at a time, that the share may take; and vectors that are kept to rule points out.
SHARE_WORK: Final = 1e10
MATRIX_ENTRIES: Final = 4_000_000
MOST_CUTS: Final = 64
# Coefficients up to which every vertex of the box is looked at.
FEW: Final = 8


@dataclass(frozen=True, kw_only=True)
class FeasibleRegion:
    """The feasible part of the box of a family.

    Attributes:
        status: ``"box"`` (all of it), ``"partial"``, ``"point"`` (no volume; ``centre`` is feasible) or ``"empty"``.
        low, high: interval of each coefficient that is feasible with the others free, shape (k,), each end reached by a
            feasible point; the box itself for ``"box"``, the centre for ``"empty"``.
        centre: a point inside, shape (k,); for ``"empty"`` the point that comes nearest.
        smallest: smallest eigenvalue at the centre.
        nominal_smallest: smallest eigenvalue at the nominal coefficients.
        share: feasible share of the volume of the box.
        share_error: its standard error, 0 where it is exact: of one coefficient, of the whole box and of no volume.
        missing: how much further out an end may lie, shape (k,); 0 except for large blocks, whose search stops early.
    """

    status: Feasible
    low: FloatArray
    high: FloatArray
    centre: FloatArray
    smallest: float
    nominal_smallest: float
    share: float
    share_error: float = 0.0
    missing: FloatArray = field(default_factory=lambda: np.zeros(0))


def feasible_region(family: AffineFamily, *, strict: bool = False) -> FeasibleRegion:
    """The feasible part of a family's box.

    Args:
        family: the matrices and the box.
        strict: ask for positive definite instead of semidefinite (the total covariance).

    Returns:
        The region.  For one coefficient its ends are exact; for several the share is estimated with quasi-random points.
    """
    floor = _floor(strict=strict)

    def smallest(r: FloatArray) -> float:
        return smallest_eigenvalue(family.matrix(r))

    k = len(family.low)
    nominal_smallest = smallest(family.nominal)
    if k == 0:
        status: Feasible = "box" if nominal_smallest >= floor else "empty"
        share = 1.0 if status == "box" else 0.0
        empty = np.zeros(0)
        return FeasibleRegion(
            status=status, low=empty, high=empty, centre=empty, smallest=nominal_smallest,
            nominal_smallest=nominal_smallest, share=share,
        )  # fmt: skip
    if wholly_feasible(family, strict=strict):
        middle = (family.low + family.high) / 2
        return FeasibleRegion(
            status="box", low=family.low, high=family.high, centre=middle, smallest=smallest(middle),
            nominal_smallest=nominal_smallest, share=1.0,
        )  # fmt: skip
    if k == 1:
        return _interval(family, floor, nominal_smallest)
    return _several(family, floor, nominal_smallest)


def _floor(*, strict: bool) -> float:
    """Smallest allowed eigenvalue."""
    return EIGENVALUE_TOLERANCE if strict else -EIGENVALUE_TOLERANCE


def wholly_feasible(family: AffineFamily, *, strict: bool = False) -> bool:
    """Whether the whole box is known to be feasible: by its vertices if they are few, else by a sufficient condition.

    The smallest eigenvalue is concave, so its minimum over the box lies at a vertex.  For many coefficients, E_c >= -|E_c|
    with the matrix absolute value, so V(middle) - sum_c h_c |E_c| > 0 is sufficient.

    Args:
        family: the matrices and the box.
        strict: ask for positive definite instead of semidefinite (the total covariance).

    Examples:
        >>> from bayescomb.likelihood.feasibility import AffineFamily, wholly_feasible
        >>> import numpy as np
        >>> from scipy.sparse import csr_array
        >>> pattern = csr_array([[0.0, 1.0, 1.0, 0.0]])
        >>> def pair(high):
        ...     ends = {"low": np.array([0.0]), "nominal": np.array([0.0]), "high": np.array([high])}
        ...     return AffineFamily(label="pair", base=np.eye(2), patterns=pattern, **ends)
        >>> wholly_feasible(pair(0.9)), wholly_feasible(pair(1.1))
        (True, False)
    """
    floor = _floor(strict=strict)
    middle, half = (family.low + family.high) / 2, (family.high - family.low) / 2
    k = len(middle)
    least = family.matrix(middle)
    for width, (rows, inner) in zip(half, family.supports, strict=True):
        eigenvalues, vectors = np.linalg.eigh(inner)
        least[np.ix_(rows, rows)] -= width * (vectors * np.abs(eigenvalues)) @ vectors.T
    if smallest_eigenvalue(least) >= floor:
        return True
    if k > FEW:
        return False
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * k, indexing="ij")).reshape(k, -1).T
    return all(smallest_eigenvalue(family.matrix(middle + corner * half)) >= floor for corner in corners)


def _interval(family: AffineFamily, floor: float, nominal_smallest: float) -> FeasibleRegion:
    """One coefficient: the ends are roots of a concave function."""
    low, high = float(family.low[0]), float(family.high[0])

    def excess(r: float) -> float:
        return smallest_eigenvalue(family.matrix(np.array([r]))) - floor

    candidates = [low, high, float(np.clip(family.nominal[0], low, high))]
    if low < 0 < high:
        candidates.append(0.0)  # fully correlated blocks with other signs allow a single point only
    best = max(candidates, key=excess)
    if excess(best) < 0:
        best = max(best, concave_maximum(excess, low, high), key=excess)
    status: Feasible
    if excess(best) < 0:
        status, ends = "empty", (best, best)
    else:
        start = low if excess(low) >= 0 else crossing(excess, best, low)
        stop = high if excess(high) >= 0 else crossing(excess, best, high)
        status, ends = "partial", (start, stop)
        if stop - start < WIDTH_TOLERANCE * (high - low):
            status, ends = "point", (best, best)
    return FeasibleRegion(
        status=status,
        low=np.array(ends[:1]),
        high=np.array(ends[1:]),
        centre=np.array([sum(ends) / 2]),
        smallest=excess(sum(ends) / 2) + floor,
        nominal_smallest=nominal_smallest,
        share=(ends[1] - ends[0]) / (high - low),
    )


def _several(family: AffineFamily, floor: float, nominal_smallest: float) -> FeasibleRegion:
    """Several coefficients: centre and extremes by Newton's method, share by quasi-random points."""
    strict = dataclasses.replace(family, base=family.base - max(floor, 0.0) * np.eye(len(family.base)))
    interior = interior_point(strict)
    centre = interior.point
    smallest = smallest_eigenvalue(family.matrix(centre))
    if smallest < floor:
        # A set without volume may not be found from outside, so the nominal values and all coefficients 0 are tried.
        candidates = [np.clip(r, family.low, family.high) for r in (family.nominal, np.zeros_like(centre))]
        best = max(candidates, key=lambda r: smallest_eigenvalue(family.matrix(r)))
        status: Feasible = "empty"
        if smallest_eigenvalue(family.matrix(best)) >= floor:
            status, centre, smallest = "point", best, smallest_eigenvalue(family.matrix(best))
        return FeasibleRegion(
            status=status, low=centre, high=centre, centre=centre, smallest=smallest,
            nominal_smallest=nominal_smallest, share=0.0,
        )  # fmt: skip
    ends = extremes(strict, interior)
    missing = np.maximum(ends.low - ends.low_bound, ends.high_bound - ends.high)
    share, share_error = _share(family, floor) if interior.full else (0.0, 0.0)
    return FeasibleRegion(
        status="partial" if interior.full else "point",
        low=ends.low,
        high=ends.high,
        centre=centre,
        smallest=smallest,
        nominal_smallest=nominal_smallest,
        share=share,
        share_error=share_error,
        missing=np.where(missing > 2 * END_TOLERANCE * (family.high - family.low), missing, 0.0),
    )


def _share(family: AffineFamily, floor: float) -> tuple[float, float]:
    """Feasible share of the box and its standard error.

    A point outside has a vector with v^T M(r) v < 0, which is linear in r: most other points outside fail by the same
    vectors, and need no matrix of their own.
    """
    size = len(family.base)
    number = int(np.clip(SHARE_WORK / max(size, 1) ** 3, FEWEST_POINTS, SHARE_POINTS))
    points = box_points(family.low, family.high, number)
    coefficient, i, j, value = family.entries
    slopes, constants = np.zeros((0, len(family.low))), np.zeros(0)
    inside = 0
    at_once = max(1, MATRIX_ENTRIES // max(size, 1) ** 2)
    start = 0
    while start < number:
        # One point alone until the first vector is known, then as many as memory allows.
        part = points[start : start + (at_once if len(slopes) else 1)]
        start += len(part)
        part = part[(part @ slopes.T + constants >= floor).all(axis=1)]
        for r in part:
            matrix = family.matrix(r)
            if positive_definite(matrix - floor * np.eye(size)):
                inside += 1
            elif len(slopes) < MOST_CUTS and (not len(slopes) or (slopes @ r + constants >= floor).all()):
                v = np.linalg.eigh(matrix)[1][:, 0]
                slope = np.bincount(coefficient, 2 * value * v[i] * v[j], minlength=len(family.low))
                slopes, constants = np.vstack([slopes, slope]), np.append(constants, v @ family.base @ v)
    # Laplace's rule, so that no count of all or nothing claims to be exact.
    estimate = (inside + 1) / (number + 2)
    return inside / number, float(np.sqrt(estimate * (1 - estimate) / number))


def box_points(low: FloatArray, high: FloatArray, number: int) -> FloatArray:
    """Halton points of a box, shape (number, k); fixed, so that two runs report the same share."""
    from scipy.stats import qmc

    return qmc.scale(qmc.Halton(len(low), scramble=True, rng=0).random(number), low, high)


def face_basis(matrix: FloatArray) -> FloatArray:
    """Orthonormal basis of the range of a positive semidefinite matrix, shape (n, rank).

    Inside the relative interior of the feasible set the range does not change, so this basis serves all of it.
    """
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return vectors[:, eigenvalues > 1e-7 * max(1.0, eigenvalues[-1])]

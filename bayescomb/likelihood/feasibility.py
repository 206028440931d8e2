"""The feasible set of the coefficients: where an affine family of symmetric matrices is positive semidefinite.

The family is a block of C(r) under the nuisance treatment and the total V(r) under the covariance treatment.  The set is
convex (a linear matrix inequality), the smallest eigenvalue is a concave function of r, and the ranges people quote often
leave the set.  Published blocks are often singular for every r (sources fully correlated inside an experiment), so the
set is looked at inside the face that its interior point spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, minimize_scalar

__all__ = ["AffineFamily", "FeasibleRegion", "face_basis", "feasible_region", "smallest_eigenvalue"]

FloatArray = NDArray[np.float64]

# A matrix of unit scale is called positive semidefinite down to this: sums of a few dozen products of doubles.
EIGENVALUE_TOLERANCE: Final = 1e-9
# An eigenvalue that grows like the square of the distance makes the tolerance above look like a width of 1e-4.
WIDTH_TOLERANCE: Final = 1e-3
# Number of points of the box that are tried to estimate its feasible share, in a quasi-random sequence.
SHARE_POINTS: Final = 4096


@dataclass(frozen=True, kw_only=True)
class AffineFamily:
    """Matrices base + sum_c r_c patterns_c over a box of coefficients.

    Attributes:
        label: what the matrices are, for messages.
        base: shape (n, n).
        patterns: shape (k, n, n).
        low, nominal, high: shape (k,).
    """

    label: str
    base: FloatArray
    patterns: FloatArray
    low: FloatArray
    nominal: FloatArray
    high: FloatArray

    def matrix(self, coefficients: FloatArray) -> FloatArray:
        """The matrix at r, shape (..., n, n) for r of shape (..., k)."""
        return self.base + np.tensordot(coefficients, self.patterns, axes=1)


@dataclass(frozen=True, kw_only=True)
class FeasibleRegion:
    """What of the box of a family is feasible.

    Attributes:
        status: ``"box"`` (all of it), ``"partial"``, ``"point"`` (no volume; ``centre`` is feasible) or ``"empty"``.
        low, high: interval of each coefficient that is feasible with the others free, shape (k,); the box itself for
            ``"box"``, the centre for ``"point"`` and ``"empty"``.  For several coefficients the extremes of the feasible
            ones among the points tried, which fall a little short.
        centre: a point inside, shape (k,); for ``"empty"`` the point that comes nearest.
        smallest: smallest eigenvalue at the centre.
        nominal_smallest: smallest eigenvalue at the nominal coefficients.
        share: feasible share of the volume of the box.
        share_error: its standard error, 0 where it is exact.
    """

    status: str
    low: FloatArray
    high: FloatArray
    centre: FloatArray
    smallest: float
    nominal_smallest: float
    share: float
    share_error: float


def smallest_eigenvalue(matrix: FloatArray) -> float:
    """Smallest eigenvalue of a symmetric matrix; 1 for an empty one."""
    return float(np.linalg.eigvalsh(matrix)[0]) if matrix.size else 1.0


def feasible_region(family: AffineFamily, *, strict: bool = False) -> FeasibleRegion:
    """The feasible part of a family's box.

    Args:
        family: the matrices and the box.
        strict: ask for positive definite instead of semidefinite (the total covariance).

    Returns:
        The region.  For one coefficient its ends are exact; for several the share is estimated with quasi-random points.
    """
    floor = EIGENVALUE_TOLERANCE if strict else -EIGENVALUE_TOLERANCE

    def smallest(r: FloatArray) -> float:
        return smallest_eigenvalue(family.matrix(r))

    k = len(family.low)
    nominal_smallest = smallest(family.nominal)
    if k == 0:
        status = "box" if nominal_smallest >= floor else "empty"
        share = 1.0 if status == "box" else 0.0
        empty = np.zeros(0)
        return FeasibleRegion(
            status=status, low=empty, high=empty, centre=empty, smallest=nominal_smallest,
            nominal_smallest=nominal_smallest, share=share, share_error=0.0,
        )  # fmt: skip
    if _certified(family, floor):
        middle = (family.low + family.high) / 2
        return FeasibleRegion(
            status="box", low=family.low, high=family.high, centre=middle, smallest=smallest(middle),
            nominal_smallest=nominal_smallest, share=1.0, share_error=0.0,
        )  # fmt: skip
    if k == 1:
        return _interval(family, floor, nominal_smallest)
    return _several(family, floor, nominal_smallest)


def _certified(family: AffineFamily, floor: float) -> bool:
    """Whether the whole box is feasible: by its vertices where they are few, else by a sufficient condition.

    The smallest eigenvalue is concave, so its minimum over the box lies at a vertex.  For many coefficients, E_c >= -|E_c|
    with the matrix absolute value, so V(middle) - sum_c h_c |E_c| > 0 is enough.
    """
    middle, half = (family.low + family.high) / 2, (family.high - family.low) / 2
    k = len(middle)
    if k <= 8:
        corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * k, indexing="ij")).reshape(k, -1).T
        return bool(np.linalg.eigvalsh(family.matrix(middle + corners * half))[:, 0].min() >= floor)
    eigenvalues, vectors = np.linalg.eigh(family.patterns)
    absolute = (vectors * np.abs(eigenvalues)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return smallest_eigenvalue(family.matrix(middle) - np.tensordot(half, absolute, axes=1)) >= floor


def _interval(family: AffineFamily, floor: float, nominal_smallest: float) -> FeasibleRegion:
    """One coefficient: the ends are roots of a concave function."""
    low, high = float(family.low[0]), float(family.high[0])

    def excess(r: float) -> float:
        return smallest_eigenvalue(family.matrix(np.array([r]))) - floor

    found = minimize_scalar(lambda r: -excess(r), bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    candidates = [low, high, float(np.clip(family.nominal[0], low, high)), float(found.x)]
    if low < 0 < high:
        candidates.append(0.0)  # where fully correlated blocks with other signs allow nothing else
    best = max(candidates, key=excess)
    if excess(best) < 0:
        status, ends = "empty", (best, best)
    else:
        start = low if excess(low) >= 0 else float(brentq(excess, low, best))
        stop = high if excess(high) >= 0 else float(brentq(excess, best, high))
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
        share_error=0.0,
    )


def _several(family: AffineFamily, floor: float, nominal_smallest: float) -> FeasibleRegion:
    """Several coefficients: a centre by a barrier method, ends along the axes through it, share by quasi-random points."""
    centre = _barrier_centre(family)
    smallest = smallest_eigenvalue(family.matrix(centre))
    if smallest < floor:
        # A set without volume has no interior to find; it is known by the points at which nothing or the nominal is asked.
        candidates = [np.clip(r, family.low, family.high) for r in (family.nominal, np.zeros_like(centre))]
        best = max(candidates, key=lambda r: smallest_eigenvalue(family.matrix(r)))
        if smallest_eigenvalue(family.matrix(best)) >= floor:
            status, centre, smallest = "point", best, smallest_eigenvalue(family.matrix(best))
        else:
            status = "empty"
        return FeasibleRegion(
            status=status, low=centre, high=centre, centre=centre, smallest=smallest,
            nominal_smallest=nominal_smallest, share=0.0, share_error=0.0,
        )  # fmt: skip
    points = box_points(family.low, family.high)
    feasible = np.linalg.eigvalsh(family.matrix(points))[:, 0] >= floor
    share = float(feasible.mean())
    inside = np.vstack([points[feasible], centre])
    return FeasibleRegion(
        status="partial",
        low=inside.min(axis=0),
        high=inside.max(axis=0),
        centre=centre,
        smallest=smallest,
        nominal_smallest=nominal_smallest,
        share=share,
        share_error=float(np.sqrt(share * (1 - share) / len(points))),
    )


def box_points(low: FloatArray, high: FloatArray) -> FloatArray:
    """Halton points of a box, shape (SHARE_POINTS, k); fixed, so that two runs report the same share."""
    from scipy.stats import qmc

    return qmc.scale(qmc.Halton(len(low), scramble=True, rng=0).random(SHARE_POINTS), low, high)


def _barrier_centre(family: AffineFamily) -> FloatArray:
    """Point of the box far from the boundary: maximum of log det(M + eps) and the box's own barrier, eps decreasing."""
    low, width = family.low, family.high - family.low
    size = len(family.base)

    def point(t: FloatArray) -> FloatArray:
        return low + width / (1 + np.exp(-t))

    def objective(t: FloatArray, eps: float) -> float:
        sign, logdet = np.linalg.slogdet(family.matrix(point(t)) + eps * np.eye(size))
        definite = sign > 0 and smallest_eigenvalue(family.matrix(point(t))) > -eps
        # log of the box barrier r (1 - r) in logit coordinates
        return -logdet + np.sum(np.logaddexp(0, t) + np.logaddexp(0, -t)) if definite else 1e10

    t = np.zeros(len(low))
    eps = max(1.0, 1.5 * -smallest_eigenvalue(family.matrix(point(t))))
    for _ in range(30):
        options = {"xatol": 1e-3, "fatol": 1e-3, "adaptive": True}
        t = minimize(objective, t, args=(eps,), method="Nelder-Mead", options=options).x
        gap = -smallest_eigenvalue(family.matrix(point(t)))
        if eps < 1e-4 or eps - gap < 1e-6 * eps:
            break
        eps = max(0.3 * eps, (eps + gap) / 2)
    return point(t)


def face_basis(matrix: FloatArray) -> FloatArray:
    """Orthonormal basis of the range of a positive semidefinite matrix, shape (n, rank).

    Inside the relative interior of the feasible set the range does not change, so this basis serves all of it.
    """
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return vectors[:, eigenvalues > 1e-7 * max(1.0, eigenvalues[-1])]

r"""A box of coefficients and the part of it where an affine family of symmetric matrices is positive semidefinite.

That part is a spectrahedron.  Its centre and the extremes of each coefficient over it are found by Newton's method on

.. math::  -\tau r_c - \log\det M(r) - \sum_j \log (r_j - l_j) (h_j - r_j),

whose Hessian is tr(W P_i W P_j) with W = M^-1 (Boyd and Vandenberghe, Convex Optimization, 2004, section 11).  Where M is
singular for every r (fully correlated nuisances), determinant and inverse are those on the range of M.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, null_space
from scipy.sparse import csr_array

from bayescomb.base.arrays import FloatArray, IntArray

__all__ = [
    "ROUNDING",
    "AffineFamily",
    "Barrier",
    "Interior",
    "interior_point",
    "positive_definite",
    "smallest_eigenvalue",
]

# An eigenvalue below this share of the largest is rounding of 0.
RANK_TOLERANCE: Final = 1e-7
# An entry of a pattern outside the range of M below this is rounding.
FACE_TOLERANCE: Final = 1e-7
# Added to a matrix of unit scale at the end of the search for a first feasible point.
LAST_SHIFT: Final = 1e-8
# Eigenvalues below this at the end of that search belong to a matrix that is singular at the only feasible points.
NEARLY_SINGULAR: Final = 1e-3
# A coefficient within this of 0 or its nominal value is tried there, where the matrix is exact.
SNAP: Final = 1e-4
SNAP_ROUNDING: Final = 1e-14
# Rounding that a matrix at the end of a range may have.
ROUNDING: Final = 1e-11
# Newton decrement (squared, halved) at which the centre is found.
CENTRED: Final = 1e-10
NEWTON_STEPS: Final = 60
# Entries of patterns above which the Hessian is made of whole matrices.
MANY_ENTRIES: Final = 1500


@dataclass(frozen=True, kw_only=True)
class AffineFamily:
    """Matrices base + sum_c r_c patterns_c over a box of coefficients.

    Attributes:
        label: name of the matrices in messages.
        base: shape (n, n).
        patterns: one row per coefficient, the symmetric matrix flat, shape (k, n * n); sparse, because a coefficient of a
            pair fills two entries.
        low, nominal, high: shape (k,).
    """

    label: str
    base: FloatArray
    patterns: csr_array
    low: FloatArray
    nominal: FloatArray
    high: FloatArray

    @property
    def dense_patterns(self) -> FloatArray:
        """The patterns as matrices, shape (k, n, n)."""
        return np.asarray(self.patterns.toarray()).reshape(len(self.low), *self.base.shape)

    def matrix(self, coefficients: FloatArray) -> FloatArray:
        """The matrix at r, shape (..., n, n) for r of shape (..., k)."""
        r = np.asarray(coefficients, dtype=float)
        if not len(self.low):
            return np.broadcast_to(self.base, (*r.shape[:-1], *self.base.shape)).copy()
        moved = (self.patterns.T @ r.reshape(-1, len(self.low)).T).T
        return self.base + np.asarray(moved).reshape(*r.shape[:-1], *self.base.shape)

    @cached_property
    def entries(self) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Coefficients, rows, columns and values v, shape (u,) each: pattern_c = sum_u v (e_i e_j^T + e_j e_i^T)."""
        coordinates = self.patterns.tocoo()
        row, column = np.divmod(coordinates.col.astype(np.intp), max(len(self.base), 1))
        upper = (row <= column) & (coordinates.data != 0)
        value = np.where(row == column, 0.5, 1.0) * coordinates.data
        coefficient = coordinates.row.astype(np.intp)[upper]
        order = np.argsort(coefficient, kind="stable")
        return coefficient[order], row[upper][order], column[upper][order], value[upper][order]

    @cached_property
    def supports(self) -> list[tuple[IntArray, FloatArray]]:
        """Rows that each coefficient touches, and its pattern between them."""
        coefficient, row, column, value = self.entries
        found = []
        for c in range(len(self.low)):
            own = coefficient == c
            rows = np.unique(np.concatenate([row[own], column[own]]))
            i, j = np.searchsorted(rows, row[own]), np.searchsorted(rows, column[own])
            inner = np.zeros((len(rows), len(rows)))
            np.add.at(inner, (i, j), value[own])
            np.add.at(inner, (j, i), value[own])
            found.append((rows, inner))
        return found


def smallest_eigenvalue(matrix: FloatArray) -> float:
    """Smallest eigenvalue of a symmetric matrix; 1 for an empty one."""
    return float(np.linalg.eigvalsh(matrix)[0]) if matrix.size else 1.0


def positive_definite(matrix: FloatArray) -> bool:
    """Whether a symmetric matrix is positive definite, by its Cholesky factor."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Interior:
    """A point well inside the feasible set, and the face of the matrices that it spans.

    Attributes:
        point: r, shape (k,); where nothing is feasible, the point of largest smallest eigenvalue found.
        range: orthonormal basis of the range of M(r), shape (n, rank).
        directions: orthonormal directions in which r can move, shape (k, d): all, unless M leaves its range in some.
    """

    point: FloatArray
    range: FloatArray
    directions: FloatArray

    @property
    def full(self) -> bool:
        """Whether r can move in all directions."""
        return self.directions.shape[0] == self.directions.shape[1]


class Barrier:
    """The barrier -log det (M(r) + shift) and that of the box, with derivatives along the directions of a face.

    Args:
        family: the matrices and the box.
        basis: of the range, shape (n, rank); ``None`` for all.
        directions: shape (k, d); ``None`` for all.
        shift: multiple of the unit matrix added to M.
    """

    def __init__(
        self,
        family: AffineFamily,
        *,
        basis: FloatArray | None = None,
        directions: FloatArray | None = None,
        shift: float = 0.0,
    ) -> None:
        self.family, self.basis, self.directions, self.shift = family, basis, directions, shift
        self.size, self.count = len(family.base), len(family.low)
        entries = family.entries
        pairs = len(entries[0])
        self.single = pairs == self.count and bool((entries[0] == np.arange(self.count)).all())
        self.sums = csr_array((np.ones(pairs), (entries[0], np.arange(pairs))), shape=(self.count, pairs))

    def factor(self, r: FloatArray) -> tuple[float, FloatArray] | None:
        """Log det and W = M^-1 on the range; ``None`` where M is not definite there."""
        matrix = self.family.matrix(r)
        if self.shift:
            matrix = matrix + self.shift * np.eye(self.size)
        if self.basis is not None:
            matrix = self.basis.T @ matrix @ self.basis
        try:
            lower = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            return None
        logdet = 2 * float(np.log(np.diag(lower)).sum())
        inverse = cho_solve((lower, True), np.eye(len(lower)), check_finite=False)
        if self.basis is not None:
            inverse = self.basis @ inverse @ self.basis.T
        return logdet, inverse

    def traces(self, w: FloatArray) -> FloatArray:
        """Tr(W P_c), shape (k,)."""
        return np.asarray(self.family.patterns @ w.ravel())

    def curvature(self, w: FloatArray) -> FloatArray:
        """Tr(W P_c W P_d), shape (k, k)."""
        _, i, j, value = self.family.entries
        if len(i) > MANY_ENTRIES:
            patterns = self.family.dense_patterns
            carried = np.matmul(np.matmul(w, patterns), w)
            return np.asarray(self.family.patterns @ carried.reshape(self.count, -1).T)
        first, second = w[i], w[j]
        pairs = 2 * np.outer(value, value) * (first[:, i] * second[:, j] + first[:, j] * second[:, i])
        if self.single:
            return np.asarray(pairs)
        return np.asarray(self.sums @ (self.sums @ pairs).T)

    def value(self, r: FloatArray, slope: FloatArray) -> float:
        """Slope . r plus the barriers; infinite outside."""
        below, above = r - self.family.low, self.family.high - r
        if (below <= 0).any() or (above <= 0).any():
            return np.inf
        found = self.factor(r)
        if found is None:
            return np.inf
        return float(slope @ r) - found[0] - float(np.log(below).sum() + np.log(above).sum())

    def derivatives(self, r: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gradient and Hessian by all coefficients, and W."""
        found = self.factor(r)
        assert found is not None  # every step is checked before it is taken
        _, w = found
        below, above = r - self.family.low, self.family.high - r
        gradient = slope - self.traces(w) - 1 / below + 1 / above
        hessian = self.curvature(w)
        hessian[np.diag_indices(self.count)] += below**-2 + above**-2
        return gradient, hessian, w

    def solve(self, hessian: FloatArray, right: FloatArray) -> FloatArray:
        """H^-1 b along the directions."""
        n = self.directions
        if n is None:
            return np.asarray(cho_solve(cho_factor(hessian, check_finite=False), right, check_finite=False))
        return n @ cho_solve(cho_factor(n.T @ hessian @ n, check_finite=False), n.T @ right, check_finite=False)

    def newton(self, r: FloatArray, slope: FloatArray, *, tolerance: float) -> tuple[FloatArray, int, bool]:
        """Minimum of slope . r plus the barriers from a point inside, number of steps, and whether it was reached."""
        value = self.value(r, slope)
        for step_number in range(NEWTON_STEPS):
            gradient, hessian, _ = self.derivatives(r, slope)
            try:
                step = -self.solve(hessian, gradient)
            except LinAlgError:
                return r, step_number, False
            decrement = -float(gradient @ step) / 2
            if not decrement > tolerance:
                return r, step_number, bool(np.isfinite(decrement))
            # A step of this length stays inside (self-concordance); near the centre the whole step is taken.
            length = 1.0 if decrement < 0.05 else 1 / (1 + np.sqrt(2 * decrement))
            longer = min(1.0, 4 * length)
            for trial in (longer, length, length / 4, length / 16):
                reached = self.value(r + trial * step, slope)
                if reached <= value - 0.1 * trial * decrement or (reached <= value and decrement < 1e-6):
                    break
            else:
                return r, step_number, False
            r, value = r + trial * step, reached
        return r, NEWTON_STEPS, False


def interior_point(family: AffineFamily) -> Interior:
    """The analytic centre of the feasible set: a point of the box away from all its sides."""
    middle = (family.low + family.high) / 2
    start = _definite_start(family, middle)
    zero = np.zeros(len(middle))
    if start is not None:
        point, *_ = Barrier(family).newton(start, zero, tolerance=CENTRED)
        return Interior(point=point, range=np.eye(len(family.base)), directions=np.eye(len(middle)))
    point, shift = middle, max(1.0, 1.5 * -smallest_eigenvalue(family.matrix(middle)))
    for _ in range(80):
        point, *_ = Barrier(family, shift=shift).newton(point, zero, tolerance=1e-3)
        gap = -smallest_eigenvalue(family.matrix(point))
        if gap < -RANK_TOLERANCE:  # definite
            point, *_ = Barrier(family).newton(point, zero, tolerance=CENTRED)
            return Interior(point=point, range=np.eye(len(family.base)), directions=np.eye(len(middle)))
        if shift < LAST_SHIFT or shift - gap < 1e-4 * shift:
            break
        shift = max(0.2 * shift, (shift + gap) / 2)
    return _on_face(family, point)


def _definite_start(family: AffineFamily, middle: FloatArray) -> FloatArray | None:
    """A point at which M is definite, between the middle of the box and a likely point; ``None`` if none is found."""
    for target in (middle, np.clip(np.zeros_like(middle), family.low, family.high), family.nominal):
        for share in (0.5, 0.25, 0.1, 0.03, 0.01, 0.003, 0.001):
            point = target + share * (middle - target)
            if positive_definite(family.matrix(point) - RANK_TOLERANCE * np.eye(len(family.base))):
                return np.asarray(point)
            if target is middle:
                break
    return None


def _on_face(family: AffineFamily, point: FloatArray) -> Interior:
    """The face of a point at which M is singular; a point that misses it by a little is moved onto it."""
    # Along a contradiction the matrix fails by the square of the distance, so that the way to it ends early.
    for snapped in (np.where(np.abs(point - to) < SNAP, to, point) for to in (0.0, family.nominal)):
        inside = np.clip(snapped, family.low, family.high)
        if smallest_eigenvalue(family.matrix(inside)) >= -SNAP_ROUNDING:
            point = inside
            break
    eigenvalues, vectors = np.linalg.eigh(family.matrix(point))
    for _ in range(2):
        near = NEARLY_SINGULAR if eigenvalues[0] < -ROUNDING else RANK_TOLERANCE
        null = vectors[:, np.abs(eigenvalues) < near]
        away = -(family.matrix(point) @ null).ravel()
        step = np.linalg.lstsq(_leaving(family, null), away, rcond=1e-9)[0] if null.size else np.zeros_like(point)
        moved = np.clip(point + step, family.low, family.high)
        if smallest_eigenvalue(family.matrix(moved)) >= -ROUNDING:
            point = moved
            eigenvalues, vectors = np.linalg.eigh(family.matrix(point))
    inside = eigenvalues > RANK_TOLERANCE * max(1.0, eigenvalues[-1])
    basis, null = vectors[:, inside], vectors[:, ~inside]
    directions = null_space(_leaving(family, null), rcond=FACE_TOLERANCE) if null.size else np.eye(len(point))
    if directions.shape[1] == len(point):
        directions = np.eye(len(point))
    if directions.shape[1] and inside.any() and eigenvalues[0] >= -ROUNDING:
        room = (family.low < point) & (point < family.high)
        barrier = Barrier(family, basis=basis, directions=directions)
        if room.all() and barrier.factor(point) is not None:
            point, *_ = barrier.newton(point, np.zeros(len(point)), tolerance=CENTRED)
    return Interior(point=point, range=basis, directions=directions)


def _leaving(family: AffineFamily, null: FloatArray) -> FloatArray:
    """The linear map from r to M(r) Q - base Q with Q a basis of directions outside the range, shape (n * q, k)."""
    columns = []
    for rows, inner in family.supports:
        column = np.zeros((len(family.base), null.shape[1]))
        column[rows] = inner @ null[rows]
        columns.append(column.ravel())
    return np.array(columns).reshape(len(family.low), -1).T

"""Smallest and largest value of every coefficient within the feasible set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import LinAlgError

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.likelihood.feasibility.spectrahedron import (
    ROUNDING,
    AffineFamily,
    Barrier,
    Interior,
    positive_definite,
)

__all__ = ["END_TOLERANCE", "Extremes", "extremes"]

# Ends are found to this share of a range.
END_TOLERANCE: Final = 1e-6
# Path of the barrier: Newton decrement (squared, halved) of a point near it, growth of tau per point, number of points.
NEAR_PATH: Final = 0.1
PATH_FACTOR: Final = 12.0
PATH_STEPS: Final = 14
# Floating-point operations, about four seconds of them, after which the remaining ends keep their bounds.
MOST_WORK: Final = 2e10
# A point this near to a side of the box has no curvature along it that a double holds.
ON_THE_BOX: Final = 1e-100


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """Smallest and largest feasible value of each coefficient, the others free.

    Attributes:
        low, high: reached by feasible points, shape (k,).
        low_bound, high_bound: values that no feasible point passes, shape (k,); within a millionth of the range of ``low``
            and ``high`` unless the search stopped early.
    """

    low: FloatArray
    high: FloatArray
    low_bound: FloatArray
    high_bound: FloatArray


def extremes(family: AffineFamily, interior: Interior) -> Extremes:
    """Extremes of every coefficient over the feasible part of the box.

    The search goes first along the axes through the centre and through the point nearest to 0, where the null vector of the
    matrix gives a bound; then it tries the ends of the box with the other coefficients moved along; the remaining extremes
    are found along the path of the barrier.

    Args:
        family: the matrices and the box.
        interior: a point inside, of :func:`interior_point`.
    """
    return _Search(family, interior).run()


class _Search:
    """The search for all extremes of one family; upper ends of r are those of ``sides`` +1, lower ones of -1."""

    def __init__(self, family: AffineFamily, interior: Interior) -> None:
        self.family, self.interior = family, interior
        singular = interior.range.shape[1] < len(family.base)
        self.basis = interior.range if singular else None
        self.directions = None if interior.full else interior.directions
        self.barrier = Barrier(family, basis=self.basis, directions=self.directions)
        self.tolerance = END_TOLERANCE * (family.high - family.low)
        # ends[side] is the furthest feasible value found, bounds[side] a value that no feasible one passes.
        self.ends: dict[int, FloatArray] = {1: interior.point.copy(), -1: interior.point.copy()}
        self.bounds: dict[int, FloatArray] = {1: family.high.copy(), -1: family.low.copy()}
        self.work = 0.0

    def run(self) -> Extremes:
        if self.interior.directions.shape[1]:
            for point in self._bases():
                self._along_axes(point)
            self._to_the_ends()
            for side in (1, -1):
                for c in self._open(side):
                    self._follow(int(c), side)
        else:
            self.bounds = {side: self.interior.point.copy() for side in (1, -1)}
        for side, box in ((1, self.family.high), (-1, self.family.low)):
            # A value that differs from the end by rounding is the end.
            near = np.abs(self.ends[side] - box) <= self.tolerance
            self.ends[side] = np.where(near, box, self.ends[side])
        return Extremes(
            low=np.minimum(self.ends[-1], self.ends[1]),
            high=self.ends[1],
            low_bound=np.minimum(self.bounds[-1], self.ends[-1]),
            high_bound=np.maximum(self.bounds[1], self.ends[1]),
        )

    def _open(self, side: int) -> IntArray:
        return np.flatnonzero(np.abs(self.bounds[side] - self.ends[side]) > self.tolerance)

    def _bases(self) -> list[FloatArray]:
        """Points through which the axes are searched."""
        zero = np.clip(np.zeros_like(self.family.low), self.family.low, self.family.high)
        return [self.interior.point, zero] if self.directions is None else [self.interior.point]

    def _along_axes(self, point: FloatArray) -> None:
        """Range of each coefficient with the others held, and the bound by the null vector at its end."""
        found = self.barrier.factor(point)
        if found is None or self.directions is not None:
            return
        w = found[1]
        for c, (rows, inner) in enumerate(self.family.supports):
            if not len(rows):
                self._reach(c, 1, float(self.family.high[c]))
                self._reach(c, -1, float(self.family.low[c]))
                continue
            values, vectors = np.linalg.eig(inner @ w[np.ix_(rows, rows)])
            for side, room in ((1, self.family.high[c] - point[c]), (-1, self.family.low[c] - point[c])):
                # M + t P is singular at t = -1 / eigenvalue of P W.
                at = int(values.real.argmin() if side > 0 else values.real.argmax())
                if side * values[at].real * abs(room) >= -1:
                    self._reach(c, side, point[c] + room)
                    continue
                self._reach(c, side, point[c] - 1 / values[at].real)
                null = w[:, rows] @ vectors[:, at].real
                self._bound(c, side, null[:, None])

    def _reach(self, c: int, side: int, value: float) -> None:
        best = max if side > 0 else min
        self.ends[side][c] = best(self.ends[side][c], value)

    def _bound(self, c: int, side: int, columns: FloatArray | None, z: FloatArray | None = None) -> None:
        """Bound of one coefficient by tr(Z M(r)) >= 0, the others at the ends that allow most."""
        if not self.interior.full:
            return
        if z is None:
            assert columns is not None
            _, i, j, value = self.family.entries
            slopes = self.barrier.sums @ (2 * value * (columns[i] * columns[j]).sum(axis=1))
            constant = float((columns * (self.family.base @ columns)).sum())
        else:
            slopes, constant = self.barrier.traces(z), float((z * self.family.base).sum())
        own = side * slopes[c]
        if not own < 0:
            return
        helping = np.maximum(slopes * self.family.low, slopes * self.family.high)
        limit = (constant + helping.sum() - helping[c]) / -own
        limit *= side
        if side > 0:
            self.bounds[1][c] = max(min(self.bounds[1][c], limit), self.ends[1][c])
        else:
            self.bounds[-1][c] = min(max(self.bounds[-1][c], limit), self.ends[-1][c])

    def _feasible(self, r: FloatArray) -> bool:
        return positive_definite(self.family.matrix(r) + ROUNDING * np.eye(len(self.family.base)))

    def _to_the_ends(self) -> None:
        """Try each end of the box with the others moved along the way that costs the determinant least."""
        found: list[tuple[FloatArray, FloatArray]] = []
        for point in self._bases():
            factored = self.barrier.factor(point)
            if factored is None:
                continue
            hessian = self.barrier.curvature(factored[1])
            for boxed in (False, True):
                if boxed:
                    below, above = point - self.family.low, self.family.high - point
                    if min(below.min(), above.min()) < ON_THE_BOX:
                        continue
                    hessian = hessian + np.diag(below**-2 + above**-2)
                try:
                    found.append((point, self.barrier.solve(hessian, np.eye(len(point)))))
                except LinAlgError:
                    continue
        for side, box in ((1, self.family.high), (-1, self.family.low)):
            for c in self._open(side):
                for point, inverse in found:
                    if not inverse[c, c] > 0 or self.work > MOST_WORK / 2:
                        continue
                    step = (box[c] - point[c]) / inverse[c, c] * inverse[:, c]
                    trial = np.clip(point + step, self.family.low, self.family.high)
                    self.work += len(self.family.base) ** 3 / 3
                    if abs(trial[c] - box[c]) <= self.tolerance[c] and self._feasible(trial):
                        self._reach(int(c), side, float(box[c]))
                        break

    def _follow(self, c: int, side: int) -> None:
        """Follow the path of the barrier until point and bound meet."""
        family, barrier = self.family, self.barrier
        n, k = len(family.base), len(family.low)
        cost = 4.0 * n**3 + len(family.entries[0]) ** 2 * 8 + k**3
        r = self.interior.point
        slope = np.zeros(k)
        _, hessian, _ = barrier.derivatives(r, slope)
        unit = np.zeros(k)
        unit[c] = 1.0
        try:
            variance = float(barrier.solve(hessian, unit)[c])
        except LinAlgError:
            return
        if not variance > 1e-300:  # nothing moves it
            self.bounds[side][c] = self.ends[side][c]
            return
        tau = 2 / np.sqrt(variance)
        for _ in range(PATH_STEPS):
            if self.work > MOST_WORK:
                return
            slope = -side * tau * unit
            r, steps, centred = barrier.newton(r, slope, tolerance=NEAR_PATH)
            self.work += cost * (2 * steps + 1)
            found = barrier.factor(r)
            if found is None:
                return
            w = found[1]
            self._reach(c, side, float(r[c]))
            if self.directions is None:
                rows, inner = family.supports[c]
                values = np.linalg.eigvals(inner @ w[np.ix_(rows, rows)]).real
                value = values.min() if side > 0 else values.max()
                room = (family.high if side > 0 else family.low)[c] - r[c]
                self._reach(c, side, float(r[c] + (room if side * value * abs(room) >= -1 else -1 / value)))
                self._bound(c, side, None, w)
            if centred:
                # This near to the path the distance to the extreme is below twice the number of barriers over tau (Nesterov,
                # Introductory Lectures on Convex Optimization, 2004, theorem 4.2.7).
                limit = float(r[c]) + side * 2 * (n + 2 * k) / tau
                nearer, further = (min, max) if side > 0 else (max, min)
                self.bounds[side][c] = further(nearer(self.bounds[side][c], limit), self.ends[side][c])
            if abs(self.bounds[side][c] - self.ends[side][c]) <= self.tolerance[c]:
                return
            tau *= PATH_FACTOR

"""Minima of a chi2 with kinks.

A response with different slopes up and down makes chi2 smooth only within each orthant of the kinked nuisances, and can
give it several minima, or one on the kink itself.  Each orthant that can hold one is minimised with its own smooth branch
and the orthant as bounds; the lowest wins.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from bayescomb.objective import Objective

__all__ = ["ALL_ORTHANTS", "ON_KINK", "lowest_orthant", "newton"]

FloatArray = NDArray[np.float64]

# Up to this many kinked nuisances every orthant is tried; with more, the start's and those one flip away.
ALL_ORTHANTS = 6
# A kinked nuisance this near to 0 sits on its kink.
ON_KINK = 1e-7
# Newton steps end at this estimated distance to the minimum, in chi2.
NEWTON_TOLERANCE = 1e-14
NEWTON_STEPS = 50


def newton(chi2: Objective, start: FloatArray, fixed: list[int], positive: NDArray[np.bool_]) -> FloatArray | None:
    """Minimum of one smooth branch by damped Newton steps; ``None`` where the second derivatives are not definite."""
    movable = np.setdiff1d(np.arange(chi2.size), fixed)
    theta, value = start, chi2.value(start, positive=positive)
    for _ in range(NEWTON_STEPS):
        gradient = chi2.gradient(theta, positive=positive)[movable]
        try:
            factor = np.linalg.cholesky(chi2.hessian(theta, positive=positive)[np.ix_(movable, movable)])
        except np.linalg.LinAlgError:
            return None
        white = np.linalg.solve(factor, gradient)
        step = -np.linalg.solve(factor.T, white)
        decrease = float(white @ white) / 2  # of a parabola
        if not np.isfinite(decrease):
            return None
        for damping in 0.5 ** np.arange(12):
            trial = theta.copy()
            trial[movable] += damping * step
            reached = chi2.value(trial, positive=positive)
            if reached <= value + 1e-13 * max(1.0, abs(value)):
                break
        else:
            return None
        theta, value = trial, reached
        if decrease < NEWTON_TOLERANCE:
            return theta
    return None


def lowest_orthant(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> FloatArray:
    """Minimum over the orthants: all of them if they are few, else a descent from the start through its neighbours."""
    search = _OrthantSearch(chi2, start, fixed)
    pattern = search.pattern(start)
    if everywhere and len(chi2.kinked) <= ALL_ORTHANTS:
        patterns = [pattern, *itertools.product((True, False), repeat=len(chi2.kinked))]
        return min((search.bounded(p) for p in patterns if not search.surely_worse(p)), key=lambda found: found[0])[1]
    for _ in range(len(chi2.kinked) + 1):
        inside = search.smooth(pattern)
        if inside is None or search.pattern(inside) == pattern:
            break
        pattern = search.pattern(inside)
    best = search.bounded(pattern)
    while True:
        values = chi2.arguments(best[1])[chi2.kinked]
        # A minimum at the border of its orthant may go on beyond; elsewhere a flip can find another valley.
        flips = range(len(values)) if everywhere else np.flatnonzero(np.abs(values) < ON_KINK)
        neighbours = [_flipped(pattern, int(i)) for i in flips]
        neighbours = [p for p in neighbours if not search.surely_worse(p)]
        lowest = min(neighbours, key=lambda p: search.bounded(p)[0], default=pattern)
        if lowest == pattern or search.bounded(lowest)[0] >= best[0] - 1e-12:
            return best[1]
        pattern, best = lowest, search.bounded(lowest)


def _flipped(pattern: tuple[bool, ...], index: int) -> tuple[bool, ...]:
    return tuple(not p if i == index else p for i, p in enumerate(pattern))


class _OrthantSearch:
    """Minima per orthant of the kinked arguments, each worked out once."""

    def __init__(self, chi2: Objective, start: FloatArray, fixed: list[int]) -> None:
        self.chi2, self.start, self.fixed = chi2, start, fixed
        self._smooth: dict[tuple[bool, ...], FloatArray | None] = {}
        self._bounded: dict[tuple[bool, ...], tuple[float, FloatArray]] = {}

    def pattern(self, theta: FloatArray) -> tuple[bool, ...]:
        return tuple(bool(v) for v in self.chi2.arguments(theta)[self.chi2.kinked] >= 0)

    def smooth(self, pattern: tuple[bool, ...]) -> FloatArray | None:
        """Minimum of the orthant's branch, wherever it lies."""
        if pattern not in self._smooth:
            self._smooth[pattern] = newton(self.chi2, self.start, self.fixed, _branch(self.chi2, self.start, pattern))
        return self._smooth[pattern]

    def inside(self, pattern: tuple[bool, ...]) -> bool:
        """Whether the branch has its minimum in the orthant."""
        found = self.smooth(pattern)
        return found is not None and self.pattern(found) == pattern

    def surely_worse(self, pattern: tuple[bool, ...]) -> bool:
        """Whether a neighbour has its minimum inside and this orthant's lies on the face that they share."""
        found = self.smooth(pattern)
        if found is None:
            return False
        violated = [i for i, (a, b) in enumerate(zip(pattern, self.pattern(found), strict=True)) if a != b]
        return len(violated) == 1 and self.inside(_flipped(pattern, violated[0]))

    def bounded(self, pattern: tuple[bool, ...]) -> tuple[float, FloatArray]:
        """Chi2 and place of the minimum within the orthant, its faces included."""
        if pattern not in self._bounded:
            found = self.smooth(pattern)
            if found is None or self.pattern(found) != pattern:
                found = _bounded_minimum(self.chi2, self.start, pattern, self.fixed)
            # The true chi2: a bound may be left by rounding.
            self._bounded[pattern] = (self.chi2.value(found), found)
        return self._bounded[pattern]


def _branch(chi2: Objective, theta: FloatArray, pattern: tuple[bool, ...]) -> NDArray[np.bool_]:
    positive = chi2.arguments(theta) >= 0
    positive[chi2.kinked] = pattern
    return positive


def _bounded_minimum(chi2: Objective, start: FloatArray, pattern: tuple[bool, ...], fixed: list[int]) -> FloatArray:
    """Minimum of one smooth branch within its orthant; in units of the local errors, which SLSQP needs."""
    kinked = chi2.kinked
    positive = _branch(chi2, start, pattern)
    sign = np.where(positive[kinked], 1.0, -1.0)
    movable = np.setdiff1d(np.arange(chi2.size), fixed)
    curvature = np.diag(chi2.hessian(start, positive=positive))[movable]
    scale = np.sqrt(2 / np.maximum(curvature, 1e-12 * curvature.max(initial=1e-300)))
    columns = chi2.argument_map[np.ix_(kinked, movable)] * scale
    origin = chi2.arguments(start)[kinked]

    def at(step: FloatArray) -> FloatArray:
        theta = start.copy()
        theta[movable] += scale * step
        return theta

    bounds = {
        "type": "ineq",
        "fun": lambda step: sign * (origin + columns @ step),
        "jac": lambda _: sign[:, None] * columns,
    }
    found = minimize(
        lambda step: chi2.value(at(step), positive=positive),
        np.zeros(len(movable)),
        jac=lambda step: chi2.gradient(at(step), positive=positive)[movable] * scale,
        constraints=[bounds],
        method="SLSQP",
        options={"ftol": 1e-11, "maxiter": 200},
    )
    return at(found.x)

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

# Orthants that one search follows at most; beyond, it takes what it has.
MOST_ORTHANTS = 100
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
    """Minimum over the orthants: all of them if they are few, else those that a descent from the start passes.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
        fixed: components of theta that are held.
        everywhere: with many kinked nuisances, descend from the neighbours of the result too.
    """
    search = _OrthantSearch(chi2, start, fixed)
    count = len(chi2.kinked)
    search.visit(search.settled(search.pattern(start)))
    if count <= ALL_ORTHANTS:
        for pattern in itertools.product((True, False), repeat=count):
            search.visit(pattern)
    elif everywhere:
        found = search.pattern(search.lowest()[1])
        for i in range(count):
            search.visit(_flipped(found, i))
    return search.lowest()[1]


def _flipped(pattern: tuple[bool, ...], index: int) -> tuple[bool, ...]:
    return tuple(not p if i == index else p for i, p in enumerate(pattern))


class _OrthantSearch:
    """Minima of the orthants that can hold the lowest one.

    If the minimum of an orthant's smooth branch lies outside, beyond the faces of some kinked arguments, the minimum within
    the orthant lies on one of these faces, and so not below that of the neighbour behind it.  Following the neighbours
    leads to orthants with their minimum inside, or in a circle, which is a minimum on a kink.
    """

    def __init__(self, chi2: Objective, start: FloatArray, fixed: list[int]) -> None:
        self.chi2, self.start, self.fixed = chi2, start, fixed
        self.found: list[tuple[float, FloatArray]] = []
        self.finished: dict[tuple[bool, ...], bool] = {}
        self.branches: dict[tuple[bool, ...], FloatArray | None] = {}

    def pattern(self, theta: FloatArray) -> tuple[bool, ...]:
        return tuple(bool(v) for v in self.chi2.arguments(theta)[self.chi2.kinked] >= 0)

    def settled(self, pattern: tuple[bool, ...]) -> tuple[bool, ...]:
        """The orthant that going from each branch's minimum to the next ends in, or where the patience ends."""
        for _ in range(len(pattern) + 1):
            smooth = self._smooth(pattern)
            if smooth is None or self.pattern(smooth) == pattern:
                break
            pattern = self.pattern(smooth)
        return pattern

    def lowest(self) -> tuple[float, FloatArray]:
        return min(self.found, key=lambda found: found[0])

    def visit(self, pattern: tuple[bool, ...]) -> None:
        """Add the minimum of an orthant, or of those that are lower."""
        if pattern in self.finished:
            if not self.finished[pattern]:
                self._add(_bounded_minimum(self.chi2, self.start, pattern, self.fixed))
            return
        self.finished[pattern] = False
        smooth = self._smooth(pattern)
        if smooth is None or len(self.finished) > MOST_ORTHANTS:
            self._add(_bounded_minimum(self.chi2, self.start, pattern, self.fixed))
        elif self.pattern(smooth) == pattern:
            self._add(smooth)
        else:
            for i, (own, other) in enumerate(zip(pattern, self.pattern(smooth), strict=True)):
                if own != other:
                    self.visit(_flipped(pattern, i))
        self.finished[pattern] = True

    def _smooth(self, pattern: tuple[bool, ...]) -> FloatArray | None:
        """Minimum of the orthant's branch, wherever it lies."""
        if pattern not in self.branches:
            self.branches[pattern] = newton(self.chi2, self.start, self.fixed, _branch(self.chi2, self.start, pattern))
        return self.branches[pattern]

    def _add(self, theta: FloatArray) -> None:
        # The true chi2: a bound may be left by rounding.
        self.found.append((self.chi2.value(theta), theta))


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

r"""Minima of a chi2 with kinks.

A response with different slopes up and down makes chi2 smooth only within each orthant of the kinked nuisances, and can
give it several minima, or one on the kink itself.  Up to six kinks, each orthant that can hold a minimum is minimised with
its own smooth branch and the orthant as bounds, and the lowest wins.  With more, that would be exponential, and
:mod:`.many_kinks` is used.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy

from bayescomb.base.arrays import FloatArray
from bayescomb.fit.minimise.many_kinks import (
    ALL_ORTHANTS,
    branch,
    flipped,
    lowest_of_many,
    moves,
    newton,
    on_kink,
    others_of_many,
    sides,
)
from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = ["WITHIN", "Minimum", "lowest_orthant", "other_minima", "same_minimum"]

# Largest number of orthants that one search follows; beyond, it returns the best so far.
MOST_ORTHANTS = 100
# Minima above the lowest by more than this in chi2 are not reported: less than a per mille of a posterior.
WITHIN = 15.0
# Two points are one minimum if chi2 around the first grows by less than this on the way to the second.
SAME_MINIMUM = 1e-3
# Largest part of the gradient at a point on a kink that the kinks may leave unbalanced.
BALANCED = 1e-4


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """A minimum of chi2.

    Attributes:
        theta: its position.
        chi2: its value.
        on_kink: positions of arguments that sit on their kink, held there by opposite slopes.
        active: components of theta that a bound holds at 0.
    """

    theta: FloatArray
    chi2: float
    on_kink: tuple[int, ...] = ()
    active: tuple[int, ...] = ()


def lowest_orthant(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> FloatArray:
    """Minimum over the orthants: all of them if they are few, else as :func:`lowest_of_many` finds it.

    Args:
        chi2: the objective.
        start: starting point, shape (size,).
        fixed: components of theta that are held.
        everywhere: with many kinked nuisances, descend from the neighbours of the result too.
    """
    count = len(chi2.kinked)
    if count > ALL_ORTHANTS:
        found = lowest_of_many(chi2, start, fixed, everywhere=everywhere)
        if found is not None:
            return found
    return _searched(chi2, start, fixed, everywhere=everywhere).lowest()[1]


def _searched(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> _OrthantSearch:
    search = _OrthantSearch(chi2, start, fixed)
    count = len(chi2.kinked)
    search.visit(search.settled(sides(chi2, start)))
    if count <= ALL_ORTHANTS:
        for pattern in itertools.product((True, False), repeat=count):
            search.visit(pattern)
    elif everywhere:
        lowest = sides(chi2, search.lowest()[1])
        for i in range(count):
            search.visit(flipped(lowest, {i}))
    return search


def other_minima(chi2: Objective, best: Minimum, start: FloatArray) -> tuple[Minimum, ...]:
    """Local minima of a chi2 with kinks other than its lowest, up to :data:`WITHIN` above it, the lowest first.

    With more than :data:`ALL_ORTHANTS` kinks those that a descent finds from the lowest one with every side exchanged that
    its bound leaves open.

    Args:
        chi2: the objective.
        best: its lowest minimum.
        start: starting point of the search for the lowest one, shape (size,).
    """
    found: list[Minimum] = []
    for theta in _minima(chi2, best, start):
        value = chi2.value(theta)
        if not value <= best.chi2 + WITHIN or any(same_minimum(chi2, other.theta, theta) for other in (best, *found)):
            continue
        held = on_kink(chi2, theta)
        if _is_minimum(chi2, theta, held):
            found.append(Minimum(theta=theta, chi2=value, on_kink=held))
    return tuple(found)


def _minima(chi2: Objective, best: Minimum, start: FloatArray) -> list[FloatArray]:
    """Candidates for minima, the lowest first."""
    if not chi2.kinked.size:
        return []
    if len(chi2.kinked) <= ALL_ORTHANTS:
        search = _searched(chi2, start, [], everywhere=True)
        for _, theta in list(search.found):
            search.visit(sides(chi2, theta))
        return [theta for _, theta in sorted(search.found, key=lambda point: point[0])]
    return others_of_many(chi2, best.theta, start)


def same_minimum(chi2: Objective, first: FloatArray, second: FloatArray) -> bool:
    """Whether chi2 around the first point grows by next to nothing on the way to the second."""
    away = second - first
    return abs(float(away @ chi2.hessian(first) @ away)) / 2 < SAME_MINIMUM


def _is_minimum(chi2: Objective, theta: FloatArray, on_kink: tuple[int, ...]) -> bool:
    """Whether chi2 grows into every orthant at a point: there, kinks alone balance its gradient."""
    if len(on_kink) > ALL_ORTHANTS:
        return False
    scale = 1 / np.sqrt(np.maximum(np.diag(chi2.hessian(theta)) / 2, 1e-300))
    for signs in itertools.product((True, False), repeat=len(on_kink)):
        positive = chi2.arguments(theta) >= 0
        positive[list(on_kink)] = signs
        gradient = chi2.gradient(theta, positive=positive) * scale
        inward = (chi2.argument_map[list(on_kink)] * np.where(signs, 1.0, -1.0)[:, None] * scale).T
        left = scipy.optimize.nnls(inward, gradient)[1] if on_kink else float(np.linalg.norm(gradient))
        if left > BALANCED * max(1.0, float(np.linalg.norm(gradient))):
            return False
    return True


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

    def settled(self, pattern: tuple[bool, ...]) -> tuple[bool, ...]:
        """The last pattern on the way from the minimum of each branch to the next, with one step per kink at most."""
        for _ in range(len(pattern) + 1):
            smooth = self._smooth(pattern)
            if smooth is None or sides(self.chi2, smooth) == pattern:
                break
            pattern = sides(self.chi2, smooth)
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
        elif sides(self.chi2, smooth) == pattern:
            self._add(smooth)
        else:
            for i, (own, other) in enumerate(zip(pattern, sides(self.chi2, smooth), strict=True)):
                if own != other:
                    self.visit(flipped(pattern, {i}))
        self.finished[pattern] = True

    def _smooth(self, pattern: tuple[bool, ...]) -> FloatArray | None:
        """Minimum of the orthant's branch, wherever it lies."""
        if pattern not in self.branches:
            self.branches[pattern] = newton(
                self.chi2, self.start, moves(self.chi2, self.fixed), branch(self.chi2, self.start, pattern)
            )
        return self.branches[pattern]

    def _add(self, theta: FloatArray) -> None:
        # The true chi2, not that of the branch: rounding may have crossed a bound.
        self.found.append((self.chi2.value(theta), theta))


def _bounded_minimum(chi2: Objective, start: FloatArray, pattern: tuple[bool, ...], fixed: list[int]) -> FloatArray:
    """Minimum of one smooth branch within its orthant; in units of the local errors, which SLSQP needs."""
    kinked = chi2.kinked
    positive = branch(chi2, start, pattern)
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
    found = scipy.optimize.minimize(
        lambda step: chi2.value(at(step), positive=positive),
        np.zeros(len(movable)),
        jac=lambda step: chi2.gradient(at(step), positive=positive)[movable] * scale,
        constraints=[bounds],
        method="SLSQP",
        options={"ftol": 1e-11, "maxiter": 200},
    )
    return at(found.x)

r"""Minima of a chi2 with kinks.

A response with different slopes up and down makes chi2 smooth only within each orthant of the kinked nuisances, and can
give it several minima, or one on the kink itself.  Up to six kinks, each orthant that can hold a minimum is minimised
with its own smooth branch and the orthant as bounds, and the lowest wins.  With more, that would be exponential.

From a pattern of sides the minimum of its smooth branch is a few Newton steps away; sides on which it does not lie are
exchanged until none is left, and a nuisance that goes to and fro is held on its kink, as long as the slopes on both sides
hold it there.

Where all responses are absolute, a bound says whether another minimum can lie lower.  With r the residuals at the minimum, R
their slopes, :math:`\rho = \lVert R\,\delta \rVert` the distance of a point in its own branch, and :math:`D_i` what a unit
of nuisance i adds to the residuals on its other side beside the slope of this one,

.. math:: \chi^2 - \chi^2_\mathrm{min} \ge \rho^2 (1 - \beta)^2 - \sum_i g_i\,(\sigma_i \rho - |\lambda_i|)_+,
          \qquad g_i = (-2\,r \cdot D_i)_+,

since the nuisance has to move by :math:`|\lambda_i| \le \sigma_i \rho` before it is there, and
:math:`\lVert \sum_i D_i t_i \rVert \le \beta \rho` for what it goes beyond.  What that leaves open is tried side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = [
    "ALL_ORTHANTS",
    "ON_KINK",
    "WITHIN",
    "Minimum",
    "lowest_of_many",
    "lowest_orthant",
    "moves",
    "newton",
    "other_minima",
    "same_minimum",
]

FloatArray = NDArray[np.float64]
Pattern = tuple[bool, ...]
# Up to this many nuisances whose side is in question every combination of sides is tried; with more, one flip at a time.
ALL_ORTHANTS = 6
# A kinked nuisance this near to 0 sits on its kink.
ON_KINK = 1e-7
# Rounds of exchanging sides beyond the number of kinks.
ROUNDS = 30
# Newton steps end at this estimated distance to the minimum, in chi2.
NEWTON_TOLERANCE = 1e-14
NEWTON_STEPS = 50
# Orthants that one search follows at most; beyond, it takes what it has.
MOST_ORTHANTS = 100
# Slopes of chi2 below this do not move a nuisance from its kink.
FLAT = 1e-7
# Minima above the lowest by more than this in chi2 are not told: they hold less than a per mille of a posterior.
WITHIN = 15.0
# Two points are one minimum if chi2 around the first grows by less than this on the way to the second.
SAME_MINIMUM = 1e-3
# Of the gradient at a point on a kink, what may be left once it is balanced by the kinks.
BALANCED = 1e-4


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """A minimum of chi2.

    Attributes:
        theta: where it is.
        chi2: its value.
        on_kink: positions of arguments that sit on their kink, held there by opposite slopes.
        active: components of theta that a bound holds at 0.
    """

    theta: FloatArray
    chi2: float
    on_kink: tuple[int, ...] = ()
    active: tuple[int, ...] = ()


def branch(chi2: Objective, theta: FloatArray, pattern: Sequence[bool]) -> NDArray[np.bool_]:
    """Side of every argument: that of the pattern for kinked ones, that of theta for the others."""
    positive = chi2.arguments(theta) >= 0
    positive[chi2.kinked] = pattern
    return positive


def moves(chi2: Objective, fixed: Collection[int]) -> FloatArray:
    """Directions of the components of theta that are not held, shape (size, number of them)."""
    return np.delete(np.eye(chi2.size), list(fixed), axis=1)


def newton(chi2: Objective, start: FloatArray, along: FloatArray, positive: NDArray[np.bool_]) -> FloatArray | None:
    """Minimum of one smooth branch by damped Newton steps; ``None`` where the second derivatives are not definite.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
        along: directions in which theta may move, shape (size, n).
        positive: side of each argument, which makes the branch.
    """
    theta, value = start, chi2.value(start, positive=positive)
    gradient = chi2.gradient(theta, positive=positive) @ along
    for _ in range(NEWTON_STEPS):
        try:
            factor = np.linalg.cholesky(chi2.hessian(theta, positive=positive, along=along))
        except np.linalg.LinAlgError:
            return None
        white = np.linalg.solve(factor, gradient)
        step = -np.linalg.solve(factor.T, white)
        if not np.isfinite(white @ white):
            return None
        for damping in 0.5 ** np.arange(12):
            trial = theta + damping * (along @ step)
            reached = chi2.value(trial, positive=positive)
            if reached <= value + 1e-13 * max(1.0, abs(value)):
                break
        else:
            return None
        theta, value = trial, reached
        gradient = chi2.gradient(theta, positive=positive) @ along
        white = np.linalg.solve(factor, gradient)
        if float(white @ white) / 2 < NEWTON_TOLERANCE:  # what a parabola of this curvature leaves
            return np.asarray(theta - along @ np.linalg.solve(factor.T, white))
    return None


def lowest_of_many(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> FloatArray | None:
    """The minimum that a descent from the start ends in, or a lower one that the bound does not exclude.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
        fixed: components of theta that are held.
        everywhere: look for lower minima too.

    Returns:
        ``None`` if a branch has no minimum, or the exchange of sides does not end.
    """
    search = _Descent(chi2, start, fixed)
    found = search.descend(search.pattern(start))
    if found is None or not everywhere:
        return found
    tried: set[int] = set()
    while True:  # each lower minimum leaves other sides open, until those were all tried
        open_sides = [i for i in _in_question(chi2, found, fixed) if i not in tried]
        if not open_sides:
            return found
        tried.update(open_sides)
        for pattern in _alternatives(search.pattern(found), open_sides):
            other = search.descend(pattern)
            if other is not None and chi2.value(other) < chi2.value(found):
                found = other


def _alternatives(pattern: Pattern, sides: Sequence[int]) -> Iterable[Pattern]:
    """Patterns with these sides exchanged: all together in every way, or one after the other if they are many."""
    ways: Iterable[Sequence[int]] = [[i] for i in sides]
    if len(sides) <= ALL_ORTHANTS:
        ways = itertools.chain.from_iterable(itertools.combinations(sides, n + 1) for n in range(len(sides)))
    for way in ways:
        yield tuple(not side if i in way else side for i, side in enumerate(pattern))


class _Descent:
    """Minima reached by exchanging sides; branches are minimised once for each pattern and set of held nuisances."""

    def __init__(self, chi2: Objective, start: FloatArray, fixed: list[int]) -> None:
        self.chi2, self.start, self.fixed = chi2, start, fixed
        self.movable = np.setdiff1d(np.arange(chi2.size), fixed)
        self.rows = chi2.argument_map[np.ix_(chi2.kinked, self.movable)]
        self.passed: set[tuple[Pattern, frozenset[int]]] = set()

    def pattern(self, theta: FloatArray) -> Pattern:
        return tuple(bool(v) for v in self.chi2.arguments(theta)[self.chi2.kinked] >= 0)

    def descend(self, pattern: Pattern) -> FloatArray | None:
        """A minimum; ``None`` if there is none this way, or where an earlier descent has passed."""
        held: frozenset[int] = frozenset()
        theta = self.start
        seen = {(pattern, held)}
        for _ in range(len(pattern) + ROUNDS):
            if (pattern, held) in self.passed:
                break
            found = self._minimum(theta, pattern, held)
            if found is None:
                break
            theta = found
            values = self.chi2.arguments(theta)[self.chi2.kinked]
            wrong = {
                i for i, side in enumerate(pattern) if i not in held and abs(values[i]) > ON_KINK and (values[i] > 0) != side
            }
            if wrong:
                flipped = tuple(not side if i in wrong else side for i, side in enumerate(pattern))
                if (flipped, held) in seen:  # a circle
                    held |= wrong
                pattern = flipped
            else:
                loose = self._loose(theta, pattern, held)
                if loose is None:
                    self.passed |= seen
                    return theta
                i, side = loose
                held -= {i}
                pattern = tuple(side if k == i else s for k, s in enumerate(pattern))
                if (pattern, held) in seen:
                    break
            seen.add((pattern, held))
        self.passed |= seen
        return None

    def _minimum(self, theta: FloatArray, pattern: Pattern, held: frozenset[int]) -> FloatArray | None:
        """Of one branch, with nuisances held on their kinks."""
        along = moves(self.chi2, self.fixed)
        if held:
            rows = self.rows[sorted(held)]
            theta = theta.copy()
            # Onto the kinks first, then along them.
            away = self.chi2.arguments(theta)[self.chi2.kinked][sorted(held)]
            theta[self.movable] -= np.linalg.lstsq(rows, away, rcond=None)[0]
            along = along @ np.linalg.svd(rows, full_matrices=True)[2][np.linalg.matrix_rank(rows) :].T
        return newton(self.chi2, theta, along, branch(self.chi2, theta, pattern))

    def _loose(self, theta: FloatArray, pattern: Pattern, held: frozenset[int]) -> tuple[int, bool] | None:
        """The held nuisance that chi2 draws most to one side, and the side; ``None`` if both slopes hold each."""
        if not held:
            return None
        order = sorted(held)
        slopes = {}
        for side in (True, False):
            sides = tuple(side if i in held else s for i, s in enumerate(pattern))
            gradient = self.chi2.gradient(theta, positive=branch(self.chi2, theta, sides))[self.movable]
            slopes[side] = np.linalg.lstsq(self.rows[order].T, gradient, rcond=None)[0]
        # Downhill to either side.
        pulls = [(max(-slopes[True][k], 0.0), i, True) for k, i in enumerate(order)]
        pulls += [(max(slopes[False][k], 0.0), i, False) for k, i in enumerate(order)]
        strongest = max(pulls)
        return (strongest[1], strongest[2]) if strongest[0] > FLAT else None


def _in_question(chi2: Objective, theta: FloatArray, fixed: list[int]) -> list[int]:
    """Kinked nuisances on whose other side a lower minimum may lie, the foremost first; all where no bound is known."""
    curved = chi2.model.curved
    responses = curved.parts.responses
    kinked = chi2.kinked
    everything = list(range(len(kinked)))
    if curved.parts.pearson or (chi2.signs < 0).any() or responses.relative_up.any() or responses.log_up.any():
        return everything
    if responses.relative_down.any() or responses.log_down.any() or responses.centre[kinked].any():
        return everything
    movable = np.setdiff1d(np.arange(chi2.size), fixed)
    values = chi2.arguments(theta)[kinked]
    residuals = np.sqrt(chi2.signs) * (chi2.rows @ curved.pseudo_parameters(theta, curved.prediction(theta)) - chi2.offset)
    jumps = (responses.absolute_up + responses.absolute_down)[:, kinked]
    jumps = np.sqrt(chi2.signs)[:, None] * (chi2.rows[:, : len(jumps)] @ jumps)
    slopes = np.sqrt(chi2.signs)[:, None] * (chi2.rows @ chi2.pseudo_jacobian(theta)[:, movable])
    own = chi2.argument_map[np.ix_(kinked, movable)]
    covariance = own @ np.linalg.pinv(slopes.T @ slopes, hermitian=True) @ own.T
    beta = np.sqrt(np.linalg.norm(jumps, 2) ** 2 * np.linalg.norm(covariance, 2))
    gains = np.maximum(-2 * residuals @ jumps, 0.0)
    sigma, distance = np.sqrt(np.maximum(np.diag(covariance), 0.0)), np.abs(values)
    gains[distance < ON_KINK] = 0.0  # held there by its slopes on both sides
    if beta >= 1:
        return [i for i in everything if gains[i] > 0]
    order = np.argsort(-gains * sigma**2 / np.maximum(distance, 1e-300), kind="stable")
    for n in range(len(order) + 1):
        rest = order[n:]
        if _is_above(float((1 - beta) ** 2), gains[rest], sigma[rest], distance[rest]):
            return [int(i) for i in order[:n]]
    return everything


def _is_above(curvature: float, gains: FloatArray, sigma: FloatArray, distance: FloatArray) -> bool:
    """Whether curvature rho^2 - sum gains (sigma rho - distance)_+ is nowhere below 0 for rho > 0."""
    active = (gains > 0) & (sigma > 0)
    gains, sigma, distance = gains[active], sigma[active], distance[active]
    order = np.argsort(distance / sigma, kind="stable")
    slope, offset = np.cumsum((gains * sigma)[order]), np.cumsum((gains * distance)[order])
    starts = (distance / sigma)[order]
    ends = np.append(starts[1:], np.inf)
    # On each piece a parabola, whose lowest point is at its vertex or at an end.
    lowest = np.clip(slope / (2 * curvature), starts, ends)
    return bool((curvature * lowest**2 - slope * lowest + offset >= 0).all())


def lowest_orthant(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> FloatArray:
    """Minimum over the orthants: all of them if they are few, else as :func:`lowest_of_many` finds it.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
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
    search.visit(search.settled(search.pattern(start)))
    if count <= ALL_ORTHANTS:
        for pattern in itertools.product((True, False), repeat=count):
            search.visit(pattern)
    elif everywhere:
        lowest = search.pattern(search.lowest()[1])
        for i in range(count):
            search.visit(_flipped(lowest, i))
    return search


def other_minima(chi2: Objective, best: Minimum, start: FloatArray) -> tuple[Minimum, ...]:
    """Local minima of a chi2 with kinks other than its lowest, up to :data:`WITHIN` above it, the lowest first.

    With more than :data:`ALL_ORTHANTS` kinks those that a descent finds from the lowest one with every side exchanged that
    its bound leaves open.

    Args:
        chi2: the objective.
        best: its lowest minimum.
        start: where the search for the lowest one began, shape (size,).
    """
    found: list[Minimum] = []
    for theta in _minima(chi2, best, start):
        value = chi2.value(theta)
        if not value <= best.chi2 + WITHIN or any(same_minimum(chi2, other.theta, theta) for other in (best, *found)):
            continue
        on_kink = tuple(int(i) for i in chi2.kinked[np.abs(chi2.arguments(theta)[chi2.kinked]) < ON_KINK])
        if _is_minimum(chi2, theta, on_kink):
            found.append(Minimum(theta=theta, chi2=value, on_kink=on_kink))
    return tuple(found)


def _minima(chi2: Objective, best: Minimum, start: FloatArray) -> list[FloatArray]:
    """Points that may be minima, the lowest first."""
    if not chi2.kinked.size:
        return []
    if len(chi2.kinked) <= ALL_ORTHANTS:
        search = _searched(chi2, start, [], everywhere=True)
        for _, theta in list(search.found):
            search.visit(search.pattern(theta))
        return [theta for _, theta in sorted(search.found, key=lambda point: point[0])]
    descent = _Descent(chi2, start, [])
    sides = _in_question(chi2, best.theta, [])
    tried = [descent.descend(pattern) for pattern in _alternatives(descent.pattern(best.theta), sides)] if sides else []
    return sorted((theta for theta in tried if theta is not None), key=chi2.value)


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
            self.branches[pattern] = newton(
                self.chi2, self.start, moves(self.chi2, self.fixed), branch(self.chi2, self.start, pattern)
            )
        return self.branches[pattern]

    def _add(self, theta: FloatArray) -> None:
        # The true chi2: a bound may be left by rounding.
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

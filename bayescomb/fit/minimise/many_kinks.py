r"""Minima of a chi2 with many kinks, where trying every orthant would be exponential.

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

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = [
    "ALL_ORTHANTS",
    "ON_KINK",
    "Pattern",
    "branch",
    "flipped",
    "lowest_of_many",
    "moves",
    "newton",
    "on_kink",
    "others_of_many",
    "sides",
]

# Side of each kinked nuisance, True for above 0.
Pattern = tuple[bool, ...]
# Up to this many nuisances whose side is in question every combination of sides is tried; with more, one flip at a time.
ALL_ORTHANTS = 6
# A kinked nuisance this near to 0 sits on its kink.
ON_KINK = 1e-7
# Newton steps end at this estimated distance to the minimum, in chi2.
NEWTON_TOLERANCE = 1e-14
NEWTON_STEPS = 50
# Rounds of exchanging sides, in addition to the number of kinks.
ROUNDS = 30
# Slopes of chi2 below this do not move a nuisance from its kink.
FLAT = 1e-7


def lowest_of_many(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> FloatArray | None:
    """The minimum at the end of a descent from the start, or a lower one that the bound does not exclude.

    Args:
        chi2: the objective.
        start: starting point, shape (size,).
        fixed: components of theta that are held.
        everywhere: look for lower minima too.

    Returns:
        ``None`` if a branch has no minimum, or the exchange of sides does not end.
    """
    search = _Descent(chi2, start, fixed)
    found = search.descend(sides(chi2, start))
    if found is None or not everywhere:
        return found
    tried: set[int] = set()
    while True:  # each lower minimum opens further sides to try
        open_sides = [i for i in _in_question(chi2, found, fixed) if i not in tried]
        if not open_sides:
            return found
        tried.update(open_sides)
        for pattern in _alternatives(sides(chi2, found), open_sides):
            other = search.descend(pattern)
            if other is not None and chi2.value(other) < chi2.value(found):
                found = other


def others_of_many(chi2: Objective, lowest: FloatArray, start: FloatArray) -> list[FloatArray]:
    """Ends of the descents from the lowest minimum with sides exchanged that the bound leaves open, the lowest first.

    Args:
        chi2: the objective.
        lowest: its lowest minimum, shape (size,).
        start: starting point of the search for it, shape (size,).
    """
    search = _Descent(chi2, start, [])
    open_sides = _in_question(chi2, lowest, [])
    tried = [search.descend(pattern) for pattern in _alternatives(sides(chi2, lowest), open_sides)] if open_sides else []
    return sorted((theta for theta in tried if theta is not None), key=chi2.value)


def _alternatives(pattern: Pattern, positions: Sequence[int]) -> Iterable[Pattern]:
    """Patterns with some of these sides exchanged: in every combination, or one at a time if they are many."""
    ways: Iterable[Sequence[int]] = [[i] for i in positions]
    if len(positions) <= ALL_ORTHANTS:
        ways = itertools.chain.from_iterable(itertools.combinations(positions, n + 1) for n in range(len(positions)))
    for way in ways:
        yield flipped(pattern, way)


class _Descent:
    """Minima reached by exchanging sides; branches are minimised once for each pattern and set of held nuisances."""

    def __init__(self, chi2: Objective, start: FloatArray, fixed: list[int]) -> None:
        self.chi2, self.start, self.fixed = chi2, start, fixed
        self.movable = np.setdiff1d(np.arange(chi2.size), fixed)
        self.rows = chi2.argument_map[np.ix_(chi2.kinked, self.movable)]
        self.passed: set[tuple[Pattern, frozenset[int]]] = set()

    def descend(self, pattern: Pattern) -> FloatArray | None:
        """A minimum; ``None`` if the descent does not end in one, or reaches a state of an earlier descent."""
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
                pattern = flipped(pattern, wrong)
                if (pattern, held) in seen:  # a circle
                    held |= wrong
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
            alike = tuple(side if i in held else s for i, s in enumerate(pattern))
            gradient = self.chi2.gradient(theta, positive=branch(self.chi2, theta, alike))[self.movable]
            slopes[side] = np.linalg.lstsq(self.rows[order].T, gradient, rcond=None)[0]
        # Downhill to either side.
        pulls = [(max(-slopes[True][k], 0.0), i, True) for k, i in enumerate(order)]
        pulls += [(max(slopes[False][k], 0.0), i, False) for k, i in enumerate(order)]
        strongest = max(pulls)
        return (strongest[1], strongest[2]) if strongest[0] > FLAT else None


def _in_question(chi2: Objective, theta: FloatArray, fixed: list[int]) -> list[int]:
    """Kinked nuisances on whose other side a lower minimum may lie, the likeliest first; all where no bound is known."""
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


def branch(chi2: Objective, theta: FloatArray, pattern: Sequence[bool]) -> BoolArray:
    """Side of every argument: that of the pattern for kinked ones, that of theta for the others."""
    positive = chi2.arguments(theta) >= 0
    positive[chi2.kinked] = pattern
    return positive


def sides(chi2: Objective, theta: FloatArray) -> Pattern:
    """The side of its kink on which each kinked nuisance is; True for above."""
    return tuple(bool(v) for v in chi2.arguments(theta)[chi2.kinked] >= 0)


def on_kink(chi2: Objective, theta: FloatArray) -> tuple[int, ...]:
    """Positions of the arguments that sit on their kink."""
    return tuple(int(i) for i in chi2.kinked[np.abs(chi2.arguments(theta)[chi2.kinked]) < ON_KINK])


def flipped(pattern: Pattern, exchanged: Collection[int]) -> Pattern:
    """The pattern with some sides exchanged."""
    return tuple(not side if i in exchanged else side for i, side in enumerate(pattern))


def moves(chi2: Objective, fixed: Collection[int]) -> FloatArray:
    """Directions of the components of theta that are not held, shape (size, number of them)."""
    return np.delete(np.eye(chi2.size), list(fixed), axis=1)


def newton(chi2: Objective, start: FloatArray, along: FloatArray, positive: BoolArray) -> FloatArray | None:
    """Minimum of one smooth branch by damped Newton steps; ``None`` where the second derivatives are not definite.

    Args:
        chi2: the objective.
        start: starting point, shape (size,).
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
        if float(white @ white) / 2 < NEWTON_TOLERANCE:  # the last step: to the minimum of a parabola of this curvature
            return np.asarray(theta - along @ np.linalg.solve(factor.T, white))
    return None

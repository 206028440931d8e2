"""Minimum of a chi2 with kinks, and its Delta chi2 = 1 errors by iminuit.

The lowest minimum over the orthants of kinked nuisances is where Migrad and MINOS start (James
and Roos, Comput. Phys. Commun. 10 (1975) 343).

Minima of a chi2 with kinks.

A response with different slopes up and down makes chi2 smooth only within each orthant of the kinked nuisances, and can
give it several minima, or one on the kink itself.  Each orthant that can hold one is minimised with its own smooth branch
and the orthant as bounds; the lowest wins.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from iminuit import Minuit
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, nnls

from bayescomb.base.errors import FitError, UnderdeterminedError
from bayescomb.likelihood.least_squares import triangular, unit_columns
from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = [
    "ALL_ORTHANTS",
    "ON_KINK",
    "WITHIN",
    "Minimum",
    "delta_chi2_errors",
    "lowest_orthant",
    "minimise",
    "newton",
    "other_minima",
    "starting_point",
    "theta_covariance",
]

FloatArray = NDArray[np.float64]
# Estimated distance to the minimum, in chi2, at which Migrad stops: errors are then good to 1e-5 of themselves and better.
MIGRAD_TOLERANCE = 1e-5
# Delta chi2 is met to this, so that an error is good to half of it.
CROSSING_TOLERANCE = 1e-7
CROSSING_STEPS = 12
# Orthants that one search follows at most; beyond, it takes what it has.
MOST_ORTHANTS = 100
# Up to this many kinked nuisances every orthant is tried; with more, the start's and those one flip away.
ALL_ORTHANTS = 6
# A kinked nuisance this near to 0 sits on its kink.
ON_KINK = 1e-7
# Minima above the lowest by more than this in chi2 are not told: they hold less than a per mille of a posterior.
WITHIN = 15.0
# Two points are one minimum if chi2 around the first grows by less than this on the way to the second.
SAME_MINIMUM = 1e-3
# Of the gradient at a point on a kink, what may be left once it is balanced by the kinks.
BALANCED = 1e-4
# Newton steps end at this estimated distance to the minimum, in chi2.
NEWTON_TOLERANCE = 1e-14
NEWTON_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """A minimum of chi2.

    Attributes:
        theta: where it is.
        chi2: its value.
        on_kink: positions of arguments that sit on their kink, held there by opposite slopes.
    """

    theta: FloatArray
    chi2: float
    on_kink: tuple[int, ...] = ()


def minimise(chi2: Objective, start: FloatArray, *, fixed: dict[int, float] | None = None, confirm: bool = True) -> Minimum:
    """The lowest minimum.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
        fixed: components of theta that are held, at these values.
        confirm: let Migrad go on from the result of the Newton steps; without it they are trusted, as in profiling, where
            the start is near and orthants far from it are tried only if they are few.

    Raises:
        FitError: no minimum was found.
    """
    fixed = fixed or {}
    theta = start.copy()
    theta[list(fixed)] = list(fixed.values())
    kinked = chi2.kinked
    everywhere = confirm or len(kinked) <= ALL_ORTHANTS
    found: FloatArray | None
    if kinked.size:
        found = lowest_orthant(chi2, theta, list(fixed), everywhere=everywhere)
        on_kink = tuple(int(i) for i in kinked[np.abs(chi2.arguments(found)[kinked]) < ON_KINK])
    else:
        found, on_kink = newton(chi2, theta, list(fixed), chi2.arguments(theta) >= 0), ()
    if found is None or (confirm and not on_kink):
        found = _migrad(chi2, theta if found is None else found, list(fixed))
    return Minimum(theta=found, chi2=chi2.value(found), on_kink=on_kink)


def _migrad(chi2: Objective, theta: FloatArray, fixed: list[int]) -> FloatArray:
    minuit = _minuit(chi2, theta, fixed)
    minuit.migrad()
    found = np.array(minuit.values)
    if chi2.value(found) > chi2.value(theta):
        found = theta
    # At a minimum that was found before, rounding can keep Migrad from its goal; what counts is the distance it estimates.
    if not np.isfinite(chi2.value(found)) or not (minuit.valid or (minuit.fmin and minuit.fmin.edm < 1e-4)):
        msg = f"chi2 has no minimum that Migrad finds (estimated distance {minuit.fmin.edm if minuit.fmin else np.nan:.3g})"
        raise FitError(msg)
    return found


def _minuit(chi2: Objective, theta: FloatArray, fixed: list[int]) -> Minuit:
    minuit = Minuit(chi2.value, theta, grad=chi2.gradient)
    minuit.errordef = Minuit.LEAST_SQUARES
    minuit.tol = MIGRAD_TOLERANCE
    minuit.strategy = 1
    minuit.print_level = 0
    curvature = np.diag(chi2.hessian(theta))
    minuit.errors = np.sqrt(2 / np.maximum(curvature, 1e-12 * curvature.max()))
    for index in fixed:
        minuit.fixed[index] = True
    return minuit


def delta_chi2_errors(
    chi2: Objective, minimum: Minimum, index: int, *, error: float, fixed: dict[int, float], minos: bool = True
) -> tuple[float, float]:
    """Distances (up, down), signed, at which the profiled chi2 has grown by 1.

    Args:
        chi2: the objective.
        minimum: its minimum.
        index: component of theta.
        error: its error in the linearised model, where the search begins.
        fixed: components of theta that are held.
        minos: begin from the answer of MINOS instead of from the error.

    Raises:
        FitError: chi2 does not grow by 1.
    """
    starts: tuple[float, float] = (error, -error)
    if minos and not minimum.on_kink:
        minuit = _minuit(chi2, minimum.theta, list(fixed))
        minuit.migrad()
        try:
            minuit.minos(minuit.parameters[index])
            merror = minuit.merrors[minuit.parameters[index]]
            if merror.is_valid:
                starts = (float(merror.upper), float(merror.lower))
        except RuntimeError:  # MINOS has nothing to say where Migrad did not end in a minimum to its taste
            pass
    up, down = (_crossing(chi2, minimum, index, start, fixed) for start in starts)
    return up, down


def _crossing(chi2: Objective, minimum: Minimum, index: int, start: float, fixed: dict[int, float]) -> float:
    """MINOS stops at a per mille of chi2; this polishes its answer, or searches where it has none."""
    best = minimum.theta

    def growth(distance: float) -> float:
        nonlocal best
        if distance == 0:
            return -1.0
        held = fixed | {index: float(minimum.theta[index] + distance)}
        found = minimise(chi2, best, fixed=held, confirm=False)
        best = found.theta
        return found.chi2 - minimum.chi2 - 1.0

    distance = start
    for _ in range(CROSSING_STEPS):
        excess = growth(distance)
        if abs(excess) < CROSSING_TOLERANCE:
            return distance
        if excess + 1 <= 0:
            break
        distance /= np.sqrt(1 + excess)  # exact for a parabola
    inner, outer = 0.0, start
    for _ in range(20):
        if growth(outer) > 0:
            return float(brentq(growth, inner, outer, xtol=1e-9 * abs(start), rtol=1e-9))
        inner, outer = outer, 2 * outer
    msg = f"chi2 does not grow by 1 within {outer:g} of its minimum"
    raise FitError(msg)


def theta_covariance(chi2: Objective, theta: FloatArray, *, held: Collection[int] = ()) -> FloatArray:
    """2 (d2 chi2)^-1 on the side of each kink where theta lies, 0 for what is held.

    Raises:
        UnderdeterminedError: a direction is flat.
    """
    moving = np.delete(np.eye(chi2.size), list(held), axis=1)
    moving = moving @ _alike(chi2.rows @ (chi2.pseudo_jacobian(theta) @ moving))
    hessian = chi2.hessian(theta, along=moving) / 2
    scale = np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    if eigenvalues.min(initial=1.0) < 1e-12:
        direction = moving @ (vectors[:, 0] / scale)
        names = chi2.model.curved.parts.observables + chi2.model.curved.parts.free
        at = int(np.abs(direction[: len(names)]).argmax())
        msg = f"parameter {names[at]!r} is not determined by the data; give a free nuisance a prior, or add an estimate"
        raise UnderdeterminedError(msg)
    root = moving @ (vectors / scale[:, None] / np.sqrt(eigenvalues))
    return np.asarray(root @ root.T)


def _alike(rows: FloatArray) -> FloatArray:
    """Directions along which the squares of the rows are alike steep; as they are where some direction is not in them."""
    _, upper = triangular(rows)
    if len(upper) < rows.shape[1]:
        return np.eye(rows.shape[1])
    scale = unit_columns(rows)
    _, singular, right = np.linalg.svd(upper / scale)
    if not singular.size or singular[-1] < 1e-12 * singular[0]:
        return np.eye(rows.shape[1])
    return np.asarray((right.T / singular) / scale[:, None])


def starting_point(chi2: Objective) -> FloatArray:
    """Theta at the least squares of the estimates alone, all nuisances at their prior means."""
    parts = chi2.model.curved.parts
    theta = np.zeros(chi2.size)
    solution = np.linalg.lstsq(parts.factor @ parts.design, parts.factor @ parts.measured, rcond=None)
    theta[: len(parts.observables)] = solution[0]
    return theta


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


def other_minima(chi2: Objective, best: Minimum, start: FloatArray) -> tuple[Minimum, ...]:
    """Local minima of a chi2 with kinks other than its lowest, up to :data:`WITHIN` above it, the lowest first.

    Args:
        chi2: the objective.
        best: its lowest minimum.
        start: where the search for the lowest one began, shape (size,).
    """
    if not chi2.kinked.size:
        return ()
    search = _search(chi2, start, [], everywhere=True)
    for _, theta in list(search.found):
        search.visit(search.pattern(theta))
    found: list[Minimum] = []
    for value, theta in sorted(search.found, key=lambda point: point[0]):
        if not value <= best.chi2 + WITHIN or any(_same(chi2, other.theta, theta) for other in (best, *found)):
            continue
        on_kink = tuple(int(i) for i in chi2.kinked[np.abs(chi2.arguments(theta)[chi2.kinked]) < ON_KINK])
        if _is_minimum(chi2, theta, on_kink):
            found.append(Minimum(theta=theta, chi2=value, on_kink=on_kink))
    return tuple(found)


def _same(chi2: Objective, first: FloatArray, second: FloatArray) -> bool:
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
        left = nnls(inward, gradient)[1] if on_kink else float(np.linalg.norm(gradient))
        if left > BALANCED * max(1.0, float(np.linalg.norm(gradient))):
            return False
    return True


def lowest_orthant(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> FloatArray:
    """Minimum over the orthants: all of them if they are few, else those that a descent from the start passes.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
        fixed: components of theta that are held.
        everywhere: with many kinked nuisances, descend from the neighbours of the result too.
    """
    return _search(chi2, start, fixed, everywhere=everywhere).lowest()[1]


def _search(chi2: Objective, start: FloatArray, fixed: list[int], *, everywhere: bool) -> _OrthantSearch:
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
    return search


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

"""Minimum of a chi2 with kinks, and its Delta chi2 = 1 errors by iminuit.

Migrad and MINOS (James and Roos, Comput. Phys. Commun. 10 (1975) 343) start at the lowest minimum over the orthants of
kinked nuisances (:mod:`bayescomb.fit.minimise.kinks`); with many kinks, for which they are not made, they are not used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import FitError, UnderdeterminedError
from bayescomb.fit.minimise.delta_chi2 import crossing, crossing_within
from bayescomb.fit.minimise.first_guess import starting_points
from bayescomb.fit.minimise.kinks import WITHIN, Minimum, lowest_orthant, other_minima, same_minimum
from bayescomb.fit.minimise.many_kinks import ALL_ORTHANTS, moves, newton, on_kink
from bayescomb.likelihood.least_squares import triangular, unit_columns
from bayescomb.likelihood.nonlinear.objective import Objective

if TYPE_CHECKING:
    from iminuit import Minuit

__all__ = [
    "Bounds",
    "Minimum",
    "bounded_errors",
    "delta_chi2_errors",
    "minimise",
    "minimise_within",
    "separate_minima",
    "starting_point",
    "theta_covariance",
]

Bounds = Mapping[int, tuple[float, float]]
# Estimated distance to the minimum, in chi2, at which Migrad stops: errors are then good to 1e-5 of themselves and better.
MIGRAD_TOLERANCE = 1e-5
# Tolerance on Delta chi2; an error is then good to half of it.
CROSSING_TOLERANCE = 1e-7
# Weight of a likelihood table over the other inputs, in errors, for a start at its own minimum.
HEAVY = 1e4


def minimise(chi2: Objective, start: FloatArray, *, fixed: dict[int, float] | None = None, confirm: bool = True) -> Minimum:
    """The lowest minimum.

    Args:
        chi2: the objective.
        start: starting point, shape (size,).
        fixed: components of theta that are held, at these values.
        confirm: let Migrad continue from the result of the Newton steps, unless kinks are many.  Without it their result
            stands, as in profiling, where the start is near and far orthants are tried only if they are few.

    Raises:
        FitError: no minimum was found.
    """
    fixed = fixed or {}
    theta = start.copy()
    theta[list(fixed)] = list(fixed.values())
    kinked = chi2.kinked
    many = len(kinked) > ALL_ORTHANTS
    found: FloatArray | None
    if kinked.size:
        found = lowest_orthant(chi2, theta, list(fixed), everywhere=confirm or not many)
        held = on_kink(chi2, found)
    else:
        found, held = newton(chi2, theta, moves(chi2, fixed), chi2.arguments(theta) >= 0), ()
    if found is None or (confirm and not held and not many):
        found = _migrad(chi2, theta if found is None else found, list(fixed))
    return Minimum(theta=found, chi2=chi2.value(found), on_kink=held)


def minimise_within(
    chi2: Objective, start: FloatArray, bounds: Bounds, *, fixed: dict[int, float], confirm: bool = True
) -> Minimum:
    """The lowest minimum with some components of theta within ranges, by an active set of bounds.

    A bound joins the set if its component is beyond it, and leaves the set if chi2 falls on the allowed side.

    Args:
        chi2: the objective.
        start: starting point, shape (size,).
        bounds: component of theta -> ends of its range.
        fixed: components that are held, at these values.
        confirm: as :func:`minimise` takes it.

    Raises:
        FitError: no minimum was found.
    """
    active: dict[int, float] = {}
    for _ in range(2 * len(bounds) + 2):
        found = minimise(chi2, start, fixed=fixed | active, confirm=confirm)
        beyond = {i: end for i, end in _beyond(found.theta, bounds).items() if i not in fixed}
        slope = chi2.gradient(found.theta) if active else found.theta
        left = {i for i, end in active.items() if (slope[i] < 0 if end == bounds[i][0] else slope[i] > 0)}
        if not beyond and not left:
            return replace(found, active=tuple(sorted(active)))
        active = {i: end for i, end in (active | beyond).items() if i not in left}
        start = found.theta
    msg = "no minimum within the bounds is found; leave an observable out of 'nonnegative', or widen the range of a prior"
    raise FitError(msg)


def _beyond(theta: FloatArray, bounds: Bounds) -> dict[int, float]:
    """Component -> the end of its range that it is beyond."""
    low = {i: low for i, (low, _) in bounds.items() if theta[i] < low}
    return low | {i: high for i, (_, high) in bounds.items() if theta[i] > high}


def bounded_errors(
    chi2: Objective,
    minimum: Minimum,
    index: int,
    bounds: Bounds,
    *,
    error: float,
    fixed: dict[int, float],
    minos: bool = True,
) -> tuple[float, float]:
    """Distances (up, down), signed, at which the profiled chi2 has grown by 1, or to a bound if that comes first.

    Args:
        chi2: the objective.
        minimum: within the bounds.
        index: component of theta.
        bounds: component of theta -> ends of its range.
        error: of the component without bounds, where the search begins.
        fixed: components of theta that are held.
        minos: start from the result of MINOS instead of from the error.

    Raises:
        FitError: chi2 does not grow by 1.
    """
    if not bounds:
        return delta_chi2_errors(chi2, minimum, index, error=error, fixed=fixed, minos=minos)
    best = float(minimum.theta[index])

    def growth(x: float) -> float:
        found = minimise_within(chi2, minimum.theta, bounds, fixed=fixed | {index: x}, confirm=False)
        return found.chi2 - minimum.chi2 - 1.0

    ends = (error, -error)
    if not minimum.active:
        with contextlib.suppress(FitError):  # without bounds chi2 need not grow by 1
            ends = delta_chi2_errors(chi2, minimum, index, error=error, fixed=fixed, minos=minos)
            if all(_keeps_within(chi2, minimum, index, end, bounds, fixed) for end in ends):
                return ends
    low, high = bounds.get(index, (-np.inf, np.inf))
    up = -_distance_below(lambda x: growth(-x), -best, -ends[0], bound=-high, error=error)
    return up, _distance_below(growth, best, ends[1], bound=low, error=error)


def _distance_below(growth: Callable[[float], float], best: float, start: float, *, bound: float, error: float) -> float:
    """Signed distance to the lower end of an interval."""
    outer = best + start
    for _ in range(20):
        outer = max(outer, bound)
        if outer == bound or growth(outer) > 0:
            break
        outer = best + 2 * (outer - best)
    return crossing_within(growth, best, outer, bound=bound, error=error) - best


def _keeps_within(
    chi2: Objective, minimum: Minimum, index: int, distance: float, bounds: Bounds, fixed: dict[int, float]
) -> bool:
    """Whether the profile without bounds lies within them at the distance where chi2 has grown by 1."""
    end = float(minimum.theta[index] + distance)
    return not _beyond(minimise(chi2, minimum.theta, fixed=fixed | {index: end}, confirm=False).theta, bounds)


def _migrad(chi2: Objective, theta: FloatArray, fixed: list[int]) -> FloatArray:
    minuit = _minuit(chi2, theta, fixed)
    minuit.migrad()
    found = np.array(minuit.values)
    if chi2.value(found) > chi2.value(theta):
        found = theta
    # At a minimum found before, rounding can keep Migrad from its goal; its estimated distance to the minimum counts.
    if not np.isfinite(chi2.value(found)) or not (minuit.valid or (minuit.fmin and minuit.fmin.edm < 1e-4)):
        msg = f"chi2 has no minimum that Migrad finds (estimated distance {minuit.fmin.edm if minuit.fmin else np.nan:.3g})"
        raise FitError(msg)
    return found


def _minuit(chi2: Objective, theta: FloatArray, fixed: list[int]) -> Minuit:
    from iminuit import Minuit

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
        minos: start from the result of MINOS instead of from the error.

    Raises:
        FitError: chi2 does not grow by 1.
    """
    starts: tuple[float, float] = (error, -error)
    if minos and not minimum.on_kink and len(chi2.kinked) <= ALL_ORTHANTS:
        minuit = _minuit(chi2, minimum.theta, list(fixed))
        minuit.migrad()
        try:
            minuit.minos(minuit.parameters[index])
            merror = minuit.merrors[minuit.parameters[index]]
            if merror.is_valid:
                starts = (float(merror.upper), float(merror.lower))
        except RuntimeError:  # MINOS needs a valid Migrad minimum
            pass
    up, down = (_crossing(chi2, minimum, index, start, fixed) for start in starts)
    return up, down


def _crossing(chi2: Objective, minimum: Minimum, index: int, start: float, fixed: dict[int, float]) -> float:
    """Distance where chi2 has grown by 1: MINOS stops at a per mille of chi2, so its result is refined, or replaced."""
    best = minimum.theta

    def growth(distance: float) -> float:
        nonlocal best
        if distance == 0:
            return -1.0
        held = fixed | {index: float(minimum.theta[index] + distance)}
        found = minimise(chi2, best, fixed=held, confirm=False)
        best = found.theta
        return found.chi2 - minimum.chi2 - 1.0

    distance = crossing(growth, start, met=CROSSING_TOLERANCE)
    if distance is None:
        msg = f"chi2 does not grow by 1 within a million times {start:g} of its minimum"
        raise FitError(msg)
    return distance


def theta_covariance(chi2: Objective, theta: FloatArray, *, held: Collection[int] = ()) -> FloatArray:
    """2 (d2 chi2)^-1 on the side of each kink where theta lies, 0 for held components.

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
    """Directions along which the squares of the rows are equally steep; unit directions where the rows lack one."""
    _, upper = triangular(rows)
    if len(upper) < rows.shape[1]:
        return np.eye(rows.shape[1])
    scale = unit_columns(rows)
    _, singular, right = np.linalg.svd(upper / scale)
    if not singular.size or singular[-1] < 1e-12 * singular[0]:
        return np.eye(rows.shape[1])
    return np.asarray((right.T / singular) / scale[:, None])


def separate_minima(chi2: Objective, minimum: Minimum, start: FloatArray) -> tuple[Minimum, ...]:
    """Minima that are not the lowest, but not far above it: by kinks, curved formulas and likelihood tables.

    Args:
        chi2: the objective.
        minimum: the lowest.
        start: starting point of the search for it, shape (size,).
    """
    found = list(other_minima(chi2, minimum, start))
    for theta in _starts(chi2)[1:]:
        with contextlib.suppress(FitError):
            other = minimise(chi2, theta, confirm=False)
            near = other.chi2 - minimum.chi2 < WITHIN
            if near and not any(same_minimum(chi2, known.theta, other.theta) for known in (minimum, *found)):
                found.append(other)
    return tuple(sorted(found, key=lambda one: one.chi2))


def starting_point(chi2: Objective) -> FloatArray:
    """Theta at the least squares of the estimates alone, all nuisances at their prior means.

    With curved formulas it is the lowest of the minima from several starts, with likelihood tables the best of the starts.
    """
    return _starts(chi2)[0]


def _starts(chi2: Objective) -> list[FloatArray]:
    """Starting points of a search for minima, the best first.

    The tail of a likelihood table may be flatter than a parabola, so that chi2 can have a minimum near that of the table and
    one near the others: each table gets a start where it has all the weight, and all others one where tables have none.
    """
    parts = chi2.model.curved.parts
    if parts.map.linear:
        measured = parts.measured - parts.map.constant
        tables = list(parts.responses.tables)
        weights = np.ones((1 + len(tables) + bool(tables), len(measured)))
        for weight, i in zip(weights[1:], tables, strict=False):
            weight[i] = HEAVY
        weights[-1, tables] = 1 / HEAVY
        rows = [parts.factor * weight for weight in weights]
        points = [np.linalg.lstsq(row @ parts.map.design, row @ measured, rcond=None)[0] for row in rows]
    else:
        points = starting_points(parts)
    starts = np.zeros((len(points), chi2.size))
    starts[:, : len(parts.observables)] = points
    return sorted(starts, key=chi2.value) if parts.map.linear and parts.responses.tables else list(starts)

"""Starting points of fits with curved formulas: least squares from several starts, as chi2 may have several minima."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from scipy.optimize import least_squares

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import FitError
from bayescomb.likelihood.nonlinear.model import NonlinearParts

__all__ = ["starting_points"]

# Sizes to try for a variable without any information.
SIZES: Final = (1.0, 0.1, 10.0, -1.0, 0.01, 100.0, -0.1, -10.0, 1e-3, 1e3, -100.0, 1e-4, 1e4)
# Places to try in its range, if it has one.
PLACES: Final = (0.5, 0.2, 0.8, 0.05, 0.95)
# Largest number of starts.
STARTS: Final = 40
# Two points are one minimum if no variable differs by more than this part of itself.
SAME: Final = 1e-4
# Two minima whose sums of squares differ by less than this are equally low.
ROUNDING: Final = 1e-9


def starting_points(parts: NonlinearParts) -> list[FloatArray]:
    """Minima of the squares of (prediction - value) over total uncertainty, without correlations, the lowest first.

    Variables that linear estimates determine start at these values, those with a prior in its middle, and all others at
    several sizes or places of their range.  Minima within all ranges come first.

    Args:
        parts: V variables.

    Raises:
        FitError: the formulas have no value at any start.
    """
    variance = _variance(parts)
    error = np.sqrt(variance)

    def residuals(v: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray((parts.map.value(v) - parts.measured) / error)

    def slopes(v: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray(parts.map.jacobian(v) / error[:, None])

    found: list[tuple[float, FloatArray]] = []
    for start in _candidates(parts, error):
        if not (np.isfinite(residuals(start)).all() and np.isfinite(slopes(start)).all()):
            continue
        try:
            result = least_squares(residuals, start, jac=slopes, x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-12)
        except ValueError:  # a step to where a formula has no value
            continue
        if np.isfinite(result.cost) and result.success:
            found.append((2 * float(result.cost), result.x))
    if not found:
        names = ", ".join(map(repr, parts.observables))
        msg = f"no values of {names} are found at which the formulas have values near the data; give the parameters a start"
        raise FitError(msg)
    distinct: list[tuple[float, FloatArray]] = []
    for cost, point in sorted(found, key=lambda entry: entry[0]):
        if all(not np.allclose(point, other, rtol=SAME, atol=SAME * float(np.abs(other).max())) for _, other in distinct):
            distinct.append((cost, point))
    lowest = distinct[0][0]

    def order(entry: tuple[float, FloatArray]) -> tuple[bool, bool, int, float]:
        cost, point = entry
        beyond = bool(((point < parts.ranges[:, 0]) | (point > parts.ranges[:, 1])).any())
        # Of equally low minima the one with most positive variables, so that rounding does not decide.
        return beyond, cost > lowest + ROUNDING * (1 + lowest), -int((point > 0).sum()), cost

    return [point for _, point in sorted(distinct, key=order)]


def _variance(parts: NonlinearParts) -> FloatArray:
    """Variance of each estimate by statistics and all sources, without correlations, shape (E,)."""
    information = (parts.factor**2).sum(axis=0)
    shifts = (parts.shifts**2).sum(axis=1)
    responses = parts.responses
    explicit = (responses.absolute_up**2).sum(axis=1)
    relative = ((responses.relative_up**2 + responses.log_up**2).sum(axis=1)) * parts.measured**2
    total = shifts + explicit + relative + np.where(information > 0, 1 / np.where(information > 0, information, 1.0), 0.0)
    return np.where(total > 0, total, 1.0)


def _candidates(parts: NonlinearParts, error: FloatArray) -> list[FloatArray]:
    """Starts: known variables at their values, all others first at one size together, then at mixed sizes."""
    known = parts.hints.copy()
    linear = ~parts.map.weights.any(axis=1)
    design = parts.map.design[linear] / error[linear, None]
    if design.any():
        target = (parts.measured - parts.map.constant)[linear] / error[linear]
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        # A variable is determined if its direction lies in the range of the rows.
        projector = np.linalg.pinv(design) @ design
        determined = np.abs(np.diag(projector) - 1) < 1e-9
        known = np.where(np.isnan(known) & determined, solution, known)
    open_ones = np.flatnonzero(np.isnan(known))
    low, high = parts.ranges[open_ones].T
    boxed = np.isfinite(low) & np.isfinite(high)
    width = np.where(boxed, high, 1.0) - np.where(boxed, low, 0.0)
    starts = []
    for i, size in enumerate(SIZES if len(open_ones) else (0.0,)):
        start = known.copy()
        start[open_ones] = np.where(boxed, low + PLACES[i % len(PLACES)] * width, size)
        starts.append(start)
    if len(open_ones) > 1:
        rng = np.random.default_rng(len(open_ones))
        for _ in itertools.repeat(None, STARTS - len(starts)):
            start = known.copy()
            mixed = rng.choice(SIZES[:8], size=len(open_ones)) * rng.uniform(0.5, 2.0, size=len(open_ones))
            start[open_ones] = np.where(boxed, low + rng.uniform(0.05, 0.95, size=len(open_ones)) * width, mixed)
            starts.append(start)
    elif not len(open_ones):
        starts += [known * np.where(known == 0, 1.0, -1.0)]
    return starts

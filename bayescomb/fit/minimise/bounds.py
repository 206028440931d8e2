r"""Results that cannot be negative: minimum and Delta chi2 = 1 interval of a quadratic chi2 within bounds.

With v the parameters at the minimum without bounds and B B^T their covariance, p = v + B z costs
:math:`\chi^2(p) - \chi^2_\mathrm{min} = |z|^2`, and the bounded minimum is the shortest z with (v + B z)_i >= 0 for every
bounded i: least-distance programming, solved exactly by non-negative least squares (Lawson and Hanson, Solving Least Squares
Problems, 1974, chapter 23).  Nothing is inverted, so B may be singular.  Bounds that are reached are *active*: there p and
its derivative by the data are 0.  With the active ones held at 0 the root of the covariance of the others is
:math:`B (1 - B_a^+ B_a)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.errors import FitError
from bayescomb.fit.minimise.delta_chi2 import crossing_within
from bayescomb.likelihood.linear_gaussian import Solution

__all__ = ["bounded_interval", "bounded_minimum", "on_face", "positions", "within_bounds"]

# A value within this fraction of the error of its bound is at the bound.
ROUNDING = 1e-9
# Relative rounding of a chi2 in closed form.
EXACT = 1e-12
# What a projection leaves of a direction is rounding below this fraction.
PARALLEL = 1e-12


def bounded_minimum(values: FloatArray, root: FloatArray, bounded: IntArray) -> tuple[FloatArray, IntArray]:
    """The shortest z with (v + B z)_i >= 0, and the active bounds.

    Args:
        values: v, shape (P,).
        root: B, shape (P, Z).
        bounded: positions of the bounded parameters, shape (S,).

    Raises:
        FitError: no z is within the bounds.

    Examples:
        >>> import numpy as np
        >>> from bayescomb.fit.minimise.bounds import bounded_minimum
        >>> z, active = bounded_minimum(np.array([-1.0, 2.0]), np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([0, 1]))
        >>> z.round(12).tolist(), active.tolist()
        ([1.0, 0.0], [0])
    """
    nothing = np.zeros(root.shape[1])
    if (values[bounded] >= 0).all():
        return nothing, np.zeros(0, dtype=np.intp)
    size = np.sqrt((root[bounded] ** 2).sum(axis=1))
    size[size == 0] = np.maximum(np.abs(values[bounded][size == 0]), 1.0)
    rows, reach = root[bounded] / size[:, None], -values[bounded] / size
    target = np.append(nothing, 1.0)
    try:
        multipliers, left = scipy.optimize.nnls(np.vstack([rows.T, reach]), target)
    except RuntimeError as error:
        msg = f"the minimum within the bounds is not found ({error}); check the sizes of the inputs and their units"
        raise FitError(msg) from error
    active = np.flatnonzero(multipliers > 0)
    # With the active bounds known the rest is least squares.
    z = np.linalg.lstsq(rows[active], reach[active], rcond=PARALLEL)[0]
    if left == 0 or (rows @ z < reach - ROUNDING * np.maximum(1.0, np.abs(reach))).any():
        msg = "no values of the observables are within their bounds; leave one out of 'nonnegative'"
        raise FitError(msg)
    return z, bounded[active]


def within_bounds(solution: Solution, bounded: IntArray) -> tuple[Solution, IntArray]:
    """The solution with its bounded parameters at 0 or above, and positions of the ones at 0.

    Raises:
        FitError: no values are within the bounds.
    """
    _, active = bounded_minimum(solution.values, solution.root, bounded)
    return on_face(solution, active), active


def on_face(solution: Solution, active: IntArray) -> Solution:
    """The solution with some parameters held at 0, which stay among the parameters: their derivatives are 0 too.

    Args:
        solution: without bounds.
        active: positions of the parameters at 0.
    """
    if not len(active):
        return solution
    scale = np.sqrt((solution.root[active] ** 2).sum(axis=1))[:, None]
    back = np.linalg.pinv(solution.root[active] / scale, rcond=PARALLEL) / scale.T
    moved = np.eye(len(solution.values))
    moved[:, active] -= solution.root @ back
    root = moved @ solution.root
    moved[active] = root[active] = 0.0
    values = moved @ solution.values
    away = back @ solution.values[active]
    return dataclasses.replace(
        solution,
        values=values,
        root=root,
        residual=solution.model.offset - solution.model.design @ values,
        influence=moved @ solution.influence,
        chi2=solution.chi2 + float(away @ away),
    )


def bounded_interval(values: FloatArray, root: FloatArray, bounded: IntArray, index: int) -> tuple[float, float]:
    """Distances (up, down), signed, to the ends of the Delta chi2 = 1 interval of one parameter.

    The others are profiled within their bounds, and the lower end is not below its own.

    Args:
        values: v without bounds, shape (P,).
        root: B, shape (P, Z).
        bounded: positions of the bounded parameters, shape (S,).
        index: position of the parameter.
    """
    z, active = bounded_minimum(values, root, bounded)
    own, error = root[index], float(np.sqrt(root[index] @ root[index]))
    if error == 0:
        return 0.0, 0.0
    face = root[index] - root[index] @ np.linalg.pinv(root[active], rcond=PARALLEL) @ root[active]
    on_its_face = float(np.sqrt(face @ face))
    best = 0.0 if index in active else float(values[index] + own @ z)
    lowest = float(z @ z)
    along, others = own / error, bounded[bounded != index]
    across = root - np.outer(root @ along, along)
    across[np.abs(across) < PARALLEL * np.sqrt((root**2).sum(axis=1))[:, None]] = 0.0

    def growth(x: float) -> float:
        step = (x - values[index]) / error
        rest, _ = bounded_minimum(values + root @ along * step, across, others)
        return step**2 + float(rest @ rest) - lowest - 1.0

    ends = []
    for sign in (1.0, -1.0):
        free = values[index] + sign * error
        at_free = values + root @ along * (sign * error)
        if not len(active) and (at_free[others] >= 0).all() and (index not in bounded or free >= 0):
            ends.append(sign * error)  # the path to the end stays within the bounds: as without them
            continue
        inside = index not in active and (index not in bounded or best + sign * on_its_face >= 0)
        if inside and abs(growth(best + sign * on_its_face)) < EXACT * (1 + lowest):
            ends.append(sign * on_its_face)  # the same bounds are active on the whole path
            continue
        outer = float(values[index] + sign * error * np.sqrt(1 + lowest))  # grown by 1 there even if nothing is bounded
        bound = 0.0 if index in bounded and sign < 0 else -np.inf
        ends.append(crossing_within(growth, best, outer, bound=bound, error=error) - best)
    return ends[0], ends[1]


def positions(parameters: Sequence[str], names: Sequence[str]) -> IntArray:
    """Positions of those of the names that are among the parameters."""
    return np.array([i for i, parameter in enumerate(parameters) if parameter in names], dtype=np.intp)

"""Priors and coordinates of the fused density: maps from coordinates to coefficients, scales and masses, and back.

The sampler moves x; u = shift + stretch x are the coordinates, standard normal or of about unit width near the best fit.

The normal distribution function maps each coordinate of a coefficient to its interval, so that a flat prior is a standard
normal one in the coordinates.

The box of several coefficients is mapped onto their feasible set.  Let g be the gauge of each set from the centre c (1 at
its boundary, linear along rays) and d = y - c.  A point y of the box is mapped to c + s d with
s = 1 / (1 + max(0, g_feasible(d) - g_box(d))): the identity where the box is the smaller set, while the sides of the box
outside of the feasible set are mapped to its boundary.  Along a ray the excess e is linear, so that d . grad s = -s^2 e, and
the Jacobian determinant of the map, s^(k-1) (s + d . grad s), is s^(k+1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

import numpy as np
from scipy.special import ndtri

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.likelihood.linear_gaussian import solve
from bayescomb.likelihood.theory import Theory
from bayescomb.sampling.fused.compiled import compiled
from bayescomb.sampling.fused.likelihood import signed_factor
from bayescomb.sampling.plan import SamplingPlan
from bayescomb.sampling.priors import RadialBlock

__all__ = [
    "PULLBACK",
    "at_ranges",
    "coordinates_of",
    "excess_kernel",
    "feasible_point",
    "feasible_pullback",
    "kept_coordinates",
    "prior_laws",
    "range_constants",
    "scale_priors",
    "theta_coordinates",
    "theta_kinds",
    "theta_point",
    "theta_pullback",
]

# Prior of a mass or a scale of a prediction, first column of its row: flat in a range (a logistic function of the
# coordinate), normal, or normal and correlated between energies.
BOXED, NORMAL, CORRELATED = 0, 1, 2
ROOT_HALF = math.sqrt(0.5)
PULLBACK = 5  # number of constants of the map, the first ones, that are arguments of its pullback
# Standard deviation of the logistic distribution.
LOGISTIC = np.pi / np.sqrt(3.0)


@compiled()
def prior_laws(coefficients, laws, by_coefficients):  # type: ignore[no-untyped-def]
    """Log prior density of coefficients inside their ranges; its derivative is added to ``by_coefficients``.

    Args:
        coefficients: r, shape (K,).
        laws: low, high, nominal and the seven terms of :class:`.ShapeLaw`, shape (K, 10).
        by_coefficients: shape (K,).
    """
    total = 0.0
    for c in range(len(coefficients)):
        r, side = coefficients[c], 3 if coefficients[c] < laws[c, 2] else 6
        up, down = laws[c, side], laws[c, side + 1]
        total += laws[c, side + 2]
        if up != 0.0:
            total += up * np.log(r - laws[c, 0])
            by_coefficients[c] += up / (r - laws[c, 0])
        if down != 0.0:
            total += down * np.log(laws[c, 1] - r)
            by_coefficients[c] -= down / (laws[c, 1] - r)
        total -= 0.5 * laws[c, 9] * (r - laws[c, 2]) ** 2
        by_coefficients[c] -= laws[c, 9] * (r - laws[c, 2])
    return total


@compiled()
def scale_priors(logs, shapes, by_logs):  # type: ignore[no-untyped-def]
    """Log density of l = log s, s inverse gamma of equal shape and scale; its derivative is added to ``by_logs``."""
    total = 0.0
    for j in range(len(logs)):
        a, inverse = shapes[j], np.exp(-logs[j])
        total += a * np.log(a) - math.lgamma(a) - a * (logs[j] + inverse)
        by_logs[j] -= a * (1.0 - inverse)
    return total


@compiled(reorder=True)
def theta_point(u, kinds):  # type: ignore[no-untyped-def]
    """Masses and scales of a prediction, and the log of their density in the coordinates.

    Args:
        u: coordinates, shape (H,); with correlated scales the last one is that of their coefficient.
        kinds: kind of prior, low and high of a range, and standard deviation of a normal prior, shape (H, 4).

    Returns:
        Theta, shape (H,), and the log density.
    """
    count, log = len(u), 0.0
    value = np.empty(count)
    for h in range(count):
        if kinds[h, 0] == BOXED:
            value[h] = kinds[h, 1] + (kinds[h, 2] - kinds[h, 1]) / (1 + np.exp(-u[h]))
            log += -abs(u[h]) - 2 * np.log1p(np.exp(-abs(u[h])))
        else:
            value[h] = kinds[h, 3] * u[h]
            log += -0.5 * u[h] * u[h]
    first = _correlated_from(kinds)
    if first < count:
        half, coefficient = (count - 1 - first) // 2, value[count - 1]
        own = np.sqrt(1 - coefficient)
        common = (np.sqrt(1 + (half - 1) * coefficient) - own) / half
        for g in range(2):
            total = 0.0
            for h in range(half):
                total += value[first + g * half + h]
            for h in range(half):
                value[first + g * half + h] = own * value[first + g * half + h] + common * total
    return value, log


@compiled()
def _correlated_from(kinds):  # type: ignore[no-untyped-def]
    """Position of the first scale that is correlated between energies."""
    for h in range(len(kinds)):
        if kinds[h, 0] == CORRELATED:
            return h
    return len(kinds)


@compiled(reorder=True)
def theta_pullback(u, value, kinds, by_value, by_u):  # type: ignore[no-untyped-def]
    """Derivative by the coordinates of a function of theta plus the log density of :func:`theta_point`.

    Args:
        u: coordinates, shape (H,).
        value: theta, shape (H,).
        kinds: as in :func:`theta_point`.
        by_value: derivative by theta, overwritten, shape (H,).
        by_u: the result, shape (H,).
    """
    count, first = len(u), _correlated_from(kinds)
    if first < count:
        half, coefficient = (count - 1 - first) // 2, value[count - 1]
        own, all_of = np.sqrt(1 - coefficient), np.sqrt(1 + (half - 1) * coefficient)
        common = (all_of - own) / half
        own_slope = -0.5 / own
        common_slope = (0.5 * (half - 1) / all_of - own_slope) / half
        for g in range(2):
            total, by_total = 0.0, 0.0
            for h in range(half):
                total += kinds[first + g * half + h, 3] * u[first + g * half + h]
                by_total += by_value[first + g * half + h]
            for h in range(half):
                i = first + g * half + h
                by_value[count - 1] += by_value[i] * (own_slope * kinds[i, 3] * u[i] + common_slope * total)
                by_value[i] = own * by_value[i] + common * by_total
    for h in range(count):
        if kinds[h, 0] == BOXED:
            fall = np.exp(-abs(u[h]))  # no cancellation at either end of the range
            side = 1.0 if u[h] < 0 else -1.0
            by_u[h] = by_value[h] * (kinds[h, 2] - kinds[h, 1]) * fall / (1 + fall) ** 2 + side * (1 - fall) / (1 + fall)
        else:
            by_u[h] = by_value[h] * kinds[h, 3] - u[h]


@compiled()
def excess_kernel(offset, room_below, room_above, patterns):  # type: ignore[no-untyped-def]
    """Excess of the gauge of the feasible set over that of the box, max(0, g_feasible - g_box), and its gradient.

    g_box is the largest fraction of the distance to a side; g_feasible is the largest eigenvalue of sum_c d_c patterns_c,
    which is 1 where the matrix of the block becomes singular.

    Args:
        offset: d, point minus centre, shape (k,).
        room_below: centre minus lower end, shape (k,).
        room_above: upper end minus centre, shape (k,).
        patterns: shape (k, n * n).

    Returns:
        The excess and its gradient, shape (k,).
    """
    count, size = len(offset), int(np.round(np.sqrt(patterns.shape[1])))
    gradient = np.zeros(count)
    side, gauge_box, slope = 0, 0.0, 0.0
    for c in range(count):
        room = room_above[c] if offset[c] > 0 else -room_below[c]
        if offset[c] / room > gauge_box:
            side, gauge_box, slope = c, offset[c] / room, 1 / room
    matrix = np.zeros((size, size))
    for c in range(count):
        for i in range(size):
            for j in range(size):
                matrix[i, j] += offset[c] * patterns[c, i * size + j]
    # At most points the excess is 0, which the factor of g_box 1 - matrix shows ten times faster than the eigenvalues.
    within = -matrix
    for i in range(size):
        within[i, i] += gauge_box
    if signed_factor(within, np.ones(size))[0]:
        return 0.0, gradient
    try:
        eigenvalues, vectors = np.linalg.eigh(matrix)
    except Exception:  # numba knows no narrower class; the step is so far out that it is not finite, and is rejected later
        return 0.0, gradient
    excess = eigenvalues[size - 1] - gauge_box
    if excess <= 0.0:
        return 0.0, gradient
    gradient[side] = -slope
    for c in range(count):
        for i in range(size):
            for j in range(size):
                gradient[c] += patterns[c, i * size + j] * vectors[i, size - 1] * vectors[j, size - 1]
    return excess, gradient


@compiled()
def feasible_point(value, low, high, sizes, index, centre, below, above, shapes, patterns):  # type: ignore[no-untyped-def]
    """Point and log Jacobian of the map, and the arguments of its pullback.

    Args:
        value: unconstrained coordinates, shape (K,).
        low: lower ends of the box, shape (K,).
        high: upper ends of the box, shape (K,).
        sizes: number of coefficients of each block.
        index: their positions, block after block.
        centre: centres, likewise.
        below: centre minus lower end, likewise.
        above: upper end minus centre, likewise.
        shapes: size n of the matrix of each block.
        patterns: its (k, n, n) patterns, flat, block after block.

    Returns:
        Point, shape (K,); log Jacobian; scale of each block; gradients of the excesses, block after block.
    """
    # Written out in loops, which numba compiles several times faster than expressions of arrays.
    count = len(value)
    point, scales, slopes = np.empty(count), np.empty(len(sizes)), np.empty(len(index))
    log_jacobian = -0.5 * count * np.log(2 * np.pi)
    for i in range(count):
        # The distance is computed from the nearer end, which avoids cancellation.
        if value[i] < 0:
            point[i] = low[i] + (high[i] - low[i]) * 0.5 * math.erfc(-value[i] * ROOT_HALF)
        else:
            point[i] = high[i] - (high[i] - low[i]) * 0.5 * math.erfc(value[i] * ROOT_HALF)
        log_jacobian += np.log(high[i] - low[i]) - 0.5 * value[i] * value[i]
    start, cell = 0, 0
    for b in range(len(sizes)):
        k, n = int(sizes[b]), int(shapes[b])
        offset = np.empty(k)
        for i in range(k):
            offset[i] = point[int(index[start + i])] - centre[start + i]
        inner = patterns[cell : cell + k * n * n].reshape(k, n * n)
        excess, slope = excess_kernel(offset, below[start : start + k], above[start : start + k], inner)
        scales[b] = 1 / (1 + excess)
        log_jacobian -= (k + 1) * np.log1p(excess)
        for i in range(k):
            slopes[start + i] = slope[i]
            point[int(index[start + i])] = centre[start + i] + scales[b] * offset[i]
        start += k
        cell += k * n * n
    return point, log_jacobian, scales, slopes


@compiled()
def feasible_pullback(  # type: ignore[no-untyped-def]
    value, point, scales, slopes, by_point, by_log, low, high, sizes, index, centre
):
    """Cotangent of the coordinates from those of the point and of the log Jacobian.

    Args:
        value: unconstrained coordinates, shape (K,).
        point: this and the next two by :func:`feasible_point`, shape (K,).
        scales: of the blocks.
        slopes: gradients of the excesses, block after block.
        by_point: cotangent of the point, shape (K,).
        by_log: cotangent of the log Jacobian.
        low: this and what follows as in :func:`feasible_point`.
        high: shape (K,).
        sizes: of the blocks.
        index: block after block.
        centre: likewise.

    Returns:
        Shape (K,).
    """
    by_value, start = by_point.copy(), 0
    for b in range(len(sizes)):
        k = int(sizes[b])
        by_excess = -(k + 1) * scales[b] * by_log
        for i in range(k):
            where = int(index[start + i])
            # scale^2 times the offset in the box
            by_excess -= scales[b] * by_point[where] * (point[where] - centre[start + i])
        for i in range(k):
            where = int(index[start + i])
            by_value[where] = scales[b] * by_point[where] + by_excess * slopes[start + i]
        start += k
    for i in range(len(value)):
        density = np.exp(-0.5 * value[i] * value[i]) * ROOT_HALF / np.sqrt(np.pi)
        by_value[i] = by_value[i] * (high[i] - low[i]) * density - by_log * value[i]
    return by_value


def range_constants(low: FloatArray, high: FloatArray, radial: Sequence[RadialBlock]) -> tuple[FloatArray, ...]:
    """The last arguments of :func:`feasible_point`.

    Args:
        low: lower ends of the box, shape (K,).
        high: upper ends of the box, shape (K,).
        radial: blocks whose box is partly infeasible.
    """

    def joined(parts: list[FloatArray]) -> FloatArray:
        return np.concatenate([np.zeros(0), *(np.ravel(part) for part in parts)])

    constants = (
        low,
        high,
        np.array([len(b.index) for b in radial], dtype=float),
        joined([b.index.astype(float) for b in radial]),
        joined([b.centre for b in radial]),
        joined([b.centre - low[b.index] for b in radial]),
        joined([high[b.index] - b.centre for b in radial]),
        np.array([b.patterns.shape[1] for b in radial], dtype=float),
        joined([b.patterns for b in radial]),
    )
    return tuple(np.ascontiguousarray(c, dtype=np.float64) for c in constants)


def coordinates_of(point: FloatArray, low: FloatArray, high: FloatArray, radial: Sequence[RadialBlock]) -> FloatArray:
    """Unconstrained coordinates of a feasible point, shape (K,).

    Along each ray the excess is linear, so that the inverse map divides by 1 - excess.
    """
    point = point.copy()
    for block in radial:
        offset = point[block.index] - block.centre
        patterns = block.patterns.reshape(len(block.index), -1)
        excess, _ = excess_kernel(offset, block.centre - low[block.index], high[block.index] - block.centre, patterns)
        point[block.index] = block.centre + offset / (1 - excess)
    above = point - low > high - point
    tail = ndtri(np.where(above, high - point, point - low) / (high - low))
    return np.where(above, -tail, tail)


def kept_coordinates(
    plan: SamplingPlan, kept: IntArray, values: FloatArray, ranges: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coordinates of the sampled parameters at their starting point, and a root of their covariance in coordinates."""
    if not len(kept):
        return np.zeros(0), np.zeros((0, 0))
    root = solve(plan.model, plan.correlation(plan.start[None])[0]).root[kept]
    return at_ranges(values[kept], ranges[kept], np.linalg.qr(root.T, mode="r").T)


def at_ranges(values: FloatArray, ranges: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coordinates of values inside their ranges, and the root of a covariance of the values, transformed to coordinates.

    Args:
        values: shape (P,).
        ranges: as in :func:`.density.bounded_point`, shape (P, 3).
        root: of the covariance of the values, shape (P, P).
    """
    u, slope = values.copy(), np.ones(len(values))  # slope: dx/du
    for i, (width, low, high) in enumerate(ranges):
        if width == 0:
            continue
        if np.isinf(high):
            slope[i] = -np.expm1(-values[i] / width)
            u[i] = values[i] + width * np.log(slope[i])
        else:
            u[i] = np.log(values[i] - low) - np.log(high - values[i])
            slope[i] = (values[i] - low) * (high - values[i]) / (high - low)
    moved = root / slope[:, None]
    # Where data constrain a value less than its range, the coordinate has the width of a flat density in the range.
    size = np.sqrt((moved**2).sum(axis=1))
    boxed = np.isfinite(ranges[:, 2]) & (ranges[:, 0] > 0) & (size > LOGISTIC)
    return u, moved * np.where(boxed, LOGISTIC / np.where(size > 0, size, 1.0), 1.0)[:, None]


def theta_kinds(theory: Theory) -> FloatArray:
    """The argument ``kinds`` of :func:`theta_point`, shape (H, 4)."""
    scales, masses = theory.extraction.scales, len(theory.masses)
    rows = [(BOXED, theory.low[h], theory.high[h], 0.0) for h in range(masses)]
    match scales.prior:
        case "uniform":
            rows += [(BOXED, theory.low[h], theory.high[h], 0.0) for h in range(masses, len(theory.parameters))]
        case "normal":
            kind = CORRELATED if scales.treatment == "correlated" else NORMAL
            rows += [(kind, 0.0, 0.0, scales.width) for _ in theory.scales]
        case _:
            assert_never(scales.prior)
    if scales.treatment == "correlated":
        rows.append((BOXED, scales.low, scales.high, 0.0))
    return np.array(rows, dtype=float)


def theta_coordinates(theory: Theory, kinds: FloatArray, theta: FloatArray) -> FloatArray:
    """Coordinates of masses and scales; the coefficient of correlated scales is at the middle of its range."""
    value, boxed = np.append(theta, np.zeros(len(kinds) - len(theta))), kinds[:, 0] == BOXED
    if len(kinds) > len(theta):
        value[-1] = kinds[-1, 1:3].mean()
        half = len(theory.scales) // 2
        matrix = np.full((half, half), value[-1]) + (1 - value[-1]) * np.eye(half)
        eigenvalues, vectors = np.linalg.eigh(matrix)
        back = (vectors / np.sqrt(eigenvalues)) @ vectors.T
        for group in range(2):
            own = slice(len(theory.masses) + group * half, len(theory.masses) + (group + 1) * half)
            value[own] = back @ value[own]
    share = np.where(boxed, (value - kinds[:, 1]) / np.where(boxed, kinds[:, 2] - kinds[:, 1], 1.0), 0.5)
    return np.where(boxed, np.log(share) - np.log1p(-share), value / np.where(boxed, 1.0, kinds[:, 3]))

"""Unconstrained coordinates of the feasible set of the coefficients: probit on the box, then a radial map onto the set.

The normal distribution function takes each coordinate to its interval, so that a flat prior is a standard normal one in the
coordinates: what a sampler is best at.

With g the gauge of each set seen from the centre c (1 at its boundary, linear along rays) and d = y - c, a point y of the
box goes to c + s d with s = 1 / (1 + max(0, g_feasible(d) - g_box(d))): the identity near the centre, and a side of the box
goes to the boundary of the set.  Along a ray the excess e is linear, so d . grad s = -s^2 e and the Jacobian determinant of
the map, s^(k-1) (s + d . grad s), is s^(k+1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from bayescomb.base.arrays import FloatArray
from bayescomb.sampling.fused.compiled import compiled
from bayescomb.sampling.fused.gaussian import signed_factor
from bayescomb.sampling.priors import RadialBlock

__all__ = ["PULLBACK", "coordinates_of", "excess_kernel", "feasible_point", "feasible_pullback", "range_constants"]

ROOT_HALF = math.sqrt(0.5)
PULLBACK = 5  # constants of the map that its pullback needs, the first ones


@compiled()
def excess_kernel(offset, room_below, room_above, patterns):  # type: ignore[no-untyped-def]
    """By how much the gauge of the feasible set exceeds that of the box, max(0, g_feasible - g_box), and its gradient.

    A gauge is 1 at the boundary of its set and grows linearly along rays from the centre.  g_box is the largest share of
    the way to a side, g_feasible the largest eigenvalue of sum_c d_c patterns_c, 1 where the matrix becomes singular.

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
    # Most points are within, and a factor of g_box 1 - matrix says so at a tenth of the price of the eigenvalues.
    within = -matrix
    for i in range(size):
        within[i, i] += gauge_box
    if signed_factor(within, np.ones(size))[0]:
        return 0.0, gradient
    try:
        eigenvalues, vectors = np.linalg.eigh(matrix)
    except Exception:  # numba knows no narrower class; of a step so far out that it is no number, which is rejected later
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
    """Point and log Jacobian of the map, and what its pullback is made of.

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
        # The nearer end is the one that the distance is taken from.
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
            # scale^2 times the offset of the box
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

    Along each ray the excess is linear, so that the way back divides by 1 - excess.
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

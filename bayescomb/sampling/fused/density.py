"""The fused density: a C function from the variables of the sampler to the log density and its gradient.

Its constants are packed in one array of numbers, so that one function, compiled once and cached on disk, serves every model
of its kind, in threads and without the interpreter.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numba import types

from bayescomb.base.arrays import FloatArray
from bayescomb.sampling.fused.compiled import c_function, compiled
from bayescomb.sampling.fused.coordinates import (
    feasible_point,
    feasible_pullback,
    prior_laws,
    scale_priors,
    theta_point,
    theta_pullback,
)
from bayescomb.sampling.fused.curved import curved_kernel
from bayescomb.sampling.fused.likelihood import extraction_kernel, marginal_kernel

__all__ = ["COMBINATION", "CURVED", "EXTRACTION", "DensityKind", "pack", "segment"]

HEADER = 5  # numbers per array in the header: its position and up to four dimensions
NOT_FINITE = 4  # return code with which the sampler rejects a step
DENSITY = types.int64(
    types.uint64, types.CPointer(types.double), types.CPointer(types.double), types.CPointer(types.double), types.voidptr
)
EXPAND = types.int64(types.uint64, types.uint64, types.CPointer(types.double), types.CPointer(types.double), types.voidptr)


def pack(arrays: Sequence[FloatArray]) -> FloatArray:
    """Arrays of up to four dimensions as one array: its length, position and shape of each, and their numbers.

    Examples:
        >>> segment(pack([np.arange(3.0), np.eye(2)]), 1).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    start = 1 + HEADER * len(arrays)
    header: list[float] = []
    for array in arrays:
        header += [start, *array.shape, *[0] * (HEADER - 1 - array.ndim)]
        start += array.size
    numbers = [np.ravel(array) for array in arrays]
    return np.concatenate([[start], header, *numbers]).astype(np.float64)


def segment(packed: FloatArray, i: int) -> FloatArray:
    """A view of array number i; trailing dimensions of 0 are dropped."""
    start, *shape = packed[1 + HEADER * i : 1 + HEADER * (i + 1)].astype(int)
    while len(shape) > 1 and shape[-1] == 0:
        shape.pop()
    return packed[start : start + int(np.prod(shape))].reshape(shape)


@compiled()
def vector(packed, i):  # type: ignore[no-untyped-def]
    """An array of one dimension."""
    at = 1 + HEADER * i
    start = int(packed[at])
    return packed[start : start + int(packed[at + 1])]


@compiled()
def matrix(packed, i):  # type: ignore[no-untyped-def]
    """An array of two dimensions."""
    at = 1 + HEADER * i
    start, rows, columns = int(packed[at]), int(packed[at + 1]), int(packed[at + 2])
    return packed[start : start + rows * columns].reshape((rows, columns))


@compiled()
def cube(packed, i):  # type: ignore[no-untyped-def]
    """An array of three dimensions."""
    at = 1 + HEADER * i
    start, a, b, c = int(packed[at]), int(packed[at + 1]), int(packed[at + 2]), int(packed[at + 3])
    return packed[start : start + a * b * c].reshape((a, b, c))


@compiled()
def hypercube(packed, i):  # type: ignore[no-untyped-def]
    """An array of four dimensions."""
    at = 1 + HEADER * i
    start, a, b, c, d = int(packed[at]), int(packed[at + 1]), int(packed[at + 2]), int(packed[at + 3]), int(packed[at + 4])
    return packed[start : start + a * b * c * d].reshape((a, b, c, d))


@compiled()
def coefficient_weights(u, packed):  # type: ignore[no-untyped-def]
    """Weights y of the patterns, their log prior density in the coordinates, and the arguments of the pullback."""
    low, scale_shapes, size_of = vector(packed, 2), vector(packed, 12), vector(packed, 13)
    count, sizes = len(low), len(scale_shapes)
    point, log, scales, slopes = feasible_point(
        u[:count], low, vector(packed, 3), vector(packed, 4), vector(packed, 5), vector(packed, 6), vector(packed, 7),
        vector(packed, 8), vector(packed, 9), vector(packed, 10),
    )  # fmt: skip
    by_point, by_logs = np.zeros(count), np.zeros(sizes)
    log += prior_laws(point, matrix(packed, 11), by_point)
    log += scale_priors(u[count : count + sizes], scale_shapes, by_logs)
    weights = np.empty(count + sizes)
    for j in range(sizes):
        weights[count + j] = np.exp(u[count + j])
    for c in range(count):
        weights[c] = point[c] * (weights[count + int(size_of[c])] if size_of[c] >= 0 else 1.0)
    return weights, log, point, scales, slopes, by_point, by_logs


@compiled()
def weights_pullback(  # type: ignore[no-untyped-def]
    u, weights, point, scales, slopes, by_point, by_logs, by_weights, packed, by_u
):
    """Derivative by the coordinates of coefficients and scales."""
    size_of, count, sizes = vector(packed, 13), len(point), len(by_logs)
    for j in range(sizes):
        by_logs[j] += by_weights[count + j] * weights[count + j]
    for c in range(count):
        own = int(size_of[c])
        by_point[c] += by_weights[c] * (weights[count + own] if own >= 0 else 1.0)
        if own >= 0:
            by_logs[own] += by_weights[c] * weights[c]
    by_u[:count] = feasible_pullback(
        u[:count], point, scales, slopes, by_point, 1.0, vector(packed, 2), vector(packed, 3), vector(packed, 4),
        vector(packed, 5), vector(packed, 6),
    )  # fmt: skip
    by_u[count : count + sizes] = by_logs


@compiled()
def opened(x, packed):  # type: ignore[no-untyped-def]
    """Coordinates u from the variables x of the sampler."""
    shift, stretch, mix = vector(packed, 0), vector(packed, 1), matrix(packed, 18)
    u, first = shift + stretch * x, len(x) - len(mix)
    for p in range(len(mix)):
        for q in range(len(mix)):
            u[first + p] += mix[p, q] * x[first + q]
    return u


@compiled()
def closed(by_rest, packed, gradient):  # type: ignore[no-untyped-def]
    """Gradient by x, in place, from that by coefficients and scales in ``gradient`` and by the other coordinates."""
    stretch, mix = vector(packed, 1), matrix(packed, 18)
    first = len(gradient) - len(mix)
    for i in range(first):
        gradient[i] *= stretch[i]
    for q in range(len(mix)):
        gradient[first + q] = 0.0
        for p in range(len(mix)):
            gradient[first + q] += mix[p, q] * by_rest[p]


@compiled()
def bounded_point(u, ranges):  # type: ignore[no-untyped-def]
    """Values of coordinates, inside their ranges, and the derivatives of the map.

    Args:
        u: coordinates, shape (P,).
        ranges: width, low and high of each, shape (P, 3).  With width 0 the value is the coordinate, without a high end it
            is width log(1 + exp(u / width)) above 0, else it is a logistic function of the coordinate.

    Returns:
        Values, slopes dx/du, sum of the logarithms of the slopes, and its derivatives by u.
    """
    count, log = len(ranges), 0.0
    value, slope, by_log = u.copy(), np.ones(count), np.zeros(count)
    for p in range(count):
        width, low, high = ranges[p, 0], ranges[p, 1], ranges[p, 2]
        if width == 0.0:
            continue
        away = u[p] / width if high == np.inf else u[p]
        fall = np.exp(-abs(away))
        share = (1.0 if away > 0 else fall) / (1 + fall)
        if high == np.inf:
            value[p] = width * (max(away, 0.0) + np.log1p(fall))
            slope[p] = share
            log += min(away, 0.0) - np.log1p(fall)
            by_log[p] = (1 - share) / width
        else:
            value[p] = low + (high - low) * share
            slope[p] = (high - low) * fall / (1 + fall) ** 2
            log += np.log(high - low) - abs(away) - 2 * np.log1p(fall)
            by_log[p] = 1 - 2 * share
    return value, slope, log, by_log


@compiled()
def combination_density(x, gradient, packed):  # type: ignore[no-untyped-def]
    """Log density of a combination in the sampler's coordinates; its gradient is written to ``gradient``."""
    u = opened(x, packed)
    weights, log, point, scales, slopes, by_point, by_logs = coefficient_weights(u, packed)
    parameters, slope, log_slope, by_rest = bounded_point(u[len(weights) :], matrix(packed, 19))
    value, by_weights, by_parameters = marginal_kernel(
        weights,
        parameters,
        vector(packed, 14),
        matrix(packed, 15),
        matrix(packed, 20),
        vector(packed, 17),
        vector(packed, 16),
    )
    weights_pullback(u, weights, point, scales, slopes, by_point, by_logs, by_weights, packed, gradient)
    for p in range(len(slope)):
        by_rest[p] += by_parameters[p] * slope[p]
    closed(by_rest, packed, gradient)
    return value + log + log_slope


@compiled()
def curved_density(x, gradient, packed):  # type: ignore[no-untyped-def]
    """Log density where chi2 is not quadratic; its gradient is written to ``gradient``."""
    u = opened(x, packed)
    weights, log, point, scales, slopes, by_point, by_logs = coefficient_weights(u, packed)
    rest, slope, log_slope, by_rest = bounded_point(u[len(weights) :], matrix(packed, 19))
    centre = vector(packed, 22)
    count = len(centre)
    value, by_weights, by_parameters, by_white = curved_kernel(
        weights, rest[:count], rest[count:], vector(packed, 14), matrix(packed, 15), matrix(packed, 20), vector(packed, 17),
        vector(packed, 16), vector(packed, 21), centre, matrix(packed, 23), vector(packed, 24), matrix(packed, 25),
        matrix(packed, 26), cube(packed, 27), vector(packed, 28), matrix(packed, 29), matrix(packed, 30), cube(packed, 31),
        cube(packed, 32), vector(packed, 33), vector(packed, 34), vector(packed, 35), matrix(packed, 36),
        vector(packed, 37),
    )  # fmt: skip
    weights_pullback(u, weights, point, scales, slopes, by_point, by_logs, by_weights, packed, gradient)
    for p in range(count):
        by_rest[p] += by_parameters[p] * slope[p]
    by_rest[count:] = by_white
    closed(by_rest, packed, gradient)
    return value + log + log_slope


@compiled()
def extraction_density(x, gradient, packed):  # type: ignore[no-untyped-def]
    """Log density of an extraction; its gradient is written to ``gradient``."""
    u = opened(x, packed)
    weights, log, point, scales, slopes, by_point, by_logs = coefficient_weights(u, packed)
    kinds, predicted, first = matrix(packed, 19), matrix(packed, 20), len(weights)
    theta, log_theta = theta_point(u[first:], kinds)
    value, by_weights, by_theta, _ = extraction_kernel(
        weights, theta, np.zeros(0), vector(packed, 14), matrix(packed, 15), predicted, np.zeros((len(predicted), 0)),
        vector(packed, 17), vector(packed, 16), vector(packed, 21), matrix(packed, 22), vector(packed, 23),
        vector(packed, 24), vector(packed, 25), matrix(packed, 26), matrix(packed, 27), cube(packed, 28),
        hypercube(packed, 29),
    )  # fmt: skip
    weights_pullback(u, weights, point, scales, slopes, by_point, by_logs, by_weights, packed, gradient)
    by_rest = np.empty(len(kinds))
    theta_pullback(u[first:], theta, kinds, by_theta, by_rest)
    closed(by_rest, packed, gradient)
    return value + log + log_theta


@compiled()
def finite(value, gradient):  # type: ignore[no-untyped-def]
    """Whether value and gradient are finite."""
    good = np.isfinite(value)
    for i in range(len(gradient)):
        good = good and np.isfinite(gradient[i])
    return good


def _sampled_combination(dim, point, gradient, value, constants):  # type: ignore[no-untyped-def]
    packed = numba.carray(constants, (int(numba.carray(constants, (1,), np.float64)[0]),), np.float64)
    slope = numba.carray(gradient, (dim,))
    found = combination_density(numba.carray(point, (dim,)), slope, packed)
    numba.carray(value, (1,))[0] = found
    return 0 if finite(found, slope) else NOT_FINITE


def _sampled_extraction(dim, point, gradient, value, constants):  # type: ignore[no-untyped-def]
    packed = numba.carray(constants, (int(numba.carray(constants, (1,), np.float64)[0]),), np.float64)
    slope = numba.carray(gradient, (dim,))
    found = extraction_density(numba.carray(point, (dim,)), slope, packed)
    numba.carray(value, (1,))[0] = found
    return 0 if finite(found, slope) else NOT_FINITE


def _sampled_curved(dim, point, gradient, value, constants):  # type: ignore[no-untyped-def]
    packed = numba.carray(constants, (int(numba.carray(constants, (1,), np.float64)[0]),), np.float64)
    slope = numba.carray(gradient, (dim,))
    found = curved_density(numba.carray(point, (dim,)), slope, packed)
    numba.carray(value, (1,))[0] = found
    return 0 if finite(found, slope) else NOT_FINITE


def _expand(dim, expanded, point, result, _constants):  # type: ignore[no-untyped-def]
    if dim != expanded:
        return -1
    source, target = numba.carray(point, (dim,)), numba.carray(result, (dim,))
    for i in range(dim):
        target[i] = source[i]
    return 0


@dataclass(frozen=True)
class DensityKind:
    """A kind of model: its density as a numba function, and the function that the sampler calls."""

    density: Any
    sampled: Any

    @functools.cached_property
    def functions(self) -> tuple[Any, Any]:
        """C functions for nutpie: the log density with its gradient, and the copy of a point that is stored."""
        return c_function(DENSITY, self.sampled), c_function(EXPAND, _expand)


COMBINATION: Final = DensityKind(combination_density, _sampled_combination)
EXTRACTION: Final = DensityKind(extraction_density, _sampled_extraction)
CURVED: Final = DensityKind(curved_density, _sampled_curved)

"""The marginal log density of an extraction with its gradient, compiled: prediction, its covariance and the data in one.

It is :meth:`bayescomb.theory.Theory.predict` again, written for numba with the reverse sweep by hand, so that a gradient
costs about as much as two values and the model stays one node of the graph; tests hold the two together.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from bayescomb.linear_gaussian import LinearModel
from bayescomb.operators import ScalarWithGradient, invert
from bayescomb.theory import Theory

__all__ = ["extraction_kernel", "extraction_log_density"]

FloatArray = NDArray[np.float64]


@numba.njit(cache=True)
def polynomial(coefficients, u):  # type: ignore[no-untyped-def]
    """Value and derivative of sum_p coefficients_p u^p."""
    value, slope = 0.0, 0.0
    for p in range(len(coefficients) - 1, -1, -1):
        slope = slope * u + value
        value = value * u + coefficients[p]
    return value, slope


@numba.njit(cache=True)
def cross_sections(theta, mass_index, scale_index, centre, half_width, base, scale_response):  # type: ignore[no-untyped-def]
    """Cross sections T (n,), and d(log T) by mass, x and y (n, 3)."""
    n = len(centre)
    value, slope = np.empty(n), np.zeros((n, 3))
    for i in range(n):
        u = (theta[int(mass_index[i])] - centre[i]) / half_width[i]
        value[i], by_u = polynomial(base[:, i], u)
        by_u /= value[i]
        if len(scale_response):
            x, y = theta[int(scale_index[i, 0])], theta[int(scale_index[i, 1])]
            shape = (x, x * x, y, y * y, x * y, x * y * (x + y) / 2)
            by_x = (1.0, 2 * x, 0.0, 0.0, y, x * y + y * y / 2)
            by_y = (0.0, 0.0, 1.0, 2 * y, x, x * y + x * x / 2)
            logarithm = 0.0
            for k in range(6):
                c, c_slope = polynomial(scale_response[k, :, i], u)
                logarithm += shape[k] * c
                by_u += shape[k] * c_slope
                slope[i, 1] += by_x[k] * c
                slope[i, 2] += by_y[k] * c
            value[i] *= np.exp(logarithm)
        slope[i, 0] = by_u / half_width[i]
    return value, slope


@numba.njit(cache=True)
def relative_shifts(theta, mass_index, centre, half_width, shifts):  # type: ignore[no-untyped-def]
    """Relative shifts d (n, K), and their derivative by the mass (n, K)."""
    n, count = len(centre), shifts.shape[1]
    value, slope = np.zeros((n, count)), np.zeros((n, count))
    for i in range(n):
        u = (theta[int(mass_index[i])] - centre[i]) / half_width[i]
        for p in range(len(shifts) - 1, -1, -1):
            for k in range(count):
                slope[i, k] = slope[i, k] * u + value[i, k]
                value[i, k] = value[i, k] * u + shifts[p, k, i]
        for k in range(count):
            slope[i, k] /= half_width[i]
    return value, slope


@numba.njit(cache=True)
def product(first, second):  # type: ignore[no-untyped-def]
    """A matrix product of a few rows."""
    result = np.zeros((first.shape[0], second.shape[1]))
    for i in range(first.shape[0]):
        for k in range(first.shape[1]):
            for j in range(second.shape[1]):
                result[i, j] += first[i, k] * second[k, j]
    return result


@numba.njit(cache=True)
def extraction_kernel(  # type: ignore[no-untyped-def]
    coefficients, theta, levels, base, patterns, predicted, linear, offset, signs,
    mass_index, scale_index, centre, half_width, factor, same, cross, scale_response, shifts,
):  # fmt: skip
    r"""Log density of (r, theta, levels) with all nuisances integrated out, and its gradients.

    With c and D of the prediction, V = base + sum_c r_c patterns_c + A D D^T A^T and w = A c + L levels - w_0 it is
    -(w^T V^-1 w + log |det V|) / 2.

    Args:
        coefficients: r, shape (k,).
        theta: masses and scales, shape (H,).
        levels: free directions and free nuisances, shape (Z + F,).
        base: V without theory at r = 0, shape (R, R).
        patterns: dV/dr, shape (k, R * R).
        predicted: A, shape (R, n).
        linear: L, shape (R, Z + F).
        offset: w_0, shape (R,).
        signs: diagonal of J, shape (R,).
        mass_index: this and what follows as in :class:`~bayescomb.theory.Theory`; shape (n,).
        scale_index: shape (n, 2).
        centre: shape (n,).
        half_width: shape (n,).
        factor: shape (n,).
        same: shape (n, n).
        cross: its ``base``, shape (degree + 1, n).
        scale_response: shape (6, degree + 1, n), or without entries.
        shifts: shape (degree + 1, K, n).

    Returns:
        Value, gradient by r, by theta, by levels.
    """
    # Written out in loops, which numba compiles several times faster than expressions of arrays.
    n, size, count = len(centre), len(offset), shifts.shape[1]
    raw, log_slope = cross_sections(theta, mass_index, scale_index, centre, half_width, cross, scale_response)
    d, d_slope = relative_shifts(theta, mass_index, centre, half_width, shifts)
    value, weight, e = np.empty(n), np.zeros((n, n)), d.copy()
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += same[i, j] * raw[j]
        value[i] = raw[i] / total if same[i, i] > 0 else raw[i]
    for i in range(n):
        for j in range(n):
            weight[i, j] = same[i, j] * value[j]  # t_j in row i of its own distribution
            if weight[i, j] > 0:
                for k in range(count):
                    e[i, k] -= weight[i, j] * d[j, k]
    spread = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(count):
                total += e[i, k] * e[j, k]
            spread[i, j] = spread[j, i] = factor[i] * value[i] * factor[j] * value[j] * total

    covariance = base.copy()
    for c in range(len(coefficients)):
        for i in range(size):
            for j in range(size):
                covariance[i, j] += coefficients[c] * patterns[c, i * size + j]
    carried = product(predicted, spread)
    for i in range(size):
        for j in range(size):
            for b in range(n):
                covariance[i, j] += carried[i, b] * predicted[j, b]
    residual = np.zeros(size)
    for i in range(size):
        residual[i] = -offset[i]
        for b in range(n):
            residual[i] += predicted[i, b] * factor[b] * value[b]
        for b in range(len(levels)):
            residual[i] += linear[i, b] * levels[b]
    by_r, by_theta, by_levels = np.zeros(len(coefficients)), np.zeros(len(theta)), np.zeros(len(levels))
    definite, inverse, logdet = invert(covariance, signs)
    if not definite:
        return -np.inf, by_r, by_theta, by_levels
    solved, quadratic = np.zeros(size), 0.0
    for i in range(size):
        for j in range(size):
            solved[i] += inverse[i, j] * residual[j]
        quadratic += residual[i] * solved[i]
    if not np.isfinite(quadratic):
        return -np.inf, by_r, by_theta, by_levels
    by_covariance = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            by_covariance[i, j] = 0.5 * (solved[i] * solved[j] - inverse[i, j])
    for c in range(len(coefficients)):
        for i in range(size):
            for j in range(size):
                by_r[c] += patterns[c, i * size + j] * by_covariance[i, j]
    by_central, by_spread = np.zeros(n), np.zeros((n, n))
    for i in range(size):
        for b in range(len(levels)):
            by_levels[b] -= linear[i, b] * solved[i]
        for b in range(n):
            by_central[b] -= predicted[i, b] * solved[i]
    carried = product(by_covariance, predicted)
    for i in range(size):
        for a in range(n):
            for b in range(n):
                by_spread[a, b] += predicted[i, a] * carried[i, b]

    by_value, by_e = np.zeros(n), np.zeros((n, count))
    for i in range(n):
        for j in range(n):
            scale = 2 * by_spread[i, j] * factor[j] * value[j]
            for k in range(count):
                by_e[i, k] += scale * e[j, k]
        for k in range(count):
            by_central[i] += by_e[i, k] * e[i, k]  # of the loading factor value e
            by_e[i, k] *= factor[i] * value[i]
    by_d = by_e.copy()
    for i in range(n):
        by_value[i] += factor[i] * by_central[i]
        for j in range(n):
            if weight[i, j] > 0:
                for k in range(count):
                    by_d[j, k] -= weight[i, j] * by_e[i, k]
                    by_value[j] -= by_e[i, k] * d[j, k]
    for i in range(n):
        mean = 0.0
        for j in range(n):
            mean += same[i, j] * by_value[j] * value[j]
        by_log = value[i] * (by_value[i] - mean)
        by_mass = by_log * log_slope[i, 0]
        for k in range(count):
            by_mass += by_d[i, k] * d_slope[i, k]
        by_theta[int(mass_index[i])] += by_mass
        if len(scale_response):
            by_theta[int(scale_index[i, 0])] += by_log * log_slope[i, 1]
            by_theta[int(scale_index[i, 1])] += by_log * log_slope[i, 2]
    return -0.5 * (quadratic + logdet), by_r, by_theta, by_levels


def extraction_log_density(
    coefficients: Any,
    theta: Any,
    levels: Any,
    *,
    theory: Theory,
    model: LinearModel,
    base: FloatArray,
    patterns: FloatArray,
) -> Any:
    """Symbolic log density of (r, theta, levels) with all nuisances integrated out; a scalar.

    Args:
        coefficients: symbolic r, shape (k,).
        theta: symbolic masses and scales, shape (H,).
        levels: symbolic free directions of the observables and free nuisances, shape (Z + F,).
        theory: the prediction.
        model: reduced linear model in the observables, R rows.
        base: V at r = 0 without theory, shape (R, R).
        patterns: dV/dr, shape (k, R, R).
    """
    n = len(theory.select)
    constants = (
        base,
        patterns.reshape(len(patterns), len(base) ** 2),
        model.design[:, :n] @ theory.select,
        np.hstack([model.design[:, :n] @ theory.free, model.design[:, n:]]),
        model.offset,
        model.signs,
        theory.mass_index.astype(float),
        theory.scale_index.astype(float),
        theory.centre,
        theory.half_width,
        theory.factor,
        theory.same,
        theory.base,
        theory.scale_response,
        theory.shifts,
    )
    return ScalarWithGradient(extraction_kernel, constants, n_inputs=3)(coefficients, theta, levels)[0]

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
            shape = np.array([x, x * x, y, y * y, x * y, x * y * (x + y) / 2])
            by_x = np.array([1.0, 2 * x, 0.0, 0.0, y, x * y + y * y / 2])
            by_y = np.array([0.0, 0.0, 1.0, 2 * y, x, x * y + x * x / 2])
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
    return value, slope / half_width.reshape(n, 1)


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
    n, size = len(centre), len(offset)
    raw, log_slope = cross_sections(theta, mass_index, scale_index, centre, half_width, cross, scale_response)
    d, d_slope = relative_shifts(theta, mass_index, centre, half_width, shifts)
    value = raw.copy()
    for i in range(n):
        if same[i, i] > 0:
            value[i] = raw[i] / (same[i] * raw).sum()
    weight = same * value  # t_j in row i of its own distribution
    e = d - weight @ d
    central = factor * value
    loading = central.reshape(n, 1) * e
    spread = loading @ loading.T

    covariance = base + predicted @ spread @ predicted.T
    for c in range(len(coefficients)):
        for i in range(size):
            for j in range(size):
                covariance[i, j] += coefficients[c] * patterns[c, i * size + j]
    residual = predicted @ central + linear @ levels - offset
    by_r, by_theta = np.zeros(len(coefficients)), np.zeros(len(theta))
    definite, inverse, logdet = invert(covariance, signs)
    if not definite:
        return -np.inf, by_r, by_theta, np.zeros(len(levels))
    solved = inverse @ residual
    density = -0.5 * (residual @ solved + logdet)
    by_covariance = 0.5 * (np.outer(solved, solved) - inverse)
    for c in range(len(coefficients)):
        total = 0.0
        for i in range(size):
            for j in range(size):
                total += patterns[c, i * size + j] * by_covariance[i, j]
        by_r[c] = total
    by_levels = -(linear.T @ solved)

    by_loading = 2 * (predicted.T @ by_covariance @ predicted) @ loading
    by_central = (by_loading * e).sum(axis=1) - predicted.T @ solved
    by_e = by_loading * central.reshape(n, 1)
    by_value = factor * by_central - (same.T @ by_e * d).sum(axis=1)
    by_d = by_e - weight.T @ by_e
    by_log = by_value * value
    by_log = by_log - value * (same @ by_log)
    for i in range(n):
        by_theta[int(mass_index[i])] += by_log[i] * log_slope[i, 0] + (by_d[i] * d_slope[i]).sum()
        if len(scale_response):
            by_theta[int(scale_index[i, 0])] += by_log[i] * log_slope[i, 1]
            by_theta[int(scale_index[i, 1])] += by_log[i] * log_slope[i, 2]
    return density, by_r, by_theta, by_levels


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

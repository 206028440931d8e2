r"""Compiled log densities with their gradients: a Gaussian, a linear-Gaussian model, and an extraction.

The prediction is that of :meth:`bayescomb.likelihood.theory.Theory.predict`, written again for numba with the reverse sweep
by hand, so that a gradient costs about as much as two values.  Tests compare the two forms.

With V(y) = base + sum_c y_c patterns_c and a residual w the log density is -(w^T V^-1 w + log |det V|) / 2.  Symmetric
matrices are packed: their upper triangle, row after row, R (R + 1) / 2 numbers.  One factor U with V = U^T s U is enough:

.. math::  \frac{\partial}{\partial V} = \frac{1}{2} (V^{-1} w w^T V^{-1} - V^{-1}), \qquad V^{-1} = U^{-1} s U^{-T}.

The signs s of the pivots are known: -1 for the rows of sign -1 in J, and for rows that integrate a parameter out.  Such a
quasi-definite matrix has this factor in any order of its rows (Vanderbei, SIAM J. Optim. 5 (1995) 100); a pivot of the other
sign means that the total precision is not positive definite.
"""

from __future__ import annotations

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.likelihood.least_squares import near
from bayescomb.likelihood.linear_gaussian import LinearModel
from bayescomb.likelihood.theory import Theory
from bayescomb.sampling.fused.compiled import compiled

__all__ = [
    "centred",
    "extraction_kernel",
    "gaussian_kernel",
    "marginal_kernel",
    "packed",
    "pivot_order",
    "pivot_signs",
    "signed_factor",
    "theory_constants",
]

TINY = 1e-300  # smaller numbers lose digits
SINGULAR = 1e-16  # a pivot below this share of the diagonal is rounding


@compiled()
def marginal_kernel(coefficients, parameters, base, patterns, design, offset, signs):  # type: ignore[no-untyped-def]
    r"""Log density of (r, p) with all nuisances integrated out, and its gradients.

    With V = base + sum_c r_c patterns_c and w = K p - w_0 it is -(w^T V^-1 w + log |det V|) / 2; its derivatives are
    tr[(V^-1 w w^T V^-1 - V^-1) patterns_c] / 2 and -K^T V^-1 w.  Where the total precision is not positive definite (V has
    more negative eigenvalues than J) the density is 0.

    Args:
        coefficients: r, shape (k,).
        parameters: p, shape (P,).
        base: packed, R (R + 1) / 2 numbers.
        patterns: packed, shape (k, R (R + 1) / 2).
        design: K, shape (R, P).
        offset: w_0, shape (R,).
        signs: of the pivots, shape (R,).

    Returns:
        Value, gradient by r, gradient by p.
    """
    size = len(offset)
    residual = -offset
    for i in range(size):
        for p in range(len(parameters)):
            residual[i] += design[i, p] * parameters[p]
    gradient_p = np.zeros(len(parameters))
    value, gradient_r, solved, _ = gaussian_kernel(coefficients, residual, base.copy(), patterns, signs, False)
    if value > -np.inf:
        for i in range(size):
            for p in range(len(parameters)):
                gradient_p[p] -= design[i, p] * solved[i]
    return value, gradient_r, gradient_p


@compiled()
def polynomial(coefficients, u):  # type: ignore[no-untyped-def]
    """Value and derivative of sum_p coefficients_p u^p."""
    value, slope = 0.0, 0.0
    for p in range(len(coefficients) - 1, -1, -1):
        slope = slope * u + value
        value = value * u + coefficients[p]
    return value, slope


@compiled()
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


@compiled(reorder=True)
def shift_products(theta, mass_index, centre, half_width, gram):  # type: ignore[no-untyped-def]
    """Products d d^T of the relative shifts (n, n), and their derivative by the mass of the row (n, n)."""
    n, powers = len(centre), len(gram)
    value, slope, inner, power = np.zeros((n, n)), np.zeros((n, n)), np.empty(n), np.ones((powers, n))
    for q in range(1, powers):
        for i in range(n):
            power[q, i] = power[q - 1, i] * (theta[int(mass_index[i])] - centre[i]) / half_width[i]
    for i in range(n):
        for p in range(powers):
            inner[:] = 0.0
            for q in range(powers):
                for j in range(n):
                    inner[j] += power[q, j] * gram[p, q, i, j]
            by_u = p * power[p - 1, i] / half_width[i] if p else 0.0
            for j in range(n):
                value[i, j] += power[p, i] * inner[j]
                slope[i, j] += by_u * inner[j]
    return value, slope


@compiled(reorder=True)
def product(first, second):  # type: ignore[no-untyped-def]
    """The product of two small matrices."""
    result = np.zeros((first.shape[0], second.shape[1]))
    for i in range(first.shape[0]):
        for k in range(first.shape[1]):
            for j in range(second.shape[1]):
                result[i, j] += first[i, k] * second[k, j]
    return result


@compiled(reorder=True)
def extraction_kernel(  # type: ignore[no-untyped-def]
    coefficients, theta, levels, base, patterns, predicted, linear, offset, signs,
    mass_index, scale_index, centre, half_width, factor, same, cross, scale_response, gram,
):  # fmt: skip
    r"""Log density of (r, theta, levels) with all nuisances integrated out, and its gradients.

    With c and D of the prediction, V = base + sum_c r_c patterns_c + A D D^T A^T and w = A c + L levels - w_0 the log
    density is -(w^T V^-1 w + log |det V|) / 2.

    Args:
        coefficients: r, shape (k,).
        theta: masses and scales, shape (H,).
        levels: free directions and free nuisances, shape (Z + F,).
        base: V without theory at r = 0, packed.
        patterns: dV/dr, packed, shape (k, R (R + 1) / 2).
        predicted: A, shape (R, n).
        linear: L, shape (R, Z + F).
        offset: w_0, shape (R,).
        signs: of the pivots, shape (R,).
        mass_index: this and what follows as in :class:`~bayescomb.likelihood.theory.Theory`, shape (n,).
        scale_index: shape (n, 2).
        centre: shape (n,).
        half_width: shape (n,).
        factor: shape (n,).
        same: shape (n, n).
        cross: its ``base``, shape (degree + 1, n).
        scale_response: shape (6, degree + 1, n), or without entries.
        gram: products of the coefficients of its ``shifts``, summed over nuisances, shape (degree + 1, degree + 1, n, n).

    Returns:
        Value, gradient by r, by theta, by levels.
    """
    # Written out in loops, which numba compiles several times faster than expressions of arrays.
    n, size = len(centre), len(offset)
    raw, log_slope = cross_sections(theta, mass_index, scale_index, centre, half_width, cross, scale_response)
    shifts, shift_slope = shift_products(theta, mass_index, centre, half_width, gram)
    value, share, inside, normalised = np.empty(n), np.empty(n), np.zeros((n, n)), False
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += same[i, j] * raw[j]
        normalised = normalised or same[i, i] > 0
        share[i] = raw[i] / total if same[i, i] > 0 else raw[i]
        value[i] = factor[i] * share[i]
    # e e^T of the shifts e = (1 - W) d of normalised distributions, W_ij = t_j for i, j in the same distribution
    turned, spread = shifts, shifts.copy()
    if normalised:
        for i in range(n):
            inside[i, i] = 1.0
            for j in range(n):
                inside[i, j] -= same[i, j] * share[j]
        turned = product(inside, shifts)
        spread = product(turned, inside.T)
    relative = spread.copy()
    for i in range(n):
        for j in range(n):
            spread[i, j] *= value[i] * value[j]

    covariance, at = base.copy(), 0
    carried = product(predicted, spread)
    for i in range(size):
        for j in range(i, size):
            for b in range(n):
                covariance[at] += carried[i, b] * predicted[j, b]
            at += 1
    residual = np.zeros(size)
    for i in range(size):
        residual[i] = -offset[i]
        for b in range(n):
            residual[i] += predicted[i, b] * value[b]
        for b in range(len(levels)):
            residual[i] += linear[i, b] * levels[b]
    by_theta, by_levels = np.zeros(len(theta)), np.zeros(len(levels))
    density, by_r, solved, by_covariance = gaussian_kernel(coefficients, residual, covariance, patterns, signs, True)
    if density == -np.inf:
        return density, by_r, by_theta, by_levels
    by_central, by_spread = np.zeros(n), np.zeros((n, n))
    carried, at = np.zeros((size, n)), 0
    for i in range(size):
        for b in range(len(levels)):
            by_levels[b] -= linear[i, b] * solved[i]
        for b in range(n):
            by_central[b] -= predicted[i, b] * solved[i]
        for j in range(i, size):
            half = by_covariance[at] * (1.0 if i == j else 0.5)
            for b in range(n):
                carried[i, b] += half * predicted[j, b]
            if j > i:
                for b in range(n):
                    carried[j, b] += half * predicted[i, b]
            at += 1
    for i in range(size):
        for a in range(n):
            for b in range(n):
                by_spread[a, b] += predicted[i, a] * carried[i, b]

    by_share, by_relative = np.zeros(n), by_spread
    for i in range(n):
        for j in range(n):
            by_central[i] += 2 * by_spread[i, j] * value[j] * relative[i, j]
            by_relative[i, j] *= value[i] * value[j]
        by_share[i] = factor[i] * by_central[i]
    by_shifts = by_relative
    if normalised:
        by_inside = product(by_relative, turned)
        by_shifts = product(inside.T, product(by_relative, inside))
        for i in range(n):
            for j in range(n):
                by_share[j] -= 2 * same[i, j] * by_inside[i, j]
    for i in range(n):
        mean = 0.0
        for j in range(n):
            mean += same[i, j] * by_share[j] * share[j]
        by_log = share[i] * (by_share[i] - mean)
        by_mass = by_log * log_slope[i, 0]
        for j in range(n):
            by_mass += 2 * by_shifts[i, j] * shift_slope[i, j]
        by_theta[int(mass_index[i])] += by_mass
        if len(scale_response):
            by_theta[int(scale_index[i, 0])] += by_log * log_slope[i, 1]
            by_theta[int(scale_index[i, 1])] += by_log * log_slope[i, 2]
    return density, by_r, by_theta, by_levels


def theory_constants(theory: Theory) -> tuple[FloatArray, ...]:
    """The last arguments of :func:`extraction_kernel`; theory nuisances enter through the products of their shifts only."""
    return (
        theory.mass_index.astype(float),
        theory.scale_index.astype(float),
        theory.centre,
        theory.half_width,
        theory.factor,
        theory.same,
        theory.base,
        theory.scale_response,
        np.einsum("pki,qkj->pqij", theory.shifts, theory.shifts),
    )


def centred(model: LinearModel) -> tuple[FloatArray, FloatArray]:
    """A point p_0 near the data, shape (P,), and w_0 - K p_0, which stays small where data are precise, shape (R,)."""
    centre = near(model.design, model.offset)
    return centre, model.offset - model.design @ centre


def pivot_order(signs: FloatArray) -> IntArray:
    """Order of the rows with those of sign -1 last, which keeps their pivots accurate, shape (R,)."""
    return np.concatenate([np.flatnonzero(signs >= 0), np.flatnonzero(signs < 0)])


def pivot_signs(signs: FloatArray) -> FloatArray:
    """Signs of the pivots of V: 1 also for rows without noise, whose variance is that of their nuisances, shape (R,)."""
    return np.where(signs < 0, -1.0, 1.0)


def packed(matrices: FloatArray) -> FloatArray:
    """Upper triangles of symmetric matrices, row after row.

    Args:
        matrices: shape (..., R, R).

    Returns:
        Shape (..., R (R + 1) / 2).

    Examples:
        >>> packed(np.array([[1.0, 2.0], [2.0, 3.0]])).tolist()
        [1.0, 2.0, 3.0]
    """
    rows, columns = np.triu_indices(matrices.shape[-1])
    return np.ascontiguousarray(matrices[..., rows, columns], dtype=np.float64)


@compiled(reorder=True)
def signed_factor(upper, signs):  # type: ignore[no-untyped-def]
    """Replace V by U with V = U^T s U.

    Args:
        upper: V, of which the upper triangle is read and replaced, shape (R, R).
        signs: s, shape (R,).

    Returns:
        Whether all pivots have their sign, and log |det V|.
    """
    size, logdet = len(signs), 0.0
    diagonal = np.empty(size)
    for k in range(size):
        diagonal[k] = abs(upper[k, k])
    for k in range(size):
        pivot = upper[k, k] * signs[k]
        if not (pivot > SINGULAR * diagonal[k] and TINY < pivot < np.inf):
            return False, 0.0
        logdet += np.log(pivot)
        scale = signs[k] / np.sqrt(pivot)
        for j in range(k, size):
            upper[k, j] *= scale
        for i in range(k + 1, size):
            factor = upper[k, i] * signs[k]
            for j in range(i, size):
                upper[i, j] -= factor * upper[k, j]
    return True, logdet


@compiled(reorder=True)
def gaussian_kernel(weights, residual, covariance, patterns, signs, by_covariance):  # type: ignore[no-untyped-def]
    """Log density of a Gaussian, and the terms of its gradients.

    Args:
        weights: y, shape (k,).
        residual: w, shape (R,).
        covariance: V without the patterns, packed; it is overwritten.
        patterns: packed, shape (k, R (R + 1) / 2).
        signs: of the pivots, shape (R,).
        by_covariance: whether the derivative by V is wanted where there are no patterns.

    Returns:
        Value, minus infinity where a pivot has the wrong sign; gradient by y, shape (k,); V^-1 w, shape (R,); derivative by
        the independent entries of V, packed.
    """
    size, count = len(residual), len(weights)
    by_weights, solved = np.zeros(count), np.zeros(size)
    for c in range(count):
        for t in range(len(covariance)):
            covariance[t] += weights[c] * patterns[c, t]
    upper, inverse = np.zeros((size, size)), np.zeros((size, size))
    at = 0
    for i in range(size):
        for j in range(i, size):
            upper[i, j] = covariance[at + j - i]
        at += size - i
    definite, logdet = signed_factor(upper, signs)
    if not definite:
        return -np.inf, by_weights, solved, covariance
    # z = s U^-T w and V^-1 w = U^-1 z
    quadratic = 0.0
    for i in range(size):
        solved[i] = residual[i]
    for i in range(size):
        white = solved[i] / upper[i, i]
        for j in range(i + 1, size):
            solved[j] -= white * upper[i, j]
        solved[i] = white * signs[i]
        quadratic += white * white * signs[i]
    for i in range(size - 1, -1, -1):
        total = solved[i]
        for j in range(i + 1, size):
            total -= upper[i, j] * solved[j]
        solved[i] = total / upper[i, i]
    value = -0.5 * (quadratic + logdet)
    if not np.isfinite(value):
        return -np.inf, by_weights, solved, covariance
    if count == 0 and not by_covariance:
        return value, by_weights, solved, covariance
    for i in range(size - 1, -1, -1):
        pivot = 1.0 / upper[i, i]
        for k in range(i + 1, size):
            factor = upper[i, k] * pivot
            for j in range(k, size):
                inverse[i, j] -= factor * inverse[k, j]
        inverse[i, i] = pivot
    at = 0
    for i in range(size):
        for j in range(i, size):
            total = 0.0
            for k in range(j, size):
                total += inverse[i, k] * signs[k] * inverse[j, k]
            covariance[at] = solved[i] * solved[j] - total
            at += 1
        covariance[at - size + i] *= 0.5
    for c in range(count):
        total = 0.0
        for t in range(len(covariance)):
            total += patterns[c, t] * covariance[t]
        by_weights[c] = total
    return value, by_weights, solved, covariance

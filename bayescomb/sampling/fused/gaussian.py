r"""Log density of a Gaussian whose covariance is linear in weights, and its gradients, compiled.

With V(y) = base + sum_c y_c patterns_c and a residual w it is -(w^T V^-1 w + log |det V|) / 2.  Symmetric matrices are kept
as their upper triangle, row after row, R (R + 1) / 2 numbers.  One factor U with V = U^T s U gives everything:

.. math::  \frac{\partial}{\partial V} = \frac{1}{2} (V^{-1} w w^T V^{-1} - V^{-1}), \qquad V^{-1} = U^{-1} s U^{-T}.

The signs s of the pivots are prescribed: -1 for the rows of J that are -1, and for rows that integrate a parameter out.
Such a quasi-definite matrix has this factor in any order of its rows (Vanderbei, SIAM J. Optim. 5 (1995) 100), and another
sign means that the total precision is not positive definite.
"""

from __future__ import annotations

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.sampling.fused.compiled import compiled

__all__ = ["gaussian_kernel", "packed", "signed_factor"]

TINY = 1e-300  # below this a number has lost digits
SINGULAR = 1e-16  # a pivot of this share of its row is rounding


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
    """U with V = U^T s U in place of V, and log |det V|.

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
    """Log density, and what its gradients are made of.

    Args:
        weights: y, shape (k,).
        residual: w, shape (R,).
        covariance: V without the patterns, packed; it is overwritten.
        patterns: packed, shape (k, R (R + 1) / 2).
        signs: of the pivots, shape (R,).
        by_covariance: whether the derivative by V is wanted where there are no patterns.

    Returns:
        Value, minus infinity where a pivot has another sign; gradient by y, shape (k,); V^-1 w, shape (R,); derivative by
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

r"""Compiled log density where chi2 is not quadratic, with its gradients: explicit nuisances and a linear-Gaussian model.

The formulas are those of :class:`bayescomb.sampling.plan.CurvedPlan` and
:class:`bayescomb.likelihood.nonlinear.model.Curved`, written again for numba with the reverse sweep by hand, as a graph of
every step takes minutes to compile.  Tests compare the two forms.
"""

from __future__ import annotations

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.sampling.fused.compiled import compiled
from bayescomb.sampling.fused.likelihood import centred, marginal_kernel, packed, pivot_order, pivot_signs
from bayescomb.sampling.plan import CurvedPlan, SamplingPlan

__all__ = ["curved_constants", "curved_kernel", "has_kernel"]

TINY = 1e-300  # replaces a factor of exactly 0, many sigma away, so that quotients stay finite


def has_kernel(curved: CurvedPlan) -> bool:
    """Whether the kernel covers the predictions: those linear in the variables, without constants and likelihood tables."""
    found = curved.map.parts.map
    return found.linear and not found.constant.any() and not found.tables


def curved_constants(plan: SamplingPlan, curved: CurvedPlan) -> tuple[FloatArray, ...]:
    """The last arguments of :func:`curved_kernel`."""
    parts, reduced = curved.map.parts, plan.reduced
    responses = parts.responses
    order = pivot_order(reduced.signs)
    centre, offset = centred(reduced)
    base, patterns = plan.explicit_prior
    ups = (responses.absolute_up, responses.relative_up, responses.log_up)
    downs = (responses.absolute_down, responses.relative_down, responses.log_down)
    shifts = parts.shifts @ parts.centre if parts.pearson else np.zeros(len(parts.measured))
    constants = (
        packed(plan.base[np.ix_(order, order)]),
        packed(plan.patterns[:, order][:, :, order]),
        reduced.design[order],
        offset[order],
        pivot_signs(reduced.signs[order]),
        centre,
        curved.centre,
        curved.slope,
        curved.offset,
        curved.scale,
        base,
        patterns,
        curved.map.mean,
        curved.map.basis,
        parts.map.design,
        np.array(ups),
        -np.array(downs),
        responses.centre,
        shifts,
        parts.measured,
        parts.factor if parts.pearson else np.zeros((0, 0)),
        parts.counted,
    )
    return tuple(np.ascontiguousarray(c, dtype=np.float64) for c in constants)


@compiled(reorder=True)
def times(matrix, x):  # type: ignore[no-untyped-def]
    """A matrix times a vector."""
    result = np.zeros(matrix.shape[0])
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            result[i] += matrix[i, j] * x[j]
    return result


@compiled(reorder=True)
def transposed_times(matrix, x):  # type: ignore[no-untyped-def]
    """The transpose of a matrix times a vector."""
    result = np.zeros(matrix.shape[1])
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            result[j] += matrix[i, j] * x[i]
    return result


@compiled()
def root_of(matrix):  # type: ignore[no-untyped-def]
    """Whether a matrix is positive definite, and its Cholesky factor, lower triangular."""
    n = len(matrix)
    root = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= root[i, k] * root[j, k]
            if i > j:
                root[i, j] = total / root[j, j]
            elif total > TINY and total < np.inf:
                root[i, i] = np.sqrt(total)
            else:
                return False, root
    return True, root


@compiled()
def root_pullback(root, by_root):  # type: ignore[no-untyped-def]
    """Derivative by the lower triangle of a matrix, from that by its Cholesky factor, which is overwritten.

    It is the reverse sweep of :func:`root_of` (Murray, arXiv:1602.07527).
    """
    n = len(root)
    by_matrix = np.zeros((n, n))
    for i in range(n - 1, -1, -1):
        for j in range(i, -1, -1):
            if i == j:
                total = 0.5 * by_root[i, i] / root[i, i]
            else:
                total = by_root[i, j] / root[j, j]
                by_root[j, j] -= total * root[i, j]
            by_matrix[i, j] = total
            for k in range(j):
                by_root[i, k] -= total * root[j, k]
                by_root[j, k] -= total * root[i, k]
    return by_matrix


@compiled(reorder=True)
def responses_kernel(t, nuisances, centre, up, down):  # type: ignore[no-untyped-def]
    """Predictions of estimates, their derivatives by t, shape (E,), and by the nuisances, shape (E, n)."""
    n_estimates, count = up.shape[1], len(nuisances)
    value, by_t, by_nuisance = np.empty(n_estimates), np.empty(n_estimates), np.zeros((n_estimates, count))
    for e in range(n_estimates):
        factor, power, added = 1.0, 0.0, 0.0
        for i in range(count):
            away = nuisances[i] - centre[i]
            slopes = up if nuisances[i] >= 0 else down
            added += slopes[0, e, i] * away
            factor *= 1 + slopes[1, e, i] * away
            power += slopes[2, e, i] * away
        by_t[e] = factor * np.exp(power)
        value[e] = t[e] * by_t[e] + added
        for i in range(count):
            slopes = up if nuisances[i] >= 0 else down
            by_nuisance[e, i] = slopes[0, e, i]
            if slopes[1, e, i] != 0.0 or slopes[2, e, i] != 0.0:
                term = 1 + slopes[1, e, i] * (nuisances[i] - centre[i])
                term = TINY if term == 0.0 else term
                by_nuisance[e, i] += t[e] * by_t[e] * (slopes[1, e, i] / term + slopes[2, e, i])
    return value, by_t, by_nuisance


@compiled()
def curved_kernel(  # type: ignore[no-untyped-def]
    coefficients, parameters, white, base, patterns, design, offset, signs, linear_centre, centre, slope, start, scale,
    prior, prior_patterns, mean, basis, to_estimates, up, down, response_centre, shifts, measured, factor,
    counted,
):  # fmt: skip
    """Log density of (r, p, xi), all nuisances integrated out except those in which chi2 is not quadratic; its gradients.

    Args:
        coefficients: r, shape (K,).
        parameters: p, observables and free nuisances, shape (P,).
        white: xi, shape (Z,).
        base: this and the next four as in :func:`.likelihood.marginal_kernel`, with q as parameters.
        patterns: likewise.
        design: likewise.
        offset: likewise.
        signs: likewise.
        linear_centre: q at which the offset is taken.
        centre: p_0 of :class:`~bayescomb.sampling.plan.CurvedPlan`, shape (P,).
        slope: A, shape (Z, P).
        start: z_0, shape (Z,).
        scale: B, shape (Z, Z).
        prior: S at r = 0, shape (k, k).
        prior_patterns: dS/dr, shape (K, k, k).
        mean: T m, shape (Y,).
        basis: R, shape (Y, Z).
        to_estimates: map from observables to estimates, shape (E, O).
        up: slopes of the absolute, relative and lognormal responses above 0, shape (3, E, n).
        down: the same below 0.
        response_centre: shape (n,).
        shifts: of the estimates at the centres of their nuisances, for Pearson's chi2, shape (E,).
        measured: shape (E,).
        factor: L of Pearson's weights, shape (E, E), or empty for Neyman's.
        counted: 1 for estimates with Pearson's weights, 0 for stated priors, shape (E,).

    Returns:
        Value, gradient by r, by p, by xi.
    """
    count, size, kept = len(parameters), len(white), len(prior)
    n_estimates, n_observables, cut = len(measured), to_estimates.shape[1], size - kept
    n_free, pearson = count - n_observables, len(factor) > 0
    by_r, by_p, by_white = np.zeros(len(coefficients)), np.zeros(count), np.zeros(size)
    away = parameters - centre
    zeta = start + times(slope, away) + times(scale, white)
    covariance = prior.copy()
    for c in range(len(coefficients)):
        for i in range(kept):
            for j in range(kept):
                covariance[i, j] += coefficients[c] * prior_patterns[c, i, j]
    definite, root = root_of(covariance)
    if not definite:
        return -np.inf, by_r, by_p, by_white
    z, volume = zeta.copy(), 0.0
    z[cut:] = times(root, zeta[cut:])
    for i in range(kept):
        volume += np.log(root[i, i])
    y = mean + times(basis, z)
    n_explicit = len(response_centre) - n_free
    nuisances = np.concatenate((y[:n_explicit], parameters[n_observables:]))
    t = times(to_estimates, parameters[:n_observables])
    predicted, by_t, by_nuisance = responses_kernel(t, nuisances, response_centre, up, down)
    if pearson:
        predicted = predicted + y[n_explicit:] - shifts
    lead = 0 if pearson else n_estimates
    q = np.empty(lead + n_free + size)
    if not pearson:
        q[:lead] = predicted - measured
    q[lead : lead + n_free] = parameters[n_observables:]
    q[lead + n_free :] = z
    value, by_r, by_q = marginal_kernel(coefficients, q - linear_centre, base, patterns, design, offset, signs)
    if value == -np.inf:
        return value, by_r, by_p, by_white
    value += volume
    by_predicted = np.zeros(n_estimates)
    if pearson:
        ratio = np.ones(n_estimates)
        for e in range(n_estimates):
            if counted[e] > 0.0:
                ratio[e] = np.abs(predicted[e] / measured[e])
        residual = (measured - predicted) / np.sqrt(ratio)
        pulled = times(factor, residual)
        by_residual = transposed_times(factor, pulled)
        for e in range(n_estimates):
            value -= 0.5 * (pulled[e] * pulled[e] + np.log(ratio[e]))
            # d(residual)/d(prediction) and half d(log ratio), the ratio being proportional to the prediction
            half = 0.5 / predicted[e] if counted[e] > 0.0 else 0.0
            by_predicted[e] = by_residual[e] * (1 / np.sqrt(ratio[e]) + half * residual[e]) - half
    else:
        by_predicted = by_q[:lead].copy()
    by_p[n_observables:] = by_q[lead : lead + n_free]
    by_z = by_q[lead + n_free :].copy()
    by_y = np.zeros(len(mean))
    by_arguments = transposed_times(by_nuisance, by_predicted)
    by_y[:n_explicit] = by_arguments[:n_explicit]
    by_p[n_observables:] += by_arguments[n_explicit:]
    if pearson:
        by_y[n_explicit:] = by_predicted
    by_p[:n_observables] = transposed_times(to_estimates, by_t * by_predicted)
    by_z += transposed_times(basis, by_y)
    by_zeta = by_z.copy()
    by_zeta[cut:] = transposed_times(root, by_z[cut:])
    by_root = np.zeros((kept, kept))
    for i in range(kept):
        for j in range(i + 1):
            by_root[i, j] = by_z[cut + i] * zeta[cut + j]
        by_root[i, i] += 1 / root[i, i]
    by_covariance = root_pullback(root, by_root)
    for c in range(len(coefficients)):
        for i in range(kept):
            for j in range(i + 1):
                by_r[c] += prior_patterns[c, i, j] * by_covariance[i, j]
    by_p += transposed_times(slope, by_zeta)
    by_white = transposed_times(scale, by_zeta)
    return value, by_r, by_p, by_white

"""Priors and coordinates of the fused density: from what the sampler moves to coefficients, scales and masses, and back.

The sampler moves xi; u = shift + stretch xi are the coordinates, standard normal or of about unit width near the best fit.
"""

from __future__ import annotations

import math

import numpy as np

from bayescomb.sampling.fused.compiled import compiled

__all__ = ["prior_laws", "scale_priors", "theta_point", "theta_pullback"]

# What a mass or a scale of a prediction is, first column of its row: flat in a box by the logistic function, normal, or one
# of normal ones that are correlated between energies.
BOXED, NORMAL, CORRELATED = 0, 1, 2


@compiled()
def prior_laws(coefficients, laws, by_coefficients):  # type: ignore[no-untyped-def]
    """Log prior density of coefficients inside their ranges, its derivative added to ``by_coefficients``.

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
        u: coordinates, shape (H,); where scales are correlated the last one is that of their coefficient.
        kinds: what each is, low and high of a box, and standard deviation of a normal one, shape (H, 4).

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
            fall = np.exp(-abs(u[h]))  # in which nothing cancels at either end
            side = 1.0 if u[h] < 0 else -1.0
            by_u[h] = by_value[h] * (kinds[h, 2] - kinds[h, 1]) * fall / (1 + fall) ** 2 + side * (1 - fall) / (1 + fall)
        else:
            by_u[h] = by_value[h] * kinds[h, 3] - u[h]

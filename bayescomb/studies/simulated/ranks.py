"""Record of the posterior of a simulated data set: rank of each true value among nearly independent draws, and summaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import arviz as az
import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.sampling.posterior.moments import LEVELS, mean_sd
from bayescomb.sampling.recovery import semidefinite_factor

__all__ = ["RANKS", "effective_draws", "matrix_root", "ranked"]

# Evenly spaced draws among which a rank is taken; fewer than the effective draws, so that they are nearly independent.
RANKS: Final = 99
# Effective draws needed for that, and the factors on the chain length that are tried until there are so many.
LEAST_EFFECTIVE: Final = 120
LONGER: Final = (1, 2, 4, 8)


def ranked(
    truth: Mapping[str, float], sampled: Callable[[int], tuple[dict[str, FloatArray], int, str]], *, chains: int
) -> dict[str, Any]:
    """Ranks and summaries of the posterior of a data set, as plain data.

    Chains are made longer until their draws suffice for the ranks.

    Args:
        truth: true value by quantity.
        sampled: samples with chains longer by the given factor; returns the draws of each quantity, chains one after the
            other, the number of divergences, and why the draws are not those of the posterior (empty if they are).
        chains: number of chains.

    Returns:
        ``posterior``: quantity -> [truth, rank among 99 draws, mean, sd, low68, high68, low95, high95], and
        ``divergences``; or ``problem``.
    """
    for longer in LONGER:
        found, diverging, reason = sampled(longer)
        if not reason and effective_draws(found, chains=chains) >= LEAST_EFFECTIVE:
            break
    if reason:
        return {"problem": reason}
    rows = {}
    for name, values in found.items():
        chosen = values[np.linspace(0, len(values) - 1, RANKS).astype(int)]
        ends = [np.quantile(values, 0.5 + sign * level / 2) for level in LEVELS.values() for sign in (-1, 1)]
        rows[name] = [truth[name], int((chosen < truth[name]).sum()), *mean_sd(values), *map(float, ends)]
    return {"posterior": rows, "divergences": diverging}


def effective_draws(found: Mapping[str, FloatArray], *, chains: int) -> float:
    """Smallest effective number of draws of all quantities, of the mean and of the tails.

    Args:
        found: draws, chains one after the other.
        chains: number of chains.
    """
    moving = [values.reshape(chains, -1) for values in found.values() if np.ptp(values) > 0]
    methods: tuple[dict[str, Any], ...] = ({"method": "bulk"}, {"method": "tail", "prob": (0.05, 0.95)})
    return min((float(az.ess(values, **method)) for values in moving for method in methods), default=np.inf)


def matrix_root(covariance: FloatArray) -> FloatArray:
    """The symmetric square root of a positive semidefinite matrix.

    This root is unique, so that a seed gives the same data set on every machine.  Other factors depend on the choice of
    eigenvectors of equal eigenvalues, which follows from rounding.
    """
    factor = semidefinite_factor(covariance)
    length = np.linalg.norm(factor, axis=0)
    return np.asarray(factor @ (factor / np.where(length > 0, length, 1.0)).T)

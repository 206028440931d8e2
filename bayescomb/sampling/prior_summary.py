"""Summary of the priors of the coefficients: of the law itself where nothing cuts its range, else of draws."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.likelihood.feasibility import wholly_feasible
from bayescomb.likelihood.feasible_ranges import block_family, total_family
from bayescomb.sampling.summary import CENTRAL, INTERVAL, Summary, coefficient_summaries

__all__ = ["exact_priors", "prior_summaries", "same_as_prior"]

# Points among which the shortest interval of a law is looked for.
GRID: Final = 401
# Monte Carlo errors within which two summaries are the same.
SAME: Final = 3.0


def exact_priors(combination: Combination) -> dict[str, Any]:
    """Coefficient -> its prior as a frozen scipy distribution, where every value of its range is feasible.

    Under the treatment ``covariance`` the total covariance has to be positive definite for all of the quoted box, under
    ``nuisance`` the block of the coefficient: priors of different blocks are independent.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.sampling.prior_summary import exact_priors
        >>> law = exact_priors(bc.load("models/run1_mass"))["LHCbJES"]
        >>> law.mean().item(), round(law.std().item(), 4)  # uniform from 0.5 to 1: sd 0.5 / sqrt(12)
        (0.75, 0.1443)
    """
    family = correlation_family(combination)
    coefficients = family.coefficients
    varied = np.array([i for i, c in enumerate(coefficients) if c.varied], dtype=np.intp)
    if combination.treatment == "covariance":
        whole = varied if wholly_feasible(total_family(combination, family, varied=varied), strict=True) else varied[:0]
    else:
        blocks = [block for block in family.blocks if np.isin(block.coefficients, varied).any()]
        feasible = [b.coefficients for b in blocks if wholly_feasible(block_family(family, b, varied=varied))]
        whole = np.intersect1d(varied, np.concatenate([varied[:0], *feasible]))
    return {coefficients[i].name: coefficients[i].distribution for i in whole}


def prior_summaries(combination: Combination, prior: xr.Dataset) -> dict[str, Summary]:
    """Summary of each sampled coefficient before the data.

    Args:
        combination: with the assumption set and treatment that were sampled.
        prior: group ``prior`` of a posterior; empty if no coefficient was sampled.

    Returns:
        Without Monte Carlo error where the law is known (see :func:`exact_priors`), else of the draws of the prior
        restricted to the feasible set.
    """
    found = coefficient_summaries(prior)
    if not found:
        return found
    laws = exact_priors(combination)
    return {name: _of_law(laws[name]) if name in laws else own for name, own in found.items()}


def same_as_prior(posterior: Summary, prior: Summary) -> bool:
    """Whether mean and standard deviation agree within three Monte Carlo errors, so that their digits tell nothing.

    Examples:
        >>> import numpy as np, xarray as xr
        >>> from bayescomb.sampling.summary import draws_summary
        >>> draws = xr.DataArray(np.random.default_rng(1).random((4, 500)), dims=("chain", "draw"))
        >>> first, second = draws_summary(draws), draws_summary(1 - draws)
        >>> same_as_prior(first, second), same_as_prior(first, draws_summary(0.5 * draws))
        (True, False)
    """
    mean = np.hypot(posterior.mcse_mean, prior.mcse_mean)
    sd = np.hypot(posterior.mcse_sd, prior.mcse_sd)
    return abs(posterior.mean - prior.mean) <= SAME * mean and abs(posterior.sd - prior.sd) <= SAME * sd


def _of_law(law: Any) -> Summary:
    low, median, high = (float(law.ppf(q)) for q in (CENTRAL[0], 0.5, CENTRAL[1]))
    start = np.linspace(0.0, 1.0 - INTERVAL, GRID)
    ends = law.ppf(start), law.ppf(start + INTERVAL)
    width = ends[1] - ends[0]
    # All intervals of a flat law are equally short: the central one is named.
    shortest = int(np.argmin(width)) if width.min() < (1 - 1e-9) * (high - low) else -1
    hdi = (low, high) if shortest < 0 else (float(ends[0][shortest]), float(ends[1][shortest]))
    return Summary(
        mean=float(law.mean()),
        sd=float(law.std()),
        median=median,
        hdi_low=hdi[0],
        hdi_high=hdi[1],
        central_low=low,
        central_high=high,
        mcse_mean=0.0,
        mcse_sd=0.0,
        origin="exact",
    )

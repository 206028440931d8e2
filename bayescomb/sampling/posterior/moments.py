"""One quantity in numbers: summaries of draws, of sampled coefficients, and of the laws of their priors."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bayescomb.inputs.combination import Combination
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.sampling.posterior.prior_laws import exact_priors
from bayescomb.sampling.posterior.tails import quantiles_only

__all__ = [
    "CENTRAL",
    "INTERVAL",
    "Summary",
    "coefficient_summaries",
    "draws_summary",
    "mean_sd",
    "prior_summaries",
    "same_as_prior",
]

INTERVAL: Final = 0.68
CENTRAL: Final = (0.16, 0.84)  # as written: 0.5 - 0.34 is another number in its last digit
# Intervals of a law among which the shortest is looked for.
GRID: Final = 401
# Monte Carlo errors within which two summaries are the same.
SAME: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One quantity of a posterior, in its own unit.

    Attributes:
        mean, sd, median: of the posterior; mean and sd are NaN where only quantiles are given.
        hdi_low, hdi_high: ends of the 68 % highest-density interval.
        central_low, central_high: quantiles 0.16 and 0.84.
        mcse_mean, mcse_sd: Monte Carlo errors of mean and sd, 0 where they are exact.
        origin: ``"exact"`` (known without any draw), ``"conditional"`` (the average of exact conditional
            Gaussians over the draws of what they depend on), ``"draws"`` or ``"quantiles"``.
        reason: why only quantiles are given, empty if there are moments.
    """

    mean: float
    sd: float
    median: float
    hdi_low: float
    hdi_high: float
    central_low: float
    central_high: float
    mcse_mean: float
    mcse_sd: float
    origin: Literal["exact", "conditional", "draws", "quantiles"]
    reason: str = ""

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers by name."""
        return {key: value for key, value in vars(self).items() if key not in {"origin", "reason"}}

    @property
    def half_width(self) -> float:
        """Half the central 68 % interval, which sets the digits where there is no sd."""
        return (self.central_high - self.central_low) / 2

    def without_moments(self, reason: str) -> Summary:
        """The quantiles alone."""
        nan = float("nan")
        moments = {"mean": nan, "sd": nan, "mcse_mean": nan, "mcse_sd": nan}
        return dataclasses.replace(self, origin="quantiles", reason=reason, **moments)


def mean_sd(values: ArrayLike) -> tuple[float, float]:
    """Mean and standard deviation of draws, with n - 1.

    Examples:
        >>> mean_sd([1.0, 2.0, 3.0])
        (2.0, 1.0)
    """
    found = np.asarray(values, dtype=float)
    return float(found.mean()), float(found.std(ddof=1))


def draws_summary(values: xr.DataArray) -> Summary:
    """Summary of the draws themselves.

    Args:
        values: dims ``chain``, ``draw``.
    """
    import arviz as az

    table = values.transpose("chain", "draw").to_numpy()
    low, high = (float(end) for end in np.ravel(az.hdi(table.ravel(), prob=INTERVAL)))
    mean, sd = mean_sd(table)
    central_low, median, central_high = np.quantile(table, [CENTRAL[0], 0.5, CENTRAL[1]])
    reason = quantiles_only(values)
    found = Summary(
        mean=mean,
        sd=sd,
        median=float(median),
        hdi_low=low,
        hdi_high=high,
        central_low=float(central_low),
        central_high=float(central_high),
        mcse_mean=float(az.mcse(table, method="mean")),
        mcse_sd=float(az.mcse(table, method="sd")),
        origin="draws",
    )
    return found.without_moments(reason) if reason else found


def coefficient_summaries(draws: xr.Dataset) -> dict[str, Summary]:
    """Summary of each sampled coefficient, that of the scales of an extraction included, of a posterior or its prior."""
    found: dict[str, Summary] = {}
    if "rho" in draws:
        rho = draws["rho"]
        found = {str(name): draws_summary(rho.sel(coefficient=name)) for name in rho["coefficient"].to_numpy()}
    if SCALE_COEFFICIENT in draws:
        found[SCALE_COEFFICIENT] = draws_summary(draws[SCALE_COEFFICIENT])
    return found


def prior_summaries(combination: Combination, prior: xr.Dataset) -> dict[str, Summary]:
    """Summary of each sampled coefficient before the data.

    Args:
        combination: with the assumption set and treatment that were sampled.
        prior: group ``prior`` of a posterior; empty if no coefficient was sampled.

    Returns:
        Without Monte Carlo error where the law is known (see
        :func:`bayescomb.sampling.posterior.prior_laws.exact_priors`), else of the draws of the prior
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
        >>> from bayescomb.sampling.posterior.summary import draws_summary, same_as_prior
        >>> draws = xr.DataArray(np.random.default_rng(1).random((4, 500)), dims=("chain", "draw"))
        >>> first, second = draws_summary(draws), draws_summary(1 - draws)
        >>> same_as_prior(first, second), same_as_prior(first, draws_summary(0.5 * draws))
        (True, False)
    """
    mean = np.hypot(posterior.mcse_mean, prior.mcse_mean)
    sd = np.hypot(posterior.mcse_sd, prior.mcse_sd)
    return bool(abs(posterior.mean - prior.mean) <= SAME * mean and abs(posterior.sd - prior.sd) <= SAME * sd)


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

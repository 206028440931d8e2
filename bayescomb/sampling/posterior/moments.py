"""Summaries of draws, of coefficients and of their priors, and the quantities whose moments do not exist.

Uncertain sizes give tails of known order (:func:`bayescomb.likelihood.uncertain_sizes.tail_degrees`).  The tails of other
quantities are judged by the generalised Pareto distribution of their largest draws.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final, Literal, assert_never

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import ArrayLike

from bayescomb.base.rounding import plain, significant
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.likelihood.feasibility import wholly_feasible
from bayescomb.likelihood.feasible_ranges import block_family, total_family
from bayescomb.likelihood.uncertain_sizes import LEAST_DEGREES, tail_degrees
from bayescomb.sampling.plan import SamplingPlan

__all__ = [
    "CENTRAL",
    "INTERVAL",
    "LEVELS",
    "QUANTILES_ONLY",
    "Summary",
    "coefficient_summaries",
    "draws_summary",
    "exact_priors",
    "mark_tails",
    "mean_sd",
    "prior_summaries",
    "quantiles_only",
    "same_as_prior",
]

INTERVAL: Final = 0.68
CENTRAL: Final = (0.16, 0.84)  # as written: 0.5 - 0.34 differs in the last digit
# Label -> probability of the intervals whose coverage is studied.
LEVELS: Final = {"68": INTERVAL, "95": 0.95}
# Intervals of a prior among which the shortest is searched.
GRID: Final = 401
# Monte Carlo errors within which two summaries are the same.
SAME: Final = 3.0
# Attribute of a variable of the posterior: why its mean and sd are not given; for a vector a JSON mapping by name.
QUANTILES_ONLY: Final = "quantiles_only"
# Pareto k above which averages of draws are unreliable (Vehtari et al., J. Mach. Learn. Res. 25 (2024) 72).
MAX_PARETO_K: Final = 0.7
LEAST_DRAWS: Final = 400


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One quantity of a posterior, in its own unit.

    Attributes:
        mean, sd, median: of the posterior; mean and sd are NaN where only quantiles are given.
        hdi_low, hdi_high: ends of the 68 % highest-density interval.
        central_low, central_high: quantiles 0.16 and 0.84.
        mcse_mean, mcse_sd: Monte Carlo errors of mean and sd, 0 where they are exact.
        origin: ``"exact"`` (independent of the draws), ``"conditional"`` (the average of exact Gaussians given the
            coefficients of each draw), ``"draws"`` or ``"quantiles"``.
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
        """All numbers by name."""
        return {key: value for key, value in vars(self).items() if key not in {"origin", "reason"}}

    @property
    def half_width(self) -> float:
        """Half the central 68 % interval, which determines the rounding where there is no sd."""
        return (self.central_high - self.central_low) / 2

    def without_moments(self, reason: str) -> Summary:
        """The summary without mean and sd."""
        nan = float("nan")
        moments = {"mean": nan, "sd": nan, "mcse_mean": nan, "mcse_sd": nan}
        return dataclasses.replace(self, origin="quantiles", reason=reason, **moments)


def mean_sd(values: ArrayLike) -> tuple[float, float]:
    """Mean and standard deviation (with n - 1) of draws.

    Examples:
        >>> mean_sd([1.0, 2.0, 3.0])
        (2.0, 1.0)
    """
    found = np.asarray(values, dtype=float)
    return float(found.mean()), float(found.std(ddof=1))


def draws_summary(values: xr.DataArray) -> Summary:
    """Summary of draws.

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
    """Summary of each sampled coefficient, that of the scales of an extraction included.

    Args:
        draws: group ``posterior`` or ``prior``.
    """
    found: dict[str, Summary] = {}
    if "rho" in draws:
        rho = draws["rho"]
        found = {str(name): draws_summary(rho.sel(coefficient=name)) for name in rho["coefficient"].to_numpy()}
    if SCALE_COEFFICIENT in draws:
        found[SCALE_COEFFICIENT] = draws_summary(draws[SCALE_COEFFICIENT])
    return found


def prior_summaries(combination: Combination, prior: xr.Dataset) -> dict[str, Summary]:
    """Summary of the prior of each sampled coefficient.

    Args:
        combination: with the assumption set and treatment that were sampled.
        prior: group ``prior`` of a posterior; empty if no coefficient was sampled.

    Returns:
        Without Monte Carlo error where :func:`exact_priors` knows the prior, else from the draws of the prior restricted to
        the feasible set.
    """
    found = coefficient_summaries(prior)
    if not found:
        return found
    laws = exact_priors(combination)
    return {name: _of_law(laws[name]) if name in laws else own for name, own in found.items()}


def same_as_prior(posterior: Summary, prior: Summary) -> bool:
    """Whether mean and standard deviation of posterior and prior agree within three Monte Carlo errors.

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
    """Summary of a frozen scipy distribution."""
    low, median, high = (float(law.ppf(q)) for q in (CENTRAL[0], 0.5, CENTRAL[1]))
    start = np.linspace(0.0, 1.0 - INTERVAL, GRID)
    ends = law.ppf(start), law.ppf(start + INTERVAL)
    width = ends[1] - ends[0]
    # All intervals of a flat distribution are equally short: the central one is taken.
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


def mark_tails(plan: SamplingPlan, posterior: xr.Dataset) -> xr.Dataset:
    """The posterior with the attribute ``quantiles_only`` on every variable that has quantities without moments."""
    degrees: dict[str, float] = {}
    if plan.sizes and plan.theory is None:  # masses end with their tables
        correlation = plan.correlation(np.asarray(plan.weights(plan.initial, np.ones(len(plan.sizes))))[None])[0]
        degrees = tail_degrees(plan.sizes, plan.model, correlation)
    exact = {name: _no_moments(found) for name, found in degrees.items() if found <= LEAST_DEGREES}
    for name in plan.parameters:
        variable = variable_name(name)
        if variable in posterior:
            reason = exact.get(name) or _heavy(posterior[variable])
            if reason:
                posterior[variable].attrs[QUANTILES_ONLY] = reason
    for variable, dim in (("pull", "nuisance"), ("theory_pull", "theory_nuisance")):
        if variable not in posterior:
            continue
        reasons = {
            str(name): exact.get(str(name)) or _heavy(posterior[variable].sel({dim: name}))
            for name in posterior[dim].to_numpy()
        }
        reasons = {name: reason for name, reason in reasons.items() if reason}
        if reasons:
            posterior[variable].attrs[QUANTILES_ONLY] = json.dumps(reasons)
    return posterior


def _no_moments(degrees: float) -> str:
    missing = "the standard deviation does not exist" if degrees > 1 else "neither mean nor standard deviation exists"
    number = plain(significant(degrees, 3))
    return f"its tails are those of Student's t with {number} degrees of freedom, due to uncertain sizes: {missing}"


def _heavy(values: xr.DataArray) -> str:
    """Why averages of the draws are unreliable, judged by the draws themselves; empty if they are reliable."""
    draws = values.transpose("chain", "draw").to_numpy()
    if draws.size < LEAST_DRAWS or draws.std() == 0:
        return ""
    k = float(np.max(array_stats.pareto_khat(draws, r_eff=1.0)))  # type: ignore[no-untyped-call]  # ArviZ has no types
    if not k > MAX_PARETO_K:
        return ""
    return f"the tails of its draws are too heavy for averages (Pareto k {plain(significant(k))})"


def quantiles_only(values: xr.DataArray) -> str:
    """Why mean and sd of a quantity are not given, empty if they are.

    Args:
        values: a variable of the posterior, or one nuisance selected from it.
    """
    reason = str(values.attrs.get(QUANTILES_ONLY, ""))
    if not reason.startswith("{"):
        return reason
    dims = [dim for dim in ("nuisance", "theory_nuisance") if dim in values.coords and not values[dim].ndim]
    names = [str(values[dim].item()) for dim in dims]
    return str(json.loads(reason).get(names[0], "")) if names else ""


def exact_priors(combination: Combination) -> dict[str, Any]:
    """Coefficient -> its prior as a frozen scipy distribution, where the quoted ranges are wholly feasible.

    Under the treatment ``covariance`` the total covariance must be positive definite in all of the quoted box.  Under
    ``nuisance`` this holds for the block of the coefficient alone, as the priors of different blocks are independent.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.sampling.posterior.moments import exact_priors
        >>> law = exact_priors(bc.load("models/run1_mass"))["LHCbJES"]
        >>> law.mean().item(), round(law.std().item(), 4)  # uniform from 0.5 to 1: sd 0.5 / sqrt(12)
        (0.75, 0.1443)
    """
    family = correlation_family(combination)
    coefficients = family.coefficients
    varied = family.varied
    match combination.treatment:
        case "covariance":
            whole = varied if wholly_feasible(total_family(combination, family, varied=varied), strict=True) else varied[:0]
        case "nuisance":
            blocks = [block for block in family.blocks if np.isin(block.coefficients, varied).any()]
            feasible = [b.coefficients for b in blocks if wholly_feasible(block_family(family, b, varied=varied))]
            whole = np.intersect1d(varied, np.concatenate([varied[:0], *feasible]))
        case _:
            assert_never(combination.treatment)
    return {coefficients[i].name: coefficients[i].distribution for i in whole}

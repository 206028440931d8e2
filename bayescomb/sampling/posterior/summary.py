"""Summary of a posterior: one function per quantity, called by every output, so that all outputs have the same number.

The posterior of a result of a linear model is the average of its Gaussians given the coefficients of each draw.  Mean, sd,
median and intervals are those of this average, with less Monte Carlo error than the draws and none where no coefficient was
sampled.  All other quantities are summarised by their draws.  The 68 % interval is of two kinds: ``hdi``, the shortest, and
``central``, between the quantiles 0.16 and 0.84.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.nonlinear.model import mapping
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.plan import stacked
from bayescomb.sampling.posterior.moments import (
    CENTRAL,
    INTERVAL,
    Summary,
    coefficient_summaries,
    draws_summary,
    mean_sd,
    prior_summaries,
    quantiles_only,
    same_as_prior,
)
from bayescomb.sampling.posterior.storage import Run, combination_of, run_of

if TYPE_CHECKING:  # it imports ArviZ, which takes a second
    from bayescomb.sampling.posterior.convergence import Verdict

__all__ = [
    "CENTRAL",
    "CENTRAL_KIND",
    "HDI_KIND",
    "INTERVAL",
    "QUANTILES",
    "Sampled",
    "Summary",
    "coefficient_summaries",
    "conditional_gaussian",
    "draws_summary",
    "mean_sd",
    "mixture_moments",
    "monte_carlo_error",
    "nuisance_moments",
    "posterior_density",
    "posterior_quantiles",
    "prior_summaries",
    "rank_counts",
    "result_moments",
    "result_summary",
    "same_as_prior",
    "shares_beyond_tables",
    "size_quantiles",
    "summarise",
]

QUANTILES: Final = (0.025, CENTRAL[0], 0.5, CENTRAL[1], 0.975)
HDI_KIND: Final = f"{100 * INTERVAL:g} % highest-density interval"
CENTRAL_KIND: Final = f"central {100 * INTERVAL:g} % interval"
# Points of the distribution function of a mixture, and Gaussians in it: its error is far below the rounding of outputs.
GRID: Final = 801
MIXTURE_DRAWS: Final = 2000
# An sd above this many widths of the middle of a distribution describes its tails only.
MIDDLE: Final = 4.0
# A spread below this fraction of the sd is rounding: the quantity does not depend on the draws.
ROUNDING: Final = 1e-12


@dataclass(frozen=True, kw_only=True, repr=False)
class Sampled(Shown):
    """A posterior with all numbers that outputs show, computed once; ``str`` of it is the text of ``bayescomb sample``.

    Attributes:
        tree: the posterior.
        combination: what was sampled, with its settings in force.
        run: how it was sampled.
        verdict: whether it has converged; where it has not, only the diagnostics may be shown.
        results: observable or mass -> its summary, in its unit.
        coefficients: sampled correlation coefficient -> its summary.
        prior_coefficients: sampled correlation coefficient -> summary of its prior, restricted to the feasible set, see
            :func:`prior_summaries`.
        nuisances: name -> mean (pull) and standard deviation (constraint) in prior widths.
        free: nuisance without a prior -> mean and standard deviation in its unit.
        sizes: source of uncertain size -> quantile 0.16, median and quantile 0.84 of true over quoted standard deviation.
        correlation: of the results in their order, shape (P, P).
        quantiles: result -> its quantiles at :data:`QUANTILES`.
        beyond_tables: estimate whose likelihood is a table -> share of the draws beyond the ends of the table, where the
            table is extrapolated; without estimates whose share is 0.
    """

    tree: xr.DataTree
    combination: Combination
    run: Run
    verdict: Verdict
    results: Mapping[str, Summary]
    coefficients: Mapping[str, Summary]
    prior_coefficients: Mapping[str, Summary]
    nuisances: Mapping[str, tuple[float, float]]
    free: Mapping[str, tuple[float, float]]
    sizes: Mapping[str, tuple[float, float, float]]
    correlation: FloatArray
    quantiles: Mapping[str, FloatArray]
    beyond_tables: Mapping[str, float]

    def _line(self) -> str:
        results = counted(len(self.combination.headline), "results")
        judged = "converged" if self.verdict.passed else "not converged"
        return f"{self.combination.name}{self.combination.blinded}: posterior of {results}, {judged}"

    @property
    def draws(self) -> xr.Dataset:
        """The group ``posterior``."""
        return self.tree["posterior"].to_dataset()

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the results in their order, shape (P, P), in the products of their units."""
        sd = np.array([found.sd for found in self.results.values()])
        return self.correlation * np.outer(sd, sd)

    @property
    def diagnostics(self) -> dict[str, dict[str, float]]:
        """R-hat, effective sample sizes and the Monte Carlo error of the draws, by ``variable`` or ``variable[label]``."""
        table = self.verdict.table
        columns = {str(key): table[key].to_numpy() for key in table.data_vars}
        return {
            str(name): {key: float(column[i]) for key, column in columns.items()}
            for i, name in enumerate(table["quantity"].to_numpy())
        }


def summarise(posterior: xr.DataTree) -> Sampled:
    """All numbers that outputs show of a posterior; ``str`` of the result is the text of ``bayescomb sample``.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> sampled = bc.summarise(posterior)
        >>> sampled
        <Sampled run1_mass: posterior of 1 result, converged>
        >>> sampled.results["m_t"].origin, len(sampled.coefficients)
        ('conditional', 19)
    """
    combination = combination_of(posterior)
    from bayescomb.sampling.posterior.convergence import verdict

    names = [o.name for o in combination.results]
    draws = posterior["posterior"].to_dataset()
    prior = posterior["prior"].to_dataset() if "prior" in posterior.children else xr.Dataset()
    free = {n.name: variable_name(n.name) for n in combination.nuisances if n.free}
    return Sampled(
        tree=posterior,
        combination=combination,
        run=run_of(posterior),
        verdict=verdict(posterior),
        results={name: result_summary(posterior, name) for name in names},
        coefficients=coefficient_summaries(draws),
        prior_coefficients=prior_summaries(combination, prior),
        nuisances=nuisance_moments(draws),
        free={name: mean_sd(draws[variable]) for name, variable in free.items() if variable in draws},
        sizes=size_quantiles(draws),
        correlation=_correlation(posterior, names),
        quantiles={name: posterior_quantiles(posterior, name, QUANTILES) for name in names},
        beyond_tables=shares_beyond_tables(combination, draws),
    )


def result_summary(posterior: xr.DataTree, name: str) -> Summary:
    """Summary of a result: from its exact conditional moments where the model is linear, else from its draws.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        name: name of an observable or mass.
    """
    moments, draws = _exact(posterior, name), posterior["posterior"].to_dataset()[variable_name(name)]
    if moments is None:
        return draws_summary(draws)
    mean, sd = moments
    reason = quantiles_only(draws)
    centre, total = mixture_moments(mean, sd)
    exact = _constant(mean, total) and _constant(sd, total)
    quantile = _quantiles(mean, sd)
    lower = np.linspace(1e-4, 1 - INTERVAL - 1e-4, GRID)
    low, high = quantile(lower), quantile(lower + INTERVAL)
    shortest = int(np.argmin(high - low))
    hdi = quantile(np.array(CENTRAL)) if exact else np.array([low[shortest], high[shortest]])
    variance_error = np.hypot(
        monte_carlo_error(sd**2, scale=total**2), monte_carlo_error((mean - mean.mean()) ** 2, scale=total**2)
    )
    central_low, median, central_high = quantile(np.array([CENTRAL[0], 0.5, CENTRAL[1]]))
    found = Summary(
        mean=centre,
        sd=total,
        median=float(median),
        hdi_low=float(hdi[0]),
        hdi_high=float(hdi[1]),
        central_low=float(central_low),
        central_high=float(central_high),
        mcse_mean=monte_carlo_error(mean, scale=total),
        mcse_sd=float(variance_error) / (2 * total),
        origin="exact" if exact else "conditional",
    )
    return found.without_moments(reason) if reason else found


def result_moments(posterior: xr.DataTree, name: str) -> tuple[float, float]:
    """Mean and standard deviation of a result, those of :func:`result_summary`; NaN where only quantiles are given."""
    moments, draws = _exact(posterior, name), posterior["posterior"].to_dataset()[variable_name(name)]
    if quantiles_only(draws):
        return float("nan"), float("nan")
    return mean_sd(draws) if moments is None else mixture_moments(*moments)


def mixture_moments(mean: xr.DataArray, sd: xr.DataArray) -> tuple[float, float]:
    """Mean and standard deviation of the average of Gaussians: Var = E[Var | r] + Var(E | r)."""
    return float(mean.mean()), float(np.sqrt(float((sd**2).mean()) + float(mean.var())))


def monte_carlo_error(values: xr.DataArray, *, scale: float) -> float:
    """Monte Carlo error of an average over draws, 0 for values that do not depend on the draws.

    Args:
        values: dims ``chain``, ``draw``.
        scale: size of the quantity, compared with which a small spread is rounding.
    """
    if _constant(values, scale):
        return 0.0
    import arviz as az

    return float(az.mcse(values.transpose("chain", "draw").to_numpy(), method="mean"))


def posterior_quantiles(posterior: xr.DataTree, parameter: str, probabilities: ArrayLike) -> FloatArray:
    """Quantiles of the distribution whose mean and intervals :func:`result_summary` gives.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        parameter: name of a result.
        probabilities: shape (n,), each above 0 and below 1.

    Returns:
        Shape (n,), in the unit of the parameter.
    """
    wanted = np.asarray(probabilities, dtype=float)
    moments = _exact(posterior, parameter)
    if moments is not None:
        return _quantiles(*moments)(wanted)
    return np.quantile(posterior["posterior"][variable_name(parameter)].to_numpy(), wanted)


def _correlation(posterior: xr.DataTree, names: list[str]) -> FloatArray:
    """Correlation of the draws of results, shape (P, P)."""
    correlation = np.atleast_2d(np.corrcoef(stacked(posterior["posterior"].to_dataset(), names).T))
    np.fill_diagonal(correlation, 1.0)
    return correlation


def shares_beyond_tables(combination: Combination, draws: xr.Dataset) -> dict[str, float]:
    """Estimate -> share of the draws beyond its likelihood table, if it is not 0; nuisances without draws count as 0."""
    if not combination.tables:
        return {}
    predict = mapping(combination)
    reached = np.array([predict.value(row) for row in stacked(draws, (o.name for o in combination.variables))])
    pulls: dict[str, FloatArray] = {}
    if "pull" in draws:
        columns = draws["pull"].transpose("nuisance", "chain", "draw").to_numpy().reshape(draws.sizes["nuisance"], -1)
        pulls = dict(zip(draws["nuisance"].to_numpy(), columns, strict=True))
    responses = [(m.nuisances, row) for m in combination.measurements for row in m.responses]
    shares = {}
    for i, table in combination.tables.items():
        at = reached[:, i].copy()
        for nuisance, response in zip(*responses[i], strict=True):
            if response and nuisance.name in pulls:
                at -= response * pulls[nuisance.name]
        low, high = table.ends
        shares[combination.estimates[i].name] = float(((at < low) | (at > high)).mean())
    return {name: share for name, share in shares.items() if share}


def nuisance_moments(draws: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Nuisance -> mean (pull) and standard deviation (constraint), theory nuisances last; NaN where quantiles are given."""
    found: dict[str, tuple[float, float]] = {}
    for variable, dim in (("pull", "nuisance"), ("theory_pull", "theory_nuisance")):
        if variable in draws:
            values = draws[variable].transpose(dim, "chain", "draw")
            found |= {str(name): mean_sd(own) for name, own in zip(values[dim].to_numpy(), values.to_numpy(), strict=True)}
            none = [str(name) for name in values[dim].to_numpy() if quantiles_only(values.sel({dim: name}))]
            found |= dict.fromkeys(none, (float("nan"), float("nan")))
    return found


def size_quantiles(draws: xr.Dataset) -> dict[str, tuple[float, float, float]]:
    """Source of uncertain size -> quantile 0.16, median and quantile 0.84 of true over quoted standard deviation."""
    if SCALE not in draws:
        return {}
    scales = draws[SCALE].transpose("uncertain_size", "chain", "draw")
    quantiles = np.sqrt(np.quantile(scales.to_numpy(), [CENTRAL[0], 0.5, CENTRAL[1]], axis=(1, 2))).T
    names = [str(name) for name in scales["uncertain_size"].to_numpy()]
    return {
        name: (float(low), float(median), float(high)) for name, (low, median, high) in zip(names, quantiles, strict=True)
    }


def conditional_gaussian(posterior: xr.DataTree, name: str) -> tuple[xr.DataArray, xr.DataArray] | None:
    """Mean and sd of a result given the coefficients of each draw; of a mass by the tangent at its own minimum.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        name: name of an observable or mass.

    Returns:
        Dims ``chain``, ``draw``, in the unit of the result; ``None`` where the posterior has no such moments.
    """
    if "conditional" not in posterior.children:
        return None
    conditional = posterior["conditional"].to_dataset()
    if name not in conditional["parameter"].to_numpy():
        return None
    own = conditional.sel(parameter=name)
    return own["mean"], own["sd"]


def _exact(posterior: xr.DataTree, name: str) -> tuple[xr.DataArray, xr.DataArray] | None:
    """:func:`conditional_gaussian` where it is exact, which the tangents of an extraction are not."""
    return None if posterior.attrs.get("extraction") else conditional_gaussian(posterior, name)


def _constant(values: xr.DataArray, scale: float) -> bool:
    return float(values.std()) <= ROUNDING * scale


def _quantiles(mean: xr.DataArray, sd: xr.DataArray) -> Callable[[FloatArray], FloatArray]:
    """Quantile function of the average of Gaussians."""
    centre, total = mixture_moments(mean, sd)
    if _constant(mean, total) and _constant(sd, total):
        return lambda probabilities: centre + total * norm.ppf(probabilities)
    centres, widths = mean.to_numpy().ravel(), sd.to_numpy().ravel()
    # Where long tails determine the sd, the grid covers the middle of the distribution.
    low, middle, high = np.quantile(centres, [CENTRAL[0], 0.5, CENTRAL[1]])
    broad = MIDDLE * float(np.median(widths) + high - low)
    if total > broad:
        centre, total = float(middle), broad
    chosen = np.linspace(0, len(centres) - 1, min(len(centres), MIXTURE_DRAWS)).astype(int)
    grid = centre + total * np.linspace(-6.0, 6.0, GRID)
    below = norm.cdf((grid[:, None] - centres[chosen]) / widths[chosen]).mean(axis=1)
    return lambda probabilities: np.interp(probabilities, below, grid)


def posterior_density(mean: FloatArray, sd: FloatArray, *, points: int = 301) -> tuple[FloatArray, FloatArray]:
    """Marginal density of a parameter as the average of its exact conditional Gaussians.

    Args:
        mean: mean given each draw's coefficients, shape (n,).
        sd: standard deviation given each draw's coefficients, shape (n,).
        points: number of grid points.

    Returns:
        Grid and density, shape (points,) each, in the unit of the parameter and its inverse.

    Examples:
        >>> import numpy as np
        >>> x, y = posterior_density(np.zeros(2), np.ones(2))
        >>> round(float(np.trapezoid(y, x)), 3)
        1.0
    """
    mean, sd = np.ravel(mean), np.ravel(sd)
    centre, width = mean.mean(), np.sqrt(np.mean(sd**2) + mean.var())
    x = np.linspace(centre - 4 * width, centre + 4 * width, points)
    density = np.exp(-0.5 * ((x[:, None] - mean) / sd) ** 2) / sd
    return x, density.mean(axis=1) / np.sqrt(2 * np.pi)


def rank_counts(draws: FloatArray, *, bins: int = 20) -> FloatArray:
    """Rank histogram per chain, the ranks taken among the draws of all chains.

    Args:
        draws: shape (chains, draws).
        bins: number of bins.

    Returns:
        Shape (chains, bins).

    Examples:
        >>> import numpy as np
        >>> rank_counts(np.array([[1.0, 2.0], [3.0, 4.0]]), bins=2).tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """
    ranks = (rankdata(draws).reshape(draws.shape) - 0.5) / draws.size
    return np.array([np.histogram(chain, bins=bins, range=(0.0, 1.0))[0] for chain in ranks], dtype=float)

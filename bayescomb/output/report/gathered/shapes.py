"""Numbers that only a report shows: densities, rank histograms, correlations over the scan, shifts of the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from scipy.stats import invgamma

from bayescomb.base.arrays import FloatArray
from bayescomb.base.numerics import correlation_of
from bayescomb.fit.impacts import ImpactResult
from bayescomb.fit.profile import ProfileResult
from bayescomb.fit.scan import ScanResult
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.theory import theory
from bayescomb.output.analysis import Divided
from bayescomb.output.statements import shifted_results
from bayescomb.output.tables.scan import STILL, across_experiments
from bayescomb.sampling.posterior.moments import CENTRAL, exact_priors
from bayescomb.sampling.posterior.summary import Sampled, posterior_density, rank_counts
from bayescomb.studies.comparison import Comparison

__all__ = [
    "MAX_PANELS",
    "MeanShift",
    "PairCorrelation",
    "RankHistogram",
    "exact_densities",
    "mean_shifts",
    "pair_correlations",
    "prior_densities",
    "prior_sizes",
    "rank_histograms",
    "relative_impacts",
    "theory_sizes",
]

MAX_PANELS: Final = 12  # parameters in one figure of small panels
# Quantities of the rank histograms, where the parameters are fewer.
MAX_RANKS: Final = 4
GRID_POINTS: Final = 101  # of the density of a prior
# Part of a shift of the mean that one coefficient must explain before it is named as the reason.
EXPLAINED: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class RankHistogram:
    """Ranks of the draws of one quantity, per chain.

    Attributes:
        quantity: its name, as in the diagnostics.
        counts: draws per chain and bin, shape (chains, bins).
        expected: count of a flat histogram.
        spread: its standard deviation, given the effective sample size.
    """

    quantity: str
    counts: FloatArray
    expected: float
    spread: float


def rank_histograms(sampled: Sampled, parameters: list[str]) -> tuple[RankHistogram, ...]:
    """Rank histograms of the parameters, then of the sampled coefficients with the smallest effective sample size."""
    draws, table = sampled.draws, sampled.verdict.table
    quantities = [variable_name(name) for name in parameters][:MAX_PANELS]
    if "rho" in draws:
        names = [f"rho[{name}]" for name in draws["coefficient"].to_numpy()]
        ess = table["ess_bulk"].sel(quantity=names).to_numpy()
        quantities += [names[i] for i in np.argsort(ess)[: max(MAX_RANKS - len(quantities), 0)]]
    found = []
    for quantity in quantities:
        values = draws[quantity] if quantity in draws else draws["rho"].sel(coefficient=quantity[4:-1])
        counts = rank_counts(values.transpose("chain", "draw").to_numpy())
        chains, bins = counts.shape
        expected = values.sizes["draw"] / bins
        independent = min(float(table["ess_bulk"].sel(quantity=quantity)) / values.size, 1.0)
        spread = math.sqrt(expected * (1 - 1 / bins) * max(1 - 1 / chains, 0.0) / max(independent, 1e-3))
        found.append(RankHistogram(quantity=quantity, counts=counts, expected=expected, spread=spread))
    return tuple(found)


def exact_densities(sampled: Sampled, parameters: list[str]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Parameter -> grid and posterior density, where the moments at given coefficients are exact."""
    conditional = sampled.tree["conditional"].to_dataset()
    known = set(conditional["parameter"].to_numpy())
    return {
        name: posterior_density(
            conditional["mean"].sel(parameter=name).to_numpy().ravel(),
            conditional["sd"].sel(parameter=name).to_numpy().ravel(),
        )
        for name in parameters
        if name in known
    }


def theory_sizes(fit: ProfileResult) -> dict[str, FloatArray]:
    """Prediction -> uncertainty of each bin from one prior width of its theory nuisances at the fit, in the unit shown."""
    compiled = theory(fit.combination)
    assert compiled is not None  # the profile is one of an extraction
    names = [*compiled.masses, *compiled.scales]
    central, shifts = compiled.predict(fit.values.sel(parameter=names).to_numpy())
    found, start = {}, 0
    for prediction in compiled.predictions:
        own = slice(start, start + len(prediction.observables))
        start = own.stop
        size = np.sqrt((shifts[own] ** 2).sum(axis=1))
        if compiled.extraction.distributions[prediction.name] == "normalised":  # the shifts are normalised already
            size = size / float(central[own] @ np.asarray(prediction.divisors, dtype=float))
        found[prediction.name] = size
    return found


def prior_densities(combination: Combination) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Coefficient -> grid over its range and density of its prior, where every value of the range is feasible."""
    grids = {c.name: np.linspace(*c.range, GRID_POINTS) for c in combination.assumption_set.coefficients}
    return {name: (grids[name], prior.pdf(grids[name])) for name, prior in exact_priors(combination).items()}


def prior_sizes(fit: ProfileResult) -> dict[str, tuple[float, float]]:
    """Source of uncertain size -> central 68 % interval of true over quoted standard deviation before the data."""
    if fit.sizes is None:
        return {}
    table, found = fit.sizes.sizes, {}
    for name, relative in zip(table["uncertain_size"].to_numpy(), table["relative"].to_numpy(), strict=True):
        shape = 1 / (4 * float(relative) ** 2)
        low, high = (float(np.sqrt(invgamma.ppf(q, shape, scale=shape))) for q in CENTRAL)
        found[str(name)] = (low, high)
    return found


@dataclass(frozen=True, kw_only=True)
class MeanShift:
    """How far the posterior mean of a result is from its value at nominal coefficients, and which coefficient explains it.

    Attributes:
        shift: mean minus value at nominal coefficients, in the unit of the result.
        sd: standard deviation of the posterior.
        significant: whether the shift exceeds five Monte Carlo errors and a thousandth of ``sd``.
        coefficient: title of the coefficient that explains most of a significant shift, empty if none explains half of it.
        prior_mean, nominal: of this coefficient.
        slope: change of the result per unit of this coefficient.
    """

    shift: float
    sd: float
    significant: bool
    coefficient: str = ""
    prior_mean: float = math.nan
    nominal: float = math.nan
    slope: float = math.nan


def mean_shifts(comparison: Comparison | None, divided: Divided) -> dict[str, MeanShift]:
    """Result -> shift of its posterior mean; empty where the variance is not divided by coefficients."""
    relevance = divided.relevance
    if comparison is None or relevance is None or not comparison.shared:
        return {}
    combination = comparison.combination
    names = [str(c) for c in relevance["coefficient"].to_numpy()]
    at_nominal = {c.name: c.nominal for c in combination.assumption_set.coefficients}
    nominal = np.array([at_nominal[name] for name in names])
    found = {}
    for result in (p.name for p in combination.headline):
        row = comparison.table.sel(parameter=result)
        shift, error, sd = (float(row[key]) for key in ("shift_of_mean", "shift_of_mean_mcse", "sd"))
        if not math.isfinite(shift) or abs(shift) < 5 * error or abs(shift) < 0.001 * sd:
            found[result] = MeanShift(shift=shift, sd=sd, significant=False)
            continue
        slopes = relevance["slope"].sel(parameter=result).to_numpy()
        terms = np.nan_to_num(slopes) * (relevance["posterior_mean"].to_numpy() - nominal)
        leading = int(np.argmax(np.abs(terms)))
        found[result] = MeanShift(
            shift=shift,
            sd=sd,
            significant=True,
            coefficient=str(relevance["title"].to_numpy()[leading]) if terms[leading] / shift >= EXPLAINED else "",
            prior_mean=float(relevance["prior_mean"][leading]),
            nominal=float(nominal[leading]),
            slope=float(slopes[leading]),
        )
    return found


@dataclass(frozen=True, kw_only=True)
class PairCorrelation:
    """Correlation of two results of different experiments over the range of the coefficient that moves it most.

    Attributes:
        pair: names of the two results.
        coefficient: title of the coefficient.
        low, nominal, high: correlation at the lower end of its range, at nominal coefficients and at the upper end.
    """

    pair: tuple[str, str]
    coefficient: str
    low: float
    nominal: float
    high: float


def pair_correlations(scan: ScanResult, fit: ProfileResult) -> tuple[PairCorrelation, ...]:
    """Pairs of results across experiments whose correlation a coefficient moves, those that move most first."""
    pairs = across_experiments(fit.combination)
    rows = [row for row in scan.rows if row.ends is not None and row.half_correlation_shift is not None]
    if not pairs or not rows:
        return ()
    names = [p.name for p in fit.combination.headline]
    first, second = (np.array([names.index(pair[i]) for pair in pairs]) for i in (0, 1))
    at = {"parameter": names, "parameter_b": names}
    shifts = np.abs(
        [r.half_correlation_shift.sel(at).to_numpy()[first, second] for r in rows if r.half_correlation_shift is not None]
    )
    leading, size = shifts.argmax(axis=0), shifts.max(axis=0)
    nominal = correlation_of(fit.covariance.sel(at).to_numpy())[first, second]
    found = []
    for i in (int(i) for i in np.argsort(-size) if size[i] > STILL):
        row = rows[int(leading[i])]
        ends = [end.correlation for end in row.ends or () if end.correlation is not None]
        low, high = (float(end.sel(parameter=pairs[i][0], parameter_b=pairs[i][1])) for end in ends)
        found.append(
            PairCorrelation(pair=pairs[i], coefficient=row.title or row.name, low=low, nominal=float(nominal[i]), high=high)
        )
    return tuple(found)


def relative_impacts(impacts: ImpactResult, fit: ProfileResult) -> xr.DataArray | None:
    """Impacts of groups and sums on the observables in percent of their values, dims ``part``, ``parameter``.

    Observables whose value a blinding shifts are left out, because a percentage of a shifted value means nothing.  ``None``
    with fewer than two observables, without groups, and where a value is zero.
    """
    known, shifted = fit.values["parameter"].to_numpy(), shifted_results(fit.combination)
    names = [o.name for o in fit.combination.observables if o.name in known and o.name not in shifted]
    values = fit.values.sel(parameter=names)
    if len(names) < 2 or not impacts.groups.sizes["group"] or bool((values == 0).any()):
        return None
    parts = {str(g): impacts.groups.sel(group=g) for g in impacts.groups["group"].to_numpy()}
    parts |= {label: part for label, part in impacts.sums.items() if label not in {"all systematics", *parts}}
    percent = np.array([(100 * part.sel(parameter=names) / abs(values)).to_numpy() for part in parts.values()])
    return xr.DataArray(percent, dims=("part", "parameter"), coords={"part": list(parts), "parameter": names})

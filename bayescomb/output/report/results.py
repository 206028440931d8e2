"""Everything a report shows, computed before anything is drawn or written; no matplotlib here.

Summaries of a posterior for the report: coefficients, nuisances, densities and rank histograms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescomb.base.errors import BayescombError, InfeasibleCorrelationError, UnderdeterminedError
from bayescomb.fit.compatibility import Compatibility, compatibility
from bayescomb.fit.impacts import ImpactResult, impacts
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.fit.scan import ScanResult, scan, scan_curve
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import Observable
from bayescomb.likelihood.check import CheckResult, check
from bayescomb.likelihood.correlation import CorrelationFamily, correlation_family
from bayescomb.likelihood.linear_gaussian import linear_model
from bayescomb.sampling.convergence import Verdict, verdict
from bayescomb.sampling.storage import is_extended, require_same_settings
from bayescomb.sampling.summary import coefficient_summaries, monte_carlo_error, nuisance_moments, result_covariance
from bayescomb.studies.comparison import Comparison, compare
from bayescomb.studies.predictive import posterior_predictive
from bayescomb.studies.sensitivity import prior_sensitivity
from bayescomb.studies.variance import coefficient_relevance, has_variances, variance_shares

__all__ = [
    "NuisanceRow",
    "Results",
    "ScanCurve",
    "coefficient_summary",
    "collect",
    "estimate_profile",
    "leading_pulls",
    "mean_shift",
    "moves",
    "nuisance_rows",
    "parameter_covariance",
]

# Coefficients whose scan is drawn as a curve: the ones that move the result most.
MAX_CURVES: Final = 12
CURVE_POINTS: Final = 5
# A shift below this fraction of the error is rounding of the fit.
ROUNDING: Final = 1e-9
FloatArray = NDArray[np.float64]
MAX_PULLS: Final = 20
SUMMARISED: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean")


@dataclass(frozen=True, kw_only=True)
class ScanCurve:
    """Values and errors of all parameters along one coefficient, dims ``parameter``, ``point``; minus those at nominal."""

    name: str
    title: str
    nominal: float
    points: NDArray[np.float64]
    values: xr.DataArray
    errors: xr.DataArray


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a report shows.

    Attributes:
        combination, fit: what was combined, and its profile.
        tree: the posterior as it was given, ``None`` for a report of the profile alone.
        verdict: of the posterior.
        draws: group ``posterior`` of a converged posterior; ``None`` if there is no posterior or it must not be used, so
            that nothing but the diagnostics can show its numbers.
        comparison: of a converged posterior with the profile.
        check, scan, impacts, compatibility: of the combination.
        curves: scans of the coefficients that matter most.
        estimates: profile in which every estimate is its own observable: its covariance is the total covariance of the
            estimates, in the order of the combination's estimates.
        experiments: combinations of each experiment alone, where its estimates determine all observables.
        coefficients: see :func:`bayescomb.output.report.results.coefficient_summary`.
        nuisances: see :func:`bayescomb.output.report.results.nuisance_rows`.
        not_recovered: block -> why its nuisances have no posterior.
        shares, relevance: of a converged posterior of a quadratic model that is not normalised, the latter with sampled
            coefficients: see :func:`bayescomb.variance_shares` and :func:`bayescomb.coefficient_relevance`.
        sensitivity: of a converged posterior that is not normalised, see :func:`bayescomb.prior_sensitivity`.
        predictive: of a converged posterior, see :func:`bayescomb.posterior_predictive`.
    """

    combination: Combination
    fit: ProfileResult
    tree: xr.DataTree | None
    verdict: Verdict | None
    draws: xr.Dataset | None
    comparison: Comparison | None
    check: CheckResult
    scan: ScanResult
    impacts: ImpactResult
    compatibility: tuple[Compatibility, ...]
    curves: tuple[ScanCurve, ...]
    estimates: ProfileResult
    experiments: dict[str, ProfileResult]
    coefficients: xr.Dataset
    nuisances: tuple[NuisanceRow, ...]
    not_recovered: dict[str, str]
    shares: xr.Dataset | None
    relevance: xr.Dataset | None
    sensitivity: xr.Dataset | None
    predictive: xr.Dataset | None

    @property
    def parameters(self) -> tuple[Observable, ...]:
        """The quantities that the page is about: the masses of an extraction, else the combined observables."""
        return self.combination.headline

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of the posterior, empty without one."""
        return {str(key): value for key, value in self.tree.attrs.items()} if self.tree is not None else {}


def collect(posterior: xr.DataTree | None, fit: ProfileResult) -> Results:
    """Compute everything a report shows.

    Args:
        posterior: a tree of :func:`bayescomb.sample`, or ``None``.
        fit: the profile of the same combination.

    Raises:
        PosteriorError: posterior and profile have other inputs, or another assumption set or treatment.
    """
    combination = fit.combination
    judged = comparison = draws = None
    if posterior is not None:
        require_same_settings(posterior, combination)
        judged = verdict(posterior)
        if judged.passed:
            comparison = compare(posterior, fit)
            draws = posterior["posterior"].to_dataset()
    usable = posterior if draws is not None else None
    plain = usable is not None and not combination.normalise and not is_extended(usable)
    divisible = plain and combination.quadratic and usable is not None and has_variances(usable)
    scanned = scan(combination, points=2)  # tables and figures show the ends; the curves have points of their own
    if scanned.interrupted:
        raise KeyboardInterrupt  # a report is whole or not at all
    prior = posterior["prior"].to_dataset() if posterior is not None and "prior" in posterior.children else None
    reasons = json.loads(posterior.attrs.get("not_recovered", "{}")) if posterior is not None else {}
    return Results(
        combination=combination,
        fit=fit,
        tree=posterior,
        verdict=judged,
        draws=draws,
        comparison=comparison,
        check=check(combination),
        scan=scanned,
        impacts=impacts(combination, parts=fit.parts),
        compatibility=compatibility(combination),
        curves=_curves(scanned, fit),
        estimates=estimate_profile(combination, parts=fit.parts),
        experiments=_experiments(combination, parts=fit.parts),
        coefficients=coefficient_summary(combination, prior, draws),
        nuisances=nuisance_rows(fit, draws),
        not_recovered=reasons,
        shares=variance_shares(posterior) if divisible and posterior is not None else None,
        relevance=coefficient_relevance(posterior) if divisible and posterior is not None and prior is not None else None,
        sensitivity=prior_sensitivity(usable) if plain and usable is not None else None,
        predictive=posterior_predictive(usable) if usable is not None else None,
    )


def mean_shift(results: Results, parameter: str) -> tuple[float, float]:
    """Posterior mean minus profile by the exact conditional means, and its Monte Carlo error, in the parameter's unit."""
    assert results.tree is not None  # asked for only where there is a comparison
    at = {"parameter": parameter}
    mean = results.tree["conditional"].to_dataset()["mean"].sel(at)
    error = monte_carlo_error(mean, scale=float(results.fit.errors.sel(at)))
    return float(mean.mean()) - float(results.fit.values.sel(at)), error


def moves(shift: xr.DataArray | None, error_shift: xr.DataArray | None, fit: ProfileResult) -> float:
    """Largest half shift of a value or an error, in units of the error; 0 if there is none or if it is rounding."""
    if shift is None or error_shift is None:
        return 0.0
    errors = fit.errors.sel(parameter=shift["parameter"])
    size = float(np.maximum(abs(shift / errors), abs(error_shift / errors)).max())
    return size if size > ROUNDING else 0.0


def parameter_covariance(results: Results) -> tuple[NDArray[np.float64], str]:
    """Covariance of the combined quantities, shape (P, P), of the posterior where it may be used, and what it is of."""
    names = [o.name for o in results.parameters]
    if results.draws is None:
        covariance = results.fit.covariance.sel(parameter=names, parameter_b=names)
        return covariance.to_numpy(), "profile at nominal coefficients"
    assert results.tree is not None  # as there are draws
    return result_covariance(results.tree, names), "posterior"


def estimate_profile(combination: Combination, *, parts: str = "propagated") -> ProfileResult:
    """Profile with every estimate as its own observable, so that nothing is combined.

    Examples:
        >>> import bayescomb as bc
        >>> own = estimate_profile(bc.load("models/run1_mass"))
        >>> f"{own.values[0].item():.2f} +- {own.errors[0].item():.2f}"
        '173.79 +- 1.41'
    """
    return profile(combination.saturated(), parts=parts)


def _experiments(combination: Combination, *, parts: str) -> dict[str, ProfileResult]:
    names = list(dict.fromkeys(m.experiment for m in combination.measurements))
    results: dict[str, ProfileResult] = {}
    if len(names) < 2 or not all(names):
        return results
    for name in names:
        try:
            results[name] = profile(combination.only([name]), parts=parts)
        except (UnderdeterminedError, InfeasibleCorrelationError):
            continue  # its estimates alone do not determine every observable, or alone they are no valid input
    return results


def _curves(scanned: ScanResult, fit: ProfileResult) -> tuple[ScanCurve, ...]:
    """Curves of the coefficients with the largest half shift in units of the error."""
    names = [c.name for c in scanned.combination.assumption_set.coefficients]
    alone = [row for row in scanned.rows if len(row.points[0].coefficients) == 1]
    sized = [(moves(row.half_shift, row.half_error_shift, fit), row) for row in alone]
    curves = []
    for _, row in sorted((pair for pair in sized if pair[0] > 0), key=lambda item: -item[0])[:MAX_CURVES]:
        points = np.linspace(*(row.reached or (row.low, row.high)), CURVE_POINTS)
        try:
            values, errors = scan_curve(scanned.combination, index=names.index(row.name), points=points)
        except BayescombError:
            continue  # feasible at both ends only: a repair changed the family in between
        curves.append(
            ScanCurve(
                name=row.name,
                title=row.title or row.name,
                nominal=row.nominal,
                points=points,
                values=values - fit.values,
                errors=errors - fit.errors,
            )
        )
    return tuple(curves)


@dataclass(frozen=True, kw_only=True)
class NuisanceRow:
    """A nuisance parameter after the fit.

    Attributes:
        name, source: of the nuisance.
        pull, constraint: posterior mean and standard deviation in prior widths, ``None`` if it has no posterior.
        profile_pull, profile_constraint: the same of the profile at nominal coefficients, ``None`` where it has none.
        leader: the nuisance that stands for all that are fully correlated with it.
        followers: number of other nuisances a leader stands for.
    """

    name: str
    source: str
    pull: float | None
    constraint: float | None
    profile_pull: float | None
    profile_constraint: float | None
    leader: str
    followers: int = 0


def coefficient_summary(combination: Combination, prior: xr.Dataset | None, draws: xr.Dataset | None) -> xr.Dataset:
    """Summary of each coefficient, before and after the data.

    Args:
        combination: K coefficients.
        prior: draws ``rho`` of the prior, restricted to the feasible set.
        draws: draws ``rho`` of the posterior.

    Returns:
        Dim ``coefficient``: the numbers of :class:`bayescomb.sampling.summary.Summary` with the prefix ``prior_`` and
        ``posterior_``; NaN for what was not sampled.
    """
    names = [c.name for c in combination.assumption_set.coefficients]
    columns: dict[str, FloatArray] = {}
    for label, data in (("prior", prior), ("posterior", draws)):
        found = {} if data is None else {name: own.numbers for name, own in coefficient_summaries(data).items()}
        for key in SUMMARISED:
            columns[f"{label}_{key}"] = np.array([found[n][key] if n in found else np.nan for n in names], dtype=float)
    return xr.Dataset({key: ("coefficient", row) for key, row in columns.items()}, {"coefficient": names})


def nuisance_rows(fit: ProfileResult, draws: xr.Dataset | None) -> tuple[NuisanceRow, ...]:
    """All nuisances after the fit; those that are fully correlated whatever the coefficients share a leader."""
    family = correlation_family(fit.combination)
    leaders = _leaders(fit.combination, family)
    posterior = {} if draws is None else nuisance_moments(draws)
    centres = {str(n): float(v) for n, v in zip(fit.pulls["nuisance"].to_numpy(), fit.pulls.to_numpy(), strict=True)}
    widths_of = {
        str(n): float(v) for n, v in zip(fit.constraints["nuisance"].to_numpy(), fit.constraints.to_numpy(), strict=True)
    }
    rows = []
    for nuisance in fit.combination.nuisances:
        name = nuisance.name
        pull, constraint = posterior.get(name, (None, None))
        rows.append(
            NuisanceRow(
                name=name,
                source=nuisance.source,
                pull=pull,
                constraint=constraint,
                profile_pull=centres.get(name) if name in widths_of else None,
                profile_constraint=widths_of.get(name),
                leader=leaders[name],
                followers=sum(leader == name for leader in leaders.values()) - 1 if leaders[name] == name else 0,
            )
        )
    return tuple(rows)


def _leaders(combination: Combination, family: CorrelationFamily) -> dict[str, str]:
    """Name -> the fully correlated nuisance that moves the estimates most."""
    model = linear_model(combination)
    column = {name: i for i, name in enumerate(model.nuisances)}
    strength = np.array(
        [np.linalg.norm(model.loading[:, column[n]]) if n in column else np.inf for n in family.nuisances], dtype=float
    )
    leaders: dict[str, str] = {}
    for i, name in enumerate(family.nuisances):
        tied = np.flatnonzero(np.abs(family.base[i]) > 1 - 1e-12)
        leaders[name] = family.nuisances[tied[np.argmax(strength[tied])]]
    # In an indefinite matrix "fully correlated" need not be transitive; who is left without a leader leads itself.
    return {name: leader if leaders[leader] == leader else name for name, leader in leaders.items()}


def leading_pulls(rows: tuple[NuisanceRow, ...]) -> list[NuisanceRow]:
    """The largest pulls, one nuisance of every fully correlated set."""

    def size(row: NuisanceRow) -> float:
        value = row.pull if row.pull is not None else row.profile_pull
        return -1.0 if value is None else abs(value)

    shown = [row for row in rows if row.leader == row.name and size(row) >= 0]
    return sorted(shown, key=size, reverse=True)[:MAX_PULLS]

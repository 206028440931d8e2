"""Everything a report shows, computed before anything is drawn or written; no matplotlib here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import arviz as az
import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import BayescombError
from bayescomb.base.numerics import correlation_of
from bayescomb.fit.compatibility import Compatibility
from bayescomb.fit.post_fit import post_fit_correlation
from bayescomb.fit.profile import ProfileResult
from bayescomb.fit.scan import ScanResult, scan, scan_curve
from bayescomb.inputs.observables import Observable, variable_name
from bayescomb.likelihood.check import CheckResult, check
from bayescomb.output.analysis import Analysis, Divided, analyse, divide
from bayescomb.output.averages import Averages, averages
from bayescomb.output.report.gathered.ranking import (
    NuisanceRow,
    Ranked,
    leading_nuisances,
    nuisance_labels,
    nuisance_rows,
    ranked,
)
from bayescomb.output.report.gathered.sets import (
    SetRow,
    estimate_profile,
    estimate_pulls,
    experiment_profiles,
    set_rows,
)
from bayescomb.output.report.gathered.shapes import (
    MeanShift,
    PairCorrelation,
    RankHistogram,
    exact_densities,
    mean_shifts,
    pair_correlations,
    prior_densities,
    prior_sizes,
    rank_histograms,
    relative_impacts,
    theory_sizes,
)
from bayescomb.sampling.posterior.summary import Sampled, Summary, draws_summary, same_as_prior
from bayescomb.studies.predictive import posterior_predictive
from bayescomb.studies.sensitivity import prior_sensitivity
from bayescomb.studies.theory.study import TheoryFit, TheoryStudy, predicted_bins, theory_fits, theory_study

__all__ = [
    "ROUNDING",
    "Results",
    "ScanCurve",
    "collect",
    "moves",
]

# Coefficients whose scan is drawn as a curve: the ones that move the result most.
MAX_CURVES: Final = 12
CURVE_POINTS: Final = 5
# A shift below this part of the error is rounding of the fit.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class ScanCurve:
    """Change of values and errors of all parameters along one coefficient from nominal, dims ``parameter``, ``point``."""

    name: str
    title: str
    nominal: float
    points: FloatArray
    values: xr.DataArray
    errors: xr.DataArray


@dataclass(frozen=True, kw_only=True)
class Results(Analysis):
    """Everything that a report shows: the analysis and what is computed from it.

    Attributes:
        check, scan, compatibility: of the combination.
        averages: numbers that averaging groups publish.
        curves: scans of the coefficients that matter most.
        estimates: profile in which every estimate is its own observable: its covariance is the total covariance of the
            estimates, in the order of the combination's estimates.
        experiments: combinations of each experiment alone, where its estimates determine all observables.
        nuisances: see :func:`bayescomb.output.report.gathered.ranking.nuisance_rows`.
        divided: where the variance of a converged posterior comes from.
        sensitivity: of a converged posterior that is not normalised, see :func:`bayescomb.prior_sensitivity`.
        predictive: of a converged posterior, see :func:`bayescomb.posterior_predictive`.
        theory, theory_fits, bins: of an extraction, see :func:`bayescomb.studies.theory.study.theory_study`,
            :func:`bayescomb.studies.theory.study.theory_fits` and :func:`bayescomb.predicted_bins`.
        missing_information: fraction of missing information on the energy of each chain (E-BFMI).
        sets: the result under every assumption set, see :func:`bayescomb.output.report.gathered.sets.set_rows`.
        labels: nuisance -> its label for readers, see :func:`bayescomb.output.report.gathered.ranking.nuisance_labels`.
        rankings: result -> its nuisances, see :func:`bayescomb.output.report.gathered.ranking.ranked`.
        post_fit: correlation of the results and the leading nuisances after the fit.
        covariance, correlation: of the combined quantities, shape (P, P), of the posterior if it has converged, else of the
            profile; ``covariance_kind`` says which.
        estimate_correlation: total correlation of the estimates, shape (E, E).
        estimate_pulls: see :func:`bayescomb.output.report.gathered.sets.estimate_pulls`.
        pair_correlations: see :func:`bayescomb.output.report.gathered.shapes.pair_correlations`.
        relative_impacts: see :func:`bayescomb.output.report.gathered.shapes.relative_impacts`.
        mean_shifts: see :func:`bayescomb.output.report.gathered.shapes.mean_shifts`.
        as_prior: coefficients whose posterior is their prior within the Monte Carlo errors.
        prior_densities: coefficient -> grid and density of its prior, where every value of its range is feasible; of a
            posterior with draws of the prior.
        prior_sizes: source of uncertain size -> central 68 % interval of true over quoted size before the data.
        densities: result -> grid and posterior density, where that is exact given the coefficients.
        ranks: rank histograms of the chains, empty without a posterior.
        theory_sizes: prediction -> effect of its theory nuisances on each bin.
        first_draws: summary of the plain draws of the first result, where its quoted moments do not come from them.
    """

    check: CheckResult
    scan: ScanResult
    compatibility: tuple[Compatibility, ...]
    averages: Averages
    curves: tuple[ScanCurve, ...]
    estimates: ProfileResult
    experiments: dict[str, ProfileResult]
    nuisances: tuple[NuisanceRow, ...]
    divided: Divided
    sensitivity: xr.Dataset | None
    predictive: xr.Dataset | None
    theory: TheoryStudy | None
    theory_fits: tuple[TheoryFit, ...]
    bins: dict[str, xr.Dataset]
    missing_information: tuple[float, ...]
    sets: tuple[SetRow, ...]
    labels: dict[str, str]
    rankings: dict[str, list[Ranked]]
    post_fit: xr.DataArray
    covariance: FloatArray
    covariance_kind: str
    correlation: FloatArray
    estimate_correlation: FloatArray
    estimate_pulls: dict[str, float | None]
    pair_correlations: tuple[PairCorrelation, ...]
    relative_impacts: xr.DataArray | None
    mean_shifts: dict[str, MeanShift]
    as_prior: frozenset[str]
    prior_densities: dict[str, tuple[FloatArray, FloatArray]]
    prior_sizes: dict[str, tuple[float, float]]
    densities: dict[str, tuple[FloatArray, FloatArray]]
    ranks: tuple[RankHistogram, ...]
    theory_sizes: dict[str, FloatArray]
    first_draws: Summary | None

    @property
    def parameters(self) -> tuple[Observable, ...]:
        """The quantities that the page is about: the masses of an extraction, else the combined observables."""
        return self.combination.headline

    def error(self, parameter: Observable) -> float:
        """Error of a result of the profile, in its unit."""
        return float(self.fit.errors.sel(parameter=parameter.name))

    def compared(self, parameter: Observable) -> dict[str, float]:
        """Numbers of a result in the comparison of profile and posterior, which has to be there."""
        assert self.comparison is not None
        row = self.comparison.table.sel(parameter=parameter.name)
        return {str(key): float(value) for key, value in row.data_vars.items()}


def collect(posterior: xr.DataTree | None, fit: ProfileResult) -> Results:
    """Compute everything a report shows.

    Args:
        posterior: a tree of :func:`bayescomb.sample`, or ``None``.
        fit: the profile of the same combination.

    Raises:
        PosteriorError: posterior and profile have other inputs, or another assumption set or treatment.
    """
    combination, analysis = fit.combination, analyse(fit, posterior)
    usable, extracted = analysis.usable, bool(combination.extraction)
    average = averages(fit)
    scanned = scan(combination, points=2)  # tables and figures show the ends; the curves have points of their own
    if scanned.interrupted:
        raise KeyboardInterrupt  # a report is whole or not at all
    estimates = estimate_profile(combination, parts=fit.parts)
    experiments = experiment_profiles(combination, parts=fit.parts)
    nuisances = nuisance_rows(fit, usable)
    labels = nuisance_labels(combination, nuisances)
    headline = [p.name for p in combination.headline]
    rankings = {
        name: ranked(name, fit, analysis.impacts, nuisances, labels=labels) for name in headline if name not in fit.at_bound
    }
    exact = usable is not None and analysis.comparison is not None and analysis.comparison.exact
    plain = usable is not None and not combination.normalise and not usable.run.extended
    divided = Divided() if usable is None else divide(usable.tree, usable.run, combination)
    covariance, covariance_kind = _covariance(fit, usable)
    count = len(combination.estimates)
    return Results(
        **vars(analysis),
        check=check(combination),
        scan=scanned,
        compatibility=tuple(average.compatibility.get("measurement", ())),
        averages=average,
        curves=_curves(scanned, fit),
        estimates=estimates,
        experiments=experiments,
        nuisances=nuisances,
        divided=divided,
        sensitivity=prior_sensitivity(usable.tree) if plain and usable is not None else None,
        predictive=posterior_predictive(usable.tree) if usable is not None else None,
        theory=theory_study(combination) if extracted else None,
        theory_fits=theory_fits(combination) if extracted else (),
        bins=predicted_bins(fit, combined=analysis.combined) if extracted else {},
        missing_information=_missing_information(posterior),
        sets=set_rows(combination, fit, estimates, experiments),
        labels=labels,
        rankings=rankings,
        post_fit=post_fit_correlation(fit, leading_nuisances(fit, rankings)),
        covariance=covariance,
        covariance_kind=covariance_kind,
        correlation=correlation_of(covariance),
        estimate_correlation=correlation_of(estimates.covariance.to_numpy()[:count, :count]),
        estimate_pulls=estimate_pulls(fit, estimates),
        pair_correlations=pair_correlations(scanned, fit),
        relative_impacts=relative_impacts(analysis.impacts, fit),
        mean_shifts=mean_shifts(analysis.comparison, divided),
        as_prior=_as_prior(usable),
        prior_densities=prior_densities(combination) if posterior is not None and "prior" in posterior.children else {},
        prior_sizes=prior_sizes(fit),
        densities=exact_densities(usable, headline) if exact and usable is not None else {},
        ranks=() if analysis.sampled is None else rank_histograms(analysis.sampled, headline),
        theory_sizes=theory_sizes(fit) if extracted else {},
        first_draws=_first_draws(usable, headline[0]),
    )


def _first_draws(usable: Sampled | None, name: str) -> Summary | None:
    if usable is None or usable.results[name].origin != "conditional":
        return None
    return draws_summary(usable.draws[variable_name(name)])


def _missing_information(posterior: xr.DataTree | None) -> tuple[float, ...]:
    """Of each chain; a chain with a low value does not reach the tails."""
    if posterior is None or "energy" not in posterior["sample_stats"]:
        return ()
    return tuple(float(value) for value in np.ravel(az.bfmi(posterior)["energy"].to_numpy()))


def moves(shift: xr.DataArray | None, error_shift: xr.DataArray | None, fit: ProfileResult) -> float:
    """Largest half shift of a value or an error, in units of the error; 0 if there is none or if it is rounding."""
    if shift is None or error_shift is None:
        return 0.0
    errors = fit.errors.sel(parameter=shift["parameter"])
    size = float(np.maximum(abs(shift / errors), abs(error_shift / errors)).max())
    return size if size > ROUNDING else 0.0


def _covariance(fit: ProfileResult, usable: Sampled | None) -> tuple[FloatArray, str]:
    names = [o.name for o in fit.combination.headline]
    if usable is None:
        return fit.covariance.sel(parameter=names, parameter_b=names).to_numpy(), "profile at nominal coefficients"
    position = [list(usable.results).index(name) for name in names]
    return usable.covariance[np.ix_(position, position)], "posterior"


def _as_prior(usable: Sampled | None) -> frozenset[str]:
    if usable is None:
        return frozenset()
    prior = usable.prior_coefficients
    return frozenset(
        name for name, found in usable.coefficients.items() if name in prior and same_as_prior(found, prior[name])
    )


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
            continue  # a repair changed the family in between: only the ends are feasible
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

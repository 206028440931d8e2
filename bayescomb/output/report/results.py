"""Everything a report shows, computed before anything is drawn or written; no matplotlib here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescomb.base.errors import BayescombError, InfeasibleCorrelationError, UnderdeterminedError
from bayescomb.fit.compatibility import Compatibility
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.fit.scan import ScanResult, scan, scan_curve
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import Observable
from bayescomb.likelihood.check import CheckResult, check
from bayescomb.likelihood.correlation import CorrelationFamily, correlation_family
from bayescomb.likelihood.linear_gaussian import linear_model
from bayescomb.output.analysis import Analysis, Divided, analyse, divide
from bayescomb.output.averages import Averages, averages
from bayescomb.sampling.summary import Sampled
from bayescomb.studies.predictive import posterior_predictive
from bayescomb.studies.sensitivity import prior_sensitivity
from bayescomb.studies.theory_study import TheoryFit, TheoryStudy, predicted_bins, theory_fits, theory_study

__all__ = [
    "NuisanceRow",
    "Results",
    "ScanCurve",
    "collect",
    "estimate_profile",
    "leading_pulls",
    "moves",
    "nuisance_rows",
    "parameter_covariance",
]

# Coefficients whose scan is drawn as a curve: the ones that move the result most.
MAX_CURVES: Final = 12
CURVE_POINTS: Final = 5
# A shift below this fraction of the error is rounding of the fit.
ROUNDING: Final = 1e-9
MAX_PULLS: Final = 20


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
class Results(Analysis):
    """What a report shows, besides the analysis itself.

    Attributes:
        check, scan, compatibility: of the combination.
        averages: what people who average print.
        curves: scans of the coefficients that matter most.
        estimates: profile in which every estimate is its own observable: its covariance is the total covariance of the
            estimates, in the order of the combination's estimates.
        experiments: combinations of each experiment alone, where its estimates determine all observables.
        nuisances: see :func:`bayescomb.output.report.results.nuisance_rows`.
        divided: where the variance of a converged posterior comes from.
        sensitivity: of a converged posterior that is not normalised, see :func:`bayescomb.prior_sensitivity`.
        predictive: of a converged posterior, see :func:`bayescomb.posterior_predictive`.
        theory, theory_fits, bins: of an extraction, see :func:`bayescomb.studies.theory_study.theory_study`,
            :func:`bayescomb.studies.theory_study.theory_fits` and :func:`bayescomb.predicted_bins`.
        missing_information: fraction of missing information on the energy of each chain (E-BFMI).
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

    @property
    def parameters(self) -> tuple[Observable, ...]:
        """The quantities that the page is about: the masses of an extraction, else the combined observables."""
        return self.combination.headline


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
    plain = usable is not None and not combination.normalise and not usable.run.extended
    return Results(
        **vars(analysis),
        check=check(combination),
        scan=scanned,
        compatibility=tuple(average.compatibility.get("measurement", ())),
        averages=average,
        curves=_curves(scanned, fit),
        estimates=estimate_profile(combination, parts=fit.parts),
        experiments=_experiments(combination, parts=fit.parts),
        nuisances=nuisance_rows(fit, usable),
        divided=Divided() if usable is None else divide(usable.tree, usable.run, combination),
        sensitivity=prior_sensitivity(usable.tree) if plain and usable is not None else None,
        predictive=posterior_predictive(usable.tree) if usable is not None else None,
        theory=theory_study(combination) if extracted else None,
        theory_fits=theory_fits(combination) if extracted else (),
        bins=predicted_bins(fit, combined=analysis.combined) if extracted else {},
        missing_information=_missing_information(posterior),
    )


def _missing_information(posterior: xr.DataTree | None) -> tuple[float, ...]:
    """Of each chain; low values mean that tails are not reached."""
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


def parameter_covariance(results: Results) -> tuple[NDArray[np.float64], str]:
    """Covariance of the combined quantities, shape (P, P), of the posterior where it may be used, and what it is of."""
    names = [o.name for o in results.parameters]
    if results.usable is None:
        covariance = results.fit.covariance.sel(parameter=names, parameter_b=names)
        return covariance.to_numpy(), "profile at nominal coefficients"
    position = [list(results.usable.results).index(name) for name in names]
    return results.usable.covariance[np.ix_(position, position)], "posterior"


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


def nuisance_rows(fit: ProfileResult, sampled: Sampled | None) -> tuple[NuisanceRow, ...]:
    """All nuisances after the fit; those that are fully correlated whatever the coefficients share a leader."""
    family = correlation_family(fit.combination)
    # A free nuisance has no prior, hence no correlation in it.
    leaders = {n.name: n.name for n in fit.combination.nuisances} | _leaders(fit.combination, family)
    posterior = {} if sampled is None else sampled.nuisances
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

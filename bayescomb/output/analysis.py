"""Everything that outputs show, computed once before anything is written: writers are given results and compute nothing.

What an averaging group publishes is computed in :mod:`bayescomb.output.averages`, as few commands need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_kind
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import (
    InfeasibleCorrelationError,
    InvalidMatrixError,
    OptionError,
    PosteriorError,
    UnderdeterminedError,
)
from bayescomb.base.numerics import correlation_of
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.impacts import ImpactResult, impacts
from bayescomb.fit.post_fit import Beyond, beyond_tables
from bayescomb.fit.profile import ProfileResult, profile, require_unscaled
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.linear_gaussian import Solution
from bayescomb.sampling.posterior.storage import Run, require_same_settings
from bayescomb.sampling.posterior.summary import Sampled, summarise
from bayescomb.studies.comparison import Comparison, compare
from bayescomb.studies.variance import divided_relevance, has_variances, variance_shares

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.sampling.posterior.convergence import Verdict
else:
    xr = deferred("xarray")

__all__ = ["Analysis", "Divided", "Moments", "analyse", "divide", "moments", "nominal_fit", "nuisance_covariance"]


# Pulls of a fit at other coefficients differ by more.
SAME: Final = 1e-6


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A combined result: the profile, and the posterior if there is one.

    Attributes:
        combination: what was combined.
        fit: its profile.
        impacts: of the same combination and definition of parts.
        combined: the profile of the observables without the prediction of an extraction, ``None`` without one.
        sampled: the posterior with its summary, ``None`` for the profile alone.
        comparison: of profile and posterior, ``None`` if there is none or it has not converged.
        beyond: likelihood tables that end before the result or its interval, see
            :func:`bayescomb.fit.post_fit.beyond_tables`.
    """

    combination: Combination
    fit: ProfileResult
    impacts: ImpactResult
    combined: ProfileResult | None
    sampled: Sampled | None
    comparison: Comparison | None
    beyond: Mapping[str, Beyond]

    @property
    def usable(self) -> Sampled | None:
        """The posterior if it has converged; of any other only the diagnostics are shown."""
        return self.sampled if self.sampled is not None and self.sampled.verdict.passed else None

    @property
    def run(self) -> Run | None:
        """How the posterior was sampled."""
        return None if self.sampled is None else self.sampled.run

    @property
    def verdict(self) -> Verdict | None:
        """Whether the posterior has converged."""
        return None if self.sampled is None else self.sampled.verdict


@dataclass(frozen=True, kw_only=True)
class Divided:
    """Where the variance of a posterior comes from; ``None`` where the model is not linear or was extended.

    Attributes:
        shares: see :func:`bayescomb.variance_shares`.
        relevance: see :func:`bayescomb.coefficient_relevance`, with sampled coefficients.
    """

    shares: xr.Dataset | None = None
    relevance: xr.Dataset | None = None


def analyse(fit: ProfileResult, posterior: xr.DataTree | None = None, *, impacts_of: ImpactResult | None = None) -> Analysis:
    """Compute what every output needs.

    Args:
        fit: the profile.
        posterior: a tree of :func:`bayescomb.sample`, from the same combination under the same settings.
        impacts_of: impacts of the same combination and definition of parts, computed if they are not given.

    Raises:
        PosteriorError: posterior and profile have other inputs, or another assumption set or treatment.
        OptionError: a scale factor is in the errors of the profile.
    """
    combination = fit.combination
    require_unscaled(fit, where=f"report or export of {combination.name!r}")
    sampled = comparison = None
    if posterior is not None:
        require_same_settings(posterior, combination)
        sampled = summarise(posterior)
        comparison = compare(posterior, fit) if sampled.verdict.passed else None
    return Analysis(
        combination=combination,
        fit=fit,
        impacts=impacts(combination, parts=fit.parts) if impacts_of is None else impacts_of,
        combined=profile(combination.with_extraction(""), parts=fit.parts) if combination.extraction else None,
        sampled=sampled,
        comparison=comparison,
        beyond=beyond_tables(fit),
    )


def divide(posterior: xr.DataTree, sampled: Run, combination: Combination) -> Divided:
    """Where the variance of a posterior comes from; empty where the model is not linear or was extended."""
    if not combination.linear or sampled.extended or not has_variances(posterior):
        return Divided()
    shares = variance_shares(posterior)
    with_coefficients = "rho" in posterior["posterior"]
    return Divided(shares=shares, relevance=divided_relevance(posterior, shares) if with_coefficients else None)


def nominal_fit(combination: Combination) -> ProfileResult | None:
    """The profile at nominal coefficients; ``None`` where these are infeasible or there is no single minimum."""
    try:
        return profile(combination)
    except (InfeasibleCorrelationError, UnderdeterminedError):
        return None


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Names, values of shape (P,) and covariance of shape (P, P) of the results, and what they rest on."""

    combination: Combination
    names: Sequence[str]
    values: FloatArray
    covariance: FloatArray

    def checked(self) -> Moments:
        """The same.

        Raises:
            InvalidMatrixError: a result has no covariance, or one follows from the others.
        """
        bad = [n for n, v in zip(self.names, np.diag(self.covariance), strict=True) if not v > 0]
        if bad or np.linalg.eigvalsh(correlation_of(self.covariance))[0] < 1e-12:
            which = f"{', '.join(bad)} at a bound" if bad else f"{', '.join(self.names)} follow from each other"
            msg = f"{self.combination.name!r}: {which}, so that there is no Gaussian of all results; leave results out"
            raise InvalidMatrixError(msg)
        return self


def moments(result: ProfileResult | xr.DataTree) -> Moments:
    """Of the results, spectators left out: fitted values, or means of a posterior that has converged.

    Raises:
        PosteriorError: the posterior has not converged, or a result has no mean in it.
        OptionError: the inputs are blinded, or a scale factor is in the errors of the profile.
    """
    if isinstance(result, xr.DataTree):
        sampled = summarise(result)
        if not sampled.verdict.passed:
            msg = f"{sampled.verdict.sentence}; sample with more draws, or take the profile"
            raise PosteriorError(msg)
        means = {name: found.mean for name, found in sampled.results.items()}
        if None in means.values():
            msg = "a result has no mean in the posterior; take the profile"
            raise PosteriorError(msg)
        names, combination = list(means), sampled.combination
        values, covariance = np.array([float(m) for m in means.values() if m is not None]), sampled.covariance
    else:
        check_kind(result, "profile", where="the result")
        combination = result.combination
        names = [str(name) for name in result.values["parameter"].to_numpy()]
        values, covariance = result.values.to_numpy(), result.covariance.to_numpy()
        require_unscaled(result, where=f"{combination.name!r} for other programs")
    if combination.blinding is not None:  # these formats have no place for it
        msg = f"{combination.name!r}: blinded, which what other programs read could not say; unblind it first"
        raise OptionError(msg)
    wanted = [o.name for o in combination.results if not o.spectator and o.name in names]
    order = [names.index(name) for name in wanted]
    return Moments(combination=combination, names=wanted, values=values[order], covariance=covariance[np.ix_(order, order)])


def nuisance_covariance(fit: ProfileResult, results: Sequence[str]) -> tuple[list[str], FloatArray, FloatArray]:
    """Names and pulls of N nuisances, and their covariance with results and each other, shape (P + N, N).

    Raises:
        OptionError: they have none, as chi2 is not quadratic or the fit is at other coefficients.
    """
    combination = fit.combination
    why = "" if combination.linear and not combination.extraction and fit.sizes is None else "where chi2 is not quadratic"
    if not why:
        fitter = Fitter(combination)
        correlation, _ = fitter.correlation(None)
        solution = fitter.fit(correlation).solution
        assert isinstance(solution, Solution)  # nothing is extracted
        if np.abs(solution.pulls - fit.pulls.to_numpy()).max(initial=0.0) > SAME:
            why = "of a fit at other coefficients"
    if why:
        msg = (
            f"{combination.name!r}: nuisances have no covariance with each other {why}; make the table of the results alone "
            "(nuisances=False)"
        )
        raise OptionError(msg)
    whole: FloatArray = solution.nuisance_covariance
    kept = [
        i for i in range(len(correlation)) if not any(correlation[i, j] == 1 and correlation[i, i] == 1 for j in range(i))
    ]
    names = [str(name) for name in fit.pulls["nuisance"].to_numpy()]
    cross = fit.cross_covariance.sel(parameter=list(results)).to_numpy()
    return [names[i] for i in kept], fit.pulls.to_numpy()[kept], np.vstack([cross[:, kept], whole[np.ix_(kept, kept)]])

"""What an output is made of, computed once before anything is written: writers are given this and compute nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from bayescomb.base.errors import InfeasibleCorrelationError, UnderdeterminedError
from bayescomb.fit.impacts import ImpactResult, impacts
from bayescomb.fit.profile import ProfileResult, profile, require_unscaled
from bayescomb.inputs.combination import Combination
from bayescomb.sampling.posterior.storage import Run, require_same_settings
from bayescomb.sampling.posterior.summary import Sampled, summarise
from bayescomb.studies.comparison import Comparison, compare
from bayescomb.studies.variance import divided_relevance, has_variances, variance_shares

if TYPE_CHECKING:
    from bayescomb.sampling.posterior.convergence import Verdict

__all__ = ["Analysis", "Divided", "analyse", "divide", "nominal_fit"]


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
    """

    combination: Combination
    fit: ProfileResult
    impacts: ImpactResult
    combined: ProfileResult | None
    sampled: Sampled | None
    comparison: Comparison | None

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
    )


def divide(posterior: xr.DataTree, sampled: Run, combination: Combination) -> Divided:
    """Where the variance of a posterior comes from, as far as the model allows to say."""
    if not combination.linear or sampled.extended or not has_variances(posterior):
        return Divided()
    shares = variance_shares(posterior)
    with_coefficients = "rho" in posterior["posterior"]
    return Divided(shares=shares, relevance=divided_relevance(posterior, shares) if with_coefficients else None)


def nominal_fit(combination: Combination) -> ProfileResult | None:
    """The profile at nominal coefficients; ``None`` where only a posterior is known: infeasible or without one minimum."""
    try:
        return profile(combination)
    except (InfeasibleCorrelationError, UnderdeterminedError):
        return None

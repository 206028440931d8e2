"""Results of a fit: parameters, nuisances, their errors, fitted sizes of sources and other minima."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import FrozenMapping
from bayescomb.base.choices import ScaleRule
from bayescomb.likelihood.linear_gaussian import Solution

if TYPE_CHECKING:
    from bayescomb.fit.minimise.mass_chi2 import DerivedSolution
    from bayescomb.fit.minimise.sizes import SizeFit, SizeProfile
    from bayescomb.likelihood.uncertain_sizes import UncertainSize

__all__ = ["ErrorScale", "Fit", "FittedSizes", "Held", "OtherMinimum", "ResultRow", "SecondDerivatives"]


class ResultRow(NamedTuple):
    """One result: value, error, signed errors of Delta chi2 = 1, unit."""

    value: float
    error: float
    up: float
    down: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Held:
    """Nuisances held at values: the conditioned prior of the bound ones, and the values of the free ones.

    Attributes:
        mean: m, shape (N,).
        correlation: C', shape (N, N).
        free: name -> value.
    """

    mean: FloatArray
    correlation: FloatArray
    free: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ErrorScale:
    """Factors on the errors of results whose inputs scatter.

    Attributes:
        rule: see :mod:`bayescomb.fit.averaging.inconsistency`.
        factors: result -> factor, 1 at least.
    """

    rule: ScaleRule
    factors: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", FrozenMapping(self.factors))


@dataclass(frozen=True, kw_only=True)
class FittedSizes:
    """Uncertain sizes of sources after the fit.

    Attributes:
        sizes: the m sizes.
        fit: their fitted values.
        profile: the likelihood they were fitted to.
        certain: the fit with the sizes held there.
        variance: part of the variance of each parameter by each uncertain size, shape (m, P).
    """

    sizes: tuple[UncertainSize, ...]
    fit: SizeFit
    profile: SizeProfile
    certain: Fit
    variance: FloatArray


@dataclass(frozen=True, kw_only=True)
class SecondDerivatives:
    """Covariances by the second derivatives of chi2 at its minimum, as in HESSE; Convino's definitions refer to these.

    Attributes:
        covariance: shape (P, P).
        nuisance_variance: shape (N,).
        cross_covariance: shape (P, N).
    """

    covariance: FloatArray
    nuisance_variance: FloatArray
    cross_covariance: FloatArray


@dataclass(frozen=True, kw_only=True)
class OtherMinimum:
    """A minimum of chi2 (-2 log L with uncertain sizes) that is not the lowest.

    Attributes:
        values: of the parameters, in their units, shape (P,).
        delta_chi2: by how much it is above the lowest.
        theta: all variables of a numerical fit; log s of the uncertain sizes.
    """

    values: FloatArray
    delta_chi2: float
    theta: FloatArray


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Result of one fit; P parameters (observables, then free nuisances), N nuisances with a prior.

    Attributes:
        parameters, nuisances: names.
        values: shape (P,).
        covariance: inverse information of the model linearised at the minimum, shape (P, P).
        up, down: signed Delta chi2 = 1 errors, shape (P,); ``errors="hesse"`` fits have +-sqrt(diag(covariance)).
        chi2: minimum.
        pulls: fitted nuisances in prior widths, shape (N,).
        nuisance_variance: shape (N,).
        cross_covariance: of parameters and nuisances, shape (P, N).
        on_kink: nuisances that sit on the kink of an asymmetric response; the linearised one has the mean of both slopes.
        solution: of the linear model, the tangent at the minimum where chi2 is not quadratic, with all that is linear in
            the data: influence, weights and parts of the errors.  Its values and pulls are those of the tangent.
        theta: all variables of a numerical fit; empty for closed forms.
        second: ``None`` where chi2 is quadratic, on a kink and without Delta chi2 = 1 errors.
        correlation: C that it was fitted with, shape (N, N); uncertain sizes at their fitted values.
        sizes: the fitted sizes of sources, ``None`` if all are certain.
        at_bound: parameters that their bound holds at 0.  Their covariances, weights and influence are 0; those of the
            others are with these held at 0.
        others: other minima, the lowest first; looked for with ``errors="minos"`` only.
    """

    parameters: tuple[str, ...]
    nuisances: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    up: FloatArray
    down: FloatArray
    chi2: float
    pulls: FloatArray
    nuisance_variance: FloatArray
    cross_covariance: FloatArray
    solution: Solution | DerivedSolution
    on_kink: tuple[str, ...] = ()
    theta: FloatArray = field(default_factory=lambda: np.zeros(0))
    second: SecondDerivatives | None = None
    correlation: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    sizes: FittedSizes | None = None
    at_bound: tuple[str, ...] = ()
    others: tuple[OtherMinimum, ...] = ()

    @classmethod
    def of(
        cls,
        solution: Solution | DerivedSolution,
        *,
        chi2: float,
        mean: FloatArray | None,
        up: FloatArray | None = None,
        down: FloatArray | None = None,
        theta: FloatArray | None = None,
        at_bound: Sequence[int] | IntArray = (),
    ) -> Fit:
        """The fit that a solution of the linear model describes.

        Args:
            solution: P parameters, N nuisances.
            chi2: its minimum.
            mean: prior mean of the nuisances, shape (N,); ``None`` leaves the nuisances out, whose variances take time.
            up: upper Delta chi2 = 1 errors, shape (P,); those of the linearised model by default.
            down: the lower ones, below 0, shape (P,), likewise.
            theta: variables of a numerical fit.
            at_bound: positions of the parameters that their bound holds at 0.
        """
        error = np.sqrt(np.diag(solution.covariance))
        nothing = np.zeros(0)
        return cls(
            parameters=solution.parameters,
            nuisances=() if mean is None else solution.model.nuisances,
            values=solution.values,
            covariance=solution.covariance,
            up=error if up is None else up,
            down=-error if down is None else down,
            chi2=chi2,
            pulls=nothing if mean is None else mean + solution.pulls,
            nuisance_variance=nothing if mean is None else solution.nuisance_variance,
            cross_covariance=np.zeros((len(error), 0)) if mean is None else solution.cross_covariance,
            solution=solution,
            theta=nothing if theta is None else theta,
            at_bound=tuple(solution.parameters[i] for i in at_bound),
        )

    @property
    def hesse(self) -> Fit:
        """The fit with the covariances of the second derivatives, where it has them."""
        if self.second is None:
            return self
        return replace(
            self,
            covariance=self.second.covariance,
            nuisance_variance=self.second.nuisance_variance,
            cross_covariance=self.second.cross_covariance,
        )

    @property
    def errors(self) -> FloatArray:
        """Errors of the linearised model, shape (P,); NaN for a parameter at its bound."""
        return self.nan_at_bound + np.sqrt(np.diag(self.covariance))

    @property
    def nan_at_bound(self) -> FloatArray:
        """NaN for parameters that their bound holds at 0, which have an interval but no error; 0 for others, shape (P,)."""
        return np.array([np.nan if name in self.at_bound else 0.0 for name in self.parameters])

    def positions(self, names: Iterable[str]) -> list[int]:
        """Positions of some parameters."""
        return [self.parameters.index(name) for name in names]

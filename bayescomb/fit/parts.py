"""Parts of the uncertainty by their causes: statistics, nuisances, theory, uncertain sizes; propagated or held."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.base.choices import Parts
from bayescomb.fit.fit_result import Fit
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.inputs.measurements import divided_variance, unsplit_label

__all__ = ["HeldParts", "PropagatedParts", "WholeParts", "rest_of", "signed_root", "whole_parts"]

# Share of a sum below which a difference is rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class WholeParts:
    """Statistics, all sources, theory, undivided totals, and their sum in quadrature, each of shape (P,)."""

    statistics: FloatArray
    systematics: FloatArray
    theory: FloatArray
    unsplit: FloatArray
    total: FloatArray


@dataclass(frozen=True, kw_only=True)
class PropagatedParts:
    """Parts of the variance of the results of a fit; P results, R rows of data, N nuisances.

    Attributes:
        fitter: the fitter of the fit.
        fit: the fit, its results not normalised.
        jacobian: d(results)/d(parameters of the fit), shape (P, P).
    """

    fitter: Fitter
    fit: Fit
    jacobian: FloatArray

    @cached_property
    def reach(self) -> FloatArray:
        """Change of each result per unit of each nuisance, shape (P, N)."""
        return self.jacobian @ self.fit.solution.reach

    @cached_property
    def statistics(self) -> FloatArray:
        """Variance by the noise of the data alone, shape (P,)."""
        influence = self.jacobian @ self.fit.solution.influence
        return np.einsum("pr,r,pr->p", influence, self.fit.solution.model.signs, influence)

    def of(self, member: BoolArray) -> FloatArray:
        """Variance by some of the N nuisances, shape (P,)."""
        inside, correlation = self.reach[:, member], self.fit.correlation[np.ix_(member, member)]
        return np.einsum("pn,nm,pm->p", inside, correlation, inside)

    def covariance_of(self, member: BoolArray) -> FloatArray:
        """Covariance by some of the N nuisances, shape (P, P)."""
        inside = self.reach[:, member]
        return inside @ self.fit.correlation[np.ix_(member, member)] @ inside.T

    @property
    def statistical_covariance(self) -> FloatArray:
        """Covariance by the noise of the data alone, shape (P, P)."""
        influence = self.jacobian @ self.fit.solution.influence
        return (influence * self.fit.solution.model.signs) @ influence.T

    @property
    def statistical(self) -> BoolArray:
        """Nuisances that are the asymmetric part of a statistical uncertainty, shape (N,)."""
        names = {n.name for n in self.fitter.combination.nuisances if n.statistical}
        return np.array([name in names for name in self.fit.solution.model.nuisances], dtype=bool)

    @property
    def sizes(self) -> FloatArray:
        """Variance added by each of m uncertain sizes of sources, shape (m, P)."""
        return np.zeros((0, len(self.reach))) if self.fit.sizes is None else self.fit.sizes.variance

    @property
    def whole(self) -> WholeParts:
        """Signed roots of the sums."""
        n = len(self.fitter.family.nuisances)
        ours = np.arange(self.reach.shape[1]) < n
        systematics, theory = self.of(ours & ~self.statistical) + self.sizes.sum(axis=0), self.of(~ours)
        total = self.jacobian @ self.fit.covariance @ self.jacobian.T
        weights = self.jacobian @ self.fit.solution.weights
        statistics, unsplit = divided_variance(self.fitter.combination.measurements, self.statistics, weights)
        statistics = statistics + self.of(self.statistical)
        return WholeParts(
            statistics=signed_root(statistics),
            systematics=signed_root(systematics),
            theory=signed_root(theory),
            unsplit=signed_root(unsplit),
            total=np.sqrt(np.diag(total)),
        )


class HeldParts:
    """Errors with nuisances held at their fitted values, for an extraction by the algebra of the tangent.

    Args:
        fitter: the fitter of the fit.
        fit: the fit; sizes of sources keep their fitted values.
    """

    def __init__(self, fitter: Fitter, fit: Fit) -> None:
        self.fitter = fitter
        self.fit = fit if fit.sizes is None else fit.sizes.certain
        if fitter.combination.extraction or (fitter.combination.bounds and fitter.combination.quadratic):
            # The part of a group is that of the linear model without bounds, so the total has to be of that model too.
            self.fit = dataclasses.replace(self.fit, up=self.fit.errors, down=-self.fit.errors)
        self.shown = self._shown(self.fit)
        self.up = self.shown.up

    def held_up(self, names: Collection[str]) -> FloatArray:
        """Upper errors with some nuisances held, shape (P,); 0 for the held ones."""
        combination, fit = self.fitter.combination, self.fit
        free = {n.name for n in combination.nuisances if n.free}
        if combination.linear and not free.intersection(names):
            return fit.solution.errors_given([n in names for n in fit.nuisances])
        results = [o.name for o in combination.results]
        held = self.fitter.hold(fit, fit.correlation, names)
        shown = self._shown(self.fitter.fit(fit.correlation, held=held, near=fit, of=results, errors="crossing"))
        up = dict(zip(shown.parameters, shown.up, strict=True))
        return np.array([up.get(name, 0.0) for name in fit.parameters])

    @cached_property
    def whole(self) -> WholeParts:
        """Statistics with everything held, theory by holding its nuisances alone, systematics the rest."""
        nuisances = self.fitter.combination.nuisances
        statistical = {n.name for n in nuisances if n.statistical}
        held = [*(n for n in self.fit.nuisances if n not in statistical), *(n.name for n in nuisances if n.free)]
        statistics = self.held_up(held)
        measurements = self.fitter.combination.measurements
        weights = self._weights(held) if unsplit_label(measurements) else self._no_weights
        pure, unsplit = divided_variance(measurements, statistics**2, weights)
        n = len(self.fitter.family.nuisances)
        without = self.up if n == len(self.fit.nuisances) else self.held_up(self.fit.nuisances[n:])
        return WholeParts(
            statistics=np.sqrt(pure),
            unsplit=np.sqrt(unsplit),
            systematics=np.sqrt(np.maximum(without**2 - statistics**2, 0.0)),
            theory=np.sqrt(np.maximum(self.up**2 - without**2, 0.0)),
            total=self.up,
        )

    @property
    def _no_weights(self) -> FloatArray:
        return np.zeros((len(self.fit.parameters), len(self.fitter.combination.estimates)))

    def _weights(self, names: Collection[str]) -> FloatArray:
        """d(results)/d(measured values) with some nuisances held, 0 for held parameters, shape (P, E)."""
        held = self.fitter.hold(self.fit, self.fit.correlation, names)
        fixed = self.fitter.fit(self.fit.correlation, held=held, near=self.fit, errors="hesse")
        weights = self._no_weights
        weights[self.fit.positions(fixed.parameters)] = fixed.solution.weights
        return normalised_fit(self.fitter.combination, self.fit)[1] @ weights

    def _shown(self, fit: Fit) -> Fit:
        return normalised_fit(self.fitter.combination, fit)[0]


def whole_parts(fitter: Fitter, fit: Fit, *, parts: Parts, jacobian: FloatArray) -> WholeParts:
    """Statistics, systematics and theory of the parameters of a fit by a definition.

    Args:
        fitter: the fitter of the fit.
        fit: with Delta chi2 = 1 errors for ``held``.
        parts: ``"propagated"`` or ``"held"``.
        jacobian: d(results)/d(parameters of the fit), shape (P, P).
    """
    match parts:
        case "held":
            return HeldParts(fitter, fit).whole
        case "propagated":
            return PropagatedParts(fitter=fitter, fit=fit, jacobian=jacobian).whole
    assert_never(parts)


def rest_of(total: FloatArray, parts: FloatArray, *, scale: FloatArray) -> FloatArray:
    """A total less all its parts; 0 where the difference is rounding, as the root of rounding would look like a result.

    Args:
        total: of any shape.
        parts: of the shape of the total after a first dimension over the parts.
        scale: size of the total.
    """
    rest = total - np.sum(parts, axis=0)
    return np.where(np.abs(rest) < ROUNDING * np.abs(scale), 0.0, rest)


def signed_root(variance: FloatArray) -> FloatArray:
    """Root of the absolute value, with the sign of the variance: whether a part adds to or takes from the total."""
    return np.sign(variance) * np.sqrt(np.abs(variance))

r"""Parts of errors: statistics, sources and theory, by two definitions that every output names.

``propagated``: with w the influence of the data on a result and V_s what a source contributes to their covariance, its part
is :math:`\sqrt{w V_s w^T}`, that of statistics :math:`\sqrt{w S w^T}` (best linear unbiased estimates: Valassi, NIM A 500
(2003) 391).  Where chi2 is not quadratic w and V_s are those of the model linearised at the minimum.

``held``: what an error loses when nuisances are held at their fitted values (Kieseler, EPJC 77 (2017) 792).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.fit import Fit, Fitter
from bayescomb.measurements import divided_variance, unsplit_label
from bayescomb.normalisation import normalised_fit

__all__ = ["PARTS", "PARTS_CLAUSE", "HeldParts", "PropagatedParts", "WholeParts", "signed_root", "whole_parts"]

FloatArray = NDArray[np.float64]

PARTS: Final = {
    "propagated": (
        "propagated parts: sqrt(w^T V_s w), the part of a source in the variance of the result, with w the weights of the "
        "data (of the model linearised at the minimum) and V_s the covariance of the source; statistics, sources and what "
        "couples different sources add up to the total variance, and so does what not knowing uncertain sizes of sources "
        "adds. A negative part is minus the root of a negative part of the variance, which an anticorrelation (or an "
        "indefinite source matrix) can give."
    ),
    "held": (
        "held parts, the definitions of Convino: of a nuisance its post-fit correlation with the parameter times the larger "
        "Delta chi2 = 1 error; of a group sqrt(|up^2 - up_held^2|) with the group's nuisances held at their fitted values, "
        "'stat' holding all of them. They refer to the upper error, overlap and do not add up in quadrature."
    ),
}


# What the statistical and systematic part of a result are, in one clause.
PARTS_CLAUSE: Final = {
    "propagated": "propagated from the data, which add up in quadrature to the error",
    "held": "held, the upper error with all nuisances at their fitted values and the rest of it",
}


@dataclass(frozen=True, kw_only=True)
class WholeParts:
    """Statistics, all sources, theory, what totals leave undivided, and their sum in quadrature, each of shape (P,)."""

    statistics: FloatArray
    systematics: FloatArray
    theory: FloatArray
    unsplit: FloatArray
    total: FloatArray


@dataclass(frozen=True, kw_only=True)
class PropagatedParts:
    """Parts of the variance of the results of a fit; P results, R rows of data, N nuisances.

    Attributes:
        fitter: what made the fit.
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

    def of(self, member: NDArray[np.bool_]) -> FloatArray:
        """Variance by some of the N nuisances, shape (P,)."""
        inside, correlation = self.reach[:, member], self.fit.correlation[np.ix_(member, member)]
        return np.einsum("pn,nm,pm->p", inside, correlation, inside)

    @property
    def sizes(self) -> FloatArray:
        """What not knowing each of m sizes of sources adds to the variance, shape (m, P)."""
        return np.zeros((0, len(self.reach))) if self.fit.sizes is None else self.fit.sizes.variance

    @property
    def whole(self) -> WholeParts:
        """Signed roots of the sums."""
        n = len(self.fitter.family.nuisances)
        ours = np.arange(self.reach.shape[1]) < n
        systematics, theory = self.of(ours) + self.sizes.sum(axis=0), self.of(~ours)
        total = self.jacobian @ self.fit.covariance @ self.jacobian.T
        weights = self.jacobian @ self.fit.solution.weights
        statistics, unsplit = divided_variance(self.fitter.combination.measurements, self.statistics, weights)
        return WholeParts(
            statistics=signed_root(statistics),
            systematics=signed_root(systematics),
            theory=signed_root(theory),
            unsplit=signed_root(unsplit),
            total=np.sqrt(np.diag(total)),
        )


class HeldParts:
    """Errors with nuisances held at their fitted values, which is the algebra of the tangent for an extraction.

    Args:
        fitter: what made the fit.
        fit: the fit; sizes of sources stay where they were fitted.
    """

    def __init__(self, fitter: Fitter, fit: Fit) -> None:
        self.fitter = fitter
        self.fit = fit if fit.sizes is None else fit.sizes.certain
        if fitter.combination.extraction:
            # What a group takes off an extraction's error is the tangent's, so that the total has to be the tangent's too.
            self.fit = dataclasses.replace(self.fit, up=self.fit.errors, down=-self.fit.errors)
        self.shown = self._shown(self.fit)
        self.up = self.shown.up

    def held_up(self, names: Collection[str]) -> FloatArray:
        """Upper errors with some nuisances held, shape (P,); 0 for the held ones."""
        combination, fit = self.fitter.combination, self.fit
        free = {n.name for n in combination.nuisances if n.free}
        if combination.quadratic and not free.intersection(names) and not combination.normalise:
            return fit.solution.errors_given([n in names for n in fit.nuisances])
        results = [o.name for o in combination.results]
        held = self.fitter.hold(fit, fit.correlation, names)
        shown = self._shown(self.fitter.fit(fit.correlation, held=held, near=fit, of=results, errors="crossing"))
        up = dict(zip(shown.parameters, shown.up, strict=True))
        return np.array([up.get(name, 0.0) for name in fit.parameters])

    @cached_property
    def whole(self) -> WholeParts:
        """Statistics with everything held, theory by holding its nuisances alone, systematics the rest."""
        free = [n.name for n in self.fitter.combination.nuisances if n.free]
        statistics = self.held_up([*self.fit.nuisances, *free])
        measurements = self.fitter.combination.measurements
        weights = self._weights([*self.fit.nuisances, *free]) if unsplit_label(measurements) else self._no_weights
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
        weights[[self.fit.parameters.index(name) for name in fixed.parameters]] = fixed.solution.weights
        return (
            normalised_fit(self.fitter.combination, self.fit)[1] @ weights if self.fitter.combination.normalise else weights
        )

    def _shown(self, fit: Fit) -> Fit:
        combination = self.fitter.combination
        return normalised_fit(combination, fit)[0] if combination.normalise else fit


def whole_parts(fitter: Fitter, fit: Fit, *, parts: str, jacobian: FloatArray | None = None) -> WholeParts:
    """Statistics, systematics and theory of the parameters of a fit by a definition.

    Args:
        fitter: what made the fit.
        fit: with Delta chi2 = 1 errors for ``held``.
        parts: ``"propagated"`` or ``"held"``.
        jacobian: of normalised results, shape (P, P).
    """
    if parts == "held":
        return HeldParts(fitter, fit).whole
    jacobian = np.eye(len(fit.parameters)) if jacobian is None else jacobian
    return PropagatedParts(fitter=fitter, fit=fit, jacobian=jacobian).whole


def signed_root(variance: FloatArray) -> FloatArray:
    """Root of the size; the sign says whether a part adds to or takes from the total."""
    return np.sign(variance) * np.sqrt(np.abs(variance))

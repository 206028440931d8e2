"""Linear functions of the parameters and nuisances of a solution, e.g. predicted observables of an extraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayescomb.linear_gaussian import LinearModel, Solution, conditional_errors

__all__ = ["DerivedSolution"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DerivedSolution:
    """q = A p + B lambda + const, with everything that a :class:`Solution` says of p.

    There are Q quantities, P parameters and N nuisances.

    Attributes:
        inner: solution of p.
        parameters: names of the Q quantities.
        values: fitted q, shape (Q,).
        by_parameter: A, shape (Q, P).
        by_nuisance: B, shape (Q, N).
    """

    inner: Solution
    parameters: tuple[str, ...]
    values: FloatArray
    by_parameter: FloatArray
    by_nuisance: FloatArray

    @property
    def model(self) -> LinearModel:
        """The linear model of p."""
        return self.inner.model

    @cached_property
    def influence(self) -> FloatArray:
        """d(values)/d(w_0) = A I + B C F^T V^-1 (1 - K I), shape (Q, R)."""
        model, inner = self.inner.model, self.inner
        gain = inner.whitening.solve(model.loading @ (inner.correlation @ self.by_nuisance.T)).T
        return self.by_parameter @ inner.influence + gain - gain @ model.design @ inner.influence

    @property
    def reach(self) -> FloatArray:
        """Change of (values - true q) per unit of each nuisance, shape (Q, N)."""
        return self.influence @ self.model.loading - self.by_nuisance

    @cached_property
    def cross_covariance(self) -> FloatArray:
        """Covariance between q and the nuisances, shape (Q, N)."""
        return -self.reach @ self.inner.correlation

    @cached_property
    def covariance(self) -> FloatArray:
        """Of q, shape (Q, Q); singular where the q depend on each other."""
        # e + lambda -> (values - true q) has the coefficients (influence, reach)
        noise = (self.influence * self.model.signs) @ self.influence.T
        total = noise + self.reach @ self.inner.correlation @ self.reach.T
        return (total + total.T) / 2

    @property
    def weights(self) -> FloatArray:
        """d(values)/d(measured values), shape (Q, E)."""
        return self.influence @ self.model.estimate_loading

    @property
    def nuisance_covariance(self) -> FloatArray:
        """Post-fit covariance of the nuisances, shape (N, N)."""
        return self.inner.nuisance_covariance

    def errors_given(self, held: Sequence[bool]) -> FloatArray:
        """Errors of q with some nuisances held at their fitted values, shape (Q,)."""
        return conditional_errors(self.covariance, self.cross_covariance, self.nuisance_covariance, held)

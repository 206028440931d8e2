"""A linear model with nuisances integrated once for any data: many data sets share design, loading and therefore V."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayescomb.least_squares import Whitening, near
from bayescomb.linear_gaussian import LinearModel, integrate_out, whitening

__all__ = ["DataReduction", "data_reduction"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DataReduction:
    """Integration of nuisances as a linear map of the data.

    Attributes:
        reduce: from w_0 to the offset of the reduced model, shape (R', R).
        model: the reduced model, R' rows.
        stacked: columns of what stays, parameters and kept nuisances, in the rows of the data, shape (R, P + kept).
        integrated: the model of what is integrated, with no other nuisances.
        prior: covariance of the integrated nuisances.
    """

    reduce: FloatArray
    model: LinearModel
    stacked: FloatArray
    integrated: LinearModel
    prior: FloatArray

    def of(self, offset: FloatArray) -> LinearModel:
        """The reduced model of a data set w_0, shape (R,)."""
        reduced = self.reduce @ offset
        # Of what is left of the data at a point near them: chi2 of all rows less that of the reduced ones.
        centre = near(np.hstack([self.model.design, self.model.loading]), reduced)
        left = offset - self.stacked @ centre
        kept = self.reduce @ left
        constant = self._white.square(left) - float(kept @ (self.model.signs * kept))
        return dataclasses.replace(self.model, offset=reduced, constant=constant)

    @cached_property
    def _white(self) -> Whitening:
        return whitening(self.integrated, self.prior)


def data_reduction(model: LinearModel, kept: NDArray[np.intp], correlation: FloatArray) -> DataReduction:
    """Prepare :func:`~bayescomb.linear_gaussian.integrate_out` for any data.

    Args:
        model: R rows; its own data serve as a check.
        kept: positions of the nuisances that stay.
        correlation: C of all nuisances, shape (N, N).

    Raises:
        ArithmeticError: the reduced model is not linear in the data.

    Examples:
        >>> import bayescomb as bc, numpy as np
        >>> from bayescomb.correlation import correlation_family
        >>> from bayescomb.linear_gaussian import linear_model
        >>> combination = bc.load("models/run1_mass")
        >>> model, family = linear_model(combination), correlation_family(combination)
        >>> found = data_reduction(model, np.array([], dtype=int), family.correlation(family.nominal))
        >>> found.of(model.offset).loading.shape
        (1, 0)
    """
    unit = dataclasses.replace(model, estimate_loading=np.eye(len(model.offset)))
    reduced = integrate_out(unit, kept, correlation)
    if not np.allclose(reduced.estimate_loading @ model.offset, reduced.offset, rtol=1e-8):
        msg = "the reduced model is not linear in the data"
        raise ArithmeticError(msg)
    others = np.setdiff1d(np.arange(len(model.nuisances)), kept)
    return DataReduction(
        reduce=reduced.estimate_loading,
        model=reduced,
        stacked=np.column_stack([model.design, model.loading[:, kept]]),
        integrated=dataclasses.replace(model, loading=model.loading[:, others]),
        prior=correlation[np.ix_(others, others)],
    )

"""A linear model with nuisances integrated once for any data: many data sets share design, loading and therefore V."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescomb.linear_gaussian import LinearModel, integrate_out, marginal_covariance

__all__ = ["DataReduction", "data_reduction"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DataReduction:
    """Integration of nuisances as a linear map of the data.

    Attributes:
        reduce: from w_0 to the offset of the reduced model, shape (R', R).
        model: the reduced model, R' rows.
        inverse: of the covariance of w_0 with the kept nuisances fixed, shape (R, R).
    """

    reduce: FloatArray
    model: LinearModel
    inverse: FloatArray

    def of(self, offset: FloatArray) -> LinearModel:
        """The reduced model of a data set w_0, shape (R,)."""
        reduced = self.reduce @ offset
        constant = float(offset @ self.inverse @ offset - reduced @ (self.model.signs * reduced))
        return dataclasses.replace(self.model, offset=reduced, constant=constant)


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
    fixed = dataclasses.replace(model, loading=model.loading[:, others])
    inverse = np.linalg.inv(marginal_covariance(fixed, correlation[np.ix_(others, others)]))
    return DataReduction(reduce=reduced.estimate_loading, model=reduced, inverse=inverse)

"""Data sets simulated from a model: measured values, and for fitted inputs the post-fit nuisance values too.

Many data sets share design and loading, and therefore V: a data reduction integrates their nuisances once for all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import expects
from bayescomb.base.errors import OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import correlation_family, feasible_correlation
from bayescomb.likelihood.data_information import measurement_factor
from bayescomb.likelihood.least_squares import Whitening, near
from bayescomb.likelihood.linear_gaussian import LinearModel, integrate_out, whitening
from bayescomb.likelihood.nonlinear.model import mapping

__all__ = ["DataReduction", "data_reduction", "simulate"]


@expects(combination="combination")
@single_threaded
def simulate(
    combination: Combination,
    *,
    observables: FloatArray,
    rng: np.random.Generator,
    coefficients: ArrayLike | Mapping[str, float] | None = None,
    antithetic: bool = False,
) -> tuple[Combination, ...]:
    """The combination with data drawn at true observables, the nuisances drawn from their prior.

    The data of an input say w = R z - w_0 with w ~ N(0, J) at its true estimates and nuisances z; a fitted input then
    publishes z_hat with H z_hat = R^T w_0, its priors included, so that estimates and pulls are simulated together.

    Args:
        combination: with Gaussian data and no constraint wider than its prior; formulas need not be linear.
        observables: true values of the variables (observables without a formula, parameters before them) in the order of
            the combination, shape (O,).
        rng: source of randomness.
        coefficients: true correlation coefficients, nominal by default.
        antithetic: return a second data set with all deviations of opposite sign.

    Raises:
        OptionError: chi2 is Pearson's, a response is not absolute, a nuisance is free, or constraints above 1 leave no data
            to draw.

    Examples:
        >>> import bayescomb as bc, numpy as np
        >>> combination = bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest")
        >>> (toy,) = bc.simulate(combination, observables=np.array([172.5]), rng=np.random.default_rng(1))
        >>> len(toy.estimates), abs(bc.profile(toy).values.item() - 172.5) < 1.5
        (15, True)
    """
    family = correlation_family(combination)
    if combination.curved_terms or any(n.free for n in combination.nuisances):
        msg = (
            f"{combination.name!r}: data are simulated for chi2 'neyman' with absolute symmetric responses and without free "
            "nuisances"
        )
        raise OptionError(msg)
    r = family.vector(coefficients)
    correlation, _ = feasible_correlation(combination, family, r)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    nuisances = vectors @ (np.sqrt(np.maximum(eigenvalues, 0.0)) * rng.standard_normal(len(eigenvalues)))
    position = {name: i for i, name in enumerate(family.nuisances)}
    noise = [rng.standard_normal(len(m.estimates) + len(m.all_nuisances)) for m in combination.measurements]
    return tuple(
        _data(combination, observables, sign * nuisances, [sign * n for n in noise], position)
        for sign in ((1, -1) if antithetic else (1,))
    )


def _data(
    combination: Combination,
    observables: FloatArray,
    nuisances: FloatArray,
    noise: list[FloatArray],
    position: dict[str, int],
) -> Combination:
    measurements, map_of = [], mapping(combination)
    bend = np.zeros(len(combination.estimates))
    if not map_of.linear:
        bend = map_of.value(observables) - combination.design @ observables - combination.constant
    for measurement, own, white in zip(combination.measurements, combination.estimate_slices, noise, strict=True):
        n = len(measurement.estimates)
        predicted = combination.design[own] @ observables + combination.constant[own] + bend[own]
        true = np.concatenate([predicted, nuisances[[position[m.name] for m in measurement.all_nuisances]]])
        factor = measurement_factor(measurement, nuisance_values="used")
        if (factor.signs < 0).any():
            msg = f"measurement {measurement.name!r}: constraints above 1 leave no data to simulate"
            raise OptionError(msg)
        data = factor.rows @ true + factor.signs * white[: len(factor.rows)]  # w_0
        fit = measurement.fit
        if fit is None:
            values = np.linalg.solve(factor.rows[:, :n], data)
        else:
            fitted = np.linalg.solve(fit.information, factor.rows[:, : len(fit.information)].T @ data)
            values, pulls = fitted[:n], fitted[n:]
            fit = dataclasses.replace(fit, pulls=pulls)
        estimates = tuple(dataclasses.replace(e, value=float(v)) for e, v in zip(measurement.estimates, values, strict=True))
        measurements.append(dataclasses.replace(measurement, estimates=estimates, fit=fit))
    return dataclasses.replace(combination, measurements=tuple(measurements), nuisance_values="used")


@dataclass(frozen=True, kw_only=True)
class DataReduction:
    """Integration over nuisances as a linear map of the data.

    Attributes:
        reduce: from w_0 to the offset of the reduced model, shape (R', R).
        model: the reduced model, R' rows.
        stacked: columns of the parameters and the kept nuisances in the rows of the data, shape (R, P + kept).
        integrated: the model with the integrated nuisances alone.
        prior: prior covariance of the integrated nuisances.
    """

    reduce: FloatArray
    model: LinearModel
    stacked: FloatArray
    integrated: LinearModel
    prior: FloatArray

    def of(self, offset: FloatArray) -> LinearModel:
        """The reduced model of a data set w_0, shape (R,)."""
        reduced = self.reduce @ offset
        # Chi2 of all rows less that of the reduced ones, at a point near the data, where residuals are small.
        centre = near(np.hstack([self.model.design, self.model.loading]), reduced)
        left = offset - self.stacked @ centre
        kept = self.reduce @ left
        constant = self._white.square(left) - float(kept @ (self.model.signs * kept))
        return dataclasses.replace(self.model, offset=reduced, constant=constant)

    @cached_property
    def _white(self) -> Whitening:
        return whitening(self.integrated, self.prior)


def data_reduction(model: LinearModel, kept: IntArray, correlation: FloatArray) -> DataReduction:
    """Prepare :func:`~bayescomb.likelihood.linear_gaussian.integrate_out` for any data.

    Args:
        model: R rows; its own data serve as a check.
        kept: positions of the nuisances that stay.
        correlation: C of all nuisances, shape (N, N).

    Raises:
        ArithmeticError: the reduced model is not linear in the data.

    Examples:
        >>> import bayescomb as bc, numpy as np
        >>> from bayescomb.likelihood.correlation import correlation_family
        >>> from bayescomb.likelihood.linear_gaussian import linear_model
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

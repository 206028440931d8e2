"""Data sets simulated from a model: measured values, and for fitted inputs the post-fit nuisance values too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescomb.checks import expects
from bayescomb.correlation import correlation_family
from bayescomb.data_information import measurement_factor
from bayescomb.errors import OptionError
from bayescomb.inputs import Combination
from bayescomb.repair import feasible_correlation
from bayescomb.threads import single_threaded

__all__ = ["simulate"]

FloatArray = NDArray[np.float64]


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
        combination: linear, with data that nowhere loosen a prior.
        observables: true values in the order of the combination, shape (O,).
        rng: source of randomness.
        coefficients: true correlation coefficients, nominal by default.
        antithetic: return a second data set with all deviations of opposite sign.

    Raises:
        OptionError: chi2 is not quadratic, a nuisance is free, or constraints above 1 leave no data to draw.

    Examples:
        >>> import bayescomb as bc, numpy as np
        >>> combination = bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest")
        >>> (toy,) = bc.simulate(combination, observables=np.array([172.5]), rng=np.random.default_rng(1))
        >>> len(toy.estimates), abs(bc.profile(toy).values.item() - 172.5) < 1.5
        (15, True)
    """
    family = correlation_family(combination)
    if not combination.quadratic or any(n.free for n in combination.nuisances):
        msg = f"{combination.name!r}: data are simulated for a quadratic chi2 without free nuisances"
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
    measurements, start = [], 0
    for measurement, white in zip(combination.measurements, noise, strict=True):
        n = len(measurement.estimates)
        predicted = combination.design[start : start + n] @ observables
        start += n
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

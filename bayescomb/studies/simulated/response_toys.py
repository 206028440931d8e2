"""Simulated data sets of models with curved responses or Pearson's weights.

Each data set is a combination of its own, fitted and sampled: with kinked, relative or lognormal responses the minima,
widths and modes depend on the data, so that nothing can be prepared once for all data sets.  A data set is
x_i ~ N(X_i(p, lambda), S) with nuisances lambda ~ N(0, C(r)) and coefficients r from their priors.  Relative shifts keep
their percentage, now of the simulated value, and with Pearson's chi2 the statistical variance is proportional to that value.

A parameter with a stated prior is drawn from it.  A parameter with a flat prior has no draws and is held at the best fit.
Where all responses are absolute, a shift of such a parameter shifts data and posterior alike, so that the ranks are uniform
all the same.  Elsewhere the study is one of coverage at that value, and ranks need a stated prior.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.nonlinear.model import NonlinearParts, nonlinear_parts
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.tree import has_logarithmic_prior
from bayescomb.studies.simulated.data_sets import SeparateDataSets
from bayescomb.studies.simulated.ranks import matrix_root

__all__ = ["ResponseToys", "require_responses"]


def require_responses(combination: Combination) -> None:
    """Raise unless data sets can be simulated of a combination with curved responses or Pearson's weights.

    Raises:
        OptionError: results are normalised, a formula is not linear, a likelihood is a table, a parameter has a bound
            without a prior or a lognormal prior, or an input is itself a fit.
    """
    stated = {p.name for p in combination.parameters if p.prior is not None}
    fits = [m.name for m in combination.measurements if m.fit is not None]
    found = ""
    if combination.curved_maps:
        found = "a formula that is not linear"
    elif combination.tabulated:
        found = "a likelihood table"
    elif combination.normalise:
        found = "results that are normalised"
    elif set(combination.bounds) - stated or has_logarithmic_prior(combination):
        found = "bounds without a prior, or lognormal priors"
    elif fits:
        found = f"input {fits[0]!r} is a fit of nuisances"
    if found:
        msg = (
            f"{combination.name!r}: {found}; where responses are curved or chi2 is Pearson's, data sets are simulated only "
            "of values with shifts, with parameters whose priors are flat, normal, half-normal or uniform"
        )
        raise OptionError(msg)


class ResponseToys(SeparateDataSets):
    """Data sets of one combination whose chi2 is not quadratic, and their analysis.

    Args:
        combination: what is studied, see :func:`require_responses`.
        settings: those of :class:`~bayescomb.studies.simulated.data_sets.DataSets`.

    Raises:
        OptionError: an option is not offered, or no data sets can be simulated of the combination.
    """

    @single_threaded
    def __init__(self, combination: Combination, **settings: Any) -> None:
        super().__init__(combination, **settings)
        require_responses(combination)
        self.plan = sampling_plan(combination, correlations=self.correlations)
        names = self._parts.bound
        self.followed = tuple(names[i] for i in self._followed(len(names)))

    @cached_property
    def _parts(self) -> NonlinearParts:
        return nonlinear_parts(self.combination)

    @cached_property
    def _fitted(self) -> FloatArray:
        """Flat parameters and free nuisances at the best fit to the real data."""
        curved = self.plan.curved
        assert curved is not None
        return curved.centre

    @single_threaded
    def data(self, toy: int) -> tuple[Combination, dict[str, float]]:
        """Data set number ``toy``: the combination with its simulated values, and the true value by quantity."""
        parts, rng = self._parts, self._data_stream(toy)
        coefficients = self._true_coefficients(rng)
        correlation = self.plan.correlation(coefficients)[0]
        nuisances = matrix_root(correlation) @ rng.standard_normal(len(correlation))
        parameters = self._fitted.copy()
        for i, name in enumerate(parts.observables):
            prior = next((p.prior for p in self.combination.parameters if p.name == name), None)
            if prior is not None:
                parameters[i] = float(prior.distribution().rvs(random_state=rng))
        cut = len(parts.observables)
        arguments = np.concatenate([nuisances[parts.explicit], parameters[cut:]])
        t = parts.map.value(parameters[:cut])
        predicted = parts.responses.predict(t, arguments, positive=arguments >= 0) + parts.shifts @ nuisances
        values = dict(zip((*parts.observables, *parts.free), parameters, strict=True))
        truth = {variable_name(name): value for name, value in (values | self._functions(values)).items()}
        truth |= self._named_coefficients(coefficients[0])
        own = dict(zip(parts.bound, nuisances, strict=True))
        truth |= {f"pull[{name}]": own[name] for name in self.followed}
        measurements = []
        for measurement, estimates in zip(self.combination.measurements, self.combination.estimate_slices, strict=True):
            if not measurement.is_prior:  # a prior keeps its values, as the truth is drawn from it
                measurement = self._measured(measurement, predicted[estimates], rng)
            measurements.append(measurement)
        return dataclasses.replace(self.combination, measurements=tuple(measurements)), {
            name: float(value) for name, value in truth.items()
        }

    def _measured(self, measurement: Measurement, predicted: FloatArray, rng: np.random.Generator) -> Measurement:
        """The measurement with values simulated around a prediction, shape (n,)."""
        covariance = np.asarray(measurement.statistical_covariance)
        published = np.array([e.value for e in measurement.estimates])
        pearson = self.combination.pearson
        noise = matrix_root(covariance) @ rng.standard_normal(len(covariance))
        values = predicted + (np.sqrt(np.abs(predicted / published)) * noise if pearson else noise)
        ratio = values / np.where(published == 0, 1.0, published)
        in_per_cent = np.array([n.multiplicative for n in measurement.nuisances], dtype=bool)
        factor = np.where(in_per_cent, ratio[:, None], 1.0)
        down = measurement.down_responses
        grown = np.sqrt(np.abs(ratio))
        return dataclasses.replace(
            measurement,
            estimates=tuple(
                dataclasses.replace(e, value=float(v)) for e, v in zip(measurement.estimates, values, strict=True)
            ),
            statistical_covariance=covariance * np.outer(grown, grown) if pearson else covariance,
            responses=measurement.responses * factor,
            down_responses=None if down is None else down * factor,
        )

    def _profile(self, simulated: Combination, truth: dict[str, float]) -> dict[str, Any]:
        fit = profile(simulated)
        names = map(str, fit.values["parameter"].to_numpy())
        rows = self._profile_rows(truth, names, fit.values, fit.up_errors, fit.down_errors)
        return {"chi2": float(fit.chi2), "profile": rows}

"""Simulated data sets of responses that are not straight: each is a combination of its own, fitted and sampled like any.

Kinked, relative and lognormal responses make minima, widths and modes depend on the data, so that nothing is prepared once
for all.  A data set is x_i ~ N(X_i(p, lambda), S) with the nuisances lambda ~ N(0, C(r)) and the coefficients r from their
priors.  What was published in per cent stays that: a relative shift is the same part of the simulated value, and with
Pearson's chi2 the statistical variance is proportional to it.

A parameter with a stated prior is drawn from it.  A flat one has no draws and is held at the best fit.  Where all responses
are absolute a shift of it shifts data and posterior alike, so that ranks are uniform there as well; elsewhere the study is
one of coverage at that value, and ranks need a stated prior.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice
from bayescomb.base.choices import CORRELATIONS, Correlations
from bayescomb.base.errors import BayescombError, OptionError
from bayescomb.base.numerics.threads import single_threaded
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import evaluate
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.variables import variable_name
from bayescomb.likelihood.nonlinear.model import NonlinearParts, nonlinear_parts
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.priors import prior_draws
from bayescomb.sampling.sample import sample
from bayescomb.sampling.tree import has_logarithmic_prior
from bayescomb.studies.simulated.ranks import matrix_root, ranked

__all__ = ["ResponseToys", "require_responses"]


def require_responses(combination: Combination) -> None:
    """Data sets can be simulated of a combination whose responses are not straight, or whose weights are Pearson's.

    Raises:
        OptionError: results are normalised, a formula is not linear, a likelihood is a table, a bound is no prior, or an
            input is itself a fit.
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
            f"{combination.name!r}: {found}; where responses are not straight or chi2 is Pearson's data sets are simulated "
            "of values with shifts, whose parameters are flat or have priors that are not lognormal"
        )
        raise OptionError(msg)


class ResponseToys:
    """Data sets of one combination whose chi2 is not quadratic, and their analysis.

    Args:
        combination: what is studied, see :func:`require_responses`.
        seed: toy i is the same whatever else is done.
        correlations: ``"prior"`` draws the true coefficients from their prior and samples them, ``"nominal"`` holds them.
        posterior: whether each data set is sampled too.
        draws: kept steps per chain.
        tune: tuning steps per chain.
        chains: number of chains.
        nuisances: how many nuisances are followed, chosen at random.

    Raises:
        OptionError: an option is not offered, or data sets cannot be simulated of the combination.
    """

    @single_threaded
    def __init__(
        self,
        combination: Combination,
        *,
        seed: int,
        correlations: Correlations = "prior",
        posterior: bool = True,
        draws: int = 300,
        tune: int = 150,
        chains: int = 2,
        nuisances: int = 20,
    ) -> None:
        check_choice(correlations, CORRELATIONS, where="correlations")
        require_responses(combination)
        self.combination, self.seed, self.posterior = combination, seed, posterior
        self.correlations, self.draws, self.tune, self.chains = correlations, draws, tune, chains
        self.plan = sampling_plan(combination, correlations=correlations)
        names = self._parts.bound
        chosen = np.random.default_rng([seed, 0]).choice(len(names), size=min(nuisances, len(names)), replace=False)
        self.followed = tuple(names[i] for i in np.sort(chosen))

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
        """Data set number ``toy``: the combination with its values, and the true value by quantity."""
        plan, parts = self.plan, self._parts
        rng = np.random.default_rng([self.seed, 1, toy])
        coefficients = prior_draws(
            plan.coefficients, low=plan.low, high=plan.high, draws=1, rng=rng, feasible=plan.feasible()
        )
        correlation = plan.correlation(coefficients)[0]
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
        nodes = self.combination.quantities.nodes
        values |= {o.name: float(evaluate(nodes[o.name], values)) for o in self.combination.functions}
        truth = {variable_name(name): float(value) for name, value in values.items()}
        truth |= {f"rho[{c.name}]": float(r) for c, r in zip(plan.coefficients, coefficients[0], strict=True)}
        own = dict(zip(parts.bound, nuisances, strict=True))
        truth |= {f"pull[{name}]": float(own[name]) for name in self.followed}
        measurements, start = [], 0
        for measurement in self.combination.measurements:
            stop = start + len(measurement.estimates)
            if not measurement.is_prior:  # from which the truth is drawn
                measurement = self._measured(measurement, predicted[start:stop], rng)
            measurements.append(measurement)
            start = stop
        return dataclasses.replace(self.combination, measurements=tuple(measurements)), truth

    def _measured(self, measurement: Measurement, predicted: FloatArray, rng: np.random.Generator) -> Measurement:
        """A measurement of a prediction, shape (n,)."""
        covariance = np.asarray(measurement.statistical_covariance)
        published = np.array([e.value for e in measurement.estimates])
        pearson = self.combination.chi2 == "pearson"
        noise = matrix_root(covariance) @ rng.standard_normal(len(covariance))
        values = predicted + (np.sqrt(np.abs(predicted / published)) * noise if pearson else noise)
        ratio = values / np.where(published == 0, 1.0, published)
        in_per_cent = np.array([n.response != "absolute" for n in measurement.nuisances], dtype=bool)
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

    @single_threaded
    def analyse(self, toy: int) -> dict[str, Any]:
        """Truth, profile and posterior of one data set, see :meth:`bayescomb.studies.simulated.toys.Toys.analyse`."""
        combination, truth = self.data(toy)
        try:
            fit = profile(combination)
            rows = {
                variable_name(str(name)): [truth[variable_name(str(name))], float(value), float(up), float(down)]
                for name, value, up, down in zip(
                    fit.values["parameter"].to_numpy(), fit.values, fit.up_errors, fit.down_errors, strict=True
                )
            }
            record = {"toy": toy, "chi2": float(fit.chi2), "profile": rows}
            return record | self._posterior(combination, truth, toy) if self.posterior else record
        except BayescombError as error:
            return {"toy": toy, "problem": str(error)}

    def _posterior(self, combination: Combination, truth: Mapping[str, float], toy: int) -> dict[str, Any]:
        seed = int(np.random.default_rng([self.seed, 2, toy]).integers(2**31))

        def sampled(longer: int) -> tuple[dict[str, FloatArray], int, str]:
            tree = sample(
                combination,
                seed=seed,
                draws=longer * self.draws,
                tune=self.tune,
                chains=self.chains,
                correlations=self.correlations,
                progress=False,
            )
            modes = json.loads(tree.attrs["modes"])
            draws = _quantities(tree["posterior"].to_dataset())
            found = {name: values for name, values in draws.items() if name in truth}
            return found, int(tree["sample_stats"]["diverging"].sum()), modes.get("reason", "")

        return ranked(truth, sampled, chains=self.chains)


def _quantities(draws: xr.Dataset) -> dict[str, FloatArray]:
    """Draws by quantity, chains one after the other."""
    found = {str(name): values.to_numpy().ravel() for name, values in draws.items() if values.ndim == 2}
    for variable, dim in (("rho", "coefficient"), ("pull", "nuisance")):
        if variable in draws:
            columns = draws[variable].transpose(dim, "chain", "draw")
            names = columns[dim].to_numpy()
            found |= {f"{variable}[{n}]": x.ravel() for n, x in zip(names, columns.to_numpy(), strict=True)}
    return found

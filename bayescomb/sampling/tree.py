"""The groups of a posterior: draws of what was integrated out beside those of the sampler, with names and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.fit.fitter import normalised_names
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import evaluate
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.theory import Theory
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.model.extraction import draw_theory
from bayescomb.sampling.plan import SamplingPlan, stacked, stacked_vector
from bayescomb.sampling.recovery import (
    conditional_masses,
    conditional_moments,
    given_coefficients,
    recover_nuisances,
    recoverable_nuisances,
)

__all__ = [
    "conditional_group",
    "differences",
    "has_logarithmic_prior",
    "labelled",
    "normalised",
    "observed_group",
    "with_differences",
    "with_functions",
    "with_nuisances",
    "with_theory",
]


def with_theory(plan: SamplingPlan, theory: Theory, posterior: xr.Dataset, seed: int) -> xr.Dataset:
    """The posterior with exact draws of its theory nuisances and of the observables that follow from them."""
    levels = theory.free_names + plan.reduced.parameters[len(theory.select) :]
    nuisances, parameters = draw_theory(
        plan,
        theory,
        coefficients=plan.weights_of(posterior),
        theta=stacked(posterior, theory.parameters),
        levels=stacked(posterior, levels),
        rng=np.random.default_rng([seed, 3]),
    )
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    columns = zip(plan.parameters, parameters.T, strict=True)
    posterior = posterior.assign({variable_name(p): (("chain", "draw"), column.reshape(shape)) for p, column in columns})
    pulls = (("chain", "draw", "theory_nuisance"), nuisances.reshape(*shape, -1))
    return posterior.assign_coords(theory_nuisance=list(theory.nuisances)).assign(theory_pull=pulls)


def with_differences(theory: Theory, posterior: xr.Dataset) -> xr.Dataset:
    """The posterior with the mass differences of the extraction."""
    masses = {name: posterior[variable_name(name)] for name in theory.masses}
    return posterior.assign({variable_name(name): values for name, values in differences(theory, masses).items()})


def differences(theory: Theory, values: Mapping[str, Any]) -> dict[str, Any]:
    """The mass differences of the extraction, from values, or draws, of the masses."""
    return {f"{first} - {second}": values[first] - values[second] for first, second in theory.extraction.differences}


def _linear_parameters(
    plan: SamplingPlan, posterior: xr.Dataset, coefficients: FloatArray, parameters: FloatArray
) -> FloatArray:
    """Parameters of the linear model at every draw: those of the posterior, or the q that they determine together with z."""
    curved = plan.curved
    if curved is None:
        return parameters
    white = stacked_vector(posterior, "white_explicit")
    base, patterns = plan.explicit_prior
    roots = np.linalg.cholesky(base + np.tensordot(coefficients, patterns, axes=1))
    return curved.pseudo_parameters(parameters, white, roots)


def normalised(combination: Combination, posterior: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """The posterior with its observables divided by their sum at each draw, and the observables as they were sampled."""
    names = [variable_name(name) for name in normalised_names(combination)]
    total = sum(posterior[name] for name in names)
    divided = posterior.copy()
    for name in names:
        divided[name] = posterior[name] / total
        divided[name].attrs = posterior[name].attrs | {"unit": ""}
    return divided, posterior[names]


def with_nuisances(plan: SamplingPlan, posterior: xr.Dataset, seed: int) -> tuple[xr.Dataset, dict[str, str]]:
    """The posterior with exact draws of its nuisances, and block -> why its nuisances have none."""
    recoverable = recoverable_nuisances(plan)
    rng = np.random.default_rng([seed, 1])
    coefficients = plan.weights_of(posterior)
    # Contiguous rows: the rounding of products depends on the memory layout, and with it the draws of a seed.
    parameters = np.ascontiguousarray(stacked(posterior, plan.parameters))
    linear = _linear_parameters(plan, posterior, coefficients, parameters)
    nuisances = recover_nuisances(plan, recoverable, coefficients, linear, rng=rng)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], nuisances.shape[1])
    names = [plan.model.nuisances[i] for i in recoverable.index]
    array = xr.DataArray(nuisances.reshape(shape), dims=("chain", "draw", "nuisance"), coords={"nuisance": names})
    return (posterior.assign(pull=array) if names else posterior), recoverable.reasons


def has_logarithmic_prior(combination: Combination) -> bool:
    """Whether a parameter has a lognormal prior."""
    return any(p.prior is not None and p.prior.logarithmic for p in combination.parameters)


def with_functions(combination: Combination, posterior: xr.Dataset) -> xr.Dataset:
    """The posterior with the observables that have a formula and the derived quantities, computed at each draw."""
    values = {o.name: posterior[variable_name(o.name)] for o in combination.variables} if combination.functions else {}
    nodes = combination.quantities.nodes
    return posterior.assign({variable_name(o.name): evaluate(nodes[o.name], values) for o in combination.functions})


def labelled(combination: Combination, posterior: xr.Dataset) -> xr.Dataset:
    """The posterior with units and titles as attributes of its variables."""
    for quantity in combination.results:
        posterior[variable_name(quantity.name)].attrs = {
            "name": quantity.name,
            "unit": quantity.unit,
            "title": quantity.title,
        }
    if "theory_pull" in posterior:
        posterior["theory_pull"].attrs = {"unit": "prior width", "title": "values of the theory nuisances"}
    if "pull" in posterior:
        posterior["pull"].attrs = {"unit": "prior width", "title": "values of the nuisance parameters"}
    if "rho" in posterior:
        posterior["rho"].attrs = {"unit": "1", "title": "correlation coefficients"}
    if SCALE in posterior:
        posterior[SCALE].attrs = {"unit": "1", "title": "true over quoted variance of sources of uncertain size"}
    return posterior


def conditional_group(plan: SamplingPlan, posterior: xr.Dataset) -> xr.Dataset:
    """Mean and sd of each result given the coefficients of each draw.

    They are exact for a linear model; of an extraction only the masses have them, by the tangent.
    """
    coefficients = plan.weights_of(posterior)
    if plan.theory is None:
        names, (mean, sd) = _with_linear_functions(plan, coefficients)
    else:
        names, mean, sd, _ = conditional_masses(plan, plan.theory, coefficients)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], mean.shape[1])
    dims = ("chain", "draw", "parameter")
    coords = {"parameter": list(names), "chain": posterior["chain"], "draw": posterior["draw"]}
    return xr.Dataset({"mean": (dims, mean.reshape(shape)), "sd": (dims, sd.reshape(shape))}, coords)


def _with_linear_functions(
    plan: SamplingPlan, coefficients: FloatArray
) -> tuple[tuple[str, ...], tuple[FloatArray, FloatArray]]:
    """Names, exact means and standard deviations of the parameters and of their linear functions."""
    quantities, variables = plan.combination.quantities, plan.combination.variables
    functions = [o for o in quantities.functions if quantities.affine[o.name] is not None]
    if not functions:
        return plan.parameters, conditional_moments(plan, coefficients)
    mean, covariance, _ = given_coefficients(plan, coefficients)
    rows, constant = quantities.rows([{o.name: 1.0} for o in functions])
    jacobian = np.vstack([np.eye(len(plan.parameters)), np.zeros((len(functions), len(plan.parameters)))])
    jacobian[len(plan.parameters) :, [plan.parameters.index(o.name) for o in variables]] = rows
    moved = mean @ jacobian.T + np.concatenate([np.zeros(len(plan.parameters)), constant])
    sd = np.sqrt(np.einsum("rp,npq,rq->nr", jacobian, covariance, jacobian))
    return (*plan.parameters, *(o.name for o in functions)), (moved, sd)


def observed_group(combination: Combination) -> xr.Dataset:
    """The measured values."""
    estimates = combination.estimates
    values = np.array([e.value for e in estimates])
    return xr.Dataset({"estimate_value": ("estimate", values)}, {"estimate": [e.name for e in estimates]})

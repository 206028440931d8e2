"""The data of a combination in a PyMC model: their density given the fitted variables, and predictive draws.

Where all responses are absolute and chi2 is Neyman's, the measured values are an observed variable: with t the predicted
estimates x ~ N(t, V(r)), all nuisances integrated out, so that PyMC's predictive draws, graphs and log likelihoods contain
them.  Elsewhere some nuisances remain variables; the density is then one of data and nuisances together, and is a potential.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Constant

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import SINGULAR
from bayescomb.base.errors import UnderdeterminedError
from bayescomb.likelihood.linear_gaussian import linear_model, solve
from bayescomb.likelihood.nonlinear.model import mapping
from bayescomb.sampling.fused.curved import has_kernel
from bayescomb.sampling.model.kernels import curved_log_density, marginal_log_density
from bayescomb.sampling.plan import CurvedPlan, SamplingPlan
from bayescomb.sampling.variables import FlatFrom

__all__ = ["OBSERVED", "data_density", "observe"]

# Name of the observed variable, and of its dimension.
OBSERVED = "estimate_value"
ESTIMATE = "estimate"


def data_density(model: pm.Model, plan: SamplingPlan, weights: Any, parameters: Any, *, prefix: str = "") -> Any:
    """Symbolic log density of the data with all nuisances integrated out, except those in which chi2 is not quadratic.

    Args:
        model: to which these nuisances are added as variables.
        plan: without an extraction.
        weights: of the patterns, shape (K + m,).
        parameters: fitted quantities and free nuisances, shape (P,).
        prefix: of the names of the variables.
    """
    if plan.curved is None:
        return marginal_log_density(weights, parameters, model=plan.reduced, base=plan.base, patterns=plan.patterns)
    return _curved_density(model, plan, plan.curved, weights, parameters, prefix)


def _curved_density(model: pm.Model, plan: SamplingPlan, curved: CurvedPlan, rho: Any, parameters: Any, prefix: str) -> Any:
    """The density with the explicit directions z as variables, Pearson's determinant included."""
    size = len(curved.offset)
    white: Any = pt.zeros(0)
    if size:
        model.add_coord(f"{prefix}white", list(range(size)))
        white = FlatFrom(f"{prefix}white_explicit", np.zeros(size), dims=f"{prefix}white")
    if has_kernel(curved):
        return curved_log_density(rho, parameters, white, plan=plan, curved=curved)
    theta: Any = parameters
    volume: Any = 0.0  # log of dz/d(zeta)
    if size:
        base, patterns = plan.explicit_prior
        covariance: Any = base
        for c, pattern in enumerate(patterns):
            covariance = covariance + rho[c] * pattern
        varies = curved.n_kept > 0
        root = pt.linalg.cholesky(covariance, on_error="nan") if varies else np.zeros((0, 0))
        theta = curved.theta(parameters, white, root, xp=pt)
        if varies:
            volume = pt.sum(pt.log(pt.diagonal(root)))
    prediction = curved.map.prediction(theta, xp=pt)
    q = curved.map.pseudo_parameters(theta, prediction, xp=pt)
    density = volume + marginal_log_density(rho, q, model=plan.reduced, base=plan.base, patterns=plan.patterns)
    if curved.map.parts.pearson:
        chi2, minus_logdet = curved.map.pearson_terms(prediction, xp=pt)
        density = density - (chi2 + minus_logdet) / 2
    return density


def observe(model: pm.Model, plan: SamplingPlan, weights: Any, parameters: Any, *, prefix: str = "") -> None:
    """Add the data to a model, as an observed variable where they have a density of their own.

    Args:
        model: to which they are added.
        plan: without an extraction.
        weights: of the patterns, symbolic, shape (K + m,).
        parameters: fitted quantities and free nuisances, symbolic, shape (P,).
        prefix: of the names of the variables.
    """
    curved = plan.curved
    if curved is not None and (len(curved.offset) or curved.map.parts.pearson):
        pm.Potential(f"{prefix}data", data_density(model, plan, weights, parameters, prefix=prefix))
        return
    estimates = plan.combination.estimates
    measured = np.array([e.value for e in estimates])
    predict, count = mapping(plan.combination), len(plan.combination.variables)
    inputs = _inputs_alone(plan)
    constant = _constant(plan, inputs)

    def logp(value: Any, weights: Any, parameters: Any, centre: Any) -> Any:
        del centre  # it only determines the shape
        if isinstance(value, Constant) and np.array_equal(value.data, measured):
            return data_density(model, plan, weights, parameters, prefix=prefix) + constant
        if curved is not None:  # its first parameters q are prediction minus data
            q = curved.map.pseudo_parameters(parameters, curved.map.prediction(parameters, xp=pt), xp=pt)
            q = pt.concatenate([q[: len(measured)] + measured - value, q[len(measured) :]])
            return marginal_log_density(weights, q, model=plan.reduced, base=plan.base, patterns=plan.patterns) + constant
        # Other data move the offset of the rows, which is linear in them.
        moved = dataclasses.replace(plan.reduced, design=np.hstack([plan.reduced.design, -plan.reduced.estimate_loading]))
        everything = pt.concatenate([parameters, value - measured])
        return marginal_log_density(weights, everything, model=moved, base=plan.base, patterns=plan.patterns) + constant

    def random(
        weights: FloatArray,
        parameters: FloatArray,
        centre: FloatArray,
        rng: np.random.Generator | None = None,
        size: tuple[int, ...] | None = None,
    ) -> FloatArray:
        del centre
        rng = rng or np.random.default_rng()
        _, root = inputs(weights)
        white = rng.standard_normal((*(size or ()), root.shape[1]))
        return np.asarray(predict.compared(parameters[:count]) + white @ root.T)

    dims = f"{prefix}{ESTIMATE}"
    model.add_coord(dims, [e.name for e in estimates])
    pm.CustomDist(
        f"{prefix}{OBSERVED}",
        weights,
        parameters,
        measured,
        logp=logp,
        random=random,
        observed=measured,
        dims=dims,
        signature="(k),(p),(e)->(e)",
        class_name="Estimates",
    )


def _inputs_alone(plan: SamplingPlan) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
    """Function of the weights of the patterns, shape (K + m,): estimates by the inputs alone, shape (E,), and root of V."""
    own = linear_model(plan.combination.saturated())
    index = [own.parameters.index(e.name) for e in plan.combination.estimates]

    def mean_and_root(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = solve(own, plan.correlation(weights[None])[0])
        return found.values[index], found.root[index]

    return mean_and_root


def _constant(plan: SamplingPlan, inputs: Callable[[FloatArray], tuple[FloatArray, FloatArray]]) -> float:
    """The constant that normalises the density to log N(x; t, V), computed at the starting point.

    It is 0 where the estimates have no such density: with free nuisances, on which their prediction depends, with a singular
    V, or where inputs widen a shared prior so much that the estimates have no joint density.
    """
    if any(n.free for n in plan.combination.nuisances):
        return 0.0
    if plan.curved is None:
        q = solve(plan.model, plan.correlation(plan.start[None])[0]).values
        predicted = mapping(plan.combination).value(q)
    else:
        predicted = plan.curved.map.prediction(plan.curved.centre)
        q = plan.curved.map.pseudo_parameters(plan.curved.centre, predicted)
    residual = plan.reduced.offset - plan.reduced.design @ q
    covariance = plan.base + np.tensordot(plan.start, plan.patterns, axes=1)
    found = -(residual @ np.linalg.solve(covariance, residual) + np.linalg.slogdet(covariance)[1]) / 2
    try:
        mean, root = inputs(plan.start)
    except UnderdeterminedError:
        return 0.0
    variance, vectors = np.linalg.eigh(root @ root.T)
    if variance[0] <= SINGULAR * variance[-1]:
        return 0.0
    white = (vectors.T @ (mean - predicted)) / np.sqrt(variance)
    return float(-(white @ white + np.log(2 * np.pi * variance).sum()) / 2 - found)

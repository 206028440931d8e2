"""What an extraction adds to the model: masses and scales, where they start, and draws of what is integrated out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import UnderdeterminedError
from bayescomb.fit.minimise.extraction import fit_extraction
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.theory import Theory, scale_correlation
from bayescomb.sampling.linear_posterior import CHUNK
from bayescomb.sampling.plan import SamplingPlan
from bayescomb.sampling.variables import FlatFrom, UniformFrom, begun

__all__ = ["ExtractionStart", "draw_theory", "extraction_start", "level_variables", "theta_variables"]


@dataclass(frozen=True, kw_only=True)
class ExtractionStart:
    """Where chains begin: the fit at a feasible point well inside.

    Attributes:
        theta: masses and scales, shape (H,).
        levels: free directions of the observables and free nuisances, shape (Z + F,).
        level_names: their names.
        level_errors: their errors, shape (Z + F,).
    """

    theta: FloatArray
    levels: FloatArray
    level_names: tuple[str, ...]
    level_errors: FloatArray


def extraction_start(plan: SamplingPlan, theory: Theory) -> ExtractionStart:
    """The fit at the initial coefficients of the plan."""
    kept = plan.correlation(plan.start[None], plan.kept)[0]
    prior = theory.with_prior(kept)
    fit = partial(fit_extraction, theory, plan.reduced, mean=np.zeros(len(prior)), correlation=prior, errors="hesse")
    try:
        fitted = fit()
    except UnderdeterminedError:  # uniform scales that the data do not determine have their ranges as a proper prior
        fitted = fit(hold_scales=True)
    inner = fitted.solution.inner
    names = theory.free_names + plan.reduced.parameters[len(theory.select) :]
    index = [inner.parameters.index(name) for name in names]
    # Not on the edge of a box, where the unconstrained coordinate is infinite.
    room = np.where(np.isfinite(theory.high - theory.low), 0.05 * (theory.high - theory.low), 0.0)
    return ExtractionStart(
        theta=np.clip(fitted.theta, theory.low + room, theory.high - room),
        levels=inner.values[index],
        level_names=names,
        level_errors=np.sqrt(np.diag(inner.covariance))[index],
    )


def theta_variables(theory: Theory, start: ExtractionStart) -> Any:
    """Masses, flat over the tables, and scales with their priors; symbolic theta, shape (H,)."""
    n = len(theory.masses)
    values = [
        UniformFrom(variable_name(name), low, high, value)
        for name, low, high, value in zip(theory.masses, theory.low[:n], theory.high[:n], start.theta[:n], strict=True)
    ]
    scales = theory.extraction.scales
    initial = start.theta[n:]
    names = [variable_name(name) for name in theory.scales]
    if scales.treatment == "correlated":
        coefficient = pm.Uniform(SCALE_COEFFICIENT, scales.low, scales.high)
        half = len(theory.scales) // 2
        root = np.linalg.cholesky(scale_correlation(theory.extraction, scales.nominal))
        white = begun(pm.Normal, "white_scales", 0.0, np.ones(2 * half), start=np.linalg.solve(root, initial / scales.width))
        inner = pt.linalg.cholesky(coefficient * np.ones((half, half)) + (1 - coefficient) * np.eye(half), on_error="nan")
        parts = [pt.sum(inner * white[part], axis=1) for part in (slice(half), slice(half, None))]
        stacked = scales.width * pt.concatenate(parts)
        values += [pm.Deterministic(variable_name(name), stacked[i]) for i, name in enumerate(theory.scales)]
        return pt.stack(values)
    match scales.prior:
        case "normal":
            values += [begun(pm.Normal, n, 0.0, scales.width, start=v) for n, v in zip(names, initial, strict=True)]
        case "uniform":
            values += [UniformFrom(n, -scales.width, scales.width, v) for n, v in zip(names, initial, strict=True)]
        case _:
            assert_never(scales.prior)
    return pt.stack(values)


def level_variables(start: ExtractionStart) -> Any:
    """Flat free directions and free nuisances; symbolic, shape (Z + F,)."""
    if not start.level_names:
        return pt.zeros(0)
    return pt.stack([FlatFrom(variable_name(name), v) for name, v in zip(start.level_names, start.levels, strict=True)])


def draw_theory(
    plan: SamplingPlan,
    theory: Theory,
    *,
    coefficients: FloatArray,
    theta: FloatArray,
    levels: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Theory nuisances given each draw, and the observables that follow.

    With d = w_0 - A c - L levels the data say d = A D eta + e, e ~ N(0, V(r)), and eta ~ N(0, 1), so that eta is Gaussian
    with gain G = (A D)^T (V + A D D^T A^T)^-1, mean G d and covariance 1 - G A D.

    Args:
        plan: K sampled coefficients, R rows of its reduced model.
        theory: the prediction, k nuisances.
        coefficients: shape (N, K).
        theta: shape (N, H).
        levels: shape (N, Z + F).
        rng: source of randomness.

    Returns:
        Nuisances, shape (N, k), and parameters (observables and free nuisances), shape (N, O + F).
    """
    pieces = []
    for start in range(0, len(theta), CHUNK):
        part = slice(start, start + CHUNK)
        pieces.append(_draw_chunk(plan, theory, coefficients[part], theta[part], levels[part], rng))
    nuisances, parameters = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return nuisances, parameters


def _draw_chunk(
    plan: SamplingPlan,
    theory: Theory,
    coefficients: FloatArray,
    theta: FloatArray,
    levels: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    model, n = plan.reduced, len(theory.select)
    into = model.design[:, :n]
    central, shifts = theory.predict(theta)
    free, other = levels[:, : len(theory.free_names)], levels[:, len(theory.free_names) :]
    observables = central @ theory.select.T + free @ theory.free.T
    residual = model.offset - observables @ into.T - other @ model.design[:, n:].T
    loading = (into @ theory.select) @ shifts  # (N, R, k)
    data = plan.base + np.tensordot(coefficients, plan.patterns, axes=1)
    total = data + loading @ np.swapaxes(loading, 1, 2)
    gain = np.swapaxes(np.linalg.solve(total, loading), 1, 2)
    white = rng.standard_normal((len(theta), shifts.shape[-1]))
    if (model.signs > 0).all():
        # Matheron's rule: a draw of prior and noise, corrected by the gain times its distance from the data.
        noise = np.einsum("nij,nj->ni", np.linalg.cholesky(data), rng.standard_normal(residual.shape))
        missing = residual - np.einsum("nrk,nk->nr", loading, white) - noise
        nuisances = white + np.einsum("nkr,nr->nk", gain, missing)
    else:
        covariance = np.eye(shifts.shape[-1]) - gain @ loading
        eigenvalues, vectors = np.linalg.eigh((covariance + np.swapaxes(covariance, 1, 2)) / 2)
        scaled = white * np.sqrt(np.maximum(eigenvalues, 0.0))
        nuisances = np.einsum("nkr,nr->nk", gain, residual) + np.einsum("nij,nj->ni", vectors, scaled)
    observables = observables + np.einsum("nok,nk->no", theory.select @ shifts, nuisances)
    return nuisances, np.hstack([observables, other])

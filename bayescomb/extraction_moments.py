"""Masses given the correlation coefficients: mean and standard deviation at each draw, by the tangent at its own minimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescomb.extraction_model import extraction_start
from bayescomb.plan import SamplingPlan
from bayescomb.theory import Theory

__all__ = ["conditional_masses", "has_conditional_masses"]

FloatArray = NDArray[np.float64]

CHUNK = 400  # draws at a time
STEPS = 40
# Largest last step of a mass or scale, in its own unit: far below any error, above the rounding of the algebra.
STEP_TOLERANCE = 1e-7


def has_conditional_masses(theory: Theory) -> bool:
    """Whether masses are near Gaussian given the coefficients: not with scales that are uniform in a box."""
    return len(theory.scales) == len(theory.scale_correlation)


def conditional_masses(
    plan: SamplingPlan, theory: Theory, coefficients: FloatArray
) -> tuple[tuple[str, ...], FloatArray, FloatArray, FloatArray]:
    """Gauss-Newton to the minimum at every draw, all draws at once, on the reduced model.

    The evidence is the likelihood with everything but the coefficients integrated, by the Gaussian of the tangent.

    Args:
        plan: K sampled coefficients.
        theory: the prediction, without uniform scales.
        coefficients: shape (N, K).

    Returns:
        Names of masses and of their differences; means and standard deviations in GeV, shape (N, number of names) each;
        logarithms of the evidence up to a constant, shape (N,).
    """
    start = extraction_start(plan, theory).theta
    parts = [_chunk(plan, theory, coefficients[i : i + CHUNK], start) for i in range(0, len(coefficients), CHUNK)]
    masses, covariance, evidence = (np.concatenate(column) for column in zip(*parts, strict=True))
    index = {name: i for i, name in enumerate(theory.masses)}
    rows = np.eye(len(index))
    pairs = np.array([rows[index[a]] - rows[index[b]] for a, b in theory.extraction.differences]).reshape(-1, len(index))
    combined = np.vstack([rows, pairs])
    names = theory.masses + tuple(f"{a} - {b}" for a, b in theory.extraction.differences)
    variance = np.einsum("qm,nmk,qk->nq", combined, covariance, combined)
    return names, masses @ combined.T, np.sqrt(variance), evidence


def _chunk(
    plan: SamplingPlan, theory: Theory, coefficients: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Masses, shape (N, M), their covariance, shape (N, M, M), and logarithms of the evidence, shape (N,)."""
    model, n, count = plan.reduced, len(theory.select), len(theory.nuisances)
    m, width = len(theory.masses), theory.extraction.scales.width
    into = model.design[:, :n] @ theory.select
    levels = np.hstack([model.design[:, :n] @ theory.free, model.design[:, n:]])
    levels = np.broadcast_to(levels, (len(coefficients), *levels.shape))
    data = plan.base + np.tensordot(coefficients, plan.patterns, axes=1)
    prior = np.eye(count + len(theory.scale_correlation))
    prior[count:, count:] = theory.scale_correlation
    theta = np.tile(start, (len(coefficients), 1))
    eta = np.zeros((len(coefficients), count))
    for _ in range(STEPS):
        central, shifts = theory.predict(theta)
        first, second = theory.derivatives(theta)
        by_theta = first + np.einsum("nbkh,nk->nbh", second, eta)
        loading = into @ np.concatenate([shifts, by_theta[..., m:] * width], axis=-1)
        offset = model.offset - (central - np.einsum("nbh,nh->nb", by_theta, theta)) @ into.T
        design = np.concatenate([into @ by_theta[..., :m], levels], axis=-1)
        covariance = data + loading @ prior @ np.swapaxes(loading, 1, 2)
        solved = np.linalg.solve(covariance, np.concatenate([design, offset[..., None]], axis=-1))
        spread = np.linalg.inv(np.swapaxes(design, 1, 2) @ solved[..., :-1])
        fitted = np.einsum("npq,nrq,nr->np", spread, design, solved[..., -1])
        weight = solved[..., -1] - np.einsum("nrp,np->nr", solved[..., :-1], fitted)
        pulls = np.einsum("nrk,nr->nk", loading, weight) @ prior
        moved = np.hstack([fitted[:, :m], width * pulls[:, count:]])
        moved = np.clip(moved, theory.low, theory.high)
        step = np.abs(moved - theta).max(initial=0.0)
        theta, eta = moved, pulls[:, :count]
        if step < STEP_TOLERANCE:
            break
    chi2 = np.einsum("nr,nr->n", offset, weight)
    evidence = -0.5 * (chi2 + np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(spread)[1])
    return theta[:, :m], spread[:, :m, :m], evidence

"""Nuisances given coefficients and parameters: exact draws, vectorised over the draws of the sampler.

With d = w_0 - K p the data say d = F lambda + e, e ~ N(0, J), and lambda ~ N(0, C(r)).  For the recovered nuisances a and
the rest b (whose covariance stays in the noise) Matheron's rule draws from the conditional exactly: take a_0 ~ N(0, C_aa)
and e_0 ~ N(0, V - F_a C_aa F_a^T), then a = a_0 + C_aa F_a^T V^-1 (d - F_a a_0 - e_0).  Nothing inverts C.

Rows of sign -1, which constraints above 1 give, widen the prior instead of adding noise: with M = -V_--^-1 (the part of V
in those rows) a_0 ~ N(0, C + C F_-^T M F_- C), and F_a a_0 + e_0 is left out of those rows.

Only nuisances in blocks with a sampled coefficient need that for every draw, on the reduced model of a few dozen rows; given
them, all others have the same conditional covariance whatever r.

Masses given the correlation coefficients: mean and standard deviation at each draw, by the tangent at its own minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.rounding import percent_text, plain, significant
from bayescomb.likelihood.correlation import NuisanceBlock
from bayescomb.likelihood.feasibility import EIGENVALUE_TOLERANCE, feasible_region
from bayescomb.likelihood.feasible_ranges import block_family
from bayescomb.likelihood.least_squares import near
from bayescomb.likelihood.linear_gaussian import LinearModel
from bayescomb.likelihood.theory import Theory
from bayescomb.sampling.linear_posterior import CHUNK, linear_posterior
from bayescomb.sampling.model.extraction import extraction_start
from bayescomb.sampling.plan import SamplingPlan

__all__ = [
    "Recoverable",
    "conditional_masses",
    "conditional_moments",
    "given_coefficients",
    "has_conditional_masses",
    "recover_nuisances",
    "recoverable_nuisances",
    "semidefinite_factor",
]

MASS_CHUNK = 400  # draws at a time
STEPS = 40
# Largest last step of a mass or scale, in its own unit: far below any error, above the rounding of the algebra.
STEP_TOLERANCE = 1e-7


@dataclass(frozen=True, kw_only=True)
class Recoverable:
    """Which nuisances have a posterior.

    Attributes:
        blocks: blocks whose matrix is a correlation matrix for every sampled coefficient.
        index: positions of their nuisances, ascending.
        reasons: block label -> why its nuisances have none.
    """

    blocks: tuple[NuisanceBlock, ...]
    index: IntArray
    reasons: dict[str, str]


def recoverable_nuisances(plan: SamplingPlan) -> Recoverable:
    """Nuisances with a posterior: all under ``nuisance``, those of sources that are correlation matrices otherwise."""
    blocks, reasons = [], {}
    for block in plan.family.blocks:
        match plan.combination.treatment:
            case "covariance":
                region = feasible_region(block_family(plan.family, block, varied=plan.sampled))
                if region.status != "box":
                    reasons[block.label] = (
                        f"its matrix is not a correlation matrix for {percent_text(1 - region.share)} % of the sampled range"
                        if region.low.size
                        else f"its matrix is indefinite (smallest eigenvalue {plain(significant(region.nominal_smallest))})"
                    )
                    continue
            case "nuisance":
                pass
            case _:
                assert_never(plan.combination.treatment)
        blocks.append(block)
    members = [b.nuisances for b in blocks]
    index = np.sort(np.concatenate(members)) if members else np.zeros(0, dtype=np.intp)
    return Recoverable(blocks=tuple(blocks), index=index, reasons=reasons)


def recover_nuisances(
    plan: SamplingPlan,
    recoverable: Recoverable,
    coefficients: FloatArray,
    parameters: FloatArray,
    *,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the recoverable nuisances given each draw of coefficients and parameters.

    Args:
        plan: K sampled coefficients, P parameters.
        recoverable: m nuisances.
        coefficients: shape (n, K).
        parameters: shape (n, P).
        rng: source of randomness.

    Returns:
        Nuisances in prior widths, shape (n, m).
    """
    coefficients, parameters = np.asarray(coefficients), np.asarray(parameters)
    everything = _System.full(plan)
    if not np.isin(plan.kept, recoverable.index).all():
        return _in_chunks(plan, everything, recoverable.blocks, coefficients, parameters, rng)
    # Given the kept nuisances the others do not depend on the coefficients: one gain serves all draws.
    kept_blocks = tuple(b for b in recoverable.blocks if np.isin(b.nuisances, plan.kept).all())
    kept = _in_chunks(plan, _System.reduced(plan), kept_blocks, coefficients, parameters, rng)
    others = np.setdiff1d(recoverable.index, plan.kept)
    nuisances = np.zeros((len(parameters), len(recoverable.index)))
    nuisances[:, np.searchsorted(recoverable.index, plan.kept)] = kept
    nuisances[:, np.searchsorted(recoverable.index, others)] = _draw_others(plan, others, kept, parameters, rng)
    return nuisances


@dataclass(frozen=True, kw_only=True)
class _System:
    """A linear model whose nuisances are drawn given the coefficients.

    Attributes:
        model: R rows, n nuisances.
        nuisances: positions of its nuisances in the family, ascending.
        base, patterns: V(r) = base + sum_c r_c patterns_c, shapes (R, R) and (K, R, R).
    """

    model: LinearModel
    nuisances: IntArray
    base: FloatArray
    patterns: FloatArray

    @classmethod
    def reduced(cls, plan: SamplingPlan) -> _System:
        return cls(model=plan.reduced, nuisances=plan.kept, base=plan.base, patterns=plan.patterns)

    @classmethod
    def full(cls, plan: SamplingPlan) -> _System:
        model = plan.model
        base, patterns = plan.projected(model.loading)
        return cls(
            model=model, nuisances=np.arange(len(model.nuisances)), base=np.diag(model.signs) + base, patterns=patterns
        )


def _draw_others(
    plan: SamplingPlan, others: IntArray, kept: FloatArray, parameters: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Nuisances whose prior no coefficient changes, given the kept ones: mean G d and a covariance of their own.

    Those of them that have no posterior stay in the noise.
    """
    model = plan.model
    rest = np.setdiff1d(np.arange(len(model.nuisances)), plan.kept)
    # Rows without noise that tie explicit directions to kept nuisances do not constrain the remaining nuisances.
    rows = (model.signs != 0) | model.loading[:, rest].any(axis=1)
    loading = model.loading[rows]
    inside = loading[:, rest]
    covariance = np.diag(model.signs[rows]) + inside @ plan.fixed_correlation[np.ix_(rest, rest)] @ inside.T
    prior = plan.fixed_correlation[np.ix_(others, others)]
    reach = loading[:, others] @ prior
    gain = np.linalg.solve(covariance, reach).T
    residual = model.offset[rows] - parameters @ model.design[rows].T - kept @ loading[:, plan.kept].T
    spread = prior - gain @ reach
    white = rng.standard_normal((len(parameters), len(others)))
    return residual @ gain.T + white @ semidefinite_factor((spread + spread.T) / 2).T


def _in_chunks(
    plan: SamplingPlan,
    system: _System,
    blocks: tuple[NuisanceBlock, ...],
    coefficients: FloatArray,
    parameters: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    members = [np.zeros(0, dtype=np.intp), *(b.nuisances for b in blocks)]
    index = np.sort(np.concatenate(members))
    pieces = [
        _recover_chunk(plan, system, blocks, index, coefficients[i : i + CHUNK], parameters[i : i + CHUNK], rng)
        for i in range(0, len(coefficients), CHUNK)
    ]
    return np.concatenate(pieces) if pieces else np.zeros((0, len(index)))


def _recover_chunk(
    plan: SamplingPlan,
    system: _System,
    blocks: tuple[NuisanceBlock, ...],
    index: IntArray,
    coefficients: FloatArray,
    parameters: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    model = system.model
    n, rows = len(coefficients), len(model.offset)
    prior = np.zeros((n, len(index)))
    reach = np.zeros((n, rows, len(index)))  # F_a C_aa
    for block in blocks:
        column, own = np.searchsorted(index, block.nuisances), np.searchsorted(system.nuisances, block.nuisances)
        correlation = plan.correlation(coefficients, block.nuisances)
        reach[:, :, column] = model.loading[:, own] @ correlation
        prior[:, column] = _draw_gaussian(correlation, rng)
    total = system.base + np.tensordot(coefficients, system.patterns, axes=1)
    loading = model.loading[:, np.searchsorted(system.nuisances, index)]
    residual = model.offset - parameters @ model.design.T
    everything = len(index) == len(model.nuisances)
    negative = model.signs < 0
    if negative.any():
        eigenvalues, vectors = np.linalg.eigh(-total[:, negative][:, :, negative])
        if not everything or eigenvalues.min() <= 0:
            return _draw_directly(plan, index, coefficients, total, reach, residual, rng)
        white = rng.standard_normal(eigenvalues.shape) / np.sqrt(eigenvalues)
        prior += np.einsum("nkm,nk->nm", reach[:, negative], np.einsum("nij,nj->ni", vectors, white))
    if everything:
        noise = rng.standard_normal((n, rows)) * np.sqrt(np.maximum(model.signs, 0.0))
    else:
        noise = _draw_gaussian(total - reach @ loading.T, rng)
    simulated = prior @ loading.T + noise
    simulated[:, negative] = 0.0
    solved = np.linalg.solve(total, (residual - simulated)[..., None])[..., 0]
    return prior + np.einsum("nrm,nr->nm", reach, solved)


def _draw_directly(
    plan: SamplingPlan,
    index: IntArray,
    coefficients: FloatArray,
    total: FloatArray,
    reach: FloatArray,
    residual: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws from the conditional covariance itself, a matrix over the nuisances for every draw: slow, and always right."""
    gain = np.swapaxes(np.linalg.solve(total, reach), 1, 2)
    mean = np.einsum("nmr,nr->nm", gain, residual)
    return mean + _draw_gaussian(plan.correlation(coefficients, index) - gain @ reach, rng)


def _draw_gaussian(covariance: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One draw of N(0, M_i) for each positive semidefinite M_i."""
    return np.einsum("nij,nj->ni", semidefinite_factor(covariance), rng.standard_normal(covariance.shape[:-1]))


def semidefinite_factor(covariance: FloatArray) -> FloatArray:
    """F with F F^T each positive semidefinite matrix, singular ones included."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    scale = np.maximum(np.abs(eigenvalues[..., -1:]), 1.0)
    if (eigenvalues < -1e3 * EIGENVALUE_TOLERANCE * scale).any():
        msg = "a covariance to draw from is indefinite although its block was found feasible"
        raise ArithmeticError(msg)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0.0))[..., None, :]


def conditional_moments(plan: SamplingPlan, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Exact mean and standard deviation of every parameter given each draw of the coefficients.

    Args:
        plan: P parameters.
        coefficients: shape (n, K).

    Returns:
        Means and standard deviations, shape (n, P) each.
    """
    means, covariance, _ = given_coefficients(plan, coefficients)
    return means, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))


def given_coefficients(plan: SamplingPlan, coefficients: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The Gaussian of the parameters given each draw of the coefficients, and the marginal likelihood at that draw.

    The evidence is the likelihood with nuisances and parameters integrated,
    -(chi2_min + log |det V| + log det K^T V^-1 K) / 2, up to a constant.

    Args:
        plan: P parameters.
        coefficients: shape (n, K).

    Returns:
        Means, shape (n, P); covariances, shape (n, P, P); logarithms of the evidence, shape (n,).
    """
    model = plan.reduced
    covariance = plan.base + np.tensordot(coefficients, plan.patterns, axes=1)
    # From a point near the data, where nothing large is subtracted.
    centre = near(model.design, model.offset)
    offset = np.broadcast_to(model.offset - model.design @ centre, covariance.shape[:2])
    found = linear_posterior(model.design, covariance, offset, model.signs)
    posterior = found.root @ np.swapaxes(found.root, 1, 2)
    evidence = -0.5 * (found.chi2 + np.linalg.slogdet(covariance)[1] + found.size)
    return centre + found.mean, posterior, evidence


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
    parts = [_chunk(plan, theory, coefficients[i : i + MASS_CHUNK], start) for i in range(0, len(coefficients), MASS_CHUNK)]
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

r"""Separated modes: a posterior that a chain does not cross is sampled mode by mode, and the modes are weighted.

Responses with different slopes up and down, and inputs of uncertain size that disagree, can give chi2 several minima.  All
chains that begin near one of them agree on it, whatever lies in the others, so that no comparison of chains tells.  The
minima are known before sampling; chains begin in each, and with disjoint regions R_m around them the posterior is

.. math::  p(x) = \sum_m w_m\, p(x \mid R_m), \qquad w_m \propto Z_m = \int_{R_m} f(x)\, dx,

Z_m by bridge sampling between the draws in R_m and a Gaussian of their moments (Meng and Wong, Statistica Sinica 6 (1996)
831).  The draws of the result are those of the modes in these proportions, in random order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import arviz as az
import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.fit.minimise.sizes import SizeProfile
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.plan import SamplingPlan
from bayescomb.sampling.variables import flat_variables

__all__ = ["MAX_MODES", "Mode", "ModeMixture", "separated_modes", "weighted_modes"]

Density = Callable[[FloatArray], float]

# Minima that chains are started in; with more, the weights would take too long.
MAX_MODES: Final = 6
# R-hat and effective draws of the region of a draw, with which chains cross between the modes as often as it takes.
CROSSING_R_HAT: Final = 1.01
CROSSING_ESS: Final = 400
# Draws of a mode that its weight needs at least, and that are used at most.
LEAST_DRAWS: Final = 100
BRIDGE_DRAWS: Final = 4000
BRIDGE_STEPS: Final = 200
BRIDGE_TOLERANCE: Final = 1e-10
BLOCKS: Final = 8
# Steps in which draws are assigned to the nearest mode.
REGION_STEPS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A minimum that chains begin in.

    Attributes:
        start: value variable of the model -> its value there.
        values: parameter -> its value there, in its unit.
        delta_chi2: by how much chi2 is above its lowest minimum.
    """

    start: dict[str, FloatArray]
    values: dict[str, float]
    delta_chi2: float


@dataclass(frozen=True, kw_only=True)
class ModeMixture:
    """How the draws of M modes make up the posterior.

    Attributes:
        weights: w, shape (M,).
        errors: their Monte Carlo errors, shape (M,).
        crossing: whether the chains cross between the modes by themselves, so that nothing has to be weighted.
        reason: why the weights are not known; empty if they are.
        chosen: mode and draw within its chain of each draw of the result, per chain, shape (2, chains, draws).
    """

    weights: FloatArray
    errors: FloatArray
    crossing: bool
    reason: str
    chosen: IntArray


def separated_modes(plan: SamplingPlan) -> tuple[Mode, ...]:
    """The minima of chi2 at the initial coefficients, the lowest first; none if there is only one."""
    if plan.curved is not None:
        curved = plan.curved
        count, variables = len(curved.centre), flat_variables(plan)
        found = [
            Mode(
                start={
                    # The minimum of a chi2 that knows no range can lie beyond its end.
                    v.value_name: np.asarray(v.unconstrained(v.inside(x)))
                    for v, x in zip(variables, theta[:count], strict=True)
                }
                | ({"white_explicit": curved.white(theta)} if len(curved.offset) else {}),
                values=dict(zip(plan.parameters, map(float, theta[:count]), strict=True)),
                delta_chi2=chi2 - curved.minima[0][1],
            )
            for theta, chi2 in curved.minima
        ]
        return tuple(found) if len(found) > 1 else ()
    if not plan.sizes:
        return ()
    correlation = plan.correlation(plan.start[None])[0]
    profile = SizeProfile(plan.sizes, plan.model, correlation, plan.theory)
    minima = profile.minima()
    if len(minima) < 2:
        return ()
    found = []
    for minimum in minima:
        solution = profile.solution(minimum.scales)
        values = dict(zip(solution.parameters, map(float, solution.values), strict=True))
        start = {f"{SCALE}_log__": np.log(minimum.scales)}
        if plan.theory is None:
            start |= {variable_name(p): np.asarray(values[p]) for p in plan.parameters}
        found.append(Mode(start=start, values=values, delta_chi2=minimum.chi2 - minima[0].chi2))
    return tuple(found)


def weighted_modes(
    samples: Sequence[FloatArray], density: Density, *, starts: Sequence[FloatArray], rng: np.random.Generator
) -> ModeMixture:
    """Weights of the modes, and which draws the result is made of.

    Args:
        samples: unconstrained draws of the chains that began in each mode, M arrays of shape (chains, draws, D).
        density: unnormalised log density of one point, shape (D,).
        starts: the minima in the same coordinates, M arrays of shape (D,).
        rng: source of randomness.
    """
    chains, draws, _ = samples[0].shape
    gaussians = _regions([sample[:, : draws // 2].reshape(chains * (draws // 2), -1) for sample in samples], starts)
    region = np.array([np.argmax([g.log_density(sample) for g in gaussians], axis=0) for sample in samples])
    count = len(samples)
    if _crosses(region.reshape(count * chains, draws), count):
        weights = np.array([(region == m).mean() for m in range(count)])
        ess = [_effective(region.reshape(-1, draws) == m) for m in range(count)]
        mode = np.arange(chains) % count
        chosen = np.array([np.repeat(mode[:, None], draws, axis=1), np.tile(np.arange(draws), (chains, 1))])
        errors = np.sqrt(weights * (1 - weights) / np.array(ess))
        return ModeMixture(weights=weights, errors=errors, crossing=True, reason="", chosen=chosen)
    logs, reason = [], ""
    for m in range(count):
        own = region[m] == m
        if own.sum() < LEAST_DRAWS or own.any(axis=1).sum() < chains:
            reason = (
                f"the chains that begin in minimum {m + 1} leave it and do not come back, so that its weight is not known"
            )
            logs.append(np.full(BLOCKS, -np.inf))
            continue
        logs.append(_evidence(samples[m], own, m, gaussians, density, rng))
    table = np.array(logs)
    known = np.isfinite(table).all(axis=1)
    if not known.any():
        table, known = np.zeros_like(table), ~known
    mean = np.where(known, table.mean(axis=1), -np.inf)
    share = np.exp(mean - mean.max())
    weights = share / share.sum()
    spread = np.zeros(count)
    spread[known] = table[known].std(axis=1, ddof=1) / np.sqrt(BLOCKS)
    # d w_m = w_m (e_m - sum_n w_n e_n)
    errors = weights * np.sqrt((1 - 2 * weights) * spread**2 + ((weights * spread) ** 2).sum())
    return ModeMixture(
        weights=weights, errors=errors, crossing=False, reason=reason, chosen=_interleaved(region, weights, rng)
    )


def _regions(samples: list[FloatArray], starts: Sequence[FloatArray]) -> list[_Gaussian]:
    """A Gaussian per mode, that of the draws nearest to it whatever chain they are from: chains may cross now and then."""
    count, points = len(samples), np.concatenate(samples)
    scale = np.maximum(points.std(axis=0), 1e-300)
    label = np.array([(((points - start) / scale) ** 2).sum(axis=1) for start in starts]).argmin(axis=0)
    gaussians = [_Gaussian(sample) for sample in samples]
    for _ in range(REGION_STEPS):
        for m in range(count):
            if (label == m).sum() >= LEAST_DRAWS:
                gaussians[m] = _Gaussian(points[label == m])
        changed = np.argmax([g.log_density(points) for g in gaussians], axis=0)
        if (changed == label).all():
            break
        label = changed
    return gaussians


def _crosses(region: IntArray, count: int) -> bool:
    """Whether chains from all modes agree on how often each region is visited."""
    for m in range(count):
        inside = (region == m).astype(float)
        if inside.std() == 0:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            r_hat, ess = float(az.rhat(inside, method="split")), _effective(inside)
        if not (r_hat < CROSSING_R_HAT and ess > CROSSING_ESS):
            return False
    return True


def _effective(inside: Any) -> float:
    values = np.asarray(inside, dtype=float)
    return float(values.size if values.std() == 0 else az.ess(values, method="mean"))


class _Gaussian:
    """A Gaussian with the moments of points, shape (n, D)."""

    def __init__(self, points: FloatArray) -> None:
        self.mean = points.mean(axis=0)
        centred = points - self.mean
        _, singular, vectors = np.linalg.svd(centred / np.sqrt(len(points) - 1), full_matrices=False)
        # A direction in which no draw moved gets the width of rounding, not 0.
        width = np.maximum(singular, 1e-8 * singular.max(initial=1.0))
        self.root = vectors.T * width
        self.inverse = vectors / width[:, None]
        self.constant = -float(np.log(width).sum()) - len(width) * np.log(2 * np.pi) / 2

    def log_density(self, points: FloatArray) -> FloatArray:
        """Shape (...,) for points of shape (..., D)."""
        white = (points - self.mean) @ self.inverse.T
        return self.constant - (white**2).sum(axis=-1) / 2

    def draws(self, number: int, rng: np.random.Generator) -> FloatArray:
        return self.mean + rng.standard_normal((number, self.root.shape[1])) @ self.root.T


def _evidence(
    sample: FloatArray,
    own: BoolArray,
    m: int,
    gaussians: list[_Gaussian],
    density: Density,
    rng: np.random.Generator,
) -> FloatArray:
    """Log of the integral over a region, by blocks of draws; those that made the Gaussian are not among them."""
    half = sample.shape[1] // 2
    points = sample[:, half:][own[:, half:]]
    if len(points) < LEAST_DRAWS:
        points = sample[own]
    points = points[np.linspace(0, len(points) - 1, min(len(points), BRIDGE_DRAWS)).astype(int)]
    proposed = gaussians[m].draws(len(points), rng)
    ratio = np.array([density(x) for x in points]) - gaussians[m].log_density(points)
    proposed_ratio = np.array([density(x) for x in proposed]) - gaussians[m].log_density(proposed)
    outside = np.argmax([g.log_density(proposed) for g in gaussians], axis=0) != m
    proposed_ratio[outside | np.isnan(proposed_ratio)] = -np.inf
    blocks = zip(np.array_split(ratio, BLOCKS), np.array_split(proposed_ratio, BLOCKS), strict=True)
    return np.array([_bridge(first, second) for first, second in blocks])


def _bridge(ratio: FloatArray, proposed: FloatArray) -> float:
    """Log evidence from log f/q at draws of f and of q, the fixed point of Meng and Wong."""
    share = len(ratio) / (len(ratio) + len(proposed))
    log_z = float(np.median(ratio))
    for _ in range(BRIDGE_STEPS):
        above = np.exp(np.minimum(proposed - log_z, 700.0))
        numerator = (above / (share * above + 1 - share)).mean()
        denominator = (1 / (share * np.exp(np.minimum(ratio - log_z, 700.0)) + 1 - share)).mean()
        if not numerator > 0:
            return -np.inf
        step = float(np.log(numerator / denominator))
        log_z += step
        if abs(step) < BRIDGE_TOLERANCE:
            break
    return log_z


def _interleaved(region: IntArray, weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draws of the modes in the proportions of their weights, each mode's in its own order, the modes in random order."""
    count, chains, draws = region.shape
    chosen = np.zeros((2, chains, draws), dtype=np.intp)
    for chain in range(chains):
        # The remainder of the rounding goes to random modes, so that the proportions are unbiased.
        exact = weights * draws
        numbers = np.floor(exact).astype(int)
        left = draws - int(numbers.sum())
        if left:
            rest = exact - numbers
            numbers += rng.multinomial(left, rest / rest.sum())
        modes = rng.permutation(np.repeat(np.arange(count), numbers))
        chosen[0, chain] = modes
        for m in range(count):
            inside = np.flatnonzero(region[m, chain] == m)
            if numbers[m]:
                inside = inside if inside.size else np.arange(draws)
                chosen[1, chain, modes == m] = inside[np.linspace(0, len(inside) - 1, numbers[m]).round().astype(int)]
    return chosen

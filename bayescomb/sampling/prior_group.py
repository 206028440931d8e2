"""Draws of the priors that a posterior had: of coefficients, and of results with a proper prior.

A result is flat, and has no draws, unless it has a stated prior or a range with two ends, or follows from such alone; the
attribute ``flat`` of the group names these.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import evaluate, names_in
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.inputs.variables import variable_name
from bayescomb.likelihood.theory import Theory, scale_correlation
from bayescomb.sampling.plan import SamplingPlan
from bayescomb.sampling.priors import prior_draws

__all__ = ["prior_group", "proper_variables"]


def prior_group(plan: SamplingPlan, *, draws: int, chains: int, seed: int) -> xr.Dataset | None:
    """The group ``prior``: ``rho`` restricted to the feasible set, and the results with a proper prior.

    Args:
        plan: of the posterior.
        draws: per chain.
        chains: number of chains.
        seed: of the draws.

    Returns:
        Dims ``chain``, ``draw``; ``None`` if nothing has a proper prior.
    """
    combination, n = plan.combination, draws * chains
    rng = np.random.default_rng([seed, 2])
    found: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    if len(plan.sampled):
        values = prior_draws(plan.coefficients, low=plan.low, high=plan.high, draws=n, rng=rng, feasible=plan.feasible())
        found["rho"] = (("chain", "draw", "coefficient"), values.reshape(chains, draws, -1))
        coords["coefficient"] = [c.name for c in plan.coefficients]
    proper = {name: draw(rng, n) for name, draw in proper_variables(combination).items()}
    if plan.theory is not None:
        proper |= _extracted(plan.theory, n, rng)
    for o in combination.functions:
        node = combination.quantities.nodes[o.name]
        if set(names_in(node)) <= set(proper):
            proper[o.name] = np.broadcast_to(evaluate(node, proper), (n,))
    for result in combination.results:
        if result.name in proper:
            attributes = {"name": result.name, "unit": result.unit, "title": result.title}
            values = proper[result.name].reshape(chains, draws)
            found[variable_name(result.name)] = (("chain", "draw"), values, attributes)
    if not found:
        return None
    flat = [o.name for o in combination.results if o.name not in proper]
    return xr.Dataset(found, coords, {"flat": json.dumps(flat)})


def proper_variables(combination: Combination) -> dict[str, Callable[[np.random.Generator, int], FloatArray]]:
    """Variables with a stated prior, within their range, or with a range of two ends -> draws of it, (rng, n) -> (n,)."""
    from scipy import stats

    stated = {p.name: p.prior for p in combination.parameters if p.prior is not None}
    found: dict[str, Callable[[np.random.Generator, int], FloatArray]] = {}
    for name in combination.quantities.index:
        low, high = combination.bounds.get(name, (-np.inf, np.inf))
        if name in stated:
            law = stated[name].distribution()
        elif np.isfinite([low, high]).all():
            law = stats.uniform(low, high - low)
        else:
            continue
        found[name] = functools.partial(_drawn, law, low, high)
    return found


def _drawn(law: Any, low: float, high: float, rng: np.random.Generator, n: int) -> FloatArray:
    return np.asarray(law.ppf(rng.uniform(law.cdf(low), law.cdf(high), size=n)))


def _extracted(theory: Theory, n: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Draws of masses, uniform over the tables, their differences, and scales."""
    count, scales = len(theory.masses), theory.extraction.scales
    found = {name: rng.uniform(theory.low[i], theory.high[i], size=n) for i, name in enumerate(theory.masses)}
    found |= {f"{a} - {b}": found[a] - found[b] for a, b in theory.extraction.differences}
    if scales.prior == "uniform":
        return found | {
            name: rng.uniform(theory.low[count + i], theory.high[count + i], size=n) for i, name in enumerate(theory.scales)
        }
    coefficients = rng.uniform(scales.low, scales.high, size=n) if scales.treatment == "correlated" else np.zeros(n)
    white = rng.standard_normal((n, len(theory.scales)))
    roots = np.array([np.linalg.cholesky(scale_correlation(theory.extraction, r)) for r in coefficients])
    drawn = scales.width * np.einsum("nij,nj->ni", roots.reshape(n, len(theory.scales), len(theory.scales)), white)
    if scales.treatment == "correlated":
        found[SCALE_COEFFICIENT] = coefficients
    return found | {name: drawn[:, i] for i, name in enumerate(theory.scales)}

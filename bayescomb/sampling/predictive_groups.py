r"""Draws and densities for ArviZ: log likelihoods, predictive draws of the measured values, draws of the priors.

Given a draw of the fitted variables and coefficients, and with all nuisances integrated out, the E estimates are Gaussian,
x ~ N(t, V(r)).  The distribution of the estimates b of one measurement, or of one estimate alone, given all others is then
Gaussian too.  With K = V^-1 and g = K (x - t) its density at the measured values is

.. math:: \log p(x_b \mid x_{-b}, t, r) = -\tfrac12\, g_b^T (K_{bb})^{-1} g_b
          + \tfrac12 \log \det K_{bb} - \tfrac{n_b}{2} \log 2 \pi,

exactly and for every draw (Sundararajan and Keerthi, Neural Computation 13 (2001) 1103; Bürkner, Gabry and Vehtari, Comput.
Stat. 36 (2021) 1243), so that ``az.loo`` holds for correlated data.  With post-fit nuisance values the x of an input depend
on the coefficients.

Prior draws exist for results with a stated prior or a range with two ends, and for functions of such results alone.  All
others are flat; the attribute ``flat`` of the group ``prior`` names them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, assert_never

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import evaluate, names_in
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.nonlinear.model import mapping
from bayescomb.likelihood.theory import Theory, scale_correlation
from bayescomb.sampling.linear_posterior import CHUNK
from bayescomb.sampling.model.observed import OBSERVED
from bayescomb.sampling.plan import SamplingPlan, sampling_plan, stacked
from bayescomb.sampling.priors import prior_draws
from bayescomb.sampling.recovery import given_coefficients
from bayescomb.sampling.tree import differences

__all__ = [
    "BY_MEASUREMENT",
    "left_out_densities",
    "predicted_estimates",
    "predictive_groups",
    "prior_group",
    "proper_variables",
]

# Group of the log likelihoods per measurement.
BY_MEASUREMENT = "log_likelihood_by_measurement"


def predictive_groups(plan: SamplingPlan, posterior: xr.Dataset, *, seed: int) -> dict[str, xr.Dataset]:
    """The groups ``posterior_predictive``, ``log_likelihood`` and ``log_likelihood_by_measurement``.

    The result is empty where the estimates have no Gaussian density given the fitted variables:

    - with curved responses, Pearson's weights or uncertain sizes they are not Gaussian;
    - with free nuisances their prediction depends on a nuisance that is not integrated out;
    - where inputs widen the prior of a shared nuisance so much that the information is positive only together with common
      observables, they have no joint density.

    Args:
        plan: of the posterior.
        posterior: with the variables of the combination, dims ``chain``, ``draw``.
        seed: of the draws.
    """
    combination = plan.combination
    free = any(n.free for n in combination.nuisances)
    if combination.curved_terms or free or plan.sizes:
        return {}
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    n = shape[0] * shape[1]
    predicted = predicted_estimates(combination, stacked(posterior, (o.name for o in combination.variables)))
    weights = plan.weights_of(posterior)
    own = sampling_plan(combination.saturated(), correlations="prior" if len(plan.sampled) else "nominal")
    index = [own.parameters.index(e.name) for e in combination.estimates]
    each = np.arange(len(index))
    blocks = [each[own_estimates] for own_estimates in combination.estimate_slices]
    rng = np.random.default_rng([seed, 4])
    draws, densities, joint = [], [], []
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        fixed = not weights.shape[1]
        if not fixed or not start:
            try:
                means, covariance, _ = given_coefficients(own, np.zeros((1, 0)) if fixed else weights[part])
            except np.linalg.LinAlgError:
                return {}
            means, covariance = means[:, index], covariance[:, index][:, :, index]
        t = predicted[part]
        eigenvalues, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))[:, None, :]
        white = rng.standard_normal(t.shape)
        draws.append(t + np.einsum("nij,nj->ni", np.broadcast_to(root, (len(t), *root.shape[1:])), white))
        densities.append(left_out_densities(means - t, covariance, list(each[:, None])))
        joint.append(left_out_densities(means - t, covariance, blocks))
    coords = {"chain": posterior["chain"], "draw": posterior["draw"]}
    estimates = coords | {"estimate": [e.name for e in combination.estimates]}
    measurements = coords | {"measurement": [m.name for m in combination.measurements]}
    dims = ("chain", "draw", "estimate")

    def by_estimate(rows: list[FloatArray]) -> xr.Dataset:
        return xr.Dataset({OBSERVED: (dims, np.concatenate(rows).reshape(*shape, -1))}, estimates)

    by_measurement = (("chain", "draw", "measurement"), np.concatenate(joint).reshape(*shape, -1))
    return {
        "posterior_predictive": by_estimate(draws),
        "log_likelihood": by_estimate(densities),
        BY_MEASUREMENT: xr.Dataset({OBSERVED: by_measurement}, measurements),
    }


def left_out_densities(residual: FloatArray, covariance: FloatArray, blocks: list[IntArray]) -> FloatArray:
    """Log densities of each block of estimates given all others.

    Args:
        residual: x - t, shape (n, E).
        covariance: V, shape (n, E, E), or (1, E, E) for all draws.
        blocks: positions of the estimates of each block.

    Returns:
        Shape (n, number of blocks).

    Examples:
        >>> import numpy as np
        >>> from scipy.stats import norm
        >>> V = np.array([[[2.0, 1.0], [1.0, 1.0]]])
        >>> found = left_out_densities(np.array([[0.5, 0.3]]), V, [np.array([0]), np.array([1])])
        >>> bool(np.isclose(found[0, 0], norm(0.3, 1.0).logpdf(0.5)))  # mean 1/1 times 0.3, variance 2 - 1
        True
    """
    precision = np.linalg.inv(covariance)
    pull = np.einsum("nij,nj->ni", np.broadcast_to(precision, (len(residual), *precision.shape[1:])), residual)
    columns = []
    for block in blocks:
        inner = precision[:, block][:, :, block]
        own = pull[:, block]
        solved = np.linalg.solve(np.broadcast_to(inner, (len(own), *inner.shape[1:])), own[..., None])[..., 0]
        size = np.linalg.slogdet(inner)[1]
        columns.append(-0.5 * (own * solved).sum(axis=1) + 0.5 * size - 0.5 * len(block) * np.log(2 * np.pi))
    return np.array(columns).T


def predicted_estimates(combination: Combination, values: FloatArray) -> FloatArray:
    """Predicted estimates t at n draws of the V fitted variables.

    Args:
        combination: E estimates.
        values: of the variables, in their units, shape (n, V).

    Returns:
        Shape (n, E), in the units of the estimates.
    """
    predict = mapping(combination)
    if predict.linear and not predict.tables:
        return np.asarray(values @ predict.design.T + predict.constant)
    return np.array([predict.compared(row) for row in values])


def prior_group(plan: SamplingPlan, *, draws: int, chains: int, seed: int) -> xr.Dataset | None:
    """The group ``prior``: ``rho`` restricted to the feasible set, and results with a proper prior in their units.

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
    """Variable with a proper prior -> function of (rng, n) that returns n draws of it.

    A proper prior is a stated one, restricted to the range of the variable, or a range with two ends.
    """
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
    """Prior draws of masses (uniform over the tables), their differences, and scales."""
    count, scales = len(theory.masses), theory.extraction.scales
    found = {name: rng.uniform(theory.low[i], theory.high[i], size=n) for i, name in enumerate(theory.masses)}
    found |= differences(theory, found)
    match scales.prior:
        case "uniform":
            ends = zip(theory.scales, theory.low[count:], theory.high[count:], strict=True)
            return found | {name: rng.uniform(low, high, size=n) for name, low, high in ends}
        case "normal":
            return found | _normal_scales(theory, n, rng)
    assert_never(scales.prior)


def _normal_scales(theory: Theory, n: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Draws of scales with a normal prior, and of the correlation between energies where it is sampled."""
    scales = theory.extraction.scales
    coefficients = rng.uniform(scales.low, scales.high, size=n) if scales.treatment == "correlated" else np.zeros(n)
    white = rng.standard_normal((n, len(theory.scales)))
    roots = np.array([np.linalg.cholesky(scale_correlation(theory.extraction, r)) for r in coefficients])
    drawn = scales.width * np.einsum("nij,nj->ni", roots.reshape(n, len(theory.scales), len(theory.scales)), white)
    found = {SCALE_COEFFICIENT: coefficients} if scales.treatment == "correlated" else {}
    return found | {name: drawn[:, i] for i, name in enumerate(theory.scales)}

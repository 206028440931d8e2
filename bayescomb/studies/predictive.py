r"""Posterior predictive: what the model expects each estimate to be, beside what was measured.

Given coefficients r and observables mu, a repetition of the measurements has estimates N(B mu, V(r)) with V the total
covariance, in which the nuisances are repeated too.  With draws of (r, mu) the predictive probability of a value below the
measured one is an average of Gaussian integrals, and the chi2 of a repetition,
:math:`(x - B\mu)^T V^{-1} (x - B\mu)`, has a chi2 distribution for every draw: neither needs simulated data.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr
from scipy import stats

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import expects
from bayescomb.base.numerics import single_threaded, unit_diagonal
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.nonlinear.model import mapping
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.posterior.storage import combination_of, run_of
from bayescomb.sampling.recovery import given_coefficients

__all__ = ["posterior_predictive"]

MAX_DRAWS: Final = 1000
LEVELS: Final = {"68": 0.68, "95": 0.95}


@expects(posterior="posterior")
@single_threaded
def posterior_predictive(posterior: xr.DataTree) -> xr.Dataset:
    """Predictive distribution of every estimate, and how far out in it the measured value lies.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Returns:
        Dim ``estimate``: ``measured``; ``mean`` and ``sd`` of the predictive distribution; ends ``low68``, ``high68``,
        ``low95``, ``high95`` of its central intervals; ``p_value``, twice the smaller tail beyond the measured one.  All but
        the last in the unit of the estimate, coordinate ``unit``.  Scalars: ``chi2`` (posterior mean of the discrepancy),
        ``size`` (rank of the covariance) and ``chi2_p_value`` (probability that a repetition has a larger chi2).  Attribute
        ``covariance``: ``"of each draw"``, or ``"at nominal coefficients"`` where the model is not linear.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> table = bc.posterior_predictive(posterior)
        >>> round(table["chi2_p_value"].item(), 1)
        0.9
    """
    combination = combination_of(posterior)
    means, chosen = _draws(posterior, combination)
    values, covariance = _measured(combination, posterior, chosen)
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    residual = values - means
    # Scaled to unit diagonal: estimates may have units that differ by orders of magnitude.
    first, scale = unit_diagonal(covariance[0])
    inverse = np.linalg.pinv(covariance / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    chi2 = np.einsum("ne,nef,nf->n", residual / scale, np.broadcast_to(inverse, (len(residual), *inverse.shape[1:])),
                     residual / scale)  # fmt: skip
    size = int(np.linalg.matrix_rank(first, tol=1e-12, hermitian=True))
    below = stats.norm.cdf(residual / sd).mean(axis=0)
    measured = np.array([e.value for e in combination.estimates])
    # The measured value at the centre of each draw's own estimate: post-fit pulls can move it with the coefficients.
    shift = measured - values
    columns = {
        "measured": measured,
        "mean": (means + shift).mean(axis=0),
        "sd": np.sqrt((sd**2).mean(axis=0) + (means + shift).var(axis=0)),
        "p_value": 2 * np.minimum(below, 1 - below),
    }
    for label, level in LEVELS.items():
        columns[f"low{label}"] = _quantile(means + shift, sd, 0.5 - level / 2)
        columns[f"high{label}"] = _quantile(means + shift, sd, 0.5 + level / 2)
    units = {o.name: o.unit for o in combination.results}
    unit = [units.get(next(o for o, factor in e.observables.items() if factor), "") for e in combination.estimates]
    return xr.Dataset(
        {key: ("estimate", column) for key, column in columns.items()}
        | {"chi2": chi2.mean(), "size": size, "chi2_p_value": float(stats.chi2.sf(chi2, size).mean())},
        {"estimate": [e.name for e in combination.estimates], "unit": ("estimate", unit)},
        {"covariance": "of each draw" if combination.quadratic else "at nominal coefficients"},
    )


def _draws(posterior: xr.DataTree, combination: Combination) -> tuple[FloatArray, IntArray]:
    """B mu, shape (n, E), of evenly spaced draws, and their positions, shape (n,)."""
    draws = posterior["posterior"].to_dataset()
    raw = posterior["unnormalised"].to_dataset() if "unnormalised" in posterior.children else draws
    total = draws.sizes["chain"] * draws.sizes["draw"]
    chosen = np.unique(np.linspace(0, total - 1, min(total, MAX_DRAWS)).astype(int))
    observables = np.array(
        [
            (raw if name in raw else draws)[name].to_numpy().ravel()[chosen]
            for name in (variable_name(o.name) for o in combination.variables)
        ]
    )
    if not combination.curved_maps and not combination.tabulated:
        return observables.T @ combination.design.T + combination.constant, chosen
    predict = mapping(combination).compared
    return np.array([predict(draw) for draw in observables.T]), chosen


def _measured(combination: Combination, posterior: xr.DataTree, chosen: IntArray) -> tuple[FloatArray, FloatArray]:
    """Estimates, each determined by its own measurement, and their total covariance; shapes (n or 1, E), (n or 1, E, E)."""
    own = combination.saturated()
    names = [e.name for e in combination.estimates]
    if not combination.quadratic:
        fit = profile(own)
        covariance = fit.covariance.sel(parameter=names, parameter_b=names).to_numpy()
        return fit.values.sel(parameter=names).to_numpy()[None], covariance[None]
    plan = sampling_plan(own, correlations=run_of(posterior).correlations)
    index = [plan.parameters.index(name) for name in names]
    # Coefficients between inputs, none of which the saturated model leaves out, are those that were sampled.
    weights = plan.weights_of(posterior["posterior"].to_dataset())[chosen]
    values, covariance, _ = given_coefficients(plan, weights if weights.shape[1] else np.zeros((1, 0)))
    return values[:, index], covariance[:, index][:, :, index]


def _quantile(means: FloatArray, sd: FloatArray, probability: float) -> FloatArray:
    """Quantile of the average of Gaussians, per column: bisection on its distribution function."""
    low, high = (means - 8 * sd).min(axis=0), (means + 8 * sd).max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        above = stats.norm.cdf((middle - means) / sd).mean(axis=0) > probability
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2

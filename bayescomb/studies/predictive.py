r"""Posterior predictive distribution of each estimate, beside the measured value.

Given coefficients r and observables mu, a repetition of the measurements has estimates N(B mu, V(r)), where the total
covariance V contains the nuisances: they are repeated too.  The predictive probability of a value below the measured one is
an average of Gaussian integrals over the draws of (r, mu).  The chi2 of a repetition,
:math:`(x - B\mu)^T V^{-1} (x - B\mu)`, has a chi2 distribution at every draw.  Neither needs simulated data.
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
from bayescomb.sampling.plan import sampling_plan, stacked
from bayescomb.sampling.posterior.moments import LEVELS
from bayescomb.sampling.posterior.storage import combination_of, run_of
from bayescomb.sampling.predictive_groups import predicted_estimates
from bayescomb.sampling.recovery import given_coefficients

__all__ = ["posterior_predictive"]

MAX_DRAWS: Final = 1000


@expects(posterior="posterior")
@single_threaded
def posterior_predictive(posterior: xr.DataTree) -> xr.Dataset:
    """Predictive distribution of every estimate, and the p-value of the measured value in it.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Returns:
        Dim ``estimate``: ``measured``; ``mean`` and ``sd`` of the predictive distribution; ends ``low68``, ``high68``,
        ``low95``, ``high95`` of its central intervals; ``p_value``, twice the smaller tail beyond the measured value.  All
        but ``p_value`` are in the unit of the estimate, coordinate ``unit``.  Scalars: ``chi2`` (its posterior mean),
        ``size`` (rank of the covariance) and ``chi2_p_value`` (probability that a repetition has a larger chi2).  Attribute
        ``covariance``: ``"of each draw"``, or ``"at nominal coefficients"`` where chi2 is not quadratic.

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
    # Post-fit nuisance values move what an input says of its estimates with the coefficients; the shift undoes this.
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
    """Predicted estimates at evenly spaced draws, shape (n, E), and the positions of these draws, shape (n,)."""
    draws = posterior["posterior"].to_dataset()
    if "unnormalised" in posterior.children:
        draws = draws.assign(posterior["unnormalised"].to_dataset())
    values = stacked(draws, (o.name for o in combination.variables))
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MAX_DRAWS)).astype(int))
    return predicted_estimates(combination, values[chosen]), chosen


def _measured(combination: Combination, posterior: xr.DataTree, chosen: IntArray) -> tuple[FloatArray, FloatArray]:
    """Estimates, each determined by its own measurement, and their total covariance.

    Shapes (n, E) and (n, E, E); n = 1 where the covariance is the same for all draws.
    """
    own = combination.saturated()
    names = [e.name for e in combination.estimates]
    if not combination.quadratic:
        fit = profile(own)
        covariance = fit.covariance.sel(parameter=names, parameter_b=names).to_numpy()
        return fit.values.sel(parameter=names).to_numpy()[None], covariance[None]
    plan = sampling_plan(own, correlations=run_of(posterior).correlations)
    index = [plan.parameters.index(name) for name in names]
    # The saturated model keeps all inputs, so that its sampled coefficients are those of the posterior.
    weights = plan.weights_of(posterior["posterior"].to_dataset())[chosen]
    values, covariance, _ = given_coefficients(plan, weights if weights.shape[1] else np.zeros((1, 0)))
    return values[:, index], covariance[:, index][:, :, index]


def _quantile(means: FloatArray, sd: FloatArray, probability: float) -> FloatArray:
    """Quantile of an average of Gaussians, per column, by bisection of its distribution function."""
    low, high = (means - 8 * sd).min(axis=0), (means + 8 * sd).max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        above = stats.norm.cdf((middle - means) / sd).mean(axis=0) > probability
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2

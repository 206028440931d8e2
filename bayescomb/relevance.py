"""Which correlation matters: what the data say of each coefficient, and what each coefficient does to the result."""

from __future__ import annotations

from typing import Final

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescomb.checks import expects
from bayescomb.errors import PosteriorError
from bayescomb.scan import scan_slopes
from bayescomb.storage import combination_of
from bayescomb.summary import mean_sd
from bayescomb.threads import single_threaded
from bayescomb.variance import variance_shares

__all__ = ["coefficient_relevance"]

FloatArray = NDArray[np.float64]

BINS: Final = 10


@expects(posterior="posterior")
@single_threaded
def coefficient_relevance(posterior: xr.DataTree) -> xr.Dataset:
    """Prior, posterior, information gained and effect of every sampled coefficient.

    The information gained is the Kullback-Leibler divergence of the marginal posterior from the marginal prior in bits,
    from the shares p_i of the posterior draws in ten equally probable bins of the prior, sum_i p_i log2(10 p_i), less the
    value that it has on average for draws of the prior itself, (bins - 1) / (2 n ln 2) with n the effective sample size
    (Miller, in Information Theory in Psychology (1955) 95).  It is what the coefficient's own margin shows; 0 within its
    error means that the data say nothing of it.

    Args:
        posterior: a tree of :func:`bayescomb.sample` with sampled coefficients.

    Returns:
        Dim ``coefficient``: ``prior_mean``, ``prior_sd``, ``posterior_mean``, ``posterior_sd``, ``information`` (bits),
        ``information_error`` (its Monte Carlo error where there is nothing to gain); with dim ``parameter`` besides:
        ``slope`` (derivative of the profile at nominal, unit of the parameter) and ``share`` (of the posterior variance).

    Raises:
        PosteriorError: no coefficient was sampled.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> table = bc.coefficient_relevance(posterior)
        >>> table["share"].sel(parameter="m_t").sum().item() < 0.05
        True
    """
    if "prior" not in posterior.children:
        msg = "no coefficient was sampled in this posterior; sample with correlations='prior' and a set that has ranges"
        raise PosteriorError(msg)
    combination = combination_of(posterior)
    prior, rho = (posterior[group].to_dataset()["rho"] for group in ("prior", "posterior"))
    names = [str(c) for c in rho["coefficient"].to_numpy()]
    gains = np.array([_information(prior.sel(coefficient=c), rho.sel(coefficient=c)) for c in names]).reshape(-1, 2)
    slopes = scan_slopes(combination)
    shares = variance_shares(posterior)["share"]
    # Parts of other kinds may have the name of a coefficient; those of sizes come after those of the coefficients.
    of_coefficients = shares.isel(part=np.flatnonzero(shares["kind"].to_numpy() == "coefficient")[: len(names)])
    parameters = [str(p) for p in shares["parameter"].to_numpy()]
    moments = {}
    for kind, values in (("prior", prior), ("posterior", rho)):
        found = np.array([mean_sd(values.sel(coefficient=c)) for c in names]).reshape(-1, 2)
        moments[kind] = {"mean": found[:, 0], "sd": found[:, 1]}
    table = xr.Dataset(
        {
            **{f"{kind}_{key}": ("coefficient", row) for kind, rows in moments.items() for key, row in rows.items()},
            "information": ("coefficient", gains[:, 0]),
            "information_error": ("coefficient", gains[:, 1]),
            "slope": slopes.sel(coefficient=names, parameter=parameters),
            "share": of_coefficients.drop_vars("kind").rename(part="coefficient"),
        },
        {"coefficient": names},
    )
    titles = {c.name: c.title or c.name for c in combination.assumption_set.coefficients}
    return table.assign_coords(title=("coefficient", [titles[name] for name in names]))


def _information(prior: xr.DataArray, posterior: xr.DataArray) -> tuple[float, float]:
    """Bits gained and their Monte Carlo error."""
    edges = np.quantile(prior.to_numpy(), np.linspace(0, 1, BINS + 1)[1:-1])
    counts = np.bincount(np.searchsorted(edges, posterior.to_numpy().ravel()), minlength=BINS)
    shares = counts / counts.sum()
    # Bins do not profit from draws that are antithetic for the mean.
    effective = float(counts.sum())
    if posterior.sizes["draw"] > 3:
        effective = min(effective, *(float(az.ess(posterior.to_numpy(), method=m)) for m in ("bulk", "sd")))
    # The bins come from draws too, as many as the prior has.
    draws = 1 / (1 / effective + 1 / prior.size)
    found = float(np.sum(shares * np.log2(BINS * np.maximum(shares, 1e-12))))
    scale = 1 / (2 * draws * np.log(2))
    # 2 n ln2 times the plain estimate is chi2 with bins - 1 degrees of freedom where there is nothing to gain.
    return found - (BINS - 1) * scale, float(np.sqrt(2 * (BINS - 1)) * scale)

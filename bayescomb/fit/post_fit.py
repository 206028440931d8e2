"""After the fit: correlations of nuisances with results, shifts by each, and likelihood tables that end too early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayescomb.base.deferred import deferred
from bayescomb.base.numerics import correlation_of, single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.combination import Combination

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["Beyond", "beyond_tables", "post_fit_correlation", "post_fit_shifts"]

# What of a result lies beyond the ends of a likelihood table.
Beyond = Literal["value", "interval"]


def post_fit_shifts(fit: ProfileResult, parameter: str) -> xr.Dataset:
    """Shift of a result with one nuisance fixed away from its fitted value, the others free to follow.

    In the model linearised at the minimum the result moves by cov(result, nuisance) / var(nuisance) per unit of the
    nuisance: by cov / constraint for one post-fit width, by cov / constraint^2 for one prior width.  These are the post-fit
    and pre-fit impacts of HistFactory tools, with the sign of +1.

    Args:
        fit: a profile.
        parameter: name of a result.

    Returns:
        ``post_fit`` and ``pre_fit`` in the unit of the result, dim ``nuisance``: all with a posterior, theory nuisances too.
        NaN where a nuisance has no freedom left.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.fit.post_fit import post_fit_shifts
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> shifts = post_fit_shifts(fit, "m_t").sel(nuisance="LHCbJES[j]")
        >>> ratio = (shifts["post_fit"] / shifts["pre_fit"]).item()
        >>> abs(ratio - fit.constraints.sel(nuisance="LHCbJES[j]").item()) < 1e-12
        True
    """
    names = [str(name) for name in fit.constraints["nuisance"].to_numpy()]
    width = fit.constraints
    covariance = fit.cross_covariance.sel(parameter=parameter, nuisance=names).drop_vars(
        ["parameter", "unit"], errors="ignore"
    )
    safe = width.where(width > 0)
    return xr.Dataset({"post_fit": covariance / safe, "pre_fit": covariance / safe**2})


@single_threaded
def post_fit_correlation(fit: ProfileResult, nuisances: Sequence[str]) -> xr.DataArray:
    """Correlation of the headline results and of some nuisances after the fit, of the model linearised at the minimum.

    Args:
        fit: a profile at nominal coefficients.
        nuisances: some of those that have a constraint.

    Returns:
        Dims ``quantity``, ``quantity_b``: the results, then the nuisances in the given order.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.fit.post_fit import post_fit_correlation
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> found = post_fit_correlation(fit, ["LHCbJES[j]"])
        >>> expected = fit.cross_covariance.sel(nuisance="LHCbJES[j]").item() / (
        ...     fit.errors.item() * fit.constraints.sel(nuisance="LHCbJES[j]").item())
        >>> abs(found[0, 1].item() - expected) < 1e-9
        True
    """
    again = Fitter(fit.combination).nominal()
    index = [list(again.nuisances).index(name) for name in nuisances]
    results = [o.name for o in fit.combination.headline if o.name not in fit.at_bound]
    own = correlation_of(fit.covariance.sel(parameter=results, parameter_b=results).to_numpy())
    inner = correlation_of(again.solution.nuisance_covariance[np.ix_(index, index)])
    widths = np.outer(fit.errors.sel(parameter=results), fit.constraints.sel(nuisance=list(nuisances)))
    cross = fit.cross_covariance.sel(parameter=results, nuisance=list(nuisances)).to_numpy() / widths
    labels = [*results, *nuisances]
    return xr.DataArray(
        np.block([[own, cross], [cross.T, inner]]),
        dims=("quantity", "quantity_b"),
        coords={"quantity": labels, "quantity_b": labels},
        name="correlation",
    )


def beyond_tables(fit: ProfileResult) -> dict[str, Beyond]:
    """Estimates given as a likelihood table that ends before the fitted value, or before an end of its interval."""
    combination = fit.combination
    if not combination.tables:
        return {}
    from bayescomb.likelihood.nonlinear.model import mapping  # which a model in closed form never needs

    variables = [o.name for o in combination.variables]
    predict = mapping(combination)
    values = fit.values.sel(parameter=variables).to_numpy()
    covariance = np.nan_to_num(fit.covariance.sel(parameter=variables, parameter_b=variables).to_numpy())
    slopes, reached = predict.jacobian(values), predict.value(values)
    pulls = {str(n): float(fit.pulls.sel(nuisance=n)) for n in fit.pulls["nuisance"].to_numpy()}
    moved = [row @ [pulls.get(n.name, 0.0) for n in m.nuisances] for m in combination.measurements for row in m.responses]
    found: dict[str, Beyond] = {}
    for i, table in combination.tables.items():
        at, error = float(reached[i] - moved[i]), float(np.sqrt(slopes[i] @ covariance @ slopes[i]))
        low, high = table.ends
        if not low <= at <= high:
            found[combination.estimates[i].name] = "value"
        elif not (low <= at - error and at + error <= high) and not _at_bound(combination, i, low):
            found[combination.estimates[i].name] = "interval"
    return found


def _at_bound(combination: Combination, i: int, low: float) -> bool:
    """Whether a table begins where what it measures cannot be lower."""
    factors = combination.estimates[i].observables
    return low <= 0 and set(factors) <= set(combination.nonnegative) and all(x >= 0 for x in factors.values())

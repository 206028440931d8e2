"""Covariance of the results by each source: what the next combination needs of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.checks import expects
from bayescomb.base.deferred import deferred
from bayescomb.base.numerics.threads import single_threaded
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.fit.impacts import SIZE_OF, part_rows
from bayescomb.fit.parts import PropagatedParts, rest_of
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["COUPLING", "STATISTICS", "TOTAL", "source_covariances"]

STATISTICS = "statistics"
COUPLING = "between different sources"
TOTAL = "total"


@expects(combination="combination")
@single_threaded
def source_covariances(combination: Combination) -> xr.DataArray:
    r"""Covariance of the results by statistics and by every source, at nominal coefficients.

    Propagated parts, :math:`W V_s W^T` with W the weights of the data (of the model linearised at the minimum) and V_s the
    covariance of a source; the impacts of a source are the roots of its diagonal.

    Args:
        combination: what to combine.

    Returns:
        Dims ``part``, ``parameter``, ``parameter_b``; parts are statistics (with inputs of which only the total is known),
        the sources as in the inputs, sizes of uncertain ones, what couples different sources, and their sum, the total.

    Examples:
        >>> import bayescomb as bc
        >>> found = bc.source_covariances(bc.load("models/run1_mass")).sel(parameter="m_t", parameter_b="m_t")
        >>> [round(float(found.sel(part=part)) ** 0.5, 2) for part in ("statistics", "LHCbJES", "total")]
        [0.14, 0.18, 0.33]
    """
    fitter = Fitter(combination)
    fit = fitter.nominal()
    _, jacobian = normalised_fit(combination, fit)
    parts = PropagatedParts(fitter=fitter, fit=fit, jacobian=jacobian)
    rows, labels = part_rows(fitter, fit.solution.model.nuisances)
    label = unsplit_label(combination.measurements)
    statistics = parts.statistical_covariance + parts.covariance_of(parts.statistical)
    found = {f"{STATISTICS} and {label}" if label else STATISTICS: statistics}
    found |= {name: parts.covariance_of(np.array([own == (kind, name) for own in labels])) for kind, name in rows}
    if fit.sizes is not None:
        certain = fit.sizes.certain.covariance
        # By pairs of results only their sum is known here; each one's variances are among the impacts.
        found[f"{SIZE_OF}uncertain sources"] = fit.covariance - certain
    total = jacobian @ fit.covariance @ jacobian.T
    scale = np.sqrt(np.outer(np.diag(total), np.diag(total)))
    coupling = rest_of(total, np.array(list(found.values())), scale=scale)
    found |= ({COUPLING: coupling} if coupling.any() else {}) | {TOTAL: total}
    names = [o.name for o in combination.results]
    index = [fit.parameters.index(name) for name in names]
    known = np.where(fit.bound_hit, np.nan, 0.0)[index]
    values = np.array([part[np.ix_(index, index)] for part in found.values()]) + known + known[:, None]
    coords = {"part": list(found), "parameter": names, "parameter_b": names}
    return xr.DataArray(values, dims=("part", "parameter", "parameter_b"), coords=coords, name="covariance")

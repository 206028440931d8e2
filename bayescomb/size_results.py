"""What a fit says of uncertain sizes: their fitted values, and the intervals and goodness of fit corrected for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescomb.bartlett import goodness_mean, ratio_mean
from bayescomb.errors import FitError
from bayescomb.fit import Fit

__all__ = ["SizeResult", "size_result"]


@dataclass(frozen=True, kw_only=True)
class SizeResult:
    """Uncertain sizes of a profile; m of them.

    Attributes:
        sizes: dim ``uncertain_size``: ``relative`` (epsilon as given), ``rank``, ``size`` (fitted true over quoted standard
            deviation; below 1 where the nuisances are pulled less than they could be) and its ``size_error``; coordinate
            ``source``.
        intervals: dim ``parameter``: ``bartlett`` (mean of the likelihood ratio at the true value), signed ``up`` and
            ``down`` at which -2 log L has grown by that much: 68.27 % intervals to higher order than Delta = 1.  NaN for
            parameters that are no variables of the fit.
        chi2: -2 log L at its minimum divided by its mean over ndf.
    """

    sizes: xr.Dataset
    intervals: xr.Dataset
    chi2: float


def size_result(fit: Fit, *, ndf: int) -> SizeResult | None:
    """The table of a fit, ``None`` if all its sizes are certain."""
    if fit.sizes is None:
        return None
    found, profiled = fit.sizes.fit, fit.sizes.profile
    solution = profiled.solution(found.scales)
    names = profiled.theory.masses if profiled.theory is not None else solution.parameters
    rows = dict.fromkeys(fit.parameters, (np.nan, np.nan, np.nan))
    for i, name in enumerate(names):
        at = fit.parameters.index(name)
        mean = ratio_mean(solution, profiled.sizes, i)
        if mean <= 0:  # the expansion in epsilon has broken down
            continue
        try:
            up, down = (
                profiled.crossing(found, i, float(fit.values[at]), float(step), growth=mean)
                for step in (fit.up[at], fit.down[at])
            )
        except FitError:
            continue
        rows[name] = (mean, up, down)
    columns = np.array(list(rows.values()))
    spread = np.sqrt(np.diag(found.log_covariance))
    size = np.sqrt(found.scales)
    sizes = fit.sizes.sizes
    return SizeResult(
        sizes=xr.Dataset(
            {
                "relative": ("uncertain_size", [s.relative for s in sizes]),
                "rank": ("uncertain_size", [s.rank for s in sizes]),
                "size": ("uncertain_size", size),
                "size_error": ("uncertain_size", size * spread / 2),
            },
            {"uncertain_size": [s.name for s in sizes], "source": ("uncertain_size", [s.source for s in sizes])},
        ),
        intervals=xr.Dataset(
            {name: ("parameter", column) for name, column in zip(("bartlett", "up", "down"), columns.T, strict=True)},
            {"parameter": list(rows)},
        ),
        chi2=fit.chi2 * ndf / goodness_mean(solution, profiled.sizes, ndf) if ndf else fit.chi2,
    )

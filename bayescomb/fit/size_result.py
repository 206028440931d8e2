r"""Fitted sizes of sources, and the intervals and goodness of fit with Bartlett's correction for uncertain sizes.

With uncertain sizes -2 log L is not distributed as chi2.  To first order in epsilon^2 the mean of the likelihood ratio of a
parameter is 1 + b(free) - b(held), that of -2 log L at its minimum ndf + sum_k (2 N_k + N_k^2) epsilon_k^2 - b(free), with

.. math::  b = \sum_k 4 \epsilon_k^2 \mathrm{tr} A_k - 2 \epsilon_k^2 \mathrm{tr} A_k^2 + \epsilon_k^2 (\mathrm{tr} A_k)^2

and A_k the post-fit over the prior covariance of the nuisances of size k, at the fitted sizes, with the parameter free or
held (Canonero and Cowan, Eur. Phys. J. C 85 (2025) 156).  Dividing by mean over ndf makes both chi2 to higher order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import FitError
from bayescomb.fit.fit_result import Fit, FittedSizes
from bayescomb.likelihood.least_squares import least_squares
from bayescomb.likelihood.linear_gaussian import Solution
from bayescomb.likelihood.uncertain_sizes import LEAST_DEGREES, UncertainSize, tail_degrees

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["SizeResult", "goodness_mean", "ratio_mean", "size_result"]


@dataclass(frozen=True, kw_only=True)
class SizeResult:
    """The m uncertain sizes of a profile.

    Attributes:
        sizes: dim ``uncertain_size``: ``relative`` (epsilon as given), ``rank``, ``size`` (fitted true over quoted standard
            deviation; below 1 where the nuisances are pulled less than they could be) and its ``size_error``; coordinate
            ``source``.
        intervals: dim ``parameter``: ``bartlett`` (mean of the likelihood ratio at the true value), signed ``up`` and
            ``down`` at which -2 log L has grown by that much: 68.27 % intervals to higher order than Delta = 1.  NaN for
            parameters that are not variables of the fit.  ``degrees`` of freedom of the tails of the posterior, infinite for
            Gaussian ones: with two and less there is no standard deviation.
        chi2: -2 log L at its minimum divided by its mean over ndf.
    """

    sizes: xr.Dataset
    intervals: xr.Dataset
    chi2: float

    @property
    def without_sd(self) -> list[str]:
        """Parameters whose posterior has no standard deviation: the interval Delta = 1 is too short for them."""
        few = self.intervals["degrees"] <= LEAST_DEGREES
        return [str(name) for name in self.intervals["parameter"].to_numpy()[few.to_numpy()]]


def size_result(fit: Fit, fitted: FittedSizes, *, ndf: int) -> SizeResult:
    """The table of a fit and the uncertain sizes that it fitted."""
    found, profiled = fitted.fit, fitted.profile
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
    degrees: dict[str, float] = {}
    if profiled.theory is None:  # masses end with their tables
        degrees = tail_degrees(profiled.sizes, profiled.model, profiled.correlation)
    spread = np.sqrt(np.diag(found.log_covariance))
    size = np.sqrt(found.scales)
    sizes = fitted.sizes
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
            {name: ("parameter", column) for name, column in zip(("bartlett", "up", "down"), columns.T, strict=True)}
            | {"degrees": ("parameter", [degrees.get(name, np.inf) for name in rows])},
            {"parameter": list(rows)},
        ),
        chi2=fit.chi2 * ndf / goodness_mean(solution, profiled.sizes, ndf) if ndf else fit.chi2,
    )


def ratio_mean(solution: Solution, sizes: Sequence[UncertainSize], index: int) -> float:
    """Mean of the likelihood ratio of a parameter at its true value, 1 for certain sizes.

    Args:
        solution: at the fitted sizes, of the nuisances of the sizes first.
        sizes: with positions in it.
        index: position of the parameter.
    """
    held = np.delete(solution.model.design, index, axis=1)
    return 1 + _term(solution, sizes, solution.model.design) - _term(solution, sizes, held)


def goodness_mean(solution: Solution, sizes: Sequence[UncertainSize], ndf: int) -> float:
    """Mean of -2 log L at its minimum, ``ndf`` for certain sizes; arguments as in :func:`ratio_mean`."""
    added = sum((2 * size.rank + size.rank**2) * size.relative**2 for size in sizes)
    return ndf + added - _term(solution, sizes, solution.model.design)


def _term(solution: Solution, sizes: Sequence[UncertainSize], design: FloatArray) -> float:
    """The sum b with the parameters of ``design`` free."""
    white = solution.whitening
    loading = white.white(solution.model.loading)
    precision = loading.T @ (white.signs[:, None] * loading)
    if design.shape[1]:
        inner = white.white(design)
        _, root = least_squares(inner, white.signs, tuple(map(str, range(design.shape[1]))))
        taken = root.T @ inner.T @ (white.signs[:, None] * loading)
        precision = precision - taken.T @ taken
    total = 0.0
    for size in sizes:
        block = np.ix_(size.nuisances, size.nuisances)
        # 1 - A_k = C_kk M_kk, which needs no inverse of a singular C.
        learned = solution.correlation[block] @ precision[block]
        trace = size.rank - np.trace(learned)
        squared = size.rank - 2 * np.trace(learned) + np.einsum("ij,ji->", learned, learned)
        total += size.relative**2 * (4 * trace - 2 * squared + trace**2)
    return float(total)

r"""Bartlett corrections of the likelihood with uncertain sizes, whose -2 log L is not distributed as chi2.

To first order in epsilon^2 the mean of the likelihood ratio of a parameter is 1 + b(free) - b(held), that of -2 log L at
its minimum ndf + sum_k (2 N_k + N_k^2) epsilon_k^2 - b(free), with

.. math::  b = \sum_k 4 \epsilon_k^2 \mathrm{tr} A_k - 2 \epsilon_k^2 \mathrm{tr} A_k^2 + \epsilon_k^2 (\mathrm{tr} A_k)^2

and A_k the post-fit over the prior covariance of the nuisances of size k, at the fitted sizes, with the parameter free or
held (Canonero and Cowan, Eur. Phys. J. C 85 (2025) 156).  Dividing by mean over ndf makes both chi2 to higher order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayescomb.least_squares import least_squares
from bayescomb.linear_gaussian import Solution
from bayescomb.sizes import UncertainSize

__all__ = ["goodness_mean", "ratio_mean"]

FloatArray = NDArray[np.float64]


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

r"""Contribution of each estimate to each result, and its agreement with the others, all from one fit.

With w_i the weights of estimate i (of the model linearised at the minimum), V the covariance of the results and

.. math:: u_i = G_i^T V_d^{-1} r, \qquad q_i = G_i^T (V_d^{-1} - V_d^{-1} K V K^T V_d^{-1}) G_i

(G_i the derivative of the rows of data by the measured value, r their residual, V_d their covariance, K the design), leaving
estimate i out changes V by :math:`w_i w_i^T / q_i`, the results by :math:`-w_i u_i / q_i` and chi2 by :math:`-u_i^2 / q_i`.

Definitions of Valassi and Chierici, EPJC 74 (2014) 2717, for the information :math:`I = 1 / V_{aa}` on a result a: the
*marginal information weight* is the share of it that is lost without estimate i, :math:`1 - I_{(-i)} / I`; the *intrinsic*
one is the information of the estimate alone, :math:`B_{ia}^2 / (\sigma_i^2 I)`, and 1 less the sum of all intrinsic ones is
the weight of the correlations; relative importance is :math:`|w_i| / \sum_j |w_j|`.  Weights can be negative, marginal
information weights cannot.

The *order of importance* is that of the BLUE program (Nisius, EPJC 74 (2014) 3004): the most precise estimate first, then
the others by how much each alone improves it, :math:`\sigma / \sigma_1 - 1`; and the result accumulated down the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import expects
from bayescomb.base.deferred import deferred
from bayescomb.base.numerics import single_threaded
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.fit.fit_result import Fit
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.fit.impacts import SIZE_OF, part_rows
from bayescomb.fit.minimise.mass_chi2 import DerivedSolution
from bayescomb.fit.parts import PropagatedParts, rest_of
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["COUPLING", "STATISTICS", "TOTAL", "InformationWeights", "information_weights", "source_covariances"]

# Smallest q_i, as a share of its parts, of an estimate that other estimates test.
ROUNDING = 1e-9
STATISTICS = "statistics"
COUPLING = "between different sources"
TOTAL = "total"


@dataclass(frozen=True, kw_only=True, repr=False)
class InformationWeights(Shown):
    """Contributions of E estimates to P results.

    Attributes:
        combination: what was combined.
        table: dims ``estimate``, ``parameter``, with the variables ``weight``, ``relative_importance``, ``intrinsic`` (NaN
            where the estimate measures another observable, several, or the result is a mass) and ``marginal`` (1 where the
            result is not determined without the estimate); without ``parameter`` the variables ``error`` (total, of the
            estimate), ``pull`` (u_i / sqrt(q_i): its distance from the result without it in units of the error of that
            distance, which is that of the combined result too) and ``chi2`` (its part), NaN where no other one tests it.
        correlation_weight: dim ``parameter``: 1 less all intrinsic weights, NaN where some are.
        covariance: total covariance of the estimates, dims ``estimate``, ``estimate_b``.
        order: observable -> dims ``rank``, coordinate ``estimate``: ``improvement`` (relative, by this one alone over the
            most precise), ``value`` and ``error`` accumulated; of observables with two or more estimates of their own.
    """

    combination: Combination
    table: xr.Dataset
    correlation_weight: xr.DataArray
    covariance: xr.DataArray
    order: dict[str, xr.Dataset]

    def _line(self) -> str:
        sizes = (
            counted(self.table.sizes[dim], f"{name}s") for dim, name in (("estimate", "estimate"), ("parameter", "result"))
        )
        return f"{self.combination.name}: weights of {' in '.join(sizes)}"


@expects(combination="combination")
@single_threaded
def information_weights(combination: Combination) -> InformationWeights:
    """Weights, information and order of importance of the estimates, at nominal coefficients.

    Sizes of uncertain sources stay at their fitted values, as in the weights of a profile.

    Args:
        combination: what to combine.

    Raises:
        InfeasibleCorrelationError: the nominal coefficients leave the feasible set.

    Examples:
        >>> import bayescomb as bc
        >>> found = bc.information_weights(bc.load("models/run1_mass"))
        >>> marginal = found.table["marginal"].sel(parameter="m_t")
        >>> best = marginal.idxmax("estimate").item()
        >>> best, round(marginal.max().item(), 3), found.order["m_t"]["estimate"][0].item()
        ('e', 0.203, 'k')
    """
    fit = Fitter(combination).nominal()
    solution = fit.solution
    inner = solution.inner if isinstance(solution, DerivedSolution) else solution
    model, white = inner.model, inner.whitening
    into = model.estimate_loading
    given = white.solve(into)
    missing = given - white.solve(model.design) @ (inner.covariance @ (model.design.T @ given))
    felt = np.einsum("re,re->e", into, missing)
    scale = np.einsum("re,re->e", into, given)
    tested = felt > ROUNDING * scale
    pull_of = into.T @ white.solve(inner.residual)
    names = [o.name for o in combination.results]
    column = fit.positions(names)
    _, jacobian = normalised_fit(combination, fit)
    known = fit.nan_at_bound[column]
    weights = (jacobian @ solution.weights)[column] + known[:, None]
    variance = np.diag(jacobian @ solution.covariance @ jacobian.T)[column] + known
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = weights**2 / np.where(tested, felt, np.nan)
        marginal = lost / (variance[:, None] + lost)
        # Untested estimates that a result rests on: without them it is not determined.
        marginal = np.where(tested, marginal, np.where(np.abs(weights) > ROUNDING, 1.0, 0.0)) + known[:, None]
        pulls = np.where(tested, pull_of / np.sqrt(felt), np.nan)
        importance = np.abs(weights) / np.abs(weights).sum(axis=1, keepdims=True)
    covariance = np.linalg.pinv(into.T @ given, hermitian=True)
    intrinsic = _intrinsic(combination, names, covariance, variance)
    estimates = [e.name for e in combination.estimates]
    square = ("estimate", "parameter")
    coords = {"estimate": estimates, "parameter": names, "title": ("estimate", [e.title for e in combination.estimates])}
    table = xr.Dataset(
        {
            "weight": (square, weights.T),
            "relative_importance": (square, importance.T),
            "intrinsic": (square, intrinsic.T),
            "marginal": (square, marginal.T),
            "error": ("estimate", np.sqrt(np.diag(covariance))),
            "pull": ("estimate", pulls),
            "chi2": ("estimate", pulls**2),
        },
        coords,
    )
    return InformationWeights(
        combination=combination,
        table=table,
        correlation_weight=xr.DataArray(1 - intrinsic.sum(axis=1), dims="parameter", coords={"parameter": names}),
        covariance=xr.DataArray(
            covariance, dims=("estimate", "estimate_b"), coords={"estimate": estimates, "estimate_b": estimates}
        ),
        order=_orders(combination, covariance, fit),
    )


def _intrinsic(combination: Combination, names: list[str], covariance: FloatArray, variance: FloatArray) -> FloatArray:
    """Shape (P, E); 0 for an estimate of other observables alone, NaN for one of several and for results of another kind."""
    found = np.full((len(names), len(covariance)), np.nan)
    if combination.normalise:
        return found
    design, own = combination.observable_map, np.diag(covariance)
    single = (design != 0).sum(axis=1) == 1
    for i, observable in enumerate(combination.observables):
        if combination.extraction:
            continue
        part = design[:, i] ** 2 / own * variance[names.index(observable.name)]
        found[names.index(observable.name)] = np.where(single | (design[:, i] == 0), part, np.nan)
    return found


def _orders(combination: Combination, covariance: FloatArray, fit: Fit) -> dict[str, xr.Dataset]:
    """Order of importance for each observable, from the estimates that measure no other."""
    values = np.array([e.value for e in combination.estimates])
    names = np.array([e.name for e in combination.estimates], dtype=object)
    design = combination.observable_map
    found = {}
    for i, observable in enumerate(combination.observables):
        own = np.flatnonzero((design[:, i] != 0) & ((design != 0).sum(axis=1) == 1))
        if len(own) < 2 or observable.name not in fit.parameters:
            continue
        factor = design[own, i]
        direct, spread = values[own] / factor, covariance[np.ix_(own, own)] / np.outer(factor, factor)
        rank, improvement = importance_order(spread)
        first = [rank[: n + 1] for n in range(len(rank))]
        steps = [best_estimate(direct[some], spread[np.ix_(some, some)]) for some in first]
        found[observable.name] = xr.Dataset(
            {
                "improvement": ("rank", improvement),
                "value": ("rank", [value for value, _ in steps]),
                "error": ("rank", [error for _, error in steps]),
            },
            {"estimate": ("rank", names[own][rank]), "rank": np.arange(1, len(own) + 1)},
        )
    return found


def importance_order(covariance: ArrayLike) -> tuple[IntArray, FloatArray]:
    """Estimates of one observable by importance, and how much each improves the first.

    Args:
        covariance: shape (n, n).

    Returns:
        Positions, shape (n,), and in their order the relative reduction of the smallest error by a combination of the two.

    Examples:
        Two equal, uncorrelated estimates are better than one by 1 - 1 / sqrt(2):

        >>> order, gain = importance_order([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 100.0]])
        >>> order.tolist(), gain.round(3).tolist()
        ([0, 1, 2], [0.0, 0.293, 0.005])
    """
    covariance = np.asarray(covariance, dtype=float)
    first = int(np.argmin(np.diag(covariance)))
    gain = np.zeros(len(covariance))
    for i in range(len(covariance)):
        if i != first:
            pair = covariance[np.ix_([first, i], [first, i])]
            gain[i] = 1 - best_estimate(np.zeros(2), pair)[1] / np.sqrt(covariance[first, first])
    gain[first] = np.inf
    order = np.argsort(-gain, kind="stable")
    gain[first] = 0.0
    return order, gain[order]


def best_estimate(values: ArrayLike, covariance: ArrayLike) -> tuple[float, float]:
    """Best linear unbiased estimate of one observable, and its error.

    Examples:
        >>> best_estimate([1.0, 3.0], [[1.0, 0.0], [0.0, 1.0]])[0]
        2.0
    """
    ones = np.linalg.pinv(np.asarray(covariance, dtype=float), hermitian=True).sum(axis=0)
    return float(ones @ np.asarray(values, dtype=float) / ones.sum()), float(1 / np.sqrt(ones.sum()))


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
        the sources as in the inputs, sizes of uncertain ones, correlations between sources, and their sum, the total.

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
    index = fit.positions(names)
    known = fit.nan_at_bound[index]
    values = np.array([part[np.ix_(index, index)] for part in found.values()]) + known + known[:, None]
    coords = {"part": list(found), "parameter": names, "parameter_b": names}
    return xr.DataArray(values, dims=("part", "parameter", "parameter_b"), coords=coords, name="covariance")

"""Impacts: how much of each parameter's uncertainty comes from statistics, from each source and from each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescomb.inputs import Combination
from bayescomb.profile import solve_at

__all__ = ["DEFINITION", "ImpactResult", "impacts"]

DEFINITION = (
    "impact of a source: sqrt(w^T V_s w), its part of the variance of the combined value, with w the weights of the "
    "estimates and V_s the covariance of the source; statistics, sources and what couples different sources add up to the "
    "total variance. A negative impact is minus the root of a negative part, which an anticorrelation (or an indefinite "
    "source matrix) can give."
)


@dataclass(frozen=True, kw_only=True)
class ImpactResult:
    """Uncertainty components.

    Attributes:
        combination: what was combined.
        sources: dims ``source``, ``parameter``: impact of each source, in the unit of the parameter.
        groups: dims ``group``, ``parameter``: the same for groups of sources.
        statistics, systematics, coupling, total: dim ``parameter``; ``coupling`` is what correlations between different
            sources contribute.
        definition: the sentence to quote.
    """

    combination: Combination
    sources: xr.DataArray
    groups: xr.DataArray
    statistics: xr.DataArray
    systematics: xr.DataArray
    coupling: xr.DataArray
    total: xr.DataArray
    definition: str = DEFINITION


def impacts(combination: Combination) -> ImpactResult:
    """Uncertainty components of the profile at nominal coefficients.

    The variance of the fitted values is W J W^T + W F C F^T W^T with the influence W of the data; the second term is split
    by the source of the nuisances.

    Examples:
        >>> import bayescomb as bc
        >>> components = bc.impacts(bc.load("models/run1_mass"))
        >>> f"{components.statistics.item():.2f} (stat) {components.systematics.item():.2f} (syst)"
        '0.14 (stat) 0.30 (syst)'
    """
    solution, correlation, _ = solve_at(combination)
    model = solution.model
    parameters = list(model.parameters)
    reach = solution.influence @ model.loading
    source_of = {n.name: n.source or n.name for n in combination.nuisances}
    labels = np.array([source_of[name] for name in model.nuisances], dtype=object)
    names = [s.name for s in combination.sources if s.name in set(labels)]
    names += [name for name in dict.fromkeys(labels) if name not in set(names)]
    group_of = {s.name: s.group for s in combination.sources}

    def part(member: NDArray[np.bool_]) -> NDArray[np.float64]:
        inside = reach[:, member]
        return np.einsum("pn,nm,pm->p", inside, correlation[np.ix_(member, member)], inside)

    parts = np.array([part(labels == name) for name in names]).reshape(len(names), len(parameters))
    everything = part(np.ones(len(labels), dtype=bool))
    groups = list(dict.fromkeys(g for g in (group_of.get(name, "") for name in names) if g))
    group_labels = np.array([group_of.get(label, "") for label in labels], dtype=object)
    group_parts = np.array([part(group_labels == g) for g in groups]).reshape(len(groups), len(parameters))
    statistics = np.einsum("pr,r,pr->p", solution.influence, model.signs, solution.influence)

    def table(values: NDArray[np.float64], dim: str, coord: list[str]) -> xr.DataArray:
        return xr.DataArray(
            _root(values), dims=(dim, "parameter"), coords={dim: coord, "parameter": parameters}, name="impact"
        )

    def row(values: NDArray[np.float64]) -> xr.DataArray:
        return xr.DataArray(_root(values), dims="parameter", coords={"parameter": parameters}, name="impact")

    return ImpactResult(
        combination=combination,
        sources=table(parts, "source", names),
        groups=table(group_parts, "group", groups),
        statistics=row(statistics),
        systematics=row(everything),
        coupling=row(_clean(everything - parts.sum(axis=0), everything)),
        total=row(np.diag(solution.covariance)),
    )


def _root(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed root: the sign says whether a component adds to or takes from the total."""
    return np.sign(variance) * np.sqrt(np.abs(variance))


def _clean(difference: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """A difference of equal sums is rounding; its root would look like a result."""
    return np.where(np.abs(difference) < 1e-12 * np.abs(scale), 0.0, difference)

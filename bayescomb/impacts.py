"""Impacts: how much of each parameter's uncertainty comes from statistics, from each source and from each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescomb.checks import check_choice
from bayescomb.errors import OptionError
from bayescomb.fit import Fit, Fitter
from bayescomb.inputs import STATISTICS_GROUP, Combination
from bayescomb.measurements import divided_variance, unsplit_label
from bayescomb.normalisation import normalised_fit
from bayescomb.threads import single_threaded

__all__ = ["DEFINITIONS", "SIZE_OF", "ImpactResult", "components_at", "impacts"]

THEORY_GROUP: Final = "theory"
SIZE_OF: Final = "size of "
DEFINITIONS: Final = {
    "components": (
        "impact of a source: sqrt(w^T V_s w), its part of the variance of the combined value, with w the weights of the "
        "estimates and V_s the covariance of the source; statistics, sources and what couples different sources add up to "
        "the total variance, and so does what not knowing uncertain sizes of sources adds. A negative impact is minus the "
        "root of a negative part, which an anticorrelation (or an "
        "indefinite source matrix) can give."
    ),
    "postfit": (
        "impact of a nuisance: its post-fit correlation with the parameter times the larger Delta chi2 = 1 error; impact of "
        "a group: sqrt(|up^2 - up_held^2|) with the group's nuisances held at their fitted values, 'stat' holding all of "
        "them (the definitions of Convino). They overlap and do not add up in quadrature."
    ),
}


@dataclass(frozen=True, kw_only=True)
class ImpactResult:
    """Uncertainty components.

    Attributes:
        combination: what was combined.
        kind: ``"components"`` or ``"postfit"``.
        sources: dims ``source``, ``parameter``: impact of each source, or of each nuisance (``postfit``), in the unit of
            the parameter.
        groups: dims ``group``, ``parameter``: the same for groups of sources, or the combination's impact groups.
        shifts: dims ``source``, ``parameter``: signed shift of the parameter per +1 post-fit sigma of each nuisance;
            ``None`` for components.
        unsplit: dim ``parameter``: from inputs of which only the total covariance is known; 0 if there is none.
        statistics, systematics, coupling, total: dim ``parameter``; ``coupling`` is what correlations between different
            sources contribute to the components.
    """

    combination: Combination
    kind: str
    sources: xr.DataArray
    groups: xr.DataArray
    shifts: xr.DataArray | None
    statistics: xr.DataArray
    systematics: xr.DataArray
    unsplit: xr.DataArray
    coupling: xr.DataArray
    total: xr.DataArray

    @property
    def sums(self) -> dict[str, xr.DataArray]:
        """Rows below the sources: statistics, all systematics, what total covariances leave undivided, total."""
        label = unsplit_label(self.combination.measurements)
        divided = {"statistics": self.statistics, "all systematics": self.systematics}
        if label and not any(bool(part.any()) for part in divided.values()):
            divided = {}
        undivided = {label: self.unsplit} if label and label != "total" else {}
        return divided | undivided | {"total": self.total}

    @property
    def definition(self) -> str:
        """The sentence to quote."""
        return DEFINITIONS[self.kind]


@single_threaded
def impacts(
    combination: Combination, *, definition: str | None = None, coefficients: ArrayLike | None = None
) -> ImpactResult:
    """Uncertainty components of the profile at fixed coefficients.

    Args:
        combination: what to combine.
        coefficients: shape (K,), in the order of the assumption set; nominal by default.
        definition: ``"components"``, which needs a quadratic chi2, or ``"postfit"``; by default components where all
            nuisances belong to sources.

    Raises:
        OptionError: the definition is unknown, or components are asked for where there are none.

    Examples:
        >>> import bayescomb as bc
        >>> components = bc.impacts(bc.load("models/run1_mass"))
        >>> f"{components.statistics.item():.2f} (stat) {components.systematics.item():.2f} (syst)"
        '0.14 (stat) 0.30 (syst)'
    """
    divisible = combination.quadratic and not combination.normalise
    if definition is None:
        definition = "components" if divisible and all(n.source for n in combination.nuisances) else "postfit"
    check_choice(definition, DEFINITIONS, where="definition of impacts")
    if definition == "postfit":
        return _postfit(combination, coefficients)
    if not divisible:
        msg = "definition 'components' divides the variance of a linear estimate, which this fit is not; use 'postfit'"
        raise OptionError(msg)
    return _components(combination, coefficients)


def _postfit(combination: Combination, coefficients: ArrayLike | None) -> ImpactResult:
    """Convino's definitions; a group is held at its fitted values and the rest fitted again."""
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation(coefficients)
    # Holding nuisances is the algebra of the tangent for an extraction, so that its total has to be the tangent's too.
    raw = fitter.fit(correlation, errors="hesse" if combination.extraction else "minos")
    if raw.sizes is not None:
        raw = raw.sizes.certain  # nuisances share what is known; the sizes stay where they were fitted
    correlation = raw.correlation

    def shown(fit: Fit) -> Fit:
        return normalised_fit(combination, fit)[0] if combination.normalise else fit

    fit = shown(raw)
    names = [o.name for o in combination.results]
    size = len(names)
    deviation = np.sqrt(np.maximum(fit.nuisance_variance, 0.0))
    # A nuisance that the fit leaves no freedom, or that is stuck on a kink, cannot shift anything.
    deviation[[name in fit.on_kink for name in fit.nuisances]] = 0.0
    shift = np.divide(
        fit.cross_covariance[:size], deviation, out=np.zeros_like(fit.cross_covariance[:size]), where=deviation > 0
    )
    largest = np.maximum(fit.up, -fit.down)[:size]
    simple = np.abs(shift) / fit.errors[:size, None] * largest[:, None]
    everything = [*fit.nuisances, *(n.name for n in combination.nuisances if n.free)]
    free = {n.name for n in combination.nuisances if n.free}

    def held_up(members: list[str]) -> NDArray[np.float64]:
        if raw.solution is not None and not free.intersection(members) and not combination.normalise:
            return raw.solution.errors_given([n in members for n in raw.nuisances])[:size]
        held = fitter.hold(raw, correlation, members)
        return shown(fitter.fit(correlation, held=held, near=raw, of=names, errors="crossing")).up[:size]

    statistics = held_up(everything)
    weights = np.zeros((size, len(combination.estimates)))
    if unsplit_label(combination.measurements):
        weights = _held_weights(fitter, raw, everything)[:size]
    pure, unsplit = map(np.sqrt, divided_variance(combination.measurements, statistics**2, weights))
    groups = {
        name: pure if members == (STATISTICS_GROUP,) else np.sqrt(np.abs(fit.up[:size] ** 2 - held_up(list(members)) ** 2))
        for name, members in combination.impact_groups.items()
    }

    def row(values: NDArray[np.float64]) -> xr.DataArray:
        return xr.DataArray(values, dims="parameter", coords={"parameter": names}, name="impact")

    def table(values: NDArray[np.float64], dim: str, labels: list[str]) -> xr.DataArray:
        return xr.DataArray(values, dims=(dim, "parameter"), coords={dim: labels, "parameter": names}, name="impact")

    return ImpactResult(
        combination=combination,
        kind="postfit",
        sources=table(simple.T, "source", list(fit.nuisances)),
        groups=table(np.array(list(groups.values())).reshape(len(groups), size), "group", list(groups)),
        shifts=table(shift.T, "source", list(fit.nuisances)),
        statistics=row(pure),
        unsplit=row(unsplit),
        systematics=row(np.sqrt(np.maximum(fit.up[:size] ** 2 - statistics**2, 0.0))),
        coupling=row(np.zeros(size)),
        total=row(fit.up[:size]),
    )


def _held_weights(fitter: Fitter, fit: Fit, names: list[str]) -> NDArray[np.float64]:
    """d(values)/d(measured values) with nuisances held at their fitted values, as their part of the error has them."""
    held = fitter.hold(fit, fit.correlation, names)
    fixed = fitter.fit(fit.correlation, held=held, near=fit, errors="hesse")
    weights = (
        fitter.weights(fixed, fixed.correlation) if fixed.solution is not None else fitter.weights(fit, fit.correlation)
    )
    if fitter.combination.normalise:
        jacobian = normalised_fit(fitter.combination, fit)[1]
        weights = jacobian[: len(weights), : len(weights)] @ weights
    return weights


def components_at(combination: Combination, *, coefficients: ArrayLike, scales: ArrayLike) -> ImpactResult:
    """Components at given coefficients and given scales of uncertain sizes, whatever the data say of the sizes.

    Args:
        combination: what to combine.
        coefficients: shape (K,), in the order of the assumption set.
        scales: true over quoted variances, shape (m,), in the order of the sizes of the combination.
    """
    return _components(combination, coefficients, scales=scales)


def _components(
    combination: Combination, coefficients: ArrayLike | None, *, scales: ArrayLike | None = None
) -> ImpactResult:
    """The variance of the fitted values, W J W^T + W F C F^T W^T with the influence W of the data, split by source."""
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation(coefficients)
    if scales is not None:
        correlation = fitter.scaled(correlation, scales)
    fit = fitter.fit(correlation, errors="hesse") if scales is None else fitter.certain(correlation)
    correlation, solution = fit.correlation, fit.solution
    assert solution is not None  # a quadratic chi2 has one
    model, reach = solution.model, solution.reach
    parameters = list(solution.parameters)
    source_of = {n.name: n.source or n.name for n in combination.nuisances}
    from_theory = fitter.theory.sources if fitter.theory is not None else {}
    source_of |= from_theory
    labels = np.array([source_of[name] for name in model.nuisances], dtype=object)
    names = [s.name for s in combination.sources if s.name in set(labels)]
    names += [name for name in dict.fromkeys(labels) if name not in set(names)]
    group_of = {s.name: s.group for s in combination.sources} | dict.fromkeys(from_theory.values(), THEORY_GROUP)

    def part(member: NDArray[np.bool_]) -> NDArray[np.float64]:
        inside = reach[:, member]
        return np.einsum("pn,nm,pm->p", inside, correlation[np.ix_(member, member)], inside)

    parts = np.array([part(labels == name) for name in names]).reshape(len(names), len(parameters))
    everything = part(np.ones(len(labels), dtype=bool))
    coupling = _clean(everything - parts.sum(axis=0), everything)
    if fit.sizes is not None:
        names = [*names, *(f"{SIZE_OF}{size.name}" for size in fit.sizes.sizes)]
        parts = np.vstack([parts, fit.sizes.variance])
        everything = everything + fit.sizes.variance.sum(axis=0)
    groups = list(dict.fromkeys(g for g in (group_of.get(name, "") for name in names) if g))
    group_labels = np.array([group_of.get(label, "") for label in labels], dtype=object)
    group_parts = np.array([part(group_labels == g) for g in groups]).reshape(len(groups), len(parameters))
    data = np.einsum("pr,r,pr->p", solution.influence, model.signs, solution.influence)
    statistics, unsplit = divided_variance(combination.measurements, data, solution.weights)

    def table(values: NDArray[np.float64], dim: str, coord: list[str]) -> xr.DataArray:
        return xr.DataArray(
            _root(values), dims=(dim, "parameter"), coords={dim: coord, "parameter": parameters}, name="impact"
        )

    def row(values: NDArray[np.float64]) -> xr.DataArray:
        return xr.DataArray(_root(values), dims="parameter", coords={"parameter": parameters}, name="impact")

    return ImpactResult(
        combination=combination,
        kind="components",
        sources=table(parts, "source", names),
        groups=table(group_parts, "group", groups),
        shifts=None,
        statistics=row(statistics),
        unsplit=row(unsplit),
        systematics=row(everything),
        coupling=row(coupling),
        total=row(np.diag(fit.covariance)),
    )


def _root(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed root: the sign says whether a component adds to or takes from the total."""
    return np.sign(variance) * np.sqrt(np.abs(variance))


def _clean(difference: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """A difference of equal sums is rounding; its root would look like a result."""
    return np.where(np.abs(difference) < 1e-12 * np.abs(scale), 0.0, difference)

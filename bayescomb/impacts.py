"""Impacts: how much of each parameter's uncertainty comes from statistics, from each source and from each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescomb.checks import check_choice, expects
from bayescomb.fit import Fit, Fitter
from bayescomb.inputs import STATISTICS_GROUP, Combination
from bayescomb.measurements import unsplit_label
from bayescomb.normalisation import normalised_fit
from bayescomb.parts import PARTS, HeldParts, PropagatedParts, WholeParts, signed_root
from bayescomb.threads import single_threaded

__all__ = ["SIZE_OF", "ImpactResult", "impacts", "parts_at"]

FloatArray = NDArray[np.float64]

THEORY_GROUP: Final = "theory"
SIZE_OF: Final = "size of "


@dataclass(frozen=True, kw_only=True)
class ImpactResult:
    """Parts of the uncertainty of each result.

    Attributes:
        combination: what was combined.
        parts: the definition, ``"propagated"`` or ``"held"``.
        sources: dims ``source``, ``parameter``: impact of each source, or of each nuisance that belongs to none (``held``:
            of each nuisance), in the unit of the parameter; the coordinate ``kind`` tells ``"source"``, ``"nuisance"`` and
            ``"size"`` (of an uncertain source) apart.
        groups: dims ``group``, ``parameter``: the same for the combination's impact groups and, propagated, before them for
            groups of sources.
        shifts: dims ``source``, ``parameter``: signed shift of the parameter per +1 post-fit sigma of each nuisance;
            ``None`` for propagated parts.
        statistics, systematics, theory, total: dim ``parameter``; ``theory`` is by the theory nuisances of an extraction
            and in no other; the total is the error, for ``held`` the upper one.
        unsplit: dim ``parameter``: by inputs of which only the total covariance is known, in no other part; 0 without any.
        coupling: dim ``parameter``: what correlations between different sources contribute to propagated parts.
    """

    combination: Combination
    parts: str
    sources: xr.DataArray
    groups: xr.DataArray
    shifts: xr.DataArray | None
    statistics: xr.DataArray
    systematics: xr.DataArray
    theory: xr.DataArray
    unsplit: xr.DataArray
    coupling: xr.DataArray
    total: xr.DataArray

    @property
    def sums(self) -> dict[str, xr.DataArray]:
        """Rows below the sources: statistics, all systematics, theory, what total covariances leave undivided, total."""
        label = unsplit_label(self.combination.measurements)
        divided = {"statistics": self.statistics, "all systematics": self.systematics}
        if label and not any(bool(part.any()) for part in divided.values()):
            divided = {}
        if self.combination.extraction:
            divided["theory"] = self.theory
        undivided = {label: self.unsplit} if label and label != "total" else {}
        return divided | undivided | {"total": self.total}

    @property
    def definition(self) -> str:
        """The sentence to quote."""
        return PARTS[self.parts]


@expects(combination="combination")
@single_threaded
def impacts(
    combination: Combination,
    *,
    parts: str = "propagated",
    coefficients: ArrayLike | Mapping[str, float] | None = None,
) -> ImpactResult:
    """Parts of the uncertainty of the profile at fixed coefficients.

    Args:
        combination: what to combine.
        coefficients: shape (K,), in the order of the assumption set, or some of them by name; nominal by default.
        parts: ``"propagated"``, which add up to the variance, or ``"held"``, the definitions of Convino.

    Raises:
        OptionError: the definition is unknown.

    Examples:
        >>> import bayescomb as bc
        >>> found = bc.impacts(bc.load("models/run1_mass"))
        >>> f"{found.statistics.item():.2f} (stat) {found.systematics.item():.2f} (syst)"
        '0.14 (stat) 0.30 (syst)'
    """
    check_choice(parts, PARTS, where="parts of impacts")
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation(coefficients)
    if parts == "held":
        return _held(fitter, fitter.fit(correlation, errors="hesse" if combination.extraction else "minos"))
    return _propagated(fitter, fitter.fit(correlation, errors="hesse"))


def parts_at(combination: Combination, *, coefficients: ArrayLike, scales: ArrayLike) -> ImpactResult:
    """Propagated parts at given coefficients and given scales of uncertain sizes, whatever the data say of the sizes.

    Args:
        combination: what to combine.
        coefficients: shape (K,), in the order of the assumption set.
        scales: true over quoted variances, shape (m,), in the order of the sizes of the combination.
    """
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation(coefficients)
    return _propagated(fitter, fitter.certain(fitter.scaled(correlation, scales)))


def _held(fitter: Fitter, raw: Fit) -> ImpactResult:
    """Convino's definitions; a group is held at its fitted values and the rest fitted again."""
    held = HeldParts(fitter, raw)
    fit = held.shown.hesse
    deviation = np.sqrt(np.maximum(fit.nuisance_variance, 0.0))
    # A nuisance that the fit leaves no freedom cannot shift anything.
    shift = np.divide(fit.cross_covariance, deviation, out=np.zeros_like(fit.cross_covariance), where=deviation > 0)
    largest = np.maximum(fit.up, -fit.down)
    simple = np.abs(shift) / fit.errors[:, None] * largest[:, None]
    groups = {
        name: held.whole.statistics
        if members == (STATISTICS_GROUP,)
        else np.sqrt(np.abs(held.up**2 - held.held_up(members) ** 2))
        for name, members in fitter.combination.impact_groups.items()
    }
    rows = [("nuisance", name) for name in fit.nuisances]
    return _result(
        fit, fitter.combination, "held", rows=rows, sources=simple.T, groups=groups, whole=held.whole, shifts=shift.T
    )


def _propagated(fitter: Fitter, fit: Fit) -> ImpactResult:
    """The variance of the results, W J W^T + W F C F^T W^T with the influence W of the data, split by source."""
    combination = fitter.combination
    jacobian = np.eye(len(fit.parameters))
    if combination.normalise:
        _, jacobian = normalised_fit(combination, fit)
    parts = PropagatedParts(fitter=fitter, fit=fit, jacobian=jacobian)
    nuisances = fit.solution.model.nuisances
    source_of = {n.name: n.source for n in combination.nuisances}
    from_theory = fitter.theory.sources if fitter.theory is not None else {}
    source_of |= from_theory
    labels = [("source", source_of[n]) if source_of[n] else ("nuisance", n) for n in nuisances]
    named = [("source", s.name) for s in combination.sources]
    rows = [key for key in named if key in set(labels)]
    rows += [key for key in dict.fromkeys(labels) if key not in set(rows)]
    by_row = [parts.of(np.array([label == key for label in labels], dtype=bool)) for key in rows]
    everything = parts.of(np.ones(len(nuisances), dtype=bool))
    coupling = _clean(everything - np.sum(by_row, axis=0), everything)
    if fit.sizes is not None:
        rows += [("size", f"{SIZE_OF}{size.name}") for size in fit.sizes.sizes]
        by_row += list(parts.sizes)
    group_of = {s.name: s.group for s in combination.sources} | dict.fromkeys(from_theory.values(), THEORY_GROUP)
    grouped = [group_of.get(name, "") if kind == "source" else "" for kind, name in labels]
    members = {
        group: np.array([g == group for g in grouped], dtype=bool)
        for group in dict.fromkeys(group_of.get(name, "") for kind, name in rows if kind == "source")
        if group
    }
    members |= {
        group: np.array([n in names for n in nuisances], dtype=bool)
        for group, names in combination.impact_groups.items()
        if names != (STATISTICS_GROUP,)
    }
    groups = {group: signed_root(parts.of(member)) for group, member in members.items()}
    groups |= {
        group: parts.whole.statistics for group, names in combination.impact_groups.items() if names == (STATISTICS_GROUP,)
    }
    sources = signed_root(np.array(by_row).reshape(len(rows), len(fit.parameters)))
    return _result(
        fit,
        combination,
        "propagated",
        rows=rows,
        sources=sources,
        groups=groups,
        whole=parts.whole,
        coupling=signed_root(coupling),
    )


def _result(
    fit: Fit,
    combination: Combination,
    parts: str,
    *,
    rows: Sequence[tuple[str, str]],
    sources: FloatArray,
    groups: Mapping[str, FloatArray],
    whole: WholeParts,
    coupling: FloatArray | None = None,
    shifts: FloatArray | None = None,
) -> ImpactResult:
    """Labelled parts of the results, of arrays over the parameters of the fit; rows have a kind and a name."""
    names = [o.name for o in combination.results]
    shown = [fit.parameters.index(name) for name in names]
    coords = {"source": [name for _, name in rows], "parameter": names, "kind": ("source", [kind for kind, _ in rows])}

    def row(values: FloatArray) -> xr.DataArray:
        return xr.DataArray(values[shown], dims="parameter", coords={"parameter": names}, name="impact")

    def by_source(values: FloatArray) -> xr.DataArray:
        return xr.DataArray(values[:, shown], dims=("source", "parameter"), coords=coords, name="impact")

    by_group = np.array(list(groups.values())).reshape(len(groups), len(fit.parameters))[:, shown]
    return ImpactResult(
        combination=combination,
        parts=parts,
        sources=by_source(sources),
        groups=xr.DataArray(
            by_group, dims=("group", "parameter"), coords={"group": list(groups), "parameter": names}, name="impact"
        ),
        shifts=None if shifts is None else by_source(shifts),
        statistics=row(whole.statistics),
        systematics=row(whole.systematics),
        theory=row(whole.theory),
        unsplit=row(whole.unsplit),
        coupling=row(np.zeros(len(fit.parameters)) if coupling is None else coupling),
        total=row(whole.total),
    )


def _clean(difference: FloatArray, scale: FloatArray) -> FloatArray:
    """A difference of equal sums is rounding; its root would look like a result."""
    return np.where(np.abs(difference) < 1e-12 * np.abs(scale), 0.0, difference)

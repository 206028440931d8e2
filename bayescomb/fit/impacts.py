r"""Impacts: how much of each error comes from statistics, from each source, each group and theory, by two definitions.

``propagated``: with w the influence of the data on a result and V_s what a source contributes to their covariance, its part
is :math:`\sqrt{w V_s w^T}`, that of statistics :math:`\sqrt{w S w^T}` (best linear unbiased estimates: Valassi, NIM A 500
(2003) 391).  Where chi2 is not quadratic w and V_s are those of the model linearised at the minimum.

``held``: what an error loses when nuisances are held at their fitted values (Kieseler, EPJC 77 (2017) 792).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, expects
from bayescomb.base.choices import Parts
from bayescomb.base.labelled import labelled, labelled_field, labels, numbers
from bayescomb.base.numerics import single_threaded
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.fit.fit_result import Fit
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.fit.parts import HeldParts, PropagatedParts, WholeParts, rest_of, signed_root
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.inputs.measurements import unsplit_label

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PARTS", "PARTS_CLAUSE", "SIZE_OF", "ImpactResult", "impacts", "part_rows", "parts_at"]

THEORY_GROUP: Final = "theory"
SIZE_OF: Final = "size of "
# Nuisances that belong to the statistics share this row.
STATISTICAL_ROW: Final = ("statistics", "")
PARTS: Final[dict[Parts, str]] = {
    "propagated": (
        "propagated parts: sqrt(w^T V_s w), the part of a source in the variance of the result, with w the weights of the "
        "data (of the model linearised at the minimum) and V_s the covariance of the source; statistics, sources and what "
        "couples different sources add up to the total variance, and so does what not knowing uncertain sizes of sources "
        "adds. A negative part is minus the root of a negative part of the variance, which an anticorrelation (or an "
        "indefinite source matrix) can give."
    ),
    "held": (
        "held parts, the definitions of Convino: of a nuisance its post-fit correlation with the parameter times the larger "
        "Delta chi2 = 1 error; of a group sqrt(|up^2 - up_held^2|) with the group's nuisances held at their fitted values, "
        "'stat' holding all of them. They refer to the upper error, overlap and do not add up in quadrature."
    ),
}
# Definitions of the statistical and systematic part of a result in one clause.
PARTS_CLAUSE: Final[dict[Parts, str]] = {
    "propagated": "propagated from the data, which add up in quadrature to the error",
    "held": "held, the upper error with all nuisances at their fitted values and the rest of it",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class ImpactResult(Shown):
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
        unsplit: dim ``parameter``: part by inputs of which only the total covariance is known, in no other part.
        coupling: dim ``parameter``: part by correlations between different sources, of propagated parts.

    A result that its bound holds at 0 has no parts: NaN.
    """

    combination: Combination
    parts: Parts
    sources: xr.DataArray = labelled_field()
    groups: xr.DataArray = labelled_field()
    shifts: xr.DataArray | None = labelled_field()
    statistics: xr.DataArray = labelled_field()
    systematics: xr.DataArray = labelled_field()
    theory: xr.DataArray = labelled_field()
    unsplit: xr.DataArray = labelled_field()
    coupling: xr.DataArray = labelled_field()
    total: xr.DataArray = labelled_field()

    def _line(self) -> str:
        sizes = (counted(len(numbers(self, f"{key}s")), f"{key}s") for key in ("source", "group"))
        return f"{self.combination.name}: {self.parts} parts of {', '.join(sizes)}, {counted(len(self.names), 'results')}"

    @property
    def names(self) -> list[str]:
        """Names of the results."""
        return labels(self, "total", "parameter")

    @property
    def sums(self) -> dict[str, xr.DataArray]:
        """Rows below the sources: statistics, all systematics, theory, undivided total covariances, total."""
        return {label: getattr(self, field) for label, field in self.sum_fields.items()}

    @property
    def sum_fields(self) -> dict[str, str]:
        """Label of each of the :attr:`sums` -> its field."""
        label = unsplit_label(self.combination.measurements)
        divided = {"statistics": "statistics", "all systematics": "systematics"}
        if label and not any(numbers(self, field).any() for field in divided.values()):
            divided = {}
        if self.combination.extraction:
            divided["theory"] = "theory"
        undivided = {label: "unsplit"} if label and label != "total" else {}
        return divided | undivided | {"total": "total"}

    @property
    def definition(self) -> str:
        """The sentence to quote."""
        return PARTS[self.parts]


@expects(combination="combination")
@single_threaded
def impacts(
    combination: Combination,
    *,
    parts: Parts = "propagated",
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
    match parts:
        case "held":
            return _held(fitter, fitter.fit(correlation, errors="hesse" if combination.extraction else "minos"))
        case "propagated":
            return _propagated(fitter, fitter.fit(correlation, errors="hesse"))
    assert_never(parts)


def parts_at(combination: Combination, *, coefficients: ArrayLike, scales: ArrayLike) -> ImpactResult:
    """Propagated parts at given coefficients and given scales of uncertain sizes, which are not fitted.

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
    _, jacobian = normalised_fit(combination, fit)
    parts = PropagatedParts(fitter=fitter, fit=fit, jacobian=jacobian)
    nuisances = fit.solution.model.nuisances
    from_theory = fitter.theory.sources if fitter.theory is not None else {}
    rows, labels = part_rows(fitter, nuisances)
    by_row = [parts.of(np.array([label == key for label in labels], dtype=bool)) for key in rows]
    everything = parts.of(~parts.statistical)
    coupling = rest_of(everything, np.reshape(by_row, (len(rows), len(everything))), scale=everything)
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


def part_rows(fitter: Fitter, nuisances: Sequence[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Rows (kind and name of a source, or of a nuisance without one) as in the inputs; and the row of each nuisance."""
    source_of = {n.name: n.source for n in fitter.combination.nuisances}
    source_of |= fitter.theory.sources if fitter.theory is not None else {}
    statistical = {n.name for n in fitter.combination.nuisances if n.statistical}
    labels = [("source", source_of[n]) if source_of[n] else ("nuisance", n) for n in nuisances]
    labels = [STATISTICAL_ROW if n in statistical else label for label, n in zip(labels, nuisances, strict=True)]
    named = [("source", s.name) for s in fitter.combination.sources]
    rows = [key for key in named if key in set(labels)]
    rows += [key for key in dict.fromkeys(labels) if key not in {*rows, STATISTICAL_ROW}]
    return rows, labels


def _result(
    fit: Fit,
    combination: Combination,
    parts: Parts,
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
    shown = fit.positions(names)
    known = fit.nan_at_bound
    coords = {"source": [name for _, name in rows], "parameter": names, "kind": ("source", [kind for kind, _ in rows])}

    def row(values: FloatArray) -> Any:
        return labelled((known + values)[shown], ("parameter",), {"parameter": names}, name="impact")

    def by_source(values: FloatArray) -> Any:
        return labelled((known + values)[:, shown], ("source", "parameter"), coords, name="impact")

    by_group = (known + np.array(list(groups.values())).reshape(len(groups), len(fit.parameters)))[:, shown]
    return ImpactResult(
        combination=combination,
        parts=parts,
        sources=by_source(sources),
        groups=labelled(by_group, ("group", "parameter"), {"group": list(groups), "parameter": names}, name="impact"),
        shifts=None if shifts is None else by_source(shifts),
        statistics=row(whole.statistics),
        systematics=row(whole.systematics),
        theory=row(whole.theory),
        unsplit=row(whole.unsplit),
        coupling=row(np.zeros(len(fit.parameters)) if coupling is None else coupling),
        total=row(whole.total),
    )

"""Table of the impacts: every source, group and sum, a number per result and quantity.

A number that is to stand beside the impacts needs a field of :class:`bayescomb.fit.impacts.ImpactResult` and an entry of
:data:`QUANTITIES`; text, page, files, JSON and export follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bayescomb.base.deferred import deferred
from bayescomb.base.rounding import rounded_like, with_unit
from bayescomb.fit.impacts import ImpactResult
from bayescomb.output.tables.table import Column, Table, text_column

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["QUANTITIES", "ImpactQuantity", "impact_table"]

# Short names of the sums in files.
SUM_NAMES: Final = {"statistics": "stat", "all systematics": "syst"}


@dataclass(frozen=True, kw_only=True)
class ImpactQuantity:
    """What is said of every source (or group, or sum) and result.

    Attributes:
        key: name in the files.
        json: key of the JSON under which nuisances have it; empty for what stands under ``sources``, ``nuisances``,
            ``groups`` and ``whole`` itself.
        title: heading of a column of the page, to be filled in with a result; empty for what is in the files only.
        name, sentence: title and first sentence of an exported table, to be filled in with ``source`` or ``nuisance``.
        values: kind of row -> dims of the rows and ``parameter``; empty where there is nothing to say.
        show: text of a number, given the error of the result.
        in_unit: whether it has the unit of the result, else none.
    """

    key: str
    json: str
    title: str
    name: str
    sentence: str
    values: Callable[[ImpactResult], Mapping[str, xr.DataArray]]
    show: Callable[[float, float], str] = rounded_like
    in_unit: bool = True


QUANTITIES: Final = (
    ImpactQuantity(
        key="impact",
        json="",
        title="impact on {}",
        name="Impacts of {}s",
        sentence="Impact of every {} on every result",
        values=lambda result: {"source": result.sources, "group": result.groups, "sum": _sums(result)},
    ),
    ImpactQuantity(
        key="shift",
        json="shifts",
        title="",
        name="Shifts by {}s",
        sentence="Shift of every result per +1 post-fit sigma of every {}",
        values=lambda result: {} if result.shifts is None else {"source": result.shifts},
    ),
)


def _sums(result: ImpactResult) -> xr.DataArray:
    """What couples different sources, if anything does, and the rows below the sources."""
    parts = {"between different sources": result.coupling} if bool((result.coupling != 0).any()) else {}
    parts |= result.sums
    return xr.concat([part.drop_vars("sum", errors="ignore") for part in parts.values()], dim="sum", coords="minimal",
                     compat="override").assign_coords(sum=list(parts))  # fmt: skip


def impact_table(result: ImpactResult, parameters: Sequence[str] = ()) -> Table:
    """Sources, groups and sums; of sources and groups the largest first, in units of the errors.

    Args:
        result: of :func:`bayescomb.impacts`.
        parameters: results to show; all by default.

    Returns:
        Rows with ``name``, ``title``, ``kind`` (source, nuisance, size, group, coupling or sum) and ``key[parameter]`` for
        every key of :data:`QUANTITIES`.

    Examples:
        >>> import bayescomb as bc
        >>> table = impact_table(bc.impacts(bc.load("models/run1_mass")))
        >>> table.rows[0]["title"], table.columns[-1].title, table.rows[-1]["name"]
        ('LHC b-JES', 'impact on m_t [GeV]', 'total')
    """
    names = list(parameters) or [str(p) for p in result.total["parameter"].to_numpy()]
    titles = {s.name: s.title or s.name for s in result.combination.sources}
    kinds = dict(zip(result.sources["source"].to_numpy(), result.sources["kind"].to_numpy(), strict=True))
    quantities = {quantity.key: quantity.values(result) for quantity in QUANTITIES}
    rows: list[dict[str, Any]] = []
    for dim, impact in quantities["impact"].items():
        for label in _ranked(impact, result.total, names) if dim != "sum" else impact[dim].to_numpy():
            row: dict[str, Any] = {"name": str(label), "title": str(label), "kind": dim}
            if dim == "source":
                row |= {"title": titles.get(str(label), str(label)), "kind": str(kinds[label])}
            elif dim == "sum":
                coupling = label == "between different sources"
                row |= {"name": "coupling", "kind": "coupling"} if coupling else {"name": SUM_NAMES.get(label, str(label))}
            for key, values in quantities.items():
                if dim in values:
                    row |= {f"{key}[{p}]": float(values[dim].sel({dim: label, "parameter": p})) for p in names}
            rows.append(row)
    units = {o.name: o.unit for o in result.combination.results}
    totals = {p: float(result.total.sel(parameter=p)) for p in names}
    columns = [
        text_column("source", "title", only="page"),
        text_column("", "kind", only="page"),
        Column(title="source", show=_label, text=True, only="terminal"),
    ]
    columns += [
        Column(
            title=with_unit(quantity.title.format(p), units.get(p, "") if quantity.in_unit else ""),
            short=with_unit(p, units.get(p, "")) if quantity.key == "impact" else "",
            show=lambda row, p=p, q=quantity: _shown(q, row.get(f"{q.key}[{p}]"), totals[p]),  # type: ignore[misc]
            moves=True,
        )
        for quantity in QUANTITIES
        if quantity.title
        for p in names
    ]
    title = (
        "Impacts at nominal coefficients: the part of each source in the uncertainty. The bars of a ranking are larger: "
        "they are shifts with one nuisance fixed and all others free to follow, and they do not add up to the uncertainty."
        if result.parts == "propagated"
        else "Impacts at nominal coefficients."
    )
    return Table(name="impacts", title=title, rows=rows, columns=columns)


def _shown(quantity: ImpactQuantity, value: float | None, total: float) -> str:
    return "" if value is None else quantity.show(value, total)


def _label(row: Mapping[str, Any]) -> str:
    return f"group {row['title']}" if row["kind"] == "group" else str(row["title"])


def _ranked(values: xr.DataArray, total: xr.DataArray, names: list[str]) -> list[Any]:
    """Names of the rows, that of the largest part of an error first."""
    if not values.size:
        return []
    dim = str(values.dims[0])
    size = (abs(values) / total).sel(parameter=names).max("parameter").to_numpy()
    return [values[dim].to_numpy()[i] for i in np.argsort(-size, kind="stable")]

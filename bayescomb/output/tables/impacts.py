"""Table of the impacts: every source, group and sum, a number per result and quantity.

A further quantity beside the impacts needs a field of :class:`bayescomb.fit.impacts.ImpactResult` and an entry of
:data:`QUANTITIES`; text, page, files, JSON and export follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescomb.base.labelled import labels, numbers
from bayescomb.base.rounding import rounded_like, with_unit
from bayescomb.fit.impacts import ImpactResult
from bayescomb.output.tables.table import Column, Table, text_column

__all__ = ["QUANTITIES", "ImpactQuantity", "impact_table"]

FloatArray = NDArray[np.float64]

# Short names of the sums in files.
SUM_NAMES: Final = {"statistics": "stat", "all systematics": "syst"}


@dataclass(frozen=True, kw_only=True)
class ImpactQuantity:
    """A quantity that is stated for every source (or group, or sum) and result.

    Attributes:
        key: name in the files.
        json: key of the JSON under which it stands; empty for the impacts, which stand under ``sources``, ``nuisances``,
            ``groups`` and ``whole``.
        title: heading of a column of the page, to be filled in with a result; empty for what is in the files only.
        name, sentence: title and first sentence of an exported table, to be filled in with ``source`` or ``nuisance``.
        values: kind of row -> numbers, shape (rows, results), both as in the result; empty without the quantity.
        show: text of a number, given the error of the result.
        in_unit: whether it has the unit of the result, else none.
    """

    key: str
    json: str
    title: str
    name: str
    sentence: str
    values: Callable[[ImpactResult], Mapping[str, ArrayLike]]
    show: Callable[[float, float], str] = rounded_like
    in_unit: bool = True


QUANTITIES: Final = (
    ImpactQuantity(
        key="impact",
        json="",
        title="impact on {}",
        name="Impacts of {}s",
        sentence="Impact of every {} on every result",
        values=lambda result: {"source": numbers(result, "sources"), "group": numbers(result, "groups")},
    ),
    ImpactQuantity(
        key="shift",
        json="shifts",
        title="",
        name="Shifts by {}s",
        sentence="Shift of every result per +1 post-fit sigma of every {}",
        values=lambda result: {"source": numbers(result, "shifts")} if result.parts == "held" else {},
    ),
)


def impact_table(result: ImpactResult, parameters: Sequence[str] = ()) -> Table:
    """Sources, groups and sums; sources and groups are sorted by size in units of the errors, the largest first.

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
    names = list(parameters) or result.names
    shown = [result.names.index(name) for name in names]
    titles = {s.name: s.title or s.name for s in result.combination.sources}
    kinds = labels(result, "sources", "kind")

    def cells(key: str, values: FloatArray) -> dict[str, float]:
        return {f"{key}[{name}]": float(value) for name, value in zip(names, values[shown], strict=True)}

    total = numbers(result, "total")
    quantities = {quantity.key: quantity.values(result) for quantity in QUANTITIES}
    rows: list[dict[str, Any]] = []
    for kind in quantities["impact"]:
        row_names = labels(result, f"{kind}s", kind)
        parts = {key: np.asarray(values[kind]) for key, values in quantities.items() if kind in values}
        for i in _ranked(parts["impact"][:, shown] / total[shown]):
            name = row_names[i]
            row: dict[str, Any] = {"name": name, "title": name, "kind": kind}
            if kind == "source":
                row |= {"title": titles.get(name, name), "kind": kinds[i]}
            for key, values in parts.items():
                row |= cells(key, values[i])
            rows.append(row)
    coupling = numbers(result, "coupling")
    if (coupling != 0).any():
        rows.append(
            {"name": "coupling", "title": "between different sources", "kind": "coupling"} | cells("impact", coupling)
        )
    for label, field in result.sum_fields.items():
        row = {"name": SUM_NAMES.get(label, label), "title": label, "kind": "sum"}
        rows.append(row | cells("impact", numbers(result, field)))
    units = {o.name: o.unit for o in result.combination.results}
    totals = dict(zip(names, total[shown].tolist(), strict=True))
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


def _ranked(shares: FloatArray) -> list[int]:
    """Positions of the rows, that of the largest part of an error first; a result without an error does not count."""
    return [int(i) for i in np.argsort(-np.fmax.reduce(np.abs(shares), axis=1), kind="stable")] if shares.size else []


def _label(row: Mapping[str, Any]) -> str:
    return f"group {row['title']}" if row["kind"] == "group" else str(row["title"])

"""Tables of the uncertainty: impacts of every source and group, and where the variance comes from.

A further quantity beside the impacts needs a field of :class:`bayescomb.fit.impacts.ImpactResult` and an entry of
:data:`QUANTITIES`; text, page, files, JSON and export follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescomb.base.labelled import labels, numbers
from bayescomb.base.rounding import counted, rounded_like, significant, small_unit, with_error, with_unit
from bayescomb.fit.impacts import ImpactResult
from bayescomb.formats.hepdata.record.units import squared_unit
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

__all__ = ["QUANTITIES", "SCALARS", "ImpactQuantity", "impact_table", "relevance_table", "shares_table"]

FloatArray = NDArray[np.float64]

# Short names of the sums in files.
SUM_NAMES: Final = {"statistics": "stat", "all systematics": "syst"}
# Coefficients with a smaller part of the variance are shown by their sum only.
SMALL: Final = 1e-3
# Shares of single coefficients are small and need more decimals than the other parts.
SHARE_PLACES: Final = 3
# Information, in Monte Carlo errors, above which the data constrain a coefficient.
TOLD: Final = 3.0
# Numbers of a coefficient that do not refer to a result.
SCALARS: Final = ("prior_mean", "prior_sd", "posterior_mean", "posterior_sd", "information", "information_error")


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


def _label(row: Mapping[str, Any]) -> str:
    return f"group {row['title']}" if row["kind"] == "group" else str(row["title"])


def _ranked(shares: FloatArray) -> list[int]:
    """Positions of the rows, that of the largest part of an error first; a result without an error does not count."""
    return [int(i) for i in np.argsort(-np.fmax.reduce(np.abs(shares), axis=1), kind="stable")] if shares.size else []


def shares_table(
    shares: xr.Dataset | None,
    units: Mapping[str, str],
    parameters: Sequence[str] = (),
    *,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """Parts of the variance of each result, coefficients after the others, then the small coefficients together and the sum.

    Args:
        shares: of :func:`bayescomb.variance_shares`; without it the table is empty.
        units: result -> its unit.
        parameters: results to show; all by default.
        titles: coefficient -> what a page calls it; its name by default.

    Returns:
        Rows with ``parameter``, ``part``, ``kind`` (rows of the kind ``sum`` add up others), ``variance``, ``unit`` and
        ``share``, a fraction, which the files state in percent.
    """
    rows: list[dict[str, Any]] = []
    shown: list[int] = []
    names = list(parameters)
    if shares is not None:
        names = names or [str(p) for p in shares["parameter"].to_numpy()]
        parts, kinds = shares["part"].to_numpy(), shares["kind"].to_numpy()
        order = sorted(range(len(kinds)), key=lambda i: (kinds[i] == "coefficient", kinds[i] == "remainder"))
        for p in names:
            at = shares.sel(parameter=p)
            variance, share = at["variance"].to_numpy(), at["share"].to_numpy()
            small = [i for i in order if kinds[i] == "coefficient" and abs(share[i]) < SMALL]
            entries = [(str(parts[i]), str(kinds[i]), variance[i], share[i], i not in small) for i in order]
            if small:
                others = counted(len(small), "other coefficients")
                entries.append((others, "sum", variance[small].sum(), share[small].sum(), True))
            entries.append(("total", "sum", variance.sum(), share.sum(), True))
            unit = units.get(p, "")
            for part, kind, own, fraction, large in entries:
                shown += [len(rows)] if large else []
                row = {"parameter": p, "part": part, "kind": kind, "variance": float(own)}
                rows.append(row | {"unit": squared_unit(unit).replace("^2", "²"), "share": float(fraction)})
    alone = names[0] if len(names) == 1 else ""
    columns = [
        *([] if alone else [text_column("parameter", "parameter", only="page")]),
        Column(title="part", show=lambda row: _part(row, titles or {}), text=True, only="page"),
        text_column("kind", "kind", only="page"),
        Column(title=f"part of Var({alone})", show=_share_label, only="terminal"),
        number_column("variance", "variance", significant, short=with_unit("variance", rows[0]["unit"] if rows else "")),
        text_column("unit", "unit", only="page"),
        fixed_column("share [%]", "share", 2, scale=100),
    ]
    title = (
        "Shares of the posterior variance. Statistics, groups and theory divide E[Var(x | r)], coefficients Var(E[x | r]); "
        "the remainder is curvature of the prediction and Monte Carlo error. Coefficients below 0.1 % are in the files."
    )
    return Table(name="variance_shares", title=title, rows=rows, columns=columns, on_page=shown, percent=("share",))


def _part(row: Row, titles: Mapping[str, str]) -> str:
    return titles.get(row["part"], row["part"]) if row["kind"] == "coefficient" else str(row["part"])


def _share_label(row: Row) -> str:
    return f"coefficient {row['part']}" if row["kind"] == "coefficient" else str(row["part"])


def relevance_table(relevance: xr.Dataset | None, units: Mapping[str, str]) -> Table:
    """Each coefficient: prior, posterior, information, effect; the largest share first.

    Args:
        relevance: of :func:`bayescomb.coefficient_relevance`; without it the table is empty.
        units: result -> its unit.

    Returns:
        Rows with the names of the dataset; ``slope[parameter]`` in the unit of the parameter, ``share[parameter]`` as
        a fraction of its variance, which the files state in percent.
    """
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    if relevance is not None:
        names = [str(p) for p in relevance["parameter"].to_numpy()]
        for i in np.argsort(-abs(relevance["share"]).sum("parameter").to_numpy()):
            at = relevance.isel(coefficient=int(i))
            row: dict[str, Any] = {"coefficient": str(at["coefficient"].item()), "title": str(at["title"].item())}
            row |= {key: float(at[key]) for key in SCALARS}
            for p in names:
                slope = float(at["slope"].sel(parameter=p))
                row |= {f"slope[{p}]": slope if np.isfinite(slope) else None}
                row |= {f"share[{p}]": float(at["share"].sel(parameter=p))}
            rows.append(row)
    columns = [
        text_column("coefficient", "title"),
        Column(title="prior mean ± sd", short="prior", show=_pair("prior_mean", "prior_sd")),
        Column(title="posterior", show=_pair("posterior_mean", "posterior_sd"), only="terminal"),
        Column(title="posterior mean ± sd", show=_posterior, only="page"),
        Column(title="information [bit]", show=_pair("information", "information_error")),
    ]
    for p in names:
        title = with_unit(f"d({p})/dr", small_unit(units.get(p, "")))
        columns.append(fixed_column(title, f"slope[{p}]", 1, sign=True, scale=1000))
        columns.append(fixed_column(f"share of Var({p}) [%]", f"share[{p}]", SHARE_PLACES, sign=True, scale=100, moves=True))
    title = "Which correlation matters: what the data say of each coefficient, and what it does to the result."
    return Table(name="relevance", title=title, rows=rows, columns=columns, percent=("share",))


def _posterior(row: Row) -> str:
    """Mean and sd of the posterior; "as the prior" where the data give no information on the coefficient."""
    known = row["information"] > TOLD * row["information_error"]
    return with_error(row["posterior_mean"], row["posterior_sd"]) if known else "as the prior"


def _pair(value: str, error: str) -> Callable[[Row], str]:
    return lambda row: with_error(row[value], row[error])

"""The table ``[measurements.tables]`` of ``model.toml``: which tables of a HEPData submission hold what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bayescomb.base.checks import check_names
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, UnknownNameError
from bayescomb.formats.csv import NUMBER
from bayescomb.formats.hepdata.record.submission import Submission, listed
from bayescomb.formats.hepdata.record.tables import Table, bin_of, row_label
from bayescomb.formats.hepdata.selection import Measured, Selection, is_integer, read_selection
from bayescomb.formats.values import check_table, flag, text, texts

__all__ = ["ErrorPlace", "TableMapping", "error_name", "measured_values", "read_mapping"]

MATRICES: Final = (
    "statistical_covariance",
    "statistical_correlation",
    "total_covariance",
    "total_correlation",
    "nuisance_correlation",
)
SHIFT_KEYS: Final = ("name", "names", "up", "down", "match", "ignore", "label")
MATRIX_KEYS: Final = ("match", "rows")
# A label of the values, or a column.
ErrorPlace = str | Selection
# Numbers from 1, or axis -> range or entry.
Rows = tuple[int, ...] | Mapping[str, tuple[float, float] | str]


@dataclass(frozen=True, kw_only=True)
class TableMapping:
    """Which tables and columns hold what.

    Attributes:
        where: the TOML table, for messages.
        values: the measured values and their labelled errors.
        statistical: the statistical errors of the values, which add in quadrature; empty if none are named.
        total: the total errors, which are only compared.
        labels: patterns of the labels that are sources of the breakdown.
        ignore: patterns of the labels that are not used.
        percent: patterns of the errors and sources that are in percent of the values, whatever their stated unit.
        uncorrelated: patterns of the sources that are independent from row to row.
        symmetrise: patterns of the errors and sources whose two sides are averaged to one size.
        matrices: key -> table of a matrix.
        covariances, correlations: source -> table of its own covariance or correlation between the rows.
        breakdown: tables of shifts.
        pulls: post-fit values and constraints of the nuisances.
        nuisance_covariance: covariances of the values and the nuisances, in place of impacts.
        approximate: whether the correlations of the nuisances after the fit are unknown and set to 0.
        rows: the rows that are kept; ``None`` for all.
        leave_out: labels or numbers of rows that are left out.
        normalised: whether the authors say that the distribution is normalised.
        absent_is_zero: whether an error that a row does not state is 0 there.
        prefix: text before the names of the nuisances.
    """

    where: str
    values: Selection
    statistical: tuple[ErrorPlace, ...]
    total: ErrorPlace | None
    labels: tuple[str, ...]
    ignore: tuple[str, ...]
    percent: tuple[str, ...]
    uncorrelated: tuple[str, ...]
    symmetrise: tuple[str, ...]
    matrices: Mapping[str, Selection]
    covariances: Mapping[str, Selection]
    correlations: Mapping[str, Selection]
    breakdown: tuple[Selection, ...]
    pulls: Selection | None
    nuisance_covariance: tuple[Selection, ...]
    approximate: bool
    rows: Rows | None
    leave_out: tuple[str | int, ...]
    normalised: bool
    absent_is_zero: bool
    prefix: str


def error_name(place: ErrorPlace) -> str:
    """Name of an error in messages and in patterns of ``percent``: its label or its column.

    Examples:
        >>> error_name("stat"), error_name(read_selection({"column": "Stat. unc."}, "statistical", table="T"))
        ('stat', 'Stat. unc.')
    """
    if isinstance(place, str):
        return place
    return place.label or str(place.column or place.up)


def measured_values(mapping: TableMapping, submission: Submission) -> Measured:
    """The values that a mapping names.

    Raises:
        UnknownNameError: the submission has no such table, column or row.
        DuplicateNameError: two rows have the same label.
        InvalidNumberError: a value is no number.
    """
    chosen, column = mapping.values.single(submission)
    table = chosen.table
    kept = _kept(mapping, table)
    rows = tuple(table.rows[i] for i in kept)
    for i, name in enumerate(rows):
        if len(rows) > 1 and name in rows[:i]:
            msg = (
                f"{mapping.values.where}: rows {kept[rows.index(name)] + 1} and {kept[i] + 1} of table {table.name!r} are "
                f"both called {name!r}; choose rows by their numbers (rows = [1, 3])"
            )
            raise DuplicateNameError(msg)
    if len(rows) > 1:
        check_names(rows, where=f"{mapping.values.where}: rows of table {table.name!r}")
    axes = tuple(dataclasses.replace(axis, entries=tuple(axis.entries[i] for i in kept)) for axis in table.varying)
    column = dataclasses.replace(column, cells=tuple(column.cells[i] for i in kept))
    for cell in column.cells:
        cell.number()
    return Measured(where=chosen.where, all_rows=table.rows, kept=tuple(kept), rows=rows, axes=axes, column=column)


def _kept(mapping: TableMapping, table: Table) -> list[int]:
    """Positions of the rows that ``rows`` and ``leave_out`` keep, in the order of ``rows``."""
    names, n = table.rows, len(table.rows)
    where = f"{mapping.where}.leave_out"
    out: set[int] = set()
    for name in mapping.leave_out:
        if isinstance(name, int):
            out.add(_position(name, n, where, table.name))
        elif name in names:
            out.update(i for i, other in enumerate(names) if other == name)
        else:
            msg = f"{where}: table {table.name!r} has no row {name!r}; it has {listed(names)}"
            raise UnknownNameError(msg)
    chosen = list(range(n))
    if isinstance(mapping.rows, Mapping):
        chosen = [
            i for i in chosen if all(_within(table, a, wanted, i, mapping.where) for a, wanted in mapping.rows.items())
        ]
        if not chosen:
            wanted = dict(mapping.rows)
            msg = f"{mapping.where}.rows: no row of table {table.name!r} is within {wanted}; it has {listed(names)}"
            raise UnknownNameError(msg)
    elif mapping.rows is not None:
        chosen = [_position(i, n, f"{mapping.where}.rows", table.name) for i in mapping.rows]
    kept = [i for i in chosen if i not in out]
    if not kept:
        msg = f"{where}: all {len(chosen)} rows are left out; keep one"
        raise UnknownNameError(msg)
    return kept


def _position(number: int, n: int, where: str, table: str) -> int:
    if not 1 <= number <= n:
        msg = f"{where}: row {number} found, table {table!r} has the rows 1 to {n}"
        raise UnknownNameError(msg)
    return number - 1


def _within(table: Table, name: str, wanted: tuple[float, float] | str, row: int, where: str) -> bool:
    """Whether the bin or number of an axis lies in the wanted range, or its entry is the wanted text."""
    axis = next((a for a in table.axes if a.name == name), None)
    if axis is None:
        heads = listed([a.name for a in table.axes])
        msg = f"{where}.rows: table {table.name!r} has no axis {name!r}; it has {heads}"
        raise UnknownNameError(msg)
    entry = axis.entries[row]
    if isinstance(wanted, str):
        return row_label(entry) == row_label(wanted)
    low, high = wanted
    edges = bin_of(entry)
    if edges:
        return low <= edges.low and edges.high <= high
    assert isinstance(entry, str)  # any other entry is a bin, which has edges
    if not NUMBER.fullmatch(entry):
        msg = f"{where}.rows: {entry!r} of axis {name!r} is no number or bin; name the entry as a text, or rows by number"
        raise InvalidNumberError(msg)
    return low <= float(entry) <= high


def read_mapping(table: Any, *, where: str) -> TableMapping:
    """Read the table ``[measurements.tables]`` of a measurement.

    Args:
        table: the TOML table.
        where: its key, for messages.

    Raises:
        FileFormatError: a key is missing or has the wrong form, or two of them exclude each other.
        UnknownNameError: a key is not known.

    Examples:
        >>> read_mapping({"values": "Table 1", "statistical": "stat", "labels": "*"}, where="tables").labels
        ('*',)
    """
    if not isinstance(table, dict):
        msg = f'{where}: {table!r} found, a table is needed, as in {{ values = "Table 1", statistical = "stat" }}'
        raise FileFormatError(msg)
    check_table(table, "measurements.tables", where=where)
    values = read_selection(table["values"], f"{where}.values")
    matrices = {key: read_selection(table[key], f"{where}.{key}", MATRIX_KEYS) for key in MATRICES if key in table}
    _check_together(table, where)
    statistical = table.get("statistical", [])
    places = statistical if isinstance(statistical, list) else [statistical]
    total = _error_place(table["total"], f"{where}.total", values.table) if table.get("total", "") != "" else None
    return TableMapping(
        where=where,
        values=values,
        statistical=tuple(_error_place(p, f"{where}.statistical", values.table) for p in places if p != ""),
        total=total,
        labels=_patterns(table, "labels", where),
        ignore=_patterns(table, "ignore", where),
        percent=_patterns(table, "percent", where),
        uncorrelated=_patterns(table, "uncorrelated", where),
        matrices=matrices,
        covariances=_of_sources(table, "covariances", where),
        correlations=_of_sources(table, "correlations", where),
        breakdown=_shifts(table, "breakdown", where, values.table),
        pulls=read_selection(table["pulls"], f"{where}.pulls", ("constraint",)) if "pulls" in table else None,
        nuisance_covariance=_shifts(table, "nuisance_covariance", where, values.table),
        approximate=flag(table, "approximate", where=where),
        rows=_rows(table["rows"], f"{where}.rows") if "rows" in table else None,
        leave_out=_left_out(table.get("leave_out", []), f"{where}.leave_out"),
        normalised=flag(table, "normalised", where=where),
        symmetrise=_symmetrise(table, where),
        absent_is_zero=flag(table, "absent_is_zero", where=where),
        prefix=text(table, "prefix", where=where, default=""),
    )


def _check_together(table: Mapping[str, Any], where: str) -> None:
    """Refuse keys that exclude each other, or that lack a key they need."""
    for kind in ("statistical", "total"):
        both = [f"{kind}_{form}" for form in ("covariance", "correlation")]
        if all(key in table for key in both):
            msg = f"{where}: {kind}_covariance and {kind}_correlation found; keep one of the two"
            raise FileFormatError(msg)
        if both[1] in table and kind not in table:
            msg = f"{where}: {kind}_correlation needs the errors that it belongs to; name their label by {kind!r}"
            raise FileFormatError(msg)
    both = [name for name in table.get("covariances", {}) if name in table.get("correlations", {})]
    if both:
        msg = f"{where}: covariances and correlations found for {listed(both)}; keep one of the two"
        raise FileFormatError(msg)
    approximate = table.get("approximate") is True
    if ("pulls" in table) != ("nuisance_correlation" in table) and not (approximate and "pulls" in table):
        msg = (
            f"{where}: a fit needs pulls and the correlation of its nuisances (pulls, nuisance_correlation); give both, or "
            "none, so that the breakdown counts as external sources; if that correlation is not published, set "
            "approximate = true, which takes it as 0"
        )
        raise FileFormatError(msg)
    if approximate and ("pulls" not in table or "nuisance_correlation" in table):
        msg = f"{where}: approximate = true is for pulls without a nuisance_correlation; leave it out"
        raise FileFormatError(msg)
    if "nuisance_covariance" in table and ("pulls" not in table or "breakdown" in table):
        msg = (
            f"{where}: nuisance_covariance replaces the impacts of a fit by covariances of values and nuisances; give it "
            "with pulls and without breakdown"
        )
        raise FileFormatError(msg)


def _error_place(value: Any, where: str, table: str) -> ErrorPlace:
    """A label of the values, or columns of errors."""
    if isinstance(value, str):
        return value
    if _own_column(value):
        return read_selection(value, where, ("up", "down", "match", "label"), table=table)
    msg = f'{where}: {value!r} found, needed is a label of the values, or a column of errors, {{ column = "HEADER" }}'
    raise FileFormatError(msg)


def _shifts(table: Mapping[str, Any], key: str, where: str, values: str) -> tuple[Selection, ...]:
    given = table.get(key, [])
    parts = given if isinstance(given, list) else [given]
    return tuple(
        read_selection(part, f"{where}.{key}[{i}]", SHIFT_KEYS, table=values if _own_column(part) else "")
        for i, part in enumerate(parts)
    )


def _own_column(part: Any) -> bool:
    """Whether columns are named, which stand beside the values unless a table is named too."""
    return isinstance(part, dict) and ("column" in part or "up" in part)


def _of_sources(table: Mapping[str, Any], key: str, where: str) -> dict[str, Selection]:
    given = table.get(key, {})
    if not isinstance(given, dict):
        msg = f'{where}.{key}: {given!r} found, needed is a table of sources, as in {{ "eff" = "Table 9" }}'
        raise FileFormatError(msg)
    return {name: read_selection(value, f"{where}.{key}[{name!r}]", MATRIX_KEYS) for name, value in given.items()}


def _rows(value: Any, where: str) -> Rows:
    if isinstance(value, dict) and value and all(_is_range(v) or isinstance(v, str) for v in value.values()):
        return {name: v if isinstance(v, str) else (float(v[0]), float(v[1])) for name, v in value.items()}
    if isinstance(value, list) and value and all(is_integer(v) for v in value):
        if len(set(value)) < len(value):
            msg = f"{where}: {value!r} found, a number stands twice; name every row once"
            raise DuplicateNameError(msg)
        return tuple(value)
    msg = (
        f"{where}: {value!r} found, needed are numbers of rows, from 1, as in [1, 3], or axes with a range or an entry, "
        'as in { "PT" = [50, 200], "CHANNEL" = "e" }'
    )
    raise FileFormatError(msg)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(v, float) or is_integer(v) for v in value)
        and value[0] <= value[1]
    )


def _left_out(value: Any, where: str) -> tuple[str | int, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) or is_integer(v) for v in value):
        msg = f"{where}: {value!r} found, needed is a list of labels or numbers of rows"
        raise FileFormatError(msg)
    check_names([v for v in value if isinstance(v, str)], where=where, allow_empty=True)
    return tuple(value)


def _symmetrise(table: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Patterns of ``symmetrise``; ``true`` stands for all errors and sources."""
    if isinstance(table.get("symmetrise"), (list, str)):
        return _patterns(table, "symmetrise", where)
    return ("*",) if flag(table, "symmetrise", where=where) else ()


def _patterns(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The patterns of a key, which holds a text or a list of texts."""
    value = table.get(key, [])
    return (value,) if isinstance(value, str) else tuple(texts(table, key, where=where, default=[]))

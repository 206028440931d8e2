"""The table ``[measurements.tables]`` of ``model.toml``: which tables of a HEPData submission hold what."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bayescomb.base.checks import check_names
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.hepdata.submission import MAX_LISTED, Submission
from bayescomb.formats.hepdata.tables import Axis, Column, Table
from bayescomb.formats.values import check_keys, flag, text, texts

__all__ = ["Chosen", "Measured", "Selection", "TableMapping", "listed", "measured_values", "only", "read_mapping"]

MATRICES: Final = (
    "statistical_covariance",
    "statistical_correlation",
    "total_covariance",
    "total_correlation",
    "nuisance_correlation",
)
LABELS: Final = ("statistical", "total", "labels", "ignore")
KEYS: Final = (
    "values", *LABELS, *MATRICES, "breakdown", "pulls", "leave_out", "normalised", "symmetrise", "absent_is_zero", "prefix",
)  # fmt: skip
SELECTION_KEYS: Final = ("table", "column", "qualifiers")


def listed(names: Sequence[str]) -> str:
    """Names for a message.

    Examples:
        >>> from bayescomb.formats.hepdata.mapping import listed
        >>> listed(["stat", "sys"])
        "'stat', 'sys'"
    """
    return (", ".join(map(repr, names[:MAX_LISTED])) + (", ..." if len(names) > MAX_LISTED else "")) or "nothing"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A table with the columns of it that are meant."""

    table: Table
    columns: tuple[Column, ...]

    @property
    def where(self) -> str:
        """File and table, for messages."""
        return f"{self.table.where}, table {self.table.name!r}"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The column of the measured values, without the rows that are left out.

    Attributes:
        where: file and table, for messages.
        all_rows: labels of all rows of the table.
        rows: labels of those that are kept, n of them.
        axes: what the rows are known by, n entries each.
        column: the values, n of them.
    """

    where: str
    all_rows: tuple[str, ...]
    rows: tuple[str, ...]
    axes: tuple[Axis, ...]
    column: Column


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What names a table and columns of it.

    Attributes:
        where: the key, for messages.
        table: name of the table.
        column: header of the columns; ``None`` for all.
        qualifiers: name -> value that the columns must have.
        up, down: headers of the shifts at +1 and at -1 sigma, where they are columns of their own.
        constraint: header of the constraints, where they are no errors of the pulls.
        name: of the nuisance, if it is not the one of the table or column.
    """

    where: str
    table: str
    column: str | None = None
    qualifiers: Mapping[str, str]
    up: str = ""
    down: str = ""
    constraint: str = ""
    name: str = ""

    def chosen(self, submission: Submission) -> Chosen:
        """The columns in the submission.

        Raises:
            UnknownNameError: there is no such table or column; the message lists those that are there.
        """
        table = submission.table(self.table, where=self.where)
        columns = [c for c in table.columns if all(_qualified(c, k, v) for k, v in self.qualifiers.items())]
        if self.qualifiers and not columns:
            found = dict.fromkeys(f"{k} = {v}" for c in table.columns for k, v in c.qualifiers)
            msg = (
                f"{self.where}: table {self.table!r} has no column with the qualifiers {dict(self.qualifiers)}; it has "
                f"{listed(list(found))}"
            )
            raise UnknownNameError(msg)
        if self.column is not None:
            columns = self.named(table, columns, self.column)
        return Chosen(table=table, columns=tuple(columns))

    def named(self, table: Table, columns: Sequence[Column], name: str) -> list[Column]:
        """Those of the columns that have the header.

        Raises:
            UnknownNameError: there is none.
        """
        found = [c for c in columns if c.name == name]
        if not found:
            heads = list(dict.fromkeys(c.name for c in columns))
            msg = f"{self.where}: table {self.table!r} has no column {name!r}; it has {listed(heads)} ({table.where})"
            raise UnknownNameError(msg)
        return found

    def single(self, submission: Submission) -> tuple[Chosen, Column]:
        """The one column that is meant.

        Raises:
            UnknownNameError: there is none, or more than one.
        """
        found = self.chosen(submission)
        return found, only(found.columns, where=f"{self.where}: table {self.table!r}")


def only(columns: Sequence[Column], *, where: str) -> Column:
    """The column, if it is one.

    Raises:
        UnknownNameError: there are more; the message lists them with their qualifiers.
    """
    if len(columns) != 1:
        described = [f"{c.name}{''.join(f', {k} = {v}' for k, v in c.qualifiers)}" for c in columns]
        msg = f"{where}: {len(columns)} columns fit ({listed(described)}); choose one by 'column' and 'qualifiers'"
        raise UnknownNameError(msg)
    return columns[0]


def _qualified(column: Column, name: str, value: str) -> bool:
    """With or without the unit; numbers by what they are."""
    for key, text_ in column.qualifiers:
        if key == name and (text_ == value or text_.partition(" ")[0] == value or _same_number(text_, value)):
            return True
    return False


def _same_number(first: str, second: str) -> bool:
    try:
        return float(first.partition(" ")[0]) == float(second.partition(" ")[0])
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class TableMapping:
    """What is where.

    Attributes:
        where: the TOML table, for messages.
        values: the measured values and their labelled errors.
        statistical: label of the statistical errors of the values, empty if none is named.
        total: label of the total errors, which are compared only.
        labels: patterns of the labels that are sources of the breakdown.
        ignore: patterns of the labels that are left aside.
        matrices: key -> table of a matrix.
        breakdown: tables of shifts.
        pulls: post-fit values and constraints of the nuisances.
        leave_out: labels of rows that are left aside.
        normalised: the authors say that the distribution is normalised.
        symmetrise: two-sided errors become one size where the model can hold no other.
        absent_is_zero: an error that a row does not state is 0 there.
        prefix: put before the names of the nuisances.
    """

    where: str
    values: Selection
    statistical: str
    total: str
    labels: tuple[str, ...]
    ignore: tuple[str, ...]
    matrices: Mapping[str, Selection]
    breakdown: tuple[Selection, ...]
    pulls: Selection | None
    leave_out: tuple[str, ...]
    normalised: bool
    symmetrise: bool
    absent_is_zero: bool
    prefix: str


def measured_values(mapping: TableMapping, submission: Submission) -> Measured:
    """The values that a mapping names.

    Raises:
        UnknownNameError: the table, the column or a row that is to be left out is not there.
        DuplicateNameError: two rows have the same label.
        InvalidNumberError: a value is no number.
    """
    chosen, column = mapping.values.single(submission)
    table = chosen.table
    rows = table.rows
    if len(rows) > 1:
        check_names(rows, where=f"{mapping.values.where}: rows of table {table.name!r}")
    for name in mapping.leave_out:
        if name not in rows:
            msg = f"{mapping.where}.leave_out: table {table.name!r} has no row {name!r}; it has {listed(rows)}"
            raise UnknownNameError(msg)
    kept = [i for i, name in enumerate(rows) if name not in mapping.leave_out]
    if not kept:
        msg = f"{mapping.where}.leave_out: all {len(rows)} rows are left out; keep one"
        raise UnknownNameError(msg)
    axes = tuple(dataclasses.replace(axis, entries=tuple(axis.entries[i] for i in kept)) for axis in table.varying)
    column = dataclasses.replace(column, cells=tuple(column.cells[i] for i in kept))
    for cell in column.cells:
        cell.number()
    return Measured(where=chosen.where, all_rows=rows, rows=tuple(rows[i] for i in kept), axes=axes, column=column)


def read_mapping(table: Any, *, where: str) -> TableMapping:
    """The mapping of an entry.

    Args:
        table: the TOML table.
        where: its key, for messages.

    Raises:
        FileFormatError: a key is missing or has the wrong form, or two of them exclude each other.
        UnknownNameError: a key is not known.

    Examples:
        >>> from bayescomb.formats.hepdata.mapping import read_mapping
        >>> read_mapping({"values": "Table 1", "statistical": "stat", "labels": "*"}, where="tables").labels
        ('*',)
    """
    if not isinstance(table, dict):
        msg = f'{where}: {table!r} found, a table is needed, as in {{ values = "Table 1", statistical = "stat" }}'
        raise FileFormatError(msg)
    check_keys(table, KEYS, required=("values",), where=where)
    matrices = {key: _selection(table[key], f"{where}.{key}") for key in MATRICES if key in table}
    for kind in ("statistical", "total"):
        if all(f"{kind}_{form}" in matrices for form in ("covariance", "correlation")):
            msg = f"{where}: {kind}_covariance and {kind}_correlation found; keep one of the two"
            raise FileFormatError(msg)
        if f"{kind}_correlation" in matrices and kind not in table:
            msg = f"{where}: {kind}_correlation needs the errors that it belongs to; name their label by {kind!r}"
            raise FileFormatError(msg)
    if ("pulls" in table) != ("nuisance_correlation" in table):
        msg = (
            f"{where}: pulls and constraints of nuisances and their correlation (pulls, nuisance_correlation) make a fit "
            "together only; give both, or none, with which the breakdown counts as external sources"
        )
        raise FileFormatError(msg)
    breakdown = table.get("breakdown", [])
    parts = breakdown if isinstance(breakdown, list) else [breakdown]
    leave_out = texts(table, "leave_out", where=where, default=[])
    check_names(leave_out, where=f"{where}.leave_out", allow_empty=True)
    return TableMapping(
        where=where,
        values=_selection(table["values"], f"{where}.values"),
        statistical=text(table, "statistical", where=where, default=""),
        total=text(table, "total", where=where, default=""),
        labels=_patterns(table, "labels", where),
        ignore=_patterns(table, "ignore", where),
        matrices=matrices,
        breakdown=tuple(_selection(part, f"{where}.breakdown[{i}]", ("name", "up", "down")) for i, part in enumerate(parts)),
        pulls=_selection(table["pulls"], f"{where}.pulls", ("constraint",)) if "pulls" in table else None,
        leave_out=tuple(leave_out),
        normalised=flag(table, "normalised", where=where),
        symmetrise=flag(table, "symmetrise", where=where),
        absent_is_zero=flag(table, "absent_is_zero", where=where),
        prefix=text(table, "prefix", where=where, default=""),
    )


def _patterns(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A text or a list of texts."""
    value = table.get(key, [])
    return (value,) if isinstance(value, str) else tuple(texts(table, key, where=where, default=[]))


def _selection(value: Any, where: str, more: Sequence[str] = ()) -> Selection:
    if isinstance(value, str):
        return Selection(where=where, table=value, qualifiers={})
    if not isinstance(value, dict):
        msg = f'{where}: {value!r} found, needed is the name of a table, or {{ table = "NAME", column = "HEADER" }}'
        raise FileFormatError(msg)
    check_keys(value, (*SELECTION_KEYS, *more), required=("table",), where=where)
    qualifiers = value.get("qualifiers", {})
    if not isinstance(qualifiers, dict) or not all(isinstance(v, (str, int, float)) for v in qualifiers.values()):
        msg = f'{where}.qualifiers: {qualifiers!r} found, a table is needed, as in {{ "SQRT(S)" = 8000 }}'
        raise FileFormatError(msg)
    if ("up" in value) != ("down" in value):
        msg = f"{where}: 'up' and 'down' name the columns of a two-sided shift together; give both or none"
        raise FileFormatError(msg)
    details = {key: text(value, key, where=where, default="") for key in more}
    return Selection(
        where=where,
        table=text(value, "table", where=where),
        column=text(value, "column", where=where) if "column" in value else None,
        qualifiers={key: re.sub(r"\s+", " ", str(v)).strip() for key, v in qualifiers.items()},
        **details,
    )

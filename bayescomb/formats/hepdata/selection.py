"""Selects a table of a submission and its columns, by header or number, and matches its rows to the values.

Rows are matched by their bins and names.  A bin may be written as a text (``0.0-0.3``) or by its centre, and plain numbers
1 to n, 0 to n - 1 or 0.5 to n - 0.5 count the rows; ``match = "order"`` takes the rows in the order of the table instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from bayescomb.base.checks import check_choice
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.hepdata.record.submission import MAX_LISTED, Submission, listed
from bayescomb.formats.hepdata.record.tables import Axis, Column, Table, bin_of, row_label
from bayescomb.formats.values import check_keys, text, texts

__all__ = ["Chosen", "Match", "Measured", "Selection", "aligned", "is_integer", "matches", "only", "read_selection"]

SELECTION_KEYS: Final = ("table", "column", "qualifiers")
# A header, or the number of a column, from 1.
Heading = str | int


class Match(StrEnum):
    """How rows of a table are matched to those of the values: by their bins and names, or in their order."""

    NAMES = "names"
    ORDER = "order"


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether a name equals one of the patterns, or matches it with the wildcards of a shell.

    Examples:
        >>> matches(["sys,unc*"], "sys,uncor"), matches(["JES [1]"], "JES [1]"), matches(["stat"], "sys")
        (True, True, False)
    """
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A table and its chosen columns."""

    table: Table
    columns: tuple[Column, ...]

    @property
    def where(self) -> str:
        """File and table, for messages."""
        return f"{self.table.where}, table {self.table.name!r}"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A table and columns of it, as a model file names them.

    Attributes:
        where: the key, for messages.
        table: name of the table.
        column: header of the columns, or the number of one; ``None`` for all.
        qualifiers: name -> value that the columns must have.
        up, down: columns of the shifts at +1 and at -1 sigma, if these are separate columns.
        constraint: column of the constraints, if these are not the errors of the pulls.
        name: name of the nuisance, if it is not that of the table or column.
        names: column or axis that names the sources, if the sources are rows.
        ignore: patterns of sources in rows or columns that are not used.
        match: how the rows are matched to those of the values.
        label: label of the errors that are the shifts, in cells without a value.
        rows: numbers of the rows of a matrix that belong to the values, if it has others too.
    """

    where: str
    table: str
    column: Heading | None = None
    qualifiers: Mapping[str, str]
    up: Heading = ""
    down: Heading = ""
    constraint: Heading = ""
    name: str = ""
    names: Heading = ""
    ignore: tuple[str, ...] = ()
    match: Match = Match.NAMES
    label: str = ""
    rows: tuple[int, ...] = ()

    def chosen(self, submission: Submission) -> Chosen:
        """The columns in the submission.

        Raises:
            UnknownNameError: there is no such table or column; the message lists the existing ones.
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

    def named(self, table: Table, columns: Sequence[Column], name: Heading) -> list[Column]:
        """The columns with a header, or the column of a number, counted from 1 among all columns of the table.

        Raises:
            UnknownNameError: there is no such column.
        """
        if isinstance(name, int):
            found = [c for c in columns if 1 <= name <= len(table.columns) and c is table.columns[name - 1]]
        else:
            found = [c for c in columns if name in (c.name, c.header, f"{c.name} [{c.unit}]")]
        if not found:
            heads = [f"{i} {c.header!r}" for i, c in enumerate(table.columns[:MAX_LISTED], 1)]
            shown = ", ".join(heads) + (", ..." if len(table.columns) > MAX_LISTED else "")
            msg = (
                f"{self.where}: table {self.table!r} has no column {name!r}; by number and header it has {shown} "
                f"({table.where})"
            )
            raise UnknownNameError(msg)
        return found

    def single(self, submission: Submission) -> tuple[Chosen, Column]:
        """The table and its only chosen column.

        Raises:
            UnknownNameError: no column is chosen, or more than one.
        """
        found = self.chosen(submission)
        return found, only(found.columns, where=f"{self.where}: table {self.table!r}")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The column of the measured values, without the rows that are left out.

    Attributes:
        where: file and table, for messages.
        all_rows: labels of all rows of the table.
        kept: positions of the rows that are kept.
        rows: labels of the kept rows, n of them.
        axes: the axes that identify the rows, n entries each.
        column: the values, n of them.
    """

    where: str
    all_rows: tuple[str, ...]
    kept: tuple[int, ...]
    rows: tuple[str, ...]
    axes: tuple[Axis, ...]
    column: Column

    def positions(self, own: Sequence[str], match: Match) -> list[int] | None:
        """Positions of the rows of the values in another table; ``None`` if that table does not have them.

        Args:
            own: labels of the rows of the other table.
            match: how they are matched.
        """
        if list(own) == list(self.all_rows) or (match is Match.ORDER and len(own) == len(self.all_rows)):
            return list(self.kept)
        if match is Match.ORDER:
            return list(range(len(own))) if len(own) == len(self.rows) else None
        if len(own) == len(self.rows) == 1:
            return [0]
        for names, order in ((self.rows, range(len(self.rows))), (self.all_rows, self.kept)):
            found = aligned(own, names)
            if len(set(found)) == len(found) and set(found) == set(names):
                return [found.index(names[i]) for i in order]
        return None


def aligned(own: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Labels of the rows of one table as another table writes them; unchanged if the rows do not match.

    Examples:
        >>> aligned(["0.3-0.7", "0.0-0.3"], ["0 - 0.3", "0.3 - 0.7"]), aligned(["0.15", "0.5"], ["0 - 0.3", "0.3 - 0.7"])
        (('0.3 - 0.7', '0 - 0.3'), ('0 - 0.3', '0.3 - 0.7'))
        >>> aligned(["1", "2"], ["low", "high"])
        ('low', 'high')
    """
    if set(own) != set(names):
        counts = ([f"{i + first:.12g}" for i in range(len(names))] for first in (1, 0, 0.5))
        for keys in ([_part_by_part(n, _edges) for n in names], [_part_by_part(n, _centre) for n in names], *counts):
            of_key = dict(zip(keys, names, strict=True))
            found = tuple(of_key.get(_part_by_part(label, _edges), label) for label in own)
            if len(of_key) == len(names) and set(found) == set(names):
                return found
    return tuple(own)


def _part_by_part(label: str, written: Callable[[str], str]) -> str:
    """A label of several axes, each rewritten by a function; a comma within brackets separates edges."""
    plain = re.sub(r"[\[(]([^,()\[\]]*),([^,()\[\]]*)[\])]", r"\1 to \2", label)
    return ", ".join(written(part) for part in plain.split(", "))


def _edges(part: str) -> str:
    found = bin_of(part)
    return found.label if found else row_label(part)


def _centre(part: str) -> str:
    found = bin_of(part)
    return f"{(found.low + found.high) / 2:.12g}" if found else row_label(part)


def only(columns: Sequence[Column], *, where: str) -> Column:
    """The only column.

    Raises:
        UnknownNameError: there is none or more than one; the message lists them with their qualifiers.
    """
    if len(columns) != 1:
        described = [f"{c.name}{''.join(f', {k} = {v}' for k, v in c.qualifiers)}" for c in columns]
        msg = f"{where}: {len(columns)} columns fit ({listed(described)}); choose one by 'column' and 'qualifiers'"
        raise UnknownNameError(msg)
    return columns[0]


def _qualified(column: Column, name: str, value: str) -> bool:
    """Whether a column has a qualifier, compared with or without its unit, and numbers by their value."""
    for key, text_ in column.qualifiers:
        if key == name and (text_ == value or text_.partition(" ")[0] == value or _same_number(text_, value)):
            return True
    return False


def _same_number(first: str, second: str) -> bool:
    try:
        return float(first.partition(" ")[0]) == float(second.partition(" ")[0])
    except ValueError:
        return False


def read_selection(value: Any, where: str, more: Sequence[str] = (), *, table: str = "") -> Selection:
    """Read a selection in TOML: the name of a table, or a table with ``table``, ``column`` and ``qualifiers``.

    Args:
        value: the value of the key.
        where: the key, for messages.
        more: further keys that are allowed.
        table: the table to use if none is named.

    Raises:
        FileFormatError: the value has another form.
        UnknownNameError: a key is not known.

    Examples:
        >>> read_selection({"column": 2}, "total", table="Table 1").table
        'Table 1'
    """
    if isinstance(value, str):
        return Selection(where=where, table=value, qualifiers={})
    if not isinstance(value, dict):
        msg = f'{where}: {value!r} found, needed is the name of a table, or {{ table = "NAME", column = "HEADER" }}'
        raise FileFormatError(msg)
    check_keys(value, (*SELECTION_KEYS, *more), required=() if table else ("table",), where=where)
    qualifiers = value.get("qualifiers", {})
    if not isinstance(qualifiers, dict) or not all(isinstance(v, (str, int, float)) for v in qualifiers.values()):
        msg = f'{where}.qualifiers: {qualifiers!r} found, a table is needed, as in {{ "SQRT(S)" = 8000 }}'
        raise FileFormatError(msg)
    if ("up" in value) != ("down" in value):
        msg = f"{where}: 'up' and 'down' name the columns of a two-sided shift together; give both or none"
        raise FileFormatError(msg)
    details: dict[str, Any] = {
        key: _heading(value[key], f"{where}.{key}") for key in ("up", "down", "constraint") if key in value
    }
    if "names" in value:
        details["names"] = _names(value["names"], f"{where}.names")
    if "match" in value:
        check_choice(text(value, "match", where=where), tuple(Match), where=f"{where}.match")
        details["match"] = Match(value["match"])
    ignored = value.get("ignore", [])
    return Selection(
        where=where,
        table=text(value, "table", where=where, default=table or None),
        column=_heading(value["column"], f"{where}.column") if "column" in value else None,
        qualifiers={key: re.sub(r"\s+", " ", str(v)).strip() for key, v in qualifiers.items()},
        name=text(value, "name", where=where, default=""),
        label=text(value, "label", where=where, default=""),
        rows=_numbers(value["rows"], f"{where}.rows") if "rows" in value else (),
        ignore=(ignored,) if isinstance(ignored, str) else tuple(texts(value, "ignore", where=where, default=[])),
        **details,
    )


def is_integer(value: Any) -> bool:
    """Whether a value of TOML is a whole number, which a truth value is not.

    Examples:
        >>> is_integer(2), is_integer(True)
        (True, False)
    """
    return isinstance(value, int) and not isinstance(value, bool)


def _heading(value: Any, where: str) -> Heading:
    if not isinstance(value, str) and not (is_integer(value) and value > 0):
        msg = f"{where}: {value!r} found, needed is the header of a column, or its number from 1"
        raise FileFormatError(msg)
    found: Heading = value
    return found


def _numbers(value: Any, where: str) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(is_integer(v) and v > 0 for v in value)
    if not whole or not value or len(set(value)) < len(value):
        msg = f"{where}: {value!r} found, needed are numbers of rows, from 1 and each once, as in [11, 12, 13]"
        raise FileFormatError(msg)
    return tuple(value)


def _names(value: Any, where: str) -> Heading:
    """A column in the form ``{ column = ... }``, as a bare text could be mistaken for a source."""
    if not isinstance(value, dict) or set(value) != {"column"}:
        msg = f'{where}: {value!r} found, needed is the column or axis that names the sources, {{ column = "HEADER" }}'
        raise FileFormatError(msg)
    return _heading(value["column"], f"{where}.column")

"""The two layouts of a table: the YAML of a submission (variable by variable) and the JSON of the site (row by row)."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bayescomb.base.checks import located
from bayescomb.base.errors import FileFormatError
from bayescomb.formats.csv import NUMBER, number
from bayescomb.formats.hepdata.record.tables import (
    NO_LABEL,
    Axis,
    Bin,
    Cell,
    Column,
    LabelledError,
    Table,
    percent_or_number,
    rounding,
    row_label,
    unique_labels,
)
from bayescomb.formats.hepdata.record.units import PERCENT, headed

__all__ = ["json_table", "mapping", "yaml_table"]

# The site shows an empty error, or the empty side of a one-sided one, as 0.
EMPTY: Final = "0"
# The site writes the unit of a variable behind its name.
HEADER: Final = re.compile(r"(?P<name>.*?)\s*\[(?P<unit>[^\[\]]*)\]", re.DOTALL)


def mapping(value: Any, *, where: str, needed: Sequence[str] = ()) -> Mapping[str, Any]:
    """The value, which must be a mapping with these keys.

    Raises:
        FileFormatError: the value is no mapping, or a key is missing.
    """
    if not isinstance(value, dict) or any(key not in value for key in needed):
        keys = f" with {' and '.join(map(repr, needed))}" if needed else ""
        msg = f"{where}: {reprlib.repr(value)} found, a mapping{keys} is needed; correct the file"
        raise FileFormatError(msg)
    return value


def _list(value: Any, *, where: str) -> list[Any]:
    if not isinstance(value, list):
        msg = f"{where}: {reprlib.repr(value)} found, a list is needed; correct the file"
        raise FileFormatError(msg)
    return value


def _text(value: Any, *, where: str) -> str:
    """A scalar as text; callers in Python may pass numbers too."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        msg = f"{where}: {reprlib.repr(value)} found, a text or number is needed; correct the file"
        raise FileFormatError(msg)
    return str(value).strip()


def yaml_table(data: Mapping[str, Any], *, name: str, description: Any, where: str) -> Table:
    """A table of a submission.

    Args:
        data: a document with ``independent_variables`` and ``dependent_variables``.
        name: name of the table.
        description: description of the table.
        where: the file of the table.

    Raises:
        FileFormatError: the table has another form, or columns of different lengths.
        InvalidNumberError: an error or a bin edge is no number.
    """
    where_table = f"{where}, table {name!r}"
    axes = []
    for i, variable in enumerate(
        _list(data.get("independent_variables", []), where=f"{where_table}, independent_variables")
    ):
        at = f"{where_table}, independent variable {i + 1}"
        head, values = _variable(variable, at)
        entries = tuple(_entry(v, f"{at}, row {row + 1}") for row, v in enumerate(values))
        axes.append(Axis(name=head.name, unit=head.unit, entries=entries))
    columns = []
    for i, variable in enumerate(_list(data.get("dependent_variables", []), where=f"{where_table}, dependent_variables")):
        at = f"{where_table}, column {i + 1}"
        head, values = _variable(variable, at)
        qualifiers = []
        for q in _list(variable.get("qualifiers") or [], where=f"{at}, qualifiers"):
            content = mapping(q, where=f"{at}, qualifiers", needed=("name", "value"))
            parts = [_text(content.get(key), where=f"{at}, qualifiers") for key in ("value", "units")]
            qualifiers.append((_text(content["name"], where=f"{at}, qualifiers"), " ".join(filter(None, parts))))
        columns.append(
            _column(head, qualifiers, values, f"{where_table}, column {head.name!r}", _row_names(axes, len(values)))
        )
    return _table(where, name, _text(description, where=where_table), axes, columns)


class _Head(NamedTuple):
    """Name and unit of a header, and its whole text."""

    name: str
    unit: str
    text: str


def _variable(variable: Any, where: str) -> tuple[_Head, list[Any]]:
    content = mapping(variable, where=where, needed=("header", "values"))
    header = mapping(content["header"], where=f"{where}, header", needed=("name",))
    name, unit = (_text(header.get(key), where=f"{where}, header") for key in ("name", "units"))
    return _Head(*headed(name, unit), name), _list(content["values"], where=f"{where}, values")


def _row_names(axes: Sequence[Axis], n: int) -> list[str]:
    """Each row for messages: its number and, if there are axes, its labels."""
    names = []
    for row in range(n):
        entries = [row_label(axis.entries[row]) for axis in axes if row < len(axis.entries)]
        names.append(f"row {row + 1}{f' ({", ".join(entries)})' if entries else ''}")
    return names


def _entry(value: Any, where: str) -> Bin | str:
    content = mapping(value, where=where)
    if "low" in content or "high" in content:
        edges = [number(_text(content.get(key), where=where), where=f"{where}, {key!r}") for key in ("low", "high")]
        return Bin(low=edges[0], high=edges[1])
    return _text(mapping(value, where=where, needed=("value",))["value"], where=where)


def _column(
    head: _Head, qualifiers: Sequence[tuple[str, str]], values: Sequence[Any], where: str, rows: Sequence[str]
) -> Column:
    repeated: dict[str, int] = {}
    cells = []
    for row, value in zip(rows, values, strict=True):
        cell, again = _cell(value, f"{where}, {row}")
        cells.append(cell)
        for label, n in again.items():
            repeated[label] = max(n, repeated.get(label, 0))
    return Column(
        name=head.name,
        unit=head.unit,
        header=head.text,
        qualifiers=tuple(qualifiers),
        cells=tuple(cells),
        repeated=repeated,
    )


def _cell(content: Any, where: str) -> tuple[Cell, dict[str, int]]:
    content = mapping(content, where=where, needed=("value",))
    text = _text(content["value"], where=where)
    value = number(text, where=where) if NUMBER.fullmatch(text) else None
    stated = [mapping(e, where=f"{where}, errors") for e in _list(content.get("errors") or [], where=f"{where}, errors")]
    # The site adds a hidden error of 0 to a number without errors; authors leave errors empty, which the site shows as 0.
    stated = [e for e in stated if not (e.get("hide") is True or e.get("hide") == "true" or _is_empty(e))]
    with located(where):
        labels, repeated = unique_labels([_text(e.get("label"), where="label") or NO_LABEL for e in stated])
    errors = tuple(_error(e, label, value, f"{where}, error {label!r}") for e, label in zip(stated, labels, strict=True))
    return Cell(where=where, text=text, value=value, errors=errors), repeated


def _is_empty(error: Mapping[str, Any]) -> bool:
    """Whether an error has neither a label nor a size."""
    size = error.get("symerror", error.get("asymerror", "absent"))
    sizes = list(size.values()) if isinstance(size, dict) else [size]
    return not any(str(part or "").strip() for part in (error.get("label"), *sizes))


def _error(content: Mapping[str, Any], label: str, value: float | None, where: str) -> LabelledError:
    if ("symerror" in content) == ("asymerror" in content):
        msg = f"{where}: {reprlib.repr(content)} found, either 'symerror' or 'asymerror' is needed; correct the file"
        raise FileFormatError(msg)
    symmetric = "symerror" in content
    if symmetric:
        texts = [_text(content["symerror"], where=where) or EMPTY]
    else:
        sides = mapping(content["asymerror"], where=where, needed=("plus", "minus"))
        texts = [_text(sides[key], where=where) or EMPTY for key in ("plus", "minus")]
    if headed(label)[1] == PERCENT:  # "JES [%]"
        texts = [text if text.endswith("%") else f"{text}%" for text in texts]
    percent = any(text.endswith("%") for text in texts)
    if percent and value is None:  # in percent of a value in another table
        texts = [text.removesuffix("%").strip() for text in texts]
    sizes = [percent_or_number(text, value, where=where) for text in texts]
    return LabelledError(
        label=label,
        up=sizes[0],
        down=0.0 - sizes[0] if symmetric else sizes[1],
        symmetric=symmetric,
        rounding=max(rounding(text, value) for text in texts),
        percent=percent,
    )


def _table(where: str, name: str, description: str, axes: Sequence[Axis], columns: Sequence[Column]) -> Table:
    if not columns:
        msg = f"{where}, table {name!r}: no dependent variable found; a table needs one"
        raise FileFormatError(msg)
    lengths = {f"{a.name!r}": len(a.entries) for a in axes} | {
        f"{c.name!r} ({i})": len(c.cells) for i, c in enumerate(columns, 1)
    }
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{key} {n}" for key, n in list(lengths.items())[:8])
        msg = f"{where}, table {name!r}: its columns have different numbers of rows ({found}); correct the file"
        raise FileFormatError(msg)
    if not axes:  # a table of one number needs no variable; the site puts an empty one there
        axes = [Axis(name="", unit="", entries=("",) * len(columns[0].cells))]
    return Table(where=where, name=name, description=description, axes=tuple(axes), columns=tuple(columns))


def json_table(data: Any, *, where: str) -> Table:
    """A table as the site serves it: ``headers`` and ``qualifiers`` over the columns, ``values`` row by row.

    A header or a qualifier may span neighbouring columns (``colspan``); a unit stands in square brackets behind the name of
    its variable.

    Raises:
        FileFormatError: the table has another form, or the headers do not cover the columns.
        InvalidNumberError: an error or a bin edge is no number.

    Examples:
        >>> table = json_table({"name": "Table 1", "headers": [{"name": "PT [GEV]"}, {"name": "SIG [PB]", "colspan": 1}],
        ...     "values": [{"x": [{"low": "0", "high": "50"}], "y": [{"value": "2.0", "group": 0}]}]}, where="t.json")
        >>> table.columns[0].unit, table.rows
        ('PB', ('0 - 50',))
    """
    content = mapping(data, where=where, needed=("name", "headers", "values"))
    name = _text(content["name"], where=f"{where}, name")
    where_table = f"{where}, table {name!r}"
    rows = [mapping(r, where=where_table, needed=("x", "y")) for r in _list(content["values"], where=where_table)]
    if not rows:
        msg = f"{where_table}: no row found; a table needs one"
        raise FileFormatError(msg)
    xs = [_list(row["x"], where=where_table) for row in rows]
    # If a column is shorter than the others, only "group", the number of the column, tells which cells are absent.
    ys = [_by_group(_list(row["y"], where=where_table), f"{where_table}, row {i + 1}") for i, row in enumerate(rows)]
    n_x, n_y = len(xs[0]), len(ys[0])
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if len(x) != n_x or len(y) != n_y:
            msg = (
                f"{where_table}, row {i + 1}: {len(x)} variables and {len(y)} numbers found, the first row has {n_x} and "
                f"{n_y}; correct the file"
            )
            raise FileFormatError(msg)
    heads = [h for header in _list(content["headers"], where=where_table) for h in _spanned(header, where_table)]
    if len(heads) != n_x + n_y:
        msg = f"{where_table}: headers for {len(heads)} columns found, the rows have {n_x} + {n_y}; correct the file"
        raise FileFormatError(msg)
    axes = []
    for i, head in enumerate(heads[:n_x]):
        entries = tuple(_entry(x[i], f"{where_table}, row {row + 1}") for row, x in enumerate(xs))
        axes.append(Axis(name=head.name, unit=head.unit, entries=entries))
    qualifiers = _qualifiers(content.get("qualifiers") or {}, n_y, where_table)
    columns = [
        _column(head, qualifiers[i], [y[i] for y in ys], f"{where_table}, column {head.name!r}", _row_names(axes, len(rows)))
        for i, head in enumerate(heads[n_x:])
    ]
    return _table(where, name, _text(content.get("description"), where=where_table), axes, columns)


def _by_group(cells: list[Any], where: str) -> list[Any]:
    """The numbers of a row, one for each column and in their order."""
    groups = [_text(mapping(cell, where=where).get("group", i), where=where) for i, cell in enumerate(cells)]
    if groups != [str(i) for i in range(len(cells))]:
        msg = (
            f"{where}: numbers of the columns {', '.join(groups)} found, each is needed once and in order; correct the file"
        )
        raise FileFormatError(msg)
    return cells


def _span(content: Mapping[str, Any], where: str) -> int:
    text = _text(content.get("colspan", 1), where=where)
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        msg = f"{where}: colspan {text!r} found, a number of columns is needed; correct the file"
        raise FileFormatError(msg)
    return int(text)


def _spanned(header: Any, where: str) -> list[_Head]:
    """A header, once for each column under it."""
    content = mapping(header, where=f"{where}, headers", needed=("name",))
    text = _text(content["name"], where=f"{where}, headers")
    match = HEADER.fullmatch(text)
    name, unit = (match["name"], match["unit"].strip()) if match else (text, "")
    head = _Head(*headed(name, unit), text)
    return [head] * _span(content, f"{where}, headers")


def _qualifiers(given: Any, n: int, where: str) -> list[list[tuple[str, str]]]:
    """Qualifiers of each column, as (name, value).

    An entry covers ``colspan`` columns from its ``group`` on; columns that no entry covers lack that qualifier.
    """
    found: list[list[tuple[str, str]]] = [[] for _ in range(n)]
    for key, entries in mapping(given, where=f"{where}, qualifiers").items():
        at = f"{where}, qualifier {key!r}"
        column = 0
        for entry in _list(entries, where=at):
            content = mapping(entry, where=at, needed=("value",))
            column = int(number(_text(content.get("group", column), where=at), where=at))
            span = _span(content, at)
            if not 0 <= column <= n - span:
                msg = f"{at}: columns {column} to {column + span - 1} found, there are {n}; correct the file"
                raise FileFormatError(msg)
            for i in range(column, column + span):
                found[i].append((_text(content.get("type", key), where=at), _text(content["value"], where=at)))
            column += span
    return found

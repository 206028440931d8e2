"""The table of a ``[budget]``, whatever its columns are called and whichever way round it stands.

The usual table has the columns ``estimate, experiment, observable, value, stat`` and one per source.  Tables that other
programs and publications have need no retyping::

    [budget]
    table = "tevatron.csv"
    columns = { estimate = "Name", value = "Result", stat = "Stat", "light jets" = "dJES" }   # ours = theirs
    rows = "sources"                                    # one row per source, one column per estimate
    experiments = { "CI*" = "CDF", "DI*" = "D0" }       # where no column says it, by patterns of the estimates
    observables = { "*F0" = "F_0", "*FL" = "F_L" }      # likewise; not needed where there is only one observable
    ignore = ["rho_*", "total"]                         # rows and columns that are no part of it
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bayescomb.base.checks import check_choice, known_name
from bayescomb.base.errors import DuplicateNameError, FileFormatError
from bayescomb.formats.csv import LABEL, Row, read_table
from bayescomb.formats.values import check_table, named_texts, named_values, text, texts
from bayescomb.formats.wildcards import matches
from bayescomb.inputs.budget import BUDGET_COLUMNS, OPTIONAL_BUDGET_COLUMNS

__all__ = ["budget_rows", "table_path"]

# Columns that patterns of the estimates can stand for, with the key that states them.
BY_PATTERN: Final = {"experiment": "experiments", "observable": "observables"}
ORIENTATIONS: Final = ("estimates", "sources")


def budget_rows(
    entry: Mapping[str, Any], path: Path, place: str, *, sources: Sequence[str], observables: Collection[str]
) -> list[Row]:
    """One row per estimate, its cells under the names that the program uses.

    Args:
        entry: the TOML table ``[budget]``.
        path: file of the model.
        place: where the entry stands.
        sources: sources that have a column.
        observables: known observables.

    Raises:
        FileFormatError: the table, a column or a row is missing, or nothing says the experiment or observable of a row.
        UnknownNameError: a name of ``columns``, of a column, an experiment or an observable is not known.
        DuplicateNameError: an estimate or a column stands twice.
    """
    table = path.parent / text(entry, "table", where=place)
    named = _columns(entry, place, sources)
    ignored = texts(entry, "ignore", where=place, default=[])
    needed = [named.get(name, name) for name in ("estimate", "value", "stat", *sources)]
    if check_choice(text(entry, "rows", where=place, default="estimates"), ORIENTATIONS, where=f"{place}.rows") == "sources":
        found = _turned(table, ignored, needed[1:])
        named["estimate"] = "estimate"
    else:
        _, found = read_table(table, required=needed)
        found = [row for row in found if not _matches(row.cells[needed[0]], ignored)]
    if not found:
        msg = f"{table}: no estimate; add at least one row"
        raise FileFormatError(msg)
    rows = _renamed(found, named, ignored, known=[*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS, *sources], table=table)
    for column, key in BY_PATTERN.items():
        if column not in rows[0].cells:
            only = next(iter(observables)) if column == "observable" and len(observables) == 1 and key not in entry else ""
            values = [only or _by_pattern(entry, key, row, place, table) for row in rows]
            rows = [
                dataclasses.replace(row, cells={**row.cells, column: value}) for row, value in zip(rows, values, strict=True)
            ]
    return rows


def _columns(entry: Mapping[str, Any], place: str, sources: Sequence[str]) -> dict[str, str]:
    """Name of the program -> name in the table, where that is another one."""
    stated = named_texts(entry, "columns", where=place, example='{ value = "Result" }')
    for name in stated:
        known_name(name, [*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS, *sources], kind="column", where=f"{place}.columns")
    return stated


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(matches(pattern, name) for pattern in patterns)


def _turned(table: Path, ignored: Sequence[str], needed: Sequence[str]) -> list[Row]:
    """A table with one row per source as one with one row per estimate; the first column holds the names of the rows."""
    header, lines = read_table(table, required=(), labelled=True)
    rows = {row.cells[LABEL]: row for row in lines if not _matches(row.cells[LABEL], ignored)}
    missing = [name for name in needed if name not in rows]
    if missing:
        msg = (
            f"{table}: missing row {', '.join(map(repr, missing))}; found {', '.join(rows)}; add it, or say what "
            f'it is called, columns = {{ value = "Result" }}'
        )
        raise FileFormatError(msg)
    if len(rows) < sum(not _matches(row.cells[LABEL], ignored) for row in lines):
        names = [row.cells[LABEL] for row in lines]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        msg = f"{table}: row {twice!r} stands twice; every row needs its own name"
        raise DuplicateNameError(msg)
    return [
        Row(where=f"{table}, {name!r}", cells={"estimate": name} | {label: row.cells[name] for label, row in rows.items()})
        for name in header[1:]
        if not _matches(name, ignored)
    ]


def _renamed(
    rows: Sequence[Row], named: Mapping[str, str], ignored: Sequence[str], *, known: Sequence[str], table: Path
) -> list[Row]:
    """The rows with the names of the program, without what is ignored; nothing else is there that is not known."""
    ours = {theirs: name for name, theirs in named.items()}
    columns = [column for column in rows[0].cells if not _matches(column, ignored) or column in ours]
    names = {column: ours.get(column, column) for column in columns}
    for column, name in names.items():
        known_name(name, known, kind="column", where=str(table))
        if column == name and named.get(name, name) != name:
            msg = f"{table}: column {name!r} found beside {named[name]!r}, which 'columns' says it is; ignore one of the two"
            raise DuplicateNameError(msg)
    return [dataclasses.replace(row, cells={name: row.cells[column] for column, name in names.items()}) for row in rows]


def _by_pattern(entry: Mapping[str, Any], key: str, row: Row, place: str, table: Path) -> str:
    """What the first pattern says that matches the estimate of a row."""
    name = row.cells["estimate"]
    stated = named_values(entry, key, where=place, example='{ "A*" = "ATLAS" }')
    for pattern in stated:
        if matches(pattern, name):
            return text(stated, pattern, where=f"{place}.{key}")
    msg = (
        f"{place}: nothing says the {key.removesuffix('s')} of {name!r} ({table}); add a column, or a pattern that matches, "
        f'{key} = {{ "{name}" = "..." }}'
    )
    raise FileFormatError(msg)


def table_path(entry: Any, path: Path, place: str) -> Path:
    """The file that the key ``table`` of a TOML table names, beside the model.

    Raises:
        FileFormatError, UnknownNameError: it is no such table.
    """
    if not isinstance(entry, dict):
        key = place.rpartition(" ")[2]
        msg = f"{place}: {entry!r} found, a table with the key 'table' is needed, as in {key} = {{ table = \"{key}.csv\" }}"
        raise FileFormatError(msg)
    check_table(entry, place.rpartition(" ")[2], where=place)
    return path.parent / text(entry, "table", where=place)

"""Reader of ``[budget]`` in ``model.toml``: one row per estimate, one column per source.

The budget is a CSV table with the columns ``estimate, experiment, observable, value, stat`` and one column per source.  Each
row is a measurement of its own unless a column ``measurement`` says otherwise.  The nuisance of source S and estimate e is
called ``S[e]``.

A size is a number in the unit of the value, ``1.5%`` of the value, or ``+0.5/-0.3``: the shifts of the value at +1 and -1
sigma.  The column ``stat`` has the same form.  ``percent = ["lumi"]`` marks columns whose numbers are percentages.  A source
shifts the value by its size unless ``responses = { lumi = "relative" }`` (or ``"lognormal"``) says that it scales the
prediction.

A value may be an upper limit, ``< 2.1 @ 95 %``, or the name of a file with -2 ln L at points, ``curve.csv``, both with an
empty ``stat`` (:mod:`bayescomb.formats.likelihood_tables`); the sources shift that curve.

Statistics are uncorrelated unless ``statistical_correlation = "stat.csv"`` gives the correlation matrix of the correlated
estimates, with their names in the header and in the first column.  Estimates with correlated statistics form one
measurement, whatever the rows say.

Tables of other programs and publications can be read as they are, with ``columns``, ``rows``, ``experiments``,
``observables`` and ``ignore`` (``bayescomb reference budget``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, check_correlation, check_names, known_name, located
from bayescomb.base.choices import RESPONSE_FORMS, ResponseForm
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.csv import LABEL, Row, read_table
from bayescomb.formats.likelihood_tables import is_limit, limit_width, read_likelihood
from bayescomb.formats.matrices import read_matrix, shift_cell, slashed
from bayescomb.formats.values import check_table, named_texts, named_values, text, texts
from bayescomb.formats.wildcards import matches
from bayescomb.inputs.budget import (
    BUDGET_COLUMNS,
    OPTIONAL_BUDGET_COLUMNS,
    Budget,
    BudgetRow,
    budget_of,
    check_source_columns,
)

__all__ = ["UNCORRELATED", "read_budget"]

UNCORRELATED: Final = "uncorrelated"
STATISTICAL_CORRELATION: Final = "statistical_correlation"
# Column that patterns of estimates can replace -> key of the patterns.
BY_PATTERN: Final = {"experiment": "experiments", "observable": "observables"}
ORIENTATIONS: Final = ("estimates", "sources")


def read_budget(
    document: Mapping[str, Any], path: Path, *, observables: Mapping[str, str], sources: Sequence[str]
) -> Budget:
    """The budget of a document that has one.

    Args:
        document: the TOML document; ``budget.sources`` names the sources that have a column, by default all.
        path: its file; the table is looked for beside it.
        observables: known observables and their units, empty where none is stated.
        sources: known sources.

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError: for wrong content, each with the file and
            line.
    """
    place = f"{path}: budget"
    entry = named_values(document, "budget", where=str(path), example='{ table = "budget.csv" }')
    check_table(entry, "budget", where=place)
    source_names = texts(entry, "sources", where=place, default=list(sources))
    check_names(source_names, where=f"{place}.sources", allow_empty=True)
    for name in source_names:
        known_name(name, sources, kind="source", where=f"{place}.sources")
    check_source_columns(source_names, where=str(path))
    percent = texts(entry, "percent", where=place, default=[])
    for name in percent:
        known_name(name, source_names, kind="source", where=f"{place}.percent")
    rows = _rows(entry, path, place, sources=source_names, observables=observables)
    nonnegative = document.get("nonnegative", False)
    for row in rows:
        measured = row.cells["observable"]
        if is_limit(row.cells["value"]) and nonnegative is not True and measured not in (nonnegative or ()):
            msg = (
                f"{row.where}, column 'value': an upper limit found on {measured!r}, which may be negative; say that it "
                f'cannot, nonnegative = ["{measured}"]'
            )
            raise FileFormatError(msg)
    return budget_of(
        [_row(row, source_names, percent, path.parent, observables) for row in rows],
        observables=observables,
        sources=source_names,
        responses=_responses(entry, place, source_names),
        statistical_correlation=_statistical_correlation(entry, path, place, [row.cells["estimate"] for row in rows]),
    )


def _row(
    row: Row, sources: Sequence[str], percent: Collection[str], folder: Path, observables: Mapping[str, str]
) -> BudgetRow:
    limit, table = is_limit(row.cells["value"]), None
    if row.cells["value"].lower().endswith(".csv"):
        table = read_likelihood(folder / row.cells["value"], unit=observables.get(row.cells["observable"], ""))
    shaped = "a limit" if limit else "a likelihood table" if table else ""
    for column in ("value", "stat"):
        if not row.cells[column] and not (shaped and column == "stat"):
            msg = f"{row.where}, column {column!r}: '' found, a finite number is needed; fill in what was measured"
            raise InvalidNumberError(msg)
    if shaped and row.cells["stat"]:
        msg = f"{row.where}, column 'stat': {row.cells['stat']!r} found beside {shaped}, which has none; leave it empty"
        raise InvalidNumberError(msg)
    value = 0.0 if limit else table.minimum if table else row.number("value")

    def stat() -> float | tuple[float, float]:
        if limit:
            return limit_width(row.cells["value"], where=f"{row.where}, column 'value'")
        return size("stat") if table is None else table.width

    def size(column: str) -> float | tuple[float, float]:
        cell = slashed(row.cells[column])
        up, down = _shifts(cell, value, where=f"{row.where}, column {column!r}", percent=column in percent)
        return (up, down) if "/" in cell else up

    return BudgetRow(
        where=row.where,
        estimate=row.cells["estimate"],
        experiment=row.cells["experiment"],
        observable=row.cells["observable"],
        value=value,
        stat=stat(),
        sizes={source: size(source) for source in sources},
        title=row.cells.get("title", ""),
        measurement=row.cells.get("measurement", ""),
        likelihood=table,
    )


def _responses(entry: Mapping[str, Any], place: str, sources: Sequence[str]) -> dict[str, ResponseForm]:
    """Source -> stated form of its response."""
    example = '{ lumi = "relative" }'
    stated = named_values(entry, "responses", where=place, example=example)
    found: dict[str, ResponseForm] = {}
    for name in stated:
        at = f"{place}.responses"
        known_name(name, sources, kind="source", where=at)
        found[name] = check_choice(text(stated, name, where=at), RESPONSE_FORMS, where=f"{at}[{name!r}]")
    return found


def _shifts(cell: str, value: float, *, where: str, percent: bool) -> tuple[float, float]:
    """Shifts at +1 and -1 sigma from a cell whose numbers may be percentages of the value."""
    marked = [part.strip().endswith("%") for part in cell.split("/")]
    bare = "/".join(part.strip().removesuffix("%") for part in cell.split("/")) if any(marked) else cell
    up, down = shift_cell(bare, where=where)
    share = [abs(value) / 100 if percent or mark else 1.0 for mark in (marked * 2)[:2]]
    if value == 0 and (percent or any(marked)) and (up, down) != (0.0, 0.0):
        msg = f"{where}: {cell!r} found, a percentage of the value 0 is 0; give the size in the unit of the value"
        raise InvalidNumberError(msg)
    return up * share[0], down * share[1]


def _statistical_correlation(entry: Mapping[str, Any], path: Path, place: str, estimates: Sequence[str]) -> FloatArray:
    """Correlations of the statistical uncertainties of all estimates, shape (n, n)."""
    correlation = np.eye(len(estimates))
    if STATISTICAL_CORRELATION not in entry:
        return correlation
    table = path.parent / text(entry, STATISTICAL_CORRELATION, where=place)
    matrix = read_matrix(table)
    for name in matrix.names:
        known_name(name, estimates, kind="estimate", where=str(table))
    with located(str(table)):
        values = check_correlation(matrix.values, names=matrix.names, where="statistical correlation")
    at = [estimates.index(name) for name in matrix.names]
    correlation[np.ix_(at, at)] = values
    return correlation


def _rows(
    entry: Mapping[str, Any], path: Path, place: str, *, sources: Sequence[str], observables: Collection[str]
) -> list[Row]:
    """One row per estimate, with the column names of bayescomb."""
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
    """Column name of bayescomb -> name in the table, if that differs."""
    stated = named_texts(entry, "columns", where=place, example='{ value = "Result" }')
    for name in stated:
        known_name(name, [*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS, *sources], kind="column", where=f"{place}.columns")
    return stated


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(matches(pattern, name) for pattern in patterns)


def _turned(table: Path, ignored: Sequence[str], needed: Sequence[str]) -> list[Row]:
    """The rows of the transposed table, which has a row per source and a column per estimate."""
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
    """The rows with the column names of bayescomb, without ignored columns; other unknown columns are errors."""
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
    """The value of the first pattern that matches the estimate of a row."""
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

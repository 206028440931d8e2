"""Reader of ``[budget]`` in ``model.toml``: one row per estimate, one column per source.

The budget is a CSV table with the columns ``estimate, experiment, observable, value, stat`` and one column per source; each
row is a measurement of its own unless a column ``measurement`` says otherwise; tables of other forms are
:mod:`bayescomb.formats.toml.measurements.budget_table`.  The nuisance of source S and estimate e is
called ``S[e]``.

A size is a number in the unit of the value, ``1.5%`` of the value, or ``+0.5/-0.3``, which is what +1 and -1 sigma of the
source do to the value (the statistics in ``stat`` likewise); ``percent = ["lumi"]`` says that the numbers of these columns
are percentages.  A source shifts the value by its size unless ``responses = { lumi = "relative" }`` (or ``"lognormal"``)
says that it scales the prediction.

A value may be an upper limit, ``< 2.1 @ 95 %`` with an empty ``stat`` (:mod:`bayescomb.formats.limits`), or the name of a
file with -2 ln L at points, ``curve.csv`` with an empty ``stat`` (:mod:`bayescomb.formats.likelihood_tables`), which the
sources move.

Statistics are uncorrelated unless ``statistical_correlation = "stat.csv"`` gives the correlations of the estimates: a matrix
with their names in the header and in the first column, of those that are correlated.  Estimates with common statistics are
one measurement, whatever the rows say, as those of one experiment can be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, check_correlation, check_names, known_name, located
from bayescomb.base.choices import RESPONSE_FORMS, ResponseForm
from bayescomb.base.errors import FileFormatError, InvalidNumberError
from bayescomb.formats.csv import Row
from bayescomb.formats.likelihood_tables import read_likelihood
from bayescomb.formats.limits import is_limit, limit_width
from bayescomb.formats.matrices import read_matrix, shift_cell, slashed
from bayescomb.formats.toml.measurements.budget_table import budget_rows, table_path
from bayescomb.formats.values import named_values, text, texts
from bayescomb.inputs.budget import Budget, BudgetRow, budget_of, check_source_columns

__all__ = ["UNCORRELATED", "read_budget"]

UNCORRELATED: Final = "uncorrelated"
STATISTICAL_CORRELATION: Final = "statistical_correlation"


def read_budget(
    document: Mapping[str, Any], path: Path, *, observables: Mapping[str, str], sources: Sequence[str]
) -> Budget:
    """The budget of a document that has one.

    Args:
        document: the TOML document; its ``budget.sources`` says which sources have a column, all of them by default.
        path: its file; the table is looked for beside it.
        observables: known observables and their units, empty where none is stated.
        sources: known sources.

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError: as the content demands, each with the
            file and line.
    """
    place = f"{path}: budget"
    entry = document["budget"]
    table_path(entry, path, place)
    source_names = texts(entry, "sources", where=place, default=list(sources))
    check_names(source_names, where=f"{place}.sources", allow_empty=True)
    for name in source_names:
        known_name(name, sources, kind="source", where=f"{place}.sources")
    check_source_columns(source_names, where=str(path))
    percent = texts(entry, "percent", where=place, default=[])
    for name in percent:
        known_name(name, source_names, kind="source", where=f"{place}.percent")
    rows = budget_rows(entry, path, place, sources=source_names, observables=observables)
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
    """Source -> form of its response, where one is stated."""
    example = '{ lumi = "relative" }'
    stated = named_values(entry, "responses", where=place, example=example) if "responses" in entry else {}
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
        msg = f"{where}: {cell!r} found, a percentage of the value 0 is nothing; give the size in the unit of the value"
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

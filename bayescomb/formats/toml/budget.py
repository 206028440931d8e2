"""Reader of ``[budget]`` and ``[within]`` in ``model.toml``: one row per estimate, one column per source.

The budget is a CSV table with the columns ``estimate, experiment, observable, value, stat`` and one column per source; each
row is a measurement of its own unless a column ``measurement`` says otherwise.  The nuisance of source S and estimate e is
called ``S[e]``.  Correlations inside an experiment are a second CSV table (``source, estimate`` and one column per estimate;
a cell is empty where an assumption set speaks, or nobody does); a source that several estimates of an experiment have needs
its rows there, so that a table that was cut off does not read as "uncorrelated".  A budget without such a table says
``within = "uncorrelated"`` if that is what is meant.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.checks import check_correlation_entry, check_names, known_name, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.csv import Row, number, read_table
from bayescomb.formats.values import check_table, entries, text, texts
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock
from bayescomb.inputs.budget import (
    BUDGET_COLUMNS,
    OPTIONAL_BUDGET_COLUMNS,
    Budget,
    BudgetRow,
    budget_of,
    check_source_columns,
    nuisance_name,
    unstated_pairs,
)

__all__ = ["UNCORRELATED", "read_budget", "read_within", "require_stated"]

UNCORRELATED: Final = "uncorrelated"


def read_budget(document: Mapping[str, Any], path: Path, *, observables: Collection[str], sources: Sequence[str]) -> Budget:
    """The budget of a document that has one.

    Args:
        document: the TOML document; its ``budget.sources`` says which sources have a column, all of them by default.
        path: its file; the table is looked for beside it.
        observables: known observables.
        sources: known sources.

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError: as the content demands, each with the
            file and line.
    """
    place = f"{path}: budget"
    table = _table_path(document["budget"], path, place, key="budget")
    source_names = texts(document["budget"], "sources", where=place, default=list(sources))
    check_names(source_names, where=f"{place}.sources", allow_empty=True)
    for name in source_names:
        known_name(name, sources, kind="source", where=f"{place}.sources")
    check_source_columns(source_names, where=str(path))
    header, rows = read_table(table, required=[*BUDGET_COLUMNS, *source_names])
    for name in header:
        known = [*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS, *source_names]
        known_name(name, known, kind="column", where=f"{table}")
    if not rows:
        msg = f"{table}: no estimate; add at least one row"
        raise FileFormatError(msg)
    return budget_of([_row(row, source_names) for row in rows], observables=observables, sources=source_names)


def _row(row: Row, sources: Sequence[str]) -> BudgetRow:
    for column in ("value", "stat"):
        if not row.cells[column]:
            msg = f"{row.where}, column {column!r}: '' found, a finite number is needed; fill in what was measured"
            raise InvalidNumberError(msg)
    return BudgetRow(
        where=row.where,
        estimate=row.cells["estimate"],
        experiment=row.cells["experiment"],
        observable=row.cells["observable"],
        value=row.number("value"),
        stat=row.number("stat"),
        sizes={source: row.number(source) for source in sources},
        title=row.cells.get("title", ""),
        measurement=row.cells.get("measurement", ""),
    )


def _table_path(entry: Any, path: Path, place: str, *, key: str) -> Path:
    if not isinstance(entry, dict):
        other = f', or "{UNCORRELATED}"' if key == "within" else ""
        example = f'{key} = {{ table = "{key}.csv" }}'
        msg = f"{place}: {entry!r} found, a table with the key 'table' is needed, as in {example}{other}"
        raise FileFormatError(msg)
    check_table(entry, key, where=place)
    return path.parent / text(entry, "table", where=place)


def read_within(document: Mapping[str, Any], path: Path, budget: Budget) -> list[CorrelationBlock]:
    """One block per source and experiment from the table of a document; none without ``within``, or if it is uncorrelated.

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError: as the content
            demands, each with the file and line.
    """
    place = f"{path}: within"
    if document.get("within", UNCORRELATED) == UNCORRELATED:
        return []
    table = _table_path(document["within"], path, place, key="within")
    estimates = [name for names in budget.experiments.values() for name in names]
    header, rows = read_table(table, required=["source", "estimate", *estimates])
    for name in header:
        known_name(name, ["source", "estimate", *estimates], kind="estimate", where=f"{table}, column")
    cells: dict[tuple[str, str], Row] = {}
    for row in rows:
        source = known_name(row.cells["source"], budget.sources, kind="source", where=row.where)
        estimate = known_name(row.cells["estimate"], estimates, kind="estimate", where=row.where)
        if (source, estimate) in cells:
            msg = f"{row.where}: source {source!r}, estimate {estimate!r} stands twice; keep one row"
            raise DuplicateNameError(msg)
        cells[source, estimate] = row
    averaged = _read_averaged_pairs(document["within"], place, budget.sources, estimates)
    blocks = []
    for source in budget.sources:
        for experiment, members in budget.experiments.items():
            where = f"{table}: source {source!r}, {experiment}"
            matrix = _within_matrix(source, members, estimates, cells, table)
            if matrix is None:
                affected = budget.affected(source, experiment)
                if len(affected) > 1:
                    msg = f"{where}: no row, but {', '.join(affected)} have the source; add the rows, with 0 if uncorrelated"
                    raise FileFormatError(msg)
                continue
            for first, second in averaged.get(source, []):
                if first in members and second in members:
                    i, j = members.index(first), members.index(second)
                    matrix[i, j] = matrix[j, i] = (matrix[i, j] + matrix[j, i]) / 2
            names = tuple(nuisance_name(source, e) for e in members)
            with located(str(table)):
                blocks.append(CorrelationBlock(name=f"{source}, {experiment}", nuisances=names, correlation=matrix))
    return blocks


def require_stated(budget: Budget, sets: Mapping[str, AssumptionSet], *, where: str) -> None:
    """Somebody says how a source is correlated between any two estimates of an experiment that have it.

    Raises:
        FileFormatError: for some pair neither a block nor a coefficient of any assumption set does.
    """
    found = list(unstated_pairs(budget, sets))
    if found:
        source, first, second, experiment = found[0]
        more = f" and {len(found) - 1} more pairs" if len(found) > 1 else ""
        msg = (
            f"{where}: nothing says how the source {source!r} of {first!r} and {second!r} ({experiment}) is correlated "
            f'inside its experiment{more}; give the correlations in a table, within = {{ table = "within.csv" }}, or say '
            f'within = "{UNCORRELATED}" above the first [table] if the estimates have nothing in common'
        )
        raise FileFormatError(msg)


def _read_averaged_pairs(
    within: Mapping[str, Any], place: str, sources: Sequence[str], estimates: list[str]
) -> dict[str, list[tuple[str, str]]]:
    """Pairs that are published with two values and averaged on purpose, by source; no other asymmetry is let through."""
    averaged: dict[str, list[tuple[str, str]]] = {}
    for at, entry in entries(within, "symmetrise", where=place) if "symmetrise" in within else []:
        check_table(entry, "within.symmetrise", where=at)
        source = known_name(text(entry, "source", where=at), sources, kind="source", where=at)
        pair = texts(entry, "pair", where=at)
        for name in pair:
            known_name(name, estimates, kind="estimate", where=at)
        if len(pair) != 2:
            msg = f"{at}.pair: {pair!r} found, two estimates are needed"
            raise FileFormatError(msg)
        averaged.setdefault(source, []).append((pair[0], pair[1]))
    return averaged


def _within_matrix(
    source: str, members: list[str], estimates: list[str], cells: Mapping[tuple[str, str], Row], table: Path
) -> np.ndarray | None:
    """Matrix of one source in one experiment; ``None`` if the table has no row for it."""
    rows = [cells.get((source, e)) for e in members]
    if not any(rows):
        return None
    matrix = np.eye(len(members))
    for i, row in enumerate(rows):
        if row is None:
            msg = f"{table}: source {source!r} has no row for estimate {members[i]!r}; add it"
            raise FileFormatError(msg)
        for other in estimates:
            if other not in members and row.cells[other]:
                msg = (
                    f"{row.where}, column {other!r}: {row.cells[other]!r} found between experiments; leave the cell "
                    "empty and state it in an assumption set"
                )
                raise FileFormatError(msg)
        for j, other in enumerate(members):
            at = f"{row.where}, column {other!r}"
            matrix[i, j] = check_correlation_entry(number(row.cells[other], where=at), where=at)
    return matrix

"""Reader of ``[within]`` in ``model.toml``: correlations of each source of the budget inside each experiment.

Most often, one number per source is enough, for all experiments or for each of them::

    [within]
    lumi = 1.0
    JES = { ATLAS = 0.8, CMS = 0.5 }
    "MC *" = 0.0                        # a pattern (* and ?) for sources without a line of their own

Correlations that differ from pair to pair are stated in a CSV table, ``table = "within.csv"``, with the columns ``source,
estimate`` and one per estimate; cells between experiments are empty.  A source of several estimates of an experiment needs
rows there or a number here, so that an incomplete table is not read as "uncorrelated".  A model without both must state
``within = "uncorrelated"``, or the correlations in an assumption set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.checks import check_correlation_entry, known_name, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, UnknownNameError
from bayescomb.formats.csv import Row, number, read_table
from bayescomb.formats.declared import TABLES
from bayescomb.formats.toml.measurements.budget import UNCORRELATED
from bayescomb.formats.values import entries, text, texts
from bayescomb.formats.wildcards import matching
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock
from bayescomb.inputs.budget import Budget, nuisance_name, unstated_pairs

__all__ = ["read_within", "require_stated"]

# Keys of ``[within]`` that are not sources.
TABLE_KEYS: Final = TABLES["within"].names


def read_within(document: Mapping[str, Any], path: Path, budget: Budget) -> list[CorrelationBlock]:
    """One block per source and experiment; none if ``within`` is absent or "uncorrelated".

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError: for wrong content,
            each with the key, or the file and line.
    """
    place = f"{path}: within"
    entry = document.get("within", UNCORRELATED)
    if entry == UNCORRELATED:
        return []
    if not isinstance(entry, dict):
        msg = (
            f"{place}: {entry!r} found; numbers are needed, as in within = {{ lumi = 1.0 }}, or a table, as in "
            f'within = {{ table = "within.csv" }}, or "{UNCORRELATED}"'
        )
        raise FileFormatError(msg)
    numbers = _numbers(entry, place, budget)
    if "table" in entry:
        return _of_table(entry, path, place, budget, numbers)
    if "symmetrise" in entry:
        msg = f"{place}: 'symmetrise' found without a 'table' of correlations; remove it"
        raise FileFormatError(msg)
    return [_uniform_block(source, experiment, value, budget) for (source, experiment), value in numbers.items()]


def _numbers(entry: Mapping[str, Any], place: str, budget: Budget) -> dict[tuple[str, str], float]:
    """Source and experiment -> correlation of all estimates that have the source there, if it is stated as a number."""
    stated: dict[str, Mapping[str, float]] = {}
    for key in (k for k in entry if k not in TABLE_KEYS):
        at = f"{place}[{key!r}]"
        found = matching(key, list(budget.sources))
        if not found:
            msg = f"{at}: the pattern matches no source of the budget, which has {', '.join(budget.sources)}; correct it"
            raise UnknownNameError(msg)
        if key in found:
            known_name(key, [*budget.sources, *TABLE_KEYS], kind="source", where=place)
        values = _by_experiment(entry[key], at, budget)
        for source in found:
            if key in found or source not in stated:  # a name has precedence over a pattern
                stated[source] = values
    return {
        (source, experiment): stated[source][experiment]
        for source in budget.sources
        for experiment in budget.experiments
        if experiment in stated.get(source, {}) and len(budget.affected(source, experiment)) > 1
    }


def _by_experiment(value: Any, at: str, budget: Budget) -> dict[str, float]:
    """Experiment -> correlation, from one number for all experiments or from a table of numbers."""

    def correlation(found: Any, where: str) -> float:
        return 0.0 if found == UNCORRELATED else check_correlation_entry(number(found, where=where), where=where)

    if not isinstance(value, dict):
        return dict.fromkeys(budget.experiments, correlation(value, at))
    for experiment in value:
        known_name(experiment, budget.experiments, kind="experiment", where=at)
    return {experiment: correlation(found, f"{at}.{experiment}") for experiment, found in value.items()}


def _uniform_block(source: str, experiment: str, value: float, budget: Budget) -> CorrelationBlock:
    names = tuple(nuisance_name(source, e) for e in budget.affected(source, experiment))
    correlation = np.full((len(names),) * 2, value)
    np.fill_diagonal(correlation, 1.0)
    return CorrelationBlock(name=f"{source}, {experiment}", nuisances=names, correlation=correlation)


def _of_table(
    entry: Mapping[str, Any], path: Path, place: str, budget: Budget, numbers: Mapping[tuple[str, str], float]
) -> list[CorrelationBlock]:
    """The blocks of a CSV table and of the numbers beside it."""
    table = path.parent / text(entry, "table", where=place)
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
    averaged = _read_averaged_pairs(entry, place, budget.sources, estimates)
    blocks = []
    for source in budget.sources:
        for experiment, members in budget.experiments.items():
            where = f"{table}: source {source!r}, {experiment}"
            matrix = _within_matrix(source, members, estimates, cells, table)
            if (source, experiment) in numbers:
                if matrix is not None:
                    msg = f"{where}: rows found, but {place}[{source!r}] is a number for it already; keep one"
                    raise DuplicateNameError(msg)
                blocks.append(_uniform_block(source, experiment, numbers[source, experiment], budget))
                continue
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


def require_stated(document: Mapping[str, Any], budget: Budget, sets: Mapping[str, AssumptionSet], *, where: str) -> None:
    """Check that the correlation of a source is stated for any two estimates of an experiment that have the source.

    A table must state every source (:func:`read_within`), and "uncorrelated" states all of them.

    Raises:
        FileFormatError: no block and no coefficient of any assumption set correlates a pair.
    """
    entry = document.get("within", {})
    if entry == UNCORRELATED or "table" in entry:
        return
    found = list(unstated_pairs(budget, sets))
    if found:
        source, first, second, experiment = found[0]
        more = f" and {len(found) - 1} more pairs" if len(found) > 1 else ""
        msg = (
            f"{where}: nothing says how the source {source!r} of {first!r} and {second!r} ({experiment}) is correlated "
            f"inside its experiment{more}; give a number, within = {{ {source} = 1.0 }}, or the correlations in a table, "
            f'within = {{ table = "within.csv" }}, or say within = "{UNCORRELATED}" above the first [table] if the '
            "estimates have nothing in common"
        )
        raise FileFormatError(msg)


def _read_averaged_pairs(
    within: Mapping[str, Any], place: str, sources: Sequence[str], estimates: list[str]
) -> dict[str, list[tuple[str, str]]]:
    """Source -> pairs that are published with two values, whose mean is used; any other asymmetry is an error."""
    averaged: dict[str, list[tuple[str, str]]] = {}
    for at, entry in entries(within, "symmetrise", where=place, declared="within.symmetrise"):
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
    """Matrix of one source in one experiment; ``None`` if the table has no rows for them."""
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
            partner = rows[j]
            cell = row.cells[other] or ("" if partner is None else partner.cells[members[i]])  # one of two is enough
            if not cell and i != j:
                msg = (
                    f"{at}: '' found, a finite number is needed; give the correlation of {source!r} between {members[i]!r} "
                    f"and {other!r}, 0 if they have nothing in common"
                )
                raise InvalidNumberError(msg)
            matrix[i, j] = check_correlation_entry(number(cell, where=at), where=at)
    return matrix

"""Reader of ``[budget]`` in ``model.toml``: one row per estimate, one column per source.

The budget is a CSV table with the columns ``estimate, experiment, observable, value, stat`` and one column per source; each
row is a measurement of its own unless a column ``measurement`` says otherwise; tables of other forms are
:mod:`bayescomb.formats.toml.budget_table`.  The nuisance of source S and estimate e is
called ``S[e]``.

A size is a number in the unit of the value, ``1.5%`` of the value, or ``+0.5/-0.3``, which is what +1 and -1 sigma of the
source do to the value (the statistics in ``stat`` likewise); ``percent = ["lumi"]`` says that the numbers of these columns
are percentages.  A source shifts the value by its size unless ``responses = { lumi = "relative" }`` (or ``"lognormal"``)
says that it scales the prediction.

Statistics are uncorrelated unless ``statistical_correlation = "stat.csv"`` gives the correlations of the estimates: a matrix
with their names in the header and in the first column, of those that are correlated.  Estimates with common statistics are
one measurement, whatever the rows say, as those of one experiment can be.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.checks import check_choice, check_correlation, check_names, known_name, located
from bayescomb.base.choices import RESPONSE_FORMS, ResponseForm
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.csv import Row
from bayescomb.formats.matrices import read_matrix, shift_cell, statistical_sizes
from bayescomb.formats.toml.budget_table import (
    BUDGET_COLUMNS,
    LAYOUT_KEYS,
    OPTIONAL_BUDGET_COLUMNS,
    budget_rows,
    table_path,
)
from bayescomb.formats.values import named_values, text, texts
from bayescomb.inputs.measurements import Estimate, Measurement, Nuisance, asymmetric_statistics

__all__ = [
    "UNCORRELATED",
    "Budget",
    "nuisance_name",
    "read_budget",
]

UNCORRELATED: Final = "uncorrelated"
STATISTICAL_CORRELATION: Final = "statistical_correlation"
BUDGET_KEYS: Final = ("table", "sources", *LAYOUT_KEYS, "percent", "responses", STATISTICAL_CORRELATION)


def nuisance_name(source: str, estimate: str) -> str:
    """Name of the nuisance of one source in one estimate."""
    return f"{source}[{estimate}]"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The content of a budget.

    Attributes:
        measurements: in the order of their first rows.
        experiments: experiment -> its estimates, in the order of the rows.
        sources: sources that have a column.
    """

    measurements: tuple[Measurement, ...] = ()
    experiments: Mapping[str, list[str]] = field(default_factory=dict)
    sources: Sequence[str] = ()

    def affected(self, source: str, experiment: str) -> list[str]:
        """Estimates of an experiment that a source shifts."""
        shifting = {
            nuisance.name
            for m in self.measurements
            for nuisance, up, down in zip(m.nuisances, *(shifts.T for shifts in m.all_responses), strict=True)
            if up.any() or down.any()
        }
        return [name for name in self.experiments[experiment] if nuisance_name(source, name) in shifting]


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
    entry = document["budget"]
    table_path(entry, path, place, keys=BUDGET_KEYS)
    source_names = texts(entry, "sources", where=place, default=list(sources))
    check_names(source_names, where=f"{place}.sources", allow_empty=True)
    for name in source_names:
        known_name(name, sources, kind="source", where=f"{place}.sources")
    for name in source_names:
        if name in (*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS):
            msg = f"{path}: source {name!r} found, a column of the budget has that name already; rename the source"
            raise DuplicateNameError(msg)
    columns = _columns(entry, place, source_names)
    rows = budget_rows(entry, path, place, sources=source_names, observables=observables)
    experiments: dict[str, list[str]] = {}
    for row in rows:
        experiments.setdefault(row.cells["experiment"], []).append(row.cells["estimate"])
    correlation = _statistical_correlation(entry, path, place, [row.cells["estimate"] for row in rows])
    groups = _groups(rows, correlation, place=place)
    measurements = tuple(
        _measurement(name, [rows[i] for i in at], columns, correlation[np.ix_(at, at)]) for name, at in groups.items()
    )
    return Budget(measurements=measurements, experiments=experiments, sources=source_names)


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """How the cells of the sources are read.

    Attributes:
        sources: the columns.
        percent: those whose numbers are percentages.
        responses: source -> form of its response, where that is not absolute.
    """

    sources: Sequence[str]
    percent: Collection[str]
    responses: Mapping[str, ResponseForm]

    def shifts(self, row: Row, source: str, value: float) -> tuple[float, float]:
        """What +1 and -1 sigma of a source do to the value of a row."""
        where = f"{row.where}, column {source!r}"
        up, down = _shifts(row.cells[source], value, where=where, percent=source in self.percent)
        if "/" not in row.cells[source] and up < 0:
            msg = (
                f"{where}: {row.cells[source]} found, an uncertainty is not negative; give its size here and its "
                "sign in the correlations, or what +1 and -1 sigma do to the value, as in -0.5/+0.3"
            )
            raise InvalidNumberError(msg)
        return up, down


def _columns(entry: Mapping[str, Any], place: str, sources: Sequence[str]) -> _Columns:
    percent = texts(entry, "percent", where=place, default=[])
    for name in percent:
        known_name(name, sources, kind="source", where=f"{place}.percent")
    example = '{ lumi = "relative" }'
    stated = named_values(entry, "responses", where=place, example=example) if "responses" in entry else {}
    responses: dict[str, ResponseForm] = {}
    for name in stated:
        at = f"{place}.responses"
        known_name(name, sources, kind="source", where=at)
        responses[name] = check_choice(text(stated, name, where=at), RESPONSE_FORMS, where=f"{at}[{name!r}]")
    return _Columns(sources=sources, percent=percent, responses=responses)


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


def _statistical_correlation(
    entry: Mapping[str, Any], path: Path, place: str, estimates: Sequence[str]
) -> NDArray[np.float64]:
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


def _groups(rows: Sequence[Row], correlation: NDArray[np.float64], *, place: str) -> dict[str, list[int]]:
    """Measurement -> positions of its rows; rows of one name are one, and rows whose statistics are correlated."""
    names = [row.cells.get("measurement") or row.cells["estimate"] for row in rows]
    owner = list(range(len(rows)))
    for i, j in itertools.combinations(range(len(rows)), 2):
        if names[i] != names[j] and not correlation[i, j]:
            continue
        first, second = rows[i], rows[j]
        if correlation[i, j] and first.cells["experiment"] != second.cells["experiment"]:
            msg = (
                f"{place}.{STATISTICAL_CORRELATION}: {first.cells['estimate']!r} and {second.cells['estimate']!r} are of "
                "two experiments, whose statistics are independent; state what they have in common as a source"
            )
            raise FileFormatError(msg)
        low, high = sorted((owner[i], owner[j]))
        owner = [low if o == high else o for o in owner]
    found: dict[int, list[int]] = {}
    for i, o in enumerate(owner):
        found.setdefault(o, []).append(i)
    return {" + ".join(dict.fromkeys(names[i] for i in at)): at for at in found.values()}


def _measurement(name: str, rows: list[Row], columns: _Columns, correlation: NDArray[np.float64]) -> Measurement:
    """A measurement from its rows and the correlation of its statistics: one nuisance per estimate and source."""
    sources = columns.sources
    estimates, nuisances = [], []
    up, down = np.zeros((2, len(rows), len(rows) * len(sources)))
    stat = np.zeros((len(rows), 2))
    for i, row in enumerate(rows):
        label = row.cells["estimate"]
        if row.cells["experiment"] != rows[0].cells["experiment"]:
            msg = f"{row.where}: measurement {name!r} has estimates of two experiments; give each its own measurement"
            raise FileFormatError(msg)
        observable = {row.cells["observable"]: 1.0}
        title = row.cells.get("title", "")
        value = row.number("value")
        estimates.append(Estimate(name=label, value=value, observables=observable, title=title))
        stat[i] = _statistical_error(row, value)
        for j, source in enumerate(sources):
            at = i, i * len(sources) + j
            up[at], down[at] = columns.shifts(row, source, value)
            response = columns.responses.get(source, "absolute")
            nuisances.append(Nuisance(name=nuisance_name(source, label), source=source, response=response))
    gaussian, asymmetric, *shifts = asymmetric_statistics([e.name for e in estimates], *stat.T)
    if asymmetric and not np.array_equal(correlation, np.eye(len(rows))):
        msg = f"{rows[0].where}: asymmetric statistics found in {name!r}, where statistics are correlated; symmetrise them"
        raise InvalidNumberError(msg)
    with located(rows[0].where):
        return Measurement(
            name=name,
            experiment=rows[0].cells["experiment"],
            estimates=tuple(estimates),
            statistical_covariance=correlation * np.outer(gaussian, gaussian),
            nuisances=(*nuisances, *asymmetric),
            responses=np.hstack([up, shifts[0]]),
            down_responses=np.hstack([down, shifts[1]]),
        )


def _statistical_error(row: Row, value: float) -> tuple[float, float]:
    """What +1 and -1 sigma of the statistics do to the value of a row."""
    where = f"{row.where}, column 'stat'"
    up, down = _shifts(row.cells["stat"], value, where=where, percent=False)
    return statistical_sizes(f"{up!r}/{down!r}", where=where) if up != -down else statistical_sizes(up, where=where)

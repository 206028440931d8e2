"""Convino measurement files: estimates with their statistics, nuisances of a fit, and nuisances outside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.base.checks import known_name, located
from bayescomb.base.choices import RESPONSE_FORMS, ResponseForm
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidNumberError,
    OptionError,
    UnderdeterminedError,
    UnknownNameError,
)
from bayescomb.formats.convino.blocks import MEASUREMENT_BLOCKS, Block, Line, read_blocks, shown, warn
from bayescomb.formats.convino.entries import (
    STATISTICS,
    cells,
    check_name,
    check_stray,
    entries,
    numbered,
    shift,
    unique,
    value,
    without_semicolon,
)
from bayescomb.formats.convino.matrix import Matrix, read_matrix
from bayescomb.inputs.measurements import Estimate, FittedInput, Measurement, Nuisance

__all__ = ["MeasurementFile", "NotFitted", "read_measurement", "read_not_fitted"]

FREE: Final = "free"


@dataclass(frozen=True, kw_only=True)
class MeasurementFile:
    """The content of a measurement file, which becomes a measurement once the observables are known.

    Attributes:
        path: the file.
        values: estimate -> measured value.
        nuisances: name -> nuisance, those of the matrix first.
        places: estimate or nuisance -> where it is introduced.
        types_at: where the types of the nuisances stand.
        matrix: the input's own fit, if there is one.
        table: the external nuisances, if there are any.
        pulls: nuisance of the matrix -> post-fit value.
    """

    path: Path
    values: Mapping[str, float]
    nuisances: Mapping[str, Nuisance]
    places: Mapping[str, str]
    types_at: str
    matrix: Matrix | None
    table: NotFitted | None
    pulls: Mapping[str, float]

    def measurement(self, name: str, observables: Mapping[str, Mapping[str, float]], *, experiment: str = "") -> Measurement:
        """The measurement.

        Args:
            name: its name.
            observables: estimate -> observable -> coefficient, for every estimate.
            experiment: collaboration, which these files do not state.

        Raises:
            InvalidNumberError: a relative or lognormal response does not suit the measured value, or an estimate has no
                observable with a coefficient other than 0.
        """
        fitted = [n for n in (self.matrix.rows if self.matrix else ()) if n not in self.values]
        external = self.table.nuisances if self.table else ()
        shifts = self.table.shifts if self.table else {}
        both = np.array([[shifts[e, n] for n in external] for e in self.values], dtype=float).reshape(
            len(self.values), len(external), 2
        )
        fit, covariance = None, None
        if self.matrix is not None:
            position = {row: i for i, row in enumerate(self.matrix.rows)}
            order = [position[row] for row in (*self.values, *fitted)]
            with located(f"{self.matrix.where}: block [{self.matrix.block}]"):
                fit = FittedInput(
                    nuisances=tuple(self.nuisances[n] for n in fitted),
                    information=self.matrix.information[np.ix_(order, order)],
                    pulls=np.array([self.pulls.get(n, 0.0) for n in fitted]),
                )
        elif self.table is not None:
            covariance = np.diag([self.table.statistical[e] ** 2 for e in self.values])
        estimates = [Estimate(name=e, value=x, observables=observables[e]) for e, x in self.values.items()]
        with located(self.types_at):
            return Measurement(
                name=name,
                experiment=experiment,
                estimates=tuple(estimates),
                statistical_covariance=covariance,
                nuisances=tuple(self.nuisances[n] for n in external),
                responses=both[:, :, 0],
                down_responses=both[:, :, 1],
                fit=fit,
            )


def read_measurement(path: Path) -> MeasurementFile:
    """Read a measurement file.

    Raises:
        FileFormatError: it has the wrong form; the other bayescomb errors for wrong content, each with file and line.
    """
    blocks = read_blocks(path, allowed=MEASUREMENT_BLOCKS, required=("estimates",))
    if "systematics" not in blocks:
        warn(f"{path}", "block [systematics] is missing, so that every nuisance counts as absolute; add it, even if empty")
    matrix = read_matrix(blocks)
    has_table = "not fitted" in blocks and blocks["not fitted"].lines
    table = read_not_fitted(blocks["not fitted"]) if has_table else None
    if matrix is None and table is None:
        msg = f"{path}: no uncertainties found; fill one of [hessian], [correlation matrix] and [not fitted]"
        raise UnderdeterminedError(msg)
    candidates = {*(matrix.rows if matrix else ()), *(table.rows if table else ())}
    values, places = _read_estimates(blocks["estimates"], candidates)
    _check_rows(values, places, matrix, table)
    fitted = {n: where for n, where in (matrix.rows if matrix else {}).items() if n not in values}
    external = dict.fromkeys(table.nuisances, table.where) if table else {}
    for name, where in external.items():
        if name in fitted or name in values:
            first = fitted.get(name) or places[name]
            msg = f"{where}: column {name!r} of [not fitted] has a name that is already used at {first}; rename one of them"
            raise DuplicateNameError(msg)
    types = _read_systematics(blocks["systematics"], fitted | external) if "systematics" in blocks else {}
    nuisances = {}
    for name in (*fitted, *external):
        free, response = types.get(name, (False, "absolute"))
        nuisances[name] = Nuisance(name=name, free=free, response=response)
    pulls = _read_pulls(blocks["nuisance values"], fitted) if "nuisance values" in blocks else {}
    return MeasurementFile(
        path=path,
        values=values,
        nuisances=nuisances,
        places=fitted | external | places,
        types_at=blocks["systematics"].where if "systematics" in blocks else f"{path}",
        matrix=matrix,
        table=table,
        pulls=pulls,
    )


def _read_estimates(block: Block, candidates: Set[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Value and place of every estimate."""
    rows, beyond = numbered(block, size_key="n_estimates", keys=("name_", "value_"), known=candidates)
    values: dict[str, float] = {}
    places: dict[str, str] = {}
    for name_entry, value_entry in rows:
        name = check_name(without_semicolon(name_entry), kind="an estimate", where=name_entry.where)
        if name in values:
            msg = (
                f"{name_entry.where}: estimate {name!r} stands twice, first at {places[name]}; every estimate is listed once"
            )
            raise DuplicateNameError(msg)
        places[name] = name_entry.where
        values[name] = value(without_semicolon(value_entry), where=f"{value_entry.where}: {value_entry.key}")
    for entry in beyond:
        name = entry.value.rstrip("; \t")
        if entry.key.startswith("name_") and name in candidates and name not in values:
            msg = (
                f"{entry.where}: {entry.key} = {name} lies beyond n_estimates, so that {name!r}, which has a row, would "
                "not be read as an estimate; correct n_estimates or remove the row"
            )
            raise FileFormatError(msg)
    return values, places


def _check_rows(
    values: Mapping[str, float], places: Mapping[str, str], matrix: Matrix | None, table: NotFitted | None
) -> None:
    """Every estimate has the rows it needs, and there are no others."""
    blocks = [(matrix.block, matrix.rows)] if matrix else []
    if table is not None:
        blocks.append(("not fitted", table.rows))
        for name, where in table.rows.items():
            known_name(name, values, kind="estimate", where=f"{where}: row of [not fitted]")
    for block, rows in blocks:
        for name in values:
            if name not in rows:
                msg = f"{places[name]}: estimate {name!r} has no row in [{block}]; add it there"
                raise UnknownNameError(msg)
    if table is None:
        return
    if matrix is not None:
        if table.statistical:
            warn(table.where, f"column 'stat' is not read, [{matrix.block}] has the statistics; remove the column")
        return
    if not table.statistical:
        msg = f"{table.where}: no column 'stat' in [not fitted], and no matrix gives the statistical uncertainties; add it"
        raise FileFormatError(msg)
    for name, where in table.rows.items():
        if table.statistical[name] <= 0:
            msg = f"{where}: row {name!r}, column 'stat': {table.statistical[name]:g} found, it must be above 0; correct it"
            raise InvalidNumberError(msg)


def _read_systematics(block: Block, nuisances: Collection[str]) -> dict[str, tuple[bool, ResponseForm]]:
    """Nuisance -> whether it is free, and its response, for every nuisance that is listed."""
    found, stray = entries(block)
    check_stray(stray, nuisances, block=block.name)
    types = {}
    for name, entry in unique(found, block=block.name).items():
        known_name(name, nuisances, kind="nuisance", where=f"{entry.where}: [systematics]")
        words = without_semicolon(entry).split()
        responses = [form for form in RESPONSE_FORMS if form in words]
        if not words or len(responses) > 1 or len(words) > len(responses) + (FREE in words):
            msg = (
                f"{entry.where}: {name} = {shown(entry.value)} found, allowed: {', '.join((*RESPONSE_FORMS, FREE))}, or "
                "free with one of the others; correct it"
            )
            raise OptionError(msg)
        types[name] = (FREE in words, responses[0] if responses else "absolute")
    return types


def _read_pulls(block: Block, fitted: Collection[str]) -> dict[str, float]:
    """Post-fit values of nuisances of the matrix, in prior widths."""
    found, stray = entries(block)
    check_stray(stray, fitted, block=block.name)
    pulls = {}
    for name, entry in unique(found, block=block.name).items():
        if name not in fitted:
            msg = (
                f"{entry.where}: {shown(name)} in [nuisance values] is no nuisance of a matrix block of this file, and only "
                "these have post-fit values; correct the name or remove the line"
            )
            raise UnknownNameError(msg)
        pulls[name] = value(without_semicolon(entry), where=f"{entry.where}: [nuisance values]: {name}")
    return pulls


@dataclass(frozen=True, kw_only=True)
class NotFitted:
    """``[not fitted]``: one row per estimate, one column per nuisance outside the fit of the input.

    Attributes:
        nuisances: the columns without ``stat``.
        where: the header.
        rows: estimate -> where its row stands.
        shifts: (estimate, nuisance) -> shifts of the estimate at +1 and at -1 sigma.
        statistical: estimate -> its statistical uncertainty; empty if there is no such column.
    """

    nuisances: tuple[str, ...]
    where: str
    rows: Mapping[str, str]
    shifts: Mapping[tuple[str, str], tuple[float, float]]
    statistical: Mapping[str, float]


def read_not_fitted(block: Block) -> NotFitted:
    """The table of a block that is not empty.

    Raises:
        FileFormatError: there are no rows, or one has too few or too many cells.
        DuplicateNameError: a row or column stands twice.
        UnknownNameError: the files cannot hold the name of a column.
        InvalidNumberError: a cell is neither a number nor ``(+a-b)``.
    """
    header, *lines = block.lines
    columns = cells(header)
    _check_columns(columns, header)
    if not lines:
        msg = f"{header.where}: [not fitted] has a header but no rows; add 'estimate', then one number per column"
        raise FileFormatError(msg)
    rows: dict[str, str] = {}
    shifts: dict[tuple[str, str], tuple[float, float]] = {}
    statistical: dict[str, float] = {}
    for line in lines:
        estimate, *row = cells(line)
        if len(row) != len(columns):
            msg = (
                f"{line.where}: {len(row)} entries found behind {estimate!r} in [not fitted], {len(columns)} needed "
                f"({', '.join(columns)}); complete the row"
            )
            raise FileFormatError(msg)
        if estimate in rows:
            msg = f"{line.where}: row {estimate!r} stands twice in [not fitted], first at {rows[estimate]}; keep one"
            raise DuplicateNameError(msg)
        rows[estimate] = line.where
        for column, text in zip(columns, row, strict=True):
            at = f"{line.where}: row {estimate!r}, column {column!r}"
            if column == STATISTICS:
                statistical[estimate] = value(text, where=at)
            else:
                shifts[estimate, column] = shift(text, where=at)
    nuisances = tuple(column for column in columns if column != STATISTICS)
    return NotFitted(nuisances=nuisances, where=header.where, rows=rows, shifts=shifts, statistical=statistical)


def _check_columns(columns: list[str], header: Line) -> None:
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            msg = f"{header.where}: column {column!r} stands twice in [not fitted]; every nuisance is one column"
            raise DuplicateNameError(msg)
        seen.add(column)
        if column == STATISTICS:
            continue
        if column.lower() == STATISTICS:
            msg = f"{header.where}: column {column!r} in [not fitted]; write {STATISTICS!r} in lower case"
            raise UnknownNameError(msg)
        check_name(column, kind="a nuisance", where=header.where)
    if STATISTICS in columns[:-1]:
        warn(header.where, f"column {STATISTICS!r} is read by its name, but Convino misreads it; make it the last column")

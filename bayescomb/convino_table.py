"""``[not fitted]`` of a Convino measurement file: one row per estimate, one column per nuisance outside the input's fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bayescomb.convino_blocks import Block, Line, warn
from bayescomb.convino_values import STATISTICS, cells, check_name, shift, value
from bayescomb.errors import DuplicateNameError, FileFormatError, UnknownNameError

__all__ = ["NotFitted", "read_not_fitted"]


@dataclass(frozen=True, kw_only=True)
class NotFitted:
    """The table.

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
        UnknownNameError: a name cannot be one.
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
        estimate, *entries = cells(line)
        if len(entries) != len(columns):
            msg = (
                f"{line.where}: {len(entries)} entries found behind {estimate!r} in [not fitted], {len(columns)} needed "
                f"({', '.join(columns)}); complete the row"
            )
            raise FileFormatError(msg)
        if estimate in rows:
            msg = f"{line.where}: row {estimate!r} stands twice in [not fitted], first at {rows[estimate]}; keep one"
            raise DuplicateNameError(msg)
        rows[estimate] = line.where
        for column, text in zip(columns, entries, strict=True):
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

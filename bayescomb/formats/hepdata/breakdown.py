"""Shifts of the measured values per source, from labelled errors of the values and from tables of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.checks import check_names
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, UnknownNameError, warn_input
from bayescomb.formats.csv import number
from bayescomb.formats.hepdata.mapping import Chosen, Measured, Selection, TableMapping, listed, only
from bayescomb.formats.hepdata.submission import Submission
from bayescomb.formats.hepdata.tables import Cell, Column, LabelledError, is_percent, row_label, same_unit

__all__ = ["Shift", "labelled_errors", "read_breakdown", "symmetric_sizes"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """The shift that one nuisance makes.

    Attributes:
        name: of the nuisance.
        where: what states it, for messages.
        up: shape (n,), at +1 sigma, in the unit of the values.
        down: shape (n,), at -1 sigma.
    """

    name: str
    where: str
    up: FloatArray
    down: FloatArray


def read_breakdown(submission: Submission, mapping: TableMapping, measured: Measured) -> list[Shift]:
    """All shifts that the mapping names, labels first.

    Args:
        submission: the tables.
        mapping: which of them.
        measured: the values, n of them.

    Raises:
        UnknownNameError: a label is not spoken for, a pattern matches none, or the rows of a table are others than those
            of the values.
        DuplicateNameError: two shifts have the same name.
        InvalidNumberError: a shift is no number.
        FileFormatError: a row does not state an error that others state.

    Warns:
        InputWarning: a label is repeated, or two-sided errors look odd.
    """
    column = measured.column
    shifts = [_labelled(label, mapping, column) for label in _source_labels(mapping, column)]
    for selection in mapping.breakdown:
        shifts += _of_table(selection, selection.chosen(submission), measured)
    places: dict[str, str] = {}
    for shift in shifts:
        if shift.name in places:
            msg = (
                f"{mapping.where}: the source {shift.name!r} is stated twice, by {places[shift.name]} and by {shift.where}; "
                "keep one of them (ignore), or give one another name"
            )
            raise DuplicateNameError(msg)
        places[shift.name] = shift.where
    _warn_of_signs(shifts, mapping)
    return [Shift(name=f"{mapping.prefix}{s.name}", where=s.where, up=s.up, down=s.down) for s in shifts]


def _source_labels(mapping: TableMapping, column: Column) -> list[str]:
    """The labels of the breakdown; every label of the values must be spoken for once."""
    where, labels = mapping.where, list(column.labels)
    spoken: dict[str, str] = {}
    for key in ("statistical", "total"):
        label = getattr(mapping, key)
        if label and label not in labels:
            again = "".join(
                f"; {base!r} is stated {n} times, as {base}_1 to {base}_{n}" for base, n in column.repeated.items()
            )
            msg = f"{where}.{key}: the values have no errors labelled {label!r}; they have {listed(labels)}{again}"
            raise UnknownNameError(msg)
        if label:
            spoken[label] = key
    for key in ("ignore", "labels"):
        for pattern in getattr(mapping, key):
            matched = [label for label in labels if label == pattern or fnmatchcase(label, pattern)]
            if not matched:
                msg = f"{where}.{key}: {pattern!r} matches no label of the values; they have {listed(labels)}"
                raise UnknownNameError(msg)
            for label in matched:
                spoken.setdefault(label, key)
    silent = [label for label in labels if label not in spoken]
    if silent:
        msg = (
            f"{where}: the values have errors labelled {listed(silent)}, of which the mapping says nothing; name them by "
            "'statistical', 'total' (compared only), 'labels' (sources; patterns as \"sys,*\") or 'ignore'"
        )
        raise UnknownNameError(msg)
    chosen = [label for label in labels if spoken[label] == "labels"]
    for base, n in column.repeated.items():
        ours = [label for label in chosen if label in {f"{base}_{i + 1}" for i in range(n)}]
        if ours:
            message = (
                f"{where}: the values have {n} errors labelled {base!r}, which are taken for {n} sources in the order in "
                f"which they stand ({listed(ours)}); look whether they are"
            )
            warn_input(message)
    return chosen


def labelled_errors(label: str, mapping: TableMapping, column: Column) -> list[LabelledError]:
    """The errors of a label, one per row.

    Raises:
        FileFormatError: rows do not state it.
    """
    found: list[LabelledError] = []
    absent: list[Cell] = []
    for cell in column.cells:
        own = [e for e in cell.errors if e.label == label]
        if not own:
            absent.append(cell)
        found.append(own[0] if own else LabelledError(label=label, up=0.0, down=0.0, symmetric=True))
    counted = any(label == f"{base}_{i + 1}" for base, n in column.repeated.items() for i in range(n))
    if absent and (counted or not mapping.absent_is_zero):
        remedy = (
            "of errors with one label nobody knows which is absent; give each its own label"
            if counted
            else "if it is 0 there, say so by absent_is_zero = true"
        )
        more = f", nor in {len(absent) - 1} more rows" if len(absent) > 1 else ""
        msg = f"{absent[0].where}: no error labelled {label!r}{more}, but others have it; {remedy}"
        raise FileFormatError(msg)
    return found


def symmetric_sizes(errors: Sequence[LabelledError], mapping: TableMapping, *, what: str) -> FloatArray:
    """One size per error, shape (n,).

    Raises:
        InvalidNumberError: one is two-sided and the mapping does not say that it may be symmetrised.
    """
    for error in errors:
        if error.up != -error.down and not mapping.symmetrise:
            msg = (
                f"{mapping.where}: {what} is two-sided ({error.up:+g}, {error.down:+g}), where the model takes one size; "
                "say symmetrise = true to take half the distance between the two"
            )
            raise InvalidNumberError(msg)
    return np.array([error.symmetrised for error in errors])


def _labelled(label: str, mapping: TableMapping, column: Column) -> Shift:
    errors = labelled_errors(label, mapping, column)
    up, down = np.array([e.up for e in errors]), np.array([e.down for e in errors])
    return Shift(name=label, where=f"the label {label!r} of {column.name!r}", up=up, down=down)


def _of_table(selection: Selection, chosen: Chosen, measured: Measured) -> list[Shift]:
    """A table whose rows are those of the values, or whose rows are sources."""
    table, column = chosen.table, measured.column
    rows, own = list(measured.rows), list(table.rows)
    if set(own) in (set(rows), set(measured.all_rows)) or (len(rows) == len(own) == 1):
        check_names(own, where=f"{selection.where}: rows of table {table.name!r}", allow_empty=True)
        order = [own.index(r) for r in rows] if len(own) > 1 else [0]
        pairs = _paired_columns(selection, chosen)
        return [
            _shift(
                name,
                [up.cells[i] for i in order],
                None if down is None else [down.cells[i] for i in order],
                (up, down),
                column,
            )
            for name, up, down in pairs
        ]
    heads = [row_label(c.name) for c in chosen.columns]
    by_row = len(rows) > 1 and set(heads) == set(rows) and len(heads) == len(rows)
    if len(rows) > 1 and not by_row:
        only_here, only_there = [n for n in own if n not in rows], [n for n in rows if n not in own]
        msg = (
            f"{selection.where}: the rows of table {table.name!r} are not those of the values: {len(only_here)} only here "
            f"({listed(only_here[:5])}), {len(only_there)} only there ({listed(only_there[:5])}); name another table, or "
            "correct the rows"
        )
        raise UnknownNameError(msg)
    columns = [chosen.columns[heads.index(r)] for r in rows] if by_row else [_one(selection, chosen)]
    return [_shift(name, [c.cells[i] for c in columns], None, (columns[0], None), column) for i, name in enumerate(own)]


def _one(selection: Selection, chosen: Chosen) -> Column:
    return only(chosen.columns, where=f"{selection.where}: table {selection.table!r}, whose rows are sources")


def _paired_columns(selection: Selection, chosen: Chosen) -> list[tuple[str, Column, Column | None]]:
    """Name, shift at +1 and shift at -1 sigma."""
    table, columns = chosen.table, chosen.columns
    where = f"{selection.where}: table {table.name!r}"
    if selection.up:
        up, down = (only(selection.named(table, columns, h), where=where) for h in (selection.up, selection.down))
        return [(selection.name or table.name, up, down)]
    if len(columns) == 1:
        return [(selection.name or table.name, columns[0], None)]
    if selection.name:
        only(columns, where=f"{where} for {selection.name!r}")
    return [(" ".join(c.name.split()), c, None) for c in columns]


def _shift(
    name: str, up: Sequence[Cell], down: Sequence[Cell] | None, columns: tuple[Column, Column | None], values: Column
) -> Shift:
    """From the numbers of one source; their own errors, if they have some, are two-sided shifts about 0 or nothing."""
    sides = [_in_unit_of(up, columns[0], values)]
    if down is not None and columns[1] is not None:
        sides.append(_in_unit_of(down, columns[1], values))
    used = sum(bool(cell.errors) for cell in up)
    if used:
        message = f"{up[0].where}: the shifts have errors of their own in {used} of {len(up)} rows, which are not used"
        warn_input(message)
    return Shift(name=name, where=up[0].where, up=sides[0], down=sides[1] if len(sides) == 2 else 0.0 - sides[0])


def _in_unit_of(cells: Sequence[Cell], column: Column, values: Column) -> FloatArray:
    if is_percent(column.unit) and not is_percent(values.unit):
        return np.array([_percentage(c) * abs(v.number()) / 100 for c, v in zip(cells, values.cells, strict=True)])
    if same_unit(values.unit, column.unit) is False:
        msg = (
            f"{cells[0].where}: the unit is {column.unit!r}, that of the values {values.unit!r}; name a column of that unit"
        )
        raise InvalidNumberError(msg)
    found = []
    for cell, value in zip(cells, values.cells, strict=True):
        if cell.value is None and cell.text.endswith("%"):
            found.append(_percentage(cell) * abs(value.number()) / 100)
        else:
            found.append(cell.number())
    return np.array(found)


def _percentage(cell: Cell) -> float:
    return number(cell.text.removesuffix("%").strip(), where=cell.where)


def _warn_of_signs(shifts: Sequence[Shift], mapping: TableMapping) -> None:
    """Two shifts to one side are possible, but a forgotten sign looks the same."""
    odd = [(s, i) for s in shifts for i in range(len(s.up)) if s.up[i] * s.down[i] > 0]
    if odd:
        shift, i = odd[0]
        message = (
            f"{mapping.where}: {len(odd)} two-sided shifts go to one side at +1 and at -1 sigma, the first of {shift.where} "
            f"in row {i + 1} ({shift.up[i]:+g}, {shift.down[i]:+g}), and are kept so; look whether a sign is missing"
        )
        warn_input(message)

"""Errors that tables quote under a label of the values or in separate columns, in the unit of the values.

An error that ``percent`` names, or whose unit or header is percent, is that part of the size of its value.  Other units are
converted where the conversion is exact, which a warning states.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import FileFormatError, InvalidNumberError, UnknownNameError, warn_input
from bayescomb.formats.csv import number
from bayescomb.formats.hepdata.mapping import ErrorPlace, TableMapping, error_name
from bayescomb.formats.hepdata.record.submission import Submission, listed
from bayescomb.formats.hepdata.record.tables import Cell, Column, LabelledError, rounding
from bayescomb.formats.hepdata.record.units import conversion, is_percent, same_unit
from bayescomb.formats.hepdata.selection import Measured, matches, only

__all__ = [
    "column_errors",
    "labelled_errors",
    "mostly_above",
    "quoted_errors",
    "says_something",
    "source_labels",
    "state_conversions",
    "symmetric_sizes",
    "warn_of_percent",
]

# Cells by which a table states that it has no number.
EMPTY: Final = frozenset({"", "-", "--", "\N{EN DASH}", "\N{EM DASH}"})


def source_labels(mapping: TableMapping, column: Column) -> list[str]:
    """The labels of the breakdown; every label of the values must be named exactly once.

    Raises:
        UnknownNameError: the mapping does not name a label of the values, or names one that they do not have.

    Warns:
        InputWarning: a label is repeated.
    """
    where, labels = mapping.where, list(column.labels)
    spoken: dict[str, str] = {}
    for key, places in (("statistical", mapping.statistical), ("total", (mapping.total,))):
        for label in places:
            if not isinstance(label, str):
                continue
            if label not in labels:
                again = "".join(
                    f"; {base!r} is stated {n} times, as {base}_1 to {base}_{n}" for base, n in column.repeated.items()
                )
                msg = (
                    f"{where}.{key}: the values have no errors labelled {label!r}; they have {listed(labels)}{again}; "
                    f'errors in a column are named by {{ column = "HEADER" }}'
                )
                raise UnknownNameError(msg)
            spoken[label] = key
    for label in (*mapping.covariances, *mapping.correlations):
        if label in labels:
            spoken.setdefault(label, "labels")
    for key in ("ignore", "labels", "uncorrelated"):
        for pattern in getattr(mapping, key):
            matched = [label for label in labels if matches([pattern], label)]
            if not matched and key != "uncorrelated":  # its sources may come from a table
                msg = f"{where}.{key}: {pattern!r} matches no label of the values; they have {listed(labels)}"
                raise UnknownNameError(msg)
            for label in matched:
                spoken.setdefault(label, "ignore" if key == "ignore" else "labels")
    silent = [label for label in labels if label not in spoken]
    if silent:
        msg = (
            f"{where}: the values have errors labelled {listed(silent)}, which the mapping does not name; name them by "
            "'statistical', 'total' (only compared), 'labels' (sources; patterns as \"sys,*\"), 'uncorrelated' (sources "
            "that are independent from row to row) or 'ignore'"
        )
        raise UnknownNameError(msg)
    chosen = [label for label in labels if spoken[label] == "labels"]
    for base, n in column.repeated.items():
        ours = [label for label in chosen if label in {f"{base}_{i + 1}" for i in range(n)}]
        if ours:
            message = (
                f"{where}: the values have {n} errors labelled {base!r}, which are taken as {n} sources in their "
                f"order ({listed(ours)}); check that they are"
            )
            warn_input(message)
    return chosen


def labelled_errors(label: str, mapping: TableMapping, column: Column) -> list[LabelledError]:
    """The errors of a label, one per row.

    Raises:
        FileFormatError: a row does not state the error.

    Warns:
        InputWarning: the errors exceed the values as percentages do.
    """
    found: list[LabelledError] = []
    absent: list[Cell] = []
    percent = matches(mapping.percent, label)
    for cell in column.cells:
        own = [e for e in cell.errors if e.label == label]
        if not own:
            absent.append(cell)
        error = own[0] if own else LabelledError(label=label, up=0.0, down=0.0, symmetric=True)
        found.append(error.scaled(abs(cell.number()) / 100) if percent and not error.percent else error)
    counted = any(label == f"{base}_{i + 1}" for base, n in column.repeated.items() for i in range(n))
    if absent and (counted or not mapping.absent_is_zero):
        remedy = (
            "it is not known which of the errors with one label is absent; give each its own label"
            if counted
            else "if it is 0 there, set absent_is_zero = true"
        )
        more = f", nor in {len(absent) - 1} more rows" if len(absent) > 1 else ""
        msg = f"{absent[0].where}: no error labelled {label!r}{more}, but others have it; {remedy}"
        raise FileFormatError(msg)
    if not percent:
        warn_of_percent(label, found, column.cells, mapping)
    return found


def quoted_errors(
    place: ErrorPlace, submission: Submission, mapping: TableMapping, measured: Measured
) -> list[LabelledError]:
    """Statistical or total errors, under a label of the values or in a column.

    Raises:
        FileFormatError: a row does not state the error.
        UnknownNameError: there is no such column, or it has other rows than the values.
        InvalidNumberError: a cell is no number, or its unit cannot be converted.
    """
    if isinstance(place, str):
        return labelled_errors(place, mapping, measured.column)
    chosen = place.chosen(submission)
    table = chosen.table
    positions = measured.positions(table.rows, place.match)
    if positions is None:
        msg = (
            f"{place.where}: the rows of table {table.name!r} ({listed(table.rows[:5])}) are not those of the values "
            f'({listed(measured.rows[:5])}); name a column beside the values, or set match = "order"'
        )
        raise UnknownNameError(msg)
    where = f"{place.where}: table {table.name!r}"
    sides = [place.named(table, chosen.columns, h) for h in (place.up, place.down)] if place.up else [chosen.columns]
    columns = [only(side, where=where) for side in sides]
    state_conversions(columns, measured, where=where)
    cells = [[(column, i) for i in positions] for column in columns]
    downs = cells[1] if place.up else None
    return column_errors(error_name(place), cells[0], downs, mapping=mapping, measured=measured, label=place.label)


def column_errors(
    name: str,
    ups: Sequence[tuple[Column, int]],
    downs: Sequence[tuple[Column, int]] | None,
    *,
    mapping: TableMapping,
    measured: Measured,
    label: str = "",
) -> list[LabelledError]:
    """Errors that stand as numbers in columns, in the unit of the values.

    Args:
        name: name of the error or source.
        ups: column and row of each shift at +1 sigma, n of them.
        downs: column and row of each shift at -1 sigma; ``None`` if these are the opposite of ``ups``.
        mapping: states what is in percent, and whether an empty cell is 0.
        measured: the n values.
        label: label of the errors to use in cells without a value.

    Raises:
        InvalidNumberError: a cell is no number, or its unit cannot be converted.
        FileFormatError: a cell is empty.

    Warns:
        InputWarning: numbers have errors of their own, or exceed the values as percentages do.
    """
    values = measured.column
    sides = []
    for cells in (ups, downs):
        pairs = zip(cells or (), values.cells, strict=cells is not None)
        sides.append(
            [_in_unit_of(column, column.cells[i], value, name, label, mapping, values) for (column, i), value in pairs]
        )
    used = sum(bool(column.cells[i].errors) and column.cells[i].value is not None for column, i in ups)
    if used:
        column, i = ups[0]
        where = column.cells[i].where
        warn_input(f"{where}: the shifts have errors of their own in {used} of {len(ups)} rows, which are not used")
    found = [dataclasses.replace(e, down=sides[1][k].up, symmetric=False) if downs else e for k, e in enumerate(sides[0])]
    if not any(error.percent for error in found):
        warn_of_percent(name, found, values.cells, mapping)
    return found


def says_something(cell: Cell) -> bool:
    """Whether a cell holds a number or errors."""
    return cell.text not in EMPTY or bool(cell.errors)


def _in_unit_of(
    column: Column, cell: Cell, value: Cell, name: str, label: str, mapping: TableMapping, values: Column
) -> LabelledError:
    """A shift that a cell states as its number or, if it has none, as its error, in the unit of the values."""
    percent = matches(mapping.percent, name) or (is_percent(column.unit) and not is_percent(values.unit))
    if cell.text in EMPTY and cell.errors:
        stated = [e for e in cell.errors if not label or e.label == label]
        if len(stated) != 1:
            msg = (
                f"{cell.where}: errors labelled {listed([e.label for e in cell.errors])} found, exactly one is needed; "
                'name it by label = "..."'
            )
            raise FileFormatError(msg)
        error, percent = stated[0], percent or stated[0].percent
    elif cell.text in EMPTY:
        if not mapping.absent_is_zero:
            msg = f"{cell.where}: an empty cell found, a number is needed; if it is 0, set absent_is_zero = true"
            raise FileFormatError(msg)
        error = LabelledError(label=name, up=0.0, down=0.0, symmetric=True)
    else:
        own = cell.value is None and cell.text.endswith("%")
        text = cell.text.removesuffix("%").strip() if own else cell.text
        size = number(text, where=cell.where) if own else cell.number()
        percent |= own
        error = LabelledError(label=name, up=size, down=0.0 - size, symmetric=True, rounding=rounding(text))
    if percent:
        return dataclasses.replace(error.scaled(abs(value.number()) / 100), percent=True)
    factor = conversion(column.unit, values.unit)
    if factor is None and same_unit(values.unit, column.unit) is False:
        msg = f"{cell.where}: the unit is {column.unit!r}, that of the values {values.unit!r}; name a column of that unit"
        raise InvalidNumberError(msg)
    return error if factor in (None, 1.0) else error.scaled(factor)


def state_conversions(columns: Iterable[Column], measured: Measured, *, where: str) -> None:
    """Warn once of each unit that is converted to that of the values."""
    unit = measured.column.unit
    for other in dict.fromkeys(c.unit for c in columns):
        factor = conversion(other, unit)
        if factor not in (None, 1.0):
            warn_input(f"{where}: in {other!r}, the values in {unit!r}; its numbers are multiplied by {factor:g}")


def warn_of_percent(name: str, errors: Sequence[LabelledError], values: Sequence[Cell], mapping: TableMapping) -> None:
    """Warn where most errors exceed their values, as then they usually are percentages."""
    pairs = [(max(abs(e.up), abs(e.down)), value.number()) for e, value in zip(errors, values, strict=True)]
    if mostly_above(pairs):
        message = (
            f"{mapping.where}: the errors of {name!r} exceed the values in most rows ({pairs[0][0]:g} for {pairs[0][1]:g} "
            f"in the first), as percentages do; if they are in percent, set percent = [{name!r}]"
        )
        warn_input(message)


def mostly_above(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether more than half of the sizes exceed their values.

    Examples:
        >>> mostly_above([(5.0, 0.1), (4.0, -0.2), (0.1, 1.0)]), mostly_above([(1.0, 0.0)])
        (True, False)
    """
    return 2 * sum(size > abs(value) > 0 for size, value in pairs) > len(pairs)


def symmetric_sizes(errors: Sequence[LabelledError], mapping: TableMapping, *, name: str) -> FloatArray:
    """One size per error, shape (n,).

    Raises:
        InvalidNumberError: an error is two-sided and ``symmetrise`` does not name it.
    """
    for error in errors:
        if error.up != -error.down and not matches(mapping.symmetrise, name):
            msg = (
                f"{mapping.where}: the error {name!r} is two-sided ({error.up:+g}, {error.down:+g}), where the model "
                "takes one size; set symmetrise = true to take half the distance between the two"
            )
            raise InvalidNumberError(msg)
    return np.array([error.symmetrised for error in errors])

"""Matrices in tables of HEPData: a row for each pair, or a column for each row.

One of two mirror entries may be absent, so a triangle is enough.  Rows are matched by their bins or names, or in order
(:mod:`bayescomb.formats.hepdata.selection`).  Axes with the same entry in every row are ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidMatrixError, UnknownNameError
from bayescomb.base.numerics import asymmetric_entry
from bayescomb.formats.hepdata.record.tables import Axis, Column, Table, rounding, row_label
from bayescomb.formats.hepdata.selection import Match, Measured, aligned

__all__ = ["TableMatrix", "read_table_matrix"]


@dataclass(frozen=True, kw_only=True)
class TableMatrix:
    """A symmetric matrix from a table.

    Attributes:
        where: the file and the table.
        names: n labels, in the order of their appearance.
        values: shape (n, n).
        rounding: shape (n, n), half a unit of the last digit of each entry.
        unit: unit of the entries.
        axes: the axes that identify the rows.
    """

    where: str
    names: tuple[str, ...]
    values: FloatArray
    rounding: FloatArray
    unit: str
    axes: tuple[Axis, ...]

    def of_values(self, measured: Measured, match: Match) -> TableMatrix:
        """The matrix of the measured values, in their order.

        Raises:
            UnknownNameError: its rows are not those of the values.
        """
        positions = measured.positions(self.names, match)
        if positions is not None:
            return self._part(positions, measured.rows)
        return self.ordered(measured.rows, whose=measured.where)  # raises, with the reason

    def ordered(self, names: Sequence[str], *, whose: str) -> TableMatrix:
        """The matrix with the rows of another table, in their order.

        Args:
            names: labels of the rows of the other table.
            whose: the other table, for messages.

        Raises:
            UnknownNameError: the rows are not the same; the message lists those that only one of the two has.
        """
        own = aligned(self.names, names)
        only_here = [n for n in own if n not in set(names)]
        only_there = [n for n in names if n not in set(own)]
        if only_here or only_there:
            parts = [
                f"{len(alone)} only in {table} ({', '.join(map(repr, alone[:5]))}{', ...' if len(alone) > 5 else ''})"
                for alone, table in ((only_here, self.where), (only_there, whose))
                if alone
            ]
            msg = (
                f"rows do not match: {'; '.join(parts)}; name the table that belongs to these rows, correct it, or "
                'set match = "order" if they are the same rows in the same order'
            )
            raise UnknownNameError(msg)
        order = [own.index(n) for n in names]
        return self._part(order, names)

    def part(self, numbers: Sequence[int]) -> TableMatrix:
        """The matrix of some of its rows, by their numbers from 1.

        Raises:
            UnknownNameError: a number exceeds that of the rows.
        """
        if max(numbers) > len(self.names):
            msg = f"{self.where}: row {max(numbers)} asked for, the matrix has {len(self.names)}; correct the number"
            raise UnknownNameError(msg)
        return self._part([n - 1 for n in numbers], [self.names[n - 1] for n in numbers])

    def scaled(self, factors: FloatArray | float) -> TableMatrix:
        """The matrix with each entry multiplied by its factor, shape (n, n), or all by one."""
        return dataclasses.replace(self, values=self.values * factors, rounding=self.rounding * factors)

    def _part(self, order: Sequence[int], names: Sequence[str]) -> TableMatrix:
        grid = np.ix_(order, order)
        return dataclasses.replace(self, names=tuple(names), values=self.values[grid], rounding=self.rounding[grid])


def read_table_matrix(table: Table, columns: Sequence[Column], *, sizes: Sequence[int] = ()) -> TableMatrix:
    """The matrix of a table.

    Args:
        table: with pairs of axes and one column, or with as many columns as rows.
        columns: the chosen columns of the table.
        sizes: numbers of rows that the matrix may have, if rows are taken in order, whatever their names.

    Raises:
        FileFormatError: the table has neither form, or entries are absent.
        InvalidMatrixError: two mirror entries, or two entries for one pair, differ.
        DuplicateNameError: two rows have the same label.
        InvalidNumberError: an entry is no number.

    Examples:
        >>> from bayescomb.formats.hepdata.record.layouts import yaml_table
        >>> names = {"header": {"name": "i"}, "values": [{"value": 1}, {"value": 1}, {"value": 2}]}
        >>> others = {"header": {"name": "j"}, "values": [{"value": 1}, {"value": 2}, {"value": 2}]}
        >>> numbers = {"header": {"name": "COV"}, "values": [{"value": 4}, {"value": 1}, {"value": 9}]}
        >>> data = {"independent_variables": [names, others], "dependent_variables": [numbers]}
        >>> table = yaml_table(data, name="Table 2", description="", where="table2.yaml")
        >>> read_table_matrix(table, table.columns).values.tolist()
        [[4.0, 1.0], [1.0, 9.0]]
    """
    where = f"{table.where}, table {table.name!r}"
    n_rows = len(columns[0].cells)
    varying = table.varying
    first, second, axes = _pair_names(varying, n_rows, sizes) if len(columns) == 1 else ([], [], ())
    names: list[str]
    if first:
        names = list(dict.fromkeys([*first, *second]))
        pairs = zip(first, second, columns[0].cells, strict=True)
    elif len(columns) == n_rows:
        names = list(table.rows)
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            msg = f"{where}: two rows are called {twice!r}; every row of a matrix needs its own name"
            raise DuplicateNameError(msg)
        heads = [row_label(c.name) for c in columns]
        if set(heads) != set(names):
            heads = names
        pairs = zip(
            [n for n in names for _ in heads],
            heads * len(names),
            [c.cells[i] for i in range(n_rows) for c in columns],
            strict=True,
        )
        axes = varying
    else:
        msg = (
            f"{where}: {len(table.axes)} axes, {len(columns)} columns and {n_rows} rows are no matrix; needed is a row for "
            "each pair (two axes and one column, chosen by 'column' or 'qualifiers'), or a column for each row; "
            f"{_squares(sizes)}"
        )
        raise FileFormatError(msg)
    index = {name: i for i, name in enumerate(names)}
    values, halves = np.full((len(names),) * 2, np.nan), np.zeros((len(names),) * 2)
    for one, other, cell in pairs:
        i, j = index[one], index[other]
        value = cell.number()
        if not np.isnan(values[i, j]) and values[i, j] != value:
            msg = f"{cell.where}: {value:g} found, but another entry for the same pair is {values[i, j]:g}; keep one"
            raise InvalidMatrixError(msg)
        values[i, j], halves[i, j] = value, rounding(cell.text)
    values, halves = np.where(np.isnan(values), values.T, values), np.maximum(halves, halves.T)
    if np.isnan(values).any():
        i, j = (int(k) for k in np.argwhere(np.isnan(values))[0])
        msg = (
            f"{where}: {int(np.isnan(values).sum())} of {values.size} entries absent, the first of {names[i]!r} and "
            f"{names[j]!r}; a matrix needs each of them, or its mirror entry"
        )
        raise FileFormatError(msg)
    found = asymmetric_entry(values)
    if found is not None:
        i, j = found
        msg = (
            f"{where}: not symmetric, the entry of {names[i]!r} and {names[j]!r} is {values[i, j]:g} and its mirror entry "
            f"{values[j, i]:g}; correct the table"
        )
        raise InvalidMatrixError(msg)
    values = (values + values.T) / 2
    return TableMatrix(where=where, names=tuple(names), values=values, rounding=halves, unit=columns[0].unit, axes=axes)


def _pair_names(varying: Sequence[Axis], n_rows: int, sizes: Sequence[int]) -> tuple[list[str], list[str], tuple[Axis, ...]]:
    """Names of row and column of each entry, and the axes of the rows; all empty if the axes form no pairs."""
    half, odd = divmod(len(varying), 2)
    if not odd:
        first, second = ([_labels(axes, row) for row in range(n_rows)] for axes in (varying[:half], varying[half:]))
        if not sizes or len({*first, *second}) in sizes:
            return first, second, tuple(varying[:half])
    size = next((n for n in sizes if n * n == n_rows), 0)
    numbers = [str(i + 1) for i in range(size)]
    return [n for n in numbers for _ in numbers], numbers * size, ()


def _squares(sizes: Sequence[int]) -> str:
    if not sizes:
        return 'match = "order" takes the entries row by row, whatever the axes'
    return f"rows that are taken in order need {' or '.join(str(n * n) for n in dict.fromkeys(sizes))} entries"


def _labels(axes: Sequence[Axis], row: int) -> str:
    return ", ".join(row_label(axis.entries[row]) for axis in axes)

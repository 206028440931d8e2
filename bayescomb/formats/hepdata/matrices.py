"""Matrices in tables of HEPData: a row for each pair, or a column for each row.

Of two mirror entries one may be absent, so a triangle is enough.  Rows are known by their bins or names; plain numbers 1 to
n (or 0 to n - 1) stand for the rows of another table in their order.  Axes that are the same in every row say nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.checks import SYMMETRY_TOLERANCE
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidMatrixError, UnknownNameError
from bayescomb.formats.hepdata.tables import Axis, Column, Table, rounding, row_label

__all__ = ["TableMatrix", "read_table_matrix"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TableMatrix:
    """A symmetric matrix from a table.

    Attributes:
        where: the file and the table.
        names: n labels, in the order of their appearance.
        values: shape (n, n).
        rounding: shape (n, n), half a unit of the last digit of each entry.
        unit: of the entries.
        axes: the axes that the rows are known by.
    """

    where: str
    names: tuple[str, ...]
    values: FloatArray
    rounding: FloatArray
    unit: str
    axes: tuple[Axis, ...]

    def ordered(self, names: Sequence[str], *, whose: str) -> TableMatrix:
        """The matrix with the rows of another table, in their order.

        Args:
            names: labels of those rows.
            whose: that table, for messages.

        Raises:
            UnknownNameError: the rows are not the same; the message lists those that one of the two has alone.
        """
        own = self.names
        if set(own) != set(names):
            own = _numbered(own, names)
        only_here = [n for n in own if n not in set(names)]
        only_there = [n for n in names if n not in set(own)]
        if only_here or only_there:
            parts = [
                f"{len(alone)} only in {table} ({', '.join(map(repr, alone[:5]))}{', ...' if len(alone) > 5 else ''})"
                for alone, table in ((only_here, self.where), (only_there, whose))
                if alone
            ]
            msg = f"rows do not match: {'; '.join(parts)}; name the table that belongs to these rows, or correct it"
            raise UnknownNameError(msg)
        order = [own.index(n) for n in names]
        return self._part(order, names)

    def part(self, names: Sequence[str]) -> TableMatrix:
        """Some of the rows, which are there."""
        return self._part([self.names.index(n) for n in names], names)

    def _part(self, order: Sequence[int], names: Sequence[str]) -> TableMatrix:
        grid = np.ix_(order, order)
        return dataclasses.replace(self, names=tuple(names), values=self.values[grid], rounding=self.rounding[grid])


def _numbered(own: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    """Plain numbers replaced by the rows that they count."""
    for first in (1, 0):
        if sorted(own) == sorted(str(i + first) for i in range(len(names))):
            return tuple(names[int(n) - first] for n in own)
    return own


def read_table_matrix(table: Table, columns: Sequence[Column]) -> TableMatrix:
    """The matrix of a table.

    Args:
        table: with pairs of axes and one column, or with as many columns as rows.
        columns: those of it that were chosen.

    Raises:
        FileFormatError: it has neither form, or entries are absent.
        InvalidMatrixError: two mirror entries, or two entries for one pair, differ.
        DuplicateNameError: two rows have the same label.
        InvalidNumberError: an entry is no number.

    Examples:
        >>> from bayescomb.formats.hepdata.layouts import yaml_table
        >>> from bayescomb.formats.hepdata.matrices import read_table_matrix
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
    if len(columns) == 1 and len(varying) % 2 == 0:
        half = len(varying) // 2
        first, second = ([_labels(axes, row) for row in range(n_rows)] for axes in (varying[:half], varying[half:]))
        names = list(dict.fromkeys([*first, *second]))
        pairs = zip(first, second, columns[0].cells, strict=True)
        axes = varying[:half]
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
            "each pair (two axes and one column, to be chosen by 'column' or 'qualifiers'), or a column for each row"
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
    difference = np.abs(values - values.T)
    i, j = (int(k) for k in np.unravel_index(difference.argmax(), difference.shape))
    if difference[i, j] > SYMMETRY_TOLERANCE * np.abs(values).max():
        msg = (
            f"{where}: not symmetric, the entry of {names[i]!r} and {names[j]!r} is {values[i, j]:g} and its mirror entry "
            f"{values[j, i]:g}; correct the table"
        )
        raise InvalidMatrixError(msg)
    values = (values + values.T) / 2
    return TableMatrix(where=where, names=tuple(names), values=values, rounding=halves, unit=columns[0].unit, axes=axes)


def _labels(axes: Sequence[Axis], row: int) -> str:
    return ", ".join(row_label(axis.entries[row]) for axis in axes)

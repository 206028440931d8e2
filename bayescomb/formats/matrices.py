"""Matrices and response tables in CSV files; rows and columns have names, so their order does not matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_correlation, check_covariance, check_names, known_name, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidMatrixError, InvalidNumberError
from bayescomb.base.numerics import asymmetric_entry, information_of
from bayescomb.formats.csv import LABEL, Row, number, read_table

__all__ = [
    "NamedMatrix",
    "Shifts",
    "definite_information",
    "information_from_correlation",
    "read_matrix",
    "read_shifts",
    "shift_cell",
    "slashed",
    "statistical_sizes",
]

# Smallest eigenvalue per row of a matrix of unit diagonal that is more than rounding.
SINGULAR: Final = 1e-15
# A cell ``+5 -3`` or ``(+5-3)`` (up and down), and the sign before a size that is the same up and down.
SIZE: Final = r"[\d.]+(?:[eE][+-]?\d+)?(?:\s?%)?"
BOTH_WAYS: Final = re.compile(rf"^\(?(\+{SIZE})\s*([-\u2212]{SIZE})\)?$")
EITHER_WAY: Final = re.compile(r"^(\u00b1|\+/?[-\u2212])\s*(?=[\d.][^/]*$)")


@dataclass(frozen=True, kw_only=True)
class NamedMatrix:
    """A square matrix from a file.

    Attributes:
        where: the file.
        names: the n names of rows and columns, in the order of the columns.
        values: shape (n, n), symmetric up to rounding.
        rows: the row of each name in the table, for extra columns and the place in messages.
    """

    where: str
    names: tuple[str, ...]
    values: FloatArray
    rows: tuple[Row, ...]

    def ordered(self, names: Sequence[str]) -> FloatArray:
        """The matrix of these names, in their order."""
        order = [self.names.index(name) for name in names]
        return self.values[np.ix_(order, order)]


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """A response table from a file.

    Attributes:
        nuisances: the m names.
        up: shifts of the n published values at +1 sigma of each nuisance, shape (n, m), in the unit of the estimates.
        down: shifts at -1 sigma; ``None`` if every cell is a single number.
    """

    nuisances: tuple[str, ...]
    up: FloatArray
    down: FloatArray | None


def read_matrix(path: Path, *, extra: Sequence[str] = ()) -> NamedMatrix:
    """Read a symmetric matrix: the first column holds the names of the rows, and the other columns have the same names.

    One of two mirror cells may be empty, so a lower triangle is enough.

    Args:
        path: a CSV file.
        extra: required columns that do not belong to the matrix.

    Raises:
        FileFormatError: the file is absent or malformed, or a row is missing.
        UnknownNameError, DuplicateNameError: a row has a name that no column has, or stands twice.
        InvalidNumberError: a cell is not a finite number, or two mirror cells are empty.
        InvalidMatrixError: two mirror cells differ.

    Examples:
        >>> import os, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "matrix.csv")
        ...     _ = path.write_text(os.linesep.join(["name,x,jes", "x,4,", "jes,1,2"]))
        ...     read_matrix(path).values.tolist()
        [[4.0, 1.0], [1.0, 2.0]]
    """
    header, table = read_table(path, required=extra, labelled=True)
    if header[0] in extra and header[0] not in header[1:]:
        msg = f"{path}: the first column is {header[0]!r}, it must hold the names of the rows; put them first"
        raise FileFormatError(msg)
    names = [name for name in header[1:] if name not in extra]
    check_names(names, where=f"{path}: columns of the matrix")
    rows = _by_name(table, names, kind="row", path=path)
    values = np.full((len(names),) * 2, np.nan)
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            if rows[i].cells[second] or not rows[j].cells[first]:
                values[i, j] = rows[i].number(second)
    values = np.where(np.isnan(values), values.T, values)
    found = asymmetric_entry(values)
    if found is not None:
        i, j = found
        msg = (
            f"{rows[i].where}, column {names[j]!r}: {values[i, j]:g} found, but {rows[j].where}, column {names[i]!r} has "
            f"{values[j, i]:g}; a matrix of this kind is symmetric, correct it or leave one of the two cells empty"
        )
        raise InvalidMatrixError(msg)
    return NamedMatrix(where=str(path), names=tuple(names), values=values, rows=tuple(rows))


def information_from_correlation(matrix: NamedMatrix, column: str) -> FloatArray:
    """Inverse of the covariance rho_ij c_i c_j, shape (n, n); the uncertainties c are a column of the table.

    Raises:
        InvalidNumberError: an uncertainty is not above 0.
        InvalidMatrixError: the matrix is not a correlation matrix, or not positive definite.
    """
    sizes = np.array([row.number(column) for row in matrix.rows])
    for row, size in zip(matrix.rows, sizes, strict=True):
        if size <= 0:
            msg = f"{row.where}, column {column!r}: {size:g} found, an uncertainty is above 0; correct it"
            raise InvalidNumberError(msg)
    with located(matrix.where):
        correlation = check_correlation(matrix.values, names=matrix.names, where="correlation matrix")
        return definite_information(correlation, sizes, where="correlation matrix")


def definite_information(correlation: FloatArray, sizes: FloatArray, *, where: str) -> FloatArray:
    """Inverse of the covariance rho_ij s_i s_j, shape (n, n).

    Args:
        correlation: rho, shape (n, n).
        sizes: s, shape (n,), all above 0.
        where: name of rho in messages.

    Raises:
        InvalidMatrixError: rho is not positive definite beyond rounding.
    """
    check_covariance(correlation, where=where, definite=True)
    smallest = float(np.linalg.eigvalsh(correlation).min())
    if smallest < SINGULAR * len(sizes):
        msg = f"{where}: singular (smallest eigenvalue {smallest:.1e}); give the correlations with more digits"
        raise InvalidMatrixError(msg)
    return information_of(correlation, sizes)


def read_shifts(path: Path, *, estimates: Sequence[str]) -> Shifts:
    """Read responses: the first column holds the estimates, and each other column belongs to a nuisance.

    A cell is the shift at +1 sigma, with the opposite shift at -1 sigma; or both shifts, as in ``+5/-3``.

    Raises:
        FileFormatError: the file is absent or malformed, or an estimate has no row.
        UnknownNameError, DuplicateNameError: a row is not an estimate, or stands twice.
        InvalidNumberError: a cell is neither one finite number nor two.
    """
    header, table = read_table(path, required=(), labelled=True)
    nuisances = header[1:]
    check_names(nuisances, where=f"{path}: nuisances in the header")
    rows = _by_name(table, estimates, kind="estimate", path=path)
    cells = [[shift_cell(row.cells[n], where=f"{row.where}, column {n!r}") for n in nuisances] for row in rows]
    shifts = np.array(cells, dtype=float).reshape(len(estimates), len(nuisances), 2)
    paired = any("/" in slashed(row.cells[n]) for row in rows for n in nuisances)
    return Shifts(nuisances=tuple(nuisances), up=shifts[..., 0], down=shifts[..., 1] if paired else None)


def slashed(text: str) -> str:
    """A cell with ``/`` between the shifts up and down, and without the sign ``+/-`` before a single size.

    Examples:
        >>> slashed("+5 -3"), slashed("(+5-3)"), slashed("+/-2"), slashed("+5/-3"), slashed("2e-3")
        ('+5/-3', '+5/-3', '2', '+5/-3', '2e-3')
    """
    text = EITHER_WAY.sub("", text.strip())
    return BOTH_WAYS.sub(r"\1/\2", text)


def shift_cell(text: str, *, where: str) -> tuple[float, float]:
    """Shifts at +1 and -1 sigma from a cell: one number and its opposite, or two numbers.

    Raises:
        InvalidNumberError: the cell holds neither one number nor two.

    Examples:
        >>> shift_cell("+5/-3", where="here"), shift_cell("2", where="here"), shift_cell("+5 -3", where="here")
        ((5.0, -3.0), (2.0, -2.0), (5.0, -3.0))
    """
    text = slashed(text)
    parts = [part.strip() for part in text.split("/")] if any(c.isdigit() for c in text) else [text]  # not n/a
    if len(parts) > 2:
        msg = f"{where}: {text!r} found, one number is needed, or the shifts at +1 and -1 sigma as in +5/-3; correct it"
        raise InvalidNumberError(msg)
    numbers = [number(part, where=where, lenient=True) for part in parts]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (numbers[0], 0.0 - numbers[0])  # 0.0 - 0.0 is not -0.0


def statistical_sizes(value: str | float, *, where: str) -> tuple[float, float]:
    """Shifts of a value at +1 and -1 sigma of its statistics, from a number or a cell ``+0.5/-0.3``.

    Raises:
        InvalidNumberError: the value is neither, a size is 0, or both shifts have the same sign.
    """
    up, down = shift_cell(value if isinstance(value, str) else repr(value), where=where)
    if not down < 0 < up:
        shown = value if isinstance(value, str) else f"{value:g}"
        msg = f"{where}: {shown} found, a statistical uncertainty is above 0, or up and down as in +0.5/-0.3; correct it"
        raise InvalidNumberError(msg)
    return up, down


def _by_name(table: Sequence[Row], names: Sequence[str], *, kind: str, path: Path) -> list[Row]:
    """The rows in the order of the names; each name must have exactly one row."""
    found: dict[str, Row] = {}
    for row in table:
        name = known_name(row.cells[LABEL], names, kind=kind, where=row.where)
        if name in found:
            msg = f"{row.where}: {kind} {name!r} stands twice, first at {found[name].where}; keep one"
            raise DuplicateNameError(msg)
        found[name] = row
    missing = [name for name in names if name not in found]
    if missing:
        msg = f"{path}: no row for {', '.join(map(repr, missing[:8]))}; add it"
        raise FileFormatError(msg)
    return [found[name] for name in names]

"""``[hessian]`` and ``[correlation matrix]`` of a Convino measurement file: the information of the input's own fit.

Both have one named row per estimate and nuisance, as a lower triangle or a full square.  A correlation matrix has the
post-fit uncertainty c in brackets behind the name, so the covariance is rho_ij c_i c_j; its inverse is the information.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_covariance, frozen_array, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidMatrixError, InvalidNumberError
from bayescomb.base.numerics import asymmetric_entry, unit_diagonal
from bayescomb.formats.convino.blocks import Block, warn
from bayescomb.formats.convino.entries import bracketed, cells, check_name, value
from bayescomb.formats.matrices import definite_information

__all__ = ["Matrix", "read_matrix"]

# An entry of a rounded square may differ from its mirror entry by this much, with the diagonal scaled to 1.
ROUNDING: Final = 1e-6
# A rounded or truncated diagonal of a correlation matrix may differ from 1 by this much.
DIAGONAL_ROUNDING: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A matrix block.

    Attributes:
        block: its name.
        where: its start marker.
        rows: name of each row -> where it stands, in the order of the file.
        information: inverse of the post-fit covariance, rows in that order.
    """

    block: str
    where: str
    rows: Mapping[str, str]
    information: FloatArray


@dataclass(frozen=True, kw_only=True)
class _Row:
    where: str
    name: str
    size: float
    entries: list[float]


def read_matrix(blocks: Mapping[str, Block]) -> Matrix | None:
    """The matrix block that is not empty, ``None`` if there is none.

    Raises:
        FileFormatError: both are filled, or a row has the wrong form.
        DuplicateNameError: a row stands twice.
        InvalidNumberError: an entry is no number, or an uncertainty not above 0.
        InvalidMatrixError: the matrix is not symmetric or not positive definite, or correlations lie outside [-1, 1].
    """
    filled = [blocks[name] for name in ("hessian", "correlation matrix") if name in blocks and blocks[name].lines]
    if not filled:
        return None
    if len(filled) == 2:
        msg = (
            f"{filled[1].where}: both [hessian] of {filled[0].where} and [correlation matrix] are filled, of which Convino "
            "ignores the second; remove the one that is not meant"
        )
        raise FileFormatError(msg)
    block = filled[0]
    rows = _rows(block)
    matrix = _symmetric(rows, block)
    where = f"{block.where}: block [{block.name}]"
    with located(where):
        information = matrix
        if block.name == "correlation matrix":
            information = definite_information(matrix, np.array([row.size for row in rows]), where="correlations")
        information = check_covariance(information, where="information", definite=True)
    return Matrix(block=block.name, where=block.where, rows={r.name: r.where for r in rows}, information=information)


def _rows(block: Block) -> list[_Row]:
    has_sizes = block.name == "correlation matrix"
    rows: list[_Row] = []
    places: dict[str, str] = {}
    for line in block.lines:
        name, *rest = cells(line)
        check_name(name, kind="an estimate or a nuisance", where=line.where)
        if name in places:
            msg = (
                f"{line.where}: row {name!r} stands twice in [{block.name}], first at {places[name]}; every name is one row"
            )
            raise DuplicateNameError(msg)
        places[name] = line.where
        at = f"{line.where}: row {name!r}"
        size = 1.0
        if has_sizes:
            size = bracketed(rest[0] if rest else "", where=f"{at}, uncertainty")
            if size <= 0:
                msg = f"{at}, uncertainty: {rest[0]} found, it must be above 0; correct it"
                raise InvalidNumberError(msg)
        numbers = [value(text, where=at) for text in rest[int(has_sizes) :]]
        rows.append(_Row(where=line.where, name=name, size=size, entries=numbers))
    return rows


def _symmetric(rows: Sequence[_Row], block: Block) -> FloatArray:
    """The full matrix from a lower triangle or a square."""
    n = len(rows)
    square = len(rows[0].entries) == n
    for i, row in enumerate(rows):
        needed = n if square else i + 1
        if len(row.entries) != needed:
            form = f"the square of {n} rows has {n}" if square else f"row {i + 1} of the lower triangle has {i + 1}"
            msg = f"{row.where}: row {row.name!r} of [{block.name}] has {len(row.entries)} entries, {form}; complete it"
            raise FileFormatError(msg)
    if block.name == "correlation matrix":
        _check_correlations(rows)
    matrix = np.zeros((n, n))
    for i, row in enumerate(rows):
        matrix[i, : len(row.entries)] = row.entries
    for row, diagonal in zip(rows, np.diag(matrix), strict=True):
        if diagonal <= 0:
            msg = f"{row.where}: the diagonal entry of {row.name!r} in [{block.name}] is {diagonal:g}, it must be above 0"
            raise InvalidMatrixError(msg)
    lower = np.tril(matrix)
    full = lower + np.tril(lower, -1).T
    if square:
        _check_symmetric(matrix, rows)
    return frozen_array(full)


def _check_symmetric(matrix: FloatArray, rows: Sequence[_Row]) -> None:
    scaled, _ = unit_diagonal(matrix)
    worst = asymmetric_entry(scaled, tolerance=0.0)
    if worst is None:
        return
    i, j = worst
    upper, lower = (float(entry) for entry in (matrix[i, j], matrix[j, i]))
    found = f"({rows[i].name}, {rows[j].name}) is {upper!r} and ({rows[j].name}, {rows[i].name}) is {lower!r}"
    if abs(scaled[i, j] - scaled[j, i]) > ROUNDING:
        msg = f"{rows[i].where}: not symmetric, {found}; correct the typing error or leave the lower triangle alone"
        raise InvalidMatrixError(msg)
    warn(rows[i].where, f"{found}, the lower triangle is taken; leave out the upper one")


def _check_correlations(rows: Sequence[_Row]) -> None:
    for i, row in enumerate(rows):
        for j, entry in enumerate(row.entries):
            at = f"{row.where}: correlation of {row.name!r} with {rows[j].name!r}"
            if i != j and abs(entry) > 1:
                msg = f"{at} is {entry:g}, it lies in [-1, 1]; correct it"
                raise InvalidMatrixError(msg)
            if i == j and abs(entry - 1) > DIAGONAL_ROUNDING:
                msg = f"{at} itself is {entry:g}, it must be 1; correct it"
                raise InvalidMatrixError(msg)
            if i == j and entry != 1:
                warn(row.where, f"the diagonal entry of {row.name!r} is {entry:g} and used as written; it should be 1")

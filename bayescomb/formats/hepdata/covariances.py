"""Covariances of the measured values from tables: statistical, total, and that of one source.

Correlations in percent, with a diagonal of 100, and covariances in another unit are converted, which a warning states.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import located
from bayescomb.base.errors import FileFormatError, InvalidMatrixError, InvalidNumberError, warn_input
from bayescomb.formats.hepdata.consistency import (
    Finding,
    correlation_findings,
    covariance_findings,
    diagonal_findings,
    entry_findings,
    normalised_findings,
    report,
)
from bayescomb.formats.hepdata.mapping import TableMapping
from bayescomb.formats.hepdata.matrices import TableMatrix, read_table_matrix
from bayescomb.formats.hepdata.record.submission import Submission
from bayescomb.formats.hepdata.record.tables import Bin
from bayescomb.formats.hepdata.record.units import PERCENT, conversion, is_percent, same_unit
from bayescomb.formats.hepdata.selection import Match, Measured, Selection
from bayescomb.inputs.measurements import systematic_shifts

__all__ = ["QuotedCovariance", "correlation_of", "source_covariance", "values_covariance"]

MAX_SLACK: Final = 0.3
# Eigenvalues below this part of the sum of their sizes count as 0.
ZERO: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class QuotedCovariance:
    """A covariance of n values.

    Attributes:
        where: the table, for messages.
        values: shape (n, n).
        slack: rounding errors of the roots of the diagonal, shape (n,).
        diagonal: whether the tables state errors alone, so that the correlations are unknown.
    """

    where: str
    values: FloatArray
    slack: FloatArray
    diagonal: bool = False


def values_covariance(
    submission: Submission,
    mapping: TableMapping,
    measured: Measured,
    kind: str,
    quoted: FloatArray | None,
    slack: FloatArray | float,
    *,
    singular: bool = False,
) -> QuotedCovariance | None:
    """A covariance of the values, from its table or from the quoted errors and a table of correlations.

    The table is checked on its own; the caller compares it with other tables.

    Args:
        submission: the tables.
        mapping: what each table holds.
        measured: the values.
        kind: ``"statistical"`` or ``"total"``.
        quoted: the errors, shape (n,), if the mapping names them.
        slack: rounding errors of the quoted errors.
        singular: whether it may be singular, as sources can give variance where it has none.

    Returns:
        ``None`` if the mapping names no such table.
    """
    key = f"{kind}_correlation" if f"{kind}_correlation" in mapping.matrices else f"{kind}_covariance"
    if key not in mapping.matrices:
        return None
    selection = mapping.matrices[key]
    with located(selection.where):
        matrix = _matrix_of_values(selection, submission, measured)
        if key.endswith("correlation"):
            assert quoted is not None  # the mapping asks for it
            matrix = correlation_of(matrix)
            found = correlation_findings(matrix.values, names=matrix.names, rounding=matrix.rounding, singular=singular)
            report(found, where=matrix.where)
            values = matrix.values * np.outer(quoted, quoted)
            rounding = matrix.rounding * np.outer(quoted, quoted)
        else:
            matrix = _in_unit_of(matrix, measured)
            values, rounding = matrix.values, matrix.rounding
            found = covariance_findings(values, names=matrix.names, rounding=rounding, singular=singular)
            report(found, where=matrix.where)
        if len(measured.rows) == len(measured.all_rows):
            report(_normalised(values, rounding, measured, stated=mapping.normalised), where=matrix.where)
    roots = np.sqrt(np.diag(values))
    own = np.zeros(len(roots)) + slack if key.endswith("correlation") else np.diag(rounding) / (2 * roots)
    return QuotedCovariance(where=matrix.where, values=values, slack=own)


def _matrix_of_values(selection: Selection, submission: Submission, measured: Measured) -> TableMatrix:
    chosen = selection.chosen(submission)
    sizes = (len(measured.rows), len(measured.all_rows)) if selection.match is Match.ORDER else ()
    matrix = read_table_matrix(chosen.table, chosen.columns, sizes=sizes if not selection.rows else ())
    if selection.rows:
        matrix = matrix.part(selection.rows)
    _check_axes(matrix, measured)
    return matrix.of_values(measured, selection.match)


def source_covariance(
    name: str, submission: Submission, mapping: TableMapping, measured: Measured, sizes: FloatArray | None
) -> tuple[str, FloatArray]:
    """The covariance of one source between the rows: its place, and F of shape (n, m) with F F^T that covariance.

    Args:
        name: a source of ``covariances`` or ``correlations``.
        submission: the tables.
        mapping: what each table holds.
        measured: the values, n of them.
        sizes: quoted errors of the source, shape (n,), ``None`` if none are quoted.

    Raises:
        InvalidMatrixError: the table is no covariance, or contradicts the quoted errors.
        FileFormatError: the table holds correlations, and no errors are quoted.
    """
    is_correlation = name in mapping.correlations
    selection = (mapping.correlations if is_correlation else mapping.covariances)[name]
    with located(selection.where):
        matrix = _matrix_of_values(selection, submission, measured)
        if is_correlation:
            if sizes is None:
                msg = f"no label or breakdown states the errors of {name!r}, whose correlations these are; name them there"
                raise FileFormatError(msg)
            matrix = correlation_of(matrix)
            report(entry_findings(matrix.values, names=matrix.names), where=matrix.where)
            exact = matrix.rounding * (1 - np.eye(len(sizes)))  # a diagonal of 1 is not rounded
            matrix = dataclasses.replace(matrix, rounding=exact).scaled(np.outer(sizes, sizes))
        else:
            matrix = _in_unit_of(matrix, measured)
            if sizes is not None:
                roots = np.sqrt(np.clip(np.diag(matrix.values), 1e-300, None))
                slack = np.diag(matrix.rounding) / (2 * roots)
                found = diagonal_findings(matrix.values, sizes, names=measured.rows, label=name, slack=slack)
                report(found, where=matrix.where)
        values = _without_rounding(matrix)
        return matrix.where, systematic_shifts(values, np.zeros_like(values), where=matrix.where)


def _without_rounding(matrix: TableMatrix) -> FloatArray:
    """The nearest positive semidefinite matrix, if rounding of the entries explains the negative eigenvalues.

    Raises:
        InvalidMatrixError: rounding does not explain them.
    """
    eigenvalues, vectors = np.linalg.eigh(matrix.values)
    moved = float(np.linalg.norm(matrix.rounding, 2))
    smallest, size = float(eigenvalues[0]), float(np.abs(eigenvalues).sum())
    if smallest >= -ZERO * size:
        return matrix.values
    what = f"{matrix.where}: indefinite, its smallest eigenvalue is {smallest:.3g}"
    if -smallest > moved:
        msg = (
            f"{what}, while the rounding of the entries explains {moved:.2g} at most; it is no covariance, correct the table"
        )
        raise InvalidMatrixError(msg)
    warn_input(f"{what}, which the rounding of the entries explains (up to {moved:.2g}); negative eigenvalues are set to 0")
    return np.asarray((vectors * np.clip(eigenvalues, 0, None)) @ vectors.T)


def correlation_of(matrix: TableMatrix) -> TableMatrix:
    """The matrix, divided by 100 if its diagonal is 100, which means percent."""
    if not (np.diag(matrix.values) == 100).all():
        return matrix
    warn_input(f"{matrix.where}: its diagonal is 100, so that the correlations are in percent; they are divided by 100")
    return matrix.scaled(0.01)


def _normalised(values: FloatArray, rounding: FloatArray, measured: Measured, *, stated: bool) -> Iterator[Finding]:
    widths = None
    if len(measured.axes) == 1 and all(isinstance(e, Bin) for e in measured.axes[0].entries):
        widths = np.array([e.high - e.low for e in measured.axes[0].entries if isinstance(e, Bin)])
    y = np.array([cell.number() for cell in measured.column.cells])
    # The relative standard deviation of the sum if all roundings add; with few digits it is large and would prove nothing.
    slack = min(float(np.sqrt(rounding.sum() / np.trace(values))), MAX_SLACK)
    return normalised_findings(values, y, widths, stated=stated, slack=slack)


def _check_axes(matrix: TableMatrix, measured: Measured) -> None:
    for own, other in zip(matrix.axes, measured.axes, strict=False):
        if len(matrix.axes) == len(measured.axes) and same_unit(own.unit, other.unit) is False:
            message = (
                f"{matrix.where}: its rows are in {own.unit!r}, those of {measured.where} in {other.unit!r}; the same "
                "numbers are taken as the same bins"
            )
            warn_input(message)


def _in_unit_of(matrix: TableMatrix, measured: Measured) -> TableMatrix:
    """The covariance in the square of the unit of the values; many tables state the unit itself for the square.

    Raises:
        InvalidNumberError: the unit cannot be converted.
    """
    unit = measured.column.unit
    at = f"{matrix.where}: the unit of the covariance is {matrix.unit!r}, that of the values {unit!r}"
    relative = is_percent(matrix.unit) or same_unit(PERCENT, matrix.unit, power=2) is True
    if relative and not is_percent(unit):
        sizes = np.abs([cell.number() for cell in measured.column.cells]) / 100
        warn_input(f"{at}; its entries are taken as percent squared, and multiplied by the values over 100")
        return matrix.scaled(np.outer(sizes, sizes))
    factor = conversion(matrix.unit, unit, power=2)
    if factor == 1.0 or same_unit(unit, matrix.unit, power=2) is None:
        return matrix
    if factor is not None:
        warn_input(f"{at}; its entries are multiplied by {factor:g}")
        return matrix.scaled(factor)
    if same_unit(unit, matrix.unit):
        warn_input(f"{at}; the square of that unit is assumed")
        return matrix
    msg = f"{at}, whose square is needed; name the table that belongs to these values"
    raise InvalidNumberError(msg)

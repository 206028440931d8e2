"""Covariances of measured values from tables of HEPData, and all that the tables state twice compared.

A fitted input from tables of HEPData: total covariance, impacts, pulls and constraints, correlation of the nuisances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.checks import located
from bayescomb.base.errors import FileFormatError, InvalidMatrixError, InvalidNumberError, UnknownNameError, warn_input
from bayescomb.formats.hepdata.breakdown import Shift, labelled_errors, symmetric_sizes
from bayescomb.formats.hepdata.consistency import (
    Finding,
    correlation_findings,
    covariance_findings,
    diagonal_findings,
    normalised_findings,
    report,
    total_findings,
)
from bayescomb.formats.hepdata.mapping import Measured, TableMapping, listed, only
from bayescomb.formats.hepdata.matrices import TableMatrix, read_table_matrix
from bayescomb.formats.hepdata.submission import Submission
from bayescomb.formats.hepdata.tables import Bin, same_unit
from bayescomb.inputs.measurements import CovarianceKind, FittedInput, Nuisance, systematic_shifts

__all__ = ["Information", "read_fit", "read_information"]

FloatArray = NDArray[np.float64]
MAX_SLACK: Final = 0.3


@dataclass(frozen=True, kw_only=True)
class _Covariance:
    """A covariance of the values, and what rounding leaves open of the roots of its diagonal.

    Where only errors are stated it is diagonal, which says nothing of the correlations.
    """

    where: str
    values: FloatArray
    slack: FloatArray
    diagonal: bool = False


@dataclass(frozen=True, kw_only=True)
class Information:
    """What the tables know of n values.

    Attributes:
        covariance: shape (n, n), ``None`` if there is a fit.
        kind: what the covariance is of.
        fit: of the values and the nuisances.
        systematic: shifts of the values by independent systematic uncertainties that no source names, shape (n, m).
    """

    covariance: FloatArray | None = None
    kind: CovarianceKind = CovarianceKind.STATISTICAL
    fit: FittedInput | None = None
    systematic: FloatArray | None = None


def read_information(
    submission: Submission, mapping: TableMapping, measured: Measured, shifts: Sequence[Shift]
) -> Information:
    """What the tables know of the values: their statistical covariance, or a fit of them and the nuisances.

    Everything that they state twice is compared first.

    Args:
        submission: the tables.
        mapping: which of them.
        measured: the values, n of them.
        shifts: the breakdown.

    A total covariance without sources stays a total; with a statistical one beside it, the difference is systematic.

    Raises:
        InvalidMatrixError: tables contradict each other, or a matrix is none; with the numbers.
        InvalidNumberError: an error is not above 0, or a unit another one.
        FileFormatError: nothing says what the statistical part is.
        UnknownNameError: rows of the tables are not the same.

    Warns:
        InputWarning: tables hold something odd; with the numbers.
    """
    quoted: FloatArray | None = None
    slack: FloatArray | float = 0.0
    if mapping.statistical:
        errors = labelled_errors(mapping.statistical, mapping, measured.column)
        quoted = symmetric_sizes(errors, mapping, what=f"the error {mapping.statistical!r}")
        if (quoted <= 0).any():
            msg = f"{mapping.where}.statistical: {quoted.min():g} found, a statistical error is above 0; correct the label"
            raise InvalidNumberError(msg)
        slack = np.array([e.rounding for e in errors])
    statistical = _covariance(submission, mapping, measured, "statistical", quoted, slack)
    if statistical is not None and quoted is not None:
        found = diagonal_findings(
            statistical.values, quoted, names=measured.rows, label=mapping.statistical, slack=statistical.slack + slack
        )
        report(found, where=statistical.where)
    elif quoted is not None:
        statistical = _Covariance(where=measured.where, values=np.diag(quoted**2), slack=np.zeros(len(quoted)) + slack)
    total = _total(submission, mapping, measured)
    if mapping.pulls is not None:
        if total is None or total.diagonal:
            msg = (
                f"{mapping.where}: with pulls the covariance of the values is that after the fit; name it by "
                "total_covariance, or total_correlation with total"
            )
            raise FileFormatError(msg)
        with located(mapping.where):
            fit = read_fit(submission, mapping, measured, shifts, total.values)
        if statistical is not None:
            conditional = np.linalg.inv(fit.information[: len(measured.rows), : len(measured.rows)])
            nothing = np.zeros((len(conditional), 0))
            where = f"{mapping.where}: what the fit leaves at fixed nuisances"
            report(
                total_findings(conditional, statistical.values, nothing, nothing, names=measured.rows, slack=total.slack),
                where=where,
            )
        return Information(fit=fit)
    up = np.array([s.up for s in shifts]).reshape(-1, len(measured.rows)).T
    down = np.array([s.down for s in shifts]).reshape(-1, len(measured.rows)).T
    known = total is not None and (not total.diagonal or len(measured.rows) == 1)  # correlations included
    if total is not None and statistical is not None and known and not shifts:
        return Information(
            covariance=statistical.values, systematic=systematic_shifts(total.values, statistical.values, where=total.where)
        )
    if total is not None and statistical is not None:
        both = total.slack + statistical.slack
        report(
            total_findings(total.values, statistical.values, up, down, names=measured.rows, slack=both), where=total.where
        )
    if statistical is not None:
        return Information(covariance=statistical.values)
    if total is None or not known:
        msg = (
            f"{mapping.where}: nothing says what the statistical part is; name the label of the errors (statistical), or a "
            "table (statistical_covariance, or total_covariance, of which it is what the sources leave)"
        )
        raise FileFormatError(msg)
    if not shifts:
        return Information(covariance=total.values, kind=CovarianceKind.TOTAL)
    middle = (up - down) / 2
    rest = total.values - middle @ middle.T
    report(covariance_findings(rest, names=measured.rows), where=f"{total.where} without the {len(shifts)} sources")
    return Information(covariance=rest)


def _total(submission: Submission, mapping: TableMapping, measured: Measured) -> _Covariance | None:
    if not mapping.total:
        return _covariance(submission, mapping, measured, "total", None, 0.0)
    errors = labelled_errors(mapping.total, mapping, measured.column)
    quoted = symmetric_sizes(errors, mapping, what=f"the error {mapping.total!r}")
    slack = np.array([e.rounding for e in errors])
    total = _covariance(submission, mapping, measured, "total", quoted, slack)
    if total is not None:
        found = diagonal_findings(total.values, quoted, names=measured.rows, label=mapping.total, slack=total.slack + slack)
        report(found, where=total.where)
        return total
    return _Covariance(
        where=f"{measured.where}, errors {mapping.total!r}", values=np.diag(quoted**2), slack=slack, diagonal=True
    )


def _covariance(
    submission: Submission,
    mapping: TableMapping,
    measured: Measured,
    kind: str,
    quoted: FloatArray | None,
    slack: FloatArray | float,
) -> _Covariance | None:
    """A covariance, from its table or from that of the correlations; checked on its own."""
    key = f"{kind}_correlation" if f"{kind}_correlation" in mapping.matrices else f"{kind}_covariance"
    if key not in mapping.matrices:
        return None
    selection = mapping.matrices[key]
    chosen = selection.chosen(submission)
    with located(selection.where):
        matrix = read_table_matrix(chosen.table, chosen.columns)
        whose = measured.where
        rows = measured.rows if set(matrix.names) == set(measured.rows) else measured.all_rows
        matrix = matrix.ordered(rows, whose=whose).part(measured.rows)
        _check_axes(matrix, measured)
        if key.endswith("correlation"):
            assert quoted is not None  # the mapping asks for it
            report(correlation_findings(matrix.values, names=matrix.names, rounding=matrix.rounding), where=matrix.where)
            values = matrix.values * np.outer(quoted, quoted)
            rounding = matrix.rounding * np.outer(quoted, quoted)
        else:
            _check_matrix_unit(matrix, measured)
            values, rounding = matrix.values, matrix.rounding
            report(covariance_findings(values, names=matrix.names, rounding=rounding), where=matrix.where)
        if not mapping.leave_out:
            report(_normalised(values, rounding, measured, stated=mapping.normalised), where=matrix.where)
    roots = np.sqrt(np.diag(values))
    own = np.zeros(len(roots)) + slack if key.endswith("correlation") else np.diag(rounding) / (2 * roots)
    return _Covariance(where=matrix.where, values=values, slack=own)


def _normalised(values: FloatArray, rounding: FloatArray, measured: Measured, *, stated: bool) -> Iterator[Finding]:
    widths = None
    if len(measured.axes) == 1 and all(isinstance(e, Bin) for e in measured.axes[0].entries):
        widths = np.array([e.high - e.low for e in measured.axes[0].entries if isinstance(e, Bin)])
    y = np.array([cell.number() for cell in measured.column.cells])
    # Of the relative standard deviation of the sum, as the roundings of the entries add at worst; few digits prove nothing.
    slack = min(float(np.sqrt(rounding.sum() / np.trace(values))), MAX_SLACK)
    return normalised_findings(values, y, widths, stated=stated, slack=slack)


def _check_axes(matrix: TableMatrix, measured: Measured) -> None:
    for own, other in zip(matrix.axes, measured.axes, strict=False):
        if len(matrix.axes) == len(measured.axes) and same_unit(own.unit, other.unit) is False:
            message = (
                f"{matrix.where}: its rows are in {own.unit!r}, those of {measured.where} in {other.unit!r}; the same "
                "numbers are taken for the same bins"
            )
            warn_input(message)


def _check_matrix_unit(matrix: TableMatrix, measured: Measured) -> None:
    """The square of the unit of the values; the unit itself is often written for it.

    Raises:
        InvalidNumberError: it is another one.
    """
    unit = measured.column.unit
    if same_unit(unit, matrix.unit, power=2) is not False:
        return
    at = f"{matrix.where}: the unit of the covariance is {matrix.unit!r}, that of the values {unit!r}"
    if same_unit(unit, matrix.unit):
        warn_input(f"{at}, of which it is taken to be the square")
        return
    msg = f"{at}, whose square is needed; name the table that belongs to these values"
    raise InvalidNumberError(msg)


def read_fit(
    submission: Submission, mapping: TableMapping, measured: Measured, shifts: Sequence[Shift], total: FloatArray
) -> FittedInput:
    r"""The fit of n values and m nuisances.

    With the impacts g (shift of a value when the nuisance moves by its post-fit uncertainty c, the other nuisances
    following), the covariance of values and nuisances is g c, of the sign of the shift, and that of the nuisances rho c c.

    Args:
        submission: the tables.
        mapping: which of them; ``pulls`` and ``nuisance_correlation`` are given.
        measured: the values.
        shifts: the impacts.
        total: covariance of the values after the fit, shape (n, n).

    Raises:
        UnknownNameError: the nuisances of the tables are not the same; the message says which are where.
        InvalidNumberError: a constraint is not above 0, or an impact two-sided.
        InvalidMatrixError: the correlations, or all together, are not those of a fit.
    """
    pulls, constraints = _pulls(submission, mapping)
    selection = mapping.matrices["nuisance_correlation"]
    chosen = selection.chosen(submission)
    matrix = read_table_matrix(chosen.table, chosen.columns)
    impacts = {s.name.removeprefix(mapping.prefix): s for s in shifts}
    names = list(pulls)
    _require_same({"pulls": names, "nuisance_correlation": list(matrix.names), "breakdown and labels": list(impacts)})
    correlation = matrix.ordered(names, whose="pulls")
    report(correlation_findings(correlation.values, names=names, rounding=correlation.rounding), where=correlation.where)
    g = np.column_stack([_one_sided(impacts[name], mapping) for name in names])
    c = np.array([constraints[name] for name in names])
    covariance = np.block([[total, g * c], [(g * c).T, correlation.values * np.outer(c, c)]])
    where = f"covariance of the values and {len(names)} nuisances, of {measured.where} and {matrix.where}"
    report(covariance_findings(covariance, names=[*measured.rows, *names]), where=where)
    information = np.linalg.inv(covariance)
    return FittedInput(
        nuisances=tuple(Nuisance(name=f"{mapping.prefix}{name}") for name in names),
        information=(information + information.T) / 2,
        pulls=np.array([pulls[name] for name in names]),
    )


def _pulls(submission: Submission, mapping: TableMapping) -> tuple[dict[str, float], dict[str, float]]:
    """Post-fit value and uncertainty of each nuisance, in units of its prior width."""
    selection = mapping.pulls
    assert selection is not None  # the mapping has them
    chosen = selection.chosen(submission)
    where = f"{selection.where}: table {chosen.table.name!r}"
    columns = chosen.columns
    constraint = None
    if selection.constraint:
        constraint = only(selection.named(chosen.table, chosen.table.columns, selection.constraint), where=where)
        columns = tuple(c for c in columns if c is not constraint)
    column = only(columns, where=where)
    pulls: dict[str, float] = {}
    constraints: dict[str, float] = {}
    for i, name in enumerate(chosen.table.rows):
        cell = column.cells[i]
        if name in pulls:
            msg = f"{where}: nuisance {name!r} stands twice; keep one"
            raise InvalidMatrixError(msg)
        if constraint is None and len(cell.errors) != 1:
            msg = f"{cell.where}: {len(cell.errors)} errors found, the constraint is needed as one, or a column 'constraint'"
            raise FileFormatError(msg)
        if constraint is not None:
            size = constraint.cells[i].number()
        else:
            error = cell.errors[0]
            if error.up != -error.down and not mapping.symmetrise:
                msg = (
                    f"{cell.where}: the constraint is two-sided ({error.up:+g}, {error.down:+g}); say symmetrise = true to "
                    "take half the distance between the two"
                )
                raise InvalidNumberError(msg)
            size = error.symmetrised
        if size <= 0:
            msg = f"{cell.where}: constraint {size:g} found, it is a post-fit over a prior width and above 0; correct it"
            raise InvalidNumberError(msg)
        pulls[name], constraints[name] = cell.number(), size
    return pulls, constraints


def _require_same(names: dict[str, list[str]]) -> None:
    """The nuisances are those of the pulls everywhere."""
    pulled = names["pulls"]
    parts = []
    for key, found in names.items():
        more, fewer = [n for n in found if n not in pulled], [n for n in pulled if n not in found]
        if more:
            parts.append(f"{len(more)} of {key} not among the pulls ({listed(more[:5])})")
        if fewer:
            parts.append(f"{len(fewer)} of the pulls not in {key} ({listed(fewer[:5])})")
    if parts:
        msg = (
            f"the nuisances of the tables are not the same: {'; '.join(parts)}; each needs a pull, a row of the matrix and "
            "a shift"
        )
        raise UnknownNameError(msg)


def _one_sided(shift: Shift, mapping: TableMapping) -> FloatArray:
    odd = np.flatnonzero(shift.up != -shift.down)
    if odd.size and not mapping.symmetrise:
        i = int(odd[0])
        msg = (
            f"{shift.where}: the impact of {shift.name!r} is two-sided in {odd.size} rows ({shift.up[i]:+g}, "
            f"{shift.down[i]:+g} in the first), where a fit takes one; "
            "say symmetrise = true to take half the distance between the two"
        )
        raise InvalidNumberError(msg)
    return (shift.up - shift.down) / 2

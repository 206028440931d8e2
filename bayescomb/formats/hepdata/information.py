"""Covariance of measured values, or the fit of the values and their nuisances, from tables of HEPData.

A fit is the total covariance, the impacts, pulls and constraints, and the correlation of the nuisances.  Figures that the
tables state twice are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import located
from bayescomb.base.errors import FileFormatError, InvalidMatrixError, InvalidNumberError, UnknownNameError, warn_input
from bayescomb.base.numerics import information_of, unit_diagonal
from bayescomb.formats.hepdata.breakdown import Shift, responses_of
from bayescomb.formats.hepdata.consistency import (
    correlation_findings,
    covariance_findings,
    diagonal_findings,
    report,
    total_findings,
)
from bayescomb.formats.hepdata.covariances import QuotedCovariance, correlation_of, values_covariance
from bayescomb.formats.hepdata.mapping import ErrorPlace, TableMapping, error_name
from bayescomb.formats.hepdata.matrices import read_table_matrix
from bayescomb.formats.hepdata.quoted import quoted_errors, symmetric_sizes
from bayescomb.formats.hepdata.record.submission import Submission, listed
from bayescomb.formats.hepdata.selection import Measured, matches, only
from bayescomb.inputs.measurements import CovarianceKind, FittedInput, Nuisance, systematic_shifts

__all__ = ["Information", "read_fit", "read_information"]


@dataclass(frozen=True, kw_only=True)
class Information:
    """Covariance or fit of n values.

    Attributes:
        covariance: shape (n, n), ``None`` if there is a fit.
        kind: whether the covariance is statistical or total.
        fit: the fit of the values and the nuisances.
        systematic: shifts of the values by independent systematic uncertainties that no source names, shape (n, m).
    """

    covariance: FloatArray | None = None
    kind: CovarianceKind = CovarianceKind.STATISTICAL
    fit: FittedInput | None = None
    systematic: FloatArray | None = None


def read_information(
    submission: Submission, mapping: TableMapping, measured: Measured, shifts: Sequence[Shift]
) -> Information:
    """The statistical covariance of the values, or the fit of them and the nuisances.

    A total covariance without sources stays a total; if there is a statistical one too, the difference is systematic.

    Args:
        submission: the tables.
        mapping: what each table holds.
        measured: the values, n of them.
        shifts: the breakdown.

    Raises:
        InvalidMatrixError: tables contradict each other, or a matrix is no covariance or correlation.
        InvalidNumberError: an error is not above 0, or a unit cannot be converted.
        FileFormatError: the statistical part is not stated.
        UnknownNameError: rows of the tables are not the same.

    Warns:
        InputWarning: tables differ a little, or hold odd figures.
    """
    singular = bool(shifts) and mapping.pulls is None
    statistical = _stated("statistical", mapping.statistical, submission, mapping, measured, singular=singular)
    totals = () if mapping.total is None else (mapping.total,)
    total = _stated("total", totals, submission, mapping, measured)
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
            where = f"{mapping.where}: covariance of the fit at fixed nuisances"
            report(
                total_findings(conditional, statistical.values, nothing, nothing, names=measured.rows, slack=total.slack),
                where=where,
            )
        return Information(fit=fit)
    up, down = responses_of(shifts, len(measured.rows))
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
            f"{mapping.where}: the statistical part is not stated; name the label of the errors (statistical), or a table "
            "(statistical_covariance, or total_covariance, from which the sources are subtracted)"
        )
        raise FileFormatError(msg)
    if not shifts:
        return Information(covariance=total.values, kind=CovarianceKind.TOTAL)
    middle = (up - down) / 2
    rest = total.values - middle @ middle.T
    report(
        covariance_findings(rest, names=measured.rows, singular=True),
        where=f"{total.where} without the {len(shifts)} sources",
    )
    return Information(covariance=rest)


def _quoted(
    places: Sequence[ErrorPlace], submission: Submission, mapping: TableMapping, measured: Measured
) -> tuple[FloatArray, FloatArray]:
    """Sum of errors in quadrature, shape (n,), and its rounding errors."""
    sizes, halves = [], []
    for place in places:
        errors = quoted_errors(place, submission, mapping, measured)
        sizes.append(symmetric_sizes(errors, mapping, name=error_name(place)))
        if (sizes[-1] < 0).any():
            name = error_name(place)
            msg = f"{mapping.where}: error {name!r} is {sizes[-1].min():g}, it must not be negative; correct it"
            raise InvalidNumberError(msg)
        halves.append([e.rounding for e in errors])
    total = np.sqrt((np.array(sizes) ** 2).sum(axis=0))
    return total, (np.abs(sizes) * np.array(halves)).sum(axis=0) / np.maximum(total, 1e-300)


def _stated(
    kind: str,
    places: Sequence[ErrorPlace],
    submission: Submission,
    mapping: TableMapping,
    measured: Measured,
    *,
    singular: bool = False,
) -> QuotedCovariance | None:
    """The statistical or total covariance, compared with the quoted errors; without a table the squares of the errors."""
    if not places:
        return values_covariance(submission, mapping, measured, kind, None, 0.0, singular=singular)
    quoted, slack = _quoted(places, submission, mapping, measured)
    if kind == "statistical" and (quoted <= 0).any():
        msg = f"{mapping.where}.statistical: {quoted.min():g} found, a statistical error is above 0; correct the label"
        raise InvalidNumberError(msg)
    found = values_covariance(submission, mapping, measured, kind, quoted, slack, singular=singular)
    label = " and ".join(map(error_name, places))
    if found is None:
        where = f"{measured.where}, errors {label!r}"
        return QuotedCovariance(where=where, values=np.diag(quoted**2), slack=slack, diagonal=True)
    findings = diagonal_findings(found.values, quoted, names=measured.rows, label=label, slack=found.slack + slack)
    report(findings, where=found.where)
    return found


def read_fit(
    submission: Submission, mapping: TableMapping, measured: Measured, shifts: Sequence[Shift], total: FloatArray
) -> FittedInput:
    r"""The fit of n values and m nuisances.

    With the impacts g (shift of a value when the nuisance moves by its post-fit uncertainty c, the other nuisances
    following), the covariance of values and nuisances is g c, of the sign of the shift, and that of the nuisances rho c c.
    Tables may state that covariance itself.  Where rho is not published the unit matrix is taken for it, with a warning.

    Args:
        submission: the tables.
        mapping: what each table holds; it has ``pulls`` and, unless the input is approximate, ``nuisance_correlation``.
        measured: the values.
        shifts: the impacts.
        total: covariance of the values after the fit, shape (n, n).

    Raises:
        UnknownNameError: the nuisances of the tables are not the same; the message lists the differences.
        InvalidNumberError: a constraint is not above 0, or an impact two-sided.
        InvalidMatrixError: the correlations, or the covariance of values and nuisances, are not positive definite.
    """
    pulls, constraints = _pulls(submission, mapping)
    impacts = {s.name.removeprefix(mapping.prefix): s for s in shifts}
    names = list(pulls)
    c = np.array([constraints[name] for name in names])
    rho, of_rho = _nuisance_correlation(submission, mapping, names, list(impacts))
    g = np.column_stack([_one_sided(impacts[name], mapping) for name in names])
    both = g if mapping.nuisance_covariance else g * c
    covariance = np.block([[total, both], [both.T, rho * np.outer(c, c)]])
    where = f"covariance of the values and {len(names)} nuisances, of {measured.where} and {of_rho}"
    report(covariance_findings(covariance, names=[*measured.rows, *names]), where=where)
    return FittedInput(
        nuisances=tuple(Nuisance(name=f"{mapping.prefix}{name}") for name in names),
        information=information_of(*unit_diagonal(covariance)),
        pulls=np.array([pulls[name] for name in names]),
    )


def _nuisance_correlation(
    submission: Submission, mapping: TableMapping, names: Sequence[str], impacts: Sequence[str]
) -> tuple[FloatArray, str]:
    """Correlation of the nuisances after the fit, and its place."""
    kinds = {"pulls": list(names), "breakdown and labels": list(impacts)}
    if mapping.approximate:
        _require_same(kinds)
        message = (
            f"{mapping.where}: approximate input: the correlations of its {len(names)} nuisances after the fit "
            "are not stated and are taken for 0"
        )
        warn_input(message)
        return np.eye(len(names)), "nuisances without correlations"
    selection = mapping.matrices["nuisance_correlation"]
    chosen = selection.chosen(submission)
    matrix = correlation_of(read_table_matrix(chosen.table, chosen.columns))
    _require_same({"pulls": list(names), "nuisance_correlation": list(matrix.names), "breakdown and labels": list(impacts)})
    matrix = matrix.ordered(names, whose="pulls")
    report(correlation_findings(matrix.values, names=names, rounding=matrix.rounding), where=matrix.where)
    return matrix.values, matrix.where


def _pulls(submission: Submission, mapping: TableMapping) -> tuple[dict[str, float], dict[str, float]]:
    """Post-fit value and uncertainty of each nuisance, in units of its prior width."""
    selection = mapping.pulls
    assert selection is not None  # the mapping requires them
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
            if error.up != -error.down and not matches(mapping.symmetrise, name):
                msg = (
                    f"{cell.where}: the constraint is two-sided ({error.up:+g}, {error.down:+g}); set symmetrise = true to "
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
    """Refuse tables whose nuisances are not those of the pulls."""
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
    if odd.size and not matches(mapping.symmetrise, shift.name):
        i = int(odd[0])
        msg = (
            f"{shift.where}: the impact of {shift.name!r} is two-sided in {odd.size} rows ({shift.up[i]:+g}, "
            f"{shift.down[i]:+g} in the first), where a fit takes one; "
            "set symmetrise = true to take half the distance between the two"
        )
        raise InvalidNumberError(msg)
    return (shift.up - shift.down) / 2

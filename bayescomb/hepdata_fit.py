"""A fitted input from tables of HEPData: total covariance, impacts, pulls and constraints, correlation of the nuisances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayescomb.errors import FileFormatError, InvalidMatrixError, InvalidNumberError, UnknownNameError
from bayescomb.hepdata_breakdown import Shift
from bayescomb.hepdata_checks import correlation_findings, covariance_findings, report
from bayescomb.hepdata_mapping import Measured, TableMapping, listed, only
from bayescomb.hepdata_matrices import read_table_matrix
from bayescomb.hepdata_submission import Submission
from bayescomb.measurements import FittedInput, Nuisance

__all__ = ["read_fit"]

FloatArray = NDArray[np.float64]


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

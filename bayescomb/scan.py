"""Scans of the correlation coefficients over their ranges, one at a time, the others at nominal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescomb.correlation import CorrelationFamily, correlation_family
from bayescomb.errors import InfeasibleCorrelationError
from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import LinearModel, linear_model, solve
from bayescomb.repair import feasible_correlation

__all__ = ["ScanResult", "ScanRow", "scan", "scan_curve"]


@dataclass(frozen=True, kw_only=True)
class ScanRow:
    """One coefficient at the ends of its range.

    Attributes:
        name, title: of the coefficient.
        low, nominal, high: its range.
        half_shift: half of value(high) - value(low), dim ``parameter``, in the unit of the parameter; ``None`` if an end
            is infeasible.
        half_error_shift: half of error(high) - error(low), likewise.
        problem: why there is no number, empty if there is one.
        published_half_shift, published_half_error_shift: what a publication quotes, as text, empty if nothing.
    """

    name: str
    title: str
    low: float
    nominal: float
    high: float
    half_shift: xr.DataArray | None
    half_error_shift: xr.DataArray | None
    problem: str = ""
    published_half_shift: str = ""
    published_half_error_shift: str = ""


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """One row per coefficient that has a range."""

    combination: Combination
    rows: tuple[ScanRow, ...]


def scan(combination: Combination) -> ScanResult:
    """Profile at both ends of every coefficient's range, the others at nominal.

    Examples:
        >>> import bayescomb as bc
        >>> rows = {row.name: row for row in bc.scan(bc.load("models/run1_mass")).rows}
        >>> f"{1000 * rows['LHCbJES'].half_shift.item():.1f} MeV"
        '-26.0 MeV'
    """
    family, model = correlation_family(combination), linear_model(combination)
    rows = []
    for index, coefficient in enumerate(family.coefficients):
        if not coefficient.varied:
            continue
        low, high = coefficient.range
        shifts: tuple[xr.DataArray | None, xr.DataArray | None] = (None, None)
        problem = ""
        try:
            values, errors = _curve(combination, family, model, index, np.array([low, high]))
            shifts = (
                (values.isel(point=1) - values.isel(point=0)) / 2,
                (errors.isel(point=1) - errors.isel(point=0)) / 2,
            )
        except InfeasibleCorrelationError as error:
            problem = str(error)
        rows.append(
            ScanRow(
                name=coefficient.name,
                title=coefficient.title,
                low=low,
                nominal=coefficient.nominal,
                high=high,
                half_shift=shifts[0],
                half_error_shift=shifts[1],
                problem=problem,
                published_half_shift=coefficient.published_half_shift,
                published_half_error_shift=coefficient.published_half_error_shift,
            )
        )
    return ScanResult(combination=combination, rows=tuple(rows))


def scan_curve(combination: Combination, *, index: int, points: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    """Values and errors of the parameters along one coefficient, the others at nominal.

    Args:
        combination: what to combine.
        index: position of the coefficient in the assumption set.
        points: values of the coefficient, shape (n,).

    Returns:
        Values and errors, dims ``parameter``, ``point``.

    Raises:
        InfeasibleCorrelationError: a point leaves the feasible set.
    """
    return _curve(combination, correlation_family(combination), linear_model(combination), index, points)


def _curve(
    combination: Combination, family: CorrelationFamily, model: LinearModel, index: int, points: np.ndarray
) -> tuple[xr.DataArray, xr.DataArray]:
    values, errors = [], []
    for point in points:
        coefficients = family.nominal
        coefficients[index] = point
        solution = solve(model, feasible_correlation(combination, family, coefficients)[0])
        values.append(solution.values)
        errors.append(np.sqrt(np.diag(solution.covariance)))
    coords = {"parameter": list(model.parameters), "point": np.asarray(points, dtype=float)}
    dims = ("parameter", "point")
    return (
        xr.DataArray(np.transpose(values), dims=dims, coords=coords, name="value"),
        xr.DataArray(np.transpose(errors), dims=dims, coords=coords, name="error"),
    )

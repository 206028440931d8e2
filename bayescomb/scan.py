"""Scans of the correlation coefficients over their ranges, one at a time or by group, the others at nominal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescomb.assumptions import CorrelationCoefficient
from bayescomb.checks import check_count, expects
from bayescomb.derived import DerivedSolution
from bayescomb.errors import InfeasibleCorrelationError
from bayescomb.extraction_fit import fit_extraction
from bayescomb.fit import Fit, Fitter
from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import LinearModel, Solution, integrate_out, solve
from bayescomb.normalisation import normalised_fit
from bayescomb.progress import finished_parts, tracked
from bayescomb.repair import feasible_correlation
from bayescomb.threads import single_threaded

__all__ = ["POINTS", "ScanPoint", "ScanResult", "ScanRow", "scan", "scan_curve", "scan_slopes"]

FloatArray = NDArray[np.float64]

# As many as Convino: both ends and four in between.
POINTS = 6
# Of the range: far above rounding, and the curvature of a coefficient's effect is of second order in it.
SLOPE_STEP = 0.01


@dataclass(frozen=True, kw_only=True)
class ScanPoint:
    """One point of a scan.

    Attributes:
        coefficients: name -> value of the coefficients that are scanned together.
        chi2: minimum of chi2, the inputs' own pulls included; ``None`` if the point is infeasible.
        values, errors: dim ``parameter``, in the units of the parameters; ``None`` if the point is infeasible.
        problem: why there is no number, empty if there is one.
    """

    coefficients: Mapping[str, float]
    chi2: float | None = None
    values: xr.DataArray | None = None
    errors: xr.DataArray | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ScanRow:
    """One coefficient, or one group of coefficients that move together, over its range.

    Attributes:
        name, title: of the coefficient or the group.
        low, nominal, high: of the (first) coefficient; low is where the scan starts.
        half_shift: half of value(high) - value(low), dim ``parameter``, in the unit of the parameter; ``None`` if an end
            is infeasible.
        half_error_shift: half of error(high) - error(low), likewise.
        problem: why there is no number, empty if there is one.
        points: equidistant points from low to high, the ends included.
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
    points: tuple[ScanPoint, ...] = field(default=())
    published_half_shift: str = ""
    published_half_error_shift: str = ""


@dataclass(frozen=True, kw_only=True)
class ScanResult:
    """One row per coefficient, or group of them, that has a range; the first of them if it was interrupted."""

    combination: Combination
    rows: tuple[ScanRow, ...]
    interrupted: bool = False


@expects(combination="combination")
@single_threaded
def scan(combination: Combination, *, points: int = POINTS, progress: bool | None = None) -> ScanResult:
    """Profile along every coefficient's range, the others at nominal; coefficients of one scan group move together.

    Args:
        combination: what to combine.
        points: equidistant points of each scan, both ends included.
        progress: show a progress bar; by default in a terminal and in a notebook.  Ctrl-C keeps what is finished.

    Raises:
        KeyboardInterrupt: interrupted before a coefficient was finished.
        OptionError: fewer than 2 points.

    Examples:
        >>> import bayescomb as bc
        >>> rows = {row.name: row for row in bc.scan(bc.load("models/run1_mass")).rows}
        >>> f"{1000 * rows['LHCbJES'].half_shift.item():.1f} MeV"
        '-26.0 MeV'
    """
    check_count(points, least=2, where="points of a scan")
    scanner = _Scanner(combination)
    coefficients = scanner.fitter.family.coefficients
    groups: dict[str, list[int]] = {}
    for index, coefficient in enumerate(coefficients):
        if coefficient.varied:
            key = f"group {coefficient.scan_group}" if coefficient.scan_group else f"single {index}"
            groups.setdefault(key, []).append(index)
    steps = tracked(list(groups.values()), "scan", progress=progress)
    rows, interrupted = finished_parts((scanner.row(members, points) for members in steps), "coefficients of the scan")
    return ScanResult(combination=combination, rows=rows, interrupted=interrupted)


@single_threaded
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
    scanner = _Scanner(combination)
    name = scanner.fitter.family.coefficients[index].name
    found = [scanner.point([index], np.array([value])) for value in points]
    for at in found:
        if at.values is None:
            msg = f"coefficient {name!r}, point {at.coefficients[name]:g}: {at.problem}"
            raise InfeasibleCorrelationError(msg)
    axis = xr.DataArray(np.asarray(points, dtype=float), dims="point", name="point")
    values, errors = (
        xr.concat([getattr(at, key) for at in found], dim=axis, join="exact", combine_attrs="drop").transpose(
            "parameter", "point"
        )
        for key in ("values", "errors")
    )
    return values.rename("value"), errors.rename("error")


@single_threaded
def scan_slopes(combination: Combination) -> xr.DataArray:
    """Derivative of every parameter by every coefficient with a range, the others at nominal.

    Returns:
        Dims ``coefficient``, ``parameter``, in the unit of the parameter; NaN where nominal is infeasible.
    """
    scanner = _Scanner(combination)
    family = scanner.fitter.family
    varied = [i for i, c in enumerate(family.coefficients) if c.varied]
    rows = []
    for index in varied:
        coefficient = family.coefficients[index]
        low, high = coefficient.range
        step = SLOPE_STEP * (high - low)
        # On one side only where nominal is at an end of the range, or of the feasible set.
        found = [scanner.point([index], np.array([coefficient.nominal + s])) for s in (-step, 0.0, step)]
        inside = [(s, at.values) for s, at in zip((-step, 0.0, step), found, strict=True) if at.values is not None]
        rows.append((inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0]) if len(inside) > 1 else None)
    names = [family.coefficients[i].name for i in varied]
    parameters = [*(o.name for o in combination.results), *(n.name for n in combination.nuisances if n.free)]
    values = [np.full(len(parameters), np.nan) if row is None else row.to_numpy() for row in rows]
    table = np.array(values).reshape(len(names), len(parameters))
    return xr.DataArray(
        table, dims=("coefficient", "parameter"), coords={"coefficient": names, "parameter": parameters}, name="slope"
    )


def _ends(coefficient: CorrelationCoefficient, *, grouped: bool) -> tuple[float, float]:
    """Start and stop; a coefficient alone always goes up."""
    low, high = coefficient.range
    return (high, low) if grouped and coefficient.descending else (low, high)


class _Scanner:
    """Fits at many coefficients of one combination."""

    def __init__(self, combination: Combination) -> None:
        self.combination = combination
        self.fitter = Fitter(combination)
        self._reduced: tuple[LinearModel, NDArray[np.intp]] | None = None

    def reduced(self, correlation: FloatArray) -> tuple[LinearModel, NDArray[np.intp]]:
        """The linear model with every nuisance integrated whose prior no range changes, and the positions of the others.

        The priors of the integrated ones are the same in the correlation of every point, so the first one serves all.
        """
        if self._reduced is None:
            family = self.fitter.family
            varied = [i for i, c in enumerate(family.coefficients) if c.varied]
            members = [b.nuisances for b in family.blocks if np.isin(b.coefficients, varied).any()]
            kept = np.sort(np.concatenate(members)) if members else np.zeros(0, dtype=np.intp)
            self._reduced = integrate_out(self.fitter.linear, kept, correlation), kept
        return self._reduced

    @cached_property
    def nominal(self) -> Fit | None:
        """The nominal fit, where numerical fits begin; ``None`` if it is infeasible."""
        try:
            return self.fitter.fit(self.fitter.correlation()[0], errors="hesse")
        except InfeasibleCorrelationError:
            return None

    def row(self, members: list[int], points: int) -> ScanRow:
        family = self.fitter.family
        chosen = [family.coefficients[i] for i in members]
        first, grouped = chosen[0], len(members) > 1
        ends = np.array([_ends(c, grouped=grouped) for c in chosen])
        found = tuple(
            self.point(members, ends[:, 0] + share * (ends[:, 1] - ends[:, 0])) for share in np.linspace(0, 1, points)
        )
        start, stop = found[0], found[-1]
        shifts: tuple[xr.DataArray | None, xr.DataArray | None] = (None, None)
        if start.values is not None and stop.values is not None and start.errors is not None and stop.errors is not None:
            shifts = ((stop.values - start.values) / 2, (stop.errors - start.errors) / 2)
        return ScanRow(
            name=first.scan_group if grouped else first.name,
            title="" if grouped else first.title,
            low=float(ends[0, 0]),
            nominal=first.nominal,
            high=float(ends[0, 1]),
            half_shift=shifts[0],
            half_error_shift=shifts[1],
            problem=start.problem or stop.problem,
            points=found,
            published_half_shift="" if grouped else first.published_half_shift,
            published_half_error_shift="" if grouped else first.published_half_error_shift,
        )

    def point(self, members: list[int], values: FloatArray) -> ScanPoint:
        """The fit with some coefficients at values, the others at nominal."""
        family = self.fitter.family
        coefficients = family.nominal
        coefficients[members] = values
        at = {family.coefficients[i].name: float(value) for i, value in zip(members, values, strict=True)}
        try:
            fit = self._fit(coefficients)
        except InfeasibleCorrelationError as error:
            return ScanPoint(coefficients=at, problem=str(error))
        if self.combination.normalise:
            fit, _ = normalised_fit(self.combination, fit)
        coords = {"parameter": list(fit.parameters)}
        return ScanPoint(
            coefficients=at,
            chi2=fit.chi2,
            values=xr.DataArray(fit.values, dims="parameter", coords=coords, name="value"),
            errors=xr.DataArray(fit.errors, dims="parameter", coords=coords, name="error"),
        )

    def _fit(self, coefficients: FloatArray) -> Fit:
        correlation, _ = feasible_correlation(self.combination, self.fitter.family, coefficients)
        if self.combination.errors_on_errors:
            return self.fitter.fit(self.fitter.with_theory(correlation), errors="hesse")
        if not self.combination.quadratic:
            return self.fitter.fit(correlation, errors="hesse", near=self.nominal)
        model, kept = self.reduced(correlation)
        inner, prediction = correlation[np.ix_(kept, kept)], self.fitter.theory
        solution: Solution | DerivedSolution
        if prediction is None:
            solution = solve(model, inner)
            chi2 = solution.chi2
        else:
            prior = self.fitter.with_theory(inner)
            fitted = fit_extraction(prediction, model, mean=np.zeros(len(prior)), correlation=prior, errors="hesse")
            solution, chi2 = fitted.solution, fitted.chi2
        error = np.sqrt(np.diag(solution.covariance))
        return Fit(
            parameters=solution.parameters,
            nuisances=(),
            values=solution.values,
            covariance=solution.covariance,
            up=error,
            down=-error,
            chi2=chi2,
            pulls=np.zeros(0),
            nuisance_variance=np.zeros(0),
            cross_covariance=np.zeros((len(error), 0)),
            solution=solution,
        )

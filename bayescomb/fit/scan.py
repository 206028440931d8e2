"""Scans of the correlation coefficients over their ranges, one at a time or by group, the others at nominal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import check_count, expects
from bayescomb.base.choices import SCAN_POINTS
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.base.numerics import correlation_of, single_threaded
from bayescomb.base.progress import finished_parts, tracked
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.fit.fit_result import Fit
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.fit.functions import with_functions
from bayescomb.fit.minimise.bounds import positions, within_bounds
from bayescomb.fit.minimise.extraction import fit_extraction
from bayescomb.inputs.assumptions import CorrelationCoefficient
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import feasible_correlation, indefinite_blocks
from bayescomb.likelihood.linear_gaussian import LinearModel, integrate_out, solve

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["ScanPoint", "ScanResult", "ScanRow", "scan", "scan_curve", "scan_slopes"]


# Step of a slope, as a share of the range: far above rounding, and the error of the slope is of second order in it.
SLOPE_STEP = 0.01
# Halvings of the range to find where the feasible set ends, down to the tolerance on eigenvalues.
BISECTIONS = 40


@dataclass(frozen=True, kw_only=True)
class ScanPoint:
    """One point of a scan.

    Attributes:
        coefficients: name -> value of the coefficients that are scanned together.
        chi2: minimum of chi2, the inputs' own pulls included; ``None`` if the point is infeasible.
        values, errors: dim ``parameter``, in the units of the parameters; ``None`` if the point is infeasible.
        covariance: of the parameters, dims ``parameter``, ``parameter_b``, likewise.
        problem: why there is no number, empty if there is one.
    """

    coefficients: Mapping[str, float]
    chi2: float | None = None
    values: xr.DataArray | None = None
    errors: xr.DataArray | None = None
    covariance: xr.DataArray | None = None
    problem: str = ""

    @property
    def correlation(self) -> xr.DataArray | None:
        """Correlation matrix of the parameters, dims as those of the covariance; ``None`` if the point is infeasible."""
        if self.covariance is None:
            return None
        return self.covariance.copy(data=correlation_of(self.covariance.to_numpy())).rename("correlation")


@dataclass(frozen=True, kw_only=True)
class ScanRow:
    """One coefficient, or one group of coefficients that move together, over its range.

    Attributes:
        name, title: of the coefficient or the group.
        low, nominal, high: of the (first) coefficient; low is where the scan starts.
        reached: actual start and end of the (first) coefficient: low and high, or where the feasible set ends between
            them; ``None`` if nothing between them is feasible.
        half_shift: half of value(end) - value(start) between the points reached, dim ``parameter``, in the unit of the
            parameter; ``None`` if nothing is feasible.
        half_error_shift: half of error(end) - error(start), likewise.
        half_covariance_shift, half_correlation_shift: the same of the covariances and correlations of the parameters, dims
            ``parameter``, ``parameter_b``.
        problem: why there is no number, empty if there is one.
        blocks: blocks that are not positive semidefinite at a quoted end that is not reached.
        points: equidistant points from low to high, these included.
        ends: the points at start and end.
        published_half_shift, published_half_error_shift: published numbers as text, empty without any.
    """

    name: str
    title: str
    low: float
    nominal: float
    high: float
    half_shift: xr.DataArray | None
    half_error_shift: xr.DataArray | None
    half_covariance_shift: xr.DataArray | None = None
    half_correlation_shift: xr.DataArray | None = None
    reached: tuple[float, float] | None = None
    problem: str = ""
    blocks: tuple[str, ...] = ()
    ends: tuple[ScanPoint, ScanPoint] | None = None
    points: tuple[ScanPoint, ...] = field(default=())
    published_half_shift: str = ""
    published_half_error_shift: str = ""

    @property
    def cut(self) -> bool:
        """Whether the feasible set ends before a quoted end."""
        return self.reached is not None and self.reached != (self.low, self.high)


@dataclass(frozen=True, kw_only=True, repr=False)
class ScanResult(Shown):
    """One row per coefficient, or group of them, that has a range; the first of them if it was interrupted."""

    combination: Combination
    rows: tuple[ScanRow, ...]
    interrupted: bool = False

    def _line(self) -> str:
        interrupted = ", interrupted" if self.interrupted else ""
        return f"{self.combination.name}: {counted(len(self.rows), 'scans')}{interrupted}"


@expects(combination="combination")
@single_threaded
def scan(combination: Combination, *, points: int = SCAN_POINTS, progress: bool | None = None) -> ScanResult:
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
    rows = []
    for index in family.varied.tolist():
        coefficient = family.coefficients[index]
        low, high = coefficient.range
        step = SLOPE_STEP * (high - low)
        # One-sided where nominal is at an end of the range, or of the feasible set.
        found = [scanner.point([index], np.array([coefficient.nominal + s])) for s in (-step, 0.0, step)]
        inside = [(s, at.values) for s, at in zip((-step, 0.0, step), found, strict=True) if at.values is not None]
        rows.append((inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0]) if len(inside) > 1 else None)
    names = [family.coefficients[i].name for i in family.varied]
    parameters = [*(o.name for o in combination.results), *(n.name for n in combination.nuisances if n.free)]
    values = [np.full(len(parameters), np.nan) if row is None else row.sel(parameter=parameters).to_numpy() for row in rows]
    table = np.array(values).reshape(len(names), len(parameters))
    return xr.DataArray(
        table, dims=("coefficient", "parameter"), coords={"coefficient": names, "parameter": parameters}, name="slope"
    )


def _ends(coefficient: CorrelationCoefficient, *, grouped: bool) -> tuple[float, float]:
    """Start and stop; a coefficient alone always goes up."""
    low, high = coefficient.range
    return (high, low) if grouped and coefficient.descending else (low, high)


@dataclass(frozen=True, kw_only=True)
class _Path:
    """Coefficients that move together from a start to a stop, shape (k,)."""

    start: FloatArray
    stop: FloatArray

    def at(self, share: float) -> FloatArray:
        """The coefficients when a share of the way is done, the ends exactly."""
        return self.stop if share == 1 else self.start + share * (self.stop - self.start)

    def share_of(self, values: FloatArray) -> float | None:
        """Share of the way at which the coefficients have these values; ``None`` if they never have."""
        share = float((values[0] - self.start[0]) / (self.stop[0] - self.start[0]))
        return share if 0 <= share <= 1 and np.allclose(self.at(share), values, rtol=0, atol=1e-12) else None


def _half_shifts(ends: tuple[ScanPoint, ScanPoint] | None) -> dict[str, xr.DataArray | None]:
    """Half of the changes from one end to the other."""
    names = {"half_shift": "values", "half_error_shift": "errors", "half_covariance_shift": "covariance",
             "half_correlation_shift": "correlation"}  # fmt: skip
    if ends is None:
        return dict.fromkeys(names)
    return {key: (getattr(ends[1], name) - getattr(ends[0], name)) / 2 for key, name in names.items()}


class _Scanner:
    """Fits at many coefficients of one combination."""

    def __init__(self, combination: Combination) -> None:
        self.combination = combination
        self.fitter = Fitter(combination)
        self._reduced: tuple[LinearModel, IntArray] | None = None

    def reduced(self, correlation: FloatArray) -> tuple[LinearModel, IntArray]:
        """The linear model with all nuisances integrated whose prior no range changes, and the positions of the others.

        The integrated nuisances have the same prior at every point, so that the correlation of the first point serves all.
        """
        if self._reduced is None:
            family = self.fitter.family
            kept = family.linked(family.varied)
            self._reduced = integrate_out(self.fitter.linear, kept, correlation), kept
        return self._reduced

    @cached_property
    def nominal(self) -> Fit | None:
        """The nominal fit, where numerical fits begin; ``None`` if it is infeasible."""
        try:
            return self.fitter.nominal()
        except InfeasibleCorrelationError:
            return None

    def row(self, members: list[int], points: int) -> ScanRow:
        family = self.fitter.family
        chosen = [family.coefficients[i] for i in members]
        first, grouped = chosen[0], len(members) > 1
        ends = np.array([_ends(c, grouped=grouped) for c in chosen])
        path = _Path(start=ends[:, 0], stop=ends[:, 1])
        found = tuple(self.point(members, path.at(share)) for share in np.linspace(0, 1, points))
        reached = self._reached(members, path, found)
        blocks: list[str] = []
        for share in (0, 1):
            if found[-share].values is None:
                blocks += self._infeasible_blocks(members, path.at(share))
        return ScanRow(
            name=first.scan_group if grouped else first.name,
            title="" if grouped else first.title,
            low=float(ends[0, 0]),
            nominal=first.nominal,
            high=float(ends[0, 1]),
            **_half_shifts(reached),
            reached=None if reached is None else (_first_value(reached[0]), _first_value(reached[1])),
            problem="" if reached is not None else found[0].problem or found[-1].problem,
            blocks=tuple(dict.fromkeys(blocks)),
            points=found,
            ends=reached,
            published_half_shift="" if grouped else first.published_half_shift,
            published_half_error_shift="" if grouped else first.published_half_error_shift,
        )

    def _reached(self, members: list[int], path: _Path, found: tuple[ScanPoint, ...]) -> tuple[ScanPoint, ScanPoint] | None:
        """Both ends of the feasible interval between the quoted ends, ``None`` if nothing is feasible.

        The feasible set is convex, so that the feasible part of a straight path is one interval.
        """
        shares = np.linspace(0, 1, len(found))
        inside = [float(share) for share, at in zip(shares, found, strict=True) if at.values is not None]
        if not inside:
            share = path.share_of(self.fitter.family.nominal[members])
            if share is None or self.point(members, path.at(share)).values is None:
                return None
            inside = [share]
        ends = []
        for quoted, nearest, at in ((0.0, inside[0], found[0]), (1.0, inside[-1], found[-1])):
            ends.append(at if at.values is not None else self._last_feasible(members, path, nearest, quoted))
        return ends[0], ends[1]

    def _last_feasible(self, members: list[int], path: _Path, inside: float, outside: float) -> ScanPoint:
        """The last feasible point from one that is feasible to one that is not, by bisection."""
        best = None
        for judge in (self._allowed, self.point):  # The matrix alone is cheap, but a fit can fail where it is allowed.
            good, bad = inside, outside
            for _ in range(BISECTIONS):
                middle = (good + bad) / 2
                judged = judge(members, path.at(middle))
                good, bad = (middle, bad) if judged and getattr(judged, "values", True) is not None else (good, middle)
            best = self.point(members, path.at(good))
            if best.values is not None:
                break
        assert best is not None  # the point inside is feasible
        return best

    def _allowed(self, members: list[int], values: FloatArray) -> bool:
        """Whether the prior correlations are allowed, which is necessary for a fit."""
        match self.combination.treatment:
            case "covariance":
                return True
            case "nuisance":
                return not self._infeasible_blocks(members, values)
        assert_never(self.combination.treatment)

    def _infeasible_blocks(self, members: list[int], values: FloatArray) -> list[str]:
        """Labels of the blocks that are not positive semidefinite."""
        family = self.fitter.family
        correlation = family.correlation(self._coefficients(members, values))
        varied = [b for b in family.blocks if np.isin(b.coefficients, members).any()]
        return [b.label for b, _ in indefinite_blocks(varied, correlation)]

    def _coefficients(self, members: list[int], values: FloatArray) -> FloatArray:
        """All coefficients, some at values and the others at nominal, shape (K,)."""
        coefficients = self.fitter.family.nominal
        coefficients[members] = values
        return coefficients

    def point(self, members: list[int], values: FloatArray) -> ScanPoint:
        """The fit with some coefficients at values, the others at nominal."""
        names = [self.fitter.family.coefficients[i].name for i in members]
        at = {name: float(value) for name, value in zip(names, values, strict=True)}
        try:
            fit = self._fit(self._coefficients(members, values))
        except InfeasibleCorrelationError as error:
            return ScanPoint(coefficients=at, problem=str(error))
        fit, _ = normalised_fit(self.combination, fit)
        coords = {"parameter": list(fit.parameters)}
        known = fit.nan_at_bound
        return ScanPoint(
            coefficients=at,
            chi2=fit.chi2,
            values=xr.DataArray(fit.values, dims="parameter", coords=coords, name="value"),
            errors=xr.DataArray(fit.errors, dims="parameter", coords=coords, name="error"),
            covariance=xr.DataArray(
                known + known[:, None] + fit.covariance,
                dims=("parameter", "parameter_b"),
                coords=coords | {"parameter_b": list(fit.parameters)},
                name="covariance",
            ),
        )

    def _fit(self, coefficients: FloatArray) -> Fit:
        correlation, _ = feasible_correlation(self.combination, self.fitter.family, coefficients)
        if self.combination.errors_on_errors:
            return self.fitter.fit(self.fitter.with_theory(correlation), errors="hesse")
        if not self.combination.quadratic or self.combination.boxed:
            return self.fitter.fit(correlation, errors="hesse", near=self.nominal)
        model, kept = self.reduced(correlation)
        inner, prediction = correlation[np.ix_(kept, kept)], self.fitter.theory
        if prediction is None:
            bounded = positions(model.parameters, tuple(self.combination.bounds))
            solution, active = within_bounds(solve(model, inner), bounded)
            fit = Fit.of(solution, chi2=solution.chi2, mean=None, at_bound=active)
        else:
            prior = self.fitter.with_theory(inner)
            fitted = fit_extraction(prediction, model, mean=np.zeros(len(prior)), correlation=prior, errors="hesse")
            fit = Fit.of(fitted.solution, chi2=fitted.chi2, mean=None)
        return with_functions(self.combination, fit, None) if self.combination.functions else fit


def _first_value(point: ScanPoint) -> float:
    """Value of the first scanned coefficient."""
    return next(iter(point.coefficients.values()))

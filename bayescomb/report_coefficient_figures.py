"""Figures of the report about the correlation coefficients: scan and posterior."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bayescomb.figures import draw_coefficient, draw_coefficients, draw_scan_curves, draw_scan_shifts
from bayescomb.figures_style import COLOURS, math_name
from bayescomb.report_figure import MAX_ROWS, WIDTH, ReportFigure, not_drawn, panels
from bayescomb.report_results import Results
from bayescomb.rounding import fine_unit

__all__ = ["coefficient_figure", "coefficient_panels", "scan_curve_figure", "scan_shift_figure"]


MAX_LINES: Final = 6  # curves in one panel


def scan_shift_figure(results: Results) -> ReportFigure:
    """Two panels for each of the first parameters: shift of the value and shift of the error."""
    rows = list(results.scan.rows)
    scale = results.fit.errors

    def size(index: int) -> float:
        shift = rows[index].half_shift
        return -1.0 if shift is None else float(abs(shift / scale).max())

    order = sorted(range(len(rows)), key=size, reverse=True)[:MAX_ROWS]
    shown = results.parameters[:2]
    figure = Figure(figsize=(WIDTH, len(shown) * (1.0 + 0.23 * len(order))), layout="constrained")
    axes = figure.subplots(len(shown), 2, squeeze=False, sharey=True)
    names = [rows[i].title or rows[i].name for i in order]
    for pair, parameter in zip(axes, shown, strict=True):
        symbol = math_name(parameter.name)
        factor, unit, _ = fine_unit(float(results.fit.errors.sel(parameter=parameter.name)), parameter.unit)
        series = [
            (f"shift of {symbol}", [rows[i].half_shift for i in order], COLOURS["posterior"]),
            ("of its error", [rows[i].half_error_shift for i in order], COLOURS["group"]),
        ]
        for ax, (label, shifts, colour) in zip(pair, series, strict=True):
            values = [math.nan if s is None else factor * float(s.sel(parameter=parameter.name)) for s in shifts]
            draw_scan_shifts(names, values, label=label, unit=unit, colour=colour, ax=ax)
    caption = (
        "Scan of the coefficients over their quoted ranges, one at a time, the others at nominal: half of the difference "
        "between the upper and the lower end, for the value (left) and for its uncertainty (right)."
    )
    return ReportFigure(name="scan_shifts", kind="scan", caption=caption + not_drawn(results, 2), figure=figure)


def scan_curve_figure(results: Results) -> ReportFigure:
    """Curves of the coefficients that matter most, value and error."""
    curves = results.curves[:MAX_LINES]
    shown = results.parameters[:2]
    figure, axes = panels(2 * len(shown), columns=2, height=3.1)
    for index, parameter in enumerate(shown):
        symbol, at = math_name(parameter.name), {"parameter": parameter.name}
        factor, unit, _ = fine_unit(float(results.fit.errors.sel(at)), parameter.unit)
        for ax, label, shifts in (
            (axes[2 * index], f"shift of {symbol}", [c.values for c in curves]),
            (axes[2 * index + 1], f"shift of the error of {symbol}", [c.errors for c in curves]),
        ):
            draw_scan_curves(
                [c.points for c in curves],
                [factor * s.sel(at).to_numpy() for s in shifts],
                [c.title for c in curves],
                nominal=[c.nominal for c in curves],
                label=label,
                unit=unit,
                legend=False,
                ax=ax,
            )
    handles, labels = axes[0].get_legend_handles_labels()
    longest = max(len(label) for label in labels)
    figure.legend(handles, labels, loc="outside upper center", ncols=3 if longest < 24 else 2 if longest < 40 else 1)
    caption = (
        f"The {len(curves)} coefficients that move the result most among those that are feasible over their range, along "
        "their quoted ranges, relative to the profile at nominal coefficients (dots)."
    )
    return ReportFigure(name="scan_curves", kind="scan", caption=caption + not_drawn(results, 2), figure=figure)


def _feasible_ends(results: Results) -> dict[str, tuple[float, float]]:
    """Feasible interval of each coefficient by its block; the total covariance counts where there is no block."""
    ends: dict[str, tuple[float, float]] = {}
    for statement in results.check.block_statements:
        for name, low, high in zip(statement.coefficients, statement.feasible_low, statement.feasible_high, strict=True):
            ends[name] = (math.nan, math.nan) if statement.status == "empty" else (float(low), float(high))
    return ends


def coefficient_figure(results: Results) -> ReportFigure:
    """Prior range, nominal value, posterior and feasible part of the range."""
    coefficients = results.combination.assumption_set.coefficients[:MAX_ROWS]
    summary = results.coefficients.isel(coefficient=slice(MAX_ROWS))
    ends = [_feasible_ends(results).get(c.name, (math.nan, math.nan)) for c in coefficients]
    sampled = bool(np.isfinite(summary["posterior_median"]).any())
    feasible: NDArray[np.float64] = np.array(ends, dtype=float).T
    figure = Figure(figsize=(WIDTH, 1.4 + 0.25 * len(coefficients)), layout="constrained")
    draw_coefficients(
        [c.title or c.name for c in coefficients],
        [c.range[0] for c in coefficients],
        [c.range[1] for c in coefficients],
        nominal=[c.nominal for c in coefficients],
        feasible=(feasible[0], feasible[1]),
        feasible_label="feasible for some values of the others",
        median=summary["posterior_median"].to_numpy() if sampled else None,
        interval=(summary["posterior_central_low"].to_numpy(), summary["posterior_central_high"].to_numpy())
        if sampled
        else None,
        ax=figure.subplots(),
    )
    covariance = results.combination.treatment == "covariance"
    caption = "Correlation coefficients: quoted range (support of the prior), nominal value" + (
        ", posterior median with its central 68 % interval" if sampled else ""
    )
    caption += ", and the values that are possible for some values of the other coefficients of its block" + (
        "; the treatment 'covariance' does not ask for that, only the total covariance has to be positive definite."
        if covariance
        else "."
    )
    hidden = len(results.combination.assumption_set.coefficients) - len(coefficients)
    caption += f" {hidden} more are only in the table." if hidden else ""
    return ReportFigure(name="coefficients", kind="coefficients", caption=caption, figure=figure)


def coefficient_panels(results: Results) -> ReportFigure:
    """A panel for each of the coefficients that matter most: prior, posterior, feasible part, shift of the first result."""
    parameter = results.parameters[0]
    at, symbol = {"parameter": parameter.name}, math_name(parameter.name)
    factor, unit, _ = fine_unit(float(results.fit.errors.sel(at)), parameter.unit)
    coefficients = {c.name: c for c in results.combination.assumption_set.coefficients}
    ends = _feasible_ends(results)
    prior = results.tree["prior"].to_dataset() if results.tree is not None and "prior" in results.tree.children else None

    def draws(group: xr.Dataset | None, name: str) -> NDArray[np.float64] | None:
        if group is None or "rho" not in group or name not in group["coefficient"].to_numpy():
            return None
        values: NDArray[np.float64] = group["rho"].sel(coefficient=name).to_numpy().ravel()
        return values

    figure, axes = panels(len(results.curves), columns=3, height=2.2)
    figure.supxlabel("correlation coefficient", x=0.99, ha="right", fontsize="medium")
    for index, (ax, curve) in enumerate(zip(axes, results.curves, strict=False)):
        feasible = ends.get(curve.name, (math.nan, math.nan))
        draw_coefficient(
            draws(prior, curve.name),
            draws(results.draws, curve.name),
            quoted=coefficients[curve.name].range,
            feasible=feasible if math.isfinite(feasible[0]) else None,
            nominal=curve.nominal,
            curve=(curve.points, factor * curve.values.sel(at).to_numpy()),
            title=curve.title,
            label=f"shift of {symbol}" if index % 3 == 2 or index == len(results.curves) - 1 else "",
            unit=unit if index % 3 == 2 or index == len(results.curves) - 1 else "",
            ax=ax,
        )
    marks = "Prior (grey) and posterior (line)" if results.draws is not None else "Quoted range and nominal value"
    caption = (
        f"{marks} of the coefficients that move {parameter.name} most, with its shift along each of them on the right axis, "
        f"in {unit or 'units of 1'}, the others at nominal (dotted); hatched: not feasible for any values of the other "
        "coefficients of the block. Coefficients whose range is infeasible at an end have no shift and are not here."
    )
    return ReportFigure(name="coefficient_panels", kind="coefficients", caption=caption, figure=figure)

"""Figures of the report about the correlation coefficients, scan and posterior, and the posterior predictive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import counted, fine_unit
from bayescomb.inputs.observables import Observable
from bayescomb.output.figures import (
    draw_coefficient,
    draw_coefficients,
    draw_correlation_scan,
    draw_predictive,
    draw_scan_curves,
    draw_scan_shifts,
)
from bayescomb.output.figures.style import COLOURS
from bayescomb.output.report.figure import MAX_ROWS, WIDTH, ReportFigure, label_of, panels
from bayescomb.output.report.results import Results, ScanCurve
from bayescomb.output.report.told.titles import estimate_titles
from bayescomb.output.tables.scan import across_experiments, published_size

__all__ = [
    "coefficient_figure",
    "coefficient_panels",
    "predictive_figure",
    "scan_correlation_figure",
    "scan_curve_figure",
    "scan_shift_figure",
]

MAX_LINES: Final = 6  # curves in one panel
# A coefficient that moves a result by less than this part of its uncertainty is in the tables only.
STILL_SHIFT: Final = 0.01
MAX_PAIRS: Final = 30  # correlations in one figure


def scan_shift_figure(results: Results) -> ReportFigure:
    """Half shifts of value and error of the parameters that move most, two panels for each."""
    rows = list(results.scan.rows)
    scale = results.fit.errors

    def size(index: int) -> float:
        shift = rows[index].half_shift
        return -1.0 if shift is None else float(abs(shift / scale).max())

    order = sorted(range(len(rows)), key=size, reverse=True)[:MAX_ROWS]
    shown = _most_moved(results)
    figure = Figure(figsize=(WIDTH, len(shown) * (1.0 + 0.23 * len(order))), layout="constrained")
    axes = figure.subplots(len(shown), 2, squeeze=False, sharey=True)
    names = [rows[i].title or rows[i].name for i in order]
    for pair, parameter in zip(axes, shown, strict=True):
        symbol = label_of(parameter)
        factor, unit, _ = fine_unit(results.error(parameter), parameter.unit)
        series = [
            (f"shift of {symbol}", [rows[i].half_shift for i in order], COLOURS["posterior"]),
            ("of its error", [rows[i].half_error_shift for i in order], COLOURS["group"]),
        ]
        texts = [
            [rows[i].published_half_shift for i in order],
            [rows[i].published_half_error_shift for i in order],
        ]
        for ax, (label, shifts, colour), said in zip(pair, series, texts, strict=True):
            values = [math.nan if s is None else factor * float(s.sel(parameter=parameter.name)) for s in shifts]
            quoted = [published_size(text, parameter.unit) if parameter == results.parameters[0] else None for text in said]
            published = [
                None if size is None else (0.0 if size.limit else factor * size.value, factor * size.value_reach)
                for size in quoted
            ]
            draw_scan_shifts(names, values, published=published, label=label, unit=unit, colour=colour, ax=ax)
    caption = (
        "Scan of the coefficients over their quoted ranges, one at a time, the others at nominal: half of the difference "
        "between the upper and the lower end, for the value (left) and for its uncertainty (right)."
    )
    if any(row.published_half_shift for row in rows):
        caption += " Bars across: published sizes within their rounding, with the sign of ours."
    return ReportFigure(name="scan_shifts", kind="scan", caption=caption + _left_out(results, shown), figure=figure)


def scan_curve_figure(results: Results) -> ReportFigure:
    """Value and error along the coefficients that move the result most."""
    curves = results.curves[:MAX_LINES]
    shown = _most_moved(results)
    longest = max(len(curve.title) for curve in curves)
    columns = 3 if longest < 24 else 2 if longest < 40 else 1
    # The legend above has lines of its own, however few panels there are.
    legend = 0.2 * math.ceil(len(curves) / columns)
    figure, axes = panels(2 * len(shown), columns=2, height=2.9 + legend / len(shown))
    for index, parameter in enumerate(shown):
        symbol, at = label_of(parameter), {"parameter": parameter.name}
        factor, unit, _ = fine_unit(results.error(parameter), parameter.unit)
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
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)
    caption = (
        f"The {len(curves)} coefficients that move the result most among those that are feasible over their range, along "
        "their quoted ranges, relative to the profile at nominal coefficients (dots)."
    )
    return ReportFigure(name="scan_curves", kind="scan", caption=caption + _left_out(results, shown), figure=figure)


def _most_moved(results: Results) -> tuple[Observable, ...]:
    """The two parameters whose value or error the coefficients move most, in the order of the results."""
    if len(results.parameters) <= 2:
        return results.parameters
    largest: dict[str, float] = {}
    for parameter in results.parameters:
        at = {"parameter": parameter.name}
        shifts = [s for row in results.scan.rows for s in (row.half_shift, row.half_error_shift) if s is not None]
        error = results.error(parameter)
        moved = (abs(float(s.sel(at))) / error for s in shifts)
        largest[parameter.name] = max((size for size in moved if math.isfinite(size)), default=0.0)
    chosen = sorted(results.parameters, key=lambda p: -largest[p.name])[:2]
    return tuple(p for p in results.parameters if p in chosen)


def _left_out(results: Results, shown: Sequence[Observable]) -> str:
    """Sentence that names the parameters that are not drawn."""
    hidden = [p.name for p in results.parameters if p not in shown]
    return f" Drawn are the two that move most; only in the tables: {', '.join(hidden)}." if hidden else ""


def scan_correlation_figure(results: Results) -> ReportFigure | None:
    """Correlations of results across experiments over the range of the coefficient that moves them most."""
    found = results.pair_correlations[:MAX_PAIRS]
    if not found:
        return None
    figure = Figure(figsize=(WIDTH, 1.2 + 0.25 * len(found)), layout="constrained")
    draw_correlation_scan(
        [f"{', '.join(row.pair)}: {row.coefficient}" for row in found],
        [row.low for row in found],
        [row.nominal for row in found],
        [row.high for row in found],
        ax=figure.subplots(),
    )
    count = len(across_experiments(results.combination))
    caption = (
        f"Correlation of results across experiments, for the {len(found)} of {count} pairs that move most, each with the "
        "coefficient that moves it most: at the lower end of its range, at nominal and at the upper end (of what is "
        "feasible)."
    )
    return ReportFigure(name="scan_correlations", kind="scan", caption=caption, figure=figure)


def _feasible_ends(results: Results) -> dict[str, tuple[float, float]]:
    """Feasible interval of each coefficient that belongs to a block, NaN where no value is feasible."""
    ends: dict[str, tuple[float, float]] = {}
    for statement in results.check.block_statements:
        for name, low, high in zip(statement.coefficients, statement.feasible_low, statement.feasible_high, strict=True):
            ends[name] = (math.nan, math.nan) if statement.status == "empty" else (float(low), float(high))
    return ends


def coefficient_figure(results: Results) -> ReportFigure:
    """Quoted and feasible range, nominal value and posterior of every coefficient."""
    coefficients = results.combination.assumption_set.coefficients[:MAX_ROWS]
    found = {} if results.usable is None else results.usable.coefficients
    feasible_ends = _feasible_ends(results)
    ends = [feasible_ends.get(c.name, (math.nan, math.nan)) for c in coefficients]
    sampled = any(c.name in found for c in coefficients)

    def ends_of(key: str) -> list[float]:
        return [found[c.name].numbers[key] if c.name in found else math.nan for c in coefficients]

    feasible: FloatArray = np.array(ends, dtype=float).T
    figure = Figure(figsize=(WIDTH, 1.4 + 0.25 * len(coefficients)), layout="constrained")
    draw_coefficients(
        [c.title or c.name for c in coefficients],
        [c.range[0] for c in coefficients],
        [c.range[1] for c in coefficients],
        nominal=[c.nominal for c in coefficients],
        feasible=(feasible[0], feasible[1]),
        feasible_label="feasible for some values of the others",
        median=ends_of("median") if sampled else None,
        interval=(ends_of("central_low"), ends_of("central_high")) if sampled else None,
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


def coefficient_panels(results: Results) -> ReportFigure | None:
    """A panel for each coefficient that moves the first result or whose posterior is not its prior, ``None`` without one."""
    parameter = results.parameters[0]
    at, symbol = {"parameter": parameter.name}, label_of(parameter)
    error = results.error(parameter)
    factor, unit, _ = fine_unit(error, parameter.unit)
    coefficients = {c.name: c for c in results.combination.assumption_set.coefficients}
    told = [curve for curve in results.curves if _tells(results, curve, error)]
    if not told:
        return None
    ends = _feasible_ends(results)
    given, usable = results.sampled, results.usable
    prior = given.tree["prior"].to_dataset() if given is not None and "prior" in given.tree.children else None
    posterior = None if usable is None else usable.draws

    def draws(group: xr.Dataset | None, name: str) -> FloatArray | None:
        if group is None or "rho" not in group or name not in group["coefficient"].to_numpy():
            return None
        values: FloatArray = group["rho"].sel(coefficient=name).to_numpy().ravel()
        return values

    figure, axes = panels(len(told), columns=3, height=2.2)
    figure.supxlabel("correlation coefficient", x=0.99, ha="right", fontsize="medium")
    for index, (ax, curve) in enumerate(zip(axes, told, strict=False)):
        feasible = ends.get(curve.name, (math.nan, math.nan))
        quoted = coefficients[curve.name].range
        density = results.prior_densities.get(curve.name)
        draw_coefficient(
            draws(prior, curve.name) if density is None else None,
            draws(posterior, curve.name),
            law=density,
            quoted=quoted,
            feasible=feasible if math.isfinite(feasible[0]) else None,
            nominal=curve.nominal,
            curve=(curve.points, factor * curve.values.sel(at).to_numpy()),
            title=curve.title,
            label=f"shift of {symbol}" if index % 3 == 2 or index == len(told) - 1 else "",
            unit=unit if index % 3 == 2 or index == len(told) - 1 else "",
            ax=ax,
        )
    marks = "Prior (grey line) and posterior (blue)" if posterior is not None else "Quoted range and nominal value"
    others = sum(c.varied for c in coefficients.values()) - len(told)
    caption = (
        f"{marks} of the coefficients, with the shift of {parameter.name} along each of them on the right axis, "
        f"in {unit or 'units of 1'}, the others at nominal (dotted); hatched: not feasible for any values of the other "
        "coefficients of the block."
    )
    if others:
        posteriors = "have the posterior that is their prior and " if posterior is not None else ""
        caption += (
            f" Left out: {counted(others, 'coefficients')} that {posteriors}move {parameter.name} by less than "
            f"{100 * STILL_SHIFT:g} % of its uncertainty, or whose range is infeasible at an end."
        )
    return ReportFigure(name="coefficient_panels", kind="coefficients", caption=caption, figure=figure)


def _tells(results: Results, curve: ScanCurve, error: float) -> bool:
    """Whether a coefficient moves the first result, or has a posterior that is not its prior."""
    if float(abs(curve.values.sel(parameter=results.parameters[0].name)).max()) > STILL_SHIFT * error:
        return True
    usable = results.usable
    return usable is not None and curve.name in usable.coefficients and curve.name not in results.as_prior


def predictive_figure(results: Results) -> ReportFigure | None:
    """Measured values on the intervals of their posterior predictive distributions."""
    table = results.predictive
    if table is None:
        return None
    shown = table.isel(estimate=slice(MAX_ROWS))
    figure = Figure(figsize=(WIDTH, 1.3 + 0.25 * shown.sizes["estimate"]), layout="constrained")
    titles = estimate_titles(results.combination)
    draw_predictive(
        [titles[str(name)] for name in shown["estimate"].to_numpy()],
        shown["measured"],
        centre=shown["mean"],
        width=shown["sd"],
        interval68=(shown["low68"], shown["high68"]),
        interval95=(shown["low95"], shown["high95"]),
        p_values=shown["p_value"],
        ax=figure.subplots(),
    )
    caption = (
        "Posterior predictive distribution of each estimate, statistics and nuisances repeated, in its standard deviations; "
        "the predictive p-value is twice the smaller tail beyond the measured value. The data are used twice: it points at "
        "estimates, it is not uniform."
    )
    return ReportFigure(name="predictive", kind="predictive", caption=caption, figure=figure)

"""Figures of the report about the correlation coefficients: scan and posterior.

Figures of the report about what matters: ranking, impacts per bin, shares of the variance, posterior predictive.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bayescomb.base.matrices import correlation_of
from bayescomb.base.rounding import fine_unit
from bayescomb.inputs.observables import Observable
from bayescomb.output.figures import (
    draw_coefficient,
    draw_coefficients,
    draw_correlation_scan,
    draw_impact_map,
    draw_predictive,
    draw_ranking,
    draw_scan_curves,
    draw_scan_shifts,
    draw_shares,
)
from bayescomb.output.figures.style import COLOURS, math_name
from bayescomb.output.report.figure import MAX_ROWS, WIDTH, ReportFigure, file_name, not_drawn, panels
from bayescomb.output.report.results import Results
from bayescomb.output.tables.scan import STILL, across_experiments

__all__ = [
    "coefficient_figure",
    "coefficient_panels",
    "impact_map_figure",
    "predictive_figure",
    "ranking_figure",
    "scan_correlation_figure",
    "scan_curve_figure",
    "scan_shift_figure",
    "share_figures",
]

MAX_LINES: Final = 6  # curves in one panel
MAX_PAIRS: Final = 30  # correlations in one figure
MAX_RANKED: Final = 20
MAX_QUANTITIES: Final = 40
MAX_SHARES: Final = 4
# Shares of single coefficients below this are only in the table.
MIN_SHARE: Final = 1e-3


def scan_shift_figure(results: Results) -> ReportFigure:
    """Two panels for each of the first parameters: shift of the value and shift of the error."""
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
    return ReportFigure(name="scan_shifts", kind="scan", caption=caption + _left_out(results, shown), figure=figure)


def scan_curve_figure(results: Results) -> ReportFigure:
    """Curves of the coefficients that matter most, value and error."""
    curves = results.curves[:MAX_LINES]
    shown = _most_moved(results)
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
    return ReportFigure(name="scan_curves", kind="scan", caption=caption + _left_out(results, shown), figure=figure)


def _most_moved(results: Results) -> tuple[Observable, ...]:
    """The two parameters that a coefficient moves most, value or error, in their order."""
    if len(results.parameters) <= 2:
        return results.parameters
    largest: dict[str, float] = {}
    for parameter in results.parameters:
        at = {"parameter": parameter.name}
        shifts = [s for row in results.scan.rows for s in (row.half_shift, row.half_error_shift) if s is not None]
        error = float(results.fit.errors.sel(at))
        moved = (abs(float(s.sel(at))) / error for s in shifts)
        largest[parameter.name] = max((size for size in moved if math.isfinite(size)), default=0.0)
    chosen = sorted(results.parameters, key=lambda p: -largest[p.name])[:2]
    return tuple(p for p in results.parameters if p in chosen)


def _left_out(results: Results, shown: Sequence[Observable]) -> str:
    """Sentence about the parameters that are not drawn."""
    hidden = [p.name for p in results.parameters if p not in shown]
    return f" Drawn are the two that move most; only in the tables: {', '.join(hidden)}." if hidden else ""


def scan_correlation_figure(results: Results) -> ReportFigure | None:
    """Correlations of results across experiments at both ends of the coefficient that moves them most."""
    pairs = across_experiments(results.combination)
    rows = [r for r in results.scan.rows if r.ends is not None and r.half_correlation_shift is not None]
    if not pairs or not rows:
        return None
    names = [p.name for p in results.parameters]
    first, second = (np.array([names.index(pair[i]) for pair in pairs]) for i in (0, 1))
    at = {"parameter": names, "parameter_b": names}
    shifts = np.array(
        [r.half_correlation_shift.sel(at).to_numpy()[first, second] for r in rows if r.half_correlation_shift is not None]
    )
    leading = np.abs(shifts).argmax(axis=0)  # the coefficient that moves each pair most
    size = np.abs(shifts).max(axis=0)
    order = [int(i) for i in np.argsort(-size)[:MAX_PAIRS] if size[i] > STILL]
    if not order:
        return None
    covariance = results.fit.covariance.sel(at).to_numpy()
    nominal = correlation_of(covariance)[first, second]
    ends: list[list[float]] = [[], []]
    for i in order:
        row = rows[int(leading[i])]
        for values, end in zip(ends, row.ends or (), strict=True):
            assert end.correlation is not None  # it was reached
            values.append(float(end.correlation.sel(parameter=pairs[i][0], parameter_b=pairs[i][1])))
    labels = [f"{pairs[i][0]}, {pairs[i][1]}: {rows[int(leading[i])].title or rows[int(leading[i])].name}" for i in order]
    figure = Figure(figsize=(WIDTH, 1.2 + 0.25 * len(order)), layout="constrained")
    draw_correlation_scan(labels, ends[0], nominal[order], ends[1], ax=figure.subplots())
    caption = (
        f"Correlation of results across experiments, for the {len(order)} of {len(pairs)} pairs that move most, each with "
        "the coefficient that moves it most: at the lower end of its range, at nominal and at the upper end (of what is "
        "feasible)."
    )
    return ReportFigure(name="scan_correlations", kind="scan", caption=caption, figure=figure)


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
    found = {} if results.usable is None else results.usable.coefficients
    ends = [_feasible_ends(results).get(c.name, (math.nan, math.nan)) for c in coefficients]
    sampled = any(c.name in found for c in coefficients)

    def ends_of(key: str) -> list[float]:
        return [found[c.name].numbers[key] if c.name in found else math.nan for c in coefficients]

    feasible: NDArray[np.float64] = np.array(ends, dtype=float).T
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


def coefficient_panels(results: Results) -> ReportFigure:
    """A panel for each of the coefficients that matter most: prior, posterior, feasible part, shift of the first result."""
    parameter = results.parameters[0]
    at, symbol = {"parameter": parameter.name}, math_name(parameter.name)
    factor, unit, _ = fine_unit(float(results.fit.errors.sel(at)), parameter.unit)
    coefficients = {c.name: c for c in results.combination.assumption_set.coefficients}
    ends = _feasible_ends(results)
    given, usable = results.sampled, results.usable
    prior = given.tree["prior"].to_dataset() if given is not None and "prior" in given.tree.children else None
    posterior = None if usable is None else usable.draws

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
            draws(posterior, curve.name),
            quoted=coefficients[curve.name].range,
            feasible=feasible if math.isfinite(feasible[0]) else None,
            nominal=curve.nominal,
            curve=(curve.points, factor * curve.values.sel(at).to_numpy()),
            title=curve.title,
            label=f"shift of {symbol}" if index % 3 == 2 or index == len(results.curves) - 1 else "",
            unit=unit if index % 3 == 2 or index == len(results.curves) - 1 else "",
            ax=ax,
        )
    marks = "Prior (grey) and posterior (line)" if posterior is not None else "Quoted range and nominal value"
    caption = (
        f"{marks} of the coefficients that move {parameter.name} most, with its shift along each of them on the right axis, "
        f"in {unit or 'units of 1'}, the others at nominal (dotted); hatched: not feasible for any values of the other "
        "coefficients of the block. Coefficients whose range is infeasible at an end have no shift and are not here."
    )
    return ReportFigure(name="coefficient_panels", kind="coefficients", caption=caption, figure=figure)


def ranking_figure(results: Results, parameter: Observable) -> ReportFigure | None:
    """The nuisances that shift a result most; one of every fully correlated set."""
    fit, at = results.fit, {"parameter": parameter.name}
    known = {str(name) for name in fit.constraints["nuisance"].to_numpy()}
    rows = [row for row in results.nuisances if row.leader == row.name and row.name in known]
    if not rows:
        return None
    names = [row.name for row in rows]
    constraints = fit.constraints.sel(nuisance=names).to_numpy()
    safe = np.where(constraints > 0, constraints, 1.0)
    shifts = fit.cross_covariance.sel(at).sel(nuisance=names).to_numpy() / safe
    order = [int(i) for i in np.argsort(-np.abs(shifts))[:MAX_RANKED]]
    figure = Figure(figsize=(WIDTH, 1.7 + 0.27 * len(order)), layout="constrained")
    draw_ranking(
        [f"{names[i]} (+{rows[i].followers})" if rows[i].followers else names[i] for i in order],
        shifts[order],
        -shifts[order],
        pulls=fit.pulls.sel(nuisance=names).to_numpy()[order],
        constraints=constraints[order],
        label=f"shift of {math_name(parameter.name)}",
        unit=parameter.unit,
        ax=figure.subplots(),
    )
    caption = (
        f"The {len(order)} nuisances that shift {parameter.name} most: cov(result, nuisance) / constraint, the shift of the "
        "fit with the nuisance fixed one post-fit width above (filled) or below (open) its fitted value"
        f"{'' if results.combination.quadratic else ', in the linear approximation'}; points: pulls and constraints of the "
        "profile. Fully correlated nuisances are one row, with the number of the others in brackets."
    )
    return ReportFigure(name=file_name("ranking", parameter, results), kind="impacts", caption=caption, figure=figure)


def impact_map_figure(results: Results) -> ReportFigure | None:
    """Groups of sources on every observable, in percent of it; nothing if there is one observable only."""
    fit, impacts = results.fit, results.impacts
    names = [o.name for o in results.combination.results if o.name in fit.values["parameter"].to_numpy()]
    if not 1 < len(names) <= MAX_QUANTITIES or not impacts.groups.sizes["group"]:
        return None
    values = fit.values.sel(parameter=names)
    if bool((values == 0).any()):
        return None
    parts: list[xr.DataArray] = [impacts.groups.sel(group=g) for g in impacts.groups["group"].to_numpy()]
    labels = [str(g) for g in impacts.groups["group"].to_numpy()]
    sums = {label: part for label, part in impacts.sums.items() if label != "all systematics"}
    parts += sums.values()
    labels += sums
    table = np.array([(100 * part.sel(parameter=names) / abs(values)).to_numpy() for part in parts])
    figure = Figure(figsize=(WIDTH, 1.5 + 0.28 * len(labels)), layout="constrained")
    draw_impact_map(labels, names, table, label="impact, relative", ax=figure.subplots())
    caption = "Impact of groups of sources and of statistics on every observable, in percent of its value."
    return ReportFigure(name="impact_map", kind="impacts", caption=caption, figure=figure)


def share_figures(results: Results) -> Iterator[ReportFigure]:
    """Where the variance of each headline result comes from."""
    if results.divided.shares is None:
        return
    kinds = [str(kind) for kind in results.divided.shares["kind"].to_numpy()]
    for parameter in results.parameters[:MAX_SHARES]:
        shares = results.divided.shares["share"].sel(parameter=parameter.name).to_numpy()
        coefficients = [i for i, kind in enumerate(kinds) if kind == "coefficient"]
        shown = [i for i, kind in enumerate(kinds) if kind != "coefficient" or abs(shares[i]) >= MIN_SHARE]
        shown.sort(key=lambda i: (kinds[i] == "remainder", kinds[i] == "coefficient", -abs(shares[i])))
        rows = [(str(results.divided.shares["part"].to_numpy()[i]), float(shares[i]), kinds[i]) for i in shown[:MAX_ROWS]]
        small = [i for i in coefficients if i not in shown]
        if small:
            rows.insert(
                -1,
                (
                    f"{len(small)} {'other ' if len(small) < len(coefficients) else ''}coefficients",
                    float(shares[small].sum()),
                    "coefficient",
                ),
            )
        figure = Figure(figsize=(WIDTH, 0.9 + 0.25 * len(rows)), layout="constrained")
        draw_shares(
            [name for name, _, _ in rows],
            [share for _, share, _ in rows],
            kinds=[kind for _, _, kind in rows],
            label=f"share of Var({math_name(parameter.name)})",
            ax=figure.subplots(),
        )
        caption = f"Shares of the posterior variance of {parameter.name}; they add up to 100 %, and parts can be negative."
        if parameter == results.parameters[:MAX_SHARES][-1]:
            caption += not_drawn(results, MAX_SHARES)
        yield ReportFigure(name=file_name("shares", parameter, results), kind="shares", caption=caption, figure=figure)


def predictive_figure(results: Results) -> ReportFigure | None:
    """Measured values on what the model expects."""
    table = results.predictive
    if table is None:
        return None
    shown = table.isel(estimate=slice(MAX_ROWS))
    figure = Figure(figsize=(WIDTH, 1.3 + 0.25 * shown.sizes["estimate"]), layout="constrained")
    titles = {e.name: e.title or e.name for e in results.combination.estimates}
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

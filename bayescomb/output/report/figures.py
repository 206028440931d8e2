"""Which figures a report has: from results to matplotlib figures with a name and a caption.

Measured bins beside their prediction: the numbers, and the figures of the report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from bayescomb.base.matrices import correlation_of
from bayescomb.base.rounding import at_bound_text, decimals, with_error
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.variables import variable_name
from bayescomb.output.figures import (
    draw_correlation_matrix,
    draw_impacts,
    draw_inputs,
    draw_posterior,
    draw_pulls,
    draw_ranks,
)
from bayescomb.output.figures.result import draw_bins
from bayescomb.output.figures.style import figure_style, math_name
from bayescomb.output.report.coefficient_figures import (
    coefficient_figure,
    coefficient_panels,
    impact_map_figure,
    predictive_figure,
    ranking_figure,
    scan_correlation_figure,
    scan_curve_figure,
    scan_shift_figure,
    share_figures,
)
from bayescomb.output.report.figure import MAX_ROWS, WIDTH, ReportFigure, file_name, not_drawn, panels, symbol_of
from bayescomb.output.report.results import NuisanceRow, Results, leading_pulls, moves, parameter_covariance
from bayescomb.output.tables.impacts import impact_table
from bayescomb.output.text_layout import mean_or_median
from bayescomb.sampling.summary import posterior_density, rank_counts
from bayescomb.studies.comparison import Comparison

__all__ = ["bin_figures", "report_figures"]

MAX_PANELS: Final = 12  # parameters in one figure of small panels
MAX_FORESTS: Final = 6  # parameters with impact figures of their own
MAX_RANKS: Final = 4
# A shift below this fraction of the error is rounding of the fit.
ROUNDING: Final = 1e-9


def report_figures(results: Results) -> Iterator[ReportFigure]:
    """All figures of a report, one after the other, so that only one is held in memory."""
    with figure_style():
        if results.comparison is not None:
            for start in range(0, len(results.parameters), MAX_PANELS):
                yield _posterior(results, results.comparison, start)
        for parameter in results.parameters:
            yield from _inputs(results, parameter)
        if len(results.combination.estimates) > 1:
            yield _estimate_correlation(results)
        if 1 < len(results.parameters) <= MAX_ROWS:
            yield _parameter_correlation(results)
        if any(moves(row.half_shift, row.half_error_shift, results.fit) for row in results.scan.rows):
            yield scan_shift_figure(results)
        if results.curves:
            yield scan_curve_figure(results)
        yield from _present(scan_correlation_figure(results))
        # What its bound holds has no parts.
        free = [p for p in results.parameters if p.name not in results.fit.at_bound]
        for parameter in free[:MAX_FORESTS]:
            yield _impacts(results, parameter)
            yield from _present(ranking_figure(results, parameter))
        yield from _present(impact_map_figure(results))
        yield from share_figures(results)
        if results.combination.extraction:
            yield from bin_figures(results)
        if results.combination.assumption_set.coefficients:
            yield coefficient_figure(results)
        if results.curves:
            yield coefficient_panels(results)
        if leading_pulls(results.nuisances):
            yield _pulls(results)
        if results.sampled is not None:
            yield _ranks(results)
        yield from _present(predictive_figure(results))
        for parameter in results.parameters[:MAX_FORESTS]:
            yield from _present(_without_each(results, parameter))


def _present(figure: ReportFigure | None) -> Iterator[ReportFigure]:
    if figure is not None:
        yield figure


def _posterior(results: Results, comparison: Comparison, start: int) -> ReportFigure:
    """Panels of as many parameters as a figure holds, from one of them on."""
    assert results.sampled is not None  # the caller has a converged posterior
    tree = results.sampled.tree
    shown = results.parameters[start : start + MAX_PANELS]
    figure, axes = panels(len(shown), columns=1 if len(shown) == 1 else 2, height=4.0 if len(shown) == 1 else 3.6)
    conditional = tree["conditional"].to_dataset() if comparison.exact else None
    cut = results.fit.at_bound + results.fit.ends_at_bound
    for ax, parameter in zip(axes, shown, strict=False):
        row = comparison.table.sel(parameter=parameter.name)
        at = {"parameter": parameter.name}
        draw_posterior(
            tree["posterior"][variable_name(parameter.name)].to_numpy().ravel(),
            interval=(float(row["hdi_low"]), float(row["hdi_high"])),
            median=float(row["median"]),
            profile=None if parameter.name in cut else (float(row["profile_value"]), float(row["profile_error"])),
            density=None
            if conditional is None or parameter.name not in conditional["parameter"].to_numpy()
            else posterior_density(
                conditional["mean"].sel(at).to_numpy().ravel(), conditional["sd"].sel(at).to_numpy().ravel()
            ),
            label=symbol_of(parameter) if len(shown) == 1 else math_name(parameter.name),
            unit=parameter.unit,
            gaussian=not results.combination.quadratic or bool(results.combination.extraction),
            legend=len(shown) == 1,
            ax=ax,
        )
    if len(shown) > 1:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    shape = (
        "line: average of the exact conditional Gaussians; histogram: draws"
        if comparison.exact
        else "histogram of the draws"
    )
    gaussian = results.combination.quadratic and not results.combination.extraction
    profile = "" if gaussian else ", drawn as a Gaussian with the error of the linearised model"
    caption = (
        f"Posterior density ({shape}) with its 68 % highest-density interval, and the profile likelihood at nominal "
        f"coefficients with its Δχ² = 1 interval{profile}."
        + (f" Not drawn is a profile that meets its bound 0: {', '.join(cut)}." if cut else "")
    )
    name = "posterior" if start == 0 else f"posterior_{start // MAX_PANELS + 1}"
    return ReportFigure(name=name, kind="posterior", caption=caption, figure=figure)


def _inputs(results: Results, parameter: Observable) -> Iterator[ReportFigure]:
    """Forest of the estimates that measure this parameter directly; nothing if there is no second one."""
    combination, unit = results.combination, parameter.unit
    if combination.normalise:
        return  # a single estimate has no share of a sum
    own = results.estimates
    names, values, errors, statistical, kinds, texts = [], [], [], [], [], []
    for index, estimate in enumerate(combination.estimates):
        if {k: v for k, v in estimate.observables.items() if v} == {parameter.name: 1.0}:
            names.append(estimate.title or estimate.name)
            values.append(estimate.value)
            errors.append([float(own.errors[index])] * 2)
            texts.append(with_error(estimate.value, float(own.errors[index])))
            statistical.append(own.error_parts(str(own.values["parameter"].to_numpy()[index])).get("stat", math.nan))
            kinds.append("input")
    if len(names) < 2:
        return
    at = {"parameter": parameter.name}
    combined = [
        (f"{name} combined", "experiment", fit)
        for name, fit in results.experiments.items()
        if parameter.name in fit.values["parameter"]  # an experiment need not measure everything
    ]
    for name, kind, fit in [*combined, ("All, profile", "profile", results.fit)]:
        names.append(name)
        value, error, up, down = (float(x.sel(at)) for x in (fit.values, fit.errors, fit.up_errors, fit.down_errors))
        values.append(value)
        held = parameter.name in fit.at_bound
        errors.append([-down, up] if held or parameter.name in fit.ends_at_bound else [error, error])
        texts.append(at_bound_text(up) if held else with_error(value, error))
        statistical.append(fit.error_parts(parameter.name).get("stat", math.nan))
        kinds.append(kind)
    if results.comparison is not None:
        row = results.comparison.table.sel(parameter=parameter.name)
        median, low, high = (float(row[key]) for key in ("median", "hdi_low", "hdi_high"))
        names.append("All, posterior")
        values.append(median)
        errors.append([median - low, high - median])
        statistical.append(math.nan)
        kinds.append("posterior")
        texts.append(mean_or_median({str(key): float(row[key]) for key in row.data_vars}))
    figure = Figure(figsize=(WIDTH, 1.0 + 0.26 * len(names)), layout="constrained")
    draw_inputs(
        names,
        values,
        np.transpose(errors),
        statistical=statistical,
        kinds=kinds,
        texts=texts,
        band=None if parameter.name in results.fit.at_bound else (value, error),  # the last is the combination of all
        label=symbol_of(parameter),
        unit=unit,
        ax=figure.subplots(),
    )
    caption = (
        f"Estimates of {parameter.name} with total (line) and statistical (thick) uncertainty, combinations of each "
        "experiment alone, and the combination of all: profile at nominal coefficients (band)"
        + (", posterior median with its 68 % interval; the number is mean and sd." if results.comparison else ".")
    )
    name = file_name("inputs", parameter, results)
    yield ReportFigure(name=name, kind="inputs", caption=caption, figure=figure)


def _without_each(results: Results, parameter: Observable) -> ReportFigure | None:
    """Forest of the results without each input; nothing where none moves the result, or a row for each is too many."""
    found = results.averages.without
    at = {"parameter": parameter.name}
    rows = () if found is None else [row for row in found.rows if bool(np.isfinite(row.errors.sel(at)))]
    if found is None or not rows or len(rows) > MAX_ROWS:
        return None
    pairs = [(float(row.values.sel(at)), float(row.errors.sel(at))) for row in (*rows, found.whole)]
    if np.allclose(pairs, pairs[-1], rtol=0, atol=ROUNDING * pairs[-1][1]):
        return None  # no other input tells about it
    figure = Figure(figsize=(WIDTH, 1.0 + 0.26 * len(pairs)), layout="constrained")
    draw_inputs(
        [*(f"without {found.title(row) or row.name}" for row in rows), "all inputs"],
        *np.transpose(pairs),
        kinds=[*(["experiment"] * len(rows)), "profile"],
        texts=[with_error(*pair) for pair in pairs],
        band=pairs[-1] if math.isfinite(pairs[-1][1]) else None,
        label=symbol_of(parameter),
        unit="" if results.combination.normalise else parameter.unit,
        ax=figure.subplots(),
    )
    caption = f"{parameter.name} without each input in turn, and of all inputs (band): profile at nominal coefficients."
    return ReportFigure(name=file_name("without_each", parameter, results), kind="averages", caption=caption, figure=figure)


def _estimate_correlation(results: Results) -> ReportFigure:
    count = len(results.combination.estimates)
    covariance = results.estimates.covariance.to_numpy()[:count, :count]
    size = min(WIDTH, 3.2 + 0.26 * count)
    figure = Figure(figsize=(size, 0.88 * size), layout="constrained")
    names = [e.name for e in results.combination.estimates]
    draw_correlation_matrix(correlation_of(covariance), names, ax=figure.subplots())
    caption = (
        "Total correlation of the estimates, statistics and all sources, at nominal coefficients. The names are those of "
        "the table of the inputs."
    )
    return ReportFigure(name="estimate_correlation", kind="inputs", caption=caption, figure=figure)


def _parameter_correlation(results: Results) -> ReportFigure:
    """Correlation of the combined quantities: posterior where it may be used, else profile."""
    covariance, kind = parameter_covariance(results)
    size = min(WIDTH, 3.2 + 0.26 * len(covariance))
    figure = Figure(figsize=(size, 0.88 * size), layout="constrained")
    names = [math_name(o.name) for o in results.parameters]
    draw_correlation_matrix(correlation_of(covariance), names, ax=figure.subplots())
    caption = f"Correlation of the combined quantities, {kind}."
    return ReportFigure(name="parameter_correlation", kind="result", caption=caption, figure=figure)


def _impacts(results: Results, parameter: Observable) -> ReportFigure:
    found = impact_table(results.impacts, [parameter.name]).rows
    sources = [row for row in found if row["kind"] in {"source", "nuisance", "size"}]
    groups = [row for row in found if row["kind"] == "group"]
    sums = [row for row in found if row["kind"] in {"coupling", "sum"}]
    kinds = (("source", sources[:MAX_ROWS]), ("group", groups), ("total", sums))
    rows = [(row["title"], row[f"impact[{parameter.name}]"], kind) for kind, some in kinds for row in some]
    figure = Figure(figsize=(WIDTH, 0.9 + 0.22 * len(rows)), layout="constrained")
    draw_impacts(
        [name for name, _, _ in rows],
        [value for _, value, _ in rows],
        kinds=[kind for _, _, kind in rows],
        label=f"impact on {math_name(parameter.name)}",
        unit=parameter.unit,
        places=decimals(rows[-1][1]),
        ax=figure.subplots(),
    )
    dropped = len(sources[MAX_ROWS:])
    caption = (
        f"Uncertainty components of {parameter.name} at nominal coefficients: sources"
        f"{', groups of sources' if groups else ''} and their sums."
        f"{f' The {dropped} smallest sources are only in the table.' if dropped else ''}"
    )
    if parameter == results.parameters[:MAX_FORESTS][-1]:
        caption += not_drawn(results, MAX_FORESTS)
    return ReportFigure(name=file_name("impacts", parameter, results), kind="impacts", caption=caption, figure=figure)


def _pulls(results: Results) -> ReportFigure:
    rows = leading_pulls(results.nuisances)
    figure = Figure(figsize=(WIDTH, 1.3 + 0.27 * len(rows)), layout="constrained")

    def column(key: Callable[[NuisanceRow], float | None]) -> list[float]:
        return [math.nan if key(row) is None else float(key(row) or 0.0) for row in rows]

    draw_pulls(
        [f"{row.name} (+{row.followers})" if row.followers else row.name for row in rows],
        column(lambda row: row.pull),
        column(lambda row: row.constraint),
        profile_pulls=column(lambda row: row.profile_pull),
        profile_constraints=column(lambda row: row.profile_constraint),
        ax=figure.subplots(),
    )
    caption = (
        f"The {len(rows)} largest pulls; the bar is the constraint, the post-fit width in prior widths. Fully correlated "
        "nuisances are one row, with the number of the others in brackets."
    )
    return ReportFigure(name="pulls", kind="pulls", caption=caption, figure=figure)


def _ranks(results: Results) -> ReportFigure:
    """Parameters first, then the sampled coefficients with the smallest effective sample size."""
    assert results.sampled is not None  # asked for with a posterior only
    draws, table = results.sampled.draws, results.sampled.verdict.table
    quantities = [variable_name(p.name) for p in results.parameters][:MAX_RANKS]
    if "rho" in draws:
        names = [f"rho[{name}]" for name in draws["coefficient"].to_numpy()]
        ess = table["ess_bulk"].sel(quantity=names).to_numpy()
        quantities += [names[i] for i in np.argsort(ess)[: max(MAX_RANKS - len(quantities), 0)]]
    figure, axes = panels(len(quantities), columns=2, height=2.5)
    for index, (ax, quantity) in enumerate(zip(axes, quantities, strict=False)):
        values = draws[quantity] if quantity in draws else draws["rho"].sel(coefficient=quantity[4:-1])
        counts = rank_counts(values.transpose("chain", "draw").to_numpy())
        chains, bins = counts.shape
        expected = values.sizes["draw"] / bins
        independent = min(float(table["ess_bulk"].sel(quantity=quantity)) / values.size, 1.0)
        spread = math.sqrt(expected * (1 - 1 / bins) * max(1 - 1 / chains, 0.0) / max(independent, 1e-3))
        draw_ranks(counts, expected=expected, spread=spread, label=quantity, legend=index == 0, ax=ax)
    caption = (
        "Ranks of the draws of each chain among all draws: flat if the chains explore the same distribution. Bands: 1 and 2 "
        "standard deviations of a flat histogram, given the effective sample size."
    )
    caption += not_drawn(results, MAX_RANKS)
    return ReportFigure(name="ranks", kind="diagnostics", caption=caption, figure=figure)


def bin_figures(results: Results) -> Iterator[ReportFigure]:
    """One figure per prediction."""
    extraction = results.combination.extraction_in_force
    assert extraction is not None  # asked for with an extraction only
    units = {o.name: o.unit for o in results.combination.observables}
    variables = {p.name: p.variable for p in results.combination.predictions}
    for number, (name, data) in enumerate(results.bins.items()):
        normalised = extraction.distributions[name] == "normalised"
        figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, height_ratios=(3, 1.2))
        draw_bins(
            np.column_stack([data["low"], data["high"]]),
            measured=data["measured"].to_numpy(),
            errors=data["error"].to_numpy(),
            predicted={f"{m:g} GeV": data["predicted"].sel(m_t=m).to_numpy() for m in data["m_t"].to_numpy()},
            fitted=data["fitted"].to_numpy(),
            quantity=f"{name}, {'normalised' if normalised else 'observable'}",
            unit="" if normalised else units[str(data["bin"].to_numpy()[0])],
            variable=variables[name] or "binned variable",
            axes=(upper, lower),
        )
        caption = (
            f"{name}: measured bins with their total uncertainty, the central prediction at three masses, and the fit with "
            f"its theory nuisances{'; all normalised to their sum, which the uncertainties include' if normalised else ''}."
        )
        yield ReportFigure(name=f"bins_{number + 1}", kind="bins", caption=caption, figure=figure)

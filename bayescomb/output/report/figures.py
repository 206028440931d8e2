"""The figures of a report in their order: from results to matplotlib figures with a name and a caption."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from matplotlib.figure import Figure

from bayescomb.inputs.observables import variable_name
from bayescomb.output.figures import draw_posterior, draw_pulls, draw_ranks
from bayescomb.output.figures.style import figure_style
from bayescomb.output.report.drawn.coefficient_figures import (
    coefficient_figure,
    coefficient_panels,
    predictive_figure,
    scan_correlation_figure,
    scan_curve_figure,
    scan_shift_figure,
)
from bayescomb.output.report.drawn.ranking_figures import (
    impact_figure,
    impact_map_figure,
    post_fit_figure,
    ranking_figure,
    share_figures,
)
from bayescomb.output.report.drawn.result_figures import (
    bin_figures,
    estimate_correlation_figure,
    input_figure,
    parameter_correlation_figure,
    set_figure,
    without_each_figure,
)
from bayescomb.output.report.figure import MAX_ROWS, WIDTH, ReportFigure, label_of, not_drawn, panels, symbol_of
from bayescomb.output.report.gathered.ranking import NuisanceRow, leading_pulls
from bayescomb.output.report.gathered.shapes import MAX_PANELS
from bayescomb.output.report.results import Results, moves
from bayescomb.output.words import typeset
from bayescomb.studies.comparison import Comparison

__all__ = ["report_figures"]


def report_figures(results: Results) -> Iterator[ReportFigure]:
    """All figures of a report, one after the other, so that only one is held in memory."""
    with figure_style():
        for figure in _figures(results):
            if figure is not None:
                yield figure


def _figures(results: Results) -> Iterator[ReportFigure | None]:
    """The figures in their order, ``None`` for one that does not apply to these results."""
    for parameter in results.parameters:
        yield input_figure(results, parameter)
    if results.comparison is not None:
        for start in range(0, len(results.parameters), MAX_PANELS):
            yield _posterior(results, results.comparison, start)
    if len(results.combination.estimates) > 1:
        yield estimate_correlation_figure(results)
    if 1 < len(results.parameters) <= MAX_ROWS:
        yield parameter_correlation_figure(results)
    yield post_fit_figure(results)
    for parameter in results.parameters:
        yield set_figure(results, parameter)
    if any(moves(row.half_shift, row.half_error_shift, results.fit) for row in results.scan.rows):
        yield scan_shift_figure(results)
    if results.curves:
        yield scan_curve_figure(results)
    yield scan_correlation_figure(results)
    # A result at its bound has no parts.
    for parameter in (p for p in results.parameters if p.name not in results.fit.at_bound):
        yield impact_figure(results, parameter)
        yield ranking_figure(results, parameter)
    yield impact_map_figure(results)
    yield from share_figures(results)
    if results.combination.extraction:
        yield from bin_figures(results)
    if results.combination.assumption_set.coefficients:
        yield coefficient_figure(results)
    yield coefficient_panels(results)
    if leading_pulls(results.nuisances):
        yield _pulls(results)
    if results.sampled is not None:
        yield _ranks(results)
    yield predictive_figure(results)
    for parameter in results.parameters:
        yield without_each_figure(results, parameter)


def _posterior(results: Results, comparison: Comparison, start: int) -> ReportFigure:
    """Densities of the parameters from index ``start`` on, as many as one figure holds."""
    assert results.sampled is not None  # the caller has a converged posterior
    tree = results.sampled.tree
    shown = results.parameters[start : start + MAX_PANELS]
    figure, axes = panels(len(shown), columns=1 if len(shown) == 1 else 2, height=4.0 if len(shown) == 1 else 3.6)
    cut = results.fit.at_bound + results.fit.ends_at_bound
    for ax, parameter in zip(axes, shown, strict=False):
        row = results.compared(parameter)
        draw_posterior(
            tree["posterior"][variable_name(parameter.name)].to_numpy().ravel(),
            interval=(row["hdi_low"], row["hdi_high"]),
            median=row["median"],
            profile=None if parameter.name in cut else (row["profile_value"], row["profile_error"]),
            density=results.densities.get(parameter.name),
            label=symbol_of(parameter) if len(shown) == 1 else label_of(parameter),
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


def _pulls(results: Results) -> ReportFigure:
    rows = leading_pulls(results.nuisances)
    figure = Figure(figsize=(WIDTH, 1.3 + 0.27 * len(rows)), layout="constrained")

    def column(key: Callable[[NuisanceRow], float | None]) -> list[float]:
        return [math.nan if key(row) is None else float(key(row) or 0.0) for row in rows]

    draw_pulls(
        [typeset(results.labels[row.name]) for row in rows],
        column(lambda row: row.pull),
        column(lambda row: row.constraint),
        profile_pulls=column(lambda row: row.profile_pull),
        profile_constraints=column(lambda row: row.profile_constraint),
        ax=figure.subplots(),
    )
    caption = (
        f"The {len(rows)} largest pulls; the bar is the constraint, the post-fit width in prior widths. Fully correlated "
        "nuisances are one row, with the number of inputs."
    )
    return ReportFigure(name="pulls", kind="pulls", caption=caption, figure=figure)


def _ranks(results: Results) -> ReportFigure:
    titles = {variable_name(p.name): label_of(p) for p in results.parameters}
    titles |= {f"rho[{c.name}]": c.title or c.name for c in results.combination.assumption_set.coefficients}
    figure, axes = panels(len(results.ranks), columns=2, height=2.5)
    for index, (ax, own) in enumerate(zip(axes, results.ranks, strict=False)):
        label = titles[own.quantity]
        draw_ranks(own.counts, expected=own.expected, spread=own.spread, label=label, legend=index == 0, ax=ax)
    caption = (
        "Ranks of the draws of each chain among all draws: flat if the chains explore the same distribution. Bands: 1 and 2 "
        "standard deviations of a flat histogram, given the effective sample size."
    )
    caption += not_drawn(results, MAX_PANELS)
    return ReportFigure(name="ranks", kind="diagnostics", caption=caption, figure=figure)

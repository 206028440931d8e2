"""Figures of the correlation coefficients: prior and feasible ranges, posteriors, and shifts of a result along them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from bayescomb.base.rounding import with_unit
from bayescomb.output.figures.result import histogram
from bayescomb.output.figures.style import COLOURS, LINES, axes_or_new, plain, set_rows

__all__ = ["draw_coefficient", "draw_coefficients", "draw_correlation_scan", "draw_scan_curves", "draw_scan_shifts"]

# Characters in a line of the title of a small panel.
TITLE_WIDTH = 28


def draw_coefficients(
    names: Sequence[str],
    low: ArrayLike,
    high: ArrayLike,
    *,
    nominal: ArrayLike,
    feasible: tuple[ArrayLike, ArrayLike] | None = None,
    feasible_label: str = "feasible range",
    median: ArrayLike | None = None,
    interval: tuple[ArrayLike, ArrayLike] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Prior range, feasible range, nominal value and posterior of each coefficient, one row each.

    Args:
        names: k names, the first at the top.
        low: lower ends of the quoted ranges, shape (k,).
        high: upper ends, shape (k,).
        nominal: nominal values, shape (k,).
        feasible: lower and upper ends of the feasible ranges, shape (k,) each, NaN where no value is feasible; a single
            point is drawn as a short line.
        feasible_label: of the feasible range in the legend.
        median: posterior medians, shape (k,), NaN where there is none.
        interval: lower and upper ends of the central 68 % posterior intervals, shape (k,) each.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_coefficients(["JES"], [0.0], [0.5], nominal=[0.25], ax=Figure().subplots())
        >>> ax.get_xlabel()
        'correlation coefficient'
    """
    ax = axes_or_new(ax)
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    rows = np.arange(len(names))
    ax.barh(rows, high - low, left=low, height=0.62, color=COLOURS["prior"], alpha=0.6)
    handles: list[Line2D | Patch] = [Patch(color=COLOURS["prior"], alpha=0.6, label="quoted range")]
    if feasible is not None:
        start, stop = (np.asarray(end, dtype=float) for end in feasible)
        width = np.maximum(stop - start, 0.012)
        ax.barh(rows + 0.22, width, left=(start + stop - width) / 2, height=0.18, color=COLOURS["feasible"])
        handles.append(Patch(color=COLOURS["feasible"], label=feasible_label))
    ax.plot(np.asarray(nominal, dtype=float), rows, linestyle="none", marker="|", markersize=13, markeredgewidth=1.4,
            color=COLOURS["nominal"])  # fmt: skip
    handles.append(Line2D([], [], linestyle="none", marker="|", markersize=11, color=COLOURS["nominal"], label="nominal"))
    if median is not None and interval is not None:
        middle, below, above = (np.asarray(v, dtype=float) for v in (median, *interval))
        ax.errorbar(
            middle, rows - 0.12, xerr=[middle - below, above - middle], fmt="o", color=COLOURS["posterior"],
            markersize=4, capsize=2.5, elinewidth=1.2,
        )  # fmt: skip
        label = "posterior median, central 68 %"
        handles.append(Line2D([], [], marker="o", markersize=4, color=COLOURS["posterior"], label=label))
    set_rows(ax, names)
    ax.axvline(0.0, color=COLOURS["prior"], linewidth=0.8, linestyle=":", zorder=0)
    reach = max(0.05, float(np.nanmax(np.abs([*low, *high, 0.0]))))
    ax.set_xlim(min(float(low.min(initial=0.0)), 0.0) - 0.08 * reach, float(high.max(initial=0.0)) + 0.08 * reach)
    ax.set_xlabel("correlation coefficient")
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)  # long names take the left side
    return ax


def draw_coefficient(
    prior: ArrayLike | None,
    posterior: ArrayLike | None,
    *,
    law: tuple[ArrayLike, ArrayLike] | None = None,
    quoted: tuple[float, float],
    feasible: tuple[float, float] | None = None,
    nominal: float,
    curve: tuple[ArrayLike, ArrayLike] | None = None,
    title: str = "",
    label: str = "shift",
    unit: str = "",
    bins: int = 16,
    ax: Axes | None = None,
) -> Axes:
    """Prior and posterior of one coefficient on its quoted range, and the shift of a result along it on a second axis.

    Args:
        prior: draws of the prior, shape (n,), or ``None``.
        posterior: draws of the posterior, shape (m,), or ``None``.
        law: values of the coefficient and the exact density of the prior there, shape (k,) each, in place of draws.
        quoted: ends of the quoted range.
        feasible: ends of its feasible part; the rest is hatched.
        nominal: nominal value.
        curve: values of the coefficient and shifts of the result there, shape (k,) each.
        title: name of the coefficient.
        label: what is shifted, for the axis at the right.
        unit: unit of the shifts.
        bins: of the histograms.
        ax: where to draw; a new figure by default.

    Returns:
        The axes of the densities; ``ax.figure.axes[-1]`` are those of the curve.

    Examples:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> draws = np.random.default_rng(1).uniform(0.5, 1.0, 500)
        >>> ax = draw_coefficient(draws, draws, quoted=(0.5, 1.0), nominal=0.85, title="b-JES", ax=Figure().subplots())
        >>> ax.get_title(loc="left")
        'b-JES'
    """
    ax = axes_or_new(ax)
    edges = np.linspace(*quoted, bins + 1)
    samples = ((posterior, COLOURS["posterior"], True), (prior, "#808080", False))
    histograms = [(histogram(draws, edges)[0], colour, filled) for draws, colour, filled in samples if draws is not None]
    peak = 0.0
    for heights, colour, filled in histograms:
        ax.stairs(heights, edges, fill=filled, color=colour, alpha=0.35 if filled else 1.0, linewidth=1.3)
        peak = max(peak, float(heights.max()))
    if law is not None:
        x, y = (np.asarray(values, dtype=float) for values in law)
        ax.plot(np.concatenate([x[:1], x, x[-1:]]), np.concatenate([[0.0], y, [0.0]]), color="#808080", linewidth=1.3)
        peak = max(peak, float(y.max()))
    ax.set_ylim(0.0, 1.45 * (peak or 1.0))
    if feasible is not None:
        for start, stop in ((quoted[0], feasible[0]), (feasible[1], quoted[1])):
            if stop - start > 1e-3 * (quoted[1] - quoted[0]):
                ax.axvspan(start, stop, facecolor="none", edgecolor=COLOURS["feasible"], hatch="///", linewidth=0)
    ax.axvline(nominal, color=COLOURS["nominal"], linewidth=0.9, linestyle=":")
    margin = 0.04 * (quoted[1] - quoted[0])
    ax.set_xlim(quoted[0] - margin, quoted[1] + margin)
    ax.set_yticks([])
    ax.set_title(textwrap.fill(plain(title), TITLE_WIDTH), fontsize="small", loc="left")
    if curve is not None:
        right = ax.twinx()
        right.plot(np.asarray(curve[0], dtype=float), np.asarray(curve[1], dtype=float), color=COLOURS["profile"])
        right.axhline(0.0, color=COLOURS["profile"], linewidth=0.4)
        right.set_ylabel(with_unit(label, unit), color=COLOURS["profile"])
        right.tick_params(axis="y", colors=COLOURS["profile"])
        right.margins(y=0.15)
    return ax


def draw_scan_shifts(
    names: Sequence[str],
    shifts: ArrayLike,
    *,
    published: Sequence[tuple[float, float] | None] = (),
    label: str = "half shift",
    unit: str = "",
    colour: str = COLOURS["posterior"],
    ax: Axes | None = None,
) -> Axes:
    """Half shift of a parameter (or of its error) over the range of each coefficient, one bar each.

    Args:
        names: k names, the first at the top.
        shifts: signed half shifts, shape (k,), NaN where an end of the range is infeasible.
        published: per row the published size and half the width of its rounding interval, or ``None``; drawn with the sign
            of the shift.
        label: what is shown, for the axis.
        unit: unit of the shifts.
        colour: of the bars.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> len(draw_scan_shifts(["b-JES", "JER"], [-26.0, 3.5], unit="MeV", ax=Figure().subplots()).patches)
        2
    """
    ax = axes_or_new(ax)
    shifts = np.asarray(shifts, dtype=float)
    rows = np.arange(len(names))
    ax.barh(rows, shifts, height=0.66, color=colour)
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    for row, size_of in enumerate(published):
        if size_of is None or np.isnan(shifts[row]):
            continue
        centre, half = np.copysign(size_of[0], shifts[row]), size_of[1]
        ax.plot(centre + half * np.array([-1, 1]), [row, row], color=COLOURS["black"], linewidth=2.2, solid_capstyle="butt")
        ax.plot(2 * [centre], [row - 0.28, row + 0.28], color=COLOURS["black"], linewidth=1.0)
    for row in rows[np.isnan(shifts)]:
        ax.text(0.0, row, " infeasible", va="center", fontsize="small")
    set_rows(ax, names)
    size = 1.12 * float(np.nanmax(np.abs(shifts), initial=0.0))
    ax.set_xlim(-size or -1.0, size or 1.0)
    ax.set_xlabel(with_unit(label, unit))
    return ax


def draw_correlation_scan(
    names: Sequence[str], low: ArrayLike, nominal: ArrayLike, high: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Correlations of pairs of results with a coefficient at the lower end of its range, at nominal and at the upper end.

    Args:
        names: k names, the first at the top.
        low: correlations at the lower end, shape (k,).
        nominal: correlations at the nominal coefficient, shape (k,).
        high: correlations at the upper end, shape (k,).
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_correlation_scan(["a, b: JES"], [0.1], [0.2], [0.3], ax=Figure().subplots())
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['low', 'nominal', 'high']
    """
    ax = axes_or_new(ax)
    rows = np.arange(len(names))
    start, stop = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    ax.hlines(rows, start, stop, color=COLOURS["group"], linewidth=1.2)
    for values, marker, label in (
        (start, "<", "low"),
        (np.asarray(nominal, dtype=float), "o", "nominal"),
        (stop, ">", "high"),
    ):
        colour = COLOURS["profile"] if label == "nominal" else COLOURS["posterior"]
        ax.plot(values, rows, marker, color=colour, markersize=4, label=label)
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    ax.set_xlabel("correlation of results")
    ax.legend(loc="best")
    return ax


def draw_scan_curves(
    points: Sequence[ArrayLike],
    shifts: Sequence[ArrayLike],
    names: Sequence[str],
    *,
    nominal: Sequence[float] = (),
    label: str = "shift",
    unit: str = "",
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Shift of a parameter (or of its error) against each coefficient, the others at nominal.

    Args:
        points: values of each of k coefficients, shapes (n_1,), ..., (n_k,).
        shifts: shift of the parameter at these points, the same shapes.
        names: k names.
        nominal: nominal values, marked at shift 0, shape (k,).
        label: what is shown, for the axis.
        unit: unit of the shifts.
        legend: name the curves.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_scan_curves([[0, 1]], [[-1, 1]], ["JES"], label="shift of x", unit="pb", ax=Figure().subplots())
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('correlation coefficient', 'shift of x [pb]')
    """
    ax = axes_or_new(ax)
    ax.axhline(0.0, color=COLOURS["black"], linewidth=0.6)
    for index, (x, y, name) in enumerate(zip(points, shifts, names, strict=True)):
        line = LINES[index // 6 % len(LINES)]
        drawn = ax.plot(np.asarray(x), np.asarray(y), linestyle=line, label=plain(name))[0]
        if len(nominal):
            ax.plot(nominal[index], 0.0, marker="o", markersize=4, color=drawn.get_color())
    ax.set_xlabel("correlation coefficient")
    ax.set_ylabel(with_unit(label, unit))
    if legend and len(names):
        ax.legend(loc="best")
    return ax

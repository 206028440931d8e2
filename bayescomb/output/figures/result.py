"""Figures of the result: density of a parameter, forest of inputs and combinations, bins, posterior predictive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import fixed, with_unit
from bayescomb.output.figures.style import COLOURS, axes_or_new, set_rows

__all__ = ["draw_bins", "draw_inputs", "draw_posterior", "draw_predictive"]

KIND_COLOURS: Final = {
    "input": COLOURS["black"],
    "experiment": COLOURS["feasible"],
    "profile": COLOURS["profile"],
    "posterior": COLOURS["posterior"],
}


def histogram(draws: ArrayLike, bins: int | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Heights of a normalised histogram, shape (B,), and its edges, shape (B + 1,).

    Args:
        draws: shape (n,).
        bins: their number, or their edges.

    Examples:
        >>> [values.tolist() for values in histogram([0.0, 0.0, 0.5, 2.0], 2)]
        [[0.75, 0.25], [0.0, 1.0, 2.0]]
    """
    heights, edges = np.histogram(np.asarray(draws, dtype=float), bins=bins, density=True)
    return heights, edges


def gaussian_density(value: float, error: float) -> tuple[FloatArray, FloatArray]:
    """Grid of 201 points within four errors of a value, and the density of a Gaussian of this width on it."""
    x = np.linspace(value - 4 * error, value + 4 * error, 201)
    return x, np.exp(-0.5 * ((x - value) / error) ** 2) / (error * np.sqrt(2 * np.pi))


def draw_posterior(
    draws: ArrayLike,
    *,
    interval: tuple[float, float],
    median: float | None = None,
    profile: tuple[float, float] | None = None,
    density: tuple[ArrayLike, ArrayLike] | None = None,
    label: str = "",
    unit: str = "",
    gaussian: bool = False,
    bins: int = 40,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Posterior density of a parameter with the profile likelihood and both intervals.

    The profile is drawn as exp(-Delta chi2 / 2), normalised; its interval is Delta chi2 = 1.

    Args:
        draws: shape (n,), in the unit of the parameter.
        interval: ends of the 68 % highest-density interval.
        median: of the posterior, by default that of the draws.
        profile: value and error of the profile.
        density: grid and density values, shape (m,) each, drawn as the line of the posterior.
        label: symbol or name of the parameter, for the axis.
        unit: its unit.
        gaussian: label the profile as a Gaussian with its parabolic error.
        bins: number of bins of the histogram.
        legend: name the curves and marks above them.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> draws = np.random.default_rng(1).normal(172.5, 0.3, 1000)
        >>> ax = draw_posterior(draws, interval=(172.2, 172.8), label="$m_t$", unit="GeV", ax=Figure().subplots())
        >>> ax.get_xlabel()
        '$m_t$ [GeV]'
    """
    ax = axes_or_new(ax)
    heights, edges = histogram(draws, bins)
    centre = float(np.median(np.asarray(draws, dtype=float))) if median is None else median
    curve = None if profile is None else gaussian_density(*profile)
    ax.hist(
        edges[:-1], edges.tolist(), weights=heights, histtype="stepfilled", color=COLOURS["posterior"], alpha=0.2,
        label="posterior draws",
    )  # fmt: skip
    peak = float(heights.max())
    if density is not None:
        x, y = np.asarray(density[0], dtype=float), np.asarray(density[1], dtype=float)
        inside = np.linspace(*interval, 101)
        ax.fill_between(inside, np.interp(inside, x, y), color=COLOURS["posterior"], alpha=0.2, linewidth=0)
        ax.plot(x, y, color=COLOURS["posterior"], label="posterior density")
        peak = max(peak, float(y.max()))
    rows = [(centre, interval, "posterior", "posterior median, 68 % HDI")]
    if profile is not None and curve is not None:
        value, error = profile
        shown = "profile, Gaussian" if gaussian else "profile, exp(-Δχ²/2)"
        ax.plot(*curve, color=COLOURS["profile"], linestyle="--", label=shown)
        peak = max(peak, float(curve[1].max()))
        rows.append((value, (value - error, value + error), "profile", "profile, Δχ² = 1"))
    for row, (centre, (low, high), kind, text) in enumerate(rows):
        ax.errorbar(
            centre, -(0.07 + 0.09 * row) * peak, xerr=[[max(centre - low, 0.0)], [max(high - centre, 0.0)]],
            fmt="o" if kind == "posterior" else "s", color=COLOURS[kind], capsize=3, label=text,
        )  # fmt: skip
    ax.axhline(0.0, color=COLOURS["black"], linewidth=0.6)
    ax.set_ylim(-(0.07 + 0.09 * len(rows)) * peak, (1.45 if legend else 1.1) * peak)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 1.1 * peak])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(with_unit(label or "parameter", unit))
    ax.set_ylabel(with_unit("probability density", f"1/{unit}" if unit else ""))
    if legend:
        ax.legend(loc="upper center", ncols=2)
    return ax


def draw_inputs(
    names: Sequence[str],
    values: ArrayLike,
    errors: ArrayLike,
    *,
    statistical: ArrayLike | None = None,
    without_theory: ArrayLike | None = None,
    kinds: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    heading: str = "",
    band: tuple[float, float] | None = None,
    label: str = "",
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Forest of estimates and combinations, one row each, the first at the top.

    Args:
        names: n names.
        values: shape (n,), in the unit of the parameter.
        errors: total uncertainties, shape (n,), or lower and upper ones, shape (2, n).
        statistical: statistical uncertainties, shape (n,), NaN where there is none; drawn as a thick inner bar.
        without_theory: statistical and systematic uncertainties together, shape (n,), NaN where there is none; drawn as a
            bar between the statistical and the total one.
        kinds: ``"input"``, ``"experiment"``, ``"profile"`` or ``"posterior"`` per row; sets the colour, and a line is drawn
            where the kind changes.  All inputs by default.
        texts: n texts for the right margin, e.g. the rounded numbers.
        heading: above the first text.
        band: value and error of a combination, drawn as a band behind all rows.
        label: symbol or name of the parameter, for the axis.
        unit: its unit.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_inputs(["a", "b"], [1.0, 2.0], [0.2, 0.3], label="x", unit="pb", ax=Figure().subplots())
        >>> [tick.get_text() for tick in ax.get_yticklabels()], ax.get_xlabel()
        (['a', 'b'], 'x [pb]')
    """
    ax = axes_or_new(ax)
    values = np.asarray(values, dtype=float)
    spread = np.broadcast_to(np.asarray(errors, dtype=float), (2, len(values)))
    inner = np.full(len(values), np.nan) if statistical is None else np.asarray(statistical, dtype=float)
    middle = np.full(len(values), np.nan) if without_theory is None else np.asarray(without_theory, dtype=float)
    kinds = ["input"] * len(values) if kinds is None else list(kinds)
    if band is not None:
        ax.axvspan(band[0] - band[1], band[0] + band[1], color=COLOURS["profile"], alpha=0.15, linewidth=0)
        ax.axvline(band[0], color=COLOURS["profile"], linewidth=0.8)
    for row, kind in enumerate(kinds):
        colour = KIND_COLOURS[kind]
        ax.errorbar(
            values[row], row, xerr=spread[:, [row]], fmt="o" if kind == "input" else "s", color=colour,
            capsize=2.5, elinewidth=1.0, markersize=4,
        )  # fmt: skip
        for size, width, alpha in ((middle[row], 2.6, 0.45), (inner[row], 5.0, 0.45)):
            if np.isfinite(size):
                ends = values[row] + size * np.array([-1, 1])
                ax.plot(ends, [row, row], color=colour, linewidth=width, alpha=alpha, solid_capstyle="butt")
        if row and kinds[row - 1] == "input" and kind != "input":
            ax.axhline(row - 0.5, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    low, high = float((values - spread[0]).min()), float((values + spread[1]).max())
    margin = 0.05 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    if texts is not None:
        for row, text in enumerate(texts):
            ax.text(
                1.02, row, text, transform=ax.get_yaxis_transform(), va="center", fontsize="small",
                color=KIND_COLOURS[kinds[row]],
            )  # fmt: skip
        if heading:
            place = ax.get_yaxis_transform()
            ax.text(1.02, -0.62, heading, transform=place, va="bottom", fontsize="small", color=COLOURS["black"])
    _explain_bars(ax, inner, middle)
    ax.set_xlabel(with_unit(label or "value", unit))
    return ax


def _explain_bars(ax: Axes, inner: FloatArray, middle: FloatArray) -> None:
    """Legend above the rows: which bar is which part of the uncertainty."""
    parts = [(inner, 5.0, "statistical"), (middle, 2.6, "and systematic")]
    shown = [(width, label) for sizes, width, label in parts if np.isfinite(sizes).any()]
    if not shown:
        return
    total = "total, with theory" if np.isfinite(middle).any() else "total"
    handles = [Line2D([], [], color="0.35", alpha=0.7, linewidth=width, label=label) for width, label in shown]
    handles.append(Line2D([], [], color="0.35", linewidth=1.0, label=total))
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize="small", handlelength=1.4,
              columnspacing=1.2, borderpad=0.2)  # fmt: skip


def draw_bins(
    edges: ArrayLike,
    *,
    measured: ArrayLike,
    errors: ArrayLike,
    predicted: Mapping[str, ArrayLike],
    fitted: ArrayLike,
    theory: ArrayLike | None = None,
    quantity: str = "",
    unit: str = "",
    variable: str = "",
    measured_by: str = "measured",
    axes: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Measured and predicted bins in the upper panel, their ratios to the fit in the lower one.

    Args:
        edges: lower and upper edge of each of the n bins, shape (n, 2).
        measured: shape (n,).
        errors: total uncertainties of the measured values, shape (n,).
        predicted: label -> prediction, shape (n,), in the unit of the measurement.
        fitted: prediction at the best fit, theory nuisances included, shape (n,).
        theory: uncertainty of the prediction from its theory nuisances before the fit, shape (n,); a band about the fit.
        quantity: what is measured, for the axis.
        unit: its unit.
        variable: what is binned.
        measured_by: name of the data, e.g. of the experiment.
        axes: upper and lower axes; those of a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots(2, 1)
        >>> upper, lower = draw_bins([[0, 1], [1, 2]], measured=[2, 1], errors=[0.2, 0.1], predicted={"170 GeV": [2.1, 0.9]},
        ...     fitted=[2, 1], variable="rho", axes=tuple(axes))
        >>> lower.get_xlabel()
        'rho'
    """
    if axes is None:
        axes = tuple(plt.subplots(2, 1, height_ratios=(3, 1.2), layout="constrained")[1])
    upper, lower = axes
    edges, measured, errors, fitted = (np.asarray(a, dtype=float) for a in (edges, measured, errors, fitted))
    corners = np.append(edges[:, 0], edges[-1, 1])
    centre, half = edges.mean(axis=1), np.diff(edges, axis=1)[:, 0] / 2
    colours = ("posterior", "feasible", "extra", "statistical")
    for i, (label, values) in enumerate(predicted.items()):
        style: dict[str, Any] = {"color": COLOURS[colours[i % len(colours)]], "linewidth": 1.3}
        upper.stairs(np.asarray(values, dtype=float), corners, label=label, **style)
        lower.stairs(np.asarray(values, dtype=float) / fitted, corners, baseline=None, **style)
    if theory is not None:
        size = np.asarray(theory, dtype=float)
        for ax, scale in ((upper, np.ones(len(fitted))), (lower, fitted)):
            ends = {"values": (fitted + size) / scale, "baseline": (fitted - size) / scale}
            ax.stairs(
                ends["values"], corners, baseline=ends["baseline"], fill=True, color=COLOURS["profile"], alpha=0.25,
                linewidth=0, label="theory uncertainty" if ax is upper else None,
            )  # fmt: skip
    upper.stairs(fitted, corners, color=COLOURS["profile"], linestyle="--", label="fit")
    lower.axhline(1, color=COLOURS["profile"], linestyle="--", linewidth=1.3)
    for ax, scale in ((upper, np.ones(len(fitted))), (lower, fitted)):
        ax.errorbar(
            centre, measured / scale, xerr=half, yerr=np.abs(errors / scale), fmt="o", color=COLOURS["black"], markersize=4,
            label=measured_by,
        )  # fmt: skip
    upper.set_ylabel(with_unit(quantity, unit))
    upper.tick_params(labelbottom=False)
    upper.legend(frameon=False)
    if min(measured.min(), fitted.min()) >= 0:
        upper.set_ylim(bottom=0)
    lower.set_ylabel("over fit")
    lower.set_xlabel(variable)
    for ax in axes:
        ax.set_xlim(corners[0], corners[-1])
    return upper, lower


def draw_predictive(
    names: Sequence[str],
    measured: ArrayLike,
    *,
    centre: ArrayLike,
    width: ArrayLike,
    interval68: tuple[ArrayLike, ArrayLike],
    interval95: tuple[ArrayLike, ArrayLike],
    p_values: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Measured values on their predictive intervals, one row each, all in predictive standard deviations.

    Args:
        names: n names, the first at the top.
        measured: shape (n,), each in the unit of its estimate.
        centre: means of the predictive distributions, shape (n,).
        width: their standard deviations, shape (n,).
        interval68: ends of the central 68 % intervals, shape (n,) each.
        interval95: ends of the central 95 % intervals, shape (n,) each.
        p_values: two-sided tail probabilities, shape (n,), written at the right.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_predictive(["bin 1"], [10.5], centre=[10.0], width=[1.0], interval68=([9.0], [11.0]),
        ...     interval95=([8.0], [12.0]), p_values=[0.62], ax=Figure().subplots())
        >>> [text.get_text() for text in ax.texts]
        ['0.62', 'p-value']
    """
    ax = axes_or_new(ax)
    rows = np.arange(len(names))
    middle, unit = np.asarray(centre, dtype=float), np.asarray(width, dtype=float)
    for (low, high), alpha, label in ((interval95, 0.2, "predictive 95 %"), (interval68, 0.4, "predictive 68 %")):
        start, stop = ((np.asarray(end, dtype=float) - middle) / unit for end in (low, high))
        ax.barh(rows, stop - start, left=start, height=0.62, color=COLOURS["posterior"], alpha=alpha, label=label)
    points = (np.asarray(measured, dtype=float) - middle) / unit
    ax.plot(points, rows, linestyle="none", marker="o", color=COLOURS["black"], label="measured")
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    reach = max(2.4, 1.1 * float(np.max(np.abs(points), initial=0.0)))
    ax.set_xlim(-reach, reach * (1.0 if p_values is None else 1.3))
    set_rows(ax, names)
    if p_values is not None:
        for row, value in enumerate(np.asarray(p_values, dtype=float)):
            ax.text(1.27 * reach, row, fixed(float(value), 2), ha="right", va="center", fontsize="small")
        ax.text(1.27 * reach, -0.75, "p-value", ha="right", va="bottom", fontsize="small")
    ax.set_xlabel("(value - predictive mean) / predictive standard deviation")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
    return ax

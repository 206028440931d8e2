"""Figures of the result: density of a parameter, forest of the inputs and their combinations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from bayescomb.figures_style import COLOURS, axes_or_new, axis_label, set_rows

__all__ = ["draw_inputs", "draw_posterior"]

KIND_COLOURS: Final = {
    "input": COLOURS["black"],
    "experiment": COLOURS["feasible"],
    "profile": COLOURS["profile"],
    "posterior": COLOURS["posterior"],
}


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
        gaussian: say of the profile that it is drawn as a Gaussian with its parabolic error.
        bins: number of bins of the histogram.
        legend: explain the marks above the curves.
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
    draws = np.asarray(draws, dtype=float)
    heights, _, _ = ax.hist(
        draws, bins=bins, density=True, histtype="stepfilled", color=COLOURS["posterior"], alpha=0.2, label="posterior draws"
    )
    peak = float(np.max(heights))
    if density is not None:
        x, y = np.asarray(density[0], dtype=float), np.asarray(density[1], dtype=float)
        inside = np.linspace(*interval, 101)
        ax.fill_between(inside, np.interp(inside, x, y), color=COLOURS["posterior"], alpha=0.2, linewidth=0)
        ax.plot(x, y, color=COLOURS["posterior"], label="posterior density")
        peak = max(peak, float(y.max()))
    rows = [(float(np.median(draws)) if median is None else median, interval, "posterior", "posterior median, 68 % HDI")]
    if profile is not None:
        value, error = profile
        x = np.linspace(value - 4 * error, value + 4 * error, 201)
        y = np.exp(-0.5 * ((x - value) / error) ** 2) / (error * np.sqrt(2 * np.pi))
        ax.plot(
            x, y, color=COLOURS["profile"], linestyle="--", label="profile, Gaussian" if gaussian else "profile, exp(-Δχ²/2)"
        )
        peak = max(peak, float(y.max()))
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
    ax.set_xlabel(axis_label(label or "parameter", unit))
    ax.set_ylabel(axis_label("probability density", f"1/{unit}" if unit else ""))
    if legend:
        ax.legend(loc="upper center", ncols=2)
    return ax


def draw_inputs(
    names: Sequence[str],
    values: ArrayLike,
    errors: ArrayLike,
    *,
    statistical: ArrayLike | None = None,
    kinds: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
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
        kinds: ``"input"``, ``"experiment"``, ``"profile"`` or ``"posterior"`` per row; sets the colour, and a line is drawn
            where the kind changes.  All inputs by default.
        texts: n texts for the right margin, e.g. the rounded numbers.
        band: value and error of a combination, drawn as a band behind everything.
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
        if np.isfinite(inner[row]):
            ax.plot(values[row] + inner[row] * np.array([-1, 1]), [row, row], color=colour, linewidth=3.0, alpha=0.45)
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
    ax.set_xlabel(axis_label(label or "value", unit))
    return ax

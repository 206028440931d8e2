"""Figures of what matters: ranking of nuisances, impacts on every quantity at once, shares of the variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from bayescomb.figures_style import COLOURS, axes_or_new, axis_label, plain, set_rows
from bayescomb.rounding import fixed

__all__ = ["draw_impact_map", "draw_ranking", "draw_shares"]

SHARE_COLOURS = {
    "statistics": COLOURS["statistical"],
    "group": COLOURS["group"],
    "coefficient": COLOURS["posterior"],
    "coupling": COLOURS["extra"],
    "remainder": COLOURS["prior"],
}


def draw_ranking(
    names: Sequence[str],
    up: ArrayLike,
    down: ArrayLike,
    *,
    pulls: ArrayLike,
    constraints: ArrayLike,
    label: str = "shift",
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Shift of a result by each nuisance one post-fit width up and down as bars, its pull as a point on the axis above.

    Args:
        names: n names, the first at the top.
        up: shift for the nuisance one post-fit width above its fitted value, shape (n,).
        down: the same below, shape (n,).
        pulls: fitted nuisances in prior widths, shape (n,).
        constraints: post-fit over prior widths, shape (n,).
        label: what is shifted, for the axis.
        unit: unit of the shifts.
        ax: where to draw; a new figure by default.

    Returns:
        The axes of the bars; those of the pulls share its rows.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_ranking(["JES"], [0.2], [-0.2], pulls=[0.3], constraints=[0.9], unit="GeV", ax=Figure().subplots())
        >>> len(ax.patches)
        2
    """
    ax = axes_or_new(ax)
    up, down = np.asarray(up, dtype=float), np.asarray(down, dtype=float)
    rows = np.arange(len(names))
    ax.barh(rows, up, height=0.7, color=COLOURS["statistical"], label="nuisance up")
    ax.barh(rows, down, height=0.7, facecolor="none", edgecolor=COLOURS["posterior"], linewidth=0.9, label="nuisance down")
    reach = 1.1 * float(np.max(np.abs([up, down]), initial=0.0)) or 1.0
    ax.set_xlim(-reach, reach)
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    ax.set_xlabel(axis_label(label, unit))
    ax.tick_params(axis="x", which="both", top=False)
    top = ax.twiny()
    top.errorbar(
        np.asarray(pulls, dtype=float), rows, xerr=np.asarray(constraints, dtype=float), fmt="o", color=COLOURS["black"],
        markersize=3.5, elinewidth=1.0, capsize=1.5, label="pull and constraint",
    )  # fmt: skip
    for width in (-1.0, 1.0):
        top.axvline(width, color=COLOURS["prior"], linestyle=":", linewidth=0.9, zorder=0)
    extent = 1.1 * max(1.6, float(np.nanmax(np.abs(pulls) + np.asarray(constraints, dtype=float), initial=0.0)))
    top.set_xlim(-extent, extent)
    top.set_xlabel("pull [prior width]")
    top.tick_params(axis="x", which="both", bottom=False)
    handles, labels = (a + b for a, b in zip(ax.get_legend_handles_labels(), top.get_legend_handles_labels(), strict=True))
    # Above the label of the upper axis, from the right: long names take the left side.
    top.legend(handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0 + 0.75 / max(len(names), 6) + 0.02), ncols=3)
    return ax


def draw_impact_map(
    names: Sequence[str],
    quantities: Sequence[str],
    impacts: ArrayLike,
    *,
    label: str = "impact",
    unit: str = "%",
    places: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Impacts of sources or groups (rows) on several quantities (columns), as numbers on a shade.

    Args:
        names: n names, the first at the top.
        quantities: m names, columns from the left.
        impacts: shape (n, m), in a unit that all quantities share.
        label: what is shown, for the title above.
        unit: that unit.
        places: decimals of the numbers.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_impact_map(["JES", "total"], ["bin 1"], [[1.2], [3.0]], ax=Figure().subplots())
        >>> [text.get_text() for text in ax.texts]
        ['1.2', '3.0']
    """
    ax = axes_or_new(ax)
    impacts = np.asarray(impacts, dtype=float)
    largest = float(np.nanmax(np.abs(impacts), initial=0.0)) or 1.0
    ax.imshow(np.abs(impacts), cmap="Blues", vmin=0.0, vmax=largest, aspect="auto")
    for (row, column), value in np.ndenumerate(impacts):
        colour = "white" if abs(value) > 0.6 * largest else "black"
        ax.text(column, row, fixed(float(value), places), ha="center", va="center", fontsize="x-small", color=colour)
    set_rows(ax, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xticks(range(len(quantities)), [plain(name) for name in quantities], rotation=45, ha="right")
    ax.tick_params(axis="both", which="both", length=0)
    ax.set_title(axis_label(label, unit), loc="right")
    return ax


def draw_shares(
    names: Sequence[str],
    shares: ArrayLike,
    *,
    kinds: Sequence[str] | None = None,
    label: str = "share of the variance",
    ax: Axes | None = None,
) -> Axes:
    """Shares of a variance as bars with their numbers, one row each; they can be negative.

    Args:
        names: n names, the first at the top.
        shares: shape (n,), as fractions.
        kinds: ``"statistics"``, ``"group"``, ``"coefficient"``, ``"coupling"`` or ``"remainder"`` per row.
        label: what is shown, for the axis.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_shares(["statistics", "JES"], [0.3, 0.7], ax=Figure().subplots())
        >>> [text.get_text() for text in ax.texts]
        ['30.0', '70.0']
    """
    ax = axes_or_new(ax)
    percent = 100 * np.asarray(shares, dtype=float)
    kinds = ["group"] * len(percent) if kinds is None else list(kinds)
    ax.barh(range(len(names)), percent, height=0.68, color=[SHARE_COLOURS[kind] for kind in kinds])
    low, high = min(float(percent.min(initial=0.0)), 0.0), float(percent.max(initial=0.0))
    span = max(high - low, 1e-12)
    for row, value in enumerate(percent):
        ax.text(max(value, 0.0) + 0.012 * span, row, fixed(float(value), 1), va="center", fontsize="small")
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    ax.set_xlim(low - 0.03 * span, high + 0.12 * span)
    ax.set_xlabel(axis_label(label, "%"))
    return ax

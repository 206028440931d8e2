"""Figures of impacts, shares of the variance, pulls, rankings and correlations; ranks of the draws of each chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import fixed, with_unit
from bayescomb.output.figures.style import COLOURS, axes_or_new, plain, set_rows, title_text

__all__ = [
    "draw_correlation_matrix",
    "draw_impact_map",
    "draw_impacts",
    "draw_pulls",
    "draw_ranking",
    "draw_ranks",
    "draw_shares",
]

IMPACT_COLOURS: Final = {
    "source": COLOURS["posterior"],
    "group": COLOURS["group"],
    "statistics": COLOURS["statistical"],
    "total": "#555555",
}
# A matrix of more rows than this is drawn without numbers in its cells.
MAX_NUMBERS: Final = 16
SHARE_COLOURS = {
    "statistics": COLOURS["statistical"],
    "group": COLOURS["group"],
    "coefficient": COLOURS["posterior"],
    "coupling": COLOURS["extra"],
    "remainder": COLOURS["prior"],
}


def draw_impacts(
    names: Sequence[str],
    impacts: ArrayLike,
    *,
    kinds: Sequence[str] | None = None,
    label: str = "impact",
    unit: str = "",
    places: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Uncertainty components as bars with their numbers, one row each; a line where the kind changes.

    Args:
        names: n names, the first at the top.
        impacts: shape (n,), in the unit of the parameter; negative for a coupling that reduces the variance.
        kinds: ``"source"``, ``"group"``, ``"statistics"`` or ``"total"`` per row.
        label: what is shown, for the axis.
        unit: unit of the impacts.
        places: decimals of the numbers.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_impacts(["JES", "total"], [0.2, 0.3], kinds=["source", "total"], unit="GeV", ax=Figure().subplots())
        >>> [text.get_text() for text in ax.texts]
        ['0.200', '0.300']
    """
    ax = axes_or_new(ax)
    impacts = np.asarray(impacts, dtype=float)
    kinds = ["source"] * len(impacts) if kinds is None else list(kinds)
    smallest, largest, span = _numbered_bars(ax, impacts, [IMPACT_COLOURS[kind] for kind in kinds], places=places)
    for row in range(1, len(kinds)):
        if kinds[row - 1] != kinds[row]:
            ax.axhline(row - 0.5, color=COLOURS["black"], linewidth=0.6)
    if smallest < 0:
        ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    ax.set_xlim(smallest - (0.03 * span if smallest < 0 else 0.0), largest + 0.14 * span)
    ax.set_xlabel(with_unit(label, unit))
    return ax


def _numbered_bars(ax: Axes, values: FloatArray, colours: Sequence[str], *, places: int) -> tuple[float, float, float]:
    """Draw a bar with its number per row; the lowest and highest end of all bars, and their distance, never 0."""
    ax.barh(range(len(values)), values, height=0.68, color=colours)
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    span = max(high - low, 1e-12)
    for row, value in enumerate(values):
        ax.text(max(value, 0.0) + 0.012 * span, row, fixed(float(value), places), va="center", fontsize="small")
    return low, high, span


def draw_pulls(
    names: Sequence[str],
    pulls: ArrayLike,
    constraints: ArrayLike,
    *,
    profile_pulls: ArrayLike | None = None,
    profile_constraints: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Pulls with their constraints, one row each, on bands of 1 and 2 prior widths.

    Args:
        names: n names, the first at the top.
        pulls: posterior means in prior widths, shape (n,), NaN where there is none.
        constraints: posterior over prior widths, shape (n,), NaN where there is none.
        profile_pulls: pulls of the profile, shape (n,).
        profile_constraints: constraints of the profile, shape (n,).
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> draw_pulls(["JES"], [0.4], [0.8], ax=Figure().subplots()).get_xlabel()
        'pull [prior width]'
    """
    ax = axes_or_new(ax)
    for width, alpha in ((2.0, 0.16), (1.0, 0.3)):
        ax.axvspan(-width, width, color=COLOURS["prior"], alpha=alpha, linewidth=0)
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    rows = np.arange(len(names))
    reach = 2.0
    series = [(pulls, constraints, "posterior", "o", -0.13 if profile_pulls is not None else 0.0, "posterior")]
    if profile_pulls is not None:
        own = np.zeros(len(rows)) if profile_constraints is None else profile_constraints
        series.append((profile_pulls, own, "profile", "s", 0.17, "profile at nominal coefficients"))
    for values, widths, kind, marker, offset, label in series:
        centre, error = np.asarray(values, dtype=float), np.nan_to_num(np.asarray(widths, dtype=float))
        if not np.isfinite(centre).any():
            continue
        ax.errorbar(
            centre, rows + offset, xerr=error, fmt=marker, color=COLOURS[kind], markersize=4, capsize=2, elinewidth=1.1,
            label=label,
        )  # fmt: skip
        reach = max(reach, float(np.nanmax(np.abs(centre) + error)))
    set_rows(ax, names)
    ax.set_xlim(-1.08 * reach, 1.08 * reach)
    ax.set_xlabel("pull [prior width]")
    if profile_pulls is not None:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def draw_correlation_matrix(
    matrix: ArrayLike, names: Sequence[str], *, first: int = 0, label: str = "correlation", ax: Axes | None = None
) -> Axes:
    """A correlation matrix in colours from -1 to 1, with numbers below the diagonal if it has at most 16 rows.

    Args:
        matrix: shape (n, n).
        names: n names.
        first: number of leading rows that lines separate from the others.
        label: of the colour bar.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_correlation_matrix([[1.0, 0.5], [0.5, 1.0]], ["a", "b"], ax=Figure().subplots())
        >>> ax.images[0].get_clim()
        (-1.0, 1.0)
    """
    ax = axes_or_new(ax)
    matrix = np.asarray(matrix, dtype=float)
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-1.0, vmax=1.0)
    texts = [title_text(name) for name in names]
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(len(texts)), texts, **(slanted if max(map(len, texts), default=0) > 3 else {}))
    ax.set_yticks(range(len(texts)), texts)
    ax.tick_params(which="both", top=False, right=False, length=0)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    if 0 < first < len(texts):
        for line in (ax.axhline, ax.axvline):
            line(first - 0.5, color=COLOURS["black"], linewidth=0.8)
    if len(texts) <= MAX_NUMBERS:
        for i, j in zip(*np.tril_indices(len(texts), -1), strict=True):
            value = float(matrix[i, j])
            colour = "white" if abs(value) > 0.6 else "black"
            ax.text(int(j), int(i), fixed(value, 2), ha="center", va="center", fontsize=7, color=colour, in_layout=False)
    figure = ax.get_figure(root=True)
    assert figure is not None  # axes of a removed figure cannot be drawn on
    figure.colorbar(image, ax=ax, label=label, shrink=0.8)
    return ax


def draw_ranks(
    counts: ArrayLike, *, expected: float, spread: float, label: str = "", legend: bool = True, ax: Axes | None = None
) -> Axes:
    """Rank histogram of one quantity: the same for every chain if the chains explore the same distribution.

    Args:
        counts: number of draws per chain and bin of their rank among the draws of all chains, shape (chains, bins).
        expected: number of draws in each bin of a uniform histogram.
        spread: its standard deviation; bands show 1 and 2 of it.
        label: name of the quantity, the title.
        legend: name the chains.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> ax = draw_ranks(np.full((2, 10), 5), expected=5.0, spread=2.0, label="x", ax=Figure().subplots())
        >>> ax.get_ylabel(), ax.get_title()
        ('draws', 'x')
    """
    ax = axes_or_new(ax)
    counts = np.asarray(counts, dtype=float)
    bins = counts.shape[1]
    edges = np.linspace(0.0, 1.0, bins + 1)
    for width, alpha in ((2.0, 0.2), (1.0, 0.35)):
        ax.axhspan(expected - width * spread, expected + width * spread, color=COLOURS["prior"], alpha=alpha, linewidth=0)
    for chain, heights in enumerate(counts):
        ax.stairs(heights, edges, baseline=None, linewidth=1.2, label=f"chain {chain + 1}")
    reach = max(float(np.abs(counts - expected).max()), 2.0 * spread)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(max(expected - 1.3 * reach, 0.0), expected + 1.6 * reach)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    ax.set_xlabel("rank / number of draws")
    ax.set_ylabel("draws")
    ax.set_title(title_text(label))
    if legend:
        ax.legend(loc="upper center", ncols=4, fontsize="small", handlelength=1.2, columnspacing=1.0)
    return ax


def draw_ranking(
    names: Sequence[str],
    up: ArrayLike,
    down: ArrayLike,
    *,
    pulls: ArrayLike,
    constraints: ArrayLike,
    before: tuple[ArrayLike, ArrayLike] | None = None,
    groups: int = 0,
    label: str = "shift",
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Shift of a result by each nuisance one post-fit width up and down as bars, its pull as a point on the axis above.

    Args:
        names: n names, the first at the top.
        up: shift for the nuisance one post-fit width above its fitted value, shape (n,).
        down: shift for the nuisance one post-fit width below, shape (n,).
        pulls: fitted nuisances in prior widths, shape (n,); NaN for rows without a pull.
        constraints: post-fit over prior width, shape (n,); NaN for rows without a pull.
        before: the same as ``up`` and ``down`` for one pre-fit width, shape (n,) each, NaN where there is none; drawn as
            open bars.
        groups: how many of the last rows are groups, below a line and in a colour of their own.
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
    sides = np.array([up, down], dtype=float)
    first = np.array(() if before is None else before, dtype=float)
    rows = np.arange(len(names))
    single, grouped = rows[: len(rows) - groups], rows[len(rows) - groups :]
    drawn = ((COLOURS["posterior"], "+1"), (COLOURS["statistical"], "\N{MINUS SIGN}1"))
    for values, (colour, text) in zip(sides, drawn, strict=True):
        ax.barh(single, values[single], height=0.7, color=colour, label=f"post-fit {text} sd")
    for values, (colour, text) in zip(first, drawn, strict=True) if len(first) else ():
        ax.barh(single, values[single], height=0.7, facecolor="none", edgecolor=colour, linewidth=0.9,
                label=f"pre-fit {text} sd")  # fmt: skip
    if groups:
        for values in sides:
            ax.barh(grouped, values[grouped], height=0.7, color=COLOURS["group"])
        ax.axhline(grouped[0] - 0.5, color=COLOURS["black"], linewidth=0.6)
    reach = 1.1 * float(np.nanmax(np.abs([*sides, *first]), initial=0.0)) or 1.0
    ax.set_xlim(-reach, reach)
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    ax.set_xlabel(with_unit(label, unit))
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
    ax.set_title(with_unit(label, unit), loc="right")
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
    low, high, span = _numbered_bars(ax, percent, [SHARE_COLOURS[kind] for kind in kinds], places=1)
    ax.axvline(0.0, color=COLOURS["black"], linewidth=0.6)
    set_rows(ax, names)
    ax.set_xlim(low - 0.03 * span, high + 0.12 * span)
    ax.set_xlabel(with_unit(label, "%"))
    return ax

"""Figure of the posterior predictive distribution: what was measured on what the model expects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from bayescomb.figures_style import COLOURS, axes_or_new, set_rows
from bayescomb.rounding import fixed

__all__ = ["draw_predictive"]


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

"""Figure of measured bins with the prediction at several masses and the fit, and their ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from bayescomb.figures_style import COLOURS, axis_label

__all__ = ["draw_bins"]


def draw_bins(
    edges: ArrayLike,
    *,
    measured: ArrayLike,
    errors: ArrayLike,
    predicted: Mapping[str, ArrayLike],
    fitted: ArrayLike,
    quantity: str = "",
    unit: str = "",
    variable: str = "",
    axes: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Bins above, all over the fit below.

    Args:
        edges: lower and upper edge of each of the n bins, shape (n, 2).
        measured: shape (n,).
        errors: total uncertainties, shape (n,).
        predicted: label -> prediction, shape (n,), in the unit of the measurement.
        fitted: prediction at the best fit, theory nuisances included, shape (n,).
        quantity: what is measured, for the axis.
        unit: its unit.
        variable: what is binned.
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
    upper.stairs(fitted, corners, color=COLOURS["profile"], linestyle="--", label="fit")
    lower.axhline(1, color=COLOURS["profile"], linestyle="--", linewidth=1.3)
    for ax, scale in ((upper, np.ones(len(fitted))), (lower, fitted)):
        ax.errorbar(
            centre, measured / scale, xerr=half, yerr=errors / scale, fmt="o", color=COLOURS["black"], markersize=4,
            label="measured",
        )  # fmt: skip
    upper.set_ylabel(axis_label(quantity, unit))
    upper.tick_params(labelbottom=False)
    upper.legend(frameon=False)
    upper.set_ylim(bottom=0)
    lower.set_ylabel("over fit")
    lower.set_xlabel(variable)
    for ax in axes:
        ax.set_xlim(corners[0], corners[-1])
    return upper, lower

"""Figures of a calibration study: ranks as the difference of their distribution function from the uniform one, pulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import stats

from bayescomb.figure_files import save_figures
from bayescomb.figures_style import COLOURS, axes_or_new, figure_style, math_name, set_rows

__all__ = ["draw_coverage", "draw_ecdf_difference", "save_calibration_figures"]

LINES = ("-", "--", ":")
WIDTH = 7.2  # inches
MAX_LEGEND = 12


def draw_ecdf_difference(
    ranks: Mapping[str, ArrayLike], *, probability: float = 0.95, legend: bool = True, ax: Axes | None = None
) -> Axes:
    """Empirical distribution function of fractional ranks less that of the uniform distribution, with a simultaneous band.

    The band holds the whole curve of uniform ranks with the stated probability (Kolmogorov and Smirnov, exact for n).

    Args:
        ranks: fractional ranks in (0, 1) by name, shape (n,) each.
        probability: of the band.
        legend: name the curves.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> ax = draw_ecdf_difference({"m_t": np.linspace(0.005, 0.995, 100)}, ax=Figure().subplots())
        >>> ax.get_xlabel()
        'fractional rank of the true value'
    """
    ax = axes_or_new(ax)
    cycle = ("posterior", "profile", "feasible", "extra", "group", "statistical")
    smallest = min((len(np.asarray(values)) for values in ranks.values()), default=1)
    half = float(stats.kstwo.ppf(probability, max(smallest, 1)))
    ax.axhspan(-half, half, color=COLOURS["prior"], alpha=0.35, linewidth=0, label=f"{100 * probability:.0f} % band")
    ax.axhline(0.0, color=COLOURS["black"], linewidth=0.6)
    for i, (name, values) in enumerate(ranks.items()):
        ordered = np.sort(np.asarray(values, dtype=float))
        steps = np.arange(len(ordered) + 1) / max(len(ordered), 1)
        x = np.concatenate([[0.0], np.repeat(ordered, 2), [1.0]])
        ax.plot(
            x, np.repeat(steps, 2) - x, linewidth=1.1, color=COLOURS[cycle[i % len(cycle)]],
            linestyle=LINES[(i // len(cycle)) % len(LINES)], label=math_name(name),
        )  # fmt: skip
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("fractional rank of the true value")
    ax.set_ylabel("ECDF - uniform")
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small")
    return ax


def draw_coverage(
    rows: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], *, level: float, ax: Axes | None = None
) -> Axes:
    """Shares of data sets whose interval holds the truth, with their errors, beside the level that the interval states.

    Args:
        rows: label of a row -> answer (``profile`` or ``posterior``) -> (share, binomial error) of each quantity in it.
        level: of the intervals.
        ax: where to draw; a new figure by default.

    Returns:
        The axes, one row per label, first at the top.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> rows = {"m_t": {"profile": [(0.683, 0.005)], "posterior": [(0.66, 0.02)]}}
        >>> draw_coverage(rows, level=0.68, ax=Figure().subplots()).get_xlabel()
        'coverage of the 68 % interval'
    """
    ax = axes_or_new(ax)
    ax.axvline(level, color=COLOURS["black"], linewidth=0.8)
    named: set[str] = set()
    for y, answers in enumerate(rows.values()):
        points = [(answer, *point) for answer, found in answers.items() for point in found]
        offsets = np.linspace(-0.3, 0.3, len(points)) if len(points) > 1 else np.zeros(1)
        small = len(points) > 2
        for offset, (answer, share, error) in zip(offsets, points, strict=True):
            ax.errorbar(
                share, y + offset, xerr=error, color=COLOURS[answer], fmt="o", markersize=2.0 if small else 4.5,
                linewidth=0.6 if small else 1.4, label=None if answer in named else answer,
            )  # fmt: skip
            named.add(answer)
    set_rows(ax, [math_name(label) for label in rows])
    ax.set_xlabel(f"coverage of the {100 * level:.0f} % interval")
    return ax


def save_calibration_figures(study: xr.Dataset, folder: Path) -> list[Path]:
    """Write the ranks of a study as PDF and PNG, one panel for results, coefficients and nuisances each.

    Args:
        study: of :func:`bayescomb.study_summary`.
        folder: where they go.

    Raises:
        OutputError: a file cannot be written.
    """
    names = [str(name) for name in study["quantity"].to_numpy()]
    kinds = {
        "results": [n for n in names if not n.startswith(("rho[", "pull["))],
        "coefficients": [n for n in names if n.startswith("rho[")],
        "nuisances": [n for n in names if n.startswith("pull[")],
    }
    ranked = {n for n in names if bool(study["rank"].sel(quantity=n).notnull().any())}
    panels = {kind: found for kind, found in kinds.items() if ranked & set(found)}
    if not panels:
        return []
    with figure_style():
        figure = Figure(figsize=(WIDTH, 2.9 * len(panels)), layout="constrained")
        axes = np.ravel(figure.subplots(len(panels), 1, squeeze=False))
        for ax, (kind, found) in zip(axes, panels.items(), strict=True):
            ranks = {}
            for name in found:
                label = name.removeprefix("rho").removeprefix("pull").strip("[]")
                ranks[label] = study["rank"].sel(quantity=name).dropna("toy").to_numpy()
            draw_ecdf_difference(ranks, legend=len(found) <= MAX_LEGEND, ax=ax)
            ax.set_title(kind, loc="left")
        return save_figures({"ranks": figure}, folder)

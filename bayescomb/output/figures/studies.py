"""Figures of studies: ranks and coverage of a calibration; results under every assumption set."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import stats

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import with_error, with_unit
from bayescomb.output.figures.style import (
    COLOURS,
    LINES,
    axes_or_new,
    figure_style,
    math_name,
    plain,
    save_figures,
    set_rows,
    symbol,
)
from bayescomb.output.statements import short_notes
from bayescomb.studies.assumption_sets import SetComparison

__all__ = [
    "draw_coverage",
    "draw_ecdf_difference",
    "draw_ratios",
    "draw_sets",
    "save_calibration_figures",
    "save_set_figures",
]

WIDTH = 7.2  # inches
MAX_LEGEND = 12
LONGEST_FIGURE_NAME = 60


def ecdf_difference(ranks: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Corners of the empirical distribution function of fractional ranks minus that of the uniform distribution.

    Args:
        ranks: in (0, 1), shape (n,).

    Returns:
        x and y of the corners, shape (2 n + 2,) each.

    Examples:
        >>> [values.tolist() for values in ecdf_difference([0.25])]
        [[0.0, 0.25, 0.25, 1.0], [0.0, -0.25, 0.75, 0.0]]
    """
    ordered = np.sort(np.asarray(ranks, dtype=float))
    steps = np.arange(len(ordered) + 1) / max(len(ordered), 1)
    x = np.concatenate([[0.0], np.repeat(ordered, 2), [1.0]])
    return x, np.repeat(steps, 2) - x


def uniform_band(count: int, probability: float) -> float:
    """Half width of the band that holds the whole of such a curve of ``count`` uniform ranks with this probability.

    The distribution of Kolmogorov and Smirnov, exact for ``count``.

    Examples:
        >>> round(uniform_band(100, 0.95), 4)
        0.134
    """
    return float(stats.kstwo.ppf(probability, max(count, 1)))


def draw_ecdf_difference(
    ranks: Mapping[str, ArrayLike], *, probability: float = 0.95, legend: bool = True, ax: Axes | None = None
) -> Axes:
    """Empirical distribution function of fractional ranks minus that of the uniform distribution, with a simultaneous band.

    See :func:`ecdf_difference` and :func:`uniform_band`, which is that of the quantity with the fewest ranks.

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
    half = uniform_band(min((len(np.asarray(values)) for values in ranks.values()), default=1), probability)
    curves = {name: ecdf_difference(values) for name, values in ranks.items()}
    ax.axhspan(-half, half, color=COLOURS["prior"], alpha=0.35, linewidth=0, label=f"{100 * probability:.0f} % band")
    ax.axhline(0.0, color=COLOURS["black"], linewidth=0.6)
    for i, (name, (x, y)) in enumerate(curves.items()):
        line, colour = LINES[i // len(cycle) % len(LINES)], COLOURS[cycle[i % len(cycle)]]
        ax.plot(x, y, linewidth=1.1, color=colour, linestyle=line, label=math_name(name))
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("fractional rank of the true value")
    ax.set_ylabel("ECDF - uniform")
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small")
    return ax


def draw_coverage(
    rows: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], *, level: float, ax: Axes | None = None
) -> Axes:
    """Coverage of intervals, the share of data sets whose interval holds the true value, and their nominal level as a line.

    Args:
        rows: label of a row -> ``profile`` or ``posterior`` -> (coverage, binomial error) of each quantity of the row.
        level: nominal coverage of the intervals.
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
    set_rows(ax, list(rows))
    ax.set_xlabel(f"coverage of the {100 * level:.0f} % interval")
    return ax


def save_calibration_figures(study: xr.Dataset, folder: Path) -> list[Path]:
    """Write the ranks of a calibration as PDF and PNG, one panel for results, coefficients and nuisances each.

    Args:
        study: of :func:`bayescomb.study_summary`.
        folder: of the files; made if it does not exist.

    Returns:
        The paths; none if no quantity has ranks.

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


def draw_sets(
    names: Sequence[str],
    *,
    profile: tuple[ArrayLike, ArrayLike],
    posterior: tuple[ArrayLike, ArrayLike] | None = None,
    label: str = "",
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Result under every assumption set, one row per set: at fixed coefficients, and below it with their priors.

    Args:
        names: of the n sets.
        profile: values and errors at nominal coefficients, shape (n,) each; NaN where there is none.
        posterior: means and standard deviations with priors on the coefficients, likewise.
        label: of the axis.
        unit: of the parameter.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_sets(["none", "jes"], profile=([172.6, 172.5], [0.8, 0.9]), label="$m_t$", unit="GeV",
        ...     ax=Figure().subplots())
        >>> ax.get_xlabel()
        '$m_t$ [GeV]'
    """
    ax = axes_or_new(ax)
    rows = np.arange(len(names))
    shift = 0.14 if posterior is not None else 0.0
    kinds = [(profile, "profile", "profile, nominal coefficients", -shift, "o")]
    if posterior is not None:
        kinds.append((posterior, "posterior", "posterior, coefficients sampled", shift, "s"))
    for (values, errors), colour, text, offset, marker in kinds:
        centre, spread = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
        ax.errorbar(centre, rows + offset, xerr=spread, fmt=marker, color=COLOURS[colour], label=text, capsize=2)
        for row, value, error in zip(rows, centre, spread, strict=True):
            if np.isfinite(value):
                ax.annotate(
                    with_error(float(value), float(error)),
                    (1.02, row + offset),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=8.5,
                    color=COLOURS[colour],
                )
    set_rows(ax, list(names))
    ax.set_xlabel(with_unit(label, unit))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2, frameon=False)
    return ax


def draw_ratios(
    observables: Sequence[str],
    *,
    names: Sequence[str],
    values: ArrayLike,
    errors: ArrayLike,
    ax: Axes | None = None,
) -> Axes:
    """Ratio of every observable under each assumption set to its value under the first, with relative errors.

    Args:
        observables: titles of the m observables.
        names: of the n sets.
        values: of the observables, shape (n, m); NaN where there is none.
        errors: of the observables, shape (n, m).
        ax: where to draw; a new figure by default.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = draw_ratios(["bin 1"], names=["none", "jes"], values=[[2.0], [2.1]], errors=[[0.1], [0.1]],
        ...     ax=Figure().subplots())
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['none', 'jes']
    """
    ax = axes_or_new(ax)
    values, errors = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    rows = np.arange(len(observables))
    colours = ("profile", "posterior", "feasible", "extra", "group", "statistical", "black")
    for i, name in enumerate(names):
        offset = 0.6 * ((i + 0.5) / len(names) - 0.5)
        ax.errorbar(
            values[i] / values[0],
            rows + offset,
            xerr=errors[i] / np.abs(values[0]),
            fmt="o",
            markersize=3.5,
            color=COLOURS[colours[i % len(colours)]],
            label=plain(name),
            capsize=1.5,
        )
    ax.axvline(1, color=COLOURS["prior"], linewidth=0.8, zorder=0)
    set_rows(ax, list(observables))
    ax.set_xlabel(f"value over that in the set {plain(names[0])!r}")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2, frameon=False)
    return ax


def _figure_name(text: str, taken: Collection[str]) -> str:
    """A file name that every file system accepts and no other figure has: names of masses can hold any character."""
    start = re.sub(r"[^\w.+-]", "", text)[:LONGEST_FIGURE_NAME]
    name, count = start, 1
    while name in taken or name == "sets_observables":
        count += 1
        name = f"{start}_{count}"
    return name


def save_set_figures(comparison: SetComparison, folder: Path) -> list[Path]:
    """Write the figures of a comparison of assumption sets as PDF and PNG.

    Args:
        comparison: of :func:`bayescomb.compare_sets`.
        folder: of the files; made if it does not exist.

    Returns:
        The paths.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    combination, table = comparison.combination, comparison.table()
    names = [row.name for row in comparison.sets]
    titles = {o.name: o.title for o in combination.results}
    units = {o.name: o.unit for o in combination.results}
    sampled = bool(np.isfinite(table["mean"]).any())
    figures: dict[str, tuple[Figure, str]] = {}
    with figure_style():
        for mass in (o.name for o in combination.headline) if combination.extraction else ():
            at = table.sel(parameter=mass)
            figure = Figure(figsize=(WIDTH, 1.4 + 0.55 * len(names)), layout="constrained")
            draw_sets(
                names,
                profile=(at["value"].to_numpy(), at["error"].to_numpy()),
                posterior=(at["mean"].to_numpy(), at["sd"].to_numpy()) if sampled else None,
                label=symbol(mass, titles[mass]),
                unit=units[mass],
                ax=figure.subplots(),
            )
            figures[_figure_name(f"sets_{mass}", figures)] = (figure, short_notes(combination))
        bins = table.sel(parameter=[o.name for o in combination.observables])
        figure = Figure(figsize=(WIDTH, 1.4 + 0.45 * len(combination.observables)), layout="constrained")
        draw_ratios(
            [titles[str(p)] or str(p) for p in bins["parameter"].to_numpy()],
            names=names,
            values=bins["value"].to_numpy(),
            errors=bins["error"].to_numpy(),
            ax=figure.subplots(),
        )
        figures["sets_observables"] = (figure, short_notes(combination.with_extraction("")))
        for figure, note in figures.values():
            if note:
                figure.text(0.01, 0.01, note, ha="left", va="bottom", fontsize=8, color="#b00020")
        return save_figures({name: figure for name, (figure, _) in figures.items()}, folder)

"""Figures over the assumption sets: the extracted mass, and the combined cross sections relative to the first set."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bayescomb.caveats import quoting_note, reconstructed_note
from bayescomb.figure_files import save_figures
from bayescomb.figures_style import COLOURS, axes_or_new, axis_label, figure_style, math_name, plain, set_rows
from bayescomb.inputs import Combination
from bayescomb.rounding import with_error
from bayescomb.set_comparison import SetComparison

__all__ = ["draw_ratios", "draw_sets", "figure_note", "save_set_figures"]

LONGEST_FIGURE_NAME = 60


def figure_note(combination: Combination) -> str:
    """What a figure has to carry of the caveats; empty if nothing."""
    notes = ["leading order: not for quoting"] if quoting_note(combination) else []
    notes += ["reconstructed inputs"] if reconstructed_note(combination) else []
    return ", ".join(notes)


def draw_sets(
    names: Sequence[str],
    *,
    profile: tuple[ArrayLike, ArrayLike],
    posterior: tuple[ArrayLike, ArrayLike] | None = None,
    label: str = "",
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One row per assumption set: fixed coefficients above, with their priors below.

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
    ax.set_xlabel(axis_label(label, unit))
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
    """Every observable in every set over its value in the first set, with relative errors.

    Args:
        observables: titles of the m observables.
        names: of the n sets.
        values: shape (n, m); NaN where there is none.
        errors: shape (n, m).
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
            xerr=errors[i] / values[0],
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
    """A name that every file system takes, and that no other figure has: masses are called as their author likes."""
    plain = re.sub(r"[^\w.+-]", "", text)[:LONGEST_FIGURE_NAME]
    name, count = plain, 1
    while name in taken or name == "sets_observables":
        count += 1
        name = f"{plain}_{count}"
    return name


def save_set_figures(comparison: SetComparison, folder: Path) -> list[Path]:
    """Write the figures as PDF and PNG into a folder, which is made if it is not there.

    Returns:
        The paths.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    combination, table = comparison.combination, comparison.table()
    names = [row.name for row in comparison.sets]
    titles = {o.name: o.title or o.name for o in combination.results}
    units = {o.name: o.unit for o in combination.results}
    sampled = bool(np.isfinite(table["mean"]).any())
    figures: dict[str, tuple[Figure, str]] = {}
    with figure_style():
        for mass in (o.name for o in combination.headline) if combination.extraction else ():
            at = table.sel(parameter=mass)
            figure = Figure(figsize=(7.2, 1.4 + 0.55 * len(names)), layout="constrained")
            draw_sets(
                names,
                profile=(at["value"].to_numpy(), at["error"].to_numpy()),
                posterior=(at["mean"].to_numpy(), at["sd"].to_numpy()) if sampled else None,
                label=f"{titles[mass]} {math_name(mass)}",
                unit=units[mass],
                ax=figure.subplots(),
            )
            figures[_figure_name(f"sets_{mass}", figures)] = (figure, figure_note(combination))
        bins = table.sel(parameter=[o.name for o in combination.observables])
        figure = Figure(figsize=(7.2, 1.4 + 0.45 * len(combination.observables)), layout="constrained")
        draw_ratios(
            [titles[str(p)] for p in bins["parameter"].to_numpy()],
            names=names,
            values=bins["value"].to_numpy(),
            errors=bins["error"].to_numpy(),
            ax=figure.subplots(),
        )
        figures["sets_observables"] = (figure, figure_note(combination.with_extraction("")))
        for figure, note in figures.values():
            if note:
                figure.text(0.01, 0.01, note, ha="left", va="bottom", fontsize=8, color="#b00020")
        return save_figures({name: figure for name, (figure, _) in figures.items()}, folder)

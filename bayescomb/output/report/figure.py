"""Common parts of the figures of the report: a figure with its name and caption, panels, labels, names of files."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescomb.inputs.observables import Observable
from bayescomb.output.figures.style import math_name, symbol, title_text
from bayescomb.output.report.results import Results
from bayescomb.output.words import typeset

__all__ = [
    "MAX_ROWS",
    "WIDTH",
    "ReportFigure",
    "file_name",
    "label_of",
    "not_drawn",
    "panels",
    "symbol_of",
]

MAX_ROWS: Final = 40  # coefficients or sources in one figure
WIDTH: Final = 7.2  # inches, the text width of a page


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        name: file name without its ending.
        kind: section it belongs to.
        caption: what it shows.
        figure: the matplotlib figure; draw and save it inside :func:`bayescomb.output.figures.style.figure_style`.
        more: functions that draw further pages of the PDF, called when they are written.
    """

    name: str
    kind: str
    caption: str
    figure: Figure
    more: tuple[Callable[[], Figure], ...] = ()


def file_name(kind: str, parameter: Observable, results: Results) -> str:
    """Name of the file of a parameter's figure, with its position if there are several: its name can hold any character."""
    if len(results.parameters) == 1:
        return kind
    return f"{kind}_{results.parameters.index(parameter) + 1}"


def panels(count: int, *, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with a grid of axes, the empty ones switched off."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    axes = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for ax in axes[count:]:
        ax.set_axis_off()
    return figure, axes


def symbol_of(parameter: Observable) -> str:
    """Title and symbol for an axis."""
    return symbol(parameter.name, typeset(parameter.title))


def label_of(parameter: Observable) -> str:
    """The symbol of a result where its name reads like one, else its title."""
    short = math_name(parameter.name)
    return short if short.startswith("$") or not parameter.title else title_text(typeset(parameter.title))


def not_drawn(results: Results, shown: int) -> str:
    """Sentence that names the parameters after the first few."""
    hidden = [p.name for p in results.parameters[shown:]]
    return f" Not drawn, but in the tables: {', '.join(hidden)}." if hidden else ""

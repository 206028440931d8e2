"""CSV tables as :mod:`bayescomb.tables` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["csv_text", "figure", "triangle_text"]

SPECIAL: Final = frozenset(',"#')


def csv_text(comment: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under a line of comment; cells with commas, quotes or ``#`` are put in quotes.

    Examples:
        >>> print(csv_text("in GeV", ["estimate", "jes, b"], [["x", "0.5"]]), end="")
        # in GeV
        estimate,"jes, b"
        x,0.5
    """
    lines = [f"# {comment}", *(",".join(map(_cell, cells)) for cells in (header, *rows))]
    return "\n".join(lines) + "\n"


def triangle_text(comment: str, names: Sequence[str], matrix: NDArray[np.float64]) -> str:
    """A symmetric matrix as lower triangle, the names in the first column and in the header."""
    header = ["row" if "name" in names else "name", *names]
    rows = [[name, *map(figure, matrix[i, : i + 1]), *[""] * (len(names) - i - 1)] for i, name in enumerate(names)]
    return csv_text(comment, header, rows)


def figure(value: float) -> str:
    """A number in full precision."""
    return repr(float(value))


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if SPECIAL & set(text) else text

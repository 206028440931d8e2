"""How text is laid out: aligned tables in panels, and prose wrapped, no wider than the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import Final

__all__ = ["PAGE", "panels", "table", "text_width", "wrapped"]

# Where there is no terminal, and of one that claims less than a table needs.
DEFAULT_WIDTH: Final = 120
LEAST_WIDTH: Final = 60
# Lines that a reader sees at once, give or take.
PAGE: Final = 60
GAP: Final = "  "


def text_width() -> int:
    """Columns of the terminal, 120 where there is none."""
    return max(LEAST_WIDTH, shutil.get_terminal_size((DEFAULT_WIDTH, PAGE)).columns)


def table(rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Columns aligned, the first to the left, the others to the right; the first row is the heading.

    What is wider than the terminal is broken into panels, each with the first column.

    Args:
        rows: the cells, all rows of one length.
        width: of the text, that of the terminal by default.

    Examples:
        >>> print(table([["bin", "a", "b"], ["x", "1.0", "2.0"]], width=10))
        bin    a
        --------
        x    1.0
        <BLANKLINE>
        bin    b
        --------
        x    2.0
    """
    columns = [[row[i] for row in rows] for i in range(len(rows[0]))]
    widths = [max(map(len, column)) for column in columns]
    panels = ["\n".join(_panel(rows, widths, chosen)) for chosen in _chosen(widths, width or text_width())]
    return "\n\n".join(panels)


def panels(rows: Sequence[Sequence[str]]) -> int:
    """How many panels a table of these columns has."""
    return len(_chosen([max(len(row[i]) for row in rows) for i in range(len(rows[0]))], text_width()))


def _chosen(widths: Sequence[int], width: int) -> list[list[int]]:
    """Positions of the columns of each panel."""
    panels: list[list[int]] = [[0]]
    used = widths[0]
    for i, size in enumerate(widths[1:], 1):
        if used + len(GAP) + size > width and len(panels[-1]) > 1:
            panels.append([0])
            used = widths[0]
        panels[-1].append(i)
        used += len(GAP) + size
    return panels


def _panel(rows: Sequence[Sequence[str]], widths: Sequence[int], chosen: Sequence[int]) -> list[str]:
    lines = [GAP.join(row[i].rjust(widths[i]) if i else row[i].ljust(widths[i]) for i in chosen) for row in rows]
    return [line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:])]


def wrapped(text: str, *, width: int | None = None) -> str:
    """The text with its long lines of prose broken at blanks, their rest set in; a path or a word is never broken.

    Examples:
        >>> print(wrapped("one two three four", width=10))
        one two
          three
          four
    """
    limit = width or text_width()
    return "\n".join(_wrapped_line(line, limit) if len(line) > limit else line for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(), width=width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip

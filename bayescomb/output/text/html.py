"""A text with its tables as tables of HTML, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any, Final

from bayescomb.output.text_layout import tables_kept

__all__ = ["html_text"]

STYLE: Final = "text-align: {}"


def html_text(text: Callable[[Any], str], shown: object) -> str:
    """What a result shows in a notebook.

    Args:
        text: makes its text for a terminal.
        shown: the result.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.text.html import html_text
        >>> from bayescomb.output.text.fit import profile_text
        >>> shown = html_text(profile_text, bc.profile(bc.load("models/run1_mass")))
        >>> shown[:16], shown.count("<tr>")
        ('<pre>run1_mass: ', 16)
    """
    with tables_kept() as kept:
        lines = text(shown).split("\n")
    parts: list[str] = []
    block: list[str] = []
    for line in lines:
        if line not in kept:
            block.append(line)
            continue
        parts += [_preformatted(block), _table(kept[line])]
        block = []
    return "".join([*parts, _preformatted(block)])


def _preformatted(lines: Sequence[str]) -> str:
    text = "\n".join(lines).strip("\n")
    return f"<pre>{html.escape(text, quote=False)}</pre>" if text else ""


def _table(rows: Sequence[Sequence[str]]) -> str:
    """The first row as heading, the first column to the left, as in a terminal."""

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ["left", *["right"] * (len(cells) - 1)]
        inside = "".join(
            f'<{tag} style="{STYLE.format(side)}">{html.escape(cell, quote=False)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        return f"<tr>{inside}</tr>"

    body = "".join(row(cells, "td") for cells in rows[1:])
    return f"<table><thead>{row(rows[0], 'th')}</thead><tbody>{body}</tbody></table>"

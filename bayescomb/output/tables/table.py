r"""A table: rows in full precision for the files, and columns that say what people are shown of them.

Text for a terminal, HTML (of the report), LaTeX, CSV and JSON are renderings of the same rows and columns.
"""

from __future__ import annotations

import csv
import functools
import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from bayescomb.base.files.writing import json_text, plain_value
from bayescomb.base.rounding import counted, fixed, plain
from bayescomb.inputs.combination import Combination
from bayescomb.output.statements import header, header_data
from bayescomb.output.text_layout import table as aligned

__all__ = [
    "LATEX_TABLES",
    "Column",
    "Table",
    "by_result",
    "csv_table",
    "fixed_column",
    "html_table",
    "latex_table",
    "latex_text",
    "number_column",
    "tabular",
    "text_column",
    "write_table",
]

Row = Mapping[str, Any]
# Where a column is shown: everywhere, on pages (HTML and LaTeX), in a terminal.
Place = Literal["", "page", "terminal"]
# The tables that go into a note.
LATEX_TABLES: Final = (
    "summary", "covariance", "assumption_sets", "estimates", "weights", "scan", "impacts", "coefficients", "pulls",
    "variance_shares", "relevance", "prediction_orders", "prediction_variants", "scale_envelope", "rate_and_shape",
    "theory_fit", "predictive", "sensitivity", "compatibility",
    "breakdown", "information", "importance", "result_correlation", "source_covariance", "compatibility_estimate",
    "compatibility_experiment", "without_each", "groups", "group_correlation", "scale_factors", "relative_errors",
)  # fmt: skip
SPECIAL: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
    "±": r"$\pm$", "−": "$-$", "×": r"$\times$", "√": r"$\surd$", "≤": r"$\le$", "≥": r"$\ge$", "‰": "per mille",
    "²": "$^2$", "³": "$^3$", "χ": r"$\chi$", "μ": r"$\mu$", "Δ": r"$\Delta$", "σ": r"$\sigma$", "λ": r"$\lambda$",
    "ρ": r"$\rho$", "η": r"$\eta$", "α": r"$\alpha$", "→": r"$\to$", "–": "--", "—": "---", "“": "``", "”": "''",
    "…": r"\dots{}", "\u00a0": "~",
}  # fmt: skip
SYMBOL: Final = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z])_([A-Za-z0-9]+)(?![A-Za-z0-9_])")
# Most rows that the full page shows of a table; it shows a longer table as the compact page does.
WHOLE: Final = 120
# Pattern of a cell that is empty or zero.
ZERO: Final = re.compile(r"[+\u2212-]?0(\.0*)?|\u2013?")
NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as people read it.

    Attributes:
        title: its heading, with the unit.
        show: text of a row's cell.
        text: whether it holds words, which a page aligns to the left.
        only: where it is shown; everywhere by default.
        short: heading in a terminal, where columns are narrow; the title by default.
        moves: whether it is the size of an effect; a page leaves out rows whose sizes are all zero, and counts them.
    """

    title: str
    show: Callable[[Row], str]
    text: bool = False
    only: Place = ""
    short: str = ""
    moves: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of terminal, page and files.

    Attributes:
        name: file name without its ending.
        title: caption.
        rows: cells by key, in full precision: numbers, texts, ``None`` where there is nothing.
        columns: what people are shown.
        on_page: positions of the rows that people are shown; all by default.
        fields: keys of the files; those of the first row by default.
        footnote: key of a note of each row; a page prints each different note once, below the table, and marks its rows.
        percent: keys (``key`` of cells ``key[result]``) of fractions that the files of the table state in percent.
    """

    name: str
    title: str
    rows: Sequence[Row]
    columns: Sequence[Column]
    on_page: Sequence[int] | None = None
    fields: Sequence[str] = field(default=())
    footnote: str = ""
    percent: Sequence[str] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the files."""
        return tuple(self.fields) or (tuple(self.rows[0]) if self.rows else ())

    @property
    def file_rows(self) -> list[dict[str, Any]]:
        """Rows as the files of the table have them: full precision, fractions in percent where the table says so."""
        factors = {key: 100.0 if key.partition("[")[0] in self.percent else None for key in self.keys}
        return [
            {key: plain_value(row.get(key) if factor is None else factor * row[key]) for key, factor in factors.items()}
            for row in self.rows
        ]

    @property
    def page_columns(self) -> list[Column]:
        """Columns of the page."""
        return [column for column in self.columns if column.only != "terminal"]

    @property
    def cells(self) -> list[list[str]]:
        """Texts of the rows on the page."""
        return self.page().cells

    def page(self, *, whole: bool = False) -> PageRows:
        """What a page shows.

        Args:
            whole: all rows, unless there are more than :data:`WHOLE`.
        """
        columns, shown = self.page_columns, list(range(len(self.rows)) if self.on_page is None else self.on_page)
        still = 0
        if whole and len(self.rows) <= WHOLE:
            shown = list(range(len(self.rows)))
        else:
            telling = [column for column in columns if column.moves]
            moving = [i for i in shown if not telling or not all(ZERO.fullmatch(c.show(self.rows[i])) for c in telling)]
            still, shown = len(shown) - len(moving), moving
        texts = [str(self.rows[i][self.footnote] or "") if self.footnote else "" for i in shown]
        notes = list(dict.fromkeys(text for text in texts if text))
        return PageRows(
            cells=[[column.show(self.rows[i]) for column in columns] for i in shown],
            marks=[str(notes.index(text) + 1) if text else "" for text in texts],
            notes=notes,
            still=still,
            hidden=len(self.rows) - len(shown) - still,
        )

    @property
    def terminal(self) -> list[list[str]]:
        """Heading and rows for a terminal: headings and numbers in ASCII, words as users wrote them."""
        columns = [column for column in self.columns if column.only != "page"]
        shown = range(len(self.rows)) if self.on_page is None else self.on_page
        rows = [
            [cell if column.text else plain(cell) for column, cell in ((c, c.show(self.rows[i])) for c in columns)]
            for i in shown
        ]
        return [[plain(column.short or column.title) for column in columns], *rows]

    @property
    def text(self) -> str:
        """Aligned columns for a terminal, see :func:`bayescomb.output.text_layout.table`."""
        return aligned(self.terminal)


@dataclass(frozen=True, kw_only=True)
class PageRows:
    """Rows of a table on a page.

    Attributes:
        cells: texts.
        marks: of each row the mark of its footnote, empty without one.
        notes: text of mark 1, of mark 2, ...
        still: number of rows that are left out because all sizes in them are zero.
        hidden: number of rows that only the files hold.
    """

    cells: list[list[str]]
    marks: list[str]
    notes: list[str]
    still: int
    hidden: int


def by_result(row: Row, key: str) -> dict[str, Any]:
    """The cells ``key[result]`` of a row by the name of the result, as JSON has them.

    Examples:
        >>> by_result({"name": "JES", "impact[x]": 0.5, "impact[y]": float("nan"), "shift[x]": 0.1}, "impact")
        {'x': 0.5, 'y': None}
    """
    start = f"{key}["
    return {cell[len(start) : -1]: plain_value(value) for cell, value in row.items() if cell.startswith(start)}


def text_column(title: str, key: str, *, only: Place = "") -> Column:
    """A column of words."""
    return Column(title=title, show=lambda row: "" if row[key] is None else str(row[key]), text=True, only=only)


def number_column(
    title: str,
    key: str,
    form: Callable[[float | None], str],
    *,
    scale: float = 1.0,
    only: Place = "",
    short: str = "",
    moves: bool = False,
) -> Column:
    """A column of numbers.

    Args:
        title: heading with the unit.
        key: of the row.
        form: gives the text of the number, and of ``None`` where there is no number.
        scale: factor on the number, e.g. 1000 to show MeV instead of GeV.
        only: where it is shown.
        short: heading in a terminal.
        moves: whether it is the size of an effect.
    """

    def show(row: Row) -> str:
        value = row[key]
        return form(None if value is None else scale * float(value))

    return Column(title=title, show=show, only=only, short=short, moves=moves)


def fixed_column(
    title: str,
    key: str,
    places: int,
    *,
    sign: bool = False,
    scale: float = 1.0,
    only: Place = "",
    short: str = "",
    moves: bool = False,
) -> Column:
    """A :func:`number_column` with a fixed number of decimals; ``sign`` writes the plus of positive numbers."""
    form = functools.partial(fixed, places=places, sign=sign)
    return number_column(title, key, form, scale=scale, only=only, short=short, moves=moves)


def write_table(table: Table, folder: Path, combination: Combination) -> None:
    """Write ``name.csv`` and ``name.json`` in full precision, both with the settings and the units.

    Args:
        table: what to write.
        folder: an existing folder.
        combination: what the figures belong to; its settings stand in lines that start with ``#``.
    """
    units = {o.name: o.unit for o in combination.results}
    rows = table.file_rows
    document = {
        "name": table.name,
        "title": table.title,
        **header_data(combination),
        "units": units,
        "rows": rows,
    }
    (folder / f"{table.name}.json").write_text(json_text(document), encoding="utf-8")
    with (folder / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(f"# {line}\n" for line in header(combination).splitlines())
        stream.write(f"# units: {', '.join(f'{name} in {unit or 1}' for name, unit in units.items())}\n")
        writer = csv.DictWriter(stream, fieldnames=table.keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def csv_table(table: Table, combination: Combination) -> str:
    """What the page shows of a table as comma-separated texts, rounded; caption and settings in lines that start with #.

    Args:
        table: what to write; :func:`write_table` has its full precision.
        combination: what the figures belong to.
    """
    stream = io.StringIO()
    stream.writelines(f"# {line}\n" for line in [*header(combination).splitlines(), table.title])
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(column.title for column in table.page_columns)
    writer.writerows([cell.replace("\N{MINUS SIGN}", "-") for cell in cells] for cells in table.cells)
    return stream.getvalue()


def html_table(table: Table, combination: Combination) -> str:
    """A ``table`` element of what the page shows of a table, with its caption; settings in a comment.

    Args:
        table: what to write.
        combination: what the figures belong to.
    """
    said = html.escape(header(combination)).replace("--", "- -")
    lines = [f"<!-- {said} -->", "<table>", f"<caption>{html.escape(table.title)}</caption>"]
    titles = "".join(f"<th>{html.escape(column.title)}</th>" for column in table.page_columns)
    lines.append(f"<thead><tr>{titles}</tr></thead>")
    lines.append("<tbody>")
    lines += [f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>" for cells in table.cells]
    return "\n".join([*lines, "</tbody>", "</table>"]) + "\n"


def latex_text(text: str) -> str:
    r"""A text with the signs that LaTeX reserves or does not know written out; numbers and symbols as mathematics.

    Examples:
        >>> latex_text("m_t [GeV]"), latex_text("-0.25"), latex_text("JES & JER, 5 %")
        ('$m_{t}$ [GeV]', '$-0.25$', 'JES \\& JER, 5 \\%')
    """
    number = text.replace("\u2212", "-")
    if NUMBER.fullmatch(number):
        return f"${number}$"
    parts = SYMBOL.split(text)
    # Text, symbol, index, text, ...; two signs of mathematics side by side are one formula.
    for i in range(0, len(parts), 3):
        parts[i] = "".join(SPECIAL.get(sign, sign) for sign in parts[i]).replace("$$", "")
    for i in range(1, len(parts), 3):
        parts[i], parts[i + 1] = f"${parts[i]}_{{{parts[i + 1]}}}$", ""
    return "".join(parts)


def latex_table(table: Table, combination: Combination) -> str:
    """A ``tabular`` environment of what the page shows of a table; caption and settings as LaTeX comments.

    Args:
        table: what to write.
        combination: what the figures belong to.
    """
    lines = [f"% {line}" for line in header(combination).splitlines()]
    return "\n".join([*lines, f"% {table.title}", *tabular(table)]) + "\n"


def tabular(table: Table, *, long: bool = False) -> list[str]:
    r"""Lines of the ``tabular`` environment of what the page shows of a table, footnotes and counts of left-out rows below.

    Args:
        table: what to write.
        long: a ``longtable``, which may be broken between pages, without its ``\\begin`` and ``\\end``.
    """
    columns = table.page_columns
    places = "".join("l" if column.text else "r" for column in columns)
    head = [r"\hline", " & ".join(latex_text(column.title) for column in columns) + r" \\", r"\hline"]
    body = []
    shown = table.page()
    for cells, mark in zip(shown.cells, shown.marks, strict=True):
        texts = [latex_text(cell) for cell in cells]
        texts[0] = (
            f"{{}}{texts[0]}" if texts[0].startswith("[") else texts[0]
        )  # else LaTeX takes it for an argument of the \\ before
        texts[0] += f"$^{{{mark}}}$" if mark else ""
        body.append(" & ".join(texts) + r" \\")
    body.append(r"\hline")
    below = [f"$^{{{i}}}$ {latex_text(note)}" for i, note in enumerate(shown.notes, 1)]
    if shown.still:
        below.append(latex_text(f"{counted(shown.still, 'more rows')}, zero to the digits shown."))
    body += [rf"\multicolumn{{{len(columns)}}}{{l}}{{\footnotesize {text}}} \\" for text in below]
    if long:
        return [*head, r"\endhead", *body]
    return [rf"\begin{{tabular}}{{{places}}}", *head, *body, r"\end{tabular}"]

r"""One table, whatever it is written as: rows in full precision for the files, and how each column reads to people.

Text for a terminal, HTML (of the report), LaTeX, CSV and JSON are renderings of the same rows and columns.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from bayescomb.base.rounding import fixed, plain
from bayescomb.base.writing import json_text, plain_value
from bayescomb.inputs.combination import Combination
from bayescomb.output.statements import header, header_data
from bayescomb.output.text_layout import table as aligned

__all__ = [
    "LATEX_TABLES",
    "Column",
    "Table",
    "csv_table",
    "fixed_column",
    "html_table",
    "latex_table",
    "latex_text",
    "number_column",
    "text_column",
    "write_table",
]

Row = Mapping[str, Any]
# Where a column is shown: everywhere, on pages (HTML and LaTeX), in a terminal.
Place = Literal["", "page", "terminal"]
# The tables that go into a note.
LATEX_TABLES: Final = (
    "summary", "estimates", "weights", "scan", "impacts", "coefficients", "pulls", "variance_shares", "relevance",
    "prediction_orders", "prediction_variants", "scale_envelope", "rate_and_shape", "theory_fit", "predictive",
    "sensitivity", "compatibility",
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
NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as people read it.

    Attributes:
        title: its heading, with the unit.
        show: text of a row's cell.
        text: whether it holds words, which stand to the left on a page.
        only: where it is shown; everywhere by default.
        short: heading in a terminal, where columns are narrow; the title by default.
    """

    title: str
    show: Callable[[Row], str]
    text: bool = False
    only: Place = ""
    short: str = ""


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
    """

    name: str
    title: str
    rows: Sequence[Row]
    columns: Sequence[Column]
    on_page: Sequence[int] | None = None
    fields: Sequence[str] = field(default=())

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the files."""
        return tuple(self.fields) or (tuple(self.rows[0]) if self.rows else ())

    @property
    def page_columns(self) -> list[Column]:
        """Columns of the page."""
        return [column for column in self.columns if column.only != "terminal"]

    @property
    def cells(self) -> list[list[str]]:
        """Texts of the rows on the page."""
        return self._cells(self.page_columns)

    @property
    def terminal(self) -> list[list[str]]:
        """Heading and rows for a terminal, with ASCII signs but in the words of users."""
        columns = [column for column in self.columns if column.only != "page"]
        rows = [
            [cell if column.text else plain(cell) for column, cell in zip(columns, cells, strict=True)]
            for cells in self._cells(columns)
        ]
        return [[plain(column.short or column.title) for column in columns], *rows]

    def _cells(self, columns: Sequence[Column]) -> list[list[str]]:
        shown = range(len(self.rows)) if self.on_page is None else self.on_page
        return [[column.show(self.rows[i]) for column in columns] for i in shown]

    @property
    def text(self) -> str:
        """Aligned columns for a terminal, see :func:`bayescomb.output.text_layout.table`."""
        return aligned(self.terminal)

    @property
    def hidden(self) -> int:
        """Number of rows that only the files hold."""
        return 0 if self.on_page is None else len(self.rows) - len(self.on_page)


def text_column(title: str, key: str, *, only: Place = "") -> Column:
    """A column of words."""
    return Column(title=title, show=lambda row: "" if row[key] is None else str(row[key]), text=True, only=only)


def number_column(
    title: str, key: str, form: Callable[[float | None], str], *, scale: float = 1.0, only: Place = "", short: str = ""
) -> Column:
    """A column of numbers.

    Args:
        title: heading with the unit.
        key: of the row.
        form: text of the number; it is given ``None`` where there is none.
        scale: factor on the number, e.g. 1000 to show MeV instead of GeV.
        only: where it is shown.
        short: heading in a terminal.
    """

    def show(row: Row) -> str:
        value = row[key]
        return form(None if value is None else scale * float(value))

    return Column(title=title, show=show, only=only, short=short)


def fixed_column(
    title: str, key: str, places: int, *, sign: bool = False, scale: float = 1.0, only: Place = "", short: str = ""
) -> Column:
    """A column of numbers with a fixed number of decimals.

    Args:
        title: heading with the unit.
        key: of the row.
        places: decimals.
        sign: write the plus of positive numbers too.
        scale: factor on the number.
        only: where it is shown.
        short: heading in a terminal.
    """
    return number_column(title, key, lambda value: fixed(value, places, sign=sign), scale=scale, only=only, short=short)


def write_table(table: Table, folder: Path, combination: Combination) -> None:
    """Write ``name.csv`` and ``name.json`` in full precision, both with the settings and the units.

    Args:
        table: what to write.
        folder: an existing folder.
        combination: what the figures belong to; named in comment lines that start with ``#``.
    """
    units = {o.name: o.unit for o in combination.results}
    rows = [{key: plain_value(row.get(key)) for key in table.keys} for row in table.rows]
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
    """A ``tabular`` environment of what the page shows of a table, its caption and what it rests on in comments.

    Args:
        table: what to write.
        combination: what the figures belong to.
    """
    places = "".join("l" if column.text else "r" for column in table.page_columns)
    lines = [f"% {line}" for line in header(combination).splitlines()]
    lines += [f"% {table.title}", rf"\begin{{tabular}}{{{places}}}", r"\hline"]
    lines.append(" & ".join(latex_text(column.title) for column in table.page_columns) + r" \\")
    lines.append(r"\hline")
    lines += [" & ".join(latex_text(cell) for cell in cells) + r" \\" for cells in table.cells]
    lines += [r"\hline", r"\end{tabular}"]
    return "\n".join(lines) + "\n"

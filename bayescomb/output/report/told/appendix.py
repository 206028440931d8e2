"""A note's appendix in one LaTeX file: the tables and figures of a report with their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bayescomb.inputs.combination import Combination
from bayescomb.output.statements import header
from bayescomb.output.tables.table import LATEX_TABLES, Table, latex_text, tabular
from bayescomb.output.words import typeset

__all__ = ["appendix"]

# A table with more columns is set in landscape.
WIDE = 7
PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=2.2cm]{geometry}
\usepackage{amsmath,graphicx,longtable,pdflscape}
\setlength{\LTcapwidth}{\textwidth}
\setlength{\tabcolsep}{4pt}
\graphicspath{{figures/}}
"""


def appendix(combination: Combination, tables: Mapping[str, Table], figures: Sequence[tuple[str, str]]) -> str:
    r"""Text of the file, which compiles with pdflatex inside the folder of the report, twice for the widths of its tables.

    A note includes the part between ``% begin`` and ``% end``, with the packages graphicx, longtable and pdflscape.

    Args:
        combination: what is reported, named in comments and in the first paragraph.
        tables: of the report, by name; those of :data:`~bayescomb.output.tables.table.LATEX_TABLES` with rows are used.
        figures: name of the file and caption of each.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.report.told.appendix import appendix
        >>> text = appendix(bc.load("models/run1_mass"), {}, [("ranking", "Ranking of the nuisances.")])
        >>> text.count(r"\begin{figure}"), text.count(r"\end{document}")
        (1, 1)
    """
    said = header(combination).splitlines()
    title = combination.title or combination.name
    lines = [*(f"% {line}" for line in said), PREAMBLE, r"\begin{document}", "% begin", r"\appendix"]
    lines += [rf"\section{{{latex_text(typeset(title))}}}", *(f"{latex_text(typeset(line))}." + "\n" for line in said)]
    for name in LATEX_TABLES:
        table = tables.get(name)
        if table is not None and table.page().cells and table.page_columns:
            lines += _table(table)
    for name, caption in figures:
        lines += [
            r"\begin{figure}[p]", r"\centering",
            rf"\includegraphics[width=\linewidth,height=0.85\textheight,keepaspectratio]{{{name}.pdf}}",
            rf"\caption{{{latex_text(typeset(caption))}}}", rf"\label{{fig:{name}}}", r"\end{figure}", r"\clearpage",
        ]  # fmt: skip
    return "\n".join([*lines, "% end", r"\end{document}"]) + "\n"


def _table(table: Table) -> list[str]:
    """A table that can continue on the next page, in landscape if it has many columns."""
    columns = table.page_columns
    wide = len(columns) > WIDE
    # Long texts are set in paragraphs, so that the table fits the page.
    texts = [i for i, column in enumerate(columns) if column.text]
    width = {i: max((len(cells[i]) for cells in table.cells), default=0) for i in texts}
    places = "".join(
        (rf"p{{{0.34 if width[i] > 60 else 0.22:.2f}\linewidth}}" if width[i] > 30 else "l") if i in width else "r"
        for i in range(len(columns))
    )
    size = r"\scriptsize" if wide else r"\footnotesize"
    caption = rf"\caption{{{latex_text(typeset(table.title))}}}\label{{tab:{table.name}}}\\"
    lines = [rf"\begingroup{size}", rf"\begin{{longtable}}{{{places}}}", caption, *tabular(table, long=True)]
    lines += [r"\end{longtable}", r"\endgroup"]
    return [r"\begin{landscape}", *lines, r"\end{landscape}"] if wide else lines

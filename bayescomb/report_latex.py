r"""Tables of the report as LaTeX: a ``tabular`` that needs no package, with what the page shows."""

from __future__ import annotations

import re
from typing import Final

from bayescomb.inputs import Combination
from bayescomb.report_tables import Table
from bayescomb.text import header

__all__ = ["LATEX_TABLES", "latex_table", "latex_text"]

# The tables that go into a note.
LATEX_TABLES: Final = (
    "summary", "estimates", "weights", "scan", "impacts", "coefficients", "pulls", "variance_shares", "relevance",
    "prediction_variants", "scale_envelope", "theory_fit", "predictive", "sensitivity",
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
    places = "".join("l" if column.text else "r" for column in table.columns)
    lines = [f"% {line}" for line in header(combination).splitlines()]
    lines += [f"% {table.title}", rf"\begin{{tabular}}{{{places}}}", r"\hline"]
    lines.append(" & ".join(latex_text(column.title) for column in table.columns) + r" \\")
    lines.append(r"\hline")
    lines += [" & ".join(latex_text(cell) for cell in cells) + r" \\" for cells in table.cells]
    lines += [r"\hline", r"\end{tabular}"]
    return "\n".join(lines) + "\n"

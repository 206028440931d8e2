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
NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


def latex_text(text: str) -> str:
    r"""A text with the signs that LaTeX reserves or does not know written out; numbers and symbols as mathematics.

    Examples:
        >>> latex_text("m_t"), latex_text("-0.25"), latex_text("JES & JER, 5 %")
        ('$m_{t}$', '$-0.25$', 'JES \\& JER, 5 \\%')
    """
    found = re.fullmatch(r"([A-Za-z])_([A-Za-z0-9]+)", text)
    if found is not None:
        return f"${found[1]}_{{{found[2]}}}$"
    if NUMBER.fullmatch(text):
        return f"${text}$"
    # Two signs that are mathematics side by side are one formula.
    return "".join(SPECIAL.get(sign, sign) for sign in text).replace("$$", "")


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

"""Tables of a profile: how well each input agrees with the others."""

from __future__ import annotations

from collections.abc import Sequence

from bayescomb.base.rounding import chi2_text, p_value_text
from bayescomb.fit.compatibility import Compatibility
from bayescomb.output.tables.table import Table, fixed_column, number_column, text_column

__all__ = ["compatibility_table"]


def compatibility_table(found: Sequence[Compatibility]) -> Table:
    """One row per input.

    Args:
        found: of :func:`bayescomb.compatibility`.

    Examples:
        >>> import bayescomb as bc
        >>> table = compatibility_table(bc.compatibility(bc.load("models/run1_mass")))
        >>> len(table.rows), table.terminal[0]
        (15, ['input', 'chi2 of all - chi2 of the rest', 'ndf', 'p-value'])
    """
    rows = [
        {"measurement": c.measurement, "chi2": c.chi2, "ndf": c.ndf, "p_value": c.p_value, "problem": c.problem}
        for c in found
    ]
    columns = [
        text_column("input", "measurement"),
        number_column(
            "χ² of all \N{MINUS SIGN} χ² of the rest",
            "chi2",
            lambda chi2: "not known" if chi2 is None else chi2_text(chi2),
            short="chi2 of all - chi2 of the rest",
        ),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
        number_column("p-value", "p_value", p_value_text),
    ]
    title = (
        "χ² of all inputs less that of all others, at nominal coefficients: how much worse the rest fits when an input "
        "joins. Without a degree of freedom nothing tests it."
    )
    return Table(name="compatibility", title=title, rows=rows, columns=columns)

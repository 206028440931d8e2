"""Tables of the mass with other predictions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bayescomb.base.rounding import chi2_text, p_value_text, rounded_like, significant, with_error
from bayescomb.fit.profile import goodness_of_fit
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column
from bayescomb.studies.theory.variants import NOT_TABULATED, OrderRow, VariantRow

__all__ = ["envelope_table", "orders_table", "variants_table"]


def orders_table(found: Sequence[OrderRow]) -> Table:
    """One row per order and mass; no rows where there is one order only.

    Args:
        found: of :func:`bayescomb.order_variants`.
    """
    columns = [
        text_column("order", "order"),
        text_column("mass", "mass"),
        Column(title="value [GeV]", show=_result, only="terminal"),
        Column(title="value [GeV]", show=_like_error("value"), only="page"),
        Column(title="uncertainty [GeV]", show=_like_error("error"), only="page"),
        Column(title="of theory [GeV]", show=_like_error("theory_error")),
        Column(title="shift [GeV]", show=_like_error("shift", sign=True)),
        Column(title="envelope up [GeV]", show=_like_error("up", sign=True), short="envelope"),
        Column(title="down [GeV]", show=_like_error("down", sign=True)),
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
    ]
    title = (
        "The mass with predictions of each order, with the seven-point envelope of the scales; shift from the one in force."
    )
    rows = [{**dataclasses.asdict(row), "predictions": ", ".join(row.predictions)} for row in found]
    return Table(name="prediction_orders", title=title, rows=rows, columns=columns, footnote="problem")


# A p-value below this excludes a prediction.
EXCLUDED: Final = 1e-4


def variants_table(found: Sequence[VariantRow]) -> Table:
    """One row per PDF set and scale definition.

    Sets that are tabulated at one scale only are compared with the set in force at that scale, so that a change of scale
    does not read as one of the PDF.

    Args:
        found: of :func:`bayescomb.prediction_variants`.

    Returns:
        Rows with ``by_pdf``, value less that of the PDF set in force at the same scale, and ``by_scale``, that of the PDF
        set in force less its value at the scale in force, GeV; both add up to ``shift``.
    """
    base = {(row.mass, row.pdf_set, row.scale_choice): row.value for row in found}
    own = {row.mass: (row.pdf_set, row.scale_choice) for row in found if row.shift == 0.0}
    rows = []
    for row in found:
        pdf_set, choice = own.get(row.mass, ("", ""))
        there, here = base.get((row.mass, pdf_set, row.scale_choice)), base.get((row.mass, pdf_set, choice))
        rows.append({"by_pdf": _difference(row.value, there), "by_scale": _difference(there, here)})
    title = (
        "The mass with other PDF sets and scale definitions, scales fixed. Shift: by the PDF set at equal scale, and by the "
        "scale definition with the PDF set in force; together they are the shift from the prediction in force. Of other "
        "sets the central member alone is known, so that their uncertainty has no PDF part."
    )
    return _table("prediction_variants", title, found, more=rows)


def _difference(value: float | None, start: float | None) -> float | None:
    return None if value is None or start is None else value - start


def envelope_table(found: Sequence[VariantRow]) -> Table:
    """The seven points of the scale variation.

    Args:
        found: of :func:`bayescomb.scale_envelope`.
    """
    title = "The mass at the seven points of the usual scale variation; shift from the centre."
    return _table("scale_envelope", title, found)


def _table(name: str, title: str, found: Sequence[VariantRow], *, more: Sequence[Mapping[str, float | None]] = ()) -> Table:
    shifts = [
        Column(title="shift [GeV]", show=_like_error("shift", sign=True), only="terminal" if more else ""),
        *(
            Column(title=f"shift by the {what} [GeV]", show=_like_error(key, sign=True), only="page")
            for what, key in (("PDF set", "by_pdf"), ("scale", "by_scale"))
            if more
        ),
    ]
    varied = any(not row.mu_r == row.mu_f == 1 for row in found)
    factors = [fixed_column(f"{symbol} factor", key, 1, only="page") for symbol, key in (("μ_R", "mu_r"), ("μ_F", "mu_f"))]
    columns = [
        Column(title="prediction", show=_prediction, text=True, only="terminal"),
        text_column("PDF set", "pdf_set", only="page"),
        text_column("scale", "scale_choice", only="page"),
        *(factors if varied else []),
        text_column("mass", "mass"),
        Column(title="value [GeV]", show=_result, only="terminal"),
        Column(title="value [GeV]", show=_like_error("value"), only="page"),
        Column(title="uncertainty [GeV]", show=_like_error("error"), only="page"),
        *shifts,
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
        number_column("p-value", "p_value", p_value_text, only="page"),
    ]
    p_values = [None if row.chi2 is None else goodness_of_fit(row.chi2, row.ndf) for row in found]
    rows = [
        {**dataclasses.asdict(row), **extra, "note": _note(row, p_value), "p_value": p_value}
        for row, extra, p_value in zip(found, more or [{}] * len(found), p_values, strict=True)
    ]
    fields = [key for key in rows[0] if key != "p_value"] if rows else []  # it follows from chi2 and ndf
    return Table(name=name, title=title, rows=rows, columns=columns, fields=fields, footnote="note")


def _note(row: VariantRow, p_value: float | None) -> str:
    """Why there is no mass, or that a prediction does not describe the data."""
    if row.value is None:
        return row.problem
    if p_value is None or p_value >= EXCLUDED:
        return ""
    return (
        "The p-value of χ² is below 0.0001: this prediction does not describe the data. Its mass is where it fits them "
        "least badly, and its uncertainty has no meaning."
    )


def _prediction(row: Row) -> str:
    factors = "" if row["mu_r"] == row["mu_f"] == 1 else f" x ({significant(row['mu_r'])}, {significant(row['mu_f'])})"
    return f"{row['pdf_set']}, scale {row['scale_choice']}{factors}"


def _result(row: Row) -> str:
    if row["value"] is None:
        why = row["problem"] if row["problem"].startswith(NOT_TABULATED) else "no minimum"
        return f"none: {why}"
    return with_error(row["value"], row["error"])


def _like_error(key: str, *, sign: bool = False) -> Callable[[Row], str]:
    return lambda row: rounded_like(row[key], math.nan if row["error"] is None else row["error"], sign=sign)

"""Tables of the mass with other predictions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from bayescomb.base.rounding import chi2_text, rounded_like, significant, with_error
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column
from bayescomb.studies.theory_variants import NOT_TABULATED, OrderRow, VariantRow

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
    return Table(name="prediction_orders", title=title, rows=rows, columns=columns)


def variants_table(found: Sequence[VariantRow]) -> Table:
    """One row per PDF set and scale definition.

    Args:
        found: of :func:`bayescomb.prediction_variants`.
    """
    title = "The mass with other PDF sets and scale definitions, scales fixed; shift from the one in force."
    return _table("prediction_variants", title, found)


def envelope_table(found: Sequence[VariantRow]) -> Table:
    """The seven points of the scale variation.

    Args:
        found: of :func:`bayescomb.scale_envelope`.
    """
    title = "The mass at the seven points of the usual scale variation; shift from the centre."
    return _table("scale_envelope", title, found)


def _table(name: str, title: str, found: Sequence[VariantRow]) -> Table:
    columns = [
        Column(title="prediction", show=_prediction, text=True, only="terminal"),
        text_column("PDF set", "pdf_set", only="page"),
        text_column("scale", "scale_choice", only="page"),
        fixed_column("μ_R factor", "mu_r", 1, only="page"),
        fixed_column("μ_F factor", "mu_f", 1, only="page"),
        text_column("mass", "mass"),
        Column(title="value [GeV]", show=_result, only="terminal"),
        Column(title="value [GeV]", show=_like_error("value"), only="page"),
        Column(title="uncertainty [GeV]", show=_like_error("error"), only="page"),
        Column(title="shift [GeV]", show=_like_error("shift", sign=True)),
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
    ]
    return Table(name=name, title=title, rows=[dataclasses.asdict(row) for row in found], columns=columns)


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

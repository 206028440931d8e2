"""Tables of the report about the correlation coefficients: prior and posterior."""

from __future__ import annotations

from typing import Any, Final

from bayescomb.base.rounding import coefficient_text, fine_unit, interval_text, with_error, with_unit
from bayescomb.output.report.results import Results
from bayescomb.output.tables.scan import range_on_page
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

SUMMARISED: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean")

__all__ = ["coefficient_table"]


def coefficient_table(results: Results) -> Table:
    """Each coefficient before and after the data."""
    coefficients = results.combination.assumption_set.coefficients
    prior = {} if results.sampled is None else results.sampled.prior_coefficients
    posterior = {} if results.usable is None else results.usable.coefficients
    parameter = results.parameters[0]
    shifts = {row.name: row.half_shift for row in results.scan.rows}
    rows = []
    for coefficient in coefficients:
        shift = shifts.get(coefficient.name)
        row: dict[str, Any] = {
            "coefficient": coefficient.name,
            "title": coefficient.title or coefficient.name,
            "pairs": len(coefficient.pairs),
            "nominal": coefficient.nominal,
            "low": coefficient.low,
            "high": coefficient.high,
            "prior": coefficient.prior if coefficient.varied else "fixed",
        }
        for label, found in (("prior", prior), ("posterior", posterior)):
            own = found[coefficient.name].numbers if coefficient.name in found else {}
            row |= {f"{label}_{key}": own.get(key) for key in SUMMARISED}
        row[f"half_shift[{parameter.name}]"] = None if shift is None else float(shift.sel(parameter=parameter.name))
        rows.append(row)

    def pair(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            return with_error(row[f"{kind}_mean"], row[f"{kind}_sd"])

        return show

    def interval(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            return interval_text(row[f"{kind}_central_low"], row[f"{kind}_central_high"], error=row[f"{kind}_sd"])

        return show

    columns = [
        text_column("coefficient", "title"),
        number_column("nominal", "nominal", coefficient_text),
        Column(title="range", show=range_on_page),
        text_column("prior", "prior"),
    ]
    if prior:
        columns.append(Column(title="prior mean ± sd", show=pair("prior")))
        columns.append(Column(title="prior, central 68 %", show=interval("prior")))
    if posterior:
        columns.append(Column(title="posterior mean ± sd", show=pair("posterior")))
        columns.append(Column(title="posterior, central 68 %", show=interval("posterior")))
    factor, unit, places = fine_unit(float(results.fit.errors.sel(parameter=parameter.name)), parameter.unit)
    title = with_unit(f"half shift of {parameter.name}", unit)
    columns.append(fixed_column(title, f"half_shift[{parameter.name}]", places, sign=True, scale=factor))
    caption = (
        "Correlation coefficients: prior restricted to the feasible set, posterior, central 68 % intervals, and the half "
        "shift of the scan."
    )
    return Table(name="coefficients", title=caption, rows=rows, columns=columns)

"""Tables of the report about the correlation coefficients: prior and posterior."""

from __future__ import annotations

from typing import Any, Final

from bayescomb.base.rounding import coefficient_text, fine_unit, fixed, interval_text, with_error, with_unit
from bayescomb.output.report.results import Results
from bayescomb.output.tables.scan import range_on_page
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column
from bayescomb.sampling.posterior.summary import same_as_prior

SUMMARISED: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean")

__all__ = ["coefficient_table"]

# Shown for a coefficient that the data do not constrain.
AS_PRIOR: Final = "as the prior"
EXACT_PLACES: Final = 4


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

    same = {name for name, found in posterior.items() if name in prior and same_as_prior(found, prior[name])}

    def pair(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            if kind == "posterior" and row["coefficient"] in same:
                return AS_PRIOR
            exact = row[f"{kind}_mcse_mean"] == 0
            digits = {"mean": coefficient_text(row[f"{kind}_mean"]), "sd": fixed(row[f"{kind}_sd"], EXACT_PLACES)}
            return f"{digits['mean']} ± {digits['sd']}" if exact else with_error(row[f"{kind}_mean"], row[f"{kind}_sd"])

        return show

    def interval(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            if kind == "posterior" and row["coefficient"] in same:
                return AS_PRIOR
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
        if len(same) < len(posterior):
            columns.append(Column(title="posterior, central 68 %", show=interval("posterior")))
    factor, unit, places = fine_unit(float(results.fit.errors.sel(parameter=parameter.name)), parameter.unit)
    title = with_unit(f"half shift of {parameter.name}", unit)
    columns.append(fixed_column(title, f"half_shift[{parameter.name}]", places, sign=True, scale=factor))
    caption = (
        "Correlation coefficients: prior restricted to the feasible set, posterior, central 68 % intervals, and the half "
        "shift of the scan."
    )
    if prior:
        caption += " Of a range that is feasible as a whole the moments of the prior are exact and have four decimals."
    if same:
        caption += f" {AS_PRIOR[0].upper()}{AS_PRIOR[1:]}: within three Monte Carlo errors."
    return Table(name="coefficients", title=caption, rows=rows, columns=columns)

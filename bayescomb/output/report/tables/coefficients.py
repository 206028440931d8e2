"""Tables of the report about the coefficients, prior and posterior, and the results under every assumption set."""

from __future__ import annotations

from typing import Any, Final

from bayescomb.base.rounding import (
    coefficient_text,
    correlation_text,
    fine_text,
    fine_unit,
    fixed,
    interval_text,
    p_value_text,
    with_error,
    with_unit,
)
from bayescomb.output.report.results import Results
from bayescomb.output.tables.scan import range_on_page
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

__all__ = ["coefficient_table", "set_table"]

SUMMARISED: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean")
# Shown for a coefficient that the data do not constrain.
AS_PRIOR: Final = "as the prior"
EXACT_PLACES: Final = 4


def coefficient_table(results: Results) -> Table:
    """One row per coefficient: its prior, its posterior and the half shift of the first result in the scan."""
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
            if kind == "posterior" and row["coefficient"] in results.as_prior:
                return AS_PRIOR
            exact = row[f"{kind}_mcse_mean"] == 0
            digits = {"mean": coefficient_text(row[f"{kind}_mean"]), "sd": fixed(row[f"{kind}_sd"], EXACT_PLACES)}
            return f"{digits['mean']} ± {digits['sd']}" if exact else with_error(row[f"{kind}_mean"], row[f"{kind}_sd"])

        return show

    def interval(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            if kind == "posterior" and row["coefficient"] in results.as_prior:
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
        if len(results.as_prior) < len(posterior):
            columns.append(Column(title="posterior, central 68 %", show=interval("posterior")))
    factor, unit, places = fine_unit(results.error(parameter), parameter.unit)
    title = with_unit(f"half shift of {parameter.name}", unit)
    columns.append(fixed_column(title, f"half_shift[{parameter.name}]", places, sign=True, scale=factor))
    caption = (
        "Correlation coefficients: prior restricted to the feasible set, posterior, central 68 % intervals, and the half "
        "shift of the scan."
    )
    if prior:
        caption += " Of a range that is feasible as a whole the moments of the prior are exact and have four decimals."
    if results.as_prior:
        caption += f" {AS_PRIOR[0].upper()}{AS_PRIOR[1:]}: within three Monte Carlo errors."
    return Table(name="coefficients", title=caption, rows=rows, columns=columns)


def set_table(results: Results) -> Table:
    """One row per assumption set and result; empty where the model has one set only.

    Returns:
        Rows with ``value`` and ``error`` of all inputs, ``value[experiment]`` and ``error[experiment]`` of each alone, the
        shift from the set in force, chi2, and ``correlation[a, b]`` of the first result between experiments, by the
        measured values without theory.
    """
    experiments = list(dict.fromkeys(name for row in results.sets for name in row.experiments))
    pairs = list(dict.fromkeys(pair for row in results.sets for pair in row.correlations))
    rows: list[dict[str, Any]] = []
    for found in results.sets:
        for index, parameter in enumerate(results.parameters):
            at = {"parameter": parameter.name}
            row: dict[str, Any] = {"set": found.name, "description": found.description, "parameter": parameter.name}
            row |= {"unit": parameter.unit, "value": None, "error": None, "shift": None}
            row |= {"chi2": None, "ndf": None, "p_value": None, "problem": found.problem}
            if found.fit is not None and parameter.name in found.fit.values["parameter"]:
                value = float(found.fit.values.sel(at))
                row |= {"value": value, "error": float(found.fit.errors.sel(at))}
                row |= {"shift": value - float(results.fit.values.sel(at))}
                row |= {"chi2": found.fit.chi2, "ndf": found.fit.ndf, "p_value": found.fit.p_value}
            for name in experiments:
                fit = found.experiments.get(name)
                known = fit is not None and parameter.name in fit.values["parameter"]
                for key in ("value", "error"):
                    series = getattr(fit, f"{key}s", None)
                    row[f"{key}[{name}]"] = float(series.sel(at)) if known and series is not None else None
            for pair in pairs:
                row[f"correlation[{', '.join(pair)}]"] = found.correlations.get(pair) if index == 0 else None
            rows.append(row)

    def result(suffix: str) -> Any:
        def show(row: Row) -> str:
            if row[f"value{suffix}"] is None:
                return "\N{EN DASH}"
            return with_error(row[f"value{suffix}"], row[f"error{suffix}"])

        return show

    def shift(row: Row) -> str:
        if row["shift"] is None:
            return "\N{EN DASH}"
        return fine_text(row["shift"], fine_unit(row["error"], row["unit"]), sign=True)

    several = len(results.parameters) > 1
    unit = results.parameters[0].unit if not several else ""
    columns = [text_column("set", "set"), text_column("what it assumes", "description")]
    columns += (
        [Column(title="result", show=lambda row: with_unit(row["parameter"], row["unit"]), text=True)] if several else []
    )
    columns += [Column(title=with_unit(name, unit), show=result(f"[{name}]")) for name in experiments]
    columns += [
        Column(title=with_unit("all", unit), show=result("")),
        Column(title="shift", show=shift),
        Column(
            title="\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO} / freedom",
            show=lambda row: "\N{EN DASH}" if row["chi2"] is None else f"{fixed(row['chi2'], 1)} / {row['ndf']}",
        ),
        number_column("p-value", "p_value", p_value_text),
        *(
            number_column(f"{', '.join(pair)} correlation", f"correlation[{', '.join(pair)}]", correlation_text)
            for pair in pairs
        ),
    ]
    title = (
        "Every assumption set at its nominal coefficients: profile of each experiment alone and of all inputs, and the "
        f"shift from the set in force, {results.combination.assumptions}."
    )
    if pairs:
        title += (
            " Correlation: of the results of two experiments alone, by the measured values; theory, which is common to "
            "both, is left out."
        )
    return Table(name="assumption_sets", title=title, rows=rows, columns=columns, footnote="problem")

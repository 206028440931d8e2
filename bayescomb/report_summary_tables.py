"""Tables of the report about the combined quantities: values, what the coefficients cost, covariance."""

from __future__ import annotations

from typing import Any

from bayescomb.figures_style import axis_label
from bayescomb.measurements import unsplit_label
from bayescomb.parts import PARTS_CLAUSE
from bayescomb.report_results import Results, mean_shift, parameter_covariance
from bayescomb.report_tables import Column, Row, Table, text_column
from bayescomb.rounding import fine_text, fine_unit, fixed, percent_text, rounded_like, significant

__all__ = ["covariance_table", "summary_table", "variance_table"]


def summary_table(results: Results) -> Table:
    """Profile, posterior and posterior at nominal coefficients."""
    rows: list[dict[str, Any]] = []
    label = unsplit_label(results.combination.measurements)
    for parameter in results.parameters:
        at = {"parameter": parameter.name}
        fit = results.fit
        parts = fit.error_parts(parameter.name)
        value, error = float(fit.values.sel(at)), float(fit.errors.sel(at))
        first: dict[str, Any] = {"parameter": parameter.name, "unit": parameter.unit}
        rows.append(
            {
                **first,
                "answer": "profile at nominal coefficients",
                "interval": "Δχ² = 1",
                "value": value,
                "error": error,
                "statistical_error": parts.get("stat"),
                "systematic_error": parts.get("syst"),
                "theory_error": parts.get("theory"),
                "undivided_error": parts.get(label),
                "median": None,
                "low": value + float(fit.down_errors.sel(at)),
                "high": value + float(fit.up_errors.sel(at)),
                "mcse_mean": None,
                "mcse_sd": None,
            }
        )
        if results.comparison is None:
            continue
        row = results.comparison.table.sel(at)
        answers = (("", "posterior"), ("nominal_", "posterior at nominal coefficients"))
        for prefix, answer in answers[: 1 + results.comparison.exact]:
            rows.append(
                {
                    **first,
                    "answer": answer,
                    "interval": "68 % HDI",
                    "value": float(row[f"{prefix}mean"]),
                    "error": float(row[f"{prefix}sd"]),
                    "statistical_error": None,
                    "systematic_error": None,
                    "theory_error": None,
                    "undivided_error": None,
                    "median": float(row[f"{prefix}median"]),
                    "low": float(row[f"{prefix}hdi_low"]),
                    "high": float(row[f"{prefix}hdi_high"]),
                    "mcse_mean": 0.0 if prefix else float(row["mcse_mean"]),
                    "mcse_sd": 0.0 if prefix else float(row["mcse_sd"]),
                }
            )

    def like_error(key: str) -> Any:
        return lambda row: rounded_like(row[key], row["error"])

    columns = [
        Column(title="parameter", show=lambda row: axis_label(row["parameter"], row["unit"]), text=True),
        text_column("answer", "answer"),
        Column(title="value", show=like_error("value")),
        Column(title="uncertainty", show=like_error("error")),
        Column(title="stat.", show=like_error("statistical_error")),
        Column(title="syst.", show=like_error("systematic_error")),
        *([Column(title=label, show=like_error("undivided_error"))] if label else []),
        *([Column(title="theory", show=like_error("theory_error"))] if results.combination.extraction else []),
        *([Column(title="Monte Carlo error", show=_monte_carlo)] if results.comparison is not None else []),
        Column(title="median", show=like_error("median")),
        Column(title="68 % interval", show=lambda row: f"{like_error('low')(row)} to {like_error('high')(row)}"),
        text_column("kind of interval", "interval"),
    ]
    title = (
        "Result: best fit of the profile, with its error from the model linearised at the minimum and its Δχ² = 1 interval"
    )
    title += f"; stat. and syst. are {PARTS_CLAUSE[results.fit.parts]}"
    if results.comparison is not None:
        title += "; mean and standard deviation of the posterior"
    title += ". The posterior at nominal coefficients is exact." if results.comparison and results.comparison.exact else "."
    return Table(name="summary", title=title, rows=rows, columns=columns)


def _monte_carlo(row: Row) -> str:
    """Monte Carlo error of the mean."""
    if row["mcse_mean"] == 0.0:
        return "exact"
    return significant(row["mcse_mean"], 2)


def variance_table(results: Results) -> Table:
    """How much of the variance comes from not knowing the coefficients."""
    rows: list[dict[str, Any]] = []
    if results.comparison is not None and results.comparison.exact:
        table = results.comparison.table
        for parameter in results.parameters:
            row = table.sel(parameter=parameter.name)
            values = {
                key: float(row[key])
                for key in ("mean_of_variance", "variance_of_mean", "coefficient_share", "coefficient_share_mcse", "sd")
            }
            moved, moved_mcse = mean_shift(results, parameter.name)
            of_mean, share = values["variance_of_mean"], values["coefficient_share"]
            rows.append(
                {
                    "parameter": parameter.name,
                    "unit": parameter.unit,
                    **values,
                    "sd_given_coefficients": values["mean_of_variance"] ** 0.5,
                    "sd_from_coefficients": of_mean**0.5,
                    "sd_from_coefficients_mcse": (
                        0.5 * of_mean**0.5 * values["coefficient_share_mcse"] / share if share > 0 else 0.0
                    ),
                    "shift_of_mean": moved,
                    "shift_of_mean_mcse": moved_mcse,
                }
            )

    def like_sd(key: str) -> Any:
        return lambda row: fine_text(row[key], fine_unit(row["sd"], row["unit"]))

    def shift(row: Row) -> str:
        scale, unit, places = fine_unit(row["sd"], row["unit"])
        moved, error = (fixed(scale * row[key], places) for key in ("shift_of_mean", "shift_of_mean_mcse"))
        return f"({moved} ± {error}) {unit}"

    columns = [
        text_column("parameter", "parameter"),
        Column(title="sd", show=like_sd("sd")),
        Column(title="given the coefficients", show=like_sd("sd_given_coefficients")),
        Column(title="from not knowing them", show=like_sd("sd_from_coefficients")),
        Column(
            title="share of the variance [%]",
            show=lambda row: percent_text(row["coefficient_share"], row["coefficient_share_mcse"]),
        ),
        Column(title="shift of the mean", show=shift),
    ]
    title = (
        "What not knowing the correlation coefficients costs. The two parts of the standard deviation add in quadrature; "
        "the errors of the share and of the shift (posterior mean minus profile, by the exact conditional means) are those "
        "of the Monte Carlo."
    )
    return Table(name="coefficient_share", title=title, rows=rows, columns=columns)


def covariance_table(results: Results) -> Table:
    """For the files: covariance of all pairs of combined quantities."""
    covariance, kind = parameter_covariance(results)
    rows = [
        {
            "parameter": first.name,
            "parameter_b": second.name,
            "profile": float(results.fit.covariance.sel(parameter=first.name, parameter_b=second.name)),
            "posterior": float(covariance[i, j]) if kind == "posterior" else None,
        }
        for i, first in enumerate(results.parameters)
        for j, second in enumerate(results.parameters)
    ]
    title = "Covariance of the combined quantities, in the products of their units."
    return Table(name="covariance", title=title, rows=rows, columns=[])

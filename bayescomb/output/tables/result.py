"""Tables of the result: profile, posterior and posterior at nominal coefficients, and what the coefficients cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from bayescomb.base.rounding import (
    fine_text,
    fine_unit,
    fixed,
    interval_text,
    percent_text,
    plain,
    rounded_like,
    significant,
    with_unit,
)
from bayescomb.fit.impacts import PARTS_CLAUSE
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.observables import Observable
from bayescomb.output.tables.fit import part_cells
from bayescomb.output.tables.table import Column, Row, Table, text_column
from bayescomb.studies.comparison import Comparison

__all__ = ["cost_table", "summary_table"]

# Answers with their names in a terminal.
ANSWERS: Final = {
    "profile at nominal coefficients": "profile",
    "posterior": "posterior",
    "posterior at nominal coefficients": "posterior at nominal (exact)",
}
FIELDS: Final = (
    "parameter", "unit", "answer", "interval", "value", "error", "statistical_error", "systematic_error", "theory_error",
    "undivided_error", "median", "low", "high", "mcse_mean", "mcse_sd",
)  # fmt: skip


def summary_table(
    parameters: Sequence[Observable], *, comparison: Comparison | None, fit: ProfileResult | None = None
) -> Table:
    """A row per result and answer.

    Args:
        parameters: results to show.
        comparison: of profile and posterior; ``None`` for the profile alone.
        fit: the profile; without it the parts of its errors are not shown.

    Returns:
        Rows with ``value``, ``error``, its parts, ``median``, ``low`` and ``high`` in the unit of the result, the kind of
        the interval, and the Monte Carlo errors, which are 0 where mean and sd are exact.
    """
    rows: list[dict[str, Any]] = []
    for parameter in parameters:
        for answer in _answers(parameter.name, comparison, fit):
            first = {"parameter": parameter.name, "unit": parameter.unit}
            rows.append(dict.fromkeys(FIELDS) | first | answer)
    label = "" if fit is None else unsplit_label(fit.combination.measurements)
    columns = [
        Column(title="parameter", show=lambda row: with_unit(row["parameter"], row["unit"]), text=True, only="page"),
        Column(title="parameter", show=_parameter, text=True, only="terminal"),
        text_column("answer", "answer", only="page"),
        Column(title="", show=lambda row: f"{ANSWERS[row['answer']]}, {plain(row['interval'])}", only="terminal"),
        Column(title="value", show=_like_error("value")),
        Column(title="uncertainty", show=_like_error("error")),
    ]
    if fit is not None:
        columns += [
            Column(title="stat.", show=_like_error("statistical_error")),
            Column(title="syst.", show=_like_error("systematic_error")),
            *([Column(title=label, show=_like_error("undivided_error"))] if label else []),
            *([Column(title="theory", show=_like_error("theory_error"))] if fit.combination.extraction else []),
        ]
    columns += [
        *([Column(title="Monte Carlo error", show=_monte_carlo)] if comparison is not None else []),
        Column(title="median", show=_like_error("median")),
        Column(title="68 % interval", show=lambda row: interval_text(row["low"], row["high"], error=_digits(row))),
        text_column("kind of interval", "interval", only="page"),
    ]
    title = (
        "Result: best fit of the profile, with its error from the model linearised at the minimum and its Δχ² = 1 interval"
    )
    title += f"; stat. and syst. are {PARTS_CLAUSE[fit.parts]}" if fit is not None else ""
    title += "; mean and standard deviation of the posterior" if comparison is not None else ""
    title += ". The posterior at nominal coefficients is exact." if comparison is not None and comparison.exact else "."
    return Table(name="summary", title=title, rows=rows, columns=columns)


def _answers(name: str, comparison: Comparison | None, fit: ProfileResult | None) -> Iterator[dict[str, Any]]:
    at = {"parameter": name}
    if fit is not None:
        found = part_cells(fit, name)
        numbers = [fit.values, fit.errors, fit.down_errors, fit.up_errors]
        corrected = fit.sizes is not None and name in fit.sizes.without_sd
        if corrected and fit.sizes is not None:  # without the correction the interval would be far too short
            numbers[2:] = [fit.sizes.intervals["down"], fit.sizes.intervals["up"]]
    else:
        assert comparison is not None  # one of the two is given
        found = {}
        numbers = [comparison.table[f"profile_{key}"] for key in ("value", "error", "down", "up")]
        corrected = bool(comparison.table["profile_corrected"].sel(at))
    value, error, down, up = (float(number.sel(at)) for number in numbers)
    yield {
        "answer": "profile at nominal coefficients",
        "interval": "Bartlett" if corrected else "Δχ² = 1",
        "value": value,
        "error": error,
        **found,
        "low": value + down,
        "high": value + up,
    }
    if comparison is None:
        return
    row = comparison.table.sel(at)
    answers = (("", "posterior"), ("nominal_", "posterior at nominal coefficients"))
    for prefix, answer in answers[: 1 + comparison.exact]:
        yield {
            "answer": answer,
            "interval": "68 % HDI",
            "value": float(row[f"{prefix}mean"]),
            "error": float(row[f"{prefix}sd"]),
            "median": float(row[f"{prefix}median"]),
            "low": float(row[f"{prefix}hdi_low"]),
            "high": float(row[f"{prefix}hdi_high"]),
            "mcse_mean": 0.0 if prefix else float(row["mcse_mean"]),
            "mcse_sd": 0.0 if prefix else float(row["mcse_sd"]),
        }


def _digits(row: Row) -> float:
    """What sets the digits: the error, or the interval where there is none, at a bound or of tails without moments."""
    error = float(row["error"])
    if math.isfinite(error):
        return error
    return float(row["high"] - row["value"] if math.isfinite(row["value"]) else (row["high"] - row["low"]) / 2)


def _like_error(key: str) -> Callable[[Row], str]:
    return lambda row: rounded_like(row[key], _digits(row))


def _parameter(row: Row) -> str:
    """Once per result, where the lines below it are its other answers."""
    return with_unit(row["parameter"], row["unit"]) if row["answer"].startswith("profile") else ""


def _monte_carlo(row: Row) -> str:
    """Monte Carlo error of the mean."""
    if row["mcse_mean"] == 0.0:
        return "exact"
    return significant(row["mcse_mean"], 2)


def cost_table(parameters: Sequence[Observable], comparison: Comparison | None) -> Table:
    """How much of the variance comes from not knowing the coefficients; empty where it is not known exactly.

    Args:
        parameters: results to show.
        comparison: of profile and posterior, if there is one.
    """
    rows: list[dict[str, Any]] = []
    if comparison is not None and comparison.exact:
        table = comparison.table
        for parameter in parameters:
            row = table.sel(parameter=parameter.name)
            keys = ("mean_of_variance", "variance_of_mean", "coefficient_share", "coefficient_share_mcse", "sd")
            values = {key: float(row[key]) for key in keys}
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
                    "shift_of_mean": float(row["shift_of_mean"]),
                    "shift_of_mean_mcse": float(row["shift_of_mean_mcse"]),
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

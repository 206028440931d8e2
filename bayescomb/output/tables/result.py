"""Tables of the result: profile and posterior, weights of the estimates, compatibility of each input with the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.numerics import correlation_of
from bayescomb.base.rounding import (
    PULL_PLACES,
    chi2_text,
    fine_text,
    fine_unit,
    fixed,
    interval_text,
    p_value_text,
    percent_text,
    plain,
    rounded_like,
    significant,
    weight_places,
    with_unit,
)
from bayescomb.fit.impacts import PARTS_CLAUSE
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.observables import Observable
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

if TYPE_CHECKING:
    from bayescomb.fit.compatibility import Compatibility
    from bayescomb.studies.comparison import Comparison

__all__ = [
    "PARTS",
    "UNDIVIDED",
    "compatibility_table",
    "correlation_table",
    "cost_table",
    "part_cells",
    "summary_table",
    "weights_table",
]

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
# Parts of an error -> their keys in tables and files; any other part comes from total covariances, which do not divide it.
PARTS: Final = {"stat": "statistical_error", "syst": "systematic_error", "theory": "theory_error"}
UNDIVIDED: Final = "undivided_error"
# Digits of a correlation between results.
CORRELATION_PLACES: Final = 2


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
    """Size that sets the digits: the error, or the interval where there is none, at a bound or without moments."""
    error = float(row["error"])
    if math.isfinite(error):
        return error
    return float(row["high"] - row["value"] if math.isfinite(row["value"]) else (row["high"] - row["low"]) / 2)


def _like_error(key: str) -> Callable[[Row], str]:
    return lambda row: rounded_like(row[key], _digits(row))


def _parameter(row: Row) -> str:
    """Name of the result, in the line of its profile only; the lines below are its other answers."""
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


def part_cells(fit: ProfileResult, name: str) -> dict[str, float]:
    """Parts of the error of a result by their keys in tables and files, as far as the inputs determine them."""
    return {PARTS.get(label, UNDIVIDED): part for label, part in fit.error_parts(name).items()}


def compatibility_table(found: Sequence[Compatibility], *, titles: Mapping[str, str] | None = None) -> Table:
    """One row per input.

    Args:
        found: of :func:`bayescomb.compatibility`.
        titles: measurement -> what a page calls it; its name by default.

    Examples:
        >>> import bayescomb as bc
        >>> table = compatibility_table(bc.compatibility(bc.load("models/run1_mass")))
        >>> len(table.rows), table.terminal[0]
        (15, ['input', 'chi2 of all - chi2 of the rest', 'ndf', 'p-value'])
    """
    kind = found[0].by if found else "measurement"
    rows = [{c.by: c.name, "chi2": c.chi2, "ndf": c.ndf, "p_value": c.p_value, "problem": c.problem} for c in found]
    columns = [
        text_column(kind if kind != "measurement" else "input", kind, only="terminal"),
        Column(
            title=kind if kind != "measurement" else "input",
            show=lambda row: (titles or {}).get(row[kind], row[kind]),
            text=True,
            only="page",
        ),
        number_column(
            "χ² of all \N{MINUS SIGN} χ² of the rest",
            "chi2",
            lambda chi2: "not known" if chi2 is None else chi2_text(chi2),
        ),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
        number_column("p-value", "p_value", p_value_text),
    ]
    title = (
        "Compatibility of each input with the rest: χ² of all inputs less that of all others, at nominal coefficients: "
        "how much worse the rest fits when an input joins. Without a degree of freedom nothing tests it."
    )
    name = "compatibility" if kind == "measurement" else f"compatibility_{kind}"
    return Table(name=name, title=title, rows=rows, columns=columns, footnote="problem")


def correlation_table(names: Sequence[str], covariance: FloatArray) -> Table:
    """Correlations of the results.

    Args:
        names: of n results.
        covariance: shape (n, n); NaN for what has none, as it is at a bound. Without a variance above 0 a result has no
            correlation either, not even with itself.

    Examples:
        >>> import numpy as np
        >>> table = correlation_table(["a", "b"], np.array([[4.0, 1.0], [1.0, 1.0]]))
        >>> table.terminal[1]
        ['a', '1.00', '+0.50']
    """
    with np.errstate(invalid="ignore"):
        correlation = correlation_of(covariance)
    undefined = ~(np.diag(covariance) > 0)
    correlation[undefined, :] = correlation[:, undefined] = np.nan
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        known = {
            f"correlation[{other}]": float(value) if np.isfinite(value) else None
            for other, value in zip(names, correlation[i], strict=True)
        }
        rows.append({"result": name} | known)
    columns = [text_column("correlation of", "result")]
    columns += [number_column(f"with {name}", f"correlation[{name}]", _correlation_text, short=name) for name in names]
    return Table(name="correlation", title="Correlations of the results.", rows=rows, columns=columns)


def _correlation_text(value: float | None) -> str:
    if value is None:
        return "none"
    if round(value, 12) == 1:
        return f"{1:.{CORRELATION_PLACES}f}"
    shown = f"{value:+.{CORRELATION_PLACES}f}"
    return shown[1:] if float(shown) == 0 else shown


def weights_table(
    fit: ProfileResult,
    parameters: Sequence[str],
    *,
    pulls: Mapping[str, float | None] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """Weight of each estimate in each result.

    Args:
        fit: of :func:`bayescomb.profile`.
        parameters: results to show.
        titles: estimate -> what a page calls it; its title or name by default.
        pulls: estimate -> (measured - fitted) / error of this difference, ``None`` where there is none; left out by default.

    Examples:
        >>> import bayescomb as bc
        >>> print(weights_table(bc.profile(bc.load("models/run1_mass").only(["ATLAS"])), ["m_t"]).text.splitlines()[0])
        estimate                        m_t
    """
    rows: list[dict[str, Any]] = []
    for estimate, weights in zip(fit.combination.estimates, fit.weights_of(parameters).T.tolist(), strict=True):
        row: dict[str, Any] = {"estimate": estimate.name, "title": estimate.title}
        row |= {f"weight[{p}]": weight for p, weight in zip(parameters, weights, strict=True)}
        rows.append(row | ({} if pulls is None else {"pull": pulls[estimate.name]}))
    columns = [
        Column(title="estimate", show=lambda row: f"{row['estimate']}  {row['title']}".rstrip(), text=True, only="terminal"),
        Column(
            title="estimate",
            show=lambda row: (titles or {}).get(row["estimate"], row["title"] or row["estimate"]),
            text=True,
            only="page",
        ),
    ]
    units = {o.name: o.unit for o in (*fit.combination.observables, *fit.combination.results)}
    of_data = {units.get(name, "") for e in fit.combination.estimates for name, factor in e.observables.items() if factor}
    for p in parameters:
        places = weight_places(row[f"weight[{p}]"] for row in rows)
        # Where all estimates have the unit of the result a weight has none; else it is per unit of each estimate.
        unit = "" if of_data <= {units.get(p, "")} else f"{units.get(p, '') or 1} per unit of the estimate"
        columns.append(fixed_column(with_unit(f"weight in {p}", unit), f"weight[{p}]", places, sign=True, short=p))
    columns += [] if pulls is None else [fixed_column("pull", "pull", PULL_PLACES, sign=True)]
    of_linearised = "" if fit.combination.quadratic else ", in the linearised model with relative sizes at the fitted values"
    title = (
        "Weights of the estimates in the profile at nominal coefficients: derivative of the combined value by the measured "
        f"one{of_linearised}. Pull: (measured - fitted) / uncertainty of this difference; not given for inputs that come "
        "from a fit, nor where nothing else measures the same."
    )
    return Table(name="weights", title=title, rows=rows, columns=columns)

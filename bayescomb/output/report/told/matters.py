"""Sentences of the report: its main points in five lines, and one line for each folded section."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from bayescomb.base.rounding import (
    chi2_text,
    coefficient_text,
    counted,
    fine_text,
    fine_unit,
    p_value_text,
    percent_text,
    rounded_like,
    with_error,
)
from bayescomb.inputs.observables import Observable
from bayescomb.output.report.results import Results
from bayescomb.output.tables.impacts import impact_table
from bayescomb.output.tables.table import Table
from bayescomb.output.words import typeset

__all__ = ["POOR_FIT", "input_titles", "matters", "said", "shift_reason"]

# Largest number of results in the lines; the others are in the tables.
SPOKEN: Final = 3
LARGEST: Final = 3
# A p-value below this is called poor.
POOR_FIT: Final = 0.05


def matters(results: Results) -> list[tuple[str, str]]:
    """The main points of a report: heading and sentence of each line."""
    free = [p for p in results.parameters if p.name not in results.fit.at_bound][:SPOKEN]
    lines = [("Unknown correlations", " ".join(_unknown(results, p) for p in free))]
    lines.append(("Largest sources", " ".join(_sources(results, p) for p in free)))
    lines.append(("Agreement", _agreement(results)))
    lines.append(("Experiments", " ".join(_experiments(results, p) for p in free)))
    if results.theory is not None:
        lines.append(("Theory", _theory(results)))
    else:
        lines.append(("Assumptions", " ".join(_assumptions(results, p) for p in free)))
    return [(heading, " ".join(text.split())) for heading, text in lines if text.strip()]


def _unknown(results: Results, parameter: Observable) -> str:
    comparison = results.comparison
    if comparison is None or not comparison.shared:
        return _scanned(results, parameter)
    row = results.compared(parameter)
    if not np.isfinite(row["sd"]) or results.usable is None or not results.usable.coefficients:
        return _scanned(results, parameter)
    fine = fine_unit(row["sd"], parameter.unit)
    number = counted(len(results.usable.coefficients), "correlation coefficients")
    share = percent_text(row["coefficient_share"], row["coefficient_share_mcse"])
    whole = (row["mean_of_variance"] + row["variance_of_mean"]) ** 0.5
    text = (
        f"Not knowing the {number} costs {parameter.name} {fine_text(row['variance_of_mean'] ** 0.5, fine)} of "
        f"{fine_text(whole, fine)}, in quadrature: ({share}) % of its variance."
    )
    return f"{text} {shift_reason(results, parameter)}"


def _scanned(results: Results, parameter: Observable) -> str:
    """Without a posterior: the coefficient whose range moves the result most."""
    error = results.error(parameter)
    shifts = [
        (abs(float(row.half_shift.sel(parameter=parameter.name))), row.title or row.name)
        for row in results.scan.rows
        if row.half_shift is not None
    ]
    if not shifts:
        return f"No coefficient with a range moves {parameter.name}."
    size, name = max(shifts)
    fine = fine_unit(error, parameter.unit)
    return (
        f"One coefficient at a time over its range moves {parameter.name} by ± {fine_text(size, fine)} at most "
        f"({typeset(name)}), of an uncertainty of {fine_text(error, fine)}."
    )


def shift_reason(results: Results, parameter: Observable, *, short: bool = False) -> str:
    """Why the posterior mean differs from the value at nominal coefficients; empty if there is no shift to explain.

    Args:
        results: what is reported.
        parameter: one of its results.
        short: the reason alone, without the shift.
    """
    found = results.mean_shifts.get(parameter.name)
    if found is None:
        return ""
    fine = fine_unit(found.sd, parameter.unit)
    text = f"Sampling them moves the mean by {fine_text(found.shift, fine, sign=True)}"
    if not found.coefficient:
        return "" if short else f"{text}{' from the value at nominal coefficients' if found.significant else ''}."
    return (
        f"{'' if short else f'{text}, '}most of it by {typeset(found.coefficient)}: its prior has the mean "
        f"{coefficient_text(found.prior_mean)}, the nominal value is {coefficient_text(found.nominal)}, and the result "
        f"moves by {fine_text(found.slope, fine, sign=True)} per unit of the coefficient."
    )


def _sources(results: Results, parameter: Observable) -> str:
    rows = impact_table(results.impacts, [parameter.name]).rows
    key = f"impact[{parameter.name}]"
    error = float(results.impacts.total.sel(parameter=parameter.name))
    sources = [row for row in rows if row["kind"] in {"source", "nuisance", "size"}][:LARGEST]
    if not sources:
        return ""
    named = ", ".join(f"{typeset(row['title'])} {rounded_like(row[key], error)}" for row in sources)
    parts = results.fit.error_parts(parameter.name)
    whole = ", ".join(f"{label} {rounded_like(part, error)}" for label, part in parts.items())
    unit = f" {parameter.unit}" if parameter.unit else ""
    return f"{parameter.name}: {named}{unit}; in all {whole}, total {rounded_like(error, error)}{unit}."


def input_titles(results: Results) -> dict[str, str]:
    """Measurement -> the title of its only estimate, or its name."""
    return {
        m.name: typeset((m.estimates[0].title or m.name) if len(m.estimates) == 1 else m.name)
        for m in results.combination.measurements
    }


def _agreement(results: Results) -> str:
    fit = results.fit
    if fit.p_value is None or not math.isfinite(fit.chi2):
        return "Nothing is left to test: there are as many parameters as estimates."
    verdict = "a poor fit" if fit.p_value < POOR_FIT else "the inputs agree"
    text = f"χ² = {chi2_text(fit.chi2)} for {counted(fit.ndf, 'degrees of freedom')}, p-value {p_value_text(fit.p_value)}: "
    text += f"{verdict}."
    tested = [c for c in results.compatibility if c.p_value is not None]
    if len(tested) > 1:
        least = min(tested, key=lambda c: 1.0 if c.p_value is None else c.p_value)
        text += f" {input_titles(results)[least.name]} agrees least with the rest, p-value {p_value_text(least.p_value)}, "
        text += f"the smallest of {len(tested)}."
    return text


def _experiments(results: Results, parameter: Observable) -> str:
    found = {
        name: (float(fit.values.sel(parameter=parameter.name)), float(fit.errors.sel(parameter=parameter.name)))
        for name, fit in results.experiments.items()
        if parameter.name in fit.values["parameter"] and parameter.name not in fit.at_bound
    }
    if not found:
        return ""
    error = results.error(parameter)
    alone = ", ".join(f"{name} {with_error(*numbers, unit=parameter.unit)}" for name, numbers in found.items())
    best = min(size for _, size in found.values())
    gain = 100 * (1 - error / best)
    return f"{parameter.name} alone: {alone}. The uncertainty of all is {gain:.0f} % below that of the best alone."


def _assumptions(results: Results, parameter: Observable) -> str:
    """Shift of the result under each of the other assumption sets."""
    fine = fine_unit(results.error(parameter), parameter.unit)
    value = float(results.fit.values.sel(parameter=parameter.name))
    found = [
        (float(row.fit.values.sel(parameter=parameter.name)) - value, row.name)
        for row in results.sets
        if row.fit is not None
        and row.name != results.combination.assumptions
        and parameter.name in row.fit.values["parameter"]
    ]
    if not found:
        return ""
    moved = ", ".join(f"{name} {fine_text(shift, fine, sign=True)}" for shift, name in found)
    return f"{parameter.name} under the other assumption sets, against {results.combination.assumptions}: {moved}."


def _theory(results: Results) -> str:
    """Theory's part of the uncertainty, and the shifts by scales that are held fixed."""
    assert results.theory is not None
    first = results.parameters[0]
    error = results.error(first)
    part = results.fit.error_parts(first.name).get("theory")
    text = "" if part is None else f"Theory is {rounded_like(part, error)} {first.unit} of the uncertainty of {first.name}"
    extraction = results.combination.extraction_in_force
    shifts = [row.shift for row in results.theory.envelope if row.mass == first.name and row.shift is not None]
    if extraction is not None and extraction.scales.treatment == "fixed" and shifts:
        ends = " to ".join(rounded_like(end, error, sign=True) for end in (min(shifts), max(shifts)))
        text += f", without the scales, which are held: the seven points of their variation move it by {ends} {first.unit}"
    return f"{text}."


def said(results: Results, tables: Mapping[str, Table]) -> dict[str, str]:
    """Identifier of a section -> the line below its title, empty where the title is enough.

    Args:
        results: what is reported.
        tables: of the page, by name.
    """
    fit, combination, run = results.fit, results.combination, results.run
    coefficients = combination.assumption_set.coefficients
    indefinite = len(results.check.indefinite)
    lines = {
        "summary": "Values, uncertainties, intervals and density.",
        "coefficient-share": _cost(results),
        "sets": f"{counted(len(results.sets), 'assumption sets')}, each experiment and all.",
        "impacts": _largest(results),
        "scan": _scan(results),
        "extraction": "Measured and predicted bins, other PDF sets and scales, rate and shape, interpolation.",
        "shares": "Statistics, groups of sources, theory and coefficients.",
        "inputs": f"{counted(len(combination.estimates), 'estimates')}, {counted(len(combination.sources), 'sources')}"
        + (f"; {counted(indefinite, 'source matrices')} not positive semidefinite." if indefinite else "."),
        "weights": "What each estimate contributes, and its pull.",
        "coefficients": f"{counted(len(coefficients), 'coefficients')}, {sum(c.varied for c in coefficients)} with a range.",
        "pulls": f"{counted(len(results.nuisances), 'nuisances')}, the largest pulls first.",
        "diagnostics": "Nothing was sampled." if results.verdict is None else f"{results.verdict.sentence}.",
        "sensitivity": f"{counted(len(tables['sensitivity'].rows), 'changes')} of a prior.",
        "predictive": "The measured values on what the model expects.",
        "fit": _fit(results),
        "averages": "Breakdown by source, weights of information, results without each input and of each experiment.",
        "methods": "",
        "provenance": "" if run is None else f"Seed {run.seed}.",
    }
    if fit.repairs:
        lines["inputs"] += f" {counted(len(fit.repairs), 'source matrices')} repaired."
    return lines


def _cost(results: Results) -> str:
    comparison = results.comparison
    if comparison is None or not comparison.shared:
        return "" if results.run is not None else "This report has no posterior."
    row = results.compared(results.parameters[0])
    share = percent_text(row["coefficient_share"], row["coefficient_share_mcse"])
    return f"({share}) % of the variance of {results.parameters[0].name}."


def _largest(results: Results) -> str:
    for parameter in results.parameters:
        found = [row for row in results.rankings.get(parameter.name, []) if not row.group]
        if found:
            error = results.error(parameter)
            size = rounded_like(abs(found[0].post_fit), error)
            unit = f" {parameter.unit}" if parameter.unit else ""
            return f"{typeset(found[0].label)} moves {parameter.name} most, by {size}{unit} per post-fit width."
    return "Sources of the uncertainty."


def _scan(results: Results) -> str:
    rows = results.scan.rows
    if not rows:
        return "No coefficient has a range."
    infeasible = sum(row.half_shift is None for row in rows)
    text = f"{counted(len(rows), 'coefficients')} over their ranges"
    return f"{text}, {infeasible} of them nowhere feasible." if infeasible else f"{text}."


def _fit(results: Results) -> str:
    fit = results.fit
    if fit.p_value is None:
        return "Nothing is left to test."
    poor = ": a poor fit" if fit.p_value < POOR_FIT else ""
    freedom = counted(fit.ndf, "degrees of freedom")
    return f"χ² = {chi2_text(fit.chi2)} for {freedom}, p-value {p_value_text(fit.p_value)}{poor}."

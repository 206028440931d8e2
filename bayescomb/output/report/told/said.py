"""What a folded section of the page says in one line: its number, so that a reader knows whether to open it."""

from __future__ import annotations

from collections.abc import Mapping

from bayescomb.base.rounding import chi2_text, counted, p_value_text, percent_text, rounded_like
from bayescomb.output.report.results import Results
from bayescomb.output.report.told.matters import POOR_FIT
from bayescomb.output.tables.table import Table
from bayescomb.output.words import typeset

__all__ = ["said"]


def said(results: Results, tables: Mapping[str, Table]) -> dict[str, str]:
    """Identifier of a section -> its line, empty where the title says all.

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
    row = comparison.table.sel(parameter=results.parameters[0].name)
    share = percent_text(float(row["coefficient_share"]), float(row["coefficient_share_mcse"]))
    return f"({share}) % of the variance of {results.parameters[0].name}."


def _largest(results: Results) -> str:
    for parameter in results.parameters:
        found = [row for row in results.rankings.get(parameter.name, []) if not row.group]
        if found:
            error = float(results.fit.errors.sel(parameter=parameter.name))
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

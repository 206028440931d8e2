"""The text of the page: banner, headlines and the numbers inside sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from markupsafe import Markup, escape

from bayescomb.base.rounding import (
    at_bound_text,
    chi2_text,
    counted,
    fine_text,
    fine_unit,
    interval_text,
    p_value_text,
    percent_text,
    pull_text,
    rounded_like,
    signed_errors,
    significant,
    with_error,
)
from bayescomb.inputs.assumptions import AssumptionSet
from bayescomb.output.report.results import Results
from bayescomb.output.report.told.matters import POOR_FIT, matters, said, shift_reason
from bayescomb.output.statements import beyond_notes, bound_notes, extraction_sentence, notes, page_settings, versions_text
from bayescomb.output.tables.table import Table
from bayescomb.output.text_layout import mean_or_median
from bayescomb.output.words import split_symbol, typeset

__all__ = ["page_context", "symbol", "symbols"]

SYMBOL: Final = re.compile(r"(?<!\w)([^\W\d_])_([A-Za-z0-9]+)(?!\w)")

# More parameters than this are in tables only.
MAX_SENTENCES: Final = 3
# Sections of the page in their order, with their titles in the contents.
CONTENTS: Final = (
    ("result", "Result"), ("matters", "What matters"), ("summary", "Profile and posterior"),
    ("coefficient-share", "Unknown correlations"), ("sets", "Assumption sets"), ("impacts", "Ranking"), ("scan", "Scan"),
    ("extraction", "Theory"), ("shares", "Variance"), ("inputs", "Inputs"), ("weights", "Weights"),
    ("coefficients", "Coefficients"), ("pulls", "Pulls"), ("diagnostics", "Diagnostics"),
    ("sensitivity", "Prior sensitivity"),
    ("predictive", "Predictive"), ("fit", "Goodness of fit"), ("averages", "Average"),
    ("methods", "Methods"), ("provenance", "Provenance"),
)  # fmt: skip
# Section -> the table without which it is left out.
NEEDS: Final = {
    "sets": "assumption_sets", "shares": "variance_shares", "sensitivity": "sensitivity", "predictive": "predictive",
    "extraction": "interpolation",
}  # fmt: skip


def symbol(name: str) -> Markup:
    """A name as HTML, in italics with an index where it reads like one.

    Examples:
        >>> str(symbol("m_t")), str(symbol("<x>"))
        ('<i>m</i><sub>t</sub>', '&lt;x&gt;')
    """
    found = split_symbol(name)
    return escape(name) if found is None else _italic(*found)


def _italic(letter: str, index: str) -> Markup:
    return Markup("<i>{}</i><sub>{}</sub>").format(letter, index)


def symbols(text: str) -> Markup:
    """A text of the page: Greek letters as such, names like ``m_t`` in italics with an index.

    Examples:
        >>> str(symbols("shift of m_t < 1"))
        'shift of <i>m</i><sub>t</sub> &lt; 1'
    """
    parts = SYMBOL.split(typeset(text))
    # Text, letter, index, text, ...
    found = [escape(parts[0])]
    for letter, index, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found += [_italic(letter, index), escape(rest)]
    return Markup("").join(found)


def page_context(results: Results, tables: Mapping[str, Table]) -> dict[str, Any]:
    """Variables of the template besides tables and figures.

    Args:
        results: what is reported.
        tables: of the page, by name.
    """
    combination, fit, judged, run = results.combination, results.fit, results.verdict, results.run
    varied = [c for c in combination.assumption_set.coefficients if c.varied]
    return {
        "contents": [(key, title) for key, title in CONTENTS if key not in NEEDS or tables[NEEDS[key]].rows],
        "matters": matters(results),
        "said": said(results, tables),
        "draws_note": _draws_note(results),
        "uncorrelated": any(not any(c.nominal or c.varied for c in s.coefficients) for s in _sets(results)),
        "indefinite": len(results.check.indefinite),
        "source_blocks": counted(len(results.check.block_statements), "blocks of correlated nuisances"),
        "fitted": any(m.fit is not None for m in combination.measurements),
        "free": sum(n.free for n in combination.nuisances),
        "combination": combination,
        "assumption_set": combination.assumption_set,
        "banner": _banner(results),
        "has_posterior": run is not None,
        "usable": results.usable is not None,
        "verdict": judged,
        "bfmi": [pull_text(value) for value in results.missing_information],
        "predictive": _predictive(results),
        "sampled": _sampled(results, "coefficient", "sampled correlation coefficients"),
        "sizes": _sampled(results, "uncertain_size", "sources"),
        "correlations": "nominal" if run is None else run.correlations,
        "held": () if run is None else run.held_coefficients,
        "posterior_repairs": () if run is None else run.repairs,
        "priors": sorted({c.prior for c in varied}),
        "headlines": _headlines(results),
        "bounds": [*bound_notes(fit), *beyond_notes(results.beyond)],
        "costs": _costs(results),
        "caveats": notes(combination),
        "extraction": extraction_sentence(combination),
        "poor": fit.p_value is not None and fit.p_value < POOR_FIT,
        "linear": combination.linear,
        "own_chi2": chi2_text(fit.own_chi2) if fit.own_chi2 and math.isfinite(fit.own_chi2) else "",
        "curved": not combination.quadratic,
        "normalised": combination.normalise,
        "few": len(results.parameters) <= MAX_SENTENCES,
        "feasible_blocks": sum(s.status == "box" for s in results.check.block_statements),
        "blocks": len(results.check.block_statements),
        "definition": results.impacts.definition,
        "chi2": {
            "form": fit.chi2_form,
            "value": chi2_text(fit.chi2) if math.isfinite(fit.chi2) else "undefined",
            "freedom": counted(fit.ndf, "degrees of freedom"),
            "p_value": None if fit.p_value is None else p_value_text(fit.p_value),
        },
    }


def _sets(results: Results) -> list[AssumptionSet]:
    return [results.combination.assumption_sets[row.name] for row in results.sets]


def _draws_note(results: Results) -> str:
    """Why the standard deviation of the draws of the first result differs from the quoted one."""
    usable, drawn = results.usable, results.first_draws
    if usable is None or drawn is None:
        return ""
    parameter = results.parameters[0]
    found = usable.results[parameter.name]
    fine = fine_unit(found.sd, parameter.unit)
    return (
        f"The standard deviation of {parameter.name}, {fine_text(found.sd, fine)}, is that of the average of the exact "
        f"Gaussians that every draw of the coefficients leaves. The draws have {fine_text(drawn.sd, fine)} with a "
        f"Monte Carlo error of {fine_text(drawn.mcse_sd, fine)}: the same number with more noise."
    )


def _sampled(results: Results, dim: str, things: str) -> str:
    """Number of these variables in the posterior in words, empty if there are none."""
    number = int(results.usable.draws.sizes.get(dim, 0)) if results.usable is not None else 0
    return counted(number, things) if number else ""


def _predictive(results: Results) -> dict[str, str] | None:
    """Chi2 of the data in the posterior predictive distribution."""
    table = results.predictive
    if table is None:
        return None
    return {
        "chi2": chi2_text(float(table["chi2"])),
        "size": counted(int(table["size"]), "estimates"),
        "p_value": p_value_text(float(table["chi2_p_value"])),
        "covariance": str(table.attrs["covariance"]),
    }


def _banner(results: Results) -> dict[str, Any]:
    """First line of the page: its settings, and the state ``passed``, ``failed`` or ``profile``."""
    combination, run, judged = results.combination, results.run, results.verdict
    packages = ("bayescomb", *(() if run is None else ("pymc", "arviz")))
    found = versions_text({} if run is None else run.versions, *packages)
    if judged is None:
        state, verdict = "profile", "profile likelihood only, nothing was sampled"
    else:
        state, verdict = ("passed" if judged.passed else "failed"), judged.sentence
    return {
        "state": state,
        "verdict": verdict,
        "facts": [
            *page_settings(combination),
            ("correlations", "nominal" if run is None else run.correlations),
            ("versions", found),
            ("seed", "none" if run is None else run.seed),
            *([("model", "extended by its user")] if run is not None and run.extended else []),
        ],
    }


def _headlines(results: Results) -> list[dict[str, str]]:
    """The result of each parameter in one line."""
    lines = []
    combination = results.combination
    symmetric = combination.parabolic
    for parameter in results.parameters:
        at = {"parameter": parameter.name}
        fit = results.fit
        value, error = float(fit.values.sel(at)), float(fit.errors.sel(at))
        up, down = float(fit.up_errors.sel(at)), float(fit.down_errors.sel(at))
        held = parameter.name in fit.at_bound
        line = {
            "name": parameter.name,
            "title": parameter.title,
            "profile": at_bound_text(up, unit=parameter.unit) if held else with_error(value, error, unit=parameter.unit),
            "asymmetric": "" if held or symmetric or (up, down) == (error, -error) else signed_errors(up, down, error=error),
            "parts": "" if held else _parts(results, parameter.name, error),
            "posterior": "",
            "monte_carlo": "",
            "interval": "",
        }
        if results.comparison is not None:
            row = results.compared(parameter)
            line["monte_carlo"] = significant(row["mcse_mean"], 2) if row["mcse_mean"] > 0 else ""
            digits = row["sd"] if np.isfinite(row["sd"]) else (row["central_high"] - row["central_low"]) / 2
            line["posterior"] = mean_or_median(row, unit=parameter.unit)
            line["interval"] = interval_text(row["hdi_low"], row["hdi_high"], error=digits, unit=parameter.unit)
        lines.append(line)
    return lines


def _parts(results: Results, name: str, error: float) -> str:
    """The parts of an error, with theory in an extraction."""
    parts = results.fit.error_parts(name)
    return " ± ".join(f"{rounded_like(part, error)} ({label})" for label, part in parts.items())


def _costs(results: Results) -> list[dict[str, str]]:
    """Contribution of the unknown coefficients to the uncertainty of each parameter."""
    if results.comparison is None or not results.comparison.shared:
        return []
    costs = []
    for parameter in results.parameters:
        row = results.compared(parameter)
        if not np.isfinite(row["sd"]):  # only quantiles are given
            continue
        fine = fine_unit(row["sd"], parameter.unit)
        costs.append(
            {
                "name": parameter.name,
                "share": percent_text(row["coefficient_share"], row["coefficient_share_mcse"]),
                "sd": fine_text(row["sd"], fine),
                "sd_error": fine_text(row["mcse_sd"], fine),
                "given": fine_text(row["mean_of_variance"] ** 0.5, fine),
                "coefficients": fine_text(row["variance_of_mean"] ** 0.5, fine),
                "shift": fine_text(row["shift_of_mean"], fine, sign=True),
                "shift_error": fine_text(row["shift_of_mean_mcse"], fine),
                "reason": shift_reason(results, parameter, short=True),
            }
        )
    return costs

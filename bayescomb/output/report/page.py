"""The words of the page: banner, headlines and the numbers inside sentences."""

from __future__ import annotations

import importlib.metadata
import json
import math
import re
from typing import Any, Final

import arviz as az
import numpy as np
from markupsafe import Markup, escape

from bayescomb.base.rounding import (
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
from bayescomb.output.report.results import Results, mean_shift
from bayescomb.output.statements import extraction_sentence, notes, treatment_sentence, uncertain_sizes_text

__all__ = ["page_context", "symbol"]

# More parameters than this are in tables only.
MAX_SENTENCES: Final = 3


# A p-value below this is called poor.
POOR_FIT: Final = 0.05


def symbol(name: str) -> Markup:
    """A name as HTML, in italics with an index where it reads like one.

    Examples:
        >>> str(symbol("m_t")), str(symbol("<x>"))
        ('<i>m</i><sub>t</sub>', '&lt;x&gt;')
    """
    found = re.fullmatch(r"([A-Za-z])_([A-Za-z0-9]+)", name)
    if found is None:
        return escape(name)
    return Markup("<i>{}</i><sub>{}</sub>").format(found[1], found[2])


def page_context(results: Results) -> dict[str, Any]:
    """Everything of the page that is neither a table nor a figure."""
    combination, fit, judged = results.combination, results.fit, results.verdict
    varied = [c for c in combination.assumption_set.coefficients if c.varied]
    return {
        "combination": combination,
        "assumption_set": combination.assumption_set,
        "banner": _banner(results),
        "has_posterior": results.tree is not None,
        "usable": results.draws is not None,
        "verdict": judged,
        "bfmi": _bfmi(results),
        "predictive": _predictive(results),
        "sampled": _sampled(results, "coefficient", "sampled correlation coefficients"),
        "sizes": _sampled(results, "uncertain_size", "sources"),
        "correlations": str(results.attrs.get("correlations", "nominal")),
        "held": json.loads(results.attrs.get("held_coefficients", "[]")),
        "posterior_repairs": json.loads(results.attrs.get("repairs", "[]")),
        "priors": sorted({c.prior for c in varied}),
        "headlines": _headlines(results),
        "costs": _costs(results),
        "caveats": notes(combination),
        "extraction": extraction_sentence(combination),
        "poor": fit.p_value is not None and fit.p_value < POOR_FIT,
        "linear": combination.quadratic and not combination.normalise,
        "compatibility": [
            {
                "name": c.measurement,
                "chi2": "not known" if c.chi2 is None else chi2_text(c.chi2),
                "ndf": c.ndf,
                "p_value": p_value_text(c.p_value),
            }
            for c in results.compatibility
        ],
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


def _sampled(results: Results, dim: str, things: str) -> str:
    """How many of these were sampled, empty if none."""
    number = int(results.draws.sizes.get(dim, 0)) if results.draws is not None else 0
    return counted(number, things) if number else ""


def _bfmi(results: Results) -> list[str]:
    """Fraction of missing information on the energy of each chain (E-BFMI); low values mean that tails are not reached."""
    if results.tree is None or "energy" not in results.tree["sample_stats"]:
        return []
    return [pull_text(float(value)) for value in np.ravel(az.bfmi(results.tree)["energy"].to_numpy())]


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
    """The facts of the first line; ``state`` is ``passed``, ``failed`` or ``profile``."""
    combination, attrs, judged = results.combination, results.attrs, results.verdict
    kinds: dict[str, list[str]] = {}
    for provenance in combination.provenance:
        kinds.setdefault(provenance.kind, []).append(provenance.table)
    inputs = "; ".join(f"{kind}: {', '.join(tables)}" for kind, tables in kinds.items()) or "provenance not stated"
    versions = json.loads(attrs.get("versions", "{}"))
    packages = ["bayescomb", *(["pymc", "arviz"] if attrs else [])]
    found = [f"{name} {versions.get(name) or importlib.metadata.version(name)}" for name in packages]
    treatment = treatment_sentence(combination)
    chi2: str = combination.chi2
    if combination.nuisance_values == "ignored":
        chi2 += ", post-fit nuisance values ignored"
    chi2 += uncertain_sizes_text(combination)
    if combination.normalise:
        chi2 += ", normalised to the sum of the observables"
    if judged is None:
        state, verdict = "profile", "profile likelihood only, nothing was sampled"
    else:
        state, verdict = ("passed" if judged.passed else "failed"), judged.sentence
    return {
        "state": state,
        "verdict": verdict,
        "facts": [
            ("assumption set", combination.assumptions),
            ("treatment", treatment),
            ("χ²", chi2),
            ("correlations", attrs.get("correlations", "nominal")),
            ("inputs", inputs),
            ("versions", ", ".join(found)),
            ("seed", attrs.get("seed", "none")),
            *([("model", "extended by its user")] if attrs.get("extended") else []),
        ],
    }


def _headlines(results: Results) -> list[dict[str, str]]:
    """The result of each parameter in one line."""
    lines = []
    for parameter in results.parameters:
        at = {"parameter": parameter.name}
        fit = results.fit
        value, error = float(fit.values.sel(at)), float(fit.errors.sel(at))
        line = {
            "name": parameter.name,
            "title": parameter.title,
            "profile": with_error(value, error, unit=parameter.unit),
            "asymmetric": ""
            if results.combination.quadratic and not results.combination.extraction
            else signed_errors(float(fit.up_errors.sel(at)), float(fit.down_errors.sel(at)), error=error),
            "parts": _parts(results, parameter.name, error),
            "posterior": "",
            "monte_carlo": "",
            "interval": "",
        }
        if results.comparison is not None:
            row = {str(k): float(v.sel(at)) for k, v in results.comparison.table.data_vars.items()}
            line["monte_carlo"] = significant(row["mcse_mean"], 2) if row["mcse_mean"] else ""
            line["posterior"] = with_error(row["mean"], row["sd"], unit=parameter.unit)
            line["interval"] = interval_text(row["hdi_low"], row["hdi_high"], error=row["sd"], unit=parameter.unit)
        lines.append(line)
    return lines


def _parts(results: Results, name: str, error: float) -> str:
    """The parts of an error, of an extraction with that of theory."""
    parts = results.fit.error_parts(name)
    return " ± ".join(f"{rounded_like(part, error)} ({label})" for label, part in parts.items())


def _costs(results: Results) -> list[dict[str, str]]:
    """What not knowing the coefficients costs each parameter."""
    if results.comparison is None or not results.comparison.shared:
        return []
    costs = []
    for parameter in results.parameters:
        row = {str(k): float(v.sel(parameter=parameter.name)) for k, v in results.comparison.table.data_vars.items()}
        fine = fine_unit(row["sd"], parameter.unit)
        shift, shift_error = mean_shift(results, parameter.name)
        costs.append(
            {
                "name": parameter.name,
                "share": percent_text(row["coefficient_share"], row["coefficient_share_mcse"]),
                "sd": fine_text(row["sd"], fine),
                "sd_error": fine_text(row["mcse_sd"], fine),
                "given": fine_text(row["mean_of_variance"] ** 0.5, fine),
                "coefficients": fine_text(row["variance_of_mean"] ** 0.5, fine),
                "shift": fine_text(shift, fine, sign=True),
                "shift_error": fine_text(shift_error, fine),
            }
        )
    return costs

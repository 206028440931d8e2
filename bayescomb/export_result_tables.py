"""Tables of the combined results: values with the parts of their errors, covariance, posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import xarray as xr

from bayescomb.export_tables import ExportColumn, Part, Tables, difference_names, numbers, result_parts
from bayescomb.inputs import Combination
from bayescomb.measurements import unsplit_label
from bayescomb.parts import PARTS_CLAUSE
from bayescomb.summary import HDI_KIND

__all__ = ["VALUE", "add_result_tables"]

# Headings that whoever reads the tables again asks for.
VALUE: Final = "value"
TOTAL: Final = "total error"

PARTS: Final = {"stat": "statistical_error", "syst": "systematic_error", "theory": "theory_error"}


def add_result_tables(tables: Tables, combination: Combination, groups: Mapping[str, xr.Dataset]) -> None:
    """Add the tables of all results.

    Args:
        tables: where they go.
        combination: what was combined.
        groups: of :func:`bayescomb.export_groups.export_groups`, with those of the posterior if there is one.
    """
    extraction = combination.extraction_in_force
    used = extraction.distributions if extraction is not None else {}
    energies = tuple(sorted({1000 * p.energy_tev for p in combination.predictions if p.name in used}))
    if "combined" in groups:
        _add_profile(tables, combination.with_extraction(""), groups["combined"], ())
    results = groups["results"]
    parts = _add_profile(tables, combination, results, energies)
    if "unnormalised" in groups:
        for part in result_parts(combination, groups["unnormalised"]):
            own = groups["unnormalised"].sel(parameter=list(part.parameters))
            _add_values(tables, combination, part, own, part.energies or energies, before=" before normalisation")
    if "posterior" not in groups:
        return
    posterior = groups["posterior"]
    for part in parts:
        _add_posterior(tables, part, posterior.sel(parameter=list(part.parameters)), part.energies or energies)
    text = "posterior, from its draws"
    _add_correlation(tables, combination, posterior, "Posterior correlation of results", text)


def _add_profile(
    tables: Tables, combination: Combination, results: xr.Dataset, energies: tuple[float, ...]
) -> tuple[Part, ...]:
    """Values, covariances and the correlation of everything in one profile."""
    parts = result_parts(combination, results)
    for part in parts:
        at = part.energies or energies
        _add_values(tables, combination, part, results.sel(parameter=list(part.parameters)), at)
        _add_covariance(tables, combination, part, results, at)
    kind = "results" if combination.extraction else "combined results"
    _add_correlation(tables, combination, results, f"Correlation of {kind}", "profile likelihood")
    return parts


def _add_values(
    tables: Tables,
    combination: Combination,
    part: Part,
    results: xr.Dataset,
    energies: tuple[float, ...],
    *,
    before: str = "",
) -> None:
    extracted = combination.extraction_in_force is not None
    label = unsplit_label(combination.measurements)
    shown = {label: key for label, key in PARTS.items() if label != "theory" or extracted}
    meaning = "'stat' from the statistical covariances, 'syst' from all nuisances"
    if label and bool(np.isnan(results["statistical_error"]).all()):
        shown = {name: key for name, key in shown.items() if name == "theory"}
        meaning = "'total' from the total covariances of the inputs, of which no part is known"
    elif label:
        meaning += f", '{label}' from those of which only the total covariance is known"
    shown |= {label: "undivided_error"} if label else {}
    meaning += ", 'theory' from the theory nuisances of the extraction" if extracted else ""
    up, down, error = (numbers(results[key]) for key in ("up_error", "down_error", "error"))
    columns = [
        ExportColumn(
            name=VALUE,
            unit=part.unit,
            values=numbers(results["value"]),
            errors={label: numbers(results[key]) for label, key in shown.items()},
            qualifiers=part.qualifiers,
        ),
        ExportColumn(name=TOTAL, unit=part.unit, values=error, qualifiers=part.qualifiers),
    ]
    text = (
        f"Maximum-likelihood values{before} of {', '.join(part.parameters)}, correlation coefficients at nominal. Errors: "
        f"{meaning}: {PARTS_CLAUSE[str(results.attrs['parts'])]}. The total error is that of the model linearised at the "
        "minimum."
    )
    alone = [str(name) for name in results["parameter"].to_numpy()[results["spectator"].to_numpy() == 1]]
    text += f" Spectators, measured by one input and by nothing else: {', '.join(alone)}." if alone else ""
    if up != error or down != [-e if e is not None else None for e in error]:
        for name, values in (("upward error", up), ("downward error", down)):
            heading = f"{name} (Delta chi2 = 1)"
            columns.append(ExportColumn(name=heading, unit=part.unit, values=values, qualifiers=part.qualifiers))
        text += " Upward and downward errors are where chi2 has grown by 1."
    if "bartlett" in results:
        for direction, key in (("upward", "corrected_up_error"), ("downward", "corrected_down_error")):
            name, values = f"{direction} error, corrected", numbers(results[key])
            columns.append(ExportColumn(name=name, unit=part.unit, values=values, qualifiers=part.qualifiers))
        columns.append(ExportColumn(name="Bartlett factor", values=numbers(results["bartlett"])))
        text += (
            " Sizes of sources are uncertain: chi2 is -2 log L of the gamma variance model, 'syst' includes what not "
            "knowing the sizes adds, and the corrected errors are where it has grown by the Bartlett factor."
        )
    if extracted and set(part.parameters) <= {o.name for o in combination.observables}:
        text += " These are the observables of the fit with the prediction of the extraction, which draws them."
    elif any(p.name == part.name.removeprefix("Combined ") for p in combination.predictions):
        text += " No prediction has a part in them."
    tables.add(f"{part.name}{before}", text, [part.labels()], [*columns, *part.names], energies=energies, of=combination)


def _add_covariance(
    tables: Tables, combination: Combination, part: Part, results: xr.Dataset, energies: tuple[float, ...]
) -> None:
    names = list(part.parameters)
    values = numbers(results["covariance"].sel(parameter=names, parameter_b=names))
    unit = f"{part.unit}^2" if part.unit else ""
    column = ExportColumn(name="covariance", unit=unit, values=values, qualifiers=part.qualifiers)
    text = f"Total covariance of {', '.join(names)} in the profile likelihood, all entries of the matrix."
    tables.add(f"Covariance of {_inside(part.name)}", text, part.pairs(), [column], energies=energies, of=combination)


def _add_correlation(tables: Tables, combination: Combination, results: xr.Dataset, name: str, text: str) -> None:
    derived = difference_names(combination)
    names = [str(p) for p in results["parameter"].to_numpy() if p not in derived]
    if len(names) < 2:
        return
    without = " but differences of others" if derived else ""
    part = Part(name=name, parameters=tuple(names), unit="")
    values = numbers(results["correlation"].sel(parameter=names, parameter_b=names))
    description = f"Correlation of all results{without} in the {text}."
    tables.add(name, description, part.pairs(), [ExportColumn(name="correlation", values=values)], of=combination)


def _add_posterior(tables: Tables, part: Part, posterior: xr.Dataset, energies: tuple[float, ...]) -> None:
    columns = {
        "posterior mean": posterior["mean"],
        "posterior standard deviation": posterior["sd"],
        "posterior median": posterior["median"],
        f"{HDI_KIND}, lower end": posterior["hdi_low"],
        f"{HDI_KIND}, upper end": posterior["hdi_high"],
    }
    for probability in posterior["probability"].to_numpy():
        columns[f"posterior quantile {probability:g}"] = posterior["quantile"].sel(probability=probability)
    columns["Monte Carlo error of the mean"] = posterior["mcse_mean"]
    shown = [ExportColumn(name=n, unit=part.unit, values=numbers(v), qualifiers=part.qualifiers) for n, v in columns.items()]
    if "coefficient_share" in posterior and np.isfinite(posterior["coefficient_share"]).any():
        name = "share of the variance from not knowing the coefficients"
        shown.append(ExportColumn(name=name, values=numbers(posterior["coefficient_share"])))
    text = (
        f"Posterior of {', '.join(part.parameters)}, the correlation coefficients sampled over their priors. The interval "
        f"is the {HDI_KIND}; quantiles are named by their probability."
    )
    name = f"Posterior of {_inside(part.name)}"
    tables.add(name, text, [part.labels()], [*shown, *part.names], energies=energies)


def _inside(name: str) -> str:
    """A name in the middle of a sentence."""
    return name[:1].lower() + name[1:]

"""Tables of a submission: results with parts of their errors, covariance and posterior; nuisances, impacts and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.fit.impacts import PARTS_CLAUSE
from bayescomb.formats.hepdata.record.units import squared_unit
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.output.export.tables import Cell, ExportColumn, Part, Tables, difference_names, numbers, result_parts, texts
from bayescomb.output.tables.impacts import QUANTITIES
from bayescomb.output.tables.result import PARTS
from bayescomb.sampling.posterior.summary import HDI_KIND

__all__ = ["VALUE", "add_model_tables", "add_result_tables"]

SETTINGS: Final = (
    "model", "assumptions", "treatment", "repair", "chi2_form", "nuisance_values", "normalised", "nonnegative", "extraction",
    "quotable",
)  # fmt: skip
# Headings by which a reader finds the columns again.
VALUE: Final = "value"
TOTAL: Final = "total error"


def add_model_tables(
    tables: Tables, combination: Combination, header: Mapping[str, Any], groups: Mapping[str, xr.Dataset]
) -> None:
    """Add all tables except those of the results.

    Args:
        tables: where they go.
        combination: what was combined.
        header: of :func:`bayescomb.output.data.groups.export_header`.
        groups: of :func:`bayescomb.output.data.groups.export_groups`, with those of the posterior if there is one.
    """
    units = {o.name: str(u) for o, u in zip(combination.results, groups["results"]["unit"].to_numpy(), strict=True)}
    if "nuisances" in groups:
        _add_nuisances(tables, groups["nuisances"], groups.get("posterior_nuisances"))
    if "sizes" in groups:
        _add_sizes(tables, groups["sizes"], groups.get("posterior_sizes"))
    _add_impacts(tables, header, groups, units)
    if "coefficients" in groups:
        _add_coefficients(tables, groups["coefficients"], groups.get("posterior_coefficients"))
    if "prior_correlations" in groups:
        _add_prior_correlations(tables, groups["prior_correlations"])
    _add_goodness(tables, header["goodness_of_fit"])
    if header["provenance"]:
        _add_provenance(tables, header["provenance"])
    _add_settings(tables, header)


def _matched(group: xr.Dataset | None, dim: str, names: list[str], key: str) -> list[float | None]:
    """Values of another group in the order of these names."""
    if group is None or key not in group:
        return [None] * len(names)
    found = dict(zip((str(n) for n in group[dim].to_numpy()), numbers(group[key]), strict=True))
    return [found.get(name) for name in names]


def _add_nuisances(tables: Tables, nuisances: xr.Dataset, posterior: xr.Dataset | None) -> None:
    for free, title, unit in ((0, "Nuisances", "prior width"), (1, "Free nuisances", "")):
        own = nuisances.isel(nuisance=nuisances["free"].to_numpy() == free)
        names = [str(n) for n in own["nuisance"].to_numpy()]
        if not names:
            continue
        pulls, widths = numbers(own["pull"]), numbers(own["constraint"])
        headings = ("value", "error") if free else ("pull", "constraint")
        columns = [
            ExportColumn(name=headings[0], unit=unit, values=pulls, errors={headings[1]: widths}),
            ExportColumn(name=headings[1], unit=unit, values=widths),
        ]
        if posterior is not None:
            mean, sd = (_matched(posterior, "nuisance", names, key) for key in ("mean", "sd"))
            columns.append(ExportColumn(name="posterior mean", unit=unit, values=mean, errors={"sd": sd}))
            columns.append(ExportColumn(name="posterior standard deviation", unit=unit, values=sd))
        columns.append(ExportColumn(name="source", values=texts(own["source"])))
        text = (
            "Nuisances without a prior: fitted value and error."
            if free
            else "Pulls (fitted value in prior widths) and constraints (post-fit over prior width) of the nuisances in the "
            "profile likelihood; a dash where a nuisance has no posterior, because its source matrix is indefinite."
        )
        text += " Posterior: mean and standard deviation, the correlation coefficients sampled." if posterior else ""
        tables.add(title, text, [ExportColumn(name="nuisance", values=names)], columns)


def _add_sizes(tables: Tables, sizes: xr.Dataset, posterior: xr.Dataset | None) -> None:
    names = [str(n) for n in sizes["uncertain_size"].to_numpy()]
    size, error = numbers(sizes["size"]), numbers(sizes["size_error"])
    columns = [
        ExportColumn(name="relative uncertainty of the size", values=numbers(sizes["relative"])),
        ExportColumn(name="kind", values=texts(sizes["kind"])),
        ExportColumn(name="fitted size", values=size, errors={"error": error}),
        ExportColumn(name="error of the size", values=error),
    ]
    for key, title in (("low", "quantile 0.16"), ("median", "median"), ("high", "quantile 0.84")):
        columns.append(ExportColumn(name=f"posterior {title}", values=_matched(posterior, "uncertain_size", names, key)))
    columns.append(ExportColumn(name="source", values=texts(sizes["source"])))
    text = (
        "Sources whose quoted size is uncertain (errors on errors): fitted true over quoted standard deviation, of a common "
        "factor for the whole source or of independent ones."
    )
    tables.add("Uncertain sizes", text, [ExportColumn(name="size", values=names)], columns)


def _add_impacts(
    tables: Tables, header: Mapping[str, Any], groups: Mapping[str, xr.Dataset], units: Mapping[str, str]
) -> None:
    row = header["impacts_of"]
    definition = header["impacts_definition"]
    wanted = (
        *(("impacts", q.key, q.name.format(row), row, q.sentence.format(row)) for q in QUANTITIES),
        ("impact_groups", "impact", "Impacts of groups", "group", f"Impact of groups of {row}s on every result"),
        ("impact_parts", "impact", "Parts of the error", "part", "Statistical and systematic part of every error"),
    )
    unitless = {q.key for q in QUANTITIES if not q.in_unit}
    for group, key, name, heading, text in wanted:
        if group not in groups or key not in groups[group]:
            continue
        table = groups[group][key]
        dim = str(table.dims[0])
        columns = [
            ExportColumn(name=p, unit="" if key in unitless else unit, values=numbers(table.sel(parameter=p)))
            for p, unit in units.items()
        ]
        labels = [str(label) for label in table[dim].to_numpy()]
        description = f"{text}, one column per result, correlation coefficients at nominal. Definition: {definition}"
        tables.add(name, description, [ExportColumn(name=heading, values=labels)], columns)


def _add_coefficients(tables: Tables, coefficients: xr.Dataset, posterior: xr.Dataset | None) -> None:
    names = [str(c) for c in coefficients["coefficient"].to_numpy()]
    columns = [ExportColumn(name=key, values=numbers(coefficients[key])) for key in ("nominal", "low", "high")]
    columns.append(ExportColumn(name="prior", values=texts(coefficients["prior"])))
    text = (
        "Correlation coefficients of the assumption set in force: value of the profile, range and prior; those that are not "
        "varied are 'fixed'."
    )
    if posterior is not None:
        for key in ("prior", "posterior"):
            mean, sd = (_matched(posterior, "coefficient", names, f"{key}_{moment}") for moment in ("mean", "sd"))
            columns.append(ExportColumn(name=f"{key} mean", values=mean, errors={"sd": sd}))
            columns.append(ExportColumn(name=f"{key} standard deviation", values=sd))
        text += " Means and standard deviations are those of the sampled ones, the prior restricted to what is feasible."
    columns += [ExportColumn(name=key, values=texts(coefficients[key])) for key in ("source", "title")]
    columns.append(ExportColumn(name="pairs of nuisances", values=numbers(coefficients["pairs"])))
    tables.add("Correlation coefficients", text, [ExportColumn(name="coefficient", values=names)], columns)


def _add_prior_correlations(tables: Tables, pairs: xr.Dataset) -> None:
    columns = [
        ExportColumn(name="correlation", values=numbers(pairs["correlation"])),
        ExportColumn(name="coefficient", values=texts(pairs["coefficient"])),
        ExportColumn(name="sign", values=numbers(pairs["sign"])),
    ]
    text = (
        "Prior correlations of the nuisances under the assumption set in force; all others are 0. The correlation is the "
        "sign times the nominal value of the coefficient; it is fixed where no coefficient is named."
    )
    rows = [ExportColumn(name=key, values=texts(pairs[key])) for key in ("first", "second")]
    tables.add("Prior correlations", text, rows, columns)


def _add_goodness(tables: Tables, goodness: Mapping[str, float | None]) -> None:
    names = {"chi2": "chi2", "ndf": "degrees of freedom", "p_value": "p-value", "own_chi2": "chi2 of the inputs' own pulls"}
    text = (
        "Minimum of chi2 less what the inputs' own pulls cost before combining, degrees of freedom and p-value; a dash "
        "where there is nothing to test."
    )
    if goodness["corrected_chi2"] is not None:
        names["corrected_chi2"] = "corrected chi2"
        text += " Sizes of sources are uncertain: the p-value is that of the corrected chi2, -2 log L over its mean per ndf."
    values = [goodness[key] for key in names]
    column = ExportColumn(name="value", values=values)
    tables.add("Goodness of fit", text, [ExportColumn(name="quantity", values=list(names.values()))], [column])


def _add_provenance(tables: Tables, provenance: list[dict[str, str]]) -> None:
    keys = ("kind", "origin", "note")
    columns = [ExportColumn(name=key, values=[entry[key] or None for entry in provenance]) for key in keys]
    text = "Where each table of inputs comes from: published, reconstructed by us from what is published, or assumed by us."
    tables.add("Origin of the inputs", text, [ExportColumn(name="inputs", values=[p["table"] for p in provenance])], columns)


def _add_settings(tables: Tables, header: Mapping[str, Any]) -> None:
    """Settings, versions and the run of the sampler, one per row."""
    found = {key.replace("_", " "): header[key] for key in SETTINGS}
    found |= {f"version of {name}": version for name, version in header["versions"].items()}
    run = header.get("posterior_run") or {}
    plain = {key.replace("_", " "): value for key, value in run.items() if not isinstance(value, list | dict)}
    found |= {f"posterior, {key}": value for key, value in plain.items()}
    found |= {f"posterior, version of {name}": version for name, version in run.get("versions", {}).items()}
    column = ExportColumn(name="value", values=[_cell(value) for value in found.values()])
    text = "Settings of the combination, versions of the programs, and how the posterior was sampled where there is one."
    tables.add("Settings and versions", text, [ExportColumn(name="item", values=list(found))], [column])


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return value or None if isinstance(value, str) else value


def add_result_tables(tables: Tables, combination: Combination, groups: Mapping[str, xr.Dataset]) -> None:
    """Add the tables of all results.

    Args:
        tables: where they go.
        combination: what was combined.
        groups: of :func:`bayescomb.output.data.groups.export_groups`, with those of the posterior if there is one.
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
        part.column(VALUE, numbers(results["value"]), errors={label: numbers(results[key]) for label, key in shown.items()}),
        part.column(TOTAL, error),
    ]
    text = (
        f"Maximum-likelihood values{before} of {', '.join(part.parameters)}, correlation coefficients at nominal. Errors: "
        f"{meaning}: {PARTS_CLAUSE[results.attrs['parts']]}. The total error is that of the model linearised at the "
        "minimum."
    )
    alone = [str(name) for name in results["parameter"].to_numpy()[results["spectator"].to_numpy() == 1]]
    text += f" Spectators, measured by one input and by nothing else: {', '.join(alone)}." if alone else ""
    if up != error or down != [-e if e is not None else None for e in error]:
        columns += [
            part.column(f"{name} (Delta chi2 = 1)", values)
            for name, values in (("upward error", up), ("downward error", down))
        ]
        text += " Upward and downward errors are where chi2 has grown by 1."
    if "bartlett" in results:
        columns += [
            part.column(f"{direction}ward error, corrected", numbers(results[f"corrected_{direction}_error"]))
            for direction in ("up", "down")
        ]
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
    column = ExportColumn(name="covariance", unit=squared_unit(part.unit), values=values, qualifiers=part.qualifiers)
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
    shown = [part.column(name, numbers(values)) for name, values in columns.items()]
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

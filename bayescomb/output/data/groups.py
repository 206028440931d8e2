"""A combined result as labelled arrays, from which all forms of an export are written.

Every group is an :class:`xarray.Dataset` whose first dimension names its rows.  Numbers are never rounded; NaN stands
for what does not exist (the constraint of a nuisance without posterior, the posterior of a coefficient that is held).
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.files.writing import plain_value
from bayescomb.base.numerics import correlation_of
from bayescomb.fit.impacts import ImpactResult
from bayescomb.fit.profile import ProfileResult
from bayescomb.fit.size_result import SizeResult
from bayescomb.formats.exported import FORMAT, FORMAT_VERSION
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.theory import theory
from bayescomb.output.analysis import Analysis
from bayescomb.output.data.results import goodness_data, repair_data
from bayescomb.output.statements import caveats, header_data
from bayescomb.output.tables.impacts import QUANTITIES
from bayescomb.output.tables.result import UNDIVIDED, part_cells
from bayescomb.sampling.posterior.summary import HDI_KIND, QUANTILES, Sampled
from bayescomb.studies.comparison import Comparison

__all__ = ["export_groups", "export_header"]

PACKAGES: Final = ("bayescomb", "numpy", "scipy", "xarray", "iminuit", "hepdata_lib")
ERRORS: Final = {"error": "errors", "up_error": "up_errors", "down_error": "down_errors"}
# With sources of uncertain size: mean of the likelihood ratio, and where -2 log L has grown by that much.
CORRECTED: Final = {"bartlett": "bartlett", "corrected_up_error": "up", "corrected_down_error": "down"}
SUMMARY: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "mcse_mean", "mcse_sd", "coefficient_share")


def export_header(analysis: Analysis) -> dict[str, Any]:
    """The header of every form of an export: settings, origin of the inputs, goodness of fit, versions, the sampling.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.analysis import analyse
        >>> from bayescomb.output.data.groups import export_header
        >>> header = export_header(analyse(bc.profile(bc.load("models/run1_mass"))))
        >>> header["assumptions"], header["provenance"][0]["kind"], header["goodness_of_fit"]["ndf"]
        ('nominal', 'published', 14)
    """
    combination, fit, impacts = analysis.combination, analysis.fit, analysis.impacts
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "title": combination.title,
        **header_data(combination),
        "assumptions_description": combination.assumption_set.description,
        "caveats": list(caveats(combination)),
        "provenance": [
            {"table": p.table, "kind": p.kind, "origin": p.origin, "note": p.note} for p in combination.provenance
        ],
        "goodness_of_fit": goodness_data(fit)
        | {"corrected_chi2": None if fit.sizes is None else plain_value(fit.sizes.chi2)},
        "repairs": repair_data(fit),
        "on_kink": list(fit.on_kink),
        "at_bound": list(fit.at_bound),
        "parts": fit.parts,
        "impacts_of": "source" if (impacts.sources["kind"] == "source").any() else "nuisance",
        "impacts_definition": impacts.definition,
        "versions": _versions(),
    }
    return header if analysis.usable is None else header | {"posterior_run": _posterior_header(analysis.usable)}


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # hepdata_lib is optional
    return found


def export_groups(analysis: Analysis) -> dict[str, xr.Dataset]:
    """The groups of a profile, and those of its posterior if that has converged.

    Returns:
        ``results`` (dim ``parameter``; value, parts of the error, covariance, correlation, edges of the bin), the same
        ``combined`` without the prediction where a mass is extracted, and ``unnormalised`` where something was normalised;
        ``sizes`` where some are uncertain, ``estimates`` (what was combined, and its weights), ``nuisances``, ``impacts``,
        ``impact_groups``, ``impact_parts``, ``coefficients`` and ``prior_correlations``.  With a posterior: ``posterior``
        (dim ``parameter``: mean, sd, median, highest-density interval, ``quantile`` over ``probability``, correlation, Monte
        Carlo errors, in the units of the results), ``posterior_coefficients`` and ``posterior_nuisances`` (mean and sd;
        nuisances in prior widths), ``posterior_sizes`` (quantiles of true over quoted standard deviation, where sizes are
        uncertain).  Empty ones are left out.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.analysis import analyse
        >>> from bayescomb.output.data.groups import export_groups
        >>> groups = export_groups(analyse(bc.profile(bc.load("models/run1_mass"))))
        >>> print({name: next(iter(group.sizes.values())) for name, group in groups.items()})
        {'results': 1, 'estimates': 15, 'nuisances': 375, 'impacts': 25, 'impact_groups': 5, 'impact_parts': 4,
         'coefficients': 19, 'prior_correlations': 1910}
    """
    combination, fit = analysis.combination, analysis.fit
    groups = {"results": _results(fit)}
    if analysis.combined is not None:
        groups["combined"] = _results(analysis.combined)
    if fit.unnormalised is not None:
        groups["unnormalised"] = _results(fit.unnormalised)
    if fit.sizes is not None:
        groups["sizes"] = _sizes(combination, fit.sizes)
    groups |= {
        "estimates": _estimates(fit),
        "nuisances": _nuisances(fit),
        **_impacts(analysis.impacts),
        "coefficients": _coefficients(combination),
        "prior_correlations": _prior_correlations(combination),
    }
    if analysis.usable is not None and analysis.comparison is not None:
        groups |= _posterior_groups(analysis.usable, analysis.comparison)
    return {name: group for name, group in groups.items() if all(group.sizes.values())}


def _names(combination: Combination) -> list[str]:
    return [o.name for o in combination.results]


def _results(fit: ProfileResult) -> xr.Dataset:
    """Values with the parts of their errors; bins are those of the predictions."""
    combination = fit.combination
    names = _names(combination)
    quantities = {o.name: o for o in combination.results}
    extraction = combination.extraction_in_force
    in_force = extraction.distributions if extraction is not None else {}
    bins: dict[str, tuple[str, float, float]] = {}
    # Of several predictions of the same bins the one in force is exported, else the first.
    for prediction in sorted(combination.predictions, key=lambda p: p.name not in in_force):
        for name, (low, high) in zip(prediction.observables, prediction.bins, strict=True):
            bins.setdefault(name, (prediction.name, float(low), float(high)))
    none = ("", float("nan"), float("nan"))
    covariance = fit.covariance.sel(parameter=names, parameter_b=names).to_numpy()
    columns = {key: getattr(fit, attribute).sel(parameter=names).to_numpy() for key, attribute in ERRORS.items()}
    cells = [part_cells(fit, name) for name in names]
    for key in ("statistical_error", "systematic_error"):
        columns[key] = np.array([row.get(key, np.nan) for row in cells])
    columns["theory_error"] = fit.theory_errors.sel(parameter=names).to_numpy()
    if unsplit_label(combination.measurements):
        columns[UNDIVIDED] = np.array([row[UNDIVIDED] for row in cells])
    if fit.sizes is not None:
        at = fit.sizes.intervals.sel(parameter=names)
        columns |= {key: at[of].to_numpy() for key, of in CORRECTED.items()}
    square = ("parameter", "parameter_b")
    return xr.Dataset(
        {"value": ("parameter", fit.values.sel(parameter=names).to_numpy())}
        | {key: ("parameter", column) for key, column in columns.items()}
        | {"covariance": (square, covariance), "correlation": (square, correlation_of(covariance))},
        {
            "parameter": names,
            "parameter_b": names,
            "unit": ("parameter", [str(u) for u in fit.values["unit"].sel(parameter=names).to_numpy()]),
            "title": ("parameter", [quantities[name].title for name in names]),
            "spectator": ("parameter", [int(quantities[name].spectator) for name in names]),
            "distribution": ("parameter", [bins.get(name, none)[0] for name in names]),
            "bin_low": ("parameter", [bins.get(name, none)[1] for name in names]),
            "bin_high": ("parameter", [bins.get(name, none)[2] for name in names]),
        },
        {"parts": fit.parts},
    )


def _sizes(combination: Combination, found: SizeResult) -> xr.Dataset:
    """Fitted true over quoted standard deviation of the sources of uncertain size."""
    kinds = [combination.errors_on_errors[str(source)].kind for source in found.sizes["source"].to_numpy()]
    return found.sizes.assign_coords(kind=("uncertain_size", kinds))


def _estimates(fit: ProfileResult) -> xr.Dataset:
    combination = fit.combination
    owners = [(m, e) for m in combination.measurements for e in m.estimates]
    return xr.Dataset(
        {
            "value": ("estimate", [e.value for _, e in owners]),
            "weight": (("estimate", "parameter"), fit.weights.sel(parameter=_names(combination)).to_numpy().T),
        },
        {
            "estimate": [e.name for _, e in owners],
            "parameter": _names(combination),
            "measurement": ("estimate", [m.name for m, _ in owners]),
            "experiment": ("estimate", [m.experiment for m, _ in owners]),
            "observables": ("estimate", [json.dumps(dict(e.observables)) for _, e in owners]),
        },
    )


def _nuisances(fit: ProfileResult) -> xr.Dataset:
    """Pulls and constraints in prior widths, NaN without a posterior; of free nuisances value and error in their unit."""
    combination = fit.combination
    compiled = theory(combination)
    sources = {n.name: n.source for n in combination.nuisances} | (compiled.sources if compiled is not None else {})
    widths = dict(zip(fit.constraints["nuisance"].to_numpy(), fit.constraints.to_numpy(), strict=True))
    bound = [str(name) for name in fit.pulls["nuisance"].to_numpy()]
    known = [name in widths for name in bound]
    shown = _names(combination)
    free = [str(p) for p in fit.values["parameter"].to_numpy() if p not in shown]
    at = {"parameter": free}
    covariance = fit.cross_covariance.sel(parameter=shown).to_numpy().T
    of_free = fit.covariance.sel(parameter=shown, parameter_b=free).to_numpy().T
    return xr.Dataset(
        {
            "pull": (
                "nuisance",
                np.concatenate([np.where(known, fit.pulls.to_numpy(), np.nan), fit.values.sel(at).to_numpy()]),
            ),
            "constraint": (
                "nuisance",
                np.concatenate([[widths.get(name, np.nan) for name in bound], fit.errors.sel(at).to_numpy()]),
            ),
            "covariance_with_results": (("nuisance", "parameter"), np.concatenate([covariance, of_free])),
        },
        {
            "nuisance": bound + free,
            "parameter": shown,
            "source": ("nuisance", [sources.get(name, "") for name in bound + free]),
            "free": ("nuisance", [0] * len(bound) + [1] * len(free)),
        },
    )


def _impacts(result: ImpactResult) -> dict[str, xr.Dataset]:
    names = _names(result.combination)
    sources, groups = (
        xr.Dataset(
            {
                q.key: rows.copy(data=np.asarray(q.values(result)[kind])).sel(parameter=names)
                for q in QUANTITIES
                if kind in q.values(result)
            }
        )
        for kind, rows in (("source", result.sources), ("group", result.groups))
    )
    divided = {"systematics" if label == "all systematics" else label: part for label, part in result.sums.items()}
    total = divided.pop("total")
    parts = divided | {"coupling of sources": result.coupling, "total": total}
    rows = np.array([part.sel(parameter=names).to_numpy() for part in parts.values()])
    return {
        "impacts": sources.reset_coords(drop=True),
        "impact_groups": groups.reset_coords(drop=True),
        "impact_parts": xr.Dataset({"impact": (("part", "parameter"), rows)}, {"part": list(parts), "parameter": names}),
    }


def _coefficients(combination: Combination) -> xr.Dataset:
    """Every coefficient of the set in force, and that of the scales of an extraction if it is sampled."""
    rows: list[tuple[Any, ...]] = [
        (c.name, c.nominal, *c.range, c.title, c.source, c.prior if c.sampled else "fixed", len(c.pairs))
        for c in combination.assumption_set.coefficients
    ]
    extraction = combination.extraction_in_force
    if extraction is not None and extraction.scales.treatment == "correlated":
        scales = extraction.scales
        title = "correlation of the scales of different energies"
        rows.append((SCALE_COEFFICIENT, scales.nominal, scales.low, scales.high, title, "scales", "uniform", 0))
    columns = _columns("coefficient", ("coefficient", "nominal", "low", "high", "title", "source", "prior", "pairs"), rows)
    return xr.Dataset({key: columns.pop(key) for key in ("nominal", "low", "high")}, columns)


def _prior_correlations(combination: Combination) -> xr.Dataset:
    """Every correlation of two nuisances that the set in force states, with its coefficient; others are 0."""
    rows: list[tuple[Any, ...]] = []
    for coefficient in combination.assumption_set.coefficients:
        for pair in coefficient.pairs:
            rows.append((pair.first, pair.second, coefficient.name, pair.sign, pair.sign * coefficient.nominal))
    for block in combination.assumption_set.blocks:
        for i, j in zip(*np.nonzero(np.triu(block.correlation, 1)), strict=True):
            rows.append((block.nuisances[i], block.nuisances[j], "", 1, float(block.correlation[i, j])))
    columns = _columns("pair", ("first", "second", "coefficient", "sign", "correlation"), rows)
    return xr.Dataset({"correlation": columns.pop("correlation")}, columns)


def _columns(dim: str, keys: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, tuple[str, list[Any]]]:
    return {key: (dim, [row[i] for row in rows]) for i, key in enumerate(keys)}


def _posterior_header(sampled: Sampled) -> dict[str, Any]:
    """How the posterior was sampled, and which kind of interval its summary gives."""
    run, judged = sampled.run, sampled.verdict
    return {
        **run.settings,
        "interval": HDI_KIND,
        "converged": judged.passed,
        "verdict": judged.sentence,
        "max_r_hat": plain_value(judged.max_r_hat),
        "min_ess": plain_value(judged.min_ess),
        "divergences": judged.divergences,
        "extended": run.extended,
        "held_coefficients": list(run.held_coefficients),
        "not_recovered": dict(run.not_recovered),
        "versions": dict(run.versions),
    }


def _posterior_groups(sampled: Sampled, comparison: Comparison) -> dict[str, xr.Dataset]:
    names = list(sampled.results)
    table = comparison.table.sel(parameter=names)
    diagnostics = [sampled.diagnostics[variable_name(name)] for name in names]
    columns = {key: ("parameter", table[key].to_numpy()) for key in SUMMARY if key in table}
    columns |= {key: ("parameter", np.array([row[key] for row in diagnostics])) for key in ("r_hat", "ess_bulk", "ess_tail")}
    result = xr.Dataset(
        columns
        | {
            "quantile": (("parameter", "probability"), np.array([sampled.quantiles[name] for name in names])),
            "correlation": (("parameter", "parameter_b"), sampled.correlation),
        },
        {
            "parameter": names,
            "parameter_b": names,
            "probability": list(QUANTILES),
            "unit": ("parameter", table["unit"].to_numpy()),
        },
    )
    moments = {**sampled.nuisances, **sampled.free}
    return {
        "posterior": result,
        "posterior_coefficients": _posterior_coefficients(sampled),
        "posterior_sizes": _of_rows("uncertain_size", sampled.sizes, ("low", "median", "high")),
        "posterior_nuisances": _of_rows("nuisance", moments, ("mean", "sd")),
    }


def _of_rows(dim: str, rows: Mapping[str, Sequence[float]], keys: Sequence[str]) -> xr.Dataset:
    return xr.Dataset(_columns(dim, keys, list(rows.values())), {dim: list(rows)})


def _posterior_coefficients(sampled: Sampled) -> xr.Dataset:
    """Mean and sd of each sampled coefficient, before (restricted to what is feasible) and after the data."""
    names = list(sampled.coefficients or sampled.prior_coefficients)
    columns = {
        f"{label}_{moment}": ("coefficient", [found[n].numbers[moment] if n in found else np.nan for n in names])
        for label, found in (("posterior", sampled.coefficients), ("prior", sampled.prior_coefficients))
        for moment in ("mean", "sd", "mcse_mean")
    }
    return xr.Dataset(columns, {"coefficient": names})

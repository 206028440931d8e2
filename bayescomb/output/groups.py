"""A combined result as labelled arrays: the one content that all exported forms are made of.

Every group is an :class:`xarray.Dataset` whose first dimension names its rows.  Numbers are never rounded; NaN says that
there is none (the constraint of a nuisance without posterior, the posterior of a coefficient that is held).

The posterior's part of an export: results, coefficients and nuisances after the data, and how they were sampled.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.errors import PosteriorError
from bayescomb.fit.impacts import ImpactResult
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.fit.size_result import SizeResult
from bayescomb.formats.exported import FORMAT, FORMAT_VERSION
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.extractions import SCALE_COEFFICIENT
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.variables import variable_name
from bayescomb.likelihood.theory import theory
from bayescomb.output.statements import caveats, header_data
from bayescomb.sampling.convergence import Verdict, verdict
from bayescomb.sampling.storage import is_extended, require_same_settings
from bayescomb.sampling.summary import (
    HDI_KIND,
    coefficient_summaries,
    mean_sd,
    nuisance_moments,
    posterior_quantiles,
    result_covariance,
    size_quantiles,
)
from bayescomb.studies.comparison import compare

__all__ = ["QUANTILES", "converged", "export_groups", "export_header", "finite", "posterior_groups", "posterior_header"]

PACKAGES: Final = ("bayescomb", "numpy", "scipy", "xarray", "iminuit", "hepdata_lib")
ERRORS: Final = {
    "error": "errors",
    "up_error": "up_errors",
    "down_error": "down_errors",
    "statistical_error": "statistical_errors",
    "systematic_error": "systematic_errors",
    "theory_error": "theory_errors",
    "undivided_error": "unsplit_errors",
}
# With sources of uncertain size: mean of the likelihood ratio, and where -2 log L has grown by that much.
CORRECTED: Final = {"bartlett": "bartlett", "corrected_up_error": "up", "corrected_down_error": "down"}
QUANTILES: Final = (0.025, 0.16, 0.5, 0.84, 0.975)
SUMMARY: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "mcse_mean", "mcse_sd", "coefficient_share")
RUN: Final[tuple[str, ...]] = (
    "seed", "draws", "tune", "chains", "interrupted", "correlations", "engine", "backend", "created",
)  # fmt: skip


def export_header(fit: ProfileResult, impacts: ImpactResult) -> dict[str, Any]:
    """What stands over every form of an export: settings, origin of the inputs, goodness of fit, versions.

    Args:
        fit: the profile.
        impacts: impacts of the same combination.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.groups import export_header
        >>> combination = bc.load("models/run1_mass")
        >>> header = export_header(bc.profile(combination), bc.impacts(combination))
        >>> header["assumptions"], header["provenance"][0]["kind"], header["goodness_of_fit"]["ndf"]
        ('nominal', 'published', 14)
    """
    combination = fit.combination
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "title": combination.title,
        **header_data(combination),
        "assumptions_description": combination.assumption_set.description,
        "caveats": list(caveats(combination)),
        "provenance": [
            {"table": p.table, "kind": p.kind, "origin": p.origin, "note": p.note} for p in combination.provenance
        ],
        "goodness_of_fit": {
            "chi2": finite(fit.chi2),
            "ndf": fit.ndf,
            "p_value": fit.p_value,
            "own_chi2": finite(fit.own_chi2),
            "corrected_chi2": None if fit.sizes is None else finite(fit.sizes.chi2),
        },
        "repairs": [
            {"block": r.block, "how": r.how, "smallest_eigenvalue": r.smallest, "change": r.change} for r in fit.repairs
        ],
        "on_kink": list(fit.on_kink),
        "parts": fit.parts,
        "impacts_of": "source" if (impacts.sources["kind"] == "source").any() else "nuisance",
        "impacts_definition": impacts.definition,
        "versions": _versions(),
    }


def finite(value: float) -> float | None:
    """The number, ``None`` where it is none."""
    return float(value) if np.isfinite(value) else None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # hepdata_lib is optional
    return found


def export_groups(fit: ProfileResult, impacts: ImpactResult) -> dict[str, xr.Dataset]:
    """The groups of a profile; those of a posterior are :func:`bayescomb.output.groups.posterior_groups`.

    Args:
        fit: the profile.
        impacts: impacts of the same combination.

    Returns:
        ``results`` (dim ``parameter``; value, parts of the error, covariance, correlation, edges of the bin), the same
        ``combined`` without the prediction where a mass is extracted, and ``unnormalised`` where something was normalised;
        ``sizes`` where some are uncertain, ``estimates`` (what was combined, and its weights), ``nuisances``, ``impacts``,
        ``impact_groups``, ``impact_parts``, ``coefficients`` and ``prior_correlations``; empty ones are left out.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.groups import export_groups
        >>> combination = bc.load("models/run1_mass")
        >>> groups = export_groups(bc.profile(combination), bc.impacts(combination))
        >>> print({name: next(iter(group.sizes.values())) for name, group in groups.items()})
        {'results': 1, 'estimates': 15, 'nuisances': 375, 'impacts': 25, 'impact_groups': 5, 'impact_parts': 4,
         'coefficients': 19, 'prior_correlations': 1910}
    """
    combination = fit.combination
    groups = {"results": _results(fit)}
    if combination.extraction:
        groups["combined"] = _results(profile(combination.with_extraction(""), parts=fit.parts))
    if fit.unnormalised is not None:
        groups["unnormalised"] = _results(fit.unnormalised)
    if fit.sizes is not None:
        groups["sizes"] = _sizes(combination, fit.sizes)
    groups |= {
        "estimates": _estimates(fit),
        "nuisances": _nuisances(fit),
        **_impacts(impacts),
        "coefficients": _coefficients(combination),
        "prior_correlations": _prior_correlations(combination),
    }
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
    # Several predictions of the same bins may be given; the one in force counts, else the first.
    for prediction in sorted(combination.predictions, key=lambda p: p.name not in in_force):
        for name, (low, high) in zip(prediction.observables, prediction.bins, strict=True):
            bins.setdefault(name, (prediction.name, float(low), float(high)))
    none = ("", float("nan"), float("nan"))
    covariance = fit.covariance.sel(parameter=names, parameter_b=names).to_numpy()
    width = np.sqrt(np.diag(covariance))
    columns = {key: getattr(fit, attribute).sel(parameter=names).to_numpy() for key, attribute in ERRORS.items()}
    if unsplit_label(fit.combination.measurements):
        # Of a result of total covariances alone nobody knows the parts.
        unknown = (columns["statistical_error"] == 0) & (columns["systematic_error"] == 0)
        for key in ("statistical_error", "systematic_error"):
            columns[key] = np.where(unknown, np.nan, columns[key])
    else:
        del columns["undivided_error"]
    if fit.sizes is not None:
        at = fit.sizes.intervals.sel(parameter=names)
        columns |= {key: at[of].to_numpy() for key, of in CORRECTED.items()}
    square = ("parameter", "parameter_b")
    return xr.Dataset(
        {"value": ("parameter", fit.values.sel(parameter=names).to_numpy())}
        | {key: ("parameter", column) for key, column in columns.items()}
        | {"covariance": (square, covariance), "correlation": (square, covariance / np.outer(width, width))},
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
    sources = xr.Dataset({"impact": result.sources.sel(parameter=names)})
    if result.shifts is not None:
        sources["shift"] = result.shifts.sel(parameter=names)
    divided = {"systematics" if label == "all systematics" else label: part for label, part in result.sums.items()}
    total = divided.pop("total")
    parts = divided | {"coupling of sources": result.coupling, "total": total}
    rows = np.array([part.sel(parameter=names).to_numpy() for part in parts.values()])
    return {
        "impacts": sources.reset_coords(drop=True),
        "impact_groups": xr.Dataset({"impact": result.groups.sel(parameter=names)}).reset_coords(drop=True),
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
    """Every correlation of two nuisances that the set in force states, with the coefficient that it is; others are 0."""
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


def converged(posterior: xr.DataTree) -> Verdict:
    """The verdict of a posterior that may be used.

    Raises:
        PosteriorError: it has not converged.
    """
    judged = verdict(posterior)
    if not judged.passed:
        msg = f"{judged.sentence}; sample with more draws, or export the profile without a posterior"
        raise PosteriorError(msg)
    return judged


def posterior_header(posterior: xr.DataTree, judged: Verdict) -> dict[str, Any]:
    """How the posterior was sampled, and which kind of interval its summary gives."""
    attrs = posterior.attrs
    run = {key: _plain(attrs[key]) for key in RUN if key in attrs}
    return {
        **run,
        "interval": HDI_KIND,
        "converged": judged.passed,
        "verdict": judged.sentence,
        "max_r_hat": finite(judged.max_r_hat),
        "min_ess": finite(judged.min_ess),
        "divergences": judged.divergences,
        "extended": is_extended(posterior),
        "held_coefficients": json.loads(attrs.get("held_coefficients", "[]")),
        "not_recovered": json.loads(attrs.get("not_recovered", "{}")),
        "versions": json.loads(attrs.get("versions", "{}")),
    }


def posterior_groups(posterior: xr.DataTree, fit: ProfileResult, judged: Verdict) -> dict[str, xr.Dataset]:
    """The groups of a posterior.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        fit: the profile of the same combination under the same settings.
        judged: its verdict.

    Returns:
        ``posterior`` (dim ``parameter``: mean, sd, median, highest-density interval, ``quantile`` over ``probability``,
        correlation, Monte Carlo errors, in the units of the results), ``posterior_coefficients`` and
        ``posterior_nuisances`` (mean and sd; nuisances in prior widths), ``posterior_sizes`` (quantiles of true over quoted
        standard deviation, where sizes are uncertain).

    Raises:
        PosteriorError: posterior and profile do not belong together.
    """
    require_same_settings(posterior, fit.combination)
    names = [o.name for o in fit.combination.results]
    table = compare(posterior, fit).table.sel(parameter=names)
    draws = posterior["posterior"].to_dataset()
    covariance = result_covariance(posterior, names)
    sd = np.sqrt(np.diag(covariance))
    diagnostics = _by_name(judged.table, [variable_name(name) for name in names])
    columns = {key: ("parameter", table[key].to_numpy()) for key in SUMMARY if key in table}
    columns |= {key: ("parameter", diagnostics[key].to_numpy()) for key in ("r_hat", "ess_bulk", "ess_tail")}
    quantiles = np.array([posterior_quantiles(posterior, name, QUANTILES) for name in names])
    coords = {"parameter": names, "parameter_b": names, "probability": list(QUANTILES)}
    result = xr.Dataset(
        columns
        | {
            "quantile": (("parameter", "probability"), quantiles),
            "correlation": (("parameter", "parameter_b"), covariance / np.outer(sd, sd)),
        },
        coords | {"unit": ("parameter", table["unit"].to_numpy())},
    )
    groups = {
        "posterior": result,
        "posterior_coefficients": _posterior_coefficients(posterior, draws),
        "posterior_sizes": _posterior_sizes(draws),
        "posterior_nuisances": _posterior_nuisances(
            draws, [str(p) for p in fit.values["parameter"].to_numpy() if p not in names]
        ),
    }
    return {name: group for name, group in groups.items() if all(group.sizes.values())}


def _by_name(table: xr.Dataset, names: list[str]) -> xr.Dataset:
    position = {str(q): i for i, q in enumerate(table["quantity"].to_numpy())}
    return table.isel(quantity=[position[name] for name in names])


def _posterior_coefficients(posterior: xr.DataTree, draws: xr.Dataset) -> xr.Dataset:
    """Mean and sd of each sampled coefficient, before (restricted to what is feasible) and after the data."""
    prior = posterior["prior"].to_dataset() if "prior" in posterior.children else xr.Dataset()
    columns: dict[str, tuple[str, list[float]]] = {}
    names: list[str] = []
    for key, data in (("posterior", draws), ("prior", prior)):
        found = {name: own.numbers for name, own in coefficient_summaries(data).items()}
        names = names or list(found)
        for moment in ("mean", "sd", "mcse_mean"):
            values = [found[name][moment] if name in found else np.nan for name in names]
            columns[f"{key}_{moment}"] = ("coefficient", values)
    return xr.Dataset(columns, {"coefficient": names})


def _posterior_sizes(draws: xr.Dataset) -> xr.Dataset:
    found = size_quantiles(draws)
    columns = {
        key: ("uncertain_size", [row[i] for row in found.values()]) for i, key in enumerate(("low", "median", "high"))
    }
    return xr.Dataset(columns, {"uncertain_size": list(found)})


def _posterior_nuisances(draws: xr.Dataset, free: list[str]) -> xr.Dataset:
    moments = nuisance_moments(draws) | {
        name: mean_sd(draws[variable_name(name)]) for name in free if variable_name(name) in draws
    }
    mean, sd = ([m[i] for m in moments.values()] for i in (0, 1))
    return xr.Dataset({"mean": ("nuisance", mean), "sd": ("nuisance", sd)}, {"nuisance": list(moments)})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

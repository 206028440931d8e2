"""Results as plain data for JSON: full precision, every output with its assumption set, treatment and chi2 form."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.fit.compatibility import Compatibility
from bayescomb.fit.impacts import ImpactResult
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.fit.scan import ScanPoint, ScanResult, ScanRow
from bayescomb.fit.size_result import SizeResult
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.variables import variable_name
from bayescomb.output.statements import header_data
from bayescomb.sampling.convergence import Verdict
from bayescomb.sampling.storage import combination_of
from bayescomb.sampling.summary import (
    CENTRAL_KIND,
    HDI_KIND,
    INTERVAL,
    Summary,
    coefficient_summaries,
    nuisance_moments,
    result_covariance,
    result_summary,
    size_quantiles,
)
from bayescomb.studies.comparison import Comparison

__all__ = ["comparison_data", "impact_data", "posterior_data", "profile_data", "scan_data", "study_data"]

# Keys of JSON for the rows of impacts.
PART_KEYS: Final = {"statistics": "stat", "all systematics": "syst"}


def profile_data(fit: ProfileResult, compatible: Sequence[Compatibility] = ()) -> dict[str, Any]:
    """Profile result; ``up`` and ``down`` are signed, the constraint of a nuisance without posterior is null.

    Free nuisances stand among the nuisances, with their fitted value as pull and its error as constraint.
    """
    observables = {o.name: o for o in fit.combination.results}
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    shown = [name for name in names if name in observables]
    constraints = dict(zip(fit.constraints["nuisance"].to_numpy(), fit.constraints.to_numpy(), strict=True))
    pulls = zip(fit.pulls["nuisance"].to_numpy(), fit.pulls.to_numpy(), strict=True)
    nuisances: dict[str, Any] = {
        str(name): {"pull": float(pull), "constraint": float(constraints[name]) if name in constraints else None}
        for name, pull in pulls
    }
    for name in (name for name in names if name not in observables):
        at = {"parameter": name}
        nuisances[name] = {"pull": float(fit.values.sel(at)), "constraint": float(fit.errors.sel(at)), "free": True}
    data = {
        **header_data(fit.combination),
        "chi2": _finite(fit.chi2),
        "ndf": fit.ndf,
        "p_value": fit.p_value,
        "own_chi2": _finite(fit.own_chi2),
        "parameters": {name: _parameter(fit, name) | _spectator(observables[name]) for name in shown},
        "parts": fit.parts,
        "weights": {name: _mapping(fit.weights.sel(parameter=name), "estimate") for name in shown},
        "nuisances": nuisances,
        "covariance": {"names": shown, "matrix": fit.covariance.sel(parameter=shown, parameter_b=shown).to_numpy().tolist()},
        "on_kink": list(fit.on_kink),
        "determinant_of_weights": _determinant(fit.combination, included=False),
        "compatibility": [
            {"measurement": c.measurement, "chi2": c.chi2, "ndf": c.ndf, "p_value": c.p_value}
            | ({"problem": c.problem} if c.problem else {})
            for c in compatible
        ],
        "repairs": [
            {"block": r.block, "how": r.how, "smallest_eigenvalue": r.smallest, "change": r.change} for r in fit.repairs
        ],
    }
    if fit.other_minima is not None:
        data["other_minima"] = [
            {"delta_chi2": float(m["delta_chi2"]), "parameters": {n: float(m.sel(parameter=n)) for n in shown}}
            for m in fit.other_minima.transpose("minimum", "parameter")
        ]
    if fit.sizes is not None:
        data |= size_data(fit.sizes)
    if fit.unnormalised is not None:
        data["unnormalised"] = {name: _parameter(fit.unnormalised, name) for name in shown}
    return data


def size_data(found: SizeResult) -> dict[str, Any]:
    """Fitted sizes of uncertain sources, and the answers corrected for them."""
    intervals = found.intervals
    return {
        "sizes": {
            str(name): {key: found.sizes[key].sel(uncertain_size=name).item() for key in found.sizes}
            for name in found.sizes["uncertain_size"].to_numpy()
        },
        "bartlett": {
            str(name): {key: _finite(float(intervals[key].sel(parameter=name))) for key in intervals}
            for name in intervals["parameter"].to_numpy()
        },
        "corrected_chi2": _finite(found.chi2),
    }


def _determinant(combination: Combination, *, included: bool) -> str | None:
    """Whether Pearson's weights, which follow the prediction, are normalised; ``None`` where they are constant."""
    if combination.chi2 != "pearson":
        return None
    return "included" if included else "left out"


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _parameter(fit: ProfileResult, name: str) -> dict[str, Any]:
    at, parts = {"parameter": name}, fit.error_parts(name)
    label = unsplit_label(fit.combination.measurements)
    return {
        "value": float(fit.values.sel(at)),
        "error": float(fit.errors.sel(at)),
        "up": _finite(float(fit.up_errors.sel(at))),
        "down": _finite(float(fit.down_errors.sel(at))),
        "statistical_error": parts.get("stat"),
        "systematic_error": parts.get("syst"),
        **({"undivided_error": parts[label], "undivided_part": label} if label else {}),
        "theory_error": float(fit.theory_errors.sel(at)),
        "unit": str(fit.values.sel(at)["unit"].item()),
    }


def _spectator(observable: Observable) -> dict[str, Any]:
    return {"spectator": True} if observable.spectator else {}


def posterior_data(posterior: xr.DataTree, verdict: Verdict) -> dict[str, Any]:
    """Posterior summary: observables, coefficients and nuisances.

    chi2 is the profile's minimum at nominal coefficients, which is what the goodness of fit of the inputs is.
    """
    combination = combination_of(posterior)
    draws = posterior["posterior"].to_dataset()
    names = [o.name for o in combination.results]
    diagnostics = {str(q): i for i, q in enumerate(verdict.table["quantity"].to_numpy())}

    def summary(found: Summary, quantity: str) -> dict[str, Any]:
        row = verdict.table.isel(quantity=diagnostics[quantity])
        r_hat = float(row["r_hat"])
        return {
            "mean": _finite(found.mean),
            "sd": _finite(found.sd),
            "median": found.median,
            "hdi68": [found.hdi_low, found.hdi_high],
            "central68": [found.central_low, found.central_high],
            "mcse": _finite(found.mcse_mean),
            "mcse_mean": _finite(found.mcse_mean),
            "mcse_sd": _finite(found.mcse_sd),
            "origin": found.origin,
            **({"no_moments": found.reason} if found.reason else {}),
            "ess_bulk": float(row["ess_bulk"]),
            "ess_tail": float(row["ess_tail"]),
            "r_hat": r_hat if np.isfinite(r_hat) else None,
        }

    def pull(name: str, moments: tuple[float, float]) -> dict[str, float | None]:
        variable = "pull" if f"pull[{name}]" in diagnostics else "theory_pull"
        row = verdict.table.isel(quantity=diagnostics[f"{variable}[{name}]"])
        mcse = float(row["mcse_mean"]) if np.isfinite(moments[1]) else None
        return {"pull": _finite(moments[0]), "constraint": _finite(moments[1]), "mcse": mcse}

    coefficients = coefficient_summaries(draws)
    return {
        **header_data(combination),
        **_goodness(combination),
        "determinant_of_weights": _determinant(combination, included=True),
        "correlations": posterior.attrs["correlations"],
        "engine": posterior.attrs["engine"],
        "seed": int(posterior.attrs["seed"]),
        "converged": verdict.passed,
        "verdict": verdict.sentence,
        "intervals": {"hdi68": HDI_KIND, "central68": CENTRAL_KIND, "sizes": CENTRAL_KIND},
        "parameters": {name: summary(result_summary(posterior, name), variable_name(name)) for name in names},
        "coefficients": {
            name: summary(found, f"rho[{name}]") for name, found in coefficients.items() if f"rho[{name}]" in diagnostics
        },
        "sizes": {
            name: {"low": low, "median": median, "high": high} for name, (low, median, high) in size_quantiles(draws).items()
        },
        "nuisances": {name: pull(name, moments) for name, moments in nuisance_moments(draws).items()},
        "divergences": verdict.divergences,
        "modes": json.loads(posterior.attrs.get("modes", "{}")).get("minima", []),
        "covariance": {
            "names": names,
            "matrix": [[_finite(v) for v in row] for row in result_covariance(posterior, names).tolist()],
        },
    }


def _goodness(combination: Combination) -> dict[str, Any]:
    """Goodness of fit of the inputs at nominal coefficients; null where those are infeasible under ``nuisance``."""
    try:
        fit = profile(combination)
    except InfeasibleCorrelationError:
        return {"chi2": None, "ndf": None, "p_value": None}
    return {"chi2": _finite(fit.chi2), "ndf": fit.ndf, "p_value": fit.p_value}


def scan_data(result: ScanResult) -> dict[str, Any]:
    """Scan rows with their points; a row that is nowhere feasible has no parameters and says why."""
    rows = []
    for row in result.rows:
        entry: dict[str, Any] = {
            "name": row.name,
            "title": row.title,
            "low": row.low,
            "high": row.high,
            "nominal": row.nominal,
            "published_half_shift": row.published_half_shift or None,
            "published_half_error_shift": row.published_half_error_shift or None,
            "parameters": {},
            "points": [_scan_point(point) for point in row.points],
        }
        if row.half_shift is None or row.half_error_shift is None:
            entry["problem"] = row.problem
        else:
            entry["parameters"] = {
                str(p): {
                    "half_shift": float(row.half_shift.sel(parameter=p)),
                    "half_error_shift": float(row.half_error_shift.sel(parameter=p)),
                }
                for p in row.half_shift["parameter"].to_numpy()
            }
        entry |= _scan_ends(row)
        rows.append(entry)
    return {**header_data(result.combination), "scan": rows}


def _scan_ends(row: ScanRow) -> dict[str, Any]:
    """Where a scan starts and ends in fact, and half of what covariances and correlations change by between."""
    found: dict[str, Any] = {
        "reached": None if row.reached is None else dict(zip(("low", "high"), row.reached, strict=True))
    }
    if row.cut:
        found["cut_by"] = list(row.blocks)
    if row.ends is not None:
        found["ends"] = [_scan_point(end) for end in row.ends]
    for key in ("covariance", "correlation"):
        shift = getattr(row, f"half_{key}_shift")
        if shift is not None:
            found[f"half_{key}_shift"] = _matrix(shift)
    return found


def _matrix(values: xr.DataArray) -> dict[str, Any]:
    return {"names": values["parameter"].to_numpy().tolist(), "matrix": values.to_numpy().tolist()}


def _scan_point(point: ScanPoint) -> dict[str, Any]:
    if point.values is None or point.errors is None or point.covariance is None:
        return {"coefficients": dict(point.coefficients), "problem": point.problem}
    return {
        "coefficients": dict(point.coefficients),
        "chi2": point.chi2,
        "parameters": {
            str(p): {"value": float(point.values.sel(parameter=p)), "error": float(point.errors.sel(parameter=p))}
            for p in point.values["parameter"].to_numpy()
        },
        "covariance": _matrix(point.covariance),
    }


def impact_data(result: ImpactResult) -> dict[str, Any]:
    """Impacts of each source, of each nuisance that is given by itself, of each group, of statistics and of all systematics.

    What not knowing the sizes of sources adds stands among the sources.
    """
    kinds = result.sources["kind"].to_numpy()

    def rows(values: xr.DataArray, *, of_nuisances: bool) -> dict[str, Any]:
        own = values.isel(source=(kinds == "nuisance") == of_nuisances)
        return {str(s): _mapping(own.isel(source=i), "parameter") for i, s in enumerate(own["source"].to_numpy())}

    whole = {
        **{PART_KEYS.get(label, label): _mapping(part, "parameter") for label, part in result.sums.items()},
        "coupling": _mapping(result.coupling, "parameter"),
    }
    data = {
        **header_data(result.combination),
        "parts": result.parts,
        "definition": result.definition,
        "groups": {str(g): _mapping(result.groups.sel(group=g), "parameter") for g in result.groups["group"].to_numpy()},
        "sources": rows(result.sources, of_nuisances=False),
        "nuisances": rows(result.sources, of_nuisances=True),
        "whole": whole,
    }
    if result.shifts is not None:
        data["shifts"] = rows(result.shifts, of_nuisances=True)
    return data


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison table, one entry per parameter."""
    table = comparison.table
    parameters = {
        str(p): {str(key): _finite(float(table[key].sel(parameter=p))) for key in table.data_vars}
        | {"mcse": _finite(float(table["mcse_mean"].sel(parameter=p)))}
        for p in table["parameter"].to_numpy()
    }
    return {**header_data(comparison.combination), "interval": INTERVAL, "interval_kind": HDI_KIND, "parameters": parameters}


def _mapping(values: xr.DataArray, dim: str) -> dict[str, float]:
    return {str(key): float(value) for key, value in zip(values[dim].to_numpy(), values.to_numpy(), strict=True)}


def study_data(study: xr.Dataset, combination: Combination) -> dict[str, Any]:
    """The study as JSON takes it; ``None`` where there is nothing."""

    def plain(value: Any) -> float | None:
        return None if math.isnan(float(value)) else float(value)

    found: dict[str, Any] = {}
    for name in study["quantity"].to_numpy():
        at = study.sel(quantity=name)
        entry: dict[str, Any] = {key: plain(at[key]) for key in ("rank_p_value", "rank_p_value_corrected")}
        for answer in study["answer"].to_numpy():
            own = at.sel(answer=answer)
            entry[str(answer)] = {
                key: plain(own[key]) for key in ("pull_mean", "pull_mean_error", "pull_width", "pull_width_error")
            } | {
                f"coverage{level}": [plain(own[key].sel(level=level)) for key in ("coverage", "coverage_error")]
                for level in study["level"].to_numpy()
            }
        found[str(name)] = entry
    return header_data(combination) | {key: int(value) for key, value in study.attrs.items()} | {"quantities": found}

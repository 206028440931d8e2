"""Results as plain data for JSON: full precision, every output with its assumption set, treatment and chi2 form."""

from __future__ import annotations

from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from bayescomb.comparison import INTERVAL, Comparison
from bayescomb.convergence import Verdict
from bayescomb.errors import InfeasibleCorrelationError
from bayescomb.impacts import ImpactResult
from bayescomb.inputs import Combination
from bayescomb.profile import ProfileResult, profile
from bayescomb.scan import ScanResult
from bayescomb.storage import combination_of

__all__ = ["comparison_data", "impact_data", "posterior_data", "profile_data", "scan_data"]


def _header(combination: Combination) -> dict[str, Any]:
    return {
        "model": combination.name,
        "assumptions": combination.assumptions,
        "treatment": combination.treatment,
        "repair": combination.repair,
    }


def profile_data(fit: ProfileResult) -> dict[str, Any]:
    """Profile result; ``up`` and ``down`` are signed, the constraint of a nuisance without posterior is null."""
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    constraints = dict(zip(fit.constraints["nuisance"].to_numpy(), fit.constraints.to_numpy(), strict=True))
    pulls = zip(fit.pulls["nuisance"].to_numpy(), fit.pulls.to_numpy(), strict=True)
    return {
        **_header(fit.combination),
        "chi2_form": fit.chi2_form,
        "chi2": fit.chi2,
        "ndf": fit.ndf,
        "p_value": fit.p_value,
        "parameters": {
            name: {
                "value": float(value),
                "error": float(error),
                "up": float(error),
                "down": -float(error),
                "statistical_error": float(statistical),
                "systematic_error": float(systematic),
            }
            for name, value, error, statistical, systematic in zip(
                names, fit.values, fit.errors, fit.statistical_errors, fit.systematic_errors, strict=True
            )
        },
        "weights": {name: _mapping(fit.weights.sel(parameter=name), "estimate") for name in names},
        "nuisances": {
            str(name): {
                "pull": float(pull),
                "constraint": float(constraints[name]) if name in constraints else None,
            }
            for name, pull in pulls
        },
        "covariance": {"names": names, "matrix": fit.covariance.to_numpy().tolist()},
        "repairs": [
            {"block": r.block, "how": r.how, "smallest_eigenvalue": r.smallest, "change": r.change} for r in fit.repairs
        ],
    }


def posterior_data(posterior: xr.DataTree, verdict: Verdict) -> dict[str, Any]:
    """Posterior summary: observables, coefficients and nuisances.

    chi2 is the profile's minimum at nominal coefficients, which is what the goodness of fit of the inputs is.
    """
    combination = combination_of(posterior)
    draws = posterior["posterior"].to_dataset()
    names = [o.name for o in combination.observables]
    diagnostics = {str(q): i for i, q in enumerate(verdict.table["quantity"].to_numpy())}

    def summary(values: xr.DataArray, quantity: str) -> dict[str, Any]:
        row = verdict.table.isel(quantity=diagnostics[quantity])
        hdi = np.ravel(az.hdi(values.to_numpy().ravel(), prob=INTERVAL))
        r_hat = float(row["r_hat"])
        return {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)),
            "median": float(values.median()),
            "hdi68": [float(hdi[0]), float(hdi[1])],
            "ess_bulk": float(row["ess_bulk"]),
            "ess_tail": float(row["ess_tail"]),
            "mcse_mean": float(row["mcse_mean"]),
            "r_hat": r_hat if np.isfinite(r_hat) else None,
        }

    flat = np.array([draws[name].to_numpy().ravel() for name in names])
    return {
        **_header(combination),
        "chi2_form": posterior.attrs["chi2_form"],
        **_goodness(combination),
        "correlations": posterior.attrs["correlations"],
        "engine": posterior.attrs["engine"],
        "seed": int(posterior.attrs["seed"]),
        "converged": verdict.passed,
        "verdict": verdict.sentence,
        "parameters": {name: summary(draws[name], name) for name in names},
        "coefficients": {
            name: summary(draws["rho"].sel(coefficient=name), f"rho[{name}]") for name in _labels(draws, "coefficient")
        },
        "nuisances": {name: _pull(draws["pull"].sel(nuisance=name)) for name in _labels(draws, "nuisance")},
        "divergences": verdict.divergences,
        "covariance": {"names": names, "matrix": np.atleast_2d(np.cov(flat)).tolist()},
    }


def _labels(draws: xr.Dataset, dim: str) -> list[str]:
    return [str(label) for label in draws[dim].to_numpy()] if dim in draws.dims else []


def _pull(values: xr.DataArray) -> dict[str, float]:
    return {"pull": float(values.mean()), "constraint": float(values.std(ddof=1))}


def _goodness(combination: Combination) -> dict[str, Any]:
    """Goodness of fit of the inputs at nominal coefficients; null where those are infeasible under ``nuisance``."""
    try:
        fit = profile(combination)
    except InfeasibleCorrelationError:
        return {"chi2": None, "ndf": None, "p_value": None}
    return {"chi2": fit.chi2, "ndf": fit.ndf, "p_value": fit.p_value}


def scan_data(result: ScanResult) -> dict[str, Any]:
    """Scan rows; a row whose ends are infeasible has no parameters and says why."""
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
        rows.append(entry)
    return {**_header(result.combination), "scan": rows}


def impact_data(result: ImpactResult) -> dict[str, Any]:
    """Impacts of each source, of statistics and of all systematics, and of each group."""
    sources = {str(s): _mapping(result.sources.sel(source=s), "parameter") for s in result.sources["source"].to_numpy()}
    whole = {
        "stat": _mapping(result.statistics, "parameter"),
        "syst": _mapping(result.systematics, "parameter"),
        "coupling": _mapping(result.coupling, "parameter"),
        "total": _mapping(result.total, "parameter"),
    }
    groups = {str(g): _mapping(result.groups.sel(group=g), "parameter") for g in result.groups["group"].to_numpy()}
    return {**_header(result.combination), "definition": result.definition, "impacts": sources | whole, "groups": groups}


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison table, one entry per parameter."""
    table = comparison.table
    parameters = {
        str(p): {str(key): float(table[key].sel(parameter=p)) for key in table.data_vars}
        for p in table["parameter"].to_numpy()
    }
    return {**_header(comparison.combination), "interval": INTERVAL, "parameters": parameters}


def _mapping(values: xr.DataArray, dim: str) -> dict[str, float]:
    return {str(key): float(value) for key, value in zip(values[dim].to_numpy(), values.to_numpy(), strict=True)}

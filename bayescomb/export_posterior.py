"""The posterior's part of an export: results, coefficients and nuisances after the data, and how they were sampled."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.comparison import compare
from bayescomb.convergence import Verdict, verdict
from bayescomb.errors import PosteriorError
from bayescomb.export_groups import finite
from bayescomb.profile import ProfileResult
from bayescomb.storage import is_extended, require_same_settings
from bayescomb.summary import (
    HDI_KIND,
    coefficient_summaries,
    mean_sd,
    nuisance_moments,
    posterior_quantiles,
    result_covariance,
    size_quantiles,
)
from bayescomb.variables import variable_name

__all__ = ["QUANTILES", "converged", "posterior_groups", "posterior_header"]

QUANTILES: Final = (0.025, 0.16, 0.5, 0.84, 0.975)
SUMMARY: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "mcse_mean", "mcse_sd", "coefficient_share")
RUN: Final[tuple[str, ...]] = (
    "seed", "draws", "tune", "chains", "interrupted", "correlations", "engine", "backend", "created",
)  # fmt: skip


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
        "posterior_coefficients": _coefficients(posterior, draws),
        "posterior_sizes": _sizes(draws),
        "posterior_nuisances": _nuisances(draws, [str(p) for p in fit.values["parameter"].to_numpy() if p not in names]),
    }
    return {name: group for name, group in groups.items() if all(group.sizes.values())}


def _by_name(table: xr.Dataset, names: list[str]) -> xr.Dataset:
    position = {str(q): i for i, q in enumerate(table["quantity"].to_numpy())}
    return table.isel(quantity=[position[name] for name in names])


def _coefficients(posterior: xr.DataTree, draws: xr.Dataset) -> xr.Dataset:
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


def _sizes(draws: xr.Dataset) -> xr.Dataset:
    found = size_quantiles(draws)
    columns = {
        key: ("uncertain_size", [row[i] for row in found.values()]) for i, key in enumerate(("low", "median", "high"))
    }
    return xr.Dataset(columns, {"uncertain_size": list(found)})


def _nuisances(draws: xr.Dataset, free: list[str]) -> xr.Dataset:
    moments = nuisance_moments(draws) | {
        name: mean_sd(draws[variable_name(name)]) for name in free if variable_name(name) in draws
    }
    mean, sd = ([m[i] for m in moments.values()] for i in (0, 1))
    return xr.Dataset({"mean": ("nuisance", mean), "sd": ("nuisance", sd)}, {"nuisance": list(moments)})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

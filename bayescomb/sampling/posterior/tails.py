"""Which moments a posterior has: of what falls off too slowly only quantiles are given.

Uncertain sizes give tails of known order (:func:`bayescomb.likelihood.uncertain_sizes.tail_degrees`); of everything else the
draws themselves tell, by the generalised Pareto distribution of the largest of them.
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats

from bayescomb.base.rounding import plain, significant
from bayescomb.inputs.variables import variable_name
from bayescomb.likelihood.uncertain_sizes import LEAST_DEGREES, tail_degrees
from bayescomb.sampling.plan import SamplingPlan

__all__ = ["QUANTILES_ONLY", "mark_tails", "quantiles_only"]

# Attribute of a variable of the posterior: why its mean and sd are not given; of a vector a JSON mapping by name.
QUANTILES_ONLY: Final = "quantiles_only"
# Pareto k above which averages of draws are not to be trusted (Vehtari et al., J. Mach. Learn. Res. 25 (2024) 72).
MAX_PARETO_K: Final = 0.7
LEAST_DRAWS: Final = 400


def mark_tails(plan: SamplingPlan, posterior: xr.Dataset) -> xr.Dataset:
    """The posterior with the reason beside every quantity of which only quantiles are to be given."""
    degrees: dict[str, float] = {}
    if plan.sizes and plan.theory is None:  # masses end with their tables
        correlation = plan.correlation(np.asarray(plan.weights(plan.initial, np.ones(len(plan.sizes))))[None])[0]
        degrees = tail_degrees(plan.sizes, plan.model, correlation)
    exact = {name: _no_moments(found) for name, found in degrees.items() if found <= LEAST_DEGREES}
    for name in plan.parameters:
        variable = variable_name(name)
        if variable in posterior:
            reason = exact.get(name) or _heavy(posterior[variable])
            if reason:
                posterior[variable].attrs[QUANTILES_ONLY] = reason
    for variable, dim in (("pull", "nuisance"), ("theory_pull", "theory_nuisance")):
        if variable not in posterior:
            continue
        reasons = {
            str(name): exact.get(str(name)) or _heavy(posterior[variable].sel({dim: name}))
            for name in posterior[dim].to_numpy()
        }
        reasons = {name: reason for name, reason in reasons.items() if reason}
        if reasons:
            posterior[variable].attrs[QUANTILES_ONLY] = json.dumps(reasons)
    return posterior


def _no_moments(degrees: float) -> str:
    missing = "the standard deviation does not exist" if degrees > 1 else "neither mean nor standard deviation exists"
    number = plain(significant(degrees, 3))
    return f"its tails are those of Student's t with {number} degrees of freedom, by sizes that are uncertain: {missing}"


def _heavy(values: xr.DataArray) -> str:
    """Why the draws themselves say that averages of them are not to be trusted; empty if they do not."""
    draws = values.transpose("chain", "draw").to_numpy()
    if draws.size < LEAST_DRAWS or draws.std() == 0:
        return ""
    k = float(np.max(array_stats.pareto_khat(draws, r_eff=1.0)))  # type: ignore[no-untyped-call]  # ArviZ has no types
    if not k > MAX_PARETO_K:
        return ""
    return f"the tails of its draws are too heavy for averages (Pareto k {plain(significant(k))})"


def quantiles_only(values: xr.DataArray) -> str:
    """Why mean and sd of a quantity are not given, empty if they are.

    Args:
        values: a variable of the posterior, or what is selected of one by the name of a nuisance.
    """
    reason = str(values.attrs.get(QUANTILES_ONLY, ""))
    if not reason.startswith("{"):
        return reason
    dims = [dim for dim in ("nuisance", "theory_nuisance") if dim in values.coords and not values[dim].ndim]
    names = [str(values[dim].item()) for dim in dims]
    return str(json.loads(reason).get(names[0], "")) if names else ""

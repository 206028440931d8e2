"""Numbers that only figures show: posterior densities, rank histograms of the chains, theory uncertainty of the bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.theory import theory
from bayescomb.sampling.posterior.summary import Sampled, conditional_gaussian, posterior_density, rank_counts

__all__ = ["MAX_PANELS", "RankHistogram", "exact_densities", "rank_histograms", "theory_sizes"]

MAX_PANELS: Final = 12  # parameters in one figure of small panels
# Quantities of the rank histograms, where the parameters are fewer.
MAX_RANKS: Final = 4


@dataclass(frozen=True, kw_only=True)
class RankHistogram:
    """Ranks of the draws of one quantity, per chain.

    Attributes:
        quantity: its name, as in the diagnostics.
        counts: draws per chain and bin, shape (chains, bins).
        expected: count of a flat histogram.
        spread: its standard deviation, given the effective sample size.
    """

    quantity: str
    counts: FloatArray
    expected: float
    spread: float


def rank_histograms(sampled: Sampled, parameters: list[str]) -> tuple[RankHistogram, ...]:
    """Parameters first, then the sampled coefficients with the smallest effective sample size."""
    draws, table = sampled.draws, sampled.verdict.table
    quantities = [variable_name(name) for name in parameters][:MAX_PANELS]
    if "rho" in draws:
        names = [f"rho[{name}]" for name in draws["coefficient"].to_numpy()]
        ess = table["ess_bulk"].sel(quantity=names).to_numpy()
        quantities += [names[i] for i in np.argsort(ess)[: max(MAX_RANKS - len(quantities), 0)]]
    found = []
    for quantity in quantities:
        values = draws[quantity] if quantity in draws else draws["rho"].sel(coefficient=quantity[4:-1])
        counts = rank_counts(values.transpose("chain", "draw").to_numpy())
        chains, bins = counts.shape
        expected = values.sizes["draw"] / bins
        independent = min(float(table["ess_bulk"].sel(quantity=quantity)) / values.size, 1.0)
        spread = math.sqrt(expected * (1 - 1 / bins) * max(1 - 1 / chains, 0.0) / max(independent, 1e-3))
        found.append(RankHistogram(quantity=quantity, counts=counts, expected=expected, spread=spread))
    return tuple(found)


def exact_densities(sampled: Sampled, parameters: list[str]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Parameter -> grid and density, where the moments given the coefficients of each draw are exact."""
    found = {name: conditional_gaussian(sampled.tree, name) for name in parameters}
    return {
        name: posterior_density(moments[0].to_numpy(), moments[1].to_numpy())
        for name, moments in found.items()
        if moments is not None
    }


def theory_sizes(fit: ProfileResult) -> dict[str, FloatArray]:
    """Prediction -> effect of one prior width of all its theory nuisances at the fit, in the unit of the bins shown."""
    compiled = theory(fit.combination)
    assert compiled is not None  # the profile is one of an extraction
    names = [*compiled.masses, *compiled.scales]
    central, shifts = compiled.predict(fit.values.sel(parameter=names).to_numpy())
    found, start = {}, 0
    for prediction in compiled.predictions:
        own = slice(start, start + len(prediction.observables))
        start = own.stop
        size = np.sqrt((shifts[own] ** 2).sum(axis=1))
        if compiled.extraction.distributions[prediction.name] == "normalised":  # the shifts are in that unit already
            size = size / float(central[own] @ np.asarray(prediction.divisors, dtype=float))
        found[prediction.name] = size
    return found

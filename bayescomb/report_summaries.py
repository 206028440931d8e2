"""Summaries of a posterior for the report: coefficients, nuisances, densities and rank histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata

from bayescomb.correlation import CorrelationFamily, correlation_family
from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import linear_model
from bayescomb.profile import ProfileResult
from bayescomb.summary import coefficient_summaries, nuisance_moments

__all__ = ["NuisanceRow", "coefficient_summary", "leading_pulls", "nuisance_rows", "posterior_density", "rank_counts"]

FloatArray = NDArray[np.float64]

MAX_PULLS: Final = 20
SUMMARISED: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean")


@dataclass(frozen=True, kw_only=True)
class NuisanceRow:
    """A nuisance parameter after the fit.

    Attributes:
        name, source: of the nuisance.
        pull, constraint: posterior mean and standard deviation in prior widths, ``None`` if it has no posterior.
        profile_pull, profile_constraint: the same of the profile at nominal coefficients, ``None`` where it has none.
        leader: the nuisance that stands for all that are fully correlated with it.
        followers: number of other nuisances a leader stands for.
    """

    name: str
    source: str
    pull: float | None
    constraint: float | None
    profile_pull: float | None
    profile_constraint: float | None
    leader: str
    followers: int = 0


def coefficient_summary(combination: Combination, prior: xr.Dataset | None, draws: xr.Dataset | None) -> xr.Dataset:
    """Summary of each coefficient, before and after the data.

    Args:
        combination: K coefficients.
        prior: draws ``rho`` of the prior, restricted to the feasible set.
        draws: draws ``rho`` of the posterior.

    Returns:
        Dim ``coefficient``: the numbers of :class:`bayescomb.summary.Summary` with the prefix ``prior_`` and ``posterior_``;
        NaN for what was not sampled.
    """
    names = [c.name for c in combination.assumption_set.coefficients]
    columns: dict[str, FloatArray] = {}
    for label, data in (("prior", prior), ("posterior", draws)):
        found = {} if data is None else {name: own.numbers for name, own in coefficient_summaries(data).items()}
        for key in SUMMARISED:
            columns[f"{label}_{key}"] = np.array([found[n][key] if n in found else np.nan for n in names], dtype=float)
    return xr.Dataset({key: ("coefficient", row) for key, row in columns.items()}, {"coefficient": names})


def nuisance_rows(fit: ProfileResult, draws: xr.Dataset | None) -> tuple[NuisanceRow, ...]:
    """All nuisances after the fit; those that are fully correlated whatever the coefficients share a leader."""
    family = correlation_family(fit.combination)
    leaders = _leaders(fit.combination, family)
    posterior = {} if draws is None else nuisance_moments(draws)
    centres = {str(n): float(v) for n, v in zip(fit.pulls["nuisance"].to_numpy(), fit.pulls.to_numpy(), strict=True)}
    widths_of = {
        str(n): float(v) for n, v in zip(fit.constraints["nuisance"].to_numpy(), fit.constraints.to_numpy(), strict=True)
    }
    rows = []
    for nuisance in fit.combination.nuisances:
        name = nuisance.name
        pull, constraint = posterior.get(name, (None, None))
        rows.append(
            NuisanceRow(
                name=name,
                source=nuisance.source,
                pull=pull,
                constraint=constraint,
                profile_pull=centres.get(name) if name in widths_of else None,
                profile_constraint=widths_of.get(name),
                leader=leaders[name],
                followers=sum(leader == name for leader in leaders.values()) - 1 if leaders[name] == name else 0,
            )
        )
    return tuple(rows)


def _leaders(combination: Combination, family: CorrelationFamily) -> dict[str, str]:
    """Name -> the fully correlated nuisance that moves the estimates most."""
    model = linear_model(combination)
    column = {name: i for i, name in enumerate(model.nuisances)}
    strength = np.array(
        [np.linalg.norm(model.loading[:, column[n]]) if n in column else np.inf for n in family.nuisances], dtype=float
    )
    leaders: dict[str, str] = {}
    for i, name in enumerate(family.nuisances):
        tied = np.flatnonzero(np.abs(family.base[i]) > 1 - 1e-12)
        leaders[name] = family.nuisances[tied[np.argmax(strength[tied])]]
    # In an indefinite matrix "fully correlated" need not be transitive; who is left without a leader leads itself.
    return {name: leader if leaders[leader] == leader else name for name, leader in leaders.items()}


def leading_pulls(rows: tuple[NuisanceRow, ...]) -> list[NuisanceRow]:
    """The largest pulls, one nuisance of every fully correlated set."""

    def size(row: NuisanceRow) -> float:
        value = row.pull if row.pull is not None else row.profile_pull
        return -1.0 if value is None else abs(value)

    shown = [row for row in rows if row.leader == row.name and size(row) >= 0]
    return sorted(shown, key=size, reverse=True)[:MAX_PULLS]


def posterior_density(mean: FloatArray, sd: FloatArray, *, points: int = 301) -> tuple[FloatArray, FloatArray]:
    """Marginal density of a parameter as the average of its exact conditional Gaussians.

    Args:
        mean: mean given each draw's coefficients, shape (n,).
        sd: standard deviation given each draw's coefficients, shape (n,).
        points: number of grid points.

    Returns:
        Grid and density, shape (points,) each, in the unit of the parameter and its inverse.

    Examples:
        >>> import numpy as np
        >>> x, y = posterior_density(np.zeros(2), np.ones(2))
        >>> round(float(np.trapezoid(y, x)), 3)
        1.0
    """
    mean, sd = np.ravel(mean), np.ravel(sd)
    centre, width = mean.mean(), np.sqrt(np.mean(sd**2) + mean.var())
    x = np.linspace(centre - 4 * width, centre + 4 * width, points)
    density = np.exp(-0.5 * ((x[:, None] - mean) / sd) ** 2) / sd
    return x, density.mean(axis=1) / np.sqrt(2 * np.pi)


def rank_counts(draws: FloatArray, *, bins: int = 20) -> FloatArray:
    """Rank histogram per chain, the ranks taken among the draws of all chains.

    Args:
        draws: shape (chains, draws).
        bins: number of bins.

    Returns:
        Shape (chains, bins).

    Examples:
        >>> import numpy as np
        >>> rank_counts(np.array([[1.0, 2.0], [3.0, 4.0]]), bins=2).tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """
    ranks = (rankdata(draws).reshape(draws.shape) - 0.5) / draws.size
    return np.array([np.histogram(chain, bins=bins, range=(0.0, 1.0))[0] for chain in ranks], dtype=float)

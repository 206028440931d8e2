"""Summaries of a posterior for the report: coefficients, nuisances, densities and rank histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata

from bayescomb.comparison import INTERVAL
from bayescomb.correlation import CorrelationFamily, correlation_family
from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import linear_model
from bayescomb.profile import ProfileResult

__all__ = ["NuisanceRow", "coefficient_summary", "leading_pulls", "nuisance_rows", "posterior_density", "rank_counts"]

FloatArray = NDArray[np.float64]

MAX_PULLS: Final = 20


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
    """Mean, standard deviation and central 68 % interval of each coefficient, before and after the data.

    Args:
        combination: K coefficients.
        prior: draws ``rho`` of the prior, restricted to the feasible set.
        draws: draws ``rho`` of the posterior.

    Returns:
        Dim ``coefficient``: ``prior_mean``, ``prior_sd``, ``prior_low``, ``prior_high`` and the same for ``posterior``, with
        ``posterior_median``; NaN for what was not sampled.
    """
    names = [c.name for c in combination.assumption_set.coefficients]
    tail = (1 - INTERVAL) / 2
    columns: dict[str, FloatArray] = {}
    for label, data in (("prior", prior), ("posterior", draws)):
        values = np.full((5, len(names)), np.nan)
        if data is not None and "rho" in data:
            rho = data["rho"].stack(sample=("chain", "draw"), create_index=False)
            for i, name in enumerate(names):
                if name in rho["coefficient"].to_numpy():
                    own = rho.sel(coefficient=name).to_numpy()
                    values[:, i] = [own.mean(), own.std(ddof=1), *np.quantile(own, [tail, 1 - tail, 0.5])]
        for key, row in zip(("mean", "sd", "low", "high", "median"), values, strict=True):
            columns[f"{label}_{key}"] = row
    return xr.Dataset({key: ("coefficient", row) for key, row in columns.items()}, {"coefficient": names})


def nuisance_rows(fit: ProfileResult, draws: xr.Dataset | None) -> tuple[NuisanceRow, ...]:
    """All nuisances after the fit; those that are fully correlated whatever the coefficients share a leader."""
    family = correlation_family(fit.combination)
    leaders = _leaders(fit.combination, family)
    pulls = (
        draws["pull"].stack(sample=("chain", "draw"), create_index=False) if draws is not None and "pull" in draws else None
    )
    posterior: dict[str, tuple[float, float]] = {}
    if pulls is not None:
        means, widths = pulls.mean("sample").to_numpy(), pulls.std("sample", ddof=1).to_numpy()
        names = [str(name) for name in pulls["nuisance"].to_numpy()]
        posterior = {name: (float(m), float(w)) for name, m, w in zip(names, means, widths, strict=True)}
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

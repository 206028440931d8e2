"""Nuisances after the fit, those that are fully correlated as one set with a leader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import CorrelationFamily, correlation_family
from bayescomb.likelihood.linear_gaussian import linear_model
from bayescomb.sampling.posterior.summary import Sampled

__all__ = ["NuisanceRow", "leading_pulls", "nuisance_rows"]

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


def nuisance_rows(fit: ProfileResult, sampled: Sampled | None) -> tuple[NuisanceRow, ...]:
    """All nuisances after the fit; those that are fully correlated whatever the coefficients share a leader."""
    family = correlation_family(fit.combination)
    # A free nuisance has no prior, hence no correlation in it.
    leaders = {n.name: n.name for n in fit.combination.nuisances} | _leaders(fit.combination, family)
    posterior = {} if sampled is None else sampled.nuisances
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
    # In an indefinite matrix "fully correlated" need not be transitive; a nuisance without partner forms its own group.
    return {name: leader if leaders[leader] == leader else name for name, leader in leaders.items()}


def leading_pulls(rows: tuple[NuisanceRow, ...]) -> list[NuisanceRow]:
    """The largest pulls, one nuisance of every fully correlated set."""

    def size(row: NuisanceRow) -> float:
        value = row.pull if row.pull is not None else row.profile_pull
        return -1.0 if value is None else abs(value)

    shown = [row for row in rows if row.leader == row.name and size(row) >= 0]
    return sorted(shown, key=size, reverse=True)[:MAX_PULLS]

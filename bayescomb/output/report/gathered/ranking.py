"""Nuisances after the fit: pulls, labels for readers, and their ranking by the shift of a result.

Fully correlated nuisances are one set, which one of them, its leader, represents.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.base.rounding import counted
from bayescomb.fit.impacts import ImpactResult
from bayescomb.fit.post_fit import post_fit_shifts
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.likelihood.correlation import CorrelationFamily, correlation_family
from bayescomb.likelihood.linear_gaussian import linear_model
from bayescomb.likelihood.theory import theory
from bayescomb.sampling.posterior.summary import Sampled

__all__ = ["NuisanceRow", "Ranked", "leading_nuisances", "leading_pulls", "nuisance_labels", "nuisance_rows", "ranked"]

# Nuisances of the correlation matrix.
LEADING: Final = 15
MAX_PULLS: Final = 20  # in the table and the figure of the largest pulls
# Shifts below this part of an error are rounding.
STILL: Final = 1e-8


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Effect of a nuisance, a group or a set of theory nuisances on a result.

    Attributes:
        label: for readers.
        name: of the nuisance; empty for a group.
        post_fit: shift of the result for the nuisance one post-fit width up; of a group its impact.
        pre_fit: shift of the result for the nuisance one prior width up, NaN for a group.
        pull, constraint: after the fit in prior widths, NaN for a group.
        group: whether it is one.
    """

    label: str
    name: str
    post_fit: float
    pre_fit: float
    pull: float
    constraint: float
    group: bool = False


def nuisance_labels(combination: Combination, rows: tuple[NuisanceRow, ...]) -> dict[str, str]:
    """Nuisance -> its source, experiment, and the number of inputs that share it: "LHC b-JES, CMS (9 inputs)".

    Where several sets would have the same label, the input is added, or the part of the name in which they differ.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.report.gathered.ranking import nuisance_labels, nuisance_rows
        >>> combination = bc.load("models/run1_mass")
        >>> labels = nuisance_labels(combination, nuisance_rows(bc.profile(combination), None))
        >>> labels["LHCbJES[j]"], labels["method[k]"]
        ('LHC b-JES, CMS (9 inputs)', 'Method, CMS lepton+jets 8 TeV')
    """
    owners = {n.name: m for m in combination.measurements for n in m.all_nuisances}
    titles = {s.name: s.title or s.name for s in combination.sources}
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row.leader, []).append(row.name)
    sources = {row.name: row.source for row in rows}
    heads: dict[str, str] = {}
    for leader, names in members.items():
        experiments = {owners[name].experiment for name in names}
        place = experiments.pop() if len(experiments) == 1 else ""
        title = titles.get(sources[leader], sources[leader]) or leader
        head = f"{title}, {place}" if place and not title.startswith(place) and sources[leader] else title
        inputs = len({owners[name].name for name in names})
        heads[leader] = f"{head} ({counted(inputs, 'inputs')})" if inputs > 1 else head
    shared = Counter(heads.values())
    first = {leader: titles.get(sources[leader], sources[leader]) or leader for leader in heads}
    distinct = {
        leader: head
        if shared[head] == 1
        else f"{first[leader]}, {_detail(leader, owners[leader], [name for name, own in heads.items() if own == head])}"
        for leader, head in heads.items()
    }
    # Where two sets still have the same label, the name of the leader is added.
    again = Counter(distinct.values())
    final = {leader: text if again[text] == 1 else f"{text} ({leader})" for leader, text in distinct.items()}
    return {row.name: final[row.leader] for row in rows}


def _detail(name: str, measurement: Measurement, alike: list[str]) -> str:
    """What distinguishes nuisances of one source: the only estimate of the input, else the end of the name."""
    if measurement.fit is None and len(measurement.estimates) == 1:
        estimate = measurement.estimates[0]
        return estimate.title or measurement.name
    first, last = min(alike), max(alike)  # of sorted texts these share the least
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    cut = max(first[:shared].rfind("_"), first[:shared].rfind(" ")) + 1  # whole words
    return name[cut:] or name


def ranked(
    parameter: str,
    fit: ProfileResult,
    impacts: ImpactResult,
    nuisances: Sequence[NuisanceRow],
    *,
    labels: Mapping[str, str],
) -> list[Ranked]:
    """Nuisances by their post-fit shift, one of every fully correlated set, the largest first; then groups and theory.

    Args:
        parameter: name of a result that its bound does not hold.
        fit: the profile.
        impacts: of the same combination.
        nuisances: of :func:`nuisance_rows`.
        labels: of :func:`nuisance_labels`.
    """
    known = {str(name) for name in fit.constraints["nuisance"].to_numpy()}
    leaders = [row.name for row in nuisances if row.leader == row.name and row.name in known]
    shifts = post_fit_shifts(fit, parameter).sel(nuisance=leaders)
    pulls, constraints = fit.pulls.sel(nuisance=leaders).to_numpy(), fit.constraints.sel(nuisance=leaders).to_numpy()
    post_fit, pre_fit = np.nan_to_num(shifts["post_fit"].to_numpy()), shifts["pre_fit"].to_numpy()
    rows = [
        Ranked(
            label=labels[leaders[i]],
            name=leaders[i],
            post_fit=float(post_fit[i]),
            pre_fit=float(pre_fit[i]),
            pull=float(pulls[i]),
            constraint=float(constraints[i]),
        )
        for i in np.argsort(-np.abs(post_fit), kind="stable")
    ]
    groups = [(str(g), float(impacts.groups.sel(group=g, parameter=parameter))) for g in impacts.groups["group"].to_numpy()]
    found = [(f"group {name}", value) for name, value in groups if value]
    found += [
        (f"theory: {name}{f' ({n} nuisances)' if n > 1 else ''}", value)
        for name, value, n in _theory(fit.combination, impacts, parameter)
        if value
    ]
    found.sort(key=lambda item: -abs(item[1]))
    nan = math.nan
    return rows + [
        Ranked(label=name, name="", post_fit=value, pre_fit=nan, pull=nan, constraint=nan, group=True)
        for name, value in found
    ]


def _theory(combination: Combination, impacts: ImpactResult, parameter: str) -> list[tuple[str, float, int]]:
    """Sources of a prediction with the number of their nuisances: members of a PDF set act together."""
    prediction = theory(combination)
    if prediction is None:
        return []
    counts = Counter(prediction.sources[name] for name in prediction.nuisances)
    sources = impacts.sources
    named = {str(name) for name in sources["source"].to_numpy()}
    return [(s, float(sources.sel(source=s, parameter=parameter)), n) for s, n in counts.items() if s in named]


def leading_nuisances(fit: ProfileResult, rankings: Mapping[str, Sequence[Ranked]]) -> list[str]:
    """The nuisances that move some result most, in units of its error.

    Args:
        fit: the profile.
        rankings: result -> its ranking, of :func:`ranked`.
    """
    size: dict[str, float] = {}
    for parameter, rows in rankings.items():
        error = float(fit.errors.sel(parameter=parameter))
        for row in rows:
            if row.name:
                size[row.name] = max(size.get(row.name, 0.0), abs(row.post_fit) / error)
    order = sorted(size, key=lambda name: -size[name])
    return [name for name in order[:LEADING] if size[name] > STILL]


@dataclass(frozen=True, kw_only=True)
class NuisanceRow:
    """A nuisance parameter after the fit.

    Attributes:
        name, source: of the nuisance.
        pull, constraint: posterior mean and standard deviation in prior widths, ``None`` if it has no posterior.
        profile_pull, profile_constraint: of the profile at nominal coefficients, ``None`` where it has none.
        leader: the nuisance that represents all that are fully correlated with it.
        followers: number of other nuisances that a leader represents.
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
    """All nuisances after the fit; those that are fully correlated for all values of the coefficients share a leader."""
    family = correlation_family(fit.combination)
    # A free nuisance has no prior, hence no correlation in it.
    leaders = {n.name: n.name for n in fit.combination.nuisances} | _leaders(fit.combination, family)
    posterior = {} if sampled is None else sampled.nuisances
    centres = {str(n): float(v) for n, v in zip(fit.pulls["nuisance"].to_numpy(), fit.pulls.to_numpy(), strict=True)}
    names = fit.constraints["nuisance"].to_numpy()
    widths_of = {str(n): float(v) for n, v in zip(names, fit.constraints.to_numpy(), strict=True)}
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
    """Nuisance -> of those that are fully correlated with it, the one that moves the estimates most."""
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

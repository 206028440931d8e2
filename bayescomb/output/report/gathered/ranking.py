"""Ranking of the nuisances: what each moves, in words that a reader of the note knows, and how they are correlated."""

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
from bayescomb.likelihood.theory import theory
from bayescomb.output.report.gathered.nuisances import NuisanceRow

__all__ = ["Ranked", "leading_nuisances", "nuisance_labels", "ranked"]

# Nuisances of the correlation matrix.
LEADING: Final = 15
# Shifts below this part of an error are rounding.
STILL: Final = 1e-8


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """What one nuisance, group or set of theory nuisances does to a result.

    Attributes:
        label: for people.
        name: of the nuisance; empty for a group.
        post_fit: shift of the result one post-fit width up; of a group its impact.
        pre_fit: the same one prior width up, NaN for a group.
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

    Where that names several nuisances the input is added, or what the nuisance's own name says beyond its experiment.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.report.gathered.ranking import nuisance_labels
        >>> from bayescomb.output.report.gathered.nuisances import nuisance_rows
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
    # A nuisance has the title of its set; where two would be equal it keeps its name.
    again = Counter(distinct.values())
    final = {leader: text if again[text] == 1 else f"{text} ({leader})" for leader, text in distinct.items()}
    return {row.name: final[row.leader] for row in rows}


def _detail(name: str, measurement: Measurement, alike: list[str]) -> str:
    """What tells nuisances of one source apart: the input, or what their names do not share where one has several."""
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
        nuisances: of :func:`bayescomb.output.report.gathered.nuisances.nuisance_rows`.
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
        rankings: result -> what :func:`ranked` says of it.
    """
    size: dict[str, float] = {}
    for parameter, rows in rankings.items():
        error = float(fit.errors.sel(parameter=parameter))
        for row in rows:
            if row.name:
                size[row.name] = max(size.get(row.name, 0.0), abs(row.post_fit) / error)
    order = sorted(size, key=lambda name: -size[name])
    return [name for name in order[:LEADING] if size[name] > STILL]

"""Pairs of nuisances that a coefficient of ``model.toml`` correlates, from experiments, estimates or patterns of names.

``between`` correlates nuisances of one source: ``["ATLAS", "CMS", "D0"]`` those of different experiments in the list,
``["ljets", "dilepton"]`` those of these estimates, ``"experiments"`` those of different experiments, and ``"all"`` every
pair, inside an experiment too.  A name of both an experiment and an estimate means the experiment.  ``blocks`` states
products of lists of estimates.  ``pairs`` states the nuisances themselves, by name or by pattern: every nuisance that
matches the first pattern is paired with every one that matches the second.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bayescomb.base.checks import check_names, known_name, located
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.values import entries, texts
from bayescomb.formats.wildcards import matching
from bayescomb.inputs.assumptions import CorrelationPair
from bayescomb.inputs.budget import nuisance_name
from bayescomb.inputs.measurements import Measurement

__all__ = ["ACROSS", "EVERYWHERE", "Scope", "category_pairs", "category_scope", "stated_pairs"]

# What ``between`` may be instead of a list.
EVERYWHERE: Final = "all"
ACROSS: Final = "experiments"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The nuisances that coefficients can correlate.

    Attributes:
        sources: known sources.
        experiments: experiment -> its estimates in the budget.
        members: source -> experiment -> label -> nuisance; the label of a nuisance of the budget is its estimate, that of
            any other nuisance is its name.
    """

    sources: Collection[str]
    experiments: Mapping[str, Sequence[str]]
    members: Mapping[str, Mapping[str, Mapping[str, str]]]

    def labels(self, source: str) -> dict[str, str]:
        """Label -> nuisance of a source, for all experiments."""
        return {label: name for found in self.members.get(source, {}).values() for label, name in found.items()}

    def nuisances(self) -> list[str]:
        """All nuisances."""
        return [name for source in self.members for name in self.labels(source).values()]


def category_scope(
    budget: Mapping[str, Sequence[str]],
    budget_sources: Sequence[str],
    measurements: Sequence[Measurement],
    *,
    sources: Collection[str],
) -> Scope:
    """The scope of a budget (experiment -> its estimates) and of other measurements."""
    experiments: dict[str, Sequence[str]] = dict(budget)
    members: dict[str, dict[str, dict[str, str]]] = {}
    for source in budget_sources:
        members[source] = {key: {e: nuisance_name(source, e) for e in names} for key, names in budget.items()}
    for measurement in measurements:
        experiments.setdefault(measurement.experiment, ())
        for nuisance in measurement.all_nuisances:
            found = members.setdefault(nuisance.source, {}).setdefault(measurement.experiment, {})
            found[nuisance.name] = nuisance.name
    return Scope(sources=sources, experiments=experiments, members=members)


def stated_pairs(table: Mapping[str, Any], where: str, scope: Scope) -> tuple[CorrelationPair, ...]:
    """Pairs of nuisances from ``pairs`` and ``opposite_pairs``, in this order.

    Raises:
        FileFormatError: a value is not a list of pairs of names.
        UnknownNameError: a pattern matches no nuisance.
        InvalidNumberError: a nuisance is paired with itself.
    """
    return (*_read_pairs(table, "pairs", 1, where, scope), *_read_pairs(table, "opposite_pairs", -1, where, scope))


def _read_pairs(table: Mapping[str, Any], key: str, sign: int, where: str, scope: Scope) -> list[CorrelationPair]:
    pairs: list[CorrelationPair] = []
    listed = table.get(key, [])
    if not isinstance(listed, list):
        msg = f"{where}.{key}: {listed!r} found, a list of pairs of nuisance names is needed"
        raise FileFormatError(msg)
    nuisances = scope.nuisances()
    for pair in listed:
        names, own = (pair[:2], pair[2:]) if isinstance(pair, list) else ([], [])
        if len(names) != 2 or not all(isinstance(p, str) for p in names) or not _is_sign(own, allowed=key == "pairs"):
            extra = ", with -1 behind them where the sign is opposite" if key == "pairs" else ""
            msg = f"{where}.{key}: {pair!r} found, a list of two nuisance names is needed{extra}"
            raise FileFormatError(msg)
        with located(f"{where}.{key}"):
            sides = [matching(name, nuisances) for name in names]
            for name, found in zip(names, sides, strict=True):
                if not found:
                    msg = f"pattern {name!r} matches no nuisance; the model has {', '.join(nuisances[:5])}, ..."
                    raise UnknownNameError(msg)
            signed = own[0] if own else sign
            several = len(sides[0]) * len(sides[1]) > 1
            seen = {frozenset((p.first, p.second)) for p in pairs}
            for first, second in itertools.product(*sides):
                if several and (first == second or frozenset((first, second)) in seen):
                    continue  # patterns that match the same nuisances: each pair once, no nuisance with itself
                seen.add(frozenset((first, second)))
                pairs.append(CorrelationPair(first=first, second=second, sign=signed))
    return pairs


def _is_sign(found: list[Any], *, allowed: bool) -> bool:
    """Whether the entries after two names are none, or one sign where that is allowed."""
    return not found or (allowed and len(found) == 1 and type(found[0]) is int and found[0] in (-1, 1))


def category_pairs(table: Mapping[str, Any], source: str, where: str, scope: Scope) -> tuple[CorrelationPair, ...]:
    """Pairs of nuisances from ``between`` or ``blocks``; the sign of a pair is the product of the signs of its members.

    Raises:
        FileFormatError, UnknownNameError, InvalidNumberError: for wrong content.
    """
    if not source:
        msg = f"{where}: 'between' and 'blocks' name estimates; name the 'source' whose nuisances are meant"
        raise FileFormatError(msg)
    if "between" in table:
        ends = _ends(table, source, where, scope)
        blocks = list(itertools.combinations(ends, 2))
    else:
        blocks = []
        for place, block in entries(table, "blocks", where=where, declared="assumption_sets.coefficients.blocks"):
            blocks.append((texts(block, "left", where=place), texts(block, "right", where=place)))
    nuisances = scope.labels(source)
    kind = "estimate" if all(label != name for label, name in nuisances.items()) else "estimate or nuisance"
    negative = texts(table, "negative", where=where, default=[])
    involved = list(dict.fromkeys(e for block in blocks for side in block for e in side))
    for name in involved:
        known_name(name, nuisances, kind=kind, where=where)
    check_names(negative, where=f"{where}.negative", allow_empty=True)
    for name in negative:
        known_name(name, involved, kind=f"{kind} of this coefficient", where=f"{where}.negative")
    with located(where):
        return tuple(
            CorrelationPair(first=nuisances[a], second=nuisances[b], sign=-1 if (a in negative) != (b in negative) else 1)
            for left, right in blocks
            for a in left
            for b in right
        )


def _ends(table: Mapping[str, Any], source: str, where: str, scope: Scope) -> list[list[str]]:
    """Lists of labels for the names in ``between``; any two lists are correlated."""
    place = f"{where}.between"
    members = {key: list(found) for key, found in scope.members.get(source, {}).items()}
    labels = list(scope.labels(source))
    value = table["between"]
    if value == EVERYWHERE:
        return [[label] for label in labels]
    if value == ACROSS:
        return [found for found in members.values() if found]
    if isinstance(value, str):
        msg = (
            f'{place}: {value!r} found, allowed are a list of experiments or estimates, "{ACROSS}" (across all of them) and '
            f'"{EVERYWHERE}" (every pair, inside an experiment too)'
        )
        raise FileFormatError(msg)
    names = texts(table, "between", where=where)
    if len(names) < 2:
        msg = f"{place}: {names!r} found, the names of two experiments or estimates are needed, or of more"
        raise FileFormatError(msg)
    ends = []
    for name in names:
        if name in labels and name not in scope.experiments:
            ends.append([name])
            continue
        # If no estimate is named, an unknown name must be a misspelled experiment.
        estimates = [end for end in ends if end not in members.values()]
        kind = "experiment or estimate" if estimates else "experiment"
        known_name(name, [*scope.experiments, *(labels if estimates else [])], kind=kind, where=place)
        ends.append(members.get(name, []))
    return ends

"""Nuisances of several inputs that are the same or correlated, by a stated relation or by a common name."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescomb.base.checks import FrozenMapping, check_mapping, check_names, known_name
from bayescomb.base.choices import SharedNameRule
from bayescomb.base.errors import DuplicateNameError, OptionError, UnknownNameError
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.assumptions.prior_shapes import PriorShape
from bayescomb.inputs.measurements import Measurement, Nuisance
from bayescomb.inputs.observables import Source

__all__ = ["Relation", "SharedNames", "related_nuisances", "shared_nuisances", "with_sources"]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A nuisance that several inputs have, each under a name of its own.

    Attributes:
        name: name of the coefficient, and of the source of members that name no source.
        members: measurement -> its nuisance; ``"-"`` before the name if its +1 sigma is -1 sigma of the others.
        nominal: correlation of the members; 1 by default (one and the same nuisance), 0 if they are not related.
        low, high: range of the correlation and support of its prior; ``None`` if it is not varied.
        prior: shape of the prior, see :class:`bayescomb.CorrelationCoefficient`.

    Examples:
        >>> import bayescomb as bc
        >>> jes = bc.Relation(name="JES", members={"North": "jes", "South": "scale_j"}, nominal=0.5, low=0.0, high=1.0)
        >>> jes.members["South"]
        'scale_j'
    """

    name: str
    members: Mapping[str, str]
    nominal: float = 1.0
    low: float | None = None
    high: float | None = None
    prior: PriorShape = "uniform"

    def __post_init__(self) -> None:
        where = f"relation {self.name!r}"
        check_names([self.name], where="name of a relation")
        check_mapping(self.members, where=f"members of {where}", example='{"North": "jes", "South": "scale_j"}')
        if len(self.members) < 2:
            msg = f"{where}: {len(self.members)} member found, a relation needs nuisances of at least two measurements"
            raise UnknownNameError(msg)
        object.__setattr__(self, "members", FrozenMapping(self.members))
        self.coefficient(())  # checks the numbers

    def coefficient(self, members: Iterable[tuple[str, int]]) -> CorrelationCoefficient:
        """The coefficient of all pairs of members.

        Args:
            members: name of each member in the combination, and its sign.
        """
        pairs = tuple(
            CorrelationPair(first=first, second=second, sign=sign * other)
            for (first, sign), (second, other) in itertools.combinations(members, 2)
        )
        return CorrelationCoefficient(
            name=self.name, pairs=pairs, nominal=self.nominal, low=self.low, high=self.high, prior=self.prior
        )


def related_nuisances(
    measurements: Sequence[Measurement], relations: Sequence[Relation], *, shared_names: SharedNameRule, where: str
) -> SharedNames:
    """Give every nuisance a name of its own, and every relation its coefficient.

    A name that two measurements use is one nuisance if ``shared_names`` is ``"same"``; a relation of it takes precedence.

    Raises:
        UnknownNameError: a relation names a measurement or a nuisance that does not exist.
        DuplicateNameError: two measurements use one name, with ``"error"`` and without a relation; or two relations have one
            name.
        OptionError: a free nuisance is shared.
    """
    check_names([m.name for m in measurements], where=f"{where}: measurements of combination", allow_empty=True)
    check_names([r.name for r in relations], where=f"{where}: relations", allow_empty=True)
    own = {m.name: [n.name for n in m.all_nuisances] for m in measurements}
    plain = [_plain(relation, own, where) for relation in relations]
    owners: dict[str, list[str]] = {}
    for measurement, nuisances in own.items():
        for name in nuisances:
            owners.setdefault(name, []).append(measurement)
    shared = {name: found for name, found in owners.items() if len(found) > 1}
    apart = {name for name, found in shared.items() if any(all(m.get(o, ("",))[0] == name for o in found) for m in plain)}
    stated = shared_nuisances(measurements, where=where, apart=apart)
    if shared_names == "error" and shared.keys() - apart:
        name = next(name for name in shared if name not in apart)
        msg = (
            f"{where}: measurements {' and '.join(map(repr, shared[name]))} have a nuisance {name!r} each; rename one, "
            'or write shared_names = "same" (--shared-names same) if they are one and the same nuisance, or state their '
            "correlation by a relation"
        )
        raise DuplicateNameError(msg)
    renamed = {
        m.name: dict(zip(own[m.name], (n.name for n in new.all_nuisances), strict=True))
        for m, new in zip(measurements, stated.measurements, strict=True)
    }
    coefficients, sources = list[CorrelationCoefficient](), dict[str, str]()
    for relation, members in zip(relations, plain, strict=True):
        names = [(renamed[m][nuisance], sign) for m, (nuisance, sign) in members.items()]
        coefficients.append(relation.coefficient(names))
        if relation.nominal or relation.low is not None:
            sources |= {name: relation.name for name, _ in names}
    return dataclasses.replace(
        stated,
        measurements=tuple(with_sources(m, sources) for m in stated.measurements),
        coefficients=tuple(coefficients),
        related=tuple(dict.fromkeys(sources.values())),
    )


def _plain(relation: Relation, own: Mapping[str, Sequence[str]], where: str) -> dict[str, tuple[str, int]]:
    """Measurement -> name and sign of its nuisance."""
    found = {}
    at = f"{where}: relation {relation.name!r}"
    for measurement, name in relation.members.items():
        known_name(measurement, own, kind="measurement", where=at)
        bare = name if name in own[measurement] else name.removeprefix("-")
        known_name(bare, own[measurement], kind=f"nuisance of {measurement!r}", where=at)
        found[measurement] = (bare, 1 if bare == name else -1)
    return found


@dataclass(frozen=True, kw_only=True)
class SharedNames:
    """Measurements whose nuisances all have different names, and the names that stand for one nuisance.

    Attributes:
        measurements: the first one that uses a shared name keeps it, the others get ``name_measurement``.
        copies: shared name -> names of its copies, the shared name first.
        coefficients: coefficients of the relations, for every assumption set.
        related: sources that the relations name.
    """

    measurements: tuple[Measurement, ...]
    copies: Mapping[str, tuple[str, ...]]
    coefficients: tuple[CorrelationCoefficient, ...] = ()
    related: tuple[str, ...] = ()

    def groups(self, groups: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Groups of nuisances with every copy of their members."""
        return {group: tuple(n for name in members for n in self._all(name)) for group, members in groups.items()}

    def sources(self, declared: Sequence[Source]) -> tuple[Source, ...]:
        """The declared sources, and one for each shared name or relation whose nuisances belonged to none."""
        known = {s.name for s in declared}
        own = {*self.copies, *self.related}
        used = (n.source for m in self.measurements for n in m.all_nuisances if n.source in own)
        return (*declared, *(Source(name=name) for name in dict.fromkeys(used) if name not in known))

    def assumptions(self, given: AssumptionSet) -> AssumptionSet:
        """The set in which a correlation with a shared name holds for each copy, and copies are correlated by 1."""
        if not self.copies and not self.coefficients:
            return given
        coefficients = [
            dataclasses.replace(
                c,
                pairs=tuple(
                    dataclasses.replace(pair, first=first, second=second)
                    for pair in c.pairs
                    for first, second in itertools.product(self._all(pair.first), self._all(pair.second))
                ),
            )
            for c in given.coefficients
        ]
        blocks = []
        for block in given.blocks:
            positions = [i for i, name in enumerate(block.nuisances) for _ in self._all(name)]
            correlation = block.correlation[np.ix_(positions, positions)]
            # The correlation of copies is stated once, below.
            correlation[np.equal.outer(positions, positions) & ~np.eye(len(positions), dtype=bool)] = 0.0
            names = tuple(n for name in block.nuisances for n in self._all(name))
            blocks.append(dataclasses.replace(block, nuisances=names, correlation=correlation))
        coefficients += [
            CorrelationCoefficient(
                name=f"{name} is one nuisance",
                pairs=tuple(CorrelationPair(first=a, second=b) for a, b in itertools.combinations(copies, 2)),
                nominal=1.0,
            )
            for name, copies in self.copies.items()
        ]
        coefficients += self.coefficients
        return dataclasses.replace(given, coefficients=tuple(coefficients), blocks=tuple(blocks))

    def _all(self, name: str) -> tuple[str, ...]:
        return self.copies.get(name, (name,))


def shared_nuisances(measurements: Sequence[Measurement], *, where: str, apart: Collection[str] = ()) -> SharedNames:
    """Give every nuisance a name of its own.

    Args:
        measurements: all of them.
        where: place, for messages.
        apart: shared names that are not one nuisance, as a relation states their correlation.

    Raises:
        OptionError: a free nuisance is shared; it has no prior in which its copies could be correlated.

    Examples:
        >>> import bayescomb as bc
        >>> first, second = (
        ...     bc.Measurement(name=name, estimates=(bc.Estimate(name=name, value=1.0, observables={"x": 1.0}),),
        ...         statistical_covariance=[[1.0]], nuisances=(bc.Nuisance(name="JES"),), responses=[[0.5]])
        ...     for name in ("ATLAS", "CMS")
        ... )
        >>> shared_nuisances([first, second], where="example").copies
        {'JES': ('JES', 'JES_CMS')}
    """
    owners: dict[str, list[str]] = {}
    for measurement in measurements:
        for nuisance in measurement.all_nuisances:
            owners.setdefault(nuisance.name, []).append(measurement.name)
    shared = {name for name, found in owners.items() if len(found) > 1}
    taken = {*owners, *(e.name for m in measurements for e in m.estimates)}
    copies: dict[str, list[str]] = {}
    renamed = []
    for measurement in measurements:
        names: dict[str, Nuisance] = {}
        for nuisance in (n for n in measurement.all_nuisances if n.name in shared):
            if nuisance.free:
                msg = (
                    f"{where}: nuisance {nuisance.name!r} of {' and '.join(map(repr, owners[nuisance.name]))} is free, so "
                    "that no prior can correlate its copies; rename one, or make it a result of both measurements, with one "
                    "observable for both"
                )
                raise OptionError(msg)
            one = "" if nuisance.name in apart else nuisance.name
            known = copies.setdefault(nuisance.name, [])
            own = _new_name(f"{nuisance.name}_{'_'.join(measurement.name.split())}", taken) if known else nuisance.name
            known.append(own)
            taken.add(own)
            names[nuisance.name] = dataclasses.replace(nuisance, name=own, source=nuisance.source or one)
        renamed.append(_with_nuisances(measurement, names))
    same = {name: tuple(found) for name, found in copies.items() if name not in apart}
    return SharedNames(measurements=tuple(renamed), copies=same)


def _new_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number appended if it is taken."""
    return next(n for n in itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2))) if n not in taken)


def with_sources(measurement: Measurement, sources: Mapping[str, str]) -> Measurement:
    """The measurement with these sources, by nuisance, for nuisances without a source."""
    names = {
        n.name: dataclasses.replace(n, source=sources[n.name])
        for n in measurement.all_nuisances
        if n.name in sources and not n.source
    }
    return _with_nuisances(measurement, names)


def _with_nuisances(measurement: Measurement, names: Mapping[str, Nuisance]) -> Measurement:
    """The measurement with some of its nuisances replaced."""
    if not names:
        return measurement
    fit = measurement.fit
    if fit is not None:
        fit = dataclasses.replace(fit, nuisances=tuple(names.get(n.name, n) for n in fit.nuisances))
    nuisances = tuple(names.get(n.name, n) for n in measurement.nuisances)
    return dataclasses.replace(measurement, nuisances=nuisances, fit=fit)

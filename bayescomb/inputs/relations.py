"""Which nuisances of several inputs are the same, or correlated: relations that are stated by their names."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bayescomb.base.checks import FrozenMapping, check_mapping, check_names, known_name
from bayescomb.base.choices import SharedNameRule
from bayescomb.base.errors import DuplicateNameError, UnknownNameError
from bayescomb.inputs.assumptions import CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.assumptions.prior_shapes import PriorShape
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.shared_names import SharedNames, shared_nuisances, with_sources

__all__ = ["Relation", "related_nuisances"]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A nuisance that several inputs have, each under a name of its own.

    Attributes:
        name: of the coefficient, and of the source of nuisances that name none.
        members: measurement -> its nuisance; ``"-"`` before the name says that its +1 sigma is -1 sigma of the others.
        nominal: their correlation; 1, one and the same nuisance, by default; 0 says that they are not related.
        low, high: range of the correlation and support of its prior; ``None`` if it is not varied.
        prior: its shape, see :class:`bayescomb.CorrelationCoefficient`.

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
            msg = f"{where}: {len(self.members)} member found, it relates nuisances of at least two measurements"
            raise UnknownNameError(msg)
        object.__setattr__(self, "members", FrozenMapping(self.members))
        self.coefficient(())  # which checks the numbers

    def coefficient(self, members: Iterable[tuple[str, int]]) -> CorrelationCoefficient:
        """The coefficient of all pairs of its members.

        Args:
            members: name of each in the combination, and its sign.
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

    A name that two measurements use is one nuisance if ``shared_names`` is ``"same"``, or what a relation says of it.

    Raises:
        UnknownNameError: a relation names a measurement or a nuisance that is not there.
        DuplicateNameError: two measurements have a nuisance of one name of which nothing is said, or two relations one
            name or one pair.
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
            'or write shared_names = "same" (--shared-names same) if they are one and the same nuisance; or state by '
            "relations what they are"
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
    """Measurement -> the name of its nuisance, and the sign that it has."""
    found = {}
    at = f"{where}: relation {relation.name!r}"
    for measurement, name in relation.members.items():
        known_name(measurement, own, kind="measurement", where=at)
        bare = name if name in own[measurement] else name.removeprefix("-")
        known_name(bare, own[measurement], kind=f"nuisance of {measurement!r}", where=at)
        found[measurement] = (bare, 1 if bare == name else -1)
    return found

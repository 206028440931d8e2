"""Nuisances that several inputs call by the same name, read as one nuisance: one copy per input, with a correlation of 1."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayescomb.base.errors import OptionError
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.measurements import Measurement, Nuisance
from bayescomb.inputs.observables import Source

__all__ = ["SharedNames", "shared_nuisances", "with_sources"]


@dataclass(frozen=True, kw_only=True)
class SharedNames:
    """Measurements whose nuisances have names of their own, and what was one nuisance.

    Attributes:
        measurements: the first of them keep the shared name, the others get ``name_measurement``.
        copies: shared name -> the names it has become, that name first.
        coefficients: what is stated besides of nuisances of several measurements, for every assumption set.
        related: sources that these name.
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
        """A set in which a correlation with a shared name is one with each of its copies, and that among copies is 1."""
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
            # That of the copies is stated once, below.
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
        where: place, for errors.
        apart: shared names that do not mean one nuisance; what they mean is said elsewhere.

    Raises:
        OptionError: a free nuisance is shared: it has no prior, so that its copies could not be correlated.

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
                    "that its copies have no prior in which they are the same; rename one, or make it a result of both, of "
                    "which one observable is measured twice"
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
    """The name, with a number where it is taken."""
    return next(n for n in itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2))) if n not in taken)


def with_sources(measurement: Measurement, sources: Mapping[str, str]) -> Measurement:
    """The measurement with the sources of some nuisances, by name, where these have none."""
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

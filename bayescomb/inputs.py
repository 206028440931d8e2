"""What goes into a combination: the budget (who measured what) and the assumptions (what is correlated).

All classes are frozen, hold read-only arrays and are checked when they are built; the two tables meet only in
:class:`Combination`.  Vocabulary: a *measurement* publishes *estimates* (measured numbers); a *nuisance* has a unit-width
Gaussian prior; a *response* is the shift of an estimate per +1 sigma of a nuisance; an *observable* is a combined quantity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.assumptions import AssumptionSet
from bayescomb.checks import (
    check_choice,
    check_covariance,
    check_finite,
    check_names,
    check_shape,
    frozen_array,
    known_name,
)
from bayescomb.errors import DuplicateNameError, InvalidNumberError, UnderdeterminedError
from bayescomb.frozen import FrozenMapping

__all__ = [
    "REPAIRS",
    "TREATMENTS",
    "Combination",
    "Estimate",
    "FittedInput",
    "Measurement",
    "Nuisance",
    "Observable",
    "Provenance",
    "Source",
]

TREATMENTS: Final = ("covariance", "nuisance")
REPAIRS: Final = ("none", "shift", "clip", "nearest")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a table of figures comes from.

    Attributes:
        table: name of the table, e.g. ``"budget"``.
        kind: ``"published"``, ``"reconstructed"`` or ``"assumed"``.
        origin: publication or argument that the figures rest on.
        note: what was done to the figures on the way, empty if nothing.
    """

    table: str
    kind: str
    origin: str
    note: str = ""

    def __post_init__(self) -> None:
        check_choice(self.kind, ("published", "reconstructed", "assumed"), where=f"provenance of {self.table}")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of systematic uncertainty, shared in name by the nuisances that belong to it."""

    name: str
    title: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Observable:
    """A combined quantity, flat a priori unless a prediction says otherwise."""

    name: str
    unit: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """A nuisance parameter with a N(0, 1) prior; ``free`` ones (of a fitted input) have no prior."""

    name: str
    source: str = ""
    free: bool = False


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A measured number.

    Attributes:
        name: unique name.
        value: measured value in the unit of the measurement.
        observables: linear map to the observables, name -> coefficient (``{"m_t": 1.0}`` for a direct measurement).
        title: text for tables and figures.
    """

    name: str
    value: float
    observables: Mapping[str, float]
    title: str = ""

    def __post_init__(self) -> None:
        check_finite([self.value, *self.observables.values()], where=f"estimate {self.name!r}")
        if not any(self.observables.values()):
            msg = f"estimate {self.name!r}: it belongs to no observable; give at least one non-zero coefficient"
            raise InvalidNumberError(msg)
        object.__setattr__(self, "observables", FrozenMapping(self.observables))


@dataclass(frozen=True, kw_only=True)
class FittedInput:
    """Result of an input's own fit of (estimates, nuisances), its nuisance priors included.

    Attributes:
        nuisances: the fitted nuisances, in the order of the rows after the estimates.
        information: inverse of the post-fit covariance, shape (n_estimates + n_nuisances,) * 2, estimates first.
        pulls: post-fit nuisance values in units of the prior width, shape (n_nuisances,).
    """

    nuisances: tuple[Nuisance, ...]
    information: NDArray[np.float64]
    pulls: NDArray[np.float64]

    def __post_init__(self) -> None:
        where = "fitted input"
        object.__setattr__(self, "nuisances", tuple(self.nuisances))
        information = check_covariance(self.information, where=f"information of the {where}", definite=True)
        object.__setattr__(self, "information", information)
        pulls = check_finite(self.pulls, where=f"pulls of the {where}")
        object.__setattr__(self, "pulls", check_shape(pulls, (len(self.nuisances),), where=f"pulls of the {where}"))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One publication's estimates with their uncertainties.

    Attributes:
        name: unique name.
        experiment: collaboration, used by category coefficients.
        estimates: the measured numbers, n of them.
        statistical_covariance: shape (n, n), positive definite, in the unit of the estimates squared; ``None`` if ``fit``
            carries the statistical information.
        nuisances: externalised nuisances, m of them.
        responses: shape (n, m), shift of each estimate per +1 sigma of each nuisance, in the unit of the estimates.
        fit: profiled input, if there is one; the externalised nuisances then come on top of it.
    """

    name: str
    estimates: tuple[Estimate, ...]
    experiment: str = ""
    statistical_covariance: NDArray[np.float64] | None = None
    nuisances: tuple[Nuisance, ...] = ()
    responses: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    fit: FittedInput | None = None

    def __post_init__(self) -> None:
        where = f"measurement {self.name!r}"
        for key in ("estimates", "nuisances"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        n_estimates, n_nuisances = len(self.estimates), len(self.nuisances)
        check_names([e.name for e in self.estimates], where=f"estimates of {where}")
        responses = check_finite(self.responses, where=f"responses of {where}")
        if n_nuisances == 0:
            responses = np.zeros((n_estimates, 0))
        responses = check_shape(responses, (n_estimates, n_nuisances), where=f"responses of {where}")
        object.__setattr__(self, "responses", frozen_array(responses))
        if (self.statistical_covariance is None) == (self.fit is None):
            msg = f"{where}: give either a statistical covariance or a fitted input, not both and not neither"
            raise UnderdeterminedError(msg)
        if self.statistical_covariance is not None:
            covariance = check_covariance(
                self.statistical_covariance, where=f"statistical covariance of {where}", definite=True
            )
            covariance = check_shape(covariance, (n_estimates,) * 2, where=f"statistical covariance of {where}")
            object.__setattr__(self, "statistical_covariance", covariance)
        if self.fit is not None:
            size = n_estimates + len(self.fit.nuisances)
            check_shape(self.fit.information, (size, size), where=f"information of {where}")
        free = [n.name for n in self.nuisances if n.free]
        if free:
            msg = f"{where}: externalised nuisances {free} are free; only nuisances of a fitted input can be"
            raise UnderdeterminedError(msg)

    @property
    def all_nuisances(self) -> tuple[Nuisance, ...]:
        """Nuisances of the fit first, then the externalised ones."""
        return (*(self.fit.nuisances if self.fit else ()), *self.nuisances)


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Measurements, observables and the assumption set in force.

    Attributes:
        name: short name, used for file names.
        measurements: the budget.
        observables: the combined quantities.
        assumption_sets: name -> :class:`AssumptionSet`.
        assumptions: name of the set in force; every output names it.
        treatment: ``"covariance"`` (the sources' covariances are summed as given; only the total must be positive
            definite) or ``"nuisance"`` (one nuisance per estimate and source; each source matrix must be a correlation
            matrix).
        repair: what to do with a fixed infeasible source matrix under ``"nuisance"``; ``"none"`` is an error.
        sources: titles and groups of the sources.
        provenance: where the figures come from.
        title: one line for people.
    """

    name: str
    measurements: tuple[Measurement, ...]
    observables: tuple[Observable, ...]
    assumption_sets: Mapping[str, AssumptionSet]
    assumptions: str
    treatment: str = "nuisance"
    repair: str = "none"
    sources: tuple[Source, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        for key in ("measurements", "observables", "sources", "provenance"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        object.__setattr__(self, "assumption_sets", FrozenMapping(self.assumption_sets))
        where = f"combination {self.name!r}"
        check_choice(self.treatment, TREATMENTS, where=f"treatment of {where}")
        check_choice(self.repair, REPAIRS, where=f"repair of {where}")
        known_name(self.assumptions, self.assumption_sets, kind="assumption set", where=where)
        check_names([m.name for m in self.measurements], where=f"measurements of {where}")
        check_names([s.name for s in self.sources], where=f"sources of {where}", allow_empty=True)
        # One namespace: results are addressed by the names of observables, estimates and nuisances alike.
        names = [o.name for o in self.observables] + [e.name for e in self.estimates]
        check_names(names + [n.name for n in self.nuisances], where=f"observables, estimates and nuisances of {where}")
        observables = [o.name for o in self.observables]
        for estimate in self.estimates:
            for name in estimate.observables:
                known_name(name, observables, kind="observable", where=f"estimate {estimate.name!r}")
        for assumption_set in self.assumption_sets.values():
            _check_assumptions(assumption_set, self.nuisances)
        design = self.design
        if np.linalg.matrix_rank(design) < len(self.observables):
            idle = [o for o, column in zip(observables, design.T, strict=True) if not column.any()]
            msg = (
                f"{where}: {len(self.estimates)} estimates do not determine the {len(observables)} observables"
                f"{f' (no estimate for {idle})' if idle else ''}; add an estimate or drop an observable"
            )
            raise UnderdeterminedError(msg)

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """All estimates, in the order of the measurements."""
        return tuple(e for m in self.measurements for e in m.estimates)

    @property
    def nuisances(self) -> tuple[Nuisance, ...]:
        """All nuisances, in the order of the measurements, those of a fit first."""
        return tuple(n for m in self.measurements for n in m.all_nuisances)

    @property
    def design(self) -> NDArray[np.float64]:
        """Linear map from observables to estimates, shape (n_estimates, n_observables)."""
        rows = [[e.observables.get(o.name, 0.0) for o in self.observables] for e in self.estimates]
        return np.array(rows, dtype=float).reshape(len(self.estimates), len(self.observables))

    @property
    def assumption_set(self) -> AssumptionSet:
        """The assumption set in force."""
        return self.assumption_sets[self.assumptions]

    def with_assumptions(self, name: str) -> Combination:
        """The same combination under another assumption set.

        Raises:
            UnknownNameError: there is no set of that name.
        """
        return dataclasses.replace(self, assumptions=name)

    def with_treatment(self, treatment: str, *, repair: str = "none") -> Combination:
        """The same combination with another treatment of its sources.

        Raises:
            OptionError: the treatment or the repair is not one that is offered.
        """
        return dataclasses.replace(self, treatment=treatment, repair=repair)

    def only(self, experiments: Iterable[str]) -> Combination:
        """The combination of the measurements of some experiments alone.

        Correlations that involve a nuisance of a dropped measurement go with it.

        Raises:
            UnknownNameError: an experiment has no measurement here.
        """
        experiments = list(experiments)
        for name in experiments:
            known_name(name, [m.experiment for m in self.measurements], kind="experiment", where=f"{self.name!r}")
        kept = tuple(m for m in self.measurements if m.experiment in experiments)
        names = {n.name for m in kept for n in m.all_nuisances}
        sets = {key: value.restricted_to(names) for key, value in self.assumption_sets.items()}
        changes: dict[str, Any] = {"measurements": kept, "assumption_sets": sets}
        return dataclasses.replace(self, **changes)


def _check_assumptions(assumption_set: AssumptionSet, nuisances: Iterable[Nuisance]) -> None:
    """Every name must exist, no correlation may be stated twice, free nuisances have no prior to correlate."""
    free = {n.name: n.free for n in nuisances}
    stated: dict[frozenset[str], str] = {}

    def state(first: str, second: str, owner: str) -> None:
        where = f"assumption set {assumption_set.name!r}, {owner}"
        for name in (first, second):
            known_name(name, free, kind="nuisance", where=where)
            if free[name]:
                msg = f"{where}: nuisance {name!r} is free, it has no prior that could be correlated; remove the pair"
                raise UnderdeterminedError(msg)
        key = frozenset((first, second))
        if key in stated:
            msg = f"{where}: the correlation of {first!r} and {second!r} is already stated by {stated[key]}; keep one"
            raise DuplicateNameError(msg)
        stated[key] = owner

    for coefficient in assumption_set.coefficients:
        for pair in coefficient.pairs:
            state(pair.first, pair.second, f"coefficient {coefficient.name!r}")
    for block in assumption_set.blocks:
        for i, first in enumerate(block.nuisances):
            known_name(first, free, kind="nuisance", where=f"assumption set {assumption_set.name!r}, {block.name!r}")
            for j in np.flatnonzero(block.correlation[i, :i]):
                state(first, block.nuisances[j], f"block {block.name!r}")

"""A budget: one row per estimate, one size per source, however it was written.

Each row is a measurement of its own unless it names another; the nuisance of source S and estimate e is called ``S[e]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bayescomb.base.checks import known_name, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.inputs.assumptions import AssumptionSet
from bayescomb.inputs.measurements import Estimate, Measurement, Nuisance

__all__ = [
    "BUDGET_COLUMNS",
    "OPTIONAL_BUDGET_COLUMNS",
    "Budget",
    "BudgetRow",
    "budget_of",
    "check_source_columns",
    "nuisance_name",
    "unstated_pairs",
]

BUDGET_COLUMNS: Final = ("estimate", "experiment", "observable", "value", "stat")
OPTIONAL_BUDGET_COLUMNS: Final = ("title", "measurement")


@dataclass(frozen=True, kw_only=True)
class BudgetRow:
    """One estimate of a budget.

    Attributes:
        where: place of the row, for messages.
        estimate, experiment, observable, title: of the estimate.
        measurement: to which it belongs; empty for one of its own.
        value, stat: measured value and its statistical uncertainty.
        sizes: source -> its uncertainty, 0 where it does not apply.
    """

    where: str
    estimate: str
    experiment: str
    observable: str
    value: float
    stat: float
    sizes: Mapping[str, float]
    title: str = ""
    measurement: str = ""


def nuisance_name(source: str, estimate: str) -> str:
    """Name of the nuisance of one source in one estimate."""
    return f"{source}[{estimate}]"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The content of a budget.

    Attributes:
        measurements: in the order of their first rows.
        experiments: experiment -> its estimates, in the order of the rows.
        sources: sources that have a column.
    """

    measurements: tuple[Measurement, ...] = ()
    experiments: Mapping[str, list[str]] = field(default_factory=dict)
    sources: Sequence[str] = ()

    def affected(self, source: str, experiment: str) -> list[str]:
        """Estimates of an experiment that a source shifts."""
        shifting = {n.name for m in self.measurements for n, r in zip(m.nuisances, m.responses.T, strict=True) if r.any()}
        return [name for name in self.experiments[experiment] if nuisance_name(source, name) in shifting]


def check_source_columns(sources: Iterable[str], *, where: str) -> None:
    """No source has the name of a column.

    Raises:
        DuplicateNameError: one has.
    """
    for name in sources:
        if name in (*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS):
            msg = f"{where}: source {name!r} found, a column of the budget has that name already; rename the source"
            raise DuplicateNameError(msg)


def budget_of(rows: Iterable[BudgetRow], *, observables: Collection[str], sources: Sequence[str]) -> Budget:
    """The budget of some rows.

    Args:
        rows: in their order.
        observables: known observables.
        sources: that the rows have sizes of.

    Raises:
        UnknownNameError, DuplicateNameError, FileFormatError, InvalidNumberError: as the content demands, each with the
            place of the row.
    """
    groups: dict[str, list[BudgetRow]] = {}
    seen: set[str] = set()
    experiments: dict[str, list[str]] = {}
    for row in rows:
        if row.estimate in seen:
            msg = f"{row.where}: estimate {row.estimate!r} stands twice; every estimate needs its own name"
            raise DuplicateNameError(msg)
        seen.add(row.estimate)
        if not row.experiment:
            msg = f"{row.where}, column 'experiment': empty; name the experiment, correlations are stated by it"
            raise FileFormatError(msg)
        known_name(row.observable, observables, kind="observable", where=row.where)
        experiments.setdefault(row.experiment, []).append(row.estimate)
        groups.setdefault(row.measurement or row.estimate, []).append(row)
    measurements = tuple(_measurement(name, group, sources) for name, group in groups.items())
    return Budget(measurements=measurements, experiments=experiments, sources=sources)


def _measurement(name: str, rows: Sequence[BudgetRow], sources: Sequence[str]) -> Measurement:
    """A measurement from its rows: uncorrelated statistics, one nuisance per estimate and source."""
    estimates, nuisances = [], []
    responses = np.zeros((len(rows), len(rows) * len(sources)))
    stat = np.array([row.stat for row in rows])
    for i, row in enumerate(rows):
        if row.experiment != rows[0].experiment:
            msg = f"{row.where}: measurement {name!r} has estimates of two experiments; give each its own measurement"
            raise FileFormatError(msg)
        observable = {row.observable: 1.0}
        estimates.append(Estimate(name=row.estimate, value=row.value, observables=observable, title=row.title))
        if row.stat <= 0:
            msg = f"{row.where}, column 'stat': {row.stat:g} found, a statistical uncertainty is above 0; correct it"
            raise InvalidNumberError(msg)
        for j, source in enumerate(sources):
            size = row.sizes[source]
            if size < 0:
                msg = (
                    f"{row.where}, column {source!r}: {size:g} found, an uncertainty is not negative; give its size "
                    "here and its sign in the correlations"
                )
                raise InvalidNumberError(msg)
            responses[i, i * len(sources) + j] = size
            nuisances.append(Nuisance(name=nuisance_name(source, row.estimate), source=source))
    with located(rows[0].where):
        return Measurement(
            name=name,
            experiment=rows[0].experiment,
            estimates=tuple(estimates),
            statistical_covariance=np.diag(stat**2),
            nuisances=tuple(nuisances),
            responses=responses,
        )


def unstated_pairs(budget: Budget, sets: Mapping[str, AssumptionSet]) -> Iterator[tuple[str, str, str, str]]:
    """Source, two estimates and their experiment, where neither a block nor a coefficient of any set speaks of them."""
    blocks = list({id(b): set(b.nuisances) for s in sets.values() for b in s.blocks}.values())
    pairs = {frozenset((p.first, p.second)) for s in sets.values() for c in s.coefficients for p in c.pairs}
    for source in budget.sources:
        for experiment in budget.experiments:
            for first, second in itertools.combinations(budget.affected(source, experiment), 2):
                pair = {nuisance_name(source, first), nuisance_name(source, second)}
                if pair not in pairs and not any(pair <= block for block in blocks):
                    yield source, first, second, experiment

"""A budget: one row per estimate, with a size for each source, from files, pandas or Python.

Each row is a measurement of its own unless it names another; the nuisance of source S and estimate e is called ``S[e]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_correlation_entry, check_finite, check_mapping, check_names, known_name, located
from bayescomb.base.choices import ResponseForm
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, OptionError
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.measurements import Estimate, LikelihoodTable, Measurement, Nuisance, asymmetric_statistics
from bayescomb.inputs.observables import Observable, Source

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BUDGET_COLUMNS",
    "OPTIONAL_BUDGET_COLUMNS",
    "UNCORRELATED",
    "Between",
    "Budget",
    "BudgetRow",
    "Within",
    "budget_of",
    "check_source_columns",
    "fields_from_dataframe",
    "nuisance_name",
    "unstated_pairs",
]

BUDGET_COLUMNS: Final = ("estimate", "experiment", "observable", "value", "stat")
OPTIONAL_BUDGET_COLUMNS: Final = ("title", "measurement")

type Size = float | tuple[float, float]

UNCORRELATED: Final = "uncorrelated"
# One number for all pairs of estimates of an experiment, or a correlation matrix labelled by estimates.
Within = Mapping[str, Any]
# Nominal value, or nominal value and range.
Between = Mapping[str, "float | tuple[float, float, float]"]


@dataclass(frozen=True, kw_only=True)
class BudgetRow:
    """One estimate of a budget.

    Attributes:
        where: place of the row, for messages.
        estimate, experiment, observable, title: names and title of the estimate.
        measurement: measurement to which it belongs; empty for one of its own.
        value, stat: measured value and its statistical uncertainty.
        sizes: source -> its uncertainty, 0 where it does not apply.
        likelihood: table of -2 ln L, which then gives the value.

    An uncertainty is a size, or the pair of shifts of the value by +1 and by -1 sigma.
    """

    where: str
    estimate: str
    experiment: str
    observable: str
    value: float
    stat: Size
    sizes: Mapping[str, Size]
    title: str = ""
    measurement: str = ""
    likelihood: LikelihoodTable | None = None


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
        shifting = {
            nuisance.name
            for m in self.measurements
            for nuisance, up, down in zip(m.nuisances, *(shifts.T for shifts in m.all_responses), strict=True)
            if up.any() or down.any()
        }
        return [name for name in self.experiments[experiment] if nuisance_name(source, name) in shifting]


def check_source_columns(sources: Iterable[str], *, where: str) -> None:
    """Require that no source has the name of a column.

    Raises:
        DuplicateNameError: a source has one.
    """
    for name in sources:
        if name in (*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS):
            msg = f"{where}: source {name!r} found, a column of the budget has that name already; rename the source"
            raise DuplicateNameError(msg)


def budget_of(
    rows: Iterable[BudgetRow],
    *,
    observables: Collection[str],
    sources: Sequence[str],
    responses: Mapping[str, ResponseForm] | None = None,
    statistical_correlation: FloatArray | None = None,
) -> Budget:
    """The budget of some rows.

    Args:
        rows: n rows, in their order.
        observables: known observables.
        sources: sources with a size in every row.
        responses: source -> form of its response, absolute by default.
        statistical_correlation: of the estimates, shape (n, n); estimates with correlated statistics are one measurement.

    Raises:
        UnknownNameError, DuplicateNameError, FileFormatError, InvalidNumberError: as the content demands, each with the
            place of the row.
    """
    rows = list(rows)
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
    correlation = np.eye(len(rows)) if statistical_correlation is None else statistical_correlation
    measurements = tuple(
        _measurement(name, [rows[i] for i in at], sources, responses or {}, correlation[np.ix_(at, at)])
        for name, at in _groups(rows, correlation).items()
    )
    return Budget(measurements=measurements, experiments=experiments, sources=sources)


def _groups(rows: Sequence[BudgetRow], correlation: FloatArray) -> dict[str, list[int]]:
    """Measurement -> positions of its rows: rows with one name, or with correlated statistics, are one measurement."""
    names = [row.measurement or row.estimate for row in rows]
    owner = list(range(len(rows)))
    for i, j in itertools.combinations(range(len(rows)), 2):
        if names[i] != names[j] and not correlation[i, j]:
            continue
        if correlation[i, j] and rows[i].experiment != rows[j].experiment:
            msg = (
                f"{rows[i].where}: statistics of {rows[i].estimate!r} and {rows[j].estimate!r} are correlated, but they are "
                "of two experiments, whose statistics are independent; state what they have in common as a source"
            )
            raise FileFormatError(msg)
        low, high = sorted((owner[i], owner[j]))
        owner = [low if o == high else o for o in owner]
    found: dict[int, list[int]] = {}
    for i, o in enumerate(owner):
        found.setdefault(o, []).append(i)
    return {" + ".join(dict.fromkeys(names[i] for i in at)): at for at in found.values()}


def _measurement(
    name: str,
    rows: Sequence[BudgetRow],
    sources: Sequence[str],
    responses: Mapping[str, ResponseForm],
    correlation: FloatArray,
) -> Measurement:
    """A measurement from its rows and the correlation of its statistics: one nuisance per estimate and source."""
    estimates, nuisances = [], []
    shifts = np.zeros((2, len(rows), len(rows) * len(sources)))
    stat = np.array([_statistical(row) for row in rows])
    for i, row in enumerate(rows):
        if row.experiment != rows[0].experiment:
            msg = f"{row.where}: measurement {name!r} has estimates of two experiments; give each its own measurement"
            raise FileFormatError(msg)
        observable = {row.observable: 1.0}
        value = row.value if row.likelihood is None else row.likelihood.value
        estimates.append(
            Estimate(name=row.estimate, value=value, observables=observable, title=row.title, likelihood=row.likelihood)
        )
        for j, source in enumerate(sources):
            shifts[:, i, i * len(sources) + j] = _systematic(row, source)
            response = responses.get(source, "absolute")
            nuisances.append(Nuisance(name=nuisance_name(source, row.estimate), source=source, response=response))
    gaussian, asymmetric, *kinked = asymmetric_statistics([row.estimate for row in rows], *stat.T)
    if asymmetric and not np.array_equal(correlation, np.eye(len(rows))):
        msg = f"{rows[0].where}: asymmetric statistics found in {name!r}, where statistics are correlated; symmetrise them"
        raise InvalidNumberError(msg)
    with located(rows[0].where):
        return Measurement(
            name=name,
            experiment=rows[0].experiment,
            estimates=tuple(estimates),
            statistical_covariance=correlation * np.outer(gaussian, gaussian),
            nuisances=(*nuisances, *asymmetric),
            responses=np.hstack([shifts[0], kinked[0]]),
            down_responses=np.hstack([shifts[1], kinked[1]]),
        )


def _systematic(row: BudgetRow, source: str) -> tuple[float, float]:
    """Shifts of the value of a row by +1 and by -1 sigma of a source."""
    size = row.sizes[source]
    if isinstance(size, tuple):
        return size
    if size < 0:
        msg = (
            f"{row.where}, column {source!r}: {size:g} found, an uncertainty is not negative; give its size here and its "
            "sign in the correlations, or what +1 and -1 sigma do to the value, as in -0.5/+0.3"
        )
        raise InvalidNumberError(msg)
    return size, 0.0 - size  # 0.0 - 0.0 is not -0.0


def _statistical(row: BudgetRow) -> tuple[float, float]:
    """Shifts of the value of a row by +1 and by -1 sigma of its statistics."""
    up, down = row.stat if isinstance(row.stat, tuple) else (row.stat, -row.stat)
    if not down < 0 < up:
        shown = f"{up:+g}/{down:+g}" if isinstance(row.stat, tuple) else f"{up:g}"
        msg = (
            f"{row.where}, column 'stat': {shown} found, a statistical uncertainty is above 0, or up and down as in "
            "+0.5/-0.3; correct it"
        )
        raise InvalidNumberError(msg)
    return up, down


def unstated_pairs(budget: Budget, sets: Mapping[str, AssumptionSet]) -> Iterator[tuple[str, str, str, str]]:
    """Source, two estimates and their experiment, whose correlation no block and no coefficient of any set states."""
    blocks = list({id(b): set(b.nuisances) for s in sets.values() for b in s.blocks}.values())
    pairs = {frozenset((p.first, p.second)) for s in sets.values() for c in s.coefficients for p in c.pairs}
    for source in budget.sources:
        for experiment in budget.experiments:
            for first, second in itertools.combinations(budget.affected(source, experiment), 2):
                pair = {nuisance_name(source, first), nuisance_name(source, second)}
                if pair not in pairs and not any(pair <= block for block in blocks):
                    yield source, first, second, experiment


def fields_from_dataframe(
    frame: pd.DataFrame, *, units: Mapping[str, str], within: Within | str, between: Between
) -> dict[str, Any]:
    """Fields of the combination of a frame, see :meth:`bayescomb.Combination.from_dataframe`."""
    if not hasattr(frame, "columns"):
        msg = f"from_dataframe(): {frame!r} found, a pandas DataFrame is needed, as pandas.read_csv(path) gives"
        raise OptionError(msg)
    check_mapping(units, where="units", example='{"m_t": "GeV"}')
    check_mapping(between, where="between", example='{"JES": 0.5}')
    if not isinstance(within, str):
        check_mapping(within, where="within", example='{"JES": 1.0}')
    header = [str(name) for name in frame.columns]
    check_names(header, where="columns of the frame")
    missing = [name for name in BUDGET_COLUMNS if name not in header]
    if missing:
        msg = f"columns of the frame: {', '.join(map(repr, missing))} missing, found {', '.join(header)}; add or rename them"
        raise FileFormatError(msg)
    sources = [name for name in header if name not in (*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS)]
    check_source_columns(sources, where="columns of the frame")
    cells = frame.set_axis(header, axis="columns")
    rows = [_row(record, sources, i) for i, record in enumerate(cells.to_dict("records"))]
    names = list(dict.fromkeys(row.observable for row in rows))
    check_names(names, where="observables of the frame")
    for name in units:
        known_name(name, names, kind="observable", where="units")
    budget = budget_of(rows, observables=names, sources=sources)
    blocks = () if isinstance(within, str) else tuple(_blocks(budget, within))
    chosen = AssumptionSet(name="nominal", coefficients=tuple(_coefficients(budget, between)), blocks=blocks)
    _require_stated(budget, chosen, within)
    return {
        "measurements": budget.measurements,
        "observables": tuple(Observable(name=name, unit=units.get(name, "")) for name in names),
        "sources": tuple(Source(name=name) for name in sources),
        "assumption_sets": {chosen.name: chosen},
        "assumptions": chosen.name,
    }


def _row(record: Mapping[str, Any], sources: Sequence[str], index: int) -> BudgetRow:
    where = f"row {index} of the frame"

    def number(column: str) -> float:
        return float(check_finite(record[column], where=f"{where}, column {column!r}"))

    def text(column: str) -> str:
        value = record.get(column, "")
        return value.strip() if isinstance(value, str) else "" if value is None or value != value else str(value)

    return BudgetRow(
        where=where,
        estimate=text("estimate"),
        experiment=text("experiment"),
        observable=text("observable"),
        value=number("value"),
        stat=number("stat"),
        sizes={source: number(source) for source in sources},
        title=text("title"),
        measurement=text("measurement"),
    )


def _blocks(budget: Budget, within: Within) -> list[CorrelationBlock]:
    blocks = []
    for source, given in within.items():
        where = f"within[{source!r}]"
        known_name(source, budget.sources, kind="source", where=where)
        for experiment, estimates in budget.experiments.items():
            members = budget.affected(source, experiment)
            if len(members) < 2:
                continue
            if hasattr(given, "loc"):
                for name in members:
                    known_name(name, list(given.index), kind="row", where=where)
                    known_name(name, list(given.columns), kind="column", where=where)
                matrix = given.loc[members, members].to_numpy(dtype=float)
            else:
                rho = check_correlation_entry(float(check_finite(given, where=where)), where=where)
                matrix = [[1.0 if a == b else rho for b in members] for a in members]
            names = tuple(nuisance_name(source, e) for e in estimates if e in members)
            blocks.append(CorrelationBlock(name=f"{source}, {experiment}", nuisances=names, correlation=matrix))
    return blocks


def _coefficients(budget: Budget, between: Between) -> list[CorrelationCoefficient]:
    """One coefficient per source, shared by all pairs of estimates of different experiments."""
    found = []
    for source, given in between.items():
        where = f"between[{source!r}]"
        known_name(source, budget.sources, kind="source", where=where)
        numbers = check_finite(given, where=where)
        if numbers.shape not in {(), (3,)}:
            msg = f"{where} = {given!r} found, a nominal value or (nominal, low, high) is needed"
            raise OptionError(msg)
        nominal, *ends = (float(x) for x in numbers.reshape(-1))
        pairs = [
            CorrelationPair(first=nuisance_name(source, a), second=nuisance_name(source, b))
            for first, second in itertools.combinations(budget.experiments, 2)
            for a in budget.affected(source, first)
            for b in budget.affected(source, second)
        ]
        if not pairs:
            msg = f"{where}: no two experiments have the source, so it correlates nothing; leave it out"
            raise OptionError(msg)
        low, high = ends or (None, None)
        found.append(
            CorrelationCoefficient(name=source, source=source, pairs=tuple(pairs), nominal=nominal, low=low, high=high)
        )
    return found


def _require_stated(budget: Budget, chosen: AssumptionSet, within: Within | str) -> None:
    """Require that every correlation inside an experiment is stated, also if it is 0."""
    if isinstance(within, str):
        if within != UNCORRELATED:
            msg = f'within = {within!r} found, allowed: "{UNCORRELATED}", or correlations by source such as {{"JES": 1.0}}'
            raise OptionError(msg)
        return
    for source, first, second, experiment in unstated_pairs(budget, {chosen.name: chosen}):
        msg = (
            f"nothing says how the source {source!r} of {first!r} and {second!r} ({experiment}) is correlated inside its "
            f'experiment; give it in within={{{source!r}: ...}}, or say within="{UNCORRELATED}" if nothing is'
        )
        raise FileFormatError(msg)

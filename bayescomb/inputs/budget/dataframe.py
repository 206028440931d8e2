"""A combination from a pandas DataFrame: the budget as rows, correlations as numbers by source."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bayescomb.base.checks import check_correlation_entry, check_finite, check_mapping, check_names, known_name
from bayescomb.base.errors import FileFormatError, OptionError
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.budget.budget import (
    BUDGET_COLUMNS,
    OPTIONAL_BUDGET_COLUMNS,
    Budget,
    BudgetRow,
    budget_of,
    check_source_columns,
    nuisance_name,
    unstated_pairs,
)
from bayescomb.inputs.observables import Observable, Source

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UNCORRELATED", "Between", "Within", "fields_from_dataframe"]

UNCORRELATED: Final = "uncorrelated"
# One number for all pairs of estimates of an experiment, or a correlation matrix labelled by estimates.
Within = Mapping[str, Any]
# Nominal value, or nominal value and range.
Between = Mapping[str, "float | tuple[float, float, float]"]


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
    """Every correlation inside an experiment is stated, 0 too."""
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

"""The published form of a combination: sources in rows, inputs and results in columns, rounded as the inputs are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bayescomb.base.rounding import chi2_text, decimals, fixed, p_value_text, significant, with_unit
from bayescomb.fit.impacts import ImpactResult
from bayescomb.output.averages import Averages
from bayescomb.output.tables.table import Column, Row, Table

__all__ = ["breakdown_table", "input_places"]

# More decimals than this are not written in a publication.
MOST: Final = 6
# Keys of rows that are not sources.
VALUE, STATISTICS, SYSTEMATICS, TOTAL = "value", "statistics", "all systematics", "total"


def input_places(numbers: Sequence[float], error: float) -> int:
    """Decimals with which an input is written; those that suit its error where it is not rounded as a publication is.

    Args:
        numbers: value and parts of the error.
        error: the total one.

    Examples:
        >>> input_places([173.79, 0.54, 0.3], 1.41), input_places([12.5, 1.0], 1.2), input_places([1 / 3], 0.05)
        (2, 1, 3)
    """
    found = [p for x in numbers if math.isfinite(x) and (p := _written(x)) is not None]
    by_error = decimals(error) if math.isfinite(error) and error > 0 else 0
    return min(max(found), by_error + 2) if found else by_error


def _written(number: float) -> int | None:
    text = f"{number:.10f}".rstrip("0")
    places = len(text.partition(".")[2])
    return places if places <= MOST else None


def breakdown_table(found: Averages) -> Table:
    """Values and parts of the errors of the inputs and of the results.

    Args:
        found: with ``breakdown``.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.averages import averages
        >>> table = breakdown_table(averages(bc.profile(bc.load("models/run1_mass")), of=["breakdown"]))
        >>> [table.cells[i][1] for i in (0, 1, -4)], [table.cells[i][-1] for i in (0, 1, -4)]
        (['173.79', '0.54', '1.41'], ['172.51', '0.14', '0.33'])
    """
    combination, fit = found.combination, found.fit
    assert found.inputs is not None  # asked for with "breakdown"
    assert found.impacts is not None
    estimates, results = list(combination.estimates), list(combination.headline)
    inputs, outputs = _parts(found.inputs.parts), _parts(found.impacts)
    titles = {s.name: s.title or s.name for s in combination.sources} | {
        STATISTICS: "statistical",
        SYSTEMATICS: "systematic",
    }
    sums = [name for name in dict.fromkeys([*found.inputs.parts.sums, *found.impacts.sums]) if name != TOTAL]
    names = [STATISTICS] * (STATISTICS in sums) + [n for n in dict.fromkeys([*inputs, *outputs]) if n not in {*sums, TOTAL}]
    names += [name for name in sums if name != STATISTICS] + [TOTAL]
    rows: list[dict[str, Any]] = [{"row": VALUE, "title": VALUE}]
    rows += [{"row": name, "title": titles.get(name, name)} for name in names]
    places: dict[str, int] = {}
    for estimate in estimates:
        own = [float(inputs[n][estimate.name]) for n in names if n in inputs]
        error = own[-1]
        places[estimate.name] = input_places([estimate.value, *own[:-1]], error)
        rows[0][f"input[{estimate.name}]"] = estimate.value
        for row in rows[1:]:
            row[f"input[{estimate.name}]"] = float(inputs[row["row"]][estimate.name]) if row["row"] in inputs else None
    shared: dict[str, int] = {}
    for result in results:
        measured = [places[e.name] for e in estimates if e.observables.get(result.name)]
        error = float(fit.errors.sel(parameter=result.name))
        by_error = decimals(error) if math.isfinite(error) and error > 0 else 0
        shared[result.name] = max(measured) if measured and not combination.normalise else by_error
        scale = 1.0 if fit.scale is None else fit.scale.factors[result.name]
        rows[0][f"result[{result.name}]"] = float(fit.values.sel(parameter=result.name))
        for row in rows[1:]:
            known = row["row"] in outputs
            row[f"result[{result.name}]"] = scale * float(outputs[row["row"]][result.name]) if known else None
    rows += _fit_rows(found)
    columns = [Column(title="source", show=lambda row: str(row["title"]), text=True)]
    columns += [_column(e.title or e.name, f"input[{e.name}]", places[e.name]) for e in estimates]
    for result in results:
        title = f"combined {with_unit(result.name, '' if combination.normalise else result.unit)}"
        columns.append(_column(title, f"result[{result.name}]", shared[result.name]))
    return Table(name="breakdown", title=_title(found), rows=rows, columns=columns, fields=tuple(rows[0]))


def _title(found: Averages) -> str:
    title = "Inputs and results with the parts of their errors, in the units of the inputs and rounded as these."
    if found.fit.scale is None:
        return title
    factors = ", ".join(f"{name} {significant(factor)}" for name, factor in found.fit.scale.factors.items())
    return f"{title} Errors of the results are multiplied by a scale factor ({found.fit.scale.rule}): {factors}."


def _fit_rows(found: Averages) -> list[dict[str, Any]]:
    """Goodness of fit and S of every result, as texts in the columns of the results."""
    results = [o.name for o in found.combination.headline]
    of = {name: factors for factors in found.scales for name in factors.results}
    said: dict[str, dict[str, str]] = {"chi2 / ndf": {}, "p-value": {}, "scale factor S": {}}
    for name in results:
        if name in of:
            said["chi2 / ndf"][name] = f"{chi2_text(of[name].chi2)} / {of[name].ndf}"
            said["p-value"][name] = p_value_text(of[name].p_value)
            said["scale factor S"][name] = fixed(of[name].pdg, 2)
    return [
        {"row": title, "title": title} | {f"result[{name}]": text for name, text in texts.items()}
        for title, texts in said.items()
        if texts
    ]


def _column(title: str, key: str, places: int) -> Column:
    def show(row: Row) -> str:
        value = row.get(key)
        if isinstance(value, str):
            return value
        return "" if value is None and row["row"] not in {VALUE, TOTAL} else fixed(value, places)

    return Column(title=title, show=show)


def _parts(result: ImpactResult) -> dict[str, dict[str, float]]:
    """Row -> estimate or result -> part of the error; first the sources, then the sums."""
    rows = {str(s): result.sources.sel(source=s) for s in result.sources["source"].to_numpy()}
    if bool((result.coupling != 0).any()):
        rows["between different sources"] = result.coupling
    rows |= result.sums
    names = result.names
    return {
        key: dict(zip(names, np.asarray(part.sel(parameter=names).to_numpy()), strict=True)) for key, part in rows.items()
    }

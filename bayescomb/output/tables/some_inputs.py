"""Tables of results of some of the inputs: without each in turn, and of groups of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from bayescomb.base.files.writing import plain_value
from bayescomb.base.rounding import chi2_text, correlation_text, counted, fixed, p_value_text, rounded_like, with_unit
from bayescomb.fit.averaging.some_inputs import GroupResults, PartialResult, WithoutEach
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

__all__ = [
    "error_cell",
    "fit_columns",
    "group_correlation_table",
    "group_table",
    "group_text",
    "value_cell",
    "without_table",
    "without_text",
]


def without_table(found: WithoutEach) -> Table:
    """The results without each input in turn.

    Args:
        found: of :func:`bayescomb.without_each`.
    """
    results = [str(p) for p in found.whole.values["parameter"].to_numpy()]
    units = {o.name: o.unit for o in found.combination.results}
    rows: list[dict[str, Any]] = []
    for partial in (found.whole, *found.rows):
        row = _partial_row(partial, found.by, results) | {"title": found.title(partial)}
        shift, error = found.shift(partial)
        for name in results:
            row |= {f"shift[{name}]": plain_value(float(shift.sel(parameter=name)))}
            row |= {f"shift_error[{name}]": plain_value(float(error.sel(parameter=name)))}
        rows.append(row | {"chi2": partial.chi2, "ndf": partial.ndf, "p_value": partial.p_value, "problem": partial.problem})
    columns = [Column(title="without", show=lambda row: f"{row[found.by]}  {row['title']}".rstrip(), text=True)]
    for name in results:
        of, unit = (f" of {name}" if len(results) > 1 else ""), units.get(name, "")
        columns += [
            Column(title=with_unit(f"{name}", unit), show=value_cell(name)),
            Column(title=with_unit(f"error{of}", unit), show=error_cell(name)),
            Column(title=with_unit(f"shift{of}", unit), show=_shift(name)),
        ]
    columns += fit_columns()
    title = (
        "The results without each input in turn. Shift: from the combination of all, with its error, the root of the "
        "difference of the variances."
    )
    return Table(name="without_each", title=title, rows=rows, columns=columns)


def group_table(found: GroupResults) -> Table:
    """Results of each group alone, and of all groups fitted together.

    Args:
        found: of :func:`bayescomb.group_results`.
    """
    results = [o.name for o in found.combination.headline]
    units = {o.name: o.unit for o in found.combination.results}
    rows: list[dict[str, Any]] = []
    for i, alone in enumerate(found.alone):
        row = _partial_row(alone, "group", results)
        together = None if found.together is None else found.together[i]
        for name in results:
            known = together is not None and name in together.values["parameter"].to_numpy()
            row |= {
                f"together_{key}[{name}]": plain_value(float(getattr(together, key).sel(parameter=name))) if known else None
                for key in ("values", "errors")
            }
        rows.append(row | {"chi2": alone.chi2, "ndf": alone.ndf, "p_value": alone.p_value, "problem": alone.problem})
    columns = [text_column("group", "group")]
    for name in results:
        unit = units.get(name, "")
        columns += [
            Column(title=with_unit(f"{name} alone", unit), show=value_cell(name)),
            Column(title=with_unit("error", unit), show=error_cell(name)),
            Column(title=with_unit(f"{name} together", unit), show=value_cell(name, "together_values", "together_errors")),
            Column(title=with_unit("error", unit), show=error_cell(name, "together_errors")),
        ]
    columns += fit_columns()
    agreement = f" They are not fitted together: {found.problem}." if found.problem else ""
    if found.chi2 is not None:
        agreement = (
            f" One value for all groups costs a χ² of {chi2_text(found.chi2)} for "
            f"{counted(found.ndf, 'degrees of freedom')}, p-value {p_value_text(found.p_value)}."
        )
    title = (
        "Results of groups of inputs: alone, and together with observables of their own for each group, so that sources "
        f"of one group constrain correlated ones of another.{agreement}"
    )
    return Table(name="groups", title=title, rows=rows, columns=columns)


def without_text(found: WithoutEach) -> str:
    """Text that ``print`` shows of results without each input."""
    return without_table(found).text


def group_text(found: GroupResults) -> str:
    """Text that ``print`` shows of results of groups."""
    return group_table(found).text


def group_correlation_table(found: GroupResults) -> Table:
    """Correlation of the results of groups that are fitted together."""
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    if found.correlation is not None:
        names = [str(name) for name in found.correlation["result"].to_numpy()]
        rows = [
            {"result": name} | {other: float(found.correlation.sel(result=name, result_b=other)) for other in names}
            for name in names
        ]
    columns = [text_column("result", "result"), *(number_column(name, name, correlation_text) for name in names)]
    title = "Correlation of the results of groups that are fitted together."
    return Table(name="group_correlation", title=title, rows=rows, columns=columns)


def fit_columns() -> list[Column]:
    """Chi2, degrees of freedom and p-value."""
    return [
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0, short="ndf"),
        number_column("p-value", "p_value", lambda p: p_value_text(p) if p is not None else fixed(None, 0)),
    ]


def value_cell(name: str, values: str = "values", errors: str = "errors") -> Callable[[Row], str]:
    """Text of a value, rounded by its error."""
    return lambda row: _rounded(row[f"{values}[{name}]"], row[f"{errors}[{name}]"])


def error_cell(name: str, errors: str = "errors") -> Callable[[Row], str]:
    """Text of an error."""
    return lambda row: _rounded(row[f"{errors}[{name}]"], row[f"{errors}[{name}]"])


def _shift(name: str) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        shift, error, total = (row[f"{key}[{name}]"] for key in ("shift", "shift_error", "errors"))
        if shift is None or total is None:
            return fixed(None, 0)
        # A shift is small against the error and needs one more digit.
        return f"{_rounded(shift, total / 10, sign=True)} ± {_rounded(error, total / 10)}" if error else fixed(shift, 0)

    return show


def _rounded(value: float | None, error: float | None, *, sign: bool = False) -> str:
    return fixed(None, 0) if value is None else rounded_like(value, math.nan if error is None else error, sign=sign)


def _partial_row(partial: PartialResult, key: str, results: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {key: partial.name if partial.name != "all" else "(none)"}
    for name in results:
        row |= {f"values[{name}]": plain_value(float(partial.values.sel(parameter=name)))}
        row |= {f"errors[{name}]": plain_value(float(partial.errors.sel(parameter=name)))}
    return row

"""Table of the assumption sets: the result of each experiment and of all under every set, and what correlates them."""

from __future__ import annotations

from typing import Any

from bayescomb.base.rounding import correlation_text, fine_text, fine_unit, fixed, p_value_text, with_error, with_unit
from bayescomb.output.report.results import Results
from bayescomb.output.tables.table import Column, Row, Table, number_column, text_column

__all__ = ["set_table"]


def set_table(results: Results) -> Table:
    """One row per assumption set and result; empty where the model has one set only.

    Returns:
        Rows with ``value`` and ``error`` of all inputs, ``value[experiment]`` and ``error[experiment]`` of each alone, the
        shift from the set in force, chi2, and ``correlation[a, b]`` of the first result between experiments, by the
        measured values without theory.
    """
    experiments = list(dict.fromkeys(name for row in results.sets for name in row.experiments))
    pairs = list(dict.fromkeys(pair for row in results.sets for pair in row.correlations))
    rows: list[dict[str, Any]] = []
    for found in results.sets:
        for index, parameter in enumerate(results.parameters):
            at = {"parameter": parameter.name}
            row: dict[str, Any] = {"set": found.name, "description": found.description, "parameter": parameter.name}
            row |= {"unit": parameter.unit, "value": None, "error": None, "shift": None}
            row |= {"chi2": None, "ndf": None, "p_value": None, "problem": found.problem}
            if found.fit is not None and parameter.name in found.fit.values["parameter"]:
                value = float(found.fit.values.sel(at))
                row |= {"value": value, "error": float(found.fit.errors.sel(at))}
                row |= {"shift": value - float(results.fit.values.sel(at))}
                row |= {"chi2": found.fit.chi2, "ndf": found.fit.ndf, "p_value": found.fit.p_value}
            for name in experiments:
                fit = found.experiments.get(name)
                known = fit is not None and parameter.name in fit.values["parameter"]
                for key in ("value", "error"):
                    series = getattr(fit, f"{key}s", None)
                    row[f"{key}[{name}]"] = float(series.sel(at)) if known and series is not None else None
            for pair in pairs:
                row[f"correlation[{', '.join(pair)}]"] = found.correlations.get(pair) if index == 0 else None
            rows.append(row)

    def result(suffix: str) -> Any:
        def show(row: Row) -> str:
            if row[f"value{suffix}"] is None:
                return "\N{EN DASH}"
            return with_error(row[f"value{suffix}"], row[f"error{suffix}"])

        return show

    def shift(row: Row) -> str:
        if row["shift"] is None:
            return "\N{EN DASH}"
        return fine_text(row["shift"], fine_unit(row["error"], row["unit"]), sign=True)

    several = len(results.parameters) > 1
    unit = results.parameters[0].unit if not several else ""
    columns = [text_column("set", "set"), text_column("what it assumes", "description")]
    columns += (
        [Column(title="result", show=lambda row: with_unit(row["parameter"], row["unit"]), text=True)] if several else []
    )
    columns += [Column(title=with_unit(name, unit), show=result(f"[{name}]")) for name in experiments]
    columns += [
        Column(title=with_unit("all", unit), show=result("")),
        Column(title="shift", show=shift),
        Column(
            title="\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO} / freedom",
            show=lambda row: "\N{EN DASH}" if row["chi2"] is None else f"{fixed(row['chi2'], 1)} / {row['ndf']}",
        ),
        number_column("p-value", "p_value", p_value_text),
        *(
            number_column(f"{', '.join(pair)} correlation", f"correlation[{', '.join(pair)}]", correlation_text)
            for pair in pairs
        ),
    ]
    title = (
        "Every assumption set at its nominal coefficients: profile of each experiment alone and of all inputs, and the "
        f"shift from the set in force, {results.combination.assumptions}."
    )
    if pairs:
        title += (
            " Correlation: of the results of two experiments alone, by the measured values; theory, which is common to "
            "both, is left out."
        )
    return Table(name="assumption_sets", title=title, rows=rows, columns=columns, footnote="problem")

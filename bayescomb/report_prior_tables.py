"""Tables of the report that judge the model: posterior predictive per estimate, and prior sensitivity."""

from __future__ import annotations

import math
from typing import Any

from bayescomb.report_results import Results
from bayescomb.report_tables import Column, Table, fixed_column, number_column, text_column
from bayescomb.rounding import fine_text, fine_unit, fixed, p_value_text, rounded_like

__all__ = ["prior_tables"]


def prior_tables(results: Results) -> dict[str, Table]:
    """Tables by name; without rows where they do not apply."""
    tables = [_predictive(results), _sensitivity(results)]
    return {table.name: table for table in tables}


def _predictive(results: Results) -> Table:
    rows: list[dict[str, Any]] = []
    found = results.predictive
    if found is not None:
        titles = {e.name: e.title or e.name for e in results.combination.estimates}
        for name in found["estimate"].to_numpy():
            at = found.sel(estimate=name)
            row: dict[str, Any] = {"estimate": str(name), "title": titles[str(name)], "unit": str(at["unit"].item())}
            keys = ("measured", "mean", "sd", "low68", "high68", "low95", "high95", "p_value")
            rows.append(row | {key: float(at[key]) for key in keys})

    def like_sd(key: str) -> Any:
        return lambda row: rounded_like(row[key], row["sd"])

    columns = [
        text_column("estimate", "title"),
        text_column("unit", "unit"),
        Column(title="measured", show=like_sd("measured")),
        Column(title="predictive mean", show=like_sd("mean")),
        Column(title="predictive sd", show=like_sd("sd")),
        Column(title="central 68 % from", show=like_sd("low68")),
        Column(title="to", show=like_sd("high68")),
        number_column("predictive p", "p_value", p_value_text),
    ]
    title = "Posterior predictive distribution of each estimate, statistics and nuisances repeated."
    return Table(name="predictive", title=title, rows=rows, columns=columns)


def _sensitivity(results: Results) -> Table:
    rows: list[dict[str, Any]] = []
    found = results.sensitivity
    if found is not None:
        units = {o.name: o.unit for o in results.parameters}
        for name in found["parameter"].to_numpy():
            sd = float(found["sd"].sel(parameter=name))
            fine = fine_unit(sd, units[str(name)])
            for change in found["change"].to_numpy():
                at = found.sel(parameter=name, change=change)
                effective = float(at["effective"])
                rows.append(
                    {
                        "parameter": str(name),
                        "kind": str(at["kind"].item()),
                        "change": str(change),
                        "shift": float(at["shift"]),
                        "sd_shift": float(at["sd_shift"]),
                        "unit": units[str(name)],
                        "shift_text": fine_text(float(at["shift"]), fine, sign=True),
                        "shift_relative": 100 * float(at["shift"]) / sd,
                        "sd_shift_relative": 100 * float(at["sd_shift"]) / sd,
                        "effective": None if math.isnan(effective) else effective,
                    }
                )
    columns = [
        text_column("result", "parameter"),
        text_column("priors", "kind"),
        text_column("change", "change"),
        text_column("shift of the mean", "shift_text"),
        fixed_column("in % of the sd", "shift_relative", 1, sign=True),
        fixed_column("change of the sd [%]", "sd_shift_relative", 1, sign=True),
        number_column("effective draws", "effective", lambda value: "fit" if value is None else fixed(value, 0)),
    ]
    fields = ("parameter", "kind", "change", "shift", "sd_shift", "unit", "shift_relative", "sd_shift_relative", "effective")
    title = "Mean and standard deviation of the results under other priors."
    return Table(name="sensitivity", title=title, rows=rows, columns=columns, fields=fields)

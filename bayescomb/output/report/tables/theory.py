"""Tables of the report about theory, parts of the variance, prior sensitivity and the posterior predictive."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from bayescomb.base.rounding import (
    chi2_text,
    fine_text,
    fine_unit,
    fixed,
    p_value_text,
    rounded_like,
)
from bayescomb.output.report.results import Results
from bayescomb.output.report.told.titles import coefficient_titles, estimate_titles, observable_titles
from bayescomb.output.tables.table import Column, Table, fixed_column, number_column, text_column
from bayescomb.output.tables.theory import envelope_table, orders_table, variants_table
from bayescomb.output.tables.variance import relevance_table, shares_table
from bayescomb.studies.theory.rate_and_shape import RateAndShape
from bayescomb.studies.theory.study import TheoryFit, TheoryStudy

__all__ = ["extraction_tables", "prior_tables"]


def extraction_tables(results: Results) -> dict[str, Table]:
    """Tables of the variance and of an extraction by name; without rows where they do not apply."""
    study = results.theory
    units = {o.name: o.unit for o in results.parameters}
    titles = coefficient_titles(results.combination)
    tables = [shares_table(results.divided.shares, units, titles=titles), relevance_table(results.divided.relevance, units)]
    if study is None:
        empty = (
            "prediction_orders",
            "prediction_variants",
            "scale_envelope",
            "rate_and_shape",
            "interpolation",
            "theory_fit",
        )
        tables += [Table(name=name, title="", rows=[], columns=[]) for name in empty]
    else:
        tables += [
            orders_table(study.orders),
            variants_table(study.variants),
            envelope_table(study.envelope),
            _rate_and_shape(study.apart),
            _interpolation(study),
            _theory_fit(results.theory_fits),
        ]
    return {table.name: table for table in tables}


def _rate_and_shape(apart: Sequence[RateAndShape]) -> Table:
    rows: list[dict[str, Any]] = []
    for found in apart:
        for part, constraint in (("shape", found.shape), ("rate", found.rate), ("both", found.both)):
            row = {"prediction": found.prediction, "mass": found.mass, "part": part, "p_value": None}
            rows.append(row | dataclasses.asdict(constraint))
        same = {"prediction": found.prediction, "mass": found.mass, "part": "compatibility of shape and rate"}
        numbers = {"value": None, "error": None, "chi2": found.chi2, "ndf": found.ndf, "p_value": found.p_value}
        rows.append(same | numbers | {"problem": found.note})

    def like_error(key: str) -> Any:
        return lambda row: rounded_like(row[key], math.nan if row["error"] is None else row["error"])

    columns = [
        text_column("prediction", "prediction"),
        text_column("mass", "mass"),
        text_column("from", "part"),
        Column(title="value [GeV]", show=like_error("value")),
        Column(title="uncertainty [GeV]", show=like_error("error")),
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0),
        number_column("p-value", "p_value", p_value_text),
    ]
    title = "The mass from the shape and from the rate of each absolute distribution, and whether they agree."
    fields = ("prediction", "mass", "part", "value", "error", "chi2", "ndf", "p_value", "problem")
    return Table(name="rate_and_shape", title=title, rows=rows, columns=columns, fields=fields, footnote="problem")


def _interpolation(study: TheoryStudy) -> Table:
    rows: list[dict[str, Any]] = []
    for prediction, quality in study.interpolation.items():
        for observable in quality["observable"].to_numpy():
            at = quality.sel(observable=observable)
            rows.append(
                {
                    "prediction": prediction,
                    "observable": str(observable),
                    "residual": 1000 * float(abs(at["residual"]).max()),
                    "left_out": 1000 * float(abs(at["left_out"].isel(m_t=slice(1, -1))).max()),
                    "mc_error": 1000 * float(at["mc_error"].max()),
                    "correlated_error": 1000 * float(at["correlated_error"].max()),
                }
            )
    titles = observable_titles(study.combination)
    columns = [
        text_column("prediction", "prediction"),
        Column(title="observable", show=lambda row: titles[row["observable"]], text=True),
        fixed_column("largest residual [‰]", "residual", 3),
        fixed_column("one inner mass left out [‰]", "left_out", 3),
        fixed_column("numerical error [‰]", "mc_error", 1),
    ]
    if any(row["correlated_error"] for row in rows):
        columns.append(fixed_column("correlated numerical error [‰]", "correlated_error", 1))
    extraction = study.combination.extraction_in_force
    assert extraction is not None  # else there would be no study
    title = f"Polynomials of degree {extraction.degree} in the mass against the tables, per mille of the cross section."
    return Table(name="interpolation", title=title, rows=rows, columns=columns)


def _theory_fit(fits: Sequence[TheoryFit]) -> Table:
    """Chi2 without theory uncertainties, with each alone, and with several."""
    rows = [dataclasses.asdict(row) for row in fits]
    columns = [
        text_column("theory", "theory"),
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0),
        number_column("p-value", "p_value", p_value_text),
    ]
    title = "Goodness of fit, and what theory uncertainties do to it."
    return Table(name="theory_fit", title=title, rows=rows, columns=columns)


def prior_tables(results: Results) -> dict[str, Table]:
    """Tables of the posterior predictive and of the prior sensitivity by name; without rows where they do not apply."""
    tables = [_predictive(results), _sensitivity(results)]
    return {table.name: table for table in tables}


def _predictive(results: Results) -> Table:
    rows: list[dict[str, Any]] = []
    found = results.predictive
    if found is not None:
        titles = estimate_titles(results.combination)
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
        fixed_column("in % of the sd", "shift_relative", 1, sign=True, moves=True),
        fixed_column("change of the sd [%]", "sd_shift_relative", 1, sign=True, moves=True),
        number_column("effective draws", "effective", lambda value: "fit" if value is None else fixed(value, 0)),
    ]
    fields = ("parameter", "kind", "change", "shift", "sd_shift", "unit", "shift_relative", "sd_shift_relative", "effective")
    title = "Mean and standard deviation of the results under other priors."
    return Table(name="sensitivity", title=title, rows=rows, columns=columns, fields=fields)

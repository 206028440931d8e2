"""Tables of the report for an extraction: other predictions, goodness of fit; and what the variance comes from.

Tables of the report that judge the model: posterior predictive per estimate, and prior sensitivity.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from bayescomb.base.errors import BayescombError
from bayescomb.base.rounding import (
    chi2_text,
    fine_text,
    fine_unit,
    fixed,
    p_value_text,
    rounded_like,
    significant,
    with_error,
)
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.extractions import Extraction, ScaleChoice
from bayescomb.likelihood.theory import interpolation_quality
from bayescomb.output.figures.style import axis_label
from bayescomb.output.report.results import Results
from bayescomb.output.tables import Column, Table, fixed_column, number_column, text_column
from bayescomb.studies.theory_variants import VariantRow, prediction_variants, scale_envelope

__all__ = ["extraction_tables", "prior_tables"]


def extraction_tables(results: Results) -> dict[str, Table]:
    """Tables by name; without rows where they do not apply."""
    combination = results.combination
    extraction = combination.extraction_in_force
    tables = [_shares(results), _relevance(results)]
    if extraction is None:
        empty = ("prediction_variants", "scale_envelope", "interpolation", "theory_fit")
        tables += [Table(name=name, title="", rows=[], columns=[]) for name in empty]
    else:
        tables += [
            _variants(
                prediction_variants(combination),
                "prediction_variants",
                "The mass with other PDF sets and scale definitions, scales fixed; shift from the one in force.",
            ),
            _variants(
                scale_envelope(combination),
                "scale_envelope",
                "The mass at the seven points of the usual scale variation; shift from the centre.",
            ),
            _interpolation(combination, extraction),
            _theory_fit(combination, extraction),
        ]
    return {table.name: table for table in tables}


def _variants(found: tuple[VariantRow, ...], name: str, title: str) -> Table:
    rows = [dataclasses.asdict(row) for row in found]

    def like_error(key: str, *, sign: bool = False) -> Any:
        return lambda row: rounded_like(row[key], math.nan if row["error"] is None else row["error"], sign=sign)

    columns = [
        text_column("PDF set", "pdf_set"),
        text_column("scale", "scale_choice"),
        fixed_column("μ_R factor", "mu_r", 1),
        fixed_column("μ_F factor", "mu_f", 1),
        text_column("mass", "mass"),
        Column(title="value [GeV]", show=like_error("value")),
        Column(title="uncertainty [GeV]", show=like_error("error")),
        Column(title="shift [GeV]", show=like_error("shift", sign=True)),
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0),
    ]
    return Table(name=name, title=title, rows=rows, columns=columns)


def _interpolation(combination: Combination, extraction: Extraction) -> Table:
    rows: list[dict[str, Any]] = []
    for prediction in combination.predictions:
        if prediction.name not in extraction.distributions:
            continue
        quality = interpolation_quality(prediction, extraction)
        for observable in quality["observable"].to_numpy():
            at = quality.sel(observable=observable)
            rows.append(
                {
                    "prediction": prediction.name,
                    "observable": str(observable),
                    "residual": 1000 * float(abs(at["residual"]).max()),
                    "left_out": 1000 * float(abs(at["left_out"].isel(m_t=slice(1, -1))).max()),
                    "mc_error": 1000 * float(at["mc_error"].max()),
                    "correlated_error": 1000 * float(at["correlated_error"].max()),
                }
            )
    columns = [
        text_column("prediction", "prediction"),
        text_column("observable", "observable"),
        fixed_column("largest residual [‰]", "residual", 3),
        fixed_column("one inner mass left out [‰]", "left_out", 3),
        fixed_column("numerical error [‰]", "mc_error", 1),
        fixed_column("correlated numerical error [‰]", "correlated_error", 1),
    ]
    title = f"Polynomials of degree {extraction.degree} in the mass against the tables, per mille of the cross section."
    return Table(name="interpolation", title=title, rows=rows, columns=columns)


def _theory_fit(combination: Combination, extraction: Extraction) -> Table:
    """Chi2 as theory uncertainties are added one after the other."""
    plain = dataclasses.replace(
        extraction,
        pdf=dataclasses.replace(extraction.pdf, errors="none", alpha_s=()),
        scales=dataclasses.replace(extraction.scales, treatment="fixed", prior="uniform"),
        numerical_errors=False,
        rate_errors=False,
    )
    own = {key: getattr(extraction, key) for key in ("pdf", "numerical_errors", "rate_errors")}
    pdf = dataclasses.replace(plain, **own)
    free = ScaleChoice(choice=extraction.scales.choice, treatment="common")
    scales = dataclasses.replace(pdf, scales=free)
    rows = []
    cases = (
        ("central prediction, no theory uncertainty", plain),
        ("with PDF members and numerical errors", pdf),
        ("with common scales as parameters too", scales),
    )
    for label, chosen in cases:
        row: dict[str, Any] = {"theory": label}
        try:
            fit = profile(combination.with_extraction(chosen))
        except BayescombError as error:
            rows.append(row | {"chi2": None, "ndf": None, "p_value": None, "problem": str(error)})
            continue
        rows.append(row | {"chi2": fit.chi2, "ndf": fit.ndf, "p_value": fit.p_value, "problem": ""})
    columns = [
        text_column("theory", "theory"),
        number_column("χ²", "chi2", chi2_text),
        fixed_column("degrees of freedom", "ndf", 0),
        number_column("p-value", "p_value", p_value_text),
    ]
    title = "Goodness of fit, and what theory uncertainties do to it."
    return Table(name="theory_fit", title=title, rows=rows, columns=columns)


def _shares(results: Results) -> Table:
    rows: list[dict[str, Any]] = []
    if results.shares is not None:
        shares = results.shares
        units = {o.name: f"{o.unit}²" if o.unit else "" for o in results.parameters}
        kinds = shares["kind"].to_numpy()
        for p in shares["parameter"].to_numpy():
            at = shares.sel(parameter=p)
            order = sorted(range(len(kinds)), key=lambda i: (kinds[i] == "coefficient", kinds[i] == "remainder"))
            rows += [
                {
                    "parameter": str(p),
                    "part": str(at["part"].to_numpy()[i]),
                    "kind": str(kinds[i]),
                    "variance": float(at["variance"][i]),
                    "unit": units[str(p)],
                    "share": 100 * float(at["share"][i]),
                }
                for i in order
            ]
            total = float(at["variance"].sum())
            rows.append(
                {"parameter": str(p), "part": "total", "kind": "sum", "variance": total}
                | {"unit": units[str(p)], "share": 100.0}
            )
    shown = [i for i, row in enumerate(rows) if row["kind"] != "coefficient" or abs(row["share"]) >= 0.1]
    columns = [
        text_column("parameter", "parameter"),
        text_column("part", "part"),
        text_column("kind", "kind"),
        number_column("variance", "variance", significant),
        text_column("unit", "unit"),
        fixed_column("share [%]", "share", 2, sign=True),
    ]
    title = (
        "Shares of the posterior variance. Statistics, groups and theory divide E[Var(x | r)], coefficients Var(E[x | r]); "
        "the remainder is curvature of the prediction and Monte Carlo error. Coefficients below 0.1 % are in the files."
    )
    return Table(name="variance_shares", title=title, rows=rows, columns=columns, on_page=shown)


def _relevance(results: Results) -> Table:
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    if results.relevance is not None:
        table = results.relevance
        names = [str(p) for p in table["parameter"].to_numpy()]
        scalars = ("prior_mean", "prior_sd", "posterior_mean", "posterior_sd", "information", "information_error")
        order = np.argsort(-abs(table["share"]).sum("parameter").to_numpy())
        for i in order:
            at = table.isel(coefficient=int(i))
            row: dict[str, Any] = {"coefficient": str(at["coefficient"].item()), "title": str(at["title"].item())}
            row |= {key: float(at[key]) for key in scalars}
            for p in names:
                slope = float(at["slope"].sel(parameter=p))
                row |= {f"slope[{p}]": slope if np.isfinite(slope) else None}
                row |= {f"share[{p}]": 100 * float(at["share"].sel(parameter=p))}
            rows.append(row)
    columns = [
        text_column("coefficient", "title"),
        *(
            Column(title=f"{kind} mean ± sd", show=lambda row, k=kind: with_error(row[f"{k}_mean"], row[f"{k}_sd"]))  # type: ignore[misc]
            for kind in ("prior", "posterior")
        ),
        Column(title="information [bit]", show=lambda row: with_error(row["information"], row["information_error"])),
    ]
    units = {o.name: o.unit for o in results.parameters}
    for p in names:
        columns.append(fixed_column(axis_label(f"d({p})/dr", units[p]), f"slope[{p}]", 3, sign=True))
        columns.append(fixed_column(f"share of Var({p}) [%]", f"share[{p}]", 3, sign=True))
    title = "Which correlation matters: what the data say of each coefficient, and what it does to the result."
    return Table(name="relevance", title=title, rows=rows, columns=columns)


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

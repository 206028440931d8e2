"""Figures of the report about the result: inputs and experiments, assumption sets, measured bins, correlations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import at_bound_text, rounded_like, with_error
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.theory.predictions import Prediction
from bayescomb.output.figures import draw_correlation_matrix, draw_inputs
from bayescomb.output.figures.result import draw_bins
from bayescomb.output.report.figure import WIDTH, ReportFigure, file_name, label_of, symbol_of
from bayescomb.output.report.results import ROUNDING, Results
from bayescomb.output.report.told.titles import estimate_titles
from bayescomb.output.text_layout import mean_or_median
from bayescomb.output.words import typeset

__all__ = [
    "bin_figures",
    "estimate_correlation_figure",
    "input_figure",
    "parameter_correlation_figure",
    "set_figure",
    "without_each_figure",
]

LONGEST: Final = 30  # rows of inputs; more are in their table


class _Forest:
    """Rows of a forest: names, values, errors with their parts, texts."""

    def __init__(self, parameter: Observable) -> None:
        self.parameter = parameter
        self.names: list[str] = []
        self.values: list[float] = []
        self.errors: list[tuple[float, float]] = []
        self.statistical: list[float] = []
        self.experimental: list[float] = []
        self.kinds: list[str] = []
        self.texts: list[str] = []
        self.divided: tuple[str, ...] = ()

    def add(
        self, name: str, kind: str, value: float, errors: tuple[float, float], parts: dict[str, float], text: str
    ) -> None:
        self.names.append(typeset(name))
        self.kinds.append(kind)
        self.values.append(value)
        self.errors.append(errors)
        self.statistical.append(parts.get("stat", math.nan))
        both = math.hypot(parts["stat"], parts["syst"]) if {"stat", "syst", "theory"} <= set(parts) else math.nan
        self.experimental.append(both)
        self.divided = max(self.divided, tuple(parts), key=len)
        self.texts.append(text)

    def add_fit(self, name: str, kind: str, fit: ProfileResult) -> None:
        """Add a fit; a result at its bound has no parts."""
        at = {"parameter": self.parameter.name}
        value, error, up, down = (float(x.sel(at)) for x in (fit.values, fit.errors, fit.up_errors, fit.down_errors))
        held = self.parameter.name in fit.at_bound
        ends = (-down, up) if held or self.parameter.name in fit.ends_at_bound else (error, error)
        parts = {} if held else fit.error_parts(self.parameter.name)
        text = at_bound_text(up) if held else _with_parts(value, error, parts)
        self.add(name, kind, value, ends, parts, text)

    def draw(self, band: tuple[float, float] | None) -> Figure:
        figure = Figure(figsize=(WIDTH, 1.2 + 0.27 * len(self.names)), layout="constrained")
        heading = ", ".join(label for label in self.divided if label in {"stat", "syst", "theory"})
        draw_inputs(
            self.names,
            self.values,
            np.transpose(self.errors),
            statistical=self.statistical,
            without_theory=self.experimental,
            kinds=self.kinds,
            texts=self.texts,
            heading=f"± total ({heading})" if heading else "",
            band=band,
            label=symbol_of(self.parameter),
            unit=self.parameter.unit,
            ax=figure.subplots(),
        )
        return figure


def _with_parts(value: float, error: float, parts: dict[str, float]) -> str:
    """``172.51 ± 0.33 (0.14, 0.30)``."""
    known = [rounded_like(parts[label], error) for label in ("stat", "syst", "theory") if label in parts]
    return f"{with_error(value, error)} ({', '.join(known)})" if known else with_error(value, error)


def input_figure(results: Results, parameter: Observable) -> ReportFigure | None:
    """Inputs that measure a parameter directly, each experiment alone and all; ``None`` if there is nothing to compare."""
    combination, own = results.combination, results.estimates
    if combination.normalise:
        return None  # a single estimate has no share of a sum
    forest = _Forest(parameter)
    direct = [
        (index, estimate)
        for index, estimate in enumerate(combination.estimates)
        if {k: v for k, v in estimate.observables.items() if v} == {parameter.name: 1.0}
    ]
    hidden = len(direct) > LONGEST
    for index, estimate in direct if len(direct) > 1 and not hidden else []:
        error = float(own.errors[index])
        parts = own.error_parts(str(own.values["parameter"].to_numpy()[index]))
        text = _with_parts(estimate.value, error, parts)
        forest.add(estimate.title or estimate.name, "input", estimate.value, (error, error), parts, text)
    shown = bool(forest.names)
    for name, fit in results.experiments.items():
        if parameter.name in fit.values["parameter"]:  # an experiment need not measure everything
            forest.add_fit(f"{name} combined" if shown else f"{name} alone", "experiment", fit)
    if len(forest.names) < 2:
        return None
    forest.add_fit("All, profile", "profile", results.fit)
    band = None if parameter.name in results.fit.at_bound else (forest.values[-1], forest.errors[-1][1])
    if results.comparison is not None:
        row = results.compared(parameter)
        median, ends = row["median"], (row["median"] - row["hdi_low"], row["hdi_high"] - row["median"])
        forest.add("All, posterior", "posterior", median, ends, {}, mean_or_median(row))
    bars = (
        "total (thin), statistical and systematic (medium) and statistical (thick)"
        if combination.extraction
        else ("total (thin) and statistical (thick)")
    )
    caption = (
        f"{'Estimates' if 'input' in forest.kinds else 'Results'} of {parameter.name} with {bars} uncertainty, each "
        "experiment alone, and the combination of all: profile at nominal coefficients (band)"
        + (", posterior median with its 68 % interval; the number is mean and sd." if results.comparison else ".")
        + (f" The {len(direct)} estimates are in the table of the inputs." if hidden else "")
    )
    figure = forest.draw(band)
    return ReportFigure(name=file_name("inputs", parameter, results), kind="result", caption=caption, figure=figure)


def set_figure(results: Results, parameter: Observable) -> ReportFigure | None:
    """A parameter under every assumption set, of each experiment alone and of all; ``None`` if there is one set only."""
    if not results.sets or parameter.name in results.fit.at_bound:
        return None
    forest = _Forest(parameter)
    for row in results.sets:
        if row.fit is None or parameter.name not in row.fit.values["parameter"]:
            continue
        for name, fit in row.experiments.items():
            if parameter.name in fit.values["parameter"]:
                forest.add_fit(f"{row.name}: {name}", "experiment", fit)
        forest.add_fit(f"{row.name}: all" if row.experiments else row.name, "profile", row.fit)
    at = {"parameter": parameter.name}
    band = (float(results.fit.values.sel(at)), results.error(parameter))
    caption = (
        f"{parameter.name} under every assumption set at its nominal coefficients: each experiment alone and all; the band "
        f"is the set in force, {results.combination.assumptions}."
    )
    return ReportFigure(name=file_name("sets", parameter, results), kind="sets", caption=caption, figure=forest.draw(band))


def estimate_correlation_figure(results: Results) -> ReportFigure:
    """Total correlation of the estimates."""
    titles = estimate_titles(results.combination)
    figure = _matrix(results.estimate_correlation, [titles[e.name] for e in results.combination.estimates])
    caption = "Total correlation of the estimates, statistics and all sources, at nominal coefficients."
    return ReportFigure(name="estimate_correlation", kind="inputs", caption=caption, figure=figure)


def parameter_correlation_figure(results: Results) -> ReportFigure:
    """Correlation of the combined quantities, of the posterior if it has converged, else of the profile."""
    figure = _matrix(results.correlation, [label_of(o) for o in results.parameters])
    caption = f"Correlation of the combined quantities, {results.covariance_kind}."
    return ReportFigure(name="parameter_correlation", kind="correlations", caption=caption, figure=figure)


def _matrix(correlation: FloatArray, names: list[str]) -> Figure:
    size = min(WIDTH, 3.8 + 0.26 * len(names))
    figure = Figure(figsize=(size, 0.86 * size), layout="constrained")
    draw_correlation_matrix(correlation, names, ax=figure.subplots())
    return figure


def bin_figures(results: Results) -> Iterator[ReportFigure]:
    """Measured and predicted bins, one figure per prediction."""
    extraction = results.combination.extraction_in_force
    assert extraction is not None  # asked for with an extraction only
    predictions = {p.name: p for p in results.combination.predictions}
    for number, (name, data) in enumerate(results.bins.items()):
        normalised = extraction.distributions[name] == "normalised"
        prediction = predictions[name]
        figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
        upper, lower = figure.subplots(2, 1, height_ratios=(3, 1.2))
        quantity, unit = _quantity(results, prediction, normalised=normalised)
        draw_bins(
            np.column_stack([data["low"], data["high"]]),
            measured=data["measured"].to_numpy(),
            errors=data["error"].to_numpy(),
            predicted={f"{m:g} GeV": data["predicted"].sel(m_t=m).to_numpy() for m in data["m_t"].to_numpy()},
            fitted=data["fitted"].to_numpy(),
            theory=results.theory_sizes[name],
            quantity=quantity,
            unit=unit,
            variable=typeset(prediction.variable) or "binned variable",
            measured_by=_measured_by(results, prediction),
            axes=(upper, lower),
        )
        caption = (
            f"{name}: measured bins with their total uncertainty, the central prediction at "
            f"{len(data['m_t'])} masses, and the fit with the uncertainty of its theory nuisances"
            f"{'; all normalised to their sum, which the uncertainties include' if normalised else ''}."
        )
        yield ReportFigure(name=f"bins_{number + 1}", kind="bins", caption=caption, figure=figure)


def _quantity(results: Results, prediction: Prediction, *, normalised: bool) -> tuple[str, str]:
    """Label of the axis of the bins, and its unit."""
    unit = {o.name: o.unit for o in results.combination.observables}[str(prediction.observables[0])]
    word = prediction.variable.split(" ")[0].split("=")[0] or "x"
    density = typeset(f"d(sigma)/d({word})") if typeset(word) != word else f"{typeset('d(sigma)')}/d{word}"
    if normalised:
        return (typeset(f"(1/sigma) {density}"), "") if prediction.per_bin_width else ("share of the sum, per bin", "")
    if prediction.per_bin_width:
        return f"{density}, per unit of {typeset(word)}", unit
    return ("events per bin", "") if unit == "events" else (typeset("sigma per bin"), unit)


def _measured_by(results: Results, prediction: Prediction) -> str:
    """Names of the inputs that measure these bins."""
    bins = set(prediction.observables)
    names = [m.name for m in results.combination.measurements if any(bins & set(e.observables) for e in m.estimates)]
    return ", ".join(names) if len(names) < 3 else "measured"


def without_each_figure(results: Results, parameter: Observable) -> ReportFigure | None:
    """A parameter without each input in turn; ``None`` if no input moves it or there are too many inputs for a row each."""
    found = results.averages.without
    at = {"parameter": parameter.name}
    rows = () if found is None else [row for row in found.rows if bool(np.isfinite(row.errors.sel(at)))]
    if found is None or not rows or len(rows) > LONGEST:
        return None
    pairs = [(float(row.values.sel(at)), float(row.errors.sel(at))) for row in (*rows, found.whole)]
    if np.allclose(pairs, pairs[-1], rtol=0, atol=ROUNDING * pairs[-1][1]):
        return None  # no other input measures it
    figure = Figure(figsize=(WIDTH, 1.0 + 0.26 * len(pairs)), layout="constrained")
    draw_inputs(
        [*(f"without {found.title(row) or row.name}" for row in rows), "all inputs"],
        *np.transpose(pairs),
        kinds=[*(["experiment"] * len(rows)), "profile"],
        texts=[with_error(*pair) for pair in pairs],
        band=pairs[-1] if math.isfinite(pairs[-1][1]) else None,
        label=symbol_of(parameter),
        unit="" if results.combination.normalise else parameter.unit,
        ax=figure.subplots(),
    )
    caption = f"{parameter.name} without each input in turn, and of all inputs (band): profile at nominal coefficients."
    return ReportFigure(name=file_name("without_each", parameter, results), kind="averages", caption=caption, figure=figure)

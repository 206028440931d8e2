"""Measured bins beside their prediction: the numbers, and the figures of the report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayescomb.figures_bins import draw_bins
from bayescomb.profile import ProfileResult, profile
from bayescomb.report_figure import WIDTH, ReportFigure
from bayescomb.theory import theory

__all__ = ["bin_figures", "predicted_bins"]

# GeV: beside the fit.
MASSES = (167.5, 172.5, 177.5)


def predicted_bins(fit: ProfileResult, *, masses: tuple[float, ...] = MASSES) -> dict[str, xr.Dataset]:
    """Bins of each prediction in use, divided by the sum over the distribution where that is normalised.

    Args:
        fit: profile of an extraction.
        masses: GeV, at which to predict, theory nuisances at 0 and scales at their centre.

    Returns:
        Prediction -> ``measured``, ``error``, ``fitted`` (dim ``bin``), ``predicted`` (dims ``m_t``, ``bin``), and the edges
        ``low`` and ``high``.
    """
    combination = fit.combination
    compiled = theory(combination)
    assert compiled is not None  # the profile is one of an extraction
    plain = profile(combination.with_extraction(""))
    scales = np.zeros(len(compiled.scales))
    found, start = {}, 0
    for prediction in compiled.predictions:
        names = list(prediction.observables)
        own = slice(start, start + len(names))
        start = own.stop
        measured, fitted = (series.sel(parameter=names).to_numpy() for series in (plain.values, fit.values))
        covariance = plain.covariance.sel(parameter=names, parameter_b=names).to_numpy()
        inside = [m for m in masses if (compiled.low <= m).all() or compiled.low[0] <= m <= compiled.high[0]]
        rows = []
        for mass in inside:
            theta = np.concatenate([np.full(len(compiled.masses), mass), scales])
            rows.append(compiled.predict(theta)[0][own])
        predicted = np.array(rows).reshape(len(inside), len(names))
        if compiled.extraction.distributions[prediction.name] == "normalised":
            width = prediction.divisors
            total = float(measured @ width)
            share = measured / total
            jacobian = (np.eye(len(names)) - np.outer(share, width)) / total
            covariance = jacobian @ covariance @ jacobian.T
            measured, fitted = share, fitted / float(fitted @ width)
            predicted = predicted / (predicted @ width)[:, None]
        found[prediction.name] = xr.Dataset(
            {
                "measured": ("bin", measured),
                "error": ("bin", np.sqrt(np.diag(covariance))),
                "fitted": ("bin", fitted),
                "predicted": (("m_t", "bin"), predicted),
                "low": ("bin", prediction.bins[:, 0]),
                "high": ("bin", prediction.bins[:, 1]),
            },
            coords={"bin": names, "m_t": inside},
        )
    return found


def bin_figures(fit: ProfileResult) -> Iterator[ReportFigure]:
    """One figure per prediction."""
    extraction = fit.combination.extraction_in_force
    assert extraction is not None  # asked for with an extraction only
    units = {o.name: o.unit for o in fit.combination.observables}
    variables = {p.name: p.variable for p in fit.combination.predictions}
    for number, (name, data) in enumerate(predicted_bins(fit).items()):
        normalised = extraction.distributions[name] == "normalised"
        figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, height_ratios=(3, 1.2))
        draw_bins(
            np.column_stack([data["low"], data["high"]]),
            measured=data["measured"].to_numpy(),
            errors=data["error"].to_numpy(),
            predicted={f"{m:g} GeV": data["predicted"].sel(m_t=m).to_numpy() for m in data["m_t"].to_numpy()},
            fitted=data["fitted"].to_numpy(),
            quantity=f"{name}, {'normalised' if normalised else 'observable'}",
            unit="" if normalised else units[str(data["bin"].to_numpy()[0])],
            variable=variables[name] or "binned variable",
            axes=(upper, lower),
        )
        caption = (
            f"{name}: measured bins with their total uncertainty, the central prediction at three masses, and the fit with "
            f"its theory nuisances{'; all normalised to their sum, which the uncertainties include' if normalised else ''}."
        )
        yield ReportFigure(name=f"bins_{number + 1}", kind="bins", caption=caption, figure=figure)

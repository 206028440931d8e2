"""Figures of the report about what matters: ranking, impacts per bin, shares of the variance, posterior predictive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bayescomb.figures import draw_impact_map, draw_predictive, draw_ranking, draw_shares
from bayescomb.figures_style import math_name
from bayescomb.inputs import Observable
from bayescomb.report_figure import MAX_ROWS, WIDTH, ReportFigure, file_name, not_drawn
from bayescomb.report_results import Results

__all__ = ["impact_map_figure", "predictive_figure", "ranking_figure", "share_figures"]

MAX_RANKED: Final = 20
MAX_QUANTITIES: Final = 40
MAX_SHARES: Final = 4
# Shares of single coefficients below this are only in the table.
MIN_SHARE: Final = 1e-3


def ranking_figure(results: Results, parameter: Observable) -> ReportFigure | None:
    """The nuisances that shift a result most; one of every fully correlated set."""
    fit, at = results.fit, {"parameter": parameter.name}
    known = {str(name) for name in fit.constraints["nuisance"].to_numpy()}
    rows = [row for row in results.nuisances if row.leader == row.name and row.name in known]
    if not rows:
        return None
    names = [row.name for row in rows]
    constraints = fit.constraints.sel(nuisance=names).to_numpy()
    safe = np.where(constraints > 0, constraints, 1.0)
    shifts = fit.cross_covariance.sel(at).sel(nuisance=names).to_numpy() / safe
    order = [int(i) for i in np.argsort(-np.abs(shifts))[:MAX_RANKED]]
    figure = Figure(figsize=(WIDTH, 1.7 + 0.27 * len(order)), layout="constrained")
    draw_ranking(
        [f"{names[i]} (+{rows[i].followers})" if rows[i].followers else names[i] for i in order],
        shifts[order],
        -shifts[order],
        pulls=fit.pulls.sel(nuisance=names).to_numpy()[order],
        constraints=constraints[order],
        label=f"shift of {math_name(parameter.name)}",
        unit=parameter.unit,
        ax=figure.subplots(),
    )
    caption = (
        f"The {len(order)} nuisances that shift {parameter.name} most: cov(result, nuisance) / constraint, the shift of the "
        "fit with the nuisance fixed one post-fit width above (filled) or below (open) its fitted value"
        f"{'' if results.combination.quadratic else ', in the linear approximation'}; points: pulls and constraints of the "
        "profile. Fully correlated nuisances are one row, with the number of the others in brackets."
    )
    return ReportFigure(name=file_name("ranking", parameter, results), kind="impacts", caption=caption, figure=figure)


def impact_map_figure(results: Results) -> ReportFigure | None:
    """Groups of sources on every observable, in percent of it; nothing if there is one observable only."""
    fit, impacts = results.fit, results.impacts
    names = [o.name for o in results.combination.observables if o.name in fit.values["parameter"].to_numpy()]
    if not 1 < len(names) <= MAX_QUANTITIES or not impacts.groups.sizes["group"]:
        return None
    values = fit.values.sel(parameter=names)
    if bool((values == 0).any()):
        return None
    parts: list[xr.DataArray] = [impacts.groups.sel(group=g) for g in impacts.groups["group"].to_numpy()]
    labels = [str(g) for g in impacts.groups["group"].to_numpy()]
    sums = {label: part for label, part in impacts.sums.items() if label != "all systematics"}
    parts += sums.values()
    labels += sums
    table = np.array([(100 * part.sel(parameter=names) / abs(values)).to_numpy() for part in parts])
    figure = Figure(figsize=(WIDTH, 1.5 + 0.28 * len(labels)), layout="constrained")
    draw_impact_map(labels, names, table, label="impact, relative", ax=figure.subplots())
    caption = "Impact of groups of sources and of statistics on every observable, in percent of its value."
    return ReportFigure(name="impact_map", kind="impacts", caption=caption, figure=figure)


def share_figures(results: Results) -> Iterator[ReportFigure]:
    """Where the variance of each headline result comes from."""
    if results.shares is None:
        return
    kinds = [str(kind) for kind in results.shares["kind"].to_numpy()]
    for parameter in results.parameters[:MAX_SHARES]:
        shares = results.shares["share"].sel(parameter=parameter.name).to_numpy()
        coefficients = [i for i, kind in enumerate(kinds) if kind == "coefficient"]
        shown = [i for i, kind in enumerate(kinds) if kind != "coefficient" or abs(shares[i]) >= MIN_SHARE]
        shown.sort(key=lambda i: (kinds[i] == "remainder", kinds[i] == "coefficient", -abs(shares[i])))
        rows = [(str(results.shares["part"].to_numpy()[i]), float(shares[i]), kinds[i]) for i in shown[:MAX_ROWS]]
        small = [i for i in coefficients if i not in shown]
        if small:
            rows.insert(
                -1,
                (
                    f"{len(small)} {'other ' if len(small) < len(coefficients) else ''}coefficients",
                    float(shares[small].sum()),
                    "coefficient",
                ),
            )
        figure = Figure(figsize=(WIDTH, 0.9 + 0.25 * len(rows)), layout="constrained")
        draw_shares(
            [name for name, _, _ in rows],
            [share for _, share, _ in rows],
            kinds=[kind for _, _, kind in rows],
            label=f"share of Var({math_name(parameter.name)})",
            ax=figure.subplots(),
        )
        caption = f"Shares of the posterior variance of {parameter.name}; they add up to 100 %, and parts can be negative."
        if parameter == results.parameters[:MAX_SHARES][-1]:
            caption += not_drawn(results, MAX_SHARES)
        yield ReportFigure(name=file_name("shares", parameter, results), kind="shares", caption=caption, figure=figure)


def predictive_figure(results: Results) -> ReportFigure | None:
    """Measured values on what the model expects."""
    table = results.predictive
    if table is None:
        return None
    shown = table.isel(estimate=slice(MAX_ROWS))
    figure = Figure(figsize=(WIDTH, 1.3 + 0.25 * shown.sizes["estimate"]), layout="constrained")
    titles = {e.name: e.title or e.name for e in results.combination.estimates}
    draw_predictive(
        [titles[str(name)] for name in shown["estimate"].to_numpy()],
        shown["measured"],
        centre=shown["mean"],
        width=shown["sd"],
        interval68=(shown["low68"], shown["high68"]),
        interval95=(shown["low95"], shown["high95"]),
        p_values=shown["p_value"],
        ax=figure.subplots(),
    )
    caption = (
        "Posterior predictive distribution of each estimate, statistics and nuisances repeated, in its standard deviations; "
        "the predictive p-value is twice the smaller tail beyond the measured value. The data are used twice: it points at "
        "estimates, it is not uniform."
    )
    return ReportFigure(name="predictive", kind="predictive", caption=caption, figure=figure)

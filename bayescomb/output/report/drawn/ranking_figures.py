"""Figures of the report: impacts, ranking of the nuisances, their correlations after the fit, shares of the variance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from bayescomb.base.rounding import counted, decimals
from bayescomb.inputs.observables import Observable
from bayescomb.output.figures import draw_correlation_matrix, draw_impact_map, draw_impacts, draw_ranking, draw_shares
from bayescomb.output.report.figure import MAX_ROWS, WIDTH, ReportFigure, file_name, label_of
from bayescomb.output.report.gathered.ranking import Ranked
from bayescomb.output.report.results import Results
from bayescomb.output.tables.impacts import impact_table
from bayescomb.output.words import typeset

__all__ = ["impact_figure", "impact_map_figure", "post_fit_figure", "ranking_figure", "share_figures"]

# Nuisances on one page of a ranking, and groups below the nuisances of its first page.
RANKED: Final = 20
GROUPS: Final = 12
# Shifts below this part of the largest one are not drawn.
STILL: Final = 1e-3
MAX_QUANTITIES: Final = 40
# Shares of single coefficients below this are only in the table.
MIN_SHARE: Final = 1e-3


def impact_figure(results: Results, parameter: Observable) -> ReportFigure:
    """Impacts of sources, groups and sums on one result."""
    found = impact_table(results.impacts, [parameter.name]).rows
    sources = [row for row in found if row["kind"] in {"source", "nuisance", "size"}]
    groups = [row for row in found if row["kind"] == "group"]
    sums = [row for row in found if row["kind"] in {"coupling", "sum"}]
    kinds = (("source", sources[:MAX_ROWS]), ("group", groups), ("total", sums))
    rows = [(typeset(row["title"]), row[f"impact[{parameter.name}]"], kind) for kind, some in kinds for row in some]
    figure = Figure(figsize=(WIDTH, 0.9 + 0.22 * len(rows)), layout="constrained")
    draw_impacts(
        [name for name, _, _ in rows],
        [value for _, value, _ in rows],
        kinds=[kind for _, _, kind in rows],
        label=f"impact on {label_of(parameter)}",
        unit=parameter.unit,
        places=decimals(rows[-1][1]),
        ax=figure.subplots(),
    )
    dropped = len(sources[MAX_ROWS:])
    caption = (
        f"Uncertainty components of {parameter.name} at nominal coefficients: sources"
        f"{', groups of sources' if groups else ''} and their sums."
        f"{f' The {counted(dropped, "smallest sources")} are only in the table.' if dropped > 1 else ''}"
    )
    return ReportFigure(name=file_name("impacts", parameter, results), kind="impacts", caption=caption, figure=figure)


def ranking_figure(results: Results, parameter: Observable) -> ReportFigure | None:
    """The nuisances that shift a result most, one of every fully correlated set; the pages of the PDF have all of them."""
    found = results.rankings[parameter.name]
    rows, groups = [r for r in found if not r.group], [r for r in found if r.group]
    if not rows:
        return None
    moving = [r for r in rows if abs(r.post_fit) > STILL * abs(rows[0].post_fit)]
    pages = [moving[i : i + RANKED] for i in range(0, len(moving), RANKED)] or [rows[:RANKED]]
    linear = "" if results.combination.quadratic else ", in the linear approximation"
    still = len(rows) - len(moving)
    caption = (
        f"Ranking for {parameter.name}: shift with one nuisance fixed one post-fit width (filled) or one prior width (open) "
        f"above and below its fitted value, the others free to follow{linear}; points: pulls and constraints of the "
        f"profile. Fully correlated nuisances are one row, with the number of inputs. "
        f"{'Below the line: groups of sources, by their impact. ' if groups else ''}"
        f"The first {len(pages[0])} of {len(moving)}"
        f"{f'; the pdf has all on {counted(len(pages), "pages")}' if len(pages) > 1 else ''}"
        f"{f'; {counted(still, "more nuisances")} below a thousandth of the first' if still else ''}."
    )
    return ReportFigure(
        name=file_name("ranking", parameter, results),
        kind="ranking",
        caption=caption,
        figure=_ranking(parameter, [*pages[0], *groups[:GROUPS]]),
        more=tuple(partial(_ranking, parameter, page) for page in pages[1:]),
    )


def _ranking(parameter: Observable, rows: list[Ranked]) -> Figure:
    figure = Figure(figsize=(WIDTH, 1.9 + 0.27 * len(rows)), layout="constrained")
    post, pre = np.array([row.post_fit for row in rows]), np.array([row.pre_fit for row in rows])
    draw_ranking(
        [typeset(row.label) for row in rows],
        post,
        -post,
        before=(pre, -pre),
        pulls=[row.pull for row in rows],
        constraints=[row.constraint for row in rows],
        groups=sum(row.group for row in rows),
        label=f"shift of {label_of(parameter)}",
        unit=parameter.unit,
        ax=figure.subplots(),
    )
    return figure


def post_fit_figure(results: Results) -> ReportFigure | None:
    """Correlation of the results and the nuisances that move them most, after the fit."""
    found = results.post_fit
    count = found.sizes["quantity"]
    names = [str(name) for name in found["quantity"].to_numpy()]
    own = {p.name for p in results.parameters}
    first = sum(name in own for name in names)
    if count == first:
        return None
    own_labels = {p.name: label_of(p) for p in results.parameters}
    labels = [own_labels[name] if i < first else typeset(results.labels.get(name, name)) for i, name in enumerate(names)]
    size = min(WIDTH + 1.2, 4.6 + 0.27 * count)
    figure = Figure(figsize=(size, 0.84 * size), layout="constrained")
    draw_correlation_matrix(found.to_numpy(), labels, first=first, ax=figure.subplots())
    caption = (
        f"Correlation after the fit of {'the results and ' if first > 1 else 'the result and '}the "
        f"{counted(count - first, 'nuisances')} that move {'them' if first > 1 else 'it'} most, profile at nominal "
        "coefficients."
    )
    return ReportFigure(name="post_fit_correlation", kind="correlations", caption=caption, figure=figure)


def impact_map_figure(results: Results) -> ReportFigure | None:
    """Impacts of groups on every observable in percent of its value, ``None`` for one observable or too many of them."""
    table = results.relative_impacts
    if table is None or table.sizes["parameter"] > MAX_QUANTITIES:
        return None
    named = {o.name: typeset(o.title or o.name) for o in results.combination.observables}
    labels = [str(part) for part in table["part"].to_numpy()]
    titles = [named[str(name)] for name in table["parameter"].to_numpy()]
    figure = Figure(figsize=(WIDTH, 1.5 + 0.28 * len(labels)), layout="constrained")
    draw_impact_map(labels, titles, table, label="impact, relative", ax=figure.subplots())
    caption = "Impact of groups of sources and of statistics on every observable, in percent of its value."
    return ReportFigure(name="impact_map", kind="impacts", caption=caption, figure=figure)


def share_figures(results: Results) -> Iterator[ReportFigure]:
    """Shares of the variance of each headline result."""
    if results.divided.shares is None:
        return
    kinds = [str(kind) for kind in results.divided.shares["kind"].to_numpy()]
    titles = {c.name: c.title or c.name for c in results.combination.assumption_set.coefficients}
    for parameter in results.parameters:
        shares = results.divided.shares["share"].sel(parameter=parameter.name).to_numpy()
        shown = [i for i, kind in enumerate(kinds) if abs(shares[i]) >= MIN_SHARE or kind == "statistics"]
        shown.sort(key=lambda i: (kinds[i] == "remainder", kinds[i] == "coefficient", -abs(shares[i])))
        parts = results.divided.shares["part"].to_numpy()
        rows = [
            (
                titles.get(str(parts[i]), str(parts[i])) if kinds[i] == "coefficient" else str(parts[i]),
                float(shares[i]),
                kinds[i],
            )
            for i in shown[:MAX_ROWS]
        ]
        for kind in ("coefficient", "group"):
            small = [i for i, own in enumerate(kinds) if own == kind and i not in shown]
            if small:
                rows.append((counted(len(small), f"other {kind}s"), float(shares[small].sum()), kind))
        rows.sort(key=lambda row: (row[2] == "remainder", row[2] == "coefficient"))
        figure = Figure(figsize=(WIDTH, 0.9 + 0.25 * len(rows)), layout="constrained")
        draw_shares(
            [typeset(name) for name, _, _ in rows],
            [share for _, share, _ in rows],
            kinds=[kind for _, _, kind in rows],
            label=f"share of Var({label_of(parameter)})",
            ax=figure.subplots(),
        )
        caption = f"Shares of the posterior variance of {parameter.name}; they add up to 100 %, and parts can be negative."
        yield ReportFigure(name=file_name("shares", parameter, results), kind="shares", caption=caption, figure=figure)

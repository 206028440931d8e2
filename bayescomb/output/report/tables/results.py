"""Tables of the results of a report: values, pulls, diagnostics, settings, sources of uncertain size."""

from __future__ import annotations

import importlib.metadata
from typing import Any, Final

import numpy as np

from bayescomb.base.rounding import (
    PULL_PLACES,
    R_HAT_PLACES,
    correlation_text,
    significant,
    with_error,
)
from bayescomb.output.report.gathered.ranking import leading_pulls
from bayescomb.output.report.results import Results
from bayescomb.output.report.tables.coefficients import coefficient_table, set_table
from bayescomb.output.report.told.matters import input_titles
from bayescomb.output.report.told.titles import block_title, observable_titles, quantity_title
from bayescomb.output.statements import settings
from bayescomb.output.tables.averages import average_tables
from bayescomb.output.tables.impacts import impact_table
from bayescomb.output.tables.result import compatibility_table, cost_table, summary_table
from bayescomb.output.tables.scan import largest_moves, moves_table, scan_table
from bayescomb.output.tables.table import Column, Table, fixed_column, number_column, text_column
from bayescomb.output.text_layout import MANY
from bayescomb.output.words import typeset

__all__ = ["covariance_table", "result_tables", "size_table"]

# Results whose covariances are on the page.
FEW: Final = 6
# Nuisances whose diagnostics are on the page: the worst ones.
WORST: Final = 10


def result_tables(results: Results) -> dict[str, Table]:
    """Tables of the results by name."""
    tables = [
        summary_table(results.parameters, fit=results.fit, comparison=results.comparison),
        cost_table(results.parameters, results.comparison),
        covariance_table(results),
        _scan(results),
        compatibility_table(results.compatibility, titles=input_titles(results)),
        impact_table(results.impacts, [o.name for o in results.parameters]),
        coefficient_table(results),
        size_table(results),
        _pulls(results),
        _not_recovered(results),
        _diagnostics(results),
        _settings(results),
        set_table(results),
        *average_tables(results.averages).values(),
    ]
    return {table.name: table for table in tables}


def _scan(results: Results) -> Table:
    if len(results.parameters) > MANY:
        return moves_table(results.scan, largest_moves(results.scan))
    return scan_table(results.scan, results.parameters)


def _pulls(results: Results) -> Table:
    position = {row.name: i for i, row in enumerate(results.nuisances)}
    rows = [
        {
            "nuisance": row.name,
            "source": row.source,
            "pull": row.pull,
            "constraint": row.constraint,
            "profile_pull": row.profile_pull,
            "profile_constraint": row.profile_constraint,
            "leader": row.leader,
            "followers": row.followers,
        }
        for row in results.nuisances
    ]
    shown = [position[row.name] for row in leading_pulls(results.nuisances)]

    columns = [
        Column(title="nuisance", show=lambda row: typeset(results.labels[row["nuisance"]]), text=True),
        fixed_column("pull (profile)", "profile_pull", PULL_PLACES, sign=True),
        fixed_column("constraint (profile)", "profile_constraint", PULL_PLACES),
    ]
    if results.usable is not None:
        columns.insert(1, fixed_column("pull (posterior)", "pull", PULL_PLACES, sign=True))
        columns.insert(2, fixed_column("constraint (posterior)", "constraint", PULL_PLACES))
    title = (
        "The largest pulls, in prior widths, one nuisance of every fully correlated set. Constraint: post-fit over prior "
        "width."
    )
    return Table(name="pulls", title=title, rows=rows, columns=columns, on_page=shown)


def _not_recovered(results: Results) -> Table:
    reasons = {} if results.run is None else results.run.not_recovered
    rows = [{"block": block, "reason": reason} for block, reason in reasons.items()]
    if results.run is None:
        without = {row.source or row.name for row in results.nuisances if row.profile_constraint is None}
        rows = [
            {"block": block.label, "reason": f"its matrix is indefinite (smallest eigenvalue {significant(block.smallest)})"}
            for block in results.check.indefinite
            if without
        ]
    columns = [
        Column(title="source", show=lambda row: block_title(results.combination, row["block"]), text=True),
        text_column("reason", "reason"),
    ]
    return Table(name="without_posterior", title="Nuisances without a posterior.", rows=rows, columns=columns)


def _diagnostics(results: Results) -> Table:
    # Here the Monte Carlo error is that of the draws; that of a result in the summary may be of exact conditional moments.
    keys = {"r_hat": "r_hat", "ess_bulk": "ess_bulk", "ess_tail": "ess_tail", "mcse_mean": "mcse_of_draws"}
    rows: list[dict[str, Any]] = []
    shown: list[int] = []
    more = ""
    if results.verdict is not None:
        table = results.verdict.table
        names = [str(q) for q in table["quantity"].to_numpy()]
        rows = [{"quantity": n} | {keys[key]: float(table[key][i]) for key in keys} for i, n in enumerate(names)]
        least = np.minimum(table["ess_bulk"].to_numpy(), table["ess_tail"].to_numpy())
        # One nuisance of every fully correlated set: the others have the same draws.
        leaders = {f"pull[{row.name}]" for row in results.nuisances if row.leader == row.name}
        nuisances = [i for i, n in enumerate(names) if n in leaders]
        worst = sorted(nuisances, key=lambda i: least[i])[:WORST]
        # The theory nuisances, such as the members of a PDF set, are one row: the worst of them.
        members = [i for i, n in enumerate(names) if n.startswith("theory_pull[")]
        worst_of = sorted(members, key=lambda i: least[i])[:1]
        more = f" (worst of {len(members)} nuisances of the prediction)" if len(members) > 1 else ""
        single = [i for i, n in enumerate(names) if not n.startswith(("pull[", "theory_pull["))]
        shown = single + worst_of + worst
        parameters = {o.name for o in results.parameters}
        shown.sort(key=lambda i: (names[i] not in parameters, i in worst_of, i in worst))
    columns = [
        Column(
            title="quantity",
            show=lambda row: quantity_title(results, row["quantity"]) + _of(row["quantity"], more),
            text=True,
        ),
        fixed_column("R-hat", "r_hat", R_HAT_PLACES),
        fixed_column("ESS bulk", "ess_bulk", 0),
        fixed_column("ESS tail", "ess_tail", 0),
        number_column("MCSE of the mean of the draws", "mcse_of_draws", lambda value: significant(value, 2)),
    ]
    title = f"Convergence: parameters, coefficients and the {WORST} nuisances with the smallest effective sample size."
    return Table(name="diagnostics", title=title, rows=rows, columns=columns, on_page=shown)


def _of(quantity: str, more: str) -> str:
    return more if quantity.startswith("theory_pull[") else ""


def _settings(results: Results) -> Table:
    run = results.run
    rows: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in settings(results.combination).items()]
    rows += [{"key": key, "value": value} for key, value in results.check.sizes.items()]
    for key in ("correlations", "engine", "backend", "seed", "chains", "tune", "draws", "created"):
        if run is not None and key in run.settings:
            rows.append({"key": key, "value": run.settings[key]})
    versions = {} if run is None else run.versions
    for name in versions or ("bayescomb", "numpy", "scipy"):
        rows.append({"key": f"version of {name}", "value": versions.get(name) or importlib.metadata.version(name)})
    columns = [text_column("", "key"), text_column("", "value")]
    return Table(name="settings", title="Settings and versions.", rows=rows, columns=columns)


def size_table(results: Results) -> Table:
    """One row per source of uncertain size; empty if there is none."""
    rows: list[dict[str, Any]] = []
    posterior = {} if results.usable is None else results.usable.sizes
    found = results.fit.sizes
    for name in [] if found is None else [str(n) for n in found.sizes["uncertain_size"].to_numpy()]:
        assert found is not None
        row = found.sizes.sel(uncertain_size=name)
        prior_low, prior_high = results.prior_sizes[name]
        low, median, high = posterior.get(name, (None, None, None))
        rows.append(
            {
                "name": name,
                "source": str(row["source"].item()),
                "relative": float(row["relative"]),
                "rank": int(row["rank"]),
                "fitted": float(row["size"]),
                "fitted_error": float(row["size_error"]),
                "prior_low": prior_low,
                "prior_high": prior_high,
                "posterior_low": low,
                "posterior_median": median,
                "posterior_high": high,
            }
        )
    columns = [
        text_column("size of", "name"),
        number_column("quoted to", "relative", significant),
        fixed_column("independent nuisances", "rank", 0),
        Column(title="fitted / quoted", show=lambda row: with_error(row["fitted"], row["fitted_error"])),
        number_column("prior 16 %", "prior_low", significant),
        number_column("prior 84 %", "prior_high", significant),
    ]
    if posterior:
        columns += [
            number_column(f"posterior {label}", f"posterior_{key}", significant)
            for label, key in (("16 %", "low"), ("median", "median"), ("84 %", "high"))
        ]
    title = (
        "Sources whose quoted size is uncertain (gamma variance model): true over quoted standard deviation. The profile "
        "fits it below 1 where the nuisances are pulled less than their number allows; intervals of the result are those of "
        "-2 log L, with Bartlett's correction beside them in the JSON of the profile."
    )
    return Table(name="uncertain_sizes", title=title, rows=rows, columns=columns)


def covariance_table(results: Results) -> Table:
    """Covariance of all pairs of combined quantities; the page shows it of a few only."""
    covariance, kind = results.covariance, results.covariance_kind
    rows = [
        {
            "parameter": first.name,
            "parameter_b": second.name,
            "profile": float(results.fit.covariance.sel(parameter=first.name, parameter_b=second.name)),
            "posterior": float(covariance[i, j]) if kind == "posterior" else None,
        }
        for i, first in enumerate(results.parameters)
        for j, second in enumerate(results.parameters)
    ]
    names = [o.name for o in results.parameters]
    titles = observable_titles(results.combination)
    # The page has each pair once; a matrix of many is a figure only.
    few = [i * len(names) + j for i in range(len(names)) for j in range(i, len(names))]
    columns = [
        *(Column(title="", show=lambda row, key=key: titles.get(row[key], row[key]), text=True)  # type: ignore[misc]
          for key in ("parameter", "parameter_b")),
        number_column("covariance (profile)", "profile", lambda value: significant(value, 4)),
        *([number_column("covariance (posterior)", "posterior", lambda value: significant(value, 4))]
          if kind == "posterior" else []),
        Column(
            title=f"correlation ({kind.split(' ')[0]})",
            show=lambda row: correlation_text(
                float(results.correlation[names.index(row["parameter"]), names.index(row["parameter_b"])])
            ),
        ),
    ]  # fmt: skip
    title = "Covariance of the combined quantities, in the products of their units."
    shown = few if 1 < len(names) <= FEW else []
    return Table(name="covariance", title=title, rows=rows, columns=columns if shown else [], on_page=shown)

"""Tables of what came out: impacts, pulls, diagnostics, settings."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any, Final

import numpy as np

from bayescomb.report_coefficient_tables import coefficient_table, scan_table
from bayescomb.report_results import Results
from bayescomb.report_size_table import size_table
from bayescomb.report_summaries import leading_pulls
from bayescomb.report_summary_tables import covariance_table, summary_table, variance_table
from bayescomb.report_tables import Column, Table, fixed_column, number_column, text_column
from bayescomb.rounding import PULL_PLACES, R_HAT_PLACES, rounded_like, significant

__all__ = ["result_tables"]

# Nuisances whose diagnostics are on the page: the worst ones.
WORST: Final = 10


def result_tables(results: Results) -> dict[str, Table]:
    """Tables of the results by name."""
    tables = [
        summary_table(results),
        variance_table(results),
        covariance_table(results),
        scan_table(results),
        _impacts(results),
        coefficient_table(results),
        size_table(results),
        _pulls(results),
        _not_recovered(results),
        _diagnostics(results),
        _settings(results),
    ]
    return {table.name: table for table in tables}


def _impacts(results: Results) -> Table:
    impacts, names = results.impacts, [o.name for o in results.parameters]
    titles = {s.name: s.title or s.name for s in results.combination.sources}

    def entry(name: str, title: str, kind: str, values: Any) -> dict[str, Any]:
        return {"name": name, "title": title, "kind": kind} | {f"impact[{p}]": float(values.sel(parameter=p)) for p in names}

    def ranked(values: Any, dim: str) -> list[str]:
        order = np.argsort(-np.abs(values / results.fit.errors).sel(parameter=names).max("parameter").to_numpy())
        return [str(values[dim].to_numpy()[i]) for i in order]

    rows = [entry(s, titles.get(s, s), "source", impacts.sources.sel(source=s)) for s in ranked(impacts.sources, "source")]
    if impacts.groups.size:
        rows += [entry(g, g, "group", impacts.groups.sel(group=g)) for g in ranked(impacts.groups, "group")]
    if bool((impacts.coupling != 0).any()):
        rows.append(entry("coupling", "between different sources", "coupling", impacts.coupling))
    keys = {"statistics": "stat", "all systematics": "syst"}
    rows += [entry(keys.get(label, label), label, "sum", part) for label, part in impacts.sums.items()]
    units = {o.name: f" [{o.unit}]" if o.unit else "" for o in results.parameters}
    totals = {p: float(impacts.total.sel(parameter=p)) for p in names}
    columns = [text_column("source", "title"), text_column("", "kind")]
    columns += [
        Column(
            title=f"impact on {p}{units[p]}",
            show=lambda row, p=p: rounded_like(row[f"impact[{p}]"], totals[p]),  # type: ignore[misc]
        )
        for p in names
    ]
    return Table(name="impacts", title="Impacts at nominal coefficients.", rows=rows, columns=columns)


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
        text_column("nuisance", "nuisance"),
        Column(title="fully correlated with it", show=lambda row: str(row["followers"] or "\N{EN DASH}")),
        fixed_column("pull (profile)", "profile_pull", PULL_PLACES, sign=True),
        fixed_column("constraint (profile)", "profile_constraint", PULL_PLACES),
    ]
    if results.draws is not None:
        columns.insert(2, fixed_column("pull (posterior)", "pull", PULL_PLACES, sign=True))
        columns.insert(3, fixed_column("constraint (posterior)", "constraint", PULL_PLACES))
    title = (
        "The largest pulls, in prior widths, one nuisance of every fully correlated set. Constraint: post-fit over prior "
        "width."
    )
    return Table(name="pulls", title=title, rows=rows, columns=columns, on_page=shown)


def _not_recovered(results: Results) -> Table:
    rows = [{"block": block, "reason": reason} for block, reason in results.not_recovered.items()]
    if results.tree is None:
        without = {row.source or row.name for row in results.nuisances if row.profile_constraint is None}
        rows = [
            {"block": block.label, "reason": f"its matrix is indefinite (smallest eigenvalue {significant(block.smallest)})"}
            for block in results.check.indefinite
            if without
        ]
    columns = [text_column("source", "block"), text_column("reason", "reason")]
    return Table(name="without_posterior", title="Nuisances without a posterior.", rows=rows, columns=columns)


def _diagnostics(results: Results) -> Table:
    # The Monte Carlo error of the draws; that of a result, which may come from exact conditional moments, is in the summary.
    keys = {"r_hat": "r_hat", "ess_bulk": "ess_bulk", "ess_tail": "ess_tail", "mcse_mean": "mcse_of_draws"}
    rows: list[dict[str, Any]] = []
    shown: list[int] = []
    if results.verdict is not None:
        table = results.verdict.table
        names = [str(q) for q in table["quantity"].to_numpy()]
        rows = [{"quantity": n} | {keys[key]: float(table[key][i]) for key in keys} for i, n in enumerate(names)]
        least = np.minimum(table["ess_bulk"].to_numpy(), table["ess_tail"].to_numpy())
        # One nuisance of every fully correlated set: the others have the same draws.
        leaders = {f"pull[{row.name}]" for row in results.nuisances if row.leader == row.name}
        nuisances = [i for i, n in enumerate(names) if n in leaders]
        worst = sorted(nuisances, key=lambda i: least[i])[:WORST]
        shown = [i for i, n in enumerate(names) if not n.startswith("pull[")] + worst
        parameters = {o.name for o in results.parameters}
        shown.sort(key=lambda i: (names[i] not in parameters, i in worst))
    columns = [
        text_column("quantity", "quantity"),
        fixed_column("R-hat", "r_hat", R_HAT_PLACES),
        fixed_column("ESS bulk", "ess_bulk", 0),
        fixed_column("ESS tail", "ess_tail", 0),
        number_column("MCSE of the mean of the draws", "mcse_of_draws", lambda value: significant(value, 2)),
    ]
    title = f"Convergence: parameters, coefficients and the {WORST} nuisances with the smallest effective sample size."
    return Table(name="diagnostics", title=title, rows=rows, columns=columns, on_page=shown)


def _settings(results: Results) -> Table:
    combination, attrs = results.combination, results.attrs
    rows: list[dict[str, Any]] = [
        {"key": "model", "value": combination.name},
        {"key": "assumption set", "value": combination.assumptions},
        {"key": "treatment", "value": combination.treatment},
        {"key": "repair", "value": combination.repair},
        {"key": "chi2", "value": results.fit.chi2_form},
    ]
    rows += [{"key": key, "value": value} for key, value in results.check.sizes.items()]
    for key in ("correlations", "engine", "backend", "seed", "chains", "tune", "draws", "created"):
        if key in attrs:
            rows.append({"key": key, "value": attrs[key]})
    versions = json.loads(attrs.get("versions", "{}"))
    for name in versions or ("bayescomb", "numpy", "scipy"):
        rows.append({"key": f"version of {name}", "value": versions.get(name) or importlib.metadata.version(name)})
    columns = [text_column("", "key"), text_column("", "value")]
    return Table(name="settings", title="Settings and versions.", rows=rows, columns=columns)

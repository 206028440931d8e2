"""Predictions side by side, shares of the variance, relevance and assumption sets as data for JSON, in full precision."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayescomb.base.files.writing import plain_value
from bayescomb.output.statements import header_data
from bayescomb.output.tables.table import by_result
from bayescomb.output.tables.variance import SCALARS, relevance_table, shares_table
from bayescomb.studies.theory.study import TheoryStudy

if TYPE_CHECKING:  # it samples
    from bayescomb.studies.assumption_sets import SetComparison

__all__ = ["relevance_data", "sets_data", "shares_data", "theory_data"]


def theory_data(study: TheoryStudy) -> dict[str, Any]:
    """Orders, variants, the seven-point envelope, rate and shape apart, and the quality of the interpolation in the mass."""
    return {
        **header_data(study.combination),
        "orders": [dataclasses.asdict(row) for row in study.orders],
        "variants": [dataclasses.asdict(row) for row in study.variants],
        "envelope": [dataclasses.asdict(row) for row in study.envelope],
        "rate_and_shape": [dataclasses.asdict(row) for row in study.apart],
        "interpolation": {
            name: {
                "m_t": found["m_t"].to_numpy().tolist(),
                "observables": [str(o) for o in found["observable"].to_numpy()],
                **{str(key): [[plain_value(v) for v in row] for row in found[key].to_numpy()] for key in found.data_vars},
            }
            for name, found in study.interpolation.items()
        },
    }


def relevance_data(relevance: xr.Dataset) -> dict[str, Any]:
    """One entry per coefficient, in the order of the assumption set."""
    rows = {row["coefficient"]: row for row in relevance_table(relevance, {}).rows}
    return {
        str(c): {key: rows[str(c)][key] for key in SCALARS}
        | {key: by_result(rows[str(c)], key) for key in ("slope", "share")}
        for c in relevance["coefficient"].to_numpy()
    }


def shares_data(shares: xr.Dataset) -> dict[str, Any]:
    """Per parameter, one entry per part."""
    given = {str(part): i for i, part in enumerate(shares["part"].to_numpy())}
    found: dict[str, Any] = {str(p): {} for p in shares["parameter"].to_numpy()}
    rows = [row for row in shares_table(shares, {}).rows if row["kind"] != "sum"]
    for row in sorted(rows, key=lambda row: given[row["part"]]):
        found[row["parameter"]][row["part"]] = {key: plain_value(row[key]) for key in ("kind", "variance", "share")}
    return found


def sets_data(comparison: SetComparison) -> dict[str, Any]:
    """Per set, the results, the feasibility statements and the impacts by group."""
    table = comparison.table()
    sets = {}
    for row in comparison.sets:
        at = table.sel(assumptions=row.name)
        parameters = [str(p) for p in at["parameter"].to_numpy()]
        keys = ("value", "error", "mean", "sd", "mcse_mean")
        sets[row.name] = {
            "description": row.description,
            "problem": row.problem or None,
            "parameters": {p: {key: plain_value(at[key].sel(parameter=p).item()) for key in keys} for p in parameters},
            "feasibility": [
                {"block": s.label, "status": s.status, "share": s.share, "text": s.text} for s in row.statements
            ],
            "impacts": {} if row.impacts is None else _by_group(row.impacts.groups),
        }
    return {**header_data(comparison.combination), "sets": sets}


def _by_group(groups: xr.DataArray) -> dict[str, dict[str, float]]:
    parameters = [str(p) for p in groups["parameter"].to_numpy()]
    return {str(g): {p: float(groups.sel(group=g, parameter=p)) for p in parameters} for g in groups["group"].to_numpy()}

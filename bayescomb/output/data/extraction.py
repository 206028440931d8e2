"""JSON data of what goes with an extraction, in full precision."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayescomb.base.files.writing import plain_value
from bayescomb.output.statements import header_data
from bayescomb.output.tables.impacts import SCALARS
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
    """One entry per coefficient."""
    parameters = [str(p) for p in relevance["parameter"].to_numpy()]
    return {
        str(c): {key: float(relevance[key].sel(coefficient=c)) for key in SCALARS}
        | {
            key: {p: plain_value(relevance[key].sel(coefficient=c, parameter=p).item()) for p in parameters}
            for key in ("slope", "share")
        }
        for c in relevance["coefficient"].to_numpy()
    }


def shares_data(shares: xr.Dataset) -> dict[str, Any]:
    """Per parameter, one entry per part."""
    return {
        str(p): {
            str(part): {
                "kind": str(kind),
                "variance": plain_value(float(shares["variance"].sel(parameter=p)[i])),
                "share": plain_value(float(shares["share"].sel(parameter=p)[i])),
            }
            for i, (part, kind) in enumerate(zip(shares["part"].to_numpy(), shares["kind"].to_numpy(), strict=True))
        }
        for p in shares["parameter"].to_numpy()
    }


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

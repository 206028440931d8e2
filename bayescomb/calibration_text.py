"""A calibration study as text and as plain data."""

from __future__ import annotations

import math
from typing import Any

import xarray as xr

from bayescomb.export import header_data
from bayescomb.inputs import Combination
from bayescomb.rounding import counted, p_value_text, plain, with_error
from bayescomb.text import header
from bayescomb.text_layout import table

__all__ = ["study_data", "study_text"]


def study_text(study: xr.Dataset, combination: Combination) -> str:
    """Coverage, pulls and ranks of every quantity, one row each."""
    attrs = study.attrs
    lines = [
        header(combination),
        (
            f"{counted(attrs['toys'], 'data sets')}, {attrs['problems']} of them could not be analysed, "
            f"{counted(attrs['divergences'], 'divergences')}"
        ),
    ]
    if "posterior" in study["answer"]:
        smallest = float(study["rank_p_value_corrected"].min())
        count = int(study["rank_p_value"].count())
        lines.append(f"smallest p-value of the ranks, corrected for {count}: {plain(p_value_text(smallest))}")
    columns = ["quantity", "answer", "68 % covers", "95 % covers", "pull mean", "pull width", "p-value of the ranks"]
    rows = [columns]
    for answer in study["answer"].to_numpy():
        for name in study["quantity"].to_numpy():
            at = study.sel(answer=answer, quantity=name)
            if math.isnan(float(at["pull_mean"])):
                continue
            covered = [
                plain(with_error(float(at["coverage"].sel(level=level)), float(at["coverage_error"].sel(level=level))))
                for level in at["level"].to_numpy()
            ]
            p_value = float(at["rank_p_value"]) if answer == "posterior" else math.nan
            rows.append(
                [
                    str(name),
                    str(answer),
                    *covered,
                    plain(with_error(float(at["pull_mean"]), float(at["pull_mean_error"]))),
                    plain(with_error(float(at["pull_width"]), float(at["pull_width_error"]))),
                    "" if math.isnan(p_value) else plain(p_value_text(p_value)),
                ]
            )
    return "\n".join([*lines, table(rows)])


def study_data(study: xr.Dataset, combination: Combination) -> dict[str, Any]:
    """The study as JSON takes it; ``None`` where there is nothing."""

    def plain(value: Any) -> float | None:
        return None if math.isnan(float(value)) else float(value)

    found: dict[str, Any] = {}
    for name in study["quantity"].to_numpy():
        at = study.sel(quantity=name)
        entry: dict[str, Any] = {key: plain(at[key]) for key in ("rank_p_value", "rank_p_value_corrected")}
        for answer in study["answer"].to_numpy():
            own = at.sel(answer=answer)
            entry[str(answer)] = {
                key: plain(own[key]) for key in ("pull_mean", "pull_mean_error", "pull_width", "pull_width_error")
            } | {
                f"coverage{level}": [plain(own[key].sel(level=level)) for key in ("coverage", "coverage_error")]
                for level in study["level"].to_numpy()
            }
        found[str(name)] = entry
    return header_data(combination) | {key: int(value) for key, value in study.attrs.items()} | {"quantities": found}

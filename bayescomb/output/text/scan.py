"""Scans as text: one table per result where these are few, and what moved most of all where they are many."""

from __future__ import annotations

import dataclasses
from typing import Final

from bayescomb.base.rounding import (
    chi2_text,
    coefficient_text,
    counted,
    plain,
    with_error,
)
from bayescomb.fit.scan import ScanResult, ScanRow
from bayescomb.inputs.combination import Combination
from bayescomb.output.statements import header
from bayescomb.output.tables.scan import STILL, across_experiments, largest_moves, moves_table, scan_table
from bayescomb.output.text_layout import CUT, MANY, table

__all__ = ["scan_text"]

# Results with a table each; more of them make a table of the largest changes.
FEW: Final = 3


# Rows of that table.
TOP: Final = 20


def scan_text(result: ScanResult) -> str:
    """Half shifts, beside the published ones where there are any."""
    lines = [header(result.combination), "half of value(high) - value(low), and of error(high) - error(low)"]
    many = len(result.combination.headline) > FEW
    if many:
        lines += _many(result)
    else:
        lines += [scan_table(result, [parameter]).text for parameter in result.combination.headline]
    lines += _cuts(result)
    for row in result.rows:
        if not many and (row.problem or len(row.points[0].coefficients) > 1):
            lines += ["", f"{row.name}:", _points_table(result.combination, row)]
    return "\n".join(lines)


def _cuts(result: ScanResult) -> list[str]:
    """Legend of the stars: the ranges that are cut, by block."""
    found: dict[tuple[str, ...], list[ScanRow]] = {}
    for row in result.rows:
        if row.cut:
            found.setdefault(row.blocks, []).append(row)
    if not found:
        return []
    lines = ["* the last value with a matrix of correlations, where the quoted range goes on:"]
    if len(found) > MANY:
        cut = [f"{row.name} (quoted {coefficient_text(row.low)} to {coefficient_text(row.high)}; {'; '.join(row.blocks)})"
               for rows in found.values() for row in rows]  # fmt: skip
        more = f"; {len(cut) - CUT} more" if len(cut) > CUT else ""
        return [*lines, plain("  " + ", ".join(cut[:CUT]) + more)]
    for blocks, rows in found.items():
        quoted = ", ".join(
            f"{row.name} (quoted {coefficient_text(row.low)} to {coefficient_text(row.high)})" for row in rows
        )
        lines.append(plain(f"  {'; '.join(blocks)}: {quoted}"))
    return lines


def _many(result: ScanResult) -> list[str]:
    """Table of the largest changes, for many results."""
    moves = largest_moves(result)
    moved = [move for move in moves if move.size > STILL]
    lines = []
    if moved:
        position = {row.name: i for i, row in enumerate(result.rows)}
        table = dataclasses.replace(moves_table(result, moves), on_page=[position[move.row.name] for move in moved[:TOP]])
        lines += [
            "largest half shift of a value in units of its error, of an error in percent, and of a correlation "
            + ("between results of different experiments" if across_experiments(result.combination) else "of results"),
            table.text,
        ]
    still = len(moves) - len(moved)
    if len(moved) > TOP:
        lines.append(f"{len(moved) - TOP} more move less, see --json")
    if still:
        lines.append(
            f"{counted(still, 'coefficients')} of {len(moves)} move no error and no correlation by more than 0.05 %"
        )
    problems = [row.name for row in result.rows if row.half_shift is None]
    if problems:
        lines.append(f"nowhere feasible: {', '.join(problems)}")
    return lines


def _points_table(combination: Combination, row: ScanRow) -> str:
    """The points of one scan, of a group of coefficients or partly infeasible."""
    names = [o.name for o in combination.headline]
    cells = [[*row.points[0].coefficients, "chi2", *names]]
    for point in row.points:
        at = [plain(coefficient_text(value, sign=True)) for value in point.coefficients.values()]
        if point.values is None or point.errors is None:
            cells.append([*at, "infeasible", *["-" for _ in names]])
            continue
        results = [
            plain(with_error(float(point.values.sel(parameter=n)), float(point.errors.sel(parameter=n)))) for n in names
        ]
        cells.append([*at, plain(chi2_text(point.chi2)), *results])
    return table(cells)

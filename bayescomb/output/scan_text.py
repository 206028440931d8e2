"""Scans as text: one table per result where these are few, and what moved most of all where they are many."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.rounding import chi2_text, coefficient_text, counted, fine_unit, fixed, percent_text, plain, with_error
from bayescomb.fit.scan import ScanResult, ScanRow
from bayescomb.inputs.combination import Combination
from bayescomb.output.statements import header
from bayescomb.output.text_layout import CUT, MANY, table

__all__ = ["STILL", "across_experiments", "largest_moves", "scan_text"]

# Results with a table each; more of them make a table of the largest changes.
FEW: Final = 3
# Rows of that table.
TOP: Final = 20
# Changes below this, of an error or of a correlation, are rounding.
STILL: Final = 5e-4


@dataclass(frozen=True, kw_only=True)
class Move:
    """What a scan moves most.

    Attributes:
        row: the scan.
        value: largest half shift of a value, in units of its error, and the name of the result; ``(0.0, "")`` if none.
        error: largest relative half shift of an error, likewise.
        correlation: largest half shift of a correlation between results of different experiments, likewise.
    """

    row: ScanRow
    value: tuple[float, str]
    error: tuple[float, str]
    correlation: tuple[float, str]

    @property
    def size(self) -> float:
        """The largest of the three."""
        return max(abs(self.value[0]), abs(self.error[0]), abs(self.correlation[0]))


def scan_text(result: ScanResult) -> str:
    """Half shifts, beside the published ones where there are any."""
    lines = [header(result.combination), "half of value(high) - value(low), and of error(high) - error(low)"]
    many = len(result.combination.headline) > FEW
    if many:
        lines += _many(result)
    else:
        lines += [_shift_table(result, name, unit) for name, unit in ((o.name, o.unit) for o in result.combination.headline)]
    lines += _cuts(result)
    for row in result.rows:
        if not many and (row.problem or len(row.points[0].coefficients) > 1):
            lines += ["", f"{row.name}:", _points_table(result.combination, row)]
    return "\n".join(lines)


def _shift_table(result: ScanResult, name: str, unit: str) -> str:
    """Shifts of one result; published columns only where something is published."""
    scale, fine, places = fine_unit(_scan_error(result, name), unit)
    published = any(row.published_half_shift or row.published_half_error_shift for row in result.rows)
    rows = [["coefficient", "range", "nominal", f"shift of {name} [{fine}]", "published",
             f"shift of error [{fine}]", "published"]]  # fmt: skip
    for row in result.rows:
        shifts = ["infeasible", "infeasible"]
        if row.half_shift is not None and row.half_error_shift is not None:
            at = {"parameter": name}
            shifts = [
                plain(fixed(scale * float(s.sel(at)), places + 1, sign=True)) for s in (row.half_shift, row.half_error_shift)
            ]
        quoted = [row.published_half_shift or "-", row.published_half_error_shift or "-"]
        nominal = plain(coefficient_text(row.nominal))
        rows.append([_short(row.title or row.name, 44), _range(row), nominal, shifts[0], quoted[0], shifts[1], quoted[1]])
    return table(rows if published else [[*row[:4], row[5]] for row in rows])


def _range(row: ScanRow) -> str:
    """The range that was scanned; a star marks an end of the feasible set before a quoted end."""
    ends = row.reached or (row.low, row.high)
    texts = [
        coefficient_text(end, sign=True) + ("*" if row.cut and end != quoted else "")
        for end, quoted in zip(ends, (row.low, row.high), strict=True)
    ]
    return plain(" to ".join(texts))


def _cuts(result: ScanResult) -> list[str]:
    """What the stars mean, each block once."""
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
    """What moved, the largest first."""
    moves = largest_moves(result)
    moved = [move for move in moves if move.size > STILL]
    lines = []
    if moved:
        rows = [["coefficient", "range", "value [error]", "of", "error [%]", "of", "correlation", "of"]]
        empty = {
            c for c, key in ((2, "value"), (4, "error"), (6, "correlation")) if not any(getattr(m, key)[1] for m in moved)
        }
        for move in moved[:TOP]:
            rows.append(
                [
                    _short(move.row.title or move.row.name, 34),
                    _range(move.row),
                    plain(fixed(move.value[0], 3, sign=True)) if move.value[1] else "",
                    _short(move.value[1], 12),
                    plain(percent_text(move.error[0], places=2, sign=True)) if move.error[1] else "",
                    _short(move.error[1], 12),
                    plain(fixed(move.correlation[0], 3, sign=True)) if move.correlation[1] else "",
                    _short(move.correlation[1], 25),
                ]
            )
        lines += [
            "largest half shift of a value in units of its error, of an error in percent, and of a correlation "
            + ("between results of different experiments" if across_experiments(result.combination) else "of results"),
            table([[cell for c, cell in enumerate(row) if c - c % 2 not in empty] for row in rows]),
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


def _short(text: str, limit: int) -> str:
    """A name that leaves room for the others."""
    return text if len(text) <= limit else f"{text[: limit - 2]}.."


def largest_moves(result: ScanResult) -> list[Move]:
    """What every scan moves most, the largest first; scans without a number are left out."""
    names = [o.name for o in result.combination.headline]
    pairs = across_experiments(result.combination) or list(itertools.combinations(names, 2))
    moves = []
    for row in result.rows:
        if row.half_shift is None or row.half_error_shift is None or row.ends is None or row.half_correlation_shift is None:
            continue
        errors = sum(end.errors.sel(parameter=names).to_numpy() for end in row.ends if end.errors is not None) / 2
        changes = row.half_correlation_shift.sel(parameter=names, parameter_b=names).to_numpy()
        correlations = np.array([changes[names.index(a), names.index(b)] for a, b in pairs])
        moves.append(
            Move(
                row=row,
                value=_largest(row.half_shift.sel(parameter=names).to_numpy() / errors, names),
                error=_largest(row.half_error_shift.sel(parameter=names).to_numpy() / errors, names),
                correlation=_largest(correlations, [f"{a}, {b}" for a, b in pairs]),
            )
        )
    return sorted(moves, key=lambda move: -move.size)


def _largest(shifts: NDArray[np.float64], names: Sequence[str]) -> tuple[float, str]:
    """The largest in size, and its name."""
    if not shifts.size or np.abs(shifts).max() < STILL:
        return 0.0, ""
    index = int(np.abs(shifts).argmax())
    return float(shifts[index]), names[index]


def across_experiments(combination: Combination) -> list[tuple[str, str]]:
    """Pairs of observables that no experiment measures both of; a measurement without an experiment stands for one."""
    owners: dict[str, set[str]] = {}
    for measurement in combination.measurements:
        for estimate in measurement.estimates:
            for name, factor in estimate.observables.items():
                if factor:
                    owners.setdefault(name, set()).add(measurement.experiment or measurement.name)
    names = [o.name for o in combination.headline if o.name in owners]
    return [(a, b) for a, b in itertools.combinations(names, 2) if not owners[a] & owners[b]]


def _scan_error(result: ScanResult, name: str) -> float:
    """Error that sets the digits of the shifts: that of the first feasible point, as all are of one size."""
    found = (point.errors for row in result.rows for point in (*row.points, *(row.ends or ())) if point.errors is not None)
    return next((float(errors.sel(parameter=name)) for errors in found), float("nan"))


def _points_table(combination: Combination, row: ScanRow) -> str:
    """The points of one scan, where its two ends do not say all."""
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

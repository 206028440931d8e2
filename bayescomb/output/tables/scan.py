"""Tables of a scan: half shifts of each result, what each coefficient moves most, and published sizes beside ours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import coefficient_text, fine_unit, fixed, small_unit, with_unit
from bayescomb.fit.scan import ScanResult, ScanRow
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import Observable
from bayescomb.output.tables.table import Column, Row, Table, number_column, text_column

__all__ = [
    "STILL",
    "PublishedSize",
    "across_experiments",
    "comment",
    "largest_moves",
    "moves_table",
    "published_size",
    "range_on_page",
    "scan_rows",
    "scan_table",
]

# Changes below this, of an error or of a correlation, are rounding.
STILL: Final = 5e-4
# Letters of a coefficient's name in a terminal, and where more columns stand beside it.
LONG: Final = 44
SHORT: Final = 34
ENDS: Final = "half of the difference between the upper and the lower end of the range"
ONE_AT_A_TIME: Final = "Scan of the coefficients, one at a time or one group that moves together, the others at nominal"
QUOTED: Final = re.compile(r"\s*(<)?\s*(\d+)(\.\d+)?\s*(\S*)\s*")


@dataclass(frozen=True, kw_only=True)
class Move:
    """The largest changes along the range of a scan.

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


def scan_table(result: ScanResult, parameters: Sequence[Observable]) -> Table:
    """Half shifts of each result, beside the published ones where there are any.

    Args:
        result: of :func:`bayescomb.scan`.
        parameters: results to show.

    Returns:
        A row per coefficient with ``half_shift[parameter]`` and ``half_error_shift[parameter]`` in the unit of the result,
        ``None`` where the range is nowhere feasible.
    """
    rows = scan_rows(result, [parameter.name for parameter in parameters])
    columns = _first_columns(LONG)
    columns.append(number_column("nominal", "nominal", coefficient_text))
    quoted = any(row["published_half_shift"] or row["published_half_error_shift"] for row in rows)
    for parameter in parameters:
        factor, unit, places = fine_unit(_scan_error(result, parameter.name), parameter.unit)
        for key, text in (("half_shift", parameter.name), ("half_error_shift", f"error of {parameter.name}")):
            columns.append(
                number_column(
                    with_unit(f"half shift of {text}", unit),
                    f"{key}[{parameter.name}]",
                    lambda value, places=places: "infeasible" if value is None else fixed(value, places + 1, sign=True),  # type: ignore[misc]
                    scale=factor,
                    short=with_unit("shift of error" if key == "half_error_shift" else f"shift of {text}", unit),
                    moves=True,
                )
            )
            if quoted:
                columns.append(
                    Column(
                        title="published (size)",
                        short="published",
                        show=lambda row, key=key: row[f"published_{key}"] or "\N{EN DASH}",  # type: ignore[misc]
                    )
                )
    if any(row["comment"] for row in rows):
        columns.append(text_column("ours beyond the published and its rounding", "comment", only="page"))
    title = (
        f"{ONE_AT_A_TIME}: half of the value at the upper end minus the value at the lower end, and the same for the "
        "uncertainty. Of a group the range of its first coefficient is shown."
    )
    title += " Published sizes are compared with ours to their last digit." if quoted else ""
    return Table(name="scan", title=title, rows=rows, columns=columns, footnote="problem")


def moves_table(result: ScanResult, largest: Sequence[Move]) -> Table:
    """What each coefficient moves most, where a column per result would be dozens; the files have the shifts of all.

    Args:
        result: of :func:`bayescomb.scan`.
        largest: of :func:`largest_moves`.
    """
    rows = scan_rows(result, [parameter.name for parameter in result.combination.headline])
    moves = {move.row.name: move for move in largest}
    for row in rows:
        move = moves.get(row["coefficient"])
        for key in ("value", "error", "correlation"):
            size, name = getattr(move, key) if move is not None else (None, "")
            row[f"largest_{key}"], row[f"largest_{key}_of"] = size, name
    columns = _first_columns(SHORT)
    for title, short, key, scale, places, length in (
        ("largest half shift of a value [error]", "value [error]", "value", 1.0, 3, 12),
        ("of an error [%]", "error [%]", "error", 100.0, 2, 12),
        ("of a correlation", "correlation", "correlation", 1.0, 3, 25),
    ):
        if not any(row[f"largest_{key}_of"] for row in rows):
            continue
        columns.append(
            Column(
                title=title,
                short=short,
                show=lambda row, key=key, scale=scale, places=places: (  # type: ignore[misc]
                    fixed(scale * row[f"largest_{key}"], places, sign=True) if row[f"largest_{key}_of"] else ""
                ),
                moves=True,
            )
        )
        columns.append(text_column("of", f"largest_{key}_of", only="page"))
        columns.append(
            Column(title="of", show=lambda row, k=key, n=length: _short(row[f"largest_{k}_of"], n), only="terminal")  # type: ignore[misc]
        )
    title = (
        f"{ONE_AT_A_TIME}: {ENDS}, for the value, the error and the correlation (between results of different experiments, "
        "if there are such) that move most. The CSV file has the shifts of all results."
    )
    return Table(name="scan", title=title, rows=rows, columns=columns, footnote="problem")


def scan_rows(result: ScanResult, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of :func:`scan_table` for the results of these names."""
    units = {o.name: o.unit for o in result.combination.results}
    rows: list[dict[str, Any]] = []
    for row in result.rows:
        reached = row.reached or (None, None)
        entry: dict[str, Any] = {
            "coefficient": row.name,
            "title": row.title or row.name,
            "low": row.low,
            "nominal": row.nominal,
            "high": row.high,
        }
        for p in names:
            for key, shift in (("half_shift", row.half_shift), ("half_error_shift", row.half_error_shift)):
                entry[f"{key}[{p}]"] = None if shift is None else float(shift.sel(parameter=p))
        entry |= {
            "published_half_shift": row.published_half_shift,
            "published_half_error_shift": row.published_half_error_shift,
            "comment": _comment(entry, row, names[0], units.get(names[0], "")) if names else "",
            "problem": row.problem,
            "reached_low": reached[0],
            "reached_high": reached[1],
        }
        rows.append(entry)
    return rows


def _comment(entry: Row, row: ScanRow, name: str, unit: str) -> str:
    """Where our shifts of a result are not those that were published."""
    said = [
        f"{what} {text}"
        for what, key, published in (
            ("value", "half_shift", row.published_half_shift),
            ("error", "half_error_shift", row.published_half_error_shift),
        )
        if (text := comment(entry[f"{key}[{name}]"], published, unit))
    ]
    return "; ".join(said)


def _first_columns(letters: int) -> list[Column]:
    return [
        text_column("coefficient", "title", only="page"),
        Column(title="coefficient", show=lambda row: _short(row["title"], letters), text=True, only="terminal"),
        Column(title="range", show=range_on_page, only="page"),
        Column(title="range", show=_range_in_terminal, only="terminal"),
    ]


def range_on_page(row: Row) -> str:
    """The quoted range, and what of it is feasible if that is less."""
    quoted = f"{coefficient_text(row['low'])} to {coefficient_text(row['high'])}"
    reached = (row.get("reached_low"), row.get("reached_high"))
    if None in reached or reached == (row["low"], row["high"]):
        return quoted
    return f"{coefficient_text(reached[0])} to {coefficient_text(reached[1])} (feasible of {quoted})"


def _range_in_terminal(row: Row) -> str:
    """The range that was scanned; a star marks an end of the feasible set before a quoted end."""
    quoted = (row["low"], row["high"])
    reached = (row["reached_low"], row["reached_high"])
    ends = quoted if None in reached else reached
    return " to ".join(
        coefficient_text(end, sign=True) + ("*" if end != stated else "") for end, stated in zip(ends, quoted, strict=True)
    )


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


def _largest(shifts: FloatArray, names: Sequence[str]) -> tuple[float, str]:
    """The shift of largest size, and its name; ``(0.0, "")`` if all are rounding."""
    if not shifts.size or np.abs(shifts).max() < STILL:
        return 0.0, ""
    index = int(np.abs(shifts).argmax())
    return float(shifts[index]), names[index]


def across_experiments(combination: Combination) -> list[tuple[str, str]]:
    """Pairs of observables of which no experiment measures both; a measurement without an experiment counts as one."""
    owners: dict[str, set[str]] = {}
    for measurement in combination.measurements:
        for estimate in measurement.estimates:
            for name, factor in estimate.observables.items():
                if factor:
                    owners.setdefault(name, set()).add(measurement.experiment or measurement.name)
    names = [o.name for o in combination.headline if o.name in owners]
    return [(a, b) for a, b in itertools.combinations(names, 2) if not owners[a] & owners[b]]


def _scan_error(result: ScanResult, name: str) -> float:
    """Error that sets the digits of the shifts: that of the first feasible point, as errors hardly differ between points."""
    found = (point.errors for row in result.rows for point in (*row.points, *(row.ends or ())) if point.errors is not None)
    return next((float(errors.sel(parameter=name)) for errors in found), float("nan"))


@dataclass(frozen=True, kw_only=True)
class PublishedSize:
    """A size as it was published, in the unit of the result.

    Attributes:
        value: the size, or its upper limit.
        rounding: half of its last digit.
        limit: whether it is an upper limit.
        scale: size of one unit of the text, in the unit of the result.
        unit: of the text.
    """

    value: float
    rounding: float
    limit: bool
    scale: float
    unit: str

    @property
    def value_reach(self) -> float:
        """Half width of the interval that the text allows: about 0 for an upper limit, else about the value."""
        return self.value if self.limit else self.rounding


def published_size(text: str, unit: str) -> PublishedSize | None:
    """A published size such as "26 MeV" or "<1 MeV"; ``None`` where the text is not one, or of an unknown unit.

    Args:
        text: as it was published, with its unit.
        unit: of the result.

    Examples:
        >>> found = published_size("26 MeV", "GeV")
        >>> round(found.value, 6), round(found.rounding, 6)
        (0.026, 0.0005)
        >>> published_size("<1 MeV", "GeV").limit, published_size("small", "GeV")
        (True, None)
    """
    found = QUOTED.fullmatch(text)
    scales = {unit: 1.0, small_unit(unit): 1e-3}
    if found is None or found[4] not in scales:
        return None
    scale = scales[found[4]]
    digits = len(found[3]) - 1 if found[3] else 0
    return PublishedSize(
        value=scale * float(found[2] + (found[3] or "")),
        rounding=scale * 0.5 * 10.0**-digits,
        limit=found[1] is not None,
        scale=scale,
        unit=found[4],
    )


def comment(ours: float | None, text: str, unit: str) -> str:
    """How our half shift differs from the published size; empty where it agrees within the rounding.

    Args:
        ours: signed, in the unit of the result.
        text: the published size.
        unit: of the result.

    Examples:
        >>> comment(-0.02603, "26 MeV", "GeV"), comment(0.00023, "<1 MeV", "GeV")
        ('', '')
        >>> comment(-0.00352, "5 MeV", "GeV")
        '1.5 MeV below 5 ± 0.5 MeV'
        >>> comment(0.00852, "8 MeV", "GeV")
        '0.52 MeV above 8 ± 0.5 MeV'
    """
    quoted = published_size(text, unit) if text else None
    if quoted is None or ours is None:
        return ""
    excess = abs(ours) - quoted.value
    if excess <= (0.0 if quoted.limit else quoted.rounding) and (quoted.limit or -excess <= quoted.rounding):
        return ""
    size = abs(excess) / quoted.scale
    # Enough digits to tell the excess from the rounding.
    shown = fixed(size, 1 if size >= 1.15 * quoted.rounding / quoted.scale else 2)
    quoted_as = (
        text.strip() if quoted.limit else text.strip().replace(" ", f" ± {fixed(quoted.rounding / quoted.scale, 1)} ", 1)
    )
    return f"{shown} {quoted.unit} {'above' if excess > 0 else 'below'} {quoted_as}"

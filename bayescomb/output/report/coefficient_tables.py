"""Tables of the report about the correlation coefficients: scan, prior and posterior."""

from __future__ import annotations

from typing import Any, Final

from bayescomb.base.rounding import coefficient_text, fine_unit, interval_text, with_error
from bayescomb.output.figures.style import axis_label
from bayescomb.output.report.results import Results
from bayescomb.output.scan_text import largest_moves
from bayescomb.output.tables import Column, Row, Table, fixed_column, number_column, text_column
from bayescomb.output.text_layout import MANY

SUMMARISED: Final = ("mean", "sd", "median", "hdi_low", "hdi_high", "central_low", "central_high", "mcse_mean")

__all__ = ["coefficient_table", "scan_table"]


def scan_table(results: Results) -> Table:
    """Half shifts beside the published ones."""
    rows: list[dict[str, Any]] = []
    for row in results.scan.rows:
        entry: dict[str, Any] = {
            "coefficient": row.name,
            "title": row.title or row.name,
            "low": row.low,
            "nominal": row.nominal,
            "high": row.high,
        }
        for parameter in results.parameters:
            for key, shift in (("half_shift", row.half_shift), ("half_error_shift", row.half_error_shift)):
                entry[f"{key}[{parameter.name}]"] = None if shift is None else float(shift.sel(parameter=parameter.name))
        entry["published_half_shift"] = row.published_half_shift
        entry["published_half_error_shift"] = row.published_half_error_shift
        entry["problem"] = row.problem
        entry["reached_low"], entry["reached_high"] = row.reached or (None, None)
        rows.append(entry)
    if len(results.parameters) > MANY:
        return _largest_shifts(results, rows)
    columns = [
        text_column("coefficient", "title"),
        Column(title="range", show=_range),
        number_column("nominal", "nominal", coefficient_text),
    ]
    quoted = any(row["published_half_shift"] or row["published_half_error_shift"] for row in rows)
    published = {
        "half_shift": Column(title="published (size)", show=lambda row: row["published_half_shift"] or "\N{EN DASH}"),
        "half_error_shift": Column(
            title="published (size)", show=lambda row: row["published_half_error_shift"] or "\N{EN DASH}"
        ),
    }
    for parameter in results.parameters:
        factor, unit, places = fine_unit(float(results.fit.errors.sel(parameter=parameter.name)), parameter.unit)
        for key, text in (("half_shift", f"{parameter.name}"), ("half_error_shift", f"error of {parameter.name}")):
            title = axis_label(f"half shift of {text}", unit)
            columns.append(fixed_column(title, f"{key}[{parameter.name}]", places + 1, sign=True, scale=factor))
            if quoted:
                columns.append(published[key])
    if any(row["problem"] for row in rows):
        columns.append(text_column("problem", "problem"))
    title = (
        "Scan of the coefficients, one at a time or one group that moves together, the others at nominal: half of the value "
        "at the upper end minus the value at the lower end, and the same for the uncertainty. Of a group the range of its "
        "first coefficient is shown."
    )
    return Table(name="scan", title=title, rows=rows, columns=columns)


def _range(row: Row) -> str:
    """The quoted range, and what of it is feasible if that is less."""
    quoted = f"{coefficient_text(row['low'])} to {coefficient_text(row['high'])}"
    reached = (row.get("reached_low"), row.get("reached_high"))
    if None in reached or reached == (row["low"], row["high"]):
        return quoted
    return f"{coefficient_text(reached[0])} to {coefficient_text(reached[1])} (feasible of {quoted})"


def _largest_shifts(results: Results, rows: list[dict[str, Any]]) -> Table:
    """What each coefficient moves most, where a column per result would be dozens; the files have them all."""
    moves = {move.row.name: move for move in largest_moves(results.scan)}
    for row in rows:
        move = moves.get(row["coefficient"])
        for key in ("value", "error", "correlation"):
            size, name = getattr(move, key) if move is not None else (None, "")
            row[f"largest_{key}"], row[f"largest_{key}_of"] = size, name
    columns = [text_column("coefficient", "title"), Column(title="range", show=_range)]
    for title, key, scale in (
        ("largest half shift of a value [error]", "value", 1.0),
        ("of an error [%]", "error", 100.0),
        ("of a correlation", "correlation", 1.0),
    ):
        columns += [fixed_column(title, f"largest_{key}", 3, sign=True, scale=scale), text_column("of", f"largest_{key}_of")]
    title = (
        "Scan of the coefficients, one at a time or one group that moves together, the others at nominal: half of the "
        "difference between the upper and the lower end of the range, for the value, the error and the correlation (between "
        "results of different experiments, if there are such) that move most. The CSV file has the shifts of all results."
    )
    return Table(name="scan", title=title, rows=rows, columns=columns)


def coefficient_table(results: Results) -> Table:
    """Each coefficient before and after the data."""
    coefficients = results.combination.assumption_set.coefficients
    prior = {} if results.sampled is None else results.sampled.prior_coefficients
    posterior = {} if results.usable is None else results.usable.coefficients
    parameter = results.parameters[0]
    shifts = {row.name: row.half_shift for row in results.scan.rows}
    rows = []
    for coefficient in coefficients:
        shift = shifts.get(coefficient.name)
        row: dict[str, Any] = {
            "coefficient": coefficient.name,
            "title": coefficient.title or coefficient.name,
            "pairs": len(coefficient.pairs),
            "nominal": coefficient.nominal,
            "low": coefficient.low,
            "high": coefficient.high,
            "prior": coefficient.prior if coefficient.varied else "fixed",
        }
        for label, found in (("prior", prior), ("posterior", posterior)):
            own = found[coefficient.name].numbers if coefficient.name in found else {}
            row |= {f"{label}_{key}": own.get(key) for key in SUMMARISED}
        row[f"half_shift[{parameter.name}]"] = None if shift is None else float(shift.sel(parameter=parameter.name))
        rows.append(row)

    def pair(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            return with_error(row[f"{kind}_mean"], row[f"{kind}_sd"])

        return show

    def interval(kind: str) -> Any:
        def show(row: Row) -> str:
            if row[f"{kind}_mean"] is None:
                return "\N{EN DASH}"
            return interval_text(row[f"{kind}_central_low"], row[f"{kind}_central_high"], error=row[f"{kind}_sd"])

        return show

    columns = [
        text_column("coefficient", "title"),
        number_column("nominal", "nominal", coefficient_text),
        Column(title="range", show=_range),
        text_column("prior", "prior"),
    ]
    if prior:
        columns.append(Column(title="prior mean ± sd", show=pair("prior")))
        columns.append(Column(title="prior, central 68 %", show=interval("prior")))
    if posterior:
        columns.append(Column(title="posterior mean ± sd", show=pair("posterior")))
        columns.append(Column(title="posterior, central 68 %", show=interval("posterior")))
    factor, unit, places = fine_unit(float(results.fit.errors.sel(parameter=parameter.name)), parameter.unit)
    title = axis_label(f"half shift of {parameter.name}", unit)
    columns.append(fixed_column(title, f"half_shift[{parameter.name}]", places, sign=True, scale=factor))
    caption = (
        "Correlation coefficients: prior restricted to the feasible set, posterior, central 68 % intervals, and the half "
        "shift of the scan."
    )
    return Table(name="coefficients", title=caption, rows=rows, columns=columns)

"""Tables of the inputs: estimates, weights, provenance, checks of the source matrices, feasibility, repairs."""

from __future__ import annotations

from typing import Any

from bayescomb.base.rounding import coefficient_text, rounded_like, significant
from bayescomb.likelihood.feasible_ranges import TOTAL, Statement, share_text
from bayescomb.output.report.results import Results
from bayescomb.output.report.told.titles import block_title, coefficient_titles, estimate_titles, observable_titles
from bayescomb.output.tables.result import weights_table
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

__all__ = ["input_tables"]


def input_tables(results: Results) -> dict[str, Table]:
    """Tables of the inputs by name."""
    tables = [
        _estimates(results),
        weights_table(
            results.fit,
            [o.name for o in results.parameters],
            pulls=results.estimate_pulls,
            titles=estimate_titles(results.combination),
        ),
        _correlation(results),
        _provenance(results),
        _indefinite(results),
        _feasibility(results),
        _repairs(results),
    ]
    return {table.name: table for table in tables}


def _observables(coefficients: dict[str, float], titles: dict[str, str]) -> str:
    """``m_t``, or ``0.5 x + 2 y``."""
    named = {titles.get(name, name): value for name, value in coefficients.items() if value}
    terms = [name if value == 1 else f"{significant(value, 6)} {name}" for name, value in named.items()]
    return " + ".join(terms)


def _block_column(title: str, results: Results) -> Column:
    return Column(title=title, show=lambda row: block_title(results.combination, row["block"]), text=True)


def _estimates(results: Results) -> Table:
    own, units = results.estimates, {o.name: o.unit for o in results.combination.results}
    rows: list[dict[str, Any]] = []
    index = 0
    for measurement in results.combination.measurements:
        for estimate in measurement.estimates:
            parts = own.error_parts(str(own.values["parameter"].to_numpy()[index]))
            involved = {units.get(name, "") for name in estimate.observables}
            rows.append(
                {
                    "estimate": estimate.name,
                    "title": estimate.title,
                    "measurement": measurement.name,
                    "experiment": measurement.experiment,
                    "observable": _observables(dict(estimate.observables), observable_titles(results.combination)),
                    "unit": involved.pop() if len(involved) == 1 else "",
                    "value": estimate.value,
                    "statistical_error": parts.get("stat"),
                    "systematic_error": parts.get("syst"),
                    "total_error": float(own.errors[index]),
                }
            )
            index += 1

    def column(title: str, key: str) -> Column:
        return Column(title=title, show=lambda row: rounded_like(row[key], row["total_error"]))

    same = {row["unit"] for row in rows}
    unit = same.pop() if len(same) == 1 else ""
    bracket = f" [{unit}]" if unit else ""
    titles = estimate_titles(results.combination)
    columns = [Column(title="estimate", show=lambda row: titles[row["estimate"]], text=True)]
    columns += [text_column("experiment", "experiment")] if any(row["experiment"] for row in rows) else []
    if len(results.combination.observables) > 1:
        columns.append(text_column("measures", "observable"))
    columns += [text_column("unit", "unit")] if not unit and any(row["unit"] for row in rows) else []
    columns += [
        column(f"value{bracket}", "value"),
        column("stat.", "statistical_error"),
        column("syst.", "systematic_error"),
        column("total", "total_error"),
    ]
    title = "Estimates with their statistical, systematic and total uncertainties."
    return Table(name="estimates", title=title, rows=rows, columns=columns)


def _correlation(results: Results) -> Table:
    names = [e.name for e in results.combination.estimates]
    covariance = results.estimates.covariance.to_numpy()[: len(names), : len(names)]
    rows = [
        {"estimate": name, **{other: float(value) for other, value in zip(names, line, strict=True)}}
        for name, line in zip(names, covariance, strict=True)
    ]
    title = "Total covariance of the estimates at nominal coefficients, in the products of their units."
    return Table(name="estimate_covariance", title=title, rows=rows, columns=[])


def _provenance(results: Results) -> Table:
    rows = [{"table": p.table, "kind": p.kind, "origin": p.origin, "note": p.note} for p in results.combination.provenance]
    columns = [text_column(key, key) for key in ("table", "kind", "origin", "note")]
    return Table(name="provenance", title="Where the figures come from.", rows=rows, columns=columns)


def _indefinite(results: Results) -> Table:
    rows = [
        {
            "block": block.label,
            "smallest_eigenvalue": block.smallest,
            "negative_eigenvalues": block.negative,
            "within_rounding": block.rounding,
        }
        for block in results.check.indefinite
    ]
    columns = [
        _block_column("source matrix", results),
        number_column("smallest eigenvalue", "smallest_eigenvalue", significant),
        fixed_column("negative eigenvalues", "negative_eigenvalues", 0),
        Column(
            title="explained by rounding to two digits",
            show=lambda row: "possibly" if row["within_rounding"] else "no",
            text=True,
        ),
    ]
    title = "Source matrices that are not correlation matrices at the nominal coefficients."
    return Table(name="indefinite_sources", title=title, rows=rows, columns=columns)


def _feasibility(results: Results) -> Table:
    rows = [
        {
            "index": index,
            "block": s.label,
            "coefficients": " ".join(s.coefficients),
            "low": " ".join(repr(float(v)) for v in s.low),
            "high": " ".join(repr(float(v)) for v in s.high),
            "feasible_low": " ".join(repr(float(v)) for v in s.feasible_low),
            "feasible_high": " ".join(repr(float(v)) for v in s.feasible_high),
            "share": s.share,
            "share_error": s.share_error,
            "status": s.status,
            "smallest_eigenvalue_at_nominal": s.nominal_smallest,
            "statement": s.text,
        }
        for index, s in enumerate(results.check.statements)
    ]
    # The page lists what is restricted only; one sentence says that all else is feasible.
    # The total covariance is listed under the treatment ``covariance`` only; under ``nuisance`` the blocks imply it.
    covariance = results.combination.treatment == "covariance"
    restricted = [
        i for i, s in enumerate(results.check.statements) if (covariance if s.label == TOTAL else s.status != "box")
    ]
    statements, titles = dict(enumerate(results.check.statements)), coefficient_titles(results.combination)
    columns = [
        _block_column("block", results),
        Column(title="feasible", show=lambda row: _WORDS[row["status"]], text=True),
        Column(title="share of the range [%]", show=_share),
        number_column("smallest eigenvalue at nominal", "smallest_eigenvalue_at_nominal", _eigenvalue),
        Column(title="feasible values", show=lambda row: _intervals(statements[row["index"]], titles), text=True),
    ]
    title = (
        f"Feasibility of the quoted ranges: {'the total covariance, and ' if covariance else ''}every block of which a part "
        "of the range leaves the set of correlation matrices."
    )
    return Table(
        name="feasibility",
        title=title,
        rows=rows,
        columns=columns,
        on_page=restricted,
        fields=[k for k in rows[0] if k != "index"],
    )


_WORDS = {"box": "everywhere", "partial": "partly", "point": "at one point", "empty": "nowhere"}
# Longer lists of coefficients are in the files only.
MAX_INTERVALS = 4


def _intervals(statement: Statement, titles: dict[str, str]) -> str:
    """The feasible part of the quoted ranges in words."""
    names, k = [titles.get(name, name) for name in statement.coefficients], len(statement.coefficients)
    if statement.status == "empty":
        return "no value in the range" if k else "none, and no coefficient acts on it"
    if statement.status == "box" or k > MAX_INTERVALS:
        return "the whole range of every coefficient" if statement.status == "box" else f"{k} coefficients, see the files"
    if not statement.cut.any():
        return "every value of each coefficient for some values of the others"
    ends = zip(names, statement.feasible_low, statement.feasible_high, statement.low, statement.high, strict=True)
    if statement.status == "point":
        return ", ".join(f"{name} = {coefficient_text(float(low))}" for name, low, _, _, _ in ends)
    return ", ".join(
        f"{name} from {a} to {b} of {c} to {d}"
        for name, (a, b, c, d) in ((end[0], (coefficient_text(float(v)) for v in end[1:])) for end in ends)
    )


def _share(row: Row) -> str:
    exact = row["status"] in {"point", "empty"}
    return "none" if exact else share_text(row["share"], row["share_error"])


def _eigenvalue(value: float | None) -> str:
    """An eigenvalue; 0 for that of a singular matrix, whose digits are rounding and would look like a result."""
    return "0" if value is not None and abs(value) < 1e-9 else significant(value)


def _repairs(results: Results) -> Table:
    rows = [
        {"block": r.block, "repair": r.how, "smallest_eigenvalue": r.smallest, "largest_change": r.change}
        for r in results.fit.repairs
    ]
    columns = [
        _block_column("source matrix", results),
        text_column("repair", "repair"),
        number_column("smallest eigenvalue before", "smallest_eigenvalue", significant),
        number_column("largest change of a correlation", "largest_change", significant),
    ]
    title = "Source matrices that were repaired, as asked for."
    return Table(name="repairs", title=title, rows=rows, columns=columns)

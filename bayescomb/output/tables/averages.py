"""Tables that an averaging group publishes: weights, correlations, parts by source, tests, results of some inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from bayescomb.base.files.writing import plain_value
from bayescomb.base.rounding import (
    PULL_PLACES,
    chi2_text,
    correlation_text,
    fixed,
    percent_text,
    rounded_like,
    significant,
    weight_places,
    with_unit,
)
from bayescomb.fit.averaging.inconsistency import ScaleFactors
from bayescomb.fit.averaging.information import TOTAL, InformationWeights
from bayescomb.fit.averaging.relative import RelativeReading
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.combination import Combination
from bayescomb.output.averages import EVERYTHING, Averages
from bayescomb.output.tables.breakdown import breakdown_table
from bayescomb.output.tables.result import compatibility_table, correlation_table
from bayescomb.output.tables.some_inputs import (
    error_cell,
    fit_columns,
    group_correlation_table,
    group_table,
    value_cell,
    without_table,
)
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

__all__ = [
    "average_tables",
    "covariance_table",
    "importance_table",
    "information_table",
    "information_text",
    "relative_table",
    "scale_table",
    "source_table",
]

# Results up to which every pair has a column of its own on a page.
FEW: Final = 4


def average_tables(found: Averages, *, of: Collection[str] = EVERYTHING) -> dict[str, Table]:
    """The tables of what was computed, by name; a table has no rows where there is no result.

    Args:
        found: of :func:`bayescomb.output.averages.averages`.
        of: what was asked for.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.averages import averages
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> list(average_tables(averages(fit, of=["weights", "scale"]), of=["weights", "scale"]))
        ['information', 'importance', 'scale_factors']
    """
    tables: list[Table] = []
    if found.inputs is not None:
        tables.append(breakdown_table(found))
    if found.information is not None:
        tables += [information_table(found.information), importance_table(found.information)]
    if "correlation" in of:
        tables.append(covariance_table(found.fit))
    if found.covariances is not None:
        tables.append(source_table(found))
    tables += [compatibility_table(rows) for rows in found.compatibility.values() if rows]
    if found.without is not None:
        tables.append(without_table(found.without))
    if found.groups is not None:
        tables += [group_table(found.groups), group_correlation_table(found.groups)]
    if "scale" in of:
        tables.append(scale_table(found.scales))
    if found.reading is not None:
        tables.append(relative_table(found.reading, found.combination))
    return {table.name: table for table in tables}


def information_table(found: InformationWeights) -> Table:
    """Weights, relative importance, information weights and pull of each estimate.

    Args:
        found: of :func:`bayescomb.information_weights`.
    """
    names = [str(p) for p in found.table["parameter"].to_numpy()]
    shown = [o.name for o in found.combination.headline]
    rows: list[dict[str, Any]] = []
    keys = ("weight", "relative_importance", "intrinsic", "marginal")
    for estimate in found.combination.estimates:
        at = found.table.sel(estimate=estimate.name)
        row: dict[str, Any] = {"estimate": estimate.name, "title": estimate.title, "error": plain_value(float(at["error"]))}
        for name in names:
            row |= {f"{key}[{name}]": plain_value(float(at[key].sel(parameter=name))) for key in keys}
        rows.append(row | {key: plain_value(float(at[key])) for key in ("pull", "chi2")})
    correlations = {"estimate": "correlations", "title": "", **dict.fromkeys(("error", "pull", "chi2"))}
    for name in names:
        share = plain_value(float(found.correlation_weight.sel(parameter=name)))
        correlations |= {f"{key}[{name}]": share if key == "intrinsic" else None for key in keys}
    rows.append(correlations)
    columns: list[Column] = [Column(title="estimate", show=_label, text=True)]
    several = len(shown) > 1
    for name in shown:
        of = f" in {name}" if several else ""
        places = weight_places(row[f"weight[{name}]"] or 0.0 for row in rows[:-1])
        columns += [
            fixed_column(f"weight{of}", f"weight[{name}]", places, sign=True),
            _percent(f"relative importance{of} [%]", f"relative_importance[{name}]"),
            _percent(f"intrinsic information{of} [%]", f"intrinsic[{name}]"),
            _percent(f"marginal information{of} [%]", f"marginal[{name}]"),
        ]
    columns += [
        fixed_column("pull", "pull", PULL_PLACES, sign=True),
        number_column("χ² added", "chi2", chi2_text),
    ]
    title = (
        "Contributions of the estimates. Relative importance: size of the weight over that of all. Intrinsic information: "
        "what the estimate knows alone, with the rest of 100 % from the correlations; marginal: what is lost without it "
        "(Valassi and Chierici, EPJC 74 (2014) 2717). Pull: distance from the result without it, in units of the error of "
        "that distance."
    )
    return Table(name="information", title=title, rows=rows, columns=columns)


def information_text(found: InformationWeights) -> str:
    """Text that ``print`` shows of information weights."""
    return information_table(found).text


def importance_table(found: InformationWeights) -> Table:
    """Estimates of each observable by importance, and the result accumulated."""
    rows: list[dict[str, Any]] = []
    titles = {e.name: e.title for e in found.combination.estimates}
    units = {o.name: o.unit for o in found.combination.observables}
    for name, order in found.order.items():
        for rank in order["rank"].to_numpy():
            at = order.sel(rank=rank)
            estimate = str(at["estimate"].item())
            row: dict[str, Any] = {"observable": name, "rank": int(rank), "estimate": estimate, "title": titles[estimate]}
            rows.append(row | {key: float(at[key]) for key in ("improvement", "value", "error")})
    unit = next(iter(units.values())) if len(set(units.values())) == 1 else ""
    columns = [
        Column(title="added", show=_label, text=True),
        *([text_column("observable", "observable")] if len(found.order) > 1 else []),
        _percent("improves the first by [%]", "improvement"),
        Column(title=with_unit("accumulated value", unit), show=lambda row: rounded_like(row["value"], row["error"])),
        Column(title=with_unit("error", unit), show=lambda row: rounded_like(row["error"], row["error"])),
    ]
    title = (
        "Order of importance: the most precise estimate, then the others by how much each alone improves it, and the result "
        "accumulated down the list (Nisius, EPJC 74 (2014) 3004); of estimates that measure one observable directly."
    )
    return Table(name="importance", title=title, rows=rows, columns=columns)


def covariance_table(fit: ProfileResult) -> Table:
    """Correlation matrix of the results, with their errors; covariances are in the files."""
    names = [o.name for o in fit.combination.headline]
    covariance = fit.covariance.sel(parameter=names, parameter_b=names).to_numpy()
    rows: list[dict[str, Any]] = []
    for i, row in enumerate(correlation_table(names, covariance).rows):
        covariances = {f"covariance[{other}]": plain_value(float(covariance[i, j])) for j, other in enumerate(names)}
        rows.append({"result": row["result"], "error": plain_value(math.sqrt(covariance[i, i]))} | dict(row) | covariances)
    columns = [text_column("result", "result"), Column(title="error", show=_own_error)]
    columns += [number_column(name, f"correlation[{name}]", correlation_text) for name in names]
    title = "Correlation of the results; their covariance, in the products of the units, is in the files."
    return Table(name="result_correlation", title=title, rows=rows, columns=columns)


def source_table(found: Averages) -> Table:
    """Covariance of the results by each source; people are shown errors, and correlations where results are few."""
    covariances = found.covariances
    assert covariances is not None  # asked for with "sources"
    results = [o.name for o in found.combination.headline]
    pairs = [(a, b) for i, a in enumerate(results) for b in results[i + 1 :]]
    titles = {s.name: s.title or s.name for s in found.combination.sources}
    total = {a: float(covariances.sel(part=TOTAL, parameter=a, parameter_b=a)) for a in results}
    rows: list[dict[str, Any]] = []
    for part in (str(p) for p in covariances["part"].to_numpy()):
        at = covariances.sel(part=part)
        row: dict[str, Any] = {"part": part, "title": titles.get(part, part)}
        row |= {
            f"covariance[{a}][{b}]": plain_value(float(at.sel(parameter=a, parameter_b=b))) for a in results for b in results
        }
        rows.append(row)
    units = {o.name: o.unit for o in found.combination.results}
    columns = [text_column("source", "title")]
    columns += [
        Column(
            title=with_unit(f"error of {name}", units.get(name, "")),
            show=lambda row, a=name: _root(row[f"covariance[{a}][{a}]"], math.sqrt(total[a])),  # type: ignore[misc]
        )
        for name in results
    ]
    for a, b in pairs if len(results) <= FEW else ():
        columns.append(Column(title=f"correlation of {a} and {b}", show=_correlation(a, b)))
    title = (
        "Covariance of the results by statistics and by each source, propagated with the weights of the data: errors and "
        "correlations here, covariances in the files. Those of all parts add up to the total."
    )
    return Table(name="source_covariance", title=title, rows=rows, columns=columns)


def _root(variance: float | None, error: float) -> str:
    if variance is None:
        return fixed(None, 0)
    return rounded_like(math.copysign(math.sqrt(abs(variance)), variance), error)


def _correlation(a: str, b: str) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        variances = row[f"covariance[{a}][{a}]"], row[f"covariance[{b}][{b}]"]
        if None in variances or min(variances) <= 0:
            return fixed(None, 0)
        return correlation_text(row[f"covariance[{a}][{b}]"] / math.sqrt(variances[0] * variances[1]))

    return show


def scale_table(found: Sequence[ScaleFactors]) -> Table:
    """Scale factors on the errors, by the scatter of the inputs; none is applied here.

    Args:
        found: of :func:`bayescomb.scale_factors`.
    """
    rows = [
        {
            "results": ", ".join(f.results),
            "chi2": f.chi2,
            "ndf": f.ndf,
            "p_value": f.p_value,
            "birge_ratio": f.birge,
            "pdg_s": f.pdg,
            "pdg_chi2": f.pdg_chi2,
            "pdg_ndf": f.pdg_ndf,
            "pdg_left_out": ", ".join(f.left_out),
            "codata_expansion": f.codata,
            "furthest": f.furthest,
            "residual": f.residual,
        }
        for f in found
    ]
    columns = [
        text_column("results", "results"),
        *fit_columns(),
        fixed_column("Birge ratio", "birge_ratio", 2),
        fixed_column("S (PDG)", "pdg_s", 2),
        text_column("not in S", "pdg_left_out"),
        fixed_column("expansion (CODATA)", "codata_expansion", 2),
        Column(title="furthest input", show=lambda row: f"{row['furthest']} ({fixed(row['residual'], 1, sign=True)})"),
    ]
    title = (
        "Factors on the errors that the scatter of the inputs suggests: the Birge ratio √(χ²/ndf); S of the Particle Data "
        "Group, without inputs whose error is above 3 √N times that of the average, 1 at least; the expansion of CODATA, "
        "after which no input is further off than twice its error. No error is multiplied by one without request."
    )
    return Table(name="scale_factors", title=title, rows=rows, columns=columns)


def relative_table(found: RelativeReading, combination: Combination) -> Table:
    """Results with relative errors as stated, iterated, and as absolute errors.

    Args:
        found: of :func:`bayescomb.relative_reading`.
        combination: what was combined.
    """
    results = [o.name for o in combination.observables]
    units = {o.name: o.unit for o in combination.observables}
    texts = {
        "as stated": "as stated (profile)",
        "iterated": f"linear, sizes at its own result ({found.steps} steps)",
        "absolute": "absolute, sizes at the measured values",
    }
    rows: list[dict[str, Any]] = []
    for reading, text in texts.items():
        row: dict[str, Any] = {"reading": reading, "title": text}
        for name in results:
            row |= {f"values[{name}]": float(found.values.sel(reading=reading, parameter=name))}
            row |= {f"errors[{name}]": float(found.errors.sel(reading=reading, parameter=name))}
        rows.append(row | {"chi2": float(found.chi2.sel(reading=reading))})
    columns = [text_column("relative errors", "title")]
    for name in results:
        unit = units[name]
        columns += [
            Column(title=with_unit(name, unit), show=value_cell(name)),
            Column(title=with_unit("error", unit), show=error_cell(name)),
        ]
    columns.append(number_column("χ²", "chi2", chi2_text))
    warning = ""
    if found.prefers_absolute:
        gain = float(found.chi2.sel(reading="as stated") - found.chi2.sel(reading="absolute"))
        warning = (
            f" WARNING: the data prefer the absolute reading, its χ² is smaller by {chi2_text(gain)}; check that these "
            "errors are parts of the value."
        )
    title = (
        "Relative and lognormal errors: a part of the fitted value, as they are stated; the linear combination iterated "
        f"until its sizes are those at its own result; and as if they were absolute.{warning}"
    )
    return Table(name="relative_errors", title=title, rows=rows, columns=columns)


def _own_error(row: Row) -> str:
    return significant(row["error"], 2)


def _percent(title: str, key: str) -> Column:
    return number_column(title, key, percent_text)


def _label(row: Row) -> str:
    return f"{row['estimate']}  {row['title']}".rstrip()

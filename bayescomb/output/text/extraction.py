"""Text of predictions side by side, of which correlation matters, of shares of the variance and of assumption sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr

from bayescomb.base.rounding import (
    chi2_text,
    counted,
    fixed,
    p_value_text,
    percent_text,
    plain,
    rounded_like,
    significant,
    with_error,
    with_unit,
)
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.output.analysis import Divided
from bayescomb.output.statements import header, shifted_results
from bayescomb.output.tables.theory import envelope_table, orders_table, variants_table
from bayescomb.output.tables.variance import relevance_table, shares_table
from bayescomb.output.text_layout import MANY, feasibility_lines, fitting_rows, relevance_rows, shares_rows, table
from bayescomb.studies.assumption_sets import SetComparison, SetResult
from bayescomb.studies.theory.rate_and_shape import RateAndShape
from bayescomb.studies.theory.study import TheoryStudy
from bayescomb.studies.theory.variants import NOT_TABULATED, VariantRow

# Residuals of an interpolation are far below the errors that they are compared with.
PER_MILLE_PLACES: Final = 3

__all__ = ["divided_text", "envelope_text", "relevance_text", "sets_text", "shares_text", "theory_text"]


def envelope_text(rows: Sequence[VariantRow]) -> str:
    """The seven points, and the largest shifts up and down of each mass."""
    lines = [envelope_table(rows).text]
    for mass in dict.fromkeys(row.mass for row in rows):
        absent = sum(row.mass == mass and row.problem.startswith(NOT_TABULATED) for row in rows)
        if absent:
            lines.append(f"envelope of {mass}: none, the tables of the prediction lack {counted(absent, 'points')} of it")
            continue
        shifts = [row.shift for row in rows if row.mass == mass and row.shift is not None]
        missing = sum(row.mass == mass and row.shift is None for row in rows)
        have = "has" if missing == 1 else "have"
        note = f"; {counted(missing, 'points')} {have} no minimum inside the predicted masses" if missing else ""
        error = next((row.error for row in rows if row.mass == mass and row.error is not None), np.nan)
        ends = [plain(rounded_like(end, error, sign=True)) for end in (max([0.0, *shifts]), min([0.0, *shifts]))]
        lines.append(f"envelope of {mass}: {' '.join(ends)} GeV{note}")
    return "\n".join(lines)


def theory_text(study: TheoryStudy) -> str:
    """The mass with each order and other predictions, the envelope of the scales, and the quality of the interpolation."""
    blocks = [
        header(study.combination),
        orders_table(study.orders).text if study.orders else "",
        variants_table(study.variants).text,
        envelope_text(study.envelope),
        rate_and_shape_text(study.apart),
        _quality_text(study),
    ]
    return "\n\n".join(filter(None, blocks))


def rate_and_shape_text(rows: Sequence[RateAndShape]) -> str:
    """Shape, rate and both of each absolute distribution, and how compatible they are; empty without any."""
    blocks = []
    for row in rows:
        cells = [[f"{row.prediction}, {row.mass} from", "value [GeV]", "chi2", "ndf"]]
        notes = []
        for label, found in (("its shape", row.shape), ("its rate", row.rate), ("both", row.both)):
            value = "none"
            if found.value is not None and found.error is not None:
                value = plain(with_error(found.value, found.error))
            chi2 = "" if found.chi2 is None else plain(chi2_text(found.chi2))
            cells.append([label, value, chi2, "" if found.ndf is None else str(found.ndf)])
            notes += [f"{label}: {found.problem}"] if found.problem else []
        if row.chi2 is not None and row.p_value is not None:
            notes.append(
                f"compatibility of shape and rate: chi2 {plain(chi2_text(row.chi2))} for {row.ndf}, "
                f"p-value {plain(p_value_text(row.p_value))}"
            )
        notes += [row.note] if row.note else []
        blocks.append("\n".join([table(cells), *notes]))
    return "\n\n".join(blocks)


def _quality_text(study: TheoryStudy) -> str:
    """Residuals of the polynomials in the mass, in per mille of the cross section."""
    cells = [
        ["polynomial in the mass, per mille", "residual", "one inner mass left out", "numerical error", "correlated one"]
    ]
    for name, quality in study.interpolation.items():
        inner = quality["left_out"].isel(m_t=slice(1, -1))
        sizes = (
            abs(quality["residual"]).max(),
            abs(inner).max(),
            quality["mc_error"].max(),
            quality["correlated_error"].max(),
        )
        cells.append([name, *(fixed(1000 * float(size), PER_MILLE_PLACES) for size in sizes)])
    return table(cells)


def divided_text(divided: Divided, combination: Combination) -> list[str]:
    """Where the variance comes from, in blocks of text; none where it is not known."""
    units = {o.name: o.unit for o in combination.results}
    blocks = [] if divided.shares is None else [shares_text(divided.shares, units)]
    return blocks if divided.relevance is None else [*blocks, relevance_text(divided.relevance, units)]


def relevance_text(relevance: xr.Dataset, units: dict[str, str]) -> str:
    """Each coefficient: prior, posterior, information, effect; the largest share first.

    Args:
        relevance: of :func:`bayescomb.coefficient_relevance`.
        units: result -> its unit.

    Examples:
        >>> import bayescomb as bc
        >>> print(bc.relevance_text(bc.coefficient_relevance(posterior), {"m_t": "GeV"}).splitlines()[0])
        which correlation matters:
    """
    parameters = [str(p) for p in relevance["parameter"].to_numpy()]
    if len(parameters) > MANY:
        rows = relevance_rows(relevance)
        more = relevance.sizes["coefficient"] - len(rows) + 1
        return "which correlation matters:\n" + table(rows) + (f"\n{more} more matter less, see --json" if more else "")
    return "which correlation matters:\n" + relevance_table(relevance, units).text


def shares_text(shares: xr.Dataset, units: dict[str, str]) -> str:
    """Parts of the variance with their sum; coefficients of less than a per mille in one line."""
    if shares.sizes["parameter"] > MANY:
        return "shares of the posterior variance:\n" + table(shares_rows(shares))
    blocks = [shares_table(shares, units, [str(p)]).text for p in shares["parameter"].to_numpy()]
    return "shares of the posterior variance:\n" + "\n".join(blocks)


def sets_text(comparison: SetComparison) -> str:
    """Results under every set, fixed and with priors, feasibility of the blocks, impacts by group."""
    values = comparison.table()
    sampled = bool(np.isfinite(values["mean"]).any())
    names = [row.name for row in comparison.sets]
    lines = [header(comparison.combination)]
    for key, spread, label in (
        ("value", "error", "profile at nominal coefficients"),
        ("mean", "sd", "posterior with priors"),
    ):
        if key == "mean" and not sampled:
            continue
        cells = [[label, *names]]
        for p, unit in zip(values["parameter"].to_numpy(), values["unit"].to_numpy(), strict=True):
            columns = (key, spread, "mcse_mean") if key == "mean" else (key, spread)
            found = [[float(values[k].sel(assumptions=n, parameter=p)) for k in columns] for n in names]
            cells.append([with_unit(str(p), str(unit)), *(_pair(*numbers) for numbers in found)])
        lines += ["", table(cells)]
    for row in comparison.sets:
        lines += ["", f"set {row.name!r}: {row.description}".rstrip(": "), *_set_lines(row)]
    return "\n".join(lines)


def _pair(value: float, spread: float, noise: float = 0.0) -> str:
    """A value with its error, and the Monte Carlo error of a posterior mean."""
    if np.isnan(value):
        return "-"
    return plain(with_error(value, spread) + (f" (MC {significant(noise, 2)})" if noise > 0 else ""))


def _set_lines(row: SetResult) -> list[str]:
    lines = [f"infeasible: {row.problem}"] if row.problem else []
    lines += feasibility_lines(row.statements, listed=False)
    return [*lines, *_impact_lines(row)]


def _impact_lines(row: SetResult) -> list[str]:
    """Impacts of groups and of the statistics in percent of the value, of results whose value no blinding shifts."""
    if row.impacts is None or row.combined is None or not row.impacts.groups.sizes["group"]:
        return []
    combination, groups = row.impacts.combination, row.impacts.groups
    names = [str(p) for p in groups["parameter"].to_numpy()]
    shifted = shifted_results(combination)
    hidden, parameters = [p for p in names if p in shifted], [p for p in names if p not in shifted]
    lines = []
    if hidden:
        of = f" of {', '.join(hidden)}" if parameters else ""
        lines.append(f"no impacts in percent of the value{of}: the blinding shifts the value by a hidden amount")
    if not parameters:
        return lines
    cells = [["impact in percent of the value, held", *parameters]]
    sizes = {p: abs(float(row.combined.values.sel(parameter=p))) for p in parameters}
    # A group of statistics alone repeats the row of the statistics.
    repeated = [name for name, members in combination.impact_groups.items() if members == (STATISTICS_GROUP,)]
    groups = groups.sel(group=[name for name in groups["group"].to_numpy() if name not in repeated])
    shown = list(range(groups.sizes["group"]))
    if len(parameters) > MANY:
        largest = np.argsort(-(abs(groups) / row.impacts.total).sum("parameter").to_numpy())
        cells[0][0] = "impact [%], held"
        shown = sorted(largest[: fitting_rows(cells, taken=26)].tolist())
        lines.append(f"the {len(shown)} largest of {counted(len(largest), 'groups')}, in percent of the value:")
    tables = [(str(groups["group"].to_numpy()[i]), groups.isel(group=i)) for i in shown]
    tables += [(label, part) for label, part in row.impacts.sums.items() if label != "all systematics"]
    for label, impact in tables:
        # A value of 0, as at a bound, has no percents.
        shares = [float(impact.sel(parameter=p)) / sizes[p] if sizes[p] else None for p in parameters]
        cells.append([label, *(plain(percent_text(share, places=2)) for share in shares)])
    return [*lines, table(cells)]

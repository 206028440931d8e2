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
    percent_text,
    plain,
    rounded_like,
    significant,
    small_unit,
    with_error,
)
from bayescomb.formats.hepdata.record.units import squared_unit
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.likelihood.theory import interpolation_quality
from bayescomb.output.statements import header
from bayescomb.output.text import with_unit
from bayescomb.output.text_layout import MANY, feasibility_lines, fitting_rows, relevance_rows, shares_rows, table
from bayescomb.studies.assumption_sets import SetComparison, SetResult
from bayescomb.studies.theory_variants import NOT_TABULATED, VariantRow

# Residuals of an interpolation, and shares of single coefficients, are far below the errors that they are compared with.
PER_MILLE_PLACES: Final = 3
SHARE_PLACES: Final = 3

__all__ = ["envelope_text", "quality_text", "relevance_text", "sets_text", "shares_text", "variants_text"]


def variants_text(rows: Sequence[VariantRow]) -> str:
    """One line per PDF set and scale definition."""
    cells = [["prediction", "mass", "value [GeV]", "shift [GeV]", "chi2", "ndf"]]
    for row in rows:
        factors = "" if row.mu_r == row.mu_f == 1 else f" x ({significant(row.mu_r)}, {significant(row.mu_f)})"
        name = f"{row.pdf_set}, scale {row.scale_choice}{factors}"
        if row.value is None or row.error is None or row.chi2 is None:
            why = row.problem if row.problem.startswith(NOT_TABULATED) else "no minimum"
            cells.append([name, row.mass, f"none: {why}", "", "", ""])
            continue
        shift = "" if row.shift is None else plain(rounded_like(row.shift, row.error, sign=True))
        value = plain(with_error(row.value, row.error))
        cells.append([name, row.mass, value, shift, plain(chi2_text(row.chi2)), str(row.ndf)])
    return table(cells)


def envelope_text(rows: Sequence[VariantRow]) -> str:
    """The seven points, and the largest shifts up and down of each mass."""
    lines = [variants_text(rows)]
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


def quality_text(combination: Combination) -> str:
    """Residuals of the polynomials in the mass, in per mille of the cross section."""
    extraction = combination.extraction_in_force
    if extraction is None:
        return ""
    cells = [["polynomial in the mass, per mille", "residual", "one inner mass left out", "numerical error"]]
    for prediction in combination.predictions:
        if prediction.name in extraction.distributions:
            quality = interpolation_quality(prediction, extraction)
            inner = quality["left_out"].isel(m_t=slice(1, -1))
            sizes = (abs(quality["residual"]).max(), abs(inner).max(), quality["mc_error"].max())
            cells.append([prediction.name, *(fixed(1000 * float(size), PER_MILLE_PLACES) for size in sizes)])
    return table(cells)


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
    heading = ["coefficient", "prior", "posterior", "information [bit]"]
    for p in parameters:
        unit = small_unit(units.get(p, ""))
        heading += [f"d{p}/dr [{unit}]", f"share of Var({p}) [%]"]
    order = np.argsort(-abs(relevance["share"]).sum("parameter").to_numpy())
    cells = [heading]
    for i in order:
        row = relevance.isel(coefficient=int(i))
        line = [
            str(row["title"].item()),
            *(plain(with_error(float(row[f"{k}_mean"]), float(row[f"{k}_sd"]))) for k in ("prior", "posterior")),
            plain(with_error(float(row["information"]), float(row["information_error"]))),
        ]
        for p in parameters:
            line += [
                plain(fixed(1000 * float(row["slope"].sel(parameter=p)), 1, sign=True)),
                plain(percent_text(float(row["share"].sel(parameter=p)), places=SHARE_PLACES, sign=True)),
            ]
        cells.append(line)
    return "which correlation matters:\n" + table(cells)


def shares_text(shares: xr.Dataset, units: dict[str, str]) -> str:
    """Parts of the variance with their sum; coefficients of less than a per mille in one line."""
    if shares.sizes["parameter"] > MANY:
        return "shares of the posterior variance:\n" + table(shares_rows(shares))
    blocks = []
    for p in shares["parameter"].to_numpy():
        unit = units.get(str(p), "")
        at = shares.sel(parameter=p)
        kinds = at["kind"].to_numpy()
        cells = [[f"part of Var({p})", with_unit("variance", squared_unit(unit)), "share [%]"]]
        small, count = np.zeros(2), 0
        for i, part in enumerate(at["part"].to_numpy()):
            variance, share = float(at["variance"][i]), float(at["share"][i])
            if kinds[i] == "coefficient" and abs(share) < 1e-3:
                small += (variance, share)
                count += 1
                continue
            label = f"coefficient {part}" if kinds[i] == "coefficient" else str(part)
            cells.append([label, *_variance(variance, share)])
        if count:
            cells.append([counted(count, "other coefficients"), *_variance(small[0], small[1])])
        total = float(at["variance"].sum())
        cells.append(["total", *_variance(total, float(at["share"].sum()))])
        blocks.append(table(cells))
    return "shares of the posterior variance:\n" + "\n".join(blocks)


def _variance(variance: float, share: float) -> list[str]:
    return [plain(significant(variance)), plain(percent_text(share, places=2))]


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
    """A result, that of a posterior with the Monte Carlo error of its mean."""
    if np.isnan(value):
        return "-"
    return plain(with_error(value, spread) + (f" (MC {significant(noise, 2)})" if noise > 0 else ""))


def _set_lines(row: SetResult) -> list[str]:
    lines = [f"infeasible: {row.problem}"] if row.problem else []
    lines += feasibility_lines(row.statements, listed=False)
    if row.impacts is not None and row.impacts.groups.sizes["group"]:
        groups = row.impacts.groups
        parameters = [str(p) for p in groups["parameter"].to_numpy()]
        cells = [["impact in percent of the value, held", *parameters]]
        fit = row.combined
        assert fit is not None  # there are impacts only where there is a fit
        sizes = {p: abs(float(fit.values.sel(parameter=p))) for p in parameters}
        # A group of statistics alone repeats the row of the statistics.
        repeated = [
            name for name, members in row.impacts.combination.impact_groups.items() if members == (STATISTICS_GROUP,)
        ]
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
        lines.append(table(cells))
    return lines

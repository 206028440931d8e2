"""Results of fits as text; every block starts with the assumption set and the treatment it rests on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.labelled import numbers
from bayescomb.base.rounding import (
    at_bound_text,
    chi2_text,
    counted,
    p_value_text,
    plain,
    rounded_like,
    signed_errors,
    significant,
    with_error,
)
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.output.statements import beyond_notes, bound_notes, header
from bayescomb.output.tables.result import compatibility_table, correlation_table, weights_table
from bayescomb.output.text_layout import MANY, fitting_rows, is_unit, weight_lines

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.fit.averaging.relative import RelativeReading
    from bayescomb.fit.compatibility import Compatibility
    from bayescomb.fit.impacts import ImpactResult
    from bayescomb.fit.profile import ProfileResult
    from bayescomb.fit.size_result import SizeResult

__all__ = [
    "FEW_RESULTS",
    "chi2_number",
    "compatibility_text",
    "correlation_lines",
    "impact_text",
    "number_text",
    "profile_text",
    "reading_lines",
]

# Results that a line about another minimum has room for.
FEW_RESULTS = 4


def number_text(value: float) -> str:
    """A number without an error, in ASCII."""
    return plain(significant(value))


def chi2_number(value: float | None) -> str:
    """A chi2, in ASCII."""
    return plain(chi2_text(value))


def profile_text(fit: ProfileResult) -> str:
    """Values, goodness of fit and weights."""
    from bayescomb.fit.impacts import PARTS_CLAUSE
    from bayescomb.fit.post_fit import beyond_tables

    beyond = beyond_tables(fit)
    lines = [header(fit.combination)]
    spectators = {o.name for o in fit.combination.observables if o.spectator}
    names = in_order(fit)
    for name in names:
        value, error, up, down, unit = fit.row(name)
        if name in fit.at_bound:
            lines.append(plain(f"{name} = {at_bound_text(up, unit=unit)}"))
            continue
        told = np.isfinite(up) and (up, down) != (error, -error)
        asymmetric = f" ({signed_errors(up, down, error=error)} for Delta chi2 = 1)" if told else ""
        shown = ", ".join(f"{rounded_like(part, error)} {label}" for label, part in fit.error_parts(name).items())
        result = f"{name} = {with_error(value, error)}{asymmetric}{f' {unit}' if unit else ''} ({shown})"
        lines.append(plain(result) + (", in no observable" if name in spectators else ""))
    lines += scale_lines(fit)
    if fit.combination.pearson:
        lines.append("Pearson's weights follow the prediction; their determinant is left out here, a posterior includes it")
    p_value = "p-value undefined" + ("" if fit.ndf else ": no degree of freedom")
    if fit.p_value is not None:
        p_value = f"p-value {plain(p_value_text(fit.p_value))}"
    if np.isfinite(fit.chi2):
        lines.append(f"chi2 = {chi2_number(fit.chi2)} for {counted(fit.ndf, 'degrees of freedom')}, {p_value}")
    else:
        lines.append("chi2 undefined: with constraints above 1 the inputs do not determine their estimates one by one")
    if fit.own_chi2 and np.isfinite(fit.own_chi2):
        lines.append(
            f"  (the inputs' own post-fit nuisance values cost another {chi2_number(fit.own_chi2)} before combining)"
        )
    if fit.sizes is not None:
        lines += _size_lines(fit.sizes, fit.errors)
    lines += [*bound_notes(fit), *beyond_notes(beyond)]
    if fit.on_kink:
        lines.append(
            "on the kink of an asymmetric response, whose errors are those of the mean of both slopes: "
            f"{', '.join(fit.on_kink)}"
        )
    lines += other_minima_lines(fit)
    for repair in fit.repairs:
        lines.append(
            f"repaired ({repair.how}): {repair.block}, smallest eigenvalue {number_text(repair.smallest)}, "
            f"largest change of a correlation {number_text(repair.change)}"
        )
    lines += [f"parts of the errors: {PARTS_CLAUSE[fit.parts]}", ""]
    if fit.combination.extraction:  # correlations of the masses, not of a dozen predicted bins
        names = [o.name for o in fit.combination.headline]
    positions = [fit.names.index(name) for name in names]
    lines += correlation_lines(names, numbers(fit, "covariance")[np.ix_(positions, positions)])
    if len(names) > MANY or (len(names) > 1 and is_unit(fit.weights_of(names))):
        return "\n".join([*lines, *weight_lines(fit.weights_of(names), names, [e.name for e in fit.combination.estimates])])
    lines.append(weights_sentence(fit.combination))
    lines.append(weights_table(fit, names).text)
    return "\n".join(lines)


def in_order(fit: ProfileResult) -> list[str]:
    """Names of the parameters of a fit, results in their order."""
    order = {o.name: i for i, o in enumerate(fit.combination.results)}
    return sorted(fit.names, key=lambda name: order.get(name, len(order)))


def correlation_lines(names: Sequence[str], covariance: FloatArray) -> list[str]:
    """The correlations of a few results, and an empty line."""
    return [correlation_table(names, covariance).text, ""] if 1 < len(names) <= MANY else []


def scale_lines(fit: ProfileResult) -> list[str]:
    """Rule and factors by which errors are scaled; empty if they are not."""
    if fit.scale is None:
        return []
    by = {"pdg": "PDG's scale factor S", "birge": "the Birge ratio", "codata": "the expansion factor of CODATA"}[
        fit.scale.rule
    ]
    factors = ", ".join(f"{name} {significant(factor)}" for name, factor in fit.scale.factors.items())
    return [f"errors, their parts and covariances are multiplied by {by}: {factors}"]


def reading_lines(found: RelativeReading | None, combination: Combination) -> list[str]:
    """The first few results by each reading of relative errors; ``bayescomb table`` has all of them."""
    if found is None:
        return []
    units = {o.name: o.unit for o in combination.observables}
    names = list(units)[:FEW_RESULTS]

    def results(reading: str) -> str:
        values, errors = (x.sel(reading=reading) for x in (found.values, found.errors))
        pairs = ((n, float(values.sel(parameter=n)), float(errors.sel(parameter=n))) for n in names)
        more = ", ..." if len(units) > len(names) else ""
        return ", ".join(f"{n} = {plain(with_error(value, error, unit=units[n]))}" for n, value, error in pairs) + more

    chi2 = {reading: float(found.chi2.sel(reading=reading)) for reading in ("as stated", "absolute")}
    how = f"in a linear combination iterated {counted(found.steps, 'times')}"
    lines = [
        f"relative errors at the result, {how}: {results('iterated')}",
        f"relative errors taken as absolute: {results('absolute')}, chi2 {chi2_number(chi2['absolute'])}",
    ]
    if found.prefers_absolute:
        lines.append(
            f"warning: the data prefer the absolute reading, its chi2 is smaller by "
            f"{chi2_number(chi2['as stated'] - chi2['absolute'])}; check that these errors are parts of the value"
        )
    return ["", *lines]


def other_minima_lines(fit: ProfileResult) -> list[str]:
    """One line per minimum that is not the lowest: where it is, and by how much it is above."""
    if fit.other_minima is None:
        return []
    names = [o.name for o in fit.combination.headline if o.name in fit.values["parameter"]]
    lines = []
    for values in fit.other_minima.transpose("minimum", "parameter"):
        found = [
            f"{name} = {plain(rounded_like(float(values.sel(parameter=name)), float(fit.errors.sel(parameter=name))))}"
            for name in names[:FEW_RESULTS]
        ]
        more = ", ..." if len(names) > FEW_RESULTS else ""
        delta = plain(chi2_text(float(values["delta_chi2"])))
        lines.append(f"another minimum: {', '.join(found)}{more}, chi2 larger by {delta}")
    return lines


def weights_sentence(combination: Combination) -> str:
    """Heading of the weights."""
    if combination.quadratic:
        return "weights:"
    return "weights of the model linearised at the minimum, sizes of relative errors at the fitted values:"


def _size_lines(found: SizeResult, errors: xr.DataArray) -> list[str]:
    """Fitted sizes, and the intervals and chi2 with Bartlett's correction for them."""
    lines = [
        f"size of {name}: quoted to {significant(100 * relative)} %, fitted {plain(with_error(size, error))} of the quoted"
        for name, relative, size, error in zip(
            *(found.sizes[key].to_numpy() for key in ("uncertain_size", "relative", "size", "size_error")), strict=True
        )
    ]
    for name in found.intervals["parameter"].to_numpy():
        mean, up, down = (float(found.intervals[key].sel(parameter=name)) for key in ("bartlett", "up", "down"))
        if np.isfinite(mean):
            interval = plain(signed_errors(up, down, error=float(errors.sel(parameter=name))))
            lines.append(f"{name}: 68 % interval {interval} with Bartlett's correction {significant(mean)}")
    return [*lines, f"chi2 with Bartlett's correction {chi2_number(found.chi2)}, to which the p-value belongs"]


def compatibility_text(rows: Sequence[Compatibility]) -> str:
    """Compatibility of each input with the rest."""
    if not rows:
        return ""
    if all(row.ndf == 0 and not row.problem for row in rows):
        return "compatibility of each input with the rest: nothing that one input measures is tested by the others"
    return "compatibility of each input with the rest:\n" + compatibility_table(rows).text


def impact_text(result: ImpactResult) -> str:
    """Impacts, the largest first; those that fit a page where there are many results."""
    from bayescomb.output.tables.impacts import impact_table

    table, left_out = impact_table(result), ""
    if len(result.names) > MANY:
        rows = table.rows
        sources = [i for i, row in enumerate(rows) if row["kind"] in {"source", "nuisance", "size"}]
        given = result.combination.impact_groups  # a group of the statistics alone repeats their row
        groups = [
            i for i, row in enumerate(rows) if row["kind"] == "group" and given.get(str(row["name"])) != (STATISTICS_GROUP,)
        ]
        sums = [i for i, row in enumerate(rows) if row["kind"] in {"coupling", "sum"}]
        fitting = fitting_rows([table.terminal[0], table.terminal[-1]])
        some = groups[: max(fitting * 2 // 3, fitting - len(sources))]
        most = sources[: max(fitting - len(some), 0)]
        table = dataclasses.replace(table, on_page=[*most, *some, *sums])
        left_out = f"\nleft out, as smaller: {counted(len(sources) - len(most), 'sources')}"
        left_out += f" and {counted(len(groups) - len(some), 'groups')}; --json has them"
    return "\n".join([header(result.combination), result.definition, table.text]) + left_out

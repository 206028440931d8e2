"""Results as text for a terminal; every block starts with the assumption set and the treatment it rests on.

A calibration study as text and as plain data.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.labelled import numbers
from bayescomb.base.rounding import (
    at_bound_text,
    chi2_text,
    counted,
    p_value_text,
    percent_text,
    plain,
    rounded_like,
    seconds_text,
    signed_errors,
    significant,
    with_error,
)
from bayescomb.fit.averaging.relative import RelativeReading
from bayescomb.fit.compatibility import Compatibility
from bayescomb.fit.impacts import PARTS_CLAUSE, ImpactResult
from bayescomb.fit.profile import ProfileResult
from bayescomb.fit.size_result import SizeResult
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.inputs.observables import Observable
from bayescomb.likelihood.check import WIDE_RESPONSE, CheckResult
from bayescomb.output.statements import bound_notes, header
from bayescomb.output.tables.fit import compatibility_table, correlation_table, weights_table
from bayescomb.output.tables.impacts import impact_table
from bayescomb.output.text.as_read import as_read_lines
from bayescomb.output.text_layout import MANY, comparison_rows, feasibility_lines, fitting_rows, is_unit, table, weight_lines

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.sampling.posterior.summary import Sampled, Summary
    from bayescomb.studies.comparison import Comparison

__all__ = [
    "check_text",
    "combination_text",
    "comparison_text",
    "compatibility_text",
    "impact_text",
    "posterior_text",
    "profile_text",
    "reading_lines",
    "study_text",
    "summary_text",
]


# Names that look alike, and their partners, that a text has room for.
FEW_ALIKE = 8
# Results that a line about another minimum has room for.
FEW_RESULTS = 4
# Digits of the weight of a mode beyond which nobody looks.
LEAST_WEIGHT_ERROR = 1e-4


def _number(value: float) -> str:
    """A number without an error, in ASCII."""
    return plain(significant(value))


def _chi2(value: float | None) -> str:
    return plain(chi2_text(value))


def check_text(result: CheckResult) -> str:
    """Sizes, indefinite matrices and what of the quoted ranges is feasible."""
    lines = [header(result.combination)]
    lines.append(", ".join(counted(value, key) for key, value in result.sizes.items()))
    lines += [*_origins(result.combination), "", *as_read_lines(result), ""]
    count = len(result.indefinite)
    found = f"{counted(count, 'source matrices')} {'is' if count == 1 else 'are'}" if count else "no source matrices are"
    lines.append(f"{found} indefinite at the nominal coefficients" + (":" if count else ""))
    for block in result.indefinite:
        rounding = ", which rounding to two digits can explain" if block.rounding else ""
        lines.append(f"  {block.label}: smallest eigenvalue {_number(block.smallest)}, {block.negative} negative{rounding}")
    for widened in result.widened:
        names = [f"{name} ({_number(width)})" for name, width in sorted(widened.constraints.items(), key=lambda c: -c[1])]
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        lines.append(
            f"  {widened.measurement}: {counted(len(names), 'constraints')} above 1{': ' if names else ''}{listed}; "
            f"{counted(widened.negative, 'negative eigenvalues')} of its information without the priors, kept as they are"
        )
    if result.wide:
        lines.append(
            f"  relative responses above {significant(100 * WIDE_RESPONSE)} %: {', '.join(result.wide)}; the prediction "
            "reaches 0 within a few sigma, where a flat observable has no posterior: lognormal responses do not"
        )
    lines += _look_alike_lines(result)
    lines.append("")
    lines.append("feasibility of the quoted ranges:")
    lines += feasibility_lines(result.statements)
    if result.combination.treatment == "covariance":
        lines.append("treatment covariance: only the total covariance has to be positive definite")
    return "\n".join(lines)


def _look_alike_lines(result: CheckResult) -> list[str]:
    """Names that may mean one nuisance, a line for each of the first input that has them."""
    if not result.look_alikes:
        return []
    groups: dict[tuple[str, tuple[str, str]], list[str]] = {}
    for pair in result.look_alikes:
        groups.setdefault((pair.first, pair.measurements), []).append(f"{pair.second} ({pair.why})")
    count = counted(len(result.look_alikes), "pairs")
    lines = [
        f"{count} of nuisances of different inputs look alike and nothing is stated of them; relate those that are one:"
    ]
    for (first, (own, other)), partners in list(groups.items())[:FEW_ALIKE]:
        more = f" and {len(partners) - FEW_ALIKE} more" if len(partners) > FEW_ALIKE else ""
        lines.append(f"  {first} of {own}: {', '.join(partners[:FEW_ALIKE])}{more} of {other}")
    more_groups = len(groups) - FEW_ALIKE
    return lines + (
        [f"  and {counted(more_groups, 'nuisances')} more, all in check(...).look_alikes"] if more_groups > 0 else []
    )


def _origins(combination: Combination) -> list[str]:
    """Where the figures come from, a line per table."""
    return [f"{p.table}: {p.kind}, {p.origin}{f' ({p.note})' if p.note else ''}" for p in combination.provenance]


def combination_text(combination: Combination) -> str:
    """Settings, sizes and origin of the figures; :func:`check_text` has the findings too, which take a calculation."""
    sizes = ("measurements", "estimates", "observables", "sources", "nuisances")
    counts = ", ".join(counted(len(getattr(combination, key)), key) for key in sizes)
    return "\n".join([header(combination), counts, *_origins(combination)])


def profile_text(fit: ProfileResult) -> str:
    """Values, goodness of fit and weights."""
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
    if fit.combination.chi2 == "pearson":
        lines.append("Pearson's weights follow the prediction; their determinant is left out here, a posterior includes it")
    p_value = "p-value undefined" + ("" if fit.ndf else ": no degree of freedom")
    if fit.p_value is not None:
        p_value = f"p-value {plain(p_value_text(fit.p_value))}"
    if np.isfinite(fit.chi2):
        lines.append(f"chi2 = {_chi2(fit.chi2)} for {counted(fit.ndf, 'degrees of freedom')}, {p_value}")
    else:
        lines.append("chi2 undefined: with constraints above 1 the inputs do not determine their estimates one by one")
    if fit.own_chi2 and np.isfinite(fit.own_chi2):
        lines.append(f"  (the inputs' own post-fit nuisance values cost another {_chi2(fit.own_chi2)} before combining)")
    if fit.sizes is not None:
        lines += _size_lines(fit.sizes, fit.errors)
    lines += bound_notes(fit)
    if fit.on_kink:
        lines.append(
            "on the kink of an asymmetric response, whose errors are those of the mean of both slopes: "
            f"{', '.join(fit.on_kink)}"
        )
    lines += other_minima_lines(fit)
    for repair in fit.repairs:
        lines.append(
            f"repaired ({repair.how}): {repair.block}, smallest eigenvalue {_number(repair.smallest)}, "
            f"largest change of a correlation {_number(repair.change)}"
        )
    lines += [f"parts of the errors: {PARTS_CLAUSE[fit.parts]}", ""]
    if fit.combination.extraction:  # of the masses, not of a dozen predicted bins
        names = [o.name for o in fit.combination.headline]
    positions = [fit.names.index(name) for name in names]
    lines += _correlation_lines(names, numbers(fit, "covariance")[np.ix_(positions, positions)])
    if len(names) > MANY or (len(names) > 1 and is_unit(fit.weights_of(names))):
        return "\n".join([*lines, *weight_lines(fit.weights_of(names), names, [e.name for e in fit.combination.estimates])])
    lines.append(weights_sentence(fit.combination))
    lines.append(weights_table(fit, names).text)
    return "\n".join(lines)


def in_order(fit: ProfileResult) -> list[str]:
    """Names of the parameters of a fit, results in their order."""
    order = {o.name: i for i, o in enumerate(fit.combination.results)}
    return sorted(fit.names, key=lambda name: order.get(name, len(order)))


def _correlation_lines(names: Sequence[str], covariance: NDArray[np.float64]) -> list[str]:
    """The correlations of a few results, and an empty line."""
    return [correlation_table(names, covariance).text, ""] if 1 < len(names) <= MANY else []


def scale_lines(fit: ProfileResult) -> list[str]:
    """That errors are scaled, by which rule and how much."""
    if fit.scale is None:
        return []
    by = {"pdg": "PDG's scale factor S", "birge": "the Birge ratio", "codata": "the expansion factor of CODATA"}[
        fit.scale.rule
    ]
    factors = ", ".join(f"{name} {significant(factor)}" for name, factor in fit.scale.factors.items())
    return [f"errors, their parts and covariances are multiplied by {by}: {factors}"]


def reading_lines(found: RelativeReading | None, combination: Combination) -> list[str]:
    """What relative errors make of few results, in words; of many in the table of ``bayescomb table``."""
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
        f"relative errors taken as absolute: {results('absolute')}, chi2 {_chi2(chi2['absolute'])}",
    ]
    if found.prefers_absolute:
        lines.append(
            f"warning: the data prefer the absolute reading, its chi2 is smaller by "
            f"{_chi2(chi2['as stated'] - chi2['absolute'])}; check that these errors are parts of the value"
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
    """What the weights are."""
    if combination.quadratic:
        return "weights:"
    return "weights of the model linearised at the minimum, sizes of relative errors at the fitted values:"


def _size_lines(found: SizeResult, errors: xr.DataArray) -> list[str]:
    """Fitted sizes, and what the corrections for them say."""
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
    return [*lines, f"chi2 with Bartlett's correction {_chi2(found.chi2)}, to which the p-value belongs"]


def compatibility_text(rows: Sequence[Compatibility]) -> str:
    """Each input against the rest."""
    if not rows:
        return ""
    if all(row.ndf == 0 and not row.problem for row in rows):
        return "compatibility of each input with the rest: nothing that one input measures is tested by the others"
    return "compatibility of each input with the rest:\n" + compatibility_table(rows).text


def impact_text(result: ImpactResult) -> str:
    """Impacts, the largest first; those that fit a page where there are many results."""
    table, left_out = impact_table(result), ""
    if result.total.sizes["parameter"] > MANY:
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


def posterior_text(sampled: Sampled) -> str:
    """The verdict first; the numbers only if they may be used."""
    combination, run = sampled.combination, sampled.run
    lines = [sampled.verdict.sentence]
    interrupted = f" (interrupted: {run.interrupted})" if run.interrupted else ""
    lines.append(
        f"{header(combination)}\ncorrelations {run.correlations}, engine {run.engine}, "
        f"seed {run.seed}, {run.settings['chains']} x {counted(int(run.settings['draws']), 'draws')}{interrupted}"
    )
    if combination.chi2 == "pearson":
        lines.append("the density includes the determinant of Pearson's weights, which the profile leaves out")
    lines.append(f"compiled in {seconds_text(run.compile_seconds)}, sampled in {seconds_text(run.sampling_seconds)}")
    for repair in run.repairs:
        lines.append(
            f"repaired ({repair.how}) and held at nominal: {repair.block}, eigenvalue {_number(repair.smallest)}, "
            f"largest change {_number(repair.change)}"
        )
    if run.held_coefficients:
        lines.append(f"coefficients held, their blocks leave them no room: {', '.join(run.held_coefficients)}")
    if run.not_recovered:
        lines.append(f"no posterior of the nuisances of {counted(len(run.not_recovered), 'sources')}:")
        lines += [f"  {block}: {reason}" for block, reason in run.not_recovered.items()]
    lines += _mode_lines(run.modes.get("minima", []), [o.name for o in combination.headline])
    if sampled.verdict.passed:
        units = {o.name: o.unit for o in combination.results}
        for name, found in sampled.results.items():
            if found.reason:
                lines.append(_quantile_line(name, found, units[name]))
                continue
            lines.append(f"{name} = {plain(with_error(found.mean, found.sd, unit=units[name]))} ({_origin(found)})")
        lines += [
            f"size of {name}: {significant(median)} of the quoted, "
            f"central 68 % from {significant(low)} to {significant(high)}"
            for name, (low, median, high) in sampled.sizes.items()
        ]
        names = [o.name for o in combination.headline] if combination.extraction else list(sampled.results)
        index = [list(sampled.results).index(name) for name in names]
        lines += ["", *_correlation_lines(names, sampled.correlation[np.ix_(index, index)])][:-1]
    return "\n".join(lines)


def _mode_lines(minima: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Separated modes with their weights."""
    lines = []
    for minimum in minima:
        found = [f"{n} = {_number(minimum['values'][n])}" for n in names[:FEW_RESULTS] if n in minimum["values"]]
        weight = ""
        if "weight" in minimum:
            error = max(minimum["weight_error"], LEAST_WEIGHT_ERROR)
            weight = f", {plain(percent_text(minimum['weight'], error))} % of the posterior"
        lines.append(f"mode at {', '.join(found)}, chi2 larger by {_chi2(minimum['delta_chi2'])}{weight}")
    return lines


def summary_text(posterior: xr.DataTree) -> str:
    """What ``bayescomb sample`` prints: whether the posterior has converged, its settings, and the results if it has.

    Args:
        posterior: of :func:`bayescomb.sample` or :func:`bayescomb.load_posterior`.

    Examples:
        >>> import bayescomb as bc
        >>> bc.summary_text(posterior).startswith(bc.verdict(posterior).sentence)
        True
    """
    from bayescomb.sampling.posterior.summary import summarise

    return posterior_text(summarise(posterior))


def _quantile_line(name: str, found: Summary, unit: str) -> str:
    """Median and central interval of what has no moments, and why."""
    numbers = (found.central_low, found.median, found.central_high)
    low, median, high = (plain(rounded_like(number, found.half_width)) for number in numbers)
    return f"{name}: median {median}, central 68 % from {low} to {high}{f' {unit}' if unit else ''}; {found.reason}"


def _origin(found: Summary) -> str:
    """Where mean and sd come from, with the Monte Carlo error of the mean."""
    if found.origin == "exact":
        return "exact mean and sd"
    what = "average of exact conditional moments" if found.origin == "conditional" else "mean and sd of the draws"
    return f"{what}, Monte Carlo error of the mean {plain(significant(found.mcse_mean, 2))}"


def comparison_text(comparison: Comparison) -> str:
    """Profile, posterior and posterior at nominal coefficients, and what not knowing the coefficients costs."""
    from bayescomb.formats.hepdata.record.units import squared_unit
    from bayescomb.output.tables.result import summary_table

    t = comparison.table
    lines = [header(comparison.combination)]
    if t.sizes["parameter"] > MANY:
        return "\n".join([*lines, table(comparison_rows(t))])
    units = {str(p): str(unit) for p, unit in zip(t["parameter"].to_numpy(), t["unit"].to_numpy(), strict=True)}
    found = summary_table([Observable(name=name, unit=unit) for name, unit in units.items()], comparison=comparison)
    shares = []
    unknown = "the coefficients and sizes" if comparison.combination.errors_on_errors else "the coefficients"
    for name, unit in units.items():
        row = {str(key): float(t[key].sel(parameter=name)) for key in t.data_vars}
        if np.isnan(row.get("coefficient_share", np.nan)):
            continue
        squared, own = (f" {squared_unit(unit)}", f" {unit}") if unit else ("", "")
        within, between = row["mean_of_variance"], row["variance_of_mean"]
        share = plain(percent_text(row["coefficient_share"], row["coefficient_share_mcse"]))
        shares.append(
            f"{name}: sd^2 = E[Var|r] + Var(E|r) = {_number(within)} + {_number(between)}{squared}; "
            f"not knowing {unknown} makes ({share}) % of the variance ({_number(between**0.5)}{own})"
        )
    return "\n".join([*lines, found.text, *shares])


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

"""Results as text for a terminal; every block starts with the assumption set and the treatment it rests on.

A calibration study as text and as plain data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayescomb.base.rounding import (
    at_bound_text,
    chi2_text,
    counted,
    fixed,
    interval_text,
    p_value_text,
    percent_text,
    plain,
    rounded_like,
    seconds_text,
    signed_errors,
    significant,
    weight_places,
    with_error,
)
from bayescomb.fit.compatibility import Compatibility
from bayescomb.fit.impacts import PARTS_CLAUSE, ImpactResult
from bayescomb.fit.profile import ProfileResult
from bayescomb.fit.size_result import SizeResult
from bayescomb.formats.hepdata.record.units import squared_unit
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.likelihood.check import WIDE_RESPONSE, CheckResult
from bayescomb.output.as_read import as_read_lines
from bayescomb.output.statements import bound_notes, header
from bayescomb.output.text_layout import MANY, comparison_rows, feasibility_lines, fitting_rows, is_unit, table, weight_lines
from bayescomb.sampling.convergence import Verdict
from bayescomb.sampling.convergence import verdict as judge
from bayescomb.sampling.storage import combination_of
from bayescomb.sampling.summary import Summary, result_summary, size_quantiles
from bayescomb.studies.comparison import Comparison

__all__ = [
    "check_text",
    "combination_text",
    "comparison_text",
    "compatibility_text",
    "impact_text",
    "posterior_text",
    "profile_text",
    "study_text",
    "summary_text",
]


def _number(value: float) -> str:
    """A number without an error, in ASCII."""
    return plain(significant(value))


def _chi2(value: float | None) -> str:
    return plain(chi2_text(value))


def with_unit(name: str, unit: str) -> str:
    """A name and its unit in brackets, if it has one."""
    return f"{name} [{unit}]" if unit else name


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
    lines.append("")
    lines.append("feasibility of the quoted ranges:")
    lines += feasibility_lines(result.statements)
    if result.combination.treatment == "covariance":
        lines.append("treatment covariance: only the total covariance has to be positive definite")
    return "\n".join(lines)


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
    for name in fit.values["parameter"].to_numpy():
        at = {"parameter": name}
        value, error = float(fit.values.sel(at)), float(fit.errors.sel(at))
        up, down = float(fit.up_errors.sel(at)), float(fit.down_errors.sel(at))
        unit = str(fit.values.sel(at)["unit"].item())
        if name in fit.at_bound:
            lines.append(plain(f"{name} = {at_bound_text(up, unit=unit)}"))
            continue
        asymmetric = f" ({signed_errors(up, down, error=error)} for Delta chi2 = 1)" if (up, down) != (error, -error) else ""
        shown = ", ".join(f"{rounded_like(part, error)} {label}" for label, part in fit.error_parts(str(name)).items())
        result = f"{name} = {with_error(value, error)}{asymmetric}{f' {unit}' if unit else ''} ({shown})"
        lines.append(plain(result) + (", in no observable" if name in spectators else ""))
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
    for repair in fit.repairs:
        lines.append(
            f"repaired ({repair.how}): {repair.block}, smallest eigenvalue {_number(repair.smallest)}, "
            f"largest change of a correlation {_number(repair.change)}"
        )
    lines += [f"parts of the errors: {PARTS_CLAUSE[fit.parts]}", ""]
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    if fit.combination.extraction:  # of the masses, not of a dozen predicted bins
        names = [o.name for o in fit.combination.headline]
    if len(names) > MANY or (len(names) > 1 and is_unit(fit.weights.sel(parameter=names).to_numpy())):
        return "\n".join([*lines, *weight_lines(fit.weights, names)])
    lines.append(weights_sentence(fit.combination))
    rows = [["estimate", "", *names]]
    places = {p: weight_places(fit.weights.sel(parameter=p).to_numpy()) for p in names}
    for estimate in fit.combination.estimates:
        weights = {p: float(fit.weights.sel(parameter=p, estimate=estimate.name)) for p in names}
        values = [plain(fixed(weights[p], places[p], sign=True)) for p in names]
        rows.append([f"{estimate.name}  {estimate.title}".rstrip(), "", *values])
    lines.append(table(rows))
    return "\n".join(lines)


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
    cells = [["input", "chi2 of all - chi2 of the rest", "ndf", "p-value"]]
    for row in rows:
        cells.append([row.measurement, _chi2(row.chi2), str(row.ndf), plain(p_value_text(row.p_value))])
    return "compatibility of each input with the rest:\n" + table(cells)


def impact_text(result: ImpactResult) -> str:
    """Impacts, the largest first."""
    names = [str(p) for p in result.total["parameter"].to_numpy()]
    units = {o.name: o.unit for o in result.combination.results}
    totals = {p: float(result.total.sel(parameter=p)) for p in names}
    heading = ["source", *[with_unit(name, units.get(name, "")) for name in names]]

    def cells(label: str, values: xr.DataArray) -> list[str]:
        return [label, *[plain(rounded_like(float(values.sel(parameter=p)), totals[p])) for p in names]]

    order = abs(result.sources).sum("parameter").to_numpy().argsort()[::-1]
    groups = result.groups["group"].to_numpy()
    chosen, left_out = list(range(len(groups))), ""
    if len(names) > MANY:  # the largest in units of the errors, so that the table fits a page
        rows_of_page = fitting_rows([heading, ["", *(plain(rounded_like(totals[p], totals[p])) for p in names)]])
        sized, grouped = ((abs(x) / result.total).sum("parameter").to_numpy() for x in (result.sources, result.groups))
        given = result.combination.impact_groups
        repeated = [i for i, name in enumerate(groups) if given.get(str(name)) == (STATISTICS_GROUP,)]
        grouped = np.delete(grouped, repeated)  # the row of the statistics
        groups = np.delete(groups, repeated)
        chosen = sorted(np.argsort(-grouped)[: max(rows_of_page * 2 // 3, rows_of_page - len(sized))].tolist())
        order = np.argsort(-sized)[: max(rows_of_page - len(chosen), 0)]
        left_out = f"left out, as smaller: {counted(len(sized) - len(order), 'sources')}"
        left_out += f" and {counted(len(grouped) - len(chosen), 'groups')}; --json has them"
    titles = {s.name: s.title or s.name for s in result.combination.sources}
    rows = [heading]
    for i in order:
        source = str(result.sources["source"].to_numpy()[i])
        rows.append(cells(titles.get(source, source), result.sources.isel(source=i)))
    for i in chosen:
        rows.append(cells(f"group {groups[i]}", result.groups.sel(group=groups[i])))
    rows += [cells(label, part) for label, part in result.sums.items()]
    return "\n".join([header(result.combination), result.definition, table(rows), *([left_out] if left_out else [])])


def posterior_text(posterior: xr.DataTree, combination: Combination, verdict: Verdict) -> str:
    """The verdict first; the numbers only if they may be used."""
    attrs = posterior.attrs
    lines = [verdict.sentence]
    interrupted = f" (interrupted: {attrs['interrupted']})" if attrs.get("interrupted") else ""
    lines.append(
        f"{header(combination)}\ncorrelations {attrs['correlations']}, engine {attrs['engine']}, "
        f"seed {attrs['seed']}, {attrs['chains']} x {counted(attrs['draws'], 'draws')}{interrupted}"
    )
    if combination.chi2 == "pearson":
        lines.append("the density includes the determinant of Pearson's weights, which the profile leaves out")
    lines.append(
        f"compiled in {seconds_text(attrs['compile_seconds'])}, sampled in {seconds_text(attrs['sampling_seconds'])}"
    )
    for block, how, smallest, change in json.loads(attrs["repairs"]):
        lines.append(
            f"repaired ({how}) and held at nominal: {block}, eigenvalue {_number(smallest)}, "
            f"largest change {_number(change)}"
        )
    held = json.loads(attrs["held_coefficients"])
    if held:
        lines.append(f"coefficients held, their blocks leave them no room: {', '.join(held)}")
    not_recovered = json.loads(attrs["not_recovered"])
    if not_recovered:
        lines.append(f"no posterior of the nuisances of {counted(len(not_recovered), 'sources')}:")
        lines += [f"  {block}: {reason}" for block, reason in not_recovered.items()]
    if verdict.passed:
        for observable in combination.results:
            found = result_summary(posterior, observable.name)
            result = plain(with_error(found.mean, found.sd, unit=observable.unit))
            lines.append(f"{observable.name} = {result} ({_origin(found)})")
        lines += [
            f"size of {name}: {significant(median)} of the quoted, "
            f"central 68 % from {significant(low)} to {significant(high)}"
            for name, (low, median, high) in size_quantiles(posterior["posterior"].to_dataset()).items()
        ]
    return "\n".join(lines)


def summary_text(posterior: xr.DataTree) -> str:
    """What ``bayescomb sample`` prints: whether the posterior has converged, its settings, and the results if it has.

    Args:
        posterior: of :func:`bayescomb.sample` or :func:`bayescomb.load_posterior`.

    Examples:
        >>> import bayescomb as bc
        >>> bc.summary_text(posterior).startswith(bc.verdict(posterior).sentence)
        True
    """
    return posterior_text(posterior, combination_of(posterior), judge(posterior))


def _like(error: float, *values: float) -> list[str]:
    """Numbers with the decimals of an error."""
    return [plain(rounded_like(value, error)) for value in values]


def _origin(found: Summary) -> str:
    """Where mean and sd come from, with the Monte Carlo error of the mean."""
    if found.origin == "exact":
        return "exact mean and sd"
    what = "average of exact conditional moments" if found.origin == "conditional" else "mean and sd of the draws"
    return f"{what}, Monte Carlo error of the mean {plain(significant(found.mcse_mean, 2))}"


def comparison_text(comparison: Comparison) -> str:
    """Profile, posterior and posterior at nominal coefficients, and what not knowing the coefficients costs."""
    t = comparison.table
    lines = [header(comparison.combination)]
    if t.sizes["parameter"] > MANY:
        return "\n".join([*lines, table(comparison_rows(t))])
    rows = [["parameter", "", "value", "uncertainty", "Monte Carlo error", "median", "68 % interval"]]
    shares = []
    unknown = "the coefficients and sizes" if comparison.combination.errors_on_errors else "the coefficients"
    for name in t["parameter"].to_numpy():
        row = {str(key): float(t[key].sel(parameter=name)) for key in t.data_vars}
        unit = str(t["unit"].sel(parameter=name).item())
        value, error = row["profile_value"], row["profile_error"]
        low, high = value + row["profile_down"], value + row["profile_up"]
        digits = error if np.isfinite(error) else row["profile_up"]  # at a bound there is no error
        rows.append([with_unit(name, unit), "profile, Delta chi2 = 1", *_like(digits, value, error), "", "",
                     plain(interval_text(low, high, error=digits))])  # fmt: skip
        exact = "nominal_mean" in row
        for prefix, label in (("", "posterior, HDI"), ("nominal_", "posterior at nominal (exact), HDI"))[: 1 + exact]:
            mean, sd, median, low, high = (row[prefix + k] for k in ("mean", "sd", "median", "hdi_low", "hdi_high"))
            noise = "exact" if prefix or not row["mcse_mean"] else plain(significant(row["mcse_mean"], 2))
            centre, spread, middle = _like(sd, mean, sd, median)
            rows.append(["", label, centre, spread, noise, middle, plain(interval_text(low, high, error=sd))])
        if np.isnan(row.get("coefficient_share", np.nan)):
            continue
        squared, own = (f" {squared_unit(unit)}", f" {unit}") if unit else ("", "")
        within, between = row["mean_of_variance"], row["variance_of_mean"]
        share = plain(percent_text(row["coefficient_share"], row["coefficient_share_mcse"]))
        shares.append(
            f"{name}: sd^2 = E[Var|r] + Var(E|r) = {_number(within)} + {_number(between)}{squared}; "
            f"not knowing {unknown} makes ({share}) % of the variance ({_number(between**0.5)}{own})"
        )
    return "\n".join([*lines, table(rows), *shares])


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

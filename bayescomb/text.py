"""Results as text for a terminal; every block starts with the assumption set and the treatment it rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr

from bayescomb.caveats import caveats, treatment_sentence
from bayescomb.check import WIDE_RESPONSE, CheckResult
from bayescomb.comparison import Comparison
from bayescomb.compatibility import Compatibility
from bayescomb.convergence import Verdict
from bayescomb.impacts import ImpactResult
from bayescomb.inputs import Combination
from bayescomb.parts import PARTS_CLAUSE
from bayescomb.profile import ProfileResult
from bayescomb.scan import ScanResult, ScanRow
from bayescomb.size_results import SizeResult, size_quantiles

__all__ = [
    "check_text",
    "comparison_text",
    "compatibility_text",
    "header",
    "impact_text",
    "posterior_text",
    "profile_text",
    "scan_text",
    "uncertain_sizes_text",
]

# Shifts are small against the parameter: shown in a thousandth of its unit, by its own name where it has one.
THOUSANDTH: Final = {"GeV": "MeV", "TeV": "GeV", "nb": "pb", "pb": "fb"}


def header(combination: Combination) -> str:
    """Name, assumption set, treatment and form of chi2 in one line, what is not as usual, and each caveat in a line."""
    pulls = ", post-fit nuisance values ignored" if combination.nuisance_values == "ignored" else ""
    normalised = ", normalised to the sum of the observables" if combination.normalise else ""
    first = (
        f"{combination.name}: assumption set {combination.assumptions!r}, treatment {treatment_sentence(combination)}, "
        f"chi2 {combination.chi2}{pulls}{normalised}{uncertain_sizes_text(combination)}"
    )
    return "\n".join([first, *caveats(combination)])


def uncertain_sizes_text(combination: Combination) -> str:
    """Which sizes are uncertain by how much, to follow other settings; empty if none is."""
    sizes = [
        f"{name} {100 * error.relative:.3g} %{'' if error.kind == 'common' else f' ({error.kind})'}"
        for name, error in combination.errors_on_errors.items()
    ]
    return f", errors on errors: {', '.join(sizes)}" if sizes else ""


def with_unit(name: str, unit: str) -> str:
    """A name and its unit in brackets, if it has one."""
    return f"{name} [{unit}]" if unit else name


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned, the first to the left, the others to the right; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:]])


def check_text(result: CheckResult) -> str:
    """Sizes, indefinite matrices and what of the quoted ranges is feasible."""
    lines = [header(result.combination)]
    lines.append(", ".join(f"{value} {key}" for key, value in result.sizes.items()))
    for provenance in result.combination.provenance:
        note = f" ({provenance.note})" if provenance.note else ""
        lines.append(f"{provenance.table}: {provenance.kind}, {provenance.origin}{note}")
    lines.append("")
    count = len(result.indefinite)
    lines.append(f"{count or 'no'} source matrices are indefinite at the nominal coefficients" + (":" if count else ""))
    for block in result.indefinite:
        rounding = ", which rounding to two digits can explain" if block.rounding else ""
        lines.append(f"  {block.label}: smallest eigenvalue {block.smallest:.3g}, {block.negative} negative{rounding}")
    for widened in result.widened:
        names = [f"{name} ({width:.4g})" for name, width in sorted(widened.constraints.items(), key=lambda c: -c[1])]
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        lines.append(
            f"  {widened.measurement}: {len(names)} constraints above 1{': ' if names else ''}{listed}; "
            f"{widened.negative} negative eigenvalues of its information without the priors, kept as they are"
        )
    if result.wide:
        lines.append(
            f"  relative responses above {100 * WIDE_RESPONSE:.0f} %: {', '.join(result.wide)}; the prediction reaches 0 "
            "within a few sigma, where a flat observable has no posterior: lognormal responses do not"
        )
    lines.append("")
    lines.append("feasibility of the quoted ranges:")
    lines += [f"  {statement.text}" for statement in result.statements]
    if result.combination.treatment == "covariance":
        lines.append("treatment covariance: only the total covariance has to be positive definite")
    return "\n".join(lines)


def profile_text(fit: ProfileResult) -> str:
    """Values, goodness of fit and weights."""
    lines = [header(fit.combination)]
    spectators = {o.name for o in fit.combination.observables if o.spectator}
    for name in fit.values["parameter"].to_numpy():
        at = {"parameter": name}
        value, error = float(fit.values.sel(at)), float(fit.errors.sel(at))
        up, down = float(fit.up_errors.sel(at)), float(fit.down_errors.sel(at))
        unit = str(fit.values.sel(at)["unit"].item())
        asymmetric = "" if (up, down) == (error, -error) else f" (+{up:.4f} {down:.4f} for Delta chi2 = 1)"
        # 4 decimals for a mass in GeV; more where the uncertainty is small
        places = max(4, 2 - int(np.floor(np.log10(error)))) if error > 0 else 4
        lines.append(
            f"{name} = {value:.{places}f} +- {error:.{places}f}{asymmetric}{f' {unit}' if unit else ''} "
            f"({float(fit.statistical_errors.sel(at)):.{places}f} stat, "
            f"{float(fit.systematic_errors.sel(at)):.{places}f} syst"
            + (f", {float(fit.theory_errors.sel(at)):.{places}f} theory" if fit.combination.extraction else "")
            + ")"
            + (", in no observable" if name in spectators else "")
        )
    if fit.combination.chi2 == "pearson":
        lines.append("Pearson's weights follow the prediction; their determinant is left out here, a posterior includes it")
    p_value = "p-value undefined" + ("" if fit.ndf else ": no degree of freedom")
    if fit.p_value is not None:
        p_value = f"p-value {fit.p_value:.3f}"
    if np.isfinite(fit.chi2):
        lines.append(f"chi2 = {fit.chi2:.3f} for {fit.ndf} degrees of freedom, {p_value}")
    else:
        lines.append("chi2 undefined: with constraints above 1 the inputs do not determine their estimates one by one")
    if fit.own_chi2 and np.isfinite(fit.own_chi2):
        lines.append(f"  (the inputs' own post-fit nuisance values cost another {fit.own_chi2:.3f} before combining)")
    if fit.sizes is not None:
        lines += _size_lines(fit.sizes)
    if fit.on_kink:
        lines.append(
            "on the kink of an asymmetric response, whose errors are those of the mean of both slopes: "
            f"{', '.join(fit.on_kink)}"
        )
    for repair in fit.repairs:
        lines.append(
            f"repaired ({repair.how}): {repair.block}, smallest eigenvalue {repair.smallest:.3g}, "
            f"largest change of a correlation {repair.change:.3g}"
        )
    lines += [f"parts of the errors: {PARTS_CLAUSE[fit.parts]}", "", weights_sentence(fit.combination)]
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    if fit.combination.extraction:  # of the masses, not of a dozen predicted bins
        names = [o.name for o in fit.combination.headline]
    rows = [["estimate", "", *names]]
    for estimate in fit.combination.estimates:
        values = [f"{float(fit.weights.sel(parameter=p, estimate=estimate.name)):+.4f}" for p in names]
        rows.append([f"{estimate.name}  {estimate.title}".rstrip(), "", *values])
    lines.append(table(rows))
    return "\n".join(lines)


def weights_sentence(combination: Combination) -> str:
    """What the weights are."""
    if combination.quadratic:
        return "weights:"
    return "weights of the model linearised at the minimum, sizes of relative errors at the fitted values:"


def _size_lines(found: SizeResult) -> list[str]:
    """Fitted sizes, and what the corrections for them say."""
    lines = [
        f"size of {name}: quoted to {100 * relative:.3g} %, fitted {size:.3f} +- {error:.3f} of the quoted"
        for name, relative, size, error in zip(
            *(found.sizes[key].to_numpy() for key in ("uncertain_size", "relative", "size", "size_error")), strict=True
        )
    ]
    for name in found.intervals["parameter"].to_numpy():
        mean, up, down = (float(found.intervals[key].sel(parameter=name)) for key in ("bartlett", "up", "down"))
        if np.isfinite(mean):
            lines.append(f"{name}: 68 % interval +{up:.4f} {down:.4f} with Bartlett's correction {mean:.4f}")
    return [*lines, f"chi2 with Bartlett's correction {found.chi2:.3f}, to which the p-value belongs"]


def compatibility_text(rows: Sequence[Compatibility]) -> str:
    """Each input against the rest."""
    if not rows:
        return ""
    cells = [["input", "chi2 of all - chi2 of the rest", "ndf", "p-value"]]
    for row in rows:
        chi2 = "-" if row.chi2 is None else f"{row.chi2:.3f}"
        p_value = "undefined" if row.p_value is None else f"{row.p_value:.3f}"
        cells.append([row.measurement, chi2, str(row.ndf), p_value])
    return "compatibility of each input with the rest:\n" + table(cells)


def scan_text(result: ScanResult) -> str:
    """Half shifts beside the published ones."""
    lines = [header(result.combination), "half of value(high) - value(low), and of error(high) - error(low)"]
    for observable in result.combination.headline:
        unit = THOUSANDTH.get(observable.unit, f"1e-3 {observable.unit}".strip())
        rows = [["coefficient", "range", "nominal", f"shift of {observable.name} [{unit}]", "published",
                 f"shift of error [{unit}]", "published"]]  # fmt: skip
        for row in result.rows:
            shifts = ["infeasible", "infeasible"]
            if row.half_shift is not None and row.half_error_shift is not None:
                at = {"parameter": observable.name}
                shifts = [f"{1000 * float(s.sel(at)):+.2f}" for s in (row.half_shift, row.half_error_shift)]
            quoted = [row.published_half_shift or "-", row.published_half_error_shift or "-"]
            span = f"{row.low:+.2f} to {row.high:+.2f}"
            rows.append([row.title or row.name, span, f"{row.nominal:.2f}", shifts[0], quoted[0], shifts[1], quoted[1]])
        lines.append(table(rows))
    for row in result.rows:
        if row.problem or len(row.points[0].coefficients) > 1:
            lines += ["", f"{row.name}:", _points_table(result.combination, row)]
    return "\n".join(lines)


def _points_table(combination: Combination, row: ScanRow) -> str:
    """The points of one scan, where its two ends do not say all."""
    names = [o.name for o in combination.headline]
    cells = [[*row.points[0].coefficients, "chi2", *names]]
    for point in row.points:
        at = [f"{value:+.4g}" for value in point.coefficients.values()]
        if point.values is None or point.errors is None:
            cells.append([*at, "infeasible", *["-" for _ in names]])
            continue
        results = [
            f"{float(point.values.sel(parameter=n)):.6g} +- {float(point.errors.sel(parameter=n)):.3g}" for n in names
        ]
        cells.append([*at, f"{point.chi2:.5f}", *results])
    return table(cells)


def impact_text(result: ImpactResult) -> str:
    """Impacts, the largest first."""
    names = [str(p) for p in result.total["parameter"].to_numpy()]
    units = {o.name: o.unit for o in result.combination.results}
    heading = ["source", *[with_unit(name, units.get(name, "")) for name in names]]

    def cells(label: str, values: xr.DataArray) -> list[str]:
        return [label, *[f"{float(values.sel(parameter=p)):.3f}" for p in names]]

    order = abs(result.sources).sum("parameter").to_numpy().argsort()[::-1]
    titles = {s.name: s.title or s.name for s in result.combination.sources}
    rows = [heading]
    for i in order:
        source = str(result.sources["source"].to_numpy()[i])
        rows.append(cells(titles.get(source, source), result.sources.isel(source=i)))
    for group in result.groups["group"].to_numpy():
        rows.append(cells(f"group {group}", result.groups.sel(group=group)))
    rows += [cells("all systematics", result.systematics), cells("statistics", result.statistics)]
    if result.combination.extraction:
        rows.append(cells("theory", result.theory))
    rows.append(cells("total", result.total))
    return "\n".join([header(result.combination), result.definition, table(rows)])


def posterior_text(posterior: xr.DataTree, combination: Combination, verdict: Verdict) -> str:
    """The verdict first; the numbers only if they may be used."""
    attrs = posterior.attrs
    lines = [verdict.sentence]
    interrupted = f" (interrupted: {attrs['interrupted']})" if attrs.get("interrupted") else ""
    lines.append(
        f"{header(combination)}\ncorrelations {attrs['correlations']}, engine {attrs['engine']}, "
        f"seed {attrs['seed']}, {attrs['chains']} x {attrs['draws']} draws{interrupted}"
    )
    if combination.chi2 == "pearson":
        lines.append("the density includes the determinant of Pearson's weights, which the profile leaves out")
    lines.append(f"compiled in {attrs['compile_seconds']:.1f} s, sampled in {attrs['sampling_seconds']:.1f} s")
    for block, how, smallest, change in json.loads(attrs["repairs"]):
        lines.append(
            f"repaired ({how}) and held at nominal: {block}, eigenvalue {smallest:.3g}, largest change {change:.3g}"
        )
    held = json.loads(attrs["held_coefficients"])
    if held:
        lines.append(f"coefficients held, their blocks leave them no room: {', '.join(held)}")
    not_recovered = json.loads(attrs["not_recovered"])
    if not_recovered:
        lines.append(f"no posterior of the nuisances of {len(not_recovered)} sources:")
        lines += [f"  {block}: {reason}" for block, reason in not_recovered.items()]
    if verdict.passed:
        for observable in combination.results:
            values = posterior["posterior"][observable.name]
            result = f"{float(values.mean()):.4f} +- {float(values.std(ddof=1)):.4f} {observable.unit}"
            lines.append(f"{observable.name} = {result}".rstrip())
        lines += [
            f"size of {name}: {median:.3f} of the quoted, 68 % between {low:.3f} and {high:.3f}"
            for name, (low, median, high) in size_quantiles(posterior["posterior"].to_dataset()).items()
        ]
    return "\n".join(lines)


def comparison_text(comparison: Comparison) -> str:
    """Profile, posterior and posterior at nominal coefficients, and what not knowing the coefficients costs."""
    t = comparison.table
    lines = [header(comparison.combination)]
    rows = [["parameter", "", "value", "uncertainty", "median", "68 % interval"]]
    shares = []
    unknown = "the coefficients and sizes" if comparison.combination.errors_on_errors else "the coefficients"
    for name in t["parameter"].to_numpy():
        row = {str(key): float(t[key].sel(parameter=name)) for key in t.data_vars}
        unit = str(t["unit"].sel(parameter=name).item())
        value, error = row["profile_value"], row["profile_error"]
        low, high = value + row["profile_down"], value + row["profile_up"]
        rows.append([with_unit(name, unit), "profile, Delta chi2 = 1", f"{value:.4f}", f"{error:.4f}", "",
                     f"{low:.4f} to {high:.4f}"])  # fmt: skip
        exact = "nominal_mean" in row
        for prefix, label in (("", "posterior, HDI"), ("nominal_", "posterior at nominal (exact), HDI"))[: 1 + exact]:
            mean, sd, median, low, high = (row[prefix + k] for k in ("mean", "sd", "median", "hdi_low", "hdi_high"))
            rows.append(["", label, f"{mean:.4f}", f"{sd:.4f}", f"{median:.4f}", f"{low:.4f} to {high:.4f}"])
        if np.isnan(row.get("coefficient_share", np.nan)):
            continue
        squared, own = (f" {unit}^2", f" {unit}") if unit else ("", "")
        shares.append(
            f"{name}: sd^2 = E[Var|r] + Var(E|r) = {row['mean_of_variance']:.5f} + {row['variance_of_mean']:.5f}{squared}; "
            f"not knowing {unknown} makes {100 * row['coefficient_share']:.2f} +- "
            f"{100 * row['coefficient_share_mcse']:.2f} % of the variance ({row['variance_of_mean'] ** 0.5:.4f}{own})"
        )
    return "\n".join([*lines, table(rows), *shares])

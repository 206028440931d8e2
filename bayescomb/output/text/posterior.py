"""Posteriors, their comparison with the profile and calibration studies as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescomb.base.rounding import (
    counted,
    p_value_text,
    percent_text,
    plain,
    rounded_like,
    seconds_text,
    significant,
    with_error,
)
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import Observable
from bayescomb.output.statements import draws_beyond_notes, header
from bayescomb.output.text_layout import MANY, comparison_rows, table

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.sampling.posterior.summary import Sampled, Summary
    from bayescomb.studies.comparison import Comparison
from bayescomb.output.text.fit import FEW_RESULTS, chi2_number, correlation_lines, number_text

__all__ = ["comparison_text", "posterior_text", "study_text", "summary_text"]

# Smallest Monte Carlo error to which the weight of a mode is printed.
LEAST_WEIGHT_ERROR = 1e-4


def posterior_text(sampled: Sampled) -> str:
    """The verdict first; the numbers only if they may be used."""
    combination, run = sampled.combination, sampled.run
    lines = [sampled.verdict.sentence]
    interrupted = f" (interrupted: {run.interrupted})" if run.interrupted else ""
    lines.append(
        f"{header(combination)}\ncorrelations {run.correlations}, engine {run.engine}, "
        f"seed {run.seed}, {run.settings['chains']} x {counted(int(run.settings['draws']), 'draws')}{interrupted}"
    )
    lines += draws_beyond_notes(sampled)
    if combination.pearson:
        lines.append("the density includes the determinant of Pearson's weights, which the profile leaves out")
    lines.append(f"compiled in {seconds_text(run.compile_seconds)}, sampled in {seconds_text(run.sampling_seconds)}")
    for repair in run.repairs:
        lines.append(
            f"repaired ({repair.how}) and held at nominal: {repair.block}, eigenvalue {number_text(repair.smallest)}, "
            f"largest change {number_text(repair.change)}"
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
        lines += ["", *correlation_lines(names, sampled.correlation[np.ix_(index, index)])][:-1]
    return "\n".join(lines)


def _mode_lines(minima: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Separated modes with their weights."""
    lines = []
    for minimum in minima:
        found = [f"{n} = {number_text(minimum['values'][n])}" for n in names[:FEW_RESULTS] if n in minimum["values"]]
        weight = ""
        if "weight" in minimum:
            error = max(minimum["weight_error"], LEAST_WEIGHT_ERROR)
            weight = f", {plain(percent_text(minimum['weight'], error))} % of the posterior"
        lines.append(f"mode at {', '.join(found)}, chi2 larger by {chi2_number(minimum['delta_chi2'])}{weight}")
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
            f"{name}: sd^2 = E[Var|r] + Var(E|r) = {number_text(within)} + {number_text(between)}{squared}; "
            f"not knowing {unknown} makes ({share}) % of the variance ({number_text(between**0.5)}{own})"
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

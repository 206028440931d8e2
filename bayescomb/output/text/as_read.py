"""What was read, and what is assumed where nothing was said: the lines of ``bayescomb check`` that a reader compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from bayescomb.base.rounding import counted, percent_text
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import CovarianceKind, Measurement
from bayescomb.output.text_layout import table

if TYPE_CHECKING:
    from bayescomb.likelihood.check import CheckResult

__all__ = ["as_read_lines", "assumption_lines"]

# Names listed of a kind.
LISTED: Final = 4


def as_read_lines(result: CheckResult) -> list[str]:
    """Estimates, correlations and assumptions, each in a line."""
    rows = [["estimate", "measurement", "experiment", "value", "stat", "total"]]
    rows += [
        [e.name, e.measurement, e.experiment or "not named", *(f"{x:.6g}" for x in (e.value, e.stat, e.total))]
        for e in result.estimates
    ]
    lines = [
        "estimates as read:",
        table(rows),
        *_tables(result.combination),
        "",
        "correlations as read, inside an experiment and with others:",
    ]
    for row in result.correlations:
        names = ", ".join((row.source or "nuisances without a source", row.experiment or "no experiment named"))
        lines.append(f"  {names}: {row.inside}; {row.across}")
    if not result.correlations:
        lines.append("  no sources")
    return [*lines, "assumptions as read:", *(f"  {line}" for line in assumption_lines(result.combination))]


def _tables(combination: Combination) -> Iterator[str]:
    """Likelihoods that are tables; the rows of their estimates hold the Gaussians near the minima."""
    for i, likelihood in combination.tables.items():
        name, (low, high) = combination.estimates[i].name, likelihood.ends
        up, down = ("no end" if e is None else f"{e:+.4g}" for e in likelihood.errors)
        coarse = likelihood.coarseness
        points = counted(len(likelihood.points), "points")
        left_out = f"; without every second point -2 ln L changes by up to {coarse:.2g} there" if coarse is not None else ""
        yield (
            f"  {name}: likelihood at {points} from {low:.6g} to {high:.6g}, lowest at {likelihood.minimum:.6g}, higher by "
            f"1 at {up} and {down}, by {likelihood.rise(low):.3g} and {likelihood.rise(high):.3g} at the ends{left_out}"
        )


def assumption_lines(combination: Combination) -> list[str]:
    """What a model says, or leaves unsaid, besides its figures: priors, units, statistics, shifts, sizes, the extraction.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.text.as_read import assumption_lines
        >>> for line in assumption_lines(bc.load("models/run1_mass"))[:2]:
        ...     print(line)
        observables: flat priors; 1 in GeV
        statistics: uncorrelated between measurements; inside one: one estimate only in 15 measurements
    """
    return [
        _observables(combination),
        _statistics(combination.measurements),
        *_shifts(combination),
        _sizes(combination),
        _coefficients(combination),
        *_extraction(combination),
    ]


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _observables(combination: Combination) -> str:
    units: dict[str, list[str]] = {}
    for observable in combination.variables:
        units.setdefault(observable.unit, []).append(observable.name)
    stated = [f"{len(names)} in {unit}" if unit else f"no unit stated of {_names(names)}" for unit, names in units.items()]
    prior = "predicted from the mass" if combination.extraction else "flat priors"
    return f"observables: {'; '.join([prior, *stated])}"


def _statistics(measurements: Sequence[Measurement]) -> str:
    """How the estimates of a measurement are correlated where no nuisance says it."""
    kinds: dict[str, list[str]] = {}
    for m in measurements:
        kinds.setdefault(_statistics_of(m), []).append(m.name)
    found = [
        f"{kind} in {_names(names) if len(names) <= LISTED else counted(len(names), 'measurements')}"
        for kind, names in kinds.items()
    ]
    return f"statistics: uncorrelated between measurements; inside one: {'; '.join(found)}"


def _statistics_of(measurement: Measurement) -> str:
    if measurement.fit is not None:
        return "by its own fit"
    covariance = measurement.statistical_covariance
    assert covariance is not None  # a measurement has either a fit or a covariance
    if measurement.covariance_kind is CovarianceKind.TOTAL:
        return "a total covariance, its sources not told apart,"
    if len(covariance) == 1:
        return "one estimate only"
    return "uncorrelated" if np.array_equal(covariance, np.diag(np.diag(covariance))) else "by its covariance"


def _shifts(combination: Combination) -> Iterator[str]:
    """Priors of the nuisances, form of the responses, and what is taken for -1 sigma."""
    nuisances = combination.nuisances
    if not nuisances:
        return
    forms = Counter(n.response for n in nuisances)
    counts = ", ".join(f"{count} {form}" for form, count in forms.items())
    two_sided = sum(
        int((m.down_responses != -m.responses).any(axis=0).sum())
        for m in combination.measurements
        if m.down_responses is not None
    )
    opposite = "-1 sigma does the opposite of +1 sigma"
    free = [n.name for n in nuisances if n.free]
    priors = f"normal priors of unit width{f', except for the free ones: {_names(free)}' if free else ''}"
    exception = f", except for {counted(two_sided, 'nuisances')}" if two_sided else ""
    yield f"nuisances: {priors}; responses: {counts}; {opposite}{exception}"


def _sizes(combination: Combination) -> str:
    """Errors on errors, and how many post-fit nuisance values differ from 0, the value where an input gives none."""
    known = [
        f"{name} to {percent_text(e.relative, places=0)} % ({e.kind})" for name, e in combination.errors_on_errors.items()
    ]
    text = f"sizes of the uncertainties: exact{f', except for {_names(known)}' if known else ''}"
    pulls = [value for m in combination.measurements if m.fit is not None for value in m.fit.pulls]
    if not pulls or combination.nuisance_values == "ignored":
        return text
    moved = sum(value != 0 for value in pulls)
    values = f"{moved} of {len(pulls)} differ from 0" if moved else f"0 for all {len(pulls)}"
    return f"{text}; post-fit nuisance values: {values}"


def _coefficients(combination: Combination) -> str:
    """Shapes of the priors, which are uniform where none is stated."""
    coefficients = combination.assumption_set.coefficients
    shapes = Counter(str(c.prior).replace("_", " ") for c in coefficients if c.sampled)
    found = [f"{count} {shape} over the range" for shape, count in shapes.items()]
    held = sum(not c.sampled for c in coefficients)
    found += [f"{held} held at the nominal value"] if held else []
    return f"priors of the coefficients: {', '.join(found) or 'no coefficient'}"


def _extraction(combination: Combination) -> Iterator[str]:
    """Priors of masses and scales, treatment of the PDF; or that nothing is extracted though it could be."""
    extraction = combination.extraction_in_force
    if extraction is None:
        if combination.extractions:
            yield f"extraction: none in force; defined: {_names(list(combination.extractions))}"
        return
    used = [p for p in combination.predictions if p.name in extraction.distributions]
    for mass in extraction.mass_parameters:
        ends = [(p.masses[0], p.masses[-1]) for p in used if extraction.masses[p.name] == mass]
        low, high = max(first for first, _ in ends), min(last for _, last in ends)
        yield f"prior of {mass}: flat over the masses of the tables, {low:g} to {high:g} GeV"
    scales, pdf = extraction.scales, extraction.pdf
    if scales.treatment != "fixed":
        shape = f"uniform within +-{scales.width:g}" if scales.prior == "uniform" else f"normal, width {scales.width:g}"
        between = ""
        if scales.treatment == "correlated":
            between = f"; correlation between energies {scales.nominal:g} in [{scales.low:g}, {scales.high:g}]"
        yield f"prior of log2 of the scale factors: {shape}, {scales.treatment} between energies{between}"
    else:
        yield "scales: fixed, no uncertainty"
    if pdf.errors == "none":
        yield f"PDF: {pdf.set}, no uncertainty"
    else:
        strong = "with alpha_s" if pdf.alpha_s else "without alpha_s"
        level = percent_text(pdf.confidence_level, places=0)
        yield f"PDF: {pdf.set}, {strong}, members at {level} % confidence level, the same nuisances at every energy"

"""As text: the inputs as read, the assumptions that a model leaves unsaid, and the findings of ``bayescomb check``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from bayescomb.base.rounding import (
    counted,
    percent_text,
    significant,
)
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import CovarianceKind, Measurement
from bayescomb.likelihood.check import WIDE_RESPONSE
from bayescomb.output.statements import header
from bayescomb.output.text.fit import number_text
from bayescomb.output.text_layout import feasibility_lines, table

if TYPE_CHECKING:
    from bayescomb.likelihood.check import CheckResult

__all__ = ["as_read_lines", "assumption_lines", "check_text", "combination_text"]

# Largest number of listed names that look alike, and of partners of each.
FEW_ALIKE = 8
# Names listed of a kind.
LISTED: Final = 4


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
        lines.append(
            f"  {block.label}: smallest eigenvalue {number_text(block.smallest)}, {block.negative} negative{rounding}"
        )
    for widened in result.widened:
        names = [
            f"{name} ({number_text(width)})" for name, width in sorted(widened.constraints.items(), key=lambda c: -c[1])
        ]
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
    """Names that may mean one nuisance, a line for each name of the first input."""
    if not result.look_alikes:
        return []
    groups: dict[tuple[str, tuple[str, str]], list[str]] = {}
    for pair in result.look_alikes:
        groups.setdefault((pair.first, pair.measurements), []).append(f"{pair.second} ({pair.why})")
    count = counted(len(result.look_alikes), "pairs")
    lines = [f"{count} of nuisances of different inputs look alike without a stated correlation; relate those that are one:"]
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
        >>> from bayescomb.output.text.check import assumption_lines
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
    """How the statistical errors of the estimates of a measurement are correlated."""
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
    """Priors of the nuisances, form of the responses, and the shift at -1 sigma."""
    nuisances = combination.nuisances
    if not nuisances:
        return
    forms = Counter(n.response for n in nuisances)
    counts = ", ".join(f"{count} {form}" for form, count in forms.items())
    shifts = (m.two_sided_responses for m in combination.measurements)
    two_sided = sum(int((up != -down).any(axis=0).sum()) for up, down in shifts)
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
    """Priors of masses and scales, treatment of the PDF; without an extraction in force, names of those defined."""
    extraction = combination.extraction_in_force
    if extraction is None:
        if combination.extractions:
            yield f"extraction: none in force; defined: {_names(list(combination.extractions))}"
        return
    used = combination.predictions_in_use
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

"""What every output states besides its numbers: settings, extraction, and the figures that the result rests on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, assert_never

from bayescomb.base.rounding import significant
from bayescomb.inputs.combination import Combination

if TYPE_CHECKING:
    from bayescomb.fit.post_fit import Beyond
    from bayescomb.fit.profile import ProfileResult
    from bayescomb.sampling.posterior.summary import Sampled

__all__ = [
    "beyond_notes",
    "blinding_note",
    "bound_notes",
    "caveats",
    "chi2_sentence",
    "draws_beyond_notes",
    "extraction_sentence",
    "header",
    "header_data",
    "nonnegative_sentence",
    "notes",
    "origin_data",
    "origin_notes",
    "origin_sentence",
    "page_settings",
    "quoting_note",
    "reconstructed_note",
    "settings",
    "shifted_results",
    "short_notes",
    "table_notes",
    "treatment_sentence",
    "versions_text",
]

# Names that a line of settings has room for.
FEW: Final = 3
PAGE_SETTINGS: Final = ("blinding", "assumption set", "treatment", "chi2", "nonnegative", "inputs")


def caveats(combination: Combination) -> tuple[str, ...]:
    """The extraction and all :func:`notes`, one sentence each; empty without any.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import caveats
        >>> caveats(bc.load("models/run1_mass"))
        ()
    """
    return tuple(sentence for sentence in (extraction_sentence(combination), *notes(combination)) if sentence)


def notes(combination: Combination) -> tuple[str, ...]:
    """What limits the use of a number: blinding, predictions not for quoting, reconstructed inputs; empty without any."""
    found = (
        blinding_note(combination),
        *origin_notes(combination),
        quoting_note(combination),
        reconstructed_note(combination),
        *table_notes(combination),
    )
    return tuple(note for note in found if note)


def treatment_sentence(combination: Combination) -> str:
    """How sources are treated, and the repair that was asked for.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import treatment_sentence
        >>> treatment_sentence(bc.load("models/run1_mass").with_treatment("nuisance", repair="clip"))
        'nuisance, repair clip'
    """
    repair = f", repair {combination.repair}" if combination.repair != "none" else ""
    return f"{combination.treatment}{repair}"


def extraction_sentence(combination: Combination) -> str:
    """Which distributions, theory uncertainties and bins; empty in combination mode."""
    extraction = combination.extraction_in_force
    if extraction is None:
        return ""
    schemes = {p.name: f"{p.order} {p.mass_scheme} mass" for p in combination.predictions}
    used = ", ".join(f"{name} {kind} ({schemes[name]})" for name, kind in extraction.distributions.items())
    pdf, scales = extraction.pdf, extraction.scales
    members = "no PDF uncertainty" if pdf.errors == "none" else f"PDF members ({pdf.errors.replace('_', ' ')})"
    members += f" shifted as at scale {pdf.shifts_at}" if pdf.shifts_at and pdf.errors != "none" else ""
    factors = "" if scales.mu_r == scales.mu_f == 1 else f" x ({scales.mu_r:g}, {scales.mu_f:g})"
    varied = "fixed" if scales.treatment == "fixed" else f"{scales.treatment} between energies, {scales.prior} prior"
    numerical = ", numerical errors of the prediction included" if extraction.numerical_errors else ""
    correlated = ", ".join(p.name for p in combination.predictions_in_use if p.correlated_errors.size)
    if extraction.numerical_errors and correlated:
        numerical += f" (of {correlated} also those common to masses, scales and PDF members)"
    dropped = f"; not compared: {', '.join(extraction.drop)}" if extraction.drop else ""
    return (
        f"extraction {extraction.name!r}: {used}; {pdf.set}, {members}; scale {scales.choice}{factors} {varied}{numerical}; "
        f"polynomial of degree {extraction.degree} in the mass{dropped}"
    )


def origin_notes(combination: Combination) -> tuple[str, ...]:
    """Origin of the predictions in use, and the uncertainties of their rates."""
    extraction = combination.extraction_in_force
    origins: dict[str, list[str]] = {}
    rates: dict[str, list[str]] = {}
    for prediction in combination.predictions_in_use:
        if prediction.origin:
            origins.setdefault(prediction.origin, []).append(prediction.name)
        counts = extraction is not None and extraction.distributions[prediction.name] != "normalised"
        if counts and extraction is not None and extraction.rate_errors:
            for source, size in prediction.rate_errors.items():
                rates.setdefault(f"{significant(100 * size)} % ({source})", []).append(prediction.name)
    stated = [f"prediction {', '.join(names)}: {origin}" for origin, names in origins.items()]
    return (*stated, *(f"rate of {', '.join(names)} open within {size}" for size, names in rates.items()))


def blinding_note(combination: Combination) -> str:
    """How central values are hidden, and which numbers are as measured; empty without blinding.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import blinding_note
        >>> blinding_note(bc.blind(bc.load("models/run1_mass"), "a phrase"))[:39]
        'BLINDED: central values are shifted, ea'
    """
    found = combination.blinding
    if found is None:
        return ""
    match found.kind:
        case "shift":
            return (
                "BLINDED: central values are shifted, each observable and its inputs by the same hidden amount; differences "
                "of values of one observable, errors, weights, pulls and chi2 are as measured"
            )
        case "factor":
            masses = ", masses of the prediction shifted by a hidden amount" if combination.predictions else ""
            return (
                f"BLINDED: values and errors are multiplied by a hidden factor{masses}; relative errors, weights, pulls and "
                "chi2 are as measured"
            )
    assert_never(found.kind)


def shifted_results(combination: Combination) -> frozenset[str]:
    """Results whose values a blinding shifts, so that nothing can be stated relative to them.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import shifted_results
        >>> sorted(shifted_results(bc.blind(bc.load("models/run1_mass"), "a phrase")))
        ['m_t']
    """
    if combination.blinding is None:
        return frozenset()
    if combination.blinding.kind == "shift":
        return frozenset(o.name for o in combination.results)
    extraction = combination.extraction_in_force
    return frozenset(() if extraction is None else extraction.mass_parameters)


def quoting_note(combination: Combination) -> str:
    """Warning that the mass rests on leading-order predictions; empty where none is used."""
    low = [p.name for p in combination.predictions_in_use if not p.quotable]
    return f"NOT FOR QUOTING: the mass rests on leading-order predictions ({', '.join(low)})" if low else ""


def reconstructed_note(combination: Combination) -> str:
    """Which inputs are not published figures."""
    tables = [p.table for p in combination.provenance if p.kind == "reconstructed"]
    return f"rests on reconstructed, not published, figures: {', '.join(tables)}" if tables else ""


def table_notes(combination: Combination) -> list[str]:
    """How far each likelihood table reaches, and what is assumed beyond.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import table_notes
        >>> table_notes(bc.load("models/run1_mass"))
        []
    """
    notes = []
    for i, table in combination.tables.items():
        rises = " and ".join(significant(table.rise(end)) for end in table.ends)
        notes.append(
            f"likelihood of {combination.estimates[i].name} as a table, in which -2 ln L rises by {rises} to its first and "
            "last point; beyond them it goes on as a parabola"
        )
    return notes


def chi2_sentence(combination: Combination) -> str:
    """Form of chi2, and every setting of it that differs from the default.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import chi2_sentence
        >>> combination = bc.load("models/run1_mass").with_errors_on_errors({"LHCbJES": 0.3})
        >>> chi2_sentence(combination)
        'neyman, errors on errors: LHCbJES 30.0 %'
    """
    clauses = [str(combination.chi2)]
    clauses += ["post-fit nuisance values ignored"] if combination.nuisance_values == "ignored" else []
    clauses += ["normalised to the sum of the observables"] if combination.normalise else []
    sizes = [
        f"{name} {significant(100 * error.relative)} %{'' if error.kind == 'common' else f' ({error.kind})'}"
        for name, error in combination.errors_on_errors.items()
    ]
    clauses += [f"errors on errors: {', '.join(sizes)}"] if sizes else []
    return ", ".join(clauses)


def origin_sentence(combination: Combination) -> str:
    """Which inputs are published, which are not, in one line."""
    tables: dict[str, list[str]] = {}
    for entry in combination.provenance:
        tables.setdefault(entry.kind, []).append(entry.table)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in tables.items()) or "provenance not stated"


def settings(combination: Combination) -> dict[str, str]:
    """The settings of a result in words, from which texts, pages, tables and exports state them.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import settings
        >>> for name, value in settings(bc.load("models/run1_mass")).items():
        ...     print(f"{name}: {value[:17]}")
        model: run1_mass
        assumption set: nominal
        treatment: covariance
        chi2: neyman
        inputs: published: budget
    """
    found = {
        "model": f"{combination.name}{combination.blinded}",
        "assumption set": combination.assumptions,
        "treatment": treatment_sentence(combination),
        "chi2": chi2_sentence(combination),
        "nonnegative": nonnegative_sentence(combination),
        "blinding": "" if combination.blinding is None else f"BLINDED by a {combination.blinding.kind}",
        "extraction": combination.extraction,
        "inputs": origin_sentence(combination),
    }
    return {name: value for name, value in found.items() if value}


def header_data(combination: Combination) -> dict[str, Any]:
    """The settings for JSON, a key each, with whether results may be quoted and the kind of every input."""
    return {
        "model": combination.name,
        "assumptions": combination.assumptions,
        "treatment": combination.treatment,
        "repair": combination.repair,
        "chi2_form": combination.chi2,
        "nuisance_values": combination.nuisance_values,
        "normalised": combination.normalise,
        "errors_on_errors": {
            name: {"relative": error.relative, "kind": error.kind} for name, error in combination.errors_on_errors.items()
        },
        "nonnegative": list(combination.nonnegative),
        "blinded": combination.blinding is not None,
        **origin_data(combination),
    }


def origin_data(combination: Combination) -> dict[str, Any]:
    """The part of :func:`header_data` on what a result rests on: extraction, whether to quote it, kind of each input."""
    return {
        "extraction": combination.extraction or None,
        "quotable": not quoting_note(combination),
        "caveats": list(caveats(combination)),
        "provenance": {p.table: p.kind for p in combination.provenance},
    }


def nonnegative_sentence(combination: Combination) -> str:
    """What cannot be negative; empty if everything can.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import nonnegative_sentence
        >>> nonnegative_sentence(bc.load("models/run1_mass").with_nonnegative())
        'm_t'
    """
    names = combination.nonnegative
    everything = len(names) == sum(not o.spectator for o in combination.observables) > FEW
    return "all observables" if everything else ", ".join(names)


def header(combination: Combination) -> str:
    """The settings in one line, and each caveat in a line."""
    said = settings(combination)
    first = f"{said['model']}: assumption set {said['assumption set']!r}, treatment {said['treatment']}, chi2 {said['chi2']}"
    first += f", nonnegative: {said['nonnegative']}" if "nonnegative" in said else ""
    return "\n".join([first, *caveats(combination)])


def page_settings(combination: Combination) -> list[tuple[str, str]]:
    """The settings for the first line of a page."""
    said = settings(combination)
    return [("\N{GREEK SMALL LETTER CHI}²" if key == "chi2" else key, said[key]) for key in PAGE_SETTINGS if key in said]


def short_notes(combination: Combination) -> str:
    """The notes in a few words, for a strip below a figure; empty without any."""
    notes = ["BLINDED"] if combination.blinding is not None else []
    notes += ["leading order: not for quoting"] if quoting_note(combination) else []
    notes += dict.fromkeys(p.origin for p in combination.predictions_in_use if p.origin)
    notes += ["reconstructed inputs"] if reconstructed_note(combination) else []
    return ", ".join(notes)


def versions_text(versions: Mapping[str, str], *packages: str) -> str:
    """Packages and versions in one line.

    Args:
        versions: those that a posterior was sampled with; of other packages the installed version is stated.
        packages: their names.
    """
    found = {name: versions.get(name) or importlib.metadata.version(name) for name in packages}
    return ", ".join(f"{name} {version}" for name, version in found.items())


def beyond_notes(beyond: Mapping[str, Beyond]) -> list[str]:
    """Likelihood tables that end before the result, or before an end of its interval: what lies beyond is not measured.

    Args:
        beyond: of :func:`bayescomb.fit.post_fit.beyond_tables`.
    """
    return [
        f"the fit lies beyond the likelihood table of {name}, on its continuation; give it more points"
        if what == "value"
        else f"the interval of one error reaches beyond the likelihood table of {name}, onto its continuation"
        for name, what in beyond.items()
    ]


def draws_beyond_notes(sampled: Sampled) -> list[str]:
    """Likelihood tables that end before some of the draws."""
    return [
        f"{significant(100 * share)} % of the draws lie beyond the likelihood table of {name}, on its continuation; give it "
        "more points"
        for name, share in sampled.beyond_tables.items()
    ]


def bound_notes(fit: ProfileResult) -> list[str]:
    """What bounds do to a profile: which results they hold at 0, and which intervals they cut."""
    notes = []
    if fit.at_bound:
        notes.append(
            f"at the bound 0, below which the data would have it: {', '.join(fit.at_bound)}; no error, part, covariance or "
            "weight is defined there, those of the other results hold with it at 0, and the p-value of chi2 is approximate"
        )
    if fit.ends_at_bound:
        notes.append(f"the interval ends at the bound 0: {', '.join(fit.ends_at_bound)}")
    return notes

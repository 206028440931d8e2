"""What every output has to say besides its numbers: what was extracted how, at which order, from which kind of figures."""

from __future__ import annotations

from typing import Any

from bayescomb.base.rounding import significant
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.predictions import Prediction

__all__ = [
    "caveats",
    "extraction_sentence",
    "header",
    "header_data",
    "notes",
    "origin_data",
    "origin_notes",
    "predictions_in_use",
    "quoting_note",
    "reconstructed_note",
    "treatment_sentence",
    "uncertain_sizes_text",
]


def caveats(combination: Combination) -> tuple[str, ...]:
    """The sentences, empty where there is nothing to say.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.statements import caveats
        >>> caveats(bc.load("models/run1_mass"))
        ()
    """
    return tuple(sentence for sentence in (extraction_sentence(combination), *notes(combination)) if sentence)


def notes(combination: Combination) -> tuple[str, ...]:
    """What a reader of a number has to know besides how it was extracted; empty where there is nothing to say."""
    found = (*origin_notes(combination), quoting_note(combination), reconstructed_note(combination))
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
    correlated = ", ".join(p.name for p in predictions_in_use(combination) if p.correlated_errors.size)
    if extraction.numerical_errors and correlated:
        numerical += f" (of {correlated} also those common to masses, scales and PDF members)"
    dropped = f"; not compared: {', '.join(extraction.drop)}" if extraction.drop else ""
    return (
        f"extraction {extraction.name!r}: {used}; {pdf.set}, {members}; scale {scales.choice}{factors} {varied}{numerical}; "
        f"polynomial of degree {extraction.degree} in the mass{dropped}"
    )


def origin_notes(combination: Combination) -> tuple[str, ...]:
    """What the figures of the predictions in use are, and what is open about their rates."""
    extraction = combination.extraction_in_force
    origins: dict[str, list[str]] = {}
    rates: dict[str, list[str]] = {}
    for prediction in predictions_in_use(combination):
        if prediction.origin:
            origins.setdefault(prediction.origin, []).append(prediction.name)
        counts = extraction is not None and extraction.distributions[prediction.name] != "normalised"
        if counts and extraction is not None and extraction.rate_errors:
            for source, size in prediction.rate_errors.items():
                rates.setdefault(f"{significant(100 * size)} % ({source})", []).append(prediction.name)
    stated = [f"prediction {', '.join(names)}: {origin}" for origin, names in origins.items()]
    return (*stated, *(f"rate of {', '.join(names)} open within {size}" for size, names in rates.items()))


def predictions_in_use(combination: Combination) -> list[Prediction]:
    """The predictions in use."""
    extraction = combination.extraction_in_force
    return [p for p in combination.predictions if extraction is not None and p.name in extraction.distributions]


def quoting_note(combination: Combination) -> str:
    """That a leading-order prediction is no ground for a mass; empty where none is used."""
    low = [p.name for p in predictions_in_use(combination) if not p.quotable]
    return f"NOT FOR QUOTING: the mass rests on leading-order predictions ({', '.join(low)})" if low else ""


def reconstructed_note(combination: Combination) -> str:
    """Which inputs are not published figures."""
    tables = [p.table for p in combination.provenance if p.kind == "reconstructed"]
    return f"rests on reconstructed, not published, figures: {', '.join(tables)}" if tables else ""


def origin_data(combination: Combination) -> dict[str, Any]:
    """The same for JSON: extraction, whether results may be quoted, and the kind of every input."""
    return {
        "extraction": combination.extraction or None,
        "quotable": not quoting_note(combination),
        "caveats": list(caveats(combination)),
        "provenance": {p.table: p.kind for p in combination.provenance},
    }


def header_data(combination: Combination) -> dict[str, Any]:
    """What every JSON file says of the model and its settings."""
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
        **origin_data(combination),
    }


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
        f"{name} {significant(100 * error.relative)} %{'' if error.kind == 'common' else f' ({error.kind})'}"
        for name, error in combination.errors_on_errors.items()
    ]
    return f", errors on errors: {', '.join(sizes)}" if sizes else ""

"""What every output has to say besides its numbers: what was extracted how, at which order, from which kind of figures."""

from __future__ import annotations

from typing import Any

from bayescomb.inputs import Combination

__all__ = ["caveats", "extraction_sentence", "origin_data", "quoting_note", "reconstructed_note", "treatment_sentence"]


def caveats(combination: Combination) -> tuple[str, ...]:
    """The sentences, empty where there is nothing to say.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.caveats import caveats
        >>> caveats(bc.load("models/run1_mass"))
        ()
    """
    found = (extraction_sentence(combination), quoting_note(combination), reconstructed_note(combination))
    return tuple(sentence for sentence in found if sentence)


def treatment_sentence(combination: Combination) -> str:
    """How sources are treated, and the repair that was asked for.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.caveats import treatment_sentence
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
    dropped = f"; not compared: {', '.join(extraction.drop)}" if extraction.drop else ""
    return (
        f"extraction {extraction.name!r}: {used}; {pdf.set}, {members}; scale {scales.choice}{factors} {varied}{numerical}; "
        f"polynomial of degree {extraction.degree} in the mass{dropped}"
    )


def quoting_note(combination: Combination) -> str:
    """That a leading-order prediction is no ground for a mass; empty where none is used."""
    extraction = combination.extraction_in_force
    used = [p.name for p in combination.predictions if extraction is not None and p.name in extraction.distributions]
    low = [p.name for p in combination.predictions if p.name in used and not p.quotable]
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

"""The mass with other predictions side by side: PDF sets, scale definitions, and the seven-point variation of the scales."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bayescomb.base.checks import expects
from bayescomb.base.errors import FitError, OptionError
from bayescomb.base.threads import single_threaded
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination, how_to_extract
from bayescomb.inputs.extractions import Extraction, ScaleChoice
from bayescomb.inputs.predictions import Variant
from bayescomb.likelihood.theory import SCALE_POINTS

__all__ = ["NOT_TABULATED", "VariantRow", "prediction_variants", "scale_envelope"]

# How the problem of a row begins whose prediction nobody has calculated.
NOT_TABULATED = "not in the table"


@dataclass(frozen=True, kw_only=True)
class VariantRow:
    """The profile of one mass with one prediction.

    Attributes:
        mass: name of the mass parameter.
        pdf_set, scale_choice, mu_r, mu_f: the prediction.
        value, error: GeV; ``None`` if there is a problem.
        chi2, ndf: goodness of fit.
        shift: value less that of the extraction in force, or of the centre of an envelope, GeV.
        problem: why there is no number, empty if there is one.
    """

    mass: str
    pdf_set: str
    scale_choice: str
    mu_r: float
    mu_f: float
    ndf: int
    value: float | None = None
    error: float | None = None
    chi2: float | None = None
    shift: float | None = None
    problem: str = ""


@expects(combination="combination")
@single_threaded
def prediction_variants(combination: Combination) -> tuple[VariantRow, ...]:
    """Every PDF set and scale definition that all tables in use hold, scales fixed at their centre.

    PDF members are those of the extraction where the set is its own; for other sets the central member alone is known to
    the tables, and the uncertainty has no PDF part.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.prediction_variants(bc.load("models/ttj_rho"))
        >>> sorted({row.scale_choice for row in rows})
        ['ht2', 'mt']
    """
    extraction = _in_force(combination)
    used = [p for p in combination.predictions if p.name in extraction.distributions]
    keys = [{(v.pdf_set, v.scale_choice) for v in p.variants if v.member == 0 and v.mu_r == v.mu_f == 1} for p in used]
    every = dict.fromkeys((v.pdf_set, v.scale_choice) for v in used[0].variants)
    common = [key for key in every if all(key in k for k in keys)]
    rows: list[VariantRow] = []
    for pdf_set, choice in common:
        own = pdf_set == extraction.pdf.set
        if own and not extraction.pdf.shifts_at:  # other scale definitions may have no members of their own
            own_pdf = dataclasses.replace(extraction.pdf, shifts_at=extraction.scales.choice)
        else:
            own_pdf = extraction.pdf
        pdf = own_pdf if own else dataclasses.replace(extraction.pdf, set=pdf_set, errors="none", alpha_s=())
        scales = ScaleChoice(choice=choice)
        rows += _rows(combination, dataclasses.replace(extraction, pdf=pdf, scales=scales))
    in_force = (extraction.pdf.set, extraction.scales.choice)
    return _shifted(rows, lambda row: (row.pdf_set, row.scale_choice) == in_force)


@expects(combination="combination")
@single_threaded
def scale_envelope(combination: Combination) -> tuple[VariantRow, ...]:
    """The seven points of the usual scale variation, the centre first, scales fixed at each.

    A point that is not in the tables of the prediction has no number, and the problem says so.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.scale_envelope(bc.load("models/ttj_rho"))
        >>> len(rows), rows[0].mu_r, rows[0].shift
        (7, 1.0, 0.0)
    """
    extraction = _in_force(combination)
    rows: list[VariantRow] = []
    for mu_r, mu_f in ((1.0, 1.0), *SCALE_POINTS):
        scales = ScaleChoice(choice=extraction.scales.choice, mu_r=mu_r, mu_f=mu_f)
        rows += _rows(combination, dataclasses.replace(extraction, scales=scales))
    return _shifted(rows, lambda row: row.mu_r == row.mu_f == 1)


def _in_force(combination: Combination) -> Extraction:
    extraction = combination.extraction_in_force
    if extraction is None:
        msg = f"{combination.name!r}: no mass is extracted; {how_to_extract(combination)}"
        raise OptionError(msg)
    return extraction


def _shifted(rows: list[VariantRow], is_base: Callable[[VariantRow], bool]) -> tuple[VariantRow, ...]:
    """The rows with their shifts from the base row of the same mass."""
    base = {row.mass: row.value for row in rows if is_base(row)}

    def shift(row: VariantRow) -> float | None:
        start = base[row.mass]
        return None if row.value is None or start is None else row.value - start

    return tuple(dataclasses.replace(row, shift=shift(row)) for row in rows)


def _rows(combination: Combination, extraction: Extraction) -> list[VariantRow]:
    scales = extraction.scales

    def row(mass: str, **found: Any) -> VariantRow:
        return VariantRow(
            mass=mass,
            pdf_set=extraction.pdf.set,
            scale_choice=scales.choice,
            mu_r=scales.mu_r,
            mu_f=scales.mu_f,
            **found,
        )

    at = Variant(pdf_set=extraction.pdf.set, member=0, scale_choice=scales.choice, mu_r=scales.mu_r, mu_f=scales.mu_f)
    lacking = [p.name for p in combination.predictions if p.name in extraction.distributions and at not in p.index]
    if lacking:
        problem = f"{NOT_TABULATED} of {', '.join(lacking)}"
        return [row(mass, ndf=0, problem=problem) for mass in extraction.mass_parameters]
    try:
        fit = profile(combination.with_extraction(extraction))
    except FitError as error:
        return [row(mass, ndf=0, problem=str(error)) for mass in extraction.mass_parameters]
    return [
        row(
            mass,
            value=float(fit.values.sel(parameter=mass)),
            error=float(fit.errors.sel(parameter=mass)),
            chi2=fit.chi2,
            ndf=fit.ndf,
        )
        for mass in extraction.mass_parameters
    ]

"""The mass with other predictions side by side: PDF sets, scale definitions, and the seven-point variation of the scales.

What the shape and the rate of a distribution say of the mass apart, and whether they agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bayescomb.base.checks import expects
from bayescomb.base.errors import FitError, OptionError, UnderdeterminedError
from bayescomb.base.threads import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.profile import goodness_of_fit, profile
from bayescomb.inputs.combination import Combination, how_to_extract
from bayescomb.inputs.extractions import Extraction, ScaleChoice
from bayescomb.likelihood.theory import SCALE_POINTS

__all__ = ["MassConstraint", "RateAndShape", "VariantRow", "prediction_variants", "rate_and_shape", "scale_envelope"]


FLAT_SCALES: Final = "scales with a flat prior turn a rate to any value; fix them, or give them a normal prior"


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


@dataclass(frozen=True, kw_only=True)
class MassConstraint:
    """The profile of a mass from a part of what a distribution says.

    Attributes:
        value, error: GeV; ``None`` if there is none.
        chi2, ndf: goodness of fit.
        problem: why there is no number, or why its interval is not known; empty if there is no problem.
    """

    value: float | None = None
    error: float | None = None
    chi2: float | None = None
    ndf: int | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class RateAndShape:
    """Shape and rate of an absolute distribution.

    Attributes:
        prediction: the distribution.
        mass: name of its mass parameter.
        shape, rate, both: from the normalised distribution, from the sum of its bins, and from both.
        chi2: minimum for both less those for shape and rate, which is the compatibility of the two.
        ndf: its degrees of freedom, 1 with fixed scales or scales with a normal prior: the rate adds one number.
        p_value: probability of a larger chi2; ``None`` if there is none.
    """

    prediction: str
    mass: str
    shape: MassConstraint
    rate: MassConstraint
    both: MassConstraint
    chi2: float | None
    ndf: int | None
    p_value: float | None


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


@expects(combination="combination")
@single_threaded
def rate_and_shape(combination: Combination) -> tuple[RateAndShape, ...]:
    """Every absolute distribution of the extraction in force, each alone with all its bins; none for normalised ones.

    Scales that are parameters with a flat prior can turn the rate to any value, so that the rate alone has no mass.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> (row,) = bc.rate_and_shape(bc.load("models/ttj_rho", extraction="nlo_cms_absolute"))
        >>> row.prediction, row.ndf, row.p_value > 0.05
        ('13 TeV NLO', 1, True)
    """
    extraction = _in_force(combination)
    found = []
    for name, kind in extraction.distributions.items():
        alone = extraction.restricted_to([name])
        if kind != "absolute" or alone is None:
            continue
        mass = alone.masses[name]
        of = {"shape": "normalised", "rate": "rate", "both": "absolute"}
        fits = {part: dataclasses.replace(alone, distributions={name: kind}, drop=()) for part, kind in of.items()}
        shape, both = (_constraint(combination, fits[part], mass) for part in ("shape", "both"))
        flat = alone.scales.treatment != "fixed" and alone.scales.prior == "uniform"
        rate = MassConstraint(problem=FLAT_SCALES) if flat else _constraint(combination, fits["rate"], mass)
        chi2, ndf, p_value = None, None, None
        if shape.chi2 is not None and both.chi2 is not None and shape.ndf is not None and both.ndf is not None:
            # The rate alone meets any mass, so that its own chi2 is 0 for no degree of freedom
            chi2, ndf = both.chi2 - shape.chi2, both.ndf - shape.ndf
            p_value = goodness_of_fit(chi2, ndf)
        found.append(
            RateAndShape(prediction=name, mass=mass, shape=shape, rate=rate, both=both, chi2=chi2, ndf=ndf, p_value=p_value)
        )
    return tuple(found)


def _constraint(combination: Combination, extraction: Extraction, mass: str) -> MassConstraint:
    chosen = combination.with_extraction(extraction)
    problem = ""
    try:
        fit = profile(chosen)
        return MassConstraint(
            value=float(fit.values.sel(parameter=mass)),
            error=float(fit.errors.sel(parameter=mass)),
            chi2=fit.chi2,
            ndf=fit.ndf,
        )
    except (FitError, UnderdeterminedError) as error:
        problem = str(error)
    return _linear(chosen, mass, problem)


def _linear(combination: Combination, mass: str, problem: str) -> MassConstraint:
    """Value and parabolic error of an interval that leaves the predicted masses."""
    fitter = Fitter(combination)
    try:
        fit = fitter.fit(fitter.correlation()[0], errors="hesse")
    except (FitError, UnderdeterminedError):
        return MassConstraint(problem=problem)
    index = fit.parameters.index(mass)
    return MassConstraint(value=float(fit.values[index]), error=float(fit.errors[index]), problem=problem)


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

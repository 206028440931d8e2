"""The mass from the shape and from the rate of a distribution separately, and the compatibility of the two."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from bayescomb.base.checks import expects
from bayescomb.base.choices import Distribution
from bayescomb.base.errors import FitError, OptionError, UnderdeterminedError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.profile import goodness_of_fit, profile
from bayescomb.inputs.combination import Combination, how_to_extract
from bayescomb.inputs.theory.extractions import Extraction, ScaleChoice

__all__ = ["FLAT_SCALES", "MassConstraint", "RateAndShape", "extraction_in_force", "rate_and_shape"]

FLAT_SCALES: Final = "scales fixed at their centres: with a flat prior they can turn the rate to any value"


@dataclass(frozen=True, kw_only=True)
class MassConstraint:
    """The profile of a mass from the shape or the rate of a distribution, or from both.

    Attributes:
        value, error: GeV; ``None`` if the fit has none.
        chi2, ndf: goodness of fit; ``None`` if there is a problem.
        problem: why there is no value, or why its interval is not known; empty if there is no problem.
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
        chi2: of the compatibility of shape and rate: the minimum for both minus that for the shape.  The rate alone fits
            exactly.  ``None``, as ``ndf`` and ``p_value``, if the shape or both have no goodness of fit.
        ndf: its degrees of freedom, 1 as the rate adds one number.
        p_value: probability of a larger chi2.
        note: what was changed in the extraction to separate shape and rate; empty if nothing was.
    """

    prediction: str
    mass: str
    shape: MassConstraint
    rate: MassConstraint
    both: MassConstraint
    chi2: float | None
    ndf: int | None
    p_value: float | None
    note: str = ""


@expects(combination="combination")
@single_threaded
def rate_and_shape(combination: Combination) -> tuple[RateAndShape, ...]:
    """Shape and rate of every absolute distribution of the extraction in force, each alone with all its bins.

    Scales that are parameters with a flat prior can turn the rate to any value, so that the rate alone would not determine
    the mass; they are fixed at their centres in all three fits.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> (row,) = bc.rate_and_shape(bc.load("models/ttj_rho", extraction="nlo_cms_absolute"))
        >>> row.prediction, row.ndf, row.p_value > 0.05
        ('13 TeV NLO', 1, True)
    """
    extraction = extraction_in_force(combination)
    found = []
    for name, kind in extraction.distributions.items():
        alone = extraction.restricted_to([name])
        if kind != "absolute" or alone is None:
            continue
        mass = alone.masses[name]
        flat = alone.scales.treatment != "fixed" and alone.scales.prior == "uniform"
        if flat:
            alone = dataclasses.replace(alone, scales=ScaleChoice(choice=alone.scales.choice))
        of: dict[str, Distribution] = {"shape": "normalised", "rate": "rate", "both": "absolute"}
        fits = {part: dataclasses.replace(alone, distributions={name: kind}, drop=()) for part, kind in of.items()}
        shape, rate, both = (_constraint(combination, fits[part], mass) for part in ("shape", "rate", "both"))
        chi2, ndf, p_value = None, None, None
        if shape.chi2 is not None and both.chi2 is not None and shape.ndf is not None and both.ndf is not None:
            chi2, ndf = both.chi2 - shape.chi2, both.ndf - shape.ndf
            p_value = goodness_of_fit(chi2, ndf)
        found.append(
            RateAndShape(
                prediction=name,
                mass=mass,
                shape=shape,
                rate=rate,
                both=both,
                chi2=chi2,
                ndf=ndf,
                p_value=p_value,
                note=FLAT_SCALES if flat else "",
            )
        )
    return tuple(found)


def _constraint(combination: Combination, extraction: Extraction, mass: str) -> MassConstraint:
    chosen = combination.with_extraction(extraction)
    try:
        fit = profile(chosen)
    except (FitError, UnderdeterminedError) as error:
        return _linear(chosen, mass, str(error))
    return MassConstraint(
        value=float(fit.values.sel(parameter=mass)),
        error=float(fit.errors.sel(parameter=mass)),
        chi2=fit.chi2,
        ndf=fit.ndf,
    )


def _linear(combination: Combination, mass: str, problem: str) -> MassConstraint:
    """Value and parabolic error, where the interval leaves the masses of the tables."""
    fitter = Fitter(combination)
    try:
        fit = fitter.fit(fitter.correlation()[0], errors="hesse")
    except (FitError, UnderdeterminedError):
        return MassConstraint(problem=problem)
    index = fit.parameters.index(mass)
    return MassConstraint(value=float(fit.values[index]), error=float(fit.errors[index]), problem=problem)


def extraction_in_force(combination: Combination) -> Extraction:
    """The extraction in force.

    Raises:
        OptionError: no mass is extracted.
    """
    extraction = combination.extraction_in_force
    if extraction is None:
        msg = f"{combination.name!r}: no mass is extracted; {how_to_extract(combination)}"
        raise OptionError(msg)
    return extraction

"""The mass with other predictions side by side: PDF sets, scale definitions, and the seven-point variation of the scales.

What the shape and the rate of a distribution say of the mass apart, and whether they agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.checks import expects
from bayescomb.base.errors import BayescombError, FitError
from bayescomb.base.threads import single_threaded
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.extractions import Extraction, ScaleChoice
from bayescomb.inputs.predictions import Variant
from bayescomb.likelihood.theory import SCALE_POINTS, interpolation_quality, theory
from bayescomb.studies.rate_and_shape import RateAndShape, extraction_in_force, rate_and_shape

__all__ = [
    "NOT_TABULATED",
    "TheoryFit",
    "TheoryStudy",
    "VariantRow",
    "predicted_bins",
    "prediction_variants",
    "scale_envelope",
    "theory_fits",
    "theory_study",
]

# How the problem of a row begins whose prediction nobody has calculated.
NOT_TABULATED: Final = "not in the table"
# GeV: beside the fit.
MASSES: Final = (167.5, 172.5, 177.5)


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
class TheoryFit:
    """Goodness of fit with some of the theory uncertainties.

    Attributes:
        theory: which of them.
        chi2, ndf, p_value: ``None`` if there is a problem.
        problem: why there is no number, empty if there is one.
    """

    theory: str
    chi2: float | None = None
    ndf: int | None = None
    p_value: float | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class TheoryStudy:
    """The mass with other predictions, and how well the tables are interpolated.

    Attributes:
        combination: with an extraction in force.
        variants: see :func:`prediction_variants`.
        envelope: see :func:`scale_envelope`.
        apart: see :func:`bayescomb.rate_and_shape`.
        interpolation: prediction -> see :func:`bayescomb.likelihood.theory.interpolation_quality`.
    """

    combination: Combination
    variants: tuple[VariantRow, ...]
    envelope: tuple[VariantRow, ...]
    apart: tuple[RateAndShape, ...]
    interpolation: Mapping[str, xr.Dataset]


def theory_study(combination: Combination) -> TheoryStudy:
    """The mass with other predictions.

    Raises:
        OptionError: no mass is extracted.
    """
    extraction = extraction_in_force(combination)
    used = [p for p in combination.predictions if p.name in extraction.distributions]
    return TheoryStudy(
        combination=combination,
        variants=prediction_variants(combination),
        envelope=scale_envelope(combination),
        apart=rate_and_shape(combination),
        interpolation={p.name: interpolation_quality(p, extraction) for p in used},
    )


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
    extraction = extraction_in_force(combination)
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
    extraction = extraction_in_force(combination)
    rows: list[VariantRow] = []
    for mu_r, mu_f in ((1.0, 1.0), *SCALE_POINTS):
        scales = ScaleChoice(choice=extraction.scales.choice, mu_r=mu_r, mu_f=mu_f)
        rows += _rows(combination, dataclasses.replace(extraction, scales=scales))
    return _shifted(rows, lambda row: row.mu_r == row.mu_f == 1)


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


def theory_fits(combination: Combination) -> tuple[TheoryFit, ...]:
    """Goodness of fit as theory uncertainties are added one after the other.

    Raises:
        OptionError: no mass is extracted.
    """
    extraction = extraction_in_force(combination)
    plain = dataclasses.replace(
        extraction,
        pdf=dataclasses.replace(extraction.pdf, errors="none", alpha_s=()),
        scales=dataclasses.replace(extraction.scales, treatment="fixed", prior="uniform"),
        numerical_errors=False,
        rate_errors=False,
    )
    own = {key: getattr(extraction, key) for key in ("pdf", "numerical_errors", "rate_errors")}
    pdf = dataclasses.replace(plain, **own)
    free = ScaleChoice(choice=extraction.scales.choice, treatment="common")
    scales = dataclasses.replace(pdf, scales=free)
    found = []
    cases = (
        ("central prediction, no theory uncertainty", plain),
        ("with PDF members and numerical errors", pdf),
        ("with common scales as parameters too", scales),
    )
    for label, chosen in cases:
        try:
            fit = profile(combination.with_extraction(chosen))
        except BayescombError as error:
            found.append(TheoryFit(theory=label, problem=str(error)))
            continue
        found.append(TheoryFit(theory=label, chi2=fit.chi2, ndf=fit.ndf, p_value=fit.p_value))
    return tuple(found)


def predicted_bins(
    fit: ProfileResult, *, masses: tuple[float, ...] = MASSES, combined: ProfileResult | None = None
) -> dict[str, xr.Dataset]:
    """Bins of each prediction in use, divided by the sum over the distribution where that is normalised.

    Args:
        fit: profile of an extraction.
        combined: the profile without the prediction, computed if it is not given.
        masses: GeV, at which to predict, theory nuisances at 0 and scales at their centre.

    Returns:
        Prediction -> ``measured``, ``error``, ``fitted`` (dim ``bin``), ``predicted`` (dims ``m_t``, ``bin``), and the edges
        ``low`` and ``high``.

    Examples:
        >>> import bayescomb as bc
        >>> fit = bc.profile(bc.load("models/ttj_rho"))  # doctest: +SKIP
        >>> list(bc.predicted_bins(fit)["8 TeV"])  # doctest: +SKIP
        ['measured', 'error', 'fitted', 'predicted', 'low', 'high']
    """
    combination = fit.combination
    compiled = theory(combination)
    assert compiled is not None  # the profile is one of an extraction
    plain = combined if combined is not None else profile(combination.with_extraction(""))
    scales = np.zeros(len(compiled.scales))
    found, start = {}, 0
    for prediction in compiled.predictions:
        names = list(prediction.observables)
        own = slice(start, start + len(names))
        start = own.stop
        measured, fitted = (series.sel(parameter=names).to_numpy() for series in (plain.values, fit.values))
        covariance = plain.covariance.sel(parameter=names, parameter_b=names).to_numpy()
        inside = [m for m in masses if (compiled.low <= m).all() or compiled.low[0] <= m <= compiled.high[0]]
        rows = []
        for mass in inside:
            theta = np.concatenate([np.full(len(compiled.masses), mass), scales])
            rows.append(compiled.predict(theta)[0][own])
        predicted = np.array(rows).reshape(len(inside), len(names))
        if compiled.extraction.distributions[prediction.name] == "normalised":
            width = prediction.divisors
            total = float(measured @ width)
            share = measured / total
            jacobian = (np.eye(len(names)) - np.outer(share, width)) / total
            covariance = jacobian @ covariance @ jacobian.T
            measured, fitted = share, fitted / float(fitted @ width)
            predicted = predicted / (predicted @ width)[:, None]
        found[prediction.name] = xr.Dataset(
            {
                "measured": ("bin", measured),
                "error": ("bin", np.sqrt(np.diag(covariance))),
                "fitted": ("bin", fitted),
                "predicted": (("m_t", "bin"), predicted),
                "low": ("bin", prediction.bins[:, 0]),
                "high": ("bin", prediction.bins[:, 1]),
            },
            coords={"bin": names, "m_t": inside},
        )
    return found

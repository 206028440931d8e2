"""Studies of the theory of an extraction: orders, predictions, scales, rate and shape, goodness of fit, predicted bins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from bayescomb.base.errors import BayescombError
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.theory.extractions import Extraction, ScaleChoice
from bayescomb.likelihood.theory import interpolation_quality, theory
from bayescomb.studies.theory.rate_and_shape import RateAndShape, extraction_in_force, rate_and_shape
from bayescomb.studies.theory.variants import (
    OrderRow,
    VariantRow,
    order_variants,
    prediction_variants,
    scale_envelope,
)

__all__ = ["TheoryFit", "TheoryStudy", "predicted_bins", "theory_fits", "theory_study"]

# Masses in GeV at which bins are predicted beside the fit.
MASSES: Final = (167.5, 172.5, 177.5)


@dataclass(frozen=True, kw_only=True)
class TheoryFit:
    """Goodness of fit with some of the theory uncertainties.

    Attributes:
        theory: which theory uncertainties.
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
    """The mass with other predictions, and the quality of the interpolation of the tables.

    Attributes:
        combination: with an extraction in force.
        orders: see :func:`order_variants`.
        variants: see :func:`prediction_variants`.
        envelope: see :func:`scale_envelope`.
        apart: see :func:`bayescomb.rate_and_shape`.
        interpolation: prediction -> see :func:`bayescomb.likelihood.theory.interpolation_quality`.
    """

    combination: Combination
    orders: tuple[OrderRow, ...]
    variants: tuple[VariantRow, ...]
    envelope: tuple[VariantRow, ...]
    apart: tuple[RateAndShape, ...]
    interpolation: Mapping[str, xr.Dataset]


def theory_study(combination: Combination) -> TheoryStudy:
    """All studies of the theory of the extraction in force.

    Raises:
        OptionError: no mass is extracted.
    """
    extraction = extraction_in_force(combination)
    used = combination.predictions_of(extraction)
    envelope = scale_envelope(combination)
    return TheoryStudy(
        combination=combination,
        orders=order_variants(combination, envelope=envelope),
        variants=prediction_variants(combination),
        envelope=envelope,
        apart=rate_and_shape(combination),
        interpolation={p.name: interpolation_quality(p, extraction) for p in used},
    )


def theory_fits(combination: Combination) -> tuple[TheoryFit, ...]:
    """Goodness of fit without theory uncertainties, with each alone, and with several.

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

    def with_numerical(chosen: Extraction) -> Extraction:
        return dataclasses.replace(chosen, numerical_errors=extraction.numerical_errors, rate_errors=extraction.rate_errors)

    members = dataclasses.replace(plain, pdf=extraction.pdf)
    free = ScaleChoice(choice=extraction.scales.choice, treatment="common")
    found = []
    cases = {
        "central prediction, no theory uncertainty": plain,
        "with numerical errors": with_numerical(plain),
        "with PDF members": members,
        "with common scales as parameters": dataclasses.replace(plain, scales=free),
        "with PDF members and numerical errors": with_numerical(members),
        "with all of them": dataclasses.replace(with_numerical(members), scales=free),
    }
    for label, chosen in cases.items():
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
        masses: GeV, at which to predict with theory nuisances at 0 and scales at their centres; those outside the tables are
            left out.
        combined: the profile without the prediction, computed if it is not given.

    Returns:
        Prediction -> ``measured``, ``error``, ``fitted`` (dim ``bin``) and ``predicted`` (dims ``m_t``, ``bin``) in the unit
        of the bins, or as shares of the sum where the distribution is normalised; edges ``low`` and ``high`` of the bins.

    Examples:
        >>> import bayescomb as bc
        >>> fit = bc.profile(bc.load("models/ttj_rho"))  # doctest: +SKIP
        >>> list(bc.predicted_bins(fit)["8 TeV"])  # doctest: +SKIP
        ['measured', 'error', 'fitted', 'predicted', 'low', 'high']
    """
    combination = fit.combination
    compiled = theory(combination)
    assert compiled is not None  # the profile is that of an extraction
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

r"""Cross sections of a prediction as curves in the mass, and how theory nuisances and scales shift them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np
import scipy

from bayescomb.base.arrays import FloatArray
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import OptionError, UnknownNameError
from bayescomb.inputs.theory.extractions import Extraction
from bayescomb.inputs.theory.predictions import Prediction, Variant

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["CORRELATED", "NUMERICAL", "RATE", "SCALE_POINTS", "Curves", "interpolation_quality", "prediction_curves"]

# (mu_R, mu_F) of the usual seven-point variation, without the centre.
SCALE_POINTS: Final = ((2.0, 1.0), (0.5, 1.0), (1.0, 2.0), (1.0, 0.5), (2.0, 2.0), (0.5, 0.5))
# Beginnings of the names of nuisances of a bin, or of a rate.
NUMERICAL: Final = "numerical"
CORRELATED: Final = "correlated numerical"
RATE: Final = "rate"
# The confidence level that publications call 68 %.
ONE_SIGMA: Final = 0.68


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Polynomial coefficients in u = (m - centre)/half_width of one prediction; B bins, K nuisances.

    Attributes:
        centre, half_width: GeV.
        base: of the cross sections in pb, shape (degree + 1, B).
        scale_response: of the six functions of the scale factors, shape (6, degree + 1, B); empty with fixed scales.
        nuisances: K names; those of PDF members are the same in every prediction.
        shifts: of the relative shifts, shape (degree + 1, K, B).
    """

    centre: float
    half_width: float
    base: FloatArray
    scale_response: FloatArray
    nuisances: tuple[str, ...]
    shifts: FloatArray


def prediction_curves(prediction: Prediction, extraction: Extraction) -> Curves:
    """Least-squares polynomials through the masses of the table.

    Raises:
        UnknownNameError: the table lacks a variant that the extraction asks for.
        OptionError: the polynomial needs more masses than the table has.
    """
    degree, masses = extraction.degree, prediction.masses
    if degree >= len(masses):
        msg = (
            f"extraction {extraction.name!r}: degree {degree} found, prediction {prediction.name!r} has {len(masses)} "
            f"masses; give at most {len(masses) - 1}"
        )
        raise OptionError(msg)
    centre, half_width = (masses[0] + masses[-1]) / 2, (masses[-1] - masses[0]) / 2
    powers = np.vander((masses - centre) / half_width, degree + 1, increasing=True)

    def fit(values: FloatArray) -> FloatArray:
        flat = values.reshape(len(masses), -1)
        return np.linalg.lstsq(powers, flat, rcond=None)[0].reshape(degree + 1, *values.shape[1:])

    central = central_variant(extraction)
    names, shifts = _shifts(prediction, extraction, central)
    scales = np.zeros((0, degree + 1, len(prediction.bins)))
    if extraction.scales.treatment != "fixed":
        scales = np.array([fit(s) for s in _scale_shapes(prediction, central)])
    return Curves(
        centre=float(centre),
        half_width=float(half_width),
        base=fit(prediction.curve(central)),
        scale_response=scales,
        nuisances=names,
        shifts=fit(np.swapaxes(shifts, 0, 1)),
    )


def central_variant(extraction: Extraction) -> Variant:
    """The variant that an extraction takes as its central one."""
    scales = extraction.scales
    return Variant(extraction.pdf.set, 0, scales.choice, scales.mu_r, scales.mu_f)


def _scale_shapes(prediction: Prediction, central: Variant) -> FloatArray:
    """Coefficients of the six functions that pass through the seven points, shape (6, M, B)."""
    x, y = np.log2(np.array(SCALE_POINTS)).T
    shapes = np.column_stack([x, x**2, y, y**2, x * y, x * y * (x + y) / 2])
    centre = prediction.curve(central)
    ratios = [np.log(prediction.curve(central._replace(mu_r=r, mu_f=f)) / centre) for r, f in SCALE_POINTS]
    return np.einsum("kp,pmb->kmb", np.linalg.inv(shapes), np.array(ratios))


def _shifts(prediction: Prediction, extraction: Extraction, central: Variant) -> tuple[tuple[str, ...], FloatArray]:
    """Names of the nuisances and their relative shifts per unit, shape (K, M, B)."""
    pdf = extraction.pdf
    # Members are given at factors of 1, also where the central prediction has others.
    at = Variant(pdf.set, 0, pdf.shifts_at or central.scale_choice, 1.0, 1.0)
    names: list[str] = []
    shifts: list[FloatArray] = []
    if pdf.errors != "none" or pdf.alpha_s:
        centre = prediction.curve(at)
        members = [m for m in prediction.members(pdf.set, at.scale_choice) if m and m not in pdf.alpha_s]
        values = {m: prediction.curve(at._replace(member=m)) / centre for m in members}
        own = _member_shifts(prediction, extraction, values)
        names += [f"{pdf.set} {label}" for label in own]
        scale = scipy.special.ndtri((1 + ONE_SIGMA) / 2) / scipy.special.ndtri((1 + pdf.confidence_level) / 2)
        shifts += [shift * scale for shift in own.values()]
    if pdf.alpha_s:
        low, high = (prediction.curve(at._replace(member=m)) / centre for m in pdf.alpha_s)
        names.append("alpha_s")
        shifts.append((high - low) / 2)
    numerical = {NUMERICAL: prediction.numerical_error(central)} if extraction.numerical_errors else {}
    if extraction.numerical_errors and prediction.correlated_errors.size:
        numerical[CORRELATED] = prediction.correlated_error(central)
    for label, error in numerical.items():
        names += [f"{label} {observable}" for observable in prediction.observables]
        shifts += [error / prediction.curve(central) * unit for unit in np.eye(len(prediction.bins))]
    if extraction.rate_errors and extraction.distributions[prediction.name] != "normalised":
        for source, size in prediction.rate_errors.items():
            names.append(f"{RATE} {source}")
            shifts.append(np.full((len(prediction.masses), len(prediction.bins)), size))
    return tuple(names), np.array(shifts).reshape(len(names), len(prediction.masses), len(prediction.bins))


def _member_shifts(prediction: Prediction, extraction: Extraction, values: dict[int, FloatArray]) -> dict[str, FloatArray]:
    pdf = extraction.pdf
    if pdf.errors == "none":
        return {}
    if not values:
        at = pdf.shifts_at or extraction.scales.choice
        msg = (
            f"prediction {prediction.name!r}: no members of {pdf.set!r} at scale {at!r}; give pdf.shifts_at, a scale choice "
            'that has them, or errors = "none"'
        )
        raise UnknownNameError(msg)
    match pdf.errors:
        case "symmetric_hessian":
            return {str(m): v - 1 for m, v in values.items()}
        case "hessian":
            if len(values) % 2:
                msg = f"prediction {prediction.name!r}: {len(values)} members of {pdf.set!r} found, a Hessian set has pairs"
                raise OptionError(msg)
            pairs = list(values.items())
            return {f"{a}/{b}": (up - down) / 2 for (a, up), (b, down) in zip(pairs[::2], pairs[1::2], strict=True)}
        case "replicas":
            if len(values) < 2:
                msg = f"prediction {prediction.name!r}: one member of {pdf.set!r} found, replicas have a spread from two on"
                raise OptionError(msg)
            mean = np.mean(list(values.values()), axis=0)
            return {str(m): (v - mean) / np.sqrt(len(values) - 1) for m, v in values.items()}
    assert_never(pdf.errors)


def interpolation_quality(prediction: Prediction, extraction: Extraction) -> xr.Dataset:
    """How well the polynomial in m_t describes the central cross sections.

    Returns:
        ``residual``: polynomial over table less 1; ``left_out``: the same at each mass for the polynomial through all
        other masses (at the ends an extrapolation); ``mc_error`` and ``correlated_error``: relative numerical errors,
        independent and common to the masses; dims ``m_t`` (GeV), ``observable``.
    """
    curve = prediction.curve(central_variant(extraction))
    masses, degree = prediction.masses, extraction.degree
    u = (masses - masses.mean()) / np.ptp(masses)
    powers = np.vander(u, degree + 1, increasing=True)
    fitted = powers @ np.linalg.lstsq(powers, curve, rcond=None)[0]
    left_out = np.full(curve.shape, np.nan)
    if len(masses) > degree + 1:
        for i in range(len(masses)):
            others = np.arange(len(masses)) != i
            left_out[i] = powers[i] @ np.linalg.lstsq(powers[others], curve[others], rcond=None)[0]
    dims = ("m_t", "observable")
    return xr.Dataset(
        {
            "residual": (dims, fitted / curve - 1),
            "left_out": (dims, left_out / curve - 1),
            "mc_error": (dims, prediction.numerical_error(central_variant(extraction)) / curve),
            "correlated_error": (dims, prediction.correlated_error(central_variant(extraction)) / curve),
        },
        coords={"m_t": ("m_t", masses, {"unit": "GeV"}), "observable": list(prediction.observables)},
    )

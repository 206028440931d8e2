r"""Predicted observables as a function of masses, scales and theory nuisances.

A bin cross section is a polynomial in the mass, times the exponential of a polynomial in x = log2 of the factor on mu_R and
y = log2 of that on mu_F that passes through all seven points of the usual variation,

.. math:: T_b(m, x, y) = P_b(m) \exp \sum_k c_{kb}(m) \varphi_k(x, y), \qquad
          \varphi = (x, x^2, y, y^2, xy, xy(x + y)/2).

PDF members, numerical errors and uncertainties of a rate are relative shifts :math:`d_{kb}(m)` per unit of a nuisance
eta_k, so that given masses and scales the prediction is linear in the nuisances.  Numerical errors have their sizes at the
central scales.  A normalised distribution divides by the sum over its bins, to first order in eta.  The measured one is
normalised to first order too, at its measured values o: with S the sum of the measured bins, observables are S t(m) + a o
with a free level a.  That is the covariance J V J^T, J = (1 - f 1^T)/S with f = o/S, of the normalised measurement, inverted
after any one of its bins is dropped; the result does not depend on which.  Where only the rate counts, all directions that
keep the sum of the bins are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from scipy.linalg import block_diag

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import check_distinct
from bayescomb.base.errors import OptionError
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.theory.extractions import Extraction
from bayescomb.inputs.theory.predictions import Prediction
from bayescomb.likelihood.linear_gaussian import linear_model, solve
from bayescomb.likelihood.theory.curves import CORRELATED, NUMERICAL, RATE, Curves, prediction_curves

__all__ = ["Theory", "theory"]


@dataclass(frozen=True, kw_only=True)
class Theory:
    """A compiled prediction; H parameters theta, n predicted of O observables, K nuisances eta, Z free directions zeta.

    The observables are o = select (c(theta) + D(theta) eta) + free zeta.

    Attributes:
        extraction: the extraction that it was made for.
        predictions: the tables in use.
        masses, scales: names of the parameters theta, masses (GeV) first; scales are log2 of a factor.
        scale_correlation: of the normal prior of the scales at nominal, shape (S, S); no rows for a uniform prior, whose
            scales are parameters like the masses.
        low, high: box of theta, shape (H,): masses of the tables, widths of uniform priors.
        nuisances: K names.
        free_names: Z names.
        mass_index: mass parameter of each prediction, shape (n,).
        scale_index: parameters x and y of each prediction in theta, -1 without, shape (n, 2).
        centre, half_width: of the masses of its table, GeV, shape (n,).
        factor: from cross section (or share of the distribution) to observable, shape (n,).
        same: 1 where two predictions belong to the same normalised distribution, shape (n, n).
        base: coefficients of P in powers of (m - centre)/half_width, shape (degree + 1, n).
        scale_response: coefficients of c, shape (6, degree + 1, n); no rows without scale parameters.
        shifts: coefficients of d, shape (degree + 1, K, n).
        select: shape (O, n).
        free: shape (O, Z).
    """

    extraction: Extraction
    predictions: tuple[Prediction, ...]
    masses: tuple[str, ...]
    scales: tuple[str, ...]
    scale_correlation: FloatArray
    low: FloatArray
    high: FloatArray
    nuisances: tuple[str, ...]
    free_names: tuple[str, ...]
    mass_index: IntArray
    scale_index: IntArray
    centre: FloatArray
    half_width: FloatArray
    factor: FloatArray
    same: FloatArray
    base: FloatArray
    scale_response: FloatArray
    shifts: FloatArray
    select: FloatArray
    free: FloatArray

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of theta."""
        return self.masses + self.scales

    def with_prior(self, correlation: FloatArray) -> FloatArray:
        """C of the nuisances of the inputs, and after it the prior of the theory nuisances and of normal scales.

        Args:
            correlation: C, shape (N, N).
        """
        return np.asarray(block_diag(correlation, np.eye(len(self.nuisances)), self.scale_correlation))

    @property
    def sources(self) -> dict[str, str]:
        """Theory nuisance, or scale with a normal prior -> its source."""
        found = {name: "alpha_s" if name == "alpha_s" else "PDF" for name in self.nuisances}
        for begin, source in ((NUMERICAL, "numerical errors"), (CORRELATED, "correlated numerical errors"), (RATE, "rate")):
            found |= {name: source for name in self.nuisances if name.startswith(f"{begin} ")}
        return found | dict.fromkeys(self.scales[len(self.scales) - len(self.scale_correlation) :], "scales")

    @property
    def design(self) -> FloatArray:
        """Directions of the observables that masses, uniform scales and free levels open, at the middle of the box."""
        middle = np.array([(a + b) / 2 if np.isfinite(a) else 0.0 for a, b in zip(self.low, self.high, strict=True)])
        by_theta, _ = self.derivatives(middle)
        n = len(self.parameters) - len(self.scale_correlation)
        return np.hstack([self.select @ by_theta[:, :n], self.free])

    def predict(self, theta: Any, *, xp: Any = np) -> tuple[Any, Any]:
        """c, shape (..., n), and D, shape (..., n, K); complex theta gives derivatives by a complex step.

        Args:
            theta: shape (..., H).
            xp: ``numpy``, or ``pytensor.tensor`` for symbols.
        """
        u = (theta[..., self.mass_index] - self.centre) / self.half_width
        value = _horner(self.base, u)
        if self.scale_response.size:
            x, y = theta[..., self.scale_index[:, 0]], theta[..., self.scale_index[:, 1]]
            shapes = (x, x**2, y, y**2, x * y, x * y * (x + y) / 2)
            logarithm = sum(shape * _horner(c, u) for shape, c in zip(shapes, self.scale_response, strict=True))
            value = value * xp.exp(logarithm)
        shifts = _horner(self.shifts, u[..., None, :])
        normalised = self.same.any(axis=1)
        if normalised.any():
            total = xp.sum(self.same * value[..., None, :], axis=-1)
            value = value / xp.where(normalised, total, 1.0)
            weight = self.same * value[..., None, :]  # t_j in row i of its own distribution
            mean = shifts @ np.swapaxes(weight, -1, -2) if xp is np else xp.sum(shifts[:, None, :] * weight, axis=-1)
            shifts = shifts - mean
        central = self.factor * value
        scaled = central[..., None, :] * shifts
        return central, np.swapaxes(scaled, -1, -2) if xp is np else scaled.T

    def derivatives(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """dc/d(theta), shape (..., n, H), and dD/d(theta), shape (..., n, K, H), to rounding."""
        step = 1e-30
        central, shifts = self.predict(theta[..., None, :] + 1j * step * np.eye(len(self.parameters)))
        return np.moveaxis(central.imag, -2, -1) / step, np.moveaxis(shifts.imag, -3, -1) / step

    def observables(self, theta: Any, nuisances: Any, levels: Any, *, xp: Any = np) -> Any:
        """Observables o, shape (..., O), from theta, eta (..., K) and zeta (..., Z)."""
        central, shifts = self.predict(theta, xp=xp)
        predicted = central + xp.sum(shifts * nuisances[..., None, :], axis=-1)
        value = xp.sum(self.select * predicted[..., None, :], axis=-1)
        return value + xp.sum(self.free * levels[..., None, :], axis=-1) if self.free_names else value


def _horner(coefficients: FloatArray, u: Any) -> Any:
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = value * u + c
    return value


def theory(combination: Combination) -> Theory | None:
    """The compiled prediction of the extraction in force, ``None`` in combination mode.

    Raises:
        UnknownNameError: the tables lack a variant that the extraction asks for.
        OptionError: the degree of the polynomial needs more masses than a table has, or the tables have none in common.
        DuplicateNameError: a theory nuisance has the name of something else.
    """
    extraction = combination.extraction_in_force
    if extraction is None:
        return None
    predictions = combination.predictions_in_use
    names = [o.name for o in combination.variables]
    curves = [prediction_curves(p, extraction) for p in predictions]
    masses = extraction.mass_parameters
    scales = extraction.scale_parameters
    nuisances = list(dict.fromkeys(name for c in curves for name in c.nuisances))
    measured = _measured(combination)
    position = {name: i for i, name in enumerate(names)}
    lengths = [len(p.observables) for p in predictions]
    n = sum(lengths)
    select, same = np.zeros((len(names), n)), np.zeros((n, n))
    factor, shifts = np.zeros(n), np.zeros((extraction.degree + 1, len(nuisances), n))
    free, free_names, start = [], [], 0
    for prediction, curve in zip(predictions, curves, strict=True):
        own = np.arange(start, start + len(prediction.observables))
        start += len(own)
        at = [position[name] for name in prediction.observables]
        kept = np.array([name not in extraction.drop for name in prediction.observables])
        select[np.array(at)[kept], own[kept]] = 1.0
        factor[own] = 1 / prediction.divisors
        shifts[:, np.array([nuisances.index(name) for name in curve.nuisances], dtype=np.intp)[:, None], own] = curve.shifts
        kind = extraction.distributions[prediction.name]
        match kind:
            case "absolute":
                pass
            case "normalised":
                same[np.ix_(own, own)] = 1.0
                factor[own] *= float(measured[at] @ prediction.divisors)
                level = np.zeros(len(names))
                level[np.array(at)[kept]] = measured[at][kept]
                free.append(level)
                free_names.append(f"level {prediction.name}")
            case "rate":
                free += list(_shapes(at, measured, prediction.divisors))
                free_names += [f"shape {prediction.name} {i}" for i in range(2, len(at) + 1)]
            case _:
                assert_never(kind)
    for i in np.flatnonzero(~select.any(axis=1)):
        free.append(np.eye(len(names))[i])
        free_names.append(names[i])
    ends = [[(p.masses[0], p.masses[-1]) for p in predictions if extraction.masses[p.name] == m] for m in masses]
    _check_masses(extraction, masses, ends)
    taken = [*(o.name for o in combination.results), *(n.name for n in combination.nuisances if n.free)]
    fresh = [name for name in free_names if name not in names]
    where = f"extraction {extraction.name!r}"
    check_distinct(taken, fresh, kinds=("parameter", "level of a prediction"), where=where)
    given = [n.name for n in combination.nuisances]
    check_distinct(given, nuisances, kinds=("nuisance", "nuisance of the theory"), where=where)
    width = extraction.scales.bound
    return Theory(
        extraction=extraction,
        predictions=predictions,
        masses=masses,
        scales=scales,
        scale_correlation=scale_correlation(extraction, extraction.scales.nominal),
        low=np.array([max(a for a, _ in e) for e in ends] + [-width] * len(scales), dtype=float),
        high=np.array([min(b for _, b in e) for e in ends] + [width] * len(scales), dtype=float),
        nuisances=tuple(nuisances),
        free_names=tuple(free_names),
        mass_index=np.repeat([masses.index(extraction.masses[p.name]) for p in predictions], lengths),
        scale_index=_scale_index(extraction, predictions),
        centre=np.repeat([c.centre for c in curves], lengths),
        half_width=np.repeat([c.half_width for c in curves], lengths),
        factor=factor,
        same=same,
        base=np.concatenate([c.base for c in curves], axis=1),
        scale_response=_scale_response(curves, sampled=bool(scales)),
        shifts=shifts,
        select=select,
        free=np.array(free).reshape(len(free), len(names)).T,
    )


def _shapes(at: list[int], measured: FloatArray, divisors: FloatArray) -> FloatArray:
    """Directions of the O observables that keep the sum of n of them, each of the size of a bin, shape (n - 1, O)."""
    rows = np.zeros((len(at) - 1, len(measured)))
    for row, i, width in zip(rows, at[1:], divisors[1:], strict=True):
        row[i] = measured[i]
        row[at[0]] = -measured[i] * width / divisors[0]
    return rows


def _measured(combination: Combination) -> FloatArray:
    """The observables as measured: the combination of the inputs, each with all its uncertainties, without correlations."""
    model = linear_model(combination)
    return solve(model, np.eye(len(model.nuisances))).values[: len(combination.variables)]


def _check_masses(extraction: Extraction, masses: tuple[str, ...], ends: list[list[tuple[float, float]]]) -> None:
    for mass, tables in zip(masses, ends, strict=True):
        if max(low for low, _ in tables) >= min(high for _, high in tables):
            spans = " and ".join(f"{low:g} to {high:g}" for low, high in tables)
            msg = f"extraction {extraction.name!r}: the predictions of {mass} have masses {spans} GeV, none in common"
            raise OptionError(msg)


def _scale_index(extraction: Extraction, predictions: Sequence[Prediction]) -> IntArray:
    """Positions of x and y of every predicted observable in theta, -1 with fixed scales, shape (n, 2)."""
    theta = extraction.mass_parameters + extraction.scale_parameters
    rows = []
    for prediction in predictions:
        names = extraction.scales_of(prediction.name)
        rows += [[-1, -1] if names is None else [theta.index(name) for name in names]] * len(prediction.observables)
    return np.array(rows, dtype=np.intp)


def _scale_response(curves: list[Curves], *, sampled: bool) -> FloatArray:
    parts = [c.scale_response for c in curves]
    return np.concatenate(parts, axis=2) if sampled else np.zeros((0, 0, 0))


def scale_correlation(extraction: Extraction, coefficient: float) -> FloatArray:
    """Correlation of the normal prior of the scales; with ``correlated``, the coefficient links the energies."""
    size = len(extraction.scale_parameters) if extraction.scales.prior == "normal" else 0
    if extraction.scales.treatment != "correlated":
        return np.eye(size)
    half = size // 2
    block = np.full((half, half), coefficient) + (1 - coefficient) * np.eye(half)
    return np.asarray(np.kron(np.eye(2), block), dtype=np.float64)

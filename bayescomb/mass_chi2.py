r"""Chi2 of masses and scales, everything linear profiled by the linear algebra, theory nuisances included.

With the observables o = c(theta) + D(theta) eta + X zeta in the rows w = K o + ... of the data and the nuisances integrated
to the covariance V_0, the profiled chi2 is w^T V^-1 w with V = V_0 + K D C_eta D^T K^T and the free zeta at their
generalised least squares.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from iminuit import Minuit
from numpy.typing import NDArray

from bayescomb.errors import FitError
from bayescomb.linear_gaussian import LinearModel, integrate_out
from bayescomb.theory import Theory

__all__ = ["MassChi2", "mass_chi2"]

FloatArray = NDArray[np.float64]

# Estimated distance to the minimum in chi2, over 500, at which Migrad stops; other steps go on to rounding.
MIGRAD_TOLERANCE = 1e-3
START_MASSES = 13


@dataclass(frozen=True, kw_only=True)
class MassChi2:
    """Chi2 of theta with all else profiled; R rows, n predictions, K theory nuisances, S scales with a normal prior.

    Attributes:
        theory: the prediction.
        predicted: K select, shape (R, n).
        linear: design of zeta and of the free nuisances, shape (R, Z + F).
        offset: w_0, shape (R,).
        noise: V_0, shape (R, R).
        mean, covariance: prior of eta, shapes (K,) and (K, K).
        scale_mean, scale_precision: prior of the normal scales, shapes (S,) and (S, S); held ones are in ``fixed``.
        fixed: positions in theta that are held.
        constant: part of chi2 that nothing can change.
        reduced: the linear model with its nuisances integrated.
    """

    theory: Theory
    predicted: FloatArray
    linear: FloatArray
    offset: FloatArray
    noise: FloatArray
    mean: FloatArray
    covariance: FloatArray
    scale_mean: FloatArray
    scale_precision: FloatArray
    fixed: tuple[int, ...]
    constant: float
    reduced: LinearModel

    def evaluate(self, theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Value, gradient, and the profiled eta."""
        central, shifts = self.theory.predict(theta)
        by_theta, shifts_by_theta = self.theory.derivatives(theta)
        loading = self.predicted @ shifts
        covariance = self.noise + loading @ self.covariance @ loading.T
        residual = self.predicted @ (central + shifts @ self.mean) - self.offset
        if self.linear.shape[1]:
            solved = np.linalg.solve(covariance, np.column_stack([residual, self.linear]))
            inner = solved[:, 1:]
            residual = residual - self.linear @ np.linalg.solve(self.linear.T @ inner, self.linear.T @ solved[:, 0])
        weight = np.linalg.solve(covariance, residual)
        value = float(residual @ weight) + self.constant
        back = self.predicted.T @ weight
        eta = self.mean - self.covariance @ (loading.T @ weight)  # their profiled values
        gradient = 2 * (back @ by_theta + np.einsum("n,nkh,k->h", back, shifts_by_theta, eta))
        if len(self.scale_mean):
            away = theta[-len(self.scale_mean) :] - self.scale_mean
            value += float(away @ self.scale_precision @ away)
            gradient[-len(away) :] += 2 * self.scale_precision @ away
        return value, gradient, eta

    def minimum(self, start: FloatArray, *, fixed: Collection[int] = ()) -> FloatArray:
        """Where chi2 is lowest in the box of theta, from a starting point.

        Raises:
            FitError: Migrad finds no minimum.
        """
        held = {*self.fixed, *fixed}
        if len(held) == len(start):
            return start
        known: dict[bytes, tuple[float, FloatArray]] = {}

        def at(theta: FloatArray) -> tuple[float, FloatArray]:
            """Minuit asks for value and gradient of a point one after the other."""
            key = np.asarray(theta).tobytes()
            if key not in known:
                known.clear()
                known[key] = self.evaluate(np.asarray(theta))[:2]
            return known[key]

        minuit = Minuit(lambda theta: at(theta)[0], start, grad=lambda theta: at(theta)[1])
        minuit.errordef, minuit.print_level, minuit.tol = Minuit.LEAST_SQUARES, 0, MIGRAD_TOLERANCE
        for i, (low, high) in enumerate(zip(self.theory.low, self.theory.high, strict=True)):
            minuit.fixed[i] = i in held
            minuit.limits[i] = (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
            minuit.errors[i] = 0.5
        minuit.migrad()
        if minuit.fmin is None or not (minuit.valid or minuit.fmin.edm < 1e-6):
            msg = "chi2 of the extraction has no minimum that Migrad finds"
            raise FitError(msg)
        return np.array(minuit.values)

    def start(self) -> FloatArray:
        """The lowest point of a grid in the common mass, the scales at their centres.

        Chi2 often has minima at several corners of the box of uniform scales, so that a grid in these follows: of the two
        logarithms, the same at every energy.
        """
        n = len(self.theory.masses)
        low, high = self.theory.low[:n].max(), self.theory.high[:n].min()
        scales = self.scale_mean if len(self.scale_mean) else np.zeros(len(self.theory.scales))
        grid = [np.concatenate([np.full(n, m), scales]) for m in np.linspace(low, high, START_MASSES)]
        best = min(grid, key=lambda theta: self.evaluate(theta)[0])
        if len(scales) and not len(self.scale_mean):
            width = self.theory.extraction.scales.width
            # Short of the ends, where Migrad's way to keep a limit has no slope.
            corners = itertools.product((0.0, -0.8 * width, 0.8 * width), repeat=2)
            grid = [np.concatenate([best[:n], np.repeat(corner, len(scales) // 2)]) for corner in corners]
            best = min(grid, key=lambda theta: self.evaluate(theta)[0])
        return best


def mass_chi2(theory: Theory, model: LinearModel, *, mean: FloatArray, correlation: FloatArray) -> MassChi2:
    """Chi2 of masses and scales at a prior N(m, C) of (nuisances of the model, eta, normal scales).

    Args:
        theory: the prediction.
        model: linear model in the observables, N nuisances.
        mean: shape (N + K + S,).
        correlation: shape (N + K + S,) * 2.

    Raises:
        InfeasibleCorrelationError: the total precision is not positive definite.
    """
    n, k = len(model.nuisances), len(theory.nuisances)
    shifted = dataclasses.replace(model, offset=model.offset - model.loading @ mean[:n])
    reduced = integrate_out(shifted, np.zeros(0, dtype=np.intp), correlation[:n, :n])
    width, size = theory.extraction.scales.width, len(theory.scale_correlation)
    prior = correlation[n + k :, n + k :] * width**2
    first = len(theory.parameters) - size
    fixed = tuple(first + i for i in range(size) if prior[i, i] <= 0)
    observables = len(theory.select)
    return MassChi2(
        theory=theory,
        predicted=reduced.design[:, :observables] @ theory.select,
        linear=np.hstack([reduced.design[:, :observables] @ theory.free, reduced.design[:, observables:]]),
        offset=reduced.offset,
        noise=np.diag(reduced.signs),
        mean=mean[n : n + k],
        covariance=correlation[n : n + k, n : n + k],
        scale_mean=mean[n + k :] * width,
        scale_precision=np.linalg.pinv(prior, hermitian=True),
        fixed=fixed,
        constant=reduced.constant,
        reduced=reduced,
    )

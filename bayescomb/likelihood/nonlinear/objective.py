"""Chi2 of a nonlinear model at a fixed prior as a function of theta, the nuisances profiled, with exact derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.likelihood.least_squares import Whitening
from bayescomb.likelihood.linear_gaussian import integrate_out, whitening
from bayescomb.likelihood.nonlinear.model import NonlinearModel
from bayescomb.likelihood.responses import Derivatives

__all__ = ["Objective", "objective"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Chi2(theta) = (D q - d)^T s (D q - d) + c, plus Pearson's part.

    Attributes:
        model: the nonlinear model.
        correlation: C of the N nuisances.
        whitening: of V of the linear part.
        rows: D, the nuisances integrated, shape (R', number of q).
        offset: d, shape (R',).
        signs: diagonal of s, shape (R',).
        constant: c.
        argument_map: d(explicit and free nuisances)/d(theta).
        argument_offset: their values at theta = 0.
        shift_map: d(shifts by integrated nuisances)/d(theta), shape (E, size of theta), for Pearson.
    """

    model: NonlinearModel
    correlation: FloatArray
    whitening: Whitening
    rows: FloatArray
    offset: FloatArray
    signs: FloatArray
    constant: float
    argument_map: FloatArray
    argument_offset: FloatArray
    shift_map: FloatArray

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.argument_map.shape[1]

    @property
    def kinked(self) -> IntArray:
        """Positions among the arguments whose responses have a kink."""
        return np.flatnonzero(self.model.curved.parts.responses.kinked)

    def arguments(self, theta: FloatArray) -> FloatArray:
        """Values of the explicit and the free nuisances."""
        return self.argument_offset + self.argument_map @ theta

    def value(self, theta: FloatArray, *, positive: BoolArray | None = None) -> float:
        """Chi2; ``positive`` takes one branch of each response everywhere."""
        curved = self.model.curved
        prediction = curved.prediction(theta, positive=positive)
        q = curved.pseudo_parameters(theta, prediction)
        away = self.rows @ q - self.offset
        chi2 = float(away @ (self.signs * away)) + self.constant
        return chi2 + (float(curved.pearson_terms(prediction)[0]) if curved.parts.pearson else 0.0)

    def gradient(self, theta: FloatArray, *, positive: BoolArray | None = None) -> FloatArray:
        """d(chi2)/d(theta)."""
        return self._derivatives(theta, positive, second=False)[0]

    def hessian(
        self, theta: FloatArray, *, positive: BoolArray | None = None, along: FloatArray | None = None
    ) -> FloatArray:
        """d2(chi2)/d(theta)2, on the side of each kink where theta lies, between the columns of ``along`` if it is given."""
        return self._derivatives(theta, positive, second=True, along=along)[1]

    def pseudo_jacobian(self, theta: FloatArray) -> FloatArray:
        """dq/d(theta)."""
        derivatives, _ = self._prediction_derivatives(theta, None)
        return self._pseudo_jacobian(self._prediction_jacobian(theta, derivatives))

    def _prediction_derivatives(self, theta: FloatArray, positive: BoolArray | None) -> tuple[Derivatives, FloatArray]:
        curved = self.model.curved
        nuisances, shifts = curved.arguments(theta)
        side = nuisances >= 0 if positive is None else positive
        t = curved.parts.map.value(curved.split(theta)[0])
        responses = curved.parts.responses
        prediction = responses.predict(t, nuisances, positive=side) + shifts
        return responses.derivatives(t, nuisances, positive=side), prediction

    def _map_jacobian(self, theta: FloatArray) -> FloatArray:
        """dt/d(variables)."""
        curved = self.model.curved
        return curved.parts.map.jacobian(curved.split(theta)[0])

    def _prediction_jacobian(self, theta: FloatArray, derivatives: Derivatives) -> FloatArray:
        parts = self.model.curved.parts
        jacobian = derivatives.by_nuisance @ self.argument_map + self.shift_map
        jacobian[:, : len(parts.observables)] += derivatives.by_t[:, None] * self._map_jacobian(theta)
        return np.asarray(jacobian)

    def _pseudo_jacobian(self, jacobian: FloatArray) -> FloatArray:
        parts = self.model.curved.parts
        tail = np.eye(self.size)[len(parts.observables) :]
        return tail if parts.pearson else np.vstack([jacobian, tail])

    def _derivatives(
        self, theta: FloatArray, positive: BoolArray | None, *, second: bool, along: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        curved, parts = self.model.curved, self.model.curved.parts
        derivatives, prediction = self._prediction_derivatives(theta, positive)
        jacobian = self._prediction_jacobian(theta, derivatives)
        pseudo = self._pseudo_jacobian(jacobian)
        away = self.rows @ curved.pseudo_parameters(theta, prediction) - self.offset
        by_q = 2 * ((self.signs * away) @ self.rows)
        gradient = pseudo.T @ by_q
        if parts.pearson:
            by_prediction, curvature = self._pearson_derivatives(prediction)
            gradient += jacobian.T @ by_prediction
        else:
            by_prediction = by_q[: len(prediction)]
        if not second:
            return gradient, np.zeros((0, 0))
        # In directions scaled to equal curvature, a large one does not hide a small one.
        along = np.eye(self.size) if along is None else along
        by_theta, arguments, jacobian = self.rows @ (pseudo @ along), self.argument_map @ along, jacobian @ along
        hessian = 2 * (self.signs[:, None] * by_theta).T @ by_theta
        if parts.pearson:
            hessian += jacobian.T @ curvature @ jacobian
        inner = np.einsum("e,eij->ij", by_prediction, derivatives.by_nuisances)
        hessian += arguments.T @ inner @ arguments
        moved = along[: len(parts.observables)]
        if not parts.map.linear:
            variables = curved.split(theta)[0]
            hessian += moved.T @ parts.map.curvature(variables, by_prediction * derivatives.by_t) @ moved
        observables = self._map_jacobian(theta) @ moved
        if parts.responses.tables:
            hessian += observables.T @ ((by_prediction * derivatives.by_t_twice)[:, None] * observables)
        mixed = observables.T @ (by_prediction[:, None] * derivatives.by_t_nuisance) @ arguments
        return gradient, hessian + mixed + mixed.T

    def _pearson_derivatives(self, prediction: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Derivatives of u^T M u by X, u = (x - X) sqrt|x / X|, or x - X of a stated prior."""
        parts = self.model.curved.parts
        counted, measured = parts.counted, np.where(parts.counted, parts.measured, 1.0)
        sign, s = np.sign(prediction / measured), parts.stretch(prediction)
        u = np.where(counted, measured * (s**-0.5 - sign * s**0.5), parts.measured - prediction)
        first = np.where(counted, -0.5 * (sign * s**-1.5 + s**-0.5), -1.0)
        second = np.where(counted, (0.75 * s**-2.5 + 0.25 * sign * s**-1.5) / measured, 0.0)
        information = parts.factor.T @ parts.factor
        pull = information @ u
        return 2 * pull * first, 2 * (np.outer(first, first) * information + np.diag(pull * second))


def objective(model: NonlinearModel, correlation: FloatArray) -> Objective:
    """Chi2 at the prior that the model was made for.

    Raises:
        InfeasibleCorrelationError: the total precision of the linear part is not positive definite.
    """
    linear, curved = model.linear, model.curved
    reduced = integrate_out(linear, np.zeros(0, dtype=np.intp), correlation)
    n_observables, n_free, n_white = curved.sizes
    n_explicit = len(curved.parts.explicit)
    arguments = np.zeros((n_explicit + n_free, n_observables + n_free + n_white))
    arguments[:n_explicit, n_observables + n_free :] = curved.basis[:n_explicit]
    arguments[n_explicit:, n_observables : n_observables + n_free] = np.eye(n_free)
    shifts = np.zeros((len(curved.parts.measured), arguments.shape[1]))
    if curved.parts.pearson:
        shifts[:, n_observables + n_free :] = curved.basis[n_explicit:]
    return Objective(
        model=model,
        correlation=correlation,
        whitening=whitening(linear, correlation),
        rows=reduced.design,
        offset=reduced.offset,
        signs=reduced.signs,
        constant=reduced.constant,
        argument_map=arguments,
        argument_offset=np.concatenate([curved.mean[:n_explicit], np.zeros(n_free)]),
        shift_map=shifts,
    )

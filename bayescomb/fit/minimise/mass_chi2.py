r"""Chi2 of masses and scales, all linear variables profiled exactly, theory nuisances included.

With the observables o = c(theta) + D(theta) eta + X zeta in the rows w = K o + ... of the data and the nuisances integrated
to the covariance V_0, the profiled chi2 is w^T V^-1 w with V = V_0 + K D C_eta D^T K^T and the free zeta at their
generalised least squares.

The results are linear functions of parameters and nuisances of the linear model that is tangent at the minimum.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import FitError
from bayescomb.likelihood.linear_gaussian import LinearModel, Solution, conditional_errors, integrate_out
from bayescomb.likelihood.nonlinear.objective import Objective
from bayescomb.likelihood.theory import Theory

__all__ = ["DerivedSolution", "MassChi2", "derived_solution", "mass_chi2", "nonlinear_tangent", "tangent_model"]

# Estimated distance to the minimum in chi2, over 500, at which Migrad stops; other steps go on to rounding.
MIGRAD_TOLERANCE = 1e-3
START_MASSES = 13


@dataclass(frozen=True, kw_only=True)
class MassChi2:
    """Chi2 of theta, all other variables profiled; R rows, n predictions, K theory nuisances, S scales with a normal prior.

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
        """Minimum of chi2 in the box of theta, from a starting point.

        Raises:
            FitError: Migrad finds no minimum.
        """
        held = {*self.fixed, *fixed}
        if len(held) == len(start):
            return start
        known: dict[bytes, tuple[float, FloatArray]] = {}

        def at(theta: FloatArray) -> tuple[float, FloatArray]:
            """Value and gradient; Minuit asks for both at a point, one after the other."""
            key = np.asarray(theta).tobytes()
            if key not in known:
                known.clear()
                known[key] = self.evaluate(np.asarray(theta))[:2]
            return known[key]

        from iminuit import Minuit

        minuit = Minuit(lambda theta: at(theta)[0], start, grad=lambda theta: at(theta)[1])
        minuit.errordef, minuit.print_level, minuit.tol = Minuit.LEAST_SQUARES, 0, MIGRAD_TOLERANCE
        for i, (low, high) in enumerate(zip(self.theory.low, self.theory.high, strict=True)):
            minuit.fixed[i] = i in held
            minuit.limits[i] = (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
            minuit.errors[i] = 0.5
        with np.errstate(over="ignore", invalid="ignore"):  # of a step far out, which is taken back
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
            # Inside the ends, where Migrad's transformation of a limited parameter has a slope.
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


def nonlinear_tangent(
    chi2: Objective, theta: FloatArray, *, nuisances: FloatArray, on_kink: Collection[int] = ()
) -> LinearModel:
    r"""The linear model of (observables, free nuisances) over the nuisances with a prior at a point.

    With X the predictions there and L the factor of the inverse statistical covariance (over :math:`\sqrt{|X / x|}` for
    Pearson's chi2) the rows of the estimates are L dX/d(observables, free nuisances), L dX/d(nuisances).  Relative sizes
    are those at the point: a measured value moves its own row only.  At a kink dX/d(nuisance) is the mean of both sides.

    Args:
        chi2: the objective.
        theta: the point, shape (size,).
        nuisances: values of the N nuisances there.
        on_kink: positions among the (explicit, free) nuisances of those that sit on their kink.
    """
    curved, parts = chi2.model.curved, chi2.model.curved.parts
    n_observables, n_free, _ = curved.sizes
    parameters = theta[: n_observables + n_free]
    sides = np.repeat([chi2.arguments(theta) >= 0], 2, axis=0)
    sides[:, list(on_kink)] = [[True], [False]]
    observables, by_variable = parts.map.value(theta[:n_observables]), parts.map.jacobian(theta[:n_observables])
    both = [parts.responses.derivatives(observables, chi2.arguments(theta), positive=side) for side in sides]
    by_nuisance = (both[0].by_nuisance + both[1].by_nuisance) / 2
    n_explicit = len(parts.explicit)
    prediction = curved.prediction(theta)
    loading = parts.shifts.copy()
    loading[:, parts.explicit] = by_nuisance[:, :n_explicit]
    factor = parts.factor
    if parts.pearson:
        factor = factor / np.sqrt(parts.stretch(prediction))
    else:
        prediction = prediction + parts.shifts @ (nuisances - parts.centre)
    into = factor @ np.hstack([both[0].by_t[:, None] * by_variable, by_nuisance[:, n_explicit:]])
    loading = factor @ loading
    no_observable = np.zeros((len(parts.data_signs), n_observables))
    return LinearModel(
        parameters=parts.observables + parts.free,
        nuisances=parts.bound,
        design=np.vstack([into, np.hstack([no_observable, parts.data_design])]),
        loading=np.vstack([loading, parts.data_loading]),
        estimate_loading=np.vstack([factor, np.zeros((len(parts.data_signs), len(factor)))]),
        offset=np.concatenate(
            [factor @ (parts.measured - prediction) + into @ parameters + loading @ nuisances, parts.data_offset]
        ),
        signs=np.concatenate([parts.signs, parts.data_signs]),
    )


def tangent_model(
    theory: Theory, model: LinearModel, *, theta: FloatArray, eta: FloatArray, held: Collection[int] = ()
) -> LinearModel:
    """The linear model of (theta without normal scales, zeta, free nuisances) over (nuisances, eta, normal scales).

    Args:
        theory: the prediction.
        model: linear model in the observables.
        theta: masses and scales at which the tangent touches.
        eta: theory nuisances there.
        held: positions in theta that are no parameters but stay where they are.
    """
    size, width = len(theory.scale_correlation), theory.extraction.scales.width
    n_observables, n_linear = len(theory.select), len(theory.parameters) - size
    # o = c + D eta + (c' + D' eta) (theta' - theta) + D (eta' - eta) + X zeta
    central, shifts, by_theta = _tangent(theory, theta, eta)
    by_eta = theory.select @ shifts
    constant = theory.select @ central - by_theta @ theta
    into = model.design[:, :n_observables]
    full = LinearModel(
        parameters=theory.parameters[:n_linear] + theory.free_names + model.parameters[n_observables:],
        nuisances=model.nuisances + theory.nuisances + theory.scales[len(theory.scales) - size :],
        design=np.hstack([into @ by_theta[:, :n_linear], into @ theory.free, model.design[:, n_observables:]]),
        loading=np.hstack([model.loading, into @ by_eta, into @ by_theta[:, n_linear:] * width]),
        estimate_loading=model.estimate_loading,
        offset=model.offset - into @ constant,
        signs=model.signs,
        constant=model.constant,
    )

    index = sorted(held)
    return dataclasses.replace(
        full,
        parameters=tuple(p for i, p in enumerate(full.parameters) if i not in held),
        design=np.delete(full.design, index, axis=1),
        offset=full.offset - full.design[:, index] @ theta[index],
    )


def _tangent(theory: Theory, theta: FloatArray, eta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The prediction c, shape (n,), its shifts D, shape (n, K), and d(observables)/d(theta), shape (O, H)."""
    first, second = theory.derivatives(theta)
    return *theory.predict(theta), theory.select @ (first + np.einsum("nkh,k->nh", second, eta))


def derived_solution(
    theory: Theory, inner: Solution, model: LinearModel, *, theta: FloatArray, eta: FloatArray
) -> DerivedSolution:
    """Masses, their differences, scales, observables and free nuisances from a solution of the tangent model.

    Args:
        theory: the prediction.
        inner: solution of ``tangent_model(theory, model, theta=theta, eta=eta, ...)``.
        model: linear model in the observables.
        theta: fitted masses and scales.
        eta: fitted theory nuisances.
    """
    size, width = len(theory.scale_correlation), theory.extraction.scales.width
    n_observables, n_nuisances = len(theory.select), len(model.nuisances)
    column = {name: i for i, name in enumerate(inner.parameters)}
    central, shifts, by_theta = _tangent(theory, theta, eta)
    by_parameter = np.zeros((len(theory.parameters), len(inner.parameters)))
    by_nuisance = np.zeros((len(theory.parameters), len(inner.model.nuisances)))
    for i, name in enumerate(theory.parameters):
        if i >= len(theory.parameters) - size:
            by_nuisance[i, i - len(theory.parameters)] = width
        elif name in column:
            by_parameter[i, column[name]] = 1.0
    levels = [column[name] for name in theory.free_names]
    observables = by_theta @ by_parameter
    observables[:, levels] += theory.free
    into_observables = by_theta @ by_nuisance
    into_observables[:, n_nuisances : n_nuisances + len(theory.nuisances)] += theory.select @ shifts
    masses = {name: i for i, name in enumerate(theory.masses)}
    pairs = np.zeros((len(theory.extraction.differences), len(theory.parameters)))
    for row, (a, b) in zip(pairs, theory.extraction.differences, strict=True):
        row[[masses[a], masses[b]]] = 1.0, -1.0
    others = [column[name] for name in model.parameters[n_observables:]]
    m = len(masses)
    no_nuisance = np.zeros((len(others), by_nuisance.shape[1]))
    free_rows = np.eye(len(inner.parameters))[others].reshape(len(others), len(inner.parameters))
    value = theory.select @ (central + shifts @ eta) + theory.free @ inner.values[levels]
    return DerivedSolution(
        inner=inner,
        parameters=(
            *theory.masses,
            *(f"{a} - {b}" for a, b in theory.extraction.differences),
            *theory.scales,
            *model.parameters,
        ),
        values=np.concatenate([theta[:m], pairs @ theta, theta[m:], value, inner.values[others]]),
        by_parameter=np.vstack([by_parameter[:m], pairs @ by_parameter, by_parameter[m:], observables, free_rows]),
        by_nuisance=np.vstack([by_nuisance[:m], pairs @ by_nuisance, by_nuisance[m:], into_observables, no_nuisance]),
    )


@dataclass(frozen=True, kw_only=True)
class DerivedSolution:
    """Q quantities q = A p + B lambda + const of P parameters and N nuisances, with the properties of a :class:`Solution`.

    Attributes:
        inner: solution of p.
        parameters: names of the Q quantities.
        values: fitted q, shape (Q,).
        by_parameter: A, shape (Q, P).
        by_nuisance: B, shape (Q, N).
    """

    inner: Solution
    parameters: tuple[str, ...]
    values: FloatArray
    by_parameter: FloatArray
    by_nuisance: FloatArray

    @property
    def model(self) -> LinearModel:
        """The linear model of p."""
        return self.inner.model

    @cached_property
    def influence(self) -> FloatArray:
        """d(values)/d(w_0) = A I + B C F^T V^-1 (1 - K I), shape (Q, R)."""
        model, inner = self.inner.model, self.inner
        gain = inner.whitening.solve(model.loading @ (inner.correlation @ self.by_nuisance.T)).T
        return self.by_parameter @ inner.influence + gain - gain @ model.design @ inner.influence

    @property
    def reach(self) -> FloatArray:
        """Change of (values - true q) per unit of each nuisance, shape (Q, N)."""
        return self.influence @ self.model.loading - self.by_nuisance

    @cached_property
    def cross_covariance(self) -> FloatArray:
        """Covariance between q and the nuisances, shape (Q, N)."""
        return -self.reach @ self.inner.correlation

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of q, shape (Q, Q); singular where the q depend on each other."""
        # values - true q = influence e + reach lambda, with e the noise of the rows.
        noise = (self.influence * self.model.signs) @ self.influence.T
        total = noise + self.reach @ self.inner.correlation @ self.reach.T
        return (total + total.T) / 2

    @property
    def weights(self) -> FloatArray:
        """d(values)/d(measured values), shape (Q, E)."""
        return self.influence @ self.model.estimate_loading

    @property
    def pulls(self) -> FloatArray:
        """Fitted nuisances in units of the prior width, shape (N,)."""
        return self.inner.pulls

    @property
    def nuisance_variance(self) -> FloatArray:
        """Post-fit variance of each nuisance, shape (N,)."""
        return self.inner.nuisance_variance

    @property
    def nuisance_covariance(self) -> FloatArray:
        """Post-fit covariance of the nuisances, shape (N, N)."""
        return self.inner.nuisance_covariance

    def errors_given(self, held: Sequence[bool]) -> FloatArray:
        """Errors of q with some nuisances held at their fitted values, shape (Q,)."""
        return conditional_errors(self.covariance, self.cross_covariance, self.nuisance_covariance, held)

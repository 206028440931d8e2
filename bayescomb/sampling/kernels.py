"""The marginal log density of an extraction with its gradient, compiled: prediction, its covariance and the data in one.

It is :meth:`bayescomb.likelihood.theory.Theory.predict` again, written for numba with the reverse sweep by hand, so that a
gradient costs about as much as two values and the model stays one node of the graph; tests hold the two together.

The marginal density as a PyTensor operation with a hand-written gradient.

It is one node of the graph whatever the size of the problem, because compile time is what a user waits for: the same
density written out in PyTensor's linear algebra takes 20 to 240 s to compile with numba and 0.7 s in this form (figures:
``tests/benchmarks``).  The kernels are numba functions with a cache on disk; PyTensor's own numba mode uses them directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_dispatch

from bayescomb.likelihood.least_squares import near
from bayescomb.likelihood.linear_gaussian import LinearModel
from bayescomb.likelihood.theory import Theory

__all__ = ["ScalarWithGradient", "centred", "extraction_kernel", "extraction_log_density", "invert", "marginal_log_density"]

FloatArray = NDArray[np.float64]


@numba.njit(cache=True)
def polynomial(coefficients, u):  # type: ignore[no-untyped-def]
    """Value and derivative of sum_p coefficients_p u^p."""
    value, slope = 0.0, 0.0
    for p in range(len(coefficients) - 1, -1, -1):
        slope = slope * u + value
        value = value * u + coefficients[p]
    return value, slope


@numba.njit(cache=True)
def cross_sections(theta, mass_index, scale_index, centre, half_width, base, scale_response):  # type: ignore[no-untyped-def]
    """Cross sections T (n,), and d(log T) by mass, x and y (n, 3)."""
    n = len(centre)
    value, slope = np.empty(n), np.zeros((n, 3))
    for i in range(n):
        u = (theta[int(mass_index[i])] - centre[i]) / half_width[i]
        value[i], by_u = polynomial(base[:, i], u)
        by_u /= value[i]
        if len(scale_response):
            x, y = theta[int(scale_index[i, 0])], theta[int(scale_index[i, 1])]
            shape = (x, x * x, y, y * y, x * y, x * y * (x + y) / 2)
            by_x = (1.0, 2 * x, 0.0, 0.0, y, x * y + y * y / 2)
            by_y = (0.0, 0.0, 1.0, 2 * y, x, x * y + x * x / 2)
            logarithm = 0.0
            for k in range(6):
                c, c_slope = polynomial(scale_response[k, :, i], u)
                logarithm += shape[k] * c
                by_u += shape[k] * c_slope
                slope[i, 1] += by_x[k] * c
                slope[i, 2] += by_y[k] * c
            value[i] *= np.exp(logarithm)
        slope[i, 0] = by_u / half_width[i]
    return value, slope


@numba.njit(cache=True)
def relative_shifts(theta, mass_index, centre, half_width, shifts):  # type: ignore[no-untyped-def]
    """Relative shifts d (n, K), and their derivative by the mass (n, K)."""
    n, count = len(centre), shifts.shape[1]
    value, slope = np.zeros((n, count)), np.zeros((n, count))
    for i in range(n):
        u = (theta[int(mass_index[i])] - centre[i]) / half_width[i]
        for p in range(len(shifts) - 1, -1, -1):
            for k in range(count):
                slope[i, k] = slope[i, k] * u + value[i, k]
                value[i, k] = value[i, k] * u + shifts[p, k, i]
        for k in range(count):
            slope[i, k] /= half_width[i]
    return value, slope


@numba.njit(cache=True)
def product(first, second):  # type: ignore[no-untyped-def]
    """A matrix product of a few rows."""
    result = np.zeros((first.shape[0], second.shape[1]))
    for i in range(first.shape[0]):
        for k in range(first.shape[1]):
            for j in range(second.shape[1]):
                result[i, j] += first[i, k] * second[k, j]
    return result


@numba.njit(cache=True)
def extraction_kernel(  # type: ignore[no-untyped-def]
    coefficients, theta, levels, base, patterns, predicted, linear, offset, signs,
    mass_index, scale_index, centre, half_width, factor, same, cross, scale_response, shifts,
):  # fmt: skip
    r"""Log density of (r, theta, levels) with all nuisances integrated out, and its gradients.

    With c and D of the prediction, V = base + sum_c r_c patterns_c + A D D^T A^T and w = A c + L levels - w_0 it is
    -(w^T V^-1 w + log |det V|) / 2.

    Args:
        coefficients: r, shape (k,).
        theta: masses and scales, shape (H,).
        levels: free directions and free nuisances, shape (Z + F,).
        base: V without theory at r = 0, shape (R, R).
        patterns: dV/dr, shape (k, R * R).
        predicted: A, shape (R, n).
        linear: L, shape (R, Z + F).
        offset: w_0, shape (R,).
        signs: diagonal of J, shape (R,).
        mass_index: this and what follows as in :class:`~bayescomb.likelihood.theory.Theory`; shape (n,).
        scale_index: shape (n, 2).
        centre: shape (n,).
        half_width: shape (n,).
        factor: shape (n,).
        same: shape (n, n).
        cross: its ``base``, shape (degree + 1, n).
        scale_response: shape (6, degree + 1, n), or without entries.
        shifts: shape (degree + 1, K, n).

    Returns:
        Value, gradient by r, by theta, by levels.
    """
    # Written out in loops, which numba compiles several times faster than expressions of arrays.
    n, size, count = len(centre), len(offset), shifts.shape[1]
    raw, log_slope = cross_sections(theta, mass_index, scale_index, centre, half_width, cross, scale_response)
    d, d_slope = relative_shifts(theta, mass_index, centre, half_width, shifts)
    value, weight, e = np.empty(n), np.zeros((n, n)), d.copy()
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += same[i, j] * raw[j]
        value[i] = raw[i] / total if same[i, i] > 0 else raw[i]
    for i in range(n):
        for j in range(n):
            weight[i, j] = same[i, j] * value[j]  # t_j in row i of its own distribution
            if weight[i, j] > 0:
                for k in range(count):
                    e[i, k] -= weight[i, j] * d[j, k]
    spread = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(count):
                total += e[i, k] * e[j, k]
            spread[i, j] = spread[j, i] = factor[i] * value[i] * factor[j] * value[j] * total

    covariance = base.copy()
    for c in range(len(coefficients)):
        for i in range(size):
            for j in range(size):
                covariance[i, j] += coefficients[c] * patterns[c, i * size + j]
    carried = product(predicted, spread)
    for i in range(size):
        for j in range(size):
            for b in range(n):
                covariance[i, j] += carried[i, b] * predicted[j, b]
    residual = np.zeros(size)
    for i in range(size):
        residual[i] = -offset[i]
        for b in range(n):
            residual[i] += predicted[i, b] * factor[b] * value[b]
        for b in range(len(levels)):
            residual[i] += linear[i, b] * levels[b]
    by_r, by_theta, by_levels = np.zeros(len(coefficients)), np.zeros(len(theta)), np.zeros(len(levels))
    definite, inverse, logdet = invert(covariance, signs)
    if not definite:
        return -np.inf, by_r, by_theta, by_levels
    solved, quadratic = np.zeros(size), 0.0
    for i in range(size):
        for j in range(size):
            solved[i] += inverse[i, j] * residual[j]
        quadratic += residual[i] * solved[i]
    if not np.isfinite(quadratic):
        return -np.inf, by_r, by_theta, by_levels
    by_covariance = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            by_covariance[i, j] = 0.5 * (solved[i] * solved[j] - inverse[i, j])
    for c in range(len(coefficients)):
        for i in range(size):
            for j in range(size):
                by_r[c] += patterns[c, i * size + j] * by_covariance[i, j]
    by_central, by_spread = np.zeros(n), np.zeros((n, n))
    for i in range(size):
        for b in range(len(levels)):
            by_levels[b] -= linear[i, b] * solved[i]
        for b in range(n):
            by_central[b] -= predicted[i, b] * solved[i]
    carried = product(by_covariance, predicted)
    for i in range(size):
        for a in range(n):
            for b in range(n):
                by_spread[a, b] += predicted[i, a] * carried[i, b]

    by_value, by_e = np.zeros(n), np.zeros((n, count))
    for i in range(n):
        for j in range(n):
            scale = 2 * by_spread[i, j] * factor[j] * value[j]
            for k in range(count):
                by_e[i, k] += scale * e[j, k]
        for k in range(count):
            by_central[i] += by_e[i, k] * e[i, k]  # of the loading factor value e
            by_e[i, k] *= factor[i] * value[i]
    by_d = by_e.copy()
    for i in range(n):
        by_value[i] += factor[i] * by_central[i]
        for j in range(n):
            if weight[i, j] > 0:
                for k in range(count):
                    by_d[j, k] -= weight[i, j] * by_e[i, k]
                    by_value[j] -= by_e[i, k] * d[j, k]
    for i in range(n):
        mean = 0.0
        for j in range(n):
            mean += same[i, j] * by_value[j] * value[j]
        by_log = value[i] * (by_value[i] - mean)
        by_mass = by_log * log_slope[i, 0]
        for k in range(count):
            by_mass += by_d[i, k] * d_slope[i, k]
        by_theta[int(mass_index[i])] += by_mass
        if len(scale_response):
            by_theta[int(scale_index[i, 0])] += by_log * log_slope[i, 1]
            by_theta[int(scale_index[i, 1])] += by_log * log_slope[i, 2]
    return -0.5 * (quadratic + logdet), by_r, by_theta, by_levels


def extraction_log_density(
    coefficients: Any,
    theta: Any,
    levels: Any,
    *,
    theory: Theory,
    model: LinearModel,
    base: FloatArray,
    patterns: FloatArray,
) -> Any:
    """Symbolic log density of (r, theta, levels) with all nuisances integrated out; a scalar.

    Args:
        coefficients: symbolic r, shape (k,).
        theta: symbolic masses and scales, shape (H,).
        levels: symbolic free directions of the observables and free nuisances, shape (Z + F,).
        theory: the prediction.
        model: reduced linear model in the observables, R rows.
        base: V at r = 0 without theory, shape (R, R).
        patterns: dV/dr, shape (k, R, R).
    """
    n = len(theory.select)
    constants = (
        base,
        patterns.reshape(len(patterns), len(base) ** 2),
        model.design[:, :n] @ theory.select,
        np.hstack([model.design[:, :n] @ theory.free, model.design[:, n:]]),
        model.offset,
        model.signs,
        theory.mass_index.astype(float),
        theory.scale_index.astype(float),
        theory.centre,
        theory.half_width,
        theory.factor,
        theory.same,
        theory.base,
        theory.scale_response,
        theory.shifts,
    )
    return ScalarWithGradient(extraction_kernel, constants, n_inputs=3)(coefficients, theta, levels)[0]


class ScalarWithGradient(Op):
    """A scalar function of vectors that returns its value and its gradients together.

    Args:
        function: numba function ``f(*vectors, *constants) -> (value, gradient_1, ...)``.
        constants: arrays passed after the vectors.
        n_inputs: number of vectors.
    """

    __props__ = ()

    def __init__(self, function: Callable[..., Any], constants: Sequence[FloatArray], *, n_inputs: int) -> None:
        self.function = function
        self.constants = tuple(np.ascontiguousarray(c, dtype=np.float64) for c in constants)
        self.n_inputs = n_inputs

    # Two operations are the same only if they are one object: the constants are not compared.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def make_node(self, *inputs: Any) -> Apply:
        """One scalar and one vector per input."""
        vectors = [pt.as_tensor(v, dtype="float64") for v in inputs]
        return Apply(self, vectors, [pt.dscalar(), *(pt.dvector() for _ in vectors)])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """Value and gradients by the compiled kernel."""
        del node
        value, *gradients = self.function(*inputs, *self.constants)
        output_storage[0][0] = np.asarray(value)
        for storage, gradient in zip(output_storage[1:], gradients, strict=True):
            storage[0] = gradient

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Cotangent of the value times the gradients; the gradients themselves are not differentiated."""
        del inputs
        return [cotangents[0] * gradient for gradient in outputs[1:]]


@numba_dispatch.numba_funcify.register(ScalarWithGradient)
def _numba_scalar_with_gradient(op: ScalarWithGradient, **kwargs: Any) -> Any:
    """PyTensor's numba mode calls the kernel without leaving compiled code."""
    del kwargs
    function, constants = op.function, op.constants
    if op.n_inputs == 3:

        @numba_dispatch.numba_njit
        def three(first, second, third):  # type: ignore[no-untyped-def]  # as above
            value, gradient_first, gradient_second, gradient_third = function(first, second, third, *constants)
            return np.asarray(value), gradient_first, gradient_second, gradient_third

        return three

    @numba_dispatch.numba_njit
    def two(first, second):  # type: ignore[no-untyped-def]  # as above
        value, gradient_first, gradient_second = function(first, second, *constants)
        return np.asarray(value), gradient_first, gradient_second

    return two


@numba.njit(cache=True)
def invert(covariance, signs):  # type: ignore[no-untyped-def]
    """Whether V belongs to a positive definite total precision, V^-1 and log |det V|."""
    logdet = 0.0
    # A trial step far out can overflow the prediction; LAPACK would raise, and that ends the sampler.
    for i in range(len(signs)):
        for j in range(len(signs)):
            if not np.isfinite(covariance[i, j]):
                return False, covariance, logdet
    if signs.min() > 0:
        # The usual case, five times faster than the eigenvalues that an indefinite J needs.
        try:
            factor = np.linalg.cholesky(covariance)
        except Exception:  # numba knows no narrower class; the only failure is a matrix that is not positive definite
            return False, covariance, logdet
        for i in range(len(signs)):
            logdet += 2 * np.log(factor[i, i])
        # Of a matrix that is definite by a hair LAPACK's inverse can still raise.
        try:
            inverse = np.ascontiguousarray(np.linalg.inv(covariance))
        except Exception:  # as above, singular to rounding
            return False, covariance, logdet
        return True, inverse, logdet
    try:
        eigenvalues, vectors = np.linalg.eigh(covariance)
    except Exception:  # as above, an iteration that does not end
        return False, covariance, logdet
    negative, expected = 0, 0
    for i in range(len(signs)):
        negative += eigenvalues[i] <= 0
        expected += signs[i] < 0
        logdet += np.log(abs(eigenvalues[i]))
    return negative == expected, np.ascontiguousarray((vectors / eigenvalues) @ vectors.T), logdet


@numba.njit(cache=True)
def marginal_kernel(coefficients, parameters, base, patterns, design, offset, signs):  # type: ignore[no-untyped-def]
    r"""Log density of (r, p) with all nuisances integrated out, and its gradients.

    With V = base + sum_c r_c patterns_c and w = K p - w_0 it is -(w^T V^-1 w + log |det V|) / 2; its derivatives are
    tr[(V^-1 w w^T V^-1 - V^-1) patterns_c] / 2 and -K^T V^-1 w.  Where the total precision is not positive definite (V has
    more negative eigenvalues than J) the density is 0.

    Args:
        coefficients: r, shape (k,).
        parameters: p, shape (P,).
        base: shape (R, R).
        patterns: shape (k, R * R).
        design: K, shape (R, P).
        offset: w_0, shape (R,).
        signs: diagonal of J, shape (R,).

    Returns:
        Value, gradient by r, gradient by p.
    """
    size = len(offset)
    covariance = base.copy()
    for c in range(len(coefficients)):
        for i in range(size):
            for j in range(size):
                covariance[i, j] += coefficients[c] * patterns[c, i * size + j]
    residual = -offset.copy()
    for i in range(size):
        for p in range(len(parameters)):
            residual[i] += design[i, p] * parameters[p]
    gradient_r = np.zeros(len(coefficients))
    gradient_p = np.zeros(len(parameters))
    definite, inverse, logdet = invert(covariance, signs)
    if not definite:
        return -np.inf, gradient_r, gradient_p
    solved = inverse @ residual
    value = -0.5 * (residual @ solved + logdet)
    for c in range(len(coefficients)):
        total = 0.0
        for i in range(size):
            for j in range(size):
                total += patterns[c, i * size + j] * (solved[i] * solved[j] - inverse[i, j])
        gradient_r[c] = 0.5 * total
    for p in range(len(parameters)):
        for i in range(size):
            gradient_p[p] -= design[i, p] * solved[i]
    return value, gradient_r, gradient_p


def marginal_log_density(
    coefficients: Any, parameters: Any, *, model: LinearModel, base: FloatArray, patterns: FloatArray
) -> Any:
    """Symbolic log density of (r, p) with all nuisances integrated out; a scalar.

    Args:
        coefficients: symbolic r, shape (k,).
        parameters: symbolic p, shape (P,).
        model: reduced linear model with R rows.
        base: V at r = 0, shape (R, R).
        patterns: dV/dr, shape (k, R, R).
    """
    flat = patterns.reshape(len(patterns), len(base) ** 2)
    centre, offset = centred(model)
    constants = (base, flat, model.design, offset, model.signs)
    return ScalarWithGradient(marginal_kernel, constants, n_inputs=2)(coefficients, parameters - centre)[0]


def centred(model: LinearModel) -> tuple[FloatArray, FloatArray]:
    """A point p_0 near the data, shape (P,), and w_0 - K p_0, which is not large where data are precise, shape (R,)."""
    centre = near(model.design, model.offset)
    return centre, model.offset - model.design @ centre

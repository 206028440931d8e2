"""The marginal density as a PyTensor operation with a hand-written gradient.

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

from bayescomb.least_squares import near
from bayescomb.linear_gaussian import LinearModel

__all__ = ["ScalarWithGradient", "centred", "invert", "marginal_log_density"]

FloatArray = NDArray[np.float64]


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
        return True, np.ascontiguousarray(np.linalg.inv(covariance)), logdet
    eigenvalues, vectors = np.linalg.eigh(covariance)
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

"""The marginal log densities as PyTensor operations with a hand-written gradient.

Each is one node of the graph whatever the size of the problem, to save compilation: the same density written out in
PyTensor's linear algebra takes 20 to 240 s to compile with numba, and 0.7 s in this form (figures: ``tests/benchmarks``).
The kernels are those of :mod:`bayescomb.sampling.fused.likelihood`; PyTensor's numba mode calls them directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch import basic as numba_dispatch

from bayescomb.base.arrays import FloatArray
from bayescomb.likelihood.linear_gaussian import LinearModel
from bayescomb.likelihood.theory import Theory
from bayescomb.sampling.feasible_transform import IdentityOp
from bayescomb.sampling.fused.curved import curved_constants, curved_kernel
from bayescomb.sampling.fused.likelihood import (
    centred,
    extraction_kernel,
    marginal_kernel,
    packed,
    pivot_order,
    pivot_signs,
    theory_constants,
)
from bayescomb.sampling.plan import CurvedPlan, SamplingPlan

__all__ = ["ScalarWithGradient", "curved_log_density", "extraction_log_density", "marginal_log_density"]


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
    order = pivot_order(model.signs)
    centre, offset = centred(model)
    constants = (
        packed(base[np.ix_(order, order)]),
        packed(patterns[:, order][:, :, order]),
        model.design[order],
        offset[order],
        pivot_signs(model.signs[order]),
    )
    return ScalarWithGradient(marginal_kernel, constants, n_inputs=2)(coefficients, parameters - centre)[0]


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
    order = pivot_order(model.signs)
    design = model.design[order]
    constants = (
        packed(base[np.ix_(order, order)]),
        packed(patterns[:, order][:, :, order]),
        design[:, :n] @ theory.select,
        np.hstack([design[:, :n] @ theory.free, design[:, n:]]),
        model.offset[order],
        pivot_signs(model.signs[order]),
        *theory_constants(theory),
    )
    return ScalarWithGradient(extraction_kernel, constants, n_inputs=3)(coefficients, theta, levels)[0]


def curved_log_density(coefficients: Any, parameters: Any, white: Any, *, plan: SamplingPlan, curved: CurvedPlan) -> Any:
    """Symbolic log density of (r, p, xi) where chi2 is not quadratic; a scalar.

    Args:
        coefficients: symbolic r, shape (K,).
        parameters: symbolic p, shape (P,).
        white: symbolic xi, shape (Z,).
        plan: with ``curved``.
        curved: the nonlinear part of the plan.
    """
    return ScalarWithGradient(curved_kernel, curved_constants(plan, curved), n_inputs=3)(coefficients, parameters, white)[0]


class ScalarWithGradient(IdentityOp):
    """A scalar function of vectors that returns its value and its gradients together.

    Args:
        function: numba function ``f(*vectors, *constants) -> (value, gradient_1, ...)``.
        constants: arrays that follow the vectors as arguments.
        n_inputs: number of vectors.
    """

    def __init__(self, function: Callable[..., Any], constants: Sequence[FloatArray], *, n_inputs: int) -> None:
        self.function = function
        self.constants = tuple(np.ascontiguousarray(c, dtype=np.float64) for c in constants)
        self.n_inputs = n_inputs

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
        """Cotangent of the value times the gradients; the gradients have no derivatives of their own."""
        del inputs
        return [cotangents[0] * gradient for gradient in outputs[1:]]


@numba_dispatch.numba_funcify.register(ScalarWithGradient)
def _numba_scalar_with_gradient(op: ScalarWithGradient, **kwargs: Any) -> Any:
    """The kernel for PyTensor's numba mode, called within compiled code."""
    del kwargs
    function, constants = op.function, op.constants
    if op.n_inputs == 3:

        @numba_dispatch.numba_njit
        def three(first, second, third):  # type: ignore[no-untyped-def]  # compiled by numba from its argument types
            value, gradient_first, gradient_second, gradient_third = function(first, second, third, *constants)
            return np.asarray(value), gradient_first, gradient_second, gradient_third

        return three

    @numba_dispatch.numba_njit
    def two(first, second):  # type: ignore[no-untyped-def]  # as above
        value, gradient_first, gradient_second = function(first, second, *constants)
        return np.asarray(value), gradient_first, gradient_second

    return two

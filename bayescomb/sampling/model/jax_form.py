"""The densities as JAX operations, for numpyro, blackjax and nutpie's JAX backend, if JAX is installed.

The kernels are compiled functions of this package that return value and gradient together.  JAX calls them back on the CPU,
and a custom rule of differentiation hands it their gradient.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from pytensor.graph.op import Op

from bayescomb.sampling.feasible_transform import FeasibleMap
from bayescomb.sampling.model.kernels import ScalarWithGradient

__all__ = ["offer_jax"]


@cache
def offer_jax() -> bool:
    """Register the JAX form of the densities with PyTensor, if JAX is installed; return whether it is."""
    if importlib.util.find_spec("jax") is None:
        return False
    from pytensor.link.jax.dispatch import jax_funcify

    jax_funcify.register(ScalarWithGradient)(_jax_scalar_with_gradient)
    jax_funcify.register(FeasibleMap)(_jax_feasible_map)
    jax_funcify.register(type(FeasibleMap([]).reverse))(_jax_called_back)
    return True


def _jax_scalar_with_gradient(op: ScalarWithGradient, **kwargs: Any) -> Any:
    """A JAX function of the inputs that returns the value and one gradient per input."""
    del kwargs
    jax = importlib.import_module("jax")

    def call(*inputs: Any) -> tuple[Any, ...]:
        return _called_back(op, inputs, [(), *(x.shape for x in inputs)])

    def forward(*inputs: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        found = call(*inputs)
        return found, found[1:]

    def backward(gradients: tuple[Any, ...], cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        # The gradients have no derivatives of their own.
        return tuple(cotangents[0] * gradient for gradient in gradients)

    function = jax.custom_vjp(call)
    function.defvjp(forward, backward)
    return function


def _jax_feasible_map(op: FeasibleMap, **kwargs: Any) -> Any:
    """A JAX function of the unconstrained coordinates that returns the point and the log Jacobian."""
    del kwargs
    jax = importlib.import_module("jax")

    def call(value: Any) -> tuple[Any, ...]:
        return _called_back(op, (value,), [value.shape, ()])

    def forward(value: Any) -> tuple[tuple[Any, ...], Any]:
        return call(value), value

    def backward(value: Any, cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        return _called_back(op.reverse, (value, *cotangents), [value.shape])

    function = jax.custom_vjp(call)
    function.defvjp(forward, backward)
    return function


def _jax_called_back(op: Op, **kwargs: Any) -> Any:
    """A JAX function, without derivative, of an operation whose one output has the shape of its first input."""
    del kwargs
    return lambda *inputs: _called_back(op, inputs, [inputs[0].shape])[0]


def _called_back(op: Op, inputs: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> tuple[Any, ...]:
    """Outputs of an operation, computed by its ``perform``."""
    jax, jnp = (importlib.import_module(name) for name in ("jax", "jax.numpy"))

    def host(*values: Any) -> tuple[Any, ...]:
        storage: list[list[Any]] = [[None] for _ in shapes]
        op.perform(None, [np.array(x, dtype=np.float64) for x in values], storage)
        return tuple(np.asarray(cell[0], dtype=np.float64) for cell in storage)

    double = [jnp.asarray(x, dtype=jnp.float64) for x in inputs]
    found = [jax.ShapeDtypeStruct(shape, jnp.float64) for shape in shapes]
    return tuple(jax.pure_callback(host, tuple(found), *double, vmap_method="sequential"))

"""The densities as JAX operations, for numpyro, blackjax and nutpie's JAX backend; loaded where JAX is installed only.

The kernels are compiled functions of this package that give value and gradient together.  JAX calls them back on the
processor, and takes the gradient that they give: the value is differentiated by a rule of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

import numpy as np

from bayescomb.sampling.kernels import ScalarWithGradient

__all__ = ["offer_jax"]


@cache
def offer_jax() -> bool:
    """Tell PyTensor the JAX form of the densities; whether JAX is installed."""
    if importlib.util.find_spec("jax") is None:
        return False
    from pytensor.link.jax.dispatch import jax_funcify

    jax_funcify.register(ScalarWithGradient)(_jax_scalar_with_gradient)
    return True


def _jax_scalar_with_gradient(op: ScalarWithGradient, **kwargs: Any) -> Any:
    """A JAX function of the inputs that returns the value and one gradient per input."""
    del kwargs
    jax, jnp = (importlib.import_module(name) for name in ("jax", "jax.numpy"))

    def host(*inputs: Any) -> tuple[Any, ...]:
        vectors = [np.ascontiguousarray(x, dtype=np.float64) for x in inputs]
        value, *gradients = op.function(*vectors, *op.constants)
        return (np.asarray(value, dtype=np.float64), *gradients)

    def call(*inputs: Any) -> tuple[Any, ...]:
        double = [jnp.asarray(x, dtype=jnp.float64) for x in inputs]
        shapes = (jax.ShapeDtypeStruct((), jnp.float64), *(jax.ShapeDtypeStruct(x.shape, jnp.float64) for x in double))
        return tuple(jax.pure_callback(host, shapes, *double, vmap_method="sequential"))

    function = jax.custom_vjp(call)

    def forward(*inputs: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        found = call(*inputs)
        return found, found[1:]

    def backward(gradients: tuple[Any, ...], cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        # The gradients themselves are not differentiated.
        return tuple(cotangents[0] * gradient for gradient in gradients)

    function.defvjp(forward, backward)
    return function

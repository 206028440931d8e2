"""PyMC transforms of the sampled variables: the feasible set of the coefficients, and results above 0.

The map of :mod:`bayescomb.sampling.fused.coordinates` and its reverse sweep are one node of the graph each, as a sampler
calls them at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import Transform
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_dispatch

from bayescomb.base.arrays import FloatArray
from bayescomb.sampling.fused.coordinates import PULLBACK, coordinates_of, feasible_point, feasible_pullback, range_constants
from bayescomb.sampling.priors import RadialBlock

__all__ = ["AboveZero", "FeasibleMap", "FeasibleTransform", "IdentityOp"]


class IdentityOp(Op):
    """An operation that is equal to itself only, as its constants are not compared."""

    __props__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class FeasibleMap(IdentityOp):
    """The map of unconstrained coordinates to (point, log Jacobian)."""

    def __init__(self, constants: Sequence[FloatArray]) -> None:
        self.constants = tuple(np.ascontiguousarray(c, dtype=np.float64) for c in constants)
        self.reverse = _FeasiblePullback(self.constants)

    def make_node(self, value: Any) -> Apply:
        """A vector and a scalar."""
        return Apply(self, [pt.as_tensor(value, dtype="float64")], [pt.dvector(), pt.dscalar()])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """Point and log Jacobian by the compiled kernel."""
        del node
        point, log_jacobian, _, _ = feasible_point(inputs[0], *self.constants)
        output_storage[0][0], output_storage[1][0] = point, np.asarray(log_jacobian)

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Both cotangents in one sweep."""
        del outputs
        by_point, by_log = (
            pt.zeros(inputs[0].shape if i == 0 else ()) if isinstance(c.type, DisconnectedType) else c
            for i, c in enumerate(cotangents)
        )
        return [self.reverse(inputs[0], by_point, by_log)]


class _FeasiblePullback(IdentityOp):
    """Cotangent of the coordinates from those of point and log Jacobian; it has no derivative of its own."""

    def __init__(self, constants: tuple[FloatArray, ...]) -> None:
        self.constants = constants

    def make_node(self, *inputs: Any) -> Apply:
        """Coordinates, cotangent of the point, cotangent of the log Jacobian -> a vector."""
        return Apply(self, [pt.as_tensor(i, dtype="float64") for i in inputs], [pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """The cotangent by the compiled kernel."""
        del node
        value, by_point, by_log = inputs
        point, _, scales, slopes = feasible_point(value, *self.constants)
        output_storage[0][0] = feasible_pullback(
            value, point, scales, slopes, by_point, float(by_log), *self.constants[:PULLBACK]
        )


@numba_dispatch.numba_funcify.register(FeasibleMap)
def _numba_map(op: FeasibleMap, **kwargs: Any) -> Any:
    del kwargs
    constants = op.constants

    @numba_dispatch.numba_njit
    def forward(value):  # type: ignore[no-untyped-def]  # compiled by numba from its argument types
        point, log_jacobian, _, _ = feasible_point(value, *constants)
        return point, np.asarray(log_jacobian)

    return forward


@numba_dispatch.numba_funcify.register(_FeasiblePullback)
def _numba_pullback(op: _FeasiblePullback, **kwargs: Any) -> Any:
    del kwargs
    constants, first = op.constants, op.constants[:PULLBACK]

    @numba_dispatch.numba_njit
    def backward(value, by_point, by_log):  # type: ignore[no-untyped-def]  # as above
        point, _, scales, slopes = feasible_point(value, *constants)
        return feasible_pullback(value, point, scales, slopes, by_point, by_log.item(), *first)

    return backward


class FeasibleTransform(Transform):
    """The map onto the feasible set as a PyMC transform.

    Args:
        low: lower ends of the box, shape (K,).
        high: upper ends of the box, shape (K,).
        radial: blocks whose box is partly infeasible.
    """

    name = "feasible"
    ndim_supp = 1

    def __init__(self, low: FloatArray, high: FloatArray, radial: tuple[RadialBlock, ...]) -> None:
        self.low, self.high, self.radial = low, high, radial
        self.map = FeasibleMap(range_constants(low, high, radial))

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Coefficients from unconstrained coordinates."""
        del inputs
        return self.map(value)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of the Jacobian determinant of ``backward``."""
        del inputs
        return self.map(value)[1]

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Unconstrained coordinates from coefficients, needed for starting points only."""
        del inputs
        return _FeasibleInverse(self)(value)


class AboveZero(Transform):
    """x = s log(1 + exp(u / s)) > 0: about u some widths above 0, and about s exp(u / s) below.

    Far from the bound the coordinate is the value itself, so that linear correlations of results stay linear.

    Args:
        scale: s, the width of the quantity, in its unit.
    """

    name = "above_zero"
    ndim_supp = 0

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def backward(self, value: Any, *inputs: Any) -> Any:
        """The quantity from its unconstrained coordinate."""
        del inputs
        return self.scale * pt.softplus(value / self.scale)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """The unconstrained coordinate of a quantity above 0."""
        del inputs
        return value + self.scale * pt.log1p(-pt.exp(-value / self.scale))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of dx/du."""
        del inputs
        return -pt.softplus(-value / self.scale)


class _FeasibleInverse(IdentityOp):
    """Unconstrained coordinates of a feasible point."""

    def __init__(self, transform: FeasibleTransform) -> None:
        self.transform = transform

    def make_node(self, value: Any) -> Apply:
        """A vector."""
        return Apply(self, [pt.as_tensor(value, dtype="float64")], [pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """The coordinates of a starting point."""
        del node
        own = self.transform
        output_storage[0][0] = coordinates_of(inputs[0], own.low, own.high, own.radial)

"""Unconstrained coordinates of the feasible set of the coefficients: logit on the box, then a radial map onto the set.

With g the gauge of each set seen from the centre c (1 at its boundary, linear along rays) and d = y - c, a point y of the
box goes to c + s d with s = 1 / (1 + max(0, g_feasible(d) - g_box(d))): the identity near the centre, and a side of the box
goes to the boundary of the set.  Along a ray the excess e is linear, so d . grad s = -s^2 e and the Jacobian determinant of
the map, s^(k-1) (s + d . grad s), is s^(k+1).

The whole map is one node of the graph, its reverse sweep another: a sampler calls it at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.transforms import Transform
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_dispatch

from bayescomb.sampling.priors import RadialBlock

__all__ = ["AboveZero", "FeasibleMap", "FeasibleTransform", "excess_kernel"]

FloatArray = NDArray[np.float64]


@numba.njit(cache=True)
def excess_kernel(offset, room_below, room_above, patterns):  # type: ignore[no-untyped-def]
    """By how much the gauge of the feasible set exceeds that of the box, max(0, g_feasible - g_box), and its gradient.

    A gauge is 1 at the boundary of its set and grows linearly along rays from the centre.  g_box is the largest share of
    the way to a side, g_feasible the largest eigenvalue of sum_c d_c patterns_c, 1 where the matrix becomes singular.

    Args:
        offset: d, point minus centre, shape (k,).
        room_below: centre minus lower end, shape (k,).
        room_above: upper end minus centre, shape (k,).
        patterns: shape (k, n * n).

    Returns:
        The excess and its gradient, shape (k,).
    """
    count, size = len(offset), int(np.round(np.sqrt(patterns.shape[1])))
    gradient = np.zeros(count)
    side, gauge_box, slope = 0, 0.0, 0.0
    for c in range(count):
        room = room_above[c] if offset[c] > 0 else -room_below[c]
        if offset[c] / room > gauge_box:
            side, gauge_box, slope = c, offset[c] / room, 1 / room
    matrix = np.zeros((size, size))
    for c in range(count):
        for i in range(size):
            for j in range(size):
                matrix[i, j] += offset[c] * patterns[c, i * size + j]
    try:
        eigenvalues, vectors = np.linalg.eigh(matrix)
    except Exception:  # numba knows no narrower class; of a step so far out that it is no number, which is rejected later
        return 0.0, gradient
    excess = eigenvalues[size - 1] - gauge_box
    if excess <= 0.0:
        return 0.0, gradient
    gradient[side] = -slope
    for c in range(count):
        for i in range(size):
            for j in range(size):
                gradient[c] += patterns[c, i * size + j] * vectors[i, size - 1] * vectors[j, size - 1]
    return excess, gradient


@numba.njit(cache=True)
def feasible_kernel(  # type: ignore[no-untyped-def]
    value, by_point, by_log, reverse, low, high, sizes, index, centre, below, above, shapes, patterns
):
    """Point and log Jacobian of the map, and, if asked, the pullback of their cotangents.

    Args:
        value: unconstrained coordinates, shape (K,).
        by_point: cotangent of the point, shape (K,).
        by_log: cotangent of the log Jacobian.
        reverse: whether the pullback is wanted.
        low: lower ends of the box, shape (K,).
        high: upper ends of the box, shape (K,).
        sizes: number of coefficients of each block.
        index: their positions, block after block.
        centre: centres, likewise.
        below: centre minus lower end, likewise.
        above: upper end minus centre, likewise.
        shapes: size n of the matrix of each block.
        patterns: its (k, n, n) patterns, flat, block after block.

    Returns:
        Point, shape (K,); log Jacobian; cotangent of the value, shape (K,).
    """
    # Written out in loops, which numba compiles several times faster than expressions of arrays.
    count = len(value)
    share, point, by_box = np.empty(count), np.empty(count), by_point.copy()
    log_jacobian = 0.0
    for i in range(count):
        share[i] = 1 / (1 + np.exp(-value[i]))
        point[i] = low[i] + (high[i] - low[i]) * share[i]
        # log of share (1 - share), without overflow
        log_jacobian += np.log(high[i] - low[i]) - abs(value[i]) - 2 * np.log1p(np.exp(-abs(value[i])))
    start, cell = 0, 0
    for b in range(len(sizes)):
        k, n = int(sizes[b]), int(shapes[b])
        offset = np.empty(k)
        for i in range(k):
            offset[i] = point[int(index[start + i])] - centre[start + i]
        inner = patterns[cell : cell + k * n * n].reshape(k, n * n)
        excess, slope = excess_kernel(offset, below[start : start + k], above[start : start + k], inner)
        scale = 1 / (1 + excess)
        log_jacobian -= (k + 1) * np.log1p(excess)
        by_excess = -(k + 1) * scale * by_log
        for i in range(k):
            where = int(index[start + i])
            point[where] = centre[start + i] + scale * offset[i]
            by_excess -= scale**2 * by_point[where] * offset[i]
        if reverse:
            for i in range(k):
                where = int(index[start + i])
                by_box[where] = scale * by_point[where] + by_excess * slope[i]
        start += k
        cell += k * n * n
    for i in range(count):
        by_box[i] = by_box[i] * (high[i] - low[i]) * share[i] * (1 - share[i]) + by_log * (1 - 2 * share[i])
    return point, log_jacobian, by_box


class FeasibleMap(Op):
    """(point, log Jacobian) of unconstrained coordinates."""

    __props__ = ()

    def __init__(self, constants: Sequence[FloatArray]) -> None:
        self.constants = tuple(np.ascontiguousarray(c, dtype=np.float64) for c in constants)
        self.reverse = _FeasiblePullback(self.constants)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def make_node(self, value: Any) -> Apply:
        """A vector and a scalar."""
        return Apply(self, [pt.as_tensor(value, dtype="float64")], [pt.dvector(), pt.dscalar()])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """By the compiled kernel."""
        del node
        point, log_jacobian, _ = feasible_kernel(inputs[0], inputs[0], 0.0, False, *self.constants)
        output_storage[0][0], output_storage[1][0] = point, np.asarray(log_jacobian)

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Both cotangents in one sweep."""
        del outputs
        by_point, by_log = (
            pt.zeros(inputs[0].shape if i == 0 else ()) if isinstance(c.type, DisconnectedType) else c
            for i, c in enumerate(cotangents)
        )
        return [self.reverse(inputs[0], by_point, by_log)]


class _FeasiblePullback(Op):
    """Cotangent of the coordinates from those of point and log Jacobian; not differentiated further."""

    __props__ = ()

    def __init__(self, constants: tuple[FloatArray, ...]) -> None:
        self.constants = constants

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def make_node(self, *inputs: Any) -> Apply:
        """Coordinates, cotangent of the point, cotangent of the log Jacobian -> a vector."""
        return Apply(self, [pt.as_tensor(i, dtype="float64") for i in inputs], [pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """By the compiled kernel."""
        del node
        output_storage[0][0] = feasible_kernel(inputs[0], inputs[1], float(inputs[2]), True, *self.constants)[2]


@numba_dispatch.numba_funcify.register(FeasibleMap)
def _numba_map(op: FeasibleMap, **kwargs: Any) -> Any:
    del kwargs
    constants = op.constants

    @numba_dispatch.numba_njit
    def forward(value):  # type: ignore[no-untyped-def]  # compiled by numba from its argument types
        point, log_jacobian, _ = feasible_kernel(value, value, 0.0, False, *constants)
        return point, np.asarray(log_jacobian)

    return forward


@numba_dispatch.numba_funcify.register(_FeasiblePullback)
def _numba_pullback(op: _FeasiblePullback, **kwargs: Any) -> Any:
    del kwargs
    constants = op.constants

    @numba_dispatch.numba_njit
    def backward(value, by_point, by_log):  # type: ignore[no-untyped-def]  # as above
        return feasible_kernel(value, by_point, by_log.item(), True, *constants)[2]

    return backward


class FeasibleTransform(Transform):
    """The map as a PyMC transform.

    Args:
        low: lower ends of the box, shape (K,).
        high: upper ends of the box, shape (K,).
        radial: blocks whose box is partly infeasible.
    """

    name = "feasible"
    ndim_supp = 1

    def __init__(self, low: FloatArray, high: FloatArray, radial: tuple[RadialBlock, ...]) -> None:
        self.low, self.high, self.radial = low, high, radial

        def joined(parts: list[FloatArray]) -> FloatArray:
            return np.concatenate([np.zeros(0), *(np.ravel(part) for part in parts)])

        constants = (
            low,
            high,
            np.array([len(b.index) for b in radial], dtype=float),
            joined([b.index.astype(float) for b in radial]),
            joined([b.centre for b in radial]),
            joined([b.centre - low[b.index] for b in radial]),
            joined([high[b.index] - b.centre for b in radial]),
            np.array([b.patterns.shape[1] for b in radial], dtype=float),
            joined([b.patterns for b in radial]),
        )
        self.map = FeasibleMap(constants)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Coefficients from unconstrained coordinates."""
        del inputs
        return self.map(value)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of the Jacobian determinant of ``backward``."""
        del inputs
        return self.map(value)[1]

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Unconstrained coordinates from coefficients, which need not be fast: only starting points go this way."""
        del inputs
        return _FeasibleInverse(self)(value)


class AboveZero(Transform):
    """x = s log(1 + exp(u / s)) > 0: u itself some widths above 0, and its exponential below.

    Far from the bound the sampler moves in the same coordinates as without it, so that what ties results to each other stays
    straight.

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


class _FeasibleInverse(Op):
    """Unconstrained coordinates of a feasible point."""

    __props__ = ()

    def __init__(self, transform: FeasibleTransform) -> None:
        self.transform = transform

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def make_node(self, value: Any) -> Apply:
        """A vector."""
        return Apply(self, [pt.as_tensor(value, dtype="float64")], [pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[FloatArray], output_storage: Sequence[list[Any]]) -> None:
        """Along each ray the excess is linear, so that the way back divides by 1 - excess."""
        del node
        low, high = self.transform.low, self.transform.high
        point = inputs[0].copy()
        for block in self.transform.radial:
            offset = point[block.index] - block.centre
            patterns = block.patterns.reshape(len(block.index), -1)
            excess, _ = excess_kernel(offset, block.centre - low[block.index], high[block.index] - block.centre, patterns)
            point[block.index] = block.centre + offset / (1 - excess)
        unit = (point - low) / (high - low)
        output_storage[0][0] = np.log(unit) - np.log1p(-unit)

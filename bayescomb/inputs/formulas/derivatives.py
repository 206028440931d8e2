r"""Formulas as affine maps where they are linear, and values of formulas with exact first and second derivatives.

Derivatives are propagated forward through the tree.  For a function f of a node with value v, gradient g and second
derivatives H they are

.. math:: \nabla f = f'(v)\,g, \qquad \nabla\nabla f = f'(v)\,H + f''(v)\,g g^T .
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.inputs.formulas.formulas import FUNCTIONS, Function, Node, Number, Operation, Tabulated, Variable

__all__ = ["Affine", "Jet", "affine", "jet"]


@dataclass(frozen=True)
class Affine:
    """constant + sum of coefficients times variables; a coefficient may be 0."""

    constant: float
    coefficients: Mapping[str, float]


@dataclass(frozen=True)
class Jet:
    """Value of a node, its gradient, shape (n,), and its second derivatives, shape (n, n), in n variables."""

    value: float
    gradient: FloatArray
    curvature: FloatArray


def affine(node: Node) -> Affine | None:
    """The tree as a sum of constants times variables; ``None`` if it is not written as such a sum."""
    match node:
        case Number():
            return Affine(node.value, {})
        case Variable():
            return Affine(0.0, {node.name: 1.0})
        case Function() | Tabulated():
            return None
    first, second = affine(node.first), affine(node.second)
    if first is None or second is None:
        return None
    match node.sign:
        case "+":
            return _sum(first, second, 1.0)
        case "-":
            return _sum(first, second, -1.0)
        case "*" if not first.coefficients:
            return _scaled(second, first.constant)
        case "*" if not second.coefficients:
            return _scaled(first, second.constant)
        case "/" if not second.coefficients and second.constant:
            return _over(first, second.constant)
        case "**" if not second.coefficients and second.constant == 1.0:
            return first
    return None


def _sum(first: Affine, second: Affine, sign: float) -> Affine:
    found = dict(first.coefficients)
    for name, value in second.coefficients.items():
        found[name] = found[name] + sign * value if name in found else sign * value
    return Affine(first.constant + sign * second.constant, found)


def _scaled(part: Affine, factor: float) -> Affine:
    return Affine(factor * part.constant, {name: factor * value for name, value in part.coefficients.items()})


def _over(part: Affine, divisor: float) -> Affine:
    return Affine(part.constant / divisor, {name: value / divisor for name, value in part.coefficients.items()})


def jet(node: Node, values: FloatArray, index: Mapping[str, int]) -> Jet:
    """Value and exact derivatives of a tree.

    Args:
        node: the tree.
        values: values of n variables, shape (n,).
        index: name of a variable -> its position.

    Examples:
        >>> import numpy as np
        >>> from bayescomb.inputs.formulas import jet, parse
        >>> found = jet(parse("a**2 / b", names=["a", "b"], where="example"), np.array([3.0, 2.0]), {"a": 0, "b": 1})
        >>> float(found.value), found.gradient.tolist(), found.curvature.tolist()
        (4.5, [3.0, -2.25], [[1.0, -1.5], [-1.5, 2.25]])
    """
    n = len(values)
    match node:
        case Number():
            return Jet(node.value, np.zeros(n), np.zeros((n, n)))
        case Variable():
            unit = np.zeros(n)
            unit[index[node.name]] = 1.0
            return Jet(float(values[index[node.name]]), unit, np.zeros((n, n)))
        case Function():
            inner = jet(node.argument, values, index)
            value = getattr(np, node.name)(inner.value)
            return _through(inner, value, *FUNCTIONS[node.name](np.float64(inner.value), value))
        case Tabulated():
            inner = jet(node.argument, values, index)
            return _through(inner, float(node.curve.value(inner.value)), *node.curve.derivatives(inner.value))
        case Operation():
            first, second = jet(node.first, values, index), jet(node.second, values, index)
            return _combined(node, first, second)


def _through(inner: Jet, value: float, slope: float, bend: float) -> Jet:
    outer = np.outer(inner.gradient, inner.gradient)
    return Jet(value, slope * inner.gradient, slope * inner.curvature + bend * outer)


def _combined(node: Operation, first: Jet, second: Jet) -> Jet:
    match node.sign:
        case "+":
            return Jet(first.value + second.value, first.gradient + second.gradient, first.curvature + second.curvature)
        case "-":
            return Jet(first.value - second.value, first.gradient - second.gradient, first.curvature - second.curvature)
        case "*":
            return _product(first, second)
        case "/":
            v = np.float64(second.value)
            return _product(first, _through(second, 1 / v, -1 / v**2, 2 / v**3))
    v = np.float64(first.value)
    if isinstance(node.second, Number):
        p = node.second.value
        slope = p * v ** (p - 1) if p else 0.0
        bend = p * (p - 1) * v ** (p - 2) if p not in (0.0, 1.0) else 0.0
        return _through(first, v**p, slope, bend)
    # a ** b is exp(b log a)
    logarithm = _through(first, np.log(v), 1 / v, -1 / v**2)
    exponent = _product(second, logarithm)
    value = np.exp(exponent.value)
    return _through(exponent, value, value, value)


def _product(first: Jet, second: Jet) -> Jet:
    cross = np.outer(first.gradient, second.gradient)
    return Jet(
        first.value * second.value,
        first.value * second.gradient + second.value * first.gradient,
        first.value * second.curvature + second.value * first.curvature + cross + cross.T,
    )

"""What the estimates are as a function of the variables: a linear map, and formulas where it is none."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import Node, evaluate, jet
from bayescomb.inputs.measurements import LikelihoodTable
from bayescomb.likelihood.responses import warped

__all__ = ["Mapping", "mapping"]


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """t = B v + c + W f(v) of E estimates, V variables and M curved quantities f.

    Attributes:
        variables: V names.
        design: B, shape (E, V).
        constant: c, shape (E,).
        nodes: M trees.
        weights: W, shape (E, M).
        tables: position of an estimate -> the table of points that its likelihood is.
    """

    variables: tuple[str, ...]
    design: FloatArray
    constant: FloatArray
    nodes: tuple[Node, ...]
    weights: FloatArray
    tables: abc.Mapping[int, LikelihoodTable]

    @property
    def linear(self) -> bool:
        """Whether no quantity is curved."""
        return not self.nodes

    def value(self, variables: Any, *, xp: Any = np) -> Any:
        """T, shape (E,), of variables, shape (V,); of symbols with ``pytensor.tensor``."""
        t = self.design @ variables if xp is np else xp.sum(self.design * variables, axis=1)
        if self.constant.any():
            t = t + self.constant
        if not self.nodes:
            return t
        values = {name: variables[i] for i, name in enumerate(self.variables)}
        curved = [evaluate(node, values, xp=xp) for node in self.nodes]
        if xp is np:
            return t + self.weights @ np.array(curved)
        return t + xp.sum(self.weights * xp.stack(curved), axis=1)

    def compared(self, variables: Any) -> FloatArray:
        """What the values of the estimates are compared with, shape (E,): t, warped where the likelihood is a table."""
        return np.asarray(warped(self.value(variables), self.tables))

    def jacobian(self, variables: FloatArray) -> FloatArray:
        """dt/dv, shape (E, V)."""
        if not self.nodes:
            return self.design
        return self.design + self.weights @ np.array([j.gradient for j in self._jets(variables)])

    def curvature(self, variables: FloatArray, by_t: FloatArray) -> FloatArray:
        """Sum over the estimates of by_t, shape (E,), times the second derivatives of t, shape (V, V)."""
        total = np.zeros((len(variables), len(variables)))
        for weight, found in zip(by_t @ self.weights, self._jets(variables), strict=True):
            total += weight * found.curvature
        return total

    def _jets(self, variables: FloatArray) -> list[Any]:
        index = {name: i for i, name in enumerate(self.variables)}
        return [jet(node, variables, index) for node in self.nodes]


def mapping(combination: Combination) -> Mapping:
    """The map of a combination.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.likelihood.nonlinear.mapping import mapping
        >>> mapping(bc.load("models/run1_mass")).linear
        True
    """
    nodes, weights = combination.quantities.curved([e.observables for e in combination.estimates])
    return Mapping(
        variables=tuple(o.name for o in combination.variables),
        design=combination.design,
        constant=combination.constant,
        nodes=nodes,
        weights=weights,
        tables=combination.tables,
    )

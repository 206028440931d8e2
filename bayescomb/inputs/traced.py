"""Python functions as formulas: a function is called once with symbols, and returns the formula of each observable.

Symbols record arithmetic and the numpy functions of :data:`bayescomb.inputs.formulas.FUNCTIONS`; a branch or a loop over
the value of a symbol cannot be recorded and is an error.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from bayescomb.base.checks import check_mapping, known_name
from bayescomb.base.errors import FormulaError
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import FUNCTIONS, Function, Node, Number, Operation, Variable, formula_text
from bayescomb.inputs.parameters import Parameter

__all__ = ["Traced", "with_functions_of"]

SIGNS: Final = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "power": "**"}


def _both(sign: str) -> tuple[Callable[[Traced, Any], Traced], Callable[[Traced, Any], Traced]]:
    """Methods for an operation with the symbol as first and as second operand."""
    return lambda own, other: _operation(sign, own, other), lambda own, other: _operation(sign, other, own)


class Traced:
    """A symbol that records what is calculated with it.

    Examples:
        >>> import numpy as np
        >>> from bayescomb.inputs.formulas import Variable, formula_text
        >>> formula_text((1 / Traced(Variable("tau")) + np.exp(-Traced(Variable("a")))).node)
        '1 / tau + exp(-a)'
    """

    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]  # a symbol has no value to compare

    def __init__(self, node: Node) -> None:
        self.node = node

    __add__, __radd__ = _both("+")
    __sub__, __rsub__ = _both("-")
    __mul__, __rmul__ = _both("*")
    __truediv__, __rtruediv__ = _both("/")
    __pow__, __rpow__ = _both("**")

    def __neg__(self) -> Traced:
        return Traced(Operation("-", Number(0.0, exact=True), self.node))

    def __pos__(self) -> Traced:
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Traced:
        name = ufunc.__name__
        if method == "__call__" and not kwargs:
            if name in SIGNS and len(inputs) == 2:
                return _operation(SIGNS[name], *inputs)
            if name == "negative":
                return -self
            if name in FUNCTIONS:
                return Traced(Function(name, self.node))
        msg = f"numpy's {name} found in a function of parameters; allowed: {', '.join(FUNCTIONS)}, and arithmetic"
        raise FormulaError(msg)

    def __bool__(self) -> bool:
        msg = "a branch on a parameter found, which a formula cannot have; write the case that holds"
        raise FormulaError(msg)

    def __float__(self) -> float:
        msg = "a parameter has no value while the function is read; use numpy's functions in place of those of math"
        raise FormulaError(msg)

    def __lt__(self, other: Any) -> bool:
        return bool(self)

    __le__ = __gt__ = __ge__ = __lt__

    def __eq__(self, other: object) -> bool:
        return bool(self)


def _operation(sign: str, first: Any, second: Any) -> Traced:
    return Traced(Operation(sign, _node(first), _node(second)))


def _node(value: Any) -> Node:
    if isinstance(value, Traced):
        return value.node
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value):
        return Number(float(value), exact=isinstance(value, (int, np.integer)))
    msg = f"{value!r} found in a function of parameters; numbers and parameters are allowed"
    raise FormulaError(msg)


def with_functions_of(
    combination: Combination,
    observables: Callable[..., Mapping[str, Any]] | Mapping[str, str],
    start: Mapping[str, float],
) -> Combination:
    """The combination whose observables are functions of parameters.

    Args:
        combination: the combination.
        observables: a function that takes the parameters by name and returns observable -> value, or observable -> formula.
        start: parameter -> starting value of a fit.

    Raises:
        FormulaError: the function uses more than arithmetic and the functions that formulas have.
        OptionError: the function returns no mapping.
        UnknownNameError: an observable is unknown.

    Examples:
        >>> import bayescomb as bc
        >>> shifted = with_functions_of(bc.load("models/run1_mass"), lambda x: {"m_t": 172.5 + x}, {"x": 0.0})
        >>> [o.formula for o in shifted.observables], [p.name for p in shifted.parameters]
        (['172.5 + x'], ['x'])
    """
    where = f"observables of {combination.name!r}"
    check_mapping(start, where=f"start of the {where}", example='{"tau_s": 1.5}')
    taken = {o.name for o in (*combination.variables, *combination.functions)}
    parameters = [Parameter(name=name, start=value) for name, value in start.items() if name not in taken]
    if callable(observables):
        found = observables(**{name: Traced(Variable(name)) for name in start})
        check_mapping(found, where=f"what the function of {where} returns", example='{"Gamma_s": 1 / tau_s}')
        formulas = {name: formula_text(_node(value)) for name, value in found.items()}
    else:
        check_mapping(observables, where=where, example='{"Gamma_s": "1 / tau_s"}')
        formulas = dict(observables)
    for name in formulas:
        known_name(name, [o.name for o in combination.observables], kind="observable", where=where)
    return dataclasses.replace(
        combination,
        parameters=(*combination.parameters, *parameters),
        observables=tuple(dataclasses.replace(o, formula=formulas.get(o.name, o.formula)) for o in combination.observables),
    )

r"""Formulas of observables and derived quantities, read without ``eval`` as trees for numbers, arrays and symbols.

A formula holds arithmetic (``+ - * / **``, brackets), numbers, ``pi``, the functions of :data:`FUNCTIONS`, curves through
tabulated points (:mod:`~bayescomb.inputs.curves`), which are called like functions, and names of other quantities.  A name
with signs other than letters, digits and ``_`` is written in backquotes.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bayescomb.base.checks import known_name
from bayescomb.base.errors import FormulaError
from bayescomb.inputs.curves import Curve

__all__ = [
    "FUNCTIONS",
    "Function",
    "Node",
    "Number",
    "Operation",
    "Tabulated",
    "Variable",
    "curves_in",
    "evaluate",
    "formula_text",
    "names_in",
    "parse",
    "substituted",
]

LONGEST: Final = 5000
DEEPEST: Final = 100
QUOTED: Final = re.compile(r"`([^`]*)`")
PLACEHOLDER: Final = "quoted_name_{}_"
OPERATORS: Final[dict[type[ast.operator], str]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
SYMBOLIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
}  # fmt: skip
BINDING: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
NEGATIVE: Final = 3
# First and second derivative of each function at v, where its value is w.
FUNCTIONS: Final[dict[str, Callable[[float, float], tuple[float, float]]]] = {
    "exp": lambda _v, w: (w, w),
    "log": lambda v, _w: (1 / v, -1 / v**2),
    "log10": lambda v, _w: (1 / (v * math.log(10)), -1 / (v**2 * math.log(10))),
    "sqrt": lambda v, w: (0.5 / w, -0.25 / (v * w)),
    "sin": lambda v, w: (np.cos(v), -w),
    "cos": lambda v, w: (-np.sin(v), -w),
    "tan": lambda _v, w: (1 + w**2, 2 * w * (1 + w**2)),
    "arcsin": lambda v, _w: ((1 - v**2) ** -0.5, v * (1 - v**2) ** -1.5),
    "arccos": lambda v, _w: (-((1 - v**2) ** -0.5), -v * (1 - v**2) ** -1.5),
    "arctan": lambda v, _w: (1 / (1 + v**2), -2 * v / (1 + v**2) ** 2),
    "sinh": lambda v, w: (np.cosh(v), w),
    "cosh": lambda v, w: (np.sinh(v), w),
    "tanh": lambda _v, w: (1 - w**2, -2 * w * (1 - w**2)),
}
KINKED: Final = ("abs", "min", "max", "round", "floor", "ceil", "sign")
OTHER_NAMES: Final = {"ln": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "pow": "a ** b"}


@dataclass(frozen=True)
class Number:
    """A constant; ``exact`` if it was written as a whole number, which has no unit in a product."""

    value: float
    exact: bool = False


@dataclass(frozen=True)
class Variable:
    """A quantity by its name."""

    name: str


@dataclass(frozen=True)
class Operation:
    """Two nodes joined by ``+``, ``-``, ``*``, ``/`` or ``**``."""

    sign: str
    first: Node
    second: Node


@dataclass(frozen=True)
class Function:
    """One of :data:`FUNCTIONS` of a node."""

    name: str
    argument: Node


@dataclass(frozen=True)
class Tabulated:
    """A curve through tabulated points, of a node."""

    curve: Curve
    argument: Node


Node = Number | Variable | Operation | Function | Tabulated


def parse(text: str, *, names: Collection[str], where: str, curves: Mapping[str, Curve] | None = None) -> Node:
    """The tree of a formula.

    Args:
        text: the formula.
        names: names of the quantities that it may use.
        where: the place, for messages.
        curves: name -> curve that it may call.

    Raises:
        FormulaError: the text is not a formula; the message gives the position.
        UnknownNameError: the formula uses another name.

    Examples:
        >>> from bayescomb.inputs.formulas import affine, parse
        >>> affine(parse("1 - F_0 - 2 * F_L", names=["F_0", "F_L"], where="example"))
        Affine(constant=1.0, coefficients={'F_0': -1.0, 'F_L': -2.0})
    """
    at = f"{where}: formula {text!r}"
    if len(text) > LONGEST:
        msg = f"{where}: formula of {len(text)} characters found, {LONGEST} are allowed; divide it into several quantities"
        raise FormulaError(msg)
    quoted: dict[str, str] = {}

    def placed(match: re.Match[str]) -> str:
        word = PLACEHOLDER.format(len(quoted))
        quoted[word] = match[1]
        return word

    plain = QUOTED.sub(placed, text.strip())
    try:
        tree = ast.parse(plain, mode="eval").body
        return _Reader(at=at, names=names, quoted=quoted, curves=curves or {}).node(tree)
    except SyntaxError as error:
        advice = "write arithmetic, as in 1 / tau or sqrt(a**2 + b**2); put a name with other signs in backquotes"
        msg = f"{at}: not a formula, {error.msg} at character {error.offset}; {advice}"
        raise FormulaError(msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        msg = f"{at}: not a formula ({type(error).__name__}); write it shorter, in several quantities"
        raise FormulaError(msg) from error


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Converts Python's syntax tree to a formula, and refuses everything that the grammar does not list."""

    at: str
    names: Collection[str]
    quoted: Mapping[str, str]
    curves: Mapping[str, Curve]

    def node(self, tree: ast.expr, depth: int = 0) -> Node:
        if depth > DEEPEST:
            msg = f"{self.at}: more than {DEEPEST} brackets within each other; divide it into several quantities"
            raise FormulaError(msg)
        match tree:
            case ast.Constant(value=bool()):
                raise self._refused(tree, f"{tree.value!r} found, numbers and names are allowed")
            case ast.Constant(value=int() | float() as value):
                return self._number(tree, value)
            case ast.Name(id=word):
                return self._name(word)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._folded(tree, "-", Number(0.0, exact=True), self.node(operand, depth + 1))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.node(operand, depth + 1)
            case ast.BinOp(op=sign) if type(sign) in OPERATORS:
                first, second = self.node(tree.left, depth + 1), self.node(tree.right, depth + 1)
                return self._folded(tree, OPERATORS[type(sign)], first, second)
            case ast.BinOp(op=ast.BitXor()):
                raise self._refused(tree, "^ found; a power is written **")
            case ast.Call(func=ast.Name(id=word), args=[argument], keywords=[]):
                return self._function(tree, word, self.node(argument, depth + 1))
            case ast.Call(func=ast.Name(id=word)):
                raise self._refused(tree, f"{word} with {len(tree.args)} arguments found; functions take one")
        found = type(tree).__name__
        raise self._refused(tree, f"{found} found; numbers, names, + - * / **, brackets and functions are allowed")

    def _refused(self, tree: ast.expr, what: str) -> FormulaError:
        return FormulaError(f"{self.at}: at character {tree.col_offset + 1} {what}")

    def _number(self, tree: ast.expr, value: float) -> Number:
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise self._refused(tree, "a number that is not finite found")
        return Number(found, exact=isinstance(value, int))

    def _name(self, word: str) -> Node:
        name = self.quoted.get(word, word)
        if name == "pi" and name not in self.names:
            return Number(math.pi, exact=True)
        known_name(name, self.names, kind="quantity", where=self.at)
        return Variable(name)

    def _function(self, tree: ast.expr, word: str, argument: Node) -> Node:
        word = self.quoted.get(word, word)
        if word in self.curves:
            return self._tabulated(tree, self.curves[word], argument)
        if word not in FUNCTIONS:
            why = f"allowed: {', '.join((*FUNCTIONS, *self.curves))}"
            if word in KINKED:
                why = "a fit needs derivatives, which it lacks at some points; write the case that holds"
            elif word in OTHER_NAMES:
                why = f"write {OTHER_NAMES[word]}"
            raise self._refused(tree, f"function {word!r} found; {why}")
        if isinstance(argument, Number):
            return Number(self._value(tree, lambda: getattr(math, word.replace("arc", "a"))(argument.value)))
        return Function(word, argument)

    def _tabulated(self, tree: ast.expr, curve: Curve, argument: Node) -> Node:
        if not isinstance(argument, Number):
            return Tabulated(curve, argument)
        low, high = curve.ends
        if not low <= argument.value <= high:
            where = f"outside the range of curve {curve.name!r}, {low:g} to {high:g}"
            raise self._refused(tree, f'{argument.value:g} found, {where}; give beyond = "straight", or more points')
        return Number(float(curve.value(argument.value)))

    def _folded(self, tree: ast.expr, sign: str, first: Node, second: Node) -> Node:
        if isinstance(first, Number) and isinstance(second, Number):
            value = self._value(tree, lambda: SYMBOLIC[sign](first.value, second.value))
            return Number(value, exact=first.exact and second.exact)
        return Operation(sign, first, second)

    def _value(self, tree: ast.expr, calculate: Callable[[], Any]) -> float:
        try:
            value = calculate()
        except (ArithmeticError, ValueError) as error:
            raise self._refused(tree, f"a constant without a value found ({error})") from error
        if isinstance(value, complex) or not math.isfinite(value):
            raise self._refused(tree, "a constant without a real value found")
        return float(value)


def names_in(node: Node) -> tuple[str, ...]:
    """Names of the variables of a tree, each once, in the order of the formula."""
    match node:
        case Number():
            return ()
        case Variable():
            return (node.name,)
        case Function() | Tabulated():
            return names_in(node.argument)
        case Operation():
            return tuple(dict.fromkeys((*names_in(node.first), *names_in(node.second))))


def curves_in(node: Node) -> tuple[Tabulated, ...]:
    """The calls of curves in a tree, in the order of the formula."""
    match node:
        case Number() | Variable():
            return ()
        case Function():
            return curves_in(node.argument)
        case Tabulated():
            return (node, *curves_in(node.argument))
        case Operation():
            return (*curves_in(node.first), *curves_in(node.second))


def substituted(node: Node, by: Mapping[str, Node]) -> Node:
    """The tree with some variables replaced by other trees."""
    match node:
        case Variable():
            return by.get(node.name, node)
        case Function():
            return Function(node.name, substituted(node.argument, by))
        case Tabulated():
            return Tabulated(node.curve, substituted(node.argument, by))
        case Operation():
            return Operation(node.sign, substituted(node.first, by), substituted(node.second, by))
    return node


def evaluate(node: Node, values: Mapping[str, Any], *, xp: Any = np) -> Any:
    """Value of a tree.

    Args:
        node: the tree.
        values: name of each variable -> a number, an array (all of one shape), or a symbol.
        xp: ``numpy``, or ``pytensor.tensor`` for symbols.

    Examples:
        >>> float(evaluate(parse("1 / tau", names=["tau"], where="example"), {"tau": 2.0}))
        0.5
    """
    match node:
        case Number():
            return node.value
        case Variable():
            return values[node.name]
        case Function():
            return getattr(xp, node.name)(evaluate(node.argument, values, xp=xp))
        case Tabulated():
            return node.curve.value(evaluate(node.argument, values, xp=xp), xp=xp)
        case Operation():
            first, second = (evaluate(part, values, xp=xp) for part in (node.first, node.second))
            return SYMBOLIC[node.sign](first, second)


def formula_text(node: Node, binding: int = 0) -> str:
    """The formula of a tree; reading it gives the same tree.

    Examples:
        >>> formula_text(parse("(a - (`b 1` - 2)) * -a", names=["a", "b 1"], where="example"))
        '(a - (`b 1` - 2)) * (-a)'
    """
    match node:
        case Number():
            text = str(int(node.value)) if node.exact and node.value.is_integer() else repr(node.value)
            text = "pi" if node.exact and node.value == math.pi else text
            return f"({text})" if node.value < 0 else text
        case Variable():
            return _name_text(node.name)
        case Function():
            return f"{node.name}({formula_text(node.argument)})"
        case Tabulated():
            return f"{_name_text(node.curve.name)}({formula_text(node.argument)})"
    if node.sign == "-" and node.first == Number(0.0, exact=True):
        return f"(-{formula_text(node.second, NEGATIVE)})" if binding else f"-{formula_text(node.second, NEGATIVE)}"
    own = BINDING[node.sign]
    # Powers bind to the right, all else to the left.
    left, right = (own + 1, own) if node.sign == "**" else (own, own + 1)
    space = "" if node.sign == "**" else " "
    text = f"{formula_text(node.first, left)}{space}{node.sign}{space}{formula_text(node.second, right)}"
    return f"({text})" if own < binding else text


def _name_text(name: str) -> str:
    import keyword

    plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    return name if plain else f"`{name}`"

"""Units of formulas: products of powers of symbols, compared as written, without conversion (``ns`` is not 1000 ``ps``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from bayescomb.base.errors import FormulaError
from bayescomb.inputs.formulas.formulas import Function, Node, Number, Operation, Tabulated, Variable, formula_text

__all__ = ["Unit", "formula_unit", "read_unit", "unit_text"]

# Symbol -> power; empty for a number without unit.
Unit = dict[str, Fraction]
FACTOR: Final = re.compile(r"([^\s*/^()\d][^\s*/^()]*?|1)(?:(?:\^|\*\*)?\(?([+-]?\d+(?:/\d+)?)\)?)?")


def read_unit(text: str) -> Unit | None:
    """The unit of a text, ``None`` if the text is not a product of powers.

    Examples:
        >>> unit_text(read_unit("1/ps")), unit_text(read_unit("pb / GeV^2")), read_unit("events per day") is None
        ('ps^-1', 'pb GeV^-2', False)
    """
    found: Unit = {}
    sign = 1
    plain = re.sub(r"\s*\*\*\s*", "^", text.strip())
    for word in re.findall(r"/|[^\s/*]+", plain.replace("(", " ").replace(")", " ")):
        if word == "/":
            sign = -1
            continue
        match = FACTOR.fullmatch(word)
        if match is None:
            return None
        if match[1] != "1":
            found[match[1]] = found.get(match[1], Fraction(0)) + sign * Fraction(match[2] or 1)
        if "(" not in plain:
            sign = 1
    return {symbol: power for symbol, power in found.items() if power}


def unit_text(unit: Unit) -> str:
    """The unit as text; empty for a number without unit."""
    return " ".join(symbol if power == 1 else f"{symbol}^{power}" for symbol, power in unit.items())


def formula_unit(node: Node, units: Mapping[str, Unit | None], *, where: str) -> Unit | None:
    """The unit of a formula, ``None`` if it is not known.

    A quantity without a stated unit can have any unit, and so can a decimal number; a whole number has none in a product.

    Args:
        node: the formula.
        units: units of its variables.
        where: the place, for messages.

    Raises:
        FormulaError: quantities of different units are added, or one with a unit is the argument of a function or a power.
    """
    match node:
        case Number():
            return {} if node.exact else None
        case Variable():
            return units.get(node.name)
        case Function():
            inner = formula_unit(node.argument, units, where=where)
            if node.name == "sqrt":
                return None if inner is None else {symbol: power / 2 for symbol, power in inner.items()}
            if inner:
                msg = f"{where}: {node.name}() of a quantity in {unit_text(inner)} found; divide it by one of the same unit"
                raise FormulaError(msg)
            return {} if inner is not None else None
        case Tabulated():
            inner = formula_unit(node.argument, units, where=where)
            wanted = read_unit(node.curve.argument_unit) if node.curve.argument_unit else None
            if inner is not None and wanted is not None and inner != wanted and not isinstance(node.argument, Number):
                found, needed = (unit_text(unit) or "no unit" for unit in (inner, wanted))
                msg = f"{where}: curve {node.curve.name!r} of a quantity in {found} found, its argument is in {needed}"
                raise FormulaError(msg)
            return read_unit(node.curve.unit) if node.curve.unit else None
        case Operation():
            return _of_operation(node, units, where=where)


def _of_operation(node: Operation, units: Mapping[str, Unit | None], *, where: str) -> Unit | None:
    first, second = (formula_unit(part, units, where=where) for part in (node.first, node.second))
    match node.sign:
        case "+" | "-":
            # A number added to a quantity is in the unit of the quantity.
            if isinstance(node.first, Number):
                return second
            if isinstance(node.second, Number):
                return first
            if first is None or second is None:
                return first if second is None else second
            if first != second:
                words = [unit_text(unit) or "no unit" for unit in (first, second)]
                msg = (
                    f"{where}: in {formula_text(node)} a quantity in {words[0]} and one in {words[1]} are added; convert "
                    "one, as units are compared as written"
                )
                raise FormulaError(msg)
            return first
        case "**":
            return _of_power(node, first, second, where=where)
    if first is None or second is None:
        return None
    sign = 1 if node.sign == "*" else -1
    found = dict(first)
    for symbol, power in second.items():
        found[symbol] = found.get(symbol, Fraction(0)) + sign * power
    return {symbol: power for symbol, power in found.items() if power}


def _of_power(node: Operation, first: Unit | None, second: Unit | None, *, where: str) -> Unit | None:
    if second:
        msg = f"{where}: a power of {unit_text(second)} found in {formula_text(node)}; a power has no unit"
        raise FormulaError(msg)
    if not first:
        return first
    if not isinstance(node.second, Number):
        msg = f"{where}: {formula_text(node)} has no unit, as its power is no number; divide the base by one of its unit"
        raise FormulaError(msg)
    exponent = Fraction(node.second.value).limit_denominator(1000)
    return {symbol: power * exponent for symbol, power in first.items() if power * exponent}

"""``[correlations]`` of a Convino base file: ``a = (rho) b + (rho & low : high) c``.

A range is the support of a uniform prior.  The coefficients of one line that have a range are scanned together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bayescomb.assumptions import CorrelationCoefficient, CorrelationPair
from bayescomb.checks import known_name
from bayescomb.convino_blocks import Block, shown, warn
from bayescomb.convino_entries import Entry, check_stray, entries
from bayescomb.convino_values import value
from bayescomb.errors import FileFormatError, RangeError, UnderdeterminedError, UnknownNameError
from bayescomb.measurements import Nuisance

__all__ = ["read_correlations"]

ITEM: Final = re.compile(r"\s*(\+?)\s*\(([^()]*)\)([^()+]*)")


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One coefficient of a line."""

    where: str
    line: int
    coefficient: CorrelationCoefficient

    @property
    def first(self) -> str:
        return self.coefficient.pairs[0].first

    @property
    def second(self) -> str:
        return self.coefficient.pairs[0].second


def read_correlations(
    block: Block, nuisances: Mapping[str, Nuisance], estimates: Collection[str]
) -> tuple[CorrelationCoefficient, ...]:
    """One coefficient per pair of nuisances.

    Args:
        block: the block.
        nuisances: all nuisances by name.
        estimates: names of the estimates, which cannot be correlated here.

    Raises:
        FileFormatError: a line is not of the form.
        UnknownNameError: a name is not that of a nuisance.
        UnderdeterminedError: a nuisance is free, so it has no prior to correlate.
        InvalidNumberError: a coefficient or an end of a range is no number.
        RangeError: it lies outside [-1, 1].
    """
    found, stray = entries(block, continued=True)
    check_stray(stray, {*nuisances, *estimates}, block=block.name)
    stated: dict[frozenset[str], _Item] = {}
    for number, entry in enumerate(found):
        first = _nuisance(entry.key, nuisances, estimates, where=entry.where)
        for inside, name in _items(entry):
            second = _nuisance(name, nuisances, estimates, where=entry.where)
            if first == second:
                warn(entry.where, f"{first!r} is fully correlated with itself, ({inside}) is not read; remove it")
                continue
            key = frozenset((first, second))
            if key in stated:
                earlier = stated.pop(key).where
                warn(entry.where, f"the correlation of {first!r} and {second!r} replaces that of {earlier}; remove one")
            coefficient = _coefficient(inside, first, second, where=entry.where)
            stated[key] = _Item(where=entry.where, line=number, coefficient=coefficient)
    return _grouped(list(stated.values()))


def _nuisance(name: str, nuisances: Mapping[str, Nuisance], estimates: Collection[str], *, where: str) -> str:
    if name in estimates:
        msg = f"{where}: {name!r} in [correlations] is an estimate; only nuisances are correlated here"
        raise UnknownNameError(msg)
    known_name(name, nuisances, kind="nuisance", where=f"{where}: [correlations]")
    if nuisances[name].free:
        msg = f"{where}: nuisance {name!r} in [correlations] is free, it has no prior to correlate; remove the pair"
        raise UnderdeterminedError(msg)
    return name


def _items(entry: Entry) -> list[tuple[str, str]]:
    """Text in the brackets and name behind them, for each part of a line."""
    text = entry.value
    items: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = ITEM.match(text, position)
        name = match[3].strip() if match else ""
        if match is None or not name or (items and not match[1]):
            rest = text[position:].strip()
            if items and not rest.strip("+ \t"):
                warn(entry.where, "a plus sign with nothing behind it; remove it")
                break
            msg = f"{entry.where}: {shown(rest)} found, '(rho) nuisance' or '(rho & low : high) nuisance' is needed"
            raise FileFormatError(msg)
        if match[1] and not items:
            warn(entry.where, "a plus sign with nothing before it; remove it")
        items.append((" ".join(match[2].split()), name))
        position = match.end()
    return items


def _coefficient(inside: str, first: str, second: str, *, where: str) -> CorrelationCoefficient:
    """From ``nominal`` or ``nominal & start : end``."""
    at = f"{where}: coefficient of {first!r} and {second!r}"
    nominal_text, has_range, range_text = inside.partition("&")
    start_text, has_end, end_text = range_text.partition(":")
    if has_range and not has_end:
        msg = f"{at}: {shown(inside)} has '&' without a range; write (nominal & low : high)"
        raise FileFormatError(msg)

    def correlation(text: str) -> float:
        number = value(text.strip(), where=at)
        if abs(number) > 1:
            msg = f"{at}: {number:g} found, a correlation lies in [-1, 1]; correct it"
            raise RangeError(msg)
        return number

    nominal = correlation(nominal_text)
    coefficient = CorrelationCoefficient(
        name=f"{first} x {second}", pairs=(CorrelationPair(first=first, second=second),), nominal=nominal
    )
    if not has_range:
        return coefficient
    start, end = correlation(start_text), correlation(end_text)
    if start == end:
        warn(where, f"the range {start:g} : {end:g} of {first!r} and {second!r} is empty and not read; widen or remove it")
        return coefficient
    low, high = min(start, end), max(start, end)
    if not low <= nominal <= high:
        warn(where, f"the nominal value {nominal:g} of {first!r} and {second!r} lies outside its range {low:g} : {high:g}")
    return dataclasses.replace(coefficient, low=low, high=high, descending=start > end)


def _grouped(items: list[_Item]) -> tuple[CorrelationCoefficient, ...]:
    """The coefficients, those of a line that have a range as one scan group."""
    lines: dict[int, list[_Item]] = {}
    for item in items:
        if item.coefficient.varied:
            lines.setdefault(item.line, []).append(item)
    labels = {
        line: f"{together[0].first} x ({', '.join(item.second for item in together)})"
        for line, together in lines.items()
        if len(together) > 1
    }
    return tuple(
        dataclasses.replace(item.coefficient, scan_group=labels.get(item.line, "") if item.coefficient.varied else "")
        for item in items
    )

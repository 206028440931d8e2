"""Units as HEPData writes them, compared by what they mean: ``PB/GEV``, ``pb GeV^-1`` and ``pb GeV$^{-1}$`` are one."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

__all__ = ["is_percent", "same_unit"]

PERCENT: Final = frozenset({"%", "percent", "pct", "in %", "\\%"})
NONE: Final = frozenset({"", "1", "-", "none", "no units", "dimensionless", "arbitrary units"})
TOKEN: Final = re.compile(r"\s*(?:(?P<name>[a-zµ%][a-zµ%_]*|1)|(?P<open>\()|(?P<close>\))|(?P<over>/)|(?P<times>[*.·]))")
POWER: Final = re.compile(r"\s*(?:\*\*|\^)\s*\(?([+-]?\d+)\)?|(?<=[a-zµ)])([+-]?\d+)")


def is_percent(unit: str) -> bool:
    """Whether numbers in this unit are parts of a hundred.

    Examples:
        >>> from bayescomb.hepdata_units import is_percent
        >>> is_percent("%"), is_percent("PB")
        (True, False)
    """
    return unit.strip().lower() in PERCENT


def same_unit(first: str, second: str, *, power: int = 1) -> bool | None:
    """Whether the second unit is the first to a power.

    Returns:
        ``None`` if one of the two is not stated, or written in a way that is not known here and differs.

    Examples:
        >>> from bayescomb.hepdata_units import same_unit
        >>> same_unit("PB/GEV", "(pb/GeV)**2", power=2), same_unit("GEV", "MeV"), same_unit("GEV", "")
        (True, False, None)
    """
    if any(text.strip().lower() in NONE for text in (first, second)):
        return None
    if power == 1 and "".join(first.lower().split()) == "".join(second.lower().split()):
        return True
    one, other = _exponents(first), _exponents(second)
    if one is None or other is None:
        return None
    return {name: n * power for name, n in one.items()} == other


def _exponents(text: str) -> dict[str, int] | None:
    """Symbol -> exponent; ``None`` if the text is not understood."""
    plain = re.sub(r"\\[,;: ]|\\(?:mathrm|text|rm)\b|[${}]", " ", text).lower().strip()
    plain = re.sub(r"\^\s+", "^", plain)
    plain = re.sub(r"\\(times|cdot)\b", "*", plain)
    found, end = _product(plain, 0)
    if found is None or plain[end:].strip():
        return None
    return {name: n for name, n in found.items() if n}


def _product(text: str, at: int) -> tuple[Counter[str] | None, int]:
    """A product up to its end or a closing bracket."""
    total: Counter[str] = Counter()
    sign = 1
    while match := TOKEN.match(text, at):
        if match["close"]:
            break
        at = match.end()
        if match["over"]:
            sign = -1
            continue
        if match["times"]:
            continue
        factor: Counter[str] | None = Counter({match["name"]: 1} if match["name"] not in {None, "1"} else {})
        if match["open"]:
            factor, at = _product(text, at)
            if factor is None or text[at : at + 1] != ")":
                return None, at
            at += 1
        power = POWER.match(text, at)
        exponent = 1
        if power:
            exponent, at = int(power[1] or power[2]), power.end()
        for name, n in (factor or Counter()).items():
            total[name] += sign * n * exponent
        sign = 1
    return total, at

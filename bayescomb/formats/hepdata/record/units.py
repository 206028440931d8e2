r"""Units as HEPData writes them, parsed, compared and converted.

``PB/GEV``, ``pb GeV^-1``, ``pb GeV$^{-1}$`` and ``\frac{pb}{GeV}`` are one unit; ``fb`` is 10^-3 ``pb`` and ``MeV`` 10^-3
``GeV``, which is exact; ``GEV/C`` is ``GEV``.  Percent stands in a unit or in the header itself: ``$\%$``, ``JES [%]``,
``Eff(%)``, ``each bin (in [%])``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PERCENT", "conversion", "headed", "is_percent", "same_unit", "squared_unit"]

PERCENT: Final = "%"
PERCENT_WORDS: Final = r"(?:%|per[ -]?cent(?:age)?|pct\.?)"
PERCENT_UNIT: Final = re.compile(rf"(?:in |rel(?:ative|\.)? ?(?:in )?)?{PERCENT_WORDS}(?: of (?:the )?(?:central )?value)?")
# A number before the sign is a confidence level, as in "95% CL".
PERCENT_HEADER: Final = re.compile(
    rf"(?P<name>.*?)(?<![0-9 ])\s*(?:[\[(]\s*(?:in\s*)?[\[(]?|,\s*|\bin\s+|)\s*(?:in\s+|rel(?:ative|\.)?\s*)?{PERCENT_WORDS}"
    r"\s*[\])}$\s]*",
    re.IGNORECASE | re.DOTALL,
)
# Round brackets without a blank before them hold the argument of a function.
BRACKETS: Final = re.compile(r"(?P<name>.*?)(?:\s*\[(?P<square>[^\[\]]*)\]|\s+\((?P<round>[^()]*)\))\s*", re.DOTALL)
NONE: Final = frozenset({"", "1", "-", "none", "no units", "dimensionless", "arbitrary units"})
TOKEN: Final = re.compile(
    r"\s*(?:(?P<name>[a-zµ%][a-zµ%_]*)|(?P<number>10*(?![0-9.]))|(?P<open>\()|(?P<close>\))|(?P<over>/)|(?P<times>[*.·]))"
)
POWER: Final = re.compile(r"\s*(?:\*\*|\^)\s*\(?\s*([+-]?\d+)\s*\)?|(?<=[a-zµ)])([+-]?\d+)")
# Symbol -> unit and exact power of ten.
DECADES: Final = {
    **{f"{prefix}ev": ("gev", decade) for prefix, decade in (("", -9), ("k", -6), ("m", -3), ("g", 0), ("t", 3))},
    **{f"{prefix}b": ("pb", decade)
       for prefix, decade in (("", 12), ("m", 9), ("µ", 6), ("mu", 6), ("n", 3), ("p", 0), ("f", -3), ("a", -6))},
}  # fmt: skip
NATURAL: Final = frozenset({"c"})  # hbar = c = 1
# Symbols of which a bracket behind a header must consist to be read as its unit.
KNOWN: Final = frozenset({*DECADES, *NATURAL, "events", "event", "rad", "radians", "degrees", "deg", "prior_width"})


@dataclass(frozen=True)
class _Unit:
    """A power of ten and symbol -> exponent."""

    decade: int = 0
    exponents: Counter[str] = field(default_factory=Counter)

    def power(self, n: int) -> _Unit:
        return _Unit(self.decade * n, Counter({name: k * n for name, k in self.exponents.items() if k * n}))

    def times(self, other: _Unit) -> _Unit:
        names = {*self.exponents, *other.exponents}
        found = {name: self.exponents[name] + other.exponents[name] for name in names}
        return _Unit(self.decade + other.decade, Counter({name: n for name, n in found.items() if n}))


def is_percent(unit: str) -> bool:
    r"""Whether a unit is percent.

    Examples:
        >>> [is_percent(unit) for unit in ("%", r"$\\%$", "in [%]", "percent", "(%)", "PB")]
        [True, True, True, True, True, False]
    """
    return bool(PERCENT_UNIT.fullmatch(_bare(unit)))


def _bare(text: str) -> str:
    """A text in small letters without LaTeX commands and brackets."""
    plain = re.sub(r"\\(?:mathrm|text|rm|textrm|mbox|,|;|!| )|[${}~\\\[\]()]", " ", text)
    return " ".join(plain.split()).lower()


def headed(name: str, unit: str = "") -> tuple[str, str]:
    """Name and unit of a header; a unit, or percent, may stand behind the name if ``unit`` is empty.

    Examples:
        >>> headed("JES [%]"), headed("Eff(%)"), headed("each bin (in [%])"), headed("mass (GeV)"), headed("SIG", "PB")
        (('JES', '%'), ('Eff', '%'), ('each bin', '%'), ('mass', 'GeV'), ('SIG', 'PB'))
        >>> headed("limit at 95% CL"), headed("y (reco)")
        (('limit at 95% CL', ''), ('y (reco)', ''))
    """
    if not _is_none(unit):
        return name, PERCENT if is_percent(unit) else unit
    if is_percent(name):
        return name, PERCENT
    plain = re.sub(r"\$([\s\[(]*)\\?%([\s\])]*)\$|\\%", r"\1%\2", name)
    if match := PERCENT_HEADER.fullmatch(plain):
        stripped = match["name"].strip(" ,\\")
        return stripped + "$" * (stripped.count("$") % 2) or name, PERCENT
    match = BRACKETS.fullmatch(name)
    if match:
        inside = (match["square"] or match["round"] or "").strip()
        found = _parsed(inside)
        # A single letter is a quark, not barn.
        if found is not None and found.exponents and set(found.exponents) <= KNOWN and len(inside) > 1:
            return match["name"], inside
    return name, unit


def _is_none(unit: str) -> bool:
    return unit.strip().lower() in NONE


def squared_unit(unit: str) -> str:
    """The unit of a covariance of numbers in this one.

    Examples:
        >>> squared_unit("GeV"), squared_unit("PB/GEV"), squared_unit("")
        ('GeV^2', '(PB/GEV)^2', '')
    """
    if _is_none(unit):
        return ""
    return f"{unit}^2" if re.fullmatch("[A-Za-zµ%]+", unit) else f"({unit})^2"


def same_unit(first: str, second: str, *, power: int = 1) -> bool | None:
    """Whether the second unit is the first to a power.

    Returns:
        ``None`` if one of the two is not stated, or if they differ and one is not understood.

    Examples:
        >>> same_unit("PB/GEV", "(pb/GeV)**2", power=2), same_unit("GEV", "MeV"), same_unit("GEV", "")
        (True, False, None)
    """
    found = conversion(second, first, power=power)
    if found is not None:
        return found == 1.0
    if _is_none(first) or _is_none(second) or _parsed(first) is None or _parsed(second) is None:
        return None
    return False


def conversion(unit: str, target: str, *, power: int = 1) -> float | None:
    """Factor that converts numbers in a unit to a power of the target unit; an exact power of ten.

    Returns:
        ``None`` if one of the two is not stated or not understood, or no power of ten relates them.

    Examples:
        >>> conversion("MeV", "GeV"), conversion("fb^2", "PB", power=2), conversion("GeV", "pb"), conversion("", "GeV")
        (0.001, 1e-06, None, None)
    """
    if _is_none(unit) or _is_none(target):
        return None
    written = "".join(unit.lower().split())
    whole = "".join(target.lower().split())
    if written == whole and power == 1:
        return 1.0
    if power != 1 and written in {f"({whole})^{power}", f"({whole})**{power}"}:
        return 1.0
    one, other = _parsed(unit), _parsed(target)
    if one is None or other is None:
        return None
    other = other.power(power)
    if one.exponents != other.exponents:
        return None
    return float(f"1e{one.decade - other.decade}")


def _parsed(text: str) -> _Unit | None:
    """A text as a unit; ``None`` if the text is not understood."""
    plain = re.sub(r"\\d?frac\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r" (\1) / (\2) ", text)
    plain = re.sub(r"\$?\\mu\s*\$?\s*(?=b)", "µ", plain.replace("μ", "µ").replace(r"\%", "%"))
    plain = re.sub(r"\\[,;: !]|\\(?:mathrm|text|textrm|rm|unit|mbox|left|right)\b|[${}~]", " ", plain).lower().strip()
    plain = re.sub(r"\\(times|cdot)\b", "*", re.sub(r"\^\s+", "^", plain))
    found, end = _product(plain, 0)
    return None if found is None or plain[end:].strip() else found


def _product(text: str, at: int) -> tuple[_Unit | None, int]:
    """A product of symbols up to the end or a closing bracket, and the position behind it."""
    total = _Unit()
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
        factor: _Unit | None
        if match["open"]:
            factor, at = _product(text, at)
            if factor is None or text[at : at + 1] != ")":
                return None, at
            at += 1
        elif match["number"]:
            factor = _Unit(len(match["number"]) - 1)
        else:
            factor = _symbol(match["name"])
        power = POWER.match(text, at)
        exponent = 1
        if power:
            exponent, at = int(power[1] or power[2]), power.end()
        total = total.times(factor.power(sign * exponent))
        sign = 1
    return total, at


def _symbol(name: str) -> _Unit:
    if name in NATURAL:
        return _Unit()
    base, decade = DECADES.get(name, (name, 0))
    return _Unit(decade, Counter({base: 1}))

"""Rounding for people: the PDG rule for numbers with an uncertainty, fixed decimals for the rest.

Files keep full precision; only pages, figures and terminals round.  The number of digits is that of ``iminuit.pdg_format``,
which is not used for the text because it rounds twice: 2.746 becomes 2.75, then 2.8.
"""

from __future__ import annotations

import math
from typing import Final

from bayescomb.errors import InvalidNumberError

__all__ = ["decimals", "fixed", "interval_text", "signed_errors", "significant", "with_error"]

MINUS: Final = "\N{MINUS SIGN}"


def decimals(error: float) -> int:
    """Decimals that the PDG rule gives a number with this uncertainty; negative for tens, hundreds, ...

    If the three leading digits of the uncertainty lie between 100 and 354 two digits are kept, between 355 and 949 one, and
    above that it is rounded up to 1000 and keeps two.

    Raises:
        InvalidNumberError: the uncertainty is zero, negative or not finite.

    Examples:
        >>> [decimals(e) for e in (0.119, 0.367, 0.97, 12.0, 360.0)]
        [2, 1, 1, 0, -2]
    """
    if not (math.isfinite(error) and error > 0):
        msg = f"uncertainty {error!r} found, a positive finite number is needed to round by it"
        raise InvalidNumberError(msg)
    mantissa, exponent = f"{error:.2e}".split("e")
    leading = round(100 * float(mantissa))
    digits = 2 if leading < 355 or leading >= 950 else 1
    power = int(exponent) + (1 if leading >= 950 else 0)
    return digits - 1 - power


def fixed(value: float | None, places: int, *, sign: bool = False) -> str:
    """A number with a fixed number of decimals and a true minus sign; a dash if there is none.

    Args:
        value: the number, ``None`` or NaN if there is none.
        places: decimals; negative ones round to tens, hundreds, ...
        sign: write the plus of positive numbers too.

    Examples:
        >>> fixed(172.5134, 2), fixed(-0.0004, 2), fixed(1234.0, -2), fixed(None, 2), fixed(0.5, 1, sign=True)
        ('172.51', '0.00', '1200', '\u2013', '+0.5')
    """
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    rounded = round(value, places) + 0.0  # + 0.0 turns a negative zero into zero
    text = f"{abs(rounded):.{max(places, 0)}f}"
    if rounded < 0:
        return MINUS + text
    return f"+{text}" if sign and rounded > 0 else text


def significant(value: float | None, digits: int = 3) -> str:
    """A number with a few significant digits, for quantities without an uncertainty.

    Examples:
        >>> significant(-0.0014838), significant(7.56412), significant(3477.9)
        ('\u22120.00148', '7.56', '3480')
    """
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    power = math.floor(math.log10(abs(value)))
    if -5 <= power < 7:
        return fixed(value, digits - 1 - power)
    return f"{value:.{digits - 1}e}".replace("-", MINUS)


def with_error(value: float, *errors: float, unit: str = "", labels: tuple[str, ...] = ()) -> str:
    """A value with its uncertainties by the PDG rule; the first uncertainty sets the digits.

    Args:
        value: the value.
        errors: one or more uncertainties, the first one in the lead.
        unit: written after the number.
        labels: one per uncertainty.

    Examples:
        >>> with_error(172.5134, 0.3293, unit="GeV")
        '172.51 ± 0.33 GeV'
        >>> with_error(172.5134, 0.3293, 0.1417, 0.2973, labels=("total", "stat", "syst"))
        '172.51 ± 0.33 (total) ± 0.14 (stat) ± 0.30 (syst)'
    """
    places = decimals(errors[0])
    power = 0 if -3 <= places <= 6 else 3 * math.floor(math.log10(max(abs(value), errors[0])) / 3)
    scale, places = 10.0**-power, places + power
    text = fixed(scale * value, places)
    for error, label in zip(errors, labels or ("",) * len(errors), strict=True):
        text += f" ± {fixed(scale * error, places)}{f' ({label})' if label else ''}"
    if power:
        text = f"({text})E{power:+03d}".replace("-", MINUS)
    return f"{text} {unit}".strip()


def signed_errors(up: float, down: float, *, error: float) -> str:
    """Asymmetric uncertainties with the decimals of a symmetric one.

    Examples:
        >>> signed_errors(2.6262, -2.5809, error=2.6035)
        '+2.6 −2.6'
    """
    places = decimals(error)
    return f"+{fixed(up, places)} {fixed(down, places)}"


def interval_text(low: float, high: float, *, error: float, unit: str = "") -> str:
    """An interval with the decimals of an uncertainty.

    Examples:
        >>> interval_text(172.1862, 172.8389, error=0.3295, unit="GeV")
        '172.19 to 172.84 GeV'
    """
    places = decimals(error)
    return f"{fixed(low, places)} to {fixed(high, places)} {unit}".strip()

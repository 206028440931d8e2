"""Rounding for people: two significant digits of the total error, the same for value, error and every part of it.

Files keep full precision; only pages, figures and terminals round, and only by the functions here.  A number without an
error has a number of digits that its kind fixes: a chi2, a p-value, a pull, a coefficient, a share, a weight.  Texts have
Unicode signs (minus, plus-minus); :func:`plain` replaces them by ASCII for a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from bayescomb.base.errors import InvalidNumberError

__all__ = [
    "PULL_PLACES",
    "R_HAT_PLACES",
    "THOUSANDTH",
    "at_bound_text",
    "chi2_text",
    "coefficient_text",
    "correlation_text",
    "counted",
    "decimals",
    "fine_text",
    "fine_unit",
    "fixed",
    "interval_text",
    "p_value_text",
    "percent_text",
    "plain",
    "pull_text",
    "rounded_like",
    "seconds_text",
    "signed_errors",
    "significant",
    "small_unit",
    "weight_places",
    "with_error",
    "with_unit",
]

MINUS: Final = "\N{MINUS SIGN}"
NONE: Final = "\N{EN DASH}"
# Two digits: rounding changes an error by at most 5 %.
ERROR_DIGITS: Final = 2
CHI2_PLACES: Final = 3
PULL_PLACES: Final = 2
COEFFICIENT_PLACES: Final = 3
CORRELATION_PLACES: Final = 2
WEIGHT_PLACES: Final = 4
R_HAT_PLACES: Final = 4
# A p-value below this is written with a power of ten.
SMALL_P_VALUE: Final = 1e-3
# The smallest p-value that double precision holds without losing digits.
LEAST_P_VALUE: Final = 1e-300
# Unit -> name of a thousandth of it, in which shifts are shown, as they are small against the parameter.
THOUSANDTH: Final = {"GeV": "MeV", "TeV": "GeV", "nb": "pb", "pb": "fb"}
ASCII: Final = str.maketrans({"±": "+-", MINUS: "-", NONE: "-", "²": "^2", "Δ": "Delta "})


def _power(value: float, digits: int) -> int:
    """Power of ten of the leading digit of a number rounded to some significant digits."""
    return int(f"{value:.{digits - 1}e}".split("e")[1])


def decimals(error: float) -> int:
    """Decimals that leave two significant digits of an error; negative for tens, hundreds, ...

    Raises:
        InvalidNumberError: the error is zero, negative or not finite.

    Examples:
        >>> [decimals(e) for e in (0.119, 0.367, 0.0996, 0.97, 12.0, 360.0)]
        [2, 2, 2, 2, 0, -1]
    """
    if not (math.isfinite(error) and error > 0):
        msg = f"uncertainty {error!r} found, a positive finite number is needed to round by it"
        raise InvalidNumberError(msg)
    return ERROR_DIGITS - 1 - _power(error, ERROR_DIGITS)


def fixed(value: float | None, places: int, *, sign: bool = False) -> str:
    """A number with fixed decimals, a Unicode minus sign and no negative zero; a dash for a missing number.

    Args:
        value: the number; ``None`` or NaN if it is missing.
        places: decimals; negative ones round to tens, hundreds, ...
        sign: write the plus of positive numbers too.

    Examples:
        >>> fixed(172.5134, 2), fixed(-0.0004, 2), fixed(1234.0, -2), fixed(None, 2), fixed(0.5, 1, sign=True)
        ('172.51', '0.00', '1200', '\u2013', '+0.5')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}inf"
    rounded = round(value, places) + 0.0  # + 0.0 turns a negative zero into zero
    text = f"{abs(rounded):.{max(places, 0)}f}"
    if rounded < 0:
        return MINUS + text
    return f"+{text}" if sign and rounded > 0 else text


def significant(value: float | None, digits: int = 3) -> str:
    """A number with a few significant digits, for quantities without an error.

    Examples:
        >>> significant(-0.0014838), significant(7.56412), significant(3477.9), significant(0.9996)
        ('\u22120.00148', '7.56', '3480', '1.00')
    """
    if value is None or math.isnan(value):
        return NONE
    if value == 0 or not math.isfinite(value):
        return f"{value + 0.0:g}".replace("-", MINUS)
    power = _power(value, digits)
    if -5 <= power < 7:
        return fixed(value, digits - 1 - power)
    return _with_power(value, digits)


def _with_power(value: float, digits: int) -> str:
    """``3.5e-4``: a power of ten without leading zeros."""
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(power)}".replace("-", MINUS)


def rounded_like(value: float | None, error: float, *, sign: bool = False) -> str:
    """A value, or a part of its error, with the decimals that two digits of the total error give.

    Where the error is 0, infinite or NaN, the value has six significant digits.

    Examples:
        >>> rounded_like(172.5134, 0.3293), rounded_like(0.0138, 0.3293), rounded_like(172.5134, 0.0)
        ('172.51', '0.01', '172.513')
        >>> rounded_like(1.04e-12, 1.9e-12), rounded_like(-2.6e12, 1.9e12)
        ('1.0E\u221212', '\u22122.6E+12')
    """
    if not (math.isfinite(error) and error > 0):
        return significant(value, 6)
    places = decimals(error)
    if value is None or -3 <= places <= 6:
        return fixed(value, places, sign=sign)
    power = 3 * math.floor(math.log10(error) / 3)
    scale = 10.0**-power
    return fixed(scale * value, decimals(scale * error), sign=sign) + f"E{power:+03d}".replace("-", MINUS)


def with_error(value: float, *errors: float, unit: str = "", labels: tuple[str, ...] = ()) -> str:
    """A value with its errors, all with the decimals that two digits of the first error give.

    Args:
        value: the value.
        errors: one or more errors, the total one first; NaN if it is missing.
        unit: written after the number.
        labels: one per error.

    Examples:
        >>> with_error(172.5134, 0.3293, unit="GeV")
        '172.51 ± 0.33 GeV'
        >>> with_error(172.5134, 0.3293, 0.1417, 0.2973, labels=("total", "stat", "syst"))
        '172.51 ± 0.33 (total) ± 0.14 (stat) ± 0.30 (syst)'
        >>> with_error(8.8e9, 5.7e8)
        '(8.80 ± 0.57)E+09'
    """
    total = errors[0]
    if math.isnan(total):
        return f"{rounded_like(value, total)} {unit}".rstrip() + " (no error)"
    power = 0
    if math.isfinite(total) and total > 0 and not -3 <= decimals(total) <= 6:
        power = 3 * math.floor(math.log10(max(abs(value), total)) / 3)
    scale = 10.0**-power
    text = rounded_like(scale * value, scale * total)
    for error, label in zip(errors, labels or ("",) * len(errors), strict=True):
        text += f" ± {rounded_like(scale * error, scale * total)}{f' ({label})' if label else ''}"
    if power:
        text = f"({text})E{power:+03d}".replace("-", MINUS)
    return f"{text} {unit}".strip()


def at_bound_text(up: float, *, unit: str = "") -> str:
    """A result at its bound 0, which has an upper error alone.

    Args:
        up: distance at which chi2 has grown by 1.
        unit: written after the number.

    Examples:
        >>> at_bound_text(0.32986, unit="pb")
        '0.00 +0.33 pb (at its bound 0)'
    """
    return f"{rounded_like(0.0, up)} +{rounded_like(up, up)} {unit}".rstrip() + " (at its bound 0)"


def with_unit(text: str, unit: str = "") -> str:
    """A text followed by its unit in brackets, if it has one.

    Examples:
        >>> with_unit("m_t", "GeV"), with_unit("ratio")
        ('m_t [GeV]', 'ratio')
    """
    return f"{text} [{unit}]" if unit else text


def signed_errors(up: float, down: float, *, error: float) -> str:
    """Asymmetric errors with the decimals of a symmetric one.

    Examples:
        >>> signed_errors(2.6262, -2.5809, error=2.6035)
        '+2.6 −2.6'
    """
    return f"+{rounded_like(up, error)} {rounded_like(down, error)}"


def interval_text(low: float, high: float, *, error: float, unit: str = "") -> str:
    """An interval with the decimals of an error.

    Examples:
        >>> interval_text(172.1862, 172.8389, error=0.3295, unit="GeV")
        '172.19 to 172.84 GeV'
    """
    return f"{rounded_like(low, error)} to {rounded_like(high, error)} {unit}".strip()


def p_value_text(p_value: float | None) -> str:
    """A p-value with two significant digits, a small one with a power of ten.

    Examples:
        >>> [plain(p_value_text(p)) for p in (0.9132, 0.0213, 0.00035, 0.0, None)]
        ['0.91', '0.021', '3.5e-4', '< 1e-300', 'undefined']
    """
    if p_value is None or math.isnan(p_value):
        return "undefined"
    if p_value < LEAST_P_VALUE:
        return f"< {_with_power(LEAST_P_VALUE, 1)}"
    return significant(p_value, 2) if p_value >= SMALL_P_VALUE else _with_power(p_value, 2)


def chi2_text(chi2: float | None) -> str:
    """A chi2 with a fixed number of decimals, as a difference of 1 means the same at any size.

    Examples:
        >>> chi2_text(7.56412), chi2_text(1998.27249)
        ('7.564', '1998.272')
    """
    return fixed(chi2, CHI2_PLACES)


def coefficient_text(value: float | None, *, sign: bool = False) -> str:
    """A correlation coefficient or an end of its range: three decimals, two where the third is 0.

    Examples:
        >>> coefficient_text(1 / 3), coefficient_text(-0.5, sign=True)
        ('0.333', '−0.50')
    """
    text = fixed(value, COEFFICIENT_PLACES, sign=sign)
    return text.removesuffix("0") if value is not None and math.isfinite(value) else text


def correlation_text(value: float | None) -> str:
    """An entry of a correlation matrix of results or estimates.

    Examples:
        >>> correlation_text(-0.85121)
        '−0.85'
    """
    return fixed(value, CORRELATION_PLACES)


def pull_text(value: float | None, *, sign: bool = False) -> str:
    """A pull, a constraint, or a distance in units of an error.

    Examples:
        >>> pull_text(0.4567, sign=True)
        '+0.46'
    """
    return fixed(value, PULL_PLACES, sign=sign)


def percent_text(share: float | None, error: float = 0.0, *, places: int = 1, sign: bool = False) -> str:
    """A share in percent, without the sign %, and its error where that is above 0.

    Args:
        share: as a fraction.
        error: error of the share, as a fraction; 0 for none.
        places: decimals of a share without an error.
        sign: write the plus of positive numbers too.

    Examples:
        >>> percent_text(0.0234, 0.0011), percent_text(0.0002, 0.00003), percent_text(0.0234)
        ('2.34 ± 0.11', '0.0200 ± 0.0030', '2.3')
    """
    if share is None or math.isnan(share):
        return NONE
    if math.isfinite(error) and error > 0:
        return with_error(100 * share, 100 * error)
    return fixed(100 * share, places, sign=sign)


def weight_places(weights: Iterable[float]) -> int:
    """Decimals of the weights of one result: four, or more if all are small, as between a result and data in other units.

    Examples:
        >>> weight_places([0.41, 0.59]), weight_places([0.00041, -0.002])
        (4, 6)
    """
    largest = max((abs(w) for w in weights if math.isfinite(w) and w), default=1.0)
    return max(WEIGHT_PLACES, WEIGHT_PLACES - 1 - _power(largest, 1))


def seconds_text(seconds: float) -> str:
    """A duration.

    Examples:
        >>> seconds_text(12.345)
        '12.3 s'
    """
    return f"{fixed(seconds, 1)} s"


def small_unit(unit: str) -> str:
    """Name of a thousandth of a unit, in which shifts are quoted.

    Examples:
        >>> small_unit("GeV"), small_unit("m")
        ('MeV', '0.001 m')
    """
    return THOUSANDTH.get(unit, f"0.001 {unit}".strip())


def fine_unit(error: float, unit: str) -> tuple[float, str, int]:
    """Scale factor, unit and decimals for shifts of a parameter; for an error below 1 the unit is a thousandth of its own.

    Args:
        error: error of the parameter, in its unit.
        unit: unit of the parameter.

    Examples:
        >>> fine_unit(0.33, "GeV"), fine_unit(35.0, "pb")
        ((1000.0, 'MeV', 1), (1.0, 'pb', 2))
    """
    places = decimals(error) if math.isfinite(error) and error > 0 else ERROR_DIGITS
    if error < 1:
        return 1000.0, small_unit(unit), max(places - 1, 0)
    return 1.0, unit, max(places + 2, 0)


def fine_text(value: float, fine: tuple[float, str, int], *, sign: bool = False) -> str:
    """A shift with its unit.

    Args:
        value: the shift, in the unit of the parameter.
        fine: result of :func:`fine_unit`.
        sign: write the plus of positive numbers too.

    Examples:
        >>> fine_text(0.01212, fine_unit(0.33, "GeV"), sign=True)
        '+12.1 MeV'
    """
    scale, unit, places = fine
    return f"{fixed(scale * value, places, sign=sign)} {unit}".rstrip()


def counted(number: int, things: str) -> str:
    """A number of things, named in the plural; one thing in the singular.

    Examples:
        >>> counted(2, "observables"), counted(1, "observables"), counted(1, "degrees of freedom"), counted(0, "theories")
        ('2 observables', '1 observable', '1 degree of freedom', '0 theories')
        >>> counted(1, "source matrices"), counted(1, "assumed correlations")
        ('1 source matrix', '1 assumed correlation')
    """
    if number != 1:
        return f"{number} {things}"
    head, joint, rest = next((p for p in map(things.partition, (" of ", " with ")) if p[1]), (things, "", ""))
    for plural, singular in (("matrices", "matrix"), ("ies", "y"), ("s", "")):
        if head.endswith(plural):
            return f"{number} {head.removesuffix(plural)}{singular}{joint}{rest}"
    return f"{number} {things}"


def plain(text: str) -> str:
    """The same text with ASCII signs, for a terminal.

    Examples:
        >>> plain(with_error(-0.9, 1.35, unit="GeV"))
        '-0.9 +- 1.4 GeV'
        >>> plain("Δχ² = 1"), plain("pb²")
        ('Delta chi2 = 1', 'pb^2')
    """
    return text.replace("χ²", "chi2").translate(ASCII)

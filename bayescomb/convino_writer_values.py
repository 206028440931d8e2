"""Numbers as Convino files hold them, to the last digit."""

from __future__ import annotations

from decimal import Decimal

from bayescomb.errors import OptionError
from bayescomb.tables import LARGEST

__all__ = ["number_text", "shift_text"]


def number_text(number: float, *, where: str) -> str:
    """The shortest text that reads as the number.

    Raises:
        OptionError: its size is one that reading refuses.
    """
    number = float(number)
    if number != 0 and not 1 / LARGEST <= abs(number) <= LARGEST:
        allowed = f"0 and sizes from {1 / LARGEST:g} to {LARGEST:g}"
        msg = f"{where}: {number!r} cannot be written to Convino files, allowed are {allowed}; use other units"
        raise OptionError(msg)
    return repr(number)


def shift_text(up: float, down: float, *, where: str) -> str:
    """Shifts of a published value at +1 and -1 sigma as the files state them, without exponents in brackets.

    Raises:
        OptionError: their size is one that reading refuses.

    Examples:
        >>> shift_text(5.0, -3.0, where="row 1"), shift_text(6.1, -6.1, where="row 1")
        ('(+5.0-3.0)', '6.1')
    """
    if down == -up:
        return number_text(up, where=where)
    parts = (number_text(shift, where=where) for shift in (up, down))
    return f"({''.join(format(Decimal(part), '+f') for part in parts)})"

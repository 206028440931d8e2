"""What stands in the lines of a Convino block: cells, names, numbers and ``(+a-b)`` shifts."""

from __future__ import annotations

import re
from typing import Final

from bayescomb.convino_blocks import Line, shown, warn
from bayescomb.errors import (
    FileFormatError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.tables import NUMBER, number

__all__ = ["RESERVED", "STATISTICS", "bracketed", "cells", "check_name", "count", "flag", "shift", "value"]

RESERVED: Final = "=+,()#&:;[]"
STATISTICS: Final = "stat"
LONGEST: Final = 200

CELL: Final = re.compile(r"\([^()]*\)|[^\s()]+")
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
SHIFT: Final = re.compile(rf"\(\s*([+-]?\s*{_NUMBER})\s*([+-]\s*{_NUMBER})\s*\)", re.ASCII)
COUNT: Final = re.compile(r"\d{1,6}", re.ASCII)


def cells(line: Line) -> list[str]:
    """Cells of a row, separated by white space; what is in brackets is one cell.

    Raises:
        FileFormatError: a bracket is not closed or not opened.
    """
    if CELL.sub("", line.text).strip():
        msg = f"{line.where}: a bracket without its partner in {shown(line.text)}; correct it"
        raise FileFormatError(msg)
    return CELL.findall(line.text)


def check_name(name: str, *, kind: str, where: str) -> str:
    """The name itself if it can be one in these files.

    Raises:
        UnknownNameError: it holds a reserved character or white space, is a number, too long, or the word ``stat``.
    """
    reserved = [c for c in name if c in RESERVED or c.isspace()]
    if reserved or not name or not name.isprintable() or len(name) > LONGEST or NUMBER.fullmatch(name):
        reason = f"it holds {reserved[0]!r}" if reserved else "it is empty, too long or a number"
        msg = f"{where}: {shown(name)} is no name of {kind}, {reason}; use letters, digits, '_', '-' and '.'"
        raise UnknownNameError(msg)
    if name.lower() == STATISTICS:
        msg = f"{where}: {name!r} is no name of {kind}, it is reserved for the statistical uncertainty; rename it"
        raise UnknownNameError(msg)
    return name


def value(text: str, *, where: str) -> float:
    """A finite number.

    Raises:
        InvalidNumberError: it is not one.
    """
    if len(text) > LONGEST:
        msg = f"{where}: {shown(text)} found, a finite number is needed; correct it"
        raise InvalidNumberError(msg)
    return number(text, where=where)


def bracketed(text: str, *, where: str) -> float:
    """The number in ``(number)``.

    Raises:
        FileFormatError: there are no brackets.
        InvalidNumberError: there is no number in them.
    """
    if not (text.startswith("(") and text.endswith(")")):
        msg = f"{where}: {shown(text)} found, a number in brackets is needed, like (1)"
        raise FileFormatError(msg)
    return value(text[1:-1].strip(), where=where)


def shift(text: str, *, where: str) -> tuple[float, float]:
    """Shifts of a published value at +1 and at -1 sigma of a nuisance.

    The files state them as ``(u d)`` with both signs written, or as the single number u = -d.

    Raises:
        InvalidNumberError: it is neither form, or not finite.

    Examples:
        >>> shift("(+5-3)", where="row 1"), shift("6.1", where="row 1")
        ((5.0, -3.0), (6.1, -6.1))
    """
    if not text.startswith("("):
        up = value(text, where=where)
        return up, 0.0 - up
    match = SHIFT.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        msg = f"{where}: {shown(text)} found, a number or (+up-down) with both signs is needed; correct it"
        raise InvalidNumberError(msg)
    if "e" in text.lower():
        warn(where, f"the exponent in {text} is read as a part of its number, but Convino misreads it; write it out")
    up, down = (value("".join(part.split()), where=where) for part in match.groups())
    return up, down


def count(text: str, *, where: str) -> int:
    """A whole number above 0.

    Raises:
        InvalidNumberError: it is not one.
    """
    if not COUNT.fullmatch(text) or int(text) == 0:
        msg = f"{where}: {shown(text)} found, a whole number from 1 to 999999 is needed; correct it"
        raise InvalidNumberError(msg)
    return int(text)


def flag(text: str, *, where: str) -> bool:
    """``true`` or ``false``.

    Raises:
        OptionError: it is neither; other capitals would be read as false by Convino.
    """
    if text not in {"true", "false"}:
        hint = (
            f"write {text.lower()} in lower case, Convino reads {text} as false" if text.lower() == "true" else "correct it"
        )
        msg = f"{where}: {shown(text)} found, allowed: true, false; {hint}"
        raise OptionError(msg)
    return text == "true"

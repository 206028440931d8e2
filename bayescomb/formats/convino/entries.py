"""Lines of blocks of Convino files: ``name = value`` and continuations, cells, names, numbers, ``(+a-b)`` shifts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bayescomb.base.checks import known_name
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, OptionError, UnknownNameError
from bayescomb.formats.convino.blocks import Block, Line, shown, warn
from bayescomb.formats.csv import NUMBER, number

__all__ = [
    "RESERVED",
    "STATISTICS",
    "Entry",
    "bracketed",
    "cells",
    "check_name",
    "check_stray",
    "entries",
    "flag",
    "known_key",
    "numbered",
    "shift",
    "summands",
    "unfinished",
    "unique",
    "value",
    "without_semicolon",
]

WORD: Final = re.compile(r"[^\s=+,()#&:;\[\]]+")
LONGEST: Final = 200
RESERVED: Final = "=+,()#&:;[]"
STATISTICS: Final = "stat"
CELL: Final = re.compile(r"\([^()]*\)|[^\s()]+")
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
SHIFT: Final = re.compile(rf"\(\s*([+-]?\s*{_NUMBER})\s*([+-]\s*{_NUMBER})\s*\)", re.ASCII)
COUNT: Final = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``key = value`` and where it stands."""

    where: str
    key: str
    value: str


def entries(block: Block, *, continued: bool = False, empty: bool = False) -> tuple[list[Entry], list[Line]]:
    """The entries of a block, and its lines that are not ``name = value``.

    Args:
        block: a block of ``key = value`` lines.
        continued: whether a line without ``=`` continues one that ends unfinished, or continues the line before it by
            beginning with a plus sign.
        empty: whether a value may be missing.

    Raises:
        FileFormatError: a key or a value is missing.
    """
    found: list[Entry] = []
    stray: list[Line] = []
    open_entry = False
    for line in block.lines:
        key, sign, text = (part.strip() for part in line.text.partition("="))
        if sign:
            found.append(Entry(where=line.where, key=" ".join(key.split()), value=text))
            open_entry = True
        elif continued and open_entry and (unfinished(found[-1].value) or key.startswith("+")):
            warn(line.where, "read as the continuation of the line before, but Convino drops it; write both on one line")
            found[-1] = Entry(where=found[-1].where, key=found[-1].key, value=f"{found[-1].value} {key}".strip())
        else:
            stray.append(line)
            open_entry = False
    for entry in found:
        if not entry.key or not (entry.value or empty):
            msg = f"{entry.where}: {shown(f'{entry.key} = {entry.value}')} found in [{block.name}], 'name = value' is needed"
            raise FileFormatError(msg)
    return found, stray


def unfinished(text: str) -> bool:
    """Whether the value of an entry goes on in the next line."""
    return not text or text[-1] in "+)&:" or text.count("(") > text.count(")")


def check_stray(lines: Iterable[Line], known: Collection[str], *, block: str, keys: str = "(?!)") -> None:
    """Lines that are not ``name = value`` are prose, unless they name something of the model.

    Args:
        lines: the lines.
        known: names that the model has.
        block: what they stand in.
        keys: regular expression of the keys of the block.

    Raises:
        FileFormatError: a line names something, so that a number would be lost.
    """
    for line in lines:
        words = [word.strip(".!?'\"") for word in WORD.findall(line.text)]
        named = [word for word in words if word in known or re.fullmatch(keys, word)]
        if named:
            msg = (
                f"{line.where}: {shown(line.text)} in [{block}] names {named[0]!r} but is no entry; write 'name = value', "
                "or put # in front of a comment"
            )
            raise FileFormatError(msg)
        warn(line.where, f"{shown(line.text)} in [{block}] is no entry and not read; put # in front of a comment")


def unique(found: Iterable[Entry], *, block: str) -> dict[str, Entry]:
    """Entries by key.

    Raises:
        DuplicateNameError: a key stands twice.
    """
    by_key: dict[str, Entry] = {}
    for entry in found:
        if entry.key in by_key:
            msg = (
                f"{entry.where}: {shown(entry.key)} stands twice in [{block}], first at {by_key[entry.key].where}; keep one"
            )
            raise DuplicateNameError(msg)
        by_key[entry.key] = entry
    return by_key


def numbered(
    block: Block, *, size_key: str, keys: Sequence[str], known: Collection[str]
) -> tuple[list[list[Entry]], list[Entry]]:
    """The entries ``key0``, ``key1``, ... of a block, whose number is the value of another key.

    Args:
        block: the block.
        size_key: key of the number of rows.
        keys: the keys of a row, without its number.
        known: names that the model has.

    Returns:
        Each row, with its entries in the order of the keys, and the entries of rows beyond that number, which are not read.

    Raises:
        FileFormatError: the number of rows or an entry is missing, or a line that is not ``name = value`` names something.
        DuplicateNameError: a key stands twice.
        InvalidNumberError: the number of rows is no whole number above 0.
        UnknownNameError: a key resembles a known one.
    """
    found, stray = entries(block)
    alternatives = "|".join(keys)
    check_stray(stray, known, block=block.name, keys=rf"{size_key}|({alternatives})\d+")
    by_key = unique(found, block=block.name)
    if size_key not in by_key:
        msg = f"{block.where}: no {size_key} in [{block.name}]; add '{size_key} = N'"
        raise FileFormatError(msg)
    size = by_key[size_key]
    n = count(without_semicolon(size), where=f"{size.where}: {size_key}")
    needed = [[f"{key}{i}" for key in keys] for i in range(n)]
    for key in (key for row in needed for key in row):
        if key not in by_key:
            msg = f"{size.where}: {size_key} = {n} but no {key} in [{block.name}]; add it or correct {size_key}"
            raise FileFormatError(msg)
    allowed = dict.fromkeys([size_key, *(key for row in needed for key in row)])
    beyond = []
    for entry in found:
        if entry.key not in allowed and re.fullmatch(rf"({alternatives})(0|[1-9]\d*)", entry.key, re.ASCII):
            beyond.append(entry)
            warn(entry.where, f"{entry.key} = {shown(entry.value)} lies beyond {size_key} and is not read; remove it")
        else:
            known_key(entry, allowed, block=block.name)
    return [[by_key[key] for key in row] for row in needed], beyond


def known_key(entry: Entry, keys: Collection[str], *, block: str) -> bool:
    """Whether a key is known; an unknown one gives a warning.

    Raises:
        UnknownNameError: the key resembles a known one, so that a typing error would lose its value.
    """
    if entry.key in keys:
        return True
    try:
        known_name(entry.key[:LONGEST], keys, kind="key", where=f"{entry.where}: [{block}]")
    except UnknownNameError as error:
        if "did you mean" in str(error):
            raise
    warn(entry.where, f"unknown key {shown(entry.key)} in [{block}] is not read; known: {', '.join(keys)}")
    return False


def without_semicolon(entry: Entry) -> str:
    """The value of an entry without a semicolon at its end."""
    if not entry.value.endswith(";"):
        return entry.value
    warn(entry.where, f"the semicolon behind {shown(entry.value)} is not needed; remove it")
    return entry.value.rstrip("; \t")


def summands(entry: Entry, *, block: str) -> list[str]:
    """``a + b + c`` as a list.

    Raises:
        FileFormatError: there is a second ``=`` other than ``= absolute``, or nothing to sum.
    """
    text, sign, kind = (part.strip() for part in entry.value.partition("="))
    if sign:
        if kind != "absolute":
            msg = f"{entry.where}: a second '=' in [{block}], {shown(entry.value)}; types stand in [systematics]"
            raise FileFormatError(msg)
        warn(entry.where, "'= absolute' is not read here; types stand in [systematics] of a measurement")
    parts = [part.strip() for part in text.split("+")]
    names = [part for part in parts if part]
    if not names:
        msg = f"{entry.where}: {shown(entry.key)} lists nothing in [{block}]; write 'name = a + b'"
        raise FileFormatError(msg)
    if len(names) < len(parts):
        warn(entry.where, f"a plus sign with nothing to add in {shown(text)}; remove it")
    return names


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
    """The name, if these files can hold it.

    Raises:
        UnknownNameError: the name holds a reserved character or white space, or is empty, a number, too long or ``stat``.
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
        InvalidNumberError: the text has neither form, or a number is not finite.

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
        OptionError: the text is neither; Convino reads ``True`` as false.
    """
    if text not in {"true", "false"}:
        hint = (
            f"write {text.lower()} in lower case, Convino reads {text} as false" if text.lower() == "true" else "correct it"
        )
        msg = f"{where}: {shown(text)} found, allowed: true, false; {hint}"
        raise OptionError(msg)
    return text == "true"

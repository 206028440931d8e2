"""``name = value`` lines of the blocks of Convino files, lines that continue them, and lines that are none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from bayescomb.checks import known_name
from bayescomb.convino_blocks import Block, Line, shown, warn
from bayescomb.errors import DuplicateNameError, FileFormatError, UnknownNameError

__all__ = ["Entry", "check_stray", "entries", "known_key", "summands", "unfinished", "unique", "without_semicolon"]

WORD: Final = re.compile(r"[^\s=+,()#&:;\[\]]+")
LONGEST: Final = 200


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``key = value`` and where it stands."""

    where: str
    key: str
    value: str


def entries(block: Block, *, continued: bool = False) -> tuple[list[Entry], list[Line]]:
    """The entries of a block, and its lines that are none.

    Args:
        block: a block of ``key = value`` lines.
        continued: whether a line without ``=`` continues one that ends unfinished, or continues the line before it by
            beginning with a plus sign.

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
        if not entry.key or not entry.value:
            msg = f"{entry.where}: {shown(f'{entry.key} = {entry.value}')} found in [{block.name}], 'name = value' is needed"
            raise FileFormatError(msg)
    return found, stray


def unfinished(text: str) -> bool:
    """Whether the value of an entry goes on in the next line."""
    return not text or text[-1] in "+)&:" or text.count("(") > text.count(")")


def check_stray(lines: Iterable[Line], known: Collection[str], *, block: str, keys: str = "(?!)") -> None:
    """Lines that are no entries are prose, unless they name something of the model.

    Args:
        lines: the lines.
        known: names that the model has.
        block: what they stand in.
        keys: regular expression of the keys of the block.

    Raises:
        FileFormatError: a line names something, so that a number would be lost with it.
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


def known_key(entry: Entry, keys: Collection[str], *, block: str) -> bool:
    """Whether a key is one of those; an unlike one is warned of.

    Raises:
        UnknownNameError: it is like one of them, so it is a slip that would lose a value.
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
    """The value of an entry without the semicolon that people put behind it."""
    if not entry.value.endswith(";"):
        return entry.value
    warn(entry.where, f"the semicolon behind {shown(entry.value)} is not needed; remove it")
    return entry.value.rstrip("; \t")


def summands(entry: Entry, *, block: str) -> list[str]:
    """``a + b + c`` as a list.

    Raises:
        FileFormatError: there is a second ``=`` that means something, or nothing to sum.
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

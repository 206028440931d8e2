"""Sections and keys of the files of averagetools, in the form of Python's ``configparser``, with their line numbers.

A line that begins with ``#`` or ``;`` is a comment; an indented line continues the value of the key above.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bayescomb.base.errors import DuplicateNameError, FileFormatError
from bayescomb.formats.csv import read_text

__all__ = ["Entry", "looks_like_averagetools", "read_sections"]

SECTION: Final = re.compile(r"\[(?P<name>[^\]]+)\]\s*")
KEY: Final = re.compile(r"(?P<key>[^\s=:][^=:]*?)\s*[=:]\s*(?P<value>.*)")
# Bytes of a file in which a section [Data] is searched.
LONGEST: Final = 1_000_000


@dataclass(frozen=True)
class Entry:
    """The words of a value, and where the key stands."""

    where: str
    words: tuple[str, ...]


def looks_like_averagetools(path: Path) -> bool:
    """Whether a file is text with a section ``[Data]`` that has values; nothing else is checked."""
    try:
        content = path.read_bytes()[:LONGEST].decode()
    except (OSError, ValueError):
        return False
    data = re.search(r"^\[Data\]\s*$(.*?)(^\[|\Z)", content, re.MULTILINE | re.DOTALL)
    return data is not None and re.search(r"^values\s*[=:]", data[1], re.MULTILINE | re.IGNORECASE) is not None


def read_sections(path: Path) -> Mapping[str, Mapping[str, Entry]]:
    """Section -> key -> its words; keys are in small letters, as in that program.

    Raises:
        FileFormatError: the file is absent or unreadable, or a line is neither a section, nor a key, nor a continuation.
        DuplicateNameError: a section, or a key in it, stands twice.
    """
    found: dict[str, dict[str, Entry]] = {}
    section, key = "", ""
    for i, line in enumerate(read_text(path).split("\n"), 1):
        where = f"{path}:{i}"
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        if line[0].isspace() and key:
            entry = found[section][key]
            found[section][key] = Entry(entry.where, (*entry.words, *line.split()))
            continue
        if header := SECTION.fullmatch(line.strip()):
            section, key = header["name"], ""
            if section in found:
                msg = f"{where}: section [{section}] stands twice; put its keys together"
                raise DuplicateNameError(msg)
            found[section] = {}
            continue
        parts = KEY.fullmatch(line.strip())
        if parts is None or not section:
            msg = f"{where}: {line.strip()!r} found; a [section], or 'key = value' in one, is needed"
            raise FileFormatError(msg)
        key = parts["key"].casefold()
        if key in found[section]:
            msg = f"{where}: key {key!r} stands twice in [{section}]; keep one"
            raise DuplicateNameError(msg)
        found[section][key] = Entry(where, tuple(parts["value"].split()))
    return found

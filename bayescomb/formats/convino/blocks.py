"""Blocks of Convino files: ``[name]`` to ``[end name]``, comments, includes, and ``file:line`` of every line.

Text outside the blocks is free.  Inside, ``#`` starts a comment and ``#!FILE = path`` appends the lines of another file to
the block.  A marker counts where it stands first on its line.  Convino also obeys a marker inside a sentence or a comment,
so a warning says where such a mention changes what Convino reads.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bayescomb.base.checks import located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, warn_input
from bayescomb.formats.csv import read_text

__all__ = ["BASE_BLOCKS", "MEASUREMENT_BLOCKS", "Block", "Line", "read_blocks", "shown", "starts_block", "warn"]

BASE_BLOCKS: Final = ("global", "inputs", "observables", "correlations", "uncertainty impacts")
MEASUREMENT_BLOCKS: Final = (
    "hessian", "correlation matrix", "not fitted", "systematics", "estimates", "nuisance values",
)  # fmt: skip

# The lines of these blocks are ``key = value``, so that a marker among them is never a row of a table.
ENTRY_BLOCKS: Final = (*BASE_BLOCKS, "systematics", "estimates", "nuisance values")
MARKER: Final = re.compile(r"\s*\[([^\[\]]*)\](.*)", re.DOTALL)
INCLUDE: Final = re.compile(r"#!FILE\s*(=?)([^#]*)")
INCLUDE_MEANT: Final = re.compile(r"#\s*!\s*FILE\s*=", re.IGNORECASE)
# Text outside the blocks that looks like an entry, a row or an include.
MEANT: Final = re.compile(r"^[^#]*[=\d]|#!FILE")
MAX_INCLUDES: Final = 1000
MAX_DEPTH: Final = 50


def _compact(text: str) -> str:
    """Text without white space, which does not count inside a marker."""
    return "".join(text.split())


COMPACT: Final = {_compact(name): name for name in BASE_BLOCKS + MEASUREMENT_BLOCKS}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a block without its comment, and where it stands."""

    where: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Block:
    """The lines of a block that are not empty, those of included files last; ``where`` is the place of its start marker."""

    name: str
    where: str
    lines: tuple[Line, ...]


def warn(where: str, message: str) -> None:
    """Warn about the content of a file, at the line of code that called bayescomb."""
    warn_input(f"{where}: {message}")


def shown(text: str, limit: int = 60) -> str:
    """Text as a message quotes it."""
    return repr(text if len(text) <= limit else text[:limit] + "...")


def starts_block(text: str, name: str) -> bool:
    """Whether a line of the text starts the block of that name."""
    markers = (MARKER.match(line) for line in _lines(text))
    return any(m is not None and _compact(m[1]) == _compact(name) for m in markers)


def read_blocks(path: Path, *, allowed: Sequence[str], required: Collection[str]) -> dict[str, Block]:
    """The blocks of a file by name.

    Args:
        path: the file.
        allowed: names of the blocks that this kind of file has.
        required: names of the blocks that must be there, even if empty.

    Raises:
        FileFormatError: the file cannot be read, a block is missing, not ended, misspelled or belongs in another kind of
            file, or an include fails.
        DuplicateNameError: a block stands twice.
    """
    reader = _Reader(allowed)
    for number, raw in enumerate(_lines(read_text(path)), 1):
        reader.take(f"{path}:{number}", raw)
    reader.finish()
    for name in required:
        if name not in reader.found:
            msg = f"{path}: block [{name}] is missing; add [{name}] and [end {name}], with nothing between if it is empty"
            raise FileFormatError(msg)
    above = (_key(path),)
    return {
        name: Block(name=name, where=where, lines=tuple(_expand(path, lines, counter=_Counter(), above=above)))
        for name, (where, lines) in reader.found.items()
    }


def _lines(text: str) -> list[str]:
    """Lines as editors count them."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


class _Reader:
    """Takes a file line by line and keeps the raw lines of its blocks."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = allowed
        self.found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        self.current = ""
        self.mentions: list[tuple[str, str]] = []
        self.ended: dict[str, tuple[str, int]] = {}  # block -> its end, how many lines lie outside the blocks before it
        self.outside: list[tuple[str, str]] = []

    def take(self, where: str, raw: str) -> None:
        marker = MARKER.match(raw)
        if marker is not None and self._is_marker(_compact(marker[1]), marker[2].strip(), where):
            return
        if "[" in raw:
            self._note_mentions(where, raw)
        if self.current:
            if raw.lstrip().startswith("["):
                msg = f"{where}: {shown(raw.strip())} inside [{self.current}]; only [end {self.current}] may begin with '['"
                raise FileFormatError(msg)
            self.found[self.current][1].append((where, raw))
            return
        self.outside.append((where, raw))
        if INCLUDE.search(raw):
            warn(where, "an include outside the blocks is not read; move it into the block that it belongs to")

    def finish(self) -> None:
        if self.current:
            where, _ = self.found[self.current]
            msg = f"{where}: block [{self.current}] is not ended before the end of the file; add a line [end {self.current}]"
            raise FileFormatError(msg)
        self._warn_of_mentions(self.mentions)

    def _warn_of_mentions(self, mentions: Iterable[tuple[str, str]]) -> None:
        for name, where in mentions:
            warn(where, f"the mention of [{name}] is read as text, but Convino starts the block here; reword the line")

    def _is_marker(self, compact: str, rest: str, where: str) -> bool:
        """Whether a bracket at the start of a line is a marker; a marker starts or ends its block here."""
        ends = compact.startswith("end")
        name = COMPACT.get(compact.removeprefix("end"))
        if name is None:
            self._judge_unknown(compact, rest, where)
            return False
        if name not in self.allowed:
            kind = "base file" if name in BASE_BLOCKS else "measurement file"
            msg = f"{where}: block [{name}] belongs in a {kind}, here are allowed: {', '.join(self.allowed)}; move it there"
            raise FileFormatError(msg)
        if ends:
            self._end(name, where)
        else:
            self._start(name, where)
        if rest and not rest.startswith("#"):
            warn(where, f"{shown(rest)} behind the marker is not read; give it a line of its own")
        return True

    def _start(self, name: str, where: str) -> None:
        if self.current:
            begun, _ = self.found[self.current]
            msg = (
                f"{where}: block [{name}] begins inside [{self.current}] of {begun}; add a line [end {self.current}] before"
            )
            raise FileFormatError(msg)
        if name in self.found:
            msg = f"{where}: block [{name}] stands twice, first at {self.found[name][0]}; merge them, as only one is read"
            raise DuplicateNameError(msg)
        self.found[name] = (where, [])
        self.current = name
        # Convino starts a block where it is mentioned first, so that later mentions do not matter.
        self._warn_of_mentions(m for m in self.mentions if m[0] == name)
        self.mentions = [m for m in self.mentions if m[0] != name]

    def _end(self, name: str, where: str) -> None:
        if name in self.ended and self.current in ("", *ENTRY_BLOCKS):
            self._second_end(name, where)
            return
        if self.current != name:
            inside = f"inside [{self.current}]" if self.current else "without its start"
            msg = f"{where}: [end {name}] found {inside}; a block starts with a line that begins with [{name}]"
            raise FileFormatError(msg)
        self.current = ""
        self.ended[name] = (where, len(self.outside))

    def _second_end(self, name: str, where: str) -> None:
        """A block ends at its first end marker; text between that and a second one may belong to the block."""
        first, position = self.ended[name]
        between = [at for at, text in self.outside[position:] if MEANT.search(text)]
        if between:
            msg = (
                f"{where}: second [end {name}], and {between[0]} before it lies outside the block, which ended at {first}; "
                "remove the end that is not meant"
            )
            raise FileFormatError(msg)
        warn(where, f"second [end {name}], the block ended at {first}; remove one")

    def _judge_unknown(self, compact: str, rest: str, where: str) -> None:
        """Text in brackets that resembles a marker may be a block with a typing error."""
        lower = {_compact(name).lower(): name for name in self.allowed}
        text, found = compact.removeprefix("end"), shown(f"[{compact}]")
        close = difflib.get_close_matches(text.lower(), list(lower), n=1) if len(text) < 60 else []
        if close:
            end = "end " if text != compact else ""
            msg = f"{where}: unknown marker {found}; did you mean [{end}{lower[close[0]]}]?"
            raise FileFormatError(msg)
        if not self.current and (not rest or rest.startswith("#")):
            warn(where, f"unknown marker {found} is read as text; known blocks: {', '.join(self.allowed)}")

    def _note_mentions(self, where: str, raw: str) -> None:
        compact = _compact(raw)
        for key, name in COMPACT.items():
            if f"[{key}]" in compact and name in self.allowed and name not in self.found:
                self.mentions.append((name, where))
        end = f"[end{_compact(self.current)}]"
        if self.current and end in compact:
            if end in compact.partition("#")[0]:
                msg = f"{where}: [end {self.current}] stands behind other text; give it a line of its own"
                raise FileFormatError(msg)
            warn(
                where, f"[end {self.current}] in a comment is read as a comment, but Convino ends the block here; reword it"
            )


@dataclass
class _Counter:
    """How many files a block has included."""

    files: int = 0


def _key(path: Path) -> str:
    """One spelling of a path; ``resolve`` would read the disk, and fail on loops of links."""
    return os.path.normpath(path)


def _expand(path: Path, raw_lines: list[tuple[str, str]], *, counter: _Counter, above: tuple[str, ...]) -> list[Line]:
    """Own lines of a file, then those of the files it includes, in their order."""
    lines, includes = [], []
    for where, raw in raw_lines:
        data, _, comment = raw.partition("#")
        text = data.strip()
        if text:
            if not _compact(text).isprintable():
                msg = f"{where}: {shown(text)} holds characters that cannot be printed; type the line anew"
                raise FileFormatError(msg)
            lines.append(Line(where=where, text=text))
        if "!" in comment:
            target = _include_of(where, raw)
            if target:
                includes.append((where, target))
    for where, target in includes:
        lines += _included(where, path.parent / target, counter=counter, above=above)
    return lines


def _include_of(where: str, raw: str) -> str:
    """The file that a line includes, empty if none.

    Raises:
        FileFormatError: the include names no file.
    """
    include = INCLUDE.search(raw)
    if include is None:
        if INCLUDE_MEANT.search(raw):
            warn(
                where, "read as a comment; an include is written '#!FILE = path', in capitals and without blanks before FILE"
            )
        return ""
    target = include[2].strip()
    if not include[1] or not target or not target.isprintable():
        msg = f"{where}: {shown(include[0])} names no file to include; write '#!FILE = path'"
        raise FileFormatError(msg)
    if "#" in raw[: include.start()]:
        warn(where, f"an include behind a comment sign is read all the same; delete '!FILE' if {target!r} is not wanted")
    return target


def _included(where: str, path: Path, *, counter: _Counter, above: tuple[str, ...]) -> list[Line]:
    counter.files += 1
    if _key(path) in above:
        msg = f"{where}: {path} includes itself, directly or through others; remove one of the includes"
        raise FileFormatError(msg)
    if counter.files > MAX_INCLUDES or len(above) > MAX_DEPTH:
        msg = f"{where}: more than {MAX_INCLUDES} files, or {MAX_DEPTH} inside each other, are included; merge them"
        raise FileFormatError(msg)
    with located(where):
        raw_lines = [(f"{path}:{number}", raw) for number, raw in enumerate(_lines(read_text(path)), 1)]
    for at, raw in raw_lines:
        if raw.lstrip().startswith("["):
            msg = (
                f"{at}: {shown(raw.strip())} in an included file, which holds lines of one block without markers; remove it"
            )
            raise FileFormatError(msg)
    return _expand(path, raw_lines, counter=counter, above=(*above, _key(path)))

"""Reader and writer of CSV tables; the reader keeps the line of every row, so that messages name ``file:line``."""

from __future__ import annotations

import codecs
import csv
import difflib
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError

__all__ = [
    "LABEL",
    "Row",
    "check_header",
    "csv_text",
    "figure",
    "number",
    "read_table",
    "read_text",
    "triangle_text",
]

# Stricter than float(), which takes 173_79 for 17379, and digits of other scripts.
NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
DIGITS: Final = re.compile(r"[+-]?\d+", re.ASCII)
DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
# One or two numbers whose only commas are decimal ones, as in +0,5 -0,3 and 1,5%.
OF_NUMBERS: Final = re.compile(r"[(\u00b1]?([-+/\u2212\s]*\d+(,\d+)?([eE][+-]?\d+)?\s*%?\s*){1,2}\)?", re.ASCII)
THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
# 1,234.5 and 1,234,567 and 1 234: separated thousands in every country.
SEPARATED: Final = re.compile(
    r"[+-]?[1-9]\d{0,2}((,\d{3})+\.\d+|(,\d{3}){2,}|([' \u00a0\u2009\u202f]\d{3})+(\.\d+)?)", re.ASCII
)
ABSENT: Final = frozenset({"", "-", "--", "n/a", "na", "nan", "none", "\N{EN DASH}", "\N{EM DASH}"})
# Limit of the size of numbers, so that their squares and ratios are finite doubles.
LARGEST: Final = 1e60
SPECIAL: Final = frozenset(',"#')
# First bytes of spreadsheets and ZIP archives.
ARCHIVES: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# Key of the cells in the first column of a table whose other columns the user names; no column can have this name.
LABEL: Final = "\n"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table: its cells by column, and its file and line."""

    where: str
    cells: dict[str, str]

    def number(self, column: str) -> float:
        """The cell as a finite number.

        Raises:
            InvalidNumberError: the cell is not a finite number.
        """
        return number(self.cells[column], where=f"{self.where}, column {column!r}", lenient=True)


def read_text(path: Path) -> str:
    """Text of a file, without the byte-order mark that some editors put at its beginning.

    Raises:
        FileFormatError: the file is absent, unreadable, or neither UTF-8 nor UTF-16 with a byte-order mark.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        msg = f"{path}: no such file; {_written_otherwise(path)}"
        raise FileFormatError(msg) from error
    except IsADirectoryError as error:
        msg = f"{path}: a folder found, a file is needed; correct the path"
        raise FileFormatError(msg) from error
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        msg = f"{path}: cannot be read as UTF-8 text ({error})"
        raise FileFormatError(msg) from error
    if data[:4] in ARCHIVES:
        msg = f"{path}: a spreadsheet or an archive found, text is needed; export the sheet as CSV in UTF-8"
        raise FileFormatError(msg)
    encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        text = data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = (
            f"{path}:{line}: cannot be read as UTF-8 text (byte 0x{data[error.start]:02x}, written as latin-1 or by another "
            "program?); save the file as UTF-8"
        )
        raise FileFormatError(msg) from error
    if text[:4].count("\0") > 1:
        msg = f"{path}:1: zero bytes found, as in UTF-16 or UTF-32 without a byte-order mark; save the file as UTF-8"
        raise FileFormatError(msg)
    return text


def _written_otherwise(path: Path) -> str:
    """Advice about an absent file: the name of a file in its folder that differs in capitals or a letter."""
    try:
        names = {other.name.casefold(): other.name for other in path.parent.iterdir()}
    except OSError:
        return "correct the path"
    close = difflib.get_close_matches(path.name.casefold(), names, n=1, cutoff=0.85)
    return f"correct the path{f', is {str(path.with_name(names[close[0]]))!r} meant?' if close else ''}"


def read_table(
    path: Path, *, required: Sequence[str], labelled: bool = False, called: Callable[[str], str] = str
) -> tuple[list[str], list[Row]]:
    """Header and rows of a CSV file; lines that start with ``#`` and empty lines are skipped.

    Cells are separated by commas.  If the header has semicolons or tabs but no comma, these separate the cells, and numbers
    may have decimal commas.  Empty columns without a name, which spreadsheets add at the end, are left out.

    Args:
        path: the file.
        required: columns that must be there.
        labelled: the first column holds the names of the rows, and the user names the other columns; the cells of the first
            column have the key ``LABEL``, whatever its header.
        called: gives the name of a column from its header in the file.

    Raises:
        FileFormatError: a required column is missing, or a row has too few or too many cells.
        DuplicateNameError: two columns have the same name.
    """
    lines = [(i, line) for i, line in enumerate(read_text(path).split("\n"), 1) if line.strip() and line.lstrip()[0] != "#"]
    if not lines:
        msg = f"{path}: empty; a header line and at least one row are needed"
        raise FileFormatError(msg)
    separator = _separator(lines[0][1])
    parsed = [_cells(line, separator, where=f"{path}:{i}") for i, line in lines]
    while (
        parsed[0] and not parsed[0][-1] and all(len(p) < len(parsed[0]) or not any(p[len(parsed[0]) - 1 :]) for p in parsed)
    ):
        parsed = [p[: len(parsed[0]) - 1] for p in parsed]
    header = [called(name) for name in parsed[0]]
    where = f"{path}:{lines[0][0]}"
    keys = [LABEL, *header[1:]] if labelled else header
    check_header(header, keys=keys, required=required, where=where)
    if separator != ",":
        parsed[1:] = _without_decimal_commas(parsed[1:])
    rows = []
    for (line, _), cells in zip(lines[1:], parsed[1:], strict=True):
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if len(cells) != len(header):
            msg = (
                f"{path}:{line}: {len(cells)} cells found, {len(header)} needed ({', '.join(header)}); "
                f"{_row_advice(cells, header, separator)}"
            )
            raise FileFormatError(msg)
        rows.append(Row(where=f"{path}:{line}", cells=dict(zip(keys, cells, strict=True))))
    return header, rows


def _separator(header: str) -> str:
    """The separator of the cells: a comma, unless the header has none outside quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return next((s for s in (",", ";", "\t") if s in bare), ",")


def check_header(header: Sequence[str], *, required: Sequence[str], where: str, keys: Sequence[str] | None = None) -> None:
    """Check that no two columns have the same name and that no required column is missing.

    Args:
        header: names of the columns.
        required: names of the required columns.
        where: the file and line, for messages.
        keys: names of the columns in the rows, if they differ from the header.

    Raises:
        DuplicateNameError: a name stands twice.
        FileFormatError: a column is missing.
    """
    keys = header if keys is None else keys
    for i, name in enumerate(keys):
        if name in keys[:i]:
            msg = f"{where}: column {name!r} stands twice; every column needs its own name"
            raise DuplicateNameError(msg)
    missing = [name for name in required if name not in header]
    if missing:
        advice = _alike(missing, [name for name in header if name not in required])
        if not advice and len(missing) == len(required):
            advice = "; the first line holds the names of the columns: remove what stands above it, or rename them"
        msg = f"{where}: missing column {', '.join(map(repr, missing))}; found {', '.join(filter(None, header))}{advice}"
        raise FileFormatError(msg)


def _alike(missing: Sequence[str], header: Sequence[str]) -> str:
    """A hint where a column of similar name is there."""
    folded = {name.casefold(): name for name in header}
    found = [folded[name.casefold()] for name in missing if name.casefold() in folded]
    close = found or difflib.get_close_matches(missing[0], header, n=1)
    return f"; is {close[0]!r} meant? Write {missing[0]!r}" if close else ""


def _row_advice(cells: Sequence[str], header: Sequence[str], separator: str) -> str:
    if len(cells) < len(header):
        other = next((s for s in (";", "\t") if separator == "," and len(cells) == 1 and s in cells[0]), "")
        names = {";": "';'", "\t": "tabs"}
        return f"separated by {names[other]}? Separate the header so too" if other else "complete the row"
    halves = sum(bool(DIGITS.fullmatch(a) and b.isdecimal()) for a, b in itertools.pairwise(cells))
    if separator == "," and halves >= len(cells) - len(header):
        return "decimal comma? Write 1.5, or separate cells by ';'"
    return "remove the surplus cells, and put a cell that holds a separator in quotes"


def _without_decimal_commas(rows: list[list[str]]) -> list[list[str]]:
    """The rows with decimal points, if the table has a comma that must be decimal; 1,234 alone may be a thousand."""
    numbers = [cell for row in rows for cell in row if DECIMAL_COMMA.fullmatch(cell)]
    certain = any(not THOUSANDS.fullmatch(cell) for cell in numbers)
    points = any("." in cell and NUMBER.fullmatch(cell) for row in rows for cell in row)
    if not certain or points:
        return rows
    return [[cell.replace(",", ".") if OF_NUMBERS.fullmatch(cell) else cell for cell in row] for row in rows]


def _cells(line: str, separator: str, *, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True, delimiter=separator))]
    except csv.Error as error:
        advice = "close the quote in the same line" if "unexpected end" in str(error) else "correct it"
        msg = f"{where}: not a row of a CSV table ({error}); {advice}"
        raise FileFormatError(msg) from error


def _plain(text: str) -> str:
    """The text with a plain minus sign, and without separators of thousands where these cannot be decimal commas."""
    text = text.replace("\N{MINUS SIGN}", "-")
    return re.sub(r"[,' \u00a0\u2009\u202f]", "", text) if SEPARATED.fullmatch(text) else text


def _advice(text: object) -> str:
    """Advice about a text that is not a number."""
    if not isinstance(text, str):
        return "correct it"
    bare = text.strip()
    if bare.casefold() in ABSENT:
        return "write 0 if the source does not apply"
    if DECIMAL_COMMA.fullmatch(bare):
        point = bare.replace(",", ".")
        if THOUSANDS.fullmatch(bare):
            return f"decimal comma, or a separator of thousands? Write {point} or {bare.replace(',', '')}"
        return f"decimal comma? Write {point}"
    if bare.endswith("%"):
        return "a percentage is of the value? Write the size itself, in the unit of the estimate"
    if any(sign in bare for sign in ("\N{PLUS-MINUS SIGN}", "+-", "+/-")):
        return "give a value and its uncertainty in a cell each"
    if bare[:1] in "<>\N{ALMOST EQUAL TO}~":
        return "a limit has no size; write the number to use"
    with_unit = NUMBER.match(bare)
    if with_unit and bare[with_unit.end() :].strip().isidentifier():
        return f"write {with_unit[0].strip()} alone, units are stated with the observables"
    return "correct it"


def number(text: object, *, where: str, lenient: bool = False) -> float:
    """A finite number from a cell or a TOML value.

    Args:
        text: the cell or value.
        where: its place, for messages.
        lenient: allow a typeset minus sign and separators of thousands.

    Raises:
        InvalidNumberError: it is not a finite number, or its square would over- or underflow.
    """
    plain = _plain(text) if lenient and isinstance(text, str) else text
    readable = NUMBER.fullmatch(plain) if isinstance(plain, str) else isinstance(plain, (int, float))
    try:
        value = float(plain) if readable and not isinstance(plain, bool) else np.nan  # type: ignore[arg-type]
    except OverflowError:
        value = np.inf
    if not np.isfinite(value):
        msg = f"{where}: {text!r} found, a finite number is needed; {_advice(text)}"
        raise InvalidNumberError(msg)
    if value != 0 and not 1 / LARGEST <= abs(value) <= LARGEST:
        msg = f"{where}: {text!r} found, allowed are 0 and sizes from {1 / LARGEST:g} to {LARGEST:g}; use other units"
        raise InvalidNumberError(msg)
    return value


def csv_text(comment: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table below one line of comment; cells with commas, quotes or ``#`` are quoted.

    Examples:
        >>> print(csv_text("in GeV", ["estimate", "jes, b"], [["x", "0.5"]]), end="")
        # in GeV
        estimate,"jes, b"
        x,0.5
    """
    lines = [f"# {comment}", *(",".join(map(_cell, cells)) for cells in (header, *rows))]
    return "\n".join(lines) + "\n"


def triangle_text(comment: str, names: Sequence[str], matrix: FloatArray) -> str:
    """The lower triangle of a symmetric matrix as CSV text, with the names in the header and in the first column."""
    header = ["name", *names]
    rows = [[name, *map(figure, matrix[i, : i + 1]), *[""] * (len(names) - i - 1)] for i, name in enumerate(names)]
    return csv_text(comment, header, rows)


def figure(value: float) -> str:
    """A number in full precision."""
    return repr(float(value))


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if SPECIAL & set(text) else text

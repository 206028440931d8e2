"""CSV tables with the line of every row kept, so that a message can name ``file:line``."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.errors import DuplicateNameError, FileFormatError, InvalidNumberError

__all__ = ["Row", "number", "read_table", "read_text"]

# float() would take 173_79 for 17379, and digits of other scripts.
NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Squares of numbers and their ratios have to stay doubles.
LARGEST: Final = 1e60


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table: its cells by column, and where it stands."""

    where: str
    cells: dict[str, str]

    def number(self, column: str) -> float:
        """The cell as a finite number.

        Raises:
            InvalidNumberError: it is not one.
        """
        return number(self.cells[column], where=f"{self.where}, column {column!r}")


def read_text(path: Path) -> str:
    """Text of a file.

    Raises:
        FileFormatError: it is absent, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"{path}: no such file; correct the path"
        raise FileFormatError(msg) from error
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path that no file can have
        msg = f"{path}: cannot be read as UTF-8 text ({error})"
        raise FileFormatError(msg) from error


def read_table(path: Path, *, required: Sequence[str]) -> tuple[list[str], list[Row]]:
    """Header and rows of a CSV file; lines that start with ``#`` and empty lines are skipped.

    Args:
        path: the file.
        required: columns that must be there.

    Raises:
        FileFormatError: a required column is missing, or a row has too few or too many cells.
        DuplicateNameError: two columns have the same name.
    """
    lines = [(i, line) for i, line in enumerate(read_text(path).splitlines(), 1) if line.strip() and line.lstrip()[0] != "#"]
    if not lines:
        msg = f"{path}: empty; a header line and at least one row are needed"
        raise FileFormatError(msg)
    parsed = [_cells(line, where=f"{path}:{i}") for i, line in lines]
    header = parsed[0]
    where = f"{path}:{lines[0][0]}"
    for i, name in enumerate(header):
        if name in header[:i]:
            msg = f"{where}: column {name!r} stands twice; every column needs its own name"
            raise DuplicateNameError(msg)
    missing = [name for name in required if name not in header]
    if missing:
        msg = f"{where}: missing column {', '.join(map(repr, missing))}; found {', '.join(header)}"
        raise FileFormatError(msg)
    rows = []
    for (line, _), cells in zip(lines[1:], parsed[1:], strict=True):
        if len(cells) != len(header):
            msg = f"{path}:{line}: {len(cells)} cells found, {len(header)} needed ({', '.join(header)}); complete the row"
            raise FileFormatError(msg)
        rows.append(Row(where=f"{path}:{line}", cells=dict(zip(header, cells, strict=True))))
    return header, rows


def _cells(line: str, *, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        msg = f"{where}: not a row of a CSV table ({error}); correct it"
        raise FileFormatError(msg) from error


def number(text: object, *, where: str) -> float:
    """A finite number from a cell or a TOML value.

    Raises:
        InvalidNumberError: it is no finite number, or too large or small to be squared.
    """
    readable = NUMBER.fullmatch(text) if isinstance(text, str) else isinstance(text, (int, float))
    try:
        value = float(text) if readable and not isinstance(text, bool) else np.nan  # type: ignore[arg-type]
    except OverflowError:
        value = np.inf
    if not np.isfinite(value):
        msg = f"{where}: {text!r} found, a finite number is needed; correct it"
        raise InvalidNumberError(msg)
    if value != 0 and not 1 / LARGEST <= abs(value) <= LARGEST:
        msg = f"{where}: {text!r} found, allowed are 0 and sizes from {1 / LARGEST:g} to {LARGEST:g}; use other units"
        raise InvalidNumberError(msg)
    return value

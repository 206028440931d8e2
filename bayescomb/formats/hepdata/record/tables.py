"""Tables of HEPData as plain data: columns of numbers with labelled errors, over bins or names that identify the rows.

A cell without a number (``"-"``) has the value ``None``; its text is kept for messages.  The shift that a label states at +1
sigma is ``up``, the one at -1 sigma is ``down``, signs included; a percentage becomes that part of the size of its value.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bayescomb.base.errors import InvalidNumberError
from bayescomb.formats.csv import NUMBER, number

__all__ = [
    "NO_LABEL",
    "Axis",
    "Bin",
    "Cell",
    "Column",
    "LabelledError",
    "Table",
    "bin_of",
    "percent_or_number",
    "rounding",
    "row_label",
    "unique_labels",
]

NO_LABEL: Final = "error"  # what the site calls an error without a label
RANGE: Final = re.compile(
    rf"[\[(]?\s*(?P<low>{NUMBER.pattern})\s*(?:-+|\u2013|\u2014|to|,|;|\.\.+)\s*(?P<high>{NUMBER.pattern})\s*[\])]?",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """A bin, in the unit of its axis.

    Examples:
        >>> Bin(low=0.0, high=0.25).label
        '0 - 0.25'
    """

    low: float
    high: float

    @property
    def label(self) -> str:
        """Its edges as text."""
        return f"{self.low:.12g} - {self.high:.12g}"


def bin_of(entry: Bin | str) -> Bin | None:
    """The bin of an entry, which some tables write as a text; ``None`` if it is no bin.

    Examples:
        >>> [bin_of(text).label for text in ("0.0-0.3", "[0, 0.3]", "-2.5 to -1.5")], bin_of("2 jets")
        (['0 - 0.3', '0 - 0.3', '-2.5 - -1.5'], None)
    """
    if isinstance(entry, Bin):
        return entry
    match = RANGE.fullmatch(entry.replace("$", " ").strip())
    return Bin(low=float(match["low"]), high=float(match["high"])) if match else None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An independent variable.

    Attributes:
        name: the header.
        unit: the unit, empty if none is stated.
        entries: one per row: a bin, or the text of a name or number.
    """

    name: str
    unit: str
    entries: tuple[Bin | str, ...]


@dataclass(frozen=True, kw_only=True)
class LabelledError:
    """An error of one number.

    Attributes:
        label: the stated label; ``error`` if there is none, and a number is added to equal labels of one cell (``sys_1``,
            ``sys_2``), as the site does.
        up: shift at +1 sigma, in the unit of the column.
        down: shift at -1 sigma, in the same unit, usually negative.
        symmetric: whether the error was stated as one number.
        rounding: half a unit of the last digit that is stated, in the unit of the column.
        percent: whether the error was stated in percent; in a cell without a value it still is in percent.

    Examples:
        >>> LabelledError(label="JES", up=0.5, down=-0.3, symmetric=False).symmetrised
        0.4
    """

    label: str
    up: float
    down: float
    symmetric: bool
    rounding: float = 0.0
    percent: bool = False

    @property
    def symmetrised(self) -> float:
        """Half the distance from the shift at -1 sigma to the one at +1 sigma."""
        return (self.up - self.down) / 2

    def scaled(self, factor: float) -> LabelledError:
        """The error, multiplied by a factor."""
        return dataclasses.replace(self, up=factor * self.up, down=factor * self.down, rounding=abs(factor) * self.rounding)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A number of a column.

    Attributes:
        where: file, table, column and row.
        text: the stated text.
        value: the number, in the unit of the column; ``None`` if the text is no number.
        errors: the errors in their stated order.
    """

    where: str
    text: str
    value: float | None
    errors: tuple[LabelledError, ...] = ()

    def number(self) -> float:
        """The value.

        Raises:
            InvalidNumberError: the cell has no number.
        """
        if self.value is None:
            msg = (
                f"{self.where}: {self.text!r} found, a finite number is needed; leave the row out, or choose another column"
            )
            raise InvalidNumberError(msg)
        return self.value


@dataclass(frozen=True, kw_only=True)
class Column:
    """A dependent variable.

    Attributes:
        name: the header without the unit.
        unit: unit of the numbers, empty if none is stated.
        header: the whole header.
        qualifiers: (name, value) in their order; the unit of a value follows it after a blank.
        cells: one per row.
        repeated: label -> largest number of errors of one cell with that label, if more than 1.
    """

    name: str
    unit: str
    header: str
    qualifiers: tuple[tuple[str, str], ...]
    cells: tuple[Cell, ...]
    repeated: Mapping[str, int]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all errors, in order of appearance."""
        return tuple(dict.fromkeys(e.label for cell in self.cells for e in cell.errors))


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a record.

    Attributes:
        where: the file that holds the table.
        name: name, unique in its submission.
        description: description by the authors.
        axes: the independent variables.
        columns: the dependent variables.

    Examples:
        >>> axis = Axis(name="PT", unit="GeV", entries=(Bin(low=0.0, high=50.0), Bin(low=50.0, high=100.0)))
        >>> Table(where="t.yaml", name="Table 1", description="", axes=(axis,), columns=()).rows
        ('0 - 50', '50 - 100')
    """

    where: str
    name: str
    description: str
    axes: tuple[Axis, ...]
    columns: tuple[Column, ...]

    @property
    def varying(self) -> tuple[Axis, ...]:
        """The axes whose entries differ between rows; all axes if there are none."""
        return tuple(axis for axis in self.axes if len(set(axis.entries)) > 1) or self.axes

    @property
    def rows(self) -> tuple[str, ...]:
        """A label per row, from the axes whose entries differ between rows."""
        entries = zip(*(axis.entries for axis in self.varying), strict=True)
        return tuple(", ".join(row_label(e) for e in row) for row in entries)


def row_label(entry: Bin | str) -> str:
    """Label of an entry: the edges of a bin, or a name; equal numbers get equal labels.

    Examples:
        >>> row_label("8000.0"), row_label("muon+jets")
        ('8000', 'muon+jets')
    """
    if isinstance(entry, Bin):
        return entry.label
    return f"{float(entry) + 0.0:.12g}" if NUMBER.fullmatch(entry) else " ".join(entry.split())


def unique_labels(labels: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Labels of one cell, numbered where they stand more than once, and how often those stand.

    Raises:
        InvalidNumberError: a label equals a numbered one.

    Examples:
        >>> unique_labels(["stat", "sys", "sys"])
        (['stat', 'sys_1', 'sys_2'], {'sys': 2})
    """
    repeated = {label: n for label, n in Counter(labels).items() if n > 1}
    seen: Counter[str] = Counter()
    found = []
    for label in labels:
        seen[label] += 1
        found.append(f"{label}_{seen[label]}" if label in repeated else label)
    for label, n in Counter(found).items():
        if n > 1:
            msg = (
                f"the label {label!r} is stated, and a repeated label gets the same name with its number; rename one of them"
            )
            raise InvalidNumberError(msg)
    return found, repeated


def percent_or_number(text: str, value: float | None, *, where: str) -> float:
    """An error in the unit of its value; ``"5.3%"`` is that part of the size of the value.

    Raises:
        InvalidNumberError: the text is no number or percentage, or a percentage has no value to refer to.

    Examples:
        >>> percent_or_number("5%", 20.0, where="cell"), percent_or_number("+0.12", None, where="cell")
        (1.0, 0.12)
        >>> percent_or_number("5%", -20.0, where="cell")  # the size of a value has no sign
        1.0
    """
    stripped = text.strip().replace("\\%", "%")
    if not stripped.endswith("%"):
        return number(stripped, where=where)
    part = number(stripped[:-1].strip(), where=where)
    if value is None:
        msg = f"{where}: {text!r} found, in percent of a cell without a number; give it in the unit of the table"
        raise InvalidNumberError(msg)
    return part * abs(value) / 100


def rounding(text: str, value: float | None = None) -> float:
    """Half a unit of the last digit of a number, or of a percentage of a value; 0 for a 0, which may be exact.

    Examples:
        >>> rounding("0.12"), rounding("1.5e3"), rounding("5%", 20.0), rounding("0.0")
        (0.005, 50.0, 0.1, 0.0)
    """
    digits = text.replace("\\%", "%").strip().removesuffix("%").strip()
    if float(digits) == 0:
        return 0.0
    mantissa, _, exponent = digits.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (min(int(exponent or 0), 60) - decimals)
    return half * abs(value or 0.0) / 100 if text.strip().endswith("%") else half

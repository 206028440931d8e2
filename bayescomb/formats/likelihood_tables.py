r"""Inputs in place of a value with an error: tables of -2 ln L, and upper limits ``< 2.1 @ 95 %``.

The first column holds values of the quantity.  Its header is the name, with the unit in square brackets if the unit is to be
checked against that of the observable.  The header of the second column states its content::

    BR [1e-9],-2 ln L          # also: chi2, Delta chi2, -2 Delta ln L, 2 Delta NLL
    0.0,8.1                    # -ln L, -Delta ln L, NLL, Delta NLL: half of it
    0.5,4.4                    # ln L: minus half of it;  L: the likelihood itself
    1.0,2.0

A constant added to ln L does not matter.

An upper limit is read as a Gaussian likelihood around 0, as if no signal had been seen.  Its width is such that, with a flat
prior on a quantity that cannot be negative, the posterior quantile at the confidence level is the limit:

.. math:: \sigma = L / \Phi^{-1}\big((1 + \mathrm{level}) / 2\big) .

A published value with errors, or the published likelihood, contains more information than the limit.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

import scipy

from bayescomb.base.checks import located
from bayescomb.base.errors import FileFormatError, InvalidNumberError
from bayescomb.formats.csv import csv_text, figure, number, read_table
from bayescomb.inputs.formulas.units import read_unit
from bayescomb.inputs.measurements import LikelihoodTable

__all__ = ["is_limit", "likelihood_text", "limit_width", "read_likelihood"]

# Headers of the second column without spaces -> factor that converts the column to -2 ln L.
MEANINGS: Final[dict[str, float]] = {
    **dict.fromkeys(("-2lnl", "-2deltalnl", "2nll", "2deltanll", "chi2", "deltachi2", "-2lnlambda"), 1.0),
    **dict.fromkeys(("-lnl", "-deltalnl", "nll", "deltanll", "-lnlambda"), 2.0),
    **dict.fromkeys(("lnl", "deltalnl", "lnlambda"), -2.0),
}
LIKELIHOODS: Final = ("l", "likelihood")
SPELLINGS: Final = (
    ("\N{MINUS SIGN}", "-"), ("\N{GREEK SMALL LETTER DELTA}", "delta"), ("\N{GREEK SMALL LETTER CHI}", "chi"),
    ("\N{SUPERSCRIPT TWO}", "2"), ("\N{GREEK SMALL LETTER LAMDA}", "lambda"), ("log", "ln"), ("dchi2", "deltachi2"),
    ("dlnl", "deltalnl"), ("dnll", "deltanll"),
)  # fmt: skip
UNIT: Final = re.compile(r"(?P<name>.*?)\s*\[(?P<unit>[^\]]*)\]")
LIMIT: Final = re.compile(r"<\s*(?P<limit>[^@]+?)\s*@\s*(?P<level>[^%]+?)\s*%\s*(CL|C\.L\.)?")


def read_likelihood(path: Path, *, unit: str = "") -> LikelihoodTable:
    """Read a likelihood table from a CSV file.

    Args:
        path: the file.
        unit: unit of the observable, empty if none is stated; a unit in the file must be the same.

    Raises:
        FileFormatError: there are not two columns, the header of the second is not known, or the units differ.
        InvalidNumberError: a cell is not a number, a likelihood is not above 0, a point stands twice, or
            :class:`bayescomb.LikelihoodTable` refuses the curve through the points.
    """
    header, rows = read_table(path, required=())
    where = f"{path}, header"
    if len(header) != 2:
        msg = f"{where}: columns {', '.join(map(repr, header))} found; two are needed, the measured quantity and -2 ln L"
        raise FileFormatError(msg)
    quantity, meaning = header
    stated = UNIT.fullmatch(quantity)
    if stated is not None and unit and _unit(stated["unit"]) != _unit(unit):
        msg = f"{where}: unit {stated['unit']!r} of {stated['name']!r} found, the observable is in {unit!r}; convert one"
        raise FileFormatError(msg)
    multiple = _multiple(meaning, where)
    lines: dict[float, str] = {}
    rises = []
    for row in rows:
        point, found = row.number(quantity), row.number(meaning)
        if point in lines:
            msg = f"{row.where}: the point {point:g} found, which stands in {lines[point]} already; keep one of the two"
            raise InvalidNumberError(msg)
        lines[point] = row.where
        if multiple is None and found <= 0:
            msg = f"{row.where}, column {meaning!r}: {found:g} found, a likelihood is above 0; leave the point out"
            raise InvalidNumberError(msg)
        rises.append(-2 * math.log(found) if multiple is None else multiple * found)
    with located(str(path)):
        return LikelihoodTable(points=tuple(lines), rises=tuple(rises))


def likelihood_text(comment: str, quantity: str, table: LikelihoodTable) -> str:
    """CSV text of a table, from which the same table is read again.

    Examples:
        >>> table = LikelihoodTable(points=(0.0, 1.0, 2.0, 3.0), rises=(1.0, 0.0, 1.0, 4.0))
        >>> print(likelihood_text("Of a measurement.", "x", table).splitlines()[1:3])
        ['x,-2 ln L', '0.0,1.0']
    """
    rows = [[figure(t), figure(rise)] for t, rise in zip(table.points, table.rises, strict=True)]
    return csv_text(comment, [quantity, "-2 ln L"], rows)


def _unit(text: str) -> object:
    """A unit in a form that does not depend on its spelling; text that is not a product of powers stays text."""
    found = read_unit(text)
    return text.strip() if found is None else found


def _multiple(meaning: str, where: str) -> float | None:
    """Factor that converts the column to -2 ln L, ``None`` if the column holds L itself.

    Raises:
        FileFormatError: the header is not known.
    """
    plain = re.sub(r"[\s^*_(){}\\]", "", meaning.casefold())
    for other, ours in SPELLINGS:
        plain = plain.replace(other, ours) if ours not in plain else plain
    if plain in LIKELIHOODS:
        return None
    if plain not in MEANINGS:
        msg = (
            f"{where}: column {meaning!r} found; its header must state what it holds: -2 ln L (or chi2, "
            "Delta chi2, 2 Delta NLL), -ln L (or NLL), ln L or L"
        )
        raise FileFormatError(msg)
    return MEANINGS[plain]


def is_limit(cell: str) -> bool:
    """Whether a cell holds an upper limit, by its first character.

    Examples:
        >>> is_limit("< 2.1 @ 95 %"), is_limit("2.1")
        (True, False)
    """
    return cell.lstrip().startswith("<")


def limit_width(cell: str, *, where: str) -> float:
    """Standard deviation of the Gaussian around 0 that stands for an upper limit.

    Raises:
        InvalidNumberError: the cell has another form, is not above 0, or its level is not between 50 and 100 %.

    Examples:
        >>> round(limit_width("< 1.96 @ 95 %", where="here"), 4)
        1.0
    """
    found = LIMIT.fullmatch(cell.strip())
    if found is None:
        msg = f"{where}: {cell!r} found, a limit has the form < 2.1 @ 95 %; correct it"
        raise InvalidNumberError(msg)
    limit = number(found["limit"], where=where, lenient=True)
    level = number(found["level"], where=where, lenient=True)
    if limit <= 0 or not 50 < level < 100:
        msg = f"{where}: {cell!r} found, a limit is above 0 and its level between 50 and 100 %; correct it"
        raise InvalidNumberError(msg)
    return float(limit / scipy.special.ndtri((1 + level / 100) / 2))

r"""Upper limits as inputs: ``< 2.1 @ 95 %`` in place of a value.

A limit alone is read as the Gaussian likelihood of best value 0 that gives this limit, as if no signal had been seen.
With a flat prior on a quantity that cannot be negative its quantile at the level is the limit, so

.. math:: \sigma = L / \Phi^{-1}\big((1 + \mathrm{level}) / 2\big) .

Where a value with errors or the likelihood itself is published, it says more than the limit.
"""

from __future__ import annotations

import re
from typing import Final

import scipy

from bayescomb.base.errors import InvalidNumberError
from bayescomb.formats.csv import number

__all__ = ["is_limit", "limit_width"]

LIMIT: Final = re.compile(r"<\s*(?P<limit>[^@]+?)\s*@\s*(?P<level>[^%]+?)\s*%\s*(CL|C\.L\.)?")


def is_limit(cell: str) -> bool:
    """Whether a cell begins as a limit does.

    Examples:
        >>> is_limit("< 2.1 @ 95 %"), is_limit("2.1")
        (True, False)
    """
    return cell.lstrip().startswith("<")


def limit_width(cell: str, *, where: str) -> float:
    """Standard deviation of the Gaussian around 0 that an upper limit stands for.

    Raises:
        InvalidNumberError: it has another form, is not above 0, or its level is not between 50 and 100 %.

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

"""Titles as a note prints them: names of Greek letters become the letters."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["split_symbol", "typeset"]

NAMES: Final = (
    "alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "kappa", "lambda", "mu", "nu", "pi", "rho", "sigma", "tau",
    "phi", "chi", "omega",
)  # fmt: skip
UNICODE: Final = {"lambda": "LAMDA"}  # as Unicode spells it
GREEK: Final = {name: unicodedata.lookup(f"GREEK SMALL LETTER {UNICODE.get(name, name.upper())}") for name in NAMES}
WORD: Final = re.compile(rf"(?<![A-Za-z])({'|'.join(GREEK)})(?![A-Za-z])")
SYMBOL: Final = re.compile(r"([A-Za-z])_([A-Za-z0-9]+)")
DERIVATIVE: Final = re.compile(r"\bd\(([^\W\d_])\)")


def typeset(text: str) -> str:
    """A title with its Greek letters; not meant for names that are keys elsewhere.

    Examples:
        >>> typeset("13 TeV, d(sigma)/d(rho), rho 0 to 0.3").encode("ascii", "namereplace").count(b"GREEK")
        3
        >>> typeset("Strong coupling"), typeset("rhodium")
        ('Strong coupling', 'rhodium')
    """
    return DERIVATIVE.sub(r"d\1", WORD.sub(lambda found: GREEK[found[1]], text))


def split_symbol(name: str) -> tuple[str, str] | None:
    """Letter and index of a name that reads like a symbol, ``None`` for any other.

    Examples:
        >>> split_symbol("m_t"), split_symbol("sigma_tt_13TeV")
        (('m', 't'), None)
    """
    found = SYMBOL.fullmatch(name)
    return None if found is None else (found[1], found[2])

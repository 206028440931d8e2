"""Numba functions with a cache on disk that is valid until a file of this folder changes.

Numba's own cache of a function is valid until the file of that function changes, although the functions that it calls, of
other files, are compiled into it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc

__all__ = ["REORDER", "c_function", "compiled"]

# Sums may be reordered, so that several terms are added at once; infinities and NaN keep their meaning.
REORDER = {"reassoc", "contract"}


def _stamp() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


STAMP = _stamp()


class _RoomCache(FunctionCache):
    """The cache of a function, valid until a file of this folder changes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = STAMP


def compiled(*, reorder: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that makes a numba function; divisions by 0 give infinities as in numpy.

    Args:
        reorder: whether the terms of sums may be reordered.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(error_model="numpy", fastmath=REORDER if reorder else False)(function)
        if hasattr(dispatcher, "enable_caching"):  # not where numba is switched off
            dispatcher._cache = _RoomCache(function)
        return dispatcher

    return decorate


def c_function(signature: Any, function: Callable[..., Any]) -> Any:
    """A numba function as a C function with an ``address``."""
    arguments = (tuple(signature.args), signature.return_type)
    found: Any = CFunc(function, arguments, locals={}, options={"nopython": True, "error_model": "numpy"})
    found._cache = _RoomCache(function)
    found.compile()
    return found

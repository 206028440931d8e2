"""Numba functions with a cache on disk that knows of the whole room.

Numba takes what is cached of a function as long as the file of that function is the same, although the functions it calls
are compiled into it.  Here a change of any file of the room makes everything in it new.
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

# Sums may be reordered, which lets several terms be added at once; infinities and NaN stay what they are.
REORDER = {"reassoc", "contract"}


def _stamp() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


STAMP = _stamp()


class _RoomCache(FunctionCache):
    """The cache of a function, good as long as no file of the room changes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = STAMP


def compiled(*, reorder: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of a numba function; divisions by 0 give infinities as in numpy.

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

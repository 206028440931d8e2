"""One thread for linear algebra: matrices of a few hundred rows gain nothing from a second one.

They lose by it where another process has the second core: the threads of BLAS wait for each other in a loop, which makes a
profile fifty times slower on a shared machine.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import scipy.linalg  # noqa: F401  # its BLAS is a library of its own, found only once it is loaded
from threadpoolctl import ThreadpoolController

__all__ = ["available_cores", "single_threaded"]

_CONTROLLER = ThreadpoolController()


def available_cores() -> int:
    """Processor cores that this process may use.

    Examples:
        >>> available_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def single_threaded[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """The function with BLAS held to one thread while it runs; the setting from before is restored.

    Examples:
        >>> single_threaded(abs)(-1)
        1
    """

    @functools.wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _CONTROLLER.limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited

"""Matrices scaled to unit diagonal, zeros and maxima of functions of one variable, and BLAS in one thread.

Zeros and maxima are found here, as scipy.optimize takes longer to import than ``bayescomb check`` takes to run.  BLAS is
held to one thread, as its threads wait for each other in a loop: beside another busy process they make a profile fifty
times slower.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from typing import Final

import numpy as np
import scipy.linalg  # noqa: F401  # its BLAS is a library of its own, found only once it is loaded
from threadpoolctl import ThreadpoolController

from bayescomb.base.arrays import FloatArray

__all__ = [
    "SYMMETRY_TOLERANCE",
    "asymmetric_entry",
    "available_cores",
    "concave_maximum",
    "correlation_of",
    "crossing",
    "information_of",
    "single_threaded",
    "unit_diagonal",
]

# Published matrices are typed with a few digits, so a genuine asymmetry is far above this.
SYMMETRY_TOLERANCE: Final = 1e-9
# Golden section, and the most steps of a search for a zero.
GOLDEN: Final = (math.sqrt(5) - 1) / 2
MOST_STEPS: Final = 200


def asymmetric_entry(matrix: FloatArray, *, tolerance: float | None = None) -> tuple[int, int] | None:
    """Position of the entry that differs most from its mirror entry; ``None`` for a symmetric matrix.

    Args:
        matrix: shape (n, n).
        tolerance: largest difference that counts as rounding; by default :data:`SYMMETRY_TOLERANCE` times the largest entry.

    Examples:
        >>> import numpy as np
        >>> asymmetric_entry(np.array([[1.0, 0.5], [0.4, 1.0]])), asymmetric_entry(np.eye(2))
        ((0, 1), None)
    """
    difference = np.abs(matrix - matrix.T)
    if tolerance is None:
        tolerance = SYMMETRY_TOLERANCE * float(np.abs(matrix).max(initial=1e-300))
    if not difference.max(initial=0.0) > tolerance:
        return None
    i, j = np.unravel_index(difference.argmax(), difference.shape)
    return int(i), int(j)


def unit_diagonal(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A symmetric matrix scaled to a diagonal of 1 or -1, so that its eigenvalues have no units, and the scale.

    Args:
        matrix: A, shape (n, n).

    Returns:
        B of shape (n, n) and s of shape (n,) with A_ij = B_ij s_i s_j; s_i is 1 where A_ii is 0.

    Examples:
        >>> import numpy as np
        >>> scaled, scale = unit_diagonal(np.array([[4.0, 3.0], [3.0, 9.0]]))
        >>> scaled.tolist(), scale.tolist()
        ([[1.0, 0.5], [0.5, 1.0]], [2.0, 3.0])
    """
    scale = np.sqrt(np.abs(np.diag(matrix)))
    scale[scale == 0] = 1.0
    return matrix / np.outer(scale, scale), scale


def correlation_of(covariance: FloatArray) -> FloatArray:
    """Correlation matrix of a covariance, shape (n, n).

    Examples:
        >>> import numpy as np
        >>> correlation_of(np.array([[4.0, 3.0], [3.0, 9.0]])).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    return unit_diagonal(covariance)[0]


def information_of(correlation: FloatArray, sizes: FloatArray) -> FloatArray:
    """Inverse of the covariance rho_ij s_i s_j; only rho is inverted, so that units cost no precision.

    Args:
        correlation: rho, positive definite, shape (n, n).
        sizes: s, above 0, shape (n,).

    Examples:
        >>> import numpy as np
        >>> information_of(np.eye(2), np.array([1.0, 0.5])).tolist()
        [[1.0, 0.0], [0.0, 4.0]]
    """
    inverse = np.linalg.inv(correlation)
    return (inverse + inverse.T) / 2 / np.outer(sizes, sizes)


def crossing(function: Callable[[float], float], inside: float, outside: float, *, tolerance: float = 2e-12) -> float:
    """Where a continuous function crosses zero, by Ridders' method (IEEE Trans. Circuits Syst. 26 (1979) 979).

    Args:
        function: not negative at ``inside``, negative at ``outside``.
        inside: one end of the interval.
        outside: the other end, above or below.
        tolerance: of the position of the zero.

    Examples:
        >>> round(crossing(lambda x: 2 - x * x, 0.0, 2.0), 9)
        1.414213562
    """
    a, b, at_a, at_b = inside, outside, function(inside), function(outside)
    last = math.inf
    for _ in range(MOST_STEPS):
        if at_a == 0 or abs(b - a) <= tolerance:
            return a
        middle = (a + b) / 2
        at_middle = function(middle)
        # at_a and at_b have opposite signs
        x = middle + (middle - a) * at_middle / math.sqrt(at_middle**2 - at_a * at_b)
        if abs(x - last) <= tolerance:
            return x
        last, at_x = x, function(x)
        for place, value in ((middle, at_middle), (x, at_x)):
            if min(a, b) < place < max(a, b):
                a, at_a, b, at_b = (place, value, b, at_b) if value >= 0 else (a, at_a, place, value)
    return a


def concave_maximum(function: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-10) -> float:
    """Position of the maximum of a concave function on [low, high], within ``tolerance``, by golden-section search.

    Examples:
        >>> round(concave_maximum(lambda x: -abs(x - 0.3), 0.0, 1.0), 6)
        0.3
    """
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


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

"""Where a function of one variable crosses zero, and where a concave one is largest.

The optimisers of scipy, which have both, take longer to load than ``bayescomb check`` has to work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

__all__ = ["concave_maximum", "crossing"]

GOLDEN: Final = (math.sqrt(5) - 1) / 2
MOST_STEPS: Final = 200


def crossing(function: Callable[[float], float], inside: float, outside: float, *, tolerance: float = 2e-12) -> float:
    """Where a continuous function crosses zero, by Ridders' method (IEEE Trans. Circuits Syst. 26 (1979) 979).

    Args:
        function: not negative at ``inside``, negative at ``outside``.
        inside: one end of the interval.
        outside: the other end, above or below.
        tolerance: of the place.

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
    """Where a concave function is largest on an interval, by the golden section.

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

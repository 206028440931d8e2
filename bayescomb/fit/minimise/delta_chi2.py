"""Ends of an interval, where a profiled chi2 has grown by a given amount: the search that all fits use."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy

__all__ = ["crossing", "crossing_within"]

# Steps from parabola to parabola, and outward steps until chi2 has grown enough, before the search gives up.
PARABOLAS = 12
OUTWARD = 20
# A crossing between two points is good to this fraction of the distance where the search began.
PLACE = 1e-9
# A crossing within bounds is good to this fraction of the error.
WITHIN = 1e-13


def crossing(
    excess: Callable[[float], float],
    start: float,
    *,
    met: float = 0.0,
    end: float = math.inf,
    outward: Callable[[float], float] | None = None,
    most: int = OUTWARD,
) -> float | None:
    """Signed distance from the minimum at which chi2, all other variables profiled, has grown by the amount sought.

    Args:
        excess: distance -> growth of chi2 less the amount sought, below 0 at distance 0.
        start: where the search begins, signed; the crossing if chi2 is a parabola.
        met: excess that counts as none where a growth of 1 is sought: the search then goes from parabola to parabola before
            it brackets the crossing.
        end: distance that is not passed, of the sign of ``start`` unless it is infinite.
        outward: the next distance to try where chi2 has not grown enough; twice as far by default.
        most: outward steps.

    Returns:
        ``None`` if chi2 does not grow that much up to the end, or within the steps.

    Examples:
        >>> from bayescomb.fit.minimise.delta_chi2 import crossing
        >>> crossing(lambda distance: (distance / 0.25) ** 2 - 1, -0.2, met=1e-9)
        -0.25
    """
    distance = start if abs(start) <= abs(end) else end
    for _ in range(PARABOLAS if met else 0):
        found = excess(distance)
        if abs(found) < met:
            return distance
        step = distance / math.sqrt(1 + found) if found > -1 else math.inf
        if not abs(step) < abs(end):
            break
        distance = step
    inner, outer = 0.0, start
    for _ in range(most):
        outer = outer if abs(outer) <= abs(end) else end
        if excess(outer) > 0:
            return float(scipy.optimize.brentq(excess, inner, outer, xtol=PLACE * abs(start), rtol=PLACE / 10))
        if outer == end:
            return None
        inner, outer = outer, outward(outer) if outward else 2 * outer
    return None


def crossing_within(growth: Callable[[float], float], best: float, outer: float, *, bound: float, error: float) -> float:
    """The point where a profiled chi2 has grown by 1, or the bound if that comes first.

    Args:
        growth: of chi2, less 1.
        best: the minimum of chi2.
        outer: a point where chi2 has grown by 1 at least.
        bound: that the parameter cannot go below.
        error: error of the parameter, which sets the scale.
    """
    outer = max(outer, bound)
    if outer == best or (outer == bound and growth(bound) <= 0):
        return outer
    step = WITHIN * error * np.sign(outer - best)
    while growth(outer) < 0:  # by rounding alone
        outer, step = outer + step, 2 * step
    return float(scipy.optimize.brentq(growth, best, outer, xtol=WITHIN * error, rtol=4 * np.finfo(float).eps))

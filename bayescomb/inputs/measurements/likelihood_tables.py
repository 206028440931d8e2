r"""Likelihoods given as tables of points: inputs that are not Gaussian.

Through the points of :math:`D = -2 \ln L` goes the cubic spline (not-a-knot), which has one minimum :math:`D_0` at
:math:`t_0`.  The signed root :math:`z(t) = \operatorname{sign}(t - t_0) \sqrt{D(t) - D_0}` at the points (near the minimum
on the spline), which is straight where L is a Gaussian, is interpolated by a cubic spline again.  It is a pull of unit
width, so a table is an estimate of value :math:`t_0` and error :math:`\sigma = 1 / z'(t_0)` whose prediction is warped,

.. math:: X = t_0 + \sigma\, z(t), \qquad \frac{(X - t_0)^2}{\sigma^2} = D(t) - D_0 .

A parabola is not warped at all: it is the Gaussian of the same value and error.  Nuisances shift t, inside of z.  Beyond the
first and the last point z goes on as a straight line, D as a parabola with the value and slope of the end.

A table may begin or end at its minimum, as one of a quantity that cannot be negative.  Where it still falls towards that
end, with a slope, the value is where the parabola through the end would have its minimum, and D there is taken off again: of
D only differences count.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import InvalidNumberError
from bayescomb.base.numerics import crossing
from bayescomb.inputs.curves import Curve, ascending_points

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

__all__ = ["LikelihoodTable"]

FEWEST: Final = 4
WHERE: Final = "likelihood table"
ADVICE: Final = "Give points that are less rounded, or more of them where -2 ln L bends"
# Points of the warped prediction per interval of a table that falls towards its end.
STEPS: Final = 8
# Pull below which a root loses the digits of D - D_0, and where z is taken from the spline of D instead, in units of sigma.
NEAR: Final = 0.5
NEAR_POINTS: Final = np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
# Rise of D within which the spline is compared with that of every second point.
COMPARED: Final = 4.0
# Of the width of a table: a minimum so near to a point is at the point.
AT_POINT: Final = 1e-9


class _Shape(NamedTuple):
    """A warped prediction: t_0, sigma, D of the Gaussian at the minimum of the table, and its curve."""

    value: float
    width: float
    offset: float
    curve: Curve


@dataclass(frozen=True, kw_only=True)
class LikelihoodTable:
    """-2 ln L of one measured quantity at n points.

    Attributes:
        points: n values of the quantity, all different, in any order.
        rises: -2 ln L there, up to a constant, n.

    Raises:
        InvalidMatrixError: the two have different lengths.
        InvalidNumberError: there are less than 4 points, one stands twice, the curve through them has more than one minimum
            or none, or it rises by less than 1 everywhere.

    Examples:
        Three events seen where none is expected as background, -2 ln L = 2 (s - 3 ln s):

        >>> import bayescomb as bc, numpy as np
        >>> s = np.linspace(0.5, 12, 24)
        >>> table = bc.LikelihoodTable(points=tuple(s), rises=tuple(2 * (s - 3 * np.log(s))))
        >>> round(table.minimum, 2), [round(x, 2) for x in table.errors]
        (3.0, [2.08, -1.42])
    """

    points: tuple[float, ...]
    rises: tuple[float, ...]

    def __post_init__(self) -> None:
        points, rises = ascending_points(self.points, self.rises, where=f"a {WHERE}")
        if len(points) < FEWEST:
            msg = f"{WHERE}: {len(points)} points found, a curve through them needs {FEWEST}"
            raise InvalidNumberError(msg)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "rises", rises)
        _ = self._shape  # which finds its minimum

    @property
    def value(self) -> float:
        """Centre t_0 of the Gaussian that it is near its minimum; beyond the end of a table that falls towards that end."""
        return self._shape.value

    @property
    def width(self) -> float:
        """Standard deviation sigma of that Gaussian."""
        return self._shape.width

    @property
    def offset(self) -> float:
        """D of the Gaussian at the minimum of the table, 0 but for a table that falls towards its end."""
        return self._shape.offset

    @property
    def minimum(self) -> float:
        """Where D is lowest within the table."""
        low, high = self.ends
        return min(max(self.value, low), high)

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last point."""
        return self.points[0], self.points[-1]

    @cached_property
    def errors(self) -> tuple[float | None, float | None]:
        """Signed distances (up, down) from the minimum to where D has risen by 1, ``None`` where the table ends before."""
        low, high = self.ends
        return self._distance(high), self._distance(low)

    def _distance(self, end: float) -> float | None:
        if self.rise(end) < 1:
            return None
        length = end - self.minimum
        return length * crossing(lambda share: 1 - self.rise(self.minimum + share * length), 0.0, 1.0, tolerance=1e-15)

    def rise(self, t: Any) -> Any:
        """D(t) less its lowest value, of a number or an array of any shape."""
        found = ((self.warped(t) - self.value) / self.width) ** 2 - self.offset
        return found if np.ndim(t) else float(found)

    def warped(self, t: Any, *, xp: Any = np) -> Any:
        """X of t, any shape, in the unit of t; of symbols with ``pytensor.tensor``."""
        return self._shape.curve.value(t, xp=xp)

    def derivatives(self, t: Any) -> tuple[Any, Any]:
        """First and second derivative of X by t."""
        return self._shape.curve.derivatives(t)

    def moved(self, by: float) -> LikelihoodTable:
        """The table of the quantity plus a number."""
        return LikelihoodTable(points=tuple(t + by for t in self.points), rises=self.rises)

    def scaled(self, factor: float) -> LikelihoodTable:
        """The table of the quantity times a number that is not 0."""
        return LikelihoodTable(points=tuple(t * factor for t in self.points), rises=self.rises)

    @property
    def coarseness(self) -> float | None:
        """Largest change of D by leaving every second point out, where D has risen by less than 4.

        The error of interpolation is a sixteenth of that or so, as it goes with the fourth power of the distance of points;
        ``None`` of a table that has too few points to leave some out.
        """
        points, rises = np.array(self.points), np.array(self.rises)
        kept = np.arange(len(points)) % 2 == 0
        kept[-1] = True
        if kept.sum() < FEWEST or kept.all():
            return None
        inside = ~kept & (rises - rises.min() < COMPARED)
        coarse = _spline(points[kept], rises[kept])(_scaled(points[inside], points[kept]))
        return float(np.abs(coarse - rises[inside]).max(initial=0.0))

    @cached_property
    def _shape(self) -> _Shape:
        points, rises = np.array(self.points), np.array(self.rises) - min(self.rises)
        spline, half = _spline(points, rises), (points[-1] - points[0]) / 2
        middle = points[0] + half
        turns = self._turns(spline)
        if turns:
            (centre,) = turns
            lowest, curvature, offset = float(spline(centre)), float(spline(centre, 2)) / 2, 0.0
            at, roots = _two_sided(spline, centre, curvature)
        else:
            sign, end = (1.0, -1.0) if rises[0] < rises[-1] else (-1.0, 1.0)
            lowest, slope, bend = float(spline(end)), sign * float(spline(end, 1)), float(spline(end, 2)) / 2
            curvature, offset = self._virtual(spline, end, slope, bend)
            at = np.unique(np.linspace(spline.x[:-1], spline.x[1:], STEPS + 1))
            roots = sign * np.sqrt(np.maximum(spline(at) - lowest, 0.0) + offset)
            centre = end - sign * math.sqrt(offset / curvature)
        if rises.max() - lowest < 1:
            msg = (
                f"{WHERE}: -2 ln L rises by {rises.max() - lowest:.3g} from its minimum to the ends; a table covers a rise "
                "of 1 on one side at least, better of 4 and more on both"
            )
            raise InvalidNumberError(msg)
        value, width = float(middle + half * centre), float(half / math.sqrt(curvature))
        curve = Curve(
            name="likelihood",
            x=tuple((middle + half * at).tolist()),
            y=tuple((value + width * roots).tolist()),
            beyond="straight",
        )
        if not (curve.derivatives(np.linspace(points[0], points[-1], 20 * len(points)))[0] > 0).all():
            msg = f"{WHERE}: the curve through the points does not rise on both sides of its minimum. {ADVICE}"
            raise InvalidNumberError(msg)
        return _Shape(value=value, width=width, offset=float(offset), curve=curve)

    def _turns(self, spline: CubicSpline) -> list[float]:
        """Where the spline turns: its minimum, or nothing where it rises or falls all along.

        Raises:
            InvalidNumberError: it turns more than once, or to fall.
        """
        slope = spline.derivative()
        found = np.sort(slope.roots(extrapolate=False))
        found = found[np.isfinite(found)]
        size = float(np.abs(slope(spline.x)).max())
        # Between the turns and at the ends the slope tells which way it goes.
        edges = np.concatenate([[-1.0], found, [1.0]])
        middles = slope((edges[:-1] + edges[1:]) / 2)
        long = np.diff(edges) > AT_POINT
        ways = [bool(m > 0) for m, kept in zip(middles, long, strict=True) if kept and abs(m) > AT_POINT * AT_POINT * size]
        if not ways:
            msg = f"{WHERE}: the same number at all points; -2 ln L rises by 1 from its minimum at least"
            raise InvalidNumberError(msg)
        changes = [(a, b) for a, b in itertools.pairwise(ways) if a != b]
        half = (self.points[-1] - self.points[0]) / 2
        if len(changes) > 1 or (changes and changes[0] == (True, False)):
            at = ", ".join(f"{self.points[0] + half * (1 + x):.6g}" for x in found)
            msg = f"{WHERE}: the curve through the points turns at {at}; one minimum is allowed. {ADVICE}"
            raise InvalidNumberError(msg)
        inner = [x for x in found if -1 + AT_POINT < x < 1 - AT_POINT]
        if changes:
            return [float(min(inner, key=spline))]
        ends = [end for end in (-1.0, 1.0) if abs(slope(end)) <= AT_POINT * size]
        lowest = -1.0 if ways[0] else 1.0
        return [lowest] if lowest in ends and float(spline(lowest, 2)) > 0 else []

    def _virtual(self, spline: CubicSpline, end: float, slope: float, bend: float) -> tuple[float, float]:
        """Half the second derivative of the Gaussian at the end to which D falls, and its D there, c = slope^2 / (4 h).

        h is that of the curve, or, where D is nearly straight, one over the square of the distance to a rise by 1.
        """
        grid = np.linspace(end, -end, 4001)
        risen = np.flatnonzero(spline(grid) - spline(end) >= 1)
        distance = abs(float(grid[risen[0]]) - end) if len(risen) else 2.0
        curvature = bend if bend * distance**2 >= 0.25 else 1 / distance**2
        return curvature, slope**2 / (4 * curvature)


def _scaled(t: FloatArray, points: FloatArray) -> FloatArray:
    """From -1 at the first point to 1 at the last."""
    return np.asarray(2 * (t - points[0]) / (points[-1] - points[0]) - 1)


def _spline(points: FloatArray, rises: FloatArray) -> CubicSpline:
    """D over the points scaled to -1 to 1, so that units do not matter."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(_scaled(points, points), rises)


def _two_sided(spline: CubicSpline, centre: float, curvature: float) -> tuple[FloatArray, FloatArray]:
    """Where z is given, and z there.

    Away from the minimum it is the root of D - D_0 at the points of the table.  In the piece of the minimum that is
    s^2 (h + b s), a root without a difference of large numbers.
    """
    rises = spline(spline.x) - spline(centre)
    far = np.abs(rises) >= NEAR**2
    points, roots = spline.x[far], np.sign(spline.x[far] - centre) * np.sqrt(rises[far])
    away = NEAR_POINTS / math.sqrt(curvature)
    away = away[(centre + away >= -1) & (centre + away <= 1)]
    # Of a minimum at a point the pieces on either side have a third derivative of their own.
    sides = np.searchsorted(spline.x, centre + np.sign(away) * AT_POINT, side="right") - 1
    own = spline.c[0, np.clip(sides, 0, len(spline.x) - 2)]
    others = np.searchsorted(spline.x, centre + away, side="right") - 1 != sides
    near = away * np.sqrt(np.maximum(curvature + own * away, 0.0))
    near[others] = (np.sign(away) * np.sqrt(np.maximum(spline(centre + away) - spline(centre), 0.0)))[others]
    at, order = np.unique(np.concatenate([points, centre + away]), return_index=True)
    return at, np.concatenate([roots, near])[order]

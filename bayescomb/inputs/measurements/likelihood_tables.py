r"""Likelihoods given as tables of points: inputs that are not Gaussian.

A cubic spline (not-a-knot) through the points of :math:`D = -2 \ln L` has one minimum :math:`D_0` at :math:`t_0`.  The
signed root :math:`z(t) = \operatorname{sign}(t - t_0) \sqrt{D(t) - D_0}`, a straight line where L is Gaussian, is taken at
the points (near the minimum on the spline) and interpolated by a second cubic spline.  It is a pull of unit width, so a
table is an estimate of value :math:`t_0` and error :math:`\sigma = 1 / z'(t_0)` whose prediction is warped,

.. math:: X = t_0 + \sigma\, z(t), \qquad \frac{(X - t_0)^2}{\sigma^2} = D(t) - D_0 .

For a parabola X = t: the estimate is the Gaussian of the same value and error.  Nuisances shift t, inside z.  Beyond the
first and the last point z continues as a straight line, D as a parabola with the value and slope of the end.

A table may begin or end at its minimum, as for a quantity that cannot be negative.  If D has a slope at that end, the value
is the minimum of a parabola with the value and slope of the end, and the D of this parabola at the end (``offset``) is
subtracted, as only differences of D count.
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
# Points of the warped prediction per interval of a table that still falls at its end.
STEPS: Final = 8
# Pull below which the root loses the digits of D - D_0; there z is taken at these points, in units of sigma, of the spline.
NEAR: Final = 0.5
NEAR_POINTS: Final = np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
# Rise of D up to which the spline is compared with the spline through every second point.
COMPARED: Final = 4.0
# A minimum this near to a point, as a fraction of half the table, is at the point.
AT_POINT: Final = 1e-9


class _Shape(NamedTuple):
    """A warped prediction: t_0, sigma, D of the Gaussian at the minimum of the table, and the curve X(t)."""

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
        InvalidNumberError: there are fewer than 4 points, or a point is given twice; the curve through them has several
            minima or none; or it rises by less than 1 on both sides.

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
        _ = self._shape  # finds the minimum, or raises

    @property
    def value(self) -> float:
        """Centre t_0 of the Gaussian near the minimum; it lies beyond the table if D still falls at an end."""
        return self._shape.value

    @property
    def width(self) -> float:
        """Standard deviation sigma of that Gaussian."""
        return self._shape.width

    @property
    def offset(self) -> float:
        """D of the Gaussian at the minimum of the table; 0 unless D still falls at an end."""
        return self._shape.offset

    @property
    def minimum(self) -> float:
        """Position of the lowest D within the table."""
        low, high = self.ends
        return min(max(self.value, low), high)

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last point."""
        return self.points[0], self.points[-1]

    @cached_property
    def errors(self) -> tuple[float | None, float | None]:
        """Signed distances (up, down) from the minimum to a rise of D by 1, ``None`` if the table ends before."""
        low, high = self.ends
        return self._distance(high), self._distance(low)

    def _distance(self, end: float) -> float | None:
        if self.rise(end) < 1:
            return None
        length = end - self.minimum
        return length * crossing(lambda share: 1 - self.rise(self.minimum + share * length), 0.0, 1.0, tolerance=1e-15)

    def rise(self, t: Any) -> Any:
        """D(t) minus its lowest value, for a number or an array of any shape."""
        found = ((self.warped(t) - self.value) / self.width) ** 2 - self.offset
        return found if np.ndim(t) else float(found)

    def warped(self, t: Any, *, xp: Any = np) -> Any:
        """X(t) in the unit of t, for an array of any shape, or with ``pytensor.tensor`` for symbols."""
        return self._shape.curve.value(t, xp=xp)

    def derivatives(self, t: Any) -> tuple[Any, Any]:
        """First and second derivative dX/dt and d2X/dt2."""
        return self._shape.curve.derivatives(t)

    def moved(self, by: float) -> LikelihoodTable:
        """The table of the quantity plus a number."""
        return LikelihoodTable(points=tuple(t + by for t in self.points), rises=self.rises)

    def scaled(self, factor: float) -> LikelihoodTable:
        """The table of the quantity times a number that is not 0."""
        return LikelihoodTable(points=tuple(t * factor for t in self.points), rises=self.rises)

    @property
    def coarseness(self) -> float | None:
        """Largest change of D if every second point is left out, where D has risen by less than 4.

        The interpolation error is about a sixteenth of it, as it scales with the fourth power of the spacing of points;
        ``None`` for a table with too few points to leave some out.
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
                "of at least 1 on one side, better of 4 or more on both"
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
        """Position of the minimum of the spline, as a list; empty if the spline only rises or only falls.

        Raises:
            InvalidNumberError: it has a maximum or several minima, or is constant.
        """
        slope = spline.derivative()
        found = np.sort(slope.roots(extrapolate=False))
        found = found[np.isfinite(found)]
        size = float(np.abs(slope(spline.x)).max())
        # The sign of the slope between the zeros of the slope tells where D rises and falls.
        edges = np.concatenate([[-1.0], found, [1.0]])
        middles = slope((edges[:-1] + edges[1:]) / 2)
        long = np.diff(edges) > AT_POINT
        ways = [bool(m > 0) for m, kept in zip(middles, long, strict=True) if kept and abs(m) > AT_POINT * AT_POINT * size]
        if not ways:
            msg = f"{WHERE}: the same number at all points; give points between which -2 ln L rises by at least 1"
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
        """Half the second derivative h of the Gaussian at the end where D still falls, and its D there, slope^2 / (4 h).

        h is that of the spline, or, where D is nearly straight, one over the squared distance to a rise by 1.
        """
        grid = np.linspace(end, -end, 4001)
        risen = np.flatnonzero(spline(grid) - spline(end) >= 1)
        distance = abs(float(grid[risen[0]]) - end) if len(risen) else 2.0
        curvature = bend if bend * distance**2 >= 0.25 else 1 / distance**2
        return curvature, slope**2 / (4 * curvature)


def _scaled(t: FloatArray, points: FloatArray) -> FloatArray:
    """T mapped linearly to -1 at the first point and 1 at the last."""
    return np.asarray(2 * (t - points[0]) / (points[-1] - points[0]) - 1)


def _spline(points: FloatArray, rises: FloatArray) -> CubicSpline:
    """Spline of D over the points scaled to [-1, 1], so that units do not matter."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(_scaled(points, points), rises)


def _two_sided(spline: CubicSpline, centre: float, curvature: float) -> tuple[FloatArray, FloatArray]:
    """Points at which z is taken, and z there.

    Away from the minimum z is the root of D - D_0 at the points of the table.  In the piece with the minimum D - D_0 is
    s^2 (h + b s), s being the distance from the minimum, whose root needs no difference of large numbers.
    """
    rises = spline(spline.x) - spline(centre)
    far = np.abs(rises) >= NEAR**2
    points, roots = spline.x[far], np.sign(spline.x[far] - centre) * np.sqrt(rises[far])
    away = NEAR_POINTS / math.sqrt(curvature)
    away = away[(centre + away >= -1) & (centre + away <= 1)]
    # If the minimum is at a point, the pieces on its two sides have different third derivatives.
    sides = np.searchsorted(spline.x, centre + np.sign(away) * AT_POINT, side="right") - 1
    own = spline.c[0, np.clip(sides, 0, len(spline.x) - 2)]
    others = np.searchsorted(spline.x, centre + away, side="right") - 1 != sides
    near = away * np.sqrt(np.maximum(curvature + own * away, 0.0))
    near[others] = (np.sign(away) * np.sqrt(np.maximum(spline(centre + away) - spline(centre), 0.0)))[others]
    at, order = np.unique(np.concatenate([points, centre + away]), return_index=True)
    return at, np.concatenate([roots, near])[order]

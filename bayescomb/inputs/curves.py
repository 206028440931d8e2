r"""Curves: a function of one number that is known at points, as piecewise polynomials with exact derivatives.

Between breakpoints :math:`b_1 < b_2 < \dots` a curve is :math:`\sum_k c_{ik} (x - o_i)^k` with the i of its piece, so that
numbers, arrays and symbols are evaluated alike.  ``cubic`` is the spline with continuous second derivatives whose third is
continuous at the second and last but one point (not-a-knot); ``natural`` the one without second derivative at the ends;
``monotone`` the one of Fritsch and Butland (SIAM J. Sci. Stat. Comput. 5 (1984) 300), which rises and falls where the points
do and has continuous first derivatives; ``polynomial`` a least-squares polynomial over all points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescomb.base.checks import check_choice, check_finite, check_names, check_shape
from bayescomb.base.choices import BEYOND_ENDS, CURVE_KINDS, BeyondEnds, CurveKind
from bayescomb.base.errors import InvalidNumberError, OptionError

__all__ = ["Curve", "curve_through"]

FloatArray = NDArray[np.float64]
# Points that a spline needs at least; two serve a polynomial of degree 1.
FEWEST: Final = 4


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A function of one number as S polynomials of one degree.

    Attributes:
        name: by which formulas call it.
        breaks: where a piece ends and the next begins, ascending, S - 1.
        origins: o, one per piece.
        coefficients: c of each piece, powers ascending.
        low, high: ends beyond which it has no value.
        argument_unit, unit: of argument and value; empty if they have none or are not to be checked.

    Examples:
        >>> from bayescomb.inputs.curves import curve_through
        >>> square = curve_through([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 4.0, 9.0], name="square")
        >>> float(square.value(1.5)), [round(float(x), 12) for x in square.derivatives(1.5)], float(square.value(3.5))
        (2.25, [3.0, 2.0], nan)
    """

    name: str
    breaks: tuple[float, ...]
    origins: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    low: float = -np.inf
    high: float = np.inf
    argument_unit: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        where = f"curve {self.name!r}"
        check_names([self.name], where="name of a curve")
        pieces = len(self.origins)
        breaks = check_shape(check_finite(self.breaks, where=f"breaks of {where}"), (max(pieces - 1, 0),), where=where)
        check_finite(self.origins, where=f"origins of {where}")
        check_finite(self.coefficients, where=f"coefficients of {where}")
        if not pieces or len(self.coefficients) != pieces or (np.diff(breaks) <= 0).any():
            rows = len(self.coefficients)
            msg = (
                f"{where}: {pieces} origins, {rows} rows of coefficients and breaks {list(breaks)} found; give one per piece"
            )
            raise InvalidNumberError(msg)
        if not self.low < self.high:
            msg = f"{where}: ends {self.low:g} and {self.high:g} found; the lower one comes first"
            raise InvalidNumberError(msg)

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return np.array(self.breaks), np.array(self.origins), np.array(self.coefficients)

    def value(self, x: Any, *, xp: Any = np) -> Any:
        """Values at x; NaN beyond the ends.

        Args:
            x: a number, an array of any shape, or symbols.
            xp: ``numpy``, or ``pytensor.tensor`` for symbols.
        """
        return self._derivative(x, 0, xp)

    def derivatives(self, x: Any) -> tuple[Any, Any]:
        """First and second derivatives at x; NaN beyond the ends."""
        return self._derivative(x, 1, np), self._derivative(x, 2, np)

    def _derivative(self, x: Any, order: int, xp: Any) -> Any:
        breaks, origins, coefficients = self._arrays
        x = np.asarray(x, dtype=float) if xp is np else xp.as_tensor(x)
        piece = xp.sum(xp.expand_dims(x, -1) >= breaks, axis=-1) if len(breaks) else 0
        if xp is not np:
            origins, coefficients = xp.as_tensor(origins), xp.as_tensor(coefficients)
        away, own = x - origins[piece], coefficients[piece]
        result: Any = 0.0 * away
        for power in range(len(self.coefficients[0]) - 1, order - 1, -1):
            factor = float(np.prod(np.arange(power - order + 1, power + 1)))
            result = result * away + factor * own[..., power]
        if not np.isfinite([self.low, self.high]).any():
            return result
        inside = (x >= self.low) & (x <= self.high)
        return xp.where(inside, result, np.nan)


def curve_through(
    x: ArrayLike,
    y: ArrayLike,
    *,
    name: str,
    kind: CurveKind = "cubic",
    degree: int | None = None,
    beyond: BeyondEnds = "nothing",
    argument_unit: str = "",
    unit: str = "",
) -> Curve:
    """The curve through points.

    Args:
        x: shape (n,), all different.
        y: shape (n,).
        name: of the curve.
        kind: see the module; all but ``polynomial`` pass through the points.
        degree: of a ``polynomial``, below the number of points.
        beyond: what holds beyond the first and last point: ``nothing``, or the ``straight`` lines of the derivatives there.
        argument_unit: unit of x.
        unit: unit of y.

    Raises:
        InvalidNumberError: a number is not finite, or two points have one x.
        InvalidMatrixError: x and y have different shapes.
        OptionError: there are too few points, or ``degree`` is missing, too high or without a meaning.
    """
    where = f"curve {name!r}"
    kind = check_choice(kind, CURVE_KINDS, where=f"kind of {where}")
    beyond = check_choice(beyond, BEYOND_ENDS, where=f"what lies beyond the ends of {where}")
    points = check_finite(x, where=f"points of {where}")
    n = points.size
    points = check_shape(points, (n,), where=f"points of {where}")
    values = check_shape(check_finite(y, where=f"values of {where}"), (n,), where=f"values of {where}")
    order = np.argsort(points)
    points, values = points[order], values[order]
    if (np.diff(points) == 0).any():
        twice = points[np.flatnonzero(np.diff(points) == 0)[0]]
        msg = f"{where}: the point {twice:g} stands twice; a curve has one value at each"
        raise InvalidNumberError(msg)
    ends = _least_squares(points, values, degree, where) if kind == "polynomial" else _spline(points, values, kind, where)
    if kind != "polynomial" and degree is not None:
        msg = f'{where}: degree {degree} and kind {kind!r} found; only kind = "polynomial" has a degree'
        raise OptionError(msg)
    breaks, origins, coefficients = ends
    found = Curve(
        name=name,
        breaks=tuple(breaks),
        origins=tuple(origins),
        coefficients=tuple(map(tuple, coefficients.tolist())),
        low=float(points[0]),
        high=float(points[-1]),
        argument_unit=argument_unit,
        unit=unit,
    )
    return _continued(found) if beyond == "straight" else found


def _least_squares(
    x: FloatArray, y: FloatArray, degree: int | None, where: str
) -> tuple[list[float], list[float], FloatArray]:
    if not isinstance(degree, int) or isinstance(degree, bool) or not 1 <= degree < len(x):
        msg = f"{where}: degree {degree!r} of a polynomial through {len(x)} points found, 1 to {len(x) - 1} is possible"
        raise OptionError(msg)
    centre, half = (x[0] + x[-1]) / 2, (x[-1] - x[0]) / 2
    powers = np.vander((x - centre) / half, degree + 1, increasing=True)
    return [], [float(centre)], (np.linalg.lstsq(powers, y, rcond=None)[0] / half ** np.arange(degree + 1))[None]


def _spline(x: FloatArray, y: FloatArray, kind: CurveKind, where: str) -> tuple[list[float], list[float], FloatArray]:
    if len(x) < FEWEST:
        msg = f'{where}: {len(x)} points found, a spline needs {FEWEST}; give more, or kind = "polynomial" and a degree'
        raise OptionError(msg)
    from scipy.interpolate import CubicSpline, PchipInterpolator

    if kind == "monotone":
        found = PchipInterpolator(x, y)
    else:
        found = CubicSpline(x, y, bc_type="natural" if kind == "natural" else "not-a-knot")
    return found.x[1:-1].tolist(), found.x[:-1].tolist(), found.c[::-1].T


def _continued(curve: Curve) -> Curve:
    """The curve with straight lines beyond its ends."""
    power = len(curve.coefficients[0])
    lines = []
    for end in (curve.low, curve.high):
        line = [float(curve.value(end)), float(curve.derivatives(end)[0])]
        lines.append(tuple((line + [0.0] * power)[:power]))
    return Curve(
        name=curve.name,
        breaks=(curve.low, *curve.breaks, curve.high),
        origins=(curve.low, *curve.origins, curve.high),
        coefficients=(lines[0], *curve.coefficients, lines[1]),
        argument_unit=curve.argument_unit,
        unit=curve.unit,
    )

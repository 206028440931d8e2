r"""Curves: functions of one number that are known at points, as piecewise polynomials with exact derivatives.

Between breakpoints :math:`b_1 < b_2 < \dots` a curve is :math:`\sum_k c_{ik} (x - o_i)^k` in piece i, so that numbers,
arrays and symbols are evaluated alike.  ``cubic`` is the spline with continuous second derivatives whose third derivative is
continuous at the second and last but one point (not-a-knot); ``natural`` has no second derivative at the ends; ``monotone``
(Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300) rises and falls where the points do and has continuous first
derivatives; ``polynomial`` is a least-squares polynomial over all points.

Beyond the first and last point a curve is a straight line.  Where that has no meaning (``beyond = "nothing"``), the range of
its variable ends there: a minimiser may cross the straight part on its way to the end of the range, and symbols are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, assert_never

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_array, check_choice, check_finite, check_names, check_shape
from bayescomb.base.choices import BEYOND_ENDS, CURVE_KINDS, BeyondEnds, CurveKind
from bayescomb.base.errors import InvalidNumberError, OptionError

__all__ = ["Curve", "ascending_points"]

# Points that a spline needs at least; two serve a polynomial of degree 1.
FEWEST: Final = 4


class _Pieces(NamedTuple):
    """S polynomials: b, shape (S - 1,), o, shape (S,), and c, shape (S, degree + 1)."""

    breaks: FloatArray
    origins: FloatArray
    coefficients: FloatArray


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A function of one number that formulas call by its name.

    Attributes:
        name: of the curve.
        x: of the n points, all different, in any order.
        y: values at the points, n.
        kind: ``"cubic"``, ``"natural"``, ``"monotone"`` or ``"polynomial"`` (see the module); the last need not pass
            through the points.
        degree: of a ``"polynomial"``, below the number of points.
        beyond: ``"nothing"`` if the range of the argument ends at the first and last point, ``"straight"`` if straight lines
            with the slopes of the ends continue the curve.
        argument_unit, unit: of x and y; empty if they have none or are not to be checked.
        title: text for tables and figures.

    Raises:
        InvalidNumberError: a number is not finite, or two points have one x.
        InvalidMatrixError: x and y have different lengths.
        OptionError: a word is not offered, there are too few points, or ``degree`` is missing, too high or meaningless.

    Examples:
        >>> import bayescomb as bc
        >>> square = bc.Curve(name="square", x=(0.0, 1.0, 2.0, 3.0), y=(0.0, 1.0, 4.0, 9.0))
        >>> float(square.value(1.5)), [round(float(x), 12) for x in square.derivatives(1.5)], square.ends
        (2.25, [3.0, 2.0], (0.0, 3.0))
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: CurveKind = "cubic"
    degree: int | None = None
    beyond: BeyondEnds = "nothing"
    argument_unit: str = ""
    unit: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        check_names([self.name], where="name of a curve")
        where = f"curve {self.name!r}"
        check_choice(self.kind, CURVE_KINDS, where=f"kind of {where}")
        check_choice(self.beyond, BEYOND_ENDS, where=f"what lies beyond the ends of {where}")
        x, y = ascending_points(self.x, self.y, where=where)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)
        if self.kind == "polynomial":
            if not isinstance(self.degree, int) or isinstance(self.degree, bool) or not 1 <= self.degree < len(x):
                msg = (
                    f"{where}: degree {self.degree!r} of a polynomial through {len(x)} points found; give 1 to {len(x) - 1}"
                )
                raise OptionError(msg)
        elif self.degree is not None:
            msg = f'{where}: degree {self.degree} and kind {self.kind!r} found; only kind = "polynomial" has a degree'
            raise OptionError(msg)
        elif len(x) < FEWEST:
            msg = f'{where}: {len(x)} points found, a spline needs {FEWEST}; give more, or kind = "polynomial" and a degree'
            raise OptionError(msg)

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the range in which the curve has a meaning."""
        return (-np.inf, np.inf) if self.beyond == "straight" else (self.x[0], self.x[-1])

    def value(self, x: Any, *, xp: Any = np) -> Any:
        """Values at x; for symbols NaN beyond the ends.

        Args:
            x: a number, an array of any shape, or symbols.
            xp: ``numpy``, or ``pytensor.tensor`` for symbols.
        """
        found = self._derivative(x, 0, xp)
        low, high = self.ends
        if xp is np or not np.isfinite(low):
            return found
        return xp.where((x >= low) & (x <= high), found, np.nan)

    def derivatives(self, x: Any) -> tuple[Any, Any]:
        """First and second derivatives at x."""
        return self._derivative(x, 1, np), self._derivative(x, 2, np)

    def _derivative(self, x: Any, order: int, xp: Any) -> Any:
        breaks, origins, coefficients = self._pieces
        x = np.asarray(x, dtype=float) if xp is np else xp.as_tensor(x)
        piece = xp.sum(xp.expand_dims(x, -1) >= breaks, axis=-1)
        if xp is not np:
            origins, coefficients = xp.as_tensor(origins), xp.as_tensor(coefficients)
        away, own = x - origins[piece], coefficients[piece]
        result: Any = 0.0 * away
        for power in range(self._pieces.coefficients.shape[1] - 1, order - 1, -1):
            factor = float(np.prod(np.arange(power - order + 1, power + 1)))
            result = result * away + factor * own[..., power]
        return result

    @cached_property
    def _pieces(self) -> _Pieces:
        """All pieces, with the straight lines beyond the ends."""
        found = self._within
        lines = np.zeros((2, found.coefficients.shape[1]))
        for line, origin, coefficients, end in zip(
            lines, found.origins[[0, -1]], found.coefficients[[0, -1]], (self.x[0], self.x[-1]), strict=True
        ):
            own = np.polynomial.Polynomial(coefficients)
            line[:2] = own(end - origin), own.deriv()(end - origin)
        # The last point still belongs to the last piece.
        return _Pieces(
            np.array([self.x[0], *found.breaks, np.nextafter(self.x[-1], np.inf)]),
            np.array([self.x[0], *found.origins, self.x[-1]]),
            np.vstack([lines[0], found.coefficients, lines[1]]),
        )

    @property
    def _within(self) -> _Pieces:
        """The pieces between the first and the last point."""
        x, y = np.array(self.x), np.array(self.y)
        if self.degree is not None:
            centre, half = (x[0] + x[-1]) / 2, (x[-1] - x[0]) / 2
            powers = np.vander((x - centre) / half, self.degree + 1, increasing=True)
            fitted = np.linalg.lstsq(powers, y, rcond=None)[0] / half ** np.arange(self.degree + 1)
            return _Pieces(np.zeros(0), np.array([centre]), fitted[None])
        from scipy.interpolate import CubicSpline, PchipInterpolator

        match self.kind:
            case "monotone":
                found = PchipInterpolator(x, y)
            case "natural":
                found = CubicSpline(x, y, bc_type="natural")
            case "cubic":
                found = CubicSpline(x, y, bc_type="not-a-knot")
            case "polynomial":  # has a degree
                raise AssertionError
            case _:
                assert_never(self.kind)
        return _Pieces(x[1:-1], x[:-1], np.ascontiguousarray(found.c[::-1].T))


def ascending_points(x: ArrayLike, y: ArrayLike, *, where: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Points in ascending order, and the values at them.

    Args:
        x: n numbers, in any order.
        y: value at each, n.
        where: name of the curve, for messages.

    Raises:
        InvalidMatrixError: the two have different lengths.
        InvalidNumberError: a number is not finite, or a point stands twice.

    Examples:
        >>> ascending_points([2.0, 1.0], [4.0, 3.0], where="here")
        ((1.0, 2.0), (3.0, 4.0))
    """
    points = check_finite(x, where=f"points of {where}")
    points = check_shape(points, (points.size,), where=f"points of {where}")
    values = check_array(y, (len(points),), where=f"values of {where}")
    order = np.argsort(points)
    points, values = points[order], values[order]
    same = np.flatnonzero(np.diff(points) == 0)
    if same.size:
        msg = f"{where}: the point {points[same[0]]:g} stands twice; give one value at each"
        raise InvalidNumberError(msg)
    return tuple(points.tolist()), tuple(values.tolist())

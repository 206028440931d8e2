"""Priors of the correlation coefficients: shapes over the quoted range, restricted to what is feasible.

Densities are known up to a constant (the restriction's normalisation is never needed); draws are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bayescomb.assumptions import CorrelationCoefficient
from bayescomb.errors import InfeasibleCorrelationError

__all__ = ["log_density", "prior_draws", "shape_distribution"]

FloatArray = NDArray[np.float64]

# A "beta" prior has this many pseudo-observations beyond the uniform one (the usual choice of PERT estimates).
BETA_CONCENTRATION: Final = 4.0
# Width of a "truncated_normal" prior in units of its range.
NORMAL_WIDTH: Final = 0.25
# Draws of the box that may be thrown away per kept one before the restriction is called too tight for rejection.
MAX_REJECTION: Final = 2000


def shape_distribution(coefficient: CorrelationCoefficient) -> Any:
    """The prior over the whole quoted range as a frozen scipy distribution.

    Examples:
        >>> from bayescomb import CorrelationCoefficient, CorrelationPair
        >>> pair = CorrelationPair(first="a", second="b")
        >>> c = CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.5, low=0.0, high=1.0, prior="triangular")
        >>> float(shape_distribution(c).pdf(0.5))
        2.0
    """
    low, high = coefficient.range
    width = high - low
    mode = (coefficient.nominal - low) / width
    match coefficient.prior:
        case "uniform":
            return stats.uniform(low, width)
        case "triangular":
            return stats.triang(mode, low, width)
        case "beta":
            return stats.beta(1 + BETA_CONCENTRATION * mode, 1 + BETA_CONCENTRATION * (1 - mode), low, width)
        case _:
            scale = NORMAL_WIDTH * width
            return stats.truncnorm((low - coefficient.nominal) / scale, (high - coefficient.nominal) / scale,
                                   coefficient.nominal, scale)  # fmt: skip


def log_density(coefficients: Sequence[CorrelationCoefficient], values: Any, *, xp: Any) -> Any:
    """Sum of the log prior densities, up to a constant, inside the quoted ranges.

    Args:
        coefficients: K coefficients.
        values: r, shape (K,), an array or a symbolic vector.
        xp: ``numpy`` or ``pytensor.tensor``; both offer what is used here.

    Returns:
        A scalar of the kind of ``values``.
    """
    total: Any = xp.sum(values * 0.0)
    for shape in ("triangular", "beta", "truncated_normal"):
        index = np.array([i for i, c in enumerate(coefficients) if c.prior == shape], dtype=int)
        if index.size == 0:
            continue
        low, high = np.array([coefficients[i].range for i in index]).T
        nominal = np.array([coefficients[i].nominal for i in index])
        total = total + xp.sum(_LOG_SHAPES[shape](values[index], low, high, nominal, xp))
    return total


def _log_triangular(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    # A mode at an end leaves one side empty; its width only has to be non-zero there.
    rise = np.where(nominal > low, nominal - low, 1.0)
    fall = np.where(high > nominal, high - nominal, 1.0)
    return xp.log(xp.where(r < nominal, (r - low) / rise, (high - r) / fall))


def _log_beta(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    mode = (nominal - low) / (high - low)
    unit = (r - low) / (high - low)
    return BETA_CONCENTRATION * (_xlogy(mode, unit, xp) + _xlogy(1 - mode, 1 - unit, xp))


def _xlogy(power: FloatArray, value: Any, xp: Any) -> Any:
    """Power * log(value) with 0 log 0 = 0: the power is a constant, so its zeros are known."""
    return power * xp.log(xp.where(power == 0, 1.0, value))


def _log_normal(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    del xp  # arithmetic serves both
    return -0.5 * ((r - nominal) / (NORMAL_WIDTH * (high - low))) ** 2


_LOG_SHAPES: Final[dict[str, Callable[..., Any]]] = {
    "triangular": _log_triangular,
    "beta": _log_beta,
    "truncated_normal": _log_normal,
}


def prior_draws(
    coefficients: Sequence[CorrelationCoefficient],
    *,
    low: FloatArray,
    high: FloatArray,
    draws: int,
    rng: np.random.Generator,
    feasible: Callable[[FloatArray], NDArray[np.bool_]] | None = None,
) -> FloatArray:
    """Independent draws of the prior restricted to [low, high] and to the feasible set.

    Args:
        coefficients: K coefficients.
        low: lower end of the feasible interval of each, inside its quoted range, shape (K,).
        high: upper end, likewise.
        draws: number of draws n.
        rng: source of randomness.
        feasible: tells for points of shape (m, K) which are feasible; all are if it is ``None``.

    Returns:
        Draws, shape (n, K).

    Raises:
        InfeasibleCorrelationError: so little of the box is feasible that rejection does not end.
    """
    frozen = [shape_distribution(c) for c in coefficients]
    start = np.array([d.cdf(a) for d, a in zip(frozen, low, strict=True)])
    stop = np.array([d.cdf(b) for d, b in zip(frozen, high, strict=True)])

    def box(n: int) -> FloatArray:
        unit = start + (stop - start) * rng.random((n, len(frozen)))
        columns = [d.ppf(u) for d, u in zip(frozen, unit.T, strict=True)]
        return np.clip(np.column_stack(columns), low, high) if columns else np.zeros((n, 0))

    if feasible is None:
        return box(draws)
    kept: list[FloatArray] = []
    found = tried = 0
    while found < draws:
        points = box(draws)
        inside = points[feasible(points)]
        kept.append(inside)
        found, tried = found + len(inside), tried + draws
        if tried > MAX_REJECTION * (found + 1):
            msg = (
                f"prior of {', '.join(c.name for c in coefficients)}: only {found} of {tried} draws are feasible; "
                "narrow the ranges towards the feasible set (see 'bayescomb check')"
            )
            raise InfeasibleCorrelationError(msg)
    return np.concatenate(kept)[:draws]

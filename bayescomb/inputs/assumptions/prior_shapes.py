"""Shapes of the prior of a correlation coefficient; each shape is one object with its density, terms and distribution.

A new shape is a word of :data:`SampledShape` and a case of :func:`shape_law`, which the type checker asks for; readers,
writers, the sampled model and the prior sensitivity use that object.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, assert_never, get_args

import numpy as np

from bayescomb.base.arrays import FloatArray

__all__ = ["PRIOR_SHAPES", "SAMPLED_SHAPES", "PriorShape", "SampledShape", "ShapeLaw", "shape_law"]

SampledShape = Literal["uniform", "triangular", "beta", "truncated_normal"]
PriorShape = SampledShape | Literal["fixed"]
SAMPLED_SHAPES: Final[tuple[SampledShape, ...]] = get_args(SampledShape)
PRIOR_SHAPES: Final[tuple[PriorShape, ...]] = (*SAMPLED_SHAPES, "fixed")

# A "beta" prior has this many pseudo-observations beyond the uniform one (the usual choice of PERT estimates).
BETA_CONCENTRATION: Final = 4.0
# Width of a "truncated_normal" prior in units of its range.
NORMAL_WIDTH: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class ShapeLaw:
    """Prior of a coefficient r in [low, high], in three forms.

    Attributes:
        title: name of the shape in tables.
        has_mode: whether the nominal value is the mode and must lie within the range.
        log_density: function of (r, low, high, nominal, xp), up to a constant, inside the range; r is an array or a symbolic
            vector, the others are arrays of the same shape, xp is ``numpy`` or ``pytensor.tensor``.
        terms: function of the numbers (low, high, nominal), for compiled code: (a, b, c) below the nominal value, (a, b, c)
            above it, and w, with log density a log(r - low) + b log(high - r) + c - w (r - nominal)^2 / 2.
        distribution: function of the numbers (low, high, nominal): a frozen scipy distribution.
    """

    title: str
    has_mode: bool
    log_density: Callable[[Any, FloatArray, FloatArray, FloatArray, Any], Any]
    terms: Callable[[float, float, float], tuple[float, ...]]
    distribution: Callable[[float, float, float], Any]


def shape_law(shape: SampledShape) -> ShapeLaw:
    """The law of a shape.

    Examples:
        >>> law = shape_law("triangular")
        >>> float(law.distribution(0.0, 1.0, 0.5).pdf(0.5)), law.has_mode
        (2.0, True)
    """
    match shape:
        case "uniform":
            return UNIFORM
        case "triangular":
            return TRIANGULAR
        case "beta":
            return BETA
        case "truncated_normal":
            return TRUNCATED_NORMAL
    assert_never(shape)


def _log_uniform(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    del low, high, nominal, xp
    return 0.0 * r


def _uniform_terms(low: float, high: float, nominal: float) -> tuple[float, ...]:
    del low, high, nominal
    return (0.0,) * 7


def _uniform(low: float, high: float, nominal: float) -> Any:
    from scipy import stats

    del nominal
    return stats.uniform(low, high - low)


def _log_triangular(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    # A mode at an end leaves one side empty; its width only has to be non-zero there.
    rise = np.where(nominal > low, nominal - low, 1.0)
    fall = np.where(high > nominal, high - nominal, 1.0)
    return xp.log(xp.where(r < nominal, (r - low) / rise, (high - r) / fall))


def _triangular_terms(low: float, high: float, nominal: float) -> tuple[float, ...]:
    rise, fall = (nominal - low) or 1.0, (high - nominal) or 1.0
    return (1.0, 0.0, -math.log(rise), 0.0, 1.0, -math.log(fall), 0.0)


def _triangular(low: float, high: float, nominal: float) -> Any:
    from scipy import stats

    return stats.triang((nominal - low) / (high - low), low, high - low)


def _log_beta(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    mode = (nominal - low) / (high - low)
    unit = (r - low) / (high - low)
    return BETA_CONCENTRATION * (_xlogy(mode, unit, xp) + _xlogy(1 - mode, 1 - unit, xp))


def _xlogy(power: FloatArray, value: Any, xp: Any) -> Any:
    """Power * log(value), with 0 for power 0 at any value."""
    return power * xp.log(xp.where(power == 0, 1.0, value))


def _beta_terms(low: float, high: float, nominal: float) -> tuple[float, ...]:
    mode = (nominal - low) / (high - low)
    side = (BETA_CONCENTRATION * mode, BETA_CONCENTRATION * (1 - mode), -BETA_CONCENTRATION * math.log(high - low))
    return (*side, *side, 0.0)


def _beta(low: float, high: float, nominal: float) -> Any:
    from scipy import stats

    mode = (nominal - low) / (high - low)
    return stats.beta(1 + BETA_CONCENTRATION * mode, 1 + BETA_CONCENTRATION * (1 - mode), low, high - low)


def _log_normal(r: Any, low: FloatArray, high: FloatArray, nominal: FloatArray, xp: Any) -> Any:
    del xp  # the same arithmetic for arrays and symbols
    return -0.5 * ((r - nominal) / (NORMAL_WIDTH * (high - low))) ** 2


def _normal_terms(low: float, high: float, nominal: float) -> tuple[float, ...]:
    del nominal
    return (0.0,) * 6 + ((NORMAL_WIDTH * (high - low)) ** -2,)


def _truncated_normal(low: float, high: float, nominal: float) -> Any:
    from scipy import stats

    scale = NORMAL_WIDTH * (high - low)
    return stats.truncnorm((low - nominal) / scale, (high - nominal) / scale, nominal, scale)


UNIFORM: Final = ShapeLaw(
    title="uniform", has_mode=False, log_density=_log_uniform, terms=_uniform_terms, distribution=_uniform
)
TRIANGULAR: Final = ShapeLaw(
    title="triangular about nominal",
    has_mode=True,
    log_density=_log_triangular,
    terms=_triangular_terms,
    distribution=_triangular,
)
BETA: Final = ShapeLaw(
    title="beta with mode at nominal", has_mode=True, log_density=_log_beta, terms=_beta_terms, distribution=_beta
)
TRUNCATED_NORMAL: Final = ShapeLaw(
    title="truncated normal about nominal",
    has_mode=True,
    log_density=_log_normal,
    terms=_normal_terms,
    distribution=_truncated_normal,
)

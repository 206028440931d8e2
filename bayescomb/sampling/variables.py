"""Variables of the fitted quantities in a PyMC model, and the points at which their chains begin.

The Gaussian of a stated prior is an input of the combination already (:mod:`bayescomb.inputs.parameters`); what is left to
the variable is its range, and for a lognormal prior, whose input is the logarithm, the Jacobian 1/p.

PyMC's own ``initval`` stands beside the graph of a model: ``pm.do``, ``pm.observe`` and ``pm.compute_log_likelihood`` copy
that graph, and refuse models with such values.  Here the point is an argument of the distribution, its support point, so
that every copy and every sampler has it.  A flat prior has no draws: they are NaN, and so is what is predicted with them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.continuous import Continuous, PositiveContinuous
from pytensor.tensor.random.op import RandomVariable
from scipy.special import log_ndtr

from bayescomb.base.arrays import FloatArray
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.parameters import ParameterPrior
from bayescomb.likelihood.linear_gaussian import solve
from bayescomb.sampling.feasible_transform import AboveZero
from bayescomb.sampling.plan import SamplingPlan

__all__ = ["FittedVariable", "FlatFrom", "HalfFlatFrom", "UniformFrom", "above_zero", "begun", "flat_variables"]

# Below this many standard deviations a Gaussian above 0 is exponential to a per cent, and its moments lose digits.
FAR_BELOW = -12.0
# Chains begin at least this part of a range away from its ends, where the unconstrained coordinate is infinite.
ROOM = 0.05


@dataclass(frozen=True, kw_only=True)
class FittedVariable:
    """One variable.

    Attributes:
        name: of the quantity.
        value: where chains begin.
        width: of its posterior there.
        low, high: ends of its range.
        logarithmic: its stated prior is one of its logarithm.
    """

    name: str
    value: float
    width: float
    low: float = -np.inf
    high: float = np.inf
    logarithmic: bool = False

    @property
    def positive(self) -> bool:
        """Whether it lies above 0 and nothing else."""
        return self.low == 0 and not np.isfinite(self.high)

    @property
    def bounded(self) -> bool:
        """Whether it has a range with two ends."""
        return bool(np.isfinite([self.low, self.high]).all())

    @property
    def value_name(self) -> str:
        """Name of its unconstrained coordinate."""
        name = variable_name(self.name)
        if self.positive:
            return f"{name}_above_zero__"
        return f"{name}_interval__" if np.isfinite(self.low) else name

    def build(self, prior: ParameterPrior | None = None) -> Any:
        """The PyMC variable, in the model that is open.

        Args:
            prior: its distribution, where it is no input of the combination.
        """
        name = variable_name(self.name)
        if prior is not None:
            numbers = prior.numbers
            match prior.shape:
                case "uniform":
                    return pm.Uniform(name, numbers["low"], numbers["high"])
                case "normal":
                    return pm.Normal(name, numbers["mean"], numbers["sd"])
                case "half_normal":
                    return pm.HalfNormal(name, numbers["sd"])
                case "lognormal":
                    return pm.LogNormal(name, np.log(numbers["median"]), numbers["sigma"])
            assert_never(prior.shape)
        if self.positive:
            found = HalfFlatFrom(name, self.value, default_transform=AboveZero(self.width))
        elif np.isfinite(self.low):
            found = UniformFrom(name, self.low, self.high, self.value)
        else:
            found = FlatFrom(name, self.value)
        if self.logarithmic:
            pm.Potential(f"{name}_jacobian__", -pt.log(found))
        return found

    def inside(self, value: float) -> float:
        """The value, or the point near the end of the range beyond which it lies."""
        if self.bounded:
            room = ROOM * (self.high - self.low)
            return float(np.clip(value, self.low + room, self.high - room))
        return max(value, self.low + ROOM * self.width)

    def unconstrained(self, value: float) -> float:
        """The unconstrained coordinate of a value inside the range."""
        if self.positive:
            return float(value + self.width * np.log1p(-np.exp(-value / self.width)))
        if np.isfinite(self.low):
            return float(np.log((value - self.low) / (self.high - value)))
        return value

    @property
    def slope(self) -> float:
        """Derivative of the unconstrained coordinate by the value, where chains begin."""
        if self.positive:
            return float(-1 / np.expm1(-self.value / self.width))
        if np.isfinite(self.low):
            return (self.high - self.low) / ((self.value - self.low) * (self.high - self.value))
        return 1.0


def flat_variables(plan: SamplingPlan) -> tuple[FittedVariable, ...]:
    """The variables of the fitted quantities, which begin near the best fit at a feasible point.

    Value and width of one that cannot be negative are mean and standard deviation of the Gaussian that is left above 0.
    """
    if plan.curved is not None:
        values, errors = plan.curved.centre, np.sqrt(np.diag(plan.curved.covariance))
    else:
        start = solve(plan.model, plan.correlation(plan.start[None])[0])
        values, errors = start.values, np.sqrt(np.diag(start.covariance))
    combination = plan.combination
    logarithmic = {p.name for p in combination.parameters if p.prior is not None and p.prior.logarithmic}
    bounds = dict.fromkeys(logarithmic, (0.0, np.inf)) | combination.bounds
    found = []
    for name, fitted, error in zip(plan.parameters, values, errors, strict=True):
        low, high = bounds.get(name, (-np.inf, np.inf))
        value, width = float(fitted), float(error)
        log = name in logarithmic
        variable = FittedVariable(name=name, value=value, width=width, low=low, high=high, logarithmic=log)
        if variable.positive:
            mean, sd = above_zero(np.array([value]), np.array([width]))
            variable = dataclasses.replace(variable, value=float(mean[0]), width=float(sd[0]))
        elif variable.bounded:
            variable = dataclasses.replace(variable, value=variable.inside(value), width=min(width, high - low))
        found.append(variable)
    return tuple(found)


def above_zero(mean: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""Mean and standard deviation of Gaussians cut off below 0.

    With :math:`a = \mu / \sigma` and :math:`h = \phi(a) / \Phi(a)` they are :math:`\mu + \sigma h` and
    :math:`\sigma \sqrt{1 - h (a + h)}` (Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions, 1994, 13.10.1).

    Args:
        mean: of the Gaussians, shape (n,).
        sd: of the Gaussians, shape (n,).

    Examples:
        >>> import numpy as np
        >>> mean, sd = above_zero(np.array([0.0, 50.0]), np.array([1.0, 1.0]))
        >>> mean.round(6).tolist(), sd.round(6).tolist()
        ([0.797885, 50.0], [0.60281, 1.0])
    """
    a = mean / sd
    ratio = np.exp(-0.5 * a**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(a))
    # Far below 0 the tail above 0 is exponential, with mean and standard deviation sigma / |a|.
    far = a < FAR_BELOW
    decay = sd / np.where(far, -a, 1.0)
    return (
        np.where(far, decay, mean + sd * ratio),
        np.where(far, decay, sd * np.sqrt(np.maximum(1 - ratio * (a + ratio), 0.0))),
    )


def _at(start: Any, size: Any) -> Any:
    """The point in the shape of a variable."""
    return start if size is None or getattr(size, "data", 0) is None else pt.full(size, start)


class _FlatFromRV(RandomVariable):
    name = "flat"
    signature = "()->()"
    dtype = "floatX"
    _print_name = ("Flat", "\\operatorname{Flat}")

    @classmethod
    def rng_fn(cls, rng: Any, start: FloatArray, size: Any = None) -> FloatArray:
        """Draws: none."""
        del rng
        return np.full(np.shape(start) if size is None else size, np.nan)


class _HalfFlatFromRV(_FlatFromRV):
    name = "half_flat"
    _print_name = ("HalfFlat", "\\operatorname{HalfFlat}")


class _UniformFromRV(RandomVariable):
    name = "uniform"
    signature = "(),(),()->()"
    dtype = "floatX"
    _print_name = ("Uniform", "\\operatorname{Uniform}")

    @classmethod
    def rng_fn(
        cls, rng: np.random.Generator, lower: FloatArray, upper: FloatArray, start: FloatArray, size: Any = None
    ) -> FloatArray:
        """Draws."""
        del start
        return np.asarray(rng.uniform(lower, upper, size=size))


class FlatFrom(Continuous):
    """A flat variable.

    Args:
        start: where chains begin.
    """

    rv_op = _FlatFromRV()

    @classmethod
    def dist(cls, start: Any, **kwargs: Any) -> Any:
        """The variable without a model."""
        return super().dist([pt.as_tensor(start, dtype="float64")], **kwargs)

    def support_point(rv, size, start):  # type: ignore[no-untyped-def]  # noqa: N805  # PyMC calls it with the variable
        """Where chains begin."""
        del rv
        return _at(start, size)

    def logp(value, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Log density, 0."""
        del start
        return pt.zeros_like(value)


class HalfFlatFrom(PositiveContinuous):
    """A variable that is flat above 0.

    Args:
        start: where chains begin.
    """

    rv_op = _HalfFlatFromRV()

    @classmethod
    def dist(cls, start: Any, **kwargs: Any) -> Any:
        """The variable without a model."""
        return super().dist([pt.as_tensor(start, dtype="float64")], **kwargs)

    def support_point(rv, size, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Where chains begin."""
        del rv
        return _at(start, size)

    def logp(value, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Log density, 0 above 0."""
        del start
        return pt.switch(pt.lt(value, 0), -np.inf, pt.zeros_like(value))


class UniformFrom(pm.Uniform):
    """A uniform variable.

    Args:
        lower, upper: ends of the range.
        start: where chains begin.
    """

    rv_op = _UniformFromRV()

    @classmethod
    def dist(cls, lower: Any, upper: Any, start: Any, **kwargs: Any) -> Any:
        """The variable without a model."""
        parameters = [pt.as_tensor(value, dtype="float64") for value in (lower, upper, start)]
        return Continuous.dist.__func__(cls, parameters, **kwargs)

    def support_point(rv, size, lower, upper, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Where chains begin."""
        del rv, lower, upper
        return _at(start, size)

    def logp(value, lower, upper, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Log density."""
        del start
        return pm.Uniform.logp(value, lower, upper)

    def logcdf(value, lower, upper, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Log of the cumulative distribution."""
        del start
        return pm.Uniform.logcdf(value, lower, upper)

    def icdf(value, lower, upper, start):  # type: ignore[no-untyped-def]  # noqa: N805
        """Quantiles."""
        del start
        return pm.Uniform.icdf(value, lower, upper)


def begun(law: Any, name: str, *parameters: Any, start: FloatArray | float, **settings: Any) -> Any:
    """A variable of any PyMC distribution that begins at a point.

    Args:
        law: the distribution, e.g. ``pm.Normal``.
        name: of the variable.
        parameters: of the distribution.
        start: where chains begin, of the shape of the variable.
        settings: of the variable, such as ``dims`` or ``default_transform``.
    """
    return pm.CustomDist(
        name,
        *parameters,
        dist=lambda *given: law.dist(*given[:-1], size=given[-1]),
        support_point=lambda _, size, *__: _at(pt.as_tensor(start, dtype="float64"), size),
        class_name=law.__name__,
        **settings,
    )

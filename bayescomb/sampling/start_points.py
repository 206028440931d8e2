"""PyMC distributions that carry the point at which chains begin.

PyMC's own ``initval`` stands beside the graph of a model: ``pm.do``, ``pm.observe`` and ``pm.compute_log_likelihood`` copy
that graph, and refuse models with such values.  Here the point is an argument of the distribution, its support point, so
that every copy and every sampler has it.  A flat prior has no draws: they are NaN, and so is what is predicted with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.continuous import Continuous, PositiveContinuous
from pytensor.tensor.random.op import RandomVariable

from bayescomb.base.arrays import FloatArray

__all__ = ["FlatFrom", "HalfFlatFrom", "UniformFrom", "begun"]


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

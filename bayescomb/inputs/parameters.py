r"""Parameters of which observables are functions, and their priors.

A parameter is flat unless a prior is stated.  In a profile a Gaussian prior is an auxiliary measurement of the parameter,
and a lognormal one of its logarithm (with :math:`\chi^2 = ((\log p - \log m) / s)^2`, no Jacobian): an input like the
others, with its own part of each error, whose value varies in simulated data.  Ends of a range are bounds.  In a posterior
every prior is the density of its name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, assert_never, get_args

from bayescomb.base.checks import check_choice, check_finite
from bayescomb.base.errors import OptionError, RangeError

__all__ = ["PARAMETER_SHAPES", "PRIOR_NUMBERS", "Parameter", "ParameterPrior", "ParameterShape"]

ParameterShape = Literal["uniform", "normal", "half_normal", "lognormal"]
PARAMETER_SHAPES: Final[tuple[ParameterShape, ...]] = get_args(ParameterShape)
# The numbers that each shape needs.
PRIOR_NUMBERS: Final[dict[ParameterShape, tuple[str, ...]]] = {
    "uniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "half_normal": ("sd",),
    "lognormal": ("median", "sigma"),
}


@dataclass(frozen=True, kw_only=True)
class ParameterPrior:
    """Prior of a parameter.

    Attributes:
        shape: ``"uniform"`` (``low``, ``high``), ``"normal"`` (``mean``, ``sd``), ``"half_normal"`` (``sd``, above 0) or
            ``"lognormal"`` (``median``, and ``sigma``, the standard deviation of the logarithm).
        low, high, mean, sd, median: in the unit of the parameter.
        sigma: without unit.

    Examples:
        >>> import bayescomb as bc
        >>> bc.ParameterPrior(shape="normal", mean=0.118, sd=0.001).bounds
        (-inf, inf)
    """

    shape: ParameterShape
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    sigma: float | None = None

    def __post_init__(self) -> None:
        check_choice(self.shape, PARAMETER_SHAPES, where="shape of a prior")
        needed = PRIOR_NUMBERS[self.shape]
        where = f"{self.shape} prior"
        for name in ("low", "high", "mean", "sd", "median", "sigma"):
            value = getattr(self, name)
            if (value is not None) != (name in needed):
                found = "absent" if value is None else f"{value!r} found"
                msg = f"{where}: {name} {found}; it needs {' and '.join(needed)}"
                raise OptionError(msg)
            if value is not None:
                object.__setattr__(self, name, float(check_finite([value], where=f"{name} of a {where}")[0]))
        positive = [name for name in ("sd", "median", "sigma") if name in needed]
        for name in positive:
            if not getattr(self, name) > 0:
                msg = f"{where}: {name} = {getattr(self, name):g} found, a number above 0 is needed"
                raise RangeError(msg)
        if self.shape == "uniform" and not self.numbers["low"] < self.numbers["high"]:
            msg = f"{where}: low = {self.low:g} found, it must be below high = {self.high:g}"
            raise RangeError(msg)

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers of its shape."""
        return {name: float(getattr(self, name)) for name in PRIOR_NUMBERS[self.shape]}

    @property
    def bounds(self) -> tuple[float, float]:
        """Ends of its range; none for a lognormal prior, whose logarithm keeps the parameter above 0."""
        match self.shape:
            case "uniform":
                return self.numbers["low"], self.numbers["high"]
            case "half_normal":
                return 0.0, math.inf
            case "normal" | "lognormal":
                return -math.inf, math.inf
        assert_never(self.shape)

    @property
    def constraint(self) -> tuple[float, float] | None:
        """Value and standard deviation of the auxiliary measurement, ``None`` if uniform; of the logarithm if lognormal."""
        numbers = self.numbers
        match self.shape:
            case "uniform":
                return None
            case "normal":
                return numbers["mean"], numbers["sd"]
            case "half_normal":
                return 0.0, numbers["sd"]
            case "lognormal":
                return math.log(numbers["median"]), numbers["sigma"]
        assert_never(self.shape)

    @property
    def logarithmic(self) -> bool:
        """Whether the auxiliary measurement is one of the logarithm."""
        return self.shape == "lognormal"

    @property
    def middle(self) -> float:
        """A typical point, for starting values."""
        numbers = self.numbers
        match self.shape:
            case "uniform":
                return (numbers["low"] + numbers["high"]) / 2
            case "normal":
                return numbers["mean"]
            case "half_normal":
                return numbers["sd"]
            case "lognormal":
                return numbers["median"]
        assert_never(self.shape)

    def distribution(self) -> Any:
        """The prior as a frozen scipy distribution, which gives draws, densities and quantiles."""
        from scipy import stats

        numbers = self.numbers
        match self.shape:
            case "uniform":
                return stats.uniform(numbers["low"], numbers["high"] - numbers["low"])
            case "normal":
                return stats.norm(numbers["mean"], numbers["sd"])
            case "half_normal":
                return stats.halfnorm(0, numbers["sd"])
            case "lognormal":
                return stats.lognorm(numbers["sigma"], scale=numbers["median"])
        assert_never(self.shape)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A quantity of which observables are functions.

    Attributes:
        name: unique among parameters, observables and derived quantities.
        unit: its unit; empty if it has none or if units are not to be checked.
        title: text for tables and figures.
        prior: its prior; flat if ``None``.
        start: starting value of a fit, found from the data if it is not given.

    Examples:
        >>> import bayescomb as bc
        >>> bc.Parameter(name="tau_s", unit="ps").prior is None
        True
    """

    name: str
    unit: str = ""
    title: str = ""
    prior: ParameterPrior | None = None
    start: float | None = None

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(
                self, "start", float(check_finite([self.start], where=f"start of parameter {self.name!r}")[0])
            )

    @property
    def prior_name(self) -> str:
        """Name of the auxiliary measurement that represents its prior."""
        return f"prior of {self.name}"

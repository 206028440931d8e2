"""Correlation assumptions: fixed blocks, coefficients with a range and a prior, and the sets that hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, check_correlation, check_finite, check_items, check_names, known_name
from bayescomb.base.choices import RANGE_ENDS, RangeEnd
from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnderdeterminedError,
    UnknownNameError,
)
from bayescomb.inputs.assumptions.prior_shapes import PRIOR_SHAPES, PriorShape, SampledShape, shape_law

__all__ = [
    "AssumptionSet",
    "CorrelationBlock",
    "CorrelationCoefficient",
    "CorrelationPair",
    "check_assumptions",
]


@dataclass(frozen=True, kw_only=True)
class CorrelationPair:
    """Two nuisances whose prior correlation is ``sign`` times a coefficient.

    Examples:
        >>> import bayescomb as bc
        >>> bc.CorrelationPair(first="ATLAS_JES", second="CMS_JES", sign=-1).sign
        -1
    """

    first: str
    second: str
    sign: int = 1

    def __post_init__(self) -> None:
        if self.first == self.second:
            msg = f"pair {self.first!r}: a nuisance is fully correlated with itself; name two different nuisances"
            raise InvalidNumberError(msg)
        if self.sign not in (-1, 1):
            msg = f"pair {self.first!r}, {self.second!r}: sign {self.sign!r} found, +1 or -1 allowed"
            raise InvalidNumberError(msg)


@dataclass(frozen=True, kw_only=True)
class CorrelationCoefficient:
    """A correlation coefficient that one pair or a whole category of pairs shares.

    Attributes:
        name: unique within its set.
        pairs: the pairs of nuisances that it correlates, with their signs.
        nominal: value in the profile, within [-1, 1].
        low, high: range of the scan and support of the prior; ``None`` for a coefficient that is not varied.
        prior: ``uniform`` over the range, ``triangular`` or ``beta`` with the nominal value as mode, ``truncated_normal``
            around it with a quarter of the range as width, or ``fixed``.
        title: text for tables and figures.
        source: source whose nuisances it correlates, if it is a category coefficient.
        scan_group: coefficients of one group are scanned together; empty for one that is scanned alone.
        descending: whether the scan goes from high to low.
        published_half_shift, published_half_error_shift: result of a published scan with its unit, printed beside our scan;
            a text, as "<1 MeV" is published too.

    Examples:
        >>> import bayescomb as bc
        >>> pair = bc.CorrelationPair(first="ATLAS_JES", second="CMS_JES")
        >>> jes = bc.CorrelationCoefficient(name="JES", pairs=(pair,), nominal=0.25, low=0.0, high=0.5)
        >>> jes.range, jes.sampled
        ((0.0, 0.5), True)
    """

    name: str
    pairs: tuple[CorrelationPair, ...]
    nominal: float
    low: float | None = None
    high: float | None = None
    prior: PriorShape = "uniform"
    title: str = ""
    source: str = ""
    scan_group: str = ""
    descending: bool = False
    published_half_shift: str = ""
    published_half_error_shift: str = ""

    def __post_init__(self) -> None:
        check_items(self.pairs, CorrelationPair, where=f"pairs of coefficient {self.name!r}")
        object.__setattr__(self, "pairs", tuple(self.pairs))
        where = f"coefficient {self.name!r}"
        check_choice(self.prior, PRIOR_SHAPES, where=f"prior of {where}")
        if (self.low is None) != (self.high is None):
            msg = f"{where}: low = {self.low}, high = {self.high}; give both ends of the range or neither"
            raise RangeError(msg)
        for key in ("nominal", "low", "high"):
            value = getattr(self, key)
            if value is None:
                continue
            check_finite([value], where=f"{key} of {where}")
            if not -1.0 <= value <= 1.0:
                msg = f"{where}: {key} = {value} found, a correlation lies in [-1, 1]; correct it"
                raise RangeError(msg)
        if self.low is not None and self.high is not None:
            if not self.low < self.high:
                msg = f"{where}: range {self.low} to {self.high} is empty; low must lie below high"
                raise RangeError(msg)
            # A uniform prior does not depend on the nominal value, which is that of the profile alone.
            has_mode = self.prior != "fixed" and shape_law(self.prior).has_mode
            if has_mode and not self.low <= self.nominal <= self.high:
                msg = (
                    f"{where}: nominal value {self.nominal} lies outside the range {self.low} to {self.high} of its "
                    f"{self.prior} prior; widen the range or change the nominal value"
                )
                raise RangeError(msg)

    @property
    def varied(self) -> bool:
        """Whether it has a range to scan."""
        return self.low is not None

    @property
    def sampled(self) -> bool:
        """Whether the posterior samples it: it has a range, and its prior is not ``fixed``."""
        return self.varied and self.prior != "fixed"

    @property
    def sampled_shape(self) -> SampledShape:
        """Shape of its prior.

        Raises:
            OptionError: the prior is ``fixed``.
        """
        if self.prior == "fixed":
            msg = f"coefficient {self.name!r} has the prior 'fixed', which is no distribution; give it a shape to sample it"
            raise OptionError(msg)
        return self.prior

    @property
    def distribution(self) -> Any:
        """Its prior over the whole range as a frozen scipy distribution.

        Raises:
            OptionError: it is fixed.
            RangeError: it has no range.

        Examples:
            >>> import bayescomb as bc
            >>> pair = bc.CorrelationPair(first="a", second="b")
            >>> jes = bc.CorrelationCoefficient(name="JES", pairs=(pair,), nominal=0.5, low=0.0, high=1.0, prior="beta")
            >>> float(jes.distribution.mean())
            0.5
        """
        return shape_law(self.sampled_shape).distribution(*self.range, self.nominal)

    @property
    def range(self) -> tuple[float, float]:
        """Ends of its range; twice the nominal value if it has none."""
        if self.low is None or self.high is None:
            return self.nominal, self.nominal
        return self.low, self.high


@dataclass(frozen=True, kw_only=True)
class CorrelationBlock:
    """Fixed prior correlations among some nuisances, e.g. of one source inside one experiment.

    Attributes:
        name: source and experiment, for messages.
        nuisances: n names.
        correlation: shape (n, n), unit diagonal, symmetric.  It may be singular or indefinite; whether that is allowed
            depends on the treatment.

    Examples:
        >>> import bayescomb as bc
        >>> names = ("JES_7TeV", "JES_8TeV")
        >>> block = bc.CorrelationBlock(name="JES of ATLAS", nuisances=names, correlation=[[1.0, 0.8], [0.8, 1.0]])
        >>> float(block.correlation[0, 1])
        0.8
    """

    name: str
    nuisances: tuple[str, ...]
    correlation: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "nuisances", tuple(self.nuisances))
        check_names(self.nuisances, where=f"correlation block {self.name!r}")
        matrix = check_correlation(self.correlation, names=self.nuisances, where=f"correlation block {self.name!r}")
        object.__setattr__(self, "correlation", matrix)


@dataclass(frozen=True, kw_only=True)
class AssumptionSet:
    """A named list of correlation assumptions; what is not stated is uncorrelated.

    Attributes:
        name: stated in every output.
        coefficients: correlation coefficients, most with a range and a prior.
        blocks: fixed correlations.
        description: a sentence about the set.
        base: set of the model from which it differs in nominal values alone; empty for a set of the model itself.

    Examples:
        >>> import bayescomb as bc
        >>> bc.load("models/run1_mass").assumption_sets["uncorrelated"].name
        'uncorrelated'
    """

    name: str
    coefficients: tuple[CorrelationCoefficient, ...] = ()
    blocks: tuple[CorrelationBlock, ...] = ()
    description: str = ""
    base: str = ""

    def __post_init__(self) -> None:
        for key in ("coefficients", "blocks"):
            kind = CorrelationCoefficient if key == "coefficients" else CorrelationBlock
            check_items(getattr(self, key), kind, where=f"{key} of assumption set {self.name!r}")
            object.__setattr__(self, key, tuple(getattr(self, key)))
        where = f"assumption set {self.name!r}"
        check_names([c.name for c in self.coefficients], where=f"coefficients of {where}", allow_empty=True)
        check_names([b.name for b in self.blocks], where=f"blocks of {where}", allow_empty=True)

    def with_nominal(self, values: Mapping[str, float], *, at: RangeEnd | None = None) -> AssumptionSet:
        """The set with other nominal values of some coefficients, stated in its name.

        Args:
            values: coefficient -> nominal value; it may lie outside the range unless it is the mode of the prior.
            at: end of the range that becomes the nominal value of every other coefficient with a range.

        Raises:
            UnknownNameError: there is no coefficient of that name.
            RangeError: a value lies outside [-1, 1], or outside the range of a prior that has it as mode.

        Examples:
            >>> import bayescomb as bc
            >>> nominal = bc.load("models/run1_mass").assumption_set
            >>> nominal.with_nominal({"LHCbJES": 0.5}).name
            'nominal with LHCbJES = 0.5'
            >>> nominal.with_nominal({}, at="low").name
            'nominal at low'
        """
        where = f"assumption set {self.name!r}"
        if values and not self.coefficients:
            msg = (
                f"{where}: it has no coefficient, so {', '.join(map(repr, values))} cannot be changed; state what is "
                "correlated in [[assumption_sets.coefficients]], see 'bayescomb reference coefficients'"
            )
            raise UnknownNameError(msg)
        for name in values:
            known_name(name, [c.name for c in self.coefficients], kind="coefficient", where=where)
        if at is not None:
            check_choice(at, RANGE_ENDS, where=f"end of the ranges in {where}")
        coefficients = []
        for c in self.coefficients:
            match at:
                case None:
                    end = c.nominal
                case "low":
                    end = c.range[0]
                case "high":
                    end = c.range[1]
                case _:
                    assert_never(at)
            coefficients.append(dataclasses.replace(c, nominal=float(values.get(c.name, end))))
        stated = ", ".join(f"{name} = {float(value):g}" for name, value in values.items())
        name = f"{self.name}{f' at {at}' if at else ''}{f' with {stated}' if stated else ''}"
        return dataclasses.replace(self, name=name, coefficients=tuple(coefficients), base=self.base or self.name)

    def restricted_to(self, nuisances: Collection[str]) -> AssumptionSet:
        """The set without the pairs and block rows of nuisances that are not among ``nuisances``."""
        coefficients = []
        for coefficient in self.coefficients:
            pairs = tuple(p for p in coefficient.pairs if p.first in nuisances and p.second in nuisances)
            if len(pairs) == len(coefficient.pairs):
                coefficients.append(coefficient)
            elif pairs:
                coefficients.append(dataclasses.replace(coefficient, pairs=pairs))
        blocks = []
        for block in self.blocks:
            keep = [i for i, name in enumerate(block.nuisances) if name in nuisances]
            if len(keep) == len(block.nuisances):
                blocks.append(block)
            elif keep:
                names = tuple(block.nuisances[i] for i in keep)
                correlation = block.correlation[np.ix_(keep, keep)]
                blocks.append(dataclasses.replace(block, nuisances=names, correlation=correlation))
        return dataclasses.replace(self, coefficients=tuple(coefficients), blocks=tuple(blocks))


def check_assumptions(assumption_set: AssumptionSet, *, free: Mapping[str, bool]) -> None:
    """Require that every nuisance exists and has a prior, and that no correlation is stated twice.

    Args:
        assumption_set: the set to check.
        free: name of every nuisance -> whether it is free.

    Raises:
        UnknownNameError: a nuisance does not exist.
        UnderdeterminedError: a free nuisance is correlated.
        DuplicateNameError: the correlation of two nuisances is stated twice.
    """
    stated: dict[tuple[str, str], str] = {}
    set_name = f"assumption set {assumption_set.name!r}"

    def require(name: str, owner: str) -> None:
        where = f"{set_name}, {owner}"
        known_name(name, free, kind="nuisance", where=where)
        if free[name]:
            msg = f"{where}: nuisance {name!r} is free, it has no prior that could be correlated; remove the pair"
            raise UnderdeterminedError(msg)

    def state(first: str, second: str, owner: str) -> None:
        key = (first, second) if first < second else (second, first)
        if key in stated:
            said = f"the correlation of {first!r} and {second!r} is already stated by {stated[key]}"
            msg = f"{set_name}, {owner}: {said}; keep one"
            raise DuplicateNameError(msg)
        stated[key] = owner

    for coefficient in assumption_set.coefficients:
        owner = f"coefficient {coefficient.name!r}"
        for pair in coefficient.pairs:
            require(pair.first, owner)
            require(pair.second, owner)
            state(pair.first, pair.second, owner)
    for block in assumption_set.blocks:
        for name in block.nuisances:
            known_name(name, free, kind="nuisance", where=f"{set_name}, {block.name!r}")
        owner = f"block {block.name!r}"
        rows, columns = (index.tolist() for index in np.nonzero(np.tril(block.correlation, -1)))
        for i in dict.fromkeys((*rows, *columns)):
            require(block.nuisances[i], owner)
        for i, j in zip(rows, columns, strict=True):
            state(block.nuisances[i], block.nuisances[j], owner)

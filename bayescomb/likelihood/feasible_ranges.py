"""What the user is told about feasibility: per block, which part of the quoted ranges a correlation matrix allows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.base.rounding import coefficient_text, percent_text, plain, significant
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import CorrelationFamily, NuisanceBlock, correlation_family
from bayescomb.likelihood.feasibility import EIGENVALUE_TOLERANCE, AffineFamily, FeasibleRegion, feasible_region
from bayescomb.likelihood.linear_gaussian import integrate_out, linear_model, marginal_covariance

__all__ = [
    "TOTAL",
    "Statement",
    "block_family",
    "feasibility_statements",
    "has_negative_information",
    "make_statement",
    "total_family",
]

FloatArray = NDArray[np.float64]

TOTAL: Final = "total covariance"
MANY_ROWS: Final = 60
# Coefficients of one block up to which every interval is stated, and not the cut ones alone.
MANY_RANGES: Final = 8
# Of a range: by how much the extremes of a few thousand points can miss its ends.
SHORT: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Feasibility of one block (or of the total covariance).

    Attributes:
        label: the block.
        coefficients: names of the coefficients that vary in it.
        low, high: their quoted ranges, shape (k,).
        feasible_low, feasible_high: their feasible intervals, shape (k,).
        share: feasible share of the volume of the quoted box; ``share_error`` is 0 where it is exact.
        share_error: standard error of the share.
        status: ``box``, ``partial``, ``point`` or ``empty``.
        nominal_smallest: smallest eigenvalue at the nominal coefficients (of a unit-diagonal matrix for a block, in
            statistical variances for the total).
        text: the sentence for people.
    """

    label: str
    coefficients: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    feasible_low: FloatArray
    feasible_high: FloatArray
    share: float
    share_error: float
    status: str
    nominal_smallest: float
    text: str

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Which ranges are not feasible as a whole, shape (k,)."""
        return _cut(self.feasible_low, self.feasible_high, self.low, self.high)


def block_family(family: CorrelationFamily, block: NuisanceBlock, *, varied: NDArray[np.intp]) -> AffineFamily:
    """C(r) of one block as a function of the coefficients ``varied``, the others of the block at nominal."""
    base, patterns = family.block_matrices(block)
    varying = np.isin(block.coefficients, varied)
    nominal = family.nominal[block.coefficients]
    base = base + np.tensordot(nominal[~varying], patterns[~varying], axes=1)
    return _affine(family, block.label, base, patterns[varying], block.coefficients[varying])


def total_family(combination: Combination, family: CorrelationFamily, *, varied: NDArray[np.intp]) -> AffineFamily:
    """V(r) of all data as a function of the coefficients ``varied``, in units of the statistical variance.

    Nuisances that no varied coefficient touches are integrated first where their prior is a correlation matrix, which
    changes neither where V is positive definite nor, by much, anything but the time it takes: a fitted input has hundreds.
    """
    model, kept = linear_model(combination), np.arange(len(family.nuisances))
    at_zero = family.nominal
    at_zero[varied] = 0.0
    correlation = family.correlation(at_zero)
    if combination.treatment == "nuisance" and len(model.offset) > MANY_ROWS:
        members = [b.nuisances for b in family.blocks if np.isin(b.coefficients, varied).any()]
        kept = np.sort(np.concatenate([np.zeros(0, dtype=np.intp), *members]))
        try:
            model = integrate_out(model, kept, correlation)
        except InfeasibleCorrelationError:  # fixed blocks that are none, which their own statements tell
            kept = np.arange(len(family.nuisances))
    # Rows without statistical variance have the unit of what shifts them.
    size = np.where(model.signs == 0, np.sqrt((model.loading**2).sum(axis=1)), 1.0)
    model = dataclasses.replace(model, loading=model.loading / np.where(size > 0, size, 1.0)[:, None])
    base = marginal_covariance(model, correlation[np.ix_(kept, kept)])
    loading = np.zeros((len(model.offset), len(family.nuisances)))
    loading[:, kept] = model.loading
    patterns = np.array([family.projected_pattern(int(c), loading) for c in varied])
    return _affine(family, TOTAL, base, patterns.reshape(len(varied), *base.shape), varied)


def _affine(
    family: CorrelationFamily, label: str, base: FloatArray, patterns: FloatArray, index: NDArray[np.intp]
) -> AffineFamily:
    ranges = np.array([family.coefficients[c].range for c in index], dtype=float).reshape(-1, 2)
    return AffineFamily(
        label=label,
        base=base,
        patterns=patterns,
        low=ranges[:, 0],
        nominal=family.nominal[index],
        high=ranges[:, 1],
    )


def feasibility_statements(combination: Combination) -> tuple[Statement, ...]:
    """One statement for the total covariance and one per block of more than one nuisance.

    There is none for the total where constraints above 1 give the data negative information: V is indefinite then, as it
    has to be, and the count of its negative eigenvalues is checked at every point that is solved.  The blocks are looked at
    under both treatments: under ``covariance`` an infeasible block is allowed, but its nuisances have no posterior of their
    own.
    """
    family = correlation_family(combination)
    varied = np.array([i for i, c in enumerate(family.coefficients) if c.varied], dtype=np.intp)
    statements = []
    if not has_negative_information(combination):
        total = total_family(combination, family, varied=varied)
        names = [family.coefficients[i].name for i in varied]
        statements.append(make_statement(total, feasible_region(total, strict=True), names))
    for block in family.blocks:
        if len(block.nuisances) < 2:
            continue
        affine = block_family(family, block, varied=varied)
        names = [family.coefficients[c].name for c in block.coefficients if c in varied]
        statements.append(make_statement(affine, feasible_region(affine), names))
    return tuple(statements)


def has_negative_information(combination: Combination) -> bool:
    """Whether an input constrains some direction of its nuisances less than their prior."""
    return bool((linear_model(combination).signs < 0).any())


def make_statement(affine: AffineFamily, region: FeasibleRegion, names: list[str]) -> Statement:
    """The statement of a family and its feasible region."""
    return Statement(
        label=affine.label,
        coefficients=tuple(names),
        low=affine.low,
        high=affine.high,
        feasible_low=region.low,
        feasible_high=region.high,
        share=region.share,
        share_error=region.share_error,
        status=region.status,
        nominal_smallest=region.nominal_smallest,
        text=_sentence(affine, region, names),
    )


def _cut(feasible_low: FloatArray, feasible_high: FloatArray, low: FloatArray, high: FloatArray) -> NDArray[np.bool_]:
    """Which ranges end inside the quoted ones; the extremes of a sample of points fall short of both a little."""
    missing: NDArray[np.bool_] = np.maximum(feasible_low - low, high - feasible_high) > SHORT * (high - low)
    return missing


def _sentence(affine: AffineFamily, region: FeasibleRegion, names: list[str]) -> str:
    # An exact zero comes out as rounding of the size of the tolerance or below.
    smallest = region.nominal_smallest if abs(region.nominal_smallest) > EIGENVALUE_TOLERANCE else 0.0
    nominal = f"smallest eigenvalue at nominal {plain(significant(smallest))}"
    if region.status == "box":
        return f"{affine.label}: feasible" + (" over the whole range of every coefficient" if names else "")
    if region.status == "empty":
        found = (
            "positive semidefinite for no value in the range of its coefficients" if names else "not positive semidefinite"
        )
        return f"{affine.label}: {found} ({nominal})"
    if region.status == "point":
        points = ", ".join(f"{n} = {_at(float(v))}" for n, v in zip(names, region.centre, strict=True))
        return f"{affine.label}: feasible only at {points} ({nominal})"
    listed = np.ones(len(names), dtype=bool)
    if len(names) > MANY_RANGES:
        listed = _cut(region.low, region.high, affine.low, affine.high)
    whole = int((~listed).sum())
    intervals = ", ".join(
        f"{n} in [{_at(a)}, {_at(b)}] of [{_at(c)}, {_at(d)}]"
        for n, a, b, c, d, is_cut in zip(names, region.low, region.high, affine.low, affine.high, listed, strict=True)
        if is_cut
    )
    if whole:
        intervals += (
            f"{', ' if intervals else ''}{whole} {'other ' if intervals else ''}coefficients over their whole ranges"
        )
    share = plain(percent_text(region.share, region.share_error))
    return f"{affine.label}: feasible for {intervals}, {share} % of the quoted box ({nominal})"


def _at(coefficient: float) -> str:
    return plain(coefficient_text(coefficient))

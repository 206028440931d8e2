"""Statements about feasibility: per block, the part of the quoted ranges in which it is a correlation matrix."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.base.choices import Feasible
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.base.rounding import coefficient_text, fixed, percent_text, plain, significant
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
    "share_text",
    "total_family",
]

TOTAL: Final = "total covariance"
# Rows of data above which nuisances without a varied coefficient are integrated first.
MANY_ROWS: Final = 60
# Coefficients of one block up to which all intervals are stated, and not only the cut ones.
MANY_RANGES: Final = 8
# Part of a range that must be missing at an end to call it cut; less does not show in printed numbers.
SHORT: Final = 1e-4
# Upper limit at 95 % on a share where none of n points is feasible, in units of 1 / n: -log 0.05.
LIMIT: Final = 3.0
# Decimal places of a share just below 100 %.
PLACES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Feasibility of one block (or of the total covariance).

    Attributes:
        label: name of the block.
        coefficients: names of the coefficients that vary in it.
        low, high: their quoted ranges, shape (k,).
        feasible_low, feasible_high: their feasible intervals, shape (k,).
        share: feasible share of the volume of the quoted box; ``share_error`` is 0 where it is exact.
        share_error: standard error of the share.
        missing: how much further out an end may lie; 0 except for large blocks, whose search stops early.
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
    status: Feasible
    nominal_smallest: float
    text: str
    missing: float = 0.0

    @property
    def cut(self) -> BoolArray:
        """Which ranges are not feasible as a whole, shape (k,)."""
        return _cut(self.feasible_low, self.feasible_high, self.low, self.high)


def block_family(family: CorrelationFamily, block: NuisanceBlock, *, varied: IntArray) -> AffineFamily:
    """C(r) of one block as a function of the coefficients ``varied``, the others of the block at nominal."""
    varying = np.isin(block.coefficients, varied)
    base, patterns = family.block_matrices(block)
    base = base + (patterns[~varying].T @ family.nominal[block.coefficients[~varying]]).reshape(base.shape)
    return _affine(family, block.label, base, patterns[varying], block.coefficients[varying])


def total_family(combination: Combination, family: CorrelationFamily, *, varied: IntArray) -> AffineFamily:
    """V(r) of all data as a function of the coefficients ``varied``, in units of the statistical variance.

    Nuisances without a varied coefficient are integrated first where their prior is a correlation matrix.  V stays positive
    definite at the same coefficients, and the search takes less time: a fitted input has hundreds of nuisances.
    """
    model, kept = linear_model(combination), np.arange(len(family.nuisances))
    at_zero = family.nominal
    at_zero[varied] = 0.0
    correlation = family.correlation(at_zero)
    if combination.treatment == "nuisance" and len(model.offset) > MANY_ROWS:
        kept = family.linked(varied)
        try:
            model = integrate_out(model, kept, correlation)
        except InfeasibleCorrelationError:  # indefinite fixed blocks have statements of their own
            kept = np.arange(len(family.nuisances))
    # Rows without statistical variance have the unit of their shifts.
    size = np.where(model.signs == 0, np.sqrt((model.loading**2).sum(axis=1)), 1.0)
    model = dataclasses.replace(model, loading=model.loading / np.where(size > 0, size, 1.0)[:, None])
    base = marginal_covariance(model, correlation[np.ix_(kept, kept)])
    loading = np.zeros((len(model.offset), len(family.nuisances)))
    loading[:, kept] = model.loading
    return _affine(family, TOTAL, base, family.projected_patterns(varied, loading), varied)


def _affine(family: CorrelationFamily, label: str, base: FloatArray, patterns: csr_array, index: IntArray) -> AffineFamily:
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

    The total has none where constraints above 1 give the data negative information: V then has negative eigenvalues by
    construction, whose number is checked at every solved point.  Blocks have statements under both treatments: under
    ``covariance`` an infeasible block is allowed, but its nuisances have no posterior of their own.
    """
    family = correlation_family(combination)
    varied = family.varied
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
        missing=float(region.missing.max(initial=0.0)),
    )


def _cut(feasible_low: FloatArray, feasible_high: FloatArray, low: FloatArray, high: FloatArray) -> BoolArray:
    """Which feasible intervals end inside the quoted ranges."""
    missing: BoolArray = np.maximum(feasible_low - low, high - feasible_high) > SHORT * (high - low)
    return missing


def _sentence(affine: AffineFamily, region: FeasibleRegion, names: list[str]) -> str:
    # An eigenvalue of 0 is computed as rounding, below the tolerance.
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
        moving = region.high - region.low > SHORT * (affine.high - affine.low)
        points = ", ".join(
            f"{n} in [{_at(float(a))}, {_at(float(b))}]" if moves else f"{n} = {_at(float(v))}"
            for n, v, a, b, moves in zip(names, region.centre, region.low, region.high, moving, strict=True)
        )
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
    share = plain(share_text(region.share, region.share_error))
    further = ""
    if region.missing.any():
        further = f"; the search stopped early, ends may lie further out by up to {plain(significant(region.missing.max()))}"
    return f"{affine.label}: feasible for {intervals}, {share} % of the quoted box ({nominal}{further})"


def share_text(share: float, error: float) -> str:
    """A feasible share in percent with its Monte Carlo error, or a limit where no point or every point is feasible.

    Examples:
        >>> share_text(0.5151, 0.0078), share_text(0.0, 0.000244), share_text(1.0, 0.000244), share_text(0.25, 0.0)
        ('51.51 ± 0.78', 'less than 0.073', 'more than 99.927', '25.0')
    """
    if error > 0 and share in {0.0, 1.0}:
        # No point of n is feasible: with 95 % confidence the share is below 3 / n, and the error is 1 / n.
        limit = 100 * LIMIT * error
        return f"less than {significant(limit, 2)}" if share == 0 else f"more than {fixed(100 - limit, PLACES)}"
    return percent_text(share, error)


def _at(coefficient: float) -> str:
    return plain(coefficient_text(coefficient))

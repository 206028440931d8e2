"""Priors of the correlation coefficients over their quoted ranges, restricted to the feasible set, block by block.

Densities are known up to a constant, as the normalisation of the restriction is never needed; draws are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.base.errors import InfeasibleCorrelationError, OptionError
from bayescomb.base.rounding import plain, significant
from bayescomb.inputs.assumptions import CorrelationCoefficient
from bayescomb.inputs.assumptions.prior_shapes import shape_law
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import CorrelationFamily, NuisanceBlock, Repair, repaired_correlation
from bayescomb.likelihood.feasibility import EIGENVALUE_TOLERANCE, AffineFamily, FeasibleRegion, face_basis, feasible_region
from bayescomb.likelihood.feasible_ranges import (
    Statement,
    block_family,
    has_negative_information,
    make_statement,
    total_family,
)

__all__ = [
    "Draft",
    "FeasibleSet",
    "RadialBlock",
    "log_density",
    "prior_draws",
    "radial_block_of",
    "restrict_block",
    "restrict_total",
]

# Draws of the box per feasible one above which random walks replace rejection.
MAX_REJECTION: Final = 2000
# Number of walks, and their steps per coefficient before the first draw and between two draws.
WALKERS: Final = 128
FORGET: Final = 20
KEEP: Final = 2
# A slice shorter than this, in units of the box, leaves the walker where it is.
STILL: Final = 1e-12


def log_density(coefficients: Sequence[CorrelationCoefficient], values: Any, *, xp: Any) -> Any:
    """Sum of the log prior densities, up to a constant, inside the quoted ranges.

    Args:
        coefficients: K coefficients.
        values: r, shape (K,), an array or a symbolic vector.
        xp: ``numpy`` or ``pytensor.tensor``.

    Returns:
        A number, or a symbolic scalar.
    """
    total: Any = xp.sum(values * 0.0)
    for shape in dict.fromkeys(c.sampled_shape for c in coefficients):
        index = np.array([i for i, c in enumerate(coefficients) if c.prior == shape], dtype=int)
        low, high = np.array([coefficients[i].range for i in index]).T
        nominal = np.array([coefficients[i].nominal for i in index])
        total = total + xp.sum(shape_law(shape).log_density(values[index], low, high, nominal, xp))
    return total


def prior_draws(
    coefficients: Sequence[CorrelationCoefficient],
    *,
    low: FloatArray,
    high: FloatArray,
    draws: int,
    rng: np.random.Generator,
    feasible: FeasibleSet | None = None,
) -> FloatArray:
    """Draws of the prior restricted to [low, high] and to the feasible set.

    They are independent: drawn from the box, and rejected outside of the feasible set.  Where hardly any point of the box is
    feasible, they come from hit-and-run walks (Smith, Oper. Res. 32 (1984) 1296) with slices that shrink towards the walker
    (Neal, Ann. Stat. 31 (2003) 705), with so many steps between two draws that these are nearly independent.

    Args:
        coefficients: K coefficients.
        low: lower end of the feasible interval of each, inside its quoted range, shape (K,).
        high: upper end, likewise.
        draws: number of draws n.
        rng: source of randomness.
        feasible: the feasible set; the whole box if it is ``None``.

    Returns:
        Draws, shape (n, K).

    Raises:
        InfeasibleCorrelationError: hardly any point of the box is feasible, and no feasible point in it is known at which a
            walk can begin.
    """
    frozen = [c.distribution for c in coefficients]
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
        inside = points[feasible.holds(points)]
        kept.append(inside)
        found, tried = found + len(inside), tried + draws
        if tried > MAX_REJECTION * (found + 1):
            begin = np.concatenate([*kept, feasible.start[None]])[0]
            if (begin >= low).all() and (begin <= high).all():
                return _walked(coefficients, begin, low=low, high=high, draws=draws, rng=rng, feasible=feasible)
            msg = (
                f"prior of {', '.join(c.name for c in coefficients)}: only {found} of {tried} draws are feasible; "
                "narrow the ranges towards the feasible set (see 'bayescomb check')"
            )
            raise InfeasibleCorrelationError(msg)
    return np.concatenate(kept)[:draws]


def _walked(
    coefficients: Sequence[CorrelationCoefficient],
    begin: FloatArray,
    *,
    low: FloatArray,
    high: FloatArray,
    draws: int,
    rng: np.random.Generator,
    feasible: FeasibleSet,
) -> FloatArray:
    """Draws of hit-and-run walks that all begin at one feasible point, shape (n, K)."""
    count = len(begin)
    walkers = min(WALKERS, draws)
    point = np.tile(begin, (walkers, 1))
    density = _log_densities(coefficients, point)
    kept: list[FloatArray] = []
    for step in range(count * (FORGET + KEEP * -(-draws // walkers))):
        direction = rng.standard_normal(point.shape) * (high - low)
        with np.errstate(divide="ignore"):
            ends = np.stack([(low - point) / direction, (high - point) / direction])
        back, forth = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
        level = density + np.log(rng.random(walkers))
        moving = np.arange(walkers)
        while moving.size:
            length = back[moving] + (forth - back)[moving] * rng.random(moving.size)
            trial = np.clip(point[moving] + length[:, None] * direction[moving], low, high)
            reached = _log_densities(coefficients, trial)
            good = feasible.holds(trial) & (reached >= level[moving])
            point[moving[good]], density[moving[good]] = trial[good], reached[good]
            # The slice shrinks towards the walker, which is inside the set.
            missed = moving[~good]
            forth[missed] = np.where(length[~good] > 0, length[~good], forth[missed])
            back[missed] = np.where(length[~good] > 0, back[missed], length[~good])
            moving = missed[(forth - back)[missed] > STILL]
        if step >= count * FORGET and (step + 1) % (count * KEEP) == 0:
            kept.append(point.copy())
    return np.concatenate(kept)[:draws]


def _log_densities(coefficients: Sequence[CorrelationCoefficient], points: FloatArray) -> FloatArray:
    """Log prior density of each point, up to a constant, shape (m,)."""
    total = np.zeros(len(points))
    with np.errstate(divide="ignore"):
        for c, column in zip(coefficients, points.T, strict=True):
            low, high = (np.array([end]) for end in c.range)
            total += shape_law(c.sampled_shape).log_density(column, low, high, np.array([c.nominal]), np)
    return total


@dataclass(frozen=True, kw_only=True)
class FeasibleSet:
    """The set of coefficients for which every matrix is positive semidefinite.

    Attributes:
        holds: points, shape (m, K) -> whether each is in the set, shape (m,).
        start: a point of the set, shape (K,).
    """

    holds: Callable[[FloatArray], BoolArray]
    start: FloatArray


@dataclass(frozen=True, kw_only=True)
class RadialBlock:
    """Several coefficients whose box is partly infeasible; sampled through a radial map of the box onto the feasible set.

    Attributes:
        index: positions among the sampled coefficients, shape (k,).
        centre: a point inside the feasible set, shape (k,).
        patterns: -L^-1 Q^T E_c Q L^-T, shape (k, n, n), with Q a basis of the range of the matrix at the centre and L the
            Cholesky factor of the matrix in that basis.  A point centre + d is on the boundary of the set where the largest
            eigenvalue of sum_c d_c patterns_c is 1.
    """

    index: IntArray
    centre: FloatArray
    patterns: FloatArray


@dataclass(kw_only=True)
class Draft:
    """Decisions about the blocks, collected before nuisances are integrated out.

    Attributes:
        fixed: C with all coefficients at nominal, or at the values at which they are held, shape (N, N).
        sampled: positions of the sampled coefficients in the family.
        bounds: position of a coefficient -> its sampling interval.
        radial: blocks for a radial map.
        repairs: repaired blocks.
        statements: feasibility of the blocks as text.
        infeasible: texts for the error message.
    """

    fixed: FloatArray
    sampled: list[int]
    bounds: dict[int, tuple[float, float]]
    radial: list[tuple[IntArray, AffineFamily, FeasibleRegion]]
    repairs: list[Repair]
    statements: list[Statement]
    infeasible: list[str]


def restrict_total(combination: Combination, family: CorrelationFamily, draft: Draft) -> None:
    """Treatment ``covariance``: restrict the coefficients to a positive-definite total covariance.

    Raises:
        OptionError: the feasible set is not convex, as an input has constraints above 1.
    """
    if has_negative_information(combination):
        if not draft.sampled:
            return  # the fixed coefficients are checked where they are used
        msg = (
            f"combination {combination.name!r}: an input has constraints above 1, for which the treatment 'covariance' has "
            "no convex feasible set to sample; use the treatment 'nuisance', or correlations 'nominal'"
        )
        raise OptionError(msg)
    index = np.array(draft.sampled, dtype=np.intp)
    affine = total_family(combination, family, varied=index)
    region = feasible_region(affine, strict=True)
    draft.statements.append(make_statement(affine, region, [family.coefficients[i].name for i in index]))
    if region.status in {"empty", "point"}:
        draft.infeasible.append(draft.statements[-1].text)
    elif region.status == "partial":
        _restrict(index, affine, region, draft)


def restrict_block(combination: Combination, family: CorrelationFamily, block: NuisanceBlock, draft: Draft) -> None:
    """Treatment ``nuisance``: restrict the coefficients of a block so that its matrix is a correlation matrix."""
    index = np.array([c for c in block.coefficients if c in draft.bounds], dtype=np.intp)
    affine = block_family(family, block, varied=index)
    region = feasible_region(affine)
    statement = make_statement(affine, region, [family.coefficients[i].name for i in index])
    if len(block.nuisances) > 1:
        draft.statements.append(statement)
    if region.status == "partial":
        _restrict(index, affine, region, draft)
    elif region.status == "point":
        # The coefficients are held at their only feasible values.
        draft.sampled = [i for i in draft.sampled if i not in index]
        _set_block(block, affine.matrix(region.centre), draft)
    elif region.status == "empty":
        if combination.repair == "none":
            draft.infeasible.append(
                f"{block.label} (smallest eigenvalue {plain(significant(region.nominal_smallest))} at nominal)"
            )
            return
        nominal = affine.matrix(affine.nominal)
        repaired = repaired_correlation(nominal, how=combination.repair)
        change = float(np.abs(repaired - nominal).max())
        smallest = region.nominal_smallest
        draft.repairs.append(Repair(block=block.label, how=combination.repair, smallest=smallest, change=change))
        draft.sampled = [i for i in draft.sampled if i not in index]
        _set_block(block, repaired, draft)


def _set_block(block: NuisanceBlock, matrix: FloatArray, draft: Draft) -> None:
    draft.fixed[np.ix_(block.nuisances, block.nuisances)] = matrix


def _restrict(index: IntArray, affine: AffineFamily, region: FeasibleRegion, draft: Draft) -> None:
    if len(index) == 1:
        draft.bounds[int(index[0])] = (float(region.low[0]), float(region.high[0]))
    else:
        draft.radial.append((index, affine, region))


def radial_block_of(index: IntArray, affine: AffineFamily, region: FeasibleRegion, sampled: list[int]) -> RadialBlock:
    """The block in whitened coordinates, on the face of the positive-semidefinite cone that holds the centre.

    Raises:
        InfeasibleCorrelationError: a coefficient moves the matrix out of that face, so that it has only one feasible value.
    """
    centre = affine.matrix(region.centre)
    basis = face_basis(centre)
    outside = np.eye(len(centre)) - basis @ basis.T
    affine_patterns = affine.dense_patterns
    leaving = [
        c for c, pattern in enumerate(affine_patterns) if np.abs(outside @ pattern).max() > np.sqrt(EIGENVALUE_TOLERANCE)
    ]
    if leaving:
        msg = (
            f"{affine.label}: its fully correlated nuisances allow only one value for {len(leaving)} of "
            f"{len(index)} coefficients; fix those ('prior = \"fixed\"') at a feasible value"
        )
        raise InfeasibleCorrelationError(msg)
    factor = np.linalg.cholesky(basis.T @ centre @ basis)
    whitener = np.linalg.solve(factor, basis.T)
    patterns = -np.einsum("ia,cab,jb->cij", whitener, affine_patterns, whitener)
    return RadialBlock(
        index=np.array([sampled.index(int(i)) for i in index], dtype=np.intp), centre=region.centre, patterns=patterns
    )

"""The priors of the coefficients restricted to where the model is defined, block by block, with what is said about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescomb.correlation import CorrelationFamily, NuisanceBlock
from bayescomb.errors import InfeasibleCorrelationError, OptionError
from bayescomb.feasibility import EIGENVALUE_TOLERANCE, AffineFamily, FeasibleRegion, face_basis, feasible_region
from bayescomb.inputs import Combination
from bayescomb.repair import Repair, repaired_correlation
from bayescomb.rounding import plain, significant
from bayescomb.statements import Statement, block_family, has_negative_information, make_statement, total_family

__all__ = ["Draft", "RadialBlock", "radial_block_of", "restrict_block", "restrict_total"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class RadialBlock:
    """Several coefficients whose box leaves their feasible set; sampled through a radial map of the box onto the set.

    Attributes:
        index: positions among the sampled coefficients, shape (k,).
        centre: point inside, shape (k,).
        patterns: -L^-1 Q^T E_c Q L^-T with Q a basis of the range of the matrix at the centre and L its Cholesky factor
            there, shape (k, n, n): their combination by a direction has largest eigenvalue 1 at the boundary.
    """

    index: IntArray
    centre: FloatArray
    patterns: FloatArray


@dataclass(kw_only=True)
class Draft:
    """Decisions about blocks, collected before anything is integrated."""

    fixed: FloatArray
    sampled: list[int]
    bounds: dict[int, tuple[float, float]]
    radial: list[tuple[IntArray, AffineFamily, FeasibleRegion]]
    repairs: list[Repair]
    statements: list[Statement]
    infeasible: list[str]


def restrict_total(combination: Combination, family: CorrelationFamily, draft: Draft) -> None:
    """Covariance treatment: the total covariance must stay positive definite.

    Raises:
        OptionError: its feasible set is not convex because an input has negative information.
    """
    if has_negative_information(combination):
        if not draft.sampled:
            return  # the one point there is is checked where it is solved
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
    """Nuisance treatment: every block must be a correlation matrix."""
    index = np.array([c for c in block.coefficients if c in draft.bounds], dtype=np.intp)
    affine = block_family(family, block, varied=index)
    region = feasible_region(affine)
    statement = make_statement(affine, region, [family.coefficients[i].name for i in index])
    if len(block.nuisances) > 1:
        draft.statements.append(statement)
    if region.status == "partial":
        _restrict(index, affine, region, draft)
    elif region.status == "point":
        # Nothing to sample: the coefficients are held at the only value there is.
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
    """Whitened patterns on the face of the centre.

    Raises:
        InfeasibleCorrelationError: a coefficient moves the matrix out of that face, so that it cannot vary at all.
    """
    centre = affine.matrix(region.centre)
    basis = face_basis(centre)
    outside = np.eye(len(centre)) - basis @ basis.T
    leaving = [
        c for c, pattern in enumerate(affine.patterns) if np.abs(outside @ pattern).max() > np.sqrt(EIGENVALUE_TOLERANCE)
    ]
    if leaving:
        msg = (
            f"{affine.label}: the fully correlated nuisances in it allow only one value for {len(leaving)} of "
            f"{len(index)} coefficients; fix those ('prior = \"fixed\"') at a feasible value"
        )
        raise InfeasibleCorrelationError(msg)
    factor = np.linalg.cholesky(basis.T @ centre @ basis)
    whitener = np.linalg.solve(factor, basis.T)
    patterns = -np.einsum("ia,cab,jb->cij", whitener, affine.patterns, whitener)
    return RadialBlock(
        index=np.array([sampled.index(int(i)) for i in index], dtype=np.intp), centre=region.centre, patterns=patterns
    )

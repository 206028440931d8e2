"""What is sampled and what is integrated: the numbers that a model is built from, worked out once before sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescomb.assumptions import CorrelationCoefficient
from bayescomb.checks import check_choice
from bayescomb.correlation import CorrelationFamily, NuisanceBlock, correlation_family
from bayescomb.curved_plan import CurvedPlan, curved_plan
from bayescomb.errors import InfeasibleCorrelationError, OptionError
from bayescomb.feasibility import EIGENVALUE_TOLERANCE, AffineFamily, FeasibleRegion, face_basis, feasible_region
from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import LinearModel, integrate_out, linear_model, marginal_covariance
from bayescomb.repair import Repair, infeasible_message, repaired_correlation
from bayescomb.statements import (
    Statement,
    block_family,
    feasibility_statements,
    has_negative_information,
    make_statement,
    total_family,
)

__all__ = ["RadialBlock", "SamplingPlan", "sampling_plan"]

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


@dataclass(frozen=True, kw_only=True)
class SamplingPlan:
    """Everything numerical that the sampled model needs; K sampled coefficients.

    Attributes:
        combination: what is sampled.
        family: C(r) over all coefficients.
        model: the full linear model; where chi2 is not quadratic its parameters are those of ``curved``.
        curved: what is not linear, ``None`` where chi2 is quadratic.
        fixed_correlation: C with the coefficients that are not sampled at their fixed values, repairs applied, and the
            sampled ones at 0, shape (N, N).
        sampled: positions of the sampled coefficients in the family, shape (K,).
        low, high: sampling box, inside the quoted ranges, shape (K,).
        initial: a point well inside, shape (K,).
        radial: blocks whose box is still partly infeasible.
        kept: positions of the nuisances in blocks with a sampled coefficient.
        reduced: linear model with all other nuisances integrated out.
        base, patterns: V(r) = base + sum_c r_c patterns_c of the reduced model, shapes (R, R) and (K, R, R).
        repairs: blocks repaired on request; their coefficients are held at nominal.
        statements: feasibility of what is sampled, for people.
    """

    combination: Combination
    family: CorrelationFamily
    model: LinearModel
    curved: CurvedPlan | None
    fixed_correlation: FloatArray
    sampled: IntArray
    low: FloatArray
    high: FloatArray
    initial: FloatArray
    radial: tuple[RadialBlock, ...]
    kept: IntArray
    reduced: LinearModel
    base: FloatArray
    patterns: FloatArray
    repairs: tuple[Repair, ...]
    statements: tuple[Statement, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Observables and free nuisances, the variables of the posterior besides the coefficients and the nuisances."""
        if self.curved is None:
            return self.model.parameters
        return self.curved.map.parts.observables + self.curved.map.parts.free

    @property
    def coefficients(self) -> tuple[CorrelationCoefficient, ...]:
        """The sampled coefficients."""
        return tuple(self.family.coefficients[i] for i in self.sampled)

    def correlation(self, coefficients: FloatArray, index: IntArray | None = None) -> FloatArray:
        """C(r) of some nuisances for draws of the sampled coefficients.

        Args:
            coefficients: shape (n, K).
            index: positions of the nuisances, ascending; all by default.

        Returns:
            Shape (n, m, m) for m nuisances.
        """
        index = np.arange(len(self.family.nuisances)) if index is None else index
        matrix = np.repeat(self.fixed_correlation[np.ix_(index, index)][None], len(coefficients), axis=0)
        position = np.full(len(self.family.nuisances), -1)
        position[index] = np.arange(len(index))
        for column, c in enumerate(self.sampled):
            first, second, sign = self.family.pairs[c]
            a, b = position[first], position[second]
            both = (a >= 0) & (b >= 0)
            entries = coefficients[:, [column]] * sign[both]
            matrix[:, a[both], b[both]] = entries
            matrix[:, b[both], a[both]] = entries
        return matrix

    @property
    def explicit_prior(self) -> tuple[FloatArray, FloatArray]:
        """S(r) = base + sum_c r_c patterns_c of the explicit directions whose prior the coefficients change.

        They are the last rows of the reduced model; shapes (k, k) and (K, k, k).
        """
        cut = len(self.base) - (self.curved.n_kept if self.curved is not None else 0)
        return self.base[cut:, cut:], self.patterns[:, cut:, cut:]

    def feasible(self) -> Callable[[FloatArray], NDArray[np.bool_]] | None:
        """Test of points of shape (m, K) for the blocks that the box alone does not keep feasible."""
        if not self.radial:
            return None

        def inside(points: FloatArray) -> NDArray[np.bool_]:
            result = np.ones(len(points), dtype=bool)
            for block in self.radial:
                matrix = np.tensordot(points[:, block.index] - block.centre, block.patterns, axes=1)
                result &= np.linalg.eigvalsh(matrix)[:, -1] <= 1
            return result

        return inside


@dataclass(kw_only=True)
class _Draft:
    """Decisions about blocks, collected before anything is integrated."""

    fixed: FloatArray
    sampled: list[int]
    bounds: dict[int, tuple[float, float]]
    radial: list[tuple[IntArray, AffineFamily, FeasibleRegion]]
    repairs: list[Repair]
    statements: list[Statement]
    infeasible: list[str]


def sampling_plan(combination: Combination, *, correlations: str = "prior") -> SamplingPlan:
    """Decide what is sampled, restrict it to the feasible set and integrate the rest.

    Args:
        combination: what to sample.
        correlations: ``"prior"`` samples every coefficient with a range, ``"nominal"`` holds all at their nominal values.

    Raises:
        OptionError: ``correlations`` is neither.
        InfeasibleCorrelationError: a block has no feasible value in its range and no repair was asked for.
    """
    check_choice(correlations, ("prior", "nominal"), where="correlations")
    family = correlation_family(combination)
    wanted = [i for i, c in enumerate(family.coefficients) if c.sampled] if correlations == "prior" else []
    draft = _Draft(
        fixed=family.correlation(family.nominal),
        sampled=wanted,
        bounds={i: family.coefficients[i].range for i in wanted},
        radial=[],
        repairs=[],
        statements=[],
        infeasible=[],
    )
    if combination.treatment == "covariance":
        _restrict_total(combination, family, draft)
    else:
        for block in family.blocks:
            _restrict_block(combination, family, block, draft)
    if draft.infeasible:
        raise InfeasibleCorrelationError(infeasible_message(combination, draft.infeasible))
    sampled = np.array(draft.sampled, dtype=np.intp)
    for c in sampled:
        first, second, _ = family.pairs[c]
        draft.fixed[first, second] = draft.fixed[second, first] = 0.0
    low, high = np.array([draft.bounds[i] for i in sampled], dtype=float).reshape(-1, 2).T
    nominal = np.array([family.coefficients[i].nominal for i in sampled])
    # Away from the ends, where the unconstrained coordinate is infinite.
    initial = np.clip(nominal, low + 0.05 * (high - low), high - 0.05 * (high - low))
    radial = tuple(_radial_block(index, affine, region, draft.sampled) for index, affine, region in draft.radial)
    for radial_block in radial:
        initial[radial_block.index] = radial_block.centre
    kept = _kept_nuisances(family, sampled)
    curved: CurvedPlan | None = None
    if combination.quadratic:
        model = linear_model(combination)
        reduced = integrate_out(model, kept, draft.fixed)
    else:
        at_start = _with_coefficients(family, draft.fixed, sampled, initial)
        curved = curved_plan(combination, at_start, kept)
        model, reduced = curved.model, curved.reduced
    loading = np.zeros((len(reduced.offset), len(family.nuisances)))
    loading[:, kept] = reduced.loading
    patterns = np.array([family.projected_pattern(int(c), loading) for c in sampled])
    return SamplingPlan(
        combination=combination,
        family=family,
        model=model,
        curved=curved,
        fixed_correlation=draft.fixed,
        sampled=sampled,
        low=low,
        high=high,
        initial=initial,
        radial=radial,
        kept=kept,
        reduced=reduced,
        base=marginal_covariance(reduced, draft.fixed[np.ix_(kept, kept)]),
        patterns=patterns.reshape(len(sampled), len(loading), len(loading)),
        repairs=tuple(draft.repairs),
        statements=tuple(draft.statements) if correlations == "prior" else feasibility_statements(combination),
    )


def _with_coefficients(
    family: CorrelationFamily, fixed: FloatArray, sampled: IntArray, coefficients: FloatArray
) -> FloatArray:
    matrix = fixed.copy()
    for value, c in zip(coefficients, sampled, strict=True):
        first, second, sign = family.pairs[c]
        matrix[first, second] = matrix[second, first] = value * sign
    return matrix


def _kept_nuisances(family: CorrelationFamily, sampled: IntArray) -> IntArray:
    members = [b.nuisances for b in family.blocks if np.isin(b.coefficients, sampled).any()]
    return np.sort(np.concatenate(members)) if members else np.zeros(0, dtype=np.intp)


def _restrict_total(combination: Combination, family: CorrelationFamily, draft: _Draft) -> None:
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


def _restrict_block(combination: Combination, family: CorrelationFamily, block: NuisanceBlock, draft: _Draft) -> None:
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
        _set_block(family, block, affine.matrix(region.centre), draft)
    elif region.status == "empty":
        if combination.repair == "none":
            draft.infeasible.append(f"{block.label} (smallest eigenvalue {region.nominal_smallest:.3g} at nominal)")
            return
        nominal = affine.matrix(affine.nominal)
        repaired = repaired_correlation(nominal, how=combination.repair)
        change = float(np.abs(repaired - nominal).max())
        smallest = region.nominal_smallest
        draft.repairs.append(Repair(block=block.label, how=combination.repair, smallest=smallest, change=change))
        draft.sampled = [i for i in draft.sampled if i not in index]
        _set_block(family, block, repaired, draft)


def _set_block(family: CorrelationFamily, block: NuisanceBlock, matrix: FloatArray, draft: _Draft) -> None:
    del family
    draft.fixed[np.ix_(block.nuisances, block.nuisances)] = matrix


def _restrict(index: IntArray, affine: AffineFamily, region: FeasibleRegion, draft: _Draft) -> None:
    if len(index) == 1:
        draft.bounds[int(index[0])] = (float(region.low[0]), float(region.high[0]))
    else:
        draft.radial.append((index, affine, region))


def _radial_block(index: IntArray, affine: AffineFamily, region: FeasibleRegion, sampled: list[int]) -> RadialBlock:
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

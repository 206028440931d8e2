"""The sampling plan: what is sampled, what is integrated out, and the arrays that a model is built from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, assert_never

import numpy as np
import xarray as xr

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.base.checks import check_choice
from bayescomb.base.choices import CORRELATIONS, Correlations
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.fit.minimise.nonlinear import minimise, separate_minima, starting_point, theta_covariance
from bayescomb.inputs.assumptions import CorrelationCoefficient
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.correlation import CorrelationFamily, Repair, correlation_family, infeasible_message
from bayescomb.likelihood.feasible_ranges import Statement, feasibility_statements
from bayescomb.likelihood.linear_gaussian import LinearModel, integrate_out, linear_model
from bayescomb.likelihood.nonlinear.model import Curved, NonlinearModel, nonlinear_model, nonlinear_parts
from bayescomb.likelihood.nonlinear.objective import objective
from bayescomb.likelihood.theory import Theory, theory
from bayescomb.likelihood.uncertain_sizes import SCALE, UncertainSize, uncertain_sizes
from bayescomb.sampling.priors import Draft, FeasibleSet, RadialBlock, radial_block_of, restrict_block, restrict_total

__all__ = ["CurvedPlan", "SamplingPlan", "curved_plan", "sampling_plan", "stacked", "stacked_vector"]


@dataclass(frozen=True, kw_only=True)
class SamplingPlan:
    """The arrays of the sampled model; K sampled coefficients, N nuisances, R rows of the reduced model.

    Attributes:
        combination: what is sampled.
        family: C(r) over all coefficients.
        model: the full linear model; where chi2 is not quadratic its parameters are those of ``curved``.
        curved: what is not linear, ``None`` where chi2 is quadratic.
        theory: the prediction of the extraction in force, ``None`` without one.  The linear models are those of the
            observables, which the prediction makes functions of masses and theory nuisances.
        fixed_correlation: C with the coefficients that are not sampled at their fixed values, repairs applied, and the
            sampled ones at 0, shape (N, N).
        sampled: positions of the sampled coefficients in the family, shape (K,).
        low, high: sampling box, inside the quoted ranges, shape (K,).
        initial: coefficients where chains begin, away from the ends of the box and feasible, shape (K,).
        radial: blocks whose box is partly infeasible.
        kept: positions of the nuisances in blocks with a sampled coefficient or an uncertain size.
        reduced: linear model with all other nuisances integrated out.
        base, patterns: V(y) = base + sum_c y_c patterns_c of the reduced model, shapes (R, R) and (K + m, R, R).  The
            weights y (:meth:`weights`) are the coefficients, each multiplied by the scale of its block, and the scales;
            without uncertain sizes they are the coefficients.
        repairs: blocks repaired on request; their coefficients are held at nominal.
        statements: feasibility of the sampled blocks as text.
        sizes: m sources of uncertain size, whose scales s are sampled too.
        size_of: position of the size that multiplies the block of each coefficient, -1 for none, shape (K,).
    """

    combination: Combination
    family: CorrelationFamily
    model: LinearModel
    curved: CurvedPlan | None
    theory: Theory | None
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
    sizes: tuple[UncertainSize, ...] = ()
    size_of: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the fitted variables and free nuisances."""
        if self.curved is None:
            return self.model.parameters
        return self.curved.map.parts.observables + self.curved.map.parts.free

    @property
    def coefficients(self) -> tuple[CorrelationCoefficient, ...]:
        """The sampled coefficients."""
        return tuple(self.family.coefficients[i] for i in self.sampled)

    def weights(self, coefficients: Any, scales: Any, *, xp: Any = np) -> Any:
        """Weights y of the patterns.

        Args:
            coefficients: r, shape (..., K), an array or symbolic.
            scales: s, shape (..., m), likewise.
            xp: ``numpy`` or ``pytensor.tensor``.

        Returns:
            Shape (..., K + m).
        """
        if not self.sizes:
            return coefficients
        own = self.size_of >= 0
        factor = xp.where(own, scales[..., np.where(own, self.size_of, 0)], 1.0)
        return xp.concatenate([coefficients * factor, scales], axis=-1)

    @property
    def start(self) -> FloatArray:
        """Weights at the initial coefficients and quoted sizes, shape (K + m,)."""
        return np.asarray(self.weights(self.initial, np.ones(len(self.sizes))))

    def weights_of(self, draws: xr.Dataset) -> FloatArray:
        """Weights of all draws of a posterior, chains one after the other, shape (n, K + m)."""
        return np.asarray(self.weights(stacked_vector(draws, "rho"), stacked_vector(draws, SCALE)))

    def prior_weights(self, coefficients: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Weights of given coefficients with the scales drawn from their prior.

        Args:
            coefficients: r, shape (n, K).
            rng: source of randomness.

        Returns:
            Shape (n, K + m).
        """
        shapes = np.array([size.shape for size in self.sizes])
        scales = shapes / rng.gamma(shapes, size=(len(coefficients), len(shapes))) if len(shapes) else np.zeros((1, 0))
        return np.asarray(self.weights(coefficients, scales))

    def projected(self, loading: FloatArray) -> tuple[FloatArray, FloatArray]:
        """L C(y) L^T = base + sum_c y_c patterns_c for L of shape (R, N); shapes (R, R) and (K + m, R, R)."""
        certain = np.ones(len(self.family.nuisances))
        blocks = []
        for size in self.sizes:
            certain[size.nuisances] = 0.0
            own = loading[:, size.nuisances]
            blocks.append(own @ self.fixed_correlation[np.ix_(size.nuisances, size.nuisances)] @ own.T)
        part = loading * certain
        patterns = [self.family.projected_pattern(int(c), loading) for c in self.sampled] + blocks
        rows = len(loading)
        return part @ self.fixed_correlation @ part.T, np.array(patterns).reshape(len(patterns), rows, rows)

    def correlation(self, weights: FloatArray, index: IntArray | None = None) -> FloatArray:
        """C of some nuisances for draws of the sampled coefficients and scales.

        Args:
            weights: y, shape (n, K + m).
            index: positions of the nuisances, ascending; all by default.

        Returns:
            Shape (n, q, q) for q nuisances.
        """
        index = np.arange(len(self.family.nuisances)) if index is None else index
        matrix = np.repeat(self.fixed_correlation[np.ix_(index, index)][None], len(weights), axis=0)
        position = np.full(len(self.family.nuisances), -1)
        position[index] = np.arange(len(index))
        for column, size in enumerate(self.sizes, start=len(self.sampled)):
            own = position[size.nuisances][position[size.nuisances] >= 0]
            matrix[np.ix_(np.arange(len(weights)), own, own)] *= weights[:, column, None, None]
        for column, c in enumerate(self.sampled):
            first, second, sign = self.family.pairs[c]
            a, b = position[first], position[second]
            both = (a >= 0) & (b >= 0)
            entries = weights[:, [column]] * sign[both]
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

    def feasible(self) -> FeasibleSet | None:
        """The feasible set of the K coefficients; ``None`` if all of the box is feasible."""
        if not self.radial:
            return None

        def inside(points: FloatArray) -> BoolArray:
            result = np.ones(len(points), dtype=bool)
            for block in self.radial:
                matrix = np.tensordot(points[:, block.index] - block.centre, block.patterns, axes=1)
                result &= np.linalg.eigvalsh(matrix)[:, -1] <= 1
            return result

        return FeasibleSet(holds=inside, start=self.start)


def stacked(draws: xr.Dataset, names: Iterable[str]) -> FloatArray:
    """Values of some quantities at all draws of a posterior, chains one after the other, shape (n, number of names)."""
    n = draws.sizes["chain"] * draws.sizes["draw"]
    columns = [draws[variable_name(name)].to_numpy().reshape(n) for name in names]
    return np.array(columns).reshape(len(columns), n).T


def stacked_vector(draws: xr.Dataset, name: str) -> FloatArray:
    """Values of a vector at all draws of a posterior, chains one after the other, shape (n, size); size 0 if absent."""
    n = draws.sizes["chain"] * draws.sizes["draw"]
    return draws[name].to_numpy().reshape(n, -1) if name in draws else np.zeros((n, 0))


def sampling_plan(combination: Combination, *, correlations: Correlations = "prior") -> SamplingPlan:
    """Decide which coefficients are sampled, restrict them to the feasible set and integrate out the other nuisances.

    Args:
        combination: what to sample.
        correlations: ``"prior"`` samples every coefficient with a range, ``"nominal"`` holds all at their nominal values.

    Raises:
        OptionError: ``correlations`` is neither, or the feasible set is not convex (treatment ``covariance`` with
            constraints above 1).
        InfeasibleCorrelationError: a block has no feasible value in its range and no repair was asked for.
    """
    check_choice(correlations, CORRELATIONS, where="correlations")
    family = correlation_family(combination)
    match correlations:
        case "prior":
            wanted = [i for i, c in enumerate(family.coefficients) if c.sampled]
        case "nominal":
            wanted = []
        case _:
            assert_never(correlations)
    draft = Draft(
        fixed=family.correlation(family.nominal),
        sampled=wanted,
        bounds={i: family.coefficients[i].range for i in wanted},
        radial=[],
        repairs=[],
        statements=[],
        infeasible=[],
    )
    match combination.treatment:
        case "covariance":
            restrict_total(combination, family, draft)
        case "nuisance":
            for block in family.blocks:
                restrict_block(combination, family, block, draft)
        case _:
            assert_never(combination.treatment)
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
    radial = tuple(radial_block_of(index, affine, region, draft.sampled) for index, affine, region in draft.radial)
    for radial_block in radial:
        initial[radial_block.index] = radial_block.centre
    at_start = _with_coefficients(family, draft.fixed, sampled, initial)
    sizes: tuple[UncertainSize, ...] = ()
    if combination.errors_on_errors:
        sizes = uncertain_sizes(combination, family, linear_model(combination).loading, at_start)
    kept = _kept_nuisances(family, sampled, sizes)
    curved: CurvedPlan | None = None
    if combination.quadratic:
        model = linear_model(combination)
        reduced = integrate_out(model, kept, draft.fixed)
    else:
        curved = curved_plan(combination, at_start, kept)
        model, reduced = curved.model, curved.reduced
    plan = SamplingPlan(
        combination=combination,
        family=family,
        model=model,
        curved=curved,
        theory=theory(combination),
        fixed_correlation=draft.fixed,
        sampled=sampled,
        low=low,
        high=high,
        initial=initial,
        radial=radial,
        kept=kept,
        reduced=reduced,
        base=np.zeros((0, 0)),
        patterns=np.zeros((0, 0, 0)),
        repairs=tuple(draft.repairs),
        statements=tuple(draft.statements) if correlations == "prior" else feasibility_statements(combination),
        sizes=sizes,
        size_of=_size_of(family, sampled, sizes),
    )
    loading = np.zeros((len(reduced.offset), len(family.nuisances)))
    loading[:, kept] = reduced.loading
    base, patterns = plan.projected(loading)
    return dataclasses.replace(plan, base=np.diag(reduced.signs) + base, patterns=patterns)


def _size_of(family: CorrelationFamily, sampled: IntArray, sizes: tuple[UncertainSize, ...]) -> IntArray:
    """Position of the size that multiplies each sampled coefficient, -1 for none: all its pairs have the same source."""
    found = np.full(len(sampled), -1, dtype=np.intp)
    for i, c in enumerate(sampled):
        first = family.pairs[c][0]
        found[i] = next((k for k, size in enumerate(sizes) if np.isin(first, size.nuisances).all()), -1)
    return found


def _with_coefficients(
    family: CorrelationFamily, fixed: FloatArray, sampled: IntArray, coefficients: FloatArray
) -> FloatArray:
    matrix = fixed.copy()
    for value, c in zip(coefficients, sampled, strict=True):
        first, second, sign = family.pairs[c]
        matrix[first, second] = matrix[second, first] = value * sign
    return matrix


def _kept_nuisances(family: CorrelationFamily, sampled: IntArray, sizes: tuple[UncertainSize, ...]) -> IntArray:
    return np.unique(np.concatenate([family.linked(sampled), *(size.nuisances for size in sizes)]))


@dataclass(frozen=True, kw_only=True)
class CurvedPlan:
    """The nonlinear part of chi2, and the variables in which it is sampled; P parameters, Z explicit directions.

    The sampler moves p (observables and free nuisances) and white variables xi, with zeta = z_0 + A (p - p_0) + B xi, so
    that near the minimum of chi2 the xi are independent of p and have unit variance.  The explicit directions are z = zeta,
    except for the last ones, whose prior covariance S(r) depends on the coefficients r: there z = S(r)^1/2 zeta with the
    Cholesky root, which removes the funnel towards a singular S(r) from the posterior.

    Attributes:
        map: (p, z) -> predictions.
        model: the full linear model in q.
        reduced: the linear model in q with all but the kept nuisances integrated out.
        centre: p_0, shape (P,).
        covariance: of p near the minimum, shape (P, P).
        offset: z_0, shape (Z,).
        slope: A, shape (Z, P).
        scale: B, shape (Z, Z).
        n_kept: number of the last z, whose prior the coefficients change; at the initial coefficients their S is 1.
        minima: theta and chi2 of the minima of chi2, the lowest first.
    """

    map: Curved
    model: LinearModel
    reduced: LinearModel
    centre: FloatArray
    covariance: FloatArray
    offset: FloatArray
    slope: FloatArray
    scale: FloatArray
    n_kept: int
    minima: tuple[tuple[FloatArray, float], ...]

    def white(self, theta: FloatArray) -> FloatArray:
        """Xi of a theta at the initial coefficients, where S(r) is 1, shape (Z,)."""
        n = len(self.centre)
        return np.linalg.solve(self.scale, theta[n:] - self.offset - self.slope @ (theta[:n] - self.centre))

    def theta(self, parameters: Any, white: Any, root: Any, *, xp: Any = np) -> Any:
        """Theta from p, shape (P,), xi, (Z,), and S(r)^1/2, (n_kept, n_kept); symbols with ``pytensor.tensor``."""
        away = parameters - self.centre
        zeta = self.offset + xp.sum(self.slope * away, axis=1) + xp.sum(self.scale * white, axis=1)
        cut = len(self.offset) - self.n_kept
        return xp.concatenate([parameters, zeta[:cut], xp.sum(root * zeta[cut:], axis=1)])

    def pseudo_parameters(self, parameters: FloatArray, white: FloatArray, roots: FloatArray) -> FloatArray:
        """Parameters q of the linear model for draws of p, shape (n, P), xi, (n, Z), and S(r)^1/2, (n, n_kept, n_kept)."""
        rows = []
        for p, xi, root in zip(parameters, white, roots, strict=True):
            theta = self.theta(p, xi, root)
            rows.append(self.map.pseudo_parameters(theta, self.map.prediction(theta)))
        return np.array(rows)


def curved_plan(combination: Combination, correlation: FloatArray, kept: IntArray) -> CurvedPlan:
    """The nonlinear part of a sampling plan.

    Args:
        combination: one whose chi2 is not quadratic.
        correlation: C of the nuisances at the initial coefficients, shape (N, N).
        kept: positions of the nuisances whose prior the coefficients change.
    """
    parts = nonlinear_parts(combination)
    others = np.setdiff1d(np.arange(len(parts.bound)), kept)
    model = nonlinear_model(parts, correlation=correlation, groups=[others, kept])
    chi2 = objective(model, correlation)
    start = starting_point(chi2)
    minimum = minimise(chi2, start)
    covariance = theta_covariance(chi2, minimum.theta)
    n = len(parts.observables) + len(parts.free)
    slope = np.linalg.solve(covariance[:n, :n], covariance[:n, n:]).T
    rest = covariance[n:, n:] - slope @ covariance[:n, n:]
    eigenvalues, vectors = np.linalg.eigh(rest)
    return CurvedPlan(
        map=model.curved,
        model=model.linear,
        reduced=_reduced(model, correlation, kept),
        centre=minimum.theta[:n],
        covariance=covariance[:n, :n],
        offset=minimum.theta[n:],
        slope=slope,
        scale=vectors * np.sqrt(np.maximum(eigenvalues, 1e-12)),
        n_kept=model.white_sizes[-1],
        minima=tuple((found.theta, found.chi2) for found in (minimum, *separate_minima(chi2, minimum, start))),
    )


def _reduced(model: NonlinearModel, correlation: FloatArray, kept: IntArray) -> LinearModel:
    """The linear model with all but the kept nuisances integrated out.

    The rows that tie z to kept nuisances have no noise and contain no integrated nuisance: they are added afterwards.
    """
    full, cut = model.linear, len(model.linear.offset) - model.white_sizes[-1]
    head = dataclasses.replace(
        full,
        design=full.design[:cut],
        loading=full.loading[:cut],
        estimate_loading=full.estimate_loading[:cut],
        offset=full.offset[:cut],
        signs=full.signs[:cut],
    )
    reduced = integrate_out(head, kept, correlation)
    return dataclasses.replace(
        reduced,
        design=np.vstack([reduced.design, full.design[cut:]]),
        loading=np.vstack([reduced.loading, full.loading[cut:][:, kept]]),
        estimate_loading=np.vstack([reduced.estimate_loading, full.estimate_loading[cut:]]),
        offset=np.concatenate([reduced.offset, full.offset[cut:]]),
        signs=np.concatenate([reduced.signs, full.signs[cut:]]),
    )

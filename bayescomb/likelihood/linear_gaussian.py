r"""The linear-Gaussian algebra; profile, impacts, scans, marginal sampling and recovery of nuisances all come here.

The data information of all inputs is kept as a factor: with p the parameters (observables and free nuisances) and lambda
the nuisances, the data say

.. math::  -2 \log L = w^T J w, \qquad w = K p + F \lambda - w_0,

with J a diagonal of signs.  An externalised input with statistical covariance S and shifts k of its published values has
:math:`w = S^{-1/2} (x - k \lambda - x_\mathrm{measured})`; a fitted input has its unit priors removed first
(:mod:`bayescomb.likelihood.data_information`), which is what the signs J are for.  Where S is singular, the directions
without variance are rows of sign 0.  The prior lambda ~ N(0, C) is added once, and integrating lambda out gives

.. math::  V = J + F C F^T, \qquad -2 \log L_\mathrm{marginal} = (K p - w_0)^T V^{-1} (K p - w_0) + \log |\det V|,

the determinant being that of 1 + J F C F^T, so C is never inverted and may be singular.  Everything is worked out in rows
whitened by a factor of V (:mod:`bayescomb.likelihood.least_squares`).  The total precision is positive definite exactly
when V has as many negative eigenvalues as J (Sylvester's law of inertia applied to the joint precision of w and lambda).
Under the covariance treatment C may even be indefinite as long as that holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.base.numerics import unit_diagonal
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.data_information import RANK_TOLERANCE, measurement_factor, signed_factor
from bayescomb.likelihood.least_squares import (
    Whitening,
    least_squares,
    near,
    semidefinite_root,
    triangular,
    unit_columns,
    whiten,
)

__all__ = [
    "LinearModel",
    "Solution",
    "conditional_errors",
    "integrate_out",
    "linear_model",
    "marginal_covariance",
    "solve",
    "whitening",
]

# Ratio of post-fit to prior variance of a nuisance below which the variance is not computed as a difference.
STRONG_CONSTRAINT = 1e-6
# A variance below this share of its parts, in a direction without statistical variance, is rounding.
VARIANCE_TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class LinearModel:
    """Factored data information; R rows, P parameters, N nuisances, E estimates.

    Attributes:
        parameters: P names, the observables first.
        nuisances: N names.
        design: K, shape (R, P).
        loading: F, shape (R, N).
        estimate_loading: dw_0/d(measured values), shape (R, E).
        offset: w_0, shape (R,).
        signs: diagonal of J, shape (R,).
        constant: part of chi2 that no parameter or nuisance can change.
        estimates: E names, for messages.
    """

    parameters: tuple[str, ...]
    nuisances: tuple[str, ...]
    design: FloatArray
    loading: FloatArray
    estimate_loading: FloatArray
    offset: FloatArray
    signs: FloatArray
    constant: float = 0.0
    estimates: tuple[str, ...] = ()

    def at(self, *, mean: FloatArray, held: Mapping[str, float]) -> LinearModel:
        """The model with the prior mean of its nuisances moved to 0, and with some parameters held.

        Args:
            mean: prior mean of the nuisances, which the offset takes in, shape (N,).
            held: parameter -> the value that it keeps.
        """
        fixed = np.array([p in held for p in self.parameters], dtype=bool)
        values = np.array([held.get(p, 0.0) for p in self.parameters])
        return dataclasses.replace(
            self,
            parameters=tuple(p for p in self.parameters if p not in held),
            design=self.design[:, ~fixed],
            offset=self.offset - self.design[:, fixed] @ values[fixed] - self.loading @ mean,
        )


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Maximum of the likelihood at fixed correlation, and everything linear that follows from it.

    What concerns the nuisances is worked out when it is asked for: a scan needs none of it.

    Attributes:
        model: the linear model.
        correlation: C, shape (N, N).
        whitening: factor of V.
        values: fitted parameters, shape (P,).
        root: B with B B^T the covariance of the parameters, shape (P, P).
        residual: w_0 - K p, shape (R,).
        influence: d(values)/d(w_0), shape (P, R).
        chi2: minimum of chi2, prior terms included.
    """

    model: LinearModel
    correlation: FloatArray
    whitening: Whitening
    values: FloatArray
    root: FloatArray
    residual: FloatArray
    influence: FloatArray
    chi2: float

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the P parameters."""
        return self.model.parameters

    @property
    def reach(self) -> FloatArray:
        """Change of (values - true parameters) per unit of each nuisance, shape (P, N)."""
        return self.influence @ self.model.loading

    @property
    def weights(self) -> FloatArray:
        """d(values)/d(measured values), shape (P, E): the weights of the best linear unbiased estimate."""
        return self.influence @ self.model.estimate_loading

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of the parameters, shape (P, P)."""
        return self.root @ self.root.T

    @cached_property
    def pulls(self) -> FloatArray:
        """Fitted nuisances in units of the prior width, C F^T V^-1 (w_0 - K p), shape (N,)."""
        return self.correlation @ (self.model.loading.T @ self.whitening.solve(self.residual))

    @cached_property
    def cross_covariance(self) -> FloatArray:
        """Covariance between parameters and nuisances, shape (P, N)."""
        return -self.reach @ self.correlation

    @cached_property
    def nuisance_variance(self) -> FloatArray:
        """Post-fit variance of each nuisance, shape (N,).

        It is negative where C is indefinite and the covariance treatment therefore has no posterior for that nuisance.
        """
        reduction, spread = self._learned
        signs = self.whitening.signs
        variance = np.diag(self.correlation) - np.einsum("r,rn,rn->n", signs, reduction, reduction)
        variance = variance + np.einsum("pn,pn->n", spread, spread)
        if (variance < STRONG_CONSTRAINT * np.diag(self.correlation)).any() and self._conditional_root is not None:
            return np.einsum("nz,nz->n", self._conditional_root, self._conditional_root)
        return variance

    @cached_property
    def nuisance_covariance(self) -> FloatArray:
        """Post-fit covariance of the nuisances, shape (N, N)."""
        reduction, spread = self._learned
        signs = self.whitening.signs
        covariance = self.correlation - (signs[:, None] * reduction).T @ reduction + spread.T @ spread
        diagonal = np.diag(covariance)
        if (diagonal < STRONG_CONSTRAINT * np.diag(self.correlation)).any() and self._conditional_root is not None:
            return self._conditional_root @ self._conditional_root.T
        return covariance

    @cached_property
    def _learned(self) -> tuple[FloatArray, FloatArray]:
        """The a = L^-1 F C and b = B^-1 cov(parameters, nuisances) of the post-fit covariance C - a^T s a + b^T b."""
        reach = self.whitening.white(self.model.loading @ self.correlation)
        design = self.whitening.white(self.model.design) @ self.root
        return reach, design.T @ (self.whitening.signs[:, None] * reach)

    @cached_property
    def _conditional_root(self) -> FloatArray | None:
        """Root of the post-fit covariance G (1 + M^T M)^-1 G^T of the nuisances, in which nothing is subtracted.

        C is G G^T, and M is F G less its projection on the design.  ``None`` where C is indefinite or a sign is not 1.
        """
        root = semidefinite_root(self.correlation) if (self.model.signs > 0).all() else None
        if root is None:
            return None
        loading = self.model.loading @ root
        free = self.root.any(axis=1)  # a parameter at its bound has no variance
        if free.any():
            orthogonal, _ = triangular(self.model.design[:, free])
            loading = loading - orthogonal @ (orthogonal.T @ loading)
        _, singular, right = np.linalg.svd(loading, full_matrices=True)
        width = np.ones(len(right))
        width[: len(singular)] = 1 / np.hypot(1.0, singular)
        return root @ (right.T * width)

    def errors_given(self, held: Sequence[bool]) -> FloatArray:
        """Errors of the parameters with some nuisances held at their fitted values, shape (P,)."""
        return conditional_errors(self.covariance, self.cross_covariance, self.nuisance_covariance, held)


def conditional_errors(
    covariance: FloatArray, cross_covariance: FloatArray, nuisance_covariance: FloatArray, held: Sequence[bool]
) -> FloatArray:
    """Roots of the diagonal of the conditional covariance V_pp - V_pg V_gg^+ V_gp given nuisances g, shape (P,).

    Args:
        covariance: V_pp, shape (P, P).
        cross_covariance: of parameters and nuisances, shape (P, N).
        nuisance_covariance: shape (N, N).
        held: which of the N are given.
    """
    index = np.flatnonzero(held)
    inner, scale = unit_diagonal(nuisance_covariance[np.ix_(index, index)])
    white = cross_covariance[:, index] / scale
    gain = white @ np.linalg.pinv(inner, rcond=RANK_TOLERANCE, hermitian=True)
    return np.sqrt(np.maximum(np.diag(covariance) - np.einsum("pg,pg->p", gain, white), 0.0))


def linear_model(combination: Combination) -> LinearModel:
    """Factored data information of all measurements of a combination.

    Responses that are not linear enter with their tangent at the measured values; formulas that are not linear are left out.
    """
    nuisances = combination.nuisances
    bound = [n.name for n in nuisances if not n.free]
    free = [n.name for n in nuisances if n.free]
    column = {name: i for i, name in enumerate(bound)}
    observables = [o.name for o in combination.variables]
    parameters = observables + free
    design_rows, loading_rows, offsets, signs, estimate_rows = [], [], [], [], []
    n_estimates, map_of_all, constant = len(combination.estimates), combination.design, combination.constant
    for measurement, own in zip(combination.measurements, combination.estimate_slices, strict=True):
        factor = measurement_factor(measurement, nuisance_values=combination.nuisance_values)
        rows, n = factor.rows, len(measurement.estimates)
        design = np.zeros((len(rows), len(parameters)))
        design[:, : len(observables)] = rows[:, :n] @ map_of_all[own]
        loading = np.zeros((len(rows), len(bound)))
        for nuisance, values in zip(measurement.all_nuisances, rows[:, n:].T, strict=True):
            if nuisance.free:
                design[:, parameters.index(nuisance.name)] = values
            else:
                loading[:, column[nuisance.name]] = values
        estimates = np.zeros((len(rows), n_estimates))
        estimates[:, own] = factor.derivative
        design_rows.append(design)
        loading_rows.append(loading)
        estimate_rows.append(estimates)
        offsets.append(factor.offset - rows[:, :n] @ constant[own] if constant[own].any() else factor.offset)
        signs.append(factor.signs)
    return LinearModel(
        parameters=tuple(parameters),
        nuisances=tuple(bound),
        design=np.concatenate(design_rows),
        loading=np.concatenate(loading_rows),
        estimate_loading=np.concatenate(estimate_rows),
        offset=np.concatenate(offsets),
        signs=np.concatenate(signs),
        estimates=tuple(e.name for e in combination.estimates),
    )


def marginal_covariance(model: LinearModel, correlation: FloatArray) -> FloatArray:
    """V = J + F C F^T, shape (R, R), for C of shape (N, N)."""
    return np.diag(model.signs) + model.loading @ correlation @ model.loading.T


def solve(model: LinearModel, correlation: FloatArray) -> Solution:
    """Maximise the likelihood over parameters and nuisances at a fixed correlation of the nuisances.

    Args:
        model: R rows, P parameters, N nuisances.
        correlation: C, shape (N, N); singular is fine.

    Raises:
        InfeasibleCorrelationError: the total precision is not positive definite.
        UnderdeterminedError: a parameter is not determined.

    Examples:
        >>> import numpy as np
        >>> from bayescomb.likelihood.linear_gaussian import LinearModel, solve
        >>> model = LinearModel(parameters=("x",), nuisances=(), design=np.ones((2, 1)), loading=np.zeros((2, 0)),
        ...     estimate_loading=np.eye(2), offset=np.array([1.0, 3.0]), signs=np.ones(2))
        >>> solution = solve(model, np.zeros((0, 0)))
        >>> [round(float(x), 12) for x in (solution.values.item(), solution.covariance.item(), solution.chi2)]
        [2.0, 0.5, 2.0]
    """
    white = whitening(model, correlation)
    gain, root = least_squares(white.white(model.design), white.signs, model.parameters)
    values = gain @ white.white(model.offset)
    # The residual is small, and so is its rounding: a second step takes out that of the first.
    values = values + gain @ white.white(model.offset - model.design @ values)
    residual = model.offset - model.design @ values
    return Solution(
        model=model,
        correlation=correlation,
        whitening=white,
        values=values,
        root=root,
        residual=residual,
        influence=white.white_transposed(gain.T).T,
        chi2=white.square(residual) + model.constant,
    )


def whitening(model: LinearModel, correlation: FloatArray) -> Whitening:
    """Factor of V = J + F C F^T.

    Raises:
        InfeasibleCorrelationError: the total precision is not positive definite, or a combination of the estimates has no
            variance at all.
    """
    bare = model.signs == 0
    if bare.any():
        variances, vectors, scale = _spectrum(model.loading[bare], correlation)
        if variances[0] < VARIANCE_TOLERANCE:
            direction = np.abs((vectors[:, 0] / scale) @ model.estimate_loading[bare])
            weights = zip(model.estimates, direction, strict=False)
            names = ", ".join(repr(name) for name, size in weights if size > 1e-6 * direction.max())
            msg = (
                f"total covariance: singular (smallest eigenvalue {variances[0]:.3g} in units of its diagonal); a "
                f"combination of the estimates {names or 'in it'} has neither statistical nor systematic variance: give it "
                "an uncertainty of its own, move fully correlated coefficients away from -1 and 1, or leave out an estimate "
                "that follows from the others"
            )
            raise InfeasibleCorrelationError(msg)
    return whiten(model.signs, model.loading, correlation)


def _spectrum(loading: FloatArray, correlation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Eigenvalues and eigenvectors of F C F^T, the rows of F scaled to unit length; and these lengths."""
    scale = np.sqrt((loading**2).sum(axis=1))
    scale[scale == 0] = 1.0
    scaled = loading / scale[:, None]
    eigenvalues, vectors = np.linalg.eigh(scaled @ correlation @ scaled.T)
    return eigenvalues, vectors, scale


def integrate_out(model: LinearModel, kept: IntArray, correlation: FloatArray) -> LinearModel:
    """Integrate over all nuisances but ``kept``, whose prior is uncorrelated with the rest.

    Args:
        model: R rows.
        kept: positions of the nuisances that stay.
        correlation: C of all nuisances, shape (N, N); only the part of the others is used.

    Returns:
        A model with the kept nuisances and at most min(R, P + len(kept)) rows.

    Raises:
        InfeasibleCorrelationError: the precision of the integrated nuisances is not positive definite.
    """
    others = np.setdiff1d(np.arange(len(model.nuisances)), kept)
    prior = correlation[np.ix_(others, others)]
    moved, still = _without_variance(model, others, prior)
    white = whitening(dataclasses.replace(moved, loading=moved.loading[:, others]), prior)
    stacked = np.column_stack([moved.design, moved.loading[:, kept]])
    # Near the data the residual is small, so the constant part of chi2 is not a difference of large numbers.
    centre = near(white.white(stacked), white.white(moved.offset))
    right = np.column_stack([moved.estimate_loading, moved.offset - stacked @ centre])
    rows, signs, projected, constant = _compressed(white.white(stacked), white.white(right), white.signs)
    n_parameters = model.design.shape[1]
    return LinearModel(
        parameters=model.parameters,
        nuisances=tuple(model.nuisances[i] for i in kept),
        design=np.vstack([rows[:, :n_parameters], still.design]),
        loading=np.vstack([rows[:, n_parameters:], still.loading[:, kept]]),
        estimate_loading=np.vstack([projected[:, :-1], still.estimate_loading]),
        offset=np.concatenate([projected[:, -1] + rows @ centre, still.offset]),
        signs=np.concatenate([signs, still.signs]),
        constant=model.constant + constant,
        estimates=model.estimates,
    )


def _without_variance(model: LinearModel, others: IntArray, prior: FloatArray) -> tuple[LinearModel, LinearModel]:
    """The rows that have a variance once ``others`` are integrated, and those that have none, both after a rotation."""
    bare = np.flatnonzero(model.signs == 0)
    variances, vectors, scale = _spectrum(model.loading[np.ix_(bare, others)], prior)
    turned = np.eye(len(model.signs))
    turned[np.ix_(bare, bare)] = vectors.T / scale
    none = np.zeros(len(model.signs), dtype=bool)
    none[bare] = np.abs(variances) < VARIANCE_TOLERANCE

    def part(rows: FloatArray, signs: FloatArray) -> LinearModel:
        return dataclasses.replace(
            model,
            design=rows @ model.design,
            loading=rows @ model.loading,
            estimate_loading=rows @ model.estimate_loading,
            offset=rows @ model.offset,
            signs=signs,
        )

    if not bare.size:
        return model, part(turned[:0], model.signs[:0])
    return part(turned[~none], model.signs[~none]), part(turned[none], model.signs[none])


def _compressed(rows: FloatArray, right: FloatArray, signs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """As few rows as there are columns, with the same chi2 up to a constant.

    Args:
        rows: whitened, shape (R, c).
        right: their right-hand sides, shape (R, k), the last one that of the data.
        signs: shape (R,).

    Returns:
        Rows, signs, right-hand sides, and the constant.
    """
    if len(rows) <= rows.shape[1]:
        return rows, signs, right, 0.0
    plus, minus = signs > 0, signs < 0
    orthogonal, upper = triangular(rows[plus])
    scale = unit_columns(rows)
    felt = np.abs(upper / scale).max(axis=1, initial=0.0) > RANK_TOLERANCE
    orthogonal, upper = orthogonal[:, felt], upper[felt]
    along = orthogonal.T @ right[plus]
    constant = float(((right[plus, -1] - orthogonal @ along[:, -1]) ** 2).sum())
    if not minus.any():
        return upper, np.ones(len(upper)), along, constant
    if len(upper) < len(scale):
        signs = np.concatenate([np.ones(len(upper)), signs[minus]])
        return np.vstack([upper, rows[minus]]), signs, np.vstack([along, right[minus]]), constant
    # In d = R z - a the sum is |d|^2 - |M d - b|^2, which is written as one square and a constant.
    reach = np.linalg.solve((upper / scale).T, (rows[minus] / scale).T).T
    missing = right[minus] - reach @ along
    inner, signs, shift = signed_factor(np.eye(len(scale)) - reach.T @ reach, -reach.T @ missing, scale=np.ones(len(scale)))
    constant -= float((missing[:, -1] ** 2).sum() + shift[:, -1] @ (signs * shift[:, -1]))
    return inner @ upper, signs, inner @ along + shift, constant

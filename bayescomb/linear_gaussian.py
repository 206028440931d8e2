r"""The linear-Gaussian algebra; profile, impacts, scans, marginal sampling and recovery of nuisances all come here.

The data information of all inputs is kept as a factor: with p the parameters (observables and free nuisances) and lambda
the nuisances, the data say

.. math::  -2 \log L = w^T J w, \qquad w = K p + F \lambda - w_0,

with J a diagonal of signs.  An externalised input with statistical covariance S and responses G has
:math:`w = S^{-1/2} (x + G \lambda - x_\mathrm{measured})`; a fitted input has its unit priors removed first
(:mod:`bayescomb.data_information`), which is what the signs J are for.  The prior
lambda ~ N(0, C) is added once, and integrating lambda out gives

.. math::  V = J + F C F^T, \qquad -2 \log L_\mathrm{marginal} = (K p - w_0)^T V^{-1} (K p - w_0) + \log |\det V|,

the determinant being that of 1 + J F C F^T, so C is never inverted and may be singular.  The total precision is positive
definite exactly when V has as many negative eigenvalues as J (Sylvester's law of inertia applied to the joint precision
of w and lambda).  Under the covariance treatment C may even be indefinite as long as that holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayescomb.data_information import RANK_TOLERANCE, measurement_factor, signed_factor
from bayescomb.errors import InfeasibleCorrelationError, UnderdeterminedError
from bayescomb.inputs import Combination

__all__ = [
    "LinearModel",
    "Solution",
    "check_definite",
    "conditional_errors",
    "integrate_out",
    "linear_model",
    "marginal_covariance",
    "solve",
]

FloatArray = NDArray[np.float64]


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
    """

    parameters: tuple[str, ...]
    nuisances: tuple[str, ...]
    design: FloatArray
    loading: FloatArray
    estimate_loading: FloatArray
    offset: FloatArray
    signs: FloatArray
    constant: float = 0.0

    def at(self, *, mean: FloatArray, held: Mapping[str, float]) -> LinearModel:
        """The model over nuisances of prior mean 0 and without some parameters.

        Args:
            mean: prior mean of the nuisances, which the offset takes in, shape (N,).
            held: parameters -> the values at which they stay.
        """
        fixed = np.array([p in held for p in self.parameters], dtype=bool)
        values = np.array([held.get(p, 0.0) for p in self.parameters])
        return replace(
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
        marginal_covariance: V, shape (R, R).
        values: fitted parameters, shape (P,).
        covariance: of the parameters, shape (P, P).
        influence: d(values)/d(w_0), shape (P, R).
        chi2: minimum of chi2, prior terms included.
    """

    model: LinearModel
    correlation: FloatArray
    marginal_covariance: FloatArray
    values: FloatArray
    covariance: FloatArray
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
    def pulls(self) -> FloatArray:
        """Fitted nuisances in units of the prior width, C F^T V^-1 (w_0 - K p), shape (N,)."""
        residual = self.model.offset - self.model.design @ self.values
        return self.correlation @ (self.model.loading.T @ np.linalg.solve(self.marginal_covariance, residual))

    @cached_property
    def cross_covariance(self) -> FloatArray:
        """Covariance between parameters and nuisances, shape (P, N)."""
        return -self.reach @ self.correlation

    @cached_property
    def nuisance_variance(self) -> FloatArray:
        """Post-fit variance of each nuisance, shape (N,).

        It is negative where C is indefinite and the covariance treatment therefore has no posterior for that nuisance.
        """
        # diag of C - C F^T V^-1 F C + C F^T V^-1 K cov K^T V^-1 F C
        reach = self.model.loading @ self.correlation
        reduction = np.einsum("rn,rn->n", reach, np.linalg.solve(self.marginal_covariance, reach))
        cross = self.cross_covariance
        spread = np.einsum("pn,pn->n", cross, np.linalg.solve(self.covariance, cross))
        return np.diag(self.correlation) - reduction + spread

    @cached_property
    def nuisance_covariance(self) -> FloatArray:
        """Post-fit covariance of the nuisances, shape (N, N)."""
        reach = self.model.loading @ self.correlation
        cross = self.cross_covariance
        spread = cross.T @ np.linalg.solve(self.covariance, cross)
        return self.correlation - reach.T @ np.linalg.solve(self.marginal_covariance, reach) + spread

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
    inner = nuisance_covariance[np.ix_(index, index)]
    scale = np.sqrt(np.maximum(np.diag(inner), 0.0))
    scale[scale == 0] = 1.0
    white = cross_covariance[:, index] / scale
    gain = white @ np.linalg.pinv(inner / np.outer(scale, scale), rcond=RANK_TOLERANCE, hermitian=True)
    return np.sqrt(np.maximum(np.diag(covariance) - np.einsum("pg,pg->p", gain, white), 0.0))


def linear_model(combination: Combination) -> LinearModel:
    """Factored data information of all measurements of a combination.

    Responses that are not linear enter with their tangent at the measured values.
    """
    nuisances = combination.nuisances
    bound = [n.name for n in nuisances if not n.free]
    free = [n.name for n in nuisances if n.free]
    column = {name: i for i, name in enumerate(bound)}
    observables = [o.name for o in combination.observables]
    parameters = observables + free
    design_rows, loading_rows, offsets, signs, estimate_rows = [], [], [], [], []
    start = 0
    n_estimates = len(combination.estimates)
    for measurement in combination.measurements:
        factor = measurement_factor(measurement, nuisance_values=combination.nuisance_values)
        rows, n = factor.rows, len(measurement.estimates)
        own = slice(start, start + n)
        design = np.zeros((len(rows), len(parameters)))
        design[:, : len(observables)] = rows[:, :n] @ combination.design[own]
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
        offsets.append(factor.offset)
        signs.append(factor.signs)
        start += n
    return LinearModel(
        parameters=tuple(parameters),
        nuisances=tuple(bound),
        design=np.concatenate(design_rows),
        loading=np.concatenate(loading_rows),
        estimate_loading=np.concatenate(estimate_rows),
        offset=np.concatenate(offsets),
        signs=np.concatenate(signs),
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
        >>> from bayescomb.linear_gaussian import LinearModel, solve
        >>> model = LinearModel(parameters=("x",), nuisances=(), design=np.ones((2, 1)), loading=np.zeros((2, 0)),
        ...     estimate_loading=np.eye(2), offset=np.array([1.0, 3.0]), signs=np.ones(2))
        >>> solution = solve(model, np.zeros((0, 0)))
        >>> solution.values.item(), solution.covariance.item(), solution.chi2
        (2.0, 0.5, 2.0)
    """
    covariance = marginal_covariance(model, correlation)
    check_definite(covariance, model.signs)
    inverse_design = np.linalg.solve(covariance, model.design)
    information = model.design.T @ inverse_design
    _check_determined(information, model.parameters)
    parameter_covariance = np.linalg.inv(information)
    parameter_covariance = (parameter_covariance + parameter_covariance.T) / 2
    influence = parameter_covariance @ inverse_design.T
    values = influence @ model.offset
    residual = model.offset - model.design @ values
    return Solution(
        model=model,
        correlation=correlation,
        marginal_covariance=covariance,
        values=values,
        covariance=parameter_covariance,
        influence=influence,
        chi2=float(residual @ np.linalg.solve(covariance, residual)) + model.constant,
    )


def _check_determined(information: FloatArray, parameters: tuple[str, ...]) -> None:
    """Raise if the data leave a direction of the parameters open, which free nuisances can."""
    if not parameters:  # all of them are held
        return
    scale = np.sqrt(np.maximum(np.diag(information), 0.0))
    scale[scale == 0] = 1.0
    eigenvalues, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if eigenvalues[0] < RANK_TOLERANCE:
        name = parameters[int(np.abs(vectors[:, 0]).argmax())]
        msg = (
            f"parameter {name!r} is not determined by the data (smallest eigenvalue of the scaled information "
            f"{eigenvalues[0]:.3g}); give a free nuisance a prior, or add an estimate"
        )
        raise UnderdeterminedError(msg)


def check_definite(covariance: FloatArray, signs: FloatArray) -> None:
    """Raise unless V belongs to a positive definite total precision.

    Raises:
        InfeasibleCorrelationError: V has more negative eigenvalues than J.
    """
    # Scaled to unit diagonal, which leaves the signs of the eigenvalues and takes out the size of the uncertainties.
    scale = np.sqrt(np.abs(np.diag(covariance)))
    scale[scale == 0] = 1.0
    eigenvalues = np.linalg.eigvalsh(covariance / np.outer(scale, scale))
    negative, expected = int((eigenvalues <= 0).sum()), int((signs < 0).sum())
    if negative != expected:
        msg = (
            f"total covariance: {negative} eigenvalue(s) are not positive where the inputs have {expected} (smallest "
            f"{eigenvalues.min():.3g} after scaling to unit diagonal); the coefficients leave the feasible set, move them "
            "towards their nominal values"
        )
        raise InfeasibleCorrelationError(msg)


def integrate_out(model: LinearModel, kept: NDArray[np.intp], correlation: FloatArray) -> LinearModel:
    """Integrate over all nuisances but ``kept``, whose prior is uncorrelated with the rest.

    Args:
        model: R rows.
        kept: positions of the nuisances that stay.
        correlation: C of all nuisances, shape (N, N); only the part of the others is used.

    Returns:
        A model with the kept nuisances and at most min(R, P + len(kept)) rows.

    Raises:
        InfeasibleCorrelationError: the precision of what is integrated is not positive definite.
    """
    others = np.setdiff1d(np.arange(len(model.nuisances)), kept)
    loading = model.loading[:, others]
    covariance = np.diag(model.signs) + loading @ correlation[np.ix_(others, others)] @ loading.T
    check_definite(covariance, model.signs)
    names = tuple(model.nuisances[i] for i in kept)
    stacked = np.column_stack([model.design, model.loading[:, kept]])
    n_parameters = model.design.shape[1]
    if (model.signs > 0).all() and len(covariance) <= stacked.shape[1]:
        right = np.column_stack([stacked, model.estimate_loading, model.offset])
        white = np.linalg.solve(np.linalg.cholesky(covariance), right)
        rows, derivative, offset = white[:, : stacked.shape[1]], white[:, stacked.shape[1] : -1], white[:, -1]
        signs, constant = np.ones(len(white)), model.constant
    else:
        solved = np.linalg.solve(covariance, np.column_stack([stacked, model.estimate_loading, model.offset]))
        information = stacked.T @ solved[:, : stacked.shape[1]]
        scale = np.sqrt(np.abs(np.diag(information)))
        scale[scale == 0] = 1.0
        rows, signs, projected = signed_factor(information, stacked.T @ solved[:, stacked.shape[1] :], scale=scale)
        derivative, offset = projected[:, :-1], projected[:, -1]
        constant = model.constant + float(model.offset @ solved[:, -1] - offset @ (signs * offset))
    return LinearModel(
        parameters=model.parameters,
        nuisances=names,
        design=rows[:, :n_parameters],
        loading=rows[:, n_parameters:],
        estimate_loading=derivative,
        offset=offset,
        signs=signs,
        constant=constant,
    )

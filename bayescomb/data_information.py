r"""What the data of an input say, as signed squares w^T J w of rows w = R z - w_0.

A fitted input publishes the inverse H of its post-fit covariance and its best fit z_hat, both with the unit priors of its
nuisances inside.  Its data alone say A = H - diag(0, P), P = 1 for a nuisance with a prior, with

.. math:: (z - \hat z)^T H (z - \hat z) - \lambda^T P \lambda = z^T A z - 2 z^T H \hat z + \mathrm{const}.

A is factored by its eigenvectors; constraints above 1 give it negative eigenvalues, which the signs J keep.  Where an
eigenvalue vanishes (a nuisance that the data do not constrain) and the pull does not, what remains is a linear tilt, written
without division by the eigenvalue as a pair of rows of opposite sign: (s - b/2)^2 - (s + b/2)^2 = -2 b s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescomb.measurements import FittedInput, Measurement
from bayescomb.responses import on_prediction

__all__ = ["Factor", "estimate_factor", "fit_factor", "measurement_factor", "nuisance_factor", "signed_factor"]

FloatArray = NDArray[np.float64]

# Eigenvalues of a matrix scaled to unit diagonal below this are rounding.
RANK_TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Factor:
    """R rows over n variables: w = rows @ z - offset, -2 log L = w^T J w.

    Attributes:
        rows: shape (R, n).
        offset: shape (R,).
        signs: diagonal of J, shape (R,).
        derivative: d(offset)/d(measured values), shape (R, E).
    """

    rows: FloatArray
    offset: FloatArray
    signs: FloatArray
    derivative: FloatArray


def measurement_factor(measurement: Measurement, *, nuisance_values: str) -> Factor:
    """Factor over (estimates, fit nuisances, externalised nuisances), the responses linear with their slope at +1 sigma."""
    measured = np.array([e.value for e in measurement.estimates], dtype=float)
    if measurement.fit is None:
        rows = estimate_factor(measurement)
        factor = Factor(rows=rows, offset=rows @ measured, signs=np.ones(len(rows)), derivative=rows)
    else:
        factor = fit_factor(measurement.fit, measured, nuisance_values=nuisance_values)
    # The fit was made at externalised nuisances zero: they shift what it measures.
    externalised = factor.rows[:, : len(measured)] @ on_prediction(measurement.responses)
    rows = np.hstack([factor.rows, externalised])
    return Factor(rows=rows, offset=factor.offset, signs=factor.signs, derivative=factor.derivative)


def estimate_factor(measurement: Measurement) -> FloatArray:
    """L of shape (n, n) with L^T L the inverse covariance of the estimates at fixed nuisances."""
    n = len(measurement.estimates)
    if measurement.fit is not None:
        return np.linalg.cholesky(measurement.fit.information[:n, :n]).T
    assert measurement.statistical_covariance is not None  # guaranteed by Measurement
    return np.linalg.solve(np.linalg.cholesky(measurement.statistical_covariance), np.eye(n))


def fit_factor(fit: FittedInput, measured: FloatArray, *, nuisance_values: str) -> Factor:
    """Factor over (estimates, nuisances) of a fitted input."""
    prior = np.array([0.0] * len(measured) + [0.0 if nuisance.free else 1.0 for nuisance in fit.nuisances])
    pulls = fit.pulls if nuisance_values == "used" else np.zeros(len(fit.pulls))
    return _without_prior(fit.information, prior, np.concatenate([measured, pulls]), n_estimates=len(measured))


def nuisance_factor(measurement: Measurement, *, nuisance_values: str) -> Factor:
    """What the data of a fitted input say of its nuisances beyond the shifts of the estimates, factor over the nuisances.

    It is the Schur complement D - kappa^T M^-1 kappa of H = [[M, kappa], [kappa^T, D]], the inverse of the nuisances' block
    of the post-fit covariance, with the priors removed.
    """
    assert measurement.fit is not None  # asked for fitted inputs only
    n = len(measurement.estimates)
    information = measurement.fit.information
    schur = information[n:, n:] + information[n:, :n] @ measurement.fit_responses
    prior = np.array([0.0 if nuisance.free else 1.0 for nuisance in measurement.fit.nuisances])
    pulls = measurement.fit.pulls if nuisance_values == "used" else np.zeros(len(prior))
    return _without_prior((schur + schur.T) / 2, prior, pulls, n_estimates=0)


def _without_prior(information: FloatArray, prior: FloatArray, values: FloatArray, *, n_estimates: int) -> Factor:
    """Factor of A = H - diag(prior) around the centre that solves A z_d = H z_hat."""
    right = np.column_stack([information[:, :n_estimates], information @ values])
    scale = np.sqrt(np.diag(information))
    rows, signs, projected = signed_factor(information - np.diag(prior), right, scale=scale)
    return Factor(rows=rows, offset=projected[:, -1], signs=signs, derivative=projected[:, :-1])


def signed_factor(matrix: FloatArray, linear: FloatArray, *, scale: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows R, signs J and right-hand sides W with z^T A z - 2 z^T b = (R z - w)^T J (R z - w) + const.

    Args:
        matrix: A, symmetric, shape (n, n); it may be indefinite or singular.
        linear: shape (n, k); its last column is b, the others are derivatives of b.
        scale: size of A along each variable, shape (n,), which judges what is rounding.

    Returns:
        R of shape (R, n), J's diagonal, and W of shape (R, k), whose last column is w.
    """
    if not len(matrix):
        return np.zeros((0, 0)), np.zeros(0), np.zeros((0, linear.shape[1]))
    eigenvalues, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    keep = np.abs(eigenvalues) > RANK_TOLERANCE * np.abs(eigenvalues).max()
    along = vectors.T / scale @ linear  # b in the scaled eigenvectors
    tilted = ~keep & (np.abs(along[:, -1]) > RANK_TOLERANCE * (1 + np.abs(along[:, -1]).max()))
    root, signs = np.sqrt(np.abs(eigenvalues[keep])), np.sign(eigenvalues[keep])
    tilt = vectors[:, tilted].T * scale
    return (
        np.vstack([(vectors[:, keep] * root).T * scale, tilt, tilt]),
        np.concatenate([signs, np.ones(len(tilt)), -np.ones(len(tilt))]),
        np.vstack([along[keep] * (signs / root)[:, None], along[tilted] / 2, -along[tilted] / 2]),
    )

r"""Information in the data of an input, as signed squares w^T J w of rows w = R z - w_0.

A fitted input publishes the inverse H of its post-fit covariance and its best fit z_hat, both with the unit priors of its
nuisances inside.  Its data alone say A = H - diag(0, P), P = 1 for a nuisance with a prior, with

.. math:: (z - \hat z)^T H (z - \hat z) - \lambda^T P \lambda = z^T A z - 2 z^T H \hat z + \mathrm{const}.

The estimates at given nuisances carry no prior and are factored by the Cholesky factor of their block of H, whatever their
units.  What is left is the information on the nuisances alone, the Schur complement of that block.  It is factored by its
eigenvectors; constraints above 1 give it negative eigenvalues, which the signs J keep.  Where an eigenvalue vanishes (a
nuisance that the data do not constrain) and the pull does not, what remains is a linear tilt, written without division by
the eigenvalue as a pair of rows of opposite sign: (s - b/2)^2 - (s + b/2)^2 = -2 b s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.choices import NuisanceValues
from bayescomb.inputs.measurements import Measurement
from bayescomb.likelihood.responses import on_prediction

__all__ = ["Factor", "estimate_factor", "measurement_factor", "nuisance_factor", "signed_factor"]

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


def measurement_factor(measurement: Measurement, *, nuisance_values: NuisanceValues) -> Factor:
    """Factor over (estimates, fit nuisances, externalised nuisances), the responses linear with their slope at +1 sigma."""
    measured = np.array([e.value for e in measurement.estimates], dtype=float)
    own, own_signs = estimate_factor(measurement)
    factor = Factor(rows=own, offset=own @ measured, signs=own_signs, derivative=own)
    if measurement.fit is not None:
        factor = _with_fit(factor, measurement, nuisance_values=nuisance_values)
    # The fit was made with externalised nuisances at 0: they shift the values that it measures.
    externalised = factor.rows[:, : len(measured)] @ on_prediction(measurement.responses)
    rows = np.hstack([factor.rows, externalised])
    return Factor(rows=rows, offset=factor.offset, signs=factor.signs, derivative=factor.derivative)


def estimate_factor(measurement: Measurement) -> tuple[FloatArray, FloatArray]:
    """L of shape (n, n) and signs J with L S L^T = J, S the covariance of the estimates at fixed nuisances.

    J is 1, and 0 in the directions without statistical variance, where S is singular.
    """
    n = len(measurement.estimates)
    if measurement.fit is not None:
        return np.linalg.cholesky(measurement.fit.information[:n, :n]).T, np.ones(n)
    assert measurement.statistical_covariance is not None  # guaranteed by Measurement
    variances, vectors, bare = measurement.statistical_spectrum
    if not bare.any():
        return np.linalg.solve(np.linalg.cholesky(measurement.statistical_covariance), np.eye(n)), np.ones(n)
    root = np.sqrt(np.where(bare, 1.0, variances))
    return (vectors / root).T / np.sqrt(np.diag(measurement.statistical_covariance)), np.where(bare, 0.0, 1.0)


def _with_fit(estimates: Factor, measurement: Measurement, *, nuisance_values: NuisanceValues) -> Factor:
    """Factor over (estimates, nuisances) of a fitted input: rows of estimates at given nuisances, rows of nuisances."""
    assert measurement.fit is not None  # called for fitted inputs only
    pulls = measurement.fit.centre(nuisance_values)
    shifts = estimates.rows @ on_prediction(measurement.fit_responses)
    nuisances = nuisance_factor(measurement, nuisance_values=nuisance_values)
    n, rest = len(measurement.estimates), len(nuisances.rows)
    return Factor(
        rows=np.block([[estimates.rows, shifts], [np.zeros((rest, n)), nuisances.rows]]),
        offset=np.concatenate([estimates.offset + shifts @ pulls, nuisances.offset]),
        signs=np.concatenate([estimates.signs, nuisances.signs]),
        derivative=np.vstack([estimates.derivative, np.zeros((rest, n))]),
    )


def nuisance_factor(measurement: Measurement, *, nuisance_values: NuisanceValues) -> Factor:
    """Factor over the nuisances of a fitted input: its information on them beyond the shifts of the estimates.

    This is the Schur complement D - kappa^T M^-1 kappa of H = [[M, kappa], [kappa^T, D]] without the priors; with them it is
    the inverse of the post-fit covariance of the nuisances.
    """
    assert measurement.fit is not None  # called for fitted inputs only
    n = len(measurement.estimates)
    information = measurement.fit.information
    schur = information[n:, n:] + information[n:, :n] @ measurement.fit_responses
    schur = (schur + schur.T) / 2
    prior = np.array([0.0 if nuisance.free else 1.0 for nuisance in measurement.fit.nuisances])
    pulls = measurement.fit.centre(nuisance_values)
    # Around the centre that solves A z_d = H z_hat.
    right = (schur @ pulls)[:, None]
    rows, signs, projected = signed_factor(schur - np.diag(prior), right, scale=np.sqrt(np.diag(schur)))
    return Factor(rows=rows, offset=projected[:, 0], signs=signs, derivative=np.zeros((len(rows), 0)))


def signed_factor(matrix: FloatArray, linear: FloatArray, *, scale: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows R, signs J and right-hand sides W with z^T A z - 2 z^T b = (R z - w)^T J (R z - w) + const.

    Args:
        matrix: A, symmetric, shape (n, n); it may be indefinite or singular.
        linear: shape (n, k); its last column is b, the others are derivatives of b.
        scale: size of A along each variable, shape (n,), in units of which rounding is judged.

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

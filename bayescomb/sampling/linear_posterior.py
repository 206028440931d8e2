"""Posterior of the parameters of a linear model given the covariance of its rows: a Gaussian for each covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.likelihood.least_squares import unit_columns

__all__ = ["CHUNK", "LinearPosterior", "linear_posterior"]

CHUNK = 500  # draws that are worked on at a time, which limits the memory


@dataclass(frozen=True, kw_only=True)
class LinearPosterior:
    """Gaussians of P parameters for n covariances of their rows.

    Attributes:
        mean: shape (n, P).
        root: B with B B^T the covariance, shape (n, P, P).
        chi2: minima, shape (n,).
        size: log det of K^T V^-1 K, with the columns of K divided by scales that are the same for all n, shape (n,).
    """

    mean: FloatArray
    root: FloatArray
    chi2: FloatArray
    size: FloatArray


def linear_posterior(design: FloatArray, covariance: FloatArray, offset: FloatArray, signs: FloatArray) -> LinearPosterior:
    """The Gaussian exp(-(K p - w)^T V^-1 (K p - w) / 2) of p for each of n draws.

    Args:
        design: K, shape (R, P).
        covariance: V, shape (n, R, R).
        offset: w, shape (n, R).
        signs: diagonal of J, shape (R,).
    """
    scale = unit_columns(design)
    scaled = design / scale
    right = np.concatenate([np.broadcast_to(scaled, (len(covariance), *scaled.shape)), offset[..., None]], axis=-1)
    if (signs > 0).all():
        white = np.linalg.solve(np.linalg.cholesky(covariance), right)
        orthogonal, upper = np.linalg.qr(white[:, :, :-1])
        along = np.einsum("nrp,nr->np", orthogonal, white[:, :, -1])
        left = white[:, :, -1] - np.einsum("nrp,np->nr", orthogonal, along)
        root = np.linalg.inv(upper)
        mean = np.einsum("npq,nq->np", root, along)
        chi2 = (left**2).sum(axis=1)
        size = 2 * np.log(np.abs(np.diagonal(upper, axis1=1, axis2=2))).sum(axis=1)
    else:
        solved = np.linalg.solve(covariance, right)
        precision = scaled.T @ solved[:, :, :-1]
        root = np.swapaxes(np.linalg.inv(np.linalg.cholesky((precision + np.swapaxes(precision, 1, 2)) / 2)), 1, 2)
        mean = np.einsum("npk,nqk,rq,nr->np", root, root, scaled, solved[:, :, -1], optimize=True)
        left = solved[:, :, -1] - np.einsum("nrp,np->nr", solved[:, :, :-1], mean)
        chi2 = np.einsum("nr,nr->n", offset - mean @ scaled.T, left)
        size = np.linalg.slogdet(precision)[1]
    return LinearPosterior(mean=mean / scale, root=root / scale[:, None], chi2=chi2, size=size)

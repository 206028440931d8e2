r"""Least squares with signed weights in whitened rows, without cancellation between large and small terms.

Rows w = K p - w_0 of covariance V = J + F C F^T (J a diagonal of +1, -1 and 0, see
:mod:`bayescomb.likelihood.linear_gaussian`) are divided by a factor L with V = L s L^T, s = +-1.  With a subscript for the
sign of a row,

.. math:: \chi^2 = |K_+ p - y_+|^2 - |K_- p - y_-|^2, \qquad K_+ = Q R,\quad M = K_- R^{-1},\quad H = 1 - M^T M,

has its minimum at p = R^-1 H^-1 (Q^T y_+ - M^T y_-) with the covariance R^-1 H^-1 R^-T: no K^T V^-1 K is formed, whose
condition is the square of that of K, and no difference of large squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.errors import InfeasibleCorrelationError, UnderdeterminedError
from bayescomb.base.numerics import unit_diagonal

__all__ = [
    "Whitening",
    "check_definite",
    "least_squares",
    "near",
    "semidefinite_root",
    "triangular",
    "unit_columns",
    "whiten",
]

# Singular values of a matrix with unit columns below this are rounding.
RANK_TOLERANCE = 1e-12
# Smallest pivot of V, scaled to unit diagonal, that leaves ten digits of each term.
WELL_CONDITIONED = 1e-3


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """V = L s L^T over R rows.

    Attributes:
        order: the rows in the order of L, shape (R,).
        factor: L, shape (R, R).
        signs: diagonal of s, shape (R,).
        lower: whether L is lower triangular.
    """

    order: IntArray
    factor: FloatArray
    signs: FloatArray
    lower: bool = True

    def white(self, rows: FloatArray) -> FloatArray:
        """L^-1 X, for X of shape (R,) or (R, k)."""
        rows = rows[self.order]
        if not self.lower:
            return np.linalg.solve(self.factor, rows)
        return np.asarray(solve_triangular(self.factor, rows, lower=True, check_finite=False))

    def white_transposed(self, rows: FloatArray) -> FloatArray:
        """L^-T X."""
        if self.lower:
            found = solve_triangular(self.factor, rows, lower=True, trans="T", check_finite=False)
        else:
            found = np.linalg.solve(self.factor.T, rows)
        result = np.empty_like(found)
        result[self.order] = found
        return result

    def solve(self, rows: FloatArray) -> FloatArray:
        """V^-1 X."""
        white = self.white(rows)
        return self.white_transposed((self.signs * white.T).T)

    def square(self, residual: FloatArray) -> float:
        """x^T V^-1 x for x of shape (R,)."""
        white = self.white(residual)
        return float(white @ (self.signs * white))


def whiten(signs: FloatArray, loading: FloatArray, correlation: FloatArray) -> Whitening:
    """Factor of V = J + F C F^T.

    The rows of sign -1 come last and are reduced by the others: their Schur complement is negative definite just where the
    total precision is positive definite.

    Args:
        signs: diagonal of J, shape (R,).
        loading: F, shape (R, N).
        correlation: C, shape (N, N).

    Raises:
        InfeasibleCorrelationError: the total precision is not positive definite.
    """
    order = np.concatenate([np.flatnonzero(signs >= 0), np.flatnonzero(signs < 0)])
    signs, loading = signs[order], loading[order]
    n = int((signs >= 0).sum())
    added = loading @ correlation @ loading.T
    covariance = np.diag(signs) + (added + added.T) / 2
    scale = np.sqrt(np.abs(signs) + np.abs(np.diag(added)))
    scale[scale == 0] = 1.0
    scaled = covariance / np.outer(scale, scale)
    white = np.where(signs < 0, -1.0, 1.0)
    try:
        first = np.linalg.cholesky(scaled[:n, :n])
        cross = solve_triangular(first, scaled[:n, n:], lower=True, check_finite=False)
        if np.diag(first).min(initial=1.0) < WELL_CONDITIONED:
            root = semidefinite_root(correlation)
            if root is not None:
                first, cross = _by_root(signs, loading @ root, scale)
        last = np.linalg.cholesky(cross.T @ cross - scaled[n:, n:])
    except np.linalg.LinAlgError:
        check_definite(covariance, signs)
        # The number of negative eigenvalues is right, but they are not in the rows of sign -1: C is indefinite.
        eigenvalues, vectors = np.linalg.eigh(scaled)
        factor = scale[:, None] * vectors * np.sqrt(np.abs(eigenvalues))
        return Whitening(order=order, factor=factor, signs=np.sign(eigenvalues), lower=False)
    factor = np.zeros_like(scaled)
    factor[:n, :n], factor[n:, :n], factor[n:, n:] = first, cross.T, last
    return Whitening(order=order, factor=scale[:, None] * factor, signs=white)


def _by_root(signs: FloatArray, loading: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """L_+ and L_+^-1 V_+- from the triangle of [J^1/2; (F C^1/2)^T], which never adds 1 to a large square.

    Args:
        signs: rows of sign -1 last.
        loading: F C^1/2.
        scale: divisors of the rows.
    """
    n = int((signs >= 0).sum())
    stacked = np.vstack([np.diag(np.sqrt(signs[:n])), loading[:n].T]) / scale[:n]
    orthogonal, upper = np.linalg.qr(stacked)
    turn = np.where(np.diag(upper) < 0, -1.0, 1.0)
    cross = (orthogonal * turn)[n:].T @ loading[n:].T / scale[n:]
    return (turn[:, None] * upper).T, cross


def semidefinite_root(covariance: FloatArray) -> FloatArray | None:
    """G with C = G G^T, ``None`` if C is indefinite; exact for variables without correlation."""
    root = np.diag(np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    off = covariance - np.diag(np.diag(covariance))
    linked = np.flatnonzero(off.any(axis=1))
    if (np.diag(covariance) < 0).any():
        return None
    if linked.size:
        eigenvalues, vectors = np.linalg.eigh(covariance[np.ix_(linked, linked)])
        rounding = 4 * np.finfo(float).eps * len(linked) * np.abs(eigenvalues).max()
        if eigenvalues[0] < -rounding:
            return None
        eigenvalues[eigenvalues < rounding] = 0.0
        root[np.ix_(linked, linked)] = vectors * np.sqrt(eigenvalues)
    return root


def check_definite(covariance: FloatArray, signs: FloatArray) -> None:
    """Raise unless V belongs to a positive definite total precision.

    Raises:
        InfeasibleCorrelationError: V has more negative eigenvalues than J.
    """
    # Scaled to unit diagonal, which leaves the signs of the eigenvalues and takes out the size of the uncertainties.
    eigenvalues = np.linalg.eigvalsh(unit_diagonal(covariance)[0])
    negative, expected = int((eigenvalues <= 0).sum()), int((signs < 0).sum())
    if negative != expected:
        msg = (
            f"total covariance: {negative} eigenvalue(s) are not positive where the inputs have {expected} (smallest "
            f"{eigenvalues.min():.3g} after scaling to unit diagonal); the coefficients leave the feasible set, move them "
            "towards their nominal values"
        )
        raise InfeasibleCorrelationError(msg)


def unit_columns(matrix: FloatArray) -> FloatArray:
    """Lengths of the columns, 1 for a column of zeros, shape (columns,)."""
    largest = np.abs(matrix).max(axis=0, initial=0.0)
    largest[largest == 0] = 1.0
    length = largest * np.sqrt(((matrix / largest) ** 2).sum(axis=0))
    length[length == 0] = 1.0
    return np.asarray(length)


def near(matrix: FloatArray, offset: FloatArray) -> FloatArray:
    """Least-squares solution of X z = y, the shortest one of several: a point where the residual is small.

    Args:
        matrix: X, shape (r, c).
        offset: y, shape (r,).
    """
    scale = unit_columns(matrix)
    return np.asarray(np.linalg.lstsq(matrix / scale, offset, rcond=RANK_TOLERANCE)[0] / scale)


def triangular(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Q and R of X = Q R, factored with the largest rows first and pivoted columns, which keeps small rows exact.

    Args:
        matrix: X, shape (r, c).

    Returns:
        Q, shape (r, min(r, c)), and R, shape (min(r, c), c), upper triangular but for the order of its columns.
    """
    scale = unit_columns(matrix)
    sizes = np.argsort(-np.abs(matrix / scale).max(axis=1, initial=0.0), kind="stable")
    orthogonal, upper, pivots = qr((matrix / scale)[sizes], mode="economic", pivoting=True, check_finite=False)
    turned = np.empty_like(orthogonal)
    turned[sizes] = orthogonal
    result = np.empty_like(upper)
    result[:, pivots] = upper
    return turned, result * scale


def least_squares(design: FloatArray, signs: FloatArray, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Minimum of sum_i s_i (K p - y)_i^2 as a linear map of y, and the root of its covariance.

    Args:
        design: K, shape (R, P).
        signs: s, shape (R,).
        names: of the P parameters.

    Returns:
        d(p)/d(y), shape (P, R), and B of shape (P, P) with the covariance B B^T.

    Raises:
        UnderdeterminedError: a parameter is not determined.

    Examples:
        >>> import numpy as np
        >>> from bayescomb.likelihood.least_squares import least_squares
        >>> gain, root = least_squares(np.ones((2, 1)), np.ones(2), ("x",))
        >>> gain.round(12).tolist(), (root @ root.T).round(12).tolist()
        ([[0.5, 0.5]], [[0.5]])
    """
    if not names:  # all of them are held
        return np.zeros((0, len(design))), np.zeros((0, 0))
    plus, minus = signs > 0, signs < 0
    orthogonal, upper = triangular(design[plus])
    scale = unit_columns(design)
    _, singular, right = np.linalg.svd(np.vstack([upper / scale, np.zeros((max(len(names) - len(upper), 0), len(names)))]))
    smallest = float(singular[-1] / singular[0]) if singular[0] > 0 else 0.0
    if smallest < RANK_TOLERANCE:
        raise _undetermined(names, right[-1], smallest**2)
    gain = np.empty((len(names), len(design)))
    inverse = np.linalg.inv(upper / scale)
    root = inverse
    gain[:, plus] = inverse @ orthogonal.T
    if minus.any():
        reach = (design[minus] / scale) @ inverse
        eigenvalues, vectors = np.linalg.eigh(np.eye(len(names)) - reach.T @ reach)
        if eigenvalues[0] < RANK_TOLERANCE:
            raise _undetermined(names, inverse @ vectors[:, 0], float(eigenvalues[0]))
        root = inverse @ (vectors / np.sqrt(eigenvalues))
        gain[:, plus] = root @ (vectors / np.sqrt(eigenvalues)).T @ orthogonal.T
        gain[:, minus] = -root @ (reach @ (vectors / np.sqrt(eigenvalues))).T
    return gain / scale[:, None], root / scale[:, None]


def _undetermined(names: tuple[str, ...], direction: FloatArray, smallest: float) -> UnderdeterminedError:
    name = names[int(np.abs(direction).argmax())]
    msg = (
        f"parameter {name!r} is not determined by the data (smallest eigenvalue of the scaled information "
        f"{smallest:.3g}); give a free nuisance a prior, or add an estimate"
    )
    return UnderdeterminedError(msg)

"""Matrices of variables whose units may differ by orders of magnitude, scaled to unit diagonal."""

from __future__ import annotations

from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray

__all__ = ["SYMMETRY_TOLERANCE", "asymmetric_entry", "correlation_of", "information_of", "unit_diagonal"]

# Published matrices are typed with a few digits, so a genuine asymmetry is far above this.
SYMMETRY_TOLERANCE: Final = 1e-9


def asymmetric_entry(matrix: FloatArray, *, tolerance: float | None = None) -> tuple[int, int] | None:
    """Position of the entry that differs most from its mirror entry; ``None`` for a symmetric matrix.

    Args:
        matrix: shape (n, n).
        tolerance: difference that is none; by default :data:`SYMMETRY_TOLERANCE` of the largest entry.

    Examples:
        >>> import numpy as np
        >>> asymmetric_entry(np.array([[1.0, 0.5], [0.4, 1.0]])), asymmetric_entry(np.eye(2))
        ((0, 1), None)
    """
    difference = np.abs(matrix - matrix.T)
    if tolerance is None:
        tolerance = SYMMETRY_TOLERANCE * float(np.abs(matrix).max(initial=1e-300))
    if not difference.max(initial=0.0) > tolerance:
        return None
    i, j = np.unravel_index(difference.argmax(), difference.shape)
    return int(i), int(j)


def unit_diagonal(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A symmetric matrix scaled to a diagonal of 1 or -1, and the scale, which takes the units out of its eigenvalues.

    Args:
        matrix: A, shape (n, n).

    Returns:
        B of shape (n, n) and s of shape (n,) with A_ij = B_ij s_i s_j; s_i is 1 where A_ii is 0.

    Examples:
        >>> import numpy as np
        >>> scaled, scale = unit_diagonal(np.array([[4.0, 3.0], [3.0, 9.0]]))
        >>> scaled.tolist(), scale.tolist()
        ([[1.0, 0.5], [0.5, 1.0]], [2.0, 3.0])
    """
    scale = np.sqrt(np.abs(np.diag(matrix)))
    scale[scale == 0] = 1.0
    return matrix / np.outer(scale, scale), scale


def correlation_of(covariance: FloatArray) -> FloatArray:
    """Correlation matrix of a covariance, shape (n, n).

    Examples:
        >>> import numpy as np
        >>> correlation_of(np.array([[4.0, 3.0], [3.0, 9.0]])).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    return unit_diagonal(covariance)[0]


def information_of(correlation: FloatArray, sizes: FloatArray) -> FloatArray:
    """Inverse of the covariance rho_ij s_i s_j, taken of the correlations, which have no units.

    Args:
        correlation: rho, positive definite, shape (n, n).
        sizes: s, above 0, shape (n,).

    Examples:
        >>> import numpy as np
        >>> information_of(np.eye(2), np.array([1.0, 0.5])).tolist()
        [[1.0, 0.0], [0.0, 4.0]]
    """
    inverse = np.linalg.inv(correlation)
    return (inverse + inverse.T) / 2 / np.outer(sizes, sizes)

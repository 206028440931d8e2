"""Correlation matrices at fixed coefficients: checked under the treatment in force, repaired only where the user asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.correlation import CorrelationFamily
from bayescomb.errors import InfeasibleCorrelationError
from bayescomb.feasibility import EIGENVALUE_TOLERANCE, smallest_eigenvalue
from bayescomb.inputs import Combination
from bayescomb.rounding import plain, significant

__all__ = ["Repair", "feasible_correlation", "nearest_correlation", "repaired_correlation"]

FloatArray = NDArray[np.float64]

NEWTON_STEPS: Final = 100
# By how much the diagonal of the nearest correlation matrix may miss 1.
DIAGONAL_TOLERANCE: Final = 1e-13


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What a repair did to one block.

    Attributes:
        block: label of the block.
        how: ``shift``, ``clip`` or ``nearest``.
        smallest: smallest eigenvalue before.
        change: largest change of an entry.
    """

    block: str
    how: str
    smallest: float
    change: float


def feasible_correlation(
    combination: Combination, family: CorrelationFamily, coefficients: FloatArray
) -> tuple[FloatArray, tuple[Repair, ...]]:
    """C(r) at fixed coefficients, allowed under the combination's treatment.

    Under ``covariance`` any C is allowed here (the total covariance is checked where it is solved).  Under ``nuisance``
    every block must be positive semidefinite, or the combination must ask for a repair.

    Returns:
        C, shape (N, N), and what was repaired.

    Raises:
        InfeasibleCorrelationError: a block is indefinite and no repair was asked for.
    """
    correlation = family.correlation(coefficients)
    if combination.treatment == "covariance":
        return correlation, ()
    repairs, infeasible = [], []
    for block in family.blocks:
        if len(block.nuisances) == 1:
            continue  # uncorrelated: most of the nuisances of a real input
        grid = np.ix_(block.nuisances, block.nuisances)
        smallest = smallest_eigenvalue(correlation[grid])
        if smallest >= -EIGENVALUE_TOLERANCE:
            continue
        if combination.repair == "none":
            infeasible.append(f"{block.label} (smallest eigenvalue {plain(significant(smallest))})")
            continue
        repaired = repaired_correlation(correlation[grid], how=combination.repair)
        change = float(np.abs(repaired - correlation[grid]).max())
        repairs.append(Repair(block=block.label, how=combination.repair, smallest=smallest, change=change))
        correlation[grid] = repaired
    if infeasible:
        raise InfeasibleCorrelationError(infeasible_message(combination, infeasible))
    return correlation, tuple(repairs)


def infeasible_message(combination: Combination, infeasible: list[str]) -> str:
    """Message that names the blocks and what a user can do."""
    covariance = (
        ", use the treatment 'covariance' (only the total must be positive definite)" if combination.quadratic else ""
    )
    return (
        f"combination {combination.name!r}, assumption set {combination.assumptions!r}, treatment 'nuisance': not a "
        f"correlation matrix: {'; '.join(infeasible)}. Change the coefficients{covariance}, or ask for a repair: shift, "
        "clip or nearest (its effect is reported)"
    )


def repaired_correlation(matrix: FloatArray, *, how: str) -> FloatArray:
    """A correlation matrix made from a symmetric matrix of unit diagonal.

    Args:
        matrix: shape (n, n).
        how: ``shift`` adds a multiple of the unit matrix and scales back, so that all correlations shrink by one factor;
            ``clip`` sets negative eigenvalues to zero and scales the diagonal back to 1; ``nearest`` is the nearest
            correlation matrix in the Frobenius norm, see :func:`nearest_correlation`.

    Examples:
        >>> import numpy as np
        >>> bad = np.array([[1, 0.9, 0.9], [0.9, 1, 0], [0.9, 0, 1]])
        >>> good = repaired_correlation(bad, how="nearest")
        >>> bool(np.linalg.eigvalsh(good)[0] > -1e-9), good.diagonal().tolist()
        (True, [1.0, 1.0, 1.0])
    """
    if how == "nearest":
        return nearest_correlation(matrix)
    eigenvalues, vectors = np.linalg.eigh(matrix)
    if how == "shift":
        shift = max(0.0, -eigenvalues[0])
        return (matrix + shift * np.eye(len(matrix))) / (1 + shift)
    return _with_unit_diagonal((vectors * np.maximum(eigenvalues, 0)) @ vectors.T)


def nearest_correlation(matrix: FloatArray) -> FloatArray:
    """Nearest correlation matrix in the Frobenius norm, by Newton's method on the dual problem.

    The nearest one to A is the positive semidefinite part of A + diag(y) for the y that makes its diagonal 1, which
    minimises the convex |(A + diag(y))_+|^2 / 2 - sum(y) (Qi and Sun, SIAM J. Matrix Anal. Appl. 28 (2006) 360).

    Args:
        matrix: A, symmetric with unit diagonal, shape (n, n).

    Examples:
        >>> import numpy as np
        >>> nearest_correlation(np.array([[1.0, 1, -1], [1, 1, 1], [-1, 1, 1]])).round(6).tolist()
        [[1.0, 0.5, -0.5], [0.5, 1.0, 0.5], [-0.5, 0.5, 1.0]]
    """
    point = _dual_point(matrix, np.zeros(len(matrix)))
    for _ in range(NEWTON_STEPS):
        if np.abs(point.excess).max() < DIAGONAL_TOLERANCE:
            break
        step = -np.linalg.solve(_dual_curvature(point), point.excess)
        slope, share = point.excess @ step, 1.0
        while True:
            moved = _dual_point(matrix, point.shift + share * step)
            # The last steps change the dual by less than its rounding.
            if moved.value <= point.value + 1e-4 * share * slope + 1e-13 * abs(point.value) or share < 1e-6:
                break
            share /= 2
        point = moved
    return _with_unit_diagonal((point.vectors * np.maximum(point.eigenvalues, 0)) @ point.vectors.T)


def _with_unit_diagonal(matrix: FloatArray) -> FloatArray:
    scale = np.sqrt(np.diag(matrix))
    result: FloatArray = (matrix + matrix.T) / (2 * np.outer(scale, scale))
    np.fill_diagonal(result, 1.0)
    return result


@dataclass(frozen=True, kw_only=True)
class _DualPoint:
    """The dual at y: eigensystem of A + diag(y), what its positive part has on the diagonal above 1, and its value."""

    shift: FloatArray
    eigenvalues: FloatArray
    vectors: FloatArray
    excess: FloatArray
    value: float


def _dual_point(matrix: FloatArray, shift: FloatArray) -> _DualPoint:
    eigenvalues, vectors = np.linalg.eigh(matrix + np.diag(shift))
    positive = np.maximum(eigenvalues, 0)
    excess = vectors**2 @ positive - 1
    value = float(positive @ positive / 2 - shift.sum())
    return _DualPoint(shift=shift, eigenvalues=eigenvalues, vectors=vectors, excess=excess, value=value)


def _dual_curvature(point: _DualPoint) -> FloatArray:
    """Derivative of the excess by y, from that of the positive part of a matrix in its own basis (Loewner)."""
    eigenvalues, positive = point.eigenvalues, np.maximum(point.eigenvalues, 0)
    above = eigenvalues > 0
    share = np.where(above[:, None] & above, 1.0, 0.0)
    mixed = above[:, None] != above
    change, distance = positive[:, None] - positive, eigenvalues[:, None] - eigenvalues
    np.divide(change, distance, out=share, where=mixed)
    products = point.vectors[:, None, :] * point.vectors
    curvature: FloatArray = np.einsum("kli,ij,klj->kl", products, share, products, optimize=True)
    return curvature

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

__all__ = ["Repair", "feasible_correlation", "nearest_correlation", "repaired_correlation"]

FloatArray = NDArray[np.float64]

NEAREST_ITERATIONS: Final = 5000


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
            infeasible.append(f"{block.label} (smallest eigenvalue {smallest:.3g})")
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
            correlation matrix in the Frobenius norm (Higham, IMA J. Numer. Anal. 22 (2002) 329).

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
    clipped = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
    scale = np.sqrt(np.diag(clipped))
    result = clipped / np.outer(scale, scale)
    np.fill_diagonal(result, 1.0)
    return result


def nearest_correlation(matrix: FloatArray) -> FloatArray:
    """Nearest correlation matrix by alternating projections with Dykstra's correction (Higham 2002)."""
    current, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(NEAREST_ITERATIONS):
        start = current - correction
        eigenvalues, vectors = np.linalg.eigh(start)
        semidefinite = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
        correction = semidefinite - start
        current = semidefinite.copy()
        np.fill_diagonal(current, 1.0)
        if np.abs(current - semidefinite).max() < 1e-12:
            break
    return (current + current.T) / 2

"""Where the coordinates of the fused density begin, and how wide they are: parameters, ranges, masses and scales."""

from __future__ import annotations

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.likelihood.linear_gaussian import solve
from bayescomb.likelihood.theory import Theory
from bayescomb.sampling.fused.coordinates import BOXED, CORRELATED, NORMAL
from bayescomb.sampling.plan import SamplingPlan

__all__ = ["at_ranges", "kept_coordinates", "theta_coordinates", "theta_kinds"]

# Standard deviation of the logistic distribution.
LOGISTIC = np.pi / np.sqrt(3.0)


def kept_coordinates(
    plan: SamplingPlan, kept: IntArray, values: FloatArray, ranges: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coordinates of parameters at their start, and a root of their covariance there."""
    if not len(kept):
        return np.zeros(0), np.zeros((0, 0))
    root = solve(plan.model, plan.correlation(plan.start[None])[0]).root[kept]
    return at_ranges(values[kept], ranges[kept], np.linalg.qr(root.T, mode="r").T)


def at_ranges(values: FloatArray, ranges: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coordinates of values inside their ranges, and the root of a covariance of the values in them.

    Args:
        values: shape (P,).
        ranges: as in :func:`.density.bounded_point`, shape (P, 3).
        root: shape (P, P).
    """
    u, slope = values.copy(), np.ones(len(values))  # slope: dx/du
    for i, (width, low, high) in enumerate(ranges):
        if width == 0:
            continue
        if np.isinf(high):
            slope[i] = -np.expm1(-values[i] / width)
            u[i] = values[i] + width * np.log(slope[i])
        else:
            u[i] = np.log(values[i] - low) - np.log(high - values[i])
            slope[i] = (values[i] - low) * (high - values[i]) / (high - low)
    moved = root / slope[:, None]
    # Data that tell less than a range leave the coordinate as wide as a flat density makes it.
    size = np.sqrt((moved**2).sum(axis=1))
    boxed = np.isfinite(ranges[:, 2]) & (ranges[:, 0] > 0) & (size > LOGISTIC)
    return u, moved * np.where(boxed, LOGISTIC / np.where(size > 0, size, 1.0), 1.0)[:, None]


def theta_kinds(theory: Theory) -> FloatArray:
    """Rows of :func:`.coordinates.theta_point`."""
    scales, masses = theory.extraction.scales, len(theory.masses)
    rows = [(BOXED, theory.low[h], theory.high[h], 0.0) for h in range(masses)]
    if scales.prior == "uniform":
        rows += [(BOXED, theory.low[h], theory.high[h], 0.0) for h in range(masses, len(theory.parameters))]
    else:
        kind = CORRELATED if scales.treatment == "correlated" else NORMAL
        rows += [(kind, 0.0, 0.0, scales.width) for _ in theory.scales]
    if scales.treatment == "correlated":
        rows.append((BOXED, scales.low, scales.high, 0.0))
    return np.array(rows, dtype=float)


def theta_coordinates(theory: Theory, kinds: FloatArray, theta: FloatArray) -> FloatArray:
    """Coordinates of a point; of correlated scales with the middle of the range of their coefficient."""
    value, boxed = np.append(theta, np.zeros(len(kinds) - len(theta))), kinds[:, 0] == BOXED
    if len(kinds) > len(theta):
        value[-1] = kinds[-1, 1:3].mean()
        half = len(theory.scales) // 2
        matrix = np.full((half, half), value[-1]) + (1 - value[-1]) * np.eye(half)
        eigenvalues, vectors = np.linalg.eigh(matrix)
        back = (vectors / np.sqrt(eigenvalues)) @ vectors.T
        for group in range(2):
            own = slice(len(theory.masses) + group * half, len(theory.masses) + (group + 1) * half)
            value[own] = back @ value[own]
    share = np.where(boxed, (value - kinds[:, 1]) / np.where(boxed, kinds[:, 2] - kinds[:, 1], 1.0), 0.5)
    return np.where(boxed, np.log(share) - np.log1p(-share), value / np.where(boxed, 1.0, kinds[:, 3]))

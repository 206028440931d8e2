"""Smooth branches of a chi2 with kinks: what it would be if every kinked nuisance kept the slope of one side."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = ["ALL_ORTHANTS", "ON_KINK", "Pattern", "branch", "moves", "newton"]

Pattern = tuple[bool, ...]
# Up to this many nuisances whose side is in question every combination of sides is tried; with more, one flip at a time.
ALL_ORTHANTS = 6
# A kinked nuisance this near to 0 sits on its kink.
ON_KINK = 1e-7
# Newton steps end at this estimated distance to the minimum, in chi2.
NEWTON_TOLERANCE = 1e-14
NEWTON_STEPS = 50


def branch(chi2: Objective, theta: FloatArray, pattern: Sequence[bool]) -> BoolArray:
    """Side of every argument: that of the pattern for kinked ones, that of theta for the others."""
    positive = chi2.arguments(theta) >= 0
    positive[chi2.kinked] = pattern
    return positive


def moves(chi2: Objective, fixed: Collection[int]) -> FloatArray:
    """Directions of the components of theta that are not held, shape (size, number of them)."""
    return np.delete(np.eye(chi2.size), list(fixed), axis=1)


def newton(chi2: Objective, start: FloatArray, along: FloatArray, positive: BoolArray) -> FloatArray | None:
    """Minimum of one smooth branch by damped Newton steps; ``None`` where the second derivatives are not definite.

    Args:
        chi2: the objective.
        start: where to begin, shape (size,).
        along: directions in which theta may move, shape (size, n).
        positive: side of each argument, which makes the branch.
    """
    theta, value = start, chi2.value(start, positive=positive)
    gradient = chi2.gradient(theta, positive=positive) @ along
    for _ in range(NEWTON_STEPS):
        try:
            factor = np.linalg.cholesky(chi2.hessian(theta, positive=positive, along=along))
        except np.linalg.LinAlgError:
            return None
        white = np.linalg.solve(factor, gradient)
        step = -np.linalg.solve(factor.T, white)
        if not np.isfinite(white @ white):
            return None
        for damping in 0.5 ** np.arange(12):
            trial = theta + damping * (along @ step)
            reached = chi2.value(trial, positive=positive)
            if reached <= value + 1e-13 * max(1.0, abs(value)):
                break
        else:
            return None
        theta, value = trial, reached
        gradient = chi2.gradient(theta, positive=positive) @ along
        white = np.linalg.solve(factor, gradient)
        if float(white @ white) / 2 < NEWTON_TOLERANCE:  # the last step: to the minimum of a parabola of this curvature
            return np.asarray(theta - along @ np.linalg.solve(factor.T, white))
    return None

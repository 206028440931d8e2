"""Fit of an extraction at fixed correlation coefficients.

At the minimum the model is replaced by its tangent, from which covariance (of the expected information), impacts, pulls and
weights follow; the Delta chi2 = 1 errors of the masses do not use the tangent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.choices import FitErrors
from bayescomb.base.errors import FitError, UnderdeterminedError
from bayescomb.base.rounding import counted
from bayescomb.fit.minimise.delta_chi2 import crossing
from bayescomb.fit.minimise.mass_chi2 import DerivedSolution, MassChi2, derived_solution, mass_chi2, tangent_model
from bayescomb.likelihood.linear_gaussian import LinearModel, solve
from bayescomb.likelihood.theory import Theory

__all__ = ["ExtractionFit", "fit_extraction"]

GAUSS_NEWTON_STEPS = 60
NEWTON_STEPS = 20
# Step of a mass in GeV, or of the logarithm of a scale factor: predictions are smooth over far larger steps.
DIFFERENCE = 1e-4
# Tolerance on Delta chi2; an error is then good to half of it.
CROSSING_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class ExtractionFit:
    """Result at the minimum.

    Attributes:
        theta: masses and scales, shape (H,).
        solution: all Q results, linear at the minimum.
        up, down: signed Delta chi2 = 1 errors of the masses, parabolic ones of all others, shape (Q,).
        chi2: minimum.
    """

    theta: FloatArray
    solution: DerivedSolution
    up: FloatArray
    down: FloatArray
    chi2: float


def fit_extraction(
    theory: Theory,
    model: LinearModel,
    *,
    mean: FloatArray,
    correlation: FloatArray,
    errors: FitErrors = "minos",
    hold_scales: bool = False,
) -> ExtractionFit:
    """Fit masses, scales, theory nuisances and all other variables.

    Args:
        theory: the prediction.
        model: linear model in the observables, N nuisances.
        mean: prior mean of (nuisances, eta, normal scales), shape (N + K + S,).
        correlation: their prior covariance, shape (N + K + S,) * 2.
        errors: ``"hesse"`` leaves out the search for Delta chi2 = 1.
        hold_scales: hold scales with a uniform prior at the best starting point.

    Raises:
        FitError: there is no minimum inside the masses of the tables, or chi2 does not grow by 1 there.
        InfeasibleCorrelationError: the total precision is not positive definite.
        UnderdeterminedError: a parameter is not determined.
    """
    chi2 = mass_chi2(theory, model, mean=mean, correlation=correlation)
    flat = tuple(range(len(theory.masses), len(theory.parameters) - len(theory.scale_correlation)))
    if hold_scales:
        chi2 = dataclasses.replace(chi2, fixed=chi2.fixed + flat)
    start = chi2.minimum(chi2.start())
    at_end = _at_end(chi2, start)
    ends = np.where(start - theory.low < theory.high - start, theory.low, theory.high)
    start[list(at_end)] = ends[list(at_end)]
    held = tuple(sorted({*at_end, *flat})) if hold_scales else at_end
    try:
        theta = _polished(chi2, start, held, correlation[len(model.nuisances) :, len(model.nuisances) :], mean)
        value, _, eta = chi2.evaluate(theta)
        tangent = tangent_model(theory, model, theta=theta, eta=eta, held=held)
        shifted = dataclasses.replace(tangent, offset=tangent.offset - tangent.loading @ mean)
        solution = derived_solution(theory, solve(shifted, correlation), model, theta=theta, eta=eta)
    except UnderdeterminedError as error:
        loose = [theory.parameters[i] for i in flat if i not in held]
        if not loose:
            raise
        raise UnderdeterminedError(_degenerate(chi2, loose)) from error
    up = np.sqrt(np.diag(solution.covariance))
    down = -up
    if errors != "hesse":
        for i in range(len(theory.masses)):
            up[i], down[i] = (_crossing(chi2, theta, value, i, start) for start in (up[i], down[i]))
    return ExtractionFit(theta=theta, solution=solution, up=up, down=down, chi2=value)


def _degenerate(chi2: MassChi2, loose: Sequence[str]) -> str:
    """Message of a chi2 that is lowest along a line or surface, as the data do not determine all uniform scales."""
    theory, n = chi2.theory, chi2.linear.shape[1]
    bins = int(np.linalg.matrix_rank(np.hstack([chi2.predicted, chi2.linear]))) - n
    return (
        f"chi2 of the extraction has no single minimum: {counted(bins, 'independent bins')} do not determine "
        f"{', '.join(theory.masses)} together with the uniform scales {', '.join(loose)}, so that it is as low along a line "
        "inside their ranges; fix the scales, give them a normal prior or add bins (the posterior, in which the ranges are "
        "a prior, is defined)"
    )


def _at_end(chi2: MassChi2, theta: FloatArray) -> tuple[int, ...]:
    """Scales that chi2 holds at an end of their box.

    Raises:
        FitError: a mass is at an end of its table.
    """
    theory = chi2.theory
    edge = 1e-3 * np.where(np.isfinite(theory.high), theory.high - theory.low, 1.0)
    held = (theta - theory.low < edge) | (theory.high - theta < edge)
    for i in np.flatnonzero(held[: len(theory.masses)]):
        msg = (
            f"{theory.masses[i]} runs to the end of the predicted masses, {theory.low[i]:g} to {theory.high[i]:g} GeV: the "
            f"prediction does not describe the data anywhere inside (chi2 {chi2.evaluate(theta)[0]:.4g} there); normalise "
            "the distribution, let the scales vary or use a prediction of higher order"
        )
        raise FitError(msg)
    return tuple(int(i) for i in np.flatnonzero(held))


def _polished(
    chi2: MassChi2, theta: FloatArray, held: tuple[int, ...], correlation: FloatArray, mean: FloatArray
) -> FloatArray:
    """Gauss-Newton steps on the reduced model, down to rounding, from where Migrad stopped.

    Where the prediction is far from the data they do not converge, and Newton's own steps follow.
    """
    theory, reduced = chi2.theory, chi2.reduced
    found, lowest = theta, chi2.evaluate(theta)[0]
    n_linear = len(theory.parameters) - len(theory.scale_correlation)
    free = [i for i in range(n_linear) if i not in held]
    width = theory.extraction.scales.width
    prior = mean[len(mean) - len(correlation) :]
    for _ in range(GAUSS_NEWTON_STEPS):
        _, _, eta = chi2.evaluate(theta)
        tangent = tangent_model(theory, reduced, theta=theta, eta=eta, held=held)
        shifted = dataclasses.replace(tangent, offset=tangent.offset - tangent.loading @ prior)
        step = solve(shifted, correlation)
        moved = theta.copy()
        moved[free] = step.values[: len(free)]
        moved[n_linear:] = width * (prior + step.pulls)[len(theory.nuisances) :]
        moved = np.clip(moved, theory.low, theory.high)
        size = np.abs(moved - theta).max()
        theta = moved
        if size < 1e-10 * np.abs(theta).max():
            break
    return theta if chi2.evaluate(theta)[0] <= lowest + 1e-9 else _newton(chi2, found, held)


def _newton(chi2: MassChi2, theta: FloatArray, held: tuple[int, ...]) -> FloatArray:
    """Newton's steps; their starting point if chi2 grows."""
    theory = chi2.theory
    found, lowest = theta, chi2.evaluate(theta)[0]
    free = np.array([i for i in range(len(theta)) if i not in {*held, *chi2.fixed}], dtype=np.intp)
    for _ in range(NEWTON_STEPS):
        step = np.zeros_like(theta)
        step[free] = -np.linalg.solve(_curvature(chi2, theta, free), chi2.evaluate(theta)[1][free])
        theta = np.clip(theta + step, theory.low, theory.high)
        if np.abs(step).max() < 1e-12 * np.abs(theta).max():
            break
    return theta if chi2.evaluate(theta)[0] <= lowest + 1e-9 else found


def _curvature(chi2: MassChi2, theta: FloatArray, free: IntArray) -> FloatArray:
    """Second derivatives, from differences of the gradient."""
    rows = []
    for i in free:
        away = np.zeros_like(theta)
        away[i] = DIFFERENCE
        rows.append((chi2.evaluate(theta + away)[1] - chi2.evaluate(theta - away)[1])[free] / (2 * DIFFERENCE))
    matrix = np.array(rows)
    return (matrix + matrix.T) / 2


def _crossing(chi2: MassChi2, theta: FloatArray, lowest: float, index: int, start: float) -> float:
    """Signed distance at which chi2, all other variables profiled, has grown by 1.

    Raises:
        FitError: chi2 does not grow that much within the table.
    """
    theory = chi2.theory
    end = (theory.high if start > 0 else theory.low)[index] - theta[index]
    best = theta

    def growth(distance: float) -> float:
        nonlocal best
        moved = best.copy()
        moved[index] = theta[index] + distance
        best = chi2.minimum(moved, fixed=(index,))
        return chi2.evaluate(best)[0] - lowest - 1.0

    distance = crossing(growth, start, met=CROSSING_TOLERANCE, end=end)
    if distance is None:
        msg = (
            f"chi2 grows by less than 1 up to {theory.masses[index]} = {theta[index] + end:g} GeV, the end of the "
            "predicted masses; a prediction over a wider range is needed"
        )
        raise FitError(msg)
    return distance

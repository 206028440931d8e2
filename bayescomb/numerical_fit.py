"""Fits of a chi2 that is not quadratic: iminuit over what is curved, the linear algebra for the rest."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from bayescomb.fit_types import Fit, Held
from bayescomb.inputs import Combination
from bayescomb.minimise import delta_chi2_errors, minimise, starting_point, theta_covariance
from bayescomb.nonlinear_model import NonlinearParts, nonlinear_model, nonlinear_parts
from bayescomb.objective import Objective, objective

__all__ = ["numerical_fit", "numerical_weights"]

FloatArray = NDArray[np.float64]


def numerical_fit(parts: NonlinearParts, held: Held, *, errors: str, near: Fit | None, of: Collection[str] | None) -> Fit:
    """Migrad over what chi2 is curved in, all else profiled exactly.

    Args:
        parts: of the model.
        held: prior of the nuisances, and values of the free ones.
        errors: ``"minos"``, ``"crossing"`` or ``"hesse"``, see :meth:`bayescomb.fit.Fitter.fit`.
        near: a fit to begin from.
        of: parameters whose Delta chi2 = 1 errors are wanted; all by default.
    """
    model = nonlinear_model(parts, correlation=held.correlation, mean=held.mean)
    chi2 = objective(model, held.correlation)
    names = parts.observables + parts.free
    fixed = {i: held.free[name] for i, name in enumerate(names) if name in held.free}
    start = starting_point(chi2)
    if near is not None:
        position = {name: i for i, name in enumerate(near.parameters)}
        start[: len(names)] = [near.values[position[n]] if n in position else held.free[n] for n in names]
        if len(near.theta) == len(start):
            start[len(names) :] = near.theta[len(names) :]
    minimum = minimise(chi2, start, fixed=fixed)
    covariance = theta_covariance(chi2, minimum, list(fixed))
    shown = [i for i in range(len(names)) if i not in fixed]
    error = np.sqrt(np.diag(covariance)[shown])
    up, down = error.copy(), -error
    if errors != "hesse":
        minos = errors == "minos"
        for k, i in enumerate(shown):
            if of is None or names[i] in of:
                up[k], down[k] = delta_chi2_errors(chi2, minimum, i, error=float(error[k]), fixed=fixed, minos=minos)
    pulls, by_theta, conditional = _nuisances(chi2, minimum.theta)
    spread = covariance @ by_theta.T
    arguments = [parts.bound[i] for i in parts.explicit] + list(parts.free)
    return Fit(
        parameters=tuple(names[i] for i in shown),
        nuisances=parts.bound,
        values=minimum.theta[shown],
        covariance=covariance[np.ix_(shown, shown)],
        up=up,
        down=down,
        chi2=minimum.chi2,
        pulls=held.mean + pulls,
        nuisance_variance=conditional + np.einsum("nt,tn->n", by_theta, spread),
        cross_covariance=spread[shown],
        on_kink=tuple(arguments[i] for i in minimum.on_kink),
        theta=minimum.theta,
        theta_covariance=covariance,
    )


def numerical_weights(combination: Combination, parts: NonlinearParts, fit: Fit, correlation: FloatArray) -> FloatArray:
    """d(values)/d(measured values), shape (P, E), of a numerical fit.

    It is -(d2 chi2)^-1 d2 chi2 / d(theta) d(measured), the last factor by central differences of the exact gradient.
    """
    estimates = combination.estimates
    inverse_factor = np.linalg.inv(parts.factor)
    steps = 1e-3 * np.sqrt(np.diag(inverse_factor @ inverse_factor.T))
    mixed = np.empty((len(fit.theta), len(estimates)))
    for column, (estimate, step) in enumerate(zip(estimates, steps, strict=True)):
        gradients = []
        for sign in (1, -1):
            moved = combination.with_values({estimate.name: estimate.value + sign * step})
            model = nonlinear_model(nonlinear_parts(moved), correlation=correlation)
            gradients.append(objective(model, correlation).gradient(fit.theta))
        mixed[:, column] = (gradients[0] - gradients[1]) / (2 * step)
    return np.asarray(-(fit.theta_covariance @ mixed / 2)[: len(fit.parameters)])


def _nuisances(chi2: Objective, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nuisances given theta: mean over prior mean, its derivative by theta, and conditional variance."""
    linear, curved = chi2.model.linear, chi2.model.curved
    q = curved.pseudo_parameters(theta, curved.prediction(theta))
    reach = linear.loading @ chi2.correlation
    gain = chi2.whitening.solve(reach).T
    conditional = np.diag(chi2.correlation) - np.einsum("nr,rn->n", gain, reach)
    by_theta = -gain @ linear.design @ chi2.pseudo_jacobian(theta)
    return gain @ (linear.offset - linear.design @ q), by_theta, conditional

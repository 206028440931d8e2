"""Fits of a chi2 that is not quadratic: iminuit for the curved variables, linear algebra for all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.choices import FitErrors
from bayescomb.base.errors import FitError
from bayescomb.fit.fit_result import Fit, Held, OtherMinimum, SecondDerivatives
from bayescomb.fit.minimise.bounds import on_face
from bayescomb.likelihood.linear_gaussian import solve

if TYPE_CHECKING:
    from bayescomb.likelihood.nonlinear.model import NonlinearParts
    from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = ["numerical_fit"]


def numerical_fit(
    parts: NonlinearParts,
    held: Held,
    *,
    errors: FitErrors,
    near: Fit | None,
    of: Collection[str] | None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> Fit:
    """Minimum by Migrad over the curved variables, all others profiled exactly; covariances are those of the tangent there.

    Args:
        parts: of the nonlinear model.
        held: prior of the nuisances, and values of the free ones.
        errors: ``"minos"``, ``"crossing"`` or ``"hesse"``, see :meth:`bayescomb.fit.fitter.Fitter.fit`.
        near: an earlier fit used as starting point.
        of: parameters whose Delta chi2 = 1 errors are wanted; all by default.
        bounds: ends of the ranges of variables that have any.
    """
    from bayescomb.fit.minimise.mass_chi2 import nonlinear_tangent
    from bayescomb.fit.minimise.nonlinear import bounded_errors, minimise_within, separate_minima, starting_point
    from bayescomb.likelihood.nonlinear.model import nonlinear_model
    from bayescomb.likelihood.nonlinear.objective import objective

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
    ranges = bounds or {}
    bounded = {i: ranges[name] for i, name in enumerate(names) if name in ranges and i not in fixed}
    minimum = minimise_within(chi2, start, bounded, fixed=fixed)
    for i in minimum.active:
        if minimum.theta[i] != 0:
            low, high = bounded[i]
            msg = (
                f"parameter {names[i]!r} runs to the end of its range, {low:g} to {high:g}: chi2 falls beyond it; widen the "
                "range of its prior, or look at the data"
            )
            raise FitError(msg)
    searched = errors == "minos" and not fixed and not minimum.active
    others = separate_minima(chi2, minimum, start) if searched else ()
    others = tuple(o for o in others if all(low <= o.theta[i] <= high for i, (low, high) in bounded.items()))
    nuisances = held.mean + _pulls(chi2, minimum.theta)
    tangent = nonlinear_tangent(chi2, minimum.theta, nuisances=nuisances, on_kink=minimum.on_kink)
    shown = [i for i in range(len(names)) if i not in fixed]
    free = solve(tangent.at(mean=held.mean, held=held.free), held.correlation)
    solution = on_face(free, np.array([shown.index(i) for i in minimum.active], dtype=np.intp))
    error = np.sqrt(np.diag(free.covariance))
    up, down = error.copy(), -error
    if errors != "hesse":
        minos = errors == "minos"
        for k, i in enumerate(shown):
            if of is None or names[i] in of:
                up[k], down[k] = bounded_errors(chi2, minimum, i, bounded, error=float(error[k]), fixed=fixed, minos=minos)
    arguments = [parts.bound[i] for i in parts.explicit] + list(parts.free)
    return Fit(
        parameters=solution.parameters,
        nuisances=parts.bound,
        values=minimum.theta[shown],
        covariance=solution.covariance,
        up=up,
        down=down,
        chi2=minimum.chi2,
        pulls=nuisances,
        nuisance_variance=solution.nuisance_variance,
        cross_covariance=solution.cross_covariance,
        solution=solution,
        on_kink=tuple(arguments[i] for i in minimum.on_kink),
        theta=minimum.theta,
        second=None
        if errors == "hesse" or minimum.on_kink
        else _second_derivatives(chi2, minimum.theta, shown, [*fixed, *minimum.active]),
        at_bound=tuple(names[i] for i in minimum.active),
        others=tuple(OtherMinimum(values=o.theta[shown], delta_chi2=o.chi2 - minimum.chi2, theta=o.theta) for o in others),
    )


def _second_derivatives(chi2: Objective, theta: FloatArray, shown: list[int], held: list[int]) -> SecondDerivatives:
    from bayescomb.fit.minimise.nonlinear import theta_covariance

    covariance = theta_covariance(chi2, theta, held=held)
    reach = chi2.model.linear.loading @ chi2.correlation
    gain = chi2.whitening.solve(reach).T
    by_theta = -gain @ chi2.model.linear.design @ chi2.pseudo_jacobian(theta)
    conditional = np.diag(chi2.correlation) - np.einsum("nr,rn->n", gain, reach)
    spread = covariance @ by_theta.T
    return SecondDerivatives(
        covariance=covariance[np.ix_(shown, shown)],
        nuisance_variance=conditional + np.einsum("nt,tn->n", by_theta, spread),
        cross_covariance=spread[shown],
    )


def _pulls(chi2: Objective, theta: FloatArray) -> FloatArray:
    """Nuisances given theta: mean over prior mean, shape (N,)."""
    linear, curved = chi2.model.linear, chi2.model.curved
    q = curved.pseudo_parameters(theta, curved.prediction(theta))
    residual = chi2.whitening.solve(linear.offset - linear.design @ q)
    return chi2.correlation @ (linear.loading.T @ residual)

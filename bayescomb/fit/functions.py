r"""Functions of the fitted variables: observables with a formula and derived quantities.

With J the derivative of the functions by the parameters at the minimum, values and everything linear (covariance, weights,
parts of the errors) follow from J.  The ends of the Delta chi2 = 1 interval of a function g are its extremes over
:math:`\chi^2 \le \chi^2_\mathrm{min} + 1`, which profiles all other variables: there
:math:`\nabla g = \mu \nabla \chi^2`, and Newton's steps solve for the point and for mu with exact second derivatives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from bayescomb.base.arrays import FloatArray
from bayescomb.fit.fit_result import Fit, SecondDerivatives
from bayescomb.fit.minimise.mass_chi2 import DerivedSolution
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import Affine, Node, jet
from bayescomb.likelihood.linear_gaussian import Solution
from bayescomb.likelihood.nonlinear.objective import Objective

__all__ = ["Surface", "curved_surface", "quadratic_surface", "with_functions"]

NEWTON_STEPS = 60
# Newton's steps end where no component moves by more than this part of its error; chi2 then has grown by 1 to rounding.
SETTLED = 1e-9
# Growth of chi2 at an end may differ from 1 by this, so that an error is good to half of it.
GROWN = 1e-6


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Chi2 around its minimum, the nuisances that it is quadratic in profiled; x has the V variables first.

    Attributes:
        value, gradient, hessian: of x.
        point: the minimum, shape (n,).
        covariance: of x there, shape (n, n).
        bounds: component -> ends of its range.
        smooth: whether chi2 has no kinks.
    """

    value: Callable[[FloatArray], float]
    gradient: Callable[[FloatArray], FloatArray]
    hessian: Callable[[FloatArray], FloatArray]
    point: FloatArray
    covariance: FloatArray
    bounds: Mapping[int, tuple[float, float]]
    smooth: bool


def quadratic_surface(solution: Solution, bounds: Mapping[str, tuple[float, float]]) -> Surface:
    """Chi2 of a linear model over its parameters."""
    model, white = solution.model, solution.whitening
    half = model.design.T @ white.solve(model.design)

    def gradient(x: FloatArray) -> FloatArray:
        return np.asarray(-2 * model.design.T @ white.solve(model.offset - model.design @ x))

    return Surface(
        value=lambda x: white.square(model.offset - model.design @ x) + model.constant,
        gradient=gradient,
        hessian=lambda _: 2 * half,
        point=solution.values,
        covariance=solution.covariance,
        bounds={i: bounds[name] for i, name in enumerate(model.parameters) if name in bounds},
        smooth=True,
    )


def curved_surface(
    chi2: Objective,
    theta: FloatArray,
    covariance: FloatArray,
    bounds: Mapping[str, tuple[float, float]],
    held: Collection[int],
) -> Surface:
    """Chi2 of a curved model over the components of theta that are not held.

    Args:
        chi2: the objective.
        theta: its minimum, shape (size,).
        covariance: of theta, 0 for held components, shape (size, size).
        bounds: ends of the ranges of variables.
        held: components that stay.
    """
    free = np.setdiff1d(np.arange(len(theta)), list(held))

    def at(x: FloatArray) -> FloatArray:
        moved = theta.copy()
        moved[free] = x
        return moved

    names = chi2.model.curved.parts.observables
    position = {int(i): k for k, i in enumerate(free)}
    return Surface(
        value=lambda x: chi2.value(at(x)),
        gradient=lambda x: chi2.gradient(at(x))[free],
        hessian=lambda x: chi2.hessian(at(x))[np.ix_(free, free)],
        point=theta[free],
        covariance=covariance[np.ix_(free, free)],
        bounds={position[i]: bounds[name] for i, name in enumerate(names) if name in bounds},
        smooth=not chi2.kinked.size,
    )


def with_functions(combination: Combination, fit: Fit, surface: Surface | None, *, of: Collection[str] | None = None) -> Fit:
    """The fit with functions of its variables as further parameters.

    Args:
        combination: what was fitted.
        fit: the fit; P parameters.
        surface: chi2 for the Delta chi2 = 1 errors; ``None`` for those of the linearised model.
        of: functions whose Delta chi2 = 1 errors are wanted; all by default.
    """
    quantities = combination.quantities
    names = [o.name for o in quantities.functions]
    at = np.array([fit.parameters.index(o.name) for o in quantities.variables], dtype=np.intp)
    jets = [jet(quantities.nodes[name], fit.values[at], quantities.index) for name in names]
    jacobian = np.zeros((len(names), len(fit.parameters)))
    for row, name, found in zip(jacobian, names, jets, strict=True):
        row[at] = _slopes(quantities.affine[name], quantities.index, found.gradient)
    values = np.array([float(found.value) for found in jets])
    both = np.vstack([np.eye(len(fit.parameters)), jacobian])
    covariance = _extended(fit.covariance, jacobian)
    error = np.sqrt(np.diag(covariance)[len(fit.parameters) :])
    up, down = error.copy(), -error
    for i, name in enumerate(names if surface is not None else ()):
        exact = quantities.affine[name] is not None and combination.quadratic and not combination.bounds
        if surface is not None and not exact and (of is None or name in of):
            up[i], down[i] = _interval(surface, quantities.nodes[name], quantities.index, values[i], float(error[i]))
    return dataclasses.replace(
        fit,
        parameters=(*fit.parameters, *names),
        values=np.concatenate([fit.values, values]),
        covariance=covariance,
        up=np.concatenate([fit.up, up]),
        down=np.concatenate([fit.down, down]),
        cross_covariance=np.vstack([fit.cross_covariance, jacobian @ fit.cross_covariance]),
        solution=_solution(fit.solution, (*fit.parameters, *names), np.concatenate([fit.values, values]), both),
        second=fit.second
        and SecondDerivatives(
            covariance=_extended(fit.second.covariance, jacobian),
            nuisance_variance=fit.second.nuisance_variance,
            cross_covariance=np.vstack([fit.second.cross_covariance, jacobian @ fit.second.cross_covariance]),
        ),
        others=tuple(
            dataclasses.replace(other, values=np.concatenate([other.values, _values(combination, names, other.values[at])]))
            for other in fit.others
        ),
    )


def _slopes(part: Affine | None, index: Mapping[str, int], gradient: FloatArray) -> FloatArray:
    """Derivatives by the variables; of an affine quantity its coefficients, to the last bit."""
    if part is None:
        return gradient
    slopes = np.zeros(len(index))
    for name, coefficient in part.coefficients.items():
        slopes[index[name]] = coefficient
    return slopes


def _values(combination: Combination, names: Collection[str], variables: FloatArray) -> FloatArray:
    nodes, index = combination.quantities.nodes, combination.quantities.index
    return np.array([float(jet(nodes[name], variables, index).value) for name in names])


def _extended(covariance: FloatArray, jacobian: FloatArray) -> FloatArray:
    """Covariance of parameters and functions of them."""
    across = jacobian @ covariance
    return np.block([[covariance, across.T], [across, across @ jacobian.T]])


def _solution(
    solution: Solution | DerivedSolution, parameters: tuple[str, ...], values: FloatArray, rows: FloatArray
) -> DerivedSolution:
    """The derived solution of rows times the parameters of a solution."""
    if isinstance(solution, DerivedSolution):
        inner, by_parameter, by_nuisance = solution.inner, rows @ solution.by_parameter, rows @ solution.by_nuisance
    else:
        inner, by_parameter, by_nuisance = solution, rows, np.zeros((len(rows), len(solution.model.nuisances)))
    return DerivedSolution(
        inner=inner, parameters=parameters, values=values, by_parameter=by_parameter, by_nuisance=by_nuisance
    )


def _interval(surface: Surface, node: Node, index: Mapping[str, int], value: float, error: float) -> tuple[float, float]:
    """Signed distances (up, down) to the ends of the Delta chi2 = 1 interval of a function."""
    if error == 0:
        return 0.0, 0.0
    ends = []
    for sign in (1.0, -1.0):
        end = None
        if surface.smooth and not surface.bounds:
            end = _by_newton(surface, node, index, sign, error)
        end = _by_search(surface, node, index, sign, error) if end is None else end
        ends.append(sign * error if end is None else end - value)
    return ends[0], ends[1]


def _by_newton(surface: Surface, node: Node, index: Mapping[str, int], sign: float, error: float) -> float | None:
    """An extreme of the function where chi2 has grown by 1; ``None`` where Newton's steps do not end."""
    size, n = len(surface.point), len(index)
    lowest = surface.value(surface.point)
    scale = np.sqrt(np.maximum(np.diag(surface.covariance), 0.0))
    if not (scale > 0).all():
        return None
    first = jet(node, surface.point[:n], index)
    x = surface.point.copy()
    x += sign * (surface.covariance[:, :n] @ first.gradient) / error
    multiplier = sign * error / 2  # exact for a parabola: d g = mu d chi2
    for _ in range(NEWTON_STEPS):
        found = jet(node, x[:n], index)
        slope, bend = np.zeros(size), np.zeros((size, size))
        slope[:n], bend[:n, :n] = found.gradient, found.curvature
        by_x, grown = surface.gradient(x), surface.value(x) - lowest - 1.0
        matrix = np.zeros((size + 1, size + 1))
        matrix[:size, :size] = (bend - multiplier * surface.hessian(x)) * np.outer(scale, scale)
        matrix[:size, size] = matrix[size, :size] = -by_x * scale
        right = np.append(-(slope - multiplier * by_x) * scale, grown)
        if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
            return None
        try:
            step = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return None
        x = x + scale * step[:size]
        multiplier += float(step[size])
        if np.abs(step[:size]).max() < SETTLED and abs(grown) < GROWN:
            value = float(jet(node, x[:n], index).value)
            outward = (value - float(first.value)) * sign > 0 and multiplier * sign > 0
            return value if outward and abs(surface.value(x) - lowest - 1) < GROWN else None
    return None


def _by_search(surface: Surface, node: Node, index: Mapping[str, int], sign: float, error: float) -> float | None:
    """An extreme within bounds by sequential quadratic programming; ``None`` where that finds none."""
    size, n = len(surface.point), len(index)
    lowest = surface.value(surface.point)
    curvature = np.maximum(np.diag(surface.hessian(surface.point)) / 2, 1e-300)
    scale = 1 / np.sqrt(curvature)
    low, high = np.full(size, -np.inf), np.full(size, np.inf)
    for i, (a, b) in surface.bounds.items():
        low[i], high[i] = (a - surface.point[i]) / scale[i], (b - surface.point[i]) / scale[i]

    def at(step: FloatArray) -> FloatArray:
        return surface.point + scale * step

    def target(step: FloatArray) -> tuple[float, FloatArray]:
        found = jet(node, at(step)[:n], index)
        slope = np.zeros(size)
        slope[:n] = found.gradient
        return -sign * float(found.value) / error, -sign * slope * scale / error

    inside = {
        "type": "ineq",
        "fun": lambda step: 1.0 - (surface.value(at(step)) - lowest),
        "jac": lambda step: -surface.gradient(at(step)) * scale,
    }
    first = jet(node, surface.point[:n], index)
    start = np.clip(0.9 * sign * (surface.covariance[:, :n] @ first.gradient) / error / scale, low, high)
    found = minimize(
        target,
        start,
        jac=True,
        bounds=list(zip(low, high, strict=True)),
        constraints=[inside],
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 500},
    )
    grown = surface.value(at(found.x)) - lowest
    at_end = bool(((np.abs(found.x - low) < 1e-9) | (np.abs(found.x - high) < 1e-9)).any())
    if not np.isfinite(grown) or grown > 1 + GROWN or (grown < 1 - GROWN and not at_end):
        return None
    return float(jet(node, at(found.x)[:n], index).value)

"""What the sampled model needs where chi2 is not quadratic, worked out once before sampling."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import LinearModel, integrate_out
from bayescomb.minimise import minimise, starting_point, theta_covariance
from bayescomb.nonlinear_model import Curved, NonlinearModel, nonlinear_model, nonlinear_parts
from bayescomb.objective import objective

__all__ = ["CurvedPlan", "curved_plan"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class CurvedPlan:
    """Curved predictions, and the variables in which they are sampled; P parameters, Z explicit directions.

    The sampler moves p (observables and free nuisances) and white xi, with zeta = z_0 + A (p - p_0) + B xi: near the
    minimum of chi2 the xi are independent of p and of unit variance, whatever an input constrains and correlates.  Of zeta
    to z it is the identity but for the last ones, whose prior covariance S(r) the coefficients r change: there
    z = S(r)^1/2 zeta with the Cholesky root, which takes the funnel towards a singular S(r) out of the posterior.

    Attributes:
        map: (p, z) -> predictions.
        model: the full linear model in q.
        reduced: the same with all but the kept nuisances integrated.
        centre: p_0, shape (P,).
        covariance: of p near the minimum, shape (P, P).
        offset: z_0, shape (Z,).
        slope: A, shape (Z, P).
        scale: B, shape (Z, Z).
        n_kept: number of last z whose prior the coefficients change; S is 1 for them at the point of the plan.
    """

    map: Curved
    model: LinearModel
    reduced: LinearModel
    centre: FloatArray
    covariance: FloatArray
    offset: FloatArray
    slope: FloatArray
    scale: FloatArray
    n_kept: int

    def theta(self, parameters: Any, white: Any, root: Any, *, xp: Any = np) -> Any:
        """Theta from p, shape (P,), xi, (Z,), and S(r)^1/2, (n_kept, n_kept); symbols with ``pytensor.tensor``."""
        away = parameters - self.centre
        zeta = self.offset + xp.sum(self.slope * away, axis=1) + xp.sum(self.scale * white, axis=1)
        cut = len(self.offset) - self.n_kept
        return xp.concatenate([parameters, zeta[:cut], xp.sum(root * zeta[cut:], axis=1)])

    def pseudo_parameters(self, parameters: FloatArray, white: FloatArray, roots: FloatArray) -> FloatArray:
        """Parameters q of the linear model for draws of p, shape (n, P), xi, (n, Z), and S(r)^1/2, (n, n_kept, n_kept)."""
        rows = []
        for p, xi, root in zip(parameters, white, roots, strict=True):
            theta = self.theta(p, xi, root)
            rows.append(self.map.pseudo_parameters(theta, self.map.prediction(theta)))
        return np.array(rows)


def curved_plan(combination: Combination, correlation: FloatArray, kept: IntArray) -> CurvedPlan:
    """Models and variables.

    Args:
        combination: one whose chi2 is not quadratic.
        correlation: C of the nuisances at a feasible point well inside, shape (N, N).
        kept: positions of the nuisances whose prior the coefficients change.
    """
    parts = nonlinear_parts(combination)
    others = np.setdiff1d(np.arange(len(parts.bound)), kept)
    model = nonlinear_model(parts, correlation=correlation, groups=[others, kept])
    chi2 = objective(model, correlation)
    minimum = minimise(chi2, starting_point(chi2))
    covariance = theta_covariance(chi2, minimum.theta)
    n = len(parts.observables) + len(parts.free)
    slope = np.linalg.solve(covariance[:n, :n], covariance[:n, n:]).T
    rest = covariance[n:, n:] - slope @ covariance[:n, n:]
    eigenvalues, vectors = np.linalg.eigh(rest)
    return CurvedPlan(
        map=model.curved,
        model=model.linear,
        reduced=_reduced(model, correlation, kept),
        centre=minimum.theta[:n],
        covariance=covariance[:n, :n],
        offset=minimum.theta[n:],
        slope=slope,
        scale=vectors * np.sqrt(np.maximum(eigenvalues, 1e-12)),
        n_kept=model.white_sizes[-1],
    )


def _reduced(model: NonlinearModel, correlation: FloatArray, kept: IntArray) -> LinearModel:
    """The linear model with all but the kept nuisances integrated.

    The rows that tie z to kept nuisances have no noise and nothing integrated in them, so they join after the integration.
    """
    full, cut = model.linear, len(model.linear.offset) - model.white_sizes[-1]
    head = dataclasses.replace(
        full,
        design=full.design[:cut],
        loading=full.loading[:cut],
        estimate_loading=full.estimate_loading[:cut],
        offset=full.offset[:cut],
        signs=full.signs[:cut],
    )
    reduced = integrate_out(head, kept, correlation)
    return dataclasses.replace(
        reduced,
        design=np.vstack([reduced.design, full.design[cut:]]),
        loading=np.vstack([reduced.loading, full.loading[cut:][:, kept]]),
        estimate_loading=np.vstack([reduced.estimate_loading, full.estimate_loading[cut:]]),
        offset=np.concatenate([reduced.offset, full.offset[cut:]]),
        signs=np.concatenate([reduced.signs, full.signs[cut:]]),
    )

"""The profile-likelihood answer at fixed correlation coefficients, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from bayescomb.correlation import correlation_family
from bayescomb.feasibility import EIGENVALUE_TOLERANCE, smallest_eigenvalue
from bayescomb.inputs import Combination
from bayescomb.linear_gaussian import Solution, linear_model, solve
from bayescomb.repair import Repair, feasible_correlation

__all__ = ["ProfileResult", "goodness_of_fit", "profile", "solve_at"]


@dataclass(frozen=True, kw_only=True)
class ProfileResult:
    """Maximum-likelihood answer of a combination.

    Attributes:
        combination: what was combined, with the assumption set and the treatment in force.
        values: fitted parameters, dim ``parameter``, in the units of the observables.
        errors: their standard deviations, dim ``parameter``; the likelihood is Gaussian, so these are also the
            Delta chi2 = 1 intervals.
        covariance: dims ``parameter``, ``parameter_b``.
        weights: dims ``parameter``, ``estimate``: derivative of each parameter by each measured value.
        pulls: fitted nuisances in prior widths, dim ``nuisance``.
        constraints: post-fit over prior width, dim ``nuisance``; NaN-free: a nuisance of an indefinite source has none
            and is left out of this array.
        chi2, ndf, p_value: goodness of fit; ``p_value`` is ``None`` if ``ndf`` is 0.
        statistical_errors, systematic_errors: the part of each error that comes from the statistical covariance and from
            all nuisances, dim ``parameter``; they add in quadrature to ``errors``.
        repairs: source matrices that were repaired on request.
        chi2_form: the chi2 that was minimised.
    """

    combination: Combination
    values: xr.DataArray
    errors: xr.DataArray
    covariance: xr.DataArray
    weights: xr.DataArray
    pulls: xr.DataArray
    constraints: xr.DataArray
    chi2: float
    ndf: int
    p_value: float | None
    statistical_errors: xr.DataArray
    systematic_errors: xr.DataArray
    repairs: tuple[Repair, ...] = ()
    chi2_form: str = "neyman"


def solve_at(
    combination: Combination, *, coefficients: ArrayLike | None = None
) -> tuple[Solution, NDArray[np.float64], tuple[Repair, ...]]:
    """Solution, C and repairs at fixed coefficients, the nominal ones if none are given."""
    family = correlation_family(combination)
    r = family.nominal if coefficients is None else np.asarray(coefficients, dtype=float)
    correlation, repairs = feasible_correlation(combination, family, r)
    return solve(linear_model(combination), correlation), correlation, repairs


def profile(combination: Combination, *, coefficients: ArrayLike | None = None) -> ProfileResult:
    r"""Maximise the likelihood over observables and nuisances at fixed correlation coefficients.

    With V the covariance of the estimates, statistical and systematic, and B the map from observables to estimates, the
    values are :math:`(B^T V^{-1} B)^{-1} B^T V^{-1} x` with covariance :math:`(B^T V^{-1} B)^{-1}`
    (Valassi, NIM A 500 (2003) 391).

    Args:
        combination: what to combine.
        coefficients: shape (K,), in the order of the assumption set; nominal by default.

    Raises:
        InfeasibleCorrelationError: the coefficients leave the feasible set of the treatment in force.

    Examples:
        >>> import bayescomb as bc
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> f"{fit.values.item():.2f} +- {fit.errors.item():.2f} GeV, chi2 {fit.chi2:.1f} for {fit.ndf}"
        '172.51 +- 0.33 GeV, chi2 7.6 for 14'
    """
    solution, correlation, repairs = solve_at(combination, coefficients=coefficients)
    model = solution.model
    parameters = list(model.parameters)
    statistical = np.einsum("pr,r,pr->p", solution.influence, model.signs, solution.influence)
    variance = np.diag(solution.covariance)
    reach = solution.influence @ model.loading
    systematic = np.einsum("pn,nm,pm->p", reach, correlation, reach)
    has_posterior = _has_posterior(combination, solution, correlation)
    nuisances = np.array(model.nuisances, dtype=object)

    def by_parameter(values: NDArray[np.float64], name: str) -> xr.DataArray:
        units = {o.name: o.unit for o in combination.observables}
        unit = [units.get(p, "") for p in parameters]
        return xr.DataArray(
            values, dims="parameter", coords={"parameter": parameters, "unit": ("parameter", unit)}, name=name
        )

    n_estimates = len(combination.estimates)
    ndf = n_estimates - len(parameters)
    return ProfileResult(
        combination=combination,
        values=by_parameter(solution.values, "value"),
        errors=by_parameter(np.sqrt(variance), "error"),
        covariance=xr.DataArray(
            solution.covariance,
            dims=("parameter", "parameter_b"),
            coords={"parameter": parameters, "parameter_b": parameters},
            name="covariance",
        ),
        weights=xr.DataArray(
            solution.weights,
            dims=("parameter", "estimate"),
            coords={"parameter": parameters, "estimate": [e.name for e in combination.estimates]},
            name="weight",
        ),
        pulls=xr.DataArray(solution.pulls, dims="nuisance", coords={"nuisance": list(nuisances)}, name="pull"),
        constraints=xr.DataArray(
            np.sqrt(np.maximum(solution.nuisance_variance[has_posterior], 0.0)),
            dims="nuisance",
            coords={"nuisance": list(nuisances[has_posterior])},
            name="constraint",
        ),
        chi2=solution.chi2,
        ndf=ndf,
        p_value=goodness_of_fit(solution.chi2, ndf),
        statistical_errors=by_parameter(np.sqrt(statistical), "statistical error"),
        systematic_errors=by_parameter(np.sqrt(np.maximum(systematic, 0.0)), "systematic error"),
        repairs=repairs,
    )


def _has_posterior(combination: Combination, solution: Solution, correlation: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which nuisances have a proper marginal: all but those of blocks that are indefinite under ``covariance``."""
    proper = np.ones(len(solution.pulls), dtype=bool)
    for block in correlation_family(combination).blocks:
        if smallest_eigenvalue(correlation[np.ix_(block.nuisances, block.nuisances)]) < -EIGENVALUE_TOLERANCE:
            proper[block.nuisances] = False
    return proper


def goodness_of_fit(chi2: float, ndf: int) -> float | None:
    """p-value of a chi2, ``None`` where it is undefined because nothing is left to test."""
    return float(chdtrc(ndf, chi2)) if ndf > 0 else None

"""Results under every assumption set, of each experiment and of all, with their correlations; pulls of the estimates."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from bayescomb.base.choices import Parts
from bayescomb.base.errors import FitError, InfeasibleCorrelationError, UnderdeterminedError
from bayescomb.fit.profile import ProfileResult, profile
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.nonlinear.model import mapping

__all__ = ["SetRow", "estimate_profile", "estimate_pulls", "experiment_profiles", "set_rows"]

FAILURES = (UnderdeterminedError, InfeasibleCorrelationError, FitError)


@dataclass(frozen=True, kw_only=True)
class SetRow:
    """One assumption set.

    Attributes:
        name, description: of the set.
        fit: of all inputs, ``None`` if it has no minimum.
        experiments: experiment -> its fit alone, if its estimates determine every result.
        correlations: two experiments -> correlation of their first headline results by the measured values, without theory,
            which is common to both.
        problem: why there is no fit, empty if there is one.
    """

    name: str
    description: str
    fit: ProfileResult | None
    experiments: dict[str, ProfileResult]
    correlations: dict[tuple[str, str], float]
    problem: str = ""


def estimate_profile(combination: Combination, *, parts: Parts = "propagated") -> ProfileResult:
    """Profile with every estimate as its own observable, so that nothing is combined.

    Examples:
        >>> import bayescomb as bc
        >>> own = estimate_profile(bc.load("models/run1_mass"))
        >>> f"{own.values[0].item():.2f} +- {own.errors[0].item():.2f}"
        '173.79 +- 1.41'
    """
    return profile(combination.saturated(), parts=parts)


def estimate_pulls(fit: ProfileResult, estimates: ProfileResult) -> dict[str, float | None]:
    """Estimate -> its distance from the fit in units of the error of that distance.

    ``None`` for inputs that come from a fit, and where nothing else measures the same.

    Args:
        fit: the profile.
        estimates: of :func:`estimate_profile`.
    """
    combination = fit.combination
    variables = [o.name for o in combination.variables]
    values = fit.values.sel(parameter=variables).to_numpy()
    predict = mapping(combination)
    design = predict.jacobian(values)
    # An observable at its bound is fixed in the fit of the others.
    covariance = np.nan_to_num(fit.covariance.sel(parameter=variables, parameter_b=variables).to_numpy())
    total = np.diag(estimates.covariance.to_numpy())[: len(combination.estimates)]
    # For the best linear unbiased estimate the residual has covariance V - B cov B^T.
    variance = total - np.einsum("ep,pq,eq->e", design, covariance, design)
    residual = np.array([e.value for e in combination.estimates]) - predict.compared(values)
    fitted = [m.fit is not None for m in combination.measurements for _ in m.estimates]
    determined = (variance <= 1e-9 * total) | fitted
    return {
        estimate.name: None if determined[i] else float(residual[i] / np.sqrt(variance[i]))
        for i, estimate in enumerate(combination.estimates)
    }


def experiment_profiles(combination: Combination, *, parts: Parts = "propagated") -> dict[str, ProfileResult]:
    """Combination of each experiment alone, where its estimates determine the results."""
    names = list(dict.fromkeys(m.experiment for m in combination.measurements))
    results: dict[str, ProfileResult] = {}
    if len(names) < 2 or not all(names):
        return results
    for name in names:
        try:
            results[name] = profile(combination.only([name]), parts=parts)
        except FAILURES:
            continue  # its estimates alone do not determine every observable, or alone they are no valid input
    return results


def set_rows(
    combination: Combination, fit: ProfileResult, estimates: ProfileResult, experiments: dict[str, ProfileResult]
) -> tuple[SetRow, ...]:
    """Every assumption set of the model; none if there is one only, or if results are normalised or have a bound.

    Args:
        combination: what is reported.
        fit: its profile under the set in force.
        estimates: of :func:`estimate_profile`, under the set in force.
        experiments: of :func:`experiment_profiles`, under the set in force.
    """
    if len(combination.assumption_sets) < 2 or combination.normalise or combination.nonnegative:
        return ()
    rows = []
    for name, assumption_set in combination.assumption_sets.items():
        found, own, alone, problem = fit, estimates, experiments, ""
        if name != combination.assumptions:
            other = combination.with_assumptions(name)
            try:
                found, own = profile(other, parts=fit.parts), estimate_profile(other)
                alone = experiment_profiles(other, parts=fit.parts)
            except FAILURES as error:
                problem = str(error)
        rows.append(
            SetRow(
                name=name,
                description=assumption_set.description,
                fit=None if problem else found,
                experiments={} if problem else alone,
                correlations={} if problem else _correlations(combination, own, alone),
                problem=problem,
            )
        )
    return tuple(rows)


def _correlations(
    combination: Combination, estimates: ProfileResult, alone: dict[str, ProfileResult]
) -> dict[tuple[str, str], float]:
    """cov(a, b) = w_a V_ab w_b^T with w the weights of each experiment's own fit, V the covariance of the estimates."""
    count = len(combination.estimates)
    covariance = estimates.covariance.to_numpy()[:count, :count]
    names = [e.name for e in combination.estimates]
    first = combination.headline[0].name
    weights = {}
    for experiment, fit in alone.items():
        if first not in fit.weights["parameter"]:
            continue
        own = fit.weights.sel(parameter=first)
        wide = np.zeros(count)
        wide[[names.index(str(name)) for name in own["estimate"].to_numpy()]] = own.to_numpy()
        weights[experiment] = wide
    found = {}
    for a, b in itertools.combinations(weights, 2):
        parts = [weights[i] @ covariance @ weights[j] for i, j in ((a, a), (b, b), (a, b))]
        if parts[0] > 0 and parts[1] > 0:
            found[a, b] = float(parts[2] / np.sqrt(parts[0] * parts[1]))
    return found

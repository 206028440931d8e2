"""Random problems for the linear algebra, and an independent dense solution of them straight from the definitions."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

import bayescomb as bc


class Dense(NamedTuple):
    """Fields of the library's Solution that a dense fit of parameters and nuisances gives."""

    values: np.ndarray
    covariance: np.ndarray
    chi2: float
    pulls: np.ndarray
    nuisance_variance: np.ndarray
    cross_covariance: np.ndarray


def dense_solution(combination, factor):
    """Explicit precision of parameters and nuisances, inverted.

    The nuisances are factor @ u with u ~ N(0, 1), so their prior correlation factor @ factor.T may be singular.
    """
    free = [n.name for n in combination.nuisances if n.free]
    bound = [n.name for n in combination.nuisances if not n.free]
    n_observables, n_parameters = len(combination.observables), len(combination.observables) + len(free)
    size = n_parameters + factor.shape[1]
    unit = np.eye(size)
    row_of = {name: unit[n_observables + i] for i, name in enumerate(free)}
    row_of |= {name: np.concatenate([np.zeros(n_parameters), factor[i]]) for i, name in enumerate(bound)}
    precision = block_diag(np.zeros((n_parameters,) * 2), np.eye(factor.shape[1]))
    right, constant, start = np.zeros(size), 0.0, 0
    for measurement in combination.measurements:
        n = len(measurement.estimates)
        measured = np.array([e.value for e in measurement.estimates])
        predicted = np.zeros((n, size))
        predicted[:, :n_observables] = combination.design[start : start + n]
        for response, nuisance in zip(measurement.responses.T, measurement.nuisances, strict=True):
            predicted -= np.outer(response, row_of[nuisance.name])  # a published value is predicted by mu - k
        if measurement.fit is None:
            information = np.linalg.inv(measurement.statistical_covariance)
            gradient = information @ measured
        else:
            fitted = measurement.fit.nuisances
            predicted = np.vstack([predicted, *[row_of[nuisance.name] for nuisance in fitted]])
            prior = np.diag([0.0] * n + [float(not nuisance.free) for nuisance in fitted])
            information = measurement.fit.information - prior
            gradient = measurement.fit.information @ np.concatenate([measured, measurement.fit.pulls])
        precision += predicted.T @ information @ predicted
        right += predicted.T @ gradient
        constant += gradient @ np.linalg.pinv(information, rcond=1e-12, hermitian=True) @ gradient
        start += n
    covariance = np.linalg.inv(precision)
    best = covariance @ right
    nuisance_covariance = factor @ covariance[n_parameters:, n_parameters:] @ factor.T
    return Dense(
        values=best[:n_parameters],
        covariance=covariance[:n_parameters, :n_parameters],
        chi2=constant - right @ best,
        pulls=factor @ best[n_parameters:],
        nuisance_variance=np.diag(nuisance_covariance),
        cross_covariance=covariance[:n_parameters, n_parameters:] @ factor.T,
    )


def assert_same_solution(found, expected, *, rtol=1e-8):
    """All fields agree, with a tolerance in units of the largest entry of each."""
    for name in Dense._fields:
        a, b = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(initial=1e-300), err_msg=name)


def random_factor(rng, n, rank):
    """L of shape (n, rank) with rows of unit length: L @ L.T is a correlation matrix of that rank."""
    rows = rng.normal(size=(n, rank))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_covariance(rng, n):
    root = rng.normal(size=(n, n)) + 2 * np.eye(n)
    return root @ root.T / n


def estimates_of(name, values, maps):
    return tuple(
        bc.Estimate(name=f"{name}.e{i}", value=float(value), observables=mapping)
        for i, (value, mapping) in enumerate(zip(values, maps, strict=True))
    )


def random_map(rng, observables):
    """A linear map to all observables, so that estimates of ratios or sums occur too."""
    return {name: float(c) for name, c in zip(observables, rng.normal(size=len(observables)), strict=True)}


def external_measurement(rng, name, *, observables, n_estimates, n_nuisances):
    """Statistical covariance and responses, all random."""
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=estimates_of(
            name, rng.normal(10, 3, n_estimates), [random_map(rng, observables) for _ in range(n_estimates)]
        ),
        statistical_covariance=random_covariance(rng, n_estimates),
        nuisances=tuple(bc.Nuisance(name=f"{name}.n{i}") for i in range(n_nuisances)),
        responses=rng.normal(size=(n_estimates, n_nuisances)),
    )


def fit_of_data(name, *, design, data, maps, free=(), external=None):
    """The input that a fit of data with unit errors publishes: values, pulls and information, unit priors included.

    Args:
        name: of the measurement.
        design: shape (bins, n + m), what the n estimates and m nuisances add to the data.
        data: shape (bins,).
        maps: n maps to the observables.
        free: positions of the nuisances without a prior.
        external: shifts of the n published values by externalised nuisances, shape (n, k).
    """
    n = len(maps)
    prior = np.array([0.0] * n + [float(i not in free) for i in range(design.shape[1] - n)])
    information = design.T @ design + np.diag(prior)
    best = np.linalg.solve(information, design.T @ data)
    nuisances = tuple(bc.Nuisance(name=f"{name}.n{i}", free=i in free) for i in range(design.shape[1] - n))
    external = np.zeros((n, 0)) if external is None else external
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=estimates_of(name, best[:n], maps),
        nuisances=tuple(bc.Nuisance(name=f"{name}.x{i}") for i in range(external.shape[1])),
        responses=external,
        fit=bc.FittedInput(nuisances=nuisances, information=information, pulls=best[n:]),
    )


def combine(*measurements, observables=None, coefficients=(), name="test", **settings):
    """A combination with one assumption set; observables: names, those of the estimates by default."""
    measured = (observable for m in measurements for e in m.estimates for observable in e.observables)
    return bc.Combination(
        name=name,
        measurements=measurements,
        observables=tuple(bc.Observable(name=n) for n in observables or dict.fromkeys(measured)),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=coefficients)},
        assumptions="set",
        **settings,
    )


def coefficient(name, nominal, *pairs, low=None, high=None):
    """A coefficient of the pairs (first, second) or (first, second, sign), sampled if it has a range."""
    made = tuple(bc.CorrelationPair(first=p[0], second=p[1], sign=p[2] if len(p) > 2 else 1) for p in pairs)
    return bc.CorrelationCoefficient(name=name, pairs=made, nominal=nominal, low=low, high=high)

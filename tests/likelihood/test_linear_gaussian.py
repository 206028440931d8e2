"""The closed form against an independent dense fit of parameters and nuisances, and against joint fits of simulated data."""

import dataclasses

import numpy as np
import pytest
from gaussian import (
    assert_same_solution,
    coefficient,
    combine,
    dense_solution,
    estimates_of,
    external_measurement,
    fit_of_data,
    random_factor,
    random_map,
)
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.fit.fitter import Fitter
from bayescomb.likelihood.linear_gaussian import integrate_out, linear_model, marginal_covariance, solve

OBSERVABLES = ("x", "y")


def bound(combination):
    return [n.name for n in combination.nuisances if not n.free]


def fitted_measurement(rng, name, *, n_estimates=2, n_nuisances=3, free=(), external=0):
    """An input's own fit of 9 random bins."""
    return fit_of_data(
        name,
        design=rng.normal(size=(9, n_estimates + n_nuisances)),
        data=rng.normal(size=9),
        maps=[random_map(rng, OBSERVABLES) for _ in range(n_estimates)],
        free=free,
        external=rng.normal(size=(n_estimates, external)),
    )


def mixed_combination(rng):
    """Two observables from an external input, a fit, and a fit with a free nuisance and externalised ones on top."""
    return combine(
        external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=3, n_nuisances=4),
        fitted_measurement(rng, "b"),
        fitted_measurement(rng, "c", free=(1,), external=2),
        observables=OBSERVABLES,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rank", [1, 2, 6, 11, 20], ids=["1", "2", "6", "just regular", "well conditioned"])
def test_correlation_of_any_rank_agrees_with_the_dense_fit(seed, rank):
    rng = np.random.default_rng([seed, rank])
    combination = mixed_combination(rng)
    factor = random_factor(rng, len(bound(combination)), rank)
    assert_same_solution(solve(linear_model(combination), factor @ factor.T), dense_solution(combination, factor))


def test_singular_correlation_is_the_limit_of_regular_ones():
    rng = np.random.default_rng(7)
    combination = mixed_combination(rng)
    factor = random_factor(rng, len(bound(combination)), 2)
    singular, unit = factor @ factor.T, np.eye(len(factor))
    at_limit = solve(linear_model(combination), singular)
    for eps in (1e-4, 1e-6):
        near = solve(linear_model(combination), (1 - eps) * singular + eps * unit)
        # the change is linear in eps, with a slope that the data fix to a few tens here
        assert_same_solution(near, at_limit, rtol=100 * eps)


def test_covariance_treatment_agrees_with_the_summed_covariance_for_an_indefinite_matrix():
    rng = np.random.default_rng(8)
    measurement = external_measurement(rng, "a", observables=("x",), n_estimates=4, n_nuisances=3)
    indefinite = np.array([[1, 0.9, 0.9], [0.9, 1, 0], [0.9, 0, 1.0]])
    # the statistical errors dominate, as in measurements whose total stays positive definite
    measurement = dataclasses.replace(measurement, responses=0.1 * measurement.responses)
    combination = combine(measurement)
    solution = solve(linear_model(combination), indefinite)
    total = measurement.statistical_covariance + measurement.responses @ indefinite @ measurement.responses.T
    design, values = combination.design, np.array([e.value for e in measurement.estimates])
    inverse = np.linalg.inv(total)
    covariance = np.linalg.inv(design.T @ inverse @ design)
    weights = covariance @ design.T @ inverse
    residual = values - design @ weights @ values
    np.testing.assert_allclose(solution.covariance, covariance, rtol=1e-10)
    np.testing.assert_allclose(solution.weights, weights, rtol=1e-10)
    np.testing.assert_allclose(solution.chi2, residual @ inverse @ residual, rtol=1e-10)


def test_weights_are_the_change_of_the_values_by_a_unit_change_of_each_estimate():
    rng = np.random.default_rng(9)
    combination = mixed_combination(rng)
    factor = random_factor(rng, len(bound(combination)), 15)
    solution = solve(linear_model(combination), factor @ factor.T)
    for i, estimate in enumerate(combination.estimates):
        measurements = []
        for m in combination.measurements:
            moved = tuple(dataclasses.replace(e, value=e.value + 1) if e.name == estimate.name else e for e in m.estimates)
            measurements.append(dataclasses.replace(m, estimates=moved))
        shifted = solve(linear_model(dataclasses.replace(combination, measurements=tuple(measurements))), factor @ factor.T)
        np.testing.assert_allclose(shifted.values - solution.values, solution.weights[:, i], rtol=1e-8, atol=1e-9)


def test_fitted_input_alone_gives_back_its_own_fit():
    rng = np.random.default_rng(10)
    measurement = fit_of_data("a", design=rng.normal(size=(9, 4)), data=rng.normal(size=9), maps=[{"x": 1.0}])
    solution = solve(linear_model(combine(measurement)), np.eye(3))
    covariance = np.linalg.inv(measurement.fit.information)
    np.testing.assert_allclose(solution.values, [measurement.estimates[0].value], rtol=1e-10)
    np.testing.assert_allclose(solution.pulls, measurement.fit.pulls, rtol=1e-9)
    np.testing.assert_allclose(solution.covariance, covariance[:1, :1], rtol=1e-10)
    np.testing.assert_allclose(solution.nuisance_variance, np.diag(covariance)[1:], rtol=1e-10)
    np.testing.assert_allclose(solution.cross_covariance, covariance[:1, 1:], rtol=1e-9, atol=1e-12)


def two_simulated_fits(rng, rho):
    """Two experiments that fit x and y with three nuisances each, of which the first two are correlated by rho."""
    designs, data = rng.normal(size=(2, 9, 5)), rng.normal(size=(2, 9)) + 1
    maps = [{name: 1.0} for name in OBSERVABLES]
    fits = [fit_of_data(n, design=d, data=y, maps=maps) for n, d, y in zip("ab", designs, data, strict=True)]
    shared = [coefficient(f"r{i}", rho, (f"a.n{i}", f"b.n{i}")) for i in range(2)]
    return combine(*fits, observables=OBSERVABLES, coefficients=tuple(shared)), designs, data


def data_chi2_of_own_fits(designs, data):
    """What is left of the data when each fit is free in all of its parameters: no combination can change it."""
    return sum(np.linalg.lstsq(d, y)[1].item() for d, y in zip(designs, data, strict=True))


def test_two_fits_that_share_nuisances_equal_the_joint_fit_of_their_data():
    combination, designs, data = two_simulated_fits(np.random.default_rng(11), 1.0)
    fit = bc.profile(combination)
    # joint parameters: x, y, two shared nuisances, one own nuisance of each experiment
    own = np.zeros((9, 1))
    joint = np.vstack([np.hstack([designs[0], own]), np.hstack([designs[1][:, :4], own, designs[1][:, 4:]])])
    covariance = np.linalg.inv(joint.T @ joint + np.diag([0, 0, 1, 1, 1, 1]))
    best = covariance @ joint.T @ data.ravel()
    np.testing.assert_allclose(fit.values, best[:2], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(fit.covariance, covariance[:2, :2], rtol=1e-12)
    np.testing.assert_allclose(fit.pulls, best[[2, 3, 4, 2, 3, 5]], rtol=1e-10)
    np.testing.assert_allclose(fit.constraints, np.sqrt(np.diag(covariance))[[2, 3, 4, 2, 3, 5]], rtol=1e-10)
    chi2 = np.sum((data.ravel() - joint @ best) ** 2) + np.sum(best[2:] ** 2)
    np.testing.assert_allclose(fit.chi2 + fit.own_chi2 + data_chi2_of_own_fits(designs, data), chi2, rtol=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.6, -0.95])
def test_two_fits_with_correlated_nuisances_equal_the_joint_fit_of_their_data(rho):
    combination, designs, data = two_simulated_fits(np.random.default_rng(12), rho)
    fit = bc.profile(combination)
    joint = np.zeros((18, 8))
    joint[:9, :5], joint[9:, :2], joint[9:, 5:] = designs[0], designs[1][:, :2], designs[1][:, 2:]
    correlation = np.eye(6)
    correlation[[0, 1, 3, 4], [3, 4, 0, 1]] = rho
    precision = joint.T @ joint
    precision[2:, 2:] += np.linalg.inv(correlation)
    covariance = np.linalg.inv(precision)
    best = covariance @ joint.T @ data.ravel()
    np.testing.assert_allclose(fit.values, best[:2], rtol=1e-11)
    np.testing.assert_allclose(fit.covariance, covariance[:2, :2], rtol=1e-11)
    np.testing.assert_allclose(fit.pulls, best[2:], rtol=1e-9)
    np.testing.assert_allclose(fit.constraints, np.sqrt(np.diag(covariance))[2:], rtol=1e-9)
    chi2 = np.sum((data.ravel() - joint @ best) ** 2) + best[2:] @ np.linalg.solve(correlation, best[2:])
    np.testing.assert_allclose(fit.chi2 + fit.own_chi2 + data_chi2_of_own_fits(designs, data), chi2, rtol=1e-10)


def overconstrained_fit(rng):
    """A published fit whose second nuisance is wider than its prior, as numerical Hessians give it."""
    measurement = fitted_measurement(rng, "b")
    information = measurement.fit.information.copy()
    information[3, :] = information[:, 3] = 0.01
    information[3, 3] = 0.95
    return dataclasses.replace(measurement, fit=dataclasses.replace(measurement.fit, information=information))


def test_constraint_above_1_is_kept_and_agrees_with_the_dense_fit():
    rng = np.random.default_rng(13)
    external = external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=3, n_nuisances=2)
    combination = combine(external, overconstrained_fit(rng), observables=OBSERVABLES)
    factor = random_factor(rng, 5, 7)
    model = linear_model(combination)
    assert (model.signs < 0).sum() == 1
    solution = solve(model, factor @ factor.T)
    assert_same_solution(solution, dense_solution(combination, factor))
    alone = solve(linear_model(combine(combination.measurements[1], observables=OBSERVABLES)), np.eye(3))
    assert alone.nuisance_variance[1] > 1


def test_free_nuisance_is_a_parameter_and_gives_back_its_own_fit():
    rng = np.random.default_rng(14)
    measurement = fit_of_data("a", design=rng.normal(size=(9, 4)), data=rng.normal(size=9), maps=[{"x": 1.0}], free=(1,))
    model = linear_model(combine(measurement))
    assert model.parameters == ("x", "a.n1")
    assert model.nuisances == ("a.n0", "a.n2")
    solution = solve(model, np.eye(2))
    covariance = np.linalg.inv(measurement.fit.information)
    np.testing.assert_allclose(solution.values, [measurement.estimates[0].value, measurement.fit.pulls[1]], rtol=1e-9)
    np.testing.assert_allclose(solution.covariance, covariance[np.ix_([0, 2], [0, 2])], rtol=1e-9)


@pytest.mark.parametrize(("kept", "n_estimates"), [(range(4), 3), (range(3, 5), 8)], ids=["few rows", "many rows"])
def test_integrating_nuisances_out_first_changes_nothing(kept, n_estimates):
    rng = np.random.default_rng(15)
    combination = combine(
        external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=n_estimates, n_nuisances=7),
        observables=OBSERVABLES,
    )
    assert_integrating_out_changes_nothing(combination, np.array(kept), rng)


def test_integrating_nuisances_of_an_overconstrained_fit_out_first_changes_nothing():
    rng = np.random.default_rng(16)
    external = external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=3, n_nuisances=4)
    combination = combine(external, overconstrained_fit(rng), observables=OBSERVABLES)
    for kept in ([0, 1], [1, 5], [0, 4, 5, 6], []):
        assert_integrating_out_changes_nothing(combination, np.array(kept, dtype=int), rng)


def assert_integrating_out_changes_nothing(combination, kept, rng):
    model = linear_model(combination)
    others = np.setdiff1d(np.arange(len(model.nuisances)), kept)
    correlation = np.zeros((len(model.nuisances),) * 2)
    for part in (kept, others):
        factor = random_factor(rng, len(part), 3) if len(part) else np.zeros((0, 3))
        correlation[np.ix_(part, part)] = factor @ factor.T
    reduced = integrate_out(model, kept, correlation)
    assert len(reduced.offset) <= min(len(model.offset), len(model.parameters) + len(kept))
    whole, part = solve(model, correlation), solve(reduced, correlation[np.ix_(kept, kept)])
    for name in ("values", "covariance", "chi2", "weights"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name), rtol=1e-8, atol=1e-8, err_msg=name)
    for name in ("pulls", "nuisance_variance", "cross_covariance"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[..., kept], rtol=1e-8, atol=1e-8, err_msg=name)


def test_infeasible_total_precision_is_refused():
    measurement = bc.Measurement(
        name="a",
        estimates=estimates_of("a", [1.0, 2.0], [{"x": 1.0}] * 2),
        statistical_covariance=0.01 * np.eye(2),
        nuisances=(bc.Nuisance(name="s"), bc.Nuisance(name="t")),
        responses=np.eye(2),
    )
    with refused(InfeasibleCorrelationError, "total covariance", "feasible set", "towards their nominal values"):
        solve(linear_model(combine(measurement)), np.array([[1.0, 1.2], [1.2, 1.0]]))


def test_integrating_out_what_has_no_proper_density_is_refused():
    rng = np.random.default_rng(17)
    model = linear_model(combine(overconstrained_fit(rng), observables=OBSERVABLES))
    with refused(InfeasibleCorrelationError, "total covariance"):
        # a prior 30 times wider than a unit one cannot hold a nuisance that the data push away
        integrate_out(model, np.array([0]), 900 * np.eye(3))


def test_estimate_with_a_huge_uncertainty_drops_out_instead_of_being_called_infeasible(run1):
    measurements = list(run1.measurements)
    responses = measurements[9].responses.copy()
    responses[0, 11] = 1e9  # pileup of estimate j, in GeV
    measurements[9] = dataclasses.replace(measurements[9], responses=responses)
    fit = bc.profile(dataclasses.replace(run1, measurements=tuple(measurements)))
    assert fit.weights.sel(estimate="j").item() == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_covariance_of_the_nuisances_has_their_variances_and_is_what_holding_them_takes(seed):
    rng = np.random.default_rng([seed, 9])
    combination = mixed_combination(rng)
    factor = random_factor(rng, len(bound(combination)), 20)
    solution = solve(linear_model(combination), factor @ factor.T)
    np.testing.assert_allclose(np.diag(solution.nuisance_covariance), solution.nuisance_variance, rtol=1e-9)
    exact = dense_solution(combination, factor)
    np.testing.assert_allclose(np.diag(solution.nuisance_covariance), exact.nuisance_variance, rtol=1e-8)


def test_marginal_covariance_is_the_total_one_in_units_of_the_statistical_one():
    rng = np.random.default_rng(4)
    measurement = external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=3, n_nuisances=4)
    combination = combine(measurement, observables=OBSERVABLES)
    factor = random_factor(rng, 4, 4)
    correlation = factor @ factor.T
    found = np.linalg.eigvalsh(marginal_covariance(linear_model(combination), correlation))
    statistical = measurement.statistical_covariance
    total = statistical + measurement.responses @ correlation @ measurement.responses.T
    np.testing.assert_allclose(found, np.sort(np.linalg.eigvals(np.linalg.solve(statistical, total)).real), rtol=1e-9)


def test_held_nuisances_stay_where_they_were_fitted():
    rng = np.random.default_rng(6)
    combination = combine(
        external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=3, n_nuisances=4), observables=OBSERVABLES
    )
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation()
    fit = fitter.fit(correlation)
    names = fit.nuisances[:2]
    again = fitter.fit(correlation, held=fitter.hold(fit, correlation, names))
    np.testing.assert_allclose(again.pulls[:2], fit.pulls[:2], rtol=1e-9)
    np.testing.assert_allclose(again.values, fit.values, rtol=1e-9)
    np.testing.assert_allclose(again.nuisance_variance[:2], 0.0, atol=1e-12)

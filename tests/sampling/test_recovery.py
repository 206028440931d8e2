"""Recovered nuisances and conditional moments against the closed form at fixed coefficients."""

import dataclasses

import numpy as np
import pytest
from combinations import star

import bayescomb as bc
from bayescomb.likelihood.linear_gaussian import solve
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.recovery import conditional_moments, recover_nuisances, recoverable_nuisances


@pytest.fixture(scope="module")
def run1_plan():
    return sampling_plan(bc.load("models/run1_mass"))


def some_coefficients(plan, n, seed):
    return np.random.default_rng(seed).uniform(plan.low, plan.high, (n, len(plan.sampled)))


def test_conditional_moments_are_the_profile_at_each_draw(run1_plan):
    coefficients = some_coefficients(run1_plan, 20, seed=1)
    means, sds = conditional_moments(run1_plan, coefficients)
    for r, mean, sd in zip(coefficients, means, sds, strict=True):
        fit = bc.profile(run1_plan.combination, coefficients=r)
        assert mean.item() == pytest.approx(fit.values.item(), rel=1e-12)
        assert sd.item() == pytest.approx(fit.errors.item(), rel=1e-10)


def test_reduced_model_gives_the_same_parameters_as_the_full_one():
    """Blocks without a sampled coefficient are integrated before sampling; nothing about the observables may change."""
    combination = bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest")
    plan = sampling_plan(combination)
    assert len(plan.kept) < len(plan.family.nuisances)
    for r in some_coefficients(plan, 5, seed=2):
        correlation = plan.correlation(r[None])[0]
        full = solve(plan.model, correlation)
        reduced = solve(plan.reduced, correlation[np.ix_(plan.kept, plan.kept)])
        np.testing.assert_allclose(reduced.values, full.values, rtol=1e-12)
        np.testing.assert_allclose(reduced.covariance, full.covariance, rtol=1e-10)
        np.testing.assert_allclose(reduced.pulls, full.pulls[plan.kept], atol=1e-10)
        assert reduced.chi2 == pytest.approx(full.chi2, rel=1e-10)


def test_recovered_nuisances_have_the_exact_conditional_moments():
    """At one coefficient vector, with m_t drawn from its Gaussian: mean, width and correlation with m_t."""
    combination = star(3, shared=True, separate_observables=False, nominal=0.5)
    plan = sampling_plan(combination)
    n, rng = 40_000, np.random.default_rng(3)
    coefficients = np.full((n, 1), 0.4)
    exact = solve(plan.model, plan.correlation(coefficients[:1])[0])
    parameters = exact.values + np.sqrt(exact.covariance[0, 0]) * rng.standard_normal((n, 1))
    recoverable = recoverable_nuisances(plan)
    draws = recover_nuisances(plan, recoverable, coefficients, parameters, rng=rng)
    error = 5 / np.sqrt(n)  # five standard errors of independent draws
    np.testing.assert_allclose(draws.mean(axis=0), exact.pulls, atol=error * np.sqrt(exact.nuisance_variance).max())
    np.testing.assert_allclose(draws.var(axis=0), exact.nuisance_variance, rtol=error * np.sqrt(2))
    cross = ((parameters - exact.values) * (draws - exact.pulls)).mean(axis=0)
    scale = np.sqrt(exact.covariance[0, 0] * exact.nuisance_variance.max())
    np.testing.assert_allclose(cross, exact.cross_covariance[0], atol=error * np.sqrt(2) * scale)


def test_nuisances_of_indefinite_sources_are_named_not_drawn(run1_plan):
    recoverable = recoverable_nuisances(run1_plan)
    assert {"btag", "LHCrad", "PDF", "bkgMC"} <= set(recoverable.reasons)
    names = {run1_plan.family.nuisances[i] for i in recoverable.index}
    assert "LHCbJES[a]" in names
    assert "PDF[a]" not in names


def test_nuisance_treatment_recovers_all():
    plan = sampling_plan(bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest"))
    recoverable = recoverable_nuisances(plan)
    assert len(recoverable.index) == 375
    draws = recover_nuisances(
        plan,
        recoverable,
        some_coefficients(plan, 50, seed=4),
        np.full((50, 1), 172.5),
        rng=np.random.default_rng(5),
    )
    assert np.isfinite(draws).all()


def test_nuisances_without_a_sampled_coefficient_are_drawn_given_those_with_one():
    """Every measurement of a star has a second nuisance that no coefficient concerns."""
    plain = star(2, shared=True, separate_observables=False, nominal=0.5)
    measurements = tuple(
        dataclasses.replace(m, nuisances=(*m.nuisances, bc.Nuisance(name=f"own {m.name}")), responses=np.array([[1.0, 0.8]]))
        for m in plain.measurements
    )
    plan = sampling_plan(dataclasses.replace(plain, measurements=measurements))
    assert len(plan.kept) == 3
    n, rng = 20_000, np.random.default_rng(8)
    coefficients = np.full((n, 1), 0.4)
    exact = solve(plan.model, plan.correlation(coefficients[:1])[0])
    parameters = exact.values + np.sqrt(exact.covariance[0, 0]) * rng.standard_normal((n, 1))
    draws = recover_nuisances(plan, recoverable_nuisances(plan), coefficients, parameters, rng=rng)
    error = 5 / np.sqrt(n)  # five standard errors of independent draws
    np.testing.assert_allclose(draws.mean(axis=0), exact.pulls, atol=error)
    np.testing.assert_allclose(np.cov(draws.T), exact.nuisance_covariance, atol=error * np.sqrt(2))


def test_nuisances_of_inputs_that_loosen_a_prior_have_the_exact_moments():
    """A constraint above 1 gives rows of sign -1, which widen the prior of a nuisance with a sampled coefficient."""
    covariance = np.array([[1.0, 0.2, 0.1], [0.2, 1.3, 0.0], [0.1, 0.0, 0.8]])
    fit = bc.FittedInput(
        nuisances=(bc.Nuisance(name="a"), bc.Nuisance(name="b")), information=np.linalg.inv(covariance), pulls=[0.3, -0.4]
    )
    inputs = (
        bc.Measurement(name="fit", estimates=(bc.Estimate(name="e", value=10.0, observables={"x": 1.0}),), fit=fit),
        bc.Measurement(
            name="other",
            estimates=(bc.Estimate(name="f", value=11.0, observables={"x": 1.0}),),
            statistical_covariance=[[0.5]],
            nuisances=(bc.Nuisance(name="c"),),
            responses=[[0.7]],
        ),
    )
    pair = bc.CorrelationPair(first="a", second="c")
    coefficient = bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.3, low=0.0, high=0.6)
    combination = bc.Combination(
        name="loosened",
        observables=(bc.Observable(name="x"),),
        measurements=inputs,
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=(coefficient,))},
        assumptions="nominal",
        treatment="nuisance",
    )
    plan = sampling_plan(combination)
    assert (plan.reduced.signs < 0).any()
    n, rng = 20_000, np.random.default_rng(9)
    coefficients = np.full((n, 1), 0.4)
    exact = solve(plan.model, plan.correlation(coefficients[:1])[0])
    parameters = exact.values + np.sqrt(exact.covariance[0, 0]) * rng.standard_normal((n, 1))
    draws = recover_nuisances(plan, recoverable_nuisances(plan), coefficients, parameters, rng=rng)
    error = 5 * np.sqrt(2 * exact.nuisance_variance.max() ** 2 / n)
    np.testing.assert_allclose(draws.mean(axis=0), exact.pulls, atol=error)
    np.testing.assert_allclose(np.cov(draws.T), exact.nuisance_covariance, atol=error)

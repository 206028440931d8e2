"""Large and small in one combination: tight constraints, and units from 1e-12 to 1e12, against rational arithmetic."""

import dataclasses

import numpy as np
import pytest
from exact import ExactFit
from gaussian import coefficient, combine
from tight import measurement, unitarity

import bayescomb as bc
from bayescomb.likelihood.linear_gaussian import linear_model, solve
from bayescomb.sampling.fused.likelihood import centred, marginal_kernel, packed
from bayescomb.sampling.plan import sampling_plan

CASES = 12


@pytest.mark.parametrize("power", range(3, 12))
def test_chi2_of_a_tight_constraint(power):
    fit, variance = bc.profile(unitarity(10.0**-power)), 10.0 ** (-2 * power)
    assert fit.chi2 == pytest.approx(0.0016 / (0.0037 + variance), rel=1e-9)
    assert float(fit.errors[0]) == pytest.approx((1 / 0.0005 + 1 / (0.0032 + variance)) ** -0.5, rel=1e-9)


def exact_of(combination, correlation):
    """The same combination in rational arithmetic."""
    parts = combination.measurements
    sizes = [len(m.estimates) for m in parts]
    responses = np.zeros((sum(sizes), sum(len(m.nuisances) for m in parts)))
    statistical = np.zeros((sum(sizes),) * 2)
    row = column = 0
    for m in parts:
        own = slice(row, row + len(m.estimates))
        statistical[own, own] = m.statistical_covariance
        responses[own, column : column + len(m.nuisances)] = m.responses
        row, column = own.stop, column + len(m.nuisances)
    return ExactFit(
        measured=[e.value for e in combination.estimates],
        design=combination.design,
        statistical=statistical,
        responses=responses,
        correlation=correlation,
    )


def random_case(seed):
    """Three observables in units of their own, measured twice with shared sources, one of them tightly, and a constraint."""
    rng = np.random.default_rng(seed)
    names, units = ("X", "Y", "Z"), 10.0 ** rng.integers(-12, 13, size=3)
    truth = units * rng.uniform(0.5, 2, size=3)
    precision = 10.0 ** rng.uniform(-3, -1, size=(2, 3))
    precision[0, 0] = 10.0 ** rng.uniform(-7, -4)
    inputs, responses = [], []
    for i, name in enumerate("AB"):
        statistical = precision[i] * truth
        responses.append(truth[:, None] * rng.normal(scale=0.02, size=(3, 2)))
        values = truth + statistical * rng.normal(size=3)
        inputs.append(measurement(name, values, [{n: 1.0} for n in names], statistical=statistical, responses=responses[-1]))
    size, factors = 10.0 ** -rng.integers(5, 10), rng.uniform(0.5, 2, size=3) / truth
    inputs.append(
        measurement(
            "T", [3 + size * rng.normal()], [dict(zip(names, (factors * 1.0).tolist(), strict=True))], statistical=[size]
        )
    )
    rho = [1.0, 0.4, -0.7][seed % 3]
    shared = coefficient("r", rho, ("A.n0", "B.n0"))
    correlation = np.eye(4)
    correlation[0, 2] = correlation[2, 0] = rho
    return combine(*inputs, observables=names, coefficients=(shared,)), correlation


@pytest.mark.parametrize("seed", range(CASES))
def test_profile_agrees_with_rational_arithmetic(seed):
    combination, correlation = random_case(seed)
    fit, exact = bc.profile(combination), exact_of(combination, correlation)
    np.testing.assert_allclose(fit.values, exact.values, rtol=1e-12)
    np.testing.assert_allclose(fit.errors, exact.errors, rtol=1e-6)
    assert fit.chi2 == pytest.approx(exact.chi2, rel=1e-6)
    np.testing.assert_allclose(fit.pulls, exact.pulls, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(CASES))
def test_sampled_density_and_gradient_agree_with_rational_arithmetic(seed):
    combination, correlation = random_case(seed)
    plan, exact = sampling_plan(combination), exact_of(combination, correlation)
    centre, offset = centred(plan.reduced)
    arrays = (packed(plan.base), packed(plan.patterns), plan.reduced.design, offset, plan.reduced.signs)
    rng = np.random.default_rng(seed)
    solution = solve(linear_model(combination), correlation)
    start = None
    for _ in range(3):
        # Steps of a standard deviation along and across the needle that the constraint makes.
        p = solution.values + solution.root @ rng.normal(size=3)
        value, _, gradient = marginal_kernel(np.zeros(0), p - centre, *map(np.ascontiguousarray, arrays))
        right, slope = exact.density(p)
        start = start or (value, right)
        assert value - start[0] == pytest.approx(right - start[1], abs=1e-5)
        np.testing.assert_allclose(solution.root.T @ gradient, solution.root.T @ slope, rtol=1e-5, atol=1e-5)


def rescaled(combination, name, factor):
    """One observable and what is measured of it alone in a unit that is smaller by a factor."""
    measurements = []
    for m in combination.measurements:
        own = np.array([factor if set(e.observables) == {name} else 1.0 for e in m.estimates])
        estimates = tuple(
            dataclasses.replace(e, value=e.value * s)
            if s != 1
            else dataclasses.replace(e, observables={o: c / (factor if o == name else 1) for o, c in e.observables.items()})
            for e, s in zip(m.estimates, own, strict=True)
        )
        measurements.append(
            dataclasses.replace(
                m,
                estimates=estimates,
                statistical_covariance=m.statistical_covariance * np.outer(own, own),
                responses=m.responses * own[:, None],
            )
        )
    return dataclasses.replace(combination, measurements=tuple(measurements))


@pytest.mark.parametrize("power", [-40, 1, 40])
def test_unit_of_an_observable_scales_its_result_exactly(power):
    combination, _ = random_case(1)
    factor = 2.0**power
    fit, scaled = bc.profile(combination), bc.profile(rescaled(combination, "Y", factor))
    assert (scaled.values / fit.values).values.tolist() == [1.0, factor, 1.0]
    assert (scaled.errors / fit.errors).values.tolist() == [1.0, factor, 1.0]
    assert (scaled.chi2, scaled.pulls.values.tolist()) == (fit.chi2, fit.pulls.values.tolist())


def test_shared_source_a_million_times_the_statistical_error():
    """x_1 - x_2 is known to sqrt(2) where a common source of a million shifts both: its chi2 is 4 / 2."""
    one = measurement("A", [1e6], [{"X": 1.0}], statistical=[1.0], responses=[[1e6]])
    two = measurement("B", [1e6 + 2], [{"X": 1.0}], statistical=[1.0], responses=[[1e6]])
    shared = coefficient("r", 1.0, ("A.n0", "B.n0"))
    fit = bc.profile(combine(one, two, observables=("X",), coefficients=(shared,)))
    assert fit.chi2 == pytest.approx(2, rel=1e-8)
    assert float(fit.values[0]) == pytest.approx(1e6 + 1, abs=1e-9 * 1e6)  # of its error


def test_strongly_constrained_nuisance_keeps_its_variance():
    """x and x + 10^9 lambda, both to 1: the post-fit variance of lambda is 2e-18 / (1 + 2e-18)."""
    one = measurement("A", [5.0], [{"X": 1.0}], statistical=[1.0])
    two = measurement("B", [7.0], [{"X": 1.0}], statistical=[1.0], responses=[[1e9]])
    fit = bc.profile(combine(one, two, observables=("X",)))
    assert float(fit.constraints[0]) == pytest.approx(np.sqrt(2) * 1e-9, rel=1e-9)


def test_tight_constraint_beside_relative_responses():
    """Chi2 is not quadratic then; from 1e-6 to 1e-9 the constraint is as good as exact."""

    def fit(size):
        first, second = unitarity(size).measurements
        nuisances = tuple(dataclasses.replace(n, response="relative") for n in first.nuisances)
        measurements = (dataclasses.replace(first, nuisances=nuisances), second)
        return bc.profile(dataclasses.replace(unitarity(size), measurements=measurements))

    loose, tight = fit(1e-6), fit(1e-9)
    np.testing.assert_allclose(tight.values, loose.values, rtol=1e-8)
    np.testing.assert_allclose(tight.errors, loose.errors, rtol=1e-8)
    assert tight.chi2 == pytest.approx(loose.chi2, rel=1e-8)

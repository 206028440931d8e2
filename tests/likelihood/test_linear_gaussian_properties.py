"""What must not matter to a combination does not: order, units, bookkeeping of nuisances; and its answer is a minimum."""

import dataclasses

import numpy as np
import pytest
from gaussian import coefficient, combine, estimates_of, external_measurement, random_covariance, random_factor
from hypothesis import given, settings
from hypothesis import strategies as st
from repetitions import repetitions
from scipy.linalg import block_diag

import bayescomb as bc
from bayescomb.likelihood.linear_gaussian import linear_model, solve

OBSERVABLES = ("x", "y")
FEW = settings(max_examples=repetitions(40), derandomize=True, database=None, deadline=None)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def combinations(draw):
    """Two or three measurements, the nuisances of the first two correlated pair by pair with any coefficient."""
    rng = draw(seeds)
    n_nuisances = draw(st.integers(1, 4))
    measurements = [
        external_measurement(
            rng, name, observables=OBSERVABLES, n_estimates=draw(st.integers(2, 4)), n_nuisances=n_nuisances
        )
        for name in "abc"[: draw(st.integers(2, 3))]
    ]
    values = draw(st.lists(st.floats(-1, 1), min_size=n_nuisances, max_size=n_nuisances))
    coefficients = tuple(coefficient(f"r{i}", r, (f"a.n{i}", f"b.n{i}")) for i, r in enumerate(values))
    return combine(*measurements, observables=OBSERVABLES, coefficients=coefficients)


def assert_same_fit(found, expected, *, nuisances=(), rtol=1e-7):
    """Values, covariance and chi2 agree, and what the fit says about the named nuisances and all estimates."""
    np.testing.assert_allclose(
        found.covariance, expected.covariance, rtol=rtol, atol=rtol * expected.covariance.max().item()
    )
    np.testing.assert_allclose(found.values, expected.values, rtol=rtol, atol=rtol * expected.errors.max().item())
    np.testing.assert_allclose(found.chi2, expected.chi2, rtol=rtol)
    names = expected.weights.estimate.to_numpy()
    np.testing.assert_allclose(found.weights.sel(estimate=names), expected.weights, rtol=rtol, atol=rtol)
    for name in nuisances:
        for key in ("pulls", "constraints"):
            pair = (getattr(fit, key).sel(nuisance=name).item() for fit in (found, expected))
            assert next(pair) == pytest.approx(next(pair), rel=rtol, abs=rtol)


def with_measurement(combination, index, **changes):
    measurements = list(combination.measurements)
    measurements[index] = dataclasses.replace(measurements[index], **changes)
    return dataclasses.replace(combination, measurements=tuple(measurements))


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds)
def test_order_of_measurements_estimates_and_nuisances_does_not_matter(combination, rng):
    shuffled = []
    for measurement in rng.permutation(np.array(combination.measurements, dtype=object)):
        rows, columns = rng.permutation(len(measurement.estimates)), rng.permutation(len(measurement.nuisances))
        shuffled.append(
            dataclasses.replace(
                measurement,
                estimates=tuple(measurement.estimates[i] for i in rows),
                statistical_covariance=measurement.statistical_covariance[np.ix_(rows, rows)],
                nuisances=tuple(measurement.nuisances[i] for i in columns),
                responses=measurement.responses[np.ix_(rows, columns)],
            )
        )
    found = bc.profile(dataclasses.replace(combination, measurements=tuple(shuffled)))
    assert_same_fit(found, bc.profile(combination), nuisances=[n.name for n in combination.nuisances])


@pytest.mark.slow
@FEW
@given(combination=combinations(), angle=st.floats(0, 2 * np.pi))
def test_splitting_a_nuisance_in_quadrature_does_not_matter(combination, angle):
    rng = np.random.default_rng(1)
    first = combination.measurements[0]
    response = rng.normal(size=(len(first.estimates), 1))
    one = (*first.nuisances, bc.Nuisance(name="whole"))
    two = (*first.nuisances, bc.Nuisance(name="part 1"), bc.Nuisance(name="part 2"))
    whole = with_measurement(combination, 0, nuisances=one, responses=np.hstack([first.responses, response]))
    parts = [first.responses, response * np.cos(angle), response * np.sin(angle)]
    split = with_measurement(combination, 0, nuisances=two, responses=np.hstack(parts))
    assert_same_fit(bc.profile(split), bc.profile(whole), nuisances=[n.name for n in combination.nuisances])


@pytest.mark.slow
@FEW
@given(combination=combinations(), rho=st.floats(-1, 1))
def test_nuisance_without_response_does_not_matter(combination, rho):
    last = combination.measurements[-1]
    more = with_measurement(
        combination,
        -1,
        nuisances=(*last.nuisances, bc.Nuisance(name="idle"), bc.Nuisance(name="idle too")),
        responses=np.hstack([last.responses, np.zeros((len(last.estimates), 2))]),
    )
    assumption_set = combination.assumption_set
    coefficients = (*assumption_set.coefficients, coefficient("idle", rho, ("idle", "idle too")))
    more = dataclasses.replace(more, assumption_sets={"set": dataclasses.replace(assumption_set, coefficients=coefficients)})
    fit = bc.profile(more)
    assert_same_fit(fit, bc.profile(combination), nuisances=[n.name for n in combination.nuisances])
    assert fit.pulls.sel(nuisance="idle").item() == 0
    assert fit.constraints.sel(nuisance="idle").item() == pytest.approx(1)


@pytest.mark.slow
@FEW
@given(rng=seeds, sign=st.sampled_from([1, -1]))
def test_coefficient_1_equals_sharing_the_nuisance(rng, sign):
    a, b = (external_measurement(rng, name, observables=OBSERVABLES, n_estimates=3, n_nuisances=2) for name in "ab")
    apart = combine(a, b, observables=OBSERVABLES, coefficients=(coefficient("r", 1.0, ("a.n0", "b.n0", sign)),))
    responses = np.zeros((6, 3))
    responses[:3, :2], responses[3:, 0], responses[3:, 2] = a.responses, sign * b.responses[:, 0], b.responses[:, 1]
    merged = bc.Measurement(
        name="merged",
        estimates=a.estimates + b.estimates,
        statistical_covariance=block_diag(a.statistical_covariance, b.statistical_covariance),
        nuisances=(*a.nuisances, b.nuisances[1]),
        responses=responses,
    )
    found = bc.profile(apart)
    assert_same_fit(found, bc.profile(combine(merged, observables=OBSERVABLES)), nuisances=["a.n0", "a.n1", "b.n1"])
    assert found.pulls.sel(nuisance="b.n0").item() == pytest.approx(sign * found.pulls.sel(nuisance="a.n0").item())


@pytest.mark.slow
@FEW
@given(combination=combinations(), scale=st.sampled_from([1e-12, 1e-3, 7.0, 1e3, 1e15]))
def test_units_scale_values_and_errors_only(combination, scale):
    scaled = tuple(
        dataclasses.replace(
            m,
            estimates=tuple(dataclasses.replace(e, value=scale * e.value) for e in m.estimates),
            statistical_covariance=scale**2 * m.statistical_covariance,
            responses=scale * m.responses,
        )
        for m in combination.measurements
    )
    found, expected = bc.profile(dataclasses.replace(combination, measurements=scaled)), bc.profile(combination)
    np.testing.assert_allclose(found.values, scale * expected.values, rtol=1e-6)
    np.testing.assert_allclose(found.errors, scale * expected.errors, rtol=1e-7)
    np.testing.assert_allclose([found.chi2, *found.pulls], [expected.chi2, *expected.pulls], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@FEW
@given(combination=combinations(), shift=st.floats(-1e3, 1e3))
def test_shift_of_the_observables_shifts_the_values_only(combination, shift):
    moved = tuple(
        dataclasses.replace(
            m,
            estimates=tuple(dataclasses.replace(e, value=e.value + shift * e.observables["x"]) for e in m.estimates),
        )
        for m in combination.measurements
    )
    found, expected = bc.profile(dataclasses.replace(combination, measurements=moved)), bc.profile(combination)
    np.testing.assert_allclose(found.values - expected.values, [shift, 0], rtol=1e-7, atol=1e-7)
    assert found.chi2 == pytest.approx(expected.chi2, rel=1e-5, abs=1e-8)


@FEW
@given(rng=seeds, rank=st.integers(1, 8), step=st.floats(1e-3, 10))
def test_chi2_is_the_minimum_over_parameters_and_nuisances(rng, rank, step):
    measurement = external_measurement(rng, "a", observables=OBSERVABLES, n_estimates=4, n_nuisances=5)
    factor = random_factor(rng, 5, rank)
    solution = solve(linear_model(combine(measurement, observables=OBSERVABLES)), factor @ factor.T)
    design = np.array([[e.observables[name] for name in OBSERVABLES] for e in measurement.estimates])
    measured = np.array([e.value for e in measurement.estimates])

    def chi2(values, u):
        residual = design @ values - measurement.responses @ factor @ u - measured
        return residual @ np.linalg.solve(measurement.statistical_covariance, residual) + u @ u

    best = np.linalg.lstsq(factor, solution.pulls)[0]
    assert solution.chi2 == pytest.approx(chi2(solution.values, best), rel=1e-7, abs=1e-9)
    elsewhere = chi2(solution.values + step * rng.normal(size=2), best + step * rng.normal(size=rank))
    assert solution.chi2 <= elsewhere


@FEW
@given(rng=seeds)
def test_another_measurement_never_widens_the_errors(rng):
    covariance = random_covariance(rng, 2)
    maps = [{"x": 1.0}, {"y": 1.0}]
    first, second = (
        bc.Measurement(
            name=name,
            estimates=estimates_of(name, rng.normal(size=2), maps),
            statistical_covariance=covariance,
            nuisances=(bc.Nuisance(name=f"{name}.n"),),
            responses=rng.normal(size=(2, 1)),
        )
        for name in "ab"
    )
    alone, both = (bc.profile(combine(*m, observables=OBSERVABLES)) for m in ([first], [first, second]))
    assert (both.errors.to_numpy() <= alone.errors.to_numpy() * (1 + 1e-12)).all()

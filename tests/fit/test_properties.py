"""What must not matter does not, in whole combinations: fits with pulls, both treatments, profile and posterior density."""

import dataclasses

import numpy as np
import pytest
from gaussian import coefficient, combine, fit_of_data
from hypothesis import given
from hypothesis import strategies as st
from property_comparisons import assert_same_density, assert_same_profile, points_near
from property_models import (
    FEW,
    HALF,
    OBSERVABLES,
    combinations,
    doubled,
    halved,
    names_of,
    scaled,
    seeds,
    shuffled,
    split,
    unconnected,
    with_coefficients,
    with_idle,
    with_measurements,
)

import bayescomb as bc


def assert_same(found, expected, rng, *, nuisances=(), estimates=None):
    """Profile and marginal posterior density."""
    fit = bc.profile(expected)
    assert_same_profile(bc.profile(found), fit, nuisances=nuisances, estimates=estimates)
    assert_same_density(found, expected, points_near(fit, rng))


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds)
def test_order_does_not_matter(combination, rng):
    """Of measurements, estimates, nuisances, coefficients, the ends of a pair and observables."""
    assert_same(shuffled(combination, rng), combination, rng, nuisances=names_of(combination))


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds, count=st.integers(1, 3))
def test_splitting_a_measurement_in_two_does_not_matter_because_coefficient_1_equals_sharing(combination, rng, count):
    count = min(count, len(combination.measurements[0].estimates) - 1)
    whole = unconnected(combination, count)
    two = split(whole, count)
    assert len(two.measurements) == len(whole.measurements) + 1
    assert_same(two, whole, rng, nuisances=names_of(whole))
    pulls = bc.profile(two).pulls
    np.testing.assert_allclose(pulls.sel(nuisance=["a.n0'", "a.n1'"]), pulls.sel(nuisance=["a.n0", "a.n1"]), atol=1e-8)


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds)
def test_stating_an_estimate_twice_with_twice_the_variance_does_not_matter(combination, rng):
    extra = len(combination.measurements[0].estimates)
    assert_same(doubled(combination), combination, rng, nuisances=names_of(combination), estimates=extra)


@FEW
@given(rng=seeds, cut=st.integers(5, 9))
def test_splitting_the_data_of_a_fit_in_two_fits_does_not_matter(rng, cut):
    """Bins of x and bins of y with common nuisances: one fit of all, or two whose nuisances are fully correlated."""
    design, data = rng.normal(size=(14, 4)), 2 * rng.normal(size=14)
    design[:cut, 1] = design[cut:, 0] = 0.0
    whole = fit_of_data("w", design=design, data=data, maps=[{"x": 1.0}, {"y": 1.0}])
    first = fit_of_data("u", design=design[:cut][:, [0, 2, 3]], data=data[:cut], maps=[{"x": 1.0}])
    second = fit_of_data("v", design=design[cut:][:, [1, 2, 3]], data=data[cut:], maps=[{"y": 1.0}])
    same = [coefficient(f"same {i}", 1.0, (f"u.n{i}", f"v.n{i}")) for i in range(2)]
    found = bc.profile(combine(first, second, observables=OBSERVABLES, coefficients=same))
    expected = bc.profile(combine(whole, observables=OBSERVABLES))
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-8, atol=1e-10)
    for i in range(2):
        for name in (f"u.n{i}", f"v.n{i}"):
            assert found.pulls.sel(nuisance=name).item() == pytest.approx(expected.pulls.sel(nuisance=f"w.n{i}").item())


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds, scale=st.sampled_from([1e-9, 1e-3, 7.0, 1e6]))
def test_unit_scales_values_errors_and_covariance_and_nothing_else(combination, rng, scale):
    found, fit = scaled(combination, scale), bc.profile(combination)
    result = bc.profile(found)
    # The weights have no unit, and pulls and constraints neither.
    assert_same_profile(result, fit, nuisances=names_of(combination), scale=scale)
    points = points_near(fit, rng)
    there = [(rho, {name: scale * value for name, value in values.items()}) for rho, values in points]
    assert_same_density(found, combination, points, points_of_found=there)


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds, scale=st.sampled_from([1e-6, 0.1, 1e3]))
def test_unit_of_one_observable_scales_it_alone(combination, rng, scale):
    def other(e):
        maps = {name: c / scale if name == "x" else c for name, c in e.observables.items()}
        return dataclasses.replace(e, observables=maps)

    measurements = [dataclasses.replace(m, estimates=tuple(map(other, m.estimates))) for m in combination.measurements]
    found, expected = bc.profile(with_measurements(combination, measurements)), bc.profile(combination)
    unit = np.array([scale, 1.0])
    np.testing.assert_allclose(found.values, unit * expected.values, rtol=1e-6, atol=1e-7 * scale)
    np.testing.assert_allclose(found.errors, unit * expected.errors, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, np.outer(unit, unit) * expected.covariance, rtol=1e-5, atol=1e-8 * scale)
    assert found.chi2 == pytest.approx(expected.chi2, rel=1e-6, abs=1e-6)
    points = points_near(expected, rng)
    there = [(rho, {"x": scale * values["x"], "y": values["y"]}) for rho, values in points]
    assert_same_density(with_measurements(combination, measurements), combination, points, points_of_found=there)


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds, which=st.sampled_from(["a.n0", "a.n1", "b.n0", "b.x0", "c.n0"]))
def test_splitting_a_nuisance_into_two_halves_in_quadrature_does_not_matter(combination, rng, which):
    """Of an external or a fitted nuisance, with all its correlations, fixed and sampled."""
    found, fit = halved(combination, which), bc.profile(combination)
    result = bc.profile(found)
    assert_same_profile(result, fit, nuisances=[name for name in names_of(combination) if name != which])
    halves = result.pulls.sel(nuisance=[f"{which} 1", f"{which} 2"])
    assert HALF * halves.sum().item() == pytest.approx(fit.pulls.sel(nuisance=which).item(), rel=1e-6, abs=1e-8)
    assert halves[0].item() == pytest.approx(halves[1].item(), rel=1e-6, abs=1e-8)
    points = points_near(fit, rng)
    touched = {c.name for c in combination.assumption_set.coefficients if which in (c.pairs[0].first, c.pairs[0].second)}
    there = [({k: HALF * r if k in touched else r for k, r in rho.items()}, values) for rho, values in points]
    assert_same_density(found, combination, points, points_of_found=there)


@pytest.mark.slow
@FEW
@given(combination=combinations(), rng=seeds, where=st.integers(0, 2))
def test_nuisance_without_response_does_not_matter(combination, rng, where):
    """Outside of a fit, or inside one that does not see it."""
    more = with_idle(combination, where)
    assert_same(more, combination, rng, nuisances=names_of(combination))
    fit = bc.profile(more)
    assert fit.pulls.sel(nuisance="idle").item() == pytest.approx(0, abs=1e-9)
    assert fit.constraints.sel(nuisance="idle").item() == pytest.approx(1, abs=1e-9)


@FEW
@given(combination=combinations(treatment="nuisance", sampled=False), share=st.floats(-1, 1))
def test_nuisance_without_response_is_pulled_by_what_it_is_correlated_with(combination, share):
    r, s, _ = (c.nominal for c in combination.assumption_set.coefficients)
    rho = share * np.sqrt(1 - r**2 - s**2)
    more = with_idle(combination, 2)
    more = with_coefficients(more, (*more.assumption_set.coefficients, coefficient("idle", rho, ("idle", "a.n0"))))
    fit, expected = bc.profile(more), bc.profile(combination)
    assert_same_profile(fit, expected, nuisances=names_of(combination))
    # E(idle | lambda) = c^T C^-1 lambda over the three that it shares a block with
    block = np.array([[1, r, s], [r, 1, 0], [s, 0, 1]])
    gain = np.linalg.solve(block, [rho, 0, 0])
    pulls = expected.pulls.sel(nuisance=["a.n0", "b.n0", "c.n0"]).to_numpy()
    assert fit.pulls.sel(nuisance="idle").item() == pytest.approx(gain @ pulls, rel=1e-6, abs=1e-8)

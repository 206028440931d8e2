"""Weights, information weights and pulls of the Run 1 mass combination against plain numpy on the text of its files."""

import dataclasses

import numpy as np
import pytest
from gaussian import coefficient, combine, external_measurement, fit_of_data
from run1_blue import blue, run1_inputs

import bayescomb as bc
from bayescomb.inputs.some_estimates import with_estimates


@pytest.fixture(scope="module")
def published():
    """Values and total covariance: PRL 132 (2024) 261902, as in models/run1_mass."""
    inputs = run1_inputs()
    return inputs.values, inputs.statistical + sum(inputs.systematic.values()), inputs


@pytest.fixture(scope="module")
def found(run1):
    return bc.information_weights(run1)


def without(values, covariance, i):
    keep = [k for k in range(len(values)) if k != i]
    return blue(values[keep], covariance[np.ix_(keep, keep)])


def test_information_weights_are_those_of_their_definitions(found, published):
    """Every estimate really left out; Valassi and Chierici, EPJC 74 (2014) 2717, eqs. of MI, II and RI."""
    values, covariance, _ = published
    best = blue(values, covariance)
    at = found.table.sel(parameter="m_t")
    np.testing.assert_allclose(at["weight"], best.weights, atol=1e-10)
    np.testing.assert_allclose(at["relative_importance"], np.abs(best.weights) / np.abs(best.weights).sum(), atol=1e-10)
    np.testing.assert_allclose(at["intrinsic"], best.error**2 / np.diag(covariance), rtol=1e-9)
    lost = [1 - (best.error / without(values, covariance, i).error) ** 2 for i in range(15)]
    np.testing.assert_allclose(at["marginal"], lost, atol=1e-10)
    assert found.correlation_weight.item() == pytest.approx(1 - (best.error**2 / np.diag(covariance)).sum(), rel=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9, atol=1e-12)


def test_pulls_and_chi2_are_distances_from_the_other_estimates(found, published):
    values, covariance, _ = published
    inverse = np.linalg.inv(covariance)
    for i in range(15):
        rest = without(values, covariance, i)
        keep = [k for k in range(15) if k != i]
        shared = covariance[i, keep] @ rest.weights  # of the estimate and the combination of the others
        distance = np.sqrt(covariance[i, i] + rest.error**2 - 2 * shared)
        # What the others predict for the estimate has their correlated errors in it too; so the optimal distance is that
        # of the conditional distribution, with the precision matrix.
        row = inverse[i] - inverse[i].sum() * inverse.sum(0) / inverse.sum()
        pull = row @ values / np.sqrt(row[i])
        assert float(found.table["pull"][i]) == pytest.approx(pull, abs=1e-9)
        assert float(found.table["chi2"][i]) == pytest.approx(blue(values, covariance).chi2 - rest.chi2, abs=1e-9)
        assert distance > 0


def test_order_of_importance_is_that_of_pairs(found, published):
    """Nisius, EPJC 74 (2014) 3004: sigma / sigma_1 = 1 / sqrt(1 + (rho - 1/z)^2 / (1 - rho^2)), z = sigma_2 / sigma_1."""
    values, covariance, inputs = published
    errors = np.sqrt(np.diag(covariance))
    first = int(np.argmin(errors))
    z, rho = errors / errors[first], covariance[first] / (errors * errors[first])
    others = [i for i in range(15) if i != first]
    gain = {i: 1 - 1 / np.sqrt(1 + (rho[i] - 1 / z[i]) ** 2 / (1 - rho[i] ** 2)) for i in others}
    expected = [first, *sorted(others, key=lambda i: -gain[i])]
    order = found.order["m_t"]
    assert order["estimate"].to_numpy().tolist() == [inputs.labels[i] for i in expected]
    np.testing.assert_allclose(order["improvement"][1:], [gain[i] for i in expected[1:]], atol=1e-10)
    for n in (2, 7, 15):
        part = blue(values[expected[:n]], covariance[np.ix_(expected[:n], expected[:n])])
        assert (float(order["value"][n - 1]), float(order["error"][n - 1])) == pytest.approx((part.value, part.error))


def mixed():
    """Two observables of an input that was fitted, with pulls and a free nuisance, and of two that were not."""
    rng = np.random.default_rng(4)
    fitted = fit_of_data(
        "f", design=rng.normal(size=(9, 5)), data=rng.normal(size=9), maps=({"x": 1.0}, {"y": 1.0}), free=(2,)
    )
    others = [external_measurement(rng, n, observables=("x", "y"), n_estimates=2, n_nuisances=2) for n in ("a", "b")]
    pairs = coefficient("r", 0.4, ("f.n0", "a.n0"), ("f.n1", "b.n1", -1))
    return combine(fitted, *others, observables=("x", "y"), coefficients=(pairs,))


@pytest.mark.parametrize("name", ["f.e0", "a.e1", "b.e0"])
def test_leaving_one_out_in_algebra_is_leaving_it_out_of_the_model(name):
    """Of fitted inputs too, whose estimates are integrated over, and of estimates of two observables."""
    combination = mixed()
    found, whole = bc.information_weights(combination), bc.profile(combination)
    rest = bc.profile(with_estimates(combination, [e.name for e in combination.estimates if e.name != name]))
    at = found.table.sel(estimate=name)
    for parameter in ("x", "y"):
        lost = 1 - float(whole.errors.sel(parameter=parameter) / rest.errors.sel(parameter=parameter)) ** 2
        assert float(at["marginal"].sel(parameter=parameter)) == pytest.approx(lost, abs=1e-9)
    assert float(at["chi2"]) == pytest.approx(whole.chi2 + whole.own_chi2 - rest.chi2 - rest.own_chi2, abs=1e-7)
    row = next(r for r in bc.compatibility(combination, by="estimate") if r.name == name)
    assert row.chi2 == pytest.approx(float(at["chi2"]), abs=1e-7)
    assert row.ndf == 1


def test_integrating_an_estimate_of_a_fit_is_setting_it_free():
    """The same once more: an observable of its own that nothing else measures."""
    combination = mixed()
    fitted = combination.measurements[0]
    estimates = (fitted.estimates[0], bc.Estimate(name="f.e1", value=fitted.estimates[1].value, observables={"z": 1.0}))
    freed = dataclasses.replace(
        combination,
        measurements=(
            bc.Measurement(name="f", experiment="f", estimates=estimates, fit=fitted.fit),
            *combination.measurements[1:],
        ),
        observables=(*combination.observables, bc.Observable(name="z")),
    )
    found = bc.profile(with_estimates(combination, [e.name for e in combination.estimates if e.name != "f.e1"]))
    expected = bc.profile(freed)
    for key in ("values", "errors"):
        a, b = (getattr(fit, key).sel(parameter=["x", "y"]) for fit in (found, expected))
        np.testing.assert_allclose(a, b, rtol=1e-9)
    assert found.chi2 + found.own_chi2 == pytest.approx(expected.chi2 + expected.own_chi2, abs=1e-8)


def test_what_nothing_else_tests_has_no_pull_and_all_the_information():
    rng = np.random.default_rng(1)
    combination = combine(
        *(fit_of_data(n, design=rng.normal(size=(6, 2)), data=rng.normal(size=6), maps=({n: 1.0},)) for n in ("x", "y")),
        observables=("x", "y"),
    )
    table = bc.information_weights(combination).table
    assert np.isnan(table["pull"]).all()
    np.testing.assert_allclose(table["marginal"], np.eye(2))

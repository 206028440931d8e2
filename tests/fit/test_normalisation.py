"""Normalised results: observables over their sum, by propagation, by toys, and draw by draw in a posterior."""

import dataclasses

import arviz as az
import numpy as np
import pytest
from gaussian import combine, fit_of_data, random_covariance
from refusals import refused
from worked import estimate, nuisances, pair

import bayescomb as bc
from bayescomb.base.errors import FitError
from bayescomb.fit.fitter import Fitter

SIGMAS = 5.0
BINS = ("b0", "b1", "b2")


def shape(*, chi2="neyman", relative=(), down=None, values=((40.0, 60.0, 25.0), (42.0, 58.0, 27.0)), spectator=False):
    """Two measurements of three bins, and of a quantity that only one of them has, a spectator."""
    rng = np.random.default_rng(4)
    inputs = []
    for name, numbers in zip(("a", "b"), values, strict=True):
        responses = np.array([[1.5, 0.8], [2.0, -1.0], [0.9, 0.3]])
        estimates = [estimate(f"{name}.{b}", v, b) for b, v in zip(BINS, numbers, strict=True)]
        statistical = random_covariance(rng, 3)
        if spectator and name == "a":
            estimates.append(estimate("a.rate", 7.0, "a.rate"))
            responses = np.vstack([responses, [0.2, 0.1]])
            statistical = np.block([[statistical, np.zeros((3, 1))], [np.zeros((1, 3)), np.eye(1)]])
        own = nuisances(f"{name}.n0 {name}.n1", relative=[f"{name}.{r}" for r in relative])
        measurement = bc.Measurement(
            name=name, estimates=tuple(estimates), statistical_covariance=statistical, nuisances=own, responses=responses,
            down_responses=None if down is None else -down * responses,
        )  # fmt: skip
        inputs.append(measurement)
    observables = [bc.Observable(name=b) for b in BINS]
    return bc.Combination(
        name="test",
        measurements=inputs,
        observables=(*observables, bc.Observable(name="a.rate", spectator=True)) if spectator else observables,
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(pair("a.n0", "b.n0", 0.5),))},
        assumptions="set",
        chi2=chi2,
        normalise=True,
        impact_groups={"shared": ("a.n0", "b.n0")},
    )


CASES = {
    "quadratic": {},
    "asymmetric": {"down": 0.4},
    "relative, pearson": {"chi2": "pearson", "relative": ("n0",)},
    "spectator": {"spectator": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_errors_are_those_of_a_million_toys(name):
    """Toys from the values and the covariance, for the interval with the larger of the errors; no spectator in the sum."""
    fit = bc.profile(shape(**CASES[name]))
    raw, bins = fit.unnormalised, list(BINS)
    fitter = Fitter(dataclasses.replace(fit.combination, normalise=False))
    second = fitter.fit(fitter.correlation()[0], errors="crossing").hesse
    widening = np.maximum(raw.up_errors, -raw.down_errors).to_numpy() / second.errors
    wide = second.covariance * np.outer(widening, widening)
    toys = np.random.default_rng(1).multivariate_normal(raw.values, raw.covariance, size=1_000_000)
    total = toys[:, :3].sum(axis=1, keepdims=True)
    toys[:, :3] /= total
    found = fit.covariance.to_numpy()
    # N toys know a correlation to 1 / sqrt(N) and a variance to sqrt(2 / N); the next order of the quotient is the square of
    # the relative error of the sum, with a factor of a few
    curvature = 4 * wide[:3, :3].sum() / raw.values.sel(parameter=bins).sum().item() ** 2
    tolerance = SIGMAS * np.sqrt(2 / len(toys)) + curvature
    spread = np.sqrt(np.diag(found))
    np.testing.assert_allclose(np.cov(toys.T) / np.outer(spread, spread), found / np.outer(spread, spread), atol=tolerance)
    np.testing.assert_allclose(fit.errors.sel(parameter=bins), toys.std(axis=0)[:3], rtol=tolerance)
    shares = raw.values.sel(parameter=bins) / raw.values.sel(parameter=bins).sum()
    np.testing.assert_allclose(fit.values.sel(parameter=bins), shares, rtol=1e-14)
    derivative = (np.eye(3) - np.outer(shares, np.ones(3))) / raw.values.sel(parameter=bins).sum().item()
    interval = np.sqrt(np.diag(derivative @ wide[:3, :3] @ derivative.T))
    np.testing.assert_allclose(fit.up_errors.sel(parameter=bins), interval, rtol=1e-12)
    np.testing.assert_allclose(fit.up_errors.sel(parameter=bins), -fit.down_errors.sel(parameter=bins), rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_normalised_values_know_that_they_add_up(name):
    combination = shape(**CASES[name])
    fit, bins = bc.profile(combination), list(BINS)
    assert fit.values.sel(parameter=bins).sum().item() == pytest.approx(1, abs=1e-14)
    for array, dims in ((fit.covariance, {"parameter_b": bins}), (fit.cross_covariance, {}), (fit.weights, {})):
        within = array.sel(parameter=bins, **dims)
        np.testing.assert_allclose(within.sum("parameter"), 0, atol=1e-12 * np.abs(within).max().item() + 1e-14)
    plain = bc.profile(dataclasses.replace(combination, normalise=False))
    assert plain.unnormalised is None
    np.testing.assert_array_equal(plain.values, fit.unnormalised.values)
    assert (fit.chi2, fit.ndf) == (plain.chi2, plain.ndf)
    if "a.rate" in plain.values.parameter:
        at = {"parameter": "a.rate"}
        for key in ("values", "errors", "up_errors", "down_errors"):
            assert getattr(fit, key).sel(at).item() == getattr(plain, key).sel(at).item()


@pytest.mark.slow
def test_weights_are_the_derivatives_of_the_normalised_values():
    combination = shape()
    fit, step = bc.profile(combination), 1e-3
    for e in combination.estimates:
        ends = [bc.profile(combination.with_values({e.name: e.value + s})).values for s in (step, -step)]
        numeric = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(fit.weights.sel(estimate=e.name), numeric, atol=1e-7)


def test_impacts_of_normalised_results_are_conditional_errors():
    """J V' J^T, with V' the covariance where the group is held; both from the posterior covariance of a quadratic model."""
    combination = shape()
    found = bc.impacts(combination, parts="held")
    raw = bc.profile(combination).unnormalised
    shares = raw.values.to_numpy() / raw.values.sum().item()
    jacobian = (np.eye(3) - np.outer(shares, np.ones(3))) / raw.values.sum().item()

    def errors(held):
        responses = np.zeros((6, 4))
        responses[:3, :2], responses[3:, 2:] = (m.responses for m in combination.measurements)
        prior = np.eye(4)
        prior[0, 2] = prior[2, 0] = 0.5
        statistical = np.zeros((6, 6))
        statistical[:3, :3], statistical[3:, 3:] = (m.statistical_covariance for m in combination.measurements)
        rows = np.hstack([np.vstack([np.eye(3), np.eye(3)]), -responses])
        precision = rows.T @ np.linalg.solve(statistical, rows)
        precision[3:, 3:] += np.linalg.inv(prior)
        left = [i for i in range(7) if i not in held]
        covariance = np.linalg.inv(precision[np.ix_(left, left)])[:3, :3]
        return np.sqrt(np.diag(jacobian @ covariance @ jacobian.T))

    np.testing.assert_allclose(found.total, errors([]), rtol=1e-8)
    np.testing.assert_allclose(found.statistics, errors([3, 4, 5, 6]), rtol=1e-8)
    expected = np.sqrt(errors([]) ** 2 - errors([3, 5]) ** 2)
    np.testing.assert_allclose(found.groups.sel(group="shared"), expected, rtol=1e-6)


def test_sum_of_zero_or_less_is_an_error():
    with refused(FitError, "'test'", "sum to -125", "above 0"):
        bc.profile(shape(values=((-40.0, -60.0, -25.0), (-40.0, -60.0, -25.0))))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["quadratic", "relative, pearson"])
def test_posterior_is_normalised_draw_by_draw(case):
    combination = shape(**CASES[case])
    posterior, fit = bc.sample(combination, seed=2, draws=400), bc.profile(combination)
    raw, shown = posterior["unnormalised"], posterior["posterior"]
    assert "conditional" not in posterior.children
    total = sum(raw[b] for b in BINS)
    for b in BINS:
        np.testing.assert_allclose(shown[b], raw[b] / total, rtol=1e-14)
        draws, at = shown[b].to_numpy(), {"parameter": b}
        error = fit.errors.sel(at).item()
        # Propagation is linear: the next order is the square of the relative error of the sum in the mean, in units of the
        # value, and in the width.  A model that is not quadratic has no Gaussian posterior: a tenth of an error of the mean.
        relative = np.square(float(total.std() / total.mean()))
        allowed = relative * fit.values.sel(at).item() + (0.0 if combination.quadratic else 0.1 * error)
        width = 2 * relative + (0.0 if combination.quadratic else 0.05)
        assert abs(draws.mean() - fit.values.sel(at).item()) < SIGMAS * float(az.mcse(draws, method="mean")) + allowed
        assert abs(draws.std() - error) < SIGMAS * float(az.mcse(draws, method="sd")) + width * error
    table = bc.compare(posterior, fit).table
    assert table["mean"].sel(parameter="b1").item() == pytest.approx(shown["b1"].mean().item())
    assert "nominal_mean" not in table


def test_normalised_fit_of_fitted_input_alone_is_its_own():
    """One input: its values over their sum, and its covariance propagated."""
    rng = np.random.default_rng(3)
    maps = [{b: 1.0} for b in BINS]
    one = fit_of_data("one", design=rng.normal(size=(12, 5)), data=rng.normal(size=12), maps=maps)
    moved = tuple(dataclasses.replace(e, value=v) for e, v in zip(one.estimates, (5.0, 8.0, 3.0), strict=True))
    fit = bc.profile(
        dataclasses.replace(combine(dataclasses.replace(one, estimates=moved), observables=BINS), normalise=True)
    )
    shares = np.array([5, 8, 3]) / 16
    jacobian = (np.eye(3) - np.outer(shares, np.ones(3))) / 16
    covariance = jacobian @ np.linalg.inv(one.fit.information)[:3, :3] @ jacobian.T
    np.testing.assert_allclose(fit.values, shares, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-8, atol=1e-14)

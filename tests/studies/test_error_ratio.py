"""Spread over quoted error: by hand, by the derivative of the result by the pulls, and over fits of simulated bins."""

import dataclasses

import numpy as np
import pytest
from gaussian import coefficient, combine, estimates_of, fit_of_data
from pulled import alike
from repetitions import repetitions

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.studies.error_ratio import spread_over_quoted

# A ratio from n toys has the relative error 1 / sqrt(2 n).
SIGMAS = 5.0


def expected(combination, choice="ignored"):
    return spread_over_quoted(combination, toys=2, seed=1)["expected"].sel(nuisance_values=choice)


@pytest.mark.parametrize("constraint", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("size", [0.5, 2.0])
def test_ratio_of_two_inputs_that_are_alike_by_hand(constraint, size):
    """Both measure x + size * lambda, and the first lambda as well; ignoring its value leaves half of size * pull in x.

    sigma^2 = 1/2 + size^2 c^2, and the pull scatters with 1 - c^2, independently of the error of the full result.
    """
    variance = 0.5 + (size * constraint) ** 2
    combination = alike(constraint, size=size)
    fit = bc.profile(combination)
    assert fit.errors.item() == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert fit.constraints.to_numpy() == pytest.approx([constraint, constraint], rel=1e-9)
    ratio = np.sqrt(1 + (size / 2) ** 2 * (1 - constraint**2) / variance)
    assert expected(combination).item() == pytest.approx(ratio, rel=1e-9)
    assert expected(combination, "used").item() == 1


class Experiment:
    """Bins of unit error that depend on x, y and two nuisances, and the fit that is published of them."""

    def __init__(self, rng):
        self.design = rng.normal(size=(16, 4))
        self.design[:, 2:] *= 0.8

    def publish(self, rng, truth, nuisances):
        data = self.design @ np.concatenate([truth, nuisances]) + rng.normal(size=len(self.design))
        return fit_of_data("fitted", design=self.design, data=data, maps=[{"x": 1.0}, {"y": 1.0}])


CORRELATED = 0.9
SEEN = np.array([[0.8, 0.2], [-0.3, 0.6]])  # what the nuisances add to the values, so that x is these less SEEN @ lambda


def second_input(values):
    """Estimates of x and y whose nuisances are correlated with those of the experiment, several times the statistics."""
    return bc.Measurement(
        name="other",
        experiment="other",
        estimates=estimates_of("other", values, [{"x": 1.0}, {"y": 1.0}]),
        statistical_covariance=0.04 * np.eye(2),
        nuisances=(bc.Nuisance(name="other.n0"), bc.Nuisance(name="other.n1")),
        responses=-SEEN,
    )


def data_set(experiment, rng):
    """Both inputs at a truth, with nuisances from their prior."""
    truth = np.array([3.0, -1.0])
    own = rng.normal(size=2)
    other = CORRELATED * own + np.sqrt(1 - CORRELATED**2) * rng.normal(size=2)
    values = truth + SEEN @ other + 0.2 * rng.normal(size=2)
    pairs = tuple(coefficient(f"r{i}", CORRELATED, (f"fitted.n{i}", f"other.n{i}")) for i in range(2))
    inputs = experiment.publish(rng, truth, own), second_input(values)
    return combine(*inputs, observables=("x", "y"), coefficients=pairs), truth


def test_expected_ratio_is_that_of_the_derivative_by_the_pulls():
    """What is left out is W_lambda z_hat; z_hat scatters with C - V_lambda and not with the error of the full result."""
    rng = np.random.default_rng(5)
    combination, _ = data_set(Experiment(rng), rng)
    fitted = combination.measurements[0].fit

    def values(pulls):
        first = dataclasses.replace(combination.measurements[0], fit=dataclasses.replace(fitted, pulls=pulls))
        return bc.profile(dataclasses.replace(combination, measurements=(first, *combination.measurements[1:]))).values

    derivative = np.array([values(unit) - values(np.zeros(2)) for unit in np.eye(2)]).T
    scatter = np.eye(2) - np.linalg.inv(fitted.information)[2:, 2:]
    variance = np.diag(bc.profile(combination).covariance)
    ratio = np.sqrt(1 + np.diag(derivative @ scatter @ derivative.T) / variance)
    assert ratio.max() > 1.1
    np.testing.assert_allclose(expected(combination), ratio, rtol=1e-9)


@pytest.mark.slow
def test_fits_of_simulated_bins_scatter_as_quoted_with_their_pulls_and_as_expected_without():
    """Nothing of the library but the combination itself: bins, fits and publication are made here."""
    rng = np.random.default_rng(11)
    experiment, n = Experiment(rng), repetitions(300)
    away = np.empty((n, 2, 2))
    for i in range(n):
        combination, truth = data_set(experiment, rng)
        for j, choice in enumerate(("used", "ignored")):
            away[i, j] = bc.profile(combination.with_nuisance_values(choice)).values - truth
    fit = bc.profile(combination)
    ratio, error = away.std(axis=0, ddof=1) / fit.errors.to_numpy(), 1 / np.sqrt(2 * n)
    np.testing.assert_allclose(ratio[0], 1, rtol=SIGMAS * error)
    np.testing.assert_allclose(ratio[1], expected(combination), rtol=SIGMAS * error)
    assert (ratio[1] > 1 + SIGMAS * error).any()
    # and neither is biased: a pull is as often positive as negative
    assert np.abs(away.mean(axis=0) / (away.std(axis=0) / np.sqrt(n))).max() < SIGMAS


@pytest.mark.slow
def test_ratio_is_1_with_the_pulls_used_and_1_3_with_them_ignored():
    n = repetitions(300)
    found = spread_over_quoted(alike(0.4, size=2.0), toys=n, seed=3)
    for choice in ("used", "ignored"):
        at = found.sel(nuisance_values=choice)
        assert at["ratio_error"].item() == pytest.approx(at["ratio"].item() / np.sqrt(2 * (n - 1)), rel=1e-9)
        assert abs(at["ratio"].item() - at["expected"].item()) < SIGMAS * at["ratio_error"].item()
    # sigma^2 = 1/2 + (2 * 0.4)^2, and the pull scatters with 1 - 0.4^2
    assert found["expected"].sel(nuisance_values="ignored").item() == pytest.approx(np.sqrt(1 + 0.84 / 1.14), rel=1e-9)


def test_wrong_requests_are_refused():
    with pytest.raises(OptionError, match="toys = 1"):
        spread_over_quoted(alike(0.4, size=2.0), toys=1, seed=1)
    with pytest.raises(OptionError, match="chi2 'neyman' with absolute symmetric"):
        spread_over_quoted(combine(second_input([1.0, 2.0]), observables=("x", "y")).with_chi2("pearson"), toys=2, seed=1)

"""Comparison of posterior and profile where every number has a closed form."""

import numpy as np
import pytest
from combinations import star
from scipy import integrate

import bayescomb as bc

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def combination():
    return star(1, low=0.0, high=0.8, nominal=0.3, separate_observables=False, nuisance_size=2.0)


@pytest.fixture(scope="module")
def posterior(combination):
    return bc.sample(combination, seed=2, draws=1000)


def test_variance_split_equals_quadrature(combination, posterior):
    """One coefficient: integrate it by quadrature with the marginal likelihood written out."""
    x = np.array([10.0, 11.0])

    def at(r):
        covariance = 0.25 * np.eye(2) + 4.0 * np.array([[1, r], [r, 1]])
        inverse = np.linalg.inv(covariance)
        variance = 1 / inverse.sum()
        mean = variance * inverse.sum(axis=0) @ x
        chi2 = (x - mean) @ inverse @ (x - mean)
        return mean, variance, np.exp(-0.5 * chi2) * np.sqrt(variance / np.linalg.det(covariance))

    def expectation(function):
        return integrate.quad(lambda r: function(*at(r)[:2]) * at(r)[2], 0, 0.8)[0] / norm

    norm = integrate.quad(lambda r: at(r)[2], 0, 0.8)[0]
    table = bc.compare(posterior, bc.profile(combination)).table.sel(parameter="x")
    mean = expectation(lambda m, _: m)
    assert table["mean"].item() == pytest.approx(mean, abs=5 * table["mcse_mean"].item() + 1e-9)
    of_mean = expectation(lambda m, _: (m - mean) ** 2)
    of_variance = expectation(lambda _, v: v)
    share = of_mean / (of_mean + of_variance)
    # By symmetry the two weights are equal, so the mean does not depend on r and its share is 0.
    assert share == pytest.approx(0, abs=1e-10)
    assert table["coefficient_share"].item() == pytest.approx(0, abs=1e-10)
    spread = posterior["conditional"]["sd"] ** 2
    error = 5 * spread.std().item() / np.sqrt(spread.size / 10)
    assert table["mean_of_variance"].item() == pytest.approx(of_variance, abs=error)


def test_nominal_columns_are_the_exact_gaussian(combination, posterior):
    fit = bc.profile(combination)
    table = bc.compare(posterior, fit).table.sel(parameter="x")
    assert table["nominal_mean"].item() == fit.values.item()
    assert table["nominal_hdi_high"].item() - table["nominal_mean"].item() == pytest.approx(
        0.99446 * fit.errors.item(), rel=1e-4
    )
    assert str(table["unit"].item()) == "pb"


def test_interval_holds_68_percent(combination, posterior):
    table = bc.compare(posterior, bc.profile(combination)).table.sel(parameter="x")
    draws = posterior["posterior"]["x"].to_numpy()
    inside = ((draws >= table["hdi_low"].item()) & (draws <= table["hdi_high"].item())).mean()
    assert inside == pytest.approx(0.68, abs=2 / np.sqrt(draws.size))

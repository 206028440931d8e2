"""Posterior predictive against closed forms and against simulated repetitions."""

import numpy as np
import pytest
from combinations import star
from scipy import stats

import bayescomb as bc
from bayescomb.sampling.posterior.storage import combination_of


@pytest.fixture(scope="module")
def nominal():
    return bc.sample(star(2, separate_observables=False), seed=1, draws=2000, correlations="nominal")


def test_at_nominal_coefficients_it_is_a_gaussian(nominal):
    """x_rep ~ N(B mu, V + B cov B^T)."""
    combination = combination_of(nominal)
    fit, own = bc.profile(combination), bc.profile(combination.saturated())
    centre = combination.design @ fit.values.to_numpy()
    total = own.covariance.to_numpy() + combination.design @ fit.covariance.to_numpy() @ combination.design.T
    table = bc.posterior_predictive(nominal)
    sd = np.sqrt(np.diag(total))
    effective = 300  # a lower bound on the effective draws of the thousand that are used
    mean_error = 5 * fit.errors.to_numpy().max() / np.sqrt(effective)
    np.testing.assert_allclose(table["mean"], centre, atol=mean_error)
    np.testing.assert_allclose(table["sd"], sd, rtol=5 / np.sqrt(2 * effective))
    measured = np.array([e.value for e in combination.estimates])
    expected = 2 * stats.norm.sf(abs(measured - centre) / sd)
    np.testing.assert_allclose(table["p_value"], expected, atol=5 * mean_error / sd.min())
    np.testing.assert_allclose(table["high68"] - table["low68"], 2 * stats.norm.ppf(0.84) * table["sd"], rtol=0.02)


def test_chi2_p_value_is_that_of_simulated_repetitions(nominal):
    combination = combination_of(nominal)
    table = bc.posterior_predictive(nominal)
    own = bc.profile(combination.saturated())
    covariance = own.covariance.to_numpy()
    inverse = np.linalg.inv(covariance)
    rng = np.random.default_rng(3)
    means = np.outer(nominal["posterior"]["x"].to_numpy().ravel(), combination.design[:, 0])
    noise = rng.multivariate_normal(np.zeros(len(covariance)), covariance, len(means))
    measured = np.array([e.value for e in combination.estimates])
    of_data = np.einsum("ne,ef,nf->n", measured - means, inverse, measured - means)
    of_repetition = np.einsum("ne,ef,nf->n", noise, inverse, noise)
    share = (of_repetition > of_data).mean()
    assert table["chi2_p_value"].item() == pytest.approx(share, abs=5 * np.sqrt(0.25 / 300))
    assert table["size"].item() == len(measured)


@pytest.mark.slow
def test_coefficients_are_averaged_over():
    """With sampled coefficients the covariance is that of each draw."""
    posterior = bc.sample(star(2, separate_observables=False), seed=2, draws=500)
    table = bc.posterior_predictive(posterior)
    assert table.attrs["covariance"] == "of each draw"
    assert ((table["p_value"] >= 0) & (table["p_value"] <= 1)).all()
    assert (table["low95"] < table["low68"]).all()
    assert (table["high68"] < table["high95"]).all()

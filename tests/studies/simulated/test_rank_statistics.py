"""Ranks of true values among the draws of their posterior, for every kind of model: uniform if the posterior is right.

Simulation-based calibration (Talts et al., arXiv:1804.06788): of a truth drawn from the prior and data drawn from the truth
the rank is uniform, whatever the model, and the interval of any probability holds it with that probability.
"""

import numpy as np
import pytest
from rank_models import KINDS, data_sets, in_per_cent
from refusals import refused
from repetitions import repetitions
from scipy import stats
from two_modes import kinked

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.studies.simulated.calibration import _holm, summary_of
from bayescomb.studies.simulated.response_toys import ResponseToys

SIGMAS = 5.0
# Data sets that make about two seconds.
NUMBERS = {"block of coefficients": 20, "errors on errors": 15, "mass with scales": 10}
FEW = 6


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_uniform(kind):
    toys = data_sets(kind)
    records = [toys.analyse(i) for i in range(repetitions(NUMBERS.get(kind, FEW)))]
    study = summary_of(records)
    # A mode that chains of this length leave for good has no known weight, which is said, and the data set does not count:
    # one in twenty shifts a distribution function by 0.05 at most, where p = 1e-3 of 60 ranks is 0.25.
    problems = [record["problem"] for record in records if "problem" in record]
    assert len(problems) <= len(records) / 20, problems
    at = study.sel(answer="posterior")
    ranks = study["rank"].to_numpy()
    p_values = np.array([stats.kstest(column[np.isfinite(column)], stats.uniform.cdf).pvalue for column in ranks.T])
    assert _holm(p_values).min() > 1e-3, dict(zip(study["quantity"].to_numpy(), p_values, strict=True))
    for level in ("68", "95"):
        own = at.sel(level=level)
        assert (abs(own["coverage"] - int(level) / 100) < SIGMAS * own["coverage_error"]).all()
    # Of pulls with a width of about 1; those of scales have long tails, and their ranks are what counts.
    gaussian = [name for name in at["quantity"].to_numpy() if not name.startswith("scale[")]
    pulls = at.sel(quantity=gaussian)
    assert (abs(pulls["pull_mean"]) < SIGMAS / np.sqrt(len(records))).all()


def test_shifts_in_per_cent_stay_in_per_cent():
    """Of each simulated value the relative and lognormal shifts are the same part, absolute ones the same number."""
    combination = in_per_cent("pearson")
    toys = ResponseToys(combination, seed=2, posterior=False)
    changed, truth = toys.data(3)
    for before, after in zip(combination.measurements, changed.measurements, strict=True):
        ratio = np.array([b.value / a.value for a, b in zip(before.estimates, after.estimates, strict=True)])
        if before.name.startswith("prior of"):
            assert after == before
            continue
        for i, nuisance in enumerate(before.nuisances):
            factor = ratio if nuisance.response != "absolute" else np.ones(2)
            np.testing.assert_allclose(after.responses[:, i], factor * before.responses[:, i], rtol=1e-12)
            np.testing.assert_allclose(after.down_responses[:, i], factor * before.down_responses[:, i], rtol=1e-12)
        grown = np.diag(after.statistical_covariance) / np.diag(before.statistical_covariance)
        np.testing.assert_allclose(grown, ratio, rtol=1e-12)
    assert truth["both"] == pytest.approx(truth["x"] + truth["y"], rel=1e-12)
    again, truth_again = ResponseToys(combination, seed=2, posterior=False).data(3)
    assert truth_again == truth
    assert [e.value for e in again.estimates] == [e.value for e in changed.estimates]


@pytest.mark.slow
def test_simulated_values_have_the_mean_and_variance_of_the_model():
    """By hand, x held: b is published as x + k, k = 4 lambda above 0 and -5 lambda below, c as y + 3 lambda; errors are 1.

    With E|lambda| = sqrt(2/pi): E k = 4.5 sqrt(2/pi); Var k = (4^2 + 5^2)/2 - (E k)^2.
    """
    toys = ResponseToys(kinked(), seed=1, posterior=False)
    found = [toys.data(i) for i in range(2000)]
    values = np.array([[e.value for e in combination.estimates] for combination, _ in found])
    held = {name: truth for name, truth in found[0][1].items() if name in "xy"}
    assert all(truth["x"] == held["x"] for _, truth in found)
    shift = 4.5 * np.sqrt(2 / np.pi)
    means = np.array([held["x"], held["x"] + shift, held["y"]])
    variances = np.array([1.0, 1 + (4**2 + 5**2) / 2 - shift**2, 1 + 9.0])
    n = len(values)
    np.testing.assert_array_less(abs(values.mean(axis=0) - means), SIGMAS * np.sqrt(variances / n))
    # No variance of a kinked shift is known better than that of a Gaussian times its kurtosis, at most that of a chi2.
    np.testing.assert_allclose(values.var(axis=0), variances, rtol=SIGMAS * np.sqrt(6 / n))


def test_models_without_simulated_data_are_told_why():
    bounded = kinked().with_nonnegative(["x"])
    with refused(OptionError, "bounds without a prior"):
        ResponseToys(bounded, seed=1)


@pytest.mark.slow
def test_coverage_of_a_kinked_model_is_studied(tmp_path):
    """The command's own study, with the profile beside the posterior."""
    study = bc.coverage(kinked(), tmp_path, toys=4, seed=1, draws=200, tune=200, workers=0)
    assert study.attrs["toys"] == 4
    assert not study.attrs["problems"]
    assert {"x", "y", "pull[l]"} <= set(study["quantity"].to_numpy())
    assert set(study["answer"].to_numpy()) == {"profile", "posterior"}

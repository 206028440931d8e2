"""Simulated data of a model with parameters and functions of them: truth, profile and cover of the functions."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from refusals import refused
from repetitions import repetitions
from scipy import stats

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.studies.simulated import data_sets
from bayescomb.studies.simulated.curved_toys import CurvedToys
from bayescomb.studies.simulated.toys import Toys


def combination(formula="1 - a - b"):
    def measured(name, value, error):
        return bc.Measurement(
            name=f"m {name}",
            estimates=(bc.Estimate(name=f"e {name}", value=value, observables={name: 1.0}),),
            statistical_covariance=[[error**2]],
            nuisances=(bc.Nuisance(name=f"n {name}"),),
            responses=[[0.5 * error]],
        )

    return bc.Combination(
        name="toys",
        measurements=(measured("a", 0.3, 0.05), measured("b", 0.5, 0.04), measured("c", 0.25, 0.03)),
        parameters=(bc.Parameter(name="b", prior=bc.ParameterPrior(shape="normal", mean=0.45, sd=0.1)),),
        observables=(bc.Observable(name="a"), bc.Observable(name="c", formula=formula)),
        derived=(bc.Observable(name="ratio", formula="a / b"),),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


def test_functions_of_simulated_data_are_covered():
    toys = Toys(combination(), seed=3, correlations="nominal", posterior=False)
    records = [toys.analyse(i)["profile"] for i in range(150)]
    assert set(records[0]) == {"a", "b", "c", "ratio"}
    for name in ("a", "b", "c", "ratio"):
        truth, value, up, down = np.array([r[name] for r in records]).T
        assert np.ptp(truth) == 0
        inside = ((value + down <= truth) & (truth <= value + up)).mean()
        # five standard deviations of a frequency of 0.683
        assert inside == pytest.approx(0.683, abs=5 * np.sqrt(0.683 * 0.317 / len(records)))
    # the prior is data, so that it varies; c and ratio follow from a and b in each
    a, b, c, ratio = (np.array([r[name][1] for r in records]) for name in ("a", "b", "c", "ratio"))
    np.testing.assert_allclose(c, 1 - a - b, rtol=1e-12)
    np.testing.assert_allclose(ratio, a / b, rtol=1e-12)


def curved(**priors):
    """The product of a and b beside both."""
    parameters = tuple(bc.Parameter(name=name, prior=priors.get(name)) for name in "ab")
    return dataclasses.replace(
        combination("a * b"), parameters=parameters, measurements=combination().measurements[:3],
        observables=(bc.Observable(name="c", formula="a * b"),),
    )  # fmt: skip


ABOVE = bc.ParameterPrior(shape="lognormal", median=0.3, sigma=0.3)
RANGE = bc.ParameterPrior(shape="uniform", low=0.2, high=0.9)


@pytest.mark.slow
def test_the_profile_of_curved_formulas_covers():
    toys = CurvedToys(curved(b=RANGE), seed=4, correlations="nominal", posterior=False)
    n = repetitions(40)
    records = [toys.analyse(i)["profile"] for i in range(n)]
    for name in ("a", "b", "c", "ratio"):
        truth, value, up, down = np.array([r[name] for r in records]).T
        assert np.ptp(truth) == 0
        inside = ((value + down <= truth) & (truth <= value + up)).mean()
        assert inside == pytest.approx(0.683, abs=5 * np.sqrt(0.683 * 0.317 / n))
    a, b, c = (np.array([r[name][1] for r in records]) for name in "abc")
    np.testing.assert_allclose(c, a * b, rtol=1e-9)


def test_the_truth_of_a_posterior_is_drawn_from_its_priors_which_stay():
    given = curved(a=ABOVE, b=RANGE)
    toys = CurvedToys(given, seed=5)
    n = 200
    found = [toys.data(i) for i in range(n)]
    a, b, c = (np.array([truth[name] for _, truth in found]) for name in "abc")
    np.testing.assert_allclose(c, a * b, rtol=1e-12)
    assert stats.kstest(a, ABOVE.distribution().cdf).pvalue > 1e-4
    assert stats.kstest(b, RANGE.distribution().cdf).pvalue > 1e-4
    stated = given.measurements[-1]
    assert stated.name == "prior of a"
    assert all(simulated.measurements[-1].estimates == stated.estimates for simulated, _ in found)
    errors = np.array([0.05, 0.04, 0.03]) * np.sqrt(1 + 0.5**2)  # statistics and a source of half their size
    away = np.array([[e.value for e in simulated.estimates[:3]] for simulated, _ in found]) - np.column_stack([a, b, c])
    pulls = away / errors
    assert np.abs(pulls.mean(axis=0)).max() < 5 / np.sqrt(n)
    assert np.abs((pulls**2).mean(axis=0) - 1).max() < 5 * np.sqrt(2 / n)


def test_each_truth_is_ranked_among_the_draws_of_its_own_data_set(monkeypatch):
    """Draws at the 500 middles of equal shares of (-0.5, 1.5) for every quantity, in an order without correlation."""
    asked = []

    def stub(simulated, **settings):
        asked.append((simulated, settings))
        shares = np.random.default_rng(1).permutation((np.arange(500) + 0.5) / 500).reshape(1, 500)
        draws = dict.fromkeys(("a", "b", "c", "ratio", "free"), (("chain", "draw"), 2 * shares - 0.5))
        statistics = {"diverging": (("chain", "draw"), np.arange(500).reshape(1, 500) < 3)}
        return xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset(statistics)})

    monkeypatch.setattr(data_sets, "sample", stub)
    toys = CurvedToys(curved(a=ABOVE, b=RANGE), seed=5, draws=100, tune=200, chains=1)
    record = toys.analyse(1)
    ((simulated, settings),) = asked  # 500 effective draws suffice, so that no chain is made longer
    drawn, truths = toys.data(1)
    assert simulated.estimates == drawn.estimates
    assert settings == {
        "seed": settings["seed"], "draws": 100, "tune": 200, "chains": 1, "correlations": "prior", "progress": False,
    }  # fmt: skip
    assert record["divergences"] == 3
    assert set(record["posterior"]) == {"a", "b", "c", "ratio"} == set(record["profile"])
    for name, (truth, rank, mean, sd, *ends) in record["posterior"].items():
        assert truth == truths[name] == record["profile"][name][0]
        share = np.clip((truth + 0.5) / 2, 0, 1)
        # 99 of the 500 draws: five standard deviations of their number below the truth
        assert rank == pytest.approx(99 * share, abs=5 * np.sqrt(99 * share * (1 - share)) + 1)
        assert (mean, sd) == pytest.approx((0.5, 2 / np.sqrt(12)), rel=2e-3)
        assert ends == pytest.approx([-0.18, 1.18, -0.45, 1.45], abs=2e-3)


@pytest.mark.slow
def test_a_posterior_of_simulated_data_is_one_of_its_combination():
    toys = CurvedToys(curved(a=ABOVE, b=RANGE), seed=5, draws=100, tune=200, chains=1)
    record = toys.analyse(1)
    assert set(record["posterior"]) == {"a", "b", "c", "ratio"} == set(record["profile"])
    for name, (truth, rank, mean, sd, low, high, *_) in record["posterior"].items():
        assert truth == record["profile"][name][0]
        assert 0 <= rank <= 99
        assert low < mean < high
        assert 0 < sd < high - low


@pytest.mark.thorough
def test_ranks_of_the_truth_are_uniform():
    toys = CurvedToys(curved(a=ABOVE, b=RANGE), seed=6, draws=300, tune=300, chains=2)
    records = [toys.analyse(i)["posterior"] for i in range(100)]
    for name in ("a", "b", "c", "ratio"):
        ranks = np.array([r[name][1] for r in records])
        assert stats.kstest((ranks + 0.5) / 100, "uniform").pvalue > 1e-3


def test_a_study_of_curved_formulas_is_one_as_others(tmp_path):
    given = curved(b=RANGE)
    study = bc.coverage(given, tmp_path, toys=3, seed=4, correlations="nominal", posterior=False, progress=False)
    assert (study.attrs["toys"], study.attrs["problems"]) == (3, 0)
    assert list(study["quantity"].to_numpy()) == ["a", "b", "c", "ratio"]


def test_what_cannot_be_simulated_is_refused():
    with refused(OptionError, "the prior of 'a' is flat", "--profile-only"):
        CurvedToys(curved(b=RANGE), seed=1)
    with refused(OptionError, "chi2 'neyman'", "absolute"):
        CurvedToys(dataclasses.replace(curved(), chi2="pearson"), seed=1, posterior=False)
    with refused(OptionError, "CurvedToys"):
        Toys(curved(), seed=1, posterior=False)


def test_a_fit_that_ends_with_its_range_does_not_count():
    """Of a short range of b, which is known to 0.03, most simulated data lead to an end."""
    narrow = bc.ParameterPrior(shape="uniform", low=0.52, high=0.57)
    toys = CurvedToys(curved(b=narrow), seed=4, correlations="nominal", posterior=False)
    rows = np.array([toys.analyse(i)["profile"]["b"] for i in range(10)])
    ended = rows[:, 2] == 0
    assert 0 < ended.sum() < 10
    np.testing.assert_array_equal(rows[ended, 1:], 0.0)

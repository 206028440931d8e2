"""Log likelihoods of left-out data: exact given the parameters, and by ArviZ the density of refits without them."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from test_curved_recovery import correlated

import bayescomb as bc
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.predictive_groups import BY_MEASUREMENT, left_out_densities, predictive_groups

DRAWS = 4000
# What ArviZ smooths weights for is of draws, so that its elpd has a Monte Carlo error; per estimate, for independent draws.
SIGMAS = 5


def combination(values=(10.0, 10.8, 9.7, 10.4, 9.6, 10.1), leave_out=None):
    """Estimates of one mass by three measurements of two, with statistics and a source that correlate them."""
    measurements = []
    for k in range(3):
        own = [i for i in (2 * k, 2 * k + 1) if i != leave_out]
        measurements.append(
            bc.Measurement(
                name=f"m{k}",
                estimates=tuple(bc.Estimate(name=f"e{i}", value=values[i], observables={"x": 1.0}) for i in own),
                statistical_covariance=STATISTICAL[np.ix_(own, own)],
                nuisances=(bc.Nuisance(name=f"n{k}", source="s"),),
                responses=SHIFTS[own][:, None],
            )
        )
    pairs = tuple(bc.CorrelationPair(first=f"n{i}", second=f"n{j}") for i, j in ((0, 1), (0, 2), (1, 2)))
    common = bc.CorrelationCoefficient(name="s", pairs=pairs, nominal=0.6)
    return bc.Combination(
        name="six",
        measurements=tuple(measurements),
        observables=(bc.Observable(name="x"),),
        sources=(bc.Source(name="s"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(common,))},
        assumptions="set",
    )


SHIFTS = np.array([0.4, 0.3, 0.2, 0.5, 0.3, 0.35])
STATISTICAL = np.kron(np.eye(3), [[0.3, 0.06], [0.06, 0.4]])


def covariance():
    same = np.kron(np.eye(3), np.ones((2, 2)))
    return STATISTICAL + np.outer(SHIFTS, SHIFTS) * np.where(same > 0, 1.0, 0.6)


def drawn(given):
    """Independent draws of the posterior, which is Gaussian in closed form, as a tree."""
    fit = bc.profile(given)
    rng = np.random.default_rng(1)
    values = rng.normal(fit.values.item(), fit.errors.item(), size=(4, DRAWS // 4))
    posterior = xr.Dataset({"x": (("chain", "draw"), values)}, {"chain": np.arange(4), "draw": np.arange(DRAWS // 4)})
    groups = predictive_groups(sampling_plan(given), posterior, seed=1)
    measured = np.array([e.value for e in given.estimates])
    observed = xr.Dataset({"estimate_value": ("estimate", measured)}, {"estimate": [e.name for e in given.estimates]})
    return xr.DataTree.from_dict({"posterior": posterior, "observed_data": observed, **groups})


@pytest.fixture(scope="module")
def tree():
    return drawn(combination())


def test_densities_are_those_of_the_conditional_gaussian():
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 5))
    total, away = root @ root.T + np.eye(5), rng.normal(size=5)
    blocks = [np.array([0, 3]), np.array([1]), np.array([2, 4])]
    found = left_out_densities(away[None], total[None], blocks)[0]
    for block, value in zip(blocks, found, strict=True):
        rest = np.setdiff1d(np.arange(5), block)
        gain = total[np.ix_(block, rest)] @ np.linalg.inv(total[np.ix_(rest, rest)])
        expected = stats.multivariate_normal(
            gain @ away[rest], total[np.ix_(block, block)] - gain @ total[np.ix_(rest, block)]
        )
        assert value == pytest.approx(expected.logpdf(away[block]), rel=1e-10)


def test_the_groups_hold_what_the_formula_says(tree):
    x = tree["posterior"]["x"].to_numpy().ravel()
    measured = tree["observed_data"]["estimate_value"].to_numpy()
    total = covariance()
    precision = np.linalg.inv(total)
    pull = (measured - x[:, None]) @ precision
    inner = np.diag(precision)
    expected = -0.5 * pull**2 / inner + 0.5 * np.log(inner / (2 * np.pi))
    found = tree["log_likelihood"]["estimate_value"].to_numpy().reshape(len(x), -1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    replicas = tree["posterior_predictive"]["estimate_value"].to_numpy().reshape(len(x), -1)
    error = np.sqrt(np.diag(total) / len(x))
    assert (np.abs((replicas - x[:, None]).mean(axis=0)) < SIGMAS * error).all()
    assert dict(tree[BY_MEASUREMENT].sizes) == {"chain": 4, "draw": DRAWS // 4, "measurement": 3}


def test_loo_of_arviz_is_that_of_refits(tree):
    """The left-out density is that of x_i given all others, which a refit without it and its regression on them give."""
    found = az.loo(tree, pointwise=True)
    whole, total = combination(), covariance()
    measured = np.array([e.value for e in whole.estimates])
    for i in range(6):
        rest = np.setdiff1d(np.arange(6), [i])
        refit = bc.profile(combination(leave_out=i))
        gain = total[i, rest] @ np.linalg.inv(total[np.ix_(rest, rest)])
        # x_i - mu is gain (x_rest - mu) and noise; mu is known with the error of the refit
        mean = refit.values.item() + gain @ (measured[rest] - refit.values.item())
        slope = 1 - gain.sum()
        variance = total[i, i] - gain @ total[rest, i] + slope**2 * refit.errors.item() ** 2
        expected = stats.norm(mean, np.sqrt(variance)).logpdf(measured[i])
        inverse = np.exp(-tree["log_likelihood"]["estimate_value"].to_numpy().reshape(DRAWS, 6)[:, i])
        error = inverse.std() / inverse.mean() / np.sqrt(DRAWS)
        assert float(found.elpd_i[i]) == pytest.approx(expected, abs=SIGMAS * error)


@pytest.mark.slow
def test_arviz_takes_the_tree_as_it_is(tree):
    other = drawn(combination(values=(10.0, 14.8, 9.7, 10.4, 9.6, 10.1)))
    ranked = az.compare({"as measured": tree, "one off": other})
    assert list(ranked.index) == ["as measured", "one off"]
    assert az.loo_pit(tree)["estimate_value"].shape == (6,)
    az.plot_ppc_dist(tree, backend="none")


def test_there_are_none_where_estimates_are_not_gaussian():
    given = combination().with_chi2("pearson")
    assert predictive_groups(sampling_plan(given), xr.Dataset(), seed=1) == {}


def test_there_are_none_where_constraints_above_1_leave_no_density_of_the_estimates():
    """Both inputs widen a nuisance that they share: together with x they are proper, each estimate by itself is not."""
    posterior = xr.Dataset({"x": (("chain", "draw"), np.zeros((1, 3)))})
    assert predictive_groups(sampling_plan(correlated("both above 1, shared")), posterior, seed=1) == {}

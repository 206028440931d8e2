"""The combined result for other programs: the table of a fit, HS3, a prior in PyMC."""

import json

import numpy as np
import pymc as pm
import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import InvalidMatrixError, OptionError


def measurement(name, values, covariance, parameters, results):
    return bc.Measurement.from_fit(name, name, values=values, covariance=covariance, parameters=parameters, results=results)


FIRST = np.array([[4.0, 1.0, 0.8], [1.0, 9.0, -0.5], [0.8, -0.5, 0.9]])


@pytest.fixture(scope="module")
def fit():
    """Two results, of which the first is measured twice."""
    north = measurement("North", [10.0, 20.0, 0.4], FIRST, ["a/b", "1st", "jes"], ["a/b", "1st"])
    south = measurement("South", [12.0, -0.2], [[4.0, 0.9], [0.9, 0.95]], ["a/b", "jes"], ["a/b"])
    return bc.profile(bc.combine([north, south], shared_names="same", name="two results"))


def expected():
    """Best values and covariance of (a/b, 1st, jes), by hand: informations added, one of two priors removed."""
    one = np.linalg.inv(FIRST)
    other = np.zeros((3, 3))
    other[np.ix_([0, 2], [0, 2])] = np.linalg.inv([[4.0, 0.9], [0.9, 0.95]])
    total = one + other - np.diag([0.0, 0.0, 1.0])
    return np.linalg.solve(total, one @ [10.0, 20.0, 0.4] + other @ [12.0, 0.0, -0.2]), np.linalg.inv(total)


def test_table_of_the_fit(fit):
    table = bc.fit_results(fit)
    values, covariance = expected()
    errors = np.sqrt(np.diag(covariance))
    assert table.labels == ["a/b", "1st", "jes"]
    np.testing.assert_allclose(table.bestfit, values, rtol=1e-9)
    np.testing.assert_allclose(table.uncertainty, errors, rtol=1e-9)
    np.testing.assert_allclose(table.corr_mat, covariance / np.outer(errors, errors), rtol=1e-8)
    assert (table.best_twice_nll, table.goodness_of_fit) == (fit.chi2, fit.p_value)
    assert table.minos_uncertainty == {}
    few = bc.fit_results(fit, nuisances=False)
    np.testing.assert_array_equal(few.corr_mat, table.corr_mat[:2, :2])


def test_hs3(fit):
    found = json.loads(json.dumps(bc.hs3(fit)))
    (gaussian,) = found["distributions"]
    values, covariance = expected()
    assert (gaussian["name"], gaussian["type"], gaussian["x"]) == (
        "two_results",
        "multivariate_normal_dist",
        ["a_b", "x_1st"],
    )
    np.testing.assert_allclose(gaussian["mean"], values[:2])
    np.testing.assert_allclose(gaussian["covariances"], covariance[:2, :2])
    assert [p["name"] for p in found["parameter_points"][0]["parameters"]] == gaussian["x"]
    low, high = (found["domains"][0]["axes"][0][key] for key in ("min", "max"))
    assert low < gaussian["mean"][0] < high


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # ROOT's own
def test_root_reads_hs3(fit):
    ROOT = pytest.importorskip("ROOT", reason="the ROOT wheel is not installed")
    workspace = ROOT.RooWorkspace("w")
    assert ROOT.RooJSONFactoryWSTool(workspace).importJSONfromString(json.dumps(bc.hs3(fit)))
    density = workspace.pdf("two_results")
    values, covariance = expected()
    heights = []
    for shift in (0.0, 1.0):
        workspace.var("a_b").setVal(values[0] + shift)
        workspace.var("x_1st").setVal(values[1])
        heights.append(density.getVal())
    information = np.linalg.inv(covariance[:2, :2])
    assert np.log(heights[0] / heights[1]) == pytest.approx(
        information[0, 0] / 2, rel=1e-4
    )  # as ROOT rounds what it imports


@pytest.mark.slow
def test_a_prior_in_pymc(fit):
    values, covariance = expected()
    with pm.Model() as model:
        bc.mv_normal(fit, name="measured", dims="cross section")
    assert model.coords["cross section"] == ("parameter a%2Fb", "1st")
    mu, cov = (p.eval() for p in model["measured"].owner.op.dist_params(model["measured"].owner)[:2])
    np.testing.assert_allclose(mu, values[:2])
    np.testing.assert_allclose(cov, covariance[:2, :2])


@pytest.mark.slow
def test_a_posterior_gives_its_mean_and_covariance(run1_posterior):
    (gaussian,) = bc.hs3(run1_posterior)["distributions"]
    from bayescomb.sampling.posterior.summary import result_moments

    mean, sd = result_moments(run1_posterior, "m_t")
    np.testing.assert_allclose([gaussian["mean"][0], gaussian["covariances"][0][0]], [mean, sd**2])


def test_errors(run1):
    with refused(OptionError, "a combination found", "a profile is needed"):
        bc.hs3(run1)
    estimates = tuple(bc.Estimate(name=n, value=v, observables={n: 1.0}) for n, v in (("x", -2.0), ("y", 3.0)))
    bounded = bc.Measurement(name="m", estimates=estimates, statistical_covariance=np.eye(2))
    at_bound = bc.profile(bc.combine([bounded], nonnegative=("x",)))
    with refused(InvalidMatrixError, "x at a bound"):
        bc.hs3(at_bound)
    normalised = bc.profile(bc.combine([measurement("a", [1.0, 2.0], np.eye(2), ["x", "y"], ["x", "y"])], normalise=True))
    with refused(InvalidMatrixError, "x, y follow from each other"):
        bc.hs3(normalised)
    with refused(OptionError, "chi2 is not quadratic", "nuisances=False"):
        bc.fit_results(normalised)
    coefficient = bc.Relation(name="J", members={"North": "jes", "South": "jes"}, nominal=0.5, low=0.0, high=0.9)
    values = {"North": 9.0, "South": 12.0}
    fits = [measurement(n, [v, 0.0], [[4.0, 0.9], [0.9, 0.95]], ["x", "jes"], ["x"]) for n, v in values.items()]
    combination = bc.combine(fits, relations=[coefficient])
    with refused(OptionError, "of a fit at other coefficients"):
        bc.fit_results(bc.profile(combination, coefficients={"J": 0.9}))
    assert bc.fit_results(bc.profile(combination)).labels == ["x", "jes", "jes_South"]

"""Comparison of posterior and profile where every number has a closed form."""

import numpy as np
import pytest
import xarray as xr
from combinations import star
from scipy import integrate
from scipy.stats import norm

import bayescomb as bc
from bayescomb.base.rounding import plain, with_error
from bayescomb.output.analysis import nominal_fit
from bayescomb.output.data.groups import export_groups
from bayescomb.output.data.results import comparison_data, posterior_data
from bayescomb.output.report.results import collect
from bayescomb.output.report.tables.coefficients import coefficient_table
from bayescomb.output.tables.result import summary_table
from bayescomb.output.text.posterior import posterior_text
from bayescomb.sampling.posterior.summary import result_summary, summarise

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
        return integrate.quad(lambda r: function(*at(r)[:2]) * at(r)[2], 0, 0.8)[0] / area

    area = integrate.quad(lambda r: at(r)[2], 0, 0.8)[0]
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


def _close(found, expected):
    assert found == pytest.approx(expected, rel=1e-14)


def test_every_output_names_one_number_for_one_quantity(combination, posterior):
    """JSON of sample and compare, tables of the report, export and text: mean, sd, intervals and Monte Carlo errors."""
    results = collect(posterior, bc.profile(combination))
    sampled = posterior_data(summarise(posterior), nominal_fit(combination))
    compared = comparison_data(results.comparison, results.divided)["parameters"]["x"]
    rows = summary_table(results.parameters, comparison=results.comparison).rows
    summary = next(row for row in rows if row["answer"] == "posterior")
    exported = export_groups(results)
    own, group = sampled["parameters"]["x"], exported["posterior"].sel(parameter="x")
    # the fully specified moments, by the law of total variance written out
    conditional = posterior["conditional"]
    mean, sd = (conditional[key].sel(parameter="x").to_numpy() for key in ("mean", "sd"))
    _close(own["mean"], mean.mean())
    _close(own["sd"], np.sqrt((sd**2).mean() + mean.var()))
    assert own["origin"] == "conditional"
    assert own["mcse"] == own["mcse_mean"]
    for key, cell in (("mean", "value"), ("sd", "error"), ("median", "median"), ("mcse_mean", "mcse_mean")):
        assert own[key] == compared[key] == summary[cell] == group[key].item(), key
    assert own["mcse_sd"] == compared["mcse_sd"] == summary["mcse_sd"] == group["mcse_sd"].item()
    for low, high in ((compared["hdi_low"], compared["hdi_high"]), (summary["low"], summary["high"])):
        assert own["hdi68"] == [low, high]
    assert own["hdi68"] == [group["hdi_low"].item(), group["hdi_high"].item()]
    assert own["central68"] == group["quantile"].sel(probability=[0.16, 0.84]).to_numpy().tolist()
    _close(sampled["covariance"]["matrix"][0][0], own["sd"] ** 2)
    _close(float(results.covariance[0, 0]), own["sd"] ** 2)
    _close(float(bc.variance_shares(posterior)["variance"].sum("part").item()), own["sd"] ** 2)
    assert bc.prior_sensitivity(posterior)["sd"].item() == own["sd"]
    assert f"x = {plain(with_error(own['mean'], own['sd'], unit='pb'))}" in posterior_text(results.sampled)

    name = combination.assumption_set.coefficients[0].name
    coefficient = sampled["coefficients"][name]
    row = next(row for row in coefficient_table(results).rows if row["coefficient"] == name)
    relevance = bc.coefficient_relevance(posterior).sel(coefficient=name)
    stored = exported["posterior_coefficients"].sel(coefficient=name)
    for key in ("mean", "sd"):
        numbers = {row[f"posterior_{key}"], relevance[f"posterior_{key}"].item(), stored[f"posterior_{key}"].item()}
        assert numbers == {coefficient[key]}
    assert coefficient["hdi68"] == [row["posterior_hdi_low"], row["posterior_hdi_high"]]
    assert coefficient["central68"] == [row["posterior_central_low"], row["posterior_central_high"]]
    pulls = {pull.name: (pull.pull, pull.constraint) for pull in results.nuisances}
    group = exported["posterior_nuisances"]
    for nuisance, found in sampled["nuisances"].items():
        at = group.sel(nuisance=nuisance)
        assert (found["pull"], found["constraint"]) == pulls[nuisance] == (at["mean"].item(), at["sd"].item())


def test_moments_that_no_draw_changes_are_exact():
    """All coefficients held: the posterior is the Gaussian of the profile, whatever the draws."""
    mean, sd = (xr.DataArray(np.full((2, 50, 1), value), dims=("chain", "draw", "parameter")) for value in (174.2148, 1.5))
    noisy = xr.DataArray(np.random.default_rng(1).normal(174.3, 1.5, (2, 50)), dims=("chain", "draw"))
    conditional = xr.Dataset({"mean": mean, "sd": sd}, {"parameter": ["x"]})
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": noisy}), "conditional": conditional})
    found = result_summary(tree, "x")
    half = 1.5 * norm.ppf(0.84)
    assert (found.origin, found.mcse_mean, found.mcse_sd) == ("exact", 0.0, 0.0)
    numbers = [found.mean, found.sd, found.median, found.hdi_low, found.central_high]
    assert numbers == pytest.approx([174.2148, 1.5, 174.2148, 174.2148 - half, 174.2148 + half], rel=1e-12)

"""Compatibility of each input with the rest against generalised least squares, and its distribution on simulated data."""

import numpy as np
import pytest
from gaussian import coefficient, combine, external_measurement, fit_of_data
from repetitions import repetitions
from scipy import stats
from scipy.linalg import block_diag

import bayescomb as bc
from bayescomb.output.data.results import profile_data
from bayescomb.output.text.fit import profile_text


def correlated():
    """Four estimates of x and y by three inputs, their nuisances correlated across."""
    rng = np.random.default_rng(8)
    sizes = {"a": 2, "b": 1, "c": 2}
    inputs = [
        external_measurement(rng, name, observables=("x", "y"), n_estimates=n, n_nuisances=2) for name, n in sizes.items()
    ]
    coefficients = (coefficient("r", 0.5, ("a.n0", "b.n0"), ("a.n1", "c.n1", -1)), coefficient("s", -0.3, ("b.n1", "c.n0")))
    return combine(*inputs, observables=("x", "y"), coefficients=coefficients)


def total_covariance(combination, prior):
    statistical = block_diag(*(m.statistical_covariance for m in combination.measurements))
    responses = block_diag(*(m.responses for m in combination.measurements))
    return statistical + responses @ prior @ responses.T


def test_it_is_the_difference_of_an_input_from_what_the_rest_predicts_for_it():
    """Prediction by the rest: its best observables, and the errors that the inputs share."""
    combination = correlated()
    prior = np.eye(6)
    for i, j, r in ((0, 2, 0.5), (1, 5, -0.5), (3, 4, -0.3)):
        prior[i, j] = prior[j, i] = r
    covariance, design = total_covariance(combination, prior), combination.design
    measured = np.array([e.value for e in combination.estimates])
    owner = np.repeat(["a", "b", "c"], [2, 1, 2])
    rows = bc.compatibility(combination)
    assert [row.name for row in rows] == ["a", "b", "c"]
    for row in rows:
        own, rest = owner == row.name, owner != row.name
        inverse = np.linalg.inv(covariance[np.ix_(rest, rest)])
        best_covariance = np.linalg.inv(design[rest].T @ inverse @ design[rest])
        best = best_covariance @ design[rest].T @ inverse @ measured[rest]
        shared = covariance[np.ix_(own, rest)] @ inverse
        lever = design[own] - shared @ design[rest]
        difference = measured[own] - design[own] @ best - shared @ (measured[rest] - design[rest] @ best)
        spread = covariance[np.ix_(own, own)] - shared @ covariance[np.ix_(rest, own)] + lever @ best_covariance @ lever.T
        assert row.chi2 == pytest.approx(difference @ np.linalg.solve(spread, difference), rel=1e-9)
        assert row.ndf == own.sum()
        assert row.p_value == pytest.approx(stats.chi2.sf(row.chi2, row.ndf), rel=1e-9)
        assert row.problem == ""


@pytest.mark.slow
def test_p_values_of_simulated_data_are_uniform():
    """Also of an input that publishes its own fit, whose pulls follow its data."""
    rng = np.random.default_rng(9)
    design = rng.normal(size=(9, 4))  # of nine bins to two estimates and two nuisances
    responses = [rng.normal(size=(2, 2)), rng.normal(size=(1, 2))]
    truth = np.array([5.0, 3.0])
    prior = np.eye(6)  # of the nuisances of the fit, and of the two tables
    for i, j, r in ((0, 2, 0.6), (1, 4, -0.5), (3, 5, 0.7)):
        prior[i, j] = prior[j, i] = r
    root = np.linalg.cholesky(prior)
    pairs = (("fit.n0", "a.n0"), ("fit.n1", "b.n0"), ("a.n1", "b.n1"))
    coefficients = [coefficient(f"r{i}", r, pair) for i, (r, pair) in enumerate(zip((0.6, -0.5, 0.7), pairs, strict=True))]
    maps = [{"x": 1.0}, {"y": 1.0}]

    def table(name, responses, nuisances):
        values = truth[: len(responses)] + responses @ nuisances + rng.normal(size=len(responses))
        return bc.Measurement(
            name=name,
            estimates=tuple(
                bc.Estimate(name=f"{name}.e{i}", value=v, observables=maps[i]) for i, v in enumerate(values)
            ),
            statistical_covariance=np.eye(len(values)),
            nuisances=tuple(bc.Nuisance(name=f"{name}.n{i}") for i in range(2)),
            responses=responses,
        )  # fmt: skip

    p_values, chi2, n = [], [], repetitions(300)
    for _ in range(n):
        nuisances = root @ rng.normal(size=6)
        data = design @ np.concatenate([truth, nuisances[:2]]) + rng.normal(size=9)
        inputs = (fit_of_data("fit", design=design, data=data, maps=maps), table("a", responses[0], nuisances[2:4]))
        rows = bc.compatibility(
            combine(*inputs, table("b", responses[1], nuisances[4:]), observables=("x", "y"), coefficients=coefficients)
        )
        assert [row.ndf for row in rows] == [2, 2, 1]
        p_values.append([row.p_value for row in rows])
        chi2.append([row.chi2 for row in rows])
    for column in np.transpose(p_values):
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    # mean ndf, variance 2 ndf
    ndf = np.array([2, 2, 1])
    assert (np.abs(np.mean(chi2, axis=0) - ndf) < 5 * np.sqrt(2 * ndf / n)).all()


def test_input_that_alone_measures_something_is_not_tested_by_it():
    rng = np.random.default_rng(2)
    one, two = (external_measurement(rng, n, observables=("x",), n_estimates=1, n_nuisances=1) for n in ("one", "two"))
    alone = external_measurement(rng, "alone", observables=("y",), n_estimates=1, n_nuisances=1)
    rows = {r.name: r for r in bc.compatibility(combine(one, two, alone, observables=("x", "y")))}
    assert (rows["alone"].ndf, rows["alone"].p_value) == (0, None)
    assert rows["alone"].chi2 == pytest.approx(0, abs=1e-12)
    assert rows["one"].ndf == 1
    # the two differ from each other as much, whichever is taken out
    assert rows["one"].chi2 == pytest.approx(rows["two"].chi2, rel=1e-12)


def test_rest_that_does_not_determine_its_observables_is_a_problem_of_that_row():
    rng = np.random.default_rng(3)
    inputs = [external_measurement(rng, n, observables=("x", "y"), n_estimates=1, n_nuisances=0) for n in ("a", "b")]
    rows = bc.compatibility(combine(*inputs, observables=("x", "y")))
    for row in rows:
        assert (row.chi2, row.p_value) == (None, None)
        assert "do not determine" in row.problem


def test_single_input_has_nothing_to_be_compatible_with():
    rng = np.random.default_rng(4)
    alone = external_measurement(rng, "a", observables=("x",), n_estimates=2, n_nuisances=1)
    assert bc.compatibility(combine(alone)) == ()


@pytest.mark.parametrize("treatment", ["nuisance", "covariance"])
def test_rest_of_a_budget_is_the_combination_without_the_input(treatment):
    """It is not built for that: its chi2 is taken from the linear model of all."""
    combination = correlated().with_treatment(treatment)
    whole = bc.profile(combination)
    for row in bc.compatibility(combination):
        rest = bc.profile(combination.without(row.name))
        assert row.chi2 == pytest.approx(whole.chi2 - rest.chi2, rel=1e-9)
        assert row.ndf == whole.ndf - rest.ndf


def test_relative_responses_change_the_prediction_of_the_rest():
    """One estimate each: chi2 of both is that of the rest, 0, and the profile's."""
    inputs = [
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"{name}.e", value=value, observables={"x": 1.0}),),
            statistical_covariance=np.eye(1),
            nuisances=(bc.Nuisance(name=f"{name}.n", response="relative"),),
            responses=np.array([[2.0]]),
        )
        for name, value in (("a", 20.0), ("b", 26.0))
    ]
    combination = combine(*inputs)
    rows = bc.compatibility(combination)
    assert [row.chi2 for row in rows] == pytest.approx([bc.profile(combination).chi2] * 2, rel=1e-7)
    # on a grid: nuisances profiled at each x and nuisance of the other
    x, n = np.linspace(18, 27, 1801)[:, None], np.linspace(-3, 3, 2401)
    costs = [((v - x * (1 + n * 2 / v)) ** 2 + n**2).min(axis=1) for v in (20.0, 26.0)]
    assert rows[0].chi2 == pytest.approx((costs[0] + costs[1]).min(), abs=2e-5)


def widened(name, covariance, pull, value):
    """A fit whose nuisance came out three times as wide as its prior."""
    information = np.linalg.inv(np.array([[11.25, covariance], [covariance, 9.0]]))
    return bc.Measurement(
        name=name,
        estimates=(bc.Estimate(name=f"{name}.e", value=value, observables={"x": 1.0}),),
        fit=bc.FittedInput(nuisances=(bc.Nuisance(name=f"{name}.n"),), information=information, pulls=np.array([pull])),
    )


def test_inputs_that_are_undetermined_apart_have_no_chi2_but_a_combination():
    first, second = widened("a", 9.0, 0.2, 10.0), widened("b", -9.0, -0.1, 10.5)
    combination = combine(first, second, coefficients=(coefficient("r", 1.0, ("a.n", "b.n")),))
    fit = bc.profile(combination)
    # each data precision, prior removed: A = H - diag(0, 1), centre by A z = H z_hat; one shared nuisance, prior once
    precision, right = np.diag([0.0, 1.0]), np.zeros(2)
    for m in combination.measurements:
        precision = precision + m.fit.information - np.diag([0.0, 1.0])
        right += m.fit.information @ [m.estimates[0].value, m.fit.pulls[0]]
    covariance = np.linalg.inv(precision)
    assert fit.values.item() == pytest.approx((covariance @ right)[0], rel=1e-10)
    assert fit.errors.item() == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-10)
    assert np.isnan(fit.chi2)
    assert fit.p_value is None
    assert all(row.p_value is None and row.problem for row in bc.compatibility(combination))
    data = profile_data(fit, bc.compatibility(combination))
    assert (data["chi2"], data["p_value"]) == (None, None)
    assert "chi2 undefined" in profile_text(fit)


def test_check_names_relative_responses_that_can_reach_zero():
    nuisances = (bc.Nuisance(name="small", response="relative"), bc.Nuisance(name="wide", response="relative"))
    measurement = bc.Measurement(
        name="m",
        estimates=(bc.Estimate(name="e", value=10.0, observables={"x": 1.0}),),
        statistical_covariance=np.eye(1),
        nuisances=nuisances,
        responses=np.array([[1.0, -4.0]]),
    )
    assert bc.check(combine(measurement)).wide == ("wide",)

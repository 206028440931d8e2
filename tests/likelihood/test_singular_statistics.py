"""A statistical covariance without variance in some direction: the total decides, which is inverted here directly."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from exact import ExactFit
from gaussian import coefficient, combine
from refusals import refused
from tight import NAMES, RESPONSES, RHO, STATISTICS, VALUES, fractions, helicity

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError, InvalidMatrixError, OptionError
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.impacts import impacts
from bayescomb.formats.convino.writer import write_convino
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.likelihood.linear_gaussian import linear_model, solve
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.recovery import given_coefficients, recover_nuisances, recoverable_nuisances


def exact():
    correlation = np.eye(6)
    correlation[1, 4] = correlation[4, 1] = RHO
    statistical = np.zeros((4, 4))
    statistical[:2, :2], statistical[2:, 2:] = STATISTICS, np.diag([0.016**2, 0.01**2])
    responses = np.zeros((4, 6))
    responses[:2, :3], responses[2:, 3:] = RESPONSES["A"], RESPONSES["B"]
    return ExactFit(
        measured=[*VALUES["A"], *VALUES["B"]],
        design=np.tile(np.eye(2), (2, 1)),
        statistical=statistical,
        responses=responses,
        correlation=correlation,
    )


@pytest.mark.parametrize("treatment", ["covariance", "nuisance"])
def test_profile_is_that_of_the_total_covariance(treatment):
    fit, right = bc.profile(fractions(treatment)), exact()
    np.testing.assert_allclose(fit.values, right.values, rtol=1e-10)
    np.testing.assert_allclose(fit.errors, right.errors, rtol=1e-9)
    np.testing.assert_allclose(fit.pulls, right.pulls, rtol=1e-8, atol=1e-10)
    assert fit.chi2 == pytest.approx(right.chi2, rel=1e-9)
    np.testing.assert_allclose(np.hypot(fit.statistical_errors, fit.systematic_errors), fit.errors, rtol=1e-9)
    # Observables are unbiased: the weights of each on its own estimates add up to 1, on the others to 0.
    np.testing.assert_allclose(fit.weights.to_numpy() @ np.tile(np.eye(2), (2, 1)), np.eye(2), atol=1e-9)


def test_impacts_scan_and_compatibility():
    combination = fractions("covariance")
    found = impacts(combination)
    # An impact is the root of its part of the variance, with the sign of a part that an anticorrelation makes negative.
    parts = [found.statistics, found.coupling, *(found.sources.sel(source=name) for name in found.sources["source"])]
    total = sum((part * abs(part)).to_numpy() for part in parts)
    np.testing.assert_allclose(total, bc.profile(combination).errors ** 2, rtol=1e-9)
    assert [row.ndf for row in bc.compatibility(combination)] == [2, 2]


def test_a_limit_of_definite_covariances():
    near = STATISTICS + np.diag(np.diag(STATISTICS)) * 1e-10
    limit, exactly = (
        bc.profile(combine(helicity("A", statistics=near), observables=NAMES)),
        bc.profile(combine(helicity("A"), observables=NAMES)),
    )
    np.testing.assert_allclose(limit.errors, exactly.errors, rtol=1e-6)
    np.testing.assert_allclose(limit.values, exactly.values, rtol=1e-9)


def test_posterior_given_the_coefficients_and_its_nuisances():
    combination = fractions("nuisance")
    plan, right = sampling_plan(combination), exact()
    means, covariance, _ = given_coefficients(plan, np.zeros((1, 0)))
    np.testing.assert_allclose(means[0], right.values, rtol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance[0])), right.errors, rtol=1e-9)
    solution = solve(linear_model(combination), plan.fixed_correlation)
    rng = np.random.default_rng(1)
    n = 4000
    parameters = right.values + rng.normal(size=(n, 2)) @ solution.root.T
    draws = recover_nuisances(plan, recoverable_nuisances(plan), np.zeros((n, 0)), parameters, rng=rng)
    np.testing.assert_allclose(draws.mean(axis=0), right.pulls, atol=5 / np.sqrt(n))
    np.testing.assert_allclose(draws.std(axis=0), np.sqrt(solution.nuisance_variance), rtol=5 / np.sqrt(2 * n))


def test_toys_have_the_total_covariance():
    combination = fractions("nuisance")
    (one, other) = bc.simulate(combination, observables=np.array([0.7, 0.3]), rng=np.random.default_rng(2), antithetic=True)
    middle = [(a.value + b.value) / 2 for a, b in zip(one.estimates, other.estimates, strict=True)]
    np.testing.assert_allclose(middle, [0.7, 0.3, 0.7, 0.3], rtol=1e-9)


def test_model_file_round_trip(tmp_path):
    combination = fractions("covariance")
    path = write_model(combination, tmp_path)
    again = bc.load(path)
    xr.testing.assert_allclose(bc.profile(again).values, bc.profile(combination).values, rtol=1e-12)
    assert bc.profile(again).chi2 == pytest.approx(bc.profile(combination).chi2, rel=1e-12)


def test_what_nothing_moves_is_refused():
    said = ("statistical covariance of measurement 'A'", "singular", "'A.e0', 'A.e1'", "leave out an estimate")
    with refused(InvalidMatrixError, *said):
        helicity("A", responses=[[0.012], [-0.008]])
    # The same estimate twice, without any uncertainty of their difference.
    with refused(InvalidMatrixError, "singular", "no nuisance shifts the combination"):
        helicity("A", statistics=np.full((2, 2), 1e-4), responses=[[0.01], [0.01]])


def test_indefinite_is_refused():
    with refused(InvalidMatrixError, "statistical covariance of measurement 'A'", "not positive definite"):
        helicity("A", statistics=STATISTICS * [[1, 1.01], [1.01, 1]])


def test_total_without_variance_is_refused_where_the_coefficients_make_it():
    """Two sources that are one where they are fully correlated shift both estimates as the statistics do."""
    responses = np.array([[0.012, 0.0], [0.0, -0.008]])
    one = helicity("A", responses=responses)
    free = combine(one, observables=NAMES)
    assert bc.profile(free).chi2 == pytest.approx(0, abs=1e-12)
    held = coefficient("r", 1.0, ("A.n0", "A.n1"))
    with refused(InfeasibleCorrelationError, "total covariance: singular", "'A.e0', 'A.e1'", "leave out an estimate"):
        bc.profile(combine(one, observables=NAMES, coefficients=(held,)))


def test_what_needs_the_inverse_is_refused(tmp_path):
    combination = fractions("nuisance")
    with refused(InvalidMatrixError, "'pearson'", "singular", "use 'neyman'"):
        dataclasses.replace(combination, chi2="pearson")
    with refused(OptionError, "engine 'full'", "use the engine 'marginal'"):
        bc.build_model(combination, engine="full")
    with refused(OptionError, "measurement 'A'", "Convino", "model.toml"):
        write_convino(combination, tmp_path)


def test_relative_response_beside_it():
    """Chi2 is not quadratic then; the relative shifts of the second input do not touch what the first lacks."""
    combination = fractions("nuisance")
    second = combination.measurements[1]
    nuisances = (dataclasses.replace(second.nuisances[0], response="relative"), *second.nuisances[1:])
    curved = dataclasses.replace(
        combination, measurements=(combination.measurements[0], dataclasses.replace(second, nuisances=nuisances))
    )
    fit = Fitter(curved).fit(Fitter(curved).correlation()[0], errors="hesse")
    np.testing.assert_allclose(fit.values, exact().values, rtol=1e-3)

"""The profile of the Run 1 mass combination: golden figures, and every weight from an independent combination."""

import math

import numpy as np
import pytest
import scipy.special
from gaussian import combine, estimates_of
from run1_blue import blue, run1_inputs
from scipy.stats import chi2 as chi2_distribution

import bayescomb as bc
from bayescomb.fit.profile import chi2_survival, goodness_of_fit


@pytest.fixture(scope="module")
def fit(run1):
    return bc.profile(run1)


@pytest.fixture(scope="module")
def inputs():
    return run1_inputs()


@pytest.fixture(scope="module")
def independent(inputs):
    return blue(inputs.values, inputs.statistical + sum(inputs.systematic.values()))


def test_golden_figures(fit):
    assert fit.values.sel(parameter="m_t").item() == pytest.approx(172.5134, abs=1e-4)
    assert fit.errors.sel(parameter="m_t").item() == pytest.approx(0.3293, abs=1e-4)
    assert fit.chi2 == pytest.approx(7.564, abs=1e-3)
    assert fit.ndf == 14


def test_published_result_to_its_digits(fit):
    assert f"{fit.values.item():.2f} +- {fit.errors.item():.2f}" in ("172.51 +- 0.33", "172.52 +- 0.33")
    assert (f"{fit.statistical_errors.item():.2f}", f"{fit.systematic_errors.item():.2f}") == ("0.14", "0.30")


def test_value_error_and_chi2_agree_with_the_independent_combination(fit, independent):
    assert fit.values.item() == pytest.approx(independent.value, abs=1e-9)
    assert fit.errors.item() == pytest.approx(independent.error, abs=1e-10)
    assert fit.chi2 == pytest.approx(independent.chi2, rel=1e-9)
    assert fit.covariance.item() == pytest.approx(independent.error**2, rel=1e-9)


def test_all_15_weights_agree_with_the_independent_combination_and_sum_to_1(fit, inputs, independent):
    weights = fit.weights.sel(parameter="m_t")
    assert weights.estimate.values.tolist() == inputs.labels
    np.testing.assert_allclose(weights, independent.weights, atol=1e-10)
    assert weights.sum().item() == pytest.approx(1, abs=1e-12)
    assert (weights @ weights.copy(data=inputs.values)).item() == pytest.approx(fit.values.item(), abs=1e-9)


def test_statistical_and_systematic_errors_add_in_quadrature(fit, inputs, independent):
    total = fit.statistical_errors**2 + fit.systematic_errors**2
    assert total.item() == pytest.approx(fit.errors.item() ** 2, abs=1e-12)
    statistical = independent.weights @ inputs.statistical @ independent.weights
    assert fit.statistical_errors.item() == pytest.approx(math.sqrt(statistical), abs=1e-10)


@pytest.mark.parametrize(("experiment", "value", "error", "ndf"), [("ATLAS", 172.703, 0.483, 5), ("CMS", 172.522, 0.414, 8)])
def test_one_experiment_alone(run1, inputs, experiment, value, error, ndf):
    alone = bc.profile(run1.only([experiment]))
    assert alone.values.item() == pytest.approx(value, abs=1e-3)
    assert alone.errors.item() == pytest.approx(error, abs=1e-3)
    assert alone.ndf == ndf
    own = np.flatnonzero(np.array(inputs.experiments) == experiment)
    expected = blue(inputs.values[own], (inputs.statistical + sum(inputs.systematic.values()))[np.ix_(own, own)])
    assert (alone.values.item(), alone.errors.item(), alone.chi2) == pytest.approx(expected[:2] + expected[3:], rel=1e-9)


def test_pulls_are_what_the_residuals_say(run1, fit, inputs, independent):
    """Pull of nuisance S[e]: sum over estimates of C_S K_S V^-1 (value - x), x being predicted by value - K lambda."""
    residual = np.linalg.solve(inputs.statistical + sum(inputs.systematic.values()), independent.value - inputs.values)
    sizes = {n.name: r.sum() for m in run1.measurements for n, r in zip(m.nuisances, m.responses.T, strict=True)}
    for source in ("LHCbJES", "CR", "LHCrad"):
        for i, label in enumerate(inputs.labels):
            name = f"{source}[{label}]"
            if sizes[name]:
                expected = inputs.systematic[source][i] @ residual / sizes[name]
                assert fit.pulls.sel(nuisance=name).item() == pytest.approx(expected, abs=1e-9)


def test_nuisances_of_indefinite_sources_have_no_constraint(fit, inputs):
    indefinite = {"LHCJES2", "btag", "ptmiss", "LHCrad", "PDF", "bkgMC", "other"}
    named = {str(name) for name in fit.constraints.nuisance.values}
    # the CMS nuisances of the source 'other' stand alone, so only its ATLAS block has none
    missing = {f"{source}[{label}]" for source in indefinite for label in inputs.labels} - {
        f"other[{label}]" for label in "ghijklmno"
    }
    assert {str(name) for name in fit.pulls.nuisance.values} - named == missing
    assert np.isfinite(fit.constraints).all()
    assert (fit.constraints <= 1 + 1e-9).all()


def test_coefficients_can_be_given(run1):
    nominal = np.array([c.nominal for c in run1.assumption_set.coefficients])
    assert bc.profile(run1, coefficients=nominal).values.item() == bc.profile(run1).values.item()
    nothing = bc.profile(run1, coefficients=np.zeros(19))
    assert nothing.values.item() == pytest.approx(bc.profile(run1.with_assumptions("uncorrelated")).values.item(), abs=1e-9)


def test_goodness_of_fit(fit):
    assert fit.p_value == pytest.approx(chi2_distribution.sf(fit.chi2, 14), rel=1e-10)
    assert goodness_of_fit(0.0, 3) == 1.0
    assert goodness_of_fit(0.0, 0) is None


def test_one_estimate_gives_itself_and_has_no_p_value():
    measurement = bc.Measurement(
        name="a",
        estimates=estimates_of("a", [173.0], [{"x": 1.0}]),
        statistical_covariance=[[0.16]],
        nuisances=(bc.Nuisance(name="s"),),
        responses=[[0.3]],
    )
    fit = bc.profile(combine(measurement))
    assert (fit.values.item(), fit.errors.item()) == pytest.approx((173.0, 0.5))
    assert (fit.ndf, fit.p_value) == (0, None)
    assert fit.chi2 == pytest.approx(0, abs=1e-12)
    assert (fit.pulls.item(), fit.constraints.item()) == pytest.approx((0, 1))


@pytest.mark.parametrize("ndf", [1, 2, 3, 4, 7, 14, 101, 400])
def test_p_value_is_that_of_the_library_of_special_functions(ndf):
    for chi2 in (0.0, 1e-12, 1e-3, 0.5, 7.564, 30.0, 150.0, 700.0):
        expected = float(scipy.special.chdtrc(ndf, chi2))
        # exp and lgamma of arguments up to 700 have that many units of rounding
        assert chi2_survival(chi2, ndf) == pytest.approx(expected, rel=1e-12, abs=1e-300)
    assert math.isnan(chi2_survival(math.nan, ndf))

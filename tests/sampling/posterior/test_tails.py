"""Moments that do not exist, and densities that are no number."""

import numpy as np
import pytest
import xarray as xr
from two_modes import disagreeing

import bayescomb as bc
from bayescomb.fit.fitter import Fitter
from bayescomb.likelihood.uncertain_sizes import tail_degrees
from bayescomb.sampling.fused.likelihood import signed_factor
from bayescomb.sampling.nuts.run import _guarded
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.posterior.moments import QUANTILES_ONLY, mark_tails
from bayescomb.sampling.posterior.summary import draws_summary, nuisance_moments


def shared(relative, *, other=False):
    """Two measurements of x with one fully correlated source of uncertain size; a third without it if ``other``."""
    names = ["a", "b", *(["c"] if other else [])]
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=name, value=100.0 + i, observables={"x": 1.0}),),
            statistical_covariance=[[1.0]],
            nuisances=(bc.Nuisance(name=f"l{name}", source="lumi"),) if name != "c" else (),
            responses=[[3.0]] if name != "c" else np.zeros((1, 0)),
        )
        for i, name in enumerate(names)
    )
    pair = bc.CorrelationPair(first="la", second="lb")
    coefficient = bc.CorrelationCoefficient(name="c", pairs=(pair,), nominal=1.0)
    return bc.Combination(
        name="shared",
        measurements=measurements,
        observables=(bc.Observable(name="x"),),
        sources=(bc.Source(name="lumi"),),
        assumption_sets={"s": bc.AssumptionSet(name="s", coefficients=(coefficient,))},
        assumptions="s",
        errors_on_errors={"lumi": bc.ErrorOnError(relative=relative, kind="common")},
    )


def degrees(combination):
    fitter = Fitter(combination)
    correlation = fitter.correlation()[0]
    return tail_degrees(fitter.sizes(correlation), fitter.linear, correlation)


@pytest.mark.parametrize("relative", [0.3, 0.5, 0.8])
def test_source_common_to_everything_leaves_the_tails_of_its_own_distribution(relative):
    """The sum of a Gaussian and a Student t of 1 / (2 epsilon^2) degrees of freedom."""
    found = degrees(shared(relative))
    assert found == pytest.approx(dict.fromkeys(["x", "la", "lb"], 1 / (2 * relative**2)), rel=1e-3)


def test_certain_measurement_beside_keeps_the_tails_gaussian():
    assert degrees(shared(0.8, other=True)) == {}


def test_tails_of_a_product_of_two_student_t_are_those_of_its_density():
    """Each falls like |x|^-(nu + 1), nu = 2: together |x|^-6, as that of five degrees of freedom."""
    assert degrees(disagreeing(0.5))["x"] == pytest.approx(5.0, rel=1e-3)


def test_no_standard_deviation_leaves_quantiles_with_the_reason():
    plan = sampling_plan(shared(0.5))
    rng = np.random.default_rng(1)
    draws = {"x": (("chain", "draw"), 100 + 3 * rng.standard_t(2, (4, 500))), "pull": (("chain", "draw", "nuisance"),
             rng.standard_t(2, (4, 500, 2)))}  # fmt: skip
    marked = mark_tails(plan, xr.Dataset(draws, {"nuisance": ["la", "lb"]}))
    found = draws_summary(marked["x"])
    assert found.origin == "quantiles"
    assert np.isnan([found.mean, found.sd, found.mcse_mean, found.mcse_sd]).all()
    assert found.central_low < found.median < found.central_high
    assert "Student's t with 2.00 degrees of freedom" in found.reason
    assert np.isnan(list(nuisance_moments(marked).values())).all()


def test_moments_are_kept_where_they_exist():
    plan = sampling_plan(shared(0.3))
    draws = np.random.default_rng(1).standard_t(1 / 0.18, (4, 1500))
    marked = mark_tails(plan, xr.Dataset({"x": (("chain", "draw"), draws)}))
    assert QUANTILES_ONLY not in marked["x"].attrs


def test_heavy_tails_of_draws_are_seen_without_a_formula():
    plan = sampling_plan(disagreeing(0.2))
    draws = np.random.default_rng(1).standard_cauchy((4, 1500))
    marked = mark_tails(plan, xr.Dataset({"x": (("chain", "draw"), draws)}))
    assert "Pareto k" in marked["x"].attrs[QUANTILES_ONLY]


def test_profile_tells_no_interval_without_its_correction(monkeypatch):
    """The expansion of Bartlett's factor can break down; then nothing is left of the interval where there is no sd."""
    fit = bc.profile(shared(0.5))
    assert fit.sizes.without_sd == ["x"]
    assert np.isfinite(fit.up_errors.item())
    monkeypatch.setattr("bayescomb.fit.size_result.ratio_mean", lambda *_: -1.0)
    fit = bc.profile(shared(0.5))
    assert np.isnan(fit.up_errors.item())
    assert "for Delta chi2 = 1" not in str(fit)


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, FloatingPointError, ValueError, OverflowError])
def test_exception_in_the_density_rejects_the_step(error):
    def density(_):
        raise error

    value, gradient = _guarded(density, np.ones(3))
    assert value == -np.inf
    assert gradient.tolist() == [0, 0, 0]


def test_density_that_is_no_number_rejects_the_step():
    assert _guarded(lambda x: (np.nan, x), np.ones(2))[0] == -np.inf
    assert _guarded(lambda x: (1.0, x * np.inf), np.ones(2))[0] == -np.inf
    assert _guarded(lambda x: (1.0, x), np.ones(2))[0] == 1.0


@pytest.mark.parametrize("signs", [np.ones(2), np.array([1.0, -1.0])])
def test_kernel_takes_no_covariance_that_is_no_number(signs):
    for matrix in (np.full((2, 2), np.inf), np.full((2, 2), np.nan), np.zeros((2, 2))):
        assert not signed_factor(matrix.copy(), signs)[0]


def test_kernel_takes_no_singular_covariance():
    for matrix in (np.ones((2, 2)) * 1e300, np.diag([1.0, 0.0]), np.ones((2, 2)) * 1e-320):
        assert not signed_factor(matrix.copy(), np.ones(2))[0]

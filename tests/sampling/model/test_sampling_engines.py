"""Engines, backends and priors of the sampled model, on combinations small enough to know the answer."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from combinations import pairs_with_priors, star
from densities import INTERPRETED, SIGMAS, Density, assert_engines_agree, assert_same_law
from scipy import stats

import bayescomb as bc
from bayescomb.inputs.assumptions.prior_shapes import SAMPLED_SHAPES
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.priors import prior_draws


def thinned_uniformity(values, distribution):
    """p-value of a Kolmogorov-Smirnov test after thinning to nearly independent draws."""
    step = int(np.ceil(values.size / float(az.ess(values.to_numpy()))))
    return stats.kstest(values.to_numpy()[:, :: max(step, 1)].ravel(), distribution).pvalue


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_posterior_of_coefficients_without_information_is_the_prior(shared):
    """Different observables and unconstrained nuisances tell nothing about r: the log det term is what keeps it so."""
    combination = star(2, shared=shared)
    posterior = bc.sample(combination, seed=4, draws=1000)
    assert bc.verdict(posterior).divergences == 0
    prior, rho = posterior["prior"]["rho"], posterior["posterior"]["rho"]
    for name in rho["coefficient"].to_numpy():
        assert_same_law(rho.sel(coefficient=name), prior.sel(coefficient=name))
        independent = prior.sel(coefficient=name).to_numpy().ravel()
        step = int(np.ceil(rho.sel(coefficient=name).size / float(az.ess(rho.sel(coefficient=name).to_numpy()))))
        thinned = rho.sel(coefficient=name).to_numpy()[:, ::step].ravel()
        assert stats.ks_2samp(thinned, independent).pvalue > 1e-4


@pytest.mark.slow
def test_restricted_coefficients_stay_feasible_and_fill_the_ball():
    """Three coefficients of one nuisance with three others: the quarter ball cut by the box, uniformly."""
    combination = star(3, low=-0.2, high=0.9)
    posterior = bc.sample(combination, seed=5, draws=1000)
    rho = posterior["posterior"]["rho"].to_numpy().reshape(-1, 3)
    assert (np.linalg.norm(rho, axis=1) < 1).all()
    rng = np.random.default_rng(1)
    box = rng.uniform(-0.2, 0.9, (400_000, 3))
    ball = box[np.linalg.norm(box, axis=1) < 1]
    for i in range(3):
        values = posterior["posterior"]["rho"].isel(coefficient=i)
        error = np.hypot(float(az.mcse(values.to_numpy(), method="mean")), ball[:, i].std() / np.sqrt(len(ball)))
        assert abs(values.mean().item() - ball[:, i].mean()) < SIGMAS * error


@pytest.mark.slow
def test_every_prior_shape_is_sampled_as_stated():
    """Four coefficients of one model that share nothing, and about which the data say nothing."""
    combination = pairs_with_priors(SAMPLED_SHAPES, low=-0.5, high=0.9, nominal=0.2)
    posterior = bc.sample(combination, seed=6, draws=1000)
    for coefficient in sampling_plan(combination).coefficients:
        values = posterior["posterior"]["rho"].sel(coefficient=coefficient.name)
        assert thinned_uniformity(values, coefficient.distribution.cdf) > 1e-4


def test_prior_predictive_draws_of_the_model_are_the_restricted_prior():
    plan = sampling_plan(star(2, low=0.5, high=0.9, nominal=0.6))
    model = build_model(plan.combination, plan=plan)
    with model:
        # Not the default numba mode: its fallback for Python random functions warns.
        mode = pytensor.compile.mode.Mode(linker="vm", optimizer="fast_run")
        draws = pm.draw(model["rho"], draws=500, random_seed=1, mode=mode)
    assert draws.shape == (500, 2)
    assert (np.linalg.norm(draws, axis=1) < 1).all()
    rng = np.random.default_rng(2)
    direct = prior_draws(plan.coefficients, low=plan.low, high=plan.high, draws=4000, rng=rng, feasible=plan.feasible())
    assert stats.ks_2samp(draws[:, 0], direct[:, 0]).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_marginal_and_full_engines_have_the_same_density(shared):
    """One observable, so that the data speak about the coefficients too."""
    assert_engines_agree(star(2, shared=shared, separate_observables=False, nuisance_size=2.0))


@pytest.mark.slow
def test_marginal_and_full_engines_agree():
    """Sampled, with the recovery of the nuisances."""
    combination = star(1, separate_observables=False, nuisance_size=2.0)
    marginal = bc.sample(combination, seed=7, draws=600)
    full = bc.sample(combination, seed=8, draws=600, chains=2, engine="full")
    assert bc.verdict(full).divergences == 0
    assert_same_law(marginal["posterior"]["x"], full["posterior"]["x"])
    for group, dim in (("rho", "coefficient"), ("pull", "nuisance")):
        for name in marginal["posterior"][dim].to_numpy():
            assert_same_law(*(tree["posterior"][group].sel({dim: name}) for tree in (marginal, full)))


@pytest.mark.slow
def test_full_engine_equals_the_closed_form_with_fully_correlated_nuisances():
    """C is singular at a coefficient of exactly 1: the explicit engine draws from a rank-revealing factor."""
    combination = star(1, nominal=1.0, low=0.0, high=1.0, separate_observables=False)
    fit = bc.profile(combination)
    full = bc.sample(combination, seed=9, draws=500, engine="full", correlations="nominal")
    draws = full["posterior"]["x"]
    assert abs(draws.mean().item() - fit.values.item()) < SIGMAS * float(az.mcse(draws.to_numpy(), method="mean"))
    assert abs(draws.std().item() - fit.errors.item()) < SIGMAS * float(az.mcse(draws.to_numpy(), method="sd"))
    pulls = full["posterior"]["pull"]
    np.testing.assert_allclose(pulls.sel(nuisance="n0"), pulls.sel(nuisance="n1"), atol=1e-9)


def test_full_engine_is_refused_under_the_covariance_treatment():
    combination = star(1).with_treatment("covariance")
    with pytest.raises(bc.BayescombError, match="engine 'full'"):
        bc.sample(combination, seed=1, engine="full")


@pytest.mark.slow
def test_numba_backend_gives_the_same_posterior():
    combination = star(2, separate_observables=False)
    quick = bc.sample(combination, seed=1, draws=1000)
    compiled = bc.sample(combination, seed=1, draws=1000, backend="numba")
    assert_same_law(quick["posterior"]["x"], compiled["posterior"]["x"])
    for name in quick["posterior"]["coefficient"].to_numpy():
        assert_same_law(*(tree["posterior"]["rho"].sel(coefficient=name) for tree in (quick, compiled)))


def test_model_can_be_extended():
    """A user's own prior on an observable: the product of two Gaussians."""
    combination = star(1, separate_observables=False)
    model = build_model(combination, correlations="nominal")
    with model:
        pm.Potential("own_prior", pm.logp(pm.Normal.dist(12.0, 0.3), model["x"]))
    draws = bc.sample(combination, seed=2, draws=1000, correlations="nominal", model=model)["posterior"]["x"]
    fit = bc.profile(combination)
    precision = 1 / fit.errors.item() ** 2 + 1 / 0.3**2
    mean = (fit.values.item() / fit.errors.item() ** 2 + 12.0 / 0.3**2) / precision
    assert abs(draws.mean().item() - mean) < SIGMAS * float(az.mcse(draws.to_numpy(), method="mean"))
    assert abs(draws.std().item() - precision**-0.5) < SIGMAS * float(az.mcse(draws.to_numpy(), method="sd"))


def test_log_density_of_the_model_equals_the_written_out_density():
    """The one-node operation against the plain formula at random points, gradient included."""
    combination = star(2, separate_observables=False)
    plan = sampling_plan(combination)
    model = build_model(combination, plan=plan)
    density = Density(model)
    rng = np.random.default_rng(3)
    transform = model.rvs_to_transforms[model["rho"]]
    unconstrained_rho = pt.dvector()
    constrained = pytensor.function(
        [unconstrained_rho],
        [transform.backward(unconstrained_rho), transform.log_jac_det(unconstrained_rho)],
        mode=INTERPRETED,
    )
    reference = None
    for _ in range(5):
        x = rng.normal(11, 1)
        unconstrained = rng.normal(size=2)
        point = {"rho_feasible__": unconstrained, "x": np.array(x)}
        value, volume = constrained(unconstrained)
        correlation = np.eye(3)
        correlation[0, 1:] = correlation[1:, 0] = value
        covariance = 0.25 * np.eye(3) + correlation
        expected = stats.multivariate_normal(np.full(3, x), covariance).logpdf([10.0, 11.0, 12.0])
        logp, slope = density(point)
        difference = logp - volume - expected
        reference = difference if reference is None else reference
        assert difference == pytest.approx(reference, abs=1e-9)
        step = 1e-5
        numeric = (density({**point, "x": x + step})[0] - density({**point, "x": x - step})[0]) / (2 * step)
        assert slope["x"].item() == pytest.approx(numeric, rel=1e-5)

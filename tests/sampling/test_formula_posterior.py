"""Posteriors of observables that are formulas: densities against plain PyMC models, priors, and draws of what follows."""

import functools

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from densities import INTERPRETED, POINTS, Density
from formula_models import formula_model
from refusals import refused
from repetitions import repetitions
from scipy import stats

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.tree import with_functions


def plain_model(model):
    """The same posterior in PyMC alone: flat parameters, a flat coefficient, and the total covariance at it."""
    with pm.Model() as found:
        # A flat coefficient in the coordinate of ours, in which it is a standard normal one.
        rho = 0.9 * 0.5 * pt.erfc(-pm.Normal("rho_feasible__", shape=1) / np.sqrt(2))
        a, b = pm.Flat("a"), pm.Flat("b")
        inner = pt.stack([pt.stack([1.0, rho[0]]), pt.stack([rho[0], 1.0])])
        covariance = np.diag(model.statistical**2) + pt.dot(pt.dot(model.shifts, inner), model.shifts.T)
        pm.MvNormal("x", mu=pt.stack(model.predicted(a, b, pt)), cov=covariance, observed=model.measured)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(repetitions(3)))
def test_the_posterior_is_that_of_a_plain_pymc_model(seed):
    """The densities differ by a constant at any point, and have the same slope."""
    model = formula_model(seed)
    ours, plain = Density(build_model(model.combination)), Density(plain_model(model))
    rng = np.random.default_rng([4, seed])
    differences = []
    for _ in range(POINTS):
        point = {"a": ours.initial["a"], "b": ours.initial["b"]}
        point = {name: value + 0.1 * rng.normal() for name, value in point.items()}
        point["rho_feasible__"] = rng.normal(size=1)
        value, slope = ours(point)
        expected, other = plain(point)
        differences.append(value - expected)
        for name in point:
            np.testing.assert_allclose(slope[name], other[name], rtol=1e-7, atol=1e-7)
    assert np.ptp(differences) < 1e-8 * (1 + np.abs(differences).max())


def quadrature(model, draws):
    """Means and standard deviations of a, b and their coefficient by a grid around the draws, three times as wide."""
    axes = []
    for name in "ab":
        values = draws[name].to_numpy()
        axes.append(np.linspace(values.min() - np.ptp(values), values.max() + np.ptp(values), 161))
    a, b = np.meshgrid(*axes, indexing="ij")
    with np.errstate(all="ignore"):
        away = model.measured - np.stack(np.broadcast_arrays(*model.predicted(a, b)), axis=-1)
    inside = np.isfinite(away).all(axis=-1)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    coefficients = 0.45 * (nodes + 1)
    logs = np.full((*a.shape, len(nodes)), -np.inf)
    for k, r in enumerate(coefficients):
        root = np.linalg.cholesky(model.covariance(r))
        white = np.linalg.solve(root, away[inside].T)
        logs[inside, k] = -(white**2).sum(axis=0) / 2 - np.log(np.diag(root)).sum() + np.log(weights[k])
    density = np.exp(logs - logs.max())
    density /= density.sum()
    edge = np.concatenate([density[[0, -1]].ravel(), density[:, [0, -1]].ravel()])
    assert edge.sum() < 1e-6  # all of it is on the grid
    found = {}
    for name, values in (("a", a[..., None]), ("b", b[..., None]), ("rho", coefficients)):
        mean = float((density * values).sum())
        found[name] = mean, float(np.sqrt((density * (values - mean) ** 2).sum()))
    return found


@functools.cache
def sampled(seed):
    return bc.sample(formula_model(seed).combination, seed=seed, draws=500, tune=500, chains=2, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(repetitions(3)))
def test_draws_have_the_moments_of_the_posterior_by_quadrature(seed):
    """Of random formulas, within five Monte Carlo errors of the draws."""
    model = formula_model(seed)
    tree = sampled(seed)
    draws = tree["posterior"].to_dataset()

    def error(values, method):
        given = xr.Dataset({"x": (("chain", "draw"), values.reshape(2, -1))})
        return float(az.mcse(given, method=method)["x"])

    for name, (mean, sd) in quadrature(model, draws).items():
        values = draws[name].to_numpy()
        assert values.mean() == pytest.approx(mean, abs=5 * error(values, "mean")), name
        assert values.std() == pytest.approx(sd, abs=5 * error(values, "sd")), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Estimated shape parameter")  # five estimates of two parameters
def test_arviz_takes_the_posterior_of_formulas_as_it_is():
    model, tree = formula_model(0), sampled(0)
    draws = tree["posterior"].to_dataset().isel(chain=0)
    for i in range(0, draws.sizes["draw"], 100):
        a, b, r = (draws[name].isel(draw=i).to_numpy().item() for name in ("a", "b", "rho"))
        precision = np.linalg.inv(model.covariance(r))
        pull, inner = precision @ (model.measured - np.array(model.predicted(a, b))), np.diag(precision)
        found = tree["log_likelihood"]["estimate_value"].isel(chain=0, draw=i)
        np.testing.assert_allclose(found, -(pull**2) / inner / 2 + np.log(inner / (2 * np.pi)) / 2, rtol=1e-8)
    assert np.isfinite(az.loo(tree).elpd)
    ranked = az.compare({"a": tree, "b": tree.copy()})
    assert set(ranked.index) == {"a", "b"}
    assert az.loo_pit(tree)["estimate_value"].shape == (5,)
    az.plot_ppc_dist(tree, backend="none")


PRIORS = {
    "flat": (None, lambda x: np.zeros_like(x)),
    "normal": (bc.ParameterPrior(shape="normal", mean=1.5, sd=0.4), stats.norm(1.5, 0.4).logpdf),
    "uniform": (bc.ParameterPrior(shape="uniform", low=0.5, high=3.0), stats.uniform(0.5, 2.5).logpdf),
    "half_normal": (bc.ParameterPrior(shape="half_normal", sd=2.0), stats.halfnorm(0, 2.0).logpdf),
    "lognormal": (bc.ParameterPrior(shape="lognormal", median=1.2, sigma=0.3), stats.lognorm(0.3, scale=1.2).logpdf),
}


def squared(prior):
    """x**2 measured as 2.0 +- 0.5, x with a prior."""
    estimate = bc.Estimate(name="measured", value=2.0, observables={"y": 1.0})
    return bc.Combination(
        name="c",
        measurements=(bc.Measurement(name="m", estimates=(estimate,), statistical_covariance=[[0.25]]),),
        parameters=(bc.Parameter(name="x", prior=prior),),
        observables=(bc.Observable(name="y", formula="x**2"),),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


POINTS_OF_X = (0.7, 1.1, 1.6, 2.4)


def log_densities_of_x(model):
    """Log density of x itself, not of its coordinate, at some points."""
    density, (variable,) = Density(model), model.free_RVs
    transform, (name,) = model.rvs_to_transforms[variable], density.names
    found = []
    for x in POINTS_OF_X:
        u, jacobian = x, 0.0
        if transform is not None:
            u = float(transform.forward(pt.constant(x), *variable.owner.inputs).eval())
            jacobian = float(transform.log_jac_det(pt.constant(u), *variable.owner.inputs).eval())
        found.append(density({name: np.asarray(u)})[0] - jacobian)
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRIORS)
def test_a_stated_prior_is_the_density_of_its_name(name):
    prior, log_density = PRIORS[name]
    x = np.array(POINTS_OF_X)
    expected = stats.norm(x**2, 0.5).logpdf(2.0) + log_density(x)
    assert np.ptp(log_densities_of_x(build_model(squared(prior))) - expected) < 1e-9


def test_draws_of_what_follows_are_the_functions_of_the_draws():
    model = formula_model(5)
    combination = model.combination
    draws = xr.Dataset({name: (("chain", "draw"), np.array([[1.5, 2.0, 2.5]])) for name in "ab"})
    found = with_functions(combination, draws)
    a = draws["a"].to_numpy()
    np.testing.assert_allclose(found["share"], 0.5)
    for i, name in enumerate(("f0", "f1")):
        expected = [model.curves[i](x, x, np) for x in a[0]]
        np.testing.assert_allclose(found[name].to_numpy()[0], expected, rtol=1e-13)


def test_a_linear_formula_samples_the_model_of_the_linear_map():
    def fractions(mapping, more):
        estimates = (
            bc.Estimate(name="e0", value=0.7, observables={"F_0": 1.0}),
            bc.Estimate(name="e1", value=0.3, observables=mapping),
        )
        measurement = bc.Measurement(
            name="m",
            estimates=estimates,
            statistical_covariance=np.diag([1e-4, 4e-4]),
            nuisances=(bc.Nuisance(name="n"),),
            responses=[[0.01], [0.02]],
        )
        return bc.Combination(
            name="c",
            measurements=(measurement,),
            observables=(bc.Observable(name="F_0"), bc.Observable(name="F_L"), *more),
            assumption_sets={"none": bc.AssumptionSet(name="none")},
            assumptions="none",
        )

    written = sampling_plan(fractions({"sum": 1.0}, (bc.Observable(name="sum", formula="F_0 + 2 * F_L"),)))
    mapped = sampling_plan(fractions({"F_0": 1.0, "F_L": 2.0}, ()))
    for key in ("design", "loading", "offset", "signs"):
        np.testing.assert_array_equal(getattr(written.reduced, key), getattr(mapped.reduced, key))
    np.testing.assert_array_equal(written.base, mapped.base)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "half_normal", "lognormal"])
def test_a_proper_prior_is_the_same_density_and_has_draws(name):
    prior, _ = PRIORS[name]
    models = [build_model(squared(prior)), build_model(squared(prior), proper_priors=True)]
    assert np.ptp(log_densities_of_x(models[0]) - log_densities_of_x(models[1])) < 1e-9
    draws, replicas = pm.draw([models[1]["x"], models[1]["estimate_value"]], draws=2000, random_seed=1, mode=INTERPRETED)
    assert np.abs((replicas[:, 0] - draws**2).mean()) < 5 * 0.5 / np.sqrt(len(draws))
    assert stats.kstest(draws, prior.distribution().cdf).pvalue > 1e-4


def test_proper_priors_need_a_prior_of_each_parameter():
    with refused(OptionError, "no prior is stated of 'a', 'b'", "state one"):
        build_model(formula_model(1).combination, proper_priors=True)

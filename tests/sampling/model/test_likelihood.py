"""The likelihood in somebody's PyMC model: against build_model, closed forms and refits, and what PyMC does with it."""

import importlib.util

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from densities import INTERPRETED, Density
from formula_models import formula_model
from refusals import refused
from scipy import stats

import bayescomb as bc
from bayescomb.base.errors import OptionError, UnknownNameError
from bayescomb.sampling.model.build import build_model

POINTS = 3


def linear(*, free=False):
    """Two correlated measurements of x and y, one of them by its own fit."""
    first = bc.Measurement(
        name="first",
        estimates=(
            bc.Estimate(name="x1", value=10.0, observables={"x": 1.0}),
            bc.Estimate(name="y1", value=5.0, observables={"y": 1.0}),
        ),
        statistical_covariance=[[0.25, 0.05], [0.05, 0.16]],
        nuisances=(bc.Nuisance(name="n1", source="s"), *((bc.Nuisance(name="f", free=True),) if free else ())),
        responses=[[0.4, 0.1], [0.2, 0.3]] if free else [[0.4], [0.2]],
    )
    second = bc.Measurement(
        name="second",
        estimates=(bc.Estimate(name="sum2", value=15.6, observables={"x": 1.0, "y": 1.0}),
                   bc.Estimate(name="x2", value=10.4, observables={"x": 1.0})),
        statistical_covariance=[[0.3, 0.0], [0.0, 0.2]],
        nuisances=(bc.Nuisance(name="n2", source="s"),),
        responses=[[0.3], [-0.5]],
    )  # fmt: skip
    pair = bc.CorrelationCoefficient(
        name="s", pairs=(bc.CorrelationPair(first="n1", second="n2"),), nominal=0.4, low=-0.2, high=0.9
    )
    return bc.Combination(
        name="linear",
        measurements=(first, second),
        observables=(bc.Observable(name="x"), bc.Observable(name="y")),
        sources=(bc.Source(name="s"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(pair,))},
        assumptions="set",
    )


SHIFTS = np.array([[0.4, 0.0], [0.2, 0.0], [0.0, 0.3], [0.0, -0.5]])
STATISTICAL = np.array([[0.25, 0.05, 0, 0], [0.05, 0.16, 0, 0], [0, 0, 0.3, 0], [0, 0, 0, 0.2]])
VALUES = np.array([10.0, 5.0, 15.6, 10.4])


def total(r):
    return STATISTICAL + SHIFTS @ np.array([[1, r], [r, 1]]) @ SHIFTS.T


def test_with_flat_observables_it_is_the_model_of_the_combination():
    combination = linear(free=True)
    with pm.Model() as model:
        x, y = pm.Flat("x", initval=10.0), pm.Flat("y", initval=5.0)
        added = bc.likelihood(combination, {"x": x, "y": y})
    assert added.plan.parameters == ("x", "y", "f")
    ours, whole = Density(model), Density(build_model(combination))
    rng = np.random.default_rng(1)
    for _ in range(POINTS):
        point = whole.random_point(rng)
        (value, slope), (expected, other) = ours(point), whole(point)
        assert value == pytest.approx(expected, rel=1e-12)
        for name, part in slope.items():
            np.testing.assert_allclose(part, other[name], rtol=1e-9, atol=1e-9)


def test_expressions_of_few_parameters_have_the_density_of_the_estimates():
    """x = a^2 and y = a leave nothing that the estimates determine one by one."""
    with pm.Model() as model:
        a = pm.Normal("a", 3.0, 1.0)
        bc.likelihood(linear(), {"x": a**2, "y": pt.exp(a) / 5}, correlations="prior")
    ours = Density(model)
    rng = np.random.default_rng(2)
    differences = []
    for _ in range(POINTS):
        a, u = 3.0 + 0.2 * rng.normal(), rng.normal()
        r = -0.2 + 1.1 * stats.norm.cdf(u)
        x, y = a**2, np.exp(a) / 5
        expected = stats.multivariate_normal(np.array([x, y, x + y, x]), total(r)).logpdf(VALUES)
        expected += stats.norm(3, 1).logpdf(a) + stats.norm.logpdf(u)  # a flat prior is a standard normal one of u
        differences.append(ours({"a": np.array(a), "rho_feasible__": np.array([u])})[0] - expected)
    assert np.ptp(differences) < 1e-9


def test_formulas_of_the_combination_follow_from_what_is_given():
    model = formula_model(11)
    with pm.Model() as given:
        a, b = pm.Flat("a", initval=2.0), pm.Flat("b", initval=2.0)
        bc.likelihood(model.combination, {"a": a, "b": b})
    ours, whole = Density(given), Density(build_model(model.combination))
    point = whole.random_point(np.random.default_rng(3), width=0.1)
    # all estimates by themselves in one, curved rows in the other
    other = dict(point, a=point["a"] + 0.1)
    assert ours(point)[0] - ours(other)[0] == pytest.approx(whole(point)[0] - whole(other)[0], rel=1e-9)


def test_two_combinations_share_parameters(run1):
    with pm.Model() as model:
        m_t = pm.Flat("m_t", initval=172.5)
        bc.likelihood(run1.only(["ATLAS"]), {"m_t": m_t}, name="atlas", correlations="nominal")
        bc.likelihood(run1.only(["CMS"]), {"m_t": m_t}, name="cms", correlations="nominal")
    assert [v.name for v in model.observed_RVs] == ["atlas estimate_value", "cms estimate_value"]
    fits = [bc.profile(run1.only([name])) for name in ("ATLAS", "CMS")]
    weights = [1 / fit.errors.item() ** 2 for fit in fits]
    best = sum(w * fit.values.item() for w, fit in zip(weights, fits, strict=True)) / sum(weights)
    density = Density(model)
    value, slope = density({"m_t": np.array(best)})
    assert slope["m_t"].item() == pytest.approx(0.0, abs=1e-6)
    away = 0.7
    # a parabola of the inverse variance of both
    assert density({"m_t": np.array(best + away)})[0] - value == pytest.approx(-(away**2) * sum(weights) / 2, rel=1e-9)


def test_names_that_do_not_do_are_refused():
    with refused(OptionError, "no PyMC model is open"):
        bc.likelihood(linear(), {"x": 1.0, "y": 1.0})
    with pm.Model():
        with refused(UnknownNameError, "'z'", "observable or parameter"):
            bc.likelihood(linear(), {"z": 1.0})
        with refused(UnknownNameError, "'y' is measured", "found 'x'", "give one"):
            bc.likelihood(linear(), {"x": 1.0})


@pytest.mark.slow
def test_other_data_move_the_density_and_predictions_have_the_total_covariance():
    combination = linear()
    model = build_model(combination)
    (observed,) = model.observed_RVs
    assert tuple(model.named_vars_to_dims["estimate_value"]) == ("estimate",)
    new = VALUES + np.array([0.3, -0.2, 0.1, 0.4])
    moved = combination.with_values(dict(zip(("x1", "y1", "sum2", "x2"), new, strict=True)))
    point = {"x": np.array(9.5), "y": np.array(5.5), "rho_feasible__": np.array([0.3])}
    density, other = Density(model), Density(build_model(moved))
    ours = pm.logp(observed, pt.constant(new)) - pm.logp(observed, pt.constant(VALUES))
    inputs = [model["rho"], model["x"], model["y"]]
    r = -0.2 + 1.1 * stats.norm.cdf(0.3)
    function = pm.compile(inputs, ours, mode=INTERPRETED)
    gained = float(function(np.array([r]), 9.5, 5.5))
    t = np.array([9.5, 5.5, 15.0, 9.5])
    gaussian = stats.multivariate_normal(t, total(r))
    # what no parameter changes is left out of the density, so that differences of two points compare
    far = dict(point, x=np.array(10.5))
    gained_far = float(function(np.array([r]), 10.5, 5.5))
    shifted = stats.multivariate_normal(t + np.array([1, 0, 1, 1]), total(r))
    expected = gaussian.logpdf(new) - gaussian.logpdf(VALUES) - shifted.logpdf(new) + shifted.logpdf(VALUES)
    assert gained - gained_far == pytest.approx(expected, rel=1e-8)
    assert (density(point)[0] - density(far)[0] + expected) == pytest.approx(other(point)[0] - other(far)[0], rel=1e-8)
    with pm.Model() as fixed:
        bc.likelihood(combination, {"x": 9.5, "y": 5.5}, correlations="nominal")
    draws, r = pm.draw(fixed["estimate_value"], draws=4000, random_seed=1, mode=INTERPRETED), 0.4
    error = np.sqrt(np.diag(total(r)) / len(draws))
    assert (np.abs(draws.mean(axis=0) - t) < 5 * error).all()
    # the relative error of a covariance of n draws is of order 1 / sqrt(n)
    scale = np.sqrt(np.diag(total(r)))
    assert np.abs((np.cov(draws.T) - total(r)) / np.outer(scale, scale)).max() < 5 * np.sqrt(2 / len(draws))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize("shipped", ["models/run1_mass", "models/ttj_rho"])
def test_the_jax_form_is_the_same_density(shipped):
    import jax
    from pymc.sampling.jax import get_jaxified_logp

    model = build_model(bc.load(shipped))
    density = Density(model)
    point = density.random_point(np.random.default_rng(5), width=0.1)
    value, slope = density(point)
    function = get_jaxified_logp(model)
    found, gradient = jax.value_and_grad(function)([point[v.name] for v in model.value_vars])
    assert float(found) == pytest.approx(value, rel=1e-10)
    for variable, part in zip(model.value_vars, gradient, strict=True):
        np.testing.assert_allclose(part, slope[variable.name].reshape(np.shape(part)), rtol=1e-7, atol=1e-9)


SAMPLERS = {
    "pymc": ((), {}),
    "nutpie on numba": ((), {"nuts_sampler": "nutpie", "backend": "numba"}),
    "nutpie on JAX": (("jax",), {"nuts_sampler": "nutpie", "backend": "jax"}),
    "numpyro": (("jax", "numpyro"), {"nuts_sampler": "numpyro"}),
}


def extended():
    """The data in an effective theory of two coefficients."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 3.0, 1.0), pm.Normal("b", 0.0, 1.0)
        bc.likelihood(linear(), {"x": a**2 + b, "y": 5 + b / 2})
    return model


def quadrature():
    """Means of a and b in that model on a grid of a, b and r, with the density written out."""
    a, b, r = np.linspace(2.6, 3.7, 81), np.linspace(-2.5, 3.0, 81), np.linspace(-0.2, 0.9, 23)
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1)
    x, y = grid[..., 0] ** 2 + grid[..., 1], 5 + grid[..., 1] / 2
    predicted = np.stack([x, y, x + y, x], axis=-1)
    weights = sum(stats.multivariate_normal(VALUES, total(value)).pdf(predicted) for value in r)
    weights = weights * stats.norm(3, 1).pdf(grid[..., 0]) * stats.norm(0, 1).pdf(grid[..., 1])
    return (grid * weights[..., None]).sum(axis=(0, 1)) / weights.sum()


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # of what samplers say of chains, clocks and packages
@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_agree_within_their_monte_carlo_error(name):
    packages, options = SAMPLERS[name]
    for package in packages:
        pytest.importorskip(package)
    settings = {"draws": 1000, "tune": 500, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}
    found = pm.sample(model=extended(), **settings, **options)
    for variable, expected in zip("ab", quadrature(), strict=True):
        error = float(az.mcse(found, var_names=variable)[variable])
        assert float(found["posterior"][variable].mean()) == pytest.approx(expected, abs=5 * error)

"""What PyMC does with the models: copies, interventions, graphs, log likelihoods, and draws of priors and data."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from combinations import star
from densities import INTERPRETED, Density
from pymc.model.fgraph import clone_model
from scipy import stats
from scipy.optimize import minimize
from theory_models import extraction, simple, truth

import bayescomb as bc
from bayescomb.sampling.model.build import build_model

VALUES, ERRORS, SHIFTS = np.array([1.9, 2.4, 1.2]), np.array([0.3, 0.4, 0.2]), np.array([0.2, 0.3, 0.1])


def three(*, response="absolute", **fields):
    """The square of x twice with a source in common, x itself once, and a free coefficient."""
    measured = ("square", "square", "x")
    measurements = tuple(
        bc.Measurement(
            name=f"m{i}",
            estimates=(bc.Estimate(name=f"e{i}", value=VALUES[i], observables={measured[i]: 1.0}),),
            statistical_covariance=[[ERRORS[i] ** 2]],
            nuisances=(bc.Nuisance(name=f"n{i}", source="s", response=response),),
            responses=[[SHIFTS[i]]],
        )
        for i in range(3)
    )
    pair = bc.CorrelationPair(first="n0", second="n1")
    coefficient = bc.CorrelationCoefficient(name="s", pairs=(pair,), nominal=0.5, low=0.0, high=0.9)
    return bc.Combination(
        name="three",
        measurements=measurements,
        parameters=(bc.Parameter(name="x", prior=fields.pop("prior", None)),),
        observables=(bc.Observable(name="square", formula="x**2"),),
        sources=(bc.Source(name="s"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", coefficients=(coefficient,))},
        assumptions="set",
        **fields,
    )


def total(r):
    matrix = np.eye(3)
    matrix[0, 1] = matrix[1, 0] = r
    return np.diag(ERRORS**2) + matrix * np.outer(SHIFTS, SHIFTS)


def own_model():
    """The data in a model of somebody: x is the exponential of a normal variable."""
    with pm.Model() as model:
        log_x = pm.Normal("log_x", 0.2, 0.1)
        bc.likelihood(three(), {"x": pm.math.exp(log_x)}, name="data")
    return model


SCALES = {"treatment": "correlated", "scales": {"prior": "normal", "width": 0.5}}
INTERPRETER = {"mode": INTERPRETED}
PRIOR = bc.ParameterPrior(shape="normal", mean=1.2, sd=0.3)
MODELS = {
    "flat": lambda: build_model(three()),
    "range": lambda: build_model(three(prior=bc.ParameterPrior(shape="uniform", low=0.5, high=3.0))),
    "above 0": lambda: build_model(three(prior=bc.ParameterPrior(shape="half_normal", sd=2.0))),
    "proper": lambda: build_model(three(prior=PRIOR), proper_priors=True),
    "potential": lambda: build_model(three(response="relative")),
    "every nuisance": lambda: build_model(three(), engine="full"),
    "sizes": lambda: build_model(bc.load("models/run1_mass").with_errors_on_errors({"LHCbJES": 0.3})),
    "extraction": lambda: build_model(simple(truth(3), extraction({"p": "normalised"}, **SCALES))),
    "own": own_model,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_of_a_model_begins_at_the_same_point_and_shows_itself(name):
    model = MODELS[name]()
    copy = clone_model(model)
    start, same = model.initial_point(), copy.initial_point()
    assert set(start) == set(same)
    for key, value in start.items():
        np.testing.assert_array_equal(value, same[key])
        assert np.isfinite(value).all()
    assert not any(value is not None for value in model.rvs_to_initial_values.values())
    text = pm.model_to_mermaid(model)
    assert all(variable.name.replace(" ", "_") in text for variable in model.free_RVs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flat", "range", "potential", "own"])
def test_interventions_and_observations_leave_the_density_of_the_rest(name):
    """Of x (or what it is made of) that is given the density at other points differs by the same as before."""
    model = MODELS[name]()
    variable = "log_x" if name == "own" else "x"
    value_name = model.rvs_to_values[model[variable]].name
    whole, point = Density(model), None
    transform = model.rvs_to_transforms[model[variable]]
    given = 0.25 if name == "own" else 1.3
    coordinate = np.asarray(given if transform is None else transform.forward(given, *model[variable].owner.inputs).eval())
    rng, changes = np.random.default_rng(1), []
    for other in (pm.do(model, {variable: given}), pm.observe(model, {variable: given})):
        assert variable not in [v.name for v in other.free_RVs]
        part, differences = Density(other), []
        for _ in range(3):
            point = whole.random_point(rng)
            rest = {key: value for key, value in point.items() if key != value_name}
            differences.append(whole({**rest, value_name: coordinate})[0] - part(rest)[0])
        changes.append(np.ptp(differences))
    assert max(changes) < 1e-9


def posterior_of(model, values):
    """A posterior of two draws in which every variable has a value."""
    dims = {name: ("chain", "draw", *model.named_vars_to_dims.get(name, ())) for name in values}
    arrays = {name: (dims[name], np.array([[value, value]])) for name, value in values.items()}
    coords = {key: list(value) for key, value in model.coords.items() if value is not None}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(arrays, coords)})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flat", "own"])
def test_log_likelihoods_are_the_density_of_the_measured_values(name):
    model = MODELS[name]()
    x, r = 1.3, 0.35
    prefix, variable, value = ("data ", "log_x", np.log(x)) if name == "own" else ("", "x", x)
    draws = posterior_of(model, {variable: value, f"{prefix}rho": np.array([r])})
    with model:
        found = pm.stats.compute_log_likelihood(
            draws, progressbar=False, extend_inferencedata=False, compile_kwargs=INTERPRETER
        )
        replicas = pm.sample_posterior_predictive(draws, progressbar=False, random_seed=1, compile_kwargs=INTERPRETER)
    expected = stats.multivariate_normal([x**2, x**2, x], total(r)).logpdf(VALUES)
    np.testing.assert_allclose(found[f"{prefix}estimate_value"], expected, rtol=1e-9)
    assert replicas["posterior_predictive"][f"{prefix}estimate_value"].sizes[f"{prefix}estimate"] == 3


@pytest.mark.slow
def test_prior_predictive_draws_are_those_of_the_proper_priors_and_of_a_flat_one_no_numbers():
    n = 500
    draws = pm.sample_prior_predictive(draws=n, model=MODELS["proper"](), random_seed=1, compile_kwargs=INTERPRETER)
    x = draws["prior"]["x"].to_numpy().ravel()
    assert stats.kstest(x, stats.norm(1.2, 0.3).cdf).pvalue > 1e-4
    away = draws["prior_predictive"]["estimate_value"].to_numpy()[0] - np.stack([x**2, x**2, x], axis=1)
    pulls = away / np.sqrt(np.diag(total(0.0)))
    assert np.abs(pulls.mean(axis=0)).max() < 5 / np.sqrt(n)
    assert np.abs((pulls**2).mean(axis=0) - 1).max() < 5 * np.sqrt(2 / n)
    flat = pm.sample_prior_predictive(draws=2, model=MODELS["flat"](), random_seed=1, compile_kwargs=INTERPRETER)
    assert np.isnan(flat["prior"]["x"]).all()
    assert np.isnan(flat["prior_predictive"]["estimate_value"]).all()
    assert (np.abs(flat["prior"]["rho"] - 0.45) <= 0.45).all()


@pytest.mark.slow
@pytest.mark.parametrize(("shared", "method"), [(True, "L-BFGS-B"), (False, "TNC")])
@pytest.mark.filterwarnings("ignore:.*find_MAP:FutureWarning")
def test_the_highest_density_is_found_where_the_coefficients_end(shared, method):
    """Of one number measured three times: at 1 / sqrt(2), or on the unit circle, where the correlation is singular."""
    values = np.array([10.0, 10.9, 11.0])
    combination = star(2, shared=shared, separate_observables=False, nuisance_size=2.0).with_values(
        {f"e{i}": value for i, value in enumerate(values)}
    )

    def coefficients(point):
        return np.full(2, point[1]) if shared else point[1] * np.array([np.cos(point[2]), np.sin(point[2])])

    def surprise(point):
        r = coefficients(point)
        matrix = np.array([[1.0, r[0], r[1]], [r[0], 1.0, 0.0], [r[1], 0.0, 1.0]])
        return -stats.multivariate_normal(np.full(3, point[0]), 0.25 * np.eye(3) + 4.0 * matrix).logpdf(values)

    end = np.sqrt(0.5) if shared else 1.0
    bounds = [(None, None), (0.0, end)] + ([] if shared else [(0.5, 1.0)])
    best = minimize(surprise, [10.5, 0.3] + ([] if shared else [0.7]), bounds=bounds, options={"ftol": 1e-13}).x
    assert best[1] == end
    model = build_model(combination)
    found = pm.find_MAP(method=method, model=model, progressbar=False, compile_kwargs=INTERPRETER)
    assert all(np.isfinite(value).all() for value in found.values())
    # The end is at infinity of the coordinate, so that the last steps gain less than the minimiser looks for.
    np.testing.assert_allclose(found["rho"], coefficients(best)[: len(found["rho"])], atol=1e-3)
    assert float(found["x"]) == pytest.approx(best[0], abs=1e-3)
    far = Density(model)
    value, slopes = far({name: start if name == "x" else np.full_like(start, 20.0) for name, start in far.initial.items()})
    assert np.isfinite(value)
    assert all(np.isfinite(slope).all() for slope in slopes.values())

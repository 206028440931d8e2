"""Every sampled block is positive semidefinite: draws of the restricted prior, any point of the map, draws of posteriors."""

import dataclasses

import numpy as np
import pytest
from combinations import star
from explicit_chi2 import prior_correlation
from hypothesis import given, settings
from hypothesis import strategies as st
from repetitions import repetitions

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.likelihood.linear_gaussian import linear_model
from bayescomb.sampling.feasible_transform import FeasibleTransform
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.priors import prior_draws

FEW = settings(max_examples=repetitions(20), derandomize=True, database=None, deadline=None)
# The boundary itself is allowed, and reached where the logistic map rounds to an end of the box.
ROUNDING = 1e-8


def correlations(combination, names, draws):
    """C(r) from the statements of the assumption set, for draws of the named coefficients; shape (n, N, N)."""
    found = []
    for row in draws:
        value = dict(zip(names, row, strict=True))
        changed = [
            dataclasses.replace(c, nominal=float(value.get(c.name, c.nominal)), low=None, high=None, prior="uniform")
            for c in combination.assumption_set.coefficients
        ]
        assumption_set = dataclasses.replace(combination.assumption_set, coefficients=tuple(changed))
        found.append(
            prior_correlation(dataclasses.replace(combination, assumption_sets={combination.assumptions: assumption_set}))
        )
    return np.array(found)


def assert_semidefinite_and_in_range(combination, names, draws):
    ranges = {c.name: c.range for c in combination.assumption_set.coefficients if c.sampled}
    low, high = np.array([ranges[name] for name in names]).T
    assert (draws >= low - ROUNDING).all()
    assert (draws <= high + ROUNDING).all()
    assert np.linalg.eigvalsh(correlations(combination, names, draws)).min() > -ROUNDING


@st.composite
def blocks(draw):
    """Stars whose ranges leave the ball or not, with one coefficient for all pairs or one for each, of every prior."""
    n = draw(st.integers(2, 4))
    low = draw(st.floats(-0.95, 0.2))
    high = draw(st.floats(low + 0.3, 1.0))
    # A nominal value outside of the feasible set is allowed where it is sampled.
    nominal = low + (high - low) * draw(st.floats(0.05, 0.95))
    prior = draw(st.sampled_from(["uniform", "triangular", "beta", "truncated_normal"]))
    return star(n, low=low, high=high, nominal=nominal, prior=prior, shared=draw(st.booleans()))


def plan_of(combination):
    """The plan, ``None`` if no point of the box, or hardly one, is feasible, which is an error of its own."""
    try:
        return sampling_plan(combination)
    except InfeasibleCorrelationError:
        return None


@pytest.mark.slow
@FEW
@given(combination=blocks(), seed=st.integers(0, 2**32 - 1))
def test_draws_of_the_restricted_prior_are_feasible(combination, seed):
    plan = plan_of(combination)
    if plan is None or not len(plan.sampled):
        return
    draws = prior_draws(
        plan.coefficients, low=plan.low, high=plan.high, draws=60, rng=np.random.default_rng(seed), feasible=plan.feasible()
    )
    assert_semidefinite_and_in_range(combination, [c.name for c in plan.coefficients], draws)


@FEW
@given(combination=blocks(), seed=st.integers(0, 2**32 - 1), width=st.sampled_from([0.5, 3.0, 30.0]))
def test_map_of_the_sampler_ends_in_the_feasible_set_from_everywhere(combination, seed, width):
    plan = plan_of(combination)
    if plan is None or not len(plan.sampled):
        return
    feasible = FeasibleTransform(plan.low, plan.high, plan.radial)
    points = []
    for value in np.random.default_rng(seed).normal(0, width, (60, len(plan.sampled))):
        storage = [[None], [None]]
        feasible.map.perform(None, [value], storage)
        points.append(storage[0][0])
        assert np.isfinite(storage[1][0])
    assert_semidefinite_and_in_range(combination, [c.name for c in plan.coefficients], np.array(points))


def two_blocks():
    """Three coefficients that leave their ball and one for two pairs that is cut, in one combination."""
    first, second = star(3, low=-0.6, high=0.9, nominal=0.3), star(2, low=0.0, high=0.95, nominal=0.4, shared=True)
    renamed = {name: f"{name}'" for m in second.measurements for name in (m.name, m.estimates[0].name, m.nuisances[0].name)}
    measurements = [
        dataclasses.replace(
            m,
            name=renamed[m.name],
            estimates=(dataclasses.replace(m.estimates[0], name=renamed[m.estimates[0].name], observables={"x0": 1.0}),),
            nuisances=(bc.Nuisance(name=renamed[m.nuisances[0].name]),),
        )
        for m in second.measurements
    ]
    (c,) = second.assumption_set.coefficients
    pairs = tuple(dataclasses.replace(p, first=renamed[p.first], second=renamed[p.second]) for p in c.pairs)
    coefficients = (*first.assumption_set.coefficients, dataclasses.replace(c, name="shared", pairs=pairs))
    return dataclasses.replace(
        first,
        measurements=(*first.measurements, *measurements),
        assumption_sets={"default": bc.AssumptionSet(name="default", coefficients=coefficients)},
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["marginal", "full"])
def test_draws_of_a_posterior_are_feasible(engine):
    combination = two_blocks()
    tree = bc.sample(combination, seed=2, draws=100, tune=100, chains=2, engine=engine)
    for group in ("prior", "posterior"):
        rho = tree[group]["rho"]
        names = [str(name) for name in rho["coefficient"].to_numpy()]
        assert len(names) == 4
        draws = rho.to_numpy().reshape(-1, len(names))
        assert_semidefinite_and_in_range(combination, names, draws)
        # and the restriction is at work: the box is not the set
        assert np.abs(draws).max() > 0.8
        assert draws[:, names.index("shared")].max() < np.sqrt(0.5) + ROUNDING


@pytest.mark.slow
@pytest.mark.parametrize("assumptions", ["jes", "jes_modelling", "jes_modelling_tt0jet"])
def test_draws_of_the_posterior_of_ttj_rho_are_feasible(assumptions):
    """One CMS nuisance with eight of ATLAS and the like, whose ranges leave the feasible set."""
    combination = bc.load("models/ttj_rho").with_assumptions(assumptions)
    assert sampling_plan(combination).radial or assumptions == "jes"
    tree = bc.sample(combination, seed=2, draws=60, tune=150, chains=1)
    rho = tree["posterior"]["rho"]
    names = [str(name) for name in rho["coefficient"].to_numpy()]
    assert_semidefinite_and_in_range(combination, names, rho.to_numpy().reshape(-1, len(names)))


@pytest.mark.slow
def test_total_covariance_of_run1_mass_is_positive_definite_at_every_draw(run1, run1_posterior):
    """Treatment covariance: the sources need not be correlation matrices, only their sum with the statistics counts."""
    tree = run1_posterior.isel(chain=[0], draw=slice(100))
    loading = linear_model(run1).loading
    names = [str(name) for name in tree["posterior"]["rho"]["coefficient"].to_numpy()]
    for group in ("prior", "posterior"):
        draws = tree[group]["rho"].to_numpy().reshape(-1, len(names))
        total = np.eye(len(loading)) + loading @ correlations(run1, names, draws) @ loading.T
        assert np.linalg.eigvalsh(total).min() > 0

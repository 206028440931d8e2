"""The posterior of an extraction: both engines, exact draws of what is integrated, and what correlations can learn."""

import dataclasses

import arviz as az
import numpy as np
import pytest
from densities import SIGMAS, assert_engines_agree, assert_same_law
from repetitions import repetitions
from scipy import stats
from theory_models import combination, extraction, measured, prediction, truth

import bayescomb as bc
from bayescomb.fit.fitter import Fitter
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.recovery import conditional_masses
from bayescomb.studies.variance import _divided

MASS = 172.0


def two_experiments(chosen, *, coefficients, members=2):
    """Two collider energies with three bins each, two nuisances per experiment, the first of each correlated."""
    tables, inputs = [], []
    for i, name in enumerate("ab"):
        made = truth(i, members=members)
        table = prediction(made, name)
        rng = np.random.default_rng(10 + i)
        values = made.cross_sections(MASS) * (1 + 0.01 * rng.normal(size=3))
        responses = values[:, None] * rng.normal(0, 0.03, (3, 2))
        nuisances = [f"{name}.n{k}" for k in range(2)]
        inputs.append(
            measured(
                name, table.observables, values, np.diag((0.01 * values) ** 2), nuisances=nuisances, responses=responses
            )
        )
        tables.append(table)
    return combination(inputs, tables, chosen, coefficients=coefficients)


def uncertain():
    pair = bc.CorrelationPair(first="a.n0", second="b.n0")
    return [bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.3, low=-0.9, high=0.9)]


CASES = {
    "normalised": extraction({"a": "normalised", "b": "normalised"}, errors="symmetric_hessian", numerical_errors=True),
    "mixed, scales": extraction(
        {"a": "normalised", "b": "absolute"}, errors="symmetric_hessian", treatment="common", numerical_errors=True
    ),
    "two masses, correlated scales": extraction(
        {"a": "absolute", "b": "normalised"},
        treatment="correlated",
        scales={"prior": "normal", "width": 0.5},
        masses={"a": "m_a", "b": "m_b"},
        drop=("b1",),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_engines_have_the_same_density(case):
    """The full engine has every nuisance as a variable and predicts by PyTensor's own expressions."""
    assert_engines_agree(two_experiments(CASES[case], coefficients=uncertain()))


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES)
def test_engines_agree_on_every_parameter(case):
    """Sampled, with the recovery of the nuisances."""
    model = two_experiments(CASES[case], coefficients=uncertain())
    marginal = bc.sample(model, seed=1, draws=1500, tune=500)
    full = bc.sample(model, seed=2, draws=1500, tune=500, engine="full", backend="numba")
    for tree in (marginal, full):
        assert bc.verdict(tree).passed
    first, second = (tree["posterior"].to_dataset() for tree in (marginal, full))
    for result in model.results:
        assert_same_law(first[result.name], second[result.name])
    for name, dim in (("rho", "coefficient"), ("pull", "nuisance"), ("theory_pull", "theory_nuisance")):
        if name not in second:
            continue
        for label in second[dim].to_numpy():
            assert_same_law(first[name].sel({dim: label}), second[name].sel({dim: label}))


@pytest.mark.slow
def test_posterior_at_nominal_coefficients_is_near_the_profile():
    """Given the mass all is Gaussian, and with errors of half a GeV nearly so in the mass: curvature is below a tenth."""
    model = two_experiments(CASES["normalised"], coefficients=uncertain())
    posterior = bc.sample(model, seed=3, draws=1000, tune=500, correlations="nominal")
    fit = bc.profile(model)
    draws = posterior["posterior"].to_dataset()
    for result in model.results:
        value, error = (float(a.sel(parameter=result.name)) for a in (fit.values, fit.errors))
        values = draws[result.name]
        assert abs(float(values.mean()) - value) < 0.1 * error + SIGMAS * float(az.mcse(values.to_numpy(), method="mean"))
        assert float(values.std()) == pytest.approx(error, rel=0.1)
    for name in draws["theory_nuisance"].to_numpy():
        values = draws["theory_pull"].sel(theory_nuisance=name)
        pull, width = (float(a.sel(nuisance=name)) for a in (fit.pulls, fit.constraints))
        assert abs(float(values.mean()) - pull) < 0.1 + SIGMAS * width / np.sqrt(values.size)
        assert float(values.std()) == pytest.approx(width, rel=0.1)


def test_masses_given_coefficients_are_the_fits_there():
    model = two_experiments(CASES["two masses, correlated scales"], coefficients=uncertain())
    plan = sampling_plan(model)
    values = np.array([[-0.5], [0.1], [0.8]])
    names, means, sds, _ = conditional_masses(plan, plan.theory, values)
    assert names == ("m_a", "m_b", "m_a - m_b")
    fitter = Fitter(model)
    for r, mean, sd in zip(values, means, sds, strict=True):
        fit = fitter.fit(fitter.correlation(r)[0], errors="hesse")
        # the minimum to the step at which the iteration ends
        np.testing.assert_allclose(mean, fit.values[:3], atol=1e-6)
        np.testing.assert_allclose(sd, fit.errors[:3], rtol=1e-6)


def without_data(chosen):
    """Different observables; each nuisance shifts its bins as the mass does, and nothing constrains it apart from that."""
    tables, inputs = [], []
    for i, name in enumerate("ab"):
        made = truth(i)
        table = prediction(made, name)
        values = made.cross_sections(MASS)
        step = made.cross_sections(MASS + 2.0) - values
        inputs.append(
            measured(
                name,
                table.observables,
                values + (1 - 2 * i) * 1.5 * step,
                np.diag((0.004 * values) ** 2),
                nuisances=[f"{name}.n0"],
                responses=step[:, None],
            )
        )
        tables.append(table)
    return combination(inputs, tables, chosen, coefficients=uncertain())


@pytest.mark.slow
def test_a_coefficient_learns_nothing_without_and_something_with_a_shared_mass():
    """Two measurements of different observables say nothing of the correlation of their nuisances; one mass in both does."""
    apart, shared = (
        bc.sample(without_data(chosen), seed=4, draws=1500, tune=500)
        for chosen in (None, extraction({"a": "absolute", "b": "absolute"}))
    )

    def thinned(tree):
        rho = tree["posterior"]["rho"].to_numpy()[..., 0]
        return rho[:, :: int(np.ceil(rho.size / float(az.ess(rho))))].ravel()

    for tree in (apart, shared):
        assert bc.verdict(tree).passed
    prior = stats.uniform(-0.9, 1.8).cdf
    assert stats.kstest(thinned(apart), prior).pvalue > 1e-3
    # The two pull the mass apart by 6 GeV, three widths of each, which positively correlated nuisances cannot explain.
    assert stats.kstest(thinned(shared), prior).pvalue < 1e-6
    assert thinned(shared).mean() < -0.1
    table = bc.coefficient_relevance(shared)
    assert float(table["information"].item()) > 5 * float(table["information_error"].item())
    nothing = bc.coefficient_relevance(apart)
    assert abs(float(nothing["information"].item())) < 5 * float(nothing["information_error"].item())


@pytest.fixture(scope="module")
def sampled():
    model = two_experiments(CASES["normalised"], coefficients=uncertain())
    return model, bc.sample(model, seed=5, draws=1000, tune=500)


def test_variance_is_divided_by_sources_of_theory_and_of_the_inputs():
    """Sources that no list names are not theory; what is divided adds up to the whole."""
    model = two_experiments(CASES["normalised"], coefficients=uncertain())
    first, second = model.measurements
    named = tuple(dataclasses.replace(n, source=f"source {i}") for i, n in enumerate(first.nuisances))
    changed = dataclasses.replace(model, measurements=(dataclasses.replace(first, nuisances=named), second))
    found = _divided(bc.impacts(changed), ["m_t"])
    sources = ["source 0", "source 1", "b.n0", "b.n1", "theory: PDF", "theory: numerical errors"]
    rows = [("source", name) for name in sources]
    assert list(found) == [("statistics", "statistics"), *rows, ("coupling", "coupling between groups")]
    total = bc.profile(model).errors.sel(parameter="m_t").item() ** 2
    assert sum(part.item() for part in found.values()) == pytest.approx(total, rel=1e-9)


@pytest.mark.slow
def test_variance_shares_close_to_the_variance_of_the_draws(sampled):
    model, posterior = sampled
    shares = bc.variance_shares(posterior)
    assert [str(p) for p in shares["parameter"].to_numpy()] == ["m_t"]
    draws = posterior["posterior"]["m_t"].to_numpy()
    assert float(shares["variance"].sum("part").item()) == pytest.approx(draws.var(ddof=1), rel=1e-12)
    parts = shares["share"].sel(parameter="m_t").to_series()
    assert parts["statistics"] > 0
    assert parts["theory: PDF"] > parts["theory: numerical errors"] > 0
    assert not abs(parts[["a.n0", "a.n1", "b.n0", "b.n1"]]).min() < 1e-6
    # What is left is curvature and Monte Carlo error: sd of a variance of n effective draws is sqrt(2/n) of it.
    effective = float(az.ess(draws, method="sd"))
    assert abs(parts["remainder"]) < 0.1 + SIGMAS * np.sqrt(2 / effective)
    # The coefficient's part is the variance of the fitted masses over its posterior.
    rho = posterior["posterior"]["rho"].to_numpy().reshape(-1, 1)
    plan = sampling_plan(model)
    _, means, _, _ = conditional_masses(plan, plan.theory, rho)
    assert parts["r"] * draws.var() == pytest.approx(means.var(), rel=0.2)


@pytest.mark.slow
def test_posterior_of_an_extraction_carries_units_and_settings(sampled):
    model, posterior = sampled
    draws = posterior["posterior"].to_dataset()
    assert draws["m_t"].attrs == {"name": "m_t", "unit": "GeV", "title": "top-quark pole mass"}
    assert posterior.attrs["extraction"] == "mass"
    assert set(draws.data_vars) >= {o.name for o in model.observables}
    again = bc.sample(model, seed=5, draws=1000, tune=500)["posterior"].to_dataset()
    np.testing.assert_array_equal(again["a0"].to_numpy(), draws["a0"].to_numpy())


@pytest.mark.slow
def test_simulated_masses_are_unbiased_with_the_right_width():
    """Pulls of fits to simulated data, in pairs of opposite fluctuations, which cancel what is odd in the mean."""
    model = two_experiments(CASES["normalised"], coefficients=uncertain())
    fitter = Fitter(model)
    prediction_of = fitter.theory
    rng = np.random.default_rng(6)
    pulls = []
    for _ in range(repetitions(50)):
        eta = rng.standard_normal(len(prediction_of.nuisances))
        state = rng.bit_generator.state
        for sign in (1, -1):
            rng.bit_generator.state = state
            true = prediction_of.observables(np.array([MASS]), sign * eta, np.zeros(len(prediction_of.free_names)))
            toys = bc.simulate(model, observables=true, rng=rng, antithetic=True)
            toy = Fitter(toys[0 if sign == 1 else 1])
            fit = toy.fit(toy.correlation()[0], errors="hesse")
            pulls.append((fit.values[0] - MASS) / fit.errors[0])
    pairs = np.reshape(pulls, (-1, 2))
    assert abs(np.mean(pulls)) < 5 * pairs.mean(axis=1).std() / np.sqrt(len(pairs)) + 0.05
    # Both of a pair have the same size: as many independent squares as pairs.
    assert np.mean(np.square(pulls)) == pytest.approx(1, abs=5 * np.sqrt(2 / len(pairs)))

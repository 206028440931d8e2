"""Nuisances recovered after sampling: exact where they were sampled, and with negative information of their inputs."""

import numpy as np
import pytest
from densities import assert_engines_agree
from gaussian import coefficient, combine
from test_curved_posterior import agree, several
from worked import estimate, nuisances

import bayescomb as bc
from bayescomb.likelihood.linear_gaussian import marginal_covariance
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.recovery import recover_nuisances, recoverable_nuisances

SIGMAS = 5.0
DRAWS = 10_000


@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
@pytest.mark.parametrize("ranged", [False, True])
def test_explicit_nuisances_are_recovered_exactly(chi2, ranged):
    plan = sampling_plan(several(ranged=ranged, chi2=chi2))
    rng, n, curved = np.random.default_rng(2), 50, plan.curved
    rho = rng.uniform(plan.low, plan.high, (n, len(plan.sampled)))
    base, patterns = plan.explicit_prior
    roots = np.linalg.cholesky(base + np.tensordot(rho, patterns, axes=1))
    parameters = curved.centre + rng.normal(size=(n, 2)) @ np.linalg.cholesky(curved.covariance).T
    white = rng.normal(size=(n, len(curved.offset)))
    q = curved.pseudo_parameters(parameters, white, roots)
    draws = recover_nuisances(plan, recoverable_nuisances(plan), rho, q, rng=rng)
    explicit = [plan.family.nuisances.index(name) for name in ("rel", "asy")]
    for i in range(n):
        values, shifts = curved.map.arguments(curved.theta(parameters[i], white[i], roots[i]))
        np.testing.assert_allclose(draws[i, explicit], values, atol=1e-7)
        if chi2 == "pearson":  # and so are the total shifts of the estimates
            parts = curved.map.parts
            np.testing.assert_allclose(parts.shifts @ (draws[i] - parts.centre), shifts, atol=1e-6)


def fitted(name, covariance, values, *, pulls=None, relative=()):
    """A fitted input of one estimate of x with its post-fit covariance (estimate, nuisances)."""
    n = len(covariance) - 1
    return bc.Measurement(
        name=name,
        estimates=(estimate(f"{name}.e", values, "x"),),
        fit=bc.FittedInput(
            nuisances=nuisances(" ".join(f"{name}.n{i}" for i in range(n)), relative=relative),
            information=np.linalg.inv(covariance),
            pulls=np.zeros(n) if pulls is None else np.array(pulls),
        ),
    )


def responding(statistical, response, nuisance_covariance):
    """Covariance of (estimate, nuisances) of a fit whose estimate shifts by a response to each nuisance."""
    nuisance_covariance, response = np.atleast_2d(nuisance_covariance), np.atleast_1d(response)
    cross = nuisance_covariance @ response
    top = np.array([[statistical**2 + response @ cross]])
    return np.block([[top, cross[None]], [cross[:, None], nuisance_covariance]])


def external(name, value, response, relative=()):
    return bc.Measurement(
        name=name, estimates=(estimate(f"{name}.e", value, "x"),), statistical_covariance=np.eye(1),
        nuisances=nuisances(f"{name}.n0", relative=relative), responses=np.array([[response]]),
    )  # fmt: skip


def closed_form(combination, factor):
    """Mean and covariance of (x, nuisances) from the sum of the informations; nuisances = factor @ u, u ~ N(0, 1)."""
    names = [n.name for n in combination.nuisances]
    precision = np.diag([0.0, *np.ones(factor.shape[1])])
    right = np.zeros(len(precision))
    lift = np.zeros((1 + len(names), len(precision)))
    lift[0, 0], lift[1:, 1:] = 1, factor
    for m in combination.measurements:
        value = m.estimates[0].value
        rows = lift[[0, *(1 + names.index(n.name) for n in m.all_nuisances)]]
        if m.fit is None:
            rows = rows[:1] - m.responses @ rows[1:]
            precision += rows.T @ rows
            right += rows[0] * value
        else:
            prior = np.diag([0.0, *np.ones(len(m.fit.nuisances))])
            precision += rows.T @ (m.fit.information - prior) @ rows
            right += rows.T @ m.fit.information @ np.append(value, m.fit.pulls)
    covariance = np.linalg.inv(precision)
    assert np.linalg.eigvalsh(precision)[0] > 0
    return lift @ covariance @ right, lift @ covariance @ lift.T


WIDE = responding(0.8, 0.7, 1.4**2)
UNIT = responding(0.8, [0.7, -0.4], [[1, 0.5], [0.5, 1]])  # 1 - V^-1 has eigenvalues 1/3 and -1
OPPOSITE = [responding(1.5, sign, 3.0**2) for sign in (1.0, -1.0)]
UNCORRELATED = np.diag([0.64, 1.0])
HALF, FULL = np.array([[1.0, 0], [0.6, 0.8]]), np.array([[1.0], [1.0]])
# measurements, correlation of the first nuisances of the first two, factor of C, whether the widened prior exists
CASES = {
    "constraint above 1": ([fitted("a", WIDE, 10), external("b", 11, 0.8)], 0.6, HALF, True),
    "unit constraints, correlated": (
        [fitted("a", UNIT, 10, pulls=[0.4, -0.3]), external("b", 11, 0.8)],
        0.6,
        np.array([[1.0, 0, 0], [0, 1, 0], [0.6, 0, 0.8]]),
        True,
    ),
    "both above 1, shared": (
        [fitted("a", OPPOSITE[0], 10), fitted("b", OPPOSITE[1], 10.5)],
        1.0,
        FULL,
        False,
    ),
    "pull without constraint": ([fitted("a", UNCORRELATED, 10, pulls=[0.7]), external("b", 11, 0.8)], 0.6, HALF, False),
}


def recovered(combination, rng):
    """Draws of (x, nuisances): x and the explicit variables from their Gaussian, the nuisances recovered."""
    plan = sampling_plan(combination)
    coefficients = np.zeros((DRAWS, 0))
    if plan.curved is None:
        fit = bc.profile(combination)
        x = fit.values.item() + fit.errors.item() * rng.standard_normal((DRAWS, 1))
        parameters = x
    else:  # near a minimum where nothing is curved in truth, the explicit variables are Gaussian as planned
        curved = plan.curved
        x = curved.centre + rng.standard_normal((DRAWS, 1)) * np.sqrt(curved.covariance[0, 0])
        white = rng.standard_normal((DRAWS, len(curved.offset)))
        parameters = curved.pseudo_parameters(x, white, np.zeros((DRAWS, 0, 0)))
    draws = recover_nuisances(plan, recoverable_nuisances(plan), coefficients, parameters, rng=rng)
    return plan, np.hstack([x, draws])


def assert_moments(draws, mean, covariance):
    """Means and all covariances of independent draws within five standard errors."""
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((draws.mean(axis=0) - mean) / spread, 0, atol=SIGMAS / np.sqrt(DRAWS))
    scaled = np.cov(draws.T) / np.outer(spread, spread)
    correlation = covariance / np.outer(spread, spread)
    np.testing.assert_allclose(scaled, correlation, atol=SIGMAS * np.sqrt(2 / DRAWS))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("curved", [False, True])
def test_negative_information_is_recovered(name, curved):
    """``curved`` adds a relative nuisance of no size, which sends everything through the explicit variables."""
    measurements, rho, factor, widened = CASES[name]
    if curved:
        measurements = [*measurements, external("c", 10.2, 1e-9, relative=["c.n0"])]
        factor = np.block([[factor, np.zeros((len(factor), 1))], [np.zeros((1, factor.shape[1])), np.ones((1, 1))]])
    combination = combine(*measurements, coefficients=(coefficient("r", rho, ("a.n0", "b.n0")),))
    plan, draws = recovered(combination, np.random.default_rng(3))
    negative = plan.model.signs < 0
    assert negative.any()
    total = marginal_covariance(plan.model, plan.fixed_correlation)[np.ix_(negative, negative)]
    assert (np.linalg.eigvalsh(-total)[0] > 1e-9) == widened
    mean, covariance = closed_form(combination, factor)
    assert_moments(draws, mean, covariance)
    fit = bc.profile(combination)
    if not curved:
        np.testing.assert_allclose([*fit.values, *fit.pulls], mean, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(fit.constraints**2, np.diag(covariance)[1:], rtol=1e-8)
        np.testing.assert_allclose(fit.cross_covariance[0], covariance[0, 1:], rtol=1e-8, atol=1e-10)
    if rho == 1:
        np.testing.assert_allclose(draws[:, 1], draws[:, 2], atol=1e-7)


FIRST, *OTHERS = CASES


def correlated(name):
    measurements, rho, _, _ = CASES[name]
    return combine(*measurements, coefficients=(coefficient("r", rho, ("a.n0", "b.n0")),))


@pytest.mark.parametrize("name", CASES)
def test_engines_have_the_same_density_with_negative_information(name):
    assert_engines_agree(correlated(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", [FIRST, *(pytest.param(n, marks=pytest.mark.thorough) for n in OTHERS)])
def test_negative_information_in_a_whole_run(name):
    """Sampler, explicit variables and recovery together."""
    combination, factor = correlated(name), CASES[name][2]
    mean, covariance = closed_form(combination, factor)
    for engine in ("marginal", "full"):
        posterior = bc.sample(combination, seed=2, draws=1000, engine=engine)["posterior"]
        columns = [posterior["x"], *(posterior["pull"].sel(nuisance=n.name) for n in combination.nuisances)]
        for draws, expected, variance in zip(columns, mean, np.diag(covariance), strict=True):
            agree(draws, expected, np.sqrt(variance))

"""The posterior of results that cannot be negative: densities and draws against quadrature and closed forms."""

import arviz as az
import numpy as np
import pytest
from bounded import HIGH, LOW, SHIFTS, explicit, one_result, two_results
from densities import Density
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm, truncnorm

import bayescomb as bc
from bayescomb.base.errors import OptionError, PosteriorError
from bayescomb.inputs.serialise import combination_to_json
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.sample import level_widths
from bayescomb.sampling.variables import above_zero

SIGMAS = 5.0
BOUNDED = ("x", "y")


@pytest.fixture(scope="module")
def posterior():
    return bc.sample(two_results(nonnegative=BOUNDED), seed=5, draws=600, tune=300, chains=2)


@pytest.fixture(scope="module")
def density():
    return Density(build_model(two_results(nonnegative=BOUNDED)))


@pytest.fixture(scope="module")
def widths():
    return level_widths(sampling_plan(two_results(nonnegative=BOUNDED)))


def coordinate(x, width):
    """The coordinate u of the sampler, x = s log(1 + exp(u / s)), and the logarithm of dx/du = 1 - exp(-x / s)."""
    return np.array(width * np.log(np.expm1(x / width))), np.log(-np.expm1(-x / width))


def unconstrained(rho, x, y, widths):
    """The coordinates of the sampler and the logarithm of d(r, x, y)/d(coordinates)."""
    share = (rho - LOW) / (HIGH - LOW)
    (u, of_x), (v, of_y) = coordinate(x, widths["x"]), coordinate(y, widths["y"])
    point = {"rho_feasible__": norm.ppf([share]), "x_above_zero__": u, "y_above_zero__": v}
    return point, np.log(HIGH - LOW) + norm.logpdf(norm.ppf(share)) + of_x + of_y


def test_moments_above_zero_are_those_of_the_integral():
    for mean in (-4.0, -1.0, 0.0, 2.5):
        mass = quad(lambda x, m=mean: norm.pdf(x, m, 2.0), 0, 40)[0]
        first, second = (quad(lambda x, m=mean, k=k: x**k * norm.pdf(x, m, 2.0), 0, 40)[0] / mass for k in (1, 2))
        found = above_zero(np.array([mean]), np.array([2.0]))
        np.testing.assert_allclose(np.ravel(found), [first, np.sqrt(second - first**2)], rtol=1e-8)
    # Far below: the integral of the exponential tail, to the size of its next term.
    mean, sd = above_zero(np.array([-40.0]), np.array([1.0]))
    np.testing.assert_allclose([mean, sd], 1 / 40, rtol=3 / 40**2)


def test_density_above_the_bound_is_that_without_it(density, widths):
    free = Density(build_model(two_results()))
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(10):
        rho, x, y = rng.uniform(LOW + 0.05, HIGH - 0.05), *rng.uniform(0.1, 9.0, size=2)
        point, volume = unconstrained(rho, x, y, widths)
        of_rho = unconstrained(rho, 1.0, 1.0, widths)[1] - sum(coordinate(1.0, w)[1] for w in widths.values())
        own = {"rho_feasible__": point["rho_feasible__"], "x": np.array(x), "y": np.array(y)}
        differences.append(density(point)[0] - (volume - of_rho) - free(own)[0])
    np.testing.assert_allclose(differences, differences[0], atol=1e-9)


@pytest.mark.slow
def test_coefficients_feel_the_probability_that_the_results_are_above_zero(density, widths):
    nodes, weights = np.polynomial.legendre.leggauss(18)
    ends = (5.0, 9.0)
    found, expected = [], []
    for rho in (0.1, 0.8):
        values, covariance, total, measured = explicit(rho)
        # By hand: the Gaussian of the data with x and y integrated over all values, times the orthant's share of it.
        residual = measured - np.tile(values, 2)
        evidence = -residual @ np.linalg.solve(total, residual) - np.linalg.slogdet(total)[1]
        evidence = (evidence + np.linalg.slogdet(covariance)[1]) / 2
        orthant = multivariate_normal(-values, covariance).cdf(np.zeros(2))
        expected.append(evidence + np.log(orthant))
        mass = 0.0
        for x, wx in zip(ends[0] * (1 + nodes) / 2, weights, strict=True):
            for y, wy in zip(ends[1] * (1 + nodes) / 2, weights, strict=True):
                point, volume = unconstrained(rho, x, y, widths)
                mass += wx * wy * np.exp(density(point)[0] - volume)
        found.append(np.log(mass))
    assert np.diff(found) == pytest.approx(np.diff(expected), abs=1e-6)


def test_chains_begin_above_zero_however_far_below_the_data_are():
    for value in (-1000.0, -1.0, 1e-9, 5.0, 1e6):
        combination = one_result(value)
        point = build_model(combination).initial_point()
        width = level_widths(sampling_plan(combination))["x"]
        assert np.isfinite(point["x_above_zero__"])
        # Of the exponential tail 1 / |value| is the width, and 1 far above the bound.
        assert width == pytest.approx(1 / abs(value) if value < -100 else 1.0, rel=0.6)
        if value > 100:
            assert point["x_above_zero__"] == value  # the coordinate without a bound


@pytest.mark.slow
def test_draws_have_the_moments_of_the_integral_over_all_three(posterior):
    draws = posterior["posterior"]
    # r on a grid of 60, x and y of the orthant by moments of a quadrature.
    grid = np.linspace(LOW, HIGH, 61)[:-1] + (HIGH - LOW) / 120
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x, y = 6.0 * (1 + nodes) / 2, 10.0 * (1 + nodes) / 2
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    moments = np.zeros(4)
    for rho in grid:
        values, covariance, total, measured = explicit(rho)
        residual = measured - np.tile(values, 2)
        evidence = np.exp(-residual @ np.linalg.solve(total, residual) / 2) / np.sqrt(np.linalg.det(total))
        inside = multivariate_normal(values, covariance).pdf(points) * np.sqrt(np.linalg.det(covariance))
        share = evidence * inside * np.outer(weights, weights)
        moments += [share.sum(), (share * points[..., 0]).sum(), (share * points[..., 1]).sum(), rho * share.sum()]
    wanted = moments[1:] / moments[0]
    for name, value in zip(("x", "y", "rho"), wanted, strict=True):
        found = draws[name].to_numpy().reshape(2, -1)
        error = float(az.mcse(found, method="mean"))
        assert abs(found.mean() - value) < SIGMAS * error, name
    assert float(draws["x"].min()) > 0


@pytest.mark.slow
def test_nuisances_are_drawn_given_the_results_above_zero(posterior):
    draws = posterior["posterior"]
    # Their mean given x, y and r is linear: -C k^T V^-1 (measured - fitted).
    count, off = 0, []
    for chain in range(2):
        for i in range(0, 600, 10):
            at = draws.isel(chain=chain, draw=i)
            rho, x, y = at["rho"].item(), at["x"].item(), at["y"].item()
            _, _, total, measured = explicit(rho)
            shifts = np.kron(np.eye(2), SHIFTS)
            reach = np.array([[1.0, rho], [rho, 1.0]]) @ shifts.T
            mean = -reach @ np.linalg.solve(total, measured - np.tile([x, y], 2))
            spread = np.array([[1.0, rho], [rho, 1.0]]) - reach @ np.linalg.solve(total, reach.T)
            off.append(np.linalg.solve(np.linalg.cholesky(spread), at["pull"].to_numpy() - mean))
            count += 1
    off = np.array(off)
    assert np.abs(off.mean(axis=0)).max() < SIGMAS / np.sqrt(count)
    assert np.abs((off**2).mean(axis=0) - 1).max() < SIGMAS * np.sqrt(2 / count)


@pytest.mark.slow
def test_outputs_of_a_bounded_posterior(posterior, tmp_path):
    combination = two_results(nonnegative=BOUNDED)
    assert "conditional" not in posterior.children
    path = bc.save_posterior(posterior, tmp_path / "p.nc")
    again = bc.load_posterior(path)
    assert again.attrs["nonnegative"] == '["x", "y"]'
    comparison = bc.compare(again, bc.profile(combination))
    assert not comparison.exact
    assert np.isnan(comparison.table["profile_error"].sel(parameter="x"))
    text = str(comparison)
    assert "nonnegative: x, y" in text
    assert "nan" not in text
    with pytest.raises(PosteriorError, match="nonnegative"):
        bc.compare(again, bc.profile(two_results()))
    with pytest.raises(OptionError, match="need results that are linear"):
        bc.variance_shares(again)
    # A model that states a bound which the posterior does not have.
    tree = again.copy()
    tree.attrs["model"] = combination_to_json(two_results(nonnegative=("x",)))
    with pytest.raises(PosteriorError, match="'y' cannot be negative in 'two_results' as it is now"):
        bc.compare(tree, bc.profile(combination))


def test_one_result_has_the_closed_form():
    """The sampled density of one result is a Gaussian cut off at 0, whose moments are known."""
    combination = one_result(-1.0)
    density, width = Density(build_model(combination)), level_widths(sampling_plan(combination))["x"]
    mean, variance = truncnorm.stats(1.0, np.inf, loc=-1.0, moments="mv")

    def weight(x, power):
        u, volume = coordinate(x, width)
        return x**power * np.exp(density({"x_above_zero__": u})[0] - volume)

    mass, first, second = (quad(weight, 1e-12, 9, args=(k,), limit=60, epsabs=1e-8)[0] for k in range(3))
    assert first / mass == pytest.approx(mean, rel=1e-6)
    assert second / mass - (first / mass) ** 2 == pytest.approx(variance, rel=1e-6)

"""Posteriors of chi2 that is not quadratic against quadrature of the density written out here, and against each other."""

import dataclasses

import arviz as az
import numpy as np
import pytest
from densities import INTERPRETED, POINTS
from gaussian import combine, estimates_of, fit_of_data
from scipy import stats
from worked import estimate, nuisances, pair

import bayescomb as bc
from bayescomb.base.errors import UnderdeterminedError
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan

SIGMAS = 5.0

# Two estimates of x; a relative, an asymmetric and an absolute nuisance.
MEASURED, STATISTICAL = np.array([10.0, 11.5]), np.array([[1.0, 0.2], [0.2, 1.2]])
RELATIVE, UP, DOWN, ABSOLUTE = np.array([[1.0, 1.2], [0.8, 0.3], [-0.3, -0.9], [0.5, -0.7]])
NOMINAL, RANGE = 0.3, (-0.6, 0.9)  # of the coefficient of rel and abs; asy and abs have -0.4


def small(chi2, *, ranged):
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(estimate(f"e{i}", v, "x") for i, v in enumerate(MEASURED)),
        statistical_covariance=STATISTICAL,
        nuisances=nuisances("rel asy abs", relative=["rel"]),
        responses=np.column_stack([RELATIVE, UP, ABSOLUTE]),
        down_responses=np.column_stack([-RELATIVE, DOWN, -ABSOLUTE]),
    )
    coefficients = (pair("rel", "abs", NOMINAL, *(RANGE if ranged else ())), pair("asy", "abs", -0.4))
    return combine(measurement, coefficients=coefficients, chi2=chi2)


def prior(r):
    return np.array([[1, 0, r], [0, 1, -0.4], [r, -0.4, 1]])


def prediction(x, rel, asy, absolute):
    """Last axis: the two estimates."""
    x, rel, asy, absolute = (np.asarray(v, dtype=float)[..., None] for v in (x, rel, asy, absolute))
    return x * (1 - rel * RELATIVE / MEASURED) - np.where(asy >= 0, UP * asy, -DOWN * asy) - absolute * ABSOLUTE


def log_likelihood(predicted, chi2, measured=MEASURED, statistical=STATISTICAL):
    """The statistical covariance of Pearson's form grows with the prediction, so its determinant is part of the density."""
    ratio = np.abs(predicted / measured) if chi2 == "pearson" else np.ones_like(predicted)
    residual = (measured - predicted) / np.sqrt(ratio)
    return -0.5 * (np.einsum("...i,ij,...j->...", residual, np.linalg.inv(statistical), residual) + np.log(ratio).sum(-1))


def moments(values, weight):
    mean = np.sum(weight * values)
    return mean, np.sqrt(np.sum(weight * (values - mean) ** 2))


def exact_moments(chi2, *, ranged):
    """Quadrature over x, the three nuisances and the coefficient: name -> mean and sd."""
    x, smooth = np.linspace(0.5, 26, 171), np.linspace(-6, 6, 49)
    nodes, node_weight = np.polynomial.legendre.leggauss(16)
    kinked = np.concatenate([-3 * (nodes + 1), 3 * (nodes + 1)])  # either side of the kink apart
    grid = np.stack(np.meshgrid(smooth, kinked, smooth, indexing="ij"), axis=-1)  # rel, asy, abs
    volume = np.broadcast_to(np.tile(node_weight, 2)[:, None], grid.shape[:-1])
    power = np.empty((3, *grid.shape[:-1]))  # integral of x^k times the likelihood
    for i, plane in enumerate(grid):
        rel, asy, absolute = np.moveaxis(plane, -1, 0)[..., None]
        likelihood = np.exp(log_likelihood(prediction(x, rel, asy, absolute), chi2))
        power[:, i] = [(likelihood * x**k).sum(-1) for k in range(3)]
    low, high = RANGE
    rho = (low + high) / 2 + (high - low) / 2 * nodes if ranged else np.array([NOMINAL])
    share = node_weight if ranged else np.ones(1)
    density = np.array(
        [w * stats.multivariate_normal(np.zeros(3), prior(r)).pdf(grid) for r, w in zip(rho, share, strict=True)]
    )
    density *= volume
    joint = density * power[0]
    total = joint.sum()
    over_nuisances = joint.sum(axis=0) / total
    mean = (density.sum(axis=0) * power[1]).sum() / total
    result = {"x": (mean, np.sqrt((density.sum(axis=0) * power[2]).sum() / total - mean**2))}
    result |= {name: moments(grid[..., i], over_nuisances) for i, name in enumerate(("rel", "asy", "abs"))}
    return result | {"rho": moments(rho, joint.sum(axis=(1, 2, 3)) / total)}


def agree(draws, mean, sd):
    draws = draws.to_numpy()
    assert abs(draws.mean() - mean) < SIGMAS * float(az.mcse(draws, method="mean")), (draws.mean(), mean)
    assert abs(draws.std() - sd) < SIGMAS * float(az.mcse(draws, method="sd")), (draws.std(), sd)


def quantities(posterior):
    """Every scalar of a posterior by name."""
    draws = posterior["posterior"]
    for dim in ("coefficient", "nuisance"):
        for name in draws[dim].to_numpy() if dim in draws.dims else ():
            yield name, draws["rho" if dim == "coefficient" else "pull"].sel({dim: name})
    yield from ((name, draws[name]) for name in draws.data_vars if draws[name].ndim == 2)


def assert_close(first, second):
    """Two samples of one posterior: all means and widths within Monte Carlo errors."""
    second = dict(quantities(second))
    for name, one in quantities(first):
        for measure, kind in ((np.mean, "mean"), (np.std, "sd")):
            a, b = one.to_numpy(), second[name].to_numpy()
            error = np.hypot(*(float(az.mcse(v, method=kind)) for v in (a, b)))
            assert abs(measure(a) - measure(b)) < SIGMAS * error, (name, kind, measure(a), measure(b), error)
    assert bc.verdict(first).divergences == 0


CASES = [(chi2, ranged) for chi2 in ("neyman", "pearson") for ranged in (False, True)]


@pytest.mark.parametrize(("chi2", "ranged"), CASES)
def test_density_of_the_marginal_engine_is_the_written_out_one(chi2, ranged):
    """At random points; the absolute nuisance is integrated under Neyman, and determined by the shifts under Pearson."""
    plan = sampling_plan(small(chi2, ranged=ranged))
    model = build_model(plan.combination, plan=plan)
    rho_of = [v for v in model.unobserved_value_vars if v.name == "rho"]
    evaluate = model.compile_fn([model.logp(jacobian=False), *rho_of], inputs=model.value_vars, mode=INTERPRETED)
    rng = np.random.default_rng(1)

    def arguments(x, white, root):
        values, shifts = plan.curved.map.arguments(plan.curved.theta(np.array([x]), white, root))
        return np.append(values, -shifts[0] / ABSOLUTE[0]) if chi2 == "pearson" else values

    differences = []
    for _ in range(8):
        point = model.initial_point()
        for name in point:
            point[name] = point[name] + rng.normal(size=np.shape(point[name]))
        logp, *rho = evaluate(point)
        r = float(rho[0][0]) if ranged else NOMINAL
        base, patterns = plan.explicit_prior
        root = np.linalg.cholesky(base + np.tensordot(np.array([r] if ranged else []), patterns, axes=1))
        x, white = float(point["x"]), point["white_explicit"]
        value = arguments(x, white, root)
        steps = 1e-5 * np.eye(len(white))
        jacobian = [(arguments(x, white + h, root) - arguments(x, white - h, root)) / 2e-5 for h in steps]
        covariance, n = prior(r), len(value)
        gain = covariance[n:, :n] @ np.linalg.inv(covariance[:n, :n])
        expected = np.linalg.slogdet(jacobian)[1] + stats.multivariate_normal(np.zeros(n), covariance[:n, :n]).logpdf(value)
        if chi2 == "pearson":
            expected += log_likelihood(prediction(x, *value), chi2)
        else:
            rest = (covariance[2, 2] - gain @ covariance[:2, 2]).item()
            centre = prediction(x, *value, (gain @ value).item())
            total = STATISTICAL + rest * np.outer(ABSOLUTE, ABSOLUTE)
            expected += stats.multivariate_normal(centre, total).logpdf(MEASURED)
        differences.append(float(logp) - expected)
    np.testing.assert_allclose(differences, differences[0], atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("chi2", "ranged"), CASES)
def test_density_of_the_full_engine_is_the_written_out_one(chi2, ranged):
    """At random points: the likelihood at the pulls, which are a root of their correlation times unit Gaussians."""
    plan = sampling_plan(small(chi2, ranged=ranged))
    model = build_model(plan.combination, plan=plan, engine="full")
    outputs = [model.logp(jacobian=False), *(v for v in model.unobserved_value_vars if v.name in ("rho", "pull"))]
    evaluate = model.compile_fn(outputs, inputs=model.value_vars, mode=INTERPRETED)
    names = [v.name for v in outputs[1:]]
    rng, differences = np.random.default_rng(1), []
    for _ in range(POINTS):
        point = model.initial_point()
        for name in point:
            point[name] = point[name] + rng.normal(size=np.shape(point[name]))
        logp, *rest = evaluate(point)
        found = dict(zip(names, rest, strict=True))
        white, roots = point["white_nuisance"], []
        for unit in np.eye(len(white)):
            roots.append(dict(zip(names, evaluate(point | {"white_nuisance": unit})[1:], strict=True))["pull"])
        root = np.transpose(roots)
        np.testing.assert_allclose(root @ root.T, prior(found["rho"][0] if ranged else NOMINAL), atol=1e-12)
        np.testing.assert_allclose(root @ white, found["pull"], atol=1e-12)
        expected = log_likelihood(prediction(float(point["x"]), *found["pull"]), chi2) - white @ white / 2
        differences.append(float(logp) - expected)
    np.testing.assert_allclose(differences, differences[0], rtol=1e-9)


# One of each engine, and both forms of chi2; the others are compared by their density above.
QUICKER = {("pearson", True, "marginal"), ("neyman", True, "full")}
SAMPLED = [*((*case, "marginal") for case in CASES), *((chi2, True, "full") for chi2 in ("neyman", "pearson"))]
SAMPLED = [pytest.param(*case, marks=() if case in QUICKER else pytest.mark.thorough) for case in SAMPLED]


@pytest.mark.slow
@pytest.mark.parametrize(("chi2", "ranged", "engine"), SAMPLED)
def test_posterior_is_the_quadrature_of_its_density(chi2, ranged, engine):
    posterior = bc.sample(small(chi2, ranged=ranged), seed=3, engine=engine, draws=800, chains=2)
    exact = exact_moments(chi2, ranged=ranged)
    for name, draws in quantities(posterior):
        agree(draws, *exact[name.replace("rel x abs", "rho")])
    assert bc.verdict(posterior).divergences == 0


def several(*, ranged, chi2="neyman"):
    """A fitted input, a relative, an asymmetric and three absolute nuisances, correlated across the two inputs."""
    rng = np.random.default_rng(5)
    maps = [{"x": 1.0}, {"y": 1.0}]
    first = bc.Measurement(
        name="first",
        estimates=estimates_of("first", [30.0, 20.0], maps),
        statistical_covariance=np.array([[1.0, 0.3], [0.3, 1.0]]),
        nuisances=nuisances("rel asy abs0 abs1 abs2", relative=["rel"]),
        responses=np.array([[2.0, 1.0, 0.8, 0, 0.5], [1.5, -0.6, 0, 0.7, 0.5]]),
        down_responses=np.array([[-2.0, -0.3, -0.8, 0, -0.5], [-1.5, 1.2, 0, -0.7, -0.5]]),
    )
    second = fit_of_data("second", design=rng.normal(size=(6, 4)), data=rng.normal(size=6), maps=maps)
    moved = tuple(dataclasses.replace(e, value=v) for e, v in zip(second.estimates, (31.0, 19.5), strict=True))
    limits = (-0.5, 0.8) if ranged else ()
    coefficients = (
        pair("rel", "second.n0", 0.4, *limits),
        pair("asy", "abs0", 0.3),
        pair("abs1", "second.n1", 0.5, *limits),
    )
    second = dataclasses.replace(second, estimates=moved)
    return combine(first, second, coefficients=coefficients, observables=("x", "y"), chi2=chi2)


@pytest.mark.thorough
@pytest.mark.parametrize("ranged", [False, True])
def test_engines_agree(ranged):
    combination = several(ranged=ranged)
    marginal, full = (bc.sample(combination, seed=7, engine=e, draws=1000) for e in ("marginal", "full"))
    assert len(dict(quantities(marginal))) == 9 + 2 * ranged
    assert_close(marginal, full)


@pytest.mark.slow
def test_pearson_includes_the_determinant_and_the_profile_leaves_it_out():
    measurement = bc.Measurement(
        name="m", estimates=(estimate("e", 10.0, "x"),), statistical_covariance=np.array([[4.0]]), nuisances=nuisances("n"),
        responses=np.array([[1.0]]),
    )  # fmt: skip
    combination = combine(measurement, chi2="pearson")
    x, n = np.linspace(-10, 45, 2201)[:, None] + 1e-4, np.linspace(-6, 6, 121)
    shape = log_likelihood((x + n)[..., None], "pearson", np.array([10.0]), measurement.statistical_covariance) - n**2 / 2
    left_out = shape + np.log(np.abs((x + n) / 10)) / 2
    with_it, without = (moments(x, w.sum(axis=1, keepdims=True) / w.sum()) for w in (np.exp(shape), np.exp(left_out)))
    draws = bc.sample(combination, seed=1, draws=2000)["posterior"]["x"]
    agree(draws, *with_it)
    error = float(az.mcse(draws.to_numpy(), method="mean"))
    assert without[0] - with_it[0] > SIGMAS * error
    assert without[0] - draws.mean().item() > 3 * error  # about half of the difference above
    fit = bc.profile(combination)
    assert fit.values.item() == pytest.approx(10, abs=1e-5)  # with the determinant the mode is below 10
    assert fit.chi2 == pytest.approx(0, abs=1e-9)
    densest = x[np.unravel_index(shape.argmax(), shape.shape)[0]].item()
    assert densest == pytest.approx(np.sqrt(100.04) - 0.2, abs=0.013)  # half a step; X^2 - x^2 = -sigma^2 X / x there


@pytest.mark.slow
def test_posterior_of_a_coefficient_that_the_data_say_nothing_about_is_its_prior():
    """A relative nuisance of one observable and an asymmetric one of another.

    The flat prior of x leaves a factor 1 / |1 + g rel / x|, a function of rel alone, which tells nothing about r.
    """
    inputs = [
        bc.Measurement(
            name=f"m{i}", estimates=(estimate(f"e{i}", 10.0, f"x{i}"),), statistical_covariance=np.eye(1),
            nuisances=nuisances(f"n{i}", relative=["n0"]), responses=np.array([[1.0]]), down_responses=np.array([[down]]),
        )
        for i, down in enumerate((-1.0, -0.3))
    ]  # fmt: skip
    combination = combine(*inputs, coefficients=(pair("n0", "n1", 0.3, -0.8, 0.95),), observables=("x0", "x1"))
    rho = bc.sample(combination, seed=5, draws=1000)["posterior"]["rho"].isel(coefficient=0)
    uniform = stats.uniform(-0.8, 1.75)
    agree(rho, uniform.mean(), uniform.std())
    step = int(np.ceil(rho.size / float(az.ess(rho.to_numpy()))))
    assert stats.kstest(rho.to_numpy()[:, ::step].ravel(), uniform.cdf).pvalue > 1e-4


def with_free(chi2, *, determined=True):
    """A free nuisance over three estimates of x, and an asymmetric one; undetermined if it moves all alike."""
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(estimate(f"e{i}", v, "x") for i, v in enumerate((50.0, 52.0, 47.0))),
        statistical_covariance=np.diag([1.0, 1.5, 2.0]),
        nuisances=(bc.Nuisance(name="free", free=True), bc.Nuisance(name="asy")),
        responses=np.array([[1.0, 1.0], [-1.0 if determined else 1.0, 0.5], [0.5 if determined else 1.0, 0]]),
        down_responses=np.array([[-1.0, -0.4], [1.0 if determined else -1.0, -0.5], [-0.5 if determined else -1.0, 0]]),
    )
    return combine(measurement, chi2=chi2)


@pytest.mark.slow
@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
def test_free_nuisances_have_profile_and_posterior(chi2):
    combination = with_free(chi2)
    measurement = combination.measurements[0]
    measured, statistical = np.array([e.value for e in combination.estimates]), measurement.statistical_covariance
    x, free, asy = np.linspace(35, 62, 109)[:, None, None], np.linspace(-8, 12, 81)[:, None], np.linspace(-6, 6, 241)
    up, down = measurement.responses[:, 1], measurement.down_responses[:, 1]
    shift = np.where(asy[:, None] >= 0, up * asy[:, None], -down * asy[:, None])
    predicted = x[..., None] - free[..., None] * measurement.responses[:, 0] - shift
    density = log_likelihood(predicted, chi2, measured, statistical) - asy**2 / 2
    weight = np.exp(density - density.max())
    weight /= weight.sum()
    posterior = bc.sample(combination, seed=3, draws=1000)["posterior"]
    agree(posterior["x"], *moments(x, weight))
    agree(posterior["free"], *moments(free, weight))
    agree(posterior["pull"].sel(nuisance="asy"), *moments(asy, weight))
    if chi2 == "neyman":  # whose profile is the mode of the density
        at = np.unravel_index(density.argmax(), density.shape)
        expected = [x[at[0], 0, 0], free[at[1], 0]]
        np.testing.assert_allclose(bc.profile(combination).values, expected, atol=0.3)  # a step of the grid


@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
def test_undetermined_free_nuisance_is_an_error(chi2):
    for call in (bc.profile, lambda c: bc.sample(c, seed=1), lambda c: bc.sample(c, seed=1, engine="full")):
        with pytest.raises(UnderdeterminedError, match=r"'(x|free)'"):
            call(with_free(chi2, determined=False))

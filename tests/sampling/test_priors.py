"""Priors of coefficients and the map onto their feasible set, each against scipy or differences."""

import numpy as np
import pytest
from combinations import star
from scipy import stats

import bayescomb as bc
from bayescomb.inputs.assumptions.prior_shapes import SAMPLED_SHAPES, shape_law
from bayescomb.sampling import priors
from bayescomb.sampling.feasible_transform import FeasibleTransform
from bayescomb.sampling.fused.coordinates import PULLBACK, feasible_point, feasible_pullback, prior_laws
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.priors import log_density, prior_draws


def off_centre(shape):
    pair = bc.CorrelationPair(first="a", second="b")
    return bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.1, low=-0.2, high=0.9, prior=shape)


@pytest.mark.parametrize("shape", SAMPLED_SHAPES)
def test_log_density_is_that_of_the_shape_up_to_a_constant(shape):
    coefficient = off_centre(shape)
    points = np.array([-0.1, 0.05, 0.3, 0.8])
    found = np.array([float(log_density([coefficient], np.array([r]), xp=np)) for r in points])
    expected = coefficient.distribution.logpdf(points)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-12)


@pytest.mark.parametrize("shape", SAMPLED_SHAPES)
def test_terms_of_a_shape_are_its_density(shape):
    coefficient = off_centre(shape)
    laws = np.array([[*coefficient.range, coefficient.nominal, *shape_law(shape).terms(*coefficient.range, 0.1)]])
    points, slope = np.array([-0.1, 0.05, 0.3, 0.8]), np.zeros(1)
    found = np.array([prior_laws(np.array([r]), laws, np.zeros(1)) for r in points])
    expected = coefficient.distribution.logpdf(points)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-12)
    for r in points:
        slope[:] = 0.0
        prior_laws(np.array([r]), laws, slope)
        ends = [coefficient.distribution.logpdf(r + h) for h in (1e-6, -1e-6)]
        assert slope[0] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("shape", SAMPLED_SHAPES)
def test_draws_follow_the_shape_between_the_ends(shape):
    coefficient, low, high = off_centre(shape), 0.0, 0.5
    draws = prior_draws([coefficient], low=np.array([low]), high=np.array([high]), draws=4000, rng=np.random.default_rng(1))[
        :, 0
    ]
    whole = coefficient.distribution

    def below(r):
        return (whole.cdf(r) - whole.cdf(low)) / (whole.cdf(high) - whole.cdf(low))

    assert draws.min() >= low
    assert draws.max() <= high
    assert stats.kstest(draws, below).pvalue > 1e-3  # the seed is fixed


@pytest.fixture(scope="module")
def transform():
    """Three coefficients whose box leaves the ball that is feasible."""
    plan = sampling_plan(star(3, low=-0.6, high=0.9, separate_observables=False))
    assert plan.radial
    return FeasibleTransform(plan.low, plan.high, plan.radial)


# Near the centre of the box, and towards a corner of it that is not feasible.
VALUES = [np.array([0.1, -0.2, 0.3]), np.array([1.5, 2.0, 1.8]), np.array([-2.0, 2.5, 0.4])]


@pytest.mark.parametrize("value", VALUES)
def test_jacobian_and_pullback_of_the_map_are_its_differences(transform, value):
    constants, step = transform.map.constants, 1e-6

    def mapped(x):
        return feasible_point(x, *constants)[:2]

    points, logs = zip(*[mapped(value + sign * step * unit) for unit in np.eye(3) for sign in (1, -1)], strict=True)
    by_value = np.array([(points[2 * i] - points[2 * i + 1]) / (2 * step) for i in range(3)]).T
    assert mapped(value)[1] == pytest.approx(np.linalg.slogdet(by_value)[1], abs=1e-6)
    by_point, by_log = np.array([0.7, -1.1, 0.4]), 0.6
    slopes = np.array([(logs[2 * i] - logs[2 * i + 1]) / (2 * step) for i in range(3)])
    point, _, scales, excess_slopes = feasible_point(value, *constants)
    pulled = feasible_pullback(value, point, scales, excess_slopes, by_point, by_log, *constants[:PULLBACK])
    np.testing.assert_allclose(pulled, by_value.T @ by_point + by_log * slopes, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("value", VALUES)
def test_map_has_an_inverse(transform, value):
    point = transform.backward(value).eval()
    assert np.square(point).sum() < 1  # the feasible set of a star is the ball
    np.testing.assert_allclose(transform.forward(point).eval(), value, rtol=1e-9)


def test_draws_where_hardly_any_point_is_feasible_fill_the_set():
    """The set of a star of twelve is the unit ball, 0.03 % of the box: R^12 is uniform, and each coordinate has 1 / 14."""
    plan = sampling_plan(star(12, low=0.0, high=1.0, nominal=0.1))
    rng = np.random.default_rng(3)
    draws = prior_draws(plan.coefficients, low=plan.low, high=plan.high, draws=1280, rng=rng, feasible=plan.feasible())
    squares = draws**2
    radius = squares.sum(axis=1)
    assert radius.max() <= 1 + 1e-9
    assert draws.min() >= 0
    assert stats.kstest(radius**6, "uniform").pvalue > 1e-3  # the seed is fixed
    error = squares.std(axis=0, ddof=1) / np.sqrt(len(draws))
    assert (np.abs(squares.mean(axis=0) - 1 / 14) < 5 * error).all()


def test_draws_of_a_shape_where_hardly_any_point_is_feasible():
    """Against the same draws rejected one by one, for a shape that is not flat."""
    plan = sampling_plan(star(4, low=0.0, high=1.0, nominal=0.3, prior="triangular"))
    feasible = plan.feasible()
    options = {"low": plan.low, "high": plan.high, "rng": np.random.default_rng(4)}
    direct = prior_draws(plan.coefficients, draws=4000, feasible=feasible, **options)
    walked = priors._walked(plan.coefficients, plan.start, draws=4000, feasible=feasible, **options)
    for ours, theirs in zip(walked.T, direct.T, strict=True):
        assert stats.kstest(ours, theirs).pvalue > 1e-3

"""The map onto the feasible set against itself written out with complex numbers: exact derivatives, however far out.

Of a star of k coefficients the feasible set is the unit ball, so that its gauge is the root of a quadratic equation.  A
derivative is the imaginary part of the map at u + i h over h (complex step): no difference is taken, and nothing is lost to
rounding where the map hardly moves.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from combinations import star
from scipy.special import ndtr

from bayescomb.sampling.feasible_transform import FeasibleTransform
from bayescomb.sampling.fused.coordinates import PULLBACK, feasible_point, feasible_pullback, range_constants
from bayescomb.sampling.plan import sampling_plan

STEP = 1e-150  # so small that its square is nothing beside any number here
EPSILON = np.finfo(float).eps
# Sums of a few dozen terms of order 1 to 100.
RELATIVE = 1e-11
BOXES = {"symmetric": (-0.9, 0.9), "one side": (-0.2, 0.95)}


def written_out(u, plan):
    """Point and log of the Jacobian without its constant, complex like u, shape (k,)."""
    (block,) = plan.radial
    low, high, centre = (x.astype(complex) for x in (plan.low, plan.high, block.centre))
    away = low + (high - low) * ndtr(u) - centre
    # |centre + t away| = 1 for t > 0; the gauge is 1 / t.
    square, mixed, rest = (away * away).sum(), (centre * away).sum(), 1 - (centre * centre).sum()
    ball = (mixed + np.sqrt(mixed * mixed + square * rest)) / rest
    sides = away / np.where(away.real > 0, high - centre, low - centre)
    excess = ball - sides[np.argmax(sides.real)]
    excess = excess if excess.real > 0 else 0j
    log = -(u * u).sum() / 2 + np.log(high - low).sum() - (len(u) + 1) * np.log(1 + excess)
    return centre + away / (1 + excess), log


def derivatives(u, plan):
    """Of point, shape (k, k), and log Jacobian, shape (k,)."""
    found = [written_out(u + 1j * STEP * unit, plan) for unit in np.eye(len(u))]
    return np.array([p.imag / STEP for p, _ in found]).T, np.array([log.imag / STEP for _, log in found])


def points(size):
    """Where a sampler is, where it hardly ever is, and where only a step gone wrong is."""
    rng = np.random.default_rng(1)
    scattered = [scale * rng.normal(size=size) for scale in (1.0, 2.0, 4.0) for _ in range(20)]
    ends = [end * rng.choice([-1.0, 1.0], size=size) for end in (8.0, 15.0) for _ in range(5)]
    mixed = [np.where(np.arange(size) == i % size, 12.0, rng.normal(size=size)) for i in range(5)]
    return [*scattered, *ends, *mixed]


@pytest.fixture(scope="module", params=BOXES)
def plan(request):
    low, high = BOXES[request.param]
    return sampling_plan(star(3, low=low, high=high, nominal=0.0))


@pytest.fixture(scope="module")
def fused(plan):
    """Point, log Jacobian and cotangent by the kernels of the fused density."""
    constants = range_constants(plan.low, plan.high, plan.radial)

    def evaluate(u, by_point):
        point, log, scales, slopes = feasible_point(u, *constants)
        return point, log, feasible_pullback(u, point, scales, slopes, by_point, 1.0, *constants[:PULLBACK])

    return evaluate


@pytest.fixture(scope="module")
def graph(plan):
    """The same by the operations of a PyTensor graph."""
    transform = FeasibleTransform(plan.low, plan.high, plan.radial)
    u, by_point = pt.dvector(), pt.dvector()
    point, log = transform.backward(u), transform.log_jac_det(u)
    cotangent = pt.grad((by_point * point).sum() + log, u)
    mode = pytensor.compile.mode.Mode(linker="vm", optimizer="fast_run")
    return pytensor.function([u, by_point], [point, log, cotangent], mode=mode)


@pytest.mark.parametrize("way", ["fused", "graph"])
def test_map_its_jacobian_and_its_pullback_are_exact_however_far_out(way, plan, request):
    evaluate, size = request.getfixturevalue(way), len(plan.low)
    by_point = np.array([0.7, -1.3, 2.1])
    for u in points(size):
        point, log, cotangent = evaluate(u, by_point)
        expected, expected_log = (x.real for x in written_out(u.astype(complex), plan))
        np.testing.assert_allclose(point, expected, rtol=0, atol=8 * EPSILON)
        assert np.linalg.norm(point) <= 1 + 8 * EPSILON
        constant = -size * np.log(2 * np.pi) / 2
        assert log == pytest.approx(expected_log + constant, rel=RELATIVE)
        by_u, log_by_u = derivatives(u, plan)
        # The determinant, every column scaled to the density of its coordinate, which may be 1e-49.
        scale = np.exp(-(u**2) / 2)
        determinant = np.linalg.slogdet(by_u / scale)[1] + np.log(scale).sum()
        assert log == pytest.approx(determinant, rel=RELATIVE)
        np.testing.assert_allclose(cotangent, by_point @ by_u + log_by_u, rtol=RELATIVE, atol=RELATIVE)


def test_inverse_is_as_good_as_the_numbers_it_is_given(plan):
    """A coefficient is known to its last digit, and its coordinate to that over the slope of the map."""
    transform = FeasibleTransform(plan.low, plan.high, plan.radial)
    point = pt.dvector()
    mode = pytensor.compile.mode.Mode(linker="vm", optimizer="fast_run")
    inverse = pytensor.function([point], transform.forward(point), mode=mode)
    constants, compared = range_constants(plan.low, plan.high, plan.radial), 0
    for u in points(len(plan.low)):
        slope = derivatives(u, plan)[0]
        scale = np.exp(-(u**2) / 2)
        if scale.min() < 1e4 * EPSILON:  # the coefficient is that of the end of its range, to its last digit but four
            continue
        back = inverse(feasible_point(u, *constants)[0])
        # Rounding of the point and of the ways there and back, each of a few digits of numbers up to 1.
        rounding = 16 * EPSILON * (abs(np.linalg.inv(slope / scale)).sum(axis=1) / scale)
        np.testing.assert_array_less(abs(back - u), 1e-13 + rounding)
        compared += 1
    assert compared > 40

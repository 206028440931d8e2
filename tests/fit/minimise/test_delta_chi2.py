"""The search for the ends of intervals, on functions whose crossings are known."""

import math

import pytest

from bayescomb.fit.minimise.delta_chi2 import crossing, crossing_within


@pytest.mark.parametrize("start", [0.01, 0.7, 40.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_both_ways_of_searching_find_the_crossing(start, sign):
    # cosh(d) - 1 = 1 at d = arcosh(2) = log(2 + sqrt(3))
    def excess(distance):
        return math.cosh(distance) - 2

    expected = sign * math.log(2 + math.sqrt(3))
    assert crossing(excess, sign * start, met=1e-12) == pytest.approx(expected, rel=1e-9)
    assert crossing(excess, sign * start) == pytest.approx(expected, abs=2e-9 * start)


def test_the_end_is_not_passed():
    seen = []

    def excess(distance):
        seen.append(distance)
        return distance**2 / 4 - 1  # 2 away

    assert crossing(excess, 0.5, met=1e-9, end=1.9) is None
    assert crossing(excess, -0.5, met=1e-9, end=-2.1) == pytest.approx(-2, abs=1e-8)
    assert crossing(excess, 5.0, end=2.1) == pytest.approx(2, abs=1e-8)
    assert -2.1 <= min(seen) <= max(seen) <= 2.1


def test_what_does_not_grow_has_no_crossing():
    tried = []

    def flat(distance):
        tried.append(distance)
        return -0.5

    assert crossing(flat, 1.0, outward=lambda outer: outer + 0.5, most=4) is None
    assert tried == [1.0, 1.5, 2.0, 2.5]


def test_within_a_bound_the_bound_is_the_end():
    def growth(x):
        return (x - 3) ** 2 - 1

    assert crossing_within(growth, 3.0, 1.5, bound=0.0, error=1.0) == pytest.approx(2, abs=1e-12)
    assert crossing_within(growth, 3.0, 1.5, bound=2.5, error=1.0) == 2.5

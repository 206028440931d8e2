"""Crossings and maxima against closed forms."""

import math

import pytest

from bayescomb.base.numerics import concave_maximum, crossing


@pytest.mark.parametrize(
    ("function", "inside", "outside", "place"),
    [
        (lambda x: 2 - x * x, 0.0, 2.0, math.sqrt(2)),
        (lambda x: 2 - x * x, 0.0, -5.0, -math.sqrt(2)),
        (lambda x: min(0.25 - x, 10 * (0.25 - x)), 0.0, 1.0, 0.25),  # a kink at the crossing
        (lambda x: 1 - math.exp(20 * x), -1.0, 1.0, 0.0),
        (lambda x: -(x**3), -1.0, 1.0, 0.0),  # flat there
        (lambda x: 0.5 - x, 0.5, 1.0, 0.5),  # at the end
    ],
)
def test_crossing(function, inside, outside, place):
    assert crossing(function, inside, outside) == pytest.approx(place, abs=4e-12)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.999, 1.0])
def test_maximum_of_a_concave_function(place):
    assert concave_maximum(lambda x: -abs(x - place), 0.0, 1.0) == pytest.approx(place, abs=1e-10)
    # rounding hides what is nearer than the square root of the smallest difference
    assert concave_maximum(lambda x: -((x - place) ** 2), 0.0, 1.0) == pytest.approx(place, abs=1e-7)

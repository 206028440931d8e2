"""Likelihood tables: the curve through the points against the functions that they are of."""

import numpy as np
import pytest
from refusals import refused
from repetitions import repetitions
from scipy.optimize import brentq
from table_models import EXPECTED, INTERPOLATION, SEEN, counted, counting_table, parabola

import bayescomb as bc
from bayescomb.base.errors import InvalidMatrixError, InvalidNumberError


@pytest.mark.parametrize("seed", range(repetitions(5)))
def test_a_parabola_is_a_gaussian_wherever_its_points_are(seed):
    """The spline through points of a parabola is the parabola, so that nothing is interpolated, in any unit."""
    rng = np.random.default_rng([24, seed])
    value, error = rng.normal(), rng.uniform(0.2, 2)
    points = np.sort(value + error * rng.uniform(-4, 4, size=9))
    points[[0, -1]] = value - 2 * error, value + 3 * error  # its minimum is inside
    unit = 10.0 ** rng.integers(-30, 30)
    table = bc.LikelihoodTable(points=tuple(points * unit), rises=tuple(((points - value) / error) ** 2 + rng.normal()))
    assert table.value == pytest.approx(value * unit, abs=1e-9 * error * unit)
    assert table.width == pytest.approx(error * unit, rel=1e-9)
    assert table.errors == pytest.approx((error * unit, -error * unit), rel=1e-9)
    anywhere = unit * (value + error * np.linspace(-20, 20, 41))
    np.testing.assert_allclose(table.warped(anywhere), anywhere, atol=1e-7 * error * unit)
    assert table.offset == 0


def test_a_counting_experiment_is_its_likelihood_between_the_points():
    table = counting_table()
    s = np.linspace(0, 14.9, 1234)
    exact = np.array([counted(x) for x in s])
    difference = np.abs(table.rise(s) - exact)
    assert difference[exact < 9].max() < INTERPOLATION
    # what the check says of the interpolation, a sixteenth of the change without every second point, is no less than that
    assert difference[exact < 4].max() < table.coarseness
    assert table.minimum == pytest.approx(SEEN - EXPECTED, abs=np.sqrt(INTERPOLATION))
    ends = brentq(lambda x: counted(x) - 1, 5.5, 14), brentq(lambda x: counted(x) - 1, 0, 5.5)
    # d(-2 ln L)/ds is about 0.6 at the ends of the interval
    assert table.errors == pytest.approx([end - (SEEN - EXPECTED) for end in ends], abs=INTERPOLATION / 0.5)


def test_derivatives_are_those_of_the_value():
    table, h = counting_table(), 1e-5
    s = np.linspace(-3, 20, 300)  # beyond the ends, too
    s = s[(np.abs(s) > 2 * h) & (np.abs(s - 15) > 2 * h)]
    slope, bend = table.derivatives(s)
    np.testing.assert_allclose(slope, (table.warped(s + h) - table.warped(s - h)) / (2 * h), rtol=1e-7)
    first = table.derivatives(s + h)[0] - table.derivatives(s - h)[0]
    np.testing.assert_allclose(bend, first / (2 * h), atol=1e-4)
    assert (slope > 0).all()


def test_beyond_the_points_it_is_a_parabola_with_the_slope_of_the_end():
    table = counting_table()
    high = table.ends[1]
    slope = 2 * (1 - SEEN / (high + EXPECTED))  # of -2 ln L
    root = np.sqrt(counted(high))
    for away in (0.5, 5.0, 50.0):
        assert table.rise(high + away) == pytest.approx((root + slope / (2 * root) * away) ** 2, rel=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_table_that_falls_towards_its_end_keeps_its_differences(sign):
    """A Gaussian of centre -0.5 of which only s > 0 is given; and nothing seen, whose -2 ln L = 2 s is straight."""
    s = np.linspace(0, 6, 25)
    gaussian = bc.LikelihoodTable(points=tuple(sign * s), rises=tuple((s + 0.5) ** 2))
    assert (gaussian.value, gaussian.width) == pytest.approx((-0.5 * sign, 1.0), rel=1e-9)
    assert gaussian.minimum == pytest.approx(0, abs=1e-12)
    assert gaussian.rise(sign * 2.0) == pytest.approx(2.5**2 - 0.5**2, rel=1e-9)
    straight = bc.LikelihoodTable(points=tuple(sign * s), rises=tuple(2 * s))
    x = np.linspace(0, 6, 77)
    # the roots of straight lines are interpolated between eight times as many points
    np.testing.assert_allclose(straight.rise(sign * x), 2 * x, atol=INTERPOLATION)
    assert [e for e in straight.errors if e is not None] == pytest.approx([sign * 0.5], abs=INTERPOLATION)
    assert None in straight.errors


def test_moved_and_scaled_it_is_that_of_what_is_moved_and_scaled():
    table = counting_table()
    moved, scaled = table.moved(3.0), table.scaled(-2.0)
    assert moved.value == pytest.approx(table.value + 3)
    assert (scaled.minimum, scaled.width) == pytest.approx((-2 * table.minimum, 2 * table.width))
    assert scaled.rise(-2 * 1.7) == pytest.approx(table.rise(1.7), rel=1e-9)
    assert moved.rise(3 + 1.7) == pytest.approx(table.rise(1.7), rel=1e-9)


def test_the_order_of_the_points_is_nothing():
    table = parabola(1.0, 2.0)
    assert bc.LikelihoodTable(points=table.points[::-1], rises=table.rises[::-1]) == table


@pytest.mark.parametrize(
    ("points", "rises", "words"),
    [
        ((0, 1, 2), (1, 0, 1), ("3 points found", "needs 4")),
        ((0, 1, 1, 2), (1, 0, 1, 2), ("the point 1 stands twice",)),
        ((0, 1, 2, 3, 4), (3, 0, 2, 1, 5), ("turns at", "one minimum")),
        ((0, 1, 2, 3, 4), (0, 1, 2, 1, 0), ("turns at", "one minimum")),
        ((0, 1, 2, 3, 4), (7, 7, 7, 7, 7), ("the same number at all points",)),
        ((0, 1, 2, 3, 4), (0, 0.1, 0.2, 0.3, 0.4), ("rises by 0.4", "a rise of at least 1")),
        ((0, 1, 2, np.nan), (1, 0, 1, 2), ("points of a likelihood table",)),
        ((0, 1, 2, 3), (1, 0, np.inf, 2), ("likelihood table",)),
    ],
)
def test_what_is_no_likelihood_of_one_minimum_is_refused(points, rises, words):
    with refused(InvalidNumberError, *words):
        bc.LikelihoodTable(points=points, rises=rises)


def test_lengths_are_the_same():
    with refused(InvalidMatrixError, "likelihood table"):
        bc.LikelihoodTable(points=(0, 1, 2, 3), rises=(1, 0, 1))


def test_its_error_stands_nowhere_else():
    table = parabola(1.0, 2.0)
    estimate = bc.Estimate(name="x", value=table.value, observables={"s": 1.0}, likelihood=table)
    with refused(InvalidMatrixError, "estimate 'x'", "width 2", "from_likelihood"):
        bc.Measurement(name="m", estimates=(estimate,), statistical_covariance=[[9.0]])


def test_nothing_is_relative_to_a_value_beyond_the_table():
    s = np.linspace(0, 6, 25)
    table = bc.LikelihoodTable(points=tuple(s), rises=tuple(2 * s))
    with refused(InvalidNumberError, "falls towards its end", "'lumi'", "absolute"):
        bc.Measurement.from_likelihood(
            "m", table=table, observable="s", nuisances=[bc.Nuisance(name="lumi", response="relative")], responses=[0.1]
        )

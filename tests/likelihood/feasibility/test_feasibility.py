"""The feasible part of a box of coefficients, against what can be said by hand and against Monte Carlo."""

import itertools
import math

import numpy as np
import pytest
from repetitions import repetitions
from scipy.optimize import minimize
from scipy.sparse import csr_array

from bayescomb.likelihood.feasibility import extremes, face_basis, feasible_region
from bayescomb.likelihood.feasibility.spectrahedron import AffineFamily, interior_point, smallest_eigenvalue


def family(n, *groups, low, high, base=None):
    """C(r) of n nuisances, one coefficient per group of entries (i, j) or (i, j, sign); nominal in the middle."""
    patterns = np.zeros((len(groups), n, n))
    for pattern, group in zip(patterns, groups, strict=True):
        for i, j, *sign in group:
            pattern[i, j] = pattern[j, i] = sign[0] if sign else 1
    low, high = np.broadcast_to(low, len(groups)).astype(float), np.broadcast_to(high, len(groups)).astype(float)
    base = np.eye(n) if base is None else np.array(base, dtype=float)
    flat = csr_array(patterns.reshape(len(groups), n * n))
    return AffineFamily(label="test", base=base, patterns=flat, low=low, nominal=(low + high) / 2, high=high)


def star(n, *, low, high, shared):
    """One nuisance with n others: by a common coefficient, or each by its own."""
    pairs = [(0, i) for i in range(1, n + 1)]
    return family(n + 1, *([pairs] if shared else [[pair] for pair in pairs]), low=low, high=high)


# Two fully correlated pairs: (0, 1) and (2, 3).
TWO_PAIRS = np.kron(np.eye(2), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("n", "low", "high", "limit", "share"),
    [(8, 0.0, 0.5, 1 / math.sqrt(8), 0.7071), (3, 0.25, 0.75, 1 / math.sqrt(3), 0.6547)],
    ids=["one with eight", "one with three"],
)
def test_one_nuisance_with_n_others_by_a_common_coefficient(n, low, high, limit, share):
    region = feasible_region(star(n, low=low, high=high, shared=True))
    assert region.status == "partial"
    assert (region.low.item(), region.high.item()) == pytest.approx((low, limit), abs=1e-7)
    assert region.share == pytest.approx(share, abs=1e-4)
    assert region.share == pytest.approx((limit - low) / (high - low), abs=1e-7)
    assert region.share_error == 0


def test_negative_end_of_one_coefficient():
    region = feasible_region(star(4, low=-0.9, high=0.3, shared=True))
    assert (region.low.item(), region.high.item()) == pytest.approx((-0.5, 0.3), abs=1e-7)


def test_smallest_eigenvalue_is_that_of_the_centre():
    box = star(8, low=0.0, high=0.5, shared=True)
    region = feasible_region(box)
    assert region.smallest == pytest.approx(smallest_eigenvalue(box.matrix(region.centre)), abs=1e-9)


@pytest.mark.parametrize("ends", [(-0.2, 0.9), (0.25, 0.75), (-1.0, 1.0)])
def test_share_of_the_ball_of_separate_coefficients_agrees_with_monte_carlo(ends):
    low, high = ends
    region = feasible_region(star(3, low=low, high=high, shared=False))
    n = 40_000
    points = np.random.default_rng(1).uniform(low, high, (n, 3))
    share = np.mean(np.sum(points**2, axis=1) <= 1)
    assert region.status == "partial"
    assert region.share_error > 0
    assert abs(region.share - share) < 5 * math.hypot(math.sqrt(share * (1 - share) / n), region.share_error)


def test_share_of_the_whole_ball_is_its_volume():
    region = feasible_region(star(3, low=-1.0, high=1.0, shared=False))
    assert region.share == pytest.approx(math.pi / 6, abs=5 * region.share_error)


def test_region_of_several_coefficients_holds_its_centre_and_stays_in_the_box():
    box = star(3, low=-0.2, high=0.9, shared=False)
    region = feasible_region(box)
    assert np.sum(region.centre**2) < 1
    assert region.smallest == pytest.approx(smallest_eigenvalue(box.matrix(region.centre)), abs=1e-12)
    assert (box.low <= region.low).all()
    assert (region.low <= region.centre).all()
    assert (region.centre <= region.high).all()
    assert (region.high <= box.high).all()
    np.testing.assert_array_equal(region.low, -0.2)
    np.testing.assert_array_equal(region.high, 0.9)


@pytest.mark.parametrize("k", [3, 12, 64])
def test_each_coefficient_of_a_star_reaches_1_although_all_together_cannot(k):
    """Feasible is sum r^2 <= 1, so that one coefficient is 1 where all others are 0."""
    region = feasible_region(star(k, low=0.0, high=1.0, shared=False))
    assert region.low.tolist() == [0.0] * k
    assert region.high.tolist() == [1.0] * k
    assert region.share_error > 0
    assert not region.missing.any()


@pytest.mark.parametrize("low", [0.1, 0.25])
def test_coefficients_of_a_star_leave_each_other_what_their_lower_ends_do_not_take(low):
    region = feasible_region(star(12, low=low, high=0.9, shared=False))
    np.testing.assert_allclose(region.high, min(0.9, math.sqrt(1 - 11 * low**2)), atol=1e-6)
    np.testing.assert_array_equal(region.low, low)


def test_extremes_of_a_coefficient_between_two_others_are_those_of_three_angles():
    """With r_13 = cos a and r_23 = cos b, r_12 lies between cos(a + b) and cos(a - b)."""
    region = feasible_region(family(3, [(0, 1)], [(0, 2)], [(1, 2)], low=[-1.0, 0.6, 0.7], high=[1.0, 0.9, 0.95]))
    smallest = math.cos(math.acos(0.6) + math.acos(0.7))
    np.testing.assert_allclose(region.low, [smallest, 0.6, 0.7], atol=3e-6)
    np.testing.assert_allclose(region.high, [1.0, 0.9, 0.95], atol=1e-12)


def test_every_value_of_eight_by_eight_coefficients_is_feasible_with_the_others_at_0():
    groups = [[(i, 8 + j)] for i in range(8) for j in range(8)]
    region = feasible_region(family(16, *groups, low=0.0, high=1.0))
    assert (region.low == 0).all()
    assert (region.high == 1).all()
    assert region.share == 0
    assert 0 < region.share_error < 1e-3


def test_others_follow_where_blocks_are_correlated_inside():
    """R = a A_1 B_1^T completes r_11 = 1: with the others held at 0 it would end at 1 / sqrt(A^-1_11 B^-1_11) = 0.69."""
    inside = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    base = np.kron(np.eye(2), inside)
    region = feasible_region(family(6, *[[(i, 3 + j)] for i in range(3) for j in range(3)], low=0.0, high=1.0, base=base))
    np.testing.assert_array_equal(region.high, 1.0)


def random_family(seed):
    """A family around a random correlation matrix, some of whose entries are coefficients, one of them of two pairs."""
    rng = np.random.default_rng(seed)
    n = 4
    points = rng.normal(size=(n, n + 1))
    points /= np.linalg.norm(points, axis=1)[:, None]
    base = points @ points.T
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:3]]
    centre = np.array([base[pair] for pair in chosen])
    for i, j in chosen:
        base[i, j] = base[j, i] = 0.0
    low, high = centre - rng.uniform(0.1, 0.9, 3), centre + rng.uniform(0.1, 0.9, 3)
    return family(n, *[[pair] for pair in chosen], low=np.maximum(low, -1), high=np.minimum(high, 1), base=base)


@pytest.mark.parametrize("seed", range(repetitions(4)))
def test_extremes_of_random_models_are_those_of_a_general_minimiser(seed):
    """SLSQP on the principal minors, all of which are at least 0 where a matrix is positive semidefinite."""
    box = random_family(seed)
    region = feasible_region(box)
    subsets = [list(s) for m in range(1, 5) for s in itertools.combinations(range(4), m)]
    minors = {"type": "ineq", "fun": lambda r: [np.linalg.det(box.matrix(r)[np.ix_(s, s)]) for s in subsets]}
    for c in range(3):
        for side, found in ((1, region.high[c]), (-1, region.low[c])):
            options = {"ftol": 1e-12, "maxiter": 300}
            bounds = list(zip(box.low, box.high, strict=True))
            other = minimize(
                lambda r, c=c, side=side: -side * r[c], region.centre, constraints=[minors], bounds=bounds,
                method="SLSQP", options=options,
            )  # fmt: skip
            assert smallest_eigenvalue(box.matrix(other.x)) > -1e-6
            assert found == pytest.approx(other.x[c], abs=1e-5)


@pytest.mark.parametrize("seed", range(repetitions(4)))
def test_extremes_are_reached_by_a_feasible_point_and_passed_by_none(seed):
    box = random_family(seed)
    found = extremes(box, interior_point(box))
    width = box.high - box.low
    assert ((found.low - found.low_bound) <= 1.01e-6 * width).all()
    assert ((found.high_bound - found.high) <= 1.01e-6 * width).all()
    points = np.random.default_rng(seed).uniform(box.low, box.high, (20_000, 3))
    feasible = points[np.linalg.eigvalsh(box.matrix(points))[:, 0] >= 0]
    assert (feasible >= found.low_bound - 1e-12).all()
    assert (feasible <= found.high_bound + 1e-12).all()


@pytest.mark.parametrize(
    ("groups", "low", "high"),
    [
        ([[(0, 1), (2, 3)]], 1.2, 1.5),
        ([[(0, 1)], [(2, 3)]], 1.2, 1.5),
        ([], 0.0, 0.0),
    ],
    ids=["common coefficient", "separate coefficients", "no coefficient"],
)
def test_even_number_of_negative_eigenvalues_is_infeasible_although_the_determinant_is_positive(groups, low, high):
    base = None if groups else np.kron(np.eye(2), [[1, 1.3], [1.3, 1]])
    box = family(4, *groups, low=low, high=high, base=base)
    assert np.linalg.det(box.matrix(box.nominal)) > 0
    region = feasible_region(box)
    assert region.status == "empty"
    assert region.share == 0
    assert region.nominal_smallest == pytest.approx(smallest_eigenvalue(box.matrix(box.nominal)))


def test_feasible_corner_is_found_from_a_middle_with_two_negative_eigenvalues():
    box = family(4, [(0, 1)], [(2, 3)], low=0.5, high=1.9)  # the middle is at 1.2
    region = feasible_region(box)
    assert region.status == "partial"
    assert (region.centre < 1).all()
    assert region.share == pytest.approx((0.5 / 1.4) ** 2, abs=5 * region.share_error)


@pytest.mark.parametrize(("low", "high"), [(-0.25, 0.25), (-0.2, 0.3), (0.0, 0.5)])
def test_fully_correlated_blocks_with_contradictory_signs_allow_only_0(low, high):
    region = feasible_region(family(4, [(0, 2), (1, 3, -1)], low=low, high=high, base=TWO_PAIRS))
    assert region.status == "point"
    assert region.centre.item() == pytest.approx(0, abs=1e-6)
    assert region.share == 0
    assert region.low.item() == region.high.item() == region.centre.item()


def test_fully_correlated_blocks_with_contradictory_signs_allow_nothing_away_from_0():
    region = feasible_region(family(4, [(0, 2), (1, 3, -1)], low=0.25, high=0.75, base=TWO_PAIRS))
    assert (region.status, region.share) == ("empty", 0)


def test_several_coefficients_that_only_a_point_allows_are_not_called_empty():
    base = np.kron(np.eye(2), TWO_PAIRS)
    region = feasible_region(family(8, [(0, 2), (1, 3, -1)], [(4, 6), (5, 7, -1)], low=-0.2, high=0.3, base=base))
    assert region.status == "point"
    assert region.low.tolist() == region.high.tolist() == [0.0, 0.0]


def test_a_coefficient_that_may_move_does_so_beside_one_that_may_not():
    base = np.kron(np.eye(2), TWO_PAIRS)
    pairs = [[(0, 2), (1, 3, -1)], [(4, 6), (5, 7), (4, 7), (5, 6)]]
    region = feasible_region(family(8, *pairs, low=-0.2, high=0.3, base=base))
    assert (region.status, region.share) == ("point", 0.0)
    np.testing.assert_allclose(region.low, [0.0, -0.2], atol=1e-6)
    np.testing.assert_allclose(region.high, [0.0, 0.3], atol=1e-6)


def test_fully_correlated_blocks_with_consistent_signs_allow_everything():
    pairs = [(i, j) for i in (0, 1) for j in (2, 3)]
    region = feasible_region(family(4, pairs, low=0.25, high=0.75, base=TWO_PAIRS))
    assert (region.status, region.share, region.share_error) == ("box", 1, 0)
    assert (region.low.item(), region.high.item()) == (0.25, 0.75)


@pytest.mark.parametrize("n", [2, 10])
def test_box_inside_the_feasible_set_is_certified_for_few_and_for_many_coefficients(n):
    pairs = [[(2 * i, 2 * i + 1)] for i in range(n)]
    region = feasible_region(family(2 * n, *pairs, low=-0.9, high=0.9))
    assert (region.status, region.share, region.share_error) == ("box", 1, 0)


def test_strict_region_asks_for_a_definite_matrix():
    singular = family(2, [(0, 1)], low=0.5, high=1.0)
    assert feasible_region(singular).status == "box"
    assert feasible_region(singular, strict=True).status == "partial"


def test_no_coefficient_is_a_box_or_empty():
    assert feasible_region(family(2, low=0.0, high=0.0)).status == "box"
    assert feasible_region(family(2, low=0.0, high=0.0, base=[[1, 1.1], [1.1, 1]])).status == "empty"


def test_same_question_has_the_same_answer_twice():
    first, second = (feasible_region(star(3, low=-0.2, high=0.9, shared=False)) for _ in range(2))
    assert first.share == second.share
    assert first.centre.tolist() == second.centre.tolist()


def test_basis_of_the_face_spans_the_range_of_a_singular_matrix():
    basis = face_basis(TWO_PAIRS)
    assert basis.shape == (4, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(basis @ basis.T @ TWO_PAIRS, TWO_PAIRS, atol=1e-12)


def test_smallest_eigenvalue_of_an_empty_matrix_is_harmless():
    assert smallest_eigenvalue(np.zeros((0, 0))) == 1.0

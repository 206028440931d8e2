"""The feasible part of a box of coefficients, against what can be said by hand and against Monte Carlo."""

import math

import numpy as np
import pytest

from bayescomb.likelihood.feasibility import AffineFamily, face_basis, feasible_region, smallest_eigenvalue


def family(n, *groups, low, high, base=None):
    """C(r) of n nuisances, one coefficient per group of entries (i, j) or (i, j, sign); nominal in the middle."""
    patterns = np.zeros((len(groups), n, n))
    for pattern, group in zip(patterns, groups, strict=True):
        for i, j, *sign in group:
            pattern[i, j] = pattern[j, i] = sign[0] if sign else 1
    low, high = np.broadcast_to(low, len(groups)).astype(float), np.broadcast_to(high, len(groups)).astype(float)
    base = np.eye(n) if base is None else np.array(base, dtype=float)
    return AffineFamily(label="test", base=base, patterns=patterns, low=low, nominal=(low + high) / 2, high=high)


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
    # the ends come from points of the box, so they fall a little short of -0.2 and 0.9
    np.testing.assert_allclose(region.low, -0.2, atol=0.01)
    np.testing.assert_allclose(region.high, 0.9, atol=0.01)


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
    assert region.status != "empty"


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

"""Repairs of matrices that are no correlation matrices: what each does, and what it does to the Run 1 mass combination."""

import dataclasses

import numpy as np
import pytest
from combinations import star
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import InfeasibleCorrelationError
from bayescomb.likelihood.correlation import (
    correlation_family,
    feasible_correlation,
    nearest_correlation,
    repaired_correlation,
)

INDEFINITE = ["LHCJES2", "btag", "ptmiss", "LHCrad", "PDF", "bkgMC", "other (other[a] ... other[f])"]


def random_indefinite(rng, n):
    """Symmetric, unit diagonal, entries in [-1, 1], at least one negative eigenvalue."""
    while True:
        upper = np.triu(rng.uniform(-1, 1, (n, n)), 1)
        matrix = upper + upper.T + np.eye(n)
        if np.linalg.eigvalsh(matrix)[0] < -0.01:
            return matrix


def random_correlation(rng, n):
    rows = rng.normal(size=(n, n))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


@pytest.mark.parametrize("how", ["shift", "clip", "nearest"])
@pytest.mark.parametrize("n", [3, 6, 15])
def test_repair_gives_a_correlation_matrix(how, n):
    repaired = repaired_correlation(random_indefinite(np.random.default_rng(n), n), how=how)
    np.testing.assert_allclose(repaired, repaired.T, atol=1e-15)
    np.testing.assert_allclose(np.diag(repaired), 1, atol=1e-12)
    assert np.linalg.eigvalsh(repaired)[0] > -1e-9
    assert np.abs(repaired).max() <= 1 + 1e-12


@pytest.mark.parametrize("how", ["shift", "clip", "nearest"])
def test_repair_leaves_a_correlation_matrix_alone(how):
    matrix = random_correlation(np.random.default_rng(1), 5)
    np.testing.assert_allclose(repaired_correlation(matrix, how=how), matrix, atol=1e-12)


def test_nearest_matrix_of_the_published_example():
    """Higham, IMA J. Numer. Anal. 22 (2002) 329, example of the alternating projections."""
    matrix = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(nearest_correlation(matrix), expected, atol=5e-5)


def test_nearest_matrix_is_the_projection():
    """For a projection onto a convex set, <A - P, X - P> <= 0 for every X of the set."""
    rng = np.random.default_rng(2)
    matrix = random_indefinite(rng, 5)
    nearest = nearest_correlation(matrix)
    for _ in range(50):
        assert np.sum((matrix - nearest) * (random_correlation(rng, 5) - nearest)) < 1e-8
    for how in ("shift", "clip"):
        other = repaired_correlation(matrix, how=how)
        assert np.linalg.norm(matrix - nearest) <= np.linalg.norm(matrix - other) + 1e-9


def alternating_projections(matrix):
    """Higham (2002): Dykstra's projections onto the semidefinite matrices and onto those of unit diagonal in turn."""
    current, correction = matrix, np.zeros_like(matrix)
    for _ in range(20000):
        start = current - correction
        eigenvalues, vectors = np.linalg.eigh(start)
        semidefinite = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
        correction = semidefinite - start
        current = semidefinite.copy()
        np.fill_diagonal(current, 1.0)
        if np.abs(current - semidefinite).max() < 1e-13:
            return current
    raise AssertionError


@pytest.mark.parametrize("n", [2, 3, 8, 30])
def test_nearest_matrix_by_newton_is_that_by_alternating_projections(n):
    rng = np.random.default_rng(n)
    examples = [random_indefinite(rng, n) if n > 2 else np.array([[1.0, -1.0], [-1.0, 1.0]]) for _ in range(5)]
    examples += [np.full((n, n), -1.0) + 2 * np.eye(n), np.where(np.eye(n), 1.0, np.sign(examples[0]))]
    for matrix in examples:
        # The projections stop at changes of 1e-13 of a sequence that converges geometrically.
        np.testing.assert_allclose(nearest_correlation(matrix), alternating_projections(matrix), atol=1e-10)


def test_shift_shrinks_all_correlations_by_one_factor():
    matrix = random_indefinite(np.random.default_rng(3), 4)
    off = ~np.eye(4, dtype=bool)
    ratio = repaired_correlation(matrix, how="shift")[off] / matrix[off]
    np.testing.assert_allclose(ratio, 1 / (1 - np.linalg.eigvalsh(matrix)[0]), rtol=1e-12)


def test_nearest_repair_of_run1(run1):
    fit = bc.profile(run1.with_treatment("nuisance", repair="nearest"))
    assert fit.values.item() == pytest.approx(172.5122, abs=1e-4)
    assert fit.errors.item() == pytest.approx(0.3318, abs=1e-4)


def test_repair_reports_every_block_it_touched(run1):
    fit = bc.profile(run1.with_treatment("nuisance", repair="nearest"))
    assert [repair.block for repair in fit.repairs] == INDEFINITE
    assert {repair.how for repair in fit.repairs} == {"nearest"}
    assert all(repair.smallest < 0 < repair.change for repair in fit.repairs)
    assert max(fit.repairs, key=lambda repair: repair.change).block == "PDF"


@pytest.mark.parametrize("how", ["shift", "clip"])
def test_other_repairs_of_run1_stay_within_their_reported_size(run1, how):
    fit = bc.profile(run1.with_treatment("nuisance", repair=how))
    assert [repair.block for repair in fit.repairs] == INDEFINITE
    assert fit.values.item() == pytest.approx(172.5134, abs=0.01)
    assert fit.errors.item() == pytest.approx(0.3293, abs=0.01)


def test_repair_touches_no_other_block(run1):
    combination = run1.with_treatment("nuisance", repair="nearest")
    family = correlation_family(combination)
    published = family.correlation(family.nominal)
    repaired, repairs = feasible_correlation(combination, family, family.nominal)
    named = {repair.block for repair in repairs}
    for block in family.blocks:
        grid = np.ix_(block.nuisances, block.nuisances)
        change = np.abs(repaired[grid] - published[grid]).max()
        assert (change > 0) == (block.label in named)


def test_covariance_treatment_repairs_nothing(run1):
    family = correlation_family(run1)
    correlation, repairs = feasible_correlation(run1, family, family.nominal)
    assert repairs == ()
    np.testing.assert_array_equal(correlation, family.correlation(family.nominal))


def test_infeasible_coefficients_are_refused_unless_a_repair_is_asked_for():
    combination = star(3, shared=True, low=0.25, nominal=0.7, high=0.75)
    with refused(InfeasibleCorrelationError, "'star'", "'default'", "'nuisance'", "n0 ... n3", "shift, clip or nearest"):
        bc.profile(combination)
    (repair,) = bc.profile(dataclasses.replace(combination, repair="nearest")).repairs
    assert repair.smallest == pytest.approx(1 - 0.7 * np.sqrt(3))
    # by symmetry the nearest matrix keeps the three pairs equal, at most at 1 / sqrt(3)
    assert 0 < repair.change < 0.7

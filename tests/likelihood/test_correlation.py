"""C(r): affine in the coefficients, block diagonal over what the pairs connect."""

import dataclasses

import numpy as np
import pytest
from combinations import star
from gaussian import coefficient, combine, external_measurement

import bayescomb as bc
from bayescomb.likelihood.correlation import correlation_family


@pytest.fixture(scope="module")
def family(run1):
    return correlation_family(run1)


def measurements(names, n_nuisances=2):
    rng = np.random.default_rng(0)
    return [external_measurement(rng, n, observables=("x",), n_estimates=2, n_nuisances=n_nuisances) for n in names]


def members(family):
    return [[family.nuisances[i] for i in block.nuisances] for block in family.blocks]


def test_correlation_is_affine_in_the_coefficients(family):
    rng = np.random.default_rng(1)
    r = rng.uniform(-1, 1, len(family.coefficients))
    expected = family.base + sum(value * family.pattern(i) for i, value in enumerate(r))
    np.testing.assert_array_equal(family.correlation(r), expected)
    np.testing.assert_array_equal(family.correlation(np.zeros(len(r))), family.base)


def test_correlation_is_symmetric_with_unit_diagonal_and_the_nominal_values(family, run1):
    matrix = family.correlation(family.nominal)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    position = {name: i for i, name in enumerate(family.nuisances)}
    for each in run1.assumption_set.coefficients:
        for pair in each.pairs:
            assert matrix[position[pair.first], position[pair.second]] == pair.sign * each.nominal


def test_projected_pattern_is_the_pattern_between_loadings(family):
    loading = np.random.default_rng(2).normal(size=(4, len(family.nuisances)))
    for i in range(len(family.coefficients)):
        np.testing.assert_allclose(family.projected_pattern(i, loading), loading @ family.pattern(i) @ loading.T, atol=1e-10)


def test_projected_patterns_are_the_same_as_sparse_rows(family):
    loading = np.random.default_rng(2).normal(size=(4, len(family.nuisances)))
    index = np.arange(len(family.coefficients))
    rows = family.projected_patterns(index, loading).toarray()
    expected = [family.projected_pattern(int(i), loading).ravel() for i in index]
    np.testing.assert_allclose(rows, np.array(expected).reshape(rows.shape), atol=1e-10)


def test_blocks_partition_the_nuisances_and_the_matrix(family):
    everything = np.concatenate([block.nuisances for block in family.blocks])
    assert sorted(everything) == list(range(len(family.nuisances)))
    inside = np.zeros_like(family.base, dtype=bool)
    for block in family.blocks:
        inside[np.ix_(block.nuisances, block.nuisances)] = True
    assert not family.correlation(np.ones(len(family.coefficients)))[~inside].any()


def test_block_matrices_rebuild_the_block(family):
    r = np.random.default_rng(3).uniform(-1, 1, len(family.coefficients))
    for block in family.blocks:
        base, patterns = family.block_matrices(block)
        built = base + (patterns.T @ r[block.coefficients]).reshape(base.shape)
        np.testing.assert_allclose(built, family.correlation(r)[np.ix_(block.nuisances, block.nuisances)], atol=1e-15)


def test_every_coefficient_acts_in_one_block_labelled_by_its_source(family):
    acting = {family.coefficients[i].name: block.label for block in family.blocks for i in block.coefficients}
    assert sum(len(block.coefficients) for block in family.blocks) == len(family.coefficients)
    assert set(acting) == {c.name for c in family.coefficients}
    assert all(label == name for name, label in acting.items())


def test_source_that_falls_into_several_blocks_names_its_ends(family):
    labels = [block.label for block in family.blocks if block.label.startswith("other")]
    assert labels[0] == "other (other[a] ... other[f])"
    assert len(set(labels)) == len(labels) == 10


def test_pair_connects_its_nuisances_whatever_its_coefficient_is():
    family = correlation_family(combine(*measurements("ab"), coefficients=(coefficient("r", 0.0, ("a.n0", "b.n1")),)))
    assert members(family) == [["a.n0", "b.n1"], ["a.n1"], ["b.n0"]]
    assert [block.coefficients.tolist() for block in family.blocks] == [[0], [], []]


def test_uncorrelated_nuisances_are_blocks_of_their_own():
    family = correlation_family(combine(*measurements("ab")))
    assert [len(block.nuisances) for block in family.blocks] == [1, 1, 1, 1]
    assert [block.label for block in family.blocks] == ["a.n0", "a.n1", "b.n0", "b.n1"]
    assert family.correlation([]).tolist() == np.eye(4).tolist()


def test_coefficient_shared_by_two_components_merges_them():
    shared = coefficient("r", 0.3, ("a.n0", "b.n0"), ("a.n1", "b.n1", -1))
    family = correlation_family(combine(*measurements("ab"), coefficients=(shared,)))
    assert members(family) == [["a.n0", "a.n1", "b.n0", "b.n1"]]
    assert family.blocks[0].coefficients.tolist() == [0]
    assert family.blocks[0].label == "a.n0 ... b.n1"


def test_components_merge_along_a_chain_of_shared_coefficients():
    chain = (
        coefficient("r", 0.1, ("a.n0", "b.n0"), ("a.n1", "b.n1")),
        coefficient("s", 0.1, ("a.n2", "b.n2"), ("a.n3", "b.n3")),
        coefficient("t", 0.1, ("a.n1", "c.n0"), ("a.n3", "c.n1")),
    )
    family = correlation_family(combine(*measurements("abc", n_nuisances=5), coefficients=chain))
    sizes = sorted(len(block.nuisances) for block in family.blocks)
    assert sizes == [1] * 5 + [10]
    assert max(family.blocks, key=lambda block: len(block.nuisances)).coefficients.tolist() == [0, 1, 2]


def test_fixed_block_enters_the_base_and_connects():
    combination = combine(*measurements("ab"))
    block = bc.CorrelationBlock(name="x", nuisances=("b.n1", "a.n0"), correlation=[[1, 0.4], [0.4, 1]])
    sets = {"set": dataclasses.replace(combination.assumption_set, blocks=(block,))}
    family = correlation_family(dataclasses.replace(combination, assumption_sets=sets))
    assert members(family) == [["a.n0", "b.n1"], ["a.n1"], ["b.n0"]]
    assert family.base[0, 3] == family.base[3, 0] == 0.4


def test_separate_coefficients_of_a_star_stay_in_one_block():
    family = correlation_family(star(3))
    assert [block.coefficients.tolist() for block in family.blocks] == [[0, 1, 2]]
    assert family.nominal.tolist() == [0.3, 0.3, 0.3]

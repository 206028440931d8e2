"""Coefficients, pairs, blocks and sets: ranges are consistent and names unique."""

import numpy as np
import pytest
from refusals import refused

from bayescomb import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnknownNameError,
)

PAIR = CorrelationPair(first="jes_a", second="jes_b")


def coefficient(**changes):
    return CorrelationCoefficient(**({"name": "jes", "pairs": (PAIR,), "nominal": 0.5, "low": 0.25, "high": 0.75} | changes))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"nominal": 1.01}, RangeError, ["nominal = 1.01 found", "[-1, 1]", "correct it"]),
        ({"low": -1.01}, RangeError, ["low = -1.01 found", "[-1, 1]"]),
        ({"high": 1.01}, RangeError, ["high = 1.01 found", "[-1, 1]"]),
        (
            {"nominal": 0.2, "prior": "beta"},
            RangeError,
            ["nominal value 0.2 lies outside the range 0.25 to 0.75 of its beta prior", "widen the range"],
        ),
        (
            {"nominal": 0.8, "prior": "triangular"},
            RangeError,
            ["nominal value 0.8 lies outside the range", "change the nominal value"],
        ),
        ({"low": 0.75}, RangeError, ["range 0.75 to 0.75 is empty", "low must lie below high"]),
        ({"low": 0.8, "high": 0.2}, RangeError, ["range 0.8 to 0.2 is empty"]),
        ({"low": None}, RangeError, ["low = None, high = 0.75", "both ends of the range or neither"]),
        ({"high": None}, RangeError, ["low = 0.25, high = None", "both ends of the range or neither"]),
        ({"nominal": np.nan}, InvalidNumberError, ["nominal of coefficient 'jes'", "nan found"]),
        ({"low": -np.inf}, InvalidNumberError, ["low of coefficient 'jes'", "inf found"]),
        ({"nominal": "0.5"}, InvalidNumberError, ["nominal of coefficient 'jes'", "give finite numbers"]),
        ({"prior": "flat"}, OptionError, ["prior of coefficient 'jes'", "'flat' found", "uniform, triangular, beta"]),
    ],
)
def test_wrong_coefficient(changes, error, said):
    with refused(error, "coefficient 'jes'", *said):
        coefficient(**changes)


def test_a_uniform_prior_does_not_need_the_nominal_value():
    assert coefficient(nominal=0.1).range == (0.25, 0.75)


def test_ends_of_the_allowed_interval_are_allowed():
    assert coefficient(nominal=1.0, low=-1.0, high=1.0).range == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "varied", "sampled"),
    [({}, True, True), ({"prior": "fixed"}, True, False), ({"low": None, "high": None}, False, False)],
)
def test_coefficient_is_varied_if_it_has_a_range_and_sampled_if_it_has_a_width(changes, varied, sampled):
    changed = coefficient(**changes)
    assert (changed.varied, changed.sampled) == (varied, sampled)


def test_coefficient_without_a_range_stays_at_its_nominal_value():
    assert coefficient(low=None, high=None).range == (0.5, 0.5)


def test_pair_of_a_nuisance_with_itself():
    with refused(InvalidNumberError, "pair 'jes_a'", "with itself", "two different nuisances"):
        CorrelationPair(first="jes_a", second="jes_a")


@pytest.mark.parametrize("sign", [0, 2, -0.5])
def test_sign_of_a_pair(sign):
    with refused(InvalidNumberError, "'jes_a', 'jes_b'", f"sign {sign} found", "+1 or -1"):
        CorrelationPair(first="jes_a", second="jes_b", sign=sign)


@pytest.mark.parametrize(
    ("matrix", "error", "said"),
    [
        ([[1, 0.2], [0.3, 1]], InvalidMatrixError, ["not symmetric", "('a', 'b') is 0.2", "('b', 'a') is 0.3"]),
        ([[1, 1.2], [1.2, 1]], InvalidMatrixError, ["entry ('a', 'b') is 1.2", "[-1, 1]"]),
        ([[2, 0], [0, 1]], InvalidMatrixError, ["diagonal entry ('a', 'a') is 2"]),
        ([[1]], InvalidMatrixError, ["shape (1, 1) found, (2, 2) needed"]),
        ([[1, np.nan], [np.nan, 1]], InvalidNumberError, ["nan found"]),
    ],
)
def test_wrong_block(matrix, error, said):
    with refused(error, "correlation block 'x'", *said):
        CorrelationBlock(name="x", nuisances=("a", "b"), correlation=matrix)


def test_block_may_be_indefinite_because_the_treatment_decides():
    matrix = np.array([[1, 0.9, 0.9], [0.9, 1, 0], [0.9, 0, 1]])
    assert CorrelationBlock(name="x", nuisances=("a", "b", "c"), correlation=matrix).correlation.tolist() == matrix.tolist()


def test_names_of_a_block_are_unique():
    with refused(DuplicateNameError, "correlation block 'x'", "'a' stands twice"):
        CorrelationBlock(name="x", nuisances=("a", "a"), correlation=np.eye(2))


def test_names_of_a_set_are_unique():
    block = CorrelationBlock(name="x", nuisances=("a", "b"), correlation=np.eye(2))
    with refused(DuplicateNameError, "coefficients of assumption set 's'", "'jes' stands twice"):
        AssumptionSet(name="s", coefficients=(coefficient(), coefficient()))
    with refused(DuplicateNameError, "blocks of assumption set 's'", "'x' stands twice"):
        AssumptionSet(name="s", blocks=(block, block))
    with refused(UnknownNameError, "coefficients of assumption set 's'", "'' is no name"):
        AssumptionSet(name="s", coefficients=(coefficient(name=""),))


def test_restriction_drops_pairs_and_block_rows_of_other_nuisances():
    other = CorrelationPair(first="jes_a", second="jes_c", sign=-1)
    block = CorrelationBlock(name="x", nuisances=("a", "b", "c"), correlation=[[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]])
    whole = AssumptionSet(
        name="s",
        coefficients=(coefficient(pairs=(PAIR, other)), coefficient(name="gone", pairs=(other,))),
        blocks=(block,),
        description="text",
    )
    part = whole.restricted_to({"jes_a", "jes_b", "a", "c"})
    assert [(c.name, c.pairs) for c in part.coefficients] == [("jes", (PAIR,))]
    assert part.blocks[0].nuisances == ("a", "c")
    assert part.blocks[0].correlation.tolist() == [[1, 0.2], [0.2, 1]]
    assert (part.name, part.description) == ("s", "text")

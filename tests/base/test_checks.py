"""Checks of arrays, matrices and names: what passes comes back, what does not is refused with place and remedy."""

import numpy as np
import pytest
from refusals import refused

from bayescomb.base.checks import (
    check_choice,
    check_correlation,
    check_covariance,
    check_finite,
    check_names,
    known_name,
    located,
)
from bayescomb.base.errors import (
    BayescombError,
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)

NAMES = ["jes", "jer"]


def test_checked_array_is_a_read_only_copy():
    values = np.array([1.0, 2.0])
    checked = check_finite(values, where="values")
    values[0] = 7
    assert checked.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        checked[0] = 7


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_entry_that_is_not_finite_is_found_by_its_position(bad):
    with refused(InvalidNumberError, "responses of 'm'", "(1, 0)", "a finite number is needed"):
        check_finite([[1.0, 2.0], [bad, 3.0]], where="responses of 'm'")


@pytest.mark.parametrize("bad", [["a"], ["1.5"], [1.0, "2"], [[1.0], [1.0, 2.0]], [{}], [10**400], [1j]])
def test_what_is_no_array_of_numbers_is_refused(bad):
    with refused(InvalidNumberError, "pulls", "give finite numbers"):
        check_finite(bad, where="pulls")


@pytest.mark.parametrize("matrix", [np.eye(2), [[1, 1], [1, 1]], [[1, -1], [-1, 1]]])
def test_correlation_matrix_passes_even_if_it_is_singular(matrix):
    assert check_correlation(matrix, names=NAMES, where="block").tolist() == np.asarray(matrix, dtype=float).tolist()


def test_correlation_matrix_may_be_indefinite():
    bad = np.array([[1, 0.9, 0.9], [0.9, 1, 0], [0.9, 0, 1]])
    assert np.linalg.eigvalsh(check_correlation(bad, names=["a", "b", "c"], where="block"))[0] < 0


def test_rounding_asymmetry_is_averaged():
    checked = check_correlation([[1, 0.5 + 1e-12], [0.5, 1]], names=NAMES, where="block")
    assert checked[0, 1] == checked[1, 0]


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([[1, 0.5], [0.4, 1]], ["not symmetric", "('jes', 'jer') is 0.5", "('jer', 'jes') is 0.4", "symmetrise on purpose"]),
        ([[1, 0.5], [0.5, 0.9]], ["diagonal entry ('jer', 'jer') is 0.9", "has 1", "correct it"]),
        ([[1, -1.5], [-1.5, 1]], ["entry ('jes', 'jer') is -1.5", "[-1, 1]", "correct it"]),
        ([[1.0]], ["shape (1, 1) found, (2, 2) needed"]),
        ([1.0, 0.5], ["shape (2,) found, (2, 2) needed"]),
    ],
)
def test_wrong_correlation_matrix(matrix, said):
    with refused(InvalidMatrixError, "block 'x'", *said):
        check_correlation(matrix, names=NAMES, where="block 'x'")


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], ["not positive definite", "smallest eigenvalue -1", "check the uncertainties"]),
        ([[1.0, 0.0], [0.0, 0.0]], ["not positive definite", "each must be above 0"]),
        ([[-1.0]], ["not positive definite", "smallest eigenvalue -1"]),
        ([[1.0, 0.1], [0.2, 1.0]], ["not symmetric", "entry (0, 1) is 0.1", "(1, 0) is 0.2"]),
        ([[1.0, 0.1]], ["shape (1, 2)", "a square matrix is needed"]),
    ],
)
def test_wrong_covariance(matrix, said):
    with refused(InvalidMatrixError, "covariance of 'm'", *said):
        check_covariance(matrix, where="covariance of 'm'", definite=True)


def test_definiteness_does_not_depend_on_units():
    covariance = np.array([[1e-40, 0.5e-20], [0.5e-20, 1.0]])
    assert check_covariance(covariance, where="covariance", definite=True).tolist() == covariance.tolist()


@pytest.mark.parametrize("bad", ["", " a", "a\n", "a\x00", 3])
def test_name_that_is_no_printable_text(bad):
    with refused(UnknownNameError, "estimates", repr(bad), "use printable text"):
        check_names(["ok", bad], where="estimates")


def test_names_are_unique_and_there_is_one():
    check_names([], where="blocks", allow_empty=True)
    with refused(DuplicateNameError, "estimates", "'a' stands twice", "unique"):
        check_names(["a", "b", "a"], where="estimates")
    with refused(UnknownNameError, "estimates", "none given", "at least one"):
        check_names([], where="estimates")


def test_unknown_name_comes_with_the_nearest_ones():
    assert known_name("LHCJES1", ["LHCJES1"], kind="source", where="row 3") == "LHCJES1"
    with refused(UnknownNameError, "row 3", "source 'LHCJSE1'", "did you mean 'LHCJES1'?"):
        known_name("LHCJSE1", ["LHCJES1", "LHCJES1", "other"], kind="source", where="row 3")


def test_unknown_name_that_resembles_nothing_comes_with_the_first_known_ones():
    with refused(UnknownNameError, "unknown source 'zzz'", "known: 'a0', 'a1'", "'a7' and 12 more"):
        known_name("zzz", [f"a{i}" for i in range(20)], kind="source", where="row 3")


def test_choice():
    assert check_choice("clip", ["none", "clip"], where="repair") == "clip"
    with refused(OptionError, "repair", "'near' found", "allowed: none, clip"):
        check_choice("near", ["none", "clip"], where="repair")


def test_located_keeps_the_class_and_puts_the_place_first():
    with pytest.raises(OptionError, match=r"^model\.toml: prior: 'flat' found") as caught, located("model.toml"):
        check_choice("flat", ["uniform"], where="prior")
    assert isinstance(caught.value.__cause__, BayescombError)


def test_located_leaves_other_errors_alone():
    with pytest.raises(KeyError, match="x"), located("model.toml"):
        {}["x"]

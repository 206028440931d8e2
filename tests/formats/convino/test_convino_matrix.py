"""``[hessian]`` and ``[correlation matrix]`` of Convino measurement files."""

import numpy as np
import pytest
from convino_files import CORRELATED, RIGHT, Files

from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidMatrixError,
    InvalidNumberError,
    UnknownNameError,
)

ROWS = {"r_scale": "4.0", "r_mass": "0.4 0.25", "r_tagging": "0.1 0.02 1.5", "r_width": "-0.3 0.05 0.0 0.5"}
SQUARE = """\
  r_scale    4.0 0.4 0.1 -0.3
  r_mass     0.4 0.25 0.02 0.05
  r_tagging  0.1 0.02 1.5 0
  r_width    -0.3 0.05 0.0 0.5
"""


def fit_of(files, *said):
    return files.load_warned(*said).measurements[1].fit


def correlated(tmp_path, old="", new=""):
    """The configuration with a correlation matrix instead of the hessian."""
    files = Files(tmp_path, right=CORRELATED)
    for line in ("  l_model = (-0.3) r_model\n", "#!FILE = more.txt", " + (0.2 & 0.4 : -0.4) r_tagging"):
        files.edit("base.txt", line, "")
    return files.edit("right.txt", old, new) if old else files


def with_matrix(tmp_path, rows):
    block = RIGHT[RIGHT.index("  r_scale") : RIGHT.index("[end hessian]")]
    return Files(tmp_path).edit("right.txt", block, rows)


def test_estimates_come_first_in_the_order_of_their_list_and_nuisances_in_that_of_the_rows(tmp_path):
    fit = fit_of(Files(tmp_path))
    np.testing.assert_array_equal(
        fit.information, [[0.5, 0.05, -0.3, 0.0], [0.05, 0.25, 0.4, 0.02], [-0.3, 0.4, 4.0, 0.1], [0.0, 0.02, 0.1, 1.5]]
    )


def test_full_square_is_read_like_its_lower_triangle(tmp_path):
    np.testing.assert_array_equal(
        fit_of(with_matrix(tmp_path, SQUARE)).information, fit_of(Files(tmp_path / "triangle")).information
    )


def test_rounded_square_takes_the_lower_triangle_with_a_warning(tmp_path):
    files = with_matrix(tmp_path, SQUARE.replace("4.0 0.4", "4.0 0.4000001"))
    fit = fit_of(files, ["right.txt:2", "(r_scale, r_mass)", "0.4000001", "lower triangle is taken"])
    assert fit.information[1, 2] == 0.4


def test_square_that_is_not_symmetric_is_refused(tmp_path):
    files = with_matrix(tmp_path, SQUARE.replace("4.0 0.4", "4.0 0.5"))
    files.refused(InvalidMatrixError, "right.txt:2", "(r_scale, r_mass) is 0.5", "(r_mass, r_scale) is 0.4", "correct")


def test_correlation_matrix_is_scaled_and_inverted(tmp_path):
    fit = fit_of(correlated(tmp_path))
    sizes = np.array([2, 1.5, 0.5])
    correlation = np.array([[1, -0.2, 0.25], [-0.2, 1, 0.1], [0.25, 0.1, 1]])
    np.testing.assert_allclose(np.linalg.inv(fit.information), correlation * np.outer(sizes, sizes), rtol=1e-13)


def test_blanks_in_and_around_brackets_do_not_matter(tmp_path):
    np.testing.assert_array_equal(
        fit_of(correlated(tmp_path, "r_scale (0.5) 1", "r_scale( +0.5 )\t1")).information,
        fit_of(correlated(tmp_path / "plain")).information,
    )


def test_rounded_diagonal_is_used_as_written_with_a_warning(tmp_path):
    fit = fit_of(correlated(tmp_path, "(0.5) 1", "(0.5) 0.995"), ["right.txt:2", "0.995", "as written"])
    np.testing.assert_allclose(np.linalg.inv(fit.information)[2, 2], 0.995 * 0.25)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("(0.5) 1", "(0.5) 0.9", InvalidMatrixError, ["right.txt:2", "'r_scale'", "0.9", "must be 1"]),
        ("(0.5) 1", "(0) 1", InvalidNumberError, ["right.txt:2", "'r_scale'", "above 0"]),
        ("(0.5) 1", "(-0.5) 1", InvalidNumberError, ["right.txt:2", "above 0"]),
        ("(0.5) 1", "(nan) 1", InvalidNumberError, ["right.txt:2", "nan"]),
        ("(0.5) 1", "(0,5) 1", InvalidNumberError, ["right.txt:2", "0,5"]),
        ("(0.5) 1", "0.5 1", FileFormatError, ["right.txt:2", "in brackets"]),
        ("r_scale (0.5) 1", "r_scale", FileFormatError, ["right.txt:2", "in brackets"]),
        ("0.1 -0.2 1", "0.1 -1.2 1", InvalidMatrixError, ["right.txt:4", "'r_width'", "'r_mass'", "-1.2", "[-1, 1]"]),
        ("0.1 -0.2 1", "0.1 -1 1", InvalidMatrixError, ["right.txt:1", "[correlation matrix]", "not positive definite"]),
        ("0.1 -0.2 1", "-0.9 0.9 1", InvalidMatrixError, ["right.txt:1", "not positive definite"]),
        ("0.1 -0.2 1", "0.1 -0.2", FileFormatError, ["right.txt:4", "2 entries", "has 3"]),
        ("0.1 -0.2 1", "0.1 -0.2 1 1", FileFormatError, ["right.txt:4", "4 entries", "has 3"]),
        ("0.1 -0.2 1", "0.1 -0.2 one", InvalidNumberError, ["right.txt:4", "'one'"]),
    ],
)  # fmt: skip
def test_wrong_correlation_matrix_is_refused(tmp_path, old, new, error, said):
    correlated(tmp_path, old, new).refused(error, *said)


def test_even_number_of_negative_eigenvalues_is_found(tmp_path):
    """Two rows of opposite strong correlations each: the determinant is positive, the matrix is not."""
    rows = "r_scale (1) 1\nr_mass (1) 0.9 1\nr_tagging (1) -0.9 0.9 1\n"
    twin = rows.replace("r_scale", "r_b").replace("r_mass", "r_width").replace("r_tagging", "r_c")
    twin = "\n".join(
        f"{name} {size} {'0 ' * 3}{' '.join(rest)}" for name, size, *rest in (line.split() for line in twin.splitlines())
    )
    matrix = np.zeros((6, 6))
    for i, line in enumerate((rows + twin).splitlines()):
        matrix[i, : i + 1] = [float(x) for x in line.split()[2:]]
    assert np.linalg.det(matrix + np.tril(matrix, -1).T) > 0
    text = RIGHT.replace(RIGHT[RIGHT.index("[hessian]") : RIGHT.index("[not fitted]")], "")
    files = Files(tmp_path, right=f"[correlation matrix]\n{rows}{twin}\n[end correlation matrix]\n{text}")
    files.refused(InvalidMatrixError, "right.txt:1", "[correlation matrix]", "not positive definite")


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        (ROWS | {"r_scale": "-4.0"}, InvalidMatrixError, ["right.txt:2", "'r_scale'", "-4", "above 0"]),
        (ROWS | {"r_scale": "0"}, InvalidMatrixError, ["right.txt:2", "above 0"]),
        (ROWS | {"r_mass": "2 0.25"}, InvalidMatrixError, ["right.txt:1", "[hessian]", "not positive definite"]),
        (ROWS | {"r_mass": "0.4"}, FileFormatError, ["right.txt:3", "1 entries", "row 2 of the lower triangle has 2"]),
        (ROWS | {"r_mass": "0.4 abc"}, InvalidNumberError, ["right.txt:3", "'abc'"]),
        (ROWS | {"r_mass": "0.4 (1)"}, InvalidNumberError, ["right.txt:3", "'(1)'"]),
        (ROWS | {"r_mass": "0.4 1e90"}, InvalidNumberError, ["right.txt:3", "other units"]),
        (ROWS | {"r_width": "-0.3 0.05 0.0 0.5\nr_mass 1 1 1 1 1"}, DuplicateNameError, ["right.txt:6", "right.txt:3"]),
        (ROWS | {"r_width": "-0.3 0.05 0.0 0.5\n5 1 1 1 1"}, UnknownNameError, ["right.txt:6", "'5'"]),
        ({"r_scale": "4 0.4 0.1 0"} | dict(list(ROWS.items())[1:]), FileFormatError, ["right.txt:3", "square of 4 rows"]),
        (dict(list(ROWS.items())[:-1]), UnknownNameError, ["right.txt:18", "'r_width'", "no row in [hessian]"]),
    ],
)  # fmt: skip
def test_wrong_hessian_is_refused(tmp_path, rows, error, said):
    with_matrix(tmp_path, "".join(f"  {name} {text}\n" for name, text in rows.items())).refused(error, *said)


def test_two_matrices_are_one_too_many(tmp_path):
    files = Files(tmp_path, right=RIGHT + "[correlation matrix]\nr_mass (1) 1\n[end correlation matrix]\n")
    files.refused(FileFormatError, "right.txt:28", "right.txt:1", "Convino ignores the second", "remove")
    Files(tmp_path, right=RIGHT + "[correlation matrix]\n # none\n[end correlation matrix]\n").load()


def test_every_estimate_of_a_matrix_needs_a_row_in_the_table(tmp_path):
    files = Files(tmp_path).edit("right.txt", "  r_width  -0.2\n", "")
    files.refused(UnknownNameError, files.at("right.txt", "name_0"), "'r_width'", "no row in [not fitted]")

"""Tables of HEPData that contradict each other: what the checks say, in numbers, and what is let through."""

import csv
from pathlib import Path

import hepdata_tables as made
import numpy as np
import pytest
from hepdata_model import COVARIANCE, ENTRY, ERRORS, MAPPING, STAT, TOTAL, load, model, tables
from refusals import refused

from bayescomb.base.errors import FileFormatError, InputWarning, InvalidMatrixError, InvalidNumberError, UnknownNameError
from bayescomb.cli.main import main
from bayescomb.formats.hepdata.consistency import (
    correlation_findings,
    covariance_findings,
    diagonal_findings,
    normalised_findings,
    total_findings,
)

REFERENCE = Path(__file__).parents[3] / ".." / "shared" / "reference" / "ttj_rho"
NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")


def test_tables_that_agree_are_read_without_a_word(tmp_path):
    load(tmp_path)  # warnings are errors here


def test_a_diagonal_that_is_not_the_quoted_errors_is_refused_with_numbers(tmp_path):
    with refused(
        InvalidMatrixError,
        "'Statistical'",
        "errors 'stat' in 3 of 3 rows",
        "'0 - 50' 2 against 1 quoted (ratio 2)",
        "one common factor",
    ):
        load(tmp_path, tables(Statistical=made.matrix(4 * COVARIANCE)))
    with refused(InvalidMatrixError, "'stat' in 1 of 3 rows: '50 - 100' 3 against 2 quoted (ratio 1.5)"):
        load(tmp_path, tables(Statistical=made.matrix(np.diag([1.0, 9.0, 0.25]))))


def test_a_diagonal_that_differs_a_little_is_a_warning_and_by_rounding_is_none(tmp_path):
    changed = np.diag([1.0, 4.0, 0.25]) * np.array([1.0, 1.1, 1.0])  # an error of 2.098, quoted as 2.000
    content = tables(ERRORS | {"stat": ["1.000", "2.000", "0.500"]}, Statistical=made.matrix(changed), Total=None)
    mapping = MAPPING.replace('total_covariance = "Total"', "")
    with pytest.warns(InputWarning, match=r"'50 - 100' 2.098 against 2 quoted \(ratio 1.05\)"):
        load(tmp_path, content, mapping)
    rounded = tables(ERRORS | {"stat": [1, 2, "0.5"]}, Statistical=made.matrix(changed), Total=None)
    load(tmp_path, rounded, mapping)  # 2 is anything from 1.5 to 2.5


def test_a_check_shows_the_warnings_of_a_submission(tmp_path, capsys):
    changed = tables(Total=made.matrix(TOTAL * 1.1))
    assert main(["check", str(model(tmp_path, changed))]) == 0
    said = capsys.readouterr().err
    assert "warning: " in said
    assert "the total does not match the statistical part and 2 sources in 3 of 3 rows" in said


def test_a_total_that_is_not_the_sum_of_its_parts_is_refused_with_numbers(tmp_path):
    with refused(InvalidMatrixError, "'Total'", "2 sources in 3 of 3 rows", "(ratio 1.41)"):
        load(tmp_path, tables(Total=made.matrix(2 * TOTAL)))


def test_quoted_total_errors_are_compared_too(tmp_path):
    quoted = {**ERRORS, "total": (1.2 * np.sqrt(np.diag(TOTAL))).tolist()}
    mapping = 'values = "Table 1"\nstatistical = "stat"\nlabels = "sys,*"\ntotal = "total"\n'
    with refused(InvalidMatrixError, "errors 'total'", "3 of 3 rows"):
        load(tmp_path, tables(quoted), mapping)
    with refused(InvalidMatrixError, "'Total'", "errors 'total'", "ratio 0.833"):
        load(tmp_path, tables(quoted), mapping + 'total_covariance = "Total"')


def test_correlations_of_the_total_that_the_sources_do_not_make_are_a_warning(tmp_path):
    diagonal = np.diag(np.diag(TOTAL))
    with pytest.warns(InputWarning, match=r"'0 - 50' and '50 - 100' have 0.000 in the total and -0.26"):
        load(tmp_path, tables(Total=made.matrix(diagonal)))


def test_sources_that_exceed_the_total_are_refused(tmp_path):
    content = tables({"sys,JES": [2.0, 0.1, 0.1]})
    with refused(InvalidMatrixError, "without the 1 sources", "1 variances not above 0, that of '0 - 50' is -2.7"):
        load(tmp_path, content, 'values = "Table 1"\nlabels = "sys,*"\ntotal_covariance = "Total"')


NORMALISED = np.array([0.25, 0.5, 0.25]) / np.array([50, 50, 100])


def normalised_covariance(covariance, yields, widths):
    """Of yields divided by their sum and the widths."""
    total = yields.sum()
    jacobian = (np.eye(3) - np.outer(yields, np.ones(3)) / total) / total / widths[:, None]
    return jacobian @ covariance @ jacobian.T


PROPER = normalised_covariance(np.diag([4.0, 9.0, 4.0]), np.array([100.0, 200.0, 100.0]), np.array([50, 50, 100]))


def normalised_tables(covariance):
    values = made.column(NORMALISED.tolist(), name="1/SIG D(SIG)/D(PT)", units="GEV**-1")
    return {
        "Table 1": made.table([made.axis(made.EDGES)], [values]),
        "Covariance": made.matrix(covariance, matrix_units="GEV**-2"),
    }


OBSERVABLES = 'observables = [{ name = "bin1" }, { name = "bin2" }, { name = "bin3" }]'
COVARIANCE_ONLY = 'values = "Table 1"\nstatistical_covariance = "Covariance"\n'


def test_a_normalised_distribution_with_a_covariance_of_full_rank_is_a_warning_with_numbers(tmp_path):
    content = normalised_tables(np.diag(np.diag(PROPER)))
    said = (
        r"the distribution is normalised \(sum of value times width 1\), but the covariance has rank 3 of 3: .* an error of "
        r"1 times that of independent rows, where 0 is needed, and row \d sums to"
    )
    with pytest.warns(InputWarning, match=said):
        load(tmp_path, content, COVARIANCE_ONLY, NO_SOURCES, OBSERVABLES)
    with refused(InvalidMatrixError, "stated to be normalised", "rank 3 of 3"):
        load(tmp_path, content, COVARIANCE_ONLY + "normalised = true", NO_SOURCES, OBSERVABLES)


def test_a_proper_normalised_covariance_needs_a_row_left_out(tmp_path):
    content = normalised_tables(PROPER)
    with refused(InvalidMatrixError, "singular", "leave_out"):
        load(tmp_path, content, COVARIANCE_ONLY, NO_SOURCES, OBSERVABLES)
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["bin1", "bin2"]')
    observables = 'observables = [{ name = "bin1" }, { name = "bin2" }]'
    mapping = COVARIANCE_ONLY + 'leave_out = ["100 - 200"]'
    np.testing.assert_array_equal(
        load(tmp_path, content, mapping, entry, observables).statistical_covariance, PROPER[:2, :2]
    )


def test_rounding_does_not_make_a_normalised_covariance_usable():
    generator = np.random.default_rng(7)
    yields, widths = np.array([100.0, 200.0, 100.0]), np.array([50.0, 50.0, 100.0])
    definite = 0
    for _ in range(50):
        root = generator.normal(size=(3, 3))
        matrix = normalised_covariance(root @ root.T + np.eye(3), yields, widths)
        scale = 10 ** (3 - np.ceil(np.log10(np.diag(matrix).max())))
        rounded = np.round(matrix * scale) / scale
        definite += np.linalg.eigvalsh(rounded).min() > 0
        slack = float(np.sqrt(9 * 0.5 / scale / np.trace(rounded)))
        found = list(normalised_findings(rounded, yields / yields.sum() / widths, widths, stated=False, slack=slack))
        assert [f.wrong for f in found] == [True]
        assert "singular up to rounding" in found[0].message
    assert definite > 10  # so that nothing else would have noticed


def test_a_singular_matrix_and_one_singular_within_its_rounding():
    singular = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert [(f.wrong, "singular" in f.message) for f in covariance_findings(singular, names=["a", "b"])] == [(True, True)]
    nearly = np.array([[1.0, 0.99], [0.99, 1.0]])
    found = list(correlation_findings(nearly, names=["a", "b"], rounding=0.02))
    assert [f.wrong for f in found] == [False]
    assert "smallest eigenvalue of its correlations, 0.01, is smaller than the rounding" in found[0].message
    assert list(correlation_findings(nearly, names=["a", "b"], rounding=0.005)) == []


def with_total(matrix, **named):
    return tables(Total=made.matrix(matrix, **named))


INDEFINITE = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
SIZES = np.sqrt(np.diag(TOTAL))


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (INDEFINITE * np.outer(SIZES, SIZES), ["indefinite: 1 of 3 eigenvalues", "smallest is -0.8"]),
        (
            TOTAL + np.array([[0, 9, 0], [9, 0, 0], [0, 0, 0]]),
            ["'0 - 50' and '50 - 100' is 3.692 (covariance 8.395, errors 1.122 and 2.025)", "beyond 1"],
        ),
        (
            TOTAL + np.array([[0, 0.5, 0], [0, 0, 0], [0, 0, 0]]),
            ["not symmetric", "'0 - 50' and '50 - 100'", "mirror entry"],
        ),
        (-TOTAL, ["3 variances not above 0"]),
    ],
)
def test_matrices_that_are_no_covariances_are_refused(tmp_path, matrix, said):
    with refused(InvalidMatrixError, "'Total'", *said):
        load(tmp_path, with_total(matrix))


def test_correlations_that_are_none_are_refused(tmp_path):
    mapping = 'values = "Table 1"\nstatistical = "stat"\nlabels = "sys,*"\nstatistical_correlation = "Rho"'
    for matrix, said in (
        (COVARIANCE, ["the diagonal entry of '50 - 100' is 4", "holds a covariance and is named as a correlation"]),
        ([[1, 1.5, 0], [1.5, 1, 0], [0, 0, 1]], ["'0 - 50' and '50 - 100' is 1.5", "beyond 1"]),
        (INDEFINITE, ["indefinite"]),
    ):
        with refused(InvalidMatrixError, "'Rho'", *said):
            load(tmp_path, tables(Rho=made.matrix(matrix, matrix_units="")), mapping)


def test_bins_that_do_not_match_are_named(tmp_path):
    shifted = [(0.0, 50.0), (50.0, 100.0), (100.0, 300.0)]
    with refused(
        UnknownNameError, "rows do not match", "1 only in", "('100 - 300')", "'Total'", "('100 - 200')", "'Table 1'"
    ):
        load(tmp_path, tables(Total=made.matrix(TOTAL, shifted)))
    with refused(UnknownNameError, "1 only in", "'100 - 200'"):
        load(tmp_path, tables(Total=made.matrix(TOTAL[:2, :2], made.EDGES[:2])))


def test_entries_that_are_absent_or_stand_twice_are_refused(tmp_path):
    table = made.matrix(TOTAL)
    for variable in (*table["independent_variables"], *table["dependent_variables"]):
        del variable["values"][1:4:2]  # an entry and its mirror
    with refused(FileFormatError, "2 of 9 entries absent", "'0 - 50' and '50 - 100'"):
        load(tmp_path, tables(Total=table))
    table = made.matrix(TOTAL)
    table["independent_variables"][1]["values"][1] = {"low": 0.0, "high": 50.0}
    with refused(InvalidMatrixError, "another entry for the same pair"):
        load(tmp_path, tables(Total=table))


def test_units_that_do_not_fit_are_refused_or_warned_of(tmp_path):
    with refused(InvalidNumberError, "'GEV**2'", "that of the values 'PB'", "square is needed"):
        load(tmp_path, with_total(TOTAL, matrix_units="GEV**2"))
    with pytest.warns(InputWarning, match="the unit of the covariance is 'pb', .* square of that unit is assumed"):
        load(tmp_path, with_total(TOTAL, matrix_units="pb"))
    with pytest.warns(InputWarning, match="its rows are in 'MEV'"):
        load(tmp_path, with_total(TOTAL, units="MEV"))
    for unit in ("", "(pb)^2", "pb$^{2}$", "PB*PB"):
        load(tmp_path, with_total(TOTAL, matrix_units=unit))
    observables = 'observables = [{ name = "bin1", unit = "GeV" }, { name = "bin2" }, { name = "bin3" }]'
    with refused(InvalidNumberError, "'SIG' in 'PB'", "observable 'bin1' is in 'GeV'"):
        load(tmp_path, observables=observables)
    breakdown = made.table([made.axis(made.EDGES)], [made.column([1, 2, 3], units="GEV")])
    with refused(InvalidNumberError, "the unit is 'GEV', that of the values 'PB'"):
        load(tmp_path, tables({"stat": STAT.tolist()}, B=breakdown), MAPPING.replace('labels = "sys,*"', 'breakdown = "B"'))


def test_a_statistical_error_of_zero_is_refused(tmp_path):
    with refused(InvalidNumberError, "statistical: 0 found"):
        load(tmp_path, tables({"stat": [1.0, 0, 1.0]}), 'values = "Table 1"\nstatistical = "stat"', NO_SOURCES)


def test_ways_to_symmetrise_are_all_allowed():
    up, down = np.array([[3.0], [1.0]]), np.array([[-1.0], [-1.0]])
    for size in (1.0, 2.0, 3.0):
        total = np.diag([4.0 + size**2, 5.0])
        assert [f for f in total_findings(total, np.eye(2) * 4, up, down, names=["a", "b"]) if f.wrong] == []
    found = list(total_findings(np.diag([25.0, 5.0]), np.eye(2) * 4, up, down, names=["a", "b"]))
    assert [f.wrong for f in found] == [True]


def reference(name):
    """Rows of a transcribed table."""
    path = REFERENCE / name
    if not path.exists():
        pytest.skip("the reference tables are not here")
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return list(csv.reader(lines))


def test_the_transcribed_auxiliary_matrix_of_ttj_rho_is_caught(tmp_path):
    matrix = np.array(reference("atlas_8tev_auxiliary_matrix.csv"), dtype=float)
    rows = np.array(reference("atlas_8tev_values.csv")[1:], dtype=float)
    edges = [(float(low), float(high)) for low, high in rows[:, :2]]
    yields, stat = rows[:, 2], rows[:, 3]
    names = [f"{low:g} - {high:g}" for low, high in edges]
    found = list(diagonal_findings(matrix, stat, names=names, label="stat"))
    # The largest ratio of the two tables is 0.508, the smallest 0.333: not one factor, so no other unit explains it.
    assert [f.wrong for f in found] == [True]
    assert "8 of 8 rows: '0 - 0.25' 18.2 against 54.61 quoted (ratio 0.333)" in found[0].message
    assert "the ratios lie from 0.333 to 0.508" in found[0].message
    assert "one common factor" not in found[0].message
    # Nor is it of the normalised distribution, whatever its unit.
    (finding,) = normalised_findings(matrix, yields / yields.sum(), np.diff(edges)[:, 0], stated=True)
    assert "stated to be normalised (sum 1)" in finding.message
    assert "rank 8 of 8" in finding.message
    assert "an error of 0.765 times that of independent rows" in finding.message
    independent = np.trace(matrix)
    assert np.sqrt(matrix.sum() / independent) == pytest.approx(0.765, abs=5e-4)
    # As a submission: refused with the first, and with the second if the errors are not named.
    values = made.column(yields.tolist(), {"stat": stat.tolist()}, name="YIELD", units="EVENTS")
    content = {
        "Table 1": made.table([made.axis(edges, "RHO", "")], [values]),
        "Auxiliary": made.matrix(matrix, edges, "RHO", "", "COV", ""),
    }
    listed = ", ".join(f'{{ name = "y{i}" }}' for i in range(8))
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', str([f"y{i}" for i in range(8)]))
    mapping = 'values = "Table 1"\nstatistical_covariance = "Auxiliary"\n'
    with refused(InvalidMatrixError, "does not match the errors 'stat' in 8 of 8 rows"):
        load(tmp_path, content, mapping + 'statistical = "stat"', entry, f"observables = [{listed}]")
    with refused(InvalidMatrixError, "stated to be normalised", "rank 8 of 8"):
        load(tmp_path, content, mapping + 'ignore = "stat"\nnormalised = true', entry, f"observables = [{listed}]")


def test_the_submissions_of_these_tests_are_valid(tmp_path):
    for i, content in enumerate((tables(), normalised_tables(PROPER), with_total(TOTAL, matrix_units="pb"))):
        assert made.refusals(directory=made.write(tmp_path / str(i), content)) == []

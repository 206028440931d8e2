"""Shifts that real records state as errors of empty values, under labels of percent, in columns of one header."""

import hepdata_tables as made
import numpy as np
import pytest
from hepdata_model import ENTRY, load
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, UnknownNameError

NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")
VALUES = [10.0, 20.0, 4.0]
STAT = [1.0, 2.0, 0.5]
# Per source, in percent of the values, for each bin; headings between them are blank lines.
SOURCES = [("", [None] * 3), ("Data statistics", [10.0, 10.0, 12.5]), ("MC statistics", [1.0, 2.0, 3.0]), ("", [None] * 3),
           ("JES", [(5.0, -4.0), (-2.0, 1.0), (3.0, -3.0)]), ("Total", [12.0, 11.0, 14.0])]  # fmt: skip


def as_errors(heads, label="syst.", units=""):
    """Rows are sources, columns bins; a shift is the error of an empty value, as the site shows tables of papers."""
    columns = [
        made.column([""] * len(SOURCES), {label: [sizes[k] for _, sizes in SOURCES]}, name=head, units=units)
        for k, head in enumerate(heads)
    ]
    return made.table([made.axis([name for name, _ in SOURCES], "Source", "")], columns)


HEADS = [r"$\mathrm{Bin~1} \\ [\%]$", r"$\mathrm{Bin~2} \\ [\%]$", r"$\mathrm{Bin~3} \\ [\%]$"]


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (as_errors(HEADS), ', match = "order"'),
        (as_errors(["[0,50]", "[50,100]", "[100,200]"], "syst. [%]"), ""),
        (as_errors(["0-50", "50-100", "100-200"], units=r"$\%$"), ""),
    ],
)
def test_shifts_that_are_errors_of_empty_values(tmp_path, table, match):
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]), "B": table}
    ignore = 'ignore = ["Data*", "Total*"]'
    mapping = f'values = "T"\nstatistical = "stat"\nbreakdown = {{ table = "B", {ignore}{match} }}\nuncorrelated = "MC*"\n'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    assert [n.name for n in measurement.nuisances] == [f"MC statistics, {row}" for row in
                                                      ("0 - 50", "50 - 100", "100 - 200")] + ["JES"]  # fmt: skip
    np.testing.assert_allclose(measurement.responses[:, 3], [0.5, -0.4, 0.12], rtol=1e-15)
    np.testing.assert_allclose(measurement.down_responses[:, 3], [-0.4, 0.2, -0.12], rtol=1e-15)
    np.testing.assert_allclose(np.diag(measurement.responses), [0.1, 0.4, 0.12], rtol=1e-15)
    with refused(UnknownNameError, "ignore: 'total*' matches no source"):
        load(tmp_path, content, mapping.replace("Total*", "total*"), NO_SOURCES)


def test_errors_of_a_column_without_values_are_named_by_their_label(tmp_path):
    relative = made.column([""] * 3, {"stat": [10.0, 10.0, 12.5], "syst": [5.0, 2.5, 5.0]}, name="Relative", units="%")
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {None: [1.2, 2.1, 0.6]}), relative])}
    mapping = (
        'values = { table = "T", column = "SIG" }\nignore = "error"\nstatistical = { column = "Relative", label = "stat" }\n'
    )
    breakdown = 'breakdown = { column = "Relative", label = "syst", name = "syst" }'
    measurement = load(tmp_path, content, mapping + breakdown, NO_SOURCES)
    np.testing.assert_allclose(np.sqrt(np.diag(measurement.statistical_covariance)), STAT, rtol=1e-15)
    np.testing.assert_allclose(measurement.responses[:, 0], [0.5, 0.5, 0.2], rtol=1e-15)
    with refused(FileFormatError, "errors labelled 'stat', 'syst' found, exactly one is needed", 'label = "..."'):
        load(tmp_path, content, mapping.replace(', label = "stat"', "") + breakdown, NO_SOURCES)


@pytest.mark.parametrize("label", ["sys [%]", "sys (%)", "sys in %"])
def test_a_label_may_say_that_its_errors_are_percent(tmp_path, label):
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT, label: [5, (5, -2.5), "5%"]})])}
    measurement = load(tmp_path, content, f'values = "T"\nstatistical = "stat"\nlabels = "{label}"', NO_SOURCES)
    np.testing.assert_allclose(measurement.responses[:, 0], [0.5, 1.0, 0.2], rtol=1e-15)
    np.testing.assert_allclose(measurement.down_responses[:, 0], [-0.5, -0.5, -0.2], rtol=1e-15)


def test_columns_of_one_header_are_told_apart_by_their_qualifiers(tmp_path):
    sources = [made.column(sizes, name="uncertainty", RE="P P", source=str(i)) for i, sizes in enumerate((STAT, VALUES), 1)]
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]),
               "B": made.table([made.axis(made.EDGES)], sources)}  # fmt: skip
    measurement = load(tmp_path, content, 'values = "T"\nstatistical = "stat"\nbreakdown = "B"', NO_SOURCES)
    assert [n.name for n in measurement.nuisances] == ["uncertainty, source = 1", "uncertainty, source = 2"]


def test_rows_of_a_matrix_of_more_than_the_values(tmp_path):
    rho = np.eye(6)
    rho[3:, 3:] = [[1.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]]
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"total": STAT})]),
               "Rho": made.matrix(rho, list(range(1, 7)), "bin of all distributions", "", "RHO", "")}  # fmt: skip
    mapping = 'values = "T"\ntotal = "total"\ntotal_correlation = { table = "Rho", rows = [4, 5, 6], match = "order" }'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    np.testing.assert_allclose(measurement.statistical_covariance, rho[3:, 3:] * np.outer(STAT, STAT), rtol=1e-15)
    with refused(UnknownNameError, "row 7 asked for, the matrix has 6"):
        load(tmp_path, content, mapping.replace("6]", "7]"), NO_SOURCES)
    with refused(FileFormatError, "rows: [4, 4, 6] found", "each once"):
        load(tmp_path, content, mapping.replace("5", "4"), NO_SOURCES)


def test_a_proposal_leaves_out_what_holds_no_number_and_says_what_no_label_says(tmp_path):
    column = made.column([10.0, "-", 4.0], {None: [1.0, None, 0.5]})
    made.write(tmp_path, {"T": made.table([made.axis(made.EDGES)], [column])})
    said = ("leave_out = [2]", 'statistical = "error"  # the errors have no label', "for the rows 0 - 50, 100 - 200")
    with refused(FileFormatError, *said) as caught:
        bc.load(tmp_path)
    (tmp_path / "model.toml").write_text(str(caught.value).partition("completed:")[2])
    assert [e.value for e in bc.load(tmp_path).estimates] == [10.0, 4.0]


def test_two_experiments_that_measure_the_same_in_other_units_and_bins(tmp_path):
    """dN/dz in bins of z = p / 50 GeV, and dN/dp in bins of p that are finer at one place."""
    z = made.table([made.axis([(0.2, 0.4), (0.4, 0.8)], "Z", "")],
                   [made.column([4.0, 1.0], {"stat": [0.3, 0.1], "sys": ["3.0%", "3.0%"]}, units="")])  # fmt: skip
    density = made.column([0.2, 0.08, 0.024, 0.016], {"stat": [0.01, 0.006, 0.002, 0.002]}, units="GEV**-1")
    p = made.table([made.axis([(5.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 40.0)], "P", "GEV")], [density])
    made.write(tmp_path / "a", {"T": z})
    made.write(tmp_path / "b", {"T": p})
    (tmp_path / "model.toml").write_text("""format = 1
name = "spectrum"
observables = [{ name = "z24" }, { name = "z46" }, { name = "z68" }]
[[measurements]]
name = "A"
hepdata = "a"
observables = ["z24", { z46 = 0.5, z68 = 0.5 }]
tables = { values = "T", statistical = "stat", labels = "sys" }
[[measurements]]
name = "B"
hepdata = "b"
observables = [{ z24 = 0.02 }, { z46 = 0.02 }, { z68 = 0.02 }]
tables = { values = "T", statistical = "stat", rows = { P = [10, 40] } }
[[assumption_sets]]
name = "none"
""")
    fit = bc.profile(bc.load(tmp_path))
    # Least squares with the covariances written out: 0.02 = 1 / 50.
    design = np.array([[1, 0, 0], [0, 0.5, 0.5], [0.02, 0, 0], [0, 0.02, 0], [0, 0, 0.02]])
    values = np.array([4.0, 1.0, 0.08, 0.024, 0.016])
    covariance = np.diag(np.square([0.3, 0.1, 0.006, 0.002, 0.002]))
    covariance[:2, :2] += np.outer([0.12, 0.03], [0.12, 0.03])
    information = design.T @ np.linalg.solve(covariance, design)
    np.testing.assert_allclose(fit.values, np.linalg.solve(information, design.T @ np.linalg.solve(covariance, values)))
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-9)

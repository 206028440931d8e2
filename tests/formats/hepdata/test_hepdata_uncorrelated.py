"""Sources that are independent in each row, and statistical errors in several parts."""

import hepdata_tables as made
import numpy as np
import pytest
from hepdata_model import ENTRY, load, model
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, InputWarning

NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")
VALUES = [10.0, 20.0, 4.0]
ERRORS = {"stat": [3.0, 6.0, 0.3], "MC stat": [4.0, 8.0, 0.4], "sys,unc": [0.5, 1.0, 0.2], "sys,JES": [1.0, 2.0, 0.4]}
CONTENT = {"Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, ERRORS)])}
MAPPING = 'values = "Table 1"\nstatistical = ["stat", "MC stat"]\nlabels = "sys,JES"\nuncorrelated = "sys,unc*"\n'


def test_an_uncorrelated_source_is_a_nuisance_for_each_row(tmp_path):
    measurement = load(tmp_path, CONTENT, MAPPING, NO_SOURCES)
    names = ["sys,unc, 0 - 50", "sys,unc, 50 - 100", "sys,unc, 100 - 200", "sys,JES"]
    assert [n.name for n in measurement.nuisances] == names
    np.testing.assert_array_equal(measurement.responses, np.column_stack([np.diag(ERRORS["sys,unc"]), ERRORS["sys,JES"]]))


def test_statistical_errors_in_parts_add_in_quadrature(tmp_path):
    measurement = load(tmp_path, CONTENT, MAPPING, NO_SOURCES)
    np.testing.assert_allclose(measurement.statistical_covariance, np.diag([25.0, 100.0, 0.25]), rtol=1e-15)


def test_the_covariance_of_a_fit_has_the_uncorrelated_source_on_its_diagonal_only(tmp_path):
    fit = bc.profile(bc.load(model(tmp_path, CONTENT, MAPPING, NO_SOURCES)))
    jes, unc = np.array(ERRORS["sys,JES"]), np.array(ERRORS["sys,unc"])
    expected = np.diag([25.0, 100.0, 0.25]) + np.diag(unc**2) + np.outer(jes, jes)
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-12)


@pytest.mark.parametrize("label", ["sys,unc", "unc", "uncor", "sys uncorrelated", "stat", "syst,stat MC", "Stat."])
def test_a_label_that_reads_independent_and_is_taken_as_correlated_is_a_warning(tmp_path, label):
    content = {"Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"error": [1, 2, 1], label: [1, 1, 1]})])}
    mapping = f'values = "Table 1"\nstatistical = "error"\nlabels = "{label}"\n'
    with pytest.warns(InputWarning, match=f"'{label}' read like errors that are independent .* 'uncorrelated'"):
        load(tmp_path, content, mapping, NO_SOURCES)
    load(tmp_path, content, mapping.replace("labels", "uncorrelated"), NO_SOURCES)  # warnings are errors here


@pytest.mark.parametrize("label", ["Uncertainty on b tagging", "sys,JES", "lumi", "bkg stat"])
def test_other_labels_are_read_without_a_word(tmp_path, label):
    content = {"Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"error": [1, 2, 1], label: [1, 1, 1]})])}
    load(tmp_path, content, f'values = "Table 1"\nstatistical = "error"\nlabels = "{label}"\n', NO_SOURCES)


def test_columns_and_long_lists_may_hold_both(tmp_path):
    rows = [e for e in made.EDGES for _ in range(2)]
    long = made.table(
        [made.axis(rows), made.axis(["JES", "uncor"] * 3, "Source", "")],
        [
            made.column([1.0, 0.5, 2.0, 1.0, 0.4, 0.2], name="up"),
            made.column([-1.0, -0.5, -2.0, -1.0, -0.4, -0.2], name="down"),
        ],
    )
    content = {"Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": ERRORS["stat"]})]), "Long": long}
    breakdown = '{ table = "Long", names = { column = "Source" }, up = "up", down = "down" }'
    mapping = f'values = "Table 1"\nstatistical = "stat"\nuncorrelated = "uncor"\nbreakdown = {breakdown}\n'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    expected = np.column_stack([ERRORS["sys,JES"], np.diag(ERRORS["sys,unc"])])
    np.testing.assert_array_equal(measurement.responses, expected)
    assert measurement.down_responses is None


def test_a_row_that_a_source_does_not_move_has_no_nuisance_and_one_value_keeps_the_name(tmp_path):
    content = {
        "Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": [1, 1, 1], "unc": [0.5, 0, 1]})])
    }
    mapping = 'values = "Table 1"\nstatistical = "stat"\nuncorrelated = "unc"\n'
    assert [n.name for n in load(tmp_path, content, mapping, NO_SOURCES).nuisances] == ["unc, 0 - 50", "unc, 100 - 200"]
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["bin3"]')
    measurement = load(tmp_path, content, mapping + "rows = [3]", entry, 'observables = [{ name = "bin3" }]')
    assert [n.name for n in measurement.nuisances] == ["unc"]


def test_a_source_with_a_covariance_is_not_uncorrelated_too(tmp_path):
    content = CONTENT | {"Cov": made.matrix(np.diag(np.array(ERRORS["sys,unc"]) ** 2))}
    with refused(FileFormatError, "'sys,unc' has both a covariance of its own and"):
        load(tmp_path, content, MAPPING + 'covariances = { "sys,unc" = "Cov" }', NO_SOURCES)

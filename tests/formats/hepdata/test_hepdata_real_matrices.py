"""Matrices of real records: bins of other names, covariances of one source, singular ones, fits without correlations."""

import hepdata_tables as made
import numpy as np
import pytest
from hepdata_model import ENTRY, load, model
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, InputWarning, InvalidMatrixError, OptionError, UnknownNameError

NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")
ONE = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["m"]')
MASS = 'observables = [{ name = "m", unit = "GeV" }]'
THREE = 'observables = [{ name = "bin1" }, { name = "bin2" }, { name = "bin3" }]'
VALUES = [10.0, 20.0, 4.0]
STAT = [1.0, 2.0, 0.5]
RHO = np.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]])
NAMED = {
    "texts": ["0-50", "50.0 - 100", "[100, 200]"],
    "centres": [25, 75, 150],
    "numbers": [1, 2, 3],
    "from 0": [0, 1, 2],
    "halves": [0.5, 1.5, 2.5],
}


@pytest.mark.parametrize("names", NAMED)
def test_bins_that_are_named_differently_in_the_matrix(tmp_path, names):
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]),
               "Rho": made.matrix(RHO[::-1, ::-1], NAMED[names][::-1], "bin", "", "RHO", "")}  # fmt: skip
    mapping = 'values = "T"\nstatistical = "stat"\nstatistical_correlation = "Rho"'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    np.testing.assert_allclose(measurement.statistical_covariance, RHO * np.outer(STAT, STAT), rtol=1e-15)
    turned = content | {"T": made.table([made.axis(NAMED["texts"])], [made.column(VALUES, {"stat": STAT})])}
    measurement = load(tmp_path, turned, mapping, NO_SOURCES)  # texts in the values, too
    np.testing.assert_allclose(measurement.statistical_covariance, RHO * np.outer(STAT, STAT), rtol=1e-15)


def test_rows_in_their_order_where_names_do_not_match(tmp_path):
    table = made.matrix(RHO, ["low", "mid", "high"], "bin", "", "RHO", "")
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]), "Rho": table}
    mapping = 'values = "T"\nstatistical = "stat"\nstatistical_correlation = { table = "Rho", match = "order" }'
    expected = RHO * np.outer(STAT, STAT)
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    np.testing.assert_allclose(measurement.statistical_covariance, expected, rtol=1e-15)
    with refused(UnknownNameError, "rows do not match", 'match = "order"'):
        load(tmp_path, content, mapping.replace(', match = "order"', ""), NO_SOURCES)
    with refused(OptionError, "match: 'number' found", "names, order"):
        load(tmp_path, content, mapping.replace('"order"', '"number"'), NO_SOURCES)
    table["independent_variables"].append(made.axis(["a", "b", "c"] * 3, "channel", ""))  # one more axis that varies
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    np.testing.assert_allclose(measurement.statistical_covariance, expected, rtol=1e-15)
    content["Rho"] = made.matrix(np.eye(4), ["a", "b", "c", "d"], "bin", "", "RHO", "")
    with refused(FileFormatError, "no matrix", "rows that are taken in order need 9 entries"):
        load(tmp_path, content, mapping, NO_SOURCES)


def test_a_breakdown_over_bins_of_other_names_is_taken_in_order(tmp_path):
    other = made.table([made.axis(["a", "b", "c"], "bin", "")], [made.column([1, 2, 3], name="JES", units="%")])
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]), "B": other}
    mapping = 'values = "T"\nstatistical = "stat"\nbreakdown = { table = "B", match = "order" }'
    np.testing.assert_allclose(load(tmp_path, content, mapping, NO_SOURCES).responses[:, 0], [0.1, 0.4, 0.12], rtol=1e-15)
    with refused(UnknownNameError, "not those of the values", 'match = "order"'):
        load(tmp_path, content, mapping.replace(', match = "order"', ""), NO_SOURCES)


@pytest.mark.parametrize("key", ["covariances", "correlations"])
def test_a_source_with_a_covariance_of_its_own(tmp_path, key):
    eff = np.array([0.5, 1.0, 0.2])
    matrix = RHO * np.outer(eff, eff)
    content = {
        "T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT, "eff": eff.tolist()})]),
        "E": made.matrix(matrix if key == "covariances" else RHO, matrix_units="PB^2" if key == "covariances" else ""),
    }
    mapping = f'values = "T"\nstatistical = "stat"\n{key} = {{ eff = "E" }}\n'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    assert [n.name for n in measurement.nuisances] == ["eff_1", "eff_2", "eff_3"]
    np.testing.assert_allclose(measurement.responses @ measurement.responses.T, matrix, rtol=1e-12, atol=1e-15)
    fit = bc.profile(bc.load(model(tmp_path, content, mapping, NO_SOURCES, THREE)))
    np.testing.assert_allclose(fit.covariance, np.diag(np.square(STAT)) + matrix, rtol=1e-12, atol=1e-12)
    wrong = content | {"E": made.matrix(4 * matrix if key == "covariances" else 4 * RHO)}
    with refused(InvalidMatrixError, "0.5 quoted" if key == "covariances" else "must be 1"):
        load(tmp_path, wrong, mapping, NO_SOURCES)
    with refused(FileFormatError, "keep one of the two"):
        load(tmp_path, content, mapping + ("correlations" if key == "covariances" else "covariances") + ' = { eff = "E" }',
             NO_SOURCES)  # fmt: skip


def test_the_covariance_of_a_source_may_be_singular_and_rounded(tmp_path):
    # The eigenvalues of these correlations are 2.00, 1.00 and -0.005, which rounding to two decimals explains.
    rho = np.array([[1.0, 0.71, 0.71], [0.71, 1.0, 0.0], [0.71, 0.0, 1.0]])
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT, "eff": [1.0, 1.0, 1.0]})]),
               "E": made.matrix(rho, matrix_units="")}  # fmt: skip
    mapping = 'values = "T"\nstatistical = "stat"\ncorrelations = { eff = "E" }'
    with pytest.warns(InputWarning, match="indefinite, its smallest eigenvalue is -0.00409, which the rounding"):
        measurement = load(tmp_path, content, mapping, NO_SOURCES)
    np.testing.assert_allclose(measurement.responses @ measurement.responses.T, rho, atol=0.005)
    content["E"] = made.matrix([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]], matrix_units="")
    with refused(InvalidMatrixError, "smallest eigenvalue is -0.8", "no covariance"):
        load(tmp_path, content, mapping, NO_SOURCES)


def test_a_singular_statistical_matrix_is_read_where_sources_shift_what_it_leaves(tmp_path):
    rho = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    errors = {"stat": STAT, "sys": [0.5, 0.5, 0.1]}
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, errors)]),
               "Rho": made.matrix(rho, matrix_units="")}  # fmt: skip
    mapping = 'values = "T"\nstatistical = "stat"\nstatistical_correlation = "Rho"\n'
    fit = bc.profile(bc.load(model(tmp_path, content, mapping + 'labels = "sys"', NO_SOURCES, THREE)))
    expected = rho * np.outer(STAT, STAT) + np.outer(errors["sys"], errors["sys"])
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-9, atol=1e-12)
    with refused(InvalidMatrixError, "singular", "leave_out"):
        load(tmp_path, content, mapping + 'ignore = "sys"', NO_SOURCES)
    # 2 pb of one and 1 pb of the other together have neither a statistical nor this systematic error.
    content["T"]["dependent_variables"][0] = made.column(VALUES, errors | {"sys": [0.5, -1.0, 0.1]})
    with refused(InvalidMatrixError, "no nuisance shifts"):
        load(tmp_path, content, mapping + 'labels = "sys"', NO_SOURCES)


def test_a_rounded_singular_correlation_names_the_way_out(tmp_path):
    rho = np.array([[1.0, -0.71, -0.71], [-0.71, 1.0, 0.0], [-0.71, 0.0, 1.0]])
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]),
               "Rho": made.matrix(rho, matrix_units="")}  # fmt: skip
    mapping = 'values = "T"\nstatistical = "stat"\nstatistical_correlation = "Rho"\n'
    with refused(InvalidMatrixError, "indefinite", "rounding of the entries explains", "leave out one row (leave_out)"):
        load(tmp_path, content, mapping, NO_SOURCES)
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["bin1", "bin2"]')
    load(tmp_path, content, mapping + "leave_out = [3]", entry, 'observables = [{ name = "bin1" }, { name = "bin2" }]')


def test_symmetrise_works_for_sources_all_or_some(tmp_path):
    errors = {"stat": STAT, "JES": [(0.5, -0.3)] * 3, "PDF": [(0.2, -0.4)] * 3}
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, errors)])}
    mapping = 'values = "T"\nstatistical = "stat"\nlabels = ["JES", "PDF"]\n'
    measurement = load(tmp_path, content, mapping + "symmetrise = true", NO_SOURCES)
    np.testing.assert_allclose(measurement.responses[0], [0.4, 0.3], rtol=1e-15)
    assert measurement.down_responses is None
    measurement = load(tmp_path, content, mapping + 'symmetrise = "JES"', NO_SOURCES)
    np.testing.assert_allclose(measurement.down_responses[0], [-0.4, -0.4], rtol=1e-15)
    with refused(UnknownNameError, "symmetrise: 'lumi' matches no error or source"):
        load(tmp_path, content, mapping + 'symmetrise = ["lumi"]', NO_SOURCES)


# A fit whose nuisance correlations are not published.
C = np.array([0.5, 0.9])
IMPACTS = np.array([0.3, -0.2])


def fit_tables():
    nuisances = made.axis(["jes", "isr"], "NP", "")
    pulls = [made.column([0.3, -0.1], name="Pull", units=""), made.column(C.tolist(), name="Post-fit uncertainty", units="")]
    return {
        "Mass": made.table([], [made.column([172.5], {"total": [0.5]}, name="m", units="GEV")]),
        "Pulls": made.table([nuisances], pulls),
        "Impacts": made.table([nuisances], [made.column(IMPACTS.tolist(), name="Impact", units="GEV")]),
        "Cov": made.table([nuisances], [made.column((IMPACTS * C).tolist(), name="cov(m, NP)", units="GEV")]),
        "Total": made.table([made.axis([1], "i", ""), made.axis([1], "j", "")], [made.column([0.25], units="GEV^2")]),
    }


FIT = """values = "Mass"
total = "total"
total_covariance = "Total"
approximate = true
pulls = { table = "Pulls", column = "Pull", constraint = "Post-fit uncertainty" }
"""


@pytest.mark.parametrize("key", ["breakdown", "nuisance_covariance"])
def test_pulls_without_correlations_are_an_approximate_input_and_named_so(tmp_path, key):
    table = "Impacts" if key == "breakdown" else "Cov"
    folder = model(tmp_path, fit_tables(), FIT + f'{key} = "{table}"', ONE, MASS)
    with pytest.warns(InputWarning, match="approximate input: the correlations of its 2 nuisances"):
        combination = bc.load(folder)
    covariance = np.linalg.inv(combination.measurements[0].fit.information)
    expected = np.block([[np.array([[0.25]]), IMPACTS[None] * C], [(IMPACTS * C)[:, None], np.diag(C**2)]])
    np.testing.assert_allclose(covariance, expected, rtol=1e-12, atol=1e-14)
    (entry,) = combination.provenance
    assert (entry.table, entry.kind) == ("ATLAS (approximate)", "reconstructed")
    assert "ATLAS (approximate)" in str(bc.profile(combination))


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (FIT.replace("approximate = true\n", ""), "approximate = true, which takes it as 0"),
        (FIT + 'nuisance_correlation = "Total"', "approximate = true is for pulls without"),
        ('values = "Mass"\nstatistical = "total"\napproximate = true', "approximate = true is for pulls without"),
        ('values = "Mass"\nstatistical = "total"\nnuisance_covariance = "Cov"', "replaces the impacts"),
        (FIT + 'breakdown = "Impacts"\nnuisance_covariance = "Cov"', "replaces the impacts"),
        ('values = "Mass"\nstatistical = 1', "needed is a label of the values, or a column"),
        ('values = "Mass"\nstatistical = "total"\ncovariances = "Cov"', "needed is a table of sources"),
        ('values = "Mass"\nstatistical = "total"\nleave_out = [true]', "labels or numbers of rows"),
        ('values = "Mass"\nstatistical = "total"\npercent = 5', "a list of texts"),
    ],
)  # fmt: skip
def test_keys_that_do_not_go_together_are_refused(tmp_path, mapping, said):
    with refused(FileFormatError, "model.toml", said):
        load(tmp_path, fit_tables(), mapping, ONE, MASS)

"""`[[measurements]]` that name tables of HEPData: what the mapping makes of them."""

import re
from pathlib import Path

import hepdata_tables as made
import numpy as np
import pytest
from hepdata_model import COVARIANCE, ENTRY, ERRORS, JES, LUMI, MAPPING, STAT, TOTAL, VALUES, load, model, tables
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InputWarning,
    InvalidMatrixError,
    InvalidNumberError,
    UnknownNameError,
)
from bayescomb.cli.main import main
from bayescomb.inputs.serialise import combination_to_json


def test_values_covariance_and_breakdown_are_those_of_the_tables(tmp_path):
    measurement = load(tmp_path)
    assert [e.value for e in measurement.estimates] == VALUES
    assert [e.name for e in measurement.estimates] == ["ATLAS, 0 - 50", "ATLAS, 50 - 100", "ATLAS, 100 - 200"]
    assert [dict(e.observables) for e in measurement.estimates] == [{"bin1": 1.0}, {"bin2": 1.0}, {"bin3": 1.0}]
    np.testing.assert_array_equal(measurement.statistical_covariance, COVARIANCE)
    assert [(n.name, n.source) for n in measurement.nuisances] == [("sys,JES", "JES"), ("sys,lumi", "")]
    np.testing.assert_allclose(measurement.responses, np.column_stack([JES, LUMI]), rtol=1e-15)
    assert measurement.down_responses is None


def test_the_model_of_the_guide_is_complete(tmp_path):
    text = (Path(__file__).parents[4] / "notebooks" / "guide" / "hepdata.md").read_text(encoding="utf-8")
    (tmp_path / "model.toml").write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])
    unc, two = np.array([0.3, 0.2]), slice(0, 2)
    errors = {"stat": STAT.tolist(), "sys,JES1": JES.tolist(), "sys,unc": [*unc.tolist(), 0.1]}
    total = COVARIANCE[two, two] + np.outer(JES[two], JES[two]) + np.diag(unc**2)
    content = {
        "Table 1": made.table([made.axis(made.EDGES)], [made.column(VALUES, errors)]),
        "Table 2": made.matrix(COVARIANCE),
        "Table 3": made.matrix(total, made.EDGES[:2]),
    }
    made.pack(tmp_path / "HEPData-ins1234567-v1-yaml.tar.gz", made.files(content))
    fit = bc.profile(bc.load(tmp_path))
    np.testing.assert_allclose(fit.values, VALUES[:2], rtol=1e-12)
    np.testing.assert_allclose(fit.covariance, total, rtol=1e-9)
    sources = {n.name: n.source for n in bc.load(tmp_path).nuisances}
    assert sources == {"sys,JES1": "jet energy scale", "sys,unc, 0 - 50": "", "sys,unc, 50 - 100": ""}


def test_units_and_bin_edges_come_along(tmp_path):
    combination = bc.load(model(tmp_path))
    assert [o.unit for o in combination.observables] == ["pb", "pb", "PB"]  # the last is not stated by the model
    assert combination.estimates[2].title == "PT 100 to 200 GEV"


@pytest.mark.parametrize("form", ["hep.zip", "hep.tar.gz", "json"])
def test_every_layout_gives_the_same_combination(tmp_path, form):
    expected = combination_to_json(bc.load(model(tmp_path)))
    if form == "json":
        names = [made.write_served(tmp_path / f"{i}.json", *item).name for i, item in enumerate(tables().items())]
        entry = ENTRY.replace('"hep"', str(names))
    else:
        made.pack(tmp_path / form, made.files(tables()), "HEPData-ins1-v1-yaml/")
        entry = ENTRY.replace('"hep"', f'"{form}"')
    assert combination_to_json(bc.load(model(tmp_path, entry=entry))) == expected


def test_a_converted_model_needs_no_submission_and_gives_the_same_numbers(tmp_path):
    folder = model(tmp_path / "a", tables({**ERRORS, "sys,JES": [(0.5, -0.25), (-0.1, 0.3), 0.125]}, Total=None),
                   MAPPING.replace('total_covariance = "Total"', ""))  # fmt: skip
    assert main(["convert", str(folder), str(tmp_path / "b")]) == 0
    assert "hepdata" not in (tmp_path / "b" / "model.toml").read_text()
    (folder / "hep").rename(tmp_path / "elsewhere")
    found = bc.profile(bc.load(tmp_path / "b"))
    (tmp_path / "elsewhere").rename(folder / "hep")
    expected = bc.profile(bc.load(folder))
    assert found.values.to_numpy().tobytes() == expected.values.to_numpy().tobytes()
    assert found.errors.to_numpy().tobytes() == expected.errors.to_numpy().tobytes()
    assert combination_to_json(bc.load(tmp_path / "b")) == combination_to_json(bc.load(folder))


def test_a_fit_of_uncorrelated_values_is_each_value_with_its_total_error(tmp_path):
    fit = bc.profile(bc.load(model(tmp_path)))
    np.testing.assert_allclose(fit.values, VALUES, rtol=1e-12)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(TOTAL)), rtol=1e-9)


def test_two_sided_errors_keep_both_signs(tmp_path):
    errors = {"stat": STAT.tolist(), "sys": [(0.5, -0.3), (-0.25, 0.5), ("+2%", "-1%")]}
    measurement = load(
        tmp_path, tables(errors), 'values = "Table 1"\nstatistical = "stat"\nlabels = "sys"', entry=NO_SOURCES
    )
    np.testing.assert_allclose(measurement.responses[:, 0], [0.5, -0.25, 0.08])
    np.testing.assert_allclose(measurement.down_responses[:, 0], [-0.3, 0.5, -0.04])


NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")
BARE = 'values = "Table 1"\nstatistical = "stat"\n'


def test_shifts_to_one_side_are_kept_with_a_warning(tmp_path):
    errors = {"stat": STAT.tolist(), "sys": [(0.5, 0.3), (0.5, -0.5), 0.1]}
    with pytest.warns(
        InputWarning, match=r"1 two-sided shifts have the same sign .*row 1 \(\+0.5, \+0.3\).*check the signs"
    ):
        measurement = load(tmp_path, tables(errors), BARE + 'labels = "sys"', entry=NO_SOURCES)
    assert measurement.down_responses[0, 0] == 0.3


def test_several_systematics_of_one_name_are_several_nuisances_with_a_warning(tmp_path):
    errors = [("stat", STAT.tolist()), ("sys", [0.1, 0.2, 0.3]), ("sys", [0.3, -0.2, 0.1])]
    with pytest.warns(InputWarning, match=r"2 errors labelled 'sys'.*'sys_1', 'sys_2'"):
        measurement = load(tmp_path, tables(errors), BARE + 'labels = "sys*"', entry=NO_SOURCES)
    assert [n.name for n in measurement.nuisances] == ["sys_1", "sys_2"]
    np.testing.assert_array_equal(measurement.responses, [[0.1, 0.3], [0.2, -0.2], [0.3, 0.1]])


def test_a_repeated_label_does_not_pass_as_one(tmp_path):
    errors = [("stat", [1.0, 2.0, 0.5]), ("stat", [0.3, 0.3, 0.3])]
    with refused(UnknownNameError, "no errors labelled 'stat'", "'stat_1', 'stat_2'", "'stat' is stated 2 times"):
        load(tmp_path, tables(errors), BARE, entry=NO_SOURCES)


def test_of_repeated_labels_none_may_be_absent(tmp_path):
    errors = [("stat", STAT.tolist()), ("sys", [0.1, 0.2, 0.3]), ("sys", [0.3, None, 0.1])]
    with refused(UnknownNameError, "'sys'", "which the mapping does not name"):
        load(tmp_path, tables(errors), BARE + 'labels = "sys_*"', entry=NO_SOURCES)
    with (
        pytest.warns(InputWarning, match="'sys'"),
        refused(FileFormatError, "row 2 (50 - 100)", "it is not known which of the errors"),
    ):
        load(tmp_path, tables(errors), BARE + 'labels = "sys*"\nabsent_is_zero = true', entry=NO_SOURCES)


def test_an_absent_error_is_zero_only_where_the_mapping_says_so(tmp_path):
    errors = ERRORS | {"sys,JES": [0.5, None, 0.1]}
    mapping = BARE + 'labels = "sys,*"\n'
    with refused(FileFormatError, "row 2 (50 - 100)", "'sys,JES'", "absent_is_zero = true"):
        load(tmp_path, tables(errors), mapping)
    measurement = load(tmp_path, tables(errors), mapping + "absent_is_zero = true")
    assert measurement.responses[:, 0].tolist() == [0.5, 0.0, 0.1]


BY_COLUMN = made.table(
    [made.axis(made.EDGES)],
    [made.column(JES.tolist(), name="sys,JES", units="PB"), made.column([1, 1.0, "1.0"], name="lumi", units="%")],
)
# Rows in another order, and a table for each source
PER_SOURCE = {
    "JES": made.table([made.axis(made.EDGES[::-1])], [made.column(JES[::-1].tolist())]),
    "lumi": made.table(
        [made.axis(made.EDGES)],
        [made.column(LUMI.tolist(), name="UP"), made.column((-LUMI / 2).tolist(), name="DOWN")],
    ),
}


def test_a_breakdown_in_columns_of_a_table(tmp_path):
    content = tables({"stat": STAT.tolist()}, Break=BY_COLUMN)
    measurement = load(tmp_path, content, BARE + 'breakdown = "Break"\ntotal_covariance = "Total"\nstatistical_covariance = '
                       '"Statistical"')  # fmt: skip
    assert [n.name for n in measurement.nuisances] == ["sys,JES", "lumi"]
    np.testing.assert_allclose(measurement.responses, np.column_stack([JES, LUMI]), rtol=1e-15)


def test_a_breakdown_in_a_table_for_each_source(tmp_path):
    mapping = BARE + 'breakdown = ["JES", { table = "lumi", up = "UP", down = "DOWN", name = "L" }]\nprefix = "A_"'
    measurement = load(tmp_path, tables({"stat": STAT.tolist()}, **PER_SOURCE), mapping, entry=NO_SOURCES)
    assert [n.name for n in measurement.nuisances] == ["A_JES", "A_L"]
    np.testing.assert_array_equal(measurement.responses, np.column_stack([JES, LUMI]))
    np.testing.assert_array_equal(measurement.down_responses, np.column_stack([-JES, -LUMI / 2]))


def test_a_breakdown_whose_rows_are_sources(tmp_path):
    content = {
        "Mass": made.table([], [made.column([172.5], {"stat": [0.3]}, name="MASS", units="GEV")]),
        "Break": made.table([made.axis(["JES", "ISR / FSR"], "Source", "")], [made.column([0.4, -0.2], units="GeV")]),
    }
    mapping = 'values = "Mass"\nstatistical = "stat"\nbreakdown = "Break"'
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["m"]')
    measurement = load(tmp_path, content, mapping, entry, 'observables = [{ name = "m", unit = "GeV" }]')
    assert [e.name for e in measurement.estimates] == ["ATLAS"]
    assert [n.name for n in measurement.nuisances] == ["JES", "ISR / FSR"]
    assert measurement.responses.tolist() == [[0.4, -0.2]]


def test_a_breakdown_whose_rows_are_sources_and_columns_the_channels(tmp_path):
    channels = made.axis(["l+jets", "dilepton"], "Channel", "")
    content = {
        "Mass": made.table([channels], [made.column([172.5, 173.0], {"stat": [0.3, 0.5]}, name="MASS", units="GEV")]),
        "Break": made.table(
            [made.axis(["JES", "ISR", "b"], "Source", "")],
            [made.column([1, 2, 3], name="dilepton", units="GEV"), made.column([4, 5, 6], name="l+jets", units="GEV")],
        ),
    }
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '{ dilepton = "m", "l+jets" = "m" }')
    measurement = load(tmp_path, content, 'values = "Mass"\nstatistical = "stat"\nbreakdown = "Break"', entry,
                       'observables = [{ name = "m", unit = "GeV" }]')  # fmt: skip
    assert measurement.responses.tolist() == [[4, 5, 6], [1, 2, 3]]


def test_the_statistical_part_is_what_the_sources_leave_of_the_total(tmp_path):
    content = tables({key: value for key, value in ERRORS.items() if key != "stat"})
    measurement = load(tmp_path, content, 'values = "Table 1"\nlabels = "sys,*"\ntotal_covariance = "Total"')
    np.testing.assert_allclose(measurement.statistical_covariance, COVARIANCE, atol=1e-14)


def test_correlations_take_the_quoted_errors(tmp_path):
    content = tables(Rho=made.matrix(COVARIANCE / np.outer(STAT, STAT), matrix_units=""))
    mapping = BARE + 'labels = "sys,*"\nstatistical_correlation = "Rho"'
    np.testing.assert_allclose(load(tmp_path, content, mapping).statistical_covariance, COVARIANCE, rtol=1e-15)


def triangle(values, entries):
    n = len(values)
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    axes = [made.axis([entries[p[k]] for p in pairs], f"bin {k}", "") for k in range(2)]
    return made.table(axes, [made.column([float(values[i][j]) for i, j in pairs], units="PB^2")])


def square(values, entries, heads):
    columns = [made.column([float(v) for v in row], name=h, units="PB^2") for row, h in zip(values, heads, strict=True)]
    return made.table([made.axis(entries)], columns)


@pytest.mark.parametrize(
    "table",
    [
        triangle(COVARIANCE, made.EDGES),
        triangle(COVARIANCE, [1, 2, 3]),
        triangle(COVARIANCE, [0, 1, 2]),
        triangle(COVARIANCE[::-1, ::-1], made.EDGES[::-1]),
        square(COVARIANCE, made.EDGES, ["0 - 50", "50 - 100", "100 - 200"]),
        square(COVARIANCE, made.EDGES, ["bin 1", "bin 2", "bin 3"]),
        square(COVARIANCE, [1, 2, 3], ["1", "2", "3"]),
        square(COVARIANCE[::-1, ::-1], [3, 2, 1], ["3", "2", "1"]),
    ],
)
def test_matrices_in_every_form(tmp_path, table):
    measurement = load(tmp_path, tables(Statistical=table, Total=None), MAPPING.replace('total_covariance = "Total"', ""))
    np.testing.assert_array_equal(measurement.statistical_covariance, COVARIANCE)


def test_a_matrix_with_one_more_axis_that_never_changes(tmp_path):
    table = made.matrix(COVARIANCE)
    table["independent_variables"].insert(0, made.axis([8000] * 9, "SQRT(S)"))
    np.testing.assert_array_equal(load(tmp_path, tables(Statistical=table)).statistical_covariance, COVARIANCE)


def test_columns_are_chosen_by_header_and_qualifiers(tmp_path):
    wrong = made.column([1.0, 1.0, 1.0], {"stat": [9, 9, 9]}, SQRT_S=(7000, "GeV"))
    right = made.column(VALUES, {"stat": STAT.tolist()}, SQRT_S=(8000, "GeV"))
    ratio = made.column([1, 2, 3], name="RATIO", units="", SQRT_S=(8000, "GeV"))
    content = {"Table 1": made.table([made.axis(made.EDGES)], [wrong, right, ratio])}

    def values(chosen):
        return load(tmp_path, content, f'values = {{ table = "Table 1"{chosen} }}\nstatistical = "stat"', NO_SOURCES)

    for number in ("8000", '"8000 GeV"', "8000.0"):
        found = values(f', column = "SIG", qualifiers = {{ "SQRT(S)" = {number} }}')
        assert [e.value for e in found.estimates] == VALUES
    with refused(UnknownNameError, "3 columns fit", "SIG, SQRT(S) = 7000 GeV", "RATIO"):
        values("")
    with refused(UnknownNameError, "no column 'SIGMA'", "1 'SIG', 2 'SIG', 3 'RATIO'"):
        values(', column = "SIGMA"')
    with refused(UnknownNameError, "{'SQRT(S)': '9000'}", "SQRT(S) = 7000 GeV"):
        values(', qualifiers = { "SQRT(S)" = 9000 }')


def test_rows_are_left_out_of_all_tables(tmp_path):
    content = tables({**ERRORS, "stat": [1.0, 2.0, None]}, Break=BY_COLUMN)
    content["Table 1"]["dependent_variables"][0]["values"][2]["value"] = "-"
    content["Table 1"]["dependent_variables"][0]["values"][2]["errors"] = []
    entry = ENTRY.replace('"bin1", "bin2", "bin3"', '"bin1", "bin2"')
    observables = 'observables = [{ name = "bin1" }, { name = "bin2" }]'
    with refused(InvalidNumberError, "'-' found", "row 3 (100 - 200)", "leave the row out"):
        load(tmp_path, content, MAPPING, entry, observables)
    mapping = MAPPING + 'leave_out = ["100 - 200"]'
    measurement = load(tmp_path, content, mapping, entry, observables)
    np.testing.assert_array_equal(measurement.statistical_covariance, COVARIANCE[:2, :2])
    broken = mapping.replace('labels = "sys,*"', 'ignore = "sys,*"\nbreakdown = "Break"')
    assert load(tmp_path, content, broken, entry, observables).responses[:, 0].tolist() == JES[:2].tolist()
    with refused(UnknownNameError, "leave_out", "no row '9'", "'0 - 50'"):
        load(tmp_path, content, MAPPING + 'leave_out = ["9"]', entry, observables)


@pytest.mark.parametrize(
    ("mapping", "error", "said"),
    [
        ('values = "Table 2"', UnknownNameError, ["no table 'Table 2'", "'Table 1', 'Statistical', 'Total'"]),
        ('statistical = "stat"', FileFormatError, ["missing key 'values'"]),
        ('values = "Table 1"\nvalue = 1', UnknownNameError, ["unknown key 'value'", "'values'"]),
        ('values = "Table 1"\nstatistical = "Stat"', UnknownNameError, ["'Stat'", "'stat', 'sys,JES', 'sys,lumi'"]),
        (BARE, UnknownNameError, ["'sys,JES', 'sys,lumi'", "which the mapping does not name", "'ignore'"]),
        (BARE + 'labels = "sys,*"\nignore = "x"', UnknownNameError, ["ignore: 'x' matches no label"]),
        ('values = "Table 1"\nlabels = "sys*"\nignore = "stat"', FileFormatError,
         ["the statistical part is not stated"]),
        (MAPPING + 'breakdown = "Nowhere"', UnknownNameError, ["breakdown[0]", "no table 'Nowhere'"]),
        (MAPPING + 'pulls = "Table 1"', FileFormatError, ["pulls, nuisance_correlation", "give both, or none"]),
        (MAPPING + 'statistical_correlation = "Total"', FileFormatError, ["keep one of the two"]),
        (MAPPING + 'total_correlation = "Total"', FileFormatError, ["total_covariance and total_correlation"]),
        ('values = "Table 1"\ntotal_correlation = "Total"', FileFormatError, ["name their label by 'total'"]),
        ("values = 1", FileFormatError, ["the name of a table"]),
        ('values = { table = "Table 1", qualifiers = 1 }', FileFormatError, ["qualifiers: 1 found"]),
        ('values = { table = "Table 1", columns = "SIG" }', UnknownNameError, ["unknown key 'columns'"]),
        (BARE + 'labels = "*"\nbreakdown = { table = "Total", up = "a" }', FileFormatError, ["'up' and 'down'"]),
        (BARE + 'labels = "sys*"\nstatistical_covariance = "Table 1"', FileFormatError, ["are no matrix", "a row for"]),
        (BARE + 'labels = "sys*"\nbreakdown = "Total"', UnknownNameError, ["not those of the values", "9 only in"]),
    ],
)  # fmt: skip
def test_a_misnamed_thing_is_answered_with_what_is_there(tmp_path, mapping, error, said):
    with refused(error, "model.toml", "'ATLAS'", *said):
        load(tmp_path, mapping=mapping)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('["bin1", "bin2", "bin3"]', '["bin1", "bin2"]', FileFormatError, ["2 found, 3 needed", "0 - 50, 50 - 100"]),
        ('["bin1", "bin2", "bin3"]', '{ "0 - 50" = "bin1" }', UnknownNameError, ["rows '50 - 100', '100 - 200'"]),
        ('["bin1", "bin2", "bin3"]', '{ "0-50" = "bin1" }', UnknownNameError, ["no row '0-50'", "'0 - 50'"]),
        ('"bin3"]', "1]", FileFormatError, ["['100 - 200']: 1 found", '"NAME" of an observable']),
        ('"bin3"]', '"bin4"]', UnknownNameError, ["unknown observable 'bin4'"]),
        ('observables = ["bin1", "bin2", "bin3"]', "", UnknownNameError, ["unknown observable"]),
        ('experiment = "ATLAS"', "statistical = [1]", FileFormatError, ["'statistical' found beside 'hepdata'"]),
        ('experiment = "ATLAS"', 'convino = "x"', FileFormatError, ["'convino' found beside"]),
        ('experiment = "ATLAS"', 'estimates = ["a"]', FileFormatError, ["1 names found, 3 needed"]),
        ('"hep"', '"absent.zip"', FileFormatError, ["absent.zip", "no such file"]),
        ('"hep"', "1", FileFormatError, ["a text is needed"]),
        ("sys,J*", "x*", UnknownNameError, ["matches no nuisance", "'sys,JES'"]),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(tmp_path, old, new, error, said):
    assert old in ENTRY
    with refused(error, "model.toml", *said):
        load(tmp_path, entry=ENTRY.replace(old, new))


def test_estimates_may_have_other_names_and_linear_maps(tmp_path):
    entry = NO_SOURCES.replace('observables = ["bin1", "bin2", "bin3"]',
        'estimates = ["a", "b", "c"]\nobservables = ["bin1", { bin1 = 1.0, bin2 = 2.0 }, "bin3"]')  # fmt: skip
    measurement = load(tmp_path, entry=entry)
    assert [e.name for e in measurement.estimates] == ["a", "b", "c"]
    assert dict(measurement.estimates[1].observables) == {"bin1": 1.0, "bin2": 2.0}


def test_a_source_that_is_stated_twice_is_refused(tmp_path):
    with refused(DuplicateNameError, "'sys,JES' is stated twice", "Break"):
        load(tmp_path, tables(Break=BY_COLUMN), MAPPING + 'breakdown = "Break"')


def test_tables_without_a_submission_and_a_submission_without_tables(tmp_path):
    folder = model(tmp_path)
    text = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(text.replace("[measurements.tables]\n" + MAPPING, ""))
    with refused(FileFormatError, "no table 'tables'", 'values = "Table 1"', 'statistical = "stat"', '"Total": 9 rows'):
        bc.load(folder)
    (folder / "model.toml").write_text(
        text.replace('hepdata = "hep"', "estimates = []").replace('observables = ["bin1', "#")
    )
    with refused(FileFormatError, "'tables' found without 'hepdata'"):
        bc.load(folder)


@pytest.mark.parametrize("form", ["hep", "hep.tar.gz", "t.json", "hep/submission.yaml"])
def test_a_submission_on_its_own_is_answered_with_a_model_that_works(tmp_path, form):
    made.write(tmp_path / "hep", tables())
    made.pack(tmp_path / "hep.tar.gz", made.files(tables()))
    made.write_served(tmp_path / "t.json", "Table 1", tables()["Table 1"])
    with refused(FileFormatError, form, "write a model.toml") as caught:
        bc.load(tmp_path / form)
    proposal = str(caught.value).partition("completed:")[2]
    place = (tmp_path / form).parent
    (place / "model.toml").write_text(proposal)
    measurement = bc.load(place / "model.toml").measurements[0]
    assert [e.value for e in measurement.estimates] == VALUES
    assert [n.name for n in measurement.nuisances] == ["sys,JES", "sys,lumi"]


# A fit: two values and two nuisances
IMPACTS = np.array([[0.5, 0.1, -0.2], [0.2, -0.3, 0.1]]).T
CONSTRAINTS = np.array([0.5, 0.9])
RHO = np.array([[1.0, 0.25], [0.25, 1.0]])


def fit_tables(**changed):
    pulls = made.column([0.3, -0.1], {"": CONSTRAINTS.tolist()}, name="PULL", units="")
    found = tables(
        {"jes": IMPACTS[:, 0].tolist(), "isr": IMPACTS[:, 1].tolist()},
        Pulls=made.table([made.axis(["jes", "isr"], "NP", "")], [pulls]),
        Rho=made.matrix(RHO[::-1, ::-1], ["isr", "jes"], "NP", "", "RHO", ""),
    )
    return found | changed


FIT = 'values = "Table 1"\nlabels = "*"\ntotal_covariance = "Total"\npulls = "Pulls"\nnuisance_correlation = "Rho"\n'


def test_pulls_constraints_and_correlation_make_a_fit(tmp_path):
    measurement = load(tmp_path, fit_tables(), FIT, NO_SOURCES)
    covariance = np.linalg.inv(measurement.fit.information)
    np.testing.assert_allclose(covariance[:3, :3], TOTAL, rtol=1e-12)
    np.testing.assert_allclose(covariance[:3, 3:], IMPACTS * CONSTRAINTS, rtol=1e-11)
    np.testing.assert_allclose(covariance[3:, 3:], RHO * np.outer(CONSTRAINTS, CONSTRAINTS), rtol=1e-12)
    assert [n.name for n in measurement.fit.nuisances] == ["jes", "isr"]
    assert measurement.fit.pulls.tolist() == [0.3, -0.1]
    assert measurement.nuisances == ()


def test_the_fit_on_its_own_gives_the_published_values_and_errors(tmp_path):
    fit = bc.profile(bc.load(model(tmp_path, fit_tables(), FIT, NO_SOURCES)))
    np.testing.assert_allclose(fit.values, VALUES, rtol=1e-9)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(TOTAL)), rtol=1e-9)


def test_constraints_may_be_a_column_of_their_own(tmp_path):
    columns = [made.column([0.3, -0.1], name="PULL", units=""), made.column(CONSTRAINTS.tolist(), name="WIDTH", units="")]
    content = fit_tables(Pulls=made.table([made.axis(["jes", "isr"], "NP", "")], columns))
    mapping = FIT.replace('pulls = "Pulls"', 'pulls = { table = "Pulls", constraint = "WIDTH" }')
    expected = load(tmp_path, fit_tables(), FIT, NO_SOURCES)
    assert load(tmp_path, content, mapping, NO_SOURCES).fit.information.tobytes() == expected.fit.information.tobytes()


def pulls(names, errors, values=(0.3, -0.1)):
    return made.table([made.axis(names, "NP", "")], [made.column(values, {"": errors}, name="PULL", units="")])


@pytest.mark.parametrize(
    ("changed", "mapping", "error", "said"),
    [
        ({"Pulls": pulls(["jes", "pdf"], [0.5, 0.9])}, "", UnknownNameError,
         ["1 of nuisance_correlation not among the pulls ('isr')", "1 of the pulls not in breakdown and labels ('pdf')"]),
        ({"Pulls": pulls(["jes", "isr"], [0.5, 0])}, "", InvalidNumberError, ["constraint 0", "row 2 (isr)"]),
        ({"Pulls": pulls(["jes", "isr"], [0.5, (0.9, -0.7)])}, "", InvalidNumberError, ["two-sided", "symmetrise"]),
        ({"Pulls": pulls(["jes", "isr"], [0.5, None])}, "", FileFormatError, ["row 2 (isr)", "0 errors"]),
        ({"Rho": made.matrix([[1, 1.2], [1.2, 1]], ["jes", "isr"], matrix_units="")}, "", InvalidMatrixError,
         ["'jes' and 'isr' is 1.2", "beyond 1"]),
        ({"Total": made.matrix(np.diag([0.0123, 0.0456, 0.00789]))}, "", InvalidMatrixError,
         ["beyond 1", "'0 - 50' and 'jes'"]),
        ({"Total": None}, 'total_covariance = "Total"', FileFormatError, ["covariance of the values is that after the fit"]),
    ],
)  # fmt: skip
def test_a_fit_that_does_not_hang_together_is_refused(tmp_path, changed, mapping, error, said):
    content = {name: table for name, table in (fit_tables() | changed).items() if table is not None}
    with refused(error, *said):
        load(tmp_path, content, FIT.replace(mapping, "") if mapping else FIT, NO_SOURCES)


def test_two_sided_impacts_are_symmetrised_on_purpose_only(tmp_path):
    content = fit_tables()
    content["Table 1"]["dependent_variables"][0]["values"][0]["errors"][0] = {
        "asymerror": {"plus": 0.75, "minus": -0.25}, "label": "jes",
    }  # fmt: skip
    with refused(InvalidNumberError, "'jes' is two-sided in 1 rows (+0.75, -0.25", "symmetrise = true"):
        load(tmp_path, content, FIT, NO_SOURCES)
    found = load(tmp_path, content, FIT + "symmetrise = true", NO_SOURCES)
    expected = load(tmp_path, fit_tables(), FIT, NO_SOURCES)
    assert found.fit.information.tobytes() == expected.fit.information.tobytes()


def test_a_two_sided_statistical_error_is_symmetrised_on_purpose_only(tmp_path):
    content = tables({"stat": [(1.5, -0.5), 2.0, 0.5]})
    with refused(InvalidNumberError, "'stat' is two-sided (+1.5, -0.5)"):
        load(tmp_path, content, BARE, NO_SOURCES)
    found = load(tmp_path, content, BARE + "symmetrise = true", NO_SOURCES)
    np.testing.assert_array_equal(found.statistical_covariance, np.diag(STAT**2))

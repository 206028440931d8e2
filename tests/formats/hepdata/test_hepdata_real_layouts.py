"""Layouts of real records, with figures of their own: errors in columns, rows by number, long lists, odd files."""

import hepdata_tables as made
import numpy as np
import pytest
import yaml
from hepdata_model import ENTRY, load
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InputWarning,
    UnknownNameError,
)
from bayescomb.formats.hepdata.record.documents import read_yaml
from bayescomb.formats.hepdata.record.submission import read_submission

NO_SOURCES = ENTRY.replace('sources = { "sys,J*" = "JES" }', "")
ONE = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["m"]')
MASS = 'observables = [{ name = "m", unit = "GeV" }]'
VALUES = [10.0, 20.0, 4.0]
STAT = [1.0, 2.0, 0.5]


def masses():
    """A table of two quantities whose errors are columns, and what moves the first, in MeV."""
    parameters = made.axis(["m_t", "mu"], "Parameter", "")
    poi = [made.column([172.5, 0.9], name="Value", units="GeV"), made.column([0.5, 0.1], name="Total", units="GeV"),
           made.column([0.3, 0.02], name="Stat. unc. [GeV]", units="")]  # fmt: skip
    impacts = made.table(
        [made.axis(["Modelling", "Modelling", "Detector"], "Category", "")],
        [made.column(["FSR", "ISR", "JES"], name="Source", units=""),
         made.column([-240.0, 180.0, 260.0], name="Shift [MeV]", units=""),
         made.column([210.0, -180.0, -300.0], name="Shift down [MeV]", units="")],
    )  # fmt: skip
    return {"POI": made.table([parameters], poi), "Impacts": impacts}


BY_COLUMN = 'values = { table = "POI", column = "Value" }\nrows = [1]\nstatistical = { column = "Stat. unc." }\n'


def test_errors_that_are_columns_beside_the_values(tmp_path):
    measurement = load(tmp_path, masses(), BY_COLUMN + "total = { column = 2 }", ONE, MASS)
    assert measurement.statistical_covariance.tolist() == [[0.3**2]]
    # What the total error leaves: 0.5^2 = 0.3^2 + 0.4^2.
    np.testing.assert_allclose(measurement.responses, [[0.4]], rtol=1e-12)
    for wrong, said in (
        ('"Stat. unc."', "column = "),
        ("4", "no column 4"),
        ("0", "its number from 1"),
        ("true", "its number"),
    ):
        with refused(FileFormatError if wrong in "0true" else UnknownNameError, said):
            load(tmp_path, masses(), BY_COLUMN.replace('{ column = "Stat. unc." }', wrong) if "S" in wrong else
                 BY_COLUMN.replace('"Stat. unc."', wrong), ONE, MASS)  # fmt: skip


def test_sources_named_in_a_text_column_and_shifts_in_mev(tmp_path):
    breakdown = 'breakdown = { table = "Impacts", column = "Shift", names = { column = "Source" } }'
    with pytest.warns(InputWarning, match="in 'MeV', the values in 'GeV'; its numbers are multiplied by 0.001"):
        measurement = load(tmp_path, masses(), BY_COLUMN + breakdown, ONE, MASS)
    assert [n.name for n in measurement.nuisances] == ["FSR", "ISR", "JES"]
    np.testing.assert_allclose(measurement.responses, [[-0.24, 0.18, 0.26]], rtol=1e-12)
    assert measurement.down_responses is None
    with pytest.warns(InputWarning, match="MeV"):  # by number, where the others are that of the names and of the other side
        numbered = load(
            tmp_path, masses(), BY_COLUMN + breakdown.replace('"Shift"', "2").replace('"Source"', "1"), ONE, MASS
        )
    assert numbered.responses.tolist() == measurement.responses.tolist()
    two_sided = breakdown.replace('column = "Shift"', 'up = 2, down = "Shift down", ignore = "I*"')
    with pytest.warns(InputWarning, match="MeV"):
        measurement = load(tmp_path, masses(), BY_COLUMN + two_sided, ONE, MASS)
    assert [n.name for n in measurement.nuisances] == ["FSR", "JES"]
    np.testing.assert_allclose(measurement.down_responses, [[0.21, -0.3]], rtol=1e-12)
    with (
        pytest.warns(InputWarning, match="MeV"),
        refused(DuplicateNameError, "two rows are called 'Modelling'", "names = { column = "),
    ):
        load(tmp_path, masses(), BY_COLUMN + 'breakdown = { table = "Impacts", column = "Shift" }', ONE, MASS)
    with pytest.warns(InputWarning, match="MeV"), refused(UnknownNameError, "no column 'Sources'"):
        load(tmp_path, masses(), BY_COLUMN + breakdown.replace('"Source"', '"Sources"'), ONE, MASS)
    with refused(FileFormatError, "names: 'Source' found", "{ column = "):
        load(tmp_path, masses(), BY_COLUMN + breakdown.replace('{ column = "Source" }', '"Source"'), ONE, MASS)


def test_a_source_in_a_column_of_the_values_needs_no_table(tmp_path):
    content = {
        "T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT}), made.column(STAT, name="JES")])
    }
    mapping = 'values = { table = "T", column = "SIG" }\nstatistical = "stat"\nbreakdown = [{ column = "JES" }]'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    assert [n.name for n in measurement.nuisances] == ["JES"]
    assert measurement.responses[:, 0].tolist() == STAT


def test_a_quantity_that_stands_in_two_rows_is_chosen_by_number(tmp_path):
    names = made.axis(["R", "R", "sigma"], "Quantity", "")
    column = made.column([1.72, 1.72, 90.0], {"stat": [0.05, None, 1.0], "": [None, 0.09, None]}, units="")
    content = {"T": made.table([names], [column])}
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', '["m"]')
    observables = 'observables = [{ name = "m" }]'
    measurement = load(tmp_path, content, 'values = "T"\nstatistical = "stat"\nrows = [1]', entry, observables)
    assert [e.value for e in measurement.estimates] == [1.72]
    assert load(
        tmp_path, content, 'values = "T"\nstatistical = "error"\nleave_out = [1, 3]', entry, observables
    ).statistical_covariance.tolist() == [[0.09**2]]
    with refused(DuplicateNameError, "rows 1 and 2", "both called 'R'", "rows = [1, 3]"):
        load(tmp_path, content, 'values = "T"\nstatistical = "stat"', NO_SOURCES)
    for rows, error, said in (
        ("[4]", UnknownNameError, "row 4 found"),
        ("[1, 1]", DuplicateNameError, "stands twice"),
        ("[]", FileFormatError, "numbers of rows"),
        ('{ "Quantity" = [0, 1] }', bc.BayescombError, "no number or bin"),
        ('{ "PT" = [0, 1] }', UnknownNameError, "no axis 'PT'"),
    ):
        with refused(error, said) if error is not bc.BayescombError else pytest.raises(error, match=said):
            load(tmp_path, content, f'values = "T"\nstatistical = "stat"\nrows = {rows}', entry, observables)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [("{ PT = [0, 100] }", [0, 1]), ('{ PT = "50-100" }', []), ('{ PT = "50 - 100" }', [1]), ("[3, 1]", [2, 0])],
)
def test_rows_by_range_keep_the_rows_of_all_tables(tmp_path, rows, kept):
    covariance = np.outer(STAT, STAT) * [[1, 0.5, 0.25], [0.5, 1, 0], [0.25, 0, 1]]
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT, "sys": [0.1, 0.2, 0.3]})]),
               "Cov": made.matrix(covariance)}  # fmt: skip
    mapping = f'values = "T"\nstatistical = "stat"\nlabels = "sys"\nstatistical_covariance = "Cov"\nrows = {rows}'
    names = ["bin1", "bin2", "bin3"][: len(kept)]
    entry = NO_SOURCES.replace('["bin1", "bin2", "bin3"]', str(names).replace("'", '"'))
    observables = f"observables = [{', '.join(f'{{ name = {name!r} }}' for name in names)}]"
    if not kept:
        with refused(UnknownNameError, "no row of table 'T' is within"):
            load(tmp_path, content, mapping, NO_SOURCES)
        return
    measurement = load(tmp_path, content, mapping, entry, observables)
    assert [e.value for e in measurement.estimates] == [VALUES[i] for i in kept]
    np.testing.assert_array_equal(measurement.statistical_covariance, covariance[np.ix_(kept, kept)])
    np.testing.assert_array_equal(measurement.responses[:, 0], np.array([0.1, 0.2, 0.3])[kept])


@pytest.mark.parametrize("size", ["", " "])
def test_empty_cells_of_errors_are_zero_as_on_the_site(tmp_path, size):
    content = {
        "T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT, "sys": [0.1, size, (0.2, size)]})])
    }
    content["T"]["dependent_variables"][0]["values"][1]["errors"].append({"label": "", "symerror": size})
    mapping = 'values = "T"\nstatistical = "stat"\nlabels = "sys"'
    measurement = load(tmp_path, content, mapping, NO_SOURCES)
    assert measurement.responses[:, 0].tolist() == [0.1, 0.0, 0.2]
    assert measurement.down_responses[:, 0].tolist() == [-0.1, 0.0, 0.0]  # one-sided


def test_an_empty_cell_of_a_source_is_zero_on_purpose_only(tmp_path):
    other = made.table([made.axis(made.EDGES)], [made.column([0.1, "-", 0.3], name="JES")])
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]), "B": other}
    mapping = 'values = "T"\nstatistical = "stat"\nbreakdown = "B"\n'
    with refused(FileFormatError, "row 2 (50 - 100)", "an empty cell found", "absent_is_zero = true"):
        load(tmp_path, content, mapping, NO_SOURCES)
    measurement = load(tmp_path, content, mapping + "absent_is_zero = true", NO_SOURCES)
    assert measurement.responses[:, 0].tolist() == [0.1, 0.0, 0.3]


def test_a_long_list_may_leave_rows_out_on_purpose_only(tmp_path):
    rows = made.axis([made.EDGES[0], made.EDGES[1], made.EDGES[2], made.EDGES[1]])
    long = made.table([rows, made.axis(["JES", "JES", "JES", "PDF"], "Source", "")], [made.column([0.1, 0.2, 0.3, 0.4])])
    content = {"T": made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT})]), "Long": long}
    mapping = 'values = "T"\nstatistical = "stat"\nbreakdown = { table = "Long", names = { column = "Source" } }\n'
    with refused(UnknownNameError, "the rows of the source 'PDF' ('50 - 100')", "absent_is_zero = true"):
        load(tmp_path, content, mapping, NO_SOURCES)
    measurement = load(tmp_path, content, mapping + "absent_is_zero = true", NO_SOURCES)
    assert measurement.responses.T.tolist() == [[0.1, 0.2, 0.3], [0.0, 0.4, 0.0]]


def test_empty_documents_and_the_texts_of_python_2_are_read_and_no_other_tag(tmp_path):
    folder = made.write(tmp_path, {"Table 1": made.table([], [made.column([1.0], {"stat": [0.1]})])})
    text = (folder / "submission.yaml").read_text()
    (folder / "submission.yaml").write_text(text.replace("name: Table 1", "name: !!python/unicode 'Table 1'") + "---\n")
    assert read_submission(folder).table("Table 1", where="test").columns[0].cells[0].value == 1.0
    assert read_yaml(b"a: !!python/unicode '1'\n---\n---\n", where="t") == [{"a": "1"}]
    for tag in ("python/str", "python/name:os.system", "python/object/apply:os.getcwd", "python/tuple"):
        with refused(FileFormatError, "no YAML of plain data"):
            read_yaml(f"a: !!{tag} x".encode(), where="t")


def test_a_folder_of_tables_without_a_submission_and_the_model_that_is_proposed(tmp_path):
    content = made.table([made.axis(made.EDGES)], [made.column(VALUES, {"stat": STAT, "unc": [20, 30, 5], "sys": STAT})])
    (tmp_path / "Table_1.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "Table_2.yaml").write_text(yaml.safe_dump(made.matrix(np.eye(3), header="Correlation", matrix_units="")))
    shifts = made.table([made.axis(made.EDGES)], [made.column([1, 2, 3], name="JES", units="%"),
                                                 made.column([1, 2, 3], name="stat. MC", units="%")])  # fmt: skip
    (tmp_path / "Table_3.yaml").write_text(yaml.safe_dump(shifts))
    (tmp_path / "notes.yaml").write_text("a: [")
    with refused(FileFormatError, "write a model.toml in it") as caught:
        bc.load(tmp_path)
    proposal = str(caught.value).partition("completed:")[2]
    for said in (
        'hepdata = "."',
        'statistical = "stat"',
        'labels = ["sys"]',
        'uncorrelated = ["unc"]',
        'percent = ["unc"]',
        '# perhaps total_correlation = "Table_2"',
        '# perhaps breakdown = ["Table_3"]  # sources "JES", "stat. MC"',
        '# perhaps uncorrelated = ["stat. MC"]',
        '# "notes": cannot be read',
    ):
        assert said in proposal
    (tmp_path / "model.toml").write_text(proposal)
    measurement = bc.load(tmp_path).measurements[0]
    np.testing.assert_allclose(np.diag(measurement.responses[:, :3]), [2.0, 6.0, 0.2], rtol=1e-15)


def test_a_proposal_names_columns_of_errors_and_reads_each_table_once(tmp_path, monkeypatch):
    from bayescomb.formats.hepdata.record import submission

    read = []
    monkeypatch.setattr(submission, "yaml_table", lambda *a, **n: read.append(n["name"]) or original(*a, **n))
    original = __import__("bayescomb.formats.hepdata.record.layouts", fromlist=["yaml_table"]).yaml_table
    with refused(FileFormatError, 'statistical = { column = "Stat. unc." }', 'total = { column = "Total" }'):
        bc.load(made.write(tmp_path, masses()))
    assert read == ["POI", "Impacts"]

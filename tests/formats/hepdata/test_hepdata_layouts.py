"""Tables of HEPData in every layout of the site: the same numbers, units, bins and labels from each."""

import dataclasses
import json
from pathlib import Path

import hepdata_tables as made
import pytest
import yaml
from refusals import refused

from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError, UnknownNameError
from bayescomb.formats.hepdata.matrices import read_table_matrix
from bayescomb.formats.hepdata.record.layouts import yaml_table
from bayescomb.formats.hepdata.record.submission import looks_like_hepdata, read_submission
from bayescomb.formats.hepdata.record.tables import Bin
from bayescomb.formats.hepdata.record.units import same_unit

VALUES = made.table(
    [made.axis(made.EDGES)],
    [
        made.column(
            [10.0, "20.5", 4.0],
            [
                ("stat", [1.0, "5%", 0.4]),
                ("sys", [(0.5, -0.3), ("4%", "-2%"), (-0.1, 0.2)]),
                ("sys", [0.2, -0.3, 0.1]),
                (None, [0.1, 0.1, 0.1]),
            ],
            SQRT_S=(8000, "GeV"),
            RE="P P --> TOP TOPBAR X",
        ),
        made.column([1.0, "-", 3.0], SQRT_S=(13000, "GeV"), RE="P P --> TOP TOPBAR X"),
        made.column([0.1, 0.2, 0.3], name="RATIO", units=""),
    ],
)
TABLES = {"Table 1": VALUES, "Covariance": made.matrix([[1, 0, 0], [0, 1, 0], [0, 0, 1]])}


def stripped(table):
    """What does not depend on where a table stands."""
    columns = [
        (c.name, c.unit, c.qualifiers, [dataclasses.replace(cell, where="") for cell in c.cells]) for c in table.columns
    ]
    return table.name, table.axes, columns, table.description


@pytest.fixture
def folder(tmp_path):
    return made.write(tmp_path / "submission", TABLES)


def test_the_submissions_of_these_tests_are_valid(folder):
    assert made.refusals(directory=folder) == []


def test_numbers_units_bins_and_qualifiers_of_a_folder(folder):
    table = read_submission(folder).table("Table 1", where="test")
    assert table.axes[0].unit == "GEV"
    assert table.axes[0].entries[2] == Bin(low=100.0, high=200.0)
    assert table.rows == ("0 - 50", "50 - 100", "100 - 200")
    first, second, third = table.columns
    assert [c.value for c in first.cells] == [10.0, 20.5, 4.0]
    assert (first.name, first.unit, third.unit) == ("SIG", "PB", "")
    assert first.qualifiers == (("SQRT(S)", "8000 GeV"), ("RE", "P P --> TOP TOPBAR X"))
    assert second.cells[1].value is None
    with refused(InvalidNumberError, "'-' found", "row 2 (50 - 100)", "column 'SIG'"):
        second.cells[1].number()


def test_percentages_are_parts_of_the_value_and_signs_are_kept(folder):
    cells = read_submission(folder).table("Table 1", where="test").columns[0].cells
    assert cells[1].errors[0].up == pytest.approx(5 * 20.5 / 100)
    assert (cells[1].errors[1].up, cells[1].errors[1].down) == pytest.approx((4 * 20.5 / 100, -2 * 20.5 / 100))
    assert (cells[2].errors[1].up, cells[2].errors[1].down) == (-0.1, 0.2)
    assert (cells[1].errors[2].up, cells[1].errors[2].down) == (-0.3, 0.3)
    assert [e.symmetric for e in cells[0].errors] == [True, False, True, True]


def test_several_errors_of_one_label_stay_apart_and_errors_without_one_have_the_name_of_the_site(folder):
    column = read_submission(folder).table("Table 1", where="test").columns[0]
    assert column.labels == ("stat", "sys_1", "sys_2", "error")
    assert column.repeated == {"sys": 2}


@pytest.mark.parametrize("inside", ["", "HEPData-ins1-v1-yaml/"])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tgz"])
def test_archives_give_what_the_folder_gives(tmp_path, folder, name, inside):
    archive = made.pack(tmp_path / name, made.files(TABLES), inside)
    for table in TABLES:
        found = read_submission(archive).table(table, where="test")
        assert stripped(found) == stripped(read_submission(folder).table(table, where="test"))


def test_the_json_of_the_site_gives_what_the_folder_gives(tmp_path, folder):
    paths = [made.write_served(tmp_path / f"{i}.json", name, table) for i, (name, table) in enumerate(TABLES.items())]
    for name in TABLES:
        expected = stripped(read_submission(folder).table(name, where="test"))
        assert stripped(read_submission(paths).table(name, where="test")) == expected
    assert stripped(read_submission(paths[0]).table("Table 1", where="test"))[0] == "Table 1"
    packed = made.pack(tmp_path / "json.zip", {p.name: p.read_text() for p in paths})
    assert [e.name for e in read_submission(packed).entries] == list(TABLES)


def test_a_submission_in_one_file_and_a_data_file_on_its_own(tmp_path, folder):
    documents = [{"comment": "x"}]
    for name, content in TABLES.items():
        own = made.head(name, "none")
        del own["data_file"]
        documents.append(own | content)
    single = tmp_path / "everything.yaml"
    single.write_text(yaml.safe_dump_all(documents))
    expected = stripped(read_submission(folder).table("Table 1", where="test"))
    assert stripped(read_submission(single).table("Table 1", where="test")) == expected
    alone = read_submission(folder / "table_1.yaml").table("table_1", where="test")
    assert stripped(alone)[1:3] == expected[1:3]
    assert read_submission(folder / "submission.yaml").table("Table 1", where="test").rows == alone.rows


def test_an_absent_table_is_answered_with_those_that_are_there(folder):
    with refused(UnknownNameError, "model: ", "no table 'Table 2'", "'Table 1', 'Covariance'"):
        read_submission(folder).table("Table 2", where="model")


def test_an_absent_data_file_is_named(folder):
    (folder / "table_2.yaml").unlink()
    submission = read_submission(folder)
    assert submission.table("Table 1", where="test").rows  # which needs no other
    with refused(FileFormatError, "submission.yaml, document 3", "'Covariance'", "'table_2.yaml'"):
        submission.table("Covariance", where="test")


def test_a_fault_in_one_table_does_not_close_the_others(folder):
    (folder / "table_2.yaml").write_text("[")
    submission = read_submission(folder)
    assert submission.table("Table 1", where="test").rows
    with refused(FileFormatError, "table_2.yaml", "no YAML"):
        submission.table("Covariance", where="test")


def edited(content, path, value):
    """A copy with one entry changed."""
    copy = json.loads(json.dumps(content))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


CELL = ("dependent_variables", 0, "values", 1)


@pytest.mark.parametrize(
    ("path", "value", "error", "said"),
    [
        ((*CELL, "errors", 0, "symerror"), "x", InvalidNumberError, ["row 2 (50 - 100)", "'stat'", "'x'"]),
        ((*CELL, "errors", 0, "symerror"), "%", InvalidNumberError, ["row 2", "''"]),
        ((*CELL, "errors", 0, "symerror"), ".nan", InvalidNumberError, ["'.nan'"]),
        ((*CELL, "errors", 0), {"label": "stat"}, FileFormatError, ["'symerror' or 'asymerror'"]),
        ((*CELL, "errors", 1, "asymerror"), {"plus": 1}, FileFormatError, ["'plus' and 'minus'"]),
        ((*CELL, "errors", 3, "label"), "sys_1", InvalidNumberError, ["'sys_1'", "rename"]),
        ((*CELL, "errors"), "none", FileFormatError, ["a list is needed"]),
        ((*CELL, "value"), [1], FileFormatError, ["a text or number"]),
        (CELL, {"symerror": 1}, FileFormatError, ["'value'"]),
        (("dependent_variables", 2, "values"), [{"value": 1}], FileFormatError, ["'PT' 3", "'RATIO' (3) 1"]),
        (("dependent_variables", 2, "header"), {}, FileFormatError, ["column 3", "'name'"]),
        (("dependent_variables",), [], FileFormatError, ["no dependent variable"]),
        (("independent_variables", 0, "values", 0), {"low": 1}, InvalidNumberError, ["row 1", "'high'"]),
        (("independent_variables", 0, "values"), {}, FileFormatError, ["a list is needed"]),
    ],
)
def test_a_malformed_table_is_refused_with_its_place(tmp_path, path, value, error, said):
    folder = made.write(tmp_path, {"Table 1": edited(VALUES, path, value)})
    with refused(error, "table_1.yaml", "'Table 1'", *said):
        read_submission(folder).table("Table 1", where="test")


@pytest.mark.parametrize(
    ("path", "value", "error", "said"),
    [
        (("values", 1, "y", 0, "errors", 0, "symerror"), "x", InvalidNumberError, ["row 2 (50 - 100)", "'stat'"]),
        (("values", 1, "y"), [], FileFormatError, ["row 2", "0 numbers"]),
        (("values", 1, "y", 1, "group"), 2, FileFormatError, ["row 2", "0, 2, 2"]),
        (("values",), [], FileFormatError, ["no row"]),
        (("headers", 0, "colspan"), 2, FileFormatError, ["headers for 5 columns", "1 + 3"]),
        (("headers", 0, "colspan"), -1, FileFormatError, ["colspan '-1'"]),
        (("qualifiers", "RE", 0, "colspan"), 9, FileFormatError, ["qualifier 'RE'", "columns 0 to 8"]),
    ],
)
def test_malformed_json_is_refused_with_its_place(tmp_path, path, value, error, said):
    file = tmp_path / "t.json"
    file.write_text(json.dumps(edited(made.served("Table 1", VALUES), path, value)))
    with refused(error, "t.json", "'Table 1'", *said):
        read_submission(file).table("Table 1", where="test")


@pytest.mark.parametrize(
    ("name", "text", "error", "said"),
    [
        ("t.json", "{", FileFormatError, ["no JSON"]),
        ("t.json", "[1]", FileFormatError, ["'headers'"]),
        ("t.json", '{"name": 1, "name": 2}', DuplicateNameError, ["'name' stands twice"]),
        ("t.yaml", "comment: only", FileFormatError, ["no table found"]),
        ("t.yaml", "- 1", FileFormatError, ["a mapping"]),
        ("t.yaml", "name: a\ndata_file: b.yaml", FileFormatError, ["submission.yaml"]),
        ("t.yaml", "a: 1\na: 2", DuplicateNameError, ["line 2", "'a' stands twice"]),
        ("t.csv", "a,b", FileFormatError, [".zip, .tar.gz, .yaml or .json"]),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, text, error, said):
    (tmp_path / name).write_text(text)
    with refused(error, name, *said):
        read_submission(tmp_path / name)


def test_two_tables_of_one_name_are_refused(folder):
    text = (folder / "submission.yaml").read_text().replace("name: Covariance", "name: Table 1")
    (folder / "submission.yaml").write_text(text)
    with refused(DuplicateNameError, "'Table 1'", "table_1.yaml", "table_2.yaml"):
        read_submission(folder)


def test_two_submissions_or_none_in_an_archive_are_refused(tmp_path):
    contents = {f"{part}/{name}": text for part in "ab" for name, text in made.files(TABLES).items()}
    with refused(FileFormatError, "2 submissions", "a/submission.yaml"):
        read_submission(made.pack(tmp_path / "a.zip", contents))
    with refused(FileFormatError, "neither submission.yaml nor a table"):
        read_submission(made.pack(tmp_path / "b.zip", {"readme.txt": "x"}))


def test_names_of_paths_tell_what_is_asked_as_hepdata(folder):
    assert looks_like_hepdata(folder)
    assert looks_like_hepdata(Path("a.TGZ"))
    assert not looks_like_hepdata(folder.parent)
    assert not looks_like_hepdata(Path("model.toml"))


def test_a_quotient_of_units_is_no_product():
    assert same_unit("PB/GEV", "PB GEV") is False
    assert same_unit("PB/GEV", "GEV**-1 PB") is True


@pytest.mark.parametrize("first", [0, 1])
def test_rows_of_a_matrix_that_are_counted_take_the_order_of_the_values(first):
    names, numbers = ["low", "high"], {(0, 0): 4.0, (0, 1): 1.0, (1, 1): 9.0}
    rows = [{"value": str(i + first)} for i, _ in numbers]
    columns = [{"value": str(j + first)} for _, j in numbers]
    data = {
        "independent_variables": [
            {"header": {"name": "i"}, "values": rows},
            {"header": {"name": "j"}, "values": columns},
        ],
        "dependent_variables": [{"header": {"name": "COV"}, "values": [{"value": x} for x in numbers.values()]}],
    }
    table = yaml_table(data, name="Table 2", description="", where="t.yaml")
    found = read_table_matrix(table, table.columns)
    assert found.ordered(names, whose="Table 1").values.tolist() == [[4.0, 1.0], [1.0, 9.0]]
    mirrored = found.ordered(names, whose="Table 1").ordered(names[::-1], whose="Table 3")
    assert mirrored.values.tolist() == [[9.0, 1.0], [1.0, 4.0]]

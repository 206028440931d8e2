"""CSV tables keep the line of every row, and numbers are read strictly."""

import pytest
from refusals import refused

from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.csv import number, read_table


@pytest.fixture
def table(tmp_path):
    """Writer of a table."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-0.25", -0.25), ("+.5", 0.5), ("2.", 2.0), ("1e-3", 1e-3), ("0", 0.0), ("0.0e999", 0.0), (3, 3.0)],
)
def test_number_is_read(text, value):
    assert number(text, where="here") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1e400",
        "1_000",
        "173_79",
        "1,5",
        "0x10",
        "1 2",
        "\u0661",
        True,
        None,
        [],
    ],
)
def test_what_is_no_finite_number_is_refused(text):
    with refused(InvalidNumberError, "table.csv:3, column 'stat'", repr(text), "a finite number is needed"):
        number(text, where="table.csv:3, column 'stat'")


@pytest.mark.parametrize("text", ["1e61", "-1e61", "1e-61", "1e308", "1e-308"])
def test_number_whose_square_may_not_be_a_double_is_refused(text):
    with refused(InvalidNumberError, "here", text, "use other units"):
        number(text, where="here")


def test_rows_know_their_lines_although_comments_and_empty_lines_are_skipped(table):
    header, rows = read_table(table("# comment\n\na,b\n1, 2 \n  # another\n3,4\n"), required=["a"])
    assert header == ["a", "b"]
    assert [row.cells for row in rows] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [row.where.rpartition(":")[2] for row in rows] == ["4", "6"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_do_not_matter(table, ending):
    _, rows = read_table(table(ending.join(["a,b", "1,2", "3,4"])), required=["a", "b"])
    assert rows[1].number("b") == 4.0


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", FileFormatError, ["table.csv", "empty", "a header line"]),
        ("# only a comment\n", FileFormatError, ["table.csv", "empty"]),
        ("a,c\n1,2\n", FileFormatError, ["table.csv:1", "missing column 'b'", "found a, c"]),
        ("a,b,a\n1,2,3\n", DuplicateNameError, ["table.csv:1", "column 'a' stands twice"]),
        ("a,b\n1\n", FileFormatError, ["table.csv:2", "1 cells found, 2 needed", "complete the row"]),
        ("a,b\n\n1,2,3\n", FileFormatError, ["table.csv:3", "3 cells found, 2 needed"]),
        ('a,b\n1,"2\n', FileFormatError, ["table.csv:2", "not a row of a CSV table"]),
    ],
)
def test_malformed_table(table, text, error, said):
    with refused(error, *said):
        read_table(table(text), required=["a", "b"])


def test_cell_that_is_no_number_is_named_by_line_and_column(table):
    _, rows = read_table(table("a,b\n1,2\n1,x\n"), required=["a", "b"])
    with refused(InvalidNumberError, "table.csv:3, column 'b'", "'x'"):
        rows[1].number("b")

"""A model begun on the command line: what is to be filled, what a table fills, what is refused."""

import csv
import io
import sys
from pathlib import Path

import pytest

import bayescomb as bc
from bayescomb.cli.main import main

TABLE = """estimate,experiment,observable,value,stat,JES,lumi
a,ATLAS,sigma_tt,242.0,3.0,4.0,7.0
b,ATLAS,sigma_t,88.0,2.0,3.0,2.3
c,CMS,sigma_tt,248.0,2.5,6.0,6.5
"""
NAMES = ["--observables", "sigma_tt [pb], sigma_t [pb]", "--experiments", "ATLAS,CMS", "--sources", "JES,b tagging"]


def rows(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.reader(lines))


def test_empty_cells_are_what_is_asked_for(tmp_path, capsys):
    assert main(["init", str(tmp_path / "mine"), *NAMES]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.rpartition("/")[2] for line in said[:3]] == ["budget.csv", "within.csv", "model.toml"]
    assert said[3].startswith("next: fill in the tables")
    budget = rows(tmp_path / "mine" / "budget.csv")
    assert budget[0] == ["estimate", "experiment", "observable", "value", "stat", "JES", "b tagging"]
    assert budget[1] == ["ATLAS_sigma_tt", "ATLAS", "sigma_tt", "", "", "", ""]
    # a row per source and estimate, all of which have a partner
    assert len(rows(tmp_path / "mine" / "within.csv")) == 1 + 2 * 4
    assert main(["check", str(tmp_path / "mine")]) == 2
    said = capsys.readouterr().err
    assert "budget.csv:3, column 'value': '' found, a finite number is needed; fill in what was measured" in said


def filled(folder):
    """Every empty cell filled, every coefficient uncommented."""
    budget = folder / "budget.csv"
    lines = budget.read_text().splitlines()
    budget.write_text("\n".join([*lines[:2], *(line.rstrip(",") + ",100,1,2,3" for line in lines[2:])]))
    within = folder / "within.csv"
    table = rows(within)
    partner = {"ATLAS_sigma_tt": "ATLAS_sigma_t", "CMS_sigma_tt": "CMS_sigma_t"}
    partner |= {b: a for a, b in partner.items()}
    for row in table[1:]:
        row[table[0].index(partner[row[1]])] = "0.9"
    within.write_text("\n".join(",".join(row) for row in table))
    model = folder / "model.toml"
    head, mark, tail = model.read_text().partition("# [[assumption_sets.coefficients]]")
    model.write_text(head + (mark + tail).replace("# ", ""))
    return folder


def test_filled_template_is_a_model(tmp_path):
    assert main(["init", str(tmp_path / "mine"), *NAMES]) == 0
    combination = bc.load(filled(tmp_path / "mine"))
    assert [o.unit for o in combination.observables] == ["pb", "pb"]
    assert [(c.name, c.low, c.high) for c in combination.assumption_set.coefficients] == [
        ("JES", 0.0, 1.0),
        ("b tagging", 0.0, 1.0),
    ]
    # of two like estimates, stat 1 and sources 2 and 3 half correlated: (1 + 13 (1 + 0.5)) ... of their mean
    assert bc.profile(combination).errors.to_numpy() == pytest.approx(((1 + 13 * 1.5) / 2) ** 0.5)


def test_questions_at_a_terminal(tmp_path, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("m_t [GeV]\nATLAS, CMS\nJES\n"))
    assert main(["init", str(tmp_path / "mine")]) == 0
    said = capsys.readouterr()
    assert "Combined quantities" in said.err
    assert "Sources of systematic uncertainties" in said.err
    assert "within" not in said.out  # one estimate per experiment
    assert 'unit = "GeV"' in (tmp_path / "mine" / "model.toml").read_text()


def test_nobody_to_ask_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["init", str(tmp_path / "mine")]) == 2
    assert "--observables is missing and there is no terminal to ask at" in capsys.readouterr().err


def test_table_fills_the_budget(tmp_path, capsys):
    (tmp_path / "table.csv").write_text(TABLE)
    words = ["--from", str(tmp_path / "table.csv"), "--observables", "sigma_tt [pb]"]
    assert main(["init", str(tmp_path / "mine"), *words]) == 0
    assert rows(tmp_path / "mine" / "budget.csv") == list(csv.reader(TABLE.splitlines()))
    # only the estimates that share an experiment
    assert [row[:2] for row in rows(tmp_path / "mine" / "within.csv")[1:]] == [
        ["JES", "a"],
        ["JES", "b"],
        ["lumi", "a"],
        ["lumi", "b"],
    ]
    assert "next: fill in within.csv and the correlations in model.toml" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "mine")]) == 2
    said = capsys.readouterr().err
    assert "within.csv:3, column 'b': '' found" in said
    assert "give the correlation of 'JES' between 'a' and 'b', 0 if they have nothing in common" in said
    within = tmp_path / "mine" / "within.csv"
    within.write_text(within.read_text().replace("JES,a,1,,", "JES,a,1,0.5,").replace("lumi,b,,1,", "lumi,b,1.0,1,"))
    combination = bc.load(tmp_path / "mine")  # a pair is stated once, above the diagonal or below
    assert [block.correlation[0, 1] for block in combination.assumption_set.blocks if len(block.nuisances) > 1] == [0.5, 1.0]


def test_spreadsheet_fills_the_budget(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in csv.reader(TABLE.splitlines()):
        book.active.append([float(cell) if cell[0].isdigit() else cell for cell in row])
    book.save(tmp_path / "table.xlsx")
    (tmp_path / "table.csv").write_text(TABLE)
    for ending in ("csv", "xlsx"):
        assert main(["init", str(tmp_path / ending), "--from", str(tmp_path / f"table.{ending}")]) == 0
    found, expected = (rows(tmp_path / ending / "budget.csv") for ending in ("xlsx", "csv"))
    assert found[0] == expected[0]
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert a[:3] == b[:3]
        assert [float(x) for x in a[3:]] == [float(x) for x in b[3:]]


SHEET = (
    ("Estimate", "Experiment", "Observable", "Value [MeV]", "Stat.", "scale", "PDF"),
    ("A m", "A", "m", 80366.5, 9.8, "+6.2 -5.8", "0.01%"),
    ("A w", "A", "w", 2202, 32, "\u00b112", 14),
    ("B m", "B", "m", 80354, 23, 10, "+/-9"),
)


def sheet(path, *rows):
    """A spreadsheet, or the same as CSV, as physicists write one."""
    if path.suffix == ".csv":
        path.write_text("\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows))
        return
    book = pytest.importorskip("openpyxl").Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_columns_and_cells_as_spreadsheets_have_them(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    sheet(Path(f"table.{ending}"), *SHEET)
    assert main(["init", "mine", "--from", f"table.{ending}"]) == 0
    within = Path("mine/within.csv")
    within.write_text(within.read_text().replace("A m,1,,", "A m,1,0,"))
    combination = bc.load("mine")
    assert [s.name for s in combination.sources] == ["scale", "PDF"]
    first, second, third = combination.measurements
    assert first.responses.tolist() == [[6.2, pytest.approx(80366.5e-4)]]
    assert first.down_responses.tolist() == [[-5.8, pytest.approx(-80366.5e-4)]]
    assert (second.responses.tolist(), third.responses.tolist()) == ([[12, 14]], [[10, 9]])
    assert second.down_responses is None


def test_rows_of_a_sheet_that_end_at_their_last_cell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    book = pytest.importorskip("openpyxl").Workbook(write_only=True)  # which states no dimensions of the sheet
    page = book.create_sheet()
    for row in (SHEET[0], ("A m", "A", "m", 80366.5, 9.8), ("Average",)):
        page.append(row)
    book.save("table.xlsx")
    assert main(["init", "mine", "--from", "table.xlsx"]) == 2
    assert "a total or an average? Remove the row" in capsys.readouterr().err


def test_decimal_commas_in_cells_of_two_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    header = "estimate;experiment;observable;value;stat;scale;PDF"
    Path("table.csv").write_text(f"{header}\nx;A;m;174,98;0,58;+0,49 -0,40;\u00b10,3\ny;B;m;172,85;0,71;(+0,5-0,2);1,5%\n")
    assert main(["init", "mine", "--from", "table.csv"]) == 0
    first, second = bc.load("mine").measurements
    assert (first.estimates[0].value, first.responses.tolist()) == (174.98, [[0.49, 0.3]])
    assert first.down_responses.tolist() == [[-0.4, -0.3]]
    assert second.responses.tolist() == [[0.5, pytest.approx(172.85 * 0.015)]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("W masses, preliminary",), *SHEET], "the first line holds the names of the columns: remove what stands above it"),
        ([SHEET[0], (None, None, None, "MeV", "MeV", "MeV", "MeV"), *SHEET[1:]], "a row of units?"),
        ([*SHEET, ("all", None, None, 80360, None, None, None)], "a total or an average? Remove the row"),
        ([*SHEET[:2], ("A w", None, "w", 2202, 32, 12, 14)], "a merged cell holds its text in the first row only"),
        (
            [(*row, end) for row, end in zip(SHEET, ("Total", 14, 37, 27), strict=True)],
            "column 'Total': the sum of the",
        ),
        (
            [(*row, end) for row, end in zip(SHEET, ("Syst.", 9, 18, 14), strict=True)],
            "column 'Syst.': the sum of the",
        ),
    ],
    ids=["title", "units", "total row", "merged", "total column", "systematics column"],
)
def test_what_else_stands_in_spreadsheets(tmp_path, monkeypatch, capsys, rows, said):
    monkeypatch.chdir(tmp_path)
    sheet(Path("table.xlsx"), *rows)
    assert main(["init", "mine", "--from", "table.xlsx"]) == 2
    assert said in capsys.readouterr().err
    assert not Path("mine").exists()


def test_extra_for_spreadsheets_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04")
    assert main(["init", str(tmp_path / "mine"), "--from", str(tmp_path / "table.xlsx")]) == 2
    assert "pip install 'bayescomb[excel]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--observables", "x,x", "--experiments", "A", "--sources", "s"], "'x' stands twice"),
        (["--observables", "x", "--experiments", "A", "--sources", "stat"], "a column of the budget has that name"),
        (["--observables", "", "--experiments", "A", "--sources", "s"], "observables: none given"),
        (["--from", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--from", "table.csv", "--sources", "s"], "table.csv already holds the sources"),
        (["--from", "models/run1_mass/model.toml"], "missing column"),
    ],
)
def test_mistakes(tmp_path, capsys, words, said):
    assert main(["init", str(tmp_path / "mine"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def test_nothing_is_overwritten(tmp_path, capsys):
    assert main(["init", str(tmp_path / "mine"), *NAMES]) == 0
    assert main(["init", str(tmp_path / "mine"), *NAMES]) == 2
    assert "there already" in capsys.readouterr().err

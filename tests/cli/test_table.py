"""``bayescomb table``: the published form, its renderings, and what it refuses."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

import bayescomb as bc
from bayescomb.base.choices import TABLES
from bayescomb.cli.main import main
from bayescomb.output.averages import averages
from bayescomb.output.tables.averages import average_tables

RUN1 = "models/run1_mass"


def written(capsys, *words):
    assert main(["table", RUN1, *words]) == 0
    return capsys.readouterr().out


def published_rows():
    """Cells of the budget as its file has them: source -> the texts of the fifteen columns."""
    lines = Path(RUN1, "budget.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return {key: [row[key] for row in rows] for key in rows[0]}


def test_the_breakdown_is_the_published_table_digit_by_digit(capsys):
    """With the decimals of the inputs: 0.3 of the file is the 0.30 of the publication."""
    text = written(capsys, "--format", "csv")
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    found = {row[0]: row[1:16] for row in rows[1:]}
    published = published_rows()
    titles = {s.title: s.name for s in bc.load(RUN1).sources}
    assert rows[0][1:16] == published["title"]
    assert found["value"] == [f"{float(x):.2f}" for x in published["value"]]
    assert found["statistical"] == [f"{float(x):.2f}" for x in published["stat"]]
    assert len(titles) == 25
    for title, name in titles.items():
        assert found[title] == [f"{float(x):.2f}" for x in published[name]], title
    # PRL 132 (2024) 261902: 172.52 +- 0.14 (stat) +- 0.30 (syst), from inputs with more digits.
    combined = {row[0]: row[16] for row in rows[1:]}
    assert [combined[key] for key in ("value", "statistical", "systematic", "total")] == ["172.51", "0.14", "0.30", "0.33"]
    assert combined["chi2 / ndf"] == "7.564 / 14"
    assert combined["scale factor S"] == "1.00"


def test_all_tables_in_text_and_json(capsys, tmp_path):
    path = tmp_path / "all.json"
    text = written(capsys, "--of", "all", "--json", str(path))
    data = json.loads(path.read_text())
    tables = data["tables"]
    assert list(tables) == [
        "breakdown", "information", "importance", "result_correlation", "source_covariance", "compatibility",
        "compatibility_experiment", "without_each", "groups", "group_correlation", "scale_factors",
    ]  # fmt: skip
    assert data["assumptions"] == "nominal"
    assert data["scale_factor"] is None
    # Full precision in the file, the same numbers as the library gives.
    found = bc.information_weights(bc.load(RUN1)).table.sel(estimate="k", parameter="m_t")
    row = next(row for row in tables["information"] if row["estimate"] == "k")
    assert row["marginal[m_t]"] == float(found["marginal"])
    assert f"{100 * row['marginal[m_t]']:.1f}" in text
    assert tables["result_correlation"][0]["covariance[m_t]"] == bc.profile(bc.load(RUN1)).covariance.item()
    assert len(tables["without_each"]) == 16


@pytest.mark.parametrize("form", ["latex", "html"])
def test_renderings_hold_the_same_cells(form, capsys, tmp_path):
    path = tmp_path / ("table." + {"latex": "tex", "html": "html"}[form])
    assert written(capsys, "--of", "without", "--output", str(path)).strip() == str(path)
    text = path.read_text()
    (table,) = average_tables(averages(bc.profile(bc.load(RUN1)), of=["without"]), of=["without"]).values()
    assert "assumption set 'nominal'" in text.splitlines()[0].replace("&#x27;", "'")
    if form == "latex":
        assert text.count(r" \\") == len(table.cells) + 1
    else:
        found = re.findall(r"<td>([^<]*)</td>", text)
        assert found == [cell for row in table.cells for cell in row]


def test_long_lines_of_other_programs_are_not_broken(capsys):
    text = written(capsys, "--format", "latex")
    assert max(map(len, text.splitlines())) > 300
    rows = list(csv.reader(io.StringIO(written(capsys, "--format", "csv"))))
    assert {len(row) for row in rows if not row[0].startswith("#")} == {17}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--group", "a=*7 TeV"], "has no effect without --of groups"),
        (["--of", "groups", "--group", "dilepton"], "NAME=PATTERN"),
        (["--of", "groups", "--group", "x=*tau*"], "matches no estimate"),
        (["--output", "table.pdf"], ".txt or .tex or .csv or .html"),
        (["--output", "table.tex", "--format", "csv"], "for --format csv, needed: .csv"),
    ],
)
def test_what_is_refused(words, said, capsys, monkeypatch, tmp_path, run1_path):
    monkeypatch.chdir(tmp_path)
    assert main(["table", str(run1_path), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_table_of_the_user_is_not_replaced(edited_model, capsys):
    folder = edited_model()
    before = (folder / "budget.csv").read_text()
    assert main(["table", str(folder), "--output", str(folder / "budget.csv")]) == 2
    assert "so it is kept" in capsys.readouterr().err
    assert (folder / "budget.csv").read_text() == before
    for of in ("correlation", "scale"):  # one of ours is
        assert main(["table", str(folder), "--of", of, "--output", str(folder / "table.csv")]) == 0
    assert "Birge" in (folder / "table.csv").read_text()


def test_groups_of_channels(capsys):
    text = written(capsys, "--of", "groups", "--group", "7 TeV=*7 TeV", "--group", "8 TeV=*8 TeV")
    assert re.search(r"^7 TeV +173\.", text, flags=re.MULTILINE)
    assert "for 1 degree of freedom" in text.replace("\n  ", " ")


def test_blinded_tables_say_so_and_round_as_before(capsys):
    text = written(capsys, "--blind", "a phrase")
    assert "BLINDED" in text
    assert "173.79" not in text
    value = next(line for line in text.splitlines() if line.startswith("value"))
    assert all(re.fullmatch(r"\d+\.\d\d", cell) for cell in value.split()[1:])


def test_help_lists_every_table(capsys):
    with pytest.raises(SystemExit):
        main(["table", "--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", text, flags=re.MULTILINE) for name in TABLES)
    assert "examples:" in text


def test_an_extraction_has_tables_too(capsys):
    assert main(["table", "models/ttj_rho", "--of", "without", "--of", "groups", "--of", "weights"]) == 0
    text = capsys.readouterr().out
    assert "they measure nothing in common" in text.replace("\n  ", " ")
    assert re.search(r"ATLAS 8 TeV +172", text)

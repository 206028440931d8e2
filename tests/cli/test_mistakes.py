"""Mistakes of a first day, each with its message: where it is, what was found, what to do."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import bayescomb as bc
from bayescomb.base import checks
from bayescomb.cli.main import main
from bayescomb.formats.hepdata import consistency as hepdata_checks

MODEL = """format = 1
name = "mine"
observables = [{ name = "sigma_tt", unit = "pb" }, { name = "sigma_t", unit = "pb" }]
sources = [{ name = "JES" }, { name = "lumi" }]
within = "uncorrelated"
[budget]
table = "budget.csv"
[[assumption_sets]]
name = "nominal"
[[assumption_sets.coefficients]]
name = "lumi"
source = "lumi"
between = ["ATLAS", "CMS"]
nominal = 0.3
low = 0.0
high = 0.5
"""
BUDGET = """estimate,experiment,observable,value,stat,JES,lumi
a,ATLAS,sigma_tt,242.0,3.0,4.0,7.0
b,CMS,sigma_tt,248.0,2.5,6.0,6.5
c,CMS,sigma_t,88.0,2.0,3.0,2.3
"""


def folder(path, *, model=MODEL, budget=BUDGET):
    path.mkdir(exist_ok=True)
    (path / "model.toml").write_bytes(model if isinstance(model, bytes) else model.encode())
    (path / "budget.csv").write_bytes(budget if isinstance(budget, bytes) else budget.encode())
    return path


@dataclass(frozen=True)
class Edit:
    """One text of a file in place of another, and what the message has to hold."""

    file: str
    old: str
    new: str
    said: tuple[str, ...]


def edit(file, old, new, *said):
    return Edit(file, old, new, said)


B, M = "budget.csv", "model.toml"
FILES = [
    edit(B, "242.0", '"242,0"', "budget.csv:2, column 'value'", "'242,0' found", "decimal comma? Write 242.0"),
    edit(B, "242.0", '"1,242"', "budget.csv:2", "thousands? Write 1.242 or 1242"),
    edit(B, "242.0", "242,0", "budget.csv:2: 8 cells found, 7 needed", "decimal comma?", "';'"),
    edit(B, "242.0", "242.0 pb", "budget.csv:2, column 'value'", "'242.0 pb'", "write 242.0 alone, units"),
    edit(B, "4.0,7.0", "%1.5,7.0", "budget.csv:2, column 'JES'", "'%1.5'", "a finite number is needed"),
    edit(B, "4.0,7.0", ",7.0", "budget.csv:2, column 'JES'", "'' found", "write 0 if the source does not apply"),
    edit(B, "4.0,7.0", "n/a,7.0", "budget.csv:2, column 'JES'", "'n/a'", "write 0 if the source does not apply"),
    edit(B, "4.0,7.0", "-,7.0", "budget.csv:2, column 'JES'", "write 0 if the source does not apply"),
    edit(B, "4.0,7.0", "<4.0,7.0", "budget.csv:2, column 'JES'", "a limit has no size"),
    edit(B, "242.0", "242.0 +- 3.0", "budget.csv:2, column 'value'", "a cell each"),
    edit(B, "242.0", "2 42", "budget.csv:2, column 'value'", "a finite number is needed"),
    edit(B, "4.0,7.0", "-4.0,7.0", "budget.csv:2, column 'JES'", "not negative", "sign in the correlations"),
    edit(B, "242.0,3.0", "242.0,0", "budget.csv:2, column 'stat'", "above 0"),
    edit(B, "242.0,3.0,", "242.0,", "budget.csv:2: 6 cells found, 7 needed", "complete the row"),
    edit(B, "value,stat", "value,Stat", "budget.csv:1", "missing column 'stat'", "is 'Stat' meant"),
    edit(B, "JES,lumi", "jes,lumi", "budget.csv:1", "missing column 'JES'", "is 'jes' meant"),
    edit(B, "JES,lumi", "JES,JES", "budget.csv:1", "column 'JES' stands twice"),
    edit(B, "a,ATLAS,sigma_tt", "a,ATLAS,sigma_ttt", "budget.csv:2", "observable 'sigma_ttt'", "did you mean 'sigma_tt'"),
    edit(B, "a,ATLAS,sigma_tt", "a,,sigma_tt", "budget.csv:2, column 'experiment'", "empty", "name the experiment"),
    edit(B, "b,CMS", "a,CMS", "budget.csv:3", "estimate 'a' stands twice"),
    edit(B, "a,ATLAS", '"a,ATLAS', "budget.csv:2", "not a row of a CSV table"),
    edit(B, BUDGET, "", "budget.csv: empty", "a header line and at least one row"),
    edit(B, BUDGET, BUDGET.splitlines()[0], "budget.csv: no estimate", "add at least one row"),
    edit(M, 'table = "budget.csv"', 'table = "bugdet.csv"', "bugdet.csv: no such file", "correct the path"),
    edit(M, 'within = "uncorrelated"\n', "", "model.toml", "source 'JES' of 'b' and 'c' (CMS)", 'within = "uncorrelated"'),
    edit(M, '"uncorrelated"', '"none"', "model.toml: within", "'none' found", '"uncorrelated"'),
    edit(M, "nominal = 0.3", "nominal = 0,3", "model.toml: broken TOML", "line 14", "decimal comma? Write 0.3"),
    edit(M, "nominal = 0.3", 'nominal = "0,3"', "coefficients['lumi'].nominal", "decimal comma? Write 0.3"),
    edit(M, "nominal = 0.3", "nominal = 0.9", "coefficients['lumi']", "0.9 lies outside its range 0.0 to 0.5"),
    edit(M, "nominal = 0.3", "nominal = 1.3", "coefficients['lumi']", "1.3"),
    edit(M, "nominal = 0.3\n", "", "coefficients['lumi']", "missing key 'nominal'"),
    edit(M, "high = 0.5\n", "", "coefficient", "lumi"),
    edit(M, "nominal = 0.3", "nomnial = 0.3", "coefficients['lumi']", "unknown key 'nomnial'", "did you mean 'nominal'"),
    edit(M, 'name = "mine"', "name = mine", "model.toml: broken TOML", "line 2", "write texts in quotes"),
    edit(M, 'name = "mine"', "name = \u201cmine\u201d", "model.toml: broken TOML", "line 2", "straight quotes"),
    edit(M, 'name = "mine"', "name = True", "model.toml: broken TOML", "line 2", "true or false in small letters"),
    edit(M, 'name = "mine"\n', "", "model.toml", "missing key 'name'"),
    edit(M, 'name = "mine"', "name = 7", "name = 7 found", "a text is needed"),
    edit(M, 'name = "mine"', 'name = "mine"\nname = "mine"', "model.toml: broken TOML", "line 3", "every key stands once"),
    edit(M, "format = 1", "format = 2", "model.toml: format = 2 found", "reads format 1"),
    edit(M, "[budget]", "[bugdet]", "unknown key 'bugdet'", "did you mean 'budget'"),
    edit(M, '"ATLAS", "CMS"', '"Atlas", "CMS"', "coefficients['lumi']", "experiment 'Atlas'", "did you mean 'ATLAS'"),
    edit(M, '"ATLAS", "CMS"', '"ATLAS"', "between", "two experiments"),
    edit(M, 'source = "lumi"', 'source = "Lumi"', "coefficients['lumi']", "unknown source 'Lumi'", "did you mean 'lumi'"),
    edit(M, 'source = "lumi"\n', "", "coefficients['lumi']", "name the 'source'"),
    edit(M, 'format = 1', 'format = 1\ntreatment = "covariant"', "treatment", "'covariant'", "did you mean 'covariance'"),
    edit(M, 'format = 1', 'format = 1\nassumptions = "nominla"', "assumption set 'nominla'", "did you mean 'nominal'"),
    edit(M, 'format = 1', 'format = 1\nextraction = "pole"', "unknown extraction 'pole'", "there is no extraction"),
    edit(M, '{ name = "lumi" }', '{ name = "stat" }', "source 'stat'", "column of the budget", "rename the source"),
    edit(M, '{ name = "lumi" }', '{ name = " lumi" }', "' lumi' is no name", "without surrounding blanks"),
    edit(M, '{ name = "lumi" }', '{ name = "lu\u00a0mi" }', "no-break space", "printable text"),
    edit(M, '{ name = "lumi" }', '{ name = "" }', "'' is no name", "it is empty"),
    edit(M, '"sigma_t", unit', '"sigma_tt", unit', "'sigma_tt' stands twice"),
    edit(M, 'format = 1', 'format = 1\nerrors_on_errors = { JEs = 0.3 }', "'JEs'", "did you mean 'JES'"),
    edit(M, 'format = 1', 'format = 1\nerrors_on_errors = { JES = "30%" }', "errors_on_errors['JES']", "'30%'"),
    edit(M, '[budget]', '[budget]\ntreatment = "covariance"', "budget: unknown key 'treatment'", "above the first [table]"),
    edit(M, '"sigma_t", unit', '"sigma\\nt", unit', "observables: 'sigma\\nt' is no name", "printable text"),
    edit(B, "a,ATLAS", '"a,ATLAS', "budget.csv:2", "close the quote"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", FILES, ids=lambda m: f"{m.file}: {m.new[:40]!r}")
def test_mistake_in_a_file(tmp_path, capsys, mistake):
    model = folder(tmp_path / "m")
    path = model / mistake.file
    text = path.read_text(encoding="utf-8")
    assert mistake.old in text
    path.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
    assert main(["profile", str(model)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bayescomb: ")
    assert len(said.splitlines()) == 1
    for part in mistake.said:
        assert part in said


COMMANDS = [
    (["profile", "{m}", "--assumptions", "nominla"], ["unknown assumption set 'nominla'", "did you mean 'nominal'"]),
    (["profile", "{m}", "--drop", "sigma_t"], ["--drop sigma_t: no mass is extracted", "no [[extractions]]"]),
    (["profile", "{m}", "--extraction", "pole"], ["unknown extraction 'pole'", "there is no extraction"]),
    (["profile", "{m}", "--repair", "clip", "--treatment", "covariance"], ["--repair clip", "--treatment nuisance"]),
    (["profile", "{m}", "--error-on-error", "JES"], ["--error-on-error JES", "SOURCE=RELATIVE"]),
    (["profile", "{m}", "--error-on-error", "JEs=0.3"], ["'JEs'", "did you mean 'JES'"]),
    (["profile", "{m}", "--json", "nowhere/p.json"], ["the folder nowhere does not exist", "make it first"]),
    (["profile", "{m}", "--assumptions", ""], ["unknown assumption set ''", "known: 'nominal'"]),
    (["profile", "{m}", "--json", "{m}/budget.csv"], ["budget.csv: there already", "no .json file", "name another file"]),
    (["sample", "{m}", "--output", "{m}/model.toml"], ["model.toml: there already", "no .nc file", "name another file"]),
    (["sample", "{m}", "--output", "{m}/p.nc", "--json", "{m}/p.nc"], ["--output names the same file", "a file of its own"]),
    (["sample", "{m}", "--output", "{m}/p.nc", "--seed", "-1"], ["seed = -1 found", "at least 0"]),
    (["explore", "{m}", "--output", "{m}/budget.csv"], ["budget.csv: there already", "no .html file"]),
    (["sets", "{m}", "--draws", "10", "--workers", "-2"], ["workers = -2", "at least 1"]),
    (["coverage", "{m}", "--toys", "0", "--output", "{m}/study"], ["toys = 0", "at least 1"]),
    (["coverage", "{m}", "--toys", "2", "--seed", "-1", "--output", "{m}/study"], ["seed = -1", "at least 0"]),
    (["coverage", "{m}", "--toys", "2", "--workers", "-2", "--profile-only", "--output", "{m}/s"], ["workers = -2"]),
    (["profile", "nowhere"], ["nowhere: no such file", "correct the path"]),
    (["profile", "{m}/budget.csv"], ["budget.csv: a table found, a model is needed", "bayescomb init NAME --from"]),
    (["scan", "{m}", "--points", "1"], ["points of a scan = 1", "at least 2"]),
    (["theory", "{m}"], ["no mass is extracted", "no [[extractions]]"]),
    (["sets", "{m}", "--seed", "1"], ["--seed 1", "nothing is sampled without --draws", "leave --seed out"]),
    (["sets", "{m}", "--output", "nowhere/deep"], ["the folder nowhere does not exist", "make it first"]),
    (
        ["coverage", "{m}", "--toys", "2", "--profile-only", "--draws", "3", "--output", "{m}/s"],
        ["--draws 3", "--profile-only"],
    ),
    (["coverage", "{m}", "--toys", "2", "--output", "nowhere/deep"], ["the folder nowhere does not exist", "make it first"]),
    (["report", "{m}", "--output", "nowhere/deep"], ["the folder nowhere does not exist", "make it first"]),
    (["report", "{m}", "nowhere.nc", "--output", "{m}/r"], ["nowhere.nc: no such file", "bayescomb sample MODEL"]),
    (
        ["report", "{m}", "{m}/budget.csv", "--output", "{m}/r"],
        ["budget.csv: not a readable netCDF", "name the file of a posterior"],
    ),
    (["export", "{m}", "--output", "{m}/e", "--keyword", "x"], ["--keyword x", "KIND=VALUE"]),
    (["convert", "{m}", "nowhere/deep"], ["the folder nowhere does not exist", "make it first"]),
    (["convert", "{m}", "{m}/x.csv"], ["'.csv' names no form of a model", "NAME.toml"]),
]


@pytest.mark.parametrize(("words", "parts"), COMMANDS, ids=lambda value: " ".join(value)[:60])
def test_mistake_on_the_command_line(tmp_path, capsys, words, parts):
    model = folder(tmp_path / "m")
    assert main([word.format(m=model) for word in words]) == 2
    said = capsys.readouterr().err
    for part in parts:
        assert part in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "words", [["theory", "m", "--drop", "x"], ["sets", "m", "--assumptions", "x"], ["check", "m", "--drop", "x"]]
)
def test_option_that_means_nothing_is_not_offered(capsys, words):
    with pytest.raises(SystemExit):
        main(words)
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["profil", "m"], "did you mean 'profile'?"),
        (["profile", "m", "--treatmnt", "nuisance"], "did you mean --treatment?"),
        (["theory", "m", "--drop", "x"], "'bayescomb theory --help' lists"),
        (["--json", "-", "profile", "m"], "the command comes first"),
    ],
)
def test_command_or_option_that_is_not_there(capsys, words, said):
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


def _estimate():
    return bc.Estimate(name="x", value=1.0, observables={"m": 1.0})


def _measurement(**more):
    return bc.Measurement(**{"name": "m", "estimates": [_estimate()], "statistical_covariance": [[1.0]], **more})


def _combination(**more):
    sets = {"none": bc.AssumptionSet(name="none")}
    return bc.Combination(**{"name": "c", "measurements": [_measurement()], "observables": [bc.Observable(name="m")],
                             "assumption_sets": sets, "assumptions": "none", **more})  # fmt: skip


PYTHON = {
    "path": (
        lambda: bc.profile("models/run1_mass"),
        ["profile(): combination = 'models/run1_mass'", "bayescomb.load(path)"],
    ),
    "result": (lambda: bc.profile(bc.profile(_combination())), ["combination = a profile found"]),
    "loaded twice": (lambda: bc.load(_combination()), ["load()", "the path of a model is needed"]),
    "swapped": (lambda: bc.compare(bc.profile(_combination()), bc.profile(_combination())), ["posterior = a profile found"]),
    "name of a coefficient": (
        lambda: bc.profile(bc.load("models/run1_mass"), coefficients={"LHCbJEs": 0.5}),
        ["did you mean 'LHCbJES'"],
    ),
    "number of coefficients": (
        lambda: bc.profile(bc.load("models/run1_mass"), coefficients=[0.5]),
        ["shape (1,) found, (19,) is needed", "by name"],
    ),
    "list for a mapping": (
        lambda: _combination(assumption_sets=[bc.AssumptionSet(name="n")]),
        ["assumption_sets", "a mapping"],
    ),
    "list of names": (
        lambda: bc.Estimate(name="x", value=1.0, observables=["m"]),
        ["observables of estimate 'x'", "a mapping"],
    ),
    "one for a list": (lambda: _combination(measurements=_measurement()), ["measurements", "a list of objects"]),
    "text for an object": (lambda: _combination(observables=["m"]), ["'m' found in the list", "class Observable"]),
    "nuisance by name": (
        lambda: _measurement(nuisances=["JES"], responses=[[1.0]]),
        ["'JES' found in the list", "Nuisance"],
    ),
    "count": (lambda: bc.sample(_combination(), draws="100"), ["draws = '100' found", "a whole number"]),
    "points": (lambda: bc.scan(_combination(), points=2.5), ["points of a scan = 2.5", "a whole number"]),
    "values": (lambda: _combination().with_values([1.0]), ["with_values()", "a mapping"]),
    "experiment": (
        lambda: _combination(measurements=[_measurement(experiment="CMS")]).only(["cms"]),
        ["did you mean 'CMS'"],
    ),
    "set": (lambda: _combination().with_assumptions("nonne"), ["unknown assumption set 'nonne'", "did you mean 'none'"]),
}


@pytest.mark.parametrize("mistake", PYTHON)
def test_mistake_in_python(mistake):
    call, parts = PYTHON[mistake]
    with pytest.raises(bc.BayescombError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_at_least_80_mistakes_are_in_the_table():
    assert len(FILES) + len(COMMANDS) + len(PYTHON) >= 80


WRITTEN_OTHERWISE = {
    "mark of UTF-8": BUDGET.encode("utf-8-sig"),
    "UTF-16": BUDGET.encode("utf-16"),
    "semicolons": BUDGET.replace(",", ";").encode(),
    "semicolons and decimal commas": BUDGET.replace(",", ";").replace(".", ",").encode(),
    "tabs": BUDGET.replace(",", "\t").encode(),
    "lines of another system": BUDGET.replace("\n", "\r\n").encode(),
    "trailing commas": BUDGET.replace("\n", ",,\n").encode(),
    "trailing commas in the rows": BUDGET.replace("0\n", "0,\n").replace("5\n", "5,\n").encode(),
    "plus signs": BUDGET.replace("242.0", "+242.0").encode(),
    "figures in quotes": BUDGET.replace("242.0", '"242.0"').encode(),
}


@pytest.mark.parametrize("form", WRITTEN_OTHERWISE)
def test_table_as_people_have_it_is_read(tmp_path, form):
    expected = bc.profile(bc.load(folder(tmp_path / "plain"))).values.to_numpy()
    found = bc.profile(bc.load(folder(tmp_path / "other", budget=WRITTEN_OTHERWISE[form]))).values.to_numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cell", ['"1,242.0"', "1 242.0", "1'242.0", "1\u202f242.0"])
def test_separated_thousands_are_read(tmp_path, cell):
    model = bc.load(folder(tmp_path / "m", budget=BUDGET.replace("242.0", cell)))
    assert model.estimates[0].value == 1242.0


def test_text_of_a_number_in_the_model_is_read(tmp_path):
    model = bc.load(folder(tmp_path / "m", model=MODEL.replace("nominal = 0.3", 'nominal = "0.3"')))
    assert model.assumption_set.coefficients[0].nominal == 0.3


def test_file_in_latin_1_says_how_to_save_it(tmp_path):
    model = folder(tmp_path / "m", budget=BUDGET.replace("a,ATLAS", "é,ATLAS").encode("latin-1"))
    with pytest.raises(bc.BayescombError, match=r"budget.csv:2: .*0xe9.*latin-1.*save the file as UTF-8"):
        bc.load(model)


@pytest.mark.parametrize("file", ["model.toml", "budget.csv"])
@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (lambda text: text.encode("utf-16-le"), "zero bytes found, .*save the file as UTF-8"),
        (lambda text: text.encode("utf-32"), "zero bytes found, .*save the file as UTF-8"),
        (lambda text: b"PK\x03\x04" + text.encode(), "a spreadsheet or an archive found, .*export the sheet as CSV"),
    ],
)
def test_file_that_is_no_text_says_what_it_is(tmp_path, file, encoded, said):
    model = folder(tmp_path / "m")
    (model / file).write_bytes(encoded((model / file).read_text()))
    with pytest.raises(bc.BayescombError, match=rf"{file}.*: {said}"):
        bc.load(model)


@pytest.mark.parametrize("file", ["model.toml", "budget.csv"])
def test_folder_in_place_of_a_file_says_so(tmp_path, file):
    model = folder(tmp_path / "m")
    (model / file).unlink()
    (model / file).mkdir()
    with pytest.raises(bc.BayescombError, match=rf"{file}: a folder found, a file is needed"):
        bc.load(model)


def test_correlation_that_rounding_left_above_1_is_1():
    checks.check_correlation([[float(np.nextafter(1, 2)), 0.5], [0.5, 1.0]], names=["a", "b"], where="c")
    assert checks.check_correlation_entry(1 + 1e-12, where="c") == 1.0
    with pytest.raises(bc.BayescombError, match=r"1\.00001 found, a correlation lies in"):
        checks.check_correlation_entry(1.00001, where="c")


def test_warning_points_to_the_line_of_the_caller(tmp_path):
    blocks = {
        "a.txt": ["[not fitted]", "jes stat", "a 3.0 12.0", "[end not fitted]", "[estimates]", "n_estimates = 1",
                  "name_0 = a", "value_0 = 100", "[end estimates]", "[systematics]", "[end systematics]"],
        "b.txt": ["[global]", "[end global]", "[inputs]", "nFiles = 1", "file0 = a.txt", "file1 = c.txt", "[end inputs]",
                  "[observables]", "x = a", "[end observables]", "[correlations]", "[end correlations]"],
    }  # fmt: skip
    for name, lines in blocks.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    with pytest.warns(bc.InputWarning, match="lies beyond nFiles") as of_convino:
        bc.load(tmp_path / "b.txt")
    with pytest.warns(bc.InputWarning, match="odd") as of_hepdata:
        hepdata_checks.report([hepdata_checks.Finding(message="odd", wrong=False)], where="Table 1")
    assert {w.filename for w in [*of_convino, *of_hepdata]} == {__file__}


def test_json_on_standard_output_is_alone_there(tmp_path, capsys):
    assert main(["profile", str(folder(tmp_path / "m")), "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert set(json.loads(captured.out)["parameters"]) == {"sigma_tt", "sigma_t"}
    assert "assumption set 'nominal'" in captured.err


def test_check_says_what_it_read(tmp_path, capsys):
    assert main(["check", str(folder(tmp_path / "m"))]) == 0
    said = capsys.readouterr().out
    # sqrt(3^2 + 4^2 + 7^2)
    assert any(line.split()[:6] == ["a", "a", "ATLAS", "242", "3", "8.60233"] for line in said.splitlines())
    assert "JES, CMS: 2 nuisances, uncorrelated; uncorrelated with others" in said
    assert "lumi, ATLAS: one estimate; with CMS lumi = 0.3 in [0, 0.5]" in said


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a model, and with what is given in place of one."""
    monkeypatch.chdir(tmp_path)
    good = folder(tmp_path / "good")
    for name in ("empty", "tables", "renamed"):
        (tmp_path / name).mkdir()
    (tmp_path / "tables" / "budget.csv").write_text(BUDGET)
    (tmp_path / "renamed" / "mine.toml").write_text(MODEL)
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.write(good / "model.toml", "model.toml")
    (tmp_path / "posterior.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["profile", "empty"], "empty/model.toml: no such file; the folder is empty"),
        (["profile", "tables"], "bayescomb init NAME --from tables/budget.csv makes a model of a table"),
        (["profile", "renamed"], "renamed/model.toml: no such file; name the model itself: renamed/mine.toml"),
        (["profile", "."], "model.toml: no such file; name one of the models in it: good"),
        (["profile", "tables/budget.csv"], "a table found, a model is needed; bayescomb init NAME --from tables/budget.csv"),
        (["profile", "good.zip"], "a model in an archive is unpacked first"),
        (["profile", "posterior.nc"], "a posterior found, a model is needed; give the posterior after the model"),
        (["compare", "posterior.nc", "good"], "good: a folder found, the file of a posterior is needed"),
        (["profile", "https://www.hepdata.net/record/1"], "an address found, a file is needed; download it first"),
        (["profile", "run1_mass"], "a shipped model? bayescomb models copy run1_mass"),
        (["profile", "good", "--coefficient", "lumi=0,2"], "lumi=0,2: decimal comma? NAME=VALUE is needed"),
        (
            ["profile", "good", "--without", "CMS"],
            "an experiment found, a measurement is needed; give --without once for each of 'b', 'c'",
        ),
        (["convert", "good", "good"], "model.toml: there already; choose another place, move it away, or overwrite it"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("place")
def test_what_is_given_in_place_of_a_model(capsys, words, said):
    assert main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["good"], "no command 'good'; the command comes before the model, as in: bayescomb profile good"),
        (["help", "profile"], "'bayescomb COMMAND --help' shows the options of a command"),
        (["PROFILE", "good"], "no command 'PROFILE'; did you mean 'profile'?"),
        (["profile", "good", "--coefficient", "lumi", "0.2"], "one word, --coefficient lumi=0.2"),
        (
            ["sample", "good", "--output", "x.nc", "--draws", "1e3"],
            "--draws: '1e3' found, a whole number is needed",
        ),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("place")
def test_words_in_another_order_or_form(capsys, words, said):
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_capitals_in_the_names_of_files(capsys):
    Path("good/budget.csv").rename("good/Budget.CSV")
    assert main(["profile", "good"]) == 2
    assert "good/budget.csv: no such file; correct the path, is 'good/Budget.CSV' meant?" in capsys.readouterr().err
    Path("good/Budget.CSV").rename("good/budget.csv")
    Path("good/model.toml").rename("good/MODEL.TOML")
    assert main(["profile", "good/MODEL.TOML"]) == 0

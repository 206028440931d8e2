"""Likelihood tables of model files: what a header says, what is refused, and what is written is read again."""

import math

import pytest
from refusals import refused
from scipy.optimize import minimize
from table_models import INTERPOLATION, counted, counting_table

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, InvalidNumberError, OptionError
from bayescomb.cli.main import main
from bayescomb.formats.likelihood_tables import read_likelihood
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import difference

HEAD = 'format = 1\nname = "tables"\nobservables = [{ name = "s", unit = "pb" }]\nsources = [{ name = "scale" }]\n'
SETS = """[[assumption_sets]]
name = "set"
coefficients = [{ name = "scale", pairs = [["scale[counts]", "scale[mass]"]], nominal = 0.5, low = 0.0, high = 0.9 }]
"""
BUDGET = "estimate,experiment,observable,value,stat,scale\ncounts,A,s,curve.csv,,0.6\nmass,B,s,7,1.5,0.8\n"
S = [0.25 * k for k in range(61)]


def curve(header="s [pb],-2 ln L", of=counted, points=S):
    return header + "\n" + "".join(f"{s!r},{of(s)!r}\n" for s in points)


@pytest.fixture
def model(tmp_path):
    """Factory of a model: what stands after the head, and files beside it."""

    def write(text, **files):
        for name, content in ({"curve": curve()} | files).items():
            (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
        (tmp_path / "model.toml").write_text(HEAD + text, encoding="utf-8")
        return tmp_path / "model.toml"

    return write


def budget(model, rows=BUDGET, **files):
    return model('within = "uncorrelated"\nbudget = { table = "budget.csv" }\n' + SETS, budget=rows, **files)


MEASUREMENTS = """[[measurements]]
name = "counts"
experiment = "A"
estimates = [{ name = "counts", likelihood = "curve.csv", observable = "s" }]
responses = "shifts.csv"
nuisances = [{ name = "scale[counts]", source = "scale" }]

[[measurements]]
name = "mass"
experiment = "B"
estimates = [{ name = "mass", value = 7, observable = "s" }]
statistical = [1.5]
responses = "other.csv"
nuisances = [{ name = "scale[mass]", source = "scale" }]

"""


def test_a_cell_of_a_budget_and_a_key_of_a_measurement_are_one(model):
    first = bc.load(budget(model))
    second = bc.load(
        model(MEASUREMENTS + SETS, shifts="estimate,scale[counts]\ncounts,0.6\n", other="estimate,scale[mass]\nmass,0.8\n")
    )
    assert first.tables == second.tables
    assert first.tables[0].rises == counting_table().rises
    a, b = bc.profile(first), bc.profile(second)
    assert (a.values.item(), a.chi2) == (b.values.item(), b.chi2)


@pytest.mark.parametrize(
    ("header", "of"),
    [
        ("s,-2 ln L", lambda x: x),
        ("s,Δχ²", lambda x: x),
        ("s,\N{MINUS SIGN}2 Δ log L", lambda x: x - 3),
        ("s,2*deltaNLL", lambda x: x),
        ("s [pb],-ln L", lambda x: x / 2 + 7),
        ("s,deltaNLL", lambda x: x / 2),
        ("s,ln L", lambda x: -x / 2 - 11),
        ("s,L", lambda x: 1e-3 * math.exp(-x / 2)),
    ],
)
def test_the_header_says_what_it_is(tmp_path, header, of):
    path = tmp_path / "curve.csv"
    path.write_text(curve(header, lambda s: of(counted(s))), encoding="utf-8")
    table = read_likelihood(path, unit="pb")
    for s in (1.0, 4.3, 9.0):
        assert table.rise(s) == pytest.approx(counting_table().rise(s), abs=1e-9)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (curve("s,height"), FileFormatError, ("curve.csv, header", "'height'", "-2 ln L", "NLL")),
        (curve("s [fb],-2 ln L"), FileFormatError, ("unit 'fb' of 's'", "'pb'", "convert")),
        ("s,a,-2 ln L\n1,2,3\n", FileFormatError, ("'a'", "two are needed")),
        ("s,-2 ln L\n0,1\n1,0\n1,0.5\n2,3\n", InvalidNumberError, ("curve.csv:4", "the point 1", "curve.csv:3")),
        ("s,-2 ln L\n0,1\n1,x\n2,3\n3,8\n", InvalidNumberError, ("curve.csv:3, column '-2 ln L'", "'x'")),
        ("s,L\n0,1\n1,0\n2,3\n3,8\n", InvalidNumberError, ("curve.csv:3", "above 0")),
        ("s,-2 ln L\n0,1\n1,0\n2,3\n", InvalidNumberError, ("curve.csv: likelihood table", "3 points", "needs 4")),
        ("s,-2 ln L\n0,1\n1,0\n2,3\n3,1\n4,5\n", InvalidNumberError, ("curve.csv", "turns at", "one minimum")),
    ],
)
def test_a_file_that_is_no_likelihood_is_refused_with_its_line(tmp_path, content, error, words):
    path = tmp_path / "curve.csv"
    path.write_text(content, encoding="utf-8")
    with refused(error, *words):
        read_likelihood(path, unit="pb")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{ name = "a", likelihood = "curve.csv", value = 2, observable = "s" }]', ("value beside likelihood",)),
        ('[{ name = "a", observable = "s" }]', ("missing key 'value'", "likelihood = FILE")),
        ('[{ name = "a", likelihood = "curve.csv", observable = "s" }]\nstatistical = [1]', ("statistical found beside",)),
        (
            '[{ name = "a", likelihood = "curve.csv", observable = "s" }, { name = "b", value = 2, observable = "s" }]',
            ("'b' with a value found beside", "a measurement of its own"),
        ),
        ('[{ name = "a", likelihood = "absent.csv", observable = "s" }]', ("absent.csv", "no such file")),
    ],
)
def test_a_measurement_with_one_says_its_error_nowhere_else(model, text, words):
    with refused(FileFormatError, *words):
        bc.load(model(f'[[measurements]]\nname = "m"\nestimates = {text}\n[[assumption_sets]]\nname = "set"\n'))


def test_a_statistical_error_beside_one_is_refused(model):
    with refused(InvalidNumberError, "budget.csv:2", "'stat'", "beside a likelihood table"):
        bc.load(budget(model, rows=BUDGET.replace("curve.csv,,", "curve.csv,2,")))


def test_what_is_written_is_read_again(model, tmp_path):
    combination = bc.load(budget(model))
    written = write_model(combination, tmp_path / "written")
    assert difference(combination, bc.load(written)) == ""


def test_a_measurement_has_several_that_one_source_moves(model, tmp_path):
    """Of two quantities, with a two-sided shift of one of them; written and read again, it is the same."""
    text = """[[measurements]]
name = "both"
experiment = "A"
estimates = [
  { name = "first", likelihood = "curve.csv", observable = "s" },
  { name = "twice", likelihood = "other.csv", observables = { s = 2.0 } },
]
responses = "shifts.csv"
nuisances = [{ name = "scale", source = "scale" }]

[[assumption_sets]]
name = "set"
"""
    other = curve("t,NLL", lambda t: counted(t / 2) / 2, [2 * s for s in S])
    path = model(text, other=other, shifts="estimate,scale\nfirst,0.6\ntwice,+0.8/-0.5\n")
    combination = bc.load(path)
    assert combination.tables[1].minimum == pytest.approx(2 * combination.tables[0].minimum, rel=1e-6)
    assert difference(combination, bc.load(write_model(combination, tmp_path / "written"))) == ""

    def chi2(p):
        s, scale = p
        return counted(s - 0.6 * scale) + counted(s - (0.4 if scale > 0 else 0.25) * scale) + scale**2

    found = minimize(chi2, [5.0, 0.1], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    fit = bc.profile(combination)
    assert fit.chi2 == pytest.approx(found.fun, abs=2 * INTERPOLATION)
    assert fit.values.item() == pytest.approx(found.x[0], abs=0.01)


def test_convino_files_cannot_hold_one(model, tmp_path):
    with refused(OptionError, "'counts'", "likelihood table", "model.toml"):
        bc.convert(budget(model), tmp_path / "base.txt")


def test_commands_say_what_they_read(model, capsys):
    path = str(budget(model))
    assert main(["check", path]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "counts: likelihood at 61 points from 0 to 15, lowest at 5.5, higher by 1 at" in said
    assert "without every second point -2 ln L changes by up to" in said
    assert main(["table", path]) == 0
    assert "likelihood of counts as a table" in " ".join(capsys.readouterr().out.split())

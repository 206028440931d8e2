"""``parameters``, formulas and ``derived`` of a model file: read, written and read again, and refused with the place."""

import pytest
from refusals import changed, refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    FormulaError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_from_json, combination_to_json

MODEL = """
format = 1
name = "lifetimes"
parameters = [
  { name = "tau_s", unit = "ps" },
  { name = "k", title = "scale", prior = { shape = "lognormal", median = 1.0, sigma = 0.02 } },
  { name = "h", prior = { shape = "uniform", low = 0, high = 5.0 }, start = 1.5 },
]
observables = [
  { name = "Gamma_s", unit = "1/ps", formula = "k / tau_s" },
  { name = "Gamma d", unit = "1/ps" },
  { name = "diff", unit = "1/ps", formula = "Gamma_s - `Gamma d`" },
]
derived = [{ name = "R", title = "ratio", formula = "Gamma_s / `Gamma d`" }]

[[measurements]]
name = "A"
estimates = [
  { name = "a1", value = 1.5, observable = "tau_s" },
  { name = "a2", value = 0.66, observable = "Gamma_s" },
  { name = "a3", value = 2.0, observables = { h = 2.0, k = 1.0 } },
]
statistical = [0.05, 0.02, 0.3]

[[measurements]]
name = "B"
estimates = [
  { name = "b1", value = 0.65, observable = "Gamma d" },
  { name = "b2", value = 0.01, observable = "diff" },
]
statistical = [0.01, 0.01]

[[assumption_sets]]
name = "none"
"""


def writer(folder, text):
    def write(old="", new=""):
        path = folder / "model.toml"
        path.write_text(changed(text, old, new), encoding="utf-8")
        return path

    return write


@pytest.fixture
def model_file(tmp_path):
    return writer(tmp_path, MODEL)


def test_a_file_with_parameters_is_read(model_file):
    found = bc.load(model_file())
    assert [o.name for o in found.results] == ["tau_s", "k", "h", "Gamma_s", "Gamma d", "diff", "R"]
    assert [o.name for o in found.variables] == ["tau_s", "k", "h", "Gamma d"]
    assert found.parameters[1] == bc.Parameter(
        name="k", title="scale", prior=bc.ParameterPrior(shape="lognormal", median=1.0, sigma=0.02)
    )
    assert (found.parameters[2].start, found.parameters[2].prior.bounds) == (1.5, (0.0, 5.0))
    assert [m.name for m in found.measurements] == ["A", "B", "prior of k"]
    assert found.derived == (bc.Observable(name="R", title="ratio", formula="Gamma_s / `Gamma d`"),)


def test_it_is_written_and_read_again(model_file, tmp_path):
    found = bc.load(model_file())
    again = bc.load(write_model(found, tmp_path / "copy"))
    assert combination_to_json(again) == combination_to_json(found)


def test_a_file_may_have_parameters_alone(tmp_path):
    path = tmp_path / "alone.toml"
    path.write_text(
        'format = 1\nname = "x"\nparameters = [{ name = "x" }]\nmeasurements = [{ name = "m", statistical = [0.5], '
        'estimates = [{ name = "e", value = 1.0, observable = "x" }] }]\nassumption_sets = [{ name = "none" }]\n',
        encoding="utf-8",
    )
    assert bc.profile(bc.load(path)).values.to_series().to_dict() == {"x": 1.0}


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ('formula = "k / tau_s"', 'formula = "k / taus"', UnknownNameError, ["'Gamma_s'", "'taus'", "tau_s"]),
        ('formula = "k / tau_s"', 'formula = "k / (tau_s"', FormulaError, ["'Gamma_s'", "k / (tau_s", "character"]),
        ('{ name = "diff", unit = "1/ps"', '{ name = "diff", unit = "ps"', FormulaError, ["'diff'", "ps^-1"]),
        ('formula = "k / tau_s"', "formula = 3", FileFormatError, ["observables['Gamma_s']", "formula"]),
        ('shape = "lognormal"', 'shape = "gamma"', OptionError, ["parameters['k'].prior", "'gamma'", "lognormal"]),
        ("median = 1.0, ", "", FileFormatError, ["parameters['k'].prior", "median"]),
        ("median = 1.0, ", "median = 1.0, sd = 2.0, ", UnknownNameError, ["parameters['k'].prior", "'sd'"]),
        ("median = 1.0", "median = -1.0", bc.BayescombError, ["parameters['k'].prior", "-1"]),
        ('{ shape = "uniform", low = 0, high = 5.0 }', "5.0", FileFormatError, ["parameters['h']: prior", "a table"]),
        (', title = "scale"', ", colour = 1", UnknownNameError, ["parameters['k']", "'colour'"]),
        (', formula = "Gamma_s / `Gamma d`"', "", FileFormatError, ["derived['R']", "formula"]),
        ("observables = { h = 2.0, k = 1.0 }", "observables = { j = 2.0 }", UnknownNameError, ["a3", "'j'"]),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(model_file, old, new, error, said):
    path = model_file(old, new)
    with pytest.raises(error) as caught:
        bc.load(path)
    assert all(fragment in str(caught.value) for fragment in (str(path), *said)), str(caught.value)


CURVES = """
format = 1
name = "mass"
curves = [
  { name = "table 13", argument_unit = "GeV", table = "s.csv", x = "m_t", y = "sigma", rows = { set = "A", member = 0 } },
  { name = "line", x = [0.0, 1, 2.0], y = [1.0, 3.0, 5.0], degree = 1, beyond = "straight" },
]
parameters = [{ name = "m_t", unit = "GeV" }]
observables = [{ name = "sigma", unit = "pb", formula = "`table 13`(m_t) * line(0 * m_t / 172.5)" }]

[[measurements]]
name = "A"
estimates = [{ name = "a", value = 812.0, observable = "sigma" }]
statistical = [5.0]

[[assumption_sets]]
name = "none"
"""
# Values of member 1 and set B are for nobody to use.
TABLE = "set,member,m_t,sigma\n" + "".join(
    f"{name},{member},{m},{830 - 20 * (m - 172.5) if (name, member) == ('A', '0.0') else 1}\n"
    for name in "AB"
    for member in ("0.0", "1")
    for m in (170.0, 172.0, 173.0, 175.0)
)


@pytest.fixture
def curve_file(tmp_path):
    (tmp_path / "s.csv").write_text(TABLE, encoding="utf-8")
    return writer(tmp_path, CURVES)


def test_curves_are_columns_of_a_table_or_numbers(curve_file, tmp_path):
    found = bc.load(curve_file())
    assert found.curves == (
        bc.Curve(name="table 13", x=(170, 172, 173, 175), y=(880, 840, 820, 780), argument_unit="GeV"),
        bc.Curve(name="line", x=(0, 1, 2), y=(1, 3, 5), kind="polynomial", degree=1, beyond="straight"),
    )
    # 830 - 20 (m_t - 172.5) = 812
    assert bc.profile(found).values.sel(parameter="m_t").item() == pytest.approx(173.4, rel=1e-9)
    again = bc.load(write_model(found, tmp_path / "copy"))
    assert combination_to_json(again) == combination_to_json(found)
    assert combination_to_json(combination_from_json(combination_to_json(found))) == combination_to_json(found)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("member = 0 }", "member = 7 }", FileFormatError, ["curves['table 13']", "no rows with set = A, member = 7"]),
        (', rows = { set = "A", member = 0 }', "", InvalidNumberError, ["curves['table 13']", "170 stands twice"]),
        ('table = "s.csv"', 'table = "other.csv"', FileFormatError, ["other.csv", "no such file"]),
        ('table = "s.csv", ', "", FileFormatError, ["curves['table 13']", "rows found without a table"]),
        ('y = "sigma"', 'y = "xsec"', FileFormatError, ["missing column 'xsec'"]),
        ("x = [0.0, 1, 2.0]", 'x = "m_t"', FileFormatError, ["curves['line']", "'m_t' found without a table"]),
        ("x = [0.0, 1, 2.0]", "x = [0.0, true, 2.0]", InvalidNumberError, ["curves['line']", "x[1]"]),
        ("x = [0.0, 1, 2.0]", "x = [0.0, 1]", InvalidMatrixError, ["curves['line']", "values of curve 'line'"]),
        ('beyond = "straight"', 'beyond = "flat"', OptionError, ["curves['line']", "'flat'", "straight"]),
        ("degree = 1", 'kind = "spline"', OptionError, ["curves['line']", "'spline'", "monotone"]),
        ("degree = 1", "degree = 1.5", OptionError, ["curves['line']", "1.5"]),
        ('name = "line"', 'name = "exp"', DuplicateNameError, ["'exp' stands twice"]),
        ("line(0", "lines(0", FormulaError, ["'sigma'", "'lines'", "table 13, line"]),
        ('argument_unit = "GeV"', 'argument_unit = "MeV"', FormulaError, ["'table 13'", "GeV", "MeV"]),
        ("degree = 1", "color = 1", UnknownNameError, ["curves['line']", "'color'"]),
    ],
)
def test_curves_that_are_wrong_are_refused_with_their_place(curve_file, old, new, error, said):
    path = curve_file(old, new)
    with refused(error, str(path.parent), *said):
        bc.load(path)


def test_convino_files_are_refused(model_file, tmp_path):
    with refused(OptionError, "'tau_s'", "use a model.toml"):
        bc.convert(model_file(), tmp_path / "out.txt")

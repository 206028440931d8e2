"""``parameters``, formulas and ``derived`` of a model file: read, written and read again, and refused with the place."""

import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, FormulaError, OptionError, UnknownNameError
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_to_json

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


@pytest.fixture
def model_file(tmp_path):
    def write(old="", new=""):
        assert MODEL.count(old) == 1 or not old
        path = tmp_path / "model.toml"
        path.write_text(MODEL.replace(old, new) if old else MODEL, encoding="utf-8")
        return path

    return write


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
        ('{ shape = "uniform", low = 0, high = 5.0 }', "5.0", FileFormatError, ["parameters['h'].prior", "a table"]),
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


def test_convino_files_are_refused(model_file, tmp_path):
    with refused(OptionError, "'tau_s'", "use a model.toml"):
        bc.convert(model_file(), tmp_path / "out.txt")

"""Text tables of averagetools: its own examples with what that program prints for them, and what is refused."""

import numpy as np
import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InputWarning,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.formats.averagetools.table import read_averagetools
from bayescomb.formats.toml.model_writer import write_model

# The inputs of the program's unit tests testBlue.py and testAverageDataParser.py (github.com/skluth), which state values,
# errors, letters and covariances.
DATA = """# three masses
[Data]
names:  Val1  Val2  Val3
values: 171.5 173.1 174.5
00stat: 0.3   0.33  0.4   c
01err1: 1.1   1.3   1.5   m
02err2: 0.9   1.5   1.9   m
03err3: 2.4   3.1   3.5   p
04err4: 1.4   2.9   3.3   f
[Covariances]
00stat: 1. 0. 0.
        0. 1. 0.
        0. 0. 1.
01err1: p p p p p p p p p
02err2: f f f
        f f f
        f f f
"""
# What it prints for them (testBlue.py).
AVERAGE, CHI2 = 170.70919692, 0.770025093468
WEIGHTS = (1.3390306603614366, -0.16163492961906992, -0.17739573074236697)
PARTS = {"err1": 1.132605331048375, "err2": 0.62562331148619099, "err3": 2.5071108260136228, "err4": 0.82049571716089753}
STATISTICAL, TOTAL = 0.4114006127938109, 2.9668615983552984

OPTIONS = """[Data]
names = Val1 Val2 Val3
values = 171.5 173.1 174.5
00stat = 0.2 0.22 0.3 u%
01erra = 1.1 1.3 1.5 gp%
02errb = 0.9 1.5 1.9 gp
03errc = 2.4 3.1 3.5 gpr
"""
# Its covariances for these (testAverageDataParser.py).
COVARIANCES = (
    [[0.117649, 0, 0], [0, 0.14502387, 0], [0, 0, 0.27405225]],
    [[3.55888225, 3.55888225, 3.55888225], [3.55888225, 5.06385009, 3.55888225], [3.55888225, 3.55888225, 6.85130625]],
    [[0.81, 0.81, 0.81], [0.81, 2.25, 0.81], [0.81, 0.81, 3.61]],
    [[5.76, 5.81373761, 5.86075802], [5.81373761, 9.61, 5.91543564], [5.86075802, 5.91543564, 12.25]],
)


@pytest.fixture
def table(tmp_path):
    def write(text, name="table.txt"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def covariance(combination):
    names = [e.name for e in combination.estimates]
    return bc.profile(combination.saturated()).covariance.sel(parameter=names, parameter_b=names).to_numpy()


def test_its_own_example_has_its_own_result(table):
    combination = bc.load(table(DATA))
    fit = bc.profile(combination)
    assert fit.values.item() == pytest.approx(AVERAGE, abs=1e-8)
    assert fit.chi2 == pytest.approx(CHI2, abs=1e-11)
    np.testing.assert_allclose(fit.weights.to_numpy()[0], WEIGHTS, rtol=1e-10)
    assert (fit.statistical_errors.item(), fit.errors.item()) == pytest.approx((STATISTICAL, TOTAL), rel=1e-10)
    found = bc.impacts(combination).sources
    for name, part in PARTS.items():
        assert found.sel(source=name).item() == pytest.approx(part, rel=1e-10)


def test_letters_make_its_covariances(table):
    """Its numbers have eight decimals."""
    np.testing.assert_allclose(covariance(bc.load(table(OPTIONS))), sum(map(np.array, COVARIANCES)), atol=5e-8)


@pytest.mark.parametrize(
    ("letters", "off", "extra"),
    [
        ("u", 0.0, ""),
        ("f", 2.0, ""),
        ("a", -2.0, ""),
        ("p", 1.0, ""),
        ("c", 1.2, "[Covariances]\njes = 1 0.6 0.6 1\n"),
        ("co", 1.0, "[Covariances]\njes = 1 0.6 0.6 1\n"),
        ("m", -2.0, "[Covariances]\njes = u a a u\n"),
        # the covariance times the correlation and the factor: 2 * 1 * 0.5
        ("f", 1.0, "[Globals]\ncorrelationfactor = 0.5\n"),
        ("c", 0.36, "[Covariances]\njes = 1 0.6 0.6 1\n[Globals]\ncorrelationfactor = 0.5\n"),
    ],
)
def test_each_letter(table, letters, off, extra):
    path = table(f"[Data]\nnames = A B\nvalues = 10 12\nstat = 1 1 u\njes = 1 2 {letters}\n{extra}")
    np.testing.assert_allclose(covariance(bc.load(path)), [[2.0, off], [off, 5.0]], rtol=1e-12, atol=1e-12)


# Valassi's example as that program prints it (testBlue.py, test_valassi1): averages 10.8 and 11.75, pulls -0.3, 0.9,
# -0.75, 0.75 and errors 0.9487, 2.1213, from which values and errors follow.
GROUPS = "[Data]\nnames = BeA BeB BtauA BtauB\nvalues = 10.5 13.5 9.5 14.0\ngroups = a a b b\nstat = 1 3 3 3 u\n"


def test_groups_are_observables(table):
    fit = bc.profile(bc.load(table(GROUPS)))
    assert list(fit.values["parameter"].to_numpy()) == ["a", "b"]
    np.testing.assert_allclose(fit.values, [10.8, 11.75], atol=5e-5)
    np.testing.assert_allclose(fit.errors, [0.9487, 2.1213], atol=5e-5)
    assert fit.chi2 == pytest.approx(2.02, abs=5e-3)
    np.testing.assert_allclose(fit.weights, [[0.9, 0.1, 0, 0], [0, 0, 0.5, 0.5]], atol=5e-5)


def test_a_model_file_names_observables_and_experiments(table, tmp_path):
    table(GROUPS)
    (tmp_path / "model.toml").write_text(
        'format = 1\nname = "m"\nobservables = [{ name = "B_e", unit = "%" }, { name = "B_tau", unit = "%" }]\n'
        'averagetools = { table = "table.txt", observables = { a = "B_e", b = "B_tau" }, experiments = { BeA = "A" } }\n'
        '[[assumption_sets]]\nname = "nominal"\n',
        encoding="utf-8",
    )
    combination = bc.load(tmp_path / "model.toml")
    assert [m.experiment for m in combination.measurements] == ["A", "BeB", "BtauA", "BtauB"]
    np.testing.assert_allclose(bc.profile(combination).values, [10.8, 11.75], atol=5e-5)


def test_it_is_written_as_a_model(table, tmp_path):
    combination = bc.load(table(DATA))
    written = bc.load(write_model(combination, tmp_path / "model"))
    assert bc.profile(written).values.item() == pytest.approx(AVERAGE, abs=1e-8)


def test_multiplicative_errors_are_read_as_its_linear_average_does(table):
    with pytest.warns(InputWarning, match="'r' is multiplicative in the fit"):
        read_averagetools(table("[Data]\nnames = A B\nvalues = 10 12\nstat = 1 1 u\nlumi = 1 2 fr\n"))


def test_a_value_of_zero_has_no_relative_error(table):
    """`gpr`: r = min(1 / 10, 2 / 12) from the other values; r^2 x_i x_j is 0 where a value is."""
    read = read_averagetools(table("[Data]\nnames = A B C\nvalues = 10 12 0\nstat = 1 1 1 u\njes = 1 2 3 gpr\n"))
    expected = np.array([[1, 0.01 * 10 * 12, 0], [1.2, 4, 0], [0, 0, 9]]) / np.outer([1, 2, 3], [1, 2, 3])
    np.testing.assert_allclose(read.blocks[0].correlation, expected, rtol=1e-14)


HEAD = "[Data]\nnames = A B\nvalues = 10 12\nstat = 1 1 u\n"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (HEAD + "jes = 1 2\n", FileFormatError, (":5", "2 words", "letters")),
        (HEAD + "jes = 1 x u\n", InvalidNumberError, (":5", "'x'")),
        (HEAD + "jes = 1 -2 u\n", InvalidNumberError, (":5", "1, -2")),
        (HEAD + "jes = 1 2 z\n", OptionError, (":5", "'z'", "gpr")),
        (HEAD + "jes = 1 2 fR\n", OptionError, (":5", "error on the error", "errors_on_errors")),
        (HEAD + "jes = 1 2 fq\n", OptionError, (":5", "scaled to the average")),
        (HEAD + "jes = 1 2 c\n", FileFormatError, ("[Covariances]",)),
        (HEAD + "jes = 1 2 c\n[Covariances]\njer = 1\n", FileFormatError, (":5", "no key 'jes'")),
        (HEAD + "jes = 1 2 c\n[Covariances]\njes = 1 0 0\n", FileFormatError, (":7", "3 entries", "2 x 2")),
        (HEAD + "jes = 1 2 c\n[Covariances]\njes = 1 0.5 0.4 1\n", InvalidMatrixError, (":7",)),
        (HEAD + "jes = 1 2 m\n[Covariances]\njes = u f p u\n", InvalidMatrixError, (":7", "not symmetric")),
        (HEAD + "jes = 1 2 m\n[Covariances]\njes = u k k u\n", UnknownNameError, (":7", "'k'")),
        (HEAD + "jes = 1 0 gp\n", InvalidMatrixError, (":5", "'gp'", "'p'")),
        (HEAD.replace("10 12", "0 0") + "jes = 1 2 gpr\n", InvalidMatrixError, (":5", "all values are 0", "'gp'")),
        (HEAD + "01jes = 1 2 u\n02jes = 1 2 u\n", DuplicateNameError, (":6", "'jes'", ":5")),
        (HEAD + "stat = 1 2 u\n", DuplicateNameError, (":5", "'stat' stands twice")),
        (HEAD.replace("stat", "syst"), FileFormatError, ("holds 'stat'",)),
        (HEAD.replace("10 12", "10"), FileFormatError, (":3", "1 numbers", "2 are needed")),
        (HEAD.replace("A B", "A A"), DuplicateNameError, (":2", "'A'")),
        (HEAD + "groups = a\n", FileFormatError, (":5", "1 groups", "2 names")),
        (HEAD + "nonsense\n", FileFormatError, (":5", "'nonsense'")),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(table, text, error, words):
    path = table(text)
    with refused(error, path.name, *words):
        read_averagetools(path)

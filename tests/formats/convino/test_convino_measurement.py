"""Convino measurement files: tables, types, estimates and post-fit values."""

import numpy as np
import pytest
from convino_files import LEFT, RIGHT, Files

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidNumberError,
    OptionError,
    UnderdeterminedError,
    UnknownNameError,
)


def left(combination):
    return combination.measurements[0]


def right(combination):
    return combination.measurements[1]


def test_external_table_gives_statistics_and_shifts(tmp_path):
    measurement = left(Files(tmp_path).load())
    assert measurement.name == "left"
    assert [(e.name, e.value, dict(e.observables)) for e in measurement.estimates] == [
        ("l_mass", 172.5, {"mass": 1.0}),
        ("l_rate", 12.0, {"l_rate": 1.0}),
    ]
    assert measurement.statistical_covariance.tolist() == [[9.0, 0.0], [0.0, 0.2**2]]
    assert measurement.responses.tolist() == [[1.5, 2.0], [0.5, 0.1]]
    assert measurement.down_responses.tolist() == [[-1.5, -1.0], [-0.5, -0.1]]
    assert measurement.nuisances == (bc.Nuisance(name="l_scale"), bc.Nuisance(name="l_model", response="relative"))


def test_matrix_gives_the_fit_and_the_table_what_comes_on_top(tmp_path):
    measurement = right(Files(tmp_path).load())
    assert [n.name for n in measurement.fit.nuisances] == ["r_scale", "r_tagging"]
    assert measurement.fit.pulls.tolist() == [0.0, -0.4]
    assert measurement.responses.tolist() == [[-0.2], [0.7]]
    assert measurement.down_responses is None
    assert measurement.statistical_covariance is None


def test_symmetric_entries_in_either_form_are_symmetric_responses(tmp_path):
    files = Files(tmp_path).edit("left.txt", "(+2-1)", "(+2-2)")
    assert left(files.load()).down_responses is None


def test_matrix_of_the_estimates_alone_gives_correlated_statistics(tmp_path):
    files = Files(tmp_path, left="[hessian]\nl_mass 0.25\nl_rate -0.5 25\n[end hessian]\n" + LEFT.replace("stat", "jets"))
    measurement = left(files.load())
    assert measurement.fit.nuisances == ()
    assert measurement.fit.information.tolist() == [[0.25, -0.5], [-0.5, 25.0]]
    assert [n.name for n in measurement.nuisances] == ["l_scale", "l_model", "jets"]


@pytest.mark.parametrize(
    ("cell", "up", "down"),
    [
        ("(+5-3)", 5.0, -3.0),
        ("(-3+4)", -3.0, 4.0),
        ("(+3+2)", 3.0, 2.0),
        ("(-3-2)", -3.0, -2.0),
        ("( +5 - 3 )", 5.0, -3.0),
        ("(5-3)", 5.0, -3.0),
        ("(.5-3.)", 0.5, -3.0),
        ("(+0-0)", 0.0, 0.0),
        ("-2", -2.0, 2.0),
        ("+1.5e1", 15.0, -15.0),
    ],
)
def test_shifts_are_read_in_all_their_forms(tmp_path, cell, up, down):
    measurement = left(Files(tmp_path).edit("left.txt", "(+2-1)", cell).load())
    _, all_down = measurement.all_responses
    assert (measurement.responses[0, 1], all_down[0, 1]) == (up, down)


def test_exponents_in_brackets_belong_to_their_numbers(tmp_path):
    files = Files(tmp_path).edit("left.txt", "(+2-1)", "(+3e-1-2E-1)")
    measurement = left(files.load_warned(["left.txt:3", "Convino misreads"]))
    assert (measurement.responses[0, 1], measurement.down_responses[0, 1]) == (0.3, -0.2)


@pytest.mark.parametrize(
    "cell",
    ["nan", "inf", "-inf", "1,5", "0x10", "abc", "1_0", "1e400", "1e70", "(+5)", "(5 3)", "(+5,-3)", "(+-5-3)", "(+1e99-1)",
     "()", "--1", "\u22121", "\u0663", "5;"],
)  # fmt: skip
def test_cell_that_is_no_shift_is_refused(tmp_path, cell):
    files = Files(tmp_path).edit("left.txt", "(+2-1)", cell)
    files.refused(InvalidNumberError, "left.txt:3", "'l_mass'", "'l_model'", "found")


@pytest.mark.parametrize("cell", ["(+5-3", "+5-3)", "((+5-3))"])
def test_bracket_without_its_partner_is_refused(tmp_path, cell):
    Files(tmp_path).edit("left.txt", "(+2-1)", cell).refused(FileFormatError, "left.txt:3", "bracket")


@pytest.mark.parametrize(
    ("stat", "error"), [("0", InvalidNumberError), ("-3", InvalidNumberError), ("(+3-2)", InvalidNumberError)]
)
def test_statistical_uncertainty_must_be_above_zero(tmp_path, stat, error):
    files = Files(tmp_path).edit("left.txt", "(+2-1)   3", f"(+2-1)   {stat}")
    files.refused(error, "left.txt:3", "'l_mass'", "stat")


def test_statistical_uncertainties_are_asked_for_without_a_matrix(tmp_path):
    text = LEFT.replace("  stat\n", "\n").replace("(+2-1)   3", "(+2-1)").replace("0.1      0.2", "0.1")
    Files(tmp_path, left=text).refused(FileFormatError, "left.txt:2", "no column 'stat'", "add it")


def test_statistical_column_beside_a_matrix_is_not_read(tmp_path):
    text = RIGHT.replace("r_model\n", "r_model stat\n", 1).replace("0.7\n", "0.7 -1\n").replace("-0.2\n", "-0.2 0\n")
    combination = Files(tmp_path, right=text).load_warned(["right.txt:9", "'stat' is not read", "[hessian]"])
    assert bc.profile(combination).values.equals(bc.profile(Files(tmp_path / "plain").load()).values)


def test_statistical_column_is_read_by_its_name(tmp_path):
    text = LEFT.replace("l_scale  l_model  stat", "l_scale stat l_model")
    text = text.replace("1.5      (+2-1)   3", "1.5 3 (+2-1)").replace("0.5      0.1      0.2", "0.5 0.2 0.1")
    combination = Files(tmp_path, left=text).load_warned(["left.txt:2", "Convino misreads", "last column"])
    assert bc.profile(combination).values.equals(bc.profile(Files(tmp_path / "plain").load()).values)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("l_mass  1.5", "l_mass", FileFormatError, ["left.txt:3", "2 entries", "3 needed", "l_scale, l_model, stat"]),
        ("(+2-1)   3", "(+2-1) 3 4", FileFormatError, ["left.txt:3", "4 entries"]),
        ("l_rate  0.5", "l_mass  0.5", DuplicateNameError, ["left.txt:4", "left.txt:3"]),
        ("l_rate  0.5", "l_rat  0.5", UnknownNameError, ["left.txt:4", "'l_rat'", "did you mean 'l_rate'"]),
        ("l_scale  l_model", "l_scale  l_scale", DuplicateNameError, ["left.txt:2", "'l_scale'"]),
        ("l_scale  l_model", "l_mass  l_model", DuplicateNameError, ["left.txt:2", "'l_mass'", "left.txt:13"]),
        ("l_model  stat", "l_model  Stat", UnknownNameError, ["left.txt:2", "lower case"]),
        ("l_model  stat", "l_mod+el  stat", UnknownNameError, ["left.txt:2", "'+'"]),
        ("l_model  stat", "7  stat", UnknownNameError, ["left.txt:2", "'7'"]),
        ("  l_rate  0.5      0.1      0.2\n", "", UnknownNameError, ["left.txt:14", "'l_rate'", "no row in [not fitted]"]),
        ("  name_0 = l_mass", "  name_0 = stat", UnknownNameError, ["left.txt:13", "reserved"]),
    ],
)  # fmt: skip
def test_wrong_tables_are_refused(tmp_path, old, new, error, said):
    Files(tmp_path).edit("left.txt", old, new).refused(error, *said)


def test_table_without_rows_is_refused_and_without_lines_ignored(tmp_path):
    rows = LEFT[LEFT.index("  l_mass") : LEFT.index("[end not")]
    Files(tmp_path).edit("left.txt", rows, "").refused(FileFormatError, "left.txt:2", "no rows")
    files = Files(tmp_path, left=LEFT[LEFT.index("[systematics]") :])
    files.refused(UnderdeterminedError, "left.txt", "no uncertainties", "[not fitted]")
    files = Files(tmp_path).edit("right.txt", RIGHT[RIGHT.index("           r_model") : RIGHT.index("[end not")], "")
    files.edit("base.txt", "  l_model = (-0.3) r_model\n", "").edit("more.txt", "r_model", "r_scale")
    assert right(files.load_warned(["more.txt:2", "replaces"])).nuisances == ()


def test_column_with_the_name_of_a_matrix_row_is_refused(tmp_path):
    files = Files(tmp_path).edit("right.txt", "           r_model", "           r_scale")
    files.refused(DuplicateNameError, "right.txt:9", "'r_scale'", "right.txt:2")


@pytest.mark.parametrize(
    ("words", "free", "response"),
    [
        ("absolute", False, "absolute"),
        ("relative", False, "relative"),
        ("lognormal", False, "lognormal"),
        ("free", True, "absolute"),
        ("relative free", True, "relative"),
        ("free\tlognormal", True, "lognormal"),
    ],
)
def test_types_of_nuisances(tmp_path, words, free, response):
    files = Files(tmp_path).edit("left.txt", "l_model = relative", f"l_model = {words}")
    files.edit("base.txt", "  l_model = (-0.3) r_model\n", "")
    assert left(files.load()).nuisances[1] == bc.Nuisance(name="l_model", free=free, response=response)


def test_types_hold_for_the_nuisances_of_a_matrix_too(tmp_path):
    files = Files(tmp_path).edit("right.txt", "[systematics]\n", "[systematics]\n r_scale = relative ;\n")
    combination = files.load_warned(["right.txt:15", "semicolon"])
    assert [n.response for n in right(combination).fit.nuisances] == ["relative", "absolute"]


@pytest.mark.parametrize("words", ["Relative", "relative absolute", "free free", "relative, free", "1"])
def test_unknown_type_is_refused(tmp_path, words):
    files = Files(tmp_path).edit("left.txt", "l_model = relative", f"l_model = {words}")
    files.refused(OptionError, "left.txt:8", "allowed: absolute, relative, lognormal, free")


def test_types_are_of_known_nuisances_and_stated_once(tmp_path):
    files = Files(tmp_path).edit("left.txt", "l_model = relative", "l_mode = relative")
    files.refused(UnknownNameError, "left.txt:8", "'l_mode'", "did you mean 'l_model'")
    files = Files(tmp_path).edit("left.txt", "l_model = relative", "l_model = relative\nl_model = relative")
    files.refused(DuplicateNameError, "left.txt:9", "left.txt:8")


def test_relative_response_needs_a_measured_value(tmp_path):
    files = Files(tmp_path).edit("left.txt", "value_1 = 12", "value_1 = 0")
    files.refused(InvalidNumberError, "left.txt:7", "'l_rate'", "'l_model'", "make the nuisance absolute")


def test_semicolon_behind_a_value_is_accepted_with_a_warning(tmp_path):
    files = Files(tmp_path).edit("left.txt", "value_1 = 12", "value_1 = 12 ;").edit("left.txt", "= 2\n", "= 2;\n")
    combination = files.load_warned(["left.txt:12", "semicolon"], ["left.txt:16", "semicolon"])
    assert left(combination).estimates[1].value == 12


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("  n_estimates = 2\n", "", FileFormatError, ["left.txt:11", "no n_estimates"]),
        ("n_estimates = 2", "n_estimates = 3", FileFormatError, ["left.txt:12", "no name_2"]),
        ("  value_0 = 172.5\n", "", FileFormatError, ["left.txt:12", "no value_0"]),
        ("n_estimates = 2", "n_estimates = 2.0", InvalidNumberError, ["left.txt:12", "whole number"]),
        ("n_estimates = 2", "n_estimates = 0", InvalidNumberError, ["left.txt:12", "whole number"]),
        ("n_estimates = 2", "n_estimates = " + "9" * 50, InvalidNumberError, ["left.txt:12", "whole number"]),
        ("n_estimates = 2", "n_estimates = 1", FileFormatError, ["left.txt:15", "'l_rate'", "beyond", "has a row"]),
        ("value_1 = 12", "value_1 = 0,5", InvalidNumberError, ["left.txt:16", "'0,5'"]),
        ("value_1 = 12", "value_1 = 12 GeV", InvalidNumberError, ["left.txt:16"]),
        ("value_1 = 12", "value_1 = ;", InvalidNumberError, ["left.txt:16"]),
        ("value_1 = 12", "value_1 =", FileFormatError, ["left.txt:16", "'name = value' is needed"]),
        ("value_1 = 12", "value_1 12", FileFormatError, ["left.txt:16", "is no entry"]),
        ("value_1 = 12", "vale_1 = 12", FileFormatError, ["left.txt:12", "no value_1"]),
        ("value_1 = 12", "value_1 = 12\nvalue_01 = 12", UnknownNameError, ["left.txt:17", "did you mean"]),
        ("value_1 = 12", "value_1 = 12\nvalue_1 = 13", DuplicateNameError, ["left.txt:17", "left.txt:16"]),
        ("name_1 = l_rate", "name_1 = l_mass", DuplicateNameError, ["left.txt:15", "left.txt:13"]),
        ("name_1 = l_rate", "name_1 = l rate", UnknownNameError, ["left.txt:15", "' '"]),
        ("name_1 = l_rate", "name_1 = l_width", UnknownNameError, ["left.txt:4", "'l_rate'"]),
        ("value_1 = 12", "value_1 = 12\nabout l_rate only", FileFormatError, ["left.txt:17", "'l_rate'"]),
    ],
)  # fmt: skip
def test_wrong_estimates_are_refused(tmp_path, old, new, error, said):
    Files(tmp_path).edit("left.txt", old, new).refused(error, *said)


def test_what_estimates_do_not_need_is_warned_of(tmp_path):
    files = Files(tmp_path).edit("left.txt", "value_1 = 12", "value_1 = 12\nname_2 = other\nvalue_2 = 7\nunit = GeV\nin GeV")
    files.load_warned(
        ["left.txt:20", "'in GeV'", "not read"], ["left.txt:17", "name_2", "beyond n_estimates"], ["left.txt:18", "value_2"],
        ["left.txt:19", "unknown key 'unit'"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("r_tagging = -0.4", "r_model = -0.4", UnknownNameError, ["right.txt:26", "'r_model'", "only these have"]),
        ("r_tagging = -0.4", "r_mass = -0.4", UnknownNameError, ["right.txt:26", "'r_mass'"]),
        ("r_tagging = -0.4", "r_tagging = nan", InvalidNumberError, ["right.txt:26", "r_tagging", "nan"]),
        ("r_tagging = -0.4", "r_tagging = 1\nr_tagging = 1", DuplicateNameError, ["right.txt:27", "right.txt:26"]),
        ("r_tagging = -0.4", "r_tagging -0.4", FileFormatError, ["right.txt:26", "no entry"]),
    ],
)  # fmt: skip
def test_wrong_post_fit_values_are_refused(tmp_path, old, new, error, said):
    Files(tmp_path).edit("right.txt", old, new).refused(error, *said)


def test_post_fit_values_need_a_matrix(tmp_path):
    files = Files(tmp_path, left=LEFT + "[nuisance values]\n l_scale = 0.1\n[end nuisance values]\n")
    files.refused(UnknownNameError, "left.txt:19", "'l_scale'", "matrix block")


def test_responses_of_the_fit_are_those_of_convino(tmp_path):
    """X = xbar - k lambda with k = -M^-1 kappa."""
    information = right(Files(tmp_path).load()).fit.information
    expected = -np.linalg.solve(information[:2, :2], information[:2, 2:])
    np.testing.assert_allclose(right(Files(tmp_path).load()).fit_responses, expected)

"""``[correlations]`` of Convino base files."""

import numpy as np
import pytest
from convino_files import BASE, Files

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, InvalidNumberError, RangeError, UnderdeterminedError, UnknownNameError

LINES = BASE[BASE.index("  l_scale = (") : BASE.index("  #!FILE")]


def with_lines(tmp_path, lines):
    """The configuration with other correlations and no include; they start at line 18."""
    return Files(tmp_path).edit("base.txt", LINES, lines + "\n").edit("base.txt", "#!FILE = more.txt", "")


def coefficients(combination):
    return {c.name: c for c in combination.assumption_set.coefficients}


def test_ranges_are_uniform_priors_and_lines_scan_groups(tmp_path):
    found = Files(tmp_path).load().assumption_set.coefficients
    summary = [(c.name, c.pairs, c.nominal, c.low, c.high, c.prior, c.scan_group, c.descending) for c in found]

    def pair(first, second):
        return (bc.CorrelationPair(first=first, second=second),)

    group = "l_scale x (r_scale, r_tagging)"
    assert summary == [
        ("l_scale x r_scale", pair("l_scale", "r_scale"), 0.5, 0.0, 0.9, "uniform", group, False),
        ("l_scale x r_tagging", pair("l_scale", "r_tagging"), 0.2, -0.4, 0.4, "uniform", group, True),
        ("l_model x r_model", pair("l_model", "r_model"), -0.3, None, None, "uniform", "", False),
        ("l_scale x r_model", pair("l_scale", "r_model"), 0.1, None, None, "uniform", "", False),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "l_scale = (+0.5 & +0.1 : +0.9) r_scale + ( 0.2 ) r_model",
        "l_scale\t=\t(0.5&0.1:0.9)\tr_scale\t+(0.2)r_model\t# as agreed",
        "l_scale = (.5 & 1e-1 : 9e-1)r_scale+(2e-1)r_model",
    ],
)
def test_signs_tabs_and_blanks_do_not_matter(tmp_path, lines):
    found = coefficients(with_lines(tmp_path, lines).load())
    assert {c.name: (c.nominal, *c.range) for c in found.values()} == {
        "l_scale x r_scale": (0.5, 0.1, 0.9),
        "l_scale x r_model": (0.2, 0.2, 0.2),
    }
    assert {c.scan_group for c in found.values()} == {""}


@pytest.mark.parametrize(
    "lines",
    [
        "l_scale = (0.5) r_scale +\n  (0.2) r_model",
        "l_scale = (0.5) r_scale\n # and\n  + (0.2) r_model",
        "l_scale = (0.5)\n  r_scale + (0.2) r_model",
        "l_scale = (0.5\n ) r_scale + (0.2) r_model",
        "l_scale =\n (0.5) r_scale + (0.2) r_model",
    ],
)
def test_continued_lines_are_read_as_meant_with_a_warning(tmp_path, lines):
    at = 18 + lines.count("\n")
    found = coefficients(with_lines(tmp_path, lines).load_warned([f"base.txt:{at}", "continuation", "Convino drops it"]))
    assert {c.name: c.nominal for c in found.values()} == {"l_scale x r_scale": 0.5, "l_scale x r_model": 0.2}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("l_scale = (0.5) r_scale +", ["base.txt:18", "nothing behind"]),
        ("l_scale = + (0.5) r_scale", ["base.txt:18", "nothing before"]),
        ("l_scale = (0.5) r_scale\nwhich is an assumption", ["base.txt:19", "not read"]),
        ("l_scale = (0.5) r_scale + (1) l_scale", ["base.txt:18", "'l_scale'", "with itself"]),
        ("l_scale = (0.5 & 0.1 : 0.1) r_scale", ["base.txt:18", "range 0.1 : 0.1", "empty"]),
        ("l_scale = (0.1) r_scale\nl_scale = (0.5) r_scale", ["base.txt:19", "replaces", "base.txt:18"]),
        ("r_scale = (0.1 & 0 : 1) l_scale\nl_scale = (0.5) r_scale", ["base.txt:19", "replaces", "base.txt:18"]),
        ("l_scale = (0.1) r_scale + (0.5) r_scale", ["base.txt:18", "replaces"]),
    ],
)
def test_what_is_surely_meant_is_read_with_a_warning(tmp_path, lines, said):
    [found] = coefficients(with_lines(tmp_path, lines).load_warned(said)).values()
    assert (found.name, found.nominal, found.low) == ("l_scale x r_scale", 0.5, None)


def test_nominal_value_outside_its_range_is_warned_of(tmp_path):
    files = with_lines(tmp_path, "l_scale = (0.5 & 0.3 : -0.3) r_scale")
    [found] = coefficients(files.load_warned(["base.txt:18", "nominal value 0.5", "-0.3 : 0.3"])).values()
    assert (found.nominal, found.low, found.high, found.descending) == (0.5, -0.3, 0.3, True)


def test_included_lines_replace_those_of_the_block(tmp_path):
    files = Files(tmp_path, more="\nr_scale = (0.7) l_scale")
    found = coefficients(files.load_warned(["more.txt:2", "replaces", "base.txt:18"]))
    assert list(found) == ["l_scale x r_tagging", "l_model x r_model", "r_scale x l_scale"]
    assert found["l_scale x r_tagging"].scan_group == ""


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("l_scale = (0.5) nobody", UnknownNameError, ["'nobody'"]),
        ("nobody = (0.5) l_scale", UnknownNameError, ["'nobody'"]),
        ("l_scale = (0.5) r_scal", UnknownNameError, ["did you mean 'r_scale'"]),
        ("l_scale = (0.5) r_mass", UnknownNameError, ["'r_mass'", "is an estimate"]),
        ("l_mass = (0.5) r_scale", UnknownNameError, ["'l_mass'", "is an estimate"]),
        ("l_scale = (0.5) r_scale r_model", UnknownNameError, ["'r_scale r_model'"]),
        ("l_scale = (1.5) r_scale", RangeError, ["'l_scale' and 'r_scale'", "1.5", "[-1, 1]"]),
        ("l_scale = (0.5 & -2 : 1) r_scale", RangeError, ["-2", "[-1, 1]"]),
        ("l_scale = (0.5 & 0 : 1.0001) r_scale", RangeError, ["1.0001"]),
        ("l_scale = (nan) r_scale", InvalidNumberError, ["'nan'"]),
        ("l_scale = (0,5) r_scale", InvalidNumberError, ["'0,5'"]),
        ("l_scale = () r_scale", InvalidNumberError, ["''"]),
        ("l_scale = (0.5 & 0.1 :) r_scale", InvalidNumberError, ["''"]),
        ("l_scale = (0.5 & 0.1 : 0.2 : 0.3) r_scale", InvalidNumberError, ["0.2 : 0.3"]),
        ("l_scale = (0.5 & 0.1) r_scale", FileFormatError, ["'&' without a range"]),
        ("l_scale = 0.5 r_scale", FileFormatError, ["'0.5 r_scale' found", "(rho) nuisance"]),
        ("l_scale = (0.5) r_scale (0.2) r_model", FileFormatError, ["'(0.2) r_model' found"]),
        ("l_scale = (0.5) r_scale + r_model", FileFormatError, ["'+ r_model' found"]),
        ("l_scale = (0.5) + (0.2) r_model", FileFormatError, ["'(0.5) + (0.2) r_model' found"]),
        ("l_scale = ((0.5)) r_scale", FileFormatError, ["found"]),
        ("l_scale = (0.5) r_scale + + (0.2) r_model", FileFormatError, ["found"]),
        ("l_scale = (0.5) r_scale = absolute", UnknownNameError, ["'r_scale = absolute'"]),
        ("l_scale (0.5) r_scale", FileFormatError, ["'l_scale'", "is no entry"]),
        ("= (0.5) r_scale", FileFormatError, ["'name = value'"]),
    ],
)
def test_wrong_lines_are_refused(tmp_path, line, error, said):
    with_lines(tmp_path, f"# one line\n{line}").refused(error, "base.txt:19", *said)


def test_free_nuisance_cannot_be_correlated(tmp_path):
    files = Files(tmp_path).edit("left.txt", "l_model = relative", "l_model = free")
    files.refused(UnderdeterminedError, "base.txt:19", "'l_model'", "is free", "remove")


def test_order_of_a_pair_and_of_the_lines_does_not_matter(tmp_path):
    forward = with_lines(tmp_path, "l_scale = (0.5) r_scale\nl_model = (-0.3) r_model").load()
    backward = with_lines(tmp_path, "r_model = (-0.3) l_model\nr_scale = (0.5) l_scale").load()
    np.testing.assert_allclose(bc.profile(forward).values, bc.profile(backward).values, rtol=1e-13)

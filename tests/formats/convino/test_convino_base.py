"""Convino base files: settings, inputs, observables and impact groups."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from convino_files import BASE, LEFT, RIGHT, Files, load_quietly
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InputWarning,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
)
from bayescomb.cli.main import main
from bayescomb.formats.convino.base_file import load_convino

EXAMPLES = Path(__file__).parents[4] / "shared" / "reference" / "convino" / "examples"
OBSERVABLES = BASE[BASE.index("  mass =") : BASE.index("[end obs")]


def observables(combination):
    """Observable -> its estimates, in order."""
    return {o.name: [e.name for e in combination.estimates if o.name in e.observables] for o in combination.observables}


def test_configuration_becomes_a_combination(tmp_path):
    combination = Files(tmp_path).load()
    assert (combination.name, combination.treatment, combination.assumptions) == ("base", "nuisance", "nominal")
    assert list(combination.assumption_sets) == ["nominal"]
    assert [(m.name, m.experiment) for m in combination.measurements] == [("left", ""), ("right", "")]
    assert observables(combination) == {"mass": ["l_mass", "r_mass"], "width": ["r_width"], "l_rate": ["l_rate"]}
    assert [o.name for o in combination.observables if o.spectator] == ["l_rate"]
    assert dict(combination.impact_groups) == {"scale": ("l_scale", "r_scale"), "statistics": ("stat",)}
    assert not combination.normalise


def test_configuration_can_be_combined_and_scanned(tmp_path):
    combination = Files(tmp_path).load()
    fit = bc.profile(combination)
    assert np.isfinite([*fit.values.values, *fit.errors.values]).all()


def test_paths_are_relative_to_the_base_file_and_may_be_absolute(tmp_path, monkeypatch):
    files = Files(tmp_path / "model").edit("base.txt", "file1 = right.txt", f"file1 = {tmp_path / 'far away' / 'right.dat'}")
    files.texts[str(tmp_path / "far away" / "right.dat")] = RIGHT
    files.write()
    monkeypatch.chdir(tmp_path)
    assert [m.name for m in load_convino("model/base.txt").measurements] == ["left", "right"]
    monkeypatch.chdir(tmp_path / "model")
    assert [m.name for m in load_convino(Path("base.txt")).measurements] == ["left", "right"]


@pytest.mark.parametrize("name", ["absent.txt", "", "a\x00b", "x" * 300])
def test_base_file_that_cannot_be_read_is_named(tmp_path, name):
    with refused(FileFormatError, str(tmp_path / name)):
        load_convino(str(tmp_path / name))


def test_measurements_of_equal_file_names_get_different_names(tmp_path):
    files = Files(tmp_path).edit("base.txt", "file1 = right.txt", "file1 = other/left.dat")
    files.texts["other/left.dat"] = RIGHT
    assert [m.name for m in files.load().measurements] == ["left", "left_2"]


@pytest.mark.parametrize("line", ["normalise = true", "isDifferential = true, normalise = true,", "normalise=true # yes"])
def test_settings_stand_on_lines_or_between_commas(tmp_path, line):
    assert Files(tmp_path).edit("base.txt", "normalise = false", line).load().normalise


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("normalise = True", OptionError, ["'True'", "lower case", "Convino reads True as false"]),
        ("isDifferential = false, normalise = 1", OptionError, ["'1'", "allowed: true, false"]),
        ("normalisedInput = true", OptionError, ["normalisedInput", "not offered"]),
        ("normalize = true", UnknownNameError, ["'normalize'", "did you mean 'normalise'"]),
        ("normalise = true, normalise = false", DuplicateNameError, ["'normalise'"]),
        ("normalise", FileFormatError, ["is no entry"]),
    ],
)
def test_wrong_settings_are_refused(tmp_path, line, error, said):
    Files(tmp_path).edit("base.txt", "normalise = false", line).refused(error, "base.txt:3", *said)


def test_differential_files_without_observables_are_combined_by_position(tmp_path):
    files = Files(tmp_path).edit("base.txt", OBSERVABLES, "").edit("base.txt", "normalise = false", "isDifferential = true")
    assert observables(files.load()) == {"comb_0": ["l_mass", "r_width"], "comb_1": ["l_rate", "r_mass"]}
    files = Files(tmp_path).edit("base.txt", "normalise = false", "isDifferential = true")
    assert list(observables(files.load())) == ["mass", "width", "l_rate"]


def test_differential_files_need_the_same_number_of_estimates(tmp_path):
    files = Files(tmp_path).edit("base.txt", OBSERVABLES, "").edit("base.txt", "normalise = false", "isDifferential = true")
    files.edit("left.txt", "  l_rate  0.5      0.1      0.2\n", "").edit("left.txt", "n_estimates = 2", "n_estimates = 1")
    files.refused(FileFormatError, "base.txt:6", "same number", "left.txt: 1, right.txt: 2")


def test_without_observables_everything_is_a_spectator(tmp_path):
    combination = Files(tmp_path).edit("base.txt", OBSERVABLES, "").load()
    assert [o.name for o in combination.observables if o.spectator] == ["l_mass", "l_rate", "r_width", "r_mass"]


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("  nFiles = 2   # the older result is left.txt\n", "", FileFormatError, ["base.txt:6", "no nFiles"]),
        ("nFiles = 2", "nFiles = 3", FileFormatError, ["base.txt:7", "no file2"]),
        ("nFiles = 2", "nFiles = two", InvalidNumberError, ["base.txt:7", "whole number"]),
        ("file0 = left", "file_0 = left", FileFormatError, ["base.txt:7", "no file0"]),
        ("file1 = right.txt", "file1 = right.txt\n file_2 = a", UnknownNameError, ["base.txt:10", "did you mean"]),
        ("file1 = right.txt", "file1 = right.txt\n file1 = a", DuplicateNameError, ["base.txt:10", "base.txt:9"]),
        ("file1 = right.txt", "file1 = right.txt\n file2 a", FileFormatError, ["base.txt:10", "no entry"]),
        ("file1 = right.txt", "file1 = absent.txt", FileFormatError, ["base.txt:9", "absent.txt: no such file"]),
        ("file1 = right.txt", "file1 = left.txt", DuplicateNameError, ["base.txt:9", "left.txt", "base.txt:8"]),
        ("file1 = right.txt", "file1 = base.txt", FileFormatError, ["base.txt:9: ", "base.txt:2", "in a base file"]),
    ],
)  # fmt: skip
def test_wrong_inputs_are_refused(tmp_path, old, new, error, said):
    Files(tmp_path).edit("base.txt", old, new).refused(error, *said)


def test_what_inputs_do_not_need_is_warned_of(tmp_path):
    files = Files(tmp_path).edit(
        "base.txt", "file1 = right.txt", "file1 = right.txt\nfile2 = more.txt\ncolour = red\nas agreed"
    )
    files.load_warned(
        ["base.txt:12", "as agreed"], ["base.txt:10", "beyond nFiles"], ["base.txt:11", "unknown key 'colour'"]
    )


def test_name_of_another_file_is_refused(tmp_path):
    files = Files(tmp_path)
    files.texts["right.txt"] = RIGHT.replace("r_scale", "l_scale")
    files.refused(DuplicateNameError, "right.txt:2", "'l_scale'", "left.txt:2", "correlation of 1")


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("l_mass + r_mass", "l_mass + r_mas", UnknownNameError, ["base.txt:13", "'r_mas'", "did you mean 'r_mass'"]),
        ("l_mass + r_mass", "l_mass r_mass", UnknownNameError, ["base.txt:13", "'l_mass r_mass'"]),
        ("l_mass + r_mass", "l_mass + r_scale", UnknownNameError, ["base.txt:13", "'r_scale'", "is a nuisance"]),
        ("l_mass + r_mass", "+", FileFormatError, ["base.txt:13", "lists nothing"]),
        ("l_mass + r_mass", "", FileFormatError, ["base.txt:13", "'name = value'"]),
        ("l_mass + r_mass", "l_mass = relative", FileFormatError, ["base.txt:13", "second '='"]),
        ("width = r_width", "width = r_width + r_mass", DuplicateNameError, ["base.txt:14", "'r_mass'", "base.txt:13"]),
        ("width = r_width", "r_mass = r_width", DuplicateNameError, ["base.txt:14", "'r_mass'", "another quantity"]),
        ("width = r_width", "r_scale = r_width", DuplicateNameError, ["base.txt:14", "'r_scale'", "rename"]),
        ("width = r_width", "wi(d)th = r_width", UnknownNameError, ["base.txt:14", "'('"]),
        ("width = r_width", "r_width", FileFormatError, ["base.txt:14", "'r_width'", "is no entry"]),
        ("width = r_width", "we leave out r_width.", FileFormatError, ["base.txt:14", "'r_width'"]),
    ],
)
def test_wrong_observables_are_refused(tmp_path, old, new, error, said):
    Files(tmp_path).edit("base.txt", old, new).refused(error, *said)


def test_observable_may_bear_the_name_of_one_of_its_estimates(tmp_path):
    files = (
        Files(tmp_path).edit("base.txt", "width = r_width", "r_width = r_width").edit("base.txt", "mass = l", "l_mass = l")
    )
    combination, right = files.load(), Files(tmp_path / "right").load()
    assert [(o.name, o.spectator) for o in combination.observables[:2]] == [("l_mass", False), ("r_width", False)]
    fit, expected = bc.profile(combination), bc.profile(right)
    np.testing.assert_array_equal(fit.values, expected.values)
    np.testing.assert_array_equal(fit.covariance, expected.covariance)
    np.testing.assert_array_equal(fit.weights, expected.weights)
    # An estimate that has to be free of the observable that bears its name.
    assert [(c.name, c.chi2, c.ndf) for c in bc.compatibility(combination)] == [
        (c.name, c.chi2, c.ndf) for c in bc.compatibility(right)
    ]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("mass = l_mass + r_mass +", [["base.txt:13", "plus sign"]]),
        ("mass = l_mass\n  mass = r_mass", [["base.txt:14", "'mass'", "base.txt:13"]]),
        ("mass = l_mass +\n    r_mass", [["base.txt:14", "continuation", "Convino drops it"]]),
        ("mass = l_mass\n    + r_mass", [["base.txt:14", "continuation"]]),
        ("mass = \n l_mass\n  # or so\n\n + r_mass", [["base.txt:14", "continuation"], ["base.txt:17", "continuation"]]),
        ("mass = l_mass + r_mass = absolute", [["base.txt:13", "'= absolute'"]]),
        ("mass = l_mass + r_mass\n  these are one quantity", [["base.txt:14", "no entry", "not read"]]),
        ("mass = l_mass + r_mass + l_mass", [["base.txt:13", "'l_mass'", "counts once"]]),
    ],
)
def test_what_is_surely_meant_is_read_with_a_warning(tmp_path, new, said):
    files = Files(tmp_path).edit("base.txt", "mass = l_mass + r_mass", new)
    assert observables(files.load_warned(*said)) == observables(Files(tmp_path).load())


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("scale = l_scale + r_scale\n", "scale = l_scale + nobody\n", UnknownNameError, ["base.txt:24", "'nobody'"]),
        ("scale = l_scale + r_scale\n", "scale = l_mass\n", UnknownNameError, ["base.txt:24", "'l_mass'"]),
        ("statistics = stat", "statistics = stat + r_scale", OptionError, ["base.txt:25", "'stat'", "a group of its own"]),
        ("statistics = stat", "scale = stat", DuplicateNameError, ["base.txt:25", "'scale'", "base.txt:24"]),
        ("statistics = stat", "= stat", FileFormatError, ["base.txt:25"]),
        ("statistics = stat", "l_scale", FileFormatError, ["base.txt:25", "'l_scale'"]),
    ],
)
def test_wrong_impact_groups_are_refused(tmp_path, old, new, error, said):
    Files(tmp_path).edit("base.txt", old, new).refused(error, *said)


def test_impact_groups_read_what_is_meant(tmp_path):
    files = Files(tmp_path).edit(
        "base.txt", "statistics = stat", "no syst = STAT\n  both of it = l_scale +\n r_model + l_scale = absolute"
    )
    files.refused(UnknownNameError)  # a continuation with '=' is an entry of its own
    files = Files(tmp_path).edit(
        "base.txt", "statistics = stat", "no syst = STAT\n  both of it = l_scale +\n r_model + l_scale"
    )
    groups = dict(files.load_warned(["base.txt:27", "continuation"]).impact_groups)
    assert groups == {"scale": ("l_scale", "r_scale"), "no syst": ("stat",), "both of it": ("l_scale", "r_model")}
    files = Files(tmp_path).edit("base.txt", "= stat", "= stat = absolute")
    assert files.load_warned(["base.txt:25", "'= absolute'"]).impact_groups["statistics"] == ("stat",)


def test_blanks_of_any_kind_in_a_label_are_one_blank(tmp_path):
    files = Files(tmp_path).edit("base.txt", "  statistics =", "\tno \u00a0systematics\u2028at  all =")
    assert files.load().impact_groups["no systematics at all"] == ("stat",)


def test_base_file_without_impacts_has_no_groups(tmp_path):
    assert dict(Files(tmp_path, base=BASE[: BASE.index("[uncertainty")]).load().impact_groups) == {}


def test_warning_points_at_the_caller(tmp_path):
    path = Files(tmp_path).edit("left.txt", "value_1 = 12", "value_1 = 12;").write()
    with pytest.warns(InputWarning, match=r"left\.txt:16: the semicolon") as caught:
        load_convino(path)
    assert [w.filename for w in caught] == [__file__]


def test_warnings_made_errors_are_the_only_way_they_stop_the_reading(tmp_path):
    path = Files(tmp_path, left=LEFT.replace("= 12", "= 12;")).write()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputWarning, match=r"left\.txt:16"):
            load_convino(path)
    assert load_quietly(path).name == "base"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the worked examples of Convino are not at hand")
@pytest.mark.parametrize(
    ("name", "n_warnings", "values"),
    [("exampleconfig.txt", 7, [798.67, 306.074]), ("differential_example.txt", 1, [0.255047, 0.488325, 0.170673, 0.085955])],
)
def test_worked_examples_run_unchanged(name, n_warnings, values):
    with pytest.warns(InputWarning) as caught:
        combination = load_convino(EXAMPLES / name)
    assert len(caught) == n_warnings
    np.testing.assert_allclose(bc.profile(combination).values, values, rtol=1e-5)


def test_command_line_says_a_few_warnings_of_a_kind_and_all_on_request(tmp_path, capsys):
    prose = "\n".join(f"  remark {i} on nothing" for i in range(8))
    files = Files(tmp_path).edit("base.txt", "[end correlations]", f"{prose}\n[end correlations]")
    path = str(files.write())
    assert main(["convert", path, str(tmp_path / "a")]) == 0
    err = capsys.readouterr().err
    assert err.count("is no entry and not read") == 3
    assert "5 more warnings of these kinds; --verbose prints all" in err
    assert main(["--verbose", "convert", path, str(tmp_path / "b")]) == 0
    assert capsys.readouterr().err.count("is no entry and not read") == 8

"""Convino configurations typed by hand, through every command: figures of the C++ program, outputs, warnings, exit codes.

Figures: J. Kieseler, EPJC 77 (2017) 792, example configurations of Convino 1.2 and what the program printed for them.
"""

import json

import numpy as np
import pytest
from worked import GOLDEN, SCANS, SIMPLE

import bayescomb as bc
from bayescomb.cli.main import main

PRINTED = 1e-4  # of the six digits that are printed; Minuit stops up to 1e-5 short of its minimum
# Percent of the value.  The derivatives of the C++ program are numerical: where an input constrains a nuisance to 0.1 - 0.2
# of its prior their rounding shows as 0.3 % of impacts of 0.01 - 0.05 %, and below 1e-3 % they have two digits.
NOISE_FLOOR = 0.06

EXAMPLE = {
    "config.txt": """\
Three inputs of two quantities.
[global]
[end global]
[inputs]
  nFiles = 3
  file0 = one.txt
  file1 = two.txt
  file2 = three.txt
[end inputs]
[observables]
  combined_a = estimate_a1 + estimate_a2 + estimate_a3
  combined_b = estimate_b1 + estimate_b2 + estimate_b3
[end observables]
[correlations]
  sys_a1 = (0 & -0.9 : 0.9) sys_b2
  sys_a1 = (0.2 & -0.9 : 0.9) sys_c2 + (0.2 & 0.4 : -0.4) sys_c1
  #!FILE = more.txt
[end correlations]
[uncertainty impacts]
  a_unc = sys_a1 + sys_a2 + sys_a3
  b_unc = sys_b1 + sys_b2 + sys_b3
  data = stat
[end uncertainty impacts]
""",
    "more.txt": "sys_d2 = (0.9) sys_c1\n",
    "one.txt": """\
[not fitted]
               sys_a1  sys_b1  sys_c1  stat
  estimate_a1  5       6.1     2       6
  estimate_b1  3       1       4       2
[end not fitted]
[systematics]
  sys_a1 = absolute
  sys_c1 = relative
[end systematics]
[estimates]
  n_estimates = 2
  name_0 = estimate_a1
  value_0 = 810;
  name_1 = estimate_b1
  value_1 = 310
[end estimates]
""",
    "two.txt": """\
[correlation matrix]
  sys_a2      (1)    1
  sys_b2      (1)    0            1
  sys_c2      (1)    0            -0.2         1
  sys_d2      (1)    -.2          0.1          0            1
  estimate_a2 (10.6) 0.1826484018 0.0652968037 0.5479452055 0.105936073  1
  estimate_b2 (12.8) 0.0826484018 0.3652968037 0.1479452055 0.4305936073 0 1
[end correlation matrix]
[systematics]
  sys_c2 = relative
[end systematics]
[estimates]
  n_estimates = 2
  name_0 = estimate_a2
  value_0 = 790
  name_1 = estimate_b2
  value_1 = 290
[end estimates]
""",
    "three.txt": """\
[hessian]
  sys_a3      1944.6
  sys_b3      -1349. 1154.4
  sys_c3      1030.3 -638.6 593.45
  estimate_a3 -0.525 0.5398 -0.231 3.25e-4
  estimate_b3 -0.708 0.2706 -0.448 0 4.89e-4
[end hessian]
[not fitted]
               sys_d3  sys_e3
  estimate_a3  (+5-3)  6.1
  estimate_b3  (-3+4)  1
[end not fitted]
[systematics]
  sys_c3 = relative
[end systematics]
[estimates]
  n_estimates = 2
  name_0 = estimate_a3
  value_0 = 800
  name_1 = estimate_b3
  value_1 = 300
[end estimates]
""",
}


@pytest.fixture
def config(tmp_path):
    for name, text in EXAMPLE.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "config.txt"


@pytest.fixture
def run(tmp_path, capsys):
    """Runs a command: exit code, JSON, standard output and error."""

    def command(*words, json_output=True, expected=0):
        target = tmp_path / "out.json"
        extra = ["--json", str(target)] if json_output else []
        assert main([*map(str, words), *extra]) == expected
        captured = capsys.readouterr()
        data = json.loads(target.read_text(encoding="utf-8")) if json_output else None
        return data, captured.out, captured.err

    return command


NAMES = ("combined_a", "combined_b")


@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_profile_has_the_published_figures(config, run, form):
    data, out, err = run("profile", config, *(["--chi2", form] if form != "neyman" else []), "--minos")
    golden = GOLDEN[form]
    assert data["chi2_form"] == form
    assert f"chi2 {form}" in out
    assert data["chi2"] == pytest.approx(golden["chi2"], rel=PRINTED)
    assert data["ndf"] == 4
    for key in ("value", "up", "down"):
        assert [data["parameters"][n][key] for n in NAMES] == pytest.approx(golden[key], rel=PRINTED)
        # the errors are 5.5 and 7.6: two of their digits are one decimal
        shown = [f"{data['parameters'][n][key]:+.1f}".removeprefix("+") for n in NAMES]
        assert all(text in out for text in shown), (shown, out)
    assert "for Delta chi2 = 1" in out
    # its covariance is of the second derivatives (test_curved_profile), ours of the model linearised at the minimum
    errors = [data["parameters"][n]["error"] for n in NAMES]
    assert errors == pytest.approx(np.sqrt(np.diag(data["covariance"]["matrix"])), rel=1e-14)
    assert errors == pytest.approx(np.sqrt(np.diag(golden["covariance"])), rel=0.01)
    pulls = [n["pull"] for n in data["nuisances"].values()]
    assert pulls == pytest.approx(golden["pulls"], abs=1e-5 if form == "pearson" else 1e-3)
    assert [c["measurement"] for c in data["compatibility"]] == ["one", "two", "three"]
    assert ("determinant" in out) == (form == "pearson")
    line = next(i for i, text in enumerate(EXAMPLE["one.txt"].splitlines(), 1) if ";" in text)
    assert f"warning: {config.with_name('one.txt')}:{line}: " in err


@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_impacts_have_the_published_figures(config, run, form):
    data, out, _ = run("impacts", config, "--chi2", form, "--parts", "held")
    values = GOLDEN[form]["value"]
    simple = list(data["shifts"])
    percent = np.array([[100 * data["nuisances"][n][p] / v for p, v in zip(NAMES, values, strict=True)] for n in simple])
    golden = np.array(SIMPLE[form])
    above = golden > NOISE_FLOOR
    np.testing.assert_allclose(percent[above], golden[above], rtol=1e-3)
    np.testing.assert_allclose(percent[~above], golden[~above], rtol=0.06, atol=5e-5)
    for group, expected in GOLDEN[form]["groups"].items():
        found = [100 * data["groups"][group][p] / v for p, v in zip(NAMES, values, strict=True)]
        assert found == pytest.approx(expected, rel=PRINTED)
        assert f"group {group}" in out
    assert data["groups"]["data"] == data["whole"]["stat"]
    assert data["parts"] == "held"
    assert (data["chi2_form"], f"chi2 {form}" in out) == (form, True)
    assert "Delta chi2 = 1" in data["definition"]


def test_scan_has_the_published_points_and_names_the_infeasible_ends(config, run):
    data, out, _ = run("scan", config, "--chi2", "pearson")
    assert (data["chi2_form"], "chi2 pearson" in out) == ("pearson", True)
    assert [row["name"] for row in data["scan"]] == list(SCANS)
    for row in data["scan"]:
        first, *inner, last = row["points"]
        # The scan goes on to the end of the feasible set, between the points that have a number and those that have none.
        assert row["cut_by"] == ["sys_a1 ... sys_d2"]
        assert set(row["parameters"]) == set(NAMES)
        beyond = [next(iter(p["coefficients"].values())) for p in (first, inner[0], inner[-1], last)]
        reached = row["reached"]["low"], row["reached"]["high"]
        for value, (a, b) in zip(reached, (sorted(beyond[:2]), sorted(beyond[2:])), strict=True):
            assert a < value < b
        for end in (first, last):
            assert "'config'" in end["problem"]
            assert "not a correlation matrix: sys_a1 ... sys_d2 (smallest eigenvalue -" in end["problem"]
        for point, (coefficients, chi2, *values) in zip(inner, SCANS[row["name"]], strict=True):
            assert tuple(point["coefficients"].values()) == pytest.approx(coefficients)
            assert len(point["coefficients"]) == 1 or f"{point['chi2']:.3f}" in out
            found = [point["chi2"], *(point["parameters"][n]["value"] for n in NAMES)]
            # six digits each, of a minimum that is up to 1e-5 of chi2 too high
            assert found == pytest.approx([chi2, *values], abs=6e-4)
            assert point["chi2"] == pytest.approx(chi2, abs=6e-6)
    assert out.count("*") >= 2 * len(SCANS)
    assert out.count("sys_a1 ... sys_d2") == 1


def test_check_names_sizes_blocks_and_negative_information(config, run):
    _, out, _ = run("check", config, json_output=False)
    for text in ("chi2 neyman", "3 measurements, 6 estimates, 2 observables", "12 nuisances", "3 coefficients with a range"):
        assert text in out
    assert "two: 0 constraints above 1; 2 negative eigenvalues" in out
    # Each alone goes to both ends of its range, with the others at 0; all together do not.
    said = " ".join(out.split())
    assert "sys_a1 ... sys_d2: feasible for sys_a1 x sys_b2 in [-0.90, 0.90] of [-0.90, 0.90], sys_a1 x sys_c2 in" in said


def test_nuisance_values_of_an_input_count_unless_they_are_ignored(config, run):
    """At 0 they are what Convino takes; the block of them is an extension of ours."""
    before, _, _ = run("profile", config)
    text = EXAMPLE["two.txt"] + "[nuisance values]\n  sys_c2 = 0.5\n[end nuisance values]\n"
    config.with_name("two.txt").write_text(text, encoding="utf-8")
    used, out, _ = run("profile", config)
    ignored, told, _ = run("profile", config, "--nuisance-values", "ignored")
    assert (used["nuisance_values"], ignored["nuisance_values"]) == ("used", "ignored")
    assert "ignored" in told
    assert "ignored" not in out
    # sys_c2 pulls sys_a1 of another input along; one pull alone contradicts nothing
    shift = used["parameters"]["combined_a"]["value"] - before["parameters"]["combined_a"]["value"]
    assert shift == pytest.approx(0.237, abs=0.001)
    assert used["own_chi2"] == pytest.approx(0, abs=1e-9)
    assert {k: v for k, v in ignored.items() if k != "nuisance_values"} == {
        k: v for k, v in before.items() if k != "nuisance_values"
    }


@pytest.mark.slow
def test_sample_and_compare_tell_the_form_of_chi2(config, run, tmp_path):
    """A run this short must not be used, and says so with its exit code; comparing it is still possible."""
    target = tmp_path / "p.nc"
    short = ("--seed", 1, "--draws", 15, "--tune", 40, "--chains", 2, "--chi2", "pearson")
    data, out, _ = run("sample", config, "--output", target, *short, expected=3)
    assert out.startswith("This result must not be used")
    assert "chi2 pearson" in out
    assert (data["chi2_form"], data["chi2"]) == ("pearson", pytest.approx(GOLDEN["pearson"]["chi2"], rel=PRINTED))
    assert set(data["parameters"]) == set(NAMES)
    assert (len(data["nuisances"]), len(data["coefficients"])) == (12, 3)
    compared, out, _ = run("compare", config, target)
    assert compared["chi2_form"] == "pearson"
    assert "chi2 pearson" in out
    row = compared["parameters"]["combined_a"]
    assert row["profile_value"] == pytest.approx(GOLDEN["pearson"]["value"][0], rel=PRINTED)


def test_converted_there_and_back_it_is_the_same_model(config, run, tmp_path):
    run("convert", config, tmp_path / "model", json_output=False)
    (tmp_path / "back").mkdir()
    run("convert", tmp_path / "model", tmp_path / "back" / "config.txt", json_output=False)
    first, _, _ = run("profile", config, "--chi2", "pearson")
    for again in (tmp_path / "model", tmp_path / "back" / "config.txt"):
        data, _, err = run("profile", again, "--chi2", "pearson")
        for key in ("value", "error", "up", "down"):
            expected = [first["parameters"][n][key] for n in NAMES]
            assert [data["parameters"][n][key] for n in NAMES] == pytest.approx(expected, rel=1e-7)
        assert data["nuisances"].keys() == first["nuisances"].keys()
        assert err == ""
    with pytest.warns(bc.InputWarning, match=r"one\.txt:"):
        assert bc.load(config).assumption_set.coefficients[0].range == (-0.9, 0.9)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("config.txt", "(0 & -0.9 : 0.9)", "(5)", "config.txt:15: "),
        ("config.txt", "+ estimate_a3", "+ estimate_x3", "config.txt:11: "),
        ("one.txt", "value_0 = 810;", "value_0 = 8,10", "one.txt:13: "),
        ("two.txt", "(10.6)", "(-10.6)", "two.txt:6: "),
    ],
)
def test_wrong_input_is_an_error_with_file_and_line(config, run, file, old, new, message):
    path = config.with_name(file)
    assert old in EXAMPLE[file]
    path.write_text(EXAMPLE[file].replace(old, new), encoding="utf-8")
    for command in ("check", "profile"):
        _, out, err = run(command, config, json_output=False, expected=2)
        assert message in err
        assert "Traceback" not in err
        assert out == ""

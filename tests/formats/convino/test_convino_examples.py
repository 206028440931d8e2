"""The worked examples of Convino as files, through the command line, against what the C++ program printed.

Figures: J. Kieseler, EPJC 77 (2017) 792, Convino 1.2 and its example configurations.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from worked import GOLDEN, worked_example

import bayescomb as bc
from bayescomb.cli.main import main
from bayescomb.fit.fitter import Fitter
from bayescomb.formats.convino.writer import write_convino

EXAMPLES = Path(__file__).parents[4] / "shared" / "reference" / "convino" / "examples"
originals = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the original example files are not part of the project")


@pytest.fixture
def written(tmp_path):
    """The worked example as Convino files of our own."""
    return write_convino(worked_example("neyman"), tmp_path, name="config")


def run(*words, folder):
    target = folder / "result.json"
    assert main([*map(str, words), "--json", str(target)]) == 0
    return json.loads(target.read_text(encoding="utf-8"))


def assert_golden(data, form):
    golden = GOLDEN[form]
    assert data["chi2_form"] == form
    assert data["chi2"] == pytest.approx(golden["chi2"], rel=1e-4)
    for i, name in enumerate(("combined_a", "combined_b")):
        found = data["parameters"][name]
        for key in ("value", "up", "down"):
            assert found[key] == pytest.approx(golden[key][i], rel=1e-4), (name, key)


@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_written_example_through_the_command_line(written, tmp_path, capsys, form):
    assert_golden(run("profile", written, "--chi2", form, folder=tmp_path), form)
    assert f"chi2 {form}" in capsys.readouterr().out


def test_neyman_is_the_default(written, tmp_path):
    assert_golden(run("profile", written, folder=tmp_path), "neyman")


@pytest.mark.parametrize("command", ["profile", "impacts", "scan"])
def test_every_output_names_chi2_and_the_assumptions(written, tmp_path, capsys, command):
    data = run(command, written, "--chi2", "pearson", folder=tmp_path)
    assert (data["chi2_form"], data["assumptions"], data["nuisance_values"]) == ("pearson", "nominal", "used")
    assert "chi2 pearson" in capsys.readouterr().out


def test_impacts_of_groups_stand_beside_those_of_nuisances(written, tmp_path):
    data = run("impacts", written, "--chi2", "pearson", "--parts", "held", folder=tmp_path)
    values = run("profile", written, "--chi2", "pearson", folder=tmp_path)["parameters"]
    for group, expected in GOLDEN["pearson"]["groups"].items():
        percent = [100 * data["groups"][group][p] / values[p]["value"] for p in ("combined_a", "combined_b")]
        assert percent == pytest.approx(expected, rel=1e-4)
    assert data["nuisances"]["sys_a2"]["combined_b"] > 0 > data["shifts"]["sys_a2"]["combined_b"]


def test_infeasible_ends_of_a_scan_are_named(written, tmp_path, capsys):
    data = run("scan", written, folder=tmp_path)
    first = data["scan"][0]
    assert [("problem" in point) for point in first["points"]] == [True, False, False, False, False, True]
    assert "not a correlation matrix" in first["points"][0]["problem"]
    # The scan itself goes on to where the feasible set ends.
    assert first["low"] < first["reached"]["low"] < first["reached"]["high"] < first["high"]
    assert first["parameters"]
    out = capsys.readouterr().out
    assert all(f"{block}: " in out for block in first["cut_by"])


def test_there_and_back_through_model_toml(written, tmp_path):
    assert main(["convert", str(written), str(tmp_path / "model")]) == 0
    assert_golden(run("profile", tmp_path / "model", "--chi2", "pearson", folder=tmp_path), "pearson")
    (tmp_path / "again").mkdir()
    assert main(["convert", str(tmp_path / "model"), str(tmp_path / "again" / "config.txt")]) == 0
    assert_golden(run("profile", tmp_path / "again" / "config.txt", folder=tmp_path), "neyman")


@originals
@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_original_example_runs_unchanged(tmp_path, capsys, form):
    assert_golden(run("profile", EXAMPLES / "exampleconfig.txt", "--chi2", form, folder=tmp_path), form)
    said = capsys.readouterr().err
    assert "exampleMeasurement1.txt:66: " in said


DIFFERENTIAL = {
    "pearson": (154.704, [33.8087, 62.0262, 22.7284, 11.5323], [0.821902, 0.577228, 0.556217, 0.334004]),
    "neyman": (92.4691, [31.8338, 60.9506, 21.3027, 10.7285], [0.880907, 0.599133, 0.593523, 0.346455]),
}
NORMALISED = {
    # With the printed covariance V of the C++ program, whose derivatives are numerical, J V J^T has the errors below; with
    # exact derivatives they are 0.0029649 0.0048101 0.0019651 0.0016283, up to 0.06 % less.
    "pearson": ([0.259876, 0.476774, 0.174705, 0.0886449], [0.0029665, 0.0048109, 0.0019662, 0.0016291]),
    "neyman": ([0.255047, 0.488325, 0.170673, 0.085955], None),
}


@originals
@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_original_differential_example_runs_unchanged(tmp_path, form):
    data = run("profile", EXAMPLES / "differential_example.txt", "--chi2", form, folder=tmp_path)
    chi2, values, up = DIFFERENTIAL[form]
    names = [f"bin{i}" for i in range(4)]
    assert data["normalised"] is True
    assert data["chi2"] == pytest.approx(chi2, rel=1e-5)
    assert [data["unnormalised"][n]["value"] for n in names] == pytest.approx(values, rel=1e-5)
    assert [data["unnormalised"][n]["up"] for n in names] == pytest.approx(up, rel=1e-4)
    shares, errors = NORMALISED[form]
    assert [data["parameters"][n]["value"] for n in names] == pytest.approx(shares, rel=1e-5)
    if errors is not None:
        # the roots of the diagonal of a covariance with the larger Delta chi2 = 1 errors, which is the interval here
        assert [data["parameters"][n]["up"] for n in names] == pytest.approx(errors, rel=1e-3)


@originals
@pytest.mark.parametrize("form", ["neyman", "pearson"])
def test_normalised_errors_are_those_of_toys(form):
    with pytest.warns(bc.InputWarning):
        fit = bc.profile(bc.load(EXAMPLES / "differential_example.txt").with_chi2(form))
    raw = fit.unnormalised
    fitter = Fitter(dataclasses.replace(fit.combination, normalise=False))
    second = fitter.fit(fitter.correlation()[0], errors="crossing").hesse
    widening = np.maximum(raw.up_errors, -raw.down_errors).to_numpy() / second.errors
    covariance = second.covariance * np.outer(widening, widening)
    toys = np.random.default_rng(1).multivariate_normal(raw.values, covariance, size=1_000_000)
    shares = toys / toys.sum(axis=1, keepdims=True)
    # a variance of N toys is known to sqrt(2 / N) of itself; curvature adds the square of the relative error of the sum
    sum_error = np.sqrt(covariance.sum()) / raw.values.sum().item()
    tolerance = 5 * np.sqrt(2 / len(toys)) / 2 + 2 * sum_error**2
    spread = np.sqrt(((shares - fit.values.to_numpy()) ** 2).mean(axis=0))
    np.testing.assert_allclose(fit.up_errors, spread, rtol=tolerance)

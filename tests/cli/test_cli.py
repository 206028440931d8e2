"""The command line: names, JSON of the design, exit codes, errors without a trace."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bayescomb as bc
from bayescomb.cli.main import main

RUN1 = Path("models/run1_mass")


def run(*words):
    return main([str(word) for word in words])


def test_profile_json_has_the_agreed_form(tmp_path, capsys):
    assert run("profile", RUN1, "--json", tmp_path / "p.json") == 0
    data = json.loads((tmp_path / "p.json").read_text())
    assert data["assumptions"] == "nominal"
    assert data["treatment"] == "covariance"
    assert data["chi2_form"] == "neyman"
    assert set(data["parameters"]["m_t"]) >= {"value", "error", "up", "down"}
    assert data["parameters"]["m_t"]["value"] == pytest.approx(172.5134, abs=1e-3)
    assert data["chi2"] == pytest.approx(7.564, abs=1e-3)
    assert data["ndf"] == 14
    assert data["covariance"]["names"] == ["m_t"]
    assert data["covariance"]["matrix"][0][0] == pytest.approx(data["parameters"]["m_t"]["error"] ** 2)
    assert len(data["weights"]["m_t"]) == 15
    assert data["nuisances"]["LHCbJES[a]"].keys() == {"pull", "constraint"}
    assert data["nuisances"]["PDF[a]"]["constraint"] is None
    assert "treatment covariance" in capsys.readouterr().out


def test_scan_prints_the_published_columns_beside_ours(tmp_path, capsys):
    assert run("scan", RUN1, "--json", tmp_path / "s.json") == 0
    rows = json.loads((tmp_path / "s.json").read_text())["scan"]
    assert len(rows) == 19
    assert set(rows[0]) >= {"name", "low", "high", "nominal", "parameters"}
    assert set(rows[0]["parameters"]["m_t"]) == {"half_shift", "half_error_shift"}
    out = capsys.readouterr().out
    assert "26 MeV" in out
    assert "-26.03" in out


def test_scan_under_the_nuisance_treatment_gives_no_number_where_it_is_infeasible(capsys):
    assert run("scan", RUN1, "--treatment", "nuisance") == 0
    assert "infeasible" in capsys.readouterr().out


def test_impacts_json_closes(tmp_path):
    assert run("impacts", RUN1, "--json", tmp_path / "i.json") == 0
    data = json.loads((tmp_path / "i.json").read_text())
    impacts = {key: value["m_t"] for key, value in (data["whole"] | data["sources"]).items()}
    assert np.hypot(impacts["stat"], impacts["syst"]) == pytest.approx(impacts["total"], rel=1e-12)
    assert impacts["LHCbJES"] == pytest.approx(0.18, abs=0.005)


@pytest.mark.slow
def test_sample_compare_and_their_json(tmp_path, capsys):
    nc = tmp_path / "p.nc"
    words = ("sample", RUN1, "--output", nc, "--seed", 1, "--draws", 600, "--tune", 300, "--json", tmp_path / "p.json")
    assert run(*words) == 0
    data = json.loads((tmp_path / "p.json").read_text())
    assert set(data["parameters"]["m_t"]) >= {"mean", "sd", "median", "hdi68", "ess_bulk", "r_hat"}
    assert data["divergences"] == 0
    assert data["seed"] == 1
    assert data["assumptions"] == "nominal"
    assert len(data["coefficients"]) == 19
    assert run("compare", RUN1, nc, "--json", tmp_path / "c.json") == 0
    row = json.loads((tmp_path / "c.json").read_text())["parameters"]["m_t"]
    posterior = bc.load_posterior(nc)["posterior"]["m_t"]
    # the exact conditional moments have less Monte Carlo error than these draws
    assert row["mean"] == pytest.approx(
        posterior.mean().item(), abs=5 * posterior.std().item() / np.sqrt(posterior.size / 4)
    )
    assert row["nominal_sd"] == pytest.approx(row["profile_error"])
    assert "not knowing the coefficients" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_run_too_short_says_first_that_it_must_not_be_used(tmp_path, capsys):
    words = ("sample", RUN1, "--output", tmp_path / "p.nc", "--seed", 1, "--draws", 20, "--tune", 50, "--chains", 2)
    assert run(*words) == 3
    out = capsys.readouterr().out
    assert out.startswith("This result must not be used")
    assert "m_t =" not in out


def test_check_names_the_indefinite_sources(capsys):
    assert run("check", RUN1) == 0
    out = capsys.readouterr().out
    for name in ("btag", "LHCrad", "PDF", "bkgMC"):
        assert f"{name}: smallest eigenvalue" in out
    assert "total covariance: feasible over the whole range" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("profile", RUN1, "--assumptions", "nominl"), "did you mean 'nominal'"),
        (("profile", "nowhere.toml"), "no such file"),
        (("profile", RUN1, "--treatment", "nuisance"), "btag"),
        (("profile", RUN1, "--repair", "nearest"), "needs no repair"),
        (("profile", RUN1, "--chi2", "pearson"), "use the treatment 'nuisance'"),
        (("compare", RUN1, "nowhere.nc"), "no such file"),
        (("sample", RUN1, "--output", "nowhere/p.nc"), "does not exist"),
        (("profile", RUN1, "--json", "nowhere/p.json"), "cannot be written"),
    ],
)
def test_error_is_one_sentence_and_exit_code_two(words, message, capsys):
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.slow
def test_repair_of_a_model_is_kept_unless_another_is_asked_for(run1_path, tmp_path, capsys):
    model = tmp_path / "run1"
    shutil.copytree(run1_path, model)
    file = model / "model.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('treatment = "covariance"', 'treatment = "nuisance"\nrepair = "clip"', 1), encoding="utf-8")
    for words, repair in (((), "clip"), (("--repair", "shift"), "shift")):
        assert run("profile", model, *words, "--json", tmp_path / "p.json") == 0
        fit = bc.profile(bc.load(run1_path).with_treatment("nuisance", repair=repair))
        assert json.loads((tmp_path / "p.json").read_text())["parameters"]["m_t"]["value"] == fit.values.item()
        assert f"nuisance, repair {repair}" in capsys.readouterr().out
    assert run("profile", model, "--repair", "none") == 2


@pytest.mark.slow
def test_quick_commands_do_not_import_pymc():
    code = "import sys, bayescomb.cli.main as c; c.main(['profile', 'models/run1_mass']); sys.exit('pymc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0

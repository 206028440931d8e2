"""Commands and the report of a mass extraction, from a small model written to disk."""

import json

import numpy as np
import pytest
from test_extraction_posterior import CASES, two_experiments, uncertain

import bayescomb as bc
from bayescomb.cli.main import main
from bayescomb.formats.toml.model_writer import write_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Model of two energies with three bins each, its predictions at leading order and its responses reconstructed."""
    import dataclasses

    model = two_experiments(CASES["normalised"], coefficients=uncertain())
    sources = (bc.Source(name="A", group="first"), bc.Source(name="B", group="second"))
    measurements = [
        dataclasses.replace(m, nuisances=tuple(dataclasses.replace(n, source=s.name) for n in m.nuisances))
        for m, s in zip(model.measurements, sources, strict=True)
    ]
    predictions = tuple(dataclasses.replace(p, order="LO") for p in model.predictions)
    provenance = (bc.Provenance(table="a: responses", kind="reconstructed", origin="made up"),)
    model = dataclasses.replace(
        model, measurements=tuple(measurements), sources=sources, predictions=predictions, provenance=provenance
    )
    place = tmp_path_factory.mktemp("model")
    write_model(model, place / "model")
    assert main(["sample", str(place / "model"), "--seed", "1", "--draws", "400", "--output", str(place / "p.nc")]) in (0, 3)
    return place


def run(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


def test_profile_names_the_extraction_and_what_it_rests_on(folder, capsys, tmp_path):
    out = run(capsys, "profile", folder / "model", "--json", tmp_path / "f.json")
    assert "extraction 'mass'" in out
    assert "NOT FOR QUOTING" in out
    assert "reconstructed" in out
    data = json.loads((tmp_path / "f.json").read_text())
    assert data["quotable"] is False
    assert data["provenance"] == {"a: responses": "reconstructed"}
    parts = data["parameters"]["m_t"]
    total = sum(parts[f"{key}_error"] ** 2 for key in ("statistical", "systematic", "theory"))
    assert total == pytest.approx(parts["error"] ** 2, rel=1e-9)
    assert "NOT FOR QUOTING" not in run(capsys, "profile", folder / "model", "--extraction", "none")


def test_a_dropped_bin_costs_a_degree_of_freedom(folder, capsys, tmp_path):
    counts = []
    for drop in ([], ["--drop", "a1"]):
        run(capsys, "profile", folder / "model", *drop, "--json", tmp_path / "f.json")
        counts.append(json.loads((tmp_path / "f.json").read_text())["ndf"])
    assert counts[0] - counts[1] == 1
    assert main(["profile", str(folder / "model"), "--extraction", "none", "--drop", "a1"]) == 2
    assert "no mass is extracted" in capsys.readouterr().err


def test_theory_lists_variants_and_envelope(folder, capsys, tmp_path):
    out = run(capsys, "theory", folder / "model", "--json", tmp_path / "f.json")
    assert "envelope of m_t" in out
    data = json.loads((tmp_path / "f.json").read_text())
    assert len(data["envelope"]) == 7
    shifts = [row["shift"] for row in data["envelope"]]
    assert shifts[0] == 0
    error = data["envelope"][0]["error"]
    assert 0.1 <= error < 0.95  # two digits are two decimals
    assert f"{max(shifts):+.2f} {min(shifts):+.2f} GeV" in out
    assert set(data["interpolation"]) == {"a", "b"}


def test_sets_shows_every_set_and_what_one_experiment_does_to_the_other(folder, capsys, tmp_path):
    out = run(capsys, "sets", folder / "model", "--json", tmp_path / "f.json", "--output", tmp_path / "figures")
    assert {p.suffix for p in (tmp_path / "figures").iterdir()} == {".pdf", ".png"}
    assert "m_t [GeV]" in out
    data = json.loads((tmp_path / "f.json").read_text())["sets"]["set"]
    fit = bc.profile(bc.load(folder / "model"))
    assert data["parameters"]["m_t"]["value"] == pytest.approx(fit.values.sel(parameter="m_t").item(), rel=1e-9)
    # the coefficient of 0.3 ties the first nuisances of both
    assert data["impacts"]["first"]["b0"] > 0


def test_compare_says_which_correlation_matters(folder, capsys, tmp_path):
    out = run(capsys, "compare", folder / "model", folder / "p.nc", "--json", tmp_path / "f.json")
    assert "which correlation matters" in out
    data = json.loads((tmp_path / "f.json").read_text())
    assert sum(part["share"] for part in data["variance_shares"]["m_t"].values()) == pytest.approx(1, abs=1e-9)
    assert set(data["relevance"]["r"]) >= {"prior_mean", "posterior_mean", "information", "slope", "share"}


def test_report_carries_the_caveats_at_the_top_and_at_the_result(folder, capsys, tmp_path):
    run(capsys, "report", folder / "model", folder / "p.nc", "--output", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("NOT FOR QUOTING") >= 2
    for part in ('id="extraction"', 'id="shares"', "scale_envelope", "theory_fit", "bins_1"):
        assert part in page
    for name in ("prediction_variants", "scale_envelope", "interpolation", "variance_shares", "relevance", "theory_fit"):
        rows = json.loads((tmp_path / "out" / "tables" / f"{name}.json").read_text())["rows"]
        assert rows
    chi2 = [row["chi2"] for row in json.loads((tmp_path / "out" / "tables" / "theory_fit.json").read_text())["rows"]]
    # every theory uncertainty that is added lets the fit follow the data more closely
    none, numerical, members, scales, both, everything = chi2
    assert none >= max(numerical, members, scales)
    assert min(numerical, members) >= both >= everything
    assert scales >= everything
    assert np.isfinite(chi2).all()


def test_report_without_posterior(folder, capsys, tmp_path):
    run(capsys, "report", folder / "model", "--output", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="extraction"' in page
    assert 'id="shares"' not in page

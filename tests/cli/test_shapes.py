"""Every command on models of every shape: what is few, many or absent."""

import json

import numpy as np
import pytest
from named_models import sample_quickly

import bayescomb as bc
from bayescomb.cli.main import main
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.theory.predictions import Variant
from bayescomb.output.report.results import nuisance_rows
from bayescomb.output.text.extraction import envelope_text

# Shape -> observables, estimates of each experiment (the observable of each), nuisances of each measurement, coefficients.
SHAPES = {
    "one measurement": (1, [[0]], 1, 0),
    "one measurement without nuisance": (1, [[0]], 0, 0),
    "no nuisance": (1, [[0], [0]], 0, 0),
    "no coefficient": (1, [[0], [0]], 2, 0),
    "0 degrees of freedom": (2, [[0], [1]], 1, 1),
    "an experiment that measures only some": (2, [[0, 1], [0]], 1, 1),
    "19 results": (19, [list(range(19)), list(range(19))], 2, 1),
    "500 nuisances": (1, [[0], [0]], 250, 2),
    "250 coefficients": (1, [[0], [0]], 250, 250),
    "one bin": (1, [[0]], 1, 0),
}
# Shapes of which a mass is extracted, from a table of 1 bin per observable.
EXTRACTED = ("one bin",)
LARGE = ("an experiment that measures only some", "19 results", "500 nuisances", "250 coefficients")


def shaped(observables, experiments, nuisances, coefficients, *, extracted=False):
    """Measurements of value k + 1 for observable k, one per experiment; a mass of 170 GeV predicts them."""
    rng = np.random.default_rng(1)
    measurements = [
        bc.Measurement(
            name=f"measurement {e}",
            experiment=f"experiment {e}",
            estimates=[
                bc.Estimate(name=f"{e}_{k}", value=k + 1 + 0.01 * e, observables={f"bin {k}": 1.0}) for k in measured
            ],
            statistical_covariance=np.diag(np.full(len(measured), 0.01)),
            nuisances=[bc.Nuisance(name=f"n{e}_{i}", source=f"source {i}") for i in range(nuisances)],
            responses=rng.uniform(0.5, 1, (len(measured), nuisances)) / 100,
        )
        for e, measured in enumerate(experiments)
    ]
    unknown = [
        bc.CorrelationCoefficient(
            name=f"source {i}", nominal=0.3, low=0.0, high=0.5, pairs=[bc.CorrelationPair(first=f"n0_{i}", second=f"n1_{i}")]
        )
        for i in range(coefficients)
    ]
    return bc.Combination(
        name="shape",
        measurements=measurements,
        observables=[bc.Observable(name=f"bin {k}", unit="pb") for k in range(observables)],
        sources=[bc.Source(name=f"source {i}") for i in range(nuisances)],
        assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=unknown)},
        assumptions="nominal",
        **(predicted(observables) if extracted else {}),
    )


def predicted(bins):
    """A table of one variant whose cross section of bin k falls through k + 1 at 170 GeV."""
    masses = np.array([150.0, 160.0, 170.0, 180.0, 190.0])
    curves = np.outer(1 - 0.02 * (masses - 170), np.arange(1, bins + 1))[None]
    prediction = bc.Prediction(
        name="theory",
        observables=[f"bin {k}" for k in range(bins)],
        bins=[[k, k + 1] for k in range(bins)],
        masses=masses,
        variants=[Variant("pdf", 0, "ht", 1.0, 1.0)],
        cross_sections=curves,
        mc_errors=1e-4 * curves,
        order="NLO",
        mass_scheme="pole",
        energy_tev=13.0,
        per_bin_width=False,
    )
    extraction = bc.Extraction(
        name="mass",
        distributions={"theory": "absolute"},
        pdf=bc.PdfChoice(set="pdf"),
        scales=bc.ScaleChoice(choice="ht"),
        degree=2,
    )
    return {"predictions": [prediction], "extractions": {"mass": extraction}, "extraction": "mass"}


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=pytest.mark.slow if shape in LARGE else ()) for shape in SHAPES]
)
def test_every_command_takes_every_shape(tmp_path, capsys, monkeypatch, request, shape):
    sample_quickly(monkeypatch)
    combination = shaped(*SHAPES[shape], extracted=shape in EXTRACTED)
    model, posterior = write_model(combination, tmp_path / "model"), tmp_path / "p.nc"

    def run(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert code == 0, said.err + said.out

    run("check", model)
    run("profile", model, "--json", tmp_path / "p.json")
    data = json.loads((tmp_path / "p.json").read_text())
    assert data["ndf"] == len(combination.estimates) - len(combination.observables)
    if shape in EXTRACTED:
        assert data["parameters"]["m_t"]["value"] == pytest.approx(170.0, abs=0.6)
        run("theory", model)
    assert data["parameters"]["bin 0"]["value"] == pytest.approx(1.0, abs=0.011)
    run("scan", model, "--points", 2)
    run("impacts", model)
    run("sets", model)
    run("convert", model, tmp_path / "again")
    thorough = request.config.getoption("--thorough", default=False)
    if len(combination.assumption_set.coefficients) > 100 and not thorough:
        return  # the figures of 250 coefficients take their time
    run("sample", model, "--output", posterior, "--chains", 2, "--draws", 1500, "--tune", 1, "--seed", 1)
    run("compare", model, posterior)
    run("explore", model, posterior, "--output", tmp_path / "page.html")
    run("export", model, "--output", tmp_path / "export")
    run("profile", tmp_path / "export")
    if thorough or shape in {"an experiment that measures only some", "one measurement without nuisance"}:
        run("report", model, posterior, "--output", tmp_path / "report")
    if thorough:
        run("export", model, posterior, "--output", tmp_path / "exported posterior")
        run("report", model, "--output", tmp_path / "without a posterior")
        run("sets", model, "--draws", 100, "--seed", 1, "--output", tmp_path / "sets")
        run("coverage", model, "--toys", 2, "--profile-only", "--output", tmp_path / "study")


def test_experiment_alone_that_measures_only_some():
    alone = shaped(*SHAPES["an experiment that measures only some"]).only("experiment 1")
    assert [o.name for o in alone.observables] == ["bin 0"]
    assert bc.profile(alone).values.item() == pytest.approx(1.01)


def test_observable_that_nobody_measures_any_more_is_left_out():
    """Taking an experiment away takes away what it alone measured, in a file as in Python."""
    both = shaped(3, [[0, 1, 2], [0]], 1, 1)
    alone = both.only("experiment 1")
    assert [o.name for o in alone.observables] == ["bin 0"]
    assert bc.profile(alone).ndf == 0
    assert not alone.assumption_set.coefficients


def test_observable_that_nobody_measures_is_refused(tmp_path, capsys):
    path = write_model(shaped(1, [[0], [0]], 0, 0), tmp_path / "m")
    text = path.read_text(encoding="utf-8")
    first = text.index("observables = [") + len("observables = [")
    path.write_text(text[:first] + '{ name = "nobody" }, ' + text[first:], encoding="utf-8")
    assert main(["profile", str(path)]) == 2
    said = capsys.readouterr().err
    assert "'nobody'" in said
    assert "Traceback" not in said


def test_report_has_a_row_for_a_free_nuisance():
    """It has no prior, hence no correlation in it and nothing that stands for it."""
    nuisances = [bc.Nuisance(name="free", free=True), bc.Nuisance(name="bound")]
    information = np.array([[4.0, -1.0, -1.0], [-1.0, 2.0, 0.2], [-1.0, 0.2, 2.0]])
    measurement = bc.Measurement(
        name="m",
        estimates=[bc.Estimate(name="e", value=1.0, observables={"x": 1.0})],
        fit=bc.FittedInput(nuisances=nuisances, information=information, pulls=[0.0, 0.0]),
    )
    combination = bc.Combination(
        name="c", measurements=[measurement], observables=[bc.Observable(name="x")],
        assumption_sets={"none": bc.AssumptionSet(name="none")}, assumptions="none",
    )  # fmt: skip
    rows = {row.name: row for row in nuisance_rows(bc.profile(combination), None)}
    assert {name: (row.leader, row.followers) for name, row in rows.items()} == {"free": ("free", 0), "bound": ("bound", 0)}


def test_envelope_of_a_table_without_scale_variations_is_none():
    combination = shaped(*SHAPES["one bin"], extracted=True)
    rows = bc.scale_envelope(combination)
    assert [row.value is None for row in rows] == [False, *[True] * 6]
    assert {row.problem for row in rows[1:]} == {"not in the table of theory"}
    text = envelope_text(rows)
    assert "envelope of m_t: none, the tables of the prediction lack 6 points of it" in text

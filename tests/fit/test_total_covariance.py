"""A total covariance without sources is `total` in every output, never statistical; with a statistical one it is divided."""

import json

import numpy as np
import pytest
from hepdata_model import COVARIANCE, ENTRY, load, tables
from hepdata_model import TOTAL as HEPDATA_TOTAL

import bayescomb as bc
from bayescomb.base.errors import InputWarning, InvalidMatrixError
from bayescomb.formats.convino.writer import write_convino
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_from_json, combination_to_json
from bayescomb.output.data.groups import export_groups
from bayescomb.output.data.results import impact_data, profile_data
from bayescomb.output.explorer.data import explorer_model
from bayescomb.output.export.hepdata_tables import PARTS
from bayescomb.output.report.page import page_context
from bayescomb.output.report.report import page_tables
from bayescomb.output.report.results import collect
from bayescomb.output.tables.result import summary_table
from bayescomb.output.text.fit import impact_text, profile_text

HEAD = """format = 1
name = "totals"
treatment = "nuisance"
observables = [{ name = "x", unit = "pb" }]
"""
SET = """[[assumption_sets]]
name = "none"
"""
TOTAL = """[[measurements]]
name = "old"
experiment = "A"
estimates = [{ name = "old_a", value = 10.0, observable = "x" }, { name = "old_b", value = 12.0, observable = "x" }]
total_covariance = "total.csv"
"""
DIVIDED = """[[measurements]]
name = "new"
experiment = "B"
estimates = [{ name = "new_a", value = 11.0, observable = "x" }]
statistical = [0.5]
responses = "new.csv"
"""
FILES = {
    "total.csv": "name,old_a,old_b\nold_a,4.0,1.0\nold_b,1.0,9.0\n",
    "new.csv": "estimate,jes\nnew_a,1.2\n",
    "stat.csv": "name,old_a,old_b\nold_a,1.0,0.0\nold_b,0.0,2.0\n",
}
S = np.array([[4.0, 1.0], [1.0, 9.0]])


@pytest.fixture
def model(tmp_path):
    """Writes a model of some measurements: its folder."""

    def write(*measurements, **files):
        for name, text in (FILES | {f"{key}.csv": text for key, text in files.items()}).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "model.toml").write_text("\n".join([HEAD, *measurements, SET]), encoding="utf-8")
        return tmp_path

    return write


def test_totals_alone_have_no_statistical_part_in_any_output(model):
    combination = bc.load(model(TOTAL))
    fit, found = bc.profile(combination), bc.impacts(combination)
    error = 1 / np.sqrt(np.linalg.inv(S).sum())  # w S w^T of the best weights
    assert fit.errors.item() == pytest.approx(error, rel=1e-12)
    assert fit.error_parts("x") == {"total": pytest.approx(error, rel=1e-12)}
    assert (fit.statistical_errors.item(), fit.systematic_errors.item()) == (0, 0)
    assert "+- 1.8 pb (1.8 total)" in profile_text(fit)
    own = profile_data(fit)["parameters"]["x"]
    assert (own["statistical_error"], own["systematic_error"], own["undivided_part"]) == (None, None, "total")
    assert own["undivided_error"] == pytest.approx(error, rel=1e-12)
    assert [line.split()[0] for line in impact_text(found).splitlines()[4:]] == ["total"]
    assert not {"stat", "syst"} & set(json.dumps(impact_data(found)).split('"'))
    results = collect(None, fit)
    assert [line["parts"] for line in page_context(results, page_tables(results))["headlines"]] == ["1.8 (total)"]
    row = summary_table(results.parameters, fit=results.fit, comparison=results.comparison).rows[0]
    assert (row["statistical_error"], row["undivided_error"]) == (None, own["undivided_error"])
    groups = export_groups(results)
    assert np.isnan([groups["results"][key].item() for key in PARTS.values() if key != "theory_error"]).all()
    assert "statistics" not in groups["impact_parts"]["part"].to_numpy()
    assert [m.total for m in explorer_model(combination).measurements] == [True]


def test_a_mixed_combination_names_what_it_cannot_divide(model):
    combination = bc.load(model(TOTAL, DIVIDED))
    fit, found = bc.profile(combination), bc.impacts(combination, parts="held")
    everything = np.zeros((3, 3))
    everything[:2, :2], everything[2, 2] = S, 0.5**2 + 1.2**2
    inverse = np.linalg.inv(everything)
    w = inverse.sum(axis=0) / inverse.sum()
    expected = {
        "stat": 0.5 * w[2],
        "syst": 1.2 * w[2],
        "total of inputs without sources": np.sqrt(w[:2] @ S @ w[:2]),
    }
    assert fit.error_parts("x") == {label: pytest.approx(part, rel=1e-9) for label, part in expected.items()}
    assert sum(part**2 for part in fit.error_parts("x").values()) == pytest.approx(fit.errors.item() ** 2, rel=1e-12)
    propagated = bc.impacts(combination)
    assert propagated.statistics.item() == pytest.approx(expected["stat"], rel=1e-9)
    assert propagated.unsplit.item() == pytest.approx(expected["total of inputs without sources"], rel=1e-9)
    # Nuisances held: the weights are those of the covariances without them.
    everything[2, 2] = 0.5**2
    inverse = np.linalg.inv(everything)
    w = inverse.sum(axis=0) / inverse.sum()
    assert found.parts == "held"
    assert found.statistics.item() == pytest.approx(0.5 * w[2], rel=1e-9)
    assert found.unsplit.item() == pytest.approx(np.sqrt(w[:2] @ S @ w[:2]), rel=1e-9)
    for text in (profile_text(fit), impact_text(found)):
        assert "total of inputs without sources" in text


def test_statistical_and_total_covariance_give_both_parts(model):
    both = TOTAL + 'statistical_covariance = "stat.csv"\n'
    combination = bc.load(model(both))
    fit = bc.profile(combination)
    inverse = np.linalg.inv(S)
    w = inverse.sum(axis=0) / inverse.sum()
    parts = fit.error_parts("x")
    assert parts == {
        "stat": pytest.approx(np.sqrt(w @ np.diag([1.0, 2.0]) @ w), rel=1e-9),
        "syst": pytest.approx(np.sqrt(w @ (S - np.diag([1.0, 2.0])) @ w), rel=1e-9),
    }
    assert fit.errors.item() == pytest.approx(1 / np.sqrt(inverse.sum()), rel=1e-9)


def test_what_is_larger_than_the_total_is_an_error_with_the_eigenvalue(model):
    both = TOTAL + 'statistical_covariance = "stat.csv"\n'
    folder = model(both, stat="name,old_a,old_b\nold_a,5.0,0.0\nold_b,0.0,2.0\n")
    smallest = np.linalg.eigvalsh(S - np.diag([5.0, 2.0]))[0]  # (-1 1; 1 7): 3 - sqrt(17)
    assert smallest == pytest.approx(3 - np.sqrt(17))
    with pytest.raises(InvalidMatrixError, match=r"smallest eigenvalue -1\.12"):
        bc.load(folder)


def test_a_total_survives_every_form(model, tmp_path):
    combination = bc.load(model(TOTAL, DIVIDED))
    kinds = [m.covariance_kind for m in combination.measurements]
    assert kinds == ["total", "statistical"]
    again = combination_from_json(combination_to_json(combination))
    assert [m.covariance_kind for m in again.measurements] == kinds
    write_model(combination, tmp_path / "written")
    assert [m.covariance_kind for m in bc.load(tmp_path / "written").measurements] == kinds
    with pytest.warns(InputWarning, match="'old' is written as statistical"):
        write_convino(combination, tmp_path / "convino")


def test_a_total_beside_nuisances_is_refused():
    estimate = bc.Estimate(name="a", value=1.0, observables={"x": 1.0})
    with pytest.raises(InvalidMatrixError, match="counts them twice"):
        bc.Measurement(
            name="a",
            estimates=(estimate,),
            statistical_covariance=[[1.0]],
            covariance_kind="total",
            nuisances=(bc.Nuisance(name="n"),),
            responses=[[1.0]],
        )


@pytest.mark.parametrize("statistical", [True, False])
def test_hepdata_tables_with_a_total_covariance_and_no_source(tmp_path, statistical):
    mapping = 'values = "Table 1"\ntotal_covariance = "Total"\n'
    mapping += 'statistical_covariance = "Statistical"\n' if statistical else ""
    measurement = load(tmp_path, tables({}), mapping, entry=ENTRY.rsplit("\n", 1)[0])
    assert measurement.covariance_kind == ("statistical" if statistical else "total")
    np.testing.assert_allclose(measurement.statistical_covariance, COVARIANCE if statistical else HEPDATA_TOTAL, rtol=1e-12)
    systematic = measurement.responses @ measurement.responses.T
    np.testing.assert_allclose(measurement.statistical_covariance + systematic, HEPDATA_TOTAL, atol=1e-9)
    # two independent sources leave two directions
    assert [n.name for n in measurement.nuisances] == (["ATLAS_syst1", "ATLAS_syst2"] if statistical else [])

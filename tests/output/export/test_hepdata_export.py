"""What an export says: accepted by hepdata-validator, the numbers of the fit to the last bit, in three forms."""

import dataclasses
import importlib.metadata
import json

import numpy as np
import pytest
import report_pages
import xarray as xr
from combinations import star
from exported import Submission, accepted
from worked import worked_example

import bayescomb as bc
from bayescomb.cli.main import main
from bayescomb.output.export import tables as export_tables
from bayescomb.sampling.posterior.moments import exact_priors
from bayescomb.sampling.posterior.storage import save_posterior
from bayescomb.sampling.posterior.summary import QUANTILES

pytestmark = pytest.mark.slow  # most need a posterior or an archive that the validator reads


@pytest.fixture(scope="module")
def ttj():
    """The ttbar+jet model with its extraction in force."""
    """At leading order, which is not for quoting."""
    return bc.load("models/ttj_rho", extraction="normalised")


@pytest.fixture(scope="module")
def run1_export(run1, run1_posterior, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run1") / "export"
    return Submission(bc.export_hepdata(bc.profile(run1), folder, posterior=run1_posterior))


@pytest.fixture(scope="module")
def ttj_export(ttj, tmp_path_factory):
    return Submission(bc.export_hepdata(bc.profile(ttj), tmp_path_factory.mktemp("ttj") / "export"))


@pytest.fixture(scope="module")
def worked_export(tmp_path_factory):
    fit = bc.profile(worked_example("pearson"))
    return Submission(bc.export_hepdata(fit, tmp_path_factory.mktemp("worked") / "export"))


@pytest.mark.parametrize("export", ["run1_export", "ttj_export", "worked_export"])
def test_validator_accepts_the_folder(export, request):
    submission = request.getfixturevalue(export)
    assert accepted(directory=submission.folder) == []
    assert {"combination.json", "combination.nc"} < {r["location"] for r in submission.head["additional_resources"]}


@pytest.mark.parametrize("name", ["export.tar.gz", "export.tgz", "export.zip"])
def test_validator_accepts_the_archive(tmp_path, name):
    assert bc.export_hepdata(bc.profile(star(2)), tmp_path / name) == tmp_path / name
    assert accepted(archive=tmp_path / name) == []


@pytest.mark.parametrize("chi2", ["neyman", "pearson"])
def test_validator_accepts_a_combination_that_is_normalised(tmp_path, chi2):
    combination = dataclasses.replace(worked_example(chi2), normalise=True)
    fit = bc.profile(combination)
    submission = Submission(bc.export_hepdata(fit, tmp_path / "export"))
    assert accepted(directory=submission.folder) == []
    assert "units" not in submission.columns("Combined results")["value"]["header"]
    assert submission.values("Combined results", "value") == fit.values.values[:2].tolist()
    before = "Combined results before normalisation"
    assert submission.values(before, "value") == fit.unnormalised.values.values[:2].tolist()
    assert "normalised to the sum" in submission.documents["Combined results"]["description"]


def test_mass_of_run1_with_its_parts_unit_and_covariance(run1, run1_export):
    fit = bc.profile(run1)
    assert run1_export.rows("Combined results") == ["m_t"]
    assert run1_export.columns("Combined results")["value"]["header"] == {"name": "value", "units": "GeV"}
    assert run1_export.values("Combined results", "value") == [fit.values.item()]
    assert run1_export.errors("Combined results", "value", "stat") == [fit.statistical_errors.item()]
    assert run1_export.errors("Combined results", "value", "syst") == [fit.systematic_errors.item()]
    assert run1_export.values("Combined results", "total error") == [fit.errors.item()]
    covariance = run1_export.columns("Covariance of combined results")["covariance"]
    assert covariance["header"]["units"] == "GeV^2"
    assert covariance["values"] == [{"value": fit.covariance.item()}]
    assert run1_export.values("Goodness of fit", "value") == [fit.chi2, fit.ndf, fit.p_value, 0.0]


def test_nuisances_have_a_dash_where_they_have_no_posterior(run1, run1_export):
    fit = bc.profile(run1)
    names = run1_export.rows("Nuisances")
    assert names == fit.pulls["nuisance"].values.tolist()
    known = dict(zip(fit.constraints["nuisance"].values, fit.constraints.values.tolist(), strict=True))
    assert run1_export.values("Nuisances", "constraint") == [known.get(n, "-") for n in names]
    pulls = dict(zip(names, fit.pulls.values.tolist(), strict=True))
    assert run1_export.values("Nuisances", "pull") == [pulls[n] if n in known else "-" for n in names]
    assert run1_export.errors("Nuisances", "pull", "constraint") == [known.get(n) for n in names]
    assert 0 < len(known) < len(names)


def test_impacts_of_sources_groups_and_parts(run1, run1_export):
    impacts = bc.impacts(run1)
    assert run1_export.rows("Impacts of sources") == impacts.sources["source"].values.tolist()
    assert run1_export.values("Impacts of sources", "m_t") == impacts.sources.sel(parameter="m_t").values.tolist()
    assert run1_export.values("Impacts of groups", "m_t") == impacts.groups.sel(parameter="m_t").values.tolist()
    parts = [impacts.statistics, impacts.systematics, impacts.coupling, impacts.total]
    assert run1_export.values("Parts of the error", "m_t") == [p.item() for p in parts]
    assert impacts.definition in run1_export.documents["Impacts of sources"]["description"]
    assert run1_export.columns("Impacts of sources")["m_t"]["header"]["units"] == "GeV"


def test_every_coefficient_has_its_range_prior_and_posterior(run1, run1_posterior, run1_export):
    table = "Correlation coefficients"
    coefficients = run1.assumption_set.coefficients
    assert run1_export.rows(table) == [c.name for c in coefficients]
    for key in ("nominal", "low", "high"):
        assert run1_export.values(table, key) == [getattr(c, key) for c in coefficients]
    assert run1_export.values(table, "prior") == [c.prior for c in coefficients]
    exact = exact_priors(run1)
    for name in ("posterior", "prior"):
        rho = run1_posterior[name]["rho"]
        mean, sd = rho.mean(("chain", "draw")), rho.std(("chain", "draw"), ddof=1)
        sampled = {str(n): i for i, n in enumerate(rho["coefficient"].values)}
        for found, expected in (
            (run1_export.values(table, f"{name} mean"), mean.values),
            (run1_export.values(table, f"{name} standard deviation"), sd.values),
        ):
            for coefficient, value in zip(coefficients, found, strict=True):
                if name == "prior" and coefficient.name in exact:
                    law = exact[coefficient.name]
                    assert value in (pytest.approx(law.mean(), rel=1e-12, abs=1e-14), pytest.approx(law.std(), rel=1e-12))
                    continue
                # the same sum in another order
                assert value == pytest.approx(expected[sampled[coefficient.name]], rel=1e-12, abs=1e-14)


def test_prior_correlations_are_all_that_the_set_states(run1, run1_export):
    from bayescomb.likelihood.correlation import correlation_family

    family = correlation_family(run1)
    matrix = family.base.copy()
    position = {name: i for i, name in enumerate(family.nuisances)}
    for (first, second, sign), value in zip(family.pairs, family.nominal, strict=True):
        matrix[first, second] = matrix[second, first] = sign * value
    found = np.eye(len(matrix))
    table = "Prior correlations"
    rows = zip(run1_export.rows(table), run1_export.rows(table, 1), run1_export.values(table, "correlation"), strict=True)
    for first, second, value in rows:
        found[position[first], position[second]] = found[position[second], position[first]] = value
    np.testing.assert_array_equal(found, matrix)


def test_posterior_is_that_of_the_comparison(run1, run1_posterior, run1_export):
    row = bc.compare(run1_posterior, bc.profile(run1)).table.sel(parameter="m_t")
    table = "Posterior of combined results"
    for heading, key in (
        ("posterior mean", "mean"),
        ("posterior standard deviation", "sd"),
        ("posterior median", "median"),
        ("68 % highest-density interval, lower end", "hdi_low"),
        ("68 % highest-density interval, upper end", "hdi_high"),
        ("Monte Carlo error of the mean", "mcse_mean"),
    ):
        assert run1_export.values(table, heading) == [row[key].item()], heading
    quantiles = [run1_export.values(table, f"posterior quantile {p:g}")[0] for p in QUANTILES]
    assert quantiles[2] == row["median"].item()
    assert quantiles == sorted(quantiles)
    draws = run1_posterior["posterior"]["m_t"].values.ravel()
    # A quantile's Monte Carlo error is below twice that of a Gaussian's 2.5 % point: sqrt(p (1 - p) / n) / density
    spread = 5 * np.sqrt(0.025 * 0.975 / len(draws)) / 0.0584 * draws.std()
    np.testing.assert_allclose(quantiles, np.quantile(draws, QUANTILES), atol=spread, rtol=0)


@pytest.mark.parametrize("kind", ["Combined", "Fitted"])
def test_bins_have_their_edges_names_energy_and_error_parts(ttj, ttj_export, kind):
    fit = bc.profile(ttj if kind == "Fitted" else ttj.with_extraction(""))
    parts = {"stat": fit.statistical_errors, "syst": fit.systematic_errors}
    parts |= {"theory": fit.theory_errors} if kind == "Fitted" else {}
    for prediction in (p for p in ttj.predictions if p.name in ttj.extraction_in_force.distributions):
        table = f"{kind} {prediction.name}"
        names = list(prediction.observables)
        at = {"parameter": names}
        assert ttj_export.rows(table) == [tuple(edges) for edges in prediction.bins.tolist()]
        assert ttj_export.values(table, "observable") == names
        assert ttj_export.values(table, "value") == fit.values.sel(at).values.tolist()
        for label, errors in parts.items():
            assert ttj_export.errors(table, "value", label) == errors.sel(at).values.tolist()
        covariance = fit.covariance.sel(parameter=names, parameter_b=names).values.ravel().tolist()
        assert ttj_export.values(f"Covariance of {table[0].lower()}{table[1:]}", "covariance") == covariance
        value = ttj_export.columns(table)["value"]
        assert {"name": "SQRT(S)", "value": 1000 * prediction.energy_tev, "units": "GeV"} in value["qualifiers"]
        assert value["header"]["units"] == fit.values.sel(at)["unit"].values[0]
        assert ttj_export.documents[table]["keywords"] == [{"name": "cmenergies", "values": [1000 * prediction.energy_tev]}]
    assert ttj_export.documents["Extracted results"]["keywords"] == [{"name": "cmenergies", "values": [8000.0, 13000.0]}]


def test_extracted_mass_and_the_correlation_of_everything(ttj, ttj_export):
    fit = bc.profile(ttj)
    assert ttj_export.rows("Extracted results") == ["m_t"]
    assert ttj_export.values("Extracted results", "value") == [fit.values.sel(parameter="m_t").item()]
    assert ttj_export.values("Extracted results", "upward error (Delta chi2 = 1)") == [fit.up_errors[0].item()]
    assert ttj_export.values("Extracted results", "downward error (Delta chi2 = 1)") == [fit.down_errors[0].item()]
    names = [o.name for o in ttj.results]
    correlation = np.array(ttj_export.values("Correlation of results", "correlation")).reshape(len(names), -1)
    errors = fit.errors.sel(parameter=names).values
    expected = fit.covariance.sel(parameter=names, parameter_b=names).values
    np.testing.assert_allclose(correlation * np.outer(errors, errors), expected, rtol=1e-14)
    assert ttj_export.rows("Correlation of results")[: len(names)] == ["m_t"] * len(names)


def test_every_table_and_column_says_that_inputs_are_reconstructed_and_not_for_quoting(ttj_export):
    assert "NOT FOR QUOTING" in ttj_export.head["comment"]
    assert "rests on reconstructed, not published, figures: ATLAS 8 TeV: responses" in ttj_export.head["comment"]
    for name, document in ttj_export.documents.items():
        measured = "ombined " in name  # no prediction has a part in it
        assert ("NOT FOR QUOTING" in document["description"]) != measured, name
        assert "rests on reconstructed, not published, figures" in document["description"], name
        assert "assumption set 'jes_modelling'" in document["description"], name
        for heading, column in ttj_export.columns(name).items():
            said = {q["name"]: q["value"] for q in column["qualifiers"]}
            assert said["assumption set"] == "jes_modelling", (name, heading)
            assert said.get("extraction") == (None if measured else "normalised")
            assert "reconstructed: ATLAS 8 TeV: responses" in said["origin of the inputs"]
            assert said.get("for quoting", "").startswith("NO") != measured
    kinds = dict(
        zip(ttj_export.rows("Origin of the inputs"), ttj_export.values("Origin of the inputs", "kind"), strict=True)
    )
    assert kinds["ATLAS 8 TeV: responses"] == "reconstructed"
    assert "published" in kinds.values()


def test_asymmetric_errors_and_impacts_of_nuisances_of_the_convino_example(worked_export):
    fit = bc.profile(worked_example("pearson"))
    impacts = bc.impacts(fit.combination)
    names = ["combined_a", "combined_b"]
    assert worked_export.rows("Combined results") == names
    assert worked_export.values("Combined results", "upward error (Delta chi2 = 1)") == fit.up_errors.values.tolist()
    assert worked_export.values("Combined results", "downward error (Delta chi2 = 1)") == fit.down_errors.values.tolist()
    assert worked_export.rows("Impacts of nuisances") == impacts.sources["source"].values.tolist()
    for name in names:
        assert worked_export.values("Impacts of nuisances", name) == impacts.sources.sel(parameter=name).values.tolist()
    said = {q["name"]: q["value"] for q in worked_export.columns("Combined results")["value"]["qualifiers"]}
    assert said == {
        "assumption set": "nominal",
        "treatment of the sources": "nuisance",
        "form of chi2": "pearson",
        "origin of the inputs": "provenance not stated",
    }


@pytest.mark.parametrize("export", ["run1_export", "ttj_export", "worked_export"])
def test_json_and_netcdf_hold_the_same_numbers(export, request):
    folder = request.getfixturevalue(export).folder
    data = json.loads((folder / "combination.json").read_text(encoding="utf-8"))
    with xr.open_datatree(folder / "combination.nc", engine="h5netcdf") as opened:
        tree = opened.load()
    assert json.loads(tree.attrs["model"]) == data["inputs"]
    assert json.loads(tree.attrs["provenance"]) == data["provenance"]
    assert tree.attrs["assumptions"] == data["assumptions"]
    compared = 0
    for name, node in tree.children.items():
        group = node.to_dataset()
        dim = next(iter(group.sizes))
        rows = data[name] if isinstance(data[name], list) else list(data[name].values())
        assert len(rows) == group.sizes[dim]
        for key, values in group.data_vars.items():
            stored = [row[key] if values.ndim == 1 else list(row[key].values()) for row in rows]
            np.testing.assert_array_equal(np.array(stored, dtype=float), values.values)
            compared += values.size
    assert compared > 50


def test_netcdf_has_the_results_of_the_fit(run1, run1_export):
    fit = bc.profile(run1)
    with xr.open_datatree(run1_export.folder / "combination.nc", engine="h5netcdf") as tree:
        assert tree["results"]["value"].item() == fit.values.item()
        assert str(tree["results"]["unit"].item()) == "GeV"
        assert tree["estimates"]["weight"].sel(parameter="m_t").values.tolist() == fit.weights[0].values.tolist()
        run = json.loads(tree.attrs["posterior_run"])
    assert (run["seed"], run["converged"], run["interval"]) == (1, True, "68 % highest-density interval")
    assert run["versions"]["pymc"] == importlib.metadata.version("pymc")


def test_settings_versions_and_seed_stand_in_a_table(run1_export):
    table = "Settings and versions"
    found = dict(zip(run1_export.rows(table), run1_export.values(table, "value"), strict=True))
    assert (found["model"], found["assumptions"], found["treatment"]) == ("run1_mass", "nominal", "covariance")
    assert found["posterior, seed"] == 1
    assert found["version of bayescomb"] == bc.__version__
    assert found["version of hepdata_lib"]


def test_free_nuisances_stand_apart_with_value_and_error(tmp_path):
    combination = star(2, separate_observables=False)
    first = combination.measurements[2]
    free = dataclasses.replace(first, nuisances=(bc.Nuisance(name="shift", free=True),))
    bound = combination.assumption_set.restricted_to(["n0", "n1"])
    combination = dataclasses.replace(
        combination, measurements=(*combination.measurements[:2], free), assumption_sets={"default": bound}
    )
    fit = bc.profile(combination)
    submission = Submission(bc.export_hepdata(fit, tmp_path / "export"))
    assert accepted(directory=submission.folder) == []
    assert submission.rows("Nuisances") == ["n0", "n1"]
    assert submission.rows("Free nuisances") == ["shift"]
    assert submission.values("Free nuisances", "value") == [fit.values.sel(parameter="shift").item()]
    assert submission.values("Free nuisances", "error") == [fit.errors.sel(parameter="shift").item()]


def test_small_and_large_numbers_are_not_rounded(tmp_path):
    values = {"a": 1.2345678901234567e-9, "b": 9.876543210987654e12, "c": 100.00000000000001, "d": -0.3}
    measurements = [
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"e_{name}", value=value, observables={name: 1.0}),),
            statistical_covariance=[[(value / 7) ** 2]],
        )
        for name, value in values.items()
    ]
    combination = bc.Combination(
        name="sizes",
        measurements=tuple(measurements),
        observables=tuple(bc.Observable(name=name) for name in values),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    fit = bc.profile(combination)
    submission = Submission(bc.export_hepdata(fit, tmp_path / "export"))
    assert accepted(directory=submission.folder) == []
    assert submission.values("Combined results", "value") == fit.values.values.tolist()
    assert submission.errors("Combined results", "value", "stat") == fit.statistical_errors.values.tolist()
    covariance = np.reshape(submission.values("Covariance of combined results", "covariance"), (4, 4))
    np.testing.assert_array_equal(covariance, fit.covariance.values)


def test_names_with_signs_of_yaml_and_paths_do_no_harm(tmp_path):
    names = ["../a: b", "- c #d", "{e}", "yes", "1e5", "\N{GREEK SMALL LETTER SIGMA}/x"]
    measurements = [
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"e {name}", value=1.0, observables={name: 1.0}),),
            statistical_covariance=[[1.0]],
            nuisances=(bc.Nuisance(name=f"n {name}"),),
            responses=[[0.5]],
        )
        for name in names
    ]
    combination = bc.Combination(
        name="names",
        title="a title: with 'quotes'",
        measurements=tuple(measurements),
        observables=tuple(bc.Observable(name=name, unit=f"unit/{i % 2}") for i, name in enumerate(names)),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    submission = Submission(bc.export_hepdata(bc.profile(combination), tmp_path / "export"))
    assert accepted(directory=submission.folder) == []
    assert submission.rows("Combined results") == names[::2]
    assert submission.rows("Combined results 2") == names[1::2]
    assert submission.rows("Nuisances") == [f"n {name}" for name in names]
    assert bc.load(submission.folder).estimates == combination.estimates
    assert sorted(p.name for p in tmp_path.iterdir()) == ["export"]


def test_keywords_reach_every_table_and_known_energies_stay(ttj, tmp_path):
    keywords = {"reactions": ["P P --> TOP TOPBAR JET X"], "cmenergies": [7000.0]}
    submission = Submission(bc.export_hepdata(bc.profile(ttj), tmp_path / "export", keywords=keywords))
    assert accepted(directory=submission.folder) == []
    for document in submission.documents.values():
        assert {"name": "reactions", "values": keywords["reactions"]} in document["keywords"]
    assert {"name": "cmenergies", "values": [8000.0]} in submission.documents["Combined 8 TeV"]["keywords"]
    assert {"name": "cmenergies", "values": [7000.0]} in submission.documents["Nuisances"]["keywords"]


def test_command_exports_the_settings_that_it_is_given(tmp_path, capsys):
    target = tmp_path / "export"
    words = ["export", "models/run1_mass", "--treatment", "nuisance", "--repair", "nearest", "--output", str(target)]
    assert main([*words, "--keyword", "reactions=P P --> TOP TOPBAR", "--keyword", "cmenergies=7000"]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    submission = Submission(target)
    assert accepted(directory=target) == []
    fit = bc.profile(bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest"))
    assert submission.values("Combined results", "value") == [fit.values.item()]
    said = {q["name"]: q["value"] for q in submission.columns("Combined results")["value"]["qualifiers"]}
    assert said["treatment of the sources"] == "nuisance, repair nearest"
    assert json.loads((target / "combination.json").read_text())["repairs"]


def test_command_takes_a_posterior(run1_posterior, tmp_path):
    stored = save_posterior(run1_posterior, tmp_path / "posterior.nc")
    assert main(["export", "models/run1_mass", str(stored), "--output", str(tmp_path / "export.zip")]) == 0
    assert accepted(archive=tmp_path / "export.zip") == []


def test_uncertain_sizes_of_sources_with_the_corrected_answers(run1, tmp_path):
    combination = run1.with_errors_on_errors({"LHCbJES": 0.5, "method": bc.ErrorOnError(relative=0.3, kind="independent")})
    fit = bc.profile(combination)
    submission = Submission(bc.export_hepdata(fit, tmp_path / "export"))
    assert accepted(directory=submission.folder) == []
    table = "Uncertain sizes"
    assert submission.rows(table) == fit.sizes.sizes["uncertain_size"].values.tolist()
    assert submission.values(table, "fitted size") == fit.sizes.sizes["size"].values.tolist()
    assert set(submission.values(table, "kind")) == {"common", "independent"}
    up = submission.values("Combined results", "upward error, corrected")
    assert up == [fit.sizes.intervals["up"].item()]
    assert submission.values("Goodness of fit", "value") == [fit.chi2, fit.ndf, fit.p_value, 0.0, fit.sizes.chi2]
    said = {q["name"]: q["value"] for q in submission.columns("Nuisances")["pull"]["qualifiers"]}
    assert said["form of chi2"] == "neyman, errors on errors: LHCbJES 50.0 %, method 30.0 % (independent)"
    assert "gamma variance model" in submission.documents["Combined results"]["description"]
    assert "size of LHCbJES" in submission.rows("Impacts of sources")
    assert bc.load(submission.folder).errors_on_errors == combination.errors_on_errors


def test_posterior_of_an_extraction(ttj_posterior, tmp_path):
    """At the next order, which every column of a table with a part of the prediction says."""
    ttj = bc.load("models/ttj_rho")
    submission = Submission(bc.export_hepdata(bc.profile(ttj), tmp_path / "export", posterior=ttj_posterior))
    for name in submission.documents:
        for heading, column in submission.columns(name).items():
            said = {q["name"]: q["value"] for q in column["qualifiers"]}
            origin = "NLO at 172.5 GeV, mass dependence and PDF members at LO (lo * kfactor)"
            assert (origin in said.get("predictions", "")) is ("ombined " not in name), (name, heading)
    assert accepted(directory=submission.folder) == []
    draws = ttj_posterior["posterior"]
    assert submission.values("Posterior of extracted results", "posterior mean")[0] == draws["m_t"].mean().item()
    quantile = submission.values("Posterior of fitted 13 TeV NLO", "posterior quantile 0.16")
    assert quantile == [np.quantile(draws[n].values, 0.16) for n in ttj.predictions[3].observables]
    theory = dict(zip(submission.rows("Nuisances"), submission.values("Nuisances", "posterior mean"), strict=True))
    first = str(draws["theory_nuisance"].values[0])
    assert theory[first] == pytest.approx(draws["theory_pull"].sel(theory_nuisance=first).mean().item(), rel=1e-9)
    assert "-" not in submission.values("Correlation coefficients", "posterior mean")


def test_sampled_correlation_of_scales_is_a_coefficient_like_the_others(tmp_path):
    from test_extraction_posterior import CASES, two_experiments, uncertain

    combination = two_experiments(CASES["two masses, correlated scales"], coefficients=uncertain())
    # A short run whose draws are taken in random order many times, which passes as converged.
    short = bc.sample(combination, seed=3, draws=100, tune=300, chains=4, progress=False)
    posterior = report_pages.redrawn(short, draws=500)
    submission = Submission(bc.export_hepdata(bc.profile(combination), tmp_path / "export", posterior=posterior))
    assert accepted(directory=submission.folder) == []
    table = "Correlation coefficients"
    assert submission.rows(table) == ["r", "scale_correlation"]
    assert submission.values(table, "nominal") == [0.3, 0.5]
    draws = posterior["posterior"]["scale_correlation"].values
    assert submission.values(table, "posterior mean")[1] == draws.mean()
    assert submission.rows("Extracted results") == ["m_a", "m_b"]
    assert submission.rows("Differences of masses") == ["m_a - m_b"]
    assert submission.rows("Extracted results 2") == list(combination.extraction_in_force.scale_parameters)


def test_table_that_is_too_long_for_the_site_is_left_to_json_and_netcdf(run1, tmp_path, monkeypatch):
    monkeypatch.setattr(export_tables, "MAX_ROWS", 1000)
    submission = Submission(bc.export_hepdata(bc.profile(run1), tmp_path / "export"))
    assert accepted(directory=submission.folder) == []
    assert "Prior correlations" not in submission.tables
    assert (
        "Too long for a table, in combination.json and combination.nc only: Prior correlations" in submission.head["comment"]
    )
    assert len(json.loads((tmp_path / "export" / "combination.json").read_text())["prior_correlations"]) > 1000

"""The measurement files of ttj_rho: they have the published figures, and are what their script writes."""

import csv
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

import bayescomb as bc

FOLDER = Path(__file__).parents[2] / "models" / "ttj_rho"
CMS = [f"cms_rho_{b}" for b in range(1, 5)]
ATLAS = [f"atlas_rho_{b}" for b in range(1, 9)]
# Half of the last digit of the published percentages.
ROUNDING = 0.05
# The matrix has 8 decimals of correlations of a total of at most 6 percent; sums over its 229 nuisances stay below this.
DIGITS = 1e-6
# The sources of the ATLAS mass that have no nuisance with a public name.
NAMELESS = {
    "statistical",
    "Monte Carlo statistics",
    "unfolding modelling",
    "fit parameterisation",
    "total experimental systematic",
}
BFRAG = {"CMS_modelling_ttbar_bfrag", "CMS_modelling_ttbar_bfragPythiaDefault", "CMS_modelling_ttbar_bfragPeterson"}
# ATLAS and CMS nuisances that an assumption set correlates.
PAIRS = [
    ("scale_b", "scale_j_flavorBottom"),
    ("scale_j_flavorresponse", "scale_j_flavorGluon"),
    ("scale_j_EtaIntercalibrationModel", "scale_j_relativeFSR"),
    *((f"scale_j_{kind}{i}", "scale_j_absoluteMPFBias") for kind in ("Mix", "Model") for i in range(1, 5)),
    *(("modelling_ttbar_ShowerHadronization", name.removeprefix("CMS_")) for name in sorted(BFRAG)),
    *(("modelling_ttbar_ColorReconnection", f"modelling_ttbar_{name}") for name in ("erdOn", "tuneQCD", "tuneGluon")),
    *(("modelling_ttbar_Radiation", f"modelling_ttbar_{name}") for name in ("hdamp", "isr", "fsr")),
    ("modelling_ttbar_UnderlyingEvent", "modelling_ttbar_tune"),
    *(
        (f"modelling_ttbar_{name}", "norm_tt0jet")
        for name in ("ColorReconnection", "MatrixElement", "Radiation", "ShowerHadronization", "UnderlyingEvent")
    ),
]


def table(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def columns(rows, *names):
    return [np.array([float(row[name]) for row in rows]) for name in names]


def matrix(rows):
    return np.array([[float(row[other["estimate"]]) for other in rows] for row in rows])


def members(measurement, source=None):
    rows = [row for row in table("published/nuisances.csv") if row["measurement"] == measurement]
    return [row["nuisance"] for row in rows if source is None or row["source"] == source]


def published_impacts():
    """(category, source) -> impact on each CMS bin in percent."""
    return {
        (r["category"], r["source"]): np.array([float(r[b]) for b in CMS]) for r in table("published/cms_13tev_impacts.csv")
    }


def impact_groups():
    """Group name -> nuisances, of every CMS source and category."""
    sources, categories = {}, {}
    for category, source in published_impacts():
        names = members("CMS 13 TeV", source)
        if names:
            sources[source] = names
            categories.setdefault(category, []).extend(names)
    return sources, {name: categories[name] for name in ("experimental", "background", "modelling")}


@pytest.fixture(scope="module")
def combination(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ttj_rho")
    for name in ("atlas_8tev.txt", "cms_13tev.txt"):
        shutil.copy(FOLDER / name, folder)
    sources, categories = impact_groups()
    groups = {**sources, **categories, "everything": members("CMS 13 TeV")}
    labels = {label: f"group_{i}" for i, label in enumerate(groups)}
    base = folder / "base.txt"
    lines = ["[global]", "[end global]", "[inputs]", "nFiles = 2", "file0 = atlas_8tev.txt", "file1 = cms_13tev.txt"]
    lines += ["[end inputs]", "[observables]", *(f"x_{name} = {name}" for name in ATLAS + CMS), "[end observables]"]
    lines += ["[correlations]", "[end correlations]", "[uncertainty impacts]"]
    lines += [f"{labels[label]} = {' + '.join(names)}" for label, names in groups.items()]
    base.write_text("\n".join([*lines, "[end uncertainty impacts]", ""]), encoding="utf-8")
    return bc.load(base), labels


@pytest.fixture(scope="module")
def atlas(combination):
    return combination[0].measurements[0]


@pytest.fixture(scope="module")
def cms(combination):
    return combination[0].measurements[1]


@pytest.fixture(scope="module")
def postfit(combination):
    """Impact group -> impact on each CMS bin in percent; the total uncertainty in percent."""
    loaded, labels = combination
    result = bc.impacts(loaded, parts="held")
    parameters = [f"x_{name}" for name in CMS]
    value = columns(table("published/cms_13tev_cross_sections.csv"), "value")[0]
    groups = {
        label: 100 * result.groups.sel(group=group, parameter=parameters).values / value for label, group in labels.items()
    }
    return groups, 100 * result.total.sel(parameter=parameters).values / value


@pytest.fixture(scope="module")
def cms_covariance(cms):
    """Covariance of the cross sections in percent, all uncertainties in it, and theirs with the nuisances of the fit."""
    value = np.array([e.value for e in cms.estimates])
    joint = np.linalg.inv(cms.fit.information)
    inside = joint[:4, :4] + cms.responses @ cms.responses.T
    return 1e4 * inside / np.outer(value, value), 100 * joint[:4, 4:] / value[:, None]


def shares_against_mass(name, lows, mass):
    """Predicted normalised distribution and its change per GeV."""
    central = {"pdf_set": "PDF4LHC21_40_pdfas", "member": "0", "scale_choice": "ht2", "mu_r": "1", "mu_f": "1"}
    rows = [row for row in table(name) if all(row[k] == v for k, v in central.items())]
    masses = sorted({float(row["m_t_gev"]) for row in rows})
    found = {(float(r["m_t_gev"]), float(r["bin_low"])): float(r["xsec_pb"]) for r in rows}
    shares = np.array([[found[m, low] for low in lows] for m in masses])
    shares /= shares.sum(axis=1, keepdims=True)
    fits = np.polyfit(np.array(masses) - mass, shares, 4)
    return fits[-1], fits[-2]


def mass_weights(yields, covariance, slope, dropped):
    """Shift of the mass per shift of each yield: least squares on the normalised distribution without one bin."""
    share = yields / yields.sum()
    to_shares = (np.eye(len(yields)) - share[:, None]) / yields.sum()
    kept = [b for b in range(len(yields)) if b != dropped]
    inverse = np.linalg.inv((to_shares @ covariance @ to_shares.T)[np.ix_(kept, kept)])
    weights = slope[kept] @ inverse / (slope[kept] @ inverse @ slope[kept])
    return weights @ to_shares[kept]


def atlas_mass_shifts(atlas, dropped):
    """Nuisance -> shift of the ATLAS mass at +1 sigma, positive if the true mass lies above the measured one."""
    lows = [float(row["bin_low"]) for row in table("published/atlas_8tev_yields.csv")]
    yields = np.array([e.value for e in atlas.estimates])
    _, slope = shares_against_mass("prediction_8tev.csv", lows, 171.38)
    weights = mass_weights(yields, np.linalg.inv(atlas.fit.information), slope, dropped)
    return dict(zip([n.name for n in atlas.nuisances], weights @ atlas.responses, strict=True))


def test_nuisances_are_those_of_the_public_lists(atlas, cms):
    assert len(atlas.all_nuisances) == 123
    assert len(cms.all_nuisances) == 232
    assert [n.name for n in atlas.nuisances] == members("ATLAS 8 TeV")
    assert {n.name for n in cms.nuisances} == BFRAG
    assert [n.name for n in cms.fit.nuisances] == [name for name in members("CMS 13 TeV") if name not in BFRAG]


def test_every_source_of_a_nuisance_is_a_published_row():
    rows = {source for _, source in published_impacts()} | {row["source"] for row in table("published/atlas_8tev_mass.csv")}
    assert {row["source"] for row in table("published/nuisances.csv")} - {""} <= rows
    named = {row["source"] for row in table("published/nuisances.csv")}
    assert {source for _, source in published_impacts()} - named == {"total", "total systematic", "statistical"}
    assert {row["source"] for row in table("published/atlas_8tev_mass.csv")} - named == NAMELESS


@pytest.mark.parametrize(
    ("name", "published"), [("atlas", "atlas_8tev_yields"), ("cms", "cms_13tev_cross_sections")]
)  # fmt: skip
def test_values_and_statistical_covariances_are_the_published_ones(name, published, request):
    measurement = request.getfixturevalue(name)
    rows = table(f"published/{published}.csv")
    value, stat = columns(rows, "value", "stat")
    assert [e.name for e in measurement.estimates] == [row["estimate"] for row in rows]
    assert [e.value for e in measurement.estimates] == list(value)
    n = len(rows)
    # The information of the estimates with all nuisances held.
    held = np.linalg.inv(measurement.fit.information[:n, :n])
    np.testing.assert_allclose(held / np.outer(stat, stat), matrix(rows), atol=10 * DIGITS)


def test_each_cms_source_has_its_published_impact(postfit):
    sources, _ = impact_groups()
    published = {source: size for (_, source), size in published_impacts().items() if source in sources}
    assert len(published) == 27
    for source, size in published.items():
        np.testing.assert_allclose(postfit[0][source], size, atol=10 * DIGITS, err_msg=source)


@pytest.mark.parametrize("category", ["experimental", "background", "modelling"])
def test_each_cms_category_has_its_published_total(postfit, category):
    np.testing.assert_allclose(postfit[0][category], published_impacts()[category, "total"], rtol=0, atol=ROUNDING)


def test_cms_totals_are_the_published_ones(postfit):
    groups, total = postfit
    published = published_impacts()
    np.testing.assert_allclose(total, published["all", "total"], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(groups["everything"], published["all", "total systematic"], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(np.sqrt(total**2 - groups["everything"] ** 2), published["all", "statistical"], atol=ROUNDING)


def test_cms_sources_are_correlated_so_their_squares_exceed_the_total(postfit):
    sources, _ = impact_groups()
    assert (sum(postfit[0][source] ** 2 for source in sources) > postfit[0]["everything"] ** 2).all()


def test_the_cms_fit_constrains_its_nuisances_and_loosens_none(cms):
    covariance = np.linalg.inv(cms.fit.information)[4:, 4:]
    constraints = dict(zip([n.name for n in cms.fit.nuisances], np.sqrt(np.diag(covariance)), strict=True))
    assert max(constraints.values()) <= 1 + DIGITS
    assert 0.3 < min(constraints.values()) < 0.8
    data = np.linalg.inv(covariance) - np.eye(len(covariance))
    # Entries of 1/covariance have sizes of up to 100.
    assert np.linalg.eigvalsh(data)[0] > -100 * DIGITS
    untouched = members("CMS 13 TeV", "")
    assert len(untouched) == 5
    assert [constraints[name] for name in untouched] == pytest.approx([1.0] * 5, abs=DIGITS)


def test_names_without_a_published_impact_move_no_cross_section(cms, cms_covariance):
    names = [n.name for n in cms.fit.nuisances]
    for name in members("CMS 13 TeV", ""):
        assert np.abs(cms_covariance[1][:, names.index(name)]).max() < DIGITS


def test_simulated_statistics_act_mainly_in_their_own_bin(cms, cms_covariance):
    names = [n.name for n in cms.fit.nuisances]
    for b, label in enumerate(["Rho0to03", "Rho03to045", "Rho045to07", "Rho07to1"]):
        own = [names.index(name) for name in names if fnmatchcase(name, f"CMS_prop_*_{label}_*")]
        sizes = np.linalg.norm(cms_covariance[1][:, own], axis=1)
        assert sizes.argmax() == b


def test_cms_bins_are_positively_correlated(cms_covariance):
    size = np.sqrt(np.diag(cms_covariance[0]))
    off_diagonal = (cms_covariance[0] / np.outer(size, size))[np.triu_indices(4, 1)]
    assert off_diagonal.min() > 0
    assert off_diagonal.max() < 0.9


@pytest.mark.parametrize("dropped", [7, 2])
def test_atlas_sources_shift_the_mass_as_published(atlas, dropped):
    shifts = atlas_mass_shifts(atlas, dropped)
    published = {row["source"]: float(row["m_t_pole"]) for row in table("published/atlas_8tev_mass.csv")}
    for source in published.keys() - NAMELESS:
        found = np.linalg.norm([shifts[name] for name in members("ATLAS 8 TeV", source)])
        # The shifts of the yields have 8 digits.
        assert found == pytest.approx(published[source], rel=DIGITS), source


def test_atlas_total_is_the_published_one_with_the_sources_that_have_no_names(atlas):
    published = {row["source"]: float(row["m_t_pole"]) for row in table("published/atlas_8tev_mass.csv")}
    named = np.linalg.norm(list(atlas_mass_shifts(atlas, 7).values()))
    assert named == pytest.approx(0.870, abs=5e-4)
    nameless = [published[s] for s in ("Monte Carlo statistics", "unfolding modelling", "fit parameterisation")]
    assert np.linalg.norm([named, *nameless]) == pytest.approx(0.937, abs=5e-4)
    assert np.linalg.norm([named, *nameless]) == pytest.approx(published["total experimental systematic"], abs=ROUNDING)


def test_atlas_shifts_leave_the_sum_of_the_yields(atlas):
    assert np.abs(atlas.responses.sum(axis=0)).max() < DIGITS * np.abs(atlas.responses).max()


def test_pairs_move_both_masses_up(atlas, cms, cms_covariance):
    rows = table("published/cms_13tev_cross_sections.csv")
    value, low, high = columns(rows, "value", "bin_low", "bin_high")
    yields = value * (high - low)
    _, slope = shares_against_mass("prediction_13tev.csv", low, 171.38)
    covariance, with_nuisances = cms_covariance
    moves = dict(zip([n.name for n in cms.fit.nuisances], with_nuisances.T, strict=True))
    moves |= dict(zip([n.name for n in cms.nuisances], (100 * cms.responses / value[:, None]).T, strict=True))
    weights = mass_weights(yields, covariance * np.outer(yields, yields) / 1e4, slope, 3)
    up = atlas_mass_shifts(atlas, 7)
    for ours, theirs in PAIRS:
        assert up[f"ATLAS_8TeV_{ours}"] > 0, ours
        assert weights @ (moves[f"CMS_{theirs}"] * yields) > 0, theirs


def test_script_writes_what_is_there(tmp_path):
    script = FOLDER / "reconstruct.py"
    done = subprocess.run([sys.executable, script, "--check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_script_says_which_file_differs(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "ttj_rho")
    path = folder / "atlas_8tev.txt"
    text = path.read_text(encoding="utf-8")
    assert text.count("value_7 = 248.47115") == 1
    path.write_text(text.replace("value_7 = 248.47115", "value_7 = 248.47125"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, folder / "reconstruct.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["atlas_8tev.txt: differs", "cms_13tev.txt: as reconstructed"]

"""The report: its folder, its page, what it withholds, and that nothing of a user is ever lost."""

import base64
import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from combinations import star
from report_pages import SECTIONS, Page, read_csv, tree, unrendered

import bayescomb as bc
from bayescomb.base.errors import OutputError, PosteriorError
from bayescomb.base.files import working_folders as beside
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.output.report import report as reporting
from bayescomb.output.report.gathered.ranking import nuisance_labels, nuisance_rows
from bayescomb.output.report.gathered.sets import estimate_profile, experiment_profiles, set_rows
from bayescomb.output.report.report import report
from bayescomb.sampling.posterior.summary import posterior_density, rank_counts

RUN1 = Path(__file__).parents[3] / "models" / "run1_mass"


@pytest.fixture(scope="module")
def combination():
    return bc.load(RUN1)


@pytest.fixture(scope="module")
def fit(combination):
    return bc.profile(combination)


@pytest.fixture(scope="module")
def posterior(combination):
    return tree(combination)


@pytest.fixture
def small(monkeypatch):
    """Profile of a small combination, and no figures: for tests of the folder alone."""
    monkeypatch.setattr(reporting, "report_figures", lambda _results: iter(()))
    return bc.profile(star(1, separate_observables=False))


@pytest.fixture(scope="module")
def folder(posterior, fit, tmp_path_factory):
    """A whole report of run1_mass."""
    target = tmp_path_factory.mktemp("reports") / "run1"
    page = report(posterior, fit, target)
    assert page == target / "report.html"
    return target


@pytest.fixture(scope="module")
def failed(posterior, fit, tmp_path_factory):
    """The same with far too few draws."""
    target = tmp_path_factory.mktemp("reports") / "failed"
    with unrendered():
        report(posterior.isel(draw=slice(20)), fit, target)
    return target


@pytest.mark.slow
def test_folder_holds_page_figures_and_tables(folder):
    assert {p.name for p in folder.iterdir()} == {"report.html", "report_full.html", "appendix.tex", "figures", "tables"}
    pictures = {p.stem for p in (folder / "figures").glob("*.svg")}
    assert pictures == {p.stem for p in (folder / "figures").glob("*.pdf")}
    assert pictures == {
        "posterior", "inputs", "estimate_correlation", "scan_shifts", "scan_curves", "impacts", "coefficients", "pulls",
        "ranks", "ranking", "shares", "coefficient_panels", "predictive", "sets", "post_fit_correlation", "without_each",
    }  # fmt: skip
    tables = {p.stem for p in (folder / "tables").glob("*.csv")}
    assert tables <= {p.stem for p in (folder / "tables").glob("*.json")}
    assert {p.stem for p in (folder / "tables").glob("*.tex")} <= tables
    assert tables >= {"summary", "coefficient_share", "estimates", "weights", "scan", "impacts", "coefficients", "pulls"}
    assert not list(folder.parent.glob(".*"))


@pytest.mark.slow
def test_page_is_self_contained_and_its_links_lead_somewhere(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(folder / "report.html")
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", text), re.IGNORECASE)
    assert '<meta charset="utf-8">' in text
    assert len(page.images) == 16
    for image in page.images:
        assert b"<svg" in base64.b64decode(image.removeprefix("data:image/svg+xml;base64,"))[:400]
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (folder / link).is_file(), link
    assert str(folder) not in text


@pytest.mark.slow
def test_page_has_its_sections_in_order_and_folds_its_details(folder):
    compact, full = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "report_full.html"))
    assert Page(folder / "report.html").ids == Page(folder / "report_full.html").ids == SECTIONS
    assert compact.count("<details>") == full.count("<details open>") == len(SECTIONS) - 3
    # The full one shows the coefficients that do nothing, too.
    assert 'class="more">15 more rows in the files' in re.sub(r"\s+", " ", compact) or "zero to the digits" in compact
    assert full.count("<tr>") > compact.count("<tr>")


@pytest.mark.slow
def test_first_line_says_what_the_result_rests_on(folder, posterior):
    text = Page(folder / "report.html").text
    first = text[: text.index("Unknown correlations")]
    for fact in ("run1_mass", "assumption set: nominal", "treatment: covariance", "correlations: prior", "published: budget",
                 "assumed: coefficient priors", "pymc 6.0.0", "seed: 7", bc.verdict(posterior).sentence):  # fmt: skip
        assert fact in first, fact


@pytest.mark.slow
def test_summary_holds_profile_and_posterior(folder, posterior, fit):
    result = Page(folder / "report.html").section("result")
    mean = posterior["conditional"]["mean"].sel(parameter="m_t").mean().item()  # less noise than the draws have
    assert f"{mean:.2f} ± 0.33 GeV posterior mean" in result
    assert "172.51 ± 0.33 GeV profile likelihood" in result
    rows = {row["answer"]: row for row in read_csv(folder / "tables" / "summary.csv")}
    assert float(rows["profile at nominal coefficients"]["value"]) == fit.values.item()
    assert float(rows["posterior"]["value"]) == mean
    reason = "most of it by LHC b-JES: its prior has the mean 0.75, the nominal value is 0.85"
    assert reason in Page(folder / "report.html").section("matters")
    share = bc.compare(posterior, fit).table["coefficient_share"].item()
    assert f"({100 * share:.4f} ± 0.00" in Page(folder / "report.html").section("coefficient-share")


@pytest.mark.slow
def test_tables_have_full_precision_and_name_their_assumptions(folder, fit):
    for path in (folder / "tables").glob("*.csv"):
        assert "assumption set 'nominal', treatment covariance" in path.read_text(encoding="utf-8").splitlines()[0]
    for path in (folder / "tables").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["assumptions"] == "nominal"
        assert document["treatment"] == "covariance"
    weights = [float(row["weight[m_t]"]) for row in read_csv(folder / "tables" / "weights.csv")]
    np.testing.assert_array_equal(weights, fit.weights.sel(parameter="m_t").to_numpy())


@pytest.mark.slow
def test_checks_flag_what_rounding_explains(folder):
    rows = {row["block"]: row["within_rounding"] for row in read_csv(folder / "tables" / "indefinite_sources.csv")}
    assert {name for name, flag in rows.items() if flag == "False"} == {"btag", "LHCrad", "PDF", "bkgMC"}
    text = Page(folder / "report.html").text
    assert "b tagging from 0.25 to 0.259 of 0.25 to 0.75" in text
    assert "their mean 0.61 is used" in text


@pytest.mark.slow
def test_nuisances_without_a_posterior_are_named(folder, posterior):
    reasons = json.loads(posterior.attrs["not_recovered"])
    rows = {row["block"]: row["reason"] for row in read_csv(folder / "tables" / "without_posterior.csv")}
    assert rows == reasons
    assert "PDF" in reasons
    pulls = {row["nuisance"]: row for row in read_csv(folder / "tables" / "pulls.csv")}
    assert len(pulls) == 375
    assert pulls["PDF[a]"]["pull"] == ""
    mean = posterior["posterior"]["pull"].sel(nuisance="LHCbJES[a]").mean().item()
    assert float(pulls["LHCbJES[a]"]["pull"]) == pytest.approx(mean, rel=1e-12)


@pytest.mark.slow
def test_failed_verdict_is_red_and_first(failed):
    text = (failed / "report.html").read_text(encoding="utf-8")
    assert '<header class="banner failed">' in text
    assert Page(failed / "report.html").text.startswith("Skip to the result This result must not be used: ")
    assert re.search(r"\.banner\.failed \{[^}]*background: #b00020", text)


@pytest.mark.slow
def test_failed_verdict_withholds_the_posterior(failed):
    page = Page(failed / "report.html")
    assert "posterior mean" not in page.section("result")
    assert "Withheld" in page.section("coefficient-share")
    assert "172.51 ± 0.33 GeV profile likelihood" in page.section("result")
    files = {p.stem for p in failed.rglob("*.*")}
    assert "ranks" in files
    assert "diagnostics" in files
    assert not files & {"posterior", "result_compare", "coefficient_share"}
    assert [row["answer"] for row in read_csv(failed / "tables" / "summary.csv")] == ["profile at nominal coefficients"]
    assert {row["pull"] for row in read_csv(failed / "tables" / "pulls.csv")} == {""}
    assert {row["posterior_mean"] for row in read_csv(failed / "tables" / "coefficients.csv")} == {""}


@pytest.mark.slow
def test_profile_alone(fit, tmp_path):
    with unrendered():
        page = Page(report(None, fit, tmp_path / "profile"))
    assert "nothing was sampled" in page.text[:600]
    # these rest on the draws
    assert page.ids == [name for name in SECTIONS if name not in ("shares", "sensitivity", "predictive")]
    assert "One coefficient at a time over its range moves m t by ± 26.0 MeV at most (LHC b-JES)" in page.section("matters")
    assert not {p.stem for p in (tmp_path / "profile" / "figures").iterdir()} & {"posterior", "ranks"}


@pytest.mark.slow
def test_several_parameters_without_sources_groups_or_units(tmp_path):
    combination = star(3)
    with unrendered():
        page = Page(report(tree(combination), bc.profile(combination), tmp_path / "star"))
    assert "nothing is left to test" in page.text
    assert "provenance not stated" in page.text
    pictures = {p.stem for p in (tmp_path / "star" / "figures").glob("*.svg")}
    # No coefficient moves an observable that only one measurement knows, and shifts of 1e-15 are not drawn.
    assert pictures == {
        "posterior", "parameter_correlation", "estimate_correlation", "impacts_1", "impacts_2", "impacts_3", "impacts_4",
        "coefficients", "pulls", "ranks", "predictive", "scan_correlations", "post_fit_correlation",
        *(f"{kind}_{i}" for kind in ("shares", "ranking") for i in range(1, 5)),
    }  # fmt: skip


def test_names_of_users_are_escaped(small, tmp_path):
    renamed = dataclasses.replace(small.combination, title="<script>alert(1)</script> & $m_t")
    text = report(None, bc.profile(renamed), tmp_path / "escaped").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $m_t" in text


@pytest.mark.slow
def test_earlier_report_is_replaced(folder, small, tmp_path):
    target = tmp_path / "again"
    shutil.copytree(folder, target)
    assert (target / "figures" / "posterior.svg").is_file()
    report(None, small, target)
    assert not (target / "figures" / "posterior.svg").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["again"]


def test_empty_folder_is_used(small, tmp_path):
    (tmp_path / "empty").mkdir()
    assert report(None, small, tmp_path / "empty").is_file()


@pytest.mark.parametrize("content", ["notes.txt", "figures/mine.gif", "data/table.csv"])
@pytest.mark.parametrize("beside_a_report", [False, True])
def test_folder_with_something_else_is_left_alone(small, tmp_path, content, beside_a_report):
    target = tmp_path / "mine"
    (target / content).parent.mkdir(parents=True)
    (target / content).write_text("kept")
    if beside_a_report:
        (target / "report.html").write_text("kept")
    before = sorted(p.relative_to(target) for p in target.rglob("*"))
    with pytest.raises(OutputError, match=re.escape(content)):
        report(None, small, target)
    assert sorted(p.relative_to(target) for p in target.rglob("*")) == before
    assert (target / content).read_text() == "kept"


def test_file_in_the_way_is_an_error(small, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="is no folder"):
        report(None, small, tmp_path / "file")
    with pytest.raises(OutputError, match="does not exist"):
        report(None, small, tmp_path / "absent" / "report")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which even root cannot write")
def test_unwritable_place_is_an_error(small):
    with pytest.raises(OutputError, match="cannot be written"):
        report(None, small, "/proc/report")


@pytest.mark.slow
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failure_half_way_keeps_the_earlier_report(folder, small, tmp_path, monkeypatch, error):
    target = tmp_path / "kept"
    shutil.copytree(folder, target)
    before = {p.relative_to(target): p.read_bytes() for p in target.rglob("*") if p.is_file()}

    def fail(*_args):
        raise error

    monkeypatch.setattr(reporting, "write_table", fail)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        report(None, small, target)
    assert {p.relative_to(target): p.read_bytes() for p in target.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pytest.mark.slow
def test_failed_rename_brings_the_earlier_report_back(folder, small, tmp_path, monkeypatch):
    target = tmp_path / "kept"
    shutil.copytree(folder, target)
    rename = Path.rename

    def fail(self, other):
        if self.parent.suffix == ".part" and self.name == "kept":
            raise OSError(5, "Input/output error")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    monkeypatch.setattr(beside, "_exchange", lambda *_: False)  # a file system that cannot swap
    with pytest.raises(OutputError, match="Input/output error"):
        report(None, small, target)
    assert (target / "figures" / "posterior.svg").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pytest.mark.slow
def test_posterior_of_other_assumptions_is_an_error(posterior, combination, tmp_path):
    other = bc.profile(combination.with_assumptions("uncorrelated"))
    with pytest.raises(PosteriorError, match=r"'nominal'.*'uncorrelated'"):
        report(posterior, other, tmp_path / "wrong")
    assert not list(tmp_path.iterdir())


def test_estimates_have_their_own_covariance(combination):
    """The sum of the statistical covariance and of all sources, straight from the inputs."""
    family = correlation_family(combination)
    correlation = family.correlation(family.nominal)
    blocks = [m.responses for m in combination.measurements]
    responses = np.zeros((len(blocks), correlation.shape[0]))
    start = 0
    for i, block in enumerate(blocks):
        responses[i, start : start + block.shape[1]] = block[0]
        start += block.shape[1]
    statistical = np.diag([m.statistical_covariance.item() for m in combination.measurements])
    expected = statistical + responses @ correlation @ responses.T
    np.testing.assert_allclose(estimate_profile(combination).covariance, expected, rtol=1e-9, atol=1e-12)


def test_experiments_alone(fit):
    """The published results of the two experiments: 172.71 +- 0.48 and 172.52 +- 0.42 GeV."""
    alone = experiment_profiles(fit.combination)
    assert alone["ATLAS"].values.item() == pytest.approx(172.71, abs=0.02)
    assert alone["ATLAS"].errors.item() == pytest.approx(0.48, abs=0.01)
    assert alone["CMS"].values.item() == pytest.approx(172.52, abs=0.02)
    assert alone["CMS"].errors.item() == pytest.approx(0.42, abs=0.01)


def test_experiments_correlate_as_two_masses_do(fit):
    """The same combination with a mass of its own for each experiment: its covariance is that of the results alone."""
    combination = fit.combination
    apart = tuple(
        dataclasses.replace(m, estimates=tuple(dataclasses.replace(e, observables={m.experiment: 1.0}) for e in m.estimates))
        for m in combination.measurements
    )
    alone = experiment_profiles(combination)
    rows = {row.name: row for row in set_rows(combination, fit, estimate_profile(combination), alone)}
    assert set(rows) == set(combination.assumption_sets)
    for name, row in rows.items():
        at = combination.with_assumptions(name)
        weights = {e: f.weights.sel(parameter="m_t") for e, f in row.experiments.items()}
        own = bc.profile(
            dataclasses.replace(
                at, measurements=apart, observables=tuple(bc.Observable(name=e, unit="GeV") for e in ("ATLAS", "CMS"))
            )
        )
        # The two masses of one fit know each other's data; those alone do not: their correlation is by hand.
        covariance = estimate_profile(at).covariance.to_numpy()
        vectors = [np.where([e.name in w["estimate"] for e in at.estimates], 1.0, 0.0) for w in weights.values()]
        for vector, w in zip(vectors, weights.values(), strict=True):
            vector[vector == 1] = w.to_numpy()
        a, b = vectors
        expected = a @ covariance @ b / np.sqrt((a @ covariance @ a) * (b @ covariance @ b))
        assert row.correlations["ATLAS", "CMS"] == pytest.approx(expected, abs=1e-9)
        if name == "uncorrelated":  # then they are the same
            assert own.values.sel(parameter="ATLAS").item() == pytest.approx(alone["ATLAS"].values.item(), rel=1e-9)
            assert row.correlations["ATLAS", "CMS"] == pytest.approx(0.0, abs=1e-9)


def test_nuisances_are_called_by_source_experiment_and_number_of_inputs(fit):
    labels = nuisance_labels(fit.combination, nuisance_rows(fit, None))
    assert labels["LHCbJES[j]"] == labels["LHCbJES[k]"] == "LHC b-JES, CMS (9 inputs)"
    assert labels["method[k]"] == "Method, CMS lepton+jets 8 TeV"
    leaders = [labels[row.name] for row in nuisance_rows(fit, None) if row.leader == row.name]
    assert len(set(leaders)) == len(leaders)


def test_fully_correlated_nuisances_share_a_leader(fit):
    rows = {row.name: row for row in nuisance_rows(fit, None)}
    leaders = {rows[f"LHCbJES[{estimate}]"].leader for estimate in "abcdef"}
    assert len(leaders) == 1
    assert rows[leaders.pop()].followers == 5
    assert all(rows[row.leader].leader == row.leader for row in rows.values())
    assert sum(row.followers + 1 for row in rows.values() if row.leader == row.name) == len(rows)


@pytest.mark.slow
def test_shift_of_the_mean_is_that_of_the_draws(posterior, fit):
    table = bc.compare(posterior, fit).table.sel(parameter="m_t")
    shift, error = table["shift_of_mean"].item(), table["shift_of_mean_mcse"].item()
    draws = posterior["posterior"]["m_t"]
    own = draws.std().item() / np.sqrt(draws.size)
    assert abs(shift - (draws.mean().item() - fit.values.item())) < 5 * np.hypot(own, error)
    assert error < own / 5


def test_density_and_ranks():
    rng = np.random.default_rng(2)
    mean, sd = rng.normal(0, 0.5, 4000), np.full(4000, 0.8)
    x, y = posterior_density(mean, sd)
    width = np.hypot(0.8, mean.std())
    exact = np.exp(-0.5 * ((x - mean.mean()) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(y, exact, atol=0.02 * exact.max())
    counts = rank_counts(rng.normal(size=(4, 500)), bins=10)
    assert counts.shape == (4, 10)
    np.testing.assert_array_equal(counts.sum(axis=1), 500)
    np.testing.assert_array_equal(counts.sum(axis=0), 200)


CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)

# Runs in the browser: what did not load, and how wide the page is against the window.
PROBE = """
<script>addEventListener("load", () => {
  const missing = [...document.images].filter(i => !i.complete || i.naturalWidth === 0).length;
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.title = `images ${document.images.length} missing ${missing} overflow ${wide}`;
})</script>
"""


def browse(page, tmp_path, *options):
    """Chromium on a page; what it prints on both channels."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1080,2000", *options, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_console_stays_empty_and_page_prints(folder, tmp_path):
    loud = tmp_path / "loud.html"
    loud.write_text("<!doctype html><title>x</title><script>console.error('heard')</script>")
    assert "CONSOLE" in browse(loud, tmp_path, "--enable-logging=stderr", "--dump-dom").stderr  # errors would be seen
    assert "CONSOLE" not in browse(folder / "report.html", tmp_path, "--enable-logging=stderr", "--dump-dom").stderr
    for name, least, most in (("report.html", 2, 4), ("report_full.html", 5, 40)):
        printed = tmp_path / "report.pdf"
        browse(folder / name, tmp_path, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
        assert least <= len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) <= most


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_shows_every_image_and_nothing_sticks_out(folder, tmp_path):
    page = tmp_path / "probe.html"
    page.write_text((folder / "report_full.html").read_text(encoding="utf-8").replace("</head>", PROBE + "</head>"), "utf-8")
    dom = browse(page, tmp_path, "--dump-dom").stdout
    assert re.search(r"<title>(.*?)</title>", dom)[1] == "images 16 missing 0 overflow 0"

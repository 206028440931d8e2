"""The report: what its folder holds, what it says first, and that it never destroys what is not its own."""

import csv
import json
import re
import shutil
import subprocess

import matplotlib as mpl
import numpy as np
import pytest

import bayescomb as bc
from bayescomb.cli import main
from bayescomb.errors import OutputError, PosteriorError

mpl.use("Agg")


@pytest.fixture(scope="module")
def combination():
    return bc.load("models/run1_mass")


@pytest.fixture(scope="module")
def fit(combination):
    return bc.profile(combination)


@pytest.fixture(scope="module")
def posterior(combination):
    return bc.sample(combination, seed=1)


@pytest.fixture(scope="module")
def folder(posterior, fit, tmp_path_factory):
    return bc.report(posterior, fit, tmp_path_factory.mktemp("report") / "out").parent


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def first_line(page):
    """Text of the banner."""
    body = page[page.index("<body") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))[:900]


def test_first_line_names_what_the_result_rests_on(page):
    banner = first_line(page)
    for fact in ("run1_mass", "nominal", "covariance", "published", "assumed", "bayescomb", "pymc", "arviz", "converged"):
        assert fact in banner, fact


def test_page_is_self_contained(page):
    assert 'src="data:image/png;base64,' in page
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "<script src" not in page


def test_page_shows_the_result_the_scan_and_the_share(page):
    text = re.sub(r"<[^>]+>", "", page)
    for number in ("172.51", "172.52", "26.03", "26 MeV", "0.27"):
        assert number in text, number


def test_page_names_indefinite_sources_and_what_has_no_posterior(page):
    for source in ("btag", "LHCrad", "PDF", "bkgMC"):
        assert source in page
    assert "0.36 and 0.86" in page


def test_every_figure_comes_as_png_and_pdf(folder):
    stems = {p.stem for p in (folder / "figures").glob("*.png")}
    assert stems == {p.stem for p in (folder / "figures").glob("*.pdf")}
    assert len(stems) >= 8


def test_tables_are_in_full_precision(folder, fit):
    data = json.loads((folder / "tables" / "result_profile.json").read_text())
    assert data["parameters"]["m_t"]["value"] == fit.values.item()
    for path in (folder / "tables").glob("*.csv"):
        rows = list(csv.reader(line for line in path.read_text().splitlines() if not line.startswith("#")))
        assert len({len(row) for row in rows}) <= 1, path.name


def test_posterior_that_has_not_converged_is_withheld(combination, fit, tmp_path):
    short = bc.sample(combination, seed=1, draws=20, tune=50, chains=2)
    page = bc.report(short, fit, tmp_path / "out").read_text()
    assert "This result must not be used" in first_line(page)
    mean = short["posterior"]["m_t"].mean().item()
    text = re.sub(r"<[^>]+>", "", re.sub(r'src="data:[^"]*"', "", page))
    assert f"{mean:.2f} ±" not in text.replace(f"{fit.values.item():.2f} ±", "")


def test_report_of_the_profile_alone(fit, tmp_path):
    page = bc.report(None, fit, tmp_path / "out").read_text()
    assert "172.51" in page


def test_report_under_the_nuisance_treatment_tells_its_repairs(combination, tmp_path):
    repaired = bc.profile(combination.with_treatment("nuisance", repair="nearest"))
    page = bc.report(None, repaired, tmp_path / "out").read_text()
    assert "repair nearest" in first_line(page)
    assert "0.692" in page  # largest change of a PDF correlation


def test_earlier_report_is_replaced_and_a_foreign_folder_is_not(fit, tmp_path):
    out = tmp_path / "out"
    bc.report(None, fit, out)
    bc.report(None, fit, out)
    (out / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        bc.report(None, fit, out)
    assert (out / "thesis.txt").read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_absent_parent_folder_is_an_output_error(fit, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        bc.report(None, fit, tmp_path / "no" / "out")


def test_posterior_of_other_settings_is_refused(combination, posterior, tmp_path):
    other = bc.profile(combination.with_assumptions("uncorrelated"))
    with pytest.raises(PosteriorError):
        bc.report(posterior, other, tmp_path / "out")


def test_command_ends_with_the_path_of_the_page(tmp_path, capsys):
    assert main(["report", "models/run1_mass", "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1].endswith("report.html")


def test_page_opens_in_a_browser_with_every_image(folder, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine")
    script = (
        "<script>window.addEventListener('load',()=>{document.title='broken:'+[...document.images]"
        ".filter(i=>!i.naturalWidth).length+' of '+document.images.length})</script>"
    )
    probe = tmp_path / "probe.html"
    probe.write_text((folder / "report.html").read_text().replace("</body>", script + "</body>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", probe.as_uri(),
    ]  # fmt: skip
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    found = re.search(r"<title>broken:(\d+) of (\d+)</title>", result.stdout)
    assert found, result.stdout[:200]
    assert int(found[1]) == 0
    assert int(found[2]) >= 8


def test_estimates_in_the_page_keep_their_published_digits(page):
    text = re.sub(r"<[^>]+>", " ", page)
    assert "173.79" in text
    assert "175.06" in text


def test_nothing_of_a_figure_is_left_open(posterior, fit, tmp_path):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    style = dict(mpl.rcParams)
    bc.report(posterior, fit, tmp_path / "out")
    assert plt.get_fignums() == before
    assert {k: v for k, v in mpl.rcParams.items() if k != "backend"} == {k: v for k, v in style.items() if k != "backend"}
    assert np.isfinite(fit.values.item())

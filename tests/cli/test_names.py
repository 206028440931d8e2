"""Names of the user never collide with each other across kinds, nor with names of ours, in any command."""

import json

import numpy as np
import pytest
from named_models import POOL, sample_quickly, write_named_model

import bayescomb as bc
from bayescomb.base.errors import DuplicateNameError
from bayescomb.cli.main import main
from bayescomb.formats.toml.model_writer import write_model

QUICK = 3
THOROUGH = 500
# Of how many models one goes through the dear commands.
STUDIES = 3
REPORTS = 25


# Names that no two parameters can share, and what a Convino file cannot hold.
CLASHES = ["both of which are parameters"]
NO_CONVINO_FILE = ["Convino file", "that a file can have"]


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough", default=False)
        metafunc.parametrize("seed", range(THOROUGH if thorough else QUICK))


@pytest.fixture
def quick_sampler(monkeypatch):
    """Sampling without compiling: what is tested are the names on the way through all that reads a posterior."""
    sample_quickly(monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_sampler")
def test_every_command_takes_every_name(tmp_path, capsys, request, seed):
    """All commands in one process; with ``--thorough`` 500 models, by default three.

    Nothing is compiled: the draws are made near the initial point.  Of 500 models every third goes through ``export`` of the
    posterior, ``coverage`` and the sampling of all sets, every 25th through ``report`` with the posterior and without.
    """
    folder = tmp_path / "model"
    folder.mkdir()
    named = write_named_model(folder, np.random.default_rng(seed))
    model, posterior = str(named.path), str(tmp_path / "p.nc")

    def run(*arguments, accepted=()):
        code = main([str(a) for a in arguments])
        said = capsys.readouterr().err
        if code:
            assert code == 2, said
            assert any(sentence in said for sentence in accepted), said
        return code == 0

    if not run("check", model, accepted=CLASHES):
        return
    run("profile", model, "--json", tmp_path / "profile.json")
    parameters = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))["parameters"]
    masses = named.names["mass"] if named.extraction else []
    assert set(parameters) - set(named.names["nuisance"]) <= {*named.names["observable"], *masses} <= set(parameters)
    run("profile", model, "--parts", "held", "--minos")
    run("scan", model, "--points", 3, "--json", tmp_path / "scan.json")
    run("impacts", model, "--json", tmp_path / "impacts.json")
    run("impacts", model, "--parts", "held")
    quick = ("--chains", 2, "--draws", 800, "--tune", 1, "--seed", 1)
    run("sample", model, "--output", posterior, *quick, "--json", tmp_path / "sample.json")
    sampled = json.loads((tmp_path / "sample.json").read_text(encoding="utf-8"))
    assert set(sampled["parameters"]) == set(parameters)
    assert set(sampled["coefficients"]) == set(named.names["coefficient"])
    run("compare", model, posterior, "--json", tmp_path / "compare.json")
    run("convert", model, tmp_path / "again")
    run("profile", tmp_path / "again", "--json", tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))["parameters"].keys() == parameters.keys()
    if run("convert", model, tmp_path / "convino.txt", accepted=NO_CONVINO_FILE):
        run("check", tmp_path / "convino.txt")
    run("explore", model, posterior, "--output", tmp_path / "page.html", accepted=["errors_on_errors"])
    run("theory", model, "--json", tmp_path / "theory.json", accepted=["no mass is extracted"])
    run("sets", model, "--output", tmp_path / "sets", "--json", tmp_path / "sets.json")
    run("export", model, "--output", tmp_path / "bare")
    run("profile", tmp_path / "bare")
    if not request.config.getoption("--thorough", default=False):
        return
    if seed % STUDIES == 0:
        run("sets", model, "--draws", 100, "--seed", 1, "--output", tmp_path / "sampled")
        run("coverage", model, "--toys", 2, "--profile-only", "--output", tmp_path / "study")
        run("export", model, posterior, "--output", tmp_path / "export")
    if seed % REPORTS == 0:  # seconds each: the figures
        run("report", model, posterior, "--output", tmp_path / "report")
        run("report", model, "--output", tmp_path / "without")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_sampler")
def test_coefficient_called_like_its_source(tmp_path, capsys):
    """README's habit; the values are those of generalised least squares with the covariance written out."""
    (tmp_path / "budget.csv").write_text(
        "estimate,experiment,observable,value,stat,JES,lumi\na,ATLAS,x,100,1,2,3\nb,CMS,x,104,2,1,2\nc,CMS,y,50,1,2,1\n"
    )
    model = tmp_path / "model.toml"
    model.write_text("""format = 1
name = "mine"
treatment = "covariance"
within = "uncorrelated"
observables = [{ name = "x", unit = "pb" }, { name = "y", unit = "pb" }]
sources = [{ name = "JES" }, { name = "lumi" }]
[budget]
table = "budget.csv"
[[assumption_sets]]
name = "nominal"
coefficients = [{ name = "lumi", source = "lumi", between = ["ATLAS", "CMS"], nominal = 0.5, low = 0.0, high = 0.8 }]
""")
    covariance = np.diag([1 + 4 + 9, 4 + 1 + 4, 1 + 4 + 1.0])
    covariance[0, 1] = covariance[1, 0] = 0.5 * 3 * 2
    covariance[0, 2] = covariance[2, 0] = 0.5 * 3 * 1
    design = np.array([[1, 0], [1, 0], [0, 1.0]])
    information = design.T @ np.linalg.inv(covariance) @ design
    expected = np.linalg.solve(information, design.T @ np.linalg.inv(covariance) @ [100, 104, 50])
    posterior, report = tmp_path / "p.nc", tmp_path / "report"
    quick = ("--chains", 2, "--draws", 800, "--tune", 1, "--seed", 1)
    for words in (
        ("profile", model, "--json", tmp_path / "profile.json"),
        ("sample", model, "--output", posterior, *quick),
        ("compare", model, posterior),
        ("report", model, posterior, "--output", report),
    ):
        assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    found = json.loads((tmp_path / "profile.json").read_text())["parameters"]
    assert [found[name]["value"] for name in ("x", "y")] == pytest.approx(expected, rel=1e-9)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    assert [found[name]["error"] for name in ("x", "y")] == pytest.approx(errors, rel=1e-9)
    assert "lumi" in (report / "report.html").read_text()


@pytest.mark.parametrize("nuisances", [["name", "row"], ["estimate", "uncertainty"]])
def test_nuisance_is_called_like_the_first_column(tmp_path, nuisances):
    """The first column of a matrix or a table of responses holds the names of its rows, whatever it is called."""
    for fitted in (False, True):
        responses = np.array([[0.3, 0.4]])
        names = [bc.Nuisance(name=n) for n in nuisances]
        precision = np.array([[4.0, -1.2, -1.6], [-1.2, 1.36, 0.48], [-1.6, 0.48, 1.64]])  # 1/0.5^2, shifts 0.3 and 0.4
        own = {"fit": bc.FittedInput(nuisances=names, information=precision, pulls=[0.0, 0.0])} if fitted else {
            "statistical_covariance": [[0.25]], "nuisances": names, "responses": responses,
        }  # fmt: skip
        combination = bc.Combination(
            name="c",
            measurements=[
                bc.Measurement(name="m", estimates=[bc.Estimate(name="e", value=1.0, observables={"x": 1.0})], **own)
            ],
            observables=[bc.Observable(name="x")],
            assumption_sets={"nominal": bc.AssumptionSet(name="nominal")},
            assumptions="nominal",
        )
        again = bc.profile(bc.load(write_model(combination, tmp_path / str(fitted))))
        # sqrt(0.5^2 + 0.3^2 + 0.4^2)
        assert again.errors.item() == pytest.approx(np.sqrt(0.5), rel=1e-9)


def test_names_do_not_change_numbers(tmp_path, seed):
    results = []
    for plain in (False, True):
        folder = tmp_path / str(plain)
        folder.mkdir()
        path = write_named_model(folder, np.random.default_rng(seed), plain=plain).path
        try:
            fit = bc.profile(bc.load(path))
        except DuplicateNameError:
            assert not plain
            return
        results.append(np.concatenate([fit.values.to_numpy(), fit.errors.to_numpy(), [fit.chi2]]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


def test_every_name_has_a_variable_of_its_own():
    names = [*POOL, *(f"parameter {name}" for name in POOL), "l" * 301, "a%2Fb", "parameter a%2Fb"]
    variables = [bc.variable_name(name) for name in dict.fromkeys(names)]
    assert len(set(variables)) == len(variables)
    assert not any("/" in v or len(v.encode()) > 255 for v in variables)
    assert bc.variable_name("m_t") == "m_t"

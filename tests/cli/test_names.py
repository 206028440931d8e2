"""Names of the user never collide with each other across kinds, nor with names of ours, in any command."""

import json

import numpy as np
import pytest
from named_models import POOL, QuickModel, quick_draws, write_named_model

import bayescomb as bc
from bayescomb.base.errors import DuplicateNameError
from bayescomb.cli.main import main

QUICK = 3
THOROUGH = 500


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough", default=False)
        metafunc.parametrize("seed", range(THOROUGH if thorough else QUICK))


@pytest.fixture
def quick_sampler(monkeypatch):
    """Sampling without compiling: what is tested are the names on the way through all that reads a posterior."""
    monkeypatch.setattr("bayescomb.sampling.sample.compile_model", lambda model, **_: QuickModel(model))
    monkeypatch.setattr("bayescomb.sampling.sample.run_nuts", quick_draws)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_sampler")
def test_every_command_takes_every_name(tmp_path, capsys, request, seed):
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

    if not run("check", model, accepted=["both of which are parameters"] if named.extraction else ()):
        return
    run("profile", model, "--json", tmp_path / "profile.json")
    parameters = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))["parameters"]
    assert set(parameters) == set(named.names["observable"]) | ({*named.names["mass"]} if named.extraction else set())
    run("scan", model, "--points", 3, "--json", tmp_path / "scan.json")
    run("impacts", model, "--json", tmp_path / "impacts.json")
    run("impacts", model, "--parts", "held")
    quick = ("--chains", 2, "--draws", 2000, "--tune", 1, "--seed", 1)
    run("sample", model, "--output", posterior, *quick, "--json", tmp_path / "sample.json")
    sampled = json.loads((tmp_path / "sample.json").read_text(encoding="utf-8"))
    assert set(sampled["parameters"]) == set(parameters)
    assert set(sampled["coefficients"]) == set(named.names["coefficient"])
    run("compare", model, posterior, "--json", tmp_path / "compare.json")
    run("convert", model, tmp_path / "again")
    run("profile", tmp_path / "again", "--json", tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))["parameters"].keys() == parameters.keys()
    if run("convert", model, tmp_path / "convino.txt", accepted=["Convino files: ", "that a file can have"]):
        run("check", tmp_path / "convino.txt")
    run("explore", model, posterior, "--output", tmp_path / "page.html")
    run("theory", model, accepted=["no mass is extracted", "no variant 'pdf"])
    run("sets", model, "--draws", 100, "--seed", 1, "--output", tmp_path / "sets", "--json", tmp_path / "sets.json")
    if request.config.getoption("--thorough", default=False):
        run("coverage", model, "--toys", 2, "--profile-only", "--output", tmp_path / "study")
        run("export", model, posterior, "--output", tmp_path / "export")
        run("profile", tmp_path / "export")
        if seed % 10 == 0:  # seconds each: the figures
            run("report", model, posterior, "--output", tmp_path / "report")


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

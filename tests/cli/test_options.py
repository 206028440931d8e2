"""Options are obeyed or refused: a posterior has settings of its own."""

import pytest
from named_models import write_quick_posterior
from test_mistakes import folder

from bayescomb.cli.main import main

POSTERIOR = "posterior.nc"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A model and a posterior of it."""
    path = folder(tmp_path_factory.mktemp("sampled") / "m")
    write_quick_posterior(path, path / POSTERIOR)
    return path


CONTRADICTIONS = {
    "--assumptions": "other",
    "--treatment": "covariance",
    "--repair": "clip",
    "--chi2": "pearson",
    "--extraction": "pole",
    "--drop": "sigma_t",
    "--nuisance-values": "ignored",
    "--error-on-error": "JES=0.3",
}


@pytest.mark.parametrize("command", ["report", "export", "explore"])
@pytest.mark.parametrize("option", CONTRADICTIONS)
def test_option_against_the_posterior_is_refused(sampled, tmp_path, capsys, command, option):
    value = CONTRADICTIONS[option]
    output = tmp_path / ("page.html" if command == "explore" else "out")
    words = [command, sampled, sampled / POSTERIOR, "--output", output, option, value]
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert f"{option} {value}: " in said
    assert "was sampled with" in said
    assert "sample again: bayescomb sample" in said
    assert not output.exists()


@pytest.mark.parametrize(("option", "value"), [("--draws", "10"), ("--seed", "1")])
def test_sampling_option_beside_a_posterior_is_refused(sampled, tmp_path, capsys, option, value):
    words = ["explore", sampled, sampled / POSTERIOR, "--output", tmp_path / "page.html", option, value]
    assert main([str(word) for word in words]) == 2
    assert "is already sampled; leave --" in capsys.readouterr().err


def test_option_that_agrees_with_the_posterior_is_taken(sampled, tmp_path, capsys):
    agreed = ["--assumptions", "nominal", "--treatment", "nuisance", "--chi2", "neyman", "--extraction", "none"]
    words = ["explore", sampled, sampled / POSTERIOR, "--output", tmp_path / "page.html", *agreed]
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err


def test_posterior_of_another_model_says_so(sampled, capsys):
    assert main(["compare", "models/run1_mass", str(sampled / POSTERIOR)]) == 2
    assert "posterior of 'mine' was not made from 'run1_mass'" in capsys.readouterr().err

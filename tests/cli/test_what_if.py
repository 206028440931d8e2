"""Nominal values and inputs changed on the command line: the same as in Python, and named in every output."""

import json

import pytest
from named_models import write_quick_posterior
from test_mistakes import folder

import bayescomb as bc
from bayescomb.base.errors import RangeError, UnknownNameError
from bayescomb.cli.main import main
from bayescomb.formats.toml.model_writer import write_model

RUN1 = "models/run1_mass"


def value(tmp_path, *words):
    """m_t and what its JSON says of the settings."""
    path = tmp_path / "fit.json"
    assert main(["profile", RUN1, *words, "--json", str(path)]) == 0
    data = json.loads(path.read_text())
    return data["parameters"]["m_t"]["value"], data


def test_coefficient_is_that_of_the_profile(run1, tmp_path, capsys):
    found, data = value(tmp_path, "--coefficient", "LHCbJES=0.5", "--coefficient", "btag=0.25")
    assert found == bc.profile(run1, coefficients={"LHCbJES": 0.5, "btag": 0.25}).values.item()
    assert data["assumptions"] == "nominal with LHCbJES = 0.5, btag = 0.25"
    assert "nominal with LHCbJES = 0.5, btag = 0.25" in capsys.readouterr().out


@pytest.mark.parametrize("end", ["low", "high"])
def test_every_range_at_one_end(run1, tmp_path, end):
    found, data = value(tmp_path, "--only", "CMS", "--at", end)
    ends = {c.name: getattr(c, end) for c in run1.assumption_set.coefficients}
    kept = run1.only(["CMS"])
    expected = {name: ends[name] for name in (c.name for c in kept.assumption_set.coefficients)}
    assert found == bc.profile(kept, coefficients=expected).values.item()
    assert data["assumptions"] == f"nominal at {end}"
    assert data["model"] == "run1_mass only CMS"


def test_inputs_left_out(run1, tmp_path):
    found, data = value(tmp_path, "--without", "g", "--without", "a")
    assert found == bc.profile(run1.without("g").without("a")).values.item()
    assert data["model"] == "run1_mass without g, a"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--coefficient", "LHCbJES"], "--coefficient LHCbJES: NAME=VALUE is needed"),
        (["--coefficient", "LHCbJEs=0.5"], "did you mean 'LHCbJES'"),
        (["--coefficient", "LHCbJES=1.5"], "a correlation lies in [-1, 1]"),
        (["--coefficient", "btag=0.1", "--coefficient", "btag=0.2"], "'btag' has a value already, 0.1"),
        (["--without", "zz"], "unknown measurement 'zz'"),
        (["--only", "Cms"], "did you mean 'CMS'"),
    ],
)
def test_mistakes(words, said, capsys):
    assert main(["profile", RUN1, *words]) == 2
    assert said in capsys.readouterr().err


def test_experiment_that_an_extraction_leaves_out_is_not_there(capsys):
    assert main(["profile", "models/ttj_rho", "--extraction", "cms", "--only", "ATLAS"]) == 2
    assert "unknown experiment 'ATLAS'; known: 'CMS'" in capsys.readouterr().err


def test_mode_of_a_prior_stays_in_its_range(run1):
    pair = bc.CorrelationPair(first="a", second="b")
    peaked = bc.CorrelationCoefficient(name="r", pairs=(pair,), nominal=0.2, low=0.0, high=0.5, prior="triangular")
    chosen = bc.AssumptionSet(name="nominal", coefficients=(peaked,))
    assert chosen.with_nominal({"r": 0.4}).coefficients[0].nominal == 0.4
    with pytest.raises(RangeError, match="outside the range"):
        chosen.with_nominal({"r": 0.9})
    with pytest.raises(UnknownNameError):
        run1.with_coefficients({"r": 0.9})


def test_set_without_coefficients_says_where_they_are_stated(run1):
    with pytest.raises(UnknownNameError, match="has no coefficient, so 'btag' cannot be changed; state what is correlated"):
        run1.with_assumptions("uncorrelated").with_coefficients({"btag": 0.3})


def test_nonnegative_without_a_name_leaves_out_what_has_a_formula(tmp_path):
    estimates = [bc.Estimate(name=n, value=v, observables={n: 1.0}) for n, v in (("a", 2.0), ("ratio", 2.1))]
    combination = bc.Combination(
        name="formula",
        measurements=tuple(bc.Measurement(name=e.name, estimates=(e,), statistical_covariance=[[0.01]]) for e in estimates),
        observables=(bc.Observable(name="a"), bc.Observable(name="ratio", formula="1 * a")),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )
    model = write_model(combination, tmp_path / "model")
    assert main(["check", str(model), "--nonnegative"]) == 0
    assert combination.with_nonnegative().nonnegative == ("a",)


def test_a_second_change_keeps_the_set_it_began_with(run1):
    twice = run1.with_coefficients({"btag": 0.3}).with_coefficients({"LHCbJES": 0.6})
    assert twice.assumptions == "nominal with btag = 0.3 with LHCbJES = 0.6"
    assert twice.assumption_set.base == "nominal"
    assert run1.with_coefficients({}) is run1


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A model and a posterior sampled of a part of it at another coefficient."""
    path = folder(tmp_path_factory.mktemp("changed") / "m")
    write_quick_posterior(path, path / "p.nc", "--coefficient", "lumi=0.2", "--without", "c")
    return path


def test_posterior_keeps_its_coefficients(changed, tmp_path, capsys):
    page = str(tmp_path / "page.html")
    words = ["explore", str(changed), str(changed / "p.nc"), "--without", "c", "--output", page]
    assert main(words) == 0, capsys.readouterr().err
    assert "nominal with lumi = 0.2" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert main([*words, "--coefficient", "lumi=0.2", "--assumptions", "nominal"]) == 0, capsys.readouterr().err
    assert main([*words, "--coefficient", "lumi=0.3"]) == 2
    assert "was sampled with lumi=0.2" in capsys.readouterr().err
    assert main([*words, "--at", "low"]) == 2
    assert "--at low: " in capsys.readouterr().err


def test_posterior_of_a_part_says_what_is_missing(changed, tmp_path, capsys):
    assert main(["explore", str(changed), str(changed / "p.nc"), "--output", str(tmp_path / "page.html")]) == 2
    assert "was made from 'mine without c', not from 'mine'; give the same --without" in capsys.readouterr().err


def test_check_for_programs_holds_what_it_says(tmp_path, capsys):
    assert main(["check", str(folder(tmp_path / "m")), "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    # sqrt(3^2 + 4^2 + 7^2)
    assert data["estimates"][0]["total"] == pytest.approx(74**0.5)
    assert data["sizes"]["coefficients"] == 1
    assert data["feasibility"][0]["coefficients"]["lumi"]["range"] == [0.0, 0.5]
    assert data["correlations"][0]["source"] == "JES"

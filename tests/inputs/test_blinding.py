"""Blinding: hidden central values, and everything else as it is."""

import dataclasses
import json
import re

import numpy as np
import pytest

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, OptionError, PosteriorError
from bayescomb.cli.main import main
from bayescomb.inputs.serialise import combination_from_json, combination_to_json
from bayescomb.output.statements import header, short_notes

PHRASE = "correct horse battery"


def test_a_shift_leaves_everything_but_the_central_value(run1):
    hidden = bc.blind(run1, PHRASE)
    seen, fit = bc.profile(run1), bc.profile(hidden)
    shift = (fit.values - seen.values).item()
    assert abs(shift) > 6 * seen.errors.item()
    # The value once more as a weighted sum of what the blinded inputs say, and of the published ones.
    values, published = (np.array([e.value for e in c.estimates]) for c in (hidden, run1))
    assert fit.values.item() == pytest.approx(fit.weights.to_numpy()[0] @ values, rel=1e-12)
    np.testing.assert_allclose(values - published, shift, rtol=1e-10)
    for key in ("errors", "weights", "constraints", "statistical_errors", "covariance"):
        np.testing.assert_allclose(getattr(fit, key), getattr(seen, key), rtol=1e-12)
    np.testing.assert_allclose(fit.pulls, seen.pulls, atol=1e-9)
    assert fit.chi2 == pytest.approx(seen.chi2, abs=1e-8)
    assert fit.p_value == pytest.approx(seen.p_value, abs=1e-8)


def test_observables_have_amounts_of_their_own_and_sums_stay_consistent(two_observables):
    hidden = bc.blind(two_observables, PHRASE)
    seen, fit = bc.profile(two_observables), bc.profile(hidden)
    a, b = (fit.values - seen.values).to_numpy()
    assert abs(a - b) > 1
    first = [e.value - f.value for e, f in zip(hidden.estimates, two_observables.estimates, strict=True)]
    assert first == pytest.approx([a, b, 2 * a - b])
    assert fit.chi2 == pytest.approx(seen.chi2, abs=1e-9)


def estimate(name, value, observables, error, **more):
    return bc.Measurement(
        name=name,
        estimates=(bc.Estimate(name=name, value=value, observables=observables),),
        statistical_covariance=[[error**2]],
        **more,
    )


@pytest.fixture
def two_observables():
    measurements = (
        estimate("a", 9.0, {"a": 1.0}, 1.0),
        estimate("b", 5.0, {"b": 1.0}, 0.5),
        estimate("2 a - b", 12.0, {"a": 2.0, "b": -1.0}, 1.0),
    )
    return bc.Combination(
        name="two",
        measurements=measurements,
        observables=(bc.Observable(name="a"), bc.Observable(name="b")),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


@pytest.fixture
def relative(two_observables):
    norm = {"nuisances": (bc.Nuisance(name="norm", response="relative"),), "responses": [[0.5]]}
    measurements = (estimate("c", 5.3, {"b": 1.0}, 0.4, **norm), *two_observables.measurements)
    return dataclasses.replace(two_observables, measurements=measurements)


@pytest.mark.parametrize("change", ["relative", "pearson", "nonnegative"])
def test_a_factor_where_a_shift_would_change_chi2(two_observables, relative, change):
    combination = {
        "relative": relative,
        "pearson": two_observables.with_chi2("pearson"),
        "nonnegative": two_observables.with_nonnegative(),
    }[change]
    hidden = bc.blind(combination, PHRASE)
    assert hidden.blinding.kind == "factor"
    seen, fit = bc.profile(combination), bc.profile(hidden)
    factor = (fit.values / seen.values).to_numpy()
    assert abs(np.log(factor[0])) > np.log(1.09)
    assert factor == pytest.approx([factor[0]] * 2, rel=1e-5)  # Migrad's tolerance is relative to the errors
    np.testing.assert_allclose(fit.errors / seen.errors, factor[0], rtol=1e-5)
    assert fit.chi2 == pytest.approx(seen.chi2, abs=1e-5)
    again = bc.unblind(hidden, PHRASE)
    assert [e.value for e in again.estimates] == pytest.approx([e.value for e in combination.estimates], rel=1e-14)


def test_an_extracted_mass_is_shifted_and_nothing_else_tells():
    combination = bc.load("models/ttj_rho").with_extraction("two_masses")
    hidden = bc.load("models/ttj_rho", blind=PHRASE).with_extraction("two_masses")
    seen, fit = bc.profile(combination), bc.profile(hidden)
    masses = ["m_t_ATLAS", "m_t_CMS"]
    a, b = (fit.values - seen.values).sel(parameter=masses).to_numpy()
    assert abs(a) > 1
    assert a == pytest.approx(b, abs=1e-4 * float(seen.errors.sel(parameter="m_t_CMS")))  # the difference stays
    np.testing.assert_allclose(fit.errors.sel(parameter=masses), seen.errors.sel(parameter=masses), rtol=1e-4)
    assert fit.chi2 == pytest.approx(seen.chi2, abs=1e-4)


def test_a_shift_and_settings_that_it_would_change_are_refused(two_observables):
    hidden = bc.blind(two_observables, PHRASE)
    for setting in (lambda: hidden.with_chi2("pearson"), lambda: hidden.with_nonnegative()):
        with pytest.raises(OptionError, match="blinded"):
            setting()
    with pytest.raises(OptionError, match="normalise"):
        bc.blind(dataclasses.replace(two_observables, normalise=True), PHRASE)
    with pytest.raises(OptionError, match="already"):
        bc.blind(hidden, PHRASE)


def test_the_model_says_so_and_the_phrase_opens_it(edited_model, run1):
    folder = edited_model("model.toml", replace=('name = "run1_mass"\n', f'name = "run1_mass"\nblind = "{PHRASE}"\n'))
    hidden = bc.load(folder)
    assert hidden.blinding is not None
    assert "BLINDED" in repr(hidden)
    assert "BLINDED" in repr(bc.profile(hidden))
    assert PHRASE not in combination_to_json(hidden)
    assert combination_from_json(combination_to_json(hidden)).blinding == hidden.blinding
    assert [e.value for e in bc.load(folder, unblind=PHRASE).estimates] == [e.value for e in run1.estimates]
    with pytest.raises(OptionError, match="not the phrase"):
        bc.load(folder, unblind="another")
    with pytest.raises(OptionError, match="not blinded"):
        bc.load("models/run1_mass", unblind=PHRASE)
    with pytest.raises(OptionError, match="phrase of its own"):
        bc.load(folder, blind="another")
    edited_model("model.toml", replace=(f'blind = "{PHRASE}"', 'blind = " "'))
    with pytest.raises(FileFormatError, match="phrase of some words"):
        bc.load(folder)


def test_a_part_of_the_inputs_is_shifted_as_the_whole(run1):
    hidden = bc.blind(run1, PHRASE)
    atlas = bc.profile(hidden.only(["ATLAS"])).values - bc.profile(run1.only(["ATLAS"])).values
    cms = bc.profile(hidden.only(["CMS"])).values - bc.profile(run1.only(["CMS"])).values
    assert atlas.item() == pytest.approx(cms.item(), rel=1e-9)


def found_numbers(text, combination):
    """Published central values that stand in a text."""
    return [e.value for e in combination.estimates if re.search(rf"(?<![\d.]){e.value:.2f}(?!\d)", text)]


@pytest.mark.parametrize("command", ["check", "profile", "scan", "impacts"])
def test_no_command_shows_a_central_value_and_all_say_blinded(command, run1, tmp_path, capsys):
    json_file = tmp_path / "out.json"
    more = [] if command == "check" else ["--json", str(json_file)]
    assert found_numbers(" 173.79 ", run1)  # the search works
    assert main([command, "models/run1_mass", "--blind", PHRASE, *more]) == 0
    text = capsys.readouterr().out
    assert "BLINDED" in text
    assert not found_numbers(text, run1)
    assert "172.51" not in text
    if more:
        data = json.loads(json_file.read_text())
        assert data["blinded"] is True
        assert not found_numbers(json_file.read_text(), run1)


@pytest.mark.slow
def test_report_explorer_and_export_do_not_show_it_either(run1, tmp_path):
    run1 = run1.only(["ATLAS"])
    hidden = bc.blind(run1, PHRASE)
    bc.report(None, bc.profile(hidden), tmp_path / "report")
    bc.explore(hidden, tmp_path / "explorer.html", draws=0)
    bc.export_hepdata(bc.profile(hidden), tmp_path / "export")
    texts = {
        p: p.read_text(encoding="utf-8") for p in tmp_path.rglob("*") if p.suffix in {".html", ".csv", ".json", ".yaml"}
    }
    assert len(texts) > 20
    for path, text in texts.items():
        shown = re.sub(r'src="data:[^"]*"', "", text)
        assert not found_numbers(shown, run1), path
        assert "BLINDED" in shown or path.suffix == ".json" or path.parent.name == "export", path
    assert json.loads((tmp_path / "export" / "combination.json").read_text())["blinded"] is True
    again = bc.load(tmp_path / "export", unblind=PHRASE)
    assert bc.profile(again).values.item() == pytest.approx(bc.profile(run1).values.item(), rel=1e-12)


def test_figures_and_headers_say_it(run1):
    hidden = bc.blind(run1, PHRASE)
    assert short_notes(hidden) == "BLINDED"
    assert header(hidden).splitlines()[0].startswith("run1_mass BLINDED: ")
    assert "BLINDED" not in header(run1)


def test_hidden_values_are_not_written_as_a_model(tmp_path, capsys, edited_model):
    folder = edited_model("model.toml", replace=('name = "run1_mass"\n', f'name = "run1_mass"\nblind = "{PHRASE}"\n'))
    assert main(["convert", str(folder), str(tmp_path / "copy")]) == 2
    assert "unblind it" in capsys.readouterr().err
    assert main(["convert", str(folder), str(tmp_path / "copy"), "--unblind", PHRASE]) == 0
    assert bc.load(tmp_path / "copy").blinding is None


@pytest.mark.slow
def test_draws_are_shifted_too_and_belong_to_the_blinded_model(run1):
    seen, hidden = (bc.sample(c, seed=3, draws=20, tune=50, chains=1) for c in (run1, bc.blind(run1, PHRASE)))
    shift = (bc.profile(bc.blind(run1, PHRASE)).values - bc.profile(run1).values).item()
    difference = hidden["posterior"]["m_t"].to_numpy() - seen["posterior"]["m_t"].to_numpy()
    np.testing.assert_allclose(difference, shift, rtol=1e-6)
    np.testing.assert_allclose(hidden["posterior"]["rho"], seen["posterior"]["rho"], atol=1e-6)
    assert "BLINDED" in bc.summary_text(hidden)
    with pytest.raises(PosteriorError, match="same phrase"):
        bc.compare(hidden, bc.profile(run1))


def test_forms_that_cannot_say_it_are_refused(two_observables):
    hidden = bc.profile(bc.blind(two_observables, PHRASE))
    for form in (bc.fit_results, bc.hs3):
        with pytest.raises(OptionError, match="unblind it first"):
            form(hidden)


def test_parameters_with_priors_are_not_hidden(run1):
    prior = bc.ParameterPrior(shape="normal", mean=0.0, sd=0.1)
    formula = bc.Observable(name="m_t", unit="GeV", formula="172.5 + away")
    given = dataclasses.replace(run1, parameters=(bc.Parameter(name="away", prior=prior),), observables=(formula,))
    with pytest.raises(OptionError, match="parameters or formulas found"):
        bc.blind(given, PHRASE)

"""The assumption explorer: its numbers are those of the profile, and what is infeasible cannot be entered."""

import dataclasses
import json
import re
import shlex

import numpy as np
import pytest
from explorer_pages import BROWSER, expect_equal, is_feasible, nominal_settings, probed, profile_at, random_settings
from refusals import refused
from repetitions import repetitions
from tight import fractions, unitarity

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.cli.main import main
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.output.explorer.data import explorer_model
from bayescomb.output.page_template import PLACE

RELATIVE = 1e-9
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

# What a hand does, in the page: press a key on a slider, press a button, follow an address.
HAND = """
const by = id => document.getElementById(id), api = window.bayescomb;
const slider = title => [...document.querySelectorAll('.coefficient')].find(e => e.textContent.includes(title));
const press = (element, key) => element.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
const settled = () => new Promise(resolve => setTimeout(resolve, 300)); // the address follows when the hand rests
const headline = () => document.querySelector('.result').textContent;
"""


@pytest.fixture(scope="module")
def run1_page(run1, tmp_path_factory):
    return bc.explore(run1, tmp_path_factory.mktemp("explorer") / "explorer.html", draws=0)


@pytest.fixture(scope="module")
def ttj():
    return bc.load("models/ttj_rho")


@pytest.fixture(scope="module")
def ttj_page(ttj, tmp_path_factory):
    return bc.explore(ttj, tmp_path_factory.mktemp("explorer") / "explorer.html", draws=0)


def evaluated(page, folder, settings):
    """The page's answers at some settings; the console has to stay empty."""
    script = f"return {json.dumps(settings)}.map(setting => window.bayescomb.evaluate(setting));"
    answers, console = probed(page, folder, script)
    assert not console
    return answers


def expect_profile(combination, page, folder, settings):
    for answer, setting in zip(evaluated(page, folder, settings), settings, strict=True):
        assert "problem" not in answer, (setting, answer["problem"])
        expect_equal(answer, profile_at(combination, setting), relative=RELATIVE)


@pytest.mark.slow
@needs_browser
def test_page_gives_the_profile_at_nominal_under_every_set_and_at_random_settings(run1, run1_page, tmp_path):
    expect_profile(run1, run1_page, tmp_path, nominal_settings(run1) + random_settings(run1, repetitions(30), seed=1))


@needs_browser
@pytest.mark.slow
def test_page_of_an_extraction_gives_the_profile_under_every_set_and_at_random_settings(ttj, ttj_page, tmp_path):
    expect_profile(ttj, ttj_page, tmp_path, nominal_settings(ttj) + random_settings(ttj, repetitions(20), seed=2))


@pytest.mark.slow
@needs_browser
def test_page_gives_the_profile_with_inputs_off_and_sources_set_apart(run1, run1_page, tmp_path):
    settings = [
        {"off": ["d"]},
        {"off": list("abcdef")},
        {"assumptions": "uncorrelated", "off": ["k", "a"]},
        {"sources": {"LHCbJES": "uncorrelated", "PDF": "full"}},
        {"sources": {"CMSJES": "uncorrelated", "JER": "full"}, "off": ["o"], "coefficients": {"LHCbJES": 0.6}},
        {"sources": {"method": "full"}},
        {"sources": {"LHCbJES": "apart", "JER": "uncorrelated"}, "coefficients": {"LHCJES2": 0.2}},
        {"sources": {source.name: "full" for source in run1.sources}, "treatment": "nuisance"},
    ]
    expect_profile(run1, run1_page, tmp_path, settings)


@pytest.mark.slow
@needs_browser
def test_page_of_an_extraction_gives_the_profile_with_an_input_off_and_by_the_other_treatment(ttj, ttj_page, tmp_path):
    settings = [
        {"off": ["ATLAS 8 TeV"]},
        {"off": ["CMS 13 TeV"]},
        {"treatment": "covariance"},
        {"sources": {"bJES": "full", "hdamp-Radiation": "uncorrelated", "isr-Radiation": "apart"}},
    ]
    expect_profile(ttj, ttj_page, tmp_path, settings)


@pytest.mark.slow
@needs_browser
def test_delta_chi2_errors_of_a_mass_are_those_of_the_profile(ttj, ttj_page, tmp_path):
    (answer,) = evaluated(ttj_page, tmp_path, [{}])
    fit = bc.profile(ttj)
    # The profile meets Delta chi2 = 1 to 1e-6, and the error grows like its root.
    np.testing.assert_allclose(answer["crossings"], [[fit.up_errors[0], fit.down_errors[0]]], rtol=1e-6)


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("repair", ["shift", "clip", "nearest"])
def test_page_gives_the_profile_with_repaired_blocks(run1, run1_page, tmp_path, repair):
    treated = {"treatment": "nuisance", "repair": repair}
    settings = [setting | treated for setting in nominal_settings(run1)]
    # Under "covariance" these may be infeasible; a repair takes every value.
    rng = np.random.default_rng(4)
    coefficients = [c for c in run1.assumption_set.coefficients if c.varied]
    settings += [{"coefficients": {c.name: rng.uniform(*c.range) for c in coefficients}, **treated} for _ in range(10)]
    settings += [{"off": ["d"], "sources": {"PDF": "uncorrelated", "btag": "full"}, **treated}]
    expect_profile(run1, run1_page, tmp_path, settings)


@pytest.mark.slow
@needs_browser
def test_page_gives_the_profile_of_an_extraction_with_repaired_blocks(ttj, ttj_page, tmp_path):
    coefficients = {c.name: c.high for c in ttj.assumption_set.coefficients if c.varied}
    settings = [{"coefficients": coefficients, "repair": repair} for repair in ("shift", "clip", "nearest")]
    assert not is_feasible(ttj, {"coefficients": coefficients})
    expect_profile(ttj, ttj_page, tmp_path, settings)


@pytest.mark.slow
@needs_browser
def test_page_opens_with_the_repair_in_force_and_says_what_it_changed(run1, tmp_path):
    combination = run1.with_treatment("nuisance", repair="nearest")
    page = bc.explore(combination, tmp_path / "explorer.html", draws=0)
    script = (
        HAND
        + """
      const note = slider('LHCJES2').querySelector('.note').textContent;
      by('all-high').click();
      const high = api.state(), after = headline();
      [...by('treatments').children].find(b => b.textContent === 'covariance').click();
      const plain = by('repaired').hidden;
      by('undo').click();
      return {opened: by('treatment-in-force').textContent, sum: by('repaired-sum').textContent, high, after, note, plain,
        rows: [...by('repaired-blocks').querySelectorAll('tbody th')].map(e => e.textContent), state: api.state()};
    """
    )
    answer, console = probed(page, tmp_path, script)
    assert not console
    fit = profile_at(run1, answer["high"])
    assert answer["opened"] == "nuisance, repair nearest"
    assert answer["state"] == answer["high"]
    assert answer["high"]["coefficients"] == {
        c.name: c.high for c in run1.assumption_set.coefficients if c.varied and c.high != c.nominal
    }
    assert answer["after"] == f"mt = {fit.values.item():.2f} ± {fit.errors.item():.2f} GeV"
    assert answer["rows"] == [repair.block for repair in fit.repairs]
    assert answer["sum"].startswith(f"{len(fit.repairs)} blocks are repaired")
    assert answer["plain"]
    assert "LHCJES2 is repaired" in answer["note"]


@pytest.mark.slow
@needs_browser
def test_part_of_a_slider_that_is_marked_as_repaired_is_what_the_profile_repairs(ttj, ttj_page, tmp_path):
    setting = {"repair": "nearest", "coefficients": {"bfrag-ShowerHadronization": 0.75}, "wide": True}
    answer, _ = probed(ttj_page, tmp_path, f"return window.bayescomb.intervals({json.dumps(setting)});")
    ends = dict(zip((c.name for c in ttj.assumption_set.coefficients), answer, strict=True))
    assert profile_at(ttj, setting).repairs
    found = 0
    for name, end in list(ends.items())[:: 1 if repetitions(1) > 1 else 2]:
        kept = end["unrepaired"]
        assert (end["low"], end["high"]) == (-1, 1)
        repaired_at = {}
        for value in (-1.0, kept["low"] - 1e-3, kept["low"] + 1e-3, kept["high"] - 1e-3, kept["high"] + 1e-3, 1.0):
            if abs(value) <= 1:
                moved = {**setting, "coefficients": {**setting["coefficients"], name: value}}
                repaired_at[value] = kept["label"] in [repair.block for repair in profile_at(ttj, moved).repairs]
        for value, repaired in repaired_at.items():
            assert repaired == (not kept["low"] <= value <= kept["high"]), (name, value)
            found += repaired
    assert found > 5


@pytest.fixture(scope="module")
def scales():
    return bc.load("models/ttj_rho", extraction="scales_correlated")


@pytest.mark.slow
@needs_browser
def test_correlation_of_scales_between_energies_has_a_slider(scales, tmp_path):
    page = bc.explore(scales, tmp_path / "explorer.html", draws=0)
    settings = [{"coefficients": {"scale_correlation": value}} for value in (0.0, 0.5, 0.9, 0.999)]
    settings.append({**settings[0], "off": ["ATLAS 8 TeV"], "assumptions": "jes", "treatment": "covariance"})
    expect_profile(scales, page, tmp_path, settings)
    script = (
        HAND
        + """
      const input = slider('between energies').querySelector('input[type=range]');
      press(input, 'End');
      const end = api.state(), said = by('status').textContent;
      location.hash = '#off=ATLAS 8 TeV';
      await new Promise(resolve => addEventListener('hashchange', resolve, {once: true}));
      const idle = slider('between energies').querySelector('.note').textContent;
      return {end, said, after: api.evaluate(end).problem ?? '', idle};
    """
    )
    answer, console = probed(page, tmp_path, script)
    assert not console
    # Scales that are the same at both energies are another model, whose prior has no inverse.
    assert 0.999 < answer["end"]["coefficients"]["scale_correlation"] < 1
    assert "scales between energies" in answer["said"]
    assert answer["after"] == ""
    assert answer["idle"] == "acts on nothing that is on"


def fitted(name, seed, *, size=1.0):
    """A profiled input of two estimates with a pull, a constraint above 1 and a free nuisance."""
    rng = np.random.default_rng(seed)
    nuisances = (
        bc.Nuisance(name=f"{name} JES"),
        bc.Nuisance(name=f"{name} wide"),
        bc.Nuisance(name=f"{name} free", free=True),
    )
    reach = rng.normal(0, size, (2, 3))
    data = np.diag([1.0, 0.7])
    prior = np.diag(
        [0.3, -0.2, 0.8]
    )  # what the data add to the priors of the first two; 1.25 constrains less than the prior
    information = np.block(
        [[data, data @ reach], [reach.T @ data, reach.T @ data @ reach + prior + np.diag([1.0, 1.0, 0.0])]]
    )
    return bc.Measurement(
        name=name,
        experiment=name,
        estimates=tuple(
            bc.Estimate(name=f"{name} {i}", value=10.0 + i + rng.normal(), observables={f"x{i}": 1.0}) for i in (1, 2)
        ),
        fit=bc.FittedInput(nuisances=nuisances, information=information, pulls=[0.4, -0.3, 0.2]),
    )


@pytest.fixture(scope="module")
def profiled():
    """Two profiled inputs of the same observables."""
    coefficients = tuple(
        bc.CorrelationCoefficient(
            name=name, pairs=(bc.CorrelationPair(first=f"A {name}", second=f"B {name}"),), nominal=0.3, low=-0.5, high=0.9
        )
        for name in ("JES", "wide")
    )
    return bc.Combination(
        name="profiled",
        measurements=(fitted("A", 1), fitted("B", 2)),
        observables=(bc.Observable(name="x1", unit="pb"), bc.Observable(name="x2", unit="pb")),
        assumption_sets={"one": bc.AssumptionSet(name="one", coefficients=coefficients)},
        assumptions="one",
    )


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("power", [5, 7, 9])
def test_page_gives_the_profile_where_a_constraint_is_tight(power, tmp_path):
    """X + Y = 1 to 10^-power: chi2 is 0.04^2 / (0.0037 + 10^-2 power)."""
    combination = unitarity(10.0**-power)
    page = bc.explore(combination, tmp_path / "explorer.html", draws=0)
    (answer,) = evaluated(page, tmp_path, [{}])
    assert answer["chi2"] == pytest.approx(0.0016 / (0.0037 + 10.0 ** (-2 * power)), rel=1e-9)
    expect_profile(combination, page, tmp_path, [{}])


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("treatment", ["covariance", "nuisance"])
def test_page_gives_the_profile_with_a_singular_statistical_covariance(treatment, tmp_path):
    combination = fractions(treatment)
    page = bc.explore(combination, tmp_path / "explorer.html", draws=0)
    expect_profile(combination, page, tmp_path, [{}, {"sources": {"s1": "uncorrelated"}}])


@pytest.mark.slow
@needs_browser
def test_page_follows_pulls_negative_information_and_free_nuisances(profiled, tmp_path):
    page = bc.explore(profiled, tmp_path / "explorer.html", draws=0)
    assert sum(m.negative for m in explorer_model(profiled).measurements) > 0
    settings = [
        {},
        *({"coefficients": {"JES": r, "wide": 0.2 - r / 2}} for r in (-0.5, 0.0, 0.9)),
        {"treatment": "covariance"},
        {"repair": "nearest"},
    ]
    expect_profile(profiled, page, tmp_path, settings)


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("name", ["scales", "absolute_cms"])
def test_page_follows_scales_that_end_at_the_ends_of_their_box(name, tmp_path):
    """Chi2 has minima at several corners, and is lowest at ends of the box; inputs that are off move it to another."""
    combination = bc.load("models/ttj_rho", extraction=name)
    page = bc.explore(combination, tmp_path / "explorer.html", draws=0)
    settings = nominal_settings(combination) + random_settings(combination, repetitions(6), seed=5)
    settings += [{"off": [off]} for off in ("ATLAS 8 TeV", "CMS 13 TeV")]
    fits = [profile_at(combination, setting) for setting in settings]
    for answer, fit in zip(evaluated(page, tmp_path, settings), fits, strict=True):
        expect_equal(answer, fit, relative=RELATIVE)
        # The profile meets Delta chi2 = 1 to 1e-6 and its minima on the way to 2e-6; the error grows like the root.
        np.testing.assert_allclose(answer["crossings"], [[fit.up_errors[0], fit.down_errors[0]]], rtol=1.5e-6)
    at_ends = [np.abs(fit.values.sel(parameter=["log2_mu_R", "log2_mu_F"]).to_numpy()) == 1 for fit in fits]
    assert np.any(at_ends)


@needs_browser
@pytest.mark.slow
def test_page_follows_scales_with_a_normal_prior_and_two_masses(tmp_path):
    for name in ("scales_correlated", "two_masses", "cms_absolute"):
        combination = bc.load("models/ttj_rho", extraction=name)
        page = bc.explore(combination, tmp_path / f"{name}.html", draws=0)
        settings = [{}, {"assumptions": "jes"}]
        if len(combination.measurements) > 1:
            settings.append({"off": ["ATLAS 8 TeV"]})
        expect_profile(combination, page, tmp_path, settings)


@needs_browser
@pytest.mark.slow
def test_page_follows_shared_numerical_errors_and_an_open_rate(ttj, tmp_path):
    chosen = ttj.extractions["nlo_absolute_cms"]
    fixed = ttj.with_extraction(dataclasses.replace(chosen, scales=ttj.extractions["nlo"].scales))
    page = bc.explore(fixed, tmp_path / "explorer.html", draws=0)
    expect_profile(fixed, page, tmp_path, [{}, {"assumptions": "jes"}])


def test_rate_alone_is_not_explored(ttj):
    chosen = ttj.extractions["cms"]
    rate = dataclasses.replace(chosen, name="rate", distributions=dict.fromkeys(chosen.distributions, "rate"))
    with refused(OptionError, "'ttj_rho' cannot be explored", "the rate of 13 TeV alone counts", "bayescomb profile"):
        explorer_model(ttj.with_extraction(rate))


def test_reduced_rows_hold_every_part_of_their_covariance(ttj):
    for measurement in explorer_model(ttj).measurements:
        loading = np.array(measurement.integrated_loading)
        parts = np.array(measurement.statistical) + loading @ loading.T
        np.testing.assert_allclose(parts, measurement.noise, atol=1e-12)


@pytest.mark.slow
@needs_browser
def test_slider_moved_by_keyboard_changes_the_headline_to_the_profile(run1, run1_page, tmp_path):
    script = (
        HAND
        + """
      const before = headline(), input = slider('LHCbJES').querySelector('input[type=range]');
      input.focus();
      press(input, 'Home');
      const text = input.getAttribute('aria-valuetext'), said = by('headline').textContent;
      return {before, after: headline(), state: api.state(), said, text, command: by('command').textContent};
    """
    )
    answer, console = probed(run1_page, tmp_path, script)
    assert not console
    nominal, moved = bc.profile(run1), profile_at(run1, {"coefficients": {"LHCbJES": 0.5}})
    assert answer["before"] == f"mt = {nominal.values.item():.2f} ± {nominal.errors.item():.2f} GeV"
    assert answer["after"] == f"mt = {moved.values.item():.2f} ± {moved.errors.item():.2f} GeV"
    assert answer["before"] != answer["after"]
    assert answer["state"]["coefficients"] == {"LHCbJES": 0.5}
    shift = 1000 * (moved.values.item() - nominal.values.item())
    assert f"{abs(shift):.0f} MeV" in answer["said"]
    assert answer["text"].startswith("0.50, nominal 0.85")
    words = shlex.split(answer["command"])
    assert words[:3] == ["bayescomb", "profile", "MODEL"]
    assert main(["profile", "models/run1_mass", *words[3:], "--json", str(tmp_path / "p.json")]) == 0
    command = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["parameters"]["m_t"]["value"]
    assert command == moved.values.item()


@pytest.mark.slow
@needs_browser
def test_setting_is_told_as_a_command_and_what_moved_most_in_words(run1, run1_page, tmp_path):
    script = (
        HAND
        + """
      const told = async change => {
        api.enter({...api.state(), ...change});
        await settled();
        return {command: by('command').textContent, note: by('command-note').textContent, moved: by('moved').textContent};
      };
      const opened = {command: by('command').textContent, moved: by('moved').textContent};
      const two = await told({coefficients: {LHCbJES: 0.5, JER: 0.1}, off: ['d']});
      const apart = await told({coefficients: {}, off: ['g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o'], sources: {}});
      const source = await told({off: [], sources: {LHCbJES: 'apart', PDF: 'uncorrelated'}});
      const choices = [...slider('LHCbJES').querySelectorAll('option')].map(o => o.textContent);
      return {opened, two, apart, source, choices};
    """
    )
    answer, console = probed(run1_page, tmp_path, script)
    assert not console
    plain = "bayescomb profile MODEL --assumptions nominal --treatment covariance"
    assert answer["opened"] == {"command": plain, "moved": ""}
    assert answer["two"]["command"] == f"{plain} --without d --coefficient LHCbJES=0.5 --coefficient JER=0.1"
    assert answer["apart"]["command"] == f"{plain} --only ATLAS"
    # Between experiments b-JES has its coefficient alone; PDF is correlated inside them too, which no option takes away.
    assert answer["source"]["command"] == f"{plain} --coefficient LHCbJES=0"
    assert "PDF" in answer["source"]["note"]
    assert answer["choices"][1:3] == ["uncorrelated between experiments", "uncorrelated everywhere"]
    setting = {"coefficients": {"LHCbJES": 0.5, "JER": 0.1}, "off": ["d"]}
    nominal, now = bc.profile(run1).values.item(), profile_at(run1, setting).values.item()
    shift = f"{1000 * (now - nominal):+.0f} MeV".replace("-", "\N{MINUS SIGN}")
    assert f"m_t has moved by {shift}" in answer["two"]["moved"]
    alone = profile_at(run1, setting | {"off": []}).values.item() - now  # the input that is off matters most
    back = f"{1000 * alone:+.0f} MeV".replace("-", "\N{MINUS SIGN}")
    assert f"ATLAS dilepton 8 TeV off: taken back alone it changes the value by {back}" in answer["two"]["moved"]


@pytest.mark.slow
@needs_browser
def test_infeasible_coefficients_cannot_be_entered_by_key_field_or_buttons(ttj, ttj_page, tmp_path):
    script = (
        HAND
        + """
      const row = slider('bfrag-ShowerHadronization'), input = row.querySelector('input[type=range]'), found = [];
      const note = row.querySelector('.note').textContent, shut = row.querySelectorAll('.shut')[1].style.width;
      press(input, 'End');
      found.push(api.state());
      const ended = by('status').textContent;
      const field = row.querySelector('input[type=number]');
      field.value = '0.749'; field.dispatchEvent(new Event('change'));
      found.push(api.state());
      const said = by('status').textContent;
      by('all-high').click();
      found.push(api.state());
      const stopped = by('status').textContent;
      by('all-low').click();
      found.push(api.state());
      return {found, note, shut, ended, said, stopped, problems: found.map(s => api.evaluate(s).problem ?? '')};
    """
    )
    answer, console = probed(ttj_page, tmp_path, script)
    assert not console
    assert not any(answer["problems"])
    for state in answer["found"]:
        assert is_feasible(ttj, state)
    block = "ATLAS shower and hadronisation + CMS b fragmentation"
    assert block in answer["note"]
    assert block in answer["ended"]
    assert block in answer["said"]
    assert float(answer["shut"].rstrip("%")) > 1
    assert answer["stopped"].startswith("Stopped after ")
    end = answer["found"][0]["coefficients"]["bfrag-ShowerHadronization"]
    assert 0.7 < end < 0.75
    assert not is_feasible(ttj, {"coefficients": {"bfrag-ShowerHadronization": end + 1e-3}})


@pytest.mark.slow
@needs_browser
def test_ends_of_the_sliders_are_those_of_the_feasible_set(run1, ttj, run1_page, ttj_page, tmp_path):
    for combination, page in ((run1, run1_page), (ttj, ttj_page)):
        script = "const s = {wide: true}; return {ends: window.bayescomb.intervals(s), state: window.bayescomb.state()};"
        answer, _ = probed(page, tmp_path, script)
        coefficients = correlation_family(combination).coefficients
        for c, end in zip(coefficients, answer["ends"], strict=True):
            for side, sign in (("low", -1), ("high", 1)):
                assert is_feasible(combination, {"coefficients": {c.name: end[side]}})
                if end[f"{side}Stop"]:
                    assert not is_feasible(combination, {"coefficients": {c.name: end[side] + sign * 1e-3}})
                else:
                    assert abs(end[side]) == 1


ADDRESSES = {
    "#r=0.3": "not understood",
    "#%E0%A4%A": "not understood",
    "#r=9:bJES": "outside",
    "#r=0.749:bfrag-ShowerHadronization": "no correlation matrix",
    "#set=nowhere": "no assumption set",
    "#off=zzz": "no input",
    "#source=full:zzz": "no source",
    "#off=ATLAS 8 TeV&off=CMS 13 TeV": "every input is off",
}
PLAIN = {"repair": "none", "coefficients": {}, "off": [], "sources": {}, "wide": False}


@pytest.mark.slow
@needs_browser
def test_address_that_is_no_setting_shows_nominal_with_a_note(ttj, ttj_page, run1_page, tmp_path):
    script = f"""{HAND}
      const found = [];
      for (const address of {json.dumps(list(ADDRESSES))}) {{
        const arrived = new Promise(resolve => addEventListener('hashchange', resolve, {{once: true}}));
        location.hash = address;
        await arrived;
        await settled();
        found.push([window.bayescomb.state(), document.getElementById('status').textContent, location.hash]);
      }}
      return found;
    """
    answer, console = probed(ttj_page, tmp_path, script)
    assert not console
    for (state, status, left), said in zip(answer, ADDRESSES.values(), strict=True):
        assert state == {"assumptions": ttj.assumptions, "treatment": ttj.treatment, **PLAIN}
        assert said in status
        assert "nominal is shown" in status
        assert left == ""
    script = "return [window.bayescomb.state(), document.getElementById('status').textContent];"
    (state, status), console = probed(run1_page, tmp_path, script, address="#treatment=nuisance")
    assert not console
    assert state == {"assumptions": "nominal", "treatment": "covariance", **PLAIN}
    assert "LHCJES2" in status


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize(("which", "seed"), [("run1", 1), ("ttj", 2), ("profiled", 4), ("scales", 5)])
def test_every_setting_that_a_random_hand_reaches_is_feasible_and_given_exactly(which, seed, request, tmp_path):
    combination = request.getfixturevalue(which)
    page, moves = bc.explore(combination, tmp_path / "explorer.html", draws=0), repetitions(50)
    script = (
        (
            HAND
            + """
      let seed = SEED;
      const random = n => { seed = (seed * 48271) % 2147483647; return seed % n; };
      const any = list => list[random(list.length)], all = query => [...document.querySelectorAll(query)], states = [];
      for (let move = 0; move < MOVES; move++) {
        const kind = random(12);
        if (kind < 7) {
          const sliders = all('.coefficient input[type=range]').filter(e => !e.disabled);
          if (sliders.length) press(any(sliders), any(['Home', 'End', 'PageUp', 'PageDown', 'ArrowLeft']));
        } else if (kind === 7) any([by('all-low'), by('all-high'), by('all-nominal')]).click();
        else if (kind === 8) any(all('#inputs input')).click();
        else if (kind === 9) {
          const selects = all('select[data-source]');
          if (!selects.length) continue;
          const select = any(selects);
          select.value = any([...select.options].map(o => o.value));
          select.dispatchEvent(new Event('change'));
        }
        else if (kind === 10) any([...all('#sets button, #treatments button, #repairs button'), by('wide')]).click();
        else by('undo').click();
        states.push(api.state());
      }
      return {states, last: states.slice(-1).concat(states.filter((_, i) => i % 15 === 7)).map(s => api.evaluate(s))};
    """
        )
        .replace("SEED", str(seed))
        .replace("MOVES", str(moves))
    )
    answer, console = probed(page, tmp_path, script)
    assert not console
    states = answer["states"]
    assert len({json.dumps(state, sort_keys=True) for state in states}) >= moves / 10
    assert all(is_feasible(combination, state) for state in states[::3])
    chosen = [states[-1], *(state for i, state in enumerate(states) if i % 15 == 7)]
    for found, state in zip(answer["last"], chosen, strict=True):
        expect_equal(found, profile_at(combination, state), relative=RELATIVE)


@pytest.mark.slow
@needs_browser
def test_undo_and_address_lead_back_to_the_same_setting(run1_page, tmp_path):
    script = (
        HAND
        + """
      const states = [api.state()], input = slider('LHCbJES').querySelector('input[type=range]');
      press(input, 'PageDown'); press(input, 'PageDown'); input.dispatchEvent(new Event('change'));
      states.push(api.state());
      document.querySelector('#inputs input').click();
      states.push(api.state());
      document.querySelector('#sets button:nth-child(2)').click();
      states.push(api.state());
      const select = document.querySelector('select[data-source=PDF]');
      select.value = 'full'; select.dispatchEvent(new Event('change'));
      states.push(api.state());
      await settled();
      const address = location.hash, back = [];
      for (let i = 0; i < 4; i++) { by('undo').click(); back.push(api.state()); }
      await settled();
      return {states, back, address, disabled: by('undo').disabled, left: location.hash};
    """
    )
    answer, console = probed(run1_page, tmp_path, script)
    assert not console
    assert answer["back"] == answer["states"][-2::-1]  # two presses of a key are one gesture
    assert answer["disabled"]
    assert answer["left"] == ""
    again, _ = probed(run1_page, tmp_path, "return window.bayescomb.state();", address=answer["address"])
    assert again == answer["states"][-1]
    assert again["off"] == ["a"]
    assert again["sources"] == {"PDF": "full"}


@pytest.mark.slow
@needs_browser
def test_impossible_treatment_is_disabled_with_its_reason(run1_page, tmp_path):
    script = (
        HAND
        + """
      const button = [...document.querySelectorAll('#treatments button')].find(b => b.textContent === 'nuisance');
      const reason = by(button.getAttribute('aria-describedby')).textContent;
      button.click();
      return {reason, disabled: button.getAttribute('aria-disabled'), state: api.state(), status: by('status').textContent};
    """
    )
    answer, _ = probed(run1_page, tmp_path, script)
    assert answer["disabled"] == "true"
    assert "LHCJES2" in answer["reason"]
    assert answer["state"]["treatment"] == "covariance"
    assert answer["status"].startswith("Not done")


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("which", ["run1_page", "ttj_page"])
def test_moves_ask_the_network_for_nothing(which, request, tmp_path):
    script = (
        HAND
        + """
      const input = document.querySelector('.coefficient input[type=range]');
      for (let i = 0; i < 30; i++) press(input, i % 2 ? 'ArrowLeft' : 'ArrowRight');
      return performance.getEntriesByType('resource').map(r => r.name);
    """
    )
    asked, console = probed(request.getfixturevalue(which), tmp_path, script)
    assert not console
    assert [name for name in asked if not name.startswith("data:")] == []


@pytest.mark.slow
@needs_browser
def test_console_would_show_an_error(run1_page, tmp_path):
    _, console = probed(run1_page, tmp_path, "console.error('heard'); return 1;")
    assert console


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("width", [500, 1600])
def test_nothing_sticks_out_and_every_control_has_a_name(ttj_page, tmp_path, width):
    script = """
      const root = document.documentElement;
      const named = e => e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim();
      const controls = [...document.querySelectorAll('input, select, button')];
      const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
      return {over: root.scrollWidth - root.clientWidth, nameless: controls.filter(e => !named(e)).map(e => e.outerHTML),
        twice: ids.filter((id, i) => ids.indexOf(id) !== i)};
    """
    answer, _ = probed(ttj_page, tmp_path, script, size=(width, 800))
    assert answer == {"over": 0, "nameless": [], "twice": []}


def test_page_holds_no_address_of_the_network(run1_page):
    text = run1_page.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"'\s<]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text


def test_names_cannot_end_the_script(run1, tmp_path):
    named = dataclasses.replace(run1, title="</script><script>alert(1)</script>")
    text = bc.explore(named, tmp_path / "explorer.html", draws=0).read_text(encoding="utf-8")
    assert "<script>alert" not in text


@pytest.mark.slow
def test_posterior_is_stored_with_its_seed_and_only_if_it_has_converged(run1, run1_posterior, tmp_path):
    tree = run1_posterior.isel(chain=slice(2), draw=slice(20))
    text = bc.explore(run1, tmp_path / "explorer.html", posterior=tree).read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)[1])
    assert data["posterior"]["seed"] == "1"
    assert data["posterior"]["versions"]["pymc"]
    assert data["posterior"]["results"] == {}
    assert "The posterior is withheld" in text


def test_what_is_not_linear_is_refused_with_a_sentence(run1, tmp_path):
    cases = {
        "errors_on_errors": run1.with_errors_on_errors({"PDF": 0.3}),
        "is not quadratic": run1.with_treatment("nuisance").with_chi2("pearson"),
    }
    for said, combination in cases.items():
        with pytest.raises(bc.base.errors.OptionError, match=said):
            bc.explore(combination, tmp_path / "explorer.html", draws=0)
    with pytest.raises(bc.base.errors.InfeasibleCorrelationError):
        bc.explore(run1.with_treatment("nuisance"), tmp_path / "explorer.html", draws=0)
    with pytest.raises(bc.base.errors.OptionError, match="draws"):
        bc.explore(run1, tmp_path / "explorer.html", draws=-1)
    with pytest.raises(bc.base.errors.OutputError, match="does not exist"):
        bc.explore(run1, tmp_path / "nowhere" / "explorer.html")
    assert not list(tmp_path.iterdir())


def test_normalised_results_are_refused():
    measured = bc.Measurement(
        name="m",
        estimates=tuple(bc.Estimate(name=f"e{i}", value=2.0 + i, observables={f"x{i}": 1.0}) for i in range(2)),
        statistical_covariance=np.eye(2),
    )
    combination = bc.Combination(
        name="shape", measurements=(measured,), observables=tuple(bc.Observable(name=f"x{i}", unit="pb") for i in range(2)),
        assumption_sets={"none": bc.AssumptionSet(name="none")}, assumptions="none", normalise=True,
    )  # fmt: skip
    with pytest.raises(bc.base.errors.OptionError, match="divided by their sum"):
        explorer_model(combination)


@pytest.mark.slow
def test_command_writes_the_page_and_links_it_from_the_report_beside(run1, run1_path, tmp_path, capsys):
    page = tmp_path / "report" / "explorer.html"
    page.parent.mkdir()
    report = page.with_name("report.html")
    report.write_text(f"<nav>{PLACE}</nav>", encoding="utf-8")
    assert main(["explore", str(run1_path), "--draws", "0", "--output", str(page), "--assumptions", "uncorrelated"]) == 0
    assert str(page) in capsys.readouterr().out
    assert 'href="explorer.html"' in report.read_text(encoding="utf-8")
    written = page.read_text(encoding="utf-8")
    bc.report(None, bc.profile(run1.only(["ATLAS"])), page.parent, progress=False)
    assert page.read_text(encoding="utf-8") == written  # a new report keeps it
    assert 'href="explorer.html"' in report.read_text(encoding="utf-8")
    assert main(["explore", str(run1_path), "--chi2", "pearson", "--treatment", "nuisance", "--output", str(page)]) == 2
    assert "cannot be explored" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == written

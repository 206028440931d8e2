"""`[[measurements]]` that name a Convino file, and sources by patterns: what they mean."""

import json

import numpy as np
import pytest
from convino_files import CORRELATED
from convino_model import editor
from general_model import small_model
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import InputWarning, InvalidNumberError
from bayescomb.formats.convino.base_file import load_convino
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import combination_to_json

RIGHT = "measurements['right']"
PATTERNS = 'sources = { "*_scale" = "scale", "r_t*" = "tagging", "*" = "model" }\n'


@pytest.fixture
def model(tmp_path):
    """Factory of edited copies of the model."""
    return editor(tmp_path)


def plain(combination, *keys):
    """Some fields of a combination as plain data, every figure to the last bit."""
    data = json.loads(combination_to_json(combination))
    return [data[key] for key in keys]


EDITS = [
    [],
    [
        ("left.txt", "l_model = relative", "l_model = lognormal"),
        ("right.txt", "[systematics]", "[systematics]\nr_model = free"),
    ],
    [("left.txt", "  l_model = relative\n", "  l_model = absolute\n"), ("left.txt", "(+2-1)", "2")],
    [("right.txt", "r_tagging = -0.4", "r_tagging = 1.5\nr_scale = 0.1")],
]


@pytest.mark.parametrize("edits", EDITS)
def test_same_as_an_input_of_a_base_file(model, edits):
    folder = model()
    for edit in edits:
        model(*edit)
    if "r_model = free" in str(edits):  # a free nuisance has no prior to correlate
        model("base.txt", "  l_model = (-0.3) r_model\n")
        model(old='  { name = "l_model:r_model", pairs = [["l_model", "r_model"]], nominal = -0.3 },\n')
    found, base = bc.load(folder), load_convino(folder / "base.txt")
    keys = ("measurements", "observables", "impact_groups")
    assert plain(found, *keys) == plain(base, *keys)
    profiles = [bc.profile(c) for c in (found, base)]
    for name in ("values", "errors", "chi2"):
        one, other = (np.asarray(getattr(p, name)) for p in profiles)
        assert one.tobytes() == other.tobytes()


def test_correlation_matrix_with_constraints_is_read(model):
    folder = model()
    (folder / "right.txt").write_text(CORRELATED)
    model("base.txt", "  l_model = (-0.3) r_model\n")
    model(old='  { name = "l_model:r_model", pairs = [["l_model", "r_model"]], nominal = -0.3 },\n')
    found = bc.load(folder)
    assert plain(found, "measurements") == plain(load_convino(folder / "base.txt"), "measurements")
    assert [n.name for n in found.measurements[1].fit.nuisances] == ["r_scale"]


def test_experiment_and_factors_are_those_of_the_entry(model):
    folder = model(old='"right"', new='"right"\nexperiment = "R"')
    model(old="{ width = 1.0 }", new="{ width = 2, mass = -0.5 }")
    combination = bc.load(folder)
    assert [m.experiment for m in combination.measurements] == ["", "R"]
    assert {e.name: dict(e.observables) for e in combination.estimates} == {
        "l_mass": {"mass": 1}, "l_rate": {"l_rate": 1}, "r_mass": {"mass": 1}, "r_width": {"width": 2, "mass": -0.5},
    }  # fmt: skip


def test_path_starts_at_the_model_file(model, monkeypatch):
    folder = model()
    for place in ("model/inputs", "elsewhere"):
        (folder / place).mkdir(parents=True)
    (folder / "left.txt").rename(folder / "model/inputs/left.txt")
    (folder / "model.toml").rename(folder / "model/model.toml")
    text = (
        (folder / "model/model.toml").read_text().replace("left.txt", "inputs/left.txt").replace("right.txt", "../right.txt")
    )
    (folder / "model/model.toml").write_text(text)
    monkeypatch.chdir(folder / "elsewhere")
    assert len(bc.load("../model").estimates) == 4


def test_includes_of_the_file_are_followed(model):
    folder = model("right.txt", "  r_mass   0.7\n  r_width  -0.2\n", "  #!FILE = sub/table.txt\n")
    (folder / "sub").mkdir()
    (folder / "sub/table.txt").write_text("  r_mass   0.7\n  r_width  -0.2\n")
    model("sub/table.txt", "0.7", "x")
    with refused(InvalidNumberError, f"{RIGHT}.convino", "table.txt:1"):
        bc.load(folder)
    model("sub/table.txt", "x", "0.7")
    assert bc.load(folder).measurements[1].responses.tolist() == [[-0.2], [0.7]]


def test_what_the_file_is_warned_of_is_warned_of_here(model):
    folder = model("left.txt", "  value_1 = 12\n", "  value_1 = 12\n  name_2 = more\n")
    with pytest.warns(InputWarning, match=r"left\.txt:\d+: name_2 = 'more' lies beyond n_estimates"):
        bc.load(folder)


def test_stands_beside_a_measurement_that_is_stated(model):
    estimate = '{ name = "n", value = 171, observable = "mass" }'
    new = f'[[measurements]]\nname = "new"\nestimates = [{estimate}]\nstatistical = [2]\n\n'
    groups = '[[impact_groups]]\nname = "scale"'
    combination = bc.load(model(old=groups, new=new + groups))
    assert [m.name for m in combination.measurements] == ["left", "right", "new"]


def test_responses_are_those_that_are_stated(model):
    """Both state what a source does to the published value."""
    folder = model()
    file = {m.name: m for m in bc.load(folder).measurements}["left"]
    (folder / "left.csv").write_text("estimate,l_scale,l_model\nl_mass,1.5,+2/-1\nl_rate,0.5,0.1\n")
    inline = (
        'estimates = [{ name = "l_mass", value = 172.5, observable = "mass" }, '
        '{ name = "l_rate", value = 12, observable = "l_rate" }]\n'
        'statistical = [3, 0.2]\nresponses = "left.csv"\nnuisances = [{ name = "l_model", response = "relative" }]\n'
    )
    model(old='convino = "left.txt"\nobservables = { l_mass = "mass" }\n', new=inline)
    stated = {m.name: m for m in bc.load(folder).measurements}["left"]
    assert stated.responses.tolist() == file.responses.tolist()
    assert stated.down_responses.tolist() == file.down_responses.tolist()
    assert (stated.estimates, stated.nuisances) == (file.estimates, file.nuisances)


# Sources of nuisances by patterns.


def sources_of(combination):
    return {n.name: n.source for n in combination.nuisances}


def test_first_pattern_that_matches_gives_the_source(model):
    folder = model(old='"right.txt"\n', new=f'"right.txt"\n{PATTERNS}')
    assert sources_of(bc.load(folder)) == {
        "l_scale": "", "l_model": "", "r_scale": "scale", "r_tagging": "tagging", "r_model": "model",
    }  # fmt: skip
    model(old='"*_scale" = "scale", "r_t*" = "tagging"', new='"*_[st]*" = "tagging"')
    assert sources_of(bc.load(folder))["r_scale"] == sources_of(bc.load(folder))["r_tagging"] == "tagging"


def test_categories_speak_of_sources_given_by_patterns(model):
    folder = model(old='"left.txt"', new='"left.txt"\nexperiment = "L"\nsources = { "l_*" = "scale" }')
    model(old='"right.txt"\n', new=f'"right.txt"\nexperiment = "R"\n{PATTERNS}')
    model(old='pairs = [["l_scale", "r_scale"]]', new='source = "scale", between = ["L", "R"]')
    model(old='  { name = "l_model:r_model", pairs = [["l_model", "r_model"]], nominal = -0.3 },\n')
    pairs = bc.load(folder).assumption_set.coefficients[0].pairs
    assert [(p.first, p.second) for p in pairs] == [("l_scale", "r_scale"), ("l_model", "r_scale")]


def test_groups_of_sources_given_by_patterns_are_components_of_impacts(model):
    """One estimate, so that the components are the responses; the third part of the variance is the statistical one."""
    folder = model()
    (folder / "one.txt").write_text(
        "[not fitted]\n jes_a jes_b tag other stat\n x 3 4 12 2 1\n[end not fitted]\n[systematics]\n[end systematics]\n"
        "[estimates]\nn_estimates = 1\nname_0 = x\nvalue_0 = 100\n[end estimates]\n"
    )
    small_model(
        folder,
        '[[measurements]]\nname = "one"\nconvino = "one.txt"\nobservables = { x = "mu" }\n'
        'sources = { "jes_*" = "JES", "tag" = "b tagging" }\n',
        observables=["mu"],
        head='sources = [{ name = "JES", group = "jets" }, { name = "b tagging", group = "jets" }]',
        rest='[[assumption_sets]]\nname = "half"\n'
        'coefficients = [{ name = "r", pairs = [["jes_a", "jes_b"]], nominal = 0.5 }]\n',
    )
    found = bc.impacts(bc.load(folder))
    assert found.sources.sel(parameter="mu").to_series().to_dict() == pytest.approx(
        {"JES": np.sqrt(9 + 16 + 12), "b tagging": 12, "other": 2}
    )
    assert found.groups.sel(parameter="mu").to_series().to_dict() == pytest.approx({"jets": np.sqrt(37 + 144)})
    assert found.statistics.item() == pytest.approx(1)


INLINE = """
[[measurements]]
name = "inline"
estimates = [{ name = "x", value = 100, observable = "mu" }]
statistical = [1]
responses = "inline.csv"
nuisances = [{ name = "jes_b", source = "b tagging" }]
sources = { "jes_?" = "JES" }
"""


def test_patterns_of_a_measurement_that_is_stated(tmp_path):
    (tmp_path / "inline.csv").write_text("estimate,jes_a,jes_b,JES_c\nx,1,2,3\n")
    small_model(tmp_path, INLINE, observables=["mu"], head='sources = [{ name = "JES" }, { name = "b tagging" }]')
    assert sources_of(bc.load(tmp_path)) == {"jes_a": "JES", "jes_b": "b tagging", "JES_c": ""}


# Writing.


@pytest.mark.parametrize("edits", EDITS[:2])
def test_written_and_read_alike(model, tmp_path, edits):
    folder = model(old='"right.txt"\n', new=f'"right.txt"\n{PATTERNS}')
    for edit in edits:
        model(*edit)
    if len(edits) > 1:
        model(old='  { name = "l_model:r_model", pairs = [["l_model", "r_model"]], nominal = -0.3 },\n')
    origin = "where it is from"
    tables = ["right", "right: values", "right: statistical", "right: responses"]
    kinds = ["published", "published", "reconstructed", "assumed"]
    entries = [
        f'[[provenance]]\ntable = "{t}"\nkind = "{k}"\norigin = "{origin}"\n' for t, k in zip(tables, kinds, strict=True)
    ]
    model(old='[[impact_groups]]\nname = "scale"', new="\n".join([*entries, '[[impact_groups]]\nname = "scale"']))
    combination = bc.load(folder)
    assert [(p.table, p.kind) for p in combination.provenance] == list(zip(tables, kinds, strict=True))
    again = bc.load(write_model(combination, tmp_path / "again"))
    assert combination_to_json(again) == combination_to_json(combination)

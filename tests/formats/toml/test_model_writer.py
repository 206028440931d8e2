"""What is written is read back as exactly the same combination, is laid out for people, and is there whole or not at all."""

import dataclasses
import errno
import tomllib
from pathlib import Path

import numpy as np
import pytest
from combinations import star
from general_model import FILES, editor
from generated import random_combination
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import MUTATIONS
from refusals import refused
from repetitions import repetitions

import bayescomb as bc
from bayescomb.base.errors import OutputError
from bayescomb.formats.csv import read_table
from bayescomb.formats.toml.model_writer import model_texts, write_model
from bayescomb.inputs.serialise import combination_to_json

REPRODUCIBLE = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folder of the general model as the writer lays it out."""
    folder = tmp_path_factory.mktemp("general")
    editor(folder)()
    return write_model(bc.load(folder), folder / "written").parent


def tree(folder):
    """Every file below a folder with its content; folders too."""
    return {p.relative_to(folder): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def assert_same(path, combination):
    assert combination_to_json(bc.load(path)) == combination_to_json(combination)


def test_run1_mass_survives_to_the_last_bit(run1, tmp_path):
    path = write_model(run1, tmp_path / "copy")
    assert path == tmp_path / "copy" / "model.toml"
    assert_same(path, run1)
    found, expected = bc.profile(bc.load(path)), bc.profile(run1)
    assert (found.chi2, found.values.values.tolist()) == (expected.chi2, expected.values.values.tolist())
    assert found.covariance.values.tolist() == expected.covariance.values.tolist()


def test_run1_mass_is_written_as_a_person_would(run1):
    texts = model_texts(run1)
    assert sorted(texts) == ["blocks.csv", "budget.csv", "model.toml"]
    document = tomllib.loads(texts["model.toml"])
    nominal, filled, uncorrelated = document["assumption_sets"]
    scopes = {key for c in nominal["coefficients"] for key in ("between", "blocks", "pairs") if key in c}
    assert scopes == {"between", "blocks"}  # the categories of the publication, not its 1000 pairs
    assert (filled["extends"], [c["name"] for c in filled["coefficients"]]) == ("nominal", ["pileup"])
    assert uncorrelated == {"name": "uncorrelated", "description": "no correlation between the experiments"}
    assert max(map(len, texts["model.toml"].splitlines())) < 200


def test_general_model_is_written_as_it_was_read(written, tmp_path):
    folder = editor(tmp_path)()
    assert_same(written, bc.load(folder))
    original, copy = (tomllib.loads((f / "model.toml").read_text()) for f in (folder, written))
    keys = ("format", "name", "chi2", "nuisance_values", "repair", "normalise", "observables", "sources", "impact_groups")
    assert {key: copy[key] for key in keys} == {key: original[key] for key in keys}
    given = [set(m) - {"correlation", "hessian"} for m in original["measurements"]]
    assert [set(m) - {"hessian"} for m in copy["measurements"]] == given
    assert "+0.5/-0.25" in (written / "fitted_responses.csv").read_text()
    assert sorted(p.name for p in written.iterdir()) == [
        "blocks.csv", "correlated_hessian.csv", "fitted_hessian.csv", "fitted_responses.csv", "joint_statistical.csv",
        "model.toml", "more_blocks.csv",
    ]  # fmt: skip
    assert all((written / name).read_text().startswith("# ") for name in copy["blocks"]["table"].split())


@pytest.mark.slow
@settings(REPRODUCIBLE, max_examples=repetitions(100))
@given(seed=st.integers(0, 10**9))
def test_any_combination_survives_to_the_last_bit(tmp_path_factory, seed):
    combination = random_combination(np.random.default_rng(seed))
    path = write_model(combination, tmp_path_factory.mktemp("round") / "model")
    assert_same(path, combination)


@pytest.mark.parametrize("combination", [star(3), star(2, shared=True, separate_observables=False)])
def test_combinations_built_in_code(tmp_path, combination):
    assert_same(write_model(combination, tmp_path / "m"), combination)


def test_many_nuisances_with_details_get_a_table(tmp_path):
    nuisances = tuple(bc.Nuisance(name=f"n{i}", response="relative", free=i == 3) for i in range(20))
    information = np.eye(21) + 0.01
    fit = bc.FittedInput(nuisances=nuisances, information=information, pulls=np.linspace(-1, 1, 20))
    measurement = bc.Measurement(
        name="big one", estimates=(bc.Estimate(name="e", value=3.0, observables={"x": 1}),), fit=fit
    )
    combination = dataclasses.replace(star(0), measurements=(measurement,), observables=(bc.Observable(name="x"),))
    path = write_model(combination, tmp_path / "m")
    header, rows = read_table(path.parent / "big_one_nuisances.csv", required=())
    assert (header, len(rows)) == (["name", "response", "free", "pull"], 20)
    read = bc.load(path).measurements[0].fit
    assert read.information.tobytes() == information.tobytes()
    assert (read.nuisances, read.pulls.tolist()) == (nuisances, fit.pulls.tolist())


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["A b", "a B", "a_b_2"], ["a_b", "a_b_2", "a_b_2_2"]),
        (["µ", "Ω", "x" * 300], ["unnamed", "unnamed_2", "x" * 60]),
        (["../up", "/abs", "con.txt"], ["up", "abs", "con_txt"]),
    ],
)
def test_file_names_are_plain_and_distinct(tmp_path, names, files):
    combination = star(2)
    renamed = [dataclasses.replace(m, name=n) for m, n in zip(combination.measurements, names, strict=True)]
    combination = dataclasses.replace(combination, measurements=tuple(renamed))
    path = write_model(combination, tmp_path / "m")
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([*(f"{f}_responses.csv" for f in files), "model.toml"])
    assert_same(path, combination)


def coefficient(**changes):
    pair = bc.CorrelationPair(first="n0", second="n1")
    return bc.CorrelationCoefficient(**{"name": "r", "pairs": (pair,), "nominal": 0.5} | changes)


def with_sets(*sets, **changes):
    return dataclasses.replace(star(2), assumption_sets={s.name: s for s in sets}, assumptions=sets[0].name, **changes)


def test_what_a_set_overwrites_does_not_show_through(tmp_path):
    other = coefficient(name="s", pairs=(bc.CorrelationPair(first="n1", second="n2"),))
    full = coefficient(title="title", scan_group="g", source="S", low=0.0, high=0.9, prior="beta", descending=True)
    sets = [
        bc.AssumptionSet(name="a", coefficients=(full, other), description="d"),
        bc.AssumptionSet(name="b", coefficients=(coefficient(nominal=0.9), other)),
        bc.AssumptionSet(name="c", coefficients=(coefficient(low=-0.1, high=0.1), other)),
        bc.AssumptionSet(name="d", coefficients=(other, full)),
    ]
    combination = with_sets(*sets, sources=(bc.Source(name="S"),))
    path = write_model(combination, tmp_path / "m")
    assert_same(path, combination)
    document = tomllib.loads(path.read_text())
    assert [s.get("extends") for s in document["assumption_sets"]] == [None, "a", "a", None]
    assert document["assumption_sets"][2]["coefficients"][0]["nominal_outside_range"] is True


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"assumption_sets": {"default": bc.AssumptionSet(name="other")}},
            ["differs in assumption_sets", "check their names"],
        ),
        ({"assumption_sets": {"default": bc.AssumptionSet(name="default", coefficients=(coefficient(pairs=()),))}}, ["'r'"]),
        (
            {"assumption_sets": {"default": bc.AssumptionSet(name="default", coefficients=(coefficient(source="S"),))}},
            ["unknown source 'S'"],
        ),
        (
            {"assumption_sets": {"default": bc.AssumptionSet(name="default", coefficients=(coefficient(nominal=1e-70),))}},
            ["1e-70 found", "use other units"],
        ),
        ({"title": "half a pair \ud800"}, ["cannot be written", "plain text"]),
    ],
)
def test_what_the_format_cannot_express_is_refused_and_leaves_nothing(tmp_path, changes, said):
    combination = dataclasses.replace(star(2), **changes)
    with refused(OutputError, str(tmp_path / "m"), *said):
        write_model(combination, tmp_path / "m")
    assert tree(tmp_path) == {}


def test_existing_files_are_replaced_only_on_purpose(tmp_path):
    folder = tmp_path / "m"
    write_model(star(2), folder)
    (folder / "notes.txt").write_text("mine")
    before = tree(tmp_path)
    with refused(OutputError, str(folder / "model.toml"), "there already", "on purpose"):
        write_model(star(3), folder)
    assert tree(tmp_path) == before
    assert write_model(star(3), folder, overwrite=True) == folder / "model.toml"
    assert_same(folder, star(3))
    assert (folder / "notes.txt").read_text() == "mine"
    assert {p.name for p in folder.iterdir()} == {p.name for p in map(Path, before)} - {"m"} | {"m3_responses.csv"}


def test_table_of_another_model_is_not_replaced(tmp_path):
    (tmp_path / "m1_responses.csv").write_text("mine")
    with refused(OutputError, "m1_responses.csv", "there already"):
        write_model(star(1), tmp_path)
    assert list(tree(tmp_path)) == [Path("m1_responses.csv")]


def test_folder_that_is_there_and_toml_file_of_another_name(tmp_path):
    (tmp_path / "README.md").write_text("text")
    assert write_model(star(1), tmp_path) == tmp_path / "model.toml"
    (tmp_path / "sub.toml").mkdir()
    assert write_model(star(1), tmp_path / "sub.toml") == tmp_path / "sub.toml" / "model.toml"
    other = write_model(star(1), tmp_path / "new" / "other.toml")
    assert_same(other, star(1))


@pytest.mark.parametrize("place", ["absent/deeper/m", "file/m", "file", "nul\0", "x" * 300])
def test_place_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("")
    with refused(OutputError, str(tmp_path / place)):
        write_model(star(1), tmp_path / place)
    assert list(tree(tmp_path)) == [Path("file")]


def test_folder_in_the_place_of_a_file_is_never_replaced(tmp_path):
    (tmp_path / "model.toml").mkdir()
    with refused(OutputError, "model.toml", "there already"):
        write_model(star(1), tmp_path, overwrite=True)


@pytest.mark.parametrize("failing", range(1, 8))
def test_move_that_fails_half_way_is_undone(tmp_path, monkeypatch, failing):
    """New files are put in place one by one, with copies of the old ones set aside; every one of these moves may fail."""
    write_model(star(2), tmp_path)
    before, moves, rename = tree(tmp_path), [], Path.rename

    def breaking(self, target):
        moves.append(target)
        if len(moves) == failing:
            raise OSError(errno.ENOSPC, "disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", breaking)
    if failing <= 6:  # the copies together, 5 files to put in place
        with refused(OutputError, str(tmp_path), "disk full"):
            write_model(star(3), tmp_path, overwrite=True)
        assert tree(tmp_path) == before
    else:
        write_model(star(3), tmp_path, overwrite=True)
        assert_same(tmp_path, star(3))


def test_full_disk_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr("os.fsync", full)
    with refused(OutputError, "disk full"):
        write_model(star(2), tmp_path / "m")
    assert tree(tmp_path) == {}


@pytest.mark.slow
@settings(REPRODUCIBLE, max_examples=repetitions(100))
@given(data=st.data())
def test_mutated_written_model_is_a_combination_or_a_refusal(written, tmp_path_factory, data):
    files = {p.name: p.read_text(encoding="utf-8") for p in written.iterdir()}
    for _ in range(data.draw(st.sampled_from([1, 1, 1, 2]))):
        name = data.draw(st.sampled_from(sorted(files)))
        files[name] = data.draw(st.sampled_from(MUTATIONS))(data.draw, files[name])
    folder = tmp_path_factory.mktemp("mutated")
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    before = tree(folder)
    refusal = None
    try:
        combination_to_json(bc.load(folder))  # which no NaN or infinity survives
    except bc.BayescombError as error:
        refusal = str(error)
    assert refusal is None or str(folder) in refusal
    assert tree(folder) == before


LOSSES = [(name, i) for name, text in FILES.items() if name.endswith(".csv") for i in range(len(text.splitlines()))]


@pytest.mark.parametrize(("name", "i"), LOSSES)
def test_lost_row_of_a_table_is_noticed(tmp_path, name, i):
    folder = editor(tmp_path)()
    lines = FILES[name].splitlines()
    (folder / name).write_text("\n".join(lines[:i] + lines[i + 1 :]) + "\n")
    if name == "b_nuisances.csv" or lines[i].startswith("#"):  # optional: says what is not as it is by default
        return
    with pytest.raises(bc.BayescombError) as caught:
        bc.load(folder)
    assert str(folder) in str(caught.value)

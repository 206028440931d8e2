"""``kill -9`` in the middle of writing: the old result is whole, and a later run removes what is left over."""

import os
import signal
from pathlib import Path

import pytest
from combinations import star
from faults import RUN1, Run, killed_at, processes, sampled, tree

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, WorkerError
from bayescomb.base.files.writing import write_json
from bayescomb.formats.convino.writer import write_convino
from bayescomb.formats.loading import convert
from bayescomb.formats.shipped import copy_model
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.inputs.serialise import difference
from bayescomb.output.figures import style as figure_files
from bayescomb.output.figures.studies import save_set_figures
from bayescomb.output.report import report as reporting
from bayescomb.studies.executors import local_processes
from bayescomb.studies.simulated.calibration import study_summary
from bayescomb.studies.simulated.toys import Toys

pytestmark = processes


@pytest.fixture
def killed(tmp_path):
    """Run a function in a process that is killed at the n-th call of another."""

    def run(owner, name, number, function, *arguments):
        assert Run(tmp_path / "log", killed_at, owner, name, number, function, *arguments).code() == -signal.SIGKILL

    return run


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def visible(folder):
    """What a user sees."""
    return {name: content for name, content in tree(folder).items() if not name.startswith(".") and "/." not in name}


def left_over(folder):
    return list(folder.rglob(".*.part"))


def save(path, seed):
    bc.save_posterior(sampled(seed), path)


@pytest.mark.slow
def test_posterior_and_json(killed, place):
    """Dead when the new file is whole but not in its place, and when it is half written."""
    save(place / "p.nc", 1)
    write_json({"old": 1}, place / "x.json")
    before = tree(place)
    killed("os", "fsync", 1, save, place / "p.nc", 2)
    killed("os", "fsync", 1, write_json, {"new": 1}, place / "x.json")
    assert visible(place) == before
    assert len(left_over(place)) == 2
    assert bc.load_posterior(place / "p.nc").attrs["seed"] == 1
    save(place / "p.nc", 2)
    write_json({"new": 1}, place / "x.json")
    assert bc.load_posterior(place / "p.nc").attrs["seed"] == 2
    assert sorted(tree(place)) == ["p.nc", "x.json"]
    assert left_over(place) == []


def test_files_of_a_living_process_are_not_taken_for_left_over_ones(place):
    from bayescomb.base.files.writing import written_beside

    with written_beside(place / "x.json") as first:
        first.write_text("first")
        write_json("second", place / "x.json")
        assert first.read_text() == "first"
    assert (place / "x.json").read_text() == "first"
    assert left_over(place) == []


def small_report(folder):
    reporting.report_figures = lambda _results: iter(())
    reporting.report(None, bc.profile(star(1, separate_observables=False)), folder)


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "name", "number"), [(reporting.__name__, "write_table", 3), ("shutil", "rmtree", 1)])
def test_report(killed, place, monkeypatch, owner, name, number):
    """Dead among the tables, and when the new one is in its place but the old one not yet removed."""
    monkeypatch.setattr(reporting, "report_figures", reporting.report_figures)
    small_report(place / "report")
    (place / "report" / "figures" / "old.png").write_bytes(b"of the old report")
    before = visible(place)
    killed(owner, name, number, small_report, place / "report")
    assert left_over(place)
    found = visible(place)
    assert found == before or found.keys() == before.keys() - {"report/figures/old.png"}
    assert ("report/figures/old.png" in found) == (name == "write_table")
    small_report(place / "report")
    assert tree(place).keys() == before.keys() - {"report/figures/old.png"}


@pytest.mark.slow
def test_figures(killed, place):
    sets = bc.compare_sets(star(2))
    save_set_figures(sets, place)
    before = tree(place)
    killed("os", "fsync", 1, save_set_figures, sets, place)
    killed(figure_files.__name__, "figure_bytes", 2, save_set_figures, sets, place)
    assert visible(place) == before
    assert left_over(place)
    save_set_figures(sets, place)
    assert tree(place).keys() == before.keys()


@pytest.mark.slow
def test_copy_of_a_model(killed, place):
    killed("shutil", "copystat", 5, copy_model, "run1_mass", place / "mine")
    assert visible(place) == {}
    copy_model("run1_mass", place / "mine")
    assert left_over(place) == []
    assert bc.load(place / "mine").name == "run1_mass"


def write(form, combination, place):
    if form == "toml":
        return write_model(combination, place, overwrite=True)
    return write_convino(combination, place, name="base")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["toml", "txt"])
def test_model_is_never_a_mixture_of_old_and_new_files(killed, place, form):
    """Files are replaced one by one: 1 moves the copies, the next ones the new files."""
    old, new = star(2), star(2, nuisance_size=7.0)
    main_file = write(form, old, place)
    before = visible(place)
    for number in (1, 3):
        killed(Path, "rename", number, write, form, new, place)
        if number == 1:
            assert visible(place) == before
            assert not difference(bc.load(main_file), bc.load(write(form, old, place)))
            continue
        assert visible(place) != before
        with pytest.raises(FileFormatError, match=r"was not finished.*--overwrite.*move the old ones back from"):
            bc.load(main_file)
        aside = next(p for p in place.rglob("aside"))
        assert {name: (aside / name).read_bytes() for name in before} == before  # nothing is lost
    write(form, new, place)
    assert bc.load(main_file).measurements[0].responses.item() == 7.0
    assert left_over(place) == []


def test_conversion_into_a_new_place(killed, place):
    killed("os", "fsync", 2, convert, RUN1, place / "model")
    assert visible(place) == {}
    assert bc.load(convert(RUN1, place / "model")).name == "run1_mass"
    assert left_over(place) == []


@pytest.mark.slow
def test_worker_that_is_killed_is_an_error_of_ours():
    with (
        pytest.raises(WorkerError, match=r"died .*what is finished is kept, the same command goes on"),
        local_processes(1) as pool,
    ):
        pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()


def study(folder, toys):
    bc.coverage(star(1), folder, toys=toys, seed=1, posterior=False)


def test_study(killed, place):
    """Dead with some toys made and half a line written; the lock that is left locks nobody out."""
    whole = bc.coverage(star(1), place / "whole", toys=9, seed=1, posterior=False)
    folder = place / "part"
    killed(Toys, "analyse", 6, study, folder, 9)
    assert study_summary(folder).attrs["toys"] == 5
    assert (folder / ".lock").exists()
    with (folder / "toys.jsonl").open("rb+") as stream:
        stream.truncate(os.fstat(stream.fileno()).st_size - 40)
    assert study_summary(folder).attrs["toys"] == 4
    study(folder, 9)
    assert study_summary(folder).identical(whole)
    assert sorted(p.name for p in folder.iterdir()) == ["study.json", "toys.jsonl"]

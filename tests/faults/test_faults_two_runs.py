"""Two processes that write to the same place: the result is one of theirs as a whole, or the second is refused."""

import json
import os

import pytest
from combinations import star
from faults import PATIENCE, Run, assert_said, command, context, processes, sampled, tree, wait_until

import bayescomb as bc
from bayescomb.base.errors import OutputError
from bayescomb.base.files.working_folders import locked
from bayescomb.formats.loading import convert
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.output.report import report as reporting
from bayescomb.sampling.posterior.storage import save_posterior
from bayescomb.studies.simulated.calibration import study_summary

pytestmark = processes


def together(barrier, function, *arguments):
    barrier.wait(PATIENCE)
    return function(*arguments)


def both(tmp_path, function, *both_arguments):
    """The same function in two processes that start it at the same moment."""
    with context().Manager() as manager:
        barrier = manager.Barrier(2)
        runs = [
            Run(tmp_path / f"log{i}", together, barrier, function, *arguments) for i, arguments in enumerate(both_arguments)
        ]
        return [(run.code(), run) for run in runs]


def save_often(path, seed):
    posterior = sampled(seed)
    for _ in range(5):
        save_posterior(posterior, path)


@pytest.mark.slow
def test_posterior_is_that_of_one_of_them(tmp_path):
    path = tmp_path / "here" / "p.nc"
    path.parent.mkdir()
    for code, run in both(tmp_path, save_often, (path, 1), (path, 2)):
        assert code == 0, run.err
    found = bc.load_posterior(path)
    assert found.attrs["seed"] in (1, 2)
    assert (found["posterior"]["x0"] == sampled(found.attrs["seed"])["posterior"]["x0"]).all()
    assert list(path.parent.iterdir()) == [path]


def report_often(folder, n):
    reporting.report_figures = lambda _results: iter(())
    fit = bc.profile(star(n, separate_observables=False))
    for _ in range(4):
        reporting.report(None, fit, folder)


@pytest.mark.slow
def test_report_is_that_of_one_of_them(tmp_path):
    folder = tmp_path / "here" / "report"
    folder.parent.mkdir()
    for code, run in both(tmp_path, report_often, (folder, 1), (folder, 2)):
        assert code == 0, run.err
    scans = {path.name: path.read_text() for path in (folder / "tables").iterdir()}
    rows = len(json.loads(scans["result_scan.json"])["scan"])
    assert rows in (1, 2)
    alone = tmp_path / "alone"
    before = reporting.report_figures
    try:
        report_often(alone, rows)
    finally:
        reporting.report_figures = before
    assert tree(folder) == tree(alone)
    assert list(folder.parent.iterdir()) == [folder]


def convert_often(source, target):
    for _ in range(10):
        convert(source, target, overwrite=True)


@pytest.mark.slow
def test_model_is_that_of_one_of_them(tmp_path):
    sources = [write_model(star(3, nuisance_size=size), tmp_path / f"s{size}") for size in (1.0, 7.0)]
    target = tmp_path / "target"
    target.mkdir()
    for code, run in both(tmp_path, convert_often, *((source, target) for source in sources)):
        assert code == 0, run.err
    assert tree(target) in [tree(source.parent) for source in sources]


@pytest.mark.slow
def test_second_study_in_a_folder_is_refused_and_each_toy_is_there_once(tmp_path, capsys):
    model, folder = write_model(star(1), tmp_path / "m"), tmp_path / "study"
    words = ["coverage", model, "--profile-only", "--seed", "1", "--output", folder]
    first = Run(tmp_path / "log", command, *words, "--toys", "3000")
    first.wait_until(lambda: (folder / "toys.jsonl").exists())
    assert command(*words, "--toys", "20") == 2
    said = capsys.readouterr().err
    assert f"{folder}: the study is being written by another process ({first.process.pid} on " in said
    assert "wait for it, or name another place" in said
    assert first.process.is_alive()
    assert first.code() == 0, first.err
    toys = [json.loads(line)["toy"] for line in (folder / "toys.jsonl").read_text().splitlines()]
    assert sorted(toys) == list(range(3000))
    assert command(*words, "--toys", "3000") == 0  # its turn
    assert study_summary(folder).attrs["toys"] == 3000


def test_lock_is_for_one_and_is_free_again(tmp_path):
    path = tmp_path / ".lock"
    with locked(path, what="the study"):
        with pytest.raises(OutputError, match=rf"the study is being written by another process \({os.getpid()} on"):
            locked(path, what="the study").__enter__()
        assert path.exists()
    assert not path.exists()
    path.write_text("of a process that was killed")
    with locked(path, what="the study"):
        assert path.read_text().startswith(f"{os.getpid()} on ")


def hold(path):
    with locked(path, what="the study"):
        path.with_name("held").touch()
        while not path.with_name("go").exists():
            pass
    return 0


@pytest.mark.slow
def test_waiting_for_a_lock(tmp_path):
    run = Run(tmp_path / "log", hold, tmp_path / ".lock")
    run.wait_until((tmp_path / "held").exists)
    waiting = Run(tmp_path / "log2", wait_for_lock, tmp_path / ".lock")
    wait_until((tmp_path / "waits").exists)
    (tmp_path / "go").touch()
    assert run.code() == waiting.code() == 0
    assert_said(waiting)


def wait_for_lock(path):
    path.with_name("waits").touch()
    with locked(path, what="the model", wait=True):
        assert path.with_name("go").exists()
    return 0

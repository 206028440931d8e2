"""Ctrl-C in the middle of every long command: code 130, what is finished is kept as documented, no trace, no orphans."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from combinations import star
from faults import PATIENCE, RUN1, Run, assert_said, command, interrupted_at, processes, sampled, tree, wait_until

import bayescomb as bc
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.scan import _Scanner
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.output.figures import style as figure_files
from bayescomb.output.report import report as reporting
from bayescomb.output.report import results as report_results
from bayescomb.studies import assumption_sets as set_comparison
from bayescomb.studies import comparison
from bayescomb.studies.simulated.calibration import study_summary
from bayescomb.studies.theory import variants as theory_variants

pytestmark = processes

INTERRUPTED = 130


@pytest.fixture
def interrupted(tmp_path):
    """Run a command in a process that gets Ctrl-C at the n-th call of a function."""

    def run(owner, name, number, *words):
        found = Run(tmp_path / "log", interrupted_at, owner, name, number, *words)
        assert found.code() == INTERRUPTED, found.err
        return found

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(star(2), tmp_path_factory.mktemp("model") / "m")


@pytest.fixture(scope="module")
def posterior(tmp_path_factory):
    return bc.save_posterior(sampled(), tmp_path_factory.mktemp("posterior") / "p.nc")


@pytest.mark.slow
def test_scan_keeps_finished_coefficients(interrupted, tmp_path):
    json_file = tmp_path / "scan.json"
    run = interrupted(_Scanner, "row", 4, "scan", RUN1, "--json", json_file)
    assert_said(run, "interrupted: the first 3 coefficients of the scan are finished and kept; run it again for all")
    rows = json.loads(json_file.read_text())["scan"]
    assert [row["name"] for row in rows] == [row.name for row in bc.scan(bc.load(RUN1)).rows[:3]]
    assert str(json_file) in run.out


@pytest.mark.slow
def test_sets_keep_finished_sets(interrupted, tmp_path):
    json_file, folder = tmp_path / "sets.json", tmp_path / "figures"
    words = ("sets", RUN1, "--json", json_file, "--output", folder)
    run = interrupted(set_comparison.__name__, "profile", 2, *words)
    assert_said(run, "interrupted: the first 1 assumption sets are finished and kept; run it again for all")
    assert len(json.loads(json_file.read_text())["sets"]) == 1
    assert list(folder.glob("*.pdf"))


NOTHING = [
    (_Scanner, "row", 1, "scan"),
    (set_comparison.__name__, "profile", 1, "sets"),
    (Fitter, "fit", 1, "profile"),
    (Fitter, "fit", 1, "impacts"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "name", "number", "word"), NOTHING)
def test_command_of_which_nothing_is_finished_writes_nothing(interrupted, model, tmp_path, owner, name, number, word):
    json_file = tmp_path / "x.json"
    json_file.write_text("old")
    run = interrupted(owner, name, number, word, model, "--json", json_file)
    assert_said(run, "bayescomb: interrupted; files named above are complete, nothing else was written")
    assert run.out == ""
    assert json_file.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "x.json"]


@pytest.mark.slow
def test_other_predictions_of_which_one_is_finished_write_nothing(interrupted, tmp_path):
    json_file = tmp_path / "theory.json"
    run = interrupted(theory_variants.__name__, "profile", 2, "theory", RUN1.parent / "ttj_rho", "--json", json_file)
    assert_said(run, "bayescomb: interrupted; files named above are complete, nothing else was written")
    assert not json_file.exists()
    assert not run.out


@pytest.mark.slow
def test_compare_and_report_are_whole_or_not_at_all(interrupted, model, posterior, tmp_path):
    folder = tmp_path / "report"
    for sub, owner, name, number, words in (
        ("a", comparison.__name__, "result_summary", 1, ("compare", model, posterior, "--json", tmp_path / "c.json")),
        ("b", figure_files.__name__, "figure_bytes", 1, ("sets", model, "--output", tmp_path / "sets")),
        ("c", reporting.__name__, "figure_bytes", 4, ("report", model, "--output", folder)),
        ("d", report_results.__name__, "scan", 1, ("report", model, "--output", folder)),
        ("e", _Scanner, "row", 2, ("report", model, "--output", folder)),
    ):
        if not folder.exists() and sub == "c":
            (folder / "tables").mkdir(parents=True)
            (folder / "tables" / "old.csv").write_text("old")
            (folder / "report.html").write_text("old")
            before = tree(folder)
        run = interrupted(owner, name, number, *words)
        assert_said(run, "interrupted; files named above are complete, nothing else was written")
        assert not list(tmp_path.glob(".*")), sub
    assert tree(folder) == before
    assert not (tmp_path / "c.json").exists()
    assert not list((tmp_path / "sets").iterdir())


def interrupted_in_a_later_chain(*words):
    """Ctrl-C when more than one and a half chains are drawn; they are sampled one after the other."""
    from bayescomb.sampling.nuts import run as nuts

    steps = 150
    make, calls = nuts.from_pyfunc, []

    def from_pyfunc(size, density, make_expand, *arguments, **named):
        def counting(*inner):
            expand = make_expand(*inner)

            def counted(*values, **options):
                calls.append(1)
                if len(calls) == steps * 3 // 2:
                    os.kill(os.getpid(), signal.SIGINT)
                return expand(*values, **options)

            return counted

        return make(size, density, counting, *arguments, **named)

    nuts.from_pyfunc = from_pyfunc
    return command(*words, "--draws", 100, "--tune", 50)


@pytest.mark.slow
def test_sampling_keeps_finished_chains(model, tmp_path):
    path = tmp_path / "p.nc"
    words = ("sample", model, "--output", path, "--seed", 1, "--chains", 50, "--backend", "vm")
    run = Run(tmp_path / "log", interrupted_in_a_later_chain, *words)
    assert run.code() == INTERRUPTED, run.err
    found = bc.load_posterior(path)
    chains = found["posterior"].sizes["chain"]
    assert 1 <= chains < 50
    assert found["posterior"].sizes["draw"] == 100
    assert_said(run, f"interrupted: {chains} of 50 chains are finished and kept; sample again for all of them")
    assert str(path) in run.out


@pytest.mark.slow
def test_sampling_of_which_no_chain_is_finished_leaves_the_old_file(model, tmp_path, posterior):
    path = tmp_path / "p.nc"
    path.write_bytes(posterior.read_bytes())
    words = ("--verbose", "sample", model, "--output", path, "--seed", 1, "--draws", 10_000_000)
    run = Run(tmp_path / "log", command, *words)
    run.wait_until(lambda: "compiled in" in run.err)  # the next thing is sampling, for an hour
    os.kill(run.process.pid, signal.SIGINT)
    assert run.code() == INTERRUPTED, run.err
    assert_said(run, "interrupted; files named above are complete, nothing else was written")
    assert path.read_bytes() == posterior.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "p.nc"]


def children(pid):
    """Processes whose parent is this one, from /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # ended meanwhile
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_study_on_processes_ends_with_its_workers_and_goes_on(model, tmp_path):
    """Ctrl-C of a terminal goes to the whole group; ``kill -9`` to the parent alone."""
    folder = tmp_path / "study"
    code = (
        "import signal, sys; from bayescomb.cli.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main(sys.argv[1:]))"
    )
    words = ["coverage", str(model), "--toys", "5000", "--draws", "100", "--seed", "1", "--output", str(folder)]

    def started(workers):
        return subprocess.Popen(
            [sys.executable, "-c", code, *words, "--workers", str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    first = started(2)
    wait_until(lambda: folder.exists() and study_has_toys(folder), alive=lambda: first.poll() is None)
    workers = children(first.pid)
    assert len(workers) == 3  # with the tracker of resources
    os.killpg(first.pid, signal.SIGINT)
    out, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == INTERRUPTED, err
    assert err == f"bayescomb: interrupted; finished data sets are in {folder}, the same command goes on\n"
    assert out == ""
    wait_until(lambda: not any(map(alive, workers)))
    kept = study_summary(folder).attrs["toys"]
    assert kept >= 1
    assert sorted(p.name for p in folder.iterdir()) == ["study.json", "toys.jsonl"]

    second = started(1)
    wait_until(lambda: len(children(second.pid)) >= 2, alive=lambda: second.poll() is None)  # with the tracker of resources
    workers = children(second.pid)
    second.kill()
    second.communicate(timeout=PATIENCE)
    wait_until(lambda: not any(map(alive, workers)))
    assert study_summary(folder).attrs["toys"] >= kept


def study_has_toys(folder):
    path = folder / "toys.jsonl"
    return path.exists() and path.read_text().count("\n") > 2

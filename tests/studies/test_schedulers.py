"""Studies on a cluster: a real Dask scheduler with two workers, one of which is killed in the middle."""

import concurrent.futures
import contextlib
import json
import socket
import subprocess
import sys
import time

import pytest
from combinations import star

import bayescomb as bc
from bayescomb.base.errors import OptionError, WorkerError
from bayescomb.cli.main import main
from bayescomb.studies.executors import dask_executor, executor_of
from bayescomb.studies.study_folder import study_records

pytest.importorskip("distributed", reason="Dask distributed is not installed (bayescomb[dask])")

STARTUP_SECONDS = 120
SETTINGS = {"seed": 3, "draws": 60, "tune": 60, "chains": 1, "nuisances": 2}


class Cluster:
    """A scheduler and workers, each a process of its own, on this machine."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        file = folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        deadline = time.monotonic() + STARTUP_SECONDS
        while not (file.is_file() and file.read_text(encoding="utf-8").strip().endswith("}")):
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.1)
        self.address = json.loads(file.read_text(encoding="utf-8"))["address"]
        self.workers = [self.start_worker() for _ in range(2)]

    def start_worker(self):
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder))
        return self._start("dask_worker", self.address, *options)

    def _start(self, program, *options):
        command = [sys.executable, "-m", f"distributed.cli.{program}", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), stack)


@pytest.fixture(scope="module")
def combination():
    return star(2, low=-0.3, high=0.6, nominal=0.3, separate_observables=False)


@pytest.fixture(scope="module")
def alone(combination, tmp_path_factory):
    """The same study in this process."""
    folder = tmp_path_factory.mktemp("alone")
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        bc.coverage(combination, folder, toys=12, executor=executor, progress=False, **SETTINGS)
    return records(folder)


def records(folder):
    """Lines of the file as they are, so that a data set that is there twice is seen."""
    lines = [json.loads(line) for line in (folder / "toys.jsonl").read_text(encoding="utf-8").splitlines() if line]
    return sorted(lines, key=lambda record: record["toy"])


class Killing(concurrent.futures.Executor):
    """An executor that kills a process when some results are in."""

    def __init__(self, executor, process, after):
        self.executor, self.process, self.left = executor, process, after

    def submit(self, function, /, *arguments, **named):
        future = self.executor.submit(function, *arguments, **named)
        future.add_done_callback(self._count)
        return future

    def _count(self, future):
        del future
        self.left -= 1
        if self.left == 0:
            self.process.kill()


@pytest.mark.slow
def test_killed_worker_costs_no_data_set_and_doubles_none(cluster, combination, alone, tmp_path):
    with dask_executor(cluster.address) as executor:
        killing = Killing(executor, cluster.workers[0], after=4)
        bc.coverage(combination, tmp_path, toys=12, executor=killing, progress=False, **SETTINGS)
    assert cluster.workers[0].wait() != 0
    assert [record["toy"] for record in records(tmp_path)] == list(range(12))
    assert records(tmp_path) == alone  # to the last bit, wherever they were made
    cluster.workers[0] = cluster.start_worker()


@pytest.mark.slow
def test_local_processes_and_a_continued_study_make_the_same(combination, alone, tmp_path):
    bc.coverage(combination, tmp_path, toys=5, progress=False, **SETTINGS)
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        bc.coverage(combination, tmp_path, toys=12, executor=executor, progress=False, **SETTINGS)
    assert records(tmp_path) == alone


@pytest.mark.slow
def test_command_lines_on_a_scheduler(cluster, run1_path, tmp_path, capsys):
    command = ["coverage", str(run1_path), "--toys", "30", "--correlations", "nominal", "--profile-only"]
    assert main([*command, "--output", str(tmp_path / "there"), "--scheduler", cluster.address]) == 0
    assert main([*command, "--output", str(tmp_path / "here")]) == 0
    assert records(tmp_path / "there") == records(tmp_path / "here")
    sets = ["sets", str(run1_path), "--draws", "40", "--seed", "2", "--output", str(tmp_path / "sets")]
    assert main([*sets, "--scheduler", cluster.address, "--json", str(tmp_path / "first.json")]) == 0
    finished = study_records(tmp_path / "sets", "sets.jsonl", "assumptions", str)
    names = list(bc.load(run1_path).assumption_sets)
    assert sorted(record["assumptions"] for record in finished) == sorted(names)
    # An interrupted study: the last set is missing, and is all that is sampled again.
    lines = (tmp_path / "sets" / "sets.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "sets" / "sets.jsonl").write_text("\n".join(lines[:-1]) + '\n{"assump', encoding="utf-8")
    assert main([*sets, "--json", str(tmp_path / "again.json")]) == 0
    capsys.readouterr()
    assert study_records(tmp_path / "sets", "sets.jsonl", "assumptions", str) == finished
    first, again = (json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8")) for name in ("first", "again"))
    assert first == again
    assert main(["sets", str(run1_path), "--draws", "50", "--output", str(tmp_path / "sets")]) == 2
    assert "holds another study (draws = 40" in capsys.readouterr().err


def test_sets_in_a_folder_are_those_in_one_go(combination, tmp_path):
    straight = bc.compare_sets(combination, draws=50, tune=50, chains=1, seed=4).table()
    kept = bc.compare_sets(combination, draws=50, tune=50, chains=1, seed=4, directory=tmp_path).table()
    again = bc.compare_sets(combination, draws=50, tune=50, chains=1, directory=tmp_path).table()  # the seed is the study's
    assert kept.equals(straight)
    assert again.equals(straight)


def test_no_scheduler_at_an_address_is_said(run1_path, tmp_path, capsys):
    with pytest.raises(WorkerError, match="no Dask scheduler answers"), dask_executor("tcp://127.0.0.1:9", timeout=0.5):
        pass
    with pytest.raises(WorkerError, match="no Dask scheduler answers"), dask_executor("no address at all", timeout=0.5):
        pass
    command = ["coverage", str(run1_path), "--toys", "3", "--output", str(tmp_path), "--scheduler", "ftp://127.0.0.1:9"]
    assert main(command) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err


@pytest.mark.slow
def test_something_else_at_an_address_is_said_within_the_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WorkerError, match="no Dask scheduler answers"), dask_executor(address, timeout=1.0):
            pass


@pytest.mark.slow
def test_threads_of_one_process_make_the_same_data_sets(combination, tmp_path):
    for name, threads in (("one", 1), ("four", 4)):
        with concurrent.futures.ThreadPoolExecutor(threads) as executor:
            bc.coverage(combination, tmp_path / name, toys=8, executor=executor, progress=False, **SETTINGS)
    assert records(tmp_path / "one") == records(tmp_path / "four")


def test_missing_dask_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(OptionError, match=r"install bayescomb\[dask\]"), executor_of(scheduler="tcp://127.0.0.1:9"):
        pass

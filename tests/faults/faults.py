"""Real processes to which faults happen: killed, interrupted, out of room; they fork from a server that has imported all."""

import contextlib
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import pytest

RUN1 = Path(__file__).parents[2] / "models" / "run1_mass"
MODULES = [
    "bayescomb.cli.main",
    "bayescomb.formats.loading",
    "bayescomb.output.figures.studies",
    "bayescomb.sampling.sample",
    "bayescomb.output.report.report",
    "bayescomb.formats.shipped",
    "bayescomb.sampling.posterior.storage",
    "combinations",
    "faults",
    "report_pages",
]
PATIENCE = 120.0  # seconds; only a test that fails waits as long

processes = pytest.mark.skipif(sys.platform != "linux", reason="signals, /proc and limits of file sizes as Linux has them")


def tree(folder):
    """Every file below a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def wait_until(happened, *, alive=lambda: True):
    """Wait for something that can be observed; not longer than the process that is to do it lives."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if happened():
            return
        if not alive():
            break
        time.sleep(0.01)
    assert happened()


@contextlib.contextmanager
def file_size_limit(size):
    """No file may become larger: writing fails in the middle, as it does on a full disk, and no right to mount is needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # Python ignores SIGXFSZ, so that write() returns EFBIG
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def context():
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(MODULES)
    return found


class Run:
    """A function in a process of its own, its output in files."""

    def __init__(self, log, function, *arguments):
        self.log = Path(log)
        self.log.mkdir(parents=True, exist_ok=True)
        self.process = context().Process(target=_run, args=(str(self.log), function, arguments), daemon=True)
        self.process.start()

    def code(self):
        """Exit code, once it has ended."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "the process does not end"
        return self.process.exitcode

    @property
    def out(self):
        return (self.log / "out").read_text()

    @property
    def err(self):
        path = self.log / "err"
        return path.read_text() if path.exists() else ""

    def wait_until(self, happened):
        wait_until(happened, alive=self.process.is_alive)


def _run(log, function, arguments):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs things in the background ignores it
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(log) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # the server's own may be closed
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    code = 1
    try:
        code = function(*arguments) or 0
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def command(*words):
    """The command line in a process of its own."""
    from bayescomb.cli.main import main

    return main([str(word) for word in words])


def at_call(owner, name, number, *, send):
    """The process sends itself a signal when a function is called for the n-th time: in the middle, whatever the machine.

    The owner is a class, or the name of a module, as no module itself can be sent to a process.
    """
    owner = importlib.import_module(owner) if isinstance(owner, str) else owner
    original = getattr(owner, name)
    calls = []

    def counted(*arguments, **named):
        calls.append(1)
        if len(calls) == number:
            os.kill(os.getpid(), send)
        return original(*arguments, **named)

    setattr(owner, name, counted)


def killed_at(owner, name, number, function, *arguments):
    """Run a function in a process that dies, as by ``kill -9``, at the n-th call of another."""
    at_call(owner, name, number, send=signal.SIGKILL)
    function(*arguments)


def interrupted_at(owner, name, number, *words):
    """A command in a process that gets Ctrl-C at the n-th call of a function."""
    at_call(owner, name, number, send=signal.SIGINT)
    return command(*words)


def assert_said(run, *words):
    """One clear message, no trace."""
    assert "Traceback" not in run.err, run.err
    for word in words:
        assert word in run.err, run.err


def sampled(seed=1):
    """A small posterior, without a sampler."""
    from combinations import star
    from report_pages import tree as posterior_tree

    return posterior_tree(star(2), seed=seed, draws=100, chains=2)

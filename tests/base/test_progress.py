"""Progress is shown where somebody looks, and Ctrl-C keeps what is finished."""

import io
import sys
import time
from types import SimpleNamespace

import numpy as np
import nutpie  # noqa: F401  # its module is patched
import pytest
from combinations import star

import bayescomb as bc
from bayescomb import compare_sets  # noqa: F401  # loads the module that is patched
from bayescomb.base.progress import announced, chain_bars, finished_parts, no_progress, shows_progress, tracked
from bayescomb.cli.main import main


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_quiet_unless_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert not shows_progress()
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert shows_progress()
    assert not shows_progress(False)
    assert list(tracked(range(3), "counting")) == [0, 1, 2]
    assert "counting" in terminal.getvalue()
    bc.scan(star(2), progress=False)
    out, _ = capsys.readouterr()
    assert not out  # results alone go to standard output


class Handle:
    """What IPython gives for an output, and what it was told."""

    def __init__(self):
        self.lines = []

    def display(self, data, **options):
        assert options == {"raw": True, "display_id": True}
        self.lines.append(data["text/plain"])
        return self

    def update(self, data, *, raw):
        assert raw
        self.lines.append(data["text/plain"])


def test_a_notebook_has_one_line_that_is_empty_at_the_end(monkeypatch):
    handle = Handle()
    shell = type("ZMQInteractiveShell", (), {})()
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=handle.display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr("bayescomb.base.progress.EVERY", 0.0)
    assert shows_progress()
    assert list(tracked("ab", "counting")) == ["a", "b"]
    assert handle.lines == ["counting", "counting: 1 of 2", "counting: 2 of 2", ""]
    with no_progress():
        assert not shows_progress()
        assert list(tracked("ab", "counting")) == ["a", "b"]


def interrupted_after(count):
    yield from range(count)
    raise KeyboardInterrupt


def test_finished_parts_are_kept():
    assert finished_parts(interrupted_after(2), "parts") == ((0, 1), True)
    with pytest.raises(KeyboardInterrupt):
        finished_parts(interrupted_after(0), "parts")


def unfinished(monkeypatch, chains):
    """Ctrl-C in nutpie with the first chains finished."""
    sampler = sys.modules["nutpie.sample"]._BackgroundSampler  # nutpie.sample itself is the function
    wait = sampler.wait
    trees = []

    def stopped(self, **options):
        trees.append(wait(self, **options))
        raise KeyboardInterrupt

    def abort(_self):
        tree = trees[-1]
        tree["sample_stats"]["energy"][chains:, 5:] = np.nan
        return tree

    monkeypatch.setattr(sampler, "wait", stopped)
    monkeypatch.setattr(sampler, "abort", abort)


@pytest.mark.slow
def test_interrupted_sampling_keeps_whole_chains(monkeypatch, tmp_path):
    combination = star(2, separate_observables=False)
    whole = bc.sample(combination, seed=1, draws=300, tune=200)
    assert whole.attrs["interrupted"] == ""
    unfinished(monkeypatch, 2)
    part = bc.sample(combination, seed=1, draws=300, tune=200)
    assert part["posterior"].sizes["chain"] == 2
    assert part.attrs["interrupted"] == "2 of 4 chains"
    np.testing.assert_array_equal(part["posterior"]["x"], whole["posterior"]["x"][:2])
    assert bc.load_posterior(bc.save_posterior(part, tmp_path / "part.nc")).attrs["chains"] == 2


@pytest.mark.slow
def test_nothing_is_made_of_chains_that_are_not_finished(monkeypatch):
    unfinished(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        bc.sample(star(2, separate_observables=False), seed=1, draws=20, tune=50)


@pytest.mark.slow
def test_command_says_that_it_was_interrupted(monkeypatch, tmp_path, capsys):
    unfinished(monkeypatch, 3)
    output = tmp_path / "p.nc"
    command = ["sample", "models/run1_mass", "--draws", "100", "--tune", "100", "--seed", "1", "--output", str(output)]
    assert main(command) == 130
    assert "(interrupted: 3 of 4 chains)" in " ".join(capsys.readouterr().out.split())
    assert bc.load_posterior(output)["posterior"].sizes["chain"] == 3


def test_interrupted_scan_and_sets_keep_what_is_finished(monkeypatch, run1):
    scan, set_comparison = (sys.modules[f"bayescomb.{name}"] for name in ("fit.scan", "studies.assumption_sets"))
    row = scan._Scanner.row
    done = []

    def counted(self, members, points):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(members)
        return row(self, members, points)

    monkeypatch.setattr(scan._Scanner, "row", counted)
    found = bc.scan(run1)
    assert found.interrupted
    assert len(found.rows) == 3
    monkeypatch.undo()
    result = set_comparison._result
    made = []

    def stopped(*arguments):
        if made:
            raise KeyboardInterrupt
        made.append(arguments)
        return result(*arguments)

    monkeypatch.setattr(set_comparison, "_result", stopped)
    sets = bc.compare_sets(run1)
    assert sets.interrupted
    assert len(sets.sets) == 1


def test_in_a_pipe_a_line_comes_now_and_then_for_as_long_as_it_takes(capsys):
    with announced("counting", every=0.05):
        time.sleep(0.3)
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 6
    assert all(line.startswith("counting: ") for line in lines)


def test_short_work_in_a_pipe_says_nothing(capsys):
    with announced("counting"):
        pass
    assert capsys.readouterr().err == ""


def test_where_somebody_watches_a_line_comes_at_once(capsys):
    with announced("counting", progress=True):
        assert capsys.readouterr().err == "counting\n"
    with announced("counting", progress=False):
        pass
    assert capsys.readouterr().err == ""


def test_lines_end_with_the_work_when_it_fails(capsys):
    with pytest.raises(ZeroDivisionError), announced("counting", every=0.05):
        1 / 0  # noqa: B018  # it is to fail
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_bars_have_the_names_of_their_chains(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes a pipe for a terminal then
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    states = [SimpleNamespace(finished_draws=n, total_draws=10, divergences=n - 3) for n in (3, 4)]
    with chain_bars(2, shown=True) as update:
        update(states)
    with chain_bars(2, shown=False) as update:
        assert update is None
    shown = capsys.readouterr().err
    assert "chain 1" in shown
    assert "chain 2" in shown
    assert "1 divergences" in shown

"""Whatever happens to Convino files, it ends in a combination or in a bayescomb error that says where."""

import collections
import contextlib
import random
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from convino_files import FILES, Files, load_quietly
from convino_mutations import mutated, read_from
from repetitions import repetitions

import bayescomb as bc
from bayescomb.base.errors import BayescombError, InputWarning
from bayescomb.formats.convino import blocks as convino_blocks
from bayescomb.formats.convino.base_file import load_convino
from bayescomb.formats.convino.writer import write_convino

LINE = re.compile(r"^model/[^:\n]+:\d+: ")
# Faults that no line has: a file or a block that is not there, and what only all files together do wrong.
WITHOUT_LINE = re.compile(r"^model/base\.txt: (no such file|block \[[a-z ]+\] is missing|combination 'base')")


def outcome(files, monkeypatch):
    """The combination or the refusal; any other exception fails the test by itself, and so does another warning."""
    monkeypatch.setattr(convino_blocks, "read_text", read_from(files))
    try:
        return load_convino(Path("model/base.txt"))
    except BayescombError as error:
        return error


def assert_outcomes(seeds, monkeypatch):
    kinds = collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", InputWarning)
        for seed in seeds:
            found = outcome(mutated(seed), monkeypatch)
            kinds[type(found).__name__] += 1
            if isinstance(found, bc.Combination):
                assert np.isfinite([e.value for e in found.estimates]).all()
            else:
                said = str(found)
                assert LINE.match(said) or WITHOUT_LINE.match(said), f"{seed}: {said}"
                assert len(said) < 2000, seed
    return kinds


def test_unchanged_files_are_read_from_memory(tmp_path, monkeypatch):
    expected = Files(tmp_path).load()
    found = outcome(FILES, monkeypatch)
    assert bc.profile(found).values.equals(bc.profile(expected).values)


@pytest.mark.slow
def test_mutated_file_sets_end_in_a_combination_or_a_refusal(monkeypatch):
    n = repetitions(3000)
    kinds = assert_outcomes(range(n), monkeypatch)
    assert kinds["Combination"] > n / 10
    assert len(kinds) > 6


def test_reading_mutated_files_writes_nothing(tmp_path):
    for seed in range(repetitions(100)):
        folder = tmp_path / str(seed)
        files = Files(folder)
        files.texts = {name: text for name, text in mutated(seed).items() if text is not None}
        folder.mkdir()
        with contextlib.chdir(folder):
            files.write()
            before = {path: path.read_bytes() for path in folder.rglob("*")}
            with contextlib.suppress(BayescombError):
                load_quietly(folder / "base.txt")
            assert {path: path.read_bytes() for path in folder.rglob("*")} == before


@pytest.mark.slow
def test_what_is_read_of_mutated_files_can_be_fitted_or_not_but_nothing_else(monkeypatch):
    # A chi2 that is quadratic, as its fits take a thousandth of the time.
    quadratic = FILES | {"left.txt": FILES["left.txt"].replace("(+2-1)", "2").replace("relative", "absolute")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", InputWarning)
        for seed in range(repetitions(300)):
            found = outcome(mutated(seed, quadratic), monkeypatch)
            if not isinstance(found, bc.Combination):
                continue
            with contextlib.suppress(BayescombError):
                fit = bc.profile(found)
                assert np.isfinite([*fit.values.values, *fit.errors.values]).all(), seed


def test_what_is_read_of_mutated_files_can_be_written(tmp_path, monkeypatch):
    """A combination that came out of files goes into files, apart from names of files with blanks."""
    for seed in range(repetitions(300)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            found = outcome(mutated(seed), monkeypatch)
        if isinstance(found, bc.Combination):
            assert write_convino(found, tmp_path).name == "base.txt"


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_are_refused(tmp_path, seed):
    rng = random.Random(seed)
    (tmp_path / "base.txt").write_bytes(rng.randbytes(2000))
    with pytest.raises(BayescombError, match=r"base\.txt"):
        load_quietly(tmp_path / "base.txt")

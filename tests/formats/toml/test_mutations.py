"""Whatever happens to the text of a model, it ends in finite numbers or in a bayescomb error that says where."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import model_files, mutated_files
from repetitions import repetitions

import bayescomb as bc

FILES = model_files()
TABLES = sorted(name for name in FILES if name.endswith(".csv"))

# Fixed examples: two runs of the tests see the same mutations, and nothing is stored.
REPRODUCIBLE = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of the mutated model; its parent is the working directory, so that a stray file would be seen."""
    parent = tmp_path_factory.mktemp("mutated")
    (parent / "model").mkdir()
    with contextlib.chdir(parent):
        yield parent / "model"


def write(folder, files):
    for name, text in files.items():
        if text is None:
            (folder / name).unlink(missing_ok=True)
        else:
            # A lone surrogate becomes bytes that are not UTF-8.
            (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))


def snapshot(folder):
    return {
        path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file() and ".hypothesis" not in path.parts
    }


def outcome(function, argument):
    """What the function returns, or the message of its refusal; any other exception or warning fails the test by itself."""
    try:
        return function(argument), None
    except bc.BayescombError as error:
        return None, str(error)


@pytest.mark.slow
@settings(REPRODUCIBLE, max_examples=repetitions(200))
@given(files=mutated_files())
def test_mutated_model_gives_finite_numbers_or_a_refusal(folder, files):
    write(folder, files)
    before = snapshot(folder)
    combination, refusal = outcome(bc.load, folder)
    if refusal is None:
        fit, refusal = outcome(bc.profile, combination)
        if refusal is None:
            assert np.isfinite([*fit.values.values, *fit.errors.values, fit.chi2]).all()
        else:
            assert "combination" in refusal or "total covariance" in refusal, f"no element is named in {refusal!r}"
    else:
        assert str(folder) in refusal, f"no file is named in {refusal!r}"
    assert snapshot(folder) == before


def data_lines(name):
    return [i for i, line in enumerate(FILES[name].splitlines()) if not line.startswith("#")]


def edits_of_a_row():
    """Table, line and what is done to it."""
    return st.sampled_from(TABLES).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.sampled_from(data_lines(name)),
            st.sampled_from(["delete", "duplicate", "cut off before", "comment out", "delete cell", "duplicate cell"]),
        )
    )


@settings(REPRODUCIBLE, max_examples=repetitions(60))
@given(edit=edits_of_a_row())
def test_table_with_a_lost_or_doubled_row_or_cell_is_refused(folder, edit):
    name, i, how = edit
    lines = FILES[name].splitlines()
    line = lines[i]
    lines[i : i + 1] = {
        "delete": [],
        "duplicate": [line, line],
        "cut off before": [],
        "comment out": ["#" + line],
        "delete cell": [line.partition(",")[2]],
        "duplicate cell": [line.partition(",")[0] + "," + line],
    }[how]
    lines = lines[:i] if how == "cut off before" else lines
    write(folder, FILES | {name: "\n".join(lines) + "\n"})
    with pytest.raises(bc.BayescombError) as caught:
        bc.load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.slow
@settings(REPRODUCIBLE, max_examples=repetitions(20))
@given(name=st.sampled_from(TABLES), order=st.randoms(use_true_random=False))
def test_order_of_the_rows_changes_nothing(folder, run1, name, order):
    lines = FILES[name].splitlines()
    start = data_lines(name)[0] + 1
    rows = lines[start:]
    order.shuffle(rows)
    write(folder, FILES | {name: "\n".join(lines[:start] + rows) + "\n"})
    shuffled, original = bc.profile(bc.load(folder)), bc.profile(run1)
    np.testing.assert_allclose(shuffled.values, original.values, rtol=1e-12)
    np.testing.assert_allclose(shuffled.errors, original.errors, rtol=1e-10)
    np.testing.assert_allclose(shuffled.chi2, original.chi2, rtol=1e-9)

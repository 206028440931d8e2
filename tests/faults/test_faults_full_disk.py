"""A disk that becomes full: what was there stays to the last byte, nothing is left beside it, the message says why."""

import itertools
import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from combinations import star
from faults import RUN1, file_size_limit, processes, sampled, tree

import bayescomb as bc
from bayescomb.base.errors import OutputError
from bayescomb.base.files.writing import write_json
from bayescomb.cli.main import main
from bayescomb.formats.convino.writer import write_convino
from bayescomb.formats.loading import convert
from bayescomb.formats.shipped import copy_model
from bayescomb.formats.toml.model_writer import write_model
from bayescomb.output.figures.studies import save_calibration_figures, save_set_figures
from bayescomb.output.report import report as reporting
from bayescomb.studies.simulated.calibration import study_summary

pytestmark = processes


@pytest.fixture(scope="module")
def posterior():
    return sampled()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    bc.coverage(star(1), folder, toys=3, seed=1, posterior=False)
    found = study_summary(folder)
    found["rank"][:] = 0.5  # as if it had been sampled
    return found


@pytest.fixture(scope="module")
def sets():
    return bc.compare_sets(star(2))


@pytest.fixture(scope="module")
def fit():
    return bc.profile(star(1, separate_observables=False))


@pytest.fixture(autouse=True)
def one_figure(monkeypatch):
    """Of the report, all of whose figures are written in one loop."""
    figures = reporting.report_figures
    monkeypatch.setattr(reporting, "report_figures", lambda results: itertools.islice(figures(results), 1))


@pytest.fixture
def writers(posterior, study, sets, fit):
    """Every writer, with the place it writes to."""
    return {
        "json": lambda place: write_json({"x": list(range(10_000))}, place / "x.json"),
        "posterior": lambda place: bc.save_posterior(posterior, place / "p.nc"),
        "figures of sets": lambda place: save_set_figures(sets, place / "sets"),
        "figures of a study": lambda place: save_calibration_figures(study, place / "study"),
        "report": lambda place: reporting.report(None, fit, place / "report"),
        "model": lambda place: write_model(bc.load(RUN1), place / "model", overwrite=True),
        "convino": lambda place: write_convino(star(40), place / "convino", name="base"),
        "conversion": lambda place: convert(RUN1, place / "other.toml", overwrite=True),
    }


WRITERS = ("json", "posterior", "figures of sets", "figures of a study", "report", "model", "convino", "conversion")


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1000])
@pytest.mark.parametrize("name", WRITERS)
def test_writing_that_fails_changes_nothing_and_says_why(writers, tmp_path, name, size):
    writers[name](tmp_path)
    before = tree(tmp_path)
    assert before
    with file_size_limit(size), pytest.raises(OutputError, match=r"cannot be written \(File too large\); raise the limit"):
        writers[name](tmp_path)
    assert tree(tmp_path) == before
    writers[name](tmp_path)  # with room again
    assert tree(tmp_path).keys() == before.keys()


@pytest.mark.parametrize("size", [0, 1000])
def test_copy_of_a_model_that_fails_leaves_nothing(tmp_path, size):
    with (
        file_size_limit(size),
        pytest.raises(OutputError, match=r"cannot be copied there \(.*File too large.*raise the limit"),
    ):
        copy_model("run1_mass", tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_text_is_printed_although_the_json_cannot_be_written(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert main(["profile", str(RUN1), "--json", str(tmp_path / "p.json")]) == 2
    out, err = capsys.readouterr()
    assert "m_t" in out
    assert f"{tmp_path / 'p.json'}: cannot be written (No space left on device); make room" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_posterior_is_kept_elsewhere_if_its_disk_becomes_full_while_sampling(tmp_path, capsys, monkeypatch):
    place, elsewhere = tmp_path / "here", tmp_path / "temporary"
    place.mkdir()
    elsewhere.mkdir()
    write_bytes = Path.write_bytes

    def full(self, data):
        if place in self.parents:
            write_bytes(self, data[:1000])
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    write_model(star(1), tmp_path / "m")
    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    words = ["sample", str(tmp_path / "m"), "--output", str(place / "p.nc"), "--seed", "1", "--draws", "20", "--tune", "50"]
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert "must not be used" in out  # twenty draws; the text is there in any case
    kept = next(elsewhere.rglob("*.nc"))
    assert f"{place / 'p.nc'}: cannot be written (No space left" in err
    assert f"kept in {kept}, move it" in err
    assert bc.load_posterior(kept)["posterior"].sizes["draw"] == 20
    assert list(place.iterdir()) == []


def test_full_study_keeps_what_is_there_and_continues(tmp_path):
    combination, settings = star(1), {"seed": 1, "posterior": False}
    whole = bc.coverage(combination, tmp_path / "whole", toys=30, **settings)
    folder = tmp_path / "part"
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "whole").iterdir()}
    limit = (sizes["study.json"] + sizes["toys.jsonl"]) // 2  # room for what is simulated, not for all results
    assert sizes["study.json"] < limit < sizes["toys.jsonl"]
    with file_size_limit(limit), pytest.raises(OutputError, match=r"toys\.jsonl: cannot be written.*records are kept"):
        bc.coverage(combination, folder, toys=30, **settings)
    found = study_summary(folder).attrs["toys"]
    assert 0 < found < 30
    assert bc.coverage(combination, folder, toys=30, **settings).identical(whole)


COMMAND = [sys.executable, "-c", "import sys; from bayescomb.cli.main import main; sys.exit(main(sys.argv[1:]))"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["check", str(RUN1)], ["models"]])
def test_full_standard_output_is_an_error_without_a_trace(words):
    with Path("/dev/full").open("w") as full:
        found = subprocess.run([*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith("bayescomb: OutputError: standard output: cannot be written (No space left on device)")
    assert "Traceback" not in found.stderr
    assert "Exception ignored" not in found.stderr


def test_closed_standard_output_is_none_that_anybody_reads(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert main(["models"]) == 0
    sys.stdout.close()


# A file system of its own, seen by this process alone and gone with it.
FILE_SYSTEM = """
import contextlib, io, json, os, subprocess, sys
sys.path[:0] = ["tests/helpers", "tests/faults"]
from pathlib import Path
from faults import sampled, tree
import bayescomb as bc
from bayescomb.output.report import report as reporting
from bayescomb.cli.main import main
from bayescomb.base.errors import OutputError
from bayescomb.base.files.writing import write_json

place, model = Path(sys.argv[1]), sys.argv[2]
os.chdir(os.getcwd())
posterior = sampled()
bc.save_posterior(posterior, place / "p.nc")
write_json({"old": 1}, place / "x.json")
before = tree(place)
found = {}
for room in (300, 30_000):
    with (place / "fill").open("wb", buffering=0) as fill, contextlib.suppress(OSError):
        while fill.write(b"x" * 4096):
            pass
    os.truncate(place / "fill", (place / "fill").stat().st_size - room)
    for name, write in {
        "posterior": lambda: bc.save_posterior(posterior, place / "p.nc"),
        "json": lambda: write_json({"new": list(range(20_000))}, place / "x.json"),
    }.items():
        try:
            write()
            found[f"{name} {room}"] = "written"
        except OutputError as error:
            found[f"{name} {room}"] = str(error)
    (place / "fill").unlink()
    found[f"same {room}"] = tree(place) == before
subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
for words in (["sample", model, "--output", place / "p.nc"], ["report", model, "--output", place / "r"],
              ["sets", model, "--draws", "1000", "--output", place / "s"], ["scan", model, "--json", place / "x.json"],
              ["coverage", model, "--toys", "1000", "--output", place / "c"]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main([str(word) for word in words])
    found["read-only " + words[0]] = [code, said.getvalue()]
found["same"] = tree(place) == before
print(json.dumps(found))
"""


@pytest.mark.slow
def test_really_full_and_really_read_only_file_system(tmp_path):
    place = tmp_path / "mount"
    place.mkdir()
    mount = f'mount -t tmpfs -o size=512k none {place} && exec "$@"'
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if not shutil.which("unshare") or subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here, not even in a namespace of one's own")
    command = [*namespace, sys.executable, "-c", textwrap.dedent(FILE_SYSTEM), str(place), str(RUN1)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    for key in ("posterior 300", "posterior 30000", "json 300", "json 30000"):
        assert "cannot be written (No space left on device); make room or choose another place" in found.pop(key)
    assert [found.pop(key) for key in ("same 300", "same 30000", "same")] == [True] * 3
    for code, said in found.values():
        assert code == 2
        assert "(Read-only file system)" in said
        assert "Traceback" not in said

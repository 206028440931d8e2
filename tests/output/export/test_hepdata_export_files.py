"""Where an export goes: whole or not at all, and nothing of anybody else is lost."""

import builtins
import dataclasses
import errno
import io
import json
import shutil
import sys
import tarfile
import zipfile

import pytest
import report_pages
from combinations import star
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, InvalidMatrixError, OptionError, OutputError, PosteriorError
from bayescomb.cli.main import main
from bayescomb.formats.exported import DATA
from bayescomb.output.export import export as hepdata_export


@pytest.fixture(scope="module")
def fit():
    """Profile of a small combination."""
    return bc.profile(star(2))


@pytest.fixture(scope="module")
def exported(fit, tmp_path_factory):
    """A folder to copy; nobody changes it."""
    return bc.export_hepdata(fit, tmp_path_factory.mktemp("exported") / "export")


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_empty_folder_and_earlier_export_are_replaced(fit, exported, tmp_path):
    (tmp_path / "empty").mkdir()
    bc.export_hepdata(fit, tmp_path / "empty")
    shutil.copytree(exported, tmp_path / "old")
    (tmp_path / "old" / "nuisances.yaml").write_text("changed")
    bc.export_hepdata(fit, str(tmp_path / "old"))
    bc.export_hepdata(fit, tmp_path / "a.zip")
    bc.export_hepdata(fit, tmp_path / "a.zip")
    assert content(tmp_path / "old").keys() == content(exported).keys()
    assert (tmp_path / "old" / "nuisances.yaml").read_bytes() == (exported / "nuisances.yaml").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "empty", "old"]


def test_tables_of_an_earlier_export_do_not_stay(fit, tmp_path, exported):
    shutil.copytree(exported, tmp_path / "export")
    combination = dataclasses.replace(
        fit.combination, assumption_sets={"none": bc.AssumptionSet(name="none")}, assumptions="none"
    )
    bc.export_hepdata(bc.profile(combination), tmp_path / "export")
    assert (exported / "correlation_coefficients.yaml").exists()
    assert not (tmp_path / "export" / "correlation_coefficients.yaml").exists()


def test_same_result_gives_the_same_files(fit, exported, tmp_path):
    assert content(bc.export_hepdata(fit, tmp_path / "again")) == content(exported)


def test_archive_names_no_user_no_folder_and_no_date(fit, tmp_path):
    with tarfile.open(bc.export_hepdata(fit, tmp_path / "a.tar.gz")) as archive:
        members = archive.getmembers()
    assert all((m.uid, m.gid, m.uname, m.gname, m.mtime, "/" in m.name) == (0, 0, "", "", 0, False) for m in members)
    with zipfile.ZipFile(bc.export_hepdata(fit, tmp_path / "a.zip")) as archive:
        assert sorted(archive.namelist()) == sorted(m.name for m in members)


@pytest.mark.parametrize("make", ["file", "folder", "changed export", "link", "foreign json"])
def test_folder_of_somebody_else_is_left_alone(fit, exported, tmp_path, make):
    target = tmp_path / "target"
    if make == "file":
        target.write_text("mine")
    elif make == "folder":
        target.mkdir()
        (target / "thesis.tex").write_text("mine")
    elif make == "changed export":
        shutil.copytree(exported, target)
        (target / "notes.txt").write_text("mine")
    elif make == "foreign json":
        target.mkdir()
        (target / DATA).write_text('{"format": "something else", "files": ["combination.json"]}')
    else:
        shutil.copytree(exported, tmp_path / "real")
        target.symlink_to(tmp_path / "real")
    before = content(tmp_path)
    with refused(OutputError, "target"):
        bc.export_hepdata(fit, target)
    assert content(tmp_path) == before


@pytest.mark.parametrize("make", ["text", "archive of others", "folder", "link"])
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_archive_of_somebody_else_is_left_alone(fit, tmp_path, name, make):
    target = tmp_path / name
    if make == "text":
        target.write_text("mine")
    elif make == "archive of others":
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "thesis.tex").write_text("mine")
        form = "zip" if name.endswith("zip") else "gztar"
        shutil.make_archive(str(tmp_path / "a"), form, tmp_path / "thesis")
    elif make == "folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = content(tmp_path)
    with refused(OutputError, name):
        bc.export_hepdata(fit, target)
    assert content(tmp_path) == before
    assert target.is_symlink() == (make == "link")


def test_unknown_ending_and_absent_folder_are_refused(fit, tmp_path):
    with refused(OptionError, ".rar", ".tar.gz", ".zip"):
        bc.export_hepdata(fit, tmp_path / "a.rar")
    with refused(OutputError, "nowhere"):
        bc.export_hepdata(fit, tmp_path / "nowhere" / "export")
    for name in ("a\0b", "a" * 300, "a\0b.zip", "a" * 300 + ".zip"):
        with refused(OutputError, "a"):
            bc.export_hepdata(fit, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["export", "export.tar.gz", "export.zip"])
@pytest.mark.parametrize("failing", ["combination.json", "combination.nc", "submission.yaml", "nuisances.yaml", "packing"])
def test_full_disk_leaves_nothing_and_keeps_the_earlier_export(fit, tmp_path, monkeypatch, name, failing):
    target = tmp_path / name
    bc.export_hepdata(fit, target)
    before = content(tmp_path)
    full = OSError(errno.ENOSPC, "No space left on device")

    def fails(*_, **__):
        raise full

    if failing == "packing":
        monkeypatch.setattr(hepdata_export, "pack", fails)
        monkeypatch.setattr(hepdata_export, "put_in_place", fails)
    elif failing == "combination.nc":
        monkeypatch.setattr("xarray.DataTree.to_netcdf", fails)
    elif failing == "combination.json":
        monkeypatch.setattr(hepdata_export, "write_json", fails)
    else:
        opened = {"submission.yaml": "pathlib.Path.open", "nuisances.yaml": "builtins.open"}[failing]
        original = io.open if opened.startswith("pathlib") else builtins.open

        def sometimes(file, *rest, **named):
            if str(file).endswith(failing) and "w" in str(rest[:1] or named.get("mode", "r")):
                raise full
            return original(file, *rest, **named)

        monkeypatch.setattr(opened, sometimes)
    with refused(OutputError, name, "No space left"):
        bc.export_hepdata(fit, target)
    monkeypatch.undo()
    assert content(tmp_path) == before


def test_interrupt_leaves_nothing(fit, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(hepdata_export, "validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bc.export_hepdata(fit, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_what_the_site_would_refuse_is_not_written(fit, tmp_path):
    with refused(OutputError, "the site would refuse", "cmenergies"):
        bc.export_hepdata(fit, tmp_path / "export", keywords={"cmenergies": ["many"]})
    with refused(OptionError, "colour", "reactions"):
        bc.export_hepdata(fit, tmp_path / "export", keywords={"colour": ["blue"]})
    assert list(tmp_path.iterdir()) == []


def test_posterior_that_has_not_converged_is_not_exported(tmp_path):
    combination = star(2)
    posterior = report_pages.tree(combination, draws=20, chains=2)
    with refused(PosteriorError, "must not be used"):
        bc.export_hepdata(bc.profile(combination), tmp_path / "export", posterior=posterior)
    assert list(tmp_path.iterdir()) == []


def test_posterior_and_impacts_of_something_else_are_refused(fit, tmp_path):
    combination = star(2)
    posterior = report_pages.tree(combination)
    for other in (star(3), combination.with_chi2("pearson"), combination.with_values({"e0": 11.0})):
        with refused(PosteriorError, ""):
            bc.export_hepdata(bc.profile(other), tmp_path / "export", posterior=posterior)
        with refused(OptionError, "impacts"):
            bc.export_hepdata(fit, tmp_path / "export", impacts=bc.impacts(other))
    assert list(tmp_path.iterdir()) == []


def test_without_hepdata_lib_a_sentence_says_what_to_install(fit, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hepdata_lib", None)
    with refused(OutputError, "hepdata_lib", "bayescomb[hepdata]"):
        bc.export_hepdata(fit, tmp_path / "export")
    assert main(["export", "models/run1_mass", "--output", str(tmp_path / "export")]) == 2
    assert "bayescomb[hepdata]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["reactions", "=x", "reactions=", "colour=blue"])
def test_wrong_keyword_is_refused(tmp_path, capsys, word):
    assert main(["export", "models/run1_mass", "--output", str(tmp_path / "export"), "--keyword", word]) == 2
    assert "keyword" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_combination_comes_back_whatever_form_it_was_exported_in(fit, exported, tmp_path):
    from bayescomb.inputs.serialise import combination_to_json

    expected = combination_to_json(fit.combination)
    for target in (exported, exported / DATA, *(bc.export_hepdata(fit, tmp_path / f"a{s}") for s in (".tgz", ".zip"))):
        assert combination_to_json(bc.load(target)) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, ["format_version = 2"]),
        ({"inputs": {}}, ["inputs"]),
        ({"inputs": []}, ["inputs"]),
        ({"inputs": {"name": 3}}, ["inputs"]),
        ({"inputs": None}, ["inputs"]),
    ],
)
def test_changed_export_is_refused_with_its_place(exported, tmp_path, change, words):
    shutil.copytree(exported, tmp_path / "export")
    path = tmp_path / "export" / DATA
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with refused(FileFormatError, "export", *words):
        bc.load(tmp_path / "export")


def test_changed_number_is_refused_like_any_other_input(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "export")
    path = tmp_path / "export" / DATA
    data = json.loads(path.read_text())
    data["inputs"]["measurements"][0]["statistical_covariance"] = [[-1.0]]
    path.write_text(json.dumps(data))
    with refused(InvalidMatrixError, DATA, "statistical covariance"):
        bc.load(tmp_path / "export")

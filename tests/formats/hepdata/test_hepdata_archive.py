"""Archives that mean harm, or that a bad download has damaged: refused in a sentence, nothing is written."""

import gzip
import io
import os
import pickle
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import hepdata_tables as made
import pytest
from refusals import refused

from bayescomb.base.errors import DuplicateNameError, FileFormatError
from bayescomb.formats.hepdata.record.archive import Limits, read_files
from bayescomb.formats.hepdata.record.documents import MAX_DEPTH, MAX_NODES, read_json, read_yaml
from bayescomb.formats.hepdata.record.submission import read_submission

GOOD = {"submission.yaml": "comment: x"}
SMALL = Limits(members=5)


def tar(path, *members):
    """A tar.gz of (TarInfo, bytes)."""
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


OUTSIDE = ["/etc/x.yaml", "../x.yaml", "a/../../x.yaml", "..\\x.yaml", "C:/x.yaml", "C:\\x.yaml", "\\\\host\\x.yaml"]


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_out_of_the_archive_is_refused(tmp_path, name, suffix):
    archive = made.pack(tmp_path / f"a{suffix}", GOOD | {name: "x"})
    with refused(FileFormatError, str(archive), "get the files from the site again"):
        read_files(archive)
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_data_file_out_of_the_submission_is_refused(tmp_path, name):
    folder = made.write(tmp_path / "in", {"Table 1": made.table([], [made.column([1.0])])})
    (tmp_path / "x.yaml").write_text((folder / "table_1.yaml").read_text())
    text = (folder / "submission.yaml").read_text().replace("data_file: table_1.yaml", f"data_file: '{name}'")
    (folder / "submission.yaml").write_text(text)
    with refused(FileFormatError, "submission.yaml, document 2", "leads out of its folder"):
        read_submission(folder)


def test_a_data_file_is_not_fetched_from_elsewhere(tmp_path):
    folder = made.write(tmp_path, {"Table 1": made.table([], [made.column([1.0])])})
    text = (
        (folder / "submission.yaml").read_text().replace("data_file: table_1.yaml", "data_file: https://example.org/t.yaml")
    )
    (folder / "submission.yaml").write_text(text)
    with refused(FileFormatError, "no file 'https://example.org/t.yaml'"):
        read_submission(folder).table("Table 1", where="test")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_file_are_refused(tmp_path, kind):
    archive = tar(tmp_path / "a.tar.gz", (special("data.yaml", kind, "/etc/hostname"), b""))
    with refused(FileFormatError, "data.yaml", "a link or a device"):
        read_files(archive)


def test_a_link_in_a_zip_file_is_refused(tmp_path):
    info = zipfile.ZipInfo("data.yaml")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/hostname")
    with refused(FileFormatError, "data.yaml", "a link or a device"):
        read_files(tmp_path / "a.zip")


def test_a_link_out_of_a_folder_is_refused_and_one_within_it_is_not(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.yaml").write_text("x")
    (folder / "b.yaml").symlink_to("a.yaml")
    assert read_files(folder)["b.yaml"] == b"x"
    (tmp_path / "secret.yaml").write_text("x")
    (folder / "c.yaml").symlink_to("../secret.yaml")
    with refused(FileFormatError, "c.yaml", "a link out of its folder"):
        read_files(folder)


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "data.yaml")
    assert read_files(tmp_path) == {}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_too_many_members_are_refused(tmp_path, suffix):
    archive = made.pack(tmp_path / f"a{suffix}", {f"{i}.txt": "x" for i in range(6)})
    with refused(FileFormatError, "number of members", "6 found, at most 5"):
        read_files(archive, limits=SMALL)


def test_too_many_files_in_a_folder_are_refused(tmp_path):
    for i in range(6):
        (tmp_path / f"{i}.yaml").write_text("x")
    with refused(FileFormatError, "number of files"):
        read_files(tmp_path, limits=SMALL)


NOISE = "".join(f"{i * 7919 % 10007:04x}" for i in range(600))  # hardly packs


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_file_that_is_too_large_is_refused(tmp_path, suffix):
    archive = made.pack(tmp_path / f"a{suffix}", {"data.yaml": NOISE[:1001]})
    with refused(FileFormatError, "data.yaml: size in bytes", "at most 1000"):
        read_files(archive, limits=Limits(file_bytes=1000))
    with refused(FileFormatError, "size of the archive", "at most 10"):
        read_files(archive, limits=Limits(archive_bytes=10))


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_files_that_are_too_large_together_are_refused(tmp_path, suffix):
    archive = made.pack(tmp_path / f"a{suffix}", {f"{i}.yaml": NOISE[i : i + 900] for i in range(5)})
    with refused(FileFormatError, "size of all files", "at most 3000"):
        read_files(archive, limits=Limits(total_bytes=3000))


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_compression_bomb_is_refused_while_it_is_read(tmp_path, suffix):
    archive = made.pack(tmp_path / f"a{suffix}", {"data.yaml": "0" * 15_000_000})
    with refused(FileFormatError, "unpacked over packed size", "at most 200"):
        read_files(archive)


def test_a_bomb_in_a_member_that_nobody_reads_is_refused(tmp_path):
    archive = made.pack(tmp_path / "a.tar.gz", {"figure.png": "0" * 15_000_000} | GOOD)
    with refused(FileFormatError, "unpacked over packed size"):
        read_files(archive)


def test_a_zip_file_that_lies_about_a_size_gives_no_more_than_it_says(tmp_path):
    path = made.pack(tmp_path / "a.zip", {"data.yaml": "0" * 100_000})
    content = path.read_bytes().replace(struct.pack("<L", 100_000), struct.pack("<L", 10))
    path.write_bytes(content)
    with refused(FileFormatError, "damaged"):
        read_files(path)


def test_a_sparse_member_is_refused(tmp_path):
    info = tarfile.TarInfo("data.yaml")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": "9" * 12,
    }
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    with refused(FileFormatError, "data.yaml"):
        read_files(tmp_path / "a.tar.gz")


def test_two_members_of_one_name_are_refused(tmp_path):
    archive = tar(tmp_path / "a.tar.gz", *[(tarfile.TarInfo(name), b"x") for name in ("d.yaml", "./d.yaml")])
    with refused(DuplicateNameError, "'d.yaml'"):
        read_files(archive)


def test_an_archive_in_an_archive_is_not_opened(tmp_path):
    inner = made.pack(tmp_path / "inner.zip", {"submission.yaml": "comment: x"})
    archive = made.pack(tmp_path / "a.zip", GOOD | {"inner.zip": inner.read_bytes(), "b.tar.gz": b"x"})
    assert list(read_files(archive)) == ["submission.yaml"]


def test_what_macos_packs_beside_the_files_is_no_table(tmp_path):
    archive = made.pack(tmp_path / "a.zip", GOOD | {"._submission.yaml": "x", "__MACOSX/submission.yaml": "x"})
    assert list(read_files(archive)) == ["submission.yaml"]


def test_an_encrypted_member_is_refused(tmp_path):
    path = made.pack(tmp_path / "a.zip", GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with refused(FileFormatError, "submission.yaml", "encrypted"):
        read_files(path)


def test_an_unusual_compression_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("submission.yaml", "comment: x")
    with refused(FileFormatError, "compressed in a way"):
        read_files(tmp_path / "a.zip")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_a_damaged_archive_is_refused(tmp_path, suffix, damage):
    path = made.pack(tmp_path / f"a{suffix}", {"submission.yaml": NOISE})
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes(b ^ 0xFF for b in content[middle : middle + 8]) + content[middle + 8 :]
    path.write_bytes({"empty": b"", "text": b"no archive", "cut": content[:middle], "flipped": flipped}[damage])
    with refused(FileFormatError, path.name):
        read_files(path)


def test_a_tar_file_whose_header_claims_a_huge_size_is_refused(tmp_path):
    info = tarfile.TarInfo("data.yaml")
    info.size = 1 << 40
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + b"x" * 512))
    with refused(FileFormatError, "a.tar.gz"):
        read_files(tmp_path / "a.tar.gz")


def test_an_absent_path_is_refused(tmp_path):
    with refused(FileFormatError, "no such file"):
        read_files(tmp_path / "absent.zip")
    with refused(FileFormatError):
        read_files(Path("a\0.zip"))


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_aliases_that_stand_for_billions_of_entries_are_refused():
    with refused(FileFormatError, "t.yaml", f"more than {MAX_NODES}"):
        read_yaml(BOMB.encode(), where="t.yaml")
    merging = "a: &a {x: 1}\n" + "\n".join(
        f"{new}: &{new} {{<<: [{','.join([f'*{old}'] * 10)}]}}" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with refused(FileFormatError):
        read_yaml(merging.encode(), where="t.yaml")


def test_an_alias_in_itself_is_refused():
    with refused(FileFormatError, "an alias contains itself"):
        read_yaml(b"a: &a [*a]", where="t.yaml")


def test_aliases_that_a_writer_of_yaml_makes_are_read():
    assert read_yaml(b"a: &x [1]\nb: *x", where="t.yaml") == [{"a": ["1"], "b": ["1"]}]


@pytest.mark.parametrize("n", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_yaml_that_nests_too_deep_is_refused(n, opening):
    with refused(FileFormatError, "t.yaml"):
        read_yaml((opening * n).encode(), where="t.yaml")


def test_json_that_nests_too_deep_is_refused():
    with refused(FileFormatError, "t.json"):
        read_json(b"[" * 200_000, where="t.json")


class Mark:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {path}']",
        "!!python/object/new:os.system ['touch {path}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!local {{a: 1}}",
    ],
)
def test_nothing_in_yaml_is_executed(tmp_path, text):
    path = tmp_path / "executed"
    with refused(FileFormatError, "t.yaml", "no YAML of plain data"):
        read_yaml(text.format(path=path).encode(), where="t.yaml")
    assert not path.exists()


def test_a_pickle_is_not_read(tmp_path):
    mark = tmp_path / "executed"
    for name in ("submission.yaml", "table.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(pickle.dumps(Mark(mark)))
        with refused(FileFormatError, name):
            read_submission(folder)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80\x81", b"a: \x00", b"? [a]\n: b", b"*a", b"a: !!float x"])
def test_bytes_that_are_no_yaml_are_refused(content):
    with refused(FileFormatError, "t.yaml"):
        read_yaml(content, where="t.yaml")

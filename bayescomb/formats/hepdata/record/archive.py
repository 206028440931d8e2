"""Reads the files of a folder or an archive into memory, without unpacking to disk.

Links, devices and paths out of the archive are refused.  One such member refuses the whole archive, which is damaged or made
to do harm.  Bytes are counted while they are read, as an archive may state wrong sizes.  An archive in an archive is not
opened.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final

from bayescomb.base.errors import DuplicateNameError, FileFormatError
from bayescomb.base.files.writing import is_folder

__all__ = ["ARCHIVES", "TEXTS", "Limits", "is_archive", "read_files", "safe_name"]

ARCHIVES: Final = (".tar.gz", ".tgz", ".zip")
TEXTS: Final = (".yaml", ".yml", ".json")
CHUNK: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest sizes that are read.

    Attributes:
        members: number of files and folders.
        file_bytes: size of a file, unpacked.
        total_bytes: size of all files, unpacked.
        archive_bytes: size of the archive itself.
        ratio: unpacked over packed size, of files larger than ``ratio_bytes``.
        ratio_bytes: size below which a high ratio does no harm; a small table of zeros has one.
    """

    members: int = 10_000
    file_bytes: int = 20_000_000
    total_bytes: int = 500_000_000
    archive_bytes: int = 200_000_000
    ratio: float = 200.0
    ratio_bytes: int = 5_000_000


def is_archive(path: Path) -> bool:
    """Whether the name of a path has the ending of an archive.

    Examples:
        >>> is_archive(Path("HEPData-ins1.tar.gz")), is_archive(Path("table.json"))
        (True, False)
    """
    return path.name.lower().endswith(ARCHIVES)


def safe_name(name: str, *, where: str) -> PurePosixPath:
    """The path of a member, which must stay inside its folder.

    Raises:
        FileFormatError: the path leads out of the folder, or may do so on some system.

    Examples:
        >>> safe_name("./tables/data1.yaml", where="a.zip").as_posix()
        'tables/data1.yaml'
    """
    path = PurePosixPath(name)
    drive = bool(path.parts) and path.parts[0][1:2] == ":"
    if not name or path.is_absolute() or ".." in path.parts or drive or any(sign in name for sign in "\\\0"):
        msg = f"{where}: the name {name!r} leads out of its folder; nothing is read, get the files from the site again"
        raise FileFormatError(msg)
    return path


def read_files(path: Path, *, limits: Limits | None = None) -> Mapping[str, bytes]:
    """The YAML and JSON files of a folder or an archive, by their path from its root.

    Args:
        path: a folder, or an archive with one of the endings of :data:`ARCHIVES`.
        limits: largest sizes.

    Raises:
        FileFormatError: the path is absent or damaged, a member leads out of it or is a link or a device, or a limit is
            passed.
        DuplicateNameError: two members have the same path.

    Examples:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(Path(folder, "a.zip"), "w") as archive:
        ...         archive.writestr("submission.yaml", "comment: none")
        ...     read_files(Path(folder, "a.zip"))
        {'submission.yaml': b'comment: none'}
    """
    limits = limits or Limits()
    try:
        if is_folder(path):
            return _of_folder(path, limits)
        if not path.is_file():
            msg = f"{path}: no such file or folder; correct the path"
            raise FileFormatError(msg)
        _limit(path.stat().st_size, limits.archive_bytes, f"{path}: size of the archive")
        found = _of_zip(path, limits) if path.name.lower().endswith(".zip") else _of_tar(path, limits)
        return dict(found)
    except (OSError, EOFError, ValueError, tarfile.TarError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        msg = f"{path}: cannot be read ({' '.join(str(error).split())}); it is damaged or no archive, get it again"
        raise FileFormatError(msg) from error


def _limit(size: float, allowed: float, what: str) -> None:
    if size > allowed:
        msg = (
            f"{what}: {size:g} found, at most {allowed:g} allowed; it is not read, take the tables one by one from the site"
        )
        raise FileFormatError(msg)


def _of_folder(folder: Path, limits: Limits) -> dict[str, bytes]:
    """The files of a folder; a link may only lead to another place in the folder."""
    root = folder.resolve()
    files: dict[str, bytes] = {}
    total = 0
    for count, file in enumerate(sorted(folder.rglob("*")), 1):
        _limit(count, limits.members, f"{folder}: number of files")
        if file.suffix.lower() not in TEXTS or not file.is_file():
            continue
        if not file.resolve().is_relative_to(root):
            msg = f"{file}: a link out of its folder; it is not read, put the file itself there"
            raise FileFormatError(msg)
        with file.open("rb") as stream:
            content = _bounded(stream, limits, str(file))
        total += len(content)
        _limit(total, limits.total_bytes, f"{folder}: size of the files in bytes")
        files[file.relative_to(folder).as_posix()] = content
    return files


def _bounded(stream: IO[bytes], limits: Limits, where: str, packed: int | None = None) -> bytes:
    """The content of a stream, counted against the limits while it is read."""
    parts, size = [], 0
    while part := stream.read(CHUNK):
        size += len(part)
        _limit(size, limits.file_bytes, f"{where}: size in bytes")
        if packed is not None:
            _check_ratio(size, packed, limits, where)
        parts.append(part)
    return b"".join(parts)


def _check_ratio(size: int, packed: int, limits: Limits, where: str) -> None:
    if size > limits.ratio_bytes:
        _limit(size / max(packed, 1), limits.ratio, f"{where}: unpacked over packed size")


@dataclass(frozen=True)
class _Names:
    """The names of the members read so far."""

    path: Path
    limits: Limits
    seen: set[str] = field(default_factory=set)

    def add(self, name: str, *, is_folder: bool) -> str:
        found = safe_name(name, where=str(self.path)).as_posix()
        if found in self.seen and not is_folder:
            msg = f"{self.path}: two members are called {found!r}; it is not read, get the archive from the site again"
            raise DuplicateNameError(msg)
        self.seen.add(found)
        _limit(len(self.seen), self.limits.members, f"{self.path}: number of members")
        return found


def _wanted(name: str) -> bool:
    """Whether a member is a table, and not one of the files that macOS adds."""
    path = PurePosixPath(name)
    return path.suffix.lower() in TEXTS and not path.name.startswith("._") and "__MACOSX" not in path.parts


def _of_zip(path: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    total = 0
    names = _Names(path, limits)
    with zipfile.ZipFile(path) as archive:
        _limit(len(archive.infolist()), limits.members, f"{path}: number of members")
        for info in archive.infolist():
            # info.filename is cut at a NUL and has other separators, so it would hide an unsafe name
            name = names.add(info.orig_filename, is_folder=info.is_dir())
            where = f"{path}: {name}"
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                _refuse_special(where)
            if info.flag_bits & 1:
                msg = f"{where}: it is encrypted; unpack it yourself and give the folder"
                raise FileFormatError(msg)
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                msg = f"{where}: compressed in a way that the site does not use; get the archive from the site again"
                raise FileFormatError(msg)
            if info.is_dir() or not _wanted(name):
                continue
            with archive.open(info) as stream:
                content = _bounded(stream, limits, where, packed=info.compress_size)
            total += len(content)
            _limit(total, limits.total_bytes, f"{path}: size of all files in bytes")
            yield name, content


def _refuse_special(where: str) -> None:
    msg = f"{where}: a link or a device; the archive is not read, as a submission has files and folders only"
    raise FileFormatError(msg)


class _Counted:
    """A decompressed stream that counts its bytes against the limits."""

    def __init__(self, stream: gzip.GzipFile, path: Path, limits: Limits) -> None:
        self._stream, self._path, self._limits = stream, path, limits
        self._packed = path.stat().st_size
        self._total = 0

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        self._total += len(part)
        _limit(self._total, self._limits.total_bytes, f"{self._path}: size of all files in bytes")
        _check_ratio(self._total, self._packed, self._limits, str(self._path))
        return part


def _of_tar(path: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    names = _Names(path, limits)
    with gzip.open(path) as unpacked:
        # As a stream, so that every byte is counted, also of headers and skipped members.
        stream = _Counted(unpacked, path, limits)
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as archive:  # type: ignore[call-overload]
            for member in archive:
                where = f"{path}: {member.name}"
                if not (member.isfile() or member.isdir()) or member.issparse():
                    safe_name(member.name, where=str(path))
                    _refuse_special(where)
                name = names.add(member.name, is_folder=member.isdir())
                if member.isdir() or not _wanted(name):
                    continue
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                yield name, _bounded(content, limits, where)

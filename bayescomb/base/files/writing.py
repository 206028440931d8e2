"""Writing of outputs: checks of a path before the work, single files that appear complete, and several that appear together.

A process that is killed while it replaces several files leaves a working folder, by which :func:`require_whole` keeps
readers from a mixture of old and new files.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bayescomb.base.errors import FileFormatError, OutputError
from bayescomb.base.files.working_folders import ASIDE, abandoned, locked, siblings, umask, working_folder

__all__ = [
    "cannot_write",
    "file_place",
    "is_file",
    "is_folder",
    "json_text",
    "plain_value",
    "require_file",
    "require_folder",
    "require_whole",
    "write_json",
    "written_beside",
    "written_into",
]

ADVICE: Final = {
    errno.ENOSPC: "make room or choose another place",
    errno.EDQUOT: "make room or choose another place",
    errno.EFBIG: "raise the limit of the file size or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "a file stands where a folder is needed, choose another place",
    errno.EISDIR: "a folder stands there, name a file",
}
LOCK: Final = ".bayescomb.lock"


def cannot_write(path: str | Path, error: OSError, *, what: str = "cannot be written") -> OutputError:
    """The error to raise: which path, why, and what to do.

    Args:
        path: as the user named it.
        error: error of the operating system.
        what: what could not be done.

    Examples:
        >>> print(cannot_write("p.nc", OSError(28, "No space left on device")))
        p.nc: cannot be written (No space left on device); make room or choose another place
    """
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        reason = str(error.args[0][0][-1])  # of many files the first
        known = [number for number in ADVICE if f"[Errno {number}]" in reason]
        advice = ADVICE[known[0]] if known else ""
    else:
        reason, advice = error.strerror or str(error), ADVICE.get(error.errno or 0, "")
    return OutputError(f"{path}: {what} ({reason}); {advice or 'choose a writable place with enough room'}")


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there; false, where :meth:`pathlib.Path.is_dir` raises, for a name that no file can have.

    Examples:
        >>> is_folder("models"), is_folder("x" * 5000)
        (True, False)
    """
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Whether a file is there; false, where :meth:`pathlib.Path.is_file` raises, for a name that no file can have.

    Examples:
        >>> is_file("README.md"), is_file("x" * 5000)
        (True, False)
    """
    return os.path.isfile(path)  # noqa: PTH113


def file_place(path: str | Path) -> Path:
    """The path that is written: the target of a link is replaced, not the link.

    Raises:
        OutputError: there is a folder or a device, the folder above is absent, or no file can have such a name.

    Examples:
        >>> file_place("nowhere/p.nc")
        Traceback (most recent call last):
        ...
        bayescomb.base.errors.OutputError: nowhere/p.nc: cannot be written, the folder nowhere does not exist; make it first
    """
    place = _resolved(path)
    if os.path.lexists(place) and not place.is_file():
        kind = "a folder" if place.is_dir() else "no regular file"
        msg = f"{path}: cannot be written, {kind} stands there; name a file that is new or may be replaced"
        raise OutputError(msg)
    return place


def _resolved(path: str | Path) -> Path:
    """The path without links, in a folder that exists.

    Raises:
        OutputError: the folder is absent, or nothing can have such a name.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # refuses a name that is too long, and one below a file
        place = Path(os.path.realpath(path))
        if not place.parent.exists():
            msg = f"{path}: cannot be written, the folder {Path(path).parent} does not exist; make it first"
            raise OutputError(msg)
    except ValueError as error:
        msg = f"{str(path)!r}: cannot be written, no name of a file or folder ({error}); choose another"
        raise OutputError(msg) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    return place


def require_file(path: str | Path) -> None:
    """Raise now if this file could not be written later, after minutes of work.

    Raises:
        OutputError: as :func:`file_place`, or the folder cannot be written.

    Examples:
        >>> require_file("README.md/p.nc")
        Traceback (most recent call last):
        ...
        bayescomb.base.errors.OutputError: README.md/p.nc: cannot be written (Not a directory); a file stands where a folder
            is needed, choose another place
    """
    place = file_place(path)
    try:
        with working_folder(place):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


def require_folder(path: str | Path) -> None:
    """Raise now if this folder could not be made or written into later.

    Raises:
        OutputError: a file has that path, the folder above is absent, or the folder cannot be written.

    Examples:
        >>> require_folder("README.md/study")
        Traceback (most recent call last):
        ...
        bayescomb.base.errors.OutputError: README.md/study: cannot be written (Not a directory); a file stands where a folder
            is needed, choose another place
    """
    place = _resolved(path)
    try:
        place = place if place.exists() else place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with working_folder(place / "folder"):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


@contextlib.contextmanager
def written_into(folder: Path, texts: Mapping[str, str], *, last: str, overwrite: bool) -> Iterator[Path]:
    """A temporary folder with the files, which move into ``folder`` when the block ends without an error.

    A new folder appears complete; in an existing one the files are replaced one by one, and put back if that fails.  If the
    process is killed meanwhile, copies of all old files are in the working folder that it leaves.

    Args:
        folder: folder of the files, in an existing folder.
        texts: name of a file -> its text.
        last: name of the main file, without which the others are not read; it moves last.
        overwrite: whether files of these names may be replaced.

    Raises:
        OutputError: a file exists already, or the folder cannot be written; nothing has changed then.
    """
    try:
        if "\0" in str(folder) or (folder.exists() and not folder.is_dir()):
            msg = f"{folder}: not a folder; choose another place"
            raise OutputError(msg)
        found = [name for name in (last, *sorted(texts)) if os.path.lexists(folder / name)]
        if found and not (overwrite and all((folder / name).is_file() for name in found)):
            remedy = "choose another place, move it away, or overwrite it on purpose (convert --overwrite)"
            msg = f"{folder / found[0]}: there already; {remedy}"
            raise OutputError(msg)
        with working_folder((folder if folder.exists() else folder.parent) / last) as staged:
            new = staged / "new"
            new.mkdir()
            for name, text in texts.items():
                _write(new / name, text)
            yield new
            if folder.exists():
                _move_in(new, folder, staged, last=last)
            else:
                new.replace(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    except UnicodeError as error:  # a lone surrogate in a title
        msg = f"{folder}: cannot be written ({error}); use plain text"
        raise OutputError(msg) from error


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _move_in(new: Path, folder: Path, staged: Path, *, last: str) -> None:
    """Move the files into the folder, the main file last; an error undoes all moves."""
    copies, aside = staged / "old", staged / ASIDE
    copies.mkdir()
    with locked(folder / LOCK, what="the model", wait=True):
        names = sorted((p.name for p in new.iterdir()), key=lambda name: (name == last, name))
        for name in names:
            if os.path.lexists(folder / name):
                shutil.copy2(folder / name, copies / name, follow_symlinks=False)
        copies.rename(aside)  # from here on require_whole refuses the files
        done: list[str] = []
        try:
            for name in names:
                done.append(name)
                (new / name).rename(folder / name)
        except BaseException:
            for name in reversed(done):
                if os.path.lexists(aside / name):
                    (aside / name).replace(folder / name)
                elif not (new / name).exists():
                    (folder / name).unlink(missing_ok=True)
            aside.replace(copies)
            raise
        aside.replace(copies)
        for other in siblings(folder / last):  # the files that a killed process left mixed are whole again
            if abandoned(other):
                shutil.rmtree(other, ignore_errors=True)


def require_whole(path: Path) -> None:
    """Raise if the files of a model are being replaced, or were when the process that did it died.

    Args:
        path: the main file of the model.

    Raises:
        FileFormatError: some files may be old and some new.

    Examples:
        >>> from pathlib import Path
        >>> require_whole(Path("models/run1_mass/model.toml"))
    """
    unfinished = [staged / ASIDE for staged in siblings(path) if (staged / ASIDE).is_dir()]
    if unfinished:
        if abandoned(unfinished[0].parent):
            what = "was not finished, some may be old and some new; write them again with --overwrite, or move the old ones"
            msg = f"{path}: replacing the files of this model {what} back from {unfinished[0]} and remove that folder"
        else:
            msg = f"{path}: another process is replacing the files of this model; wait for it"
        raise FileFormatError(msg)


@contextlib.contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """A temporary path on the same file system that replaces ``path`` when the block ends without an error.

    If two processes write to the same path, the file of the one that ends last remains, complete.

    Raises:
        OutputError: as :func:`file_place`, the folder cannot be written, or the disk is full.
    """
    place = file_place(path)
    try:
        with working_folder(place) as folder:
            temporary = folder / place.name
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~umask())
            temporary.replace(place)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_json(data: Any, path: str | Path) -> Path:
    """Write plain data as JSON in full precision; NaN is refused.

    Raises:
        OutputError: it cannot be written.
    """
    text = json_text(data)
    with written_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def plain_value(value: Any) -> Any:
    """A value for JSON and CSV: NaN and infinity, by which results mark a missing number, become ``None``.

    Examples:
        >>> import numpy as np
        >>> plain_value(np.float64(0.5)), plain_value(float("nan")), plain_value("text")
        (0.5, None, 'text')
    """
    value = value.item() if hasattr(value, "item") else value  # a scalar of numpy, which a short command does not import
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(data: Any) -> str:
    """Plain data as JSON in full precision; NaN is refused."""
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

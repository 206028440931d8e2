"""Places that a user names for an output: whether they can be written, before the work, and what is said if they cannot."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Final

from bayescomb.beside import working_folder
from bayescomb.errors import OutputError

__all__ = ["cannot_write", "file_place", "require_file", "require_folder"]

ADVICE: Final = {
    errno.ENOSPC: "make room or choose another place",
    errno.EDQUOT: "make room or choose another place",
    errno.EFBIG: "raise the limit of the file size or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "a file stands where a folder is needed, choose another place",
    errno.EISDIR: "a folder stands there, name a file",
}


def cannot_write(path: str | Path, error: OSError, *, what: str = "cannot be written") -> OutputError:
    """The error to raise: which path, why, and what to do.

    Args:
        path: as the user named it.
        error: what the system said.
        what: what could not be done.

    Examples:
        >>> from bayescomb.outputs import cannot_write
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


def file_place(path: str | Path) -> Path:
    """Where a file of this name is really written: what a link points to is replaced, not the link.

    Raises:
        OutputError: there is a folder or a device, the folder above is absent, or no file can have such a name.

    Examples:
        >>> from bayescomb.outputs import file_place
        >>> file_place("nowhere/p.nc")
        Traceback (most recent call last):
        ...
        bayescomb.errors.OutputError: nowhere/p.nc: cannot be written, the folder nowhere does not exist; make it first
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # refuses a name that is too long
        place = Path(os.path.realpath(path))
        if not place.parent.exists():
            msg = f"{path}: cannot be written, the folder {Path(path).parent} does not exist; make it first"
            raise OutputError(msg)
        if os.path.lexists(place) and not place.is_file():
            kind = "a folder" if place.is_dir() else "no regular file"
            msg = f"{path}: cannot be written, {kind} stands there; name a file that is new or may be replaced"
            raise OutputError(msg)
    except ValueError as error:
        msg = f"{str(path)!r}: cannot be written, no name of a file ({error}); choose another"
        raise OutputError(msg) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    return place


def require_file(path: str | Path) -> None:
    """Raise now if a file could not be written to this place later, after minutes of work.

    Raises:
        OutputError: as :func:`file_place`, or nothing can be written in the folder.

    Examples:
        >>> from bayescomb.outputs import require_file
        >>> require_file("README.md/p.nc")
        Traceback (most recent call last):
        ...
        bayescomb.errors.OutputError: README.md/p.nc: cannot be written (Not a directory); a file stands where a folder is
            needed, choose another place
    """
    place = file_place(path)
    try:
        with working_folder(place):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


def require_folder(path: str | Path) -> None:
    """Raise now if a folder could not be made, or written into, later.

    Raises:
        OutputError: a file stands in the way, or nothing can be written there.

    Examples:
        >>> from bayescomb.outputs import require_folder
        >>> require_folder("README.md/study")
        Traceback (most recent call last):
        ...
        bayescomb.errors.OutputError: README.md/study: cannot be written (Not a directory); a file stands where a folder is
            needed, choose another place
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # refuses a name that is too long, and one below a file
        place = Path(os.path.realpath(path))
        if not place.exists():
            place = place.parent
            if not place.exists():
                msg = f"{path}: cannot be written, the folder {Path(path).parent} does not exist; make it first"
                raise OutputError(msg)
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with working_folder(place / "folder"):
            pass
    except ValueError as error:
        msg = f"{str(path)!r}: no name of a folder ({error}); choose another"
        raise OutputError(msg) from error
    except OSError as error:
        raise cannot_write(path, error) from error

"""Working folders beside the place that something will have in the end, and the locks of their processes.

Everything is made in a hidden folder ``.NAME.????????.part`` beside its place and renamed into it.  A process that is killed
leaves that folder; the next one that writes to the same place removes it, which it knows to be abandoned by its free lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bayescomb.base.errors import OutputError

__all__ = ["ASIDE", "abandoned", "locked", "put_in_place", "siblings", "try_lock", "umask", "working_folder"]

SUFFIX: Final = ".part"
LOCK: Final = "lock"
# In a working folder: the previous content of the place, perhaps the only copy, which nothing may remove.
ASIDE: Final = "aside"
# Characters of the name that a working folder repeats, so that any name that is allowed itself can be written.
SHOWN: Final = 40
RANDOM: Final = 8  # characters that mkdtemp adds

RENAME_EXCHANGE: Final = 2
AT_FDCWD: Final = -100


@contextlib.contextmanager
def working_folder(path: Path) -> Iterator[Path]:
    """A private empty folder on the same file system as ``path``, removed when the block ends.

    What a killed process left of such folders for the same path is removed first.

    Raises:
        OSError: it cannot be made.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with working_folder(Path(place) / "p.nc") as folder:
        ...         _ = (folder / "p.nc").write_text("whole").bit_length(), (folder / "p.nc").rename(Path(place) / "p.nc")
        ...     [p.name for p in Path(place).iterdir()]
        ['p.nc']
    """
    for folder in siblings(path):
        if abandoned(folder) and not (folder / ASIDE).exists():
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path), suffix=SUFFIX))
    descriptor = -1
    try:
        # Renamed once it is locked: until then the folder looks like one that is being made.
        descriptor = os.open(folder / f"{LOCK}.new", os.O_RDWR | os.O_CREAT)
        try_lock(descriptor)
        (folder / f"{LOCK}.new").replace(folder / LOCK)
        yield folder
    finally:
        if not (folder / ASIDE).exists():
            shutil.rmtree(folder, ignore_errors=True)
        if descriptor >= 0:
            os.close(descriptor)


def abandoned(folder: Path) -> bool:
    """Whether the process that made a working folder is gone; false where that cannot be known.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as place, working_folder(Path(place) / "p.nc") as folder:
        ...     abandoned(folder)
        False
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return try_lock(descriptor, otherwise=False)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _prefix(path: Path) -> str:
    return f".{path.name[:SHOWN]}."


def siblings(path: Path) -> list[Path]:
    """Working folders for the same path, of whatever process.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as place, working_folder(Path(place) / "p.nc") as folder:
        ...     siblings(Path(place) / "p.nc") == [folder], siblings(Path(place) / "q.nc")
        (True, [])
    """
    prefix = _prefix(path)
    size = len(prefix) + RANDOM + len(SUFFIX)
    try:
        names = os.listdir(path.parent)  # noqa: PTH208  # half a million files must not become as many objects
    except OSError:
        return []
    found = (name for name in names if name.startswith(prefix) and name.endswith(SUFFIX) and len(name) == size)
    return [path.parent / name for name in sorted(found)]


def put_in_place(new: Path, target: Path, *, aside: Path) -> None:
    """Move a folder to its place; one that is there is replaced in one step where the system can.

    Where it cannot, the old folder is set aside for the moment between two renames and comes back if the second fails.

    Args:
        new: the folder, complete; the old one is there afterwards.
        target: where it belongs.
        aside: where the old one is for that moment.

    Raises:
        OSError: it cannot be moved; the old one is in its place.
    """
    for _ in range(3):  # another process may put its own there, or take it away, between two steps
        try:
            if not target.exists():
                new.rename(target)
                return
            if _exchange(new, target):
                return
            target.rename(aside)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise
            continue
        try:
            new.rename(target)
        except BaseException:
            if not target.exists():
                aside.rename(target)
            raise
        aside.rename(new)
        return
    msg = "another process writes there"
    raise OSError(errno.EBUSY, msg)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step; false where system or file system cannot.

    Raises:
        OSError: one of them is not there, or the place cannot be written.
    """
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if swap is None:
        return False
    if swap(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV}:
        return False
    raise OSError(number, os.strerror(number), str(second))


def umask() -> int:
    """The permissions that a plain open() takes away; a temporary file is private.

    Examples:
        >>> 0 <= umask() <= 0o777
        True
    """
    mask = os.umask(0)
    os.umask(mask)
    return mask


if sys.platform != "win32":
    import fcntl


log = logging.getLogger(__name__)

# Errors of file systems without locks, as on some computing farms; the work goes on without one there.
NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def locked(path: Path, *, what: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file while the block runs; the file of a killed process remains, but the kernel releases its lock.

    Args:
        path: the lock file, made and removed again; its folder must be there.
        what: what is locked, as the subject of the message.
        wait: wait for whoever holds the lock instead of raising.

    Raises:
        OutputError: another process holds the lock; the message says which.
        OSError: the file cannot be made.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / ".lock", what="the study"):
        ...     sorted(p.name for p in Path(folder).iterdir())
        ['.lock']
    """
    descriptor = -1
    while descriptor < 0:
        descriptor = _opened(path, what=what, wait=wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is released
        os.close(descriptor)


def _opened(path: Path, *, what: str, wait: bool) -> int:
    """The lock file, locked; negative if its previous holder removed the file meanwhile.

    Raises:
        OutputError: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    keep = False
    try:
        if not try_lock(descriptor, wait=wait):
            holder = os.pread(descriptor, 300, 0).decode("utf-8", errors="replace").strip() or "unknown"
            msg = f"{path.parent}: {what} is being written by another process ({holder}); wait for it, or name another place"
            raise OutputError(msg)
        with contextlib.suppress(FileNotFoundError):
            keep = os.path.samestat(path.stat(), os.fstat(descriptor))
        if keep:
            os.truncate(descriptor, 0)
            with contextlib.suppress(OSError):  # the disk is full, and the operating system says so best
                os.pwrite(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return descriptor if keep else -1
    finally:
        if not keep:
            os.close(descriptor)


def try_lock(descriptor: int, *, wait: bool = False, otherwise: bool = True) -> bool:
    """Lock an open file for this process.

    Args:
        descriptor: of the file, open for writing; closing it releases the lock.
        wait: until it is free.
        otherwise: the answer where the system has no locks, of which the log tells.

    Returns:
        Whether nobody else holds it.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryFile() as file:
        ...     try_lock(file.fileno())
        True
    """
    if sys.platform == "win32":
        return otherwise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        log.warning(f"this file system has no locks ({error.strerror}); do not write to the same place twice at a time")
        return otherwise
    return True

"""Working folders in which outputs are made before they are renamed into place, and locks between processes.

An output is made in a hidden folder ``.NAME.????????.part`` beside its path.  A process that is killed leaves the folder
with a free lock, by which the next process that writes to the same path knows it as abandoned and removes it.
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

if sys.platform != "win32":
    import fcntl

__all__ = ["ASIDE", "abandoned", "locked", "put_in_place", "siblings", "try_lock", "umask", "working_folder"]

SUFFIX: Final = ".part"
LOCK: Final = "lock"
# Subfolder of a working folder with the previous files, perhaps their only copy, which no process may remove.
ASIDE: Final = "aside"
# Characters of the name that a working folder repeats, so that its own name is never too long for the file system.
SHOWN: Final = 40
RANDOM: Final = 8  # characters that mkdtemp adds

RENAME_EXCHANGE: Final = 2
AT_FDCWD: Final = -100
# Errors of file systems without locks, as on some computing farms; the work continues without a lock there.
NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
log = logging.getLogger(__name__)


@contextlib.contextmanager
def working_folder(path: Path) -> Iterator[Path]:
    """A private empty folder on the same file system as ``path``, removed when the block ends.

    Folders that killed processes left for the same path are removed first.

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
        # The file gets its name once it is locked: a folder without it is not taken for an abandoned one.
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
    """Working folders of all processes for one path.

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
    """Move a folder to its path and replace an old one there, in one step where the operating system can.

    Where it cannot, the old folder is moved aside between two renames, and comes back if the second fails.

    Args:
        new: the complete folder; this path holds the old one afterwards.
        target: the path that it gets.
        aside: path of the old folder between the two renames.

    Raises:
        OSError: it cannot be moved; the old folder is still at ``target``.
    """
    for _ in range(3):  # another process may put a folder there, or remove it, between two steps
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
    """Swap two folders in one step; false where the system or the file system cannot.

    Raises:
        OSError: one of them does not exist, or its parent folder cannot be written.
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
    """The permission bits that open() leaves out for new files; a temporary file has to apply them itself.

    Examples:
        >>> 0 <= umask() <= 0o777
        True
    """
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def locked(path: Path, *, what: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file while the block runs; the file of a killed process remains, but the kernel releases its lock.

    Args:
        path: the lock file, made and removed again in a folder that exists.
        what: name of the locked thing, the subject of the message.
        wait: wait for the process that holds the lock instead of raising.

    Raises:
        OutputError: another process holds the lock; the message names it.
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
            with contextlib.suppress(OSError):  # on a full disk the write that follows raises the better error
                os.pwrite(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return descriptor if keep else -1
    finally:
        if not keep:
            os.close(descriptor)


def try_lock(descriptor: int, *, wait: bool = False, otherwise: bool = True) -> bool:
    """Lock an open file for this process.

    Args:
        descriptor: of the file, open for writing; closing it releases the lock.
        wait: wait until it is free.
        otherwise: the answer on a system without locks, with a warning in the log.

    Returns:
        Whether this process now holds the lock.

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

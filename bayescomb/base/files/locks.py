"""Locks between processes that the kernel releases when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bayescomb.base.errors import OutputError

if sys.platform != "win32":
    import fcntl

__all__ = ["locked", "try_lock"]

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

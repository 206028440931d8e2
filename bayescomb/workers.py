"""Local processes for many independent pieces of work: they leave Ctrl-C to their parent and do not outlive it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator

from bayescomb.errors import WorkerError

__all__ = ["local_processes"]


@contextlib.contextmanager
def local_processes(count: int) -> Iterator[concurrent.futures.Executor]:
    """An executor on processes of this machine; after an error or Ctrl-C they are ended at once, whatever they do.

    Args:
        count: number of processes.

    Raises:
        WorkerError: one of them died.

    Examples:
        >>> from bayescomb.workers import local_processes
        >>> with local_processes(1) as executor:
        ...     executor.submit(abs, -3).result()
        3
    """
    others = set(multiprocessing.active_children())
    # Not forked: a process that has threads, as samplers and BLAS do, must not be.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent)
    try:
        with _interrupts_held():
            for _ in range(count):
                pool.submit(int)  # starts a process, as long as none is idle
        yield pool
        pool.shutdown()
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, concurrent.futures.BrokenExecutor):
            msg = "a worker process died (killed, or out of memory); what is finished is kept, the same command goes on"
            raise WorkerError(msg) from error
        raise


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal; those started in here never see it, this one when the block ends."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

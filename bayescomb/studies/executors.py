"""Executors for many independent pieces of work: an existing Dask scheduler, or processes of this machine.

Dask schedulers run e.g. on a batch farm, where dask-jobqueue starts them.  Local processes leave Ctrl-C to their parent and
end with it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib.metadata
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Final

from bayescomb.base.checks import check_count
from bayescomb.base.errors import OptionError, WorkerError

__all__ = ["dask_executor", "executor_of", "local_processes"]

log = logging.getLogger(__name__)
CONNECT_SECONDS: Final = 15.0
KEPT: Final = "what is finished is kept, the same command goes on"


@contextlib.contextmanager
def dask_executor(address: str, *, timeout: float = CONNECT_SECONDS) -> Iterator[concurrent.futures.Executor]:
    """An executor on the workers of a Dask scheduler; the work of a worker that dies is done again by another.

    Args:
        address: of the scheduler, e.g. ``tcp://node17:8786``.
        timeout: seconds to wait for its answer.

    Raises:
        OptionError: Dask distributed is not installed.
        WorkerError: no scheduler answers at the address, the scheduler or a worker has no bayescomb or another version, the
            connection was lost, or a piece of work killed one worker after another.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as error:
        msg = "a scheduler needs Dask distributed, which is not installed; install bayescomb[dask]"
        raise OptionError(msg) from error
    _require_scheduler(address, timeout)
    client = Client(address, timeout=timeout, set_as_default=False)
    try:
        _require_same_version(address, client)
        # Dask would run pure tasks with equal arguments only once.
        yield client.get_executor(pure=False)
    except KilledWorker as error:
        msg = f"{address}: a piece of work killed one worker after another ({error}); look at memory and logs of the workers"
        raise WorkerError(msg) from error
    except (concurrent.futures.CancelledError, CommClosedError) as error:
        msg = f"{address}: the connection to the scheduler was lost; {KEPT}"
        raise WorkerError(msg) from error
    finally:
        client.close()


def _require_scheduler(address: str, timeout: float) -> None:
    """Raise unless a Dask scheduler answers; a client would wait for ever for an answer of any other service.

    Raises:
        WorkerError: no scheduler answers.
    """

    async def identity() -> Any:
        from distributed import rpc

        async with asyncio.timeout(timeout), rpc(address, timeout=timeout) as remote:
            return await remote.identity()

    try:
        # In a thread, as a notebook has a running event loop of its own.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            found = thread.submit(asyncio.run, identity()).result()
    except Exception as error:  # any answer of another service, even a MemoryError from a wrong length
        reason = str(error) or f"nothing within {timeout:g} s"
        msg = f"{address}: no Dask scheduler answers there ({reason}); give the address that the scheduler printed"
        raise WorkerError(msg) from error
    if found["type"] != "Scheduler":
        msg = f"{address}: a {found['type']} of Dask answers there instead of a scheduler; give the address of the scheduler"
        raise WorkerError(msg)
    if not found["workers"]:
        log.warning(f"{address}: the scheduler has no workers yet; waiting for them")


def _require_same_version(address: str, client: Any) -> None:
    """Raise unless scheduler and workers have this version of bayescomb: a worker that cannot load its task never answers.

    Raises:
        WorkerError: the scheduler or a worker has no bayescomb, or another version.
    """
    own = importlib.metadata.version("bayescomb")
    versions = client.run(importlib.metadata.version, "bayescomb", on_error="return")
    try:
        versions["the scheduler"] = client.run_on_scheduler(importlib.metadata.version, "bayescomb")
    except importlib.metadata.PackageNotFoundError as error:
        versions["the scheduler"] = error
    for where, version in versions.items():
        if version != own:
            what = f"bayescomb {version}" if isinstance(version, str) else f"no bayescomb ({version})"
            msg = f"{address}: {where} has {what}, {own} is needed; install bayescomb {own} there and start it again"
            raise WorkerError(msg)


@contextlib.contextmanager
def executor_of(*, scheduler: str | None = None, workers: int = 0) -> Iterator[concurrent.futures.Executor | None]:
    """Executor of a scheduler if an address is given, else of local processes, else ``None`` for this process.

    Args:
        scheduler: address of a Dask scheduler.
        workers: number of local processes.

    Examples:
        >>> from bayescomb.studies.executors import executor_of
        >>> with executor_of() as executor:
        ...     print(executor)
        None
    """
    if scheduler:
        with dask_executor(scheduler) as executor:
            yield executor
    elif workers:
        with local_processes(workers) as executor:
            yield executor
    else:
        yield None


@contextlib.contextmanager
def local_processes(count: int) -> Iterator[concurrent.futures.Executor]:
    """An executor on processes of this machine, which are ended at once after an error or Ctrl-C.

    Args:
        count: number of processes.

    Raises:
        OptionError: the number of processes is below 1.
        WorkerError: a process died.

    Examples:
        >>> from bayescomb.studies.executors import local_processes
        >>> with local_processes(1) as executor:
        ...     executor.submit(abs, -3).result()
        3
    """
    check_count(count, least=1, where="workers")
    others = set(multiprocessing.active_children())
    # Not forked: a process with threads, as samplers and BLAS start them, must not be forked.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent)
    try:
        with _interrupts_held():
            for _ in range(count):
                pool.submit(int)  # starts a process unless one is idle
        yield pool
        pool.shutdown()
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, concurrent.futures.BrokenExecutor):
            msg = f"a worker process died (killed, or out of memory); {KEPT}"
            raise WorkerError(msg) from error
        raise


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, and from the processes that are started in the block for ever.

    A terminal sends Ctrl-C to all of its processes; the children inherit the mask.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """End this worker when its parent ends: a parent that was killed cannot end its workers."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

"""Work on a cluster: an existing Dask scheduler, as dask-jobqueue starts it on a batch farm, as an executor.

Local processes for many independent pieces of work: they leave Ctrl-C to their parent and do not outlive it.
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


@contextlib.contextmanager
def dask_executor(address: str, *, timeout: float = CONNECT_SECONDS) -> Iterator[concurrent.futures.Executor]:
    """An executor on the workers of a Dask scheduler; what a worker that dies was doing is done again by another.

    Args:
        address: of the scheduler, e.g. ``tcp://node17:8786``.
        timeout: seconds to wait for its answer.

    Raises:
        OptionError: Dask distributed is not installed.
        WorkerError: no scheduler answers at the address, it or its workers have another bayescomb or none, it was lost, or
            a piece of work killed one worker after another.
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
        # The number is part of a task, so that two tasks with equal arguments stay apart.
        yield client.get_executor(pure=False)
    except KilledWorker as error:
        msg = f"{address}: a piece of work killed one worker after another ({error}); look at their memory and their logs"
        raise WorkerError(msg) from error
    except (concurrent.futures.CancelledError, CommClosedError) as error:
        msg = f"{address}: the scheduler was lost; what is finished is kept, the same command goes on"
        raise WorkerError(msg) from error
    finally:
        client.close()


def _require_scheduler(address: str, timeout: float) -> None:
    """Raise unless a Dask scheduler answers: a client itself would ask for ever where something else listens.

    Raises:
        WorkerError: none does.
    """

    async def identity() -> Any:
        from distributed import rpc

        async with asyncio.timeout(timeout), rpc(address, timeout=timeout) as remote:
            return await remote.identity()

    try:
        # In a thread: a notebook has a loop of its own that runs.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            found = thread.submit(asyncio.run, identity()).result()
    except Exception as error:  # any answer of another service, even a MemoryError from a wrong length
        reason = str(error) or f"nothing within {timeout:g} s"
        msg = f"{address}: no Dask scheduler answers there ({reason}); give the address that it printed when it started"
        raise WorkerError(msg) from error
    if found["type"] != "Scheduler":
        msg = f"{address}: a {found['type']} of Dask answers there, no scheduler; give the address of the scheduler"
        raise WorkerError(msg)
    if not found["workers"]:
        log.warning(f"{address}: the scheduler has no workers yet; waiting for them")


def _require_same_version(address: str, client: Any) -> None:
    """A worker that cannot load what it is sent falls over, and the study would wait for ever.

    Raises:
        WorkerError: the scheduler or a worker has no bayescomb, or another one.
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
            msg = f"{address}: {where} has {what}, {own} is needed; start it where that is installed"
            raise WorkerError(msg)


@contextlib.contextmanager
def executor_of(*, scheduler: str | None = None, workers: int = 0) -> Iterator[concurrent.futures.Executor | None]:
    """What a command line asks for: a scheduler, else local processes, else nothing, which is this process.

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
    """An executor on processes of this machine; after an error or Ctrl-C they are ended at once, whatever they do.

    Args:
        count: number of processes.

    Raises:
        OptionError: their number is not above 0.
        WorkerError: one of them died.

    Examples:
        >>> from bayescomb.studies.executors import local_processes
        >>> with local_processes(1) as executor:
        ...     executor.submit(abs, -3).result()
        3
    """
    check_count(count, least=1, where="workers")
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

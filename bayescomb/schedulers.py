"""Work on a cluster: an existing Dask scheduler, as dask-jobqueue starts it on a batch farm, as an executor."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator
from typing import Final

from bayescomb.errors import OptionError, WorkerError
from bayescomb.workers import local_processes

__all__ = ["dask_executor", "executor_of"]

CONNECT_SECONDS: Final = 15.0


@contextlib.contextmanager
def dask_executor(address: str, *, timeout: float = CONNECT_SECONDS) -> Iterator[concurrent.futures.Executor]:
    """An executor on the workers of a Dask scheduler; what a worker that dies was doing is done again by another.

    Args:
        address: of the scheduler, e.g. ``tcp://node17:8786``.
        timeout: seconds to wait for its answer.

    Raises:
        OptionError: Dask distributed is not installed.
        WorkerError: no scheduler answers at the address, it was lost, or a piece of work killed one worker after another.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as error:
        msg = "a scheduler needs Dask distributed, which is not installed; install bayescomb[dask]"
        raise OptionError(msg) from error
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        msg = f"{address}: no Dask scheduler answers there ({error}); give the address that it printed when it started"
        raise WorkerError(msg) from error
    try:
        with client:
            # A task is what it is given and its number: two of equal arguments are not one.
            yield client.get_executor(pure=False)
    except KilledWorker as error:
        msg = f"{address}: a piece of work killed one worker after another ({error}); look at their memory and their logs"
        raise WorkerError(msg) from error
    except (concurrent.futures.CancelledError, CommClosedError) as error:
        msg = f"{address}: the scheduler was lost; what is finished is kept, the same command goes on"
        raise WorkerError(msg) from error


@contextlib.contextmanager
def executor_of(*, scheduler: str | None = None, workers: int = 0) -> Iterator[concurrent.futures.Executor | None]:
    """What a command line asks for: a scheduler, else local processes, else nothing, which is this process.

    Args:
        scheduler: address of a Dask scheduler.
        workers: number of local processes.

    Examples:
        >>> from bayescomb.schedulers import executor_of
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

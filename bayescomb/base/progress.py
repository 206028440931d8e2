"""Progress of long work: a bar in a terminal or a notebook, elsewhere a line per minute."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["announced", "chain_bars", "finished_parts", "no_progress", "shows_progress", "tracked"]

log = logging.getLogger(__name__)
# Seconds between updates of the line in a notebook.
EVERY = 0.5
_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def no_progress() -> Iterator[None]:
    """Inside the block no progress is shown, unless it is asked for explicitly.

    Examples:
        >>> with no_progress():
        ...     shows_progress()
        False
    """
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def shows_progress(progress: bool | None = None) -> bool:
    """Whether to draw a bar: as asked for, by default in a terminal or a notebook.

    Args:
        progress: what the caller asked for; ``None`` decides by the terminal (standard error) or the notebook.

    Examples:
        >>> shows_progress(True), shows_progress(False)
        (True, False)
    """
    if progress is not None:
        return progress
    return not _silent.get() and (sys.stderr.isatty() or _in_notebook())


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def tracked[T](steps: Iterable[T], text: str, *, total: int | None = None, progress: bool | None = None) -> Iterator[T]:
    """The steps one by one, with a bar that disappears at the end.

    Args:
        steps: the steps of the work.
        text: description in front of the bar.
        total: number of steps, needed where ``steps`` has no length.
        progress: as in :func:`shows_progress`.

    Examples:
        >>> list(tracked([1, 2], "counting", progress=False))
        [1, 2]
    """
    if not shows_progress(progress):
        yield from steps
        return
    count = len(steps) if total is None and isinstance(steps, Sized) else total
    if _in_notebook():
        yield from _tracked_in_notebook(steps, text, count)
        return
    from rich.console import Console
    from rich.progress import track

    # Results go to standard output and the bar must not mix with them.
    console = Console(file=sys.stderr)
    yield from track(steps, description=text, total=count, console=console, transient=True)


def _tracked_in_notebook[T](steps: Iterable[T], text: str, count: int | None) -> Iterator[T]:
    """A line that is rewritten twice a second and empty at the end; it needs no package but IPython."""
    display = sys.modules["IPython"].display.display
    handle = display({"text/plain": text}, raw=True, display_id=True)
    last = time.monotonic()
    try:
        for i, step in enumerate(steps):
            yield step
            if time.monotonic() - last > EVERY:
                last = time.monotonic()
                handle.update({"text/plain": f"{text}: {i + 1}{f' of {count}' if count is not None else ''}"}, raw=True)
    finally:
        handle.update({"text/plain": ""}, raw=True)


@contextmanager
def chain_bars(chains: int, *, shown: bool) -> Iterator[Callable[[Sequence[Any]], None] | None]:
    """A bar for each chain on standard error, with its name, divergences and remaining time.

    Args:
        chains: number of chains.
        shown: whether to show bars.

    Yields:
        A callback for the sampler, which takes one object per chain with ``finished_draws``, ``total_draws`` and
        ``divergences``; ``None`` without bars.
    """
    # In a notebook rich needs ipywidgets for moving bars, and warns where they are not installed.
    if not shown or (_in_notebook() and importlib.util.find_spec("ipywidgets") is None):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[divergences]} divergences"),
        TimeRemainingColumn(),
    )
    console = None if _in_notebook() else Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True) as bars:
        names = [bars.add_task(f"chain {i + 1}", total=None, divergences=0) for i in range(chains)]

        def update(states: Sequence[Any]) -> None:
            for name, state in zip(names, states, strict=False):
                bars.update(name, completed=state.finished_draws, total=state.total_draws, divergences=state.divergences)

        yield update


@contextmanager
def announced(text: str, *, progress: bool | None = None, every: float = 60.0) -> Iterator[None]:
    """Announce a step: at once in a terminal or notebook, by a line per minute in a file or a pipe.

    Args:
        text: description of the step.
        progress: as in :func:`shows_progress`; ``False`` prints nothing.
        every: seconds between lines.

    Examples:
        >>> with announced("counting", progress=False):
        ...     sum([1, 2])
        3
    """
    if progress is False or (progress is None and _silent.get()):
        yield
        return
    if shows_progress(progress):
        sys.stderr.write(f"{text}\n")
        yield
        return
    done, begun = threading.Event(), time.monotonic()

    def lines() -> None:
        while not done.wait(every):
            sys.stderr.write(f"{text}: {time.monotonic() - begun:.0f} s so far\n")

    thread = threading.Thread(target=lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def finished_parts[T](parts: Iterable[T], text: str) -> tuple[tuple[T, ...], bool]:
    """All parts, or after Ctrl-C the finished ones with a warning in the log, and whether Ctrl-C came.

    Args:
        parts: made one after the other.
        text: name of the parts, in the plural.

    Raises:
        KeyboardInterrupt: nothing was finished.

    Examples:
        >>> finished_parts(iter("ab"), "letters")
        (('a', 'b'), False)
    """
    found: list[T] = []
    try:
        for part in parts:
            found.append(part)  # noqa: PERF402  # one by one: parts made before an interruption are kept
    except KeyboardInterrupt:
        if not found:
            raise
        log.warning(f"interrupted: the first {len(found)} {text} are finished and kept; run it again for all of them")
        return tuple(found), True
    return tuple(found), False

"""Studies: many independent pieces of work on one combination, on any executor, each kept in a folder when it is finished.

``study.json`` holds the combination and the settings, a second file one JSON record per line for each finished piece, in the
order of finishing.  An interrupted study is continued; pieces that a worker lost are done again, and each is kept once.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import json
import threading
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bayescomb.base.errors import OptionError
from bayescomb.base.files.working_folders import locked
from bayescomb.base.files.writing import cannot_write, write_json
from bayescomb.base.progress import tracked
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.serialise import SETTINGS, combination_from_json, combination_to_json, difference

__all__ = ["Piece", "Study", "completed", "opened_study", "restored", "stored_settings", "study_records"]

STUDY: Final = "study.json"
LOCK: Final = ".lock"
# Pieces given to an executor at a time: enough for a few hundred workers, with little memory.
WINDOW: Final = 400
ONE_AT_A_TIME: Final = threading.Lock()

type Record = dict[str, Any]
type Piece = Callable[[bytes, str, Any], Record]


@dataclass(frozen=True, kw_only=True)
class Study:
    """An open study.

    Attributes:
        folder: of the study.
        file: name of the file of records.
        key: field that identifies the piece of a record.
        kind: type of the value of this field, ``int`` or ``str``.
        model: the combination as compressed JSON, an argument of every piece.
        settings: as JSON text, an argument of every piece.
    """

    folder: Path
    file: str
    key: str
    kind: type
    model: bytes
    settings: str

    def records(self) -> list[Record]:
        """Finished pieces, see :func:`study_records`."""
        return study_records(self.folder, self.file, self.key, self.kind)

    def extend(
        self,
        piece: Piece,
        tasks: Collection[Any],
        *,
        executor: concurrent.futures.Executor | None,
        text: str,
        progress: bool | None,
    ) -> None:
        """Do the tasks that have no record, and keep each result as soon as it is there.

        Args:
            piece: function of model, settings and task, defined in a module so that it can be sent to other processes.
            tasks: all tasks of the study.
            executor: runs them; this process if it is ``None``.
            text: name of the work, for the progress bar.
            progress: as in :func:`bayescomb.base.progress.tracked`.

        Raises:
            OutputError: a record cannot be written.
        """
        done = {record[self.key] for record in self.records()}
        missing = [task for task in tasks if task not in done]
        path = self.folder / self.file
        results = completed(functools.partial(piece, self.model, self.settings), missing, executor)
        try:
            stream = path.open("ab", buffering=0)  # unbuffered, so that closing cannot fail
        except OSError as error:
            raise cannot_write(path, error) from error
        with stream:
            self._write(path, stream, "\n" if stream.tell() else "")  # ends a line that was cut off
            for record in tracked(results, text, total=len(missing), progress=progress):
                self._write(path, stream, json.dumps(record) + "\n")

    @staticmethod
    def _write(path: Path, stream: Any, text: str) -> None:
        rest = text.encode()
        try:
            while rest:
                rest = rest[stream.write(rest) :]
        except OSError as error:
            raise cannot_write(path, error, what="cannot be written, earlier records are kept") from error


def completed(
    function: Callable[[Any], Record], tasks: Collection[Any], executor: concurrent.futures.Executor | None
) -> Iterator[Record]:
    """Results in the order of finishing; an executor never has more than a few hundred tasks.

    Args:
        function: of one task.
        tasks: its arguments.
        executor: runs them; this process, one after the other, if it is ``None``.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from bayescomb.studies.study_folder import completed
        >>> with ThreadPoolExecutor(2) as executor:
        ...     sorted(record["square"] for record in completed(lambda n: {"square": n * n}, range(4), executor))
        [0, 1, 4, 9]
    """
    if executor is None:
        yield from map(function, tasks)
        return
    waiting = iter(tasks)
    running = {executor.submit(_guarded, function, task) for task in itertools.islice(waiting, WINDOW)}
    try:
        while running:
            finished, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            running |= {executor.submit(_guarded, function, task) for task in itertools.islice(waiting, len(finished))}
            for future in sorted(finished, key=_failed):  # results first, as an error ends the loop
                yield future.result()
    finally:
        for future in running:
            future.cancel()


def _guarded(function: Callable[[Any], Record], task: Any) -> Record:
    """Run one piece at a time per process, also where its threads are workers: a compiled density has one data buffer."""
    with ONE_AT_A_TIME:
        return function(task)


def _failed(future: concurrent.futures.Future[Record]) -> bool:
    return future.cancelled() or future.exception() is not None


@contextlib.contextmanager
def opened_study(
    folder: str | Path, combination: Combination, settings: Record, *, file: str, key: str, kind: type
) -> Iterator[Study]:
    """A study, new or to be continued, locked for this process, as two processes would do the same work.

    Args:
        folder: made if it is absent.
        combination: what is studied.
        settings: a study is continued only with the same settings.
        file: this and what follows as in :class:`Study`.
        key: likewise.
        kind: likewise.

    Raises:
        OptionError: the folder holds another study, or a damaged one.
        OutputError: the folder cannot be written, or is used by another process.
    """
    folder = Path(folder)
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / LOCK, what="the study"))
        except OSError as error:
            raise cannot_write(folder, error) from error
        text = combination_to_json(combination)
        if (folder / STUDY).is_file():
            _require_same(folder, combination, settings)
        else:
            write_json({"name": combination.name, "settings": settings, "model": json.loads(text)}, folder / STUDY)
        model = zlib.compress(text.encode())
        yield Study(folder=folder, file=file, key=key, kind=kind, model=model, settings=json.dumps(settings))


def _require_same(folder: Path, combination: Combination, settings: Record) -> None:
    found = _stored(folder)
    changed = [name for name in settings if found["settings"].get(name) != settings[name]]
    what = ", ".join(f"{name} = {found['settings'].get(name)!r}" for name in changed)
    if not what:
        own = combination_from_json(json.dumps(found["model"]))
        what = ", ".join(name for name in SETTINGS if getattr(own, name) != getattr(combination, name))
        what = what or difference(own, combination)
        what = f"of another model, which differs in {what}" if what else ""
    if what or set(found["settings"]) != set(settings):
        msg = f"{folder}: holds another study ({what}); name another folder, or continue that study with its own settings"
        raise OptionError(msg)


def stored_settings(folder: str | Path) -> Record:
    """Settings of the study in a folder, empty if there is no study.

    Raises:
        OptionError: the study is damaged.
    """
    return dict(_stored(Path(folder))["settings"]) if (Path(folder) / STUDY).is_file() else {}


def _stored(folder: Path) -> Record:
    path = folder / STUDY
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found.get("settings"), dict) and "model" in found:
            return found
    except (OSError, ValueError):
        pass
    msg = f"{path}: damaged, or not a study of bayescomb; restore the file, or name another folder"
    raise OptionError(msg)


def study_records(folder: str | Path, file: str, key: str, kind: type) -> list[Record]:
    """Records of finished pieces, each once, in the order of finishing; lines that are no complete record are left out.

    Args:
        folder: this and what follows as in :class:`Study`.
        file: likewise.
        key: likewise.
        kind: likewise.
    """
    path = Path(folder) / file
    found: dict[Any, Record] = {}
    if path.is_file():
        for line in path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # not JSON, or not text
                continue
            if isinstance(record, dict) and isinstance(record.get(key), kind):
                found.setdefault(record[key], record)
    return list(found.values())


@functools.lru_cache(maxsize=2)
def restored(model: bytes) -> Combination:
    """The combination of a study, read once in each process."""
    return combination_from_json(zlib.decompress(model).decode())

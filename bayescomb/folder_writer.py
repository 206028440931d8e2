"""Several files that appear together or not at all, and the trace of a process that died while it put them in place."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bayescomb.beside import ASIDE, abandoned, siblings, working_folder
from bayescomb.errors import FileFormatError, OutputError
from bayescomb.locks import locked
from bayescomb.outputs import cannot_write

__all__ = ["require_whole", "written_into"]

LOCK: Final = ".bayescomb.lock"


@contextlib.contextmanager
def written_into(folder: Path, texts: Mapping[str, str], *, last: str, overwrite: bool) -> Iterator[Path]:
    """A temporary folder with the files; they move to their place when the block ends without an error.

    A folder that is absent appears at once and complete; in one that is there the files are replaced one by one, and put
    back if that fails.  If the process is killed just then, copies of all old files are in the working folder that it
    leaves, and :func:`require_whole` keeps readers from a mixture of old and new ones.

    Args:
        folder: where they go; its parent must be there.
        texts: name -> text.
        last: name of the file that makes the others count.
        overwrite: whether files of these names may be replaced.

    Raises:
        OutputError: a file is there already, or the place cannot be written; nothing has changed then.
    """
    try:
        if "\0" in str(folder) or (folder.exists() and not folder.is_dir()):
            msg = f"{folder}: not a folder; choose another place"
            raise OutputError(msg)
        found = [name for name in (last, *sorted(texts)) if os.path.lexists(folder / name)]
        if found and not (overwrite and all((folder / name).is_file() for name in found)):
            msg = f"{folder / found[0]}: there already; choose another place, or overwrite it on purpose"
            raise OutputError(msg)
        with working_folder((folder if folder.exists() else folder.parent) / last) as staged:
            new = staged / "new"
            new.mkdir()
            for name, text in texts.items():
                _write(new / name, text)
            yield new
            if folder.exists():
                _move_in(new, folder, staged, last=last)
            else:
                new.replace(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    except UnicodeError as error:  # half of a character pair in a title
        msg = f"{folder}: cannot be written ({error}); use plain text"
        raise OutputError(msg) from error


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _move_in(new: Path, folder: Path, staged: Path, *, last: str) -> None:
    """The files move into the folder, the one that matters last; an error undoes all of it."""
    copies, aside = staged / "old", staged / ASIDE
    copies.mkdir()
    with locked(folder / LOCK, what="the model", wait=True):
        names = sorted((p.name for p in new.iterdir()), key=lambda name: (name == last, name))
        for name in names:
            if os.path.lexists(folder / name):
                shutil.copy2(folder / name, copies / name, follow_symlinks=False)
        copies.rename(aside)  # from here on a reader must know
        done: list[str] = []
        try:
            for name in names:
                done.append(name)
                (new / name).rename(folder / name)
        except BaseException:
            for name in reversed(done):
                if os.path.lexists(aside / name):
                    (aside / name).replace(folder / name)
                elif not (new / name).exists():
                    (folder / name).unlink(missing_ok=True)
            aside.replace(copies)
            raise
        aside.replace(copies)
        for other in siblings(folder / last):  # what a killed process left is whole again
            if abandoned(other):
                shutil.rmtree(other, ignore_errors=True)


def require_whole(path: Path) -> None:
    """Raise if the files of a model are being replaced, or were when the process that did it died.

    Args:
        path: the main file of the model.

    Raises:
        FileFormatError: some files may be old and some new.

    Examples:
        >>> from pathlib import Path
        >>> from bayescomb.folder_writer import require_whole
        >>> require_whole(Path("models/run1_mass/model.toml"))
    """
    unfinished = [staged / ASIDE for staged in siblings(path) if (staged / ASIDE).is_dir()]
    if unfinished:
        if abandoned(unfinished[0].parent):
            what = "was not finished, some may be old and some new; write them again with --overwrite, or move those from"
            msg = f"{path}: replacing the files of this model {what} before back from {unfinished[0]} and remove that folder"
        else:
            msg = f"{path}: another process is replacing the files of this model; wait for it"
        raise FileFormatError(msg)

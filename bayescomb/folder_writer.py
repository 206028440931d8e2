"""Several files that appear together or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bayescomb.errors import OutputError

__all__ = ["replace_folder", "written_into"]


@contextlib.contextmanager
def written_into(folder: Path, texts: Mapping[str, str], *, last: str, overwrite: bool) -> Iterator[Path]:
    """A temporary folder with the files; they move to their place when the block ends without an error.

    A folder that is absent appears at once and complete; in one that is there the files are replaced one by one, and put
    back if that fails.

    Args:
        folder: where they go; its parent must be there.
        texts: name -> text.
        last: name of the file that makes the others count.
        overwrite: whether files of these names may be replaced.

    Raises:
        OutputError: a file is there already, or the place cannot be written; nothing has changed then.
    """
    staged: Path | None = None
    try:
        if "\0" in str(folder) or (folder.exists() and not folder.is_dir()):
            msg = f"{folder}: not a folder; choose another place"
            raise OutputError(msg)
        found = [name for name in (last, *sorted(texts)) if os.path.lexists(folder / name)]
        if found and not (overwrite and all((folder / name).is_file() for name in found)):
            msg = f"{folder / found[0]}: there already; choose another place, or overwrite it on purpose"
            raise OutputError(msg)
        parent = folder if folder.exists() else folder.parent
        staged = Path(tempfile.mkdtemp(dir=parent, prefix=f".{last}.", suffix=".part"))
        new = staged / "new"
        new.mkdir()
        for name, text in texts.items():
            _write(new / name, text)
        yield new
        if folder.exists():
            _move_in(new, folder, staged / "old", last=last)
        else:
            new.replace(folder)
    except (OSError, UnicodeError) as error:  # UnicodeError: half of a character pair in a title
        reason = getattr(error, "strerror", None) or error
        msg = f"{folder}: cannot be written ({reason}); choose a writable place with enough room, and plain text"
        raise OutputError(msg) from error
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _move_in(new: Path, folder: Path, old: Path, *, last: str) -> None:
    """The files move into the folder, the one that matters last; an error undoes all of it."""
    old.mkdir()
    done: list[str] = []
    try:
        for name in sorted((p.name for p in new.iterdir()), key=lambda name: (name == last, name)):
            done.append(name)
            if os.path.lexists(folder / name):
                (folder / name).rename(old / name)
            (new / name).rename(folder / name)
    except BaseException:
        for name in reversed(done):
            if os.path.lexists(old / name):
                (old / name).replace(folder / name)
            elif not (new / name).exists():
                (folder / name).unlink(missing_ok=True)
        raise


def replace_folder(temporary: Path, target: Path) -> None:
    """Put a new folder in the place of an old one, if there is one, which comes back if that fails."""
    if not target.exists():
        temporary.rename(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".old"))
    target.rename(old / target.name)
    try:
        temporary.rename(target)
    except OSError:
        (old / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)

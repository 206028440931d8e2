"""Outputs of the commands: text, JSON, posteriors, exit codes.  An output that cannot be written costs no other one."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from bayescomb.base.errors import OutputError
from bayescomb.base.files.writing import cannot_write, require_file, require_folder

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "EXIT_ERROR",
    "EXIT_INTERRUPTED",
    "EXIT_NOT_CONVERGED",
    "STANDARD",
    "flush_output",
    "json_alone",
    "require_outputs",
    "save_sampled",
    "say",
    "show",
    "silence_output",
    "write_result",
]

# First bytes of the files that commands write, and endings of files that a wrong --output must not replace.
BEGINNINGS: Final = {".json": b"{", ".nc": b"\x89HDF", ".html": b"<!doctype html>"}
KEPT_ENDINGS: Final = {".toml", ".csv", ".txt", ".yaml", ".yml", *BEGINNINGS}
EXIT_ERROR: Final = 2
EXIT_NOT_CONVERGED: Final = 3
EXIT_INTERRUPTED: Final = 130
STANDARD_OUTPUT: Final = "standard output"
# The path by which --json names it.
STANDARD: Final = Path("-")
_json_stream: ContextVar[TextIO | None] = ContextVar("json_stream", default=None)


def say(text: str, *, wrap: bool = True) -> None:
    """A text on standard output.

    Args:
        text: what is said.
        wrap: break its long lines of prose.

    Raises:
        OutputError: it cannot be written.
    """
    from bayescomb.output.text_layout import wrapped

    with _standard_output():
        sys.stdout.write((wrapped(text) if wrap else text) + "\n")


def flush_output() -> None:
    """Write out the buffer of standard output.

    Raises:
        OutputError: it cannot be written.
    """
    with _standard_output():
        sys.stdout.flush()


@contextlib.contextmanager
def _standard_output() -> Iterator[None]:
    if sys.stdout is None:  # closed by the parent process, which wants no text
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # stays open until the interpreter ends
    try:
        yield
    except BrokenPipeError:
        raise  # no fault: the reader has closed the pipe
    except OSError as error:
        raise cannot_write(STANDARD_OUTPUT, error) from error


def silence_output() -> None:
    """Discard what cannot be written, so that the interpreter does not try again at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # stays open until the interpreter ends


def show(text: str, data: Callable[[], dict[str, object]], path: Path | None, *, wrap: bool = True) -> None:
    """A result as text and, if asked for, as JSON.

    Args:
        text: for people.
        data: makes the same result as plain data.
        path: file of the JSON, ``None`` for none.
        wrap: break long lines of the text.

    Raises:
        OutputError: one of them cannot be written; the other is.
    """
    try:
        if path is not None:
            write_result(data(), path, named=False)
    finally:
        say(text, wrap=wrap)
    if path not in (None, STANDARD):
        say(str(path))


def write_result(data: dict[str, object], path: Path, *, named: bool = True) -> None:
    """Write JSON to its file, whose name is printed, or to standard output.

    Raises:
        OutputError: it cannot be written.
    """
    from bayescomb.base.files.writing import json_text, write_json

    if path != STANDARD:
        write_json(data, path)
        if named:
            say(str(path))
        return
    with _standard_output():
        stream = _json_stream.get() or sys.stdout
        stream.write(json_text(data))
        stream.flush()


def require_outputs(options: argparse.Namespace) -> None:
    """Check before minutes of work that every output can be written.

    Raises:
        OutputError: one of them cannot.
    """
    json_file, output = getattr(options, "json", None), getattr(options, "output", None)
    if json_file not in (None, STANDARD):
        require_file(json_file)
        _require_replaceable(json_file, ending=".json")
    if output is not None:
        is_file = options.output_kind == "file" or (options.output_kind == "either" and output.suffix)
        (require_file if is_file else require_folder)(output)
        if options.output_ending:
            _require_replaceable(output, ending=options.output_ending)
            if json_file is not None and json_file.resolve() == output.resolve():
                msg = f"--json {json_file}: --output names the same file; give each a file of its own"
                raise OutputError(msg)
    if getattr(options, "target", None) is not None and options.run == "run_convert":
        (require_file if options.target.suffix in {".toml", ".txt"} else require_folder)(options.target)


def _require_replaceable(path: Path, *, ending: str) -> None:
    """Refuse to replace a model, its tables or a posterior by an output of another kind.

    Args:
        path: of an output.
        ending: usual ending of the output, a key of ``BEGINNINGS``; a file with this ending or these first bytes may be
            replaced.

    Raises:
        OutputError: a file of another kind is there.
    """
    found = path.suffix.lower()
    if found == ending or found not in KEPT_ENDINGS or not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        if file.read(len(BEGINNINGS[ending])) == BEGINNINGS[ending]:
            return
    msg = f"{path}: there already, and no {ending} file, so it is kept; name another file, or move this one away"
    raise OutputError(msg)


@contextlib.contextmanager
def json_alone() -> Iterator[None]:
    """Keep standard output for JSON; texts go to standard error."""
    token = _json_stream.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _json_stream.reset(token)


def save_sampled(posterior: xr.DataTree, path: Path) -> None:
    """Write a posterior to its file, or to the folder of temporary files if that fails, as on a full disk.

    Raises:
        OutputError: the file cannot be written; the message says where the posterior is instead.
    """
    from bayescomb.sampling.posterior.storage import save_posterior

    try:
        save_posterior(posterior, path)
    except OutputError as error:
        try:
            kept = save_posterior(posterior, Path(tempfile.mkdtemp(prefix="bayescomb-")) / path.name)
        except (OutputError, OSError):
            raise error from None
        msg = f"{error}; the posterior is kept in {kept}, move it to its place"
        raise OutputError(msg) from error

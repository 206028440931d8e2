"""What commands leave: text, JSON, posteriors and exit codes; no output is lost because another cannot be written."""

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

# How the files that commands write begin, and the endings of files that hold what took somebody work.
BEGINNINGS: Final = {".json": b"{", ".nc": b"\x89HDF", ".html": b"<!doctype html>"}
KEPT_ENDINGS: Final = {".toml", ".csv", ".txt", ".yaml", ".yml", *BEGINNINGS}
EXIT_ERROR: Final = 2
EXIT_NOT_CONVERGED: Final = 3
EXIT_INTERRUPTED: Final = 130
STANDARD_OUTPUT: Final = "standard output"
# What --json takes for it.
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
    """Everything said is really written.

    Raises:
        OutputError: it cannot be.
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
    """The interpreter must not try at its end to flush what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # stays open until the interpreter ends


def show(text: str, data: Callable[[], dict[str, object]], path: Path | None, *, wrap: bool = True) -> None:
    """A result as text and, if asked for, as JSON.

    Args:
        text: for people.
        data: makes the same for programs.
        path: where the JSON goes, if anywhere.
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
    """JSON in its file, whose name is said, or on standard output.

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
    """Minutes of work must not end at an output that cannot be written.

    Raises:
        OutputError: one of those that were asked for cannot be.
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
                msg = f"--json {json_file}: --output goes there too; give each a file of its own"
                raise OutputError(msg)
    if getattr(options, "target", None) is not None and options.run == "run_convert":
        (require_file if options.target.suffix in {".toml", ".txt"} else require_folder)(options.target)


def _require_replaceable(path: Path, *, ending: str) -> None:
    """A model, its tables or a posterior must not become the file of an output by a slip of the fingers.

    Args:
        path: of an output.
        ending: its usual one, a key of ``BEGINNINGS``; a file that has it, or begins like one, may be replaced.

    Raises:
        OutputError: another kind of file stands there.
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
    """Standard output is for JSON: what is said to people goes where errors go."""
    token = _json_stream.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _json_stream.reset(token)


def save_sampled(posterior: xr.DataTree, path: Path) -> None:
    """A posterior in its file, or in the folder of temporary files if the disk has become full meanwhile.

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
        msg = f"{error}; what was sampled is kept in {kept}, move it to its place"
        raise OutputError(msg) from error

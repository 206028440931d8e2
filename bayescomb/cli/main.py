"""Command line: runs a command, and prints its errors and warnings."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Final

from bayescomb.base.errors import BayescombError, InputWarning, OutputError
from bayescomb.cli.command_list import COMMANDS
from bayescomb.cli.parser import command_parser

__all__ = ["main"]

WARNINGS_OF_A_KIND: Final = 3
VARIES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")

_show_warning = warnings.showwarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``bayescomb``; those of the process by default.

    Returns:
        0; 2 after an error; 3 if the posterior that was written has not converged; 130 after Ctrl-C.
    """
    parser = command_parser(COMMANDS, version=_version)
    options = parser.parse_args(arguments)
    if not options.run:
        parser.print_help()
        return 0
    if options.quiet and options.verbose:  # one before and one after the command
        parser.error("argument --verbose: not allowed with argument --quiet")
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    # Imported here, as --help and a typing error do not need them.
    import logging

    from bayescomb.base.progress import no_progress
    from bayescomb.cli import commands
    from bayescomb.cli.output import (
        EXIT_ERROR,
        EXIT_INTERRUPTED,
        STANDARD,
        flush_output,
        json_alone,
        require_outputs,
        silence_output,
    )

    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(name)s: %(message)s")
    limit = 0 if options.quiet else None if options.verbose else WARNINGS_OF_A_KIND
    try:
        with warnings.catch_warnings(), no_progress() if options.quiet else contextlib.nullcontext():
            warnings.simplefilter("always", InputWarning)
            warnings.showwarning = said = _Warnings(limit=limit)
            try:
                require_outputs(options)
                with json_alone() if getattr(options, "json", None) == STANDARD else contextlib.nullcontext():
                    code = int(getattr(commands, options.run)(options))
            finally:
                said.finish()
            flush_output()
            return code
    except BrokenPipeError:
        # The reader of the output has closed it, as ``| head`` does.
        silence_output()
        return EXIT_ERROR
    except BayescombError as error:
        sys.stderr.write(f"bayescomb: {type(error).__name__}: {error}\n")
        if isinstance(error, OutputError):
            silence_output()
        return EXIT_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("bayescomb: interrupted; files named above are complete, nothing else was written\n")
        return EXIT_INTERRUPTED


def _version() -> str:
    import bayescomb

    return bayescomb.__version__


class _Warnings:
    """Warnings about inputs are printed like errors, a few of each kind; other warnings in the usual form."""

    def __init__(self, *, limit: int | None) -> None:
        self.limit = limit
        self.kinds: Counter[str] = Counter()

    def __call__(self, message: Warning | str, category: type[Warning], *details: object, **named: object) -> None:
        if not issubclass(category, InputWarning):
            _show_warning(message, category, *details, **named)  # type: ignore[arg-type]
            return
        # Two warnings that differ in names, numbers and places only are of one kind.
        kind = VARIES.sub("", str(message).partition(": ")[2])
        self.kinds[kind] += 1
        if self.limit is None or self.kinds[kind] <= self.limit:
            sys.stderr.write(f"bayescomb: warning: {message}\n")

    def finish(self) -> None:
        """Print how many warnings were left out."""
        more = 0 if not self.limit else sum(max(count - self.limit, 0) for count in self.kinds.values())
        if more:
            from bayescomb.base.rounding import counted

            sys.stderr.write(f"bayescomb: {counted(more, 'more warnings')} of these kinds; --verbose prints all\n")

"""The command ``table``: inputs and results as publications of averages print them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from bayescomb.base.errors import OptionError, OutputError
from bayescomb.cli.loading import load_model
from bayescomb.cli.output import show

if TYPE_CHECKING:
    from pathlib import Path

    from bayescomb.base.choices import TableFormat
    from bayescomb.output.averages import Averages
    from bayescomb.output.tables.table import Table

__all__ = ["run_table"]

DEFAULT: Final = "breakdown"
# The first line of every table states the settings; by this word a table of this command is recognised.
MARK: Final = "assumption set"
ENDINGS: Final[dict[str, TableFormat]] = {".txt": "text", ".tex": "latex", ".csv": "csv", ".html": "html"}


def run_table(options: argparse.Namespace) -> int:
    """Print tables, or write them to a file."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.averages import EVERYTHING, averages
    from bayescomb.output.tables.averages import average_tables

    asked = options.of or [DEFAULT]
    of = list(EVERYTHING) if "all" in asked else list(dict.fromkeys(asked))
    groups = _groups(options)
    if groups is not None and "groups" not in of:
        msg = f"--group {options.group[0]}: it has no effect without --of groups; add that, or leave --group out"
        raise OptionError(msg)
    form = _form(options)
    found = averages(profile(load_model(options)), of=of, groups=groups, scale=options.scale_factor)
    tables = [table for table in average_tables(found, of=of).values() if table.rows]
    written = _written(tables, found, form)
    if options.output is not None:
        _save(written, options.output)
        written = str(options.output)
    show(written, lambda: _data(tables, found), options.json, wrap=form == "text")
    return 0


def _groups(options: argparse.Namespace) -> dict[str, list[str]] | None:
    """Group -> patterns of its estimates; ``None`` without ``--group``.

    Raises:
        OptionError: an option is not of the form ``NAME=PATTERN,...``.
    """
    if not options.group:
        return None
    groups: dict[str, list[str]] = {}
    for text in options.group:
        name, equals, patterns = text.partition("=")
        found = [p.strip() for p in patterns.split(",") if p.strip()]
        if not (name and equals and found):
            msg = f'--group {text}: NAME=PATTERN,... is needed, as in --group "dilepton=*dilepton*"'
            raise OptionError(msg)
        groups.setdefault(name, []).extend(found)
    return groups


def _form(options: argparse.Namespace) -> TableFormat:
    """Format of the tables.

    Raises:
        OptionError: the ending of the file is unknown, or belongs to another format than ``--format``.
    """
    if options.output is None:
        return options.format or "text"
    found = ENDINGS.get(options.output.suffix.lower())
    if found is None or options.format not in {None, found}:
        needed = [ending for ending, form in ENDINGS.items() if options.format in {None, form}]
        asked = f" for --format {options.format}" if options.format else ""
        msg = f"--output {options.output}: the ending {options.output.suffix!r} found{asked}, needed: {' or '.join(needed)}"
        raise OptionError(msg)
    return found


def _written(tables: list[Table], found: Averages, form: TableFormat) -> str:
    """All tables in one text."""
    from bayescomb.output.statements import header
    from bayescomb.output.tables.table import csv_table, html_table, latex_table
    from bayescomb.output.text.fit import scale_lines

    if form == "text":
        from bayescomb.base.rounding import plain

        lines = [header(found.combination), *scale_lines(found.fit)]
        return "\n".join([*lines, *(f"\n{plain(table.title)}\n{table.text}" for table in tables)])
    write = {"latex": latex_table, "csv": csv_table, "html": html_table}[form]
    return "\n".join(write(table, found.combination) for table in tables).rstrip("\n")


def _save(text: str, path: Path) -> None:
    """Write the text to the file.

    Raises:
        OutputError: the file exists and is no table of this command.
    """
    from bayescomb.base.files.writing import written_beside

    if path.is_file() and path.stat().st_size:
        with path.open(encoding="utf-8", errors="replace") as stream:
            ours = MARK in stream.readline()
        if not ours:
            msg = f"{path}: there already, and no table of this command, so it is kept; name another file, or move it away"
            raise OutputError(msg)
    with written_beside(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _data(tables: list[Table], found: Averages) -> dict[str, object]:
    """The rows of the tables in full precision, by the names of the tables."""
    from bayescomb.base.files.writing import plain_value
    from bayescomb.output.statements import header_data

    scale = found.fit.scale
    return {
        **header_data(found.combination),
        "chi2": plain_value(found.fit.chi2),
        "ndf": found.fit.ndf,
        "p_value": found.fit.p_value,
        "scale_factor": None if scale is None else {"rule": scale.rule, "factors": dict(scale.factors)},
        "tables": {table.name: [{key: plain_value(row.get(key)) for key in row} for row in table.rows] for table in tables},
    }

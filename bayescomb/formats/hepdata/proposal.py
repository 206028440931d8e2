"""Proposes a mapping for a submission that has none yet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from bayescomb.base.errors import BayescombError, FileFormatError
from bayescomb.formats.hepdata.breakdown import reads_independent
from bayescomb.formats.hepdata.quoted import mostly_above
from bayescomb.formats.hepdata.record.submission import Submission, read_submission
from bayescomb.formats.hepdata.record.tables import NO_LABEL, Column, Table
from bayescomb.formats.hepdata.record.units import is_percent, same_unit

__all__ = ["proposed_tables", "refuse_bare"]

MAX_TABLES: Final = 30
MAX_NAMES: Final = 12
LENGTH: Final = 40


def refuse_bare(path: Path) -> NoReturn:
    """Refuse a submission without a model file, and propose one.

    Raises:
        FileFormatError: always, with the proposed model file in the message, or because the submission cannot be read.
    """
    record = _Record.of(read_submission(path))
    values = record.values
    rows = _measured_rows(values)
    unit = values.columns[0].unit if values else ""
    text = "\n".join(
        [
            "format = 1",
            'name = "NAME"',
            "observables = [",
            *(
                f"  {{ name = {json.dumps(f'observable {i}')}{f', unit = {json.dumps(unit)}' if unit else ''} }},"
                for i, _ in enumerate(rows, 1)
            ),
            "]",
            '# sources = [{ name = "JES" }]  # the patterns below assign nuisances to them',
            "",
            _entry(record, "." if path.is_dir() else path.name),
            "",
            "[[assumption_sets]]",
            'name = "nominal"',
        ]
    )
    place = "in it" if path.is_dir() else "beside them"
    msg = (
        f"{path}: tables of HEPData do not state which values to combine and what is correlated; write a model.toml "
        f"{place}; a proposal to be completed:\n\n{text}\n"
    )
    raise FileFormatError(msg)


def proposed_tables(submission: Submission) -> str:
    """The table ``[measurements.tables]``, with the tables, columns and labels of the submission as comments.

    Examples:
        >>> from bayescomb.formats.hepdata.record.layouts import yaml_table
        >>> from bayescomb.formats.hepdata.record.submission import Entry, Submission
        >>> cells = [{"value": 1, "errors": [{"symerror": 0.1, "label": "stat"}, {"symerror": 0.2, "label": "sys"}]}]
        >>> data = {"dependent_variables": [{"header": {"name": "SIG", "units": "PB"}, "values": cells}]}
        >>> table = yaml_table(data, name="Table 1", description="", where="t.yaml")
        >>> print(proposed_tables(Submission(where=".", entries=(Entry(name="Table 1", where="", read=lambda: table),))))
        [measurements.tables]
        values = "Table 1"
        statistical = "stat"
        labels = ["sys"]
        # "Table 1": 1 row, column "SIG" [PB]; labels "stat", "sys"
    """
    return _tables(_Record.of(submission))


@dataclass(frozen=True, kw_only=True)
class _Record:
    """The first tables of a submission, each read once: its name, and the table or the error of its reader."""

    found: tuple[tuple[str, Table | BayescombError], ...]
    more: int

    @classmethod
    def of(cls, submission: Submission) -> _Record:
        found: list[tuple[str, Table | BayescombError]] = []
        for entry in submission.entries[:MAX_TABLES]:
            try:
                found.append((entry.name, entry.table))
            except BayescombError as error:
                found.append((entry.name, error))
        return cls(found=tuple(found), more=len(submission.entries) - len(found))

    @property
    def tables(self) -> list[Table]:
        return [table for _, table in self.found if isinstance(table, Table)]

    @property
    def values(self) -> Table | None:
        """The first table with labelled errors, or the first that is no matrix."""
        tables = [t for t in self.tables if not _is_square(t)]
        return next((t for t in tables if any(c.labels for c in t.columns)), tables[0] if tables else None)


def _entry(record: _Record, path: str) -> str:
    rows = _measured_rows(record.values)
    observables = ", ".join(json.dumps(f"observable {i}") for i in range(1, len(rows) + 1))
    shown = ", ".join(_plain(row) for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    lines = [
        "[[measurements]]",
        'name = "NAME"',
        'experiment = "EXPERIMENT"',
        f"hepdata = {json.dumps(path, ensure_ascii=False)}",
        f"observables = [{observables}]  # for the rows {shown}",
        '# sources = { "PATTERN*" = "JES" }  # patterns of labels -> sources of the list above',
        "",
        _tables(record),
    ]
    return "\n".join(lines)


def _measured_rows(values: Table | None) -> list[str]:
    """Labels of the rows that hold a number."""
    if values is None:
        return []
    return [row for row, cell in zip(values.rows, values.columns[0].cells, strict=True) if cell.value is not None]


def _tables(record: _Record) -> str:
    lines = ["[measurements.tables]", *_guesses(record)]
    for name, table in record.found:
        said = _described(table) if isinstance(table, Table) else f"cannot be read, {_plain(str(table), 4 * LENGTH)}"
        lines.append(f"# {_quoted(name)}: {said}")
    if record.more:
        lines.append(f"# and {record.more} more tables")
    return "\n".join(lines)


def _described(table: Table) -> str:
    heads = Counter((c.name, c.unit) for c in table.columns)
    columns = [
        f'{f"{i} " * (len(table.columns) > 1)}"{_plain(c.name)}"{f" [{_plain(c.unit)}]" if c.unit else ""}'
        # Qualifiers tell apart columns with the same header and unit.
        + (f" ({'; '.join(f'{_plain(k)} = {_plain(v)}' for k, v in c.qualifiers)})" if heads[c.name, c.unit] > 1 else "")
        for i, c in enumerate(table.columns[:6], 1)
    ]
    labels = list(dict.fromkeys(label for c in table.columns for label in c.labels))
    n = len(table.rows)
    shown = ", ".join(columns) + (", ..." if len(table.columns) > 6 else "")
    parts = [f"{n} row{'' if n == 1 else 's'}, column{'' if len(columns) == 1 else 's'} {shown}"]
    if labels:
        parts.append(f"labels {_some(labels)}")
    return "; ".join(parts)


def _quoted(value: str | list[str]) -> str:
    """A text or a list of texts; the syntax of JSON is that of TOML here."""
    return json.dumps(value, ensure_ascii=False)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names[:MAX_NAMES])) + ", ..." * (len(names) > MAX_NAMES)


def _plain(text: str, length: int = LENGTH) -> str:
    """A text on one line, shortened."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:length]


def _is_square(table: Table) -> bool:
    """Whether a table has the shape of a matrix, whatever its size."""
    n = len(table.rows)
    pairs = len(table.varying) > 1 and len(table.varying) % 2 == 0 and len(table.columns) == 1
    return len(table.columns) == n > 1 or (pairs and _side(n) > 1)


def _side(n: int) -> int:
    """Number of rows of the square or triangular matrix with n entries; 0 if there is none."""
    return next((m for m in range(1, n + 1) if n in (m * m, m * (m + 1) // 2)), 0)


def _guesses(record: _Record) -> Iterator[str]:
    values = record.values
    if values is None:
        yield 'values = "TABLE"'
        return
    column = values.columns[0]
    if len(values.columns) == 1:
        yield f"values = {_quoted(values.name)}"
    else:
        duplicate = sum(c.name == column.name for c in values.columns) > 1
        yield f"values = {{ table = {_quoted(values.name)}, column = {1 if duplicate else _quoted(column.name)} }}"
    without = [i for i, cell in enumerate(column.cells, 1) if cell.value is None]
    if without and len(without) < len(column.cells):
        yield f"leave_out = {without}  # rows without a number"
    labels = list(column.labels)
    if labels == [NO_LABEL]:
        kind = "total" if any(_is_matrix_of(table, values) for table in record.tables) else "statistical"
        yield f"{kind} = {_quoted(NO_LABEL)}  # the errors have no label"
        labels = []
    statistical = [x for x in labels if x.lower().startswith("stat")]
    totals = [x for x in labels if "total" in x.lower() and x not in statistical][:1]
    loose = [x for x in labels if x not in (*statistical, *totals) and reads_independent(x) and len(values.rows) > 1]
    others = [x for x in labels if x not in (*statistical, *totals, *loose)]
    percent = [x for x in labels if _is_in_percent(x, column)]
    if statistical:
        yield f"statistical = {_quoted(statistical[0] if len(statistical) == 1 else statistical)}"
    elif not column.labels:
        yield from _error_columns(values, "stat", "statistical")
    if totals:
        yield f"total = {_quoted(totals[0])}"
    elif not column.labels:
        yield from _error_columns(values, "total", "total")
    if others:
        yield f"labels = {_quoted(others)}"
    if loose:
        yield f"uncorrelated = {_quoted(loose)}"
    if percent:
        yield f"percent = {_quoted(percent)}  # they exceed the values"
    for table in record.tables:
        if table is not values:
            yield from _use(table, values)


def _is_in_percent(label: str, column: Column) -> bool:
    errors = [next((e for e in cell.errors if e.label == label), None) for cell in column.cells]
    return not any(e is not None and e.percent for e in errors) and mostly_above(
        [(max(abs(e.up), abs(e.down)), c.value or 0.0) for e, c in zip(errors, column.cells, strict=True) if e]
    )


def _error_columns(values: Table, word: str, key: str) -> Iterator[str]:
    """The line of a key whose errors stand in a column beside the values."""
    found = next((c for c in values.columns[1:] if word in c.name.lower() and not c.labels), None)
    if found is not None:
        yield f"{key} = {{ column = {_quoted(found.name)} }}"


def _is_matrix_of(table: Table, values: Table) -> bool:
    n = len(values.rows)
    return n > 1 and _is_square(table) and n in (_side(len(table.rows)), len(table.columns))


def _use(table: Table, values: Table) -> Iterator[str]:
    """Comments that say what a table could be, judged by its shape first."""
    n, rows = len(values.rows), len(table.rows)
    said = f"{table.name} {table.description} {' '.join(c.name for c in table.columns[:1])}".lower()
    if _is_matrix_of(table, values):
        kind = "statistical" if "stat" in said else "total"
        form = "correlation" if "correl" in said and "covar" not in said else "covariance"
        yield f"# perhaps {kind}_{form} = {_quoted(table.name)}"
        return
    column = values.columns[0]
    fitting = [c for c in table.columns if is_percent(c.unit) or same_unit(column.unit, c.unit) is not False]
    if table.rows == values.rows and n > 1 and any(c.unit for c in fitting):
        names = [c.name for c in fitting]
    elif n == 1 and rows > 1 and len(table.varying) == 1 and len(fitting) == len(table.columns) == 1:
        names = list(table.rows)
    else:
        return
    yield f"# perhaps breakdown = [{_quoted(table.name)}]  # sources {_some(names)}"
    loose = [name for name in names if reads_independent(name)]
    if loose and n > 1:
        yield f"# perhaps uncorrelated = {_quoted(loose)}"

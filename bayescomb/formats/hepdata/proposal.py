"""A mapping to start from, for a submission that has none yet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from bayescomb.base.errors import BayescombError, FileFormatError
from bayescomb.formats.hepdata.submission import Submission, read_submission
from bayescomb.formats.hepdata.tables import Table

__all__ = ["proposed_entry", "proposed_tables", "refuse_bare"]

MAX_TABLES: Final = 30
LENGTH: Final = 40


def refuse_bare(path: Path) -> NoReturn:
    """Say what a submission on its own lacks.

    Raises:
        FileFormatError: always, with a model file to start from; or the submission cannot be read.
    """
    submission = read_submission(path)
    values = _values_table(submission)
    rows = list(values.rows) if values else []
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
            "",
            proposed_entry(submission, path.name),
            "",
            "[[assumption_sets]]",
            'name = "nominal"',
        ]
    )
    msg = (
        f"{path}: tables of HEPData, which do not say what of them is measured and what is correlated; write a model.toml "
        f"beside them, such as this one to be completed:\n\n{text}\n"
    )
    raise FileFormatError(msg)


def proposed_entry(submission: Submission, path: str) -> str:
    """The entry of ``model.toml`` that a submission could have."""
    values = _values_table(submission)
    rows = list(values.rows) if values else []
    observables = ", ".join(json.dumps(f"observable {i}") for i in range(1, len(rows) + 1))
    shown = ", ".join(_plain(row) for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    lines = [
        "[[measurements]]",
        'name = "NAME"',
        'experiment = "EXPERIMENT"',
        f"hepdata = {json.dumps(path, ensure_ascii=False)}",
        f"observables = [{observables}]  # for the rows {shown}",
        '# sources = { "PATTERN*" = "SOURCE" }  # of the labels',
        "",
        proposed_tables(submission),
    ]
    return "\n".join(lines)


def proposed_tables(submission: Submission) -> str:
    """The table ``[measurements.tables]``, and what there is to choose from as comments.

    Examples:
        >>> from bayescomb.formats.hepdata.layouts import yaml_table
        >>> from bayescomb.formats.hepdata.proposal import proposed_tables
        >>> from bayescomb.formats.hepdata.submission import Entry, Submission
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
    lines = ["[measurements.tables]", *_guesses(submission)]
    for entry in submission.entries[:MAX_TABLES]:
        try:
            lines.append(f"# {json.dumps(entry.name, ensure_ascii=False)}: {_described(entry.read())}")
        except BayescombError as error:
            lines.append(f"# {json.dumps(entry.name, ensure_ascii=False)}: cannot be read, {error}")
    if len(submission.entries) > MAX_TABLES:
        lines.append(f"# and {len(submission.entries) - MAX_TABLES} more tables")
    return "\n".join(lines)


def _described(table: Table) -> str:
    heads = Counter((c.name, c.unit) for c in table.columns)
    columns = [
        f'"{_plain(c.name)}"{f" [{_plain(c.unit)}]" if c.unit else ""}'
        # Qualifiers are of use where a header is not enough.
        + (f" ({'; '.join(f'{_plain(k)} = {_plain(v)}' for k, v in c.qualifiers)})" if heads[c.name, c.unit] > 1 else "")
        for c in table.columns[:6]
    ]
    labels = list(dict.fromkeys(label for c in table.columns for label in c.labels))
    n = len(table.rows)
    shown = ", ".join(columns) + (", ..." if len(table.columns) > 6 else "")
    parts = [f"{n} row{'' if n == 1 else 's'}, column{'' if len(columns) == 1 else 's'} {shown}"]
    if labels:
        parts.append(
            f"labels {', '.join(json.dumps(x, ensure_ascii=False) for x in labels[:12])}{', ...' * (len(labels) > 12)}"
        )
    return "; ".join(parts)


def _plain(text: str) -> str:
    """A text that stays in its line, and is not longer than helps."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:LENGTH]


def _tables(submission: Submission) -> Iterator[Table]:
    for entry in submission.entries:
        try:
            yield entry.read()
        except BayescombError:
            continue


def _is_matrix(table: Table) -> bool:
    n = len(table.rows)
    return len(table.columns) == n > 1 or (len(table.varying) == 2 and int(n**0.5) ** 2 == n > 1)


def _values_table(submission: Submission) -> Table | None:
    """The first table with labelled errors, or the first that is no matrix."""
    tables = [t for t in _tables(submission) if not _is_matrix(t)]
    return next((t for t in tables if any(c.labels for c in t.columns)), tables[0] if tables else None)


def _guesses(submission: Submission) -> Iterator[str]:
    values = _values_table(submission)
    if values is None:
        yield 'values = "TABLE"'
        return
    quoted = json.dumps(values.name, ensure_ascii=False)
    if len(values.columns) == 1:
        yield f"values = {quoted}"
    else:
        yield f"values = {{ table = {quoted}, column = {json.dumps(values.columns[0].name, ensure_ascii=False)} }}"
    labels = list(values.columns[0].labels)
    statistical = next((x for x in labels if x.lower().startswith("stat")), None)
    totals = [x for x in labels if "total" in x.lower()]
    if statistical:
        yield f"statistical = {json.dumps(statistical, ensure_ascii=False)}"
    others = [x for x in labels if x != statistical and x not in totals[:1]]
    if totals:
        yield f"total = {json.dumps(totals[0], ensure_ascii=False)}"
    if others:
        yield f"labels = {json.dumps(others, ensure_ascii=False)}"
    for table in _tables(submission):
        if not _is_matrix(table):
            continue
        said = f"{table.name} {table.description} {' '.join(c.name for c in table.columns[:1])}".lower()
        kind = "statistical" if "stat" in said else "total"
        form = "correlation" if "correl" in said and "covar" not in said else "covariance"
        yield f"# perhaps {kind}_{form} = {json.dumps(table.name, ensure_ascii=False)}"

"""Shifts of the measured values by each source, read from labelled errors of the values and from separate tables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_names
from bayescomb.base.errors import DuplicateNameError, FileFormatError, UnknownNameError, warn_input
from bayescomb.formats.hepdata.covariances import source_covariance
from bayescomb.formats.hepdata.mapping import TableMapping, error_name
from bayescomb.formats.hepdata.quoted import (
    column_errors,
    labelled_errors,
    says_something,
    source_labels,
    state_conversions,
    symmetric_sizes,
)
from bayescomb.formats.hepdata.record.submission import Submission, listed
from bayescomb.formats.hepdata.record.tables import Axis, Column, LabelledError, Table, row_label
from bayescomb.formats.hepdata.selection import Chosen, Match, Measured, Selection, matches, only

__all__ = ["Shift", "read_breakdown", "reads_independent", "responses_of"]

# Labels that authors use for errors that are independent from row to row.
INDEPENDENT: Final = re.compile(
    r"(?:sys(?:t(?:ematics?)?)?[\s,:._-]*)?(?:stat(?:istic(?:s|al)?)?|unc(?:orr?(?:elated)?)?)(?![a-z0-9])", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """The shifts of n values by one nuisance.

    Attributes:
        name: name of the nuisance.
        where: the label or cell that states it, for messages.
        up: shape (n,), at +1 sigma, in the unit of the values.
        down: shape (n,), at -1 sigma.
    """

    name: str
    where: str
    up: FloatArray
    down: FloatArray


def responses_of(shifts: Sequence[Shift], n: int) -> tuple[FloatArray, FloatArray]:
    """Responses of n values to m nuisances at +1 and at -1 sigma, shape (n, m) each."""
    up, down = (np.array([getattr(s, side) for s in shifts]).reshape(-1, n).T for side in ("up", "down"))
    return up, down


def read_breakdown(submission: Submission, mapping: TableMapping, measured: Measured) -> list[Shift]:
    """All shifts that the mapping names, labels first.

    A source that is independent from row to row gives a nuisance per row; a source with a covariance of its own between the
    rows gives a nuisance per eigenvector of that covariance.

    Args:
        submission: the tables.
        mapping: what each table holds.
        measured: the values, n of them.

    Raises:
        UnknownNameError: the mapping does not name a label, a pattern matches no label, or the rows of a table are not those
            of the values.
        DuplicateNameError: two shifts have the same name.
        InvalidNumberError: a shift is no number.
        InvalidMatrixError: the matrix of a source is not a covariance.
        FileFormatError: a row does not state an error that others state.

    Warns:
        InputWarning: a label is repeated or reads like one of independent errors, both shifts of a source have the same
            sign, errors exceed the values as percentages do, or a table has another unit than the values.
    """
    column = measured.column
    found = [
        _shift(label, f"the label {label!r} of {column.name!r}", labelled_errors(label, mapping, column), mapping)
        for label in source_labels(mapping, column)
    ]
    for selection in (*mapping.breakdown, *mapping.nuisance_covariance):
        found += table_shifts(selection, submission, mapping, measured)
    shifts: dict[str, Shift] = {}
    for shift in found:
        if shift.name in shifts:
            msg = (
                f"{mapping.where}: the source {shift.name!r} is stated twice, by {shifts[shift.name].where} and by "
                f"{shift.where}; keep one of them (ignore), or give one another name"
            )
            raise DuplicateNameError(msg)
        shifts[shift.name] = shift
    _check_patterns(mapping, [*column.labels, *shifts])
    plain = [shift for name, shift in shifts.items() if not _has_matrix(mapping, name)]
    result = [part for shift in plain for part in _in_rows(shift, mapping, measured)]
    for name in (*mapping.covariances, *mapping.correlations):
        result += _with_matrix(name, submission, mapping, measured, shifts.get(name))
    _warn_of_signs(result, mapping)
    _warn_of_independence([shift.name for shift in plain], mapping, measured)
    return [dataclasses.replace(s, name=f"{mapping.prefix}{s.name}") for s in result]


def _has_matrix(mapping: TableMapping, name: str) -> bool:
    return name in mapping.covariances or name in mapping.correlations


def _check_patterns(mapping: TableMapping, names: Sequence[str]) -> None:
    """Every pattern of ``percent``, ``uncorrelated`` and ``symmetrise`` matches an error or a source.

    Raises:
        UnknownNameError: a pattern matches none.
        FileFormatError: a source has a covariance of its own and is named as uncorrelated.
    """
    columns = [error_name(p) for p in (*mapping.statistical, mapping.total) if isinstance(p, Selection)]
    for key in ("percent", "uncorrelated", "symmetrise"):
        for pattern in getattr(mapping, key):
            if pattern != "*" and not any(matches([pattern], name) for name in (*names, *columns)):
                msg = (
                    f"{mapping.where}.{key}: {pattern!r} matches no error or source; known are {listed([*names, *columns])}"
                )
                raise UnknownNameError(msg)
    for name in names:
        if _has_matrix(mapping, name) and matches(mapping.uncorrelated, name):
            msg = f"{mapping.where}: {name!r} has both a covariance of its own and 'uncorrelated'; keep one of the two"
            raise FileFormatError(msg)


def _shift(name: str, where: str, errors: Sequence[LabelledError], mapping: TableMapping) -> Shift:
    if matches(mapping.symmetrise, name):
        errors = [dataclasses.replace(e, up=e.symmetrised, down=0.0 - e.symmetrised) for e in errors]
    return Shift(name=name, where=where, up=np.array([e.up for e in errors]), down=np.array([e.down for e in errors]))


def _in_rows(shift: Shift, mapping: TableMapping, measured: Measured) -> Iterator[Shift]:
    """The shift itself; of an uncorrelated source a shift for each row that it moves."""
    if not matches(mapping.uncorrelated, shift.name) or len(measured.rows) == 1:
        yield shift
        return
    for i, row in enumerate(measured.rows):
        if shift.up[i] or shift.down[i]:
            own = np.eye(len(measured.rows))[i]
            name = f"{shift.name}, {row}"
            yield dataclasses.replace(shift, name=name, up=shift.up[i] * own, down=shift.down[i] * own)


def _with_matrix(
    name: str, submission: Submission, mapping: TableMapping, measured: Measured, stated: Shift | None
) -> list[Shift]:
    """Independent shifts that together have the covariance that a table states for a source."""
    sizes = None
    if stated is not None:
        errors = [
            LabelledError(label=name, up=up, down=down, symmetric=up == -down)
            for up, down in zip(stated.up.tolist(), stated.down.tolist(), strict=True)
        ]
        sizes = symmetric_sizes(errors, mapping, name=name)
    where, factor = source_covariance(name, submission, mapping, measured, sizes)
    names = [name] if factor.shape[1] == 1 else [f"{name}_{k + 1}" for k in range(factor.shape[1])]
    return [Shift(name=n, where=where, up=f, down=0.0 - f) for n, f in zip(names, factor.T, strict=True)]


def table_shifts(selection: Selection, submission: Submission, mapping: TableMapping, measured: Measured) -> list[Shift]:
    """Shifts in a table: a column per source, a row per source, or a row per pair of source and value.

    Raises:
        UnknownNameError, DuplicateNameError, InvalidNumberError, FileFormatError: as :func:`read_breakdown` does.
    """
    chosen = selection.chosen(submission)
    state_conversions(chosen.columns, measured, where=f"{selection.where}: table {selection.table!r}")
    reader = _Reader(selection=selection, chosen=chosen, mapping=mapping, measured=measured)
    if selection.names:
        found = reader.long_list()
    else:
        positions = measured.positions(chosen.table.rows, selection.match)
        found = reader.columns(positions) if positions is not None else reader.rows(list(chosen.table.rows))
    for pattern in selection.ignore:
        if not any(matches([pattern], shift.name) for shift in found):
            msg = f"{selection.where}.ignore: {pattern!r} matches no source; known are {listed([s.name for s in found])}"
            raise UnknownNameError(msg)
    return [shift for shift in found if not matches(selection.ignore, shift.name)]


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads the chosen columns of a table of shifts."""

    selection: Selection
    chosen: Chosen
    mapping: TableMapping
    measured: Measured

    @property
    def table(self) -> Table:
        return self.chosen.table

    @property
    def where(self) -> str:
        return f"{self.selection.where}: table {self.table.name!r}"

    @property
    def numbers(self) -> list[Column]:
        """The columns without the one that holds the names."""
        named = self._names_column()
        return [c for c in self.chosen.columns if c is not named]

    def _names_column(self) -> Column | None:
        """The column of the names; ``None`` if an axis holds them, or the table has none."""
        wanted = self.selection.names
        if not wanted or any(a.name == wanted for a in self.table.axes):
            return None
        return only(self.selection.named(self.table, self.table.columns, wanted), where=f"{self.where}, names")

    def columns(self, positions: Sequence[int]) -> list[Shift]:
        """The shifts of a table with a column, or a pair of columns, for each source."""
        if len(positions) > 1 and self.selection.match is Match.NAMES:
            rows = self.table.rows
            check_names([rows[i] for i in positions], where=f"{self.where}, rows", allow_empty=True)
        return [self._shift(name, pair, [positions] * 2) for name, *pair in self._pairs()]

    def rows(self, names: Sequence[str]) -> list[Shift]:
        """The shifts of a table with a row for each source and a column for each value."""
        n, rows = len(self.measured.rows), self.measured.rows
        columns = self.numbers
        # Headings and blank lines between the sources are left out.
        kept = [i for i in range(len(names)) if any(says_something(c.cells[i]) for c in columns)]
        names_of = {i: names[i] for i in kept}
        names = list(names_of.values())
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            msg = (
                f"{self.where}: two rows are called {twice!r}; if another column tells the sources apart, name it by "
                'names = { column = "HEADER" }'
            )
            raise DuplicateNameError(msg)
        if n == 1:
            _, *pair = self._pair(columns)
            return [self._shift(name, pair, [[i]] * 2) for i, name in names_of.items()]
        heads = [row_label(c.name) for c in columns]
        order = self.measured.positions(heads, self.selection.match)
        if order is None:
            own = list(self.table.rows)
            only_here, only_there = [r for r in own if r not in rows], [r for r in rows if r not in own]
            msg = (
                f"{self.selection.where}: the rows of table {self.table.name!r} are not those of the values: "
                f"{len(only_here)} only in the table ({listed(only_here[:5])}), {len(only_there)} only among the values "
                f'({listed(only_there[:5])}); name another table, set match = "order" if they are the same rows in the same '
                'order, or names = { column = "HEADER" } if rows are sources'
            )
            raise UnknownNameError(msg)
        return [self._shift_of(name, [(columns[k], i) for k in order], None) for i, name in names_of.items()]

    def long_list(self) -> list[Shift]:
        """The shifts of a table with a row for each source, or for each pair of source and value."""
        names, axes = self._source_names()
        if len(set(names)) == len(names):
            return self.rows(names)
        _, *pair = self._pair(self.numbers)
        shifts = []
        for name in dict.fromkeys(names):
            own = [i for i, other in enumerate(names) if other == name]
            labels = [", ".join(row_label(a.entries[i]) for a in axes) for i in own]
            positions = self.measured.positions(labels, self.selection.match)
            if positions is None and self.mapping.absent_is_zero and set(labels) <= set(self.measured.all_rows):
                shifts.append(self._sparse(name, pair, dict(zip(labels, own, strict=True))))
                continue
            if positions is None:
                msg = (
                    f"{self.where}: the rows of the source {name!r} ({listed(labels[:5])}) are not those of the values "
                    f"({listed(self.measured.rows[:5])}); set absent_is_zero = true if it is 0 where it has no row"
                )
                raise UnknownNameError(msg)
            shifts.append(self._shift(name, pair, [[own[k] for k in positions]] * 2))
        return shifts

    def _source_names(self) -> tuple[list[str], list[Axis]]:
        """Name of the source in each row, and the axes that label the value of each row."""
        axes, column = list(self.table.varying), self._names_column()
        if column is not None:
            return [" ".join(cell.text.split()) for cell in column.cells], axes
        axis = next(a for a in self.table.axes if a.name == self.selection.names)
        return [row_label(e) for e in axis.entries], [a for a in axes if a is not axis]

    def _pairs(self) -> list[tuple[str, Column, Column | None]]:
        """Name of each source, column of its shifts at +1 sigma, and that at -1 sigma if there is one."""
        if self.selection.up or len(self.chosen.columns) == 1 or self.selection.name:
            return [self._pair(self.chosen.columns)]
        return [(name, c, None) for name, c in zip(_told_apart(self.chosen.columns), self.chosen.columns, strict=True)]

    def _pair(self, columns: Sequence[Column]) -> tuple[str, Column, Column | None]:
        """Name and columns for one source, or for the sources of all rows."""
        selection = self.selection
        if selection.up:
            up, down = (
                only(selection.named(self.table, self.chosen.columns, h), where=self.where)
                for h in (selection.up, selection.down)
            )
            return selection.name or self.table.name, up, down
        name = selection.name or (self.table.name if selection.column is None else " ".join(columns[0].name.split()))
        return name, only(columns, where=f"{self.where}{f' for {selection.name!r}' if selection.name else ''}"), None

    def _shift(self, name: str, pair: Sequence[Column | None], positions: Sequence[Sequence[int]]) -> Shift:
        up, down = pair
        assert up is not None  # of a pair only the second may be absent
        ups = [(up, i) for i in positions[0]]
        return self._shift_of(name, ups, None if down is None else [(down, i) for i in positions[1]])

    def _shift_of(self, name: str, ups: Sequence[tuple[Column, int]], downs: Sequence[tuple[Column, int]] | None) -> Shift:
        errors = column_errors(name, ups, downs, mapping=self.mapping, measured=self.measured, label=self.selection.label)
        column, row = ups[0]
        return _shift(name, column.cells[row].where, errors, self.mapping)

    def _sparse(self, name: str, pair: Sequence[Column | None], rows: dict[str, int]) -> Shift:
        """The shift of a source that has rows for a part of the values; it is 0 for the others."""
        values = self.measured
        kept = [i for i, row in enumerate(values.rows) if row in rows]
        part = dataclasses.replace(
            values,
            rows=tuple(values.rows[i] for i in kept),
            column=dataclasses.replace(values.column, cells=tuple(values.column.cells[i] for i in kept)),
        )
        own = dataclasses.replace(self, measured=part)._shift(name, pair, [[rows[r] for r in part.rows]] * 2)
        sides = np.zeros((2, len(values.rows)))
        sides[:, kept] = own.up, own.down
        return dataclasses.replace(own, up=sides[0], down=sides[1])


def _told_apart(columns: Sequence[Column]) -> list[str]:
    """Headers of the columns; if two are equal, each with the qualifiers that differ between columns."""
    names = [" ".join(c.name.split()) for c in columns]
    if len(set(names)) == len(names):
        return names
    values: dict[str, set[str]] = {}
    for column in columns:
        for key, value in column.qualifiers:
            values.setdefault(key, set()).add(value)
    differ = {key for key, found in values.items() if len(found) > 1}
    return [
        ", ".join([name, *(f"{key} = {value}" for key, value in column.qualifiers if key in differ)])
        for name, column in zip(names, columns, strict=True)
    ]


def _warn_of_signs(shifts: Sequence[Shift], mapping: TableMapping) -> None:
    """Shifts of one sign at +1 and -1 sigma are possible, but a sign may be missing."""
    odd = [(s, i) for s in shifts for i in range(len(s.up)) if s.up[i] * s.down[i] > 0]
    if odd:
        shift, i = odd[0]
        message = (
            f"{mapping.where}: {len(odd)} two-sided shifts have the same sign at +1 and at -1 sigma, the first of "
            f"{shift.where} in row {i + 1} ({shift.up[i]:+g}, {shift.down[i]:+g}); they are kept; check the signs"
        )
        warn_input(message)


def reads_independent(label: str) -> bool:
    """Whether a label begins with a usual word for errors that are independent from row to row.

    Examples:
        >>> [reads_independent(label) for label in ("sys,uncor", "stat", "Uncertainty", "sys,statNP1-jes")]
        [True, True, False, False]
    """
    return INDEPENDENT.match(label) is not None


def _warn_of_independence(names: Sequence[str], mapping: TableMapping, measured: Measured) -> None:
    """Warn where errors that look independent from row to row are read as one nuisance, with a correlation of 1."""
    odd = [name for name in names if reads_independent(name) and not matches(mapping.uncorrelated, name)]
    if odd and len(measured.rows) > 1:
        message = (
            f"{mapping.where}: {listed(odd)} read like errors that are independent from row to row, but are taken as fully "
            "correlated sources; name them by 'statistical' (a label or a list) or 'uncorrelated' if they are independent"
        )
        warn_input(message)

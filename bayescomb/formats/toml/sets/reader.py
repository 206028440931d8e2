"""Reader of the assumption sets of ``model.toml``: coefficients per pair and per category, blocks, sets that extend others.

A category coefficient correlates nuisances of one source.  Nuisances of the budget are named by their estimates, those of
``[[measurements]]`` by their own names (:mod:`bayescomb.formats.toml.sets.scope`).  With ``each = true`` every pair has its
own coefficient.  In a set, ``everywhere = { lumi = 1.0 }`` correlates all estimates of a source by one number, and
``across = { lumi = 0.5 }`` only those of different experiments, while ``[within]`` states the others.

Blocks are fixed correlation matrices, one below the other in a CSV table with the columns ``block, nuisance, 1, 2, ...``.
The n rows of a block hold its n x n matrix: column i belongs to its i-th row, and further cells are empty.  ``blocks =
{ table = "blocks.csv", names = [...] }`` stands at the top of the model for blocks that all assumption sets share, or inside
a set.  Every block of the table must be used, so that an incomplete list of names is not read as "uncorrelated".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.checks import check_choice, check_correlation_entry, check_names, known_name, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, RangeError, UnknownNameError
from bayescomb.formats.csv import Row, number, read_table
from bayescomb.formats.toml.sets.scope import ACROSS, EVERYWHERE, Scope, category_pairs, stated_pairs
from bayescomb.formats.values import check_table, entries, flag, named_values, text, texts
from bayescomb.formats.wildcards import matching
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.assumptions.prior_shapes import PRIOR_SHAPES

__all__ = ["BlockTables", "read_assumption_sets"]

SHORT_FORMS: Final = {"everywhere": EVERYWHERE, "across": ACROSS}


def read_assumption_sets(
    document: Mapping[str, Any],
    *,
    where: str,
    scope: Scope,
    common: Sequence[CorrelationBlock],
    tables: BlockTables,
) -> dict[str, AssumptionSet]:
    """The assumption sets in order; a set that ``extends`` another replaces coefficients and blocks by name or adds them.

    Args:
        document: the TOML document.
        where: its file, for messages.
        scope: the nuisances that coefficients can correlate.
        common: blocks with which every set begins.
        tables: tables of the sets' own blocks.

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, RangeError, InvalidNumberError, InvalidMatrixError: for wrong
            content.
    """
    own_blocks: dict[str, dict[str, CorrelationBlock]] = {}
    sets: dict[str, AssumptionSet] = {}
    for place, entry in entries(document, "assumption_sets", where=where, declared="assumption_sets"):
        name = text(entry, "name", where=place)
        if name in sets:
            msg = f"{place}: assumption set {name!r} stands twice; every set needs its own name"
            raise DuplicateNameError(msg)
        inherited: dict[str, CorrelationCoefficient] = {}
        blocks: dict[str, CorrelationBlock] = {}
        if "extends" in entry:
            base = known_name(text(entry, "extends", where=place), sets, kind="assumption set", where=place)
            inherited = {c.name: c for c in sets[base].coefficients}
            blocks = own_blocks[base]
        own: dict[str, CorrelationCoefficient] = {}
        for at, table in _coefficient_tables(entry, place, scope):
            for coefficient in _read_coefficients(table, at, scope=scope, inherited=inherited):
                if coefficient.name in own:
                    msg = f"{at}: coefficient {coefficient.name!r} stands twice in this set; keep one"
                    raise DuplicateNameError(msg)
                own[coefficient.name] = coefficient
        coefficients = tuple((inherited | own).values())
        description = text(entry, "description", where=place, default="")
        own_blocks[name] = blocks | {b.name: b for b in tables.named(entry, where=place)}
        with located(place):
            sets[name] = AssumptionSet(
                name=name,
                description=description,
                coefficients=coefficients,
                blocks=(*common, *own_blocks[name].values()),
            )
    if not sets:
        msg = f"{where}: no assumption set; give at least one [[assumption_sets]] with a name"
        raise FileFormatError(msg)
    return sets


def _coefficient_tables(entry: Mapping[str, Any], place: str, scope: Scope) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The coefficients of a set as tables with their places: first the short forms, then ``coefficients``."""
    for form, between in SHORT_FORMS.items():
        stated = named_values(entry, form, where=place, example="{ lumi = 1.0 }")
        decided: set[str] = set()
        for key, value in stated.items():
            at = f"{place}: {form}[{key!r}]"
            table = value if isinstance(value, dict) else {"nominal": value}
            check_table(table, f"assumption_sets.{form}", where=at)
            chosen = matching(key, list(scope.sources))
            if not chosen:
                msg = f"{at}: the pattern matches no source; the model has {', '.join(scope.sources)}"
                raise UnknownNameError(msg)
            for source in chosen:
                known_name(source, scope.sources, kind="source", where=at)
                # A single estimate, or a single experiment, forms no pair.
                parts = (
                    scope.labels(source)
                    if between == EVERYWHERE
                    else [m for m in scope.members.get(source, {}).values() if m]
                )
                if source not in decided and len(parts) > 1:
                    yield at, {"name": source, "source": source, "between": between} | table
            decided.update(chosen)
    yield from entries(entry, "coefficients", where=place)


def _read_coefficients(
    table: Mapping[str, Any], where: str, *, scope: Scope, inherited: Mapping[str, CorrelationCoefficient]
) -> list[CorrelationCoefficient]:
    """The coefficient of a table; with ``each`` one coefficient per pair, ``NAME[first, second]``."""
    if not flag(table, "each", where=where):
        return [_read_coefficient(table, where, scope=scope, inherited=inherited)]
    name = text(table, "name", where=where)
    if not any(key in table for key in ("between", "blocks", "pairs", "opposite_pairs")):
        family = [key for key, c in inherited.items() if len(c.pairs) == 1 and key == _own_name(name, c.pairs[0])]
        if not family:
            msg = f"{where}: no '{name}[...]' is inherited; say what it correlates by 'between', 'blocks' or 'pairs'"
            raise FileFormatError(msg)
        return [_read_coefficient({**table, "name": key}, where, scope=scope, inherited=inherited) for key in family]
    whole = _read_coefficient(table, where, scope=scope, inherited=inherited)
    title = f"{whole.title}: {{0.first}}, {{0.second}}" if whole.title else ""
    return [
        dataclasses.replace(whole, name=_own_name(name, pair), pairs=(pair,), title=title.format(pair) if title else "")
        for pair in whole.pairs
    ]


def _own_name(name: str, pair: CorrelationPair) -> str:
    """Name of the coefficient of one pair."""
    return f"{name}[{pair.first}, {pair.second}]"


def _read_coefficient(
    table: Mapping[str, Any],
    where: str,
    *,
    scope: Scope,
    inherited: Mapping[str, CorrelationCoefficient],
) -> CorrelationCoefficient:
    check_table(table, "assumption_sets.coefficients", where=where)
    name = text(table, "name", where=where)
    source = text(table, "source", where=where, default="")
    if source:
        known_name(source, scope.sources, kind="source", where=where)
    stated = {"between": ("between",), "blocks": ("blocks",), "pairs": ("pairs", "opposite_pairs")}
    ways = [way for way, keys in stated.items() if any(key in table for key in keys)]
    if len(ways) > 1 or (not ways and name not in inherited):
        msg = f"{where}: {ways or 'nothing'} found; say what it correlates by one of 'between', 'blocks' or 'pairs'"
        raise FileFormatError(msg)
    if "negative" in table and ways not in (["between"], ["blocks"]):
        msg = f"{where}: 'negative' found without 'between' or 'blocks'; give the signs of pairs by 'opposite_pairs'"
        raise FileFormatError(msg)
    if not ways:  # an inherited coefficient with other values
        pairs, source = inherited[name].pairs, inherited[name].source
    elif ways == ["pairs"]:
        pairs = stated_pairs(table, where, scope)
    else:
        pairs = category_pairs(table, source, where, scope)
    if not pairs:
        msg = f"{where}: it correlates nothing; name at least one pair, or remove the coefficient"
        raise FileFormatError(msg)
    numbers = {key: number(table[key], where=f"{where}.{key}") for key in ("nominal", "low", "high") if key in table}
    base = inherited.get(name)
    defaults = {
        "title": base.title if base else "",
        "prior": "uniform",
        "published_half_shift": "",
        "published_half_error_shift": "",
        "scan_group": base.scan_group if base else "",
    }
    values = {key: text(table, key, where=where, default=default) for key, default in defaults.items()}
    prior = values.pop("prior")
    descending = flag(table, "descending", where=where)
    low, high = numbers.get("low"), numbers.get("high")
    if low is not None and high is not None and not flag(table, "nominal_outside_range", where=where):
        nominal = numbers["nominal"]
        if low < high and not low <= nominal <= high:
            msg = (
                f"{where}: nominal value {nominal} lies outside its range {low} to {high}; correct it, or say "
                "'nominal_outside_range = true' if the profile is meant to use another value than the prior allows"
            )
            raise RangeError(msg)
    with located(where):
        return CorrelationCoefficient(
            name=name,
            source=source,
            pairs=pairs,
            nominal=numbers["nominal"],
            low=low,
            high=high,
            descending=descending,
            prior=check_choice(prior, PRIOR_SHAPES, where=f"prior of coefficient {name!r}"),
            **values,
        )


class BlockTables:
    """The CSV tables of the blocks of one model; each is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[Path, dict[str, list[Row]]] = {}
        self._used: dict[Path, set[str]] = {}

    def named(self, owner: Mapping[str, Any], *, where: str) -> list[CorrelationBlock]:
        """The blocks that the key ``blocks`` of a TOML table names, in its order; none without the key.

        Raises:
            FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError: for wrong content,
                each with the key, or the file and line.
        """
        if "blocks" not in owner:
            return []
        entry = named_values(owner, "blocks", where=where, example='{ table = "blocks.csv", names = ["JES"] }')
        place = f"{where}: blocks"
        check_table(entry, "blocks", where=place)
        path = self.folder / text(entry, "table", where=place)
        names = texts(entry, "names", where=place)
        check_names(names, where=f"{place}.names")
        if path not in self._tables:
            self._tables[path] = _read_rows(path)
        rows = self._tables[path]
        for name in names:
            known_name(name, rows, kind=f"block of {path}", where=f"{place}.names")
        self._used.setdefault(path, set()).update(names)
        return [_block(name, rows[name], path) for name in names]

    def check_all_used(self) -> None:
        """Check that every block of every table is used.

        Raises:
            UnknownNameError: a block is not used.
        """
        for path, blocks in self._tables.items():
            for name, rows in blocks.items():
                if name not in self._used[path]:
                    msg = f"{rows[0].where}: block {name!r} is used by no assumption set; name it in 'blocks' or remove it"
                    raise UnknownNameError(msg)


def _read_rows(path: Path) -> dict[str, list[Row]]:
    """Block -> its rows."""
    header, rows = read_table(path, required=("block", "nuisance"))
    expected = ["block", "nuisance", *(str(i) for i in range(1, len(header) - 1))]
    if header != expected:
        msg = f"{path}: columns {', '.join(header)} found, block, nuisance, 1, 2, ... needed; correct the header"
        raise FileFormatError(msg)
    blocks: dict[str, list[Row]] = {}
    for row in rows:
        blocks.setdefault(row.cells["block"], []).append(row)
    return blocks


def _block(name: str, rows: list[Row], path: Path) -> CorrelationBlock:
    n = len(rows)
    matrix = np.zeros((n, n))
    for i, row in enumerate(rows):
        for column, cell in list(row.cells.items())[2:]:
            if int(column) > n:
                if cell:
                    msg = (
                        f"{row.where}, column {column!r}: {cell!r} found, but block {name!r} has {n} rows; add the missing "
                        "row, or leave the cell empty"
                    )
                    raise FileFormatError(msg)
                continue
            at = f"{row.where}, column {column!r}"
            matrix[i, int(column) - 1] = check_correlation_entry(number(cell, where=at), where=at)
        if len(row.cells) - 2 < n:
            msg = f"{row.where}: block {name!r} has {n} rows, but the table only {len(row.cells) - 2} columns; add columns"
            raise FileFormatError(msg)
    names = tuple(row.cells["nuisance"] for row in rows)
    with located(f"{path}: rows from {rows[0].where.rpartition(':')[2]}"):
        return CorrelationBlock(name=name, nuisances=names, correlation=matrix)

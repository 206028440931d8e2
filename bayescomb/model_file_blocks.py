"""Reader of fixed correlation blocks in ``model.toml``: stacked matrices in a CSV table, named where they are used.

A table has the columns ``block, nuisance, 1, 2, ...``; the n rows of a block hold its n x n correlation matrix, column i
belonging to its i-th row, and empty cells after that.  ``blocks = { table = "blocks.csv", names = [...] }`` stands at the
top of the model for blocks that all assumption sets share, or inside a set.  Every block is named there, and every block of
the table must be used, so that a table that was cut off does not read as "uncorrelated".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayescomb.assumptions import CorrelationBlock
from bayescomb.checks import check_names, known_name, located
from bayescomb.errors import FileFormatError, InvalidMatrixError, UnknownNameError
from bayescomb.tables import Row, number, read_table
from bayescomb.toml_values import check_keys, named_values, text, texts

__all__ = ["BlockTables"]


class BlockTables:
    """The tables of blocks of one model; each is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[Path, dict[str, list[Row]]] = {}
        self._used: dict[Path, set[str]] = {}

    def named(self, owner: Mapping[str, Any], *, where: str) -> list[CorrelationBlock]:
        """The blocks that the key ``blocks`` of a TOML table names, in its order; none without the key.

        Raises:
            FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError: as the content
                demands, each with the key, or the file and line.
        """
        if "blocks" not in owner:
            return []
        entry = named_values(owner, "blocks", where=where, example='{ table = "blocks.csv", names = ["JES"] }')
        place = f"{where}: blocks"
        check_keys(entry, ("table", "names"), required=("table", "names"), where=place)
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
        """Every block of every table is named somewhere.

        Raises:
            UnknownNameError: one is not.
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
            value = number(cell, where=f"{row.where}, column {column!r}")
            if not -1 <= value <= 1:
                msg = f"{row.where}, column {column!r}: {value:g} found, a correlation lies in [-1, 1]; correct it"
                raise InvalidMatrixError(msg)
            matrix[i, int(column) - 1] = value
        if len(row.cells) - 2 < n:
            msg = f"{row.where}: block {name!r} has {n} rows, but the table only {len(row.cells) - 2} columns; add columns"
            raise FileFormatError(msg)
    names = tuple(row.cells["nuisance"] for row in rows)
    with located(f"{path}: rows from {rows[0].where.rpartition(':')[2]}"):
        return CorrelationBlock(name=name, nuisances=names, correlation=matrix)

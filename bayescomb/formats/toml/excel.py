"""Reader of ``.xlsx`` files as tables; needs the extra ``bayescomb[excel]``."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bayescomb.base.errors import FileFormatError, OptionError
from bayescomb.formats.csv import Row, check_header

__all__ = ["sheet_table"]


def sheet_table(path: Path, *, required: Sequence[str], called: Callable[[str], str] = str) -> tuple[list[str], list[Row]]:
    """Header and rows of the first sheet of an ``.xlsx`` file; a formula counts with the value that was saved.

    Args:
        path: the file.
        required: columns that must be there.
        called: gives the name of a column from its header in the sheet.

    Raises:
        OptionError: openpyxl is not installed.
        FileFormatError: the file is absent or not an ``.xlsx`` file, or a column is missing.
        DuplicateNameError: two columns have the same name.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        msg = f"{path}: reading it needs openpyxl; python -m pip install 'bayescomb[excel]', or export the sheet as CSV"
        raise OptionError(msg) from error
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError as error:
        msg = f"{path}: no such file; correct the path"
        raise FileFormatError(msg) from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        msg = f"{path}: not a readable .xlsx file ({error}); export the sheet as CSV"
        raise FileFormatError(msg) from error
    try:
        cells = [[_text(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    finally:
        book.close()
    lines = [(i, line) for i, line in enumerate(cells, 1) if any(line) and not line[0].startswith("#")]
    if not lines:
        msg = f"{path}: empty; a header line and at least one row are needed"
        raise FileFormatError(msg)
    header = lines[0][1]
    while not header[-1]:
        header = header[:-1]
    header = [called(name) for name in header]
    check_header(header, required=required, where=f"{path}, row {lines[0][0]}")
    rows = []
    for number, line in lines[1:]:
        if any(line[len(header) :]):
            msg = f"{path}, row {number}: a cell found right of the last column; give the column a name or empty the cell"
            raise FileFormatError(msg)
        # Programs that state no dimensions of the sheet end a row at its last cell.
        whole = itertools.chain(line, itertools.repeat(""))
        rows.append(Row(where=f"{path}, row {number}", cells=dict(zip(header, whole, strict=False))))
    return header, rows


def _text(value: object) -> str:
    """The text of a cell; a whole number has no decimal point."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()

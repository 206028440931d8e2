"""Entries of ``[[measurements]]`` that name a file of another program: which reader takes which key.

A further format has its reader in a module of its own and a line here; its key is declared as ``foreign`` in
:mod:`bayescomb.formats.declared.measurements`.  Files of programs that average are :mod:`bayescomb.formats.toml.averaging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from bayescomb.formats.toml.measurements.convino_entry import read_convino_entry
from bayescomb.formats.toml.measurements.file_entry import FileEntry
from bayescomb.formats.toml.measurements.fit_entry import read_fit_entry
from bayescomb.formats.toml.measurements.hepdata_entry import read_hepdata_entry

__all__ = ["READERS"]


class Reader(Protocol):
    """Of an entry: the TOML table, where it stands, where paths start, and known observables with their units."""

    def __call__(self, entry: Mapping[str, Any], place: str, folder: Path, *, observables: Mapping[str, str]) -> FileEntry:
        """What the entry says."""


READERS: Final[dict[str, Reader]] = {
    "convino": read_convino_entry,
    "hepdata": read_hepdata_entry,
    "fit": read_fit_entry,
}

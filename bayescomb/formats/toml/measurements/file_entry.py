"""Shared code for entries of ``[[measurements]]`` whose numbers are in a file of another program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayescomb.base.errors import FileFormatError
from bayescomb.formats.values import text
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import Provenance

__all__ = ["FileEntry", "check_alone", "names_of"]


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """Content of such an entry.

    Attributes:
        measurement: the measurement, in the units of the observables.
        units: observable -> unit in the file, for observables without a unit in the model.
        provenance: origin of numbers that are not published.
    """

    measurement: Measurement
    units: Mapping[str, str] = field(default_factory=dict)
    provenance: tuple[Provenance, ...] = ()


def check_alone(entry: Mapping[str, Any], key: str, allowed: Sequence[str], place: str, *, states: str) -> None:
    """Check that no key stands beside a file that states the same.

    Raises:
        FileFormatError: there is such a key.
    """
    beside = [name for name in entry if name not in (key, *allowed)]
    if beside:
        msg = (
            f"{place}: {' and '.join(map(repr, beside))} found beside {key!r} ({entry[key]!r}), whose {states} all of a "
            f"measurement but its {', '.join(map(repr, allowed))}; keep one of the two"
        )
        raise FileFormatError(msg)


def names_of(entry: Mapping[str, Any], place: str) -> tuple[str, str]:
    """Name and experiment of an entry."""
    return text(entry, "name", where=place), text(entry, "experiment", where=place, default="")

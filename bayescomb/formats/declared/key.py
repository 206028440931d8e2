"""The declaration of a key: its kind, its meaning and an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Key", "Kind", "Table"]


class Kind(StrEnum):
    """What stands behind the equals sign."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "true or false"
    TEXTS = "list of texts"
    NUMBERS = "list of numbers"
    PAIRS = "list of pairs of names"
    TABLE = "table"
    TABLES = "list of tables"
    NAMED_TEXTS = "table of texts by name"
    NAMED_NUMBERS = "table of numbers by name"
    NAMED = "table by name"


@dataclass(frozen=True)
class Key:
    """One key of a table.

    Attributes:
        name: of the key.
        kind: what stands behind the equals sign; several kinds if each of them is allowed.
        text: meaning, one sentence.
        example: a line of TOML, or several.
        required: whether the key must be there.
        default: what applies without the key, if that is one value.
        choices: allowed words; empty if any text is allowed.
        foreign: the key names files of another program that hold whole measurements.
    """

    name: str
    kind: Kind | tuple[Kind, ...]
    text: str
    example: str
    required: bool = False
    default: str = ""
    choices: Sequence[str] = ()
    foreign: bool = False

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All allowed kinds."""
        return (self.kind,) if isinstance(self.kind, Kind) else self.kind


@dataclass(frozen=True)
class Table:
    """A table of the file.

    Attributes:
        text: what it holds, one sentence.
        own: its keys in the order in which people write them.
        others: what further keys mean, whose names the author chooses; empty if there are none.
    """

    text: str
    own: tuple[Key, ...]
    others: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the keys."""
        return tuple(key.name for key in self.own)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the keys that must be there."""
        return tuple(key.name for key in self.own if key.required)

    def key(self, name: str) -> Key:
        """A key by its name."""
        return next(key for key in self.own if key.name == name)

"""Typed access to TOML tables, with the key in every message."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from bayescomb.base.checks import known_name
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.csv import number as cell_number
from bayescomb.formats.declared import TABLES, Kind

__all__ = [
    "check_keys",
    "check_table",
    "entries",
    "flag",
    "named_texts",
    "named_values",
    "number",
    "records",
    "text",
    "texts",
]


# Settings of the whole model, which end up in a table if they stand behind its heading.
OF_THE_MODEL: Final = (
    "format", "assumptions", "treatment", "repair", "chi2", "nuisance_values", "normalise", "shared_names", "relations",
    "within", "blind",
)  # fmt: skip


def check_keys(table: Mapping[str, Any], allowed: Collection[str], *, required: Collection[str], where: str) -> None:
    """Every key is known and every required one there.

    Raises:
        FileFormatError: a required key is missing.
        UnknownNameError: a key is not known, most often a typing error that would change a number silently.
    """
    for key in table:
        try:
            known_name(key, allowed, kind="key", where=where)
        except UnknownNameError as error:
            if key in OF_THE_MODEL:
                msg = f"{error}; {key!r} belongs above the first [table], because all that follows a [table] is in it"
                raise UnknownNameError(msg) from error
            raise
    missing = [key for key in required if key not in table]
    if missing:
        msg = f"{where}: missing key {', '.join(map(repr, missing))}; add it"
        raise FileFormatError(msg)


def check_table(table: Mapping[str, Any], path: str, *, where: str, required: Collection[str] | None = None) -> None:
    """Keys are those that :data:`bayescomb.formats.declared.TABLES` declares.

    Args:
        table: found in the file.
        path: of the table there.
        where: its place, for messages.
        required: keys that must be there, by default those that are declared so.

    Raises:
        FileFormatError: a required key is missing.
        UnknownNameError: a key is not known.
    """
    declared = TABLES[path]
    check_keys(table, declared.names, required=declared.required if required is None else required, where=where)


def entries(
    table: Mapping[str, Any], key: str, *, where: str, declared: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of an array of tables, each with its place; none without the key.

    Args:
        table: which may have the key.
        key: of the array.
        where: place of the table, for messages.
        declared: path of the tables, if their keys are to be checked (:func:`check_table`).

    Raises:
        FileFormatError: it is no array of tables, or a required key is missing in one.
        UnknownNameError: a key is not known.
    """
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        msg = f"{where}: {key} = {value!r} found, an array of tables ([[{key}]]) is needed"
        raise FileFormatError(msg)
    for i, entry in enumerate(value):
        place = f"{where}: {key}[{entry.get('name', i)!r}]"
        if declared:
            check_table(entry, declared, where=place)
        yield place, entry


def records(document: Mapping[str, Any], key: str, *, where: str) -> Iterator[tuple[str, Mapping[str, Any], dict[str, str]]]:
    """The tables of an array at the top of the file: place, table, and its text keys, each empty where it is not given.

    Raises:
        FileFormatError, UnknownNameError: as :func:`entries`, or a text key holds something else.
    """
    keys = [declared.name for declared in TABLES[key].own if declared.kind is Kind.TEXT]
    for place, entry in entries(document, key, where=where, declared=key):
        yield place, entry, {name: text(entry, name, where=place, default="") for name in keys}


def named_values(table: Mapping[str, Any], key: str, *, where: str, example: str) -> Mapping[str, Any]:
    """A table whose keys are names that its author chose, in their order; empty without the key.

    Raises:
        FileFormatError: it is no table; the message shows the example.
    """
    value = table.get(key, {})
    if not isinstance(value, dict):
        msg = f"{where}: {key} = {value!r} found, a table is needed, as in {example}"
        raise FileFormatError(msg)
    return value


def named_texts(table: Mapping[str, Any], key: str, *, where: str, example: str) -> dict[str, str]:
    """The same where every value is a string.

    Raises:
        FileFormatError: it is no table, or a value is no string.
    """
    stated = named_values(table, key, where=where, example=example)
    return {name: text(stated, name, where=f"{where}.{key}") for name in stated}


def text(table: Mapping[str, Any], key: str, *, where: str, default: str | None = None) -> str:
    """A string value.

    Raises:
        FileFormatError: it is missing without a default, or no string.
    """
    value = table.get(key, default)
    if not isinstance(value, str):
        msg = f"{where}: {key} = {value!r} found, a text is needed"
        raise FileFormatError(msg)
    return value


def number(table: Mapping[str, Any], key: str, *, where: str) -> float:
    """A number.

    Raises:
        FileFormatError: it is missing, or none.
        InvalidNumberError: it is a text that is no number.
    """
    value = table.get(key)
    if isinstance(value, str):
        return cell_number(value, where=f"{where}: {key}", lenient=True)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{where}: {key} = {value!r} found, a number is needed"
        raise FileFormatError(msg)
    return float(value)


def texts(table: Mapping[str, Any], key: str, *, where: str, default: list[str] | None = None) -> list[str]:
    """A list of strings.

    Raises:
        FileFormatError: it is missing without a default, or no list of strings.
    """
    value = table.get(key, default)
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        msg = f"{where}: {key} = {value!r} found, a list of texts is needed"
        raise FileFormatError(msg)
    return list(value)


def flag(table: Mapping[str, Any], key: str, *, where: str, default: bool = False) -> bool:
    """A switch, off by default.

    Raises:
        FileFormatError: it is neither ``true`` nor ``false``.
    """
    value = table.get(key, default)
    if not isinstance(value, bool):
        msg = f"{where}: {key} = {value!r} found, true or false is needed"
        raise FileFormatError(msg)
    return value

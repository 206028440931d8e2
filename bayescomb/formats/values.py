"""Typed access to TOML tables; every message names the key."""

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


# Settings of the whole model, which TOML puts into a table if they stand below its heading.
OF_THE_MODEL: Final = (
    "format", "assumptions", "treatment", "repair", "chi2", "nuisance_values", "normalise", "shared_names", "relations",
    "within", "blind",
)  # fmt: skip


def check_keys(table: Mapping[str, Any], allowed: Collection[str], *, required: Collection[str], where: str) -> None:
    """Check that every key is known, and that no required key is missing.

    Raises:
        FileFormatError: a required key is missing.
        UnknownNameError: a key is not known; most often it is a typing error, which would change a number silently.
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
    """Check the keys of a table against their declaration, :data:`bayescomb.formats.declared.TABLES`.

    Args:
        table: the table of the file.
        path: path of the table in the declaration.
        where: place of the table, for messages.
        required: required keys, by default those that are declared as required.

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
        table: the table that may have the key.
        key: key of the array.
        where: place of the table, for messages.
        declared: path of the tables in the declaration, if their keys are to be checked (:func:`check_table`).

    Raises:
        FileFormatError: the value is not an array of tables, or a required key is missing.
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
    """A table whose keys are names that the author chooses, in their order; empty without the key.

    Raises:
        FileFormatError: the value is not a table; the message shows the example.
    """
    value = table.get(key, {})
    if not isinstance(value, dict):
        msg = f"{where}: {key} = {value!r} found, a table is needed, as in {example}"
        raise FileFormatError(msg)
    return value


def named_texts(table: Mapping[str, Any], key: str, *, where: str, example: str) -> dict[str, str]:
    """A table of texts whose keys are names that the author chooses; empty without the key.

    Raises:
        FileFormatError: the value is not a table, or holds something other than texts.
    """
    stated = named_values(table, key, where=where, example=example)
    return {name: text(stated, name, where=f"{where}.{key}") for name in stated}


def text(table: Mapping[str, Any], key: str, *, where: str, default: str | None = None) -> str:
    """A text.

    Raises:
        FileFormatError: the key is missing without a default, or its value is not a text.
    """
    value = table.get(key, default)
    if not isinstance(value, str):
        msg = f"{where}: {key} = {value!r} found, a text is needed"
        raise FileFormatError(msg)
    return value


def number(table: Mapping[str, Any], key: str, *, where: str) -> float:
    """A number.

    Raises:
        FileFormatError: the key is missing, or its value is neither a number nor a text.
        InvalidNumberError: a text is not a number.
    """
    value = table.get(key)
    if isinstance(value, str):
        return cell_number(value, where=f"{where}: {key}", lenient=True)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{where}: {key} = {value!r} found, a number is needed"
        raise FileFormatError(msg)
    return float(value)


def texts(table: Mapping[str, Any], key: str, *, where: str, default: list[str] | None = None) -> list[str]:
    """A list of texts.

    Raises:
        FileFormatError: the key is missing without a default, or its value is not a list of texts.
    """
    value = table.get(key, default)
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        msg = f"{where}: {key} = {value!r} found, a list of texts is needed"
        raise FileFormatError(msg)
    return list(value)


def flag(table: Mapping[str, Any], key: str, *, where: str, default: bool = False) -> bool:
    """A switch.

    Raises:
        FileFormatError: the value is neither ``true`` nor ``false``.
    """
    value = table.get(key, default)
    if not isinstance(value, bool):
        msg = f"{where}: {key} = {value!r} found, true or false is needed"
        raise FileFormatError(msg)
    return value

"""All tables of ``model.toml``: its reference for people, and its JSON schema, with which editors complete keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final, assert_never

from bayescomb.base.checks import known_name
from bayescomb.base.errors import UnknownNameError
from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.formats.declared.model import MODEL_TABLES, SET_TABLES
from bayescomb.formats.declared.quantities import MEASUREMENT_TABLES, PREDICTION_TABLES, QUANTITY_TABLES

__all__ = ["MODEL_NAME", "TABLES", "heading", "json_schema", "reference_page", "reference_text"]

WIDTH: Final = 100
DIALECT: Final = "http://json-schema.org/draft-07/schema#"  # what taplo and VS Code read
TEXT: Final = {"type": "string"}
# Numbers may be texts, as a spreadsheet writes them.
NUMBER: Final = {"type": ["number", "string"]}
PAIR: Final = {"type": "array", "minItems": 2, "maxItems": 3}
MODEL_NAME: Final = "model.toml"
# Path ("" is the file itself) -> table; the key of a table in the one above is the end of its path.
TABLES: Final[dict[str, Table]] = {
    **MODEL_TABLES,
    **QUANTITY_TABLES,
    **MEASUREMENT_TABLES,
    **SET_TABLES,
    **PREDICTION_TABLES,
}


def heading(path: str) -> str:
    """How a table is written in the file.

    Examples:
        >>> heading("assumption_sets.coefficients"), heading("budget"), heading("")
        ('[[assumption_sets.coefficients]]', '[budget]', 'model.toml')
    """
    if not path:
        return MODEL_NAME
    above, _, name = path.rpartition(".")
    key = next((k for k in TABLES[above].own if k.name == name), None)
    several = key is not None and Kind.TABLES in key.kinds
    return f"[[{path}]]" if several else f"[{path}]"


def reference_text(key: str = "") -> str:
    """All tables, one table with its keys, or one key.

    Args:
        key: a path such as ``assumption_sets.coefficients``, or ``assumption_sets.coefficients.prior``, or the last part
            of one; empty for the list.

    Raises:
        UnknownNameError: there is no such key; the message offers the closest.

    Examples:
        >>> print(reference_text("assumption_sets.coefficients.high"))
        assumption_sets.coefficients.high: number
          upper end of the scan and of the prior
        <BLANKLINE>
          high = 1.0
    """
    if not key:
        lines = ["tables and keys of model.toml (*: required); 'bayescomb reference KEY' says more", ""]
        return "\n".join([*lines, *_list()])
    found = _found(key.strip("[]"))
    texts = [_table_text(path) for path in found if path in TABLES]
    texts += [_key_text(path) for path in found if path not in TABLES]
    return "\n\n".join(texts)


def _found(key: str) -> list[str]:
    """Paths of tables and keys that are meant: that very path, or all that end so."""
    paths = [f"{path}.{k.name}".lstrip(".") for path, table in TABLES.items() for k in table.own]
    known = list(dict.fromkeys([*(path for path in TABLES if path), *paths]))
    if key in known:
        return [key]
    ends = [path for path in known if path.endswith(f".{key}")]
    if not ends:
        try:
            known_name(key, [*known, *(path.rpartition(".")[2] for path in known)], kind="key", where="model.toml")
        except UnknownNameError as error:
            msg = f"{error}; 'bayescomb reference' lists all"
            raise UnknownNameError(msg) from error
    return ends


def _list() -> Iterator[str]:
    for path, table in TABLES.items():
        yield f"{heading(path)}  {table.text}"
        names = ", ".join(f"{key.name}*" if key.required else key.name for key in table.own)
        names = f"{names}; {table.others}" if table.others else names
        yield textwrap.fill(names, WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield ""


def _table_text(path: str) -> str:
    table = TABLES[path]
    others = [f"other keys: {table.others}"] if table.others else []
    return "\n\n".join(
        [f"{heading(path)}\n  {table.text}", *others, *(_key_text(f"{path}.{key.name}") for key in table.own)]
    )


def _key_text(path: str) -> str:
    above, _, name = path.rpartition(".")
    key = TABLES[above].key(name)
    lines = [f"{path}: {_kind(key)}"]
    lines += textwrap.wrap(key.text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines += [f"  one of: {', '.join(key.choices)}"] if key.choices else []
    lines += [f"  default: {key.default}"] if key.default else []
    return "\n".join([*lines, "", *(f"  {line}" for line in key.example.splitlines())])


def _kind(key: Key) -> str:
    return f"{' or '.join(key.kinds)}{', required' if key.required else ''}"


def reference_page() -> str:
    """The reference as Markdown.

    Examples:
        >>> reference_page().splitlines()[0]
        '# Reference of model.toml'
    """
    lines = ["# Reference of model.toml", "", "Made from the declaration that the reader checks with.", ""]
    for path, table in TABLES.items():
        lines += [f"## {heading(path)}", "", table.text, ""]
        lines += [f"Other keys: {table.others}.", ""] if table.others else []
        for key in table.own:
            lines += [f"### `{f'{path}.{key.name}'.lstrip('.')}`", "", f"*{_kind(key)}*: {key.text}.", ""]
            lines += [f"One of: {', '.join(f'`{c}`' for c in key.choices)}.", ""] if key.choices else []
            lines += [f"Default: {key.default}.", ""] if key.default else []
            lines += ["```toml", key.example, "```", ""]
    return "\n".join(lines)


def json_schema() -> dict[str, Any]:
    """The schema of the whole file, as JSON takes it.

    Examples:
        >>> schema = json_schema()
        >>> schema["required"], len(schema["definitions"]["assumption_sets.coefficients"]["properties"])
        (['format', 'name', 'assumption_sets'], 18)
    """
    whole = {"$schema": DIALECT, "title": "model.toml of bayescomb", **_table("")}
    return {**whole, "definitions": {path: _table(path) for path in TABLES if path}}


def _table(path: str) -> dict[str, Any]:
    table = TABLES[path]
    return {
        "type": "object",
        "description": table.text,
        "properties": {key.name: _key(key, path) for key in table.own},
        "required": list(table.required),
        "additionalProperties": bool(table.others),
    }


def _key(key: Key, path: str) -> dict[str, Any]:
    inner = f"{path}.{key.name}" if path else key.name
    kinds = [_schema_of(kind, inner) for kind in key.kinds]
    found: dict[str, Any] = dict(kinds[0]) if len(kinds) == 1 else {"anyOf": kinds}
    if key.choices:
        found["enum"] = list(key.choices)
    described = f"{key.text}{f' (default: {key.default})' if key.default else ''}"
    # A reference stands alone in this dialect
    return {"description": described, "allOf": [found]} if "$ref" in found else {"description": described, **found}


def _schema_of(kind: Kind, inner: str) -> dict[str, Any]:
    reference = {"$ref": f"#/definitions/{inner}"} if inner in TABLES else {"type": "object"}
    match kind:
        case Kind.TEXT:
            return TEXT
        case Kind.NUMBER:
            return NUMBER
        case Kind.WHOLE:
            return {"type": "integer"}
        case Kind.FLAG:
            return {"type": "boolean"}
        case Kind.TEXTS:
            return {"type": "array", "items": TEXT}
        case Kind.NUMBERS:
            return {"type": "array", "items": NUMBER}
        case Kind.PAIRS:
            return {"type": "array", "items": PAIR}
        case Kind.TABLE:
            return reference
        case Kind.TABLES:
            return {"type": "array", "items": reference}
        case Kind.NAMED_TEXTS:
            return {"type": "object", "additionalProperties": TEXT}
        case Kind.NAMED_NUMBERS:
            return {"type": "object", "additionalProperties": NUMBER}
        case Kind.NAMED:
            return {"type": "object"}
    assert_never(kind)

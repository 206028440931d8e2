"""The JSON schema of ``model.toml``, with which editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any, Final, assert_never

from bayescomb.formats.declared.key import Key, Kind
from bayescomb.formats.declared.tables import TABLES

__all__ = ["json_schema"]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"  # what taplo and VS Code read
TEXT: Final = {"type": "string"}
# Numbers may be texts, as a spreadsheet writes them.
NUMBER: Final = {"type": ["number", "string"]}
PAIR: Final = {"type": "array", "minItems": 2, "maxItems": 3}


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
    kinds = [_kind(kind, inner) for kind in key.kinds]
    found: dict[str, Any] = dict(kinds[0]) if len(kinds) == 1 else {"anyOf": kinds}
    if key.choices:
        found["enum"] = list(key.choices)
    described = f"{key.text}{f' (default: {key.default})' if key.default else ''}"
    # A reference stands alone in this dialect
    return {"description": described, "allOf": [found]} if "$ref" in found else {"description": described, **found}


def _kind(kind: Kind, inner: str) -> dict[str, Any]:
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

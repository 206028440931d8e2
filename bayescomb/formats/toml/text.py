"""TOML text: short values on one line, long lists wrapped, and one line per table in a list of tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["assignments", "key_text", "stated", "value_text"]

WIDTH: Final = 120
BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def assignments(table: Mapping[str, Any]) -> list[str]:
    """Lines ``key = value`` of a table; a value ``None`` has no line.

    Args:
        table: key -> text, number, bool, list or table.

    Examples:
        >>> assignments({"name": "m_t", "value": 172.5, "spectator": False, "bins": {"bin 1": 1.0}})
        ['name = "m_t"', 'value = 172.5', 'spectator = false', 'bins = { "bin 1" = 1.0 }']
    """
    lines = []
    for key, value in table.items():
        if value is None:
            continue
        line = f"{key_text(key)} = {value_text(value)}"
        if isinstance(value, (list, tuple)) and value and (isinstance(value[0], Mapping) or len(line) > WIDTH):
            line = f"{key_text(key)} = [\n{_wrapped(value)}\n]"
        lines.append(line)
    return lines


def stated(item: object, *keys: str) -> dict[str, Any]:
    """Attributes of an object as a table; an empty one, which is the default of its key, is ``None``."""
    return {key: getattr(item, key) or None for key in keys}


def key_text(key: str) -> str:
    """A key, in quotes if TOML needs them."""
    return key if BARE_KEY.fullmatch(key) else _string(key)


def value_text(value: Any) -> str:
    """A value on one line; every number in full precision.

    Raises:
        TypeError: TOML has no value of this type.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(value_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = [f"{key_text(key)} = {value_text(item)}" for key, item in value.items() if item is not None]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    msg = f"{value!r} cannot be written as TOML"
    raise TypeError(msg)


def _string(text: str) -> str:
    """A basic string; the escapes of JSON are those of TOML, which needs one more, for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _wrapped(items: Any) -> str:
    """The lines of a list: one table per line, or as many other items as fit."""
    lines: list[str] = []
    for item in items:
        text = f"{value_text(item)},"
        if lines and not isinstance(item, Mapping) and len(lines[-1]) + len(text) + 3 <= WIDTH:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return "\n".join(f"  {line}" for line in lines)  # textwrap.indent would break a text at other line separators too

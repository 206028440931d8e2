"""The reference of ``model.toml`` for people: in a terminal, and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from bayescomb.base.checks import known_name
from bayescomb.base.errors import UnknownNameError
from bayescomb.formats.declared.key import Key, Kind
from bayescomb.formats.declared.tables import MODEL_NAME, TABLES

__all__ = ["heading", "reference_page", "reference_text"]

WIDTH: Final = 100


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
          upper end of both
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

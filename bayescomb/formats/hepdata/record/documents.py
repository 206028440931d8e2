"""Reads YAML and JSON into plain texts, lists and mappings: nothing is executed, and size and depth are bounded.

Every scalar stays a text, as YAML 1.1 would read ``010`` as 8, ``1:30`` as 90 and ``no`` as a truth value; the reader of a
table decides which texts are numbers.  The tag ``!!python/unicode``, which old programs wrote before every text, is
ignored; any other tag is an error.  Empty documents are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import yaml

from bayescomb.base.errors import DuplicateNameError, FileFormatError

__all__ = ["MAX_DEPTH", "MAX_NODES", "read_json", "read_yaml"]

# The site takes files of up to 10 MB, which hold fewer entries.
MAX_NODES: Final = 5_000_000
# The tag that Python 2 wrote before a text.
UNICODE: Final = "tag:yaml.org,2002:python/unicode"
# Tables nest less than ten levels deep.
MAX_DEPTH: Final = 40
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TextLoader(_BASE):
    """The safe loader, except that scalars stay texts and a repeated key is an error."""

    yaml_implicit_resolvers: Final[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                msg = f"line {key.start_mark.line + 1}: the key {key.value!r} stands twice; keep one"
                raise DuplicateNameError(msg)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_TextLoader.add_constructor(UNICODE, lambda loader, node: loader.construct_scalar(node))


def read_yaml(content: bytes, *, where: str) -> list[Any]:
    """The documents of a YAML file.

    Args:
        content: the file.
        where: its name, for messages.

    Raises:
        FileFormatError: the file is no YAML, has a tag that would build an object, nests too deep, or has aliases for more
            entries than a file of the site can hold.
        DuplicateNameError: a key stands twice in a mapping.

    Examples:
        >>> read_yaml(b"{value: 010, label: no}", where="t.yaml")
        [{'value': '010', 'label': 'no'}]
    """
    try:
        _check_depth(yaml.parse(content, Loader=_TextLoader), where)
        found = []
        loader = _TextLoader(content)
        try:
            while loader.check_node():
                node = loader.get_node()
                _check_size(node, where)
                document = loader.construct_document(node)
                if document != "":
                    found.append(document)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        msg = f"{where}: no YAML of plain data ({' '.join(str(error).split())}); correct the file"
        raise FileFormatError(msg) from error
    except DuplicateNameError as error:
        msg = f"{where}: {error}"
        raise DuplicateNameError(msg) from error
    except (
        ValueError,
        RecursionError,
        TypeError,
        AttributeError,
    ) as error:  # from bytes that are no text, and from odd tags and keys
        msg = f"{where}: cannot be read as YAML ({' '.join(str(error).split())}); correct the file"
        raise FileFormatError(msg) from error
    return found


def _check_depth(events: Iterable[yaml.Event], where: str) -> None:
    """Refuse deep nesting before any node is built, as building is recursive."""
    depth = 0
    for count, event in enumerate(events):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or count > MAX_NODES:
            found = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES} entries"
            msg = f"{where}: more than {found} found, more than any table of the site has; check that the file is a table"
            raise FileFormatError(msg)


def _check_size(root: yaml.Node, where: str) -> None:
    """Refuse too many entries, counted with every alias written out, as building them costs that much."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in open_nodes:
            msg = f"{where}: an alias contains itself; correct the file"
            raise FileFormatError(msg)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            children = node.value if isinstance(node, yaml.SequenceNode) else [n for pair in node.value for n in pair]
            sizes[id(node)] = 1 + sum(map(size, children))
            open_nodes.remove(id(node))
            if sizes[id(node)] > MAX_NODES:
                msg = (
                    f"{where}: its aliases stand for more than {MAX_NODES} entries, more than any table of the site has; "
                    "check that the file is a table"
                )
                raise FileFormatError(msg)
        return sizes[id(node)]

    size(root)


def read_json(content: bytes, *, where: str) -> Any:
    """A JSON document, with numbers as texts.

    Raises:
        FileFormatError: the content is no JSON, or nests too deep.
        DuplicateNameError: a key stands twice in an object.

    Examples:
        >>> read_json(b'{"value": 1.50}', where="t.json")
        {'value': '1.50'}
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            msg = f"{where}: the key {twice!r} stands twice; keep one"
            raise DuplicateNameError(msg)
        return found

    try:
        text = content.decode("utf-8")
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: no JSON ({' '.join(str(error).split())}); correct the file"
        raise FileFormatError(msg) from error

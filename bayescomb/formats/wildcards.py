"""Names with wildcards, where names may hold brackets."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

__all__ = ["matches", "matching"]


def matching(pattern: str, names: Collection[str]) -> list[str]:
    """The name itself if it is one of the names, otherwise those that match; only ``*`` and ``?`` stand for letters.

    Examples:
        >>> matching("JES[*]", ["JES[a]", "JES[b]", "lumi[a]"])
        ['JES[a]', 'JES[b]']
    """
    if pattern in names or not {"*", "?"} & set(pattern):
        return [pattern]
    escaped = pattern.replace("[", "[[]")
    return [name for name in names if fnmatchcase(name, escaped)]


def matches(pattern: str, name: str) -> bool:
    """Whether a name is the pattern, as it stands or by its wildcards.

    Examples:
        >>> matches("JES[*]", "JES[a]"), matches("JES", "JES[a]")
        (True, False)
    """
    return matching(pattern, [name]) == [name]

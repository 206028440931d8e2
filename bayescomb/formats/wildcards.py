"""Patterns of names with the wildcards ``*`` and ``?``; brackets stand for themselves."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

__all__ = ["matches", "matching"]


def matching(pattern: str, names: Collection[str]) -> list[str]:
    """The names that match a pattern; a pattern that is a name, or has no wildcard, gives itself.

    Examples:
        >>> matching("JES[*]", ["JES[a]", "JES[b]", "lumi[a]"])
        ['JES[a]', 'JES[b]']
    """
    if pattern in names or not {"*", "?"} & set(pattern):
        return [pattern]
    escaped = pattern.replace("[", "[[]")
    return [name for name in names if fnmatchcase(name, escaped)]


def matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern.

    Examples:
        >>> matches("JES[*]", "JES[a]"), matches("JES", "JES[a]")
        (True, False)
    """
    return matching(pattern, [name]) == [name]

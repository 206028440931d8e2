"""A mapping that cannot be changed, for the fields of frozen dataclasses; it pickles, unlike ``MappingProxyType``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["FrozenMapping"]


class FrozenMapping[Key, Value](Mapping[Key, Value]):
    """Read-only copy of a mapping, in its order.

    Examples:
        >>> FrozenMapping({"m_t": 1.0})["m_t"]
        1.0
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Key, Value]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Key) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"FrozenMapping({self._items!r})"

"""Modules that load when they are first used: a profile needs neither labelled arrays nor pandas behind them."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["deferred"]


class _Deferred:
    """Stands for a module; the first attribute that is asked for imports it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def deferred(name: str) -> Any:
    """A module by its name, imported at its first use.

    Examples:
        >>> deferred("math").floor(2.5)
        2
    """
    return _Deferred(name)

"""Modules imported at their first use: a profile needs neither xarray nor the pandas that it imports."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["deferred"]


class _Deferred:
    """Stands for a module, which its first attribute access imports."""

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

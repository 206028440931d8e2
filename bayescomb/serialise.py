"""A combination as plain data, so that a stored posterior carries the model it was made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescomb.inputs import Combination

__all__ = ["SETTINGS", "combination_from_json", "combination_to_json", "fingerprint"]

# What a user may change between sampling and comparing without changing the model itself.
SETTINGS = ("assumptions", "treatment", "repair", "chi2", "nuisance_values", "extraction")


def combination_to_json(combination: Combination) -> str:
    """The combination as JSON text, every figure in full precision."""
    return json.dumps(_plain(combination), allow_nan=False)


def combination_from_json(text: str) -> Combination:
    """The combination back from its JSON text; checked like any other input.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.serialise import combination_from_json, combination_to_json, fingerprint
        >>> combination = bc.load("models/run1_mass")
        >>> fingerprint(combination_from_json(combination_to_json(combination))) == fingerprint(combination)
        True
    """
    combination = _typed(Combination, json.loads(text))
    assert isinstance(combination, Combination)  # _typed returns what it is asked for
    return combination


def fingerprint(combination: Combination) -> str:
    """Hash of budget and assumptions, whatever settings are in force."""
    data = {key: value for key, value in _plain(combination).items() if key not in SETTINGS}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _typed(kind: Any, value: Any) -> Any:
    """Plain data as the type a field declares."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return None if value is None else _typed(inner, value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast("Any", kind)(**{key: _typed(hints[key], item) for key, item in value.items()})
    if origin is tuple:
        return tuple(_typed(arguments[0], item) for item in value)
    if origin is np.ndarray:
        return np.array(value, dtype=float).reshape((0, 0) if value == [] else np.shape(value))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _typed(arguments[1], item) for key, item in value.items()}
    return value

"""A combination as JSON, so that a stored posterior carries the model that it was made from."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescomb.base.errors import FileFormatError
from bayescomb.inputs.combination import Combination

__all__ = ["SETTINGS", "combination_from_json", "combination_to_json", "difference"]

# Fields that are settings: they may differ between two combinations of the same model.
SETTINGS = (
    "assumptions", "treatment", "repair", "chi2", "nuisance_values", "extraction", "errors_on_errors", "nonnegative",
)  # fmt: skip

ROUNDING = 1e-9

# Responses are shifts of published values.  Earlier versions wrote shifts of the prediction, without this entry.
SHIFTS = {"shifts": "published values"}


def combination_to_json(combination: Combination) -> str:
    """The combination as JSON text, every figure in full precision."""
    return json.dumps(SHIFTS | _plain(combination), allow_nan=False)


def combination_from_json(text: str) -> Combination:
    """The combination of a JSON text, checked like any other input.

    Raises:
        FileFormatError: the text is of an earlier version, whose responses had the other sign.

    Examples:
        >>> import bayescomb as bc
        >>> text = combination_to_json(bc.load("models/run1_mass"))
        >>> combination_to_json(combination_from_json(text)) == text
        True
    """
    data = json.loads(text)
    if any(data.pop(key, None) != value for key, value in SHIFTS.items()):
        msg = (
            "its inputs do not state that their shifts are those of published values, so an earlier bayescomb wrote it; "
            "make it again"
        )
        raise FileFormatError(msg)
    combination = _typed(Combination, data)
    assert isinstance(combination, Combination)  # _typed returns what it is asked for
    return combination


def difference(first: Combination, second: Combination) -> str:
    """Path of the first difference between two combinations, settings and rounding aside; empty if there is none.

    The information of a fitted input is an inverse, whose last digits depend on the machine: entries of matrices are the
    same within 1e-9 of the largest entry of their row or column, whichever is smaller.

    Examples:
        >>> import dataclasses
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass")
        >>> difference(combination, dataclasses.replace(combination, name="other"))
        'name'
    """
    names = [f.name for f in dataclasses.fields(first) if f.name not in SETTINGS]
    found = (_difference(getattr(first, name), getattr(second, name), name) for name in names)
    return next((where for where in found if where), "")


def _difference(first: Any, second: Any, where: str) -> str:
    """Path of the first difference of two values, empty if there is none."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return "" if _close(first, second) else where
    if type(first) is not type(second):
        return where
    parts: list[tuple[Any, Any, str]]
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        fields = [f.name for f in dataclasses.fields(first)]
        parts = [(getattr(first, name), getattr(second, name), f"{where}.{name}") for name in fields]
    elif isinstance(first, Mapping):
        if set(first) != set(second):
            return where
        parts = [(first[key], second[key], f"{where}[{key!r}]") for key in first]
    elif isinstance(first, tuple):
        if len(first) != len(second):
            return where
        parts = [(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(first, second, strict=True))]
    else:
        return "" if first == second else where
    return next((found for part in parts if (found := _difference(*part))), "")


def _close(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    if first.ndim != 2 or not first.size:
        return bool(np.array_equal(first, second))
    size = np.abs(first)
    scale = np.minimum(size.max(axis=1)[:, None], size.max(axis=0)[None, :])
    return bool((np.abs(first - second) <= ROUNDING * scale).all())


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

"""Labelled arrays that become xarray arrays at their first use, as most commands only print a few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.deferred import deferred

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["labelled", "labelled_field", "labels", "numbers"]


@dataclass(frozen=True)
class _Labelled:
    """Arguments of a DataArray."""

    values: FloatArray
    dims: tuple[str, ...]
    coords: Mapping[str, Any]
    name: str

    def array(self) -> xr.DataArray:
        return xr.DataArray(self.values, dims=self.dims, coords=self.coords, name=self.name)


class _LabelledField:
    """A field that keeps the value of :func:`labelled` and makes the array when it is first read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = f"_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            raise AttributeError(self.key)  # so that a dataclass field has no default
        found = instance.__dict__[self.key]
        if isinstance(found, _Labelled):
            found = instance.__dict__[self.key] = found.array()
        return found

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.key] = value


def labelled_field() -> Any:
    """A field of a dataclass that holds a DataArray, made when it is first read.

    Examples:
        >>> from dataclasses import dataclass
        >>> import numpy as np
        >>> @dataclass(frozen=True)
        ... class Result:
        ...     values: object = labelled_field()
        >>> result = Result(values=labelled(np.array([1.0]), ("parameter",), {"parameter": ["x"]}, name="value"))
        >>> numbers(result, "values"), result.values.sel(parameter="x").item()
        (array([1.]), 1.0)
    """
    return _LabelledField()


def labelled(values: FloatArray, dims: Sequence[str], coords: Mapping[str, Any], *, name: str) -> Any:
    """Value for a :func:`labelled_field`; the arguments are those of a DataArray."""
    return _Labelled(values, tuple(dims), coords, name)


def numbers(instance: object, field: str) -> FloatArray:
    """The numbers of a labelled field, without making the array."""
    found = instance.__dict__[f"_{field}"]
    return found.values if isinstance(found, _Labelled) else np.asarray(found.to_numpy())


def labels(instance: object, field: str, coordinate: str) -> list[str]:
    """A coordinate of a labelled field as texts, without making the array."""
    found = instance.__dict__[f"_{field}"]
    values = found.coords[coordinate] if isinstance(found, _Labelled) else found[coordinate].to_numpy()
    return [str(value) for value in (values[1] if isinstance(values, tuple) else values)]

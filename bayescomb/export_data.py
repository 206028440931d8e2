"""Exported groups as plain data for JSON and as one tree for netCDF: the same numbers, both in full precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["group_data", "plain_data", "tree"]


def plain_data(header: Mapping[str, Any], groups: Mapping[str, xr.Dataset], model: str) -> dict[str, Any]:
    """Plain data of an export.

    Args:
        header: of :func:`bayescomb.export_groups.export_header`.
        groups: name -> labelled arrays.
        model: the combination as JSON text, see :func:`bayescomb.serialise.combination_to_json`; its inputs stand under
            ``inputs``, from which the combination can be read again.

    Examples:
        >>> import xarray as xr
        >>> from bayescomb.export_data import plain_data
        >>> group = xr.Dataset({"value": ("parameter", [1.5])}, {"parameter": ["x"]})
        >>> plain_data({"quotable": True}, {"results": group}, '{"name": "example"}')
        {'quotable': True, 'results': {'x': {'value': 1.5}}, 'inputs': {'name': 'example'}}
    """
    return {**header, **{name: group_data(group) for name, group in groups.items()}, "inputs": json.loads(model)}


def group_data(group: xr.Dataset) -> dict[str, Any] | list[dict[str, Any]]:
    """One entry per row, by its label where the rows have one; matrices as a mapping of row and column labels.

    NaN, which says that there is no number, becomes ``None``.

    Examples:
        >>> import xarray as xr
        >>> from bayescomb.export_data import group_data
        >>> group_data(xr.Dataset({"value": ("parameter", [1.5, float("nan")])}, {"parameter": ["x", "y"]}))
        {'x': {'value': 1.5}, 'y': {'value': None}}
    """
    dim = str(next(iter(group.sizes)))
    variables = {str(key): group[key] for key in (*group.coords, *group.data_vars) if key not in group.dims}
    rows: list[dict[str, Any]] = [{} for _ in range(group.sizes[dim])]
    for key, values in variables.items():
        if values.ndim == 1:
            for row, value in zip(rows, values.to_numpy(), strict=True):
                row[key] = _plain(value)
            continue
        other = str(values.dims[1])
        labels = [str(label) for label in group[other].to_numpy()]
        for row, own in zip(rows, values.to_numpy(), strict=True):
            row[key] = {label: _plain(value) for label, value in zip(labels, own, strict=True)}
    if dim not in group.coords:
        return rows
    return {str(label): row for label, row in zip(group[dim].to_numpy(), rows, strict=True)}


def tree(header: Mapping[str, Any], groups: Mapping[str, xr.Dataset], model: str) -> xr.DataTree:
    """The groups as one tree with the header in its attributes; what is no text or number there is JSON text.

    Examples:
        >>> import xarray as xr
        >>> from bayescomb.export_data import tree
        >>> group = xr.Dataset({"value": ("parameter", [1.5])}, {"parameter": ["x"]})
        >>> tree({"quotable": True, "caveats": []}, {"results": group}, "{}").attrs
        {'quotable': 1, 'caveats': '[]', 'model': '{}'}
    """
    result = xr.DataTree.from_dict(dict(groups))
    result.attrs = {key: _attribute(value) for key, value in header.items() if value is not None} | {"model": model}
    return result


def _attribute(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else json.dumps(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value

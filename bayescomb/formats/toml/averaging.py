"""Reader of ``[hflav]`` in ``model.toml``: files of HFLAV's combination-code as they are.

::

    [hflav]
    results = ["CDF.json", "LHCb.json"]                     # files of result sets
    intercorrelations = ["IntercorrelationMaps.json"]       # how their systematic errors are correlated
    parameters = ["dms"]                                    # to keep, all by default
    result_sets = ["CDF2", "LHCb-Ds-3pi+"]                  # likewise
    experiments = { "LHCb*" = "LHCb" }                      # patterns of the labels; a set is its own experiment otherwise

A parameter is the observable of its name; an observable with a formula is what that program calls a translator.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bayescomb.base.checks import known_name
from bayescomb.formats.hflav.combination import Averaging, read_averaging
from bayescomb.formats.values import check_table, named_values, text, texts

__all__ = ["read_hflav"]


def read_hflav(document: Mapping[str, Any], path: Path, *, observables: Collection[str]) -> Averaging:
    """What the files say that the table ``[hflav]`` of a document names; nothing without it.

    Raises:
        UnknownNameError: a parameter is no observable of the model.
        BayescombError: as :func:`bayescomb.formats.hflav.combination.read_averaging`.
    """
    if "hflav" not in document:
        return Averaging(measurements=(), blocks=(), sources=(), parameters=())
    where = f"{path}: hflav"
    entry = named_values(document, "hflav", where=str(path), example='{ results = ["CDF.json"] }')
    check_table(entry, "hflav", where=where)
    stated = (
        named_values(entry, "experiments", where=where, example='{ "LHCb*" = "LHCb" }') if "experiments" in entry else {}
    )
    found = read_averaging(
        [path.parent / name for name in texts(entry, "results", where=where)],
        intercorrelations=[path.parent / name for name in texts(entry, "intercorrelations", where=where, default=[])],
        parameters=texts(entry, "parameters", where=where) if "parameters" in entry else None,
        result_sets=texts(entry, "result_sets", where=where) if "result_sets" in entry else None,
        experiments={pattern: text(stated, pattern, where=f"{where}.experiments") for pattern in stated},
    )
    for parameter in found.parameters:
        known_name(parameter, observables, kind="observable", where=f"{where} (name other 'parameters' to leave it out)")
    return found

"""Reader of ``[hflav]`` and ``[averagetools]`` in ``model.toml``: files of programs that average, as they are.

::

    [hflav]
    results = ["CDF.json", "LHCb.json"]                     # files of result sets
    intercorrelations = ["IntercorrelationMaps.json"]       # how their systematic errors are correlated
    parameters = ["dms"]                                    # to keep, all by default
    result_sets = ["CDF2", "LHCb-Ds-3pi+"]                  # likewise
    experiments = { "LHCb*" = "LHCb" }                      # patterns of the labels; a set is its own experiment otherwise
    asymmetric = true                                       # two-sided errors of sets of one parameter, else symmetric ones

    [averagetools]
    table = "input.txt"                                     # a file of S. Kluth's averagetools
    observables = { a = "m_t" }                             # its groups, by default the observables of their names
    experiments = { Val1 = "ATLAS" }                        # of its values; each is its own experiment otherwise

A parameter is the observable of its name; an observable with a formula is what combination-code calls a translator.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bayescomb.base.checks import known_name
from bayescomb.formats.averagetools.table import read_averagetools
from bayescomb.formats.averaging import Averaging
from bayescomb.formats.hflav.combination import read_averaging
from bayescomb.formats.values import check_table, flag, named_values, text, texts

__all__ = ["read_averages"]


def read_averages(document: Mapping[str, Any], path: Path, *, observables: Collection[str]) -> list[Averaging]:
    """What the files say that the tables ``[hflav]`` and ``[averagetools]`` of a document name.

    Raises:
        UnknownNameError: a parameter is no observable of the model.
        BayescombError: as :func:`bayescomb.formats.hflav.combination.read_averaging` and
            :func:`bayescomb.formats.averagetools.table.read_averagetools`.
    """
    readers = {"hflav": _hflav, "averagetools": _averagetools}
    return [read(document, path, observables) for key, read in readers.items() if key in document]


def _averagetools(document: Mapping[str, Any], path: Path, observables: Collection[str]) -> Averaging:
    where = f"{path}: averagetools"
    entry = named_values(document, "averagetools", where=str(path), example='{ table = "input.txt" }')
    check_table(entry, "averagetools", where=where)
    stated = {
        key: named_values(entry, key, where=where, example='{ a = "m_t" }') if key in entry else {}
        for key in ("observables", "experiments")
    }
    found = read_averagetools(
        path.parent / text(entry, "table", where=where),
        groups={group: text(stated["observables"], group, where=where) for group in stated["observables"]},
        experiments={name: text(stated["experiments"], name, where=where) for name in stated["experiments"]},
    )
    for parameter in found.parameters:
        known_name(parameter, observables, kind="observable", where=f"{where} (say which it is, 'observables')")
    return found


def _hflav(document: Mapping[str, Any], path: Path, observables: Collection[str]) -> Averaging:
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
        asymmetric=flag(entry, "asymmetric", where=where),
    )
    for parameter in found.parameters:
        known_name(parameter, observables, kind="observable", where=f"{where} (name other 'parameters' to leave it out)")
    return found

"""Reader of ``[hflav]`` and ``[averagetools]`` in ``model.toml``: unchanged files of averaging programs.

::

    [hflav]
    results = ["CDF.json", "LHCb.json"]
    intercorrelations = ["IntercorrelationMaps.json"]

    [averagetools]
    table = "input.txt"

``bayescomb reference hflav`` and ``bayescomb reference averagetools`` describe all keys.
A parameter is the observable of the same name; an observable with a formula is a translator of combination-code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bayescomb.base.checks import known_name
from bayescomb.formats.averagetools.table import read_averagetools
from bayescomb.formats.averaging import Averaging
from bayescomb.formats.hflav.combination import read_averaging
from bayescomb.formats.values import check_table, flag, named_texts, named_values, text, texts

__all__ = ["read_averages"]


def read_averages(document: Mapping[str, Any], path: Path, *, observables: Collection[str]) -> list[Averaging]:
    """The inputs in the files that the tables :data:`FORMATS` of a document name.

    Raises:
        UnknownNameError: a parameter is not an observable of the model.
        BayescombError: as :func:`bayescomb.formats.hflav.combination.read_averaging` and
            :func:`bayescomb.formats.averagetools.table.read_averagetools`.
    """
    averages = []
    for key, (read, example, remedy) in FORMATS.items():
        if key not in document:
            continue
        where = f"{path}: {key}"
        entry = named_values(document, key, where=str(path), example=example)
        check_table(entry, key, where=where)
        found = read(entry, where, path.parent)
        for parameter in found.parameters:
            known_name(parameter, observables, kind="observable", where=f"{where} ({remedy})")
        averages.append(found)
    return averages


def _averagetools(entry: Mapping[str, Any], where: str, folder: Path) -> Averaging:
    return read_averagetools(
        folder / text(entry, "table", where=where),
        groups=named_texts(entry, "observables", where=where, example='{ a = "m_t" }'),
        experiments=named_texts(entry, "experiments", where=where, example='{ Val1 = "ATLAS" }'),
    )


def _hflav(entry: Mapping[str, Any], where: str, folder: Path) -> Averaging:
    return read_averaging(
        [folder / name for name in texts(entry, "results", where=where)],
        intercorrelations=[folder / name for name in texts(entry, "intercorrelations", where=where, default=[])],
        parameters=texts(entry, "parameters", where=where) if "parameters" in entry else None,
        result_sets=texts(entry, "result_sets", where=where) if "result_sets" in entry else None,
        experiments=named_texts(entry, "experiments", where=where, example='{ "LHCb*" = "LHCb" }'),
        asymmetric=flag(entry, "asymmetric", where=where),
    )


class _Format(NamedTuple):
    """Reader of a table, an example of the table, and the advice about a parameter that is not an observable.

    The reader has the arguments table, place and folder of the files.
    """

    read: Callable[[Mapping[str, Any], str, Path], Averaging]
    example: str
    remedy: str


# Table of the document -> how it is read; its key is declared as ``foreign`` in formats/declared/model.
FORMATS: Final = {
    "hflav": _Format(_hflav, '{ results = ["CDF.json"] }', "name other 'parameters' to leave it out"),
    "averagetools": _Format(_averagetools, '{ table = "input.txt" }', "say which it is, 'observables'"),
}

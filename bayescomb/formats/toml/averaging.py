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
    """What the files say that the tables :data:`FORMATS` of a document name.

    Raises:
        UnknownNameError: a parameter is no observable of the model.
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
    """How a table is read, an example of it, and what to do about a parameter that is no observable.

    The reader takes the table, its place, and the folder of its files.
    """

    read: Callable[[Mapping[str, Any], str, Path], Averaging]
    example: str
    remedy: str


# Table of the document -> how it is read; its key is declared as ``foreign`` in formats/declared/model.
FORMATS: Final = {
    "hflav": _Format(_hflav, '{ results = ["CDF.json"] }', "name other 'parameters' to leave it out"),
    "averagetools": _Format(_averagetools, '{ table = "input.txt" }', "say which it is, 'observables'"),
}

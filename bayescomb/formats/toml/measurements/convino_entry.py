"""Reader of an entry of ``[[measurements]]`` that names a Convino measurement file and leaves the figures to it.

It is written so::

    [[measurements]]
    name = "CMS 13 TeV"
    experiment = "CMS"
    convino = "cms_13tev.txt"  # beside the model file, or a path from there
    observables = { cms_1 = "bin1", cms_23 = { bin2 = 1.0, bin3 = 1.0 } }
    sources = { "CMS_scale_j_*" = "jet energy scale" }

The file is read as an input of a Convino base file: values, statistics, responses (relative and two-sided ones
too), free nuisances, post-fit values.  What it cannot say stands in the entry: which observables an estimate measures, and
the sources of the nuisances (:mod:`bayescomb.formats.toml.measurements.maps`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from bayescomb.base.checks import known_name, located
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.convino.measurement_file import MeasurementFile, read_measurement
from bayescomb.formats.toml.measurements.file_entry import FileEntry, check_alone, names_of
from bayescomb.formats.toml.measurements.maps import read_factors
from bayescomb.formats.values import named_values, text

__all__ = ["read_convino_entry"]

BESIDE: Final = ("name", "experiment", "observables", "sources")


def read_convino_entry(entry: Mapping[str, Any], place: str, folder: Path, *, observables: Collection[str]) -> FileEntry:
    """The measurement of a Convino file, with the observables that the entry gives to its estimates.

    An estimate that the entry does not name measures the observable of its own name, which must be declared then; a
    combination allows that for a spectator only.

    Args:
        entry: the TOML table, with known keys only.
        place: where it stands.
        folder: where the path of the file starts.
        observables: known observables.

    Raises:
        FileFormatError: a key stands beside ``convino`` that the file speaks for, or a key or the file has the wrong form.
        UnknownNameError: an estimate or observable is not known, or an estimate has no observable.
        Other bayescomb errors: the content of the file is wrong; with its line.

    Warns:
        InputWarning: something in the file is interpreted by guess; the author should check.
    """
    check_alone(entry, "convino", BESIDE, place, states="file states")
    with located(f"{place}.convino"):
        file = read_measurement(folder / text(entry, "convino", where=place))
    maps = _convino_maps(entry, file, place, observables)
    name, experiment = names_of(entry, place)
    with located(place):
        return FileEntry(measurement=file.measurement(name, maps, experiment=experiment))


def _convino_maps(
    entry: Mapping[str, Any], file: MeasurementFile, place: str, observables: Collection[str]
) -> dict[str, dict[str, float]]:
    """Estimate -> observable -> coefficient, for every estimate of the file."""
    where = f"{place}.observables"
    stated: Mapping[str, Any] = {}
    if "observables" in entry:
        stated = named_values(entry, "observables", where=place, example='{ ESTIMATE = "OBSERVABLE" }')
    maps: dict[str, dict[str, float]] = {}
    for estimate, value in stated.items():
        known_name(estimate, file.values, kind=f"estimate of {file.path}", where=where)
        at = f"{where}.{estimate}"
        if isinstance(value, str):
            maps[estimate] = {known_name(value, observables, kind="observable", where=at): 1.0}
        elif isinstance(value, dict):
            maps[estimate] = read_factors(value, where=at, observables=observables)
        else:
            msg = f'{at}: {value!r} found, allowed: "NAME" of an observable, or factors as in {{ bin1 = 1.0, bin2 = 1.0 }}'
            raise FileFormatError(msg)
    for estimate in file.values:
        if estimate not in maps:
            if estimate not in observables:
                msg = (
                    f"{where}: none stated for estimate {estimate!r} ({file.places[estimate]}), and no observable has its "
                    f'name; add {estimate} = "NAME" or {estimate} = {{ NAME = factor, ... }}, or declare a spectator '
                    f"{estimate!r} among the observables"
                )
                raise UnknownNameError(msg)
            maps[estimate] = {estimate: 1.0}
    return maps

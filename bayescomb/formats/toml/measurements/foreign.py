"""Readers of entries of ``[[measurements]]`` that name a file of another program, by key.

A new format has its reader in a module of its own and a line here; its key is declared as ``foreign`` in
:mod:`bayescomb.formats.declared.quantities`.  :mod:`bayescomb.formats.toml.averaging` reads files of averaging programs.

A Convino measurement file::

    [[measurements]]
    name = "CMS 13 TeV"
    experiment = "CMS"
    convino = "cms_13tev.txt"  # beside the model file, or a path from there
    observables = { cms_1 = "bin1", cms_23 = { bin2 = 1.0, bin3 = 1.0 } }
    sources = { "CMS_scale_j_*" = "jet energy scale" }

The file is read as an input of a Convino base file: values, statistics, responses (also relative and two-sided ones), free
nuisances, post-fit values.  The entry adds what the file cannot state: the observables of the estimates, and the sources of
the nuisances (:mod:`bayescomb.formats.toml.measurements.maps`).

The file of a fit::

    [[measurements]]
    name = "CMS 13 TeV"
    experiment = "CMS"
    fit = "fitDiagnostics.root:fit_s"  # or a .txt of TRExFitter, a .csv with a covariance, a .nc with a posterior
    results = ["r"]                    # measured parameters; or { r = "mu_ttH" }, { r = { bin1 = 2.0 } } with observables
    free = ["norm_*"]                  # parameters without a constraint term: names or patterns
    left_out = ["prop_bin*"]           # parameters that are left out, such as template statistics
    priors = { lumi = [1.0, 0.02] }    # centre and width of constraint terms that are not N(0, 1)
    sources = { "CMS_scale_j_*" = "jet energy scale" }

Every other parameter is a nuisance with a prior N(0, 1), which is removed from the fit and counted once in the combination
(:meth:`bayescomb.Measurement.from_fit`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from bayescomb.base.checks import known_name, located
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.convino.measurement_file import MeasurementFile, read_measurement
from bayescomb.formats.csv import number
from bayescomb.formats.fits.files import from_file
from bayescomb.formats.toml.measurements.file_entry import FileEntry, check_alone, names_of
from bayescomb.formats.toml.measurements.hepdata_entry import read_hepdata_entry
from bayescomb.formats.toml.measurements.maps import read_observables
from bayescomb.formats.values import named_values, text, texts

__all__ = ["READERS", "read_convino_entry", "read_fit_entry"]

BESIDE_CONVINO: Final = ("name", "experiment", "observables", "sources")
BESIDE_FIT: Final = ("name", "experiment", "results", "free", "left_out", "priors", "sources")


def read_convino_entry(entry: Mapping[str, Any], place: str, folder: Path, *, observables: Collection[str]) -> FileEntry:
    """The measurement of a Convino file, with the observables that the entry gives to its estimates.

    An estimate that the entry does not name measures the observable of the same name, which must be a declared spectator.

    Args:
        entry: the TOML table, with known keys only.
        place: place of the entry, for messages.
        folder: folder from which the path of the file starts.
        observables: known observables.

    Raises:
        FileFormatError: a key beside ``convino`` states what the file states, or a key or the file has the wrong form.
        UnknownNameError: an estimate or observable is not known, or an estimate has no observable.
        Other bayescomb errors: the content of the file is wrong.

    Warns:
        InputWarning: something in the file is interpreted by guess; the author should check.
    """
    check_alone(entry, "convino", BESIDE_CONVINO, place, states="file states")
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
    stated = named_values(entry, "observables", where=place, example='{ ESTIMATE = "OBSERVABLE" }')
    maps: dict[str, dict[str, float]] = {}
    for estimate, value in stated.items():
        known_name(estimate, file.values, kind=f"estimate of {file.path}", where=where)
        maps[estimate] = read_observables(value, where=f"{where}.{estimate}", observables=observables)
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


def read_fit_entry(entry: Mapping[str, Any], place: str, folder: Path, *, observables: Collection[str]) -> FileEntry:
    """The measurement from the file of a fit.

    Args:
        entry: the TOML table, with known keys only.
        place: place of the entry, for messages.
        folder: folder from which the path of the file starts.
        observables: known observables.

    Raises:
        FileFormatError: a key beside ``fit`` states what the file states, or a key or the file has the wrong form.
        UnknownNameError: a parameter or an observable is not known.
        Other bayescomb errors: from the reader of the file.

    Warns:
        InputWarning: numbers of the fit look wrong.
    """
    check_alone(entry, "fit", BESIDE_FIT, place, states="file states")
    if "results" not in entry:
        msg = f"{place}: no 'results' found, which names the measured parameters of the fit, as in results = [\"r\"]"
        raise FileFormatError(msg)
    name, experiment = names_of(entry, place)
    options = {
        key: [entry[key]] if isinstance(entry[key], str) else texts(entry, key, where=place)
        for key in ("free", "left_out")
        if key in entry
    }
    results, priors = _results(entry, place, observables), _priors(entry, place)
    with located(place):
        fitted = from_file(
            name,
            experiment,
            file=text(entry, "fit", where=place),
            folder=folder,
            results=results,
            priors=priors,
            **options,
        )
    return FileEntry(measurement=fitted)


def _results(entry: Mapping[str, Any], place: str, observables: Collection[str]) -> dict[str, dict[str, float]]:
    """Parameter -> observable -> coefficient."""
    where, given = f"{place}.results", entry["results"]
    if isinstance(given, list):
        given = {name: name for name in texts(entry, "results", where=place)}
    elif not isinstance(given, dict):
        msg = f'{where}: {given!r} found, a list of parameters is needed, or {{ PARAMETER = "OBSERVABLE" }}'
        raise FileFormatError(msg)
    return {
        parameter: read_observables(value, where=f"{where}[{parameter!r}]", observables=observables)
        for parameter, value in given.items()
    }


def _priors(entry: Mapping[str, Any], place: str) -> dict[str, tuple[float, float]]:
    """Nuisance -> centre and width of its constraint term."""
    found = {}
    for name, value in named_values(entry, "priors", where=place, example="{ lumi = [1.0, 0.02] }").items():
        at = f"{place}.priors[{name!r}]"
        if not isinstance(value, list) or len(value) != 2:
            msg = f"{at}: {value!r} found, centre and width are needed, as in [1.0, 0.02]"
            raise FileFormatError(msg)
        centre, width = (number(part, where=at) for part in value)
        found[name] = (centre, width)
    return found


class Reader(Protocol):
    """Reader of an entry."""

    def __call__(self, entry: Mapping[str, Any], place: str, folder: Path, *, observables: Mapping[str, str]) -> FileEntry:
        """The measurement of an entry.

        Args:
            entry: the TOML table.
            place: place of the entry, for messages.
            folder: folder from which paths start.
            observables: known observables -> unit in the model.
        """


READERS: Final[dict[str, Reader]] = {
    "convino": read_convino_entry,
    "hepdata": read_hepdata_entry,
    "fit": read_fit_entry,
}

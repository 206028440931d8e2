"""Reader of an entry of ``[[measurements]]`` that names the file of a fit and leaves the figures to it.

It is written so::

    [[measurements]]
    name = "CMS 13 TeV"
    experiment = "CMS"
    fit = "fitDiagnostics.root:fit_s"  # or a .txt of TRExFitter, a .csv with a covariance, a .nc with a posterior
    results = ["r"]                    # parameters, observables of their names; or { r = "mu_ttH" }, { r = { bin1 = 2.0 } }
    free = ["norm_*"]                  # without a constraint term: names or patterns
    left_out = ["prop_bin*"]           # not kept, as template statistics
    priors = { lumi = [1.0, 0.02] }    # centre and width of constraint terms that are not N(0, 1)
    sources = { "CMS_scale_j_*" = "jet energy scale" }

Everything else is a nuisance with a prior N(0, 1), which the fit contains and the combination states once
(:meth:`bayescomb.Measurement.from_fit`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from bayescomb.base.checks import known_name, located
from bayescomb.base.errors import FileFormatError
from bayescomb.formats.csv import number
from bayescomb.formats.fits.files import from_file
from bayescomb.formats.toml.measurements.file_entry import FileEntry, check_alone, names_of
from bayescomb.formats.toml.measurements.maps import read_factors
from bayescomb.formats.values import named_values, text, texts

__all__ = ["read_fit_entry"]

BESIDE: Final = ("name", "experiment", "results", "free", "left_out", "priors", "sources")


def read_fit_entry(entry: Mapping[str, Any], place: str, folder: Path, *, observables: Collection[str]) -> FileEntry:
    """The measurement of the file of a fit.

    Args:
        entry: the TOML table, with known keys only.
        place: where it stands.
        folder: where the path of the file starts.
        observables: known observables.

    Raises:
        FileFormatError: a key stands beside ``fit`` that the file speaks for, or a key or the file has the wrong form.
        UnknownNameError: a parameter or an observable is not known.
        Other bayescomb errors: as from the reader of the file.

    Warns:
        InputWarning: the fit holds something odd; with the numbers.
    """
    check_alone(entry, "fit", BESIDE, place, states="file states")
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


def _results(entry: Mapping[str, Any], place: str, observables: Collection[str]) -> dict[str, str | dict[str, float]]:
    """Parameter -> its observable, or its factors."""
    where, given = f"{place}.results", entry["results"]
    if isinstance(given, list):
        given = {name: name for name in texts(entry, "results", where=place)}
    elif not isinstance(given, dict):
        msg = f'{where}: {given!r} found, a list of parameters is needed, or {{ PARAMETER = "OBSERVABLE" }}'
        raise FileFormatError(msg)
    found: dict[str, str | dict[str, float]] = {}
    for parameter, value in given.items():
        at = f"{where}[{parameter!r}]"
        if isinstance(value, str):
            found[parameter] = known_name(value, observables, kind="observable", where=at)
        else:
            found[parameter] = read_factors(value, where=at, observables=observables)
    return found


def _priors(entry: Mapping[str, Any], place: str) -> dict[str, tuple[float, float]]:
    """Nuisance -> centre and width."""
    if "priors" not in entry:
        return {}
    found = {}
    for name, value in named_values(entry, "priors", where=place, example="{ lumi = [1.0, 0.02] }").items():
        at = f"{place}.priors[{name!r}]"
        if not isinstance(value, list) or len(value) != 2:
            msg = f"{at}: {value!r} found, centre and width are needed, as in [1.0, 0.02]"
            raise FileFormatError(msg)
        centre, width = (number(part, where=at) for part in value)
        found[name] = (centre, width)
    return found

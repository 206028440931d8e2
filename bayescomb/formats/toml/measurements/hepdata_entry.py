"""Reader of entries of ``[[measurements]]`` whose numbers are in tables of HEPData.

An entry::

    [[measurements]]
    name = "ATLAS 8 TeV"
    experiment = "ATLAS"
    hepdata = "HEPData-ins1234567-v1-yaml.tar.gz"  # or a folder, a YAML or JSON file, or a list of JSON files
    observables = ["bin1", "bin2", "bin3"]         # in the order of the rows, or { "0 - 50" = "bin1", ... }
    sources = { "sys,JES*" = "jet energy scale" }  # labels -> source

    [measurements.tables]
    values = "Table 1"          # or { table = "Table 1", column = "SIG", qualifiers = { "SQRT(S)" = 8000 } }, here and below
    rows = [1, 3]               # or { PT = [50, 200] }; leave_out = ["100 - 200"] names the others
    statistical = "stat"        # label of the statistical errors, { column = "Stat." }, or a list of both
    labels = "sys,*"            # labels that are sources, each a nuisance of that name; a text or a list
    breakdown = ["Table 4"]     # shifts in tables: a column, row or table per source, or a long list
    covariances = { eff = "Table 9" }
    total_covariance = "Table 3"
    pulls = "Table 5"
    nuisance_correlation = "Table 6"

``bayescomb reference measurements.tables`` describes all keys.

A column is named by its header or its number from 1.  ``breakdown`` and columns of errors take ``{ table, column }``, or
``up`` and ``down`` of two-sided shifts; without ``table`` they are columns beside the values.  In a breakdown,
``names = { column = "Source" }`` states the column or axis with the names of the sources, ``ignore`` names sources that are
not used, and ``name`` gives the name of the only source.  A cell without a value may hold a shift as its error; ``label``
chooses one of several.  Bins are matched by edges, centres or numbers; in a breakdown or a matrix, ``match = "order"`` takes
the rows in their order, and ``rows = [11, 12]`` chooses rows of a larger matrix.  Percentages are recognised from units,
headers and labels.  Other units are converted if that is exact, with a warning.

With pulls, the measurement is a fitted input.  Its covariance is the total one, and the breakdown holds the shifts of the
values when a nuisance moves by its post-fit uncertainty and the others follow; or ``nuisance_covariance`` is a table of the
covariances of values and nuisances.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_names, located
from bayescomb.base.errors import FileFormatError, InvalidNumberError, UnknownNameError, warn_input
from bayescomb.formats.hepdata.breakdown import read_breakdown, responses_of
from bayescomb.formats.hepdata.information import read_information
from bayescomb.formats.hepdata.mapping import measured_values, read_mapping
from bayescomb.formats.hepdata.proposal import proposed_tables
from bayescomb.formats.hepdata.record.submission import read_submission
from bayescomb.formats.hepdata.record.tables import Bin
from bayescomb.formats.hepdata.record.units import conversion, same_unit
from bayescomb.formats.hepdata.selection import Measured
from bayescomb.formats.toml.measurements.file_entry import FileEntry, check_alone, names_of
from bayescomb.formats.toml.measurements.maps import read_observables
from bayescomb.formats.values import text, texts
from bayescomb.inputs.measurements import Estimate, FittedInput, Measurement, Nuisance, unnamed_nuisances
from bayescomb.inputs.observables import Provenance

__all__ = ["read_hepdata_entry"]

BESIDE: Final = ("name", "experiment", "tables", "observables", "estimates", "sources")


def read_hepdata_entry(entry: Mapping[str, Any], place: str, folder: Path, *, observables: Mapping[str, str]) -> FileEntry:
    """The measurement of HEPData tables, in the units of the observables where the model states them.

    Args:
        entry: the TOML table.
        place: place of the entry, for messages.
        folder: folder from which the paths of the tables start.
        observables: known observables -> unit in the model, empty if none is stated.

    Raises:
        FileFormatError: a key or a table is missing or has the wrong form, or is not safe to read.
        UnknownNameError: a table, column, label, row or observable is not known.
        InvalidMatrixError: tables contradict each other.
        Other bayescomb errors: the content of a table is wrong.

    Warns:
        InputWarning: the numbers of tables look wrong, or units are converted.
    """
    check_alone(entry, "hepdata", BESIDE, place, states="tables state")
    given = entry["hepdata"]
    paths = [folder / p for p in texts(entry, "hepdata", where=place)] if isinstance(given, list) else None
    with located(f"{place}.hepdata"):
        submission = read_submission(paths or folder / text(entry, "hepdata", where=place))
    if "tables" not in entry:
        msg = (
            f"{place}: no table 'tables' found, which says what the tables of HEPData are; a proposal to be completed:\n"
            f"{proposed_tables(submission)}"
        )
        raise FileFormatError(msg)
    mapping = read_mapping(entry["tables"], where=f"{place}.tables")
    measured = measured_values(mapping, submission)
    name, experiment = names_of(entry, place)
    estimates = _estimates(entry, place, measured, name, observables)
    stated = dict(_stated_units(estimates, measured, observables))
    scales = _scales(estimates, measured, place, observables)
    shifts = read_breakdown(submission, mapping, measured)
    found = read_information(submission, mapping, measured, shifts)
    external = [] if found.fit else shifts
    up, down = responses_of(external, len(estimates))
    nuisances = tuple(Nuisance(name=s.name) for s in external)
    if found.systematic is not None:
        up, down = found.systematic, -found.systematic
        nuisances = unnamed_nuisances(name, up.shape[1])
    with located(place):
        measurement = Measurement(
            name=name,
            experiment=experiment,
            estimates=tuple(
                dataclasses.replace(e, value=scale * e.value) for e, scale in zip(estimates, scales.tolist(), strict=True)
            ),
            statistical_covariance=None if found.covariance is None else found.covariance * np.outer(scales, scales),
            covariance_kind=found.kind,
            nuisances=nuisances,
            responses=up * scales[:, None],
            down_responses=down * scales[:, None] if nuisances else None,
            fit=found.fit and _scaled(found.fit, scales),
        )
    provenance: tuple[Provenance, ...] = ()
    if mapping.approximate:
        note = "the correlations of the nuisances after the fit are not published, and taken for 0"
        provenance = (
            Provenance(table=f"{name} (approximate)", kind="reconstructed", origin=f"HEPData, {measured.where}", note=note),
        )
    return FileEntry(measurement=measurement, units=stated, provenance=provenance)


def _scaled(fit: FittedInput, scales: FloatArray) -> FittedInput:
    """The fit with its values in another unit."""
    inverse = np.concatenate([1 / scales, np.ones(len(fit.nuisances))])
    return dataclasses.replace(fit, information=fit.information * np.outer(inverse, inverse))


def _estimates(
    entry: Mapping[str, Any], place: str, measured: Measured, name: str, units: Mapping[str, str]
) -> tuple[Estimate, ...]:
    rows = measured.rows
    names = [f"{name}, {row}" if len(measured.all_rows) > 1 else name for row in rows]
    if "estimates" in entry:
        names = texts(entry, "estimates", where=place)
        if len(names) != len(rows):
            msg = f"{place}.estimates: {len(names)} names found, {len(rows)} needed, one for each row ({', '.join(rows)})"
            raise FileFormatError(msg)
    check_names(names, where=f"{place}.estimates")
    maps = _maps(entry, f"{place}.observables", measured, names, units)
    titles = [_title(measured, i) for i in range(len(rows))]
    values = [cell.number() for cell in measured.column.cells]
    return tuple(
        Estimate(name=n, value=v, observables=m, title=t) for n, v, m, t in zip(names, values, maps, titles, strict=True)
    )


def _title(measured: Measured, row: int) -> str:
    """Title of a row: its bins with their axes and units."""
    parts = []
    for axis in measured.axes:
        entry = axis.entries[row]
        shown = f"{entry.low:.12g} to {entry.high:.12g}" if isinstance(entry, Bin) else entry
        parts.append(" ".join(f"{axis.name} {shown} {axis.unit if isinstance(entry, Bin) else ''}".split()))
    return ", ".join(part for part in parts if part)


def _maps(
    entry: Mapping[str, Any], where: str, measured: Measured, names: Sequence[str], units: Mapping[str, str]
) -> list[dict[str, float]]:
    """Observables of each row, from a list in the order of the rows, a table by label, or the names of the estimates."""
    rows = measured.rows
    given = entry.get("observables", list(names))
    if isinstance(given, list):
        if len(given) != len(rows):
            msg = (
                f"{where}: {len(given)} found, {len(rows)} needed, one for each row of {measured.where} ({', '.join(rows)})"
            )
            raise FileFormatError(msg)
        given = dict(zip(rows, given, strict=True))
    if not isinstance(given, dict):
        msg = f'{where}: {given!r} found, a list of names in the order of the rows is needed, or {{ "ROW" = "NAME" }}'
        raise FileFormatError(msg)
    maps = {}
    for row, value in given.items():
        if row not in rows:
            msg = f"{where}: {measured.where} has no row {row!r}; it has {', '.join(map(repr, rows))}"
            raise UnknownNameError(msg)
        maps[row] = read_observables(value, where=f"{where}[{row!r}]", observables=units)
    missing = [row for row in rows if row not in maps]
    if missing:
        msg = f"{where}: none for the rows {', '.join(map(repr, missing))}; name one for each, or leave rows out (leave_out)"
        raise UnknownNameError(msg)
    return [maps[row] for row in rows]


def _stated_units(estimates: Sequence[Estimate], measured: Measured, units: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Observable and unit of the table, for observables without a unit in the model."""
    unit = measured.column.unit
    for name, _ in _plain(estimates):
        if not units[name] and unit:
            yield name, unit


def _scales(estimates: Sequence[Estimate], measured: Measured, place: str, units: Mapping[str, str]) -> FloatArray:
    """Factor by which each value is converted to the unit of its observable, shape (n,).

    Raises:
        InvalidNumberError: the unit of the table cannot be converted to that of the model.

    Warns:
        InputWarning: a unit is converted.
    """
    unit, scales, said = measured.column.unit, np.ones(len(estimates)), dict[str, float]()
    for name, i in _plain(estimates):
        factor = conversion(unit, units[name])
        if factor is None and same_unit(units[name], unit) is False:
            msg = (
                f"{place}: {measured.where} states {measured.column.name!r} in {unit!r}, observable {name!r} is in "
                f"{units[name]!r}; correct the unit of the observable, or name a column of its unit"
            )
            raise InvalidNumberError(msg)
        if factor not in (None, 1.0):
            scales[i] = said[units[name]] = factor
    for wanted, factor in said.items():
        message = (
            f"{place}: {measured.where} states {measured.column.name!r} in {unit!r}, the observables are in {wanted!r}; "
            f"values and errors are multiplied by {factor:g}"
        )
        warn_input(message)
    return scales


def _plain(estimates: Sequence[Estimate]) -> Iterator[tuple[str, int]]:
    """Observable and position of each estimate of one observable with the coefficient 1."""
    for i, estimate in enumerate(estimates):
        if list(estimate.observables.values()) == [1.0]:
            yield next(iter(estimate.observables)), i

"""Reader of ``[[measurements]]`` in ``model.toml``: estimates, their data information, and externalised nuisances.

The data information is given in one of five ways: ``statistical`` (uncorrelated uncertainties), ``statistical_covariance``,
``total_covariance`` (of all uncertainties), or the measurement's own fit of estimates and nuisances, as ``hessian`` (inverse
of the post-fit covariance) or as ``correlation`` (matrix with a column ``uncertainty``: total uncertainty of an estimate,
constraint of a nuisance).  A total covariance beside one of the first two gives the systematic covariance as the difference;
beside ``responses`` it gives the statistical one.  Matrices and ``responses`` are CSV tables beside the model file;
``nuisances`` adds properties of the nuisances, as a list or a CSV table::

    [[measurements]]
    name = "CMS 13 TeV"
    experiment = "CMS"
    estimates = [
      { name = "cms_1", value = 10.0, observable = "bin1" },
      { name = "cms_23", value = 24.0, observables = { bin2 = 1.0, bin3 = 1.0 } },
    ]
    hessian = "cms_hessian.csv"  # name,cms_1,cms_23,jes,norm and a row for each, or the lower triangle of it
    responses = "cms_responses.csv"  # estimate,lumi,model and a row for each estimate: 0.2,+0.5/-0.3
    nuisances = [
      { name = "jes", source = "JES", pull = 0.3 },
      { name = "norm", free = true },
      { name = "lumi", response = "relative" },
    ]

``statistical = ["+0.5/-0.3", 0.4]`` has one entry per estimate: a number, or the shifts at +1 and -1 sigma.

A response is the shift of the published value at +1 sigma of a nuisance, in the unit of the estimate; a second number, with
its sign, is the shift at -1 sigma.

``{ name = "search", likelihood = "curve.csv", observable = "BR" }`` has -2 ln L at points in place of value and errors
(:mod:`bayescomb.formats.likelihood_tables`).  All estimates of its measurement must be of this kind; ``responses`` state the
nuisances that the curve does not include, which shift it.

An entry may name a Convino measurement file instead, tables of HEPData
(:mod:`bayescomb.formats.toml.measurements.hepdata_entry`) or the file of a fit
(:mod:`bayescomb.formats.toml.measurements.foreign`), and any entry may give sources to its nuisances by patterns
(:mod:`bayescomb.formats.toml.measurements.maps`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, check_covariance, check_names, known_name, located
from bayescomb.base.choices import RESPONSE_FORMS
from bayescomb.base.errors import DuplicateNameError, FileFormatError
from bayescomb.formats.csv import number, read_table
from bayescomb.formats.declared import TABLES
from bayescomb.formats.likelihood_tables import read_likelihood
from bayescomb.formats.matrices import Shifts, information_from_correlation, read_matrix, read_shifts, statistical_sizes
from bayescomb.formats.toml.measurements.file_entry import names_of
from bayescomb.formats.toml.measurements.maps import assign_sources, read_factors
from bayescomb.formats.values import check_table, entries, flag, text
from bayescomb.inputs.measurements import (
    CovarianceKind,
    Estimate,
    FittedInput,
    Measurement,
    Nuisance,
    asymmetric_statistics,
    systematic_shifts,
    unnamed_nuisances,
)
from bayescomb.inputs.observables import Provenance

__all__ = ["read_measurements"]

INFORMATION_KEYS: Final = ("statistical", "statistical_covariance", "total_covariance", "hessian", "correlation")
# Keys allowed together: total minus statistical covariance is the systematic one.
TOGETHER: Final = (["statistical", "total_covariance"], ["statistical_covariance", "total_covariance"])
FILE_KEYS: Final = tuple(key.name for key in TABLES["measurements"].own if key.foreign)
# Keys for the parameters of a fit in a file.
FITTED_KEYS: Final = ("results", "free", "left_out", "priors")
DETAIL_KEYS: Final = TABLES["measurements.nuisances"].names
UNCERTAINTY: Final = "uncertainty"


@dataclass(frozen=True, kw_only=True)
class _Detail:
    """Properties of one nuisance, as ``nuisances`` states them."""

    where: str = ""
    source: str = ""
    response: str = "absolute"
    statistical: bool = False
    free: bool = False
    pull: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Information matrix of a fitted input, in the order estimates, nuisances."""

    where: str
    nuisances: tuple[str, ...]
    information: FloatArray


def read_measurements(
    document: Mapping[str, Any], path: Path, *, observables: Mapping[str, str], sources: Collection[str]
) -> tuple[list[Measurement], dict[str, str], list[Provenance]]:
    """The measurements of a document, in its order.

    Args:
        document: the TOML document.
        path: its file; the tables are looked for beside it.
        observables: known observables and their units, empty where none is stated.
        sources: known sources.

    Returns:
        The measurements; the units in their files, for observables without a unit in the document; and the provenance of
        numbers that are not published.

    Raises:
        FileFormatError, UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError, OptionError: for
            wrong content, each with the key, or the file and line.
    """
    found: list[Measurement] = []
    units: dict[str, str] = {}
    provenance: list[Provenance] = []
    for place, entry in entries(document, "measurements", where=str(path)):
        by_file = [key for key in FILE_KEYS if key in entry]
        check_table(entry, "measurements", where=place, required=("name",) if by_file else ("name", "estimates"))
        if by_file:
            # Imported only if a measurement is a file of another program
            from bayescomb.formats.toml.measurements.foreign import READERS

            own = READERS[by_file[-1]](entry, place, path.parent, observables=observables)
            measurement, units = own.measurement, {**own.units, **units}
            provenance += own.provenance
        else:
            measurement = _read_measurement(entry, place, path.parent, observables=observables, sources=sources)
        found.append(assign_sources(measurement, entry, place, sources=sources))
    return found, units, provenance


def _read_measurement(
    entry: Mapping[str, Any], place: str, folder: Path, *, observables: Mapping[str, str], sources: Collection[str]
) -> Measurement:
    if "observables" in entry:
        msg = (
            f"{place}: 'observables' found without 'convino' or 'hepdata', to whose estimates it belongs; here every "
            "estimate names its own"
        )
        raise FileFormatError(msg)
    for key in FITTED_KEYS:
        if key in entry:
            msg = f"{place}: {key!r} found without 'fit', to whose parameters it belongs; name its file, or remove it"
            raise FileFormatError(msg)
    if "tables" in entry:
        msg = f"{place}: 'tables' found without 'hepdata', whose tables it describes; name the submission, or remove it"
        raise FileFormatError(msg)
    name, experiment = names_of(entry, place)
    listed = list(entries(entry, "estimates", where=place))
    estimates = [_read_estimate(table, at, folder, observables) for at, table in listed]
    names = [e.name for e in estimates]
    check_names(names, where=f"{place}.estimates")
    given = [key for key in INFORMATION_KEYS if key in entry]
    tables = [e.likelihood for e in estimates if e.likelihood is not None]
    if tables and (len(tables) < len(estimates) or given):
        found = given[0] if given else f"estimate {next(e.name for e in estimates if e.likelihood is None)!r} with a value"
        msg = (
            f"{place}: {found} found beside a likelihood table, which holds the errors of its estimate; give each kind of "
            "estimates a measurement of its own"
        )
        raise FileFormatError(msg)
    if not tables and len(given) != 1 and given not in TOGETHER:
        msg = (
            f"{place}: {' and '.join(given) or 'nothing'} found; give exactly one of {', '.join(INFORMATION_KEYS)}, or "
            "total_covariance beside statistical or statistical_covariance"
        )
        raise FileFormatError(msg)
    covariance, fit, kind = None, None, CovarianceKind.STATISTICAL
    asymmetric: tuple[Nuisance, ...] = ()
    if tables:
        covariance = np.diag([table.width**2 for table in tables])
        kind = CovarianceKind.STATISTICAL if "responses" in entry else CovarianceKind.TOTAL
    elif "statistical" in given:
        gaussian, asymmetric, *kinked = _statistical(entry["statistical"], names, place)
        covariance = np.diag(gaussian**2)
    elif "statistical_covariance" in given:
        covariance = _covariance(folder / text(entry, "statistical_covariance", where=place), names)
    elif given[0] in ("hessian", "correlation"):
        fit = _read_fit(folder / text(entry, given[0], where=place), names, inverted=given == ["correlation"])
    shifts = Shifts(nuisances=(), up=np.zeros((len(names), 0)), down=None)
    if "responses" in entry:
        shifts = _read_responses(folder / text(entry, "responses", where=place), names, fit)
    if "total_covariance" in given:
        total = _Total(
            where=f"{place}.total_covariance",
            values=_covariance(folder / text(entry, "total_covariance", where=place), names, kind="total"),
        )
        covariance, kind, shifts = total.divided(covariance, shifts, name)
    if asymmetric:
        down = -shifts.up if shifts.down is None else shifts.down
        shifts = Shifts(nuisances=shifts.nuisances, up=np.hstack([shifts.up, kinked[0]]), down=np.hstack([down, kinked[1]]))
    fitted = fit.nuisances if fit else ()
    details = _read_details(entry, place, folder, known=[*fitted, *shifts.nuisances], fitted=fitted, sources=sources)
    nuisances, fitted_input = _nuisances(shifts.nuisances, details), _fitted_input(fit, details) if fit else None
    with located(place):
        return Measurement(
            name=name,
            experiment=experiment,
            estimates=tuple(estimates),
            statistical_covariance=covariance,
            covariance_kind=kind,
            nuisances=(*nuisances, *asymmetric),
            responses=shifts.up,
            down_responses=shifts.down,
            fit=fitted_input,
        )


def _read_estimate(table: Mapping[str, Any], where: str, folder: Path, observables: Mapping[str, str]) -> Estimate:
    """A measured number, or its likelihood, and its linear map to the observables."""
    check_table(table, "measurements.estimates", where=where)
    if ("observable" in table) == ("observables" in table):
        msg = f"{where}: give either observable = NAME or observables = {{ NAME = factor, ... }}"
        raise FileFormatError(msg)
    if "observable" in table:
        name = text(table, "observable", where=where)
        mapping = {known_name(name, observables, kind="observable", where=where): 1.0}
    else:
        mapping = read_factors(table["observables"], where=f"{where}.observables", observables=observables)
    if "value" not in table and "likelihood" not in table:
        msg = f"{where}: missing key 'value'; add it, or likelihood = FILE"
        raise FileFormatError(msg)
    if "value" in table and "likelihood" in table:
        msg = f"{where}: value beside likelihood found, which gives the value; leave one of the two out"
        raise FileFormatError(msg)
    likelihood = None
    if "likelihood" in table:
        units = {observables[o] for o, factor in mapping.items() if factor}
        likelihood = read_likelihood(
            folder / text(table, "likelihood", where=where), unit=units.pop() if len(units) == 1 else ""
        )
    value = number(table["value"], where=f"{where}.value") if likelihood is None else likelihood.value
    name, title = text(table, "name", where=where), text(table, "title", where=where, default="")
    with located(where):
        return Estimate(name=name, value=value, observables=mapping, title=title, likelihood=likelihood)


def _statistical(
    values: Any, estimates: list[str], place: str
) -> tuple[FloatArray, tuple[Nuisance, ...], FloatArray, FloatArray]:
    """Uncorrelated statistical uncertainties, shape (n,), and nuisances with shifts for their asymmetric part."""
    where = f"{place}.statistical"
    if not isinstance(values, list) or len(values) != len(estimates):
        msg = f"{where}: {values!r} found, a list of {len(estimates)} numbers is needed, one per estimate"
        raise FileFormatError(msg)
    shifts = []
    for i, value in enumerate(values):
        at = f"{where}[{i}]"
        two = isinstance(value, str) and "/" in value
        shifts.append(statistical_sizes(value if two else number(value, where=at), where=at))
    up, down = np.array(shifts).T
    return asymmetric_statistics(estimates, up, down)


@dataclass(frozen=True, kw_only=True)
class _Total:
    """A total covariance of n estimates, shape (n, n), and its place in messages."""

    where: str
    values: FloatArray

    def divided(
        self, statistical: FloatArray | None, shifts: Shifts, name: str
    ) -> tuple[FloatArray, CovarianceKind, Shifts]:
        """Covariance, its kind and the shifts, where the part that is not stated is the total minus the stated part.

        Raises:
            FileFormatError: both parts are stated beside the total.
            InvalidMatrixError: the stated part is larger than the total.
        """
        if statistical is None and not shifts.nuisances:
            return self.values, CovarianceKind.TOTAL, shifts
        if statistical is None:
            down = -shifts.up if shifts.down is None else shifts.down
            middle = (shifts.up - down) / 2
            with located(f"{self.where} without the responses"):
                rest = check_covariance(self.values - middle @ middle.T, where="statistical covariance", definite=True)
            return rest, CovarianceKind.STATISTICAL, shifts
        if shifts.nuisances:
            msg = f"{self.where}: the statistical part and the responses make the total; leave one of the three out"
            raise FileFormatError(msg)
        found = systematic_shifts(self.values, statistical, where=self.where)
        names = tuple(n.name for n in unnamed_nuisances(name, found.shape[1]))
        return statistical, CovarianceKind.STATISTICAL, Shifts(nuisances=names, up=found, down=None)


def _covariance(table: Path, estimates: list[str], *, kind: str = "statistical") -> FloatArray:
    matrix = read_matrix(table)
    for name, row in zip(matrix.names, matrix.rows, strict=True):
        known_name(name, estimates, kind="estimate", where=row.where)
    _require_rows(estimates, matrix.names, table)
    with located(str(table)):
        return check_covariance(
            matrix.ordered(estimates), where=f"{kind} covariance", definite=True, singular=kind == "statistical"
        )


def _read_fit(table: Path, estimates: list[str], *, inverted: bool) -> _Fit:
    """The information matrix as given, or as the inverse of the covariance from correlations and uncertainties."""
    matrix = read_matrix(table, extra=[UNCERTAINTY] if inverted else [])
    _require_rows(estimates, matrix.names, table)
    if inverted:
        matrix = dataclasses.replace(matrix, values=information_from_correlation(matrix, UNCERTAINTY))
    nuisances = tuple(name for name in matrix.names if name not in estimates)
    return _Fit(where=matrix.where, nuisances=nuisances, information=matrix.ordered([*estimates, *nuisances]))


def _require_rows(estimates: list[str], names: Collection[str], table: Path) -> None:
    missing = [name for name in estimates if name not in names]
    if missing:
        msg = f"{table}: no row and column for {', '.join(map(repr, missing))}; every estimate needs one"
        raise FileFormatError(msg)


def _read_responses(table: Path, estimates: list[str], fit: _Fit | None) -> Shifts:
    shifts = read_shifts(table, estimates=estimates)
    for name in shifts.nuisances:
        if fit and name in fit.nuisances:
            msg = (
                f"{table}: nuisance {name!r} is in {fit.where} already, which carries its responses; keep it in one of them"
            )
            raise DuplicateNameError(msg)
    return shifts


def _read_details(
    entry: Mapping[str, Any],
    place: str,
    folder: Path,
    *,
    known: Collection[str],
    fitted: Collection[str],
    sources: Collection[str],
) -> dict[str, _Detail]:
    """Nuisance -> its properties in ``nuisances``."""
    details: dict[str, _Detail] = {}
    for at, table in _detail_tables(entry, place, folder):
        name = known_name(text(table, "name", where=at), known, kind="nuisance", where=at)
        if name in details:
            msg = f"{at}: nuisance {name!r} stands twice, first at {details[name].where}; keep one"
            raise DuplicateNameError(msg)
        detail = _Detail(
            where=at,
            source=text(table, "source", where=at, default=""),
            response=text(table, "response", where=at, default="absolute"),
            free=flag(table, "free", where=at),
            statistical=flag(table, "statistical", where=at),
            pull=number(table["pull"], where=f"{at}.pull") if "pull" in table else None,
        )
        if detail.source:
            known_name(detail.source, sources, kind="source", where=at)
        if detail.pull is not None and name not in fitted:
            msg = f"{at}: nuisance {name!r} has a pull but no fit that it comes from; leave the pull out"
            raise FileFormatError(msg)
        details[name] = detail
    return details


def _detail_tables(entry: Mapping[str, Any], place: str, folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of ``nuisances`` with their places; a row of a CSV file is a table of its cells that are not empty."""
    if not isinstance(entry.get("nuisances"), str):
        yield from entries(entry, "nuisances", where=place, declared="measurements.nuisances")
        return
    path = folder / entry["nuisances"]
    header, rows = read_table(path, required=("name",))
    for name in header:
        known_name(name, DETAIL_KEYS, kind="column", where=str(path))
    for row in rows:
        table: dict[str, Any] = {key: cell for key, cell in row.cells.items() if cell or key == "name"}
        for key in [key for key in ("free", "statistical") if key in table]:
            if table[key] not in {"true", "false"}:
                msg = f"{row.where}, column {key!r}: {table[key]!r} found, true or false is needed, or nothing"
                raise FileFormatError(msg)
            table[key] = table[key] == "true"
        yield row.where, table | ({"pull": row.number("pull")} if "pull" in table else {})


def _nuisances(names: Collection[str], details: Mapping[str, _Detail]) -> tuple[Nuisance, ...]:
    found = []
    for name in names:
        detail = details.get(name, _Detail())
        # Only stated properties can be wrong here, so messages name their place.
        with located(detail.where):
            response = check_choice(detail.response, RESPONSE_FORMS, where=f"response of nuisance {name!r}")
            found.append(
                Nuisance(
                    name=name, source=detail.source, free=detail.free, response=response, statistical=detail.statistical
                )
            )
    return tuple(found)


def _fitted_input(fit: _Fit, details: Mapping[str, _Detail]) -> FittedInput:
    stated = [details.get(name, _Detail()).pull for name in fit.nuisances]
    pulls = np.array([0.0 if pull is None else pull for pull in stated], dtype=float)
    nuisances = _nuisances(fit.nuisances, details)
    with located(fit.where):
        return FittedInput(nuisances=nuisances, information=fit.information, pulls=pulls)

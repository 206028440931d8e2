"""Predictions and extractions of a ``model.toml``.

Predictions and extractions as ``model.toml`` holds them: tables as CSV files, extractions that extend others.

Reader of prediction tables: one row per variant, mass and bin.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.checks import check_choice, check_names, known_name, located
from bayescomb.base.choices import PDF_ERRORS
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.csv import Row, csv_text, figure, number, read_table
from bayescomb.formats.values import check_keys, entries, flag, text, texts
from bayescomb.inputs.extractions import Extraction, PdfChoice, ScaleChoice
from bayescomb.inputs.predictions import Prediction, Variant

__all__ = ["COLUMNS", "extraction_tables", "prediction_tables", "read_extractions", "read_prediction", "read_predictions"]

PREDICTION_KEYS: Final = ("name", "table", "observables", "order", "mass_scheme", "per_bin_width", "variable")
EXTRACTION_KEYS: Final = (
    "name", "title", "distributions", "masses", "pdf", "scales", "numerical_errors", "degree", "drop",
)  # fmt: skip
PDF_KEYS: Final = ("set", "errors", "alpha_s", "shifts_at", "confidence_level")
SCALE_TEXTS: Final = ("choice", "treatment", "prior")
SCALE_NUMBERS: Final = ("mu_r", "mu_f", "width", "low", "nominal", "high")
# Names that a file can have everywhere, and no folder.
FILE_NAME: Final = re.compile(r"\w[\w .+-]*")
COLUMNS: Final = (
    "sqrt_s_tev", "pdf_set", "member", "scale_choice", "mu_r", "mu_f", "m_t_gev", "bin_low", "bin_high", "xsec_pb",
    "mc_error_pb",
)  # fmt: skip


def read_predictions(document: Mapping[str, Any], path: Path) -> tuple[Prediction, ...]:
    """The ``[[predictions]]``, each with its table.

    Raises:
        FileFormatError: a key or a table is missing or malformed; the other bayescomb errors for wrong content.
    """
    found = []
    for place, entry in entries(document, "predictions", where=str(path)) if "predictions" in document else []:
        check_keys(entry, PREDICTION_KEYS, required=("name", "table", "observables", "order"), where=place)
        with located(place):
            found.append(
                read_prediction(
                    path.parent / text(entry, "table", where=place),
                    name=text(entry, "name", where=place),
                    observables=texts(entry, "observables", where=place),
                    order=text(entry, "order", where=place),
                    mass_scheme=text(entry, "mass_scheme", where=place, default="pole"),
                    per_bin_width=flag(entry, "per_bin_width", where=place),
                    variable=text(entry, "variable", where=place, default=""),
                )
            )
    check_names([p.name for p in found], where=f"{path}: predictions", allow_empty=True)
    return tuple(found)


def read_extractions(document: Mapping[str, Any], where: str, predictions: tuple[Prediction, ...]) -> dict[str, Extraction]:
    """The ``[[extractions]]`` by name; keys that one does not state are those of the one that it ``extends``.

    Raises:
        FileFormatError: a key is missing or malformed; the other bayescomb errors for wrong content.
    """
    found: dict[str, Extraction] = {}
    stated: dict[str, Mapping[str, Any]] = {}
    for place, entry in entries(document, "extractions", where=where) if "extractions" in document else []:
        check_keys(entry, (*EXTRACTION_KEYS, "extends"), required=("name",), where=place)
        if "extends" in entry:
            base = known_name(text(entry, "extends", where=place), stated, kind="extraction before it", where=place)
            entry = {**stated[base], **{key: value for key, value in entry.items() if key != "extends"}}
        check_keys(entry, EXTRACTION_KEYS, required=("name", "distributions", "pdf", "scales"), where=place)
        stated[text(entry, "name", where=place)] = entry
        with located(place):
            extraction = _extraction(entry, place, [p.name for p in predictions])
        check_names([*found, extraction.name], where=f"{where}: extractions")
        found[extraction.name] = extraction
    return found


def _extraction(entry: Mapping[str, Any], place: str, predictions: list[str]) -> Extraction:
    distributions = _texts_by_name(entry, "distributions", place)
    masses = _texts_by_name(entry, "masses", place) if "masses" in entry else {}
    for name in (*distributions, *masses):
        known_name(name, predictions, kind="prediction", where=place)
    return Extraction(
        name=text(entry, "name", where=place),
        title=text(entry, "title", where=place, default=""),
        distributions=distributions,
        masses={key: value for key, value in masses.items() if key in distributions},
        pdf=_pdf(_inner(entry, "pdf", place), f"{place}.pdf"),
        scales=_scales(_inner(entry, "scales", place), f"{place}.scales"),
        numerical_errors=flag(entry, "numerical_errors", where=place) if "numerical_errors" in entry else True,
        degree=entry.get("degree", 4),
        drop=tuple(texts(entry, "drop", where=place, default=[])),
    )


def _inner(entry: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = entry[key]
    if not isinstance(value, dict):
        msg = f"{place}: {key} = {value!r} found, a table is needed"
        raise FileFormatError(msg)
    return value


def _texts_by_name(entry: Mapping[str, Any], key: str, place: str) -> dict[str, str]:
    table = _inner(entry, key, place)
    return {name: text(table, name, where=f"{place}.{key}") for name in table}


def _pdf(table: Mapping[str, Any], place: str) -> PdfChoice:
    check_keys(table, PDF_KEYS, required=("set",), where=place)
    members = table.get("alpha_s", [])
    if not isinstance(members, list) or not all(isinstance(m, int) and not isinstance(m, bool) for m in members):
        msg = f"{place}: alpha_s = {members!r} found, a list of two members is needed"
        raise FileFormatError(msg)
    name = text(table, "set", where=place)
    errors = text(table, "errors", where=place, default="none")
    return PdfChoice(
        set=name,
        errors=check_choice(errors, PDF_ERRORS, where=f"errors of PDF set {name!r}"),
        alpha_s=tuple(members),
        shifts_at=text(table, "shifts_at", where=place, default=""),
        confidence_level=number(table.get("confidence_level", 0.68), where=f"{place}.confidence_level"),
    )


def _scales(table: Mapping[str, Any], place: str) -> ScaleChoice:
    check_keys(table, (*SCALE_TEXTS, *SCALE_NUMBERS), required=("choice",), where=place)
    stated: dict[str, Any] = {key: text(table, key, where=place) for key in SCALE_TEXTS if key in table}
    stated |= {key: number(table[key], where=f"{place}.{key}") for key in SCALE_NUMBERS if key in table}
    return ScaleChoice(**stated)


def prediction_tables(
    predictions: Iterable[Prediction], files: dict[str, str], *, reserved: str, new_name: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Predictions as TOML tables; their CSV files are added to the files.

    A file keeps the name it was read from, unless another one has that already.

    Args:
        predictions: what is written.
        files: name -> text.
        reserved: name that no table may take besides those of the files.
        new_name: beginning of the name of a file, from the name of a prediction.
    """
    tables = []
    for prediction in predictions:
        text = _table_text(prediction)
        file = prediction.table
        taken = {name.casefold() for name in (*files, reserved)}
        if not FILE_NAME.fullmatch(file) or (file.casefold() in taken and files.get(file) != text):
            file = f"{new_name(prediction.name)}_prediction.csv"
            while file.casefold() in taken:
                file = f"_{file}"
        files[file] = text
        tables.append(
            {
                "name": prediction.name,
                "table": file,
                "observables": list(prediction.observables),
                "order": prediction.order,
                "mass_scheme": prediction.mass_scheme,
                "per_bin_width": prediction.per_bin_width or None,
                "variable": prediction.variable or None,
            }
        )
    return tables


def _table_text(prediction: Prediction) -> str:
    """One row per variant, mass and bin."""
    energy = figure(prediction.energy_tev)
    rows = []
    for variant, values, errors in zip(prediction.variants, prediction.cross_sections, prediction.mc_errors, strict=True):
        factors = figure(variant.mu_r), figure(variant.mu_f)
        head = [energy, variant.pdf_set, str(variant.member), variant.scale_choice, *factors]
        for mass, by_bin, errors_by_bin in zip(prediction.masses, values, errors, strict=True):
            for edges, value, error in zip(prediction.bins, by_bin, errors_by_bin, strict=True):
                rows.append([*head, *map(figure, (mass, *edges, value, error))])
    comment = f"Predicted cross sections per bin at {prediction.energy_tev:g} TeV, by PDF set and member, scale and mass."
    return csv_text(comment, COLUMNS, rows)


def extraction_tables(extractions: Iterable[Extraction]) -> list[dict[str, Any]]:
    """Extractions as TOML tables; one extends an earlier one where that leaves less to be said."""
    tables: list[dict[str, Any]] = []
    earlier: list[Extraction] = []
    for extraction in extractions:
        options = [_stated(extraction), *(_changes(base, extraction) for base in earlier)]
        tables.append(min(options, key=len))
        earlier.append(extraction)
    return tables


def _changes(base: Extraction, extraction: Extraction) -> dict[str, Any]:
    """What is other than in the base, said in full: what is left out is inherited."""
    before, after = _stated(base), _stated(extraction)
    everything = _full(extraction)
    # As texts, because the order of predictions counts
    changed = {key: value for key, value in everything.items() if json.dumps(before.get(key)) != json.dumps(after.get(key))}
    return {"name": extraction.name, "extends": base.name} | changed


def _full(extraction: Extraction) -> dict[str, Any]:
    return {
        "name": extraction.name,
        "title": extraction.title,
        "distributions": dict(extraction.distributions),
        "masses": dict(extraction.masses),
        "pdf": _but_defaults(extraction.pdf),
        "scales": _but_defaults(extraction.scales),
        "numerical_errors": extraction.numerical_errors,
        "degree": extraction.degree,
        "drop": list(extraction.drop),
    }


def _stated(extraction: Extraction) -> dict[str, Any]:
    """What is not as it is where nothing is said."""
    masses = {key: mass for key, mass in extraction.masses.items() if mass != "m_t"}
    return _without(_full(extraction) | {"masses": masses}, {"title": "", "masses": {}, **_defaults(extraction), "drop": []})


def _but_defaults(item: Any) -> dict[str, Any]:
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(item).items()}
    defaults = _defaults(item)
    return _without(values, {key: list(v) if isinstance(v, tuple) else v for key, v in defaults.items()})


def _without(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in defaults or value != defaults[key]}


def _defaults(item: Any) -> dict[str, Any]:
    """Fields with a default value."""
    return {f.name: f.default for f in dataclasses.fields(item) if f.default is not dataclasses.MISSING}


def read_prediction(
    path: Path,
    *,
    name: str,
    observables: Sequence[str],
    order: str,
    mass_scheme: str = "pole",
    per_bin_width: bool = False,
    variable: str = "",
) -> Prediction:
    """Read a table with the columns :data:`COLUMNS`, in any order of rows.

    Args:
        path: a CSV file; one collider energy, every variant at the same masses and bins.
        name: of the prediction.
        observables: the observable of each bin, by ascending lower edge.
        order: perturbative order.
        mass_scheme: ``"pole"`` or ``"running"``.
        per_bin_width: whether the observables are divided by the width of their bin.
        variable: what is binned, for figures.

    Raises:
        FileFormatError: a column or row is missing, there is more than one energy, or the number of bins is not that of
            the observables.
        InvalidNumberError: a cell is no number, or a bin is empty or overlaps the next.
        DuplicateNameError: a row stands twice.

    Examples:
        >>> from pathlib import Path
        >>> from bayescomb.formats.toml.predictions import read_prediction
        >>> table = read_prediction(Path("models/ttj_rho/prediction_13tev.csv"), name="13 TeV",
        ...     observables=["s1", "s2", "s3", "s4"], order="LO", per_bin_width=True)
        >>> table.energy_tev, table.masses[[0, -1]].tolist(), len(table.variants)
        (13.0, [165.0, 180.0], 61)
    """
    _, rows = read_table(path, required=COLUMNS)
    if not rows:
        msg = f"{path}: no rows; give one per variant, mass and bin"
        raise FileFormatError(msg)
    energies = {row.number("sqrt_s_tev") for row in rows}
    if len(energies) != 1:
        msg = f"{path}: energies {sorted(energies)} TeV found, a table holds one; split the file"
        raise FileFormatError(msg)
    variants: dict[Variant, int] = {}
    masses: dict[float, int] = {}
    bins: dict[tuple[float, float], int] = {}
    cells: dict[tuple[int, int, int], Row] = {}
    for row in rows:
        key = (
            variants.setdefault(_variant(row), len(variants)),
            masses.setdefault(row.number("m_t_gev"), len(masses)),
            bins.setdefault((row.number("bin_low"), row.number("bin_high")), len(bins)),
        )
        if key in cells:
            msg = f"{row.where}: the same variant, mass and bin as {cells[key].where}; remove one of the rows"
            raise DuplicateNameError(msg)
        cells[key] = row
    _check_bins(list(bins), path, n_observables=len(observables))
    shape = (len(variants), len(masses), len(bins))
    values, errors = np.zeros(shape), np.zeros(shape)
    for i, variant in enumerate(variants):
        for j, mass in enumerate(masses):
            for k, edges in enumerate(bins):
                cell = cells.get((i, j, k))
                if cell is None:
                    msg = f"{path}: no row for '{variant}', m_t {mass:g} GeV, bin {edges[0]:g} to {edges[1]:g}; add it"
                    raise FileFormatError(msg)
                values[i, j, k], errors[i, j, k] = _positive(cell, "xsec_pb"), cell.number("mc_error_pb")
    by_mass, by_edge = np.argsort(list(masses)), np.argsort([low for low, _ in bins])
    with located(str(path)):
        return Prediction(
            name=name,
            observables=tuple(observables),
            order=order,
            mass_scheme=mass_scheme,
            energy_tev=energies.pop(),
            per_bin_width=per_bin_width,
            variable=variable,
            bins=np.array(list(bins))[by_edge],
            masses=np.array(list(masses))[by_mass],
            variants=tuple(variants),
            cross_sections=values[:, by_mass][:, :, by_edge],
            mc_errors=errors[:, by_mass][:, :, by_edge],
            table=path.name,
        )


def _variant(row: Row) -> Variant:
    member = row.number("member")
    if member != int(member) or member < 0:
        msg = f"{row.where}: member {row.cells['member']!r} found, a whole number from 0 is needed"
        raise InvalidNumberError(msg)
    mu_r, mu_f = _positive(row, "mu_r"), _positive(row, "mu_f")
    return Variant(row.cells["pdf_set"], int(member), row.cells["scale_choice"], mu_r, mu_f)


def _positive(row: Row, column: str) -> float:
    value = row.number(column)
    if value <= 0:
        msg = f"{row.where}, column {column!r}: {value:g} found, a number above 0 is needed; correct it"
        raise InvalidNumberError(msg)
    return value


def _check_bins(bins: list[tuple[float, float]], path: Path, *, n_observables: int) -> None:
    """As many as observables, none empty, none overlapping."""
    if len(bins) != n_observables:
        msg = f"{path}: {len(bins)} bins found for {n_observables} observables; name one observable per bin"
        raise FileFormatError(msg)
    ordered = sorted(bins)
    for low, high in ordered:
        if high <= low:
            msg = f"{path}: bin {low:g} to {high:g} is empty; correct its edges"
            raise InvalidNumberError(msg)
    for (_, high), (low, _) in itertools.pairwise(ordered):
        if low < high:
            msg = f"{path}: a bin that begins at {low:g} overlaps one that ends at {high:g}; correct the edges"
            raise InvalidNumberError(msg)

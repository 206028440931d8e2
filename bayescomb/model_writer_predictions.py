"""Predictions and extractions as ``model.toml`` holds them: tables as CSV files, extractions that extend others."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from bayescomb.csv_text import csv_text, figure
from bayescomb.extractions import Extraction
from bayescomb.prediction_tables import COLUMNS
from bayescomb.predictions import Prediction

__all__ = ["extraction_tables", "prediction_tables"]

# Names that a file can have everywhere, and no folder.
FILE_NAME: Final = re.compile(r"\w[\w .+-]*")


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

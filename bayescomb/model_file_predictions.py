"""Predictions and extractions of a ``model.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bayescomb.checks import check_names, known_name, located
from bayescomb.errors import FileFormatError
from bayescomb.extractions import Extraction, PdfChoice, ScaleChoice
from bayescomb.prediction_tables import read_prediction
from bayescomb.predictions import Prediction
from bayescomb.tables import number
from bayescomb.toml_values import check_keys, entries, flag, text, texts

__all__ = ["read_extractions", "read_predictions"]

PREDICTION_KEYS: Final = ("name", "table", "observables", "order", "mass_scheme", "per_bin_width", "variable")
EXTRACTION_KEYS: Final = (
    "name", "title", "distributions", "masses", "pdf", "scales", "numerical_errors", "degree", "drop",
)  # fmt: skip
PDF_KEYS: Final = ("set", "errors", "alpha_s", "shifts_at", "confidence_level")
SCALE_TEXTS: Final = ("choice", "treatment", "prior")
SCALE_NUMBERS: Final = ("mu_r", "mu_f", "width", "low", "nominal", "high")


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
    return PdfChoice(
        set=text(table, "set", where=place),
        errors=text(table, "errors", where=place, default="none"),
        alpha_s=tuple(members),
        shifts_at=text(table, "shifts_at", where=place, default=""),
        confidence_level=number(table.get("confidence_level", 0.68), where=f"{place}.confidence_level"),
    )


def _scales(table: Mapping[str, Any], place: str) -> ScaleChoice:
    check_keys(table, (*SCALE_TEXTS, *SCALE_NUMBERS), required=("choice",), where=place)
    stated: dict[str, Any] = {key: text(table, key, where=place) for key in SCALE_TEXTS if key in table}
    stated |= {key: number(table[key], where=f"{place}.{key}") for key in SCALE_NUMBERS if key in table}
    return ScaleChoice(**stated)

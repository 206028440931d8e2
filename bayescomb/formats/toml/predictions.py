"""Reader and writer of ``[[predictions]]`` and ``[[extractions]]`` in ``model.toml``.

A prediction is a CSV table, or the product of two; an extraction can extend another.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bayescomb.base.checks import check_choice, check_names, known_name, located
from bayescomb.base.choices import DISTRIBUTIONS, PDF_ERRORS
from bayescomb.base.errors import FileFormatError
from bayescomb.formats.csv import number
from bayescomb.formats.toml.prediction_tables import prediction_text, read_prediction, read_scale_factors
from bayescomb.formats.toml.text import stated
from bayescomb.formats.values import check_table, entries, flag, named_texts, named_values, text, texts
from bayescomb.inputs.theory.extractions import Extraction, PdfChoice, ScaleChoice
from bayescomb.inputs.theory.predictions import Prediction, scaled_prediction

__all__ = ["extraction_tables", "prediction_tables", "read_extractions", "read_predictions"]

# Keys of a prediction that is the product of two tables.
PRODUCT_KEYS: Final = ("tables", "combine", "members_at")
PRODUCT_REQUIRED: Final = ("tables", "combine", "origin")
# Keys that an extraction states itself or inherits.
COMPLETE: Final = ("name", "distributions", "pdf", "scales")
SCALE_TEXTS: Final = ("choice", "treatment", "prior")
SCALE_NUMBERS: Final = ("mu_r", "mu_f", "width", "low", "nominal", "high")
# Names that a file can have on every system, without a folder.
FILE_NAME: Final = re.compile(r"\w[\w .+-]*")


def read_predictions(document: Mapping[str, Any], path: Path) -> tuple[Prediction, ...]:
    """The predictions of a document, each with its table.

    Raises:
        FileFormatError: a key or a table is missing or malformed; the other bayescomb errors for wrong content.
    """
    found = []
    for place, entry in entries(document, "predictions", where=str(path), declared="predictions"):
        with located(place):
            found.append(_prediction(entry, place, path.parent))
    check_names([p.name for p in found], where=f"{path}: predictions", allow_empty=True)
    return tuple(found)


def _prediction(entry: Mapping[str, Any], place: str, folder: Path) -> Prediction:
    """The prediction of an entry."""
    given = [key for key in PRODUCT_KEYS if key in entry]
    if ("table" in entry) == bool(given):
        found = "table" if "table" in entry else "neither"
        msg = (
            f'{place}: {", ".join([found, *given])} found; give table = "FILE", or tables = {{ lo = "FILE", '
            'kfactor = "FILE" }, combine = "lo * kfactor" and an origin'
        )
        raise FileFormatError(msg)
    order, origin = text(entry, "order", where=place), text(entry, "origin", where=place, default="")
    rates = named_values(entry, "rate_errors", where=place, example="{ electroweak = 0.02 }")
    settings: dict[str, Any] = {
        "name": text(entry, "name", where=place),
        "observables": texts(entry, "observables", where=place),
        "mass_scheme": text(entry, "mass_scheme", where=place, default="pole"),
        "per_bin_width": flag(entry, "per_bin_width", where=place),
        "variable": text(entry, "variable", where=place, default=""),
        "rate_errors": {name: number(size, where=f"{place}.rate_errors: {name}") for name, size in rates.items()},
    }
    if not given:
        return read_prediction(folder / text(entry, "table", where=place), order=order, origin=origin, **settings)
    base, factors, rule = _product(entry, place)
    prediction = read_prediction(folder / base, order=order, **settings)
    named = dataclasses.replace(prediction, table=f"{Path(base).stem}_x_{Path(factors).stem}.csv")
    return scaled_prediction(
        named,
        read_scale_factors(folder / factors),
        order=order,
        members_at=text(entry, "members_at", where=place, default=""),
        origin=f"{origin} ({rule})",
    )


def _product(entry: Mapping[str, Any], place: str) -> tuple[str, str, str]:
    """The file of the first table, the file of the factors, and the rule ``"a * b"`` with their names."""
    check_table(entry, "predictions", where=place, required=PRODUCT_REQUIRED)
    tables = named_texts(entry, "tables", where=place, example='{ lo = "FILE", kfactor = "FILE" }')
    rule = text(entry, "combine", where=place)
    names = [word.strip() for word in rule.split("*")]
    if len(names) != 2 or len(set(names)) != 2 or set(names) != set(tables) or not entry["origin"]:
        msg = (
            f"{place}: combine = {rule!r}, tables {', '.join(map(repr, tables))} and origin = {entry['origin']!r} found; "
            'allowed is "prediction * factors" with the names of two tables, and an origin that says what the product is, '
            'such as "NLO at 172.5 GeV, mass dependence and PDF members at LO"'
        )
        raise FileFormatError(msg)
    return tables[names[0]], tables[names[1]], " * ".join(names)


def read_extractions(document: Mapping[str, Any], where: str, predictions: tuple[Prediction, ...]) -> dict[str, Extraction]:
    """The extractions of a document by name; an extraction inherits keys from the one that it ``extends``.

    Raises:
        FileFormatError: a key is missing or malformed; the other bayescomb errors for wrong content.
    """
    found: dict[str, Extraction] = {}
    given: dict[str, Mapping[str, Any]] = {}
    for place, entry in entries(document, "extractions", where=where, declared="extractions"):
        if "extends" in entry:
            base = known_name(text(entry, "extends", where=place), given, kind="extraction before it", where=place)
            entry = {**given[base], **{key: value for key, value in entry.items() if key != "extends"}}
        check_table(entry, "extractions", where=place, required=COMPLETE)
        given[text(entry, "name", where=place)] = entry
        with located(place):
            extraction = _extraction(entry, place, [p.name for p in predictions])
        check_names([*found, extraction.name], where=f"{where}: extractions")
        found[extraction.name] = extraction
    return found


def _extraction(entry: Mapping[str, Any], place: str, predictions: list[str]) -> Extraction:
    distributions = named_texts(entry, "distributions", where=place, example='{ "13 TeV" = "normalised" }')
    masses = named_texts(entry, "masses", where=place, example='{ "13 TeV" = "m_t" }')
    pdf = named_values(entry, "pdf", where=place, example='{ set = "CT18NLO" }')
    scales = named_values(entry, "scales", where=place, example='{ choice = "ht2" }')
    for name in (*distributions, *masses):
        known_name(name, predictions, kind="prediction", where=place)
    return Extraction(
        name=text(entry, "name", where=place),
        title=text(entry, "title", where=place, default=""),
        distributions={
            key: check_choice(value, DISTRIBUTIONS, where=f"distribution of {key!r}") for key, value in distributions.items()
        },
        masses={key: value for key, value in masses.items() if key in distributions},
        pdf=_pdf(pdf, f"{place}.pdf"),
        scales=_scales(scales, f"{place}.scales"),
        numerical_errors=flag(entry, "numerical_errors", where=place, default=True),
        rate_errors=flag(entry, "rate_errors", where=place, default=True),
        degree=entry.get("degree", 4),
        drop=tuple(texts(entry, "drop", where=place, default=[])),
    )


def _pdf(table: Mapping[str, Any], place: str) -> PdfChoice:
    check_table(table, "extractions.pdf", where=place)
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
    check_table(table, "extractions.scales", where=place)
    values: dict[str, Any] = {key: text(table, key, where=place) for key in SCALE_TEXTS if key in table}
    values |= {key: number(table[key], where=f"{place}.{key}") for key in SCALE_NUMBERS if key in table}
    return ScaleChoice(**values)


def prediction_tables(
    predictions: Iterable[Prediction], files: dict[str, str], *, reserved: str, new_name: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Predictions as TOML tables; their CSV texts are added to the files.

    A table keeps the file name from which it was read, unless another file has this name.

    Args:
        predictions: the predictions to write.
        files: file name -> text.
        reserved: a further name that no table may have.
        new_name: gives the beginning of a file name from the name of a prediction.
    """
    tables = []
    for prediction in predictions:
        text = prediction_text(prediction)
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
                **stated(prediction, "per_bin_width", "variable", "rate_errors", "origin"),
            }
        )
    return tables


def extraction_tables(extractions: Iterable[Extraction]) -> list[dict[str, Any]]:
    """Extractions as TOML tables; an extraction extends an earlier one if that is shorter."""
    tables: list[dict[str, Any]] = []
    earlier: list[Extraction] = []
    for extraction in extractions:
        options = [_stated(extraction), *(_changes(base, extraction) for base in earlier)]
        tables.append(min(options, key=len))
        earlier.append(extraction)
    return tables


def _changes(base: Extraction, extraction: Extraction) -> dict[str, Any]:
    """The keys that differ from the base; defaults are written out, because an absent key is inherited."""
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
        "rate_errors": extraction.rate_errors,
        "degree": extraction.degree,
        "drop": list(extraction.drop),
    }


def _stated(extraction: Extraction) -> dict[str, Any]:
    """The keys that differ from their defaults."""
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

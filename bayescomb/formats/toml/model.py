"""Reader of ``model.toml``: observables, measurements and assumption sets, each in its own table.

Measurements are stated in ``[budget]`` (:mod:`bayescomb.formats.toml.measurements.budget`), in ``[[measurements]]``
(:mod:`bayescomb.formats.toml.measurements.reader`) or in both.  Correlations are stated apart from them, in ``[within]``,
``[blocks]`` and ``[[assumption_sets]]`` (:mod:`bayescomb.formats.toml.sets.reader`).  Nuisances of several measurements are
the same if they have equal names and the file says ``shared_names = "same"``, or if a table ``relations = "FILE.csv"`` says
so (:func:`bayescomb.formats.fits.relations.read_relations`).
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bayescomb.base.checks import check_choice, check_names, known_name, located
from bayescomb.base.choices import PROVENANCE_KINDS, SHARED_NAMES, SIZE_KINDS
from bayescomb.base.errors import FileFormatError
from bayescomb.base.files.writing import is_folder, require_whole
from bayescomb.formats.csv import read_text
from bayescomb.formats.declared import MODEL_NAME, TABLES, Kind
from bayescomb.formats.toml.measurements.budget import UNCORRELATED, read_budget
from bayescomb.formats.toml.measurements.within import read_within, require_stated
from bayescomb.formats.toml.sets.reader import BlockTables, read_assumption_sets
from bayescomb.formats.toml.sets.scope import category_scope
from bayescomb.formats.values import check_table, entries, flag, named_values, number, records, text, texts
from bayescomb.inputs.budget import Budget
from bayescomb.inputs.combination import STATISTICS_GROUP, Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import ErrorOnError, Observable, Provenance, Source
from bayescomb.inputs.relations import SharedNames, related_nuisances

if TYPE_CHECKING:
    from bayescomb.formats.averaging import Averaging
    from bayescomb.inputs.assumptions import CorrelationBlock
    from bayescomb.inputs.curves import Curve
    from bayescomb.inputs.parameters import Parameter
    from bayescomb.inputs.relations import Relation
    from bayescomb.inputs.theory.extractions import Extraction
    from bayescomb.inputs.theory.predictions import Prediction

__all__ = ["FORMAT", "load_model"]

FORMAT: Final = 1
LONG_LINE: Final = 120
# Settings of a combination that are texts -> their defaults.
SETTINGS: Final = {
    name: TABLES[""].key(name).default for name in ("treatment", "repair", "chi2", "nuisance_values", "extraction")
}
TABLE_KINDS: Final = {Kind.TABLE, Kind.TABLES, Kind.NAMED}
TABLE_KEYS: Final = tuple(key.name for key in TABLES[""].own if not TABLE_KINDS.isdisjoint(key.kinds))
AVERAGES: Final = {key.name for key in TABLES[""].own if key.foreign}
VALUE_KEYS: Final = tuple(name for name in TABLES[""].names if name not in TABLE_KEYS)


def load_model(
    path: str | Path,
    *,
    extraction: str | None = None,
    shared_names: str | None = None,
    blind: str | None = None,
    unblind: str | None = None,
) -> Combination:
    """Read a combination from a ``model.toml`` (any name with that ending) or from a folder that holds one.

    Args:
        path: the file or folder.
        extraction: as for :func:`bayescomb.load`.
        shared_names: as for :func:`bayescomb.load`.
        blind: as for :func:`bayescomb.load`.
        unblind: as for :func:`bayescomb.load`.

    Raises:
        FileFormatError: the path is neither, or a file or key is missing or malformed; the other bayescomb errors for wrong
            content, each with the file and line or the key it was found at.

    Warns:
        InputWarning: something in a Convino measurement file or a table of HEPData is interpreted by guess; the author
            should check.

    Examples:
        >>> from bayescomb.formats.toml.model import load_model
        >>> load_model("models/run1_mass/model.toml").treatment
        'covariance'
    """
    path = Path(path)
    if is_folder(path):
        path = path / MODEL_NAME
    if path.suffix.casefold() != ".toml":
        msg = f"{path}: not a model; give a model.toml or a folder that holds one"
        raise FileFormatError(msg)
    require_whole(path)
    with _link_explained(path):
        return _combination(path, extraction=extraction, shared_names=shared_names, blind=blind, unblind=unblind)


@contextmanager
def _link_explained(path: Path) -> Iterator[None]:
    """Add to a message about an absent table that tables are looked for beside a link, not beside its target.

    The folder of the target is not searched: it could hold another table of the name that is misspelled beside the link.
    """
    try:
        yield
    except FileFormatError as error:
        if not (path.is_symlink() and path.is_file()) or "no such file" not in str(error):
            raise
        target = path.resolve()
        msg = (
            f"{error}; {path} is a link, and its files are looked for beside the link, in {path.absolute().parent}, not "
            f"beside its target, in {target.parent}; name {target} itself, or put the files or links to them beside the link"
        )
        raise FileFormatError(msg) from error


def _combination(
    path: Path, *, extraction: str | None, shared_names: str | None, blind: str | None, unblind: str | None
) -> Combination:
    """The combination of an existing file."""
    document = _document(path)
    where = str(path)
    observables, sources = _read_observables(document, where), _read_sources(document, where)
    parameters, derived, curves = _read_formulas(document, path)
    source_names = [s.name for s in sources]
    observable_names = [*(o.name for o in observables), *(p.name for p in parameters)]
    own_units = {o.name: o.unit for o in observables} | {p.name: p.unit for p in parameters}
    budget, within = Budget(), []
    if "budget" in document:
        budget = read_budget(document, path, observables=own_units, sources=source_names)
        within = read_within(document, path, budget)
    measurements, units, own_provenance = _read_measurements(document, path, observables=own_units, sources=source_names)
    averaged: list[CorrelationBlock] = []
    for averaging in _read_averages(document, path, observables=observable_names):
        measurements, averaged = [*measurements, *averaging.measurements], [*averaged, *averaging.blocks]
        sources += [Source(name=name) for name in averaging.sources if name not in source_names]
        source_names = [s.name for s in sources]
    observables = [dataclasses.replace(o, unit=o.unit or units.get(o.name, "")) for o in observables]
    _check_measured(document, where, found=bool(budget.measurements or measurements))
    tables = BlockTables(path.parent)
    common = [*within, *averaged, *tables.named(document, where=where)]
    scope = category_scope(budget.experiments, budget.sources, measurements, sources=source_names)
    sets = read_assumption_sets(document, where=where, scope=scope, common=common, tables=tables)
    tables.check_all_used()
    require_stated(document, budget, sets, where=where)
    name = text(document, "name", where=where)
    title = text(document, "title", where=where, default="")
    assumptions = text(document, "assumptions", where=where, default=next(iter(sets)))
    settings: dict[str, Any] = {key: text(document, key, where=where, default=default) for key, default in SETTINGS.items()}
    normalise = flag(document, "normalise", where=where)
    provenance = (*_read_provenance(document, where), *own_provenance)
    shared_names = shared_names or text(document, "shared_names", where=where, default=SHARED_NAMES[0])
    one = _one_nuisance((*budget.measurements, *measurements), shared_names, document, path)
    nuisances = [n.name for m in one.measurements for n in m.all_nuisances]
    groups = _read_impact_groups(document, where, nuisances)
    predictions, extractions = _read_theory(document, path)
    stated = settings.pop("extraction")
    with located(where):
        combination = Combination(
            name=name,
            title=title,
            measurements=one.measurements,
            observables=tuple(observables),
            sources=one.sources(sources),
            assumption_sets={key: one.assumptions(value) for key, value in sets.items()},
            assumptions=assumptions,
            normalise=normalise,
            impact_groups=one.groups(groups),
            provenance=provenance,
            predictions=predictions,
            extractions=extractions,
            errors_on_errors=_read_errors_on_errors(document, where),
            nonnegative=_read_nonnegative(document, where, observables),
            parameters=parameters,
            derived=derived,
            curves=curves,
            **settings,
        )
        # Blinded before an extraction drops measurements: the hidden amounts are those of the whole combination.
        phrase = _read_phrase(document, where)
        if phrase or blind is not None or unblind is not None:
            from bayescomb.inputs.blinding import opened

            combination = opened(combination, stated=phrase, asked=blind, phrase=unblind)
        return combination.with_extraction(stated if extraction is None else extraction)


# Readers of keys that most models do not have are imported only where a model has them.


def _read_formulas(
    document: Mapping[str, Any], path: Path
) -> tuple[tuple[Parameter, ...], tuple[Observable, ...], tuple[Curve, ...]]:
    """The parameters, the derived quantities and the curves."""
    if not {"parameters", "derived", "curves"}.intersection(document):
        return (), (), ()
    from bayescomb.formats.toml.parameters import read_curves, read_derived, read_parameters

    return read_parameters(document, str(path)), read_derived(document, str(path)), read_curves(document, path)


def _read_averages(document: Mapping[str, Any], path: Path, *, observables: Collection[str]) -> list[Averaging]:
    """The files of averaging programs."""
    if not AVERAGES.intersection(document):
        return []
    from bayescomb.formats.toml.averaging import read_averages

    return read_averages(document, path, observables=observables)


def _read_measurements(
    document: Mapping[str, Any], path: Path, *, observables: Mapping[str, str], sources: Collection[str]
) -> tuple[list[Measurement], dict[str, str], list[Provenance]]:
    """See :func:`bayescomb.formats.toml.measurements.reader.read_measurements`."""
    if "measurements" not in document:
        return [], {}, []
    from bayescomb.formats.toml.measurements.reader import read_measurements

    return read_measurements(document, path, observables=observables, sources=sources)


def _read_theory(document: Mapping[str, Any], path: Path) -> tuple[tuple[Prediction, ...], dict[str, Extraction]]:
    """The predictions and the extractions."""
    if not {"predictions", "extractions"}.intersection(document):
        return (), {}
    from bayescomb.formats.toml.predictions import read_extractions, read_predictions

    predictions = read_predictions(document, path)
    return predictions, read_extractions(document, str(path), predictions)


def _read_phrase(document: Mapping[str, Any], where: str) -> str:
    """The phrase that hides the central values, empty for none."""
    phrase = text(document, "blind", where=where, default="")
    if "blind" in document and not phrase.strip():
        msg = f"{where}: blind = {phrase!r} found, a phrase of some words is needed; leave the key out to hide nothing"
        raise FileFormatError(msg)
    return phrase


def _document(path: Path) -> dict[str, Any]:
    """The TOML document, whose top-level keys are checked."""
    content = read_text(path)
    try:
        document = tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, or an integer of thousands of digits
        msg = f"{path}: broken TOML, {error}{_toml_advice(content, str(error))}"
        raise FileFormatError(msg) from error
    version = document.get("format", FORMAT)  # checked first, as another format may have other keys
    if not isinstance(version, int) or isinstance(version, bool) or version != FORMAT:
        msg = f"{path}: format = {version!r} found, this version reads format {FORMAT}; convert the file"
        raise FileFormatError(msg)
    for key, value in document.items():  # so that the message about an unknown key offers only keys of its kind
        if key not in (*VALUE_KEYS, *TABLE_KEYS):
            known_name(key, TABLE_KEYS if isinstance(value, (dict, list)) else VALUE_KEYS, kind="key", where=str(path))
    check_table(document, "", where=str(path))
    if "observables" not in document and "parameters" not in document:
        check_table(document, "", where=str(path), required=("observables",))
    return document


def _one_nuisance(
    measurements: Sequence[Measurement], shared_names: str, document: Mapping[str, Any], path: Path
) -> SharedNames:
    """The measurements with distinct nuisances, which the table ``relations`` and equal names correlate.

    Raises:
        DuplicateNameError: two measurements have a nuisance of the same name, and the file does not relate them.
    """
    where = str(path)
    rule = check_choice(shared_names, SHARED_NAMES, where=f"{where}: shared_names")
    relations: Sequence[Relation] = ()
    if "relations" in document:
        from bayescomb.formats.fits.relations import read_relations

        relations = read_relations(path.parent / text(document, "relations", where=where))
    return related_nuisances(measurements, relations, shared_names=rule, where=where)


def _toml_advice(content: str, error: str) -> str:
    """The line that is not TOML, with the most likely reason."""
    found = re.search(r"at line (\d+)", error)
    if found is None:
        return ""
    line = content.split("\n")[int(found[1]) - 1].strip()
    shown = f": {line!r}; " if len(line) < LONG_LINE else "; "
    if re.search(r"=\s*[+-]?\d+,\d", line):
        return f"{shown}decimal comma? Write 0.3"
    if any(quote in line for quote in "\u201c\u201d\u201e\u2018\u2019"):
        return f'{shown}write texts in straight quotes, "..."'
    if re.search(r"=\s*(True|False|None|yes|no)\b", line):
        return f"{shown}write true or false in small letters and without quotes"
    if re.search(r"\\", line):
        return f"{shown}a backslash in a text is written twice, or the text in single quotes"
    if re.search(r"=\s*[A-Za-z_]", line) and "Invalid value" in error:
        return f'{shown}write texts in quotes, "..."'
    if "overwrite" in error or "Cannot declare" in error:
        return f"{shown}every key stands once; rows of a list begin with [[...]]"
    return f"{shown}correct the line"


def _check_measured(document: Mapping[str, Any], where: str, *, found: bool) -> None:
    if not found:
        msg = f"{where}: no measurements; give a [budget], [[measurements]] or both"
        raise FileFormatError(msg)
    if document.get("within", UNCORRELATED) != UNCORRELATED and "budget" not in document:
        msg = f"{where}: [within] found without a [budget], whose estimates it correlates; use [blocks] instead"
        raise FileFormatError(msg)


def _read_observables(document: Mapping[str, Any], where: str) -> list[Observable]:
    observables = [
        Observable(**values, spectator=flag(entry, "spectator", where=place))
        for place, entry, values in records(document, "observables", where=where)
    ]
    check_names([o.name for o in observables], where=f"{where}: observables", allow_empty="parameters" in document)
    return observables


def _read_sources(document: Mapping[str, Any], where: str) -> list[Source]:
    sources = [Source(**values) for _, _, values in records(document, "sources", where=where)]
    check_names([s.name for s in sources], where=f"{where}: sources", allow_empty=True)
    return sources


def _read_provenance(document: Mapping[str, Any], where: str) -> list[Provenance]:
    found = []
    for place, _, values in records(document, "provenance", where=where):
        with located(place):
            kind = check_choice(values.pop("kind"), PROVENANCE_KINDS, where=f"provenance of {values['table']}")
            found.append(Provenance(kind=kind, **values))
    return found


def _read_errors_on_errors(document: Mapping[str, Any], where: str) -> dict[str, ErrorOnError]:
    """Source -> uncertainty of its size, stated as a number or as a table with ``relative`` and ``kind``."""
    found = {}
    example = "errors_on_errors = { JES = 0.3 }"
    for name, value in (named_values(document, "errors_on_errors", where=where, example=example)).items():
        place = f"{where}: errors_on_errors[{name!r}]"
        entry = value if isinstance(value, dict) else {"relative": value}
        check_table(entry, "errors_on_errors", where=place)
        with located(place):
            kind = text(entry, "kind", where=place, default="common")
            found[name] = ErrorOnError(
                relative=number(entry, "relative", where=place),
                kind=check_choice(kind, SIZE_KINDS, where="kind of an error on an error"),
            )
    return found


def _read_nonnegative(document: Mapping[str, Any], where: str, observables: Sequence[Observable]) -> tuple[str, ...]:
    """Names of the observables that cannot be negative: the stated list, or with ``true`` all fitted ones but spectators."""
    value = document.get("nonnegative", False)
    if isinstance(value, bool):
        return tuple(o.name for o in observables if not o.spectator and not o.formula) if value else ()
    if not isinstance(value, list):
        msg = f"{where}: nonnegative = {value!r} found, true, false or a list of observables is needed"
        raise FileFormatError(msg)
    return tuple(texts(document, "nonnegative", where=where))


def _read_impact_groups(document: Mapping[str, Any], where: str, nuisances: list[str]) -> dict[str, tuple[str, ...]]:
    """Group -> its nuisances; ``stat`` as the only member means the statistical part."""
    found: dict[str, tuple[str, ...]] = {}
    names: list[str] = []
    for place, entry in entries(document, "impact_groups", where=where, declared="impact_groups"):
        members = tuple(texts(entry, "nuisances", where=place))
        if members != (STATISTICS_GROUP,):
            check_names(members, where=f"{place}.nuisances")
            for member in members:
                known_name(member, nuisances, kind="nuisance", where=f"{place}.nuisances")
        name = text(entry, "name", where=place)
        names.append(name)
        check_names(names, where=f"{where}: impact_groups")
        found[name] = members
    return found

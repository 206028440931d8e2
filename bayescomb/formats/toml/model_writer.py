"""Writer of ``model.toml`` and its CSV tables, from which exactly the same combination can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bayescomb.base.errors import BayescombError, OutputError
from bayescomb.base.files.writing import is_folder, written_into
from bayescomb.formats.declared import MODEL_NAME
from bayescomb.formats.toml.measurements.budget import UNCORRELATED
from bayescomb.formats.toml.measurements.writer import BudgetPart, budget_part, measurement_table
from bayescomb.formats.toml.model import FORMAT, SETTINGS, load_model
from bayescomb.formats.toml.parameters import curve_tables, derived_tables, parameter_tables
from bayescomb.formats.toml.predictions import extraction_tables, prediction_tables
from bayescomb.formats.toml.sets.scope import category_scope
from bayescomb.formats.toml.sets.writer import blocks_text, coefficient_table, common_blocks, find_base
from bayescomb.formats.toml.text import assignments, stated
from bayescomb.inputs.budget import Budget, unstated_pairs
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.serialise import combination_to_json

__all__ = ["model_texts", "write_model"]

SLUG_LENGTH: Final = 60


def write_model(combination: Combination, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a combination as ``model.toml`` with its tables as CSV files beside it.

    The written files are read back, and must give the same combination to the last bit, before they replace others.

    Args:
        combination: the combination, with all its assumption sets.
        folder: the folder, made if it is absent; or the ``.toml`` file in it, if that has another name.
        overwrite: replace existing files of the same names.

    Returns:
        The path of the TOML file.

    Raises:
        OutputError: a file exists already or cannot be written, or the format cannot express the combination; then no file
            has changed.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> from bayescomb.formats.toml.model_writer import write_model
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_model(bc.load("models/run1_mass"), f"{folder}/copy")
        ...     path.name, bc.load(path).name, sorted(p.name for p in path.parent.iterdir())
        ('model.toml', 'run1_mass', ['blocks.csv', 'budget.csv', 'model.toml'])
    """
    folder = Path(folder)
    if folder.suffix == ".toml" and not is_folder(folder):
        folder, name = folder.parent, folder.name
    else:
        name = MODEL_NAME
    with written_into(folder, model_texts(combination, name=name), last=name, overwrite=overwrite) as staged:
        _check_read_back(combination, staged / name, shown=folder / name)
    return folder / name


def _check_read_back(combination: Combination, path: Path, *, shown: Path) -> None:
    """Check that the written model gives the combination again.

    Raises:
        OutputError: the model cannot be read, or gives another combination.
    """
    try:
        found = load_model(path)
    except BayescombError as error:
        msg = (
            f"{shown}: the format cannot express this combination: {str(error).replace(str(path.parent), str(shown.parent))}"
        )
        raise OutputError(msg) from error
    given, read = (json.loads(combination_to_json(c), parse_int=float) for c in (combination, found))
    for prediction in (*given["predictions"], *read["predictions"]):
        prediction["table"] = ""  # the file name of its table, which may differ
    if json.dumps(given) != json.dumps(read):
        parts = [key for key in given if json.dumps(given[key]) != json.dumps(read[key])]
        msg = f"{shown}: the format cannot express this combination, it differs in {', '.join(parts)}; check their names"
        raise OutputError(msg)


def model_texts(combination: Combination, *, name: str = MODEL_NAME) -> dict[str, str]:
    """The files of a model, file name -> text; ``name`` is that of the TOML file."""
    files: dict[str, str] = {}
    budget = budget_part(combination)
    read = Budget(measurements=budget.measurements, experiments=budget.experiments, sources=budget.sources)
    unstated = any(unstated_pairs(read, combination.assumption_sets))
    sections = [_head(combination, {"within": UNCORRELATED if unstated else None})]
    if budget.measurements:
        files["budget.csv"] = budget.text()
        declared = [s.name for s in combination.sources]
        chosen = None if list(budget.sources) == declared else list(budget.sources)
        sections.append(["[budget]", *assignments({"table": "budget.csv", "sources": chosen})])
    slugs = _Slugs()
    for measurement in _own_measurements(combination)[len(budget.measurements) :]:
        table, tables = measurement_table(measurement, slugs.new(measurement.name))
        files |= tables
        sections.append(["[[measurements]]", *assignments(table)])
    for group, members in combination.impact_groups.items():
        sections.append(["[[impact_groups]]", *assignments({"name": group, "nuisances": list(members)})])
    if combination.errors_on_errors:
        uncertain = {
            name: error.relative if error.kind == "common" else {"relative": error.relative, "kind": error.kind}
            for name, error in combination.errors_on_errors.items()
        }
        sections.append(["[errors_on_errors]", *assignments(uncertain)])
    for item in combination.provenance:
        entry = {"table": item.table, "kind": item.kind, "origin": item.origin, "note": item.note or None}
        sections.append(["[[provenance]]", *assignments(entry)])
    sets = _sets(combination, budget, files)
    # After all other files, so that the tables of predictions do not take their names
    for table in prediction_tables(combination.predictions, files, reserved=name, new_name=slugs.new):
        sections.append(["[[predictions]]", *assignments(table)])
    for table in extraction_tables(combination.extractions.values()):
        sections.append(["[[extractions]]", *assignments(table)])
    sections += sets
    files[name] = "\n\n".join("\n".join(lines) for lines in sections) + "\n"
    return files


def _head(combination: Combination, more: Mapping[str, str | None]) -> list[str]:
    """Settings, observables and sources."""
    values = {key: getattr(combination, key) for key in SETTINGS}
    shown = {key: value for key, value in values.items() if value != SETTINGS[key] or key in {"treatment", "chi2"}}
    settings = {
        "format": FORMAT,
        "name": combination.name,
        "title": combination.title or None,
        **shown,
        "normalise": combination.normalise or None,
        "nonnegative": _nonnegative(combination),
        "assumptions": combination.assumptions,
        **more,
    }
    sources = [stated(s, "name", "title", "group") for s in combination.sources]
    lines = [
        "# Who measured what comes first, what is correlated after it; tables are in the CSV files.",
        *assignments(settings),
    ]
    lists = {
        "curves": curve_tables(combination.curves),
        "parameters": parameter_tables(combination.parameters),
        "observables": [stated(o, "name", "unit", "title", "spectator", "formula") for o in combination.observables],
        "derived": derived_tables(combination.derived),
    }
    for key, rows in lists.items():
        lines += ["", *assignments({key: rows})] if rows else []
    return [*lines, "", *assignments({"sources": sources})] if sources else lines


def _nonnegative(combination: Combination) -> bool | list[str] | None:
    """``True`` if all fitted observables but spectators are nonnegative, else the names of those that are, if any."""
    names = list(combination.nonnegative)
    everything = names == [o.name for o in combination.observables if not o.spectator and not o.formula]
    return (everything or names) if names else None


def _own_measurements(combination: Combination) -> tuple[Measurement, ...]:
    """The measurements without the priors of parameters, which are written with the parameters."""
    priors = {p.prior_name for p in combination.parameters}
    return tuple(m for m in combination.measurements if m.name not in priors)


def _sets(combination: Combination, budget: BudgetPart, files: dict[str, str]) -> list[list[str]]:
    """Sections of the blocks and the assumption sets; their tables are added to the files."""
    sets = list(combination.assumption_sets.items())
    scope = category_scope(
        budget.experiments,
        budget.sources,
        _own_measurements(combination)[len(budget.measurements) :],
        sources=[s.name for s in combination.sources],
    )
    common = common_blocks(combination.assumption_sets.values())
    sections = []
    if common:
        files["blocks.csv"] = blocks_text(common)
        entry = {"table": "blocks.csv", "names": [b.name for b in common]}
        sections.append(["# Correlations that all assumption sets share.", "[blocks]", *assignments(entry)])
    slugs = _Slugs()
    for i, (name, assumption_set) in enumerate(sets):
        base, coefficients, blocks = find_base(assumption_set, [s for _, s in sets[:i]], len(common))
        table: dict[str, Any] = {
            "name": name,
            "description": assumption_set.description or None,
            "extends": None if base is None else base.name,
        }
        if blocks:
            file = f"{slugs.new(name)}_blocks.csv"
            files[file] = blocks_text(blocks)
            table["blocks"] = {"table": file, "names": [b.name for b in blocks]}
        sections.append(["[[assumption_sets]]", *assignments(table)])
        inherited = {c.name for c in base.coefficients} if base else set()
        for coefficient in coefficients:
            entry = coefficient_table(coefficient, scope, replaces=coefficient.name in inherited)
            sections.append(["[[assumption_sets.coefficients]]", *assignments(entry)])
    return sections


class _Slugs:
    """Distinct beginnings of file names, made from the names of measurements, sets and predictions."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def new(self, name: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:SLUG_LENGTH] or "unnamed"
        slug, i = base, 1
        while slug in self._used:
            i += 1
            slug = f"{base}_{i}"
        self._used.add(slug)
        return slug

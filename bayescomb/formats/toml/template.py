"""A new model to fill in: ``budget.csv``, ``within.csv`` with all required rows, and a ``model.toml`` with comments."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bayescomb.base.checks import check_names
from bayescomb.base.errors import FileFormatError, OptionError
from bayescomb.base.files.writing import written_into
from bayescomb.formats.csv import Row, csv_text, read_table
from bayescomb.formats.declared import MODEL_NAME
from bayescomb.formats.toml.text import assignments, value_text
from bayescomb.inputs.budget import BUDGET_COLUMNS, OPTIONAL_BUDGET_COLUMNS, check_source_columns

__all__ = ["Template", "template_from_table", "template_of", "write_template"]

WITH_UNIT: Final = re.compile(r"(.*\S)\s*\[([^\]]*)\]")
BUDGET_COMMENT: Final = "one row per estimate, all in the unit of its observable; 0 where a source does not apply"
WITHIN_COMMENT: Final = (
    "correlations inside an experiment, one cell of each pair is enough; those between experiments stay empty"
)
OWN_COLUMNS: Final = (*BUDGET_COLUMNS, *OPTIONAL_BUDGET_COLUMNS)
NAMING_COLUMNS: Final = ("estimate", "experiment", "observable")
# Usual names of a column of sums; the second kind counts only beside other columns.
SUM: Final = re.compile(r"(total|tot|sum)\b.*", flags=re.IGNORECASE)
SUM_OF_SOURCES: Final = re.compile(r"(all )?sys(t|tematics?)?\.?( (unc|err)\w*\.?)?", flags=re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Template:
    """Content of a new model.

    Attributes:
        observables: name -> unit, empty if none is stated.
        sources: names of the sources.
        rows: rows of the budget, column -> cell; the user fills in absent cells.
        columns: columns of the budget.
    """

    observables: dict[str, str]
    sources: Sequence[str]
    rows: Sequence[dict[str, str]]
    columns: Sequence[str] = field(default=BUDGET_COLUMNS)

    @property
    def experiments(self) -> dict[str, list[str]]:
        """Experiment -> its estimates."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            found.setdefault(row["experiment"], []).append(row["estimate"])
        return found

    @property
    def repeated(self) -> list[str]:
        """Estimates that share their experiment with another, so that their sources may be correlated there."""
        return [name for names in self.experiments.values() if len(names) > 1 for name in names if self.sources]


def template_of(*, observables: Iterable[str], experiments: Sequence[str], sources: Sequence[str]) -> Template:
    """A template with one estimate of every observable by every experiment.

    Args:
        observables: names, each with its unit in brackets if it has one: ``"sigma_tt [pb]"``.
        experiments: names of the experiments.
        sources: names of the sources.

    Raises:
        UnknownNameError, DuplicateNameError: a name is not allowed, stands twice, or is that of a column.

    Examples:
        >>> template_of(observables=["m_t [GeV]"], experiments=["ATLAS", "CMS"], sources=["JES"]).experiments
        {'ATLAS': ['ATLAS'], 'CMS': ['CMS']}
    """
    units = [_with_unit(text) for text in observables]
    check_names([name for name, _ in units], where="observables")
    check_names(experiments, where="experiments")
    check_names(sources, where="sources", allow_empty=True)
    check_source_columns(sources, where="sources")
    rows = [
        {"estimate": f"{experiment}_{name}" if len(units) > 1 else experiment, "experiment": experiment, "observable": name}
        for experiment in experiments
        for name, _ in units
    ]
    check_names([row["estimate"] for row in rows], where="estimates")
    return Template(observables=dict(units), sources=list(sources), rows=rows)


def _with_unit(text: str) -> tuple[str, str]:
    found = WITH_UNIT.fullmatch(text.strip())
    return (found[1], found[2].strip()) if found else (text.strip(), "")


def template_from_table(path: str | Path, *, units: Iterable[str] = ()) -> Template:
    """The template of a complete table: a CSV file, or the first sheet of an ``.xlsx`` file.

    Args:
        path: the table, with the columns of a budget; all other columns are sources.
        units: observables with their units, as in :func:`template_of`.

    Raises:
        FileFormatError: a column is missing; the other errors of :func:`bayescomb.formats.csv.read_table`.
        OptionError: the package that reads ``.xlsx`` is not installed.
    """
    path = Path(path)
    if path.suffix.casefold() == ".xlsx":
        from bayescomb.formats.toml.excel import sheet_table

        header, rows = sheet_table(path, required=BUDGET_COLUMNS, called=_column)
    else:
        header, rows = read_table(path, required=BUDGET_COLUMNS, called=_column)
    if not rows:
        msg = f"{path}: no estimate; add at least one row"
        raise FileFormatError(msg)
    sources = [name for name in header if name not in OWN_COLUMNS]
    check_names(sources, where=f"{path}: sources", allow_empty=True)
    for name in sources:
        if SUM.fullmatch(name) or (len(sources) > 1 and SUM_OF_SOURCES.fullmatch(name)):
            msg = (
                f"{path}: column {name!r}: the sum of the others? It would count them twice; remove the column, or call it "
                "otherwise if it is a source of its own"
            )
            raise FileFormatError(msg)
    for row in rows:
        _require_names(row)
    stated = dict(_with_unit(text) for text in units)
    names = list(dict.fromkeys(row.cells["observable"] for row in rows))
    check_names(names, where=f"{path}: observables")
    for name in stated:
        if name not in names:
            msg = f"observable {name!r}: not in {path}, which has {', '.join(map(repr, names))}; correct one of the two"
            raise OptionError(msg)
    check_names([row.cells["estimate"] for row in rows], where=f"{path}: estimates")
    return Template(
        observables={name: stated.get(name, "") for name in names},
        sources=sources,
        rows=[row.cells for row in rows],
        columns=[name for name in header if name in OWN_COLUMNS],
    )


def _column(name: str) -> str:
    """The name of a budget column for headers such as ``Value [GeV]`` or ``Stat.``; any other header is unchanged."""
    plain = _with_unit(name)[0].rstrip(".").casefold()
    return plain if plain in OWN_COLUMNS else name


def _require_names(row: Row) -> None:
    """Check that a row names its estimate, experiment and observable.

    Raises:
        FileFormatError: a name is empty; the advice tells rows of units, totals and merged cells apart by the other cells.
    """
    empty = [name for name in NAMING_COLUMNS if not row.cells.get(name)]
    if not empty:
        return
    value = row.cells["value"]
    if value and not any(c.isdigit() for c in value):
        advice = "a row of units? State them with the observables, --observables 'm_t [GeV]', and remove the row"
    elif len(empty) > 1:
        advice = "a total or an average? Remove the row"
    else:
        advice = "write it in every row, as a merged cell holds its text in the first row only"
    msg = f"{row.where}, column {empty[0]!r}: empty; {advice}"
    raise FileFormatError(msg)


def write_template(template: Template, folder: str | Path) -> list[Path]:
    """Write the files of a template into a folder; the model has the name of the folder.

    Returns:
        The paths of the files.

    Raises:
        OutputError: a file exists already or cannot be written.

    Examples:
        >>> import tempfile
        >>> template = template_of(observables=["x"], experiments=["A", "B"], sources=["JES"])
        >>> with tempfile.TemporaryDirectory() as place:
        ...     [path.name for path in write_template(template, f"{place}/mine")]
        ['budget.csv', 'model.toml']
    """
    folder = Path(folder)
    files = {"budget.csv": _budget(template)}
    if template.repeated:
        files["within.csv"] = _within(template)
    files[MODEL_NAME] = _model(template, folder.absolute().name, within="within.csv" in files)
    with written_into(folder, files, last=MODEL_NAME, overwrite=False):
        pass
    return [folder / name for name in files]


def _budget(template: Template) -> str:
    header = [*template.columns, *template.sources]
    return csv_text(BUDGET_COMMENT, header, [[row.get(name, "") for name in header] for row in template.rows])


def _within(template: Template) -> str:
    """A row per source and estimate with a partner in its experiment, with 1 on the diagonal."""
    estimates = [row["estimate"] for row in template.rows]
    rows = [
        [source, estimate, *("1" if other == estimate else "" for other in estimates)]
        for source in template.sources
        for estimate in template.repeated
    ]
    return csv_text(WITHIN_COMMENT, ["source", "estimate", *estimates], rows)


def _model(template: Template, name: str, *, within: bool) -> str:
    observables = [{"name": o, "unit": unit or None} for o, unit in template.observables.items()]
    where = "inside an experiment in within.csv, others below" if within else "below"
    lines = [
        f"# {name}: what was measured is in budget.csv, correlations {where}.",
        "# 'bayescomb reference' lists all keys; 'bayescomb check' says what was read.",
        *assignments({"format": 1, "name": name}),
        '# title = "One line for people"',
        *assignments({"observables": observables}),
        "",
        "# What a column of the budget is called, with a title for tables if that is another.",
        *assignments({"sources": [{"name": source} for source in template.sources]}),
        "",
        "[budget]",
        'table = "budget.csv"',
        "",
    ]
    if within:
        lines += ["[within]", 'table = "within.csv"', ""]
    else:
        lines += ["# [within]  # once two estimates of an experiment share a source", '# table = "within.csv"', ""]
    lines += ["[[assumption_sets]]", 'name = "nominal"', ""]
    return "\n".join([*lines, *_coefficients(template)])


def _coefficients(template: Template) -> list[str]:
    """A commented coefficient per source and pair of experiments; only the author knows the numbers."""
    pairs = list(itertools.combinations(template.experiments, 2))
    if not pairs or not template.sources:
        return ["# One experiment: there is nothing to correlate with.", ""]
    lines = [
        "# What a source of two experiments has in common.  A source without a coefficient is UNCORRELATED between them.",
        "# Uncomment what applies and put in your numbers: 'nominal' is what the profile uses; 'low' and 'high' are the",
        "# range of the scan and of the prior of the posterior (leave both out for a known correlation).",
    ]
    for source, (first, second) in itertools.product(template.sources, pairs):
        name = source if len(pairs) == 1 else f"{source}, {first} and {second}"
        lines += [
            "",
            "# [[assumption_sets.coefficients]]",
            f"# name = {value_text(name)}",
            f"# source = {value_text(source)}",
            f"# between = [{value_text(first)}, {value_text(second)}]",
            "# nominal = 0.5",
            "# low = 0.0",
            "# high = 1.0",
        ]
    return [*lines, ""]

"""Exported groups as tables of columns, the form in which a submission to HEPData states them.

The description of a table and the qualifiers of its columns state the assumptions behind the numbers, and whether the
inputs are published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.files.writing import plain_value
from bayescomb.inputs.combination import Combination
from bayescomb.output.statements import header, origin_notes, quoting_note, settings

__all__ = [
    "ABSENT",
    "Cell",
    "ExportColumn",
    "ExportTable",
    "Part",
    "Qualifier",
    "Tables",
    "difference_names",
    "numbers",
    "qualifiers",
    "result_parts",
    "texts",
]

# What the site takes where there is no number.
ABSENT: Final = "-"
NAME_LENGTH: Final = 64
# The site takes files of up to 10 MB, which a table of all pairs of several hundred nuisances exceeds.
MAX_ROWS: Final = 80_000

# Setting -> its name as a qualifier at the site.
QUALIFIERS: Final = {
    "assumption set": "assumption set",
    "treatment": "treatment of the sources",
    "chi2": "form of chi2",
    "nonnegative": "nonnegative",
    "extraction": "extraction",
    "inputs": "origin of the inputs",
}
Cell = float | str | tuple[float, float] | None
Qualifier = tuple[str, float | str, str]


@dataclass(frozen=True, kw_only=True)
class ExportColumn:
    """A column.

    Attributes:
        name, unit: its heading.
        values: numbers, texts, pairs of bin edges; ``None`` where there is nothing.
        errors: label -> symmetric errors, which add in quadrature.
        qualifiers: (name, value, unit) besides those of the table.
    """

    name: str
    values: Sequence[Cell]
    unit: str = ""
    errors: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    qualifiers: Sequence[Qualifier] = ()


@dataclass(frozen=True, kw_only=True)
class ExportTable:
    """A table.

    Attributes:
        name: at most 64 characters, unique, safe as a file name.
        description: what it holds, what that rests on.
        rows: columns that name the rows.
        columns: the numbers.
        keywords: kind -> values, as the site knows them.
        qualifiers: (name, value, unit) that every column of numbers has.
    """

    name: str
    description: str
    rows: Sequence[ExportColumn]
    columns: Sequence[ExportColumn]
    keywords: Mapping[str, Sequence[str | float]] = field(default_factory=dict)
    qualifiers: Sequence[Qualifier] = ()


class Tables:
    """The tables of a submission, under unique names.

    Attributes:
        tables: those that were added.
        left_out: names of those that are too long for the site.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.export.tables import ExportColumn, Tables
        >>> tables = Tables(bc.load("models/run1_mass"))
        >>> for _ in range(2):
        ...     tables.add("A/B", "One.", [ExportColumn(name="x", values=["a"])], [ExportColumn(name="y", values=[1.0])])
        >>> print([table.name for table in tables.tables], tables.tables[0].description, sep="; ")
        ['A_B', 'A_B 2']; One.
        run1_mass: assumption set 'nominal', treatment covariance, chi2 neyman
    """

    def __init__(self, combination: Combination, *, keywords: Mapping[str, Sequence[str | float]] | None = None) -> None:
        self.tables: list[ExportTable] = []
        self.left_out: list[str] = []
        self._combination = combination
        self._keywords = keywords or {}

    def add(
        self,
        name: str,
        description: str,
        rows: Iterable[ExportColumn],
        columns: Iterable[ExportColumn],
        *,
        energies: Sequence[float] = (),
        of: Combination | None = None,
    ) -> None:
        """Add a table, unless it is too long for the site; columns without any entry are left out.

        The description gets the settings as its last lines.

        Args:
            name: what it shows.
            description: one or more sentences.
            rows: columns that name the rows.
            columns: the numbers.
            energies: collider energies in GeV that it belongs to.
            of: the combination of this table, if it differs from that of the other tables.
        """
        rows, combination = list(rows), of or self._combination
        if len(rows[0].values) > MAX_ROWS:
            self.left_out.append(name)
            return
        keywords = dict(self._keywords) | ({"cmenergies": list(energies)} if energies else {})
        table = ExportTable(
            name=self._unique(name),
            description=f"{description}\n{header(combination)}",
            rows=rows,
            columns=[c for c in columns if any(value is not None for value in c.values)],
            keywords=keywords,
            qualifiers=qualifiers(combination),
        )
        self.tables.append(table)

    def _unique(self, name: str) -> str:
        """The name in letters that every file system takes, with a number if it is taken."""
        plain = re.sub(r"[^A-Za-z0-9 -]+", "_", name).strip(" _")[: NAME_LENGTH - 4].strip() or "Table"
        used = {table.name.lower() for table in self.tables}
        found, i = plain, 1
        while found.lower() in used:
            i += 1
            found = f"{plain} {i}"
        return found


def qualifiers(combination: Combination) -> list[Qualifier]:
    """Qualifiers of every column of numbers: the settings, the predictions, and that it is not for quoting.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.export.tables import qualifiers
        >>> [name for name, _, _ in qualifiers(bc.load("models/run1_mass"))]
        ['assumption set', 'treatment of the sources', 'form of chi2', 'origin of the inputs']
    """
    said = settings(combination)
    found = {QUALIFIERS[name]: value for name, value in said.items() if name in QUALIFIERS}
    if noted := origin_notes(combination):
        found["predictions"] = "; ".join(noted)
    if quoting_note(combination):
        found["for quoting"] = "NO, leading-order predictions"
    return [(name, value, "") for name, value in found.items()]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Results that stand in one table, because they have one unit and, if they are binned, one binned variable.

    Attributes:
        name: of the table.
        parameters: names of the results.
        unit: of all of them.
        edges: lower and upper edge of each bin, shape (n, 2); ``None`` if they are not bins.
        variable: what is binned.
        energies: collider energies of the prediction in GeV.
    """

    name: str
    parameters: tuple[str, ...]
    unit: str
    edges: np.ndarray | None = None
    variable: str = ""
    energies: tuple[float, ...] = ()

    def column(
        self, name: str, values: Sequence[Cell], *, errors: Mapping[str, Sequence[float | None]] | None = None
    ) -> ExportColumn:
        """A column in the unit of the results."""
        return ExportColumn(name=name, unit=self.unit, values=values, errors=errors or {}, qualifiers=self.qualifiers)

    def labels(self, suffix: str = "") -> ExportColumn:
        """Names or bins of the rows."""
        if self.edges is None:
            return ExportColumn(name=f"result{suffix}", values=self.parameters)
        edges = [(float(low), float(high)) for low, high in self.edges]
        return ExportColumn(name=f"{self.variable or 'bin'}{suffix}", values=edges)

    def pairs(self) -> list[ExportColumn]:
        """Names or bins of the rows and columns of a matrix, one row of the table per entry."""
        first, second = self.labels(" (row)"), self.labels(" (column)")
        n = len(self.parameters)
        return [
            ExportColumn(name=first.name, values=[v for v in first.values for _ in range(n)]),
            ExportColumn(name=second.name, values=list(second.values) * n),
        ]

    @property
    def names(self) -> list[ExportColumn]:
        """The names of the results, where the rows are bins."""
        return [] if self.edges is None else [ExportColumn(name="observable", values=self.parameters)]

    @property
    def qualifiers(self) -> list[Qualifier]:
        """The collider energy."""
        return [("SQRT(S)", energy, "GeV") for energy in self.energies]


def difference_names(combination: Combination) -> list[str]:
    """Results that are differences of others, which would make every covariance with these singular."""
    extraction = combination.extraction_in_force
    return [] if extraction is None else [f"{first} - {second}" for first, second in extraction.differences]


def result_parts(combination: Combination, results: xr.Dataset) -> tuple[Part, ...]:
    """The results, divided into tables of one unit and one binning; extracted results come first.

    Observables are ``Combined``, or ``Fitted`` if the prediction of an extraction had a part in it.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.analysis import analyse
        >>> from bayescomb.output.data.groups import export_groups
        >>> from bayescomb.output.export.tables import result_parts
        >>> combination = bc.load("models/ttj_rho", extraction="normalised")
        >>> results = export_groups(analyse(bc.profile(combination)))["results"]
        >>> [(part.name, len(part.parameters), part.unit) for part in result_parts(combination, results)]
        [('Extracted results', 1, 'GeV'), ('Fitted 8 TeV', 8, 'events'), ('Fitted 13 TeV', 4, 'pb')]
    """
    observables, differences = {o.name for o in combination.observables}, difference_names(combination)
    kind = "Fitted" if combination.extraction else "Combined"
    predictions = {p.name: p for p in combination.predictions}
    members: dict[tuple[str, str], list[str]] = {}
    for name in (str(p) for p in results["parameter"].to_numpy()):
        at = results.sel(parameter=name)
        distribution = str(at["distribution"].item())
        title = f"{kind} {distribution or 'results'}" if name in observables else "Extracted results"
        title = "Differences of masses" if name in differences else title
        members.setdefault((title, str(at["unit"].item())), []).append(name)
    parts = []
    for (title, unit), names in members.items():
        own = results.sel(parameter=names)
        prediction = predictions.get(str(own["distribution"].to_numpy()[0]))
        edges = np.column_stack([own["bin_low"].to_numpy(), own["bin_high"].to_numpy()]) if prediction else None
        parts.append(
            Part(
                name=title,
                parameters=tuple(names),
                unit=unit,
                edges=edges,
                variable=prediction.variable if prediction else "",
                energies=(1000 * prediction.energy_tev,) if prediction else (),
            )
        )
    return tuple(parts)


def numbers(values: xr.DataArray | np.ndarray) -> list[float | None]:
    """Python numbers in full precision, ``None`` for NaN."""
    return [plain_value(v) for v in np.asarray(values, dtype=float).ravel()]


def texts(values: xr.DataArray) -> list[Any]:
    """Texts, ``None`` for empty ones."""
    return [str(v) or None for v in values.to_numpy()]

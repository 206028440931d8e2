"""Reader of prediction tables: one row per variant, mass and bin."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.checks import located
from bayescomb.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.predictions import Prediction, Variant
from bayescomb.tables import Row, read_table

__all__ = ["COLUMNS", "read_prediction"]

COLUMNS: Final = (
    "sqrt_s_tev", "pdf_set", "member", "scale_choice", "mu_r", "mu_f", "m_t_gev", "bin_low", "bin_high", "xsec_pb",
    "mc_error_pb",
)  # fmt: skip


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
        >>> from bayescomb.prediction_tables import read_prediction
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

"""Tables of predicted cross sections (a row per variant, mass and bin) and of factors (a row per scale point and bin)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.base.checks import check_choice, located
from bayescomb.base.choices import MASS_SCHEMES
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidNumberError
from bayescomb.formats.csv import Row, csv_text, figure, read_table
from bayescomb.inputs.theory.predictions import Prediction, ScaleFactors, ScalePoint, Variant

__all__ = ["COLUMNS", "CORRELATED", "FACTOR_COLUMNS", "prediction_text", "read_prediction", "read_scale_factors"]

COLUMNS: Final = (
    "sqrt_s_tev", "pdf_set", "member", "scale_choice", "mu_r", "mu_f", "m_t_gev", "bin_low", "bin_high", "xsec_pb",
    "mc_error_pb",
)  # fmt: skip
FACTOR_COLUMNS: Final = ("sqrt_s_tev", "scale_choice", "mu_r", "mu_f", "bin_low", "bin_high", "factor", "factor_error")
# Optional column.
CORRELATED: Final = "correlated_error_pb"


def read_prediction(
    path: Path,
    *,
    name: str,
    observables: Sequence[str],
    order: str,
    mass_scheme: str = "pole",
    per_bin_width: bool = False,
    variable: str = "",
    rate_errors: Mapping[str, float] | None = None,
    origin: str = "",
) -> Prediction:
    """Read a table with the columns :data:`COLUMNS` and an optional column :data:`CORRELATED`, with rows in any order.

    Args:
        path: a CSV file with one collider energy and the same masses and bins for every variant.
        name: name of the prediction.
        observables: the observable of each bin, by ascending lower edge.
        order: perturbative order.
        mass_scheme: ``"pole"`` or ``"running"``.
        per_bin_width: whether the observables are divided by the width of their bin.
        variable: variable of the bins, for figures.
        rate_errors: name -> relative uncertainty of the rate.
        origin: what the numbers are, if the order alone does not tell.

    Raises:
        FileFormatError: a column or row is missing, there is more than one energy, or bins and observables differ in number.
        InvalidNumberError: a cell is not a number, or a bin is empty or overlaps the next.
        DuplicateNameError: a row stands twice.

    Examples:
        >>> table = read_prediction(Path("models/ttj_rho/prediction_13tev.csv"), name="13 TeV",
        ...     observables=["s1", "s2", "s3", "s4"], order="LO", per_bin_width=True)
        >>> table.energy_tev, table.masses[[0, -1]].tolist(), len(table.variants)
        (13.0, [165.0, 180.0], 61)
    """
    header, rows = read_table(path, required=COLUMNS)
    energy = _one_energy(rows, path, per="variant, mass and bin")
    cells = _by_key(rows, lambda row: (_variant(row), row.number("m_t_gev"), _bin(row)), "variant, mass and bin")
    variants = list(dict.fromkeys(variant for variant, _, _ in cells))
    masses, bins = sorted({mass for _, mass, _ in cells}), sorted({edges for _, _, edges in cells})
    _check_bins(bins, path, n_observables=len(observables))
    shape = (len(variants), len(masses), len(bins))
    values, errors, correlated = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for (i, variant), (j, mass), (k, edges) in itertools.product(enumerate(variants), enumerate(masses), enumerate(bins)):
        cell = cells.get((variant, mass, edges))
        if cell is None:
            msg = f"{path}: no row for '{variant}', m_t {mass:g} GeV, bin {edges[0]:g} to {edges[1]:g}; add it"
            raise FileFormatError(msg)
        values[i, j, k], errors[i, j, k] = _positive(cell, "xsec_pb"), cell.number("mc_error_pb")
        correlated[i, j, k] = cell.number(CORRELATED) if CORRELATED in header else 0.0
    with located(str(path)):
        return Prediction(
            name=name,
            observables=tuple(observables),
            order=order,
            mass_scheme=check_choice(mass_scheme, MASS_SCHEMES, where=f"mass scheme of prediction {name!r}"),
            energy_tev=energy,
            per_bin_width=per_bin_width,
            variable=variable,
            bins=np.array(bins),
            masses=np.array(masses),
            variants=tuple(variants),
            cross_sections=values,
            mc_errors=errors,
            correlated_errors=correlated,
            rate_errors=rate_errors or {},
            origin=origin,
            table=path.name,
        )


def read_scale_factors(path: Path) -> ScaleFactors:
    """Read a table of factors with the columns :data:`FACTOR_COLUMNS`, with rows in any order.

    Raises:
        FileFormatError: a column or row is missing, or there is more than one energy.
        InvalidNumberError: a cell is not a number, or a bin is empty or overlaps the next.
        DuplicateNameError: a row stands twice.

    Examples:
        >>> k = read_scale_factors(Path("models/ttj_rho/kfactor_13tev.csv"))
        >>> str(k.points[0]), k.values[0].round(3).tolist()
        ('scale ht2, mu_R x 1, mu_F x 1', [1.416, 1.394, 1.372, 1.353])
    """
    _, rows = read_table(path, required=FACTOR_COLUMNS)
    energy = _one_energy(rows, path, per="scale point and bin")
    cells = _by_key(rows, lambda row: (_scale_point(row), _bin(row)), "scale point and bin")
    points, bins = list(dict.fromkeys(point for point, _ in cells)), sorted({edges for _, edges in cells})
    _check_bins(bins, path, n_observables=len(bins))
    values, errors = np.zeros((len(points), len(bins))), np.zeros((len(points), len(bins)))
    for (i, point), (k, edges) in itertools.product(enumerate(points), enumerate(bins)):
        cell = cells.get((point, edges))
        if cell is None:
            msg = f"{path}: no row for '{point}', bin {edges[0]:g} to {edges[1]:g}; add it"
            raise FileFormatError(msg)
        values[i, k], errors[i, k] = _positive(cell, "factor"), cell.number("factor_error")
    with located(str(path)):
        return ScaleFactors(
            energy_tev=energy, bins=np.array(bins), points=tuple(points), values=values, errors=errors, table=path.name
        )


def _one_energy(rows: Sequence[Row], path: Path, *, per: str) -> float:
    """The only collider energy of a table, in TeV."""
    if not rows:
        msg = f"{path}: no rows; give one per {per}"
        raise FileFormatError(msg)
    energies = {row.number("sqrt_s_tev") for row in rows}
    if len(energies) != 1:
        msg = f"{path}: energies {sorted(energies)} TeV found, a table holds one; split the file"
        raise FileFormatError(msg)
    return energies.pop()


def _by_key[Key](rows: Sequence[Row], key: Callable[[Row], Key], what: str) -> dict[Key, Row]:
    """The rows by their keys, each of which stands once."""
    found: dict[Key, Row] = {}
    for row in rows:
        own = key(row)
        if own in found:
            msg = f"{row.where}: the same {what} as {found[own].where}; remove one of the rows"
            raise DuplicateNameError(msg)
        found[own] = row
    return found


def _bin(row: Row) -> tuple[float, float]:
    return row.number("bin_low"), row.number("bin_high")


def _scale_point(row: Row) -> ScalePoint:
    return ScalePoint(row.cells["scale_choice"], _positive(row, "mu_r"), _positive(row, "mu_f"))


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
    """Check that there is one bin per observable, and that no bin is empty or overlaps another."""
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


def prediction_text(prediction: Prediction) -> str:
    """The table of a prediction as CSV text."""
    energy = figure(prediction.energy_tev)
    more = [prediction.correlated_errors] if prediction.correlated_errors.size else []
    numbers = np.stack([prediction.cross_sections, prediction.mc_errors, *more], axis=-1)
    rows = []
    for variant, by_mass in zip(prediction.variants, numbers, strict=True):
        factors = figure(variant.mu_r), figure(variant.mu_f)
        head = [energy, variant.pdf_set, str(variant.member), variant.scale_choice, *factors]
        for mass, by_bin in zip(prediction.masses, by_mass, strict=True):
            rows += [
                [*head, *map(figure, (mass, *edges, *cells))] for edges, cells in zip(prediction.bins, by_bin, strict=True)
            ]
    comment = f"Predicted cross sections per bin at {prediction.energy_tev:g} TeV, by PDF set and member, scale and mass."
    return csv_text(comment, [*COLUMNS, *([CORRELATED] if more else [])], rows)

"""The mass with other predictions: orders, PDF sets, scale definitions, and the seven points of the scale variation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bayescomb.base.checks import expects
from bayescomb.base.errors import BayescombError, FitError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.theory.extractions import Extraction, ScaleChoice
from bayescomb.inputs.theory.predictions import Prediction, Variant
from bayescomb.likelihood.theory import SCALE_POINTS
from bayescomb.studies.theory.rate_and_shape import extraction_in_force

__all__ = ["NOT_TABULATED", "OrderRow", "VariantRow", "order_variants", "prediction_variants", "scale_envelope"]

# Beginning of the problem of a row whose prediction is in no table.
NOT_TABULATED: Final = "not in the table"


@dataclass(frozen=True, kw_only=True)
class VariantRow:
    """The profile of one mass with one prediction.

    Attributes:
        mass: name of the mass parameter.
        pdf_set, scale_choice, mu_r, mu_f: the prediction.
        value, error: GeV; ``None`` if there is a problem.
        chi2, ndf: goodness of fit.
        shift: value minus that of the extraction in force, or of the centre of an envelope, GeV.
        problem: why there is no number, empty if there is one.
    """

    mass: str
    pdf_set: str
    scale_choice: str
    mu_r: float
    mu_f: float
    ndf: int
    value: float | None = None
    error: float | None = None
    chi2: float | None = None
    shift: float | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class OrderRow:
    """The profile of one mass with the predictions of one order.

    Attributes:
        mass: name of the mass parameter.
        order: of the predictions, ``"LO"``, ``"NLO"``, ...
        predictions: their names.
        value, error, theory_error: GeV; ``None`` if there is a problem.
        chi2, ndf: goodness of fit.
        shift: value minus that of the order in force, GeV.
        up, down: largest and smallest shift of the seven-point envelope, GeV; ``None`` if a point has no value.
        problem: why there is no value, empty if there is one.
    """

    mass: str
    order: str
    predictions: tuple[str, ...]
    value: float | None = None
    error: float | None = None
    theory_error: float | None = None
    chi2: float | None = None
    ndf: int | None = None
    shift: float | None = None
    up: float | None = None
    down: float | None = None
    problem: str = ""


@expects(combination="combination")
@single_threaded
def order_variants(combination: Combination, *, envelope: tuple[VariantRow, ...] | None = None) -> tuple[OrderRow, ...]:
    """The extraction in force, and the same extraction with predictions of other orders for the same observables.

    PDF members are taken at the scale of the extraction where the tables have them, else at a scale that has them.

    Args:
        combination: with an extraction in force.
        envelope: of the extraction in force, see :func:`scale_envelope`; computed if it is not given.

    Returns:
        The order in force first; empty if the combination has predictions of one order only.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.order_variants(bc.load("models/ttj_rho", extraction="nlo_cms"))
        >>> [row.order for row in rows], rows[0].shift
        (['NLO', 'LO'], 0.0)
    """
    extraction = extraction_in_force(combination)
    own = {p.name: p for p in combination.predictions_of(extraction)}
    own_order = " and ".join(dict.fromkeys(p.order for p in own.values()))
    cases = {own_order: extraction}
    for order in dict.fromkeys(p.order for p in combination.predictions):
        other = _of_order(combination, own, order) if order != own_order else None
        if other is not None:
            cases[order] = other
    if len(cases) == 1:
        return ()
    rows: list[OrderRow] = []
    for order, chosen in cases.items():
        with_order = combination.with_extraction(chosen)
        known = envelope if chosen is extraction and envelope is not None else scale_envelope(with_order)
        rows += _order(order, with_order, known)
    base = {row.mass: row.value for row in rows if row.order == own_order}
    return tuple(dataclasses.replace(row, shift=_difference(row.value, base[row.mass])) for row in rows)


def _difference(value: float | None, start: float | None) -> float | None:
    return None if value is None or start is None else value - start


def _of_order(combination: Combination, own: Mapping[str, Prediction], order: str) -> Extraction | None:
    """The extraction with each prediction replaced by one of that order; ``None`` if one has no counterpart."""
    extraction = extraction_in_force(combination)
    other: dict[str, Prediction] = {}
    for name, mine in own.items():
        same = (p for p in combination.predictions if (p.order, p.mass_scheme) == (order, mine.mass_scheme))
        found = next((p for p in same if set(p.observables) == set(mine.observables)), None)
        if found is None:
            return None
        other[name] = found
    pdf, choice = extraction.pdf, extraction.scales.choice
    if pdf.errors != "none":
        choices = dict.fromkeys([choice, *(v.scale_choice for p in other.values() for v in p.variants)])
        at = next((c for c in choices if all(len(p.members(pdf.set, c)) > 1 for p in other.values())), choice)
        pdf = dataclasses.replace(pdf, shifts_at="" if at == choice else at)
    return dataclasses.replace(
        extraction,
        distributions={other[name].name: kind for name, kind in extraction.distributions.items()},
        masses={other[name].name: mass for name, mass in extraction.masses.items()},
        pdf=pdf,
    )


def _order(order: str, combination: Combination, envelope: tuple[VariantRow, ...]) -> list[OrderRow]:
    """Rows of one order, one per mass, without their shifts."""
    extraction = extraction_in_force(combination)
    names = tuple(extraction.distributions)
    try:
        fit = profile(combination)
    except BayescombError as error:
        return [
            OrderRow(mass=mass, order=order, predictions=names, problem=str(error)) for mass in extraction.mass_parameters
        ]
    rows = []
    for mass in extraction.mass_parameters:
        shifts = [row.shift for row in envelope if row.mass == mass]
        known = [shift for shift in shifts if shift is not None]
        whole = len(known) == len(shifts)
        value, width, part = (float(s.sel(parameter=mass)) for s in (fit.values, fit.errors, fit.theory_errors))
        rows.append(
            OrderRow(
                mass=mass,
                order=order,
                predictions=names,
                value=value,
                error=width,
                theory_error=part,
                chi2=fit.chi2,
                ndf=fit.ndf,
                up=max(known) if whole else None,
                down=min(known) if whole else None,
            )
        )
    return rows


@expects(combination="combination")
@single_threaded
def prediction_variants(combination: Combination) -> tuple[VariantRow, ...]:
    """The extraction with every PDF set and scale definition that all tables in use have, scales fixed at their centres.

    The PDF set of the extraction keeps its members; of other sets the tables have the central member alone, so that the
    error has no PDF part.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.prediction_variants(bc.load("models/ttj_rho", extraction="normalised"))
        >>> sorted({row.scale_choice for row in rows})
        ['ht2', 'mt']
    """
    extraction = extraction_in_force(combination)
    used = combination.predictions_of(extraction)
    keys = [{(v.pdf_set, v.scale_choice) for v in p.variants if v.member == 0 and v.mu_r == v.mu_f == 1} for p in used]
    every = dict.fromkeys((v.pdf_set, v.scale_choice) for v in used[0].variants)
    common = [key for key in every if all(key in k for k in keys)]
    rows: list[VariantRow] = []
    for pdf_set, choice in common:
        pdf = extraction.pdf
        if pdf_set != pdf.set:
            pdf = dataclasses.replace(pdf, set=pdf_set, errors="none", alpha_s=())
        elif not pdf.shifts_at:  # other scale definitions may have no members of their own
            pdf = dataclasses.replace(pdf, shifts_at=extraction.scales.choice)
        scales = ScaleChoice(choice=choice)
        rows += _rows(combination, dataclasses.replace(extraction, pdf=pdf, scales=scales))
    in_force = (extraction.pdf.set, extraction.scales.choice)
    return _shifted(rows, lambda row: (row.pdf_set, row.scale_choice) == in_force)


@expects(combination="combination")
@single_threaded
def scale_envelope(combination: Combination) -> tuple[VariantRow, ...]:
    """The extraction at the seven points of the usual scale variation, the centre first, with scales fixed at each point.

    A point that is not in the tables of the prediction has no value but a problem.

    Raises:
        OptionError: no mass is extracted.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.scale_envelope(bc.load("models/ttj_rho"))
        >>> len(rows), rows[0].mu_r, rows[0].shift
        (7, 1.0, 0.0)
    """
    extraction = extraction_in_force(combination)
    rows: list[VariantRow] = []
    for mu_r, mu_f in ((1.0, 1.0), *SCALE_POINTS):
        scales = ScaleChoice(choice=extraction.scales.choice, mu_r=mu_r, mu_f=mu_f)
        rows += _rows(combination, dataclasses.replace(extraction, scales=scales))
    return _shifted(rows, lambda row: row.mu_r == row.mu_f == 1)


def _shifted(rows: list[VariantRow], is_base: Callable[[VariantRow], bool]) -> tuple[VariantRow, ...]:
    """The rows with their shifts relative to the base row of the same mass."""
    base = {row.mass: row.value for row in rows if is_base(row)}
    return tuple(dataclasses.replace(row, shift=_difference(row.value, base[row.mass])) for row in rows)


def _rows(combination: Combination, extraction: Extraction) -> list[VariantRow]:
    scales = extraction.scales

    def row(mass: str, **found: Any) -> VariantRow:
        return VariantRow(
            mass=mass,
            pdf_set=extraction.pdf.set,
            scale_choice=scales.choice,
            mu_r=scales.mu_r,
            mu_f=scales.mu_f,
            **found,
        )

    at = Variant(pdf_set=extraction.pdf.set, member=0, scale_choice=scales.choice, mu_r=scales.mu_r, mu_f=scales.mu_f)
    lacking = [p.name for p in combination.predictions_of(extraction) if at not in p.index]
    if lacking:
        problem = f"{NOT_TABULATED} of {', '.join(lacking)}"
        return [row(mass, ndf=0, problem=problem) for mass in extraction.mass_parameters]
    try:
        fit = profile(combination.with_extraction(extraction))
    except FitError as error:
        return [row(mass, ndf=0, problem=str(error)) for mass in extraction.mass_parameters]
    return [
        row(
            mass,
            value=float(fit.values.sel(parameter=mass)),
            error=float(fit.errors.sel(parameter=mass)),
            chi2=fit.chi2,
            ndf=fit.ndf,
        )
        for mass in extraction.mass_parameters
    ]

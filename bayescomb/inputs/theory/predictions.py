"""Theory predictions: tables of bin cross sections against the mass, and factors on them such as K = NLO / LO."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import FrozenMapping, check_array, check_choice, check_finite, check_names, check_shape
from bayescomb.base.choices import MASS_SCHEMES, MassScheme
from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnknownNameError,
)

__all__ = ["Prediction", "ScaleFactors", "ScalePoint", "Variant", "scaled_prediction"]

LEADING_ORDER = "LO"
# Shape of errors that are not given.
NO_ERRORS = (0, 0, 0)
# Edges and energies of two tables are the same up to this relative difference.
SAME = 1e-9


class Variant(NamedTuple):
    """Settings of a prediction: PDF set and member, definition of the scale, and factors on mu_R and mu_F.

    Examples:
        >>> str(Variant("PDF4LHC21_40_pdfas", 0, "ht2", 1.0, 1.0))
        'PDF4LHC21_40_pdfas, member 0, scale ht2, mu_R x 1, mu_F x 1'
    """

    pdf_set: str
    member: int
    scale_choice: str
    mu_r: float
    mu_f: float

    def __str__(self) -> str:
        return f"{self.pdf_set}, member {self.member}, scale {self.scale_choice}, mu_R x {self.mu_r:g}, mu_F x {self.mu_f:g}"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Cross sections of the bins of one distribution; V variants, M masses, B bins.

    Attributes:
        name: unique name, e.g. that of the collider energy.
        observables: the observable of each bin, in the order of the bins.
        order: perturbative order, ``"LO"``, ``"NLO"``, ...; a mass extracted at leading order must not be quoted.
        mass_scheme: scheme of the mass of the table, ``"pole"`` or ``"running"``.
        energy_tev: collider energy in TeV.
        per_bin_width: whether the observables are divided by the width of their bin.
        bins: lower and upper edges, shape (B, 2), in the unit of the binned variable.
        masses: in GeV, ascending, shape (M,).
        variants: the V variants.
        cross_sections: in pb, positive, shape (V, M, B).
        mc_errors: their numerical errors in pb, shape (V, M, B).
        table: name of the file they come from.
        variable: name of the binned variable with its unit, for figures.
        correlated_errors: further numerical errors in pb that are fully correlated among the masses, scales and members of a
            bin, for example those of a factor on it, shape (V, M, B); an empty array if there are none.
        rate_errors: name of a rate uncertainty -> its relative size; it is one nuisance that scales all bins alike, and the
            same nuisance in every prediction with this name.
        origin: how the figures were made, if the order alone does not tell; stated in every output.

    Examples:
        >>> import bayescomb as bc
        >>> prediction = bc.load("models/ttj_rho").predictions[0]
        >>> prediction.order, prediction.mass_scheme, prediction.cross_sections.shape[1:] == (len(prediction.masses), 8)
        ('LO', 'pole', True)
    """

    name: str
    observables: tuple[str, ...]
    order: str
    mass_scheme: MassScheme
    energy_tev: float
    per_bin_width: bool
    bins: FloatArray
    masses: FloatArray
    variants: tuple[Variant, ...]
    cross_sections: FloatArray
    mc_errors: FloatArray
    table: str = ""
    variable: str = ""
    correlated_errors: FloatArray = field(default_factory=lambda: np.zeros(NO_ERRORS))
    rate_errors: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""

    def __post_init__(self) -> None:
        where = f"prediction {self.name!r}"
        object.__setattr__(self, "observables", tuple(self.observables))
        object.__setattr__(self, "variants", tuple(Variant(*v) for v in self.variants))
        check_choice(self.mass_scheme, MASS_SCHEMES, where=f"mass scheme of {where}")
        check_names(self.observables, where=f"observables of {where}")
        check_names([self.order], where=f"order of {where}")
        if len(set(self.variants)) != len(self.variants):
            twice = next(v for v in self.variants if self.variants.count(v) > 1)
            msg = f"{where}: the variant '{twice}' stands twice; keep one"
            raise DuplicateNameError(msg)
        masses = check_finite(self.masses, where=f"masses of {where}")
        if len(masses) < 2 or (np.diff(masses) <= 0).any():
            msg = f"{where}: masses {masses.tolist()} found, at least two ascending ones are needed"
            raise InvalidNumberError(msg)
        shape = (len(self.variants), len(masses), len(self.observables))
        bins = check_array(self.bins, (shape[2], 2), where=f"bins of {where}")
        values = check_array(self.cross_sections, shape, where=f"cross sections of {where}")
        errors = check_array(self.mc_errors, shape, where=f"numerical errors of {where}")
        if (values <= 0).any() or (errors < 0).any():
            msg = f"{where}: a cross section is not above 0, or a numerical error below 0; correct the table"
            raise InvalidNumberError(msg)
        common = check_finite(self.correlated_errors, where=f"correlated numerical errors of {where}")
        common = check_shape(common, shape, where=f"correlated numerical errors of {where}") if common.size else common
        if (common < 0).any():
            msg = f"{where}: a correlated numerical error is below 0; correct the table"
            raise InvalidNumberError(msg)
        if not common.any():
            common = check_finite(np.zeros(NO_ERRORS), where=where)
        arrays = (bins, masses, values, errors, common)
        for name, array in zip(("bins", "masses", "cross_sections", "mc_errors", "correlated_errors"), arrays, strict=True):
            object.__setattr__(self, name, array)
        check_names(list(self.rate_errors), where=f"rate errors of {where}", allow_empty=True)
        for name, size in self.rate_errors.items():
            if not 0 < size < 1:
                msg = f"{where}: rate error {name!r} = {size:g} found, allowed is a relative size between 0 and 1"
                raise RangeError(msg)
        object.__setattr__(self, "rate_errors", FrozenMapping(self.rate_errors))

    @property
    def quotable(self) -> bool:
        """Whether results may be quoted, which those of leading order may not."""
        return self.order != LEADING_ORDER

    @property
    def divisors(self) -> FloatArray:
        """Divisors from cross sections to observables: bin widths or 1, shape (B,)."""
        return np.diff(self.bins, axis=1)[:, 0] if self.per_bin_width else np.ones(len(self.bins))

    @cached_property
    def index(self) -> Mapping[Variant, int]:
        """Position of every variant."""
        return {variant: i for i, variant in enumerate(self.variants)}

    def curve(self, variant: Variant) -> FloatArray:
        """Cross sections of one variant in pb, shape (M, B).

        Raises:
            UnknownNameError: the table has no such variant.
        """
        return self.cross_sections[self._position(variant)]

    def numerical_error(self, variant: Variant) -> FloatArray:
        """Numerical errors of one variant in pb, shape (M, B).

        Raises:
            UnknownNameError: the table has no such variant.
        """
        return self.mc_errors[self._position(variant)]

    def correlated_error(self, variant: Variant) -> FloatArray:
        """Correlated numerical errors of one variant in pb, shape (M, B).

        Raises:
            UnknownNameError: the table has no such variant.
        """
        position = self._position(variant)
        return self.correlated_errors[position] if self.correlated_errors.size else np.zeros(self.mc_errors.shape[1:])

    def members(self, pdf_set: str, scale_choice: str) -> tuple[int, ...]:
        """Members of a PDF set in the table at a scale choice with factors 1, ascending."""
        found = {
            v.member for v in self.variants if (v.pdf_set, v.scale_choice, v.mu_r, v.mu_f) == (pdf_set, scale_choice, 1, 1)
        }
        return tuple(sorted(found))

    def _position(self, variant: Variant) -> int:
        position = self.index.get(variant)
        if position is None:
            same = [str(v) for v in self.variants if v.member == 0 and v.mu_r == v.mu_f == 1]
            msg = (
                f"prediction {self.name!r}{f' ({self.table})' if self.table else ''}: no variant '{variant}'; central "
                f"variants are: {'; '.join(same)}"
            )
            raise UnknownNameError(msg)
        return position


class ScalePoint(NamedTuple):
    """Definition of the scale, and factors on mu_R and mu_F."""

    scale_choice: str
    mu_r: float
    mu_f: float

    def __str__(self) -> str:
        return f"scale {self.scale_choice}, mu_R x {self.mu_r:g}, mu_F x {self.mu_f:g}"


@dataclass(frozen=True, kw_only=True)
class ScaleFactors:
    """Factors at P scale points in B bins, the same at every mass and for every PDF.

    Attributes:
        energy_tev: collider energy in TeV.
        bins: lower and upper edges, shape (B, 2), in the unit of the binned variable.
        points: the P scale points.
        values: the factors, shape (P, B), positive.
        errors: their numerical errors, shape (P, B), fully correlated among the points of a bin and independent between
            bins.
        table: name of the file they come from.

    Examples:
        >>> k = ScaleFactors(energy_tev=13, bins=[[0, 1]], points=[("ht2", 1, 1)], values=[[1.4]], errors=[[0.01]])
        >>> str(k.points[0]), k.values.shape
        ('scale ht2, mu_R x 1, mu_F x 1', (1, 1))
    """

    energy_tev: float
    bins: FloatArray
    points: tuple[ScalePoint, ...]
    values: FloatArray
    errors: FloatArray
    table: str = ""

    def __post_init__(self) -> None:
        where = f"factors {self.table}".rstrip()
        points = tuple(ScalePoint(*point) for point in self.points)
        twice = next((point for i, point in enumerate(points) if point in points[:i]), None)
        if twice is not None:
            msg = f"{where}: '{twice}' stands twice; keep one"
            raise DuplicateNameError(msg)
        bins = check_finite(self.bins, where=f"bins of {where}")
        shape = (len(points), len(bins))
        bins = check_shape(bins, (len(bins), 2), where=f"bins of {where}")
        values = check_array(self.values, shape, where=where)
        errors = check_array(self.errors, shape, where=f"errors of {where}")
        if (values <= 0).any() or (errors < 0).any():
            msg = f"{where}: a factor is not above 0, or an error below 0; correct the table"
            raise InvalidNumberError(msg)
        for name, value in (("points", points), ("bins", bins), ("values", values), ("errors", errors)):
            object.__setattr__(self, name, value)


def scaled_prediction(
    prediction: Prediction, factors: ScaleFactors, *, order: str, members_at: str = "", origin: str = ""
) -> Prediction:
    r"""The prediction times the factors, with the masses and PDF sets of the prediction and the scales of the factors.

    .. math:: T_b(m, \mu, \mathrm{PDF}) = L_b(m, \mu, \mathrm{PDF}) K_b(\mu)

    Variants of L at scale choices without factors are left out, as a table has one order only.  Numerical errors of L keep
    their relative sizes and are independent of K; those of K become correlated errors.

    Args:
        prediction: L.
        factors: K, of the same energy and bins.
        order: perturbative order of the product.
        members_at: scale choice at which L holds the PDF members, if it has none at the scale choices of K: the product is
            then the central one times the ratio of member and central member at ``members_at``.
        origin: description of the product, stated in every output.

    Raises:
        InvalidMatrixError: energies or bins differ.
        UnknownNameError: L lacks a scale point of K, or members at ``members_at``.
        OptionError: L has a member at both scale choices.

    Examples:
        >>> import bayescomb as bc
        >>> lo = bc.load("models/ttj_rho").predictions[1]
        >>> k = ScaleFactors(energy_tev=13, bins=lo.bins, points=[("ht2", 1, 1)], values=[[1.4] * 4], errors=[[0.01] * 4])
        >>> nlo = scaled_prediction(lo, k, order="NLO", members_at="mt")
        >>> len(nlo.members("PDF4LHC21_40_pdfas", "ht2")), nlo.order
        (43, 'NLO')
    """
    where = f"prediction {prediction.name!r}"
    if not np.isclose(prediction.energy_tev, factors.energy_tev, rtol=SAME, atol=0.0):
        energies = f"{prediction.energy_tev:g} TeV found, {factors.energy_tev:g} TeV in its factors"
        msg = f"{where}: {energies}; use tables of one energy"
        raise InvalidMatrixError(msg)
    if prediction.bins.shape != factors.bins.shape or not np.allclose(prediction.bins, factors.bins, rtol=SAME, atol=SAME):
        bins = f"bins {prediction.bins.tolist()} found, {factors.bins.tolist()} in its factors"
        msg = f"{where}: {bins}; use tables of the same bins"
        raise InvalidMatrixError(msg)
    found: dict[Variant, tuple[FloatArray, FloatArray, FloatArray]] = {}
    for point, factor, error in zip(factors.points, factors.values, factors.errors, strict=True):
        at = [v for v in prediction.variants if (v.scale_choice, v.mu_r, v.mu_f) == point]
        if not at:
            msg = f"{where}: no variant at '{point}', where there is a factor; leave it out or complete the prediction"
            raise UnknownNameError(msg)
        for variant in at:
            found[variant] = _times(prediction, variant, factor, error, 1.0)
        if members_at and point.mu_r == point.mu_f == 1:
            for variant, ratio in _moved(prediction, members_at, at, where).items():
                found[variant] = _times(prediction, variant._replace(member=0), factor, error, ratio)
    values, errors, correlated = (np.array(part) for part in zip(*found.values(), strict=True))
    return dataclasses.replace(
        prediction,
        order=order,
        variants=tuple(found),
        cross_sections=values,
        mc_errors=errors,
        correlated_errors=correlated,
        origin=origin,
    )


def _times(
    prediction: Prediction, variant: Variant, factor: FloatArray, error: FloatArray, ratio: FloatArray | float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cross sections, independent and correlated numerical errors, shape (M, B) each.

    The correlated errors of L and K are independent of each other; their sum in quadrature is the size of one nuisance.
    """
    value = prediction.curve(variant)
    product = value * factor * ratio
    relative = np.hypot(prediction.correlated_error(variant) / value, error / factor)
    return product, product * prediction.numerical_error(variant) / value, product * relative


def _moved(prediction: Prediction, members_at: str, at: list[Variant], where: str) -> dict[Variant, FloatArray]:
    """Members at the scale choice of ``at`` -> their ratios to the central member at ``members_at``."""
    moved: dict[Variant, FloatArray] = {}
    for central in (v for v in at if v.member == 0):
        source = central._replace(scale_choice=members_at)
        if source not in prediction.index:
            continue
        for member in prediction.members(central.pdf_set, members_at):
            target = central._replace(member=member)
            if member and target in prediction.index:
                msg = f"{where}: member {member} stands at scale {central.scale_choice!r} itself; leave out members_at"
                raise OptionError(msg)
            if member:
                moved[target] = prediction.curve(source._replace(member=member)) / prediction.curve(source)
    if not moved:
        msg = f"{where}: no members at scale {members_at!r}; name the scale choice that has them, or leave out members_at"
        raise UnknownNameError(msg)
    return moved

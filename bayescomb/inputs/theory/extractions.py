"""Extractions of a mass: the predictions, absolute or normalised, and their theory uncertainties."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from bayescomb.base.checks import FrozenMapping, check_choice, check_count, check_finite, check_names
from bayescomb.base.choices import (
    DISTRIBUTIONS,
    PDF_ERRORS,
    SCALE_PRIORS,
    SCALE_TREATMENTS,
    Distribution,
    PdfErrors,
    ScalePrior,
    ScaleTreatment,
)
from bayescomb.base.errors import OptionError, RangeError

__all__ = [
    "SCALE_COEFFICIENT",
    "Extraction",
    "PdfChoice",
    "ScaleChoice",
]

# Name of the sampled correlation of the scales of several energies.
SCALE_COEFFICIENT: Final = "scale_correlation"


@dataclass(frozen=True, kw_only=True)
class PdfChoice:
    """A PDF set and how its members become nuisances, the same ones at every collider energy.

    Attributes:
        set: name of the set in the tables.
        errors: ``"none"``; ``"symmetric_hessian"`` (one member per eigenvector, shift ``X_k - X_0``); ``"hessian"`` (two
            members per eigenvector, shift ``(X_+ - X_-) / 2``); ``"replicas"`` (shift ``(X_k - mean) / sqrt(n - 1)``, whose
            covariance is that of the replicas).
        alpha_s: two members with alpha_s below and above the central value, whose half difference is the shift of a
            nuisance; empty for no such nuisance.
        shifts_at: scale choice at which the relative shifts of the members are taken, if the tables hold the members at
            that choice only; empty for the scale choice of the extraction.
        confidence_level: confidence level of the eigenvectors: 0.68, or e.g. 0.90, for which shifts are divided by 1.645.

    Examples:
        >>> import bayescomb as bc
        >>> bc.PdfChoice(set="PDF4LHC21_40_pdfas", errors="symmetric_hessian", alpha_s=(41, 42)).confidence_level
        0.68
    """

    set: str
    errors: PdfErrors = "none"
    alpha_s: tuple[int, ...] = ()
    shifts_at: str = ""
    confidence_level: float = 0.68

    def __post_init__(self) -> None:
        where = f"PDF set {self.set!r}"
        check_choice(self.errors, PDF_ERRORS, where=f"errors of {where}")
        object.__setattr__(self, "alpha_s", tuple(self.alpha_s))
        if len(self.alpha_s) not in (0, 2):
            msg = f"{where}: alpha_s members {list(self.alpha_s)} found, two are needed (below and above the central value)"
            raise OptionError(msg)
        if not 0.5 < self.confidence_level < 1:
            msg = f"{where}: confidence level {self.confidence_level:g} found, allowed is a number between 0.5 and 1"
            raise RangeError(msg)


@dataclass(frozen=True, kw_only=True)
class ScaleChoice:
    """Renormalisation and factorisation scale.

    Attributes:
        choice: name of the definition of the scale in the tables.
        mu_r, mu_f: factors on it at which the prediction is central.
        treatment: ``"fixed"``; ``"common"`` (log2 of the two factors are parameters, the same at every energy);
            ``"independent"`` (two parameters for every energy); ``"correlated"`` (two parameters for every energy, with a
            sampled correlation coefficient between energies).
        prior: that of log2 of a factor: ``"uniform"`` over [-width, width], or ``"normal"`` of standard deviation ``width``.
        width: see ``prior``, at most 1, as the tables reach factors of 2.
        low, nominal, high: range and nominal value of the correlation coefficient between energies.

    Examples:
        >>> import bayescomb as bc
        >>> bc.ScaleChoice(choice="ht2", treatment="common").prior
        'uniform'
    """

    choice: str
    mu_r: float = 1.0
    mu_f: float = 1.0
    treatment: ScaleTreatment = "fixed"
    prior: ScalePrior = "uniform"
    width: float = 1.0
    low: float = 0.0
    nominal: float = 0.5
    high: float = 1.0

    def __post_init__(self) -> None:
        where = f"scale {self.choice!r}"
        check_choice(self.treatment, SCALE_TREATMENTS, where=f"treatment of {where}")
        check_choice(self.prior, SCALE_PRIORS, where=f"prior of {where}")
        numbers = (self.mu_r, self.mu_f, self.width, self.low, self.nominal, self.high)
        check_finite(numbers, where=where)
        if self.mu_r <= 0 or self.mu_f <= 0:
            msg = f"{where}: factors {self.mu_r:g} and {self.mu_f:g} found, numbers above 0 are needed"
            raise RangeError(msg)
        if not 0 < self.width <= 1:
            msg = f"{where}: width {self.width:g} found, allowed is above 0 to 1, as the tables reach factors of 2"
            raise RangeError(msg)
        if not -1 <= self.low <= self.nominal <= self.high <= 1 or self.low == self.high:
            msg = (
                f"{where}: correlation between energies {self.nominal:g} in [{self.low:g}, {self.high:g}] found, a range "
                "within [-1, 1] that holds the nominal value is needed"
            )
            raise RangeError(msg)
        if self.treatment == "correlated" and abs(self.nominal) == 1:
            msg = f"{where}: nominal correlation {self.nominal:g} found; use treatment 'common' for scales that are the same"
            raise RangeError(msg)
        if self.treatment == "correlated" and self.prior != "normal":
            msg = f"{where}: treatment 'correlated' found with a {self.prior} prior; give prior = \"normal\""
            raise OptionError(msg)
        if self.treatment != "fixed" and (self.mu_r != 1 or self.mu_f != 1):
            msg = f"{where}: factors other than 1 and sampled scales found; keep one of the two"
            raise OptionError(msg)

    @property
    def bound(self) -> float:
        """Largest absolute value of the log2 of a factor that the prior allows."""
        match self.prior:
            case "uniform":
                return self.width
            case "normal":
                return math.inf
        assert_never(self.prior)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """One way to extract the mass.

    Attributes:
        name, title: name, stated in every output, and a line of text.
        distributions: prediction -> ``"absolute"``, ``"normalised"`` (only the shape is compared) or ``"rate"`` (only the
            sum of the bins); other predictions are not used, and neither are measurements of other observables.
        masses: prediction -> name of its mass parameter, by default ``m_t``; two names give two masses, whose difference
            tests the compatibility of the inputs.
        pdf: PDF set and its uncertainty.
        scales: choice and treatment of the scales.
        numerical_errors: whether observables are N(T, Delta) with the numerical errors of the prediction T: one nuisance per
            bin for the independent errors, and another for correlated errors if the table has some.
        rate_errors: whether the rate errors of predictions are nuisances, where the rate is compared.
        degree: degree of the polynomial in m_t through the masses of the table.
        drop: observables that are not compared with the prediction; of a normalised distribution the ratios of the other
            bins remain.  (The result does not depend on which bin of a normalised distribution is the redundant one.)

    Examples:
        >>> import bayescomb as bc
        >>> bc.load("models/ttj_rho").extractions["two_masses"].differences
        (('m_t_ATLAS', 'm_t_CMS'),)
    """

    name: str
    distributions: Mapping[str, Distribution]
    pdf: PdfChoice
    scales: ScaleChoice
    title: str = ""
    masses: Mapping[str, str] = field(default_factory=dict)
    numerical_errors: bool = True
    rate_errors: bool = True
    degree: int = 4
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"extraction {self.name!r}"
        check_names([self.name], where="extraction")
        check_names(list(self.distributions), where=f"predictions of {where}")
        for key, value in self.distributions.items():
            check_choice(value, DISTRIBUTIONS, where=f"distribution of {key!r} in {where}")
        for key in self.masses:
            check_choice(key, list(self.distributions), where=f"masses of {where}")
        object.__setattr__(self, "distributions", FrozenMapping(self.distributions))
        masses = {key: self.masses.get(key, "m_t") for key in self.distributions}
        check_names(list(dict.fromkeys(masses.values())), where=f"masses of {where}")
        object.__setattr__(self, "masses", FrozenMapping(masses))
        object.__setattr__(self, "drop", tuple(self.drop))
        check_names(self.drop, where=f"dropped observables of {where}", allow_empty=True)
        rates = [key for key, value in self.distributions.items() if value == "rate"]
        if rates and self.drop:
            msg = f"{where}: the rate of {rates[0]!r} and dropped observables found; a rate is the sum of all bins"
            raise OptionError(msg)
        energies = len(self.distributions)
        if self.scales.treatment == "correlated" and energies > 1 and self.scales.low * (energies - 1) < -1:
            msg = (
                f"scales of {where}: a correlation down to {self.scales.low:g} between each two of {energies} energies "
                f"found, possible is {-1 / (energies - 1):.3g}"
            )
            raise RangeError(msg)
        check_count(self.degree, least=1, where=f"{where}: degree")

    @property
    def mass_parameters(self) -> tuple[str, ...]:
        """Names of the masses, each once."""
        return tuple(dict.fromkeys(self.masses.values()))

    @property
    def differences(self) -> tuple[tuple[str, str], ...]:
        """Pairs of mass parameters whose difference is reported."""
        masses = self.mass_parameters
        return tuple((first, second) for i, first in enumerate(masses) for second in masses[i + 1 :])

    @property
    def scale_parameters(self) -> tuple[str, ...]:
        """Names of the scale parameters, log2 of the factors, all mu_R first."""
        # One pair for each prediction, transposed.
        pairs = [pair for name in self.distributions if (pair := self.scales_of(name)) is not None]
        return tuple(dict.fromkeys(name for names in zip(*pairs, strict=True) for name in names))

    def scales_of(self, prediction: str) -> tuple[str, str] | None:
        """Names of the scale parameters (mu_R, mu_F) of a prediction, ``None`` with fixed scales."""
        match self.scales.treatment:
            case "fixed":
                return None
            case "common":
                return "log2_mu_R", "log2_mu_F"
            case "independent" | "correlated":
                return f"log2_mu_R {prediction}", f"log2_mu_F {prediction}"
        assert_never(self.scales.treatment)

    def restricted_to(self, predictions: Collection[str]) -> Extraction | None:
        """The extraction with these predictions alone; ``None`` if it uses none of them."""
        left = {key: value for key, value in self.distributions.items() if key in predictions}
        if not left:
            return None
        masses = {key: value for key, value in self.masses.items() if key in left}
        return dataclasses.replace(self, distributions=left, masses=masses)

"""What ``bayescomb check`` says about a model: sizes, blocks, indefinite matrices, feasibility."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayescomb.correlation import correlation_family
from bayescomb.data_information import measurement_factor
from bayescomb.feasibility import EIGENVALUE_TOLERANCE, smallest_eigenvalue
from bayescomb.inputs import Combination
from bayescomb.statements import TOTAL, Statement, feasibility_statements
from bayescomb.threads import single_threaded

__all__ = ["WIDE_RESPONSE", "CheckResult", "IndefiniteBlock", "WidenedInput", "check"]

# A factor 1 + g lambda / x of this size reaches 0 at four sigma, which a sampler visits.
WIDE_RESPONSE = 0.25
# Rounding of an inverted matrix.
WIDTH_TOLERANCE = 1e-9
# Published correlations carry two digits.
ROUNDING = 0.005


@dataclass(frozen=True, kw_only=True)
class IndefiniteBlock:
    """A block that is no correlation matrix at nominal coefficients.

    Attributes:
        label: the block.
        smallest: its smallest eigenvalue.
        negative: number of negative eigenvalues.
        rounding: whether rounding its entries to two digits can explain it: an eigenvalue moves by at most the spectral
            norm of the change, which for entries of at most 0.005 is below 0.005 (n - 1).
    """

    label: str
    smallest: float
    negative: int
    rounding: bool


@dataclass(frozen=True, kw_only=True)
class WidenedInput:
    """A fitted input with constraints above 1, which are kept as they are.

    Attributes:
        measurement: its name.
        constraints: nuisance -> post-fit over prior width, those above 1.
        negative: number of negative eigenvalues of its information without the priors.
    """

    measurement: str
    constraints: dict[str, float]
    negative: int


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Findings about a valid model.

    Attributes:
        combination: the model.
        sizes: counts of its parts.
        indefinite: blocks that are no correlation matrices at nominal coefficients.
        statements: feasibility of the quoted ranges, the total covariance first.
        widened: fitted inputs with nuisances that their fit left wider than the prior.
        wide: nuisances with relative responses so large that their factor can reach 0.
    """

    combination: Combination
    sizes: dict[str, int]
    indefinite: tuple[IndefiniteBlock, ...]
    statements: tuple[Statement, ...]
    widened: tuple[WidenedInput, ...] = ()
    wide: tuple[str, ...] = ()

    @property
    def block_statements(self) -> tuple[Statement, ...]:
        """The statements about blocks, without the one about the total covariance."""
        return tuple(s for s in self.statements if s.label != TOTAL)


@single_threaded
def check(combination: Combination) -> CheckResult:
    """Sizes, indefinite matrices and feasibility of a combination.

    Examples:
        >>> import bayescomb as bc
        >>> [block.label for block in bc.check(bc.load("models/run1_mass")).indefinite if not block.rounding]
        ['btag', 'LHCrad', 'PDF', 'bkgMC']
    """
    family = correlation_family(combination)
    correlation = family.correlation(family.nominal)
    indefinite = []
    for block in family.blocks:
        matrix = correlation[np.ix_(block.nuisances, block.nuisances)]
        smallest = smallest_eigenvalue(matrix)
        if smallest < -EIGENVALUE_TOLERANCE:
            negative = int((np.linalg.eigvalsh(matrix) < -EIGENVALUE_TOLERANCE).sum())
            rounding = smallest > -ROUNDING * (len(matrix) - 1)
            indefinite.append(IndefiniteBlock(label=block.label, smallest=smallest, negative=negative, rounding=rounding))
    return CheckResult(
        combination=combination,
        sizes={
            "measurements": len(combination.measurements),
            "estimates": len(combination.estimates),
            "observables": len(combination.observables),
            "sources": len(combination.sources),
            "nuisances": len(combination.nuisances),
            "coefficients": len(family.coefficients),
            "coefficients with a range": sum(c.varied for c in family.coefficients),
            "blocks": sum(len(b.nuisances) > 1 for b in family.blocks),
        },
        indefinite=tuple(indefinite),
        statements=feasibility_statements(combination),
        widened=tuple(_widened(combination)),
        wide=tuple(_wide(combination)),
    )


def _wide(combination: Combination) -> Iterator[str]:
    for measurement in combination.measurements:
        values = np.array([e.value for e in measurement.estimates])[:, None]
        sizes = np.max([np.abs(part) for part in measurement.all_responses], axis=0) / np.where(
            values == 0, 1.0, np.abs(values)
        )
        for nuisance, size in zip(measurement.all_nuisances, sizes.T, strict=True):
            if nuisance.response == "relative" and size.max() > WIDE_RESPONSE:
                yield nuisance.name


def _widened(combination: Combination) -> Iterator[WidenedInput]:
    for measurement in combination.measurements:
        if measurement.fit is None:
            continue
        factor = measurement_factor(measurement, nuisance_values=combination.nuisance_values)
        widths = np.sqrt(np.diag(np.linalg.inv(measurement.fit.information)))[len(measurement.estimates) :]
        above = {
            n.name: float(width)
            for n, width in zip(measurement.fit.nuisances, widths, strict=True)
            if not n.free and width > 1 + WIDTH_TOLERANCE
        }
        negative = int((factor.signs < 0).sum())
        if above or negative:
            yield WidenedInput(measurement=measurement.name, constraints=above, negative=negative)

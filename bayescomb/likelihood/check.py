"""Findings of ``bayescomb check`` about a model: sizes, blocks, indefinite matrices, feasibility."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.base.checks import expects
from bayescomb.base.numerics import single_threaded
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import CorrelationFamily, correlation_family, indefinite_blocks
from bayescomb.likelihood.data_information import measurement_factor
from bayescomb.likelihood.feasibility import EIGENVALUE_TOLERANCE
from bayescomb.likelihood.feasible_ranges import TOTAL, Statement, feasibility_statements
from bayescomb.likelihood.look_alikes import LookAlike, look_alikes

__all__ = ["WIDE_RESPONSE", "CheckResult", "EstimateRow", "IndefiniteBlock", "SourceRow", "WidenedInput", "check"]

# Pair of nuisances -> the coefficients that act on it.
Stated = dict[frozenset[int], list[int]]
# Pairs of nuisances -> text about their correlations.
Description = Callable[[Sequence[tuple[int, int]]], str]

# A factor 1 + g lambda / x of this size reaches 0 at four sigma, which a sampler visits.
WIDE_RESPONSE = 0.25
# Rounding of an inverted matrix.
WIDTH_TOLERANCE = 1e-9
# Coefficients named on one line.
MAX_COEFFICIENTS = 4
# Published correlations carry two digits.
ROUNDING = 0.005


@dataclass(frozen=True, kw_only=True)
class IndefiniteBlock:
    """A block that is not a correlation matrix at nominal coefficients.

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
class EstimateRow:
    """An estimate as it was read, in its own unit.

    Attributes:
        name, measurement, experiment: of the estimate.
        value: measured value.
        stat: uncertainty with the nuisances held.
        total: uncertainty with all nuisances, at nominal coefficients; a two-sided shift counts with its mean size.
    """

    name: str
    measurement: str
    experiment: str
    value: float
    stat: float
    total: float


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """How one source of one experiment is correlated, as it was read.

    Attributes:
        source: name of the source; empty for nuisances without one.
        experiment: experiment of the measurements that have it.
        inside: the correlation between its nuisances there.
        across: the correlation with those of other experiments.
    """

    source: str
    experiment: str
    inside: str
    across: str


@dataclass(frozen=True, kw_only=True, repr=False)
class CheckResult(Shown):
    """Findings about a valid model.

    Attributes:
        combination: the model.
        sizes: counts of its parts.
        indefinite: blocks that are not correlation matrices at nominal coefficients.
        statements: feasibility of the quoted ranges, the total covariance first.
        widened: fitted inputs with nuisances that their fit left wider than the prior.
        wide: nuisances with relative responses so large that their factor can reach 0.
        estimates: the estimates as read.
        correlations: one row per source and experiment: the correlations as read, or 0 where the inputs state none.
        look_alikes: pairs of nuisances of different inputs with similar names and no stated correlation.
    """

    combination: Combination
    sizes: dict[str, int]
    indefinite: tuple[IndefiniteBlock, ...]
    statements: tuple[Statement, ...]
    widened: tuple[WidenedInput, ...] = ()
    wide: tuple[str, ...] = ()
    estimates: tuple[EstimateRow, ...] = ()
    correlations: tuple[SourceRow, ...] = ()
    look_alikes: tuple[LookAlike, ...] = ()

    def _line(self) -> str:
        sizes = ", ".join(counted(self.sizes[key], key) for key in ("estimates", "sources", "coefficients"))
        return f"{self.combination.name}: {sizes}, {len(self.indefinite)} indefinite"

    @property
    def block_statements(self) -> tuple[Statement, ...]:
        """The statements about blocks, without the one about the total covariance."""
        return tuple(s for s in self.statements if s.label != TOTAL)


@expects(combination="combination")
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
    for block, smallest in indefinite_blocks(family.blocks, correlation):
        matrix = correlation[np.ix_(block.nuisances, block.nuisances)]
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
            "coefficients with a range": len(family.varied),
            "blocks": sum(len(b.nuisances) > 1 for b in family.blocks),
        },
        indefinite=tuple(indefinite),
        statements=feasibility_statements(combination),
        widened=tuple(_widened(combination)),
        wide=tuple(_wide(combination)),
        estimates=tuple(_estimates(combination, family, correlation)),
        correlations=tuple(_correlations(combination, family, correlation)),
        look_alikes=look_alikes(combination, _related(family, correlation)),
    )


def _estimates(combination: Combination, family: CorrelationFamily, correlation: FloatArray) -> Iterator[EstimateRow]:
    position = {name: i for i, name in enumerate(family.nuisances)}
    for m in combination.measurements:
        n = len(m.estimates)
        if m.fit is None:
            assert m.statistical_covariance is not None  # a measurement has either a fit or a covariance
            statistical = total = np.diag(m.statistical_covariance)
        else:
            statistical = np.diag(np.linalg.inv(m.fit.information[:n, :n]))
            total = np.diag(np.linalg.inv(m.fit.information))[:n]
        up, down = m.two_sided_responses
        bound = [i for i, nuisance in enumerate(m.nuisances) if not nuisance.free]
        index = [position[m.nuisances[i].name] for i in bound]
        shifts = ((up - down) / 2)[:, bound]
        total = total + np.einsum("en,nm,em->e", shifts, correlation[np.ix_(index, index)], shifts)
        asymmetric = np.array([m.nuisances[i].statistical for i in bound], dtype=bool)
        statistical = statistical + (shifts[:, asymmetric] ** 2).sum(axis=1)
        for estimate, stat, variance in zip(m.estimates, statistical, total, strict=True):
            yield EstimateRow(
                name=estimate.name,
                measurement=m.name,
                experiment=m.experiment,
                value=estimate.value,
                stat=float(np.sqrt(stat)),
                total=float(np.sqrt(max(variance, 0.0))),
            )


def _correlations(combination: Combination, family: CorrelationFamily, correlation: FloatArray) -> Iterator[SourceRow]:
    """Sources in the order of the model, each in its experiments."""
    position = {name: i for i, name in enumerate(family.nuisances)}
    members: dict[tuple[str, str], list[int]] = {}
    experiment_of = np.full(len(position), "", dtype=object)
    shifted = np.zeros(len(position), dtype=int)
    for m in combination.measurements:
        for nuisance, shift in zip(m.all_nuisances, (np.abs(m.all_responses).max(axis=0) > 0).sum(axis=0), strict=True):
            if nuisance.free:
                continue
            i = position[nuisance.name]
            experiment_of[i], shifted[i] = m.experiment, shift
            if shift or m.fit is not None:  # a budget has a nuisance of size 0 where a source does not apply
                members.setdefault((nuisance.source, m.experiment), []).append(i)
    stated = _stated(family)
    described = partial(_described, family, correlation, stated)
    linked = correlation != 0
    for pair in stated:
        first, second = min(pair), max(pair)
        linked[first, second] = linked[second, first] = True
    order = {s.name: i for i, s in enumerate(combination.sources)}
    for (source, experiment), index in sorted(members.items(), key=lambda item: order.get(item[0][0], len(order))):
        others = np.flatnonzero((experiment_of != experiment) & (shifted > 0))
        partners = others[linked[np.ix_(index, others)].any(axis=0)]
        yield SourceRow(
            source=source,
            experiment=experiment,
            inside=_inside(described, index, shifted),
            across=_across(
                described, index, {e: partners[experiment_of[partners] == e] for e in experiment_of[partners]}, linked
            ),
        )


def _inside(described: Description, index: list[int], shifted: NDArray[np.int_]) -> str:
    if len(index) == 1:
        count = int(shifted[index[0]])
        return "one estimate" if count < 2 else f"one nuisance, common to its {count} estimates"
    first, second = np.triu_indices(len(index), 1)
    pairs = list(zip(np.array(index)[first], np.array(index)[second], strict=True))
    return f"{len(index)} nuisances, {described(pairs)}"


def _across(described: Description, index: list[int], partners: dict[str, IntArray], linked: BoolArray) -> str:
    """The stated correlations by experiment; pairs of nuisances without one are not listed."""
    found = []
    for experiment, others in partners.items():
        pairs = [(i, j) for i in index for j in others if linked[i, j]]
        if pairs:
            found.append(f"with {experiment or 'no experiment'} {described(pairs)}")
    return ", ".join(found) or "uncorrelated with others"


def _described(family: CorrelationFamily, correlation: FloatArray, stated: Stated, pairs: Sequence[tuple[int, int]]) -> str:
    """The correlations of some pairs: coefficients by name with their range, fixed ones by their values."""
    acting = dict.fromkeys(c for pair in pairs for c in stated.get(frozenset(pair), ()))
    texts = []
    for c in acting:
        coefficient = family.coefficients[c]
        limits = f" in [{coefficient.low:g}, {coefficient.high:g}]" if coefficient.varied else ""
        texts.append(f"{coefficient.name} = {coefficient.nominal:g}{limits}")
    if len(texts) > MAX_COEFFICIENTS:
        texts[MAX_COEFFICIENTS - 1 :] = [f"{len(texts) - MAX_COEFFICIENTS + 1} more coefficients"]
    fixed = np.array([correlation[i, j] for i, j in pairs if frozenset((i, j)) not in stated])
    if fixed.size:
        low, high = fixed.min(), fixed.max()
        same = "uncorrelated" if low == high == 0 else f"correlated by {low:g}"
        texts.append(same if low == high else f"correlated by {low:g} to {high:g}")
    return " and ".join(texts)


def _stated(family: CorrelationFamily) -> Stated:
    """Pair of nuisances -> the coefficients that act on it."""
    found: dict[frozenset[int], list[int]] = {}
    for c, (first, second, _) in enumerate(family.pairs):
        for i, j in zip(first, second, strict=True):
            found.setdefault(frozenset((int(i), int(j))), []).append(c)
    return found


def _related(family: CorrelationFamily, correlation: FloatArray) -> set[frozenset[str]]:
    """Names of the pairs whose correlation a coefficient or a fixed block states."""
    pairs = {frozenset(map(int, pair)) for pair in zip(*np.nonzero(np.triu(correlation, 1)), strict=True)}
    return {frozenset(family.nuisances[i] for i in pair) for pair in pairs | _stated(family).keys()}


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

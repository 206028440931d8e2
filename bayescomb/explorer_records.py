"""What the assumption explorer is given, as records of plain lists, numbers and strings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bayescomb.explorer_theory import ExplorerTheory

__all__ = [
    "ExplorerBlock",
    "ExplorerCoefficient",
    "ExplorerMeasurement",
    "ExplorerModel",
    "ExplorerSet",
    "ExplorerSwitch",
    "Pairs",
]

Matrix = list[list[float]]
Pairs = list[tuple[int, int, float]]


@dataclass(frozen=True, kw_only=True)
class ExplorerMeasurement:
    """One input: R rows, E estimates, F free nuisances, n kept and m integrated ones.

    Attributes:
        name, experiment: for people.
        estimates: positions of its estimates in those of the model.
        free: names of its free nuisances.
        free_externalised: which of them are outside of the input's own fit.
        kept: positions of its kept nuisances in those of the model.
        integrated: source of each integrated nuisance.
        design: rows by estimate, shape (R, E).
        free_design: rows by free nuisance, shape (R, F).
        free_responses: of the estimates to the externalised free nuisances, shape (E, .).
        loading: shape (R, n).
        integrated_loading: shape (R, m).
        total: whether that is a total covariance, of which no part is known to be statistical.
        statistical: covariance of the rows without any nuisance, shape (R, R).
        noise: the same with the integrated nuisances, shape (R, R).
        negative: number of negative eigenvalues of ``noise``: directions of negative information.
        derivative: of the offset by the measured values, shape (R, E).
        offset: shape (R,).
        constant: part of chi2 that nothing changes.
    """

    name: str
    experiment: str
    estimates: list[int]
    free: list[str]
    free_externalised: list[bool]
    kept: list[int]
    integrated: list[str]
    design: Matrix
    free_design: Matrix
    free_responses: Matrix
    loading: Matrix
    integrated_loading: Matrix
    total: bool
    statistical: Matrix
    noise: Matrix
    negative: int
    derivative: Matrix
    offset: list[float]
    constant: float


@dataclass(frozen=True, kw_only=True)
class ExplorerCoefficient:
    """One slider; ``pairs`` are (nuisance, nuisance, sign), ``varied`` tells whether it has a range."""

    name: str
    title: str
    source: str
    nominal: float
    low: float
    high: float
    varied: bool
    prior: str
    pairs: Pairs


@dataclass(frozen=True, kw_only=True)
class ExplorerBlock:
    """Label of the block that consists of these nuisances."""

    label: str
    nuisances: list[int]


@dataclass(frozen=True, kw_only=True)
class ExplorerSwitch:
    """What a source (or coefficient of a source that is not one nuisance per estimate) is when its pairs are set alike."""

    name: str
    title: str
    pairs: Pairs


@dataclass(frozen=True, kw_only=True)
class ExplorerSet:
    """One assumption set: ``base`` are the off-diagonal entries of C_0 as (nuisance, nuisance, value)."""

    name: str
    description: str
    coefficients: list[ExplorerCoefficient]
    base: Pairs
    blocks: list[ExplorerBlock]
    switches: list[ExplorerSwitch]


@dataclass(frozen=True, kw_only=True)
class ExplorerModel:
    """A combination as plain data.

    Attributes:
        name, title: for people.
        observables, estimates, sources: what they are, as mappings.
        design: from observables to estimates, shape (E, O).
        nuisances: the kept ones: name and source of each.
        measurements: the inputs.
        sets: all assumption sets.
        assumptions, treatment, repair: those in force, with which the page opens.
        pulls: whether the inputs' own pulls cost chi2, which is taken off.
        theory: the extraction in force, ``None`` in combination mode.
    """

    name: str
    title: str
    observables: list[dict[str, Any]]
    estimates: list[dict[str, Any]]
    sources: list[dict[str, str]]
    design: Matrix
    nuisances: list[dict[str, str]]
    measurements: list[ExplorerMeasurement]
    sets: list[ExplorerSet]
    assumptions: str
    treatment: str
    repair: str
    pulls: bool
    theory: ExplorerTheory | None

    def as_data(self) -> dict[str, Any]:
        """Plain lists, numbers and strings."""
        return asdict(self)

"""Data of the assumption explorer: records of plain lists, numbers and strings.

A prediction is stated by the coefficients of its polynomials, not by its tables.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bayescomb.inputs.combination import Combination
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.theory import scale_correlation, theory

__all__ = [
    "ExplorerBlock",
    "ExplorerCoefficient",
    "ExplorerMeasurement",
    "ExplorerModel",
    "ExplorerPrediction",
    "ExplorerSet",
    "ExplorerSwitch",
    "ExplorerTheory",
    "Pairs",
    "explorer_theory",
]

Matrix = list[list[float]]
Pairs = list[tuple[int, int, float]]


@dataclass(frozen=True, kw_only=True)
class ExplorerMeasurement:
    """One input: R rows, E estimates, F free nuisances, n kept and m integrated ones.

    Attributes:
        name, experiment: for readers.
        estimates: positions of its estimates in those of the model.
        free: names of its free nuisances.
        free_externalised: whether each of them is outside of the input's own fit.
        kept: positions of its kept nuisances in those of the model.
        integrated: source of each integrated nuisance.
        design: rows by estimate, shape (R, E).
        free_design: rows by free nuisance, shape (R, F).
        free_responses: of the estimates to the externalised free nuisances, shape (E, number of these).
        loading: shape (R, n).
        integrated_loading: shape (R, m).
        total: whether ``statistical`` is a total covariance, whose statistical part is not known.
        statistical: covariance of the rows without any nuisance, shape (R, R).
        noise: covariance of the rows with the integrated nuisances, shape (R, R).
        negative: number of negative eigenvalues of ``noise``: directions of negative information.
        derivative: of the offset by the measured values, shape (R, E).
        offset: shape (R,).
        constant: part of chi2 that no setting changes.
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
    """Pairs that can be set alike: those of a source, or of a coefficient if a source has several nuisances per estimate."""

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
        name, title: for readers.
        observables, estimates, sources: name, title and further properties of each.
        design: from observables to estimates, shape (E, O).
        nuisances: name and source of each kept one.
        measurements: the inputs.
        sets: all assumption sets.
        assumptions, treatment, repair: in force when the page opens.
        pulls: whether the inputs' own pulls add to chi2; the page subtracts this part.
        theory: the extraction in force, ``None`` in combination mode.
        bases: set -> the set of the model file from which it differs in nominal values only.
        extraction: value of the option ``--extraction``; empty for a model without extractions.
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
    bases: dict[str, str]
    extraction: str

    def as_data(self) -> dict[str, Any]:
        """Plain lists, numbers and strings."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ExplorerPrediction:
    """One predicted distribution of B bins; D powers of the mass, K theory nuisances.

    Attributes:
        name: of the prediction.
        observables: positions of its bins, length B.
        kept: whether a bin is compared with the data.
        divisors: from observable to the cross section of the prediction.
        normalised: whether only the shape is used.
        mass: position of its mass among the masses.
        scales: positions of log2 of its two scale factors among the scales, empty with fixed scales.
        low, high: masses of the table, GeV.
        centre, half_width: of the mass in the polynomials, GeV.
        base: shape (D, B).
        scale_response: shape (6, D, B), empty with fixed scales.
        shifts: shape (D, K, B).
    """

    name: str
    observables: list[int]
    kept: list[bool]
    divisors: list[float]
    normalised: bool
    mass: int
    scales: list[int]
    low: float
    high: float
    centre: float
    half_width: float
    base: Any
    scale_response: Any
    shifts: Any


@dataclass(frozen=True, kw_only=True)
class ExplorerTheory:
    """The extraction in force.

    Attributes:
        name, title: of the extraction.
        masses, scales: names of the parameters.
        mass_title: scheme of the mass, for readers.
        width: half width or standard deviation of the prior of the scales.
        scale_base, scale_pattern: correlation of their normal prior = base + coefficient * pattern, shape (S, S) each; no
            rows for a uniform prior.
        scale_coefficient: name of this coefficient; empty if the scales have none.
        nuisances, sources: names and sources of the K theory nuisances.
        predictions: the distributions.
    """

    name: str
    title: str
    mass_title: str
    masses: list[str]
    scales: list[str]
    width: float
    scale_base: list[list[float]]
    scale_pattern: list[list[float]]
    scale_coefficient: str
    nuisances: list[str]
    sources: list[str]
    predictions: list[ExplorerPrediction]


def explorer_theory(combination: Combination) -> ExplorerTheory | None:
    """The prediction of the extraction in force, ``None`` in combination mode.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.explorer.records import explorer_theory
        >>> found = explorer_theory(bc.load("models/ttj_rho", extraction="normalised"))
        >>> found.masses, [len(p.observables) for p in found.predictions], len(found.nuisances)
        (['m_t'], [8, 4], 53)
    """
    compiled = theory(combination)
    if compiled is None:
        return None
    extraction = compiled.extraction
    position = {o.name: i for i, o in enumerate(combination.observables)}
    base = scale_correlation(extraction, 0.0)
    predictions, start, n_masses = [], 0, len(compiled.masses)
    for prediction in compiled.predictions:
        own = slice(start, start + len(prediction.observables))
        start = own.stop
        scales = compiled.scale_index[own.start]
        predictions.append(
            ExplorerPrediction(
                name=prediction.name,
                observables=[position[name] for name in prediction.observables],
                kept=[name not in extraction.drop for name in prediction.observables],
                divisors=np.asarray(prediction.divisors, dtype=float).tolist(),
                normalised=extraction.distributions[prediction.name] == "normalised",
                mass=int(compiled.mass_index[own.start]),
                scales=[int(i) - n_masses for i in scales if i >= 0],
                low=float(prediction.masses[0]),
                high=float(prediction.masses[-1]),
                centre=float(compiled.centre[own.start]),
                half_width=float(compiled.half_width[own.start]),
                base=compiled.base[:, own].tolist(),
                scale_response=compiled.scale_response[:, :, own].tolist() if compiled.scales else [],
                shifts=compiled.shifts[:, :, own].tolist(),
            )
        )
    return ExplorerTheory(
        name=extraction.name,
        title=extraction.title,
        mass_title=combination.results[0].title,
        masses=list(compiled.masses),
        scales=list(compiled.scales),
        width=float(extraction.scales.width),
        scale_base=base.tolist(),
        scale_pattern=(scale_correlation(extraction, 1.0) - base).tolist(),
        scale_coefficient=SCALE_COEFFICIENT if extraction.scales.treatment == "correlated" else "",
        nuisances=list(compiled.nuisances),
        sources=[compiled.sources[name] for name in compiled.nuisances],
        predictions=predictions,
    )

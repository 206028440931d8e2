"""The prediction of an extraction as plain data for the explorer: polynomial coefficients, not tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescomb.extractions import SCALE_COEFFICIENT
from bayescomb.inputs import Combination
from bayescomb.theory import scale_correlation, theory

__all__ = ["ExplorerPrediction", "ExplorerTheory", "explorer_theory"]


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
        mass_title: scheme of the mass, for people.
        width: half width or standard deviation of the prior of the scales.
        scale_base, scale_pattern: correlation of their normal prior = base + coefficient * pattern, shape (S, S) each; no
            rows for a uniform prior.
        scale_coefficient: name of this coefficient; empty if the scales have none.
        nuisances, sources: names of the K theory nuisances, and what each comes from.
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
        >>> from bayescomb.explorer_theory import explorer_theory
        >>> found = explorer_theory(bc.load("models/ttj_rho"))
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

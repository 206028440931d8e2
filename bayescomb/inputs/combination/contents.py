"""What a combination consists of, and what follows from it without a calculation.

The checks (:mod:`.checks`) and the parts of a combination (:mod:`.parts`) are written for this, and
:class:`bayescomb.Combination` is this with both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.choices import Chi2Form, NuisanceValues, RepairKind, Treatment
from bayescomb.inputs.assumptions import AssumptionSet
from bayescomb.inputs.formulas import Curve
from bayescomb.inputs.formulas.quantities import Quantities, quantities
from bayescomb.inputs.measurements import Estimate, LikelihoodTable, Measurement, Nuisance, estimate_slices
from bayescomb.inputs.observables import Blinding, ErrorOnError, Observable, Provenance, Source
from bayescomb.inputs.parameters import Parameter
from bayescomb.inputs.theory.extractions import Extraction
from bayescomb.inputs.theory.predictions import Prediction

__all__ = ["STATISTICS_GROUP", "Contents"]

STATISTICS_GROUP: Final = "stat"


@dataclass(frozen=True, kw_only=True, repr=False)
class Contents:
    """Fields of a combination, see :class:`bayescomb.Combination`, and their properties."""

    name: str
    measurements: tuple[Measurement, ...]
    observables: tuple[Observable, ...]
    assumption_sets: Mapping[str, AssumptionSet]
    assumptions: str
    treatment: Treatment = "nuisance"
    repair: RepairKind = "none"
    sources: tuple[Source, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    title: str = ""
    chi2: Chi2Form = "neyman"
    nuisance_values: NuisanceValues = "used"
    normalise: bool = False
    impact_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    predictions: tuple[Prediction, ...] = ()
    extractions: Mapping[str, Extraction] = field(default_factory=dict)
    extraction: str = ""
    errors_on_errors: Mapping[str, ErrorOnError] = field(default_factory=dict)
    nonnegative: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    derived: tuple[Observable, ...] = ()
    curves: tuple[Curve, ...] = ()
    blinding: Blinding | None = None

    @cached_property
    def quantities(self) -> Quantities:
        """What is fitted, and what follows from it."""
        where = f"combination {self.name!r}"
        return quantities(self.parameters, self.observables, self.derived, curves=self.curves, where=where)

    @property
    def variables(self) -> tuple[Observable, ...]:
        """What is fitted: parameters and observables without a formula."""
        return self.quantities.variables

    @property
    def functions(self) -> tuple[Observable, ...]:
        """What follows from the variables: observables with a formula and derived quantities."""
        return self.quantities.functions

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Ends of the ranges of variables that have any: of observables above 0, of priors, and of curves of a variable."""
        found = {name: (0.0, float("inf")) for name in self.nonnegative}
        priors = {p.name: p.prior.bounds for p in self.parameters if p.prior is not None}
        found |= {name: ends for name, ends in priors.items() if np.isfinite(ends).any()}
        for name, (low, high) in self.quantities.curve_ends.items():
            own_low, own_high = found.get(name, (-np.inf, np.inf))
            found[name] = max(low, own_low), min(high, own_high)
        return found

    @property
    def boundable(self) -> tuple[str, ...]:
        """Names of the observables that can be held at 0 and above: all but spectators and those with a formula."""
        return tuple(o.name for o in self.observables if not o.spectator and not o.formula)

    @property
    def boxed(self) -> bool:
        """Whether a variable has a range other than 0 and above."""
        return any(ends != (0.0, float("inf")) for ends in self.bounds.values())

    @property
    def blinded(self) -> str:
        """``" BLINDED"`` behind the name where central values are hidden, else nothing."""
        return "" if self.blinding is None else " BLINDED"

    @property
    def quadratic(self) -> bool:
        """Whether chi2 is quadratic in observables and nuisances, so that everything is closed form."""
        return not self.curved_terms and not self.curved_maps and not self.tabulated

    @property
    def curved_terms(self) -> bool:
        """Whether responses are curved, or weights follow the prediction as Pearson's do."""
        return self.chi2 != "neyman" or self.curved_responses

    @property
    def curved_responses(self) -> bool:
        """Whether a nuisance has a response with a kink, a relative one, or shifts what a likelihood table is about."""
        curved = any(n.response != "absolute" for n in self.nuisances)
        shifted = any(m.responses[list(m.tables)].any() for m in self.measurements)
        return curved or shifted or any(m.down_responses is not None for m in self.measurements)

    @property
    def tabulated(self) -> bool:
        """Whether an estimate has a table of points as its likelihood."""
        return bool(self.tables)

    @property
    def tables(self) -> dict[int, LikelihoodTable]:
        """Position of an estimate -> its likelihood, of those whose likelihood is a table."""
        return {i: e.likelihood for i, e in enumerate(self.estimates) if e.likelihood is not None}

    @cached_property
    def curved_maps(self) -> bool:
        """Whether an estimate measures what is no linear function of the variables."""
        return bool(self.quantities.curved([e.observables for e in self.estimates])[0])

    @property
    def linear(self) -> bool:
        """Whether the results are linear in the measured values: no curved chi2, nothing divided by a sum, no bounds."""
        return self.quadratic and not self.normalise and not self.bounds

    @property
    def parabolic(self) -> bool:
        """Whether chi2 is a parabola along every result, so that errors are the same up and down."""
        return self.quadratic and self.quantities.linear and not self.bounds and not self.extraction

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """All estimates, in the order of the measurements."""
        return tuple(e for m in self.measurements for e in m.estimates)

    @property
    def estimate_slices(self) -> tuple[slice, ...]:
        """Where the estimates of each measurement are among all of them."""
        return estimate_slices(self.measurements)

    @property
    def nuisances(self) -> tuple[Nuisance, ...]:
        """All nuisances, in the order of the measurements, those of a fit first."""
        return tuple(n for m in self.measurements for n in m.all_nuisances)

    @property
    def design(self) -> FloatArray:
        """Linear map from variables to estimates, shape (n_estimates, n_variables); 0 for what is curved."""
        return self._linear_map[0]

    @cached_property
    def observable_map(self) -> FloatArray:
        """Linear map from observables to estimates as stated, shape (n_estimates, n_observables)."""
        return np.array([[e.observables.get(o.name, 0.0) for o in self.observables] for e in self.estimates], dtype=float)

    @property
    def constant(self) -> FloatArray:
        """What the estimates are where all variables are 0, by formulas that are linear, shape (n_estimates,)."""
        return self._linear_map[1]

    @cached_property
    def _linear_map(self) -> tuple[FloatArray, FloatArray]:
        return self.quantities.rows([e.observables for e in self.estimates])

    @property
    def assumption_set(self) -> AssumptionSet:
        """The assumption set in force."""
        return self.assumption_sets[self.assumptions]

    @property
    def extraction_in_force(self) -> Extraction | None:
        """The extraction in force, ``None`` in combination mode."""
        return self.extractions[self.extraction] if self.extraction else None

    @property
    def predictions_in_use(self) -> tuple[Prediction, ...]:
        """The predictions of the extraction in force; none in combination mode."""
        extraction = self.extraction_in_force
        return self.predictions_of(extraction) if extraction else ()

    def predictions_of(self, extraction: Extraction) -> tuple[Prediction, ...]:
        """The predictions that an extraction uses, in the order of the combination."""
        return tuple(p for p in self.predictions if p.name in extraction.distributions)

    @property
    def results(self) -> tuple[Observable, ...]:
        """What is reported: parameters, observables and derived quantities.

        With an extraction its masses, their differences and scales come before them.
        """
        extraction = self.extraction_in_force
        parameters = self.variables[: len(self.parameters)]
        return (*(self.extracted(extraction) if extraction else ()), *parameters, *self.observables, *self.derived)

    @property
    def headline(self) -> tuple[Observable, ...]:
        """What a summary shows: masses and their differences if a mass is extracted, else all results."""
        extraction = self.extraction_in_force
        if extraction is None:
            return self.results
        masses = self.extracted(extraction)[: len(extraction.mass_parameters) + len(extraction.differences)]
        return (*masses, *self.derived)

    def extracted(self, extraction: Extraction) -> tuple[Observable, ...]:
        """What an extraction adds to the results: masses, their differences and scales."""
        schemes = {extraction.masses[p.name]: p.mass_scheme for p in self.predictions if p.name in extraction.masses}
        masses = [Observable(name=m, unit="GeV", title=f"top-quark {schemes[m]} mass") for m in extraction.mass_parameters]
        masses += [
            Observable(name=f"{first} - {second}", unit="GeV", title="difference of the masses")
            for first, second in extraction.differences
        ]
        scales = [Observable(name=name, title=f"{name}: factor on the scale") for name in extraction.scale_parameters]
        return (*masses, *scales)

"""Fields of a combination and their properties.

The functions of :mod:`.checks` and :mod:`.parts` take this class; :class:`bayescomb.Combination` adds both to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, assert_never

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
        """Variables, functions and formulas of the combination."""
        where = f"combination {self.name!r}"
        return quantities(self.parameters, self.observables, self.derived, curves=self.curves, where=where)

    @property
    def variables(self) -> tuple[Observable, ...]:
        """Fitted quantities: parameters and observables without a formula."""
        return self.quantities.variables

    @property
    def functions(self) -> tuple[Observable, ...]:
        """Quantities computed from the variables: observables with a formula and derived quantities."""
        return self.quantities.functions

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Variable -> ends of its range, if ``nonnegative``, its prior or a curve of it states any."""
        found = {name: (0.0, float("inf")) for name in self.nonnegative}
        priors = {p.name: p.prior.bounds for p in self.parameters if p.prior is not None}
        found |= {name: ends for name, ends in priors.items() if np.isfinite(ends).any()}
        for name, (low, high) in self.quantities.curve_ends.items():
            own_low, own_high = found.get(name, (-np.inf, np.inf))
            found[name] = max(low, own_low), min(high, own_high)
        return found

    @property
    def boundable(self) -> tuple[str, ...]:
        """Names of the observables that can have the bound 0: all but spectators and those with a formula."""
        return tuple(o.name for o in self.observables if not o.spectator and not o.formula)

    @property
    def boxed(self) -> bool:
        """Whether a variable has a range other than 0 and above."""
        return any(ends != (0.0, float("inf")) for ends in self.bounds.values())

    @property
    def blinded(self) -> str:
        """``" BLINDED"`` to append to the name where central values are hidden, else empty."""
        return "" if self.blinding is None else " BLINDED"

    @property
    def pearson(self) -> bool:
        """Whether the statistical covariance grows with the prediction."""
        match self.chi2:
            case "neyman":
                return False
            case "pearson":
                return True
        assert_never(self.chi2)

    @property
    def quadratic(self) -> bool:
        """Whether chi2 is quadratic in observables and nuisances, so that the fit has a closed form."""
        return not self.curved_terms and not self.curved_maps and not self.tabulated

    @property
    def curved_terms(self) -> bool:
        """Whether responses are curved, or the statistical covariance depends on the prediction."""
        return self.pearson or self.curved_responses

    @property
    def curved_responses(self) -> bool:
        """Whether a response has a kink, is relative or lognormal, or shifts an estimate with a likelihood table."""
        curved = any(n.multiplicative for n in self.nuisances)
        shifted = any(m.responses[list(m.tables)].any() for m in self.measurements)
        return curved or shifted or any(m.down_responses is not None for m in self.measurements)

    @property
    def tabulated(self) -> bool:
        """Whether an estimate has a table of points as its likelihood."""
        return bool(self.tables)

    @property
    def tables(self) -> dict[int, LikelihoodTable]:
        """Position of an estimate -> its likelihood table, for estimates that have one."""
        return {i: e.likelihood for i, e in enumerate(self.estimates) if e.likelihood is not None}

    @cached_property
    def curved_maps(self) -> bool:
        """Whether an estimate measures a function of the variables that is not linear."""
        return bool(self.quantities.curved([e.observables for e in self.estimates])[0])

    @property
    def linear(self) -> bool:
        """Whether the results are linear in the measured values: quadratic chi2, no division by a sum, no bounds."""
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
        """Slice of the estimates of each measurement within all estimates."""
        return estimate_slices(self.measurements)

    @property
    def nuisances(self) -> tuple[Nuisance, ...]:
        """All nuisances, in the order of the measurements, those of a fit first."""
        return tuple(n for m in self.measurements for n in m.all_nuisances)

    @property
    def design(self) -> FloatArray:
        """Linear map from variables to estimates, shape (n_estimates, n_variables); 0 for functions that are not linear."""
        return self._linear_map[0]

    @cached_property
    def observable_map(self) -> FloatArray:
        """Linear map from observables to estimates as stated, shape (n_estimates, n_observables)."""
        return np.array([[e.observables.get(o.name, 0.0) for o in self.observables] for e in self.estimates], dtype=float)

    @property
    def constant(self) -> FloatArray:
        """Constants of linear formulas: the estimates where all variables are 0, shape (n_estimates,)."""
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
        """Reported quantities: parameters, observables and derived quantities.

        With an extraction its masses, their differences and its scales come first.
        """
        extraction = self.extraction_in_force
        parameters = self.variables[: len(self.parameters)]
        return (*(self.extracted(extraction) if extraction else ()), *parameters, *self.observables, *self.derived)

    @property
    def headline(self) -> tuple[Observable, ...]:
        """Results in a summary: masses, their differences and derived quantities in an extraction, else all results."""
        extraction = self.extraction_in_force
        if extraction is None:
            return self.results
        masses = self.extracted(extraction)[: len(extraction.mass_parameters) + len(extraction.differences)]
        return (*masses, *self.derived)

    def extracted(self, extraction: Extraction) -> tuple[Observable, ...]:
        """Results that an extraction adds: masses, their differences and scales."""
        schemes = {extraction.masses[p.name]: p.mass_scheme for p in self.predictions if p.name in extraction.masses}
        masses = [Observable(name=m, unit="GeV", title=f"top-quark {schemes[m]} mass") for m in extraction.mass_parameters]
        masses += [
            Observable(name=f"{first} - {second}", unit="GeV", title="difference of the masses")
            for first, second in extraction.differences
        ]
        scales = [Observable(name=name, title=f"{name}: factor on the scale") for name in extraction.scale_parameters]
        return (*masses, *scales)

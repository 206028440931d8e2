"""What goes into a combination: the budget (who measured what) and the assumptions (what is correlated).

All classes are frozen and checked when they are built; the two tables meet only in :class:`Combination`.  An *observable*
is a combined quantity; :mod:`bayescomb.inputs.measurements` has the rest of the vocabulary.

What a combination has to fulfil as a whole: its settings, spectators, predictions and uncertain sizes.

Parts of a combination: what changes where measurements are left out, or their estimates are set free of each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bayescomb.base.checks import (
    FrozenMapping,
    check_choice,
    check_distinct,
    check_finite,
    check_items,
    check_mapping,
    check_names,
    known_name,
)
from bayescomb.base.choices import (
    CHI2_FORMS,
    NUISANCE_VALUES,
    REPAIRS,
    TREATMENTS,
    Chi2Form,
    NuisanceValues,
    RangeEnd,
    RepairKind,
    Treatment,
)
from bayescomb.base.errors import InvalidMatrixError, InvalidNumberError, OptionError, UnderdeterminedError, UnknownNameError
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.inputs.assumptions import AssumptionSet, check_assumptions
from bayescomb.inputs.budget.dataframe import Between, Within, fields_from_dataframe
from bayescomb.inputs.formulas import Variable, formula_text, names_in, substituted
from bayescomb.inputs.formulas.quantities import Quantities, auxiliary_measurements, quantities
from bayescomb.inputs.measurements import Estimate, Measurement, Nuisance
from bayescomb.inputs.observables import Blinding, ErrorOnError, Observable, Provenance, Source
from bayescomb.inputs.parameters import Parameter
from bayescomb.inputs.theory.extractions import Extraction
from bayescomb.inputs.theory.predictions import Prediction

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "STATISTICS_GROUP",
    "Combination",
    "check_blinding",
    "check_errors_on_errors",
    "check_nonnegative",
    "check_predictions",
    "check_settings",
    "check_spectators",
    "how_to_extract",
    "kept_fields",
    "saturated_fields",
]

LISTS: Final = {
    "measurements": Measurement,
    "observables": Observable,
    "sources": Source,
    "provenance": Provenance,
    "predictions": Prediction,
    "parameters": Parameter,
    "derived": Observable,
}
MAPPINGS: Final = {
    "assumption_sets": '{"none": AssumptionSet(name="none")}',
    "impact_groups": '{"JES": ("jes_1", "jes_2")}',
    "extractions": '{"pole": Extraction(name="pole", ...)}',
    "errors_on_errors": '{"JES": ErrorOnError(relative=0.3)}',
}
STATISTICS_GROUP: Final = "stat"


@dataclass(frozen=True, kw_only=True, repr=False)
class Combination(Shown):
    """Measurements, observables and the assumption set in force.

    Attributes:
        name: short name, used for file names.
        measurements: the budget.
        observables: the combined quantities.
        assumption_sets: name -> :class:`AssumptionSet`.
        assumptions: name of the set in force; every output names it.
        treatment: ``"covariance"`` (the sources' covariances are summed as given; only the total must be positive
            definite) or ``"nuisance"`` (one nuisance per estimate and source; each source matrix must be a correlation
            matrix).
        repair: what to do with a fixed infeasible source matrix under ``"nuisance"``; ``"none"`` is an error.
        sources: titles and groups of the sources.
        provenance: where the figures come from.
        title: one line for people.
        chi2: ``"neyman"`` (the statistical covariance as given) or ``"pearson"`` (it grows with the prediction).
        nuisance_values: ``"used"`` or ``"ignored"``: whether the post-fit nuisance values of fitted inputs count, or 0 is
            put in their place, as Convino does.
        normalise: the results are the observables divided by their sum.
        impact_groups: name of a group -> its nuisances, or ``("stat",)`` for the statistical part; groups may overlap.
        predictions: theory predictions of the observables.
        extractions: name -> :class:`Extraction`.
        extraction: name of the one in force; empty if the observables are combined and no mass is extracted.
        errors_on_errors: source, or nuisance without a source, whose size is uncertain -> how well it is known.
        nonnegative: names of observables that cannot be negative: bounds of the profile, priors that end at 0 in the
            posterior.
        parameters: what observables with a formula are functions of; a stated prior joins the measurements.
        derived: quantities with a formula, reported beside the observables.
        blinding: that central values are hidden, ``None`` if they are as measured (:func:`bayescomb.blind`).

    Examples:
        >>> import bayescomb as bc
        >>> measurements = [
        ...     bc.Measurement(name=name, estimates=(bc.Estimate(name=name, value=value, observables={"x": 1.0}),),
        ...         statistical_covariance=[[1.0]])
        ...     for name, value in (("first", 9.0), ("second", 11.0))
        ... ]
        >>> combination = bc.Combination(name="two numbers", measurements=tuple(measurements),
        ...     observables=(bc.Observable(name="x", unit="pb"),), assumption_sets={"none": bc.AssumptionSet(name="none")},
        ...     assumptions="none")
        >>> bc.profile(combination).values.item()
        10.0
    """

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
    blinding: Blinding | None = None

    @classmethod
    def from_dataframe(
        cls,
        frame: pd.DataFrame,
        *,
        name: str = "combination",
        units: Mapping[str, str] | None = None,
        within: Within | str | None = None,
        between: Between | None = None,
        **settings: Any,
    ) -> Combination:
        """The combination of a table with one row per estimate, as in ``budget.csv``.

        Args:
            frame: columns ``estimate``, ``experiment``, ``observable``, ``value``, ``stat``, perhaps ``title`` and
                ``measurement``; every other column is a source with its uncertainties, 0 where it does not apply.
            name: of the combination.
            units: observable -> unit.
            within: source -> correlation between the estimates of one experiment: a number, or a DataFrame with estimates as
                index and columns; ``"uncorrelated"`` if nothing is.  Needed for every source that two estimates share.
            between: source -> correlation between experiments, ``nominal`` or ``(nominal, low, high)`` with the range of the
                scan and of the uniform prior; a source that is not named is uncorrelated.
            settings: other fields of the combination, e.g. ``treatment="covariance"``.

        Raises:
            FileFormatError: a column, or the correlation of a pair, is missing.
            UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError, OptionError, RangeError: as the
                content demands.

        Examples:
            >>> import bayescomb as bc
            >>> import pandas as pd
            >>> frame = pd.DataFrame({
            ...     "estimate": ["a", "b"], "experiment": ["ATLAS", "CMS"], "observable": "m_t",
            ...     "value": [172.0, 173.0], "stat": [0.3, 0.4], "JES": [0.4, 0.3],
            ... })
            >>> combination = bc.Combination.from_dataframe(frame, units={"m_t": "GeV"}, between={"JES": (0.5, 0.0, 1.0)})
            >>> bc.profile(combination)
            <ProfileResult combination: m_t = 172.50 +- 0.39 GeV, chi2 2.632 for 1>
        """
        fields = fields_from_dataframe(frame, units=units or {}, within=within or {}, between=between or {})
        return cls(name=name, **{**fields, **settings})

    def _line(self) -> str:
        return (
            f"{self.name}{self.blinded}: {counted(len(self.estimates), 'estimates')} of "
            f"{counted(len(self.observables), 'observables')}, "
            f"{counted(len(self.sources), 'sources')}, assumption set {self.assumptions!r}"
        )

    def __post_init__(self) -> None:
        where = f"combination {self.name!r}"
        for key, of in LISTS.items():
            check_items(getattr(self, key), of, where=f"{key} of {where}")
        for key, example in MAPPINGS.items():
            check_mapping(getattr(self, key), where=f"{key} of {where}", example=example)
        for key in LISTS:
            object.__setattr__(self, key, tuple(getattr(self, key)))
        for key in ("assumption_sets", "extractions", "errors_on_errors"):
            object.__setattr__(self, key, FrozenMapping(getattr(self, key)))
        groups = {key: tuple(members) for key, members in self.impact_groups.items()}
        object.__setattr__(self, "impact_groups", FrozenMapping(groups))
        check_items(self.nonnegative, str, where=f"nonnegative of {where}")
        order = {o.name: i for i, o in enumerate(self.observables)}
        in_order = sorted(self.nonnegative, key=lambda name: order.get(name, len(order)))
        object.__setattr__(self, "nonnegative", tuple(in_order))
        check_items(self.assumption_sets.values(), AssumptionSet, where=f"assumption_sets of {where}")
        known_name(self.assumptions, self.assumption_sets, kind="assumption set", where=where)
        known = {m.name for m in self.measurements}
        priors = [m for m in auxiliary_measurements(self.parameters) if m.name not in known]
        object.__setattr__(self, "measurements", (*self.measurements, *priors))
        check_names([m.name for m in self.measurements], where=f"measurements of {where}")
        check_names([s.name for s in self.sources], where=f"sources of {where}", allow_empty=True)
        # A name is unique among the things of its kind.  Only what is fitted without a prior shares a list with the
        # observables: both are parameters.
        check_names([o.name for o in self.observables], where=f"observables of {where}", allow_empty=bool(self.parameters))
        check_names([e.name for e in self.estimates], where=f"estimates of {where}")
        check_names([n.name for n in self.nuisances], where=f"nuisances of {where}", allow_empty=True)
        free = [n.name for n in self.nuisances if n.free]
        measured = self.quantities.nodes  # reads the formulas, too
        named = (("parameter", self.parameters), ("observable", self.observables), ("derived quantity", self.derived))
        for kind, owners in (*named, ("estimate", self.estimates)):
            check_distinct([owner.name for owner in owners], free, kinds=(kind, "free nuisance"), where=where)
        check_spectators(self, where)
        for estimate in self.estimates:
            for name in estimate.observables:
                known_name(name, measured, kind="observable", where=f"estimate {estimate.name!r}")
        for assumption_set in self.assumption_sets.values():
            check_assumptions(assumption_set, free={n.name: n.free for n in self.nuisances})
        check_settings(self, where)
        check_nonnegative(self, where)
        check_predictions(self, where)
        check_errors_on_errors(self, where)
        check_blinding(self, where)
        check_determined(self, where)

    @cached_property
    def quantities(self) -> Quantities:
        """What is fitted, and what follows from it."""
        return quantities(self.parameters, self.observables, self.derived, where=f"combination {self.name!r}")

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
        """Ends of the ranges of variables that have any."""
        found = {name: (0.0, float("inf")) for name in self.nonnegative}
        priors = {p.name: p.prior.bounds for p in self.parameters if p.prior is not None}
        return found | {name: ends for name, ends in priors.items() if np.isfinite(ends).any()}

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
        return self.chi2 == "neyman" and not self.curved_responses and not self.curved_maps

    @property
    def curved_responses(self) -> bool:
        """Whether a nuisance has a response with a kink, or one that is relative."""
        curved = any(n.response != "absolute" for n in self.nuisances)
        return curved or any(m.down_responses is not None for m in self.measurements)

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
    def nuisances(self) -> tuple[Nuisance, ...]:
        """All nuisances, in the order of the measurements, those of a fit first."""
        return tuple(n for m in self.measurements for n in m.all_nuisances)

    @property
    def design(self) -> NDArray[np.float64]:
        """Linear map from variables to estimates, shape (n_estimates, n_variables); 0 for what is curved."""
        return self._linear_map[0]

    @property
    def constant(self) -> NDArray[np.float64]:
        """What the estimates are where all variables are 0, by formulas that are linear, shape (n_estimates,)."""
        return self._linear_map[1]

    @cached_property
    def _linear_map(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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

    def with_extraction(self, extraction: str | Extraction) -> Combination:
        """The same combination with a mass extracted, cut down to the measurements that the extraction uses.

        Args:
            extraction: name of one of the extractions, one to add, or ``""`` for none.

        Raises:
            UnknownNameError: there is no extraction of that name, or it uses what is not there.
        """
        if isinstance(extraction, str):
            if not extraction:
                return dataclasses.replace(self, extraction="")
            known_name(extraction, self.extractions, kind="extraction", where=f"{self.name!r}")
            extraction = self.extractions[extraction]
        extractions = {**self.extractions, extraction.name: extraction}
        result = dataclasses.replace(self, extractions=extractions, extraction=extraction.name)
        used = {name for p in self.predictions if p.name in extraction.distributions for name in p.observables}
        kept = [m for m in self.measurements if any(used.intersection(e.observables) for e in m.estimates)]
        return result if len(kept) == len(self.measurements) else dataclasses.replace(result, **kept_fields(result, kept))

    def with_assumptions(self, name: str) -> Combination:
        """The same combination under another assumption set.

        Raises:
            UnknownNameError: there is no set of that name.
        """
        return dataclasses.replace(self, assumptions=name)

    def with_coefficients(self, values: Mapping[str, float], *, at: RangeEnd | None = None) -> Combination:
        """The same combination with other nominal values of correlation coefficients, in a set of its own.

        Args:
            values: coefficient of the set in force -> nominal value.
            at: which end of its range, ``"low"`` or ``"high"``, every other coefficient takes that has one.

        Raises:
            UnknownNameError: there is no coefficient of that name.
            RangeError: a value lies outside [-1, 1], or of the range of a prior that has it as mode.

        Examples:
            >>> import bayescomb as bc
            >>> changed = bc.load("models/run1_mass").with_coefficients({"LHCbJES": 0.5})
            >>> f"{changed.assumptions}: {bc.profile(changed).values.item():.3f} GeV"
            'nominal with LHCbJES = 0.5: 172.549 GeV'
        """
        check_mapping(values, where="with_coefficients()", example='{"JES": 0.5}')
        check_finite(list(values.values()), where="with_coefficients()")
        if not values and at is None:
            return self
        changed = self.assumption_set.with_nominal(values, at=at)
        return dataclasses.replace(
            self, assumption_sets={**self.assumption_sets, changed.name: changed}, assumptions=changed.name
        )

    def with_treatment(self, treatment: Treatment, *, repair: RepairKind = "none") -> Combination:
        """The same combination with another treatment of its sources.

        Raises:
            OptionError: the treatment or the repair is not one that is offered.
        """
        return dataclasses.replace(self, treatment=treatment, repair=repair)

    def with_chi2(self, chi2: Chi2Form) -> Combination:
        """The same combination with another form of chi2.

        Raises:
            OptionError: the form is not offered, or not with the treatment in force.
        """
        return dataclasses.replace(self, chi2=chi2)

    def with_nuisance_values(self, nuisance_values: NuisanceValues) -> Combination:
        """The same combination with the post-fit nuisance values of its inputs ``"used"`` or ``"ignored"``.

        Raises:
            OptionError: it is neither.
        """
        return dataclasses.replace(self, nuisance_values=nuisance_values)

    def with_errors_on_errors(self, errors_on_errors: Mapping[str, ErrorOnError | float]) -> Combination:
        """The same combination with the sizes of some sources uncertain, those of all others certain.

        Args:
            errors_on_errors: source -> relative uncertainty of its quoted size; a number means a common factor.

        Raises:
            UnknownNameError: there is no source of that name.
            RangeError: a relative uncertainty is not above 0 and up to 1.

        Examples:
            >>> import bayescomb as bc
            >>> uncertain = bc.load("models/run1_mass").with_errors_on_errors({"LHCbJES": 0.3})
            >>> uncertain.errors_on_errors["LHCbJES"].relative
            0.3
        """
        check_mapping(errors_on_errors, where="with_errors_on_errors()", example='{"JES": 0.3}')
        given: dict[str, ErrorOnError] = {}
        for name, value in errors_on_errors.items():
            if isinstance(value, ErrorOnError):
                given[name] = value
            else:
                relative = check_finite(value, where=f"error on error of {name!r}")
                given[name] = ErrorOnError(relative=float(relative))
        return dataclasses.replace(self, errors_on_errors=given)

    def with_nonnegative(self, names: Iterable[str] | None = None) -> Combination:
        """The same combination with observables that cannot be negative.

        Args:
            names: of these observables, ``()`` for none; by default all but spectators.

        Raises:
            UnknownNameError: there is no observable of that name.
            OptionError: a mass is extracted, results are normalised, or sizes of sources are uncertain.

        Examples:
            >>> import bayescomb as bc
            >>> bc.load("models/run1_mass").with_nonnegative().nonnegative
            ('m_t',)
        """
        if names is None:
            names = [o.name for o in self.observables if not o.spectator and not o.formula]
        return dataclasses.replace(self, nonnegative=(names,) if isinstance(names, str) else tuple(names))

    def with_values(self, values: Mapping[str, float]) -> Combination:
        """The same combination with other measured values of some estimates, e.g. of simulated data.

        Raises:
            UnknownNameError: there is no estimate of that name.
        """
        check_mapping(values, where="with_values()", example='{"l+jets": 172.3}')
        check_finite(list(values.values()), where="with_values()")
        for name in values:
            known_name(name, [e.name for e in self.estimates], kind="estimate", where=f"{self.name!r}")
        measurements = tuple(
            dataclasses.replace(
                m,
                estimates=tuple(dataclasses.replace(e, value=float(values.get(e.name, e.value))) for e in m.estimates),
            )
            for m in self.measurements
        )
        return dataclasses.replace(self, measurements=measurements)

    def saturated(self, measurement: str | None = None) -> Combination:
        """The combination in which every estimate, or every one of a measurement, has an observable of its own.

        It tells what the inputs say before combining: with all estimates so, the minimum of chi2 is what the inputs' own
        pulls cost.  Free nuisances outside the fits, which nothing would determine then, are left out.

        Raises:
            UnknownNameError: there is no measurement of that name.
        """
        names = [m.name for m in self.measurements]
        if measurement is not None:
            known_name(measurement, names, kind="measurement", where=f"{self.name!r}")
            names = [measurement]
        return dataclasses.replace(self, **saturated_fields(self, names))

    def only(self, experiments: Iterable[str]) -> Combination:
        """The combination of the measurements of some experiments alone.

        Correlations that involve a nuisance of a dropped measurement go with it.

        Raises:
            UnknownNameError: an experiment has no measurement here.
        """
        experiments = [experiments] if isinstance(experiments, str) else list(experiments)
        for name in experiments:
            known_name(name, [m.experiment for m in self.measurements], kind="experiment", where=f"{self.name!r}")
        priors = {p.prior_name for p in self.parameters}
        kept = [m for m in self.measurements if m.experiment in experiments or m.name in priors]
        return dataclasses.replace(self, **kept_fields(self, kept))

    def without(self, measurement: str) -> Combination:
        """The combination of all measurements but one; an observable that only it determines is dropped.

        Raises:
            UnknownNameError: there is no measurement of that name, or no other one.
            UnderdeterminedError: the rest does not determine its observables.
        """
        known_name(measurement, [m.name for m in self.measurements], kind="measurement", where=f"{self.name!r}")
        return dataclasses.replace(self, **kept_fields(self, [m for m in self.measurements if m.name != measurement]))


def check_determined(combination: Combination, where: str) -> None:
    """The estimates determine every variable.  Of curved formulas only the names tell here, the fit tells the rest."""
    names = [o.name for o in combination.variables]
    nodes = combination.quantities.nodes
    touched = {
        variable
        for e in combination.estimates
        for name, weight in e.observables.items()
        if weight
        for variable in names_in(nodes[name])
    }
    idle = [name for name in names if name not in touched]
    short = np.linalg.matrix_rank(combination.design) < len(names) and not combination.curved_maps
    if short or idle or len(combination.estimates) < len(names):
        kind = "parameters" if combination.parameters else "observables"
        msg = (
            f"{where}: {len(combination.estimates)} estimates do not determine the {len(names)} {kind}"
            f"{f' (no estimate for {idle})' if idle else ''}; add an estimate or drop an observable"
        )
        raise UnderdeterminedError(msg)


def check_spectators(combination: Combination, where: str) -> None:
    """A spectator carries one estimate, whose name it has."""
    maps = {e.name: dict(e.observables) for e in combination.estimates}
    for observable in combination.observables:
        if observable.formula and observable.spectator:
            msg = f"{where}: observable {observable.name!r} has a formula, so it is no spectator; leave one of the two out"
            raise OptionError(msg)
        owners = [name for name, mapping in maps.items() if observable.name in mapping]
        if observable.spectator and (owners != [observable.name] or maps[observable.name] != {observable.name: 1.0}):
            msg = f"{where}: spectator {observable.name!r} belongs to {owners}; it carries the name of its only estimate"
            raise UnknownNameError(msg)


def check_settings(combination: Combination, where: str) -> None:
    """Every setting is one that is offered, and those in force go together."""
    check_choice(combination.treatment, TREATMENTS, where=f"treatment of {where}")
    check_choice(combination.repair, REPAIRS, where=f"repair of {where}")
    check_choice(combination.chi2, CHI2_FORMS, where=f"chi2 of {where}")
    check_choice(combination.nuisance_values, NUISANCE_VALUES, where=f"nuisance values of {where}")
    groups = combination.impact_groups
    check_names(list(groups), where=f"impact groups of {where}", allow_empty=True)
    known = [n.name for n in combination.nuisances]
    for group, members in groups.items():
        if members != (STATISTICS_GROUP,):
            check_names(members, where=f"{where}, impact group {group!r}")
            for name in members:
                known_name(name, known, kind="nuisance", where=f"{where}, impact group {group!r}")
    weighted = combination.chi2 != "neyman" or combination.curved_responses
    if weighted and combination.treatment == "covariance":
        msg = (
            f"{where}: the treatment 'covariance' sums covariances, which chi2 'pearson' and relative, lognormal or "
            "asymmetric responses do not allow; use the treatment 'nuisance'"
        )
        raise OptionError(msg)
    if combination.chi2 == "pearson":
        zero = [e.name for m in combination.measurements if not m.is_prior for e in m.estimates if e.value == 0]
        if zero:
            msg = f"{where}: chi2 'pearson' gives an estimate of measured value 0 no weight: {zero}; use 'neyman'"
            raise InvalidNumberError(msg)
        singular = [
            m.name
            for m in combination.measurements
            if m.statistical_covariance is not None and m.statistical_spectrum[2].any()
        ]
        if singular:
            msg = (
                f"{where}: chi2 'pearson' weighs with the inverse of the statistical covariance, which is singular in "
                f"{singular}; use 'neyman', or leave out an estimate that follows from the others"
            )
            raise InvalidMatrixError(msg)


def check_predictions(combination: Combination, where: str) -> None:
    """Every name that a prediction or an extraction uses exists, and what is in force can be extracted."""
    check_names([p.name for p in combination.predictions], where=f"predictions of {where}", allow_empty=True)
    observables = [o.name for o in combination.variables]
    for prediction in combination.predictions:
        for name in prediction.observables:
            known_name(name, observables, kind="observable", where=f"prediction {prediction.name!r} of {where}")
    for key, extraction in combination.extractions.items():
        at = f"{where}, extraction {key!r}"
        for name in extraction.distributions:
            known_name(name, [p.name for p in combination.predictions], kind="prediction", where=at)
        for name in extraction.drop:
            known_name(name, observables, kind="observable", where=at)
        predicted = [name for p in combination.predictions if p.name in extraction.distributions for name in p.observables]
        check_names(predicted, where=f"predicted observables of {at}")
        schemes: dict[str, set[str]] = {}
        for prediction in combination.predictions:
            if prediction.name in extraction.masses:
                schemes.setdefault(extraction.masses[prediction.name], set()).add(prediction.mass_scheme)
        for mass, found in schemes.items():
            if len(found) > 1:
                msg = f"{at}: {mass!r} is the {' and the '.join(sorted(found))} mass of its predictions; give each a name"
                raise OptionError(msg)
        names = [o.name for o in combination.extracted(extraction)]
        check_names(names, where=f"masses, their differences and scales of {at}")
        check_distinct(observables, names, kinds=("observable", "parameter of the extraction"), where=at)
        free = [n.name for n in combination.nuisances if n.free]
        check_distinct(free, names, kinds=("free nuisance", "parameter of the extraction"), where=at)
    if combination.extraction:
        known_name(combination.extraction, combination.extractions, kind="extraction", where=where)
        if not combination.linear:
            msg = (
                f"{where}: extraction {combination.extraction!r} needs a chi2 that is quadratic in the observables: "
                "'neyman', absolute symmetric responses, no 'normalise' (the extraction itself normalises a distribution) "
                "and no 'nonnegative'"
            )
            raise OptionError(msg)


def how_to_extract(combination: Combination) -> str:
    """What to do where a mass is needed and none is extracted."""
    if not combination.extractions:
        return "the model has no [[extractions]], so there is none to put in force"
    names = ", ".join(map(repr, combination.extractions))
    return f"put an extraction in force, --extraction NAME or with_extraction(NAME); there is {names}"


def check_errors_on_errors(combination: Combination, where: str) -> None:
    """The sizes that are uncertain are those of sources that are there, and nothing else is curved."""
    known = {n.source or n.name for n in combination.nuisances if not n.free}
    for name in combination.errors_on_errors:
        known_name(name, known, kind="source of a nuisance with a prior", where=f"errors on errors of {where}")
    if combination.errors_on_errors and not combination.linear:
        msg = (
            f"{where}: errors on errors need a chi2 that is quadratic in the observables: 'neyman', absolute symmetric "
            "responses, no 'normalise' and no 'nonnegative'"
        )
        raise OptionError(msg)


def check_blinding(combination: Combination, where: str) -> None:
    """Nothing is in force that shows what is hidden, or that what hides it would change."""
    found = combination.blinding
    if found is None:
        return
    curved = combination.chi2 != "neyman" or any(n.response != "absolute" for n in combination.nuisances)
    named = {
        "'normalise', whose results a common factor does not hide": combination.normalise,
        "parameters or formulas, which tell what a shift or factor changes": bool(
            combination.parameters or combination.functions
        ),
        "chi2 'pearson' or responses that are not absolute, which a shift changes": found.kind == "shift" and curved,
        "'nonnegative', whose bound tells the shift": found.kind == "shift" and bool(combination.nonnegative),
    }
    for what, there in named.items():
        if there:
            msg = (
                f"{where} is blinded ({found.kind}) and has {what}; state the setting in the model, whose way of blinding "
                "follows it, or unblind it"
            )
            raise OptionError(msg)


def check_nonnegative(combination: Combination, where: str) -> None:
    """What cannot be negative is an observable, and the results are these observables."""
    names = list(combination.nonnegative)
    check_names(names, where=f"nonnegative observables of {where}", allow_empty=True)
    for name in names:
        known_name(name, [o.name for o in combination.observables], kind="observable", where=f"nonnegative of {where}")
        if name in {o.name for o in combination.functions}:
            msg = f"{where}: nonnegative observable {name!r} has a formula; make one of its parameters nonnegative"
            raise OptionError(msg)
    because = ""
    if combination.extraction:
        because = f"extraction {combination.extraction!r} makes the observables functions of a mass"
    elif combination.normalise:
        because = "'normalise' divides the observables by their sum"
    elif combination.errors_on_errors:
        because = "errors on errors have no fit with bounds"
    if combination.normalise and combination.functions:
        msg = f"{where}: 'normalise' does not go with formulas; write the shares as derived quantities, as in a / (a + b)"
        raise OptionError(msg)
    if combination.bounds and because:
        msg = f"{where}: nonnegative observables are not offered where {because}; leave one of the two out"
        raise OptionError(msg)


def saturated_fields(combination: Combination, names: Collection[str]) -> dict[str, Any]:
    """Fields of the combination in which every estimate of some measurements has an observable of its own.

    Args:
        combination: the whole.
        names: of the measurements.
    """
    measurements, observables, used = [], [], set()
    own_names = {e.name for m in combination.measurements if m.name in names for e in m.estimates}
    renamed = _beside(own_names, [o.name for o in combination.observables])
    renamed |= {p.name: p.name for p in combination.parameters}
    for m in combination.measurements:
        if m.name in names:
            keep = [i for i, n in enumerate(m.nuisances) if not n.free]
            observables += [Observable(name=e.name, spectator=True) for e in m.estimates]
            m = dataclasses.replace(
                m,
                estimates=tuple(dataclasses.replace(e, observables={e.name: 1.0}) for e in m.estimates),
                nuisances=tuple(m.nuisances[i] for i in keep),
                responses=m.responses[:, keep],
                down_responses=None if m.down_responses is None else m.down_responses[:, keep],
            )
        else:
            used |= _measured(combination, [m])
            estimates = tuple(
                dataclasses.replace(e, observables={renamed.get(o, o): factor for o, factor in e.observables.items()})
                for e in m.estimates
            )
            m = dataclasses.replace(m, estimates=estimates)
        measurements.append(m)
    return {
        "measurements": tuple(measurements),
        "observables": (
            *(_renamed(combination, o, renamed) for o in combination.observables if o.name in used),
            *observables,
        ),
        "parameters": tuple(p for p in combination.parameters if p.name in used),
        "derived": (),
        "impact_groups": {},
        "nonnegative": tuple(renamed[name] for name in combination.nonnegative if name in used),
        "normalise": False,
        "predictions": (),
        "extractions": {},
        "extraction": "",
    }


def _measured(combination: Combination, measurements: Sequence[Measurement]) -> set[str]:
    """Names of the quantities that measurements are about, those in the formulas included."""
    quantities = combination.quantities
    used = {o for m in measurements for e in m.estimates for o, factor in e.observables.items() if factor}
    formulas = quantities.written
    waiting = list(used)
    while waiting:
        name = waiting.pop()
        inside = names_in(formulas[name] if name in formulas else quantities.nodes[name])
        waiting += [other for other in inside if other not in used]
        used.update(inside)
    return used


def _renamed(combination: Combination, observable: Observable, names: Mapping[str, str]) -> Observable:
    """The observable by its new name, in a formula of new names."""
    formula = observable.formula
    if formula and any(names[name] != name for name in names):
        tree = combination.quantities.written[observable.name]
        formula = formula_text(substituted(tree, {name: Variable(other) for name, other in names.items()}))
    return dataclasses.replace(observable, name=names[observable.name], formula=formula)


def _beside(taken: Collection[str], names: Sequence[str]) -> dict[str, str]:
    """Name of each observable beside observables that bear the names of estimates."""
    found: dict[str, str] = {}
    for name in names:
        other = name
        while other in taken or (other != name and other in names):
            other += " (observable)"
        found[name] = other
    return found


def kept_fields(combination: Combination, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Fields of the combination of some measurements, without what names a nuisance or observable of the others.

    Args:
        combination: the whole.
        measurements: those that stay.
    """
    names = {n.name for m in measurements for n in m.all_nuisances}
    priors = {p.prior_name for p in combination.parameters} - {m.name for m in measurements}
    parameters = [dataclasses.replace(p, prior=None) if p.prior_name in priors else p for p in combination.parameters]
    used = _measured(combination, measurements)
    variables = {o.name for o in combination.variables if o.name in used}
    groups = {key: tuple(n for n in group if n in names) for key, group in combination.impact_groups.items()}
    statistics = {key: group for key, group in combination.impact_groups.items() if group == ("stat",)}
    sources = {n.source or n.name for m in measurements for n in m.all_nuisances if not n.free}
    return {
        "measurements": tuple(measurements),
        "observables": tuple(o for o in combination.observables if o.name in used),
        "parameters": tuple(p for p in parameters if p.name in used),
        "derived": tuple(
            o for o in combination.derived if variables.issuperset(names_in(combination.quantities.nodes[o.name]))
        ),
        "nonnegative": tuple(name for name in combination.nonnegative if name in used),
        "assumption_sets": {key: value.restricted_to(names) for key, value in combination.assumption_sets.items()},
        "impact_groups": {key: group for key, group in groups.items() if group} | statistics,
        "errors_on_errors": {key: value for key, value in combination.errors_on_errors.items() if key in sources},
        **_predicting(combination, used),
    }


def _predicting(combination: Combination, observables: Collection[str]) -> dict[str, Any]:
    """Predictions and extractions that concern nothing but some observables."""
    predictions = tuple(p for p in combination.predictions if set(p.observables) <= set(observables))
    names = [p.name for p in predictions]
    parts = {key: extraction.restricted_to(names) for key, extraction in combination.extractions.items()}
    extractions = {
        key: dataclasses.replace(part, drop=tuple(name for name in part.drop if name in observables))
        for key, part in parts.items()
        if part is not None
    }
    extraction = combination.extraction if combination.extraction in extractions else ""
    return {"predictions": predictions, "extractions": extractions, "extraction": extraction}

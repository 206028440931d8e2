"""The combination: measurements (who measured what), assumptions (what is correlated) and settings in one frozen object.

An *observable* is a combined quantity; :mod:`bayescomb.inputs.measurements` has the rest of the vocabulary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bayescomb.base.checks import (
    FrozenMapping,
    check_distinct,
    check_finite,
    check_items,
    check_mapping,
    check_names,
    known_name,
)
from bayescomb.base.choices import Chi2Form, NuisanceValues, RangeEnd, RepairKind, Treatment
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.inputs.assumptions import AssumptionSet, check_assumptions
from bayescomb.inputs.combination.checks import (
    check_blinding,
    check_determined,
    check_errors_on_errors,
    check_nonnegative,
    check_predictions,
    check_settings,
    check_spectators,
)
from bayescomb.inputs.combination.contents import Contents
from bayescomb.inputs.combination.parts import kept_fields, saturated_fields
from bayescomb.inputs.formulas import Curve
from bayescomb.inputs.formulas.quantities import auxiliary_measurements
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import ErrorOnError, Observable, Provenance, Source
from bayescomb.inputs.parameters import Parameter
from bayescomb.inputs.theory.extractions import Extraction
from bayescomb.inputs.theory.predictions import Prediction

if TYPE_CHECKING:
    import pandas as pd

    from bayescomb.inputs.budget import Between, Within

__all__ = ["Combination", "how_to_extract"]

LISTS: Final = {
    "measurements": Measurement,
    "observables": Observable,
    "sources": Source,
    "provenance": Provenance,
    "predictions": Prediction,
    "parameters": Parameter,
    "derived": Observable,
    "curves": Curve,
}
MAPPINGS: Final = {
    "assumption_sets": '{"none": AssumptionSet(name="none")}',
    "impact_groups": '{"JES": ("jes_1", "jes_2")}',
    "extractions": '{"pole": Extraction(name="pole", ...)}',
    "errors_on_errors": '{"JES": ErrorOnError(relative=0.3)}',
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Combination(Shown, Contents):
    """Measurements, observables and the assumption set in force.

    Attributes:
        name: short name, used for file names.
        measurements: published numbers with their uncertainties.
        observables: the combined quantities.
        assumption_sets: name -> :class:`AssumptionSet`.
        assumptions: name of the assumption set in force, stated in every output.
        treatment: ``"covariance"`` (the sources' covariances are summed as given; only the total must be positive
            definite) or ``"nuisance"`` (one nuisance per estimate and source; each source matrix must be a correlation
            matrix).
        repair: what to do with a fixed infeasible source matrix under ``"nuisance"``; ``"none"`` is an error.
        sources: titles and groups of the sources.
        provenance: origin of the figures.
        title: one line of text.
        chi2: ``"neyman"`` (the statistical covariance as given) or ``"pearson"`` (it grows with the prediction).
        nuisance_values: ``"used"`` or ``"ignored"``: whether post-fit nuisance values of fitted inputs are used, or replaced
            by 0, as Convino does.
        normalise: whether the results are the observables divided by their sum.
        impact_groups: group -> its nuisances, or ``("stat",)`` for the statistical part; groups may overlap.
        predictions: theory predictions of the observables.
        extractions: name -> :class:`Extraction`.
        extraction: name of the one in force; empty if the observables are combined and no mass is extracted.
        errors_on_errors: source, or nuisance without a source -> uncertainty of its size.
        nonnegative: names of observables that cannot be negative: bounds of the profile, priors that end at 0 in the
            posterior.
        parameters: quantities of which observables are functions; their priors are added to the measurements.
        derived: quantities with a formula, reported beside the observables.
        curves: functions through tabulated points, which formulas call by their names.
        blinding: how central values are hidden, ``None`` if they are not (:func:`bayescomb.blind`).

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
                index and columns; or ``"uncorrelated"`` for all.  Needed for every source that two estimates share.
            between: source -> correlation between experiments, ``nominal`` or ``(nominal, low, high)`` with the range of the
                scan and of the uniform prior; a source that is not named is uncorrelated.
            settings: other fields of the combination, e.g. ``treatment="covariance"``.

        Raises:
            FileFormatError: a column, or the correlation of a pair, is missing.
            OptionError: an argument has the wrong type.
            UnknownNameError, DuplicateNameError, InvalidNumberError, InvalidMatrixError, RangeError: as the content demands.

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
        from bayescomb.inputs.budget import fields_from_dataframe

        fields = fields_from_dataframe(
            frame,
            units={} if units is None else units,
            within={} if within is None else within,
            between={} if between is None else between,
        )
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
        # A name is unique among objects of one kind.  Free nuisances are fitted like observables, so these share no name.
        check_names([o.name for o in self.observables], where=f"observables of {where}", allow_empty=bool(self.parameters))
        check_names([e.name for e in self.estimates], where=f"estimates of {where}")
        check_names([n.name for n in self.nuisances], where=f"nuisances of {where}", allow_empty=True)
        free = [n.name for n in self.nuisances if n.free]
        measured = self.quantities.nodes  # also reads the formulas, and raises their errors
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

    def with_extraction(self, extraction: str | Extraction) -> Combination:
        """The same combination with a mass extracted from those measurements that the extraction uses.

        Args:
            extraction: name of an extraction of the combination, a new extraction, or ``""`` for none.

        Raises:
            UnknownNameError: it, or a prediction or observable that it names, does not exist.
        """
        if isinstance(extraction, str):
            if not extraction:
                return dataclasses.replace(self, extraction="")
            known_name(extraction, self.extractions, kind="extraction", where=f"{self.name!r}")
            extraction = self.extractions[extraction]
        extractions = {**self.extractions, extraction.name: extraction}
        result = dataclasses.replace(self, extractions=extractions, extraction=extraction.name)
        used = {name for p in self.predictions_of(extraction) for name in p.observables}
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
            at: end of the range, ``"low"`` or ``"high"``, that becomes the nominal value of every other coefficient.

        Raises:
            UnknownNameError: there is no coefficient of that name.
            RangeError: a value lies outside [-1, 1], or outside the range of a prior that has it as mode.

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
            OptionError: the treatment or the repair does not exist.
        """
        return dataclasses.replace(self, treatment=treatment, repair=repair)

    def with_chi2(self, chi2: Chi2Form) -> Combination:
        """The same combination with another form of chi2.

        Raises:
            OptionError: the form does not exist, or does not go with the treatment in force.
        """
        return dataclasses.replace(self, chi2=chi2)

    def with_nuisance_values(self, nuisance_values: NuisanceValues) -> Combination:
        """The same combination with the post-fit nuisance values of its inputs ``"used"`` or ``"ignored"``.

        Raises:
            OptionError: it is neither.
        """
        return dataclasses.replace(self, nuisance_values=nuisance_values)

    def with_errors_on_errors(self, errors_on_errors: Mapping[str, ErrorOnError | float]) -> Combination:
        """The same combination with uncertain sizes of these sources and certain sizes of all others.

        Args:
            errors_on_errors: source -> relative uncertainty of its size; a number is that of a common factor.

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
            names: names of these observables, ``()`` for none; by default all but spectators and those with a formula.

        Raises:
            UnknownNameError: there is no observable of that name.
            OptionError: a mass is extracted, results are normalised, or sizes of sources are uncertain.

        Examples:
            >>> import bayescomb as bc
            >>> bc.load("models/run1_mass").with_nonnegative().nonnegative
            ('m_t',)
        """
        if names is None:
            names = self.boundable
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
        """The combination in which every estimate, of all measurements or of one, has an observable of its own.

        It describes the inputs before they are combined: with all estimates the minimum of chi2 is the sum over the inputs'
        own pulls.  A likelihood table becomes the Gaussian near its minimum.  Free nuisances outside the fits are left out,
        as nothing would determine them.

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

        Correlations with a nuisance of another measurement are left out.

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
        """The combination of all measurements but one; observables that only this one measures are left out.

        Raises:
            UnknownNameError: there is no measurement of that name, or it is the only one.
            UnderdeterminedError: the rest does not determine its observables.
        """
        known_name(measurement, [m.name for m in self.measurements], kind="measurement", where=f"{self.name!r}")
        return dataclasses.replace(self, **kept_fields(self, [m for m in self.measurements if m.name != measurement]))


def how_to_extract(combination: Contents) -> str:
    """Advice for messages where a mass is needed and none is extracted."""
    if not combination.extractions:
        return "the model has no [[extractions]], so there is none to put in force"
    names = ", ".join(map(repr, combination.extractions))
    return f"put an extraction in force, --extraction NAME or with_extraction(NAME); there is {names}"

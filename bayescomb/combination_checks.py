"""What a combination has to fulfil as a whole: its settings, spectators, predictions and uncertain sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bayescomb.checks import check_choice, check_distinct, check_names, known_name
from bayescomb.errors import InvalidMatrixError, InvalidNumberError, OptionError, UnknownNameError

if TYPE_CHECKING:
    from bayescomb.inputs import Combination

__all__ = [
    "CHI2_FORMS",
    "NUISANCE_VALUES",
    "REPAIRS",
    "STATISTICS_GROUP",
    "TREATMENTS",
    "check_errors_on_errors",
    "check_predictions",
    "check_settings",
    "check_spectators",
    "how_to_extract",
]

TREATMENTS: Final = ("covariance", "nuisance")
REPAIRS: Final = ("none", "shift", "clip", "nearest")
CHI2_FORMS: Final = ("neyman", "pearson")
NUISANCE_VALUES: Final = ("used", "ignored")
STATISTICS_GROUP: Final = "stat"


def check_spectators(combination: Combination, where: str) -> None:
    """A spectator carries one estimate, whose name it has."""
    maps = {e.name: dict(e.observables) for e in combination.estimates}
    for observable in combination.observables:
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
    if not combination.quadratic and combination.treatment == "covariance":
        msg = (
            f"{where}: the treatment 'covariance' sums covariances, which chi2 'pearson' and relative, lognormal or "
            "asymmetric responses do not allow; use the treatment 'nuisance'"
        )
        raise OptionError(msg)
    if combination.chi2 == "pearson":
        zero = [e.name for e in combination.estimates if e.value == 0]
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
    observables = [o.name for o in combination.observables]
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
        if not combination.quadratic or combination.normalise:
            msg = (
                f"{where}: extraction {combination.extraction!r} needs a chi2 that is quadratic in the observables: "
                "'neyman', absolute symmetric responses and no 'normalise' (the extraction itself normalises a distribution)"
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
    if combination.errors_on_errors and (not combination.quadratic or combination.normalise):
        msg = (
            f"{where}: errors on errors need a chi2 that is quadratic in the observables: 'neyman', absolute symmetric "
            "responses and no 'normalise'"
        )
        raise OptionError(msg)

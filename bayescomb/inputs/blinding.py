r"""Blinding: central values hidden behind amounts that follow from a phrase, before anything is computed from them.

The inputs themselves are changed, so that every output is: nothing downstream knows the true values.  Two ways leave the
rest of the model exactly as it is.

``shift``: :math:`x_e \to x_e + \sum_o B_{eo} \Delta_o` with an amount :math:`\Delta_o` for each observable.  Predictions
that are linear in the observables move along, so chi2, pulls, errors, weights, and differences of what measures the same
observable stay to the last digits.

``factor``: values, their covariances and shifts, and predicted cross sections times one factor for all, and the masses of
prediction tables shifted by one amount.  It is used where a shift would change chi2: relative and lognormal responses,
Pearson's weights, observables that cannot be negative, and predictions.  Pulls, chi2, weights and relative errors stay.

The amounts are hashes of the phrase: between 2 and 10 of the smallest quoted errors at least, rounded up to a power of ten
(``shift``), or 10 to 60 % (``factor``).  It protects from looking, not from somebody who opens the input tables.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import Any, Final, assert_never

import numpy as np

from bayescomb.base.errors import OptionError
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import FittedInput, Measurement
from bayescomb.inputs.observables import Blinding, BlindingKind

__all__ = ["blind", "fingerprint", "opened", "unblind"]

# Smallest shift as a part of the largest: a shift near 0 hides nothing.
LEAST: Final = 0.2
# The largest shift is at least this many quoted errors.
WIDTHS: Final = 10.0
# Logarithms of the smallest and the largest factor.
FACTORS: Final = (math.log(1.1), math.log(1.6))


def blind(combination: Combination, phrase: str) -> Combination:
    """The combination with its central values hidden; every output of it says BLINDED.

    Args:
        combination: what to hide; all measurements, before some are left out, so that amounts are those of the whole.
        phrase: what the amounts follow from; the same phrase gives the same amounts.

    Raises:
        OptionError: the phrase is empty, the combination is blinded already, it has parameters or formulas, or results are
            divided by their sum, which no common factor hides.

    Examples:
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass")
        >>> hidden = bc.blind(combination, "a phrase")
        >>> fit, seen = bc.profile(hidden), bc.profile(combination)
        >>> abs(fit.values.item() - seen.values.item()) > 1, abs(fit.chi2 - seen.chi2) < 1e-6
        (True, True)
        >>> round(bc.profile(bc.unblind(hidden, "a phrase")).values.item(), 4)
        172.5134
    """
    where = f"blinding of {combination.name!r}"
    if combination.blinding is not None:
        msg = f"{where}: it is blinded already; unblind it first"
        raise OptionError(msg)
    if not phrase.strip():
        msg = f"{where}: an empty phrase found, some words are needed"
        raise OptionError(msg)
    return _changed(combination, phrase, _kind(combination, where), sign=1)


def unblind(combination: Combination, phrase: str) -> Combination:
    """The combination with its central values as they are, to rounding.

    Args:
        combination: a blinded one.
        phrase: that it was blinded with.

    Raises:
        OptionError: it is not blinded, or with another phrase.

    Examples:
        >>> import bayescomb as bc
        >>> hidden = bc.blind(bc.load("models/run1_mass"), "a phrase")
        >>> bc.unblind(hidden, "another phrase")
        Traceback (most recent call last):
        bayescomb.base.errors.OptionError: unblinding of 'run1_mass': this is not the phrase that it was blinded with
    """
    found = combination.blinding
    where = f"unblinding of {combination.name!r}"
    if found is None:
        msg = f"{where}: it is not blinded; leave the phrase out"
        raise OptionError(msg)
    _require_phrase(found.fingerprint, phrase, where=where)
    return _changed(combination, phrase, found.kind, sign=-1)


def opened(
    combination: Combination, *, stated: str = "", asked: str | None = None, phrase: str | None = None
) -> Combination:
    """A combination as it is read: blinded if its model or the user says so, unblinded for who knows the phrase.

    Args:
        combination: as its tables give it; or blinded, as an export holds it.
        stated: phrase of the model, empty for none.
        asked: phrase to blind it with.
        phrase: to unblind it.

    Raises:
        OptionError: the phrase is wrong, or nothing is blinded; both are asked for; or two phrases blind.
    """
    where = f"blinding of {combination.name!r}"
    if asked is not None and phrase is not None:
        msg = f"{where}: to blind and to unblind are both asked for; keep one of the two"
        raise OptionError(msg)
    if asked is not None and stated and asked != stated:
        msg = f"{where}: the model has a phrase of its own, which holds; leave the other out"
        raise OptionError(msg)
    if phrase is not None and stated:
        _require_phrase(fingerprint(stated), phrase, where=f"un{where}")
        return combination  # the tables as they are, to the last digit
    if phrase is not None:
        return unblind(combination, phrase)
    hidden = asked if asked is not None else stated
    return blind(combination, hidden) if asked is not None or hidden else combination


def fingerprint(phrase: str) -> str:
    """What tells a right phrase from a wrong one, and tells nothing of the phrase."""
    return hashlib.sha256(f"bayescomb fingerprint\0{phrase}".encode()).hexdigest()[:16]


def _require_phrase(known: str, phrase: str, *, where: str) -> None:
    if fingerprint(phrase) != known:
        msg = f"{where}: this is not the phrase that it was blinded with"
        raise OptionError(msg)


def _kind(combination: Combination, where: str) -> BlindingKind:
    """The way that leaves chi2 as it is."""
    if combination.normalise:
        msg = f"{where}: results divided by their sum ('normalise') are not hidden by a common factor; blind is not offered"
        raise OptionError(msg)
    if combination.parameters or combination.functions:
        msg = f"{where}: parameters or formulas found, which tell what a shift or factor changes; blind is not offered"
        raise OptionError(msg)
    curved = any(n.response != "absolute" for n in combination.nuisances)
    if curved or combination.chi2 != "neyman" or combination.nonnegative or combination.predictions:
        return "factor"
    return "shift"


def _hashed(phrase: str, name: str) -> float:
    """A number between -1 and 1, evenly distributed over phrases and nowhere near 0."""
    digest = hashlib.sha256(f"bayescomb amount\0{phrase}\0{name}".encode()).digest()
    size, sign = int.from_bytes(digest[:8]) / 2**64, 1 if digest[8] % 2 else -1
    return sign * (LEAST + (1 - LEAST) * size)


def _changed(combination: Combination, phrase: str, kind: BlindingKind, *, sign: int) -> Combination:
    """The combination hidden (sign 1), or as it was before (-1)."""
    state = Blinding(kind=kind, fingerprint=fingerprint(phrase)) if sign > 0 else None
    match kind:
        case "shift":
            changed = _shifted(combination, phrase, sign=sign)
        case "factor":
            changed = _multiplied(combination, phrase, sign=sign)
        case _:
            assert_never(kind)
    return dataclasses.replace(combination, **changed, blinding=state)


def _shifted(combination: Combination, phrase: str, *, sign: int) -> dict[str, Any]:
    """Measurements with each observable moved by its hidden amount."""
    amounts = {o.name: sign * _hashed(phrase, o.name) * _largest_shift(combination, o.name) for o in combination.observables}
    measurements = tuple(
        dataclasses.replace(
            m, estimates=tuple(e.moved(sum(w * amounts[o] for o, w in e.observables.items())) for e in m.estimates)
        )
        for m in combination.measurements
    )
    return {"measurements": measurements}


def _multiplied(combination: Combination, phrase: str, *, sign: int) -> dict[str, Any]:
    """Measurements and predictions multiplied by the hidden factor, with the masses of predictions moved."""
    part = _hashed(phrase, "factor")
    size = FACTORS[0] + (FACTORS[1] - FACTORS[0]) * (abs(part) - LEAST) / (1 - LEAST)
    factor = math.exp(sign * math.copysign(size, part))
    predictions = []
    for prediction in combination.predictions:
        # Half of the table's range, so that the mass may be anywhere in it and beyond.
        largest = float(prediction.masses[-1] - prediction.masses[0]) / 2
        masses = prediction.masses + sign * _hashed(phrase, f"mass of {prediction.mass_scheme}") * largest
        scaled = {key: getattr(prediction, key) * factor for key in ("cross_sections", "mc_errors", "correlated_errors")}
        predictions.append(dataclasses.replace(prediction, masses=masses, **scaled))
    measurements = tuple(_scaled(m, factor) for m in combination.measurements)
    return {"measurements": measurements, "predictions": tuple(predictions)}


def _largest_shift(combination: Combination, observable: str) -> float:
    """A power of ten above so many of the smallest errors that are quoted of an observable."""
    errors = []
    for measurement in combination.measurements:
        variances = np.zeros(len(measurement.estimates))
        if measurement.statistical_covariance is not None:
            variances = variances + np.diag(measurement.statistical_covariance)
        if measurement.fit is not None:
            n = len(measurement.estimates)
            variances = variances + np.diag(np.linalg.inv(measurement.fit.information))[:n]
        up, down = measurement.two_sided_responses
        variances = variances + (np.maximum(np.abs(up), np.abs(down)) ** 2).sum(axis=1)
        for estimate, variance in zip(measurement.estimates, variances, strict=True):
            weight = estimate.observables.get(observable, 0.0)
            errors += [math.sqrt(variance) / abs(weight)] if weight else []
    return float(10.0 ** math.ceil(math.log10(WIDTHS * min(errors))))


def _scaled(measurement: Measurement, factor: float) -> Measurement:
    """A measurement with values and errors multiplied by a factor."""
    covariance, down, fit = measurement.statistical_covariance, measurement.down_responses, measurement.fit
    if fit is not None:
        scale = np.ones(len(fit.information))
        scale[: len(measurement.estimates)] = 1 / factor
        fit = FittedInput(nuisances=fit.nuisances, information=fit.information * np.outer(scale, scale), pulls=fit.pulls)
    return dataclasses.replace(
        measurement,
        estimates=tuple(e.scaled(factor) for e in measurement.estimates),
        statistical_covariance=None if covariance is None else covariance * factor**2,
        responses=measurement.responses * factor,
        down_responses=None if down is None else down * factor,
        fit=fit,
    )

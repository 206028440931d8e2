r"""Blinding: central values are changed by hidden amounts that follow from a phrase, before anything is computed from them.

The inputs themselves are changed, so that no output knows the true values.  There are two kinds.

``shift``: :math:`x_e \to x_e + \sum_o B_{eo} \Delta_o` with an amount :math:`\Delta_o` for each observable.  Predictions
that are linear in the observables shift by the same amounts, so that chi2, pulls, errors, weights, and differences between
estimates of the same observable do not change beyond rounding.

``factor``: values, their covariances and shifts, and predicted cross sections are multiplied by one common factor, and the
masses of prediction tables are shifted by one amount.  It is used where a shift would change chi2: relative and lognormal
responses, Pearson's weights, observables that cannot be negative, and predictions.  Pulls, chi2, weights and relative
errors do not change.

The amounts are hashes of the phrase.  A shift is 0.2 to 1 times the first power of ten above 10 times the smallest quoted
error, of either sign; a factor is 1.1 to 1.6, or one over that.  Blinding protects from looking by accident, not from
opening the input tables.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import Any, Final, assert_never

import numpy as np

from bayescomb.base.errors import OptionError
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import Blinding, BlindingKind

__all__ = ["blind", "fingerprint", "opened", "unblind"]

# Smallest shift as a part of the largest: a shift near 0 hides nothing.
LEAST: Final = 0.2
# The largest shift is at least this many times the smallest quoted error.
WIDTHS: Final = 10.0
# Logarithms of the smallest and the largest factor.
FACTORS: Final = (math.log(1.1), math.log(1.6))


def blind(combination: Combination, phrase: str) -> Combination:
    """The combination with its central values hidden; every output of it says BLINDED.

    Args:
        combination: the combination, before measurements are left out, as the amounts depend on all of them.
        phrase: some words; the same phrase gives the same amounts.

    Raises:
        OptionError: the phrase is empty; the combination is blinded already; it has parameters or formulas; or its results
            are divided by their sum, which a common factor does not hide.

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
    """The combination with its true central values, up to rounding.

    Args:
        combination: a blinded combination.
        phrase: the phrase that it was blinded with.

    Raises:
        OptionError: it is not blinded, or was blinded with another phrase.

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
    """A combination as it is read: blinded if the model or the user says so, unblinded by the right phrase.

    Args:
        combination: with true values, as its tables give them; or blinded already, as in an export.
        stated: phrase of the model, empty for none.
        asked: phrase by which the user blinds.
        phrase: phrase by which the user unblinds.

    Raises:
        OptionError: the phrase is wrong; nothing is blinded; both are asked for; or two phrases would blind.
    """
    where = f"blinding of {combination.name!r}"
    if asked is not None and phrase is not None:
        msg = f"{where}: blinding and unblinding are both asked for; keep one of the two"
        raise OptionError(msg)
    if asked is not None and stated and asked != stated:
        msg = f"{where}: the model is blinded by a phrase of its own; leave the other out"
        raise OptionError(msg)
    if phrase is not None and stated:
        _require_phrase(fingerprint(stated), phrase, where=f"un{where}")
        return combination  # the tables as they are, to the last digit
    if phrase is not None:
        return unblind(combination, phrase)
    hidden = asked if asked is not None else stated
    return blind(combination, hidden) if asked is not None or hidden else combination


def fingerprint(phrase: str) -> str:
    """A hash by which a wrong phrase is recognised, and from which the phrase does not follow."""
    return hashlib.sha256(f"bayescomb fingerprint\0{phrase}".encode()).hexdigest()[:16]


def _require_phrase(known: str, phrase: str, *, where: str) -> None:
    if fingerprint(phrase) != known:
        msg = f"{where}: this is not the phrase that it was blinded with"
        raise OptionError(msg)


def _kind(combination: Combination, where: str) -> BlindingKind:
    """The kind of blinding that does not change chi2."""
    if combination.normalise:
        msg = (
            f"{where}: results divided by their sum ('normalise') are not hidden by a common factor; blinding is not offered"
        )
        raise OptionError(msg)
    if combination.parameters or combination.functions:
        msg = f"{where}: parameters or formulas found, which a shift or factor changes; blinding is not offered"
        raise OptionError(msg)
    curved = combination.pearson or any(n.multiplicative for n in combination.nuisances)
    if curved or combination.nonnegative or combination.predictions:
        return "factor"
    return "shift"


def _hashed(phrase: str, name: str) -> float:
    """A number of size LEAST to 1 and either sign, uniform over phrases."""
    digest = hashlib.sha256(f"bayescomb amount\0{phrase}\0{name}".encode()).digest()
    size, sign = int.from_bytes(digest[:8]) / 2**64, 1 if digest[8] % 2 else -1
    return sign * (LEAST + (1 - LEAST) * size)


def _changed(combination: Combination, phrase: str, kind: BlindingKind, *, sign: int) -> Combination:
    """The combination blinded (sign 1) or unblinded (sign -1)."""
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
    """Measurements with each observable shifted by its hidden amount."""
    amounts = {o.name: sign * _hashed(phrase, o.name) * _largest_shift(combination, o.name) for o in combination.observables}
    measurements = tuple(
        dataclasses.replace(
            m, estimates=tuple(e.moved(sum(w * amounts[o] for o, w in e.observables.items())) for e in m.estimates)
        )
        for m in combination.measurements
    )
    return {"measurements": measurements}


def _multiplied(combination: Combination, phrase: str, *, sign: int) -> dict[str, Any]:
    """Measurements and predictions multiplied by the hidden factor, with the masses of predictions shifted."""
    part = _hashed(phrase, "factor")
    size = FACTORS[0] + (FACTORS[1] - FACTORS[0]) * (abs(part) - LEAST) / (1 - LEAST)
    factor = math.exp(sign * math.copysign(size, part))
    predictions = []
    for prediction in combination.predictions:
        # Up to half of the range of the table, so that the shifted range does not reveal the mass.
        largest = float(prediction.masses[-1] - prediction.masses[0]) / 2
        masses = prediction.masses + sign * _hashed(phrase, f"mass of {prediction.mass_scheme}") * largest
        scaled = {key: getattr(prediction, key) * factor for key in ("cross_sections", "mc_errors", "correlated_errors")}
        predictions.append(dataclasses.replace(prediction, masses=masses, **scaled))
    measurements = tuple(_scaled(m, factor) for m in combination.measurements)
    return {"measurements": measurements, "predictions": tuple(predictions)}


def _largest_shift(combination: Combination, observable: str) -> float:
    """The first power of ten above :data:`WIDTHS` times the smallest error that is quoted for an observable."""
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
        fit = dataclasses.replace(fit, information=fit.information * np.outer(scale, scale))
    return dataclasses.replace(
        measurement,
        estimates=tuple(e.scaled(factor) for e in measurement.estimates),
        statistical_covariance=None if covariance is None else covariance * factor**2,
        responses=measurement.responses * factor,
        down_responses=None if down is None else down * factor,
        fit=fit,
    )

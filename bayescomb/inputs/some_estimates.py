"""Combinations of some of the estimates, and combinations in which groups of estimates have observables of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from bayescomb.base.checks import known_name, some_names
from bayescomb.base.errors import OptionError, UnknownNameError
from bayescomb.inputs.combination import Combination, kept_fields
from bayescomb.inputs.measurements import Measurement

__all__ = ["experiment_groups", "grouped_name", "in_force", "matching_groups", "per_group", "with_estimates"]


def with_estimates(combination: Combination, names: Collection[str]) -> Combination:
    """The combination of some of the estimates; a measurement that keeps an estimate keeps all of its nuisances.

    In an extraction, a bin without an estimate is no longer compared with the prediction.

    Args:
        combination: the whole combination.
        names: names of the estimates that stay, at least one.

    Raises:
        UnknownNameError: an estimate does not exist.
        UnderdeterminedError: the rest does not determine its observables.
        OptionError: the extraction uses none of these estimates.

    Examples:
        >>> import bayescomb as bc
        >>> [e.title for e in with_estimates(bc.load("models/run1_mass"), ["a", "b"]).estimates]
        ['ATLAS dilepton 7 TeV', 'ATLAS lepton+jets 7 TeV']
    """
    known = [e.name for e in combination.estimates]
    for name in names:
        known_name(name, known, kind="estimate", where=f"{combination.name!r}")
    if set(names) == set(known):
        return combination
    kept = [m for m in combination.measurements if any(e.name in names for e in m.estimates)]
    extraction = combination.extraction_in_force
    if extraction is None:
        return dataclasses.replace(combination, **kept_fields(combination, [_reduced(m, names) for m in kept]))
    whole = dataclasses.replace(combination, **kept_fields(combination, kept))
    measured = {o for e in whole.estimates if e.name in names for o, factor in e.observables.items() if factor}
    lost = [o.name for o in whole.observables if o.name not in measured]
    # Estimates of bins that nothing else measures stay for their nuisances; dropped bins do not enter the fit.
    stay = {e.name for e in whole.estimates if e.name in names or set(e.observables) & set(lost)}
    extraction = whole.extraction_in_force
    if extraction is None:
        msg = f"{combination.name!r}: the extraction uses no observable of {some_names(names)}; keep another estimate"
        raise OptionError(msg)
    predicted = [o for p in whole.predictions_in_use for o in p.observables]
    drop = tuple(dict.fromkeys([*extraction.drop, *(o for o in lost if o in predicted)]))
    fields = kept_fields(whole, [_reduced(m, stay) for m in whole.measurements])
    return dataclasses.replace(whole, **fields).with_extraction(dataclasses.replace(extraction, drop=drop))


def _reduced(measurement: Measurement, names: Collection[str]) -> Measurement:
    """A measurement without some of its estimates; those of a fit are integrated out, so that all its nuisances stay."""
    index = [i for i, e in enumerate(measurement.estimates) if e.name in names]
    if len(index) == len(measurement.estimates):
        return measurement
    covariance, down, fit = measurement.statistical_covariance, measurement.down_responses, measurement.fit
    if fit is not None:
        rows = [*index, *range(len(measurement.estimates), len(fit.information))]
        information = np.linalg.inv(np.linalg.inv(fit.information)[np.ix_(rows, rows)])
        fit = dataclasses.replace(fit, information=(information + information.T) / 2)
    return dataclasses.replace(
        measurement,
        estimates=tuple(measurement.estimates[i] for i in index),
        statistical_covariance=None if covariance is None else covariance[np.ix_(index, index)],
        responses=measurement.responses[index],
        down_responses=None if down is None else down[index],
        fit=fit,
    )


def in_force(combination: Combination) -> Combination:
    """The combination with its assumption set in force alone, so that leaving inputs out reduces one set only."""
    return dataclasses.replace(combination, assumption_sets={combination.assumptions: combination.assumption_set})


def experiment_groups(combination: Combination) -> dict[str, tuple[str, ...]]:
    """Experiment -> its estimates, in the order of the inputs; empty if a measurement names no experiment."""
    groups: dict[str, tuple[str, ...]] = {}
    for m in combination.measurements:
        groups[m.experiment] = (*groups.get(m.experiment, ()), *(e.name for e in m.estimates))
    return {} if "" in groups else groups


def matching_groups(combination: Combination, patterns: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Group -> the estimates whose name or title, or whose measurement's name, matches one of its patterns.

    Args:
        combination: the combination with the estimates.
        patterns: group -> patterns with ``*`` and ``?``, as of file names.

    Raises:
        UnknownNameError: a pattern matches nothing.
        OptionError: an estimate is in two groups.

    Examples:
        >>> import bayescomb as bc
        >>> found = matching_groups(bc.load("models/run1_mass"), {"dilepton": ["*dilepton*"], "l+jets": ["*lepton+jets*"]})
        >>> {name: len(members) for name, members in found.items()}
        {'dilepton': 4, 'l+jets': 4}
    """
    groups: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for group, members in patterns.items():
        found = []
        for pattern in members:
            matched = [
                e.name
                for m in combination.measurements
                for e in m.estimates
                if any(fnmatchcase(text, pattern) for text in (e.name, e.title, m.name))
            ]
            if not matched:
                msg = f"group {group!r} of {combination.name!r}: {pattern!r} matches no estimate, title or measurement"
                raise UnknownNameError(msg)
            found += [name for name in matched if name not in found]
        for name in found:
            if name in owner:
                msg = f"groups of {combination.name!r}: estimate {name!r} is in {owner[name]!r} and {group!r}; keep one"
                raise OptionError(msg)
            owner[name] = group
        groups[group] = tuple(found)
    return groups


def per_group(combination: Combination, groups: Mapping[str, Sequence[str]]) -> Combination:
    """The combination in which every group of estimates has observables of its own, all correlations kept.

    Args:
        combination: the combination; an extraction is left out.
        groups: group -> its estimates; estimates of no group are left out.

    Raises:
        UnderdeterminedError: a group does not determine its observables.

    Returns:
        Observables ``x [group]``, in the order of the groups.
    """
    of = {name: group for group, members in groups.items() for name in members}
    plain = with_estimates(combination.with_extraction(""), list(of))
    measurements = tuple(
        dataclasses.replace(
            m,
            estimates=tuple(
                dataclasses.replace(e, observables={grouped_name(o, of[e.name]): x for o, x in e.observables.items()})
                for e in m.estimates
            ),
        )
        for m in plain.measurements
    )
    used = {o for m in measurements for e in m.estimates for o in e.observables}
    pairs = [(o, grouped_name(o.name, group)) for group in groups for o in plain.observables]
    return dataclasses.replace(
        plain,
        measurements=measurements,
        observables=tuple(dataclasses.replace(o, name=name, spectator=False) for o, name in pairs if name in used),
        nonnegative=tuple(name for o, name in pairs if name in used and o.name in plain.nonnegative),
        predictions=(),
        extractions={},
        normalise=False,
    )


def grouped_name(observable: str, group: str) -> str:
    """Name of an observable of one group.

    Examples:
        >>> grouped_name("m_t", "CMS")
        'm_t [CMS]'
    """
    return f"{observable} [{group}]"

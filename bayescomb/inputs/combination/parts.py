"""Fields of a combination of some measurements, and of one whose estimates have observables of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bayescomb.inputs.combination.contents import STATISTICS_GROUP, Contents
from bayescomb.inputs.formulas import Variable, formula_text, names_in, substituted
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import Observable

__all__ = ["kept_fields", "saturated_fields"]


def saturated_fields(combination: Contents, names: Collection[str]) -> dict[str, Any]:
    """Fields of the combination in which every estimate of some measurements has an observable of its own.

    Args:
        combination: the whole combination.
        names: names of these measurements.
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
                estimates=tuple(dataclasses.replace(e, observables={e.name: 1.0}, likelihood=None) for e in m.estimates),
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


def _measured(combination: Contents, measurements: Sequence[Measurement]) -> set[str]:
    """Names of the quantities that measurements measure, and of all quantities in their formulas."""
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


def _renamed(combination: Contents, observable: Observable, names: Mapping[str, str]) -> Observable:
    """The observable with its new name, and with the new names in its formula."""
    formula = observable.formula
    if formula and any(names[name] != name for name in names):
        tree = combination.quantities.written[observable.name]
        formula = formula_text(substituted(tree, {name: Variable(other) for name, other in names.items()}))
    return dataclasses.replace(observable, name=names[observable.name], formula=formula)


def _beside(taken: Collection[str], names: Sequence[str]) -> dict[str, str]:
    """New name of each observable, different from the names of the estimates."""
    found: dict[str, str] = {}
    for name in names:
        other = name
        while other in taken or (other != name and other in names):
            other += " (observable)"
        found[name] = other
    return found


def kept_fields(combination: Contents, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Fields of the combination of some measurements, without everything that concerns only the others.

    Args:
        combination: the whole combination.
        measurements: the measurements that stay.
    """
    names = {n.name for m in measurements for n in m.all_nuisances}
    priors = {p.prior_name for p in combination.parameters} - {m.name for m in measurements}
    parameters = [dataclasses.replace(p, prior=None) if p.prior_name in priors else p for p in combination.parameters]
    used = _measured(combination, measurements)
    variables = {o.name for o in combination.variables if o.name in used}
    groups = {key: tuple(n for n in group if n in names) for key, group in combination.impact_groups.items()}
    statistics = {key: group for key, group in combination.impact_groups.items() if group == (STATISTICS_GROUP,)}
    sources = {n.source or n.name for m in measurements for n in m.all_nuisances if not n.free}
    return {
        "measurements": tuple(measurements),
        "observables": tuple(o for o in combination.observables if o.name in used),
        "parameters": tuple(p for p in parameters if p.name in used),
        "derived": tuple(
            _still_written(combination, o, used)
            for o in combination.derived
            if variables.issuperset(names_in(combination.quantities.nodes[o.name]))
        ),
        "nonnegative": tuple(name for name in combination.nonnegative if name in used),
        "assumption_sets": {key: value.restricted_to(names) for key, value in combination.assumption_sets.items()},
        "impact_groups": {key: group for key, group in groups.items() if group} | statistics,
        "errors_on_errors": {key: value for key, value in combination.errors_on_errors.items() if key in sources},
        **_predicting(combination, used),
    }


def _still_written(combination: Contents, derived: Observable, used: Collection[str]) -> Observable:
    """A derived quantity; if its formula names an observable that is left out, with a formula of the variables."""
    lost = {o.name for o in combination.observables} - set(used)
    quantities = combination.quantities
    if not lost.intersection(names_in(quantities.written[derived.name])):
        return derived
    return dataclasses.replace(derived, formula=formula_text(quantities.nodes[derived.name]))


def _predicting(combination: Contents, observables: Collection[str]) -> dict[str, Any]:
    """Predictions and extractions of these observables alone."""
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

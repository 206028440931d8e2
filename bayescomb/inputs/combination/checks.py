"""Checks of a combination as a whole: settings, spectators, predictions, bounds, uncertain sizes and blinding."""

from __future__ import annotations

import numpy as np

from bayescomb.base.checks import check_choice, check_distinct, check_names, known_name
from bayescomb.base.choices import CHI2_FORMS, NUISANCE_VALUES, REPAIRS, TREATMENTS
from bayescomb.base.errors import InvalidMatrixError, InvalidNumberError, OptionError, UnderdeterminedError, UnknownNameError
from bayescomb.inputs.combination.contents import STATISTICS_GROUP, Contents
from bayescomb.inputs.formulas import names_in

__all__ = [
    "check_blinding",
    "check_determined",
    "check_errors_on_errors",
    "check_nonnegative",
    "check_predictions",
    "check_settings",
    "check_spectators",
]


def check_determined(combination: Contents, where: str) -> None:
    """Require that the estimates determine every variable; with curved formulas only their names are checked here."""
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


def check_spectators(combination: Contents, where: str) -> None:
    """Require that a spectator has one estimate only, with the same name."""
    maps = {e.name: dict(e.observables) for e in combination.estimates}
    for observable in combination.observables:
        if observable.formula and observable.spectator:
            msg = f"{where}: observable {observable.name!r} has a formula, so it is no spectator; leave one of the two out"
            raise OptionError(msg)
        owners = [name for name, mapping in maps.items() if observable.name in mapping]
        if observable.spectator and (owners != [observable.name] or maps[observable.name] != {observable.name: 1.0}):
            msg = (
                f"{where}: spectator {observable.name!r} belongs to {owners}; a spectator may have one estimate only, with "
                "the same name"
            )
            raise UnknownNameError(msg)


def check_settings(combination: Contents, where: str) -> None:
    """Require settings that exist and are compatible."""
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
    if combination.curved_terms and combination.treatment == "covariance":
        msg = (
            f"{where}: the treatment 'covariance' sums covariances, which chi2 'pearson', relative, lognormal or asymmetric "
            "responses and shifts of a likelihood table do not allow; use the treatment 'nuisance'"
        )
        raise OptionError(msg)
    if combination.pearson:
        if combination.tabulated:
            msg = f"{where}: chi2 'pearson' weighs by measured values, which a likelihood table does not have; use 'neyman'"
            raise OptionError(msg)
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


def check_predictions(combination: Contents, where: str) -> None:
    """Require that the names of predictions and extractions exist, and that chi2 allows the extraction in force."""
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
        predicted = [name for p in combination.predictions_of(extraction) for name in p.observables]
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
                "'neyman', absolute symmetric responses, no likelihood tables, no 'normalise' (the extraction itself "
                "normalises a distribution) and no 'nonnegative'"
            )
            raise OptionError(msg)


def check_errors_on_errors(combination: Contents, where: str) -> None:
    """Require that uncertain sizes belong to sources of the combination, and that chi2 is quadratic in the observables."""
    known = {n.source or n.name for n in combination.nuisances if not n.free}
    for name in combination.errors_on_errors:
        known_name(name, known, kind="source of a nuisance with a prior", where=f"errors on errors of {where}")
    if combination.errors_on_errors and not combination.linear:
        msg = (
            f"{where}: errors on errors need a chi2 that is quadratic in the observables: 'neyman', absolute symmetric "
            "responses, no likelihood tables, no 'normalise' and no 'nonnegative'"
        )
        raise OptionError(msg)


def check_blinding(combination: Contents, where: str) -> None:
    """Require settings that do not reveal the hidden values, and of which no result changes with the shift or factor."""
    found = combination.blinding
    if found is None:
        return
    curved = combination.pearson or any(n.multiplicative for n in combination.nuisances)
    state = "state it in the model, which chooses the kind of blinding by it"
    named = {
        ("'normalise', whose results a common factor does not hide", "leave it out until then"): combination.normalise,
        (
            "parameters, formulas or derived quantities, whose values and errors the shift or factor changes",
            "leave them out until then",
        ): bool(combination.parameters or combination.functions),
        ("chi2 'pearson' or responses that are not absolute, which a shift changes", state): found.kind == "shift"
        and curved,
        ("'nonnegative', whose bound reveals the shift", state): found.kind == "shift" and bool(combination.nonnegative),
    }
    for (what, advice), there in named.items():
        if there:
            msg = f"{where} is blinded ({found.kind}) and has {what}; {advice}, or unblind it"
            raise OptionError(msg)


def check_nonnegative(combination: Contents, where: str) -> None:
    """Require that nonnegative quantities are observables without a formula, and that the results are these observables."""
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
        because = "errors on errors are given, whose fit has no bounds"
    if combination.normalise and combination.functions:
        msg = f"{where}: 'normalise' does not go with formulas; write the shares as derived quantities, as in a / (a + b)"
        raise OptionError(msg)
    if combination.bounds and because:
        msg = f"{where}: nonnegative observables are not offered, as {because}; leave one of the two out"
        raise OptionError(msg)

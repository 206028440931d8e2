"""Compatibility of each input with the rest: the growth of chi2 when it joins the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, expects
from bayescomb.base.choices import INPUT_KINDS, InputKind
from bayescomb.base.errors import BayescombError, OptionError, UnderdeterminedError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.profile import degrees_of_freedom, goodness_of_fit, has_pulls
from bayescomb.inputs.combination import Combination, saturated_fields
from bayescomb.inputs.some_estimates import experiment_groups, in_force, with_estimates
from bayescomb.likelihood.linear_gaussian import solve

__all__ = ["Compatibility", "compatibility", "input_groups"]


@dataclass(frozen=True, kw_only=True)
class Compatibility:
    """One measurement, estimate or experiment against all others.

    Attributes:
        name: name of the input.
        by: kind of the input.
        chi2: chi2 of all less chi2 of the rest; for linear responses distributed as chi2 with ``ndf`` degrees of freedom,
            whatever the correlations.  Tension inside the measurement counts too.  Post-fit pulls of the measurement are
            data that constrain correlated nuisances of the rest: they stay, and only its estimates are left out.
        ndf: degrees of freedom of all less those of the rest.
        p_value: ``None`` if ``ndf`` is 0, as nothing tests the measurement then, or if there is a problem.
        problem: why there is no number, empty if there is one.
    """

    name: str
    chi2: float | None
    ndf: int
    p_value: float | None
    problem: str = ""
    by: InputKind = "measurement"


@expects(combination="combination")
@single_threaded
def compatibility(combination: Combination, *, by: InputKind = "measurement") -> tuple[Compatibility, ...]:
    """One entry per input, at nominal coefficients; no entries for a single input.

    Args:
        combination: what is combined.
        by: kind of an input, ``"measurement"``, ``"estimate"`` or ``"experiment"``.

    Raises:
        OptionError: ``by`` is none of these words.
        InfeasibleCorrelationError: the nominal coefficients leave the feasible set.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.compatibility(bc.load("models/run1_mass"))
        >>> worst = min(rows, key=lambda row: row.p_value)
        >>> worst.ndf, worst.p_value > 0.01
        (1, True)
    """
    check_choice(by, INPUT_KINDS, where="what is tested against the rest")
    groups = input_groups(combination, by)
    if len(groups) < 2:
        return ()
    combination = in_force(combination)
    fitter = Fitter(combination)
    correlation, repairs = fitter.correlation()
    whole, ndf = fitter.fit(correlation, errors="hesse").chi2, degrees_of_freedom(combination)
    freeable = _freeable(combination) and not repairs
    rows = []
    for name, members in groups.items():
        try:
            chi2, own_ndf = _freed(fitter, correlation, members) if freeable else _refitted(combination, members)
            added, change = ndf - own_ndf, whole - chi2
        except BayescombError as error:
            rows.append(Compatibility(name=name, chi2=None, ndf=0, p_value=None, problem=str(error), by=by))
            continue
        p_value = goodness_of_fit(change, added)
        problem = ""
        if added and p_value is None:
            problem = "no chi2: constraints above 1 leave the inputs more freedom apart than their priors allow"
        found = change if np.isfinite(change) else None
        rows.append(Compatibility(name=name, chi2=found, ndf=added, p_value=p_value, problem=problem, by=by))
    return tuple(rows)


def input_groups(combination: Combination, by: InputKind) -> dict[str, tuple[str, ...]]:
    """Name of each input -> its estimates; empty by experiment if an input names none.

    Examples:
        >>> import bayescomb as bc
        >>> {name: len(found) for name, found in input_groups(bc.load("models/run1_mass"), "experiment").items()}
        {'ATLAS': 6, 'CMS': 9}
    """
    match by:
        case "experiment":
            return experiment_groups(combination)
        case "estimate":
            return {e.name: (e.name,) for e in combination.estimates}
        case "measurement":
            return {m.name: tuple(e.name for e in m.estimates) for m in combination.measurements}
    assert_never(by)


def _freeable(combination: Combination) -> bool:
    """Whether an unknown shift of an estimate leaves it out of the fit: chi2 is a quadratic form of the estimates."""
    return (
        combination.linear
        and not combination.extraction
        and not combination.errors_on_errors
        and all(m.fit is None and not any(n.free for n in m.nuisances) for m in combination.measurements)
    )


def _freed(fitter: Fitter, correlation: FloatArray, members: Sequence[str]) -> tuple[float, int]:
    """Chi2 and degrees of freedom of the rest, from the linear model of all: its chi2 with an unknown shift per member.

    Making and checking a combination per input would take several times as long as its fit.
    """
    model, design = fitter.linear, fitter.combination.design
    out = np.isin(model.estimates, members)
    left = design[~out].any(axis=0)  # observables that only the members measure do not enter the rest
    freed = dataclasses.replace(
        model,
        parameters=(*(p for p, kept in zip(model.parameters, left, strict=True) if kept), *members),
        design=np.hstack([model.design[:, left], model.estimate_loading[:, out]]),
    )
    ndf = int(np.count_nonzero(~out)) - int(np.linalg.matrix_rank(design[~out]))
    try:
        return solve(freed, correlation).chi2, ndf
    except UnderdeterminedError:  # the message is about the rest alone
        return _refitted(fitter.combination, members)


def _refitted(combination: Combination, members: Sequence[str]) -> tuple[float, int]:
    """Chi2 and degrees of freedom of the rest as a combination of its own."""
    rest, freed = _rest(combination, members)
    return Fitter(freed).nominal().chi2, degrees_of_freedom(rest)


def _rest(combination: Combination, members: Sequence[str]) -> tuple[Combination, Combination]:
    """The combination without some estimates; and with the post-fit pulls of whole measurements, if these have any."""
    rest = with_estimates(combination, [e.name for e in combination.estimates if e.name not in members])
    left_out = [m.name for m in combination.measurements if {e.name for e in m.estimates} <= set(members)]
    if not any(has_pulls(combination, m) for m in combination.measurements if m.name in left_out):
        return rest, rest
    if sum(len(m.estimates) for m in combination.measurements if m.name in left_out) < len(members):
        msg = f"{', '.join(members)}: whole measurements with post-fit pulls and parts of others; test them one by one"
        raise OptionError(msg)
    return rest, dataclasses.replace(combination, **saturated_fields(combination, left_out))

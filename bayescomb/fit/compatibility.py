"""Compatibility of each input with the rest: how much worse the rest fits when it joins."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from bayescomb.base.checks import expects
from bayescomb.base.errors import BayescombError
from bayescomb.base.threads import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.profile import degrees_of_freedom, goodness_of_fit, has_pulls
from bayescomb.inputs.combination import Combination

__all__ = ["Compatibility", "compatibility"]


@dataclass(frozen=True, kw_only=True)
class Compatibility:
    """One measurement against all others.

    Attributes:
        measurement: its name.
        chi2: chi2 of all less chi2 of the rest; for linear responses distributed as chi2 with ``ndf`` degrees of freedom,
            whatever the correlations.  Tension inside the measurement counts too.  Post-fit pulls of the measurement are
            data of their own, which correlated nuisances of the rest feel: they stay, and only its estimates are left out.
        ndf: degrees of freedom of all less those of the rest.
        p_value: ``None`` if ``ndf`` is 0, as nothing tests the measurement then, or if there is a problem.
        problem: why there is no number, empty if there is one.
    """

    measurement: str
    chi2: float | None
    ndf: int
    p_value: float | None
    problem: str = ""


@expects(combination="combination")
@single_threaded
def compatibility(combination: Combination) -> tuple[Compatibility, ...]:
    """One entry per measurement, at nominal coefficients; none for a single measurement.

    Raises:
        InfeasibleCorrelationError: the nominal coefficients leave the feasible set.

    Examples:
        >>> import bayescomb as bc
        >>> rows = bc.compatibility(bc.load("models/run1_mass"))
        >>> worst = min(rows, key=lambda row: row.p_value)
        >>> worst.ndf, worst.p_value > 0.01
        (1, True)
    """
    if len(combination.measurements) < 2:
        return ()
    # The other assumption sets need not be cut down with every measurement that is left out.
    in_force = {combination.assumptions: combination.assumption_set}
    combination = dataclasses.replace(combination, assumption_sets=in_force)
    whole, ndf = _chi2(combination), degrees_of_freedom(combination)
    rows = []
    for measurement in combination.measurements:
        try:
            rest = combination.without(measurement.name)
            added = ndf - degrees_of_freedom(rest)
            if has_pulls(combination, measurement):
                rest = combination.saturated(measurement.name)
            change = whole - _chi2(rest)
        except BayescombError as error:
            rows.append(Compatibility(measurement=measurement.name, chi2=None, ndf=0, p_value=None, problem=str(error)))
            continue
        p_value = goodness_of_fit(change, added)
        problem = ""
        if added and p_value is None:
            problem = "no chi2: constraints above 1 leave the inputs more freedom apart than their priors allow"
        chi2 = change if np.isfinite(change) else None
        rows.append(Compatibility(measurement=measurement.name, chi2=chi2, ndf=added, p_value=p_value, problem=problem))
    return tuple(rows)


def _chi2(combination: Combination) -> float:
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation()
    return fitter.fit(correlation, errors="hesse").chi2

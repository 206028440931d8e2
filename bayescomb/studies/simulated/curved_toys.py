"""Simulated data sets of models with formulas that are not linear or with ranges.

Each data set is a combination of its own, fitted and sampled.  The coverage of the profile is studied at a fixed truth, the
best fit to the real data; stated priors are auxiliary measurements there, whose values vary like all others.  The ranks of a
posterior are uniform where the truth is drawn from its priors, which keep their stated values: every variable needs a proper
prior, stated or a range with two ends.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from bayescomb.base.errors import FitError, OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import jet
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.simulation import simulate
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.predictive_groups import proper_variables
from bayescomb.studies.simulated.data_sets import SeparateDataSets

__all__ = ["CurvedToys", "require_curved"]


def require_curved(combination: Combination, *, posterior: bool) -> None:
    """Raise unless data sets can be simulated of a combination with curved formulas or ranges.

    Raises:
        OptionError: chi2 is Pearson's, a response is curved, a nuisance is free, or results are normalised; or posteriors
            are asked for and a variable has a flat prior.
    """
    where = f"{combination.name!r}"
    free = [n.name for n in combination.nuisances if n.free]
    if combination.curved_terms or combination.normalise or free:
        msg = (
            f"{where}: where formulas are not linear or variables have ranges, data sets are simulated only with chi2 "
            "'neyman', absolute symmetric responses, results that are not normalised, and no free nuisances"
        )
        raise OptionError(msg)
    if posterior:
        proper = proper_variables(combination)
        flat = [o.name for o in combination.variables if o.name not in proper]
        if flat:
            msg = (
                f"{where}: the prior of {', '.join(map(repr, flat))} is flat, so that no truth can be drawn from it, as a "
                "study of posteriors needs where formulas are not linear or variables have ranges; state a prior of each "
                "parameter, or study the profile alone (--profile-only)"
            )
            raise OptionError(msg)


class CurvedToys(SeparateDataSets):
    """Data sets of one combination and their analysis; nuisances are not followed.

    Args:
        combination: what is studied, see :func:`require_curved`.
        settings: those of :class:`~bayescomb.studies.simulated.data_sets.DataSets`; with ``posterior`` the truth is drawn
            from the priors.

    Raises:
        OptionError: an option is not offered, or the combination cannot be simulated.
    """

    @single_threaded
    def __init__(self, combination: Combination, **settings: Any) -> None:
        super().__init__(combination, **settings)
        require_curved(combination, posterior=self.posterior)
        self.plan = sampling_plan(combination, correlations=self.correlations)
        self.correlation = Fitter(combination).correlation()[0]
        fitted = None if self.posterior else Fitter(combination).fit(self.correlation, errors="hesse")
        names = [o.name for o in combination.variables]
        self.fixed = None if fitted is None else fitted.values[[fitted.parameters.index(name) for name in names]]

    @single_threaded
    def data(self, toy: int) -> tuple[Combination, dict[str, float]]:
        """Data set number ``toy``: the combination with its simulated values, and the true value by quantity."""
        combination, rng = self.combination, self._data_stream(toy)
        drawn = self._true_coefficients(rng)[0]
        coefficients = {c.name: float(r) for c, r in zip(self.plan.coefficients, drawn, strict=True)}
        if self.fixed is None:
            proper = proper_variables(combination)
            values = np.array([float(proper[o.name](rng, 1)[0]) for o in combination.variables])
        else:
            values = self.fixed
        (simulated,) = simulate(combination, observables=values, rng=rng, coefficients=coefficients)
        if self.posterior:
            stated = {p.prior_name for p in combination.parameters}
            given = {m.name: m for m in combination.measurements if m.name in stated}
            measurements = tuple(given.get(m.name, m) for m in simulated.measurements)
            simulated = dataclasses.replace(simulated, measurements=measurements)
        quantities = combination.quantities
        truth = {o.name: float(jet(quantities.nodes[o.name], values, quantities.index).value) for o in combination.results}
        truth = {variable_name(name): value for name, value in truth.items()}
        return simulated, truth | {f"rho[{name}]": r for name, r in coefficients.items()}

    def _profile(self, simulated: Combination, truth: dict[str, float]) -> dict[str, Any]:
        """The fit; a best fit at an end of a range has no errors, which are then 0, and is left out of the coverage."""
        names = [o.name for o in self.combination.results]
        try:
            fitted = Fitter(simulated).fit(self.correlation, errors="crossing")
        except FitError:
            if not self.combination.bounds:
                raise
            return {"chi2": None, "profile": {variable_name(n): [truth[variable_name(n)], 0.0, 0.0, 0.0] for n in names}}
        at = [fitted.parameters.index(name) for name in names]
        rows = self._profile_rows(truth, names, fitted.values[at], fitted.up[at], fitted.down[at])
        return {"chi2": float(fitted.chi2), "profile": rows}

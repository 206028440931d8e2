"""Simulated data sets of formulas that are not linear and of ranges: each is a combination of its own, fitted and sampled.

At a fixed truth the profile has a cover, whatever its formulas: the truth is the best fit to the real data, and the
auxiliary measurements that the stated priors are vary as all others do.  Ranks of a posterior are uniform where the truth is
drawn from its priors, which stay as they are stated: every variable needs a proper one, stated or a range with two ends.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice
from bayescomb.base.choices import CORRELATIONS, Correlations
from bayescomb.base.errors import BayescombError, FitError, OptionError
from bayescomb.base.numerics.threads import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import jet
from bayescomb.inputs.variables import variable_name
from bayescomb.likelihood.simulation import simulate
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.posterior.summary import mean_sd
from bayescomb.sampling.prior_group import proper_variables
from bayescomb.sampling.priors import prior_draws
from bayescomb.studies.simulated.ranks import LEVELS, RANKS

__all__ = ["CurvedToys", "require_curved"]


def require_curved(combination: Combination, *, posterior: bool) -> None:
    """Data sets can be simulated of a combination whose formulas are not linear or whose variables have ranges.

    Raises:
        OptionError: weights or responses are not those of a Gaussian, a nuisance is free, or results are normalised; or
            posteriors are asked for and a variable is flat.
    """
    where = f"{combination.name!r}"
    free = [n.name for n in combination.nuisances if n.free]
    if combination.curved_terms or combination.normalise or free:
        msg = (
            f"{where}: data sets are simulated of chi2 'neyman' with absolute symmetric responses, of results that are not "
            "normalised, and without free nuisances where formulas are not linear or variables have ranges"
        )
        raise OptionError(msg)
    if posterior:
        proper = proper_variables(combination)
        flat = [o.name for o in combination.variables if o.name not in proper]
        if flat:
            msg = (
                f"{where}: {', '.join(map(repr, flat))} flat, which is no prior to draw the truth of a posterior from, as "
                "formulas that are not linear and ranges need; state a prior of each parameter, or study the profile alone "
                "(--profile-only)"
            )
            raise OptionError(msg)


class CurvedToys:
    """Data sets of one combination and their analysis.

    Args:
        combination: what is studied.
        seed: toy i is the same whatever else is done.
        correlations: as :class:`~bayescomb.studies.simulated.toys.Toys` takes it.
        posterior: whether each data set is sampled too; the truth then is drawn from the priors.
        draws: kept steps per chain.
        tune: tuning steps per chain.
        chains: number of chains.
        nuisances: not used, nuisances are not followed here.

    Raises:
        OptionError: an option is not offered, or the combination cannot be simulated.
    """

    @single_threaded
    def __init__(
        self,
        combination: Combination,
        *,
        seed: int,
        correlations: Correlations = "prior",
        posterior: bool = True,
        draws: int = 300,
        tune: int = 150,
        chains: int = 2,
        nuisances: int = 20,
    ) -> None:
        del nuisances
        check_choice(correlations, CORRELATIONS, where="correlations")
        require_curved(combination, posterior=posterior)
        self.combination, self.seed, self.posterior, self.correlations = combination, seed, posterior, correlations
        self.draws, self.tune, self.chains = draws, tune, chains
        self.plan = sampling_plan(combination, correlations=correlations)
        self.correlation = Fitter(combination).correlation()[0]
        fitted = None if posterior else Fitter(combination).fit(self.correlation, errors="hesse")
        names = [o.name for o in combination.variables]
        self.fixed = None if fitted is None else fitted.values[[fitted.parameters.index(name) for name in names]]

    @single_threaded
    def data(self, toy: int) -> tuple[Combination, dict[str, float]]:
        """Data set number ``toy``, and the truth by quantity."""
        combination, plan = self.combination, self.plan
        rng = np.random.default_rng([self.seed, 1, toy])
        drawn = prior_draws(plan.coefficients, low=plan.low, high=plan.high, draws=1, rng=rng, feasible=plan.feasible())[0]
        coefficients = {c.name: float(r) for c, r in zip(plan.coefficients, drawn, strict=True)}
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

    @single_threaded
    def analyse(self, toy: int) -> dict[str, Any]:
        """Truth, profile and posterior of one data set, see :meth:`bayescomb.studies.simulated.toys.Toys.analyse`.

        A profile that ends at the end of a range has no errors, and does not count.
        """
        simulated, truth = self.data(toy)
        try:
            record = {"toy": toy} | self._profile(simulated, truth)
            return record | self._posterior(simulated, truth, toy) if self.posterior else record
        except BayescombError as error:
            return {"toy": toy, "problem": str(error)}

    def _profile(self, simulated: Combination, truth: dict[str, float]) -> dict[str, Any]:
        names = [o.name for o in self.combination.results]
        try:
            fitted = Fitter(simulated).fit(self.correlation, errors="crossing")
        except FitError:
            if not self.combination.bounds:
                raise
            return {"chi2": None, "profile": {variable_name(n): [truth[variable_name(n)], 0.0, 0.0, 0.0] for n in names}}
        at = [fitted.parameters.index(name) for name in names]
        rows = {
            variable_name(name): [
                truth[variable_name(name)],
                *(float(x[i]) for x in (fitted.values, fitted.up, fitted.down)),
            ]
            for name, i in zip(names, at, strict=True)
        }
        return {"chi2": float(fitted.chi2), "profile": rows}

    def _posterior(self, simulated: Combination, truth: dict[str, float], toy: int) -> dict[str, Any]:
        from bayescomb.sampling.sample import sample

        tree = sample(
            simulated,
            seed=int(np.random.default_rng([self.seed, 2, toy]).integers(2**31)),
            draws=self.draws,
            tune=self.tune,
            chains=self.chains,
            correlations=self.correlations,
            progress=False,
        )
        found = tree["posterior"].to_dataset()
        rows = {}
        for name, value in truth.items():
            values = _stacked(found, name)
            chosen = values[np.linspace(0, len(values) - 1, RANKS).astype(int)]
            ends = [np.quantile(values, 0.5 + sign * level / 2) for level in LEVELS.values() for sign in (-1, 1)]
            rows[name] = [value, int((chosen < value).sum()), *mean_sd(values), *map(float, ends)]
        return {"posterior": rows, "divergences": int(tree["sample_stats"]["diverging"].sum())}


def _stacked(found: xr.Dataset, name: str) -> FloatArray:
    """Draws of a result or coefficient, chains one after the other."""
    if name.startswith("rho[") and name not in found:
        return np.asarray(found["rho"].sel(coefficient=name[4:-1]).to_numpy().ravel())
    return np.asarray(found[name].to_numpy().ravel())

"""Settings, random streams, true values and records that all simulated data sets of a combination share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import check_choice
from bayescomb.base.choices import CORRELATIONS, Correlations
from bayescomb.base.errors import BayescombError
from bayescomb.base.numerics import single_threaded
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.formulas import evaluate
from bayescomb.inputs.observables import variable_name
from bayescomb.sampling.plan import SamplingPlan, stacked_vector
from bayescomb.sampling.posterior.storage import modes_of
from bayescomb.sampling.priors import prior_draws
from bayescomb.sampling.sample import sample
from bayescomb.studies.simulated.ranks import ranked

__all__ = ["DataSets", "SeparateDataSets"]


class DataSets:
    """Data sets of one combination and their analysis.

    Args:
        combination: what is studied.
        seed: of everything random; data set i depends on the seed and i alone.
        correlations: ``"prior"`` draws the true coefficients from their prior and samples them, ``"nominal"`` holds them.
        posterior: whether each data set is sampled too.
        draws: kept steps per chain.
        tune: tuning steps per chain.
        chains: number of chains.
        nuisances: number of nuisances that are followed, chosen at random.

    Raises:
        OptionError: an option is not offered.
    """

    plan: SamplingPlan

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
        check_choice(correlations, CORRELATIONS, where="correlations")
        self.combination, self.seed, self.correlations, self.posterior = combination, seed, correlations, posterior
        self.draws, self.tune, self.chains, self.nuisances = draws, tune, chains, nuisances

    def _followed(self, count: int) -> IntArray:
        """Positions, ascending, of the followed nuisances among ``count``."""
        rng = np.random.default_rng([self.seed, 0])
        return np.sort(rng.choice(count, size=min(self.nuisances, count), replace=False))

    def _data_stream(self, toy: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 1, toy])

    def _sampler_seed(self, toy: int) -> int:
        return int(np.random.default_rng([self.seed, 2, toy]).integers(2**31))

    def _true_coefficients(self, rng: np.random.Generator) -> FloatArray:
        """One draw of the sampled coefficients, shape (1, K)."""
        plan = self.plan
        return prior_draws(plan.coefficients, low=plan.low, high=plan.high, draws=1, rng=rng, feasible=plan.feasible())

    def _named_coefficients(self, coefficients: FloatArray) -> dict[str, Any]:
        """Quantity -> value, or draws, of the sampled coefficients, shape (K, ...)."""
        return {f"rho[{c.name}]": r for c, r in zip(self.plan.coefficients, coefficients, strict=True)}

    def _functions(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Observables with a formula and derived quantities from values, or draws, of the variables."""
        nodes = self.combination.quantities.nodes
        return {o.name: evaluate(nodes[o.name], values) for o in self.combination.functions}

    @staticmethod
    def _profile_rows(
        truth: Mapping[str, float],
        names: Iterable[str],
        values: Iterable[float],
        up: Iterable[float],
        down: Iterable[float],
    ) -> dict[str, list[float]]:
        """Quantity -> [truth, value, up, down] of a fit, signed errors."""
        return {
            variable_name(name): [truth[variable_name(name)], float(value), float(above), float(below)]
            for name, value, above, below in zip(names, values, up, down, strict=True)
        }


class SeparateDataSets(DataSets):
    """Data sets of which each is a combination of its own, fitted and sampled as any other combination."""

    def data(self, toy: int) -> tuple[Combination, dict[str, float]]:
        """Data set number ``toy``: the combination with its simulated values, and the true value by quantity."""
        raise NotImplementedError

    def _profile(self, simulated: Combination, truth: dict[str, float]) -> dict[str, Any]:
        """``chi2`` and ``profile`` of the record of one data set."""
        raise NotImplementedError

    @single_threaded
    def analyse(self, toy: int) -> dict[str, Any]:
        """Truth, profile and posterior of one data set, see :meth:`bayescomb.studies.simulated.toys.Toys.analyse`."""
        simulated, truth = self.data(toy)
        try:
            record = {"toy": toy} | self._profile(simulated, truth)
            return record | self._posterior(simulated, truth, toy) if self.posterior else record
        except BayescombError as error:
            return {"toy": toy, "problem": str(error)}

    def _posterior(self, simulated: Combination, truth: Mapping[str, float], toy: int) -> dict[str, Any]:
        def sampled(longer: int) -> tuple[dict[str, FloatArray], int, str]:
            tree = sample(
                simulated,
                seed=self._sampler_seed(toy),
                draws=longer * self.draws,
                tune=self.tune,
                chains=self.chains,
                correlations=self.correlations,
                progress=False,
            )
            found = {name: values for name, values in _quantities(tree["posterior"].to_dataset()).items() if name in truth}
            return found, int(tree["sample_stats"]["diverging"].sum()), modes_of(tree).get("reason", "")

        return ranked(truth, sampled, chains=self.chains)


def _quantities(draws: xr.Dataset) -> dict[str, FloatArray]:
    """Draws by quantity, chains one after the other."""
    found = {str(name): values.to_numpy().ravel() for name, values in draws.items() if values.ndim == 2}
    for variable, dim in (("rho", "coefficient"), ("pull", "nuisance")):
        if variable in draws:
            columns = zip(draws[dim].to_numpy(), stacked_vector(draws, variable).T, strict=True)
            found |= {f"{variable}[{name}]": values for name, values in columns}
    return found

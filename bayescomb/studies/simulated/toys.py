"""Simulated data sets of a model, each analysed by profile and by posterior; prepared once, whatever the number.

A data set is a vector w_0 of the factored data (:mod:`bayescomb.likelihood.linear_gaussian`): w_0 = K p + F lambda + e with
e ~ N(0, 1), nuisances lambda ~ N(0, C(r)) and coefficients r from their prior.  Design, loading and therefore V(r) are
those of the real data, so that one compiled density serves all data sets: only the reduced offset in it is replaced.

The observables have flat priors, from which nothing can be drawn.  They are held at the best fit: shifting them shifts data
and posterior alike, so that the rank of the true value among the draws is uniform at any of them as it is over the prior.
Not so scales that are parameters of an extraction: the data tell little of them, and the best fit is often at the end of a
flat prior, where every estimate lies on the same side of the truth and takes the mass along.  They are drawn from their
priors, as the nuisances are.  Predictions are no straight lines in the masses: ranks are uniform at one of them as far as
they are, and exactly so with masses drawn from their priors, which end with the tables.
Sources that are no correlation matrices (treatment covariance) are drawn as part of V, without nuisances of their own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, assert_never

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice
from bayescomb.base.errors import BayescombError, OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.minimise.extraction import fit_extraction
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.linear_gaussian import linear_model, solve
from bayescomb.likelihood.simulation import DataReduction, data_reduction
from bayescomb.likelihood.theory import Theory, scale_correlation
from bayescomb.sampling.fused.model import FusedModel
from bayescomb.sampling.model.extraction import draw_theory, extraction_start
from bayescomb.sampling.nuts.modes import MAX_MODES, separated_modes
from bayescomb.sampling.nuts.run import CompiledModel, compile_model, run_modes, run_nuts
from bayescomb.sampling.plan import SamplingPlan, sampling_plan, stacked
from bayescomb.sampling.recovery import recover_nuisances, recoverable_nuisances
from bayescomb.sampling.sample import fused_of, target_accept, with_integrated
from bayescomb.sampling.tree import differences
from bayescomb.studies.simulated.data_sets import DataSets
from bayescomb.studies.simulated.ranks import matrix_root, ranked

__all__ = ["Toys", "require_simulated"]

# Steps longer than those of a single posterior, where nothing curved forbids them: more draws of a data set are
# correlated, which costs nothing as long as more than RANKS are effective, and half the gradients are saved.
TOY_ACCEPT = 0.6
CURVED_ACCEPT = 0.95


@dataclass(frozen=True, kw_only=True)
class _Data:
    """A simulated data set with what it was made from.

    Attributes:
        offset: w_0, shape (R,).
        truth: true value by quantity.
    """

    offset: FloatArray
    truth: dict[str, float]


def require_simulated(combination: Combination) -> None:
    """Data sets can be simulated of the combination and analysed.

    Raises:
        OptionError: chi2 is not quadratic, results are normalised or have bounds, or constraints above 1 leave no data.
    """
    if not combination.linear:
        msg = f"{combination.name!r}: its results are not linear in the data; use studies.simulated.curved_toys.CurvedToys"
        raise OptionError(msg)
    if (linear_model(combination).signs < 0).any():
        msg = f"{combination.name!r}: constraints above 1 leave no data to simulate"
        raise OptionError(msg)


class Toys(DataSets):
    """Data sets of one linear model, of which a mass may be extracted, and their analysis.

    Args:
        combination: what is studied.
        masses: ``"fitted"`` holds the true masses of an extraction at the best fit, ``"prior"`` draws them from their flat
            priors.
        settings: as :class:`~bayescomb.studies.simulated.data_sets.DataSets` takes them.  Scales that are parameters are
            drawn from their priors whatever ``correlations`` is.

    Raises:
        OptionError: an option is not offered, chi2 is not quadratic, the result is normalised, or constraints above 1 leave
            no data to simulate.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.studies.simulated.toys import Toys
        >>> toys = Toys(bc.load("models/run1_mass"), seed=1, correlations="nominal", posterior=False)
        >>> record = toys.analyse(0)
        >>> truth, value, up, down = record["profile"]["m_t"]
        >>> round(truth, 2), abs(value - truth) < 5 * up
        (172.51, True)
    """

    # With the threads of the analysis: eigenvectors, and with them the rows of the reduced model, depend on the rounding.
    @single_threaded
    def __init__(self, combination: Combination, *, masses: str = "fitted", **settings: Any) -> None:
        super().__init__(combination, **settings)
        check_choice(masses, ("fitted", "prior"), where="masses")
        require_simulated(combination)
        self.masses = masses
        self.sampled_coefficients = self.correlations == "prior"
        self.plan = sampling_plan(combination, correlations=self.correlations)
        self.recoverable = recoverable_nuisances(self.plan)
        self.followed = self._followed(len(self.recoverable.index))
        self.names = tuple(o.name for o in combination.results)

    @cached_property
    def _fitter(self) -> Fitter:
        return Fitter(self.combination)

    @cached_property
    def _correlation(self) -> FloatArray:
        """C of the profile, theory included."""
        return self._fitter.correlation()[0]

    @cached_property
    def _integrated(self) -> DataReduction:
        """All nuisances integrated, for the profile of an extraction."""
        n = len(self.plan.model.nuisances)
        return data_reduction(self.plan.model, np.zeros(0, dtype=np.intp), self._correlation[:n, :n])

    @cached_property
    def _solution(self) -> Any:
        return solve(self.plan.model, self._correlation)

    @cached_property
    def _true_parameters(self) -> tuple[FloatArray, FloatArray]:
        """Masses and scales, and flat parameters (levels of an extraction): the best fit to the real data."""
        if self.plan.theory is None:
            return np.zeros(0), self._solution.values
        start = extraction_start(self.plan, self.plan.theory)
        return start.theta, start.levels

    def _with_scales(
        self, theory: Theory, theta: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, dict[str, float]]:
        """Theta with its scales drawn from their priors, and the correlation between energies that they were drawn with."""
        scales, count = theory.extraction.scales, len(theory.scales)
        if self.masses == "prior":
            own = slice(len(theory.masses))
            theta = np.concatenate([rng.uniform(theory.low[own], theory.high[own]), theta[len(theory.masses) :]])
        if not count:
            return theta, {}
        drawn: dict[str, float] = {}
        match scales.prior:
            case "uniform":
                logarithms = rng.uniform(-scales.width, scales.width, count)
            case "normal":
                coefficient = scales.nominal
                if scales.treatment == "correlated" and self.sampled_coefficients:
                    coefficient = rng.uniform(scales.low, scales.high)
                    drawn = {SCALE_COEFFICIENT: coefficient}
                root = matrix_root(scale_correlation(theory.extraction, coefficient))
                logarithms = scales.width * (root @ rng.standard_normal(count))
            case _:
                assert_never(scales.prior)
        return np.concatenate([theta[: len(theory.masses)], logarithms]), drawn

    @cached_property
    def _fixed_factors(self) -> tuple[FloatArray, FloatArray]:
        return self._factors(np.zeros((1, 0)))

    def _factors(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Roots of C of the nuisances with draws of their own, and of the covariance of w_0 that is left."""
        plan, index = self.plan, self.recoverable.index
        correlation = plan.correlation(weights, index)[0]
        loading = plan.model.loading[:, index]
        if len(index) == len(plan.model.nuisances):
            return matrix_root(correlation), np.diag(np.sqrt(plan.model.signs))
        everything = plan.correlation(weights)[0]
        total = np.diag(plan.model.signs) + plan.model.loading @ everything @ plan.model.loading.T
        return matrix_root(correlation), matrix_root(total - loading @ correlation @ loading.T)

    @single_threaded
    def data(self, toy: int) -> _Data:
        """Data set number ``toy``."""
        plan, theory = self.plan, self.plan.theory
        rng = self._data_stream(toy)
        coefficients = self._true_coefficients(rng)
        weights = plan.prior_weights(coefficients, rng)
        factor, rest = self._factors(weights) if weights.shape[1] else self._fixed_factors
        nuisances = factor @ rng.standard_normal(factor.shape[1])
        theta, flat = self._true_parameters
        truth: dict[str, float] = {}
        parameters = flat
        if theory is not None:
            theta, drawn = self._with_scales(theory, theta, rng)
            truth |= drawn
            cut = len(theory.free_names)
            observables = theory.observables(theta, rng.standard_normal(len(theory.nuisances)), flat[:cut])
            parameters = np.concatenate([observables, flat[cut:]])
            own = dict(zip(theory.parameters, theta, strict=True))
            own |= differences(theory, own)
            truth |= {variable_name(name): value for name, value in own.items()}
        values = dict(zip(plan.model.parameters, parameters, strict=True))
        truth |= {variable_name(name): value for name, value in (values | self._functions(values)).items()}
        noise = rest @ rng.standard_normal(rest.shape[1])
        offset = plan.model.design @ parameters + plan.model.loading[:, self.recoverable.index] @ nuisances + noise
        truth |= self._named_coefficients(coefficients[0])
        scales = weights[0, len(plan.sampled) :]
        truth |= {f"scale[{size.name}]": float(s) for size, s in zip(plan.sizes, scales, strict=True)}
        names = [plan.model.nuisances[i] for i in self.recoverable.index[self.followed]]
        truth |= {f"pull[{name}]": float(x) for name, x in zip(names, nuisances[self.followed], strict=True)}
        return _Data(offset=offset, truth={name: float(value) for name, value in truth.items()})

    @single_threaded
    def analyse(self, toy: int) -> dict[str, Any]:
        """Truth, profile and posterior of one data set as plain data.

        Returns:
            ``toy``; ``chi2``; ``profile``: quantity -> [truth, value, up, down], signed errors; ``posterior``: quantity ->
            [truth, rank among 99 draws, mean, sd, low68, high68, low95, high95]; ``divergences``; or ``problem``
            if the data set cannot be analysed, ``no_profile`` if it has a posterior alone.
        """
        data = self.data(toy)
        try:
            record = {"toy": toy} | self._profile(data)
        except BayescombError as error:
            # Without them the ranks of the posterior would be those of selected data.
            record = {"toy": toy, "no_profile" if self.posterior else "problem": str(error)}
        return record | self._posterior(data, toy) if self.posterior else record

    def _profile(self, data: _Data) -> dict[str, Any]:
        """The fit at nominal coefficients."""
        theory = self.plan.theory
        if self.plan.sizes or self.combination.functions:
            fitter = Fitter(self.combination, linear=dataclasses.replace(self.plan.model, offset=data.offset))
            fitted = fitter.fit(self._correlation)
            found, values, up, down, chi2 = fitted.parameters, fitted.values, fitted.up, fitted.down, fitted.chi2
        elif theory is None:
            solution = self._solution
            values = solution.influence @ data.offset
            residual = data.offset - self.plan.model.design @ values
            chi2 = solution.whitening.square(residual)
            up = np.sqrt(np.diag(solution.covariance))
            found, down = solution.parameters, -up
        else:
            n = len(self.plan.model.nuisances)
            correlation = self._correlation[n:, n:]
            model = self._integrated.of(data.offset)
            fit = fit_extraction(theory, model, mean=np.zeros(len(correlation)), correlation=correlation)
            found, values, up, down, chi2 = fit.solution.parameters, fit.solution.values, fit.up, fit.down, fit.chi2
        at = [i for i, name in enumerate(found) if name in self.names]
        rows = self._profile_rows(data.truth, [found[i] for i in at], values[at], up[at], down[at])
        return {"chi2": chi2, "profile": rows}

    @cached_property
    def _reduce(self) -> FloatArray:
        """Map from w_0 to the offset of the reduced model, shape (R', R)."""
        found = data_reduction(self.plan.model, self.plan.kept, self.plan.fixed_correlation)
        if not np.allclose(found.model.offset, self.plan.reduced.offset, rtol=1e-8):
            msg = "the reduced model is not that of its plan"
            raise ArithmeticError(msg)
        return found.reduce

    @cached_property
    def _fused(self) -> tuple[FusedModel, CompiledModel]:
        """The density, whose offset is replaced, and its sampler."""
        fused = fused_of(self.plan)
        assert fused is not None  # a linear model has one
        return fused, compile_model(fused)

    def _posterior(self, data: _Data, toy: int) -> dict[str, Any]:
        plan = self._plan_of(data)
        self._fused[0].set_offset(plan.reduced.offset)
        starts = [mode.start for mode in separated_modes(plan)] if plan.sizes else []
        if len(starts) > MAX_MODES:
            return {"problem": f"{len(starts)} separated minima, whose weights are not known"}

        def sampled(longer: int) -> tuple[dict[str, FloatArray], int, str]:
            draws, statistics, reason = self._sampled(toy, starts, longer * self.draws)
            found = self._quantities(draws, plan, np.random.default_rng([self.seed, 3, toy]))
            diverging = int(statistics["diverging"].sum())
            return {name: values for name, values in found.items() if name in data.truth}, diverging, reason

        return ranked(data.truth, sampled, chains=self.chains)

    def _sampled(self, toy: int, starts: list[dict[str, FloatArray]], draws: int) -> tuple[xr.Dataset, xr.Dataset, str]:
        """Draws, statistics of the sampler, and why the weights of separated modes are not known."""
        fused, compiled = self._fused
        accept = target_accept(self.plan, "marginal", fused=True)
        settings: dict[str, Any] = {
            "draws": draws,
            "tune": self.tune,
            "chains": self.chains,
            "seed": self._sampler_seed(toy),
            "target_accept": accept if accept > CURVED_ACCEPT else TOY_ACCEPT,
            "cores": 1,  # toys are what is done beside each other
        }
        if not starts:
            return *run_nuts(compiled, **settings), ""
        found, statistics, mixture = run_modes(compile_model(fused, starts=starts), **settings)
        return found, statistics, mixture.reason

    def _plan_of(self, data: _Data) -> SamplingPlan:
        """The plan with simulated data."""
        return dataclasses.replace(
            self.plan,
            model=dataclasses.replace(self.plan.model, offset=data.offset),
            reduced=dataclasses.replace(self.plan.reduced, offset=self._reduce @ data.offset),
        )

    def _quantities(self, draws: xr.Dataset, plan: SamplingPlan, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Draws of results, coefficients and followed nuisances, chains one after the other, shape (n,) each."""
        theory = self.plan.theory
        n = draws.sizes["chain"] * draws.sizes["draw"]
        draws = with_integrated(plan, dataclasses.replace(self._fused[0], plan=plan), draws, rng)
        rho = draws["rho"].to_numpy().reshape(n, -1) if "rho" in draws else np.zeros((n, 0))
        weights = plan.weights_of(draws)

        found: dict[str, FloatArray] = {}
        if theory is None:
            parameters = stacked(draws, plan.parameters)
        else:
            theta = stacked(draws, theory.parameters)
            levels = stacked(draws, theory.free_names + plan.reduced.parameters[len(theory.select) :])
            _, parameters = draw_theory(plan, theory, coefficients=weights, theta=theta, levels=levels, rng=rng)
            own = dict(zip(theory.parameters, theta.T, strict=True))
            own |= differences(theory, own)
            found |= {variable_name(name): values for name, values in own.items()}
            if SCALE_COEFFICIENT in draws:
                found[SCALE_COEFFICIENT] = draws[SCALE_COEFFICIENT].to_numpy().reshape(n)
        drawn = dict(zip(plan.parameters, parameters.T, strict=True))
        found |= {variable_name(name): values for name, values in (drawn | self._functions(drawn)).items()}
        found |= self._named_coefficients(rho.T)
        scales = weights[:, len(plan.sampled) :].T
        found |= {f"scale[{size.name}]": s for size, s in zip(plan.sizes, scales, strict=True)}
        if len(self.followed):
            nuisances = recover_nuisances(plan, self.recoverable, weights, parameters, rng=rng)
            names = [plan.model.nuisances[i] for i in self.recoverable.index]
            found |= {f"pull[{names[i]}]": nuisances[:, i] for i in self.followed}
        return found

"""Posterior of a combination: NUTS over what is not Gaussian, exact draws of the rest, one tree with everything inside."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import logging
import time
from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np
import pymc as pm
import xarray as xr

from bayescomb.base.checks import check_choice, check_count, check_seed, expects
from bayescomb.base.choices import BACKENDS, ENGINES, Backend, Correlations, Engine
from bayescomb.base.errors import OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.base.progress import announced, shows_progress
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.inputs.serialise import combination_to_json
from bayescomb.sampling.fused.curved import has_kernel
from bayescomb.sampling.fused.model import FusedModel, fused_model
from bayescomb.sampling.model.build import strong_mixture
from bayescomb.sampling.model.extraction import extraction_start
from bayescomb.sampling.nuts.modes import MAX_MODES, Mode, ModeMixture, separated_modes
from bayescomb.sampling.nuts.run import compile_model, run_modes, run_nuts
from bayescomb.sampling.plan import SamplingPlan, sampling_plan
from bayescomb.sampling.posterior.moments import mark_tails
from bayescomb.sampling.predictive_groups import predictive_groups, prior_group
from bayescomb.sampling.recovery import has_conditional_masses
from bayescomb.sampling.tree import (
    conditional_group,
    has_logarithmic_prior,
    labelled,
    normalised,
    observed_group,
    with_differences,
    with_functions,
    with_nuisances,
    with_theory,
)
from bayescomb.sampling.variables import flat_variables

__all__ = ["fused_of", "level_widths", "sample", "target_accept", "with_integrated"]

log = logging.getLogger(__name__)


STATISTICS = ("diverging", "energy", "logp", "n_steps", "depth", "maxdepth_reached", "step_size", "mean_tree_accept", "mode")
# Duration of the compilation that the progress line announces.
COMPILING = {
    "fused": "half a minute once on this machine",
    "vm": "seconds, and up to half a minute once on this machine",
    "numba": "about half a minute for every model",
}
PACKAGES = ("bayescomb", "pymc", "pytensor", "nutpie", "arviz", "xarray", "numpy", "scipy", "numba")


@expects(combination="combination")
@single_threaded
def sample(
    combination: Combination,
    *,
    seed: int | None = None,
    draws: int = 1500,
    tune: int = 500,
    chains: int = 4,
    correlations: Correlations = "prior",
    engine: Engine = "marginal",
    backend: Backend = "auto",
    model: pm.Model | None = None,
    progress: bool | None = None,
) -> xr.DataTree:
    """Sample the posterior of a combination.

    Args:
        combination: what to combine.
        seed: of everything random; drawn and stored if it is ``None``.
        draws: kept steps per chain.
        tune: tuning steps per chain.
        chains: number of chains.
        correlations: ``"prior"`` samples the coefficients that have a range, ``"nominal"`` holds them.
        engine: ``"marginal"`` or ``"full"``, see :func:`bayescomb.build_model`.
        backend: ``"fused"`` draws at once and fastest, from models that nobody extended, with the engine
            ``"marginal"``; of other models ``"vm"`` starts at once, ``"numba"`` compiles for tens of seconds and then
            draws several times faster.  ``"auto"`` is ``"fused"`` where it can be, else what is predicted to end first.
        model: an extension of ``build_model(combination)`` with the same names; built here by default.
        progress: show a progress bar; by default in a terminal and in a notebook.

    Returns:
        A tree with the groups ``posterior`` (one variable per observable in its unit, ``rho`` over ``coefficient``,
        ``pull`` over ``nuisance`` in prior widths, ``variance_scale`` where sizes are uncertain), ``sample_stats``,
        ``prior`` (of the coefficients, and of the results whose prior is proper; its attribute ``flat`` names the others),
        ``conditional`` (exact mean and sd of each result given each draw's coefficients and scales, that
        is then Gaussian; not with ranges of the observables),
        ``observed_data``, ``posterior_predictive`` and ``log_likelihood`` of the estimates (each given all others, exact, so
        that ``az.loo`` and ``az.compare`` hold; per measurement in a group of its own), where these are Gaussian given what
        is fitted; and in its attributes the model, the assumption
        set, the treatment, the seed and all versions.

    Raises:
        KeyboardInterrupt: interrupted before a chain was finished; later the finished chains are the result, its attribute
            ``interrupted`` and a warning in the log say so.
        OptionError: an option is not offered or out of range.
        InfeasibleCorrelationError: the treatment has no feasible coefficients.

    Examples:
        >>> import bayescomb as bc
        >>> posterior = bc.sample(bc.load("models/run1_mass"), seed=1, draws=200, tune=200, chains=2)
        >>> dict(posterior["posterior"].sizes) == {"chain": 2, "draw": 200, "coefficient": 19, "nuisance": 204}
        True
    """
    check_choice(engine, ENGINES, where="engine")
    for name, value in (("draws", draws), ("tune", tune), ("chains", chains)):
        check_count(value, least=1, where=name)
    seed = check_seed(seed)
    check_choice(backend, BACKENDS, where="backend")
    plan, asked = sampling_plan(combination, correlations=correlations), backend
    extended = model is not None
    not_fused = _not_fused(plan, engine=engine, extended=extended)
    fused = fused_of(plan) if backend in {"auto", "fused"} and not not_fused else None
    if backend == "fused" and fused is None:
        msg = f"backend 'fused' has no density of {not_fused}; use the backend 'auto'"
        raise OptionError(msg)
    clock = time.perf_counter()
    modes = separated_modes(plan)
    not_weighted = _not_weighted(modes, engine=engine, extended=extended)
    starts = () if not_weighted else [mode.start for mode in modes]
    if starts and fused is None:
        backend = "vm"  # it evaluates the density at a point and accepts starting points
    kind = "fused" if fused is not None else "vm" if backend == "auto" else backend
    # Of "auto", why it is not the fastest; whether the graph is evaluated or compiled is predicted with it in hand.
    why = f" the graph of {not_fused}" if asked == "auto" and not_fused else ""
    log.info(f"backend {'vm or numba' if why else kind}:{why or (' the fastest' if asked == 'auto' else ' as asked for')}")
    with announced(f"compiling{why}, {COMPILING[kind]}", progress=progress):
        if fused is not None:
            compiled = compile_model(fused, starts=starts)
        else:
            from bayescomb.sampling.model.build import build_model

            model = model if model is not None else build_model(combination, engine=engine, plan=plan)
            spread, mixture = level_widths(plan), strong_mixture(plan)
            compiled = compile_model(
                model, backend=backend, spread=spread, mixture=mixture, starts=starts, steps=chains * (draws + tune)
            )
    compile_time = time.perf_counter() - clock
    log.info(f"compiled in {compile_time:.1f} s")
    show = shows_progress(progress)
    accept = target_accept(plan, engine, fused=fused is not None)
    settings: dict[str, Any] = {
        "draws": draws, "tune": tune, "chains": chains, "seed": seed, "progress": show, "target_accept": accept,
    }  # fmt: skip
    modes_found: ModeMixture | None = None
    watched = None if progress is None and not show else False  # elsewhere the sampler draws its own bars
    if starts:
        with announced(f"sampling from {len(starts)} minima", progress=watched):
            draws_of, statistics, modes_found = run_modes(compiled, **settings)
        log.info(f"{len(modes)} minima, chains began in each; weights {', '.join(f'{w:.3f}' for w in modes_found.weights)}")
    else:
        with announced("sampling", progress=watched):
            draws_of, statistics = run_nuts(compiled, **settings)
    requested, chains = chains, draws_of.sizes["chain"]
    interrupted = bool(statistics.attrs["interrupted"])
    if interrupted:
        log.warning(f"interrupted: {chains} of {requested} chains are finished and kept; sample again for all of them")
    sampling_time = time.perf_counter() - clock - compile_time
    log.info(f"sampled in {sampling_time:.1f} s")
    not_recovered: dict[str, str] = {}
    posterior = draws_of
    if fused is not None:
        posterior = with_integrated(plan, fused, draws_of, np.random.default_rng([seed, 5]))
    match engine:
        case "marginal":
            if plan.theory is not None:
                posterior = with_theory(plan, plan.theory, posterior, seed)
            posterior, not_recovered = with_nuisances(plan, posterior, seed)
        case "full":
            pass  # every nuisance is sampled
        case _:
            assert_never(engine)
    if plan.theory is not None:
        posterior = with_differences(plan.theory, posterior)
    posterior = with_functions(combination, posterior)
    posterior = posterior.drop_vars(["white_nuisance", "white_scales"], errors="ignore").drop_dims("white", errors="ignore")
    tree = {
        "posterior": mark_tails(plan, labelled(combination, posterior)),
        "sample_stats": statistics[[name for name in STATISTICS if name in statistics]],
        "observed_data": observed_group(combination),
    }
    tree |= predictive_groups(plan, posterior, seed=seed)
    if combination.normalise:
        tree["posterior"], tree["unnormalised"] = normalised(combination, tree["posterior"])
    elif combination.bounds or has_logarithmic_prior(combination):
        pass  # given the coefficients the observables are not Gaussian, so the draws are summarised
    elif not extended and plan.curved is None and (plan.theory is None or has_conditional_masses(plan.theory)):
        tree["conditional"] = conditional_group(plan, posterior)
    prior = prior_group(plan, draws=draws, chains=chains, seed=seed)
    if prior is not None:
        tree["prior"] = prior
    result = xr.DataTree.from_dict(tree)
    result.attrs = {
        "name": combination.name,
        "title": combination.title,
        "model": combination_to_json(combination),
        "assumptions": combination.assumptions,
        "treatment": combination.treatment,
        "repair": combination.repair,
        "repairs": json.dumps([[r.block, r.how, r.smallest, r.change] for r in plan.repairs]),
        "correlations": correlations,
        "engine": engine,
        "backend": compiled.backend,
        "chi2_form": combination.chi2,
        "nuisance_values": combination.nuisance_values,
        "nonnegative": json.dumps(combination.nonnegative),
        "extraction": combination.extraction,
        "extended": int(extended),
        "seed": seed,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "interrupted": f"{chains} of {requested} chains" if interrupted else "",
        "modes": json.dumps(_mode_record(modes, modes_found, not_weighted, statistics.attrs.get("bfmi"))),
        "compile_seconds": compile_time,
        "sampling_seconds": sampling_time,
        "not_recovered": json.dumps(not_recovered),
        "held_coefficients": json.dumps(_held(plan, correlations)),
        "versions": json.dumps({name: importlib.metadata.version(name) for name in PACKAGES}),
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    return result


def _not_weighted(modes: Sequence[Mode], *, engine: str, extended: bool) -> str:
    """Why the modes of a posterior cannot be sampled one by one; empty if they can, or if there is only one."""
    if not modes:
        return ""
    if extended:
        return "of a model that was extended their weights are not known"
    if engine != "marginal":
        return "the engine 'full' begins in one of them; use the engine 'marginal'"
    if len(modes) > MAX_MODES:
        return f"more than the {MAX_MODES} whose weights can be found"
    return ""


def _mode_record(
    modes: Sequence[Mode], mixture: ModeMixture | None, not_weighted: str, bfmi: float | None
) -> dict[str, Any]:
    """What the posterior keeps of its modes, for the verdict and for people."""
    if not modes:
        return {}
    reason = not_weighted or (mixture.reason if mixture is not None else "")
    record: dict[str, Any] = {
        "minima": [{"values": mode.values, "delta_chi2": mode.delta_chi2} for mode in modes],
        "reason": reason,
        "crossing": mixture is not None and mixture.crossing,
    }
    if bfmi is not None:
        record["bfmi"] = bfmi  # of the chains as they were run, whose energies are no longer in order
    if mixture is not None and not reason:
        for entry, weight, error in zip(record["minima"], mixture.weights, mixture.errors, strict=True):
            entry |= {"weight": float(weight), "weight_error": float(error)}
    return record


def _not_fused(plan: SamplingPlan, *, engine: Engine, extended: bool) -> str:
    """What of a model has no fused density; empty if nothing."""
    if extended:
        return "a model that was extended"
    if engine != "marginal":
        return f"the engine {engine!r}"
    if plan.theory is not None:
        return ""
    if has_logarithmic_prior(plan.combination):
        return "lognormal priors"
    if plan.curved is not None and not has_kernel(plan.curved):
        return "formulas that are not linear"
    return ""


def fused_of(plan: SamplingPlan) -> FusedModel | None:
    """The fused density of a plan; ``None`` where it has none: formulas that are not linear, lognormal priors."""
    if _not_fused(plan, engine="marginal", extended=False):
        return None
    if plan.theory is not None:
        return fused_model(plan, theta=extraction_start(plan, plan.theory).theta)
    variables = flat_variables(plan)
    values = np.array([v.value for v in variables])
    ranges = np.array([(v.width if np.isfinite(v.low) else 0.0, v.low, v.high) for v in variables])
    return fused_model(plan, values=values, ranges=ranges.reshape(-1, 3))


def with_integrated(plan: SamplingPlan, fused: FusedModel, draws: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """Draws of a fused density with exact ones of the parameters that were integrated out."""
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    flat = {str(name): values.to_numpy().reshape(shape[0] * shape[1], *values.shape[2:]) for name, values in draws.items()}
    found = fused.integrated_draws(flat, plan.weights_of(draws), rng)
    return draws.assign({name: (("chain", "draw"), values.reshape(shape)) for name, values in found.items()})


def level_widths(plan: SamplingPlan) -> dict[str, float]:
    """Half-widths of the starting points of the flat variables."""
    if plan.theory is not None:
        start = extraction_start(plan, plan.theory)
        return dict(zip(map(variable_name, start.level_names), start.level_errors, strict=True))
    widths = {v.name: min(1.0, v.width * v.slope) if v.bounded else v.width for v in flat_variables(plan)}
    return {variable_name(name): width for name, width in widths.items()}


def target_accept(plan: SamplingPlan, engine: Engine, *, fused: bool = False) -> float:
    """Short steps where the density is curved: explicit nuisances, scales of a prediction, responses with a kink.

    In the coordinates of the fused density a flat prior is a standard normal one, and the kinks of the map onto the feasible
    set are all that a step can be too long for: half as many steps at an acceptance of 0.7 cost a quarter of the effective
    draws.
    """
    if plan.curved is not None or engine == "full" or (plan.theory is not None and plan.theory.scales):
        return 0.97
    if fused and not plan.sizes and not plan.combination.nonnegative:
        return 0.7 if plan.radial else 0.8
    return 0.9 if plan.theory is None else 0.8


def _held(plan: SamplingPlan, correlations: Correlations) -> list[str]:
    """Coefficients with a prior that are held although priors were asked for: their blocks leave them no room."""
    if correlations == "nominal":
        return []
    return [c.name for i, c in enumerate(plan.family.coefficients) if c.sampled and i not in plan.sampled]

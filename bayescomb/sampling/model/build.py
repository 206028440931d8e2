"""The PyMC model of a combination, to sample as it is or to extend.

Two engines give the same posterior.  ``marginal`` has the coefficients ``rho`` and one variable per observable; all
nuisances are integrated out exactly (:mod:`bayescomb.likelihood.linear_gaussian`).  ``full`` has every nuisance as a
variable and the estimates as data: slower, and the form to extend when a nuisance itself is to be used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, assert_never

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import log
from scipy.linalg import block_diag

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import check_choice, expects
from bayescomb.base.choices import ENGINES, Correlations, Engine
from bayescomb.base.errors import OptionError
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.correlation import NuisanceBlock
from bayescomb.likelihood.data_information import estimate_factor
from bayescomb.likelihood.feasibility import face_basis
from bayescomb.likelihood.linear_gaussian import solve
from bayescomb.likelihood.nonlinear.model import nonlinear_parts
from bayescomb.likelihood.theory import Theory
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.feasible_transform import FeasibleTransform
from bayescomb.sampling.model.extraction import extraction_start, level_variables, theta_variables
from bayescomb.sampling.model.jax_form import offer_jax
from bayescomb.sampling.model.kernels import extraction_log_density
from bayescomb.sampling.model.observed import observe
from bayescomb.sampling.nuts.run import Mixture
from bayescomb.sampling.plan import SamplingPlan, sampling_plan
from bayescomb.sampling.priors import log_density, prior_draws
from bayescomb.sampling.variables import UniformFrom, begun, flat_variables

__all__ = ["build_model", "coefficient_variable", "pattern_weights", "strong_mixture"]

# Ratio of width to length of a posterior below which steps along single variables are too short.
NEEDLE = 0.2


@expects(combination="combination")
def build_model(
    combination: Combination,
    *,
    engine: Engine = "marginal",
    correlations: Correlations = "prior",
    plan: SamplingPlan | None = None,
    proper_priors: bool = False,
) -> pm.Model:
    """The ``pm.Model`` of a combination.

    Args:
        combination: what to sample.
        engine: ``"marginal"`` or ``"full"``.
        correlations: ``"prior"`` or ``"nominal"`` (all coefficients fixed).
        plan: a plan made before, to save making it again.
        proper_priors: make the stated priors of parameters distributions of the variables instead of data, so that prior
            predictive draws are of them; every variable needs one then.  The posterior is the same.

    Returns:
        A model with one scalar variable per parameter and observable without a formula (flat, in the range that is
        stated, or with the stated prior), ``rho`` over
        the sampled coefficients, and for ``full`` ``pull`` over all nuisances; ``variance_scale`` where the sizes of sources
        are uncertain.  If a mass is extracted, the variables are masses (flat over the tables), scales with their priors and
        flat levels of what is normalised or dropped in place of the observables, which for ``full`` are deterministic
        functions of them and ``theory_pull``.

        The measured values are the observed variable ``estimate_value`` where all responses are absolute and weights those
        of Neyman, so that PyMC's log likelihoods and predictive draws are of them; elsewhere, in ``full`` and with an
        extraction, their density is a potential.  Chains and ``pm.find_MAP`` begin near the best fit, in every copy of the
        model (``pm.do``, ``pm.observe``).  A flat variable has no prior draws: they are NaN.  The end of a range of a
        coefficient lies at infinity of its coordinate, which ``pm.find_MAP`` approaches; where coefficients together end
        in a curved feasible set, ``method="TNC"`` gets there, while the default may stop short on the edge.

    Raises:
        OptionError: the engine is unknown, or ``full`` is asked for under the covariance treatment, whose sources need not
            be correlation matrices, or with a singular statistical covariance.

    Examples:
        >>> import bayescomb as bc
        >>> model = bc.build_model(bc.load("models/run1_mass"))
        >>> [variable.name for variable in model.free_RVs]
        ['rho', 'm_t']
    """
    check_choice(engine, ENGINES, where="engine")
    offer_jax()
    stated = {p.name: p.prior for p in combination.parameters if p.prior is not None}
    if proper_priors:
        combination = _without_priors(combination, stated)
        plan = None
    plan = plan if plan is not None else sampling_plan(combination, correlations=correlations)
    if engine == "full" and combination.treatment == "covariance":
        msg = (
            "engine 'full' samples every nuisance, which the treatment 'covariance' does not define; use the engine "
            "'marginal', or the treatment 'nuisance'"
        )
        raise OptionError(msg)
    if engine == "full" and any((factor == 0).any() for _, factor in map(estimate_factor, combination.measurements)):
        msg = (
            "engine 'full' samples the data given every nuisance, of which a singular statistical covariance leaves no "
            "density; use the engine 'marginal'"
        )
        raise OptionError(msg)
    if plan.theory is not None:
        return _extraction_model(plan, plan.theory, engine)
    with pm.Model(coords={"coefficient": [c.name for c in plan.coefficients]}) as model:
        rho = coefficient_variable(plan) if len(plan.sampled) else pt.zeros(0)
        weights, scales = pattern_weights(model, plan, rho)
        # Sampled with the coefficients, whose posterior takes in the probability that the observables are above 0.
        priors = stated if proper_priors else {}
        parameters = pt.stack([variable.build(priors.get(variable.name)) for variable in flat_variables(plan)])
        match engine:
            case "full":
                pm.Potential("data", _explicit_density(plan, _explicit_nuisances(model, plan, rho, scales), parameters))
            case "marginal":
                observe(model, plan, weights, parameters)
            case _:
                assert_never(engine)
    return model


def _without_priors(combination: Combination, stated: Collection[str]) -> Combination:
    """The combination whose parameters have no priors, for variables that have them.

    Raises:
        OptionError: a variable has no stated prior, or a mass is extracted.
        UnderdeterminedError: the data alone do not determine a parameter.
    """
    flat = [o.name for o in combination.variables if o.name not in stated]
    flat += [n.name for n in combination.nuisances if n.free]
    if flat or combination.extraction:
        found = ", ".join(map(repr, flat)) or "what is extracted"
        msg = f"proper priors of {combination.name!r}: {found} flat; state a prior of each parameter, and no extraction"
        raise OptionError(msg)
    names = {p.prior_name for p in combination.parameters}
    return dataclasses.replace(
        combination,
        measurements=tuple(m for m in combination.measurements if m.name not in names),
        parameters=tuple(
            dataclasses.replace(p, prior=None, start=None if p.prior is None else p.prior.middle)
            for p in combination.parameters
        ),
    )


def _extraction_model(plan: SamplingPlan, theory: Theory, engine: Engine) -> pm.Model:
    start = extraction_start(plan, theory)
    coords = {"coefficient": [c.name for c in plan.coefficients], "theory_nuisance": list(theory.nuisances)}
    with pm.Model(coords=coords) as model:
        rho = coefficient_variable(plan) if len(plan.sampled) else pt.zeros(0)
        weights, scales = pattern_weights(model, plan, rho)
        theta, levels = theta_variables(theory, start), level_variables(start)
        match engine:
            case "marginal":
                density = extraction_log_density(
                    weights, theta, levels, theory=theory, model=plan.reduced, base=plan.base, patterns=plan.patterns
                )
                pm.Potential("data", density)
                return model
            case "full":
                pass
            case _:
                assert_never(engine)
        nuisance = _explicit_nuisances(model, plan, rho, scales)
        shifts = pm.Normal("theory_pull", dims="theory_nuisance") if theory.nuisances else pt.zeros(0)
        cut = len(theory.free_names)
        observables = theory.observables(theta, shifts, levels[:cut], xp=pt)
        for i, name in enumerate(plan.parameters[: len(theory.select)]):
            if name not in theory.free_names:
                pm.Deterministic(variable_name(name), observables[i])
        pm.Potential("data", _explicit_density(plan, nuisance, pt.concatenate([observables, levels[cut:]])))
    return model


def strong_mixture(plan: SamplingPlan) -> Mixture | None:
    """How the flat variables depend on each other near the best fit; ``None`` where steps along each of them do.

    A precise constraint on a combination of observables makes their posterior a needle askew to all of them.
    """
    if plan.theory is not None or len(plan.parameters) < 2:
        return None
    if plan.curved is None:
        root = solve(plan.model, plan.correlation(plan.start[None])[0]).root
    else:
        eigenvalues, vectors = np.linalg.eigh(plan.curved.covariance)
        root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    singular = np.linalg.svd(root / np.sqrt((root**2).sum(axis=1))[:, None], compute_uv=False)
    # In unconstrained coordinates.
    root = root * np.array([variable.slope for variable in flat_variables(plan)])[:, None]
    return Mixture(names=plan.parameters, root=root) if 0 < singular[-1] < NEEDLE * singular[0] else None


def _explicit_density(plan: SamplingPlan, nuisance: Any, parameters: Any) -> Any:
    """Log density of the data given every nuisance."""
    if plan.curved is None:
        linear = plan.model
        residual = pt.dot(linear.design, parameters) + pt.dot(linear.loading, nuisance) - linear.offset
        return -0.5 * pt.sum(linear.signs * residual**2)
    parts = nonlinear_parts(plan.combination, all_explicit=True)
    n = len(parts.observables)
    free = parameters[n:]
    values = pt.concatenate([nuisance, free])
    t = parts.map.value(parameters[:n], xp=pt)
    prediction = parts.responses.predict(t, values, positive=values >= 0, xp=pt)
    chi2: Any = 0.0
    if len(parts.data_offset):
        rows = pt.dot(parts.data_loading, nuisance) + pt.dot(parts.data_design, free) - parts.data_offset
        chi2 = pt.sum(parts.data_signs * rows**2)
    curved = dataclasses.replace(plan.curved.map, parts=parts)
    if parts.pearson:
        chi2 = chi2 + sum(curved.pearson_terms(prediction, xp=pt))
    else:
        chi2 = chi2 + pt.sum(pt.dot(parts.factor, prediction - parts.measured) ** 2)
    return -chi2 / 2


def coefficient_variable(plan: SamplingPlan, *, prefix: str = "") -> Any:
    """The variable ``rho``: the stated priors restricted to the feasible set, with a transform that stays inside it.

    Args:
        plan: with coefficients to sample.
        prefix: of the names of variable and dimension.
    """
    coefficients = plan.coefficients
    feasible = plan.feasible()

    def random(
        low: FloatArray, high: FloatArray, rng: np.random.Generator | None = None, size: tuple[int, ...] | None = None
    ) -> FloatArray:
        shape = (*(size or ()), len(coefficients))
        draws = int(np.prod(size or ()))
        rng = rng or np.random.default_rng()
        return prior_draws(coefficients, low=low, high=high, draws=draws, rng=rng, feasible=feasible).reshape(shape)

    def logp(value: Any, low: Any, high: Any) -> Any:
        del low, high  # the transform keeps the value inside
        return log_density(coefficients, value, xp=pt)

    transform = FeasibleTransform(plan.low, plan.high, plan.radial)
    if not plan.radial and all(c.prior == "uniform" for c in coefficients):
        return UniformFrom(
            f"{prefix}rho",
            plan.low,
            plan.high,
            plan.initial,
            dims=f"{prefix}coefficient",
            default_transform=transform,
        )
    return pm.CustomDist(
        f"{prefix}rho",
        plan.low,
        plan.high,
        logp=logp,
        random=random,
        signature="(n),(n)->(n)",
        dims=f"{prefix}coefficient",
        support_point=lambda *_: pt.as_tensor(plan.initial),
        default_transform=transform,
    )


def pattern_weights(model: pm.Model, plan: SamplingPlan, rho: Any, *, prefix: str = "") -> tuple[Any, Any]:
    """Symbolic weights of the patterns, and the scales of uncertain sizes with their prior (:mod:`.uncertain_sizes`)."""
    if not plan.sizes:
        return rho, pt.zeros(0)
    dims = f"{prefix}uncertain_size"
    model.add_coord(dims, [size.name for size in plan.sizes])
    shape = np.array([size.shape for size in plan.sizes])
    start = np.ones(len(shape))
    scales = begun(pm.InverseGamma, f"{prefix}{SCALE}", shape, shape, start=start, dims=dims, default_transform=log)
    return plan.weights(rho, scales, xp=pt), scales


def _explicit_nuisances(model: pm.Model, plan: SamplingPlan, rho: Any, scales: Any) -> Any:
    """Lambda = Q chol(Q^T C(r) Q) z per block, z ~ N(0, 1): a factor that serves a singular C, whose range Q is fixed."""
    family = plan.family
    if not family.nuisances:
        return pt.zeros(0)
    model.add_coord("nuisance", list(family.nuisances))
    initial = plan.correlation(plan.start[None])[0]
    sampled = {int(c): i for i, c in enumerate(plan.sampled)}
    pieces: list[tuple[NuisanceBlock, FloatArray]] = []
    fixed: list[FloatArray] = []
    fixed_order: list[IntArray] = []
    for block in family.blocks:
        inside = np.ix_(block.nuisances, block.nuisances)
        basis = face_basis(initial[inside])
        if any(int(c) in sampled for c in block.coefficients):
            pieces.append((block, basis))
        else:
            fixed.append(basis @ np.linalg.cholesky(basis.T @ plan.fixed_correlation[inside] @ basis))
            fixed_order.append(block.nuisances)
    # All that no sampled coefficient touches in one product: hundreds of nodes would take minutes to compile.
    factor = np.asarray(block_diag(*fixed)) if fixed else np.zeros((0, 0))
    white = pm.Normal("white_nuisance", shape=factor.shape[1] + sum(basis.shape[1] for _, basis in pieces))
    start = factor.shape[1]
    unit = factor.shape[0] == start and bool((factor == np.eye(start)).all())
    parts = [white[:start] if unit else pt.dot(factor, white[:start])]
    for block, basis in pieces:
        own = white[start : start + basis.shape[1]]
        start += basis.shape[1]
        matrix: Any = pt.as_tensor(basis.T @ plan.fixed_correlation[np.ix_(block.nuisances, block.nuisances)] @ basis)
        for c in block.coefficients:
            if int(c) in sampled:
                pattern = family.pattern(int(c))[np.ix_(block.nuisances, block.nuisances)]
                matrix = matrix + rho[sampled[int(c)]] * (basis.T @ pattern @ basis)
        parts.append(pt.dot(basis, pt.dot(pt.linalg.cholesky(matrix, on_error="nan"), own)))
    order = np.concatenate([np.zeros(0, dtype=np.intp), *fixed_order, *(block.nuisances for block, _ in pieces)])
    pull = pt.concatenate(parts)[np.argsort(order)]
    if plan.sizes:
        size_of = np.full(len(family.nuisances), -1)
        for k, size in enumerate(plan.sizes):
            size_of[size.nuisances] = k
        pull = pull * pt.where(size_of >= 0, pt.sqrt(scales)[np.maximum(size_of, 0)], 1.0)
    return pm.Deterministic("pull", pull, dims="nuisance")

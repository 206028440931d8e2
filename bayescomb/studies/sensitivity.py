r"""Prior sensitivity: what a result owes to its priors, auxiliary ones apart from subjective ones.

Auxiliary priors are those of the nuisances: each stands for a measurement or a calculation that somebody made.  They are
widened at nominal coefficients, where the answer is exact, and fitted again.  Subjective priors are those that nobody
measured: of the coefficients, of the masses or observables and of the scales of a prediction.  They are replaced: where the
parameters are Gaussian given the coefficients r, by averaging their conditional moments over draws of the new prior with
the evidence of each draw as weight,

.. math::  E[x] = \frac{\sum_i L(r_i) E[x | r_i]}{\sum_i L(r_i)}, \qquad r_i \sim p_\mathrm{new}(r),

elsewhere by reweighting the draws of the posterior with p_new / p (importance sampling).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final, assert_never

import numpy as np
import xarray as xr

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.base.checks import expects
from bayescomb.base.errors import BayescombError, OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.impacts import THEORY_GROUP
from bayescomb.inputs.assumptions import CorrelationCoefficient
from bayescomb.inputs.assumptions.prior_shapes import SAMPLED_SHAPES, shape_law
from bayescomb.inputs.combination import Combination
from bayescomb.sampling.plan import SamplingPlan, sampling_plan, stacked
from bayescomb.sampling.posterior.storage import combination_of, is_extended, run_of
from bayescomb.sampling.posterior.summary import result_moments
from bayescomb.sampling.priors import log_density, prior_draws
from bayescomb.sampling.recovery import conditional_masses, given_coefficients, has_conditional_masses

__all__ = ["prior_sensitivity"]

# Draws of each prior of the coefficients over which conditional moments are averaged.
DRAWS: Final = 600
AUXILIARY, SUBJECTIVE = "auxiliary", "subjective"
# Smallest number of effective draws after reweighting that gives a number.
MIN_EFFECTIVE: Final = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Change:
    """Shift of mean and of sd of each result under other priors, shapes (P,), and what they rest on."""

    label: str
    kind: str
    shift: FloatArray
    sd_shift: FloatArray
    effective: float = float("nan")


@expects(posterior="posterior")
@single_threaded
def prior_sensitivity(posterior: xr.DataTree, *, widening: float = 1.1) -> xr.Dataset:
    """How mean and standard deviation of each headline result change under other priors.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        widening: factor on the prior widths of nuisances; those of scales are divided by it.

    Returns:
        ``shift`` and ``sd_shift`` in the unit of the result and ``sd`` of the posterior, dims ``change``, ``parameter``;
        coordinates of each change: ``kind`` (``auxiliary`` or ``subjective``) and ``effective``, the number of effective
        draws where draws are weighted (NaN where the answer is exact).  What has fewer than 100 is left out.

    Raises:
        OptionError: the result is normalised, the model was extended, or the factor is not above 1.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> table = bc.prior_sensitivity(posterior)
        >>> round(table["sd_shift"].sel(change="all nuisances, widths x 1.1", parameter="m_t").item(), 3)
        0.027
    """
    combination = combination_of(posterior)
    if combination.normalise or is_extended(posterior):
        found = "results normalised to the sum of the observables" if combination.normalise else "a model that was extended"
        msg = f"{combination.name!r}: prior sensitivity is not offered for {found}"
        raise OptionError(msg)
    if not widening > 1:
        msg = f"widening = {widening} found, a factor above 1 is needed"
        raise OptionError(msg)
    names = [o.name for o in combination.headline]
    draws = posterior["posterior"].to_dataset()
    changes = [*_auxiliary(combination, names, widening)]
    run = run_of(posterior)
    plan = sampling_plan(combination, correlations=run.correlations)
    if len(plan.sampled):
        averaged = (
            plan.curved is None
            and not combination.bounds
            and not combination.functions
            and (plan.theory is None or has_conditional_masses(plan.theory))
        )
        changes += _coefficients(plan, names, run.seed) if averaged else _reweighted_coefficients(plan, draws, names)
    changes += _parameters(combination, draws, names, widening)
    changes = [c for c in changes if not c.effective < MIN_EFFECTIVE]
    dims = ("change", "parameter")
    return xr.Dataset(
        {
            "shift": (dims, np.array([c.shift for c in changes]).reshape(-1, len(names))),
            "sd_shift": (dims, np.array([c.sd_shift for c in changes]).reshape(-1, len(names))),
            "sd": ("parameter", [result_moments(posterior, name)[1] for name in names]),
        },
        {
            "change": [c.label for c in changes],
            "kind": ("change", [c.kind for c in changes]),
            "effective": ("change", [c.effective for c in changes]),
            "parameter": names,
        },
    )


def _auxiliary(combination: Combination, names: list[str], widening: float) -> Iterator[_Change]:
    """All nuisances, and each group of them, with wider priors: s C s at nominal coefficients."""
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation()
    nominal = fitter.fit(correlation, errors="hesse")
    column = [nominal.parameters.index(name) for name in names]
    for label, members in _groups(combination, nominal.nuisances).items():
        width = np.where(members, widening, 1.0)
        try:
            wider = fitter.fit(correlation * np.outer(width, width), errors="hesse", near=nominal)
        except BayescombError:
            continue  # no result: an indefinite total covariance, or a mass outside its table
        yield _Change(
            label=f"{label}, widths x {widening:g}",
            kind=AUXILIARY,
            shift=(wider.values - nominal.values)[column],
            sd_shift=(wider.errors - nominal.errors)[column],
        )


def _groups(combination: Combination, nuisances: tuple[str, ...]) -> dict[str, BoolArray]:
    """Members of each group of sources; sources without a group are only in the first, which is all."""
    group_of = {s.name: s.group for s in combination.sources}
    source_of = {n.name: n.source for n in combination.nuisances}
    labels = np.array([group_of.get(source_of[n], "") if n in source_of else THEORY_GROUP for n in nuisances], dtype=object)
    groups = {"all nuisances": np.ones(len(nuisances), dtype=bool)}
    return groups | {str(g): labels == g for g in dict.fromkeys(labels) if g}


def _coefficients(plan: SamplingPlan, names: list[str], seed: int) -> list[_Change]:
    """Other priors of all coefficients at once, by conditional moments under draws of each prior."""
    middle = (plan.low + plan.high) / 2
    stated = plan.coefficients
    cases = [(title, coefficients, plan.low, plan.high) for title, coefficients in _other_shapes(stated)]
    cases += [
        ("lower half of every range", stated, plan.low, middle),
        ("upper half of every range", stated, middle, plan.high),
    ]
    mean, sd, _ = _averaged(plan, stated, plan.low, plan.high, names, seed)
    changes = []
    for label, coefficients, low, high in cases:
        try:
            other_mean, other_sd, effective = _averaged(plan, coefficients, low, high, names, seed)
        except BayescombError:
            continue  # next to nothing of that half is feasible
        changes.append(
            _Change(
                label=f"coefficients: {label}",
                kind=SUBJECTIVE,
                shift=other_mean - mean,
                sd_shift=other_sd - sd,
                effective=effective,
            )
        )
    return changes


def _other_shapes(
    stated: tuple[CorrelationCoefficient, ...],
) -> Iterator[tuple[str, tuple[CorrelationCoefficient, ...]]]:
    """Title of each shape, and all coefficients with it; not where a nominal value lies outside its range, being no mode."""
    inside = all(c.range[0] <= c.nominal <= c.range[1] for c in stated)
    for shape in SAMPLED_SHAPES:
        law = shape_law(shape)
        if any(c.prior != shape for c in stated) and (inside or not law.has_mode):
            yield law.title, tuple(dataclasses.replace(c, prior=shape) for c in stated)


def _averaged(
    plan: SamplingPlan,
    coefficients: tuple[CorrelationCoefficient, ...],
    low: FloatArray,
    high: FloatArray,
    names: list[str],
    seed: int,
) -> tuple[FloatArray, FloatArray, float]:
    """Mean and sd of each result under a prior of the coefficients, and the effective number of its draws.

    The same random numbers serve every prior, so that differences carry less noise than the numbers.
    """
    rng = np.random.default_rng([seed, 4])
    points = prior_draws(coefficients, low=low, high=high, draws=DRAWS, rng=rng, feasible=plan.feasible())
    points = plan.prior_weights(points, rng)
    if plan.theory is None:
        means, covariance, evidence = given_coefficients(plan, points)
        found, sds = plan.parameters, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    else:
        found, means, sds, evidence = conditional_masses(plan, plan.theory, points)
    column = [found.index(name) for name in names]
    weights = np.exp(evidence - evidence.max())
    mean, sd = _moments(means[:, column], sds[:, column] ** 2, weights)
    return mean, sd, _effective(weights)


def _moments(means: FloatArray, variances: FloatArray | float, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of a weighted mixture."""
    share = weights / weights.sum()
    mean = share @ means
    return mean, np.sqrt(share @ (variances + (means - mean) ** 2))


def _effective(weights: FloatArray) -> float:
    return float(weights.sum() ** 2 / (weights**2).sum())


def _reweighted_coefficients(plan: SamplingPlan, draws: xr.Dataset, names: list[str]) -> list[_Change]:
    rho = draws["rho"].to_numpy().reshape(-1, len(plan.sampled))
    old = np.array([log_density(plan.coefficients, r, xp=np) for r in rho])
    changes = []
    for title, other in _other_shapes(plan.coefficients):
        ratio = np.array([log_density(other, r, xp=np) for r in rho]) - old
        changes.append(_reweighted(f"coefficients: {title}", draws, names, ratio))
    return changes


def _reweighted(label: str, draws: xr.Dataset, names: list[str], log_ratio: FloatArray) -> _Change:
    """Draws of the posterior weighted with the ratio of the priors."""
    values = stacked(draws, names)
    weights = np.exp(log_ratio - log_ratio.max())
    mean, sd = _moments(values, 0.0, np.ones(len(values)))
    other_mean, other_sd = _moments(values, 0.0, weights)
    return _Change(
        label=label, kind=SUBJECTIVE, shift=other_mean - mean, sd_shift=other_sd - sd, effective=_effective(weights)
    )


def _parameters(combination: Combination, draws: xr.Dataset, names: list[str], widening: float) -> Iterator[_Change]:
    """Flat priors made flat in the logarithm, and scales in a narrower range."""
    extraction = combination.extraction_in_force
    stated = {p.name for p in combination.parameters if p.prior is not None}
    flat = (
        list(extraction.mass_parameters) if extraction else [o.name for o in combination.variables if o.name not in stated]
    )
    values = stacked(draws, flat).T
    if len(flat) and (values > 0).all() and not combination.nonnegative:  # flat in the logarithm has no posterior near 0
        kind = "masses" if extraction else "observables"
        yield _reweighted(f"{kind}: flat in the logarithm", draws, names, -np.log(values).sum(axis=0))
    if extraction is None or not extraction.scale_parameters:
        return
    scales = stacked(draws, extraction.scale_parameters).T / extraction.scales.width
    if extraction.scales.treatment == "correlated":
        return  # the prior of the scales is of both energies together
    match extraction.scales.prior:
        case "uniform":
            inside = (np.abs(scales) * widening <= 1).all(axis=0)
            ratio = np.where(inside, 0.0, -np.inf)
        case "normal":
            ratio = -0.5 * (widening**2 - 1) * (scales**2).sum(axis=0)
        case _:
            assert_never(extraction.scales.prior)
    yield _reweighted(f"scales: width / {widening:g}", draws, names, ratio)

r"""Where the variance of a result comes from: statistics, groups of sources, theory, and not knowing the coefficients.

The law of total variance, Var(x) = E[Var(x | r)] + Var(E[x | r]), separates the coefficients r.  The first part is divided
like the impacts, by the linear influence of the data at draws of r; the second by the regression of E[x | r] on r, whose
covariance with each term b_c r_c is that coefficient's part.  What is left (curvature of the prediction, scales that feel
the end of their range, coefficients that act together, Monte Carlo error) is stated as the remainder, so that the parts
close to the variance.

Which correlation matters: what the data say of each coefficient, and what each coefficient does to the result.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import expects
from bayescomb.base.errors import OptionError, PosteriorError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.impacts import SIZE_OF, THEORY_GROUP, ImpactResult, impacts, parts_at
from bayescomb.fit.scan import scan_slopes
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import unsplit_label
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.correlation import correlation_family
from bayescomb.likelihood.uncertain_sizes import SCALE
from bayescomb.sampling.posterior.storage import combination_of, is_extended
from bayescomb.sampling.posterior.summary import mean_sd, prior_summaries, result_moments

__all__ = ["coefficient_relevance", "conditional_mean", "divided_relevance", "has_variances", "variance_shares"]

# Draws of the coefficients over which the division of E[Var(x | r)] is averaged.
POINTS: Final = 24
STATISTICS, COUPLING, REMAINDER = "statistics", "coupling between groups", "remainder"
BINS: Final = 10


@expects(posterior="posterior")
@single_threaded
def variance_shares(posterior: xr.DataTree) -> xr.Dataset:
    """Parts of the posterior variance of each headline result.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Returns:
        ``variance`` in the unit of the result squared and ``share`` of the total, dims ``part``, ``parameter``; coordinate
        ``kind`` of each part: ``statistics``, ``group``, ``coupling``, ``coefficient`` or ``remainder``.  Parts can be
        negative, as those of anticorrelated sources are.  They add up to the variance: of a linear
        model that of its exact conditional moments, else that of the draws.

    Raises:
        OptionError: chi2 is not quadratic, or normalised, or an observable cannot be negative, or the model was extended, so
            that there is no linear influence to divide by; or a result has no variance.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> shares = bc.variance_shares(posterior)
        >>> round(shares["share"].sum("part").item(), 9)
        1.0
    """
    combination = combination_of(posterior)
    if not combination.linear or is_extended(posterior):
        msg = f"{combination.name!r}: a variance is divided by the influence of the data, in which this model is not linear"
        raise OptionError(msg)
    if not has_variances(posterior):
        msg = f"{combination.name!r}: a result has no variance to divide, see what 'bayescomb sample' says of it"
        raise OptionError(msg)
    names = [o.name for o in combination.headline]
    draws = posterior["posterior"].to_dataset()
    total = np.array([result_moments(posterior, name)[1] ** 2 for name in names])
    labels, kinds, parts = _given_coefficients(combination, draws, names)
    for coefficient, part in _of_coefficients(posterior, names).items():
        labels.append(coefficient)
        kinds.append("coefficient")
        parts.append(part)
    labels.append(REMAINDER)
    kinds.append("remainder")
    parts.append(total - np.sum(parts, axis=0))
    variance = xr.DataArray(
        np.array(parts),
        dims=("part", "parameter"),
        coords={"part": labels, "kind": ("part", kinds), "parameter": names},
        name="variance",
    )
    return xr.Dataset({"variance": variance, "share": variance / xr.DataArray(total, dims="parameter")})


def has_variances(posterior: xr.DataTree) -> bool:
    """Whether every result has a variance: of tails that are too long only quantiles are given."""
    names = [o.name for o in combination_of(posterior).headline]
    return bool(np.isfinite([result_moments(posterior, name)[1] for name in names]).all())


def conditional_mean(posterior: xr.DataTree, name: str) -> FloatArray:
    """E[x | r] at every draw, shape (n,), or the draws of x themselves where it is not known."""
    if "conditional" in posterior.children:
        means = posterior["conditional"]["mean"]
        if name in means["parameter"].to_numpy():
            return means.sel(parameter=name).to_numpy().ravel()
    return posterior["posterior"][variable_name(name)].to_numpy().ravel()


def _given_coefficients(
    combination: Combination, draws: xr.Dataset, names: list[str]
) -> tuple[list[str], list[str], list[FloatArray]]:
    """E[Var(x | r)] by statistics, groups and their coupling: averages over some draws of r."""
    family = correlation_family(combination)
    ungrouped = dataclasses.replace(combination, impact_groups={})  # which overlap, as groups of sources do not
    points = [family.nominal]
    scales: list[FloatArray] = []
    if "rho" in draws:
        rho = draws["rho"].stack(sample=("chain", "draw"))
        position = [[c.name for c in family.coefficients].index(str(name)) for name in rho["coefficient"].to_numpy()]
        points = []
        for i in np.linspace(0, rho.sizes["sample"] - 1, POINTS).astype(int):
            coefficients = family.nominal
            coefficients[position] = rho.isel(sample=i).to_numpy()
            points.append(coefficients)
    if SCALE in draws:
        stacked = draws[SCALE].stack(sample=("chain", "draw")).transpose("sample", "uncertain_size").to_numpy()
        scales = list(stacked[np.linspace(0, len(stacked) - 1, POINTS).astype(int)])
        points = points if len(points) > 1 else points * POINTS
        found = [parts_at(ungrouped, coefficients=p, scales=s) for p, s in zip(points, scales, strict=True)]
    else:
        found = [impacts(ungrouped, coefficients=p) for p in points]
    tables = [_divided(result, names) for result in found]
    keys = list(tables[0])
    kinds = [kind if kind in {"statistics", "coupling"} else "group" for kind, _ in keys]
    return [label for _, label in keys], kinds, [np.mean([table[key] for table in tables], axis=0) for key in keys]


def _divided(result: ImpactResult, names: list[str]) -> dict[tuple[str, str], FloatArray]:
    """Signed variances of one impact table: statistics, groups, sources without a group or of theory, what couples them.

    By kind and name, as a group may be called like a source, or "statistics".
    """

    def squared(values: xr.DataArray) -> FloatArray:
        impact = values.sel(parameter=names).to_numpy()
        return np.sign(impact) * impact**2

    group_of = {s.name: s.group for s in result.combination.sources}
    measured = {*group_of, *(n.source for n in result.combination.nuisances)}
    own = set(group_of.values())
    # Theory is shown by its sources, unless the model has a group of that name itself.
    grouped = {str(g) for g in result.groups["group"].to_numpy() if str(g) in own}
    parts = {("statistics", STATISTICS): squared(result.statistics)}
    if label := unsplit_label(result.combination.measurements):
        parts |= {("unsplit", label): squared(result.unsplit)}
    groups = [str(g) for g in result.groups["group"].to_numpy() if str(g) in grouped]
    parts |= {("group", g): squared(result.groups.sel(group=g)) for g in groups}
    rows = zip(result.sources["source"].to_numpy(), result.sources["kind"].to_numpy(), result.sources, strict=True)
    for name, kind, impact in ((str(n), str(k), row) for n, k, row in rows):
        from_theory = kind == "source" and name not in measured
        if from_theory and THEORY_GROUP not in grouped:
            parts["source", f"{THEORY_GROUP}: {name}"] = squared(impact)
        elif not from_theory and group_of.get(name, "") not in grouped:
            parts["source", name] = squared(impact)
    rest = squared(result.total) - np.sum(list(parts.values()), axis=0)
    rest[np.abs(rest) < 1e-12 * np.abs(squared(result.total))] = 0.0  # a difference of equal sums
    return parts | {("coupling", COUPLING): rest}


def _of_coefficients(posterior: xr.DataTree, names: list[str]) -> dict[str, FloatArray]:
    """Var(E[x | r]) by coefficient, from the regression of the conditional mean on all of them.

    Log scales of uncertain sizes are conditioned on as the coefficients are, and have their part.
    """
    draws = posterior["posterior"].to_dataset()
    labels: list[str] = []
    columns = []
    for name, dim, prefix in (("rho", "coefficient", ""), (SCALE, "uncertain_size", SIZE_OF)):
        if name in draws:
            labels += [f"{prefix}{label}" for label in draws[dim].to_numpy()]
            values = draws[name].stack(sample=("chain", "draw")).transpose("sample", dim).to_numpy()
            columns.append(np.log(values) if name == SCALE else values)
    if not columns:
        return {}
    regressors = np.hstack(columns)
    centred = regressors - regressors.mean(axis=0)
    means = np.array([conditional_mean(posterior, name) for name in names]).T
    means = means - means.mean(axis=0)
    slopes = np.linalg.lstsq(centred, means, rcond=None)[0]
    covariance = centred.T @ means / len(means)
    return {label: slopes[i] * covariance[i] for i, label in enumerate(labels)}


@expects(posterior="posterior")
@single_threaded
def coefficient_relevance(posterior: xr.DataTree) -> xr.Dataset:
    """Prior, posterior, information gained and effect of every sampled coefficient.

    The information gained is the Kullback-Leibler divergence of the marginal posterior from the marginal prior in bits,
    from the shares p_i of the posterior draws in ten equally probable bins of the prior, sum_i p_i log2(10 p_i), less the
    value that it has on average for draws of the prior itself, (bins - 1) / (2 n ln 2) with n the effective sample size
    (Miller, in Information Theory in Psychology (1955) 95).  It is what the coefficient's own margin shows; 0 within its
    error means that the data say nothing of it.

    Args:
        posterior: a tree of :func:`bayescomb.sample` with sampled coefficients.

    Returns:
        Dim ``coefficient``: ``prior_mean``, ``prior_sd``, ``posterior_mean``, ``posterior_sd``, ``information`` (bits),
        ``information_error`` (its Monte Carlo error where there is nothing to gain); with dim ``parameter`` besides:
        ``slope`` (derivative of the profile at nominal, unit of the parameter) and ``share`` (of the posterior variance).

    Raises:
        PosteriorError: no coefficient was sampled.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> table = bc.coefficient_relevance(posterior)
        >>> table["share"].sel(parameter="m_t").sum().item() < 0.05
        True
    """
    return divided_relevance(posterior, variance_shares(posterior) if "rho" in posterior["posterior"] else None)


def divided_relevance(posterior: xr.DataTree, divided: xr.Dataset | None) -> xr.Dataset:
    """The same, given what :func:`variance_shares` says of the posterior.

    Raises:
        PosteriorError: no coefficient was sampled.
    """
    if "rho" not in posterior["posterior"] or divided is None:
        msg = "no coefficient was sampled in this posterior; sample with correlations='prior' and a set that has ranges"
        raise PosteriorError(msg)
    combination = combination_of(posterior)
    prior, rho = (posterior[group].to_dataset()["rho"] for group in ("prior", "posterior"))
    names = [str(c) for c in rho["coefficient"].to_numpy()]
    gains = np.array([_information(prior.sel(coefficient=c), rho.sel(coefficient=c)) for c in names]).reshape(-1, 2)
    slopes = scan_slopes(combination)
    shares = divided["share"]
    # Parts of other kinds may have the name of a coefficient; those of sizes come after those of the coefficients.
    of_coefficients = shares.isel(part=np.flatnonzero(shares["kind"].to_numpy() == "coefficient")[: len(names)])
    parameters = [str(p) for p in shares["parameter"].to_numpy()]
    before = prior_summaries(combination, posterior["prior"].to_dataset())
    pairs = {
        "prior": [(before[c].mean, before[c].sd) for c in names],
        "posterior": [mean_sd(rho.sel(coefficient=c)) for c in names],
    }
    moments = {}
    for kind, rows in pairs.items():
        found = np.array(rows).reshape(-1, 2)
        moments[kind] = {"mean": found[:, 0], "sd": found[:, 1]}
    table = xr.Dataset(
        {
            **{f"{kind}_{key}": ("coefficient", row) for kind, rows in moments.items() for key, row in rows.items()},
            "information": ("coefficient", gains[:, 0]),
            "information_error": ("coefficient", gains[:, 1]),
            "slope": slopes.sel(coefficient=names, parameter=parameters),
            "share": of_coefficients.drop_vars("kind").rename(part="coefficient"),
        },
        {"coefficient": names},
    )
    titles = {c.name: c.title or c.name for c in combination.assumption_set.coefficients}
    return table.assign_coords(title=("coefficient", [titles[name] for name in names]))


def _information(prior: xr.DataArray, posterior: xr.DataArray) -> tuple[float, float]:
    """Bits gained and their Monte Carlo error."""
    edges = np.quantile(prior.to_numpy(), np.linspace(0, 1, BINS + 1)[1:-1])
    counts = np.bincount(np.searchsorted(edges, posterior.to_numpy().ravel()), minlength=BINS)
    shares = counts / counts.sum()
    # Bins do not profit from draws that are antithetic for the mean.
    effective = float(counts.sum())
    if posterior.sizes["draw"] > 3:
        import arviz as az  # takes a second to import, which a profile does not need

        effective = min(effective, *(float(az.ess(posterior.to_numpy(), method=m)) for m in ("bulk", "sd")))
    # The bins come from draws too, as many as the prior has.
    draws = 1 / (1 / effective + 1 / prior.size)
    found = float(np.sum(shares * np.log2(BINS * np.maximum(shares, 1e-12))))
    scale = 1 / (2 * draws * np.log(2))
    # 2 n ln2 times the plain estimate is chi2 with bins - 1 degrees of freedom where there is nothing to gain.
    return found - (BINS - 1) * scale, float(np.sqrt(2 * (BINS - 1)) * scale)

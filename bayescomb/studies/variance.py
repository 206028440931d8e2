r"""Parts of the variance of a result, and the relevance of each coefficient.

The parts are those of statistics, groups of sources, theory, and not knowing the coefficients.  The law of total variance,
Var(x) = E[Var(x | r)] + Var(E[x | r]), separates the coefficients r.  The first term is divided like the impacts, by the
linear influence of the data at draws of r.  The second is divided by the regression of E[x | r] on r: the part of
coefficient c is the covariance of E[x | r] with the term b_c r_c.  The remainder (curvature of the prediction, scales near
the end of their range, products of coefficients, Monte Carlo error) is a part of its own, so that all parts add up to the
variance.

The relevance of a coefficient is the information that the data give on it, and its effect on the result.
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
from bayescomb.sampling.plan import stacked_vector
from bayescomb.sampling.posterior.storage import combination_of, is_extended
from bayescomb.sampling.posterior.summary import conditional_gaussian, mean_sd, prior_summaries, result_moments

__all__ = ["coefficient_relevance", "conditional_mean", "divided_relevance", "has_variances", "variance_shares"]

# Draws of the coefficients over which the division of E[Var(x | r)] is averaged.
POINTS: Final = 24
STATISTICS, COUPLING, REMAINDER = "statistics", "coupling between groups", "remainder"
# Equally probable bins of the prior in which the posterior draws of a coefficient are counted.
BINS: Final = 10


@expects(posterior="posterior")
@single_threaded
def variance_shares(posterior: xr.DataTree) -> xr.Dataset:
    """Parts of the posterior variance of each headline result.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.

    Returns:
        ``variance`` in the unit of the result squared and ``share`` of the total, dims ``part``, ``parameter``; coordinate
        ``kind`` of each part: ``statistics``, ``group``, ``coupling``, ``coefficient`` or ``remainder``.  Parts of
        anticorrelated sources can be negative.  The parts add up to the variance, which is that of the exact conditional
        moments for a combination and that of the draws for an extraction.

    Raises:
        OptionError: there is no linear influence of the data, as chi2 is not quadratic, results are normalised, an
            observable has a range, or the model was extended; or a result has no variance.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> shares = bc.variance_shares(posterior)
        >>> round(shares["share"].sum("part").item(), 9)
        1.0
    """
    combination = combination_of(posterior)
    if not combination.linear or is_extended(posterior):
        msg = (
            f"{combination.name!r}: shares of a variance need results that are linear in the data: a quadratic chi2, no "
            "normalisation, no ranges, and a model that was not extended"
        )
        raise OptionError(msg)
    if not has_variances(posterior):
        msg = f"{combination.name!r}: a result has no variance to divide; 'bayescomb sample' says which one and why"
        raise OptionError(msg)
    names = [o.name for o in combination.headline]
    draws = posterior["posterior"].to_dataset()
    total = np.array([result_moments(posterior, name)[1] ** 2 for name in names])
    labels, kinds, parts = _given_coefficients(combination, draws, names)
    coefficients = _of_coefficients(posterior, names)
    labels += [*coefficients, REMAINDER]
    kinds += [*["coefficient"] * len(coefficients), "remainder"]
    parts += coefficients.values()
    parts.append(total - np.sum(parts, axis=0))
    coords = {"part": labels, "kind": ("part", kinds), "parameter": names}
    variance = xr.DataArray(np.array(parts), coords, ("part", "parameter"), name="variance")
    return xr.Dataset({"variance": variance, "share": variance / xr.DataArray(total, dims="parameter")})


def has_variances(posterior: xr.DataTree) -> bool:
    """Whether every result has a variance; where tails are too long for one, only quantiles are given."""
    names = [o.name for o in combination_of(posterior).headline]
    return bool(np.isfinite([result_moments(posterior, name)[1] for name in names]).all())


def conditional_mean(posterior: xr.DataTree, name: str) -> FloatArray:
    """E[x | r] at every draw, shape (n,), or the draws of x where it is not known."""
    moments = conditional_gaussian(posterior, name)
    values = posterior["posterior"][variable_name(name)] if moments is None else moments[0]
    return values.to_numpy().ravel()


def _given_coefficients(
    combination: Combination, draws: xr.Dataset, names: list[str]
) -> tuple[list[str], list[str], list[FloatArray]]:
    """E[Var(x | r)] by statistics, groups and their coupling: averages over some draws of r.

    Returns:
        Labels and kinds of the parts, and their variances, shape (P,) each.
    """
    family = correlation_family(combination)
    ungrouped = dataclasses.replace(combination, impact_groups={})  # impact groups may overlap, groups of sources do not
    points = [family.nominal]
    scales: list[FloatArray] = []
    chosen = np.linspace(0, draws.sizes["chain"] * draws.sizes["draw"] - 1, POINTS).astype(int)
    if "rho" in draws:
        position = [[c.name for c in family.coefficients].index(str(name)) for name in draws["coefficient"].to_numpy()]
        points = []
        for values in stacked_vector(draws, "rho")[chosen]:
            coefficients = family.nominal
            coefficients[position] = values
            points.append(coefficients)
    if SCALE in draws:
        scales = list(stacked_vector(draws, SCALE)[chosen])
        points = points if len(points) > 1 else points * POINTS
        found = [parts_at(ungrouped, coefficients=p, scales=s) for p, s in zip(points, scales, strict=True)]
    else:
        found = [impacts(ungrouped, coefficients=p) for p in points]
    tables = [_divided(result, names) for result in found]
    keys = list(tables[0])
    kinds = [kind if kind in {"statistics", "coupling"} else "group" for kind, _ in keys]
    return [label for _, label in keys], kinds, [np.mean([table[key] for table in tables], axis=0) for key in keys]


def _divided(result: ImpactResult, names: list[str]) -> dict[tuple[str, str], FloatArray]:
    """Signed variances of one impact table: statistics, groups, sources without a group, theory, and coupling of groups.

    The keys are kind and name, as a group and a source may have the same name.
    """

    def squared(values: xr.DataArray) -> FloatArray:
        impact = values.sel(parameter=names).to_numpy()
        return np.sign(impact) * impact**2

    group_of = {s.name: s.group for s in result.combination.sources}
    measured = {*group_of, *(n.source for n in result.combination.nuisances)}
    own = set(group_of.values())
    # Theory is divided into its sources, unless the model itself has a group of that name.
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
    rest[np.abs(rest) < 1e-12 * np.abs(squared(result.total))] = 0.0  # rounding of a difference of equal sums
    return parts | {("coupling", COUPLING): rest}


def _of_coefficients(posterior: xr.DataTree, names: list[str]) -> dict[str, FloatArray]:
    """Var(E[x | r]) by coefficient, from the regression of the conditional mean on all of them.

    The logarithms of the scales of uncertain sizes are regressors like the coefficients, with a part each.
    """
    draws = posterior["posterior"].to_dataset()
    labels: list[str] = []
    columns = []
    for name, dim, prefix in (("rho", "coefficient", ""), (SCALE, "uncertain_size", SIZE_OF)):
        if name in draws:
            labels += [f"{prefix}{label}" for label in draws[dim].to_numpy()]
            values = stacked_vector(draws, name)
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

    The information gained is the Kullback-Leibler divergence of the marginal posterior from the marginal prior in bits.  It
    is estimated from the shares p_i of the posterior draws in ten equally probable bins of the prior as
    sum_i p_i log2(10 p_i) - (bins - 1) / (2 n ln 2), n being the effective sample size: the second term is the average of
    the first for draws of the prior (Miller, in Information Theory in Psychology (1955) 95).  A value compatible with 0
    means that the data do not constrain the coefficient by itself.

    Args:
        posterior: a tree of :func:`bayescomb.sample` with sampled coefficients.

    Returns:
        Dim ``coefficient``: ``prior_mean``, ``prior_sd``, ``posterior_mean``, ``posterior_sd``, ``information`` (bits),
        ``information_error`` (its Monte Carlo error where the posterior is the prior).  Dims ``coefficient``, ``parameter``:
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
    """The table of :func:`coefficient_relevance`, given the result of :func:`variance_shares`.

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
    # Parts of other kinds may have the name of a coefficient; the parts of sizes come after those of the coefficients.
    of_coefficients = shares.isel(part=np.flatnonzero(shares["kind"].to_numpy() == "coefficient")[: len(names)])
    parameters = [str(p) for p in shares["parameter"].to_numpy()]
    before = prior_summaries(combination, posterior["prior"].to_dataset())
    pairs = {
        "prior": [(before[c].mean, before[c].sd) for c in names],
        "posterior": [mean_sd(rho.sel(coefficient=c)) for c in names],
    }
    moments = {kind: np.array(rows).reshape(-1, 2).T for kind, rows in pairs.items()}
    table = xr.Dataset(
        {
            **{
                f"{kind}_{key}": ("coefficient", row)
                for kind, rows in moments.items()
                for key, row in zip(("mean", "sd"), rows, strict=True)
            },
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
    # Draws that are antithetic for the mean, with an ESS above their number, are no better for the counts in bins.
    effective = float(counts.sum())
    if posterior.sizes["draw"] > 3:
        import arviz as az  # takes a second to import, which a profile does not need

        effective = min(effective, *(float(az.ess(posterior.to_numpy(), method=m)) for m in ("bulk", "sd")))
    # The edges of the bins come from the draws of the prior, which add to the noise.
    draws = 1 / (1 / effective + 1 / prior.size)
    found = float(np.sum(shares * np.log2(BINS * np.maximum(shares, 1e-12))))
    scale = 1 / (2 * draws * np.log(2))
    # Where the posterior is the prior, 2 n ln 2 times the first term has a chi2 distribution of bins - 1 degrees of freedom.
    return found - (BINS - 1) * scale, float(np.sqrt(2 * (BINS - 1)) * scale)

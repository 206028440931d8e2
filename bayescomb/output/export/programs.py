"""The combined result as an input of other programs: a table of a fit, a distribution in HS3, a prior in PyMC."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_kind, expects
from bayescomb.base.errors import InvalidMatrixError, OptionError, PosteriorError
from bayescomb.base.numerics import correlation_of, single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.profile import ProfileResult, require_unscaled
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.observables import variable_name
from bayescomb.likelihood.linear_gaussian import Solution
from bayescomb.sampling.posterior.summary import summarise

__all__ = ["FitResults", "fit_results", "hs3", "mv_normal"]

# Standard deviations between a result and the ends of its domain in HS3.
DOMAIN: Final = 10.0
HS3_VERSION: Final = "0.2"
# Pulls of a fit at other coefficients differ by more.
SAME: Final = 1e-6


class FitResults(NamedTuple):
    """A fit as cabinetry knows it, field by field, so that its functions take it (``cabinetry.visualize.pulls``).

    Attributes:
        bestfit: fitted values, shape (P,): results in their units, nuisances in widths of their priors.
        uncertainty: their errors, shape (P,).
        labels: names of results, then of nuisances.
        corr_mat: correlations, shape (P, P).
        best_twice_nll: minimum of chi2.
        goodness_of_fit: p-value, -1 if there is none.
        minos_uncertainty: result -> errors by Delta chi2 = 1, down and up, where they are not those of ``uncertainty``.

    Examples:
        >>> import bayescomb as bc
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> bc.fit_results(fit, nuisances=False).labels
        ['m_t']
    """

    bestfit: FloatArray
    uncertainty: FloatArray
    labels: list[str]
    corr_mat: FloatArray
    best_twice_nll: float
    goodness_of_fit: float = -1
    minos_uncertainty: Mapping[str, tuple[float, float]] = {}


@dataclass(frozen=True, kw_only=True)
class _Moments:
    """Names, values of shape (P,) and covariance of shape (P, P) of the results, and what they rest on."""

    combination: Combination
    names: Sequence[str]
    values: FloatArray
    covariance: FloatArray

    def checked(self) -> _Moments:
        """The same.

        Raises:
            InvalidMatrixError: a result has no covariance, or one follows from the others.
        """
        bad = [n for n, v in zip(self.names, np.diag(self.covariance), strict=True) if not v > 0]
        if bad or np.linalg.eigvalsh(correlation_of(self.covariance))[0] < 1e-12:
            which = f"{', '.join(bad)} at a bound" if bad else f"{', '.join(self.names)} follow from each other"
            msg = f"{self.combination.name!r}: {which}, so that there is no Gaussian of all results; leave results out"
            raise InvalidMatrixError(msg)
        return self


def _moments(result: ProfileResult | xr.DataTree) -> _Moments:
    """Of the results, spectators left out: fitted values, or means of a posterior that has converged."""
    if isinstance(result, xr.DataTree):
        sampled = summarise(result)
        if not sampled.verdict.passed:
            msg = f"{sampled.verdict.sentence}; sample with more draws, or take the profile"
            raise PosteriorError(msg)
        means = {name: found.mean for name, found in sampled.results.items()}
        if None in means.values():
            msg = "a result has no mean in the posterior; take the profile"
            raise PosteriorError(msg)
        names, combination = list(means), sampled.combination
        values, covariance = np.array([float(m) for m in means.values() if m is not None]), sampled.covariance
    else:
        check_kind(result, "profile", where="the result")
        combination = result.combination
        names = [str(name) for name in result.values["parameter"].to_numpy()]
        values, covariance = result.values.to_numpy(), result.covariance.to_numpy()
        require_unscaled(result, where=f"{combination.name!r} for other programs")
    if combination.blinding is not None:  # these formats have no place for it
        msg = f"{combination.name!r}: blinded, which what other programs read could not say; unblind it first"
        raise OptionError(msg)
    wanted = [o.name for o in combination.results if not o.spectator and o.name in names]
    order = [names.index(name) for name in wanted]
    return _Moments(combination=combination, names=wanted, values=values[order], covariance=covariance[np.ix_(order, order)])


@expects(fit="profile")
@single_threaded
def fit_results(fit: ProfileResult, *, nuisances: bool = True) -> FitResults:
    """The profile as a table of a fit, with the fields of ``FitResults`` of cabinetry.

    Nuisances that are one and the same stand in it once, under the name that they have in the first measurement.

    Args:
        fit: of :func:`bayescomb.profile` at nominal coefficients.
        nuisances: with the nuisances, which takes a chi2 that is quadratic.

    Raises:
        OptionError: the nuisances have no covariance: chi2 is not quadratic, sizes are uncertain, a mass is extracted, or
            the fit is at other coefficients.

    Examples:
        >>> import bayescomb as bc
        >>> fits = [
        ...     bc.Measurement.from_fit(name, values=[value, 0.2], covariance=[[4.0, 1.0], [1.0, 0.9]],
        ...         parameters=["sigma", "jes"], results=["sigma"])
        ...     for name, value in (("North", 99.0), ("South", 101.0))
        ... ]
        >>> table = bc.fit_results(bc.profile(bc.combine(fits, shared_names="same")))
        >>> table.labels, table.bestfit.round(3).tolist()
        (['sigma', 'jes'], [100.182, 0.364])
    """
    moments = _moments(fit)
    names, values, covariance = list(moments.names), moments.values, moments.covariance
    if nuisances:
        own, pulls, joint = _nuisances(fit, names)
        names, values = [*names, *own], np.concatenate([values, pulls])
        covariance = np.block(
            [[covariance, joint[: len(covariance)]], [joint[: len(covariance)].T, joint[len(covariance) :]]]
        )
    errors = np.sqrt(np.diag(covariance))
    intervals = {
        str(name): (float(down), float(up))
        for name, down, up, error in zip(
            fit.values["parameter"].to_numpy(),
            fit.down_errors.to_numpy(),
            fit.up_errors.to_numpy(),
            fit.errors.to_numpy(),
            strict=True,
        )
        if not (up == error and down == -error)
    }
    return FitResults(
        bestfit=values,
        uncertainty=errors,
        labels=names,
        corr_mat=correlation_of(covariance),
        best_twice_nll=fit.chi2,
        goodness_of_fit=-1 if fit.p_value is None else fit.p_value,
        minos_uncertainty=intervals,
    )


def _nuisances(fit: ProfileResult, results: Sequence[str]) -> tuple[list[str], FloatArray, FloatArray]:
    """Names and pulls of N nuisances, and their covariance with results and each other, shape (P + N, N)."""
    combination = fit.combination
    why = "" if combination.linear and not combination.extraction and fit.sizes is None else "where chi2 is not quadratic"
    if not why:
        fitter = Fitter(combination)
        correlation, _ = fitter.correlation(None)
        solution = fitter.fit(correlation).solution
        assert isinstance(solution, Solution)  # nothing is extracted
        if np.abs(solution.pulls - fit.pulls.to_numpy()).max(initial=0.0) > SAME:
            why = "of a fit at other coefficients"
    if why:
        msg = (
            f"{combination.name!r}: nuisances have no covariance with each other {why}; make the table of the results alone "
            "(nuisances=False)"
        )
        raise OptionError(msg)
    whole: FloatArray = solution.nuisance_covariance
    kept = [
        i for i in range(len(correlation)) if not any(correlation[i, j] == 1 and correlation[i, i] == 1 for j in range(i))
    ]
    names = [str(name) for name in fit.pulls["nuisance"].to_numpy()]
    cross = fit.cross_covariance.sel(parameter=list(results)).to_numpy()
    return [names[i] for i in kept], fit.pulls.to_numpy()[kept], np.vstack([cross[:, kept], whole[np.ix_(kept, kept)]])


@single_threaded
def hs3(result: ProfileResult | xr.DataTree, *, name: str = "") -> dict[str, Any]:
    """The results as one multivariate Gaussian in HS3, the HEP statistics serialisation standard, as plain data for JSON.

    ``x`` are the results, ``mean`` their values: the likelihood of the results, as far as it is Gaussian.  ROOT reads it by
    ``RooJSONFactoryWSTool``; signs that its names do not allow become underscores.

    Args:
        result: a profile, or a posterior that has converged, of which mean and covariance are taken.
        name: of the distribution, that of the combination by default.

    Raises:
        InvalidMatrixError: a result is at its bound or follows from others, so that there is no such Gaussian.
        PosteriorError: the posterior has not converged.

    Examples:
        >>> import bayescomb as bc
        >>> found = bc.hs3(bc.profile(bc.load("models/run1_mass")))["distributions"][0]
        >>> found["type"], found["x"], round(found["mean"][0], 4)
        ('multivariate_normal_dist', ['m_t'], 172.5134)
    """
    moments = _moments(result).checked()
    names, taken = [], set[str]()
    for own in moments.names:
        plain = base = _plain(own)
        count = 1
        while plain in taken:
            count += 1
            plain = f"{base}_{count}"
        taken.add(plain)
        names.append(plain)
    values, errors = moments.values.tolist(), np.sqrt(np.diag(moments.covariance)).tolist()
    title = _plain(name or moments.combination.name)
    ends = [(v - DOMAIN * e, v + DOMAIN * e) for v, e in zip(values, errors, strict=True)]
    return {
        "metadata": {"hs3_version": HS3_VERSION, "packages": [{"name": "bayescomb", "version": version("bayescomb")}]},
        "distributions": [
            {
                "name": title,
                "type": "multivariate_normal_dist",
                "x": names,
                "mean": values,
                "covariances": moments.covariance.tolist(),
            }
        ],
        "domains": [
            {
                "name": "default_domain",
                "type": "product_domain",
                "axes": [{"name": n, "min": low, "max": high} for n, (low, high) in zip(names, ends, strict=True)],
            }
        ],
        "parameter_points": [
            {"name": "default_values", "parameters": [{"name": n, "value": v} for n, v in zip(names, values, strict=True)]}
        ],
    }


def _plain(name: str) -> str:
    """A name of letters, digits and underscores that begins with a letter."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return plain if plain[:1].isalpha() else f"x_{plain}"


def mv_normal(result: ProfileResult | xr.DataTree, *, name: str = "results", dims: str = "result") -> Any:
    """The results as a ``pm.MvNormal`` in the ``pm.Model`` that is open: what was measured, as the prior of what follows.

    Args:
        result: a profile, or a posterior that has converged, of which mean and covariance are taken.
        name: of the variable.
        dims: name of its dimension, whose coordinate holds the names of the results; it is added to the model.

    Returns:
        The variable, of the shape (P,).

    Raises:
        InvalidMatrixError: a result is at its bound or follows from others, so that there is no such Gaussian.
        PosteriorError: the posterior has not converged.

    Examples:
        >>> import bayescomb as bc
        >>> import pymc as pm
        >>> fit = bc.profile(bc.load("models/run1_mass"))
        >>> with pm.Model() as model:
        ...     m_t = bc.mv_normal(fit)[0]
        ...     width = pm.Deterministic("width", 1.32 * (m_t / 172.5) ** 3)
        >>> model.coords["result"]
        ('m_t',)
    """
    import pymc as pm

    moments = _moments(result).checked()
    pm.modelcontext(None).add_coord(dims, [variable_name(n) for n in moments.names])
    return pm.MvNormal(name, mu=moments.values, cov=moments.covariance, dims=dims)

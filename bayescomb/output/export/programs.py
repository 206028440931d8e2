"""The combined result as an input of other programs: a table of a fit, a distribution in HS3, a prior in PyMC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import expects
from bayescomb.base.numerics import correlation_of, single_threaded
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.observables import variable_name
from bayescomb.output.analysis import moments, nuisance_covariance

__all__ = ["FitResults", "fit_results", "hs3", "mv_normal"]

# Standard deviations between a result and the ends of its domain in HS3.
DOMAIN: Final = 10.0
HS3_VERSION: Final = "0.2"


class FitResults(NamedTuple):
    """A fit with the fields of cabinetry's ``FitResults``, which its functions accept (``cabinetry.visualize.pulls``).

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


@expects(fit="profile")
@single_threaded
def fit_results(fit: ProfileResult, *, nuisances: bool = True) -> FitResults:
    """The profile as a table of a fit, with the fields of ``FitResults`` of cabinetry.

    Nuisances that are one and the same stand in it once, under the name that they have in the first measurement.

    Args:
        fit: of :func:`bayescomb.profile` at nominal coefficients.
        nuisances: whether the nuisances are included, for which chi2 must be quadratic.

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
    found = moments(fit)
    names, values, covariance = list(found.names), found.values, found.covariance
    if nuisances:
        own, pulls, joint = nuisance_covariance(fit, names)
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
    found = moments(result).checked()
    names, taken = [], set[str]()
    for own in found.names:
        plain = base = _plain(own)
        count = 1
        while plain in taken:
            count += 1
            plain = f"{base}_{count}"
        taken.add(plain)
        names.append(plain)
    values, errors = found.values.tolist(), np.sqrt(np.diag(found.covariance)).tolist()
    title = _plain(name or found.combination.name)
    ends = [(v - DOMAIN * e, v + DOMAIN * e) for v, e in zip(values, errors, strict=True)]
    return {
        "metadata": {"hs3_version": HS3_VERSION, "packages": [{"name": "bayescomb", "version": version("bayescomb")}]},
        "distributions": [
            {
                "name": title,
                "type": "multivariate_normal_dist",
                "x": names,
                "mean": values,
                "covariances": found.covariance.tolist(),
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
    """The results as a ``pm.MvNormal`` in the ``pm.Model`` that is open, as the prior of a further analysis.

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

    found = moments(result).checked()
    pm.modelcontext(None).add_coord(dims, [variable_name(n) for n in found.names])
    return pm.MvNormal(name, mu=found.values, cov=found.covariance, dims=dims)

"""Posterior beside profile, and how much of the uncertainty comes from not knowing the correlations."""

from __future__ import annotations

from dataclasses import dataclass

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from bayescomb.inputs import Combination
from bayescomb.profile import ProfileResult
from bayescomb.storage import require_same_model
from bayescomb.threads import single_threaded

__all__ = ["INTERVAL", "Comparison", "compare", "posterior_quantiles"]

INTERVAL = 0.68
# Points of the distribution function of a mixture, and Gaussians in it: far more than its rounding on a page asks for.
GRID = 801
MIXTURE_DRAWS = 2000
ROUNDING = 1e-12
SHARES = ("mean_of_variance", "variance_of_mean", "coefficient_share", "coefficient_share_mcse")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Per parameter, in the unit of the parameter (coord ``unit``).

    Attributes:
        combination: what was combined.
        table: dim ``parameter``, with the variables ``profile_value``, ``profile_error``; ``mean``, ``sd``, ``median``,
            ``hdi_low``, ``hdi_high`` (68 % highest-density interval), ``mcse_mean`` of the posterior, of a linear model from
            the average of the exact conditional Gaussians, which carries less Monte Carlo error than the draws;
            ``mcse_sd``; ``nominal_mean``,
            ``nominal_sd``, ``nominal_median``, ``nominal_hdi_low``, ``nominal_hdi_high`` of the posterior with all
            coefficients at nominal (exact: it is Gaussian); ``mean_of_variance`` = E[Var(x | r)], ``variance_of_mean`` =
            Var(E[x | r]) and ``coefficient_share`` = Var(E[x | r]) / (their sum), the share of the variance that comes
            from not knowing the coefficients r, each from exact conditional moments; ``coefficient_share_mcse`` its Monte
            Carlo error.  What rests on the model being linear is absent where it is not, or is normalised; of an
            extraction the shares of the masses are there, from the tangent at each draw, and NaN for all else.
    """

    combination: Combination
    table: xr.Dataset

    @property
    def exact(self) -> bool:
        """Whether the model is linear, so that the posterior at nominal and the variance shares are in the table."""
        return "nominal_mean" in self.table

    @property
    def shared(self) -> bool:
        """Whether the shares of the variance are in the table, of an extraction those of its masses."""
        return "coefficient_share" in self.table


@single_threaded
def compare(posterior: xr.DataTree, fit: ProfileResult) -> Comparison:
    """Lay a posterior beside the profile at nominal coefficients.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        fit: the profile of the same combination under the same assumption set and treatment.

    Raises:
        PosteriorError: the posterior was made from other inputs.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass")
        >>> row = bc.compare(posterior, bc.profile(combination)).table.sel(parameter="m_t")
        >>> f"{row['profile_value'].item():.2f}, {row['mean'].item():.1f} +- {row['sd'].item():.1f}"
        '172.51, 172.5 +- 0.3'
    """
    combination = require_same_model(posterior, fit.combination)
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    draws = posterior["posterior"].to_dataset()
    # Only a linear model has exact conditional moments.
    conditional = posterior["conditional"].to_dataset() if "conditional" in posterior.children else None
    rows = []
    for name in names:
        value, error = float(fit.values.sel(parameter=name)), float(fit.errors.sel(parameter=name))
        row = {
            "profile_value": value,
            "profile_error": error,
            "profile_up": float(fit.up_errors.sel(parameter=name)),
            "profile_down": float(fit.down_errors.sel(parameter=name)),
        }
        if conditional is not None and not combination.extraction:
            row |= _of_mixture(conditional["mean"].sel(parameter=name), conditional["sd"].sel(parameter=name))
        else:
            row |= _of_draws(draws[name])
        if conditional is not None and not combination.extraction and not combination.errors_on_errors:
            row |= _gaussian_at_nominal(value, error)
        if conditional is not None:
            known = name in conditional["parameter"].to_numpy()
            row |= _shares(conditional, name) if known else dict.fromkeys(SHARES, float("nan"))
        rows.append(row)
    table = xr.Dataset({key: ("parameter", [row[key] for row in rows]) for key in rows[0]}, {"parameter": names})
    units = fit.values["unit"].to_numpy()
    return Comparison(combination=combination, table=table.assign_coords(unit=("parameter", units)))


def _of_draws(values: xr.DataArray) -> dict[str, float]:
    hdi = np.ravel(az.hdi(values.to_numpy().ravel(), prob=INTERVAL))
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "median": float(values.median()),
        "hdi_low": float(hdi[0]),
        "hdi_high": float(hdi[1]),
        "mcse_mean": float(az.mcse(values.to_numpy(), method="mean")),
        "mcse_sd": float(az.mcse(values.to_numpy(), method="sd")),
    }


def _of_mixture(mean: xr.DataArray, sd: xr.DataArray) -> dict[str, float]:
    """Summary of the average of the Gaussians that the draws of the coefficients leave."""
    variance = sd**2
    grid, below, total = _distribution(mean, sd)
    lower = np.linspace(1e-4, 1 - INTERVAL - 1e-4, GRID)
    low, high = np.interp(lower, below, grid), np.interp(lower + INTERVAL, below, grid)
    shortest = int(np.argmin(high - low))

    def error(values: xr.DataArray) -> float:
        # a quantity that does not depend on the coefficients has no Monte Carlo error
        return float(az.mcse(values.to_numpy(), method="mean")) if float(values.std()) > ROUNDING * total else 0.0

    of_variance = float(np.hypot(error(variance), error((mean - mean.mean()) ** 2)))
    return {
        "mean": float(mean.mean()),
        "sd": total,
        "median": float(np.interp(0.5, below, grid)),
        "hdi_low": float(low[shortest]),
        "hdi_high": float(high[shortest]),
        "mcse_mean": error(mean),
        "mcse_sd": of_variance / (2 * total),
    }


def _distribution(mean: xr.DataArray, sd: xr.DataArray) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Points of the average of Gaussians, its distribution function there, and its standard deviation."""
    total = float(np.sqrt(float((sd**2).mean()) + float(mean.var())))
    centres, widths = mean.to_numpy().ravel(), sd.to_numpy().ravel()
    chosen = np.linspace(0, len(centres) - 1, min(len(centres), MIXTURE_DRAWS)).astype(int)
    grid = float(centres.mean()) + total * np.linspace(-6.0, 6.0, GRID)
    return grid, norm.cdf((grid[:, None] - centres[chosen]) / widths[chosen]).mean(axis=1), total


def posterior_quantiles(posterior: xr.DataTree, parameter: str, probabilities: ArrayLike) -> NDArray[np.float64]:
    """Quantiles of the same distribution that the mean and the interval of a comparison are of.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        parameter: name of a result.
        probabilities: shape (n,), each above 0 and below 1.

    Returns:
        Shape (n,), in the unit of the parameter.
    """
    wanted = np.asarray(probabilities, dtype=float)
    if "conditional" in posterior.children and not posterior.attrs.get("extraction"):
        conditional = posterior["conditional"].to_dataset().sel(parameter=parameter)
        grid, below, _ = _distribution(conditional["mean"], conditional["sd"])
        return np.interp(wanted, below, grid)
    return np.quantile(posterior["posterior"][parameter].to_numpy(), wanted)


def _gaussian_at_nominal(value: float, error: float) -> dict[str, float]:
    """The posterior at nominal coefficients of a linear model is the profile's Gaussian."""
    half = float(norm.ppf(0.5 + INTERVAL / 2))
    return {
        "nominal_mean": value,
        "nominal_sd": error,
        "nominal_median": value,
        "nominal_hdi_low": value - half * error,
        "nominal_hdi_high": value + half * error,
    }


def _shares(conditional: xr.Dataset, name: str) -> dict[str, float]:
    """What the coefficients contribute to the variance, from exact conditional moments."""
    mean, variance = conditional["mean"].sel(parameter=name), conditional["sd"].sel(parameter=name) ** 2
    of_mean, of_variance = float(mean.var()), float(variance.mean())
    share = of_mean / (of_mean + of_variance)
    # Delta method on the two Monte Carlo averages; the mean's own error is of second order.
    error_of_mean = float(az.mcse(((mean - mean.mean()) ** 2).to_numpy(), method="mean")) if of_mean else 0.0
    error_of_variance = float(az.mcse(variance.to_numpy(), method="mean")) if of_mean else 0.0
    combined = float(np.hypot((1 - share) * error_of_mean, share * error_of_variance))
    return {
        "mean_of_variance": of_variance,
        "variance_of_mean": of_mean,
        "coefficient_share": share,
        "coefficient_share_mcse": combined / (of_mean + of_variance),
    }

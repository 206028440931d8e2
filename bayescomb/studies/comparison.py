"""Posterior beside profile, and the part of the variance that comes from not knowing the coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import norm

from bayescomb.base.checks import expects
from bayescomb.base.numerics import single_threaded
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.fit.profile import ProfileResult, require_unscaled
from bayescomb.inputs.combination import Combination
from bayescomb.sampling.posterior.storage import require_same_model, require_same_settings
from bayescomb.sampling.posterior.summary import INTERVAL, conditional_gaussian, monte_carlo_error, result_summary

__all__ = ["Comparison", "compare"]

SHARES = (
    "mean_of_variance", "variance_of_mean", "coefficient_share", "coefficient_share_mcse", "shift_of_mean",
    "shift_of_mean_mcse",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Shown):
    """A posterior beside the profile at nominal coefficients.

    Attributes:
        combination: what was combined.
        table: dim ``parameter`` with the coordinate ``unit``; all numbers but shares in the unit of the parameter.

            - ``profile_value``, ``profile_error``, ``profile_up`` and ``profile_down``.  Where ``profile_corrected`` is 1
              the parameter has no standard deviation, and the interval has Bartlett's correction.
            - ``mean``, ``sd``, ``median``, ``hdi_low``, ``hdi_high`` (68 % highest-density interval), ``central_low``,
              ``central_high``, ``mcse_mean`` and ``mcse_sd`` of the posterior, see
              :func:`bayescomb.sampling.posterior.summary.result_summary`; mean and sd are NaN where they are not given.
            - ``nominal_mean``, ``nominal_sd``, ``nominal_median``, ``nominal_hdi_low`` and ``nominal_hdi_high`` of the
              posterior with all coefficients at nominal, which is Gaussian and therefore exact.
            - ``mean_of_variance`` = E[Var(x | r)], ``variance_of_mean`` = Var(E[x | r]) and ``coefficient_share`` =
              Var(E[x | r]) / (their sum), the share of the variance that comes from not knowing the coefficients r, with
              its Monte Carlo error ``coefficient_share_mcse``; ``shift_of_mean`` = E[E[x | r]] minus the profile, with
              ``shift_of_mean_mcse``.  They are made of the exact conditional moments.

            The last two items are absent where the model is not linear or results are normalised.  An extraction has the
            last item alone: for masses from the tangent at each draw, NaN for everything else.
    """

    combination: Combination
    table: xr.Dataset

    def _line(self) -> str:
        return f"{self.combination.name}: profile and posterior of {counted(self.table.sizes['parameter'], 'parameters')}"

    @property
    def exact(self) -> bool:
        """Whether the model is linear, so that the posterior at nominal and the variance shares are in the table."""
        return "nominal_mean" in self.table

    @property
    def shared(self) -> bool:
        """Whether the shares of the variance are in the table; an extraction has those of its masses."""
        return "coefficient_share" in self.table


@expects(posterior="posterior", fit="profile")
@single_threaded
def compare(posterior: xr.DataTree, fit: ProfileResult) -> Comparison:
    """Lay a posterior beside the profile at nominal coefficients.

    Args:
        posterior: a tree of :func:`bayescomb.sample`.
        fit: the profile of the same combination under the same assumption set and treatment.

    Raises:
        PosteriorError: the posterior was made from other inputs, or only one of posterior and profile has bounds.
        OptionError: the errors of the profile contain a scale factor.

    Examples:
        With ``posterior = bc.sample(bc.load("models/run1_mass"), seed=1)``:

        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass")
        >>> row = bc.compare(posterior, bc.profile(combination)).table.sel(parameter="m_t")
        >>> f"{row['profile_value'].item():.2f}, {row['mean'].item():.1f} +- {row['sd'].item():.1f}"
        '172.51, 172.5 +- 0.3'
    """
    require_unscaled(fit, where=f"comparison with a posterior of {fit.combination.name!r}")
    combination = require_same_model(posterior, fit.combination)
    if combination.nonnegative != fit.combination.nonnegative:
        require_same_settings(posterior, fit.combination)
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    shared = "conditional" in posterior.children
    rows = []
    for name in names:
        value, error = float(fit.values.sel(parameter=name)), float(fit.errors.sel(parameter=name))
        # Where an uncertain size leaves no standard deviation, the interval Delta chi2 = 1 needs Bartlett's correction.
        up, down, corrected = fit.up_errors, fit.down_errors, 0.0
        if fit.sizes is not None and name in fit.sizes.without_sd:
            up, down, corrected = fit.sizes.intervals["up"], fit.sizes.intervals["down"], 1.0
        row = {
            "profile_value": value,
            "profile_error": error,
            "profile_up": float(up.sel(parameter=name)),
            "profile_down": float(down.sel(parameter=name)),
            "profile_corrected": corrected,
        }
        found = result_summary(posterior, name)
        row |= found.numbers
        if shared and not combination.extraction and not combination.errors_on_errors:
            row |= _gaussian_at_nominal(value, error)
        if shared:
            moments = None if found.reason else conditional_gaussian(posterior, name)
            row |= dict.fromkeys(SHARES, float("nan")) if moments is None else _shares(*moments, value)
        rows.append(row)
    table = xr.Dataset({key: ("parameter", [row[key] for row in rows]) for key in rows[0]}, {"parameter": names})
    units = fit.values["unit"].to_numpy()
    return Comparison(combination=combination, table=table.assign_coords(unit=("parameter", units)))


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


def _shares(mean: xr.DataArray, sd: xr.DataArray, value: float) -> dict[str, float]:
    """Contribution of the coefficients to the variance, and to the mean minus the value of the profile."""
    variance = sd**2
    of_mean, of_variance = float(mean.var()), float(variance.mean())
    # Delta method on the two Monte Carlo averages; the mean's own error is of second order.
    total = of_mean + of_variance
    share = of_mean / total
    error_of_mean = monte_carlo_error((mean - mean.mean()) ** 2, scale=total)
    error_of_variance = monte_carlo_error(variance, scale=total)
    combined = float(np.hypot((1 - share) * error_of_mean, share * error_of_variance))
    return {
        "mean_of_variance": of_variance,
        "variance_of_mean": of_mean,
        "coefficient_share": share,
        "coefficient_share_mcse": combined / total,
        "shift_of_mean": float(mean.mean()) - value,
        "shift_of_mean_mcse": monte_carlo_error(mean, scale=total**0.5),
    }

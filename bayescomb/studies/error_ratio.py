r"""How far the profile scatters from the truth over simulated data sets, in units of the error that it quotes.

Where the model is right the ratio is 1.  It differs from 1 where the post-fit nuisance values of fitted inputs are ignored,
i.e. replaced by 0, as in combinations that know only values and covariance of an input.  An input with strongly constrained
nuisances then tells the others that these are at 0 within the constraint, wherever its fit found them.

The estimator remains linear in the measured values x, with the weights W of the result, so that its true spread follows
without simulation.  With :math:`\Sigma` the covariance of the measured values, nuisances drawn from their prior,

.. math:: \mathrm{ratio}^2 = \frac{(W \Sigma W^T)_{pp}}{\mathrm{covariance}_{pp}}.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.linalg import block_diag

from bayescomb.base.arrays import FloatArray
from bayescomb.base.choices import NUISANCE_VALUES
from bayescomb.base.errors import OptionError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.data_information import measurement_factor
from bayescomb.likelihood.linear_gaussian import linear_model, solve
from bayescomb.likelihood.simulation import simulate

__all__ = ["measured_covariance", "spread_over_quoted"]


@single_threaded
def spread_over_quoted(combination: Combination, *, toys: int, seed: int) -> xr.Dataset:
    """Spread of the profile at nominal coefficients over simulated data sets, divided by its quoted error.

    Every data set is analysed twice: with the post-fit nuisance values that its fitted inputs publish used, and ignored.

    Args:
        combination: linear, without free nuisances and with no constraint wider than its prior.
        toys: number of data sets, at least 2.
        seed: of everything random.

    Returns:
        Dims ``nuisance_values`` (``used``, ``ignored``) and ``parameter``: ``ratio``, its Monte Carlo error ``ratio_error``,
        and the ratio ``expected`` from the covariance of the measured values; ``error``, the quoted one; attribute ``toys``.

    Raises:
        OptionError: the combination cannot be simulated, has bounds or a curved formula, or there are too few toys.

    Examples:
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass").with_treatment("nuisance", repair="nearest")
        >>> found = spread_over_quoted(combination, toys=20, seed=1).sel(nuisance_values="used", parameter="m_t")
        >>> abs(found["ratio"].item() - 1) < 5 * found["ratio_error"].item()
        True
    """
    if toys < 2:
        msg = f"toys = {toys} found, at least 2 are needed for a spread"
        raise OptionError(msg)
    if combination.bounds or combination.curved_maps:
        msg = (
            f"{combination.name!r}: the spread is that of results that are linear in the data and have no bounds; leave out "
            "'nonnegative', ranges of priors and estimates of curved formulas"
        )
        raise OptionError(msg)
    correlation = Fitter(combination).correlation()[0]
    nominal = solve(linear_model(combination), correlation)
    rng = np.random.default_rng(seed)
    values = np.empty((toys, len(NUISANCE_VALUES), len(nominal.values)))
    for i in range(toys):
        (data,) = simulate(combination, observables=nominal.values, rng=rng)
        for j, choice in enumerate(NUISANCE_VALUES):
            values[i, j] = solve(linear_model(data.with_nuisance_values(choice)), correlation).values
    error = np.sqrt(np.diag(nominal.covariance))
    ratio = values.std(axis=0, ddof=1) / error
    # Used post-fit values are data too; the estimator then has the variance that it states, so that the ratio is 1.
    variance = nominal.weights @ measured_covariance(combination, correlation) @ nominal.weights.T
    expected = np.array([np.ones(len(error)), np.sqrt(np.diag(variance)) / error])
    dims = ("nuisance_values", "parameter")
    return xr.Dataset(
        {
            "ratio": (dims, ratio),
            "ratio_error": (dims, ratio / np.sqrt(2 * (toys - 1))),
            "expected": (dims, expected),
            "error": ("parameter", error),
        },
        {"nuisance_values": list(NUISANCE_VALUES), "parameter": list(nominal.parameters)},
        {"toys": toys},
    )


def measured_covariance(combination: Combination, correlation: FloatArray) -> FloatArray:
    """Covariance of the measured values at fixed observables, the nuisances drawn from N(0, C), shape (E, E).

    A fitted input measures x_hat of H z_hat = R^T w_0 with w_0 = R z + e.  Its values scatter with the noise e and with the
    part of every nuisance that its own fit did not determine.

    Args:
        combination: E estimates, N nuisances.
        correlation: C, shape (N, N).
    """
    publish, noise = [], []
    for measurement in combination.measurements:
        n = len(measurement.estimates)
        factor = measurement_factor(measurement, nuisance_values="used")
        rows = factor.rows
        noise.append(factor.signs)
        if measurement.fit is None:
            publish.append(np.linalg.inv(rows[:, :n]))
        else:
            information = measurement.fit.information
            publish.append(np.linalg.solve(information, rows[:, : len(information)].T)[:n])
    into = block_diag(*publish)
    model = linear_model(combination.with_nuisance_values("used"))
    scattered = into @ model.loading
    return np.asarray((into * np.concatenate(noise)) @ into.T + scattered @ correlation @ scattered.T)

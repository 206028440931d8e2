"""Summaries of draws against figures by hand."""

import numpy as np
import pytest
import xarray as xr

from bayescomb.sampling.posterior.summary import draws_summary, mean_sd, mixture_moments


def draws(values):
    return xr.DataArray(np.reshape(values, (2, -1)), dims=("chain", "draw"))


def test_variance_of_a_mixture_is_that_inside_and_that_of_the_means():
    mean, sd = mixture_moments(draws([1.0, 3.0]), draws([2.0, 1.0]))
    assert (mean, sd) == (2.0, pytest.approx(np.sqrt((4 + 1) / 2 + 1)))  # E[Var] = 2.5, Var(E) = 1


def test_interval_and_standard_deviation_of_draws():
    found = draws_summary(draws(np.arange(102.0)))
    assert (found.central_low, found.median, found.central_high) == pytest.approx((0.16 * 101, 50.5, 0.84 * 101))
    assert found.sd == mean_sd(np.arange(102.0))[1] == pytest.approx(np.sqrt(102 * 103 / 12))  # n (n + 1) / 12

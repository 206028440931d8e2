"""Many asymmetric sources: the lowest minimum in seconds, held against every orthant as a bounded least-squares problem."""

import itertools
import time

import numpy as np
import pytest
from gaussian import combine
from repetitions import repetitions
from scipy.optimize import lsq_linear

import bayescomb as bc


def combination(seed, n_sources, asymmetry, *, n_estimates=4, size=1.0):
    """Two observables, each measured by every second estimate; sides differ by a relative ``asymmetry`` per estimate."""
    generator = np.random.default_rng(seed)
    values = 10 + 3 * generator.normal(size=n_estimates)
    up = size * generator.normal(size=(n_estimates, n_sources))
    down = -up * (1 + asymmetry * generator.normal(size=up.shape))
    measurement = bc.Measurement(
        name="M",
        estimates=tuple(
            bc.Estimate(name=f"e{i}", value=float(v), observables={f"b{i % 2}": 1.0}) for i, v in enumerate(values)
        ),
        statistical_covariance=np.diag(generator.uniform(0.3, 1.5, n_estimates) ** 2),
        nuisances=tuple(bc.Nuisance(name=f"s{k}") for k in range(n_sources)),
        responses=up,
        down_responses=down,
    )
    return combine(measurement, name="many")


def lowest_by_orthants(model):
    """Minimum of chi2 over all orthants: in each, chi2 is a sum of squares that are linear, with bounds."""
    (measurement,) = model.measurements
    errors = np.sqrt(np.diag(measurement.statistical_covariance))
    values = np.array([e.value for e in measurement.estimates])
    n = len(measurement.nuisances)
    best = np.inf
    for sides in itertools.product((True, False), repeat=n):
        # x + k(lambda) - mu: the slope on the side of -1 sigma is minus the shift there.
        slopes = np.where(sides, measurement.responses, -measurement.down_responses)
        rows = np.block([[model.design / errors[:, None], -slopes / errors[:, None]], [np.zeros((n, 2)), np.eye(n)]])
        target = np.concatenate([values / errors, np.zeros(n)])
        low = np.concatenate([[-np.inf] * 2, np.where(sides, 0.0, -np.inf)])
        high = np.concatenate([[np.inf] * 2, np.where(sides, np.inf, 0.0)])
        found = lsq_linear(rows, target, bounds=(low, high), method="bvls", tol=1e-14)
        best = min(best, 2 * found.cost)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("asymmetry", [0.05, 0.3, 1.0, 2.0])
def test_the_lowest_minimum_is_that_of_all_orthants(asymmetry):
    for seed in range(repetitions(2)):
        model = combination(seed, 7, asymmetry)  # one more than are tried one by one
        assert bc.profile(model).chi2 == pytest.approx(lowest_by_orthants(model), rel=1e-9, abs=1e-9)


@pytest.mark.slow
def test_a_hundred_and_thirteen_sources_end_in_seconds():
    model = combination(3, 113, 0.03, n_estimates=10, size=0.2)
    start = time.process_time()
    fit = bc.profile(model)
    assert time.process_time() - start < 20
    # Each side of each source alone gives a covariance between whose errors those of the fit lie.
    (measurement,) = model.measurements
    sides = np.abs([measurement.responses, measurement.down_responses])
    errors = []
    for shifts in (sides.min(axis=0), sides.max(axis=0)):
        signed = np.sign(measurement.responses) * shifts
        covariance = measurement.statistical_covariance + signed @ signed.T
        information = model.design.T @ np.linalg.solve(covariance, model.design)
        errors.append(np.sqrt(np.diag(np.linalg.inv(information))))
    middle = np.mean(errors, axis=0)
    np.testing.assert_allclose(fit.errors, middle, rtol=0.03)
    np.testing.assert_allclose(fit.up_errors, middle, rtol=0.03)

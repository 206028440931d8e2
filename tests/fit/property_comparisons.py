"""Whether two combinations say the same: profiles, and marginal posterior densities at chosen points."""

import numpy as np
import pytest

from bayescomb.sampling.fused.likelihood import marginal_kernel, packed, pivot_signs
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.priors import log_density


def log_densities(combination, points):
    """Log of the marginal posterior density, up to a constant, at points of (coefficients, observables) by name."""
    plan = sampling_plan(combination)
    model = plan.reduced
    base, patterns = packed(plan.base), packed(plan.patterns)
    found = []
    for rho, values in points:
        r = np.array([rho[c.name] for c in plan.coefficients])
        p = np.array([values[name] for name in plan.parameters])
        data, *_ = marginal_kernel(r, p, base, patterns, model.design, model.offset, pivot_signs(model.signs))
        found.append(data + float(log_density(plan.coefficients, r, xp=np)))
    return np.array(found)


def points_near(fit, rng, *, n=5):
    """Random coefficients well inside their disc, and observables within a few errors of a fit."""
    points = []
    for _ in range(n):
        radius, angle = rng.uniform(0, 0.85), rng.uniform(0, 2 * np.pi)
        values = fit.values + fit.errors * rng.normal(0, 2, len(fit.values))
        rho = {"ab": radius * np.cos(angle), "ac": radius * np.sin(angle)}
        points.append((rho, {str(p): float(values.sel(parameter=p)) for p in values.parameter.values}))
    return points


def assert_same_profile(found, expected, *, nuisances=(), scale=1.0, estimates=None, rtol=1e-7):
    """Values, errors and their parts, covariance, chi2, weights, and pulls and constraints of the named nuisances."""
    names = expected.values.parameter.to_numpy()

    def close(a, b, unit):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * unit)

    largest = scale * expected.errors.max().item()
    close(found.values.sel(parameter=names), scale * expected.values, largest)
    for key in ("errors", "statistical_errors", "systematic_errors"):
        close(getattr(found, key).sel(parameter=names), scale * getattr(expected, key), largest)
    close(found.covariance.sel(parameter=names, parameter_b=names), scale**2 * expected.covariance, largest**2)
    assert (found.ndf, found.chi2, found.own_chi2) == (
        expected.ndf + (0 if estimates is None else estimates),
        _near(expected.chi2, rtol),
        _near(expected.own_chi2, rtol),
    )
    if estimates is None:
        close(found.weights.sel(parameter=names, estimate=expected.weights.estimate.to_numpy()), expected.weights, 1.0)
    for name in nuisances:
        for key in ("pulls", "constraints"):
            a, b = (getattr(fit, key) for fit in (found, expected))
            assert (name in a.nuisance) == (name in b.nuisance)
            if name in a.nuisance:
                close(a.sel(nuisance=name), b.sel(nuisance=name), 1.0)


def _near(value, rtol):
    return pytest.approx(value, rel=10 * rtol, abs=10 * rtol)


def assert_same_density(found, expected, points, *, points_of_found=None):
    """Log densities differ by a constant over the points, to the rounding of chi2."""
    a, b = log_densities(found, points_of_found or points), log_densities(expected, points)
    assert np.isfinite(b).all()
    np.testing.assert_allclose(a - a[0], b - b[0], rtol=1e-7, atol=1e-6 * (1 + np.abs(b - b[0]).max()))

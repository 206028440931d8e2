"""Densities of formulas that call curves: against splines of scipy, at and beyond the points, and as JAX."""

import importlib.util

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from densities import Density
from scipy import stats
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.special import expit

import bayescomb as bc
from bayescomb.sampling.model.build import build_model

MASSES = np.array([165.0, 168.0, 171.0, 174.0, 177.0, 180.0])
RATES, SHAPES = 830 * np.exp(-0.027 * (MASSES - 172.5)), 0.05 * (MASSES / 172.5) ** -6
CURVES = (
    bc.Curve(name="rate at", x=tuple(MASSES), y=tuple(RATES)),
    bc.Curve(name="shape at", x=tuple(MASSES), y=tuple(SHAPES), kind="monotone"),
)
VALUES, ERRORS = np.array([826.0, 0.0510]), np.array([20.0, 0.0006])


def combination():
    measurements = tuple(
        bc.Measurement(
            name=name,
            estimates=(bc.Estimate(name=f"e {name}", value=value, observables={name: 1.0}),),
            statistical_covariance=[[error**2]],
        )
        for name, value, error in zip(("rate", "shape"), VALUES, ERRORS, strict=True)
    )
    prior = bc.ParameterPrior(shape="lognormal", median=0.118, sigma=0.01)
    return bc.Combination(
        name="curves",
        measurements=measurements,
        parameters=(bc.Parameter(name="m_t"), bc.Parameter(name="alpha_s", prior=prior)),
        observables=(
            bc.Observable(name="rate", formula="`rate at`(m_t) * (alpha_s / 0.118) ** 1.9"),
            bc.Observable(name="shape", formula="`shape at`(m_t)"),
        ),
        curves=CURVES,
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


def expected(m_t, alpha_s):
    predicted = np.array(
        [CubicSpline(MASSES, RATES)(m_t) * (alpha_s / 0.118) ** 1.9, PchipInterpolator(MASSES, SHAPES)(m_t)]
    )
    return stats.norm(predicted, ERRORS).logpdf(VALUES).sum() + stats.lognorm(0.01, scale=0.118).logpdf(alpha_s)


def points(model):
    """Unconstrained points with mass and coupling, at a point of the table (171) and between; mass uniform in its range."""
    density = Density(model)
    (coupling,) = (name for name in density.names if name.startswith("alpha_s"))
    variable = model["alpha_s"]
    transform = model.rvs_to_transforms[variable]
    found = []
    for m_t, u in ((171.0, 0.0), (172.3, 0.01), (179.9, -0.01)):
        share = (m_t - 165) / 15
        point = density.initial | {"m_t_interval__": np.asarray(np.log(share / (1 - share)))}
        point[coupling] = point[coupling] + u
        alpha_s = float(transform.backward(pt.constant(point[coupling]), *variable.owner.inputs).eval())
        jacobian = float(transform.log_jac_det(pt.constant(point[coupling]), *variable.owner.inputs).eval())
        logit = point["m_t_interval__"]
        found.append((point, m_t, alpha_s, jacobian + np.log(15 * expit(logit) * expit(-logit))))
    return density, found


@pytest.mark.slow
def test_the_density_is_that_of_the_splines():
    density, found = points(build_model(combination()))
    differences = [density(point)[0] - jacobian - expected(m, a) for point, m, a, jacobian in found]
    assert np.ptp(differences) < 1e-8
    for point, *_ in found:
        for name, slope in density(point)[1].items():
            step = 1e-5
            ends = [density(point | {name: point[name] + sign * step})[0] for sign in (1, -1)]
            assert float(slope[0]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-5)


def test_beyond_its_points_a_curve_in_a_model_of_ones_own_has_no_density():
    with pm.Model() as model:
        m_t = pm.Normal("m_t", 172.5, 5.0)
        bc.likelihood(combination(), {"m_t": m_t, "alpha_s": 0.118})
    density = Density(model)
    assert np.isfinite(density({"m_t": np.array(180.0)})[0])
    assert not np.isfinite(density({"m_t": np.array(180.01)})[0])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_the_jax_form_is_the_same_density():
    import jax
    from pymc.sampling.jax import get_jaxified_logp

    model = build_model(combination())
    density, found = points(model)
    function = get_jaxified_logp(model)
    for point, *_ in found:
        value, slope = density(point)
        other, gradient = jax.value_and_grad(function)([point[v.name] for v in model.value_vars])
        assert float(other) == pytest.approx(value, rel=1e-10)
        for variable, part in zip(model.value_vars, gradient, strict=True):
            assert float(part) == pytest.approx(float(slope[variable.name][0]), rel=1e-7, abs=1e-9)

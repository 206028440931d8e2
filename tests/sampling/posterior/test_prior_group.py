"""The group ``prior`` of a posterior: laws of what has a proper one, functions of it, and what is flat."""

import json

import numpy as np
import pytest
from scipy import stats
from theory_models import extraction, simple, truth

import bayescomb as bc
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.predictive_groups import prior_group

DRAWS = 2000
PRIORS = {
    "normal": bc.ParameterPrior(shape="normal", mean=1.5, sd=0.4),
    "uniform": bc.ParameterPrior(shape="uniform", low=0.5, high=3.0),
    "half_normal": bc.ParameterPrior(shape="half_normal", sd=2.0),
    "lognormal": bc.ParameterPrior(shape="lognormal", median=1.2, sigma=0.3),
    "cut": bc.ParameterPrior(shape="normal", mean=1.5, sd=0.4),
}
CURVES = (
    bc.Curve(name="falling", x=(0.0, 1.0, 2.0, 4.0), y=(4.0, 3.0, 2.5, 1.0)),
    bc.Curve(name="within", x=(1.0, 2.0, 3.0, 4.0), y=(4.0, 3.0, 2.5, 1.0)),
)


def combination(**fields):
    names = [*PRIORS, "on the table", "open"]
    measurements = tuple(
        bc.Measurement(
            name=f"m {name}",
            estimates=(bc.Estimate(name=f"e {name}", value=2.0, observables={name: 1.0}),),
            statistical_covariance=[[0.25]],
        )
        for name in names
    )
    return bc.Combination(
        name="priors",
        measurements=measurements,
        parameters=tuple(bc.Parameter(name=name, unit="pb", prior=PRIORS.get(name)) for name in names),
        observables=(),
        derived=(
            bc.Observable(name="table", formula="falling(`on the table`) + within(cut)"),
            bc.Observable(name="product", formula="normal * open"),
        ),
        curves=CURVES,
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
        **fields,
    )


def test_draws_follow_the_laws_of_what_has_a_proper_prior():
    found = prior_group(sampling_plan(combination()), draws=DRAWS // 2, chains=2, seed=1)
    assert dict(found.sizes) == {"chain": 2, "draw": DRAWS // 2}
    assert json.loads(found.attrs["flat"]) == ["open", "product"]
    assert set(found) == {*PRIORS, "on the table", "table"}
    assert found["normal"].attrs["unit"] == "pb"
    laws = {name: prior.distribution() for name, prior in PRIORS.items()}
    laws["cut"] = stats.truncnorm(-0.5 / 0.4, 2.5 / 0.4, 1.5, 0.4)  # within the points of its curve, 1 to 4
    laws["on the table"] = stats.uniform(0.0, 4.0)
    for name, law in laws.items():
        assert stats.kstest(found[name].to_numpy().ravel(), law.cdf).pvalue > 1e-4, name
    table = [curve.value(found[name].to_numpy()) for curve, name in zip(CURVES, ("on the table", "cut"), strict=True)]
    np.testing.assert_allclose(found["table"], sum(table), rtol=1e-13)


def test_flat_results_have_no_group_and_coefficients_alone_keep_their_draws(run1):
    assert prior_group(sampling_plan(run1, correlations="nominal"), draws=10, chains=2, seed=1) is None
    found = prior_group(sampling_plan(run1), draws=10, chains=2, seed=1)
    assert list(found) == ["rho"]
    assert json.loads(found.attrs["flat"]) == ["m_t"]


@pytest.mark.parametrize("treatment", ["common", "correlated"])
def test_masses_are_uniform_over_their_tables_and_scales_have_their_priors(treatment):
    settings = {"treatment": treatment, "scales": {"prior": "normal", "width": 0.5} if treatment == "correlated" else {}}
    given = simple(truth(3), extraction({"p": "normalised"}, **settings))
    found = prior_group(sampling_plan(given), draws=DRAWS, chains=1, seed=1)
    masses = given.predictions[0].masses
    law = stats.uniform(masses[0], np.ptp(masses))
    assert stats.kstest(found["m_t"].to_numpy()[0], law.cdf).pvalue > 1e-4
    scale = stats.norm(0, 0.5) if treatment == "correlated" else stats.uniform(-1, 2)
    names = [name for name in found if name.startswith("log2_mu_R")]
    for name in names:
        assert stats.kstest(found[name].to_numpy()[0], scale.cdf).pvalue > 1e-4
    assert all(name in json.loads(found.attrs["flat"]) for name in ("p0", "p1"))

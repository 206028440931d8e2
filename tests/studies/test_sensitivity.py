"""Prior sensitivity against the same combination with other priors written into it."""

import dataclasses

import numpy as np
import pytest
from combinations import star

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.sampling.fused.likelihood import marginal_kernel, packed
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.recovery import given_coefficients

pytestmark = pytest.mark.slow

WIDENING = 1.3


def model(**changes):
    """One observable, so that the coefficients matter; low and high leave the feasible set of the star."""
    return star(2, separate_observables=False, nuisance_size=2.0, low=-0.4, high=0.9, nominal=0.2, **changes)


@pytest.fixture(scope="module")
def posterior():
    return bc.sample(model(), seed=1, draws=1500)


@pytest.fixture(scope="module")
def table(posterior):
    return bc.prior_sensitivity(posterior, widening=WIDENING)


def row(table, change):
    at = table.sel(change=change, parameter="x")
    return float(at["shift"]), float(at["sd_shift"])


def test_wider_nuisances_are_larger_responses(table):
    """lambda = s lambda' with lambda' of unit width: the responses times s."""
    combination = model()
    wider = dataclasses.replace(
        combination,
        measurements=tuple(dataclasses.replace(m, responses=WIDENING * m.responses) for m in combination.measurements),
    )
    before, after = bc.profile(combination), bc.profile(wider)
    shift, sd_shift = row(table, "all nuisances, widths x 1.3")
    np.testing.assert_allclose(shift, (after.values - before.values).item(), atol=1e-10)
    np.testing.assert_allclose(sd_shift, (after.errors - before.errors).item(), rtol=1e-10)
    assert table["kind"].sel(change="all nuisances, widths x 1.3") == "auxiliary"


@pytest.mark.parametrize(
    ("shape", "text"), [("triangular", "triangular about nominal"), ("beta", "beta with mode at nominal")]
)
def test_other_shape_is_what_sampling_with_it_gives(posterior, table, shape, text):
    """Conditional moments over draws of the new prior, against NUTS with the new prior."""
    other = bc.sample(model(prior=shape), seed=2, draws=1500)
    shift, sd_shift = row(table, f"coefficients: {text}")
    first, second = (tree["conditional"].to_dataset().sel(parameter="x") for tree in (posterior, other))
    effective = float(table["effective"].sel(change=f"coefficients: {text}"))
    for measure, ours in (("mean", shift), ("sd", sd_shift)):
        found = [np.sqrt(float(t["mean"].var() + (t["sd"] ** 2).mean())) if measure == "sd" else float(t["mean"].mean())
                 for t in (first, second)]  # fmt: skip
        # The conditional means and sds spread with the coefficients; both samples have more draws than the averages.
        spread = float(first["mean"].std()) + float(first["sd"].std())
        assert abs((found[1] - found[0]) - ours) < 5 * spread * np.sqrt(2 / min(effective, 400))


def test_halves_of_the_range_lie_on_both_sides(table):
    lower, upper = (row(table, f"coefficients: {half} half of every range")[1] for half in ("lower", "upper"))
    assert lower * upper < 0


def test_evidence_is_the_marginal_likelihood():
    """Evidence of the closed form against the sampled density integrated over its one observable on a grid."""
    combination = model()
    plan = sampling_plan(combination)
    points = np.array([[0.1, 0.3], [-0.2, 0.5], [0.4, 0.4]])
    means, covariance, evidence = given_coefficients(plan, points)
    reduced, base, patterns = plan.reduced, packed(plan.base), packed(plan.patterns)
    sums = []
    for r, mean, variance in zip(points, means[:, 0], covariance[:, 0, 0], strict=True):
        grid = mean + np.sqrt(variance) * np.linspace(-9, 9, 2001)
        values = [
            marginal_kernel(r, np.array([x]), base, patterns, reduced.design, reduced.offset, reduced.signs)[0] for x in grid
        ]
        sums.append(np.log(np.trapezoid(np.exp(values - evidence[0]), grid)))
    np.testing.assert_allclose(np.diff(sums), np.diff(evidence), atol=1e-9)


def test_flat_in_the_logarithm_moves_against_the_variance(posterior, table):
    """E[x w] / E[w] with w = 1/x is lower by var / mean to first order."""
    draws = posterior["posterior"]["x"]
    shift, _ = row(table, "observables: flat in the logarithm")
    assert shift == pytest.approx(-float(draws.var() / draws.mean()), rel=0.2)


def test_extended_and_normalised_models_are_refused():
    combination = star(1, separate_observables=False)
    extended = bc.sample(
        combination, seed=1, draws=20, tune=50, chains=1, correlations="nominal",
        model=build_model(combination, correlations="nominal"),
    )  # fmt: skip
    assert "conditional" not in extended.children
    for function in (bc.prior_sensitivity, bc.variance_shares):
        with pytest.raises(OptionError):
            function(extended)
    with pytest.raises(OptionError, match="widening"):
        bc.prior_sensitivity(bc.sample(combination, seed=1, draws=20, tune=50, chains=1), widening=1.0)


def test_shapes_with_a_mode_are_left_out_where_a_nominal_value_lies_outside_its_range():
    """A uniform prior has no use for the nominal value, which may lie anywhere; it can be the mode of no other shape."""
    combination = star(2, separate_observables=False, low=0.1, high=0.6, nominal=0.0)
    posterior = bc.sample(combination, seed=1, draws=200, tune=200)
    changes = bc.prior_sensitivity(posterior, widening=WIDENING)["change"].to_numpy().tolist()
    assert "coefficients: lower half of every range" in changes
    assert not [change for change in changes if "nominal" in change]

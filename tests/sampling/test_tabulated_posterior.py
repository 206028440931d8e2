"""Posteriors with likelihood tables: densities against their chi2, draws against quadrature."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from densities import Density
from table_models import (
    INTERPOLATION,
    combined,
    counted,
    counted_and_measured,
    counting_table,
    measured,
    parabola,
    tabulated,
)

import bayescomb as bc
from bayescomb.output.data.results import posterior_data
from bayescomb.output.text.posterior import posterior_text
from bayescomb.sampling.model.build import build_model
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.posterior.summary import shares_beyond_tables
from bayescomb.sampling.predictive_groups import predictive_groups

SIGMAS = 5.0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["marginal", "full"])
def test_the_density_is_that_of_chi2(engine):
    """Without a shift of the table: -2 ln L of the table, and the Gaussian, and its slope by differences."""
    combination = combined(tabulated("counts", counting_table()), measured("m", 7.0, 1.5))
    density = Density(build_model(combination, engine=engine))
    found = []
    for s in (-1.0, 2.0, 5.1, 8.0, 13.0):
        value, slope = density({"s": np.array(s)})
        h = 1e-5
        by_hand = (density({"s": np.array(s + h)})[0] - density({"s": np.array(s - h)})[0]) / (2 * h)
        assert slope["s"].item() == pytest.approx(by_hand, rel=1e-6)
        if s > 0:  # where the table has points
            found.append(value + (counted(s) + ((s - 7) / 1.5) ** 2) / 2)
    assert np.ptp(found) < 2 * INTERPOLATION


@pytest.mark.slow
def test_draws_have_the_moments_of_the_integral():
    """Over s, the nuisance of the table, and the coefficient; the nuisance of the other is integrated in closed form."""
    model = counted_and_measured(shifts=(1.2, 0.8))
    posterior = bc.sample(model.combination, seed=3, draws=600, tune=400, chains=2)
    s = np.linspace(-6, 22, 281)[:, None]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    coefficients, of_coefficient = np.polynomial.legendre.leggauss(12)
    total = np.zeros(len(s))
    for r, share in zip(0.45 * (1 + coefficients), of_coefficient, strict=True):
        # measured 7 +- 1.5 with a shift 0.8 of its own nuisance, which given the other is N(r first, 1 - r^2)
        variance = 1.5**2 + 0.8**2 * (1 - r**2)
        away = 7 - s + 0.8 * r * nodes
        # beyond the points of the table -2 ln L is its continuation, of which the table is the only definition
        rise = counting_table().rise(s - 1.2 * nodes)
        total += share * np.exp(-rise / 2 - away**2 / variance / 2) @ weights / np.sqrt(variance)
    mean = total @ s[:, 0] / total.sum()
    sd = np.sqrt(total @ (s[:, 0] - mean) ** 2 / total.sum())
    draws = posterior["posterior"]["s"]
    for found, exact, method in ((draws.mean().item(), mean, "mean"), (draws.std().item(), sd, "sd")):
        assert abs(found - exact) < SIGMAS * float(az.mcse(posterior, var_names="s", method=method)["s"])


@pytest.mark.slow
def test_what_is_predicted_is_warped_as_the_table_is():
    """Log likelihood of each draw and predictive draws: Gaussian in the warped number."""
    table = counting_table()
    combination = combined(tabulated("counts", table), measured("m", 7.0, 1.5))
    plan = sampling_plan(combination)
    s = np.array([[3.0, 6.0, 9.0]])
    draws = xr.Dataset({"s": (("chain", "draw"), s)}, {"chain": [0], "draw": [0, 1, 2]})
    groups = predictive_groups(plan, draws, seed=1)
    density = groups["log_likelihood"]["estimate_value"].sel(estimate="counts").to_numpy()[0]
    expected = [-counted(x) / 2 - np.log(2 * np.pi * table.width**2) / 2 for x in s[0]]
    np.testing.assert_allclose(density, expected, atol=INTERPOLATION)
    assert groups["posterior_predictive"].sizes["estimate"] == 2


def test_draws_beyond_a_table_are_counted():
    """Of the number that the table is about, which its own nuisance moves away from the observable."""
    combination = combined(tabulated("counts", parabola(3.0, 2.0), shift=1.5), measured("m", 9.0, 3.0, shift=0.5))
    s, pull = np.array([-8.0, -8.0, 0.0, 10.0, 12.0, 12.0]), np.array([0.0, 1.0, 0.0, -1.0, 0.0, 1.0])
    draws = xr.Dataset(
        {"s": (("chain", "draw"), [s]), "pull": (("chain", "draw", "nuisance"), [np.column_stack([pull, 0 * pull])])},
        {"nuisance": ["scale[counts]", "scale[m]"]},
    )
    assert shares_beyond_tables(combination, draws) == {"counts": 3 / 6}  # -9.5, 11.5 and 12 of a table from -9 to 11
    assert shares_beyond_tables(combination, draws.isel(draw=[0, 2, 5])) == {}
    assert shares_beyond_tables(combined(measured("m", 9.0, 3.0)), draws) == {}


@pytest.mark.slow
def test_the_share_of_draws_beyond_a_table_is_a_caveat():
    combination = combined(tabulated("counts", parabola(9.0, 2.0)), measured("m", 12.0, 3.0))
    sampled = bc.summarise(bc.sample(combination, seed=4, draws=200, tune=100, chains=2, progress=False))
    assert 0.05 < sampled.beyond_tables["counts"] < 0.95
    note = "% of the draws lie beyond the likelihood table of counts"
    assert note in posterior_text(sampled)
    assert sum(note in caveat for caveat in posterior_data(sampled, None)["caveats"]) == 1

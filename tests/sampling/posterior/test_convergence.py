"""The gate, on trees whose defects are put in on purpose."""

import json

import numpy as np
import pytest
import xarray as xr

from bayescomb.sampling.posterior.convergence import verdict


def tree(*, chains=4, draws=1000, shift=0.0, divergences=0, placed=0, correlation=0.0, energy=None, seed=1):
    """Gaussian draws of one observable and three coefficients; ``shift`` moves the first chain, in widths."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(chains, draws, 4))
    for i in range(1, draws):
        noise[:, i] = correlation * noise[:, i - 1] + np.sqrt(1 - correlation**2) * noise[:, i]
    noise[0] += shift
    diverging = np.zeros((chains, draws), dtype=bool)
    diverging.ravel()[:divergences] = True
    if placed:  # where the first coefficient is largest
        diverging[:] = False
        diverging.ravel()[np.argsort(noise[..., 1].ravel())[-placed:]] = True
    posterior = xr.Dataset(
        {"m_t": (("chain", "draw"), noise[..., 0]), "rho": (("chain", "draw", "coefficient"), noise[..., 1:])},
        {"coefficient": ["a", "b", "c"]},
    )
    statistics = xr.Dataset({"diverging": (("chain", "draw"), diverging)})
    if energy is not None:
        statistics["energy"] = (("chain", "draw"), energy)
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": statistics})


def test_independent_draws_pass():
    result = verdict(tree())
    assert result.passed
    assert result.reasons == ()
    assert list(result.table["quantity"].to_numpy()) == ["m_t", "rho[a]", "rho[b]", "rho[c]"]
    assert result.sentence.startswith("converged")


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ({"shift": 0.5}, "R-hat is not below 1.01 for 4 of 4 quantities: m_t"),
        ({"correlation": 0.98}, "ESS is not above 400"),
        ({"draws": 60}, "ESS is not above 400"),
        ({"divergences": 60}, "60 divergent transitions, above 1 % of the draws"),
        ({"chains": 1, "draws": 4000}, "at least 2 chains"),
    ],
)
def test_each_defect_fails_with_its_reason(defect, reason):
    result = verdict(tree(**defect))
    assert not result.passed
    assert reason in "; ".join(result.reasons)
    assert result.sentence.startswith("This result must not be used: ")


def test_draws_that_do_not_move_fail():
    """A constant quantity has no R-hat: it must not slip through as a missing value."""
    stuck = tree()
    stuck["posterior"]["m_t"][:] = 1.0
    result = verdict(stuck)
    assert not result.passed


def test_one_divergence_in_thousands_does_not_refuse_a_sound_model():
    result = verdict(tree(divergences=1))
    assert result.passed
    assert result.divergences == 1
    assert "1 divergence" in result.sentence


def test_divergences_all_over_the_posterior_are_judged_by_their_share():
    assert verdict(tree(divergences=30)).passed
    assert not verdict(tree(divergences=41)).passed  # above 1 % of 4000


def test_few_divergences_at_one_place_fail():
    """Ten beyond 2.8 sd: ten times as many unseen there move the mean by 10 * 10 / 4000 * 3 = 0.075 sd."""
    result = verdict(tree(placed=10))
    assert not result.passed
    assert (
        "10 transitions diverged, unseen draws can move mean or sd by 0.05 sd for 1 of 4 quantities: rho[a]"
        in result.sentence
    )


def test_energies_that_move_in_small_steps_fail():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(size=(4, 1000)), axis=1)
    result = verdict(tree(energy=walk))
    assert result.min_bfmi < 0.2
    assert "E-BFMI" in "; ".join(result.reasons)
    assert verdict(tree(energy=rng.normal(size=(4, 1000)))).min_bfmi > 1


def test_unknown_weights_of_separated_minima_fail():
    found = tree()
    found.attrs["modes"] = json.dumps({"minima": [{}, {}], "reason": "their weights are not known"})
    assert "chi2 has 2 separated minima: their weights are not known" in verdict(found).sentence


@pytest.mark.parametrize(("error", "passes"), [(0.005, True), (0.05, False)])
def test_weights_of_separated_minima_have_to_be_known_well_enough(error, passes):
    """Modes 8 sd apart in equal parts: an error e of the weights moves the mean by sqrt(2) e * 4 of an sd of about 4."""
    found = tree()
    mode = np.random.default_rng(5).integers(0, 2, size=(4, 1000))
    found["posterior"]["m_t"] = found["posterior"]["m_t"] + 8 * xr.DataArray(mode, dims=("chain", "draw"))
    found["sample_stats"]["mode"] = xr.DataArray(mode, dims=("chain", "draw"))
    found.attrs["modes"] = json.dumps({"minima": [{"weight_error": error}] * 2, "reason": ""})
    result = verdict(found)
    assert result.passed == passes
    assert result.table["weight_error"].sel(quantity="m_t").item() == pytest.approx(np.sqrt(2) * error * 4 / 4.1, rel=0.03)

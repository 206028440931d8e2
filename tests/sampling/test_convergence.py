"""The gate, on trees whose defects are put in on purpose."""

import numpy as np
import pytest
import xarray as xr

from bayescomb.sampling.convergence import verdict


def tree(*, chains=4, draws=1000, shift=0.0, divergences=0, correlation=0.0, seed=1):
    """Gaussian draws of one observable and three coefficients; ``shift`` moves the first chain, in widths."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(chains, draws, 4))
    for i in range(1, draws):
        noise[:, i] = correlation * noise[:, i - 1] + np.sqrt(1 - correlation**2) * noise[:, i]
    noise[0] += shift
    diverging = np.zeros((chains, draws), dtype=bool)
    diverging.ravel()[:divergences] = True
    posterior = xr.Dataset(
        {"m_t": (("chain", "draw"), noise[..., 0]), "rho": (("chain", "draw", "coefficient"), noise[..., 1:])},
        {"coefficient": ["a", "b", "c"]},
    )
    statistics = xr.Dataset({"diverging": (("chain", "draw"), diverging)})
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

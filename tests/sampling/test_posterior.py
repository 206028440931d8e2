"""The posterior against two independent ways to the same numbers: the closed form and importance sampling."""

import csv
import json
import tomllib
from pathlib import Path

import arviz as az
import numpy as np
import pytest

import bayescomb as bc

RUN1 = Path(__file__).parents[2] / "models" / "run1_mass"

# A Monte Carlo test that compares n quantities fails by chance with probability below 1e-5 at this many standard errors.
SIGMAS = 5.0


@pytest.fixture(scope="module")
def combination():
    return bc.load(RUN1)


@pytest.fixture(scope="module")
def at_nominal(combination):
    return bc.sample(combination, seed=12, correlations="nominal")


def mcse_sd(values):
    return float(az.mcse(values.to_numpy(), method="sd"))


def mcse_mean(values):
    return float(az.mcse(values.to_numpy(), method="mean"))


def published_inputs():
    """Values, statistical errors, uncertainties, matrices inside experiments and categories, from the files as text."""

    def rows(name):
        lines = (RUN1 / name).read_text().splitlines()
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))

    budget, document = rows("budget.csv"), tomllib.loads((RUN1 / "model.toml").read_text())
    labels = [row["estimate"] for row in budget]
    sources = [entry["name"] for entry in document["sources"]]
    value, stat = (np.array([float(row[key]) for row in budget]) for key in ("value", "stat"))
    sizes = {s: np.array([float(row[s]) for row in budget]) for s in sources}
    within = {s: np.zeros((15, 15)) for s in sources}
    for row in rows("correlations.csv"):
        for j, label in enumerate(labels):
            if row[label]:
                within[row["source"]][labels.index(row["estimate"]), j] = float(row[label])
    within = {s: (m + m.T) / 2 for s, m in within.items()}  # ptmiss alone is not symmetric as published
    experiment = np.array([row["experiment"] for row in budget])
    categories = {}
    for entry in document["assumption_sets"][0]["coefficients"]:
        pattern = np.zeros((15, 15))
        blocks = entry.get("blocks") or [
            {"left": [a for a, e in zip(labels, experiment, strict=True) if e == entry["between"][0]],
             "right": [a for a, e in zip(labels, experiment, strict=True) if e == entry["between"][1]]}
        ]  # fmt: skip
        for block in blocks:
            for a in block["left"]:
                for b in block["right"]:
                    sign = -1 if (a in entry.get("negative", [])) != (b in entry.get("negative", [])) else 1
                    pattern[labels.index(a), labels.index(b)] = pattern[labels.index(b), labels.index(a)] = sign
        categories[entry["name"]] = (entry["low"], entry["high"], pattern)
    return value, stat, sizes, within, categories


def importance_sample(n, seed):
    """Draw coefficients from their priors, weight with the marginal likelihood; conditional moments of m_t per draw."""
    value, stat, sizes, within, categories = published_inputs()
    rng = np.random.default_rng(seed)
    base = np.diag(stat**2) + sum(np.outer(sizes[s], sizes[s]) * within[s] for s in sizes)
    draws = {name: rng.uniform(low, high, n) for name, (low, high, _) in categories.items()}
    total = np.repeat(base[None], n, axis=0)
    for name, (_, _, pattern) in categories.items():
        total += draws[name][:, None, None] * (np.outer(sizes[name], sizes[name]) * pattern)
    assert np.linalg.eigvalsh(total).min() > 0
    inverse = np.linalg.inv(total)
    weight_sum = inverse.sum(axis=(1, 2))
    mean = (inverse @ value).sum(axis=1) / weight_sum
    residual = value - mean[:, None]
    chi2 = np.einsum("ni,nij,nj->n", residual, inverse, residual)
    # flat prior of m_t integrated: sqrt(2 pi / (1^T V^-1 1)) exp(-chi2 / 2) / sqrt(det V)
    log_weight = -0.5 * (chi2 + np.linalg.slogdet(total)[1] + np.log(weight_sum))
    weight = np.exp(log_weight - log_weight.max())
    return draws, mean, 1 / weight_sum, weight / weight.sum()


def weighted(values, weight):
    """Weighted mean and its standard error."""
    mean = np.sum(weight * values)
    return mean, np.sqrt(np.sum(weight**2 * (values - mean) ** 2))


def test_fixed_coefficients_equal_the_closed_form(combination, at_nominal):
    fit = bc.profile(combination)
    draws = at_nominal["posterior"]["m_t"]
    assert abs(draws.mean().item() - fit.values.item()) < SIGMAS * mcse_mean(draws)
    assert abs(draws.std(ddof=1).item() - fit.errors.item()) < SIGMAS * mcse_sd(draws)
    assert "rho" not in at_nominal["posterior"]


def test_fixed_coefficients_give_the_nuisances_of_the_closed_form(combination, at_nominal):
    fit = bc.profile(combination)
    pulls = at_nominal["posterior"]["pull"]
    names = pulls["nuisance"].to_numpy()
    assert set(names) == set(fit.constraints["nuisance"].to_numpy())
    for name in names:
        draws = pulls.sel(nuisance=name)
        assert abs(draws.mean().item() - fit.pulls.sel(nuisance=name).item()) < SIGMAS * mcse_mean(draws)
        assert abs(draws.std(ddof=1).item() - fit.constraints.sel(nuisance=name).item()) < SIGMAS * mcse_sd(draws)


@pytest.mark.slow
def test_sampled_coefficients_equal_importance_sampling(run1_posterior):
    draws, conditional_mean, conditional_variance, weight = importance_sample(40_000, seed=5)
    posterior = run1_posterior["posterior"]
    mean, error = weighted(conditional_mean, weight)
    assert abs(posterior["m_t"].mean().item() - mean) < SIGMAS * np.hypot(error, mcse_mean(posterior["m_t"]))
    second, second_error = weighted(conditional_variance + (conditional_mean - mean) ** 2, weight)
    sd, sd_error = np.sqrt(second), second_error / (2 * np.sqrt(second))
    assert abs(posterior["m_t"].std(ddof=1).item() - sd) < SIGMAS * np.hypot(sd_error, mcse_sd(posterior["m_t"]))
    for name, values in draws.items():
        rho = posterior["rho"].sel(coefficient=name)
        mean, error = weighted(values, weight)
        assert abs(rho.mean().item() - mean) < SIGMAS * np.hypot(error, mcse_mean(rho)), name
        second, second_error = weighted((values - mean) ** 2, weight)
        sd, sd_error = np.sqrt(second), second_error / (2 * np.sqrt(second))
        assert abs(rho.std(ddof=1).item() - sd) < SIGMAS * np.hypot(sd_error, mcse_sd(rho)), name


@pytest.mark.slow
def test_variance_split_equals_importance_sampling(combination, run1_posterior):
    _, mean, variance, weight = importance_sample(40_000, seed=6)
    table = bc.compare(run1_posterior, bc.profile(combination)).table.sel(parameter="m_t")
    conditional = run1_posterior["conditional"].sel(parameter="m_t")
    expected, error = weighted(variance, weight)
    own_error = mcse_mean(conditional["sd"] ** 2)
    assert abs(table["mean_of_variance"].item() - expected) < SIGMAS * np.hypot(error, own_error)
    centre = np.sum(weight * mean)
    expected, error = weighted((mean - centre) ** 2, weight)
    own_error = mcse_mean((conditional["mean"] - conditional["mean"].mean()) ** 2)
    assert abs(table["variance_of_mean"].item() - expected) < SIGMAS * np.hypot(error, own_error)


def test_variance_split_closes_to_the_variance(combination, run1_posterior):
    table = bc.compare(run1_posterior, bc.profile(combination)).table.sel(parameter="m_t")
    total = table["mean_of_variance"].item() + table["variance_of_mean"].item()
    tolerance = SIGMAS * 2 * table["sd"].item() * mcse_sd(run1_posterior["posterior"]["m_t"])
    assert abs(total - table["sd"].item() ** 2) < tolerance


@pytest.mark.slow
def test_default_run_converges_without_divergences(run1_posterior):
    verdict = bc.verdict(run1_posterior)
    assert verdict.passed, verdict.sentence
    assert verdict.divergences == 0
    assert verdict.max_r_hat < 1.01
    assert verdict.min_ess > 400
    assert {"m_t", "rho[PDF]", "pull[LHCbJES[a]]"} <= set(verdict.table["quantity"].to_numpy())


def test_tree_says_what_it_rests_on(run1_posterior):
    attrs = run1_posterior.attrs
    assert attrs["assumptions"] == "nominal"
    assert attrs["treatment"] == "covariance"
    assert attrs["seed"] == 1
    assert {"bayescomb", "pymc", "arviz", "nutpie"} <= set(json.loads(attrs["versions"]))
    assert run1_posterior["posterior"]["m_t"].attrs["unit"] == "GeV"


@pytest.mark.slow
def test_same_seed_gives_the_same_draws(combination):
    first, second = (bc.sample(combination, seed=3, draws=50, tune=100, chains=2) for _ in range(2))
    np.testing.assert_array_equal(first["posterior"]["m_t"], second["posterior"]["m_t"])
    np.testing.assert_array_equal(first["posterior"]["pull"], second["posterior"]["pull"])


@pytest.mark.parametrize(
    "option", [{"draws": 0}, {"chains": 0}, {"engine": "fast"}, {"backend": "gpu"}, {"correlations": "all"}]
)
def test_option_outside_its_range_is_an_error(combination, option):
    with pytest.raises(bc.BayescombError, match=str(next(iter(option.values())))):
        bc.sample(combination, seed=1, **option)

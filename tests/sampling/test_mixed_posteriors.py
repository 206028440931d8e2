"""Posteriors of random models of mixed features against importance sampling of a density that is written out elsewhere.

By default the models that the fused density serves; formulas and ranges, whose graph is compiled for each, with
``--thorough``.
"""

import arviz as az
import numpy as np
import pytest
from mixed_models import mass_model, mass_posterior, mixed_model, mixed_posterior
from repetitions import repetitions

import bayescomb as bc

SIGMAS = 5.0
LEVELS = (0.16, 0.5, 0.84)
DRAWS = 60_000
# Effective weights with which moments are compared, and how many times as many draws are made to get there.
LEAST, MORE = 500, 4
COMPILED = {"formula", "ranges"}


def quantities(tree):
    """Name -> draws, shape (chains, draws)."""
    draws = tree["posterior"].to_dataset()
    found = {str(name): x.to_numpy() for name, x in draws.items() if x.ndim == 2}
    for variable, dim, label in (("rho", "coefficient", "rho"), ("pull", "nuisance", "pull"),
                                 ("variance_scale", "uncertain_size", "scale")):  # fmt: skip
        if variable in draws:
            names = draws[dim].to_numpy()
            found |= {f"{label}[{n}]": draws[variable].sel({dim: n}).to_numpy() for n in names}
    return found


def disagreements(tree, weights, values):
    """Quantities whose mean, sd or quantiles are further apart than five Monte Carlo errors, with these."""
    size, found = 1 / (weights**2).sum(), []
    ours = quantities(tree)
    for name, theirs in values.items():
        own = ours[name]
        mean = weights @ theirs
        spread = np.sqrt(weights @ (theirs - mean) ** 2)
        rows = []
        if not name.startswith("scale["):
            # Of a weighted mean: sum w^2 (x - mean)^2; of an sd the same of its square.
            error = np.hypot(np.sqrt(weights**2 @ (theirs - mean) ** 2), float(az.mcse(own, method="mean")))
            rows.append(("mean", own.mean(), mean, error))
            squares = np.sqrt(weights**2 @ ((theirs - mean) ** 2 - spread**2) ** 2) / (2 * spread)
            rows.append(("sd", own.std(), spread, np.hypot(squares, float(az.mcse(own, method="sd")))))
        order = np.argsort(theirs)
        cumulated = np.cumsum(weights[order])
        for level in LEVELS:
            end = theirs[order][np.searchsorted(cumulated, level)]
            below = own < end
            share = float(np.clip(below.mean(), 1e-3, 1 - 1e-3))
            effective = float(az.ess(below.astype(float), method="mean")) if 0 < below.mean() < 1 else 1.0
            error = np.sqrt(share * (1 - share) * (1 / effective + 1 / size))
            rows.append((f"quantile {level}", share, level, error))
        found += [(name, *row) for row in rows if not abs(row[1] - row[2]) < SIGMAS * row[3]]
    return found


def compare(seed, *, without=()):
    """Of one random model: its features, backend, verdict and what disagrees."""
    model = mixed_model(seed, without=without)
    tree = bc.sample(model.combination, seed=seed + 1, draws=1000, tune=500, progress=False)
    for more in (1, MORE, MORE**2, MORE**3):
        weights, values = mixed_posterior(model, draws=more * DRAWS, seed=seed)
        effective = 1 / (weights**2).sum()
        if effective > LEAST:
            break
    return model.features, tree, effective, disagreements(tree, weights, values)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(repetitions(2)))
def test_mixed_features_give_the_posterior_of_the_written_out_density(seed):
    features, tree, effective, found = compare(seed, without=COMPILED)
    assert effective > LEAST
    assert not found, (features, found)
    assert bc.verdict(tree).passed, (features, bc.verdict(tree).sentence)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 112))
def test_formulas_and_ranges_too(seed):
    features, _, effective, found = compare(seed)
    if effective < LEAST:
        pytest.skip(f"the reference has {effective:.0f} effective weights, {LEAST} are needed to hold a posterior to it")
    assert not found, (features, found)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(5))
def test_masses_and_scales_too(seed):
    combination, case = mass_model(seed)
    tree = bc.sample(combination, seed=seed, draws=1000, tune=500, progress=False)
    weights, values = mass_posterior(combination, case, draws=20_000, seed=seed)
    assert not disagreements(tree, weights, values), case

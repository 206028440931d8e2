# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A model of your own
#
# **Question.** How do I extend the PyMC model by something that bayescomb does not know?
#
# **Answer.** `bc.build_model` gives a PyMC model; add to it, and pass it back to `bc.sample`.
#
# Three measurements of one cross section by two experiments, with figures invented for this notebook: first as a folder with
# a `model.toml` and its tables, then the same in Python, then extended by things that bayescomb knows nothing of.

# %%
import tempfile
from pathlib import Path

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import bayescomb as bc

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "cross_section"
folder.mkdir()

# %% [markdown]
# ## As files
#
# Who measured what is the budget: a row per estimate, a column per source, sizes without signs.

# %%
(folder / "budget.csv").write_text("""\
estimate,title,experiment,observable,value,stat,jets,luminosity,model
a,North dilepton,North,sigma,242,3,4,7,5
b,North lepton+jets,North,sigma,248,2,8,7,6
c,South dilepton,South,sigma,236,4,5,6,5
""")

# %% [markdown]
# What North says about its own two results: jets correlated by 0.5, the same luminosity, the model by 0.9. A source with
# two estimates of one experiment needs its rows, so that a table that was cut off is not read as "uncorrelated".

# %%
(folder / "within.csv").write_text("""\
source,estimate,a,b,c
jets,a,1,0.5,
jets,b,0.5,1,
luminosity,a,1,1,
luminosity,b,1,1,
model,a,1,0.9,
model,b,0.9,1,
""")

# %% [markdown]
# What nobody says is how far the model of North is the model of South: a coefficient between 0.2 and 0.8, with a uniform
# prior. Sources without a coefficient are uncorrelated between the experiments.

# %%
(folder / "model.toml").write_text("""\
format = 1
name = "cross_section"
title = "A cross section from three measurements"
treatment = "nuisance"

observables = [{ name = "sigma", unit = "pb", title = "cross section" }]

sources = [
  { name = "jets", title = "Jet energy", group = "detector" },
  { name = "luminosity", title = "Luminosity", group = "detector" },
  { name = "model", title = "Signal model", group = "theory of the signal" },
]

[budget]
table = "budget.csv"

[within]
table = "within.csv"

[[assumption_sets]]
name = "nominal"
description = "signal model partly correlated between the experiments"

[[assumption_sets.coefficients]]
name = "model"
title = "Signal model, North and South"
source = "model"
between = ["North", "South"]
nominal = 0.5
low = 0.2
high = 0.8
prior = "uniform"

[[provenance]]
table = "budget"
kind = "assumed"
origin = "invented for a notebook"
""")

combination = bc.load(folder)
print(bc.check(combination))

# %% [markdown]
# Profile, what the uncertainty consists of, and what the coefficient does over its range.

# %%
fit = bc.profile(combination)
print(fit)
print(bc.impacts(combination))
print(bc.scan(combination))

# %% [markdown]
# The closed form by hand: covariance of the three, weights, value.

# %%
jets, luminosity, model_size = np.array([4, 8, 5]), np.array([7, 7, 6]), np.array([5, 6, 5])
same_jets = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
same_luminosity = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
same_model = np.array([[1, 0.9, 0.5], [0.9, 1, 0.5], [0.5, 0.5, 1]])
covariance = np.diag([3.0, 2.0, 4.0]) ** 2
for size, same in ((jets, same_jets), (luminosity, same_luminosity), (model_size, same_model)):
    covariance += np.outer(size, size) * same
weights = np.linalg.solve(covariance, np.ones(3))
value, error = weights @ [242, 248, 236] / weights.sum(), weights.sum() ** -0.5
print(f"sigma = {value:.2f} +- {error:.2f} pb")
assert np.allclose((value, error), (fit.values.item(), fit.errors.item()))

# %% [markdown]
# The posterior has the coefficient in it.

# %%
posterior = bc.sample(combination, seed=1, draws=1000, tune=500, chains=2, progress=False)
print(bc.verdict(posterior).sentence)
print(bc.compare(posterior, fit))

# %% [markdown]
# ## The same in Python
#
# The files hold nothing that the classes do not. A response is signed: what +1 sigma of a nuisance does to a published
# value.

# %%
sources = ("jets", "luminosity", "model")


def measurement(name, experiment, value, stat, responses):
    """One estimate of sigma, with a nuisance per source."""
    return bc.Measurement(
        name=name,
        experiment=experiment,
        estimates=(bc.Estimate(name=name, value=value, observables={"sigma": 1.0}),),
        statistical_covariance=[[stat**2]],
        nuisances=tuple(bc.Nuisance(name=f"{source}[{name}]", source=source) for source in sources),
        responses=[responses],
    )


def inside_north(source, correlation):
    """What North says of a source in its two estimates."""
    pair = (f"{source}[a]", f"{source}[b]")
    return bc.CorrelationBlock(name=f"{source}, North", nuisances=pair, correlation=[[1, correlation], [correlation, 1]])


unknown = bc.CorrelationCoefficient(
    name="model",
    pairs=(bc.CorrelationPair(first="model[a]", second="model[c]"), bc.CorrelationPair(first="model[b]", second="model[c]")),
    nominal=0.5,
    low=0.2,
    high=0.8,
)
blocks = (inside_north("jets", 0.5), inside_north("luminosity", 1.0), inside_north("model", 0.9))
in_python = bc.Combination(
    name="cross_section",
    measurements=(
        measurement("a", "North", 242, 3, [4, 7, 5]),
        measurement("b", "North", 248, 2, [8, 7, 6]),
        measurement("c", "South", 236, 4, [5, 6, 5]),
    ),
    observables=(bc.Observable(name="sigma", unit="pb"),),
    sources=tuple(bc.Source(name=name) for name in sources),
    assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=(unknown,), blocks=blocks)},
    assumptions="nominal",
)
again = bc.profile(in_python)
print(f"sigma = {again.values.item():.2f} +- {again.errors.item():.2f} pb")
assert np.allclose((again.values.item(), again.errors.item()), (value, error))

# %% [markdown]
# ## Extending the model
#
# `bc.build_model` gives a PyMC model with the observables and `rho` as variables. Everything that PyMC can do may be added.
#
# Here: a calculation that predicts 250 +- 5 pb, as a term of the density, and a derived quantity, a mass. Suppose that the
# cross section falls with the top-quark mass as sigma = 245 pb (172.5 GeV / m)^5; then every draw of sigma is one of m.

# %%
calculated, calculation_error = 250.0, 5.0
model = bc.build_model(combination)
print("variables: " + ", ".join(variable.name for variable in model.free_RVs))
with model:
    sigma = model["sigma"]
    pm.Potential("calculation", pm.logp(pm.Normal.dist(calculated, calculation_error), sigma))
    pm.Deterministic("mass", 172.5 * (245 / sigma) ** (1 / 5))
extended = bc.sample(combination, model=model, seed=1, draws=1000, tune=500, chains=2, progress=False)
print(bc.verdict(extended).sentence)

# %% [markdown]
# A second way to the same: the coefficient makes next to nothing of the variance, so that the likelihood of sigma is a
# Gaussian with the value and the error of the profile, and its product with the calculation is one too.

# %%
precision = error**-2 + calculation_error**-2
product = (value / error**2 + calculated / calculation_error**2) / precision, precision**-0.5
draws = extended["posterior"]["sigma"]
print(f"product of two Gaussians: {product[0]:.2f} +- {product[1]:.2f} pb")
print(f"sampled:                  {draws.mean().item():.2f} +- {draws.std().item():.2f} pb")
assert abs(draws.mean().item() - product[0]) < 4 * az.mcse(draws.to_numpy())
assert abs(draws.std().item() - product[1]) < 4 * az.mcse(draws.to_numpy(), method="sd")

# %% [markdown]
# The nuisances were integrated out, and drawn again afterwards given sigma, so that they know of the calculation. It asks
# for a larger cross section: that the results of North are high because of its luminosity is no longer what is preferred.

# %%
for name, tree in (("measurements alone", posterior), ("with the calculation", extended)):
    pull = tree["posterior"]["pull"].sel(nuisance="luminosity[a]")
    print(f"{name:21s} luminosity of North: pull {pull.mean().item():+.2f} +- {pull.std().item():.2f}")

# %% [markdown]
# ## ArviZ and figures
#
# The result is an xarray tree, so that ArviZ summarises and plots it as it is.

# %%
print(az.summary(extended, var_names=["sigma", "mass", "rho"], ci_prob=0.68, ci_kind="hdi", round_to=2).to_string())
assert np.allclose(extended["posterior"]["mass"], 172.5 * (245 / extended["posterior"]["sigma"]) ** 0.2)

# %%
rows = [
    *((e.title, e.value, covariance[i, i] ** 0.5, "input") for i, e in enumerate(combination.estimates)),
    ("Combined, profile", value, error, "profile"),
    ("Posterior", posterior["posterior"]["sigma"].mean().item(), posterior["posterior"]["sigma"].std().item(), "posterior"),
    ("with the calculation", draws.mean().item(), draws.std().item(), "posterior"),
]
hdi = np.ravel(az.hdi(draws.to_numpy().ravel(), prob=0.68))
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
names, values, errors, kinds = zip(*rows, strict=True)
bc.figures.draw_inputs(names, values, errors, kinds=kinds, label=r"$\sigma$", unit="pb", ax=axes[0])
# The product of the two Gaussians takes the place of the profile here.
bc.figures.draw_posterior(
    draws.to_numpy().ravel(), interval=tuple(hdi), profile=product, label=r"$\sigma$", unit="pb", legend=False,
    ax=axes[1],
)
handles, _ = axes[1].get_legend_handles_labels()
figure.legend(
    handles, ["posterior draws", "product of two Gaussians", "median, 68 % HDI", "product, 68 %"],
    loc="outside upper right", ncols=4,
)

# %%
temporary.cleanup()

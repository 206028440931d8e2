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
# # A first combination
#
# **Question.** Three measurements of two cross sections share four sources, and nobody knows how the modelling is correlated
# between the experiments. What are the cross sections, and what does not knowing cost?
#
# **Answer.** 818 +- 12 pb and 220 +- 13 pb; not knowing costs less than 1 % of the variance of the second and nothing of the
# first. The numbers are invented.

# %%
import logging

import matplotlib.pyplot as plt
import pandas as pd

import bayescomb as bc

logging.getLogger("pymc").setLevel(logging.ERROR)

frame = pd.DataFrame(
    columns=["estimate", "experiment", "observable", "value", "stat", "luminosity", "jets", "b tagging", "modelling"],
    data=[
        ["ATLAS tt", "ATLAS", "sigma_tt", 829.0, 2.0, 7.0, 4.0, 5.0, 11.0],
        ["ATLAS t", "ATLAS", "sigma_t", 221.0, 2.5, 2.0, 6.0, 4.0, 10.0],
        ["CMS tt", "CMS", "sigma_tt", 806.0, 2.5, 10.0, 6.0, 4.0, 8.0],
    ],
)
combination = bc.Combination.from_dataframe(
    frame,
    name="first",
    units={"sigma_tt": "pb", "sigma_t": "pb"},
    within={"luminosity": 1.0, "jets": 0.5, "b tagging": 1.0, "modelling": 0.0},  # between the two of ATLAS
    between={"luminosity": 0.3, "modelling": (0.5, 0.0, 1.0)},  # known, and a range
)
combination

# %% [markdown]
# What was read, and how much of the range a correlation matrix allows: the modelling of ATLAS is uncorrelated between its
# two measurements, so that one CMS nuisance can share at most 1/sqrt(2) with each.

# %%
bc.check(combination)

# %% [markdown]
# The profile at the nominal coefficient, and its parts.

# %%
fit = bc.profile(combination)
fit

# %%
bc.impacts(combination)

# %% [markdown]
# The posterior over the range.

# %%
posterior = bc.sample(combination, seed=1, draws=1000, progress=False)
print(bc.summary_text(posterior))

# %%
bc.compare(posterior, fit)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4))
table = bc.compare(posterior, fit).table
for ax, name in zip(axes, ["sigma_tt", "sigma_t"], strict=True):
    row, draws = table.sel(parameter=name), posterior["posterior"][bc.variable_name(name)].to_numpy().ravel()
    bc.figures.draw_posterior(
        draws,
        interval=(row["hdi_low"].item(), row["hdi_high"].item()),
        profile=(fit.row(name).value, fit.row(name).error),
        label=name,
        unit="pb",
        ax=ax,
    )

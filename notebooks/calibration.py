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
# # Is it calibrated?
#
# **Question.** Do 68 % intervals cover the truth in 68 % of repetitions?
#
# **Answer.** Yes: of 2000 data sets here, and in the studies of full size whose figures stand below (600 posteriors of
# the Run 1 combination, 300 of ttj_rho, 1230 of a model whose range leaves the feasible set).

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import bayescomb as bc

run1 = bc.load(bc.shipped_models()["run1_mass"])
with tempfile.TemporaryDirectory() as folder:
    study = bc.coverage(run1, folder, toys=2000, seed=1, correlations="nominal", posterior=False)
found = study.sel(quantity="m_t", answer="profile")
for level in found["level"].to_numpy():
    at = found.sel(level=level)
    print(f"{level} % interval of m_t covers {at['coverage'].item():.3f} +- {at['coverage_error'].item():.3f}")
print(f"pulls: mean {found['pull_mean'].item():+.3f}, width {found['pull_width'].item():.3f}")

# %% [markdown]
# Ranks of the true values among the draws of the posterior, in the studies of full size: a flat distribution is
# calibrated, the band holds a single curve in 95 of 100 studies. `make calibration` makes them again.

# %%
here = Path() if Path("calibration_ranks.png").exists() else Path("notebooks")
figure, axes = plt.subplots(figsize=(9, 5))
axes.imshow(plt.imread(here / "calibration_ranks.png"))
axes.axis("off")

# %% [markdown]
# What classic tools get wrong: post-fit values of the nuisances of an input that was fitted before. With them in the data
# the spread over the quoted error is 1, with 0 in their place 1.3.

# %%
figure, axes = plt.subplots(figsize=(9, 5))
axes.imshow(plt.imread(here / "calibration_pulls.png"))
axes.axis("off")

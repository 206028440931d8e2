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
# # Coming from Convino
#
# **Question.** I have Convino files. What do I have to change?
#
# **Answer.** Nothing: the configuration is read as it is, `--chi2 pearson` gives what Convino prints, and every range
# that was scanned is the prior of a posterior.
#
# A Convino configuration is a bayescomb model as it stands. This notebook writes a small one, with invented figures, and
# does with it what one did before (fit, impacts, scan) and what is new (a posterior in which the ranges are priors).
#
# Two experiments, North and South, measure the cross sections of ttbar and of tW. North publishes the outcome of a profile
# fit: constraints, total errors and the correlation matrix of both. South has fitted nothing and lists its uncertainties.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bayescomb as bc

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)

NORTH = """\
Cross sections in pb, from a fit that constrains jets and b tagging.

[correlation matrix]
  north_jes    (0.9)    1
  north_btag   (0.7)   -0.15   1
  north_lumi   (1.0)    0      0      1
  north_ttbar  (24)     0.30  -0.25   0.70   1
  north_tW     (10)     0.20   0.15   0.25  -0.10   1
[end correlation matrix]

[systematics]
[end systematics]

[estimates]
  n_estimates = 2
  name_0  = north_ttbar
  value_0 = 832
  name_1  = north_tW
  value_1 = 79
[end estimates]
"""

SOUTH = """\
[not fitted]
               south_jes  south_lumi  south_generator  stat
  south_ttbar  9          18          14               8
  south_tW     4          2           -3               9
[end not fitted]

[systematics]
[end systematics]

[estimates]
  n_estimates = 2
  name_0  = south_ttbar
  value_0 = 815
  name_1  = south_tW
  value_1 = 84
[end estimates]
"""

# %% [markdown]
# The base file names the inputs, says which estimates are the same quantity, and what is correlated between the experiments:
# a nominal value, and after `&` the range over which nobody would contradict.

# %%
CONFIG = """\
[global]
[end global]

[inputs]
  nFiles = 2
  file0 = north.txt
  file1 = south.txt
[end inputs]

[observables]
  ttbar = north_ttbar + south_ttbar
  tW = north_tW + south_tW
[end observables]

[correlations]
  north_jes = (0.5 & 0.2 : 0.8) south_jes
  north_lumi = (0.3 & 0.0 : 0.6) south_lumi
[end correlations]

[uncertainty impacts]
  jets = north_jes + south_jes
  luminosity = north_lumi + south_lumi
  statistics = stat
[end uncertainty impacts]
"""

for name, text in (("config", CONFIG), ("north", NORTH), ("south", SOUTH)):
    (folder / f"{name}.txt").write_text(text)

combination = bc.load(folder / "config.txt")
print(bc.check(combination))

# %% [markdown]
# ## The fit
#
# Pearson's chi2, in which a statistical variance follows the prediction, is what Convino minimises by default. Here the
# default is Neyman's, with the variance as it was published, because then everything but the coefficients is Gaussian and is
# integrated exactly. Every output names the form. For these inputs the two agree to a small part of the uncertainty.

# %%
pearson = bc.profile(combination.with_chi2("pearson"))
neyman = bc.profile(combination)
rows = [["", "ttbar [pb]", "tW [pb]", "chi2", "ndf"]]
for fit in (pearson, neyman):
    pairs = [f"{v:.2f} +- {e:.2f}" for v, e in zip(fit.values.to_numpy(), fit.errors.to_numpy(), strict=True)]
    rows.append([fit.chi2_form, *pairs, f"{fit.chi2:.3f}", str(fit.ndf)])
print(bc.text_table(rows), end="\n\n")
print(pearson)

# %% [markdown]
# The Neyman form by hand, as a second way to the same numbers. The information of an input, less the unit prior of its
# nuisances (the fit of the input has it already), is added up over both inputs, and the prior of all nuisances with the
# correlations between the experiments comes on top, once. The order is ttbar, tW, then the three nuisances of North and
# those of South.

# %%
size = [0.9, 0.7, 1.0, 24, 10]
lower = [[1, 0, 0, 0, 0], [-0.15, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0.30, -0.25, 0.70, 1, 0], [0.20, 0.15, 0.25, -0.10, 1]]
correlation = np.tril(lower, -1) + np.tril(lower).T
north = [2, 3, 4, 0, 1]  # rows of the matrix above in the order used here
information, weighted = np.zeros((8, 8)), np.zeros(8)
fitted = np.linalg.inv(np.outer(size, size) * correlation)
information[np.ix_(north, north)] += fitted - np.diag([1, 1, 1, 0, 0])
weighted[north] += fitted @ [0, 0, 0, 832, 79]

south = np.array([[1, 0, 0, 0, 0, -9, -18, -14], [0, 1, 0, 0, 0, -4, -2, 3]])  # measured - true, per unit of each parameter
information += south.T @ np.diag([8.0**-2, 9.0**-2]) @ south
weighted += south.T @ np.diag([8.0**-2, 9.0**-2]) @ [815, 84]

prior = np.eye(6)
prior[0, 3] = prior[3, 0] = 0.5  # jets
prior[2, 4] = prior[4, 2] = 0.3  # luminosity
information[2:, 2:] += np.linalg.inv(prior)
by_hand = np.linalg.solve(information, weighted)[:2], np.sqrt(np.diag(np.linalg.inv(information))[:2])
print("by hand: " + ", ".join(f"{v:.2f} +- {e:.2f} pb" for v, e in zip(*by_hand, strict=True)))
assert np.allclose(by_hand, (neyman.values, neyman.errors), rtol=1e-9)

# %% [markdown]
# ## Impacts and scan
#
# With `parts="held"` impacts have Convino's definition: the nuisances of a group are held at their fitted values and what
# the error loses in quadrature is the impact. `jets`, `luminosity` and `statistics` are the block `[uncertainty impacts]`.
# By default the parts are propagated from the data, and add up.

# %%
print(bc.impacts(combination.with_chi2("pearson"), parts="held"))

# %% [markdown]
# The scan moves one line of `[correlations]` at a time over its range, with the others at nominal.

# %%
scan = bc.scan(combination)
print(scan)

# %% [markdown]
# ## The same ranges as priors
#
# A scan tells how far the result could move, and not how to add that to the uncertainty. With a uniform prior over each
# range both coefficients are parameters like the others and are integrated, all at once. The configuration needs no change.

# %%
posterior = bc.sample(combination, seed=1, draws=1000, tune=500, chains=2, progress=False)
print(bc.verdict(posterior).sentence)
comparison = bc.compare(posterior, neyman)
print(comparison)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, name in zip(axes, ("ttbar", "tW"), strict=True):
    row = comparison.table.sel(parameter=name)
    bc.figures.draw_posterior(
        posterior["posterior"][name].to_numpy().ravel(),
        interval=(row["hdi_low"].item(), row["hdi_high"].item()),
        profile=(row["profile_value"].item(), row["profile_error"].item()),
        label=rf"$\sigma$({name})",
        unit="pb",
        legend=False,
        ax=ax,
    )
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)

# %% [markdown]
# The ranges are symmetric about their nominal values, so that the posterior agrees with the profile and is hardly wider: not
# knowing the coefficients makes about a ten-thousandth of the variance, as the last lines of the table say, and the question
# which end of the scan to quote does not arise.

# %%
for name in ("ttbar", "tW"):
    row = comparison.table.sel(parameter=name)
    sampled, profiled = (row["mean"].item(), row["sd"].item()), (row["profile_value"].item(), row["profile_error"].item())
    assert abs(sampled[0] - profiled[0]) < 0.15 * profiled[1]
    assert abs(sampled[1] / profiled[1] - 1) < 0.1
    assert row["coefficient_share"].item() < 2e-4

# %% [markdown]
# ## To a model file, and back
#
# A model.toml holds the same content with tables beside it, and has room for what Convino has no words for: priors of other
# shapes, units, titles, several assumption sets, a prediction. Nothing that a result depends on is lost on the way there,
# and what Convino can express is written back.

# %%
toml = bc.convert(folder / "config.txt", folder / "model")
print(", ".join(sorted(path.name for path in toml.parent.iterdir())), end="\n\n")
print(toml.read_text())

# %%
back = bc.convert(toml, folder / "back" / "config.txt")
for path in (toml, back):
    again = bc.load(path)
    for form, fit in (("pearson", pearson), ("neyman", neyman)):
        same = bc.profile(again.with_chi2(form))
        assert np.allclose(same.values, fit.values, rtol=1e-9)
        assert np.allclose(same.covariance, fit.covariance, rtol=1e-9)
print("the same profile from all three")

# %% [markdown]
# ## What one would type
#
#     bayescomb check   config.txt
#     bayescomb profile config.txt --chi2 pearson
#     bayescomb impacts config.txt --chi2 pearson
#     bayescomb scan    config.txt
#     bayescomb sample  config.txt --seed 1 --output posterior.nc
#     bayescomb compare config.txt posterior.nc
#     bayescomb report  config.txt posterior.nc --output report
#     bayescomb convert config.txt model
#     bayescomb convert model back/config.txt
#
# What differs, from the treatment of coefficients of exactly 1 to `normalise`, is in the table "Coming from Convino" of the
# README. The two to remember: the default is Neyman's chi2, and a range is a prior as soon as one samples.

# %%
temporary.cleanup()

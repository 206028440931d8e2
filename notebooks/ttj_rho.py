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
# # From ttbar+jet cross sections to a top-quark mass
#
# **Question.** How do cross sections of two experiments and a prediction become one top-quark mass?
#
# **Answer.** As one model: bins, nuisances of experiments and theory, correlations and the mass are one posterior.
#
# ATLAS measured ttbar+jet production at 8 TeV in eight bins of rho = 340 GeV / m(ttbar+jet), CMS at 13 TeV in four.
# Close to threshold, at large rho, the shape depends on the top-quark mass. Here the bins of both experiments, 355
# nuisances, the theory with its own nuisances, the ATLAS-CMS correlation coefficients and the mass are one model.
#
# **Not for quoting.** The predictions are leading order, unless said otherwise, and the systematic responses are
# reconstructed from what the two publications show, so every mass below says how the method works and not what the mass is.

# %%
import dataclasses
from pathlib import Path

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

import bayescomb as bc

# Matrices of 355 rows are too small for several threads: on a busy machine they wait for each other.
threadpool_limits(limits=1, user_api="blas")
folder = Path("models/ttj_rho") if Path("models").is_dir() else Path("../models/ttj_rho")
combination = bc.load(folder)
print(combination)

# %% [markdown]
# ## What is in it
#
# Values and statistical matrices are published. How each bin answers to each nuisance is not: those figures are ours, made
# by `reconstruct.py` beside the model so that they add up to what is published. The model file keeps the two apart.

# %%
checked = bc.check(combination)
print(", ".join(f"{count} {what}" for what, count in checked.sizes.items()), end="\n\n")
print(bc.text_table([["figures", "kind"], *([p.table, p.kind] for p in combination.provenance)]))

# %% [markdown]
# Each coefficient has its quoted range, but not all of them can be large together: nuisances of one experiment that are
# independent cannot all resemble the same nuisance of the other. One that is correlated alike with n others is so by at most
# 1/sqrt(n), which is 0.354 for the eight partners of the CMS absolute jet scale and 0.577 for the three of the ATLAS
# radiation. What is feasible of each block is found before anything is sampled, and the prior is cut there.

# %%
partial = [s for s in checked.block_statements if s.status == "partial"]
rows = [[s.label, str(len(s.coefficients)), f"{100 * s.share:.0f} +- {100 * s.share_error:.1f}"] for s in partial]
print(bc.text_table([["blocks that leave the feasible set", "coefficients", "feasible part of the box [%]"], *rows]))

# %% [markdown]
# ## The combination without any theory
#
# Nothing is extracted here: twelve estimates of twelve quantities, so that the fit gives back what was measured. It is the
# answer to "what is the total uncertainty of each bin".

# %%
measured = bc.profile(combination.with_extraction(""))
rows = [["bin", "value", "uncertainty", "unit"]]
for o in combination.observables:
    value, error = (float(series.sel(parameter=o.name)) for series in (measured.values, measured.errors))
    rows.append([o.title, f"{value:.0f}", f"{error:.0f} ({100 * error / value:.1f} %)", o.unit])
print(bc.text_table(rows))
assert measured.ndf == 0
assert np.allclose(measured.values, [e.value for e in combination.estimates])

# %% [markdown]
# ## The mass, by profile likelihood
#
# The extraction that the model names compares normalised distributions, because the leading-order rate is 30 % low. The
# mass is a parameter of the same fit as the nuisances of the detectors and of the theory.

# %%
fit = bc.profile(combination)


def mass_line(result, name="m_t"):
    """Mass with its parts, and the goodness of fit."""
    at = {"parameter": name}
    parts = ", ".join(
        f"{float(series.sel(at)):.2f} {label}"
        for series, label in (
            (result.statistical_errors, "stat"), (result.systematic_errors, "syst"), (result.theory_errors, "theory"),
        )
    )
    text = f"{float(result.values.sel(at)):.2f} +- {float(result.errors.sel(at)):.2f} GeV ({parts})"
    return f"{text}, chi2 {result.chi2:.1f} for {result.ndf}, p-value {result.p_value:.3f}"


print(mass_line(fit))

# %% [markdown]
# Below, the normalised shapes with the prediction at three masses. The last bins, next to the threshold, are where the mass
# is. The measured shapes and the leading-order ones differ by more than the data allow, as the p-value says.

# %%
bins, tables = {}, {prediction.name: prediction for prediction in combination.predictions}
for name, data in bc.predicted_bins(fit).items():
    width = data["high"] - data["low"]
    # Shares of the bins, or densities already where the cross sections are per unit of rho.
    curves = data[["measured", "error", "fitted", "predicted"]] / (1 if tables[name].per_bin_width else width)
    bins[name] = curves.assign(low=data["low"], high=data["high"])
    assert np.allclose((curves[["measured", "fitted", "predicted"]] * width).sum("bin").to_array(), 1)

figure, grid = plt.subplots(2, 2, figsize=(10, 5), height_ratios=(3, 1.2), layout="constrained")
for (name, data), axes in zip(bins.items(), grid.T, strict=True):
    bc.figures.draw_bins(
        np.column_stack([data["low"], data["high"]]),
        measured=data["measured"],
        errors=data["error"],
        predicted={f"{m:g} GeV": data["predicted"].sel(m_t=m) for m in data["m_t"].to_numpy()},
        fitted=data["fitted"],
        quantity=r"$(1/\sigma)\,d\sigma/d\rho$",
        variable=rf"$\rho$ at {name}",
        axes=tuple(axes),
    )
    axes[1].set_ylim(0.4, 1.8)

# %% [markdown]
# ### Other ways to extract it
#
# `two_masses` gives each experiment its own mass, in one fit with all correlations, and their difference: do the experiments
# agree?

# %%
two = bc.profile(combination.with_extraction("two_masses"))
for name in ("m_t_ATLAS", "m_t_CMS", "m_t_ATLAS - m_t_CMS"):
    print(f"{name:20s} {float(two.values.sel(parameter=name)):7.2f} +- {float(two.errors.sel(parameter=name)):.2f} GeV")

# %% [markdown]
# A second way to the common mass: average the two with their covariance. It would be exact if the predictions were linear in
# the mass. Likewise chi2 has to fall by about the squared significance of the difference when the masses are set free.

# %%
pair = ["m_t_ATLAS", "m_t_CMS"]
weights = np.linalg.inv(two.covariance.sel(parameter=pair, parameter_b=pair).to_numpy()).sum(axis=0)
average = weights @ two.values.sel(parameter=pair).to_numpy() / weights.sum()
error = weights.sum() ** -0.5
print(f"average of the two {average:.2f} +- {error:.2f} GeV")
print(f"one mass           {fit.values[0].item():.2f} +- {fit.errors[0].item():.2f} GeV")
difference = {"parameter": "m_t_ATLAS - m_t_CMS"}
significance = float(two.values.sel(difference) / two.errors.sel(difference))
print(f"chi2 falls by {fit.chi2 - two.chi2:.2f}, the squared significance of the difference is {significance**2:.2f}")
assert abs(average - fit.values[0].item()) < 0.1 * error
assert abs(fit.chi2 - two.chi2 - significance**2) < 0.1

# %% [markdown]
# The extractions that begin with `nlo` use the same tables times K = NLO / LO per bin and scale, with the numerical error of
# K as a nuisance per bin that all masses, scales and PDF members share. At next-to-leading order the rate of CMS constrains
# the mass too: with the scales fixed, shape and rate are compared.

# %%
whole = bc.load(folder, extraction="")
next_order = bc.profile(whole.with_extraction("nlo"))
print(f"one mass at NLO    {next_order.values[0].item():.2f} +- {next_order.errors[0].item():.2f} GeV")
chosen = dataclasses.replace(whole.extractions["nlo_cms_absolute"], scales=whole.extractions["nlo"].scales)
(apart,) = bc.rate_and_shape(whole.with_extraction(chosen))
for label, found in (("shape", apart.shape), ("rate", apart.rate), ("both", apart.both)):
    print(f"CMS, {label:13s} {found.value:.1f} +- {found.error:.1f} GeV")
print(f"shape and rate agree with chi2 {apart.chi2:.2f} for {apart.ndf}, p-value {apart.p_value:.2f}")
assert apart.p_value > 0.05

# %% [markdown]
# An extraction is a small object: change it and put the changed one in force. Without the bin next to the
# threshold of either experiment the mass is less precise, but it stays where it is.

# %%
chosen = combination.extraction_in_force
for drop in ("sigma_13TeV_4", "yield_8TeV_8"):
    without = bc.profile(combination.with_extraction(dataclasses.replace(chosen, drop=(drop,))))
    print(f"without {drop:14s} {mass_line(without)}")

# %% [markdown]
# ## What is assumed about correlations
#
# Four sets, each with the pairs of the one before it and some more. They move the mass by a small part of its uncertainty.

# %%
sets = {name: bc.profile(combination.with_assumptions(name)) for name in combination.assumption_sets}
for name, result in sets.items():
    print(f"{name:20s} {len(combination.assumption_sets[name].coefficients):2d} coefficients: {mass_line(result)}")

# %%
figure, ax = plt.subplots(figsize=(7.2, 3), layout="constrained")
spread = [result.values[0].item() for result in sets.values()], [result.errors[0].item() for result in sets.values()]
bc.figures.draw_sets(list(sets), profile=spread, label="$m_t$ (leading order, not for quoting)", unit="GeV", ax=ax)

# %% [markdown]
# ## The posterior
#
# Now the coefficients are not set to their nominal values: each has a uniform prior over its range, restricted to what is
# feasible, and is sampled with the mass. Two chains are what a notebook has time for; the verdict says whether they do.

# %%
posterior = bc.sample(combination, seed=1, draws=2000, tune=300, chains=2, progress=False)
print(bc.verdict(posterior).sentence)
comparison = bc.compare(posterior, fit)
print(comparison)

# %% [markdown]
# Profile and posterior lie on top of each other: within its uncertainty the mass moves the bins almost linearly, and the
# coefficients make little of the variance.

# %%
draws = posterior["posterior"]["m_t"].to_numpy().ravel()
row = comparison.table.sel(parameter="m_t")
figure, ax = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
bc.figures.draw_posterior(
    draws,
    interval=(row["hdi_low"].item(), row["hdi_high"].item()),
    profile=(row["profile_value"].item(), row["profile_error"].item()),
    label="$m_t$ (leading order, not for quoting)",
    unit="GeV",
    ax=ax,
)
assert abs(draws.mean() - fit.values[0].item()) < 5 * az.mcse(posterior["posterior"]["m_t"].to_numpy()) + 0.05
assert abs(draws.std() / fit.errors[0].item() - 1) < 0.1

# %% [markdown]
# ## Which correlation matters
#
# For every coefficient: its prior (the restricted one), its posterior, what the data tell of it in bits, by how much the
# mass moves per unit of the coefficient, and its share of the variance of the mass. The data tell next to nothing, less than
# a fiftieth of a bit each, so that no posterior here is a measurement of a correlation; and no share reaches a per mille.

# %%
relevance = bc.coefficient_relevance(posterior)
print(bc.relevance_text(relevance, {"m_t": "GeV"}))
assert float(abs(relevance["information"]).max()) < 0.02
assert float(abs(relevance["share"]).max()) < 1e-3

# %%
rho = posterior["posterior"]["rho"].stack(sample=("chain", "draw"))
at_nominal = {c.name: c for c in combination.assumption_set.coefficients}
listed = [at_nominal[str(name)] for name in rho["coefficient"].to_numpy()]
figure, ax = plt.subplots(figsize=(8.5, 7), layout="constrained")
bc.figures.draw_coefficients(
    [c.title for c in listed],
    [c.low for c in listed],
    [c.high for c in listed],
    nominal=[c.nominal for c in listed],
    median=rho.median("sample"),
    interval=(rho.quantile(0.16, "sample"), rho.quantile(0.84, "sample")),
    ax=ax,
)

# %% [markdown]
# What the uncertainty does come from: statistics, groups of sources and theory, at nominal coefficients. The parts add in
# quadrature, and with `coupling`, what correlations between groups contribute, they give the total.

# %%
parts = bc.impacts(combination)
by_group = parts.groups.sel(parameter="m_t")
sizes = {"statistics": parts.statistics, **{str(g): by_group.sel(group=g) for g in by_group["group"].to_numpy()}}
sizes = {name: float(size.sel(parameter="m_t") if "parameter" in size.dims else size) for name, size in sizes.items()}
for name, size in sorted(sizes.items(), key=lambda item: -abs(item[1])):
    print(f"{name:20s} {size:5.2f} GeV")
coupling = float(parts.total.sel(parameter="m_t")) ** 2 - sum(np.sign(size) * size**2 for size in sizes.values())
print(f"{'coupling of groups':20s} {np.sign(coupling) * abs(coupling) ** 0.5:5.2f} GeV")
print(f"{'total':20s} {float(parts.total.sel(parameter='m_t')):5.2f} GeV")
assert np.isclose(float(parts.total.sel(parameter="m_t")), fit.errors[0].item(), rtol=0.02)

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
# # From two pyhf workspaces to a combination in ten lines
#
# North and South measured one signal strength. Each has a likelihood of its own, as a pyhf workspace; luminosity and jet
# energy scale are common. Each is fitted apart, as its authors would, and what their fits wrote is combined. As both
# workspaces are here, the joint fit can be made too, which nobody outside the two collaborations could do.
#
# Needs `pip install pyhf iminuit cabinetry` besides bayescomb. The figures are invented.

# %%
import cabinetry
import numpy as np
import pyhf

import bayescomb as bc

# %% [markdown]
# ## Two workspaces
#
# Counts of signal and background per bin, what one sigma of the jet energy scale does to both, and data.


# %%
def workspace(name, signal, background, jes, norm, data):
    def histosys(counts):
        shift = np.multiply(counts, jes)
        hi_lo = {"hi_data": list(counts + shift), "lo_data": list(counts - shift)}
        return {"name": "jes", "type": "histosys", "data": hi_lo}

    def normsys(name, size):
        return {"name": name, "type": "normsys", "data": {"hi": 1 + size, "lo": 1 / (1 + size)}}

    signals = [{"name": "mu", "type": "normfactor", "data": None}, normsys("lumi", 0.02), histosys(signal)]
    samples = [
        {"name": "signal", "data": signal, "modifiers": signals},
        {"name": "background", "data": background, "modifiers": [normsys(f"bkg_{name}", norm), histosys(background)]},
    ]
    return pyhf.Workspace({
        "channels": [{"name": name, "samples": samples}],
        "observations": [{"name": name, "data": data}],
        "measurements": [{"name": f"{name} alone", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    })


workspaces = {
    "North": workspace(
        "north", [3000.0, 8000.0, 12000.0, 4000.0], [40000.0, 20000.0, 9000.0, 6000.0], [-0.02, 0.01, 0.03, 0.06], 0.05,
        [43000.0, 28600.0, 21700.0, 10600.0],
    ),
    "South": workspace(
        "south", [2000.0, 7000.0, 9000.0, 3000.0, 1000.0], [30000.0, 12000.0, 11000.0, 8000.0, 3000.0],
        [0.0, 0.01, 0.015, 0.02, 0.03], 0.03, [31700.0, 18900.0, 20100.0, 10950.0, 3980.0],
    ),
}

# %% [markdown]
# ## The ten lines
#
# Minuit fits each workspace; `from_pyhf` takes values, covariance and what the model says of its constraint terms. The
# prior of each nuisance, which both fits contain, is taken off, and stated once for the combination. Nuisances of one name
# are one nuisance, because it is said here; without `shared_names` that would be an error.

# %%
pyhf.set_backend("numpy", "minuit")
inputs = []
for name, space in workspaces.items():
    model = space.model()
    fit = pyhf.infer.mle.fit(space.data(model), model, return_uncertainties=True, return_correlations=True)
    inputs.append(bc.fits.from_pyhf(name, name, model=model, fit=fit, results=["mu"]))
combination = bc.combine(inputs, shared_names="same", name="North and South")
combined = bc.profile(combination)
print(combined)

# %% [markdown]
# ## Against the joint fit

# %%
joint = pyhf.Workspace.combine(*workspaces.values())
model = joint.model(measurement_name="north alone")
together = cabinetry.fit.fit(model, joint.data(model))
i = together.labels.index("mu")
value, error = together.bestfit[i], together.uncertainty[i]
print(f"joint fit   mu = {value:.4f} +- {error:.4f}")
print(f"combination mu = {combined.values.item():.4f} +- {combined.errors.item():.4f}")
assert abs(combined.values.item() - value) < 0.05 * error
assert abs(combined.errors.item() / error - 1) < 0.03

# %% [markdown]
# Publications often give impacts and constraints of nuisances, but not their pulls. North's data move the jet energy scale,
# South's hardly; who ignores that combines two numbers that were measured at different scales. The error is the same.

# %%
ignored = bc.profile(combination.with_nuisance_values("ignored"))
print(f"pulls ignored mu = {ignored.values.item():.4f} +- {ignored.errors.item():.4f},", end=" ")
print(f"{(ignored.values.item() - value) / error:+.2f} standard deviations from the joint fit")

# %% [markdown]
# ## What nobody has said
#
# Names that differ a little are the error that no number shows: had South called it `JES_alpha`, nothing would be related.
# `check` lists such names, among them some that mean different things, as the two backgrounds here. A relation says what
# they are: the same, or correlated by a coefficient with a range (0 if they have nothing in common).

# %%
plain = inputs[1]
south = bc.Measurement.from_fit(
    "South", "South", values=[plain.estimates[0].value, *plain.fit.pulls], covariance=np.linalg.inv(plain.fit.information),
    parameters=["mu", *(n.name.replace("jes", "alpha_JES") for n in plain.all_nuisances)], results=["mu"],
)
lumi = bc.Relation(name="luminosity", members={"North": "lumi", "South": "lumi"})
for pair in bc.check(bc.combine([inputs[0], south], relations=[lumi])).look_alikes:
    print(f"{pair.first} of {pair.measurements[0]} and {pair.second} of {pair.measurements[1]}: {pair.why}")
jes = bc.Relation(name="JES", members={"North": "jes", "South": "alpha_JES"}, nominal=0.5, low=0.0, high=1.0)
partly = bc.combine([inputs[0], south], relations=[lumi, jes], name="partly correlated")
print(bc.scan(partly))

# %% [markdown]
# ## The posterior, and the way back
#
# The coefficient has a prior over its range, and is sampled with the rest.

# %%
posterior = bc.sample(partly, seed=1, draws=500, tune=500, chains=2, progress=False)
print(bc.verdict(posterior).sentence)
print(bc.compare(posterior, bc.profile(partly)))

# %% [markdown]
# The combined result is a fit again: cabinetry draws it, HS3 stores it, PyMC takes it as a prior.

# %%
print(bc.hs3(combined)["distributions"][0])
cabinetry.visualize.pulls(bc.fit_results(combined), exclude="mu", save_figure=False)

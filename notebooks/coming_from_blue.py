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
# # Coming from BLUE
#
# **Question.** Is the profile the best linear unbiased estimate, with its weights and its parts of the error?
#
# **Answer.** Yes: where every response is linear the profile is BLUE to the last digit; what is new is what happens where a
# source matrix is no correlation matrix, and where a correlation is not known.

# %%
import numpy as np

import bayescomb as bc

# %% [markdown]
# BLUE by hand: with V the sum of the covariances of all sources, the weights are V^-1 1 / (1^T V^-1 1).

# %%
values, stat = np.array([172.0, 173.0]), np.array([0.3, 0.4])
sources = {"JES": (np.array([0.4, 0.3]), 0.5), "method": (np.array([0.2, 0.2]), 0.0)}
covariance = np.diag(stat**2)
for sizes, rho in sources.values():
    covariance = covariance + np.outer(sizes, sizes) * np.array([[1.0, rho], [rho, 1.0]])
weights = np.linalg.solve(covariance, np.ones(2))
weights = weights / weights.sum()
print(f"{weights @ values:.4f} +- {np.sqrt(weights @ covariance @ weights):.4f}, weights {weights.round(4)}")

# %% [markdown]
# The same as a combination.

# %%
measurements = [
    bc.Measurement(
        name=name,
        experiment=name,
        estimates=(bc.Estimate(name=name, value=values[i], observables={"m_t": 1.0}),),
        statistical_covariance=[[stat[i] ** 2]],
        nuisances=tuple(bc.Nuisance(name=f"{s}[{name}]", source=s) for s in sources),
        responses=[[sizes[i] for sizes, _ in sources.values()]],
    )
    for i, name in enumerate(["ATLAS", "CMS"])
]
jes = bc.CorrelationCoefficient(
    name="JES", pairs=(bc.CorrelationPair(first="JES[ATLAS]", second="JES[CMS]"),), nominal=0.5, low=0.0, high=1.0
)
combination = bc.Combination(
    name="BLUE",
    measurements=measurements,
    observables=(bc.Observable(name="m_t", unit="GeV"),),
    sources=tuple(bc.Source(name=s) for s in sources),
    assumption_sets={"nominal": bc.AssumptionSet(name="nominal", coefficients=(jes,))},
    assumptions="nominal",
    treatment="covariance",
)
fit = bc.profile(combination)
assert np.allclose(fit.weights, weights, rtol=1e-12)
print(fit)

# %% [markdown]
# Parts of the error are those of BLUE, sqrt(w V_s w), and add up in quadrature.

# %%
print(bc.impacts(combination))

# %% [markdown]
# A scan of the correlation, as one quotes it, and the published Run 1 combination with its 25 sources, of which four
# matrices are indefinite: BLUE needs only the sum to be positive definite, and `check` names the four.

# %%
print(bc.scan(combination))
run1 = bc.load(bc.shipped_models()["run1_mass"])
print(repr(bc.profile(run1)))
print([block.label for block in bc.check(run1).indefinite if not block.rounding])

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
# # Observables as functions
#
# **Question.** Can what was measured be a function of what I want to know?
#
# **Answer.** Yes: a formula per observable in `model.toml`, or any PyTensor expression in a PyMC model of your own.
#
# Fractions that add up to 1, lifetimes and widths, a mass and a coupling from one pair of cross sections, and the data in a
# PyMC model of one's own. All figures are invented for this notebook.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt

import bayescomb as bc

temporary = tempfile.TemporaryDirectory()


def model(text):
    """A model from the text of its file."""
    path = Path(temporary.name) / "model.toml"
    path.write_text(text, encoding="utf-8")
    return bc.load(path)


# %% [markdown]
# ## Fractions
#
# F_R is not fitted: it is what F_0 and F_L leave of 1. A formula that is linear is a linear map, and nothing else changes.

# %%
fractions = model("""
format = 1
name = "fractions"
observables = [
  { name = "F_0", unit = "1" },
  { name = "F_L", unit = "1" },
  { name = "F_R", unit = "1", formula = "1 - F_0 - F_L" },
]

[[measurements]]
name = "A"
estimates = [
  { name = "A F_0", value = 0.682, observable = "F_0" },
  { name = "A F_L", value = 0.324, observable = "F_L" },
]
statistical = [0.030, 0.022]

[[measurements]]
name = "B"
estimates = [
  { name = "B F_0", value = 0.720, observable = "F_0" },
  { name = "B F_R", value = -0.009, observable = "F_R" },
]
statistical = [0.054, 0.012]

[[assumption_sets]]
name = "none"
""")
fit = bc.profile(fractions)
print(fit)
assert abs(float(fit.values.sum()) - 1) < 1e-12

# %% [markdown]
# ## Lifetimes and widths
#
# Some measure a lifetime, others a width or a difference of widths. The unit of each formula is checked. The ratio is
# derived: reported with its error and its correlations, measured by nobody.

# %%
lifetimes = model("""
format = 1
name = "lifetimes"
parameters = [{ name = "tau_s", unit = "ps" }, { name = "tau_d", unit = "ps" }]
observables = [
  { name = "Gamma_s", unit = "1/ps", formula = "1 / tau_s" },
  { name = "difference", unit = "1/ps", formula = "Gamma_s - 1 / tau_d" },
]
derived = [{ name = "ratio", formula = "tau_s / tau_d" }]

[[measurements]]
name = "A"
estimates = [
  { name = "A tau_s", value = 1.505, observable = "tau_s" },
  { name = "A tau_d", value = 1.519, observable = "tau_d" },
]
statistical = [0.012, 0.008]

[[measurements]]
name = "B"
estimates = [
  { name = "B Gamma_s", value = 0.6603, observable = "Gamma_s" },
  { name = "B difference", value = 0.0024, observable = "difference" },
]
statistical = [0.0045, 0.0032]

[[assumption_sets]]
name = "none"
""")
print(bc.profile(lifetimes))
posterior = bc.sample(lifetimes, seed=1, draws=1000, tune=500, chains=2, progress=False)
print(bc.summary_text(posterior))

# %% [markdown]
# ## A mass and a coupling from tables
#
# Two cross sections depend on the mass and on alpha_s in different ways, so that both are determined, and something is known
# of alpha_s beforehand. The prior is an input like the others: impacts tell its part.
#
# How they depend on the mass is a table of a calculation, at six masses. Two of its columns are curves, which formulas call
# like functions: a spline by default, or a polynomial of stated degree. Beyond the table there is no prediction, so m_t
# keeps within its masses, and a fit that wants to leave them is refused.

# %%
(Path(temporary.name) / "theory.csv").write_text(
    """m_t,rate,shape
165.0,1018.8,0.06789
168.0,939.5,0.06094
171.0,866.4,0.05480
174.0,799.0,0.04937
177.0,736.8,0.04456
180.0,679.5,0.04028
""",
    encoding="utf-8",
)
pair = model("""
format = 1
name = "mass and coupling"
curves = [
  { name = "rate_at", table = "theory.csv", x = "m_t", y = "rate", argument_unit = "GeV", unit = "pb" },
  { name = "shape_at", table = "theory.csv", x = "m_t", y = "shape", argument_unit = "GeV", degree = 3 },
]
parameters = [
  { name = "m_t", unit = "GeV" },
  { name = "alpha_s", prior = { shape = "normal", mean = 0.118, sd = 0.001 } },
]
observables = [
  { name = "rate", unit = "pb", formula = "rate_at(m_t) * (alpha_s / 0.118)**1.9" },
  { name = "shape", formula = "shape_at(m_t) * (alpha_s / 0.118)**0.4" },
]
derived = [{ name = "rate at 172.5 GeV", unit = "pb", formula = "rate_at(172.5) * (alpha_s / 0.118)**1.9" }]

[[measurements]]
name = "rates"
estimates = [{ name = "inclusive", value = 826.0, observable = "rate" }]
statistical = [20.0]

[[measurements]]
name = "shapes"
estimates = [{ name = "near threshold", value = 0.0523, observable = "shape" }]
statistical = [0.0006]

[[assumption_sets]]
name = "none"
""")
print(bc.profile(pair))
print(bc.impacts(pair))

# %% [markdown]
# Functions may stand in Python too: they are called once with symbols, so that derivatives stay exact.

# %%
plain = bc.Combination(
    name="mass and coupling",
    measurements=tuple(m for m in pair.measurements if m.name != "prior of alpha_s"),
    observables=(bc.Observable(name="rate", unit="pb"), bc.Observable(name="shape")),
    assumption_sets=pair.assumption_sets,
    assumptions="none",
)


def theory(m_t, alpha_s):
    return {
        "rate": 832.0 * np.exp(-0.027 * (m_t - 172.5)) * (alpha_s / 0.118) ** 1.9,
        "shape": 0.052 * (m_t / 172.5) ** -6.0 * (alpha_s / 0.118) ** 0.4,
    }


print(bc.profile(plain, observables=theory, start={"m_t": 172.5, "alpha_s": 0.118}))

# %% [markdown]
# ## A model of one's own around the data
#
# In PyMC the observables may be any expressions, with priors and structure that are not ours; a curve takes symbols too.

# %%
rate_at = pair.curves[0]
with pm.Model() as own:
    m_t = pm.Normal("m_t", 172.5, 2.0)
    alpha_s = pm.Normal("alpha_s", 0.118, 0.001)
    bias = pm.Normal("bias", 0.0, 0.01)
    predicted = {
        "rate": (1 + bias) * rate_at.value(m_t, xp=pt) * (alpha_s / 0.118) ** 1.9,
        "shape": 0.052 * (m_t / 172.5) ** -6.0 * (alpha_s / 0.118) ** 0.4,
    }
    bc.likelihood(plain, predicted)
replicas = pm.draw(own["estimate_value"], draws=200, random_seed=1, mode="FAST_COMPILE")
print("predicted before the data:", replicas.mean(axis=0).round(3), "+-", replicas.std(axis=0).round(3))

# %%
temporary.cleanup()

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
# # How long does it take?
#
# **Question.** What does a profile, a scan, a report or a posterior cost?
#
# **Answer.** A profile of either shipped model takes less than a second, whatever the number of nuisances; a posterior
# seconds once it is compiled, which takes half a minute the first time. `make bench` prints the tables of the guide.

# %%
import time

import bayescomb as bc


def seconds(name, function):
    """CPU time of a call, rounded generously as machines differ."""
    start = time.process_time()
    found = function()
    spent = time.process_time() - start
    limit = next(limit for limit in (0.1, 0.3, 1, 3, 10, 30, 100) if spent < limit)
    print(f"{name}: less than {limit:g} s")
    return found


for name, path in bc.shipped_models().items():
    combination = seconds(f"{name}: reading it", lambda path=path: bc.load(path))
    print(f"  {len(combination.estimates)} estimates, {len(combination.nuisances)} nuisances")
    seconds(f"{name}: profile", lambda combination=combination: bc.profile(combination))
    seconds(f"{name}: impacts", lambda combination=combination: bc.impacts(combination))

# %% [markdown]
# Sampling depends on the coefficients that vary, not on the nuisances, which are integrated exactly: a gradient takes 0.1
# ms at 350, 1000 and 3000 nuisances alike.

"""The Run 1 top-mass combination in Python: profile, posterior, both side by side."""

from pathlib import Path

import bayescomb as bc

combination = bc.load(Path(__file__).parent)

fit = bc.profile(combination)
print(fit)

posterior = bc.sample(combination, seed=1)
print(bc.verdict(posterior).sentence)
print(bc.compare(posterior, fit))

# The posterior is an xarray DataTree with named dimensions, as ArviZ uses it.
rho = posterior["posterior"]["rho"].sel(coefficient="LHCbJES")
print(f"b-JES coefficient: {rho.mean().item():.2f} +- {rho.std().item():.2f} (prior 0.75 +- 0.14)")

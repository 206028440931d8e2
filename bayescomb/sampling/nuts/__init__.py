"""The sampler: runs of NUTS, and posteriors with separated modes.

Imports the plan, the variables, the fused density and the convergence diagnostics, but no combination.  Start at run.
"""

__all__: list[str] = []

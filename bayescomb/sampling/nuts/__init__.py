"""The sampler: runs of NUTS, and posteriors with separated modes.

Imports the plan, the variables and the fused density; knows no combination.  Start at run.
"""

__all__: list[str] = []

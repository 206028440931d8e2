"""The PyMC model of a combination: its variables, its density as an operation, its likelihood in a user's own model.

Imports the plan and the fused density.  Start at build.
"""

__all__: list[str] = []

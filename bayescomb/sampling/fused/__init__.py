"""The sampled density as one compiled function: coordinates, priors, prediction, likelihood and their gradient.

Its numba kernels serve all sizes of models and are cached on disk, so that a machine compiles them once.  Imports the plan,
the priors and the posterior of linear models.  Start at density.
"""

__all__: list[str] = []

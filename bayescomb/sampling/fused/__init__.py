"""The sampled density as one compiled function: coordinates, priors, prediction, likelihood and the gradient.

Kernels in numba with a cache on disk, sizes as arguments, so that they are compiled once on a machine.  Start at density.
"""

__all__: list[str] = []

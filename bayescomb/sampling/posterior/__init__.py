"""What is made of draws: the gate of convergence, summaries, moments that exist, and the file of a posterior.

Imports the plan of sampling, not the sampler.  Start at summary.
"""

__all__: list[str] = []

"""A posterior after sampling: convergence, summaries, the moments that exist, and its file.

Imports the plan of sampling, not the sampler.  Start at summary.
"""

__all__: list[str] = []

"""The second inference, by sampling the posterior: plan, PyMC model, NUTS, recovery of nuisances, storage.

Imports fit and what is below it.  Start at sample; nothing is imported here, as importing PyMC takes seconds.
"""

__all__: list[str] = []

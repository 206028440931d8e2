"""What the inputs mean: the chi2 of a combination, the correlations that are possible, and simulated data.

Imports inputs and base, no format.  Start at linear_gaussian, the algebra of everything that follows; nothing is imported
here, as most commands need a part of it.

Called as a function, ``bc.likelihood(combination, observables, ...)``, it adds the data of a combination to the PyMC model
that is open (:func:`bayescomb.sampling.model.likelihood.likelihood`):

    >>> import pymc as pm
    >>> import bayescomb as bc
    >>> with pm.Model() as model:
    ...     m_t = pm.Normal("m_t", 172.0, 5.0)
    ...     added = bc.likelihood(bc.load("models/run1_mass"), {"m_t": m_t})
    >>> [variable.name for variable in model.free_RVs]
    ['m_t', 'rho']
"""

import importlib
import sys
import types
from typing import Any

__all__: list[str] = []


class _Room(types.ModuleType):
    """The room, which is called as the public function of its name: a package would hide it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See :func:`bayescomb.sampling.model.likelihood.likelihood`."""
        return importlib.import_module("bayescomb.sampling.model.likelihood").likelihood(*args, **kwargs)


sys.modules[__name__].__class__ = _Room

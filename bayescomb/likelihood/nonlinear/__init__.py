"""Predictions that are not linear in observables and nuisances, and the chi2 of them with its derivatives.

Imports what likelihood holds besides.  Start at model.
"""

__all__: list[str] = []

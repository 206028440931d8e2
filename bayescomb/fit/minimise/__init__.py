"""Minima of each kind of chi2: with bounds, with kinks and curves, with masses, with uncertain sizes.

Imports likelihood and what is below it, nothing else of fit.  Start at nonlinear or mass_chi2; fitter chooses between them.
"""

__all__: list[str] = []

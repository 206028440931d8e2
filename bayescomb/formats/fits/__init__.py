"""Fits of other programs as inputs: one file per program, all through :meth:`bayescomb.Measurement.from_fit`.

Imports inputs, base and what all formats share; no program is imported before its file is read.  Start at minuit.

A parameter that is neither a result nor free is a nuisance with a constraint term in the fit.  The width of that term only
matters for a nuisance that another input shares; for all others the prior that is removed is added again.

Examples:
    >>> import bayescomb as bc
    >>> from iminuit import Minuit
    >>> def chi2(sigma, lumi):
    ...     return (sigma * (1 + 0.02 * lumi) - 830) ** 2 / 20**2 + lumi**2
    >>> minuit = Minuit(chi2, sigma=800, lumi=0)
    >>> _ = minuit.migrad(), minuit.hesse()
    >>> north = bc.fits.from_minuit("North", minuit=minuit, results=["sigma"])
    >>> round(north.estimates[0].value), [nuisance.name for nuisance in north.all_nuisances]
    (830, ['lumi'])
"""

from bayescomb.formats.fits.cabinetry import from_cabinetry
from bayescomb.formats.fits.covariance_csv import from_csv
from bayescomb.formats.fits.minuit import from_minuit
from bayescomb.formats.fits.posterior import Gaussianity, from_posterior, gaussianity
from bayescomb.formats.fits.pyhf import from_pyhf
from bayescomb.formats.fits.roofit import from_roofit
from bayescomb.formats.fits.trexfitter import from_trexfitter
from bayescomb.formats.fits.zfit import from_zfit

__all__ = [
    "Gaussianity",
    "from_cabinetry",
    "from_csv",
    "from_minuit",
    "from_posterior",
    "from_pyhf",
    "from_roofit",
    "from_trexfitter",
    "from_zfit",
    "gaussianity",
]

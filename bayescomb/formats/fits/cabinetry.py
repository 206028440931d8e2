"""cabinetry: ``FitResults``, with the pyhf model that was fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescomb.base.errors import InvalidMatrixError
from bayescomb.formats.fits.pyhf import model_fit
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_cabinetry"]


def from_cabinetry(
    name: str, experiment: str = "", *, fit: Any, results: Results, model: Any = None, **options: Any
) -> Measurement:
    """``FitResults`` of cabinetry as an input.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        fit: result of ``cabinetry.fit.fit``; labels, values, uncertainties and correlations are used.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        model: the ``pyhf.Model`` that was fitted, which knows the constraint terms (:func:`bayescomb.fits.from_pyhf`);
            without it parameters that are neither results nor ``free`` count as nuisances with a prior N(0, 1).
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``.

    Raises:
        InvalidMatrixError: the model is not the one that was fitted.
        Other bayescomb errors: as of ``from_fit``.

    Examples:
        >>> import cabinetry
        >>> import pyhf
        >>> import bayescomb as bc
        >>> model = pyhf.simplemodels.correlated_background([50.0], [100.0], [110.0], [90.0])
        >>> fit = cabinetry.fit.fit(model, [160.0] + model.config.auxdata)
        >>> bc.fits.from_cabinetry("North", fit=fit, model=model, results=["mu"]).fit.pulls.round(2).tolist()
        [0.0]
    """
    labels = list(fit.labels)
    if model is not None:
        if labels != list(model.config.par_names):
            msg = f"fit {name!r}: the labels of the fit are not the parameters of the model; give the model that was fitted"
            raise InvalidMatrixError(msg)
        written = model_fit(model, fit.bestfit, fit.uncertainty, fit.corr_mat, where=f"fit {name!r}")
    else:
        errors = np.array(fit.uncertainty, dtype=float)
        covariance = np.array(fit.corr_mat, dtype=float) * np.outer(errors, errors)
        written = WrittenFit(
            parameters=labels,
            values=np.array(fit.bestfit, dtype=float),
            covariance=(covariance + covariance.T) / 2,
            left_out=[label for label, error in zip(labels, errors, strict=True) if error == 0],
        )
    return written.measurement(name, experiment, results=results, **options)

"""pyhf: a model and the result of ``pyhf.infer.mle.fit`` with uncertainties and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_finite
from bayescomb.base.errors import InvalidMatrixError
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_pyhf", "model_fit"]


def from_pyhf(name: str, experiment: str = "", *, model: Any, fit: Any, results: Results, **options: Any) -> Measurement:
    """A fit of pyhf as an input.

    The model states which parameters have a Gaussian constraint term, its centre and its width.  Fixed parameters are left
    out, and so are those with a Poisson term (``shapesys``); the template statistics stay in the covariance of the other
    parameters.

    The covariance is that of Minuit's HESSE, accurate to about a percent, and less accurate with a tolerance much below the
    default.  For a nuisance with a constraint near 1 the information of the data is a small difference of its entries.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        model: the ``pyhf.Model``.
        fit: ``pyhf.infer.mle.fit(data, model, return_uncertainties=True, return_correlations=True)`` with the optimizer
            minuit.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``; they override the model.

    Raises:
        InvalidMatrixError: the fit has no uncertainties and correlations, or is of another model.
        Other bayescomb errors: as of ``from_fit``.

    Examples:
        >>> import pyhf
        >>> import bayescomb as bc
        >>> pyhf.set_backend("numpy", "minuit")
        >>> model = pyhf.simplemodels.correlated_background([50.0], [100.0], [110.0], [90.0])
        >>> fit = pyhf.infer.mle.fit([160.0] + model.config.auxdata, model, return_uncertainties=True,
        ...     return_correlations=True)
        >>> north = bc.fits.from_pyhf("North", model=model, fit=fit, results=["mu"])
        >>> [n.name for n in north.all_nuisances], round(north.estimates[0].value, 2)
        (['correlated_bkg_uncertainty'], 1.2)
    """
    where = f"fit {name!r}"
    try:
        best, correlation = (np.asarray(part, dtype=float) for part in fit)
    except (TypeError, ValueError) as error:
        msg = (
            f"{where}: two arrays needed, as from pyhf.infer.mle.fit(data, model, return_uncertainties=True, "
            "return_correlations=True) after pyhf.set_backend('numpy', 'minuit')"
        )
        raise InvalidMatrixError(msg) from error
    if best.ndim != 2 or best.shape[1] != 2:
        msg = f"{where}: shape {best.shape} found, (parameters, 2) needed: return_uncertainties=True with minuit"
        raise InvalidMatrixError(msg)
    values, errors = best.T
    written = model_fit(model, values, errors, correlation, where=where)
    return written.measurement(name, experiment, results=results, **options)


def model_fit(model: Any, values: ArrayLike, errors: ArrayLike, correlation: ArrayLike, *, where: str) -> WrittenFit:
    """A fit of a pyhf model, with the constraint terms of the model.

    Args:
        model: the model, of P parameters.
        values: shape (P,).
        errors: shape (P,), 0 for a parameter that was held fixed.
        correlation: shape (P, P).
        where: name of the fit, for messages.

    Raises:
        InvalidMatrixError: the shapes are not those of the model.
    """
    config = model.config
    parameters: Sequence[str] = list(config.par_names)
    values, errors, rho = (check_finite(part, where=where) for part in (values, errors, correlation))
    size = len(parameters)
    if values.shape != (size,) or errors.shape != (size,) or rho.shape != (size, size):
        msg = (
            f"{where}: {size} parameters of the model, but values, errors and correlations of the shapes {values.shape}, "
            f"{errors.shape} and {rho.shape}; give the model that was fitted"
        )
        raise InvalidMatrixError(msg)
    free, left_out, priors = list[str](), list[str](), dict[str, tuple[float, float]]()
    for key in config.par_order:
        names, terms = parameters[config.par_slice(key)], config.param_set(key)
        if not terms.constrained:
            free += names
        elif terms.pdf_type != "normal":
            left_out += names
        else:
            priors |= dict(zip(names, zip(map(float, terms.auxdata), map(float, terms.width()), strict=True), strict=True))
    left_out += [p for p, error in zip(parameters, errors, strict=True) if error == 0 and p not in left_out]
    covariance: FloatArray = rho * np.outer(errors, errors)
    covariance[np.diag_indices(size)] = errors**2
    return WrittenFit(
        parameters=parameters,
        values=values,
        covariance=(covariance + covariance.T) / 2,
        free=[p for p in free if p not in left_out],
        left_out=left_out,
        priors={p: prior for p, prior in priors.items() if p not in left_out and prior != (0.0, 1.0)},
    )

"""Measurements: published numbers with their uncertainties.

All classes are frozen, hold read-only arrays and are checked when they are built.  A *measurement* publishes *estimates*
(measured numbers); a *nuisance* has a unit-width Gaussian prior; a *response* is the shift k of a published value by +1
sigma of a nuisance, with its sign.  All formats use this convention; the likelihood predicts the published value by
mu - k(lambda) (:mod:`bayescomb.likelihood.responses`).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.base.checks import (
    SINGULAR,
    FrozenMapping,
    check_array,
    check_choice,
    check_covariance,
    check_finite,
    check_items,
    check_mapping,
    check_names,
    check_shape,
    frozen_array,
)
from bayescomb.base.errors import InvalidMatrixError, InvalidNumberError, UnderdeterminedError
from bayescomb.base.numerics import correlation_of
from bayescomb.inputs.measurements.fitted_input import FitTable, FittedInput, Nuisance, fitted_values
from bayescomb.inputs.measurements.likelihood_tables import LikelihoodTable

__all__ = [
    "CovarianceKind",
    "Estimate",
    "FittedInput",
    "Measurement",
    "Nuisance",
    "estimate_slices",
]

# A part of a variance is rounding below this fraction.
ROUNDING: Final = 1e-9


class CovarianceKind(StrEnum):
    """Uncertainties in the covariance of a measurement: statistical ones, or all together where the parts are not known.

    The prior of a parameter is an auxiliary measurement, whose covariance is not divided into parts.
    """

    STATISTICAL = "statistical"
    TOTAL = "total"
    PRIOR = "prior"


# A shift of a direction without statistical variance is rounding below this many statistical errors.
UNMOVED: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A measured number.

    Attributes:
        name: unique name.
        value: measured value in the unit of the measurement.
        observables: linear map to the observables, name -> coefficient (``{"m_t": 1.0}`` for a direct measurement).
        title: text for tables and figures.
        likelihood: -2 ln L as a table of points, ``None`` if it is Gaussian.  With a table, ``value`` is the centre of the
            Gaussian near its minimum, see :meth:`Measurement.from_likelihood`.

    Examples:
        >>> import bayescomb as bc
        >>> total = bc.Estimate(name="sum of two bins", value=12.5, observables={"bin 1": 1.0, "bin 2": 1.0})
        >>> len(total.observables)
        2
    """

    name: str
    value: float
    observables: Mapping[str, float]
    title: str = ""
    likelihood: LikelihoodTable | None = None

    def __post_init__(self) -> None:
        check_mapping(self.observables, where=f"observables of estimate {self.name!r}", example='{"m_t": 1.0}')
        check_finite([self.value, *self.observables.values()], where=f"estimate {self.name!r}")
        if not any(self.observables.values()):
            msg = f"estimate {self.name!r}: it belongs to no observable; give at least one non-zero coefficient"
            raise InvalidNumberError(msg)
        object.__setattr__(self, "observables", FrozenMapping(self.observables))

    def moved(self, by: float) -> Estimate:
        """The estimate plus a number, with its likelihood shifted."""
        table = self.likelihood
        return dataclasses.replace(self, value=self.value + by, likelihood=None if table is None else table.moved(by))

    def scaled(self, factor: float) -> Estimate:
        """The estimate times a number, with its likelihood scaled."""
        table = self.likelihood
        return dataclasses.replace(
            self, value=self.value * factor, likelihood=None if table is None else table.scaled(factor)
        )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One publication's estimates with their uncertainties.

    Attributes:
        name: unique name.
        experiment: collaboration, used by category coefficients.
        estimates: the measured numbers, n of them.
        statistical_covariance: shape (n, n), in the unit of the estimates squared; ``None`` if ``fit`` carries the
            statistical information.  It may be singular if nuisances shift the combinations without statistical variance:
            the total covariance must be positive definite.
        covariance_kind: ``"total"`` if the covariance contains all uncertainties and no source is stated: errors of results
            then have a part that is neither statistical nor systematic.
        nuisances: the m nuisances outside the fit.
        responses: shift of each published value by +1 sigma of each of these, in the unit of the estimates, shape (n, m).
        down_responses: shift by -1 sigma, shape (n, m); ``None`` if it is always -``responses``.  The shift is linear in the
            nuisance on either side of 0, with a kink there.
        fit: the input's own fit, if there is one; the nuisances above are then not part of it.

    Examples:
        >>> import bayescomb as bc
        >>> mass = bc.Estimate(name="l+jets", value=172.3, observables={"m_t": 1.0})
        >>> measurement = bc.Measurement(name="l+jets", experiment="ATLAS", estimates=(mass,),
        ...     statistical_covariance=[[0.2**2]], nuisances=(bc.Nuisance(name="JES"),), responses=[[0.5]])
        >>> [n.name for n in measurement.all_nuisances]
        ['JES']
    """

    name: str
    estimates: tuple[Estimate, ...]
    experiment: str = ""
    statistical_covariance: FloatArray | None = None
    covariance_kind: CovarianceKind = CovarianceKind.STATISTICAL
    nuisances: tuple[Nuisance, ...] = ()
    responses: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    down_responses: FloatArray | None = None
    fit: FittedInput | None = None

    def __post_init__(self) -> None:
        where = f"measurement {self.name!r}"
        check_choice(self.covariance_kind, tuple(CovarianceKind), where=f"covariance_kind of {where}")
        object.__setattr__(self, "covariance_kind", CovarianceKind(self.covariance_kind))
        for key, kind in (("estimates", Estimate), ("nuisances", Nuisance)):
            check_items(getattr(self, key), kind, where=f"{key} of {where}")
            object.__setattr__(self, key, tuple(getattr(self, key)))
        n_estimates, n_nuisances = len(self.estimates), len(self.nuisances)
        check_names([e.name for e in self.estimates], where=f"estimates of {where}")
        responses = check_finite(self.responses, where=f"responses of {where}")
        if n_nuisances == 0:
            responses = np.zeros((n_estimates, 0))
        responses = check_shape(responses, (n_estimates, n_nuisances), where=f"responses of {where}")
        object.__setattr__(self, "responses", frozen_array(responses))
        self._check_down_responses(where)
        if (self.statistical_covariance is None) == (self.fit is None):
            msg = f"{where}: give either a statistical covariance or a fitted input, not both and not neither"
            raise UnderdeterminedError(msg)
        if self.statistical_covariance is not None:
            place = f"statistical covariance of {where}"
            covariance = check_covariance(self.statistical_covariance, where=place, definite=True, singular=True)
            object.__setattr__(self, "statistical_covariance", check_shape(covariance, (n_estimates,) * 2, where=place))
            self._check_unmoved(place)
        if self.fit is not None:
            size = n_estimates + len(self.fit.nuisances)
            check_shape(self.fit.information, (size, size), where=f"information of {where}")
        if self.is_total and (self.nuisances or self.fit is not None):
            msg = f"{where}: a total covariance beside nuisances counts them twice; subtract them, or leave them out"
            raise InvalidMatrixError(msg)
        self._check_response_forms(where)
        self._check_tables(where)

    @classmethod
    def from_likelihood(
        cls,
        name: str,
        experiment: str = "",
        *,
        table: LikelihoodTable,
        observable: str | Mapping[str, float],
        nuisances: Sequence[Nuisance] = (),
        responses: ArrayLike = (),
        title: str = "",
    ) -> Measurement:
        """A measurement of one number of which -2 ln L is given as a table of points.

        Args:
            name: name of the measurement and of its estimate.
            experiment: collaboration.
            table: -2 ln L; without ``nuisances`` it contains all uncertainties, else those at fixed nuisances.
            observable: the measured observable; or observable -> coefficient.
            nuisances: the m nuisances that the table does not include.
            responses: shift of the whole curve by +1 sigma of each nuisance, shape (m,).
            title: text for tables and figures.

        Raises:
            InvalidMatrixError, InvalidNumberError: as of any measurement.

        Examples:
            >>> import bayescomb as bc, numpy as np
            >>> s = np.linspace(0.5, 12, 24)
            >>> table = bc.LikelihoodTable(points=tuple(s), rises=tuple(2 * (s - 3 * np.log(s))))
            >>> counted = bc.Measurement.from_likelihood("counts", "CMS", table=table, observable="s")
            >>> round(counted.estimates[0].value, 2)
            3.0
        """
        estimate = Estimate(
            name=name,
            value=table.value,
            observables={observable: 1.0} if isinstance(observable, str) else observable,
            title=title,
            likelihood=table,
        )
        return cls(
            name=name,
            experiment=experiment,
            estimates=(estimate,),
            statistical_covariance=np.array([[table.width**2]]),
            covariance_kind=CovarianceKind.STATISTICAL if nuisances else CovarianceKind.TOTAL,
            nuisances=tuple(nuisances),
            responses=np.asarray(responses, dtype=float).reshape(1, -1),
        )

    @classmethod
    def from_fit(
        cls,
        name: str,
        experiment: str = "",
        *,
        values: ArrayLike | Mapping[str, float],
        covariance: ArrayLike,
        parameters: Sequence[str],
        results: Sequence[str] | Mapping[str, str | Mapping[str, float]],
        pulls: ArrayLike | Mapping[str, float] | None = None,
        free: Collection[str] = (),
        left_out: Collection[str] = (),
        priors: Mapping[str, tuple[float, float]] | None = None,
    ) -> Measurement:
        r"""A measurement from the result of a fit, by any program.

        Every parameter that is neither a result nor free nor left out is a nuisance with a Gaussian constraint term in the
        fit.  The covariance contains this term; the combination removes it, A = H - diag(0, 1), and states the prior of the
        nuisance once, correlated with those of other inputs.  The fitted values of the nuisances (pulls) give the centre of
        A.  An uncertainty above that of the prior is kept as it is.

        Args:
            name: name of the measurement.
            experiment: collaboration.
            values: fitted values of all parameters, shape (P,), or of the results alone if ``pulls`` are given; or by name.
            covariance: of the parameters after the fit, with the constraint terms included, shape (P, P).
            parameters: P names, in the order of the rows.
            results: the measured parameters, each of the observable of its name; or parameter -> observable; or parameter ->
                (observable -> coefficient).
            pulls: fitted values of the nuisances in widths of their priors, in the order of ``parameters``, or by name; by
                default from ``values``.
            free: parameters without a constraint term, names or patterns (``"norm_*"``).
            left_out: parameters that the fit held fixed, or that need not be kept apart, such as those of template
                statistics (see :class:`~bayescomb.inputs.measurements.fitted_input.FitTable`); names or patterns.
            priors: nuisance -> centre and width of its constraint term, if these are not 0 and 1.

        Raises:
            UnknownNameError, DuplicateNameError: a name is not that of a parameter, or of two kinds.
            UnderdeterminedError: neither pulls nor values of the nuisances are given.
            InvalidNumberError: a number is not finite, or a width not above 0.
            InvalidMatrixError: the covariance is not symmetric and positive definite; the message names the parameters.

        Warns:
            InputWarning: a nuisance has a pull or constraint that its constraint term hardly allows.

        Examples:
            >>> import bayescomb as bc
            >>> fit = bc.Measurement.from_fit("tt", "CMS", values=[832.0, 0.4], covariance=[[900.0, 12.0], [12.0, 0.64]],
            ...     parameters=["sigma", "jes"], results=["sigma"])
            >>> fit.estimates[0].value, fit.fit.pulls.tolist(), fit.all_nuisances[0].name
            (832.0, [0.4], 'jes')
        """
        listed = [results] if isinstance(results, str) else results
        maps = dict(listed) if isinstance(listed, Mapping) else {result: result for result in listed}
        where = f"fit {name!r}"
        table = FitTable(
            where=where,
            parameters=tuple(parameters),
            values=fitted_values(values, parameters, list(maps), pulled=pulls is not None, where=where),
            covariance=check_finite(covariance, where=f"covariance of {where}"),
            results=tuple(maps),
            free=free,
            left_out=left_out,
            priors=priors or {},
        )
        estimates = tuple(
            Estimate(
                name=name if len(maps) == 1 else f"{name}, {result}",
                value=value,
                observables={own: 1.0} if isinstance(own, str) else own,
            )
            for (result, own), value in zip(maps.items(), table.result_values, strict=True)
        )
        return cls(name=name, experiment=experiment, estimates=estimates, fit=table.fitted_input(pulls))

    @property
    def is_total(self) -> bool:
        """Whether its covariance contains all uncertainties."""
        return self.covariance_kind != CovarianceKind.STATISTICAL

    @property
    def is_prior(self) -> bool:
        """Whether it represents the prior of a parameter."""
        return self.covariance_kind == CovarianceKind.PRIOR

    @cached_property
    def statistical_spectrum(self) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Eigenvalues, shape (n,), and eigenvectors of the statistical correlations, and which of them have no variance."""
        assert self.statistical_covariance is not None  # callers check this
        eigenvalues, vectors = np.linalg.eigh(correlation_of(self.statistical_covariance))
        return eigenvalues, vectors, eigenvalues <= SINGULAR * len(eigenvalues)

    def _check_unmoved(self, where: str) -> None:
        """Require that nuisances shift every combination of estimates without statistical variance."""
        assert self.statistical_covariance is not None  # callers check this
        eigenvalues, vectors, bare = self.statistical_spectrum
        if not bare.any():
            return
        errors = np.sqrt(np.diag(self.statistical_covariance))
        shifts = vectors[:, bare].T @ (self.responses / errors[:, None])
        directions, variances, _ = np.linalg.svd(shifts, full_matrices=True)
        if len(variances) == len(shifts) and variances[-1] > UNMOVED:
            return
        parts = np.abs(vectors[:, bare] @ directions[:, -1])
        members = zip(self.estimates, parts, strict=True)
        names = ", ".join(repr(e.name) for e, size in members if size > 1e-6 * parts.max())
        msg = (
            f"{where}: singular (smallest eigenvalue {eigenvalues[0]:.3g} in units of the variances), and no nuisance "
            f"shifts the combination of {names} that has no statistical variance; give it an uncertainty, or leave out an "
            "estimate that follows from the others"
        )
        raise InvalidMatrixError(msg)

    def _check_down_responses(self, where: str) -> None:
        """Check the shape; set the field to ``None`` where it equals -``responses``."""
        if self.down_responses is None:
            return
        down = check_array(self.down_responses, self.responses.shape, where=f"down responses of {where}")
        object.__setattr__(self, "down_responses", None if (down == -self.responses).all() else down)

    def _check_response_forms(self, where: str) -> None:
        """Require measured values at which relative and lognormal responses are defined.

        Raises:
            InvalidNumberError: the measured value is 0, or a lognormal factor is not above 0.
        """
        up, down = self.all_responses
        for column, nuisance in enumerate(self.all_nuisances):
            if not nuisance.multiplicative:
                continue
            for row, estimate in enumerate(self.estimates):
                # A single number is the factor of +1 sigma, and its inverse that of -1 sigma.
                shifts = {up[row, column], down[row, column]} - {-up[row, column]}
                at = f"{where}, estimate {estimate.name!r}, {nuisance.response} nuisance {nuisance.name!r}"
                if any(shifts) and estimate.value == 0:
                    msg = f"{at}: the measured value is 0, so that no shift is relative to it; make the nuisance absolute"
                    raise InvalidNumberError(msg)
                if nuisance.response == "lognormal" and any(1 + g / (estimate.value or 1) <= 0 for g in shifts):
                    msg = f"{at}: a shift by {min(shifts):g} takes {estimate.value:g} to 0 or below; make it absolute"
                    raise InvalidNumberError(msg)

    @property
    def tables(self) -> dict[int, LikelihoodTable]:
        """Position of an estimate -> its likelihood table, for estimates that have one."""
        return {i: e.likelihood for i, e in enumerate(self.estimates) if e.likelihood is not None}

    def _check_tables(self, where: str) -> None:
        """Require that the error of an estimate with a likelihood table is that of the table, and uncorrelated.

        Raises:
            InvalidMatrixError: its variance or a correlation is another one, or the measurement is a fit.
            InvalidNumberError: a shift is relative to a value beyond the table.
        """
        up, down = self.all_responses
        for i, table in self.tables.items():
            at = f"{where}, estimate {self.estimates[i].name!r}: a likelihood table"
            if self.statistical_covariance is None:
                msg = f"{at} beside a fit, which has a likelihood of its own; make it a measurement by itself"
                raise InvalidMatrixError(msg)
            row = self.statistical_covariance[i] / table.width**2
            row = row - np.eye(len(row))[i]
            if np.abs(row).max() > ROUNDING:
                found = self.statistical_covariance[i].tolist()
                msg = (
                    f"{at} of width {table.width:.6g} with the statistical covariance {found}; its variance is the width "
                    "squared, without correlations: see Measurement.from_likelihood"
                )
                raise InvalidMatrixError(msg)
            for nuisance, shifts in zip(self.all_nuisances, np.array([up[i], down[i]]).T, strict=True):
                if table.offset and nuisance.multiplicative and shifts.any():
                    msg = (
                        f"{at} that falls towards its end has no value that the {nuisance.response} nuisance "
                        f"{nuisance.name!r} could be relative to; make it absolute"
                    )
                    raise InvalidNumberError(msg)

    @property
    def fit_responses(self) -> FloatArray:
        """Shift of each published value per +1 sigma of each nuisance of the fit, the data unchanged, shape (n, n_fit).

        With the information H = [[M, kappa], [kappa^T, D]] of the fit it is -M^-1 kappa (Kieseler, EPJC 77 (2017) 792); for
        one nuisance it has the sign of the covariance.
        """
        if self.fit is None:
            return np.zeros((len(self.estimates), 0))
        n = len(self.estimates)
        return np.linalg.solve(self.fit.information[:n, :n], 0.0 - self.fit.information[:n, n:])

    @property
    def all_responses(self) -> tuple[FloatArray, FloatArray]:
        """Shifts of the published values at +1 and at -1 sigma of :attr:`all_nuisances`, shape (n, n_fit + m) each."""
        fitted = self.fit_responses
        up, down = self.two_sided_responses
        return np.hstack([fitted, up]), np.hstack([-fitted, down])

    @property
    def two_sided_responses(self) -> tuple[FloatArray, FloatArray]:
        """Shifts at +1 and at -1 sigma of the externalised :attr:`nuisances`, shape (n, m) each."""
        return self.responses, -self.responses if self.down_responses is None else self.down_responses

    @property
    def all_nuisances(self) -> tuple[Nuisance, ...]:
        """Nuisances of the fit, then those outside it."""
        return (*(self.fit.nuisances if self.fit else ()), *self.nuisances)


def estimate_slices(measurements: Sequence[Measurement]) -> tuple[slice, ...]:
    """Positions of the estimates of each measurement among those of all."""
    ends = itertools.accumulate((len(m.estimates) for m in measurements), initial=0)
    return tuple(itertools.starmap(slice, itertools.pairwise(ends)))
